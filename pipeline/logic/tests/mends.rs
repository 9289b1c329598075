//! What once went wrong on a street and must not again, each told by its name.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::time::Timestamp;
use logic::finding::Event;
use logic::look::{Detection, Look};
use logic::scene::{Proposal, ProposalKind, Scene};
use logic::watch::Watch;

const PLACE: &str = r#"
name = "Mended street"
[stream]
url = "rtsp://127.0.0.1/x"
[[zone]]
id = "road"
kind = "road"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.4], [0.0, 0.4]]
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]
"#;
const LITTER: &str = "[[rule]]\nkind = 'litter'\n";
const MATERIAL: &str = "[[rule]]\nkind = 'piled_material'\n";
const VENDORS: &str = "[[rule]]\nkind = 'street_vendor'\n";

type Box = (Class, [f32; 4]);

const STALL: Box = (Class::Stall, [0.30, 0.55, 0.42, 0.75]);
const VENDOR: Box = (Class::Person, [0.42, 0.52, 0.46, 0.74]);
const HEAP: Box = (Class::Garbage, [0.60, 0.70, 0.65, 0.76]);
const NOTHING: [&str; 0] = [];

struct Street {
    watch: Watch,
    camera: Arc<Camera>,
    now: Timestamp,
    step_ms: i64,
    score: f32,
    scene: Scene,
    events: Vec<Event>,
}

