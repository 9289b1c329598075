//! The example county with its streets and cameras.
//!
//! In: a seed, how many cameras. Out: streets, and for each camera a file as an integrator would write it, read by
//! the product's own reader and calibrated from control points that a person marked a little off. Never: a file
//! on disk.

use std::fmt::Write as _;
use std::sync::Arc;

use calib::calendar::Calendar;
use calib::camera::Camera;
use calib::check::Problem;
use calib::grid::{CodeProfile, GridLayer, Grids, LayerKind};
use calib::matter::Catalogue;
use calib::papers::Papers;
use calib::space::{GroundPoint, LocalPlane, LonLat};

use crate::SimError;
use crate::dice::Dice;
use crate::rates;
use crate::site::{LOT_ACROSS_M, LOT_ALONG_M, MARKET_ALONG_M, MARKET_HOURS, SHOPS_ALONG_M, Site};
use crate::sky::about;
use crate::street::{Eye, PICTURE_PX, Place};
use crate::truth::Kind;

const UNIT: &str = include_str!("../../../calib/example-county/unit-grids.geojson");
const RESPONSIBILITY: &str = include_str!("../../../calib/example-county/responsibility-grids.geojson");
const CALENDAR: &str = include_str!("../../../calib/example-county/calendar.toml");

/// Streets for so many cameras: a county of this kind has 232 on 144 (`domain.md` §7), so that two in five
/// streets are seen by two.
const STREETS_PER_CAMERA: f64 = 144.0 / 232.0;
/// Control points of a view at most.
const MARKS_MAX: usize = 16;
/// How far off its mark a person's click is, pixels an axis.
const MARK_SIGMA_PX: f64 = 0.8;
/// Middle and half size of the part of the county that streets lie in, degrees and metres.
const MIDDLE: LonLat = LonLat::new(118.6625, 34.9120);
const HALF_M: (f64, f64) = (2_200.0, 1_300.0);

/// The grid layers of the example county.
///
/// # Errors
/// The files that were compiled in are no layers.
pub(crate) fn grids() -> Result<Grids, SimError> {
    let layer = |name: &str, text: &str, kind| {
        GridLayer::parse(name, text, kind).map_err(|faults| SimError::Grid(format!("{faults:?}")))
    };
    let unit = layer("unit", UNIT, LayerKind::Unit { profile: CodeProfile::Digits15 })?;
    let responsibility = layer("responsibility", RESPONSIBILITY, LayerKind::Responsibility)?;
    Ok(Grids { unit: Some(unit), responsibility: Some(responsibility) })
}

/// The streets of so many cameras.
pub(crate) fn sites(seed: u64, cameras: usize, days: usize) -> Vec<Site> {
    let plane = LocalPlane::at(MIDDLE);
    let mut dice = Dice::about(seed, &[about::STREET]);
    let count = (cameras as f64 * STREETS_PER_CAMERA).ceil() as usize;
    let site = |number| {
        let (x, y) = (dice.between(-HALF_M.0, HALF_M.0), dice.between(-HALF_M.1, HALF_M.1));
        Site::of(seed, number, plane.lon_lat_from_ground(GroundPoint::new(x, y)), days)
    };
    (0..count).map(site).collect()
}

/// Which street a camera stands at, and whether at its other end.
pub(crate) fn stands_at(camera: usize, sites: usize) -> (usize, bool) {
    (camera % sites, camera >= sites)
}

/// Where a camera hangs and looks; one that turns has two presets beside its home view.
pub(crate) fn eyes(seed: u64, camera: usize, is_other_end: bool) -> Vec<Eye> {
    let mut dice = Dice::about(seed, &[about::CAMERA, camera as u64]);
    let along = if is_other_end { dice.between(29.0, 32.0) } else { dice.between(-19.0, -16.0) };
    let at = Place::new(along, -dice.between(8.6, 10.0));
    let height_m = dice.between(6.0, 9.0);
    let mut eye = |along: f64, pitch: (f64, f64), width: (f64, f64)| {
        let aim = Place::new(along + dice.between(-1.5, 1.5), 2.0 + dice.between(-1.0, 1.0));
        let yaw = (aim.across_m - at.across_m).atan2(aim.along_m - at.along_m);
        Eye::new(at, height_m, yaw, dice.between(pitch.0, pitch.1), dice.between(width.0, width.1))
    };
    let mut eyes = vec![
        eye(6.0, (0.28, 0.36), (1.12, 1.25)),
        eye(3.0, (0.30, 0.36), (0.75, 0.90)),
        eye(12.0, (0.22, 0.28), (0.60, 0.75)),
    ];
    if !Dice::about(seed, &[about::CAMERA, camera as u64, 2]).chance(rates::TURNING_SHARE) {
        eyes.truncate(1);
    }
    eyes
}

