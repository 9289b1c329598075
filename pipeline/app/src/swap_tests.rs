//! Real models written over each other, with the polls done by hand: nothing here waits for a clock.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::*;

fn city_nano() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/city-nano")
}

/// A copy of the default model, and its watcher.
fn watched() -> (tempfile::TempDir, Watcher) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["manifest.toml", "city_nano.onnx", "LICENSE-YOLOX.txt"] {
        fs::copy(city_nano().join(name), folder.path().join(name)).unwrap();
    }
    let manifest = folder.path().join("manifest.toml");
    let (watcher, line) = Watcher::open(Runtime::load(None).unwrap(), &manifest, (1, 2)).unwrap();
    assert_eq!(line.manifest().name(), "city-nano");
    (folder, watcher)
}

/// Makes another model of the copy: other bytes, which do as before (a second producer version, which the
/// format allows), under another name.
fn become_b(folder: &Path) -> String {
    let weights = folder.join("city_nano.onnx");
    let mut bytes = fs::read(city_nano().join("city_nano.onnx")).unwrap();
    bytes.extend([0x1a, 1, b'b']);
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&weights, bytes).unwrap();
    let manifest = fs::read_to_string(city_nano().join("manifest.toml")).unwrap();
    let old = Manifest::load(&city_nano()).unwrap().sha256().to_owned();
    let manifest = manifest.replace(&old, &sha256).replace("\"city-nano\"", "\"city-nano-b\"");
    fs::write(folder.join("manifest.toml"), manifest).unwrap();
    sha256
}

fn poll_until_rest(watcher: &mut Watcher) {
    watcher.poll();
    watcher.poll();
}

#[test]
fn another_model_is_left_for_the_detect_thread_once_its_files_rest() {
    let (folder, mut watcher) = watched();
    let swap = watcher.swap();
    let before = swap.report();
    watcher.poll();
    assert!(swap.take().is_none(), "nothing has changed");

    let sha256 = become_b(folder.path());
    watcher.poll();
    assert!(swap.take().is_none(), "it may still be in the middle of a copy");
    watcher.poll();
    assert_eq!(swap.report(), before, "the old one looks until the detect thread takes the new one");
    let line = swap.take().unwrap();
    assert_eq!((line.manifest().name(), line.manifest().sha256()), ("city-nano-b", sha256.as_str()));
    let model = ModelRef { name: "city-nano-b".into(), sha256 };
    assert_eq!(
        swap.report(),
        ModelReport { model, provider: models::Provider::Cpu, swaps: 1, refused: None }
    );
    poll_until_rest(&mut watcher);
    assert!(swap.take().is_none(), "once is enough");
}

#[test]
fn files_that_change_at_every_look_are_not_opened() {
    let (folder, mut watcher) = watched();
    let weights = folder.path().join("city_nano.onnx");
    for kilobytes in 1..6 {
        fs::write(&weights, vec![0; kilobytes * 1024]).unwrap();
        watcher.poll();
        assert_eq!(watcher.swap().report().refused, None);
    }
    watcher.poll();
    assert!(watcher.swap().report().refused.unwrap().contains("sha256"));
}

#[test]
fn a_broken_model_leaves_the_old_one_and_says_why_until_it_is_mended() {
    let (folder, mut watcher) = watched();
    let swap = watcher.swap();
    let model = swap.report().model;
    let refused = |watcher: &mut Watcher| {
        poll_until_rest(watcher);
        let report = swap.report();
        assert!(swap.take().is_none());
        assert_eq!((&report.model, report.swaps), (&model, 0));
        report.refused
    };
    let (manifest, weights) = (folder.path().join("manifest.toml"), folder.path().join("city_nano.onnx"));
    let good = (fs::read(&manifest).unwrap(), fs::read(&weights).unwrap());

    fs::write(&manifest, "name = \"half a\n").unwrap();
    assert!(refused(&mut watcher).unwrap().contains("line 1"));
    let two = String::from_utf8(good.0.clone()).unwrap();
    let two = two.replace("\"yolox_grid\"", "\"yolo99\"").replace("pad = 114", "pad = 114\ncolor = \"bgr\"");
    fs::write(&manifest, &two).unwrap();
    assert!(refused(&mut watcher).unwrap().contains("color"), "a key that no manifest has");
    fs::write(&manifest, two.replace("color = \"bgr\"\n", "").replace("\"cpu\"", "\"abacus\"")).unwrap();
    assert!(refused(&mut watcher).unwrap().contains("(and 1 more)"), "family and provider");
    fs::write(&manifest, &good.0).unwrap();
    assert_eq!(refused(&mut watcher), None);

    fs::write(&weights, &good.1[..good.1.len() / 2]).unwrap();
    assert!(refused(&mut watcher).unwrap().contains("city_nano.onnx has"));
    fs::remove_file(&weights).unwrap();
    assert!(refused(&mut watcher).unwrap().contains("cannot be read"));
    // What comes back is found although the manifest itself rests.
    fs::write(&weights, &good.1).unwrap();
    assert_eq!(refused(&mut watcher), None);
}

#[test]
fn a_model_that_waits_survives_a_look_at_the_same_files() {
    let (folder, mut watcher) = watched();
    become_b(folder.path());
    watcher.look_now();
    watcher.look_now();
    assert_eq!(watcher.swap().take().unwrap().manifest().name(), "city-nano-b");
}

#[test]
fn a_link_turned_to_another_folder_is_a_change() {
    let (folder, _) = watched();
    let (next, _) = watched();
    become_b(next.path());
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("current");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let (mut watcher, _) = Watcher::open(Runtime::load(None).unwrap(), &link, (1, 2)).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(next.path(), &link).unwrap();
    poll_until_rest(&mut watcher);
    assert_eq!(watcher.swap().take().unwrap().manifest().name(), "city-nano-b");
}
