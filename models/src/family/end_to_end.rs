//! Finished boxes in one tensor: YOLOv10, YOLO26, and exports with their suppression inside.
//!
//! In comes `[rows, 6]`: x0, y0, x1, y1 in pixels of the tensor, score `0..=1`, number of the label. Rows that
//! hold nothing have a score of 0 or below, whatever else is in them.

use super::{Decode, Keep, Part, index, numbers, range};
use crate::letterbox::Fit;
use crate::nms::Candidate;
use crate::session::{Side, Spec};

const COLUMNS: usize = 6;

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct EndToEnd {
    name: String,
    keep: Keep,
}

impl EndToEnd {
    pub(crate) fn new(name: String, keep: Keep) -> Self {
        Self { name, keep }
    }
}

impl Decode for EndToEnd {
    fn outputs(&self) -> Vec<Spec> {
        vec![Spec {
            keys: ["output.name", "output", "output"],
            ..numbers("output", &self.name, &[Side::Free, Side::Is(COLUMNS)])
        }]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let mut strange = 0;
        for (row, values) in parts[0].numbers.as_chunks::<COLUMNS>().0.iter().enumerate() {
            let [x0, y0, x1, y1, score, label] = *values;
            if score <= 0.0 {
                continue;
            }
            match index(label, 0, self.keep.labels.len()) {
                Some(label) => self.keep.offer((label, score), [x0, y0, x1, y1], row, fit, found),
                None => strange += 1,
            }
        }
        strange
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        // What stands for nothing may be -1.
        let [_, high] = range(parts[0].numbers.iter().skip(4).step_by(COLUMNS));
        [0.0, high]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{keep, read};
    use super::*;

    #[test]
    fn a_row_is_a_finished_box_and_a_strange_label_is_counted() {
        let mut decoder = EndToEnd::new("output".to_owned(), keep(3));
        #[rustfmt::skip]
        let rows = [
            15.0, 26.0, 25.0, 34.0, 0.8, 1.0,
            15.0, 26.0, 25.0, 34.0, 0.4, 1.0,
            15.0, 26.0, 25.0, 34.0, 0.9, 3.0,
            15.0, 26.0, 25.0, 34.0, 0.1, -2.0,
             0.0,  0.0,  0.0,  0.0, 0.0, -1.0,
            // The wrong way round is empty.
            25.0, 26.0, 15.0, 34.0, 0.9, 1.0,
        ];
        let part = Part { sides: &[6, 6], numbers: &rows };
        assert_eq!(read(&mut decoder, &[part]), (vec![(1, 0.8, [15.0, 26.0, 25.0, 34.0])], 2));
        assert_eq!(decoder.scores(&[part]), [0.0, 0.9]);
    }
}
