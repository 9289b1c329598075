//! Every knob is on the page of knobs, and nonsense is refused with the mend.

use calib::camera::{Camera, Network};
use calib::check::Problem;
use calib::knobs;
use calib::matter::Catalogue;
use calib::rule::{AutoVerify, Proposals, Urgency, Variant, WarnFirst};

const FULL: &str = r#"
name = "Corner"
channel = "37132900001320000001"
grid = "371329001005012"
department = "城管一中队"
network = "police_video"
clock_skew_secs_max = 2
retention_days = 30
speaker = "horn-1"
hours = ["work_days 06:00-22:00"]
enabled = ["street_vendor", "litter", "night_market", "piled_material"]
[stream]
url = "rtsp://192.0.2.10/main"
sub_url = "rtsp://192.0.2.10/sub"
[scene]
glare_enter = 0.4
glare_leave = 0.3
settle_looks = 4
[[mask]]
id = "window"
polygon = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]
[[preset]]
name = "north"
reference = "north.jpg"
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9]]
[[zone]]
id = "market"
kind = "permitted"
preset = "north"
hours = ["18:00-22:00"]
permit = "371329-2026-0012"
until = "2026-12-31"
polygon = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9]]
[[zone]]
id = "site"
kind = "construction_watch"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.4]]
[[rule]]
kind = "street_vendor"
score_min_night = 0.6
area_px_min = 2000
motion_max = 0.5
rain_pause = true
proposals = "alone"
cooldown_secs = 600
daily_cap = 10
review = false
realert = "never"
merge_hours = 48
warn_first = "speaker"
grace_minutes = 5
speaker_hours = ["08:00-12:00"]
speaker_daily_max = 3
auto_verify = "close"
clear_looks = 8
urgency = "urgent"
time_limit = "2 urgent_hour"
[[rule]]
kind = "litter"
[[rule]]
kind = "night_market"
[[rule]]
kind = "piled_material"
[[rule]]
kind = "illegal_structure"
"#;

fn problems(text: &str) -> Vec<Problem> {
    Camera::parse("corner.toml", text, &Catalogue::builtin()).expect_err("the file has mistakes")
}

#[test]
fn the_page_of_knobs_is_current() {
    let page = include_str!("../KNOBS.md");
    assert!(page == knobs::page(), "cargo run -p calib --example make_knobs > calib/KNOBS.md");
}

#[test]
fn every_key_says_what_it_is_for() {
    // A password is asked for only to be refused.
    assert_eq!(knobs::unexplained(), [] as [&str; 0]);
}

#[test]
fn a_full_file_is_read_whole() {
    let camera = Camera::parse("corner.toml", FULL, &Catalogue::builtin());
    let camera = camera.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(camera.registry.network, Network::PoliceVideo);
    assert_eq!((camera.registry.retention_days, camera.registry.masks.len()), (30, 1));
    assert_eq!(camera.stream.sub_url.as_deref(), Some("rtsp://192.0.2.10/sub"));
    assert_eq!((camera.scene.settle_looks, camera.scene.glare.enter), (4, 0.4));
    assert_eq!((camera.zones[1].preset, camera.presets[0].name.as_str()), (Some(0), "north"));
    assert_eq!(camera.zones[1].until.unwrap().to_string(), "2026-12-31");
    assert_eq!(camera.rules.len(), 4, "illegal_structure is not enabled");
    let rule = &camera.rules[0];
    assert_eq!((rule.proposals, rule.daily_cap, rule.cooldown_ms), (Proposals::Alone, 10, 600_000));
    assert!(rule.is_paused_by_rain && rule.score_min_night > rule.score_min);
    let reporting = &rule.reporting;
    assert_eq!((reporting.warn_first, reporting.auto_verify), (WarnFirst::Speaker, AutoVerify::Close));
    assert_eq!((reporting.urgency, reporting.clear_looks), (Urgency::Urgent, 8));
    assert_eq!(reporting.time_limit.unwrap().to_string(), "2 urgent_hour");
    assert!(!reporting.is_reviewed && camera.rules[1].reporting.is_reviewed);
    let material = &camera.rules[3];
    assert_eq!(material.matter(Variant::Plain).0, "06036");
    assert_eq!(material.matter(Variant::Other), ("08006", "施工物料乱堆放"));
}

