//! The example county: 8 management areas, 17 communities, 410 micro-grids and 1,440 coded unit grids on one
//! slightly turned lattice.
//!
//! In: nothing. Out: the texts of the files of `calib/example-county`, the same at every call. Never: a
//! surveyed place, a real code, a person's name.
//!
//! Every corner is a whole number of metres on the lattice (`column_m` to the east, `row_m` to the south of
//! its north-western corner) and becomes longitude and latitude in one place, so that neighbours share their
//! corners to the last digit. Where a cell's side meets the middle of a neighbour's, the neighbour gets the
//! corner too: there are no gaps of half a centimetre.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use calib::space::{GroundPoint, LocalPlane, LonLat};
use serde_json::{Value, json};

/// Origin of the county's local metres, which the sample scenes are measured from.
pub(crate) const ORIGIN: LonLat = LonLat::new(118.65, 34.92);
/// East and north of [`ORIGIN`] of the five sample streets, metres.
pub(crate) const STREETS_M: [GroundPoint; 5] = [
    GroundPoint::new(30.0, 20.0),
    GroundPoint::new(180.0, 20.0),
    GroundPoint::new(330.0, 20.0),
    GroundPoint::new(480.0, 20.0),
    GroundPoint::new(630.0, 20.0),
];
/// Where on the lattice the third street lies. The others follow at 150 m, the width of a micro-grid, and so
/// all stay 25 m from every border of the unit grids (100 m) and 75 m from those of the micro-grids.
const THIRD_STREET_COLUMN_M: f64 = 1_575.0;
const THIRD_STREET_ROW_M: f64 = 650.0;
/// Tangent of half the turn of the lattice against the east, counter-clockwise: 2.01°. Sine and cosine
/// follow without a library's rounding.
const HALF_TURN: f64 = 1.0 / 57.0;

const DIVISION: &str = "371329";
const MARK: &str = "EXAMPLE, not surveyed";
/// Areas across, and their size, metres.
const AREAS_ACROSS: i32 = 4;
const AREA_WIDTH_M: i32 = 1_200;
const AREA_HEIGHT_M: i32 = 1_500;
/// Side of a unit grid.
const UNIT_M: i32 = 100;
/// The area (from 1) that has three communities, one south of the other; the others have two, side by side.
const AREA_OF_THREE: i32 = 8;
/// Communities of 25 micro-grids: area and number.
const COMMUNITIES_OF_25: [(i32, i32); 2] = [(3, 2), (6, 1)];

/// A rectangle of the lattice, metres.
#[derive(Debug, Clone, Copy)]
struct Block {
    west: i32,
    north: i32,
    east: i32,
    south: i32,
}

impl Block {
    /// Equal parts, west to east, then north to south.
    fn split(self, across: i32, down: i32) -> impl Iterator<Item = Self> {
        let (width, height) = ((self.east - self.west) / across, (self.south - self.north) / down);
        (0..across * down).map(move |i| {
            let (west, north) = (self.west + i % across * width, self.north + i / across * height);
            Self { west, north, east: west + width, south: north + height }
        })
    }
}

struct Community {
    area: i32,
    number: i32,
    block: Block,
}

struct Feature {
    block: Block,
    properties: Value,
}

/// The files of the county: name and text.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    let (areas, communities) = (areas(), communities());
    let management = areas.iter().map(|(area, block)| Feature {
        block: *block,
        properties: json!({
            "code": format!("EX-{area:02}"),
            "department": format!("示例综合执法中队{area}"),
            "level": 1,
            "name": format!("示例管理网格{area} ({MARK})"),
        }),
    });
    let community = communities.iter().map(|c| Feature {
        block: c.block,
        properties: json!({
            "code": c.code(),
            "level": 2,
            "management": format!("EX-{:02}", c.area),
            "name": format!("示例社区网格{}-{} ({MARK})", c.area, c.number),
        }),
    });
    vec![
        ("unit-grids.geojson", layer("unit grids", communities.iter().flat_map(units).collect())),
        (
            "responsibility-grids.geojson",
            layer(
                "responsibility grids, level 3 (micro-grids)",
                communities.iter().flat_map(micros).collect(),
            ),
        ),
        (
            "community-grids.geojson",
            layer("responsibility grids, level 2 (communities)", community.collect()),
        ),
        (
            "management-grids.geojson",
            layer("responsibility grids, level 1 (management)", management.collect()),
        ),
        ("roster.toml", roster(&communities)),
    ]
}

fn areas() -> Vec<(i32, Block)> {
    let county = Block { west: 0, north: 0, east: AREAS_ACROSS * AREA_WIDTH_M, south: 2 * AREA_HEIGHT_M };
    (1..).zip(county.split(AREAS_ACROSS, 2)).collect()
}

fn communities() -> Vec<Community> {
    let of_area = |(area, block): (i32, Block)| {
        let (across, down) = if area == AREA_OF_THREE { (1, 3) } else { (2, 1) };
        (1..).zip(block.split(across, down)).map(move |(number, block)| Community { area, number, block })
    };
    areas().into_iter().flat_map(of_area).collect()
}

impl Community {
    fn code(&self) -> String {
        format!("EX-{:02}-{}", self.area, self.number)
    }
}

/// Unit grids, numbered west to east, then north to south within the community.
fn units(c: &Community) -> Vec<Feature> {
    let (across, down) = ((c.block.east - c.block.west) / UNIT_M, (c.block.south - c.block.north) / UNIT_M);
    let feature = |(sequence, block): (i32, Block)| Feature {
        block,
        properties: json!({
            "code": format!("{DIVISION}{:03}{:03}{sequence:03}", c.area, c.number),
            "name": format!("示例单元网格 ({MARK})"),
        }),
    };
    (1..).zip(c.block.split(across, down)).map(feature).collect()
}

