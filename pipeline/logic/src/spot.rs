//! A spot: something of one family that stays at one place. Its identity is the place, not a track.
//!
//! In: looks that saw it, missed it or could not tell. Out: how long and how steadily it has been there, and what
//! it was made of. Never: how it got there, who brought it, a rule.

use calib::class::{Class, ClassSet, Family};
use calib::rule::{MISSES_MIN, Rule, Variant};
use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use calib::zone::GroundView;
use serde::{Deserialize, Serialize};

use crate::finding::{Sight, SpotId};
use crate::plan::WORKS;
use crate::recent::Recent;
use crate::scene::Proposal;
use crate::thing::{Thing, are_apart};

/// The place follows its box no faster than this share a look, so that it cannot walk away with a walker.
const FOLLOW_MIN: f32 = 0.05;
/// The foot is a mean over no more than so many of the best looks.
const FOOT_LOOKS: f64 = 30.0;
/// Hits that settle where a candidate appeared, from which it may not move far.
const SETTLE_HITS: u32 = 5;
/// Looks after which a candidate that was seen in under half of the wanted share is given up.
const DOUBT_LOOKS: usize = 12;
/// Rules whose spots may be out of sight for longer than this watch over nights: no doubt ends their candidates.
const PATIENT_ABSENCE_MS: i64 = 3_600_000;
/// The background says so much too late when a thing came, milliseconds.
const PROPOSED_LATE_MS: i64 = 180_000;
/// Of so many latest clear looks so many must have seen a place before it is told or told again.
const SHOWN_LOOKS: u32 = 4;
const SHOWN_HITS_MIN: u32 = 2;
/// Hits by the detector from which the background may stand in for it.
const NAMED_MIN: u32 = 3;
/// For so long the background may stand in for the detector, or for the rule's absence where that is longer,
/// milliseconds: what the detector does not find again is another thing that fills the place.
const UNNAMED_MS_MAX: i64 = 1_800_000;
/// How far back company counts, milliseconds of watched time: a stall that stood alone all night has a vendor in the
/// morning.
const COMPANY_MS: f64 = 1_200_000.0;
/// Two feet on the ground this near are one place, metres, beside what their boxes leave open.
const SAME_GROUND_M: f64 = 0.75;

/// What a place's hits were made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Looks that saw it.
    pub(crate) hits: u32,
    /// Clear looks since it appeared.
    pub(crate) looks: u32,
    /// Hits that a class named.
    pub(crate) named: u32,
    /// Hits, and those with a person beside it; each counts less the longer ago it was.
    #[serde(default)]
    late_hits: f64,
    #[serde(default)]
    late_attended: f64,
    /// Named hits with something to sell or to sell from, vehicles and chairs aside.
    pub(crate) kit: u32,
    /// Named hits with a stall, a table or a parasol: what is set up.
    pub(crate) fixed: u32,
    /// Named hits with a cargo tricycle.
    pub(crate) wheels: u32,
    /// Named hits with a chair or bench.
    pub(crate) seats: u32,
    pub(crate) garbage: u32,
    /// Those of garbage in reach of a bin.
    #[serde(default)]
    pub(crate) by_bin: u32,
    pub(crate) material: u32,
    pub(crate) works: u32,
}

const FIXED: ClassSet = ClassSet::of(&[Class::Stall, Class::Table, Class::Umbrella]);
/// What sells nothing by itself.
pub(crate) const BARE: ClassSet = ClassSet::of(&[Class::CargoTricycle, Class::Chair, Class::Bench]);

impl Tally {
    fn add(&mut self, thing: &Thing, gap_ms: i64) {
        self.hit(thing.is_attended, gap_ms);
        if thing.classes.is_empty() {
            return;
        }
        let has = |classes: ClassSet| u32::from(thing.classes.meets(classes));
        self.named += 1;
        self.kit += u32::from(!thing.classes.without(BARE).is_empty());
        self.fixed += has(FIXED);
        self.wheels += has(ClassSet::of(&[Class::CargoTricycle]));
        self.seats += has(ClassSet::of(&[Class::Chair, Class::Bench]));
        self.garbage += has(ClassSet::of(&[Class::Garbage]));
        self.by_bin += u32::from(thing.is_by_bin);
        self.material += has(ClassSet::of(&[Class::MaterialPile]));
        self.works += has(WORKS);
    }

