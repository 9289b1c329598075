//! What a view looks like day by day: building is slow.
//!
//! In: clear daylight looks of the home view, a few an hour. Out: one clean picture a day for a bounded number
//! of days, and where today's differs from what stood at least two days ago. Within a day each pixel is a
//! running mean that no sample moves far (Huber's location, *Robust Statistics* 1981, §3.2): people are left
//! out, and what stood for an hour is outweighed.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::background::{Background, EVIDENCE_ON};
use super::contrast::Contrast;
use super::grid::Grid;
use super::groups::Groups;
use super::packed::Packed;
use super::thumb::{THUMB_WIDTH, Thumb};
use super::tone::luma_from_level;
use super::{Proposal, ProposalKind};

/// Time between two samples of a day.
const SAMPLE_MS: i64 = 600_000;
/// Samples that a day needs: an hour and a half.
const SAMPLES_MIN: u8 = 9;
/// What one sample moves a pixel by at most, levels.
const STEP_MAX: i32 = 40;
/// Samples that the mean remembers: the day, so that no shadow of the evening stays in it.
const MEMORY: u8 = 100;
/// Samples of which any may move a pixel as far as it will.
const FREE_SAMPLES: i32 = 4;
/// Days that a change is compared over.
const DAYS_APART_MIN: i64 = 2;
/// A difference that is a change between days.
const CHANGED: f32 = 0.55;
/// Least tiles of a change that is told of: about a hundredth of the picture's width and height each way.
const TILES_MIN: usize = 9;
/// Levels lost at most in a kept day.
const LEVEL_STEP: u8 = 4;

/// A day's clean picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DayView {
    /// Days since 1970-01-01 on the camera's own clock.
    day: i64,
    since: Timestamp,
    levels: Packed,
}

/// The day that is being composed.
#[derive(Debug, Clone, PartialEq)]
struct Today {
    day: i64,
    since: Timestamp,
    sampled_at: Timestamp,
    samples: u8,
    /// Levels in 1/64.
    levels: Vec<i16>,
    tile_samples: Vec<u8>,
}

/// The days of one view.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Days {
    kept: Vec<DayView>,
    today: Option<Today>,
    changes: Vec<Proposal>,
}

#[derive(Serialize, Deserialize)]
struct KeptToday {
    day: i64,
    since: Timestamp,
    sampled_at: Timestamp,
    samples: u8,
    levels: Packed,
    tile_samples: Packed,
}

impl Serialize for Today {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        KeptToday {
            day: self.day,
            since: self.since,
            sampled_at: self.sampled_at,
            samples: self.samples,
            levels: Packed::from_plane(&self.plane(), THUMB_WIDTH, 2),
            tile_samples: Packed::from_plane(&self.tile_samples, super::grid::COLS, 1),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Today {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = KeptToday::deserialize(deserializer)?;
        let broken = || serde::de::Error::custom("the kept day does not unpack");
        let levels = kept.levels.to_plane().ok_or_else(broken)?;
        let tile_samples = kept.tile_samples.to_plane().ok_or_else(broken)?;
        if tile_samples.len() != Grid::of(levels.len() / THUMB_WIDTH).len() {
            return Err(broken());
        }
        Ok(Self {
            day: kept.day,
            since: kept.since,
            sampled_at: kept.sampled_at,
            samples: kept.samples,
            levels: levels.into_iter().map(|level| i16::from(level) * 64 + 32).collect(),
            tile_samples,
        })
    }
}

impl Today {
    fn new(day: i64, at: Timestamp, background: &Background) -> Self {
        Self {
            day,
            since: at,
            sampled_at: at,
            samples: 0,
            levels: background.level.iter().map(|&level| i16::from(level) * 64 + 32).collect(),
            tile_samples: vec![0; background.tiles.len()],
        }
    }

    fn plane(&self) -> Vec<u8> {
        self.levels.iter().map(|&level| (level >> 6) as u8).collect()
    }

    fn sample(&mut self, at: Timestamp, background: &Background, hidden: &[bool]) {
        (self.sampled_at, self.samples) = (at, self.samples.saturating_add(1));
        for (tile, memory) in background.tiles.iter().enumerate() {
            if hidden[tile] || memory.learnt == 0 {
                continue;
            }
            let stands = memory.evidence >= EVIDENCE_ON && background.recent.len() == background.level.len();
            let plane = if stands { &background.recent } else { &background.level };
            let samples = &mut self.tile_samples[tile];
            *samples = samples.saturating_add(1);
            let weight = i32::from((*samples).min(MEMORY));
            for pixel in Grid::pixels(tile) {
                let (was, is) = (i32::from(self.levels[pixel]), i32::from(plane[pixel]) * 64 + 32);
                let limit = if weight <= FREE_SAMPLES { i32::MAX } else { STEP_MAX * 64 };
                self.levels[pixel] = (was + (is - was).clamp(-limit, limit) / weight) as i16;
            }
        }
    }
}

/// Working memory of the comparison of days.
#[derive(Debug, Default, Clone)]
pub(super) struct DayBench {
    contrast: Contrast,
    groups: Groups,
}

impl Days {
    /// Where today differs, as of the last sample.
    pub(super) fn changes(&self) -> &[Proposal] {
        &self.changes
    }

