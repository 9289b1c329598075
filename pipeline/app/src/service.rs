//! The service: every thread and every channel on one screen.
//!
//! ```text
//! receive threads       ingest: sockets of hundreds of cameras each; what GStreamer receives has threads of its own
//!    │  key frames      ingest's Pool: one place a camera, newest wins (overwrite, counted)
//! decode threads        ingest: decoders that all cameras share
//!    │  frames          Arrivals: one place a camera, newest wins (overwrite, counted); decoders wait for the detector
//!    ▼
//! detect thread         Eyes; one Lookout (scene, watch) a camera; pure logic. Prepares the next batch and decides the
//!    │    ⇅              one before while the line thread looks at one; between two: another detector, where there is one
//!    │  line thread      models: the session; two inputs in circulation
//!    │  tasks           sync_channel(TASKS_MAX): block. From here on nothing is lost
//!    ▼
//! evidence thread       JPEG, masking, hashes; commit to disk, retried until it holds
//!    │  wishes          sync_channel: missed and counted where it is full, for a case never waits for its clip
//!    │  clips thread    what the camera sent around the confirmation, into the vault
//!    │  outbox          SQLite, full sync
//!    ▼
//! tokio threads         poster → desk (embedded or external)
//!
//! model thread          the model's files; opens what they have become and leaves it in Swap
//! files thread          the node's and cameras' files; tells the Fleet what joins, changes, leaves
//! ```
//!
//! To stop: the watch over files and the cameras first, then each stage drains when the one before it has ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::time::Timestamp;
use ingest::Frame;
use logic::case::ModelRef;
use logic::finding::Event;
use logic::look::{CameraId, Detection};
use logic::scene::{Thumb, ViewFault};
use models::{Classifier, Runtime};
use report::{Committed, ErrorClass, Handled, Job, PostEvents, Provenance, Reporter, Shot};
use tokio::sync::Notify;

use crate::arrivals::CameraIndex;
use crate::clips::{Clips, Wish};
use crate::eyes::{Begun, Eyes};
use crate::fleet::{CameraReport, Fleet, Lane, News};
use crate::holding::Holding;
use crate::masking::Masking;
use crate::node::{CameraEntry, Node};
use crate::platform;
use crate::pulse::{Pulse, Pulses};
use crate::reload::{Applied, Reload};
use crate::sight::{Glance, Looked, Lookout};
use crate::swap::{ModelReport, Swap, Watcher};

/// Tasks between detection and evidence, each holding one decoded frame.
const TASKS_MAX: usize = 16;
/// A watch is written to disk at most so often while nothing was confirmed, milliseconds of frame time.
const SNAPSHOT_MS_MIN: i64 = 4_000;
/// A scene is written at most so often: it is large, and what it learns in a quarter of an hour it can learn again.
const SCENE_MS_MIN: i64 = 900_000;
/// From camera to camera, so that they do not all write theirs at once: whole seconds, and 900 cameras before two
/// meet.
const SCENE_APART_MS: i64 = 37_000;
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
    camera: CameraIndex,
    /// The camera's file as it was then.
    entry: Arc<CameraEntry>,
    /// The frame and what was seen in it, for events that need a picture.
    shot: Option<(Frame, Arc<Vec<Detection>>)>,
    /// What saw it.
    model: Arc<ModelRef>,
    what: What,
}

enum What {
    Event(Event),
    Snapshot(String),
    Scene(String),
}

/// A running service.
pub(crate) struct Service {
    fleet: Arc<Fleet>,
    detect: JoinHandle<()>,
    evidence: JoinHandle<()>,
    clips: JoinHandle<()>,
    model: JoinHandle<()>,
    /// Asks the model thread for a look at once; dropping it ends that thread.
    look_at_model: SyncSender<()>,
    swap: Arc<Swap>,
    files: JoinHandle<()>,
    /// As `look_at_model`, for the thread that watches the node's files.
    look_at_files: SyncSender<()>,
    applied: Arc<Applied>,
    holding: Arc<Holding>,
    platform: platform::Platform,
    stop: Arc<StopBy>,
    ended: Arc<Notify>,
    pulses: Pulses,
}

