//! What happens on one street on one day.
//!
//! In: a street, a day, the weather. Out: things that come and go, and the violations among them. Never: what was
//! reported; the world does not hang on it, so that every camera can be watched apart.

use crate::dice::Dice;
use crate::rates;
use crate::site::{
    ALONG_M, Habit, LOT_ACROSS_M, LOT_ALONG_M, MARKET_ALONG_M, MARKET_HOURS, Right, SHOPS_ALONG_M, Site,
    Stall,
};
use crate::sky::{DAY_MS, HOUR_MS, MINUTE_MS, Span, about, count, day_begins, holds, minutes_ms, spell};
use crate::street::Place;
use crate::thing::{Proposed, Thing};
use crate::truth::Kind;

/// Heaps nearer than this are one problem to anybody.
const APART_M: f64 = 3.0;

impl Site {
    /// Plans a day; what was planned before and is gone is forgotten.
    pub(crate) fn plan(&mut self, seed: u64, day: usize, rain: &[Span]) {
        let mut dice = Dice::about(seed, &[about::STREET_DAY, self.number as u64, day as u64]);
        self.forget_before(day_begins(day) - HOUR_MS);
        if day == 0 {
            for at in self.bins.iter().map(|bin| bin.place).collect::<Vec<_>>() {
                self.put(Thing::bin(at, (i64::MIN / 2, i64::MAX / 2)));
            }
        }
        let works = self.works(&mut dice, day);
        self.vendors(&mut dice, day);
        self.shops(&mut dice, day);
        self.bins(&mut dice, day);
        self.litter(&mut dice, day);
        if dice.chance(0.012) && !works {
            self.spoil(&mut dice, day);
        }
        self.passers(&mut dice, day, rain);
    }

    fn vendors(&mut self, dice: &mut Dice, day: usize) {
        for habit in self.habits.clone() {
            let (comes, late_min) = (dice.chance(habit.comes), dice.near(0.0, 12.0));
            let stays_min = habit.stays_min * dice.between(0.7, 1.3);
            let overstays = dice.chance(0.10).then(|| dice.doubling(8.0, 90.0));
            if !comes {
                continue;
            }
            let from_ms = day_begins(day) + minutes_ms(habit.from_minute + late_min);
            match habit.right {
                Right::None => self.unpermitted(&habit, (from_ms, from_ms + minutes_ms(stays_min))),
                Right::Market => self.market(&habit, day, overstays),
                Right::Permit { until_day } if day > until_day => {
                    self.unpermitted(&habit, (from_ms, from_ms + minutes_ms(stays_min)));
                }
                Right::Permit { .. } => {
                    let closes_ms = day_begins(day) + 19 * HOUR_MS - 5 * MINUTE_MS;
                    let span = (from_ms, (from_ms + minutes_ms(stays_min)).min(closes_ms));
                    self.put(stall(&habit, span));
                }
            }
        }
    }

    fn unpermitted(&mut self, habit: &Habit, span: Span) {
        let thing = stall(habit, span);
        let in_market = self.has_market
            && (MARKET_ALONG_M.0..=MARKET_ALONG_M.1).contains(&habit.place.along_m)
            && habit.place.across_m > 4.0;
        let in_strip = self.has_shops
            && (SHOPS_ALONG_M.0..=SHOPS_ALONG_M.1).contains(&habit.place.along_m)
            && habit.place.across_m > 6.0;
        // Whoever stands in another rule's zone is no plain vendor; the world does without.
        if in_market || in_strip || self.is_taken(habit.place, 3.5, span) {
            return;
        }
        let code = if habit.stall == Stall::Cart { "09001" } else { "09006" };
        let truth = self.violates(Kind::StreetVendor, code, thing.what, habit.place, span);
        self.put(thing.true_of(truth));
    }

