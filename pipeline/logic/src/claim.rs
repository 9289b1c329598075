//! Which rule takes a place: the one decision that makes one thing one matter (the table in `calib::rule`).
//!
//! In: what a place was made of, where it stands, what holds at the moment. Out: a [`Claim`]. Never: how long it has
//! been there.

use calib::camera::Camera;
use calib::class::Family;
use calib::rule::{Proposals, Rule, RuleKind, Variant};
use calib::time::Timestamp;

use crate::plan::Plan;
use crate::spot::{Spot, Tally};

/// Share of the hits from which something counts as part of a place.
pub(crate) const PART_SHARE_MIN: f64 = 0.3;
/// Share of the hits from which material has rubbish in it: nobody's stacked bricks are taken for garbage.
pub(crate) const RUBBISH_SHARE_MIN: f64 = 0.15;
/// What no class names is a stall where people were beside it in this share of the looks, and lies about where they
/// were in no more than that one.
pub(crate) const UNNAMED_ATTENDED_MIN: f64 = 0.5;
pub(crate) const UNNAMED_ALONE_MAX: f64 = 0.15;
/// Where the ground is not known, garbage from this area on is large: 200 × 200 pixels of a picture 1080 rows high.
const LARGE_AREA: f32 = 40_000.0 / (1080.0 * 1080.0);

/// What rules say of a place at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This one takes it, in this zone.
    Taken { rule: usize, zone: usize, variant: Variant },
    /// One would but for the hour or the weather: the look counts neither way.
    Waits,
    /// None does, or what is there is allowed.
    Free,
}

/// What holds at a moment, worked out once a minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hours {
    minute: Option<i64>,
    /// Zones that hold now, and zones that are there at all, by bit.
    zones: u64,
    there: u64,
    /// Whether the camera's looks count.
    pub(crate) is_on: bool,
    rules: Vec<bool>,
}

impl Hours {
    /// Whether a rule's hour has come.
    pub(crate) fn is_ruled(&self, rule: usize) -> bool {
        self.rules[rule]
    }

    /// Brings it up to date. Every hour is made of whole minutes.
    pub(crate) fn at(&mut self, at: Timestamp, camera: &Camera) {
        let minute = at.as_millis().div_euclid(60_000);
        if self.minute == Some(minute) {
            return;
        }
        let offset = camera.utc_offset_minutes;
        self.minute = Some(minute);
        self.is_on = camera.is_on(at);
        (self.zones, self.there) = (0, 0);
        for (number, zone) in camera.zones.iter().enumerate() {
            let is_there = zone.is_there(at, offset);
            self.there |= u64::from(is_there) << (number & 63);
            self.zones |= u64::from(is_there && zone.holds(at, offset)) << (number & 63);
        }
        self.rules.clear();
        self.rules.extend(camera.rules.iter().map(|rule| rule.hours.holds(at, offset)));
    }
}

/// Everything that a claim rests on beside the spot itself.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'m> {
    pub(crate) camera: &'m Camera,
    pub(crate) plan: &'m Plan,
    pub(crate) hours: &'m Hours,
    pub(crate) at: Timestamp,
    pub(crate) aspect: f32,
    pub(crate) preset: Option<usize>,
    pub(crate) is_veiled: bool,
    pub(crate) is_night: bool,
    /// Whether scaffold, machines or hoardings were seen on the site of late, and whether material was.
    pub(crate) has_works: bool,
    pub(crate) has_material: bool,
}

