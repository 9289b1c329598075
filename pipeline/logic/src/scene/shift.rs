//! Whether a view shows the same place, and if not by how far it is off.
//!
//! Patches with corners, one a sector, are looked for around their place (zero-mean normalised correlation,
//! coarse then fine, a parabola through the best three for less than a pixel: Lewis, *Fast normalized
//! cross-correlation*, 1995). They vote: a lamp, a crowd or a bus spoils some of them and makes none of them
//! agree on another place. Bare ground has no corners; there the fine grain of the whole picture is laid over the
//! reference's instead, which bears no more than a small shift.

use super::grid::{COLS, Grid, SECTOR_COUNT, TILE_PX};
use super::thumb::THUMB_WIDTH;

/// Pixels across and down a patch.
const PATCH_PX: usize = 16;
const PATCH_TILES: usize = PATCH_PX / TILE_PX;
/// How far a patch is looked for, pixels of a thumb.
const SEARCH_PX: isize = 12;
/// Up to here every pixel is tried, beyond it every second.
const DENSE_PX: isize = 5;
/// Correlation from which a patch counts as found.
const FOUND: f32 = 0.65;
/// Least energy of the weaker direction of a patch that has a corner.
const CORNER_MIN: f32 = 4_000.0;
/// Two patches agree on a shift to within this, pixels.
const AGREE_PX: f32 = 1.0;

/// How far the whole picture is laid off, pixels of a thumb.
const WHOLE_PX: isize = 8;
/// Grain is what differs from the mean over so many pixels to each side…
const GRAIN_PX: usize = 4;
/// … by no more than this: no car and no kerb outweighs the ground.
const GRAIN_MAX: i32 = 8;
/// Correlation of the whole grain from which it may be the same ground, and how many times that of any other place it is.
const WHOLE_MIN: f32 = 0.06;
const WHOLE_OVER_NEXT: f32 = 3.0;

/// What the patches say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Votes {
    /// Patches that could be looked for.
    pub(super) asked: usize,
    /// Of them, found where they were.
    pub(super) in_place: usize,
    /// Of them, found together somewhere else.
    pub(super) away: usize,
    /// Where that is, pixels of a thumb to the right and down.
    pub(super) shift: [f32; 2],
    /// The mean of those that are in place, which is less than a pixel.
    pub(super) nearly: [f32; 2],
}

/// Working memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Search {
    corners: Vec<[f32; 3]>,
    found: Vec<[f32; 2]>,
    sums: Vec<u32>,
    grain: [Vec<i8>; 2],
}

