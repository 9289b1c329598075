//! Small layers drawn by hand and by chance; the example county has its own tests under `calib/tests`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const UNIT: LayerKind = LayerKind::Unit { profile: CodeProfile::Digits15 };

fn feature(code: &str, rings: Value) -> Value {
    json!({ "type": "Feature", "properties": { "code": code, "name": "x", "level": 3 },
            "geometry": { "type": "Polygon", "coordinates": rings } })
}

/// As a file writes it, to seven decimals: neighbours computed by different sums share their numbers.
fn snapped(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7
}

fn square(west: f64, south: f64, size: f64) -> Value {
    let (east, north) = (snapped(west + size), snapped(south + size));
    let (west, south) = (snapped(west), snapped(south));
    json!([[[west, south], [east, south], [east, north], [west, north], [west, south]]])
}

fn text(features: Vec<Value>) -> String {
    json!({ "type": "FeatureCollection", "features": features }).to_string()
}

/// 4×4 squares of 0.001°, codes …001 to …016, west to east, then north to south.
fn chequer() -> GridLayer {
    let features = (0..16).map(|i| {
        let (column, row) = (f64::from(i % 4), f64::from(i / 4));
        feature(
            &format!("371329001001{:03}", i + 1),
            square(118.0 + column * 1e-3, 34.003 - row * 1e-3, 1e-3),
        )
    });
    GridLayer::parse("unit.geojson", &text(features.collect()), UNIT).unwrap()
}

fn at(lon: f64, lat: f64, covariance_m2: [[f64; 2]; 2]) -> Position {
    Position { lon_lat: LonLat::new(lon, lat), ground: GroundPoint::new(0.0, 0.0), covariance_m2 }
}

#[test]
fn attributes_are_kept_as_given() {
    let layer = chequer();
    let cell = layer.cell("371329001001007").unwrap();
    assert_eq!((cell.name.as_deref(), cell.attribute("level")), (Some("x"), Some("3")));
    assert_eq!(layer.cells().len(), 16);
    assert!((cell.area_m2() - 92.4 * 110.9).abs() < 15.0, "{}", cell.area_m2());
    assert!(layer.cell("371329001001017").is_none());
}

#[test]
fn holes_and_parts_are_seen() {
    let outer = square(118.0, 34.0, 1e-3)[0].clone();
    let hole = square(118.0004, 34.0004, 2e-4)[0].clone();
    let island = square(118.002, 34.0, 1e-3);
    let cell = json!({ "type": "Feature", "properties": { "code": "a" }, "geometry":
        { "type": "MultiPolygon", "coordinates": [[outer, hole], island] } });
    let layer = GridLayer::parse("r.geojson", &text(vec![cell]), LayerKind::Responsibility).unwrap();
    let inside = |lon, lat| layer.lookup(LonLat::new(lon, lat)).is_some();
    assert!(inside(118.0002, 34.0005) && inside(118.0025, 34.0005));
    assert!(!inside(118.0005, 34.0005) && !inside(118.0015, 34.0005));
    // The hole is written counter-clockwise like the rest; its mass is taken off all the same.
    let area = layer.cells()[0].area_m2();
    assert!((area / (92.4 * 110.9) - 1.96).abs() < 0.01, "{area}");
    let mass = layer.probabilities(&at(118.0005, 34.0005, [[1.0, 0.0], [0.0, 1.0]]));
    assert!(mass.is_empty(), "{mass:?}");
}

