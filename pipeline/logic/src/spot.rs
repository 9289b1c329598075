//! A spot: something of one rule's classes that stays at one place. Its identity is the place, not a track.
//!
//! In: looks that saw it or did not. Out: whether it has been there long and steadily enough. Never: how
//! it got there, or who brought it.

use std::collections::VecDeque;

use calib::rule::{MISSES_MIN, Rule};
use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Sight, SpotId};
use crate::thing::Thing;

/// Looks kept for the presence over the latest of them.
const RECENT_MAX: usize = 64;
/// The place follows its box no faster than this share a look, so that it cannot walk away with a walker.
const FOLLOW_MIN: f32 = 0.05;
/// A candidate seen in fewer of its looks than this, after [`DOUBT_LOOKS`], is given up.
const DOUBT_PRESENCE: f64 = 0.15;
const DOUBT_LOOKS: u32 = 12;

/// One place and what was seen there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) id: SpotId,
    pub(crate) rule: usize,
    pub(crate) zone: String,
    bounds: ImageBox,
    foot: ImagePoint,
    /// Sum of the inverse variances behind `foot`.
    foot_weight: f64,
    foot_sigma: f64,
    score_sum: f64,
    hits: u32,
    looks: u32,
    attended_hits: u32,
    /// Watched time since it appeared.
    watched_ms: i64,
    /// Watched time since it was last seen.
    absent_ms: i64,
    misses_in_a_row: u32,
    recent: VecDeque<bool>,
    /// When its finding was told first, and last.
    pub(crate) confirmed: bool,
    told_at: Timestamp,
}

impl Spot {
    pub(crate) fn new(id: SpotId, rule: usize, zone: String, thing: &Thing) -> Self {
        let mut spot = Self {
            id,
            rule,
            zone,
            bounds: thing.bounds,
            foot: thing.foot,
            foot_weight: 0.0,
            foot_sigma: thing.foot_sigma,
            score_sum: 0.0,
            hits: 0,
            looks: 0,
            attended_hits: 0,
            watched_ms: 0,
            absent_ms: 0,
            misses_in_a_row: 0,
            recent: VecDeque::new(),
            confirmed: false,
            told_at: id.first_at,
        };
        spot.hit(thing, 0);
        spot
    }

    /// How surely a thing of this look is at this place, `0` for not at all.
    pub(crate) fn affinity(&self, thing: &Thing) -> f32 {
        let shared = self.bounds.intersection(&thing.bounds);
        let smaller = self.bounds.area().min(thing.bounds.area());
        let iou = self.bounds.iou(&thing.bounds);
        // A parasol with and without its table: one box lies inside the other.
        if iou >= 0.3 || (smaller > 0.0 && shared / smaller >= 0.6) { iou.max(0.01) } else { 0.0 }
    }

    /// Whether another spot's place adjoins this one.
    pub(crate) fn adjoins(&self, other: &Self) -> bool {
        self.bounds.grown(0.3).intersection(&other.bounds.grown(0.3)) > 0.0
    }

    /// This look saw it.
    pub(crate) fn hit(&mut self, thing: &Thing, gap_ms: i64) {
        self.look(true, gap_ms);
        self.absent_ms = 0;
        self.misses_in_a_row = 0;
        self.hits += 1;
        self.attended_hits += u32::from(thing.attended);
        self.score_sum += f64::from(thing.score);
        let follow = (1.0 / self.hits as f32).max(FOLLOW_MIN);
        let towards = |a: f32, b: f32| a + (b - a) * follow;
        let (old, new) = (self.bounds, thing.bounds);
        self.bounds = ImageBox {
            x0: towards(old.x0, new.x0),
            y0: towards(old.y0, new.y0),
            x1: towards(old.x1, new.x1),
            y1: towards(old.y1, new.y1),
        };
        // Feet that are told well weigh more: a table's more than its parasol's.
        let weight = 1.0 / (thing.foot_sigma * thing.foot_sigma).max(1e-8);
        self.foot_weight += weight;
        let share = weight / self.foot_weight;
        self.foot.x += (thing.foot.x - self.foot.x) * share;
        self.foot.y += (thing.foot.y - self.foot.y) * share;
        self.foot_sigma = self.foot_sigma.min(thing.foot_sigma);
    }

    /// This look did not see it.
    pub(crate) fn miss(&mut self, gap_ms: i64) {
        self.look(false, gap_ms);
        self.absent_ms += gap_ms;
        self.misses_in_a_row += 1;
    }

    fn look(&mut self, hit: bool, gap_ms: i64) {
        self.looks += 1;
        self.watched_ms += gap_ms;
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(hit);
    }

    /// Whether it was there long, steadily and attended enough for its rule.
    pub(crate) fn meets(&self, rule: &Rule) -> bool {
        let recent_hits = self.recent.iter().filter(|hit| **hit).count();
        let recently = recent_hits as f64 / self.recent.len().max(1) as f64;
        let attended = f64::from(self.attended_hits) / f64::from(self.hits.max(1));
        self.watched_ms >= rule.dwell_ms
            && self.hits >= rule.hits_min
            && self.presence() >= rule.presence_min
            && recently >= rule.presence_min
            && attended >= rule.attended_min
    }

    /// Whether it has been out of sight for so long, or was seen so rarely, that the place counts as empty.
    pub(crate) fn is_over(&self, rule: &Rule) -> bool {
        let doubtful = !self.confirmed && self.looks >= DOUBT_LOOKS && self.presence() < DOUBT_PRESENCE;
        let absent = self.absent_ms >= rule.absence_ms && self.misses_in_a_row >= MISSES_MIN;
        absent || doubtful
    }

    /// Whether the latest look saw it.
    pub(crate) fn was_hit(&self) -> bool {
        self.recent.back().is_some_and(|hit| *hit)
    }

    fn presence(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.looks.max(1))
    }

    pub(crate) fn bounds(&self) -> ImageBox {
        self.bounds
    }

    pub(crate) fn told(&mut self, at: Timestamp) {
        self.told_at = at;
    }

    pub(crate) fn is_due(&self, rule: &Rule, at: Timestamp) -> bool {
        let since_ms = at.millis_since(self.told_at);
        // A clock that was set back must not silence the spot until it has caught up.
        since_ms < 0 || since_ms >= rule.sighting_ms
    }

    pub(crate) fn sight(&self, at: Timestamp) -> Sight {
        Sight {
            spot: self.id,
            rule: self.rule,
            zone: self.zone.clone(),
            at,
            first_at: self.id.first_at,
            bounds: self.bounds,
            foot: self.foot,
            foot_sigma: self.foot_sigma,
            score: (self.score_sum / f64::from(self.hits.max(1))) as f32,
            hits: self.hits,
            looks: self.looks,
        }
    }
}
