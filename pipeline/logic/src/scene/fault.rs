//! What is wrong with a view: measures of one look in, a fault with hysteresis out.
//!
//! A fault is told once its sign has lasted so many looks and so long, and taken back the same way; its sign
//! has one threshold to come and another to stay.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::ViewFault;
use super::grid::Grid;
use super::light::Brightness;
use super::limits::Limits;

/// Milliseconds that the sign of a fault must last before the fault is told.
const fn enter_after_ms(fault: ViewFault) -> i64 {
    match fault {
        ViewFault::Moved => 4_000,
        ViewFault::Covered | ViewFault::Glare => 10_000,
        ViewFault::Dark | ViewFault::Blurred => 20_000,
        // Its sign has a time of its own.
        ViewFault::Frozen => 0,
    }
}
/// Milliseconds that a view must lie slightly off: a mast that sways in the wind comes back, one that was knocked
/// does not.
const SLIGHT_AFTER_MS: i64 = 120_000;
/// Up to here a view lies off slightly, pixels of a thumb: a fiftieth of its width is no other street, and boxes
/// still cover most of the places that they covered.
const SLIGHT_PX_MAX: f32 = 6.0;
/// Milliseconds without the sign before it is taken back.
const EXIT_AFTER_MS: i64 = 2_000;

/// A view is in place for sure where so much of it agrees with its reference; below the second hardly any does.
/// In between its patches say: edges along a nudge agree with it.
pub(super) const IN_PLACE_SURE: f32 = 0.95;
pub(super) const OUT_OF_PLACE_MAX: f32 = 0.35;
/// Part of the reference's coarse edges that a covered view keeps at most: to enter, to leave.
const COVERED_COARSE: (f32, f32) = (0.2, 0.4);
/// Edge energy of a covered view against its reference's.
const COVERED_ENERGY: (f32, f32) = (0.35, 0.6);
/// Fine against coarse edges of a blurred view; mist takes both.
const BLURRED_RATIO: (f32, f32) = (0.7, 0.85);
/// Part of the reference's edges that a veiled view keeps at most: to enter, to leave.
const VEILED_COARSE: (f32, f32) = (0.6, 0.72);
/// Looks and milliseconds of mist or streaks before a view counts as veiled, or as clear again.
const VEIL_AFTER: (u32, i64) = (3, 10_000);

/// How a look compares with the reference of its view.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Likeness {
    /// Part of the sectors with texture that agree; `None` where too few can be seen.
    pub(super) in_place: Option<f32>,
    /// Edge energy over the reference's, where that has edges.
    pub(super) energy: f32,
    /// Gain of fine and of coarse edges over the reference's, where it is best.
    pub(super) fine: f32,
    pub(super) coarse: f32,
    /// Gain of coarse edges where it is middling.
    pub(super) contrast: f32,
    /// Whether the patches say that the view is elsewhere.
    pub(super) is_away: bool,
    /// By how much the view lies off, pixels of a thumb to the right and down; `None` where nobody knows.
    pub(super) off_by: Option<[f32; 2]>,
    /// Whether noise is far over what it normally is.
    pub(super) is_streaked: bool,
}

/// How soon a sign becomes a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It needs no time: a camera that turns.
    AtOnce,
    Usual,
    /// The view lies slightly off.
    Patient,
}

impl Likeness {
    /// By how much the view lies off, if not far.
    pub(super) fn slightly_off(&self) -> Option<[f32; 2]> {
        self.off_by.filter(|[x, y]| x.hypot(*y) <= SLIGHT_PX_MAX)
    }

    /// Whether the view is in place for sure.
    pub(super) fn is_in_place(&self) -> bool {
        self.in_place.is_some_and(|share| share >= IN_PLACE_SURE)
    }
}