impl Service {
    /// Starts everything.
    ///
    /// # Errors
    /// A model, a store, a secret or a port that cannot be had; the caller ends the process then.
    pub(crate) fn start(node: Node, onnxruntime: Option<&Path>) -> Result<Self> {
        ingest::init()?;
        ingest::set_decoders(node.decoders);
        let runtime = Runtime::load(onnxruntime)?;
        let open = |second: &PathBuf| Classifier::open(&runtime, second, node.model_threads);
        let second = node.second.as_ref().map(open).transpose()?;
        let masking = node.masking.as_ref().map(|manifest| Masking::open(&runtime, manifest)).transpose()?;
        let (watcher, line) =
            Watcher::open(runtime, &node.manifest, (node.model_threads, node.model_batch_max))?;
        let platform = platform::Platform::start(&node)?;
        let reporter = platform.reporter();
        tracing::info!(node = node.name, cameras = node.cameras.len(), model = line.manifest().name(), provider = %line.provider(), "starting");
        if let Some(second) = &second {
            tracing::info!(model = second.name(), sha256 = second.sha256(), "judges what the model sees");
        }
        if let Some(masking) = &masking {
            let detector = masking.detector();
            tracing::info!(model = detector.name(), sha256 = detector.sha256(), "finds what evidence hides");
        }

        let fleet = Fleet::new();
        let (tasks, tasks_out) = sync_channel(TASKS_MAX);
        let stop = Arc::new(StopBy::default());
        let ended = Arc::new(Notify::new());
        let swap = watcher.swap();
        let pulses = Pulses::new();
        let detect = Detect {
            eyes: Eyes::new(line, second),
            swap: Arc::clone(&swap),
            seats: Vec::new(),
            fleet: Arc::clone(&fleet),
            tasks,
            pulse: Arc::clone(&pulses.detect),
        };
        let batch_max = node.model_batch_max;
        let detect = spawn("detect", &ended, move || detect.run(batch_max))?;
        let holding = Arc::new(Holding::default());
        let (clips, maker) = Clips::new(Arc::clone(&reporter), Arc::clone(&fleet), platform.handle());
        let clips_thread = spawn("clips", &ended, move || maker.run())?;
        let keeper = Keeper {
            reporter,
            masking,
            masked: None,
            clips,
            holding: Arc::clone(&holding),
            handle: platform.handle(),
            fleet: Arc::clone(&fleet),
            stop: Arc::clone(&stop),
            pulse: Arc::clone(&pulses.evidence),
        };
        let evidence = spawn("evidence", &ended, move || keeper.run(&tasks_out))?;
        let (look_at_model, asked) = sync_channel(1);
        let pulse = Arc::clone(&pulses.model);
        let model = spawn("model", &ended, move || watcher.run(&asked, &pulse))?;

        let memory = platform.memory();
        for (id, entry) in &node.cameras {
            fleet.join(id, Arc::new(entry.clone()), memory.of(id)?)?;
        }
        let reload = Reload::new(node, Arc::clone(&fleet), memory);
        let applied = reload.applied();
        let (look_at_files, asked) = sync_channel(1);
        let pulse = Arc::clone(&pulses.files);
        let files = spawn("files", &ended, move || reload.run(&asked, &pulse))?;
        Ok(Self {
            fleet,
            detect,
            evidence,
            clips: clips_thread,
            model,
            look_at_model,
            swap,
            files,
            look_at_files,
            applied,
            holding,
            platform,
            stop,
            ended,
            pulses,
        })
    }

    /// Where the desk answers.
    pub(crate) fn desk_url(&self) -> &str {
        self.platform.desk_url()
    }

