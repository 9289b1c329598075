//! How good boxes are, in numbers: average precision as COCO takes it, who was taken for whom, and which
//! threshold keeps a precision.
//!
//! In come what pictures show (truths) and what was found on them, class by class or all together; out go
//! numbers. Plain arithmetic: no model, no file, no picture. Boxes of one call share one unit, any.

mod ap;
mod matching;
mod threshold;

pub use ap::{ApOfClass, CurvePoint, DETECTIONS_MAX, IOUS, PictureOfClass, RECALLS, ap_of_class, mean};
pub use matching::{Matched, Matching, match_picture};
pub use threshold::{OperatingPoint, at_score, score_for_precision};

/// A box: left, top, width and height. Kept as written in label files, because IoU taken from corners differs
/// in the last bits, and a tie at an IoU of exactly 0.5 hangs on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Bounds {
    /// The box as `[x, y, w, h]`.
    pub fn new([x, y, w, h]: [f64; 4]) -> Self {
        Self { x, y, w, h }
    }

    /// Area.
    pub fn area(&self) -> f64 {
        self.w * self.h
    }

    /// Area shared with another box.
    pub fn shared(&self, other: &Self) -> f64 {
        let w = (self.w + self.x).min(other.w + other.x) - self.x.max(other.x);
        let h = (self.h + self.y).min(other.h + other.y) - self.y.max(other.y);
        if w <= 0.0 || h <= 0.0 { 0.0 } else { w * h }
    }

    /// How well this found box fits a truth: intersection over union, or over the found box's own area where
    /// the truth is a crowd, of which any part counts (COCO `bbIou`).
    pub fn fit(&self, truth: &Truth) -> f64 {
        let shared = self.shared(&truth.bounds);
        if shared == 0.0 {
            return 0.0;
        }
        let whole = if truth.crowd { self.area() } else { self.area() + truth.bounds.area() - shared };
        shared / whole
    }
}

/// Something that a picture shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Where.
    pub bounds: Bounds,
    /// Several things in one box: neither to be found nor wrong to be found.
    pub crowd: bool,
}

/// Something found on a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Where.
    pub bounds: Bounds,
    /// How sure.
    pub score: f64,
}
