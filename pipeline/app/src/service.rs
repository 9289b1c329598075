//! The service: every thread and every channel on one screen.
//!
//! ```text
//! camera threads (GStreamer, one supervisor a camera)
//!    │  frames          Arrivals: one place a camera, newest wins (overwrite, counted)
//!    ▼
//! detect thread         model session; one Watch a camera; pure logic
//!    │  tasks           sync_channel(TASKS_MAX): block. From here on nothing is lost
//!    ▼
//! evidence thread       JPEG, masking, hashes; commit to disk, retried until it holds
//!    │  outbox          SQLite, full sync
//!    ▼
//! tokio threads         poster → desk (embedded or external)
//! ```
//!
//! To stop: cameras first, then each stage drains when the one before it has ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::time::Timestamp;
use ingest::{CameraState, Frame};
use logic::case::ModelRef;
use logic::finding::Event;
use logic::look::{CameraId, Detection, Look};
use logic::watch::{Watch, WatchState};
use models::{Detector, Manifest, Runtime};
use report::{ErrorClass, Job, PostEvents, Provenance, Reporter, Shot};
use tokio::sync::Notify;

use crate::arrivals::Arrivals;
use crate::node::{CameraEntry, Node};
use crate::{platform, source};

/// Tasks between detection and evidence, each holding one decoded frame.
const TASKS_MAX: usize = 16;
/// A watch is written to disk at most so often while nothing was confirmed, milliseconds of frame time.
const SNAPSHOT_MS_MIN: i64 = 4_000;
/// In the place of a frame that cannot be read.
const NO_PICTURE: YuvView<'static> = YuvView {
    width: 0,
    height: 0,
    luma: Plane { data: &[], stride: 0 },
    chroma: Chroma::Nv12 { uv: Plane { data: &[], stride: 0 } },
    matrix: Matrix::Bt601,
    range: Range::Limited,
};
/// How long a stop waits for the desk to take what is committed; the rest is posted after the next start.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// What happened at one look, on its way to disk.
struct Task {
    camera: usize,
    /// The frame and what was seen in it, for events that need a picture.
    shot: Option<(Frame, Arc<Vec<Detection>>)>,
    what: What,
}

enum What {
    Event(Event),
    Snapshot(String),
}

/// One camera as the service runs it.
struct Lane {
    id: CameraId,
    entry: CameraEntry,
    looks: AtomicU64,
    /// Frames that the model had no answer for.
    unseen: AtomicU64,
    findings: AtomicU64,
}

impl Lane {
    fn new(id: CameraId, entry: CameraEntry) -> Self {
        Self { id, entry, looks: AtomicU64::new(0), unseen: AtomicU64::new(0), findings: AtomicU64::new(0) }
    }
}

/// Where a camera stands.
pub(crate) struct CameraReport {
    /// Its id.
    pub id: CameraId,
    /// Where its stream stands.
    pub state: CameraState,
    /// Frames that went through the detector.
    pub looks: u64,
    /// Frames that the model had no answer for.
    pub unseen: u64,
    /// Confirmed findings.
    pub findings: u64,
    /// Frames that a newer one took the place of before the detector came to them.
    pub overwritten: u64,
}

/// A running service.
pub(crate) struct Service {
    cameras: Vec<ingest::Camera>,
    lanes: Arc<Vec<Lane>>,
    arrivals: Arc<Arrivals<Frame>>,
    detect: JoinHandle<()>,
    evidence: JoinHandle<()>,
    platform: platform::Platform,
    stop: Arc<StopBy>,
    ended: Arc<Notify>,
}

