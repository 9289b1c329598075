//! What one connection is to the pieces that it is made of, however it is made.
//!
//! What comes in: pictures with the running time of the connection and their receipt. What goes out: frames with their
//! stamps, through the camera's callback; [`Event`]s for whoever supervises. Never: an element, a socket.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use calib::time::Timestamp;
use gstreamer as gst;

use crate::clock::{WallClock, millis};
use crate::damage::Damage;
use crate::frame::{Frame, Stamp};
use crate::gate::{Behind, Gate, MayPass, Unit};
use crate::lone::Picture;
use crate::pool::{Decoded, Lonely, Seat};
use crate::ring::Ring;
use crate::state::{Tally, count};
use crate::{Cadence, Refusal, SourceConfig, SourceLocation};

/// A wall clock that goes back by less is held; one that goes back by more was set by somebody.
const STEP_BACK_MAX_MS: i64 = 60_000;

/// What a connection tells the supervisor.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A file's first picture waits: [`Stream::play`] starts its clock.
    Ready,
    /// The first frame is out.
    Alive,
    /// An error on the bus.
    Failed(Refusal),
    /// End of stream.
    End,
    /// The handle wants the supervisor to end.
    Stop,
}

/// A happening and the connection that it belongs to.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) connection: u64,
    pub(crate) what: Happening,
}

/// What outlives connections.
pub(crate) struct Shared {
    pub(crate) camera: Arc<str>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) seq: AtomicU64,
    pub(crate) at_last_ms: AtomicI64,
    pub(crate) on_frame: Box<dyn Fn(Frame) + Send + Sync>,
    pub(crate) on_unit: Box<dyn Fn(Unit) + Send + Sync>,
    /// `None`: every key frame is decoded.
    pub(crate) may_pass: Option<MayPass>,
    /// `None`: nothing is kept of what it sent.
    pub(crate) ring: Option<Arc<Ring>>,
    /// When the handle was started: time zero of files.
    pub(crate) started_unix_ns: i64,
}

/// What is learnt of one connection.
#[derive(Debug)]
pub(crate) struct Facts {
    opened: Instant,
    /// Milliseconds from `opened` to the newest unit plus one; 0: none yet.
    last_unit_ms: AtomicU64,
    pub(crate) described: AtomicBool,
    pub(crate) audio: AtomicBool,
    pub(crate) video: AtomicBool,
    unsupported: Mutex<Option<String>>,
    pub(crate) caps: Mutex<Option<gst::Caps>>,
    /// First PTS plus one and latest end of units, nanoseconds; 0: none yet.
    first_pts_ns: AtomicU64,
    end_ns: AtomicU64,
    pub(crate) frames: AtomicU64,
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            last_unit_ms: AtomicU64::new(0),
            described: AtomicBool::new(false),
            audio: AtomicBool::new(false),
            video: AtomicBool::new(false),
            unsupported: Mutex::new(None),
            caps: Mutex::new(None),
            first_pts_ns: AtomicU64::new(0),
            end_ns: AtomicU64::new(0),
            frames: AtomicU64::new(0),
        }
    }

    /// From the first picture to the end of the last.
    pub(crate) fn length(&self) -> Duration {
        let first_ns = self.first_pts_ns.load(Ordering::Relaxed).saturating_sub(1);
        Duration::from_nanos(self.end_ns.load(Ordering::Relaxed).saturating_sub(first_ns))
    }

    pub(crate) fn lengthen(&self, unit: Unit) {
        let Some(pts) = unit.pts else { return };
        let _ =
            self.first_pts_ns.compare_exchange(0, pts.nseconds() + 1, Ordering::Relaxed, Ordering::Relaxed);
        let end = pts + unit.duration.unwrap_or(gst::ClockTime::from_mseconds(40));
        self.end_ns.fetch_max(end.nseconds(), Ordering::Relaxed);
    }

    pub(crate) fn touch(&self) {
        let ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_unit_ms.store(ms.saturating_add(1), Ordering::Relaxed);
    }

    /// How long nothing compressed has arrived, and whether anything ever did.
    pub(crate) fn silence(&self) -> (Duration, bool) {
        let elapsed = self.opened.elapsed();
        match self.last_unit_ms.load(Ordering::Relaxed) {
            0 => (elapsed, false),
            ms => (elapsed.saturating_sub(Duration::from_millis(ms - 1)), true),
        }
    }

    /// Says better what was wrong, from what the camera described.
    pub(crate) fn refine(&self, refusal: Refusal) -> Refusal {
        let unsupported = self.unsupported.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match unsupported {
            _ if self.video.load(Ordering::Relaxed) => refusal,
            Some(codec) => Refusal::UnsupportedCodec(codec),
            None if self.described.load(Ordering::Relaxed) => Refusal::NoVideo,
            None => refusal,
        }
    }

    pub(crate) fn refuse_codec(&self, codec: &str) {
        *self.unsupported.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec.to_owned());
    }
}

/// Everything that the pieces of one connection share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) connection: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) damage: Arc<Damage>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) cadence: Cadence,
    pub(crate) live: bool,
    pub(crate) realtime: bool,
    /// Its key frames go to the decoders that all cameras share. A recording that is read as fast as its frames are
    /// taken keeps one of its own, since whoever takes them may wait for long.
    pub(crate) is_pooled: bool,
    pts_base: Duration,
    events: SyncSender<Event>,
    seat: Arc<Mutex<Option<Arc<Seat>>>>,
}

