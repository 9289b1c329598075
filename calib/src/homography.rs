//! From control points to a map between one camera's pixels and the ground, with an honest error.
//!
//! In: at least four control points, each a pixel as the camera shows it (`x` right, `y` down) and the
//! longitude and latitude (CGCS2000, degrees) of the same spot on flat ground. Out: a [`GroundMap`] that
//! places a pixel on the ground with its covariance, or a [`HomographyError`] that says which points to mark
//! anew. Never: hills, files.
//!
//! The map is a plane homography behind a lens: points that disagree with the others are left out by least
//! trimmed squares (`robust`), the rest start from a normalised DLT (Hartley & Zisserman, *Multiple View
//! Geometry*, 2nd ed., algorithm 4.2) and are refined by Levenberg–Marquardt on the reprojection error in
//! pixels (algorithm 4.3 with the error in one picture: marking a pixel is what goes wrong, so that is where
//! the error is measured). From [`LENS_POINTS_MIN`] points on, the lens is fitted with them, held near zero
//! by what street cameras are like. The uncertainty of both is propagated from the normal matrix as in
//! section 5.2 of the same book.

mod fault;
mod model;
mod points;
mod position;
mod robust;

use nalgebra::{Matrix2, Matrix3, RowVector3, Vector2};
use serde::{Deserialize, Serialize};

pub use fault::{ControlSpace, HomographyError};
pub use position::{Ellipse, Position, Refusal};

use crate::lens::{Distortion, Lens};
use crate::space::{GroundPoint, LocalPlane, LonLat, PixelPoint};
use model::{LensFit, Model, Normal, Pair, direct_linear, oriented, seen};
use points::{checked, median, refuse_line};

/// The marking error assumed before any residual is measured, pixels (one standard deviation an axis). Four
/// points fit any homography exactly, so with four this is all there is.
pub const CONTROL_SIGMA_PX: f64 = 1.5;
/// How many measured residuals the assumption above is worth when both are blended.
const CONTROL_SIGMA_WEIGHT: f64 = 4.0;
/// From so many control points on the lens is fitted too. Fewer would rather bend the lens than show a wrong
/// point.
pub const LENS_POINTS_MIN: usize = 12;
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
/// A pixel must lie this many standard deviations below the horizon for its ellipse to mean anything.
const HORIZON_SIGMAS: f64 = 5.0;
/// A point whose residual differs by more than this from the written one is not the point that was solved
/// from, pixels.
const STALE_PX: f64 = 0.05;

/// A spot that was found both in the picture and on the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPoint {
    /// Where it is in the picture, pixels, as the camera shows it.
    pub pixel: PixelPoint,
    /// Where it is on the ground, degrees, longitude first, CGCS2000.
    pub lon_lat: LonLat,
}

/// What is known of a camera's lens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LensWanted {
    /// Nothing: it is fitted where there are [`LENS_POINTS_MIN`] points, and taken for straight otherwise.
    Estimated,
    /// The camera corrects its pictures itself, or bends nothing that matters.
    Straight,
    /// It was measured elsewhere.
    Known(Lens),
}

/// What is known besides the points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup {
    /// Width and height of the picture that the pixels were read from, pixels.
    pub image_size: [f64; 2],
    /// The lens.
    pub lens: LensWanted,
    /// How far from the middle of the control points a pixel is placed, metres; [`RANGE_FACTOR`] times the
    /// furthest point where nothing is given.
    pub range_m: Option<f64>,
}

impl Setup {
    /// A picture of this size and nothing else known.
    pub fn of_size(image_size: [f64; 2]) -> Self {
        Self { image_size, lens: LensWanted::Estimated, range_m: None }
    }
}