    /// The asynchronous half: what only the embedded desk knows.
    pub(crate) fn platform(&self) -> &platform::Platform {
        &self.platform
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

    /// Whether its stages get on.
    pub(crate) fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Which model looks, and what became of the latest one that should have.
    pub(crate) fn model(&self) -> ModelReport {
        self.swap.report()
    }

    /// What became of the latest edits of the node's files.
    pub(crate) fn applied(&self) -> Arc<Applied> {
        Arc::clone(&self.applied)
    }

    /// Whether what was found reaches the disk.
    pub(crate) fn holding(&self) -> Arc<Holding> {
        Arc::clone(&self.holding)
    }

    /// Looks at the model's files and at those of the node as they are now, and takes up what has changed.
    pub(crate) fn reload(&self) {
        for (what, ask) in [("the model", &self.look_at_model), ("the node's files", &self.look_at_files)] {
            match ask.try_send(()) {
                // Full: a look is about to begin.
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => tracing::error!(what, "is not watched any more"),
            }
        }
    }

    /// Where each camera stands.
    pub(crate) fn cameras(&self) -> Vec<CameraReport> {
        self.fleet.reports()
    }

    /// The cameras, for whoever tells of them beside the service.
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet)
    }

    /// The model, for whoever tells of it beside the service.
    pub(crate) fn swap(&self) -> Arc<Swap> {
        Arc::clone(&self.swap)
    }

    /// Stops the sources first and drains the rest in order, to disk; the poster and the desk go on.
    pub(crate) fn finish(self) -> (Vec<CameraReport>, platform::Platform) {
        let reports = self.cameras();
        // Before the cameras, so that none joins behind their back.
        drop(self.look_at_files);
        join("files", self.files);
        self.stop.begin();
        self.fleet.stop();
        drop(self.look_at_model);
        // The detect thread drops its sender when it ends, which ends the evidence thread, and so that of the clips.
        for (name, thread) in [
            ("detect", self.detect),
            ("evidence", self.evidence),
            ("clips", self.clips),
            ("model", self.model),
        ] {
            join(name, thread);
        }
        (reports, self.platform)
    }

    /// Ends everything. What the desk has not taken within [`STOP_DEADLINE`] stays in the outbox for the
    /// next start.
    pub(crate) fn stop(self) {
        self.finish().1.stop(STOP_DEADLINE);
    }
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "ended by a bug; what it had not committed is lost");
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

/// One camera at the detect thread.
struct Seat {
    lane: Arc<Lane>,
    entry: Arc<CameraEntry>,
    lookout: Lookout,
    /// Frame time at which the watch's state was last handed on.
    kept_at: Timestamp,
    /// The same of the scene's; `None` before its first look.
    scene_kept_at: Option<Timestamp>,
    /// `false` once it has left. Its lookout stays: what is on disk may be behind it when it comes back.
    here: bool,
}

impl Seat {
    /// Tells that its view has become faulty, or clear again.
    fn turn(&self, fault: Option<ViewFault>) {
        self.lane.turn(fault);
        let camera = &self.lane.id;
        match fault {
            Some(fault) => tracing::warn!(%camera, ?fault, "its view cannot be judged; its rules wait"),
            None => tracing::info!(%camera, "its view is clear again"),
        }
    }
}

/// What the model sees in a picture.
enum Seen {
    Now(Vec<Detection>),
    /// What it saw before still stands.
    Before(Vec<Detection>),
    /// It has no answer.
    Nothing,
}

/// How much sooner than the rest a camera writes its first scene.
fn scene_ahead_ms(camera: CameraIndex) -> i64 {
    (camera as i64).wrapping_mul(SCENE_APART_MS).rem_euclid(SCENE_MS_MIN)
}

/// Frames that the model looks at, or of which it is known what it would say.
struct Flight {
    batch: Vec<(CameraIndex, Frame)>,
    /// One a frame.
    glances: Vec<Glance>,
    /// The looks of those for which nothing stands.
    begun: Option<Begun>,
}

impl Flight {
    /// The pictures at which the model looks.
    fn asked(&self) -> Vec<(CameraIndex, YuvView<'_>)> {
        let both = self.batch.iter().zip(&self.glances).filter(|(_, glance)| glance.standing.is_none());
        both.filter_map(|((camera, frame), _)| Some((*camera, frame.view()?))).collect()
    }
}

/// The detect thread: frames in, tasks out.
struct Detect {
    eyes: Eyes,
    swap: Arc<Swap>,
    /// By the camera's number; `None` before the first news of it.
    seats: Vec<Option<Seat>>,
    fleet: Arc<Fleet>,
    tasks: SyncSender<Task>,
    pulse: Arc<Pulse>,
}

