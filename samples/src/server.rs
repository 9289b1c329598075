//! Loopback RTSP cameras: real RTSP, RTP and RTCP on 127.0.0.1, playing clips for ever.
//!
//! What comes in: clips with paths, codecs, accounts. What goes out: a server on its own thread. A camera's
//! scene follows the server's clock: position = (now − epoch) mod lap, from the nearest earlier key frame, so
//! it goes on whether or not anyone looks, also over a restart with the same epoch. Never: an address beyond
//! loopback.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib::translate::IntoGlib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp_server as rtsp;
use rtsp::prelude::*;

use crate::clip::{Clip, ServedCodec, Unit, load};
use crate::{SamplesError, auth};

/// How the account is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 7617: name and password in base 64.
    Basic,
    /// RFC 7616 with MD5, what most cameras ask for.
    Digest,
}

/// Who may see a camera.
#[derive(Debug, Clone)]
pub struct ServedAuth {
    /// Account name. One name belongs to one password on a server.
    pub user: String,
    /// Its password.
    pub password: String,
    /// How it is asked for; the same for all cameras of a server.
    pub scheme: Scheme,
}

impl ServedAuth {
    /// An account.
    pub fn new(scheme: Scheme, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into(), scheme }
    }
}

/// One camera of the server.
#[derive(Debug, Clone)]
pub struct ServedCamera {
    /// `litter` is served as `rtsp://127.0.0.1:port/litter`.
    pub path: String,
    /// What it plays.
    pub clip: PathBuf,
    /// What it is sent in.
    pub codec: ServedCodec,
    /// `None`: anybody.
    pub auth: Option<ServedAuth>,
}

impl ServedCamera {
    /// An open camera that sends its clip as it is.
    pub fn new(path: impl Into<String>, clip: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), clip: clip.into(), codec: ServedCodec::AsIs, auth: None }
    }
}

/// A camera that is loaded, and whether it is muted.
struct Channel {
    path: String,
    clip: Clip,
    epoch: Instant,
    is_muted: AtomicBool,
}

impl Channel {
    /// The key frame that the scene is nearest after.
    fn key_now(&self) -> usize {
        let position_ns = self.epoch.elapsed().as_nanos() % self.clip.lap.as_nanos().max(1);
        self.clip.key_before(Duration::from_nanos(u64::try_from(position_ns).unwrap_or(0)))
    }
}

