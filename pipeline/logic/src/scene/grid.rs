//! The tiles that a thumb is judged in: their places, and the places of boxes among them.

use calib::space::ImageBox;

use super::thumb::THUMB_WIDTH;

/// Pixels across and down a tile.
pub(super) const TILE_PX: usize = 4;
/// Tiles across.
pub(super) const COLS: usize = THUMB_WIDTH / TILE_PX;
/// Sectors across and down: larger parts of the picture that vote on the view as a whole.
const SECTORS: (usize, usize) = (8, 6);
/// How many sectors there are.
pub(super) const SECTOR_COUNT: usize = SECTORS.0 * SECTORS.1;

/// The tiles of thumbs of one height. Rows that do not fill a tile are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Grid {
    pub(super) height_px: usize,
    pub(super) rows: usize,
}

impl Grid {
    pub(super) fn of(height_px: usize) -> Self {
        Self { height_px, rows: height_px / TILE_PX }
    }

    pub(super) fn len(&self) -> usize {
        self.rows * COLS
    }

    pub(super) fn sector(&self, tile: usize) -> usize {
        let (col, row) = (tile % COLS, tile / COLS);
        (row * SECTORS.1 / self.rows) * SECTORS.0 + col * SECTORS.0 / COLS
    }

    /// Marks the tiles that a box, grown by `margin` tiles, touches.
    pub(super) fn mark(&self, bounds: &ImageBox, margin: f32, marks: &mut [bool]) {
        let span = |low: f32, high: f32, count: usize| {
            let count_f = count as f32;
            let from = (low * count_f - margin).floor().clamp(0.0, count_f) as usize;
            let to = (high * count_f + margin).ceil().clamp(0.0, count_f) as usize;
            from..to.max(from)
        };
        let cols = span(bounds.x0, bounds.x1, COLS);
        for row in span(bounds.y0, bounds.y1, self.rows) {
            marks[row * COLS..][..COLS][cols.clone()].fill(true);
        }
    }

    /// Marks the tiles at the border that a look which lies `shift` off (pixels to the right and down) does not show.
    pub(super) fn mark_beyond(&self, [x, y]: [f32; 2], marks: &mut [bool]) {
        let tiles = |by: f32| (by.abs() / TILE_PX as f32).ceil() as usize + 1;
        let (cols, rows) = (tiles(x).min(COLS), tiles(y).min(self.rows));
        for (tile, mark) in marks.iter_mut().enumerate() {
            let (col, row) = (tile % COLS, tile / COLS);
            let is_beyond = |at: usize, count: usize, by: f32, tiles: usize| {
                if by > 0.0 { at + tiles >= count } else { by < 0.0 && at < tiles }
            };
            *mark |= is_beyond(col, COLS, x, cols) || is_beyond(row, self.rows, y, rows);
        }
    }

    /// The box of a range of tiles, drawn in by what a changed pixel lights up beside its own tile.
    pub(super) fn bounds(&self, [col0, row0, col1, row1]: [usize; 4]) -> ImageBox {
        let share = |from: usize, to: usize, count: usize| {
            let drawn_in = if to - from >= 4 { 1.0 } else { 0.5 };
            let low = if from == 0 { 0.0 } else { from as f32 + drawn_in };
            let high = if to == count { count as f32 } else { to as f32 - drawn_in };
            (low / count as f32, high / count as f32)
        };
        let (x0, x1) = share(col0, col1 + 1, COLS);
        let (y0, y1) = share(row0, row1 + 1, self.rows);
        ImageBox { x0, y0, x1, y1 }
    }

    /// Pixels of a tile, as offsets into the plane, row by row.
    pub(super) fn pixels(tile: usize) -> impl Iterator<Item = usize> {
        let start = (tile / COLS) * TILE_PX * THUMB_WIDTH + (tile % COLS) * TILE_PX;
        (0..TILE_PX).flat_map(move |y| (0..TILE_PX).map(move |x| start + y * THUMB_WIDTH + x))
    }

    /// A tile's neighbours within `reach` tiles on either axis, itself among them.
    pub(super) fn around(&self, tile: usize, reach: usize) -> impl Iterator<Item = usize> + use<> {
        let (col, row) = (tile % COLS, tile / COLS);
        let cols = col.saturating_sub(reach)..(col + reach + 1).min(COLS);
        (row.saturating_sub(reach)..(row + reach + 1).min(self.rows))
            .flat_map(move |row| cols.clone().map(move |col| row * COLS + col))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_marks_the_tiles_that_it_touches() {
        let grid = Grid::of(180);
        let mut marks = vec![false; grid.len()];
        grid.mark(&ImageBox::from([0.5, 0.5, 0.51, 0.51]), 0.0, &mut marks);
        assert_eq!(marks.iter().filter(|&&mark| mark).count(), 1);
        grid.mark(&ImageBox::from([-0.5, 0.9, 2.0, 7.0]), 1.0, &mut marks);
        assert!(marks[grid.len() - 1] && !marks[0]);
    }

    #[test]
    fn every_tile_has_a_sector_and_its_own_pixels() {
        for height in [90, 180, 240, 320] {
            let grid = Grid::of(height);
            let mut seen = vec![false; THUMB_WIDTH * height];
            for tile in 0..grid.len() {
                assert!(grid.sector(tile) < SECTOR_COUNT);
                for pixel in Grid::pixels(tile) {
                    assert!(!std::mem::replace(&mut seen[pixel], true));
                }
            }
        }
    }
}
