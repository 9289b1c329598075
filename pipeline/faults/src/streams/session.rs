//! One connection to a camera: requests in, answers and pictures out, as the camera's fault has it.
//!
//! In: what a client sends. Out: RTSP answers, RTP and RTCP between them or beside them. Never: an end of its own but
//! where the client or a fault ends it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;

use super::fault::Fault;
use super::reel::Reel;
use super::rtp::{CLOCK_HZ, Sender, ends_fragments};
use super::rtsp::{self, Request};
use super::serve::{Camera, Condition};

/// From sender report to sender report.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// How long pictures are held back in bursts.
const BURST: Duration = Duration::from_secs(5);
/// When a camera ends its stream by itself.
const TEARDOWN_AFTER: Duration = Duration::from_secs(2);
/// What a slow camera sends at a time, and how often.
const TRICKLE: (usize, Duration) = (20, Duration::from_millis(100));
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// Parameter sets in the place of one picture.
const PARAMETERS_A_PICTURE: usize = 200;
/// Most bytes that are kept of requests.
const INBOX_MAX: usize = 1 << 16;

/// How pictures travel.
enum Carrier {
    Interleaved(u8),
    Udp { rtp: UdpSocket, rtcp: UdpSocket },
}

/// From PLAY on.
struct Playing {
    sender: Sender,
    reel: Arc<Reel>,
    /// The next picture.
    next: u64,
    /// What RTP time begins with.
    base: u32,
    since: Instant,
    reported: Option<Instant>,
    /// Packets held back for a burst, and since when.
    held: (Vec<Vec<u8>>, Instant),
    /// A datagram that the next one overtakes.
    overtaken: Option<Vec<u8>>,
}

pub(super) struct Session {
    camera: Arc<Camera>,
    condition: watch::Receiver<Condition>,
    hang_ups: u64,
    writer: OwnedWriteHalf,
    carrier: Option<Carrier>,
    playing: Option<Playing>,
    dice: StdRng,
}

/// Ends a connection; why does not matter to a camera.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(camera: Arc<Camera>, stream: TcpStream, condition: watch::Receiver<Condition>) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let hang_ups = condition.borrow().hang_ups;
    let seed = rand::random();
    let dice = StdRng::seed_from_u64(seed);
    let mut session = Session { camera, condition, hang_ups, writer, carrier: None, playing: None, dice };
    let _ = session.run(reader).await;
}

impl Session {
    fn fault(&self) -> Option<Fault> {
        self.condition.borrow().fault
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault() == Some(fault)
    }

    fn is_hung_up(&self) -> bool {
        self.condition.borrow().hang_ups != self.hang_ups
    }

