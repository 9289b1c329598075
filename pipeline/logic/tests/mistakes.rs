//! Mistakes of a detector and of what lies near each other: none becomes a case, and none is told twice.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::time::Timestamp;
use logic::dismissed::DISMISSED_MS;
use logic::finding::{Event, SpotId};
use logic::look::{Detection, Look};
use logic::scene::Scene;
use logic::watch::Watch;

/// Seen from straight above: a picture's width is 9.1 m, its height 11.1 m.
const STREET: &str = r#"
name = "Street from above"
[stream]
url = "rtsp://127.0.0.1/x"
[calibration]
image_size = [1000, 1000]
[[calibration.point]]
pixel = [0, 1000]
lonlat = [118.65000, 34.92000]
[[calibration.point]]
pixel = [1000, 1000]
lonlat = [118.65010, 34.92000]
[[calibration.point]]
pixel = [1000, 0]
lonlat = [118.65010, 34.92010]
[[calibration.point]]
pixel = [0, 0]
lonlat = [118.65000, 34.92010]
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.0, 0.7], [1.0, 0.7], [1.0, 1.0], [0.0, 1.0]]
[[zone]]
id = "fronts"
kind = "shopfront_line"
polygon = [[0.0, 0.55], [1.0, 0.55], [1.0, 0.7], [0.0, 0.7]]
[[rule]]
kind = "street_vendor"
[[rule]]
kind = "shopfront_overflow"
[[rule]]
kind = "litter"
[[rule]]
kind = "spoil_heap"
[[rule]]
kind = "overflowing_bin"
[[rule]]
kind = "piled_material"
"#;

type Box = (Class, [f32; 4]);

const FULL_BIN: Box = (Class::BinOverflow, [0.40, 0.72, 0.46, 0.82]);
const BIN: Box = (Class::GarbageBin, [0.40, 0.72, 0.46, 0.82]);
const HEAP: Box = (Class::Garbage, [0.60, 0.80, 0.68, 0.86]);
const PILE: Box = (Class::MaterialPile, [0.59, 0.80, 0.68, 0.87]);
const NOTHING: [&str; 0] = [];

struct Street {
    watch: Watch,
    camera: Arc<Camera>,
    now: Timestamp,
    step_ms: i64,
    events: Vec<Event>,
}

fn camera(text: &str) -> Arc<Camera> {
    let camera = Camera::parse("street.toml", text, &Catalogue::builtin());
    Arc::new(camera.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

impl Street {
    fn new() -> Self {
        let camera = camera(STREET);
        let now = "2026-07-01T10:00:00+08:00".parse().unwrap();
        let watch = Watch::new(Arc::clone(&camera));
        Self { watch, camera, now, step_ms: 30_000, events: Vec::new() }
    }

    fn look(&mut self, boxes: &[Box]) {
        self.now = self.now.plus_millis(self.step_ms);
        let detections =
            boxes.iter().map(|&(class, bounds)| Detection { class, score: 0.8, bounds: bounds.into() });
        let (at, detections) = (self.now, detections.collect());
        self.events.extend(self.watch.look(&Look { at, aspect: 1.0, detections, scene: Scene::default() }));
    }

    fn looks(&mut self, count: usize, boxes: &[Box]) {
        (0..count).for_each(|_| self.look(boxes));
    }

    fn confirmed(&self) -> Vec<&str> {
        let confirmed = self.events.iter().filter(|event| matches!(event, Event::Confirmed(_)));
        let matter = |event: &Event| {
            let sight = event.sight();
            self.camera.rules[sight.rule].matter(sight.variant).0
        };
        confirmed.map(matter).collect()
    }

    fn seen(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Seen(_))).count()
    }

    fn last_spot(&self) -> SpotId {
        self.events.iter().rfind(|event| matches!(event, Event::Confirmed(_))).unwrap().sight().spot
    }
}

#[test]
fn one_mistake_about_an_emptied_bin_is_no_case() {
    let mut street = Street::new();
    street.looks(9, &[FULL_BIN]);
    street.looks(4, &[BIN]);
    street.look(&[FULL_BIN]);
    assert_eq!(street.confirmed(), NOTHING);
    street.looks(3, &[FULL_BIN]);
    assert_eq!(street.confirmed(), ["06042"], "full after all");
}

