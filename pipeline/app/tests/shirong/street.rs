//! A street of sample cameras, a node's files beside it, and the service as a process of its own.
//!
//! Everything is real: RTSP on loopback, the ONNX model, the disk, HTTP, and SIGKILL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use logic::case::Case;
use samples::{RtspServer, ServedCamera};

/// How often a condition is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A client for the desk on loopback.
pub(crate) fn client() -> reqwest::Client {
    // The second call finds a provider in place, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A model that finds faces: the default one, its garbage taken for them.
pub(crate) fn masking_model() -> tempfile::TempDir {
    let (folder, model) = (tempfile::tempdir().unwrap(), root().join("models/city-nano"));
    for name in ["city_nano.onnx", "LICENSE-YOLOX.txt"] {
        std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(model.join("manifest.toml")).unwrap();
    let text =
        text.replace("garbage = \"garbage\"", "garbage = \"face\"").replace("garbage = 0.48", "face = 0.48");
    std::fs::write(folder.path().join("manifest.toml"), text).unwrap();
    folder
}

/// A sample clip.
pub(crate) fn clip(name: &str) -> PathBuf {
    root().join(format!("samples/clips/{name}.mp4"))
}

/// A node's folder.
pub(crate) struct NodeFolder {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) desk_port: u16,
}

impl NodeFolder {
    /// A node with an embedded desk on a free port and no camera yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cameras")).unwrap();
        let desk_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = root();
        let text = format!(
            "[model]\nmanifest = '{0}/models/city-nano/manifest.toml'\nthreads = 1\n\
             [grids]\nunit = '{0}/calib/example-county/unit-grids.geojson'\n\
             responsibility = '{0}/calib/example-county/responsibility-grids.geojson'\n\
             [desk]\nlisten = '127.0.0.1:{desk_port}'\n",
            root.display()
        );
        fs::write(folder.path().join("shirong.toml"), text).unwrap();
        Self { folder, desk_port }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("shirong.toml")
    }

    pub(crate) fn camera(&self, id: &str, text: &str) {
        fs::write(self.folder.path().join(format!("cameras/{id}.toml")), text).unwrap();
    }

    /// The sample's own camera file, on another port and with other lines.
    pub(crate) fn sample_camera(&self, id: &str, port: u16, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(root().join(format!("samples/cameras/{id}.toml"))).unwrap();
        text = text.replace("127.0.0.1:8554", &format!("127.0.0.1:{port}"));
        for (from, to) in changes {
            assert!(text.contains(from), "{id}.toml holds no `{from}`");
            text = text.replace(from, to);
        }
        self.camera(id, &text);
    }

    /// A new token, as an operator makes one.
    pub(crate) fn token(&self, role: &str) -> String {
        let made = Command::new(env!("CARGO_BIN_EXE_shirong"))
            .args(["desk", "token", "new", "--role", role, "--name", "the test", "--data"])
            .arg(self.folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Starts the service.
    pub(crate) fn start(&self) -> Service {
        let child = Command::new(env!("CARGO_BIN_EXE_shirong"))
            .args(["run", "-c"])
            .arg(self.config())
            .env("SHIRONG_LOG", "warn")
            .current_dir(root())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Service { child }
    }

    /// The desk's cases; `None` while it does not answer.
    pub(crate) fn cases(&self) -> Option<Vec<Case>> {
        let client = client();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("http://127.0.0.1:{}/api/v1/cases?limit=500", self.desk_port);
        // The node's own: it reads what it files.
        let token = fs::read_to_string(self.folder.path().join("data/desk.token")).ok()?;
        runtime.block_on(async {
            let page: serde_json::Value =
                client.get(url).bearer_auth(token).send().await.ok()?.json().await.ok()?;
            serde_json::from_value(page["cases"].clone()).ok()
        })
    }

    /// Waits until the cases are as wanted, and returns them.
    pub(crate) fn wait_for_cases(&self, within: Duration, wanted: impl Fn(&[Case]) -> bool) -> Vec<Case> {
        let deadline = Instant::now() + within;
        loop {
            let cases = self.cases();
            if let Some(cases) = cases.as_ref().filter(|cases| wanted(cases)) {
                return cases.clone();
            }
            assert!(Instant::now() < deadline, "not within {within:?}: {cases:#?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// A running service; killed when dropped.
pub(crate) struct Service {
    child: Child,
}

impl Service {
    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sample cameras of these names, whose clips are `into` their scene now.
pub(crate) fn serve(names: &[&str], into: Duration) -> RtspServer {
    let cameras = names.iter().map(|name| ServedCamera::new(*name, clip(name))).collect();
    RtspServer::start_at(0, cameras, Instant::now() - into).unwrap()
}

/// A number that a longer run by hand may set.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}
