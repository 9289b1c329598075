//! Non-maximum suppression: of boxes of one class that overlap too much, the best stays.
//!
//! In come candidates in any order, out go the kept ones, best first; ties go by output row, so that the
//! same output gives the same boxes. Boxes of different classes never touch each other.

use calib::class::Class;

/// A box over its threshold, before suppression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What.
    pub class: Class,
    /// How sure, `0..=1`.
    pub score: f32,
    /// `[x0, y0, x1, y1]` in pixels of the tensor, not cut off at the picture's edges.
    pub in_tensor: [f32; 4],
    /// Row of the output that it came from.
    pub row: usize,
}

/// Best first; ties by output row.
pub fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
}

/// Keeps the best of each heap: sorted by falling score, without any box that overlaps a better one of its
/// class by more than `iou_max`.
pub fn suppress(candidates: &mut Vec<Candidate>, iou_max: f32) {
    sort(candidates);
    let mut kept = 0;
    for at in 0..candidates.len() {
        let this = candidates[at];
        let hidden = candidates[..kept]
            .iter()
            .any(|better| better.class == this.class && iou(&better.in_tensor, &this.in_tensor) > iou_max);
        if !hidden {
            candidates[kept] = this;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

/// Intersection over union of two boxes `[x0, y0, x1, y1]`; 0 where both are empty.
fn iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: &[f32; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    let shared = width * height;
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(class: Class, score: f32, in_tensor: [f32; 4], row: usize) -> Candidate {
        Candidate { class, score, in_tensor, row }
    }

    #[test]
    fn the_weaker_of_two_overlapping_boxes_of_one_class_goes() {
        let mut found = vec![
            candidate(Class::Garbage, 0.6, [0.0, 0.0, 10.0, 10.0], 0),
            candidate(Class::Garbage, 0.8, [1.0, 0.0, 11.0, 10.0], 1),
            candidate(Class::Car, 0.5, [0.0, 0.0, 10.0, 10.0], 2),
            candidate(Class::Garbage, 0.7, [20.0, 0.0, 30.0, 10.0], 3),
        ];
        suppress(&mut found, 0.45);
        let rows: Vec<usize> = found.iter().map(|candidate| candidate.row).collect();
        assert_eq!(rows, [1, 3, 2]);
    }

    #[test]
    fn a_box_hidden_by_a_hidden_box_stays() {
        // 0 hides 1, 1 would hide 2, 0 does not: 2 stays.
        let mut found: Vec<Candidate> = (0..3u8)
            .map(|at| {
                let x = f32::from(at) * 4.0;
                candidate(Class::Person, 0.9 - 0.1 * f32::from(at), [x, 0.0, x + 10.0, 10.0], at.into())
            })
            .collect();
        suppress(&mut found, 0.4);
        assert_eq!(found.iter().map(|candidate| candidate.row).collect::<Vec<_>>(), [0, 2]);
    }

    fn any_candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0..3usize, 0.0..1.0f32, 0.0..400.0f32, 0.0..400.0f32, 1.0..90.0f32, 1.0..90.0f32);
        proptest::collection::vec(one, 0..60).prop_map(|all| {
            let shaped = all.into_iter().enumerate().map(|(row, (class, score, x, y, w, h))| {
                candidate(Class::ALL[class], score, [x, y, x + w, y + h], row)
            });
            shaped.collect()
        })
    }

    proptest! {
        #[test]
        fn suppressing_twice_changes_nothing_and_order_does_not_matter(
            found in any_candidates(), iou_max in 0.05..0.95f32,
        ) {
            let (mut once, mut backwards) = (found.clone(), found.clone());
            backwards.reverse();
            suppress(&mut once, iou_max);
            suppress(&mut backwards, iou_max);
            prop_assert_eq!(&once, &backwards);
            let mut twice = once.clone();
            suppress(&mut twice, iou_max);
            prop_assert_eq!(&once, &twice);
            prop_assert!(once.is_sorted_by(|a, b| a.score >= b.score));
            // Every box that went overlaps a better one of its class that stayed.
            for gone in found.iter().filter(|candidate| !once.contains(candidate)) {
                let better = once.iter().any(|kept| {
                    kept.class == gone.class && kept.score >= gone.score && iou(&kept.in_tensor, &gone.in_tensor) > iou_max
                });
                prop_assert!(better);
            }
        }
    }
}
