//! One connection: the pipeline from a camera or file to frames.
//!
//! What comes in: a checked configuration and the camera's shared parts. What goes out: frames through the
//! callback, [`Event`]s through a bounded channel. Elements are put together by hand, so that it is plain
//! which one drops what. Never: a decision to connect again (that is the supervisor's).

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::beat::is_due;
use crate::clock::{WallClock, millis, now_unix_ns};
use crate::damage::Damage;
use crate::decode::{self, Codec};
use crate::frame::{Frame, Stamp};
use crate::gate::{Gate, MayPass, Unit};
use crate::refusal::classify;
use crate::state::{Tally, count};
use crate::{Cadence, Refusal, SourceConfig, SourceLocation, Transport};

/// What rtspsrc may hold: over TCP a burst after a network hiccup, over UDP also the wait for lost packets.
/// Pictures leave at once all the same, as nothing downstream synchronises to a clock.
const LATENCY_TCP_MS: u32 = 2000;
const LATENCY_UDP_MS: u32 = 500;
/// Longest wait for an answer of the camera inside rtspsrc.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
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
    fn new() -> Self {
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

    fn lengthen(&self, unit: Unit) {
        let Some(pts) = unit.pts else { return };
        let _ =
            self.first_pts_ns.compare_exchange(0, pts.nseconds() + 1, Ordering::Relaxed, Ordering::Relaxed);
        let end = pts + unit.duration.unwrap_or(gst::ClockTime::from_mseconds(40));
        self.end_ns.fetch_max(end.nseconds(), Ordering::Relaxed);
    }

    fn touch(&self) {
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
    fn refine(&self, refusal: Refusal) -> Refusal {
        let unsupported = self.unsupported.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match unsupported {
            _ if self.video.load(Ordering::Relaxed) => refusal,
            Some(codec) => Refusal::UnsupportedCodec(codec),
            None if self.described.load(Ordering::Relaxed) => Refusal::NoVideo,
            None => refusal,
        }
    }

    fn refuse_codec(&self, codec: &str) {
        *self.unsupported.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec.to_owned());
    }
}

/// Everything that the pieces of one connection share.
#[derive(Clone)]
struct Parts {
    connection: u64,
    shared: Arc<Shared>,
    facts: Arc<Facts>,
    clock: Arc<WallClock>,
    damage: Arc<Damage>,
    gate: Arc<Gate>,
    cadence: Cadence,
    live: bool,
    realtime: bool,
    pts_base: Duration,
    events: SyncSender<Event>,
}

impl Parts {
    /// Full means that the supervisor already has something to act on: what comes later is not news.
    fn tell(&self, what: Happening) {
        let _ = self.events.try_send(Event { connection: self.connection, what });
    }
}

/// A running connection. Dropping it closes the pipeline.
pub(crate) struct Stream {
    pipeline: gst::Pipeline,
    pub(crate) facts: Arc<Facts>,
}

impl Stream {
    /// Starts a connection; `pts_base` is added to every PTS.
    pub(crate) fn open(
        config: &SourceConfig,
        shared: &Arc<Shared>,
        connection: u64,
        pts_base: Duration,
        events: SyncSender<Event>,
    ) -> Result<Self, Refusal> {
        let live = matches!(config.location, SourceLocation::Rtsp { .. });
        let damage = Arc::new(Damage::default());
        let parts = Parts {
            connection,
            shared: Arc::clone(shared),
            facts: Arc::new(Facts::new()),
            clock: Arc::default(),
            gate: Arc::new(Gate::new(config.cadence, live, Arc::clone(&shared.tally), Arc::clone(&damage))),
            damage,
            cadence: config.cadence,
            live,
            realtime: matches!(config.location, SourceLocation::File { realtime: true, .. }),
            pts_base,
            events,
        };
        let pipeline = gst::Pipeline::new();
        watch_bus(&pipeline, &parts);
        let built = match &config.location {
            SourceLocation::Rtsp { .. } => build_rtsp(&pipeline, &config.location, &parts),
            SourceLocation::File { path, .. } if !path.exists() => return Err(Refusal::NotFound),
            SourceLocation::File { path, .. } => build_file(&pipeline, path, &parts),
        };
        let stream = Self { pipeline, facts: parts.facts };
        built.map_err(|e| Refusal::Other(e.to_string()))?;
        // Started at once, a file's clock would run while its parts are still put together, and the first
        // second would be played in haste.
        let first = if live { gst::State::Playing } else { gst::State::Paused };
        let begun = stream.pipeline.set_state(first);
        begun.map_err(|_| Refusal::Other("the pipeline does not start".to_owned()))?;
        Ok(stream)
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
    join_decoder(pipeline, &source, &codec.caps(), parts)?;
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
        if let Err(error) = join_decoder(&pipeline, pad, &caps, &parts) {
            parts.tell(Happening::Failed(Refusal::Other(error.to_string())));
        }
    });
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)
}

