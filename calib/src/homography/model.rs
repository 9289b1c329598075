//! The model that control points are fitted to: a plane's homography, then a lens.
//!
//! In: pairs of ground and picture, both near 1 in size. Out: the matrix and the lens that bring the first
//! onto the second, and how surely. Never: outliers, metres, pixels.

use nalgebra::{DMatrix, Matrix2, Matrix2x3, Matrix3, SMatrix, SVector, Vector2, Vector3};

use super::fault::HomographyError;
use crate::lens::Distortion;

/// Nine entries of the matrix, row by row, then k1, k2, p1, p2.
pub(super) const PARAMETERS: usize = 13;
/// What the lens' coefficients are taken to be before any point is seen: zero, give or take this much (one
/// standard deviation), with the picture's width as unit. A street camera of 4 mm has k1 near -0.4 in this
/// unit; tangential parts come from a sensor glued on askew and are small.
pub(super) const LENS_SIGMAS: [f64; 4] = [0.5, 0.5, 0.01, 0.01];
/// Least ratio of the second smallest singular value of the design matrix to its largest.
const RANK_RATIO_MIN: f64 = 1e-9;
/// Steps of the refinement at most; it ends in three to ten on real points.
const REFINE_STEPS_MAX: usize = 60;

pub(super) type Normal = SMatrix<f64, PARAMETERS, PARAMETERS>;
pub(super) type Gradient = SVector<f64, PARAMETERS>;
pub(super) type Matrix2x13 = SMatrix<f64, 2, PARAMETERS>;

/// A control point, normalised: ground, then where the picture shows it.
pub(super) type Pair = (Vector2<f64>, Vector2<f64>);

/// What is known of the lens while fitting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LensFit {
    /// It stays what it is.
    Fixed,
    /// It is fitted, held near zero by [`LENS_SIGMAS`]; the marks' own variance says how strongly.
    Free {
        /// Variance of a mark, square focal lengths an axis.
        variance: f64,
    },
}

impl LensFit {
    fn weights(self) -> [f64; 4] {
        match self {
            Self::Fixed => [0.0; 4],
            Self::Free { variance } => LENS_SIGMAS.map(|sigma| variance / (sigma * sigma)),
        }
    }
}

/// Ground to picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    /// Pinhole's picture from normalised ground, norm 1, third row positive before the camera.
    pub(super) matrix: Matrix3<f64>,
    pub(super) lens: Distortion,
}

impl Model {
    /// Where the picture shows a place; `None` behind the camera and past the lens' fold.
    pub(super) fn picture(&self, ground: Vector2<f64>) -> Option<Vector2<f64>> {
        self.lens.bend(seen(&self.matrix, ground)?)
    }

    /// How the pinhole's picture of `ground` moves with the ground point.
    pub(super) fn by_ground(&self, ground: Vector2<f64>) -> Matrix2<f64> {
        let (by_q, _, _) = self.projection(ground);
        by_q * self.matrix.fixed_columns::<2>(0)
    }

    /// How the picture of `ground` moves with the parameters.
    pub(super) fn by_parameters(&self, ground: Vector2<f64>) -> Matrix2x13 {
        let (by_q, homogeneous, ray) = self.projection(ground);
        let by_ray = self.lens.by_ray(ray) * by_q;
        let by_lens = Distortion::by_coefficients(ray);
        Matrix2x13::from_fn(|axis, number| match number {
            0..9 => by_ray[(axis, number / 3)] * homogeneous[number % 3],
            _ => by_lens[(axis, number - 9)],
        })
    }

    fn projection(&self, ground: Vector2<f64>) -> (Matrix2x3<f64>, Vector3<f64>, Vector2<f64>) {
        let homogeneous = Vector3::new(ground.x, ground.y, 1.0);
        let q = self.matrix * homogeneous;
        let ray = q.xy() / q.z;
        (Matrix2x3::new(1.0, 0.0, -ray.x, 0.0, 1.0, -ray.y) / q.z, homogeneous, ray)
    }

