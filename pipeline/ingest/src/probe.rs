//! One look at a camera: what `shirong probe` prints.
//!
//! What comes in: a location and a time limit. What goes out: a [`ProbeReport`] measured over a few key-frame
//! intervals, with a snapshot. Never: a second attempt.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;

use crate::clock::now_unix_ns;
use crate::connection::{Happening, Parts, Shared};
use crate::decode::codec_name;
use crate::frame::Frame;
use crate::gate::Unit;
use crate::knock::look_in;
use crate::state::Tally;
use crate::stream::Stream;
use crate::{Cadence, Refusal, SourceConfig, SourceLocation};

/// Key frames after which the interval is known well enough.
const KEYS_ENOUGH: usize = 4;
/// Measured at least so long, for the frame rate and a sender report.
const SECS_ENOUGH: f64 = 3.0;
/// Units remembered at most: a minute at 60 frames a second.
const UNITS_MAX: usize = 3600;

/// What was found at an address.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    /// `H.264`, `H.265`, or another for files.
    pub codec: String,
    /// Profile and level as the stream states them, such as `high` and `4`.
    pub profile: Option<String>,
    /// Level as the stream states it.
    pub level: Option<String>,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Frames a second by the units' times.
    pub fps_measured: Option<f64>,
    /// Frames a second that the stream claims.
    pub fps_stated: Option<f64>,
    /// Seconds from key frame to key frame, the median seen. `None` when fewer than two came in time.
    pub key_interval_secs: Option<f64>,
    /// Frames from key frame to key frame, the median seen.
    pub key_interval_frames: Option<usize>,
    /// Kilobits a second of compressed video.
    pub kbps: Option<f64>,
    /// Milliseconds that the camera's clock is ahead of ours (network delay included), by sender reports.
    pub clock_skew_ms: Option<i64>,
    /// Whether the stream also offers sound (never asked for).
    pub has_audio: bool,
    /// The newest key frame.
    pub snapshot: Frame,
}

#[derive(Default)]
struct Seen {
    units: Vec<Unit>,
    snapshot: Option<Frame>,
}

impl Seen {
    fn keys(&self) -> usize {
        self.units.iter().filter(|u| u.key).count()
    }

    fn is_enough(&self) -> bool {
        let secs = span_secs(&self.units);
        self.units.len() >= UNITS_MAX
            || (self.snapshot.is_some() && self.keys() >= KEYS_ENOUGH && secs >= SECS_ENOUGH)
    }
}

/// Looks at a camera or file for at most `timeout`, less when enough was seen.
///
/// # Errors
/// The [`Refusal`] when it gave no picture in that time.
pub fn probe(location: SourceLocation, timeout: Duration) -> Result<ProbeReport, Refusal> {
    crate::init().map_err(|e| Refusal::Other(e.to_string()))?;
    let location = location.checked().map_err(|e| Refusal::Other(e.to_string()))?;
    let deadline = Instant::now() + timeout;
    if let SourceLocation::Rtsp { url, .. } = &location {
        look_in(url, timeout / 2)?;
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (wake, looked) = sync_channel(1);
    let tally = Arc::new(Tally::new());
    let shared = Arc::new(Shared {
        camera: "probe".into(),
        tally: Arc::clone(&tally),
        seq: AtomicU64::new(0),
        at_last_ms: AtomicI64::new(i64::MIN / 2),
        on_frame: Box::new({
            let seen = Arc::clone(&seen);
            move |frame| lock(&seen).snapshot = Some(frame)
        }),
        may_pass: None,
        ring: None,
        on_unit: Box::new({
            let (seen, wake) = (Arc::clone(&seen), wake.clone());
            move |unit| {
                let mut seen = lock(&seen);
                if seen.units.len() < UNITS_MAX {
                    seen.units.push(unit);
                }
                if seen.is_enough() {
                    let _ = wake.try_send(crate::connection::Event { connection: 1, what: Happening::Stop });
                }
            }
        }),
        started_unix_ns: now_unix_ns(),
    });
    let mut config = SourceConfig::new("probe", location);
    config.cadence = Cadence::Keyframes;
    let stream = Stream::open(&config.location, Parts::new(&config, &shared, 1, Duration::ZERO, wake))?;
    let refusal = loop {
        match looked.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) => match event.what {
                Happening::Ready => stream.play(),
                Happening::Alive => {}
                Happening::Stop | Happening::End => break Refusal::Other("it holds no picture".to_owned()),
                Happening::Failed(refusal) => break refusal,
            },
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                break Refusal::Other(format!("no picture within {:.0} s", timeout.as_secs_f64()));
            }
        }
    };
    let caps = stream.facts().caps.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let has_audio = stream.facts().audio.load(Ordering::Relaxed);
    drop(stream);
    let seen = std::mem::take(&mut *lock(&seen));
    let clock_skew_ms = tally.read().sender_skew_ms;
    let Some(snapshot) = seen.snapshot else { return Err(refusal) };
    Ok(report(&seen.units, caps.as_ref(), snapshot, clock_skew_ms, has_audio))
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(
    units: &[Unit],
    caps: Option<&gst::Caps>,
    snapshot: Frame,
    clock_skew_ms: Option<i64>,
    has_audio: bool,
) -> ProbeReport {
    let stated = caps.and_then(|c| c.structure(0));
    let text = |name: &str| stated.and_then(|s| s.get::<String>(name).ok());
    let fps_stated = stated
        .and_then(|s| s.get::<gst::Fraction>("framerate").ok())
        .filter(|f| f.numer() > 0)
        .map(|f| f64::from(f.numer()) / f64::from(f.denom()));
    let secs = span_secs(units);
    let is_measured = units.len() > 1 && secs > 0.0;
    let bytes: usize = units.iter().skip(1).map(|u| u.bytes).sum();
    let (key_interval_secs, key_interval_frames) = key_intervals(units).unzip();
    ProbeReport {
        codec: caps.map_or_else(|| "unknown".to_owned(), |c| codec_name(c)),
        profile: text("profile"),
        level: text("level"),
        width: snapshot.width(),
        height: snapshot.height(),
        fps_measured: is_measured.then(|| (units.len() - 1) as f64 / secs),
        fps_stated,
        key_interval_secs,
        key_interval_frames,
        kbps: is_measured.then(|| bytes as f64 * 8.0 / 1000.0 / secs),
        clock_skew_ms,
        has_audio,
        snapshot,
    }
}

/// From the earliest to the latest PTS (units come in decoding order).
fn span_secs(units: &[Unit]) -> f64 {
    let times = || units.iter().filter_map(|u| u.pts);
    match (times().min(), times().max()) {
        (Some(first), Some(last)) => (last - first).nseconds() as f64 / 1e9,
        _ => 0.0,
    }
}

/// The median distance of key frames, in seconds and in frames.
fn key_intervals(units: &[Unit]) -> Option<(f64, usize)> {
    let keys: Vec<(usize, u64)> = units
        .iter()
        .enumerate()
        .filter(|(_, u)| u.key)
        .filter_map(|(i, u)| Some((i, u.pts?.nseconds())))
        .collect();
    let mut secs: Vec<f64> = keys.windows(2).map(|w| w[1].1.saturating_sub(w[0].1) as f64 / 1e9).collect();
    let mut frames: Vec<usize> = keys.windows(2).map(|w| w[1].0 - w[0].0).collect();
    secs.sort_by(f64::total_cmp);
    frames.sort_unstable();
    Some((*secs.get(secs.len() / 2)?, *frames.get(frames.len() / 2)?))
}
