//! The last seconds of a camera as it sent them: what a clip is cut from.
//!
//! What comes in: every access unit that arrived whole, key frames and deltas, in the order of decoding. What goes out:
//! those around a moment, from a key frame on, as an MP4 with nothing encoded anew. Never: more than its limits, units of
//! two connections in one clip, a unit of which packets are missing.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::decode::Codec;

/// What a ring holds at most for each second that it is to keep, whatever a camera sends: 16 Mbit/s.
const BYTES_A_SEC_MAX: usize = 2 << 20;
/// What a unit takes beside its own bytes, at most.
const UNIT_OVERHEAD: usize = 1 << 10;
/// A frame's time and that of its unit differ by less.
const SAME: Duration = Duration::from_millis(1);
/// How long writing a clip may take.
const WRITE_LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// Why a clip cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("clip {}: {reason}", .path.display())]
pub struct CutError {
    /// Which.
    pub path: PathBuf,
    /// What went wrong.
    pub reason: String,
}

struct Kept {
    unit: gst::Buffer,
    /// As of the frames: since the camera was started.
    pts: Duration,
    is_key: bool,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.unit.size() + UNIT_OVERHEAD
    }
}

#[derive(Default)]
struct Inner {
    connection: u64,
    caps: Option<gst::Caps>,
    units: VecDeque<Kept>,
    bytes: usize,
}

/// What is kept of one camera.
pub(crate) struct Ring {
    length: Duration,
    inner: Mutex<Inner>,
}

impl Ring {
    /// Keeps at least so much, from a key frame on.
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, inner: Mutex::default() }
    }

    /// Keeps a unit of this connection. What stands before the first key frame is of no use.
    pub(crate) fn push(
        &self,
        connection: u64,
        caps: &gst::Caps,
        unit: gst::Buffer,
        pts: Duration,
        is_key: bool,
    ) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.connection != connection || is_key && inner.caps.as_ref() != Some(caps) {
            *inner = Inner { connection, caps: Some(caps.clone()), ..Inner::default() };
        }
        if inner.units.is_empty() && !is_key {
            return;
        }
        let kept = Kept { unit, pts, is_key };
        inner.bytes += kept.bytes();
        inner.units.push_back(kept);
        if is_key {
            inner.shorten(pts.saturating_sub(self.length));
        }
        while inner.bytes > self.bytes_max() {
            inner.drop_group();
        }
    }

    fn bytes_max(&self) -> usize {
        BYTES_A_SEC_MAX * usize::try_from(self.length.as_secs()).unwrap_or(usize::MAX).max(1)
    }

    /// What lies as much as `half` before and after a frame's moment, from the last key frame before on. `None` where the
    /// frame is none of what is kept: what has the same times may be another connection's.
    pub(crate) fn cut(&self, moment: Duration, half: Duration) -> Option<Cut> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.units.iter().any(|kept| kept.pts.abs_diff(moment) < SAME) {
            return None;
        }
        let (from, to) = (moment.saturating_sub(half), moment + half);
        let first = inner.units.iter().rposition(|kept| kept.is_key && kept.pts <= from).unwrap_or(0);
        let units: Vec<(gst::Buffer, Duration)> = inner
            .units
            .range(first..)
            .take_while(|kept| kept.pts <= to)
            .map(|kept| (kept.unit.clone(), kept.pts))
            .collect();
        let caps = inner.caps.clone()?;
        (!units.is_empty()).then_some(Cut { caps, units })
    }
}

impl Inner {
    /// Drops groups of pictures that end before this moment.
    fn shorten(&mut self, until: Duration) {
        while let Some(next) = self.units.iter().skip(1).find(|kept| kept.is_key)
            && next.pts <= until
        {
            self.drop_group();
        }
    }

