//! From RTSP to the desk through outages, kills and restarts, with the real binary.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::street::{NodeFolder, clip, serve, setting};
use calib::time::Timestamp;
use logic::case::Case;
use samples::{RtspServer, ServedCamera};

const CASE_WITHIN: Duration = Duration::from_secs(60);

/// What makes two runs the same: matter, cell and camera of every case.
fn outline(cases: &[Case]) -> BTreeSet<(String, String, String)> {
    let mut outline = BTreeSet::new();
    for case in cases {
        let cell = case.unit_grid.as_ref().map(|g| g.code.clone()).unwrap_or_default();
        let fresh = outline.insert((case.matter.code.clone(), cell, case.sources[0].id.clone()));
        assert!(fresh, "twice: {case:#?}");
    }
    outline
}

/// The stream is gone for `SHIRONG_TEST_OUTAGE_SECS` (12 here, 60 by hand) in the middle of a dwell.
#[test]
fn a_lost_stream_within_the_dwell_leaves_one_case() {
    let outage = Duration::from_secs(setting("SHIRONG_TEST_OUTAGE_SECS", 12));
    let node = NodeFolder::new();
    let server = serve(&["litter"], Duration::from_secs(14));
    let (port, epoch) = (server.port(), server.epoch());
    // The dwell is longer than what is seen before the stream is lost and shorter than all of it.
    let dwell = format!("dwell_secs = {}", 12 + outage.as_secs());
    let changes =
        [("dwell_secs = 20", dwell.as_str()), ("[calibration]", "silent_secs_max = 3\n[calibration]")];
    node.sample_camera("litter", port, &changes);
    let service = node.start();
    node.wait_for_cases(CASE_WITHIN, |_| true);
    std::thread::sleep(Duration::from_secs(6));
    let stopped = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    server.stop();
    assert_eq!(node.cases().map(|cases| cases.len()), Some(0), "told before its dwell");
    std::thread::sleep(outage);
    let again = RtspServer::start_at(port, vec![ServedCamera::new("litter", clip("litter"))], epoch).unwrap();
    let cases = node.wait_for_cases(CASE_WITHIN * 2, |cases| !cases.is_empty());
    let stopped = Timestamp::from_millis(i64::try_from(stopped.as_millis()).unwrap());
    assert!(cases[0].first_seen < stopped, "the spot was lost: first seen {}", cases[0].first_seen);
    // Another interval of sightings, and still one.
    let cases = node.wait_for_cases(CASE_WITHIN, |cases| cases.iter().any(|case| case.sightings > 1));
    assert_eq!(cases.len(), 1);
    assert_eq!(service.terminate(), Some(0));
    again.stop();
}

/// Killed with SIGKILL at `SHIRONG_TEST_KILLS` (4 here, 10 by hand) random moments.
#[test]
fn kills_at_random_moments_leave_the_same_cases() {
    let kills = setting("SHIRONG_TEST_KILLS", 4);
    let seed = setting("SHIRONG_TEST_SEED", u64::from(rand::random::<u32>()));
    println!("SHIRONG_TEST_SEED={seed}");
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
    let server = serve(&["litter", "bin"], Duration::from_secs(16));
    let changes = [("dwell_secs = 20", "dwell_secs = 8"), ("sighting_secs = 20", "sighting_secs = 2")];
    let folder = || {
        let node = NodeFolder::new();
        for id in ["litter", "bin"] {
            node.sample_camera(id, server.port(), &changes);
        }
        node
    };

    let killed = folder();
    for kill in 0..kills {
        let service = killed.start();
        // The last half fall when there are cases: between commits, posts and sightings.
        let millis = if kill < kills / 2 {
            rand::RngExt::random_range(&mut random, 300..6_000)
        } else {
            killed.wait_for_cases(CASE_WITHIN, |cases| !cases.is_empty());
            rand::RngExt::random_range(&mut random, 0..3_000)
        };
        std::thread::sleep(Duration::from_millis(millis));
        service.kill();
    }
    let undisturbed = folder();
    let service = undisturbed.start();
    let wanted = undisturbed.wait_for_cases(CASE_WITHIN, |cases| {
        cases.len() >= 2 && cases.iter().all(|case| case.sightings >= 3)
    });
    assert_eq!(service.terminate(), Some(0));

    let service = killed.start();
    let cases = killed.wait_for_cases(CASE_WITHIN, |cases| {
        cases.len() >= 2 && cases.iter().all(|case| case.sightings >= 3)
    });
    assert_eq!(service.terminate(), Some(0));
    assert_eq!(outline(&cases), outline(&wanted));
    for case in &cases {
        let roles: BTreeSet<&str> = case.evidence.iter().map(|e| e.role.name()).collect();
        assert!(roles.is_superset(&BTreeSet::from(["confirming", "crop", "annotated"])), "{roles:?}");
        assert!(case.evidence.iter().all(|e| e.masked));
    }
    server.stop();
}

