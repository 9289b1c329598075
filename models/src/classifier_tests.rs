//! Small classifiers of each kind against NumPy, what becomes of boxes, and every refusal.
//!
//! These need `libonnxruntime.so` (`make runtime`) and fail with the loader's message where it is missing.

use calib::class::Class;
use calib::picture::{Matrix, Range};
use serde::Deserialize;

use super::*;
use crate::error::Problem;
use crate::testing::{Picture, changed, small_classifier};
use crate::tiles::Window;

const KINDS: [&str; 3] = ["softmax", "logits-u8", "sigmoid-f16"];
/// Where a colour lies in [`patches`], well inside.
const BOXES: [[f32; 4]; 4] =
    [[0.03, 0.1, 0.22, 0.9], [0.28, 0.1, 0.47, 0.9], [0.53, 0.1, 0.72, 0.9], [0.78, 0.1, 0.97, 0.9]];

fn runtime() -> Runtime {
    Runtime::load(None).unwrap_or_else(|error| panic!("{error}"))
}

fn opened(name: &str) -> Classifier {
    Classifier::open(&runtime(), &small_classifier(name), 1).unwrap_or_else(|error| panic!("{error}"))
}

/// Red (an overflowing bin to the small classifiers), green (a closed one), blue (none) and grey (unsure),
/// beginning with the colour of that number.
fn patches(first: usize) -> Picture {
    Picture::from_rgb([400, 100], |x, _| {
        [[230, 10, 20], [10, 220, 30], [20, 30, 240], [120; 3]][(x / 100 + first) % 4]
    })
}

fn seen(class: Class, score: f32, bounds: [f32; 4]) -> Detection {
    Detection { class, score, bounds: bounds.into() }
}

/// A box of the class over each patch, best first.
fn row(class: Class) -> Vec<Detection> {
    BOXES.iter().zip([0.9, 0.8, 0.7, 0.6]).map(|(bounds, score)| seen(class, score, *bounds)).collect()
}

#[derive(Deserialize)]
struct Expected {
    bounds: [f32; 4],
    window: [usize; 4],
    shares: Vec<f32>,
}

/// The picture that `tests/families.py` draws.
fn stripes() -> Picture {
    Picture::from_yuv([150, 110], (Matrix::Bt601, Range::Limited), false, 0, |x, y| {
        let luma = 16 + (x * x / 8 + y * 7 + (x / 10) * (y / 9) * 13) % 220;
        let (u, v) = (70 + (x * 3 + y / 8 * 31) % 120, 70 + (y * 2 + x / 12 * 47) % 120);
        [luma as u8, u as u8, v as u8]
    })
}

#[test]
fn every_kind_says_what_the_reference_says() {
    let picture = stripes();
    for name in KINDS {
        let mut classifier = opened(name);
        let text = std::fs::read_to_string(small_classifier(name).join("expected.json")).unwrap();
        let wanted: Vec<Expected> = serde_json::from_str(&text).unwrap();
        let look = wanted.iter().map(|each| seen(Class::GarbageBin, 0.5, each.bounds)).collect();
        let crops = crops::of(&[picture.view()], &[look], classifier.manifest().cut()).unwrap();
        assert_eq!(crops.len(), wanted.len());
        let views: Vec<YuvView<'_>> = crops.iter().map(|crop| crop.view).collect();
        let found = classifier.shares(&views).unwrap();
        // f16 has steps of half a thousandth there.
        let away_max = if name.contains("f16") { 2e-3 } else { 1e-4 };
        for ((crop, found), wanted) in crops.iter().zip(&found).zip(&wanted) {
            let [x, y, width, height] = wanted.window;
            assert_eq!(crop.window, Window { at: [x, y], size: [width, height] }, "{name}");
            assert_eq!(found.len(), wanted.shares.len());
            let away = found.iter().zip(&wanted.shares).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name}: {away:e}");
            assert!(away <= away_max, "{name}: {found:?} for {:?}", wanted.shares);
        }
    }
}

