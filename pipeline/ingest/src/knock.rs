//! Knocks at the door before GStreamer does, and once more where GStreamer does not say what was wrong: TCP
//! connect and one RTSP `OPTIONS`, or `DESCRIBE`.
//!
//! What comes in: an address without credentials. What goes out: nothing, or the [`Refusal`] that says
//! which of "closed", "not RTSP", "silent" or "no such path" it is. rtspsrc tells these apart only by texts that change with
//! its version, and waits 20 s at a silent door. Never: credentials, a session on the camera.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use url::Url;

use crate::Refusal;

pub(crate) const RTSP_PORT: u16 = 554;
const RTSPS_PORT: u16 = 322;
/// Longest status line that is read.
const ANSWER_BYTES: usize = 64;
/// `RTSP/1.0 200`.
const STATUS_BYTES: usize = 12;

/// Whether an RTSP server answers there within `limit`.
pub(crate) fn knock(url: &str, limit: Duration) -> Result<(), Refusal> {
    request("OPTIONS", url, limit)
}

/// Says better what was wrong where rtspsrc gave up without a reason: a 404 that lacks its `CSeq`, as VLC
/// sends it, is to rtspsrc no answer at all.
pub(crate) fn sharpen(refusal: Refusal, url: &str, limit: Duration) -> Refusal {
    match refusal {
        Refusal::Other(_) => match request("DESCRIBE", url, limit) {
            Err(Refusal::NotFound) => Refusal::NotFound,
            _ => refusal,
        },
        _ => refusal,
    }
}

fn request(request: &str, url: &str, limit: Duration) -> Result<(), Refusal> {
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
    let parsed = Url::parse(url).map_err(|e| Refusal::Other(e.to_string()))?;
    let encrypted = parsed.scheme() == "rtsps";
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = parsed.port().unwrap_or(if encrypted { RTSPS_PORT } else { RTSP_PORT });
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|_| Refusal::Unreachable(format!("the name {host} is not known")))?;
    let mut refusal = Refusal::Unreachable(format!("the name {host} has no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) if encrypted => {
                drop(stream);
                return Ok(());
            }
            Ok(stream) => {
                let answer = ask(stream, request, url, &left).map_err(|_| Refusal::NotRtsp)?;
                return if answer.starts_with(b"RTSP/1.0 404") { Err(Refusal::NotFound) } else { Ok(()) };
            }
            Err(e) => refusal = Refusal::Unreachable(why(&e)),
        }
    }
    Err(refusal)
}

/// Why a connection failed, for people.
pub(crate) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "the port is closed".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no route to it".to_owned(),
        _ => error.to_string(),
    }
}

/// Any answer that begins with `RTSP/` is one, also 401 or 501 to `OPTIONS`.
fn ask(
    mut stream: TcpStream,
    request: &str,
    url: &str,
    left: &impl Fn() -> Duration,
) -> std::io::Result<[u8; ANSWER_BYTES]> {
    let ask = format!("{request} {url} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: shirong\r\n\r\n");
    stream.set_write_timeout(Some(left()))?;
    stream.write_all(ask.as_bytes())?;
    let mut answer = [0_u8; ANSWER_BYTES];
    let mut have = 0;
    while have < STATUS_BYTES {
        stream.set_read_timeout(Some(left()))?;
        match stream.read(&mut answer[have..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
        if left() <= Duration::from_millis(10) {
            break;
        }
    }
    if answer.starts_with(b"RTSP/") { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
}
