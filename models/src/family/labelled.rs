//! Finished boxes in three tensors: RT-DETR, D-FINE, and SSD as TensorFlow exports it.
//!
//! In come boxes `[rows, 4]` in the manifest's form, scores `[rows]` `0..=1` and numbers of labels `[rows]`;
//! where there is a fourth, it says how many rows hold a box. Nothing overlaps that the model did not want to.

use super::{Boxes, Decode, Keep, Part, index, numbers, range};
use crate::letterbox::Fit;
use crate::nms::Candidate;
use crate::session::{COUNTS, Side, Spec};

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct Labelled {
    boxes: String,
    scores: String,
    labels: String,
    count: Option<String>,
    form: Boxes,
    label_first: usize,
    keep: Keep,
}

impl Labelled {
    pub(crate) fn new(
        [boxes, scores, labels]: [String; 3],
        count: Option<String>,
        form: Boxes,
        label_first: usize,
        keep: Keep,
    ) -> Self {
        Self { boxes, scores, labels, count, form, label_first, keep }
    }

    /// How many rows hold a box: no more than there are.
    fn rows(&self, parts: &[Part<'_>]) -> usize {
        let rows = parts[0].sides[0].min(parts[1].numbers.len()).min(parts[2].numbers.len());
        let counted = parts.get(3).and_then(|part| part.numbers.first());
        counted.map_or(rows, |&count| rows.min(count.max(0.0) as usize))
    }
}

impl Decode for Labelled {
    fn outputs(&self) -> Vec<Spec> {
        let labels = Spec { kinds: COUNTS, ..numbers("output.labels", &self.labels, &[Side::Free]) };
        let count = |name: &String| Spec { kinds: COUNTS, ..numbers("output.count", name, &[]) };
        let three = [
            numbers("output.boxes", &self.boxes, &[Side::Free, Side::Is(4)]),
            numbers("output.scores", &self.scores, &[Side::Free]),
            labels,
        ];
        three.into_iter().chain(self.count.as_ref().map(count)).collect()
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let boxes = parts[0].numbers.as_chunks::<4>().0;
        let rows = boxes.iter().zip(parts[1].numbers).zip(parts[2].numbers);
        let mut strange = 0;
        for (row, ((corners, &score), &label)) in rows.take(self.rows(parts)).enumerate() {
            if score <= 0.0 {
                continue;
            }
            match index(label, self.label_first, self.keep.labels.len()) {
                Some(label) => {
                    self.keep.offer((label, score), self.form.in_tensor(*corners), row, fit, found);
                }
                None => strange += 1,
            }
        }
        strange
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        let [_, high] = range(parts[1].numbers.iter().take(self.rows(parts)));
        [0.0, high]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{keep, manifest, read};
    use super::*;
    use crate::manifest::{BoxForm, Corners, Units};

    const NAMES: [&str; 3] = ["boxes", "scores", "labels"];

    fn decoder(form: BoxForm, count: Option<&str>, label_first: usize) -> Labelled {
        let form = Boxes::new(form, &manifest(2).input);
        Labelled::new(NAMES.map(str::to_owned), count.map(str::to_owned), form, label_first, keep(2))
    }

    #[test]
    fn rows_of_the_three_tensors_belong_together() {
        let form = BoxForm { corners: Corners::Cxcywh, units: Units::Normalised };
        let boxes = [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25];
        let parts = [
            Part { sides: &[3, 4], numbers: &boxes },
            Part { sides: &[3], numbers: &[0.7, 0.6, 0.9] },
            Part { sides: &[3], numbers: &[1.0, 0.0, 2.0] },
        ];
        let wanted = vec![(1, 0.7, [0.0, 0.0, 48.0, 32.0]), (0, 0.6, [36.0, 24.0, 60.0, 40.0])];
        assert_eq!(read(&mut decoder(form, None, 0), &parts), (wanted, 1));
    }

    #[test]
    fn rows_after_the_count_hold_nothing_and_labels_may_count_from_one() {
        let form = BoxForm { corners: Corners::Yxyx, units: Units::Normalised };
        let boxes = [0.25, 0.5, 0.75, 1.0, 0.0, 0.0, 0.5, 0.5];
        let parts = |count: &'static [f32]| {
            [
                Part { sides: &[2, 4], numbers: &boxes },
                Part { sides: &[2], numbers: &[0.7, 0.6] },
                Part { sides: &[2], numbers: &[2.0, 1.0] },
                Part { sides: &[], numbers: count },
            ]
        };
        let first = (1, 0.7, [48.0, 16.0, 96.0, 48.0]);
        let second = (0, 0.6, [0.0, 0.0, 48.0, 32.0]);
        let mut decoder = decoder(form, Some("count"), 1);
        assert_eq!(read(&mut decoder, &parts(&[1.0])), (vec![first], 0));
        assert_eq!(read(&mut decoder, &parts(&[9.0])), (vec![first, second], 0));
        assert_eq!(read(&mut decoder, &parts(&[-1.0])), (vec![], 0));
    }
}
