//! Lens distortion: where a straight ray lands in the picture, and back.
//!
//! In: pixels as the camera shows them, or as a pinhole without a lens would show them. Out: the other of the
//! two. Never: an estimate of a lens (that is `homography`'s, which has the control points), files.
//!
//! The model is Brown's (D. C. Brown, "Decentering distortion of lenses", *Photogrammetric Engineering*
//! 32(3), 1966) in the form that OpenCV made common, so that numbers measured elsewhere can be written into
//! a camera's file: with `x, y` in focal lengths from the centre and `r² = x² + y²`,
//!
//! ```text
//! x' = x (1 + k1 r² + k2 r⁴) + 2 p1 x y + p2 (r² + 2 x²)
//! y' = y (1 + k1 r² + k2 r⁴) + p1 (r² + 2 y²) + 2 p2 x y
//! ```

use nalgebra::{Matrix2, SMatrix, Vector2};
use serde::{Deserialize, Serialize};

use crate::space::PixelPoint;

/// Steps of the inversion at most; it ends in three to six.
const INVERT_STEPS_MAX: usize = 30;
/// An inversion is done when the picture of the answer is this near, focal lengths (a millionth of a pixel).
const INVERT_TOLERANCE: f64 = 1e-12;

pub(crate) type Matrix2x4 = SMatrix<f64, 2, 4>;

/// The four coefficients, dimensionless.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Distortion {
    pub(crate) k1: f64,
    pub(crate) k2: f64,
    pub(crate) p1: f64,
    pub(crate) p2: f64,
}

impl Distortion {
    pub(crate) const NONE: Self = Self { k1: 0.0, k2: 0.0, p1: 0.0, p2: 0.0 };

    pub(crate) fn from_array([k1, k2, p1, p2]: [f64; 4]) -> Self {
        Self { k1, k2, p1, p2 }
    }

    pub(crate) fn array(&self) -> [f64; 4] {
        [self.k1, self.k2, self.p1, self.p2]
    }

    fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Square of the radius from which on the picture folds back on itself: the first root of the radial
    /// part's derivative, `1 + 3 k1 s + 5 k2 s²`.
    fn fold(&self) -> f64 {
        let (a, b) = (5.0 * self.k2, 3.0 * self.k1);
        let linear = if b < 0.0 { -1.0 / b } else { f64::INFINITY };
        if a.abs() < 1e-12 {
            return linear;
        }
        let discriminant = b * b - 4.0 * a;
        if discriminant < 0.0 {
            return f64::INFINITY;
        }
        // The stable form of the two roots; the smaller positive one counts.
        let q = -0.5 * (b + discriminant.sqrt().copysign(b));
        [q / a, 1.0 / q].into_iter().filter(|s| *s > 0.0).fold(f64::INFINITY, f64::min)
    }

    /// Where the ray lands; `None` past the fold, where the formula no longer means anything.
    pub(crate) fn bend(&self, ray: Vector2<f64>) -> Option<Vector2<f64>> {
        if self.is_none() {
            return Some(ray);
        }
        (ray.norm_squared() < self.fold()).then(|| self.polynomial(ray))
    }

    fn polynomial(&self, ray: Vector2<f64>) -> Vector2<f64> {
        let (x, y) = (ray.x, ray.y);
        let r2 = ray.norm_squared();
        let radial = 1.0 + r2 * (self.k1 + r2 * self.k2);
        Vector2::new(
            x * radial + 2.0 * self.p1 * x * y + self.p2 * (r2 + 2.0 * x * x),
            y * radial + self.p1 * (r2 + 2.0 * y * y) + 2.0 * self.p2 * x * y,
        )
    }

    /// How the landing place moves with the ray.
    pub(crate) fn by_ray(&self, ray: Vector2<f64>) -> Matrix2<f64> {
        let (x, y) = (ray.x, ray.y);
        let r2 = ray.norm_squared();
        let radial = 1.0 + r2 * (self.k1 + r2 * self.k2);
        let slope = 2.0 * self.k1 + 4.0 * self.k2 * r2;
        let cross = slope * x * y + 2.0 * (self.p1 * x + self.p2 * y);
        Matrix2::new(
            radial + slope * x * x + 2.0 * self.p1 * y + 6.0 * self.p2 * x,
            cross,
            cross,
            radial + slope * y * y + 6.0 * self.p1 * y + 2.0 * self.p2 * x,
        )
    }

    /// How the landing place moves with the four coefficients.
    pub(crate) fn by_coefficients(ray: Vector2<f64>) -> Matrix2x4 {
        let (x, y) = (ray.x, ray.y);
        let r2 = ray.norm_squared();
        Matrix2x4::new(
            x * r2,
            x * r2 * r2,
            2.0 * x * y,
            r2 + 2.0 * x * x,
            y * r2,
            y * r2 * r2,
            r2 + 2.0 * y * y,
            2.0 * x * y,
        )
    }

    /// The ray that lands here, by Newton's method; `None` where no ray does.
    pub(crate) fn straighten(&self, landed: Vector2<f64>) -> Option<Vector2<f64>> {
        if self.is_none() {
            return Some(landed);
        }
        let fold = self.fold();
        let mut ray = landed;
        for _ in 0..INVERT_STEPS_MAX {
            let missed = landed - self.polynomial(ray);
            if missed.norm() < INVERT_TOLERANCE {
                break;
            }
            let mut step = self.by_ray(ray).try_inverse()? * missed;
            // Near the fold a full step jumps to the other side of it, from where it does not come back.
            while (ray + step).norm_squared() >= fold && step.norm() > INVERT_TOLERANCE {
                step /= 2.0;
            }
            ray += step;
        }
        let fits = (landed - self.polynomial(ray)).norm() < 1e3 * INVERT_TOLERANCE;
        (fits && ray.norm_squared() < fold && self.by_ray(ray).determinant() > 0.0).then_some(ray)
    }
}

