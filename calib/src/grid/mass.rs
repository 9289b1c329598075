//! The mass of a two-dimensional normal density in a polygon.
//!
//! In: a covariance in square metres and rings in metres around the mean. Out: the share of the density
//! within, exact but for one smooth integral a side. Never: sampling, degrees.
//!
//! In the axes in which the density is standard, the mass of the triangle between the mean and a side is
//! `1/2π ∫ (1 - exp(-r(φ)²/2)) dφ` over the angle that the side spans, `r` being the distance to the side in
//! direction `φ`; the triangles, signed by the sense in which the side runs, add up to the polygon (the
//! Gaussian counterpart of the shoelace formula; DiDonato, Jarnagin & Hageman 1980 do the same). With
//! `t = d tan φ` along a side at distance `d` the integrand is `d/2 · E((d² + t²)/2)`, `E(u) = (1 - e⁻ᵘ)/u`,
//! smooth even where `d` is 0, which a rule over the angle is not. A raster of points in the ellipse, the
//! obvious way, is off by half a row along a border: 2 % with 21 rows.

use nalgebra::{Cholesky, Matrix2, Vector2};

use crate::space::GroundPoint;

/// Variance below which a direction counts as exactly known, square metres (a tenth of a millimetre).
const VARIANCE_MIN_M2: f64 = 1e-8;
/// Beyond this distance the exponential is below 2e-8 and the integral is an angle.
const CORE: f64 = 6.0;
/// Pieces of at most this length of a side, each with one rule of eight nodes.
const PIECE: f64 = 3.0;
/// Gauss–Legendre, eight nodes on `-1..=1`: positive abscissas and their weights (Abramowitz & Stegun 25.4.30).
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// The axes in which the density is standard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normal {
    standard_from_ground: Matrix2<f64>,
}

impl Normal {
    /// `None` where the covariance is no covariance, or so small that the position is a point.
    pub(super) fn of([[xx, xy], [_, yy]]: [[f64; 2]; 2]) -> Option<Self> {
        if xx.max(yy) < VARIANCE_MIN_M2 {
            return None;
        }
        let c = Matrix2::new(xx + VARIANCE_MIN_M2, xy, xy, yy + VARIANCE_MIN_M2);
        let standard_from_ground = Cholesky::new(c)?.l().try_inverse()?;
        Some(Self { standard_from_ground })
    }

    /// The mass in a closed ring around the mean's origin: positive counter-clockwise, negative clockwise.
    pub(super) fn mass(&self, ring: impl Iterator<Item = GroundPoint>) -> f64 {
        let mut standard = ring.map(|p| self.standard_from_ground * Vector2::new(p.x, p.y));
        let Some(mut from) = standard.next() else { return 0.0 };
        let mut sum = 0.0;
        for to in standard {
            sum += triangle(from, to);
            from = to;
        }
        sum / std::f64::consts::TAU
    }
}

/// 2π times the standard normal mass of the triangle between the origin and a side, signed.
fn triangle(a: Vector2<f64>, b: Vector2<f64>) -> f64 {
    let along = b - a;
    let length = along.norm();
    if length == 0.0 {
        return 0.0;
    }
    let direction = along / length;
    // Positive with the origin to the left of the side.
    let d = a.x * direction.y - a.y * direction.x;
    let (start, end) = (a.dot(&direction), b.dot(&direction));
    if d == 0.0 {
        return 0.0;
    }
    if d.abs() >= CORE {
        return angle(d, start, end);
    }
    let (low, high) = (start.clamp(-CORE, CORE), end.clamp(-CORE, CORE));
    angle(d, start, low) + smooth_part(d, low, high) + angle(d, high, end)
}

/// `∫ d/(d² + t²) dt`: the angle under which the piece is seen, with the sign of `d`.
fn angle(d: f64, start: f64, end: f64) -> f64 {
    (end / d).atan() - (start / d).atan()
}

/// `∫ d/2 · E((d² + t²)/2) dt` by Gauss–Legendre in pieces.
fn smooth_part(d: f64, start: f64, end: f64) -> f64 {
    let span = end - start;
    if span <= 0.0 {
        return 0.0;
    }
    let pieces = (span / PIECE).ceil();
    let half = span / pieces / 2.0;
    let mut sum = 0.0;
    for piece in 0..pieces as usize {
        let middle = start + half * (2 * piece + 1) as f64;
        for (x, weight) in NODES {
            let value = |t: f64| damped(0.5 * (d * d + t * t));
            sum += weight * (value(middle - half * x) + value(middle + half * x));
        }
    }
    0.5 * d * half * sum
}

/// `(1 - e⁻ᵘ)/u`, 1 at 0.
fn damped(u: f64) -> f64 {
    if u < 1e-12 { 1.0 } else { -(-u).exp_m1() / u }
}

/// Area of a closed ring, positive counter-clockwise (shoelace formula).
pub(super) fn signed_area(ring: impl Iterator<Item = GroundPoint>) -> f64 {
    let mut ring = ring;
    let Some(mut from) = ring.next() else { return 0.0 };
    let mut twice = 0.0;
    for to in ring {
        twice += from.x * to.y - to.x * from.y;
        from = to;
    }
    twice / 2.0
}
