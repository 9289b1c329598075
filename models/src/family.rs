//! How the outputs of each family of detectors become boxes: one file a family.
//!
//! In come the outputs of one picture as f32, out go [`Candidate`]s in pixels of the tensor that are over
//! their thresholds. A decoder keeps scratch, never anything seen. Nothing here suppresses overlaps.

mod end_to_end;
mod labelled;
mod ssd;
mod yolov5;
mod yolov8;
mod yolox_grid;

use std::fmt::Debug;

use crate::letterbox::Fit;
use crate::manifest::{BoxForm, Corners, Family, Input, Label, Manifest, Output, Units};
use crate::nms::Candidate;
use crate::session::{Side, Spec};

/// One output of one picture: its sides without the batch's, and its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) sides: &'a [usize],
    pub(crate) numbers: &'a [f32],
}

/// Reads outputs of one model.
pub(crate) trait Decode: Debug + Send {
    /// The outputs to be read, in the order in which [`Decode::read`] gets them.
    fn outputs(&self) -> Vec<Spec>;

    /// Adds the boxes over their thresholds to `found`, none that would be empty in the picture or cover more
    /// of it than the manifest lets it. Returns how many boxes were dropped since their label is a number
    /// that the manifest has no label for.
    fn read(&mut self, parts: &[Part<'_>], fit: Fit, found: &mut Vec<Candidate>) -> usize;

    /// Lowest and highest number that is a score.
    fn scores(&self, parts: &[Part<'_>]) -> [f32; 2];
}

/// The decoder of a manifest's family.
pub(crate) fn decoder(manifest: &Manifest) -> Box<dyn Decode> {
    let keep = Keep::new(manifest);
    match (manifest.family, manifest.output.clone()) {
        (_, Output::Grid { name, strides }) => {
            Box::new(yolox_grid::YoloxGrid::new(name, strides, &manifest.input, keep))
        }
        (_, Output::Scores { boxes, scores, form, background }) => {
            Box::new(ssd::Ssd::new([boxes, scores], Boxes::new(form, &manifest.input), background, keep))
        }
        (_, Output::Labelled { boxes, scores, labels, count, form, label_first }) => {
            let boxes_of = Boxes::new(form, &manifest.input);
            Box::new(labelled::Labelled::new([boxes, scores, labels], count, boxes_of, label_first, keep))
        }
        (Family::Yolov8, Output::Rows { name }) => Box::new(yolov8::Yolov8::new(name, keep)),
        (Family::EndToEnd, Output::Rows { name }) => Box::new(end_to_end::EndToEnd::new(name, keep)),
        (_, Output::Rows { name }) => Box::new(yolov5::Yolov5::new(name, keep)),
    }
}

/// Which boxes are kept: the labels with their thresholds, and the largest share of a picture.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    labels: Vec<Label>,
    /// Lowest threshold of all: what is under it needs no further look.
    score_min: f32,
    area_max: f32,
}

impl Keep {
    fn new(manifest: &Manifest) -> Self {
        let kept = manifest.labels.iter().filter(|label| label.class.is_some());
        let score_min = kept.map(|label| label.score_min).fold(f32::INFINITY, f32::min);
        Self { labels: manifest.labels.clone(), score_min, area_max: manifest.area_max }
    }

    /// The class of a label that is reported at this score.
    fn class(&self, label: usize, score: f32) -> Option<calib::class::Class> {
        let label = self.labels.get(label)?;
        label.class.filter(|_| score >= label.score_min)
    }

    /// Adds a box, `[x0, y0, x1, y1]` in pixels of the tensor, if it is to be kept. What is too large goes
    /// before suppression, so that it cannot hide a true one.
    fn offer(
        &self,
        (label, score): (usize, f32),
        in_tensor: [f32; 4],
        row: usize,
        fit: Fit,
        found: &mut Vec<Candidate>,
    ) {
        let Some(class) = self.class(label, score) else { return };
        let area = fit.image_from_tensor(in_tensor).area();
        if area > 0.0 && area <= self.area_max {
            found.push(Candidate { class, score, in_tensor, row });
        }
    }
}

/// What the four numbers of a box mean, in one tensor's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boxes {
    corners: Corners,
    /// Factors of x and y that lead to pixels of the tensor.
    pixels: [f32; 2],
}

impl Boxes {
    fn new(form: BoxForm, input: &Input) -> Self {
        let pixels = match form.units {
            Units::Pixels => [1.0; 2],
            Units::Normalised => [input.width as f32, input.height as f32],
        };
        Self { corners: form.corners, pixels }
    }

    /// `[x0, y0, x1, y1]` in pixels of the tensor.
    fn in_tensor(&self, [a, b, c, d]: [f32; 4]) -> [f32; 4] {
        let [x, y] = self.pixels;
        match self.corners {
            Corners::Xyxy => [a * x, b * y, c * x, d * y],
            Corners::Yxyx => [b * x, a * y, d * x, c * y],
            Corners::Cxcywh => around([a * x, b * y], [c * x, d * y]),
        }
    }
}

/// The box of this centre and size.
fn around([x, y]: [f32; 2], [width, height]: [f32; 2]) -> [f32; 4] {
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}

/// The index and value of the highest, the first of equals.
pub(crate) fn best(values: impl IntoIterator<Item = f32>) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (index, value) in values.into_iter().enumerate() {
        if best.is_none_or(|(_, highest)| value > highest) {
            best = Some((index, value));
        }
    }
    best
}

/// The index that a number in an output stands for; `None` where it is none of `count`.
fn index(number: f32, first: usize, count: usize) -> Option<usize> {
    let whole = number.round();
    // Labels of f16 and of quantised models are whole numbers too.
    let near = (number - whole).abs() < 1e-3;
    let at = whole - first as f32;
    (near && at >= 0.0 && at < count as f32).then_some(at as usize)
}

/// Lowest and highest of these numbers; `[0, 0]` of none.
fn range<'a>(numbers: impl Iterator<Item = &'a f32>) -> [f32; 2] {
    numbers.fold([0.0f32; 2], |[low, high], &number| [low.min(number), high.max(number)])
}

