//! One camera's watch: looks in, events out.
//!
//! In: looks in the order of their time. Out: what appeared, was confirmed, was seen again, is gone. Never:
//! a clock, a store, another camera. The same looks give the same events on any machine.

use std::sync::Arc;

use calib::camera::Camera;
use calib::rule::Rule;
use calib::space::ImageBox;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Event, Sight, SpotId};
use crate::look::Look;
use crate::spot::Spot;
use crate::thing::{Thing, things};

/// Spots a camera may hold. When full, a new thing is not taken on (and counted): what has been watched
/// longest is closest to being a case.
pub const SPOTS_MAX: usize = 256;
/// What a gap between two looks counts at most towards dwell and absence, milliseconds. A patrol that
/// comes back after ten minutes counts in full, a stream lost for hours does not make a dwell of hours.
pub const GAP_MS_MAX: i64 = 600_000;

/// A clock set back by more than this is believed; a frame late by less is passed over, milliseconds. The
/// frame source holds its times against smaller steps, so that there is nothing in between.
pub const CLOCK_BACK_MS_MIN: i64 = 60_000;

/// A camera's spots, and the rules that judge them.
#[derive(Debug)]
pub struct Watch {
    camera: Arc<Camera>,
    state: WatchState,
    refused: u64,
}

/// What a watch remembers: kept on disk so that a restart loses no dwell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    last_at: Option<Timestamp>,
    spots: Vec<Spot>,
    /// The rules that the spots' numbers mean: a camera file may have been edited in between.
    #[serde(default)]
    rules: Vec<RuleKey>,
}

/// What makes a rule the same rule after its camera file was edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RuleKey {
    kind: String,
    standard_ref: String,
    code: String,
    /// Number among the rules of the camera that agree in all of the above.
    ordinal: usize,
}

fn rule_keys(camera: &Camera) -> Vec<RuleKey> {
    let mut keys: Vec<RuleKey> = Vec::new();
    for rule in &camera.rules {
        let (kind, standard_ref, code) = (rule.kind.name(), &rule.standard_ref, &rule.code);
        let same =
            |key: &&RuleKey| key.kind == kind && key.standard_ref == *standard_ref && key.code == *code;
        let ordinal = keys.iter().filter(same).count();
        keys.push(RuleKey {
            kind: kind.into(),
            standard_ref: standard_ref.clone(),
            code: code.clone(),
            ordinal,
        });
    }
    keys
}

impl WatchState {
    /// Whether it holds no spot.
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }
}

impl Watch {
    /// A watch with no memory.
    pub fn new(camera: Arc<Camera>) -> Self {
        Self::resume(camera, WatchState::default())
    }

    /// A watch that goes on from what was kept. Spots of rules that the camera no longer has are dropped.
    pub fn resume(camera: Arc<Camera>, mut state: WatchState) -> Self {
        let (then, now) = (std::mem::take(&mut state.rules), rule_keys(&camera));
        state.spots.retain_mut(|spot| {
            let rule = then.get(spot.rule).and_then(|key| now.iter().position(|k| k == key));
            spot.rule = rule.unwrap_or(spot.rule);
            rule.is_some()
        });
        state.rules = now;
        Self { camera, state, refused: 0 }
    }

    /// What to keep on disk.
    pub fn state(&self) -> &WatchState {
        &self.state
    }

