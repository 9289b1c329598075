//! What a look costs: `cargo test -p logic --test pace -- --ignored --nocapture` prints nanoseconds.
#![expect(clippy::unwrap_used, reason = "a measurement: a failure is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::time::Timestamp;
use logic::look::{Detection, Look};
use logic::scene::Scene;
use logic::watch::Watch;

const CAMERA: &str = "name = 'a'\n[stream]\nurl = 'rtsp://192.0.2.1/x'\n\
    [[zone]]\nid = 'footway'\nkind = 'footway'\npolygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]\n\
    [[zone]]\nid = 'market'\nkind = 'permitted'\nhours = ['06:00-09:00']\n\
    polygon = [[0.8, 0.5], [1.0, 0.5], [1.0, 1.0], [0.8, 1.0]]\n\
    [[rule]]\nkind = 'street_vendor'\nhours = ['06:00-22:00']\n[[rule]]\nkind = 'litter'\n[[rule]]\nkind = 'night_market'\n";

const PASSING: [(Class, [f32; 4]); 4] = [
    (Class::Person, [0.1, 0.5, 0.15, 0.8]),
    (Class::Person, [0.5, 0.5, 0.55, 0.8]),
    (Class::Person, [0.7, 0.5, 0.75, 0.8]),
    (Class::Car, [0.2, 0.4, 0.5, 0.6]),
];
const STAYING: [(Class, [f32; 4]); 3] = [
    (Class::Stall, [0.5, 0.55, 0.6, 0.75]),
    (Class::Table, [0.52, 0.7, 0.6, 0.8]),
    (Class::Garbage, [0.2, 0.8, 0.25, 0.85]),
];

fn ns_a_look(boxes: &[(Class, [f32; 4])], looks: u32) -> f64 {
    let camera = Camera::parse("a.toml", CAMERA, &Catalogue::builtin()).unwrap();
    let mut watch = Watch::new(Arc::new(camera));
    let detections =
        boxes.iter().map(|&(class, bounds)| Detection { class, score: 0.8, bounds: bounds.into() });
    let mut at: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let mut look = Look { at, aspect: 1.78, detections: detections.collect(), scene: Scene::default() };
    let began = Instant::now();
    for _ in 0..looks {
        at = at.plus_millis(30_000);
        look.at = at;
        std::hint::black_box(watch.look(std::hint::black_box(&look)));
    }
    began.elapsed().as_nanos() as f64 / f64::from(looks)
}

#[test]
#[ignore = "a measurement"]
fn a_look_costs_little() {
    println!("passers-by alone: {:.0} ns", ns_a_look(&PASSING, 2_000_000));
    let both: Vec<_> = PASSING.iter().chain(&STAYING).copied().collect();
    println!("with a stall and a heap: {:.0} ns", ns_a_look(&both, 200_000));
}