impl Search {
    /// Looks for the patches of `reference` in `levels`.
    pub(super) fn votes(&mut self, grid: &Grid, levels: &[u8], reference: &[u8], hidden: &[bool]) -> Votes {
        self.find_corners(grid, reference);
        let patches = self.patches(grid, hidden);
        self.found.clear();
        let mut votes = Votes::default();
        for origin in patches.into_iter().flatten() {
            votes.asked += 1;
            if let Some(shift) = find(grid, levels, reference, origin) {
                self.found.push(shift);
            }
        }
        let near = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) <= AGREE_PX;
        // How many lie near a place, and their mean.
        let friends = |centre: [f32; 2]| {
            let near = self.found.iter().filter(|shift| near(**shift, centre));
            let (count, sum) =
                near.fold((0, [0.0, 0.0]), |(n, sum), shift| (n + 1, [sum[0] + shift[0], sum[1] + shift[1]]));
            (count, sum.map(|sum: f32| sum / count.max(1) as f32))
        };
        (votes.in_place, votes.nearly) = friends([0.0, 0.0]);
        for &centre in self.found.iter().filter(|shift| !near(**shift, [0.0, 0.0])) {
            let (count, mean) = friends(centre);
            if count > votes.away {
                (votes.away, votes.shift) = (count, mean);
            }
        }
        votes
    }

    /// How far the ground of the whole picture lies off, pixels of a thumb; `None` where it is another ground.
    pub(super) fn whole(
        &mut self,
        grid: &Grid,
        levels: &[u8],
        reference: &[u8],
        hidden: &[bool],
    ) -> Option<[f32; 2]> {
        let [here, there] = &mut self.grain;
        grain(grid, levels, hidden, &mut self.sums, here);
        grain(grid, reference, hidden, &mut self.sums, there);
        let mut scores = [[0.0_f32; 2 * WHOLE_PX as usize + 1]; 2 * WHOLE_PX as usize + 1];
        let mut best = (0.0, [0, 0]);
        for dy in -WHOLE_PX..=WHOLE_PX {
            for dx in -WHOLE_PX..=WHOLE_PX {
                let score = overlaid(grid, here, there, [dx, dy]);
                scores[(dy + WHOLE_PX) as usize][(dx + WHOLE_PX) as usize] = score;
                best_of(&mut best, score, [dx, dy]);
            }
        }
        let (peak, [x, y]) = best;
        let is_elsewhere = |at: usize, peak: isize| (at as isize - WHOLE_PX - peak).abs() > 2;
        let next = scores.iter().enumerate().flat_map(|(row, scores)| {
            scores.iter().enumerate().filter(move |&(col, _)| is_elsewhere(row, y) || is_elsewhere(col, x))
        });
        let next = next.map(|(_, &score)| score).fold(0.0, f32::max);
        if peak < WHOLE_MIN || peak < WHOLE_OVER_NEXT * next {
            return None;
        }
        let score = |dx: isize, dy: isize| {
            let line = scores.get(usize::try_from(dy + WHOLE_PX).ok()?)?;
            line.get(usize::try_from(dx + WHOLE_PX).ok()?).copied()
        };
        // At the border of what was tried the peak may lie beyond it.
        let along =
            |low: Option<f32>, high: Option<f32>| low.zip(high).map(|(low, high)| vertex(low, peak, high));
        Some([
            x as f32 + along(score(x - 1, y), score(x + 1, y))?,
            y as f32 + along(score(x, y - 1), score(x, y + 1))?,
        ])
    }

    /// The structure tensor (Σgx², Σgy², Σgxgy) of each tile.
    fn find_corners(&mut self, grid: &Grid, reference: &[u8]) {
        self.corners.clear();
        self.corners.resize(grid.len(), [0.0; 3]);
        for y in 1..grid.rows * TILE_PX - 1 {
            for x in 1..THUMB_WIDTH - 1 {
                let at = y * THUMB_WIDTH + x;
                let step = |a: usize, b: usize| f32::from(reference[b]) - f32::from(reference[a]);
                let (gx, gy) = (step(at - 1, at + 1), step(at - THUMB_WIDTH, at + THUMB_WIDTH));
                let tensor = &mut self.corners[(y / TILE_PX) * COLS + x / TILE_PX];
                *tensor = [tensor[0] + gx * gx, tensor[1] + gy * gy, tensor[2] + gx * gy];
            }
        }
    }

    /// The best patch of each sector: where the weaker eigenvalue of the tensor is greatest (Shi & Tomasi 1994).
    fn patches(&self, grid: &Grid, hidden: &[bool]) -> [Option<usize>; SECTOR_COUNT] {
        let mut best = [(CORNER_MIN, None); SECTOR_COUNT];
        let border = (SEARCH_PX as usize + 1).div_ceil(TILE_PX);
        for row in (border..(grid.rows + 1).saturating_sub(border + PATCH_TILES)).step_by(2) {
            for col in (border..=COLS - border - PATCH_TILES).step_by(2) {
                let tiles = || {
                    (row..row + PATCH_TILES).flat_map(|r| (col..col + PATCH_TILES).map(move |c| r * COLS + c))
                };
                if tiles().any(|tile| hidden[tile]) {
                    continue;
                }
                let [xx, yy, xy] = tiles().fold([0.0_f32; 3], |sum, tile| {
                    let t = self.corners[tile];
                    [sum[0] + t[0], sum[1] + t[1], sum[2] + t[2]]
                });
                let weaker = (xx + yy - ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt()) / 2.0;
                let place = &mut best[grid.sector(row * COLS + col)];
                if weaker > place.0 {
                    *place = (weaker, Some(row * TILE_PX * THUMB_WIDTH + col * TILE_PX));
                }
            }
        }
        best.map(|(_, origin)| origin)
    }
}

