//! One camera that we receive ourselves: connects, watches, connects again, never gives up.
//!
//! What comes in: a turn, many times a second; what its socket holds. What goes out: as of [`crate::Camera`]: frames by
//! way of the pool, states, counters. Never: a wait; what it leaves undone it does in its next turn.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use url::Url;

use super::depay::{Access, Depay};
use super::message::{self, Message};
use super::names::Lookup;
use super::session::{Next, Session, Stop};
use crate::camera::{Ended, Standing, Supervisor};
use crate::clock::now_unix_ns;
use crate::connection::{Event, Happening, Parts};
use crate::gate::Deltas;
use crate::knock::{RTSP_PORT, why};
use crate::pool::{Lonely, Pool, Seat};
use crate::state::count;
use crate::{CameraState, Refusal, SourceLocation};

/// Longest wait for any later answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A name is looked up so long at most.
const NAME_LIMIT: Duration = Duration::from_secs(20);
/// What a line keeps allocated for the beginning of a packet.
const REST_BYTES: usize = 4 << 10;
/// A camera has so long to take the last word.
const FAREWELL_LIMIT: Duration = Duration::from_millis(500);
/// RTP time that moves otherwise than the clock by more was set anew.
const JUMP_NS: i64 = 10_000_000_000;

/// Whether a line wants another turn.
pub(crate) enum Turn {
    Again,
    /// It goes; `None` where somebody else sees to it from now on.
    Through(Option<Last>),
}

/// What is to be told when a line is gone.
pub(crate) struct Last {
    ended: SyncSender<Ended>,
    seat: Option<Seat>,
    farewell: Option<Farewell>,
}

impl Last {
    /// Whether the camera is still to take the last word.
    pub(crate) fn is_open(&mut self, buffer: &mut [u8]) -> bool {
        self.farewell.as_mut().is_some_and(|farewell| farewell.turn(buffer))
    }

    /// Tells whoever waits for the end: a process that ends before would break the connection off.
    pub(crate) fn tell(self) {
        // Where nobody waits, what is still being decoded may come out.
        if let Err(TrySendError::Full(Ended(seat)) | TrySendError::Disconnected(Ended(seat))) =
            self.ended.try_send(Ended(self.seat))
        {
            seat.into_iter().for_each(Seat::retire);
        }
    }
}

/// A connection on which the last word has been said: a camera whose connection is broken off before it has read that
/// keeps the session, and some have room for two.
struct Farewell {
    socket: TcpStream,
    until: Instant,
}

impl Farewell {
    /// Whether it wants another turn.
    fn turn(&mut self, buffer: &mut [u8]) -> bool {
        match self.socket.read(buffer) {
            Ok(0) => false,
            Ok(_) => Instant::now() < self.until,
            Err(error) => is_later(&error) && Instant::now() < self.until,
        }
    }
}

/// One camera.
pub(crate) struct Line {
    standing: Standing,
    events: SyncSender<Event>,
    inbox: Receiver<Event>,
    ended: SyncSender<Ended>,
    phase: Phase,
}

enum Phase {
    /// Until then nothing is asked of it.
    Resting(Instant),
    Looking {
        lookup: Lookup,
        deadline: Instant,
    },
    Connecting {
        socket: TcpStream,
        left: Vec<SocketAddr>,
        deadline: Instant,
    },
    Open(Box<Connection>),
}

/// Why a connection is no more.
enum Fall {
    Lost(String),
    Refused(Refusal),
    /// rtspsrc may understand it.
    NotUnderstood(String),
}

impl From<Stop> for Fall {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(refusal),
            Stop::NotUnderstood(what) => Self::NotUnderstood(what),
        }
    }
}

impl Line {
    pub(crate) fn new(
        standing: Standing,
        (events, inbox): (SyncSender<Event>, Receiver<Event>),
        ended: SyncSender<Ended>,
    ) -> Self {
        Self { standing, events, inbox, ended, phase: Phase::Resting(Instant::now()) }
    }

