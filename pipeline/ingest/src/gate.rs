//! The gate before the decoder: which compressed units are decoded at all.
//!
//! What comes in: parsed access units on one pad. What goes out: those that the cadence wants, each key frame
//! followed by a still-frame event where only key frames are decoded and the decoder is the connection's own: the decoder
//! drains on it and hands the picture out at once (that of a pool does so too, see `lone`). Without it a stream with B-frames keeps every key frame back until the next two
//! arrive (measured at one key frame a second: 2.1 s from receipt to callback; with it 0.12 s, all of it the
//! encoder's own reordering of three frames). Before each key frame whoever looks is told how large the delta units
//! since the one before were, and may let it pass undecoded. Never: a copy of a unit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calib::time::Timestamp;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::Cadence;
use crate::clock::{millis, now_unix_ns};
use crate::damage::Damage;
use crate::state::{Tally, count};

/// With everything decoded, a unit that comes this late to the decoder starts a skip to the next key frame.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// One compressed unit, for those who only measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) pts: Option<gst::ClockTime>,
    pub(crate) duration: Option<gst::ClockTime>,
    pub(crate) key: bool,
    pub(crate) bytes: usize,
}

/// A key frame that has arrived, and the delta units that came since the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyUnit {
    /// When it arrived, by our own clock.
    pub received: Timestamp,
    /// How many delta units came before it; at least one.
    pub deltas: u32,
    /// Their mean size, bytes.
    pub mean_bytes: f32,
    /// The largest of them, bytes.
    pub peak_bytes: f32,
}

/// Whether a key frame may pass undecoded. Runs on GStreamer's streaming thread: it must not block.
pub(crate) type MayPass = Box<dyn Fn(&KeyUnit) -> bool + Send + Sync>;

/// Sizes of delta units since the latest key frame.
#[derive(Debug, Default)]
pub(crate) struct Deltas {
    count: u32,
    bytes: u64,
    peak: usize,
}

impl Deltas {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
        self.peak = self.peak.max(bytes);
    }

    /// Whether there were any.
    pub(crate) fn is_any(&self) -> bool {
        self.count > 0
    }

    /// What they were, as a key frame ends them now.
    pub(crate) fn key_unit(&self) -> KeyUnit {
        KeyUnit {
            received: millis(now_unix_ns()),
            deltas: self.count,
            mean_bytes: self.bytes as f32 / self.count.max(1) as f32,
            peak_bytes: self.peak as f32,
        }
    }
}

/// What stands behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// A decoder of the connection's own.
    Decoder,
    /// The way to the decoders that all cameras share.
    Pool,
}

/// What the gate remembers between units of one connection.
pub(crate) struct Gate {
    cadence: Cadence,
    behind: Behind,
    live: bool,
    tally: Arc<Tally>,
    damage: Arc<Damage>,
    /// Decoding waits for a key frame: at the start, and after units were skipped.
    closed: AtomicBool,
    /// A key frame went in and no picture has come out yet.
    pending: AtomicBool,
    deltas: Mutex<Deltas>,
}

impl Gate {
    pub(crate) fn new(
        cadence: Cadence,
        behind: Behind,
        live: bool,
        tally: Arc<Tally>,
        damage: Arc<Damage>,
    ) -> Self {
        Self {
            cadence,
            behind,
            live,
            tally,
            damage,
            closed: AtomicBool::new(true),
            pending: AtomicBool::new(false),
            deltas: Mutex::default(),
        }
    }

    /// A picture has come out of the decoder.
    pub(crate) fn decoded(&self) {
        self.pending.store(false, Ordering::Relaxed);
    }

    /// Guards a source pad that feeds a decoder. `on_unit` sees every unit, dropped or not, with the pad: a
    /// closure that kept the pad would keep the whole pipeline alive.
    pub(crate) fn guard(
        self: &Arc<Self>,
        pad: &gst::Pad,
        on_unit: impl Fn(&gst::Pad, &gst::Buffer, Unit) + Send + Sync + 'static,
        may_pass: impl Fn(&gst::Pad, &gst::BufferRef, &dyn Fn() -> KeyUnit) -> bool + Send + Sync + 'static,
    ) {
        let gate = Arc::clone(self);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            count(&gate.tally.units_in);
            let unit = Unit { pts: buffer.pts(), duration: buffer.duration(), key, bytes: buffer.size() };
            on_unit(pad, buffer, unit);
            let deltas = gate.ends_deltas(buffer.size(), key);
            if !gate.opens(pad, buffer, key) {
                return gst::PadProbeReturn::Drop;
            }
            if deltas.is_some_and(|deltas| may_pass(pad, buffer, &|| deltas.key_unit())) {
                count(&gate.tally.quiet_dropped);
                return gst::PadProbeReturn::Drop;
            }
            if gate.cadence != Cadence::Keyframes || gate.behind == Behind::Pool {
                return gst::PadProbeReturn::Ok;
            }
            if gate.pending.swap(true, Ordering::Relaxed) {
                count(&gate.tally.decode_errors);
            }
            let (Some(buffer), Some(decoder)) = (info.take_buffer(), pad.peer()) else {
                return gst::PadProbeReturn::Drop;
            };
            info.flow_res = decoder.chain(buffer);
            if info.flow_res.is_ok() {
                decoder.send_event(gst_video::StillFrameEvent::builder(true).build());
            }
            gst::PadProbeReturn::Handled
        });
    }

    /// What came before a key frame, where only these are decoded: elsewhere none may be passed, since what follows
    /// refers to it.
    fn ends_deltas(&self, bytes: usize, key: bool) -> Option<Deltas> {
        if self.cadence != Cadence::Keyframes {
            return None;
        }
        let mut deltas = self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        if key {
            Some(std::mem::take(&mut *deltas)).filter(Deltas::is_any)
        } else {
            deltas.add(bytes);
            None
        }
    }

    /// Whether this unit goes to the decoder; counts it when not.
    fn opens(&self, pad: &gst::Pad, buffer: &gst::BufferRef, key: bool) -> bool {
        if buffer.pts().is_some_and(|pts| self.damage.has(pts.nseconds())) {
            // What follows refers to it.
            self.closed.store(true, Ordering::Relaxed);
            count(&self.tally.damaged_dropped);
            return false;
        }
        if key {
            self.closed.store(false, Ordering::Relaxed);
            return true;
        }
        if self.cadence == Cadence::Keyframes || self.closed.load(Ordering::Relaxed) {
            count(&self.tally.delta_dropped);
            return false;
        }
        if self.live && behind(pad, buffer).is_some_and(|late| late > BEHIND_MAX) {
            self.closed.store(true, Ordering::Relaxed);
            count(&self.tally.late_dropped);
            return false;
        }
        true
    }
}

/// How long ago the unit arrived: running time now minus its own.
fn behind(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<Duration> {
    let now = pad.parent_element()?.current_running_time()?;
    Some(now.checked_sub(buffer.pts()?)?.into())
}
