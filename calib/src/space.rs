//! Spaces and the newtypes that keep them apart.
//!
//! Four spaces: *pixel* (columns right, rows down, of one picture size), *image* (the same, divided by
//! width and height, so 0..=1), *ground* (metres east and north of a local origin, on the plane the
//! camera was calibrated on) and *lon/lat* (degrees, CGCS2000, EPSG:4490, longitude first). Nothing here
//! reads a file or a clock.

use serde::{Deserialize, Serialize};

/// The CRS of every stored longitude and latitude: CGCS2000 geographic.
pub const CRS: &str = "EPSG:4490";

/// Semi-major axis of the CGCS2000 ellipsoid, metres (GB/T 16831 / EPSG:1024).
pub const ELLIPSOID_A_M: f64 = 6_378_137.0;
/// Inverse flattening of the CGCS2000 ellipsoid (EPSG:1024).
pub const ELLIPSOID_INVERSE_F: f64 = 298.257_222_101;

/// A point in pixels: `x` right, `y` down, origin at the top-left corner of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct PixelPoint {
    /// Columns from the left edge.
    pub x: f64,
    /// Rows from the top edge.
    pub y: f64,
}

/// A point in normalised image coordinates: both axes `0..=1`, origin top-left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct ImagePoint {
    /// Share of the width from the left edge.
    pub x: f64,
    /// Share of the height from the top edge.
    pub y: f64,
}

/// A point on the local ground plane, metres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct GroundPoint {
    /// Metres east of the plane's origin.
    pub x: f64,
    /// Metres north of the plane's origin.
    pub y: f64,
}

macro_rules! pair {
    ($space:ident) => {
        impl $space {
            /// From the two coordinates, first axis first.
            pub const fn new(x: f64, y: f64) -> Self {
                Self { x, y }
            }
        }
        impl From<[f64; 2]> for $space {
            fn from([x, y]: [f64; 2]) -> Self {
                Self { x, y }
            }
        }
        impl From<$space> for [f64; 2] {
            fn from(p: $space) -> Self {
                [p.x, p.y]
            }
        }
    };
}
pair!(PixelPoint);
pair!(ImagePoint);
pair!(GroundPoint);

impl GroundPoint {
    /// Straight distance on the plane, metres.
    pub fn distance_m(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Longitude and latitude in degrees, CGCS2000 (EPSG:4490), longitude first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct LonLat {
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
}

impl LonLat {
    /// From degrees, longitude first.
    pub const fn new(lon: f64, lat: f64) -> Self {
        Self { lon, lat }
    }

    /// Distance in metres, measured on the tangent plane half-way between the two; good to a
    /// millimetre over the few hundred metres between one finding and another.
    pub fn distance_m(self, other: Self) -> f64 {
        let middle = Self::new((self.lon + other.lon) / 2.0, (self.lat + other.lat) / 2.0);
        let plane = LocalPlane::at(middle);
        plane.ground_from_lon_lat(self).distance_m(plane.ground_from_lon_lat(other))
    }
}

impl From<[f64; 2]> for LonLat {
    fn from([lon, lat]: [f64; 2]) -> Self {
        Self { lon, lat }
    }
}
impl From<LonLat> for [f64; 2] {
    fn from(p: LonLat) -> Self {
        [p.lon, p.lat]
    }
}

/// A local plane of metres tangent to the ellipsoid at `origin`.
///
/// East and north are scaled by the radii of curvature in the prime vertical (N) and the meridian (M) at
/// the origin's latitude (Torge & Müller, *Geodesy*, 4th ed., section 4.1). The second-order term in
/// latitude that this leaves out is below a centimetre within 300 m of the origin, which is further than
/// a street camera sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalPlane {
    origin: LonLat,
    east_m_per_degree: f64,
    north_m_per_degree: f64,
}

impl LocalPlane {
    /// The plane that touches the ellipsoid at `origin`.
    pub fn at(origin: LonLat) -> Self {
        let f = 1.0 / ELLIPSOID_INVERSE_F;
        let e2 = f * (2.0 - f);
        let (sin, cos) = origin.lat.to_radians().sin_cos();
        let w2 = 1.0 - e2 * sin * sin;
        let prime_vertical_m = ELLIPSOID_A_M / w2.sqrt();
        let meridian_m = ELLIPSOID_A_M * (1.0 - e2) / (w2 * w2.sqrt());
        Self {
            origin,
            east_m_per_degree: (prime_vertical_m * cos).to_radians(),
            north_m_per_degree: meridian_m.to_radians(),
        }
    }