#[test]
fn a_box_is_relabelled_confirmed_dropped_or_left_in_its_place() {
    let picture = patches(0);
    for (name, before) in [("softmax", Class::GarbageBin), ("logits-u8", Class::BinOverflow)] {
        let mut looks = [row(before)];
        opened(name).judge(&[picture.view()], &mut looks).unwrap();
        let [red, green, _, grey] = BOXES;
        let wanted = vec![
            seen(Class::BinOverflow, 0.9, red),
            seen(Class::GarbageBin, 0.8, green),
            seen(before, 0.6, grey),
        ];
        assert_eq!(looks[0], wanted, "{name}");
    }
}

#[test]
fn what_it_is_not_asked_about_is_left_alone() {
    let picture = patches(0);
    let mut classifier = opened("softmax");
    // Red, green and blue; of other classes, and under 16 pixels high and across.
    let others: Vec<Detection> = BOXES.iter().map(|bounds| seen(Class::Garbage, 0.5, *bounds)).collect();
    let small = [[0.03, 0.1, 0.22, 0.25], [0.53, 0.1, 0.565, 0.9]];
    let small: Vec<Detection> = small.iter().map(|bounds| seen(Class::GarbageBin, 0.5, *bounds)).collect();
    for look in [others, small, Vec::new()] {
        let mut looks = [look.clone()];
        classifier.judge(&[picture.view()], &mut looks).unwrap();
        assert_eq!(looks, [look]);
    }
    classifier.judge(&[], &mut []).unwrap();
}

#[test]
fn under_its_least_probability_the_detectors_word_stands() {
    let picture = patches(0);
    let sure = |score_min: &str| {
        let folder = changed(&small_classifier("softmax"), |text| {
            text.replace("score_min = 0.6", &format!("score_min = {score_min}"))
        });
        let mut classifier = Classifier::open(&runtime(), folder.path(), 1).unwrap();
        let mut looks = [row(Class::GarbageBin)];
        classifier.judge(&[picture.view()], &mut looks).unwrap();
        looks
    };
    assert_eq!(sure("1.0"), [row(Class::GarbageBin)]);
    assert_ne!(sure("0.6"), [row(Class::GarbageBin)]);
}

#[test]
fn a_batch_is_judged_as_its_pictures_are_one_by_one() {
    let pictures: Vec<Picture> = (0..5).map(patches).collect();
    let views: Vec<YuvView<'_>> = pictures.iter().map(Picture::view).collect();
    let garbage = seen(Class::Garbage, 0.95, BOXES[1]);
    // 4 boxes a picture but for one: 16 crops, in two runs where the batch is dynamic.
    let looks: Vec<Vec<Detection>> = (0..5)
        .map(|at| match at {
            2 => vec![garbage],
            _ => std::iter::once(garbage).chain(row(Class::GarbageBin)).collect(),
        })
        .collect();
    for name in KINDS {
        let mut classifier = opened(name);
        let mut together = looks.clone();
        classifier.judge(&views, &mut together).unwrap();
        for (at, view) in views.iter().enumerate() {
            let mut alone = [looks[at].clone()];
            classifier.judge(&[*view], &mut alone).unwrap();
            assert_eq!(alone[0], together[at], "{name}, picture {at}");
        }
        assert_ne!(together[0], together[1], "{name}: the pictures differ");
        assert_eq!(together[0], together[4], "{name}: these do not");
    }
}

