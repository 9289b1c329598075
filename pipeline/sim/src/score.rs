//! How the cases compare with the truth.
//!
//! In: violations with what was shown of them, cases. Out: precision, recall, duplicates and time to confirm, in
//! all and by kind, and what was missed or false.
//!
//! - A case is *right* when at its opening a violation of its matter was there (until a minute after its end), at
//!   most 6 m from its place, or within the case's own error where that is more, 20 m at most. Precision is the
//!   share of the cases that are right.
//! - A violation is *asked for* when a camera whose file has the rule watched it for at least the rule's dwell and
//!   two looks: it showed at least 28 of 1080 rows, six tenths of it in the picture, in looks that came (no lost
//!   stream) and had no fault (not covered, dark, glaring, nudged); gaps count two looks at most. What hides it
//!   and what the model misses excuses nothing. One that is found and was not asked for counts for neither side.
//!   One that began in the last hour of the run is not asked for.
//! - It is *found* when a finding about it opened a case or became a sighting of an open one.
//! - A case is a *duplicate* when it was opened while another one about its violation was open. One opened after
//!   those were closed is *reopened*: somebody closed it and the thing was still there.
//! - Time to confirm runs from the first instant at which a camera without a fault could have seen it.
//!
//! Never: a threshold for what is good enough.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::desk::CaseRecord;
use crate::lookout::Lookout;
use crate::site::Site;
use crate::truth::Truth;

/// How one kind, or all of them, did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct KindScore {
    /// Violations that were asked for.
    pub events: usize,
    /// Of those, found.
    pub found: usize,
    /// Violations that were found and not asked for.
    pub found_beside: usize,
    /// Cases.
    pub cases: usize,
    /// Of those, right.
    pub right: usize,
    /// Right cases opened beside an open one.
    pub duplicates: usize,
    /// Right cases opened again after an earlier one was closed.
    pub reopened: usize,
    /// Share of the cases that are right; `None` without cases.
    pub precision: Option<f64>,
    /// Share of the violations asked for that were found.
    pub recall: Option<f64>,
    /// Cases open at a time for a violation that was found: 1 is none too many.
    pub duplicates_per_event: Option<f64>,
    /// Median time to confirm, seconds.
    pub confirm_s_p50: Option<f64>,
    /// The same, less the rule's dwell.
    pub confirm_over_dwell_s_p50: Option<f64>,
    /// What the median may be: dwell and two looks, seconds; for all kinds the two looks alone, over the dwell.
    pub confirm_s_aim: f64,
    #[serde(skip)]
    confirm_ms: Vec<i64>,
    #[serde(skip)]
    over_ms: Vec<i64>,
}

/// How a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// All kinds.
    #[serde(flatten)]
    pub all: KindScore,
    /// By kind.
    pub kinds: BTreeMap<&'static str, KindScore>,
    /// What false cases took for a violation, and how often.
    pub false_cases: BTreeMap<String, usize>,
    /// What was missed, and how often.
    pub missed: BTreeMap<String, usize>,
}

/// What began so late that it may not be confirmed before the end is not asked for, milliseconds.
const LAST_MS: i64 = 3_600_000;

pub(crate) fn score(sites: &[Site], lookouts: &[Lookout], cases: &[CaseRecord]) -> Score {
    let mut kinds: BTreeMap<&'static str, KindScore> = BTreeMap::new();
    let (mut false_cases, mut missed) = (BTreeMap::new(), BTreeMap::new());
    let ends_ms = sites.iter().flat_map(|site| &site.truths).map(|truth| truth.span_ms.0).max();
    for truth in sites.iter().flat_map(|site| &site.truths) {
        let of_kind = kinds.entry(truth.kind.name()).or_default();
        of_kind.duplicates += truth.doubled as usize;
        of_kind.reopened += truth.cases.len().saturating_sub(1 + truth.doubled as usize);
        let asked =
            asked(truth, lookouts).filter(|_| ends_ms.is_some_and(|ends| truth.span_ms.0 < ends - LAST_MS));
        let Some(asked) = asked else {
            of_kind.found_beside += usize::from(truth.found_ms.is_some());
            continue;
        };
        of_kind.events += 1;
        of_kind.confirm_s_aim = asked.dwell_s + 2.0 * asked.look_s;
        if let Some(found_ms) = truth.found_ms {
            of_kind.found += 1;
            let confirm_ms = found_ms - asked.since_ms;
            of_kind.confirm_ms.push(confirm_ms);
            of_kind.over_ms.push(confirm_ms - (asked.dwell_s * 1000.0) as i64);
        } else {
            *missed.entry(why_missed(truth, &asked)).or_default() += 1;
        }
    }
    for case in cases {
        let of_kind = kinds.entry(case.kind).or_default();
        of_kind.cases += 1;
        of_kind.right += usize::from(case.about.is_some());
        if case.about.is_none() {
            let again = if case.linked.is_some() { ", again" } else { "" };
            *false_cases.entry(format!("{}: {}{again}", case.kind, case.why)).or_default() += 1;
        }
    }
    Score::of(kinds, false_cases, missed)
}

