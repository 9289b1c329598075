//! Changed tiles that belong together: what is told of, what is light, what came and what went.
//!
//! In: a background's tiles after a look, and the look. Out: [`Proposal`]s. A region that is the border between
//! a part whose brightness changed and one where it did not is the edge of a shadow or of a lamp's cone: it is
//! taken into the background, not told of.

use calib::time::Timestamp;

use super::background::{Background, Seen};
use super::contrast::quantile;
use super::grid::{COLS, Grid, SECTOR_COUNT, TILE_PX};
use super::groups::Groups;
use super::thumb::THUMB_WIDTH;
use super::{Proposal, ProposalKind};

/// Proposals of one look at most, the strongest kept.
pub const PROPOSALS_MAX: usize = 16;
/// Least tiles of a region: a thing of one tile lights up five.
const TILES_MIN: usize = 5;
/// A brightness that changed, levels (about 12 %).
const RELIT: f32 = 12.0;
/// How far around a region its surroundings are asked, tiles.
const RING: usize = 3;
/// Part of a region's surroundings that is relit where the region is an edge of light.
const EDGE_OF_LIGHT: std::ops::Range<f32> = 0.12..0.95;
/// How fast an edge of light becomes background, milliseconds.
const LIGHT_MS: f32 = 60_000.0;
/// A pixel that differs from the background, levels.
const PIXEL_CHANGED: i32 = 14;
/// Votes a tile after which the kind of a region stands.
const VOTES_ENOUGH: i32 = 5;

/// Working memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Regions {
    groups: Groups,
    values: Vec<f32>,
    times: Vec<i64>,
}

impl Regions {
    /// The regions that stand, without judging them anew: for a look that shows nothing clearly.
    pub(super) fn standing(
        &mut self,
        grid: &Grid,
        background: &Background,
        at: Timestamp,
        still_ms: i64,
    ) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        self.groups.start(grid);
        for tile in 0..grid.len() {
            if self.gather(grid, background, (at, still_ms), tile) && self.is_told(background) {
                proposals.push(self.proposal(grid, background));
            }
        }
        strongest(proposals)
    }

    /// Judges the regions of a clear look.
    pub(super) fn judge(
        &mut self,
        grid: &Grid,
        background: &mut Background,
        seen: &Seen<'_>,
        still_ms: i64,
    ) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut offset = None;
        self.groups.start(grid);
        for tile in 0..grid.len() {
            if !self.gather(grid, background, (seen.at, still_ms), tile) {
                continue;
            }
            let offset = *offset.get_or_insert_with(|| self.light_offset(grid, background, seen));
            let is_told = self.is_told(background);
            if self.is_edge_of_light(grid, background, seen, offset) {
                // Light that falls beside a thing does not take it back, and a shadow that wanders leaves behind
                // what it was once taken for.
                if seen.teaches {
                    self.take_for_light(background, seen);
                }
                if !is_told {
                    continue;
                }
            } else {
                self.vote(background, seen, offset);
                for &member in &self.groups.members {
                    background.tiles[member].is_told = true;
                }
            }
            proposals.push(self.proposal(grid, background));
        }
        strongest(proposals)
    }

    /// Gathers the region that a tile belongs to; false where there is none, or none of size.
    fn gather(
        &mut self,
        grid: &Grid,
        background: &Background,
        (at, still_ms): (Timestamp, i64),
        tile: usize,
    ) -> bool {
        self.groups.gather(grid, tile, |tile| background.tiles[tile].stands(at, still_ms)) >= TILES_MIN
    }

    fn is_told(&self, background: &Background) -> bool {
        let told = self.groups.members.iter().filter(|&&tile| background.tiles[tile].is_told).count();
        told * 2 >= self.groups.members.len()
    }

    fn proposal(&mut self, grid: &Grid, background: &Background) -> Proposal {
        self.times.clear();
        self.times.extend(self.groups.members.iter().map(|&tile| background.tiles[tile].since.as_millis()));
        let early = self.times.len() / 4;
        let since = Timestamp::from_millis(*self.times.select_nth_unstable(early).1);
        let votes: i32 = self.groups.members.iter().map(|&tile| i32::from(background.tiles[tile].vote)).sum();
        let sum: f32 = self.groups.members.iter().map(|&tile| background.tiles[tile].difference).sum();
        Proposal {
            kind: if votes < 0 { ProposalKind::Removed } else { ProposalKind::Appeared },
            bounds: grid.bounds(self.groups.extent()),
            since,
            strength: sum / self.groups.members.len() as f32,
        }
    }

    /// How much brighter the whole view is than its background, levels.
    fn light_offset(&mut self, grid: &Grid, background: &Background, seen: &Seen<'_>) -> f32 {
        self.values.clear();
        let tiles = (0..grid.len()).step_by(7).filter(|&tile| !seen.marks.hidden[tile]);
        self.values.extend(tiles.map(|tile| brighter_by(background, seen.levels, tile)));
        quantile(&mut self.values, 0.5)
    }

    /// Whether part of what surrounds the region changed its brightness and part did not.
    fn is_edge_of_light(&self, grid: &Grid, background: &Background, seen: &Seen<'_>, offset: f32) -> bool {
        let (mut relit, mut all) = (0.0_f32, 0.0_f32);
        let mut ask = |tile: usize| {
            let memory = &background.tiles[tile];
            if seen.marks.hidden[tile] || !memory.is_known() || memory.evidence > 0 {
                return;
            }
            all += 1.0;
            if (brighter_by(background, seen.levels, tile) - offset).abs() > RELIT {
                relit += 1.0;
            }
        };
        let [x0, y0, x1, y1] = self.groups.extent();
        for row in y0..=y1 {
            let cols =
                self.groups.members.iter().filter(|&&tile| tile / COLS == row).map(|&tile| tile % COLS);
            let Some((low, high)) = span(cols) else { continue };
            if low >= RING {
                ask(row * COLS + low - RING);
            }
            if high + RING < COLS {
                ask(row * COLS + high + RING);
            }
        }
        for col in x0..=x1 {
            let rows =
                self.groups.members.iter().filter(|&&tile| tile % COLS == col).map(|&tile| tile / COLS);
            let Some((low, high)) = span(rows) else { continue };
            if low >= RING {
                ask((low - RING) * COLS + col);
            }
            if high + RING < grid.rows {
                ask((high + RING) * COLS + col);
            }
        }
        all >= 4.0 && EDGE_OF_LIGHT.contains(&(relit / all))
    }

    fn take_for_light(&self, background: &mut Background, seen: &Seen<'_>) {
        let share = 1.0 - (-(seen.gap_ms.max(1) as f32) / LIGHT_MS).exp();
        for &tile in &self.groups.members {
            if !seen.marks.hidden[tile] && !seen.marks.held[tile] && !background.tiles[tile].is_told {
                background.follow(tile, seen.levels, share);
            }
        }
    }

    /// Votes whether the region came or went: a thing has its outline in the picture in which it stands
    /// (edge energy along the contour, as in Evangelio & Sikora, *Static object detection based on a dual
    /// background model*, AVSS 2011).
    fn vote(&self, background: &mut Background, seen: &Seen<'_>, offset: f32) {
        let votes: i32 = self.groups.members.iter().map(|&tile| i32::from(background.tiles[tile].vote)).sum();
        if votes.abs() >= VOTES_ENOUGH * self.groups.members.len() as i32 {
            return;
        }
        let (mut now, mut then) = (1.0_f32, 1.0_f32);
        for &tile in self.groups.members.iter().filter(|&&tile| !seen.marks.hidden[tile]) {
            let (n, t) = outline(background, seen.levels, tile, offset as i32);
            (now, then) = (now + n, then + t);
        }
        let vote = (4.0 * (now / then).ln()).round().clamp(-3.0, 3.0) as i8;
        for &tile in &self.groups.members {
            let memory = &mut background.tiles[tile];
            memory.vote = memory.vote.saturating_add(vote);
        }
    }
}

