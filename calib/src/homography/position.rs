//! A place on the ground, how well it is known, or why there is none.
//!
//! In: nothing. Out: types. Never: a guess.

use serde::Serialize;

use crate::space::{GroundPoint, LonLat};

/// Square root of the 95 % quantile of chi-squared with two degrees of freedom.
pub(super) const CHI_95_2D: f64 = 2.447_746_830_680_816;

/// An ellipse on the ground that holds the true place with 95 % probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ellipse {
    /// Half the long axis, metres.
    pub semi_major_m: f64,
    /// Half the short axis, metres.
    pub semi_minor_m: f64,
    /// Direction of the long axis, degrees clockwise from north, `0..180`.
    pub bearing_deg: f64,
}

/// A place on the ground and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Degrees, CGCS2000, longitude first.
    pub lon_lat: LonLat,
    /// Metres east and north of the origin of the camera's plane.
    pub ground: GroundPoint,
    /// `[[east², east·north], [east·north, north²]]`, square metres.
    pub covariance_m2: [[f64; 2]; 2],
}

impl Position {
    /// The error ellipse at 95 %, by the eigenvectors of the covariance.
    pub fn ellipse_95(&self) -> Ellipse {
        let [[east2, cross], [_, north2]] = self.covariance_m2;
        let mean = (east2 + north2) / 2.0;
        let spread = ((east2 - north2) / 2.0).hypot(cross);
        // Half the angle of (north² - east², 2·east·north) is the long axis, measured from north to east.
        let bearing_deg = (0.5 * (2.0 * cross).atan2(north2 - east2)).to_degrees().rem_euclid(180.0);
        Ellipse {
            semi_major_m: CHI_95_2D * (mean + spread).sqrt(),
            semi_minor_m: CHI_95_2D * (mean - spread).max(0.0).sqrt(),
            bearing_deg,
        }
    }

    /// Half the long axis of the 95 % ellipse, metres.
    pub fn error_m(&self) -> f64 {
        self.ellipse_95().semi_major_m
    }
}

/// Why a pixel has no place on the ground.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not a pixel of the picture.
    #[error("the pixel lies outside the picture")]
    OutsidePicture,
    /// The lens brings no light there: it folds back before.
    #[error("the lens' formula has no answer for this pixel: it lies too far from the control points")]
    OutsideLens,
    /// The sky.
    #[error("the pixel lies above the horizon")]
    AboveHorizon,
    /// Closer under the horizon than the horizon is known.
    #[error("the pixel lies so close under the horizon that it could be anywhere")]
    AtHorizon,
    /// Further than the map is trusted.
    #[error(
        "the place lies {distance_m:.0} m from the middle of the control points; this calibration is trusted to \
         {range_m:.0} m"
    )]
    OutOfRange {
        /// From the middle of the control points, metres.
        distance_m: f64,
        /// What the map is trusted to, metres.
        range_m: f64,
    },
}

impl Refusal {
    /// A name for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OutsidePicture => "outside_picture",
            Self::OutsideLens => "outside_lens",
            Self::AboveHorizon => "above_horizon",
            Self::AtHorizon => "at_horizon",
            Self::OutOfRange { .. } => "out_of_range",
        }
    }
}