/// A desk that a person closed a case on: the thing still there becomes a new case linked to the old.
#[test]
fn closed_and_still_there_is_a_new_case_linked_to_the_old() {
    let node = NodeFolder::new();
    let server = serve(&["litter"], Duration::from_secs(16));
    let changes = [("dwell_secs = 20", "dwell_secs = 6"), ("sighting_secs = 20", "sighting_secs = 3")];
    node.sample_camera("litter", server.port(), &changes);
    let service = node.start();
    let first = node.wait_for_cases(CASE_WITHIN, |cases| !cases.is_empty())[0].case_id.clone();
    let token = node.token("reviewer");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let client = crate::street::client();
        let url = format!("http://127.0.0.1:{}/api/v1/cases/{first}/close", node.desk_port);
        let body = serde_json::json!({"reason": "cleared by the test"});
        client.post(url).bearer_auth(&token).json(&body).send().await.unwrap().status()
    });
    assert!(status.is_success(), "{status}");
    let cases = node.wait_for_cases(CASE_WITHIN, |cases| cases.len() == 2);
    let second = cases.iter().find(|case| case.case_id != first).unwrap();
    assert_eq!(second.linked_case_id.as_deref(), Some(first.as_str()));
    assert_eq!(service.terminate(), Some(0));
    server.stop();
}

/// What the camera sent around a confirmation lies in the vault, and nowhere else.
#[test]
fn a_case_keeps_a_clip_of_its_confirmation_and_masks_what_a_model_finds() {
    let node = NodeFolder::new();
    let masking = crate::street::masking_model();
    let text = std::fs::read_to_string(node.config()).unwrap();
    let named = format!("[model]\nmasking = '{}'\n", masking.path().display());
    std::fs::write(node.config(), text.replace("[model]\n", &named)).unwrap();
    let server = serve(&["litter"], Duration::from_secs(16));
    let changes = [("dwell_secs = 20", "dwell_secs = 6"), ("[calibration]", "clip_secs = 4\n[calibration]")];
    node.sample_camera("litter", server.port(), &changes);
    let service = node.start();
    let case = node.wait_for_cases(CASE_WITHIN, |cases| !cases.is_empty()).remove(0);
    let vault = node.folder.path().join("data/report/vault");
    let manifest = vault.join(format!("cases/{}.json", case.case_id));
    let deadline = Instant::now() + Duration::from_secs(30);
    let record = loop {
        let manifest: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap_or_default()).unwrap_or_default();
        let pictures = manifest["pictures"].as_array().cloned().unwrap_or_default();
        let of_role = |role: &str| pictures.iter().find(|picture| picture["role"] == role).cloned();
        if let Some(clip) = of_role("clip") {
            let masked = of_role("confirming").unwrap();
            // One, of what the detector itself takes for a vehicle or a person, is there without it.
            assert!(masked["masked_regions"].as_u64() >= Some(2), "{masked}");
            break clip;
        }
        assert!(Instant::now() < deadline, "no clip in {manifest}");
        std::thread::sleep(Duration::from_millis(200));
    };
    let from: Timestamp = record["captured_at"].as_str().unwrap().parse().unwrap();
    let ahead_ms = case.confirmed_at.millis_since(from);
    assert!((2_000..5_000).contains(&ahead_ms), "it begins {ahead_ms} ms before the confirmation");
    let (day, sha256) = (&from.to_string()[..10], record["original_sha256"].as_str().unwrap());
    let path = vault.join("clips").join(day).join(format!("{sha256}.mp4"));
    let mut clip = ingest::Clip::open(&path, "clip", ingest::Cadence::Fps(60.0), from).unwrap();
    let mut last = from;
    while let Some(frame) = clip.next_frame().unwrap() {
        last = frame.at;
    }
    let secs = last.millis_since(from) as f64 / 1e3;
    assert!((2.5..7.5).contains(&secs), "{secs} s");
    assert!(last > case.confirmed_at);
    assert_eq!(service.terminate(), Some(0));
    server.stop();
}

/// The whole demo, as a user types it.
#[test]
fn the_demo_finds_everything_once_and_nothing_else() {
    let work = tempfile::tempdir().unwrap();
    let summary = work.path().join("demo.json");
    let started = Instant::now();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_shirong"))
        .args(["demo", "--once", "--listen", "127.0.0.1:0", "--json"])
        .arg(&summary)
        .arg("--work")
        .arg(work.path())
        .arg("--root")
        .arg(crate::street::root())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(started.elapsed() < Duration::from_secs(180), "{:?}", started.elapsed());
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    let truth = &summary["truth"];
    assert_eq!(
        (truth["found"].as_u64(), truth["duplicates"].as_u64()),
        (truth["events"].as_u64(), Some(0)),
        "{said}"
    );
    let cases: Vec<Case> = serde_json::from_value(summary["cases"].clone()).unwrap();
    let stall = cases.iter().find(|case| case.matter.code == "09006").unwrap();
    let mut cameras: Vec<&str> = stall.sources.iter().map(|source| source.id.as_str()).collect();
    cameras.sort_unstable();
    assert_eq!(cameras, ["stall-east", "stall-west"]);
    for camera in summary["cameras"].as_array().unwrap() {
        let count = |what: &str| camera[what].as_u64().unwrap();
        assert!(count("looks") + count("passed") >= 35 && count("looks") >= 14, "{camera}");
        assert_eq!(camera["state"], "live");
    }
}
