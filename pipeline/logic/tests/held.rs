//! Scenes of a street that must come out right, each told by its name.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::papers::Papers;
use calib::rule::Variant;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::finding::Event;
use logic::look::{Detection, Look};
use logic::scene::{Light, Proposal, ProposalKind, Scene, ViewFault};
use logic::watch::Watch;

const STREET: &str = r#"
name = "Held street"
[stream]
url = "rtsp://127.0.0.1/x"
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]
[[zone]]
id = "fronts"
kind = "shopfront_line"
polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 0.5], [0.0, 0.5]]
[[zone]]
id = "market"
kind = "permitted"
hours = ["06:00-09:00"]
polygon = [[0.8, 0.5], [1.0, 0.5], [1.0, 1.0], [0.8, 1.0]]
[[zone]]
id = "site"
kind = "construction_watch"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.4], [0.0, 0.4]]
[[rule]]
kind = "street_vendor"
[[rule]]
kind = "shopfront_overflow"
[[rule]]
kind = "night_market"
[[rule]]
kind = "litter"
[[rule]]
kind = "spoil_heap"
[[rule]]
kind = "overflowing_bin"
[[rule]]
kind = "piled_material"
[[rule]]
kind = "illegal_structure"
"#;

type Box = (Class, [f32; 4]);

const PERSON: Box = (Class::Person, [0.33, 0.55, 0.37, 0.80]);
const STALL: Box = (Class::Stall, [0.30, 0.55, 0.42, 0.75]);
const VENDOR: Box = (Class::Person, [0.42, 0.52, 0.46, 0.74]);
const HEAP: Box = (Class::Garbage, [0.60, 0.70, 0.65, 0.76]);
const BIN: Box = (Class::BinOverflow, [0.60, 0.60, 0.66, 0.74]);
const TRICYCLE: Box = (Class::CargoTricycle, [0.20, 0.60, 0.32, 0.78]);

struct Street {
    watch: Watch,
    camera: Arc<Camera>,
    now: Timestamp,
    step_ms: i64,
    scene: Scene,
    events: Vec<Event>,
}

impl Street {
    fn of(text: &str) -> Self {
        let camera = Camera::parse("held.toml", text, &Catalogue::builtin());
        let camera = Arc::new(camera.unwrap_or_else(|problems| panic!("{problems:#?}")));
        let now = "2026-07-01T10:00:00+08:00".parse().unwrap();
        let watch = Watch::new(Arc::clone(&camera));
        Self { watch, camera, now, step_ms: 4000, scene: Scene::default(), events: Vec::new() }
    }

    fn new() -> Self {
        Self::of(STREET)
    }

    fn look(&mut self, boxes: &[Box]) {
        self.now = self.now.plus_millis(self.step_ms);
        let detections =
            boxes.iter().map(|&(class, bounds)| Detection { class, score: 0.8, bounds: bounds.into() });
        let (at, scene) = (self.now, self.scene.clone());
        self.events.extend(self.watch.look(&Look {
            at,
            aspect: 16.0 / 9.0,
            detections: detections.collect(),
            scene,
        }));
    }

    fn minutes(&mut self, minutes: f64, boxes: &[Box]) {
        let looks = (minutes * 60_000.0 / self.step_ms as f64).round() as usize;
        (0..looks).for_each(|_| self.look(boxes));
    }

    /// Codes of what was confirmed, in order.
    fn confirmed(&self) -> Vec<&str> {
        let code = |event: &Event| {
            let sight = event.sight();
            let rule = &self.camera.rules[sight.rule];
            let (code, _) = rule.matter(sight.variant);
            self.camera.rules.iter().find_map(|own| {
                [own.matter(Variant::Plain).0, own.matter(Variant::Other).0].into_iter().find(|c| *c == code)
            })
        };
        self.events.iter().filter(|e| matches!(e, Event::Confirmed(_))).filter_map(code).collect()
    }

