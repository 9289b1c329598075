//! What one model is worth on one data set.
//!
//! In: the truths, what the model said and how labels and classes meet. Out: AP of each row, how it fares at
//! the thresholds of its manifest, and who was taken for whom. Never: a picture or a file.

use logic::look::Detection;
use models::Manifest;
use models::measure::{
    ApOfClass, Bounds, Found, Matched, Matching, PictureOfClass, Truth, ap_of_class, match_picture, mean,
};

use super::dataset::Pictured;
use super::rows::{Row, Rows};

/// One row of the table.
pub(super) struct MeasuredRow {
    /// AP and the curve.
    pub(super) ap: ApOfClass,
    /// Lowest of its classes' thresholds.
    pub(super) score_min: f32,
    /// Share of what it says at its thresholds that is right.
    pub(super) precision: Option<f64>,
    /// Share of the truths that it finds at its thresholds.
    pub(super) recall: Option<f64>,
}

/// One picture at the manifest's thresholds.
pub(super) struct MeasuredPicture {
    /// Truths with their rows.
    pub(super) truths: Vec<(usize, Truth)>,
    /// What was found, with its rows.
    pub(super) found: Vec<(usize, Found)>,
    /// How they go together.
    pub(super) matching: Matching,
}

/// A model on a data set.
pub(super) struct Measured {
    /// One a row; `None` where this model knows none of its classes.
    pub(super) rows: Vec<Option<MeasuredRow>>,
    /// Every picture.
    pub(super) pictures: Vec<MeasuredPicture>,
    /// `[truth][said]`, rows and at last the background.
    pub(super) confusion: Vec<Vec<usize>>,
}

impl Measured {
    /// Measures.
    pub(super) fn of(
        pictures: &[Pictured],
        said: &[Vec<Detection>],
        rows: &Rows,
        manifest: &Manifest,
    ) -> Self {
        let truths: Vec<Vec<(usize, Truth)>> = pictures
            .iter()
            .map(|picture| {
                let mapped =
                    picture.truths.iter().filter_map(|(label, truth)| Some((rows.of_label[*label]?, *truth)));
                mapped.collect()
            })
            .collect();
        let over = |detection: &Detection| {
            manifest.score_min(detection.class).is_some_and(|score_min| detection.score >= score_min)
        };
        let matched = truths.iter().zip(said).map(|(truths, said)| {
            let of_row = |(at, row)| finds(said, row, manifest, over).into_iter().map(move |find| (at, find));
            let found: Vec<(usize, Found)> = rows.rows.iter().enumerate().flat_map(of_row).collect();
            let matching = match_picture(truths, &found);
            MeasuredPicture { truths: truths.clone(), found, matching }
        });
        let matched: Vec<MeasuredPicture> = matched.collect();
        let confusion = confusion(&matched, rows.rows.len());
        let measured = rows.rows.iter().enumerate().map(|(at, row)| {
            let thresholds = row.classes.iter().filter_map(|class| manifest.score_min(*class));
            let score_min = thresholds.reduce(f32::min)?;
            let of_row = truths.iter().zip(said).map(|(truths, said)| PictureOfClass {
                truths: truths.iter().filter(|(row, _)| *row == at).map(|(_, truth)| *truth).collect(),
                found: finds(said, row, manifest, |_| true),
            });
            let ap = ap_of_class(&of_row.collect::<Vec<_>>());
            let right = confusion[at][at] as f64;
            let share = |of: usize| (of > 0).then(|| right / of as f64);
            let kept: usize = confusion.iter().map(|truth| truth[at]).sum();
            Some(MeasuredRow { precision: share(kept), recall: share(ap.n), score_min, ap })
        });
        let rows = measured.collect();
        Self { rows, pictures: matched, confusion }
    }

    /// Mean AP50 and AP50-95 over the rows with truths.
    pub(super) fn means(&self) -> [Option<f64>; 2] {
        let of = |ap: fn(&ApOfClass) -> Option<f64>| {
            mean(self.rows.iter().map(|row| row.as_ref().and_then(|row| ap(&row.ap))))
        };
        [of(ApOfClass::ap50), of(ApOfClass::ap50_95)]
    }
}

/// What a model said of a row's classes. Where these are several, the weaker of two boxes that overlap by more
/// than the model's own suppression allows is dropped: a vehicle called car and truck is one vehicle.
fn finds(
    said: &[Detection],
    row: &Row,
    manifest: &Manifest,
    keep: impl Fn(&Detection) -> bool,
) -> Vec<Found> {
    let mut kept: Vec<&Detection> = Vec::new();
    for detection in said.iter().filter(|one| row.classes.contains(&one.class) && keep(one)) {
        let hidden = |better: &&Detection| {
            better.class != detection.class && better.bounds.iou(&detection.bounds) > manifest.nms_iou()
        };
        if row.classes.len() == 1 || !kept.iter().any(hidden) {
            kept.push(detection);
        }
    }
    let found = kept.into_iter().map(|detection| {
        let bounds: [f32; 4] = detection.bounds.into();
        let [x0, y0, x1, y1] = bounds.map(f64::from);
        Found { bounds: Bounds::new([x0, y0, x1 - x0, y1 - y0]), score: f64::from(detection.score) }
    });
    found.collect()
}

fn confusion(pictures: &[MeasuredPicture], rows: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; rows + 1]; rows + 1];
    for picture in pictures {
        for ((said, _), matched) in picture.found.iter().zip(&picture.matching.finds) {
            match matched {
                Matched::Right(at) | Matched::Mistaken(at) => counts[picture.truths[*at].0][*said] += 1,
                Matched::Double(_) | Matched::False => counts[rows][*said] += 1,
                Matched::Ignored => {}
            }
        }
        picture.matching.missed.iter().for_each(|at| counts[picture.truths[*at].0][rows] += 1);
    }
    counts
}
