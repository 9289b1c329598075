//! How the cases of clips compare with their truth.
//!
//! In: each clip's events and the cases that the rules opened. Out: the shares that `shirong sim` gives, and a
//! line for each miss and each false case. Never: a clip, a clock.
//!
//! A case is about an event when its matter is the event's, it was opened between the event's begin and
//! [`AFTER_S_MAX`] past its end, and the boxes agree. Of several such events it is about the one whose box agrees
//! best. The first case of an event finds it; those after it are duplicates, which are not false. A finding that
//! joined an open case finds its event too and is no case.

use std::collections::BTreeMap;

use calib::space::ImageBox;
use serde_json::{Value, json};

use super::truth::{Event, Truth};

/// A case may be opened so long after its event ended: a look comes when it comes.
const AFTER_S_MAX: f64 = 5.0;
/// Boxes agree from this share of their union, or of the smaller of the two, on.
const IOU_MIN: f32 = 0.1;
const SMALLER_MIN: f32 = 0.5;

/// A finding that the rules confirmed.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// The rule's name.
    pub(super) kind: &'static str,
    /// The matter's code.
    pub(super) matter: String,
    pub(super) bounds: ImageBox,
    /// When it was confirmed, seconds into the clip.
    pub(super) at_s: f64,
    /// Whether it opened a case; else it joined one.
    pub(super) is_new: bool,
}

/// Counts of one kind.
#[derive(Debug, Clone, Default)]
struct Tally {
    events: usize,
    found: usize,
    right: usize,
    wrong: usize,
    confirm_s: Vec<f64>,
}

/// The shares of one kind, or of all. `None` where there is nothing to take a share of.
#[derive(Debug, Clone)]
pub(super) struct Ratios {
    pub(super) events: usize,
    pub(super) found: usize,
    pub(super) cases: usize,
    pub(super) wrong: usize,
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
    pub(super) duplicates_per_event: Option<f64>,
    pub(super) confirm_s_p50: Option<f64>,
}

