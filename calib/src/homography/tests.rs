//! Random pinhole cameras over flat ground are the oracle of the homography.

use proptest::prelude::*;

use nalgebra::Vector3;

use super::position::CHI_95_2D;
use super::*;

/// A camera `height_m` over `plane`'s origin, looking `pitch` below the horizon towards `yaw` (radians,
/// clockwise from north), 1920×1080.
#[derive(Debug, Clone, Copy)]
struct Pinhole {
    height_m: f64,
    pitch: f64,
    yaw: f64,
    focal_px: f64,
}

fn plane() -> LocalPlane {
    LocalPlane::at(LonLat::new(118.65, 34.92))
}

impl Pinhole {
    /// Right, down and forward, in east, north, up.
    fn axes(&self) -> [Vector3<f64>; 3] {
        let ((sy, cy), (sp, cp)) = (self.yaw.sin_cos(), self.pitch.sin_cos());
        let forward = Vector3::new(sy * cp, cy * cp, -sp);
        let right = Vector3::new(cy, -sy, 0.0);
        [right, forward.cross(&right), forward]
    }

    fn ground(&self, p: PixelPoint) -> GroundPoint {
        let [right, down, forward] = self.axes();
        let ray = forward * self.focal_px + right * (p.x - 960.0) + down * (p.y - 540.0);
        assert!(ray.z < 0.0, "{p:?} is above the horizon");
        let t = -self.height_m / ray.z;
        GroundPoint::new(ray.x * t, ray.y * t)
    }

    fn lon_lat(&self, p: PixelPoint) -> LonLat {
        plane().lon_lat_from_ground(self.ground(p))
    }

    fn horizon_y(&self) -> f64 {
        540.0 - self.focal_px * self.pitch.tan()
    }

    /// The topmost row worth marking.
    fn top_y(&self) -> f64 {
        (self.horizon_y() + 100.0).max(60.0)
    }

    fn control(&self, p: PixelPoint) -> ControlPoint {
        ControlPoint { pixel: p, lon_lat: self.lon_lat(p) }
    }

    /// Pixel at shares of the usable picture.
    fn pixel(&self, across: f64, down: f64) -> PixelPoint {
        PixelPoint::new(60.0 + across * 1800.0, self.top_y() + down * (1040.0 - self.top_y()))
    }

