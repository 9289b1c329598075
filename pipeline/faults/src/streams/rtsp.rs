//! RTSP's text, as RFC 2326 has it: requests as far as cameras need them, and what describes a stream.
//!
//! In: bytes of a client, a reel. Out: [`Request`]s, SDP. Never: trust in what a client sends.

use super::reel::{Codec, Reel};
use super::rtp::PAYLOAD;
use super::serve::USER;

/// What of a request matters to a camera.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) cseq: String,
    pub(crate) authorization: String,
    /// The first of the interleaved channels asked for.
    pub(crate) channel: Option<u8>,
    /// Where datagrams are wanted: RTP and RTCP.
    pub(crate) client_ports: Option<(u16, u16)>,
}

/// Takes the next whole request out of what has come; interleaved packets (RTCP of the client) are left out.
pub(crate) fn take(inbox: &mut Vec<u8>) -> Option<Request> {
    while inbox.first() == Some(&b'$') {
        let length = usize::from(u16::from_be_bytes([*inbox.get(2)?, *inbox.get(3)?]));
        if inbox.len() < 4 + length {
            return None;
        }
        inbox.drain(..4 + length);
    }
    let end = inbox.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&inbox[..end]).into_owned();
    let length = header(&text, "Content-Length").and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
    if inbox.len() < end + 4 + length {
        return None;
    }
    inbox.drain(..end + 4 + length);
    let transport = header(&text, "Transport").unwrap_or_default();
    let parameter =
        |name: &str| transport.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let ports = parameter("client_port").and_then(|ports| {
        let (rtp, rtcp) = ports.split_once('-')?;
        Some((rtp.parse().ok()?, rtcp.parse().ok()?))
    });
    let of = |name| header(&text, name).unwrap_or_default().to_owned();
    Some(Request {
        method: text.split(' ').next().unwrap_or_default().to_owned(),
        cseq: of("CSeq"),
        authorization: of("Authorization"),
        channel: parameter("interleaved").and_then(|channels| channels.split('-').next()?.parse().ok()),
        client_ports: ports,
    })
}

fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// What lets [`USER`] in.
pub(crate) fn basic(password: &str) -> String {
    format!("Basic {}", base64(format!("{USER}:{password}").as_bytes()))
}

/// A reel, described.
pub(crate) fn sdp(reel: &Reel) -> String {
    let sets: Vec<String> = reel.parameters.iter().map(|set| base64(set)).collect();
    let (name, format) = match reel.codec {
        Codec::H264 => ("H264", format!("packetization-mode=1;sprop-parameter-sets={}", sets.join(","))),
        Codec::H265 => {
            let named =
                ["vps", "sps", "pps"].iter().zip(&sets).map(|(name, set)| format!("sprop-{name}={set}"));
            ("H265", named.collect::<Vec<_>>().join(";"))
        }
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=street\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
         m=video 0 RTP/AVP {PAYLOAD}\r\na=rtpmap:{PAYLOAD} {name}/90000\r\na=fmtp:{PAYLOAD} {format}\r\n\
         a=control:track1\r\n"
    )
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = char::from(LETTERS[(word >> (18 - 6 * at)) as usize & 63]);
            text.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_one_by_one_and_packets_left_out() {
        let mut inbox = b"$\x01\0\x02ab\
            SETUP rtsp://h/track1 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3\r\n\r\n\
            SET_PARAMETER rtsp://h/ RTSP/1.0\r\ncseq: 4\r\nContent-Length: 2\r\n\r\nxyPLAY"
            .to_vec();
        let first = take(&mut inbox).unwrap();
        assert_eq!((first.method.as_str(), first.cseq.as_str(), first.channel), ("SETUP", "3", Some(2)));
        let second = take(&mut inbox).unwrap();
        assert_eq!((second.method.as_str(), second.cseq.as_str()), ("SET_PARAMETER", "4"));
        assert_eq!(take(&mut inbox), None);
        assert_eq!(inbox, b"PLAY");
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
