//! The supervisor of one camera: connects, watches, connects again, never gives up.
//!
//! What comes in: a [`SourceConfig`] and two callbacks. What goes out: frames, states, counters. A camera whose key
//! frames come over RTSP and TCP is a [`Line`] among those of a few threads; any other one, GStreamer receives, with a
//! supervisor on a thread that sleeps in one channel. Never: work for another camera, a queue of frames, a log line a
//! frame.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::now_unix_ns;
use crate::connection::{Event, Happening, Parts, Shared};
use crate::frame::Frame;
use crate::gate::{KeyUnit, MayPass};
use crate::knock::look_in;
use crate::pool::Seat;
use crate::ring::{Cut, Ring};
use crate::rtsp::line::Line;
use crate::rtsp::receiver;
use crate::state::{Tally, count};
use crate::stream::Stream;
use crate::voice::Voice;
use crate::{Cadence, CameraState, Counters, IngestError, Refusal, SourceConfig, SourceLocation, Transport};

/// Longest wait for the door to answer.
const KNOCK_LIMIT: Duration = Duration::from_secs(5);
/// The same of a camera that was refused: one that comes back must not find us still waiting at the door as it was.
const KNOCK_AGAIN_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait from connecting until the camera has described its stream to GStreamer. What it describes to one who
/// has the password is read by rtspsrc without limit: two gigabytes where a camera sends them.
const DESCRIBED_LIMIT: Duration = Duration::from_secs(8);
/// Longest wait from connecting to the first compressed unit.
const FIRST_UNIT_LIMIT: Duration = Duration::from_secs(15);
/// Units arrive for so long and none becomes a picture: connect again. Longer than any key-frame interval.
const PICTURE_LIMIT: Duration = Duration::from_secs(60);
/// A connection that lasted so long starts the back-off anew.
const STEADY: Duration = Duration::from_secs(10);
/// The supervisor looks at the stream at least this often.
const TICK_MAX: Duration = Duration::from_secs(1);
/// Events that wait for the supervisor; more are dropped, as the first ones decide.
const EVENTS_MAX: usize = 32;
/// How long [`Camera::stop`] waits.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// GStreamer keeps a camera that our own client does not understand for so long at most before that is asked again.
const LENT_MAX: Duration = Duration::from_secs(86_400);
/// Between two log lines about decode errors of one camera.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// A camera under supervision. Dropping the handle ends it without waiting; [`Camera::stop`] waits.
pub struct Camera {
    state: Arc<Mutex<CameraState>>,
    tally: Arc<Tally>,
    stopping: Arc<AtomicBool>,
    ring: Option<Arc<Ring>>,
    events: SyncSender<Event>,
    ended: Receiver<Ended>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A camera is through but for what still is in its seat.
pub(crate) struct Ended(pub(crate) Option<Seat>);

impl Camera {
    /// Starts the supervisor and returns at once.
    ///
    /// `on_frame` runs on a thread of the decoders that cameras share where key frames alone are decoded, else on
    /// GStreamer's streaming thread of this camera. While it waits, so does that decoder or this camera; what a camera
    /// sends meanwhile is overtaken by the newest, and counted. `on_state` runs on the supervisor's
    /// thread at every change. Neither may call [`Camera::stop`].
    ///
    /// # Errors
    /// When the configuration makes no sense or the system gives no thread. What the camera answers is a
    /// [`CameraState::Refused`] later.
    pub fn start(
        config: SourceConfig,
        on_frame: impl Fn(Frame) + Send + Sync + 'static,
        on_state: impl Fn(&CameraState) + Send + Sync + 'static,
    ) -> Result<Self, IngestError> {
        Self::begin(config, Box::new(on_frame), Arc::new(on_state), None)
    }

