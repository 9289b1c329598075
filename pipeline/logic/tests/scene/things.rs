//! Things that come and go, and light that is no thing.

use calib::class::Class;
use logic::scene::{Light, Proposal, ProposalKind};

use crate::Street;
use crate::world::{Moment, Thing, at};

fn bag(x: f32, y: f32) -> Thing {
    Thing { at: [x, y], size: [16.0, 14.0], luma: 45.0 }
}

fn with(things: &[Thing]) -> Moment {
    Moment { things: things.to_vec(), ..Moment::default() }
}

fn at_thing<'a>(proposals: &'a [Proposal], thing: &Thing) -> Option<&'a Proposal> {
    proposals.iter().find(|proposal| proposal.bounds.iou(&thing.bounds()) > 0.3)
}

#[test]
fn a_bag_put_down_appears_where_and_when_it_came_and_ends_when_it_goes() {
    let (mut ious, mut found) = (0.0, 0);
    for seed in 1..=20 {
        let mut street = Street::learnt(seed);
        let thing =
            Thing { luma: if seed % 2 == 0 { 45.0 } else { 210.0 }, ..bag(30.0 + 12.0 * seed as f32, 120.0) };
        let came_at = at(street.secs + street.step_secs);
        let scene = street.looks(8, &with(&[thing])).pop().unwrap();
        let Some(proposal) = at_thing(&scene.proposals, &thing) else { continue };
        found += 1;
        ious += proposal.bounds.iou(&thing.bounds());
        assert_eq!(scene.proposals.len(), 1, "seed {seed}: {:?}", scene.proposals);
        assert_eq!(proposal.kind, ProposalKind::Appeared, "seed {seed}");
        assert!(proposal.since.millis_since(came_at).abs() <= 4_000, "seed {seed}");
        let scene = street.looks(6, &with(&[])).pop().unwrap();
        assert_eq!(scene.proposals, [], "seed {seed}");
    }
    assert!(found >= 19, "{found} of 20");
    assert!(ious / found as f32 > 0.55, "mean overlap {}", ious / found as f32);
}

#[test]
fn what_stood_there_from_the_start_is_normal_and_gone_when_taken_away() {
    let (mut removed, mut other) = (0, 0);
    for seed in 1..=20 {
        let thing = bag(40.0 + 10.0 * seed as f32, 130.0);
        let mut street = Street::new(seed);
        assert!(street.looks(20, &with(&[thing])).iter().all(|scene| scene.proposals.is_empty()));
        let scene = street.looks(10, &with(&[])).pop().unwrap();
        let kind = at_thing(&scene.proposals, &thing).map(|proposal| proposal.kind);
        removed += i32::from(kind == Some(ProposalKind::Removed));
        other += i32::from(kind == Some(ProposalKind::Appeared));
    }
    assert!(removed >= 18 && other == 0, "{removed} removed, {other} taken for new");
}

#[test]
fn a_passer_by_who_stands_before_a_thing_does_not_end_it() {
    let mut street = Street::learnt(3);
    let thing = bag(150.0, 120.0);
    let since = at_thing(&street.looks(8, &with(&[thing])).pop().unwrap().proposals, &thing).unwrap().since;
    let person = Thing { at: [146.0, 100.0], size: [22.0, 46.0], luma: 90.0 };
    for _ in 0..150 {
        let moment = with(&[thing, person]);
        let scene = street.look(&moment, &[person.seen_as(Class::Person)], &[]);
        assert_eq!(at_thing(&scene.proposals, &thing).map(|p| p.since), Some(since));
    }
    // One whom the detector misses, walking by.
    for step in 0..20 {
        let person = Thing { at: [60.0 + 9.0 * step as f32, 100.0], ..person };
        let scene = street.look(&with(&[thing, person]), &[], &[]);
        assert!(at_thing(&scene.proposals, &thing).is_some(), "step {step}");
    }
}

#[test]
fn people_and_vehicles_are_no_proposal_and_leave_no_trace() {
    let mut street = Street::learnt(4);
    let mut told = 0;
    for look in 0..400 {
        let walkers: Vec<Thing> = (0..6)
            .map(|n| Thing {
                at: [((look * (3 + n) * 5 + n * 61) % 300) as f32, 90.0 + 10.0 * n as f32],
                size: [9.0, 24.0],
                luma: 60.0 + 25.0 * n as f32,
            })
            .collect();
        // The detector misses one in five.
        let seen: Vec<_> = walkers
            .iter()
            .enumerate()
            .filter(|(n, _)| (look + n) % 5 != 0)
            .map(|(_, walker)| walker.seen_as(Class::Person))
            .collect();
        told += street.look(&with(&walkers), &seen, &[]).proposals.len();
    }
    assert_eq!(told, 0);
    assert!(street.looks(10, &with(&[])).iter().all(|scene| scene.proposals.is_empty()));
}

/// Looks with something new told of, over all looks of all seeds.
fn told_under(
    seeds: std::ops::RangeInclusive<u64>,
    looks: usize,
    moment: impl Fn(usize) -> Moment,
) -> (usize, usize) {
    let (mut told, mut faults) = (0, 0);
    for seed in seeds {
        let mut street = Street::learnt(seed);
        for look in 0..looks {
            let scene = street.look(&moment(look), &[], &[]);
            told += usize::from(scene.proposals.iter().any(|p| p.kind == ProposalKind::Appeared));
            faults += usize::from(scene.fault.is_some());
        }
    }
    (told, faults)
}