    /// A count as a share of the hits that a class named.
    pub(crate) fn of_named(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.named.max(1))
    }

    fn hit(&mut self, is_attended: bool, gap_ms: i64) {
        self.hits += 1;
        let keeps = COMPANY_MS / (COMPANY_MS + gap_ms as f64);
        self.late_hits = self.late_hits * keeps + 1.0;
        self.late_attended = self.late_attended * keeps + f64::from(u8::from(is_attended));
    }

    /// Share of the hits of the last time with a person beside it.
    pub(crate) fn attended_share(&self) -> f64 {
        self.late_attended / self.late_hits.max(1.0)
    }
}

/// One place and what was seen there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) id: SpotId,
    pub(crate) family: Family,
    /// The rule that takes it, and which of its matters it is; fixed once it is confirmed.
    pub(crate) rule: Option<usize>,
    pub(crate) variant: Variant,
    /// The camera's zone that its foot lies in, for which the rule takes it.
    pub(crate) zone: usize,
    pub(crate) bounds: ImageBox,
    /// Where its middle was when it had settled.
    origin: ImagePoint,
    pub(crate) foot: ImagePoint,
    /// Sum of the inverse variances behind `foot`.
    foot_weight: f64,
    foot_sigma: f64,
    score_sum: f64,
    pub(crate) classes: ClassSet,
    pub(crate) tally: Tally,
    /// Watched time since it appeared.
    pub(crate) watched_ms: i64,
    /// Watched time since it was last seen.
    absent_ms: i64,
    misses_in_a_row: u32,
    /// Watched time of the hits by the background since a class last named it.
    #[serde(default)]
    unnamed_ms: i64,
    recent: Recent,
    pub(crate) is_confirmed: bool,
    /// When it was gone, of a confirmed one that is back and has not proved itself again.
    pub(crate) gone_at: Option<Timestamp>,
    /// Whether it would have been confirmed but for its rule's cap.
    pub(crate) is_capped: bool,
    told_at: Timestamp,
    /// The camera's zones that its foot lies in, by bit, and for which foot that was asked.
    #[serde(skip)]
    pub(crate) zones: u64,
    #[serde(skip)]
    pub(crate) zones_asked_at: Option<(f64, f64)>,
}

impl Spot {
    pub(crate) fn new(id: SpotId, thing: &Thing) -> Self {
        let mut spot = Self {
            id,
            family: thing.family,
            rule: None,
            variant: Variant::Plain,
            zone: 0,
            bounds: thing.bounds,
            origin: thing.bounds.centre(),
            foot: thing.foot,
            foot_weight: 0.0,
            foot_sigma: thing.foot_sigma,
            score_sum: 0.0,
            classes: ClassSet::default(),
            tally: Tally::default(),
            watched_ms: 0,
            absent_ms: 0,
            misses_in_a_row: 0,
            unnamed_ms: 0,
            recent: Recent::default(),
            is_confirmed: false,
            gone_at: None,
            is_capped: false,
            told_at: id.first_at,
            zones: 0,
            zones_asked_at: None,
        };
        spot.hit(thing, 0);
        spot
    }

    /// Back at its place after it was gone: the same spot, which has to prove itself again.
    pub(crate) fn come_back(&mut self, thing: &Thing) {
        let new = Self::new(self.id, thing);
        *self = Self {
            rule: self.rule,
            variant: self.variant,
            zone: self.zone,
            gone_at: self.gone_at,
            told_at: self.told_at,
            is_confirmed: true,
            ..new
        };
    }

    /// How surely a thing of this look is at this place, `0` for not at all.
    pub(crate) fn affinity(&self, thing: &Thing, view: Option<&GroundView>) -> f32 {
        if !self.takes(thing) || self.stands_apart(thing, view) {
            return 0.0;
        }
        let iou = self.bounds.iou(&thing.bounds);
        // A parasol with and without its table: one box lies inside the other.
        if iou >= 0.3 || self.covers(&thing.bounds) {
            return iou.max(0.01);
        }
        if self.bounds.grown(0.5).intersection(&thing.bounds.grown(0.5)) > 0.0 && self.is_near(thing, view) {
            return 0.005;
        }
        0.0
    }

    /// Whether one box lies for the most part inside the other.
    pub(crate) fn covers(&self, other: &ImageBox) -> bool {
        let smaller = self.bounds.area().min(other.area());
        smaller > 0.0 && self.bounds.intersection(other) / smaller >= 0.6
    }

    /// Whether the background tells of this spot: what came after it is another thing.
    pub(crate) fn is_shown_by(&self, proposal: &Proposal) -> bool {
        let is_there = self.bounds.iou(&proposal.bounds) >= 0.3 || self.covers(&proposal.bounds);
        is_there && proposal.since.millis_since(self.id.first_at) <= PROPOSED_LATE_MS
    }

