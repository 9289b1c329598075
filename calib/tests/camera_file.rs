//! Camera files: what is read, and that every mistake is told at once with its key and a mend.

use calib::camera::{Cadence, Camera, PasswordPlace};
use calib::check::Problem;
use calib::matter::Catalogue;
use calib::rule::RuleKind;
use calib::space::{ImagePoint, PixelPoint};

const GOOD: &str = r#"
name = "Corner"
[stream]
url = "rtsp://192.0.2.10:554/Streaming/Channels/101"
transport = "udp"
user = "viewer"
password_env = "CORNER_PASSWORD"
fps = 0.5
[calibration]
image_size = [1920, 1080]
[[calibration.point]]
pixel = [200, 1000]
lonlat = [118.65000, 34.92000]
[[calibration.point]]
pixel = [1700, 1000]
lonlat = [118.65010, 34.92000]
[[calibration.point]]
pixel = [1300, 500]
lonlat = [118.65010, 34.92020]
[[calibration.point]]
pixel = [600, 500]
lonlat = [118.65000, 34.92020]
[[zone]]
id = "footway"
kind = "footway"
ground = [[118.65000, 34.92000], [118.65010, 34.92000], [118.65010, 34.92020], [118.65000, 34.92020]]
[[rule]]
kind = "street_vendor"
hours = ["06:00-22:30"]
dwell_secs = 240
area_m2_min = 0.3
"#;

fn problems(text: &str) -> Vec<Problem> {
    Camera::parse("corner.toml", text, &Catalogue::builtin()).expect_err("the file has mistakes")
}

fn keys(text: &str) -> Vec<String> {
    problems(text).into_iter().map(|p| p.key).collect()
}

#[test]
fn a_good_file_is_read_whole() {
    let camera = Camera::parse("corner.toml", GOOD, &Catalogue::builtin()).unwrap();
    assert_eq!(camera.stream.cadence, Cadence::Fps(0.5));
    assert_eq!(camera.stream.password, Some(PasswordPlace::Env("CORNER_PASSWORD".into())));
    assert!(camera.stream.over_udp);
    let rule = &camera.rules[0];
    assert_eq!((rule.kind, rule.code.as_str(), rule.dwell_ms), (RuleKind::StreetVendor, "09006", 240_000));
    assert_eq!(rule.matter_name, "占道经营");
    assert_eq!(rule.zones, [0]);
}

#[test]
fn a_zone_on_the_ground_contains_what_stands_in_it() {
    let camera = Camera::parse("corner.toml", GOOD, &Catalogue::builtin()).unwrap();
    let view = camera.ground.as_ref().unwrap();
    let inside = ImagePoint::new(0.5, 0.7);
    assert!(camera.zones[0].contains(inside, Some(view)));
    assert!(!camera.zones[0].contains(ImagePoint::new(0.05, 0.7), Some(view)));
    let outline = camera.zones[0].outline_in_image(Some(view));
    let corner = PixelPoint::new(outline[0].x * 1920.0, outline[0].y * 1080.0);
    assert!((corner.x - 200.0).abs() < 0.01 && (corner.y - 1000.0).abs() < 0.01, "{corner:?}");
}

