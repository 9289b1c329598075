//! AP against pycocotools' own numbers on three label sets, one of them made of what is easily got wrong.
//!
//! `make_sets.py` beside this file makes them anew.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::path::Path;

use models::measure::{ApOfClass, Bounds, Found, PictureOfClass, Truth, ap_of_class, mean};
use serde::Deserialize;

/// Asked for is 1e-4; both are f64 and differ in the order of their sums only.
const TOLERANCE: f64 = 1e-9;

/// One label set. A truth is `[class, x, y, w, h, crowd]`, a find `[class, x, y, w, h, score]`.
#[derive(Deserialize)]
struct Set {
    classes: usize,
    pictures: Vec<Pictured>,
    ap: Vec<Option<[f64; 10]>>,
    precision: Vec<Option<Vec<f64>>>,
    mean_ap50: f64,
    mean_ap50_95: f64,
}

#[derive(Deserialize)]
struct Pictured {
    truths: Vec<[f64; 6]>,
    found: Vec<[f64; 6]>,
}

fn of_class(set: &Set, class: usize) -> Vec<PictureOfClass> {
    let here = |row: &&[f64; 6]| row[0] == class as f64;
    let bounds = |row: &[f64; 6]| Bounds::new([row[1], row[2], row[3], row[4]]);
    let one = |picture: &Pictured| PictureOfClass {
        truths: picture
            .truths
            .iter()
            .filter(here)
            .map(|row| Truth { bounds: bounds(row), crowd: row[5] != 0.0 })
            .collect(),
        found: picture
            .found
            .iter()
            .filter(here)
            .map(|row| Found { bounds: bounds(row), score: row[5] })
            .collect(),
    };
    set.pictures.iter().map(one).collect()
}

fn agrees(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measure").join(name);
    let set: Set = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let all: Vec<ApOfClass> = (0..set.classes).map(|class| ap_of_class(&of_class(&set, class))).collect();
    let mut worst = 0.0_f64;
    for (class, ours) in all.iter().enumerate() {
        assert_eq!(ours.ap.is_some(), set.ap[class].is_some(), "{name}: class {class}");
        let (Some(ap), Some(theirs)) = (ours.ap, set.ap[class]) else { continue };
        ap.iter().zip(theirs).for_each(|(a, b)| worst = worst.max((a - b).abs()));
        let (curve, theirs) =
            (ours.precision_at_recall.as_ref().unwrap(), set.precision[class].as_ref().unwrap());
        assert_eq!(curve.len(), theirs.len());
        curve.iter().zip(theirs).for_each(|(a, b)| worst = worst.max((a - b).abs()));
    }
    worst = worst.max((mean(all.iter().map(ApOfClass::ap50)).unwrap() - set.mean_ap50).abs());
    worst = worst.max((mean(all.iter().map(ApOfClass::ap50_95)).unwrap() - set.mean_ap50_95).abs());
    eprintln!("{name}: {} pictures, furthest from pycocotools {worst:e}", set.pictures.len());
    assert!(worst < TOLERANCE, "{name}: {worst}");
    // A set on which everything is 0 or 1 would prove little.
    assert!((0.05..0.95).contains(&set.mean_ap50_95), "{}", set.mean_ap50_95);
}

#[test]
fn a_street_of_three_classes() {
    agrees("street.json");
}

#[test]
fn many_classes_few_of_each() {
    agrees("sparse.json");
}

#[test]
fn ties_crowds_empty_pictures_and_too_many_finds() {
    agrees("adversarial.json");
}