    fn count(&self, test: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| test(event)).count()
    }

    fn restart(&mut self) {
        let kept = serde_json::to_string(self.watch.state()).unwrap();
        self.watch = Watch::resume(Arc::clone(&self.camera), serde_json::from_str(&kept).unwrap());
    }
}

const NOTHING: [&str; 0] = [];

fn news(bounds: [f32; 4], since: Timestamp) -> Proposal {
    Proposal { kind: ProposalKind::Appeared, bounds: bounds.into(), since, strength: 0.8 }
}

#[test]
fn a_person_standing_with_an_umbrella_for_ten_minutes_is_nothing() {
    let mut street = Street::new();
    let umbrella = (Class::Umbrella, [0.31, 0.50, 0.39, 0.60]);
    street.minutes(10.0, &[PERSON, umbrella]);
    // The detector loses the person now and then.
    let (alone, both) = ([umbrella], [PERSON, umbrella]);
    for i in 0..150 {
        street.look(if i % 6 == 0 { &alone } else { &both });
    }
    assert_eq!(street.confirmed(), NOTHING);
}

#[test]
fn a_delivery_tricycle_parked_for_four_minutes_is_nothing() {
    let mut street = Street::new();
    let courier = (Class::Person, [0.33, 0.58, 0.37, 0.78]);
    street.minutes(1.0, &[TRICYCLE, courier]);
    street.minutes(2.5, &[TRICYCLE]);
    street.minutes(0.5, &[TRICYCLE, courier]);
    street.minutes(5.0, &[]);
    assert_eq!(street.confirmed(), NOTHING);
}

#[test]
fn a_tricycle_parked_for_an_hour_with_people_passing_is_nothing() {
    let mut street = Street::new();
    let passer = (Class::Person, [0.33, 0.58, 0.37, 0.78]);
    let (alone, both) = ([TRICYCLE], [TRICYCLE, passer]);
    for i in 0..900 {
        street.look(if i % 3 == 0 { &both } else { &alone });
    }
    assert_eq!(street.confirmed(), NOTHING);
}

#[test]
fn who_sells_from_a_tricycle_is_an_itinerant_vendor() {
    let mut street = Street::new();
    let goods = (Class::Goods, [0.22, 0.72, 0.30, 0.80]);
    street.minutes(4.0, &[TRICYCLE, goods, (Class::Person, [0.33, 0.58, 0.37, 0.78])]);
    assert_eq!(street.confirmed(), ["09001"]);
    let mut street = Street::new();
    street.minutes(13.0, &[TRICYCLE, (Class::Person, [0.33, 0.58, 0.37, 0.78])]);
    assert_eq!(street.confirmed(), ["09001"], "attended all the time for four dwells");
}

#[test]
fn a_shops_own_table_behind_its_line_is_nothing_and_one_across_it_is_overflow() {
    let mut street = Street::new();
    street
        .minutes(20.0, &[(Class::Table, [0.50, 0.30, 0.56, 0.38]), (Class::Person, [0.56, 0.2, 0.6, 0.39])]);
    assert_eq!(street.confirmed(), NOTHING);
    street.minutes(6.0, &[(Class::Table, [0.50, 0.36, 0.56, 0.45])]);
    assert_eq!(street.confirmed(), ["09005"]);
}

#[test]
fn a_bin_truck_emptying_a_bin_ends_the_matter_before_it_is_one() {
    let mut street = Street::new();
    street.minutes(3.0, &[BIN]);
    street.minutes(3.0, &[(Class::Truck, [0.5, 0.3, 0.8, 0.9]), (Class::Person, [0.5, 0.6, 0.54, 0.8])]);
    street.minutes(5.0, &[(Class::GarbageBin, [0.60, 0.62, 0.66, 0.74])]);
    assert_eq!(street.confirmed(), NOTHING);
    assert_eq!(street.count(|event| matches!(event, Event::Dropped(_))), 1);
}

