//! From the detector's boxes of one look to the things that one rule may count.
//!
//! In: a look, a rule, the camera's zones. Out: things, each with the place where it stands. Never: memory
//! of earlier looks.

use calib::camera::Camera;
use calib::class::Class;
use calib::rule::{Rule, RuleKind};
use calib::space::{ImageBox, ImagePoint};
use calib::zone::ZoneKind;

use crate::look::{Detection, Look};

/// Something that a rule counts, as one look saw it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) bounds: ImageBox,
    pub(crate) foot: ImagePoint,
    /// Standard deviation of the foot, a share of the picture's height.
    pub(crate) foot_sigma: f64,
    pub(crate) score: f32,
    /// Index of the camera's zone that it stands in.
    pub(crate) zone: usize,
    /// Whether a person is beside it.
    pub(crate) attended: bool,
}

/// A box that fills more of the picture than this is the detector's view of a close-up, not a thing.
const AREA_MAX: f32 = 0.9;
/// A person counts as company from this score on.
const COMPANY_SCORE_MIN: f32 = 0.3;
/// How far beside a thing company may stand, a share of the thing's size.
const COMPANY_REACH: f32 = 0.6;
/// Share of a garbage box inside an overflowing bin's from which it is the bin's.
const BIN_SHARE_MIN: f32 = 0.3;
/// How far an overflowing bin's spill reaches around it, a share of the bin's size.
const BIN_REACH: f32 = 0.25;
/// An overflowing bin claims its spill from this score on.
const BIN_SCORE_MIN: f32 = 0.25;

/// A market parasol is about 2.4 m wide with the middle of its canopy about 2.1 m above the ground; seen
/// from 20 to 35 degrees above, that height takes 0.8 of the canopy's width in the picture.
const PARASOL_FOOT_PER_WIDTH: f32 = 0.8;

/// What the rule counts in this look, parts of one thing joined.
pub(crate) fn things(look: &Look, rule: &Rule, camera: &Camera) -> Vec<Thing> {
    let mut found: Vec<Thing> = Vec::new();
    for detection in &look.detections {
        let Some(thing) = thing(detection, look, rule, camera) else { continue };
        match found.iter_mut().find(|other| joins(&thing.bounds, &other.bounds)) {
            Some(whole) => join(whole, &thing),
            None => found.push(thing),
        }
    }
    found
}

fn thing(detection: &Detection, look: &Look, rule: &Rule, camera: &Camera) -> Option<Thing> {
    let Detection { class, score, mut bounds } = *detection;
    if !rule.classes.contains(&class) || score < rule.score_min || bounds.area() > AREA_MAX {
        return None;
    }
    if bounds.height().min(bounds.width() * look.aspect) < rule.size_min {
        return None;
    }
    if rule.kind == RuleKind::Litter && belongs_to_overflowing_bin(&bounds, look, camera) {
        return None;
    }
    let (foot, foot_sigma) = foot(class, &bounds, look.aspect);
    // A parasol's thing reaches down to where it stands, and so does the crop that people are shown.
    bounds.y1 = bounds.y1.max(foot.y as f32);
    let zone = zone_of(foot, look, rule, camera)?;
    let attended = has_company(&bounds, foot, look);
    Some(Thing { bounds, foot, foot_sigma, score, zone, attended })
}

/// Where a thing of this class stands, and how well its box tells it.
fn foot(class: Class, bounds: &ImageBox, aspect: f32) -> (ImagePoint, f64) {
    let centre = bounds.centre();
    match class {
        // A parasol hangs: its foot is under the middle of its canopy.
        Class::Umbrella => {
            let width = bounds.width() * aspect;
            let y = centre.y + f64::from(PARASOL_FOOT_PER_WIDTH * width);
            (ImagePoint::new(centre.x, y.min(1.0)), f64::from(0.15 * width))
        }
        // A heap's near edge is the box's lower edge; its middle lies behind it.
        Class::Garbage | Class::MaterialPile | Class::Machinery | Class::Goods => {
            let height = f64::from(bounds.height());
            (ImagePoint::new(centre.x, f64::from(bounds.y1) - 0.2 * height), 0.1 * height)
        }
        _ => (bounds.foot(), f64::from(0.05 * bounds.height())),
    }
}

/// The zone of the rule that the foot stands in, unless another zone or a permit excuses it.
fn zone_of(foot: ImagePoint, look: &Look, rule: &Rule, camera: &Camera) -> Option<usize> {
    let holds = |index: &usize| {
        let zone = &camera.zones[*index];
        zone.hours.holds(look.at, camera.utc_offset_minutes) && zone.contains(foot, camera.ground.as_ref())
    };
    let excused = (0..camera.zones.len()).filter(|index| match camera.zones[*index].kind {
        ZoneKind::Ignore => true,
        ZoneKind::Permitted => rule.kind == RuleKind::StreetVendor,
        _ => false,
    });
    if excused.into_iter().any(|index| holds(&index)) || camera.permit(rule, foot, look.at).is_some() {
        return None;
    }
    rule.zones.iter().copied().find(holds)
}

/// A bin over its rim is one matter (06042) with what spills from it, not a second one (06010). Only where a
/// rule of this camera is there to tell of the bin.
fn belongs_to_overflowing_bin(garbage: &ImageBox, look: &Look, camera: &Camera) -> bool {
    let told = camera.rules.iter().any(|rule| {
        rule.kind == RuleKind::OverflowingBin && rule.hours.holds(look.at, camera.utc_offset_minutes)
    });
    told && look.detections.iter().any(|d| {
        let reach = d.bounds.grown(BIN_REACH);
        d.class == Class::BinOverflow
            && d.score >= BIN_SCORE_MIN
            && garbage.intersection(&reach) >= BIN_SHARE_MIN * garbage.area().min(reach.area())
    })
}

fn has_company(bounds: &ImageBox, foot: ImagePoint, look: &Look) -> bool {
    let mut reach = bounds.grown(COMPANY_REACH);
    reach.y1 = reach.y1.max(foot.y as f32);
    look.detections.iter().any(|d| {
        d.class == Class::Person && d.score >= COMPANY_SCORE_MIN && d.bounds.intersection(&reach) > 0.0
    })
}

/// Two boxes of one look that overlap are parts of one thing: a table under its parasol, bags of one heap.
fn joins(a: &ImageBox, b: &ImageBox) -> bool {
    a.grown(0.1).intersection(&b.grown(0.1)) > 0.0
}

fn join(whole: &mut Thing, part: &Thing) {
    let bounds = &mut whole.bounds;
    bounds.x0 = bounds.x0.min(part.bounds.x0);
    bounds.y0 = bounds.y0.min(part.bounds.y0);
    bounds.x1 = bounds.x1.max(part.bounds.x1);
    bounds.y1 = bounds.y1.max(part.bounds.y1);
    // The part that tells its foot best tells the whole's.
    if part.foot_sigma < whole.foot_sigma {
        (whole.foot, whole.foot_sigma, whole.zone) = (part.foot, part.foot_sigma, part.zone);
    }
    whole.score = whole.score.max(part.score);
    whole.attended |= part.attended;
}
