//! Sample streets: clips with ground truth, and loopback RTSP cameras that play them.
//!
//! What comes in: clips on disk. What goes out: real RTSP on 127.0.0.1 ([`RtspServer`]) and clips made on the
//! spot ([`still_clip`], [`transcode`]). Never: an address beyond loopback, a part of the service itself.

mod auth;
mod clip;
mod crowd;
mod make;
mod server;
mod street;

use std::path::{Path, PathBuf};

pub use clip::{KeyFrames, ServedCodec, key_frames};
pub use crowd::Crowd;
pub use make::{Codec, Encoding, Picture, pattern_clip, still_clip, transcode};
pub use server::{RtspServer, Scheme, ServedAuth, ServedCamera};
pub use street::{Street, night_clip, quiet_clip, street_clip};

/// Why a sample cannot be made or served.
#[derive(Debug, thiserror::Error)]
pub enum SamplesError {
    /// GStreamer or one of its elements.
    #[error(
        "GStreamer: {0}; sudo apt-get install -y gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
    )]
    Gstreamer(String),
    /// A clip that gives no pictures.
    #[error("clip {}: {reason}", .path.display())]
    Clip {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The server does not start.
    #[error("RTSP server on 127.0.0.1:{port}: {reason}")]
    Server {
        /// Port asked for; 0: any.
        port: u16,
        /// What is wrong.
        reason: String,
    },
    /// A picture or an encoding that makes no sense.
    #[error("cannot encode: {0}")]
    Encoding(String),
}

impl From<gstreamer::glib::BoolError> for SamplesError {
    fn from(error: gstreamer::glib::BoolError) -> Self {
        Self::Gstreamer(error.to_string())
    }
}

impl From<gstreamer::glib::Error> for SamplesError {
    fn from(error: gstreamer::glib::Error) -> Self {
        Self::Gstreamer(error.to_string())
    }
}

/// Where Debian's and Ubuntu's `opencv-doc` put their real fixed camera.
const VTEST_PLACES: &[&str] = &[
    "/usr/share/doc/opencv-doc/examples/data/vtest.avi",
    "/usr/share/doc/opencv-doc/opencv4/examples/data/vtest.avi",
    "/usr/share/opencv4/samples/data/vtest.avi",
    "/usr/share/doc/opencv-doc/examples/vtest.avi",
];

/// `vtest.avi`, a real fixed street camera, where `opencv-doc` is installed.
pub fn vtest() -> Option<PathBuf> {
    VTEST_PLACES.iter().map(Path::new).find(|p| p.is_file()).map(Path::to_path_buf)
}
