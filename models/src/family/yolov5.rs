//! Decoded rows with an objectness: YOLOv5, YOLOv7, YOLOX exported with its decoding.
//!
//! In comes `[rows, 5 + labels]`: centre x, y, width, height in pixels of the tensor, objectness, labels, the
//! last two kinds `0..=1`. `score = objectness * best label`; a row speaks for its best label only.

use super::{Decode, Keep, Part, around, best, numbers, range};
use crate::letterbox::Fit;
use crate::nms::Candidate;
use crate::session::{Side, Spec};

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct Yolov5 {
    name: String,
    keep: Keep,
}

impl Yolov5 {
    pub(crate) fn new(name: String, keep: Keep) -> Self {
        Self { name, keep }
    }

    fn columns(&self) -> usize {
        5 + self.keep.labels.len()
    }
}

impl Decode for Yolov5 {
    fn outputs(&self) -> Vec<Spec> {
        vec![Spec {
            keys: ["output.name", "output", "labels"],
            ..numbers("output", &self.name, &[Side::Free, Side::Is(self.columns())])
        }]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        for (row, values) in parts[0].numbers.chunks_exact(self.columns()).enumerate() {
            let objectness = values[4];
            if objectness < self.keep.score_min {
                continue;
            }
            let Some((label, sure)) = best(values[5..].iter().copied()) else { continue };
            let in_tensor = around([values[0], values[1]], [values[2], values[3]]);
            self.keep.offer((label, objectness * sure), in_tensor, row, fit, found);
        }
        0
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        range(parts[0].numbers.chunks_exact(self.columns()).flat_map(|row| &row[4..]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{keep, read};
    use super::*;

    #[test]
    fn a_row_is_its_best_label_times_its_objectness() {
        let mut decoder = Yolov5::new("output".to_owned(), keep(3));
        #[rustfmt::skip]
        let rows = [
            20.0, 30.0, 10.0, 8.0, 0.9, 0.1, 0.8, 0.3,
            // Sure of a label, not of a thing.
            50.0, 30.0, 10.0, 8.0, 0.5, 0.1, 0.1, 0.9,
            // Over 0.9 of the picture.
            48.0, 32.0, 96.0, 62.0, 0.9, 0.9, 0.1, 0.1,
            // Outside.
            -9.0, 30.0, 10.0, 8.0, 0.9, 0.9, 0.1, 0.1,
            // Equals: the first.
            60.0, 40.0, 4.0, 4.0, 1.0, 0.6, 0.6, 0.2,
        ];
        let part = Part { sides: &[5, 8], numbers: &rows };
        let (found, strange) = read(&mut decoder, &[part]);
        assert_eq!(found, [(1, 0.9 * 0.8, [15.0, 26.0, 25.0, 34.0]), (0, 0.6, [58.0, 38.0, 62.0, 42.0])]);
        assert_eq!(strange, 0);
        assert_eq!(decoder.scores(&[part]), [0.0, 1.0]);
    }
}
