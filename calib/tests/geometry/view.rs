//! A camera whose every number is known, over flat ground: the oracle of the geometry tests.

use calib::homography::ControlPoint;
use calib::lens::Lens;
use calib::space::{GroundPoint, LocalPlane, LonLat, PixelPoint};

pub(crate) const SIZE: [f64; 2] = [1920.0, 1080.0];

/// A camera over [`plane`]'s origin, looking `pitch` below the horizon towards `yaw` (radians, clockwise from
/// north).
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) height_m: f64,
    pub(crate) pitch: f64,
    pub(crate) yaw: f64,
    pub(crate) focal_px: f64,
    pub(crate) lens: Lens,
}

pub(crate) fn plane() -> LocalPlane {
    LocalPlane::at(LonLat::new(118.65, 34.92))
}

type Vector = [f64; 3];

fn sum(parts: [(f64, Vector); 3]) -> Vector {
    std::array::from_fn(|axis| parts.iter().map(|(weight, v)| weight * v[axis]).sum())
}

impl View {
    /// Height 3 to 15 m, pitch 10 to 60°, focal length of half to a whole picture's width.
    pub(crate) fn random(random: &mut SplitMix, bent: bool) -> Self {
        let between = |r: &mut SplitMix, low: f64, high: f64| low + (high - low) * r.unit();
        let mut lens = Lens::straight(SIZE);
        if bent {
            lens.k1 = between(random, -0.4, 0.1);
            lens.k2 = between(random, -0.05, 0.15);
            lens.p1 = between(random, -0.005, 0.005);
            lens.p2 = between(random, -0.005, 0.005);
        }
        Self {
            height_m: between(random, 3.0, 15.0),
            pitch: between(random, 10.0, 60.0).to_radians(),
            yaw: between(random, 0.0, std::f64::consts::TAU),
            focal_px: between(random, 1000.0, 2000.0),
            lens,
        }
    }

    /// Right, down and forward, in east, north, up.
    fn axes(&self) -> [Vector; 3] {
        let ((sy, cy), (sp, cp)) = (self.yaw.sin_cos(), self.pitch.sin_cos());
        // The second is the cross product of forward and right.
        [[cy, -sy, 0.0], [-sy * sp, -cy * sp, -cp], [sy * cp, cy * cp, -sp]]
    }

    /// Where a pinhole's pixel meets the ground.
    pub(crate) fn ground(&self, pinhole: PixelPoint) -> GroundPoint {
        let [right, down, forward] = self.axes();
        let ray = sum([(self.focal_px, forward), (pinhole.x - 960.0, right), (pinhole.y - 540.0, down)]);
        assert!(ray[2] < 0.0, "{pinhole:?} is above the horizon");
        let t = -self.height_m / ray[2];
        GroundPoint::new(ray[0] * t, ray[1] * t)
    }

    pub(crate) fn horizon_y(&self) -> f64 {
        540.0 - self.focal_px * self.pitch.tan()
    }

    /// A pinhole's pixel at shares of the part of the picture worth marking.
    fn pinhole(&self, across: f64, down: f64) -> PixelPoint {
        let top = (self.horizon_y() + 100.0).max(60.0);
        PixelPoint::new(60.0 + across * 1800.0, top + down * (1040.0 - top))
    }

    /// A spot of the picture: what the camera shows and where that is.
    pub(crate) fn spot(&self, across: f64, down: f64) -> Option<(PixelPoint, GroundPoint)> {
        let pinhole = self.pinhole(across, down);
        let shown = self.lens.distorted(pinhole)?;
        let inside = (0.0..SIZE[0]).contains(&shown.x) && (0.0..SIZE[1]).contains(&shown.y);
        inside.then(|| (shown, self.ground(pinhole)))
    }

    /// `count` exact points on a jittered raster.
    pub(crate) fn controls(&self, count: usize, random: &mut SplitMix) -> Vec<ControlPoint> {
        let wide = if count == 4 { 2 } else { 4 };
        let high = count.div_ceil(wide);
        let mut points = Vec::new();
        while points.len() < count {
            let i = points.len();
            let across = ((i % wide) as f64 + 0.2 + 0.6 * random.unit()) / wide as f64;
            let down = ((i / wide) as f64 + 0.2 + 0.6 * random.unit()) / high as f64;
            if let Some((pixel, ground)) = self.spot(across, down) {
                points.push(ControlPoint { pixel, lon_lat: plane().lon_lat_from_ground(ground) });
            }
        }
        points
    }
}

/// The pixel, off by `sigma` an axis.
pub(crate) fn noisy(p: PixelPoint, sigma: f64, random: &mut SplitMix) -> PixelPoint {
    PixelPoint::new(p.x + sigma * random.normal(), p.y + sigma * random.normal())
}

/// SplitMix64 (Steele, Lea & Flood 2014), enough for repeatable noise.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number, Box–Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