#[test]
fn a_bin_that_the_detector_saw_as_both_is_one_bin_afterwards() {
    let picture = patches(0);
    let [red, green, ..] = BOXES;
    let beside = [red[0] + 0.01, red[1], red[2], red[3]];
    let both = vec![
        seen(Class::GarbageBin, 0.9, red),
        seen(Class::BinOverflow, 0.8, beside),
        // What the detector's own suppression has let pass is not judged again.
        seen(Class::GarbageBin, 0.7, green),
        seen(Class::GarbageBin, 0.6, green),
    ];
    let mut looks = [both];
    opened("softmax").judge(&[picture.view()], &mut looks).unwrap();
    let classes: Vec<(Class, f32)> = looks[0].iter().map(|seen| (seen.class, seen.score)).collect();
    assert_eq!(classes, [(Class::BinOverflow, 0.9), (Class::GarbageBin, 0.7), (Class::GarbageBin, 0.6)]);
}

#[test]
fn after_a_fault_every_look_is_as_it_was() {
    let picture = patches(0);
    let short = YuvView { height: 4000, ..picture.view() };
    let mut looks = [row(Class::GarbageBin), row(Class::GarbageBin)];
    let told = opened("softmax").judge(&[picture.view(), short], &mut looks);
    assert!(matches!(told, Err(ModelError::Picture { index: 1, .. })), "{told:?}");
    assert_eq!(looks, [row(Class::GarbageBin), row(Class::GarbageBin)]);
}

#[test]
fn logits_of_any_size_become_shares() {
    let shares = softmax(&[1000.0, 1000.0, -1000.0]);
    assert_eq!(shares, [0.5, 0.5, 0.0]);
    assert!((softmax(&[1.0, 0.0])[0] - 0.731_058_6).abs() < 1e-6);
}

/// What the model in a folder is refused for after a change of its manifest.
fn refused_for(name: &str, change: impl Fn(String) -> String) -> Vec<Problem> {
    let folder = changed(&small_classifier(name), change);
    let found = crate::check(&runtime(), folder.path());
    let opened = Classifier::open(&runtime(), folder.path(), 1);
    let Err(ModelError::Refused(problems)) = opened else { panic!("{opened:?}") };
    assert_eq!(found, problems);
    problems
}

#[test]
fn a_model_that_is_not_what_its_manifest_says_is_refused() {
    for name in KINDS {
        assert_eq!(crate::check(&runtime(), &small_classifier(name)), []);
    }
    let faults = [
        ("softmax", "sha256 = \"", "sha256 = \"0", "sha256", ""),
        ("softmax", "name = \"output\"", "name = \"scores\"", "output.name", "(\"output\"), none \"scores\""),
        ("softmax", "name = \"crops\"", "name = \"images\"", "input.name", "none \"images\""),
        ("softmax", "size = [48, 64]", "size = [64, 64]", "input.size", "[n, 3, 64, 64]"),
        ("softmax", "dtype = \"f32\"", "dtype = \"f16\"", "input.dtype", "is of f32, not f16"),
        ("softmax", ", \"unsure\"]", "]", "labels", "makes it [n, 3]"),
        ("softmax", "batch = \"dynamic\"", "batch = \"static\"", "batch", "first dimension free"),
        ("logits-u8", "batch = \"static\"", "batch = \"dynamic\"", "batch", "first dimension fixed"),
        ("logits-u8", "kind = \"logits\"", "kind = \"softmax\"", "output.kind", "the model's numbers"),
        ("sigmoid-f16", "kind = \"sigmoid\"", "kind = \"softmax\"", "output.kind", "add up to"),
        ("softmax", "scale = 0.0039215686", "scale = 3e38", "output", "NaN or infinite on a trial picture"),
    ];
    for (name, from, to, key, says) in faults {
        let change = |text: String| {
            assert!(text.contains(from), "{from}");
            match key {
                // Another sum of the right length.
                "sha256" => {
                    let at = text.find(from).unwrap_or(0) + from.len();
                    format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
                }
                _ => text.replacen(from, to, 1),
            }
        };
        let found = refused_for(name, change);
        assert_eq!(found.len(), 1, "{to}: {found:#?}");
        assert_eq!(found[0].key, key, "{to}: {found:#?}");
        assert!(found[0].says.contains(says), "{to}: {found:#?}");
    }
}
