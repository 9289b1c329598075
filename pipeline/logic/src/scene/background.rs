//! What one view normally looks like, and what in it has not been normal for a while.
//!
//! In: clear looks of one view as planes of levels, with what hides or holds which tile. Out: for each tile how
//! long it has been changed. Never: a region, a class. The picture of the background is learned by a majority of
//! looks (Boyer & Moore's vote, so that a passer-by does not become the street), then follows the light.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, quantile};
use super::grid::Grid;
use super::kept::Kept;
use super::limits::Limits;

/// Agreeing looks after which a tile counts as known.
pub(super) const LEARNT_MIN: u8 = 8;
/// Least time between two of them, milliseconds: a passer-by is not the street at ten frames a second.
const LEARN_STEP_MS: i64 = 1_000;
/// Looks that a tile must have been changed in, the same each time, before it is told of.
pub(super) const EVIDENCE_ON: u8 = 3;
/// Looks that evidence is counted up to: what stood long takes this many bare looks (halved) to be gone.
const EVIDENCE_MAX: u8 = 8;
/// A difference that is a change in a calm tile.
const CHANGED: f32 = 0.5;
/// Where the threshold of a restless tile ends.
const CHANGED_MAX: f32 = 0.95;
/// A look is like the one before where they differ by less.
const STEADY: f32 = 0.5;
/// The same for what was handed over from the other light: beside a thing a tile looks half as the street does.
const OUTLASTS: f32 = 0.3;
/// How fast the background follows a tile that agrees well, milliseconds. That is light: what differs by this
/// little has no edges of its own.
const FOLLOW_MS: f32 = 180_000.0;
/// Time after which an empty place is normal: nothing is to be done about it.
const GONE_MS: i64 = 1_800_000;
/// Noise energy that is believed of any camera.
const NOISE_MIN: f32 = 500.0;
/// Weight of one look in the restlessness of a tile.
const RESTLESS_RATE: f32 = 1.0 / 32.0;

/// One tile's memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tile {
    /// Looks that agreed while it was learnt, up to [`LEARNT_MIN`].
    pub(super) learnt: u8,
    /// Looks that showed the same change.
    pub(super) evidence: u8,
    /// For a thing that came (positive) or one that went.
    pub(super) vote: i8,
    /// Whether its region was once told of: then no change of light takes it back.
    pub(super) is_told: bool,
    /// Mean and spread of its difference while it is as normal.
    pub(super) rough: f32,
    pub(super) spread: f32,
    /// The difference when it was last seen changed.
    pub(super) difference: f32,
    /// When the change came.
    pub(super) since: Timestamp,
    /// How long it was watched changed, milliseconds.
    pub(super) stood_ms: i64,
}

impl Tile {
    pub(super) fn is_known(&self) -> bool {
        self.learnt >= LEARNT_MIN
    }

    pub(super) fn stands(&self, at: Timestamp, still_ms: i64) -> bool {
        self.evidence >= EVIDENCE_ON && at.millis_since(self.since) >= still_ms
    }

    fn threshold(&self) -> f32 {
        let calm = (self.rough + 3.0 * self.spread + 0.1).clamp(CHANGED, CHANGED_MAX);
        if self.evidence >= EVIDENCE_ON { calm * 0.75 } else { calm }
    }

    fn note(&mut self, difference: f32) {
        let rate = if self.is_known() { RESTLESS_RATE } else { 0.2 };
        self.spread += ((difference - self.rough).abs() - self.spread) * rate;
        self.rough += (difference - self.rough) * rate;
    }

    /// Counts for or against what was handed over from the other light in a tile that is not known in this one:
    /// with no street to compare with, it is gone when the tile no longer looks as it did.
    fn outlast(&mut self, is_steady: bool) {
        self.evidence = if is_steady { (self.evidence + 1).min(EVIDENCE_MAX) } else { self.evidence - 1 };
        if self.evidence < EVIDENCE_ON {
            *self = Self { learnt: self.learnt, rough: self.rough, spread: self.spread, ..Self::default() };
        }
    }

