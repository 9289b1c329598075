//! Which boxes are worth looking at.
//!
//! In: what was measured. Out: tiles: a seeded sample of what the model says, the same number of each row as
//! far as there are, and its worst mistakes. Never: a pixel.

use models::measure::Matched;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::compare;
use super::dataset::Pictured;
use super::measured::{Measured, MeasuredPicture};
use super::rows::Rows;
use super::sheet::Tile;

/// Detections in the sample.
pub(super) const SAMPLE: usize = 100;
/// Mistakes shown.
pub(super) const MISTAKES: usize = 50;

/// A box of a picture: where in the lists.
#[derive(Debug, Clone, Copy)]
enum Place {
    Found(usize, usize),
    Truth(usize, usize),
}

/// Pictures, their measure and the names of rows.
pub(super) struct Choice<'a> {
    pub(super) pictures: &'a [Pictured],
    pub(super) measured: &'a Measured,
    pub(super) rows: &'a Rows,
}

impl<'a> Choice<'a> {
    /// A sample of what the model says at its thresholds, by row.
    pub(super) fn sample(&self, seed: u64) -> Vec<Tile<'a>> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut by_row: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.rows.rows.len()];
        for (picture, find) in self.finds(|_| true) {
            by_row[self.measured.pictures[picture].found[find].0].push((picture, find));
        }
        by_row.iter_mut().for_each(|all| all.shuffle(&mut random));
        let kept = shares(&by_row.iter().map(Vec::len).collect::<Vec<_>>(), SAMPLE);
        let all = by_row.iter().zip(kept).flat_map(|(all, kept)| &all[..kept]);
        all.map(|&(picture, find)| self.tile(Place::Found(picture, find), None)).collect()
    }

    /// Surest wrong finds, surest mix-ups of classes and largest missed truths, a third each as far as there are.
    pub(super) fn mistakes(&self) -> Vec<Tile<'a>> {
        let surest = |mut all: Vec<(usize, usize)>| {
            let score =
                |&(picture, find): &(usize, usize)| self.measured.pictures[picture].found[find].1.score;
            all.sort_by(|a, b| score(b).total_cmp(&score(a)));
            all.into_iter().map(|(picture, find)| Place::Found(picture, find)).collect::<Vec<_>>()
        };
        let wrong = surest(self.finds(|find| matches!(find, Matched::False | Matched::Double(_))));
        let mistaken = surest(self.finds(|find| matches!(find, Matched::Mistaken(_))));
        let each = self.measured.pictures.iter().enumerate();
        let mut missed: Vec<(usize, usize)> = each
            .flat_map(|(at, picture)| picture.matching.missed.iter().map(move |&truth| (at, truth)))
            .collect();
        let area = |&(at, truth): &(usize, usize)| self.measured.pictures[at].truths[truth].1.bounds.area();
        missed.sort_by(|a, b| area(b).total_cmp(&area(a)));
        let missed: Vec<Place> = missed.into_iter().map(|(at, truth)| Place::Truth(at, truth)).collect();
        let kinds = [wrong, mistaken, missed];
        let kept = shares(&kinds.each_ref().map(Vec::len), MISTAKES);
        kinds
            .iter()
            .zip(kept)
            .flat_map(|(all, kept)| &all[..kept])
            .map(|&place| self.tile(place, None))
            .collect()
    }

    /// What is worse than with another model: truths lost and finds newly wrong.
    pub(super) fn worse(&self, old: &Measured) -> Vec<Tile<'a>> {
        let lost = compare::lost(self.measured, old).into_iter().map(|(at, truth)| Place::Truth(at, truth));
        let wrong =
            compare::newly_wrong(self.measured, old).into_iter().map(|(at, find)| Place::Found(at, find));
        let kinds: [Vec<Place>; 2] = [lost.collect(), wrong.collect()];
        let kept = shares(&kinds.each_ref().map(Vec::len), MISTAKES);
        let all = kinds.iter().zip(kept).zip(["lost", "new"]);
        all.flat_map(|((all, kept), word)| all[..kept].iter().map(move |&place| self.tile(place, Some(word))))
            .collect()
    }

    /// Finds of a kind; those in crowds are of none.
    fn finds(&self, wanted: impl Fn(&Matched) -> bool) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for (at, picture) in self.measured.pictures.iter().enumerate() {
            let finds = picture.matching.finds.iter().enumerate();
            let kept = finds.filter(|(_, find)| **find != Matched::Ignored && wanted(find));
            all.extend(kept.map(|(find, _)| (at, find)));
        }
        all
    }

    fn tile(&self, place: Place, word: Option<&str>) -> Tile<'a> {
        let (Place::Found(at, _) | Place::Truth(at, _)) = place;
        let picture: &MeasuredPicture = &self.measured.pictures[at];
        let row = |at: usize| self.rows.rows[at].name.as_str();
        let (about, is_truth, mark, says) = match place {
            Place::Truth(_, truth) => {
                let (class, truth) = picture.truths[truth];
                let says = format!("{} {}", word.unwrap_or("missed"), row(class));
                (truth.bounds, true, row(class).to_owned(), says)
            }
            Place::Found(_, find) => {
                let (class, found) = picture.found[find];
                let kind = match picture.matching.finds[find] {
                    Matched::Right(_) | Matched::Ignored => format!("{} right", row(class)),
                    Matched::Mistaken(truth) => {
                        format!("{}, is {}", row(class), row(picture.truths[truth].0))
                    }
                    Matched::Double(_) => format!("double {}", row(class)),
                    Matched::False => format!("false {}", row(class)),
                };
                let says = word.map_or(kind.clone(), |word| format!("{word} {kind}"));
                (found.bounds, false, format!("{:.2}", found.score), says)
            }
        };
        Tile {
            file: &self.pictures[at].file,
            says,
            about,
            is_truth,
            mark,
            truths: picture.truths.iter().map(|(_, truth)| truth.bounds).collect(),
            found: picture.found.iter().map(|(_, found)| found.bounds).collect(),
        }
    }
}

/// How many of each to take so that all are `total` and as equal as they can be.
fn shares(there: &[usize], total: usize) -> Vec<usize> {
    let mut taken = vec![0; there.len()];
    let mut left = total.min(there.iter().sum());
    while left > 0 {
        for (taken, there) in taken.iter_mut().zip(there) {
            if left > 0 && *taken < *there {
                *taken += 1;
                left -= 1;
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_are_equal_as_far_as_there_are() {
        assert_eq!(shares(&[100, 3, 100], 50), [24, 3, 23]);
        assert_eq!(shares(&[2, 0], 50), [2, 0]);
        assert_eq!(shares(&[], 50), [0; 0]);
    }
}
