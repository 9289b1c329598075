//! What is kept: over a restart, from preset to preset, from day to day.

use logic::scene::{Proposal, ProposalKind, Scene, SceneState, SceneWatch, THUMB_WIDTH, Thumb, ViewFault};
use proptest::prelude::*;

use crate::world::{Dice, Moment, Thing, World, at};
use crate::{Street, camera};

const THING: Thing = Thing { at: [150.0, 120.0], size: [20.0, 16.0], luma: 50.0 };

fn with_thing() -> Moment {
    Moment { things: vec![THING], ..Moment::default() }
}

#[test]
fn a_restart_keeps_what_is_normal_and_what_stands() {
    let mut street = Street::learnt(21);
    let before = street.looks(10, &with_thing()).pop().unwrap();
    let text = serde_json::to_string(street.watch.state()).unwrap();
    assert!(text.len() < 60_000, "{} bytes", text.len());
    let state: SceneState = serde_json::from_str(&text).unwrap();
    street.watch = SceneWatch::resume(camera(""), state);
    for scene in street.looks(10, &with_thing()) {
        assert_eq!(scene.fault, None);
        assert_eq!(scene.proposals.len(), 1);
        assert_eq!(scene.proposals[0].since, before.proposals[0].since);
    }
    let scene = street.looks(6, &Moment::default()).pop().unwrap();
    assert_eq!(scene.proposals, []);
}

#[test]
fn a_noisy_camera_with_a_reference_picture_is_not_veiled_from_its_first_look() {
    let mut street = Street::new(22);
    let reference = street.world.thumb(&Moment::default());
    assert!(street.watch.set_reference(None, &reference, "a"));
    let noisy = Moment { noise: 9.0, ..Moment::default() };
    for run in ["first", "resumed"] {
        assert!(street.looks(10, &noisy).iter().all(|scene| !scene.is_veiled), "{run}");
        let state = street.watch.state().clone();
        street.watch = SceneWatch::resume(camera(""), state);
    }
}

#[test]
fn a_turning_camera_tells_its_presets_apart_and_each_keeps_its_things() {
    let presets = "[[preset]]\nname = \"gate\"\n[[preset]]\nname = \"market\"\n";
    let mut worlds = [World::new(31), World::new(32), World::new(33)];
    let mut watch = SceneWatch::new(camera(presets));
    for (number, world) in worlds.iter_mut().enumerate() {
        assert!(watch.set_reference(number.checked_sub(1), &world.thumb(&Moment::default()), "a"));
    }
    let mut secs = 0.0;
    let mut wrong = 0;
    for visit in 0..60_usize {
        let view = visit % 3;
        // On its way, it shows what lies between two presets.
        for step in 1..4 {
            secs += 2.0;
            let moment = Moment { nudge: [9.0 * step as f32, 3.0], ..Moment::default() };
            let scene = watch.look(at(secs), &worlds[view].thumb(&moment), &[], &[]);
            assert_eq!(scene.fault, Some(ViewFault::Moved), "visit {visit}, step {step}");
        }
        let has_thing = view == 1 && visit >= 40;
        let mut scene = Scene::default();
        for _ in 0..8 {
            secs += 4.0;
            let moment = if has_thing { with_thing() } else { Moment::default() };
            scene = watch.look(at(secs), &worlds[view].thumb(&moment), &[], &[]);
        }
        assert_eq!((scene.fault, scene.preset), (None, view.checked_sub(1)), "visit {visit}");
        wrong += usize::from(scene.proposals.len() != usize::from(has_thing));
        secs += 600.0;
    }
    assert!(wrong <= 1, "{wrong} of 60 visits");
}