    /// Half of what spoke for a change is taken back.
    fn is_normal_again(&mut self) {
        let was_evident = self.evidence > 0;
        self.evidence = self.evidence.saturating_sub(2);
        if self.evidence == 0 && was_evident {
            self.settle();
        }
    }

    /// What stands is no restlessness.
    fn note_change(&mut self, difference: f32) {
        if self.evidence < EVIDENCE_ON {
            self.note(difference);
        }
    }

    pub(super) fn settle(&mut self) {
        *self = Self { learnt: LEARNT_MIN, rough: self.rough, spread: self.spread, ..Self::default() };
    }
}

/// One clear look.
pub(super) struct Seen<'a> {
    pub(super) at: Timestamp,
    /// Watched time since the one before, milliseconds.
    pub(super) gap_ms: i64,
    /// `[height, THUMB_WIDTH] u8`.
    pub(super) levels: &'a [u8],
    pub(super) marks: &'a Marks,
    /// Whether the background learns from it. One that was laid back onto its reference is blurred by that: it tells
    /// what stands, and what is normal stays as it was.
    pub(super) teaches: bool,
}

/// What is known of a look's tiles beside its picture.
#[derive(Debug, Default, Clone)]
pub(super) struct Marks {
    /// Hidden by a person or a vehicle.
    pub(super) hidden: Vec<bool>,
    /// Where an open spot stands.
    pub(super) held: Vec<bool>,
}

/// The background of one view in one light.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "Kept", try_from = "Kept")]
pub(super) struct Background {
    /// Levels, whole and 1/256.
    pub(super) level: Vec<u8>,
    pub(super) fraction: Vec<u8>,
    /// What was last seen, people and vehicles aside; empty until the first look after a start.
    pub(super) recent: Vec<u8>,
    pub(super) tiles: Vec<Tile>,
    /// Looks taken.
    pub(super) looks: u32,
    /// When it last learned.
    pub(super) learnt_at: Option<Timestamp>,
}

/// What one look's comparison needs; kept between looks to save their allocation.
#[derive(Debug, Default, Clone)]
pub(super) struct Bench {
    pub(super) normal: Contrast,
    pub(super) recent: Contrast,
    /// Energy that noise alone puts between two looks.
    pub(super) noise: f32,
    /// The same, whatever it comes from; `None` where no look before this one is remembered.
    pub(super) noise_seen: Option<f32>,
    values: Vec<f32>,
}

impl Bench {
    /// Compares a look's levels with a background.
    pub(super) fn compare(
        &mut self,
        grid: &Grid,
        levels: &[u8],
        (background, normal_noise): (&Background, f32),
        hidden: &[bool],
    ) {
        self.normal.measure(grid, levels, &background.level);
        let has_recent = background.recent.len() == levels.len();
        let recent = if has_recent { &background.recent } else { &background.level };
        self.recent.measure(grid, levels, recent);
        self.values.clear();
        let open = self.recent.apart.iter().zip(hidden).filter(|(_, hidden)| !**hidden);
        self.values.extend(open.map(|(&apart, _)| apart));
        let apart = quantile(&mut self.values, 0.3);
        self.noise_seen = has_recent.then_some(apart);
        // A view that is another one altogether is not noise.
        self.noise = apart.min((2.0 * normal_noise).max(NOISE_MIN));
    }
}

impl Background {
    pub(super) fn empty(grid: &Grid, plane_len: usize) -> Self {
        Self {
            level: vec![0; plane_len],
            fraction: vec![128; plane_len],
            recent: Vec::new(),
            tiles: vec![Tile::default(); grid.len()],
            looks: 0,
            learnt_at: None,
        }
    }

    /// A background that is one picture, still open to be outvoted.
    pub(super) fn from_levels(grid: &Grid, levels: &[u8]) -> Self {
        let mut background = Self::empty(grid, levels.len());
        background.level.copy_from_slice(levels);
        background.tiles.iter_mut().for_each(|tile| tile.learnt = 2);
        background
    }

    /// Whether enough of it is known to judge a view by.
    pub(super) fn is_ready(&self) -> bool {
        let known = self.tiles.iter().filter(|tile| tile.learnt >= 2).count();
        known * 2 > self.tiles.len()
    }