fn span(values: impl Iterator<Item = usize>) -> Option<(usize, usize)> {
    values.fold(None, |span, value| {
        Some(span.map_or((value, value), |(low, high): (usize, usize)| (low.min(value), high.max(value))))
    })
}

fn brighter_by(background: &Background, levels: &[u8], tile: usize) -> f32 {
    let sum: i32 =
        Grid::pixels(tile).map(|pixel| i32::from(levels[pixel]) - i32::from(background.level[pixel])).sum();
    sum as f32 / (TILE_PX * TILE_PX) as f32
}

/// Steps across the border of the changed pixels within a tile, in the look and in its background.
fn outline(background: &Background, levels: &[u8], tile: usize, offset: i32) -> (f32, f32) {
    let level = |plane: &[u8], pixel: usize| i32::from(plane[pixel]);
    let changed = |pixel: usize| {
        (level(levels, pixel) - level(&background.level, pixel) - offset).abs() > PIXEL_CHANGED
    };
    let (mut now, mut then) = (0, 0);
    for pixel in Grid::pixels(tile) {
        for next in [pixel + 1, pixel + THUMB_WIDTH] {
            if next < levels.len() && changed(pixel) != changed(next) {
                now += (level(levels, pixel) - level(levels, next)).abs();
                then += (level(&background.level, pixel) - level(&background.level, next)).abs();
            }
        }
    }
    (now as f32, then as f32)
}

fn strongest(mut proposals: Vec<Proposal>) -> Vec<Proposal> {
    proposals.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    proposals.truncate(PROPOSALS_MAX);
    proposals
}

/// Whether so much became different at once, and over so much of the picture, that it is light or the camera's
/// own exposure and no thing; if so, takes it for normal.
pub(super) fn take_relight(grid: &Grid, background: &mut Background, seen: &Seen<'_>) -> bool {
    let recent_ms = (2 * seen.gap_ms).clamp(20_000, 120_000);
    let fresh = |background: &Background, tile: usize| {
        let memory = &background.tiles[tile];
        memory.evidence > 0 && !memory.is_told && seen.at.millis_since(memory.since) <= recent_ms
    };
    let (mut fresh_count, mut sector_fresh) = (0_usize, [0_usize; SECTOR_COUNT]);
    let mut sector_size = [0_usize; SECTOR_COUNT];
    for tile in 0..grid.len() {
        let sector = grid.sector(tile);
        sector_size[sector] += 1;
        if fresh(background, tile) {
            fresh_count += 1;
            sector_fresh[sector] += 1;
        }
    }
    let touched = sector_fresh.iter().zip(sector_size).filter(|(fresh, size)| **fresh * 12 > *size).count();
    let is_wide =
        fresh_count * 4 > grid.len() || (fresh_count * 12 > grid.len() && touched * 5 > 2 * SECTOR_COUNT);
    if !is_wide {
        return false;
    }
    for tile in 0..grid.len() {
        if fresh(background, tile) && !seen.marks.held[tile] && !seen.marks.hidden[tile] {
            background.tiles[tile].settle();
            background.replace(tile, seen.levels);
        }
    }
    true
}
