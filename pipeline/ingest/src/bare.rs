//! The bare limit of decoding: a recording's pictures decoded into nothing.
//!
//! What comes in: a file and a cadence. What goes out: how many pictures a camera at that cadence would have given.
//! The parser and the decoder are those of a camera; there is no clock, no stamp, no frame. Never: a picture that
//! anybody sees.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::beat::is_due;
use crate::clip::ClipError;
use crate::decode;
use crate::{Cadence, IngestError};

/// Decodes a recording to its end and gives the number of pictures that the cadence wants.
///
/// # Errors
/// No such file, no decoder, or a picture that cannot be decoded.
pub fn decode_into_nothing(path: &Path, cadence: Cadence) -> Result<u64, ClipError> {
    let refuse = |reason: String| ClipError { path: path.to_owned(), reason };
    crate::init().map_err(|error: IngestError| refuse(error.to_string()))?;
    if !path.is_file() {
        return Err(refuse("there is no such file".to_owned()));
    }
    let wanted = Arc::new(AtomicU64::new(0));
    let pipeline = gst::Pipeline::new();
    let ended = build(&pipeline, path, cadence, &wanted).map_err(|error| error.to_string()).and_then(|()| {
        let bus = pipeline.bus().ok_or("a pipeline without bus")?;
        pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
        let message = bus.timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            _ => Err("it ended without a word".to_owned()),
        }
    });
    let _ = pipeline.set_state(gst::State::Null);
    ended.map_err(refuse)?;
    match wanted.load(Ordering::Relaxed) {
        0 => Err(refuse("it holds no picture".to_owned())),
        pictures => Ok(pictures),
    }
}

fn build(
    pipeline: &gst::Pipeline,
    path: &Path,
    cadence: Cadence,
    wanted: &Arc<AtomicU64>,
) -> Result<(), gst::glib::BoolError> {
    let source =
        gst::ElementFactory::make("filesrc").property("location", path.to_string_lossy().as_ref()).build()?;
    let parse = gst::ElementFactory::make("parsebin").build()?;
    let (weak, wanted) = (pipeline.downgrade(), Arc::clone(wanted));
    parse.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        if !caps.structure(0).is_some_and(|structure| structure.name().starts_with("video/")) {
            return;
        }
        if let Err(error) = join(&pipeline, pad, &caps, cadence, &wanted) {
            gst::element_error!(pipeline, gst::StreamError::Decode, ("{error}"));
        }
    });
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)
}

fn join(
    pipeline: &gst::Pipeline,
    from: &gst::Pad,
    caps: &gst::CapsRef,
    cadence: Cadence,
    wanted: &Arc<AtomicU64>,
) -> Result<(), gst::glib::BoolError> {
    let decoder = decode::best(caps, cadence)
        .ok_or_else(|| gst::glib::bool_error!("{} has no decoder here", decode::codec_name(caps)))?;
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).build()?;
    pipeline.add_many([&decoder, &sink])?;
    decoder.link(&sink)?;
    let pad = |element: &gst::Element| {
        element.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("an element without sink"))
    };
    let (into, end) = (pad(&decoder)?, pad(&sink)?);
    if cadence == Cadence::Keyframes {
        // On the source's pad: what a sink's pad drops is let go of twice, with a warning for each.
        from.add_probe(gst::PadProbeType::BUFFER, |_, info| match info.buffer() {
            Some(buffer) if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) => {
                gst::PadProbeReturn::Drop
            }
            _ => gst::PadProbeReturn::Ok,
        });
    }
    let (wanted, next_ns) = (Arc::clone(wanted), Mutex::new(None));
    end.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let at = info.buffer().and_then(|buffer| buffer.pts()).map_or(0, gst::ClockTime::nseconds);
        let is_wanted = match cadence {
            Cadence::Keyframes => true,
            Cadence::Fps(fps) => is_due(at, fps, &mut next_ns.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        wanted.fetch_add(u64::from(is_wanted), Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    for element in [&sink, &decoder] {
        element.sync_state_with_parent()?;
    }
    from.link(&into).map_err(|error| gst::glib::bool_error!("{error}"))?;
    Ok(())
}