    /// Things not taken on because the table was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Where the spots stand in the picture, for whoever must not take them for background.
    pub fn held(&self) -> impl Iterator<Item = ImageBox> + '_ {
        self.state.spots.iter().map(Spot::bounds)
    }

    /// Every spot as it stands after the latest look, and whether its finding was told.
    pub fn spots(&self) -> impl Iterator<Item = (Sight, bool)> + '_ {
        let at = self.state.last_at.unwrap_or_default();
        self.state.spots.iter().map(move |spot| (spot.sight(at), spot.confirmed))
    }

    /// Takes one look. Looks that are not later than the one before are passed over.
    pub fn look(&mut self, look: &Look) -> Vec<Event> {
        if self.state.last_at.is_some_and(|last| look.at <= last) && !self.clock_went_back(look.at) {
            return Vec::new();
        }
        let gap_ms = self.state.last_at.map_or(0, |last| look.at.millis_since(last)).clamp(0, GAP_MS_MAX);
        self.state.last_at = Some(look.at);
        let mut events = Vec::new();
        let mut born = 0;
        let camera = Arc::clone(&self.camera);
        for (index, rule) in camera.rules.iter().enumerate() {
            // Outside its hours a rule neither sees nor misses: its spots wait.
            if !rule.hours.holds(look.at, camera.utc_offset_minutes) {
                continue;
            }
            let found = things(look, rule, &camera);
            let unmatched = self.assign(index, found, gap_ms);
            self.settle(index, rule, look.at, &mut events);
            for thing in unmatched {
                let id = SpotId { first_at: look.at, ordinal: born };
                let zone = camera.zones[thing.zone].id.clone();
                if let Some(event) = self.take_on(Spot::new(id, index, zone, &thing), look.at) {
                    events.push(event);
                    born += 1;
                }
            }
        }
        events
    }

    fn clock_went_back(&self, at: Timestamp) -> bool {
        self.state.last_at.is_some_and(|last| last.millis_since(at) > CLOCK_BACK_MS_MIN)
    }

    /// Gives each spot of the rule the nearest of its things, surest pairs first; returns the things left.
    fn assign(&mut self, rule: usize, things: Vec<Thing>, gap_ms: i64) -> Vec<Thing> {
        let mut pairs = Vec::new();
        for (s, spot) in self.state.spots.iter().enumerate().filter(|(_, spot)| spot.rule == rule) {
            for (t, thing) in things.iter().enumerate() {
                let affinity = spot.affinity(thing);
                if affinity > 0.0 {
                    pairs.push((affinity, s, t));
                }
            }
        }
        // A tie goes to the older spot, then to the surer thing: the outcome does not hang on float noise.
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut spot_of = vec![None; things.len()];
        let mut thing_of = vec![None; self.state.spots.len()];
        for (_, s, t) in pairs {
            if spot_of[t].is_none() && thing_of[s].is_none() {
                (spot_of[t], thing_of[s]) = (Some(s), Some(t));
            }
        }
        for (s, spot) in self.state.spots.iter_mut().enumerate().filter(|(_, spot)| spot.rule == rule) {
            match thing_of[s] {
                Some(t) => spot.hit(&things[t], gap_ms),
                None => spot.miss(gap_ms),
            }
        }
        things
            .into_iter()
            .enumerate()
            .filter(|(t, _)| spot_of[*t].is_none())
            .map(|(_, thing)| thing)
            .collect()
    }

    /// Confirms, retells and gives up the rule's spots.
    fn settle(&mut self, index: usize, rule: &Rule, at: Timestamp, events: &mut Vec<Event>) {
        for s in 0..self.state.spots.len() {
            let spot = &self.state.spots[s];
            if spot.rule != index || spot.is_over(rule) {
                continue;
            }
            // On the ground dedupe knows place and cell and decides better; without one, what adjoins in the
            // picture is one thing.
            let adjoins_confirmed = || {
                let rival = |o: &Spot| o.rule == index && o.confirmed && o.id != spot.id && o.adjoins(spot);
                self.camera.ground.is_none() && self.state.spots.iter().any(rival)
            };
            if !spot.confirmed && spot.was_hit() && spot.meets(rule) && !adjoins_confirmed() {
                let spot = &mut self.state.spots[s];
                spot.confirmed = true;
                spot.told(at);
                events.push(Event::Confirmed(spot.sight(at)));
            } else if spot.confirmed && spot.was_hit() && spot.is_due(rule, at) {
                let spot = &mut self.state.spots[s];
                spot.told(at);
                events.push(Event::Seen(spot.sight(at)));
            }
        }
        self.state.spots.retain(|spot| {
            let over = spot.rule == index && spot.is_over(rule);
            if over {
                let sight = spot.sight(at);
                events.push(if spot.confirmed { Event::Gone(sight) } else { Event::Dropped(sight) });
            }
            !over
        });
    }

    fn take_on(&mut self, spot: Spot, at: Timestamp) -> Option<Event> {
        if self.state.spots.len() >= SPOTS_MAX {
            self.refused += 1;
            return None;
        }
        let event = Event::Appeared(spot.sight(at));
        self.state.spots.push(spot);
        Some(event)
    }
}
