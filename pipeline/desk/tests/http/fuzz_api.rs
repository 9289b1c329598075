//! The contract, tried by schemathesis with every role and with none: `make fuzz-api`. No 5xx, no status, type or
//! shape of an answer that `openapi.json` does not tell.

use std::path::Path;

use desk::{Limits, NewToken, Pace, Role};

use crate::desk_under_test::{config, serve_with, token};

const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Where `schemathesis` is; without it the test says so and ends.
const TOOL: &str = "SHIRONG_SCHEMATHESIS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; `make fuzz-api`"]
async fn the_contract_holds_for_every_role() {
    let Ok(tool) = std::env::var(TOOL) else {
        println!("{TOOL} names no schemathesis: nothing is tried; see `make fuzz-api`");
        return;
    };
    let examples = std::env::var("SHIRONG_FUZZ_EXAMPLES").unwrap_or_else(|_| "40".to_owned());
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let endless = Pace { per_second: 1e6, burst: 1e9 };
    let roles = Role::ALL.into_iter().map(Some).chain([None]);
    for role in roles {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder.path().join("desk"));
        config.limits = Limits { address: endless, refused: endless, person: endless, service: endless };
        let desk = serve_with(config).await;
        let filed = desk.filed().await;
        let name = role.map_or("nobody", Role::name);
        let header = match role {
            Some(role) => {
                format!("Authorization: Bearer {}", token(&desk.folder, NewToken::new(name, role)).await)
            }
            None => "X-Nobody: 1".to_owned(),
        };
        // Once with made-up ids and once with those of a case that is there.
        let ids = format!(
            "[parameters]\n\"path.case_id\" = {}\n\"path.sha256\" = {}\n",
            filed["case_id"], filed["evidence"][0]["sha256"]
        );
        for parameters in ["", ids.as_str()] {
            std::fs::write(folder.path().join("schemathesis.toml"), parameters).unwrap();
            let mut command = std::process::Command::new(&tool);
            command
                .arg("run")
                .arg(&contract)
                .args(["--url", &format!("http://{}", desk.address), "--header", &header])
                .args(["--checks", CHECKS, "--max-redirects", "0"])
                // One worker: with two, CPython 3.11 fails now and then in its own parser.
                .args(["--max-examples", &examples, "--seed", "1", "--no-color", "--workers", "1"])
                .current_dir(folder.path());
            let run = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&run.stderr));
            let line = said.lines().rev().find(|line| line.contains("passed")).unwrap_or("no line");
            println!("{name}{}: {line}", if parameters.is_empty() { "" } else { ", a case that is there" });
        }
        desk.stop().await;
    }
}
