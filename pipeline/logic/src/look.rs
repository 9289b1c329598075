//! What the detector said about one frame of one camera: the input of every rule.

use std::fmt;
use std::sync::Arc;

use calib::class::Class;
use calib::space::ImageBox;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::scene::Scene;

/// A camera's identity: the stem of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CameraId(Arc<str>);

impl CameraId {
    /// From the stem of the camera file.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One box of the detector, in normalised image coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What.
    pub class: Class,
    /// How sure, 0..=1.
    pub score: f32,
    /// Where.
    pub bounds: ImageBox,
}

/// One look of a camera at its street.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When the frame was taken.
    pub at: Timestamp,
    /// Width of the picture over its height, so that boxes in shares of each can be compared as lengths.
    pub aspect: f32,
    /// Everything the detector saw, best first.
    pub detections: Vec<Detection>,
    /// What the picture itself says.
    #[serde(default)]
    pub scene: Scene,
}
