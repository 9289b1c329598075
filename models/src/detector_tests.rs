//! The real weights: decoding against the plain way on the same session, batches, and every refusal.
//!
//! These need `libonnxruntime.so` (`make runtime`) and fail with the loader's message where it is missing.

use std::path::PathBuf;

use calib::class::Class;
use calib::space::ImageBox;

use super::*;
use crate::testing::{Picture, city_nano};

fn runtime() -> Runtime {
    match Runtime::load(None) {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error}"),
    }
}

fn manifest() -> Manifest {
    Manifest::load(&city_nano()).unwrap()
}

fn detector(change: impl Fn(&mut Manifest)) -> Detector {
    let mut manifest = manifest();
    change(&mut manifest);
    Detector::open(&runtime(), manifest, 1).unwrap()
}

/// Something to look at: a bright street, dark boxes on it, stripes and a disc.
fn street(size: [usize; 2], shift: usize) -> Picture {
    Picture::from_rgb(size, |x, y| {
        let (x, y) = (x * 640 / size[0] + shift, y * 360 / size[1]);
        let disc = x.abs_diff(420).pow(2) + y.abs_diff(120).pow(2);
        match (x, y) {
            (100..=180, 150..=300) => [40, 45, (30 + y / 4) as u8],
            (300..=340, 200..=340) => [180, 30, 40],
            _ if disc < 60 * 60 => [(disc / 20) as u8, 60, 200],
            (500..=600, 240..=330) if (x / 6 + y / 9) % 2 == 0 => [220, 220, 210],
            (_, 0..=140) => [150, 170, 190],
            _ => [(120 + (x * 7 + y * 13) % 23) as u8, 118, 112],
        }
    })
}

