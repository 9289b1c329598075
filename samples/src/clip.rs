//! A clip in memory: its access units in decoding order, ready to be sent again and again.
//!
//! What comes in: a file of any kind that GStreamer reads. What goes out: H.264 or H.265 units with start
//! codes, times from zero, the length of one lap. Never: a unit that depends on one outside the clip.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::SamplesError;
use crate::make::{Codec, KEY_SECS, encoder};

/// What a camera sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServedCodec {
    /// As the clip is, if that is H.264 or H.265; H.264 otherwise.
    #[default]
    AsIs,
    /// H.264, encoded at load if the clip is otherwise.
    H264,
    /// H.265, encoded at load if the clip is otherwise.
    H265,
}

/// One access unit, times in nanoseconds from the clip's first decoding time.
pub(crate) struct Unit {
    pub(crate) buffer: gst::Buffer,
    pub(crate) pts_ns: u64,
    pub(crate) dts_ns: u64,
    pub(crate) key: bool,
}

/// A whole clip.
pub(crate) struct Clip {
    pub(crate) codec: Codec,
    pub(crate) caps: gst::Caps,
    pub(crate) units: Vec<Unit>,
    pub(crate) lap: Duration,
}

impl Clip {
    /// The index of the newest key frame at a position in the lap.
    pub(crate) fn key_before(&self, position: Duration) -> usize {
        let position_ns = u64::try_from(position.as_nanos()).unwrap_or(u64::MAX);
        self.units.iter().rposition(|u| u.key && u.dts_ns <= position_ns).unwrap_or(0)
    }
}

/// How often a clip shows a whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFrames {
    /// Key frames of one lap.
    pub count: usize,
    /// How long it is.
    pub lap: Duration,
}

/// Counts a clip's key frames, as a camera would send them.
///
/// # Errors
/// When the clip cannot be read.
pub fn key_frames(path: &Path) -> Result<KeyFrames, SamplesError> {
    gst::init()?;
    let clip = load(path, ServedCodec::AsIs)?;
    Ok(KeyFrames { count: clip.units.iter().filter(|unit| unit.key).count(), lap: clip.lap })
}

/// Reads a clip, encoding it anew where the wanted codec is another.
pub(crate) fn load(path: &Path, wanted: ServedCodec) -> Result<Clip, SamplesError> {
    let refuse = |reason: &str| SamplesError::Clip { path: path.to_owned(), reason: reason.to_owned() };
    if !path.is_file() {
        return Err(refuse("there is no such file"));
    }
    let plain = match wanted {
        ServedCodec::AsIs => read(path, None)?,
        ServedCodec::H264 => read(path, None)?.filter(|c| c.codec == Codec::H264),
        ServedCodec::H265 => read(path, None)?.filter(|c| c.codec == Codec::H265),
    };
    let clip = match (plain, wanted) {
        (Some(clip), _) => Some(clip),
        (None, ServedCodec::H265) => read(path, Some(Codec::H265))?,
        (None, _) => read(path, Some(Codec::H264))?,
    };
    let clip = clip.ok_or_else(|| refuse("it holds no video that can be decoded"))?;
    if clip.units.first().is_none_or(|u| !u.key) {
        return Err(refuse("it does not begin with a key frame"));
    }
    Ok(clip)
}

type Collected = Arc<Mutex<(Option<(Codec, gst::Caps)>, Vec<gst::Buffer>)>>;

/// `encode: None` gives `None` when the clip is neither H.264 nor H.265.
fn read(path: &Path, encode: Option<Codec>) -> Result<Option<Clip>, SamplesError> {
    let pipeline = gst::Pipeline::new();
    let source =
        gst::ElementFactory::make("filesrc").property("location", path.to_string_lossy().as_ref()).build()?;
    let kind = if encode.is_some() { "decodebin" } else { "parsebin" };
    let demux = gst::ElementFactory::make(kind).build()?;
    let collected = Collected::default();
    let (weak, into) = (pipeline.downgrade(), Arc::clone(&collected));
    demux.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if let Err(error) = join(&pipeline, pad, encode, &into) {
            tracing::debug!(%error, "clip pad left out");
        }
    });
    pipeline.add_many([&source, &demux])?;
    source.link(&demux)?;
    let end = run(&pipeline);
    let (joined, buffers) = std::mem::take(&mut *collected.lock().unwrap_or_else(PoisonError::into_inner));
    let Some((codec, caps)) = joined else { return Ok(None) };
    end.map_err(|reason| SamplesError::Clip { path: path.to_owned(), reason })?;
    Ok(lap(codec, caps, buffers))
}

