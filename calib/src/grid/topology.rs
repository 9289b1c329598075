//! What is wrong between the sides of one cell, and between the cells of a layer.
//!
//! In: cells with closed rings in longitude and latitude. Out: crossings within a cell; overlaps of two cells
//! and gaps between them, each with a place and an area. Never: a repaired border; slivers thinner than
//! [`SLIVER_M`], which are rounding and not a mistake.
//!
//! A gap is a hole that the union of the cells encloses, drawn as a hole or left by borders that do not meet. A cell missing
//! on the outline encloses nothing and cannot be told from the outline.

use std::collections::{BTreeMap, BTreeSet};

use geo::{Area, BooleanOps, Euclidean, InteriorPoint, Length, unary_union};
use rstar::RTreeObject;

use super::{Cell, GridError, GridFault, GridLayer};
use crate::space::{GroundPoint, LocalPlane, LonLat};

/// An overlap or gap no wider than this is rounding, metres: twice its area over its length around.
pub const SLIVER_M: f64 = 0.05;

/// Where two sides of a cell cross or run along each other; `rings` are closed.
pub(super) fn crossing(rings: &[Vec<LonLat>]) -> Option<LonLat> {
    let mut sides: Vec<(LonLat, LonLat)> = rings
        .iter()
        .flat_map(|ring| ring.windows(2))
        .map(|ends| (ends[0], ends[1]))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| if (a.lon, a.lat) <= (b.lon, b.lat) { (a, b) } else { (b, a) })
        .collect();
    // From west to east: a side is compared with those that begin before it ends.
    sides.sort_by(|p, q| p.0.lon.total_cmp(&q.0.lon));
    for (i, &one) in sides.iter().enumerate() {
        let near = sides[i + 1..].iter().take_while(|other| other.0.lon <= one.1.lon);
        if let Some(at) = near.filter_map(|&other| meeting(one, other)).next() {
            return Some(at);
        }
    }
    None
}

/// Where two sides, each from west to east, cross inside of both or share more than a point.
fn meeting(p: (LonLat, LonLat), q: (LonLat, LonLat)) -> Option<LonLat> {
    // Relative to one corner, so that the digits of the longitude do not cancel.
    let from = |a: LonLat| (a.lon - p.0.lon, a.lat - p.0.lat);
    let (b, c, d) = (from(p.1), from(q.0), from(q.1));
    let turn =
        |a: (f64, f64), b: (f64, f64), c: (f64, f64)| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
    let origin = (0.0, 0.0);
    let (of_c, of_d) = (turn(origin, b, c), turn(origin, b, d));
    let (of_a, of_b) = (turn(c, d, origin), turn(c, d, b));
    if of_c == 0.0 && of_d == 0.0 {
        // On one line: they share more than a point where the later beginning is before the earlier end.
        let order = |x: LonLat, y: LonLat| (x.lon, x.lat).partial_cmp(&(y.lon, y.lat));
        let begin = if order(p.0, q.0).is_some_and(|o| o.is_ge()) { p.0 } else { q.0 };
        let end = if order(p.1, q.1).is_some_and(|o| o.is_le()) { p.1 } else { q.1 };
        return order(begin, end).is_some_and(|o| o.is_lt()).then_some(begin);
    }
    let crosses = of_c * of_d < 0.0 && of_a * of_b < 0.0;
    crosses.then(|| {
        let t = of_a / (of_a - of_b);
        LonLat::new(p.0.lon + t * b.0, p.0.lat + t * b.1)
    })
}

impl GridLayer {
    /// Overlaps of two cells and gaps between cells, each with its place, its area and the cells beside it.
    ///
    /// They do not make a layer useless: a lookup answers with the lowest code, or with none. So they are no
    /// errors of [`GridLayer::parse`].
    pub fn topology(&self) -> Vec<GridError> {
        let Some(&origin) = self.cells.first().and_then(|c| c.rings.first()).and_then(|r| r.first()) else {
            return Vec::new();
        };
        let plane = LocalPlane::at(origin);
        let on_ground: Vec<geo::MultiPolygon> = self.cells.iter().map(|cell| shape(cell, &plane)).collect();
        let mut errors = self.overlaps(&plane, &on_ground);
        errors.extend(self.gaps(&plane, &on_ground));
        errors
    }

    fn overlaps(&self, plane: &LocalPlane, on_ground: &[geo::MultiPolygon]) -> Vec<GridError> {
        let clean = self.clean();
        let mut errors = Vec::new();
        for boxed in &self.tree {
            let others = self.tree.locate_in_envelope_intersecting(&boxed.envelope());
            for other in others.filter(|other| other.cell > boxed.cell) {
                let (i, j) = (boxed.cell as usize, other.cell as usize);
                if clean[i] && clean[j] {
                    continue;
                }
                let shared = on_ground[i].intersection(&on_ground[j]);
                let (area_m2, at) =
                    shared.0.iter().filter(|part| is_wide(part)).fold((0.0, None), |(sum, at), p| {
                        (sum + p.unsigned_area(), at.or_else(|| inside(p, plane)))
                    });
                let Some(at) = at else { continue };
                let (one, two) = (&self.cells[i], &self.cells[j]);
                let fault = GridFault::Overlap { other: place(two), area_m2, at: shown(at) };
                errors.push(GridError { file: self.file.clone(), place: place(one), fault });
            }
        }
        errors.sort_by(|a, b| a.place.cmp(&b.place));
        errors
    }

