//! Why a camera gives no pictures, in one sentence with the mend, and how GStreamer's errors become that.
//!
//! What comes in: bus errors, what was seen of the stream. What goes out: a [`Refusal`].
//! Never: the password, nor GStreamer's debug text (it may carry addresses).

use std::fmt;

use gstreamer as gst;

/// Why a camera gives no pictures. `Display` is one sentence with the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 401 or 403.
    Unauthorized,
    /// 404, or no such file.
    NotFound,
    /// Closed port, no route, unknown name.
    Unreachable(String),
    /// Something answers, or accepts and is silent, but it is not RTSP.
    NotRtsp,
    /// The stream has no video.
    NoVideo,
    /// The camera does not send over the transport asked for.
    Transport,
    /// Video in a codec that is not decoded here.
    UnsupportedCodec(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("the camera refuses the user or password: check the credentials and the account's rights"),
            Self::NotFound => f.write_str("the camera answers but has no stream under this path: check the path of the address"),
            Self::Unreachable(why) => write!(f, "nothing can be reached at this host and port ({why}): check address, port, power and network"),
            Self::NotRtsp => f.write_str("something is listening on this port but it does not speak RTSP: check the port (RTSP is usually 554)"),
            Self::NoVideo => f.write_str("the stream carries no video: choose another stream of this camera"),
            Self::Transport => f.write_str("the camera does not send over this transport: use UDP instead of TCP, or TCP instead of UDP (transport = \"udp\" in a camera file, --udp for a probe)"),
            Self::UnsupportedCodec(codec) => write!(f, "the stream's codec {codec} is not supported: set the camera to H.264 or H.265"),
            Self::Other(what) => write!(f, "the camera gives no stream: {what}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Whether asking often may do harm (cameras lock accounts) or is useless until a person acts.
    pub(crate) fn asks_for_patience(&self) -> bool {
        // A camera that starts up is unreachable, then silent; these mend themselves within seconds. A path that is there
        // again needs no person either, and asking for it does no harm.
        !matches!(self, Self::Unreachable(_) | Self::NotRtsp | Self::NotFound | Self::Other(_))
    }
}

/// What an error on the bus means. `debug` is read for status codes only, never passed on.
pub(crate) fn classify(error: &gst::glib::Error, debug: &str, live: bool) -> Refusal {
    let text = error.message();
    let status = |code: &str| text.contains(code) || debug.contains(code);
    match error.kind::<gst::ResourceError>() {
        Some(gst::ResourceError::NotAuthorized) => return Refusal::Unauthorized,
        Some(gst::ResourceError::NotFound) => return Refusal::NotFound,
        _ => {}
    }
    if status("Unauthorized") || status("(401)") || status("Forbidden") || status("(403)") {
        return Refusal::Unauthorized;
    }
    if status("Not Found") || status("Not found") || status("(404)") {
        return Refusal::NotFound;
    }
    match error.kind::<gst::StreamError>() {
        // rtspsrc says so where the camera described a stream and refused every way to carry it (461).
        Some(gst::StreamError::CodecNotFound) if live => return Refusal::Transport,
        Some(gst::StreamError::CodecNotFound) => {
            return Refusal::UnsupportedCodec("of this recording".to_owned());
        }
        Some(gst::StreamError::WrongType | gst::StreamError::TypeNotFound) => {
            return Refusal::Other("it is no video that can be read".to_owned());
        }
        _ => {}
    }
    Refusal::Other(text.trim_end_matches('.').to_owned())
}