    /// Of one family; what no class names may be anything but a structure.
    fn takes(&self, thing: &Thing) -> bool {
        let (own, other) = (self.family, thing.family);
        let is_open = |family| family == Family::Unnamed;
        own == other
            || (is_open(own) && other != Family::Structure)
            || (is_open(other) && own != Family::Structure)
    }

    /// Whether the thing is a set-up one that stands too far from this one to be a part of it: a shop's table behind
    /// a stall lies within the stall's box, and not at its place.
    fn stands_apart(&self, thing: &Thing, view: Option<&GroundView>) -> bool {
        let is_set_up = self.family == Family::Trade && self.tally.kit > 0;
        is_set_up
            && thing.is_set_up()
            && are_apart((self.foot, self.foot_sigma), (thing.foot, thing.foot_sigma), view)
    }

    /// Whether both stand at one place of the ground, where boxes of small things far away do not overlap.
    fn is_near(&self, thing: &Thing, view: Option<&GroundView>) -> bool {
        let Some(view) = view else { return false };
        let feet = (view.ground_from_image(self.foot), view.ground_from_image(thing.foot));
        let (Some(own), Some(other)) = feet else { return false };
        own.distance_m(other) <= SAME_GROUND_M
    }

    /// Whether another spot's place adjoins this one.
    pub(crate) fn adjoins(&self, other: &Self) -> bool {
        self.bounds.grown(0.3).intersection(&other.bounds.grown(0.3)) > 0.0
    }

    /// This look saw it.
    pub(crate) fn hit(&mut self, thing: &Thing, gap_ms: i64) {
        self.clear_look(true, gap_ms);
        self.tally.add(thing, gap_ms);
        let is_named = !thing.classes.is_empty();
        self.unnamed_ms = if is_named { 0 } else { self.unnamed_ms + gap_ms };
        if self.family == Family::Unnamed && is_named {
            self.family = thing.family;
            // What it is was not known until now: its place and its score are those of the class that names it.
            (self.score_sum, self.classes) = (0.0, ClassSet::default());
        }
        if is_named || matches!(self.family, Family::Unnamed | Family::Structure) {
            self.score_sum += f64::from(thing.score);
        }
        self.classes = self.classes.with(thing.classes);
        // A proposal's box knows nothing of a parasol's foot: it moves no place that a class has named.
        // Nor does a tricycle that stands before what is sold from something else.
        let is_before = thing.is_on_wheels() && self.tally.kit > 0;
        if (is_named && !is_before) || self.tally.named == 0 {
            self.follow(thing);
        }
    }

    /// This look's background shows it still standing there, though no class names it.
    pub(crate) fn hit_by_background(&mut self, is_attended: bool, gap_ms: i64) {
        self.clear_look(true, gap_ms);
        self.unnamed_ms += gap_ms;
        self.tally.hit(is_attended, gap_ms);
    }

    /// Whether the detector has named it well enough, and not too long ago, for the background to stand in for it.
    pub(crate) fn is_vouched(&self, rule: &Rule) -> bool {
        self.tally.named >= NAMED_MIN && self.unnamed_ms < rule.absence_ms.max(UNNAMED_MS_MAX)
    }

    fn follow(&mut self, thing: &Thing) {
        let follow = (1.0 / self.tally.hits as f32).max(FOLLOW_MIN);
        let towards = |a: f32, b: f32| a + (b - a) * follow;
        let (old, new) = (self.bounds, thing.bounds);
        self.bounds = ImageBox {
            x0: towards(old.x0, new.x0),
            y0: towards(old.y0, new.y0),
            x1: towards(old.x1, new.x1),
            y1: towards(old.y1, new.y1),
        };
        if self.tally.hits <= SETTLE_HITS {
            self.origin = self.bounds.centre();
        }
        // Feet that are told well weigh more: a table's more than its parasol's.
        let weight = 1.0 / (thing.foot_sigma * thing.foot_sigma).max(1e-8);
        // What changes there shows after a while: a table put back behind the line leaves the strip.
        self.foot_weight = (self.foot_weight + weight).min(weight.max(self.best_weight()) * FOOT_LOOKS);
        let share = weight / self.foot_weight;
        self.foot.x += (thing.foot.x - self.foot.x) * share;
        self.foot.y += (thing.foot.y - self.foot.y) * share;
        self.foot_sigma = self.foot_sigma.min(thing.foot_sigma);
    }