#[test]
fn nonsense_is_refused_with_the_mend() {
    for (from, to, key, mend) in [
        ("37132900001320000001", "3713290", "channel", "20 digits"),
        ("371329001005012", "371329-001", "grid", "digits"),
        ("\"police_video\"", "\"polic_video\"", "network", "did you mean \"police_video\""),
        ("retention_days = 30", "retention_days = 7", "retention_days", "30 or more"),
        ("clock_skew_secs_max = 2", "clock_skew_secs_max = -2", "clock_skew_secs_max", "0.1"),
        ("\"litter\", \"night_market\"", "\"liter\", \"night_market\"", "enabled", "did you mean \"litter\""),
        ("192.0.2.10/sub", "u:p@192.0.2.10/sub", "stream.sub_url", "password_env"),
        ("glare_leave = 0.3", "glare_leave = 0.5", "scene.glare_leave", "under 0.4"),
        ("[0.2, 0.2]]", "[0.2, 2]]", "mask[0].polygon", "shares"),
        ("name = \"north\"", "name = \" \"", "preset[0].name", "as the camera calls it"),
        ("preset = \"north\"", "preset = \"nort\"", "zone[1].preset", "did you mean \"north\""),
        ("reference = \"north.jpg\"\n", "", "zone[1].preset", "reference = \"north.jpg\""),
        ("until = \"2026-12-31\"", "until = \"2026-13-31\"", "zone[1].until", "2026-12-31"),
        ("kind = \"permitted\"", "kind = \"footway\"", "zone[1].permit", "permitted"),
        ("hours = [\"18:00-22:00\"]\n", "", "rule[2]", "hours"),
        ("score_min_night = 0.6", "score_min_night = 0.2", "rule[0].score_min_night", "score_min"),
        ("daily_cap = 10", "daily_cap = 0", "rule[0].daily_cap", "1 to 10000"),
        ("proposals = \"alone\"", "proposals = \"aloen\"", "rule[0].proposals", "alone"),
        ("realert = \"never\"", "realert = \"always\"", "rule[0].realert", "never"),
        ("warn_first = \"speaker\"\n", "", "rule[0].speaker_hours", "warn_first = \"speaker\""),
        ("grace_minutes = 5", "grace_minutes = 60", "rule[0].grace_minutes", "5 to 15"),
        ("08:00-12:00\"]\nspeaker", "20:00-23:00\"]\nspeaker", "rule[0].speaker_hours", "08:00-20:00"),
        ("\"2 urgent_hour\"", "\"2 hours\"", "rule[0].time_limit", "4 work_hour"),
        (
            "\"piled_material\"\n[[rule]]",
            "\"piled_material\"\nreview = false\n[[rule]]",
            "rule[3].review",
            "person",
        ),
        (
            "\"litter\"\n[[rule]]",
            "\"litter\"\nmatter_site = \"08006\"\n[[rule]]",
            "rule[1].matter_site",
            "leave it out",
        ),
        (
            "kind = \"illegal_structure\"",
            "kind = \"illegal_structure\"\nproposals = \"off\"",
            "rule[4].proposals",
            "background",
        ),
        ("area_px_min", "area_m2_min = 0.3\narea_px_min", "rule[0].area_m2_min", "[calibration]"),
        (
            "kind = \"night_market\"",
            "kind = \"night_market\"\nzones = [\"market\", \"footway\"]",
            "rule[2].zones",
            "permitted",
        ),
        (
            "kind = \"night_market\"",
            "kind = \"shopfront_overflow\"\nzones = [\"footway\"]",
            "rule[2].zones",
            "shopfront_line",
        ),
        (
            "kind = \"illegal_structure\"",
            "kind = \"illegal_structure\"\nzones = [\"footway\"]",
            "rule[4].zones",
            "construction_watch",
        ),
        (
            "kind = \"construction_watch\"",
            "kind = \"construction_watch\"\npreset = \"north\"",
            "rule[4]",
            "home view",
        ),
        ("kind = \"illegal_structure\"", "kind = \"construction\"", "rule[4].kind", "piled_material"),
    ] {
        let text = FULL.replacen(from, to, 1);
        assert_ne!(text, FULL, "{from}");
        let found = problems(&text);
        let told = found.iter().any(|p| p.key.starts_with(key) && p.mend.contains(mend));
        assert!(told, "{from} → {to}: {found:#?}");
        assert!(found.iter().all(|p| !p.mend.is_empty()));
    }
}

#[test]
fn every_kind_of_rule_has_a_page_with_its_picture_and_its_table() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for kind in calib::rule::RuleKind::ALL {
        let name = kind.name();
        let page = std::fs::read_to_string(folder.join(format!("{name}.md"))).unwrap();
        assert!(page.contains(&format!("({name}.svg)")) && page.contains("| outcome"), "{name}");
        let picture = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{name}");
    }
}