/// A solution, as it is written down: with the points it was solved from it makes the same map again,
/// whatever a later version would make of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// Origin of the plane on which ground points are metres.
    pub origin: LonLat,
    /// Four places and the pixels at which a pinhole would show them, which fix the homography.
    pub frame: [(GroundPoint, PixelPoint); 4],
    /// What bends a pinhole's pixels to those of the picture.
    pub lens: Lens,
    /// Whether the lens was fitted with the points, and so is not known exactly.
    pub lens_estimated: bool,
    /// For each point whether it counted.
    pub kept: Vec<bool>,
    /// For each point its residual, pixels, where it was written.
    pub residuals_px: Vec<Option<f64>>,
    /// Standard deviation of a mark, pixels an axis.
    pub control_sigma_px: f64,
    /// How far from the middle of the control points a pixel is placed, metres.
    pub range_m: f64,
}

/// Moves points so that their median is 0 and their median distance from it √2: Hartley & Zisserman 4.4.4
/// with medians, so that one wrong point moves nothing.
#[derive(Debug, Clone, Copy)]
struct Normaliser {
    centre: Vector2<f64>,
    scale: f64,
}

impl Normaliser {
    fn of(points: &[Vector2<f64>]) -> Self {
        let centre = Vector2::new(median(points, |p| p.x), median(points, |p| p.y));
        let typical = median(points, |p| (p - centre).norm());
        Self { centre, scale: std::f64::consts::SQRT_2 / typical }
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

    fn inverse_matrix(&self) -> Matrix3<f64> {
        let (s, c) = (1.0 / self.scale, self.centre);
        Matrix3::new(s, 0.0, c.x, 0.0, s, c.y, 0.0, 0.0, 1.0)
    }
}

/// The map between one view's pixels and the ground.
#[derive(Debug, Clone)]
pub struct GroundMap {
    plane: LocalPlane,
    lens: Lens,
    lens_estimated: bool,
    grounds: Normaliser,
    /// Focal lengths from normalised ground.
    model: Model,
    ground_from_ray: Matrix3<f64>,
    /// Of the model's parameters.
    covariance: Normal,
    kept: Vec<bool>,
    residuals_m: Vec<f64>,
    residuals_px: Vec<f64>,
    /// The points, and the four of them that lie furthest apart.
    pairs: Vec<Pair>,
    spread: [usize; 4],
    control_sigma_px: f64,
    /// Mean of the points that count, metres.
    middle: Vector2<f64>,
    range_m: f64,
}

/// The points in the units of a fit.
struct Posed {
    plane: LocalPlane,
    ground: Vec<Vector2<f64>>,
    picture: Vec<Vector2<f64>>,
    grounds: Normaliser,
    pairs: Vec<Pair>,
}

impl Posed {
    fn of(points: &[ControlPoint], lens: &Lens) -> Result<Self, HomographyError> {
        let points::Checked { plane, picture, ground } = checked(points)?;
        Ok(Self::on(plane, ground, picture, points, lens))
    }

    fn on(
        plane: LocalPlane,
        ground: Vec<Vector2<f64>>,
        picture: Vec<Vector2<f64>>,
        points: &[ControlPoint],
        lens: &Lens,
    ) -> Self {
        let grounds = Normaliser::of(&ground);
        let pairs = std::iter::zip(&ground, points);
        let pairs = pairs.map(|(g, p)| (grounds.apply(*g), lens.unit_from_pixel(p.pixel))).collect();
        Self { plane, ground, picture, grounds, pairs }
    }

    fn chosen(&self, kept: &[bool]) -> Vec<Pair> {
        std::iter::zip(&self.pairs, kept).filter(|(_, kept)| **kept).map(|(pair, _)| *pair).collect()
    }

