//! A county with a fault of every kind in its papers: all are told in one run, each with file, key and mend.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::path::Path;

use calib::check::{Problem, Source};
use calib::papers::{Faults, Found, Papers};

/// Writes the example county and its matters into a folder, each text changed on its way.
fn copied(folder: &Path, change: impl Fn(&str, String) -> String) {
    for part in ["example-county", "matters"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(part);
        std::fs::create_dir(folder.join(part)).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let text = change(name, std::fs::read_to_string(&path).unwrap());
            std::fs::write(folder.join(part).join(name), text).unwrap();
        }
    }
}

/// Everything that is wrong, doubts last.
fn told(folder: &Path) -> (Papers, Vec<Problem>) {
    let county = folder.join("example-county");
    let text = std::fs::read_to_string(county.join("papers.toml")).unwrap();
    let read = |path: &str| Found {
        shown: path.to_owned(),
        bytes: std::fs::read(county.join(path)).map_err(|error| error.to_string()),
    };
    let mut faults = Faults::default();
    let mut source = Source::new("papers.toml", &text);
    let mut root = source.root();
    let papers = Papers::read(&mut source, &mut root, &read, &mut faults);
    root.finish(&mut source);
    let mut all = source.into_problems();
    all.extend(faults.errors);
    all.extend(faults.doubts);
    (papers, all)
}

#[test]
fn the_good_county_has_nothing_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path(), |_, text| text);
    let (papers, problems) = told(folder.path());
    assert_eq!(problems, []);
    assert_eq!(
        (papers.roster.len(), papers.permits.len(), papers.calendar.last_year()),
        (410, 2, Some(2026))
    );
    assert_eq!(papers.catalogue.matters().count(), 100);
}

/// A fault to plant: the file, what stands there, what to put there instead; then what must be told: the file,
/// a part of its key, a part of what is wrong.
type Plant = (&'static str, &'static str, &'static str, (&'static str, &'static str, &'static str));

