//! A crowd of loopback cameras for next to nothing: RTSP over TCP alone, one thread for all.
//!
//! What comes in: clips and how many cameras play them. What goes out: RTP, each camera at a place of its own between
//! two key frames, so that a thousand cameras do not send theirs at once. [`crate::RtspServer`] is a whole server and
//! costs more than the service that it is to measure; this one knows no account, no UDP, no reports. Never: a unit that
//! waits for a client that does not read; it is left out up to the next key frame.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::SamplesError;
use crate::clip::{Clip, ServedCodec, load};
use crate::make::Codec;

/// From turn to turn.
const TURN_EVERY: Duration = Duration::from_millis(10);
/// RTP payload bytes in a packet, as cameras have it on Ethernet.
const PAYLOAD_MAX: usize = 1400;
/// RTP ticks a second.
const CLOCK: u64 = 90_000;
/// A client that has not taken so much has stopped reading.
const UNSENT_MAX: usize = 4 << 20;

/// A unit as RTP packets, each behind its interleaved header; sequence number and time are filled in when it is sent.
struct Packets {
    bytes: Vec<u8>,
    /// Where each packet's RTP header lies.
    heads: Vec<usize>,
    at_ns: u64,
    pts_ns: u64,
    is_key: bool,
}

struct Film {
    sdp: String,
    units: Vec<Packets>,
    keys: Vec<usize>,
    lap_ns: u64,
}

/// A running crowd. Dropping it ends it.
pub struct Crowd {
    port: u16,
    stopping: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Crowd {
    /// Serves cameras `0`, `1`, … so many, which play the clips in turn.
    ///
    /// # Errors
    /// When a clip cannot be loaded, no port or no thread is to be had.
    pub fn start(clips: &[PathBuf], cameras: usize) -> Result<Self, SamplesError> {
        gstreamer::init()?;
        let refuse = |reason: String| SamplesError::Server { port: 0, reason };
        let mut films = Vec::new();
        for clip in clips {
            films.push(film(&load(clip, ServedCodec::AsIs)?));
        }
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| refuse(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| refuse(error.to_string()))?.port();
        listener.set_nonblocking(true).map_err(|error| refuse(error.to_string()))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopping);
        let serve = move || {
            let mut clients: Vec<Client> = Vec::new();
            let mut next = Instant::now();
            while !seen.load(Ordering::Relaxed) {
                while let Ok((socket, _)) = listener.accept() {
                    if socket.set_nonblocking(true).is_ok() {
                        clients.push(Client::new(socket));
                    }
                }
                clients.retain_mut(|client| client.turn(&films, cameras).is_some());
                next = (next + TURN_EVERY).max(Instant::now());
                std::thread::sleep(
                    next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)),
                );
            }
        };
        let thread = std::thread::Builder::new().name("crowd".to_owned()).spawn(serve);
        let thread = Some(thread.map_err(|error| refuse(format!("no thread for it: {error}")))?);
        Ok(Self { port, stopping, thread })
    }

    /// `rtsp://127.0.0.1:port/number`.
    pub fn url(&self, number: usize) -> String {
        format!("rtsp://127.0.0.1:{}/{number}", self.port)
    }

    /// Closes every connection.
    pub fn stop(self) {}
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn film(clip: &Clip) -> Film {
    let units: Vec<Packets> = clip
        .units
        .iter()
        .filter_map(|unit| {
            let map = unit.buffer.map_readable().ok()?;
            let mut packets = Packets {
                bytes: Vec::new(),
                heads: Vec::new(),
                at_ns: unit.dts_ns,
                pts_ns: unit.pts_ns,
                is_key: unit.key,
            };
            let nals = nals(&map);
            for (at, nal) in nals.iter().enumerate() {
                packets.add(clip.codec, nal, at + 1 == nals.len());
            }
            Some(packets)
        })
        .collect();
    let keys = (0..units.len()).filter(|at| units[*at].is_key).collect();
    let name = match clip.codec {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
    };
    let mode = if clip.codec == Codec::H264 { "a=fmtp:96 packetization-mode=1\r\n" } else { "" };
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=crowd\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\n\
         m=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/{CLOCK}\r\n{mode}a=control:video\r\n"
    );
    Film { sdp, units, keys, lap_ns: u64::try_from(clip.lap.as_nanos()).unwrap_or(u64::MAX) }
}