/// A running server. Dropping it stops it.
pub struct RtspServer {
    port: u16,
    epoch: Instant,
    channels: Vec<Arc<Channel>>,
    main_loop: rtsp::glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl RtspServer {
    /// Loads the clips and serves them; port 0 takes any free one. Scenes begin now.
    ///
    /// # Errors
    /// When a clip cannot be loaded or the port is taken.
    pub fn start(port: u16, cameras: Vec<ServedCamera>) -> Result<Self, SamplesError> {
        Self::begin(port, cameras, None)
    }

    /// As [`RtspServer::start`], with scenes that began at `epoch`: a camera that was away and comes back.
    ///
    /// # Errors
    /// When a clip cannot be loaded or the port is taken.
    pub fn start_at(port: u16, cameras: Vec<ServedCamera>, epoch: Instant) -> Result<Self, SamplesError> {
        Self::begin(port, cameras, Some(epoch))
    }

    fn begin(port: u16, cameras: Vec<ServedCamera>, epoch: Option<Instant>) -> Result<Self, SamplesError> {
        gst::init()?;
        let mut clips = Vec::new();
        for camera in &cameras {
            clips.push(load(&camera.clip, camera.codec)?);
        }
        // Loading may encode for seconds: scenes begin when they can be seen.
        let epoch = epoch.unwrap_or_else(Instant::now);
        let server = rtsp::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let refuse = |reason: &str| SamplesError::Server { port, reason: reason.to_owned() };
        let accounts = cameras.iter().map(|c| c.auth.as_ref());
        let authenticator = auth::authenticator(accounts).map_err(refuse)?;
        server.set_auth(authenticator.as_ref());
        let mounts = server.mount_points().ok_or_else(|| refuse("it has no mount points"))?;
        let mut channels = Vec::new();
        for (camera, clip) in cameras.iter().zip(clips) {
            let path = camera.path.trim_matches('/').to_owned();
            let channel = Arc::new(Channel { path, clip, epoch, is_muted: AtomicBool::new(false) });
            let factory = factory(&channel);
            if authenticator.is_some() {
                auth::permit(&factory, camera.auth.as_ref());
            }
            mounts.add_factory(&format!("/{}", channel.path), factory);
            channels.push(channel);
        }
        let context = rtsp::glib::MainContext::new();
        let main_loop = rtsp::glib::MainLoop::new(Some(&context), false);
        let source =
            server.attach(Some(&context)).map_err(|_| refuse("the port is taken or may not be used"))?;
        let bound = u16::try_from(server.bound_port()).map_err(|_| refuse("it is bound to no port"))?;
        let thread = run(server, context, main_loop.clone(), source)
            .map_err(|e| refuse(&format!("no thread for it: {e}")))?;
        Ok(Self { port: bound, epoch, channels, main_loop, thread: Some(thread) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// When its scenes began.
    pub fn epoch(&self) -> Instant {
        self.epoch
    }

    /// `rtsp://127.0.0.1:port/path`.
    pub fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{}", self.port, path.trim_start_matches('/'))
    }

    /// A muted camera keeps its connections and sends nothing: a hung camera.
    pub fn mute(&self, path: &str, is_muted: bool) {
        for channel in self.channels.iter().filter(|c| c.path == path.trim_matches('/')) {
            channel.is_muted.store(is_muted, Ordering::SeqCst);
        }
    }

    /// Closes every connection and the port, and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The server's own thread; returns when its loop runs.
fn run(
    server: rtsp::RTSPServer,
    context: rtsp::glib::MainContext,
    main_loop: rtsp::glib::MainLoop,
    source: rtsp::glib::SourceId,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let (ready, running) = sync_channel(1);
    let thread = std::thread::Builder::new().name("rtsp server".to_owned()).spawn(move || {
        let _ = context.with_thread_default(|| {
            // `quit` before `run` is forgotten: whoever may call it waits until the loop turns. Invoking would
            // not do, as that runs at once on the context's own thread.
            let turning = rtsp::glib::idle_source_new(None, rtsp::glib::Priority::DEFAULT, move || {
                let _ = ready.try_send(());
                rtsp::glib::ControlFlow::Break
            });
            turning.attach(Some(&context));
            let pool = server.session_pool();
            let sweep =
                rtsp::glib::timeout_source_new_seconds(5, None, rtsp::glib::Priority::DEFAULT, move || {
                    if let Some(pool) = &pool {
                        pool.cleanup();
                    }
                    rtsp::glib::ControlFlow::Continue
                });
            let swept = sweep.attach(Some(&context));
            main_loop.run();
            if let Some(source) = context.find_source_by_id(&source) {
                source.destroy();
            }
            if let Some(sweep) = context.find_source_by_id(&swept) {
                sweep.destroy();
            }
            server.client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
            if let Some(pool) = server.session_pool() {
                pool.filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
            }
            while context.iteration(false) {}
        });
    })?;
    let _ = running.recv_timeout(Duration::from_secs(5));
    Ok(thread)
}

fn factory(channel: &Arc<Channel>) -> rtsp::RTSPMediaFactory {
    let factory = rtsp::RTSPMediaFactory::new();
    let payloader = channel.clip.codec.payloader();
    // Parameter sets are in the units. The payloader's own would go before every slice of a key frame, which
    // receivers take for the beginning of another picture.
    factory
        .set_launch(&format!("( appsrc name=units is-live=true format=time ! {payloader} name=pay0 pt=96 )"));
    factory.set_shared(true);
    // No one can be waited for at the end of a stream that never ends.
    factory.set_eos_shutdown(false);
    let channel = Arc::clone(channel);
    factory.connect_media_configure(move |_, media| {
        let units = media.element().downcast::<gst::Bin>().ok().and_then(|bin| bin.by_name("units"));
        let Some(units) = units.and_then(|e| e.downcast::<gst_app::AppSrc>().ok()) else { return };
        units.set_caps(Some(&channel.clip.caps));
        let phase = Arc::new((Mutex::new(Phase::Described), Condvar::new()));
        let (feeding, channel) = (Arc::clone(&phase), Arc::clone(&channel));
        let spawned = std::thread::Builder::new()
            .name(format!("feed {}", channel.path))
            .spawn(move || feed(&units, &channel, &feeding));
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for a served camera");
        }
        let enter = move |next| {
            let mut phase_now = phase.0.lock().unwrap_or_else(PoisonError::into_inner);
            if *phase_now != Phase::Gone {
                *phase_now = next;
            }
            phase.1.notify_all();
        };
        let play = enter.clone();
        media.connect_new_state(move |_, state| {
            if state == gst::State::Playing.into_glib() {
                play(Phase::Playing);
            }
        });
        media.connect_unprepared(move |_| enter(Phase::Gone));
    });
    factory
}

/// Where a client's media is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between DESCRIBE and PLAY: the pipeline runs but its end is shut.
    Described,
    Playing,
    Gone,
}

type Phases = (Mutex<Phase>, Condvar);

/// Pushes units at their times until the media is taken down.
///
/// DESCRIBE needs one unit to learn the stream from; what more were pushed before PLAY would leave in one
/// burst, as no camera does. So the scene's clock is read again at PLAY.
fn feed(units: &gst_app::AppSrc, channel: &Channel, phase: &Phases) {
    let clip = &channel.clip;
    let first = channel.key_now();
    if push(units, &clip.units[first], 0, 0, channel).is_err() || !wait_for_play(phase) {
        return;
    }
    let mut index = channel.key_now();
    let lap_ns = u64::try_from(clip.lap.as_nanos()).unwrap_or(u64::MAX);
    let (origin_ns, begun) = (clip.units[index].dts_ns, Instant::now());
    let running_ns = units.current_running_time().map_or(0, gst::ClockTime::nseconds);
    let mut is_sent = index == first;
    let mut laps_ns = 0_u64;
    loop {
        let unit = &clip.units[index];
        let since_ns = laps_ns + unit.dts_ns - origin_ns;
        if !wait_until(begun + Duration::from_nanos(since_ns), phase) {
            return;
        }
        let dts_ns = running_ns + since_ns;
        if !std::mem::take(&mut is_sent)
            && push(units, unit, dts_ns, dts_ns + (unit.pts_ns - unit.dts_ns.min(unit.pts_ns)), channel)
                .is_err()
        {
            return;
        }
        index += 1;
        if index == clip.units.len() {
            index = 0;
            laps_ns += lap_ns;
        }
    }
}

fn push(
    units: &gst_app::AppSrc,
    unit: &Unit,
    dts_ns: u64,
    pts_ns: u64,
    channel: &Channel,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    if channel.is_muted.load(Ordering::SeqCst) {
        return Ok(gst::FlowSuccess::Ok);
    }
    let mut buffer = unit.buffer.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_dts(gst::ClockTime::from_nseconds(dts_ns));
        buffer.set_pts(gst::ClockTime::from_nseconds(pts_ns));
    }
    units.push_buffer(buffer)
}

/// `false`: the media is gone.
fn wait_for_play((phase, changed): &Phases) -> bool {
    let phase = phase.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_while(phase, |phase| *phase == Phase::Described);
    *waited.unwrap_or_else(PoisonError::into_inner) == Phase::Playing
}

/// `false`: the media is gone.
fn wait_until(due: Instant, (phase, changed): &Phases) -> bool {
    let phase = phase.lock().unwrap_or_else(PoisonError::into_inner);
    let left = due.saturating_duration_since(Instant::now());
    let waited = changed.wait_timeout_while(phase, left, |phase| *phase != Phase::Gone);
    *waited.unwrap_or_else(PoisonError::into_inner).0 != Phase::Gone
}
