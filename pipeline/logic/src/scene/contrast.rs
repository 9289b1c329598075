//! How far two planes of levels differ in each tile, whatever the light.
//!
//! Compared are gradients: light that changes evenly or softly leaves them as they are (see
//! [`tone`](super::tone)). Per tile, over a window of about 8 × 8 pixels, `here` and `there` are the energies of
//! the two gradient fields and `apart` that of their difference; `apart / (here + there)` is 0 for the same
//! texture and 1 for unrelated ones (it is one minus Dice's coefficient of the two fields).

use super::grid::{COLS, Grid, TILE_PX};
use super::thumb::THUMB_WIDTH;

/// Energy of the faintest edge that counts: one through the whole window, about 9 % of contrast. What is
/// fainter than this is drowned by it.
pub(super) const FAINT: f32 = 1100.0;

/// Gradient energies of two planes, a value a tile.
#[derive(Debug, Default, Clone)]
pub(super) struct Contrast {
    pub(super) here: Vec<f32>,
    pub(super) there: Vec<f32>,
    pub(super) apart: Vec<f32>,
    rows: [Vec<i32>; 3],
    smooth: Vec<f32>,
}

impl Contrast {
    /// Measures both planes, `[height, THUMB_WIDTH] u8` levels.
    pub(super) fn measure(&mut self, grid: &Grid, here: &[u8], there: &[u8]) {
        for row in &mut self.rows {
            row.clear();
            row.resize(THUMB_WIDTH, 0);
        }
        for plane in [&mut self.here, &mut self.there, &mut self.apart] {
            plane.clear();
        }
        for tile_row in 0..grid.rows {
            self.rows.iter_mut().for_each(|row| row.fill(0));
            for y in tile_row * TILE_PX..(tile_row + 1) * TILE_PX {
                if y > 0 && y + 1 < grid.height_px {
                    self.add_row(here, there, y);
                }
            }
            for (plane, row) in [&mut self.here, &mut self.there, &mut self.apart].into_iter().zip(&self.rows)
            {
                plane.extend(row.chunks_exact(TILE_PX).map(|tile| tile.iter().sum::<i32>() as f32));
            }
        }
        for plane in [&mut self.here, &mut self.there, &mut self.apart] {
            smooth(grid, plane, &mut self.smooth);
        }
    }

    fn add_row(&mut self, here: &[u8], there: &[u8], y: usize) {
        let lines = |plane: &'_ [u8]| {
            let at = y * THUMB_WIDTH;
            let (above, below) = (at - THUMB_WIDTH, at + THUMB_WIDTH);
            // A fixed length lets the compiler drop the bounds checks and use vector instructions.
            let line = |from: usize| <[u8; THUMB_WIDTH]>::try_from(&plane[from..from + THUMB_WIDTH]);
            [line(above), line(at), line(below)].map(|line| line.unwrap_or([0; THUMB_WIDTH]))
        };
        let ([ha, hm, hb], [ta, tm, tb]) = (lines(here), lines(there));
        let [sum_here, sum_there, sum_apart] = &mut self.rows;
        let inner = 1..THUMB_WIDTH - 1;
        let sums =
            sum_here[inner.clone()].iter_mut().zip(&mut sum_there[inner.clone()]).zip(&mut sum_apart[inner]);
        for (i, ((sum_here, sum_there), sum_apart)) in sums.enumerate() {
            let x = i + 1;
            let step = |a: u8, b: u8| i16::from(b) - i16::from(a);
            let (hx, hy) = (step(hm[x - 1], hm[x + 1]), step(ha[x], hb[x]));
            let (tx, ty) = (step(tm[x - 1], tm[x + 1]), step(ta[x], tb[x]));
            let energy = |gx: i16, gy: i16| i32::from(gx) * i32::from(gx) + i32::from(gy) * i32::from(gy);
            *sum_here += energy(hx, hy);
            *sum_there += energy(tx, ty);
            *sum_apart += energy(hx - tx, hy - ty);
        }
    }

    /// How far the tile differs, 0..=1; `noise` is the energy of the difference that noise alone makes.
    pub(super) fn difference(&self, tile: usize, noise: f32) -> f32 {
        let apart = (self.apart[tile] - noise).max(0.0);
        (apart / (self.here[tile] + self.there[tile] + FAINT)).min(1.0)
    }

    /// What the two fields share: their inner product.
    pub(super) fn shared(&self, tile: usize) -> f32 {
        (self.here[tile] + self.there[tile] - self.apart[tile]) / 2.0
    }

    /// Whether the tile shows the same texture, be it paler: by difference, or by normalised correlation.
    pub(super) fn agrees(&self, tile: usize, noise: f32) -> bool {
        let shared = self.shared(tile);
        self.difference(tile, noise) < 0.6 || shared > 0.5 * (self.here[tile] * self.there[tile]).sqrt()
    }
}

/// Each tile with its neighbours, weighed 1-2-1 on both axes; the sum of the weights is four tiles of 16 pixels.
fn smooth(grid: &Grid, plane: &mut Vec<f32>, scratch: &mut Vec<f32>) {
    scratch.clear();
    for row in plane.chunks_exact(COLS) {
        scratch.push(row[0] * 3.0 + row[1]);
        scratch.extend(row.windows(3).map(|w| w[0] + 2.0 * w[1] + w[2]));
        scratch.push(row[COLS - 1] * 3.0 + row[COLS - 2]);
    }
    for row in 0..grid.rows {
        let above = row.saturating_sub(1) * COLS;
        let below = (row + 1).min(grid.rows - 1) * COLS;
        for col in 0..COLS {
            plane[row * COLS + col] =
                (scratch[above + col] + 2.0 * scratch[row * COLS + col] + scratch[below + col]) / 4.0;
        }
    }
}

/// The value below which `share` of them lie; 0 where there are none. The values end in another order.
pub(super) fn quantile(values: &mut [f32], share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tone::levels_from_luma;

    fn texture(x: usize, y: usize) -> f32 {
        90.0 + 40.0 * ((x as f32) * 0.7).sin() * ((y as f32) * 0.5).cos()
    }

    fn differences(light: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let grid = Grid::of(180);
        let plane = |scale: &dyn Fn(usize, usize) -> f32| {
            let luma: Vec<u8> = (0..320 * 180)
                .map(|at| (texture(at % 320, at / 320) * scale(at % 320, at / 320)).clamp(0.0, 255.0) as u8)
                .collect();
            let mut levels = Vec::new();
            levels_from_luma(&luma, &mut levels);
            levels
        };
        let mut contrast = Contrast::default();
        contrast.measure(&grid, &plane(&|_, _| 1.0), &plane(&light));
        (0..grid.len()).map(|tile| contrast.difference(tile, 0.0)).collect()
    }

    #[test]
    fn half_the_light_or_a_soft_lamp_is_no_difference() {
        assert!(differences(|_, _| 0.5).iter().all(|&d| d < 0.15));
        let lamp = |x: usize, y: usize| {
            let off = (x as f32 - 100.0).hypot(y as f32 - 60.0) / 80.0;
            1.0 + 0.8 * (-off * off).exp()
        };
        assert!(differences(lamp).iter().all(|&d| d < 0.2));
    }

    #[test]
    fn another_texture_is_a_difference() {
        let mut other = differences(|x, y| texture(x * 3 + 1, y + 40) / texture(x, y));
        assert!(quantile(&mut other, 0.1) > 0.6);
    }
}