/// The NAL units between start codes.
fn nals(unit: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        unit.windows(3).enumerate().filter(|(_, bytes)| bytes == &[0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([unit.len()]);
    let both = starts.iter().zip(ends);
    both.map(|(start, end)| {
        let mut nal = &unit[start + 3..end];
        while let [rest @ .., 0] = nal {
            nal = rest;
        }
        nal
    })
    .filter(|nal| nal.len() > 2)
    .collect()
}

impl Packets {
    fn add(&mut self, codec: Codec, nal: &[u8], is_last: bool) {
        if nal.len() <= PAYLOAD_MAX {
            return self.packet(is_last, &[], nal);
        }
        let (header, body) = match codec {
            Codec::H264 => nal.split_at(1),
            Codec::H265 => nal.split_at(2),
        };
        let count = body.chunks(PAYLOAD_MAX).count();
        for (at, part) in body.chunks(PAYLOAD_MAX).enumerate() {
            let edge = (u8::from(at == 0) << 7) | (u8::from(at + 1 == count) << 6);
            let is_end = is_last && at + 1 == count;
            match (codec, header) {
                (Codec::H264, &[first]) => {
                    self.packet(is_end, &[first & 0xe0 | 28, edge | first & 0x1f], part)
                }
                (Codec::H265, &[first, second]) => {
                    self.packet(is_end, &[first & 0x81 | 49 << 1, second, edge | (first >> 1) & 0x3f], part);
                }
                _ => {}
            }
        }
    }

    fn packet(&mut self, is_last: bool, head: &[u8], rest: &[u8]) {
        let length = u16::try_from(12 + head.len() + rest.len()).unwrap_or(u16::MAX);
        self.bytes.extend([b'$', 0]);
        self.bytes.extend(length.to_be_bytes());
        self.heads.push(self.bytes.len());
        self.bytes.extend([0x80, 96 | u8::from(is_last) << 7, 0, 0, 0, 0, 0, 0, 0x5e, 0xed, 0, 1]);
        self.bytes.extend(head);
        self.bytes.extend(rest);
    }
}

/// One connection.
struct Client {
    socket: TcpStream,
    heard: Vec<u8>,
    unsent: Vec<u8>,
    camera: Option<usize>,
    plays: Option<Play>,
}

struct Play {
    film: usize,
    /// The next unit, and the time of the scene at which it is due counted from zero.
    unit: usize,
    lap: u64,
    /// When the scene's time was zero.
    epoch: Instant,
    sequence: u16,
    /// Nothing is sent before the next key frame.
    is_behind: bool,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        Self { socket, heard: Vec::new(), unsent: Vec::new(), camera: None, plays: None }
    }

    /// `None`: it is gone.
    fn turn(&mut self, films: &[Film], cameras: usize) -> Option<()> {
        self.hear(films, cameras)?;
        self.send()?;
        if let Some(play) = &mut self.plays {
            play.send_due(films, &mut self.unsent);
            self.send()?;
        }
        Some(())
    }

    fn hear(&mut self, films: &[Film], cameras: usize) -> Option<()> {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => return None,
            Ok(got) => self.heard.extend_from_slice(&bytes[..got]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
            Err(_) => return None,
        }
        while let Some(end) = self.heard.windows(4).position(|end| end == b"\r\n\r\n") {
            let rest = self.heard.split_off(end + 4);
            let request = String::from_utf8_lossy(&std::mem::replace(&mut self.heard, rest)).into_owned();
            self.answer(&request, films, cameras)?;
        }
        (self.heard.len() < 64 << 10).then_some(())
    }

    fn answer(&mut self, request: &str, films: &[Film], cameras: usize) -> Option<()> {
        let mut words = request.split_ascii_whitespace();
        let (method, url) = (words.next()?, words.next()?);
        let headers: HashMap<String, &str> = request
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.trim()))
            .collect();
        let number = headers.get("cseq").copied().unwrap_or("0");
        let path = url.split("://").nth(1).and_then(|rest| rest.split_once('/')).map_or("", |(_, path)| path);
        let named = path.split('/').next().and_then(|camera| camera.parse().ok());
        self.camera = named.filter(|camera| *camera < cameras).or(self.camera);
        let (status, more, body) = match (method, self.camera) {
            ("OPTIONS", _) => {
                ("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n", "")
            }
            ("TEARDOWN", _) => return None,
            (_, None) => ("404 Not Found", "", ""),
            ("DESCRIBE", Some(camera)) => {
                ("200 OK", "Content-Type: application/sdp\r\n", films[camera % films.len()].sdp.as_str())
            }
            ("SETUP", _) if headers.get("transport").is_some_and(|how| how.contains("TCP")) => {
                ("200 OK", "Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "")
            }
            ("SETUP", _) => ("461 Unsupported Transport", "", ""),
            ("PLAY", Some(camera)) => {
                self.plays = Some(Play::begin(films, camera, cameras));
                ("200 OK", "Session: 1\r\n", "")
            }
            _ => ("200 OK", "Session: 1\r\n", ""),
        };
        let length = body.len();
        let answer =
            format!("RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}Content-Length: {length}\r\n\r\n{body}");
        self.unsent.extend_from_slice(answer.as_bytes());
        Some(())
    }

    fn send(&mut self) -> Option<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write(&self.unsent[sent..]) {
                Ok(0) => return None,
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return None,
            }
        }
        self.unsent.drain(..sent);
        Some(())
    }
}