proptest! {
    #[test]
    fn every_point_on_corners_and_borders_belongs_to_exactly_one(column in 0..=40i32, row in 0..=40i32) {
        let layer = chequer();
        // Tenths of a cell: every tenth one is a border.
        let edge = |base: f64, n: i32| snapped(base + f64::from(n) * 1e-4);
        let p = LonLat::new(edge(118.0, column), edge(34.0, row));
        let holders = layer.boxes.iter().filter(|(_, sides)| layer.holds(sides, p)).count();
        // The outer border in the east and north is half-open too.
        let expected = usize::from(column < 40 && row < 40);
        prop_assert!(holders == expected, "{holders} at {p:?}");
        prop_assert_eq!(layer.lookup(p).is_some(), expected == 1);
    }

    #[test]
    fn masses_add_up_and_agree_with_sampling(
        lon in 118.0005..118.0035f64, lat in 34.0005..34.0035f64,
        major_m in 0.01..25.0f64, ratio in 0.02..1.0f64, turn in 0.0..std::f64::consts::PI,
    ) {
        let layer = chequer();
        let (sin, cos) = turn.sin_cos();
        let (a, b) = (major_m, major_m * ratio);
        let cross = (a * a - b * b) * sin * cos;
        let position = at(lon, lat, [[(a * cos).powi(2) + (b * sin).powi(2), cross],
                                     [cross, (a * sin).powi(2) + (b * cos).powi(2)]]);
        let found = layer.probabilities(&position);
        prop_assert!(found.windows(2).all(|w| w[0].1 >= w[1].1));
        // 201×201 midpoints of equal probability in the ellipse's own axes (radius by quantile, angle even).
        let plane = LocalPlane::at(position.lon_lat);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let n = 201;
        for ring in 0..n {
            let r = (-2.0 * (1.0 - (f64::from(ring) + 0.5) / f64::from(n)).ln()).sqrt();
            for spoke in 0..n {
                let angle = std::f64::consts::TAU * (f64::from(spoke) + f64::from(ring) * 0.618) / f64::from(n);
                let (x, y) = (a * r * angle.cos(), b * r * angle.sin());
                let ground = GroundPoint::new(x * cos - y * sin, x * sin + y * cos);
                if let Some(cell) = layer.lookup(plane.lon_lat_from_ground(ground)) {
                    *counts.entry(cell.code.as_str()).or_default() += 1;
                }
            }
        }
        for (cell, mass) in &found {
            let sampled = f64::from(counts.get(cell.code.as_str()).copied().unwrap_or(0)) / f64::from(n * n);
            prop_assert!((sampled - mass).abs() < 0.01, "{}: {mass} or {sampled}", cell.code);
        }
        let total: f64 = found.iter().map(|(_, mass)| mass).sum();
        let sampled = f64::from(counts.values().sum::<u32>()) / f64::from(n * n);
        prop_assert!((total - sampled).abs() < 0.01, "{total} or {sampled}");
    }
}

/// Normal masses of half-planes and quadrants have closed forms: Φ(1) = 0.841345, and its square.
#[test]
fn masses_agree_with_the_normal_table() {
    let layer = chequer();
    let plane = LocalPlane::at(LonLat::new(118.002, 34.002));
    let sigma_m = 2.0;
    let near = |east_sigmas: f64, north_sigmas: f64| {
        let p = plane.lon_lat_from_ground(GroundPoint::new(east_sigmas * sigma_m, north_sigmas * sigma_m));
        let found = layer.probabilities(&at(p.lon, p.lat, [[4.0, 0.0], [0.0, 4.0]]));
        found.into_iter().map(|(_, mass)| mass).collect::<Vec<_>>()
    };
    for (masses, expected) in [
        (near(0.0, 0.0), vec![0.25; 4]),
        (near(1.0, 20.0), vec![0.841_345, 0.158_655]),
        (near(1.0, 1.0), vec![0.707_861, 0.133_484, 0.133_484, 0.025_171]),
        (near(20.0, 20.0), vec![1.0]),
    ] {
        assert_eq!(masses.len(), expected.len(), "{masses:?}");
        assert!(std::iter::zip(&masses, &expected).all(|(m, e)| (m - e).abs() < 2e-6), "{masses:?}");
    }
}

#[test]
fn a_position_without_error_is_a_lookup() {
    let layer = chequer();
    let found = layer.probabilities(&at(118.0015, 34.0015, [[0.0; 2]; 2]));
    assert_eq!(
        found.iter().map(|(c, p)| (c.code.as_str(), *p)).collect::<Vec<_>>(),
        [("371329001001010", 1.0)]
    );
    assert!(layer.probabilities(&at(119.0, 34.0, [[4.0, 0.0], [0.0, 4.0]])).is_empty());
}