    /// Each kept day's beginning and picture, oldest first.
    pub(super) fn views(&self) -> Vec<(Timestamp, Thumb)> {
        let picture = |view: &DayView| {
            let levels = view.levels.to_plane()?;
            let thumb = Thumb::from_luma(levels.into_iter().map(luma_from_level).collect())?;
            Some((view.since, thumb))
        };
        self.kept.iter().filter_map(picture).collect()
    }

    /// Takes a clear look by day, if one is due. `area` marks the tiles whose building is watched.
    pub(super) fn look(
        &mut self,
        grid: &Grid,
        (at, day): (Timestamp, i64),
        background: &Background,
        hidden: &[bool],
        (area, days_max): (&[bool], usize),
        bench: &mut DayBench,
    ) {
        if self.today.as_ref().is_some_and(|today| today.day != day) {
            self.close_day(days_max);
        }
        let today = self.today.get_or_insert_with(|| Today::new(day, at, background));
        if today.samples > 0 && at.millis_since(today.sampled_at) < SAMPLE_MS {
            return;
        }
        today.sample(at, background, hidden);
        if today.samples >= SAMPLES_MIN {
            self.changes = self.compare(grid, area, bench);
        }
    }

    fn close_day(&mut self, days_max: usize) {
        let Some(today) = self.today.take() else { return };
        if today.samples < SAMPLES_MIN {
            return;
        }
        let levels = Packed::from_plane(&today.plane(), THUMB_WIDTH, LEVEL_STEP);
        self.kept.push(DayView { day: today.day, since: today.since, levels });
        let surplus = self.kept.len().saturating_sub(days_max);
        self.kept.drain(..surplus);
    }

    /// Compares with the oldest day. What is told of was there on the last kept day too: a lorry that stands
    /// for one day builds nothing.
    fn compare(&self, grid: &Grid, area: &[bool], bench: &mut DayBench) -> Vec<Proposal> {
        let (Some(today), Some((oldest, later))) = (&self.today, self.kept.split_first()) else {
            return Vec::new();
        };
        if today.day - oldest.day < DAYS_APART_MIN || later.is_empty() {
            return Vec::new();
        }
        let Some(reference) = oldest.levels.to_plane().filter(|plane| plane.len() == today.levels.len())
        else {
            return Vec::new();
        };
        let mut strength = vec![0.0_f32; grid.len()];
        bench.contrast.measure(grid, &today.plane(), &reference);
        for (tile, strength) in strength.iter_mut().enumerate().filter(|(tile, _)| area[*tile]) {
            *strength = bench.contrast.difference(tile, 0.0);
        }
        // From the last kept day backwards: since when each tile has been as changed as today.
        let mut since = vec![today.since; grid.len()];
        let mut lasts: Vec<bool> = strength.iter().map(|&strength| strength > CHANGED).collect();
        let changed_today = lasts.clone();
        for (back, view) in later.iter().rev().enumerate() {
            let Some(plane) = view.levels.to_plane().filter(|plane| plane.len() == reference.len()) else {
                break;
            };
            bench.contrast.measure(grid, &plane, &reference);
            for tile in 0..grid.len() {
                lasts[tile] = lasts[tile] && bench.contrast.difference(tile, 0.0) > CHANGED * 0.8;
                if lasts[tile] {
                    since[tile] = view.since;
                } else if back == 0 {
                    strength[tile] = 0.0;
                }
            }
        }
        let told = |tile: usize| changed_today[tile] && strength[tile] > 0.0;
        let mut proposals = Vec::new();
        bench.groups.start(grid);
        for tile in 0..grid.len() {
            if bench.groups.gather(grid, tile, told) >= TILES_MIN {
                proposals.push(proposal(grid, &bench.groups, &strength, &since));
            }
        }
        proposals
    }
}

fn proposal(grid: &Grid, groups: &Groups, strength: &[f32], since: &[Timestamp]) -> Proposal {
    let mut times: Vec<Timestamp> = groups.members.iter().map(|&tile| since[tile]).collect();
    let middle = times.len() / 2;
    let sum: f32 = groups.members.iter().map(|&tile| strength[tile]).sum();
    Proposal {
        kind: ProposalKind::Changed,
        bounds: grid.bounds(groups.extent()),
        since: *times.select_nth_unstable(middle).1,
        strength: sum / groups.members.len() as f32,
    }
}