impl Play {
    /// A key frame at once, then the scene from where this camera is between two of them.
    fn begin(films: &[Film], camera: usize, cameras: usize) -> Self {
        let film = camera % films.len();
        let Film { units, keys, lap_ns, .. } = &films[film];
        let first = keys[camera % keys.len()];
        let next_ns = keys.iter().map(|key| units[*key].at_ns).find(|at_ns| *at_ns > units[first].at_ns);
        let gap_ns = next_ns.unwrap_or(*lap_ns) - units[first].at_ns;
        let into_ns = gap_ns * (camera as u64) / (cameras as u64).max(1);
        let epoch = Instant::now().checked_sub(Duration::from_nanos(units[first].at_ns + into_ns));
        Self {
            film,
            unit: first,
            lap: 0,
            epoch: epoch.unwrap_or_else(Instant::now),
            sequence: 0,
            is_behind: false,
        }
    }

    fn send_due(&mut self, films: &[Film], unsent: &mut Vec<u8>) {
        let Film { units, lap_ns, .. } = &films[self.film];
        let now_ns = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let is_first = self.sequence == 0 && self.lap == 0;
        let begun_at = self.unit;
        loop {
            let unit = &units[self.unit];
            let due_ns = self.lap * lap_ns + unit.at_ns;
            if due_ns > now_ns {
                return;
            }
            self.is_behind = if unsent.len() > UNSENT_MAX { true } else { self.is_behind && !unit.is_key };
            // What lies between the first key frame and the place of this camera is past.
            let is_past = is_first && self.unit != begun_at && now_ns - due_ns > 100_000_000;
            if !self.is_behind && !is_past {
                let pts_ns = if is_first && self.unit == begun_at {
                    now_ns
                } else {
                    due_ns + unit.pts_ns - unit.at_ns.min(unit.pts_ns)
                };
                self.push(unit, pts_ns, unsent);
            }
            self.unit += 1;
            if self.unit == units.len() {
                self.unit = 0;
                self.lap += 1;
            }
        }
    }

    fn push(&mut self, unit: &Packets, pts_ns: u64, unsent: &mut Vec<u8>) {
        let from = unsent.len();
        unsent.extend_from_slice(&unit.bytes);
        // RTP time wraps, as cameras' does.
        let rtp = (u128::from(pts_ns) * u128::from(CLOCK) / 1_000_000_000) as u32;
        for head in &unit.heads {
            let at = from + head;
            unsent[at + 2..at + 4].copy_from_slice(&self.sequence.to_be_bytes());
            unsent[at + 4..at + 8].copy_from_slice(&rtp.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}
