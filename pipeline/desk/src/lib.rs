//! The embedded case platform: a fresh machine files cases without any other system.
//!
//! In: evidence, cases and sightings over HTTP, the same contract as an external platform's; the pipeline does
//! not know which one it posts to. Out: cases as JSON, one page for the duty officer, health and metrics.
//! Never: a write or a case shown without a token, a case twice, an answer before the disk has it, a script on the
//! page.

mod access;
mod body;
mod check;
mod content;
mod doors;
mod error;
mod files;
mod http;
mod metrics;
mod sha;
mod store;
mod tls;

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use access::{Limits, NewToken, Pace, Role, TokenBook, TokenError, TokenRow};
pub use content::{ContentError, PIXELS_MAX, check as check_content};
pub use doors::Doors;
pub use error::DeskError;
pub use sha::token_sha256;
pub use store::{AuditEntry, AuditVerdict};
pub use tls::TlsFiles;

use access::Peer;
use files::Files;
use http::{Desktop, Shared, Standing};
use store::{Actor, Store};
use tls::TlsListener;

/// Loopback only, unless told otherwise.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8470);
/// China Standard Time.
pub const UTC_OFFSET_MINUTES_DEFAULT: i32 = 480;
/// 16 MiB: a 4K JPEG or ten seconds of clip.
pub const EVIDENCE_BYTES_MAX_DEFAULT: usize = 16 * 1024 * 1024;

/// Requests that are not done by then are cut off at the end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// Connections at once: a browser keeps six, and a city's officers are some dozens.
const CONNECTIONS_MAX: usize = 512;
/// Longest silence of one, either way; longer than any answer takes.
const SILENT_MAX: Duration = Duration::from_secs(120);

fn doors<L>(listener: L) -> Doors<L> {
    Doors::new(listener, CONNECTIONS_MAX, SILENT_MAX)
}

/// How a desk is set up.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    /// Holds the store and the evidence; made where absent; one process at a time.
    pub folder: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// [`token_sha256`] of the token that the node's own pipeline posts with, in the role `service`.
    pub own_token_sha256: [u8; 32],
    /// Serve TLS with these; the node's own pipeline then posts to a port of loopback beside it.
    pub tls: Option<TlsFiles>,
    /// The operator's own proxy stands before the desk, holds the certificate and writes `X-Forwarded-For`.
    pub is_behind_proxy: bool,
    /// How often callers may come.
    pub limits: Limits,
    /// The page's clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// A larger picture or clip is refused.
    pub evidence_bytes_max: usize,
}

impl DeskConfig {
    /// The defaults, with what has none.
    pub fn new(folder: impl Into<PathBuf>, own_token_sha256: [u8; 32]) -> Self {
        Self {
            folder: folder.into(),
            listen: LISTEN_DEFAULT,
            own_token_sha256,
            tls: None,
            is_behind_proxy: false,
            limits: Limits::default(),
            utc_offset_minutes: UTC_OFFSET_MINUTES_DEFAULT,
            evidence_bytes_max: EVIDENCE_BYTES_MAX_DEFAULT,
        }
    }
}

/// A desk that holds its folder and its port, and does not serve yet.
#[derive(Debug)]
pub struct Desk {
    desktop: Shared,
    front: Bound,
    /// Plain HTTP on loopback for the node's own pipeline, where the front speaks TLS.
    back: Option<Bound>,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// Held until the desk goes; the system lets go of it also when the process is killed.
    _lock: File,
}

#[derive(Debug)]
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    async fn take(listen: SocketAddr) -> Result<Self, DeskError> {
        let bind = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind.await.map_err(|source| DeskError::Listen { address: listen, source })
    }
}

impl Desk {
    /// Takes the folder, brings the store up to date, throws away uploads that were cut off, takes the port.
    ///
    /// # Errors
    /// The folder is another process's or cannot be written, the store is of a later program, the port is taken,
    /// the certificate is none.
    pub async fn open(config: DeskConfig) -> Result<Self, DeskError> {
        let DeskConfig {
            folder,
            listen,
            own_token_sha256,
            tls,
            is_behind_proxy,
            limits,
            utc_offset_minutes,
            evidence_bytes_max,
        } = config;
        let utc_offset = utc_offset_minutes
            .checked_mul(60)
            .filter(|seconds| seconds.abs() <= 18 * 3600)
            .and_then(|seconds| jiff::tz::Offset::from_seconds(seconds).ok())
            .ok_or(DeskError::UtcOffset(utc_offset_minutes))?;
        let tls = tls.as_ref().map(TlsFiles::load).transpose()?;
        std::fs::create_dir_all(&folder).map_err(DeskError::folder("make", &folder))?;
        let lock = lock(&folder)?;
        let files = Files::open(&folder, evidence_bytes_max)?;
        let store = Store::open(&folder.join("desk.sqlite")).await?;
        store.keep_own_token("this node's pipeline", &own_token_sha256).await?;
        let front = Bound::take(listen).await?;
        let back = match tls {
            Some(_) => Some(Bound::take(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?),
            None => None,
        };
        tracing::info!(address = %front.address, tls = tls.is_some(), folder = %folder.display(), "the desk is open");
        let is_secure = tls.is_some() || is_behind_proxy;
        let standing = Standing { utc_offset, limits, is_secure, is_behind_proxy };
        let desktop = Arc::new(Desktop::new(store, files, standing));
        Ok(Self { desktop, front, back, tls, _lock: lock })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.front.address
    }

    /// Where a browser finds it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.front.address)
    }

