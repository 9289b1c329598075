//! One connection: the pipeline from a camera or file to frames.
//!
//! What comes in: a checked configuration and the camera's shared parts. What goes out: frames through the
//! callback, [`Event`]s through a bounded channel. Elements are put together by hand, so that it is plain
//! which one drops what. Never: a decision to connect again (that is the supervisor's).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::beat::is_due;
use crate::clock::{WallClock, now_unix_ns};
use crate::connection::{Facts, Happening, Parts};
use crate::decode::{self, Codec};
use crate::gate::Unit;
use crate::pool::{Lonely, Pool};
use crate::refusal::classify;
use crate::state::count;
use crate::{Cadence, Refusal, SourceLocation, Transport};

/// What rtspsrc may hold: over TCP a burst after a network hiccup, over UDP also the wait for lost packets.
/// Pictures leave at once all the same, as nothing downstream synchronises to a clock.
const LATENCY_TCP_MS: u32 = 2000;
const LATENCY_UDP_MS: u32 = 500;
/// Longest wait for an answer of the camera inside rtspsrc.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A running connection. Dropping it closes the pipeline.
pub(crate) struct Stream {
    pipeline: gst::Pipeline,
    parts: Parts,
}

impl Stream {
    /// Starts a connection to a place.
    pub(crate) fn open(location: &SourceLocation, parts: Parts) -> Result<Self, Refusal> {
        let pipeline = gst::Pipeline::new();
        watch_bus(&pipeline, &parts);
        let built = match location {
            SourceLocation::Rtsp { .. } => build_rtsp(&pipeline, location, &parts),
            SourceLocation::File { path, .. } if !path.exists() => return Err(Refusal::NotFound),
            SourceLocation::File { path, .. } => build_file(&pipeline, path, &parts),
        };
        let live = parts.live;
        let stream = Self { pipeline, parts };
        built.map_err(|e| Refusal::Other(e.to_string()))?;
        // Started at once, a file's clock would run while its parts are still put together, and the first
        // second would be played in haste.
        let first = if live { gst::State::Playing } else { gst::State::Paused };
        let begun = stream.pipeline.set_state(first);
        begun.map_err(|_| Refusal::Other("the pipeline does not start".to_owned()))?;
        Ok(stream)
    }

    /// What is learnt of it.
    pub(crate) fn facts(&self) -> &Facts {
        &self.parts.facts
    }

    /// Its pieces.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Lets a file run that said [`Happening::Ready`].
    pub(crate) fn play(&self) {
        if self.pipeline.set_state(gst::State::Playing).is_err() {
            tracing::debug!("a file does not start; its bus says why");
        }
    }

    /// How long a file is, where its container says.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.pipeline.query_duration::<gst::ClockTime>().map(Duration::from)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        self.parts.leave();
    }
}

/// Messages are read where they arise and never queued: a bus nobody pops grows without limit.
fn watch_bus(pipeline: &gst::Pipeline, parts: &Parts) {
    let Some(bus) = pipeline.bus() else { return };
    let parts = parts.clone();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let debug = error.debug().map(|d| d.to_string()).unwrap_or_default();
                let refusal = classify(&error.error(), &debug, parts.live);
                parts.tell(Happening::Failed(parts.facts.refine(refusal)));
            }
            gst::MessageView::Warning(warning) if warning.error().matches(gst::StreamError::Decode) => {
                count(&parts.shared.tally.decode_errors);
            }
            gst::MessageView::AsyncDone(_) if !parts.live => parts.tell(Happening::Ready),
            gst::MessageView::Eos(_) => parts.tell(Happening::End),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

type Built = Result<(), gst::glib::BoolError>;

fn make(name: &str) -> Result<gst::Element, gst::glib::BoolError> {
    gst::ElementFactory::make(name).build()
}