fn camera(rules: &[&str]) -> Arc<Camera> {
    let text = format!("{PLACE}{}", rules.concat());
    let camera = Camera::parse("mended.toml", &text, &Catalogue::builtin());
    Arc::new(camera.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

impl Street {
    fn under(rules: &[&str]) -> Self {
        let camera = camera(rules);
        Self {
            watch: Watch::new(Arc::clone(&camera)),
            camera,
            now: "2026-07-01T10:00:00+08:00".parse().unwrap(),
            step_ms: 4000,
            score: 0.8,
            scene: Scene::default(),
            events: Vec::new(),
        }
    }

    fn secs(&mut self, secs: f64, boxes: &[Box]) {
        for _ in 0..(secs * 1000.0 / self.step_ms as f64).round() as usize {
            self.now = self.now.plus_millis(self.step_ms);
            let score = self.score;
            let detections =
                boxes.iter().map(|&(class, bounds)| Detection { class, score, bounds: bounds.into() });
            let (detections, scene) = (detections.collect(), self.scene.clone());
            let look = Look { at: self.now, aspect: 16.0 / 9.0, detections, scene };
            self.events.extend(self.watch.look(&look));
        }
    }

    fn minutes(&mut self, minutes: f64, boxes: &[Box]) {
        self.secs(60.0 * minutes, boxes);
    }

    /// The background says that something new stands there since then.
    fn shows(&mut self, bounds: [f32; 4], since: Timestamp) {
        let kind = ProposalKind::Appeared;
        self.scene.proposals = vec![Proposal { kind, bounds: bounds.into(), since, strength: 0.8 }];
    }

    fn confirmed(&self) -> Vec<&str> {
        let told = self.events.iter().filter(|event| matches!(event, Event::Confirmed(_)));
        told.map(|event| self.camera.rules[event.sight().rule].matter(event.sight().variant).0).collect()
    }

    fn count(&self, test: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| test(event)).count()
    }
}

#[test]
fn a_planter_where_a_vendor_stood_keeps_no_finding_alive() {
    let mut street = Street::under(&[VENDORS]);
    let since = street.now;
    street.minutes(4.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"]);
    street.shows(STALL.1, since);
    street.minutes(25.0, &[]);
    // The detector may be blind for a while.
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 0);
    street.minutes(15.0, &[]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 1);
}

#[test]
fn a_rule_keeps_its_own_score_beside_one_that_trusts_the_background_more() {
    let unsure = "[[rule]]\nkind = 'litter'\nscore_min = 0.6\nproposals = 'off'\n";
    let strict = "[[rule]]\nkind = 'litter'\nscore_min = 0.8\n";
    let lax = "[[rule]]\nkind = 'piled_material'\nscore_min = 0.3\n";
    for (rules, score) in [([unsure, VENDORS], 0.5), ([strict, lax], 0.5)] {
        let mut street = Street::under(&rules);
        street.score = score;
        street.shows(HEAP.1, street.now);
        street.minutes(10.0, &[HEAP]);
        assert_eq!(street.confirmed(), NOTHING, "{rules:?}");
        street.score = 0.8;
        street.minutes(10.0, &[HEAP]);
        assert_eq!(street.confirmed(), ["06010"], "{rules:?}");
    }
}

#[test]
fn a_rule_without_the_background_has_no_head_start_by_it() {
    let mut street = Street::under(&["[[rule]]\nkind = 'litter'\nproposals = 'off'\n", VENDORS]);
    street.shows(HEAP.1, street.now.plus_millis(-600_000));
    street.secs(56.0, &[HEAP]);
    assert_eq!(street.confirmed(), NOTHING);
}

#[test]
fn another_problem_where_one_was_told_is_a_new_one() {
    let mut street = Street::under(&[LITTER, MATERIAL]);
    street.minutes(3.0, &[HEAP]);
    street.minutes(6.0, &[]);
    street.minutes(35.0, &[(Class::MaterialPile, HEAP.1)]);
    assert_eq!(street.confirmed(), ["06010", "06036"]);
}

#[test]
fn back_within_the_cooldown_it_is_told_from_its_own_zone() {
    let mut street = Street::under(&[LITTER]);
    street.minutes(3.0, &[HEAP]);
    street.minutes(6.0, &[]);
    street.minutes(20.0, &[HEAP]);
    assert!(street.count(|event| matches!(event, Event::Seen(_))) > 0);
    assert_eq!(street.count(|event| event.sight().zone != "footway"), 0);
}

#[test]
fn each_rule_asks_for_its_own_size() {
    let large = "[[rule]]\nkind = 'litter'\nsize_px_min = 100\n";
    let mut street = Street::under(&[large, MATERIAL]);
    street.minutes(10.0, &[HEAP]);
    assert_eq!(street.confirmed(), NOTHING);
    street.minutes(10.0, &[(Class::Garbage, [0.30, 0.70, 0.40, 0.85])]);
    assert_eq!(street.confirmed(), ["06010"]);
}

#[test]
fn garbage_beside_a_full_bin_that_no_rule_watches_is_litter() {
    let elsewhere = "[[rule]]\nkind = 'overflowing_bin'\nzones = ['road']\n";
    let mut street = Street::under(&[LITTER, elsewhere]);
    let bin = (Class::BinOverflow, [0.62, 0.60, 0.68, 0.74]);
    street.minutes(3.0, &[bin, HEAP]);
    assert_eq!(street.confirmed(), NOTHING, "beside a bin it takes longer");
    street.minutes(3.0, &[bin, HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
}

#[test]
fn two_rules_of_one_kind_share_the_day() {
    let by = |hours| format!("[[rule]]\nkind = 'litter'\nhours = ['{hours}']\n");
    let mut street = Street::under(&[&by("06:00-22:00"), &by("22:00-06:00")]);
    street.now = "2026-07-01T23:00:00+08:00".parse().unwrap();
    street.minutes(3.0, &[HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
    assert_eq!(street.events.last().unwrap().sight().rule, 1);
}

#[test]
fn rain_ends_nothing_that_only_the_background_sees() {
    let mut street = Street::under(&["[[rule]]\nkind = 'litter'\nproposals = 'alone'\n"]);
    street.shows(HEAP.1, street.now);
    street.minutes(3.0, &[]);
    assert_eq!(street.confirmed(), ["06010"]);
    street.scene = Scene { is_veiled: true, ..Scene::default() };
    street.minutes(20.0, &[]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 0);
    street.scene.is_veiled = false;
    street.minutes(6.0, &[]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 1);
}

#[test]
fn what_the_background_saw_before_is_half_of_a_dwell_at_most() {
    let mut street = Street::under(&[LITTER]);
    street.shows(HEAP.1, street.now.plus_millis(-600_000));
    street.secs(28.0, &[HEAP]);
    assert_eq!(street.confirmed(), NOTHING);
    street.secs(8.0, &[HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
    // A new thing of another size says nothing of this one's age.
    let mut street = Street::under(&[LITTER]);
    street.shows([0.5, 0.6, 0.8, 0.9], street.now.plus_millis(-600_000));
    street.secs(56.0, &[HEAP]);
    assert_eq!(street.confirmed(), NOTHING);
    street.secs(8.0, &[HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
}

#[test]
fn a_new_rule_resets_no_daily_cap() {
    let capped = "[[rule]]\nkind = 'litter'\ndaily_cap = 1\n";
    let mut street = Street::under(&[capped]);
    street.minutes(3.0, &[HEAP]);
    street.camera = camera(&[VENDORS, capped]);
    street.watch = Watch::resume(Arc::clone(&street.camera), street.watch.state().clone());
    street.events.clear();
    street.minutes(3.0, &[HEAP, (Class::Garbage, [0.1, 0.8, 0.16, 0.88])]);
    assert_eq!(street.confirmed(), NOTHING);
    assert_eq!(street.watch.capped(), 1);
}

#[test]
fn ten_seconds_of_misses_drop_no_candidate_that_was_seen_well() {
    let mut street = Street::under(&[LITTER]);
    street.step_ms = 100;
    street.secs(40.0, &[HEAP]);
    street.secs(11.0, &[]);
    street.secs(20.0, &[HEAP]);
    assert_eq!(street.count(|event| matches!(event, Event::Appeared(_))), 1);
    assert_eq!(street.confirmed(), ["06010"]);
}

#[test]
fn a_candidate_seen_now_and_then_is_still_given_up() {
    let mut street = Street::under(&[LITTER]);
    for _ in 0..10 {
        street.secs(4.0, &[HEAP]);
        street.secs(24.0, &[]);
    }
    assert_eq!(street.confirmed(), NOTHING);
    assert!(street.count(|event| matches!(event, Event::Dropped(_))) > 0);
}