    /// Where the node's own pipeline posts, on this machine.
    pub fn own_url(&self) -> String {
        let address = self.back.as_ref().map_or(self.front.address, |back| back.address);
        // Who listens on every address is reached at loopback.
        let ip = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            std::net::IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        format!("http://{}", SocketAddr::new(ip, address.port()))
    }

    /// The way in for whoever started the desk.
    pub fn door(&self) -> Door {
        Door(self.desktop.clone())
    }

    /// Serves until `shutdown` is done, then lets running requests end, within ten seconds.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), DeskError> {
        let (tell, told) = tokio::sync::watch::channel(false);
        let stopped = |mut told: tokio::sync::watch::Receiver<bool>| async move {
            // The sender's end is as good as its word.
            drop(told.wait_for(|stop| *stop).await);
        };
        let service = http::router(self.desktop.clone()).into_make_service_with_connect_info::<Peer>();
        let Bound { listener, address } = self.front;
        let front = match self.tls {
            Some(config) => {
                let listener = doors(TlsListener::new(listener, address, config));
                let served = axum::serve(listener, service.clone());
                tokio::spawn(served.with_graceful_shutdown(stopped(told.clone())).into_future())
            }
            None => {
                let served = axum::serve(doors(listener), service.clone());
                tokio::spawn(served.with_graceful_shutdown(stopped(told.clone())).into_future())
            }
        };
        let back = self.back.map(|Bound { listener, .. }| {
            let served = axum::serve(doors(listener), service);
            tokio::spawn(served.with_graceful_shutdown(stopped(told.clone())).into_future())
        });
        let aborts: Vec<_> = std::iter::once(&front).chain(&back).map(|task| task.abort_handle()).collect();
        let served = async move {
            let outcome = front.await;
            if let Some(back) = back {
                drop(back.await);
            }
            outcome
        };
        tokio::pin!(served);
        let outcome = tokio::select! {
            outcome = &mut served => Some(outcome),
            () = shutdown => {
                // Nobody listens any more where the server has ended by itself.
                let _ = tell.send(true);
                tokio::time::timeout(SHUTDOWN_MAX, &mut served).await.ok()
            }
        };
        aborts.iter().for_each(tokio::task::AbortHandle::abort);
        self.desktop.store.close().await;
        match outcome {
            Some(Ok(served)) => served.map_err(DeskError::Serve),
            Some(Err(ended)) => Err(DeskError::Serve(std::io::Error::other(ended))),
            None => {
                tracing::warn!("the desk cut off requests that took longer than its end");
                Ok(())
            }
        }
    }
}

/// What the program that runs the desk may give its operator.
#[derive(Debug, Clone)]
pub struct Door(Shared);

impl Door {
    /// Whether a token of an administrator was ever made.
    ///
    /// # Errors
    /// The store.
    pub async fn has_administrator(&self) -> Result<bool, TokenError> {
        Ok(self.0.store.has_role(Role::Administrator.name()).await?)
    }

    /// An administrator's token in clear where none was ever made: the first start. It is not told again.
    ///
    /// # Errors
    /// The store.
    pub async fn first_administrator(&self) -> Result<Option<String>, TokenError> {
        if self.has_administrator().await? {
            return Ok(None);
        }
        let new = NewToken::new("first administrator", Role::Administrator);
        let (token, _) = new.issue(&self.0.store, &Actor::DESK).await?;
        Ok(Some(token))
    }

    /// A path that lets the one browser in that follows it first, as an administrator, within a day.
    ///
    /// # Errors
    /// The store.
    pub async fn login_link(&self) -> Result<String, TokenError> {
        let lasts = access::LINK_MAX;
        let new = NewToken { lasts: Some(lasts), ..NewToken::new("login link", Role::Administrator) };
        // Nobody is told the token itself: only the link's session stands on it.
        let (_, row) = new.issue(&self.0.store, &Actor::DESK).await?;
        let link = self.0.sessions.link(&row.id, std::time::Instant::now(), lasts);
        Ok(format!("/login?link={link}"))
    }
}

/// What the desk would say of these bytes as a case, as a sighting and as a list's query, without a look at its store:
/// each fault as `field: what`; nothing where all is well. For whoever tries what it makes of foreign bytes.
pub fn read_body(bytes: &[u8]) -> Vec<String> {
    let told = |faults: &[error::Fault]| -> Vec<String> {
        faults.iter().map(|f| format!("{}: {}", f.field.as_deref().unwrap_or("-"), f.what)).collect()
    };
    let case = body::parsed::<logic::case::Case>(bytes);
    let case = case.map_or_else(|r| told(r.faults()), |case| told(&check::case(Some("k"), &case)));
    let sighting = body::parsed::<logic::case::Sighting>(bytes);
    let sighting = sighting.map_or_else(|r| told(r.faults()), |seen| told(&check::sighting(None, &seen)));
    let query = axum::http::Uri::try_from([b"/?".as_slice(), bytes].concat())
        .ok()
        .and_then(|uri| http::query_pairs(&uri).ok())
        .map_or_else(Vec::new, |pairs| told(&check::listing(&pairs).err().unwrap_or_default()));
    [case, sighting, query].concat()
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