#[test]
fn five_mistakes_are_told_in_one_run() {
    let text = GOOD
        .replace("transport = \"udp\"", "transprot = \"udp\"")
        .replace("lonlat = [118.65010, 34.92020]", "lonlat = [118.65005, 34.92000]")
        .replace("pixel = [1300, 500]", "pixel = [950, 1000]")
        .replace("pixel = [600, 500]", "pixel = [500, 1000]")
        .replace("lonlat = [118.65000, 34.92020]\n[[zone]]", "lonlat = [118.65002, 34.92000]\n[[zone]]")
        .replace("dwell_secs = 240", "dwell_secs = 240\nmatter = \"09099\"\n[[zone]]\nid = \"b\"\nkind = \"road\"\npolygon = [[0.1, 0.1], [0.2, 0.2]]");
    let found = problems(&text);
    let keys: Vec<&str> = found.iter().map(|p| p.key.as_str()).collect();
    for key in ["stream.transprot", "calibration.point", "zone[1].polygon", "rule[0].matter"] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    assert!(
        found.iter().all(|p| p.file == "corner.toml" && p.line.is_some() && !p.mend.is_empty()),
        "{found:#?}"
    );
    let transport = found.iter().find(|p| p.key == "stream.transprot").unwrap();
    assert_eq!(transport.mend, "did you mean `transport`?");
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    for text in [
        GOOD.replace("rtsp://192", "rtsp://viewer:hunter2@192"),
        GOOD.replace("rtsp://192", "rtsp://viewer:hun/ter2hunter2@192"),
        GOOD.replace("password_env = \"CORNER_PASSWORD\"", "password = \"hunter2\""),
    ] {
        let found = problems(&text);
        assert!(found.iter().any(|p| p.key.starts_with("stream.")), "{found:#?}");
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}

#[test]
fn a_rule_cannot_ask_for_what_is_hidden() {
    for class in ["face", "plate"] {
        let found = problems(&GOOD.replace("dwell_secs = 240", &format!("classes = [\"{class}\"]")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].key, "rule[0].classes");
        assert!(
            found[0].what.contains("hidden in evidence") && found[0].mend.contains("masking"),
            "{found:?}"
        );
    }
}

#[test]
fn each_mistake_names_its_key() {
    let replaced = |from: &str, to: &str| keys(&GOOD.replace(from, to));
    assert_eq!(replaced("name = \"Corner\"", ""), ["name"]);
    assert_eq!(replaced("kind = \"street_vendor\"", "kind = \"street_vendr\""), ["rule[0].kind"]);
    assert_eq!(replaced("hours = [\"06:00-22:30\"]", "hours = [\"6-22\"]"), ["rule[0].hours"]);
    assert_eq!(replaced("fps = 0.5", "fps = 0.5\ncadence = \"keyframes\""), ["stream.fps"]);
    assert_eq!(replaced("dwell_secs = 240", "zones = [\"footwy\"]"), ["rule[0].zones"]);
    assert_eq!(replaced("dwell_secs = 240", "classes = [\"umbrela\"]"), ["rule[0].classes"]);
    assert_eq!(replaced("dwell_secs = 240", "presence_min = 60"), ["rule[0].presence_min"]);
    assert_eq!(replaced("dwell_secs = 240", "hits_min = 1"), ["rule[0].hits_min"]);
    assert_eq!(replaced("dwell_secs = 240", "zones = []"), ["rule[0].zones"]);
    assert_eq!(replaced("hours = [\"06:00-22:30\"]", "hours = []"), ["rule[0].hours"]);
    assert_eq!(replaced("user = \"viewer\"", ""), ["stream"]);
    assert_eq!(replaced("password_env = \"CORNER_PASSWORD\"", ""), ["stream.user"]);
    assert_eq!(replaced("pixel = [1700, 1000]", "pixel = [3400, 1000]"), ["calibration.point[1].pixel"]);
    assert_eq!(
        replaced("lonlat = [118.65010, 34.92000]", "lonlat = [34.92, 118.65]")[0],
        "calibration.point[1].lonlat"
    );
    assert_eq!(
        replaced("kind = \"footway\"", "kind = \"construction_watch\""),
        ["rule[0]"],
        "no zone to look at"
    );
    assert_eq!(replaced("image_size = [1920, 1080]", "image_size = [1920]")[0], "calibration.image_size");
}

#[test]
fn rubbish_is_refused_without_a_panic() {
    for text in [
        "",
        "= = =",
        "[stream]\nurl = 3",
        "[[zone]]\n[[rule]]\n",
        "zone = 1\nrule = [1]\nstream = \"x\"",
        "\u{feff}a=[[[[",
    ] {
        assert!(!problems(text).is_empty(), "{text:?}");
    }
}

#[test]
fn a_zone_asks_for_tiles_and_for_their_size() {
    use calib::zone::Tiles;
    let tiles = |more: &str| {
        let text = GOOD.replace("kind = \"footway\"\n", &format!("kind = \"footway\"\n{more}"));
        Camera::parse("corner.toml", &text, &Catalogue::builtin()).map(|camera| camera.zones[0].tiles)
    };
    assert_eq!(tiles("").unwrap(), None);
    assert_eq!(tiles("tiles = false\n").unwrap(), None);
    assert_eq!(tiles("tiles = true\n").unwrap(), Some(Tiles { width_px: None }));
    assert_eq!(tiles("tiles = true\ntile_px = 640\n").unwrap(), Some(Tiles { width_px: Some(640) }));
    let refused = |more: &str| {
        let problems = tiles(more).unwrap_err();
        problems.into_iter().map(|problem| (problem.key, problem.mend)).collect::<Vec<_>>()
    };
    let alone = refused("tile_px = 640\n");
    assert_eq!(alone[0].0, "zone[0].tile_px");
    assert!(alone[0].1.contains("tiles = true"), "{alone:?}");
    assert_eq!(refused("tiles = true\ntile_px = 20\n")[0].0, "zone[0].tile_px");
    assert_eq!(refused("tiles = 2\n")[0].0, "zone[0].tiles");
}
