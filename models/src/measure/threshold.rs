//! Precision and recall at a score, and the lowest score that keeps a precision.
//!
//! In comes the curve of a class; out go points on it. Scores are those that a manifest can hold: three
//! decimals, so that what is proposed is what was measured.

use super::ApOfClass;

/// Steps in which thresholds are proposed: thousandths.
const STEPS: u32 = 1000;

/// What a class is at one threshold, at an IoU of 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// Finds of this score and above are kept.
    pub score_min: f32,
    /// Share of the kept that are right; `None` where nothing is kept.
    pub precision: Option<f64>,
    /// Share of the truths that are found; `None` where there is none.
    pub recall: Option<f64>,
}

/// What the class is where only finds of `score_min` and above are kept.
pub fn at_score(class: &ApOfClass, score_min: f32) -> OperatingPoint {
    let kept = class.curve.partition_point(|point| point.score >= f64::from(score_min));
    let (right, wrong) =
        kept.checked_sub(1).map_or((0, 0), |at| (class.curve[at].right, class.curve[at].wrong));
    let share = |of: usize| (of > 0).then(|| right as f64 / of as f64);
    OperatingPoint { score_min, precision: share(right + wrong), recall: share(class.n) }
}

/// The lowest threshold of at least `floor` at which precision is `precision_min` or more: the one of highest
/// recall. `Err` is the point of the highest precision that there is, where none reaches it, or `None` where
/// nothing right was found at all.
///
/// # Errors
/// See above.
pub fn score_for_precision(
    class: &ApOfClass,
    precision_min: f64,
    floor: f32,
) -> Result<OperatingPoint, Option<OperatingPoint>> {
    let grid = (1..STEPS).map(|step| step as f32 / STEPS as f32).filter(|score| *score >= floor);
    let points = grid
        .map(|score| at_score(class, score))
        .filter(|point| point.recall.is_some_and(|recall| recall > 0.0));
    let mut best: Option<OperatingPoint> = None;
    for point in points {
        if point.precision.is_some_and(|precision| precision >= precision_min) {
            return Ok(point);
        }
        if best.is_none_or(|best| point.precision > best.precision) {
            best = Some(point);
        }
    }
    Err(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Bounds, Found, PictureOfClass, Truth, ap_of_class};

    /// Of four truths, found at these scores, right or wrong.
    fn class(finds: &[(f32, bool)]) -> ApOfClass {
        let place = |at: usize, right: bool| {
            Bounds::new([20.0 * at as f64, if right { 0.0 } else { 500.0 }, 10.0, 10.0])
        };
        let truths = (0..4).map(|at| Truth { bounds: place(at, true), crowd: false }).collect();
        let mut at = 0;
        let found = finds.iter().map(|&(score, right)| {
            at += usize::from(right);
            Found { bounds: place(at.saturating_sub(1), right), score: f64::from(score) }
        });
        ap_of_class(&[PictureOfClass { truths, found: found.collect() }])
    }

    #[test]
    fn the_lowest_threshold_that_keeps_the_precision_is_proposed() {
        // The surest find is wrong, and still 3 of 4 are right from 0.5 on.
        let class = class(&[(0.9, false), (0.8, true), (0.7, true), (0.5, true), (0.4, false), (0.3, true)]);
        let point = score_for_precision(&class, 0.75, 0.01).unwrap();
        assert_eq!(point.score_min, 0.401);
        assert_eq!((point.precision, point.recall), (Some(0.75), Some(0.75)));
    }

    #[test]
    fn what_cannot_be_reached_is_answered_by_the_best_there_is() {
        let class = class(&[(0.9, false), (0.8, true), (0.7, true), (0.4, false)]);
        let best = score_for_precision(&class, 0.9, 0.01).unwrap_err().unwrap();
        assert!((best.precision.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(score_for_precision(&self::class(&[(0.9, false)]), 0.5, 0.01), Err(None));
    }

    #[test]
    fn nothing_kept_has_no_precision() {
        let point = at_score(&class(&[(0.5, true)]), 0.6);
        assert_eq!((point.precision, point.recall), (None, Some(0.0)));
    }
}