    /// As [`Camera::start`]. `may_pass` is asked at every key frame that would be decoded where only these are, but
    /// the first of a connection: `true`, and it is passed over undecoded and counted. It runs on GStreamer's
    /// streaming thread of this camera and must not block.
    ///
    /// # Errors
    /// As [`Camera::start`].
    pub fn start_gated(
        config: SourceConfig,
        on_frame: impl Fn(Frame) + Send + Sync + 'static,
        on_state: impl Fn(&CameraState) + Send + Sync + 'static,
        may_pass: impl Fn(&KeyUnit) -> bool + Send + Sync + 'static,
    ) -> Result<Self, IngestError> {
        Self::begin(config, Box::new(on_frame), Arc::new(on_state), Some(Box::new(may_pass)))
    }

    fn begin(
        config: SourceConfig,
        on_frame: Box<dyn Fn(Frame) + Send + Sync>,
        on_state: OnState,
        may_pass: Option<MayPass>,
    ) -> Result<Self, IngestError> {
        crate::init()?;
        let config = config.checked()?;
        let (events, inbox) = sync_channel(EVENTS_MAX);
        let (end, ended) = sync_channel(1);
        let state = Arc::new(Mutex::new(CameraState::Connecting));
        let tally = Arc::new(Tally::new());
        let stopping = Arc::new(AtomicBool::new(false));
        let camera: Arc<str> = config.camera.as_str().into();
        let ring = (!config.kept.is_zero()).then(|| Arc::new(Ring::new(config.kept)));
        let shared = Arc::new(Shared {
            camera: Arc::clone(&camera),
            tally: Arc::clone(&tally),
            seq: AtomicU64::new(0),
            at_last_ms: AtomicI64::new(i64::MIN / 2),
            on_frame,
            on_unit: Box::new(|_| {}),
            may_pass,
            ring: ring.clone(),
            started_unix_ns: now_unix_ns(),
        });
        let is_line = is_line(&config);
        let standing = Standing {
            config,
            shared,
            state: Arc::clone(&state),
            on_state,
            stopping: Arc::clone(&stopping),
            connection: 0,
            pts_base: Duration::ZERO,
            complaint: None,
            voice: Voice::default(),
            failures: 0,
            lent: 0,
            begun: Instant::now(),
        };
        let channel = (events.clone(), inbox);
        let thread = if is_line {
            receiver::join(Line::new(standing, channel, end)).map(|()| None)
        } else {
            Supervisor::spawn(standing, channel, end).map(Some)
        };
        let thread = thread.map_err(|source| IngestError::Thread { camera: camera.to_string(), source })?;
        Ok(Self { state, tally, stopping, ring, events, ended, thread })
    }

    /// What the camera is doing.
    pub fn state(&self) -> CameraState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// What the camera sent as much as `half` before and after the moment of a frame, its [`Frame::pts`], from the key
    /// frame before on. `None` where that frame is none of what is kept any more.
    pub fn cut(&self, moment: Duration, half: Duration) -> Option<Cut> {
        self.ring.as_ref()?.cut(moment, half)
    }

    /// Ends the camera and waits until no callback runs any more, at most five seconds.
    pub fn stop(mut self) {
        self.signal();
        // A seat is left when its last picture is through.
        let ended = self.ended.recv_timeout(STOP_LIMIT).map(drop);
        if let Some(thread) = self.thread.take()
            && !matches!(ended, Err(RecvTimeoutError::Timeout))
        {
            let _ = thread.join();
        }
    }

