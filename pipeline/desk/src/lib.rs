//! The embedded case platform: a fresh machine files cases without any other system.
//!
//! In: evidence, cases and sightings over HTTP, the same contract as an external platform's; the pipeline does
//! not know which one it posts to. Out: cases as JSON, one page for the duty officer, health and metrics.
//! Never: a write without the token, a case twice, an answer before the disk has it, a script on the page.

mod body;
mod check;
mod error;
mod files;
mod http;
mod metrics;
mod sha;
mod store;

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use error::DeskError;
pub use sha::token_sha256;

use files::Files;
use http::{Desktop, Shared};
use store::Store;

/// Loopback only: reads are open until the desk has roles.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8470);
/// China Standard Time.
pub const UTC_OFFSET_MINUTES_DEFAULT: i32 = 480;
/// 16 MiB: a 4K JPEG or ten seconds of clip.
pub const EVIDENCE_BYTES_MAX_DEFAULT: usize = 16 * 1024 * 1024;

/// Requests that are not done by then are cut off at the end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);

/// How a desk is set up.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    /// Holds the store and the evidence; made where absent; one process at a time.
    pub folder: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// [`token_sha256`] of the bearer token that every write needs. The token itself is not kept.
    pub token_sha256: [u8; 32],
    /// The page's clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// A larger picture or clip is refused.
    pub evidence_bytes_max: usize,
}

impl DeskConfig {
    /// The defaults, with what has none.
    pub fn new(folder: impl Into<PathBuf>, token_sha256: [u8; 32]) -> Self {
        Self {
            folder: folder.into(),
            listen: LISTEN_DEFAULT,
            token_sha256,
            utc_offset_minutes: UTC_OFFSET_MINUTES_DEFAULT,
            evidence_bytes_max: EVIDENCE_BYTES_MAX_DEFAULT,
        }
    }
}

/// A desk that holds its folder and its port, and does not serve yet.
#[derive(Debug)]
pub struct Desk {
    desktop: Shared,
    listener: TcpListener,
    address: SocketAddr,
    /// Held until the desk goes; the system lets go of it also when the process is killed.
    _lock: File,
}

impl Desk {
    /// Takes the folder, brings the store up to date, throws away uploads that were cut off, takes the port.
    ///
    /// # Errors
    /// The folder is another process's or cannot be written, the store is of a later program, the port is taken.
    pub async fn open(config: DeskConfig) -> Result<Self, DeskError> {
        let DeskConfig { folder, listen, token_sha256, utc_offset_minutes, evidence_bytes_max } = config;
        let utc_offset = utc_offset_minutes
            .checked_mul(60)
            .filter(|seconds| seconds.abs() <= 18 * 3600)
            .and_then(|seconds| jiff::tz::Offset::from_seconds(seconds).ok())
            .ok_or(DeskError::UtcOffset(utc_offset_minutes))?;
        std::fs::create_dir_all(&folder).map_err(DeskError::folder("make", &folder))?;
        let lock = lock(&folder)?;
        let files = Files::open(&folder, evidence_bytes_max)?;
        let store = Store::open(&folder.join("desk.sqlite")).await?;
        let bind = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            bind.await.map_err(|source| DeskError::Listen { address: listen, source })?;
        tracing::info!(%address, folder = %folder.display(), "the desk is open");
        let desktop = Arc::new(Desktop::new(store, files, token_sha256, utc_offset));
        Ok(Self { desktop, listener, address, _lock: lock })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then lets running requests end, within ten seconds.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), DeskError> {
        let (tell, told) = oneshot::channel::<()>();
        let stop = async move {
            shutdown.await;
            // Nobody listens any more where the server has ended by itself.
            let _ = tell.send(());
        };
        let router = http::router(self.desktop.clone());
        let served = axum::serve(self.listener, router).with_graceful_shutdown(stop);
        let deadline = async {
            // A server that failed drops its end: then `served` tells.
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SHUTDOWN_MAX).await;
        };
        let outcome = tokio::select! {
            outcome = served.into_future() => outcome.map_err(DeskError::Serve),
            () = deadline => {
                tracing::warn!("the desk cut off requests that took longer than its end");
                Ok(())
            }
        };
        self.desktop.store.close().await;
        outcome
    }
}

/// One process a folder: two would each believe to be the only writer.
fn lock(folder: &std::path::Path) -> Result<File, DeskError> {
    let path = folder.join("desk.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(DeskError::folder("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DeskError::FolderInUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(DeskError::Folder { what: "lock", path, source }),
    }
}