/// What each pixel differs by from what is around it; nothing in hidden tiles.
fn grain(grid: &Grid, levels: &[u8], hidden: &[bool], sums: &mut Vec<u32>, grain: &mut Vec<i8>) {
    let (width, height) = (THUMB_WIDTH, levels.len() / THUMB_WIDTH);
    let line = width + 1;
    sums.clear();
    sums.resize(line * (height + 1), 0);
    for y in 0..height {
        let mut sum = 0;
        for x in 0..width {
            sum += u32::from(levels[y * width + x]);
            sums[(y + 1) * line + x + 1] = sums[y * line + x + 1] + sum;
        }
    }
    grain.clear();
    grain.extend((0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| {
        let tile = (y / TILE_PX).min(grid.rows - 1) * COLS + x / TILE_PX;
        if hidden[tile] {
            return 0;
        }
        let (x0, x1) = (x.saturating_sub(GRAIN_PX), (x + GRAIN_PX + 1).min(width));
        let (y0, y1) = (y.saturating_sub(GRAIN_PX), (y + GRAIN_PX + 1).min(height));
        let sum =
            (sums[y1 * line + x1] + sums[y0 * line + x0]) - (sums[y0 * line + x1] + sums[y1 * line + x0]);
        let count = ((x1 - x0) * (y1 - y0)) as u32;
        let mean = ((sum + count / 2) / count) as i32;
        (i32::from(levels[y * width + x]) - mean).clamp(-GRAIN_MAX, GRAIN_MAX) as i8
    }));
}

/// Correlation of two grains, the one laid off by so many pixels.
fn overlaid(grid: &Grid, here: &[i8], there: &[i8], [dx, dy]: [isize; 2]) -> f32 {
    let margin = WHOLE_PX as usize;
    let columns = THUMB_WIDTH - 2 * margin;
    let (mut squares, mut others, mut product) = (0_i64, 0_i64, 0_i64);
    for y in margin..grid.height_px.saturating_sub(margin) {
        let own = &there[y * THUMB_WIDTH + margin..][..columns];
        let from = (y as isize + dy) as usize * THUMB_WIDTH + (margin as isize + dx) as usize;
        let (mut line_squares, mut line_others, mut line_product) = (0_i32, 0_i32, 0_i32);
        for (&a, &b) in own.iter().zip(&here[from..][..columns]) {
            let (a, b) = (i32::from(a), i32::from(b));
            line_squares += a * a;
            line_others += b * b;
            line_product += a * b;
        }
        squares += i64::from(line_squares);
        others += i64::from(line_others);
        product += i64::from(line_product);
    }
    product as f32 / (squares as f32 * others as f32).sqrt().max(1.0)
}

/// Where a patch is found, to less than a pixel; `None` where nothing is like it.
fn find(grid: &Grid, levels: &[u8], reference: &[u8], origin: usize) -> Option<[f32; 2]> {
    let mut patch = [[0_i32; PATCH_PX]; PATCH_PX];
    for (y, row) in patch.iter_mut().enumerate() {
        for (value, &level) in row.iter_mut().zip(&reference[origin + y * THUMB_WIDTH..]) {
            *value = i32::from(level);
        }
    }
    let mean = patch.iter().flatten().sum::<i32>() / (PATCH_PX * PATCH_PX) as i32;
    patch.iter_mut().flatten().for_each(|value| *value -= mean);
    let energy = patch.iter().flatten().map(|value| value * value).sum::<i32>() as f32;
    let score = |dx: isize, dy: isize| correlation(grid, levels, &patch, energy, origin, [dx, dy]);
    let mut best = (-1.0, [0, 0]);
    best_of(&mut best, score(0, 0), [0, 0]);
    for dy in -SEARCH_PX..=SEARCH_PX {
        for dx in -SEARCH_PX..=SEARCH_PX {
            let is_near = dx.abs().max(dy.abs()) <= DENSE_PX;
            if !is_near && (dx % 2 != 0 || dy % 2 != 0) {
                continue;
            }
            best_of(&mut best, score(dx, dy), [dx, dy]);
        }
    }
    let [cx, cy] = best.1;
    for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
        best_of(&mut best, score(cx + dx, cy + dy), [cx + dx, cy + dy]);
    }
    let (peak, [dx, dy]) = best;
    let x = dx as f32 + vertex(score(dx - 1, dy), peak, score(dx + 1, dy));
    let y = dy as f32 + vertex(score(dx, dy - 1), peak, score(dx, dy + 1));
    (peak >= FOUND).then_some([x, y])
}

