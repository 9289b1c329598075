//! Cameras on loopback that can be made to fail.
//!
//! In: a reel, a fault that is switched on and off. Out: RTSP, RTP and RTCP on a port of its own. A camera's scene
//! follows its own clock, whether anybody looks or not, so that what was due is known without asking. Never: an
//! address beyond loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fault::Fault;
use super::reel::Reel;
use super::session;

/// Between two tries to listen again on a port that was given up.
const BIND_EVERY: Duration = Duration::from_millis(50);
/// Connections that wait to be taken.
const BACKLOG: u32 = 64;
/// The user of cameras that ask for one.
pub(crate) const USER: &str = "operator";

/// What the cameras of a street play.
#[derive(Debug, Clone)]
pub(crate) struct Reels {
    pub(crate) main: Arc<Reel>,
    pub(crate) other: Arc<Reel>,
    pub(crate) large: Arc<Reel>,
    pub(crate) h265: Arc<Reel>,
}

impl Reels {
    pub(crate) fn new(main: Reel) -> Result<Self> {
        Ok(Self {
            main: Arc::new(main),
            other: Arc::new(Reel::other()?),
            large: Arc::new(Reel::large()?),
            h265: Arc::new(Reel::h265()?),
        })
    }

    pub(crate) fn under(&self, fault: Option<Fault>) -> &Arc<Reel> {
        match fault {
            Some(Fault::ParameterSets) => &self.other,
            Some(Fault::Resolution) => &self.large,
            Some(Fault::CodecChange) => &self.h265,
            _ => &self.main,
        }
    }
}

/// How a camera is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) fault: Option<Fault>,
    /// How often it closed all its connections.
    pub(crate) hang_ups: u64,
    /// What it asks for with [`USER`]; `None`: it lets anybody in.
    pub(crate) password: Option<&'static str>,
}

/// A camera that is served until the runtime ends.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) reels: Reels,
    pub(crate) port: u16,
    /// Where the stream is to be had whatever fault is on.
    pub(crate) twin_port: u16,
    /// When its scene began.
    pub(crate) epoch: Instant,
    condition: watch::Sender<Condition>,
    /// Longest that a picture took from its time to the kernel's hands, milliseconds.
    late_ms_max: AtomicU64,
}

impl Camera {
    /// Begins to serve. `ahead` moves its scene, so that cameras do not send their key frames all at once.
    pub(crate) async fn start(
        reels: Reels,
        ahead: Duration,
        password: Option<&'static str>,
    ) -> Result<Arc<Self>> {
        let listener = bind(0).context("no port on loopback for a camera")?;
        let twin = bind(0).context("no port on loopback for a camera's twin")?;
        let now = Instant::now();
        let camera = Arc::new(Self {
            reels,
            port: listener.local_addr()?.port(),
            twin_port: twin.local_addr()?.port(),
            epoch: now.checked_sub(ahead).unwrap_or(now),
            condition: watch::Sender::new(Condition { password, ..Condition::default() }),
            late_ms_max: AtomicU64::new(0),
        });
        tokio::spawn(Arc::clone(&camera).listen(listener));
        tokio::spawn(Arc::clone(&camera).listen_as_twin(twin));
        Ok(camera)
    }

    /// Switches a fault on, or off.
    pub(crate) fn set(&self, fault: Option<Fault>) {
        self.condition.send_modify(|condition| {
            let hangs_up = match (condition.fault, fault) {
                (_, Some(next)) => next.hangs_up().0,
                (Some(last), None) => last.hangs_up().1,
                (None, None) => false,
            };
            condition.fault = fault;
            condition.hang_ups += u64::from(hangs_up);
        });
    }

    /// From now on another password is the right one.
    pub(crate) fn ask_for(&self, password: &'static str) {
        self.condition.send_modify(|condition| condition.password = Some(password));
    }

    /// Key frames that were due since its scene began.
    pub(crate) fn keys_due(&self) -> u64 {
        let reel = &self.reels.main;
        let pictures = self.epoch.elapsed().as_nanos() / reel.step.as_nanos();
        1 + pictures as u64 / reel.key_every
    }

    /// Longest that a picture waited for whoever reads since this was last asked.
    pub(crate) fn take_late_max(&self) -> Duration {
        Duration::from_millis(self.late_ms_max.swap(0, Ordering::Relaxed))
    }

    pub(crate) fn was_late(&self, late: Duration) {
        let ms = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        self.late_ms_max.fetch_max(ms, Ordering::Relaxed);
    }

    async fn listen(self: Arc<Self>, first: TcpListener) {
        let mut condition = self.condition.subscribe();
        let mut listener = Some(first);
        loop {
            if condition.borrow_and_update().fault.is_some_and(Fault::is_closed) {
                listener = None;
                if condition.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let Some(open) = &listener else {
                listener = bind(self.port).ok();
                if listener.is_none() {
                    tokio::time::sleep(BIND_EVERY).await;
                }
                continue;
            };
            tokio::select! {
                taken = open.accept() => {
                    if let Ok((stream, _)) = taken {
                        self.take(stream, self.condition.subscribe());
                    }
                }
                changed = condition.changed() => if changed.is_err() { return },
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream, condition: watch::Receiver<Condition>) {
        if condition.borrow().fault == Some(Fault::Slammed) {
            return;
        }
        tokio::spawn(session::serve(Arc::clone(self), stream, condition));
    }

    /// What a redirect leads to: the same stream without faults.
    async fn listen_as_twin(self: Arc<Self>, listener: TcpListener) {
        let sound = watch::Sender::new(Condition::default());
        while let Ok((stream, _)) = listener.accept().await {
            self.take(stream, sound.subscribe());
        }
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}
