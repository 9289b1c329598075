//! `shirong check` as a user types it.

use std::process::Command;

use crate::street::NodeFolder;

const FIVE: &str = r#"
name = "Five mistakes"
[stream]
url = "rtsp://192.0.2.10/x"
transprot = "udp"
[calibration]
image_size = [1920, 1080]
[[calibration.point]]
pixel = [100, 100]
lonlat = [118.6500, 34.9200]
[[calibration.point]]
pixel = [200, 200]
lonlat = [118.6501, 34.9201]
[[calibration.point]]
pixel = [300, 300]
lonlat = [118.6502, 34.9202]
[[calibration.point]]
pixel = [400, 400]
lonlat = [118.6503, 34.9203]
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.1, 0.1], [0.9, 0.9]]
[[rule]]
kind = "litter"
matter = "06099"
[grids]
unit = "no-such-grid.geojson"
"#;

fn check(node: &NodeFolder, json: bool) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shirong"));
    command.args(["check", "-c"]).arg(node.config()).current_dir(crate::street::root());
    if json {
        command.arg("--json");
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn five_mistakes_in_one_file_are_told_in_one_run() {
    let node = NodeFolder::new();
    node.camera("five", FIVE);
    let (code, said) = check(&node, true);
    assert_eq!(code, Some(1), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let errors = report["errors"].as_array().unwrap();
    let mut keys: Vec<&str> = errors.iter().map(|e| e["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["calibration.point", "grids.unit", "rule[0].matter", "stream.transprot", "zone[0].polygon"]
    );
    for error in errors {
        assert!(error["file"].as_str().unwrap().ends_with("cameras/five.toml"), "{error}");
        assert!(!error["mend"].as_str().unwrap().is_empty());
    }
    let (code, said) = check(&node, false);
    assert_eq!(code, Some(1));
    assert!(said.ends_with("5 errors\n"), "{said}");
}

#[test]
fn a_good_node_is_well_and_says_so() {
    let node = NodeFolder::new();
    node.sample_camera("litter", 8554, &[]);
    let (code, said) = check(&node, false);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 camera, all well"), "{said}");
}

#[test]
fn a_node_without_a_model_or_a_camera_says_what_to_write() {
    let node = NodeFolder::new();
    let text = std::fs::read_to_string(node.config()).unwrap().replace("[model]", "[modell]");
    std::fs::write(node.config(), text).unwrap();
    let (code, said) = check(&node, true);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let keys: Vec<&str> =
        report["errors"].as_array().unwrap().iter().map(|e| e["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"model") && keys.contains(&"modell") && keys.contains(&""), "{said}");
}

#[test]
fn a_control_point_that_disagrees_is_a_warning_that_names_it() {
    let node = NodeFolder::new();
    // The fourth point's pixel belongs to another landmark.
    node.sample_camera("clean", 8554, &[("pixel = [421.023, 536.933]", "pixel = [521.023, 466.933]")]);
    let (code, said) = check(&node, true);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, report["errors"].as_array().unwrap().len()), (Some(0), 0), "{said}");
    let keys: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().map(|w| w["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"calibration.point[3]"), "{said}");
    assert!(
        !keys.iter().any(|key| key.starts_with("calibration") && *key != "calibration.point[3]"),
        "{said}"
    );
}

#[test]
fn a_reference_picture_that_is_missing_or_none_is_told_at_its_key() {
    let node = NodeFolder::new();
    let footway = "[[zone]]\nid = \"footway\"";
    let named = format!(
        "[scene]\nreference = \"none.png\"\n\n[[preset]]\nname = \"gate\"\nreference = \"text.png\"\n\n{footway}"
    );
    node.sample_camera("litter", 8554, &[(footway, &named)]);
    std::fs::write(node.folder.path().join("cameras/text.png"), "this is no picture\n").unwrap();
    let (code, said) = check(&node, true);
    assert_eq!(code, Some(1), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let keys: Vec<&str> =
        report["errors"].as_array().unwrap().iter().map(|error| error["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["scene.reference", "preset[0].reference"], "{said}");
}

#[test]
fn a_second_model_that_cannot_judge_is_told() {
    let node = NodeFolder::new();
    let plain = std::fs::read_to_string(node.config()).unwrap();
    let second = |place: &std::path::Path| {
        let text = plain.replace("[model]\n", &format!("[model]\nsecond = '{}'\n", place.display()));
        std::fs::write(node.config(), text).unwrap();
        let (_, said) = check(&node, true);
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        let told = report["errors"].as_array().unwrap().iter().filter(|error| error["key"] == "model.second");
        told.map(|error| error["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let small = crate::street::root().join("models/tests/second/softmax");
    assert_eq!(second(&small), [""; 0]);
    let told = second(&crate::street::root().join("models/city-nano"));
    assert!(told.len() == 1 && told[0].contains("is no model that judges boxes"), "{told:?}");

    let other = tempfile::tempdir().unwrap();
    for name in ["model.onnx", "LICENCE.txt"] {
        std::fs::copy(small.join(name), other.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(small.join("manifest.toml")).unwrap();
    for (on, says) in [("bag", "judges bag alone"), ("person", "judges person, which evidence masks")] {
        let text = text.replace("on = [\"garbage_bin\", \"bin_overflow\"]", &format!("on = [\"{on}\"]"));
        std::fs::write(other.path().join("manifest.toml"), text).unwrap();
        let told = second(other.path());
        assert!(told.len() == 1 && told[0].contains(says), "{told:?}");
    }
}

#[test]
fn a_masking_model_that_hides_nothing_is_told() {
    let node = NodeFolder::new();
    let plain = std::fs::read_to_string(node.config()).unwrap();
    let masking = |place: &std::path::Path| {
        let text = plain.replace("[model]\n", &format!("[model]\nmasking = '{}'\n", place.display()));
        std::fs::write(node.config(), text).unwrap();
        let (_, said) = check(&node, true);
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        let told =
            report["errors"].as_array().unwrap().iter().filter(|error| error["key"] == "model.masking");
        told.map(|error| format!("{}; {}", error["what"], error["mend"])).collect::<Vec<_>>()
    };
    let told = masking(&crate::street::root().join("models/city-nano"));
    assert!(told.len() == 1 && told[0].contains("finds neither face nor plate"), "{told:?}");
    assert!(told[0].contains("[classes]"), "{told:?}");
    let told = masking(std::path::Path::new("nowhere"));
    assert!(told.len() == 1 && told[0].contains("cannot be read"), "{told:?}");
    let faces = crate::street::masking_model();
    assert_eq!(masking(faces.path()), [""; 0]);
}

/// The keys under `table` that are wrong in a node whose file says so.
fn errors_under(node: &NodeFolder, table: &str, text: &str) -> Vec<String> {
    std::fs::write(node.config(), text).unwrap();
    let (_, said) = check(node, true);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let keys = report["errors"].as_array().unwrap().iter().filter_map(|error| error["key"].as_str());
    keys.filter(|key| key.starts_with(table)).map(str::to_owned).collect()
}

#[test]
fn days_of_evidence_are_enough_and_of_matters_that_exist() {
    let node = NodeFolder::new();
    let text = std::fs::read_to_string(node.config()).unwrap();
    let errors = |evidence: &str| errors_under(&node, "evidence", &format!("{text}\n[evidence]\n{evidence}"));
    assert!(errors("keep_days = 90\n[[evidence.matter]]\ncode = '06010'\nkeep_days = 180\n").is_empty());
    assert_eq!(errors("keep_days = 7\n"), ["evidence.keep_days"]);
    let matter = |keys: &str| errors(&format!("[[evidence.matter]]\n{keys}"));
    assert_eq!(matter("code = '99999'\nkeep_days = 90\n"), ["evidence.matter[0].code"]);
    assert_eq!(matter("code = '06010'\n"), ["evidence.matter[0].keep_days"]);
    assert_eq!(matter("code = '06010'\nkeep_days = 'long'\n"), ["evidence.matter[0].keep_days"]);
    let twice = "code = '06010'\nkeep_days = 90\n";
    assert_eq!(matter(&format!("{twice}[[evidence.matter]]\n{twice}")), ["evidence.matter[1].code"]);
}

#[test]
fn a_desk_beyond_loopback_needs_tls_or_a_proxy() {
    let node = NodeFolder::new();
    let text = std::fs::read_to_string(node.config()).unwrap();
    let (before, _) = text.split_once("[desk]").unwrap();
    let errors = |desk: &str| errors_under(&node, "desk", &format!("{before}[desk]\n{desk}"));
    assert_eq!(errors("listen = '0.0.0.0:8642'\n"), ["desk.listen"]);
    assert_eq!(errors("listen = '[::]:8642'\n"), ["desk.listen"]);
    assert!(errors("listen = '127.0.0.1:8642'\n").is_empty());
    assert!(errors("listen = '0.0.0.0:8642'\nproxy = true\n").is_empty());
    let absent = "listen = '0.0.0.0:8642'\n[desk.tls]\ncert = 'absent.pem'\nkey = 'absent.key'\n";
    assert_eq!(errors(absent), ["desk.tls"]);
    assert_eq!(errors("[desk.tls]\ncert = 'absent.pem'\n"), ["desk.tls.key"]);
    assert_eq!(errors("url = 'https://platform.example'\ntoken_env = 'HOME'\nproxy = true\n"), ["desk.url"]);
}
