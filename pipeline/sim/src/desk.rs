//! The cases: findings become cases or sightings of them as in the store, and somebody ends them.
//!
//! In: what cameras tell, in the order of time. Out: cases, and which violation each is about. Never: a rule; who
//! judges is `logic::dedupe`, and the table of `report`'s `commit` is followed line by line:
//!
//! | the spot has | confirmed | seen |
//! |---|---|---|
//! | no case yet | judge | judge |
//! | an open case | nothing | sighting |
//! | a closed case | nothing | judge; a new case is linked to the closed one |
//!
//! A position is worked out only where somebody asks for it: a sighting of its own spot's open case needs none.

use std::collections::{BTreeMap, VecDeque};

use calib::grid::Grids;
use calib::time::Timestamp;
use logic::dedupe::{OpenCase, Opener, Verdict, judge};
use logic::dismissed::DISMISSED_MS;
use logic::finding::{Finding, SpotId};
use logic::place::place;

use crate::dice::Dice;
use crate::log::{Line, Log};
use crate::lookout::{Lookout, Told};
use crate::site::Site;
use crate::sky::{HOUR_MS, about, minutes_ms};
use crate::street::Place;

/// How many closed cases of a matter, latest first, are searched for the one that came back; as in the store.
const CLOSED_SEARCHED_MAX: usize = 512;
/// Further than this from the truth, or than the case's own error where that is more, a case is about something
/// else, metres; and the most that an error excuses.
const PLACE_M: (f64, f64) = (6.0, 20.0);
/// A finding comes at most so long after its violation ended, milliseconds: looks are not more frequent.
const LATE_MS_MAX: i64 = 60_000;
/// Share of the cases that are closed when the thing is gone; the others are closed whether it is or not.
const CLOSED_WHEN_GONE: f64 = 0.85;
/// How long after that, or after the case was opened, minutes; and until a false one is rejected.
const CLOSED_AFTER_MIN: (f64, f64) = (5.0, 240.0);
const REJECTED_AFTER_MIN: (f64, f64) = (10.0, 480.0);

/// How long a rejection holds of what does stand there and is allowed, milliseconds: its keeper leaves that day.
const ALLOWED_MS: i64 = 12 * HOUR_MS;
/// What a camera tells this near to what was rejected is the same, metres.
const SAME_M: f64 = 1.0;

/// How near a thing must stand for a case to have taken it for something, metres.
const SOMETHING_M: f64 = 2.5;
/// Why a case is false where nothing stood.
const NOTHING_THERE: &str = "nothing there";

/// One case.
#[derive(Debug)]
pub(crate) struct CaseRecord {
    pub(crate) code: String,
    pub(crate) kind: &'static str,
    pub(crate) linked: Option<usize>,
    /// The violation that it is about; `None` for a false one.
    pub(crate) about: Option<(usize, usize)>,
    /// What stood there, where it is false.
    pub(crate) why: String,
    /// What its end says to the camera that opened it.
    rejects: Option<Dismissal>,
    is_open: bool,
}

/// A spot that a person has said is no matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dismissal {
    pub(crate) camera: usize,
    pub(crate) spot: SpotId,
    pub(crate) until: Timestamp,
    kind: &'static str,
    at: Place,
}

/// All cases of a run.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) cases: Vec<CaseRecord>,
    open: Vec<OpenCase>,
    closed: BTreeMap<String, VecDeque<(usize, OpenCase)>>,
    spots: BTreeMap<(usize, SpotId), usize>,
    /// When each open case is ended.
    ends: BTreeMap<(i64, usize), ()>,
    /// What a person has rejected: the camera's watch is told so at the end of the day, and until then what it
    /// would have passed over is left out here.
    pub(crate) to_dismiss: Vec<Dismissal>,
    seed: u64,
}

fn case_id(number: usize) -> String {
    // Of one length, so that the order of ids is that of age.
    format!("{number:08}")
}

