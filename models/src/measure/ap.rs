//! Average precision of one class over many pictures, as COCO takes it.
//!
//! In come truths and finds a picture; out go AP at ten IoUs and the curve at the first. Follows
//! `COCOeval.evaluateImg` and `accumulate` (cocodataset/cocoapi) in every order that can matter: stable
//! sorting by falling score, crowds last, the last of equal overlaps wins, precision made monotone, read at
//! 101 recalls. `models/tests/measure` holds it to pycocotools' own numbers.

use super::{Found, Truth};

/// The finds of a class on one picture that count: the surest so many (COCO `maxDets`).
pub const DETECTIONS_MAX: usize = 100;
/// IoUs from which a find is right: 0.5 to 0.95.
pub const IOUS: usize = 10;
/// Recalls at which precision is read: 0 to 1.
pub const RECALLS: usize = 101;
/// The highest overlap that is ever asked for.
const IOU_MAX: f64 = 1.0 - 1e-10;

/// What one picture shows of a class and what was found of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PictureOfClass {
    /// What it shows.
    pub truths: Vec<Truth>,
    /// What was found, in any order.
    pub found: Vec<Found>,
}

/// Precision and recall with everything up to one find counted, at an IoU of 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Score of the find.
    pub score: f64,
    /// Right finds so far.
    pub right: usize,
    /// Wrong finds so far.
    pub wrong: usize,
}

/// How good a class is.
#[derive(Debug, Clone, PartialEq)]
pub struct ApOfClass {
    /// Truths that are no crowd.
    pub n: usize,
    /// AP at each IoU, `0..=1`; `None` where there is no truth to find.
    pub ap: Option<[f64; IOUS]>,
    /// Highest precision at or beyond each recall of 0, 0.01 .. 1, at an IoU of 0.5.
    pub precision_at_recall: Option<Vec<f64>>,
    /// One point a find, surest first, at an IoU of 0.5; finds that matched a crowd repeat the point before.
    pub curve: Vec<CurvePoint>,
}

impl ApOfClass {
    /// AP at an IoU of 0.5.
    pub fn ap50(&self) -> Option<f64> {
        self.ap.map(|ap| ap[0])
    }

    /// Mean AP over IoUs of 0.5 to 0.95.
    pub fn ap50_95(&self) -> Option<f64> {
        self.ap.map(|ap| ap.iter().sum::<f64>() / IOUS as f64)
    }
}

/// The mean of what there is; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = values.into_iter().flatten().fold((0.0, 0usize), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}

/// The IoU at place `at` of [`IOUS`]. Made as `numpy.linspace(.5, .95, 10)` makes it, last bits included.
fn iou_min(at: usize) -> f64 {
    if at + 1 == IOUS { 0.95 } else { at as f64 * ((0.95 - 0.5) / (IOUS - 1) as f64) + 0.5 }
}

/// The recall at place `at` of [`RECALLS`], as `numpy.linspace(0, 1, 101)`.
fn recall_at(at: usize) -> f64 {
    if at + 1 == RECALLS { 1.0 } else { at as f64 * (1.0 / (RECALLS - 1) as f64) }
}

/// What became of one find at one IoU.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Right,
    Wrong,
    /// It lies in a crowd.
    Ignored,
}

/// AP of one class. The order of the pictures decides between equal scores.
pub fn ap_of_class(pictures: &[PictureOfClass]) -> ApOfClass {
    let n = pictures.iter().flat_map(|picture| &picture.truths).filter(|truth| !truth.crowd).count();
    let mut finds: Vec<(f64, [Verdict; IOUS])> = pictures.iter().flat_map(verdicts).collect();
    sort_surest_first(&mut finds, |find| find.0);
    let curves: Vec<Vec<CurvePoint>> = (0..IOUS).map(|iou| curve(&finds, iou)).collect();
    let interpolated = (n > 0).then(|| curves.iter().map(|curve| interpolate(curve, n)).collect::<Vec<_>>());
    let ap = interpolated.as_ref().map(|all| {
        let mut ap = [0.0; IOUS];
        for (ap, precisions) in ap.iter_mut().zip(all) {
            *ap = precisions.iter().sum::<f64>() / RECALLS as f64;
        }
        ap
    });
    let precision_at_recall = interpolated.and_then(|all| all.into_iter().next());
    ApOfClass { n, ap, precision_at_recall, curve: curves.into_iter().next().unwrap_or_default() }
}