    /// Takes one clear look of `gap_ms` after the one before.
    pub(super) fn look(&mut self, seen: &Seen<'_>, bench: &Bench, limits: &Limits) {
        let Seen { at, gap_ms, levels, marks, teaches } = *seen;
        let is_first = self.recent.len() != levels.len();
        if is_first {
            self.recent.clear();
            self.recent.extend_from_slice(levels);
        }
        self.looks = self.looks.saturating_add(1);
        let noise = bench.noise;
        let may_learn =
            teaches && self.learnt_at.is_none_or(|last| at.millis_since(last).abs() >= LEARN_STEP_MS);
        if may_learn {
            self.learnt_at = Some(at);
        }
        for tile in 0..self.tiles.len() {
            if marks.hidden[tile] {
                // What is not known yet makes no edges beside what is.
                if teaches && self.tiles[tile].learnt == 0 {
                    self.replace(tile, levels);
                }
                continue;
            }
            let (difference, held) = (bench.normal.difference(tile, noise), marks.held[tile]);
            let is_steady = is_first || bench.recent.difference(tile, noise) < STEADY;
            let mut is_normal = false;
            if !self.tiles[tile].is_known() {
                // What stood here in the other light is not learnt as this light's street.
                if may_learn && self.tiles[tile].evidence > 0 {
                    self.tiles[tile].outlast(is_first || bench.recent.difference(tile, noise) < OUTLASTS);
                } else if may_learn && !held {
                    self.learn(tile, levels, difference);
                }
                if !is_steady && self.tiles[tile].evidence > 0 {
                    // What was handed over is looked for until it is given up.
                    continue;
                }
            } else if difference <= self.tiles[tile].threshold() {
                is_normal = true;
                if !teaches {
                    self.tiles[tile].is_normal_again();
                    self.remember(tile, levels, true);
                    continue;
                }
                let follow_ms = if difference < CHANGED / 2.0 { FOLLOW_MS } else { limits.follow_ms };
                let share = 1.0 - (-(gap_ms as f32) / follow_ms).exp();
                self.as_normal(tile, levels, difference, share, held);
            } else {
                if teaches {
                    self.tiles[tile].note_change(difference);
                }
                self.as_changed(tile, difference, at, gap_ms, is_steady);
            }
            self.remember(tile, levels, is_steady || is_normal);
        }
    }

    fn learn(&mut self, tile: usize, levels: &[u8], difference: f32) {
        let memory = &mut self.tiles[tile];
        if memory.learnt == 0 {
            memory.learnt = 1;
            self.replace(tile, levels);
        } else if difference < CHANGED {
            memory.learnt += 1;
            memory.note(difference);
            let share = 1.0 / f32::from(memory.learnt);
            self.follow(tile, levels, share);
        } else {
            memory.learnt -= 1;
        }
    }

    fn as_normal(&mut self, tile: usize, levels: &[u8], difference: f32, share: f32, held: bool) {
        let memory = &mut self.tiles[tile];
        memory.is_normal_again();
        memory.note(difference);
        if memory.evidence == 0 && (!held || difference < CHANGED / 2.0) {
            self.follow(tile, levels, share);
        }
    }

    fn as_changed(&mut self, tile: usize, difference: f32, at: Timestamp, gap_ms: i64, is_steady: bool) {
        let memory = &mut self.tiles[tile];
        if is_steady {
            if memory.evidence == 0 {
                (memory.since, memory.stood_ms) = (at, 0);
            } else {
                memory.stood_ms += gap_ms;
            }
            memory.evidence = (memory.evidence + 1).min(EVIDENCE_MAX);
            memory.difference = difference;
        } else if memory.evidence < EVIDENCE_ON {
            memory.evidence = memory.evidence.saturating_sub(1);
        }
    }

