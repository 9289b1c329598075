//! From control points to a map between one camera's pixels and the ground, with an honest error.
//!
//! In: at least four control points, each a pixel (undistorted, `x` right, `y` down) and the longitude and
//! latitude (CGCS2000, degrees) of the same spot on flat ground. Out: a [`GroundMap`] that places a pixel on
//! the ground with its covariance, or a [`HomographyError`] that says which points to mark anew. Never: lens
//! distortion, hills, outlier rejection, files.
//!
//! The map is a plane homography: normalised DLT (Hartley & Zisserman, *Multiple View Geometry*, 2nd ed.,
//! algorithm 4.2), refined by Levenberg–Marquardt on the reprojection error in pixels (algorithm 4.3 with
//! the error in one picture: marking a pixel is what goes wrong, so that is where the error is measured).
//! The uncertainty is propagated from the normal matrix as in section 5.2 of the same book.

mod fault;

use nalgebra::{DMatrix, Matrix2, Matrix2x3, Matrix3, SMatrix, SVector, Vector2, Vector3};
use serde::{Deserialize, Serialize};

pub use fault::{ControlSpace, HomographyError};

use crate::space::{GroundPoint, LocalPlane, LonLat, PixelPoint};

/// The marking error assumed before any residual is measured, pixels (one standard deviation an axis). Four
/// points fit any homography exactly, so with four this is all there is.
pub const CONTROL_SIGMA_PX: f64 = 1.5;
/// How many measured residuals the assumption above is worth when both are blended.
const CONTROL_SIGMA_WEIGHT: f64 = 4.0;
/// Points closer than this in the picture are the same mark, pixels.
pub const APART_PX_MIN: f64 = 1.0;
/// Points closer than this on the ground are the same mark, metres.
pub const APART_M_MIN: f64 = 0.05;
/// No control point lies further than this from the middle of them all, metres: beyond, the local plane is
/// no map any more, and a street camera sees nothing.
pub const SPREAD_M_MAX: f64 = 2_000.0;
/// A pixel is not placed further from the middle of the control points than this many times the furthest of
/// them: past that, a pixel of error is tens of metres.
pub const RANGE_FACTOR: f64 = 3.0;
/// Least width of all points across their line, as a share of their length along it.
const LINE_WIDTH_MIN: f64 = 0.01;
/// The same with any one point left out.
const LINE_WIDTH_LEFT_OUT_MIN: f64 = 0.003;
/// Least ratio of the second smallest singular value of the design matrix to its largest.
const RANK_RATIO_MIN: f64 = 1e-9;
/// A pixel must lie this many standard deviations below the horizon for its ellipse to mean anything.
const HORIZON_SIGMAS: f64 = 5.0;
/// Steps of the refinement at most; it ends in three to six on real points.
const REFINE_STEPS_MAX: usize = 50;
/// Square root of the 95 % quantile of chi-squared with two degrees of freedom.
const CHI_95_2D: f64 = 2.447_746_830_680_816;

type Matrix9 = SMatrix<f64, 9, 9>;
type Vector9 = SVector<f64, 9>;
type Matrix2x9 = SMatrix<f64, 2, 9>;

/// A spot that was found both in the picture and on the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPoint {
    /// Where it is in the picture, pixels, undistorted.
    pub pixel: PixelPoint,
    /// Where it is on the ground, degrees, longitude first, CGCS2000.
    pub lon_lat: LonLat,
}

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

/// Moves points so that their middle is 0 and their mean distance from it √2 (Hartley & Zisserman 4.4.4).
#[derive(Debug, Clone, Copy)]
struct Normaliser {
    centre: Vector2<f64>,
    scale: f64,
}

impl Normaliser {
    fn of(points: &[Vector2<f64>]) -> Self {
        let centre = points.iter().sum::<Vector2<f64>>() / points.len() as f64;
        let mean = points.iter().map(|p| (p - centre).norm()).sum::<f64>() / points.len() as f64;
        Self { centre, scale: std::f64::consts::SQRT_2 / mean }
    }

    fn apply(&self, p: Vector2<f64>) -> Vector2<f64> {
        (p - self.centre) * self.scale
    }

    fn undo(&self, p: Vector2<f64>) -> Vector2<f64> {
        p / self.scale + self.centre
    }

