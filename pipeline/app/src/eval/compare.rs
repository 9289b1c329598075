//! Where a model does worse than another on the same pictures.
//!
//! In: both, measured. Out: the pictures that changed most for the worse, and what was lost or newly wrong
//! there. Never: a judgement which model is better; the table says that.

use models::measure::{Matched, Matching};
use serde::Serialize;

use super::dataset::Pictured;
use super::measured::{Measured, MeasuredPicture};

/// Pictures that are named.
pub(super) const PICTURES_MAX: usize = 10;

/// A picture on which the new model makes more mistakes.
#[derive(Debug, Serialize)]
pub(super) struct Worse {
    /// The picture.
    pub(super) picture: String,
    /// Truths missed: new model, other model.
    pub(super) missed: [usize; 2],
    /// Wrong finds: new model, other model.
    pub(super) wrong: [usize; 2],
}

/// The pictures with more mistakes than before, the most first.
pub(super) fn worse(pictures: &[Pictured], new: &Measured, old: &Measured) -> Vec<Worse> {
    let both = new.pictures.iter().zip(&old.pictures).enumerate();
    let all = both.map(|(at, (new, old))| Worse {
        picture: pictures[at].name.clone(),
        missed: [new, old].map(|one| one.matching.missed.len()),
        wrong: [new, old].map(|one| one.matching.finds.iter().filter(|find| is_wrong(find)).count()),
    });
    let more = |one: &Worse| (one.missed[0] + one.wrong[0]) as i64 - (one.missed[1] + one.wrong[1]) as i64;
    let mut worse: Vec<Worse> = all.filter(|one| more(one) > 0).collect();
    worse.sort_by_key(|one| std::cmp::Reverse(more(one)));
    worse
}

/// Whether a find is a mistake.
pub(super) fn is_wrong(find: &Matched) -> bool {
    matches!(find, Matched::Mistaken(_) | Matched::Double(_) | Matched::False)
}

/// Truths that the new model misses and the other found, largest first: picture and place.
pub(super) fn lost(new: &Measured, old: &Measured) -> Vec<(usize, usize)> {
    let found = |matching: &Matching, truth: usize| matching.finds.contains(&Matched::Right(truth));
    let both = new.pictures.iter().zip(&old.pictures).enumerate();
    let mut lost: Vec<(usize, usize)> = both
        .flat_map(|(at, (new, old))| {
            let here = (0..new.truths.len())
                .filter(|&truth| found(&old.matching, truth) && !found(&new.matching, truth));
            here.map(move |truth| (at, truth)).collect::<Vec<_>>()
        })
        .collect();
    let area = |&(at, truth): &(usize, usize)| new.pictures[at].truths[truth].1.bounds.area();
    lost.sort_by(|a, b| area(b).total_cmp(&area(a)));
    lost
}

/// Wrong finds of the new model where the other says nothing alike, surest first: picture and place.
pub(super) fn newly_wrong(new: &Measured, old: &Measured) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, (new, old)) in new.pictures.iter().zip(&old.pictures).enumerate() {
        let wrong = (0..new.found.len()).filter(|&find| is_wrong(&new.matching.finds[find]));
        found.extend(wrong.filter(|&find| !says_alike(new, find, old)).map(|find| (at, find)));
    }
    let score = |&(at, find): &(usize, usize)| new.pictures[at].found[find].1.score;
    found.sort_by(|a, b| score(b).total_cmp(&score(a)));
    found
}

fn says_alike(new: &MeasuredPicture, find: usize, old: &MeasuredPicture) -> bool {
    let (row, find) = new.found[find];
    let as_truth = |bounds| models::measure::Truth { bounds, crowd: false };
    old.found.iter().any(|(other, one)| *other == row && find.bounds.fit(&as_truth(one.bounds)) >= 0.5)
}
