//! What is wrong with a view, and what is not.

use calib::class::Class;
use logic::scene::{Light, Scene, SceneWatch, Thumb, ViewFault};

use crate::Street;
use crate::world::{Moment, Thing, World, at};

fn faults(scenes: &[Scene]) -> Vec<Option<ViewFault>> {
    let mut runs: Vec<_> = scenes.iter().map(|scene| scene.fault).collect();
    runs.dedup();
    runs
}

fn nudged(x: f32, y: f32) -> Moment {
    Moment { nudge: [x, y], ..Moment::default() }
}

#[test]
fn a_camera_nudged_by_fifteen_pixels_of_1080p_has_moved_and_is_well_when_it_is_back() {
    for seed in 1..=20 {
        let mut street = Street::learnt(seed);
        let angle = seed as f32;
        let (x, y) = (2.5 * angle.cos(), 2.5 * angle.sin());
        // A mast that sways would be back by now: after two minutes it is told.
        let scenes = street.looks(34, &nudged(x, y));
        assert_eq!(faults(&scenes), [None, Some(ViewFault::Moved)], "seed {seed}");
        assert!(scenes[29].fault.is_none() && scenes.iter().all(|scene| scene.proposals.is_empty()));
        let [sx, sy] = street.watch.shift().unwrap();
        assert!((sx * 320.0 + x).hypot(sy * 180.0 + y) < 0.5, "seed {seed}: {sx} {sy} for {x} {y}");
        // It stays a fault however long it lasts, and ends with the view that it began from.
        assert_eq!(
            faults(&street.looks(if seed == 1 { 200 } else { 5 }, &nudged(x, y))),
            [Some(ViewFault::Moved)]
        );
        let back = street.looks(5, &Moment::default());
        assert_eq!(faults(&back), [Some(ViewFault::Moved), None], "seed {seed}");
        assert!(back.iter().all(|scene| scene.proposals.is_empty()));
    }
}

#[test]
fn a_mast_that_sways_has_not_moved_and_one_that_was_turned_has_soon() {
    for seed in 1..=10 {
        let mut street = Street::learnt(seed);
        for gust in 0..20 {
            let away = nudged(2.0 + (gust % 3) as f32, -1.5);
            let scenes = [street.looks(5, &away), street.looks(3, &Moment::default())].concat();
            assert_eq!(faults(&scenes), [None], "seed {seed}, gust {gust}");
        }
        let turned = street.looks(4, &nudged(9.0, 2.0));
        assert_eq!(faults(&turned), [None, Some(ViewFault::Moved)], "seed {seed}");
    }
}

/// Bare asphalt: specks and nothing with a corner, seen from (x, y) with a little noise.
fn asphalt(ground: u32, (x, y): (u32, u32), look: u32) -> Thumb {
    let hash = |a: u32, b: u32, c: u32| {
        let mixed = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77) ^ c.wrapping_mul(0xc2b2_ae3d);
        (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d) >> 12
    };
    let speck = |col: u32, row: u32| if hash(col, row, ground) % 40 == 0 { 22 } else { 0 };
    let luma = (0..180).flat_map(|row| (0..320).map(move |col| (col, row))).map(|(col, row)| {
        let (at_x, at_y) = (col + x, row + y);
        let grain = speck(at_x, at_y) + speck(at_x + 1, at_y) / 2 + speck(at_x, at_y + 1) / 2;
        (90 + grain + hash(col, row, look ^ 0x55) % 3) as u8
    });
    Thumb::from_luma(luma.collect()).unwrap()
}