impl Detect {
    /// Until there are no more frames. While the model looks at one batch, the next is prepared and the one before decided.
    fn run(mut self, batch_max: usize) {
        // An end by `Err` is one without the evidence thread: there is nobody left to keep anything.
        if self.work(batch_max).is_err() {
            return;
        }
        let _ = self.hear();
        for camera in 0..self.seats.len() {
            if self.keep(camera).is_err() || self.keep_scene(camera).is_err() {
                return;
            }
        }
    }

    fn work(&mut self, batch_max: usize) -> Result<(), ()> {
        let fleet = Arc::clone(&self.fleet);
        let mut flight: Option<Flight> = None;
        loop {
            let batch = if flight.is_some() {
                fleet.arrivals().take_waiting(batch_max)
            } else {
                self.pulse.rest();
                let Some(batch) = fleet.arrivals().take(batch_max) else { return Ok(()) };
                self.pulse.work();
                batch
            };
            let line = if batch.is_empty() { None } else { self.swap.take() };
            // What was begun is answered by the model and decided by the files with which it was.
            if (line.is_some() || fleet.has_news())
                && let Some(mut flight) = flight.take()
            {
                let found = self.land(&mut flight);
                self.decide(flight, found)?;
            }
            if let Some(line) = line {
                self.eyes.exchange(line);
            }
            let next = self.start(batch, flight.as_ref())?;
            let Some(mut before) = flight.take() else {
                flight = next;
                continue;
            };
            let found = self.land(&mut before);
            self.pulse.work();
            let waiting = match next {
                Some(_) => Vec::new(),
                None => fleet.arrivals().take_waiting(batch_max),
            };
            // The model is not kept waiting for what is decided, unless a file has changed.
            if waiting.is_empty() {
                flight = next;
                self.decide(before, found)?;
            } else if !fleet.has_news() {
                flight = self.start(waiting, Some(&before))?;
                self.decide(before, found)?;
            } else {
                self.decide(before, found)?;
                flight = self.start(waiting, None)?;
            }
        }
    }

    /// Has the model look at a batch, `None` of an empty one. `before` is what is not decided yet: nothing stands of its
    /// cameras.
    fn start(
        &mut self,
        mut batch: Vec<(CameraIndex, Frame)>,
        before: Option<&Flight>,
    ) -> Result<Option<Flight>, ()> {
        if batch.is_empty() {
            return Ok(None);
        }
        // After the frames were taken: a camera's first frame comes after the news of it. What is not decided yet is decided by
        // the files with which it was begun.
        if before.is_none() {
            self.hear()?;
        }
        let taken = batch.len();
        batch.retain(|(camera, _)| self.is_here(*camera));
        let here = batch.len();
        batch.retain(|(_, frame)| frame.view().is_some());
        if batch.len() < here {
            tracing::debug!(frames = here - batch.len(), of = taken, "frames without a 4:2:0 picture");
        }
        let model = self.eyes.model();
        let is_before =
            |camera| before.is_some_and(|before| before.batch.iter().any(|(of, _)| *of == camera));
        let glance = |(camera, frame): &(CameraIndex, Frame)| {
            let view = frame.view()?;
            let seat = self.seats.get(*camera).and_then(Option::as_ref).filter(|_| !is_before(*camera));
            Some(match seat {
                Some(seat) => seat.lookout.glance(frame.at, &view, model),
                None => Glance { thumb: Arc::new(Thumb::from_view(&view)), standing: None },
            })
        };
        let glances: Vec<Glance> = batch.iter().filter_map(glance).collect();
        let mut flight = Flight { batch, glances, begun: None };
        let asked = flight.asked();
        let begun = (!asked.is_empty()).then(|| self.eyes.begin(&asked));
        flight.begun = begun;
        Ok(Some(flight))
    }

    /// Waits for what the model sees in a batch.
    fn land(&mut self, flight: &mut Flight) -> Vec<Option<Vec<Detection>>> {
        let begun = flight.begun.take();
        begun.map(|begun| self.eyes.finish(begun, &flight.asked())).unwrap_or_default()
    }

    /// What follows from a batch. `Err` when the evidence thread is gone.
    fn decide(&mut self, flight: Flight, found: Vec<Option<Vec<Detection>>>) -> Result<(), ()> {
        let mut found = found.into_iter();
        for ((camera, frame), Glance { thumb, standing }) in flight.batch.iter().zip(flight.glances) {
            let seen = match standing {
                Some(detections) => Seen::Before(detections),
                None => found.next().flatten().map_or(Seen::Nothing, Seen::Now),
            };
            if let Some(view) = frame.view() {
                self.look(*camera, (frame, &view), &thumb, seen)?;
            }
        }
        Ok(())
    }

