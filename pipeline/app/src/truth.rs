//! What the scripted scenes hold, and how what was found compares with it.
//!
//! In: the truth beside each sample clip and the cases on the desk. Out: what was found, missed, false or
//! double. Never: a word to the pipeline; it does not know that this file exists.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use calib::grid::Grids;
use calib::space::LonLat;
use logic::case::Case;
use serde::{Deserialize, Serialize};

/// Further than this from the truth, a case is about something else, metres.
const PLACE_M_MAX: f64 = 6.0;

/// The truth of one clip, as `samples/scenes` writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct ClipTruth {
    /// The camera's id.
    pub camera: String,
    /// Length, seconds.
    pub duration_s: f64,
    /// What happens in it.
    pub events: Vec<Scripted>,
}

/// One scripted event. Several cameras may see the same one; it then has the same id in each of their files.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Scripted {
    /// Its id.
    pub id: String,
    /// The matter's code.
    pub matter: String,
    /// What it is.
    pub what: String,
    /// Where it stands.
    pub lonlat: LonLat,
    /// Whether the default weights know such things at all.
    #[serde(default)]
    pub seen_by_weights: bool,
}

impl ClipTruth {
    /// Reads a clip's truth.
    ///
    /// # Errors
    /// No file, or not what `samples/scenes` writes.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// How the cases compare with the truth.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// Scripted events.
    pub events: usize,
    /// Those with at least one case.
    pub found: usize,
    /// Those without a case.
    pub missed: Vec<Missed>,
    /// Cases that no event explains.
    #[serde(rename = "false")]
    pub wrong: Vec<Wrong>,
    /// Cases beyond the first of an event.
    pub duplicates: usize,
}

/// An event that no case is about.
#[derive(Debug, Serialize)]
pub(crate) struct Missed {
    /// The event's id.
    pub id: String,
    /// What it is.
    pub what: String,
    /// Which cameras see it.
    pub cameras: Vec<String>,
    /// Whether the default weights know such things: `false` is a miss of the model that its card states.
    pub seen_by_weights: bool,
}

/// A case that no event explains.
#[derive(Debug, Serialize)]
pub(crate) struct Wrong {
    /// The case.
    pub case_id: String,
    /// Its matter's code.
    pub matter: String,
    /// Its cameras.
    pub cameras: Vec<String>,
    /// Why it is wrong.
    pub why: String,
}

impl Verdict {
    /// Compares. A case is about an event when the matter is the same, one of the event's cameras saw it,
    /// it is within [`PLACE_M_MAX`] and it lies in the event's unit grid cell.
    pub(crate) fn of(clips: &[ClipTruth], grids: &Grids, cases: &[Case]) -> Self {
        let mut events: BTreeMap<&str, (&Scripted, Vec<String>)> = BTreeMap::new();
        for clip in clips {
            for event in &clip.events {
                let entry = events.entry(&event.id).or_insert_with(|| (event, Vec::new()));
                entry.1.push(clip.camera.clone());
            }
        }
        let mut verdict = Self { events: events.len(), ..Self::default() };
        let mut explained = vec![false; cases.len()];
        for (event, cameras) in events.values() {
            // A case explains one event: the first that it fits.
            let fits = |i: &usize| !explained[*i] && why_not(event, cameras, grids, &cases[*i]).is_none();
            let fits: Vec<usize> = (0..cases.len()).filter(fits).collect();
            match fits.len() {
                0 => verdict.missed.push(Missed {
                    id: event.id.clone(),
                    what: event.what.clone(),
                    cameras: cameras.clone(),
                    seen_by_weights: event.seen_by_weights,
                }),
                n => {
                    verdict.found += 1;
                    verdict.duplicates += n - 1;
                }
            }
            fits.into_iter().for_each(|i| explained[i] = true);
        }
        for (case, _) in cases.iter().zip(&explained).filter(|(_, explained)| !**explained) {
            let same_camera = |id: &String| case.sources.iter().any(|s| s.id == *id);
            let near: Vec<String> = events
                .values()
                .filter(|(_, cameras)| cameras.iter().any(same_camera))
                .filter_map(|(event, cameras)| {
                    Some(format!("{}: {}", event.id, why_not(event, cameras, grids, case)?))
                })
                .collect();
            verdict.wrong.push(Wrong {
                case_id: case.case_id.clone(),
                matter: case.matter.code.clone(),
                cameras: case.sources.iter().map(|s| s.id.clone()).collect(),
                why: if near.is_empty() {
                    "nothing is scripted for this camera".to_owned()
                } else {
                    near.join("; ")
                },
            });
        }
        verdict
    }

    /// Whether everything was found once and nothing else.
    pub(crate) fn is_clean(&self) -> bool {
        self.missed.is_empty() && self.wrong.is_empty() && self.duplicates == 0
    }
}

/// Why a case is not about an event.
fn why_not(event: &Scripted, cameras: &[String], grids: &Grids, case: &Case) -> Option<String> {
    if case.matter.code != event.matter {
        return Some(format!("is {}, not {}", event.matter, case.matter.code));
    }
    if !case.sources.iter().any(|source| cameras.contains(&source.id)) {
        return Some("is seen by other cameras".to_owned());
    }
    let Some(location) = &case.location else { return Some("the case has no place".to_owned()) };
    let metres = location.lon_lat().distance_m(event.lonlat);
    if metres > PLACE_M_MAX {
        return Some(format!("lies {metres:.1} m away"));
    }
    let cell =
        grids.unit.as_ref().and_then(|layer| layer.lookup(event.lonlat)).map(|cell| cell.code.as_str());
    let given = case.unit_grid.as_ref().map(|grid| grid.code.as_str());
    (cell != given).then(|| format!("lies in cell {cell:?}, the case says {given:?}"))
}