#[test]
fn a_reference_is_taken_once_anew_when_it_changes_and_never_from_a_picture_of_another_shape() {
    let presets = "[[preset]]\nname = \"gate\"\n";
    let mut watch = SceneWatch::new(camera(presets));
    let [home, gate] = [51, 52].map(|seed| World::new(seed).thumb(&Moment::default()));
    assert!(watch.needs_reference(None, "home") && watch.needs_reference(Some(0), "gate"));
    assert!(!watch.needs_reference(Some(1), "none"), "the file has one preset");
    assert!(watch.set_reference(None, &home, "home"));
    let state = watch.state().clone();
    let lower = Thumb::from_luma(home.luma()[..home.luma().len() - 2 * THUMB_WIDTH].to_vec()).unwrap();
    assert!(!watch.set_reference(Some(0), &lower, "lower"));
    assert!(!watch.accept(), "it may be on its way between two presets");
    assert_eq!(*watch.state(), state);
    assert!(watch.set_reference(Some(0), &gate, "gate"));

    let text = serde_json::to_string(watch.state()).unwrap();
    let watch = SceneWatch::resume(camera(presets), serde_json::from_str(&text).unwrap());
    assert!(!watch.needs_reference(None, "home") && !watch.needs_reference(Some(0), "gate"));
    assert!(watch.needs_reference(Some(0), "another"));
    let watch = SceneWatch::resume(camera(""), serde_json::from_str(&text).unwrap());
    assert!(!watch.needs_reference(None, "home"));
}

#[test]
fn a_wall_that_is_built_has_changed_after_two_days_and_a_lorry_of_one_day_has_not() {
    let mut street = Street::new(41);
    street.step_secs = 300.0;
    let wall = Thing { at: [60.0, 30.0], size: [60.0, 30.0], luma: 200.0 };
    let lorry = Thing { at: [200.0, 40.0], size: [50.0, 28.0], luma: 60.0 };
    let mut told = Vec::new();
    for day in 0..8_usize {
        street.secs = day as f64 * 86_400.0;
        let mut last = Scene::default();
        for look in 0..96 {
            let mut things = Vec::new();
            if day >= 3 {
                things.push(Thing { size: [60.0, (10.0 * (day - 2) as f32).min(30.0)], ..wall });
            }
            if day == 5 && look > 20 {
                things.push(lorry);
            }
            let shadow_x = Some(40.0 + 2.0 * look as f32);
            let gain = 0.8 + 0.3 * (look as f32 / 30.0).sin();
            last = street.look(&Moment { things, shadow_x, gain, ..Moment::default() }, &[], &[]);
        }
        told.push(
            last.proposals.iter().filter(|p| p.kind == ProposalKind::Changed).copied().collect::<Vec<_>>(),
        );
    }
    assert!(told[..4].iter().all(Vec::is_empty), "{told:?}");
    let is_wall = |change: &&Proposal| change.bounds.iou(&wall.bounds()) > 0.2;
    for (day, changes) in told.iter().enumerate().skip(4) {
        let change = changes.iter().find(is_wall).unwrap_or_else(|| panic!("day {day}: {changes:?}"));
        let came_days = change.since.secs_since(at(0.0)) / 86_400.0;
        assert!((2.9..5.1).contains(&came_days), "day {day}: since day {came_days}");
    }
    // What the day's shadow leaves.
    let others = told.iter().flatten().filter(|change| !is_wall(change)).count();
    assert!(others <= 1, "{told:?}");
    let views = street.watch.day_views();
    assert_eq!(views.len(), 7);
    let text = serde_json::to_string(street.watch.state()).unwrap();
    assert!(text.len() < 250_000, "{} bytes with {} days", text.len(), views.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// The same looks give the same scenes; so does a scene that was kept and resumed, but for what last
    /// passed by.
    #[test]
    fn the_same_looks_give_the_same_scenes(seed in 0..1000_u64) {
        let run = || {
            let mut street = Street::new(seed);
            let mut dice = Dice::new(seed);
            (0..60)
                .map(|_| {
                    let thing = Thing { at: [dice.between(0.0, 300.0), 100.0], ..THING };
                    let gain = dice.between(0.2, 1.5);
                    street.look(&Moment { gain, things: vec![thing], ..Moment::default() }, &[], &[])
                })
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
