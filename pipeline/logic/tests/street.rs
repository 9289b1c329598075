//! Scripted looks of one camera, under virtual time: what becomes a finding and what must not.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::finding::Event;
use logic::look::{Detection, Look};
use logic::scene::Scene;
use logic::watch::{SPOTS_MAX, Watch};
use proptest::prelude::*;

const CAMERA: &str = r#"
name = "Test street"
[stream]
url = "rtsp://127.0.0.1/x"
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]
[[zone]]
id = "market"
kind = "permitted"
hours = ["06:00-09:00"]
polygon = [[0.7, 0.4], [1.0, 0.4], [1.0, 1.0], [0.7, 1.0]]
[[zone]]
id = "yard"
kind = "construction_watch"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.4], [0.0, 0.4]]
[[rule]]
kind = "street_vendor"
hours = ["06:00-22:00"]
dwell_secs = 60
[[rule]]
kind = "litter"
dwell_secs = 60
sighting_secs = 120
absence_secs = 120
cooldown_secs = 0
[[rule]]
kind = "overflowing_bin"
dwell_secs = 60
[[rule]]
kind = "piled_material"
classes = ["material_pile", "machinery"]
zones = ["yard"]
dwell_secs = 60
"#;

const STEP_MS: i64 = 2000;

struct Street {
    watch: Watch,
    camera: Arc<Camera>,
    now: Timestamp,
    events: Vec<Event>,
}

impl Street {
    fn new() -> Self {
        let camera = Camera::parse("test.toml", CAMERA, &Catalogue::builtin());
        let camera = Arc::new(camera.unwrap_or_else(|problems| panic!("{problems:?}")));
        // 10:00 in China.
        let now = "2026-07-01T02:00:00Z".parse().unwrap();
        Self { watch: Watch::new(Arc::clone(&camera)), camera, now, events: Vec::new() }
    }

    fn look(&mut self, boxes: &[(Class, [f32; 4])]) {
        self.now = self.now.plus_millis(STEP_MS);
        let detections = boxes.iter().map(|(class, b)| Detection {
            class: *class,
            score: 0.8,
            bounds: ImageBox::from(*b),
        });
        let look = Look {
            at: self.now,
            aspect: 16.0 / 9.0,
            detections: detections.collect(),
            scene: Scene::default(),
        };
        self.events.extend(self.watch.look(&look));
    }

    fn looks(&mut self, count: usize, boxes: &[(Class, [f32; 4])]) {
        for _ in 0..count {
            self.look(boxes);
        }
    }

    fn confirmed(&self) -> Vec<usize> {
        self.events.iter().filter(|e| matches!(e, Event::Confirmed(_))).map(|e| e.sight().rule).collect()
    }
}

const UMBRELLA: (Class, [f32; 4]) = (Class::Umbrella, [0.30, 0.35, 0.45, 0.45]);
const VENDOR: (Class, [f32; 4]) = (Class::Person, [0.44, 0.42, 0.48, 0.60]);
const HEAP: (Class, [f32; 4]) = (Class::Garbage, [0.50, 0.60, 0.58, 0.68]);

#[test]
fn a_stall_with_its_vendor_is_one_finding() {
    let mut street = Street::new();
    street.looks(90, &[UMBRELLA, VENDOR]);
    assert_eq!(street.confirmed(), [0]);
}

#[test]
fn an_umbrella_nobody_attends_is_no_vendor() {
    let mut street = Street::new();
    street.looks(90, &[UMBRELLA]);
    assert_eq!(street.confirmed(), [] as [usize; 0]);
}

#[test]
fn a_walker_under_an_umbrella_is_nothing() {
    let mut street = Street::new();
    for i in 0..60 {
        let x = 0.01 * i as f32;
        let walker = (Class::Person, [x + 0.02, 0.5, x + 0.06, 0.7]);
        street.look(&[(Class::Umbrella, [x, 0.45, x + 0.08, 0.52]), walker]);
    }
    assert_eq!(street.confirmed(), [] as [usize; 0]);
}

#[test]
fn dumped_litter_is_told_once_and_then_seen_again_at_intervals() {
    let mut street = Street::new();
    street.looks(150, &[HEAP]);
    assert_eq!(street.confirmed(), [1]);
    let seen = street.events.iter().filter(|e| matches!(e, Event::Seen(_))).count();
    // 300 s: confirmed after 60, then told every 120.
    assert_eq!(seen, 1);
    let confirmed_at =
        street.events.iter().find(|e| matches!(e, Event::Confirmed(_))).unwrap().sight().clone();
    assert_eq!(confirmed_at.at.secs_since(confirmed_at.first_at), 60.0);
}

#[test]
fn litter_under_the_dwell_is_nothing_and_its_spot_is_given_up() {
    let mut street = Street::new();
    street.looks(20, &[HEAP]);
    street.looks(100, &[]);
    assert_eq!(street.confirmed(), [] as [usize; 0]);
    assert!(matches!(street.events.last(), Some(Event::Dropped(_))));
}