    /// Says that the camera is to end, and does not wait: of many, tell all before you wait for the first.
    pub fn signal(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = self.events.try_send(Event { connection: 0, what: Happening::Stop });
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.signal();
    }
}

/// How a connection ended.
enum Outcome {
    Stopped,
    /// A file is through.
    Through,
    /// Was connected and is no more.
    Lost(String),
    Refused(Refusal),
    /// It was GStreamer's for long enough.
    Lent,
}

type OnState = Arc<dyn Fn(&CameraState) + Send + Sync>;

/// Whether key frames alone are wanted of it, over plain RTSP and TCP.
fn is_line(config: &SourceConfig) -> bool {
    let SourceLocation::Rtsp { url, transport, .. } = &config.location else { return false };
    config.cadence == Cadence::Keyframes && *transport == Transport::Tcp && url.starts_with("rtsp://")
}

/// Where a camera stands, however it is received.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(crate) config: SourceConfig,
    pub(crate) shared: Arc<Shared>,
    state: Arc<Mutex<CameraState>>,
    on_state: OnState,
    stopping: Arc<AtomicBool>,
    pub(crate) connection: u64,
    pub(crate) pts_base: Duration,
    /// When decode errors were last logged, and how many there were.
    complaint: Option<(Instant, u64)>,
    voice: Voice,
    failures: u32,
    /// How often it has come back from GStreamer since our own client last received it.
    pub(crate) lent: u32,
    /// When the latest attempt began.
    begun: Instant,
}

impl Standing {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// An attempt begins.
    pub(crate) fn begin(&mut self) {
        // A refusal stands until something else is known, so that it does not flicker while retrying; a
        // looped file stays live from lap to lap.
        let is_settled = matches!(
            *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            CameraState::Refused(_) | CameraState::Live
        );
        if !is_settled {
            self.enter(CameraState::Connecting);
        }
        self.begun = Instant::now();
    }

    /// The pieces of the next connection.
    pub(crate) fn connect(&mut self, events: SyncSender<Event>) -> Parts {
        self.connection += 1;
        Parts::new(&self.config, &self.shared, self.connection, self.pts_base, events)
    }

    /// The connection was lost. How long to wait before the next.
    pub(crate) fn lose(&mut self, why: &str) -> Duration {
        if let Some(left_out) = self.voice.speak(Instant::now()) {
            tracing::warn!(camera = %self.shared.camera, why, left_out, "stream lost");
        }
        self.enter(CameraState::Stalled);
        self.fail(false)
    }

    /// The attempt was refused. How long to wait before the next.
    pub(crate) fn refuse(&mut self, refusal: Refusal) -> Duration {
        let patience = refusal.asks_for_patience();
        self.enter(CameraState::Refused(refusal));
        self.fail(patience)
    }

    fn fail(&mut self, patience: bool) -> Duration {
        let is_steady = self.begun.elapsed() >= STEADY;
        self.failures = if is_steady { 1 } else { self.failures.saturating_add(1) };
        let wait = back_off(&self.config, self.failures, patience, rand::random::<f64>());
        // From try to try: a door that was silent for seconds has had them already.
        let wait = wait.saturating_sub(self.begun.elapsed()).max(self.config.reconnect_min / 2);
        let (camera, failures) = (&self.shared.camera, self.failures);
        tracing::debug!(%camera, wait_ms = wait.as_millis() as u64, failures, "connecting again");
        wait
    }

    /// How long GStreamer receives it before our own client is asked again; `None`: it is none of ours.
    fn lent_for(&self) -> Option<Duration> {
        is_line(&self.config).then(|| lent_for(self.config.lent, self.lent))
    }

    /// Longest wait for the door to answer.
    pub(crate) fn door_limit(&self) -> Duration {
        if self.failures == 0 { KNOCK_LIMIT } else { KNOCK_AGAIN_LIMIT }
    }

