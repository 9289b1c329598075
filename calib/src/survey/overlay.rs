//! What is drawn over a camera's view so that a person can see whether its calibration holds.
//!
//! In: a view and zones. Out: lines in pixels of the calibration picture, each with what it is. Never: colours,
//! pictures; a page and a PNG draw the same lines in their own way.

use nalgebra::Vector2;

use crate::homography::ControlPoint;
use crate::space::{GroundPoint, ImagePoint, PixelPoint};
use crate::zone::{GroundView, Shape, Zone, ZoneKind};

/// Spacings of the grid, metres: the first that gives no more than [`GRID_LINES_MAX`] lines is taken.
const SPACINGS_M: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
/// Lines of the grid in one direction at most.
const GRID_LINES_MAX: f64 = 24.0;
/// Radii of the rings, metres.
const RINGS_M: [f64; 8] = [5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0];
/// Pieces of one line: enough for a lens to bend it.
const PIECES: usize = 240;
/// Lines are drawn this far past the picture's edge, as a share of its width, so that they end outside it.
const MARGIN: f64 = 0.1;

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line of the ground grid, towards north or east.
    Grid,
    /// A circle around the middle of the control points.
    Ring {
        /// Its radius, metres.
        radius_m: f64,
    },
    /// Where the calibration ends.
    Range {
        /// From the middle of the control points, metres.
        radius_m: f64,
    },
    /// A zone's border.
    Zone {
        /// Its name within the camera.
        id: String,
        /// What it is for.
        kind: ZoneKind,
    },
    /// From a control point's pixel to where its place is seen.
    Point {
        /// Which one, from 0.
        index: usize,
        /// Whether it counts.
        is_kept: bool,
    },
}

/// A line in pixels of the calibration picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Stroke {
    /// What it is.
    pub mark: Mark,
    /// Its corners.
    pub line: Vec<PixelPoint>,
}

/// Metres between two lines of the grid drawn over this view.
pub fn spacing_m(view: &GroundView) -> f64 {
    let Some((low, high)) = extent(view) else { return SPACINGS_M[0] };
    let widest = (high - low).max();
    let fits = |spacing: &&f64| widest / **spacing <= GRID_LINES_MAX;
    SPACINGS_M.iter().find(fits).copied().unwrap_or(SPACINGS_M[SPACINGS_M.len() - 1])
}

/// Everything drawn over a view: the grid first, the control points last.
pub fn strokes(view: &GroundView, zones: &[Zone], points: &[ControlPoint]) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    grid(view, &mut strokes);
    rings(view, &mut strokes);
    for zone in zones {
        let mark = Mark::Zone { id: zone.id.clone(), kind: zone.kind };
        strokes.extend(border(view, zone).into_iter().map(|line| Stroke { mark: mark.clone(), line }));
    }
    let outliers: Vec<usize> = view.map.outliers().collect();
    for (index, point) in points.iter().enumerate() {
        let place = view.map.plane().ground_from_lon_lat(point.lon_lat);
        let shown = view.map.pixel_from_ground(place).unwrap_or(point.pixel);
        let mark = Mark::Point { index, is_kept: !outliers.contains(&index) };
        strokes.push(Stroke { mark, line: vec![point.pixel, shown] });
    }
    strokes
}

/// The box of the ground that the picture shows within the map's range.
fn extent(view: &GroundView) -> Option<(Vector2<f64>, Vector2<f64>)> {
    let mut corners: Option<(Vector2<f64>, Vector2<f64>)> = None;
    for (column, row) in (0..=32).flat_map(|column| (0..=32).map(move |row| (column, row))) {
        let at = ImagePoint::new(f64::from(column) / 32.0, f64::from(row) / 32.0);
        let Some(g) = view.ground_from_image(at) else { continue };
        let g = Vector2::new(g.x, g.y);
        corners = Some(corners.map_or((g, g), |(low, high)| (low.inf(&g), high.sup(&g))));
    }
    corners
}

fn grid(view: &GroundView, strokes: &mut Vec<Stroke>) {
    let Some((low, high)) = extent(view) else { return };
    let spacing = spacing_m(view);
    for axis in 0..2 {
        let first = (low[axis] / spacing).ceil() as i64;
        let last = (high[axis] / spacing).floor() as i64;
        for number in first..=last {
            let mut ends = [low, high];
            for end in &mut ends {
                end[axis] = number as f64 * spacing;
            }
            let along = (0..=PIECES).map(|i| ends[0] + (ends[1] - ends[0]) * (i as f64 / PIECES as f64));
            let lines = seen(view, along, true);
            strokes.extend(lines.into_iter().map(|line| Stroke { mark: Mark::Grid, line }));
        }
    }
}

fn rings(view: &GroundView, strokes: &mut Vec<Stroke>) {
    let middle = Vector2::new(view.map.middle().x, view.map.middle().y);
    let limit = view.map.range_m();
    let around = |radius: f64| {
        (0..=PIECES).map(move |i| {
            let angle = std::f64::consts::TAU * i as f64 / PIECES as f64;
            middle + Vector2::new(angle.sin(), angle.cos()) * radius
        })
    };
    for radius_m in RINGS_M.into_iter().filter(|radius| *radius < limit) {
        let lines = seen(view, around(radius_m), true);
        strokes.extend(lines.into_iter().map(|line| Stroke { mark: Mark::Ring { radius_m }, line }));
    }
    let lines = seen(view, around(limit), false);
    strokes.extend(lines.into_iter().map(|line| Stroke { mark: Mark::Range { radius_m: limit }, line }));
}

fn border(view: &GroundView, zone: &Zone) -> Vec<Vec<PixelPoint>> {
    match &zone.shape {
        Shape::Image(polygon) => {
            let corner = |c: &geo::Coord| view.pixel_from_image(ImagePoint::new(c.x, c.y));
            vec![polygon.exterior().coords().map(corner).collect()]
        }
        Shape::Ground(polygon) => {
            let sides = polygon.exterior().lines().flat_map(|side| {
                let (a, b) = (Vector2::new(side.start.x, side.start.y), Vector2::new(side.end.x, side.end.y));
                (0..=40).map(move |i| a + (b - a) * (f64::from(i) / 40.0))
            });
            seen(view, sides, false)
        }
    }
}

/// The parts of a line on the ground that fall into the picture or just beside it.
fn seen(
    view: &GroundView,
    line: impl Iterator<Item = Vector2<f64>>,
    within_range: bool,
) -> Vec<Vec<PixelPoint>> {
    let [width, height] = view.image_size;
    let margin = MARGIN * width;
    let mut parts = vec![Vec::new()];
    for g in line {
        let place = GroundPoint::new(g.x, g.y);
        let near = !within_range || place.distance_m(view.map.middle()) <= view.map.range_m();
        let shown = view.map.pixel_from_ground(place).filter(|p| {
            near && (-margin..=width + margin).contains(&p.x) && (-margin..=height + margin).contains(&p.y)
        });
        match (shown, parts.last_mut()) {
            (Some(pixel), Some(part)) => part.push(pixel),
            (None, Some(part)) if !part.is_empty() => parts.push(Vec::new()),
            _ => {}
        }
    }
    parts.retain(|part| part.len() > 1);
    parts
}
