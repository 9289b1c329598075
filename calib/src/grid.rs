//! Management grids: which cell a place lies in, and how probably.
//!
//! In: texts of GeoJSON files and bytes of Shapefiles (longitude first, degrees, CGCS2000; WGS-84 agrees with it
//! to centimetres) and places. Out: the cell at a point, and the probability of each cell under the error of a position. Never:
//! files, projected coordinates, a shift between GCJ-02 and CGCS2000, which the numbers do not show.
//!
//! Two layers: *unit grids* carry a national code, *responsibility grids* the people who handle a case.

mod buckets;
mod code;
mod fault;
mod mass;
mod read;
mod shapefile;
mod topology;

use std::collections::BTreeMap;

use buckets::{Buckets, Reach};
use rstar::{AABB, RTree, RTreeObject};

pub use code::{CodeProfile, UnitCode};
pub use fault::{GridError, GridFault};
pub use topology::SLIVER_M;

use crate::homography::Position;
use crate::matter::ZoneClass;
use crate::space::{GroundPoint, LocalPlane, LonLat};

/// A cell that holds less of the probability than this is not named.
pub const PROBABILITY_MIN: f64 = 1e-4;
/// A cell that holds less of the probability than this is not certain: the place is told as a boundary.
pub const CERTAIN_MIN: f64 = 0.9;
/// How far the probability is looked for, standard deviations an axis. Outside lies 1 part in 100,000.
const REACH_SIGMAS: f64 = 4.8;

/// What a layer's codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// 单元网格: national codes of a fixed number of digits.
    Unit {
        /// How the digits are divided.
        profile: CodeProfile,
    },
    /// 责任网格: the city's own codes.
    Responsibility,
}

/// One cell of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its code, the only one of the layer.
    pub code: String,
    /// Its name, if the file gives one.
    pub name: Option<String>,
    /// Every other property that is a text or a number, as given: codes of the grids above, handler,
    /// department.
    pub attributes: BTreeMap<String, String>,
    rings: Vec<Vec<LonLat>>,
    index: usize,
    feature: usize,
}

impl Cell {
    /// A property by its name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Its number among the features of its file, from 0.
    pub fn feature(&self) -> usize {
        self.feature
    }

    /// The property `zone_class`, where the file has one.
    pub fn zone_class(&self) -> Option<ZoneClass> {
        self.attribute("zone_class").and_then(ZoneClass::from_name)
    }

    /// Closed rings (last point = first): outer ones counter-clockwise, holes clockwise.
    pub fn rings(&self) -> impl Iterator<Item = &[LonLat]> {
        self.rings.iter().map(Vec::as_slice)
    }

    /// Area on the ellipsoid's tangent plane, square metres.
    pub fn area_m2(&self) -> f64 {
        let Some(&first) = self.rings.first().and_then(|ring| ring.first()) else { return 0.0 };
        let plane = LocalPlane::at(first);
        self.rings
            .iter()
            .map(|ring| mass::signed_area(ring.iter().map(|p| plane.ground_from_lon_lat(*p))))
            .sum()
    }
}

/// One side of a ring, from its lower end to its upper, ready to be compared with a point. Both cells on a
/// shared border compute the same numbers from the same two corners, whichever way they run.
#[derive(Debug, Clone, Copy)]
struct Side {
    south: f64,
    north: f64,
    lon_at_south: f64,
    lon_per_lat: f64,
}

impl Side {
    /// `None` for a side along a parallel: no eastward ray crosses it.
    fn between(a: LonLat, b: LonLat) -> Option<Self> {
        let (low, high) = if a.lat < b.lat { (a, b) } else { (b, a) };
        (low.lat < high.lat).then(|| Self {
            south: low.lat,
            north: high.lat,
            lon_at_south: low.lon,
            lon_per_lat: (high.lon - low.lon) / (high.lat - low.lat),
        })
    }

    /// Does the ray from `p` to the east cross this side? Half-open: the southern end belongs to the side,
    /// the northern does not, and a point on the side lies east of it.
    fn crossed_by(&self, p: LonLat) -> bool {
        self.south <= p.lat
            && p.lat < self.north
            && p.lon < self.lon_at_south + (p.lat - self.south) * self.lon_per_lat
    }
}

/// The box of a cell, and where its sides are.
#[derive(Debug, Clone)]
struct Boxed {
    envelope: AABB<[f64; 2]>,
    cell: u32,
    sides: std::ops::Range<u32>,
}

impl RTreeObject for Boxed {
    type Envelope = AABB<[f64; 2]>;
    fn envelope(&self) -> Self::Envelope {
        self.envelope
    }
}

/// All cells of one kind.
#[derive(Debug, Clone)]
pub struct GridLayer {
    file: String,
    kind: LayerKind,
    cells: Vec<Cell>,
    sides: Vec<Side>,
    tree: RTree<Boxed>,
    buckets: Buckets,
    /// By number of the cell: its box and where its sides are.
    boxes: Vec<(Reach, std::ops::Range<u32>)>,
}

impl GridLayer {
    /// Reads a layer from the text of a GeoJSON `FeatureCollection` of polygons; `file` only names it.
    ///
    /// Each feature has the property `code`; `name` and all others are kept.
    ///
    /// # Errors
    /// Every fault of the file at once.
    pub fn parse(file: &str, text: &str, kind: LayerKind) -> Result<Self, Vec<GridError>> {
        Ok(Self::prepared(file, kind, read::cells(file, text, kind)?))
    }

    /// Reads a layer from the bytes of a Shapefile: `.shp`, `.dbf` and, where there is one, `.prj`. The field
    /// `code` may be written in capitals.
    ///
    /// # Errors
    /// Every fault of the files at once.
    pub fn parse_shapefile(
        file: &str,
        shp: &[u8],
        dbf: &[u8],
        prj: Option<&str>,
        kind: LayerKind,
    ) -> Result<Self, Vec<GridError>> {
        Ok(Self::prepared(file, kind, shapefile::cells(file, shp, dbf, prj, kind)?))
    }

