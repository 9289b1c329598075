//! Whether a place has been there long, steadily and attended enough for the rule that takes it.
//!
//! In: a spot, its rule. Out: yes or no. Never: a change.

use calib::class::Family;
use calib::rule::{Proposals, Rule, RuleKind, Variant};
use calib::zone::GroundView;

use crate::claim::{Moment, PART_SHARE_MIN, UNNAMED_ALONE_MAX, UNNAMED_ATTENDED_MIN};
use crate::spot::Spot;
use crate::thing::is_spill;

/// A bare cargo tricycle sells only where people were beside it in this share of the looks…
const BARE_ATTENDED_MIN: f64 = 0.65;
/// … and for this many dwells: who delivers is gone by then.
const BARE_DWELLS: i64 = 4;
/// The same of one with a chair beside it, where somebody sits and sells.
const SEATED_ATTENDED_MIN: f64 = 0.5;
const SEATED_DWELLS: i64 = 2;
/// Looks that must have named a pile before it is material without rubbish.
const PILE_NAMED_MIN: u32 = 8;
/// Garbage in reach of a bin is litter after so many dwells.
const BY_BIN_DWELLS: i64 = 4;
/// Share of the hits that a class must have named, where the background gave the others.
const NAMED_SHARE_MIN: f64 = 0.25;
/// What a bin spills lies no further from its foot, metres.
const SPILL_M: f64 = 1.2;
/// A rival of another family holds a place from this presence on.
const RIVAL_PRESENCE_MIN: f64 = 0.4;

impl Moment<'_> {
    /// Whether the spot meets every condition of its rule.
    pub(crate) fn meets(&self, spot: &Spot, rule: &Rule) -> bool {
        let tally = &spot.tally;
        let named_share = f64::from(tally.named) / f64::from(tally.hits.max(1));
        let is_named = matches!(spot.family, Family::Unnamed | Family::Structure)
            || rule.proposals == Proposals::Alone
            || named_share >= NAMED_SHARE_MIN;
        spot.watched_ms >= self.dwell_ms(spot, rule)
            && tally.hits >= rule.hits_min
            && spot.presence() >= rule.presence_min
            && spot.shows_itself()
            && is_named
            && tally.attended_share() >= rule.attended_min
            && spot.bounds.height().min(spot.bounds.width() * self.aspect) >= rule.size_min
            && spot.bounds.area() * self.aspect >= rule.area_min
            && self.is_wide_enough(spot, rule)
            && self.fits_its_kind(spot, rule)
    }

    fn is_wide_enough(&self, spot: &Spot, rule: &Rule) -> bool {
        let view = self.camera.view(self.preset);
        let area_m2 = || spot.area_m2(view, self.aspect);
        rule.area_m2_min <= 0.0 || area_m2().is_none_or(|area_m2| area_m2 >= rule.area_m2_min)
    }

    fn dwell_ms(&self, spot: &Spot, rule: &Rule) -> i64 {
        match rule.kind {
            RuleKind::StreetVendor | RuleKind::NightMarket if is_bare(spot) => {
                rule.dwell_ms * if has_seat(spot) { SEATED_DWELLS } else { BARE_DWELLS }
            }
            // Bags against a bin are the bin's where it is over its rim, and that may be missed for some looks.
            RuleKind::Litter if spot.tally.of_named(spot.tally.by_bin) >= PART_SHARE_MIN => {
                rule.dwell_ms * BY_BIN_DWELLS
            }
            // Only what is neither mixed nor large has to be long-standing.
            RuleKind::SpoilHeap if spot.family == Family::Heap && self.is_plain_litter(spot) => {
                rule.standing_ms.max(rule.dwell_ms)
            }
            _ => rule.dwell_ms,
        }
    }

    fn is_plain_litter(&self, spot: &Spot) -> bool {
        spot.tally.of_named(spot.tally.material) < PART_SHARE_MIN && !self.is_large(spot)
    }

    fn fits_its_kind(&self, spot: &Spot, rule: &Rule) -> bool {
        let tally = &spot.tally;
        let attended = tally.attended_share();
        match (rule.kind, spot.family) {
            (RuleKind::StreetVendor | RuleKind::NightMarket, Family::Unnamed) => {
                attended >= UNNAMED_ATTENDED_MIN
            }
            (RuleKind::StreetVendor | RuleKind::NightMarket, _) if is_bare(spot) => {
                let attended_min = if has_seat(spot) { SEATED_ATTENDED_MIN } else { BARE_ATTENDED_MIN };
                tally.of_named(tally.wheels) >= PART_SHARE_MIN && attended >= attended_min
            }
            // A parked tricycle has crossed no line.
            (RuleKind::ShopfrontOverflow, Family::Trade) => {
                !is_bare(spot) || tally.of_named(tally.wheels) < PART_SHARE_MIN
            }
            (RuleKind::Litter | RuleKind::SpoilHeap | RuleKind::PiledMaterial, Family::Unnamed) => {
                attended <= UNNAMED_ALONE_MAX
            }
            // Few looks by night do not tell a stack from a heap.
            (RuleKind::PiledMaterial, Family::Heap) => tally.named >= PILE_NAMED_MIN,
            (RuleKind::IllegalStructure, _) => {
                self.has_works || self.has_material || rule.proposals == Proposals::Alone
            }
            _ => true,
        }
    }
}

/// Whether garbage lies beside a bin: in its reach in the picture, or a step away on the ground.
fn is_beside(garbage: &Spot, bin: &Spot, view: Option<&GroundView>) -> bool {
    let on_ground = |spot: &Spot| view?.ground_from_image(spot.foot);
    let metres = || Some(on_ground(garbage)?.distance_m(on_ground(bin)?));
    is_spill(&garbage.bounds, &bin.bounds) || metres().is_some_and(|metres| metres <= SPILL_M)
}

/// Whether it was for the most part a tricycle or chairs and nothing to sell.
fn is_bare(spot: &Spot) -> bool {
    spot.family == Family::Trade && spot.tally.of_named(spot.tally.kit) < PART_SHARE_MIN
}

fn has_seat(spot: &Spot) -> bool {
    spot.tally.of_named(spot.tally.seats) >= PART_SHARE_MIN
}

/// Whether the place is another family's matter: one thing is one matter.
pub(crate) fn is_anothers(spot: &Spot, others: &[Spot], view: Option<&GroundView>) -> bool {
    others.iter().any(|other| {
        if other.id == spot.id || other.family == spot.family {
            return false;
        }
        if spot.family == Family::Structure || other.family == Family::Structure {
            // A pile is not the building that grows around it; where they are one box, works tell a building.
            let is_one_box = other.bounds.iou(&spot.bounds) >= 0.3;
            return is_one_box && other.is_confirmed && spot.variant == Variant::Plain;
        }
        let is_sold_from = other.tally.attended_share() >= PART_SHARE_MIN;
        let goes_before = match (other.family, spot.family) {
            (_, Family::Unnamed) | (Family::Bin, Family::Heap) => true,
            (Family::Trade, Family::Heap) => is_sold_from,
            _ => false,
        };
        let is_bins =
            other.family == Family::Bin && spot.family == Family::Heap && is_beside(spot, other, view);
        // Bags are told before their bin is: two looks that named it are enough for it to keep them.
        let hits_min = if is_bins { 2 } else { 3 };
        let is_live = other.tally.hits >= hits_min && other.presence() >= RIVAL_PRESENCE_MIN;
        (spot.covers(&other.bounds) || is_bins) && (other.is_confirmed || (goes_before && is_live))
    })
}