    fn matrix(&self) -> Matrix3<f64> {
        let (s, c) = (self.scale, self.centre);
        Matrix3::new(s, 0.0, -s * c.x, 0.0, s, -s * c.y, 0.0, 0.0, 1.0)
    }
}

/// The map between one view's pixels and the ground.
#[derive(Debug, Clone)]
pub struct GroundMap {
    plane: LocalPlane,
    pixels: Normaliser,
    grounds: Normaliser,
    /// Normalised pixel from normalised ground, norm 1, third row positive before the camera.
    picture_from_ground: Matrix3<f64>,
    ground_from_picture: Matrix3<f64>,
    /// Covariance of the nine entries of `picture_from_ground` for a marking error of one normalised unit.
    covariance: Matrix9,
    residuals_m: Vec<f64>,
    residuals_px: Vec<f64>,
    control_sigma_px: f64,
    range_m: f64,
}

impl GroundMap {
    /// Solves the map from at least four control points.
    ///
    /// With exactly four the residuals are zero whatever the points are worth, and only the assumed marking
    /// error [`CONTROL_SIGMA_PX`] enters the covariance. Wrong points show from the fifth on.
    ///
    /// # Errors
    /// [`HomographyError`] where the points do not determine a view of the ground from above.
    pub fn solve(points: &[ControlPoint]) -> Result<Self, HomographyError> {
        let (plane, picture, ground) = checked(points)?;
        let (pixels, grounds) = (Normaliser::of(&picture), Normaliser::of(&ground));
        let pairs: Vec<Pair> =
            std::iter::zip(&ground, &picture).map(|(g, p)| (grounds.apply(*g), pixels.apply(*p))).collect();
        let mut h = oriented(direct_linear(&pairs)?, &pairs)?;
        if pairs.len() > 4 {
            h = refined(h, &pairs);
        }
        let inverse = h.try_inverse().ok_or(HomographyError::Degenerate)?;
        let (residuals_px, residuals_m) = residuals(&h, &inverse, &pairs, pixels.scale, grounds.scale)?;

        let (normal, _) = normal_equations(&h, &pairs);
        let along = entries(&h);
        // Scaling the matrix changes nothing that is seen: fixing that one direction makes the rest
        // invertible, and the Jacobians that this meets have no part along it.
        let covariance = (normal + along * along.transpose() * (normal.trace() / 8.0))
            .try_inverse()
            .ok_or(HomographyError::Degenerate)?;
        let freedom = (2 * pairs.len() - 8) as f64;
        let squares: f64 = residuals_px.iter().map(|r| r * r).sum();
        let variance =
            (CONTROL_SIGMA_WEIGHT * CONTROL_SIGMA_PX.powi(2) + squares) / (CONTROL_SIGMA_WEIGHT + freedom);
        let furthest_m = ground.iter().map(|g| (g - grounds.centre).norm()).fold(0.0, f64::max);
        Ok(Self {
            plane,
            pixels,
            grounds,
            picture_from_ground: h,
            ground_from_picture: inverse,
            covariance,
            residuals_m,
            residuals_px,
            control_sigma_px: variance.sqrt(),
            range_m: RANGE_FACTOR * furthest_m,
        })
    }

    /// The same map that places pixels up to `range_m` metres from the middle of the control points.
    #[must_use]
    pub fn with_range_m(self, range_m: f64) -> Self {
        Self { range_m, ..self }
    }

    /// How far from the middle of the control points a pixel is placed, metres.
    pub fn range_m(&self) -> f64 {
        self.range_m
    }

    /// Distance on the ground between each control point and where its pixel is placed, metres. All zero
    /// (to rounding) with four points.
    pub fn residuals_m(&self) -> &[f64] {
        &self.residuals_m
    }

    /// Distance in the picture between each control point and where its place is seen, pixels.
    pub fn residuals_px(&self) -> &[f64] {
        &self.residuals_px
    }

    /// Root mean square of [`Self::residuals_m`], metres.
    pub fn residual_rms_m(&self) -> f64 {
        rms(&self.residuals_m)
    }

    /// Root mean square of [`Self::residuals_px`], pixels.
    pub fn residual_rms_px(&self) -> f64 {
        rms(&self.residuals_px)
    }

    /// The control point that fits worst in the picture: its index from 0 and its residual in metres.
    pub fn worst(&self) -> (usize, f64) {
        let worst = (0..self.residuals_px.len())
            .max_by(|&a, &b| self.residuals_px[a].total_cmp(&self.residuals_px[b]))
            .unwrap_or(0);
        (worst, self.residuals_m.get(worst).copied().unwrap_or(0.0))
    }