#[test]
fn a_bus_before_a_full_bin_neither_ends_nor_doubles_the_matter() {
    let mut street = Street::new();
    for _ in 0..6 {
        street.minutes(1.0, &[BIN]);
        street.minutes(3.0, &[(Class::Bus, [0.4, 0.2, 0.9, 0.95])]);
    }
    assert_eq!(street.confirmed(), ["06042"]);
    assert_eq!(street.count(|event| matches!(event, Event::Appeared(_))), 1);
}

#[test]
fn a_stall_inside_its_permit_is_nothing_there_and_a_vendor_beside_it() {
    let permit = "[[permit]]\nnumber = 'EX-1'\nholder = 'H-1'\nmatters = ['09006']\nzone = 'footway'\n\
                  hours = ['06:00-22:00']\nfrom = '2026-07-01'\nuntil = '2026-07-31'\n";
    let permits = calib::permit::parse("permits.toml", permit, &Catalogue::builtin()).unwrap();
    let mut street = Street::new();
    let mut camera = Camera::clone(&street.camera);
    camera.keep_to("held", &Papers { permits, ..Papers::default() });
    street.watch = Watch::new(Arc::new(camera));
    street.minutes(30.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), NOTHING);
    street.now = "2026-08-01T10:00:00+08:00".parse().unwrap();
    street.minutes(4.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"], "expired");
}

#[test]
fn a_permitted_stall_that_outstays_its_hours_is_a_market_matter() {
    let mut street = Street::new();
    let (stall, vendor) =
        ((Class::Stall, [0.85, 0.55, 0.95, 0.75]), (Class::Person, [0.8, 0.52, 0.84, 0.74]));
    street.now = "2026-07-01T08:00:00+08:00".parse().unwrap();
    street.minutes(60.0, &[stall, vendor]);
    assert_eq!(street.confirmed(), NOTHING);
    street.minutes(6.0, &[stall, vendor]);
    assert_eq!(street.confirmed(), ["09002"]);
    let mut street = Street::new();
    street.minutes(60.0, &[stall]);
    assert_eq!(street.confirmed(), NOTHING, "left standing, nobody trades");
}

#[test]
fn a_street_lamp_that_switches_on_is_nothing() {
    let mut street = Street::new();
    street.minutes(5.0, &[]);
    street.scene.light = Light::Night;
    street.minutes(10.0, &[]);
    street.scene.proposals = vec![news([0.4, 0.6, 0.6, 0.8], street.now)];
    street.minutes(30.0, &[]);
    street.minutes(30.0, &[PERSON]);
    assert_eq!(street.confirmed(), NOTHING);
    assert!(street.watch.state().is_empty());
}

#[test]
fn a_stall_that_stood_alone_all_night_is_told_soon_after_its_vendor_came() {
    let mut street = Street::new();
    street.step_ms = 30_000;
    street.minutes(600.0, &[STALL]);
    assert_eq!(street.confirmed(), NOTHING, "nobody sells");
    street.minutes(10.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"]);
}

#[test]
fn a_camera_nudged_by_fifteen_pixels_neither_loses_nor_doubles_a_case() {
    let mut street = Street::new();
    street.minutes(5.0, &[HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
    street.scene.fault = Some(ViewFault::Moved);
    let mut nudged = HEAP;
    nudged.1 = nudged.1.map(|v| v + 15.0 / 1080.0);
    street.minutes(20.0, &[nudged]);
    street.minutes(20.0, &[]);
    // Accepted: the new view is the reference from here on.
    street.scene.fault = None;
    street.minutes(20.0, &[nudged]);
    assert_eq!(street.confirmed(), ["06010"]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_) | Event::Dropped(_))), 0);
}