    /// The model of all points, none left out.
    fn fitted_to_all(&self, lens: Distortion, fit: LensFit) -> Result<Model, HomographyError> {
        let straight = self.pairs.iter().enumerate().map(|(index, (g, p))| {
            lens.straighten(*p).map(|p| (*g, p)).ok_or(HomographyError::OutsideLens { index })
        });
        let straight = straight.collect::<Result<Vec<Pair>, _>>()?;
        let matrix = oriented(direct_linear(&straight)?, &straight)?;
        let model = Model { matrix, lens };
        Ok(if self.pairs.len() > 4 { model.refined(&self.pairs, fit) } else { model })
    }
}

impl GroundMap {
    /// Solves the map from at least four control points.
    ///
    /// With exactly four the residuals are zero whatever the points are worth, and only the assumed marking
    /// error [`CONTROL_SIGMA_PX`] enters the covariance. A wrong point shows from the fifth on, and from the
    /// sixth on it is left out ([`Self::outliers`]).
    ///
    /// # Errors
    /// [`HomographyError`] where the points do not determine a view of the ground from above.
    pub fn solve(points: &[ControlPoint], setup: &Setup) -> Result<Self, HomographyError> {
        let frame = match setup.lens {
            LensWanted::Known(lens) => lens,
            LensWanted::Estimated | LensWanted::Straight => Lens::straight(setup.image_size),
        };
        let posed = Posed::of(points, &frame)?;
        let estimated = setup.lens == LensWanted::Estimated && points.len() >= LENS_POINTS_MIN;
        let assumed = (CONTROL_SIGMA_PX / frame.focal_px).powi(2);
        let fit = if estimated { LensFit::Free { variance: assumed } } else { LensFit::Fixed };

        let agreed = robust::consensus(&posed.pairs, frame.distortion(), fit, assumed);
        let (model, kept) = match agreed {
            Some(robust::Consensus { model, kept }) => (model, kept),
            None => (posed.fitted_to_all(frame.distortion(), fit)?, vec![true; points.len()]),
        };
        for (space, cloud) in [(ControlSpace::Picture, &posed.picture), (ControlSpace::Ground, &posed.ground)]
        {
            if kept.contains(&false) {
                let rest: Vec<_> =
                    std::iter::zip(cloud, &kept).filter(|(_, k)| **k).map(|(p, _)| *p).collect();
                refuse_line(&rest, space).map_err(|_| HomographyError::Degenerate)?;
            }
        }
        let chosen = posed.chosen(&kept);
        let variance = mark_variance(&model, &chosen, fit, assumed)?;
        // Marks that are better than assumed hold the lens better than it was held so far.
        let model = if estimated { model.refined(&chosen, LensFit::Free { variance }) } else { model };
        let lens = frame.with_distortion(model.lens);
        let sigma_px = variance.sqrt() * frame.focal_px;
        Self::assembled(posed, model, lens, estimated, kept, sigma_px, setup.range_m)
    }

    /// Makes the map of a written solution again.
    ///
    /// # Errors
    /// [`HomographyError::Stale`] where a point is not where it was when the solution was written, and what
    /// [`Self::solve`] refuses.
    pub fn restore(points: &[ControlPoint], solved: &Solved) -> Result<Self, HomographyError> {
        if solved.kept.len() != points.len() || solved.kept.iter().filter(|kept| **kept).count() < 4 {
            return Err(HomographyError::Unwritten);
        }
        let points::Checked { picture, .. } = checked(points)?;
        let plane = LocalPlane::at(solved.origin);
        let ground = points.iter().map(|p| plane.ground_from_lon_lat(p.lon_lat));
        let ground = ground.map(|g| Vector2::new(g.x, g.y)).collect();
        let posed = Posed::on(plane, ground, picture, points, &solved.lens);
        let frame = solved.frame.map(|(ground, pinhole)| {
            (posed.grounds.apply(Vector2::new(ground.x, ground.y)), solved.lens.unit_from_pixel(pinhole))
        });
        let matrix = robust::through(frame).ok_or(HomographyError::Unwritten)?;
        let model = Model { matrix, lens: solved.lens.distortion() };
        let (kept, sigma_px) = (solved.kept.clone(), solved.control_sigma_px);
        let map = Self::assembled(
            posed,
            model,
            solved.lens,
            solved.lens_estimated,
            kept,
            sigma_px,
            Some(solved.range_m),
        )?;
        for (index, (now, then)) in std::iter::zip(&map.residuals_px, &solved.residuals_px).enumerate() {
            // An outlier that can no longer be seen has no number to compare.
            if then.is_some_and(|then| !now.is_finite() || (now - then).abs() > STALE_PX) {
                return Err(HomographyError::Stale { index });
            }
        }
        Ok(map)
    }

