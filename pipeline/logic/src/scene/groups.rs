//! Tiles that belong together.

use super::grid::{COLS, Grid};

/// Tiles this near belong together.
pub(super) const REACH: usize = 2;

/// Working memory of a flood fill; `members` is the group that was gathered last.
#[derive(Debug, Default, Clone)]
pub(super) struct Groups {
    is_taken: Vec<bool>,
    pub(super) members: Vec<usize>,
}

impl Groups {
    pub(super) fn start(&mut self, grid: &Grid) {
        self.is_taken.clear();
        self.is_taken.resize(grid.len(), false);
    }

    /// Gathers the group of a tile, unless it was gathered before; says how many members it has.
    pub(super) fn gather(&mut self, grid: &Grid, tile: usize, belongs: impl Fn(usize) -> bool) -> usize {
        self.members.clear();
        if self.is_taken[tile] || !belongs(tile) {
            return 0;
        }
        self.members.push(tile);
        self.is_taken[tile] = true;
        let mut next = 0;
        while let Some(&member) = self.members.get(next) {
            next += 1;
            for near in grid.around(member, REACH) {
                if !self.is_taken[near] && belongs(near) {
                    self.is_taken[near] = true;
                    self.members.push(near);
                }
            }
        }
        self.members.len()
    }

    /// Left, top, right and bottom tile of the group.
    pub(super) fn extent(&self) -> [usize; 4] {
        self.members.iter().fold([usize::MAX, usize::MAX, 0, 0], |[x0, y0, x1, y1], &tile| {
            let (col, row) = (tile % COLS, tile / COLS);
            [x0.min(col), y0.min(row), x1.max(col), y1.max(row)]
        })
    }
}
