//! The example county is what its program writes, is a county, and answers lookups as brute force does.

#[path = "../examples/county/mod.rs"]
mod county;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use calib::grid::{CERTAIN_MIN, Cell, CodeProfile, GridLayer, LayerKind, Placement};
use calib::homography::Position;
use calib::space::{GroundPoint, LocalPlane, LonLat};
use county::{ORIGIN, STREETS_M};

const UNIT: &str = include_str!("../example-county/unit-grids.geojson");
const MICRO: &str = include_str!("../example-county/responsibility-grids.geojson");
const COMMUNITY: &str = include_str!("../example-county/community-grids.geojson");
const MANAGEMENT: &str = include_str!("../example-county/management-grids.geojson");
const ROSTER: &str = include_str!("../example-county/roster.toml");

const SIZE_M: (f64, f64) = (4_800.0, 3_000.0);

fn unit() -> GridLayer {
    GridLayer::parse("unit", UNIT, LayerKind::Unit { profile: CodeProfile::Digits15 })
        .expect("the example is a layer")
}

fn layer(text: &str) -> GridLayer {
    GridLayer::parse("responsibility", text, LayerKind::Responsibility).expect("the example is a layer")
}

fn streets() -> [LonLat; 5] {
    STREETS_M.map(|street| LocalPlane::at(ORIGIN).lon_lat_from_ground(street))
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A point in the county's surroundings; about one in three lies outside of it.
    fn point(&mut self) -> LonLat {
        LonLat::new(118.625 + 0.075 * self.unit(), 34.890 + 0.045 * self.unit())
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[test]
fn the_files_are_what_the_program_writes() {
    let files = county::files();
    let checked_in = [UNIT, MICRO, COMMUNITY, MANAGEMENT, ROSTER];
    assert_eq!(files.len(), checked_in.len());
    for ((name, text), checked_in) in files.iter().zip(checked_in) {
        assert!(
            text == checked_in,
            "{name}: cargo run -p calib --example make_county -- calib/example-county"
        );
        assert!(text.contains("EXAMPLE, not surveyed"));
    }
    assert!(files.iter().map(|(_, text)| text.len()).sum::<usize>() < 1_500_000);
}

#[test]
fn counts_codes_and_parents() {
    let (unit, micro, community, management) = (unit(), layer(MICRO), layer(COMMUNITY), layer(MANAGEMENT));
    let counts = [&management, &community, &micro, &unit].map(|l| l.cells().len());
    assert_eq!(counts, [8, 17, 410, 1_440]);

    let mut sequences: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in unit.cells() {
        let code = CodeProfile::Digits15.split(&cell.code).unwrap();
        assert_eq!(code.division, "371329");
        *sequences.entry(&cell.code[..12]).or_default() += 1;
        let area_m2 = cell.area_m2();
        assert!((area_m2 - 10_000.0).abs() < 20.0, "{}: {area_m2} m²", cell.code);
    }
    assert_eq!(sequences.len(), 17);
    for (community, count) in sequences {
        assert!((60..=110).contains(&count));
        assert!(unit.cell(&format!("{community}{count:03}")).is_some(), "numbers run on");
    }

    let mut per_community: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in micro.cells() {
        let parent = community.cell(cell.attribute("community").unwrap()).unwrap();
        assert_eq!(parent.attribute("management"), cell.attribute("management"));
        assert!(management.cell(cell.attribute("management").unwrap()).is_some());
        assert!(cell.attribute("handler").is_some() && cell.attribute("department").is_some());
        assert!(cell.zone_class().is_some());
        *per_community.entry(&parent.code).or_default() += 1;
        // The codes tell the truth about the ground.
        assert_eq!(community.lookup(middle(cell)).unwrap().code, parent.code);
    }
    assert_eq!(per_community.values().filter(|n| **n == 25).count(), 2);
    assert_eq!(per_community.values().filter(|n| **n == 24).count(), 15);
}

fn middle(cell: &Cell) -> LonLat {
    let corners: Vec<LonLat> = cell.rings().flat_map(|ring| ring[1..].iter().copied()).collect();
    let n = corners.len() as f64;
    LonLat::new(
        corners.iter().map(|p| p.lon).sum::<f64>() / n,
        corners.iter().map(|p| p.lat).sum::<f64>() / n,
    )
}

#[test]
fn numbers_run_west_to_east_then_north_to_south() {
    let unit = unit();
    for pair in unit.cells().windows(2).filter(|pair| pair[0].code[..12] == pair[1].code[..12]) {
        let (before, after) = (middle(&pair[0]), middle(&pair[1]));
        let next_in_row = after.lon > before.lon && before.distance_m(after) < 101.0;
        let next_row = after.lon < before.lon && after.lat < before.lat;
        assert!(next_in_row || next_row, "{} {}", pair[0].code, pair[1].code);
    }
}

/// In each layer every side of a cell is some other cell's the other way round, but for the sides of the
/// county's outline: then nothing is covered twice and nothing is left out.
#[test]
fn no_gaps_and_no_overlaps() {
    for (name, layer) in [
        ("unit", unit()),
        ("micro", layer(MICRO)),
        ("community", layer(COMMUNITY)),
        ("management", layer(MANAGEMENT)),
    ] {
        let bits = |p: LonLat| (p.lon.to_bits(), p.lat.to_bits());
        let mut sides = BTreeSet::new();
        for ring in layer.cells().iter().flat_map(Cell::rings) {
            for ends in ring.windows(2) {
                assert!(
                    sides.insert((bits(ends[0]), bits(ends[1]))),
                    "{name}: two cells on one side of a side"
                );
            }
        }
        let plane = LocalPlane::at(ORIGIN);
        let ground = |(lon, lat): (u64, u64)| {
            plane.ground_from_lon_lat(LonLat::new(f64::from_bits(lon), f64::from_bits(lat)))
        };
        let (mut outline_m, mut twice_area_m2) = (0.0, 0.0);
        for &(from, to) in sides.iter().filter(|(from, to)| !sides.contains(&(*to, *from))) {
            let (a, b) = (ground(from), ground(to));
            outline_m += a.distance_m(b);
            twice_area_m2 += a.x * b.y - b.x * a.y;
        }
        let area_m2: f64 = layer.cells().iter().map(Cell::area_m2).sum();
        assert!((outline_m - 2.0 * (SIZE_M.0 + SIZE_M.1)).abs() < 0.1, "{name}: outline {outline_m} m");
        assert!((twice_area_m2 / 2.0 - SIZE_M.0 * SIZE_M.1).abs() < 200.0, "{name}: {twice_area_m2}");
        // Cells measure themselves on planes of their own: a part in a thousand.
        assert!((area_m2 / (SIZE_M.0 * SIZE_M.1) - 1.0).abs() < 1e-3, "{name}: {area_m2} m²");
    }
}

#[test]
fn each_sample_street_lies_well_inside_a_cell_of_its_own() {
    for layer in [unit(), layer(MICRO)] {
        let mut codes = BTreeSet::new();
        for street in streets() {
            let cell = layer.lookup(street).unwrap();
            let border_m =
                layer.cells().iter().map(|c| border_distance_m(c, street)).fold(f64::MAX, f64::min);
            println!("{street:?} {} {border_m:.1} m from a border", cell.code);
            assert!(border_m > 20.0, "{}: {border_m} m", cell.code);
            codes.insert(cell.code.clone());
            // A position good to 3 m is certain of its cell.
            let ground = GroundPoint::new(0.0, 0.0);
            let position = Position { lon_lat: street, ground, covariance_m2: [[9.0, 0.0], [0.0, 9.0]] };
            assert!(layer.probabilities(&position)[0].1 > 0.999);
        }
        assert_eq!(codes.len(), 5, "{codes:?}");
    }
}

fn border_distance_m(cell: &Cell, p: LonLat) -> f64 {
    let plane = LocalPlane::at(p);
    let distance_m = |ends: &[LonLat]| {
        let [a, b] = [ends[0], ends[1]].map(|end| plane.ground_from_lon_lat(end));
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let t = (-(a.x * dx + a.y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
        (a.x + t * dx).hypot(a.y + t * dy)
    };
    cell.rings().flat_map(|ring| ring.windows(2).map(distance_m)).fold(f64::MAX, f64::min)
}

/// Winding number by signed areas (Sunday 2001): no R-tree, no prepared slopes.
fn holds_by_winding(cell: &Cell, p: LonLat) -> bool {
    let mut winding = 0;
    for ends in cell.rings().flat_map(|ring| ring.windows(2)) {
        let (a, b) = (ends[0], ends[1]);
        let left = (b.lon - a.lon) * (p.lat - a.lat) - (p.lon - a.lon) * (b.lat - a.lat);
        if a.lat <= p.lat && b.lat > p.lat && left > 0.0 {
            winding += 1;
        } else if a.lat > p.lat && b.lat <= p.lat && left < 0.0 {
            winding -= 1;
        }
    }
    winding != 0
}

fn agree_with_brute_force(points: usize) {
    let mut random = SplitMix(20_260_701);
    for layer in [unit(), layer(MICRO)] {
        let cells = layer.cells();
        // Brute force, but for the latitudes and longitudes that a cell does not reach at all.
        let reach = |cell: &Cell| {
            let points = || cell.rings().flatten();
            let fold =
                |of: fn(&LonLat) -> f64, pick: fn(f64, f64) -> f64, from| points().map(of).fold(from, pick);
            [
                fold(|p| p.lon, f64::min, f64::MAX),
                fold(|p| p.lon, f64::max, f64::MIN),
                fold(|p| p.lat, f64::min, f64::MAX),
                fold(|p| p.lat, f64::max, f64::MIN),
            ]
        };
        let reaches: Vec<[f64; 4]> = cells.iter().map(reach).collect();
        let mut found = 0;
        for _ in 0..points {
            let p = random.point();
            let oracle = std::iter::zip(cells, &reaches).find(|(cell, [west, east, south, north])| {
                (west..=east).contains(&&p.lon)
                    && (south..=north).contains(&&p.lat)
                    && holds_by_winding(cell, p)
            });
            let answer = layer.lookup(p);
            assert_eq!(answer.map(|c| &c.code), oracle.map(|(c, _)| &c.code), "{p:?}");
            found += usize::from(answer.is_some());
        }
        assert!((points * 3 / 10..points * 9 / 10).contains(&found), "{found}");
    }
}

#[test]
fn lookups_agree_with_brute_force() {
    agree_with_brute_force(20_000);
}

/// `cargo test -p calib --test county -- --ignored million`
#[test]
#[ignore = "a million points take longer than a test should"]
fn a_million_lookups_agree_with_brute_force() {
    agree_with_brute_force(1_000_000);
}

#[test]
fn the_example_county_has_no_overlaps_and_no_gaps() {
    for layer in [unit(), layer(MICRO), layer(COMMUNITY), layer(MANAGEMENT)] {
        assert_eq!(layer.topology(), []);
    }
}

#[test]
fn a_position_near_a_border_names_its_candidates() {
    let unit = unit();
    let street = streets()[0];
    let ground = GroundPoint::new(0.0, 0.0);
    let sure = Position { lon_lat: street, ground, covariance_m2: [[9.0, 0.0], [0.0, 9.0]] };
    let Placement::Cell(cell, probability) = unit.place(&sure, CERTAIN_MIN) else {
        panic!("25 m from a border")
    };
    assert_eq!((cell, probability > 0.999), (unit.lookup(street).unwrap(), true));
    // On a corner of the cell four cells have a quarter each.
    let corner = cell.rings().next().unwrap()[0];
    let unsure = Position { lon_lat: corner, ..sure };
    let Placement::Boundary(candidates) = unit.place(&unsure, CERTAIN_MIN) else { panic!("on a corner") };
    assert_eq!(candidates.len(), 4, "{candidates:?}");
    assert!(candidates.iter().all(|(_, p)| (p - 0.25).abs() < 1e-3));
    let abroad = Position { lon_lat: LonLat::new(100.0, 30.0), ..unsure };
    assert_eq!(unit.place(&abroad, CERTAIN_MIN), Placement::Outside);
}

/// Every corner of the layer and the middle of every side, which is where two answers could be had or none.
#[test]
fn corners_and_sides_belong_to_one_cell() {
    for layer in [unit(), layer(MICRO)] {
        for ring in layer.cells().iter().flat_map(Cell::rings) {
            for ends in ring.windows(2) {
                let half = LonLat::new((ends[0].lon + ends[1].lon) / 2.0, (ends[0].lat + ends[1].lat) / 2.0);
                for p in [ends[0], half] {
                    let answer = layer.lookup(p).map(|cell| cell.code.clone());
                    // Inside the county there is an answer; it may be missing on the outline alone.
                    let near = layer.lookup(LonLat::new(p.lon, p.lat + 1e-5)).is_some()
                        && layer.lookup(LonLat::new(p.lon, p.lat - 1e-5)).is_some()
                        && layer.lookup(LonLat::new(p.lon + 1e-5, p.lat)).is_some()
                        && layer.lookup(LonLat::new(p.lon - 1e-5, p.lat)).is_some();
                    assert!(answer.is_some() || !near, "{p:?} belongs to none");
                }
            }
        }
    }
}

#[test]
fn probabilities_agree_with_monte_carlo() {
    let unit = unit();
    let mut random = SplitMix(1);
    for _ in 0..20 {
        let centre = GroundPoint::new(600.0 * random.unit(), 200.0 * random.unit() - 100.0);
        let (a, b) = (1.0 + 30.0 * random.unit(), 0.5 + 5.0 * random.unit());
        let (sin, cos) = (std::f64::consts::PI * random.unit()).sin_cos();
        let cross = (a * a - b * b) * sin * cos;
        let (east2, north2) = ((a * cos).powi(2) + (b * sin).powi(2), (a * sin).powi(2) + (b * cos).powi(2));
        let plane = LocalPlane::at(ORIGIN);
        let position = Position {
            lon_lat: plane.lon_lat_from_ground(centre),
            ground: centre,
            covariance_m2: [[east2, cross], [cross, north2]],
        };
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        let draws = 40_000;
        for _ in 0..draws {
            let (x, y) = (a * random.normal(), b * random.normal());
            let p = GroundPoint::new(centre.x + x * cos - y * sin, centre.y + x * sin + y * cos);
            if let Some(cell) = unit.lookup(plane.lon_lat_from_ground(p)) {
                *counts.entry(cell.code.clone()).or_default() += 1.0 / f64::from(draws);
            }
        }
        for (cell, probability) in unit.probabilities(&position) {
            let drawn = counts.get(&cell.code).copied().unwrap_or(0.0);
            assert!((drawn - probability).abs() < 0.01, "{}: {probability} or {drawn}", cell.code);
        }
    }
}

/// Seconds that this thread has run: what a busy machine takes away is not in it (Linux).
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

/// `cargo test --release -p calib --test county -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: run it in release"]
fn lookup_speed() {
    let mut random = SplitMix(5);
    for (name, layer) in [("unit", unit()), ("micro", layer(MICRO))] {
        let mut points: Vec<LonLat> = (0..1_500_000).map(|_| random.point()).collect();
        points.retain(|p| layer.lookup(*p).is_some());
        points.truncate(500_000);
        for _ in 0..5 {
            let (start, cpu) = (Instant::now(), cpu_secs());
            let found = points.iter().filter(|p| layer.lookup(**p).is_some()).count() as f64 / 1e6;
            let (wall, cpu) = (found / start.elapsed().as_secs_f64(), found / (cpu_secs() - cpu));
            println!(
                "{name}: {wall:.2} million lookups/s, {cpu:.2} million a second of this core's own time"
            );
        }
        let positions: Vec<Position> = points[..20_000]
            .iter()
            .map(|&lon_lat| Position {
                lon_lat,
                ground: GroundPoint::new(0.0, 0.0),
                covariance_m2: [[9.0, 1.0], [1.0, 4.0]],
            })
            .collect();
        let start = Instant::now();
        let cells: usize = positions.iter().map(|p| layer.probabilities(p).len()).sum();
        let rate = positions.len() as f64 / start.elapsed().as_secs_f64() / 1e3;
        println!("{name}: {cells} cells, {rate:.0} thousand probabilities/s");
    }
}