    /// Standard deviation of a control point's mark, pixels an axis: measured residuals blended with
    /// [`CONTROL_SIGMA_PX`], which counts as much as four of them.
    pub fn control_sigma_px(&self) -> f64 {
        self.control_sigma_px
    }

    /// The plane on which ground points of this map are metres. Its origin is the middle of the control
    /// points.
    pub fn plane(&self) -> &LocalPlane {
        &self.plane
    }

    /// The 3×3 matrix that takes `[x_px, y_px, 1]` to ground metres (divide by the third, which is positive
    /// below the horizon). Row first.
    pub fn ground_from_pixel_matrix(&self) -> [[f64; 3]; 3] {
        rows(&(inverted(&self.grounds) * self.ground_from_picture * self.pixels.matrix()))
    }

    /// The 3×3 matrix that takes `[east_m, north_m, 1]` to pixels (divide by the third, which is positive
    /// before the camera). Row first.
    pub fn pixel_from_ground_matrix(&self) -> [[f64; 3]; 3] {
        rows(&(inverted(&self.pixels) * self.picture_from_ground * self.grounds.matrix()))
    }

    /// Where on the ground the pixel is; `None` on or above the horizon and beyond [`Self::range_m`].
    pub fn ground_from_pixel(&self, p: PixelPoint) -> Option<GroundPoint> {
        let picture = self.pixels.apply(Vector2::new(p.x, p.y));
        let ground = self.grounds.undo(seen(&self.ground_from_picture, picture)?);
        let within = (ground - self.grounds.centre).norm() <= self.range_m;
        within.then(|| GroundPoint::new(ground.x, ground.y))
    }

    /// Where in the picture a place on the ground is seen (perhaps outside its edges); `None` behind the
    /// camera.
    pub fn pixel_from_ground(&self, g: GroundPoint) -> Option<PixelPoint> {
        let picture = seen(&self.picture_from_ground, self.grounds.apply(Vector2::new(g.x, g.y)))?;
        let pixel = self.pixels.undo(picture);
        Some(PixelPoint::new(pixel.x, pixel.y))
    }

    /// Where the pixel is, with its error: `pixel_sigma` (standard deviation of the pixel itself, an axis)
    /// and the error of the map, which grows away from the control points.
    ///
    /// `None` where [`Self::ground_from_pixel`] has none, and so close under the horizon that an ellipse
    /// would not describe the error.
    pub fn locate(&self, p: PixelPoint, pixel_sigma: f64) -> Option<Position> {
        let ground = self.ground_from_pixel(p)?;
        let at = self.grounds.apply(Vector2::new(ground.x, ground.y));
        let (by_ground, by_entries) = jacobians(&self.picture_from_ground, at);
        // In pixels: the map's own error where it is used, plus the error of the pixel.
        let map_px2 = by_entries * self.covariance * by_entries.transpose() * self.control_sigma_px.powi(2);
        let total_px2 = map_px2 + Matrix2::identity() * pixel_sigma.powi(2);

        let horizon = self.ground_from_picture.row(2);
        let below_px =
            horizon.dot(&picture_row(&self.pixels, p)) / horizon.columns(0, 2).norm() / self.pixels.scale;
        if below_px < HORIZON_SIGMAS * (total_px2.trace() / 2.0).sqrt() {
            return None;
        }
        // d ground / d pixel in metres a pixel: both normalisers scale alike in x and y.
        let metres = by_ground.try_inverse()? * (self.pixels.scale / self.grounds.scale);
        let c = metres * total_px2 * metres.transpose();
        let covariance_m2 = [[c[(0, 0)], c[(0, 1)]], [c[(0, 1)], c[(1, 1)]]];
        let lon_lat = self.plane.lon_lat_from_ground(ground);
        Some(Position { lon_lat, ground, covariance_m2 })
    }
}

/// A control point, normalised: ground, then pixel.
type Pair = (Vector2<f64>, Vector2<f64>);

fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

fn rows(m: &Matrix3<f64>) -> [[f64; 3]; 3] {
    std::array::from_fn(|r| std::array::from_fn(|c| m[(r, c)]))
}