/// The sign of one look.
pub(super) fn sign(
    limits: &Limits,
    now: Option<ViewFault>,
    brightness: Brightness,
    (was_bright, is_still): (bool, bool),
    likeness: Option<&Likeness>,
) -> Option<ViewFault> {
    let limit = |fault: ViewFault, (enter, leave): (f32, f32)| if now == Some(fault) { leave } else { enter };
    let is_dark = brightness.high < limit(ViewFault::Dark, limits.dark);
    let covered = |pair| limit(ViewFault::Covered, pair);
    let is_hidden = likeness.is_some_and(|l| {
        l.in_place.is_some_and(|share| 1.0 - share > covered(limits.covered))
            && (is_dark || l.energy < covered(COVERED_ENERGY))
            && l.coarse < covered(COVERED_COARSE)
    });
    // Night falls slowly; a hand before the lens does not.
    if is_hidden && (!is_dark || was_bright || now == Some(ViewFault::Covered)) {
        return Some(ViewFault::Covered);
    }
    if is_dark {
        return Some(ViewFault::Dark);
    }
    if brightness.white > limit(ViewFault::Glare, limits.glare) {
        return Some(ViewFault::Glare);
    }
    if is_still {
        return Some(ViewFault::Frozen);
    }
    let l = likeness?;
    let blurred = |pair| limit(ViewFault::Blurred, pair);
    let is_blurred = l.fine < blurred(limits.blurred)
        && l.fine < blurred(BLURRED_RATIO) * l.coarse
        && l.coarse > COVERED_COARSE.0;
    if is_blurred && !l.is_away {
        return Some(ViewFault::Blurred);
    }
    l.is_away.then_some(ViewFault::Moved)
}

/// Something that must last to count.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Lasting {
    looks: u32,
    since: Timestamp,
}

impl Lasting {
    fn lasts(&mut self, at: Timestamp, (looks, ms): (u32, i64)) -> bool {
        // A clock that was set back starts the time anew.
        if self.looks == 0 || at < self.since {
            self.since = at;
        }
        self.looks = self.looks.saturating_add(1);
        self.looks >= looks && at.millis_since(self.since) >= ms
    }
}

/// The fault that stands, and what speaks for another.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct FaultWatch {
    now: Option<ViewFault>,
    next: Option<ViewFault>,
    lasting: Lasting,
    /// Of these, the latest in a row whose view did not lie slightly off only.
    #[serde(default)]
    plain: Lasting,
    is_veiled: bool,
    veil_lasting: Lasting,
}

impl FaultWatch {
    pub(super) fn now(&self) -> Option<ViewFault> {
        self.now
    }

    pub(super) fn is_veiled(&self) -> bool {
        self.is_veiled
    }

    /// Takes the sign of a look.
    pub(super) fn look(
        &mut self,
        limits: &Limits,
        sign: Option<ViewFault>,
        at: Timestamp,
        pace: Pace,
    ) -> Option<ViewFault> {
        if sign == self.now {
            (self.lasting.looks, self.plain.looks) = (0, 0);
            return self.now;
        }
        if sign != self.next {
            (self.next, self.lasting.looks, self.plain.looks) = (sign, 0, 0);
        }
        let looks = if sign == Some(ViewFault::Frozen) { 1 } else { limits.fault_looks };
        let is_slight = sign == Some(ViewFault::Moved) && pace == Pace::Patient;
        let has_lasted = self.lasting.lasts(at, (looks, SLIGHT_AFTER_MS));
        let is_due = if is_slight {
            self.plain.looks = 0;
            has_lasted
        } else {
            self.plain.lasts(at, (looks, sign.map_or(EXIT_AFTER_MS, enter_after_ms)))
        };
        if is_due || pace == Pace::AtOnce {
            self.now = sign;
            (self.lasting.looks, self.plain.looks) = (0, 0);
        }
        self.now
    }