    pub(crate) fn enter(&mut self, next: CameraState) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if *state == next && next != CameraState::Connecting {
                return;
            }
            *state = next.clone();
        }
        let (camera, source) = (&self.shared.camera, self.config.location.shown());
        match (&next, self.voice.speak(Instant::now())) {
            (state, None) => tracing::debug!(%camera, source, %state, "camera"),
            (CameraState::Refused(why), Some(left_out)) => {
                tracing::warn!(%camera, source, %why, left_out, "camera refused");
            }
            (state, Some(left_out)) => tracing::info!(%camera, source, %state, left_out, "camera"),
        }
        (self.on_state)(&next);
    }

    /// What is wrong where nothing comes, or nothing that can be seen.
    pub(crate) fn silence(&self, parts: &Parts, is_alive: bool, opened: Instant) -> Option<String> {
        let facts = &parts.facts;
        let (silent, has_begun) = facts.silence();
        let limit =
            if has_begun { self.config.silent_limit } else { self.config.silent_limit.max(FIRST_UNIT_LIMIT) };
        if silent > limit {
            return Some(format!("nothing arrived for {:.1} s", silent.as_secs_f64()));
        }
        // What waits for a decoder may be a picture: a camera that connects again would lose its place among those that
        // wait, and on a node with too many cameras never have a look.
        let is_blind = !is_alive && opened.elapsed() > PICTURE_LIMIT && !parts.waits();
        is_blind.then(|| "data arrives but no picture can be decoded".to_owned())
    }

    /// Decode errors, at most once a minute.
    pub(crate) fn complain(&mut self) {
        let errors = self.shared.tally.decode_errors.load(Ordering::Relaxed);
        let (last, seen) = self.complaint.unzip();
        let is_time = last.is_none_or(|at| at.elapsed() >= COMPLAINT_EVERY);
        if errors > seen.unwrap_or(0) && is_time {
            let new = errors - seen.unwrap_or(0);
            tracing::warn!(camera = %self.shared.camera, errors = new, "pictures could not be decoded");
            self.complaint = Some((Instant::now(), errors));
        }
    }
}

/// What becomes of a camera that GStreamer received.
#[derive(PartialEq, Eq)]
enum Goes {
    Away,
    /// To our own client.
    Back,
}

/// A camera that GStreamer receives.
pub(crate) struct Supervisor {
    standing: Standing,
    events: SyncSender<Event>,
    inbox: Receiver<Event>,
}

impl Supervisor {
    /// Starts it on a thread of its own.
    pub(crate) fn spawn(
        standing: Standing,
        (events, inbox): (SyncSender<Event>, Receiver<Event>),
        ended: SyncSender<Ended>,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let name = format!("camera {}", standing.shared.camera);
        let mut supervisor = Self { standing, events, inbox };
        std::thread::Builder::new().name(name).spawn(move || {
            if supervisor.run() == Goes::Back {
                let Self { standing, events, inbox } = supervisor;
                let camera = standing.shared.camera.clone();
                if let Err(error) = receiver::join(Line::new(standing, (events, inbox), ended)) {
                    tracing::error!(%camera, %error, "no thread to receive a camera; it is not watched");
                }
                return;
            }
            drop(supervisor);
            let _ = ended.try_send(Ended(None));
        })
    }

    fn run(&mut self) -> Goes {
        loop {
            self.standing.begin();
            let wait = match self.attempt() {
                Outcome::Stopped => return Goes::Away,
                Outcome::Through if self.standing.config.location.is_looped() => continue,
                Outcome::Through => {
                    self.standing.enter(CameraState::Ended);
                    return Goes::Away;
                }
                Outcome::Lost(why) => self.standing.lose(&why),
                Outcome::Refused(refusal) => self.standing.refuse(refusal),
                // It is live and stays so: a picture comes within moments, from our client or from GStreamer again.
                Outcome::Lent => {
                    self.standing.lent = self.standing.lent.saturating_add(1);
                    self.standing.failures = 0;
                    count(&self.standing.shared.tally.reconnects);
                    return Goes::Back;
                }
            };
            if self.rest(wait) {
                return Goes::Away;
            }
            count(&self.standing.shared.tally.reconnects);
            // What was not understood may have passed: rtspsrc takes threads and handles for each camera.
            if is_line(&self.standing.config) {
                return Goes::Back;
            }
        }
    }

    /// Waits between connections. `true`: stop.
    fn rest(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.standing.is_stopping() {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            // Whatever else comes now belongs to a connection that is gone.
            let _ = self.inbox.recv_timeout(left);
        }
    }