    async fn run(&mut self, mut reader: OwnedReadHalf) -> Result<(), Over> {
        let mut inbox = Vec::new();
        loop {
            if self.is_hung_up() {
                return Ok(());
            }
            if self.is(Fault::HalfOpen) {
                return silent(&mut reader).await;
            }
            let due = self
                .playing
                .as_ref()
                .map(|playing| self.camera.epoch + playing.reel.step * (playing.next as u32));
            tokio::select! {
                read = reader.read_buf(&mut inbox) => {
                    if read? == 0 || inbox.len() > INBOX_MAX {
                        return Ok(());
                    }
                    while let Some(request) = rtsp::take(&mut inbox) {
                        self.answer(&request).await?;
                    }
                }
                () = until(due) => self.play().await?,
                changed = self.condition.changed() => changed.map_err(|_| Over)?,
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> Result<(), Over> {
        if self.is(Fault::HalfOpen) || self.is(Fault::KeepAliveUnanswered) && self.playing.is_some() {
            return Ok(());
        }
        let (password, fault) = {
            let condition = self.condition.borrow();
            (condition.password, condition.fault)
        };
        let is_let_in = password.is_none_or(|password| request.authorization == rtsp::basic(password));
        let is_asked = matches!(request.method.as_str(), "DESCRIBE" | "SETUP" | "PLAY");
        if is_asked && (!is_let_in || fault == Some(Fault::PasswordRefused)) {
            let challenge = "WWW-Authenticate: Basic realm=\"faults\"\r\n";
            return self.reply(request, "401 Unauthorized", challenge, "").await;
        }
        match request.method.as_str() {
            "OPTIONS" => {
                let methods = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n";
                self.reply(request, "200 OK", methods, "").await
            }
            "DESCRIBE" => self.describe(request, fault).await,
            "SETUP" => self.set_up(request).await,
            "PLAY" => {
                self.reply(request, "200 OK", SESSION, "").await?;
                self.playing = self.carrier.is_some().then(|| self.begin());
                Ok(())
            }
            "TEARDOWN" => {
                self.reply(request, "200 OK", SESSION, "").await?;
                Err(Over)
            }
            _ => self.reply(request, "200 OK", SESSION, "").await,
        }
    }

    async fn describe(&mut self, request: &Request, fault: Option<Fault>) -> Result<(), Over> {
        let (cseq, port) = (&request.cseq, self.camera.port);
        match fault {
            Some(Fault::NotFound) => self.reply(request, "404 Not Found", "", "").await,
            Some(Fault::Unavailable) => self.reply(request, "503 Service Unavailable", "", "").await,
            Some(Fault::Redirect | Fault::RedirectLoop) => {
                let port = if fault == Some(Fault::Redirect) { self.camera.twin_port } else { port };
                let location = format!("Location: rtsp://127.0.0.1:{port}/street\r\n");
                self.reply(request, "302 Moved Temporarily", &location, "").await
            }
            Some(Fault::EndlessHeader) => {
                let head = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
                self.pour(&head, &"X-More: and more of it, and more of it\r\n".repeat(100)).await
            }
            Some(Fault::GiantHead) => {
                let head = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nX-Long: ");
                self.pour(&head, &"and on and on ".repeat(300)).await
            }
            Some(Fault::GiantAnswer) => {
                let head = format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: 2147483647\r\n\r\n"
                );
                self.pour(&head, &"a=and more of it, and more of it\r\n".repeat(100)).await
            }
            _ => {
                let body = rtsp::sdp(self.camera.reels.under(fault));
                let more = "Content-Type: application/sdp\r\n";
                self.reply(request, "200 OK", more, &body).await
            }
        }
    }

    async fn set_up(&mut self, request: &Request) -> Result<(), Over> {
        let transport = match request.client_ports {
            Some((rtp_port, rtcp_port)) => {
                let rtp = beside(rtp_port).await?;
                let rtcp = beside(rtcp_port).await?;
                let ports = (rtp.local_addr()?.port(), rtcp.local_addr()?.port());
                self.carrier = Some(Carrier::Udp { rtp, rtcp });
                format!(
                    "RTP/AVP;unicast;client_port={rtp_port}-{rtcp_port};server_port={}-{}",
                    ports.0, ports.1
                )
            }
            None => {
                let channel = request.channel.unwrap_or(0);
                self.carrier = Some(Carrier::Interleaved(channel));
                format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel.wrapping_add(1))
            }
        };
        self.reply(request, "200 OK", &format!("{SESSION}Transport: {transport}\r\n"), "").await
    }

    async fn reply(&mut self, request: &Request, status: &str, more: &str, body: &str) -> Result<(), Over> {
        let cseq = &request.cseq;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let answer = format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{more}{length}\r\n{body}");
        self.write(answer.as_bytes()).await
    }

    /// Sends without end.
    async fn pour(&mut self, head: &str, again: &str) -> Result<(), Over> {
        let fault = self.fault();
        self.write(head.as_bytes()).await?;
        while self.fault() == fault {
            self.write(again.as_bytes()).await?;
        }
        Err(Over)
    }

    /// Writes, until the camera hangs up.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if self.is(Fault::Trickle) {
            for chunk in bytes.chunks(TRICKLE.0) {
                self.writer.write_all(chunk).await?;
                tokio::time::sleep(TRICKLE.1).await;
                if self.is_hung_up() {
                    return Err(Over);
                }
            }
            return Ok(());
        }
        let hang_ups = self.hang_ups;
        tokio::select! {
            written = self.writer.write_all(bytes) => Ok(written?),
            _ = self.condition.wait_for(|condition| condition.hang_ups != hang_ups) => Err(Over),
        }
    }

    /// The first picture is the next one that is due, key frame or not.
    fn begin(&mut self) -> Playing {
        let reel = Arc::clone(self.camera.reels.under(self.fault()));
        let next = next_of(&reel, self.camera.epoch);
        let due = reel.step * (next as u32);
        let mut base = self.dice.random();
        if self.is(Fault::TimeWrap) {
            base = 0_u32.wrapping_sub(4 * CLOCK_HZ).wrapping_sub(ticks(due));
        }
        Playing {
            sender: Sender::new(self.dice.random(), self.dice.random()),
            reel,
            next,
            base,
            since: Instant::now(),
            reported: None,
            held: (Vec::new(), Instant::now()),
            overtaken: None,
        }
    }

    /// Sends the picture that is due.
    async fn play(&mut self) -> Result<(), Over> {
        let fault = self.fault();
        let Some(mut playing) = self.playing.take() else { return Ok(()) };
        if fault == Some(Fault::Teardown) && playing.since.elapsed() >= TEARDOWN_AFTER {
            self.control(playing.sender.bye()).await?;
            return Err(Over);
        }
        let wanted = self.camera.reels.under(fault);
        if !Arc::ptr_eq(wanted, &playing.reel) && wanted.codec == playing.reel.codec {
            // A camera that changes begins with a key frame.
            playing.reel = Arc::clone(wanted);
            playing.next = next_of(wanted, self.camera.epoch).next_multiple_of(wanted.key_every);
            self.playing = Some(playing);
            return Ok(());
        }
        let due = playing.reel.step * (playing.next as u32);
        let time = playing.base.wrapping_add(ticks(due)).wrapping_add(shift(fault));
        let packets = self.packets(&mut playing, fault, time);
        playing.next += 1;
        let due = self.camera.epoch + due;
        self.send(&mut playing, fault, packets).await?;
        if playing.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            playing.reported = Some(Instant::now());
            let skew = if fault == Some(Fault::ClockSkew) { YEAR } else { Duration::ZERO };
            let report = playing.sender.report(SystemTime::now() + skew, time);
            self.control(report).await?;
        }
        self.playing = Some(playing);
        if fault.is_none() {
            self.camera.was_late(due.elapsed());
        }
        Ok(())
    }

    /// The packets of a picture, spoilt as the fault has it.
    fn packets(&mut self, playing: &mut Playing, fault: Option<Fault>, time: u32) -> Vec<Vec<u8>> {
        let reel = Arc::clone(&playing.reel);
        let unit = reel.unit(playing.next);
        let (codec, sender) = (reel.codec, &mut playing.sender);
        match fault {
            Some(Fault::NoKeyFrames) if unit.is_key => Vec::new(),
            Some(Fault::EndlessParameters) => {
                let sets = reel.parameters.iter().cycle().take(PARAMETERS_A_PICTURE);
                sets.map(|set| sender.packet(time, true, set)).collect()
            }
            Some(Fault::BitFlips) => {
                let mut nals = unit.nals.clone();
                for byte in nals.iter_mut().flat_map(|nal| nal.iter_mut().skip(codec.header_bytes())) {
                    if self.dice.random_ratio(1, 100) {
                        *byte ^= 1 << self.dice.random_range(0..8);
                    }
                }
                sender.picture(codec, &nals, time)
            }
            Some(Fault::TruncatedFragments) => {
                let mut packets = sender.picture(codec, &unit.nals, time);
                packets.retain(|packet| !ends_fragments(codec, packet));
                let first = sender.sequence.wrapping_sub(packets.len() as u16);
                for (at, packet) in packets.iter_mut().enumerate() {
                    packet[2..4].copy_from_slice(&first.wrapping_add(at as u16).to_be_bytes());
                }
                packets
            }
            Some(Fault::SequenceJumps) => {
                if unit.is_key {
                    sender.sequence = sender.sequence.wrapping_add(1000);
                }
                let mut packets = sender.picture(codec, &unit.nals, time);
                packets.retain(|_| !self.dice.random_ratio(1, 20));
                packets
            }
            _ => sender.picture(codec, &unit.nals, time),
        }
    }

    async fn send(
        &mut self,
        playing: &mut Playing,
        fault: Option<Fault>,
        packets: Vec<Vec<u8>>,
    ) -> Result<(), Over> {
        let (held, since) = &mut playing.held;
        held.extend(packets);
        if fault == Some(Fault::Bursts) && since.elapsed() < BURST {
            return Ok(());
        }
        *since = Instant::now();
        let packets = std::mem::take(held);
        match &self.carrier {
            Some(Carrier::Interleaved(channel)) => {
                let channel =
                    if fault == Some(Fault::WrongChannel) { channel.wrapping_add(10) } else { *channel };
                let mut bytes: Vec<u8> =
                    packets.iter().flat_map(|packet| interleaved(channel, packet)).collect();
                if fault == Some(Fault::Garbage) {
                    self.dice.fill(bytes.as_mut_slice());
                }
                self.write(&bytes).await
            }
            Some(Carrier::Udp { rtp, .. }) if fault != Some(Fault::SilentOverUdp) => {
                for packet in packets {
                    let is_lossy = fault == Some(Fault::LossOverUdp);
                    if is_lossy && self.dice.random_ratio(1, 10) {
                        continue;
                    }
                    if is_lossy && playing.overtaken.is_none() && self.dice.random_ratio(1, 10) {
                        playing.overtaken = Some(packet);
                        continue;
                    }
                    // A client that is gone is told of by its RTSP connection.
                    let _ = rtp.send(&packet).await;
                    if let Some(packet) = playing.overtaken.take() {
                        let _ = rtp.send(&packet).await;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Sends an RTCP packet.
    async fn control(&mut self, packet: Vec<u8>) -> Result<(), Over> {
        if matches!(self.fault(), Some(Fault::Garbage | Fault::SilentOverUdp)) {
            return Ok(());
        }
        match &self.carrier {
            Some(Carrier::Interleaved(channel)) => {
                let bytes = interleaved(channel.wrapping_add(1), &packet);
                self.write(&bytes).await
            }
            Some(Carrier::Udp { rtcp, .. }) => {
                let _ = rtcp.send(&packet).await;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The timeout makes clients keep the session alive every few seconds.
const SESSION: &str = "Session: 8f3a;timeout=10\r\n";

/// RFC 2326, 10.12.
fn interleaved(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'$', channel];
    bytes.extend((packet.len() as u16).to_be_bytes());
    bytes.extend(packet);
    bytes
}

/// What RTP time is off by.
fn shift(fault: Option<Fault>) -> u32 {
    match fault {
        Some(Fault::TimeBack) => 0_u32.wrapping_sub(3600 * CLOCK_HZ),
        Some(Fault::TimeForward) => 6 * 3600 * CLOCK_HZ,
        _ => 0,
    }
}

fn ticks(due: Duration) -> u32 {
    // Wraps, as RTP time does.
    (due.as_nanos() * u128::from(CLOCK_HZ) / 1_000_000_000) as u32
}

/// The picture that is due next.
fn next_of(reel: &Reel, epoch: Instant) -> u64 {
    1 + (epoch.elapsed().as_nanos() / reel.step.as_nanos()) as u64
}

async fn beside(port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(socket)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Takes what comes and says nothing, for ever: what a client sees of a camera without power.
async fn silent(reader: &mut OwnedReadHalf) -> Result<(), Over> {
    let mut sink = [0; 1024];
    while reader.read(&mut sink).await? > 0 {}
    Ok(())
}
