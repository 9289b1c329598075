//! A run: days of a county, camera by camera within a day, case by case at its end.
//!
//! In: a seed, days, cameras. Out: lines of the event log as they come, the score at the end. Never: a clock.

use std::sync::Arc;

use calib::grid::Grids;
use rayon::prelude::*;

use crate::SimError;
use crate::county;
use crate::desk::Desk;
use crate::log::{Line, Log};
use crate::lookout::{Lookout, Told};
use crate::score::{Score, score};
use crate::site::Site;
use crate::sky::{day_begins, rain};
use crate::truth::Truth;

/// Between looks at night, seconds.
pub const NIGHT_LOOK_SECS: u32 = 300;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The world's only chance.
    pub seed: u64,
    /// Days from 2026-01-01 on, 1 at least.
    pub days: usize,
    /// Cameras, 1 at least.
    pub cameras: usize,
    /// Between looks by day, seconds, 1 at least.
    pub look_secs: u32,
    /// Called by each camera before each of its days, with its number: a test makes a slow machine of it.
    pub pace: fn(usize),
}

impl Config {
    /// A look every 30 seconds, at the machine's pace.
    pub fn of(seed: u64, days: usize, cameras: usize) -> Self {
        Self { seed, days, cameras, look_secs: 30, pace: |_| {} }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    /// Days done.
    pub done: usize,
    /// Looks taken.
    pub looks: u64,
    /// Cases opened.
    pub cases: usize,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Looks taken.
    pub looks: u64,
    /// How the cases compare with the truth.
    pub score: Score,
}

/// Runs. `line` takes the event log line by line, without line breaks; `after` is called after each day.
///
/// # Errors
/// The county or a camera could not be made: a fault of this crate.
pub fn run(
    config: &Config,
    line: &mut dyn FnMut(&str),
    after: &mut dyn FnMut(Day),
) -> Result<Outcome, SimError> {
    let Config { seed, days, cameras, look_secs, pace } = *config;
    let grids = county::grids()?;
    let mut sites = county::sites(seed, cameras, days);
    let mut lookouts = lookouts(seed, cameras, &sites)?;
    let (mut desk, mut log) = (Desk::new(seed), Log(line));
    for day in 0..days {
        let rain = rain(seed, day);
        sites.iter_mut().for_each(|site| site.plan(seed, day, &rain));
        lookouts.par_iter_mut().for_each(|lookout| {
            pace(lookout.number);
            let site = &sites[lookout.site];
            lookout.watch_day(seed, day, look_secs, site, &rain);
            if day + 1 == days {
                lookout.finish();
            }
        });
        file(&mut lookouts, &mut sites, &mut desk, &grids, &mut log);
        desk.end_until(day_begins(day + 1), &mut log);
        for dismissal in desk.to_dismiss.drain(..) {
            lookouts[dismissal.camera].dismiss(&dismissal);
        }
        let looks = lookouts.iter().map(|lookout| lookout.looks).sum();
        after(Day { done: day + 1, looks, cases: desk.cases.len() });
    }
    let truths: Vec<&Truth> = sites.iter().flat_map(|site| &site.truths).collect();
    tell(&truths, &mut log);
    let looks = lookouts.iter().map(|lookout| lookout.looks).sum();
    Ok(Outcome { looks, score: score(&sites, &lookouts, &desk.cases) })
}

fn lookouts(seed: u64, cameras: usize, sites: &[Site]) -> Result<Vec<Lookout>, SimError> {
    let lookout = |number: usize| {
        let (site, is_other_end) = county::stands_at(number, sites.len());
        let eyes = county::eyes(seed, number, is_other_end);
        let id = format!("cam-{number:03}");
        let camera = county::camera(seed, number, &id, &sites[site], &eyes)?;
        Ok(Lookout::new(seed, number, &id, Arc::new(camera), site, eyes))
    };
    (0..cameras).into_par_iter().map(lookout).collect()
}

/// What the cameras told in a day, in the order of time, and what they showed.
fn file(lookouts: &mut [Lookout], sites: &mut [Site], desk: &mut Desk, grids: &Grids, log: &mut Log<'_>) {
    let mut told: Vec<Told> = lookouts.iter_mut().flat_map(|lookout| lookout.told.drain(..)).collect();
    // Stable: what one camera told at one instant stays in its order.
    told.sort_by_key(|told| (told.sight.at, told.camera));
    for told in &told {
        desk.take(told, &lookouts[told.camera], sites, grids, log);
    }
    for (truth, shown) in lookouts.iter_mut().flat_map(|lookout| lookout.shown.drain(..)) {
        sites[truth.street].truths[truth.number].shown.push(shown);
    }
}

/// The violations, at the end of the log: what was true is no event of the product's.
fn tell(truths: &[&Truth], log: &mut Log<'_>) {
    use calib::time::Timestamp;
    for truth in truths {
        let (from, until) = truth.span_ms;
        log.line(Line::truth(Timestamp::from_millis(from), "begins", truth.kind, truth.code, truth.what));
        log.line(Line::truth(Timestamp::from_millis(until), "ends", truth.kind, truth.code, truth.what));
    }
}