    /// A stall in the market; one that is still there after the hours is a violation from then on.
    fn market(&mut self, habit: &Habit, day: usize, overstays_min: Option<f64>) {
        let from_ms = day_begins(day) + minutes_ms(habit.from_minute);
        let closes = MARKET_HOURS.iter().find(|hours| f64::from(hours.1) > habit.from_minute);
        let Some(&(_, closes)) = closes else { return };
        let closes_ms = day_begins(day) + i64::from(closes) * MINUTE_MS;
        let until_ms = overstays_min.map_or(closes_ms - 4 * MINUTE_MS, |min| closes_ms + minutes_ms(min));
        if self.is_taken(habit.place, 3.5, (from_ms, until_ms)) {
            return;
        }
        let thing = stall(habit, (from_ms, until_ms));
        if overstays_min.is_some() {
            let span = (closes_ms, until_ms);
            let truth = self.violates(Kind::NightMarket, "09002", "stall after hours", habit.place, span);
            self.put(thing.true_of(truth));
        } else {
            self.put(thing);
        }
    }

    fn shops(&mut self, dice: &mut Dice, day: usize) {
        if !self.has_shops {
            return;
        }
        let along = dice.between(SHOPS_ALONG_M.0 + 1.5, SHOPS_ALONG_M.1 - 1.5);
        let opens = day_begins(day) + minutes_ms(dice.between(450.0, 600.0));
        let closes = day_begins(day) + minutes_ms(dice.between(1140.0, 1290.0));
        self.put(Thing::shop_table(Place::new(along, 9.4), (opens, closes)));
        if dice.chance(0.12) {
            let over = Place::new(along, dice.between(7.0, 7.4));
            let from = opens + minutes_ms(dice.between(30.0, 240.0));
            let span = (from, from + minutes_ms(dice.doubling(15.0, 300.0)));
            if !self.is_taken(over, 1.6, span) {
                let what = "shop's table across its line";
                let truth = self.violates(Kind::ShopfrontOverflow, "09005", what, over, span);
                self.put(Thing { what, ..Thing::shop_table(over, span) }.true_of(truth));
            }
        }
    }

    fn bins(&mut self, dice: &mut Dice, day: usize) {
        for i in 0..self.bins.len() {
            let (place, fills) = (self.bins[i].place, dice.chance(0.07));
            let from = day_begins(day) + minutes_ms(dice.between(480.0, 1200.0));
            let spills = dice.chance(0.4);
            // The truck that comes next empties it; some come within minutes.
            let until = from + minutes_ms(dice.doubling(4.0, 480.0));
            if fills && from > self.bins[i].full_until_ms {
                self.bins[i].full_until_ms = until;
                let truth =
                    self.violates(Kind::OverflowingBin, "06042", "bin over its rim", place, (from, until));
                self.put(Thing::overflow(place, spills, (from, until)).true_of(truth));
                self.put(Thing::lorry(
                    Place::new(place.along_m, -5.0),
                    (until - MINUTE_MS, until + 2 * MINUTE_MS),
                ));
            } else if dice.chance(0.3) {
                // A truck empties a bin that was not full; tipped up it looks over its rim.
                let tip = (from, from + minutes_ms(dice.between(0.5, 2.0)));
                self.put(Thing { what: "bin being emptied", ..Thing::overflow(place, false, tip) });
            }
        }
    }

    fn litter(&mut self, dice: &mut Dice, day: usize) {
        let (lasting, short) = (count(dice, 0.18), count(dice, 0.4));
        for i in 0..lasting + short {
            let from = day_begins(day) + minutes_ms(dice.between(330.0, 1290.0));
            let lasts_min = if i < lasting { dice.doubling(6.0, 540.0) } else { dice.doubling(0.3, 1.5) };
            let span = (from, from + minutes_ms(lasts_min));
            let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
            let at = Place::new(dice.between(ALONG_M.0, ALONG_M.1), side * dice.between(2.8, 6.2));
            let size_m = dice.between(0.7, 1.6);
            if self.is_near(Kind::Litter, at, APART_M, span) || self.is_taken(at, 2.5, span) {
                continue;
            }
            let truth = self.violates(Kind::Litter, "06010", "litter", at, span);
            self.put(Thing::litter(at, size_m, span).true_of(truth));
        }
    }

    fn spoil(&mut self, dice: &mut Dice, day: usize) {
        let from = day_begins(day) + minutes_ms(dice.between(0.0, 1440.0));
        let span = (from, from + minutes_ms(dice.doubling(240.0, 4320.0)));
        let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
        let at = Place::new(dice.between(ALONG_M.0 + 2.0, ALONG_M.1 - 2.0), side * dice.between(4.8, 5.6));
        if self.is_taken(at, 4.0, span) {
            return;
        }
        let truth = self.violates(Kind::SpoilHeap, "06011", "heap of spoil", at, span);
        self.put(Thing::spoil(at, span).true_of(truth));
    }