#[test]
fn one_look_confirms_nothing_however_long_ago_it_was() {
    let mut street = Street::new();
    street.look(&[HEAP]);
    street.now = street.now.plus_millis(500_000);
    street.look(&[HEAP]);
    assert_eq!(street.confirmed(), [] as [usize; 0]);
}

#[test]
fn a_stream_lost_within_the_dwell_does_not_lose_the_spot() {
    let mut street = Street::new();
    street.looks(15, &[HEAP]);
    street.now = street.now.plus_millis(60_000);
    street.looks(30, &[HEAP]);
    assert_eq!(street.confirmed(), [1]);
    assert_eq!(street.events.iter().filter(|e| matches!(e, Event::Appeared(_))).count(), 1);
}

#[test]
fn a_restart_within_the_dwell_does_not_lose_the_spot() {
    let mut street = Street::new();
    street.looks(15, &[HEAP]);
    let kept = serde_json::to_string(street.watch.state()).unwrap();
    street.watch = Watch::resume(Arc::clone(&street.camera), serde_json::from_str(&kept).unwrap());
    street.looks(16, &[HEAP]);
    assert_eq!(street.confirmed(), [1]);
}

#[test]
fn a_miss_right_after_a_long_outage_does_not_lose_the_spot() {
    let mut street = Street::new();
    street.looks(15, &[HEAP]);
    street.now = street.now.plus_millis(300_000);
    street.looks(2, &[]);
    street.looks(20, &[HEAP]);
    assert_eq!(street.events.iter().filter(|e| matches!(e, Event::Appeared(_))).count(), 1);
    assert_eq!(street.confirmed(), [1]);
}

#[test]
fn spots_follow_their_rule_through_an_edit_of_the_file() {
    let mut street = Street::new();
    street.looks(20, &[HEAP]);
    let kept = street.watch.state().clone();
    // The litter rule moves to the front, the vendor's is gone.
    let (head, rules) = CAMERA.split_once("[[rule]]").unwrap();
    let mut rules: Vec<&str> = rules.split("[[rule]]").collect();
    rules.remove(0);
    let edited = format!("{head}[[rule]]{}", rules.join("[[rule]]"));
    let camera = Arc::new(Camera::parse("edited.toml", &edited, &Catalogue::builtin()).unwrap());
    assert_eq!(camera.rules[0].code, "06010");
    street.watch = Watch::resume(camera, kept);
    street.looks(11, &[HEAP]);
    assert_eq!(street.confirmed(), [0], "the same spot, its dwell kept, under its rule's new number");
    assert_eq!(street.events.iter().filter(|e| matches!(e, Event::Appeared(_))).count(), 1);
}

#[test]
fn a_clock_set_back_does_not_blind_the_camera() {
    let mut street = Street::new();
    street.looks(40, &[HEAP]);
    street.now = street.now.plus_millis(-90_000);
    street.looks(4, &[HEAP]);
    assert!(
        matches!(street.events.last(), Some(Event::Seen(sight)) if sight.at <= street.now),
        "{:?}",
        street.events.last()
    );
}

#[test]
fn a_thing_cut_off_by_the_lower_edge_stands_in_the_zone() {
    let mut street = Street::new();
    street.looks(40, &[(Class::BinOverflow, [0.4, 0.8, 0.6, 1.0])]);
    assert_eq!(street.confirmed(), [2]);
}

#[test]
fn without_a_rule_for_bins_their_spill_is_litter() {
    let text = CAMERA.replace("[[rule]]\nkind = \"overflowing_bin\"\ndwell_secs = 60\n", "");
    let camera = Arc::new(Camera::parse("test.toml", &text, &Catalogue::builtin()).unwrap());
    assert_eq!(camera.rules.len(), 3);
    let mut street = Street::new();
    street.watch = Watch::new(camera);
    let bin = (Class::BinOverflow, [0.50, 0.50, 0.60, 0.70]);
    street.looks(60, &[bin, (Class::Garbage, [0.48, 0.64, 0.56, 0.72])]);
    assert_eq!(street.confirmed(), [1]);
}

#[test]
fn passers_by_before_it_do_not_make_two_of_it() {
    let mut street = Street::new();
    for i in 0..90 {
        // Hidden in every third look, and the box jitters.
        let jitter = 0.004 * ((i * 7) % 5) as f32;
        let mut heap = HEAP;
        heap.1.iter_mut().for_each(|v| *v += jitter);
        street.look(if i % 3 == 2 { &[] } else { std::slice::from_ref(&heap) });
    }
    assert_eq!(street.confirmed(), [1]);
}

#[test]
fn what_flickers_in_under_half_of_the_looks_is_not_confirmed() {
    let mut street = Street::new();
    for i in 0..120 {
        let heap = [HEAP];
        street.look(if i % 5 < 2 { &heap } else { &[] });
    }
    assert_eq!(street.confirmed(), [] as [usize; 0]);
}

