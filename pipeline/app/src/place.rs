//! From a spot in the picture to a finding on the ground and in the grid.
//!
//! In: what a rule saw, the camera's calibration, the grid layers. Out: a [`Finding`]. Never: a guess; what
//! is not known stays `None`.

use calib::camera::Camera;
use calib::grid::Grids;
use calib::space::CRS;
use logic::case::{Location, Matter, UnitGrid};
use logic::finding::{Finding, Sight};
use logic::look::CameraId;

/// Places what a rule saw.
pub(crate) fn place(camera_id: &CameraId, camera: &Camera, grids: &Grids, sight: &Sight) -> Finding {
    let rule = &camera.rules[sight.rule];
    let position = camera.ground.as_ref().and_then(|view| {
        let pixel_sigma = sight.foot_sigma * view.image_size[1];
        view.map.locate(view.pixel_from_image(sight.foot), pixel_sigma)
    });
    let location = position.as_ref().map(|position| Location {
        lon: position.lon_lat.lon,
        lat: position.lon_lat.lat,
        crs: CRS.to_owned(),
        error_m: position.error_m(),
    });
    let unit_grid = position.as_ref().and_then(|position| {
        let best = grids.unit.as_ref()?.probabilities(position).into_iter().next()?;
        Some(UnitGrid { code: best.0.code.clone(), probability: best.1 })
    });
    let responsibility_grid = position.as_ref().and_then(|position| {
        let best = grids.responsibility.as_ref()?.probabilities(position).into_iter().next()?;
        Some(best.0.code.clone())
    });
    Finding {
        camera: camera_id.clone(),
        sight: sight.clone(),
        matter: Matter {
            standard_ref: rule.standard_ref.clone(),
            code: rule.code.clone(),
            name: rule.matter_name.clone(),
        },
        location,
        unit_grid,
        responsibility_grid,
        merge_radius_m: rule.merge_radius_m,
    }
}