#[test]
fn bare_ground_that_drifts_and_comes_back_has_not_moved_and_another_ground_has() {
    let mut watch = SceneWatch::new(crate::camera(""));
    let mut look = 0;
    let mut see = |ground: u32, x: u32, count: u32| {
        let mut fault = None;
        for _ in 0..count {
            look += 1;
            let thumb = asphalt(ground, (20 + x, 20), look);
            fault = watch.look(at(f64::from(look)), &thumb, &[], &[]).fault;
        }
        fault
    };
    assert_eq!(see(1, 0, 60), None);
    for gust in 0..6 {
        for (x, count) in [(2, 5), (4, 12), (0, 14)] {
            assert_eq!(see(1, x, count), None, "gust {gust}, {x} px off");
        }
    }
    assert_eq!(see(2, 0, 12), Some(ViewFault::Moved), "another ground");
    assert_eq!(see(1, 0, 12), None);
    assert_eq!(see(1, 4, 100), None);
    assert_eq!(see(1, 4, 40), Some(ViewFault::Moved), "it does not come back");
}

#[test]
fn a_view_of_another_street_has_moved_until_it_is_accepted() {
    for seed in 1..=10 {
        let mut street = Street::learnt(seed);
        street.world = World::new(seed + 100);
        assert_eq!(
            faults(&street.looks(10, &Moment::default())),
            [None, Some(ViewFault::Moved)],
            "seed {seed}"
        );
        street.watch.accept();
        let scenes = street.looks(30, &Moment::default());
        assert_eq!(faults(&scenes), [None], "seed {seed}");
        assert!(scenes.iter().all(|scene| scene.proposals.is_empty()));
    }
}

#[test]
fn a_bus_over_half_of_the_picture_a_crowd_and_a_lamp_move_nothing() {
    for seed in 1..=8 {
        let mut street = Street::learnt(seed);
        let bus = Thing { at: [0.0, 20.0], size: [165.0, 150.0], luma: 170.0 };
        let moment = Moment { things: vec![bus], ..Moment::default() };
        for detections in [vec![bus.seen_as(Class::Bus)], Vec::new()] {
            let scenes: Vec<_> = (0..10).map(|_| street.look(&moment, &detections, &[])).collect();
            assert_eq!(faults(&scenes), [None], "seed {seed}");
        }
        street.looks(10, &Moment::default());
        for look in 0..40 {
            let crowd: Vec<Thing> = (0..60)
                .map(|n| Thing {
                    at: [((n * 37 + look * 5) % 310) as f32, ((n * 53 + look) % 150) as f32],
                    size: [8.0, 22.0],
                    luma: 40.0 + (n * 29 % 160) as f32,
                })
                .collect();
            let scene = street.look(&Moment { things: crowd, ..Moment::default() }, &[], &[]);
            assert_eq!(scene.fault, None, "seed {seed}, look {look}");
        }
    }
}

#[test]
fn a_covered_lens_is_covered_be_the_cover_dark_or_pale() {
    for luma in [4.0, 90.0, 200.0] {
        let mut street = Street::learnt(11);
        let cover = Thing { at: [-5.0, -5.0], size: [400.0, 300.0], luma };
        let moment = Moment { things: vec![cover], blurs: 12, ..Moment::default() };
        let covered = street.looks(10, &moment);
        assert_eq!(faults(&covered), [None, Some(ViewFault::Covered)], "{luma}");
        assert_eq!(faults(&street.looks(6, &Moment::default())), [Some(ViewFault::Covered), None], "{luma}");
    }
}

#[test]
fn a_view_out_of_focus_is_blurred_and_mist_is_a_veil() {
    for seed in 1..=6 {
        let mut street = Street::learnt(seed);
        let blurred = street.looks(12, &Moment { blurs: 5, ..Moment::default() });
        assert_eq!(faults(&blurred), [None, Some(ViewFault::Blurred)], "seed {seed}");
        assert_eq!(faults(&street.looks(6, &Moment::default())), [Some(ViewFault::Blurred), None]);
        let misty = street.looks(20, &Moment { mist: 0.3, ..Moment::default() });
        assert_eq!(faults(&misty), [None], "seed {seed}");
        assert!(misty.last().unwrap().is_veiled && misty.iter().all(|scene| scene.proposals.is_empty()));
    }
}

