//! `shirong camera new` as a user types it, against real RTSP on loopback.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use samples::{RtspServer, Scheme, ServedAuth, ServedCamera};

use crate::street::{NodeFolder, clip, root, serve};

const PASSWORD: &str = "s3cret-of-the-east";
const VARIABLE: &str = "SHIRONG_EAST_PASSWORD";

fn shirong(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shirong"))
        .args(arguments)
        .current_dir(folder)
        .env(VARIABLE, PASSWORD)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The file with every line uncommented that is for it, but for those of some keys.
fn uncomment(file: &Path, keep: impl Fn(&str) -> bool) {
    let text = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', ':']) && !keep(rest) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    std::fs::write(file, text.lines().map(line).collect::<String>()).unwrap();
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_stream_becomes_a_file_that_checks_and_a_picture_and_both_stay() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let auth = Some(ServedAuth::new(Scheme::Digest, "viewer", PASSWORD));
    let camera = ServedCamera { auth, ..ServedCamera::new("litter", clip("litter")) };
    let server = RtspServer::start(0, vec![camera]).unwrap();
    // The user of the address is kept; its password would not be.
    let url = format!("rtsp://viewer@127.0.0.1:{}/litter", server.port());
    let new = ["camera", "new", "east", &url, "--password-env", VARIABLE];
    let (code, said) = shirong(folder, &new);
    assert_eq!(code, Some(0), "{said}");
    let [file, picture] = ["toml", "jpg"].map(|kind| folder.join(format!("cameras/east.{kind}")));
    let text = std::fs::read_to_string(&file).unwrap();
    for line in [
        "name = \"east\"",
        &format!("url = \"rtsp://127.0.0.1:{}/litter\"", server.port()),
        "user = \"viewer\"",
        &format!("password_env = \"{VARIABLE}\""),
        "#image_size = [1280, 720]",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.contains("H.264, 1280 × 720, ") && text.contains("a key frame every 2.00 s"), "{text}");
    assert!(!text.contains(PASSWORD) && !said.contains(PASSWORD), "{said}{text}");
    assert_eq!(image::image_dimensions(&picture).unwrap(), (1280, 720));

    // As it stands, and by the very command that was told.
    let check = ["check", "--camera", "cameras/east.toml"];
    assert!(said.contains(&format!("  shirong {}\n", check.join(" "))), "{said}");
    let (code, checked) = shirong(folder, &check);
    assert_eq!(code, Some(0), "{checked}");

    // Nothing is replaced unasked, not even the picture alone.
    std::fs::write(&file, "mine").unwrap();
    let (code, said) = shirong(folder, &new);
    assert!(code == Some(1) && said.contains("cameras/east.toml is there"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    std::fs::remove_file(&file).unwrap();
    let (code, said) = shirong(folder, &new);
    assert!(code == Some(1) && said.contains("cameras/east.jpg is there"), "{said}");
    let (code, said) = shirong(folder, &[&new[..], &["--force"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("[stream]"));
    server.stop();
}

#[test]
fn every_block_uncommented_still_checks_alone_and_in_its_node() {
    let node = NodeFolder::new();
    let folder = node.folder.path();
    let text = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), text + "[group.main-street]\nutc_offset_minutes = 480\n").unwrap();
    for layer in ["unit", "responsibility"] {
        let name = format!("{layer}-grids.geojson");
        let from = root().join("calib/example-county").join(&name);
        std::fs::copy(from, folder.join("cameras").join(name)).unwrap();
    }
    std::fs::copy(root().join("calib/schema/camera.schema.json"), folder.join("camera.schema.json")).unwrap();
    let new = ["camera", "new", "east", "rtsp://192.0.2.10/x", "--offline", "-c", "shirong.toml"];
    let (code, said) = shirong(folder, &new);
    assert_eq!(code, Some(0), "{said}");
    let file = folder.join("cameras/east.toml");
    assert!(!file.with_extension("jpg").exists());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("#:schema ../camera.schema.json\n"), "{text}");
    // A group is its node's: without the node there is none.
    uncomment(&file, |line| line.starts_with("group"));
    let (code, said) = shirong(folder, &["check", "--camera", "cameras/east.toml"]);
    assert_eq!(code, Some(0), "{said}");
    uncomment(&file, |_| false);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\ngroup = \"main-street\"\n"), "{text}");
    let output = Command::new(env!("CARGO_BIN_EXE_shirong"))
        .args(["check", "--json", "-c"])
        .arg(node.config())
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["errors"], serde_json::json!([]), "{said}");
}

