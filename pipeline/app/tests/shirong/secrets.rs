//! Secrets are planted everywhere one may stand, everything is made to go wrong, and everything that comes out is
//! searched for them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use samples::{RtspServer, Scheme, ServedAuth, ServedCamera};

use crate::street::{NodeFolder, client, clip, root};

/// The right password of one camera, the wrong one for another, and a platform's token.
const RIGHT: &str = "plantedRightCameraPassword41";
const WRONG: &str = "plantedWrongCameraPassword42";
const PLATFORM: &str = "plantedPlatformToken43";
const WITHIN: Duration = Duration::from_secs(60);

struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push((what.into(), text.into()));
    }

    fn run(&mut self, arguments: &[&str], folder: &Path) {
        let output = Command::new(env!("CARGO_BIN_EXE_shirong"))
            .args(arguments)
            .current_dir(folder)
            .env("SHIRONG_LOG", "trace")
            .env("PLANTED_RIGHT", RIGHT)
            .env("PLANTED_WRONG", WRONG)
            .env("PLANTED_PLATFORM", PLATFORM)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        self.add(arguments.join(" "), String::from_utf8_lossy(&text));
    }
}

fn camera(node: &NodeFolder, id: &str, port: u16, secret: &str) {
    let text = format!(
        "name = '{id}'\n[stream]\nurl = 'rtsp://127.0.0.1:{port}/{id}'\nuser = 'viewer'\n{secret}\n\
         [[zone]]\nid = 'all'\nkind = 'footway'\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n\
         [[rule]]\nkind = 'litter'\nzones = ['all']\n"
    );
    node.camera(id, &text);
}

