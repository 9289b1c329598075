//! Who was taken for whom on one picture: finds over their thresholds against truths, across classes.
//!
//! In come truths and finds of any number of classes; out goes, for each find, what it is, and which truths
//! nobody found. What AP counts as right is right here too: a find looks for its own class first, surest
//! first; only what is then left on both sides is a mix-up of classes.

use super::{Found, Truth};

/// Overlap from which a find is about a truth.
const IOU_MIN: f64 = 0.5;

/// What a find turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// Of this truth, in its class.
    Right(usize),
    /// Of this truth, in another class.
    Mistaken(usize),
    /// Of a truth that a surer find of the same class has: the truth's place.
    Double(usize),
    /// Of nothing.
    False,
    /// Within a crowd of its class: neither right nor wrong.
    Ignored,
}

/// One picture's finds and truths, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// What each find is, in the order given.
    pub finds: Vec<Matched>,
    /// Places of the truths, crowds aside, that no find is of.
    pub missed: Vec<usize>,
}

/// Puts finds to truths, each with its class; `C` is whatever tells classes apart.
pub fn match_picture<C: PartialEq>(truths: &[(C, Truth)], found: &[(C, Found)]) -> Matching {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|&a, &b| found[b].1.score.total_cmp(&found[a].1.score));
    let mut taken = vec![false; truths.len()];
    let mut finds = vec![Matched::False; found.len()];
    let best = |find: usize, fits: &dyn Fn(usize) -> bool| {
        let mut best: Option<(usize, f64)> = None;
        for (at, (_, truth)) in truths.iter().enumerate().filter(|(at, _)| fits(*at)) {
            let fit = found[find].1.bounds.fit(truth);
            if fit >= best.map_or(IOU_MIN, |(_, fit)| fit) {
                best = Some((at, fit));
            }
        }
        best.map(|(at, _)| at)
    };
    let same = |find: usize, truth: usize| found[find].0 == truths[truth].0;
    for &find in &order {
        if let Some(at) = best(find, &|at| !truths[at].1.crowd && same(find, at) && !taken[at]) {
            taken[at] = true;
            finds[find] = Matched::Right(at);
        } else if best(find, &|at| truths[at].1.crowd && same(find, at)).is_some() {
            finds[find] = Matched::Ignored;
        }
    }
    for &find in order
        .iter()
        .filter(|&&find| !matches!(finds[find], Matched::Right(_) | Matched::Ignored))
        .collect::<Vec<_>>()
    {
        if let Some(at) = best(find, &|at| !truths[at].1.crowd && !same(find, at) && !taken[at]) {
            taken[at] = true;
            finds[find] = Matched::Mistaken(at);
        } else if let Some(at) = best(find, &|at| !truths[at].1.crowd && same(find, at)) {
            finds[find] = Matched::Double(at);
        }
    }
    let missed = (0..truths.len()).filter(|&at| !taken[at] && !truths[at].1.crowd).collect();
    Matching { finds, missed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Bounds;

    fn truth(class: char, x: f64) -> (char, Truth) {
        (class, Truth { bounds: Bounds::new([x, 0.0, 10.0, 10.0]), crowd: false })
    }

    fn find(class: char, x: f64, score: f64) -> (char, Found) {
        (class, Found { bounds: Bounds::new([x, 0.0, 10.0, 10.0]), score })
    }

    #[test]
    fn right_mistaken_double_false_and_missed_are_told_apart() {
        let truths = [truth('a', 0.0), truth('b', 50.0), truth('a', 90.0)];
        let found = [find('a', 1.0, 0.5), find('a', 0.0, 0.9), find('a', 50.0, 0.8), find('b', 200.0, 0.7)];
        let all = match_picture(&truths, &found);
        assert_eq!(all.finds, [Matched::Double(0), Matched::Right(0), Matched::Mistaken(1), Matched::False]);
        assert_eq!(all.missed, [2]);
    }

    #[test]
    fn a_find_of_another_class_never_takes_a_truth_from_its_own() {
        let all = match_picture(&[truth('a', 0.0)], &[find('b', 0.0, 0.9), find('a', 0.0, 0.3)]);
        assert_eq!(all.finds, [Matched::False, Matched::Right(0)]);
        assert!(all.missed.is_empty());
    }

    #[test]
    fn finds_in_a_crowd_count_for_nothing_and_a_crowd_is_not_missed() {
        let mut group = truth('a', 0.0);
        group.1.crowd = true;
        group.1.bounds.w = 60.0;
        let all = match_picture(&[group], &[find('a', 5.0, 0.9), find('a', 30.0, 0.8), find('b', 5.0, 0.8)]);
        assert_eq!(all.finds, [Matched::Ignored, Matched::Ignored, Matched::False]);
        assert!(all.missed.is_empty());
    }
}
