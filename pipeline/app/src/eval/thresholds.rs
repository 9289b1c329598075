//! Thresholds that keep a precision, as the `[score_min]` table of a manifest.
//!
//! In: curves and the manifest. Out: the table, ready to be pasted, with what each line gives. Never: a
//! changed manifest.

use std::collections::BTreeMap;

use calib::class::Class;
use models::Manifest;
use models::measure::{OperatingPoint, score_for_precision};
use serde::Serialize;

use super::json::decimal;
use super::measured::Measured;
use super::rows::Rows;

/// Fewer truths than this make a threshold a guess.
const TRUTHS_MIN: usize = 20;

/// `precision=SHARE`, as the user gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    pub(super) precision: f64,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.strip_prefix("precision=").and_then(|share| share.parse().ok());
        let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
        share.map(|precision| Self { precision }).ok_or("write precision=0.9, above 0 and up to 1".to_owned())
    }
}

/// What is proposed for one row.
#[derive(Debug, Serialize)]
pub(super) struct Proposed {
    /// The threshold; `None` where the precision is not reached and the present one stays.
    pub(super) score_min: Option<f64>,
    /// Precision there; where it is not reached, the highest that there is.
    pub(super) precision: Option<f64>,
    /// Recall at that point.
    pub(super) recall: Option<f64>,
    /// The score of that point.
    pub(super) at_score: Option<f64>,
}

/// One proposal a row, by name.
pub(super) fn propose(
    rows: &Rows,
    measured: &Measured,
    target: Target,
    floor: f32,
) -> BTreeMap<String, Proposed> {
    let mut all = BTreeMap::new();
    for (row, of_row) in rows.rows.iter().zip(&measured.rows) {
        let Some(of_row) = of_row else { continue };
        let (score_min, point) = match score_for_precision(&of_row.ap, target.precision, floor) {
            Ok(point) => (Some(decimal(point.score_min)), Some(point)),
            Err(best) => (None, best),
        };
        let proposed = Proposed {
            score_min,
            precision: point.and_then(|point: OperatingPoint| point.precision),
            recall: point.and_then(|point| point.recall),
            at_score: point.map(|point| decimal(point.score_min)),
        };
        all.insert(row.name.clone(), proposed);
    }
    all
}

/// The table. Classes that were not measured, or do not reach the precision, keep what the manifest has.
pub(super) fn manifest_table(
    rows: &Rows,
    measured: &Measured,
    manifest: &Manifest,
    target: Target,
    proposed: &BTreeMap<String, Proposed>,
) -> String {
    let default = default_of(manifest);
    let mut lines = vec![("default".to_owned(), default, String::new())];
    for class in manifest.classes() {
        let Some(present) = manifest.score_min(class).map(decimal) else { continue };
        let (value, comment) = line(class, present, rows, measured, target, proposed);
        if value != default || !comment.is_empty() {
            lines.push((class.name().to_owned(), value, comment));
        }
    }
    let width = lines.iter().map(|(key, value, _)| format!("{key} = {value}").len()).max().unwrap_or(0);
    let mut text = format!("[score_min]  # for a precision of {} at an IoU of 0.5\n", target.precision);
    for (key, value, comment) in lines {
        let line = format!("{key} = {value}");
        match comment.is_empty() {
            true => text.push_str(&format!("{line}\n")),
            false => text.push_str(&format!("{line:<width$}  # {comment}\n")),
        }
    }
    text
}

fn line(
    class: Class,
    present: f64,
    rows: &Rows,
    measured: &Measured,
    target: Target,
    proposed: &BTreeMap<String, Proposed>,
) -> (f64, String) {
    let row = rows.of_class(class).and_then(|at| Some((&rows.rows[at], measured.rows[at].as_ref()?)));
    let Some((row, of_row)) = row.filter(|(_, of_row)| of_row.ap.n > 0) else {
        return (present, String::new());
    };
    let Some(one) = proposed.get(&row.name) else { return (present, String::new()) };
    let two = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    let told = match (one.score_min, one.at_score) {
        (Some(_), _) => format!("precision {}, recall {}", two(one.precision), two(one.recall)),
        (None, Some(at)) => format!(
            "{} is not reached, kept as it is: at best {} at {at}, recall {}",
            target.precision,
            two(one.precision),
            two(one.recall)
        ),
        (None, None) => "nothing right was found, kept as it is".to_owned(),
    };
    let mut told = format!("{told}, n {}", of_row.ap.n);
    if of_row.ap.n < TRUTHS_MIN {
        told.push_str(": too few to trust");
    }
    if row.classes.len() > 1 {
        told.push_str(&format!(", counted as {}", row.name));
    }
    (one.score_min.unwrap_or(present), told)
}

/// `score_min.default`. A checked manifest holds one value a label; the file says what the default was.
fn default_of(manifest: &Manifest) -> f64 {
    let text = std::fs::read_to_string(manifest.file()).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let default = table.get("score_min").and_then(|table| table.get("default"));
    let number =
        default.and_then(|default| default.as_float().or(default.as_integer().map(|whole| whole as f64)));
    // A file that went since it was checked: nothing is let through unasked.
    number.unwrap_or(1.0)
}