    /// Follows a view that has become paler for good, however far it differs; what stands or is held stays.
    pub(super) fn become_veiled(&mut self, levels: &[u8], gap_ms: i64, marks: &Marks) {
        // A look after a long gap is one look all the same: its noise is not the street.
        let share = (1.0 - (-(gap_ms as f32) / FOLLOW_MS).exp()).min(0.1);
        for tile in 0..self.tiles.len() {
            if !marks.hidden[tile] && !marks.held[tile] && self.tiles[tile].evidence == 0 {
                self.follow(tile, levels, share);
            }
        }
    }

    /// Remembers a look that nothing is learnt from as the one last seen.
    pub(super) fn glance(&mut self, levels: &[u8], hidden: &[bool]) {
        if self.recent.len() != levels.len() {
            self.recent.clear();
            self.recent.extend_from_slice(levels);
            return;
        }
        for (tile, _) in hidden.iter().enumerate().filter(|(_, hidden)| !**hidden) {
            self.remember(tile, levels, false);
        }
    }

    /// What passes before a thing that stands does not take its place in memory.
    fn remember(&mut self, tile: usize, levels: &[u8], is_steady: bool) {
        let stands = self.tiles[tile].evidence >= EVIDENCE_ON;
        let weight = match (is_steady, stands) {
            (true, _) => 64,
            (false, true) => 16,
            (false, false) => 256,
        };
        for pixel in Grid::pixels(tile) {
            let (was, is) = (i32::from(self.recent[pixel]), i32::from(levels[pixel]));
            self.recent[pixel] = (was + ((is - was) * weight + 128).div_euclid(256)) as u8;
        }
    }

    /// Moves a tile's background a share of the way to what is seen.
    pub(super) fn follow(&mut self, tile: usize, levels: &[u8], share: f32) {
        let weight = (share.clamp(0.0, 1.0) * 4096.0) as i32;
        for pixel in Grid::pixels(tile) {
            let was = i32::from(self.level[pixel]) * 256 + i32::from(self.fraction[pixel]);
            let is = i32::from(levels[pixel]) * 256 + 128;
            let now = was + (((is - was) * weight) >> 12);
            (self.level[pixel], self.fraction[pixel]) = ((now >> 8) as u8, (now & 255) as u8);
        }
    }

    /// Takes a tile as it is seen for normal.
    pub(super) fn replace(&mut self, tile: usize, levels: &[u8]) {
        self.follow(tile, levels, 1.0);
    }

    /// Takes for normal what has stood for `stay_ms`, unless an open spot holds it.
    pub(super) fn absorb(&mut self, stay_ms: i64, held: &[bool]) {
        for (tile, &held) in held.iter().enumerate() {
            let memory = &mut self.tiles[tile];
            let stay_ms = if memory.vote < 0 { stay_ms.min(GONE_MS) } else { stay_ms };
            if memory.evidence >= EVIDENCE_ON && memory.stood_ms >= stay_ms && !held {
                memory.settle();
                for pixel in Grid::pixels(tile) {
                    (self.level[pixel], self.fraction[pixel]) = (self.recent[pixel], 128);
                }
            }
        }
    }

    /// Whether so much differs anew that it is light, or no picture of this place.
    pub(super) fn would_relight(&self, bench: &Bench, hidden: &[bool]) -> bool {
        let is_fresh = |(tile, memory): (usize, &Tile)| {
            let is_asked = memory.is_known() && memory.evidence == 0 && !hidden[tile];
            is_asked && bench.normal.difference(tile, bench.noise) > memory.threshold()
        };
        let fresh = self.tiles.iter().enumerate().filter(|&tile| is_fresh(tile)).count();
        fresh * 12 > self.tiles.len()
    }

    /// Takes over from the other light what stands there, so that dusk does not end it, and what was last seen.
    pub(super) fn take_over(&mut self, other: &Self) {
        self.recent.clone_from(&other.recent);
        for (tile, before) in self.tiles.iter_mut().zip(&other.tiles) {
            if before.evidence >= EVIDENCE_ON && tile.evidence < EVIDENCE_ON {
                let (learnt, rough, spread) = (tile.learnt, tile.rough, tile.spread);
                *tile = Tile { learnt, rough, spread, ..*before };
            } else if before.evidence == 0 && !tile.is_known() {
                tile.evidence = 0;
            }
        }
    }
}