fn inverted(n: &Normaliser) -> Matrix3<f64> {
    let (s, c) = (1.0 / n.scale, n.centre);
    Matrix3::new(s, 0.0, c.x, 0.0, s, c.y, 0.0, 0.0, 1.0)
}

fn picture_row(n: &Normaliser, p: PixelPoint) -> nalgebra::RowVector3<f64> {
    let p = n.apply(Vector2::new(p.x, p.y));
    nalgebra::RowVector3::new(p.x, p.y, 1.0)
}

/// The point under a homography, if it lies on the seen side.
fn seen(h: &Matrix3<f64>, p: Vector2<f64>) -> Option<Vector2<f64>> {
    let q = h * Vector3::new(p.x, p.y, 1.0);
    // `1e-12` of the matrix' norm is the horizon itself, to rounding.
    (q.z > 1e-12 * h.norm()).then(|| q.xy() / q.z)
}

type Checked = (LocalPlane, Vec<Vector2<f64>>, Vec<Vector2<f64>>);

/// The plane, the pixels and the ground metres of points that can carry a map.
fn checked(points: &[ControlPoint]) -> Result<Checked, HomographyError> {
    if points.len() < 4 {
        return Err(HomographyError::TooFew { given: points.len() });
    }
    let usable = |p: &ControlPoint| {
        let LonLat { lon, lat } = p.lon_lat;
        p.pixel.x.is_finite() && p.pixel.y.is_finite() && lon.abs() <= 180.0 && lat.abs() < 89.0
    };
    if let Some(index) = points.iter().position(|p| !usable(p)) {
        return Err(HomographyError::NotANumber { index });
    }
    let plane = plane_of(points)?;
    let ground: Vec<_> =
        points.iter().map(|p| plane.ground_from_lon_lat(p.lon_lat)).map(|g| Vector2::new(g.x, g.y)).collect();
    let picture: Vec<_> = points.iter().map(|p| Vector2::new(p.pixel.x, p.pixel.y)).collect();
    for (space, apart_min, cloud) in
        [(ControlSpace::Picture, APART_PX_MIN, &picture), (ControlSpace::Ground, APART_M_MIN, &ground)]
    {
        for second in 1..cloud.len() {
            let twin = (0..second).find(|&first| (cloud[first] - cloud[second]).norm() < apart_min);
            if let Some(first) = twin {
                return Err(HomographyError::Duplicate { first, second, space });
            }
        }
        refuse_line(cloud, space)?;
    }
    Ok((plane, picture, ground))
}

/// The plane at the middle of the points, none of which is far from the *median* point: one wrong digit
/// must be blamed on the point that has it, not on the mean that it moved.
fn plane_of(points: &[ControlPoint]) -> Result<LocalPlane, HomographyError> {
    let median = |of: fn(&ControlPoint) -> f64| {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let around = LocalPlane::at(LonLat::new(median(|p| p.lon_lat.lon), median(|p| p.lon_lat.lat)));
    for (index, p) in points.iter().enumerate() {
        let distance_m = around.ground_from_lon_lat(p.lon_lat).distance_m(GroundPoint::new(0.0, 0.0));
        if distance_m > SPREAD_M_MAX {
            return Err(HomographyError::TooFar { index, distance_m });
        }
    }
    let mean = |of: fn(&ControlPoint) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    Ok(LocalPlane::at(LonLat::new(mean(|p| p.lon_lat.lon), mean(|p| p.lon_lat.lat))))
}

/// Four points with no three in a row exist unless all points, or all but one, lie on a line.
fn refuse_line(cloud: &[Vector2<f64>], space: ControlSpace) -> Result<(), HomographyError> {
    if width_over_length(cloud.iter().copied()) < LINE_WIDTH_MIN {
        return Err(HomographyError::Collinear { space, left_out: None });
    }
    for index in 0..cloud.len() {
        let others = cloud.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, p)| *p);
        if width_over_length(others) < LINE_WIDTH_LEFT_OUT_MIN {
            return Err(HomographyError::Collinear { space, left_out: Some(index) });
        }
    }
    Ok(())
}

/// Ratio of the two singular values of the centred points: 0 on a line, 1 in the round, free of scale.
fn width_over_length(points: impl Iterator<Item = Vector2<f64>> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let middle = points.clone().sum::<Vector2<f64>>() / count;
    let scatter: Matrix2<f64> = points.map(|p| (p - middle) * (p - middle).transpose()).sum();
    let [mean, spread] =
        [scatter.trace() / 2.0, ((scatter[(0, 0)] - scatter[(1, 1)]) / 2.0).hypot(scatter[(0, 1)])];
    ((mean - spread).max(0.0) / (mean + spread)).sqrt()
}

