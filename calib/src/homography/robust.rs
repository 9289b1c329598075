//! Which control points agree with each other.
//!
//! In: pairs of which up to a quarter may be wrong. Out: the model that most of them agree on, and who does
//! not. Never: chance; the same points give the same answer on every machine.
//!
//! Least trimmed squares, found as in Rousseeuw & Van Driessen, "Computing LTS regression for large data
//! sets" (2006): many starts from four points each, concentration steps on the best of them, and then one
//! look back at each point that was left out, with the error that the model itself has there.

use nalgebra::{Matrix2, Matrix3, Vector2, Vector3};

use super::model::{LensFit, Model, Pair};
use crate::lens::Distortion;

/// Fewer points than this show that one is wrong, but not which.
pub(super) const REJECT_POINTS_MIN: usize = 6;
/// Starts at most. Twelve points have 495 subsets of four: all of them are tried, of more points a share.
const STARTS_MAX: usize = 500;
/// Starts that are followed further, for each first guess of the lens.
const FOLLOWED: usize = 3;
/// First guesses of k1, with the picture's width as unit: without one, a strong lens makes every point of
/// the rim look wrong.
const K1_GUESSES: [f64; 7] = [0.0, -0.1, -0.2, -0.35, -0.6, 0.1, 0.2];
/// 99.9 % quantile of chi-squared with two degrees of freedom: a point further off is wrong.
const GATE: f64 = 13.815_510_557_964_274;

/// What the points agree on.
#[derive(Debug)]
pub(super) struct Consensus {
    pub(super) model: Model,
    /// For each point whether it counts.
    pub(super) kept: Vec<bool>,
}

/// How many points may be wrong: one in four, and one from six on.
pub(super) fn wrong_max(points: usize) -> usize {
    if points < REJECT_POINTS_MIN { 0 } else { (points / 4).max(1) }
}

/// The consensus of the points, or `None` where there is none: fewer than [`REJECT_POINTS_MIN`], or more than
/// [`wrong_max`] of them disagree.
pub(super) fn consensus(
    pairs: &[Pair],
    lens: Distortion,
    fit: LensFit,
    mark_variance: f64,
) -> Option<Consensus> {
    let wrong = wrong_max(pairs.len());
    if wrong == 0 {
        return None;
    }
    let trimmed = Trimmed { pairs, fit, count: pairs.len() - wrong };
    let mut starts: Vec<Start> = Vec::new();
    match fit {
        LensFit::Fixed => starts.extend(trimmed.starts(lens)),
        LensFit::Free { .. } => {
            for k1 in K1_GUESSES {
                starts.extend(trimmed.starts(Distortion { k1, ..Distortion::NONE }));
            }
        }
    }
    let concentrated = starts.into_iter().filter_map(|start| trimmed.concentrated(start.model));
    let best = concentrated.min_by(|a, b| a.cost.total_cmp(&b.cost))?;
    looked_back(&trimmed, best, mark_variance)
}

/// A model and the sum of squares of the points that fit it best.
struct Start {
    model: Model,
    cost: f64,
}

struct Trimmed<'p> {
    pairs: &'p [Pair],
    fit: LensFit,
    /// How many points count.
    count: usize,
}

impl Trimmed<'_> {
    /// The best models through four points each.
    fn starts(&self, lens: Distortion) -> Vec<Start> {
        let straight: Option<Vec<Pair>> =
            self.pairs.iter().map(|(g, p)| Some((*g, lens.straighten(*p)?))).collect();
        let Some(straight) = straight else { return Vec::new() };
        let mut misses = vec![0.0; straight.len()];
        let mut best: Vec<Start> = Vec::with_capacity(FOLLOWED + 1);
        for four in subsets(straight.len()) {
            let Some(matrix) = through(four.map(|i| straight[i])) else { continue };
            let model = Model { matrix, lens: Distortion::NONE };
            for (miss, pair) in misses.iter_mut().zip(&straight) {
                *miss = model.miss2(pair);
            }
            let cost = smallest_sum(&mut misses, self.count);
            if cost.is_finite() && best.last().is_none_or(|last| best.len() < FOLLOWED || cost < last.cost) {
                let at = best.partition_point(|start| start.cost <= cost);
                best.insert(at, Start { model: Model { matrix, lens }, cost });
                best.truncate(FOLLOWED);
            }
        }
        best
    }

    /// Fits the points that fit best, again and again, until they are the same ones.
    fn concentrated(&self, mut model: Model) -> Option<Start> {
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            let chosen = self.nearest(&model);
            let chosen: Vec<Pair> = chosen.into_iter().map(|i| self.pairs[i]).collect();
            let refined = model.refined(&chosen, self.fit);
            let cost = refined.cost(&chosen, self.fit);
            if cost >= best * (1.0 - 1e-9) {
                break;
            }
            (model, best) = (refined, cost);
        }
        best.is_finite().then_some(Start { model, cost: best })
    }

    fn nearest(&self, model: &Model) -> Vec<usize> {
        let mut order: Vec<(f64, usize)> =
            self.pairs.iter().enumerate().map(|(i, pair)| (model.miss2(pair), i)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.truncate(self.count);
        order.into_iter().map(|(_, i)| i).collect()
    }
}

