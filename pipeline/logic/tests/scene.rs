//! Seeded grey streets: what the scene says of them, and what it must not say.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

#[path = "scene/faults.rs"]
mod faults;
#[path = "scene/memory.rs"]
mod memory;
#[path = "scene/things.rs"]
mod things;
#[path = "scene/world.rs"]
mod world;

use std::sync::Arc;

use calib::camera::Camera;
use calib::matter::Catalogue;
use calib::space::ImageBox;
use logic::look::Detection;
use logic::scene::{Scene, SceneWatch};
use world::{Moment, World, at};

const CAMERA: &str = r#"
name = "Grey street"
[stream]
url = "rtsp://127.0.0.1/x"
[[zone]]
id = "yard"
kind = "construction_watch"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.5], [0.0, 0.5]]
"#;

fn camera(more: &str) -> Arc<Camera> {
    Arc::new(Camera::parse("test.toml", &format!("{CAMERA}{more}"), &Catalogue::builtin()).unwrap())
}

/// A street with its scene, one look every `step_secs`.
struct Street {
    world: World,
    watch: SceneWatch,
    secs: f64,
    step_secs: f64,
}

impl Street {
    fn new(seed: u64) -> Self {
        Self { world: World::new(seed), watch: SceneWatch::new(camera("")), secs: 0.0, step_secs: 4.0 }
    }

    fn look(&mut self, moment: &Moment, detections: &[Detection], held: &[ImageBox]) -> Scene {
        self.secs += self.step_secs;
        let thumb = self.world.thumb(moment);
        self.watch.look(at(self.secs), &thumb, detections, held)
    }

    fn looks(&mut self, count: usize, moment: &Moment) -> Vec<Scene> {
        (0..count).map(|_| self.look(moment, &[], &[])).collect()
    }

    /// A street whose normal state is learnt.
    fn learnt(seed: u64) -> Self {
        let mut street = Self::new(seed);
        for scene in street.looks(20, &Moment::default()) {
            assert_eq!((scene.fault, scene.proposals.len()), (None, 0), "seed {seed}");
        }
        street
    }
}
