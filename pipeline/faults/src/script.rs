//! What the cameras of a scenario tell, the same for the same seed.
//!
//! In: a seed and a number of things. Out: steps in the order of time. Never: a clock. Each finding has an
//! instant of its own, so that one on the desk is known by its camera and its instant.

use std::collections::BTreeSet;

use anyhow::Result;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::space::{GroundPoint, ImageBox, ImagePoint, LocalPlane, LonLat};
use calib::time::Timestamp;
use logic::case::{Location, Matter, ModelRef, UnitGrid};
use logic::finding::{Finding, Sight, SpotId};
use logic::look::CameraId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use report::{Job, PreparedJob, Provenance, Shot, prepare};

/// 2026-07-01T00:00:00Z
const START_MS: i64 = 1_782_864_000_000;
const CAMERAS: [&str; 3] = ["east", "north", "west"];
/// Each in a cell of its own, further apart than anything is merged.
const PLACES: usize = 5;
const WIDTH: usize = 64;
const HEIGHT: usize = 48;

/// A finding: which camera, and when, milliseconds since 1970.
pub(crate) type Key = (String, i64);

/// One step of one camera.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) camera: CameraId,
    /// Counted by camera, from 0.
    pub(crate) ordinal: usize,
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Appeared(SpotId),
    Confirmed(Box<Finding>),
    Seen(Box<Finding>),
    Gone(SpotId),
    /// A person at the desk closes what is open in this cell.
    Closed(String),
}

impl Step {
    /// The finding that it tells, where it tells one.
    pub(crate) fn key(&self) -> Option<Key> {
        matches!(self.what, What::Confirmed(_) | What::Seen(_)).then(|| (self.camera.to_string(), self.at_ms))
    }

    /// As the evidence thread would make it; `None` for what a person does.
    pub(crate) fn job(&self) -> Option<PreparedJob> {
        let luma: Vec<u8> =
            (0..WIDTH * HEIGHT).map(|i| (self.at_ms / 1000 + (i % WIDTH) as i64) as u8).collect();
        let uv = vec![128; WIDTH * HEIGHT / 2];
        let view = YuvView {
            width: WIDTH,
            height: HEIGHT,
            luma: Plane { data: &luma, stride: WIDTH },
            chroma: Chroma::Nv12 { uv: Plane { data: &uv, stride: WIDTH } },
            matrix: Matrix::Bt601,
            range: Range::Full,
        };
        let shot = Shot { view, at: Timestamp::from_millis(self.at_ms), detections: Some(&[]) };
        let camera = self.camera.clone();
        Some(prepare(match &self.what {
            What::Appeared(spot) => Job::Appeared { camera, spot: *spot, shot },
            What::Confirmed(finding) => {
                Job::Confirmed { finding: finding.as_ref().clone(), shot, provenance: provenance() }
            }
            What::Seen(finding) => {
                Job::Seen { finding: finding.as_ref().clone(), shot, provenance: provenance() }
            }
            What::Gone(spot) => Job::Gone { camera, spot: *spot },
            What::Closed(_) => return None,
        }))
    }
}

/// Every finding of a script.
pub(crate) fn findings(steps: &[Step]) -> BTreeSet<Key> {
    steps.iter().filter_map(Step::key).collect()
}

/// One thing: what its camera says of it, and what a person does.
struct Thing {
    camera: usize,
    place: usize,
    spot: SpotId,
    looks: usize,
    told: usize,
}

/// The steps of `things` things, begun one after the other and told of in turns.
pub(crate) fn steps(seed: u64, things: usize) -> Result<Vec<Step>> {
    anyhow::ensure!(things > 0, "a scenario needs at least one thing");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut to_come = things;
    let mut here: Vec<Thing> = Vec::new();
    let mut steps = Vec::new();
    let mut ordinals = [0; CAMERAS.len()];
    let mut at_ms = START_MS;
    while to_come > 0 || !here.is_empty() {
        at_ms += 1000;
        if to_come > 0 && (here.is_empty() || dice.random_ratio(1, 4)) {
            let camera = dice.random_range(0..CAMERAS.len());
            let spot = SpotId { first_at: Timestamp::from_millis(at_ms), ordinal: 0 };
            let looks = 2 + dice.random_range(0..3);
            here.push(Thing { camera, place: dice.random_range(0..PLACES), spot, looks, told: 0 });
            to_come -= 1;
            continue;
        }
        let picked = dice.random_range(0..here.len());
        let thing = &mut here[picked];
        let what = match thing.told {
            0 => What::Appeared(thing.spot),
            1 => What::Confirmed(Box::new(finding(thing, at_ms))),
            told if told < thing.looks => What::Seen(Box::new(finding(thing, at_ms))),
            _ if dice.random_ratio(1, 2) => What::Closed(cell(thing.place)),
            _ => What::Gone(thing.spot),
        };
        // A thing whose case a person closed may be seen once more after that.
        let ended = match &what {
            What::Closed(_) if dice.random_ratio(1, 2) => {
                thing.looks = thing.told + 2;
                false
            }
            What::Closed(_) | What::Gone(_) => true,
            _ => false,
        };
        thing.told += 1;
        let camera = thing.camera;
        if ended {
            here.remove(picked);
        }
        let (id, ordinal) = (CameraId::new(CAMERAS[camera]), ordinals[camera]);
        ordinals[camera] += 1;
        steps.push(Step { camera: id, ordinal, at_ms, what });
    }
    Ok(steps)
}

pub(crate) fn cell(place: usize) -> String {
    format!("37132900100{place:04}")
}

fn finding(thing: &Thing, at_ms: i64) -> Finding {
    finding_at(CAMERAS[thing.camera], thing.place, thing.spot, at_ms, "09006")
}

/// A finding of `camera` in the cell of `place`.
pub(crate) fn finding_at(camera: &str, place: usize, spot: SpotId, at_ms: i64, code: &str) -> Finding {
    let plane = LocalPlane::at(LonLat::new(118.65, 34.92));
    let point = plane.lon_lat_from_ground(GroundPoint::new(100.0 * place as f64, 0.0));
    Finding {
        camera: CameraId::new(camera),
        preset: None,
        sight: Sight {
            spot,
            rule: 0,
            variant: Default::default(),
            preset: None,
            zone: "footway".into(),
            at: Timestamp::from_millis(at_ms),
            first_at: spot.first_at,
            bounds: ImageBox::from([0.3, 0.3, 0.6, 0.6]),
            foot: ImagePoint::new(0.45, 0.6),
            foot_sigma: 0.01,
            score: 0.8,
            hits: 5,
            looks: 6,
        },
        matter: Matter {
            standard_ref: "GB/T 47678.5-2026".into(),
            code: code.to_owned(),
            name: "占道经营".into(),
        },
        location: Some(Location { lon: point.lon, lat: point.lat, crs: "EPSG:4490".into(), error_m: 1.0 }),
        unit_grid: Some(UnitGrid { code: cell(place), probability: 0.98, boundary: Vec::new() }),
        responsibility_grid: Some("R-7".into()),
        merge_radius_m: 20.0,
    }
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        model: ModelRef { name: "a-model".into(), sha256: "ab".repeat(32) },
        config_sha256: "cd".repeat(32),
        utc_offset_minutes: 480,
        zone_polygon_in_image: Vec::new(),
    }
}
