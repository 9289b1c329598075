//! The golden picture of the default model: as recorded, and with each kind of difference.

use std::path::PathBuf;

use super::*;
use crate::detector::check;
use crate::testing::city_nano;

fn runtime() -> Runtime {
    Runtime::load(None).unwrap_or_else(|error| panic!("{error}"))
}

/// One of the small models with a golden picture of stripes, and what it finds there.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/families/yolov8");
    for file in ["manifest.toml", "model.onnx", "LICENCE.txt"] {
        std::fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let stripes =
        |x: u32, y: u32| image::Rgb([(x * 9 % 256) as u8, (y * 7 % 256) as u8, (x * y % 256) as u8]);
    let picture = folder.path().join("golden.png");
    image::RgbImage::from_fn(151, 91, stripes).save(&picture).unwrap();
    let expected = record(&runtime(), folder.path(), &picture).unwrap();
    let manifest = folder.path().join("manifest.toml");
    let mut text = std::fs::read_to_string(&manifest).unwrap();
    text.push_str("\n[golden]\npicture = \"golden.png\"\nexpected = \"golden.toml\"\n");
    std::fs::write(manifest, text).unwrap();
    std::fs::write(folder.path().join("golden.toml"), &expected).unwrap();
    (folder, expected)
}

#[test]
fn what_was_recorded_is_found_again() {
    let (folder, expected) = folder();
    assert!(expected.matches("[[box]]").count() >= 3, "{expected}");
    assert_eq!(check(&runtime(), folder.path()), []);
}

#[test]
fn every_difference_is_told() {
    let (folder, expected) = folder();
    let file = folder.path().join("golden.toml");
    let told = |text: String| -> Vec<Problem> {
        std::fs::write(&file, text).unwrap();
        check(&runtime(), folder.path())
    };
    // The first box is the best, so far over its threshold that it must be there.
    let first = expected.find("[[box]]").unwrap();
    let second = first + 7 + expected[first + 7..].find("[[box]]").unwrap();
    let without = format!("{}{}", &expected[..first], &expected[second..]);
    let problems = told(without);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(
        problems[0].key == "golden" && problems[0].says.contains("found and not expected"),
        "{}",
        problems[0]
    );

    let more =
        format!("{expected}\n[[box]]\nclass = \"hoarding\"\nscore = 0.9\nbounds = [0.0, 0.0, 0.1, 0.1]\n");
    let problems = told(more);
    assert!(problems.len() == 1 && problems[0].says.contains("is not found"), "{problems:#?}");

    let line = expected[first..].lines().find(|line| line.starts_with("score = ")).unwrap();
    let problems = told(expected.replacen(line, "score = 0.6", 1));
    assert!(problems.len() == 1 && problems[0].says.contains("is found with"), "{problems:#?}");

    let problems = told("no toml".to_owned());
    assert!(problems.len() == 1 && problems[0].key == "golden.expected", "{problems:#?}");
    std::fs::write(folder.path().join("golden.png"), "no picture").unwrap();
    let problems = told(expected);
    assert!(problems.len() == 1 && problems[0].key == "golden.picture", "{problems:#?}");
}

#[test]
fn a_box_at_its_threshold_may_be_there_or_not() {
    let manifest = Manifest::load(&city_nano()).unwrap();
    let bounds = calib::space::ImageBox { x0: 0.1, y0: 0.1, x1: 0.2, y1: 0.2 };
    let found = |score: f32| Detection { class: Class::Stall, score, bounds };
    let wanted = |score: f32| Expected {
        score_tolerance: 0.05,
        bounds_tolerance: 0.02,
        boxes: vec![ExpectedBox { class: Class::Stall, score, bounds: [0.1, 0.1, 0.2, 0.2] }],
    };
    let none = Expected { boxes: Vec::new(), ..wanted(0.0) };
    assert_eq!(manifest.score_min(Class::Stall), Some(0.4));
    assert!(compare(&manifest, &wanted(0.43), &[]).is_empty());
    assert!(compare(&manifest, &none, &[found(0.43)]).is_empty());
    assert_eq!(compare(&manifest, &wanted(0.6), &[]).len(), 1);
    assert_eq!(compare(&manifest, &none, &[found(0.6)]).len(), 1);
    assert!(compare(&manifest, &wanted(0.6), &[found(0.62)]).is_empty());
}
