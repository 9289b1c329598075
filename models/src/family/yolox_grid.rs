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

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct YoloxGrid {
    name: String,
    strides: Vec<usize>,
    /// How many rows the output has.
    cells: Side,
    keep: Keep,
}

impl YoloxGrid {
    /// For an input that every stride divides.
    pub(crate) fn new(name: String, strides: Vec<usize>, input: &Input, keep: Keep) -> Self {
        let cells = match input.trim {
            Some(_) => Side::Cells(strides.clone()),
            None => {
                let of = |stride: &usize| (input.width / stride) * (input.height / stride);
                Side::Is(strides.iter().map(of).sum())
            }
        };
        Self { name, strides, cells, keep }
    }

    fn columns(&self) -> usize {
        5 + self.keep.labels.len()
    }
}

impl Decode for YoloxGrid {
    fn outputs(&self) -> Vec<Spec> {
        vec![Spec {
            keys: ["output.name", "output", "output"],
            ..numbers("output", &self.name, &[self.cells.clone(), Side::Is(self.columns())])
        }]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let mut rows = parts[0].numbers.chunks_exact(self.columns()).enumerate();
        for &stride in &self.strides {
            let [columns, lines] = fit.tensor.map(|side| side / stride);
            let stride = stride as f32;
            for (cell, (row, values)) in rows.by_ref().take(columns * lines).enumerate() {
                // No label is surer than its cell: most rows end here.
                let objectness = values[4];
                if objectness < self.keep.score_min {
                    continue;
                }
                let Some((label, sure)) = best(values[5..].iter().copied()) else { continue };
                let (column, line) = ((cell % columns) as f32, (cell / columns) as f32);
                let centre = [(values[0] + column) * stride, (values[1] + line) * stride];
                let size = [values[2].exp() * stride, values[3].exp() * stride];
                self.keep.offer((label, objectness * sure), around(centre, size), row, fit, found);
            }
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