impl Tally {
    fn ratios(&self) -> Ratios {
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        let cases = self.right + self.wrong;
        let mut confirm_s = self.confirm_s.clone();
        confirm_s.sort_by(f64::total_cmp);
        Ratios {
            events: self.events,
            found: self.found,
            cases,
            wrong: self.wrong,
            precision: share(self.right, cases),
            recall: share(self.found, self.events),
            duplicates_per_event: share(self.right.max(self.found), self.found),
            confirm_s_p50: confirm_s.get(confirm_s.len() / 2).copied(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.found += other.found;
        self.right += other.right;
        self.wrong += other.wrong;
        self.confirm_s.extend(&other.confirm_s);
    }
}

/// What was found, missed and false so far.
#[derive(Debug, Default)]
pub(super) struct Score {
    kinds: BTreeMap<String, Tally>,
    missed: Vec<Value>,
    wrong: Vec<Value>,
    clips: usize,
}

impl Score {
    /// Compares a clip's cases with its truth; says how it went in one line.
    pub(super) fn take(&mut self, clip: &str, truth: &Truth, reports: &[Report]) -> String {
        self.clips += 1;
        let mut of_event: Vec<Vec<&Report>> = vec![Vec::new(); truth.events.len()];
        let mut wrong = 0;
        for report in reports {
            match best(report, &truth.events) {
                Some(at) => of_event[at].push(report),
                None if !report.is_new => {}
                None => {
                    wrong += 1;
                    self.kind(report.kind).wrong += 1;
                    self.wrong.push(wrong_line(clip, truth, report));
                }
            }
        }
        let mut found = 0;
        for (event, of_it) in truth.events.iter().zip(&of_event) {
            let tally = self.kind(&event.kind);
            tally.events += 1;
            tally.right += of_it.iter().filter(|report| report.is_new).count();
            if let Some(first) = of_it.first() {
                tally.found += 1;
                tally.confirm_s.push(first.at_s - event.from_s);
                found += 1;
            } else {
                self.missed.push(missed_line(clip, event));
            }
        }
        let opened = |of_it: &Vec<&Report>| of_it.iter().filter(|report| report.is_new).count();
        let doubles = of_event.iter().map(|of_it| opened(of_it).saturating_sub(1)).sum::<usize>();
        format!("{clip}: {found} of {} events found, {wrong} false, {doubles} double", truth.events.len())
    }

    fn kind(&mut self, kind: &str) -> &mut Tally {
        self.kinds.entry(kind.to_owned()).or_default()
    }

    /// Each kind by name.
    pub(super) fn kinds(&self) -> BTreeMap<&str, Ratios> {
        self.kinds.iter().map(|(kind, tally)| (kind.as_str(), tally.ratios())).collect()
    }

    /// All kinds together.
    pub(super) fn all(&self) -> Ratios {
        let mut all = Tally::default();
        self.kinds.values().for_each(|tally| all.add(tally));
        all.ratios()
    }

    /// A line for each event without a case.
    pub(super) fn missed(&self) -> Vec<String> {
        self.missed.iter().map(words).collect()
    }

    /// A line for each case without an event.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.iter().map(words).collect()
    }

    /// The same keys as `shirong sim`, and what explains them.
    pub(super) fn json(&self, model: &str) -> Value {
        let mut all = ratios_json(&self.all());
        let kinds: BTreeMap<&str, Value> =
            self.kinds().iter().map(|(kind, ratios)| (*kind, ratios_json(ratios))).collect();
        all["kinds"] = json!(kinds);
        all["clips"] = json!(self.clips);
        all["model"] = json!(model);
        all["missed"] = json!(self.missed);
        all["wrong"] = json!(self.wrong);
        all
    }
}

fn ratios_json(ratios: &Ratios) -> Value {
    json!({
        "events": ratios.events,
        "found": ratios.found,
        "cases": ratios.cases,
        "false": ratios.wrong,
        "precision": ratios.precision,
        "recall": ratios.recall,
        "duplicates_per_event": ratios.duplicates_per_event,
        "confirm_s_p50": ratios.confirm_s_p50,
    })
}

fn best(report: &Report, events: &[Event]) -> Option<usize> {
    let fits = |event: &Event| {
        let in_time = report.at_s >= event.from_s && report.at_s <= event.to_s + AFTER_S_MAX;
        in_time && event.matters.contains(&report.matter) && agree(&report.bounds, &event.bounds)
    };
    let fitting = events.iter().enumerate().filter(|(_, event)| fits(event));
    let iou = |event: &Event| event.bounds.iou(&report.bounds);
    // The first of two that agree equally.
    fitting.rev().max_by(|(_, a), (_, b)| iou(a).total_cmp(&iou(b))).map(|(at, _)| at)
}

fn agree(a: &ImageBox, b: &ImageBox) -> bool {
    let smaller = a.area().min(b.area());
    a.iou(b) >= IOU_MIN || (smaller > 0.0 && a.intersection(b) >= SMALLER_MIN * smaller)
}

fn missed_line(clip: &str, event: &Event) -> Value {
    json!({
        "clip": clip, "at_s": event.from_s, "to_s": event.to_s, "matter": event.matters[0], "id": event.id,
        "what": event.what, "box": shares(event.bounds),
    })
}

fn wrong_line(clip: &str, truth: &Truth, report: &Report) -> Value {
    let at = truth.decoys.iter().find(|decoy| agree(&decoy.bounds, &report.bounds));
    let event = truth.events.iter().find(|event| agree(&event.bounds, &report.bounds));
    let what = match (at, event) {
        (Some(decoy), _) => format!("where this is no case: {}", decoy.what),
        (None, Some(event)) => {
            format!("where {} is {} from {} s to {} s", event.id, event.matters[0], event.from_s, event.to_s)
        }
        (None, None) => "where nothing is scripted".to_owned(),
    };
    json!({
        "clip": clip, "at_s": report.at_s, "matter": report.matter, "kind": report.kind, "what": what,
        "box": shares(report.bounds),
    })
}

/// Four decimals: a hundredth of a pixel.
fn shares(bounds: ImageBox) -> [f64; 4] {
    <[f32; 4]>::from(bounds).map(|share| (f64::from(share) * 1e4).round() / 1e4)
}

fn words(one: &Value) -> String {
    let text = |key: &str| one[key].as_str().unwrap_or("").to_owned();
    let at_s = one["at_s"].as_f64().unwrap_or(0.0);
    format!("{} at {at_s:.1} s: {} {}", text("clip"), text("matter"), text("what"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, from_s: f64, bounds: [f32; 4]) -> Event {
        Event {
            id: id.into(),
            kind: "litter".into(),
            matters: vec!["06010".into()],
            what: "a bag".into(),
            from_s,
            to_s: from_s + 60.0,
            bounds: bounds.into(),
        }
    }

    fn report(matter: &str, at_s: f64, bounds: [f32; 4]) -> Report {
        Report { kind: "litter", matter: matter.into(), bounds: bounds.into(), at_s, is_new: true }
    }

    #[test]
    fn found_once_double_late_elsewhere_and_of_another_matter_are_told_apart() {
        let events = vec![event("a", 10.0, [0.1, 0.1, 0.2, 0.2]), event("b", 10.0, [0.5, 0.5, 0.6, 0.6])];
        let truth = Truth { events, decoys: Vec::new() };
        let here = [0.1, 0.1, 0.21, 0.2];
        let reports = [
            report("06010", 40.0, here),
            report("06010", 50.0, here),
            report("06010", 5.0, here),
            report("06010", 76.0, here),
            report("09006", 40.0, here),
            report("06010", 40.0, [0.8, 0.8, 0.9, 0.9]),
        ];
        let mut score = Score::default();
        assert_eq!(score.take("clip", &truth, &reports), "clip: 1 of 2 events found, 4 false, 1 double");
        let all = score.all();
        assert_eq!((all.events, all.found, all.cases, all.wrong), (2, 1, 6, 4));
        assert_eq!(
            (all.recall, all.duplicates_per_event, all.confirm_s_p50),
            (Some(0.5), Some(2.0), Some(30.0))
        );
        assert!(score.missed()[0].contains("clip at 10.0 s: 06010"), "{:?}", score.missed());
        assert_eq!(score.json("m")["kinds"]["litter"]["false"], 4);
    }

    #[test]
    fn a_clean_clip_has_no_shares_and_no_false_ones() {
        let mut score = Score::default();
        score.take("clean", &Truth::default(), &[]);
        let all = score.json("m");
        assert!(all["precision"].is_null() && all["recall"].is_null() && all["kinds"] == json!({}), "{all}");
    }
}
