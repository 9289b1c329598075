//! One problem is one case: is this finding a new case, or a sighting of one that is open?
//!
//! In: a placed finding and the open cases. Out: a verdict. Never: the store, the clock.
//!
//! | matter | place | cell | verdict |
//! |---|---|---|---|
//! | differs | any | any | new |
//! | same | within both positions' errors, and the merge radius | any | sighting: the same place, whatever cell each error fell in |
//! | same | within the merge radius | same | sighting: one problem of one cell |
//! | same | within the merge radius | differs | new: two cells are two people's work |
//! | same | further | any | new |
//! | same | either unplaced | – | sighting only for the same view of the same camera and overlapping boxes |

use calib::space::ImageBox;

use crate::case::{Location, Matter};
use crate::finding::Finding;
use crate::look::CameraId;

/// What dedupe needs to know of an open case.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCase {
    /// Its id.
    pub case_id: String,
    /// Its matter.
    pub matter: Matter,
    /// Its place.
    pub location: Option<Location>,
    /// Its unit grid cell.
    pub unit_grid: Option<String>,
    /// Where in whose picture it was opened.
    pub opened_by: Opener,
}

/// The place in a picture where a case was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Opener {
    /// The camera.
    pub camera: CameraId,
    /// The name of the preset that it looked from; `None` is the home view.
    pub preset: Option<String>,
    /// Where in the picture.
    pub bounds: ImageBox,
}

impl Opener {
    /// Where a finding opens its case.
    pub fn of(finding: &Finding) -> Self {
        Self { camera: finding.camera.clone(), preset: finding.preset.clone(), bounds: finding.sight.bounds }
    }

    fn shows(&self, finding: &Finding) -> bool {
        // Boxes of two presets lie in two pictures: their overlap says nothing.
        self.camera == finding.camera
            && self.preset == finding.preset
            && self.bounds.iou(&finding.sight.bounds) >= SAME_BOX_IOU
    }
}

/// Whether a finding opens a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No open case is about this.
    New,
    /// The open case with this id is about this.
    SightingOf(String),
}

/// Boxes of one view that share this much of their union show the same thing.
const SAME_BOX_IOU: f32 = 0.2;

/// Decides. Where several open cases fit, the nearest one takes the sighting; the older id breaks a tie,
/// so that the verdict does not depend on the order of `open`.
pub fn judge(finding: &Finding, open: &[OpenCase]) -> Verdict {
    open.iter()
        .filter(|case| {
            case.matter.standard_ref == finding.matter.standard_ref && case.matter.code == finding.matter.code
        })
        .filter_map(|case| Some((same_problem_m(finding, case)?, case)))
        .min_by(|(a_m, a), (b_m, b)| a_m.total_cmp(b_m).then_with(|| a.case_id.cmp(&b.case_id)))
        .map_or(Verdict::New, |(_, case)| Verdict::SightingOf(case.case_id.clone()))
}