/// Micro-grids, numbered likewise.
fn micros(c: &Community) -> Vec<Feature> {
    let (across, down) = match (c.area, c.number) {
        of if COMMUNITIES_OF_25.contains(&of) => (5, 5),
        (AREA_OF_THREE, _) => (6, 4),
        _ => (4, 6),
    };
    let feature = |(number, block): (i32, Block)| Feature {
        block,
        properties: json!({
            "code": format!("{}-{number:02}", c.code()),
            "community": c.code(),
            "department": format!("示例综合执法中队{}", c.area),
            "handler": format!("示例网格长 {}-{number:02}", c.code()),
            "level": 3,
            "management": format!("EX-{:02}", c.area),
            "name": format!("示例微网格{}-{}-{number:02} ({MARK})", c.area, c.number),
            "zone_class": zone_class(c.area),
        }),
    };
    (1..).zip(c.block.split(across, down)).map(feature).collect()
}

/// The middle of the county is its core.
fn zone_class(area: i32) -> &'static str {
    match area {
        2 | 3 => "A",
        1 | 4 => "B",
        _ => "C",
    }
}

/// The roster: for each micro-grid a handler with a terminal, for each area a seat.
fn roster(communities: &[Community]) -> String {
    let mut text = format!("# The roster of the example county ({MARK}): roles and channels, no people.\n");
    for micro in communities.iter().flat_map(micros) {
        let [code, department] = ["code", "department"].map(|key| micro.properties[key].to_string());
        let number = code.trim_matches('"').trim_start_matches("EX-");
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[post]]\ngrid = {code}\nrole = \"网格长\"\ndepartment = {department}\nchannel = \"terminal:EX-{number}\"\n",
        );
    }
    text
}

/// The text of a layer, one feature a line. Properties above are written in alphabetical order: `serde_json`
/// sorts them, or keeps their order where another crate of the build asks for that.
fn layer(what: &str, features: Vec<Feature>) -> String {
    let corners = Corners::of(&features);
    let head = json!({
        "crs": { "properties": { "name": "urn:ogc:def:crs:EPSG::4490" }, "type": "name" },
        "name": format!("example county, {what} ({MARK})"),
    });
    let mut text = format!("{{\"type\":\"FeatureCollection\",{},\"features\":[\n", inner(&head));
    let count = features.len();
    for (i, feature) in features.into_iter().enumerate() {
        let ring: Vec<String> = corners.ring(feature.block).into_iter().map(position).collect();
        let comma = if i + 1 < count { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{{\"type\":\"Feature\",\"properties\":{},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[[{}]]}}}}{comma}",
            feature.properties,
            ring.join(","),
        );
    }
    text.push_str("]}\n");
    text
}

/// The members of a JSON object without its braces.
fn inner(object: &Value) -> String {
    let text = object.to_string();
    text[1..text.len() - 1].to_owned()
}

/// Every corner of a layer, by its column and by its row.
#[derive(Default)]
struct Corners {
    rows_in_column: BTreeMap<i32, BTreeSet<i32>>,
    columns_in_row: BTreeMap<i32, BTreeSet<i32>>,
}

impl Corners {
    fn of(features: &[Feature]) -> Self {
        let mut corners = Self::default();
        for Feature { block, .. } in features {
            for column in [block.west, block.east] {
                for row in [block.north, block.south] {
                    corners.rows_in_column.entry(column).or_default().insert(row);
                    corners.columns_in_row.entry(row).or_default().insert(column);
                }
            }
        }
        corners
    }

    /// The closed ring around a block, counter-clockwise from the north-west, with every corner of the layer
    /// that lies on it.
    fn ring(&self, Block { west, north, east, south }: Block) -> Vec<(i32, i32)> {
        let down = |column: i32| self.rows_in_column[&column].range(north..south).map(move |r| (column, *r));
        let up = |column: i32| {
            let rows = self.rows_in_column[&column].range(north + 1..=south);
            rows.rev().map(move |r| (column, *r))
        };
        let right = |row: i32| self.columns_in_row[&row].range(west..east).map(move |c| (*c, row));
        let left = |row: i32| {
            let columns = self.columns_in_row[&row].range(west + 1..=east);
            columns.rev().map(move |c| (*c, row))
        };
        down(west).chain(right(south)).chain(up(east)).chain(left(north)).chain([(west, north)]).collect()
    }
}

/// A corner as GeoJSON writes it. Seven decimals are a centimetre.
fn position((column, row): (i32, i32)) -> String {
    let LonLat { lon, lat } = lon_lat(f64::from(column), f64::from(row));
    format!("[{lon:.7},{lat:.7}]")
}

fn lon_lat(column_m: f64, row_m: f64) -> LonLat {
    let square = HALF_TURN * HALF_TURN;
    let (sin, cos) = (2.0 * HALF_TURN / (1.0 + square), (1.0 - square) / (1.0 + square));
    let (right, down) = (column_m - THIRD_STREET_COLUMN_M, row_m - THIRD_STREET_ROW_M);
    let at = STREETS_M[2];
    let ground = GroundPoint::new(at.x + right * cos + down * sin, at.y + right * sin - down * cos);
    LocalPlane::at(ORIGIN).lon_lat_from_ground(ground)
}