    /// Drops the oldest key frame and what refers to it.
    fn drop_group(&mut self) {
        let next = self.units.iter().skip(1).position(|kept| kept.is_key);
        let count = next.map_or(self.units.len(), |at| at + 1);
        self.bytes -= self.units.drain(..count).map(|kept| kept.bytes()).sum::<usize>();
    }
}

/// Some seconds of a camera, as it sent them.
pub struct Cut {
    caps: gst::Caps,
    /// In the order of decoding, a key frame first.
    units: Vec<(gst::Buffer, Duration)>,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cut").field("units", &self.units.len()).field("span", &self.span()).finish()
    }
}

impl Cut {
    /// The earliest and the latest picture, by the same clock as [`crate::Frame::pts`].
    pub fn span(&self) -> (Duration, Duration) {
        let times = || self.units.iter().map(|(_, pts)| *pts);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }

    /// Writes it as an MP4.
    ///
    /// # Errors
    /// An element of GStreamer is missing, or the disk refuses.
    pub fn write(self, path: &Path) -> Result<(), CutError> {
        let refuse = |reason: String| CutError { path: path.to_owned(), reason };
        let times = decoding_times(&self.units);
        let source = gst_app::AppSrc::builder()
            .caps(&self.caps)
            .format(gst::Format::Time)
            // All of it is here already.
            .max_bytes(0)
            .build();
        let pipeline = Running(gst::Pipeline::new());
        let built = chain(&source, &self.caps, path).and_then(|chain| {
            pipeline.0.add_many(&chain)?;
            gst::Element::link_many(&chain)
        });
        built.map_err(|error| refuse(error.to_string()))?;
        if pipeline.0.set_state(gst::State::Playing).is_err() {
            return Err(refuse("it cannot be opened for writing".to_owned()));
        }
        for ((mut unit, _), (shown, decoded)) in self.units.into_iter().zip(times) {
            let buffer = unit.make_mut();
            buffer.set_pts(gst::ClockTime::try_from(shown).ok());
            buffer.set_dts(gst::ClockTime::try_from(decoded).ok());
            buffer.set_duration(None);
            // What is wrong stands on the bus.
            let _ = source.push_buffer(unit);
        }
        let _ = source.end_of_stream();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = pipeline.0.bus().and_then(|bus| bus.timed_pop_filtered(WRITE_LIMIT, &wanted));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(refuse(error.error().to_string())),
            _ => Err(refuse("its end is not written".to_owned())),
        }
    }
}

/// When each unit is shown and when it is decoded, from the first decoding on. RTP tells the first alone, an MP4 wants to
/// know both: units are decoded at the pace at which they are shown, as late as leaves none of them late.
fn decoding_times(units: &[(gst::Buffer, Duration)]) -> Vec<(Duration, Duration)> {
    let mut paces: Vec<Duration> = units.iter().map(|(_, pts)| *pts).collect();
    paces.sort_unstable();
    let start = paces.first().copied().unwrap_or_default();
    let both = || units.iter().map(|(_, pts)| *pts).zip(&paces);
    let ahead = both().map(|(pts, pace)| pace.saturating_sub(pts)).max().unwrap_or_default();
    both().map(|(pts, pace)| (pts + ahead - start, *pace - start)).collect()
}