/// Runs a pipeline to its end.
pub(crate) fn run(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("a pipeline without bus")?;
    let started = pipeline.set_state(gst::State::Playing);
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        bus.timed_pop_filtered(if started.is_ok() { None } else { gst::ClockTime::ZERO.into() }, &wanted);
    let _ = pipeline.set_state(gst::State::Null);
    match message.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
        _ => Err("the pipeline does not start".to_owned()),
    }
}

/// From a pad of the demuxer to the list.
fn join(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    encode: Option<Codec>,
    into: &Collected,
) -> Result<(), SamplesError> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let codec = match (encode, caps.structure(0).map(|s| s.name().as_str())) {
        (Some(codec), Some("video/x-raw")) => codec,
        (None, Some("video/x-h264")) => Codec::H264,
        (None, Some("video/x-h265")) => Codec::H265,
        _ => return Ok(()),
    };
    if into.lock().unwrap_or_else(PoisonError::into_inner).0.is_some() {
        return Ok(());
    }
    let mut elements = Vec::new();
    if encode.is_some() {
        let fps = caps.structure(0).and_then(|s| s.get::<gst::Fraction>("framerate").ok());
        let fps = fps.filter(|f| f.numer() > 0).map_or(25.0, |f| f64::from(f.numer()) / f64::from(f.denom()));
        elements.push(gst::ElementFactory::make("videoconvert").build()?);
        elements.push(encoder(codec, (fps * KEY_SECS).round().max(1.0) as u32)?);
    }
    elements.push(gst::ElementFactory::make(codec.parser()).property("config-interval", -1_i32).build()?);
    let sink = gst_app::AppSink::builder().caps(&codec.unit_caps()).sync(false).max_buffers(4).build();
    let (list, first_caps) = (Arc::clone(into), codec);
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                if list.1.is_empty() {
                    list.0 = sample.caps_owned().map(|caps| (first_caps, caps));
                }
                list.1.extend(sample.buffer_owned());
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    elements.push(sink.upcast());
    pipeline.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let into = elements.first().and_then(|e| e.static_pad("sink"));
    let into = into.ok_or_else(|| SamplesError::Gstreamer("an element without sink".to_owned()))?;
    pad.link(&into).map_err(|e| SamplesError::Gstreamer(e.to_string()))?;
    Ok(())
}

/// Times from zero, and how long one lap is.
fn lap(codec: Codec, caps: gst::Caps, buffers: Vec<gst::Buffer>) -> Option<Clip> {
    let pts = |b: &gst::Buffer| b.pts().or(b.dts()).map(gst::ClockTime::nseconds);
    let dts = |b: &gst::Buffer| b.dts().or(b.pts()).map(gst::ClockTime::nseconds);
    let zero = buffers.iter().filter_map(|b| pts(b).min(dts(b))).min()?;
    let units: Vec<Unit> = buffers
        .into_iter()
        .filter_map(|buffer| {
            let (pts_ns, dts_ns) = (pts(&buffer)? - zero, dts(&buffer)? - zero);
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            Some(Unit { buffer, pts_ns, dts_ns, key })
        })
        .collect();
    let (first, last) = (units.first()?, units.last()?);
    // The last unit lasts as long as units do on average.
    let count = u64::try_from(units.len()).ok()?;
    let step_ns = if count > 1 { (last.dts_ns - first.dts_ns) / (count - 1) } else { 40_000_000 };
    let lap = Duration::from_nanos(last.dts_ns + step_ns.max(1));
    Some(Clip { codec, caps, units, lap })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_earlier_key_frame_begins() {
        gst::init().unwrap();
        let buffers = (0..10_u64)
            .map(|i| {
                let mut buffer = gst::Buffer::new();
                let unit = buffer.get_mut().unwrap();
                // Decoding times may begin anywhere; every fifth unit is a key frame.
                unit.set_dts(gst::ClockTime::from_mseconds(1000 + 100 * i));
                unit.set_pts(gst::ClockTime::from_mseconds(1200 + 100 * i));
                if i % 5 != 0 {
                    unit.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
                buffer
            })
            .collect();
        let clip = lap(Codec::H264, Codec::H264.unit_caps(), buffers).unwrap();
        assert_eq!(clip.lap, Duration::from_secs(1));
        assert_eq!((clip.units[5].dts_ns, clip.units[5].pts_ns), (500_000_000, 700_000_000));
        let at = |ms| clip.key_before(Duration::from_millis(ms));
        assert_eq!([at(0), at(499), at(500), at(999)], [0, 0, 5, 5]);
    }
}