/// Takes back each point that the trimming left out and the model agrees with, and lets go of those it does
/// not agree with, one at a time.
fn looked_back(trimmed: &Trimmed<'_>, start: Start, mark_variance: f64) -> Option<Consensus> {
    let (pairs, fit) = (trimmed.pairs, trimmed.fit);
    let bound = if fit == LensFit::Fixed { 8 } else { 12 };
    let freedom = (2 * trimmed.count).saturating_sub(bound).max(2) as f64;
    // Marks that are all worse than assumed are not all wrong.
    let variance = mark_variance.max(start.cost / freedom);
    let mut kept = vec![false; pairs.len()];
    for i in trimmed.nearest(&start.model) {
        kept[i] = true;
    }
    let mut model = start.model;
    for _ in 0..2 * pairs.len() {
        let chosen: Vec<Pair> = std::iter::zip(pairs, &kept).filter(|(_, k)| **k).map(|(p, _)| *p).collect();
        model = model.refined(&chosen, fit);
        let covariance = model.covariance(&chosen, fit, variance)?;
        let distance = |i: usize| {
            let (ground, picture) = pairs[i];
            let Some(shown) = model.picture(ground) else { return f64::INFINITY };
            let j = model.by_parameters(ground);
            let own = j * covariance * j.transpose();
            let mark = Matrix2::identity() * variance;
            // A point that the fit rests on pulled it towards itself; one that it does not did not.
            let expected = if kept[i] { mark - own } else { mark + own };
            let miss = picture - shown;
            // Where the fit rests on one point alone, that point cannot be told wrong.
            let sound = expected.determinant() > 1e-6 * variance * variance && expected.trace() > 0.0;
            expected
                .try_inverse()
                .filter(|_| sound)
                .map_or(0.0, |inverse| (miss.transpose() * inverse * miss).x)
        };
        let distances: Vec<f64> = (0..pairs.len()).map(distance).collect();
        let welcome = (0..pairs.len()).filter(|&i| !kept[i] && distances[i] < GATE);
        let best = welcome.min_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        let unfit = (0..pairs.len()).filter(|&i| kept[i] && distances[i] >= GATE);
        let worst = unfit.max_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        match (best, worst) {
            (Some(i), _) => kept[i] = true,
            (None, Some(i)) => kept[i] = false,
            (None, None) => break,
        }
    }
    let dropped = kept.iter().filter(|k| !**k).count();
    (dropped <= wrong_max(pairs.len())).then_some(Consensus { model, kept })
}

/// Sum of the `count` smallest.
fn smallest_sum(values: &mut [f64], count: usize) -> f64 {
    if count < values.len() {
        values.select_nth_unstable_by(count, f64::total_cmp);
    }
    values[..count].iter().sum()
}

/// The homography through four points, seen from above; `None` where three lie on a line or one would lie
/// behind the camera. Both quadrangles are maps of the standard one (Hartley & Zisserman, section 2.4.6).
pub(super) fn through(four: [Pair; 4]) -> Option<Matrix3<f64>> {
    let basis = |points: [Vector2<f64>; 4]| {
        let [a, b, c, d] = points.map(|p| Vector3::new(p.x, p.y, 1.0));
        let corners = Matrix3::from_columns(&[a, b, c]);
        let weights = corners.try_inverse()? * d;
        let sound = weights.iter().all(|w| w.abs() > 1e-6);
        sound.then(|| corners * Matrix3::from_diagonal(&weights))
    };
    let ground = basis(four.map(|pair| pair.0))?;
    let picture = basis(four.map(|pair| pair.1))?;
    let h = picture * ground.try_inverse()?;
    super::model::oriented(h, &four).ok()
}

/// Four points that count and lie far apart in the picture: the two furthest from each other, the one
/// furthest from their line, and the one whose smallest triangle with two of these is largest.
pub(super) fn spread(pairs: &[Pair], kept: &[bool]) -> Option<[usize; 4]> {
    let counted: Vec<usize> = (0..pairs.len()).filter(|&i| kept[i]).collect();
    let at = |i: usize| pairs[i].1;
    let area = |a: usize, b: usize, c: usize| (at(b) - at(a)).perp(&(at(c) - at(a))).abs();
    let largest =
        |of: &dyn Fn(usize) -> f64| counted.iter().copied().max_by(|&a, &b| of(a).total_cmp(&of(b)));
    let first = *counted.first()?;
    let a = largest(&|i| (at(i) - at(first)).norm())?;
    let b = largest(&|i| (at(i) - at(a)).norm())?;
    let c = largest(&|i| area(a, b, i))?;
    let d = largest(&|i| area(a, b, i).min(area(b, c, i)).min(area(a, c, i)))?;
    Some([a, b, c, d])
}

/// All subsets of four, or a fixed choice of [`STARTS_MAX`].
fn subsets(points: usize) -> Vec<[usize; 4]> {
    let all = points * (points - 1) * (points - 2) * (points - 3) / 24;
    let mut found = Vec::with_capacity(all.min(STARTS_MAX));
    if all <= STARTS_MAX {
        for a in 0..points {
            for b in a + 1..points {
                for c in b + 1..points {
                    found.extend((c + 1..points).map(|d| [a, b, c, d]));
                }
            }
        }
        return found;
    }
    let mut random = SplitMix(0x5348_4952_4F4E_4721);
    while found.len() < STARTS_MAX {
        let four: [usize; 4] = std::array::from_fn(|_| random.below(points));
        if (1..4).all(|i| !four[..i].contains(&four[i])) {
            found.push(four);
        }
    }
    found
}

/// SplitMix64 (Steele, Lea & Flood 2014): the same numbers everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