    /// Where the plane touches.
    pub fn origin(&self) -> LonLat {
        self.origin
    }

    /// Degrees to metres.
    pub fn ground_from_lon_lat(&self, p: LonLat) -> GroundPoint {
        GroundPoint {
            x: (p.lon - self.origin.lon) * self.east_m_per_degree,
            y: (p.lat - self.origin.lat) * self.north_m_per_degree,
        }
    }

    /// Metres to degrees.
    pub fn lon_lat_from_ground(&self, p: GroundPoint) -> LonLat {
        LonLat {
            lon: self.origin.lon + p.x / self.east_m_per_degree,
            lat: self.origin.lat + p.y / self.north_m_per_degree,
        }
    }
}

/// An axis-aligned box in normalised image coordinates, `x0 <= x1`, `y0 <= y1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct ImageBox {
    /// Left.
    pub x0: f32,
    /// Top.
    pub y0: f32,
    /// Right.
    pub x1: f32,
    /// Bottom.
    pub y1: f32,
}

impl From<[f32; 4]> for ImageBox {
    fn from([x0, y0, x1, y1]: [f32; 4]) -> Self {
        Self { x0, y0, x1, y1 }
    }
}
impl From<ImageBox> for [f32; 4] {
    fn from(b: ImageBox) -> Self {
        [b.x0, b.y0, b.x1, b.y1]
    }
}

impl ImageBox {
    /// Width, a share of the picture's.
    pub fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    /// Height, a share of the picture's.
    pub fn height(&self) -> f32 {
        self.y1 - self.y0
    }

    /// Area, a share of the picture's.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Where the thing stands: the middle of the lower edge.
    pub fn foot(&self) -> ImagePoint {
        ImagePoint::new(f64::from(self.x0 + self.x1) / 2.0, f64::from(self.y1))
    }

    /// The middle of the box.
    pub fn centre(&self) -> ImagePoint {
        ImagePoint::new(f64::from(self.x0 + self.x1) / 2.0, f64::from(self.y0 + self.y1) / 2.0)
    }

    /// Area shared with another box.
    pub fn intersection(&self, other: &Self) -> f32 {
        let width = self.x1.min(other.x1) - self.x0.max(other.x0);
        let height = self.y1.min(other.y1) - self.y0.max(other.y0);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, `0..=1`; 0 where both are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// The box grown by `share` of its own size on every side, kept inside the picture.
    pub fn grown(&self, share: f32) -> Self {
        let (dx, dy) = (self.width() * share, self.height() * share);
        Self {
            x0: (self.x0 - dx).max(0.0),
            y0: (self.y0 - dy).max(0.0),
            x1: (self.x1 + dx).min(1.0),
            y1: (self.y1 + dy).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plane_round_trips(lon in 73.0..135.0f64, lat in 3.0..54.0f64, x in -500.0..500.0f64, y in -500.0..500.0f64) {
            let plane = LocalPlane::at(LonLat::new(lon, lat));
            let back = plane.ground_from_lon_lat(plane.lon_lat_from_ground(GroundPoint::new(x, y)));
            prop_assert!(back.distance_m(GroundPoint::new(x, y)) < 1e-6);
        }
    }

    /// Lengths of one degree at 35° north by the closed series of the ellipsoid: 110 941 m of latitude
    /// and 91 288 m of longitude (published tables give them to the metre).
    #[test]
    fn degree_lengths_match_published_tables() {
        let plane = LocalPlane::at(LonLat::new(118.0, 35.0));
        assert!((plane.north_m_per_degree - 110_941.0).abs() < 1.0, "{}", plane.north_m_per_degree);
        assert!((plane.east_m_per_degree - 91_288.0).abs() < 1.0, "{}", plane.east_m_per_degree);
    }

    #[test]
    fn iou_of_equal_boxes_is_one_and_of_apart_is_zero() {
        let a = ImageBox::from([0.1, 0.1, 0.3, 0.3]);
        assert!((a.iou(&a) - 1.0).abs() < 1e-6);
        assert_eq!(a.iou(&ImageBox::from([0.5, 0.5, 0.6, 0.6])), 0.0);
    }
}
