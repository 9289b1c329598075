//! From a confirmed finding to the desk's acknowledgement.
//!
//! ```text
//! Job ─ prepare ─ PreparedJob ─ Reporter::commit ─ vault ─ store ─┐
//!       CPU: encode, mask, hash            fsync   one transaction │ knock
//!                                                     poster ──────┴─ desk
//! ```
//!
//! In: what a camera's watch says at each look ([`Job`]), with the decoder's frame. Out: cases and
//! sightings on the desk, each exactly once; originals in the vault. Never: an unmasked picture that
//! leaves, a finding told before it is on disk, a finding given up because the desk is away.
//!
//! # What the caller owes
//! - The jobs of one camera are committed in the order of its looks, the [`Job::Snapshot`] after the
//!   others of its look: a snapshot that is on disk vouches for everything before it.
//! - [`Reporter::commit`] that fails with [`ErrorClass::Retry`] is called again with the same job before
//!   any later one of that camera. Calling it again is always safe.

mod annotate;
mod clip;
mod commit;
mod counters;
mod deliver;
mod error;
mod events;
mod hash;
mod job;
mod lock;
mod mask;
mod picture;
mod post;
mod retention;
mod staging;
mod store;
mod target;
mod vault;
mod verify;
mod wall;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logic::look::CameraId;
use tokio::sync::{Notify, broadcast};

pub use annotate::{Caption, annotate};
pub use clip::ClipOf;
pub use commit::Handled;
pub use counters::CountersSnapshot;
pub use error::{ErrorClass, ReportError};
pub use events::PostEvents;
pub use hash::{NotSha256, Sha256Hex};
pub use job::{CROP_GROWTH, Job, PreparedFinding, PreparedJob, Provenance, Shot, prepare};
pub use mask::{BLOCK_PX_MIN, Masked, MaskedJpeg, mask, masks};
pub use picture::{JPEG_QUALITY, Jpeg, Picture, PictureError, PixelRect};
pub use post::{
    BACKOFF_FIRST, BACKOFF_MAX, COMPLAINT_PERIOD, CONCURRENCY, CONNECT_TIMEOUT, IDLE_LOOK, PostEvent,
    PostLimits, PosterHandle, REQUEST_TIMEOUT,
};
pub use retention::{Erased, KEEP_DAYS, KEEP_DAYS_MIN, Retention};
pub use store::{
    ChainHead, Committed, DeadLetter, LocalCase, OutboxCounts, OutboxEntry, OutboxKind, OutboxState, Retry,
    Store,
};
pub use target::{DeskTarget, Secret};
pub use vault::{CopyRead, Manifest, Vault, VaultRecord};
pub use verify::{VAULT_FINDINGS_MAX, VaultFault, VaultFinding, VaultReport, verify_vault};

use counters::Counters;
use deliver::Courier;
use lock::FolderLock;
use post::Poster;
use staging::Staging;
use wall::WallClock;

/// First frames of candidates kept a camera.
pub const STAGED_PER_CAMERA_MAX: usize = 32;
/// Events kept for a listener that is slow; older ones are dropped and counted.
pub const EVENTS_MAX: usize = 256;

/// Where and how.
#[derive(Debug, Clone)]
pub struct ReporterConfig {
    /// Holds the database, the lock and the vault. One service a folder.
    pub folder: PathBuf,
    /// The desk.
    pub target: DeskTarget,
    /// First frames of candidates kept a camera.
    pub staged_per_camera_max: usize,
    /// The poster's limits.
    pub post: PostLimits,
}

impl ReporterConfig {
    /// With the documented defaults.
    pub fn new(folder: impl Into<PathBuf>, target: DeskTarget) -> Self {
        Self {
            folder: folder.into(),
            target,
            staged_per_camera_max: STAGED_PER_CAMERA_MAX,
            post: PostLimits::default(),
        }
    }
}

/// The report stage of one service.
#[derive(Debug)]
pub struct Reporter {
    store: Store,
    vault: Arc<Vault>,
    staging: Arc<Staging>,
    courier: Arc<Courier>,
    counters: Arc<Counters>,
    knock: Arc<Notify>,
    events: broadcast::Sender<PostEvent>,
    clock: WallClock,
    limits: PostLimits,
    /// Let go of when the last disk task of a dropped reporter has ended, too.
    lock: Arc<FolderLock>,
}

