//! The cameras of a running service: each has a place whose number never means another camera.
//!
//! In: checked camera files, at the start and whenever one changes, joins or leaves. Out: frames, each under
//! its camera's number; news for the detect thread; where each camera stands. Never: a stream that is
//! interrupted because another camera's file changed, or its own in what does not concern the stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use calib::time::Timestamp;
use ingest::{CameraState, Counters, Frame, KeyUnit, SourceConfig};
use logic::look::CameraId;
use logic::quiet::{Motion, Quiet};
use logic::scene::ViewFault;

use crate::arrivals::{Arrivals, CameraIndex};
use crate::node::CameraEntry;
use crate::sight::{LeftOut, Remembered, floor_ms};
use crate::source;
use crate::waits::Waits;

/// One camera's counters.
pub(crate) struct Lane {
    /// Its id.
    pub id: CameraId,
    /// Frames that were looked at.
    pub looks: AtomicU64,
    /// Of these, those on which what the model saw before still stood.
    pub standing: AtomicU64,
    /// Frames that the model had no answer for.
    pub unseen: AtomicU64,
    /// Confirmed findings.
    pub findings: AtomicU64,
    /// Things not watched because the table of spots was full.
    pub refused: AtomicU64,
    /// Findings not told because their rule had told as many as it may on that day.
    pub capped: AtomicU64,
    /// Whether its street is quiet. Held by the stream at a key frame and by the detector after a look, never long.
    quiet: Mutex<Quiet>,
    /// What is wrong with its view, as [`ViewFault::NAMES`] counts from 1; 0 where it is clear.
    fault: AtomicUsize,
}

impl Lane {
    fn new(id: CameraId) -> Self {
        Self {
            id,
            looks: AtomicU64::new(0),
            standing: AtomicU64::new(0),
            unseen: AtomicU64::new(0),
            findings: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            capped: AtomicU64::new(0),
            quiet: Mutex::new(Quiet::new(0)),
            fault: AtomicUsize::new(0),
        }
    }

    /// Counts what a look left out.
    pub(crate) fn leave_out(&self, left_out: LeftOut) {
        self.refused.fetch_add(left_out.refused, Ordering::Relaxed);
        self.capped.fetch_add(left_out.capped, Ordering::Relaxed);
    }

    /// Begins anew to learn when its street is quiet, with what its file says now.
    fn watch_quiet(&self, camera: CameraIndex, entry: &CameraEntry) {
        *lock(&self.quiet) = Quiet::new(apart(floor_ms(&entry.camera), camera));
    }

    /// Whether a key frame may pass undecoded.
    fn may_pass(&self, key: &KeyUnit) -> bool {
        let motion = Motion { at: key.received, mean_bytes: key.mean_bytes, peak_bytes: key.peak_bytes };
        lock(&self.quiet).passes(&motion)
    }

    /// A frame that arrived then was looked at: whether it showed a change (`None`: there is nothing to hold it
    /// against), and whether the next ones are needed
    /// whatever moves.
    pub(crate) fn looked(&self, received: Timestamp, is_changed: Option<bool>, is_needed: bool) {
        lock(&self.quiet).looked(received, is_changed, is_needed);
    }

    /// Says what is wrong with its view from now on.
    pub(crate) fn turn(&self, fault: Option<ViewFault>) {
        let number = |fault| ViewFault::NAMES.iter().position(|(_, named)| *named == fault);
        self.fault.store(fault.and_then(number).map_or(0, |at| at + 1), Ordering::Relaxed);
    }

    fn fault(&self) -> Option<&'static str> {
        let number = self.fault.load(Ordering::Relaxed).checked_sub(1)?;
        ViewFault::NAMES.get(number).map(|(name, _)| *name)
    }
}

/// A floor of up to a quarter less, another one for each camera: streets that fell quiet together at dusk would else all
/// be looked at in the same second, again and again.
fn apart(floor_ms: i64, camera: CameraIndex) -> i64 {
    /// From camera to camera, hundredths, so that neighbours lie far apart.
    const STEP: usize = 38;
    let hundredths = (camera.wrapping_mul(STEP) % 100) as i64;
    floor_ms - floor_ms / 4 * hundredths / 100
}

/// Where a camera stands.
pub(crate) struct CameraReport {
    /// Its id.
    pub id: CameraId,
    /// Where its stream stands.
    pub state: CameraState,
    /// Frames that were looked at.
    pub looks: u64,
    /// Of these, those on which what the model saw before still stood.
    pub standing: u64,
    /// Frames that the model had no answer for.
    pub unseen: u64,
    /// Confirmed findings.
    pub findings: u64,
    /// Things not watched because the table of spots was full.
    pub refused: u64,
    /// Findings not told because their rule had told as many as it may on that day.
    pub capped: u64,
    /// What is wrong with its view, by name.
    pub fault: Option<&'static str>,
    /// Frames that a newer one took the place of before the detector came to them.
    pub overwritten: u64,
    /// What its stream has counted.
    pub stream: Counters,
}