#[test]
fn every_fault_of_a_file_is_reported() {
    let good =
        |n: u32| feature(&format!("3713290010010{n:02}"), square(118.0 + f64::from(n) * 1e-3, 34.0, 1e-3));
    let mut features: Vec<Value> = (1..=60).map(good).collect();
    let mut bad = |change: &dyn Fn(&mut Value)| {
        let mut value = good(61 + features.len() as u32 - 60);
        change(&mut value);
        features.push(value);
    };
    bad(&|v| v["geometry"] = json!({ "type": "Point", "coordinates": [118.0, 34.0] }));
    bad(&|v| v["geometry"] = Value::Null);
    bad(&|v| v["properties"] = json!({}));
    bad(&|v| v["properties"]["code"] = json!("3713290010010"));
    bad(&|v| v["properties"]["code"] = json!("371329000001001"));
    bad(&|v| v["properties"]["code"] = json!("371329001001001"));
    bad(&|v| v["properties"]["code"] = json!("371392001001001"));
    bad(&|v| v["geometry"]["coordinates"][0][4] = json!([118.0, 34.5]));
    bad(&|v| {
        v["geometry"]["coordinates"] = json!([[[118.0, 34.0], [118.1, 34.0], [118.0, 34.0], [118.0, 34.0]]])
    });
    bad(&|v| v["geometry"]["coordinates"] = square(468_000.0, 3_866_000.0, 100.0));
    bad(&|v| v["geometry"]["coordinates"] = square(34.0, 118.0, 0.001));
    bad(&|v| v["geometry"]["coordinates"] = json!("none"));
    let mut root: Value = serde_json::from_str(&text(features)).unwrap();
    root["crs"] = json!({ "type": "name", "properties": { "name": "urn:ogc:def:crs:EPSG::4527" } });
    let errors = GridLayer::parse("unit.geojson", &root.to_string(), UNIT).unwrap_err();
    let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for part in [
        "crs: the coordinate system is `urn:ogc:def:crs:EPSG::4527`",
        "features[60] (371329001001061): the geometry is Point",
        "features[61] (371329001001062): the geometry is missing",
        "features[62]: the property `code` is missing",
        "features[63] (3713290010010): the code `3713290010010` is not 15 digits",
        "features[64] (371329000001001): the code `371329000001001` has street `000`",
        "features[65] (371329001001001): the code `371329001001001` is that of features[0] too",
        "features[66] (371392001001001): the code `371392001001001` is of another county",
        "features[67] (371329001001068): ring 0 is not closed",
        "features[68] (371329001001069): ring 0 encloses nothing",
        "features[69] (371329001001070): [468000, 3866000] is no longitude and latitude; it looks projected",
        "features[70] (371329001001071): [34, 118] is no longitude and latitude; it looks like latitude first",
        "features[71] (371329001001072): no GeoJSON feature",
    ] {
        assert!(listed.iter().any(|l| l.contains(part)), "{part}\n{listed:#?}");
    }
    assert_eq!(listed.len(), 13, "{listed:#?}");
}

#[test]
fn files_that_are_no_layer_are_refused() {
    let fault = |text: &str| GridLayer::parse("f", text, UNIT).unwrap_err().remove(0).fault;
    assert!(matches!(fault("{"), GridFault::Json(_)));
    assert_eq!(fault("{\"type\": \"Feature\"}"), GridFault::NoCollection);
    assert_eq!(fault("[]"), GridFault::NoCollection);
    assert_eq!(fault(&text(vec![])), GridFault::Empty);
}

#[test]
fn longitude_and_latitude_by_other_names_pass() {
    for name in ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4490", "urn:ogc:def:crs:EPSG::4326"] {
        let mut root: Value =
            serde_json::from_str(&text(vec![feature("371329001001001", square(118.0, 34.0, 1e-3))])).unwrap();
        root["crs"] = json!({ "type": "name", "properties": { "name": name } });
        let with_mark = format!("\u{feff}{root}");
        assert!(GridLayer::parse("f", &with_mark, UNIT).is_ok(), "{name}");
    }
}