#[test]
fn a_covered_camera_confirms_nothing_and_loses_nothing() {
    let mut street = Street::new();
    street.minutes(2.0, &[STALL, VENDOR]);
    street.scene.fault = Some(ViewFault::Covered);
    street.minutes(60.0, &[STALL, VENDOR]);
    street.minutes(60.0, &[]);
    assert_eq!(street.confirmed(), NOTHING, "the time stands still");
    street.scene.fault = None;
    street.minutes(1.2, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"]);
    assert_eq!(street.count(|event| matches!(event, Event::Appeared(_))), 1);
}

#[test]
fn ten_minutes_without_a_stream_inside_a_dwell_cost_no_spot_and_make_no_second() {
    let mut street = Street::new();
    street.minutes(1.0, &[STALL, VENDOR]);
    street.now = street.now.plus_millis(600_000);
    street.restart();
    street.minutes(3.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"]);
    assert_eq!(street.count(|event| matches!(event, Event::Appeared(_))), 1);
    // And a vendor who left meanwhile is none.
    let mut street = Street::new();
    street.minutes(1.0, &[STALL, VENDOR]);
    street.now = street.now.plus_millis(600_000);
    street.minutes(5.0, &[]);
    assert_eq!(street.confirmed(), NOTHING);
}

const PATROL: &str = r#"
[[preset]]
name = "north"
reference = "north.jpg"
[[preset]]
name = "east"
reference = "east.jpg"
[[preset]]
name = "south"
reference = "south.jpg"
[[zone]]
id = "north-way"
kind = "footway"
preset = "north"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]
[[zone]]
id = "east-way"
kind = "footway"
preset = "east"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]
[[rule]]
kind = "street_vendor"
[[rule]]
kind = "litter"
"#;

#[test]
fn a_patrol_of_three_presets_keeps_their_spots_apart_and_their_time() {
    let mut street = Street::of(&format!("{}{PATROL}", STREET.split("[[zone]]").next().unwrap()));
    for _ in 0..4 {
        for preset in 0..3 {
            street.scene = Scene { fault: Some(ViewFault::Moved), ..Scene::default() };
            street.minutes(0.2, &[STALL]);
            street.scene = Scene { preset: Some(preset), ..Scene::default() };
            let boxes: &[Box] = match preset {
                0 => &[STALL, VENDOR],
                1 => &[HEAP],
                _ => &[STALL, VENDOR, HEAP],
            };
            street.minutes(0.2, boxes);
            street.now = street.now.plus_millis(200_000 - 24_000);
        }
        street.restart();
    }
    // The third preset has no zone: what stands there is nobody's.
    let mut confirmed = street.confirmed();
    confirmed.sort_unstable();
    assert_eq!(confirmed, ["06010", "09006"]);
    let presets: Vec<_> = street.events.iter().map(|event| event.sight().preset).collect();
    assert!(presets.contains(&Some(0)) && presets.contains(&Some(1)) && !presets.contains(&Some(2)));
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_) | Event::Dropped(_))), 0);
}

#[test]
fn a_vendor_who_left_a_preset_is_gone_after_the_next_visit() {
    let mut street = Street::of(&format!("{}{PATROL}", STREET.split("[[zone]]").next().unwrap()));
    street.scene.preset = Some(0);
    for round in 0..4 {
        street.minutes(0.3, if round < 3 { &[STALL, VENDOR] } else { &[] });
        street.now = street.now.plus_millis(600_000);
    }
    assert_eq!(street.confirmed(), ["09006"]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 1);
}

#[test]
fn a_structure_needs_growth_and_works() {
    let grown = |since| Proposal {
        kind: ProposalKind::Changed,
        bounds: ImageBox::from([0.2, 0.1, 0.4, 0.3]),
        since,
        strength: 0.6,
    };
    let days = |street: &mut Street, days: usize, boxes: &[Box]| {
        street.step_ms = 300_000;
        street.minutes(days as f64 * 1440.0, boxes);
    };
    let mut street = Street::new();
    street.scene.proposals = vec![grown(street.now)];
    days(&mut street, 4, &[]);
    assert_eq!(street.confirmed(), NOTHING, "snow, a parked trailer: nothing tells of building");
    let mut street = Street::new();
    days(&mut street, 1, &[(Class::Scaffold, [0.2, 0.1, 0.4, 0.3])]);
    street.scene.proposals = vec![grown(street.now)];
    days(&mut street, 3, &[(Class::Scaffold, [0.2, 0.1, 0.4, 0.3])]);
    assert_eq!(street.confirmed(), ["08016"]);
}

