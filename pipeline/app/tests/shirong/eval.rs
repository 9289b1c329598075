//! `shirong eval` as a user types it, on pictures drawn here and labelled with what the model says of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use image::{Rgb, RgbImage};
use logic::look::Detection;
use models::{Detector, Manifest, Runtime};

use crate::street::root;

const SIDE: u32 = 416;
/// What the model says from this score on becomes the truth.
const LABELLED_MIN: f32 = 0.1;

/// Three green bins on a grey street, of other sizes and places for each seed. Every two by two pixels have one
/// colour, so that halving the chroma loses nothing.
fn drawn(seed: u32) -> RgbImage {
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let (x, y) = ((x / 2 * 2) as f32, (y / 2 * 2) as f32);
        let grey = (150.0 - y / 8.0) as u8;
        let mut colour = [grey; 3];
        for at in 0..3 {
            let size = 0.8 + 0.1 * ((seed + 2 * at) % 4) as f32;
            let (middle, foot) = (90.0 + 115.0 * at as f32, 270.0 + 20.0 * ((seed + at) % 3) as f32);
            let (across, up) = ((x - middle).abs() / size, (foot - y) / size / 130.0);
            let wheel = (across - 24.0).hypot((y - foot) / size) < 8.0;
            let body = (0.0..1.0).contains(&up) && across < 30.0 + 10.0 * up;
            let lid = (1.0..1.12).contains(&up) && across < 44.0;
            if wheel {
                colour = [15; 3];
            } else if body {
                colour = [30, 90, 50];
            } else if lid {
                colour = [21, 63, 35];
            }
        }
        Rgb(colour)
    })
}

fn detector() -> Detector {
    let manifest = Manifest::load(&root().join("models/city-nano")).unwrap().with_score_min(LABELLED_MIN);
    Detector::open(&Runtime::load(None).unwrap(), manifest, 2).unwrap()
}

/// What the model says of a drawn picture. The way to YUV is written here anew, by BT.601's own numbers.
fn said(detector: &mut Detector, picture: &RgbImage) -> Vec<Detection> {
    let mix = |pixel: &Rgb<u8>, zero: f32, k: [f32; 3]| {
        let sum: f32 = pixel.0.iter().zip(k).map(|(channel, k)| f32::from(*channel) / 255.0 * k).sum();
        (zero + sum).round() as u8
    };
    let luma: Vec<u8> = picture.pixels().map(|pixel| mix(pixel, 16.0, [65.481, 128.553, 24.966])).collect();
    let quarter = image::imageops::resize(picture, SIDE / 2, SIDE / 2, image::imageops::FilterType::Nearest);
    let chroma = |k| quarter.pixels().map(|pixel| mix(pixel, 128.0, k)).collect::<Vec<u8>>();
    let (u, v) = (chroma([-37.797, -74.203, 112.0]), chroma([112.0, -93.786, -18.214]));
    let side = SIDE as usize;
    let plane = |data, stride| Plane { data, stride };
    let view = YuvView {
        width: side,
        height: side,
        luma: plane(&luma, side),
        chroma: Chroma::I420 { u: plane(&u, side / 2), v: plane(&v, side / 2) },
        matrix: Matrix::Bt601,
        range: Range::Limited,
    };
    detector.detect(&[view]).unwrap().remove(0)
}

