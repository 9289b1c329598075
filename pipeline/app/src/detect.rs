//! The detect thread: what the model and the rules make of the pictures that have arrived.
//!
//! In: frames, longest waiting first; news of files; another detector, where there is one. Out: tasks for the evidence
//! thread, in the order of each camera's looks. Never: a write; a camera's boxes in another camera's look.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use calib::picture::YuvView;
use calib::time::Timestamp;
use ingest::Frame;
use logic::case::ModelRef;
use logic::finding::Event;
use logic::look::Detection;
use logic::scene::{Thumb, ViewFault};

use crate::arrivals::CameraIndex;
use crate::eyes::{Begun, Eyes};
use crate::fleet::{Fleet, Lane, News};
use crate::node::CameraEntry;
use crate::pulse::Pulse;
use crate::sight::{Glance, Looked, Lookout};
use crate::swap::Swap;

/// A watch is written to disk at most so often while nothing was confirmed, milliseconds of frame time.
const SNAPSHOT_MS_MIN: i64 = 4_000;
/// A scene is written at most so often: it is large, and what it learns in a quarter of an hour it can learn again.
const SCENE_MS_MIN: i64 = 900_000;
/// From camera to camera, so that they do not all write theirs at once: whole seconds, and 900 cameras before two
/// meet.
const SCENE_APART_MS: i64 = 37_000;

/// What happened at one look, on its way to disk.
pub(crate) struct Task {
    pub camera: CameraIndex,
    /// The camera's file as it was then.
    pub entry: Arc<CameraEntry>,
    /// The frame and what was seen in it, for events that need a picture.
    pub shot: Option<(Frame, Arc<Vec<Detection>>)>,
    /// What saw it.
    pub model: Arc<ModelRef>,
    pub what: What,
}

/// What a task is about.
pub(crate) enum What {
    Event(Event),
    Snapshot(String),
    Scene(String),
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
pub(crate) struct Detect {
    eyes: Eyes,
    swap: Arc<Swap>,
    /// By the camera's number; `None` before the first news of it.
    seats: Vec<Option<Seat>>,
    fleet: Arc<Fleet>,
    tasks: SyncSender<Task>,
    pulse: Arc<Pulse>,
}

impl Detect {
    /// Over a fleet's frames; what has happened goes to `tasks`.
    pub(crate) fn new(
        eyes: Eyes,
        swap: Arc<Swap>,
        fleet: Arc<Fleet>,
        tasks: SyncSender<Task>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self { eyes, swap, seats: Vec::new(), fleet, tasks, pulse }
    }

    /// Until there are no more frames. While the model looks at one batch, the next is prepared and the one before decided.
    pub(crate) fn run(mut self, batch_max: usize) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_scenes_of_a_county_are_written_at_different_times() {
        let mut a_minute: BTreeMap<i64, usize> = BTreeMap::new();
        for camera in 0..232 {
            *a_minute.entry(scene_ahead_ms(camera) / 60_000).or_default() += 1;
        }
        assert_eq!(a_minute.len(), 15);
        assert!(a_minute.values().all(|cameras| *cameras <= 18), "{a_minute:?}");
    }
}