    /// Does what can be done at once.
    pub(crate) fn turn(&mut self, buffer: &mut [u8]) -> Turn {
        if self.standing.is_stopping() {
            return Turn::Through(Some(self.end()));
        }
        let now = Instant::now();
        let fallen = match &mut self.phase {
            Phase::Resting(until) if now < *until => return Turn::Again,
            Phase::Resting(_) => {
                self.standing.begin();
                let (host, port) = door(&self.standing.config.location);
                let lookup = Lookup::start(&host, port);
                self.phase = Phase::Looking { lookup, deadline: now + NAME_LIMIT };
                return Turn::Again;
            }
            Phase::Looking { lookup, deadline } => match lookup.poll() {
                Some(addresses) => self.connect(addresses, now),
                None if now > *deadline => self.unknown_name(),
                None => return Turn::Again,
            },
            Phase::Connecting { socket, left, deadline } => match connected(socket) {
                None if now <= *deadline => return Turn::Again,
                Some(Ok(())) => self.open(now),
                None | Some(Err(_)) if !left.is_empty() => {
                    let left = std::mem::take(left);
                    self.connect(left, now)
                }
                None => Some(unreachable("no answer in time")),
                Some(Err(error)) => Some(unreachable(&why(&error))),
            },
            Phase::Open(connection) => {
                // There is nothing else to hear.
                while !connection.is_alive
                    && let Ok(event) = self.inbox.try_recv()
                {
                    if event.connection == self.standing.connection && matches!(event.what, Happening::Alive)
                    {
                        connection.is_alive = true;
                        self.standing.lent = 0;
                        self.standing.enter(CameraState::Live);
                    }
                }
                self.standing.complain();
                connection.turn(buffer, now, &self.standing).err()
            }
        };
        match fallen {
            Some(fall) => self.fall(fall),
            None => Turn::Again,
        }
    }

    fn unknown_name(&self) -> Option<Fall> {
        let (host, _) = door(&self.standing.config.location);
        Some(unreachable(&format!("the name {host} is not known")))
    }

    fn connect(&mut self, mut addresses: Vec<SocketAddr>, now: Instant) -> Option<Fall> {
        if addresses.is_empty() {
            return self.unknown_name();
        }
        let socket = match begin_connecting(addresses.remove(0)) {
            Ok(socket) => socket,
            Err(_) if !addresses.is_empty() => return self.connect(addresses, now),
            Err(error) => return Some(unreachable(&why(&error))),
        };
        self.phase =
            Phase::Connecting { socket, left: addresses, deadline: now + self.standing.door_limit() };
        None
    }

    fn open(&mut self, now: Instant) -> Option<Fall> {
        let Phase::Connecting { socket, .. } = std::mem::replace(&mut self.phase, Phase::Resting(now)) else {
            return None;
        };
        let SourceLocation::Rtsp { url, credentials, .. } = &self.standing.config.location else {
            return None;
        };
        let (session, first) = Session::begin(url, credentials.clone());
        let parts = self.standing.connect(self.events.clone());
        self.phase = Phase::Open(Box::new(Connection {
            socket,
            session,
            parts,
            to_send: first,
            rest: Vec::new(),
            stream: None,
            opened: now,
            deadline: Some(now + self.standing.door_limit()),
            is_alive: false,
            kept_at: now,
        }));
        None
    }

    fn fall(&mut self, fall: Fall) -> Turn {
        let phase = std::mem::replace(&mut self.phase, Phase::Resting(Instant::now()));
        if let Phase::Open(connection) = phase {
            self.standing.pts_base += connection.parts.facts.length();
            connection.parts.retire();
        }
        let wait = match fall {
            Fall::Lost(why) => self.standing.lose(&why),
            Fall::Refused(refusal) => self.standing.refuse(refusal),
            Fall::NotUnderstood(what) => {
                tracing::info!(camera = %self.standing.shared.camera, what, "not understood; GStreamer receives this camera");
                return self.hand_over();
            }
        };
        count(&self.standing.shared.tally.reconnects);
        self.phase = Phase::Resting(Instant::now() + wait);
        Turn::Again
    }

    /// From now on rtspsrc receives.
    fn hand_over(&mut self) -> Turn {
        let (events, inbox) = std::sync::mpsc::sync_channel(1);
        let standing = self.standing.clone();
        let (events, inbox) =
            (std::mem::replace(&mut self.events, events), std::mem::replace(&mut self.inbox, inbox));
        let camera = standing.shared.camera.clone();
        if let Err(error) = Supervisor::spawn(standing, (events, inbox), self.ended.clone()) {
            tracing::error!(%camera, %error, "no thread for a camera; it is not watched");
        }
        Turn::Through(None)
    }

    /// Says good-bye.
    fn end(&mut self) -> Last {
        let phase = std::mem::replace(&mut self.phase, Phase::Resting(Instant::now()));
        let Phase::Open(connection) = phase else {
            return Last { ended: self.ended.clone(), seat: None, farewell: None };
        };
        let Connection { mut socket, mut session, parts, stream, .. } = *connection;
        let is_said = stream.is_some() && socket.write(&session.tear_down()).is_ok();
        let farewell = is_said.then(|| Farewell { socket, until: Instant::now() + FAREWELL_LIMIT });
        Last { ended: self.ended.clone(), seat: parts.stand_up(), farewell }
    }
}

fn unreachable(why: &str) -> Fall {
    Fall::Refused(Refusal::Unreachable(why.to_owned()))
}

