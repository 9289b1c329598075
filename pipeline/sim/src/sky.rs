//! The county's clock and weather.
//!
//! In: a seed and a day. Out: when it rains. Never: the machine's clock.

use crate::dice::Dice;
use crate::rates;

/// The first day of every run: 2026-01-01 in China, milliseconds since 1970.
pub(crate) const FIRST_MS: i64 = 1_767_196_800_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

/// What the dice are about, so that no two questions share their throws.
pub(crate) mod about {
    pub(crate) const SKY: u64 = 1;
    pub(crate) const STREET: u64 = 2;
    pub(crate) const STREET_DAY: u64 = 3;
    pub(crate) const CAMERA: u64 = 4;
    pub(crate) const CAMERA_DAY: u64 = 5;
    pub(crate) const CAMERA_LOOKS: u64 = 6;
    pub(crate) const DESK: u64 = 7;
    pub(crate) const CAMERA_THING: u64 = 8;
}

/// Instants from one up to, not including, another.
pub(crate) type Span = (i64, i64);

/// When a day begins.
pub(crate) fn day_begins(day: usize) -> i64 {
    FIRST_MS + day as i64 * DAY_MS
}

/// When it rains on a day.
pub(crate) fn rain(seed: u64, day: usize) -> Vec<Span> {
    let mut dice = Dice::about(seed, &[about::SKY, day as u64]);
    if !dice.chance(rates::RAIN_DAYS) {
        return Vec::new();
    }
    (0..=dice.pick(2)).map(|_| spell(&mut dice, day, rates::RAIN_MIN)).collect()
}

/// A span that begins on a day and lasts so many minutes.
pub(crate) fn spell(dice: &mut Dice, day: usize, minutes: (f64, f64)) -> Span {
    let from = day_begins(day) + (dice.unit() * DAY_MS as f64) as i64;
    (from, from + minutes_ms(dice.doubling(minutes.0, minutes.1)))
}

pub(crate) fn minutes_ms(minutes: f64) -> i64 {
    (minutes * MINUTE_MS as f64) as i64
}

pub(crate) fn holds(spans: &[Span], at_ms: i64) -> bool {
    spans.iter().any(|(from, until)| (*from..*until).contains(&at_ms))
}

/// How many of something that happens so often a day happen on one.
pub(crate) fn count(dice: &mut Dice, per_day: f64) -> usize {
    let (whole, rest) = (per_day.floor(), per_day.fract());
    let mut count = 0;
    // Two throws a whole one, at half the chance: about as scattered as life is.
    for _ in 0..whole as usize * 2 {
        count += usize::from(dice.chance(0.5));
    }
    count + usize::from(dice.chance(rest))
}