    fn assembled(
        posed: Posed,
        model: Model,
        lens: Lens,
        lens_estimated: bool,
        kept: Vec<bool>,
        control_sigma_px: f64,
        range_m: Option<f64>,
    ) -> Result<Self, HomographyError> {
        let variance = (control_sigma_px / lens.focal_px).powi(2);
        let fit = if lens_estimated { LensFit::Free { variance } } else { LensFit::Fixed };
        let covariance = model.covariance(&posed.chosen(&kept), fit, variance);
        let counted = || std::iter::zip(&posed.ground, &kept).filter(|(_, kept)| **kept).map(|(g, _)| g);
        let middle = counted().sum::<Vector2<f64>>() / counted().count().max(1) as f64;
        let furthest_m = counted().map(|g| (g - middle).norm()).fold(0.0, f64::max);
        let mut map = Self {
            plane: posed.plane,
            lens,
            lens_estimated,
            grounds: posed.grounds,
            ground_from_ray: model.matrix.try_inverse().ok_or(HomographyError::Degenerate)?,
            model,
            covariance: covariance.ok_or(HomographyError::Degenerate)?,
            residuals_m: Vec::new(),
            residuals_px: Vec::new(),
            spread: robust::spread(&posed.pairs, &kept).ok_or(HomographyError::Degenerate)?,
            pairs: Vec::new(),
            control_sigma_px,
            middle,
            range_m: range_m.unwrap_or(RANGE_FACTOR * furthest_m),
            kept,
        };
        for (index, pair) in posed.pairs.iter().enumerate() {
            let miss_px = model.miss2(pair).sqrt() * lens.focal_px;
            let place = model.lens.straighten(pair.1).and_then(|ray| seen(&map.ground_from_ray, ray));
            let miss_m = place.map_or(f64::INFINITY, |g| (g - pair.0).norm() / map.grounds.scale);
            if map.kept[index] && !(miss_px.is_finite() && miss_m.is_finite()) {
                return Err(HomographyError::AboveHorizon { index });
            }
            map.residuals_px.push(miss_px);
            map.residuals_m.push(miss_m);
        }
        map.pairs = posed.pairs;
        Ok(map)
    }

    /// The solution, to be written down.
    pub fn solved(&self) -> Solved {
        Solved {
            origin: self.plane.origin(),
            frame: self.frame(),
            lens: self.lens,
            lens_estimated: self.lens_estimated,
            kept: self.kept.clone(),
            residuals_px: self.residuals_px.iter().map(|r| r.is_finite().then_some(*r)).collect(),
            control_sigma_px: self.control_sigma_px,
            range_m: self.range_m,
        }
    }