/// The spec of an output of numbers under one key of the manifest.
fn numbers(key: &'static str, name: &str, sides: &[Side]) -> Spec {
    let sides = std::iter::once(Side::Batch).chain(sides.iter().cloned()).collect();
    Spec { keys: [key; 3], name: name.to_owned(), kinds: crate::session::NUMBERS, sides }
}

/// How many numbers are NaN or infinite. Looks at bits, all of them, so that it vectorises.
pub(crate) fn count_not_finite(output: &[f32]) -> usize {
    const EXPONENT: u32 = 0x7f80_0000;
    output.iter().map(|value| usize::from(value.to_bits() & EXPONENT == EXPONENT)).sum()
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_numbers_are_counted() {
        assert_eq!(count_not_finite(&[0.0, f32::MAX, f32::MIN_POSITIVE, -1.0]), 0);
        assert_eq!(count_not_finite(&[f32::NAN, 0.0, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN]), 4);
    }

    #[test]
    fn a_label_is_a_whole_number_that_the_manifest_knows() {
        assert_eq!(index(2.0, 0, 3), Some(2));
        assert_eq!(index(1.0, 1, 3), Some(0));
        assert_eq!(index(1.9999, 0, 3), Some(2));
        for (number, first) in [(3.0, 0), (-1.0, 0), (0.0, 1), (1.5, 0), (1e30, 0), (f32::NAN, 0)] {
            assert_eq!(index(number, first, 3), None, "{number} from {first}");
        }
    }

    #[test]
    fn boxes_of_every_form_come_to_the_same_pixels() {
        let manifest = testing::manifest(3);
        let boxes = |corners, units| Boxes::new(BoxForm { corners, units }, &manifest.input);
        let (pixels, shares) = (Units::Pixels, Units::Normalised);
        // 96 x 64 pixels: from (24, 16) to (72, 48).
        let forms = [
            (boxes(Corners::Xyxy, pixels), [24.0, 16.0, 72.0, 48.0]),
            (boxes(Corners::Xyxy, shares), [0.25, 0.25, 0.75, 0.75]),
            (boxes(Corners::Yxyx, pixels), [16.0, 24.0, 48.0, 72.0]),
            (boxes(Corners::Yxyx, shares), [0.25, 0.25, 0.75, 0.75]),
            (boxes(Corners::Cxcywh, pixels), [48.0, 32.0, 48.0, 32.0]),
            (boxes(Corners::Cxcywh, shares), [0.5, 0.5, 0.5, 0.5]),
        ];
        for (form, numbers) in forms {
            assert_eq!(form.in_tensor(numbers), [24.0, 16.0, 72.0, 48.0], "{form:?}");
        }
    }
}