impl Parts {
    /// `pts_base` is added to every PTS.
    pub(crate) fn new(
        config: &SourceConfig,
        shared: &Arc<Shared>,
        connection: u64,
        pts_base: Duration,
        events: SyncSender<Event>,
    ) -> Self {
        let live = matches!(config.location, SourceLocation::Rtsp { .. });
        let realtime = matches!(config.location, SourceLocation::File { realtime: true, .. });
        let is_pooled = config.cadence == Cadence::Keyframes && (live || realtime);
        let damage = Arc::new(Damage::default());
        let behind = if is_pooled { Behind::Pool } else { Behind::Decoder };
        let gate = Gate::new(config.cadence, behind, live, Arc::clone(&shared.tally), Arc::clone(&damage));
        Self {
            connection,
            shared: Arc::clone(shared),
            facts: Arc::new(Facts::new()),
            clock: Arc::default(),
            gate: Arc::new(gate),
            damage,
            cadence: config.cadence,
            live,
            realtime,
            is_pooled,
            pts_base,
            events,
            seat: Arc::default(),
        }
    }

    /// Full means that the supervisor already has something to act on: what comes later is not news.
    pub(crate) fn tell(&self, what: Happening) {
        let _ = self.events.try_send(Event { connection: self.connection, what });
    }

    /// Takes a place in the pool.
    pub(crate) fn sit(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seat));
    }

    /// Gives it back; no picture comes after.
    pub(crate) fn leave(&self) {
        let seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(seat);
    }

    /// Gives it back and does not wait: a picture may still come.
    pub(crate) fn retire(&self) {
        self.stand_up().into_iter().for_each(Seat::retire);
    }

    /// The place itself, for whoever waits until it can be given back.
    pub(crate) fn stand_up(&self) -> Option<Seat> {
        let seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        seat.and_then(Arc::into_inner)
    }

    fn seat(&self) -> Option<Arc<Seat>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a whole unit of this running time, where clips may be asked for.
    pub(crate) fn keep(&self, caps: &gst::Caps, unit: &gst::Buffer, running_ns: u64, is_key: bool) {
        if let Some(ring) = &self.shared.ring {
            let pts = self.pts_base + Duration::from_nanos(running_ns);
            ring.push(self.connection, caps, unit.clone(), pts, is_key);
        }
    }

    /// A key frame for the pool.
    pub(crate) fn put(&self, lonely: Lonely) {
        if self.seat().is_some_and(|seat| seat.put(lonely)) {
            count(&self.shared.tally.late_dropped);
        }
    }

    /// Whether a key frame of it waits for a decoder, or is in one.
    pub(crate) fn waits(&self) -> bool {
        self.seat().is_some_and(|seat| seat.is_busy())
    }

    /// Waits until the pool has nothing of this connection.
    pub(crate) fn drain(&self) {
        if let Some(seat) = self.seat() {
            seat.drain();
        }
    }

    /// What the pool made of a key frame.
    pub(crate) fn take(&self, decoded: Decoded) {
        let Decoded { picture, running_ns, receipt_ns } = decoded;
        match picture {
            Some(picture) => self.deliver(picture, running_ns, receipt_ns),
            None => count(&self.shared.tally.decode_errors),
        }
    }

    /// A picture of this running time that arrived then, nanoseconds since 1970: stamp, callback.
    pub(crate) fn deliver(&self, picture: Picture, running_ns: u64, receipt_ns: i64) {
        let pts = self.pts_base + Duration::from_nanos(running_ns);
        let times = self.stamp(running_ns, pts, receipt_ns);
        let seq = self.shared.seq.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::new(Arc::clone(&self.shared.camera), seq, pts, times, picture);
        tracing::trace!(camera = %self.shared.camera, seq, "frame");
        count(&self.shared.tally.frames_out);
        if self.facts.frames.fetch_add(1, Ordering::Relaxed) == 0 {
            self.tell(Happening::Alive);
        }
        (self.shared.on_frame)(frame);
    }

    /// Wall-clock time, what it rests on, and receipt.
    fn stamp(&self, running_ns: u64, pts: Duration, receipt_ns: i64) -> (Timestamp, Stamp, Timestamp) {
        if !self.live {
            let pts_ns = i64::try_from(pts.as_nanos()).unwrap_or(i64::MAX);
            let at = millis(self.shared.started_unix_ns.saturating_add(pts_ns));
            return (at, Stamp::File, millis(receipt_ns));
        }
        let (at, stamp) = self.clock.at(i64::try_from(running_ns).unwrap_or(i64::MAX), receipt_ns);
        let last_ms = self.shared.at_last_ms.load(Ordering::Relaxed);
        let at_ms = at.as_millis();
        let held_ms = if last_ms - at_ms < STEP_BACK_MAX_MS { at_ms.max(last_ms) } else { at_ms };
        self.shared.at_last_ms.store(held_ms, Ordering::Relaxed);
        (Timestamp::from_millis(held_ms), stamp, millis(receipt_ns))
    }
}