/// Where the parabola through three neighbouring scores peaks, from the middle one, pixels.
fn vertex(low: f32, peak: f32, high: f32) -> f32 {
    let bend = low - 2.0 * peak + high;
    if bend < 0.0 { ((low - high) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
}

/// Lays a look that lies `shift` off (pixels to the right and down) back onto its reference, to parts of a pixel
/// (bilinear); what it does not show repeats its border.
pub(super) fn lay_back(levels: &[u8], [dx, dy]: [f32; 2], laid: &mut Vec<u8>) {
    let height = levels.len() / THUMB_WIDTH;
    // For each place along an axis: the pixel before it, the one after, and the weight of that one in 1/256.
    let taps = |count: usize, shift: f32| -> Vec<(usize, usize, u32)> {
        let last = count.saturating_sub(1);
        let place = |at: usize| (at as f32 + shift).clamp(0.0, last as f32);
        (0..count)
            .map(|at| {
                let low = place(at) as usize;
                (low, (low + 1).min(last), ((place(at) - low as f32) * 256.0) as u32)
            })
            .collect()
    };
    let columns = taps(THUMB_WIDTH, dx);
    laid.clear();
    for (above, below, down) in taps(height, dy) {
        let (above, below) = (&levels[above * THUMB_WIDTH..], &levels[below * THUMB_WIDTH..]);
        laid.extend(columns.iter().map(|&(left, right, across)| {
            let along =
                |line: &[u8]| u32::from(line[left]) * (256 - across) + u32::from(line[right]) * across;
            ((along(above) * (256 - down) + along(below) * down + 32_768) >> 16) as u8
        }));
    }
}

fn best_of(best: &mut (f32, [isize; 2]), value: f32, at: [isize; 2]) {
    if value > best.0 {
        *best = (value, at);
    }
}

fn correlation(
    grid: &Grid,
    levels: &[u8],
    patch: &[[i32; PATCH_PX]; PATCH_PX],
    energy: f32,
    origin: usize,
    [dx, dy]: [isize; 2],
) -> f32 {
    let (x, y) = ((origin % THUMB_WIDTH) as isize + dx, (origin / THUMB_WIDTH) as isize + dy);
    let limit = |side: usize| (side - PATCH_PX) as isize;
    if !(0..=limit(THUMB_WIDTH)).contains(&x) || !(0..=limit(grid.height_px)).contains(&y) {
        return -1.0;
    }
    let start = y as usize * THUMB_WIDTH + x as usize;
    let (mut sum, mut squares, mut product) = (0_i32, 0_i32, 0_i32);
    for (row, line) in patch.iter().zip(levels[start..].chunks(THUMB_WIDTH)) {
        for (&a, &b) in row.iter().zip(line) {
            let b = i32::from(b);
            sum += b;
            squares += b * b;
            product += a * b;
        }
    }
    let here = squares as f32 - (sum as f32).powi(2) / (PATCH_PX * PATCH_PX) as f32;
    // The patch has a mean of nearly nothing, so that the product needs no correction.
    product as f32 / (here * energy).max(1.0).sqrt()
}
