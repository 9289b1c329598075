//! How a look compares with the reference of a view: is it there, is it as sharp, is it veiled.
//!
//! In: the tile energies of a comparison. Out: a [`Likeness`]. Sectors vote, so that a bus that fills half of
//! the picture spoils its half only.

use super::background::{Background, Bench};
use super::contrast::{FAINT, quantile};
use super::fault::{IN_PLACE_SURE, Likeness, OUT_OF_PLACE_MAX};
use super::grid::{COLS, Grid, SECTOR_COUNT};
use super::limits::Limits;
use super::shift::{Search, Votes};
use super::thumb::THUMB_WIDTH;

/// Sectors with texture that must be seen before a view can be judged.
const SECTORS_MIN: usize = 4;
/// A sector has texture where its edges' energy is this many times the faintest's.
const SECTOR_TEXTURE: f32 = 12.0;
/// Noise this many times what it normally is comes from streaks.
const STREAKED: f32 = 4.0;
/// Noise energy below which nothing counts as streaks.
const STREAKED_MIN: f32 = 600.0;
/// Part of the patches that says that a view is in place, whatever the others say.
const PATCHES_IN_PLACE: f32 = 0.25;

/// Rank of the sector that speaks for focus, which nothing in a blurred view escapes, and of the one that speaks
/// for mist, through which the nearest things still show.
const SHARPEST: f32 = 0.85;
const TYPICAL: f32 = 0.65;

/// Working memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Judge {
    search: Search,
    here: Vec<f32>,
    there: Vec<f32>,
    gains: Vec<f32>,
}

/// One sector's sums.
#[derive(Debug, Clone, Copy, Default)]
struct Sector {
    texture: f32,
    agreeing: f32,
    energy: f32,
    shared: f32,
    coarse_texture: f32,
    coarse_shared: f32,
}

impl Judge {
    /// Judges a look that was compared with the background.
    pub(super) fn judge(
        &mut self,
        (grid, levels, background, hidden): (&Grid, &[u8], &Background, &[bool]),
        (bench, normal_noise): (&Bench, f32),
        limits: &Limits,
        asks: Option<bool>,
    ) -> (Likeness, Option<Votes>) {
        let mut sectors = [Sector::default(); SECTOR_COUNT];
        for tile in 0..grid.len() {
            let texture = bench.normal.there[tile];
            let is_changed_for_long = background.tiles[tile].is_told;
            if hidden[tile]
                || background.tiles[tile].learnt == 0
                || texture < 2.0 * FAINT
                || is_changed_for_long
            {
                continue;
            }
            let sector = &mut sectors[grid.sector(tile)];
            // No single bright edge outweighs the rest of its sector.
            let weight = (8.0 * FAINT / texture).min(1.0);
            sector.texture += texture * weight;
            sector.energy += bench.normal.here[tile] * weight;
            sector.shared += bench.normal.shared(tile) * weight;
            if bench.normal.agrees(tile, bench.noise) {
                sector.agreeing += texture * weight;
            }
        }
        self.add_coarse(grid, levels, &background.level, hidden, &mut sectors);
        let textured = || sectors.iter().filter(|sector| sector.texture > SECTOR_TEXTURE * FAINT);
        let count = textured().count();
        let in_place = (count >= SECTORS_MIN)
            .then(|| textured().filter(|s| s.agreeing > 0.5 * s.texture).count() as f32 / count as f32);
        let sum = |part: fn(&Sector) -> f32| textured().map(part).sum::<f32>();
        let mut gain = |part: fn(&Sector) -> f32, share: f32| {
            if count == 0 {
                return 1.0;
            }
            self.gains.clear();
            self.gains.extend(textured().map(part));
            quantile(&mut self.gains, share)
        };
        let mut likeness = Likeness {
            in_place,
            energy: sum(|s| s.energy) / sum(|s| s.texture).max(1.0),
            fine: gain(|s| s.shared / s.texture, SHARPEST),
            coarse: gain(|s| s.coarse_shared / s.coarse_texture.max(1.0), SHARPEST),
            contrast: gain(|s| s.coarse_shared / s.coarse_texture.max(1.0), TYPICAL),
            is_away: false,
            off_by: None,
            is_streaked: is_streaked(bench, normal_noise),
        };
        let mut votes = None;
        if let Some(sways) = asks
            && in_place.is_some_and(|share| share < IN_PLACE_SURE)
        {
            let cast = self.search.votes(grid, levels, &background.level, hidden);
            let agrees = agrees_elsewhere(cast, limits);
            likeness.is_away = agrees || is_lost(&likeness, cast);
            likeness.off_by = if agrees {
                Some(cast.shift)
            } else if !likeness.is_away && cast.in_place >= SECTORS_MIN {
                Some(cast.nearly)
            } else if likeness.is_away || sways {
                self.search.whole(grid, levels, &background.level, hidden)
            } else {
                None
            };
            votes = Some(cast);
        }
        (likeness, votes)
    }

