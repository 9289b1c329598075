//! `shirong bench journey`, as a user types it: two cameras for a few seconds, and its files.

use std::path::Path;
use std::process::{Command, Output};

use samples::{Encoding, pattern_clip, still_clip};
use serde_json::Value;

use crate::street::{clip, root};

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shirong"));
    command.args(["bench"]).args(arguments).current_dir(root()).output().unwrap()
}

fn journey(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let json = folder.join("journey.json");
    let all = [&["journey"], arguments, &["--json", json.to_str().unwrap()]].concat();
    let output = bench(&all);
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{wrong}");
    (serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap(), told.into_owned())
}

/// The service's own path with the bare limit beside it: what was looked at, and what became of it.
#[test]
fn two_cameras_are_measured_beside_the_bare_limit() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("journey.html");
    let litter = clip("litter");
    let arguments = [litter.to_str().unwrap(), "--cameras", "2", "--cadence", "fps=2", "--secs", "4"];
    let more = ["--rounds", "1", "--beside", "bare", "--html", page.to_str().unwrap()];
    let (json, told) = journey(folder.path(), &[&arguments[..], &more[..]].concat());
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{json:#}"));
    // Two looks a second of two cameras for four seconds; a busy machine may miss some.
    let looks = number(&json["looks"]);
    assert!((8.0..=20.0).contains(&looks), "{looks}");
    let cost = number(&json["cpu_s_per_look"]);
    let minute = number(&json["cpu_s_per_camera_minute"]);
    assert!((minute / (60.0 * cost * number(&json["looks_per_s"]) / 2.0) - 1.0).abs() < 0.05, "{json:#}");
    let waits = &json["decision_ms"];
    assert!(number(&waits["p50"]) <= number(&waits["p95"]) && number(&waits["p95"]) <= number(&waits["p99"]));
    assert!(number(&json["threads"]) > 4.0 && number(&json["rss_mib_per_camera"]) > 5.0);
    // Everything is decoded at a cadence in frames a second, and most of it is not asked for.
    assert!(number(&json["drops"]["cadence"]) > looks, "{json:#}");
    let bare = &json["bare"];
    assert!(number(&bare["looks"]) > 50.0 && number(&bare["decode_cpu_s_per_look"]) > 0.0, "{json:#}");
    let ratio = number(&json["ratios"]["bare"]);
    assert!((ratio - cost / number(&bare["cpu_s_per_look"])).abs() < 1e-9);
    assert!(ratio > 0.3, "less than the half of its own decoding: something is not counted");
    assert!(told.contains("× the bare limit a look"), "{told}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.matches("<svg").count() == 3 && !page.contains("NaN"), "{page}");

    let file = folder.path().join("journey.json");
    let output = bench(&["compare", file.to_str().unwrap(), file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout);
    let line = told.lines().find(|line| line.starts_with("CPU ms a look")).unwrap_or_default();
    assert!(output.status.success() && line.ends_with("1.000"), "{told}");
}

/// A street on which nothing but noise moves is left undecoded, and is not where that is asked for.
#[test]
fn a_quiet_street_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = folder.path().join("quiet.mp4");
    let rgb: Vec<u8> =
        (0..640 * 360).flat_map(|at| [(at % 640 / 20 * 7) as u8, (at / 640 / 3) as u8, 90]).collect();
    let encoding =
        Encoding { size: (640, 360), secs: 40.0, fps: 10, key_frames_every: 5, ..Encoding::default() };
    still_clip(samples::Picture { rgb: &rgb, width: 640, height: 360 }, encoding, &quiet).unwrap();
    let quiet = quiet.to_str().unwrap();
    // However quiet it is, it is looked at four times a dwell.
    let arguments = [quiet, "--cameras", "2", "--secs", "12", "--dwell", "20", "--rounds", "1", "--rtsp"];
    let (gated, told) = journey(folder.path(), &arguments);
    let looks = gated["looks"].as_u64().unwrap();
    let passed = gated["drops"]["quiet"].as_u64().unwrap();
    // A key frame each half second of two cameras.
    assert!((40..=56).contains(&(looks + passed)), "{gated:#}");
    assert!(passed > looks, "{gated:#}");
    assert!(told.contains("quiet "), "{told}");
    let (whole, _) = journey(folder.path(), &[&arguments[..], &["--no-gate"]].concat());
    assert_eq!(whole["drops"]["quiet"], 0, "{whole:#}");
    assert!(whole["looks"].as_u64().unwrap() >= 40, "{whole:#}");
}

#[test]
fn what_cannot_be_measured_is_told_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |arguments: &[&str], says: &str| {
        let output = bench(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(says), "{arguments:?}: {told}");
    };
    wrong(&["journey", "no-such.mp4"], "no-such.mp4: name a file");
    wrong(&["journey", "x.mp4", "--cadence", "2"], "fps=2");
    wrong(&["journey", "x.mp4", "--cameras", "0"], "1 to 5000");
    let file = folder.path().join("x.json");
    std::fs::write(&file, "{}").unwrap();
    wrong(&["compare", file.to_str().unwrap(), file.to_str().unwrap()], "not a result");
    // A key frame each twenty seconds and one second to measure in.
    let rare = folder.path().join("rare.mp4");
    let encoding =
        Encoding { size: (320, 192), secs: 40.0, fps: 5, key_frames_every: 100, ..Encoding::default() };
    pattern_clip("smpte", encoding, &rare).unwrap();
    let rare = rare.to_str().unwrap();
    wrong(
        &["journey", rare, "--cameras", "1", "--secs", "1", "--rounds", "1"],
        "measure for longer with --secs",
    );
}