#[test]
fn a_view_that_is_covered_or_out_of_focus_for_good_is_well_once_it_is_accepted() {
    let cover = Thing { at: [-5.0, -5.0], size: [400.0, 300.0], luma: 200.0 };
    let covered = Moment { things: vec![cover], blurs: 12, ..Moment::default() };
    let blurred = Moment { blurs: 5, ..Moment::default() };
    for (moment, fault) in [(covered, ViewFault::Covered), (blurred, ViewFault::Blurred)] {
        let mut street = Street::learnt(16);
        assert!(!street.watch.has_acceptable_fault());
        assert_eq!(street.looks(12, &moment).pop().unwrap().fault, Some(fault));
        assert!(street.watch.has_acceptable_fault());
        street.watch.accept();
        let scenes = street.looks(30, &moment);
        assert_eq!(faults(&scenes), [None], "{fault:?}");
        assert!(scenes.iter().all(|scene| scene.proposals.is_empty() && !scene.is_veiled), "{fault:?}");
    }
}

#[test]
fn a_veil_that_never_lifts_is_the_view_as_it_is_after_a_day() {
    let noisy = Moment { noise: 3.5, ..Moment::default() };
    for (name, moment) in [("mist", Moment { mist: 0.3, ..Moment::default() }), ("noise", noisy)] {
        let mut street = Street::learnt(15);
        street.step_secs = 600.0;
        let scenes = street.looks(200, &moment);
        assert!(scenes[5].is_veiled, "{name}");
        let last = scenes.last().unwrap();
        assert_eq!((last.fault, last.is_veiled), (None, false), "{name}");
    }
}

#[test]
fn dusk_makes_night_and_then_dark_and_morning_brings_the_day_back() {
    let mut street = Street::learnt(12);
    street.step_secs = 10.0;
    let thing = Thing { at: [150.0, 130.0], size: [18.0, 14.0], luma: 210.0 };
    let under = |gain: f32| Moment { gain, things: vec![thing], ..Moment::default() };
    street.looks(10, &under(1.0));
    let mut scenes = Vec::new();
    for look in 0..400_i32 {
        let gain = (look - 200).abs() as f32 / 200.0;
        scenes.push(street.look(&under(gain.max(0.03)), &[], &[]));
    }
    assert_eq!(faults(&scenes), [None, Some(ViewFault::Dark), None]);
    let mut lights: Vec<Light> = scenes.iter().map(|scene| scene.light).collect();
    lights.dedup();
    assert_eq!(lights, [Light::Day, Light::Night, Light::Day]);
    for scene in scenes.iter().filter(|scene| scene.fault.is_none()) {
        assert_eq!(
            scene.proposals.len(),
            1,
            "the thing stands through the night, and nothing comes with the light"
        );
    }
}

#[test]
fn a_washed_out_picture_glares() {
    let mut street = Street::learnt(13);
    let scenes = street.looks(10, &Moment { gain: 2.6, ..Moment::default() });
    assert_eq!(faults(&scenes), [None, Some(ViewFault::Glare)]);
}

#[test]
fn the_same_picture_again_and_again_is_frozen_though_its_clock_ticks() {
    let mut street = Street::learnt(14);
    let still = street.world.thumb(&Moment::default());
    let mut scenes = Vec::new();
    for look in 0..60_u8 {
        let mut luma = still.luma().to_vec();
        for row in 4..12 {
            luma[row * 320 + 200..row * 320 + 290].fill(if look % 2 == 0 { 20 } else { 235 });
        }
        street.secs += 4.0;
        scenes.push(street.watch.look(at(street.secs), &Thumb::from_luma(luma).unwrap(), &[], &[]));
    }
    assert_eq!(faults(&scenes), [None, Some(ViewFault::Frozen)]);
    assert_eq!(faults(&street.looks(4, &Moment::default())), [Some(ViewFault::Frozen), None]);
}