    /// Building on the lot: walls that are higher every day, a pile, a machine by day. Whether any goes on.
    fn works(&mut self, dice: &mut Dice, day: usize) -> bool {
        let mut goes_on = false;
        for i in 0..self.works.len() {
            let works = self.works[i];
            let age = day.wrapping_sub(works.from_day);
            if age >= works.days {
                continue;
            }
            goes_on = true;
            let begins = day_begins(works.from_day) + 8 * HOUR_MS;
            let ends = day_begins(works.from_day + works.days);
            let middle =
                Place::new((LOT_ALONG_M.0 + LOT_ALONG_M.1) / 2.0, (LOT_ACROSS_M.0 + LOT_ACROSS_M.1) / 2.0);
            let pile = Place::new(middle.along_m - 5.5, LOT_ACROSS_M.0 + 2.0);
            if age == 0 {
                let span = (begins, ends);
                let material = Thing::pile(pile, span);
                if works.is_permitted {
                    self.put(material);
                } else {
                    let truth = self.violates(Kind::PiledMaterial, "08006", "pile of material", pile, span);
                    self.put(material.true_of(truth));
                    let what = "building without a permit";
                    let truth = self.violates(Kind::IllegalStructure, "08016", what, middle, span);
                    self.works[i].truth = Some(truth);
                }
            }
            let from = begins.max(day_begins(day) + 8 * HOUR_MS);
            let high_m = 0.4 + 0.25 * age as f64;
            let walls = Thing::works(middle, high_m.min(4.0), begins, (from, (from + DAY_MS).min(ends)));
            self.put(Thing { truth: self.works[i].truth, ..walls });
            if dice.chance(0.7) {
                let at = Place::new(middle.along_m + 5.5, LOT_ACROSS_M.0 + 2.0);
                self.put(Thing::machine(at, (from, day_begins(day) + 17 * HOUR_MS)));
            }
        }
        goes_on
    }

    /// What is allowed and looks like something else: umbrellas that people hold, tricycles that bring parcels,
    /// lorries that hide things.
    fn passers(&mut self, dice: &mut Dice, day: usize, rain: &[Span]) {
        let kerb = |dice: &mut Dice| {
            let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
            Place::new(dice.between(ALONG_M.0, ALONG_M.1), side * dice.between(4.4, 6.0))
        };
        for _ in 0..count(dice, if rain.is_empty() { 0.3 } else { 3.0 }) {
            let span = by_day(dice, day, (2.0, 20.0));
            let at = kerb(dice);
            if rain.is_empty() || holds(rain, span.0) {
                self.put(Thing::umbrella_held(at, span));
            }
        }
        for _ in 0..count(dice, 2.0) {
            let span = by_day(dice, day, (0.7, 12.0));
            let at =
                Place::new(dice.between(ALONG_M.0, ALONG_M.1), if dice.chance(0.5) { 3.4 } else { -3.4 });
            if !self.is_taken(at, 3.0, span) {
                self.put(Thing::delivery(at, span));
            }
        }
        for _ in 0..count(dice, rates::LORRIES_PER_DAY) {
            let span = by_day(dice, day, rates::LORRY_MIN);
            let at = Place::new(
                dice.between(ALONG_M.0 - 4.0, ALONG_M.1),
                if dice.chance(0.5) { 2.4 } else { -2.4 },
            );
            self.put(Thing::lorry(at, span));
        }
    }
}

/// A span of so many minutes between six and nine at night.
fn by_day(dice: &mut Dice, day: usize, minutes: (f64, f64)) -> Span {
    let (from, until) = spell(dice, day, minutes);
    let begins = day_begins(day);
    let from_by_day = begins + 6 * HOUR_MS + (from - begins) * 15 / 24;
    (from_by_day, from_by_day + until - from)
}

fn stall(habit: &Habit, span: Span) -> Thing {
    match habit.stall {
        Stall::Parasol => Thing::parasol_stall(habit.place, span),
        Stall::Tables => Thing::table_stall(habit.place, span),
        Stall::Cart => Thing::cart_stall(habit.place, span),
    }
    .proposed(Proposed::New)
}