/// A camera ready to watch, under the county's papers.
///
/// # Errors
/// The written file is not what the product reads: a fault of this crate.
pub(crate) fn camera(
    seed: u64,
    number: usize,
    id: &str,
    site: &Site,
    eyes: &[Eye],
) -> Result<Camera, SimError> {
    let refused = |problems: Vec<Problem>| SimError::Camera(format!("{id}: {problems:?}"));
    let catalogue = Catalogue::builtin();
    let text = file(seed, number, site, eyes);
    let mut camera = Camera::parse(id, &text, &catalogue).map_err(refused)?;
    let permits = calib::permit::parse("permits.toml", &site.permits(), &catalogue).map_err(refused)?;
    let calendar = Calendar::parse("calendar.toml", CALENDAR).map_err(refused)?;
    let papers = Papers { permits, calendar: Arc::new(calendar), ..Papers::default() };
    camera.keep_to(id, &papers);
    Ok(camera)
}

/// The text of a camera's file.
fn file(seed: u64, number: usize, site: &Site, eyes: &[Eye]) -> String {
    let mut text =
        format!("name = \"Street {}\"\n[stream]\nurl = \"rtsp://192.0.2.1/{number}\"\n", site.number);
    for (view, eye) in eyes.iter().enumerate() {
        let table = if view == 0 { "calibration" } else { "preset.calibration" };
        if view > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[[preset]]\nname = \"{view}\"\nreference = \"{view}.jpg\"");
        }
        calibration(
            &mut text,
            table,
            &mut Dice::about(seed, &[about::CAMERA, number as u64, 1, view as u64]),
            site,
            eye,
        );
    }
    for view in 0..eyes.len() {
        zones(&mut text, site, view);
    }
    for kind in Kind::ALL.iter().map(|kind| kind.name()) {
        let has_zone = match kind {
            "shopfront_overflow" => site.has_shops,
            "night_market" => site.has_market,
            "illegal_structure" => site.has_lot,
            _ => true,
        };
        if has_zone {
            let _ = writeln!(text, "[[rule]]\nkind = \"{kind}\"");
        }
    }
    text
}

/// Control points all over the view, as a person marks them.
fn calibration(text: &mut String, table: &str, dice: &mut Dice, site: &Site, eye: &Eye) {
    let [width, height] = PICTURE_PX;
    let places = (-3..=7).flat_map(|i| [-6.0, 0.5, 7.5].map(|across| Place::new(3.0 * f64::from(i), across)));
    let mut marks = Vec::new();
    for at in places {
        let Some(pixel) = eye.pixel(at, 0.0) else { continue };
        let (x, y) = (dice.near(pixel.x, MARK_SIGMA_PX), dice.near(pixel.y, MARK_SIGMA_PX));
        if (0.0..width).contains(&x) && (0.0..height).contains(&y) {
            marks.push((x, y, site.street.lon_lat(at)));
        }
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "[{table}]\nimage_size = [{width}, {height}]");
    while marks.len() > MARKS_MAX {
        marks.swap_remove(dice.pick(marks.len()));
    }
    for (x, y, at) in marks {
        let _ = writeln!(
            text,
            "[[{table}.point]]\npixel = [{x:.1}, {y:.1}]\nlonlat = [{:.7}, {:.7}]",
            at.lon, at.lat
        );
    }
}

fn zones(text: &mut String, site: &Site, view: usize) {
    let (suffix, preset) = match view {
        0 => (String::new(), String::new()),
        view => (format!("-{view}"), format!("preset = \"{view}\"\n")),
    };
    let mut zone = |id: &str, kind: &str, along: (f64, f64), across: (f64, f64), hours: &str| {
        let corners = site.corners(along, across);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "[[zone]]\nid = \"{id}{suffix}\"\nkind = \"{kind}\"\n{preset}ground = {corners}\n{hours}"
        );
    };
    let whole = (-9.0, 21.0);
    zone("road", "road", whole, (-4.0, 4.0), "");
    zone("footway-near", "footway", whole, (-8.2, -4.0), "");
    zone("footway-far", "footway", whole, (4.0, 8.0), "");
    if site.has_shops {
        zone("shops", "shopfront_line", SHOPS_ALONG_M, (6.4, 8.0), "");
    }
    if site.has_market {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let hours = MARKET_HOURS.map(|(from, until)| format!("\"{}-{}\"", clock(from), clock(until)));
        zone("market", "permitted", MARKET_ALONG_M, (4.0, 8.0), &format!("hours = [{}]", hours.join(", ")));
    }
    if site.has_lot {
        zone("lot", "construction_watch", LOT_ALONG_M, LOT_ACROSS_M, "");
    }
}