    /// Takes whether a clear look is veiled.
    pub(super) fn veil(&mut self, likeness: &Likeness, at: Timestamp) -> bool {
        let limit = if self.is_veiled { VEILED_COARSE.1 } else { VEILED_COARSE.0 };
        let sign = likeness.contrast < limit || likeness.is_streaked;
        if sign == self.is_veiled {
            self.veil_lasting.looks = 0;
        } else if self.veil_lasting.lasts(at, VEIL_AFTER) {
            (self.is_veiled, self.veil_lasting.looks) = (sign, 0);
        }
        self.is_veiled || sign
    }
}

/// Whether the same picture comes again and again, a clock in it aside.
#[derive(Debug, Clone, Default)]
pub(super) struct Stillness {
    last: Vec<u8>,
    changed: Vec<bool>,
    lasting: Lasting,
}

impl Stillness {
    /// Looks without any noise.
    const LOOKS_MIN: u32 = 8;
    /// Part of the tiles that a clock may take.
    const CLOCK_SHARE_MAX: f32 = 0.04;

    pub(super) fn look(&mut self, limits: &Limits, grid: &Grid, luma: &[u8], at: Timestamp) -> bool {
        if self.last.len() != luma.len() {
            self.last.clear();
            self.last.extend_from_slice(luma);
            self.start(grid);
            return false;
        }
        let clock_max = (grid.len() as f32 * Self::CLOCK_SHARE_MAX) as usize;
        for (changed, tile) in self.changed.iter_mut().zip(0..) {
            *changed = *changed || Grid::pixels(tile).any(|pixel| self.last[pixel] != luma[pixel]);
        }
        self.last.copy_from_slice(luma);
        if self.changed.iter().filter(|&&changed| changed).count() > clock_max {
            self.start(grid);
            return false;
        }
        self.lasting.lasts(at, (Self::LOOKS_MIN, limits.frozen_ms))
    }

    fn start(&mut self, grid: &Grid) {
        self.changed.clear();
        self.changed.resize(grid.len(), false);
        self.lasting.looks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn a_sign_of_one_look_is_no_fault_and_a_clear_look_does_not_end_one() {
        let mut watch = FaultWatch::default();
        let limits = Limits::default();
        let covered = Some(ViewFault::Covered);
        let script = [
            (0, covered, None),
            (4, None, None),
            (8, covered, None),
            (12, covered, None),
            (16, covered, None),
            (20, covered, covered),
            (24, None, covered),
            (28, covered, covered),
            (32, None, covered),
            (36, None, None),
        ];
        for (secs, sign, fault) in script {
            assert_eq!(watch.look(&limits, sign, at(secs), Pace::Usual), fault, "at {secs} s");
        }
    }

    #[test]
    fn a_clock_set_back_does_not_hold_a_fault_up() {
        let (mut watch, limits) = (FaultWatch::default(), Limits::default());
        let moved = Some(ViewFault::Moved);
        assert_eq!(watch.look(&limits, moved, at(7200), Pace::Usual), None);
        let faults = [0, 4].map(|secs| watch.look(&limits, moved, at(secs), Pace::Usual));
        assert_eq!(faults, [None, moved]);
    }

    #[test]
    fn a_clock_that_ticks_does_not_hide_a_frozen_picture_and_noise_does() {
        let (grid, limits) = (Grid::of(180), Limits { frozen_ms: 60_000, ..Limits::default() });
        let mut luma: Vec<u8> = (0..320 * 180).map(|pixel| (pixel % 200) as u8).collect();
        let mut stillness = Stillness::default();
        let mut still = Vec::new();
        for look in 0..30_u8 {
            for row in 0..8 {
                luma[row * 320..row * 320 + 60].fill(look);
            }
            still.push(stillness.look(&limits, &grid, &luma, at(4 * i64::from(look))));
        }
        assert_eq!(still.iter().position(|&still| still), Some(16), "60 s of looks after the first");
        let noisy: Vec<u8> = luma.iter().enumerate().map(|(i, &v)| v + u8::from(i % 37 == 0)).collect();
        assert!(!stillness.look(&limits, &grid, &noisy, at(130)));
    }
}
