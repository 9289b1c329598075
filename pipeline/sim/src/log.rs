//! The event log: one JSON object a line.
//!
//! In: what happens, in the order of time. Out: bytes that are the same at every run of a seed. Never: a file.

use calib::time::Timestamp;
use logic::finding::Finding;
use serde::Serialize;

use crate::truth::Kind;

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    at: Timestamp,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lonlat: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_grid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linked: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_true: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
}

impl<'a> Line<'a> {
    fn of(at: Timestamp, event: &'a str) -> Self {
        Self {
            at,
            event,
            kind: None,
            matter: None,
            camera: None,
            lonlat: None,
            unit_grid: None,
            first_at: None,
            score: None,
            case: None,
            linked: None,
            is_true: None,
            why: "",
        }
    }

    pub(crate) fn found(event: &'a str, finding: &'a Finding, case: usize) -> Self {
        let rounded = |degrees: f64| (degrees * 1e7).round() / 1e7;
        Self {
            matter: Some(&finding.matter.code),
            camera: Some(finding.camera.as_str()),
            lonlat: finding.location.as_ref().map(|at| [rounded(at.lon), rounded(at.lat)]),
            unit_grid: finding.unit_grid.as_ref().map(|grid| grid.code.as_str()),
            first_at: Some(finding.sight.first_at),
            score: Some((finding.sight.score * 1000.0).round() / 1000.0),
            case: Some(case),
            ..Self::of(finding.sight.at, event)
        }
    }

    pub(crate) fn with(self, linked: Option<usize>, is_true: bool, why: &'a str) -> Self {
        Self { linked, is_true: Some(is_true), why, ..self }
    }

    pub(crate) fn closed(at: Timestamp, case: usize, is_true: bool) -> Self {
        Self { case: Some(case), is_true: Some(is_true), ..Self::of(at, "closed") }
    }

    pub(crate) fn truth(at: Timestamp, event: &'a str, kind: Kind, code: &'a str, what: &'a str) -> Self {
        Self { kind: Some(kind), matter: Some(code), why: what, ..Self::of(at, event) }
    }
}

/// Where lines go.
pub(crate) struct Log<'a>(pub(crate) &'a mut dyn FnMut(&str));

impl Log<'_> {
    pub(crate) fn line(&mut self, line: Line<'_>) {
        // A line holds numbers and texts alone: it always serialises.
        if let Ok(text) = serde_json::to_string(&line) {
            (self.0)(&text);
        }
    }
}