#[test]
fn spoil_mixed_with_rubbish_is_a_heap_and_material_is_not() {
    let pile = (Class::MaterialPile, [0.61, 0.68, 0.70, 0.77]);
    let mut street = Street::new();
    street.minutes(6.0, &[HEAP, pile]);
    assert_eq!(street.confirmed(), ["06011"]);
    let mut street = Street::new();
    street.minutes(40.0, &[pile]);
    assert_eq!(street.confirmed(), ["06036"]);
    let mut street = Street::new();
    street.minutes(40.0, &[(Class::MaterialPile, [0.2, 0.2, 0.35, 0.35])]);
    assert_eq!(street.confirmed(), ["08006"], "on the site");
}

#[test]
fn the_background_stands_in_for_a_detector_that_blinks_and_never_speaks_alone() {
    let since = Street::new().now;
    let mut street = Street::new();
    street.scene.proposals = vec![news(HEAP.1, since)];
    for i in 0..60 {
        street.look(if i % 3 == 0 { &[HEAP] } else { &[] });
    }
    assert_eq!(street.confirmed(), ["06010"]);
    let mut street = Street::new();
    street.scene.proposals = vec![news(HEAP.1, since)];
    street.minutes(30.0, &[]);
    assert_eq!(street.confirmed(), NOTHING);
    let alone = STREET.replace("kind = \"litter\"", "kind = \"litter\"\nproposals = \"alone\"");
    let mut street = Street::of(&alone);
    street.scene.proposals = vec![news(HEAP.1, since)];
    street.minutes(3.0, &[]);
    assert_eq!(street.confirmed(), ["06010"]);
    // A parked car is new and static too.
    let mut street = Street::of(&alone);
    street.scene.proposals = vec![news([0.5, 0.6, 0.7, 0.8], since)];
    street.minutes(30.0, &[(Class::Car, [0.5, 0.6, 0.7, 0.8])]);
    assert_eq!(street.confirmed(), NOTHING);
}

#[test]
fn back_within_the_cooldown_it_is_the_same_spot_and_later_a_new_one() {
    let mut street = Street::new();
    street.minutes(4.0, &[STALL, VENDOR]);
    street.minutes(10.0, &[]);
    street.minutes(30.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006"]);
    assert_eq!(street.count(|event| matches!(event, Event::Gone(_))), 1);
    assert!(street.count(|event| matches!(event, Event::Seen(_))) >= 1, "told as a sighting");
    street.minutes(45.0, &[]);
    street.minutes(4.0, &[STALL, VENDOR]);
    assert_eq!(street.confirmed(), ["09006", "09006"]);
}

#[test]
fn the_daily_cap_holds_until_midnight() {
    let text = STREET.replace("kind = \"litter\"", "kind = \"litter\"\ndaily_cap = 2\ncooldown_secs = 0");
    let mut street = Street::of(&text);
    let three = [0.1, 0.4, 0.7].map(|x| (Class::Garbage, [x, 0.8, x + 0.05, 0.86]));
    street.minutes(10.0, &three);
    assert_eq!(street.confirmed(), ["06010", "06010"]);
    assert_eq!(street.watch.capped(), 1);
    street.now = "2026-07-01T23:59:00+08:00".parse().unwrap();
    street.minutes(3.0, &three);
    assert_eq!(street.confirmed().len(), 3);
}

#[test]
fn a_dark_or_rainy_street_asks_for_more_where_its_rule_says_so() {
    let text =
        STREET.replace("kind = \"litter\"", "kind = \"litter\"\nscore_min_night = 0.9\nrain_pause = true");
    let mut street = Street::of(&text);
    street.scene.light = Light::Night;
    street.minutes(10.0, &[HEAP]);
    street.scene = Scene { is_veiled: true, ..Scene::default() };
    street.minutes(10.0, &[HEAP]);
    assert_eq!(street.confirmed(), NOTHING);
    street.scene = Scene::default();
    street.minutes(2.0, &[HEAP]);
    assert_eq!(street.confirmed(), ["06010"]);
}
