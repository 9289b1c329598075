//! One street of the county: how it is laid out, who comes there, and what is allowed.
//!
//! In: a seed. Out: streets with their habits, and the text of their permits. Never: a camera.
//!
//! Across the street, metres from its middle: carriageway to 4 on both sides, footways to 8, before the shops a
//! strip from 6.6 to 8 that is the public's, behind 8 the shops' own ground, behind 10 a building lot.

use std::fmt::Write as _;

use calib::space::LonLat;

use crate::dice::Dice;
use crate::sky::{DAY_MS, about, day_begins};
use crate::street::{Place, Street};
use crate::thing::Thing;
use crate::truth::{Kind, Truth, TruthId};

/// Where people and things are, metres along the street.
pub(crate) const ALONG_M: (f64, f64) = (-3.0, 15.0);
/// The permitted zone, metres along.
pub(crate) const MARKET_ALONG_M: (f64, f64) = (6.0, 16.0);
/// Its hours, minutes of the day.
pub(crate) const MARKET_HOURS: [(u16, u16); 2] = [(6 * 60, 9 * 60), (17 * 60, 21 * 60)];
/// The strip before the shops, metres along; the market has none before it.
pub(crate) const SHOPS_ALONG_M: (f64, f64) = (-6.0, 5.0);
/// The lot where building is watched, metres along and across.
pub(crate) const LOT_ALONG_M: (f64, f64) = (0.0, 16.0);
pub(crate) const LOT_ACROSS_M: (f64, f64) = (10.0, 18.0);

/// How far a bin and what fell beside it reach, metres.
const BIN_REACH_M: f64 = 0.9;

/// A vendor's way of life.
#[derive(Debug, Clone)]
pub(crate) struct Habit {
    pub(crate) place: Place,
    pub(crate) stall: Stall,
    /// Share of the days on which the vendor comes.
    pub(crate) comes: f64,
    /// Usual first minute of the day, and how long, minutes.
    pub(crate) from_minute: f64,
    pub(crate) stays_min: f64,
    pub(crate) right: Right,
}

/// What a stall is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stall {
    Parasol,
    Tables,
    Cart,
}

/// By what right a vendor is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    None,
    /// In the permitted zone, in its hours.
    Market,
    /// By a permit for this place from seven to seven, up to and with a day of the run.
    Permit {
        until_day: usize,
    },
}

/// Building on the lot: from one day of the run on, for so many days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Works {
    pub(crate) from_day: usize,
    pub(crate) days: usize,
    pub(crate) is_permitted: bool,
    pub(crate) truth: Option<TruthId>,
}

/// A bin and until when it is over its rim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bin {
    pub(crate) place: Place,
    pub(crate) full_until_ms: i64,
}

/// A street with what happens on it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) number: usize,
    pub(crate) street: Street,
    pub(crate) has_market: bool,
    pub(crate) has_shops: bool,
    pub(crate) has_lot: bool,
    pub(crate) habits: Vec<Habit>,
    pub(crate) bins: Vec<Bin>,
    pub(crate) works: Vec<Works>,
    /// What comes on the day that was planned last.
    pub(crate) today: Vec<Thing>,
    /// Everything that is not yet long gone: place, span, name.
    pub(crate) lately: Vec<(Place, (i64, i64), &'static str)>,
    pub(crate) truths: Vec<Truth>,
    /// Numbers of the truths that are not yet long gone.
    pub(crate) live: Vec<usize>,
}

impl Site {
    pub(crate) fn of(seed: u64, number: usize, middle: LonLat, days: usize) -> Self {
        let mut dice = Dice::about(seed, &[about::STREET, number as u64]);
        let street = Street::through(middle, dice.between(0.0, std::f64::consts::TAU));
        let (has_market, has_shops, has_lot) = (dice.chance(0.25), dice.chance(0.4), dice.chance(0.15));
        let mut habits = Vec::new();
        for _ in 0..usize::from(dice.chance(0.25)) + usize::from(dice.chance(0.06)) {
            habits.push(Habit { right: Right::None, ..habit(&mut dice, ALONG_M) });
        }
        if has_market {
            for _ in 0..=dice.pick(3) {
                habits.push(market_habit(&mut dice));
            }
        }
        if dice.chance(0.10) {
            let until_day = if dice.chance(0.3) { dice.pick(days.max(1)) } else { days + 400 };
            habits.push(Habit {
                from_minute: dice.between(480.0, 660.0),
                right: Right::Permit { until_day },
                ..habit(&mut dice, (ALONG_M.0, MARKET_ALONG_M.0 - 2.5))
            });
        }
        let bins = [-1.5, 11.0].map(|along| {
            let place = Place::new(along + dice.between(-1.0, 1.0), -7.2);
            Bin { place, full_until_ms: 0 }
        });
        let mut works = Vec::new();
        if has_lot && dice.chance((days as f64 / 60.0).min(1.0)) {
            works.push(Works {
                from_day: dice.pick(days.max(1)),
                days: 8 + dice.pick(30),
                is_permitted: dice.chance(0.4),
                truth: None,
            });
        }
        let (today, lately, truths, live) = Default::default();
        Self {
            number,
            street,
            has_market,
            has_shops,
            has_lot,
            habits,
            bins: bins.to_vec(),
            works,
            today,
            lately,
            truths,
            live,
        }
    }

    /// Enters a violation; the thing that makes it is given the number.
    pub(crate) fn violates(
        &mut self,
        kind: Kind,
        code: &'static str,
        what: &'static str,
        place: Place,
        span_ms: (i64, i64),
    ) -> TruthId {
        let number = self.truths.len();
        self.truths.push(Truth::new(kind, code, what, self.street.lon_lat(place), span_ms));
        self.live.push(number);
        TruthId { street: self.number, number }
    }