/// Distance in metres where the two are one problem.
fn same_problem_m(finding: &Finding, case: &OpenCase) -> Option<f64> {
    let (Some(here), Some(there)) = (&finding.location, &case.location) else {
        return case.opened_by.shows(finding).then_some(0.0);
    };
    let distance_m = here.lon_lat().distance_m(there.lon_lat());
    // Far from its control points a camera's error may pass any radius: it merges nothing beyond it.
    let within_error = distance_m <= here.error_m.hypot(there.error_m).min(finding.merge_radius_m);
    let same_cell = finding.unit_grid.as_ref().map(|g| g.code.as_str()) == case.unit_grid.as_deref();
    (within_error || (same_cell && distance_m <= finding.merge_radius_m)).then_some(distance_m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::UnitGrid;
    use crate::finding::tests::sight;
    use calib::space::{CRS, GroundPoint, LocalPlane, LonLat};
    use proptest::prelude::*;

    fn location(east_m: f64, error_m: f64) -> Location {
        let plane = LocalPlane::at(LonLat::new(118.65, 34.92));
        let p = plane.lon_lat_from_ground(GroundPoint::new(east_m, 0.0));
        Location { lon: p.lon, lat: p.lat, crs: CRS.into(), error_m }
    }

    fn matter(code: &str) -> Matter {
        Matter { standard_ref: "GB/T 47678.5-2026".into(), code: code.into(), name: "x".into() }
    }

    fn finding(east_m: Option<f64>, cell: &str, code: &str, error_m: f64) -> Finding {
        Finding {
            camera: CameraId::new("a"),
            preset: None,
            sight: sight(None),
            matter: matter(code),
            location: east_m.map(|m| location(m, error_m)),
            unit_grid: Some(UnitGrid { code: cell.into(), probability: 0.99, boundary: Vec::new() }),
            responsibility_grid: None,
            merge_radius_m: 20.0,
        }
    }

    fn open(id: &str, east_m: Option<f64>, cell: &str, code: &str) -> OpenCase {
        OpenCase {
            case_id: id.into(),
            matter: matter(code),
            location: east_m.map(|m| location(m, 1.0)),
            unit_grid: Some(cell.into()),
            opened_by: Opener {
                camera: CameraId::new("a"),
                preset: None,
                bounds: ImageBox::from([0.1, 0.1, 0.2, 0.2]),
            },
        }
    }

    #[test]
    fn the_table_holds() {
        let sighting = Verdict::SightingOf("1".into());
        let there = [open("1", Some(0.0), "A", "06010")];
        assert_eq!(judge(&finding(Some(0.0), "A", "09006", 1.0), &there), Verdict::New, "matter differs");
        assert_eq!(judge(&finding(Some(1.0), "B", "06010", 1.0), &there), sighting, "within the error");
        assert_eq!(judge(&finding(Some(15.0), "A", "06010", 1.0), &there), sighting, "same cell, near");
        assert_eq!(judge(&finding(Some(15.0), "B", "06010", 1.0), &there), Verdict::New, "other cell");
        assert_eq!(judge(&finding(Some(25.0), "A", "06010", 1.0), &there), Verdict::New, "further");
        assert_eq!(judge(&finding(Some(25.0), "B", "06010", 90.0), &there), Verdict::New, "a wild error");
        let unplaced = [open("1", None, "A", "06010")];
        assert_eq!(judge(&finding(None, "A", "06010", 1.0), &unplaced), sighting, "same camera, same box");
        let mut elsewhere = finding(None, "A", "06010", 1.0);
        elsewhere.sight.bounds = ImageBox::from([0.6, 0.6, 0.7, 0.7]);
        assert_eq!(judge(&elsewhere, &unplaced), Verdict::New, "same camera, other box");
    }

    #[test]
    fn the_same_box_in_another_preset_is_another_thing() {
        let mut from_gate = finding(None, "A", "06010", 1.0);
        from_gate.preset = Some("gate".into());
        let gate = OpenCase { opened_by: Opener::of(&from_gate), ..open("1", None, "A", "06010") };
        assert_eq!(judge(&from_gate, std::slice::from_ref(&gate)), Verdict::SightingOf("1".into()));
        let from_market = Finding { preset: Some("market".into()), ..from_gate.clone() };
        assert_eq!(judge(&from_market, std::slice::from_ref(&gate)), Verdict::New);
        let at_home = finding(Some(0.0), "A", "06010", 1.0);
        assert_eq!(judge(&at_home, &[gate]), Verdict::New, "home is calibrated, the preset is not");
        assert_eq!(judge(&from_gate, &[open("1", Some(0.0), "A", "06010")]), Verdict::New, "and back");
    }

    proptest! {
        #[test]
        fn the_nearest_case_wins_in_any_order(mut metres in prop::collection::vec(0.0..40.0f64, 1..8), at in 0.0..40.0f64) {
            let cases: Vec<_> = metres.iter().enumerate()
                .map(|(i, m)| open(&format!("{i}"), Some(*m), "A", "06010")).collect();
            let reversed: Vec<_> = cases.iter().rev().cloned().collect();
            let f = finding(Some(at), "A", "06010", 0.5);
            prop_assert_eq!(judge(&f, &cases), judge(&f, &reversed));
            metres.retain(|m| (m - at).abs() <= 19.99);
            prop_assert_eq!(metres.is_empty() && judge(&f, &cases) != Verdict::New
                && cases.iter().all(|c| c.location.as_ref().unwrap().lon_lat().distance_m(f.location.as_ref().unwrap().lon_lat()) > 20.0), false);
        }
    }
}
