//! `shirong replay` and `shirong eval --events` as a user types them, on the sample clips.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::street::{NodeFolder, clip, root};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn shirong(command: &str, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_shirong"))
        .arg(command)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn events(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, Some(0), "{}", run.err);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn named<'e>(events: &'e [Value], event: &str) -> Vec<&'e Value> {
    events.iter().filter(|one| one["event"] == event).collect()
}

#[test]
fn the_litter_of_the_sample_clip_is_confirmed_once_at_its_place_and_two_runs_say_the_same() {
    let node = NodeFolder::new();
    node.sample_camera("litter", 8554, &[]);
    let camera = node.folder.path().join("cameras/litter.toml").display().to_string();
    let (config, clip) = (node.config().display().to_string(), clip("litter").display().to_string());
    let video = node.folder.path().join("drawn.mp4").display().to_string();
    let first = shirong("replay", &[&clip, "--camera", &camera, "-c", &config, "--json"]);
    let told = events(&first);
    let confirmed = named(&told, "confirmed");
    assert_eq!(confirmed.len(), 1, "{}", first.out);
    let one = confirmed[0];
    assert_eq!(
        (&one["matter"], &one["case"], &one["is_new_case"]),
        (&"06010".into(), &1.into(), &true.into())
    );
    // Dumped at 10 s, confirmed after its dwell of 20 s and no later than two looks of two seconds more.
    let at_s = one["at_s"].as_f64().unwrap();
    assert!((28.0..=36.0).contains(&at_s), "{one}");
    let bounds: Vec<f64> = serde_json::from_value(one["box"].clone()).unwrap();
    let truth = [509.0 / 1280.0, 266.0 / 720.0, 851.0 / 1280.0, 422.0 / 720.0];
    let middle = |b: &[f64]| [(b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0];
    let apart = middle(&bounds).iter().zip(middle(&truth)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 0.08, "{one}");
    assert!(one["unit_grid"].as_str().is_some_and(|code| code.len() == 15), "{one}");
    assert!(one["location"]["error_m"].as_f64().unwrap() > 0.0);
    assert_eq!(one["at"], "2026-07-01T02:00:".to_owned() + &format!("{:06.3}Z", at_s));

    let again = shirong("replay", &[&clip, "--camera", &camera, "-c", &config, "--json", "--video", &video]);
    assert_eq!(again.out, first.out);
    let probed = shirong("probe", &[&video, "--json"]);
    let probed: Value = serde_json::from_str(&probed.out).unwrap();
    assert_eq!((&probed["codec"], &probed["width"]), (&"H.264".into(), &1280.into()));
}

#[test]
fn every_event_has_the_keys_that_integrators_read() {
    let camera = root().join("samples/cameras/litter.toml").display().to_string();
    let clip = clip("litter").display().to_string();
    let run =
        shirong("replay", &[&clip, "--camera", &camera, "--json", "--start", "2026-03-02T09:00:00+08:00"]);
    let told = events(&run);
    assert!(!named(&told, "appeared").is_empty(), "{}", run.out);
    for one in told.iter().filter(|one| one["event"] != "view") {
        let known = ["appeared", "confirmed", "seen", "gone", "dropped"];
        assert!(known.contains(&one["event"].as_str().unwrap()), "{one}");
        for key in ["matter", "standard_ref", "name", "at", "spot", "zone"] {
            assert!(one[key].is_string(), "{key}: {one}");
        }
        for key in ["at_s", "since_s", "score", "hits", "looks"] {
            assert!(one[key].is_number(), "{key}: {one}");
        }
        assert_eq!(one["box"].as_array().map(Vec::len), Some(4), "{one}");
        assert!(one["at"].as_str().unwrap().starts_with("2026-03-02T01:0"), "{one}");
        // No node was given: there are no grids.
        assert!(one["unit_grid"].is_null() && one["location"].is_object(), "{one}");
        assert!(one["since_s"].as_f64() <= one["at_s"].as_f64(), "{one}");
    }
    // The same for people, at the default time.
    let text = shirong("replay", &[&clip, "--camera", &camera]);
    assert!(text.out.contains("confirmed  06010") && text.out.contains("opens case 1"), "{}", text.out);
    assert!(text.err.contains("cases opened: 1"), "{}", text.err);
}

#[test]
fn what_cannot_be_replayed_is_told_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let camera = root().join("samples/cameras/litter.toml").display().to_string();
    let clip = clip("clean").display().to_string();
    let refused = |arguments: &[&str], code: i32, says: &[&str]| {
        let run = shirong("replay", arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(code), ""), "{}", run.err);
        for one in says {
            assert!(run.err.contains(one), "no `{one}` in: {}", run.err);
        }
    };
    refused(&[&path("none.mp4"), "--camera", &camera, "--json"], 1, &["none.mp4", "there is no such file"]);
    fs::write(path("text.mp4"), "this is no video\n".repeat(50)).unwrap();
    refused(&[&path("text.mp4"), "--camera", &camera, "--json"], 1, &["text.mp4"]);
    refused(&[&clip, "--camera", &path("none.toml")], 1, &["none.toml", "name a camera file"]);
    let text = fs::read_to_string(&camera).unwrap();
    fs::write(path("bad.toml"), text.replace("kind = \"litter\"", "kind = \"liter\"") + "colour = 3\n")
        .unwrap();
    refused(&[&clip, "--camera", &path("bad.toml")], 1, &["bad.toml", "litter", "colour"]);
    refused(&[&clip, "--camera", &camera, "--model", "no-such-model"], 1, &["no-such-model"]);
    refused(&[&clip, "--camera", &camera, "--every", "fps=0"], 2, &["write keyframes, or fps=2"]);
    refused(&[&clip, "--camera", &camera, "--start", "noon"], 2, &["2026-07-01T08:30:00Z"]);
    refused(&[&clip], 2, &["--camera"]);
    let own = path("own.mp4");
    fs::copy(&clip, &own).unwrap();
    let as_video = path("./own.mp4");
    refused(&[&own, "--camera", &camera, "--video", &as_video], 1, &["is the clip itself", "another name"]);
    assert_eq!(fs::read(&own).unwrap(), fs::read(&clip).unwrap());
    let video = path("no/folder/drawn.mp4");
    let run = shirong("replay", &[&clip, "--camera", &camera, "--json", "--video", &video]);
    assert!(run.code == Some(1) && run.err.contains("drawn.mp4"), "{:?} {}", run.code, run.err);
}

