//! Knocks at the door before GStreamer does: TCP connect and one RTSP `DESCRIBE`.
//!
//! What comes in: an address without credentials. What goes out: nothing, or the [`Refusal`] that says
//! which of "closed", "not RTSP", "silent" or "no such path" it is. rtspsrc tells these apart only by texts that change with
//! its version, and waits 20 s at a silent door. The description is asked for, not the `OPTIONS`: a camera that redirects
//! in a circle or answers without end would keep rtspsrc busy for as long as it is let (two gigabytes were taken in
//! where two were sent). Never: credentials, a session on the camera, more of an answer
//! than a few kilobytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use url::Url;

use crate::Refusal;

pub(crate) const RTSP_PORT: u16 = 554;
const RTSPS_PORT: u16 = 322;
/// `RTSP/1.0 200`.
const STATUS_BYTES: usize = 12;
/// Longest head of an answer; a camera's has a few hundred bytes.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Longest description of a stream; a camera's has one or two kilobytes.
const BODY_BYTES_MAX: u64 = 1 << 20;
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;

/// Whether it would describe its stream, as far as may be known without credentials: "who are you" is a yes.
pub(crate) fn look_in(url: &str, limit: Duration) -> Result<(), Refusal> {
    let deadline = Instant::now() + limit;
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(head) = describe(&url, left)? else { return Ok(()) };
        match head.status {
            404 => return Err(Refusal::NotFound),
            300..=399 => url = head.location.ok_or_else(|| refuse("it redirects to nowhere"))?,
            _ if head.body_bytes > BODY_BYTES_MAX => {
                return Err(refuse("it announces a description of more than a megabyte"));
            }
            200..=299 | 401 | 403 => return Ok(()),
            status => return Err(Refusal::Other(format!("it answers {status}"))),
        }
    }
    Err(refuse("it redirects in a circle"))
}

fn refuse(why: &str) -> Refusal {
    Refusal::Other(why.to_owned())
}

/// What of an answer matters here.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    location: Option<String>,
    body_bytes: u64,
}

/// The head of the answer; `None` where there is no asking in clear text (`rtsps`).
fn describe(url: &str, limit: Duration) -> Result<Option<Head>, Refusal> {
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
                return Ok(None);
            }
            Ok(stream) => {
                let answer = ask(stream, url, &left).map_err(|_| Refusal::NotRtsp)?;
                let head = ends(&answer).then(|| read_head(&answer));
                return head.map(Some).ok_or_else(|| refuse("its answer has no end"));
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

fn ends(answer: &[u8]) -> bool {
    answer.windows(4).any(|four| four == b"\r\n\r\n") || answer.windows(2).any(|two| two == b"\n\n")
}

fn read_head(answer: &[u8]) -> Head {
    let text = String::from_utf8_lossy(answer);
    let value = |name: &str| {
        let line = text.lines().skip(1).take_while(|line| !line.is_empty());
        line.filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.trim()))
    };
    Head {
        status: text.split(' ').nth(1).and_then(|status| status.get(..3)?.parse().ok()).unwrap_or(0),
        location: value("Location").map(str::to_owned),
        body_bytes: value("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0),
    }
}

/// Any answer that begins with `RTSP/` is one, also 401 or 501. What is read ends with its head, after
/// [`HEAD_BYTES_MAX`] or when time is up.
fn ask(mut stream: TcpStream, url: &str, left: &impl Fn() -> Duration) -> std::io::Result<Vec<u8>> {
    let ask = format!(
        "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: shirong\r\n\r\n"
    );
    stream.set_write_timeout(Some(left()))?;
    stream.write_all(ask.as_bytes())?;
    let mut answer = Vec::new();
    let mut some = [0_u8; 1024];
    while answer.len() < HEAD_BYTES_MAX && !ends(&answer) && left() > Duration::from_millis(10) {
        stream.set_read_timeout(Some(left()))?;
        let room = some.len().min(HEAD_BYTES_MAX - answer.len());
        match stream.read(&mut some[..room]) {
            Ok(0) if answer.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&some[..n]),
            Err(error) if answer.len() < STATUS_BYTES => return Err(error),
            Err(_) => break,
        }
    }
    if answer.starts_with(b"RTSP/") { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A camera that gives each of its visitors the next answer, over and over.
    fn answering(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/street", listener.local_addr().unwrap());
        let own = url.clone();
        std::thread::spawn(move || {
            for (stream, answer) in listener.incoming().zip(answers.iter().cycle()) {
                let Ok(mut stream) = stream else { return };
                let _ = stream.read(&mut [0; 512]);
                let _ = stream.write_all(answer.replace("SELF", &own).as_bytes());
            }
        });
        url
    }

    fn looked(answers: &[&str]) -> Result<(), Refusal> {
        look_in(&answering(answers.iter().map(|&a| a.to_owned()).collect()), Duration::from_secs(5))
    }

    #[test]
    fn what_would_keep_rtspsrc_busy_is_seen_before_it() {
        let round = "RTSP/1.0 302 Moved\r\nLocation: SELF\r\n\r\n";
        let good = "RTSP/1.0 200 OK\r\nContent-Length: 300\r\n\r\nv=0";
        assert_eq!(looked(&[round, good]), Ok(()), "one redirect leads somewhere");
        assert_eq!(looked(&[round]), Err(refuse("it redirects in a circle")));
        let giant = "RTSP/1.0 200 OK\r\nContent-Length: 2147483647\r\n\r\n";
        assert!(matches!(looked(&[giant]), Err(Refusal::Other(_))));
        let endless = format!("RTSP/1.0 200 OK\r\n{}", "X-More: and more\r\n".repeat(1000));
        assert_eq!(looked(&[&endless]), Err(refuse("its answer has no end")));
        assert_eq!(looked(&["RTSP/1.0 503 Busy\r\n\r\n"]), Err(refuse("it answers 503")));
        assert_eq!(looked(&["RTSP/1.0 404 Not Found\r\n\r\n"]), Err(Refusal::NotFound));
        assert_eq!(looked(&["RTSP/1.0 401 Unauthorized\r\n\r\n"]), Ok(()), "asked with credentials it may");
        assert_eq!(looked(&["HTTP/1.1 200 OK\r\n\r\n"]), Err(Refusal::NotRtsp));
    }
}
