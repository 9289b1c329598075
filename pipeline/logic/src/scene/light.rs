//! How bright a look is, and whether it is day.
//!
//! In: a thumb's luma. Out: its quantiles, and day or night with hysteresis. Colour would tell infrared from
//! day; a thumb has none, so an infrared picture as bright as day counts as day.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Light;

/// Median luma below which a street is lit by lamps, and above which by day.
pub(super) const NIGHT_MEDIAN_MAX: u8 = 48;
const DAY_MEDIAN_MIN: u8 = 66;
/// Looks and time that a change must last.
const CHANGE_LOOKS: u32 = 4;
const CHANGE_MS: i64 = 60_000;

/// Brightness of a look, luma 0..=255.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Brightness {
    pub(super) median: u8,
    /// Mean of the brightest tenth.
    pub(super) high: f32,
    /// Part of the pixels that are white.
    pub(super) white: f32,
}

impl Brightness {
    pub(super) fn of(luma: &[u8]) -> Self {
        let mut counts = [0_usize; 256];
        for &value in luma {
            counts[usize::from(value)] += 1;
        }
        let mut below = 0;
        let median = (0..=255_u8).find(|&value| {
            below += counts[usize::from(value)];
            2 * below > luma.len()
        });
        let (tenth, mut left, mut sum) = (luma.len() / 10, luma.len() / 10, 0);
        for value in (0..=255_usize).rev() {
            let taken = counts[value].min(left);
            (left, sum) = (left - taken, sum + taken * value);
        }
        Self {
            median: median.unwrap_or(255),
            high: sum as f32 / tenth.max(1) as f32,
            white: counts[250..].iter().sum::<usize>() as f32 / luma.len().max(1) as f32,
        }
    }
}

/// Day or night, with what speaks for a change.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LightWatch {
    now: Option<Light>,
    other_looks: u32,
    other_since: Timestamp,
}

impl LightWatch {
    pub(super) fn now(&self) -> Light {
        self.now.unwrap_or_default()
    }

    pub(super) fn look(&mut self, brightness: Brightness, at: Timestamp) -> Light {
        let Some(now) = self.now else {
            let first = if brightness.median < NIGHT_MEDIAN_MAX { Light::Night } else { Light::Day };
            self.now = Some(first);
            return first;
        };
        let is_other = match now {
            Light::Day => brightness.median < NIGHT_MEDIAN_MAX,
            Light::Night => brightness.median > DAY_MEDIAN_MIN,
        };
        if !is_other {
            self.other_looks = 0;
            return now;
        }
        // A clock that was set back starts the time anew.
        if self.other_looks == 0 || at < self.other_since {
            self.other_since = at;
        }
        self.other_looks = self.other_looks.saturating_add(1);
        if self.other_looks >= CHANGE_LOOKS && at.millis_since(self.other_since) >= CHANGE_MS {
            self.other_looks = 0;
            self.now = Some(if now == Light::Day { Light::Night } else { Light::Day });
        }
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_at_dusk_does_not_hold_the_night_up() {
        let mut light = LightWatch::default();
        let mut look = |median: u8, secs: i64| {
            light.look(Brightness { median, ..Brightness::default() }, Timestamp::from_millis(secs * 1000))
        };
        assert_eq!((look(120, 7200), look(20, 7204)), (Light::Day, Light::Day));
        let nights: Vec<Light> = (0..8).map(|n| look(20, 10 * n)).collect();
        assert_eq!(nights.last(), Some(&Light::Night));
    }

    #[test]
    fn dusk_is_one_change_and_a_dark_lorry_none() {
        let mut light = LightWatch::default();
        let mut changes = 0;
        let mut before = Light::Day;
        for look in 0..400_i64 {
            let lorry = if (100..110).contains(&look) { 80 } else { 0 };
            let wobble = if look % 2 == 0 { 4 } else { 0 };
            let median = (120 - look / 4 - lorry + wobble).max(5) as u8;
            let now = light
                .look(Brightness { median, ..Brightness::default() }, Timestamp::from_millis(look * 4000));
            changes += u32::from(now != before);
            before = now;
        }
        assert_eq!((changes, before), (1, Light::Night));
    }
}