fn build_rtsp(pipeline: &gst::Pipeline, location: &SourceLocation, parts: &Parts) -> Built {
    let SourceLocation::Rtsp { url, transport, credentials } = location else { return Ok(()) };
    let source = make("rtspsrc")?;
    source.set_property("location", url);
    let (protocols, latency_ms) = match transport {
        Transport::Tcp => ("tcp", LATENCY_TCP_MS),
        Transport::Udp => ("udp", LATENCY_UDP_MS),
    };
    source.set_property_from_str("protocols", protocols);
    source.set_property("latency", latency_ms);
    // Bounds the jitter buffer when the decoder does not follow.
    source.set_property("drop-on-latency", true);
    source.set_property("tcp-timeout", u64::try_from(ANSWER_LIMIT.as_micros()).unwrap_or(u64::MAX));
    source.set_property("do-retransmission", false);
    source.set_property("user-agent", "shirong");
    if let Some(credentials) = credentials {
        source.set_property("user-id", &credentials.user);
        source.set_property("user-pw", credentials.password.expose());
    }
    select_video(&source, &parts.facts);
    listen_to_rtcp(&source, &parts.clock);
    let (weak, parts) = (pipeline.downgrade(), parts.clone());
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps.structure(0).and_then(|s| s.get::<String>("encoding-name").ok()).unwrap_or_default();
        let Some(codec) = Codec::from_encoding(&name) else { return };
        if let Err(error) = join_rtp(&pipeline, pad, codec, &parts) {
            parts.tell(Happening::Failed(Refusal::Other(error.to_string())));
        }
    });
    pipeline.add(&source)
}

/// The first H.264 or H.265 video is set up and nothing else: audio is never asked for.
fn select_video(source: &gst::Element, facts: &Arc<Facts>) {
    let facts = Arc::clone(facts);
    source.connect("select-stream", false, move |values| {
        facts.described.store(true, Ordering::Relaxed);
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let text = |name: &str| {
            let structure = caps.as_ref()?.structure(0)?;
            structure.get::<String>(name).ok()
        };
        let codec = text("encoding-name").unwrap_or_default();
        let wanted = match text("media").as_deref() {
            Some("video") if Codec::from_encoding(&codec).is_some() => {
                !facts.video.swap(true, Ordering::Relaxed)
            }
            Some("video") => {
                facts.refuse_codec(&codec);
                false
            }
            Some("audio") => {
                facts.audio.store(true, Ordering::Relaxed);
                false
            }
            _ => false,
        };
        Some(wanted.to_value())
    });
}

/// Sender reports are read as they enter rtpbin.
fn listen_to_rtcp(source: &gst::Element, clock: &Arc<WallClock>) {
    let clock = Arc::clone(clock);
    source.connect("new-manager", false, move |values| {
        let rtpbin = values.get(1).and_then(|v| v.get::<gst::Element>().ok())?;
        let clock = Arc::clone(&clock);
        rtpbin.connect_pad_added(move |_, pad| {
            if !pad.name().starts_with("recv_rtcp_sink") {
                return;
            }
            let clock = Arc::clone(&clock);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(map) = info.buffer().and_then(|b| b.map_readable().ok()) {
                    clock.on_rtcp(&map);
                }
                gst::PadProbeReturn::Ok
            });
        });
        None
    });
}

fn join_rtp(pipeline: &gst::Pipeline, pad: &gst::Pad, codec: Codec, parts: &Parts) -> Built {
    let (depay, whole, parse) = (make(codec.depay())?, make("capsfilter")?, make(codec.parse())?);
    // Access units end at the RTP marker; with NAL alignment the parser would wait for the next picture.
    whole.set_property("caps", codec.caps());
    // Parameter sets before every key frame: each is decoded alone.
    parse.set_property("config-interval", -1_i32);
    let elements = [&depay, &whole, &parse];
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    let sink = depay.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("depayloader without sink"))?;
    read_rtp(&sink, parts);
    let source = parse.static_pad("src").ok_or_else(|| gst::glib::bool_error!("parser without source"))?;
    join_gate(pipeline, &source, &codec.caps(), parts)?;
    for element in elements {
        element.sync_state_with_parent()?;
    }
    pad.link(&sink).map_err(|e| gst::glib::bool_error!("{e}"))?;
    Ok(())
}

