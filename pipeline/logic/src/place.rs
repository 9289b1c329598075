//! From a spot in the picture to a finding on the ground and in the grid.
//!
//! In: what a rule saw, the camera's calibration, the grid layers. Out: a [`Finding`]. Never: a guess; what
//! is not known stays `None`.

use crate::case::{Candidate, Location, Matter, UnitGrid};
use crate::finding::{Finding, Sight};
use crate::look::CameraId;
use calib::camera::Camera;
use calib::grid::{CERTAIN_MIN, Grids, Placement};
use calib::space::CRS;

/// Cells less probable than this are not named beside a border.
const CANDIDATE_MIN: f64 = 0.01;
/// Cells named at most.
const CANDIDATES_MAX: usize = 8;

/// Places what a rule saw.
pub fn place(camera_id: &CameraId, camera: &Camera, grids: &Grids, sight: &Sight) -> Finding {
    let rule = &camera.rules[sight.rule];
    let (code, name) = rule.matter(sight.variant);
    let position = camera.view(sight.preset).and_then(|view| {
        let pixel_sigma = sight.foot_sigma * view.image_size[1];
        view.map.locate(view.pixel_from_image(sight.foot), pixel_sigma)
    });
    let location = position.as_ref().map(|position| Location {
        lon: position.lon_lat.lon,
        lat: position.lon_lat.lat,
        crs: CRS.to_owned(),
        error_m: position.error_m(),
    });
    let unit_grid =
        position.as_ref().and_then(|position| unit_grid(grids.unit.as_ref()?.place(position, CERTAIN_MIN)));
    let responsibility_grid = position.as_ref().and_then(|position| {
        let best = grids.responsibility.as_ref()?.probabilities(position).into_iter().next()?;
        Some(best.0.code.clone())
    });
    Finding {
        camera: camera_id.clone(),
        preset: sight.preset.and_then(|number| Some(camera.presets.get(number)?.name.clone())),
        sight: sight.clone(),
        matter: Matter {
            standard_ref: rule.standard_ref.clone(),
            code: code.to_owned(),
            name: name.to_owned(),
        },
        location,
        unit_grid,
        responsibility_grid,
        merge_radius_m: rule.merge_radius_m,
    }
}

/// The most probable cell; beside a border with the others that may be it.
fn unit_grid(placed: Placement<'_>) -> Option<UnitGrid> {
    let candidate = |(cell, probability): &(&calib::grid::Cell, f64)| Candidate {
        code: cell.code.clone(),
        probability: *probability,
    };
    match placed {
        Placement::Cell(cell, probability) => {
            Some(UnitGrid { code: cell.code.clone(), probability, boundary: Vec::new() })
        }
        Placement::Boundary(found) => {
            let best = candidate(found.first()?);
            let likely =
                found.iter().filter(|(_, probability)| *probability >= CANDIDATE_MIN).take(CANDIDATES_MAX);
            Some(UnitGrid {
                code: best.code,
                probability: best.probability,
                boundary: likely.map(candidate).collect(),
            })
        }
        Placement::Outside => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(code: &str) -> calib::grid::Cell {
        let file =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../calib/example-county/responsibility-grids.geojson");
        let text = std::fs::read_to_string(file).unwrap();
        let layer =
            calib::grid::GridLayer::parse(file, &text, calib::grid::LayerKind::Responsibility).unwrap();
        let mut cell = layer.cells()[0].clone();
        code.clone_into(&mut cell.code);
        cell
    }

    #[test]
    fn a_finding_names_the_preset_that_it_was_seen_in() {
        let text = "name = 'x'\n[stream]\nurl = 'rtsp://127.0.0.1/x'\n\
                    [[preset]]\nname = 'gate'\n[[preset]]\nname = 'market'\n\
                    [[zone]]\nid = 'all'\nkind = 'footway'\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n\
                    [[rule]]\nkind = 'litter'\n";
        let camera = Camera::parse("x.toml", text, &calib::matter::Catalogue::builtin()).unwrap();
        let seen_in = |preset: Option<usize>| {
            let sight = crate::finding::tests::sight(preset);
            place(&CameraId::new("x"), &camera, &Grids::default(), &sight).preset
        };
        assert_eq!(seen_in(Some(1)).as_deref(), Some("market"));
        assert_eq!(seen_in(None), None, "the home view");
    }

    #[test]
    fn a_case_beside_a_border_names_the_cells_that_may_hold_it() {
        let (a, b, c) = (cell("A"), cell("B"), cell("C"));
        let near = unit_grid(Placement::Boundary(vec![(&a, 0.61), (&b, 0.385), (&c, 0.005)])).unwrap();
        let named: Vec<(&str, f64)> =
            near.boundary.iter().map(|cell| (cell.code.as_str(), cell.probability)).collect();
        assert_eq!((near.code.as_str(), named), ("A", vec![("A", 0.61), ("B", 0.385)]));
        let within = unit_grid(Placement::Cell(&a, 0.97)).unwrap();
        assert!(within.boundary.is_empty() && within.probability == 0.97);
        assert_eq!(unit_grid(Placement::Outside), None);
    }
}