    fn stepped(&self, step: &Gradient) -> Self {
        let matrix = self.matrix + Matrix3::from_row_slice(&step.as_slice()[..9]);
        let mut lens = self.lens.array();
        for (value, change) in lens.iter_mut().zip(&step.as_slice()[9..]) {
            *value += change;
        }
        Self { matrix: matrix / matrix.norm(), lens: Distortion::from_array(lens) }
    }

    /// Sum of squared reprojection errors and of the lens' distance from nothing; infinite where a point
    /// would fall behind the camera or past the fold.
    pub(super) fn cost(&self, pairs: &[Pair], fit: LensFit) -> f64 {
        let misses: f64 = pairs.iter().map(|pair| self.miss2(pair)).sum();
        let bent: f64 = std::iter::zip(self.lens.array(), fit.weights()).map(|(v, w)| v * v * w).sum();
        misses + bent
    }

    /// Squared reprojection error of one point; infinite where the picture cannot show it.
    pub(super) fn miss2(&self, (ground, picture): &Pair) -> f64 {
        self.picture(*ground).map_or(f64::INFINITY, |shown| (picture - shown).norm_squared())
    }

    /// `JᵀJ` and `Jᵀr` of the reprojection error, without the lens' part where it is fixed.
    pub(super) fn normal_equations(&self, pairs: &[Pair], fit: LensFit) -> (Normal, Gradient) {
        let mut normal = Normal::zeros();
        let mut gradient = Gradient::zeros();
        for (ground, picture) in pairs {
            let Some(shown) = self.picture(*ground) else { continue };
            let mut j = self.by_parameters(*ground);
            if fit == LensFit::Fixed {
                j.fixed_columns_mut::<4>(9).fill(0.0);
            }
            normal += j.transpose() * j;
            gradient += j.transpose() * (picture - shown);
        }
        (normal, gradient)
    }

    /// Levenberg–Marquardt on all parameters; the damping keeps the matrix' free scale still.
    pub(super) fn refined(mut self, pairs: &[Pair], fit: LensFit) -> Self {
        let weights = fit.weights();
        let mut damping = 1e-3;
        let mut best = self.cost(pairs, fit);
        for _ in 0..REFINE_STEPS_MAX {
            let (normal, mut gradient) = self.normal_equations(pairs, fit);
            let mut damped = normal + Normal::identity() * (damping * normal.trace() / 9.0);
            for (i, (weight, value)) in std::iter::zip(weights, self.lens.array()).enumerate() {
                damped[(9 + i, 9 + i)] += weight;
                gradient[9 + i] -= weight * value;
            }
            let Some(step) = damped.cholesky().map(|c| c.solve(&gradient)) else { break };
            let candidate = self.stepped(&step);
            let cost = candidate.cost(pairs, fit);
            if cost < best && candidate.matrix.determinant() < 0.0 {
                let gained = best - cost;
                (self, best) = (candidate, cost);
                damping = (damping / 10.0).max(1e-12);
                if gained <= 1e-12 * best {
                    break;
                }
            } else {
                damping *= 10.0;
                if damping > 1e6 {
                    break;
                }
            }
        }
        self
    }

    /// Covariance of the parameters for marks of this variance. `pairs` are those that the fit rests on.
    pub(super) fn covariance(&self, pairs: &[Pair], fit: LensFit, variance: f64) -> Option<Normal> {
        let (normal, _) = self.normal_equations(pairs, fit);
        let mut information = normal / variance;
        // Scaling the matrix changes nothing that is seen: fixing that one direction makes the rest
        // invertible, and the Jacobians that this meets have no part along it.
        let mut along = Gradient::zeros();
        along.as_mut_slice()[..9].copy_from_slice(self.matrix.transpose().as_slice());
        information += along * along.transpose() * (normal.trace() / 8.0 / variance);
        for (i, sigma) in LENS_SIGMAS.iter().enumerate() {
            information[(9 + i, 9 + i)] += 1.0 / (sigma * sigma);
        }
        let mut covariance = information.cholesky()?.inverse();
        if fit == LensFit::Fixed {
            covariance.fixed_rows_mut::<4>(9).fill(0.0);
            covariance.fixed_columns_mut::<4>(9).fill(0.0);
        }
        Some(covariance)
    }
}

