//! The asynchronous half: store, outbox, poster, and the embedded desk where there is one.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::desk::{Desk, DeskConfig, Door};
use anyhow::{Context, Result};
use logic::case::Case;
use logic::look::CameraId;
use report::{DeskTarget, PosterHandle, Reporter, ReporterConfig, Secret};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::node::{DeskPlace, Node, hex, secret};
use crate::retention;
use crate::sight::Remembered;

/// Bytes of randomness in a token that the service makes for itself.
const TOKEN_BYTES: usize = 32;

/// Everything that runs on tokio.
pub(crate) struct Platform {
    runtime: tokio::runtime::Runtime,
    reporter: Arc<Reporter>,
    poster: PosterHandle,
    desk: Option<EmbeddedDesk>,
    /// For people.
    desk_url: String,
    /// What this node posts with, and where to.
    own: (String, Secret),
}

/// The desk in this process.
struct EmbeddedDesk {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    door: Door,
}

impl Platform {
    /// Opens the store and the desk and starts to post what an earlier run left behind.
    ///
    /// # Errors
    /// A folder in use by another service, a port taken, a disk that cannot be written.
    pub(crate) fn start(node: &Node) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("platform")
            .enable_all()
            .build()
            .context("starting the asynchronous threads")?;
        std::fs::create_dir_all(&node.data)
            .with_context(|| format!("making the data folder {}", node.data.display()))?;
        let (desk, desk_url, own_url, token) = match &node.desk {
            DeskPlace::Embedded { listen, tls, is_behind_proxy } => {
                let token = own_token(&node.data.join("desk.token"))?;
                let config = DeskConfig {
                    listen: *listen,
                    tls: tls.clone(),
                    is_behind_proxy: *is_behind_proxy,
                    ..DeskConfig::new(node.data.join("desk"), ::desk::token_sha256(&token))
                };
                let desk = runtime.block_on(Desk::open(config)).context("opening the desk")?;
                let (url, own_url, door) = (desk.url(), desk.own_url(), desk.door());
                let (stop, stopped) = oneshot::channel();
                let served = runtime.spawn(async move {
                    let shutdown = async { drop(stopped.await) };
                    if let Err(error) = desk.serve(shutdown).await {
                        tracing::error!(%error, "the desk ended");
                    }
                });
                (Some(EmbeddedDesk { stop, served, door }), url, own_url, token)
            }
            DeskPlace::External { url, token } => {
                (None, url.clone(), url.clone(), secret(token, &node.folder)?)
            }
        };
        let own = (own_url, Secret::new(token));
        let target = DeskTarget::new(&own.0, own.1.clone())?;
        let config = ReporterConfig::new(node.data.join("report"), target);
        let reporter = runtime.block_on(Reporter::open(config)).context("opening the case store")?;
        let poster = {
            let _guard = runtime.enter();
            reporter.spawn_poster()
        };
        let reporter = Arc::new(reporter);
        runtime.spawn(retention::keep_to(node.retention.clone(), Arc::clone(&reporter)));
        Ok(Self { runtime, reporter, poster, desk, desk_url, own })
    }

    /// The way to the store.
    pub(crate) fn reporter(&self) -> Arc<Reporter> {
        Arc::clone(&self.reporter)
    }

    /// For threads that commit.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Where the desk answers.
    pub(crate) fn desk_url(&self) -> &str {
        &self.desk_url
    }

    /// The embedded desk's first administrator's token, where none was ever made; told this once.
    ///
    /// # Errors
    /// The desk's store.
    pub(crate) fn first_administrator(&self) -> Result<Option<String>> {
        let Some(desk) = &self.desk else { return Ok(None) };
        Ok(self.runtime.block_on(desk.door.first_administrator())?)
    }

    /// Whether the embedded desk, if there is one, has ever had an administrator.
    ///
    /// # Errors
    /// The desk's store.
    pub(crate) fn has_administrator(&self) -> Result<bool> {
        let Some(desk) = &self.desk else { return Ok(true) };
        Ok(self.runtime.block_on(desk.door.has_administrator())?)
    }

    /// An address that lets one browser into the embedded desk, once.
    ///
    /// # Errors
    /// The desk's store.
    pub(crate) fn login_link(&self) -> Result<Option<String>> {
        let Some(desk) = &self.desk else { return Ok(None) };
        let path = self.runtime.block_on(desk.door.login_link())?;
        Ok(Some(format!("{}{path}", self.desk_url)))
    }

    /// What the cameras' lookouts remember.
    pub(crate) fn memory(&self) -> Memory {
        Memory { handle: self.handle(), reporter: self.reporter() }
    }

    /// Waits until the outbox is empty or the deadline has passed.
    pub(crate) fn wait_until_posted(&self, deadline: Duration) {
        let mut posts = self.reporter.events();
        self.runtime.block_on(async {
            let emptied = async {
                while !self.reporter.store().outbox_counts().await.is_ok_and(|rows| rows.pending == 0) {
                    // Each post wakes this; the pause covers one that came between the two lines.
                    drop(tokio::time::timeout(Duration::from_millis(200), posts.next()).await);
                }
            };
            if tokio::time::timeout(deadline, emptied).await.is_err() {
                tracing::warn!("the desk has not taken every case yet");
            }
        });
    }

    /// Every case that the desk holds.
    ///
    /// # Errors
    /// The desk does not answer.
    pub(crate) fn cases_on_desk(&self) -> Result<Vec<Case>> {
        #[derive(serde::Deserialize)]
        struct Page {
            cases: Vec<Case>,
            next: Option<String>,
        }
        // Our own desk on loopback: no certificates are needed, and a machine may have none.
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(30))
            .build()?;
        self.runtime.block_on(async {
            let (own_url, token) = &self.own;
            let (mut cases, mut after) = (Vec::new(), String::new());
            loop {
                let url = format!("{own_url}/api/v1/cases?limit=500{after}");
                let request = client.get(url).bearer_auth(token.expose());
                let page: Page = request.send().await?.error_for_status()?.json().await?;
                cases.extend(page.cases);
                match page.next {
                    Some(next) => after = format!("&after={next}"),
                    None => return Ok(cases),
                }
            }
        })
    }

    /// Gives the poster until the deadline, then ends the desk.
    pub(crate) fn stop(self, deadline: Duration) {
        self.runtime.block_on(async {
            if !self.poster.shutdown(deadline).await {
                tracing::warn!("some cases were not posted in time; the next start posts them");
            }
            if let Some(EmbeddedDesk { stop, served, .. }) = self.desk {
                // Either may have ended by itself; then there is nothing left to stop.
                let _ = stop.send(());
                let _ = tokio::time::timeout(Duration::from_secs(5), served).await;
            }
        });
        self.runtime.shutdown_timeout(Duration::from_secs(2));
    }
}