/// What the plain way makes of the model's output: every row, f64, no shortcuts.
fn plain(output: &[f32], manifest: &Manifest, fit: Fit) -> Vec<(Class, f64, [f64; 4])> {
    let mut found: Vec<(Class, f64, [f64; 4])> = Vec::new();
    let mut rows = output.chunks(5 + manifest.labels.len());
    for stride in [8, 16, 32] {
        for y in 0..fit.tensor[1] / stride {
            for x in 0..fit.tensor[0] / stride {
                let row: Vec<f64> = rows.next().unwrap().iter().map(|&value| f64::from(value)).collect();
                let best = (5..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
                let (class, score) = (manifest.labels[best - 5].class.unwrap(), row[4] * row[best]);
                let stride = stride as f64;
                let (cx, cy) = ((row[0] + x as f64) * stride, (row[1] + y as f64) * stride);
                let (w, h) = (row[2].exp() * stride, row[3].exp() * stride);
                let corners = [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0];
                let shown = cut(corners, fit);
                let area = (shown[2] - shown[0]) * (shown[3] - shown[1]) / (fit.width * fit.height) as f64;
                if score >= f64::from(manifest.labels[best - 5].score_min) && area > 0.0 && area <= 0.9 {
                    found.push((class, score, corners));
                }
            }
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<(Class, f64, [f64; 4])> = Vec::new();
    for this in found {
        if kept.iter().all(|better| {
            better.0 != this.0 || overlap(better.2, this.2) <= f64::from(manifest.nms_iou.unwrap())
        }) {
            kept.push(this);
        }
    }
    kept.into_iter().map(|(class, score, corners)| (class, score, cut(corners, fit))).collect()
}

fn cut([x0, y0, x1, y1]: [f64; 4], fit: Fit) -> [f64; 4] {
    let (w, h) = (fit.width as f64, fit.height as f64);
    [x0.clamp(0.0, w), y0.clamp(0.0, h), x1.clamp(0.0, w), y1.clamp(0.0, h)]
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let shared = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
}

#[test]
fn boxes_equal_those_of_the_plain_way() {
    // Low thresholds, so that there is much to decode and to suppress.
    let mut detector =
        detector(|manifest| manifest.labels.iter_mut().for_each(|label| label.score_min = 1e-4));
    for size in [[1280, 720], [500, 640]] {
        let picture = street(size, 0);
        let found = detector.detect(&[picture.view()]).unwrap().remove(0);
        let fits = detector.tensor.write(&[picture.view()], &[0]).unwrap();
        let Detector { engine: Engine { model, manifest, .. }, tensor } = &mut detector;
        let run = model.run(tensor.extent(1), &tensor.feeds(0..1), |answers| {
            Ok(plain(&answers[0].numbers, manifest, fits[0]))
        });
        let wanted = run.unwrap();
        println!("{} boxes compared", wanted.len());
        assert!(wanted.len() >= 5, "only {} boxes to compare", wanted.len());
        assert_eq!(found.len(), wanted.len());
        for (found, (class, score, [x0, y0, x1, y1])) in found.iter().zip(wanted) {
            assert_eq!(found.class, class);
            assert!((f64::from(found.score) - score).abs() < 1e-5);
            let (w, h) = (fits[0].width as f32, fits[0].height as f32);
            let ImageBox { x0: a, y0: b, x1: c, y1: d } = found.bounds;
            for (found, wanted) in [(a * w, x0), (b * h, y0), (c * w, x1), (d * h, y1)] {
                assert!((f64::from(found) - wanted).abs() < 1e-3, "{found} for {wanted} pixels");
            }
        }
    }
}

#[test]
fn a_batch_gives_what_its_pictures_give_one_by_one() {
    let mut detector =
        detector(|manifest| manifest.labels.iter_mut().for_each(|label| label.score_min = 0.05));
    let pictures: Vec<Picture> =
        (0..BATCH_MAX + 3).map(|at| street([[640, 360], [352, 288], [1920, 1080]][at % 3], at * 9)).collect();
    let views: Vec<YuvView<'_>> = pictures.iter().map(Picture::view).collect();
    let together = detector.detect(&views).unwrap();
    assert_eq!(together.len(), views.len());
    assert!(together.iter().any(|look| !look.is_empty()));
    for (view, look) in views.iter().zip(&together) {
        let alone = detector.detect(std::slice::from_ref(view)).unwrap().remove(0);
        assert_eq!(alone.len(), look.len());
        for (alone, look) in alone.iter().zip(look) {
            assert_eq!(alone.class, look.class);
            assert!(alone.bounds.iou(&look.bounds) > 0.999 && (alone.score - look.score).abs() < 1e-4);
        }
        assert!(look.is_sorted_by(|a, b| a.score >= b.score));
    }
    assert_eq!(detector.detect(&[]).unwrap(), Vec::<Vec<Detection>>::new());
}

#[test]
fn what_is_trimmed_shows_what_the_whole_input_shows() {
    let lowered =
        |manifest: &mut Manifest| manifest.labels.iter_mut().for_each(|label| label.score_min = 0.05);
    let mut trimmed = detector(lowered);
    let mut whole = detector(|manifest| {
        lowered(manifest);
        manifest.input.trim = None;
    });
    for (size, tensor) in [([1280, 720], [416, 256]), ([480, 640], [320, 416]), ([500, 500], [416, 416])] {
        let picture = street(size, 0);
        let [found, wanted] =
            [&mut trimmed, &mut whole].map(|detector| detector.detect(&[picture.view()]).unwrap().remove(0));
        assert_eq!(trimmed.tensor.extent(1).size, tensor);
        assert_eq!(whole.tensor.extent(1).size, [416, 416]);
        // The padding reaches a box through the network's widest layers, which see much of the picture: scores move, places do not.
        for wanted in wanted.iter().filter(|wanted| wanted.score > 0.15) {
            let same =
                |found: &&Detection| found.class == wanted.class && found.bounds.iou(&wanted.bounds) > 0.9;
            let found = found.iter().find(same).unwrap_or_else(|| panic!("{wanted:?} is gone: {found:?}"));
            assert!((found.score - wanted.score).abs() < 0.15, "{found:?} for {wanted:?}");
        }
    }
}

#[test]
fn a_model_of_one_size_cannot_be_trimmed() {
    let fixed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families/yolov8");
    let folder = crate::testing::changed(&fixed, |text| text.replace("size = [", "trim = 32\nsize = ["));
    let problem = only_problem(&folder);
    assert_eq!(problem.key, "input.trim");
    assert!(problem.says.contains("fixed") && problem.mend.contains("free height"), "{problem}");
}

#[test]
fn a_place_of_a_batch_alone_says_what_it_says_among_others() {
    let Detector { mut engine, mut tensor } =
        detector(|manifest| manifest.labels.iter_mut().for_each(|label| label.score_min = 1e-3));
    let pictures = [street([640, 360], 0), street([640, 360], 90), street([640, 360], 200)];
    let views = pictures.each_ref().map(Picture::view);
    let fits = tensor.write(&views, &[0, 1, 2]).unwrap();
    let together = engine.infer(&tensor, 0..3, &fits).unwrap();
    assert!(together[1] != together[0] && !together[1].is_empty());
    for at in 0..3 {
        let alone = engine.infer(&tensor, at..at + 1, &fits[at..=at]).unwrap();
        assert_eq!(alone[0].len(), together[at].len());
        assert!(alone[0].iter().zip(&together[at]).all(|(a, b)| a.bounds.iou(&b.bounds) > 0.999));
    }
}

#[test]
fn an_unreadable_picture_is_named_and_the_next_batch_is_fine() {
    let mut detector = detector(|_| {});
    let (good, bad) = (street([640, 360], 0), street([4, 360], 0));
    let views: Vec<YuvView<'_>> =
        (0..BATCH_MAX + 2).map(|at| if at == 9 { bad.view() } else { good.view() }).collect();
    let error = detector.detect(&views).unwrap_err();
    assert!(matches!(error, ModelError::Picture { index: 9, width: 4, height: 360, .. }), "{error}");
    assert_eq!(detector.detect(&views[..9]).unwrap().len(), 9);
}

/// A copy of the default model with its manifest and weights changed; the manifest's sum follows the weights.
fn changed(text: impl Fn(String) -> String, weights: impl Fn(&mut Vec<u8>)) -> tempfile::TempDir {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let model = manifest();
    let mut bytes = std::fs::read(model.weights()).unwrap();
    weights(&mut bytes);
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let manifest = std::fs::read_to_string(model.file()).unwrap().replace(model.sha256(), &sha256);
    std::fs::write(folder.path().join("manifest.toml"), text(manifest)).unwrap();
    std::fs::write(folder.path().join("city_nano.onnx"), bytes).unwrap();
    std::fs::copy(&model.licence().file, folder.path().join("LICENSE-YOLOX.txt")).unwrap();
    folder
}

fn only_problem(folder: &tempfile::TempDir) -> Problem {
    let problems = check(&runtime(), folder.path());
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn a_sound_model_has_no_problems() {
    assert_eq!(check(&runtime(), &city_nano()), []);
}

#[test]
fn a_manifest_that_the_model_contradicts_is_refused() {
    let faults = [
        ("name = \"images\"", "name = \"image\"", "input.name", "\"images\""),
        ("name = \"output\"", "name = \"boxes\"", "output.name", "\"output\""),
        ("batch = \"dynamic\"", "batch = \"static\"", "batch", "free"),
        // A label less: the declared output is free in every dimension, so the first run shows it.
        (", \"hoarding\",", ",", "output", "24"),
    ];
    for (from, to, key, says) in faults {
        let text = |text: String| {
            text.replacen(from, to, 1).replacen("hoarding = \"hoarding\"\n", "", usize::from(key == "output"))
        };
        let folder = changed(text, |_| {});
        let problems = check(&runtime(), folder.path());
        assert!(
            problems.iter().any(|problem| problem.key == key && problem.says.contains(says)),
            "{to}: {problems:#?}"
        );
    }
}

#[test]
fn weights_that_are_not_those_meant_are_refused() {
    let folder = changed(|text| text, |_| {});
    std::fs::write(folder.path().join("city_nano.onnx"), b"something else").unwrap();
    let problem = only_problem(&folder);
    assert_eq!(problem.key, "sha256");
    assert!(problem.says.contains("city_nano.onnx"), "{problem}");
}

#[test]
fn weights_that_cannot_be_loaded_are_refused() {
    let cut_off = changed(|text| text, |weights| weights.truncate(weights.len() / 2));
    let problem = only_problem(&cut_off);
    assert_eq!(problem.key, "weights");
    assert!(problem.says.contains("cannot load") && problem.mend.contains("export"), "{problem}");

    // The opset's version, `opset_import { version: 17 }`, at the file's end.
    let too_new = changed(
        |text| text,
        |weights| {
            let field = [0x42, 0x02, 0x10, 0x11];
            let at = weights.windows(field.len()).rposition(|window| window == field).expect("opset 17");
            weights[at + 3] = 0x7f;
        },
    );
    let problem = only_problem(&too_new);
    assert_eq!(problem.key, "weights");
    assert!(problem.says.to_lowercase().contains("opset") && problem.mend.contains("opset"), "{problem}");
}

#[test]
fn broken_numbers_in_the_weights_are_refused() {
    // Bytes of ones are NaN at any alignment; the middle of the file is weights.
    let broken = changed(
        |text| text,
        |weights| {
            let middle = weights.len() / 2;
            weights[middle..middle + 64].fill(0xff);
        },
    );
    let problem = only_problem(&broken);
    assert_eq!(problem.key, "output");
    assert!(problem.says.contains("NaN"), "{problem}");
}

/// One of the small models of `tests/families`, its manifest changed.
fn small(name: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/families").join(name);
    for file in ["manifest.toml", "model.onnx", "LICENCE.txt"] {
        std::fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let file = folder.path().join("manifest.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{name}: {from}");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
    folder
}

/// The manifest of each family against a model that is otherwise: one problem, at its key, before any look.
#[test]
fn each_family_refuses_what_its_model_is_not() {
    let four = "labels = [\"person\", \"heap\", \"parasol\", \"unnamed\"]";
    let three = "labels = [\"person\", \"heap\", \"parasol\"]";
    let two = "labels = [\"person\", \"heap\"]\n#";
    let faults = [
        ("yolov8", four, three, "labels", "[n, 7, any]"),
        ("yolov8", "family = \"yolov8\"", "family = \"yolov5\"", "labels", "[n, any, 9]"),
        ("yolov8", "family = \"yolov8\"", "family = \"end_to_end\"", "output", "[n, any, 6]"),
        ("yolov5-f16", four, three, "labels", "[1, any, 8]"),
        ("ssd", "background = \"first\"", "background = \"none\"", "labels", "[n, any, 4]"),
        ("yolov8", "dtype = \"f32\"", "dtype = \"f16\"", "input.dtype", "is of f32, not f16"),
        ("yolov5-f16", "dtype = \"f16\"", "dtype = \"f32\"", "input.dtype", "is of f16, not f32"),
        ("end-to-end", "dtype = \"u8\"", "dtype = \"f32\"", "input.dtype", "is of u8, not f32"),
        ("ssd", "layout = \"nhwc\"", "layout = \"nchw\"", "input.size", "[n, 3, 64, 96]"),
        ("ssd-plain", "size = [96, 64]", "size = [64, 96]", "input.size", "[1, 3, 96, 64]"),
        ("ssd-plain", "batch = \"static\"", "batch = \"dynamic\"", "batch", "fixed"),
        ("yolov8", "batch = \"dynamic\"", "batch = \"static\"", "batch", "free"),
        ("detr-sizes", "sizes = \"sizes\"\n", "", "output.units", "is missing"),
        ("detr-sizes", "sizes = \"sizes\"", "sizes = \"size\"", "input.sizes", "none \"size\""),
        ("detr-sizes", "scores = \"scores\"", "scores = \"sure\"", "output.scores", "3 outputs"),
        ("detr-sizes", "labels = \"labels\"", "labels = \"boxes\"", "output.labels", "twice"),
        ("ssd-counted", "count = \"count\"\n", "", "output", "4 outputs, also \"count\""),
        ("yolov8", "name = \"output\"", "name = \"boxes\"", "output.name", "1 output (\"output\")"),
        // Numbers of labels are known once the model has run.
        ("detr-sizes", four, three, "labels", "none of the 3"),
        ("end-to-end", four, three, "labels", "none of the 3"),
        ("ssd-counted", "label_first = 1", "label_first = 0", "labels", "none of the 4"),
    ];
    for (name, from, to, key, says) in faults {
        let folder = small(name, from, to);
        let problems = check(&runtime(), folder.path());
        assert_eq!(problems.len(), 1, "{name} {to}: {problems:#?}");
        assert!(problems[0].key == key && problems[0].says.contains(says), "{name} {to}: {}", problems[0]);
        assert!(!problems[0].mend.is_empty() && problems[0].file.starts_with(folder.path()));
    }
    // Whatever is wrong with the manifest itself comes all at once.
    let folder = small("yolov8", four, two);
    let problems = check(&runtime(), folder.path());
    assert!(problems.iter().any(|problem| problem.key == "classes.parasol"), "{problems:#?}");
}

#[test]
fn an_output_that_nothing_reads_must_be_named() {
    let folder = small("ssd-counted", "count = \"count\"\n", "unread = [\"count\"]\n");
    assert_eq!(check(&runtime(), folder.path()), []);
}

#[test]
fn files_beside_the_manifest_are_needed() {
    let folder = small("yolov8", "", "");
    std::fs::remove_file(folder.path().join("LICENCE.txt")).unwrap();
    let problem = only_problem(&folder);
    assert_eq!(problem.key, "licence.file");
    assert!(problem.says.contains("LICENCE.txt"), "{problem}");
    let folder =
        small("yolov8", "[classes]\nperson = \"person\"\nheap = \"garbage\"\nparasol = \"umbrella\"\n", "");
    let problem = only_problem(&folder);
    assert!(problem.says.contains("missing field `classes`"), "{problem}");
}

/// The libraries that the tests run with are built for the CPU alone.
#[test]
fn a_provider_that_is_absent_is_an_error_unless_another_is_named_after_it() {
    let wheels = [
        ("cuda", "onnxruntime-gpu"),
        ("tensorrt", "onnxruntime-gpu"),
        ("openvino", "onnxruntime-openvino"),
        ("openvino_bf16", "onnxruntime-openvino"),
    ];
    for (word, wheel) in wheels {
        let provider = format!("batch = \"dynamic\"\nprovider = \"{word}\"");
        let folder = small("yolov8", "batch = \"dynamic\"", &provider);
        let problem = only_problem(&folder);
        assert_eq!(problem.key, "provider");
        assert!(problem.says.contains(word) && problem.mend.contains(wheel), "{problem}");

        let provider = format!("batch = \"dynamic\"\nprovider = [\"{word}\", \"cpu\"]");
        let folder = small("yolov8", "batch = \"dynamic\"", &provider);
        let manifest = Manifest::load(folder.path()).unwrap();
        let detector = Detector::open(&runtime(), manifest, 1).unwrap();
        assert_eq!(detector.provider(), Provider::Cpu);
    }
    let both = "batch = \"dynamic\"\nprovider = [\"tensorrt\", \"cuda\"]";
    let problems = check(&runtime(), small("yolov8", "batch = \"dynamic\"", both).path());
    assert_eq!(problems.len(), 2, "{problems:#?}");
    // Weights that nothing can load are no fault of the accelerator.
    let folder = small("yolov8", "batch = \"dynamic\"", "batch = \"dynamic\"\nprovider = \"cuda\"");
    replace_weights(&folder, |weights| weights.truncate(weights.len() / 2));
    assert_eq!(only_problem(&folder).key, "weights");
}

fn replace_weights(folder: &tempfile::TempDir, change: impl Fn(&mut Vec<u8>)) {
    use sha2::{Digest, Sha256};
    let hex = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect() };
    let [manifest, weights] = ["manifest.toml", "model.onnx"].map(|name| folder.path().join(name));
    let mut bytes = std::fs::read(&weights).unwrap();
    let before = hex(&bytes);
    change(&mut bytes);
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(manifest, text.replace(&before, &hex(&bytes))).unwrap();
    std::fs::write(weights, bytes).unwrap();
}

#[test]
fn a_strange_label_in_a_run_is_counted_and_costs_its_box_only() {
    let folder = small("end-to-end", "", "");
    let mut detector = Detector::open(&runtime(), Manifest::load(folder.path()).unwrap(), 1).unwrap();
    let picture = street([640, 360], 0);
    let before = detector.detect(&[picture.view()]).unwrap().remove(0);
    assert_eq!(detector.strange_labels(), 0);
    // As if the trial pictures had not shown that there is a fourth label.
    let mut manifest = detector.engine.manifest.clone();
    let unknown = manifest.labels.pop().unwrap();
    assert_eq!(unknown.class, None);
    detector.engine.decoder = family::decoder(&manifest);
    let after = detector.detect(&[picture.view()]).unwrap().remove(0);
    assert_eq!(before, after);
    assert!(detector.strange_labels() > 0);
}

/// Third-party pictures that lie beside a developer's checkout and are not part of the repository.
fn shared_pictures() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no pictures at {}", folder.display());
    None
}

fn look_at(detector: &mut Detector, file: &Path) -> Vec<Detection> {
    let rgb = image::open(file).unwrap().to_rgb8();
    let size = [rgb.width() as usize, rgb.height() as usize];
    let picture = Picture::from_rgb(size, |x, y| rgb.get_pixel(x as u32, y as u32).0);
    detector.detect(&[picture.view()]).unwrap().remove(0)
}

#[test]
fn garbage_is_found_on_most_photographs_that_show_it() {
    let Some(folder) = shared_pictures() else { return };
    let mut detector = detector(|_| {});
    let mut labels: Vec<PathBuf> = std::fs::read_dir(folder.join("garbage/labels"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    labels.sort();
    let shows =
        |label: &PathBuf| std::fs::read_to_string(label).unwrap().lines().any(|line| line.starts_with("0 "));
    let chosen: Vec<PathBuf> = labels.into_iter().step_by(7).filter(shows).take(30).collect();
    let found = chosen.iter().filter(|label| {
        let name = label.with_extension("jpg");
        let file = folder.join("garbage/images").join(name.file_name().unwrap());
        look_at(&mut detector, &file).iter().any(|seen| seen.class == Class::Garbage)
    });
    let found = found.count();
    println!("garbage found on {found} of {} photographs", chosen.len());
    assert!(chosen.len() >= 20 && found * 10 >= chosen.len() * 7, "{found} of {}", chosen.len());
}

#[test]
fn the_rendered_street_shows_its_umbrella_and_heap() {
    let Some(folder) = shared_pictures() else { return };
    let faint = |manifest: &mut Manifest| *manifest = manifest.clone().with_faint();
    let look = look_at(&mut detector(faint), &folder.join("render/street.png"));
    let best = |class: Class| look.iter().find(|seen| seen.class == class).map_or(0.0, |seen| seen.score);
    println!("umbrella {:.2}, garbage {:.2}", best(Class::Umbrella), best(Class::Garbage));
    assert!(best(Class::Umbrella) >= 0.6 && best(Class::Garbage) >= 0.4);
}
