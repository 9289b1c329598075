//! The clips thread: what a camera sent around a confirmation goes into the vault.
//!
//! In: confirmations that opened a case, of cameras with `[stream] clip_secs`. Out: clips of their cases. Never: a case that
//! waits for its clip, and never a clip instead of a case: what cannot be had is counted and left. What has not come
//! when the service stops is among it, since the streams stop first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ingest::Frame;
use logic::case::ModelRef;
use report::{ClipOf, Reporter};

use crate::arrivals::CameraIndex;
use crate::fleet::Fleet;
use crate::node::CameraEntry;

/// Clips that wait for their last pictures; what comes beyond is missed.
const WAITING_MAX: usize = 64;
/// The last pictures of a clip may be so late.
const LATE: Duration = Duration::from_secs(1);
/// From a frame's arrival to the row of its case on disk, on a bad day: for so long a clip's first pictures are kept.
const DECIDED_WITHIN: Duration = Duration::from_secs(14);

/// How much of a stream must be kept for clips of so many seconds.
pub(crate) fn kept(clip_secs: f64) -> Duration {
    Duration::from_secs_f64(clip_secs) + LATE + DECIDED_WITHIN
}

/// A clip that is to be made.
pub(crate) struct Wish {
    due: Instant,
    camera: CameraIndex,
    /// Of the frame that confirmed.
    pts: Duration,
    half: Duration,
    /// Taken, for now, when that frame was.
    of: ClipOf,
}

impl Wish {
    /// A clip around a frame that has just opened a case; `None` where its camera keeps none.
    pub(crate) fn of(
        case_id: &str,
        camera: CameraIndex,
        frame: &Frame,
        entry: &CameraEntry,
        of: (&logic::look::CameraId, &ModelRef),
    ) -> Option<Self> {
        let clip_secs = entry.camera.stream.clip_secs;
        let half = Duration::from_secs_f64(clip_secs / 2.0);
        let of = ClipOf {
            case_id: case_id.to_owned(),
            camera: of.0.clone(),
            captured_at: frame.at,
            model: of.1.clone(),
            config_sha256: entry.sha256.clone(),
        };
        (clip_secs > 0.0).then(|| Self {
            due: Instant::now() + half + LATE,
            camera,
            pts: frame.pts,
            half,
            of,
        })
    }
}

/// Where wishes go.
pub(crate) struct Clips {
    wishes: SyncSender<Wish>,
    reporter: Arc<Reporter>,
}

impl Clips {
    /// Where wishes go, and who makes them true on a thread of its own.
    pub(crate) fn new(
        reporter: Arc<Reporter>,
        fleet: Arc<Fleet>,
        handle: tokio::runtime::Handle,
    ) -> (Self, Maker) {
        let (wishes, inbox) = sync_channel(WAITING_MAX);
        let maker = Maker { reporter: Arc::clone(&reporter), fleet, handle, inbox };
        (Self { wishes, reporter }, maker)
    }

    /// Takes a wish; never waits.
    pub(crate) fn wish(&self, wish: Wish) {
        if self.wishes.try_send(wish).is_err() {
            self.reporter.miss_clip();
        }
    }
}

/// Makes clips.
pub(crate) struct Maker {
    reporter: Arc<Reporter>,
    fleet: Arc<Fleet>,
    handle: tokio::runtime::Handle,
    inbox: Receiver<Wish>,
}

impl Maker {
    /// Ends when nobody can wish any more.
    pub(crate) fn run(self) {
        // Cameras' clips are of different lengths: the one that is due first is made first.
        let mut waiting: VecDeque<Wish> = VecDeque::new();
        loop {
            let wish = match waiting.front() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(first) => self.inbox.recv_timeout(first.due.saturating_duration_since(Instant::now())),
            };
            match wish {
                Ok(_) if waiting.len() >= WAITING_MAX => self.reporter.miss_clip(),
                Ok(wish) => {
                    let at = waiting.partition_point(|before| before.due <= wish.due);
                    waiting.insert(at, wish);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(wish) = waiting.pop_front() {
                        self.make(wish);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    waiting.iter().for_each(|_| self.reporter.miss_clip());
                    return;
                }
            }
        }
    }

    fn make(&self, wish: Wish) {
        let Wish { camera, pts, half, mut of, .. } = wish;
        let Some(cut) = self.fleet.cut(camera, pts, half) else {
            tracing::warn!(camera = %of.camera, case = of.case_id, "no clip: nothing of that moment is kept any more");
            return self.reporter.miss_clip();
        };
        let first = cut.span().0;
        let ahead_ms = i64::try_from(pts.saturating_sub(first).as_millis()).unwrap_or(0);
        of.captured_at = of.captured_at.plus_millis(-ahead_ms);
        let scratch = self.reporter.clip_scratch();
        if let Err(error) = cut.write(&scratch) {
            let _ = std::fs::remove_file(&scratch);
            tracing::warn!(camera = %of.camera, case = of.case_id, %error, "no clip");
            return self.reporter.miss_clip();
        }
        match self.handle.block_on(self.reporter.keep_clip(&of, &scratch)) {
            Ok(is_kept) => {
                tracing::debug!(camera = %of.camera, case = of.case_id, is_kept, "a clip of its confirmation");
            }
            Err(error) => {
                tracing::warn!(camera = %of.camera, case = of.case_id, %error, "no clip");
            }
        }
    }
}
