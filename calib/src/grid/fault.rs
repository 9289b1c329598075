//! What can be wrong with a grid file: what is wrong, where, and what to do about it.

use crate::space::LonLat;

/// A fault of a grid file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}: {place}: {fault}; {}", fault.mend())]
pub struct GridError {
    /// The file as the caller named it.
    pub file: String,
    /// Where: `features[3]`, with the code where there is one, or a member of the file.
    pub place: String,
    /// What is wrong.
    pub fault: GridFault,
}

/// What is wrong. The text says what, [`GridFault::mend`] what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridFault {
    /// Not JSON.
    #[error("not JSON ({0})")]
    Json(String),
    /// JSON, but no collection of features.
    #[error("no GeoJSON FeatureCollection")]
    NoCollection,
    /// A collection without features.
    #[error("no features")]
    Empty,
    /// The file names a CRS that is not longitude and latitude.
    #[error("the coordinate system is `{0}`")]
    Crs(String),
    /// A feature that cannot be read.
    #[error("no GeoJSON feature ({0})")]
    Feature(String),
    /// A feature that is no area.
    #[error("the geometry is {0}, not a polygon")]
    Geometry(String),
    /// No property `code`.
    #[error("the property `code` is missing or no text")]
    CodeMissing,
    /// The code has not the digits of the profile.
    #[error("the code `{code}` is not {digits} digits")]
    CodeDigits {
        /// The code.
        code: String,
        /// How many digits the profile has.
        digits: usize,
    },
    /// A segment of the code cannot be.
    #[error("the code `{code}` has {segment} `{digits}`, which cannot be")]
    CodeSegment {
        /// The code.
        code: String,
        /// Which segment.
        segment: &'static str,
        /// Its digits.
        digits: String,
    },
    /// The code belongs to another county than most.
    #[error("the code `{code}` is of another county than {division}, which most cells have")]
    OtherDivision {
        /// The code.
        code: String,
        /// The county of most cells.
        division: String,
    },
    /// The code is there twice.
    #[error("the code `{code}` is that of features[{first}] too")]
    Duplicate {
        /// The code.
        code: String,
        /// The feature that had it first.
        first: usize,
    },
    /// The last point of a ring is not its first.
    #[error("ring {ring} is not closed")]
    Open {
        /// Which ring, from 0.
        ring: usize,
    },
    /// A ring without an area.
    #[error("ring {ring} encloses nothing")]
    Flat {
        /// Which ring, from 0.
        ring: usize,
    },
    /// Two sides of the cell cross or run along each other.
    #[error("the border crosses itself or runs back over itself at [{}, {}]", at.lon, at.lat)]
    Crossed {
        /// Where.
        at: LonLat,
    },
    /// Two cells claim the same ground.
    #[error("overlaps {other} by {area_m2:.1} m² at [{}, {}]", at.lon, at.lat)]
    Overlap {
        /// The other cell: feature and code.
        other: String,
        /// How much of it, square metres.
        area_m2: f64,
        /// A point that both hold.
        at: LonLat,
    },
    /// Ground between cells that none claims.
    #[error("{area_m2:.1} m² at [{}, {}] belong to no cell, beside {beside}", at.lon, at.lat)]
    Gap {
        /// How much, square metres.
        area_m2: f64,
        /// A point of it.
        at: LonLat,
        /// Codes of some of the cells around it.
        beside: String,
    },
    /// A zone class that is none.
    #[error("the zone class `{0}` is none of A, B and C")]
    ZoneClass(String),
    /// A place outside China.
    #[error("[{x}, {y}] lies outside China")]
    Abroad {
        /// First number.
        x: f64,
        /// Second number.
        y: f64,
    },
    /// Numbers that are metres.
    #[error("[{x}, {y}] is no longitude and latitude; it looks projected")]
    Projected {
        /// First number.
        x: f64,
        /// Second number.
        y: f64,
    },
    /// Latitude before longitude.
    #[error("[{x}, {y}] is no longitude and latitude; it looks like latitude first")]
    Exchanged {
        /// First number.
        x: f64,
        /// Second number.
        y: f64,
    },
}

impl GridFault {
    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::NoCollection => "export the layer as GeoJSON (RFC 7946)",
            Self::Empty => "export the layer with its polygons",
            Self::Crs(_) => "export in CGCS2000 longitude and latitude, EPSG:4490",
            Self::Feature(_) => "export the feature again",
            Self::Geometry(_) => "draw the cell as Polygon or MultiPolygon",
            Self::CodeMissing => "give the feature a property \"code\" with its code as text",
            Self::CodeDigits { .. } => "correct the code, or choose the profile with its number of digits",
            Self::CodeSegment { .. } => {
                "write county 6, street 3, community 3 digits and the sequence, none of them 0"
            }
            Self::OtherDivision { .. } => "correct the first six digits",
            Self::Duplicate { .. } => {
                "give each cell a code of its own; use MultiPolygon for a cell in parts"
            }
            Self::Open { .. } => "repeat the first point at the end",
            Self::Flat { .. } => "draw the ring through at least three corners",
            Self::Crossed { .. } => "draw the border once around, each corner in turn",
            Self::Overlap { .. } => "give the ground to one of them: let both share the border's corners",
            Self::Gap { .. } => "give the ground to a cell beside it, or add the cell that is missing",
            Self::ZoneClass(_) => "write \"zone_class\": \"A\", \"B\" or \"C\", or leave it out",
            Self::Abroad { .. } => {
                "write longitude first, in degrees of CGCS2000: [118.65012, 34.92034]; degrees in minutes and \
                 seconds must be decimals"
            }
            Self::Projected { .. } => "export in CGCS2000 longitude and latitude, EPSG:4490, not in metres",
            Self::Exchanged { .. } => "write longitude first",
        }
    }
}