const PLANTS: [Plant; 31] = [
    // The node's file.
    (
        "papers.toml",
        "unit_digits = 15",
        "unit_digits = 17",
        ("papers.toml", "grids.unit_digits", "out of range"),
    ),
    ("papers.toml", "[papers]", "[papers]\nholydays = 1", ("papers.toml", "papers.holydays", "not a key")),
    (
        "papers.toml",
        "../matters/conditions.toml",
        "../matters/conditons.toml",
        ("papers.toml", "matters.conditions", "No such file"),
    ),
    // The city's own codes.
    ("example-city.toml", "08098", "08016", ("example-city.toml", "08016", "already 无证建设")),
    // The calendar.
    (
        "calendar.toml",
        "\"2026-01-04\"",
        "\"2026-01-05\"",
        ("calendar.toml", "make_up_workdays", "Monday to Friday"),
    ),
    (
        "calendar.toml",
        "from = \"2026-10-01\"",
        "from = \"2026-10-32\"",
        ("calendar.toml", "holiday[6].from", "no day"),
    ),
    (
        "calendar.toml",
        "to = \"2026-05-05\"",
        "to = \"2026-04-05\"",
        ("calendar.toml", "holiday[3].to", "is before"),
    ),
    ("calendar.toml", "\"14:00-18:00\"", "\"11:00-18:00\"", ("calendar.toml", "work_hours", "overlaps")),
    (
        "calendar.toml",
        "evidence = \"recalled\"",
        "evidence = \"rumour\"",
        ("calendar.toml", "evidence", "no grade"),
    ),
    // Permits.
    (
        "permits.toml",
        "hours = [\"18:00-23:00\"]",
        "hours = [\"6-11\"]",
        ("permits.toml", "permit[1].hours", "no window"),
    ),
    (
        "permits.toml",
        "until = \"2026-09-30\"",
        "until = \"2025-09-30\"",
        ("permits.toml", "permit[0].until", "before its first day"),
    ),
    (
        "permits.toml",
        "[\"09001\", \"09006\"]",
        "[\"09007\"]",
        ("permits.toml", "permit[1].matters", "no matter"),
    ),
    ("permits.toml", "zone = \"night-market\"", "", ("permits.toml", "permit[1]", "no place")),
    (
        "permits.toml",
        "holder = \"H-0002\"",
        "holder = \"H-0002\"\nholder_name = \"x\"",
        ("permits.toml", "permit[1].holder_name", "who the holder is"),
    ),
    // The roster.
    (
        "roster.toml",
        "terminal:EX-01-1-01",
        "pager:EX-01-1-01",
        ("roster.toml", "post[0].channel", "no channel"),
    ),
    ("roster.toml", "terminal:EX-01-1-02", "terminal:", ("roster.toml", "post[1].channel", "has no number")),
    ("roster.toml", "role = \"网格长\"\n", "", ("roster.toml", "post[0].role", "is missing")),
    // Codes of the unit grid.
    (
        "unit-grids.geojson",
        "\"code\":\"371329001001001\"",
        "\"code\":\"3713290010010\"",
        ("unit-grids.geojson", "features[0]", "not 15 digits"),
    ),
    (
        "unit-grids.geojson",
        "\"code\":\"371329001001003\"",
        "\"code\":\"371329001001004\"",
        ("unit-grids.geojson", "features[3] (371329001001004)", "features[2] too"),
    ),
    (
        "unit-grids.geojson",
        "\"code\":\"371329001001005\"",
        "\"code\":\"371329000001005\"",
        ("unit-grids.geojson", "features[4]", "street `000`"),
    ),
    (
        "unit-grids.geojson",
        "\"code\":\"371329001001006\"",
        "\"code\":\"371392001001006\"",
        ("unit-grids.geojson", "features[5]", "another county"),
    ),
    (
        "unit-grids.geojson",
        "\"code\":\"371329001001007\"",
        "\"cod\":\"371329001001007\"",
        ("unit-grids.geojson", "features[6]", "`code` is missing"),
    ),
    ("unit-grids.geojson", "EPSG::4490", "EPSG::4527", ("unit-grids.geojson", "crs", "coordinate system")),
    // Rings of the unit grid, by their lines below.
    ("unit-grids.geojson", "#8", "open", ("unit-grids.geojson", "features[8]", "not closed")),
    ("unit-grids.geojson", "#9", "bow", ("unit-grids.geojson", "features[9]", "crosses itself")),
    ("unit-grids.geojson", "#10", "swap", ("unit-grids.geojson", "features[10]", "latitude first")),
    ("unit-grids.geojson", "#11", "metres", ("unit-grids.geojson", "features[11]", "looks projected")),
    ("unit-grids.geojson", "#12", "point", ("unit-grids.geojson", "features[12]", "not a polygon")),
    ("unit-grids.geojson", "#13", "abroad", ("unit-grids.geojson", "features[13]", "outside China")),
    ("unit-grids.geojson", "#14", "flat", ("unit-grids.geojson", "features[14]", "encloses nothing")),
    // The responsibility grid; its topology is told in a test of its own, as a layer that cannot be read has none.
    (
        "responsibility-grids.geojson",
        "\"zone_class\":\"B\"",
        "\"zone_class\":\"D\"",
        ("responsibility-grids.geojson", "features[0]", "none of A, B and C"),
    ),
];