#[test]
fn calibrating_leaves_the_blocks_ready_to_be_uncommented() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, said) = shirong(folder, &["camera", "new", "east", "rtsp://192.0.2.10/x", "--offline"]);
    assert_eq!(code, Some(0), "{said}");
    std::fs::write(
        folder.join("points.csv"),
        "name,pixel_x,pixel_y,lon,lat\n\
         a,268.8,907.2,118.6499726,34.9200563\nb,1651.2,907.2,118.6500274,34.9200563\n\
         c,96,648,118.6499452,34.9200901\nd,1824,648,118.6500548,34.9200901\n\
         e,528,432,118.6499452,34.9201803\nf,1392,432,118.6500548,34.9201803\n",
    )
    .unwrap();
    let file = "cameras/east.toml";
    let calibrate = ["calibrate", file, "--points", "points.csv", "--image-size", "1920x1080"];
    let (code, said) = shirong(folder, &calibrate);
    assert_eq!(code, Some(0), "{said}");
    // The made-up points give way to the measured ones, and the example's grids are not here.
    let file = folder.join(file);
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("#[calibration]\n").unwrap();
    let (_, after) = after.split_once("# Zones:").unwrap();
    let (after, _) = after.split_once("#[grids]").unwrap();
    std::fs::write(&file, format!("{before}# Zones:{after}")).unwrap();
    uncomment(&file, |_| false);
    let (code, said) = shirong(folder, &["check", "--camera", "cameras/east.toml"]);
    assert_eq!(code, Some(0), "{said}\n{}", std::fs::read_to_string(&file).unwrap());
    let text = std::fs::read_to_string(&file).unwrap();
    let stream = text.split_once("[stream]").unwrap().1.split_once("\n[").unwrap().0;
    assert!(stream.contains("\nfps = 2\n") && stream.contains("\ntransport = \"udp\"\n"), "{text}");
}

#[test]
fn an_unreachable_stream_is_told_as_probe_tells_it_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&["litter"], Duration::ZERO);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in
        [format!("rtsp://127.0.0.1:{closed}/litter"), format!("rtsp://127.0.0.1:{}/nobody", server.port())]
    {
        let (code, said) = shirong(folder.path(), &["camera", "new", "east", &url, "--timeout", "5"]);
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said, shirong(folder.path(), &["probe", &url, "--timeout", "5"]).1);
        assert!(said.starts_with(&format!("shirong: {url}: ")), "{said}");
        assert!(is_empty(folder.path()));
    }
    server.stop();
}

#[test]
fn what_no_camera_file_can_hold_is_refused_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let with = format!("rtsp://viewer:{PASSWORD}@192.0.2.10/x");
    let in_path = format!("rtsp://192.0.2.10/user=a&password={PASSWORD}&channel=1");
    let url = "rtsp://192.0.2.10/x";
    for (arguments, mend) in [
        (vec!["east", &with], "rtsp://192.0.2.10/x --user viewer --password-env SHIRONG_EAST_PASSWORD"),
        (vec!["east", &in_path], "left out of the path"),
        (vec!["east", url, "--user", "a", "--password-env", "s3cret-of-the-east"], "name of a variable"),
        (vec!["east", url, "--user", "a"], "--password-env SHIRONG_EAST_PASSWORD"),
        (vec!["east", url, "--password-env", VARIABLE], "add --user NAME"),
        (vec!["east/../west", url], "for instance footway-east"),
        (vec!["东", url], "for instance footway-east"),
        (vec!["east", url, "--out", "west.toml"], "write --out east.toml"),
        (vec!["east", "http://192.0.2.10/x"], "rtsp://"),
        (vec!["east", "rtsp://192.0.2.10/a@b"], "%40"),
        (vec!["east", url, "-c", "none.toml"], "none.toml"),
    ] {
        let whole = [vec!["camera", "new"], arguments, vec!["--offline"]].concat();
        let (code, said) = shirong(folder.path(), &whole);
        assert_eq!(code, Some(1), "{whole:?}: {said}");
        assert!(said.contains(mend), "{whole:?}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
        assert!(is_empty(folder.path()), "{whole:?}");
    }
}

#[test]
fn a_clip_and_a_passwords_file_are_named_from_the_cameras_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("cameras")).unwrap();
    std::fs::copy(clip("litter"), folder.join("cameras/litter.mp4")).unwrap();
    let (code, said) = shirong(folder, &["camera", "new", "clip", "cameras/litter.mp4"]);
    assert_eq!(code, Some(0), "{said}");
    let text = std::fs::read_to_string(folder.join("cameras/clip.toml")).unwrap();
    assert!(text.contains("\nurl = \"litter.mp4\"\n"), "{text}");
    assert!(folder.join("cameras/clip.jpg").is_file());

    std::fs::write(folder.join("camera.password"), PASSWORD).unwrap();
    let offline = ["camera", "new", "east", "rtsp://192.0.2.10/x", "--offline", "--user", "viewer"];
    let (code, said) = shirong(folder, &[&offline[..], &["--password-file", "camera.password"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = shirong(folder, &["check", "--camera", "cameras/clip.toml", "cameras/east.toml"]);
    assert_eq!(code, Some(0), "{said}");
}