#[test]
fn what_was_taken_away_is_not_seen_again_for_one_mistake() {
    let mut street = Street::new();
    street.looks(19, &[HEAP]);
    street.looks(6, &[]);
    street.look(&[HEAP]);
    assert_eq!((street.confirmed(), street.seen()), (vec!["06010"], 0));
    street.look(&[HEAP]);
    assert_eq!(street.seen(), 1, "there after all");
}

#[test]
fn a_shops_table_that_shows_behind_a_stall_is_no_part_of_it() {
    let stall = (Class::Table, [0.40, 0.48, 0.60, 0.80]);
    let behind = (Class::Table, [0.45, 0.30, 0.55, 0.50]);
    let vendor = (Class::Person, [0.60, 0.50, 0.66, 0.80]);
    let mut street = Street::new();
    street.looks(12, &[stall, behind, vendor]);
    assert_eq!(street.confirmed(), ["09006"]);
}

#[test]
fn a_shops_own_table_does_not_keep_alive_the_one_that_was_carried_in() {
    let across = (Class::Table, [0.40, 0.35, 0.60, 0.65]);
    let own = (Class::Table, [0.42, 0.25, 0.58, 0.45]);
    let mut street = Street::new();
    street.looks(30, &[across]);
    assert_eq!((street.confirmed(), street.seen()), (vec!["09005"], 0));
    street.looks(20, &[own]);
    assert_eq!(street.seen(), 0);
    assert!(street.events.iter().any(|event| matches!(event, Event::Gone(_))));
}

#[test]
fn rubble_with_rubbish_in_it_now_and_then_is_spoil() {
    let mut street = Street::new();
    for _ in 0..16 {
        street.looks(4, &[PILE]);
        street.look(&[HEAP]);
    }
    assert_eq!(street.confirmed(), ["06011"]);
}

#[test]
fn few_looks_by_night_do_not_make_a_pile_of_a_heap() {
    let mut street = Street::new();
    street.step_ms = 600_000;
    street.looks(5, &[PILE]);
    street.looks(2, &[HEAP, PILE]);
    assert_eq!(street.confirmed(), ["06011"]);
}

#[test]
fn bags_a_step_beside_a_full_bin_are_the_bins() {
    let bags = (Class::Garbage, [0.50, 0.78, 0.56, 0.83]);
    let mut street = Street::new();
    street.looks(14, &[FULL_BIN, bags]);
    assert_eq!(street.confirmed(), ["06042"]);
}

#[test]
fn what_a_person_found_to_be_nothing_is_not_told_again_while_that_holds() {
    let mut street = Street::new();
    street.looks(6, &[HEAP]);
    let until = street.now.plus_millis(DISMISSED_MS);
    assert!(street.watch.dismiss(street.last_spot(), until));
    let kept = serde_json::to_string(street.watch.state()).unwrap();
    street.watch = Watch::resume(Arc::clone(&street.camera), serde_json::from_str(&kept).unwrap());
    street.looks(300, &[HEAP]);
    assert_eq!((street.confirmed().len(), street.seen()), (1, 0));
    let other = (Class::Garbage, [0.20, 0.80, 0.28, 0.86]);
    street.looks(6, &[HEAP, other]);
    assert_eq!(street.confirmed().len(), 2, "another heap elsewhere");
    street.looks(6, &[(Class::Garbage, [0.56, 0.74, 0.72, 0.90])]);
    assert_eq!(street.confirmed().len(), 3, "a larger heap there");
    street.now = until;
    street.looks(100, &[]);
    street.looks(6, &[HEAP]);
    assert_eq!(street.confirmed().len(), 4, "a month later");
}

#[test]
fn a_zone_drawn_around_what_stands_still_holds_at_once() {
    let zone = "[[zone]]\nid = \"off\"\nkind = \"ignore\"\n\
                polygon = [[0.5, 0.7], [0.8, 0.7], [0.8, 1.0], [0.5, 1.0]]\n[[rule]]\n";
    let mut street = Street::new();
    street.looks(6, &[HEAP]);
    street.camera = camera(&STREET.replacen("[[rule]]\n", zone, 1));
    street.watch = Watch::resume(Arc::clone(&street.camera), street.watch.state().clone());
    street.looks(40, &[HEAP]);
    assert_eq!((street.confirmed().len(), street.seen()), (1, 0));
}