    /// `count` points on a jittered 4-wide raster (2-wide for four points).
    fn controls(&self, count: usize, random: &mut SplitMix) -> Vec<ControlPoint> {
        let wide = if count == 4 { 2 } else { 4 };
        let high = count.div_ceil(wide);
        (0..count)
            .map(|i| {
                let jitter = |r: &mut SplitMix| 0.3 + 0.4 * r.unit();
                let across = ((i % wide) as f64 + jitter(random)) / wide as f64;
                let down = ((i / wide) as f64 + jitter(random)) / high as f64;
                self.control(self.pixel(across, down))
            })
            .collect()
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014), enough for repeatable noise.
struct SplitMix(u64);

impl SplitMix {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number, Box–Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

const SIZE: [f64; 2] = [1920.0, 1080.0];

fn solve(points: &[ControlPoint]) -> Result<GroundMap, HomographyError> {
    GroundMap::solve(points, &Setup::of_size(SIZE))
}

prop_compose! {
    fn camera()(height_m in 3.0..15.0f64, pitch in 10.0..60.0f64, yaw in 0.0..360.0f64, focal_px in 1000.0..2000.0f64)
        -> Pinhole {
        Pinhole { height_m, pitch: pitch.to_radians(), yaw: yaw.to_radians(), focal_px }
    }
}

fn shifted(mut points: Vec<ControlPoint>, sigma: f64, random: &mut SplitMix) -> Vec<ControlPoint> {
    for point in &mut points {
        point.pixel.x += sigma * random.normal();
        point.pixel.y += sigma * random.normal();
    }
    points
}

proptest! {
    #[test]
    fn exact_points_give_the_camera_back(
        camera in camera(), count in 4usize..12, seed: u64, across in 0.0..1.0f64, down in 0.0..1.0f64,
    ) {
        let map = solve(&camera.controls(count, &mut SplitMix(seed))).unwrap();
        let map = map.with_range_m(f64::INFINITY);
        prop_assert!(map.residuals_m().iter().all(|r| *r < 1e-6), "{:?}", map.residuals_m());
        prop_assert!(map.residual_rms_px() < 1e-6);
        let pixel = camera.pixel(across, down);
        let truth = camera.lon_lat(pixel);
        let ground = map.ground_from_pixel(pixel).unwrap();
        let error_m = map.plane().ground_from_lon_lat(truth).distance_m(ground);
        let far_m = camera.ground(pixel).distance_m(GroundPoint::new(0.0, 0.0));
        prop_assert!(error_m < 1e-8 * far_m.max(100.0), "{error_m} m at {far_m} m");
        let back = map.pixel_from_ground(ground).unwrap();
        prop_assert!((back.x - pixel.x).hypot(back.y - pixel.y) < 1e-6);
    }

    #[test]
    fn sky_and_the_place_behind_are_refused(camera in camera(), seed: u64) {
        let map = solve(&camera.controls(8, &mut SplitMix(seed))).unwrap().with_range_m(f64::INFINITY);
        for above_px in [1e-3, 1.0, 50.0, 1000.0] {
            let pixel = PixelPoint::new(960.0, camera.horizon_y() - above_px);
            prop_assert!(map.ground_from_pixel(pixel).is_none(), "{above_px} px above");
        }
        prop_assert!(map.locate(PixelPoint::new(960.0, camera.horizon_y() + 1.0), 1.5).is_none());
        let behind = GroundPoint::new(-100.0 * camera.yaw.sin(), -100.0 * camera.yaw.cos());
        let behind = map.plane().ground_from_lon_lat(plane().lon_lat_from_ground(behind));
        prop_assert!(map.pixel_from_ground(behind).is_none());
    }

    #[test]
    fn any_line_is_refused_at_any_scale(
        camera in camera(), count in 4usize..9, a in 0.0..1.0f64, b in 0.0..1.0f64, stray: bool,
    ) {
        let (start, end) = (camera.pixel(0.1, a), camera.pixel(0.9, b));
        let mut points: Vec<_> = (0..count).map(|i| {
            let t = (i as f64 + 0.5) / count as f64;
            camera.control(PixelPoint::new(start.x + t * (end.x - start.x), start.y + t * (end.y - start.y)))
        }).collect();
        if stray {
            // The far edge of the picture, off the line by at least a third of its height.
            points[1] = camera.control(camera.pixel(0.5, if a + b > 1.0 { 0.0 } else { 1.0 }));
            let off = (points[1].pixel.y - (start.y + end.y) / 2.0).abs();
            prop_assume!(off > 100.0);
            prop_assert_eq!(
                solve(&points).unwrap_err(),
                HomographyError::Collinear { space: ControlSpace::Picture, left_out: Some(1) }
            );
        } else {
            prop_assert_eq!(
                solve(&points).unwrap_err(),
                HomographyError::Collinear { space: ControlSpace::Picture, left_out: None }
            );
        }
    }
}

fn street() -> Pinhole {
    Pinhole { height_m: 6.0, pitch: 25f64.to_radians(), yaw: 0.4, focal_px: 1400.0 }
}

#[test]
fn refinement_beats_the_direct_solution_in_pixels() {
    let mut random = SplitMix(3);
    for _ in 0..50 {
        let points = shifted(street().controls(12, &mut random), 2.0, &mut random);
        let posed = Posed::of(&points, &Lens::straight(SIZE)).unwrap();
        let matrix = oriented(direct_linear(&posed.pairs).unwrap(), &posed.pairs).unwrap();
        let direct = Model { matrix, lens: Distortion::NONE };
        let better = direct.refined(&posed.pairs, LensFit::Fixed);
        let cost = |model: &Model| model.cost(&posed.pairs, LensFit::Fixed);
        assert!(cost(&better) <= cost(&direct));
        // At the minimum the gradient vanishes.
        let (_, gradient) = better.normal_equations(&posed.pairs, LensFit::Fixed);
        assert!(gradient.norm() < 1e-6, "{}", gradient.norm());
    }
}

#[test]
fn four_points_have_no_residuals_but_an_error() {
    let mut random = SplitMix(11);
    let map = solve(&shifted(street().controls(4, &mut random), 1.5, &mut random)).unwrap();
    assert!(map.residual_rms_m() < 1e-9);
    assert!((map.control_sigma_px() - CONTROL_SIGMA_PX).abs() < 1e-9);
    let near = map.locate(street().pixel(0.5, 0.9), 1.5).unwrap().error_m();
    let far = map.locate(street().pixel(0.5, 0.1), 1.5).unwrap().error_m();
    assert!(near > 0.01 && far > 2.0 * near, "near {near} m, far {far} m");
}

#[test]
fn a_wrong_point_shows_from_the_fifth_on_and_is_left_out_from_the_sixth() {
    let mut random = SplitMix(5);
    let mut points = street().controls(5, &mut random);
    points[3].pixel.x += 60.0;
    let map = solve(&points).unwrap();
    assert_eq!(map.outliers().count(), 0);
    assert!(map.control_sigma_px() > 2.0 * CONTROL_SIGMA_PX, "{}", map.control_sigma_px());
    for count in [6, 8, 12, 20] {
        for wrong in 0..count {
            let mut points = street().controls(count, &mut random);
            points[wrong].pixel.x += 60.0;
            let map = solve(&points).unwrap();
            assert_eq!(map.outliers().collect::<Vec<_>>(), [wrong], "of {count}");
            assert_eq!(map.worst().0, wrong);
            assert!((map.residuals_px()[wrong] - 60.0).abs() < 1.0, "{:?}", map.residuals_px());
            assert!(map.control_sigma_px() <= CONTROL_SIGMA_PX);
        }
    }
}

#[test]
fn points_that_agree_on_nothing_are_all_kept_and_the_error_says_so() {
    let mut random = SplitMix(8);
    let points = shifted(street().controls(10, &mut random), 25.0, &mut random);
    let map = solve(&points).unwrap();
    assert!(map.control_sigma_px() > 8.0, "{}", map.control_sigma_px());
}

#[test]
fn a_solution_written_down_makes_the_same_map() {
    let mut random = SplitMix(21);
    let mut points = shifted(street().controls(14, &mut random), 1.5, &mut random);
    points[4].pixel.y += 80.0;
    let map = solve(&points).unwrap();
    let again = GroundMap::restore(&points, &map.solved()).unwrap();
    for (across, down) in [(0.1, 0.9), (0.5, 0.5), (0.8, 0.2)] {
        let pixel = street().pixel(across, down);
        let (a, b) = (map.place(pixel, 2.0).unwrap(), again.place(pixel, 2.0).unwrap());
        assert!(a.lon_lat.distance_m(b.lon_lat) < 1e-6);
        assert!((a.error_m() - b.error_m()).abs() < 1e-6 * a.error_m());
    }
    assert_eq!(again.outliers().collect::<Vec<_>>(), [4]);
    points[2].pixel.x += 1.0;
    assert_eq!(GroundMap::restore(&points, &map.solved()).unwrap_err(), HomographyError::Stale { index: 2 });
    let none = Solved { frame: [map.solved().frame[0]; 4], ..map.solved() };
    assert_eq!(GroundMap::restore(&points, &none).unwrap_err(), HomographyError::Unwritten);
}

#[test]
fn beyond_the_range_is_refused() {
    let map = solve(&street().controls(8, &mut SplitMix(1))).unwrap();
    let far = PixelPoint::new(960.0, street().horizon_y() + 12.0);
    assert!(map.ground_from_pixel(far).is_none());
    assert!(map.with_range_m(10_000.0).ground_from_pixel(far).is_some());
}

#[test]
fn mistakes_are_named() {
    let good = street().controls(6, &mut SplitMix(2));
    let fails = |change: &dyn Fn(&mut Vec<ControlPoint>)| {
        let mut points = good.clone();
        change(&mut points);
        solve(&points).unwrap_err()
    };
    assert_eq!(fails(&|p| p.truncate(3)), HomographyError::TooFew { given: 3 });
    assert_eq!(fails(&|p| p[4].pixel.x = f64::NAN), HomographyError::NotANumber { index: 4 });
    assert_eq!(
        fails(&|p| p[2].pixel = p[0].pixel),
        HomographyError::Duplicate { first: 0, second: 2, space: ControlSpace::Picture }
    );
    assert_eq!(
        fails(&|p| p[2].lon_lat = p[0].lon_lat),
        HomographyError::Duplicate { first: 0, second: 2, space: ControlSpace::Ground }
    );
    assert!(matches!(
        fails(&|p| p[3].lon_lat.lat += 1.0),
        HomographyError::TooFar { index: 3, distance_m } if distance_m > 100_000.0
    ));
    assert_eq!(
        fails(&|p| for q in p {
            q.pixel.x = 1920.0 - q.pixel.x
        }),
        HomographyError::Mirrored
    );
    assert_eq!(
        fails(&|p| for (i, q) in p.iter_mut().enumerate() {
            q.lon_lat = LonLat::new(118.65, 34.92 + 1e-4 * i as f64)
        }),
        HomographyError::Collinear { space: ControlSpace::Ground, left_out: None }
    );
    // Exchanged longitude and latitude: latitude 118 is nowhere.
    assert!(matches!(
        fails(&|p| for q in p {
            q.lon_lat = LonLat::new(q.lon_lat.lat, q.lon_lat.lon)
        }),
        HomographyError::NotANumber { index: 0 }
    ));
    let mut four = street().controls(4, &mut SplitMix(2));
    let first = four[0].lon_lat;
    four[0].lon_lat = four[1].lon_lat;
    four[1].lon_lat = first;
    assert!(matches!(
        solve(&four).unwrap_err(),
        HomographyError::AboveHorizon { .. } | HomographyError::Mirrored
    ));
    says_which_point(&HomographyError::Collinear { space: ControlSpace::Ground, left_out: Some(2) });
}

/// The texts count points from 1.
fn says_which_point(error: &HomographyError) {
    assert!(
        error.to_string().starts_with("all control points but point 3 lie on one line on the ground"),
        "{error}"
    );
}

#[test]
fn ellipse_axes_follow_the_covariance() {
    let at = |covariance_m2| Position {
        lon_lat: LonLat::new(118.65, 34.92),
        ground: GroundPoint::new(0.0, 0.0),
        covariance_m2,
    };
    let east = at([[4.0, 0.0], [0.0, 1.0]]).ellipse_95();
    assert!((east.bearing_deg - 90.0).abs() < 1e-9 && (east.semi_major_m - 2.0 * CHI_95_2D).abs() < 1e-9);
    assert!((at([[1.0, 0.0], [0.0, 4.0]]).ellipse_95().bearing_deg).abs() < 1e-9);
    let north_east = at([[2.5, 1.5], [1.5, 2.5]]).ellipse_95();
    assert!((north_east.bearing_deg - 45.0).abs() < 1e-9);
    assert!((north_east.semi_minor_m - CHI_95_2D).abs() < 1e-9);
}

#[test]
fn matrices_agree_with_the_methods() {
    let map = solve(&street().controls(8, &mut SplitMix(1))).unwrap();
    let pixel = street().pixel(0.3, 0.6);
    let apply = |m: [[f64; 3]; 3], x: f64, y: f64| {
        let [a, b, w] = m.map(|row| row[0] * x + row[1] * y + row[2]);
        assert!(w > 0.0);
        (a / w, b / w)
    };
    let ground = map.ground_from_pixel(pixel).unwrap();
    let (x, y) = apply(map.ground_from_pixel_matrix(), pixel.x, pixel.y);
    assert!((x - ground.x).hypot(y - ground.y) < 1e-9);
    let (x, y) = apply(map.pixel_from_ground_matrix(), ground.x, ground.y);
    assert!((x - pixel.x).hypot(y - pixel.y) < 1e-6);
}
