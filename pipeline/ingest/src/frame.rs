//! A decoded frame: the decoder's own buffer, mapped once, shared by reference.
//!
//! What comes in: a sample of the appsink. What goes out: [`calib::picture::YuvView`] on its planes.
//! Never: a copy or a conversion.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::time::Timestamp;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// What a frame's wall-clock time rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// The camera's own clock, by its RTCP sender reports.
    SenderReport,
    /// When its first packet arrived here.
    Receipt,
    /// A recording: when its camera was started here, plus PTS.
    File,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SenderReport => "sender report",
            Self::Receipt => "receipt",
            Self::File => "file",
        })
    }
}

/// A decoded picture with its times. Cloning shares it.
///
/// It holds a buffer of the decoder's pool. Software decoders grow theirs, hardware decoders may not: keep
/// the newest few of a camera, and make a JPEG of what has to be kept longer.
#[derive(Clone)]
pub struct Frame {
    /// The camera's id.
    pub camera: Arc<str>,
    /// 0, 1, 2 … over the life of the camera's handle, reconnects included.
    pub seq: u64,
    /// Time in the stream: from the start of this connection, or of the recording (loops add up).
    pub pts: Duration,
    /// Wall-clock time of the picture. Never goes back by less than a minute; see `stamp`.
    pub at: Timestamp,
    /// What `at` rests on.
    pub stamp: Stamp,
    /// When the picture arrived here, by our own clock, whatever `stamp` says.
    pub received: Timestamp,
    video: Arc<gst_video::VideoFrame<gst_video::video_frame::Readable>>,
}

impl Frame {
    pub(crate) fn new(
        camera: Arc<str>,
        seq: u64,
        pts: Duration,
        times: (Timestamp, Stamp, Timestamp),
        video: gst_video::VideoFrame<gst_video::video_frame::Readable>,
    ) -> Self {
        let (at, stamp, received) = times;
        Self { camera, seq, pts, at, stamp, received, video: Arc::new(video) }
    }

    /// Pixels across.
    pub fn width(&self) -> usize {
        self.video.width() as usize
    }

    /// Pixels down.
    pub fn height(&self) -> usize {
        self.video.height() as usize
    }

    /// The planes where they lie. `None` when the buffer is shorter than its caps claim.
    pub fn view(&self) -> Option<YuvView<'_>> {
        let plane = |index: u32| {
            let stride = usize::try_from(*self.video.plane_stride().get(index as usize)?).ok()?;
            Some(Plane { data: self.video.plane_data(index).ok()?, stride })
        };
        let chroma = match self.video.format() {
            gst_video::VideoFormat::I420 => Chroma::I420 { u: plane(1)?, v: plane(2)? },
            gst_video::VideoFormat::Nv12 => Chroma::Nv12 { uv: plane(1)? },
            _ => return None,
        };
        let colorimetry = self.video.info().colorimetry();
        let matrix = match colorimetry.matrix() {
            gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
            gst_video::VideoColorMatrix::Bt601 => Matrix::Bt601,
            // Unsaid or exotic: what players assume from the size.
            _ if self.height() >= 720 => Matrix::Bt709,
            _ => Matrix::Bt601,
        };
        let range = match colorimetry.range() {
            gst_video::VideoColorRange::Range0_255 => Range::Full,
            _ => Range::Limited,
        };
        YuvView { width: self.width(), height: self.height(), luma: plane(0)?, chroma, matrix, range }
            .checked()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("camera", &self.camera)
            .field("seq", &self.seq)
            .field("pts", &self.pts)
            .field("at", &format_args!("{}", self.at))
            .field("stamp", &self.stamp)
            .field("size", &format_args!("{}x{}", self.width(), self.height()))
            .finish_non_exhaustive()
    }
}
