//! The spots of one view, and what is remembered of those that are gone.

use std::collections::VecDeque;

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dismissed::{DISMISSED_MAX, Dismissed};
use crate::finding::SpotId;
use crate::spot::Spot;

/// Confirmed places remembered after they were gone; the oldest gives way.
const GONE_MAX: usize = 32;
/// Works or material seen on a site are remembered for so long.
const SUPPORT_MS: i64 = 7 * 86_400_000;
/// Looks that must have seen them.
const SUPPORT_HITS_MIN: u32 = 3;

/// One view's memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// The preset's name; `None` is the home view.
    pub(crate) preset: Option<String>,
    /// The latest look at this view, also one that could not be judged.
    pub(crate) last_at: Option<Timestamp>,
    pub(crate) spots: Vec<Spot>,
    pub(crate) gone: VecDeque<Spot>,
    /// What a person has said is no matter.
    #[serde(default)]
    pub(crate) dismissed: Vec<Dismissed>,
    pub(crate) works: Support,
    pub(crate) material: Support,
}

/// When something of a kind was seen on a site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Support {
    hits: u32,
    last_at: Timestamp,
}

impl Support {
    pub(crate) fn saw(&mut self, at: Timestamp) {
        let is_old = !(0..=SUPPORT_MS).contains(&at.millis_since(self.last_at));
        self.hits = if is_old { 1 } else { self.hits.saturating_add(1) };
        self.last_at = at;
    }

    pub(crate) fn is_there(&self, at: Timestamp) -> bool {
        self.hits >= SUPPORT_HITS_MIN && (0..=SUPPORT_MS).contains(&at.millis_since(self.last_at))
    }
}

impl Table {
    pub(crate) fn of(preset: Option<String>) -> Self {
        Self { preset, ..Self::default() }
    }

    /// Lets go of a spot and passes over what it was until then; whether there was such a spot.
    pub(crate) fn dismiss(&mut self, id: SpotId, until: Timestamp) -> bool {
        let live = self.spots.iter().position(|spot| spot.id == id).map(|place| self.spots.remove(place));
        let gone =
            || self.gone.iter().position(|spot| spot.id == id).and_then(|place| self.gone.remove(place));
        let Some(spot) = live.or_else(gone) else { return false };
        if self.dismissed.len() >= DISMISSED_MAX
            && let Some(first) = (0..self.dismissed.len()).min_by_key(|place| self.dismissed[*place].until)
        {
            self.dismissed.swap_remove(first);
        }
        self.dismissed.push(Dismissed::of(&spot, until));
        true
    }

    /// Remembers a confirmed spot that is gone.
    pub(crate) fn remember(&mut self, spot: Spot) {
        if self.gone.len() == GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(spot);
    }
}
