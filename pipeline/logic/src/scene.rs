//! What a frame's picture says beside the detector's boxes: whether it can be judged at all, and what in it is
//! new or gone.
//!
//! In: small luma pictures of one camera. Out: a [`Scene`] for each look. Never: a class, a rule, a clock.

mod background;
mod contrast;
mod days;
mod fault;
mod grid;
mod groups;
mod kept;
mod light;
mod likeness;
mod limits;
mod packed;
mod region;
mod shift;
mod thumb;
mod tone;
mod watch;

use calib::space::ImageBox;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use region::PROPOSALS_MAX;
pub use thumb::{THUMB_HEIGHT_MAX, THUMB_WIDTH, Thumb};
pub use watch::{SceneState, SceneWatch};

/// What is wrong with a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewFault {
    /// It shows another part of the street than its reference, or is on its way there.
    Moved,
    /// Something hangs before the lens.
    Covered,
    /// Out of focus.
    Blurred,
    /// Too dark to tell things apart.
    Dark,
    /// Too bright to tell things apart.
    Glare,
    /// The same picture again and again, its clock aside.
    Frozen,
}

impl ViewFault {
    /// Every fault with its name in events and metrics.
    pub const NAMES: &[(&str, Self)] = &[
        ("moved", Self::Moved),
        ("covered", Self::Covered),
        ("blurred", Self::Blurred),
        ("dark", Self::Dark),
        ("glare", Self::Glare),
        ("frozen", Self::Frozen),
    ];

    /// Whether a view can have become so for good, and be accepted as its new reference. What the others lack comes
    /// back with the light or the stream.
    pub fn is_acceptable(self) -> bool {
        matches!(self, Self::Moved | Self::Covered | Self::Blurred)
    }
}

/// How much light there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Daylight, or a street lit as well.
    #[default]
    Day,
    /// Lamps or infrared.
    Night,
}

/// What the background model says of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalKind {
    /// Something stands here that was not here before.
    Appeared,
    /// Something that was here is gone.
    Removed,
    /// It has grown or changed over days (construction memory).
    Changed,
}

/// A region that is not as it normally is, and has been so for a while. No class names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What happened.
    pub kind: ProposalKind,
    /// Where, in shares of the picture.
    pub bounds: ImageBox,
    /// When it came.
    pub since: Timestamp,
    /// How far it differs from what is normal, 0..=1.
    pub strength: f32,
}

/// Share of the smaller of a box and a proposal that both must cover to be of one thing.
const SHARED_MIN: f32 = 0.5;

impl Proposal {
    /// Whether a box is of what it tells of.
    pub fn is_shown_by(&self, bounds: &ImageBox) -> bool {
        let shared = self.bounds.intersection(bounds);
        shared >= SHARED_MIN * self.bounds.area().min(bounds.area()) && shared > 0.0
    }
}

/// What one look's picture says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scene {
    /// Why this look counts neither way; `None` where it is clear.
    pub fault: Option<ViewFault>,
    /// How much light there is.
    pub light: Light,
    /// Whether rain, snow or fog veils it.
    pub is_veiled: bool,
    /// Which of the camera's presets it shows, by its number in the camera's file; `None` is the home view.
    pub preset: Option<usize>,
    /// What is new or gone, strongest first.
    pub proposals: Vec<Proposal>,
}
