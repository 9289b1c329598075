//! Findings, frames and reporters for the tests.

use std::path::Path;
use std::time::Duration;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::space::{GroundPoint, ImageBox, ImagePoint, LocalPlane, LonLat};
use calib::time::Timestamp;
use logic::case::{Location, Matter, ModelRef, UnitGrid};
use logic::finding::{Finding, Sight, SpotId};
use logic::look::{CameraId, Detection};
use report::{
    Committed, DeskTarget, Handled, Job, PostEvent, PostEvents, PostLimits, Provenance, ReportError,
    Reporter, ReporterConfig, Secret, Shot,
};

/// Longest that any test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const TOKEN: &str = "a-token-of-the-tests";
/// 2026-07-01T00:00:00Z
pub(crate) const START_MS: i64 = 1_782_864_000_000;

/// Planes of one grey value a frame: a different `shade` is a different picture.
pub(crate) struct Frame {
    luma: Vec<u8>,
    uv: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(shade: u8) -> Self {
        let luma = (0..64 * 48).map(|i| shade.wrapping_add((i % 64) as u8)).collect();
        Self { luma, uv: vec![128; 64 * 24] }
    }

    pub(crate) fn shot<'a>(&'a self, at_ms: i64, detections: &'a [Detection]) -> Shot<'a> {
        let view = YuvView {
            width: 64,
            height: 48,
            luma: Plane { data: &self.luma, stride: 64 },
            chroma: Chroma::Nv12 { uv: Plane { data: &self.uv, stride: 64 } },
            matrix: Matrix::Bt601,
            range: Range::Full,
        };
        Shot { view, at: Timestamp::from_millis(at_ms), detections: Some(detections) }
    }
}

pub(crate) fn spot(first_ms: i64) -> SpotId {
    SpotId { first_at: Timestamp::from_millis(first_ms), ordinal: 0 }
}

/// A vendor of `camera`, `east_m` metres along the street, first seen at `first_ms`, now seen at `at_ms`.
pub(crate) fn finding(camera: &str, east_m: f64, first_ms: i64, at_ms: i64) -> Finding {
    let plane = LocalPlane::at(LonLat::new(118.65, 34.92));
    let place = plane.lon_lat_from_ground(GroundPoint::new(east_m, 0.0));
    Finding {
        camera: CameraId::new(camera),
        preset: None,
        sight: Sight {
            spot: spot(first_ms),
            rule: 0,
            variant: Default::default(),
            preset: None,
            zone: "footway-east".into(),
            at: Timestamp::from_millis(at_ms),
            first_at: Timestamp::from_millis(first_ms),
            bounds: ImageBox::from([0.3, 0.3, 0.6, 0.6]),
            foot: ImagePoint::new(0.45, 0.6),
            foot_sigma: 0.01,
            score: 0.8,
            hits: 5,
            looks: 6,
        },
        matter: Matter {
            standard_ref: "GB/T 47678.5-2026".into(),
            code: "09006".into(),
            name: "占道经营".into(),
        },
        location: Some(Location { lon: place.lon, lat: place.lat, crs: "EPSG:4490".into(), error_m: 1.0 }),
        unit_grid: Some(UnitGrid { code: "371329001005012".into(), probability: 0.98, boundary: Vec::new() }),
        responsibility_grid: Some("R-7".into()),
        merge_radius_m: 20.0,
    }
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        model: ModelRef { name: "yolox-tiny".into(), sha256: "ab".repeat(32) },
        config_sha256: "cd".repeat(32),
        utc_offset_minutes: 480,
        zone_polygon_in_image: vec![
            ImagePoint::new(0.1, 0.9),
            ImagePoint::new(0.9, 0.9),
            ImagePoint::new(0.9, 0.2),
        ],
    }
}

/// Quick pauses, so that the tests are; the schedule itself is tested beside the poster.
pub(crate) fn config(folder: &Path, base_url: &str) -> ReporterConfig {
    let target = DeskTarget::new(base_url, Secret::new(TOKEN)).unwrap();
    let mut config = ReporterConfig::new(folder, target);
    config.post = PostLimits {
        request_timeout: Duration::from_millis(500),
        backoff_first: Duration::from_millis(2),
        backoff_max: Duration::from_millis(20),
        ..PostLimits::default()
    };
    config
}

/// Opens, waiting for a reporter that was dropped before to let go of its folder.
pub(crate) async fn reopen(config: &ReporterConfig) -> Reporter {
    let opening = async {
        loop {
            match Reporter::open(config.clone()).await {
                Err(ReportError::FolderInUse { .. }) => tokio::task::yield_now().await,
                other => return other.unwrap(),
            }
        }
    };
    tokio::time::timeout(DEADLINE, opening).await.unwrap()
}

pub(crate) fn appeared(frame: &Frame, camera: &str, first_ms: i64) -> report::PreparedJob {
    let (camera, spot) = (CameraId::new(camera), spot(first_ms));
    report::prepare(Job::Appeared { camera, spot, shot: frame.shot(first_ms, &[]) })
}

pub(crate) fn confirmed(frame: &Frame, finding: &Finding) -> report::PreparedJob {
    let shot = frame.shot(finding.sight.at.as_millis(), &[]);
    report::prepare(Job::Confirmed { finding: finding.clone(), shot, provenance: provenance() })
}

pub(crate) fn seen(frame: &Frame, finding: &Finding) -> report::PreparedJob {
    let shot = frame.shot(finding.sight.at.as_millis(), &[]);
    report::prepare(Job::Seen { finding: finding.clone(), shot, provenance: provenance() })
}

pub(crate) async fn commit(reporter: &Reporter, job: &report::PreparedJob) -> Committed {
    match reporter.commit(job).await.unwrap() {
        Handled::Committed(committed) => committed,
        other => panic!("{other:?}"),
    }
}

/// The next event that `wanted` takes.
pub(crate) async fn event<T>(events: &mut PostEvents, mut wanted: impl FnMut(PostEvent) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = wanted(events.next().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the event came in time")
}

pub(crate) fn case_posted(event: PostEvent) -> Option<logic::case::Case> {
    if let PostEvent::CasePosted(case) = event { Some(*case) } else { None }
}

pub(crate) fn sighting_posted(event: PostEvent) -> Option<logic::case::Sighting> {
    if let PostEvent::SightingPosted { sighting, .. } = event { Some(*sighting) } else { None }
}