    /// Sums the edges that are left when each tile is one pixel.
    fn add_coarse(
        &mut self,
        grid: &Grid,
        levels: &[u8],
        reference: &[u8],
        hidden: &[bool],
        sectors: &mut [Sector; SECTOR_COUNT],
    ) {
        means(grid, levels, &mut self.here);
        means(grid, reference, &mut self.there);
        for row in 1..grid.rows.saturating_sub(1) {
            for tile in row * COLS + 1..(row + 1) * COLS - 1 {
                let corners = [tile - 1, tile + 1, tile - COLS, tile + COLS];
                if hidden[tile] || corners.iter().any(|&corner| hidden[corner]) {
                    continue;
                }
                let step = |plane: &[f32]| {
                    [plane[corners[1]] - plane[corners[0]], plane[corners[3]] - plane[corners[2]]]
                };
                let (here, there) = (step(&self.here), step(&self.there));
                let energy = there[0] * there[0] + there[1] * there[1];
                if energy > 64.0 {
                    let sector = &mut sectors[grid.sector(tile)];
                    let weight = (400.0 / energy).min(1.0);
                    sector.coarse_texture += energy * weight;
                    sector.coarse_shared += (here[0] * there[0] + here[1] * there[1]) * weight;
                }
            }
        }
    }
}

/// Whether noise is far over what it normally is. Without a look before this one, as after a start, or without a
/// normal to compare with, nothing is.
fn is_streaked(bench: &Bench, normal_noise: f32) -> bool {
    let seen = bench.noise_seen.filter(|_| normal_noise > 0.0);
    seen.is_some_and(|seen| seen > STREAKED_MIN && seen > STREAKED * normal_noise)
}

/// Whether so few patches are in place that they may speak against it.
fn may_be_away(votes: Votes) -> bool {
    votes.asked >= SECTORS_MIN && (votes.in_place as f32) < PATCHES_IN_PLACE * votes.asked as f32
}

/// A view is elsewhere where its patches agree on another place…
fn agrees_elsewhere(votes: Votes, limits: &Limits) -> bool {
    let [asked, in_place, away] = [votes.asked, votes.in_place, votes.away].map(|count| count as f32);
    let is_far = votes.shift[0].hypot(votes.shift[1]) >= limits.moved_px;
    may_be_away(votes) && is_far && votes.away >= 4 && away >= 0.12 * asked && away > 2.0 * in_place
}

/// … or where hardly any is found although the picture has edges.
fn is_lost(likeness: &Likeness, votes: Votes) -> bool {
    let is_out = likeness.in_place.is_some_and(|share| share < OUT_OF_PLACE_MAX);
    may_be_away(votes)
        && is_out
        && (votes.in_place as f32) < 0.12 * votes.asked as f32
        && likeness.energy > 0.3
}

fn means(grid: &Grid, plane: &[u8], means: &mut Vec<f32>) {
    means.clear();
    for lines in plane.chunks_exact(THUMB_WIDTH * super::grid::TILE_PX).take(grid.rows) {
        means.extend((0..COLS).map(|col| {
            let at = col * super::grid::TILE_PX;
            let sum: u32 = (0..super::grid::TILE_PX)
                .flat_map(|y| &lines[y * THUMB_WIDTH + at..][..super::grid::TILE_PX])
                .map(|&level| u32::from(level))
                .sum();
            sum as f32 / 16.0
        }));
    }
}