impl Desk {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            cases: Vec::new(),
            open: Vec::new(),
            closed: BTreeMap::new(),
            spots: BTreeMap::new(),
            ends: BTreeMap::new(),
            to_dismiss: Vec::new(),
            seed,
        }
    }

    /// Takes what one camera told; tellings come in the order of time.
    pub(crate) fn take(
        &mut self,
        told: &Told,
        lookout: &Lookout,
        sites: &mut [Site],
        grids: &Grids,
        log: &mut Log<'_>,
    ) {
        let at_ms = told.sight.at.as_millis();
        self.end_until(at_ms, log);
        let spot = (told.camera, told.sight.spot);
        let known = self.spots.get(&spot).copied();
        if known.is_some_and(|case| told.is_first || self.cases[case].is_open) {
            return;
        }
        let finding = place(&lookout.id, &lookout.camera, grids, &told.sight);
        if self.is_dismissed(told.camera, lookout, &finding, &sites[lookout.site]) {
            return;
        }
        let case = match judge(&finding, &self.open) {
            Verdict::SightingOf(id) => {
                let case = id.parse::<usize>().unwrap_or_default();
                log.line(Line::found("sighting", &finding, case));
                case
            }
            Verdict::New => {
                let linked = known.or_else(|| self.latest_closed_about(&finding));
                self.open(&finding, told.camera, lookout, linked, sites, log)
            }
        };
        self.spots.insert(spot, case);
        if let Some(number) = truth_of(&finding, &sites[lookout.site]) {
            let truth = &mut sites[lookout.site].truths[number];
            truth.found_ms.get_or_insert(at_ms);
        }
    }

    fn open(
        &mut self,
        finding: &Finding,
        camera: usize,
        lookout: &Lookout,
        linked: Option<usize>,
        sites: &mut [Site],
        log: &mut Log<'_>,
    ) -> usize {
        let (number, at_ms) = (self.cases.len(), finding.sight.at.as_millis());
        let site = &mut sites[lookout.site];
        let about = truth_of(finding, site);
        let kind = lookout.camera.rules[finding.sight.rule].kind.name();
        let (mut why, mut rejects) = (String::new(), None);
        let ends_ms;
        let mut dice = Dice::about(self.seed, &[about::DESK, number as u64]);
        let (when_gone, after) = (dice.chance(CLOSED_WHEN_GONE), dice.unit());
        let between = |(low, high): (f64, f64)| minutes_ms(low * (high / low).powf(after));
        if let Some(truth) = about.map(|number| &mut site.truths[number]) {
            let double = truth.cases.iter().any(|case| self.cases[*case].is_open);
            truth.doubled += u32::from(double);
            truth.cases.push(number);
            let gone_ms = if when_gone { truth.span_ms.1.max(at_ms) } else { at_ms };
            ends_ms = gone_ms + between(CLOSED_AFTER_MIN);
        } else {
            why = why_not(finding, site);
            // Where it is a violation of another matter, a person says so and deals with that.
            let other = other_truth(finding, site).map(|number| site.truths[number].span_ms.1);
            ends_ms = match other {
                Some(gone_ms) => gone_ms.max(at_ms) + between(CLOSED_AFTER_MIN),
                None => at_ms + between(REJECTED_AFTER_MIN),
            };
            let holds_ms = if why == NOTHING_THERE { DISMISSED_MS } else { ALLOWED_MS };
            rejects = finding.location.as_ref().filter(|_| other.is_none()).map(|location| Dismissal {
                camera,
                spot: finding.sight.spot,
                until: Timestamp::from_millis(ends_ms + holds_ms),
                kind,
                at: site.street.place(location.lon_lat()),
            });
        }
        let near = if why.is_empty() { String::new() } else { near(finding, site) };
        log.line(Line::found("opened", finding, number).with(linked, about.is_some(), &near));
        self.cases.push(CaseRecord {
            code: finding.matter.code.clone(),
            kind,
            linked,
            about: about.map(|truth| (lookout.site, truth)),
            why,
            rejects,
            is_open: true,
        });
        self.ends.insert((ends_ms, number), ());
        self.open.push(OpenCase {
            case_id: case_id(number),
            matter: finding.matter.clone(),
            location: finding.location.clone(),
            unit_grid: finding.unit_grid.as_ref().map(|grid| grid.code.clone()),
            opened_by: Opener::of(finding),
        });
        number
    }

    /// Ends the cases whose time has come.
    pub(crate) fn end_until(&mut self, at_ms: i64, log: &mut Log<'_>) {
        while let Some((&(ends_ms, number), ())) = self.ends.first_key_value()
            && ends_ms <= at_ms
        {
            self.ends.pop_first();
            let case = &mut self.cases[number];
            case.is_open = false;
            self.to_dismiss.extend(case.rejects);
            log.line(Line::closed(Timestamp::from_millis(ends_ms), number, case.about.is_some()));
            let id = case_id(number);
            if let Some(index) = self.open.iter().position(|open| open.case_id == id) {
                let closed = self.closed.entry(case.code.clone()).or_default();
                closed.push_front((number, self.open.remove(index)));
                closed.truncate(CLOSED_SEARCHED_MAX);
            }
        }
    }

    fn is_dismissed(&self, camera: usize, lookout: &Lookout, finding: &Finding, site: &Site) -> bool {
        let Some(location) = &finding.location else { return false };
        let here = site.street.place(location.lon_lat());
        let kind = lookout.camera.rules[finding.sight.rule].kind.name();
        self.to_dismiss.iter().any(|dismissal| {
            dismissal.camera == camera
                && dismissal.kind == kind
                && dismissal.at.distance_m(here) <= SAME_M
                && finding.sight.at < dismissal.until
        })
    }

    fn latest_closed_about(&self, finding: &Finding) -> Option<usize> {
        let mut closed = self.closed.get(&finding.matter.code)?.iter();
        let same = closed.find(|(_, case)| judge(finding, std::slice::from_ref(case)) != Verdict::New);
        same.map(|(number, _)| *number)
    }
}