/// Host and port of an address.
fn door(location: &SourceLocation) -> (String, u16) {
    let SourceLocation::Rtsp { url, .. } = location else { return Default::default() };
    let Ok(url) = Url::parse(url) else { return Default::default() };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    (host, url.port().unwrap_or(RTSP_PORT))
}

fn begin_connecting(address: SocketAddr) -> std::io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// `None`: not yet.
fn connected(socket: &TcpStream) -> Option<std::io::Result<()>> {
    match sockopt::socket_error(socket) {
        Ok(Ok(())) => {}
        Ok(Err(error)) | Err(error) => return Some(Err(error.into())),
    }
    match socket.peer_addr() {
        Ok(_) => Some(Ok(())),
        Err(_) => None,
    }
}

/// A socket, and what was agreed on over it.
struct Connection {
    socket: TcpStream,
    session: Session,
    parts: Parts,
    to_send: Vec<u8>,
    /// The beginning of something whose end has not come.
    rest: Vec<u8>,
    /// Once it plays.
    stream: Option<Stream>,
    opened: Instant,
    /// By when an answer must be there.
    deadline: Option<Instant>,
    is_alive: bool,
    /// When the session was last kept.
    kept_at: Instant,
}

/// The video of a connection that plays.
struct Stream {
    depay: Depay,
    caps: gst::Caps,
    clock_rate: u32,
    deltas: Deltas,
    times: Option<Times>,
}

/// RTP time and running time of the newest unit.
struct Times {
    rtp: u32,
    running_ns: i64,
    receipt_ns: i64,
}

impl Connection {
    fn turn(&mut self, buffer: &mut [u8], now: Instant, standing: &Standing) -> Result<(), Fall> {
        self.send()?;
        self.read(buffer, now)?;
        self.send()?;
        if let Some(deadline) = self.deadline {
            return if now <= deadline {
                Ok(())
            } else if self.session.is_at_door() {
                Err(Fall::Refused(Refusal::NotRtsp))
            } else {
                let waits_for = self.session.waits_for();
                Err(Fall::Refused(Refusal::Other(format!("it does not answer {waits_for}"))))
            };
        }
        let keep_every = Duration::from_secs(u64::from(self.session.timeout_secs)) / 2;
        if now.saturating_duration_since(self.kept_at) > keep_every {
            self.kept_at = now;
            self.to_send = self.session.keep_alive();
        }
        match standing.silence(&self.parts, self.is_alive, self.opened) {
            Some(why) => Err(Fall::Lost(why)),
            None => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), Fall> {
        while !self.to_send.is_empty() {
            match self.socket.write(&self.to_send) {
                Ok(sent) => drop(self.to_send.drain(..sent)),
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(self.closed(&error.to_string())),
            }
        }
        self.to_send = Vec::new();
        Ok(())
    }

    /// The other side is gone.
    fn closed(&self, why: &str) -> Fall {
        match self.stream {
            Some(_) if self.is_alive => Fall::Lost(format!("the connection has ended ({why})")),
            _ if self.session.is_at_door() => Fall::Refused(Refusal::NotRtsp),
            _ => Fall::Refused(Refusal::Other(format!("it closed the connection ({why})"))),
        }
    }

    fn read(&mut self, buffer: &mut [u8], now: Instant) -> Result<(), Fall> {
        let kept = self.rest.len();
        buffer[..kept].copy_from_slice(&self.rest);
        let got = match self.socket.read(&mut buffer[kept..]) {
            Ok(0) => return Err(self.closed("by the camera")),
            Ok(got) => got,
            Err(error) if is_later(&error) => return Ok(()),
            Err(error) => return Err(self.closed(&error.to_string())),
        };
        let (all, receipt_ns) = (&buffer[..kept + got], now_unix_ns());
        let mut at = 0;
        while let Some((message, used)) = self.first(&all[at..])? {
            at += used;
            match message {
                Message::Packet(channel, packet) => self.packet(channel, packet, receipt_ns),
                Message::Answer(answer) => self.hear(&answer, now)?,
                Message::Request(number) => {
                    let answer = format!("RTSP/1.0 501 Not Implemented\r\nCSeq: {number}\r\n\r\n");
                    self.to_send.extend_from_slice(answer.as_bytes());
                }
            }
        }
        self.rest.clear();
        self.rest.extend_from_slice(&all[at..]);
        self.rest.shrink_to(REST_BYTES);
        Ok(())
    }

    fn first<'b>(&self, bytes: &'b [u8]) -> Result<Option<(Message<'b>, usize)>, Fall> {
        message::first(bytes).map_err(|message::Garbage| {
            if self.session.is_at_door() {
                Fall::Refused(Refusal::NotRtsp)
            } else if self.stream.is_some() {
                Fall::Lost("what it sends is no RTSP any more".to_owned())
            } else {
                Fall::NotUnderstood("what it sends".to_owned())
            }
        })
    }