impl Service {
    /// Starts everything.
    ///
    /// # Errors
    /// A model, a store, a secret or a port that cannot be had; the caller ends the process then.
    pub(crate) fn start(node: Node, onnxruntime: Option<&Path>) -> Result<Self> {
        ingest::init()?;
        let runtime = Runtime::load(onnxruntime)?;
        let detector = Detector::open(&runtime, Manifest::load(&node.manifest)?, node.model_threads)?;
        let model = ModelRef { name: detector.name().to_owned(), sha256: detector.sha256().to_owned() };
        let platform = platform::Platform::start(&node)?;
        let reporter = platform.reporter();
        let watches = load_watches(&node.cameras, &platform)?;
        tracing::info!(node = node.name, cameras = node.cameras.len(), model = model.name, "starting");

        let sources = node.cameras.iter().map(|(id, entry)| source::config(id, entry));
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let lanes: Arc<Vec<Lane>> =
            Arc::new(node.cameras.into_iter().map(|(id, entry)| Lane::new(id, entry)).collect());
        let arrivals = Arc::new(Arrivals::new(lanes.len()));
        let (tasks, tasks_out) = sync_channel(TASKS_MAX);
        let stop = Arc::new(StopBy::default());
        let ended = Arc::new(Notify::new());

        let detect = Detect { detector, watches, lanes: Arc::clone(&lanes), tasks };
        let (taken, batch_max) = (Arc::clone(&arrivals), node.model_batch_max);
        let detect = spawn("detect", &ended, move || detect.run(&taken, batch_max))?;
        let keeper = Keeper {
            reporter,
            handle: platform.handle(),
            lanes: Arc::clone(&lanes),
            model,
            stop: Arc::clone(&stop),
        };
        let evidence = spawn("evidence", &ended, move || keeper.run(&tasks_out))?;

        let mut cameras = Vec::new();
        for (index, (lane, config)) in lanes.iter().zip(sources).enumerate() {
            let to = Arc::clone(&arrivals);
            // Each change of a stream's state is logged where it arises.
            let camera = ingest::Camera::start(config, move |frame| to.put(index, frame), |_| {});
            cameras.push(camera.with_context(|| format!("camera {}", lane.id))?);
        }
        Ok(Self { cameras, lanes, arrivals, detect, evidence, platform, stop, ended })
    }

    /// Where the desk answers.
    pub(crate) fn desk_url(&self) -> &str {
        self.platform.desk_url()
    }

    /// What leaves the outbox, as it leaves.
    pub(crate) fn posts(&self) -> PostEvents {
        self.platform.reporter().events()
    }

    /// Runs a small task beside the service, until it ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.platform.handle().spawn(task));
    }

    /// Ends when a stage's thread has ended, which before a stop is a bug.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Where each camera stands.
    pub(crate) fn cameras(&self) -> Vec<CameraReport> {
        let lanes = self.lanes.iter().zip(&self.cameras).enumerate();
        lanes
            .map(|(index, (lane, camera))| CameraReport {
                id: lane.id.clone(),
                state: camera.state(),
                looks: lane.looks.load(Ordering::Relaxed),
                unseen: lane.unseen.load(Ordering::Relaxed),
                findings: lane.findings.load(Ordering::Relaxed),
                overwritten: self.arrivals.overwritten(index),
            })
            .collect()
    }

    /// Stops the sources first and drains the rest in order, to disk; the poster and the desk go on.
    pub(crate) fn finish(self) -> (Vec<CameraReport>, platform::Platform) {
        let reports = self.cameras();
        self.stop.begin();
        std::thread::scope(|scope| {
            for camera in self.cameras {
                scope.spawn(move || camera.stop());
            }
        });
        self.arrivals.close();
        // The detect thread drops its sender when it ends, which ends the evidence thread.
        for (name, thread) in [("detect", self.detect), ("evidence", self.evidence)] {
            if thread.join().is_err() {
                tracing::error!(thread = name, "ended by a bug; what it had not committed is lost");
            }
        }
        (reports, self.platform)
    }

    /// Ends everything. What the desk has not taken within [`STOP_DEADLINE`] stays in the outbox for the
    /// next start.
    pub(crate) fn stop(self) {
        self.finish().1.stop(STOP_DEADLINE);
    }
}