/// Counts bytes and keeps the wall clock, packet by packet.
fn read_rtp(sink: &gst::Pad, parts: &Parts) {
    let parts = parts.clone();
    let clock_rate = AtomicU64::new(0);
    sink.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |pad, info| {
        if clock_rate.load(Ordering::Relaxed) == 0 {
            let rate = pad.current_caps().and_then(|c| c.structure(0)?.get::<i32>("clock-rate").ok());
            clock_rate.store(u64::try_from(rate.unwrap_or(90_000)).unwrap_or(90_000), Ordering::Relaxed);
        }
        let rate = u32::try_from(clock_rate.load(Ordering::Relaxed)).unwrap_or(90_000);
        let read = |buffer: &gst::BufferRef| {
            parts.shared.tally.bytes.fetch_add(buffer.size() as u64, Ordering::Relaxed);
            let (Some(pts), Ok(map)) = (buffer.pts(), buffer.map_readable()) else { return };
            parts.damage.on_packet(&map, pts.nseconds());
            if let Some(receipt_ns) = receipt(pad, pts)
                && let Some(skew_ms) = parts.clock.on_rtp(&map, nanos(pts), rate, receipt_ns)
            {
                parts.shared.tally.set_skew(skew_ms);
            }
        };
        if let Some(buffer) = info.buffer() {
            read(buffer);
        } else if let Some(list) = info.buffer_list() {
            list.iter().for_each(read);
        }
        gst::PadProbeReturn::Ok
    });
}

fn build_file(pipeline: &gst::Pipeline, path: &std::path::Path, parts: &Parts) -> Built {
    let (source, parse) = (make("filesrc")?, make("parsebin")?);
    source.set_property("location", path.to_string_lossy().as_ref());
    let (weak, parts) = (pipeline.downgrade(), parts.clone());
    parse.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let media = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        parts.facts.described.store(true, Ordering::Relaxed);
        if media.starts_with("audio/") {
            parts.facts.audio.store(true, Ordering::Relaxed);
        }
        if !media.starts_with("video/") || parts.facts.video.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = join_gate(&pipeline, pad, &caps, &parts) {
            parts.tell(Happening::Failed(Refusal::Other(error.to_string())));
        }
    });
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)
}

/// From a pad with whole compressed pictures (or raw video) through the gate to whoever decodes them.
fn join_gate(pipeline: &gst::Pipeline, from: &gst::Pad, caps: &gst::Caps, parts: &Parts) -> Built {
    let elements = match Codec::from_caps(caps) {
        Some(codec) if parts.is_pooled => into_pool(codec, parts)?,
        _ => match into_decoder(caps, parts)? {
            Some(elements) => elements,
            None => return Ok(()),
        },
    };
    pipeline.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    let door = elements.first().ok_or_else(|| gst::glib::bool_error!("nothing to join"))?;
    let guarded = door.static_pad("src").ok_or_else(|| gst::glib::bool_error!("filter without source"))?;
    guard(&guarded, parts);
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let into = door.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("filter without sink"))?;
    from.link(&into).map_err(|e| gst::glib::bool_error!("{e}"))?;
    Ok(())
}

/// Door, decoder of its own, callback; `None` where nothing decodes it, which is told.
fn into_decoder(caps: &gst::Caps, parts: &Parts) -> Result<Option<Vec<gst::Element>>, gst::glib::BoolError> {
    let raw = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
    let decoder = match decode::best(caps, parts.cadence) {
        _ if raw => make("identity")?,
        Some(decoder) => decoder,
        None => {
            parts.facts.video.store(false, Ordering::Relaxed);
            parts.facts.refuse_codec(&decode::codec_name(caps));
            parts.tell(Happening::Failed(parts.facts.refine(Refusal::NoVideo)));
            return Ok(None);
        }
    };
    Ok(Some(vec![make("capsfilter")?, decoder, make("videoconvert")?, frame_sink(parts).upcast()]))
}

