//! A decoder of lone key frames: one access unit in, one picture out, in the caller's thread.
//!
//! What comes in: an access unit with its parameter sets, of any camera. What goes out: its picture in the decoder's
//! own YUV, or why there is none. Never: anything of one unit in the picture of the next; a thread of its own, where
//! the decoder has none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::Cadence;
use crate::decode::{self, Codec};

/// Software gives its picture before the drain returns; a device may hand it out from a thread of its own.
const DEVICE_LIMIT: Duration = Duration::from_millis(500);
/// From unit to unit in the decoder's own time: cameras' times would jump to and fro.
const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A decoded picture.
pub(crate) type Picture = gst_video::VideoFrame<gst_video::video_frame::Readable>;

/// Why a unit gave no picture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It holds none that can be decoded; the decoder may go on.
    Unit,
    /// The decoder is in error and must be replaced.
    Decoder,
}

#[derive(Default)]
struct Out {
    sample: Mutex<Option<(gst::Buffer, Option<gst::Caps>)>>,
    came: Condvar,
    is_failed: AtomicBool,
}

/// A parser, a decoder and what makes 4:2:0 of 8 bits of its output, with nothing around them.
pub(crate) struct Lone {
    chain: gst::Pipeline,
    decoder: gst::Element,
    into: gst::Pad,
    /// Held here: a pad that nobody holds is gone, linked or not.
    end: gst::Pad,
    out: Arc<Out>,
    is_device: bool,
    at: gst::ClockTime,
}

impl Lone {
    /// The best decoder of a codec that starts here.
    ///
    /// # Errors
    /// What GStreamer said.
    pub(crate) fn open(codec: Codec) -> Result<Self, gst::glib::BoolError> {
        let make = |name: &str| gst::ElementFactory::make(name).build();
        let decoder = decode::best(&codec.caps(), Cadence::Keyframes)
            .ok_or_else(|| gst::glib::bool_error!("no decoder of {} starts here", codec.name()))?;
        let (parse, convert) = (make(codec.parse())?, make("videoconvert")?);
        let chain = gst::Pipeline::new();
        chain.add_many([&parse, &decoder, &convert])?;
        gst::Element::link_many([&parse, &decoder, &convert])?;
        let is_device =
            decoder.factory().is_some_and(|factory| factory.has_type(gst::ElementFactoryType::HARDWARE));
        let out = Arc::new(Out::default());
        watch(&chain, &out);
        let into = gst::Pad::builder(gst::PadDirection::Src).name("units").build();
        let end = end_pad(&out);
        let pad = |element: &gst::Element, name: &str| {
            element.static_pad(name).ok_or_else(|| gst::glib::bool_error!("an element without {name} pad"))
        };
        let link = |from: &gst::Pad, to: &gst::Pad| {
            from.link(to).map(drop).map_err(|error| gst::glib::bool_error!("{error}"))
        };
        link(&into, &pad(&parse, "sink")?)?;
        link(&pad(&convert, "src")?, &end)?;
        // From the end on, so that nothing flows into what is not ready.
        end.set_active(true)?;
        let lone = Self { chain, decoder, into, end, out, is_device, at: gst::ClockTime::ZERO };
        lone.chain
            .set_state(gst::State::Playing)
            .map_err(|_| gst::glib::bool_error!("the decoder of {} does not start", codec.name()))?;
        lone.into.set_active(true)?;
        lone.into.push_event(gst::event::StreamStart::new("lone"));
        lone.into.push_event(gst::event::Caps::new(&codec.caps()));
        lone.into.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        Ok(lone)
    }

    /// Decodes one unit.
    pub(crate) fn decode(&mut self, mut unit: gst::Buffer) -> Result<Picture, Fault> {
        self.at += STEP;
        {
            let unit = unit.make_mut();
            unit.set_pts(self.at);
            unit.set_dts(self.at);
            unit.set_duration(STEP);
        }
        self.sample().take();
        let pushed = self.into.push(unit);
        // Past the parser, which would keep the event for the next unit: the decoder drains on it.
        if let (Ok(_), Some(sink)) = (pushed, self.decoder.static_pad("sink")) {
            sink.send_event(gst_video::StillFrameEvent::builder(true).build());
        }
        let came = self.wait();
        if pushed.is_err() || self.out.is_failed.load(Ordering::Relaxed) {
            return Err(Fault::Decoder);
        }
        let (buffer, caps) = came.ok_or(Fault::Unit)?;
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            return Err(Fault::Unit);
        }
        let info = caps.and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok()).ok_or(Fault::Unit)?;
        gst_video::VideoFrame::from_buffer_readable(buffer, &info).map_err(|_| Fault::Unit)
    }

    fn wait(&self) -> Option<(gst::Buffer, Option<gst::Caps>)> {
        let mut sample = self.sample();
        if self.is_device && sample.is_none() {
            let waited = self.out.came.wait_timeout_while(sample, DEVICE_LIMIT, |sample| sample.is_none());
            sample = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        sample.take()
    }

    fn sample(&self) -> std::sync::MutexGuard<'_, Option<(gst::Buffer, Option<gst::Caps>)>> {
        self.out.sample.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        let _ = self.into.set_active(false);
        let _ = self.chain.set_state(gst::State::Null);
        let _ = self.end.set_active(false);
        if let Some(bus) = self.chain.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Messages are read where they arise and never queued. What is wrong with a unit shows in that it gives no picture.
fn watch(chain: &gst::Pipeline, out: &Arc<Out>) {
    let Some(bus) = chain.bus() else { return };
    let out = Arc::clone(out);
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            tracing::debug!(error = %error.error(), "a decoder is in error");
            out.is_failed.store(true, Ordering::Relaxed);
        }
        gst::BusSyncReply::Drop
    });
}

/// Where pictures come out. Strides and offsets of the decoder's own buffers are understood: without this libav copies
/// every picture.
fn end_pad(out: &Arc<Out>) -> gst::Pad {
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    let out = Arc::clone(out);
    let builder =
        match gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps) {
            Ok(template) => gst::Pad::builder_from_template(&template),
            Err(_) => gst::Pad::builder(gst::PadDirection::Sink),
        };
    builder
        .chain_function(move |pad, _, buffer| {
            *out.sample.lock().unwrap_or_else(PoisonError::into_inner) = Some((buffer, pad.current_caps()));
            out.came.notify_one();
            Ok(gst::FlowSuccess::Ok)
        })
        .query_function(|pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Allocation(query) => {
                query.add_allocation_meta::<gst_video::VideoMeta>(None);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build()
}