/// Starts a stage's thread. Its end, also by a bug, is told to whoever waits in [`Service::ended`].
fn spawn(name: &str, ended: &Arc<Notify>, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    struct Tell(Arc<Notify>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let tell = Tell(Arc::clone(ended));
    let stage = move || {
        let _tell = tell;
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(stage).context("starting a thread")
}

/// When a stop has begun, and for how long a store that refuses may still be asked.
#[derive(Default)]
struct StopBy(OnceLock<Instant>);

impl StopBy {
    fn begin(&self) {
        let _ = self.0.set(Instant::now() + STOP_DEADLINE);
    }

    fn is_past(&self) -> bool {
        self.0.get().is_some_and(|by| Instant::now() > *by)
    }
}

/// Each camera's watch as it was when its state was last kept.
fn load_watches(
    cameras: &BTreeMap<CameraId, CameraEntry>,
    platform: &platform::Platform,
) -> Result<Vec<Watch>> {
    let mut watches = Vec::new();
    for (id, entry) in cameras {
        let kept = platform.load_watch(id)?;
        let state = kept.map(|json| serde_json::from_str::<WatchState>(&json)).transpose();
        let state = state.unwrap_or_else(|error| {
            tracing::warn!(camera = %id, %error, "the kept state of its watch cannot be read; dwells start anew");
            None
        });
        watches.push(Watch::resume(Arc::clone(&entry.camera), state.unwrap_or_default()));
    }
    Ok(watches)
}

/// The detect thread: frames in, tasks out.
struct Detect {
    detector: Detector,
    watches: Vec<Watch>,
    lanes: Arc<Vec<Lane>>,
    tasks: SyncSender<Task>,
}

impl Detect {
    fn run(mut self, arrivals: &Arrivals<Frame>, batch_max: usize) {
        let mut kept_at = vec![Timestamp::default(); self.lanes.len()];
        while let Some(batch) = arrivals.take(batch_max) {
            let (indices, frames): (Vec<usize>, Vec<Frame>) = batch.into_iter().unzip();
            let whole: Vec<usize> = (0..frames.len()).filter(|&i| frames[i].view().is_some()).collect();
            let views: Vec<_> = whole.iter().filter_map(|&i| frames[i].view()).collect();
            if whole.len() < frames.len() {
                tracing::debug!(frames = frames.len() - whole.len(), "frames without a 4:2:0 picture");
            }
            let found = self.detect(&views);
            for (i, detections) in whole.into_iter().zip(found) {
                let Some(detections) = detections else {
                    self.lanes[indices[i]].unseen.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                if self.look(indices[i], &frames[i], detections, &mut kept_at).is_err() {
                    return;
                }
            }
        }
        for camera in 0..self.lanes.len() {
            if self.keep(camera).is_err() {
                return;
            }
        }
    }

    /// What the model sees in each picture. Where it has no answer for the batch, each picture is tried alone:
    /// one camera's odd picture must not cost the others their look.
    fn detect(&mut self, views: &[YuvView<'_>]) -> Vec<Option<Vec<Detection>>> {
        if let Ok(found) = self.detector.detect(views) {
            return found.into_iter().map(Some).collect();
        }
        let alone = views.iter().map(|view| match self.detector.detect(std::slice::from_ref(view)) {
            Ok(mut found) => found.pop(),
            Err(error) => {
                tracing::debug!(%error, "the model has no answer for a picture");
                None
            }
        });
        alone.collect()
    }

    /// One look of one camera. `Err` when the evidence thread is gone.
    fn look(
        &mut self,
        camera: usize,
        frame: &Frame,
        detections: Vec<Detection>,
        kept_at: &mut [Timestamp],
    ) -> Result<(), ()> {
        let lane = &self.lanes[camera];
        lane.looks.fetch_add(1, Ordering::Relaxed);
        let aspect = frame.width() as f32 / frame.height().max(1) as f32;
        let look = Look { at: frame.at, aspect, detections };
        let before = self.watches[camera].state().is_empty();
        let events = self.watches[camera].look(&look);
        let empty = before && self.watches[camera].state().is_empty();
        let detections = Arc::new(look.detections);
        let mut decided = false;
        for event in events {
            decided |= matches!(event, Event::Confirmed(_) | Event::Seen(_) | Event::Gone(_));
            if matches!(event, Event::Confirmed(_)) {
                lane.findings.fetch_add(1, Ordering::Relaxed);
            }
            tracing::debug!(camera = %lane.id, ?event);
            let pictured = !matches!(event, Event::Gone(_) | Event::Dropped(_));
            let shot = pictured.then(|| (frame.clone(), Arc::clone(&detections)));
            self.tasks.send(Task { camera, shot, what: What::Event(event) }).map_err(drop)?;
        }
        // The state follows its events through the same channel, so that on disk it never runs ahead of them.
        if decided || (!empty && look.at.millis_since(kept_at[camera]).abs() >= SNAPSHOT_MS_MIN) {
            kept_at[camera] = look.at;
            self.keep(camera)?;
        }
        Ok(())
    }

    fn keep(&self, camera: usize) -> Result<(), ()> {
        match serde_json::to_string(self.watches[camera].state()) {
            Ok(json) => {
                self.tasks.send(Task { camera, shot: None, what: What::Snapshot(json) }).map_err(drop)
            }
            Err(error) => {
                tracing::error!(camera = %self.lanes[camera].id, %error, "its watch cannot be written");
                Ok(())
            }
        }
    }
}

/// The evidence thread: tasks in, rows on disk out.
struct Keeper {
    reporter: Arc<Reporter>,
    handle: tokio::runtime::Handle,
    lanes: Arc<Vec<Lane>>,
    model: ModelRef,
    stop: Arc<StopBy>,
}

impl Keeper {
    fn run(self, tasks: &Receiver<Task>) {
        // Cameras of which something could not be committed: their state on disk stays as it was before, so
        // that a restart confirms it again.
        let mut behind = vec![false; self.lanes.len()];
        for task in tasks {
            if behind[task.camera] && matches!(task.what, What::Snapshot(_)) {
                continue;
            }
            let prepared = report::prepare(self.job(&task));
            if let Some(fault) = prepared.picture_fault() {
                tracing::warn!(camera = %self.lanes[task.camera].id, %fault, "goes on without its pictures");
            }
            behind[task.camera] |= !self.commit(&self.lanes[task.camera].id, &prepared);
        }
    }

    /// Commits until it holds: nothing after the first finding is given up while the process lives. `false`
    /// where it could not be.
    fn commit(&self, camera: &CameraId, prepared: &report::PreparedJob) -> bool {
        let mut wait = Duration::from_millis(100);
        loop {
            match self.handle.block_on(self.reporter.commit(prepared)) {
                Ok(handled) => {
                    tracing::debug!(%camera, ?handled, "committed");
                    return true;
                }
                Err(error) if error.class() == ErrorClass::Retry && !self.stop.is_past() => {
                    tracing::error!(%camera, %error, wait_ms = wait.as_millis() as u64, "not committed; trying again");
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(error) => {
                    tracing::error!(%camera, %error, "cannot be committed; a restart goes on from before it");
                    return false;
                }
            }
        }
    }

    fn job<'t>(&self, task: &'t Task) -> Job<'t> {
        let lane = &self.lanes[task.camera];
        let camera = lane.id.clone();
        let event = match &task.what {
            What::Snapshot(json) => return Job::Snapshot { camera, json: json.clone() },
            What::Event(event) => event,
        };
        let sight = event.sight();
        let spot = sight.spot;
        // A finding goes on without its pictures where the frame gives none: `prepare` says so.
        let shot = || {
            let (frame, detections) = match &task.shot {
                Some((frame, detections)) => (frame.view(), detections.as_slice()),
                None => (None, [].as_slice()),
            };
            Shot { view: frame.unwrap_or(NO_PICTURE), at: sight.at, detections }
        };
        let finding = || crate::place::place(&lane.id, &lane.entry.camera, &lane.entry.grids, sight);
        match event {
            Event::Appeared(_) => Job::Appeared { camera, spot, shot: shot() },
            Event::Confirmed(_) => Job::Confirmed {
                finding: finding(),
                shot: shot(),
                provenance: self.provenance(lane, &sight.zone),
            },
            Event::Seen(_) => {
                Job::Seen { finding: finding(), shot: shot(), provenance: self.provenance(lane, &sight.zone) }
            }
            Event::Gone(_) => Job::Gone { camera, spot },
            Event::Dropped(_) => Job::Dropped { camera, spot },
        }
    }

    fn provenance(&self, lane: &Lane, zone: &str) -> Provenance {
        let camera = &lane.entry.camera;
        let zone = camera.zones.iter().find(|z| z.id == zone);
        Provenance {
            model: self.model.clone(),
            config_sha256: lane.entry.sha256.clone(),
            utc_offset_minutes: camera.utc_offset_minutes,
            zone_polygon_in_image: zone
                .map(|zone| zone.outline_in_image(camera.ground.as_ref()))
                .unwrap_or_default(),
        }
    }
}
