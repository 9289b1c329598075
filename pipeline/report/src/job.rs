//! What the watch of a camera asks of this crate, and its CPU half: encode, mask, hash.
//!
//! In: a [`Job`] that borrows the decoder's frame. Out: a [`PreparedJob`] that owns all it needs. Never:
//! disk, network or `await`; call [`prepare`] off the async threads. A finding is never refused here: a
//! frame that gives no picture leaves the finding without pictures, and says why.

use calib::picture::YuvView;
use calib::space::ImagePoint;
use calib::time::Timestamp;
use logic::case::{EvidenceRole, ModelRef};
use logic::finding::{Finding, SpotId};
use logic::look::{CameraId, Detection};

use crate::annotate::{Caption, annotate};
use crate::mask::{Masked, MaskedJpeg, mask};
use crate::picture::{Jpeg, Picture, PictureError};

/// The crop shows the box grown by this share of itself on every side.
pub const CROP_GROWTH: f32 = 0.25;

/// One frame and what models saw in it. The detections should hold the faint ones too: they say what is masked.
#[derive(Debug, Clone, Copy)]
pub struct Shot<'a> {
    /// The decoder's frame.
    pub view: YuvView<'a>,
    /// When it was taken.
    pub at: Timestamp,
    /// Everything that models saw in it; `None` where one of them had no answer: the original is kept then, and nothing
    /// leaves.
    pub detections: Option<&'a [Detection]>,
}

/// What a case says about how it was found, beside the finding itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Which model saw it.
    pub model: ModelRef,
    /// SHA-256 of the camera file in force, lower-case hex.
    pub config_sha256: String,
    /// What the street's clock is ahead of UTC, minutes.
    pub utc_offset_minutes: i32,
    /// The zone's corners; empty where the zone has no outline in the picture.
    pub zone_polygon_in_image: Vec<ImagePoint>,
}

/// What happened at one look, in the words of [`logic::finding::Event`].
#[derive(Debug, Clone)]
pub enum Job<'a> {
    /// A candidate appeared: keep its first frame.
    Appeared {
        /// Whose.
        camera: CameraId,
        /// Which.
        spot: SpotId,
        /// The frame.
        shot: Shot<'a>,
    },
    /// A finding: open a case, or add to the one that is open about this.
    Confirmed {
        /// What and where.
        finding: Finding,
        /// The frame.
        shot: Shot<'a>,
        /// How it was found.
        provenance: Provenance,
    },
    /// A confirmed spot is still there.
    Seen {
        /// What and where.
        finding: Finding,
        /// The frame.
        shot: Shot<'a>,
        /// How it was found.
        provenance: Provenance,
    },
    /// A confirmed spot went away: nothing is kept for it beyond its case.
    Gone {
        /// Whose.
        camera: CameraId,
        /// Which.
        spot: SpotId,
    },
    /// A candidate went away: its first frame is thrown away.
    Dropped {
        /// Whose.
        camera: CameraId,
        /// Which.
        spot: SpotId,
    },
    /// The state of a camera's watch after the jobs before this one.
    Snapshot {
        /// Whose.
        camera: CameraId,
        /// Its state, opaque here.
        json: String,
    },
    /// What a camera's view normally looks like. Apart from its watch, since it is large and changes slowly.
    Scene {
        /// Whose.
        camera: CameraId,
        /// Its state, opaque here.
        json: String,
    },
}

/// One picture, original and masked copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) original: Jpeg,
    pub(crate) copy: MaskedJpeg,
}

/// A finding with its pictures.
#[derive(Debug, Clone)]
pub struct PreparedFinding {
    pub(crate) finding: Finding,
    pub(crate) provenance: Provenance,
    pub(crate) captured_at: Timestamp,
    pub(crate) pictures: Option<FindingPictures>,
}

/// The frame of a finding in all its forms.
#[derive(Debug, Clone)]
pub(crate) struct FindingPictures {
    pub(crate) original: Jpeg,
    /// Absent where it is unknown what to mask: then nothing leaves, and the original is kept.
    pub(crate) copies: Option<FindingCopies>,
}

/// The masked copies of it.
#[derive(Debug, Clone)]
pub(crate) struct FindingCopies {
    pub(crate) whole: MaskedJpeg,
    pub(crate) crop: MaskedJpeg,
    pub(crate) annotated: MaskedJpeg,
}

/// A job that owns all it needs; its bytes are shared, a clone is cheap.
#[derive(Debug, Clone)]
pub struct PreparedJob {
    pub(crate) work: Work,
    /// Why pictures are missing, where they are.
    pub(crate) fault: Option<PictureError>,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Appeared { camera: CameraId, spot: SpotId, at: Timestamp, pair: Option<Pair> },
    Confirmed(Box<PreparedFinding>),
    Seen(Box<PreparedFinding>),
    Unstage { camera: CameraId, spot: SpotId },
    Snapshot { camera: CameraId, json: String },
    Scene { camera: CameraId, json: String },
}