/// Spoils the ring of a feature.
fn spoiled(text: &str, feature: usize, how: &str) -> String {
    let mut root: serde_json::Value = serde_json::from_str(text).unwrap();
    let geometry = &mut root["features"][feature]["geometry"];
    let ring = geometry["coordinates"][0].as_array_mut().unwrap();
    let both = |p: &serde_json::Value| (p[0].as_f64().unwrap(), p[1].as_f64().unwrap());
    match how {
        "open" => _ = ring.pop(),
        "bow" => ring.swap(1, 2),
        "swap" => ring.iter_mut().for_each(|p| *p = serde_json::json!([both(p).1, both(p).0])),
        "metres" => {
            ring.iter_mut().for_each(|p| *p = serde_json::json!([both(p).0 * 4e3, both(p).1 * 1.1e5]))
        }
        "abroad" => ring.iter_mut().for_each(|p| *p = serde_json::json!([both(p).0 - 118.0, both(p).1])),
        "flat" => *ring = vec![ring[0].clone(), ring[1].clone(), ring[0].clone(), ring[0].clone()],
        _ => *geometry = serde_json::json!({ "type": "Point", "coordinates": [118.65, 34.92] }),
    }
    root.to_string()
}

#[test]
fn every_planted_fault_is_told_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path(), |name, mut text| {
        for (_, from, to, _) in PLANTS.iter().filter(|plant| plant.0 == name) {
            if let Some(feature) = from.strip_prefix('#') {
                text = spoiled(&text, feature.parse().unwrap(), to);
            } else {
                assert!(text.contains(from), "{name}: {from}");
                text = text.replacen(from, to, 1);
            }
        }
        text
    });
    let (_, problems) = told(folder.path());
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (_, _, _, (file, key, what)) in PLANTS {
        let found =
            problems.iter().find(|p| p.file.ends_with(file) && p.key.contains(key) && p.what.contains(what));
        let found = found.unwrap_or_else(|| panic!("{file}: {key}: {what}\n{}", list.join("\n")));
        assert!(!found.mend.is_empty(), "{found}");
        // What stands in a file of lines has its line.
        assert!(found.line.is_some() || !file.ends_with(".toml") || file == "example-city.toml", "{found}");
    }
}

#[test]
fn overlaps_gaps_and_lost_people_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    copied(folder.path(), |name, text| match name {
        "unit-grids.geojson" => {
            let mut root: serde_json::Value = serde_json::from_str(&text).unwrap();
            let features = root["features"].as_array_mut().unwrap();
            // One cell is lost, and one is drawn over its neighbour: 20 m to the east.
            let of = |code: &str, features: &[serde_json::Value]| {
                features.iter().position(|f| f["properties"]["code"] == code).unwrap()
            };
            let lost = of("371329002001028", features);
            features.remove(lost);
            let wide = of("371329003001028", features);
            for p in features[wide]["geometry"]["coordinates"][0].as_array_mut().unwrap() {
                p[0] = serde_json::json!(p[0].as_f64().unwrap() + 20.0 / 91_300.0);
            }
            root.to_string()
        }
        "roster.toml" => text.replacen("grid = \"EX-05-1-01\"", "grid = \"EX-05-1-99\"", 1),
        _ => text,
    });
    let (papers, problems) = told(folder.path());
    assert!(papers.grids.unit.is_some(), "a layer with overlaps and gaps is used all the same");
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let told = |parts: &[&str]| list.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(
        told(&["m² at [118.6", "belong to no cell", "371329002001022, 371329002001023, 371329002001027"]),
        "{list:#?}"
    );
    assert!(told(&["(371329003001028): overlaps", "371329003001029", "m² at [118.6"]), "{list:#?}");
    assert!(told(&["post[", "`EX-05-1-99` is no cell"]), "{list:#?}");
    assert!(told(&["1 cells have nobody on the roster: EX-05-1-01"]), "{list:#?}");
    // The gap is one hole of a hundred metres squared; the cell that moved leaves one of twenty metres behind.
    let area = |part: &str| -> Vec<f64> {
        let lines = problems.iter().filter(|p| p.what.contains(part));
        lines.map(|p| p.what.split(' ').find_map(|word| word.parse().ok()).unwrap()).collect()
    };
    let gaps = area("belong to no cell");
    assert!(gaps.iter().any(|m2| (m2 - 10_000.0).abs() < 30.0), "{gaps:?}");
    assert!(gaps.iter().any(|m2| (m2 - 2_000.0).abs() < 80.0), "{gaps:?}");
}