impl Score {
    fn of(
        mut kinds: BTreeMap<&'static str, KindScore>,
        false_cases: BTreeMap<String, usize>,
        missed: BTreeMap<String, usize>,
    ) -> Self {
        let mut all = KindScore::default();
        for kind in kinds.values_mut() {
            all.add(kind);
            kind.finish();
        }
        all.confirm_s_aim = 60.0;
        all.finish();
        Self { all, kinds, false_cases, missed }
    }

    /// The score of several runs together.
    pub fn together(scores: &[Self]) -> Self {
        let mut kinds: BTreeMap<&'static str, KindScore> = BTreeMap::new();
        let (mut false_cases, mut missed) = (BTreeMap::new(), BTreeMap::new());
        for score in scores {
            for (name, kind) in &score.kinds {
                kinds.entry(name).or_default().add(kind);
            }
            for (sum, part) in [(&mut false_cases, &score.false_cases), (&mut missed, &score.missed)] {
                for (what, count) in part {
                    *sum.entry(what.clone()).or_default() += count;
                }
            }
        }
        Self::of(kinds, false_cases, missed)
    }
}

impl KindScore {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.found += other.found;
        self.found_beside += other.found_beside;
        self.cases += other.cases;
        self.right += other.right;
        self.duplicates += other.duplicates;
        self.reopened += other.reopened;
        self.confirm_s_aim = self.confirm_s_aim.max(other.confirm_s_aim);
        self.confirm_ms.extend(&other.confirm_ms);
        self.over_ms.extend(&other.over_ms);
    }

    fn finish(&mut self) {
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        self.precision = share(self.right, self.cases);
        self.recall = share(self.found, self.events);
        let found = self.found + self.found_beside;
        self.duplicates_per_event = share(found + self.duplicates, found);
        self.confirm_s_p50 = median_s(&mut self.confirm_ms);
        self.confirm_over_dwell_s_p50 = median_s(&mut self.over_ms);
    }
}

fn median_s(all_ms: &mut [i64]) -> Option<f64> {
    all_ms.sort_unstable();
    all_ms.get(all_ms.len() / 2).map(|ms| *ms as f64 / 1000.0)
}

/// What a camera had of a violation that is asked for.
struct Asked {
    since_ms: i64,
    dwell_s: f64,
    /// Between looks, on average.
    look_s: f64,
    watched_ms: i64,
}

/// Whether a violation is asked for: some camera could have told it.
fn asked(truth: &Truth, lookouts: &[Lookout]) -> Option<Asked> {
    let could = truth.shown.iter().filter_map(|shown| {
        let rules = &lookouts[shown.camera].camera.rules;
        let rule = rules.iter().find(|rule| rule.kind.name() == truth.kind.name())?;
        let look_ms = shown.watched_ms / i64::from(shown.looks);
        let enough = shown.watched_ms >= rule.dwell_ms + 2 * look_ms;
        enough.then(|| Asked {
            since_ms: shown.since_ms,
            dwell_s: rule.dwell_ms as f64 / 1000.0,
            look_s: look_ms as f64 / 1000.0,
            watched_ms: shown.watched_ms,
        })
    });
    could.min_by_key(|asked| asked.since_ms)
}

fn why_missed(truth: &Truth, asked: &Asked) -> String {
    let dwells = asked.watched_ms as f64 / 1000.0 / (asked.dwell_s + 2.0 * asked.look_s);
    let long = match dwells {
        d if d < 1.5 => "under 1.5 times what is asked for",
        d if d < 3.0 => "under 3 times",
        d if d < 10.0 => "under 10 times",
        _ => "10 times and more",
    };
    let light = if asked.look_s > 60.0 { ", by night" } else { "" };
    format!("{}: {}, shown {long}{light}", truth.kind.name(), truth.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::Kind;

    #[test]
    fn kinds_without_events_divide_by_nothing() {
        let score = Score::of(BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        assert_eq!((score.all.precision, score.all.recall, score.all.confirm_s_p50), (None, None, None));
    }

    #[test]
    fn scores_together_are_those_of_all_their_events() {
        let of = |found, confirm_ms: Vec<i64>| {
            let kind = KindScore { events: 4, found, cases: 4, right: 3, confirm_ms, ..KindScore::default() };
            Score::of([(Kind::Litter.name(), kind)].into(), BTreeMap::new(), BTreeMap::new())
        };
        let both = Score::together(&[of(4, vec![1000, 9000]), of(2, vec![5000])]);
        assert_eq!((both.all.recall, both.all.precision), (Some(0.75), Some(0.75)));
        assert_eq!(both.kinds["litter"].confirm_s_p50, Some(5.0));
    }
}