    /// Puts a thing on the street.
    pub(crate) fn put(&mut self, thing: Thing) {
        self.lately.push((thing.place(), (thing.from_ms, thing.until_ms), thing.what));
        self.today.push(thing);
    }

    /// Forgets what went before an instant.
    pub(crate) fn forget_before(&mut self, ms: i64) {
        self.today.clear();
        self.lately.retain(|(_, span, _)| span.1 >= ms);
        let truths = &self.truths;
        self.live.retain(|number| truths[*number].span_ms.1 >= ms);
    }

    /// Whether a violation of a kind lies within so many metres while a span lasts.
    pub(crate) fn is_near(&self, kind: Kind, place: Place, reach_m: f64, span_ms: (i64, i64)) -> bool {
        self.live.iter().map(|number| &self.truths[*number]).any(|truth| {
            truth.kind == kind
                && truth.span_ms.0 < span_ms.1
                && span_ms.0 < truth.span_ms.1
                && self.street.place(truth.at).distance_m(place) < reach_m
        })
    }

    /// Whether anything stands within so many metres while a span lasts.
    pub(crate) fn is_taken(&self, place: Place, reach_m: f64, span_ms: (i64, i64)) -> bool {
        self.lately
            .iter()
            .any(|(at, span, _)| span.0 < span_ms.1 && span_ms.0 < span.1 && at.distance_m(place) < reach_m)
    }

    /// What stood nearest to a place at an instant, and how far away.
    pub(crate) fn nearest(&self, place: Place, at_ms: i64) -> Option<(&'static str, f64)> {
        let there = self.lately.iter().filter(|(_, span, _)| (span.0..=span.1 + 180_000).contains(&at_ms));
        let near = there.map(|(at, _, what)| (*what, at.distance_m(place)));
        // A bin is always there; what lies beyond its reach is not of it.
        // Of what is at one place the latest is told: a bin over its rim before the bin.
        near.filter(|(what, metres)| *what != "bin" || *metres <= BIN_REACH_M)
            .rev()
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The permits that hold on this street, as a permits file has them.
    pub(crate) fn permits(&self) -> String {
        let mut text = String::new();
        let mut permit = |name: &str, matters: &str, corners: String, until: i64| {
            let day = calib::calendar::Day::of(calib::time::Timestamp::from_millis(until), 480);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[[permit]]\nnumber = \"S{}-{name}\"\nholder = \"H-{:04}\"\nmatters = [{matters}]\nground = \
                 {corners}\nhours = [\"{}\"]\nfrom = \"2025-01-01\"\nuntil = \"{day}\"\n",
                self.number,
                self.number,
                if matters.starts_with("\"09") { "07:00-19:00" } else { "00:00-24:00" },
            );
        };
        for (i, habit) in self.habits.iter().enumerate() {
            if let Right::Permit { until_day } = habit.right {
                let corners = self.corners(
                    (habit.place.along_m - 3.5, habit.place.along_m + 3.5),
                    (habit.place.across_m - 2.5, habit.place.across_m + 2.5),
                );
                permit(&format!("V{i}"), "\"09001\", \"09006\"", corners, day_begins(until_day));
            }
        }
        for (i, works) in self.works.iter().enumerate().filter(|(_, works)| works.is_permitted) {
            let matters = "\"06001\", \"06036\", \"08006\", \"08016\"";
            let until = day_begins(works.from_day + works.days) + 60 * DAY_MS;
            permit(&format!("W{i}"), matters, self.corners(LOT_ALONG_M, LOT_ACROSS_M), until);
        }
        text
    }

    /// A rectangle of the street as files have it: longitude and latitude of its corners.
    pub(crate) fn corners(&self, along_m: (f64, f64), across_m: (f64, f64)) -> String {
        let corners = [
            (along_m.0, across_m.0),
            (along_m.1, across_m.0),
            (along_m.1, across_m.1),
            (along_m.0, across_m.1),
        ];
        let corners = corners.map(|(along, across)| {
            let at = self.street.lon_lat(Place::new(along, across));
            format!("[{:.7}, {:.7}]", at.lon, at.lat)
        });
        format!("[{}]", corners.join(", "))
    }
}

fn habit(dice: &mut Dice, along_m: (f64, f64)) -> Habit {
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let across_m = side * if dice.chance(0.25) { dice.between(2.6, 3.4) } else { dice.between(4.8, 5.9) };
    Habit {
        place: Place::new(dice.between(along_m.0, along_m.1), across_m),
        stall: match dice.unit() {
            share if share < 0.65 => Stall::Parasol,
            share if share < 0.85 => Stall::Tables,
            _ => Stall::Cart,
        },
        comes: dice.between(0.6, 0.95),
        from_minute: [390.0, 420.0, 630.0, 960.0, 1020.0][dice.pick(5)] + dice.between(-20.0, 40.0),
        stays_min: dice.doubling(25.0, 240.0),
        right: Right::None,
    }
}

fn market_habit(dice: &mut Dice) -> Habit {
    let (from, until) = MARKET_HOURS[dice.pick(2)];
    let from_minute = f64::from(from) + dice.between(5.0, 30.0);
    Habit {
        place: Place::new(
            dice.between(MARKET_ALONG_M.0 + 2.0, MARKET_ALONG_M.1 - 2.0),
            dice.between(5.2, 6.6),
        ),
        stall: if dice.chance(0.7) { Stall::Parasol } else { Stall::Tables },
        comes: dice.between(0.7, 0.95),
        from_minute,
        stays_min: f64::from(until) - 10.0 - from_minute,
        right: Right::Market,
    }
}