impl PreparedJob {
    /// Why the job goes on without its pictures; `None` where it has them all.
    pub fn picture_fault(&self) -> Option<&PictureError> {
        self.fault.as_ref()
    }
}

/// The CPU half of a job.
pub fn prepare(job: Job<'_>) -> PreparedJob {
    match job {
        Job::Appeared { camera, spot, shot } => {
            let (pair, fault) = match first_pair(&shot) {
                Ok(pair) => (Some(pair), None),
                Err(fault) => (None, Some(fault)),
            };
            PreparedJob { work: Work::Appeared { camera, spot, at: shot.at, pair }, fault }
        }
        Job::Confirmed { finding, shot, provenance } => {
            let (prepared, fault) = prepare_finding(finding, &shot, provenance);
            PreparedJob { work: Work::Confirmed(Box::new(prepared)), fault }
        }
        Job::Seen { finding, shot, provenance } => {
            let (prepared, fault) = prepare_finding(finding, &shot, provenance);
            PreparedJob { work: Work::Seen(Box::new(prepared)), fault }
        }
        Job::Gone { camera, spot } | Job::Dropped { camera, spot } => {
            PreparedJob { work: Work::Unstage { camera, spot }, fault: None }
        }
        Job::Snapshot { camera, json } => PreparedJob { work: Work::Snapshot { camera, json }, fault: None },
        Job::Scene { camera, json } => PreparedJob { work: Work::Scene { camera, json }, fault: None },
    }
}

fn first_pair(shot: &Shot<'_>) -> Result<Pair, PictureError> {
    let picture = Picture::from_yuv(&shot.view)?;
    let copy = masked(&picture, shot)?.to_jpeg()?;
    Ok(Pair { original: picture.to_jpeg()?, copy })
}

fn masked(picture: &Picture, shot: &Shot<'_>) -> Result<Masked, PictureError> {
    mask(picture, shot.detections.ok_or(PictureError::Unseen)?)
}

fn prepare_finding(
    finding: Finding,
    shot: &Shot<'_>,
    provenance: Provenance,
) -> (PreparedFinding, Option<PictureError>) {
    let (pictures, fault) = match pictures_of(&finding, shot, &provenance) {
        Ok((pictures, fault)) => (Some(pictures), fault),
        Err(fault) => (None, Some(fault)),
    };
    (PreparedFinding { finding, provenance, captured_at: shot.at, pictures }, fault)
}

/// `Err` where there is no picture at all; a fault beside the pictures where nothing may leave.
fn pictures_of(
    finding: &Finding,
    shot: &Shot<'_>,
    provenance: &Provenance,
) -> Result<(FindingPictures, Option<PictureError>), PictureError> {
    let picture = Picture::from_yuv(&shot.view)?;
    let original = picture.to_jpeg()?;
    let copies = masked(&picture, shot).and_then(|masked| copies_of(&masked, finding, shot, provenance));
    Ok(match copies {
        Ok(copies) => (FindingPictures { original, copies: Some(copies) }, None),
        Err(fault) => (FindingPictures { original, copies: None }, Some(fault)),
    })
}

fn copies_of(
    masked: &Masked,
    finding: &Finding,
    shot: &Shot<'_>,
    provenance: &Provenance,
) -> Result<FindingCopies, PictureError> {
    let sight = &finding.sight;
    let caption = Caption {
        code: finding.matter.code.clone(),
        camera: finding.camera.to_string(),
        zone: sight.zone.clone(),
        at: shot.at,
        utc_offset_minutes: provenance.utc_offset_minutes,
        score: sight.score,
        cell: finding.unit_grid.as_ref().map(|grid| grid.code.clone()),
    };
    let annotated = annotate(masked, &provenance.zone_polygon_in_image, &sight.bounds, &caption);
    Ok(FindingCopies {
        whole: masked.to_jpeg()?,
        crop: masked.crop(&sight.bounds.grown(CROP_GROWTH)).to_jpeg()?,
        annotated: annotated.to_jpeg()?,
    })
}

impl FindingCopies {
    /// What a new case shows of this frame.
    pub(crate) fn for_case(&self) -> [(EvidenceRole, &MaskedJpeg); 3] {
        [
            (EvidenceRole::Confirming, &self.whole),
            (EvidenceRole::Crop, &self.crop),
            (EvidenceRole::Annotated, &self.annotated),
        ]
    }
}