/// Normalised DLT, algorithm 4.2 of Hartley & Zisserman.
fn direct_linear(pairs: &[Pair]) -> Result<Matrix3<f64>, HomographyError> {
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
    let svd = design.svd(false, true);
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
fn oriented(h: Matrix3<f64>, pairs: &[Pair]) -> Result<Matrix3<f64>, HomographyError> {
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

fn entries(h: &Matrix3<f64>) -> Vector9 {
    Vector9::from_row_slice(h.transpose().as_slice())
}

/// How the picture of `ground` moves with the ground point, and with the nine entries row by row.
fn jacobians(h: &Matrix3<f64>, ground: Vector2<f64>) -> (Matrix2<f64>, Matrix2x9) {
    let homogeneous = Vector3::new(ground.x, ground.y, 1.0);
    let q = h * homogeneous;
    let p = q.xy() / q.z;
    let by_q = Matrix2x3::new(1.0, 0.0, -p.x, 0.0, 1.0, -p.y) / q.z;
    let by_ground = by_q * h.fixed_columns::<2>(0);
    let by_entries = Matrix2x9::from_fn(|axis, entry| by_q[(axis, entry / 3)] * homogeneous[entry % 3]);
    (by_ground, by_entries)
}

/// `JᵀJ` and `Jᵀr` of the reprojection error.
fn normal_equations(h: &Matrix3<f64>, pairs: &[Pair]) -> (Matrix9, Vector9) {
    let mut normal = Matrix9::zeros();
    let mut gradient = Vector9::zeros();
    for (g, p) in pairs {
        let q = h * Vector3::new(g.x, g.y, 1.0);
        let (_, j) = jacobians(h, *g);
        normal += j.transpose() * j;
        gradient += j.transpose() * (p - q.xy() / q.z);
    }
    (normal, gradient)
}

/// Sum of squared reprojection errors; infinite where a point would fall behind the camera.
fn cost(h: &Matrix3<f64>, pairs: &[Pair]) -> f64 {
    pairs.iter().map(|(g, p)| seen(h, *g).map_or(f64::INFINITY, |q| (p - q).norm_squared())).sum()
}

/// Levenberg–Marquardt on all nine entries; the damping keeps the free scale still.
fn refined(mut h: Matrix3<f64>, pairs: &[Pair]) -> Matrix3<f64> {
    let mut damping = 1e-3;
    let mut best = cost(&h, pairs);
    for _ in 0..REFINE_STEPS_MAX {
        let (normal, gradient) = normal_equations(&h, pairs);
        let damped = normal + Matrix9::identity() * (damping * normal.trace() / 9.0);
        let Some(step) = damped.cholesky().map(|c| c.solve(&gradient)) else { break };
        let candidate = h + Matrix3::from_row_slice(step.as_slice());
        let candidate = candidate / candidate.norm();
        let candidate_cost = cost(&candidate, pairs);
        if candidate_cost < best && candidate.determinant() < 0.0 {
            let gained = best - candidate_cost;
            (h, best) = (candidate, candidate_cost);
            damping = (damping / 10.0).max(1e-12);
            if gained <= 1e-14 * best {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e6 {
                break;
            }
        }
    }
    h
}

/// Residuals in pixels and in metres.
fn residuals(
    h: &Matrix3<f64>,
    inverse: &Matrix3<f64>,
    pairs: &[Pair],
    pixel_scale: f64,
    ground_scale: f64,
) -> Result<(Vec<f64>, Vec<f64>), HomographyError> {
    let mut residuals_px = Vec::with_capacity(pairs.len());
    let mut residuals_m = Vec::with_capacity(pairs.len());
    for (index, (g, p)) in pairs.iter().enumerate() {
        let above = HomographyError::AboveHorizon { index };
        let (Some(picture), Some(ground)) = (seen(h, *g), seen(inverse, *p)) else { return Err(above) };
        residuals_px.push((picture - p).norm() / pixel_scale);
        residuals_m.push((ground - g).norm() / ground_scale);
    }
    Ok((residuals_px, residuals_m))
}

#[cfg(test)]
#[path = "homography/tests.rs"]
mod tests;
