//! What a person has said is no matter: it is not told again while that holds.
//!
//! In: the spot that was told, things of later looks. Out: whether a thing is what was dismissed. Never: who said so.

use calib::class::{ClassSet, Family};
use calib::space::ImageBox;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spot::Spot;
use crate::thing::Thing;

/// How long a place that a person found empty is passed over, where the caller knows nothing better, milliseconds.
pub const DISMISSED_MS: i64 = 30 * 86_400_000;
/// Dismissed places remembered of one view; the one that ends first gives way.
pub(crate) const DISMISSED_MAX: usize = 32;
/// Share of their union from which two boxes are the same false one: it stands still and only jitters.
const SAME_IOU_MIN: f32 = 0.5;

/// A place where one kind of thing is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dismissed {
    family: Family,
    classes: ClassSet,
    bounds: ImageBox,
    pub(crate) until: Timestamp,
}

impl Dismissed {
    pub(crate) fn of(spot: &Spot, until: Timestamp) -> Self {
        Self { family: spot.family, classes: spot.classes, bounds: spot.bounds, until }
    }

    /// Whether a thing is what was dismissed: of its family, made of nothing else, in its box. A larger heap at the
    /// same place is another one.
    pub(crate) fn is(&self, thing: &Thing, at: Timestamp) -> bool {
        at < self.until
            && thing.family == self.family
            && thing.classes.without(self.classes).is_empty()
            && thing.bounds.iou(&self.bounds) >= SAME_IOU_MIN
    }
}
