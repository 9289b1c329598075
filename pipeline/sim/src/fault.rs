//! What is wrong with a camera, and when: lost streams, covered, dark and glaring views, nudges.
//!
//! In: a seed, a camera, a day. Out: spans. Never: what the camera sees.

use logic::scene::ViewFault;

use crate::dice::Dice;
use crate::rates;
use crate::sky::{Span, about, holds, minutes_ms, spell};

/// A camera's troubles that are not yet over.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    lost: Vec<Span>,
    faults: Vec<(Span, Fault)>,
}

/// What a view is like while something is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: ViewFault,
    /// How far the picture lies off, shares of its width and height.
    pub(crate) shift: (f32, f32),
    /// Share of the things that can still be seen.
    pub(crate) shows: f32,
}

impl Troubles {
    /// Adds a day's.
    pub(crate) fn plan(&mut self, seed: u64, camera: usize, day: usize) {
        let mut dice = Dice::about(seed, &[about::CAMERA_DAY, camera as u64, day as u64]);
        let dice = &mut dice;
        let begins = crate::sky::day_begins(day);
        self.lost.retain(|span| span.1 > begins);
        self.faults.retain(|(span, _)| span.1 > begins);
        if dice.chance(rates::OUTAGES_PER_DAY) {
            self.lost.push(spell(dice, day, rates::OUTAGE_MIN));
        }
        if dice.chance(rates::FAULTS_PER_DAY) {
            let span = spell(dice, day, rates::FAULT_MIN);
            let (kind, shows) =
                [(ViewFault::Covered, 0.0), (ViewFault::Dark, 0.3), (ViewFault::Glare, 0.3)][dice.pick(3)];
            self.faults.push((span, Fault { kind, shift: (0.0, 0.0), shows }));
        }
        if dice.chance(rates::NUDGES_PER_DAY) {
            let from = spell(dice, day, (1.0, 2.0)).0;
            let span = (from, from + minutes_ms(dice.doubling(rates::NUDGE_MIN.0, rates::NUDGE_MIN.1)));
            // Fifteen pixels to a tenth of the picture.
            let mut off = |px: f64| {
                (dice.doubling(15.0, 190.0) / px * if dice.chance(0.5) { 1.0 } else { -1.0 }) as f32
            };
            let shift = (off(1920.0), off(1920.0));
            self.faults.push((span, Fault { kind: ViewFault::Moved, shift, shows: 1.0 }));
        }
    }

    /// Whether no frame comes.
    pub(crate) fn is_lost(&self, at_ms: i64) -> bool {
        !self.lost.is_empty() && holds(&self.lost, at_ms)
    }

    /// What is wrong with the view.
    pub(crate) fn fault(&self, at_ms: i64) -> Option<Fault> {
        self.faults.iter().find(|(span, _)| (span.0..span.1).contains(&at_ms)).map(|(_, fault)| *fault)
    }
}
