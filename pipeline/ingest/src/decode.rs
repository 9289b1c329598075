//! Which decoder: the best-ranked registered one that starts on this machine.
//!
//! What comes in: caps of the compressed video. What goes out: a decoder element in READY. Hardware plugins
//! register above libav, so rank is the whole policy; one whose device is absent fails READY and the next is
//! taken. Never: a decoder that holds a lone key frame back for threads.

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::Cadence;

/// Threads of a software decoder when everything is decoded. One would not follow 4K, many starve neighbours.
const THREADS_FULL: u32 = 2;

/// What a NAL unit is to a decoder of lone key frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nal {
    /// A parameter set: video (H.265 only), sequence, picture.
    Set(usize),
    Key,
    Delta,
    Other,
}

/// The codecs that RTSP cameras are read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    H264,
    H265,
}

impl Codec {
    /// From the SDP's encoding name.
    pub(crate) fn from_encoding(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "H264" => Some(Self::H264),
            "H265" | "HEVC" => Some(Self::H265),
            _ => None,
        }
    }

    /// From a parser's caps.
    pub(crate) fn from_caps(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        }
    }

    /// What a NAL unit without start code is, by its header.
    pub(crate) fn nal(self, unit: &[u8]) -> Nal {
        let Some(&first) = unit.first() else { return Nal::Other };
        match self {
            Self::H264 => match first & 0x1f {
                7 => Nal::Set(1),
                8 => Nal::Set(2),
                5 => Nal::Key,
                1..=4 => Nal::Delta,
                _ => Nal::Other,
            },
            Self::H265 => match (first >> 1) & 0x3f {
                kind @ 32..=34 => Nal::Set(usize::from(kind) - 32),
                16..=21 => Nal::Key,
                0..=31 => Nal::Delta,
                _ => Nal::Other,
            },
        }
    }

    pub(crate) fn depay(self) -> &'static str {
        match self {
            Self::H264 => "rtph264depay",
            Self::H265 => "rtph265depay",
        }
    }

    pub(crate) fn parse(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
        }
    }

    /// Whole access units, start codes: what every decoder takes and what needs no waiting for the next unit.
    pub(crate) fn caps(self) -> gst::Caps {
        let name = match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        };
        gst::Caps::builder(name).field("stream-format", "byte-stream").field("alignment", "au").build()
    }
}

/// The codec's common name, from caps of a parser.
pub(crate) fn codec_name(caps: &gst::CapsRef) -> String {
    let Some(structure) = caps.structure(0) else { return "unknown".to_owned() };
    match structure.name().as_str() {
        "video/x-h264" => "H.264".to_owned(),
        "video/x-h265" => "H.265".to_owned(),
        "video/mpeg" => format!("MPEG-{}", structure.get::<i32>("mpegversion").unwrap_or(4)),
        other => other.trim_start_matches("video/").trim_start_matches("x-").to_owned(),
    }
}

/// Registered decoders of these caps, best first.
pub(crate) fn ranked(caps: &gst::CapsRef) -> Vec<gst::ElementFactory> {
    let kind = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let mut found: Vec<_> = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_sink_any_caps(caps))
        .collect();
    found.sort_by(|a, b| b.rank().cmp(&a.rank()).then_with(|| a.name().cmp(&b.name())));
    found
}

/// The best decoder that reaches READY, set up for the cadence.
pub(crate) fn best(caps: &gst::CapsRef, cadence: Cadence) -> Option<gst::Element> {
    ranked(caps).into_iter().find_map(|factory| {
        let decoder = factory.create().build().ok()?;
        let threads = match cadence {
            Cadence::Keyframes => 1,
            Cadence::Fps(_) => THREADS_FULL,
        };
        let set = |name: &str, value: &str| {
            if decoder.has_property(name) {
                decoder.set_property_from_str(name, value);
            }
        };
        // Frame threads delay by one picture each; slices do not.
        set("max-threads", &threads.to_string());
        set("thread-type", "slice");
        // A picture with holes in it is no evidence.
        set("output-corrupt", "false");
        if decoder.set_state(gst::State::Ready).is_ok() {
            return Some(decoder);
        }
        tracing::debug!(decoder = %factory.name(), "decoder does not start here, trying the next");
        let _ = decoder.set_state(gst::State::Null);
        None
    })
}