/// The point under a homography, if it lies on the seen side.
pub(super) fn seen(h: &Matrix3<f64>, p: Vector2<f64>) -> Option<Vector2<f64>> {
    let q = h * Vector3::new(p.x, p.y, 1.0);
    // `1e-12` of the matrix' norm is the horizon itself, to rounding.
    (q.z > 1e-12 * h.norm()).then(|| q.xy() / q.z)
}

/// A decomposition of nine columns converges in a few dozen.
const SVD_ITERATIONS_MAX: usize = 10_000;

/// Normalised DLT, algorithm 4.2 of Hartley & Zisserman.
pub(super) fn direct_linear(pairs: &[Pair]) -> Result<Matrix3<f64>, HomographyError> {
    // Four points give eight rows; a ninth of zeros makes the decomposition return all nine directions.
    let mut design = DMatrix::<f64>::zeros((2 * pairs.len()).max(9), 9);
    for (i, (g, p)) in pairs.iter().enumerate() {
        let homogeneous = [g.x, g.y, 1.0];
        for (column, v) in homogeneous.into_iter().enumerate() {
            design[(2 * i, column)] = v;
            design[(2 * i, 6 + column)] = -p.x * v;
            design[(2 * i + 1, 3 + column)] = v;
            design[(2 * i + 1, 6 + column)] = -p.y * v;
        }
    }
    // Numbers near the end of the range overflow within the decomposition, which then never converges.
    let svd = design.try_svd(false, true, 5.0 * f64::EPSILON, SVD_ITERATIONS_MAX);
    let svd = svd.ok_or(HomographyError::Degenerate)?;
    let v_t = svd.v_t.ok_or(HomographyError::Degenerate)?;
    let mut order: Vec<usize> = (0..9).collect();
    order.sort_by(|&a, &b| svd.singular_values[b].total_cmp(&svd.singular_values[a]));
    if svd.singular_values[order[7]] < RANK_RATIO_MIN * svd.singular_values[order[0]] {
        return Err(HomographyError::Degenerate);
    }
    let least = v_t.row(order[8]);
    Ok(Matrix3::from_row_iterator(least.iter().copied()))
}

/// The matrix with the sign that makes control points lie before the camera.
pub(super) fn oriented(h: Matrix3<f64>, pairs: &[Pair]) -> Result<Matrix3<f64>, HomographyError> {
    let depth = |(g, _): &Pair| (h.row(2) * Vector3::new(g.x, g.y, 1.0)).x;
    let before = pairs.iter().filter(|pair| depth(pair) > 0.0).count();
    let sign = if 2 * before >= pairs.len() { 1.0 } else { -1.0 };
    if let Some(index) = pairs.iter().position(|pair| sign * depth(pair) <= 0.0) {
        return Err(HomographyError::AboveHorizon { index });
    }
    let h = h * (sign / h.norm());
    // North is up and rows count down: seen from above, the map turns the sense of rotation.
    if h.determinant() >= 0.0 {
        return Err(HomographyError::Mirrored);
    }
    Ok(h)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_end_of_the_range_have_no_homography_and_take_no_time() {
        for huge in [1e308, -1e308, f64::MAX, f64::INFINITY, f64::NAN] {
            let pairs: Vec<Pair> = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, huge), (2.0, 1.0)]
                .map(|(x, y)| (Vector2::new(x, y), Vector2::new(y, huge)))
                .to_vec();
            assert!(direct_linear(&pairs).is_err(), "{huge}");
        }
    }
}
