//! The same numbers through OpenCV and PROJ (`reference/reference.py`, its answers in `reference/expected.json`)
//! and through this crate: a hundredth of a pixel and a centimetre are the most that they may differ.

use calib::homography::{ControlPoint, GroundMap, LensWanted, Setup};
use calib::lens::Lens;
use calib::space::{GroundPoint, LocalPlane, LonLat, PixelPoint};
use calib::survey::crs::Crs;
use serde::Deserialize;

const PX_MAX: f64 = 0.01;
const M_MAX: f64 = 0.01;

type Pairs = Vec<[f64; 2]>;

#[derive(Deserialize)]
struct Expected {
    size: [f64; 2],
    homographies: Vec<Homography>,
    lenses: Vec<KnownLens>,
    whole: Whole,
    projections: Vec<Projection>,
    plane: Plane,
}

#[derive(Deserialize)]
struct Homography {
    pixels: Pairs,
    ground_m: Pairs,
    places_m: Pairs,
    shown: Pairs,
    others: Pairs,
    back_m: Pairs,
}

#[derive(Deserialize)]
struct KnownLens {
    centre: [f64; 2],
    focal_px: f64,
    k1_k2_p1_p2: [f64; 4],
    shown: Pairs,
    pinhole: Pairs,
}

#[derive(Deserialize)]
struct Whole {
    centre: [f64; 2],
    focal_px: f64,
    k1_k2_p1_p2: [f64; 4],
    ground_m: Pairs,
    shown: Pairs,
}

#[derive(Deserialize)]
struct Projection {
    epsg: u32,
    lonlat: [f64; 2],
    at: [f64; 2],
}

#[derive(Deserialize)]
struct Plane {
    origin: [f64; 2],
    cases: Vec<PlaneCase>,
}

#[derive(Deserialize)]
struct PlaneCase {
    lonlat: [f64; 2],
    east_north_m: [f64; 2],
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("reference/expected.json")).expect("written by reference.py")
}

fn plane() -> LocalPlane {
    LocalPlane::at(LonLat::new(118.65, 34.92))
}

fn lens(centre: [f64; 2], focal_px: f64, [k1, k2, p1, p2]: [f64; 4]) -> Lens {
    Lens { centre: centre.into(), focal_px, k1, k2, p1, p2 }
}

fn controls(pixels: &Pairs, ground_m: &Pairs) -> Vec<ControlPoint> {
    let place = |g: &[f64; 2]| plane().lon_lat_from_ground(GroundPoint::from(*g));
    let pairs = std::iter::zip(pixels, ground_m);
    pairs.map(|(p, g)| ControlPoint { pixel: PixelPoint::from(*p), lon_lat: place(g) }).collect()
}

/// A place given on [`plane`], on the plane of the map.
fn on(map: &GroundMap, place_m: [f64; 2]) -> GroundPoint {
    map.plane().ground_from_lon_lat(plane().lon_lat_from_ground(place_m.into()))
}

fn apart(a: PixelPoint, b: [f64; 2]) -> f64 {
    (a.x - b[0]).hypot(a.y - b[1])
}

#[test]
fn homographies_agree_with_opencv() {
    let expected = expected();
    let setup = Setup { lens: LensWanted::Straight, ..Setup::of_size(expected.size) };
    for case in &expected.homographies {
        let map = GroundMap::solve(&controls(&case.pixels, &case.ground_m), &setup).unwrap();
        assert_eq!(map.outliers().count(), 0);
        for (place, shown) in std::iter::zip(&case.places_m, &case.shown) {
            let off = apart(map.pixel_from_ground(on(&map, *place)).unwrap(), *shown);
            assert!(off < PX_MAX, "{off} px at {shown:?}");
        }
        for (pixel, place) in std::iter::zip(&case.others, &case.back_m) {
            let off = map.ground_from_pixel(PixelPoint::from(*pixel)).unwrap().distance_m(on(&map, *place));
            assert!(off < M_MAX, "{off} m at {place:?}");
        }
    }
}

#[test]
fn lenses_agree_with_opencv() {
    for case in &expected().lenses {
        let lens = lens(case.centre, case.focal_px, case.k1_k2_p1_p2);
        for (shown, pinhole) in std::iter::zip(&case.shown, &case.pinhole) {
            let straight = lens.undistorted(PixelPoint::from(*shown)).unwrap();
            assert!(apart(straight, *pinhole) < 1e-4, "{straight:?} instead of {pinhole:?}");
            assert!(apart(lens.distorted(PixelPoint::from(*pinhole)).unwrap(), *shown) < 1e-4);
        }
    }
}

#[test]
fn a_whole_camera_agrees_with_opencv() {
    let Expected { whole, size, .. } = expected();
    let known = lens(whole.centre, whole.focal_px, whole.k1_k2_p1_p2);
    let points = controls(&whole.shown, &whole.ground_m);
    // Half of the points make the map, the others are looked for. A fitted lens is held near none, which
    // shows in the picture and hardly on the ground; it needs all of the points.
    let known = Setup { lens: LensWanted::Known(known), ..Setup::of_size(size) };
    for (setup, from, px_max) in [(known, &points[..12], PX_MAX), (Setup::of_size(size), &points[..], 0.3)] {
        let map = GroundMap::solve(from, &setup).unwrap();
        for point in &points[12..] {
            let place = map.plane().ground_from_lon_lat(point.lon_lat);
            let off_px = apart(map.pixel_from_ground(place).unwrap(), point.pixel.into());
            let off_m = map.ground_from_pixel(point.pixel).unwrap().distance_m(place);
            assert!(off_px < px_max && off_m < M_MAX, "{off_px} px, {off_m} m at {point:?}");
        }
    }
}

#[test]
fn projections_agree_with_proj() {
    for case in &expected().projections {
        let crs = Crs::parse(&format!("EPSG:{}", case.epsg)).unwrap();
        let place = LonLat::from(case.lonlat);
        let Ok(back) = crs.lon_lat(case.at) else {
            panic!("EPSG:{} {:?}: {:?}", case.epsg, case.lonlat, crs.lon_lat(case.at))
        };
        let off = back.distance_m(place);
        assert!(off < M_MAX, "EPSG:{}: {off} m at {place:?}", case.epsg);
        let [east, north] = crs.numbers(place).unwrap();
        let unit = if crs.is_degrees() { 1e5 } else { 1.0 };
        let off = unit * (east - case.at[0]).hypot(north - case.at[1]);
        assert!(off < M_MAX, "EPSG:{}: {off} m at {place:?}", case.epsg);
    }
}

#[test]
fn the_local_plane_agrees_with_the_ellipsoid() {
    let plane_case = expected().plane;
    let plane = LocalPlane::at(LonLat::from(plane_case.origin));
    for case in &plane_case.cases {
        let off = plane.ground_from_lon_lat(LonLat::from(case.lonlat)).distance_m(case.east_north_m.into());
        assert!(off < M_MAX, "{off} m at {:?}", case.east_north_m);
    }
}