    fn is_here(&self, camera: CameraIndex) -> bool {
        self.seats.get(camera).and_then(Option::as_ref).is_some_and(|seat| seat.here)
    }

    /// Takes up what has changed since the last batch. `Err` when the evidence thread is gone.
    fn hear(&mut self) -> Result<(), ()> {
        for (camera, news) in self.fleet.news() {
            if self.seats.len() <= camera {
                self.seats.resize_with(camera + 1, || None);
            }
            let before = self.seats[camera].as_ref();
            let accepts = match (&news, before) {
                (News::Changed(now), Some(seat)) => seat.lookout.is_accepted_by(&seat.entry, now),
                _ => false,
            };
            let own = before.map(|seat| seat.lookout.remembered());
            let (entry, remembered) = match news {
                News::Joined(entry, remembered) => (entry, own.unwrap_or(*remembered)),
                News::Changed(entry) => (entry, own.unwrap_or_default()),
                News::Left => {
                    self.keep(camera)?;
                    self.keep_scene(camera)?;
                    if let Some(seat) = &mut self.seats[camera] {
                        seat.here = false;
                    }
                    continue;
                }
            };
            let lane = self.fleet.lane(camera);
            self.eyes.know(camera, &lane.id, &entry.camera);
            let mut lookout = Lookout::resume(&entry, remembered);
            if accepts && lookout.accept() {
                tracing::warn!(camera = %lane.id, "its view as it is now is taken for its reference");
            }
            // A fault that still is there is told again by its first look.
            lane.turn(None);
            let (kept_at, scene_kept_at) = (Timestamp::default(), None);
            self.seats[camera] = Some(Seat { lane, entry, lookout, kept_at, scene_kept_at, here: true });
        }
        Ok(())
    }

