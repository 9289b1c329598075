//! Reading the raw grid that YOLOX puts out.
//!
//! In comes `[cells, 5 + labels] f32`: a row a cell, grid by grid in the order of the strides, each grid row
//! by row; columns x, y, w, h, objectness, labels, the last two kinds already `0..=1`. Out go candidates in
//! pixels of the tensor. As in YOLOX (`demo_postprocess`): `xy = (raw + cell) * stride`, `wh = exp(raw) * stride`,
//! `score = objectness * best label`. A cell speaks for its best label only. Nothing here suppresses overlaps.

use crate::letterbox::Fit;
use crate::manifest::{Label, Manifest};
use crate::nms::Candidate;

/// One row of the output: where its cell lies and how large it is, pixels of the tensor.
#[derive(Debug, Clone, Copy)]
struct Cell {
    column: f32,
    row: f32,
    stride: f32,
}

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub struct YoloxGrid {
    cells: Vec<Cell>,
    labels: Vec<Label>,
    score_min: f32,
    area_max: f32,
}

impl YoloxGrid {
    /// For the model of this manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let mut cells = Vec::with_capacity(manifest.cells());
        for &stride in &manifest.strides {
            let (columns, rows) = (manifest.input.width / stride, manifest.input.height / stride);
            cells.extend((0..rows * columns).map(|at| Cell {
                column: (at % columns) as f32,
                row: (at / columns) as f32,
                stride: stride as f32,
            }));
        }
        let kept = manifest.labels.iter().filter(|label| label.class.is_some());
        let score_min = kept.map(|label| label.score_min).fold(f32::INFINITY, f32::min);
        Self { cells, labels: manifest.labels.clone(), score_min, area_max: manifest.area_max }
    }

    /// Adds the boxes over their thresholds to `found`, none that would be empty in the picture or cover more
    /// of it than `area_max`. Those are left out before suppression, so that they cannot hide a true one.
    ///
    /// # Panics
    /// When `output` is not of cells times columns numbers.
    pub fn read(&self, output: &[f32], fit: Fit, found: &mut Vec<Candidate>) {
        let columns = 5 + self.labels.len();
        assert_eq!(output.len(), self.cells.len() * columns, "output of [cells, 5 + labels]");
        for (row, (values, cell)) in output.chunks_exact(columns).zip(&self.cells).enumerate() {
            // No label is surer than its cell: most rows end here.
            let objectness = values[4];
            if objectness < self.score_min {
                continue;
            }
            let Some((label, sure)) = best(&self.labels, &values[5..]) else { continue };
            let (Some(class), score) = (label.class, objectness * sure) else { continue };
            if score < label.score_min {
                continue;
            }
            let [x, y] = [(values[0] + cell.column) * cell.stride, (values[1] + cell.row) * cell.stride];
            let [w, h] = [values[2].exp() * cell.stride, values[3].exp() * cell.stride];
            let in_tensor = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
            let area = fit.image_from_tensor(in_tensor).area();
            if area > 0.0 && area <= self.area_max {
                found.push(Candidate { class, score, in_tensor, row });
            }
        }
    }
}

/// The label with the highest value, the first of equals.
fn best<'a>(labels: &'a [Label], values: &[f32]) -> Option<(&'a Label, f32)> {
    let mut best: Option<(&Label, f32)> = None;
    for (label, &value) in labels.iter().zip(values) {
        if best.is_none_or(|(_, highest)| value > highest) {
            best = Some((label, value));
        }
    }
    best
}

/// How many numbers are NaN or infinite. Looks at bits, all of them, so that it vectorises.
pub fn count_not_finite(output: &[f32]) -> usize {
    const EXPONENT: u32 = 0x7f80_0000;
    output.iter().map(|value| usize::from(value.to_bits() & EXPONENT == EXPONENT)).sum()
}

#[cfg(test)]
#[path = "yolox_tests.rs"]
mod tests;