    fn hear(&mut self, answer: &message::Answer, now: Instant) -> Result<(), Fall> {
        match self.session.hear(answer)? {
            Next::Ask(request) => {
                self.deadline = Some(now + ANSWER_LIMIT);
                self.to_send = request;
            }
            Next::Plays => {
                self.deadline = None;
                self.kept_at = now;
                self.start()?;
            }
            Next::Wait => {}
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Fall> {
        let Some(video) = self.session.video.take() else { return Ok(()) };
        let parts = self.parts.clone();
        let seat = Pool::shared().seat(video.codec, move |decoded| parts.take(decoded));
        let no_thread = |error| Fall::Refused(Refusal::Other(format!("no thread for a decoder: {error}")));
        self.parts.sit(seat.map_err(no_thread)?);
        let mut depay = Depay::new(video.codec, video.payload_type, video.sets);
        if self.parts.shared.ring.is_some() {
            depay.keep_deltas();
        }
        self.stream = Some(Stream {
            depay,
            caps: video.codec.caps(),
            clock_rate: video.clock_rate,
            deltas: Deltas::default(),
            times: None,
        });
        Ok(())
    }

    fn packet(&mut self, channel: u8, packet: &[u8], receipt_ns: i64) {
        let Some(stream) = &mut self.stream else { return };
        let Stream { depay, caps, clock_rate, deltas, times } = stream;
        let (rtp, rtcp) = self.session.channels;
        if channel == rtcp && rtcp != rtp {
            self.parts.clock.on_rtcp(packet);
            return;
        }
        if channel != rtp {
            return;
        }
        self.parts.shared.tally.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
        let ssrc =
            packet.get(8..12).and_then(|word| word.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word));
        depay.push(packet, receipt_ns, &mut |unit| {
            let running_ns = Times::follow(times, &unit, *clock_rate, self.opened.elapsed());
            let of = (ssrc, unit.rtp);
            if let Some(skew_ms) = self.parts.clock.on_unit(of, running_ns, *clock_rate, unit.receipt_ns) {
                self.parts.shared.tally.set_skew(skew_ms);
            }
            pass(&self.parts, caps, deltas, unit, running_ns);
        });
    }
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}

impl Times {
    /// Running time of a unit: RTP time from unit to unit, receipt where that has jumped.
    fn follow(times: &mut Option<Self>, unit: &Access, clock_rate: u32, since_opened: Duration) -> i64 {
        let running_ns = match times {
            None => i64::try_from(since_opened.as_nanos()).unwrap_or(i64::MAX),
            Some(last) => {
                // Signed: with B-frames units come in decoding order.
                let ticks = i64::from(unit.rtp.wrapping_sub(last.rtp).cast_signed());
                let by_rtp_ns = ticks * 1_000_000_000 / i64::from(clock_rate.max(1));
                let by_clock_ns = unit.receipt_ns - last.receipt_ns;
                let is_jump = (by_rtp_ns - by_clock_ns).abs() > JUMP_NS;
                (last.running_ns + if is_jump { by_clock_ns } else { by_rtp_ns }).max(0)
            }
        };
        *times = Some(Self { rtp: unit.rtp, running_ns, receipt_ns: unit.receipt_ns });
        running_ns
    }
}

/// The gate before the pool, as [`crate::gate`] has it for GStreamer's pads.
fn pass(parts: &Parts, caps: &gst::Caps, deltas: &mut Deltas, unit: Access, running_ns: i64) {
    let (shared, facts) = (&parts.shared, &parts.facts);
    let running_ns = u64::try_from(running_ns).unwrap_or(0);
    count(&shared.tally.units_in);
    facts.touch();
    facts.lengthen(crate::gate::Unit {
        pts: Some(gst::ClockTime::from_nseconds(running_ns)),
        duration: None,
        key: unit.is_key,
        bytes: unit.bytes,
    });
    let before = unit.is_key.then(|| std::mem::take(deltas)).filter(Deltas::is_any);
    if !unit.is_key {
        deltas.add(unit.bytes);
    }
    if unit.is_damaged {
        return count(&shared.tally.damaged_dropped);
    }
    let unit_data = unit.data.map(gst::Buffer::from_mut_slice);
    if let Some(data) = &unit_data {
        parts.keep(caps, data, running_ns, unit.is_key);
    }
    let Some(key) = unit_data.filter(|_| unit.is_key) else { return count(&shared.tally.delta_dropped) };
    if let (Some(may_pass), Some(before)) = (&shared.may_pass, before)
        // The first frame of a connection says that the stream is live.
        && facts.frames.load(Ordering::Relaxed) > 0
        && may_pass(&before.key_unit())
    {
        return count(&shared.tally.quiet_dropped);
    }
    parts.put(Lonely { unit: key, running_ns, receipt_ns: unit.receipt_ns });
}