    fn prepared(file: &str, kind: LayerKind, mut cells: Vec<Cell>) -> Self {
        // By code, so that the order of the features in the file changes no answer.
        cells.sort_by(|a, b| a.code.cmp(&b.code));
        let mut sides = Vec::new();
        let mut boxes = Vec::with_capacity(cells.len());
        for (index, cell) in cells.iter_mut().enumerate() {
            cell.index = index;
            let start = sides.len() as u32;
            for ring in &cell.rings {
                sides.extend(ring.windows(2).filter_map(|ends| Side::between(ends[0], ends[1])));
            }
            let corners: Vec<[f64; 2]> = cell.rings.iter().flatten().map(|p| [p.lon, p.lat]).collect();
            boxes.push(Boxed {
                envelope: AABB::from_points(&corners),
                cell: index as u32,
                sides: start..sides.len() as u32,
            });
        }
        let reach = |boxed: &Boxed| {
            let ([west, south], [east, north]) = (boxed.envelope.lower(), boxed.envelope.upper());
            [west, south, east, north]
        };
        let by_number: Vec<(Reach, _)> = boxes.iter().map(|b| (reach(b), b.sides.clone())).collect();
        let reaches: Vec<Reach> = by_number.iter().map(|(reach, _)| *reach).collect();
        Self {
            file: file.to_owned(),
            kind,
            cells,
            sides,
            tree: RTree::bulk_load(boxes),
            buckets: Buckets::of(&reaches),
            boxes: by_number,
        }
    }

    /// The file as the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What the layer's codes are.
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// All cells, by code.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell of that code.
    pub fn cell(&self, code: &str) -> Option<&Cell> {
        self.cells.binary_search_by(|cell| cell.code.as_str().cmp(code)).ok().map(|i| &self.cells[i])
    }

    /// The cell that holds the point. A point on a shared border belongs to one of the two, always the same
    /// (the one to the east, on a parallel the one to the north); where cells overlap, to the lowest code.
    pub fn lookup(&self, p: LonLat) -> Option<&Cell> {
        // By number, and so by code: the first that holds it is the one.
        let holder = self.buckets.at(p).iter().find(|number| {
            let ([west, south, east, north], sides) = &self.boxes[**number as usize];
            (west..=east).contains(&&p.lon) && (south..=north).contains(&&p.lat) && self.holds(sides, p)
        });
        holder.map(|number| &self.cells[*number as usize])
    }

    fn holds(&self, sides: &std::ops::Range<u32>, p: LonLat) -> bool {
        let sides = &self.sides[sides.start as usize..sides.end as usize];
        sides.iter().fold(false, |inside, side| inside ^ side.crossed_by(p))
    }

    /// How probable each cell is for a position with a normal error, the most probable first, cells under
    /// [`PROBABILITY_MIN`] left out. What is missing to 1 lies outside every cell.
    ///
    /// The probability is the integral of the normal density over the polygon, to about 1e-6.
    pub fn probabilities(&self, position: &Position) -> Vec<(&Cell, f64)> {
        let Some(normal) = mass::Normal::of(position.covariance_m2) else {
            return self.lookup(position.lon_lat).map(|cell| (cell, 1.0)).into_iter().collect();
        };
        let plane = LocalPlane::at(position.lon_lat);
        let [[east2, _], [_, north2]] = position.covariance_m2;
        let (east_m, north_m) = (REACH_SIGMAS * east2.sqrt(), REACH_SIGMAS * north2.sqrt());
        let low = plane.lon_lat_from_ground(GroundPoint::new(-east_m, -north_m));
        let high = plane.lon_lat_from_ground(GroundPoint::new(east_m, north_m));
        let around = AABB::from_corners([low.lon, low.lat], [high.lon, high.lat]);
        let mut found: Vec<(&Cell, f64)> = self
            .tree
            .locate_in_envelope_intersecting(&around)
            .map(|candidate| {
                let cell = &self.cells[candidate.cell as usize];
                let rings = cell.rings.iter();
                let mass = rings.map(|r| normal.mass(r.iter().map(|p| plane.ground_from_lon_lat(*p)))).sum();
                (cell, f64::clamp(mass, 0.0, 1.0))
            })
            .filter(|(_, mass)| *mass >= PROBABILITY_MIN)
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.index.cmp(&b.0.index)));
        found
    }
}

/// Where a position lies.
#[derive(Debug, Clone, PartialEq)]
pub enum Placement<'l> {
    /// In this cell, with this probability.
    Cell(&'l Cell, f64),
    /// In one of these, the most probable first, and too near their border to say in which.
    Boundary(Vec<(&'l Cell, f64)>),
    /// In none.
    Outside,
}

impl GridLayer {
    /// The cell of a position, or the candidates where none has at least the probability `certain_min`
    /// ([`CERTAIN_MIN`] where nobody says otherwise). Ground of no cell counts as a candidate without a name.
    pub fn place(&self, position: &Position, certain_min: f64) -> Placement<'_> {
        let found = self.probabilities(position);
        match found.first() {
            None => Placement::Outside,
            Some(&(cell, probability)) if probability >= certain_min => Placement::Cell(cell, probability),
            Some(_) => Placement::Boundary(found),
        }
    }
}

/// The layers of a city.
#[derive(Debug, Clone, Default)]
pub struct Grids {
    /// 单元网格.
    pub unit: Option<GridLayer>,
    /// 责任网格, the finest level.
    pub responsibility: Option<GridLayer>,
}

#[cfg(test)]
mod tests;
