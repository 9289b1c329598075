//! Why control points give no map, and what to do about it.
//!
//! In: nothing. Out: errors that a person can mend. Never: logging.

/// Which of the two halves of the control points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlSpace {
    /// The pixels.
    Picture,
    /// The longitudes and latitudes.
    Ground,
}

impl std::fmt::Display for ControlSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Picture => "in the picture",
            Self::Ground => "on the ground",
        })
    }
}

/// Why control points give no map, and what to do. Indices count from 0; the texts count from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HomographyError {
    /// Fewer than four.
    #[error("{given} control points are too few; mark at least 4, better 8, spread over the whole street")]
    TooFew {
        /// How many there were.
        given: usize,
    },
    /// Not a number, or no longitude and latitude.
    #[error(
        "control point {} has no usable numbers; write pixel = [x, y] and lon_lat = [longitude, latitude] \
         in degrees", index + 1
    )]
    NotANumber {
        /// Which one.
        index: usize,
    },
    /// One is kilometres away.
    #[error(
        "control point {} lies {distance_m:.0} m from the middle of the others; look for a wrong digit or \
         exchanged longitude and latitude", index + 1
    )]
    TooFar {
        /// Which one.
        index: usize,
        /// Metres from the middle.
        distance_m: f64,
    },
    /// Two are one.
    #[error("control points {} and {} are the same {space}; move or remove one", first + 1, second + 1)]
    Duplicate {
        /// The earlier.
        first: usize,
        /// The later.
        second: usize,
        /// Where they coincide.
        space: ControlSpace,
    },
    /// All, or all but one, lie on one line.
    #[error(
        "{} lie on one line {space}; mark points on both sides of the street, so that no three of four are \
         in a row",
        match left_out {
            None => "the control points".to_owned(),
            Some(index) => format!("all control points but point {}", index + 1),
        }
    )]
    Collinear {
        /// Where the line is.
        space: ControlSpace,
        /// The only one off the line, if there is one.
        left_out: Option<usize>,
    },
    /// The equations do not determine a map.
    #[error("the control points do not determine a map; mark more of them, spread over the whole street")]
    Degenerate,
    /// The fitted horizon runs between the points.
    #[error(
        "control point {} would lie above the horizon of the others; check that each pixel belongs to its \
         longitude and latitude", index + 1
    )]
    AboveHorizon {
        /// Which one.
        index: usize,
    },
    /// The ground would be seen from below.
    #[error(
        "the control points show the ground in a mirror; look for exchanged points, exchanged longitude and \
         latitude, or a picture that the camera flips"
    )]
    Mirrored,
    /// The lens that was given brings no light where a point was marked.
    #[error(
        "control point {} lies where the lens given for this camera brings no light; check centre, focal_px \
         and k1, k2, p1, p2", index + 1
    )]
    OutsideLens {
        /// Which one.
        index: usize,
    },
    /// A written solution does not belong to the points beside it.
    #[error(
        "control point {} was changed after the calibration was solved; run `shirong calibrate` again, or \
         remove the table `solved`", index + 1
    )]
    Stale {
        /// Which one.
        index: usize,
    },
    /// A written solution is none.
    #[error("the written solution is no view of the ground; run `shirong calibrate` again, or remove it")]
    Unwritten,
}