    /// The weight of the look that told the foot best.
    fn best_weight(&self) -> f64 {
        1.0 / (self.foot_sigma * self.foot_sigma).max(1e-8)
    }

    /// This look did not see it, though it could have.
    pub(crate) fn miss(&mut self, gap_ms: i64) {
        self.clear_look(false, gap_ms);
        self.absent_ms += gap_ms;
        self.misses_in_a_row += 1;
    }

    /// Others stood before it: the look counts neither way, and time goes on.
    pub(crate) fn hidden(&mut self, gap_ms: i64) {
        self.watched_ms += gap_ms;
    }

    fn clear_look(&mut self, is_hit: bool, gap_ms: i64) {
        self.tally.looks += 1;
        self.watched_ms += gap_ms;
        self.recent.push(is_hit);
        if is_hit {
            self.absent_ms = 0;
            self.misses_in_a_row = 0;
        }
    }

    /// Whether it shows itself now: one hit after it was out of sight may be a mistake about an empty place.
    pub(crate) fn shows_itself(&self) -> bool {
        self.recent.hits_in(SHOWN_LOOKS) >= SHOWN_HITS_MIN
    }

    /// Share of the latest clear looks that saw it.
    pub(crate) fn presence(&self) -> f64 {
        self.recent.share()
    }

    /// Share of all its clear looks that saw it.
    fn lifelong_presence(&self) -> f64 {
        f64::from(self.tally.hits) / f64::from(self.tally.looks.max(1))
    }

    /// How far its middle has moved from where it appeared, a share of its longer side.
    fn drift(&self, aspect: f32) -> f32 {
        let centre = self.bounds.centre();
        let dx = (centre.x - self.origin.x) as f32 * aspect;
        let dy = (centre.y - self.origin.y) as f32;
        dx.hypot(dy) / (self.bounds.width() * aspect).max(self.bounds.height()).max(1e-6)
    }

    /// Whether it has been out of sight for so long, was seen so rarely or has moved so far that the place counts
    /// as empty.
    pub(crate) fn is_over(&self, rule: Option<&Rule>, aspect: f32) -> bool {
        let (absence_ms, presence_min, motion_max) = match rule {
            Some(rule) => (rule.absence_ms, rule.presence_min, rule.motion_max),
            None => ((calib::rule::ABSENCE_SECS * 1000.0) as i64, 0.0, f32::INFINITY),
        };
        if self.absent_ms >= absence_ms && self.misses_in_a_row >= MISSES_MIN {
            return true;
        }
        let is_doubtful = absence_ms <= PATIENT_ABSENCE_MS
            && self.recent.len() >= DOUBT_LOOKS
            && self.presence() < presence_min / 2.0
            // The latest looks of a quick camera are some seconds: one that was seen well has time to show again.
            && (self.absent_ms >= absence_ms / 2 || self.lifelong_presence() < presence_min / 2.0);
        !self.is_confirmed && (is_doubtful || self.drift(aspect) > motion_max)
    }

    pub(crate) fn told(&mut self, at: Timestamp) {
        self.told_at = at;
    }

    pub(crate) fn is_due(&self, rule: &Rule, at: Timestamp) -> bool {
        let since_ms = at.millis_since(self.told_at);
        // A clock that was set back must not silence the spot until it has caught up.
        since_ms < 0 || since_ms >= rule.sighting_ms
    }

    /// Area of its box at the distance of its foot, square metres.
    pub(crate) fn area_m2(&self, view: Option<&GroundView>, aspect: f32) -> Option<f64> {
        let edge = |x: f32| view?.ground_from_image(ImagePoint::new(f64::from(x), self.foot.y.min(1.0)));
        let width_m = edge(self.bounds.x0)?.distance_m(edge(self.bounds.x1)?);
        let height_per_width = self.bounds.height() / (self.bounds.width() * aspect).max(1e-6);
        Some(width_m * width_m * f64::from(height_per_width))
    }

    pub(crate) fn sight(&self, at: Timestamp, preset: Option<usize>, zone: &str) -> Sight {
        let named = if self.tally.named > 0 { self.tally.named } else { self.tally.hits };
        Sight {
            spot: self.id,
            rule: self.rule.unwrap_or_default(),
            variant: self.variant,
            preset,
            zone: zone.to_owned(),
            at,
            first_at: self.id.first_at,
            bounds: self.bounds,
            foot: self.foot,
            foot_sigma: self.foot_sigma,
            score: (self.score_sum / f64::from(named.max(1))) as f32,
            hits: self.tally.hits,
            looks: self.tally.looks,
        }
    }
}