/// Door and the end of the pipeline: key frames go to the decoders that all cameras share.
fn into_pool(codec: Codec, parts: &Parts) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let mut elements = vec![make("capsfilter")?];
    if !parts.live {
        // A recording has its parameter sets apart; before every key frame each can be decoded alone.
        let parse = make(codec.parse())?;
        parse.set_property("config-interval", -1_i32);
        elements.push(parse);
    }
    let pooled = parts.clone();
    let seat = Pool::shared().seat(codec, move |decoded| pooled.take(decoded));
    parts.sit(seat.map_err(|error| gst::glib::bool_error!("no thread for a decoder: {error}"))?);
    let sink = gst_app::AppSink::builder().caps(&codec.caps()).max_buffers(2).sync(parts.realtime).build();
    settle(&sink, parts);
    let put = parts.clone();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let (Some(running), Some(unit)) = (running(&sample), sample.buffer_owned()) else {
                    count(&put.shared.tally.decode_errors);
                    return Ok(gst::FlowSuccess::Ok);
                };
                let receipt_ns = received(&put, sink, running);
                put.put(Lonely { unit, running_ns: running.nseconds(), receipt_ns });
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    if let Some(pad) = sink.static_pad("sink") {
        let parts = parts.clone();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            // A recording has ended when its last picture is out.
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos) {
                parts.drain();
            }
            gst::PadProbeReturn::Ok
        });
    }
    elements.push(sink.upcast());
    Ok(elements)
}

/// Sets the gate on a pad.
fn guard(guarded: &gst::Pad, parts: &Parts) {
    let (facts, shared, live) = (Arc::clone(&parts.facts), Arc::clone(&parts.shared), parts.live);
    let asked = Arc::clone(&parts.shared);
    let keeper = parts.shared.ring.is_some().then(|| parts.clone());
    let on_unit = move |pad: &gst::Pad, buffer: &gst::Buffer, unit: Unit| {
        facts.touch();
        facts.lengthen(unit);
        if !live {
            shared.tally.bytes.fetch_add(unit.bytes as u64, Ordering::Relaxed);
        }
        if unit.key {
            *facts.caps.lock().unwrap_or_else(PoisonError::into_inner) = pad.current_caps();
        }
        if let Some(parts) = &keeper {
            keep(parts, pad, buffer, unit);
        }
        (shared.on_unit)(unit);
    };
    let (facts, is_paced) = (Arc::clone(&parts.facts), parts.realtime);
    parts.gate.guard(guarded, on_unit, move |pad, buffer, key| {
        let Some(may_pass) = &asked.may_pass else { return false };
        if is_paced {
            hold(pad, buffer);
        }
        // The first frame of a connection says that the stream is live.
        facts.frames.load(Ordering::Relaxed) > 0 && may_pass(&key())
    });
}

/// Keeps a unit that arrived whole, where it has a time.
fn keep(parts: &Parts, pad: &gst::Pad, buffer: &gst::Buffer, unit: Unit) {
    let is_damaged = unit.pts.is_some_and(|pts| parts.damage.has(pts.nseconds()));
    if let (Some(caps), Some(running), false) = (pad.current_caps(), running_at(pad, unit.pts), is_damaged) {
        parts.keep(&caps, buffer, running.nseconds(), unit.key);
    }
}

/// Running time of what passes a pad.
fn running_at(pad: &gst::Pad, pts: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0);
    running_in(segment.as_ref().map(|event| event.segment()), pts)
}

/// Running time by a segment; the time itself where there is none.
fn running_in(segment: Option<&gst::Segment>, pts: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
    let segment = segment.and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    segment.map_or(pts, |segment| segment.to_running_time(pts))
}