    /// One connection from knock to end.
    fn attempt(&mut self) -> Outcome {
        if self.standing.is_stopping() {
            return Outcome::Stopped;
        }
        let is_live = match &self.standing.config.location {
            SourceLocation::Rtsp { url, .. } => match look_in(url, self.standing.door_limit()) {
                Ok(()) => true,
                Err(refusal) => return Outcome::Refused(refusal),
            },
            SourceLocation::File { .. } => false,
        };
        let parts = self.standing.connect(self.events.clone());
        let stream = match Stream::open(&self.standing.config.location, parts) {
            Ok(stream) => stream,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let outcome = self.watch(&stream, is_live);
        self.standing.pts_base += stream.facts().length();
        outcome
    }

    fn watch(&mut self, stream: &Stream, is_live: bool) -> Outcome {
        let tick = TICK_MAX.min(self.standing.config.silent_limit / 4).max(Duration::from_millis(10));
        let (mut is_alive, opened) = (false, Instant::now());
        let lent_for = self.standing.lent_for();
        loop {
            let event = self.inbox.recv_timeout(tick).ok();
            if self.standing.is_stopping() {
                return Outcome::Stopped;
            }
            match event.filter(|e| e.connection == self.standing.connection).map(|e| e.what) {
                Some(Happening::Ready) => stream.play(),
                Some(Happening::Alive) => {
                    is_alive = true;
                    self.standing.enter(CameraState::Live);
                }
                Some(Happening::Failed(refusal)) if is_alive => return Outcome::Lost(refusal.to_string()),
                Some(Happening::Failed(refusal)) => return Outcome::Refused(refusal),
                Some(Happening::End) if is_live => {
                    return Outcome::Lost("the camera ended the stream".to_owned());
                }
                Some(Happening::End) if stream.facts().frames.load(Ordering::Relaxed) == 0 => {
                    return Outcome::Refused(Refusal::Other("the recording holds no picture".to_owned()));
                }
                Some(Happening::End) => return Outcome::Through,
                Some(Happening::Stop) | None => {}
            }
            self.standing.complain();
            if lent_for.is_some_and(|limit| opened.elapsed() > limit) {
                return Outcome::Lent;
            }
            if is_live
                && !stream.facts().described.load(Ordering::Relaxed)
                && opened.elapsed() > DESCRIBED_LIMIT
            {
                return Outcome::Lost("it does not describe its stream in time".to_owned());
            }
            if is_live && let Some(why) = self.standing.silence(stream.parts(), is_alive, opened) {
                return Outcome::Lost(why);
            }
        }
    }
}

/// How long a camera is lent that has come back so often.
fn lent_for(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(LENT_MAX)
}

/// Exponential back-off: `dice` in 0..1 chooses from the upper half of a ceiling that doubles. Where asking often does
/// harm (a wrong password locks the account) the wait lies in the upper half of the longest one.
fn back_off(config: &SourceConfig, failures: u32, patience: bool, dice: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let ceiling = if patience {
        config.patience
    } else {
        config.reconnect_min.saturating_mul(doubled).min(config.reconnect_max)
    };
    ceiling.mul_f64(0.5 + dice / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_lent_for_longer_each_time_and_for_a_day_at_most() {
        let minutes: Vec<u64> =
            (0..6).map(|times| lent_for(SourceConfig::LENT, times).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160]);
        assert_eq!(lent_for(SourceConfig::LENT, u32::MAX), LENT_MAX);
    }

    #[test]
    fn back_off_grows_to_its_limit() {
        let config = SourceConfig::new("c", SourceLocation::rtsp("rtsp://h/").unwrap());
        let secs = |failures, patience, dice| back_off(&config, failures, patience, dice).as_secs_f64();
        assert_eq!(secs(1, false, 1.0), 1.0);
        assert_eq!(secs(3, false, 1.0), 4.0);
        assert_eq!(secs(3, false, 0.0), 2.0);
        assert_eq!((secs(1, true, 0.0), secs(1, true, 1.0)), (30.0, 60.0));
        // However long it was away, a camera is knocked at within six seconds of coming back.
        assert_eq!(secs(4_000_000_000, false, 1.0), 6.0);
    }
}