    /// Four places, rounded to a millimetre, spread as widely as the points that count, and where a pinhole
    /// would show them.
    fn frame(&self) -> [(GroundPoint, PixelPoint); 4] {
        let rounded = |g: Vector2<f64>| Vector2::new((g.x * 1e3).round() / 1e3, (g.y * 1e3).round() / 1e3);
        let chosen = self.spread.map(|i| rounded(self.grounds.undo(self.pairs[i].0)));
        chosen.map(|g| {
            let ray = seen(&self.model.matrix, self.grounds.apply(g)).unwrap_or_default();
            (GroundPoint::new(g.x, g.y), self.lens.pixel_from_unit(ray))
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

    /// Middle of the control points that count.
    pub fn middle(&self) -> GroundPoint {
        GroundPoint::new(self.middle.x, self.middle.y)
    }

    /// The lens between a pinhole's pixels and the picture's.
    pub fn lens(&self) -> &Lens {
        &self.lens
    }

    /// Whether the lens was fitted with the points.
    pub fn lens_estimated(&self) -> bool {
        self.lens_estimated
    }

    /// The points that disagree with the others and count for nothing, by index from 0.
    pub fn outliers(&self) -> impl Iterator<Item = usize> + '_ {
        self.kept.iter().enumerate().filter(|(_, kept)| !**kept).map(|(index, _)| index)
    }

    /// Distance on the ground between each control point and where its pixel is placed, metres. All zero
    /// (to rounding) with four points; infinite for an outlier whose pixel shows the sky.
    pub fn residuals_m(&self) -> &[f64] {
        &self.residuals_m
    }

    /// Distance in the picture between each control point and where its place is seen, pixels; infinite for
    /// an outlier that cannot be seen.
    pub fn residuals_px(&self) -> &[f64] {
        &self.residuals_px
    }

    /// Root mean square of [`Self::residuals_m`] of the points that count, metres.
    pub fn residual_rms_m(&self) -> f64 {
        self.rms(&self.residuals_m)
    }

    /// Root mean square of [`Self::residuals_px`] of the points that count, pixels.
    pub fn residual_rms_px(&self) -> f64 {
        self.rms(&self.residuals_px)
    }

    fn rms(&self, values: &[f64]) -> f64 {
        let counted = || std::iter::zip(values, &self.kept).filter(|(_, kept)| **kept).map(|(v, _)| v);
        (counted().map(|v| v * v).sum::<f64>() / counted().count().max(1) as f64).sqrt()
    }

    /// The control point that fits worst in the picture, outliers included: its index from 0 and its
    /// residual in metres.
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

    /// The plane on which ground points of this map are metres. Its origin is the median of the control
    /// points.
    pub fn plane(&self) -> &LocalPlane {
        &self.plane
    }

    /// The 3×3 matrix that takes `[x_px, y_px, 1]` of a pinhole's picture (see [`Lens::undistorted`]) to
    /// ground metres (divide by the third, which is positive below the horizon). Row first.
    pub fn ground_from_pixel_matrix(&self) -> [[f64; 3]; 3] {
        rows(&(self.grounds.inverse_matrix() * self.ground_from_ray * self.picture_frame().matrix()))
    }

    /// The 3×3 matrix that takes `[east_m, north_m, 1]` to pixels of a pinhole's picture (divide by the
    /// third, which is positive before the camera). Row first.
    pub fn pixel_from_ground_matrix(&self) -> [[f64; 3]; 3] {
        rows(&(self.picture_frame().inverse_matrix() * self.model.matrix * self.grounds.matrix()))
    }

    fn picture_frame(&self) -> Normaliser {
        let centre = Vector2::new(self.lens.centre.x, self.lens.centre.y);
        Normaliser { centre, scale: 1.0 / self.lens.focal_px }
    }

    /// Where on the ground the pixel is; `None` on or above the horizon and beyond [`Self::range_m`].
    pub fn ground_from_pixel(&self, p: PixelPoint) -> Option<GroundPoint> {
        self.ray_and_ground(p).ok().map(|(_, g)| GroundPoint::new(g.x, g.y))
    }

    fn ray_and_ground(&self, p: PixelPoint) -> Result<(Vector2<f64>, Vector2<f64>), Refusal> {
        let ray = self.model.lens.straighten(self.lens.unit_from_pixel(p)).ok_or(Refusal::OutsideLens)?;
        let at = seen(&self.ground_from_ray, ray).ok_or(Refusal::AboveHorizon)?;
        let ground = self.grounds.undo(at);
        let distance_m = (ground - self.middle).norm();
        if distance_m.is_nan() || distance_m > self.range_m {
            return Err(Refusal::OutOfRange { distance_m, range_m: self.range_m });
        }
        Ok((ray, ground))
    }

    /// Where in the picture a place on the ground is seen (perhaps outside its edges); `None` behind the
    /// camera and beyond what its lens gathers.
    pub fn pixel_from_ground(&self, g: GroundPoint) -> Option<PixelPoint> {
        let shown = self.model.picture(self.grounds.apply(Vector2::new(g.x, g.y)))?;
        Some(self.lens.pixel_from_unit(shown))
    }

    /// Where the pixel is, with its error: `pixel_sigma` (standard deviation of the pixel itself, an axis)
    /// and the error of the map, which grows away from the control points.
    ///
    /// `None` where [`Self::place`] refuses.
    pub fn locate(&self, p: PixelPoint, pixel_sigma: f64) -> Option<Position> {
        self.place(p, pixel_sigma).ok()
    }

    /// [`Self::locate`] that says why not.
    ///
    /// # Errors
    /// Above the horizon, so close under it that an ellipse would not describe the error, beyond
    /// [`Self::range_m`], or where the lens brings no light.
    pub fn place(&self, p: PixelPoint, pixel_sigma: f64) -> Result<Position, Refusal> {
        let (ray, ground) = self.ray_and_ground(p)?;
        let at = self.grounds.apply(ground);
        let by_parameters = self.model.by_parameters(at);
        // In the picture: the map's own error where it is used, plus the error of the pixel.
        let map2 = by_parameters * self.covariance * by_parameters.transpose();
        let shown2 = map2 + Matrix2::identity() * (pixel_sigma / self.lens.focal_px).powi(2);
        let ray_from_shown = self.model.lens.by_ray(ray).try_inverse().ok_or(Refusal::OutsideLens)?;
        let total2 = ray_from_shown * shown2 * ray_from_shown.transpose();

        let horizon = self.ground_from_ray.row(2);
        let below = horizon.dot(&RowVector3::new(ray.x, ray.y, 1.0)) / horizon.columns(0, 2).norm();
        let sigma = (total2.trace() / 2.0).sqrt();
        if below.is_nan() || sigma.is_nan() || below < HORIZON_SIGMAS * sigma {
            return Err(Refusal::AtHorizon);
        }
        let ground_from_ray = self.model.by_ground(at).try_inverse().ok_or(Refusal::AtHorizon)?;
        let metres = ground_from_ray / self.grounds.scale;
        let c = metres * total2 * metres.transpose();
        let covariance_m2 = [[c[(0, 0)], c[(0, 1)]], [c[(0, 1)], c[(1, 1)]]];
        let ground = GroundPoint::new(ground.x, ground.y);
        Ok(Position { lon_lat: self.plane.lon_lat_from_ground(ground), ground, covariance_m2 })
    }
}

/// Variance of a mark, square focal lengths an axis: what the fit leaves, blended with what is assumed.
fn mark_variance(model: &Model, chosen: &[Pair], fit: LensFit, assumed: f64) -> Result<f64, HomographyError> {
    let squares: f64 = chosen.iter().map(|pair| model.miss2(pair)).sum();
    let spread = model.covariance(chosen, fit, assumed).ok_or(HomographyError::Degenerate)?;
    // What the points say about the parameters, in parameters: 8 without a lens, up to 12 with one.
    let (normal, _) = model.normal_equations(chosen, fit);
    let determined = (spread * normal).trace() / assumed;
    let freedom = (2.0 * chosen.len() as f64 - determined).max(0.0);
    Ok((CONTROL_SIGMA_WEIGHT * assumed + squares) / (CONTROL_SIGMA_WEIGHT + freedom))
}

fn rows(m: &Matrix3<f64>) -> [[f64; 3]; 3] {
    let m = m / m.norm();
    std::array::from_fn(|r| std::array::from_fn(|c| m[(r, c)]))
}

#[cfg(test)]
#[path = "homography/tests.rs"]
mod tests;
