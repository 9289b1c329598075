//! `shirong import` and the schemas, as a user types them.

use std::path::Path;
use std::process::Command;

const GOOD: &str = "许可证号,登记号,姓名,事项,区域,时段,生效日期,有效期至\n\
    EX-1,H-1,示例,占道经营,market,6:00-9:00,2026/5/1,2026/9/30\n";

fn shirong(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_shirong")).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_table_with_a_bad_row_writes_nothing_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(
        folder.join("in.csv"),
        format!("{GOOD}EX-2,H-2,,占到经营,market,全天,2026-05-01,2026-09-30\n"),
    )
    .unwrap();
    let import = ["import", "permits", "in.csv", "--out", "out.toml"];
    let (code, said) = shirong(&import, folder);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in.csv: row 3, 事项: `占到经营` is no matter"), "{said}");
    assert!(said.contains("09006") && said.contains("nothing written"), "{said}");
    assert!(!folder.join("out.toml").exists());
    let (code, said) = shirong(&[&import[..], &["--keep-good", "--json"]].concat(), folder);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["kept"], &report["written"]), (&1.into(), &true.into()));
    assert_eq!((&report["errors"][0]["row"], &report["errors"][0]["column"]), (&3.into(), &"事项".into()));
    assert!(std::fs::read_to_string(folder.join("out.toml")).unwrap().contains("EX-1"));
    // The file is there now.
    std::fs::write(folder.join("in.csv"), GOOD).unwrap();
    let (code, said) = shirong(&import, folder);
    assert!(code == Some(1) && said.contains("--replace"), "{said}");
    let (code, said) = shirong(&[&import[..], &["--replace"]].concat(), folder);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_checked_in_schemas_are_what_the_program_prints() {
    for of in ["camera", "node"] {
        let (code, said) = shirong(&["check", "--schema", of], Path::new("."));
        assert_eq!(code, Some(0));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../calib/schema/{of}.schema.json"));
        let checked_in = std::fs::read_to_string(path).unwrap();
        // As values: the order of keys is the build's.
        let [said, checked_in] =
            [said, checked_in].map(|t| serde_json::from_str::<serde_json::Value>(&t).unwrap());
        assert!(said == checked_in, "shirong check --schema {of} > calib/schema/{of}.schema.json");
    }
}
