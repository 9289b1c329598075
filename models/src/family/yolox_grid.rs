//! The raw grid that YOLOX puts out.
//!
//! In comes `[cells, 5 + labels]`: a row a cell, grid by grid in the order of the strides, each grid row
//! by row; columns x, y, w, h, objectness, labels, the last two kinds already `0..=1`. Out go candidates in
//! pixels of the tensor. As in YOLOX (`demo_postprocess`): `xy = (raw + cell) * stride`, `wh = exp(raw) * stride`,
//! `score = objectness * best label`. A cell speaks for its best label only.

use super::{Decode, Keep, Part, around, best, numbers, range};
use crate::letterbox::Fit;
use crate::manifest::Input;
use crate::nms::Candidate;
use crate::session::{Side, Spec};

/// One row of the output: where its cell lies and how large it is, pixels of the tensor.
#[derive(Debug, Clone, Copy)]
struct Cell {
    column: f32,
    row: f32,
    stride: f32,
}

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct YoloxGrid {
    name: String,
    cells: Vec<Cell>,
    keep: Keep,
}

impl YoloxGrid {
    /// For an input that every stride divides.
    pub(crate) fn new(name: String, strides: &[usize], input: &Input, keep: Keep) -> Self {
        let mut cells = Vec::new();
        for &stride in strides {
            let (columns, rows) = (input.width / stride, input.height / stride);
            cells.extend((0..rows * columns).map(|at| Cell {
                column: (at % columns) as f32,
                row: (at / columns) as f32,
                stride: stride as f32,
            }));
        }
        Self { name, cells, keep }
    }

    fn columns(&self) -> usize {
        5 + self.keep.labels.len()
    }
}

impl Decode for YoloxGrid {
    fn outputs(&self) -> Vec<Spec> {
        vec![Spec {
            keys: ["output.name", "output", "output"],
            ..numbers("output", &self.name, &[Side::Is(self.cells.len()), Side::Is(self.columns())])
        }]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let rows = parts[0].numbers.chunks_exact(self.columns());
        for (row, (values, cell)) in rows.zip(&self.cells).enumerate() {
            // No label is surer than its cell: most rows end here.
            let objectness = values[4];
            if objectness < self.keep.score_min {
                continue;
            }
            let Some((label, sure)) = best(values[5..].iter().copied()) else { continue };
            let centre = [(values[0] + cell.column) * cell.stride, (values[1] + cell.row) * cell.stride];
            let size = [values[2].exp() * cell.stride, values[3].exp() * cell.stride];
            self.keep.offer((label, objectness * sure), around(centre, size), row, fit, found);
        }
        0
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        range(parts[0].numbers.chunks_exact(self.columns()).flat_map(|row| &row[4..]))
    }
}

#[cfg(test)]
#[path = "yolox_grid_tests.rs"]
mod tests;