/// A pipeline that ends with its scope.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn chain(
    source: &gst_app::AppSrc,
    caps: &gst::CapsRef,
    path: &Path,
) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let make = |name: &str| gst::ElementFactory::make(name).build();
    let codec = Codec::from_caps(caps).ok_or_else(|| gst::glib::bool_error!("it is no H.264 or H.265"))?;
    Ok(vec![
        source.clone().upcast(),
        make(codec.parse())?,
        make("mp4mux")?,
        gst::ElementFactory::make("filesink")
            .property("location", path.to_string_lossy().as_ref())
            .build()?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(codec: Codec) -> gst::Caps {
        gst::init().unwrap();
        codec.caps()
    }

    fn second(at: u64) -> Duration {
        Duration::from_secs(at)
    }

    /// A unit a second, every `every`th a key frame.
    fn fill(ring: &Ring, connection: u64, seconds: std::ops::Range<u64>, every: u64, bytes: usize) {
        let caps = caps(Codec::H264);
        for at in seconds {
            let unit = gst::Buffer::from_mut_slice(vec![0; bytes]);
            ring.push(connection, &caps, unit, second(at), at.is_multiple_of(every));
        }
    }

    /// Around a second, so much before and after.
    fn span(ring: &Ring, moment: u64, half: u64) -> Option<(u64, u64)> {
        let (first, last) = ring.cut(second(moment), second(half))?.span();
        Some((first.as_secs(), last.as_secs()))
    }

    #[test]
    fn a_cut_begins_with_a_key_frame_and_ends_where_it_is_asked_to() {
        let ring = Ring::new(second(20));
        assert_eq!(span(&ring, 5, 5), None);
        fill(&ring, 1, 3..60, 5, 10);
        assert_eq!(span(&ring, 52, 5), Some((45, 57)));
        assert_eq!(span(&ring, 57, 9), Some((45, 59)), "as much as there is");
        assert_eq!(span(&ring, 37, 9), Some((35, 46)), "what is older than twenty seconds has gone");
        assert_eq!(span(&ring, 34, 9), None, "and its moment with it");
        assert_eq!(span(&ring, 3600, 9), None, "it never was");
    }

    #[test]
    fn what_stands_before_the_first_key_frame_and_what_an_older_connection_sent_is_in_no_cut() {
        let ring = Ring::new(second(20));
        fill(&ring, 1, 1..5, 100, 10);
        assert_eq!(span(&ring, 3, 5), None);
        fill(&ring, 1, 5..12, 5, 10);
        assert_eq!(span(&ring, 8, 5), Some((5, 11)));
        fill(&ring, 2, 12..14, 5, 10);
        assert_eq!(span(&ring, 8, 5), None, "the new connection has sent no key frame yet");
        fill(&ring, 2, 14..20, 5, 10);
        assert_eq!(span(&ring, 8, 9), None, "nor what the old one has sent");
        assert_eq!(span(&ring, 16, 9), Some((15, 19)));
    }

    #[test]
    fn what_is_shown_out_of_turn_is_decoded_before_it_is_shown() {
        gst::init().unwrap();
        let units: Vec<_> =
            [7, 10, 8, 9, 13, 11, 12].map(|at| (gst::Buffer::new(), second(at))).into_iter().collect();
        let times = decoding_times(&units);
        let told: Vec<_> =
            times.iter().map(|(shown, decoded)| (shown.as_secs(), decoded.as_secs())).collect();
        assert_eq!(told, [(1, 0), (4, 1), (2, 2), (3, 3), (7, 4), (5, 5), (6, 6)]);
        let plain: Vec<_> = [3, 4, 5].map(|at| (gst::Buffer::new(), second(at))).into();
        assert!(decoding_times(&plain).iter().all(|(shown, decoded)| shown == decoded));
        assert!(decoding_times(&[]).is_empty());
    }

    #[test]
    fn it_never_holds_more_than_its_limit() {
        // Large units, a group that is too large by itself, and next to nothing millions of times.
        for (every, bytes, units) in [(5, 3 << 20, 50), (100, 3 << 20, 50), (50_000, 1, 60_000)] {
            let ring = Ring::new(second(10));
            let caps = caps(Codec::H264);
            for at in 0..units {
                let unit = gst::Buffer::from_mut_slice(vec![0; bytes]);
                ring.push(1, &caps, unit, Duration::from_millis(at), at.is_multiple_of(every));
                assert!(ring.inner.lock().unwrap().bytes <= 10 * BYTES_A_SEC_MAX);
            }
            let inner = ring.inner.lock().unwrap();
            assert_eq!(inner.bytes, inner.units.iter().map(Kept::bytes).sum::<usize>());
        }
    }
}
