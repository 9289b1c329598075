//! Control points as a surveyor brings them, and a calibration as a camera's file keeps it.
//!
//! In: texts of points files (TOML or CSV) and of camera files. Out: control points in CGCS2000 with what they
//! were converted from, a camera file with a calibration written into it, lines to draw over the view. Never:
//! files, pictures, cameras.

pub mod crs;
pub mod overlay;
mod read;
mod section;
mod write;

pub use read::{Given, read_csv, read_toml};
pub use section::{Written, written};
pub(crate) use section::{read_presets, read_view};
pub use write::{WriteError, write};

use crate::homography::ControlPoint;

/// The least and greatest width or height of a picture, pixels.
pub const IMAGE_SIDE_RANGE: (f64, f64) = (16.0, 65_535.0);

/// Control points with the size of the picture that they were marked in.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Width and height of that picture, pixels, where the file says so.
    pub image_size: Option<[f64; 2]>,
    /// The points, in the order of the file.
    pub points: Vec<SurveyPoint>,
}

/// A control point and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyPoint {
    /// What is there: a kerb's corner, a manhole.
    pub name: Option<String>,
    /// Pixel and place.
    pub control: ControlPoint,
    /// What the place was converted from, where it was.
    pub source: Option<Origin>,
}

/// Numbers in the system they were given in.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The system's name.
    pub crs: String,
    /// The eastward number first.
    pub at: [f64; 2],
}

#[cfg(test)]
mod tests;