    /// Cells every side of which is exactly one other cell's the other way round: two of them can overlap only
    /// where cells that are not lie between, which is told already.
    fn clean(&self) -> Vec<bool> {
        let bits = |p: LonLat| (p.lon.to_bits(), p.lat.to_bits());
        let mut count: BTreeMap<_, u32> = BTreeMap::new();
        let sides = |cell: &Cell| -> Vec<_> {
            let ends = cell.rings.iter().flat_map(|ring| ring.windows(2));
            ends.map(|ends| (bits(ends[0]), bits(ends[1]))).collect()
        };
        self.cells.iter().flat_map(sides).for_each(|side| *count.entry(side).or_default() += 1);
        let single = |(a, b)| count.get(&(a, b)) == Some(&1) && count.get(&(b, a)) == Some(&1);
        self.cells.iter().map(|cell| sides(cell).into_iter().all(single)).collect()
    }

    fn gaps(&self, plane: &LocalPlane, on_ground: &[geo::MultiPolygon]) -> Vec<GridError> {
        let union = unary_union(on_ground.iter());
        let mut errors = Vec::new();
        for ring in union.0.iter().flat_map(|part| part.interiors()) {
            let hole = geo::Polygon::new(ring.clone(), Vec::new());
            let Some(at) = inside(&hole, plane).filter(|_| is_wide(&hole)) else { continue };
            // The cells around it: whose sides run along it.
            let corners: Vec<LonLat> = ring.0.iter().map(|c| lon_lat(*c, plane)).collect();
            let beside: BTreeSet<&str> = corners.iter().flat_map(|&c| self.around(c)).collect();
            let beside: Vec<String> = beside.into_iter().take(4).map(str::to_owned).collect();
            let area_m2 = hole.unsigned_area();
            let fault = GridFault::Gap { area_m2, at: shown(at), beside: beside.join(", ") };
            errors.push(GridError { file: self.file.clone(), place: "features".to_owned(), fault });
        }
        errors
    }

    /// Codes of the cells within a few centimetres of a point.
    fn around(&self, p: LonLat) -> impl Iterator<Item = &str> {
        const REACH_DEG: f64 = 5e-7;
        let (low, high) = ([p.lon - REACH_DEG, p.lat - REACH_DEG], [p.lon + REACH_DEG, p.lat + REACH_DEG]);
        let around = rstar::AABB::from_corners(low, high);
        let boxes = self.tree.locate_in_envelope_intersecting(&around);
        boxes.map(|boxed| self.cells[boxed.cell as usize].code.as_str())
    }
}

fn place(cell: &Cell) -> String {
    format!("features[{}] ({})", cell.feature, cell.code)
}

/// Seven decimals: a centimetre.
fn shown(p: LonLat) -> LonLat {
    let round = |degrees: f64| (degrees * 1e7).round() / 1e7;
    LonLat::new(round(p.lon), round(p.lat))
}

fn lon_lat(c: geo::Coord, plane: &LocalPlane) -> LonLat {
    plane.lon_lat_from_ground(GroundPoint::new(c.x, c.y))
}

fn inside(polygon: &geo::Polygon, plane: &LocalPlane) -> Option<LonLat> {
    polygon.interior_point().map(|p| lon_lat(p.0, plane))
}

fn is_wide(polygon: &geo::Polygon) -> bool {
    let around_m = Euclidean.length(polygon.exterior());
    around_m > 0.0 && 2.0 * polygon.unsigned_area() / around_m > SLIVER_M
}

/// The cell in metres: its rings in the order of the file, each hole after the outer ring that it is of.
fn shape(cell: &Cell, plane: &LocalPlane) -> geo::MultiPolygon {
    let mut polygons: Vec<geo::Polygon> = Vec::new();
    for ring in &cell.rings {
        let line: geo::LineString = ring
            .iter()
            .map(|p| {
                let p = plane.ground_from_lon_lat(*p);
                geo::coord! { x: p.x, y: p.y }
            })
            .collect();
        let is_hole = super::mass::signed_area(line.0.iter().map(|c| GroundPoint::new(c.x, c.y))) < 0.0;
        match polygons.last_mut() {
            Some(outer) if is_hole => outer.interiors_push(line),
            _ => polygons.push(geo::Polygon::new(line, Vec::new())),
        }
    }
    geo::MultiPolygon(polygons)
}