/// A service that runs with every log on, whose first camera is let in and whose second is not.
fn run(node: &NodeFolder, said: &mut Said, ask: impl FnOnce(&mut Said)) {
    let log = node.folder.path().join("log");
    let out = std::fs::File::create(&log).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shirong"))
        .args(["run", "-c"])
        .arg(node.config())
        .current_dir(root())
        .env("SHIRONG_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .env("PLANTED_RIGHT", RIGHT)
        .env("PLANTED_WRONG", WRONG)
        .env("PLANTED_PLATFORM", PLATFORM)
        .stdout(Stdio::from(out.try_clone().unwrap()))
        .stderr(Stdio::from(out))
        .spawn()
        .unwrap();
    ask(said);
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    child.wait().unwrap();
    said.add("the log", String::from_utf8_lossy(&std::fs::read(&log).unwrap()));
}

#[test]
fn a_planted_secret_comes_out_nowhere() {
    let node = NodeFolder::new();
    let folder = node.folder.path();
    let health = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = std::fs::read_to_string(node.config()).unwrap();
    let text = format!("{text}[health]\nlisten = '127.0.0.1:{health}'\n");
    std::fs::write(node.config(), &text).unwrap();
    let mut served = ServedCamera::new("right", clip("litter"));
    served.auth = Some(ServedAuth::new(Scheme::Digest, "viewer", RIGHT));
    let mut refused = ServedCamera::new("wrong", clip("litter"));
    refused.auth = Some(ServedAuth::new(Scheme::Digest, "viewer", RIGHT));
    let server = RtspServer::start(0, vec![served, refused]).unwrap();
    camera(&node, "right", server.port(), "password_env = 'PLANTED_RIGHT'");
    let file = folder.join("cameras/wrong.password");
    std::fs::write(&file, WRONG).unwrap();
    camera(&node, "wrong", server.port(), "password_file = 'wrong.password'");

    let mut said = Said(Vec::new());
    let mut secrets: Vec<String> = [RIGHT, WRONG, PLATFORM].map(str::to_owned).to_vec();
    run(&node, &mut said, |said| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = client();
        let get = |url: String, token: Option<&str>| {
            runtime.block_on(async {
                let mut request = http.get(url);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                request.send().await.ok()?.text().await.ok()
            })
        };
        let ready = format!("http://127.0.0.1:{health}/readyz");
        let deadline = Instant::now() + WITHIN;
        loop {
            let told = get(ready.clone(), None).unwrap_or_default();
            let live = told.contains("\"live\":1") && told.contains("\"wrong\"");
            if live {
                said.add("/readyz", told);
                break;
            }
            assert!(Instant::now() < deadline, "one live, one refused: {told}");
            std::thread::sleep(Duration::from_millis(200));
        }
        let admin = node.token("administrator");
        let desk = format!("http://127.0.0.1:{}", node.desk_port);
        for path in ["/", "/metrics", "/readyz", "/api/v1/cases", "/api/v1/none", "/api/v1/cases/none"] {
            let told = get(format!("{desk}{path}"), Some(&admin)).unwrap();
            said.add(format!("desk {path}"), told);
            // A wrong token is not repeated either.
            said.add(format!("desk {path}, refused"), get(format!("{desk}{path}"), Some(PLATFORM)).unwrap());
        }
        let metrics = get(format!("http://127.0.0.1:{health}/metrics"), None).unwrap();
        let of_desk = get(format!("{desk}/metrics"), Some(&admin)).unwrap();
        crate::deploy::every_watched_metric_is_told(&[&metrics, &of_desk]);
        said.add("/metrics", metrics);
        let own = folder.join("data/desk.token");
        assert_eq!(std::fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
        secrets.extend([admin, std::fs::read_to_string(own).unwrap().trim().to_owned()]);
        // An edit that is refused while it runs is told with its file and key.
        let broken =
            format!("[stream]\nurl = 'rtsp://127.0.0.1/{{}}'\nuser = 'viewer'\npassword = '{WRONG}'\n");
        node.camera("broken", &broken);
        let deadline = Instant::now() + WITHIN;
        loop {
            let told = get(ready.clone(), None).unwrap_or_default();
            if told.contains("broken.toml") {
                said.add("/readyz, refused", told);
                break;
            }
            assert!(Instant::now() < deadline, "the edit is not refused: {told}");
            std::thread::sleep(Duration::from_millis(200));
        }
    });

    // The commands, on the broken file, on files that name a place where nothing is, and on the data.
    said.run(&["check", "-c", "shirong.toml"], folder);
    said.run(&["check", "-c", "shirong.toml", "--json"], folder);
    said.run(&["run", "-c", "shirong.toml"], folder);
    let wrong = format!("rtsp://127.0.0.1:{}/wrong", server.port());
    said.run(&["probe", &wrong, "--user", "viewer", "--password-env", "PLANTED_WRONG"], folder);
    for command in
        ["cases list", "cases dead", "desk token list", "desk token list --json", "desk audit list"]
    {
        said.run(&command.split(' ').collect::<Vec<_>>(), folder);
    }
    // Another platform, that nobody answers for.
    std::fs::remove_file(folder.join("cameras/broken.toml")).unwrap();
    let (before, _) = text.split_once("[desk]").unwrap();
    let external = format!("{before}[desk]\nurl = 'https://127.0.0.1:9/'\ntoken_env = 'PLANTED_PLATFORM'\n");
    std::fs::write(node.config(), external).unwrap();
    run(&node, &mut said, |_| std::thread::sleep(Duration::from_secs(3)));
    server.stop();

    assert!(
        said.0.iter().any(|(what, text)| what == "the log" && text.lines().count() > 50),
        "the log is full"
    );
    for (what, text) in &said.0 {
        for secret in &secrets {
            if let Some(at) = text.find(secret.as_str()) {
                // Not in the failure's own words either.
                let before: String = text[..at].chars().rev().take(160).collect();
                panic!("{what} tells a secret after `{}`", before.chars().rev().collect::<String>());
            }
        }
    }
    // At rest: no store holds one but the node's own file.
    for entry in walk(&folder.join("data")) {
        if entry.file_name().is_some_and(|name| name != "desk.token") {
            let bytes = std::fs::read(&entry).unwrap();
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a secret", entry.display());
            }
        }
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
