//! Each planted fault of a classifier's manifest gets its own message, with key and mend; several come together.

use super::*;
use crate::manifest::Manifest;
use crate::testing::{changed, city_nano, small_classifier};

fn problems(change: impl Fn(String) -> String) -> Vec<Problem> {
    let folder = changed(&small_classifier("softmax"), change);
    match ClassifierManifest::load(folder.path()) {
        Err(ModelError::Refused(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_classifier_is_read() {
    let folder = small_classifier("softmax");
    let manifest = ClassifierManifest::load(&folder).unwrap();
    assert_eq!(manifest, ClassifierManifest::load(&folder.join("manifest.toml")).unwrap());
    assert_eq!((manifest.name(), manifest.score_min()), ("small-softmax", 0.6));
    let cut = Cut { on: vec![Class::GarbageBin, Class::BinOverflow], margin: 0.1, side_px_min: 16 };
    assert_eq!(manifest.cut(), &cut);
    let becomes: Vec<Becomes> = manifest.labels().iter().map(|label| label.becomes).collect();
    let [full, closed] = [Class::BinOverflow, Class::GarbageBin].map(Becomes::Class);
    assert_eq!(becomes, [full, closed, Becomes::Dropped, Becomes::Itself]);
    assert_eq!(manifest.classes(), [Class::GarbageBin, Class::BinOverflow]);
    assert!(is_one(&folder) && !is_one(&city_nano()) && !is_one(&folder.join("none.toml")));
    assert!(crate::manifest::faults(&folder).is_empty() && crate::manifest::faults(&city_nano()).is_empty());
}

#[test]
fn margin_and_smallest_side_may_be_left_out() {
    let folder = changed(&small_classifier("softmax"), |text| {
        text.replace("margin = 0.1\n", "").replace("side_px_min = 16\n", "")
    });
    let manifest = ClassifierManifest::load(folder.path()).unwrap();
    assert_eq!((manifest.cut.margin, manifest.cut.side_px_min), (MARGIN_DEFAULT, SIDE_PX_MIN_DEFAULT));
}

#[test]
fn each_fault_has_its_key_and_mend() {
    let faults = [
        ("name = \"small-softmax\"", "name = \" \"", "name", "write it"),
        ("batch = \"dynamic\"", "batch = \"two\"", "batch", "static, dynamic"),
        ("batch = \"dynamic\"", "batch = \"dynamic\"\nprovider = \"gpu\"", "provider", "cpu, cuda"),
        ("sha256 = \"", "sha256 = \"0", "sha256", "64 lower-case"),
        ("weights = \"model.onnx\"", "weights = \"../model.onnx\"", "weights", "without .."),
        ("weights = \"model.onnx\"", "weights = \"none.onnx\"", "weights", "put it at"),
        ("file = \"LICENCE.txt\"", "file = \"none.txt\"", "licence.file", "put it at"),
        ("spdx = \"Apache-2.0\"", "spdx = \"\"", "licence.spdx", "write it"),
        ("\"unsure\"]", "\"closed\"]", "labels", "once"),
        ("on = [\"garbage_bin\", \"bin_overflow\"]", "on = []", "on", "name the classes"),
        ("on = [\"garbage_bin\", ", "on = [\"dustbin\", ", "on", "garbage_bin"),
        ("on = [\"garbage_bin\", ", "on = [\"bin_overflow\", ", "on", "once"),
        ("margin = 0.1", "margin = 1.5", "margin", "write 0 to 1"),
        ("margin = 0.1", "margin = nan", "margin", "write 0 to 1"),
        ("side_px_min = 16", "side_px_min = 4", "side_px_min", "write 8 to 4096"),
        ("score_min = 0.6", "score_min = 0.0", "score_min", "above 0"),
        ("size = [48, 64]", "size = [48, 16]", "input.size", "32 to 4096"),
        ("layout = \"nchw\"", "layout = \"hwc\"", "input.layout", "nchw, nhwc"),
        ("dtype = \"f32\"", "dtype = \"u8\"", "input.dtype", "take those out"),
        ("letterbox = \"stretch\"", "letterbox = \"fill\"", "input.letterbox", "corner, centred, stretch"),
        ("name = \"crops\"", "name = \"crops\"\nsizes = \"sizes\"", "input.sizes", "take it out"),
        ("name = \"output\"", "name = \"\"", "output.name", "write it"),
        ("name = \"output\"", "name = \"output\"\nunread = [\"output\"]", "output.name", "once"),
        ("kind = \"softmax\"", "kind = \"soft\"", "output.kind", "softmax, logits, sigmoid"),
        ("no_bin = \"drop\"", "no_bin = \"gone\"", "becomes.no_bin", "drop, person"),
        ("no_bin = \"drop\"", "nobody = \"drop\"", "becomes.nobody", "a label of the model"),
    ];
    for (from, to, key, mend) in faults {
        let found = problems(|text| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        assert_eq!(found.len(), 1, "{to}: {found:#?}");
        assert_eq!(found[0].key, key, "{to}: {found:#?}");
        assert!(found[0].mend.contains(mend), "{to}: {found:#?}");
    }
}

#[test]
fn faults_of_what_belongs_together_are_told() {
    let cut_off = |text: String| text.split("overflowing =").next().unwrap_or_default().to_owned();
    let found = problems(cut_off);
    assert_eq!((found.len(), found[0].key.as_str()), (1, "becomes"), "{found:#?}");
    let labels = "labels = [\"overflowing\", \"closed\", \"no_bin\", \"unsure\"]";
    let alone = |text: String| {
        let text = text.replace(labels, "labels = [\"overflowing\"]");
        text.replace("closed = \"garbage_bin\"\nno_bin = \"drop\"\n", "")
    };
    let found = problems(alone);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].key == "labels" && found[0].mend.contains("sigmoid"), "{found:#?}");
    // One column of its own probability is sound.
    let folder = changed(&small_classifier("softmax"), |text| {
        alone(text).replace("kind = \"softmax\"", "kind = \"sigmoid\"")
    });
    ClassifierManifest::load(folder.path()).unwrap();
    let found = problems(|text| text.replace(labels, "labels = []"));
    assert_eq!(found.len(), 4, "no labels, and three that are none: {found:#?}");
}

#[test]
fn all_faults_are_told_at_once_and_words_that_are_no_keys_by_their_line() {
    let found = problems(|text| {
        text.replace("score_min = 0.6", "score_min = 2")
            .replace("margin = 0.1", "margin = -1")
            .replace("kind = \"softmax\"", "kind = \"soft\"")
    });
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["output.kind", "score_min", "margin"]);
    let found = problems(|text| text.replace("margin = 0.1", "nms_iou = 0.4"));
    assert_eq!((found.len(), found[0].key.as_str()), (1, "line 9"), "{found:#?}");
    assert!(found[0].says.contains("nms_iou") && found[0].mend.contains("models/tests/second"), "{found:#?}");
}

#[test]
fn a_detector_is_no_classifier_and_a_classifier_no_detector() {
    let told = |error: ModelError| error.into_problems(Path::new("")).remove(0);
    let problem = told(ClassifierManifest::load(&city_nano()).unwrap_err());
    assert_eq!(problem.key, "family");
    assert!(problem.to_string().contains("\"yolox_grid\" is no model that judges"), "{problem}");
    let problem = told(Manifest::load(&small_classifier("softmax")).unwrap_err());
    assert_eq!(problem.key, "family");
    assert!(problem.to_string().contains("model.second"), "{problem}");
    let problem = told(ClassifierManifest::load(Path::new("/none")).unwrap_err());
    assert!(problem.says.contains("cannot be read"), "{problem}");
}
