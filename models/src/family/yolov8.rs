//! Columns of boxes without an objectness: YOLOv8, YOLOv9, YOLO11, YOLO12.
//!
//! In comes `[4 + labels, rows]`, so a row of the output lies across it: centre x, y, width, height in pixels
//! of the tensor, then a score `0..=1` a label. A box speaks for its best label only.

use super::{Decode, Keep, Part, around, numbers, range};
use crate::letterbox::Fit;
use crate::nms::Candidate;
use crate::session::{Side, Spec};

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct Yolov8 {
    name: String,
    keep: Keep,
    /// The best label of each box so far, and its score. Going label by label reads memory in its order.
    best: Vec<(usize, f32)>,
}

impl Yolov8 {
    pub(crate) fn new(name: String, keep: Keep) -> Self {
        Self { name, keep, best: Vec::new() }
    }
}

impl Decode for Yolov8 {
    fn outputs(&self) -> Vec<Spec> {
        vec![Spec {
            keys: ["output.name", "output", "labels"],
            ..numbers("output", &self.name, &[Side::Is(4 + self.keep.labels.len()), Side::Free])
        }]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let boxes = parts[0].sides[1];
        if boxes == 0 {
            return 0;
        }
        self.best.clear();
        self.best.resize(boxes, (0, f32::NEG_INFINITY));
        let (geometry, scores) = parts[0].numbers.split_at(4 * boxes);
        for (label, scores) in scores.chunks_exact(boxes).enumerate() {
            for (best, &score) in self.best.iter_mut().zip(scores) {
                if score > best.1 {
                    *best = (label, score);
                }
            }
        }
        for (row, &best) in self.best.iter().enumerate() {
            if best.1 < self.keep.score_min {
                continue;
            }
            let [x, y, width, height] = std::array::from_fn(|at| geometry[at * boxes + row]);
            self.keep.offer(best, around([x, y], [width, height]), row, fit, found);
        }
        0
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        range(parts[0].numbers.iter().skip(4 * parts[0].sides[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{keep, read};
    use super::*;

    #[test]
    fn a_box_is_a_column_with_its_best_label() {
        let mut decoder = Yolov8::new("output".to_owned(), keep(2));
        #[rustfmt::skip]
        let columns = [
            20.0, 50.0, 60.0,
            30.0, 30.0, 40.0,
            10.0, 10.0,  4.0,
             8.0,  8.0,  4.0,
             0.2,  0.4,  0.7,
             0.8,  0.1,  0.7,
        ];
        let part = Part { sides: &[6, 3], numbers: &columns };
        // Twice: nothing stays of the first time.
        for _ in 0..2 {
            let (found, strange) = read(&mut decoder, &[part]);
            assert_eq!(found, [(1, 0.8, [15.0, 26.0, 25.0, 34.0]), (0, 0.7, [58.0, 38.0, 62.0, 42.0])]);
            assert_eq!(strange, 0);
        }
        assert_eq!(decoder.scores(&[part]), [0.0, 0.8]);
        assert_eq!(read(&mut decoder, &[Part { sides: &[6, 0], numbers: &[] }]), (vec![], 0));
    }
}