/// A lens: where a pinhole's pixel lands in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lens {
    /// Where the optical axis meets the picture, pixels.
    pub centre: PixelPoint,
    /// The length that the coefficients count in, pixels. For coefficients measured with a chequerboard the
    /// focal length; for estimated ones the picture's width.
    pub focal_px: f64,
    /// Radial, third order.
    pub k1: f64,
    /// Radial, fifth order.
    pub k2: f64,
    /// Tangential, along the columns.
    pub p1: f64,
    /// Tangential, along the rows.
    pub p2: f64,
}

impl Lens {
    /// A lens that bends nothing, for a picture of this size, with its width as unit.
    pub fn straight([width, height]: [f64; 2]) -> Self {
        let centre = PixelPoint::new(width / 2.0, height / 2.0);
        Self { centre, focal_px: width, k1: 0.0, k2: 0.0, p1: 0.0, p2: 0.0 }
    }

    pub(crate) fn distortion(&self) -> Distortion {
        Distortion { k1: self.k1, k2: self.k2, p1: self.p1, p2: self.p2 }
    }

    pub(crate) fn with_distortion(self, d: Distortion) -> Self {
        Self { k1: d.k1, k2: d.k2, p1: d.p1, p2: d.p2, ..self }
    }

    /// Pixel to focal lengths from the centre, the lens left as it is.
    pub(crate) fn unit_from_pixel(&self, p: PixelPoint) -> Vector2<f64> {
        Vector2::new(p.x - self.centre.x, p.y - self.centre.y) / self.focal_px
    }

    /// Focal lengths from the centre to pixel.
    pub(crate) fn pixel_from_unit(&self, v: Vector2<f64>) -> PixelPoint {
        PixelPoint::new(v.x * self.focal_px + self.centre.x, v.y * self.focal_px + self.centre.y)
    }

    /// A pinhole's pixel to the pixel of the picture; `None` past the radius where the formula folds back.
    pub fn distorted(&self, pinhole: PixelPoint) -> Option<PixelPoint> {
        let bent = self.distortion().bend(self.unit_from_pixel(pinhole))?;
        Some(self.pixel_from_unit(bent))
    }

    /// A pixel of the picture to a pinhole's; `None` where this lens brings no light.
    pub fn undistorted(&self, seen: PixelPoint) -> Option<PixelPoint> {
        let ray = self.distortion().straighten(self.unit_from_pixel(seen))?;
        Some(self.pixel_from_unit(ray))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn distortion()(k1 in -0.5..0.3f64, k2 in -0.2..0.4f64, p1 in -0.01..0.01f64, p2 in -0.01..0.01f64)
            -> Distortion {
            Distortion { k1, k2, p1, p2 }
        }
    }

    proptest! {
        #[test]
        fn a_ray_that_is_bent_and_straightened_is_itself(
            d in distortion(), x in -0.6..0.6f64, y in -0.4..0.4f64,
        ) {
            let ray = Vector2::new(x, y);
            prop_assume!(ray.norm_squared() < 0.8 * d.fold());
            let landed = d.bend(ray).unwrap();
            let back = d.straighten(landed).unwrap();
            prop_assert!((back - ray).norm() < 1e-9, "{back} instead of {ray}");
        }

        #[test]
        fn derivatives_are_those_of_the_formula(d in distortion(), x in -0.5..0.5f64, y in -0.4..0.4f64) {
            let (ray, step) = (Vector2::new(x, y), 1e-6);
            for axis in 0..2 {
                let mut there = ray;
                there[axis] += step;
                let slope = (d.polynomial(there) - d.polynomial(ray)) / step;
                prop_assert!((slope - d.by_ray(ray).column(axis)).norm() < 1e-4);
            }
            for number in 0..4 {
                let mut more = d.array();
                more[number] += step;
                let slope = (Distortion::from_array(more).polynomial(ray) - d.polynomial(ray)) / step;
                prop_assert!((slope - Distortion::by_coefficients(ray).column(number)).norm() < 1e-6);
            }
        }
    }

    #[test]
    fn past_the_fold_nothing_is_invented() {
        let lens = Lens { k1: -1.0, ..Lens::straight([1000.0, 600.0]) };
        // The radial part is largest at r² = 1/3, where it is 2/3 of r: nothing lands beyond 385 pixels.
        assert!(lens.undistorted(PixelPoint::new(880.0, 300.0)).is_some());
        assert!(lens.undistorted(PixelPoint::new(890.0, 300.0)).is_none());
        assert!(lens.distorted(PixelPoint::new(1100.0, 300.0)).is_none());
        assert_eq!(Distortion { k1: 0.1, ..Distortion::NONE }.fold(), f64::INFINITY);
        let both = Distortion { k1: -1.0, k2: 0.3, ..Distortion::NONE };
        let s = both.fold();
        assert!((1.0 - 3.0 * s + 1.5 * s * s).abs() < 1e-12 && s < 1.0);
    }
}
