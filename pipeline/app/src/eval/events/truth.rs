//! What happens in a clip, as its truth says.
//!
//! In: `NAME.truth.json`, as `samples/scenes` and `samples/compose` write it. Out: events with their time and
//! place in the picture. Never: a guess; an event without a box is a mistake.

use std::path::Path;

use calib::check::Problem;
use calib::space::ImageBox;
use serde::Deserialize;

use super::super::dataset::problem;

/// One clip's truth.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    /// What should become a case, once each.
    pub(super) events: Vec<Event>,
    /// What should not, told where it did.
    pub(super) decoys: Vec<Decoy>,
}

/// Something that should become one case.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    /// The rule's name.
    pub(super) kind: String,
    /// The matter's code, and others that would be right too.
    pub(super) matters: Vec<String>,
    pub(super) what: String,
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    pub(super) bounds: ImageBox,
}

/// Something that looks like a case and is none.
#[derive(Debug, Clone)]
pub(super) struct Decoy {
    pub(super) what: String,
    pub(super) bounds: ImageBox,
}

#[derive(Deserialize)]
struct RawTruth {
    #[serde(default)]
    size: Option<[f32; 2]>,
    events: Vec<RawEvent>,
    #[serde(default)]
    decoys: Vec<RawDecoy>,
}

#[derive(Deserialize)]
struct RawEvent {
    id: String,
    #[serde(default)]
    kind: Option<String>,
    matter: String,
    #[serde(default)]
    accept: Vec<String>,
    what: String,
    from_s: f64,
    to_s: f64,
    #[serde(flatten)]
    place: Place,
}

#[derive(Deserialize)]
struct RawDecoy {
    what: String,
    #[serde(flatten)]
    place: Place,
}

/// A box in shares of the picture, or in pixels of `size`.
#[derive(Deserialize)]
struct Place {
    #[serde(default, rename = "box")]
    bounds: Option<[f32; 4]>,
    #[serde(default)]
    box_px: Option<[f32; 4]>,
}

impl Place {
    fn bounds(&self, size: Option<[f32; 2]>) -> Option<ImageBox> {
        let of_pixels = |[x0, y0, x1, y1]: [f32; 4]| {
            let [width, height] = size?;
            Some([x0 / width, y0 / height, x1 / width, y1 / height])
        };
        let bounds = self.bounds.or_else(|| self.box_px.and_then(of_pixels))?;
        let is_box =
            bounds.iter().all(|share| share.is_finite()) && bounds[0] < bounds[2] && bounds[1] < bounds[3];
        is_box.then(|| ImageBox::from(bounds))
    }
}

impl Truth {
    /// Reads a clip's truth. An event that names no kind is of the one that `kind_of` its matter says, else it
    /// is called by its matter.
    ///
    /// # Errors
    /// No file, no such JSON, or an event without time or place.
    pub(super) fn load(file: &Path, kind_of: impl Fn(&str) -> Option<&'static str>) -> Result<Self, Problem> {
        let mend = "write {\"events\": [{\"id\", \"matter\", \"what\", \"from_s\", \"to_s\", \"box\": [x0, y0, x1, y1]}]}, \
                    the box in shares of the picture; a clip on which nothing may be reported has no events";
        let refuse = |what: String| problem(file, None, what, mend);
        let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
        let raw: RawTruth = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let mut truth = Self::default();
        for event in raw.events {
            let RawEvent { id, kind, matter, accept, what, from_s, to_s, place } = event;
            let bounds = place.bounds(raw.size).ok_or_else(|| refuse(format!("event {id} has no box")))?;
            if !(from_s >= 0.0 && from_s < to_s) {
                return Err(refuse(format!("event {id} ends before it begins")));
            }
            let matters: Vec<String> = [matter].into_iter().chain(accept).collect();
            let of_rule = || matters.iter().find_map(|matter| kind_of(matter)).map(str::to_owned);
            let kind = kind.or_else(of_rule).unwrap_or_else(|| matters[0].clone());
            truth.events.push(Event { id, kind, matters, what, from_s, to_s, bounds });
        }
        for RawDecoy { what, place } in raw.decoys {
            let bounds = place.bounds(raw.size).ok_or_else(|| refuse(format!("decoy {what} has no box")))?;
            truth.decoys.push(Decoy { what, bounds });
        }
        Ok(truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_a_kind_is_of_the_rule_that_reports_its_matter() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("clip.truth.json");
        let event = |id: &str, more: &str| {
            format!(
                "{{\"id\": \"{id}\", \"what\": \"a bag\", \"from_s\": 1, \"to_s\": 2, \
                 \"box\": [0.1, 0.1, 0.2, 0.2], {more}}}"
            )
        };
        let events = [
            event("a", "\"matter\": \"06010\""),
            event("b", "\"matter\": \"99999\", \"accept\": [\"06010\"]"),
            event("c", "\"matter\": \"06010\", \"kind\": \"bags\""),
            event("d", "\"matter\": \"99999\""),
        ];
        std::fs::write(&file, format!("{{\"events\": [{}]}}", events.join(", "))).expect("written");
        let truth = Truth::load(&file, |matter| (matter == "06010").then_some("litter")).expect("a truth");
        let kinds: Vec<&str> = truth.events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["litter", "litter", "bags", "99999"]);
    }
}