#[test]
fn a_border_that_crosses_itself_is_refused_with_the_place() {
    let crossed = |ring: Value| {
        let cell = feature("a", json!([ring]));
        let layer = GridLayer::parse("f", &text(vec![cell]), LayerKind::Responsibility);
        layer.map_err(|errors| errors.into_iter().map(|e| e.fault).collect::<Vec<_>>())
    };
    // Sides from corner to corner cross in the middle.
    let bow = json!([[118.0, 34.0], [118.1, 34.1], [118.1, 34.0], [118.0, 34.2], [118.0, 34.0]]);
    let Err(faults) = crossed(bow) else { panic!("a bow") };
    let GridFault::Crossed { at } = &faults[0] else { panic!("{faults:?}") };
    assert!((at.lon - 118.0667).abs() < 1e-3 && (at.lat - 34.0667).abs() < 1e-3, "{at:?}");
    // A spike: there and back on one line.
    let spike =
        json!([[118.0, 34.0], [118.1, 34.0], [118.2, 34.0], [118.1, 34.0], [118.1, 34.1], [118.0, 34.0]]);
    assert!(crossed(spike).is_err());
    // Two squares that touch in a corner, and a corner written twice, are no crossing.
    let touching = json!([
        [118.0, 34.0],
        [118.1, 34.0],
        [118.1, 34.1],
        [118.2, 34.1],
        [118.2, 34.2],
        [118.1, 34.2],
        [118.1, 34.1],
        [118.0, 34.1],
        [118.0, 34.0]
    ]);
    assert!(crossed(touching).is_ok());
    let twice = json!([[118.0, 34.0], [118.1, 34.0], [118.1, 34.0], [118.1, 34.1], [118.0, 34.0]]);
    assert!(crossed(twice).is_ok());
}

/// Squares of 0.001° moved by so many degrees to the east, and what is told of them.
fn told(squares: &[(&str, f64, f64)]) -> Vec<GridFault> {
    let cells = squares.iter().map(|(code, lon, lat)| feature(code, square(*lon, *lat, 1e-3))).collect();
    let layer = GridLayer::parse("f", &text(cells), LayerKind::Responsibility).unwrap();
    layer.topology().into_iter().map(|error| error.fault).collect()
}

#[test]
fn overlaps_are_told_and_slivers_are_not() {
    assert_eq!(told(&[("a", 118.0, 34.0), ("b", 118.001, 34.0)]), []);
    // Rounding: a centimetre.
    assert_eq!(told(&[("a", 118.0, 34.0), ("b", 118.0009999, 34.0)]), []);
    let faults = told(&[("a", 118.0, 34.0), ("b", 118.0009, 34.0), ("c", 119.0, 34.0)]);
    let [GridFault::Overlap { other, area_m2, at }] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(other, "features[1] (b)");
    assert!((area_m2 - 9.24 * 110.9).abs() < 2.0, "{area_m2}");
    assert!((118.0009..118.001).contains(&at.lon) && (34.0..34.001).contains(&at.lat), "{at:?}");
    // The same cell twice under two codes.
    let faults = told(&[("a", 118.0, 34.0), ("b", 118.0, 34.0)]);
    assert!(matches!(&faults[..], [GridFault::Overlap { .. }]), "{faults:?}");
}

#[test]
fn enclosed_ground_of_no_cell_is_a_gap() {
    let ring: Vec<(String, f64, f64)> = (0..9)
        .filter(|i| *i != 4)
        .map(|i| {
            (
                format!("c{i}"),
                snapped(118.0 + f64::from(i % 3) * 1e-3),
                snapped(34.0 + f64::from(i / 3) * 1e-3),
            )
        })
        .collect();
    let squares: Vec<(&str, f64, f64)> = ring.iter().map(|(code, x, y)| (code.as_str(), *x, *y)).collect();
    let faults = told(&squares);
    let [GridFault::Gap { area_m2, at, beside }] = &faults[..] else { panic!("{faults:?}") };
    assert!((area_m2 - 92.4 * 110.9).abs() < 15.0, "{area_m2}");
    assert!((118.001..118.002).contains(&at.lon) && (34.001..34.002).contains(&at.lat), "{at:?}");
    assert!(beside.contains("c1") && beside.split(", ").count() == 4, "{beside}");
}

#[test]
fn the_edges_of_a_layer_are_looked_up_like_its_middle() {
    let layer = chequer();
    let code = |lon, lat| layer.lookup(LonLat::new(lon, lat)).map(|cell| cell.code[12..].to_owned());
    assert_eq!(code(118.0, 34.0).as_deref(), Some("013"), "the south-western corner");
    assert_eq!(code(118.004, 34.004), None, "the north-eastern corner, half-open");
    assert_eq!(code(118.003_999_9, 34.003_999_9).as_deref(), Some("004"));
    for (lon, lat) in [(117.9, 34.002), (f64::NAN, 34.002), (118.002, f64::INFINITY), (-118.0, -34.0)] {
        assert_eq!(code(lon, lat), None);
    }
}
