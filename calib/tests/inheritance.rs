//! What a camera inherits from its group and its node, and where a mistake in it is told.

use calib::camera::{Cadence, Camera, PasswordPlace};
use calib::check::{Problem, Source};
use calib::defaults::Defaults;
use calib::matter::Catalogue;

const NODE: &str = r#"
[defaults]
utc_offset_minutes = 420
[defaults.stream]
transport = "udp"
user = "viewer"
password_file = "secrets/cameras"
silent_secs_max = 20
[defaults.rule.litter]
dwell_secs = 90
hits_min = 5
[group.market.stream]
fps = 2
silent_secs_max = 30
[group.market.rule.litter]
dwell_secs = 120
"#;

const CAMERA: &str = r#"
name = "Corner"
group = "market"
[stream]
url = "rtsp://192.0.2.10/x"
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
[[rule]]
kind = "litter"
hits_min = 7
[[rule]]
kind = "overflowing_bin"
"#;

fn read(node: &str, camera: &str) -> Result<Camera, Vec<Problem>> {
    let mut source = Source::new("shirong.toml", node);
    let mut root = source.root();
    let defaults = Defaults::read(&mut source, &mut root, "/srv/node");
    root.finish(&mut source);
    assert_eq!(source.into_problems(), []);
    Camera::parse_under("corner.toml", camera, &Catalogue::builtin(), &defaults)
}

#[test]
fn the_camera_goes_before_its_group_and_the_group_before_the_node() {
    let camera = read(NODE, CAMERA).unwrap();
    assert_eq!(camera.utc_offset_minutes, 420, "node");
    assert_eq!(camera.stream.cadence, Cadence::Fps(2.0), "group");
    assert!(camera.stream.over_udp, "node");
    assert!((camera.stream.silent_secs_max - 30.0).abs() < 1e-9, "group before node");
    // A path starts from the folder of the file that names it.
    assert_eq!(camera.stream.password, Some(PasswordPlace::File("/srv/node/secrets/cameras".into())));
    let litter = &camera.rules[0];
    assert_eq!((litter.dwell_ms, litter.hits_min), (120_000, 7), "group's dwell, own hits");
    assert_eq!(camera.rules[1].dwell_ms, 300_000, "another kind keeps the product's own");
    let alone = read(NODE, &CAMERA.replace("group = \"market\"\n", "")).unwrap();
    assert_eq!((alone.rules[0].dwell_ms, alone.stream.cadence), (90_000, Cadence::Keyframes));
}

#[test]
fn a_mistake_is_told_in_the_file_that_it_stands_in() {
    let node = NODE
        .replace("transport = \"udp\"", "transport = \"upd\"")
        .replace("fps = 2", "fps = 200")
        .replace("hits_min = 5", "hits_mni = 5")
        .replace("[group.market.rule.litter]", "[group.market.rule.liter]");
    let found = read(&node, &CAMERA.replace("hits_min = 7", "hits_min = 1")).unwrap_err();
    let mut told: Vec<(String, String, usize)> =
        found.into_iter().map(|p| (p.file, p.key, p.line.unwrap())).collect();
    told.sort();
    let line = |text: &str, part: &str| 1 + text.lines().position(|l| l.contains(part)).unwrap();
    let node_line = |part: &str| line(&node, part);
    let expected = [
        ("corner.toml", "rule[0].hits_min", line(CAMERA, "hits_min")),
        ("shirong.toml", "defaults.rule.litter.hits_mni", node_line("hits_mni")),
        ("shirong.toml", "defaults.stream.transport", node_line("upd")),
        ("shirong.toml", "group.market.rule.liter", node_line("rule.liter]")),
        ("shirong.toml", "group.market.stream.fps", node_line("fps")),
    ];
    assert_eq!(told, expected.map(|(file, key, line)| (file.to_owned(), key.to_owned(), line)));
}

#[test]
fn a_group_that_is_none_is_told_with_the_nearest() {
    let found = read(NODE, &CAMERA.replace("\"market\"", "\"markt\"")).unwrap_err();
    assert_eq!((found[0].key.as_str(), found[0].mend.as_str()), ("group", "did you mean \"market\"?"));
    let found = Camera::parse("corner.toml", CAMERA, &Catalogue::builtin()).unwrap_err();
    assert!(found.iter().any(|p| p.key == "group"), "{found:?}");
}

#[test]
fn unknown_keys_of_the_defaults_are_told() {
    let found = read(
        "[defaults]\nnmae = 'x'\n[defaults.stream]\nurll = 'x'\n",
        &CAMERA.replace("group = \"market\"\n", ""),
    );
    let keys: Vec<String> = found.unwrap_err().into_iter().map(|p| p.key).collect();
    assert_eq!(keys, ["defaults.stream.urll", "defaults.nmae"]);
}
