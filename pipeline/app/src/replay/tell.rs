//! What a replay says: a JSON object a line, or lines for people.
//!
//! In: steps of a clip. Out: text. Never: a time of this machine, so that two runs say the same.

use calib::space::ImageBox;
use logic::scene::ViewFault;
use serde::Serialize;

use super::play::{Step, Told};

/// One event as JSON. The names stay.
#[derive(Debug, Serialize)]
struct Line<'t> {
    event: &'static str,
    standard_ref: &'t str,
    matter: &'t str,
    name: &'t str,
    /// Seconds into the clip, and the clip's own wall-clock time.
    at_s: f64,
    at: String,
    /// When its spot was first seen, seconds into the clip.
    since_s: f64,
    #[serde(rename = "box")]
    bounds: [f64; 4],
    spot: String,
    zone: &'t str,
    score: f64,
    hits: u32,
    looks: u32,
    location: Option<Place>,
    unit_grid: Option<&'t str>,
    responsibility_grid: Option<&'t str>,
    /// Counted from 1 within the clip; `null` where it has none.
    case: Option<usize>,
    is_new_case: bool,
}

#[derive(Debug, Serialize)]
struct Place {
    lon: f64,
    lat: f64,
    error_m: f64,
}

/// A change of the view's state as JSON.
#[derive(Debug, Serialize)]
struct ViewLine {
    event: &'static str,
    /// `null` where the view is clear again.
    fault: Option<ViewFault>,
    at_s: f64,
    at: String,
}

/// The events of a step, a JSON object each.
///
/// # Errors
/// None that is known: every value can be written.
pub(crate) fn json_lines(step: &Step<'_>) -> serde_json::Result<Vec<String>> {
    let mut lines = Vec::new();
    if let Some(fault) = step.looked.turned {
        let (at_s, at) = (rounded(step.at_s, 3), step.looked.look.at.to_string());
        lines.push(serde_json::to_string(&ViewLine { event: "view", fault, at_s, at })?);
    }
    for told in step.told {
        lines.push(serde_json::to_string(&line(step, told))?);
    }
    Ok(lines)
}

fn line<'t>(step: &Step<'_>, told: &'t Told) -> Line<'t> {
    let (finding, sight) = (&told.finding, &told.finding.sight);
    let location = finding.location.as_ref().map(|location| Place {
        lon: rounded(location.lon, 8),
        lat: rounded(location.lat, 8),
        error_m: rounded(location.error_m, 2),
    });
    Line {
        event: told.event,
        standard_ref: &finding.matter.standard_ref,
        matter: &finding.matter.code,
        name: &finding.matter.name,
        at_s: rounded(step.at_s, 3),
        at: sight.at.to_string(),
        since_s: rounded(step.at_s - sight.at.secs_since(sight.first_at), 3),
        bounds: shares(&sight.bounds),
        spot: sight.spot.to_string(),
        zone: &sight.zone,
        score: rounded(sight.score.into(), 3),
        hits: sight.hits,
        looks: sight.looks,
        location,
        unit_grid: finding.unit_grid.as_ref().map(|grid| grid.code.as_str()),
        responsibility_grid: finding.responsibility_grid.as_deref(),
        case: told.case.map(|case| case.number),
        is_new_case: told.case.is_some_and(|case| case.is_new),
    }
}

/// The events of a step, a line each for people.
pub(crate) fn lines(step: &Step<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(fault) = step.looked.turned {
        let says = fault.map_or("the view is clear", |fault| {
            ViewFault::NAMES.iter().find(|(_, named)| *named == fault).map_or("faulty", |(name, _)| *name)
        });
        lines.push(format!("{:8.1} s  view       {says}", step.at_s));
    }
    lines.extend(step.told.iter().map(|told| {
        let (finding, sight) = (&told.finding, &told.finding.sight);
        let cell = finding.unit_grid.as_ref().map_or("no cell", |grid| grid.code.as_str());
        let case = told.case.map_or_else(String::new, |case| {
            format!("  {} {}", if case.is_new { "opens case" } else { "case" }, case.number)
        });
        let [x0, y0, x1, y1] = shares(&sight.bounds);
        format!(
            "{:8.1} s  {:9}  {} {}  in {}  seen in {} of {} looks, score {:.2}  \
             [{x0:.3} {y0:.3} {x1:.3} {y1:.3}]  {cell}{case}",
            step.at_s,
            told.event,
            finding.matter.code,
            finding.matter.name,
            sight.zone,
            sight.hits,
            sight.looks,
            sight.score
        )
    }));
    lines
}

fn shares(bounds: &ImageBox) -> [f64; 4] {
    [bounds.x0, bounds.y0, bounds.x1, bounds.y1].map(|share| rounded(share.into(), 4))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