/// Waits until a unit of a file is due: what is passed over undecoded does not come to the sink, which keeps the time.
/// Ends early where the pipeline does.
fn hold(pad: &gst::Pad, buffer: &gst::BufferRef) {
    /// A stop waits so long for it.
    const SLICE: Duration = Duration::from_millis(50);
    let due = running_at(pad, buffer.pts());
    while let (Some(due), Some(now)) =
        (due, pad.parent_element().and_then(|door| door.current_running_time()))
    {
        let left = due.saturating_sub(now);
        if left.is_zero() || pad.pad_flags().contains(gst::PadFlags::FLUSHING) {
            return;
        }
        std::thread::sleep(Duration::from(left).min(SLICE));
    }
}

/// The end of the pipeline: the decoder's own I420 or NV12, handed on in the streaming thread.
fn frame_sink(parts: &Parts) -> gst_app::AppSink {
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    let sink = gst_app::AppSink::builder().caps(&caps).max_buffers(2).sync(parts.realtime).build();
    settle(&sink, parts);
    offer_video_meta(&sink);
    let parts = parts.clone();
    let mut next_ns = None;
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                take(&parts, sink, &sample, &mut next_ns);
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink
}

/// What both ends have in common.
fn settle(sink: &gst_app::AppSink, parts: &Parts) {
    // Late pictures of a live source are taken all the same and nothing upstream is told to skip.
    sink.set_property("qos", false);
    sink.set_property("enable-last-sample", false);
    sink.set_property("drop", parts.live);
    // A file's clock starts with its first picture, a camera's with the connection.
    sink.set_property("async", !parts.live);
}

/// Strides and offsets of the decoder's own buffers are understood: without this libav copies every picture.
fn offer_video_meta(sink: &gst_app::AppSink) {
    let Some(pad) = sink.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        if let Some(gst::QueryViewMut::Allocation(query)) = info.query_mut().map(gst::QueryRef::view_mut) {
            query.add_allocation_meta::<gst_video::VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// One decoded picture: cadence, stamp, callback.
fn take(parts: &Parts, sink: &gst_app::AppSink, sample: &gst::Sample, next_ns: &mut Option<u64>) {
    parts.gate.decoded();
    let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else { return };
    let tally = &parts.shared.tally;
    if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
        count(&tally.decode_errors);
        return;
    }
    let Some(running) = running(sample) else { return count(&tally.decode_errors) };
    if let Cadence::Fps(fps) = parts.cadence
        && !is_due(running.nseconds(), fps, next_ns)
    {
        return count(&tally.cadence_dropped);
    }
    let Ok(info) = gst_video::VideoInfo::from_caps(caps) else { return count(&tally.decode_errors) };
    let Ok(picture) = gst_video::VideoFrame::from_buffer_readable(buffer, &info) else {
        return count(&tally.decode_errors);
    };
    parts.deliver(picture, running.nseconds(), received(parts, sink, running));
}

/// Running time of what a sink was given.
fn running(sample: &gst::Sample) -> Option<gst::ClockTime> {
    running_in(sample.segment(), sample.buffer()?.pts())
}

/// When it arrived: a file's pictures when they leave it.
fn received(parts: &Parts, sink: &gst_app::AppSink, running: gst::ClockTime) -> i64 {
    parts.live.then(|| receipt(sink, running)).flatten().unwrap_or_else(now_unix_ns)
}

/// When something of this running time arrived: live sources stamp with running time at receipt.
fn receipt(object: &impl IsA<gst::Object>, running: gst::ClockTime) -> Option<i64> {
    let object = object.upcast_ref::<gst::Object>();
    let element = match object.downcast_ref::<gst::Pad>() {
        Some(pad) => pad.parent_element()?,
        None => object.downcast_ref::<gst::Element>()?.clone(),
    };
    let now = element.current_running_time()?;
    Some(now_unix_ns() - (nanos(now) - nanos(running)))
}

fn nanos(time: gst::ClockTime) -> i64 {
    i64::try_from(time.nseconds()).unwrap_or(i64::MAX)
}
