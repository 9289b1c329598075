//! Each planted fault gets its own message, with key and mend; several faults come together.

use super::*;
use crate::testing::city_nano;

/// A folder with the default manifest, changed, and stand-ins for the files beside it.
fn folder(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(city_nano().join(FILE_NAME)).unwrap();
    std::fs::write(folder.path().join(FILE_NAME), change(text)).unwrap();
    std::fs::write(folder.path().join("city_nano.onnx"), b"stand-in").unwrap();
    std::fs::write(folder.path().join("LICENSE-YOLOX.txt"), b"stand-in").unwrap();
    folder
}

fn problems(change: impl Fn(String) -> String) -> Vec<Problem> {
    let folder = folder(change);
    match Manifest::load(folder.path()) {
        Err(ModelError::Refused(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

/// One planted fault: replaces `from`, which must be there, and expects one problem.
fn planted(from: &str, to: &str) -> Problem {
    let found = problems(|text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn the_default_model_is_read() {
    let manifest = Manifest::load(&city_nano()).unwrap();
    assert_eq!(manifest, Manifest::load(&city_nano().join(FILE_NAME)).unwrap());
    assert_eq!(manifest.name(), "city-nano");
    assert_eq!((manifest.family(), manifest.providers()), (Family::YoloxGrid, &[Provider::Cpu][..]));
    assert_eq!((manifest.nms_iou, manifest.labels().len()), (Some(0.45), 20));
    assert_eq!(manifest.score_min(Class::Stall), Some(0.4));
    assert_eq!(manifest.score_min(Class::Bag), None);
    assert_eq!(manifest.classes().len(), 20);
    let table = manifest.labels().iter().find(|label| label.text == "table").unwrap();
    assert_eq!(table.class, Some(Class::Table));
    assert_eq!(manifest.input().pad, PAD_DEFAULT);
}

#[test]
fn a_label_without_a_class_is_dropped_and_a_class_may_have_its_own_score() {
    let folder = folder(|text| {
        text.replace("goods = \"goods\"\n", "").replace("default = 0.4", "default = 0.4\nscaffold = 0.55")
    });
    let manifest = Manifest::load(folder.path()).unwrap();
    assert_eq!(manifest.score_min(Class::Goods), None);
    assert_eq!(manifest.score_min(Class::Scaffold), Some(0.55));
    assert_eq!(manifest.score_min(Class::Person), Some(0.2));
}

#[test]
fn faint_boxes_come_out_for_whoever_asks_and_count_for_nobody_else() {
    let manifest = Manifest::load(&city_nano()).unwrap();
    let sure = manifest.sure_min(Class::Garbage).unwrap();
    assert_eq!(manifest.score_min(Class::Garbage), Some(sure), "measured where it counts by itself");
    let faint = manifest.with_faint();
    assert!(faint.score_min(Class::Garbage).unwrap() < sure);
    assert_eq!(faint.sure_min(Class::Garbage), Some(sure));
    assert_eq!(faint.score_min(Class::Person), faint.sure_min(Class::Person), "as faint as it gets already");
}

#[test]
fn each_fault_has_its_key_and_mend() {
    let faults = [
        ("family = \"yolox_grid\"", "family = \"yolo11\"", "family", "yolox_grid"),
        ("provider = \"cpu\"", "provider = \"gpu\"", "provider", "write one of: cpu, cuda"),
        ("provider = \"cpu\"", "provider = 1", "provider", "a list in order of wish"),
        ("provider = \"cpu\"", "provider = []", "provider", "a list in order of wish"),
        ("provider = \"cpu\"", "provider = [\"cpu\", \"cuda\"]", "provider", "write cpu last"),
        ("provider = \"cpu\"", "provider = [\"cuda\", \"cuda\"]", "provider", "once"),
        ("batch = \"dynamic\"", "batch = \"two\"", "batch", "static, dynamic"),
        ("layout = \"nchw\"", "layout = \"chw\"", "input.layout", "nchw, nhwc"),
        ("colour = \"bgr\"", "colour = \"brg\"", "input.colour", "bgr, rgb"),
        ("dtype = \"f32\"", "dtype = \"i8\"", "input.dtype", "f32, f16, u8"),
        ("dtype = \"f32\"", "dtype = \"u8\"\nscale = 0.5", "input.dtype", "take those out"),
        ("pad = 114", "sizes = \"sizes\"", "input.sizes", "detr"),
        ("letterbox = \"corner\"", "letterbox = \"fill\"", "input.letterbox", "corner, centred, stretch"),
        ("strides = [8, 16, 32]", "", "output.strides", "[8, 16, 32]"),
        ("strides = [8, 16, 32]", "strides = [8, 16, 32]\nboxes = \"b\"", "output.boxes", "take it out"),
        ("strides = [8, 16, 32]", "strides = [8, 16, 32]\nunread = [\"output\"]", "output.name", "once"),
        ("name = \"output\"", "", "output.name", "the model's output"),
        (
            "[classes]",
            "[golden]\npicture = \"none.png\"\nexpected = \"city_nano.onnx\"\n[classes]",
            "golden.picture",
            "put it at",
        ),
        ("size = [416, 416]", "size = [416, 420]", "input.size", "every stride divides"),
        ("trim = 32", "trim = 0", "input.trim", "divides both sides"),
        ("trim = 32", "trim = 64", "input.trim", "divides both sides"),
        ("trim = 32", "trim = 16", "input.trim", "the largest stride"),
        ("letterbox = \"corner\"", "letterbox = \"stretch\"", "input.trim", "take it out"),
        ("size = [416, 416]", "size = [0, 416]", "input.size", "32 to 4096"),
        ("strides = [8, 16, 32]", "strides = []", "output.strides", "[8, 16, 32]"),
        ("pad = 114", "pad = 114\nstd = [1.0, 0.0, 1.0]", "input", "leave them out"),
        ("weights = \"city_nano.onnx\"", "weights = \"other.onnx\"", "weights", "put it at"),
        ("weights = \"city_nano.onnx\"", "weights = \"../x.onnx\"", "weights", "without .."),
        ("weights = \"city_nano.onnx\"", "weights = \"/etc/passwd\"", "weights", "without .."),
        ("file = \"LICENSE-YOLOX.txt\"", "file = \"LICENSE\"", "licence.file", "put it at"),
        ("spdx = \"Apache-2.0\"", "spdx = \"\"", "licence.spdx", "write it"),
        ("sha256 = \"", "sha256 = \"xx", "sha256", "sha256sum"),
        ("nms_iou = 0.45", "nms_iou = 1.5", "nms_iou", "up to 1"),
        ("area_max = 0.9", "area_max = nan", "area_max", "up to 1"),
        ("\"bicycle\", \"motorcycle\"", "\"bicycle\", \"bicycle\", \"motorcycle\"", "labels", "once"),
        ("table = \"table\"", "table = \"desk\"", "classes.table", "write one of: person"),
        ("table = \"table\"", "dinner_table = \"table\"", "classes.dinner_table", "a label of the model"),
        ("default = 0.4", "default = 0.4\nbag = 0.3", "score_min.bag", "a class of [classes]"),
        ("default = 0.4", "stall = 0.4", "score_min.default", "0.4"),
        ("[faint_min]", "[faint_min]\nbag = 0.2", "faint_min.bag", "a class of [classes]"),
        ("[faint_min]", "[faint_min]\ngarbage = 0.5", "faint_min.garbage", "take it out"),
        ("default = 0.4", "default = 0.0", "score_min.default", "above 0"),
    ];
    for (from, to, key, mend) in faults {
        let problem = planted(from, to);
        assert_eq!(problem.key, key, "{to}: {problem}");
        assert!(problem.mend.contains(mend), "{to}: {problem}");
        assert!(problem.to_string().contains(FILE_NAME), "{problem}");
    }
}

/// A detr manifest's `[output]`, planted in place of the default model's.
fn detr(output: &str, sizes: &str) -> Result<Manifest, Vec<(String, String)>> {
    let folder = folder(|text| {
        let text =
            text.replacen("family = \"yolox_grid\"", "family = \"detr\"", 1).replacen("trim = 32\n", "", 1);
        let text = text.replacen("name = \"output\"\nstrides = [8, 16, 32]", output, 1);
        text.replacen("pad = 114", sizes, 1).replacen("nms_iou = 0.45", "", 1)
    });
    Manifest::load(folder.path()).map_err(|error| match error {
        ModelError::Refused(problems) => {
            problems.into_iter().map(|problem| (problem.key, problem.mend)).collect()
        }
        other => panic!("{other}"),
    })
}

#[test]
fn outputs_are_named_by_what_they_hold() {
    let three = "boxes = \"b\"\nscores = \"s\"\nlabels = \"l\"\ncorners = \"xyxy\"\n";
    let manifest = detr(three, "sizes = \"orig_target_sizes\"").unwrap();
    assert_eq!(
        manifest.output.names(),
        [("output.boxes", "b"), ("output.scores", "s"), ("output.labels", "l")]
    );
    assert_eq!(manifest.nms_iou, None);
    let keys = |found: Result<Manifest, Vec<(String, String)>>| -> Vec<String> {
        found.unwrap_err().into_iter().map(|(key, _)| key).collect()
    };
    // Without the sizes it must be said what the boxes are measured in; with them it is.
    assert_eq!(keys(detr(three, "")), ["output.units"]);
    let normalised = format!("{three}units = \"normalised\"");
    assert!(detr(&normalised, "").is_ok());
    assert_eq!(keys(detr(&normalised, "sizes = \"s\"")), ["output.units"]);
    assert_eq!(
        keys(detr("name = \"b\"", "")),
        ["output.boxes", "output.scores", "output.labels", "output.corners", "output.units", "output.name",]
    );
    let twice = three.replace("\"s\"", "\"b\"");
    assert_eq!(keys(detr(&twice, "sizes = \"x\"")), ["output.scores"]);
}

#[test]
fn unknown_missing_and_mistyped_keys_name_their_line() {
    let problem = planted("nms_iou = 0.45", "nms_ui = 0.45");
    assert!(
        problem.says.contains("unknown field `nms_ui`") && problem.says.contains("`nms_iou`"),
        "{problem}"
    );
    assert!(problem.key.starts_with("line "), "{problem}");
    let problem = planted("name = \"city-nano\"", "");
    assert!(problem.says.contains("missing field `name`"), "{problem}");
    let problem = planted("size = [416, 416]", "size = \"416\"");
    assert!(problem.says.contains("invalid type"), "{problem}");
    assert!(problem.key.starts_with("line "), "{problem}");
}

#[test]
fn several_faults_come_together() {
    let found = problems(|text| {
        let text =
            text.replace("dtype = \"f32\"", "dtype = \"i8\"").replace("nms_iou = 0.45", "nms_iou = 0.0");
        text.replace("bicycle = \"bicycle\"", "bicycle = \"bike\"")
            .replace("batch = \"dynamic\"", "batch = \"\"")
    });
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["batch", "nms_iou", "input.dtype", "classes.bicycle"]);
}

#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    let folder = folder(|text| text);
    let weights = folder.path().join("city_nano.onnx");
    std::fs::remove_file(&weights).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &weights).unwrap();
    let Err(ModelError::Refused(found)) = Manifest::load(folder.path()) else { panic!("not refused") };
    assert_eq!(found[0].key, "weights");
    assert!(found[0].says.contains("outside the manifest's folder"), "{}", found[0]);
}

#[test]
fn a_folder_without_a_manifest_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = Manifest::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.toml") && error.contains("cannot be read"), "{error}");
}