/// A data set of drawn pictures, its boxes moved by `shift` of their own size; how many boxes it holds.
fn data_set(folder: &Path, shift: f32) -> usize {
    fs::create_dir_all(folder.join("images/val")).unwrap();
    fs::create_dir_all(folder.join("labels/val")).unwrap();
    let names: Vec<&str> = calib::class::Class::ALL.iter().map(|class| class.name()).collect();
    fs::write(folder.join("data.yaml"), format!("val: images/val\nnames: [{}]\n", names.join(", "))).unwrap();
    let mut detector = detector();
    let mut boxes = 0;
    for seed in 0..6 {
        let picture = drawn(seed);
        picture.save(folder.join(format!("images/val/{seed}.png"))).unwrap();
        let lines: Vec<String> = said(&mut detector, &picture)
            .iter()
            .map(|one| {
                let b = one.bounds;
                let class = names.iter().position(|name| *name == one.class.name()).unwrap();
                let [cx, cy] = [(b.x0 + b.x1) / 2.0, (b.y0 + b.y1) / 2.0];
                // Towards the middle, so that what is moved stays in the picture.
                let moved = |at: f32, by: f32| if at < 0.5 { at + shift * by } else { at - shift * by };
                let [cx, cy] = [moved(cx, b.width()), moved(cy, b.height())];
                format!("{class} {cx:.9} {cy:.9} {:.9} {:.9}", b.width(), b.height())
            })
            .collect();
        boxes += lines.len();
        fs::write(folder.join(format!("labels/val/{seed}.txt")), lines.join("\n")).unwrap();
    }
    boxes
}

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn eval(folder: &Path, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shirong"));
    command.arg("eval").arg(folder).args(["--model", "city-nano"]).args(more).current_dir(root());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn what_the_model_says_itself_is_measured_as_one_and_moved_away_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = data_set(folder.path(), 0.0);
    assert!(boxes >= 6, "the model sees only {boxes} things in these drawings: draw others");
    let report = folder.path().join("report");
    let more = ["--json", "-", "--min", "0.999", "--compare", "city-nano", "--out", report.to_str().unwrap()];
    let run = eval(folder.path(), &more);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let all: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&all["data"]["split"], &all["data"]["pictures"]), (&"val".into(), &6.into()));
    assert!(all["mean"]["ap50_95"].as_f64().unwrap() > 0.9999, "{}", run.out);
    let counted: u64 =
        all["classes"].as_object().unwrap().values().map(|one| one["n"].as_u64().unwrap()).sum();
    assert_eq!(counted, boxes as u64);
    // Against itself nothing changes.
    assert_eq!(all["compare"]["mean"], all["mean"]);
    assert_eq!(all["compare"]["worse"], serde_json::json!([]));
    let page = fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("detections-1.png") && !page.contains("<script"));
    for sheet in ["detections-1.png", "mistakes-1.png"] {
        assert!(image::open(report.join(sheet)).unwrap().width() > 400, "{sheet}");
    }

    let moved = tempfile::tempdir().unwrap();
    data_set(moved.path(), 0.8);
    let run = eval(moved.path(), &["--json", "-", "--min", "0.5"]);
    let all: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(all["mean"]["ap50"].as_f64(), Some(0.0), "{}", run.out);
    assert!(
        run.code == Some(1) && run.err.contains("mean AP50 0.000 is below 0.5"),
        "{:?} {}",
        run.code,
        run.err
    );
}

#[test]
fn thresholds_come_as_a_table_that_a_manifest_takes() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path(), 0.0);
    let run = eval(folder.path(), &["--threshold-for", "precision=0.9"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("AP50-95") && run.out.contains("6 pictures"), "{}", run.out);
    let table = &run.out[run.out.find("[score_min]").unwrap()..];
    let manifest = fs::read_to_string(root().join("models/city-nano/manifest.toml")).unwrap();
    let head = &manifest[..manifest.find("[score_min]").unwrap()];
    let model = tempfile::tempdir().unwrap();
    for file in ["city_nano.onnx", "LICENSE-YOLOX.txt"] {
        fs::copy(root().join("models/city-nano").join(file), model.path().join(file)).unwrap();
    }
    fs::write(model.path().join("manifest.toml"), format!("{head}{table}")).unwrap();
    let taken = Manifest::load(model.path()).unwrap();
    // All that the model says from 0.1 on is labelled, so no threshold above that is needed.
    let lowered =
        taken.classes().into_iter().filter(|class| taken.score_min(*class).unwrap() <= LABELLED_MIN);
    assert!(lowered.count() >= 1, "{table}");
}

#[test]
fn mistakes_in_labels_are_told_with_file_and_line_and_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("labels")).unwrap();
    fs::create_dir_all(folder.path().join("images")).unwrap();
    drawn(0).save(folder.path().join("images/a.png")).unwrap();
    fs::write(folder.path().join("labels/a.txt"), "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2\n9 0.5 0.5 0.2 0.2\n")
        .unwrap();
    let run = eval(folder.path(), &["--names", "person"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
    assert!(
        run.err.contains("a.txt:2: has 4 columns") && run.err.contains("a.txt:3: class 9"),
        "{}",
        run.err
    );

    fs::write(folder.path().join("labels/a.txt"), "0 0.5 0.5 0.2 0.2\n").unwrap();
    fs::write(folder.path().join("images/a.png"), "no picture").unwrap();
    let run = eval(folder.path(), &["--names", "person"]);
    assert!(run.code == Some(2) && run.err.contains("a.png: cannot be read as a picture"), "{}", run.err);
    let run = eval(folder.path(), &["--names", "hat"]);
    assert!(run.code == Some(2) && run.err.contains("--map LABEL=CLASS"), "{}", run.err);
    let run = eval(Path::new("nowhere"), &["--threshold-for", "recall=2"]);
    assert!(run.code == Some(2) && run.err.contains("precision=0.9"), "{}", run.err);
}
