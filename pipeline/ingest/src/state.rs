//! What a camera is doing and what it has counted: what health and metrics read.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::Refusal;

/// What a camera is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraState {
    /// On the way to the first frame.
    Connecting,
    /// Frames arrive.
    Live,
    /// Was live, then silent or lost; a new attempt follows.
    Stalled,
    /// The last attempt was refused; more follow, more slowly.
    Refused(Refusal),
    /// A file that is not looped is through.
    Ended,
}

impl fmt::Display for CameraState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Live => f.write_str("live"),
            Self::Stalled => f.write_str("stalled"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// Totals since the camera was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames handed to the callback.
    pub frames_out: u64,
    /// Compressed units (pictures) that arrived.
    pub units_in: u64,
    /// Delta units dropped before the decoder by the cadence, or before the first key frame.
    pub delta_dropped: u64,
    /// Units dropped before the decoder because decoding fell behind the camera.
    pub late_dropped: u64,
    /// Units dropped before the decoder because packets of them were lost on the way.
    pub damaged_dropped: u64,
    /// Decoded frames that the cadence did not ask for.
    pub cadence_dropped: u64,
    /// Key frames that were passed over undecoded since nothing had moved.
    pub quiet_dropped: u64,
    /// Units that gave no picture, and errors that the decoder told of.
    pub decode_errors: u64,
    /// Times that a connection was lost or refused and made anew.
    pub reconnects: u64,
    /// Compressed bytes that arrived (RTP packets for RTSP).
    pub bytes: u64,
    /// Milliseconds that the sender's clock is ahead of ours (network delay included), where it tells.
    pub sender_skew_ms: Option<i64>,
}

/// The live side of [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) frames_out: AtomicU64,
    pub(crate) units_in: AtomicU64,
    pub(crate) delta_dropped: AtomicU64,
    pub(crate) late_dropped: AtomicU64,
    pub(crate) damaged_dropped: AtomicU64,
    pub(crate) cadence_dropped: AtomicU64,
    pub(crate) quiet_dropped: AtomicU64,
    pub(crate) decode_errors: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// `i64::MIN`: unknown.
    sender_skew_ms: AtomicI64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { sender_skew_ms: AtomicI64::new(i64::MIN), ..Self::default() }
    }

    pub(crate) fn set_skew(&self, ms: i64) {
        self.sender_skew_ms.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let skew = self.sender_skew_ms.load(Ordering::Relaxed);
        Counters {
            frames_out: get(&self.frames_out),
            units_in: get(&self.units_in),
            delta_dropped: get(&self.delta_dropped),
            late_dropped: get(&self.late_dropped),
            damaged_dropped: get(&self.damaged_dropped),
            cadence_dropped: get(&self.cadence_dropped),
            quiet_dropped: get(&self.quiet_dropped),
            decode_errors: get(&self.decode_errors),
            reconnects: get(&self.reconnects),
            bytes: get(&self.bytes),
            sender_skew_ms: (skew != i64::MIN).then_some(skew),
        }
    }
}

/// Adds one, for totals that nobody orders by.
pub(crate) fn count(n: &AtomicU64) {
    n.fetch_add(1, Ordering::Relaxed);
}
