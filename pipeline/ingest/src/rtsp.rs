//! Our own side of RTSP over TCP, for cameras whose key frames alone are looked at.
//!
//! What comes in: an address, an account, what a camera sends. What goes out: key frames for the pool, and how large
//! the delta units between them were. GStreamer decodes; it does not receive here, since its rtspsrc takes four threads
//! and ten times the CPU time of a camera of whose stream one unit in fifty is wanted. UDP, rtsps and every camera that
//! is not understood here are rtspsrc's. Never: a thread a camera, a wait, a copy of a unit that is not decoded.
//!
//! ```text
//! Receiver (a thread for hundreds of cameras, every 40 ms) ─ Line (one camera: connects, watches, connects again)
//!     socket ─ Message ─┬─ answers ─ Session (requests, account)
//!                       ├─ RTCP ─── WallClock
//!                       └─ RTP ──── Depay: units ─ gate ─ Pool
//! ```

use std::fmt::Write;

use depay::Depay;
use message::Message;
use sdp::Description;
use session::{Next, Session, Stop};

use crate::clock::WallClock;
use crate::decode::Codec;

pub(crate) mod account;
pub(crate) mod depay;
pub(crate) mod line;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod receiver;
pub(crate) mod sdp;
pub(crate) mod session;

/// What would be made of these bytes if a camera sent them: its answers in the order of the requests, its packets as
/// video of the described codec (H.264 where none is described) and as RTCP; what ended it, at last. For whoever tries
/// what it makes of foreign bytes.
pub fn read_stream(bytes: &[u8]) -> String {
    let (mut session, _) = Session::begin("rtsp://camera/street", None);
    let (clock, mut depay) = (WallClock::default(), Depay::new(Codec::H264, 96, Vec::new()));
    let mut told = String::new();
    let mut at = 0;
    loop {
        let (message, used) = match message::first(&bytes[at..]) {
            Ok(Some(found)) => found,
            Ok(None) => return told,
            Err(message::Garbage) => return told + "garbage",
        };
        at += used;
        // Writing to a `String` cannot fail.
        let _ = match message {
            Message::Request(number) => write!(told, "request {} ", number.len()),
            Message::Packet(channel, packet) => {
                clock.on_rtcp(packet);
                let _ = clock.on_rtp(packet, 0, 90_000, 0);
                depay.push(packet, 0, &mut |unit| {
                    let is_whole = unit.data.is_some();
                    let _ = write!(told, "{} {is_whole} {} ", unit.is_key, unit.bytes.max(1).ilog2());
                });
                write!(told, "{} ", channel.min(2))
            }
            Message::Answer(answer) => match session.hear(&answer) {
                Ok(Next::Ask(request)) => write!(told, "asks {} ", request.len()),
                Ok(Next::Plays) => {
                    if let Some(video) = session.video.take() {
                        depay = Depay::new(video.codec, video.payload_type, video.sets);
                        depay.keep_deltas();
                    }
                    write!(told, "plays ")
                }
                Ok(Next::Wait) => write!(told, "waits "),
                Err(Stop::Refused(refusal)) => return told + &refusal.to_string(),
                Err(Stop::NotUnderstood(what)) => return told + &what,
            },
        };
    }
}

/// What of a camera's description (SDP) is read. For whoever tries what it makes of foreign bytes.
pub fn read_description(bytes: &[u8]) -> String {
    let found = Description::read(&String::from_utf8_lossy(bytes));
    let video =
        found.video.map(|video| (video.codec.name(), video.payload_type, video.clock_rate, video.sets.len()));
    format!(
        "{:?} {video:?} {} {:?} {}",
        found.control, found.has_audio, found.unsupported, found.is_interleaved
    )
}