/// What the detect thread has to know of a camera before its next frame. Of several only the latest counts.
pub(crate) enum News {
    /// It is there, with what its lookout remembers.
    Joined(Arc<CameraEntry>, Box<Remembered>),
    /// Its file changed; its watch goes on.
    Changed(Arc<CameraEntry>),
    /// It is no longer watched.
    Left,
}

/// A stream that runs, and what it was started with.
struct Stream {
    camera: ingest::Camera,
    entry: Arc<CameraEntry>,
    config: SourceConfig,
}

/// Locks are taken in the order of the fields, and none is held while a stream stops.
pub(crate) struct Fleet {
    /// One a camera that was ever there; places are never given to another.
    lanes: RwLock<Vec<Arc<Lane>>>,
    /// By place; `None` where the camera has left.
    streams: Mutex<Vec<Option<Stream>>>,
    news: Mutex<BTreeMap<CameraIndex, News>>,
    arrivals: Arrivals<Frame>,
    /// From a frame's arrival to what the rules say of it.
    decisions: Waits,
    /// From the arrival of a confirming frame to its case on disk.
    cases: Waits,
}

impl Fleet {
    /// No cameras yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            lanes: RwLock::default(),
            streams: Mutex::default(),
            news: Mutex::default(),
            arrivals: Arrivals::new(),
            decisions: Waits::new(),
            cases: Waits::new(),
        })
    }

    /// Frames on their way to the detector.
    pub(crate) fn arrivals(&self) -> &Arrivals<Frame> {
        &self.arrivals
    }

    /// How long frames of all cameras waited for a decision.
    pub(crate) fn decisions(&self) -> &Waits {
        &self.decisions
    }

    /// How long confirming frames waited until their case was on disk.
    pub(crate) fn cases(&self) -> &Waits {
        &self.cases
    }

    /// The counters of a place.
    ///
    /// # Panics
    /// At a number that no camera had: every number comes from here.
    pub(crate) fn lane(&self, camera: CameraIndex) -> Arc<Lane> {
        Arc::clone(&self.lanes.read().unwrap_or_else(PoisonError::into_inner)[camera])
    }

    /// What the detect thread has not heard yet. Asked for after frames were taken, it is never behind them: a
    /// stream starts after the news of it.
    pub(crate) fn news(&self) -> BTreeMap<CameraIndex, News> {
        std::mem::take(&mut *lock(&self.news))
    }

    /// Whether there is something that the detect thread has not heard yet.
    pub(crate) fn has_news(&self) -> bool {
        !lock(&self.news).is_empty()
    }

    /// The cameras that are watched, with what they were last told.
    pub(crate) fn entries(&self) -> BTreeMap<CameraId, Arc<CameraEntry>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner).clone();
        let streams = lock(&self.streams);
        let both = lanes.iter().zip(streams.iter());
        both.filter_map(|(lane, stream)| Some((lane.id.clone(), Arc::clone(&stream.as_ref()?.entry))))
            .collect()
    }

    /// Takes a camera in.
    ///
    /// # Errors
    /// Its secret cannot be read or its address cannot be one; nothing has changed then.
    pub(crate) fn join(
        self: &Arc<Self>,
        id: &CameraId,
        entry: Arc<CameraEntry>,
        remembered: Remembered,
    ) -> Result<()> {
        let config = source::config(id, &entry)?;
        let camera = self.place_of(id);
        self.lane(camera).watch_quiet(camera, &entry);
        self.tell(camera, News::Joined(Arc::clone(&entry), Box::new(remembered)));
        let stream = self.start(camera, config, entry)?;
        lock(&self.streams)[camera] = Some(stream);
        Ok(())
    }

    /// Tells a camera what its file says now. The stream goes on unless the file asks for another one; `true`
    /// where it does.
    ///
    /// # Errors
    /// As [`Fleet::join`].
    pub(crate) fn change(self: &Arc<Self>, id: &CameraId, entry: Arc<CameraEntry>) -> Result<bool> {
        let config = source::config(id, &entry)?;
        let camera = self.place_of(id);
        let mut streams = lock(&self.streams);
        if let Some(stream) = &mut streams[camera]
            && stream.config == config
            && is_gated(&stream.entry) == is_gated(&entry)
        {
            stream.entry = Arc::clone(&entry);
            drop(streams);
            self.lane(camera).watch_quiet(camera, &entry);
            self.tell(camera, News::Changed(entry));
            return Ok(false);
        }
        let before = streams[camera].take();
        drop(streams);
        let before = before.map(|Stream { camera, entry, config }| {
            camera.stop();
            (config, entry)
        });
        self.lane(camera).watch_quiet(camera, &entry);
        // After the stop: what the old stream sent is judged by the old file.
        self.tell(camera, News::Changed(Arc::clone(&entry)));
        let stream = self.start(camera, config, entry).or_else(|error| {
            let (config, entry) = before.ok_or(error)?;
            self.tell(camera, News::Changed(Arc::clone(&entry)));
            self.start(camera, config, entry)
        });
        lock(&self.streams)[camera] = Some(stream?);
        Ok(true)
    }

    /// Lets a camera go. What its watch remembers stays on disk.
    pub(crate) fn leave(&self, id: &CameraId) {
        let camera = self.place_of(id);
        let stream = lock(&self.streams)[camera].take();
        if let Some(stream) = stream {
            stream.camera.stop();
        }
        self.tell(camera, News::Left);
    }

    /// What a camera sent as much as `half` before and after a frame of that PTS; `None` where it is not kept.
    pub(crate) fn cut(&self, camera: CameraIndex, pts: Duration, half: Duration) -> Option<ingest::Cut> {
        lock(&self.streams).get(camera)?.as_ref()?.camera.cut(pts, half)
    }

    /// Where each camera stands that is watched.
    pub(crate) fn reports(&self) -> Vec<CameraReport> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner).clone();
        let streams = lock(&self.streams);
        let seated = lanes.iter().zip(streams.iter()).enumerate();
        let report = |(index, (lane, stream)): (usize, (&Arc<Lane>, &Option<Stream>))| {
            let stream = stream.as_ref()?;
            Some(CameraReport {
                id: lane.id.clone(),
                state: stream.camera.state(),
                stream: stream.camera.counters(),
                looks: lane.looks.load(Ordering::Relaxed),
                standing: lane.standing.load(Ordering::Relaxed),
                unseen: lane.unseen.load(Ordering::Relaxed),
                findings: lane.findings.load(Ordering::Relaxed),
                refused: lane.refused.load(Ordering::Relaxed),
                capped: lane.capped.load(Ordering::Relaxed),
                fault: lane.fault(),
                overwritten: self.arrivals.overwritten(index),
            })
        };
        seated.filter_map(report).collect()
    }

    /// Stops every stream, at once, and lets the taker of frames end.
    pub(crate) fn stop(&self) {
        let streams: Vec<Stream> = lock(&self.streams).iter_mut().filter_map(Option::take).collect();
        streams.iter().for_each(|stream| stream.camera.signal());
        streams.into_iter().for_each(|stream| stream.camera.stop());
        self.arrivals.close();
    }

    /// The place of a camera; a new one where it never was there.
    fn place_of(&self, id: &CameraId) -> CameraIndex {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = lanes.iter().position(|lane| lane.id == *id) {
            return at;
        }
        lanes.push(Arc::new(Lane::new(id.clone())));
        lock(&self.streams).push(None);
        lanes.len() - 1
    }

    fn tell(&self, camera: CameraIndex, news: News) {
        let mut waiting = lock(&self.news);
        let news = match (waiting.remove(&camera), news) {
            // What was remembered is not yet with the detect thread.
            (Some(News::Joined(_, remembered)), News::Changed(entry)) => News::Joined(entry, remembered),
            (_, news) => news,
        };
        waiting.insert(camera, news);
    }

    fn start(
        self: &Arc<Self>,
        camera: CameraIndex,
        config: SourceConfig,
        entry: Arc<CameraEntry>,
    ) -> Result<Stream> {
        let to = Arc::clone(self);
        let id = config.camera.clone();
        let is_shared = config.cadence == ingest::Cadence::Keyframes;
        let put = move |frame| {
            if is_shared {
                to.arrivals.put_in_turn(camera, frame);
            } else {
                to.arrivals.put(camera, frame);
            }
        };
        // Each change of a stream's state is logged where it arises.
        let started = if is_gated(&entry) {
            let lane = self.lane(camera);
            ingest::Camera::start_gated(config.clone(), put, |_| {}, move |key| lane.may_pass(key))
        } else {
            ingest::Camera::start(config.clone(), put, |_| {})
        };
        Ok(Stream { camera: started.with_context(|| format!("camera {id}"))?, entry, config })
    }
}

/// Whether a quiet street of its may be left undecoded at all.
fn is_gated(entry: &CameraEntry) -> bool {
    entry.camera.stream.quiet_secs_max > 0.0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks; what they hold is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_lie_apart_and_none_is_later_than_asked_for() {
        let floors: Vec<i64> = (0..50).map(|camera| apart(60_000, camera)).collect();
        assert!(floors.iter().all(|floor| (45_000..=60_000).contains(floor)), "{floors:?}");
        let together = |at: i64| floors.iter().filter(|floor| (at..at + 1_000).contains(*floor)).count();
        assert!((45..61).all(|second| together(second * 1_000) <= 5), "{floors:?}");
        assert_eq!(apart(0, 7), 0, "no floor is none");
    }
}
