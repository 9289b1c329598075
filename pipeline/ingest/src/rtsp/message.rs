//! What stands in the bytes of an RTSP connection: answers, requests, interleaved packets (RFC 2326, 10.12).
//!
//! What comes in: bytes as they were received. What goes out: the first whole thing among them. Never: more of it in
//! memory than [`HEAD_MAX`] and [`BODY_MAX`] allow.

/// Longest status line and headers.
const HEAD_MAX: usize = 16 << 10;
/// Longest body: a description of a stream is a few hundred bytes.
const BODY_MAX: usize = 256 << 10;

/// The first thing among the bytes.
#[derive(Debug, PartialEq)]
pub(crate) enum Message<'b> {
    /// An answer to a request of ours.
    Answer(Answer),
    /// A request of the camera's; its `CSeq` line's value.
    Request(String),
    /// A packet on an interleaved channel.
    Packet(u8, &'b [u8]),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// All headers of that name.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }
}

/// The bytes are no RTSP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbage;

/// The first whole thing and how many bytes it took; `None` while more bytes must come.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, Garbage> {
    // Some cameras end a body with one line end too many.
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = &bytes[blank..];
    match rest {
        [] => Ok(None),
        [b'$', head @ ..] => {
            let &[channel, high, low, ref packet @ ..] = head else { return Ok(None) };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let packet = packet.get(..length).map(|packet| Message::Packet(channel, packet));
            Ok(packet.map(|packet| (packet, blank + 4 + length)))
        }
        _ => text(rest).map(|found| found.map(|(message, used)| (message, blank + used))),
    }
}

fn text(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, Garbage> {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t') || *byte >= 0x80;
    if !bytes.iter().take(4).all(is_text) {
        return Err(Garbage);
    }
    let Some(head_end) = bytes.windows(4).take(HEAD_MAX).position(|end| end == b"\r\n\r\n") else {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_begun =
            line.len() < 5 || line.starts_with(b"RTSP/") || line.windows(6).any(|at| at == b" RTSP/");
        // A first line that is whole and names no RTSP is something else's; so is a head without end.
        let is_whole = line.len() < bytes.len();
        return if bytes.len() >= HEAD_MAX || (is_whole && !is_begun) { Err(Garbage) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let value =
        |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let length = value("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0_usize);
    if length > BODY_MAX {
        return Err(Garbage);
    }
    let used = head_end + 4 + length;
    let Some(body) = bytes.get(head_end + 4..used) else { return Ok(None) };
    let message = match status.strip_prefix("RTSP/") {
        Some(rest) => {
            let mut parts = rest.splitn(3, ' ').skip(1);
            let status = parts.next().and_then(|code| code.parse().ok()).ok_or(Garbage)?;
            let reason = parts.next().unwrap_or_default().trim().to_owned();
            Message::Answer(Answer { status, reason, headers, body: body.to_vec() })
        }
        None if status.contains(" RTSP/") => Message::Request(value("CSeq").cloned().unwrap_or_default()),
        None => return Err(Garbage),
    };
    Ok(Some((message, used)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_taken_one_after_the_other_and_only_when_whole() {
        let bytes = b"RTSP/1.0 200 OK\r\ncseq: 3\r\nContent-Length: 2\r\n\r\nab$\x01\x00\x03xyz\
                      \r\nANNOUNCE rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n";
        let mut at = 0;
        let mut seen = Vec::new();
        for end in 0..=bytes.len() {
            if let Some((message, used)) = first(&bytes[at..end]).unwrap() {
                seen.push(match message {
                    Message::Answer(answer) => {
                        format!("{} {:?} {:?}", answer.status, answer.header("CSeq"), answer.body)
                    }
                    Message::Packet(channel, packet) => format!("{channel} {packet:?}"),
                    Message::Request(number) => number,
                });
                at += used;
            }
        }
        assert_eq!(seen, ["200 Some(\"3\") [97, 98]", "1 [120, 121, 122]", "9"]);
        assert_eq!(at, bytes.len());
    }

    #[test]
    fn what_is_no_rtsp_is_said_to_be_none() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01\x00\x00",
            b"RTSP/1.0 none\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        ] {
            assert_eq!(first(bytes), Err(Garbage), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(first(&[b'a'; HEAD_MAX + 1]), Err(Garbage));
        assert_eq!(first(b"RTSP/1.0 2"), Ok(None));
        assert_eq!(first(b"$\x00\xff"), Ok(None));
    }
}
