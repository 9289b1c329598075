//! Random cameras, random marks, one mark in eight grossly wrong: what the stated ellipses are worth.

#[path = "geometry/view.rs"]
mod view;

use calib::homography::{GroundMap, LensWanted, Refusal, Setup};
use calib::space::PixelPoint;
use view::{SIZE, SplitMix, View, noisy, plane};

/// Marks of control points are this far off, one standard deviation an axis, pixels.
const MARK_SIGMA_PX: f64 = 1.5;
/// And the pixels that are placed this far.
const FOOT_SIGMA_PX: f64 = 2.0;

/// What came out for one kind of camera.
#[derive(Default)]
struct Score {
    inside: usize,
    errors_m: Vec<f64>,
    stated_m: Vec<f64>,
    wrong_found: usize,
    wrong: usize,
    right_dropped: usize,
    right: usize,
}

impl Score {
    fn coverage(&self) -> f64 {
        self.inside as f64 / self.errors_m.len() as f64
    }

    fn add(&mut self, other: Self) {
        self.inside += other.inside;
        self.errors_m.extend(other.errors_m);
        self.stated_m.extend(other.stated_m);
        self.wrong_found += other.wrong_found;
        self.wrong += other.wrong;
        self.right_dropped += other.right_dropped;
        self.right += other.right;
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// One camera with `count` marks, one in eight of them 40 to 300 pixels off, and 40 places looked for.
fn one(view: &View, count: usize, random: &mut SplitMix) -> Score {
    let mut score = Score::default();
    let mut points = view.controls(count, random);
    for point in &mut points {
        point.pixel = noisy(point.pixel, MARK_SIGMA_PX, random);
    }
    let mut wrong = Vec::new();
    while wrong.len() < count / 8 {
        let i = (random.unit() * count as f64) as usize;
        if !wrong.contains(&i) {
            let (far, angle) = (40.0 + 260.0 * random.unit(), std::f64::consts::TAU * random.unit());
            points[i].pixel.x += far * angle.cos();
            points[i].pixel.y += far * angle.sin();
            wrong.push(i);
        }
    }
    let Ok(map) = GroundMap::solve(&points, &Setup::of_size(SIZE)) else {
        panic!("{view:?}: {:?}", GroundMap::solve(&points, &Setup::of_size(SIZE)));
    };
    let dropped: Vec<usize> = map.outliers().collect();
    score.wrong = wrong.len();
    score.wrong_found = wrong.iter().filter(|i| dropped.contains(i)).count();
    score.right = count - wrong.len();
    score.right_dropped = dropped.iter().filter(|i| !wrong.contains(i)).count();
    for _ in 0..40 {
        let Some((pixel, truth)) = view.spot(random.unit(), random.unit()) else { continue };
        let Ok(position) = map.place(noisy(pixel, FOOT_SIGMA_PX, random), FOOT_SIGMA_PX) else { continue };
        let truth = map.plane().ground_from_lon_lat(plane().lon_lat_from_ground(truth));
        let (east, north) = (truth.x - position.ground.x, truth.y - position.ground.y);
        let [[a, b], [_, d]] = position.covariance_m2;
        let mahalanobis2 = (d * east * east - 2.0 * b * east * north + a * north * north) / (a * d - b * b);
        // 95 % quantile of chi-squared with two degrees of freedom.
        score.inside += usize::from(mahalanobis2 < 5.991_464_547);
        score.errors_m.push(east.hypot(north));
        score.stated_m.push(position.error_m());
    }
    score
}

#[expect(clippy::print_stdout, reason = "what a reader of a failure wants to see first")]
fn many(cameras: usize, count: usize, bent: bool, random: &mut SplitMix) -> Score {
    let mut score = Score::default();
    for _ in 0..cameras {
        score.add(one(&View::random(random, bent), count, random));
    }
    println!(
        "{count} marks{}: {} places, {:.1} % inside, median error {:.3} m, stated {:.3} m; {} of {} wrong marks \
         found, {} of {} right ones lost",
        if bent { ", a lens" } else { "" },
        score.errors_m.len(),
        100.0 * score.coverage(),
        median(&score.errors_m),
        median(&score.stated_m),
        score.wrong_found,
        score.wrong,
        score.right_dropped,
        score.right,
    );
    score
}

#[test]
fn the_stated_ellipse_holds_95_in_100() {
    let mut random = SplitMix(7);
    let mut all = Score::default();
    for (cameras, count, bent) in [(120, 8, false), (80, 16, false), (120, 16, true), (60, 24, true)] {
        let score = many(cameras, count, bent, &mut random);
        assert!((0.92..=0.98).contains(&score.coverage()), "{count}, {bent}: {}", score.coverage());
        assert!(median(&score.errors_m) < 0.25, "{}", median(&score.errors_m));
        assert!(score.right_dropped * 100 <= score.right, "{} of {}", score.right_dropped, score.right);
        all.add(score);
    }
    assert!(all.errors_m.len() >= 10_000, "{}", all.errors_m.len());
    assert!((0.92..=0.98).contains(&all.coverage()), "{}", all.coverage());
    assert!(all.wrong_found * 100 >= 97 * all.wrong, "{} of {}", all.wrong_found, all.wrong);
}

#[test]
fn a_lens_is_found_from_twelve_points_on_and_not_before() {
    let mut random = SplitMix(12);
    let mut view = View::random(&mut random, false);
    (view.height_m, view.pitch, view.focal_px) = (6.0, 0.5, 1300.0);
    (view.lens.k1, view.lens.k2) = (-0.3, 0.08);
    let bend = |map: &GroundMap| {
        let corner = PixelPoint::new(60.0, 1000.0);
        let (found, truth) =
            (map.lens().undistorted(corner).unwrap(), view.lens.undistorted(corner).unwrap());
        (found.x - truth.x).hypot(found.y - truth.y)
    };
    let points = view.controls(16, &mut random);
    let map = GroundMap::solve(&points, &Setup::of_size(SIZE)).unwrap();
    assert!(map.lens_estimated() && map.residual_rms_px() < 0.05, "{}", map.residual_rms_px());
    let (pixel, truth) = view.spot(0.9, 0.2).unwrap();
    let truth = map.plane().ground_from_lon_lat(plane().lon_lat_from_ground(truth));
    assert!(map.ground_from_pixel(pixel).unwrap().distance_m(truth) < 0.05);

    let few = GroundMap::solve(&points[..11], &Setup::of_size(SIZE)).unwrap();
    assert!(!few.lens_estimated());
    assert_eq!(few.lens().k1, 0.0);
    let known = Setup { lens: LensWanted::Known(view.lens), ..Setup::of_size(SIZE) };
    let few = GroundMap::solve(&points[..6], &known).unwrap();
    assert!(few.residual_rms_px() < 1e-6 && bend(&few) < 1e-9);
    let straight = Setup { lens: LensWanted::Straight, ..Setup::of_size(SIZE) };
    let straight = GroundMap::solve(&points, &straight).unwrap();
    assert!(straight.residual_rms_px() > 1.0, "{}", straight.residual_rms_px());
}

#[test]
fn what_cannot_be_placed_is_refused_with_its_reason() {
    let mut random = SplitMix(3);
    let mut view = View::random(&mut random, false);
    (view.height_m, view.pitch, view.focal_px) = (6.0, 0.35, 1400.0);
    let points = view.controls(10, &mut random);
    let map = GroundMap::solve(&points, &Setup::of_size(SIZE)).unwrap();
    let at = |y: f64| map.place(PixelPoint::new(960.0, y), 1.5);
    assert_eq!(at(view.horizon_y() - 5.0), Err(Refusal::AboveHorizon));
    let Err(Refusal::OutOfRange { distance_m, range_m }) = at(view.horizon_y() + 15.0) else {
        panic!("{:?}", at(view.horizon_y() + 15.0));
    };
    assert!(distance_m > range_m && range_m == map.range_m());
    let wide = map.clone().with_range_m(1e6);
    assert_eq!(wide.place(PixelPoint::new(960.0, view.horizon_y() + 3.0), 1.5), Err(Refusal::AtHorizon));
    let near = Setup { range_m: Some(5.0), ..Setup::of_size(SIZE) };
    let near = GroundMap::solve(&points, &near).unwrap();
    assert!(matches!(near.place(points[0].pixel, 1.5), Err(Refusal::OutOfRange { range_m: 5.0, .. })));
}
