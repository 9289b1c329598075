//! Control points, looked at before anything is solved from them.
//!
//! In: control points. Out: the same as vectors on a plane, or which of them cannot be. Never: a fit.

use nalgebra::{Matrix2, Vector2};

use super::fault::{ControlSpace, HomographyError};
use super::{APART_M_MIN, APART_PX_MIN, ControlPoint, SPREAD_M_MAX};
use crate::space::{GroundPoint, LocalPlane, LonLat};

/// Least width of all points across their line, as a share of their length along it.
const LINE_WIDTH_MIN: f64 = 0.01;
/// The same with any one point left out.
const LINE_WIDTH_LEFT_OUT_MIN: f64 = 0.003;

/// Points that can carry a map: where each is on the plane, metres, and in the picture, pixels.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) plane: LocalPlane,
    pub(super) picture: Vec<Vector2<f64>>,
    pub(super) ground: Vec<Vector2<f64>>,
}

/// The plane, the pixels and the ground metres of points that can carry a map.
pub(super) fn checked(points: &[ControlPoint]) -> Result<Checked, HomographyError> {
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
    Ok(Checked { plane, picture, ground })
}

/// The plane at the *median* point, from which none is far: one wrong digit must be blamed on the point that
/// has it, not on a mean that it moved.
fn plane_of(points: &[ControlPoint]) -> Result<LocalPlane, HomographyError> {
    let plane =
        LocalPlane::at(LonLat::new(median(points, |p| p.lon_lat.lon), median(points, |p| p.lon_lat.lat)));
    for (index, p) in points.iter().enumerate() {
        let distance_m = plane.ground_from_lon_lat(p.lon_lat).distance_m(GroundPoint::new(0.0, 0.0));
        if distance_m > SPREAD_M_MAX {
            return Err(HomographyError::TooFar { index, distance_m });
        }
    }
    Ok(plane)
}

/// The upper median.
pub(super) fn median<T>(items: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = items.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Four points with no three in a row exist unless all points, or all but one, lie on a line.
pub(super) fn refuse_line(cloud: &[Vector2<f64>], space: ControlSpace) -> Result<(), HomographyError> {
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
