//! What the rules say: events of a camera's watch, and a finding once it is placed on the ground.

use std::fmt;

use calib::rule::Variant;
use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::case::{Location, Matter, UnitGrid};
use crate::look::CameraId;

/// A spot's identity within its camera: when it was first seen, and which of that look's spots it is.
///
/// Made of frame time and not of a counter, so that a service that crashes and starts again can never
/// give an old identity to a new thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpotId {
    /// First look that saw it.
    pub first_at: Timestamp,
    /// Number among the spots born in that look.
    pub ordinal: u16,
}

impl fmt::Display for SpotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first_at.as_millis(), self.ordinal)
    }
}

/// What one look changed. The shell keeps evidence and commits findings by these, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something of a rule's classes appeared at a place: keep this frame, it may become evidence.
    Appeared(Sight),
    /// Every condition of the rule is met: commit a finding.
    Confirmed(Sight),
    /// A confirmed spot is still there, told once per sighting interval.
    Seen(Sight),
    /// A confirmed spot has not been seen for the absence time.
    Gone(Sight),
    /// A candidate went away unconfirmed: its first frame may be thrown away.
    Dropped(Sight),
}

impl Event {
    /// The spot it is about, as it stood at this look.
    pub fn sight(&self) -> &Sight {
        match self {
            Self::Appeared(s) | Self::Confirmed(s) | Self::Seen(s) | Self::Gone(s) | Self::Dropped(s) => s,
        }
    }
}

/// A spot as it stood at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// Which spot.
    pub spot: SpotId,
    /// Which rule of the camera, counted from 0 in the order of its file.
    pub rule: usize,
    /// Which of the rule's matters.
    #[serde(default)]
    pub variant: Variant,
    /// The preset whose view it was seen in, by its number in the camera's file; `None` is the home view.
    #[serde(default)]
    pub preset: Option<usize>,
    /// The zone its foot lies in.
    pub zone: String,
    /// When.
    pub at: Timestamp,
    /// First look that saw it.
    pub first_at: Timestamp,
    /// Where it is in the picture.
    pub bounds: ImageBox,
    /// Where it stands in the picture.
    pub foot: ImagePoint,
    /// Standard deviation of the foot, a share of the picture's height.
    pub foot_sigma: f64,
    /// Mean score of the looks that saw it, 0..=1.
    pub score: f32,
    /// Looks that saw it.
    pub hits: u32,
    /// Looks since it appeared.
    pub looks: u32,
}

/// A confirmed spot with its place on the ground: what becomes a case or a sighting of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which camera.
    pub camera: CameraId,
    /// The name of the preset whose view it was seen in; `None` is the home view.
    #[serde(default)]
    pub preset: Option<String>,
    /// What the rule saw.
    pub sight: Sight,
    /// Which kind of problem.
    pub matter: Matter,
    /// Where on the ground; `None` where the camera is not calibrated.
    pub location: Option<Location>,
    /// In which unit grid cell.
    pub unit_grid: Option<UnitGrid>,
    /// In which responsibility grid cell.
    pub responsibility_grid: Option<String>,
    /// Two findings of one matter in one cell within this distance are one problem, metres.
    pub merge_radius_m: f64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What the first rule saw in a view.
    pub(crate) fn sight(preset: Option<usize>) -> Sight {
        let at = Timestamp::from_millis(0);
        Sight {
            spot: SpotId { first_at: at, ordinal: 0 },
            rule: 0,
            variant: Variant::Plain,
            preset,
            zone: "z".into(),
            at,
            first_at: at,
            bounds: ImageBox::from([0.1, 0.1, 0.2, 0.2]),
            foot: ImagePoint::new(0.15, 0.2),
            foot_sigma: 0.01,
            score: 0.8,
            hits: 3,
            looks: 3,
        }
    }
}
