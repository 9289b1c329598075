//! What a camera's description (SDP, RFC 4566) says of its video.
//!
//! What comes in: the body of an answer to `DESCRIBE`. What goes out: the first H.264 or H.265 stream, or what there is
//! instead of one. Never: a stream of another kind.

use super::account::from_base64;
use crate::decode::Codec;

/// Most parameter sets that are read.
const SETS_MAX: usize = 16;

/// A camera's offer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Description {
    /// The control of all streams together.
    pub(crate) control: Option<String>,
    pub(crate) video: Option<Video>,
    pub(crate) has_audio: bool,
    /// Video in a codec that is not read.
    pub(crate) unsupported: Option<String>,
    /// It sends units out of order, which is not understood here.
    pub(crate) is_interleaved: bool,
}

/// The stream that is taken.
#[derive(Debug, PartialEq)]
pub(crate) struct Video {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) clock_rate: u32,
    pub(crate) control: Option<String>,
    /// Parameter sets without start codes.
    pub(crate) sets: Vec<Vec<u8>>,
}

/// One `m=` block.
#[derive(Default)]
struct Media<'t> {
    kind: &'t str,
    payload_type: u8,
    encoding: Option<(&'t str, u32)>,
    format: &'t str,
    control: Option<&'t str>,
}

impl Description {
    pub(crate) fn read(text: &str) -> Self {
        let mut found = Self::default();
        let mut media: Option<Media<'_>> = None;
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("m=") {
                found.take(media.take());
                let words: Vec<&str> = rest.split_ascii_whitespace().collect();
                let payload_type = words.get(3).and_then(|number| number.parse().ok()).unwrap_or(u8::MAX);
                let kind = words.first().copied().unwrap_or_default();
                media = Some(Media { kind, payload_type, ..Media::default() });
                continue;
            }
            let Some((key, value)) = line.strip_prefix("a=").and_then(|rest| rest.split_once(':')) else {
                continue;
            };
            let own = |media: &Media<'_>| {
                let (number, rest) = value.split_once(' ')?;
                (number.parse() == Ok(media.payload_type)).then_some(rest.trim())
            };
            match (key, &mut media) {
                ("control", None) => found.control = Some(value.trim().to_owned()),
                ("control", Some(media)) => media.control = Some(value.trim()),
                ("rtpmap", Some(media)) => {
                    if let Some(rest) = own(media) {
                        let mut parts = rest.split('/');
                        let name = parts.next().unwrap_or_default();
                        let rate = parts.next().and_then(|rate| rate.trim().parse().ok()).unwrap_or(90_000);
                        media.encoding = Some((name, rate));
                    }
                }
                ("fmtp", Some(media)) => media.format = own(media).unwrap_or(media.format),
                _ => {}
            }
        }
        found.take(media);
        found
    }

    fn take(&mut self, media: Option<Media<'_>>) {
        let Some(media) = media else { return };
        match (media.kind, media.encoding) {
            ("audio", _) => self.has_audio = true,
            ("video", Some((name, clock_rate))) => match Codec::from_encoding(name) {
                Some(codec) if self.video.is_none() => {
                    let value = |key: &str| format_value(media.format, key);
                    self.is_interleaved = value("packetization-mode") == Some("2")
                        || value("sprop-max-don-diff").is_some_and(|most| most != "0");
                    let sets = ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"];
                    let sets = sets.iter().filter_map(|key| value(key)).flat_map(|sets| sets.split(','));
                    let sets =
                        sets.filter_map(from_base64).filter(|set| !set.is_empty()).take(SETS_MAX).collect();
                    let control = media.control.map(str::to_owned);
                    self.video =
                        Some(Video { codec, payload_type: media.payload_type, clock_rate, control, sets });
                }
                Some(_) => {}
                None => self.unsupported = Some(name.to_ascii_uppercase()),
            },
            ("video", None) => self.unsupported = Some(format!("of payload type {}", media.payload_type)),
            _ => {}
        }
    }
}

fn format_value<'f>(format: &'f str, key: &str) -> Option<&'f str> {
    let pairs = format.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim()).next()
}

/// The address that a control names, as rtspsrc puts it together.
pub(crate) fn join(base: &str, control: Option<&str>) -> String {
    match control {
        None | Some("" | "*") => base.to_owned(),
        Some(control) if control.contains("://") => control.to_owned(),
        Some(control) if base.ends_with('/') || control.starts_with('/') => format!("{base}{control}"),
        Some(control) => format!("{base}/{control}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_video_among_other_streams() {
        let text = "v=0\r\ns=x\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\na=control:audio\r\n\
                    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n\
                    a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z00AKp2oHgCJ+WbgICAoAAADAAgAAAMAwCA=,aO48gA==;x=y\r\n\
                    m=application 0 RTP/AVP 107\r\na=control:meta\r\n";
        let found = Description::read(text);
        let video = found.video.unwrap();
        assert_eq!((video.codec, video.payload_type, video.clock_rate), (Codec::H264, 96, 90_000));
        assert_eq!(video.control.as_deref(), Some("trackID=1"));
        assert_eq!(video.sets[1], [0x68, 0xee, 0x3c, 0x80]);
        assert!(found.has_audio && !found.is_interleaved && found.unsupported.is_none());
        assert_eq!(found.control.as_deref(), Some("*"));
    }

    #[test]
    fn what_is_there_instead() {
        let other = Description::read("m=video 0 RTP/AVP 26\r\na=rtpmap:26 jpeg/90000\r\n");
        assert_eq!((other.video, other.unsupported.as_deref()), (None, Some("JPEG")));
        let h265 =
            "m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\na=fmtp:98 sprop-vps=QAE=;sprop-max-don-diff=2\n";
        let found = Description::read(h265);
        assert!(found.is_interleaved);
        assert_eq!(found.video.unwrap().sets, [[0x40, 1]]);
        assert_eq!(Description::read("rubbish\nm=\na=control\nm=video\n").video, None);
    }

    #[test]
    fn controls_are_joined() {
        assert_eq!(join("rtsp://h/a/", Some("v")), "rtsp://h/a/v");
        assert_eq!(join("rtsp://h/a", Some("trackID=1")), "rtsp://h/a/trackID=1");
        assert_eq!(join("rtsp://h/a", Some("*")), "rtsp://h/a");
        assert_eq!(join("rtsp://h/a", Some("rtsp://h/b")), "rtsp://h/b");
    }
}