impl Moment<'_> {
    /// Which of the camera's zones a spot's foot lies in; asked again once the foot has moved.
    pub(crate) fn find_zones(&self, spot: &mut Spot) {
        let here = (spot.foot.x, spot.foot.y);
        let is_known = |(x, y): (f64, f64)| (x - here.0).abs() < 1e-3 && (y - here.1).abs() < 1e-3;
        if spot.zones_asked_at.is_some_and(is_known) {
            return;
        }
        let view = self.camera.view(self.preset);
        let zones = self.camera.zones.iter().enumerate();
        let mine = zones.filter(|(_, zone)| zone.preset == self.preset && zone.contains(spot.foot, view));
        spot.zones = mine.fold(0, |bits, (number, _)| bits | 1 << (number & 63));
        spot.zones_asked_at = Some(here);
    }

    /// What rules say of the place.
    pub(crate) fn claim(&self, spot: &Spot) -> Claim {
        let zones = spot.zones & self.hours.there;
        if zones & self.plan.ignored & self.hours.zones != 0 {
            return Claim::Free;
        }
        match spot.family {
            Family::Trade => self.trade(spot, zones),
            Family::Heap => self.heap(spot, zones),
            Family::Bin => self.first(&[RuleKind::OverflowingBin], spot, zones),
            Family::Structure => self.first(&[RuleKind::IllegalStructure], spot, zones),
            Family::Unnamed if spot.tally.attended_share() >= PART_SHARE_MIN => self.trade(spot, zones),
            Family::Unnamed => self.heap(spot, zones),
        }
    }

    fn trade(&self, spot: &Spot, zones: u64) -> Claim {
        let permitted = zones & self.plan.permitted;
        if permitted & self.hours.zones != 0 {
            return Claim::Free;
        }
        if permitted != 0 {
            // Outside its hours the zone does not hold: that is what the rule looks for.
            let found = self.rule(RuleKind::NightMarket, spot, permitted);
            if let Some((rule, zone)) = found {
                return self.decide(rule, zone, spot);
            }
        }
        let strip = zones & self.plan.shopfronts;
        if strip != 0 {
            return self.first(&[RuleKind::ShopfrontOverflow], spot, strip);
        }
        self.first(&[RuleKind::StreetVendor], spot, zones)
    }

    fn heap(&self, spot: &Spot, zones: u64) -> Claim {
        use RuleKind::{Litter, PiledMaterial, SpoilHeap};
        let Tally { garbage, material, .. } = spot.tally;
        let (garbage, material) = (spot.tally.of_named(garbage), spot.tally.of_named(material));
        let is_mixed = garbage >= RUBBISH_SHARE_MIN && material >= PART_SHARE_MIN;
        let order = match () {
            () if spot.family == Family::Unnamed && !self.is_large(spot) => {
                [Litter, PiledMaterial, SpoilHeap]
            }
            () if spot.family == Family::Unnamed => [PiledMaterial, SpoilHeap, Litter],
            () if is_mixed => [SpoilHeap, Litter, PiledMaterial],
            () if material > garbage || garbage == 0.0 => [PiledMaterial, SpoilHeap, Litter],
            () if self.is_large(spot) => [SpoilHeap, Litter, PiledMaterial],
            () => [Litter, SpoilHeap, PiledMaterial],
        };
        self.first(&order, spot, zones)
    }

    /// Whether garbage is a heap by its size.
    pub(crate) fn is_large(&self, spot: &Spot) -> bool {
        let heap = self.camera.rules.iter().find(|rule| rule.kind == RuleKind::SpoilHeap);
        let large_m2 = heap.map_or(calib::rule::LARGE_M2, |rule| rule.large_m2);
        match spot.area_m2(self.camera.view(self.preset), self.aspect) {
            Some(area_m2) => area_m2 >= large_m2,
            None => spot.bounds.area() * self.aspect >= LARGE_AREA,
        }
    }

    /// The first rule of these kinds, in this order, that takes the place in a zone that holds.
    fn first(&self, kinds: &[RuleKind], spot: &Spot, zones: u64) -> Claim {
        let zones = zones & self.hours.zones;
        let mut found = kinds.iter().filter_map(|kind| self.rule(*kind, spot, zones));
        found.next().map_or(Claim::Free, |(rule, zone)| self.decide(rule, zone, spot))
    }

    /// The rule of a kind that takes such a spot at this hour; where it is no rule's hour, the first, which waits.
    fn rule(&self, kind: RuleKind, spot: &Spot, zones: u64) -> Option<(usize, usize)> {
        let now = self.rules(kind, spot, zones).find(|(number, _)| self.hours.rules[*number]);
        now.or_else(|| self.rules(kind, spot, zones).next())
    }

    /// Rules of a kind that take such a spot in one of these zones, each with the first of them.
    fn rules(&self, kind: RuleKind, spot: &Spot, zones: u64) -> impl Iterator<Item = (usize, usize)> {
        let rules = self.camera.rules.iter().enumerate();
        let fits = move |rule: &Rule| rule.kind == kind && feeds(rule, spot);
        rules.filter_map(move |(number, rule)| {
            let own = self.plan.zones_of_rule[number] & zones;
            (own != 0 && fits(rule)).then_some((number, own.trailing_zeros() as usize))
        })
    }

    fn decide(&self, number: usize, zone: usize, spot: &Spot) -> Claim {
        let rule = &self.camera.rules[number];
        if !self.hours.rules[number] || (self.is_veiled && rule.is_paused_by_rain) {
            return Claim::Waits;
        }
        if self.camera.permit_in(self.preset, rule, spot.foot, self.at).is_some() {
            return Claim::Free;
        }
        Claim::Taken { rule: number, zone, variant: self.variant(rule.kind, spot) }
    }

    fn variant(&self, kind: RuleKind, spot: &Spot) -> Variant {
        let tally = &spot.tally;
        let is_other = match kind {
            RuleKind::StreetVendor => {
                tally.of_named(tally.wheels) >= PART_SHARE_MIN && tally.of_named(tally.fixed) < PART_SHARE_MIN
            }
            RuleKind::PiledMaterial => spot.zones & self.plan.sites & self.hours.there != 0,
            RuleKind::IllegalStructure => self.has_works,
            _ => false,
        };
        if is_other { Variant::Other } else { Variant::Plain }
    }
}

/// Whether a rule feeds on what the spot was made of.
fn feeds(rule: &Rule, spot: &Spot) -> bool {
    match spot.family {
        Family::Structure => rule.proposals != Proposals::Off,
        Family::Unnamed => rule.proposals == Proposals::Alone,
        _ => rule.classes.iter().any(|class| spot.classes.has(*class)),
    }
}