impl Reporter {
    /// Opens or makes the folder, and mends what a crash may have left: half-written files, clips of no case, manifests
    /// that are older than their case.
    ///
    /// # Errors
    /// Another service holds the folder; the disk's and the store's.
    pub async fn open(config: ReporterConfig) -> Result<Self, ReportError> {
        let ReporterConfig { folder, target, staged_per_camera_max, post } = config;
        let inside = folder.clone();
        let (lock, vault, staging) =
            tokio::task::spawn_blocking(move || open_folder(&inside, staged_per_camera_max))
                .await
                .map_err(ReportError::Task)??;
        let store = Store::open(&folder).await?;
        let vault = Arc::new(vault);
        let courier = Courier::new(target, Arc::clone(&vault), post.connect_timeout, post.request_timeout)?;
        let reporter = Self {
            store,
            vault,
            staging: Arc::new(staging),
            courier: Arc::new(courier),
            counters: Arc::default(),
            knock: Arc::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            clock: WallClock::start(),
            limits: post,
            lock: Arc::new(lock),
        };
        reporter.sweep_clips().await?;
        for case_id in reporter.store.manifests_due().await? {
            reporter.write_manifest(&case_id).await?;
        }
        Ok(reporter)
    }

    /// [`prepare`] and [`Reporter::commit`] in one, for tools and tests: the encoding runs on the
    /// caller's thread.
    ///
    /// # Errors
    /// As [`Reporter::commit`].
    pub async fn handle(&self, job: Job<'_>) -> Result<Handled, ReportError> {
        self.commit(&prepare(job)).await
    }

    /// Starts telling the desk. One poster a reporter.
    pub fn spawn_poster(&self) -> PosterHandle {
        let poster = Poster {
            store: self.store.clone(),
            vault: Arc::clone(&self.vault),
            courier: Arc::clone(&self.courier),
            limits: self.limits,
            knock: Arc::clone(&self.knock),
            events: self.events.clone(),
            counters: Arc::clone(&self.counters),
            clock: self.clock,
            lock: Arc::clone(&self.lock),
        };
        poster.spawn()
    }

    /// What the poster says from now on.
    pub fn events(&self) -> PostEvents {
        PostEvents::new(self.events.subscribe(), Arc::clone(&self.counters))
    }

    /// The state that was kept last of a camera's watch.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_watch(&self, camera: &CameraId) -> Result<Option<String>, ReportError> {
        self.store.load_watch(camera).await
    }

    /// Keeps the state of a camera's watch; the same as committing a [`Job::Snapshot`].
    ///
    /// # Errors
    /// The store's.
    pub async fn save_watch(&self, camera: &CameraId, json: &str) -> Result<(), ReportError> {
        self.store.save_watch(camera, json, self.clock.now()).await
    }

    /// The state that was kept last of a camera's scene.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_scene(&self, camera: &CameraId) -> Result<Option<String>, ReportError> {
        self.store.load_scene(camera).await
    }

    /// Keeps the state of a camera's scene; the same as committing a [`Job::Scene`].
    ///
    /// # Errors
    /// The store's.
    pub async fn save_scene(&self, camera: &CameraId, json: &str) -> Result<(), ReportError> {
        self.store.save_scene(camera, json, self.clock.now()).await
    }

    /// Makes dead rows pending and due again, and wakes the poster. Returns how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn retry_dead(&self, which: Retry) -> Result<u64, ReportError> {
        let count = self.store.retry_dead(which, self.clock.now()).await?;
        self.knock.notify_one();
        Ok(count)
    }

    /// Lists and counts of cases and outbox.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What happened since the start.
    pub fn counters(&self) -> CountersSnapshot {
        self.counters.snapshot()
    }

    /// How many first frames of candidates are kept now.
    pub fn staged_frames(&self) -> usize {
        self.staging.len()
    }

    /// Ends all use of the store. Shut the poster down before.
    pub async fn close(self) {
        self.store.close().await;
    }
}

fn open_folder(
    folder: &Path,
    staged_per_camera_max: usize,
) -> Result<(FolderLock, Vault, Staging), ReportError> {
    let lock = FolderLock::acquire(folder)?;
    let vault = Vault::open(&folder.join("vault"))?;
    let staging = Staging::open(&vault, staged_per_camera_max)?;
    Ok((lock, vault, staging))
}
