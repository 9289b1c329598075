//! The case as it travels: what the pipeline posts and any case desk receives.
//!
//! The JSON of these types is the product's contract with a case platform; changing a field name here is
//! a change of the API.

use calib::space::LonLat;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a case stands on the desk. Journey knows two; the desk's own life cycle follows the filing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Posted by the pipeline, waiting for a person.
    Reported,
    /// Ended by a person.
    Closed,
}

/// Which kind of problem, by a standard's own number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matter {
    /// The standard that the code belongs to, for instance `GB/T 47678.5-2026`.
    pub standard_ref: String,
    /// The code within it, for instance `09006`.
    pub code: String,
    /// The standard's own name, for instance `占道经营`.
    pub name: String,
}

/// Who saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `camera` today.
    pub kind: SourceKind,
    /// The camera's id.
    pub id: String,
    /// The zone it was seen in.
    pub zone: Option<String>,
    /// The PTZ preset, where there is one.
    pub preset: Option<String>,
}

/// What kind of eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A camera of the pipeline.
    Camera,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
    /// Always `EPSG:4490` (CGCS2000).
    pub crs: String,
    /// Radius in metres within which the true place lies with 95 % probability.
    pub error_m: f64,
}

impl Location {
    /// The point.
    pub fn lon_lat(&self) -> LonLat {
        LonLat::new(self.lon, self.lat)
    }
}

/// The coded unit grid cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitGrid {
    /// 单元网格标识码.
    pub code: String,
    /// Probability that the place lies in this cell, 0..=1.
    pub probability: f64,
    /// Where the place is too near a border to say in which cell it lies: every cell that may hold it, this one
    /// first. Else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundary: Vec<Candidate>,
}

/// A cell that may hold a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// 单元网格标识码.
    pub code: String,
    /// Probability that the place lies in this cell, 0..=1.
    pub probability: f64,
}

/// Which model saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// The manifest's name.
    pub name: String,
    /// SHA-256 of the weights, lower-case hex.
    pub sha256: String,
}

/// What a piece of evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceRole {
    /// The whole view when it was first seen.
    First,
    /// The whole view when it was confirmed.
    Confirming,
    /// The whole view at the latest sighting.
    Latest,
    /// The thing itself, cut out of the confirming view.
    Crop,
    /// The confirming view with zone, box and words drawn on it.
    Annotated,
    /// A short clip around the confirmation.
    Clip,
}

impl EvidenceRole {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Confirming => "confirming",
            Self::Latest => "latest",
            Self::Crop => "crop",
            Self::Annotated => "annotated",
            Self::Clip => "clip",
        }
    }
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it shows.
    pub role: EvidenceRole,
    /// Where it can be fetched from, relative to the desk: `/api/v1/evidence/{sha256}`.
    pub uri: String,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// When the frame was taken.
    pub captured_at: Timestamp,
    /// Whether faces and plates were masked in this copy. A copy that was not masked does not leave.
    pub masked: bool,
}

/// A case as it is posted, stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The pipeline's own id, a UUID.
    pub case_id: String,
    /// Posting the same key twice leaves one case.
    pub idempotency_key: String,
    /// Where it stands.
    pub state: CaseState,
    /// The closed case that this one comes back from.
    pub linked_case_id: Option<String>,
    /// What kind of problem.
    pub matter: Matter,
    /// First look that saw it.
    pub first_seen: Timestamp,
    /// When every condition of its rule was met.
    pub confirmed_at: Timestamp,
    /// Latest look that saw it.
    pub last_seen: Timestamp,
    /// How often it was reported: 1 for the confirmation, and one for each later sighting.
    pub sightings: u64,
    /// Who saw it, in order of appearance, each once.
    pub sources: Vec<Source>,
    /// Where; absent where the camera has no calibration.
    pub location: Option<Location>,
    /// In which coded cell; absent outside every cell or without a location.
    pub unit_grid: Option<UnitGrid>,
    /// Who handles it there.
    pub responsibility_grid: Option<String>,
    /// Mean detector score over the looks that saw it, 0..=1. A case is a clue, not a verdict.
    pub score: f32,
    /// Which model saw it.
    pub model: ModelRef,
    /// SHA-256 of the camera file in force, lower-case hex.
    pub config_sha256: String,
    /// Pictures, each masked.
    pub evidence: Vec<Evidence>,
}

/// A repeat of an open case: one more look at the same problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// Posting the same key twice counts once.
    pub idempotency_key: String,
    /// When.
    pub at: Timestamp,
    /// Who saw it.
    pub source: Source,
    /// Mean detector score, 0..=1.
    pub score: f32,
    /// Pictures that came with it; a `latest` one takes the place of the one before.
    pub evidence: Vec<Evidence>,
}