#[test]
fn light_that_drifts_or_jumps_is_no_thing() {
    let drift = |look: usize| Moment { gain: 0.8 + 0.3 * (look as f32 / 40.0).sin(), ..Moment::default() };
    assert_eq!(told_under(1..=4, 300, drift), (0, 0));
    let clouds = |look: usize| Moment { gain: [1.0, 0.55][(look / 12) % 2], ..Moment::default() };
    assert_eq!(told_under(1..=4, 200, clouds), (0, 0));
}

#[test]
fn a_shadow_that_sweeps_the_street_is_no_thing() {
    // An edge that crosses the picture in an hour.
    let sweep = |look: usize| Moment { shadow_x: Some(20.0 + look as f32 * 0.4), ..Moment::default() };
    let (told, faults) = told_under(1..=2, 900, sweep);
    assert!(told <= 18 && faults == 0, "{told} looks of 1800, {faults} faults");
}

#[test]
#[ignore = "open: the edge is told of in 496 of 1200 looks, where its two sides have followed the light before it"]
fn a_shadow_that_comes_with_the_sun_and_stays_is_no_thing() {
    let sun = |look: usize| Moment { shadow_x: (look > 20).then_some(170.0), ..Moment::default() };
    let (told, faults) = told_under(1..=6, 200, sun);
    assert!(told <= 24 && faults == 0, "{told} looks of 1200, {faults} faults");
}

#[test]
fn a_street_lamp_that_comes_on_is_no_thing_and_moves_nothing() {
    let lamp =
        |look: usize| Moment { gain: 0.6, lamp: (look > 10).then_some([120.0, 110.0]), ..Moment::default() };
    assert_eq!(told_under(1..=6, 150, lamp), (0, 0));
}

#[test]
fn waving_leaves_raise_their_own_threshold() {
    let mut told = 0;
    for seed in 1..=4 {
        let mut street = Street::new(seed);
        street.world.tree = Some(([70.0, 60.0], 40.0));
        for _ in 0..400 {
            told += usize::from(!street.look(&Moment::default(), &[], &[]).proposals.is_empty());
        }
        let thing = bag(200.0, 130.0);
        let scene = street.looks(8, &with(&[thing])).pop().unwrap();
        assert!(at_thing(&scene.proposals, &thing).is_some(), "seed {seed}: a thing beside the tree");
    }
    assert!(told <= 8, "{told} looks of 1600");
}

#[test]
fn rain_veils_a_view_and_neither_makes_nor_ends_a_thing() {
    let mut street = Street::learnt(6);
    let thing = bag(200.0, 130.0);
    street.looks(10, &with(&[thing]));
    let rain = Moment { rain_streaks: 260, mist: 0.7, ..with(&[thing]) };
    let scenes = street.looks(100, &rain);
    for scene in &scenes {
        assert_eq!(scene.fault, None);
        assert!(at_thing(&scene.proposals, &thing).is_some() && scene.proposals.len() == 1);
    }
    assert!(scenes.iter().filter(|scene| scene.is_veiled).count() > 90);
    let clear = street.looks(20, &with(&[thing]));
    assert!(!clear.last().unwrap().is_veiled);
}

#[test]
fn what_stands_at_dusk_stands_by_night_and_ends_when_it_goes() {
    let mut street = Street::learnt(9);
    let thing = Thing { luma: 210.0, ..bag(150.0, 130.0) };
    let by_night = |things: &[Thing]| Moment { gain: 0.32, ..with(things) };
    let by_day = street.looks(8, &with(&[thing])).pop().unwrap();
    let since = at_thing(&by_day.proposals, &thing).unwrap().since;
    let scenes = street.looks(60, &by_night(&[thing]));
    assert_eq!((scenes[0].light, scenes[59].light), (Light::Day, Light::Night));
    assert_eq!(at_thing(&scenes[59].proposals, &thing).map(|p| p.since), Some(since));
    // One whom the detector misses, walking by.
    for step in 0..20 {
        let person = Thing { at: [60.0 + 9.0 * step as f32, 110.0], size: [14.0, 40.0], luma: 90.0 };
        let scene = street.look(&by_night(&[thing, person]), &[], &[]);
        assert!(!scene.proposals.is_empty(), "step {step}");
    }
    let scenes = street.looks(40, &by_night(&[]));
    assert!(scenes[12..].iter().all(|scene| scene.proposals.is_empty()));
    let again = street.looks(8, &by_night(&[thing])).pop().unwrap();
    assert!(at_thing(&again.proposals, &thing).is_some(), "the place was learnt by night");
}

#[test]
fn an_open_spot_is_not_swallowed_and_what_nobody_claims_is_after_a_day() {
    for is_held in [true, false] {
        let mut street = Street::learnt(7);
        let thing = bag(150.0, 120.0);
        let held = if is_held { vec![thing.bounds()] } else { Vec::new() };
        street.step_secs = 4.0;
        for _ in 0..6 {
            street.look(&with(&[thing]), &[], &held);
        }
        street.step_secs = 300.0;
        let mut told = Vec::new();
        for look in 0..320 {
            let gain = 1.0 + 0.2 * (look as f32 / 30.0).sin();
            let moment = Moment { gain, ..with(&[thing]) };
            told.push(at_thing(&street.look(&moment, &[], &held).proposals, &thing).is_some());
        }
        assert!(told[..280].iter().all(|&told| told), "held {is_held}: told of for 23 hours");
        assert_eq!(told[319], is_held, "after 26 hours");
    }
}

#[test]
fn a_patrol_that_comes_by_every_ten_minutes_sees_it_too() {
    let mut street = Street::new(8);
    street.step_secs = 600.0;
    street.looks(20, &Moment::default());
    let thing = bag(90.0, 130.0);
    let scenes = street.looks(5, &with(&[thing]));
    assert!(scenes[3].proposals.iter().any(|p| p.bounds.iou(&thing.bounds()) > 0.3));
}