#[test]
fn what_spills_from_a_bin_is_the_bin_s_matter() {
    let mut street = Street::new();
    let bin = (Class::BinOverflow, [0.50, 0.50, 0.60, 0.70]);
    let spill = (Class::Garbage, [0.48, 0.64, 0.56, 0.72]);
    street.looks(60, &[bin, spill]);
    assert_eq!(street.confirmed(), [2]);
}

#[test]
fn a_permitted_place_excuses_a_stall_in_its_hours_only() {
    let umbrella = (Class::Umbrella, [0.80, 0.35, 0.95, 0.45]);
    let vendor = (Class::Person, [0.84, 0.42, 0.88, 0.60]);
    let mut street = Street::new();
    street.now = "2026-07-01T07:00:00+08:00".parse().unwrap();
    street.looks(60, &[umbrella, vendor]);
    assert_eq!(street.confirmed(), [] as [usize; 0], "within the hours");
    street.now = "2026-07-01T10:00:00+08:00".parse().unwrap();
    street.looks(60, &[umbrella, vendor]);
    assert_eq!(street.confirmed(), [0], "outside them");
}

#[test]
fn outside_its_hours_a_rule_is_silent() {
    let mut street = Street::new();
    street.now = "2026-07-01T23:00:00+08:00".parse().unwrap();
    street.looks(60, &[UMBRELLA, VENDOR, HEAP]);
    assert_eq!(street.confirmed(), [1], "litter has no hours, the vendor has");
}

#[test]
fn material_counts_in_its_own_zone_only() {
    let mut street = Street::new();
    street.looks(60, &[(Class::Machinery, [0.1, 0.5, 0.3, 0.8])]);
    assert_eq!(street.confirmed(), [] as [usize; 0]);
    street.looks(60, &[(Class::Machinery, [0.1, 0.1, 0.3, 0.35])]);
    assert_eq!(street.confirmed(), [3]);
}

#[test]
fn bags_of_one_heap_are_one_finding() {
    let mut street = Street::new();
    let beside = (Class::Garbage, [0.59, 0.61, 0.65, 0.68]);
    for i in 0..90 {
        let heap = [HEAP, beside];
        street.look(if i % 2 == 0 { &heap } else { &heap[..1] });
    }
    assert_eq!(street.confirmed(), [1]);
}

#[test]
fn a_cleared_place_is_told_as_gone_and_a_new_heap_there_is_a_new_finding() {
    let mut street = Street::new();
    street.looks(40, &[HEAP]);
    street.looks(70, &[]);
    assert!(street.events.iter().any(|e| matches!(e, Event::Gone(_))));
    street.looks(40, &[HEAP]);
    assert_eq!(street.confirmed(), [1, 1]);
}

#[test]
fn late_and_repeated_frames_are_passed_over() {
    let mut street = Street::new();
    street.looks(10, &[HEAP]);
    let before = street.watch.state().clone();
    street.now = street.now.plus_millis(-STEP_MS * 4);
    street.looks(3, &[]);
    assert_eq!(*street.watch.state(), before);
}

#[test]
fn the_table_of_spots_is_bounded() {
    let mut street = Street::new();
    for row in 0..12 {
        let boxes: Vec<_> = (0..40)
            .map(|i| {
                let (x, y) = (0.024 * i as f32, 0.42 + 0.045 * row as f32);
                (Class::Garbage, [x, y, x + 0.015, y + 0.03])
            })
            .collect();
        street.look(&boxes);
    }
    let state = serde_json::to_value(street.watch.state()).unwrap();
    assert_eq!(state["tables"][0]["spots"].as_array().unwrap().len(), SPOTS_MAX);
    assert!(street.watch.refused() > 0);
}

proptest! {
    /// Whatever the detector says: the same looks give the same events, each spot is confirmed at most
    /// once, and nothing is confirmed under its dwell.
    #[test]
    fn any_looks_give_lawful_events(seed in prop::collection::vec((0usize..6, 0.0f32..0.8, 0.3f32..0.8, 0.02f32..0.2), 0..400)) {
        let run = || {
            let mut street = Street::new();
            for chunk in seed.chunks(3) {
                let classes = [Class::Garbage, Class::Umbrella, Class::Person, Class::BinOverflow, Class::Machinery, Class::Car];
                let boxes: Vec<_> = chunk.iter().map(|(c, x, y, s)| (classes[*c], [*x, *y, x + s, y + s])).collect();
                street.look(&boxes);
            }
            street.events
        };
        let events = run();
        prop_assert_eq!(&events, &run());
        let mut confirmed = std::collections::BTreeSet::new();
        for event in &events {
            if let Event::Confirmed(sight) = event {
                prop_assert!(confirmed.insert(sight.spot));
                prop_assert!(sight.at.secs_since(sight.first_at) >= 60.0 && sight.hits >= 3);
            }
        }
    }
}