/// From a pad with whole compressed pictures (or raw video) to the callback.
fn join_decoder(pipeline: &gst::Pipeline, from: &gst::Pad, caps: &gst::Caps, parts: &Parts) -> Built {
    let raw = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
    let decoder = match decode::best(caps, parts.cadence) {
        _ if raw => make("identity")?,
        Some(decoder) => decoder,
        None => {
            parts.facts.video.store(false, Ordering::Relaxed);
            parts.facts.refuse_codec(&decode::codec_name(caps));
            parts.tell(Happening::Failed(parts.facts.refine(Refusal::NoVideo)));
            return Ok(());
        }
    };
    let (door, convert) = (make("capsfilter")?, make("videoconvert")?);
    let sink = frame_sink(parts);
    let elements = [&door, &decoder, &convert, sink.upcast_ref()];
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    let guarded = door.static_pad("src").ok_or_else(|| gst::glib::bool_error!("filter without source"))?;
    let (facts, shared, live) = (Arc::clone(&parts.facts), Arc::clone(&parts.shared), parts.live);
    let asked = Arc::clone(&parts.shared);
    let on_unit = move |pad: &gst::Pad, unit: Unit| {
        facts.touch();
        facts.lengthen(unit);
        if !live {
            shared.tally.bytes.fetch_add(unit.bytes as u64, Ordering::Relaxed);
        }
        if unit.key {
            *facts.caps.lock().unwrap_or_else(PoisonError::into_inner) = pad.current_caps();
        }
        (shared.on_unit)(unit);
    };
    let (facts, is_paced) = (Arc::clone(&parts.facts), parts.realtime);
    parts.gate.guard(&guarded, on_unit, move |pad, buffer, key| {
        let Some(may_pass) = &asked.may_pass else { return false };
        // The first frame of a connection says that the stream is live.
        if facts.frames.load(Ordering::Relaxed) == 0 {
            return false;
        }
        if is_paced {
            hold(pad, buffer);
        }
        may_pass(&key())
    });
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let into = door.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("filter without sink"))?;
    from.link(&into).map_err(|e| gst::glib::bool_error!("{e}"))?;
    Ok(())
}

/// Waits until a unit of a file is due: what is passed over undecoded does not come to the sink, which keeps the time.
/// Ends early where the pipeline does.
fn hold(pad: &gst::Pad, buffer: &gst::BufferRef) {
    /// A stop waits so long for it.
    const SLICE: Duration = Duration::from_millis(50);
    let segment = pad.sticky_event::<gst::event::Segment>(0);
    let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>());
    let due = buffer.pts().and_then(|pts| segment.map_or(Some(pts), |segment| segment.to_running_time(pts)));
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
    // Late pictures of a live source are taken all the same and nothing upstream is told to skip.
    sink.set_property("qos", false);
    sink.set_property("enable-last-sample", false);
    sink.set_property("drop", parts.live);
    // A file's clock starts with its first picture, a camera's with the connection.
    sink.set_property("async", !parts.live);
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
    let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
    let running = buffer.pts().and_then(|pts| segment.map_or(Some(pts), |s| s.to_running_time(pts)));
    let Some(running) = running else { return count(&tally.decode_errors) };
    if let Cadence::Fps(fps) = parts.cadence
        && !is_due(running.nseconds(), fps, next_ns)
    {
        return count(&tally.cadence_dropped);
    }
    let Ok(info) = gst_video::VideoInfo::from_caps(caps) else { return count(&tally.decode_errors) };
    let Ok(video) = gst_video::VideoFrame::from_buffer_readable(buffer, &info) else {
        return count(&tally.decode_errors);
    };
    let pts = parts.pts_base + Duration::from(running);
    let times = stamp(parts, sink, running, pts);
    let seq = parts.shared.seq.fetch_add(1, Ordering::Relaxed);
    let frame = Frame::new(Arc::clone(&parts.shared.camera), seq, pts, times, video);
    tracing::trace!(camera = %parts.shared.camera, seq, "frame");
    count(&tally.frames_out);
    if parts.facts.frames.fetch_add(1, Ordering::Relaxed) == 0 {
        parts.tell(Happening::Alive);
    }
    (parts.shared.on_frame)(frame);
}

/// Wall-clock time, what it rests on, and receipt.
fn stamp(
    parts: &Parts,
    sink: &gst_app::AppSink,
    running: gst::ClockTime,
    pts: Duration,
) -> (calib::time::Timestamp, Stamp, calib::time::Timestamp) {
    if !parts.live {
        let pts_ns = i64::try_from(pts.as_nanos()).unwrap_or(i64::MAX);
        return (
            millis(parts.shared.started_unix_ns.saturating_add(pts_ns)),
            Stamp::File,
            millis(now_unix_ns()),
        );
    }
    let receipt_ns = receipt(sink, running).unwrap_or_else(now_unix_ns);
    let (at, stamp) = parts.clock.at(nanos(running), receipt_ns);
    let last_ms = parts.shared.at_last_ms.load(Ordering::Relaxed);
    let at_ms = at.as_millis();
    let held_ms = if last_ms - at_ms < STEP_BACK_MAX_MS { at_ms.max(last_ms) } else { at_ms };
    parts.shared.at_last_ms.store(held_ms, Ordering::Relaxed);
    (calib::time::Timestamp::from_millis(held_ms), stamp, millis(receipt_ns))
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
