//! Camera to frames: the only crate of the service that names GStreamer.
//!
//! What comes in: an RTSP address or a file, a cadence, limits in seconds ([`SourceConfig`]).
//! What goes out: [`Frame`]s in the decoder's own YUV with a wall-clock stamp, and [`CameraState`]s,
//! both through callbacks on threads of this crate. [`probe`] looks at one camera once. [`Clip`] reads a recording
//! frame by frame in its own time, and [`Film`] writes one.
//! What it never does: convert a picture to RGB, queue frames, give up on a camera, let one camera
//! touch another, or write a password anywhere.
//!
//! ```text
//! RTSP over TCP, key frames:  receiver, for all ─ Line ─ Depay ─ gate ───────┐
//! UDP, rtsps, clips, others:  supervisor ─ Stream (rtspsrc, filesrc) ─ gate ─┴─ Pool ─ decoder, for all ─ on_frame
//! every picture asked for:    supervisor ─ Stream ─ gate ─ decoder of its own ─────────────────────────── on_frame
//! ```

mod bare;
mod beat;
mod camera;
mod clip;
mod clock;
mod config;
mod connection;
mod damage;
mod decode;
mod film;
mod frame;
mod gate;
mod knock;
mod lone;
mod pool;
mod probe;
mod refusal;
mod ring;
mod rtsp;
mod state;
mod stream;
mod voice;

pub use bare::decode_into_nothing;
pub use camera::Camera;
pub use clip::{Clip, ClipError};
pub use config::{Cadence, Credentials, Secret, SourceConfig, SourceLocation, Transport};
pub use film::{Film, FilmError};
pub use frame::{Frame, Stamp};
pub use gate::KeyUnit;
pub use pool::set_decoders;
pub use probe::{ProbeReport, probe};
pub use refusal::Refusal;
pub use ring::{Cut, CutError};
pub use rtsp::{read_description, read_stream};
pub use state::{CameraState, Counters};

use gstreamer as gst;

/// Why ingest cannot start at all. What a camera answers is a [`Refusal`] instead.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start: {0}")]
    Gstreamer(String),
    /// Elements that no installed plugin has.
    #[error("GStreamer elements missing: {}. Install them with: sudo apt-get install -y {}", .elements.join(", "), .packages.join(" "))]
    Missing {
        /// Element names.
        elements: Vec<String>,
        /// Debian packages that have them.
        packages: Vec<String>,
    },
    /// The address cannot be used. Never contains the password.
    #[error("camera address {address} cannot be used: {reason}")]
    Address {
        /// The address without its credentials.
        address: String,
        /// What is wrong with it and the mend.
        reason: String,
    },
    /// A number in the configuration makes no sense.
    #[error("camera {camera}: {reason}")]
    Config {
        /// Which camera.
        camera: String,
        /// What is wrong with it and the mend.
        reason: String,
    },
    /// The operating system gave no thread.
    #[error("no thread for camera {camera}: {source}")]
    Thread {
        /// Which camera.
        camera: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Elements that every source needs, and the Debian package of each. A decoder is looked for apart.
const REQUIRED: &[(&str, &str)] = &[
    ("appsink", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("parsebin", "gstreamer1.0-plugins-base"),
    ("rtspsrc", "gstreamer1.0-plugins-good"),
    ("rtph264depay", "gstreamer1.0-plugins-good"),
    ("rtph265depay", "gstreamer1.0-plugins-good"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("udpsrc", "gstreamer1.0-plugins-good"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("h265parse", "gstreamer1.0-plugins-bad"),
];

/// Starts GStreamer and checks that everything a camera needs is installed. Cheap when called again.
///
/// # Errors
/// [`IngestError::Missing`] names every missing element at once and the `apt-get` line that brings them.
pub fn init() -> Result<(), IngestError> {
    gst::init().map_err(|e| IngestError::Gstreamer(e.to_string()))?;
    let mut elements = Vec::new();
    let mut packages = Vec::new();
    let mut miss = |element: &str, package: &str| {
        elements.push(element.to_owned());
        if !packages.iter().any(|p| p == package) {
            packages.push(package.to_owned());
        }
    };
    for (element, package) in REQUIRED {
        if gst::ElementFactory::find(element).is_none() {
            miss(element, package);
        }
    }
    for codec in [decode::Codec::H264, decode::Codec::H265] {
        if decode::ranked(&codec.caps()).is_empty() {
            miss(&format!("a decoder of {}", codec.name()), "gstreamer1.0-libav");
        }
    }
    if elements.is_empty() { Ok(()) } else { Err(IngestError::Missing { elements, packages }) }
}