/// Stable: equal scores keep their order.
fn sort_surest_first<T>(items: &mut [T], score: impl Fn(&T) -> f64) {
    items.sort_by(|a, b| score(b).partial_cmp(&score(a)).unwrap_or(std::cmp::Ordering::Equal));
}

/// The finds of one picture that count, each with what it is at every IoU.
fn verdicts(picture: &PictureOfClass) -> Vec<(f64, [Verdict; IOUS])> {
    let mut found = picture.found.clone();
    sort_surest_first(&mut found, |find| find.score);
    found.truncate(DETECTIONS_MAX);
    let (own, crowds): (Vec<&Truth>, Vec<&Truth>) = picture.truths.iter().partition(|truth| !truth.crowd);
    let truths: Vec<&Truth> = own.into_iter().chain(crowds).collect();
    let mut taken = vec![[false; IOUS]; truths.len()];
    let judged = found.iter().map(|find| {
        let fits: Vec<f64> = truths.iter().map(|truth| find.bounds.fit(truth)).collect();
        let mut verdicts = [Verdict::Wrong; IOUS];
        for (at, verdict) in verdicts.iter_mut().enumerate() {
            let Some(best) = best_truth(&truths, &fits, iou_min(at), |truth| taken[truth][at]) else {
                continue;
            };
            taken[best][at] = true;
            *verdict = if truths[best].crowd { Verdict::Ignored } else { Verdict::Right };
        }
        (find.score, verdicts)
    });
    judged.collect()
}

/// The truth that a find is for: of those not taken the one it fits best, the last of equals; a crowd only
/// where it fits nothing else, and a crowd is never used up.
fn best_truth(truths: &[&Truth], fits: &[f64], iou: f64, taken: impl Fn(usize) -> bool) -> Option<usize> {
    let mut wanted = iou.min(IOU_MAX);
    let mut best = None;
    for (at, (truth, &fit)) in truths.iter().zip(fits).enumerate() {
        if taken(at) && !truth.crowd {
            continue;
        }
        if truth.crowd && best.is_some_and(|best: usize| !truths[best].crowd) {
            break;
        }
        if fit >= wanted {
            wanted = fit;
            best = Some(at);
        }
    }
    best
}

fn curve(finds: &[(f64, [Verdict; IOUS])], iou: usize) -> Vec<CurvePoint> {
    let (mut right, mut wrong) = (0, 0);
    let points = finds.iter().map(|(score, verdicts)| {
        match verdicts[iou] {
            Verdict::Right => right += 1,
            Verdict::Wrong => wrong += 1,
            Verdict::Ignored => {}
        }
        CurvePoint { score: *score, right, wrong }
    });
    points.collect()
}

/// Precision at [`RECALLS`] recalls: the highest at or beyond each, 0 beyond what was reached.
fn interpolate(curve: &[CurvePoint], n: usize) -> Vec<f64> {
    // The epsilon is COCO's (`numpy.spacing(1)`): it keeps 0 of 0 at 0 and is felt in the 16th digit.
    let precision =
        |point: &CurvePoint| point.right as f64 / ((point.wrong + point.right) as f64 + f64::EPSILON);
    let mut precisions: Vec<f64> = curve.iter().map(precision).collect();
    for at in (1..precisions.len()).rev() {
        precisions[at - 1] = precisions[at - 1].max(precisions[at]);
    }
    let at_recall = |at| {
        let place = curve.partition_point(|point| (point.right as f64 / n as f64) < recall_at(at));
        precisions.get(place).copied().unwrap_or(0.0)
    };
    (0..RECALLS).map(at_recall).collect()
}

#[cfg(test)]
#[path = "ap_tests.rs"]
mod tests;
