//! A street, and a camera that looks at it: where a thing that stands there shows in the picture.
//!
//! In: metres along and across the street, and above it. Out: longitude and latitude, boxes in shares of the
//! picture. Never: the calibration that the product works with; this is the truth that it is solved from.

use calib::space::{GroundPoint, ImageBox, LocalPlane, LonLat, PixelPoint};

/// The cameras' picture, pixels.
pub(crate) const PICTURE_PX: [f64; 2] = [1920.0, 1080.0];

/// A point of a street: metres along it and across it from its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) along_m: f64,
    pub(crate) across_m: f64,
}

impl Place {
    pub(crate) const fn new(along_m: f64, across_m: f64) -> Self {
        Self { along_m, across_m }
    }

    pub(crate) fn distance_m(self, other: Self) -> f64 {
        (self.along_m - other.along_m).hypot(self.across_m - other.across_m)
    }
}

/// Where a street lies in the county.
#[derive(Debug, Clone)]
pub(crate) struct Street {
    plane: LocalPlane,
    cos: f64,
    sin: f64,
}

impl Street {
    /// Through `middle`, turned so many radians from east to north.
    pub(crate) fn through(middle: LonLat, turn: f64) -> Self {
        let (sin, cos) = turn.sin_cos();
        Self { plane: LocalPlane::at(middle), cos, sin }
    }

    pub(crate) fn lon_lat(&self, place: Place) -> LonLat {
        let Place { along_m, across_m } = place;
        let east = along_m * self.cos - across_m * self.sin;
        let north = along_m * self.sin + across_m * self.cos;
        self.plane.lon_lat_from_ground(GroundPoint::new(east, north))
    }

    pub(crate) fn place(&self, at: LonLat) -> Place {
        let GroundPoint { x, y } = self.plane.ground_from_lon_lat(at);
        Place::new(x * self.cos + y * self.sin, y * self.cos - x * self.sin)
    }
}

/// A block that stands on the street or hangs above it, its sides along and across.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) middle: Place,
    pub(crate) length_m: f64,
    pub(crate) depth_m: f64,
    /// From here above the ground …
    pub(crate) low_m: f64,
    /// … to here.
    pub(crate) high_m: f64,
    /// Round, as a parasol is, and as wide as it is long.
    pub(crate) is_round: bool,
}

impl Block {
    pub(crate) const fn standing(middle: Place, length_m: f64, depth_m: f64, high_m: f64) -> Self {
        Self { middle, length_m, depth_m, low_m: 0.0, high_m, is_round: false }
    }

    /// A canopy over a place.
    pub(crate) const fn canopy(middle: Place, width_m: f64, low_m: f64, high_m: f64) -> Self {
        Self { middle, length_m: width_m, depth_m: width_m, low_m, high_m, is_round: true }
    }

    /// Its outline on the ground, at one of eight corners: of a square two each.
    fn corner(&self, number: i32) -> Place {
        let (along, across) = if self.is_round {
            let (sin, cos) = (f64::from(number) * std::f64::consts::FRAC_PI_4).sin_cos();
            (0.5 * cos, 0.5 * sin)
        } else {
            let side = |bit: i32| if number & bit == 0 { -0.5 } else { 0.5 };
            (side(1), side(2))
        };
        Place::new(self.middle.along_m + along * self.length_m, self.middle.across_m + across * self.depth_m)
    }
}

/// A camera on its pole: a pinhole, level, that looks down.
#[derive(Debug, Clone)]
pub(crate) struct Eye {
    at: Place,
    height_m: f64,
    yaw: (f64, f64),
    pitch: (f64, f64),
    focal_px: f64,
}

/// Things nearer than this to a camera's plane are not in its picture, metres.
const NEAR_M: f64 = 1.0;

impl Eye {
    /// On a pole at `at`; `yaw` from along to across and `pitch` down, radians; `width` across the picture.
    pub(crate) fn new(at: Place, height_m: f64, yaw: f64, pitch: f64, width: f64) -> Self {
        let focal_px = PICTURE_PX[0] / 2.0 / (width / 2.0).tan();
        Self { at, height_m, yaw: yaw.sin_cos(), pitch: pitch.sin_cos(), focal_px }
    }

    pub(crate) fn distance_m(&self, place: Place) -> f64 {
        self.at.distance_m(place)
    }

    /// The pixel of a point so high above a place; it may lie outside the picture.
    pub(crate) fn pixel(&self, place: Place, high_m: f64) -> Option<PixelPoint> {
        let (along, across) = (place.along_m - self.at.along_m, place.across_m - self.at.across_m);
        let ((sin_yaw, cos_yaw), (sin_pitch, cos_pitch)) = (self.yaw, self.pitch);
        let ahead = along * cos_yaw + across * sin_yaw;
        let right = along * sin_yaw - across * cos_yaw;
        let below = self.height_m - high_m;
        let depth = ahead * cos_pitch + below * sin_pitch;
        let down = below * cos_pitch - ahead * sin_pitch;
        let [width, height] = PICTURE_PX;
        (depth > NEAR_M).then(|| {
            let per_m = self.focal_px / depth;
            PixelPoint::new(width / 2.0 + right * per_m, height / 2.0 + down * per_m)
        })
    }

    /// The box around a block, where at least `share` of it lies in the picture.
    pub(crate) fn bounds(&self, block: &Block, share: f32) -> Option<ImageBox> {
        let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
        for corner in 0..16 {
            let place = block.corner(corner / 2);
            let high_m = if corner & 1 == 0 { block.low_m } else { block.high_m };
            let PixelPoint { x, y } = self.pixel(place, high_m)?;
            for (i, value) in [x / PICTURE_PX[0], y / PICTURE_PX[1]].into_iter().enumerate() {
                (low[i], high[i]) = (low[i].min(value), high[i].max(value));
            }
        }
        let [x0, y0, x1, y1] = [low[0], low[1], high[0], high[1]].map(|v| v as f32);
        let whole = ImageBox { x0, y0, x1, y1 };
        let cut = |v: f32| v.clamp(0.0, 1.0);
        let seen = ImageBox { x0: cut(x0), y0: cut(y0), x1: cut(x1), y1: cut(y1) };
        (seen.area() > 0.0 && seen.area() >= share * whole.area()).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_by_its_longitude_and_latitude() {
        let street = Street::through(LonLat::new(118.66, 34.91), 0.7);
        let place = Place::new(17.0, -5.0);
        assert!(street.place(street.lon_lat(place)).distance_m(place) < 1e-6);
    }

    #[test]
    fn what_is_nearer_is_lower_in_the_picture_and_larger() {
        let eye = Eye::new(Place::new(-18.0, -8.0), 7.0, 0.3, 0.35, 1.2);
        let at =
            |along: f64| eye.bounds(&Block::standing(Place::new(along, 0.0), 1.0, 1.0, 1.0), 1.0).unwrap();
        let (near, far) = (at(0.0), at(20.0));
        assert!(near.y1 > far.y1 && near.area() > 2.0 * far.area());
        assert!(eye.bounds(&Block::standing(Place::new(-30.0, 0.0), 1.0, 1.0, 1.0), 1.0).is_none());
    }

    #[test]
    fn what_stands_left_of_the_way_ahead_shows_left() {
        // Along is ahead, and so positive across lies to the left.
        let eye = Eye::new(Place::new(0.0, 0.0), 6.0, 0.0, 0.3, 1.2);
        assert!(eye.pixel(Place::new(20.0, 3.0), 0.0).unwrap().x < PICTURE_PX[0] / 2.0);
    }
}