/// The token that this node's pipeline and its own desk share: made at the first start, readable by the
/// service's user only.
fn own_token(path: &Path) -> Result<String> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::read_to_string(path) {
        Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("reading {}", path.display()));
        }
        _ => {}
    }
    let bytes: [u8; TOKEN_BYTES] = rand::random();
    let token = hex(&bytes);
    let fresh = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("making {}", fresh.display()))?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path).with_context(|| format!("making {}", path.display()))?;
    Ok(token)
}

/// What the cameras' lookouts remember, on disk.
pub(crate) struct Memory {
    handle: Handle,
    reporter: Arc<Reporter>,
}

impl Memory {
    /// What a camera's lookout remembered when it was last kept; nothing where that cannot be read. Not for
    /// threads of the runtime.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn of(&self, camera: &CameraId) -> Result<Remembered> {
        let watch = self.handle.block_on(self.reporter.load_watch(camera))?;
        let scene = self.handle.block_on(self.reporter.load_scene(camera))?;
        Ok(Remembered {
            watch: read(camera, watch.as_deref(), "watch; dwells start anew").unwrap_or_default(),
            scene: read(camera, scene.as_deref(), "scene; its background is learnt anew"),
        })
    }
}

fn read<T: DeserializeOwned>(camera: &CameraId, kept: Option<&str>, what: &str) -> Option<T> {
    let told = |error: serde_json::Error| tracing::warn!(%camera, %error, "cannot read the kept state of its {what}");
    serde_json::from_str(kept?).map_err(told).ok()
}

#[cfg(test)]
mod tests {
    use logic::watch::WatchState;

    use super::*;

    /// A row as it was written before scenes were kept.
    const OLD: &str = r#"{
        "last_at": "2026-07-01T02:00:20.000Z",
        "spots": [{
            "id": {"first_at": "2026-07-01T02:00:00.000Z", "ordinal": 0}, "rule": 0, "zone": "footway",
            "bounds": [0.4, 0.4, 0.5, 0.5], "foot": [0.45, 0.49], "foot_weight": 10000.0, "foot_sigma": 0.01,
            "score_sum": 8.0, "hits": 3, "looks": 3, "attended_hits": 0, "watched_ms": 20000, "absent_ms": 0,
            "misses_in_a_row": 0, "recent": [true, true, true], "confirmed": false,
            "told_at": "2026-07-01T02:00:00.000Z"
        }],
        "rules": [{"kind": "litter", "standard_ref": "GB/T 47678.5-2026", "code": "06010", "ordinal": 0}]
    }"#;

    #[test]
    fn a_row_of_an_older_program_is_read_and_a_bad_one_starts_anew() {
        let camera = CameraId::new("corner");
        let watch: Option<WatchState> = read(&camera, Some(OLD), "watch");
        // Its spots were kept in another form: they are seen anew, and dedupe knows their cases.
        assert!(watch.is_some_and(|watch| watch.is_empty()));
        assert!(read::<WatchState>(&camera, Some("{\"tables\": 3}"), "watch").is_none());
        assert!(read::<WatchState>(&camera, None, "watch").is_none());
    }
}