fn take(folder: &Path, name: &str) {
    let samples = root().join("samples");
    for (from, to) in [
        (format!("clips/{name}.mp4"), format!("{name}.mp4")),
        (format!("clips/{name}.truth.json"), format!("{name}.truth.json")),
        (format!("cameras/{name}.toml"), format!("{name}.toml")),
    ] {
        fs::copy(samples.join(from), folder.join(to)).unwrap();
    }
}

#[test]
fn clips_with_their_truth_are_scored_and_misses_and_false_cases_are_named() {
    let folder = tempfile::tempdir().unwrap();
    take(folder.path(), "litter");
    take(folder.path(), "clean");
    // As some cameras call them.
    fs::rename(folder.path().join("clean.mp4"), folder.path().join("clean.MP4")).unwrap();
    let at = folder.path().display().to_string();
    let run = shirong("eval", &["--events", &at, "--json", "-", "--min", "1"]);
    assert_eq!(run.code, Some(0), "{} {}", run.out, run.err);
    let all: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&all["precision"], &all["recall"], &all["duplicates_per_event"]),
        (&1.0.into(), &1.0.into(), &1.0.into())
    );
    assert_eq!((&all["clips"], &all["kinds"]["litter"]["found"]), (&2.into(), &1.into()));
    assert!((18.0..=26.0).contains(&all["confirm_s_p50"].as_f64().unwrap()), "{}", run.out);
    assert!(all["looks"].as_u64() >= Some(60) && all["looks_per_s"].as_f64() > Some(0.0), "{}", run.out);

    // The truth turned round: what is there is not scripted, and what is scripted is elsewhere.
    let file = folder.path().join("litter.truth.json");
    let mut truth: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    truth["events"][0]["box_px"] = serde_json::json!([10, 600, 60, 700]);
    fs::write(&file, truth.to_string()).unwrap();
    fs::remove_file(folder.path().join("clean.MP4")).unwrap();
    let run = shirong("eval", &["--events", &at, "--min", "0.5"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.out.contains("missed: litter at 10.0 s: 06010"), "{}", run.out);
    assert!(run.out.contains("false: litter at ") && run.out.contains("nothing is scripted"), "{}", run.out);
}

#[test]
fn clips_without_truth_camera_or_sense_are_all_named_and_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let run = shirong("eval", &["--events", &at]);
    assert!(run.code == Some(2) && run.err.contains("holds no clip"), "{}", run.err);
    take(folder.path(), "litter");
    fs::copy(clip("clean"), folder.path().join("other.mp4")).unwrap();
    fs::write(folder.path().join("litter.truth.json"), "{\"events\": [{\"id\": \"a\"}]}").unwrap();
    let run = shirong("eval", &["--events", &at]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
    for one in ["litter.truth.json", "other.truth.json", "other.toml", "beside its clip"] {
        assert!(run.err.contains(one), "no `{one}` in: {}", run.err);
    }
    take(folder.path(), "litter");
    fs::remove_file(folder.path().join("other.mp4")).unwrap();
    let run = shirong("eval", &["--events", &at, "--out", &at]);
    assert!(run.code == Some(2) && run.err.contains("is the clip itself"), "{}", run.err);
    let json = folder.path().join("no/folder/score.json").display().to_string();
    let run = shirong("eval", &["--events", &at, "--json", &json]);
    assert!(run.code == Some(2) && run.err.contains("score.json"), "{}", run.err);
    assert!(!run.err.contains("events found"), "told before the work, not after it: {}", run.err);
    let run = shirong("eval", &[&at, "--every", "keyframes", "--model", "city-nano"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
}
