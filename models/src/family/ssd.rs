//! Boxes and a score for each label: SSD, and whatever else leaves its suppression to the reader.
//!
//! In come boxes `[rows, 4]` in the manifest's form and scores `[rows, labels]` `0..=1`, with one column more
//! in front where the model has one for the background. A box speaks for its best label only.

use super::{Boxes, Decode, Keep, Part, best, numbers, range};
use crate::letterbox::Fit;
use crate::manifest::Background;
use crate::nms::Candidate;
use crate::session::{Side, Spec};

/// Reads outputs of one model.
#[derive(Debug, Clone)]
pub(crate) struct Ssd {
    boxes: String,
    scores: String,
    form: Boxes,
    background: Background,
    keep: Keep,
}

impl Ssd {
    pub(crate) fn new([boxes, scores]: [String; 2], form: Boxes, background: Background, keep: Keep) -> Self {
        Self { boxes, scores, form, background, keep }
    }

    /// Columns of scores before that of the first label.
    fn skipped(&self) -> usize {
        usize::from(self.background == Background::First)
    }

    fn columns(&self) -> usize {
        self.skipped() + self.keep.labels.len()
    }
}

impl Decode for Ssd {
    fn outputs(&self) -> Vec<Spec> {
        let scores = [Side::Free, Side::Is(self.columns())];
        vec![
            numbers("output.boxes", &self.boxes, &[Side::Free, Side::Is(4)]),
            Spec {
                keys: ["output.scores", "output.scores", "labels"],
                ..numbers("output.scores", &self.scores, &scores)
            },
        ]
    }

    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize {
        let boxes = parts[0].numbers.as_chunks::<4>().0;
        let rows = boxes.iter().zip(parts[1].numbers.chunks_exact(self.columns()));
        for (row, (corners, scores)) in rows.enumerate() {
            let Some(best) = best(scores[self.skipped()..].iter().copied()) else { continue };
            if best.1 >= self.keep.score_min {
                self.keep.offer(best, self.form.in_tensor(*corners), row, fit, found);
            }
        }
        0
    }

    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2] {
        range(parts[1].numbers.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{keep, manifest, read};
    use super::*;
    use crate::manifest::{BoxForm, Corners, Units};

    #[test]
    fn the_background_is_no_label() {
        let form = BoxForm { corners: Corners::Xyxy, units: Units::Pixels };
        let form = Boxes::new(form, &manifest(2).input);
        let names = ["boxes", "scores"].map(str::to_owned);
        let boxes = [15.0, 26.0, 25.0, 34.0, 40.0, 20.0, 60.0, 30.0];
        let boxes = Part { sides: &[2, 4], numbers: &boxes };
        let without = [boxes, Part { sides: &[2, 2], numbers: &[0.3, 0.6, 0.2, 0.1] }];
        let with = [boxes, Part { sides: &[2, 3], numbers: &[0.1, 0.3, 0.6, 0.7, 0.2, 0.1] }];
        let wanted = (vec![(1, 0.6, [15.0, 26.0, 25.0, 34.0])], 0);
        for (background, parts) in [(Background::None, &without), (Background::First, &with)] {
            let mut decoder = Ssd::new(names.clone(), form, background, keep(2));
            assert_eq!(read(&mut decoder, parts), wanted, "{background}");
        }
    }
}
