//! How a background is kept on disk: planes packed, changed tiles as a list.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::background::{Background, Tile};
use super::grid::{COLS, Grid};
use super::packed::Packed;
use super::thumb::THUMB_WIDTH;

/// Levels lost at most when a background is kept: less than noise.
const LEVEL_STEP: u8 = 3;
/// Of restlessness, in 255ths.
const RESTLESS_STEP: u8 = 8;

/// A background as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    level: Packed,
    learnt: Packed,
    rough: Packed,
    spread: Packed,
    changed: Vec<Changed>,
    looks: u32,
    learnt_at: Option<Timestamp>,
}

/// A changed tile: place, evidence, vote, told, difference in 255ths, since when, watched how long.
type Changed = (usize, u8, i8, bool, u8, Timestamp, i64);

impl From<Background> for Kept {
    fn from(background: Background) -> Self {
        let tiles = &background.tiles;
        let plane = |step: u8, value: fn(&Tile) -> u8| {
            Packed::from_plane(&tiles.iter().map(value).collect::<Vec<_>>(), COLS, step)
        };
        let changed = tiles.iter().enumerate().filter(|(_, tile)| tile.evidence > 0).map(|(i, t)| {
            (i, t.evidence, t.vote, t.is_told, byte_from_share(t.difference), t.since, t.stood_ms)
        });
        Self {
            level: Packed::from_plane(&background.level, THUMB_WIDTH, LEVEL_STEP),
            learnt: plane(1, |tile| tile.learnt),
            rough: plane(RESTLESS_STEP, |tile| byte_from_share(tile.rough)),
            spread: plane(RESTLESS_STEP, |tile| byte_from_share(tile.spread)),
            changed: changed.collect(),
            looks: background.looks,
            learnt_at: background.learnt_at,
        }
    }
}

/// Why what was kept is no background.
#[derive(Debug, thiserror::Error)]
#[error("the kept background is broken: {0}")]
pub(super) struct Broken(&'static str);

impl TryFrom<Kept> for Background {
    type Error = Broken;

    fn try_from(kept: Kept) -> Result<Self, Broken> {
        let plane = |packed: &Packed| packed.to_plane().ok_or(Broken("a plane does not unpack"));
        let level = plane(&kept.level)?;
        let (learnt, rough, spread) = (plane(&kept.learnt)?, plane(&kept.rough)?, plane(&kept.spread)?);
        let len = Grid::of(level.len() / THUMB_WIDTH).len();
        if [learnt.len(), rough.len(), spread.len()] != [len; 3] {
            return Err(Broken("planes of different sizes"));
        }
        let mut tiles: Vec<Tile> = learnt.iter().map(|&learnt| Tile { learnt, ..Tile::default() }).collect();
        for ((tile, &rough), &spread) in tiles.iter_mut().zip(&rough).zip(&spread) {
            // The middle of a step would make a calm tile restless.
            (tile.rough, tile.spread) = (share_from_byte(rough), share_from_byte(spread));
        }
        for (at, evidence, vote, is_told, difference, since, stood_ms) in kept.changed {
            let tile = tiles.get_mut(at).ok_or(Broken("a changed tile outside the picture"))?;
            let difference = f32::from(difference) / 255.0;
            *tile = Tile { evidence, vote, is_told, difference, since, stood_ms, ..*tile };
        }
        let fraction = vec![128; level.len()];
        Ok(Self { level, fraction, recent: Vec::new(), tiles, looks: kept.looks, learnt_at: kept.learnt_at })
    }
}

fn byte_from_share(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0) as u8
}

fn share_from_byte(byte: u8) -> f32 {
    f32::from(byte - byte % RESTLESS_STEP) / 255.0
}