/// The violation that a finding is about: of its matter, there and then; the nearest where there are several.
fn truth_of(finding: &Finding, site: &Site) -> Option<usize> {
    nearest_truth(finding, site, |code| code == finding.matter.code)
}

/// The violation of another matter that a finding took for its own.
fn other_truth(finding: &Finding, site: &Site) -> Option<usize> {
    nearest_truth(finding, site, |code| code != finding.matter.code)
}

fn nearest_truth(finding: &Finding, site: &Site, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    let (at_ms, location) = (finding.sight.at.as_millis(), finding.location.as_ref()?);
    let at = site.street.place(location.lon_lat());
    let reach_m = location.error_m.clamp(PLACE_M.0, PLACE_M.1);
    let fits = |number: &usize| {
        let truth = &site.truths[*number];
        let metres = site.street.place(truth.at).distance_m(at);
        let holds = (truth.span_ms.0..truth.span_ms.1 + LATE_MS_MAX).contains(&at_ms);
        (is_it(truth.code) && holds && metres <= reach_m).then_some((metres, *number))
    };
    let nearest = site.live.iter().filter_map(fits).min_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map(|(_, number)| number)
}

/// Where a false case lies on its street, and what stood nearest.
fn near(finding: &Finding, site: &Site) -> String {
    let Some(location) = &finding.location else { return String::new() };
    let at = site.street.place(location.lon_lat());
    let there =
        format!("{:.1} m along, {:.1} m across, error {:.1} m", at.along_m, at.across_m, location.error_m);
    match site.nearest(at, finding.sight.at.as_millis()) {
        Some((what, metres)) => format!("{there}; {what} {metres:.1} m away"),
        None => there,
    }
}

/// What a false case may have taken for a violation.
fn why_not(finding: &Finding, site: &Site) -> String {
    let Some(location) = &finding.location else { return "no place".to_owned() };
    let at = site.street.place(location.lon_lat());
    match site.nearest(at, finding.sight.at.as_millis()) {
        Some((what, metres)) if metres <= SOMETHING_M => what.to_owned(),
        _ => NOTHING_THERE.to_owned(),
    }
}