    /// One look of one camera. `Err` when the evidence thread is gone.
    fn look(
        &mut self,
        camera: CameraIndex,
        (frame, view): (&Frame, &YuvView<'_>),
        thumb: &Arc<Thumb>,
        seen: Seen,
    ) -> Result<(), ()> {
        let Some(seat) = self.seats[camera].as_mut() else {
            return Ok(());
        };
        let (detections, is_standing) = match seen {
            Seen::Now(detections) => {
                seat.lookout.saw(frame.at, thumb, self.eyes.model(), &detections);
                (detections, false)
            }
            Seen::Before(detections) => {
                seat.lane.standing.fetch_add(1, Ordering::Relaxed);
                (detections, true)
            }
            Seen::Nothing => {
                seat.lane.unseen.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        };
        seat.lane.looks.fetch_add(1, Ordering::Relaxed);
        let before = seat.lookout.watch().is_empty();
        // The rules leave faint boxes out; a mask does not.
        let all = detections.clone();
        let Looked { look, events, turned, left_out, is_changed } =
            seat.lookout.look_on(frame.at, view, Arc::clone(thumb), detections, self.eyes.sure());
        if let Some(fault) = turned {
            seat.turn(fault);
        }
        seat.lane.leave_out(left_out);
        self.fleet.decisions().end(frame.received);
        seat.lane.looked(frame.received, is_changed, seat.lookout.needs_looks());
        let empty = before && seat.lookout.watch().is_empty();
        let decided =
            events.iter().any(|e| matches!(e, Event::Confirmed(_) | Event::Seen(_) | Event::Gone(_)));
        let confirmed = events.iter().filter(|event| matches!(event, Event::Confirmed(_))).count();
        seat.lane.findings.fetch_add(confirmed as u64, Ordering::Relaxed);
        // The state follows its events through the same channel, so that on disk it never runs ahead of them.
        let due = !empty && look.at.millis_since(seat.kept_at).abs() >= SNAPSHOT_MS_MIN;
        if decided || due {
            seat.kept_at = look.at;
        }
        let scene_kept_at =
            *seat.scene_kept_at.get_or_insert_with(|| look.at.plus_millis(-scene_ahead_ms(camera)));
        let scene_due = look.at.millis_since(scene_kept_at).abs() >= SCENE_MS_MIN;
        if scene_due {
            seat.scene_kept_at = Some(look.at);
        }
        // A picture that leaves is masked by what is on it now; without an answer of the model it does not leave.
        let is_pictured = |event: &Event| !matches!(event, Event::Gone(_) | Event::Dropped(_));
        let detections = if is_standing && events.iter().any(is_pictured) {
            self.eyes.see(&[(camera, *view)]).pop().flatten().map(Arc::new)
        } else {
            Some(Arc::new(all))
        };
        let seat = self.seats[camera].as_ref();
        for event in events {
            tracing::debug!(camera = seat.map(|seat| seat.lane.id.as_str()), ?event);
            let masked = detections.as_ref().filter(|_| is_pictured(&event));
            let shot = masked.map(|detections| (frame.clone(), Arc::clone(detections)));
            self.send(camera, shot, What::Event(event))?;
        }
        if decided || due {
            self.keep(camera)?;
        }
        if scene_due { self.keep_scene(camera) } else { Ok(()) }
    }

    fn send(
        &self,
        camera: CameraIndex,
        shot: Option<(Frame, Arc<Vec<Detection>>)>,
        what: What,
    ) -> Result<(), ()> {
        let Some(seat) = &self.seats[camera] else {
            return Ok(());
        };
        let (entry, model) = (Arc::clone(&seat.entry), Arc::clone(self.eyes.model()));
        // The evidence thread may keep it waiting for as long as the disk refuses.
        self.pulse.rest();
        let sent = self.tasks.send(Task { camera, entry, shot, model, what }).map_err(drop);
        self.pulse.work();
        sent
    }

    fn keep(&self, camera: CameraIndex) -> Result<(), ()> {
        self.keep_state(camera, |seat| serde_json::to_string(seat.lookout.watch()).map(What::Snapshot))
    }

    fn keep_scene(&self, camera: CameraIndex) -> Result<(), ()> {
        self.keep_state(camera, |seat| serde_json::to_string(seat.lookout.scene()).map(What::Scene))
    }

    fn keep_state(
        &self,
        camera: CameraIndex,
        state: impl FnOnce(&Seat) -> serde_json::Result<What>,
    ) -> Result<(), ()> {
        let Some(seat) = &self.seats[camera] else {
            return Ok(());
        };
        match state(seat) {
            Ok(what) => self.send(camera, None, what),
            Err(error) => {
                tracing::error!(camera = %seat.lane.id, %error, "its state cannot be written");
                Ok(())
            }
        }
    }
}

/// What the detector saw in a picture, and with it what the masking model found there; `None` without its answer.
type Masked = (Arc<Vec<Detection>>, Option<Arc<[Detection]>>);

/// The evidence thread: tasks in, rows on disk out.
struct Keeper {
    reporter: Arc<Reporter>,
    masking: Option<Masking>,
    /// What is to be masked in the latest picture, by what the detector saw in it: several events may show the same.
    masked: Option<Masked>,
    clips: Clips,
    holding: Arc<Holding>,
    handle: tokio::runtime::Handle,
    fleet: Arc<Fleet>,
    stop: Arc<StopBy>,
    pulse: Arc<Pulse>,
}

impl Keeper {
    fn run(mut self, tasks: &Receiver<Task>) {
        // Cameras of which something could not be committed: their state on disk stays as it was before, so
        // that a restart confirms it again.
        let mut behind = BTreeSet::new();
        while let Some(task) = self.next(tasks) {
            if behind.contains(&task.camera) && matches!(task.what, What::Snapshot(_)) {
                continue;
            }
            let lane = self.fleet.lane(task.camera);
            let id = &lane.id;
            let seen = self.seen(id, &task);
            let prepared = report::prepare(job(id, &task, seen.as_deref()));
            if let Some(fault) = prepared.picture_fault() {
                tracing::warn!(camera = %id, %fault, "goes on without its pictures");
            }
            let handled = self.commit(id, &prepared);
            if handled.is_none() && !matches!(task.what, What::Scene(_)) {
                behind.insert(task.camera);
            }
            let (Some(handled), Some((frame, _))) = (handled, &task.shot) else { continue };
            if matches!(task.what, What::Event(Event::Confirmed(_))) {
                self.fleet.cases().end(frame.received);
            }
            if let Handled::Committed(Committed::Opened(case_id)) = handled {
                let wish = Wish::of(&case_id, task.camera, frame, &task.entry, (id, &task.model));
                wish.into_iter().for_each(|wish| self.clips.wish(wish));
            }
        }
    }

    /// What is to be masked in the task's picture. `None` where the masking model had no answer: nothing of it leaves.
    fn seen(&mut self, camera: &CameraId, task: &Task) -> Option<Arc<[Detection]>> {
        let Some((frame, seen)) = &task.shot else { return Some(Arc::from([])) };
        let (Some(masking), Some(view)) = (&mut self.masking, frame.view()) else {
            return Some(Arc::from(seen.as_slice()));
        };
        if let Some((of, masked)) = &self.masked
            && Arc::ptr_eq(of, seen)
        {
            return masked.clone();
        }
        self.pulse.work();
        let masked = match masking.find(&view) {
            Ok(found) => Some(seen.iter().copied().chain(found).collect()),
            Err(error) => {
                tracing::warn!(%camera, %error, "the masking model has no answer for a picture");
                None
            }
        };
        self.masked = Some((Arc::clone(seen), masked.clone()));
        masked
    }

    fn next(&self, tasks: &Receiver<Task>) -> Option<Task> {
        self.pulse.rest();
        let task = tasks.recv().ok();
        self.pulse.work();
        task
    }

    /// Commits until it holds: nothing after the first finding is given up while the process lives. `None` where it
    /// could not be.
    fn commit(&self, camera: &CameraId, prepared: &report::PreparedJob) -> Option<Handled> {
        let mut wait = Duration::from_millis(100);
        loop {
            self.pulse.work();
            match self.handle.block_on(self.reporter.commit(prepared)) {
                Ok(handled) => {
                    tracing::debug!(%camera, ?handled, "committed");
                    self.holding.hold();
                    return Some(handled);
                }
                Err(error) if error.class() == ErrorClass::Retry && !self.stop.is_past() => {
                    self.holding.refuse(&error.to_string());
                    tracing::error!(%camera, %error, wait_ms = wait.as_millis() as u64, "not committed; trying again");
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(error) => {
                    tracing::error!(%camera, %error, "cannot be committed; a restart goes on from before it");
                    return None;
                }
            }
        }
    }
}

fn job<'t>(id: &CameraId, task: &'t Task, seen: Option<&'t [Detection]>) -> Job<'t> {
    let camera = id.clone();
    let event = match &task.what {
        What::Snapshot(json) => return Job::Snapshot { camera, json: json.clone() },
        What::Scene(json) => return Job::Scene { camera, json: json.clone() },
        What::Event(event) => event,
    };
    let sight = event.sight();
    let spot = sight.spot;
    // A finding goes on without its pictures where the frame gives none: `prepare` says so.
    let shot = || {
        let frame = task.shot.as_ref().and_then(|(frame, _)| frame.view());
        Shot { view: frame.unwrap_or(NO_PICTURE), at: sight.at, detections: seen }
    };
    let finding = || crate::place::place(id, &task.entry.camera, &task.entry.grids, sight);
    let provenance = || provenance(&task.entry, &task.model, &sight.zone);
    match event {
        Event::Appeared(_) => Job::Appeared { camera, spot, shot: shot() },
        Event::Confirmed(_) => Job::Confirmed { finding: finding(), shot: shot(), provenance: provenance() },
        Event::Seen(_) => Job::Seen { finding: finding(), shot: shot(), provenance: provenance() },
        Event::Gone(_) => Job::Gone { camera, spot },
        Event::Dropped(_) => Job::Dropped { camera, spot },
    }
}

fn provenance(entry: &CameraEntry, model: &ModelRef, zone: &str) -> Provenance {
    let camera = &entry.camera;
    let zone = camera.zones.iter().find(|z| z.id == zone);
    Provenance {
        model: model.clone(),
        config_sha256: entry.sha256.clone(),
        utc_offset_minutes: camera.utc_offset_minutes,
        zone_polygon_in_image: zone
            .map(|zone| zone.outline_in_image(camera.view(zone.preset)))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
