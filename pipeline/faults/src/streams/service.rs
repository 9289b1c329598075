//! The service itself, `shirong run`, as a process of its own, watched from outside.
//!
//! In: cameras. Out: looks by camera from its `/metrics`; memory, threads and handles from the system. Never: a call
//! into the service, a process that outlives its handle.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::serve::{Camera, USER};

/// It has so long to tell where its health is told.
const START_WITHIN: Duration = Duration::from_secs(60);
/// It has so long to stop.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// It answers within that, whatever its cameras do.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A camera and how the service is told of it.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) id: String,
    pub(crate) camera: Arc<Camera>,
    pub(crate) over_udp: bool,
    pub(crate) password: Option<&'static str>,
    /// So many looks a second in place of key frames.
    pub(crate) fps: Option<f64>,
}

impl Seat {
    pub(crate) fn new(id: String, camera: Arc<Camera>) -> Self {
        Self { id, camera, over_udp: false, password: None, fps: None }
    }
}

/// What the process costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) rss_mib: f64,
    pub(crate) threads: u64,
    pub(crate) handles: u64,
}

/// What is told of each camera.
pub(crate) type ByCamera = BTreeMap<String, u64>;

/// A running service; killed when dropped.
pub(crate) struct Service {
    child: Child,
    folder: tempfile::TempDir,
    base: String,
    http: reqwest::Client,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Service {
    /// Writes the files of a node and starts it; it looks at each key frame.
    pub(crate) async fn start(seats: &[Seat]) -> Result<Self> {
        let program = program()?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root =
            root.canonicalize().context("the checkout that this was built in is gone; build it anew")?;
        let folder = tempfile::Builder::new().prefix("shirong-streams-").tempdir()?;
        std::fs::create_dir(folder.path().join("cameras"))?;
        for seat in seats {
            write(folder.path(), seat)?;
        }
        let node = format!(
            "[node]\nname = \"streams\"\n[model]\nmanifest = '{}/models/city-nano/manifest.toml'\nthreads = 1\n\
             [desk]\nlisten = \"127.0.0.1:0\"\n[health]\nlisten = \"127.0.0.1:0\"\n",
            root.display()
        );
        std::fs::write(folder.path().join("shirong.toml"), node)?;
        let log = File::create(folder.path().join("service.log"))?;
        let child = Command::new(&program)
            .args(["--log-json", "run", "-c"])
            .arg(folder.path().join("shirong.toml"))
            .env("SHIRONG_LOG", "info")
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(ANSWER_WITHIN).build()?;
        let mut service = Self { child, folder, base: String::new(), http };
        service.base = service.address().await?;
        Ok(service)
    }

    /// Writes a camera's file anew, as an operator does who was told of another password.
    pub(crate) fn edit(&self, seat: &Seat) -> Result<()> {
        write(self.folder.path(), seat)
    }

    /// Where its health is told, from its log.
    async fn address(&mut self) -> Result<String> {
        let deadline = Instant::now() + START_WITHIN;
        while Instant::now() < deadline {
            if let Some(url) = self.log().lines().find_map(health_in) {
                return Ok(url);
            }
            self.is_alive()?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the service tells no address within {START_WITHIN:?}\n{}", self.tail(""))
    }

    /// Fails where it has ended.
    pub(crate) fn is_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the service ended ({status})\n{}", self.tail("")),
        }
    }

    /// What it tells now.
    pub(crate) async fn metrics(&mut self) -> Result<String> {
        let url = format!("{}/metrics", self.base);
        let told = async { self.http.get(&url).send().await?.text().await }.await;
        self.is_alive()?;
        told.with_context(|| format!("the service does not answer at {url}"))
    }

    /// Looks by camera.
    pub(crate) async fn looks(&mut self) -> Result<ByCamera> {
        Ok(by_camera(&self.metrics().await?, "shirong_looks_total"))
    }

    pub(crate) fn cost(&mut self) -> Result<Cost> {
        self.is_alive()?;
        let folder = PathBuf::from("/proc").join(self.child.id().to_string());
        let status = std::fs::read_to_string(folder.join("status")).context("reading the service's /proc")?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok())
        };
        let (rss_kib, threads) =
            number("VmRSS:").zip(number("Threads:")).context("/proc is not understood")?;
        let handles = std::fs::read_dir(folder.join("fd"))?.count() as u64;
        Ok(Cost { rss_mib: rss_kib as f64 / 1024.0, threads, handles })
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("service.log")).unwrap_or_default()
    }

    /// The log's last lines that speak of something.
    pub(crate) fn tail(&self, of: &str) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(of)).collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// As a supervisor stops it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the service ended badly: {status}\n{}", self.tail(""));
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the service does not stop within {STOP_WITHIN:?}\n{}", self.tail(""))
    }
}

/// `shirong`, built beside this program.
fn program() -> Result<PathBuf> {
    let beside = std::env::current_exe().context("this program has no path")?.with_file_name("shirong");
    anyhow::ensure!(
        beside.is_file(),
        "{} is not built: cargo build --bin shirong, with the profile that this program was built with",
        beside.display()
    );
    Ok(beside)
}

fn write(folder: &Path, seat: &Seat) -> Result<()> {
    let mut text = format!(
        "name = \"{0}\"\n[stream]\nurl = \"rtsp://127.0.0.1:{1}/street\"\nquiet_secs_max = 0\n",
        seat.id, seat.camera.port
    );
    if seat.over_udp {
        text += "transport = \"udp\"\n";
    }
    if let Some(fps) = seat.fps {
        text += &format!("fps = {fps}\n");
    }
    if let Some(password) = seat.password {
        let file = folder.join(format!("{password}.password"));
        std::fs::write(&file, password)?;
        text += &format!("user = \"{USER}\"\npassword_file = '{}'\n", file.display());
    }
    text += "[[zone]]\nid = \"all\"\nkind = \"footway\"\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n\
             [[rule]]\nkind = \"litter\"\nzones = [\"all\"]\ndwell_secs = 600\n";
    let file = folder.join(format!("cameras/{}.toml", seat.id));
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

fn health_in(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(line["fields"]["health"].as_str()?.strip_suffix("/readyz")?.to_owned())
}

/// A counter of each camera, from Prometheus text.
pub(crate) fn by_camera(text: &str, name: &str) -> ByCamera {
    let start = format!("{name}{{camera=\"");
    let rows = text.lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
    rows.filter_map(|(camera, value)| Some((camera.to_owned(), value.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_camera_and_the_address_from_the_log() {
        let text = "# TYPE a counter\na{camera=\"x\"} 3\na{camera=\"y-1\"} 4\nab{camera=\"z\"} 5\n";
        let told: Vec<_> = by_camera(text, "a").into_iter().collect();
        assert_eq!(told, [("x".to_owned(), 3), ("y-1".to_owned(), 4)]);
        let line = r#"{"fields":{"message":"answers","health":"http://127.0.0.1:9/readyz"}}"#;
        assert_eq!(health_in(line).as_deref(), Some("http://127.0.0.1:9"));
    }
}
