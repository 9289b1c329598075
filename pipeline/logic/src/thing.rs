//! From the detector's boxes and the background's proposals of one look to the things that rules may count.
//!
//! In: a look, what the camera's rules ask. Out: things, each of one family, with the place where it stands. Never:
//! memory of earlier looks, a zone.

use calib::class::{Class, ClassSet, Family};
use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use calib::zone::GroundView;

use crate::look::{Detection, Look};
use crate::plan::Plan;
use crate::scene::{Light, Proposal, ProposalKind};
use crate::spot::BARE;

/// Something that rules may count, as one look saw it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) family: Family,
    pub(crate) bounds: ImageBox,
    pub(crate) foot: ImagePoint,
    /// Standard deviation of the foot, a share of the picture's height.
    pub(crate) foot_sigma: f64,
    /// Of its surest part; 0 where no class names it.
    pub(crate) score: f32,
    /// What it is made of.
    pub(crate) classes: ClassSet,
    /// Whether a person is beside it.
    pub(crate) is_attended: bool,
    /// Whether it is garbage in reach of a bin, be that over its rim or not.
    pub(crate) is_by_bin: bool,
    /// When it came, where the background says so.
    pub(crate) since: Option<Timestamp>,
}

impl Thing {
    /// Whether something to sell, or to sell from, is set up: more than chairs and a tricycle.
    pub(crate) fn is_set_up(&self) -> bool {
        self.family == Family::Trade && !self.classes.without(BARE).is_empty()
    }

    /// Whether it is a cargo tricycle and nothing else.
    pub(crate) fn is_on_wheels(&self) -> bool {
        self.classes == ClassSet::of(&[Class::CargoTricycle])
    }
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
/// Where the background says that something new stands, this share of a rule's score is enough.
pub(crate) const SUPPORTED_SCORE: f32 = 0.7;
/// Proposals that differ less from what is normal count for nothing.
const STRENGTH_MIN: f32 = 0.2;
/// Share of a proposal under people and vehicles from which it is theirs.
const PASSING_SHARE_MAX: f32 = 0.4;

/// Feet of a stall's parts are no further from each other, metres: two tables side by side.
const STALL_M: f64 = 1.8;

/// A market parasol is about 2.4 m wide with the middle of its canopy about 2.1 m above the ground; seen
/// from 20 to 35 degrees above, that height takes 0.8 of the canopy's width in the picture.
const PARASOL_FOOT_PER_WIDTH: f32 = 0.8;
/// An umbrella narrower than this share of the height of the person under it is held: one held in a hand is about a
/// metre wide and makes half of their height together, a parasol more than all of it.
const HELD_WIDTH_MAX: f32 = 0.75;
/// Where the ground is known, an umbrella narrower than this is held too: one for two people is 1.3 m wide, the
/// least market parasol 1.8 m.
const PARASOL_WIDTH_M_MIN: f64 = 1.5;

/// What this look shows of the rules' classes, parts of one thing joined, and what the background adds.
///
/// `bins` says whether a box lies in reach of a bin that is a spot: that one takes it. Beside any other it is only
/// slower to become litter, or it would be nobody's where no rule watches the bin.
pub(crate) fn things(
    look: &Look,
    plan: &Plan,
    view: Option<&GroundView>,
    watches_bins: bool,
    bins: impl Fn(&ImageBox) -> bool,
    found: &mut Vec<Thing>,
) {
    found.clear();
    let is_night = look.scene.light == Light::Night;
    for detection in &look.detections {
        if !plan.things.has(detection.class) {
            continue;
        }
        let Some(mut thing) = thing(detection, look, plan, view, is_night) else { continue };
        let is_spill = watches_bins && detection.class == Class::Garbage;
        if is_spill && bins(&detection.bounds) {
            continue;
        }
        thing.is_by_bin = is_spill && is_by_bin(&detection.bounds, look);
        add(found, thing, view);
    }
    if plan.proposals_alone && !look.scene.is_veiled {
        unnamed(look, plan, found);
    }
    if plan.has_structures && !look.scene.is_veiled {
        grown(look, found);
    }
}

fn thing(
    detection: &Detection,
    look: &Look,
    plan: &Plan,
    view: Option<&GroundView>,
    is_night: bool,
) -> Option<Thing> {
    let Detection { class, score, mut bounds } = *detection;
    let family = plan.family(class)?;
    let floor = plan.floor(family);
    let score_min = if is_night { floor.score_night } else { floor.score_day };
    if score < score_min * SUPPORTED_SCORE
        || bounds.area() > AREA_MAX
        || bounds.height().min(bounds.width() * look.aspect) < floor.size
    {
        return None;
    }
    let since = new_at(&bounds, look, plan);
    if score < score_min && since.is_none() {
        return None;
    }
    if class == Class::Umbrella && is_held(&bounds, look) {
        return None;
    }
    let (foot, foot_sigma) = foot(class, &bounds, look.aspect);
    if class == Class::Umbrella && is_narrow(&bounds, foot, view) {
        return None;
    }
    // A parasol's thing reaches down to where it stands, and so does the crop that people are shown.
    bounds.y1 = bounds.y1.max(foot.y as f32);
    let is_attended = has_company(&bounds, foot, look);
    Some(Thing {
        family,
        bounds,
        foot,
        foot_sigma,
        score,
        classes: ClassSet::of(&[class]),
        is_attended,
        is_by_bin: false,
        since,
    })
}

/// Since when the background knows of something new that this box shows.
fn new_at(bounds: &ImageBox, look: &Look, plan: &Plan) -> Option<Timestamp> {
    if !plan.proposals_support || look.scene.is_veiled {
        return None;
    }
    news(look).find(|proposal| proposal.is_shown_by(bounds)).map(|proposal| proposal.since)
}

/// New static things that are no people or vehicles.
pub(crate) fn news(look: &Look) -> impl Iterator<Item = &Proposal> {
    let is_new = |proposal: &&Proposal| {
        proposal.kind == ProposalKind::Appeared
            && proposal.strength >= STRENGTH_MIN
            && !is_passing(&proposal.bounds, look)
    };
    look.scene.proposals.iter().filter(is_new)
}

/// Whether a class names what a proposal tells of: then it stands in for no other.
pub(crate) fn is_named_by(proposal: &ImageBox, found: &[Thing]) -> bool {
    found.iter().any(|thing| {
        let smaller = thing.bounds.area().min(proposal.area());
        !thing.classes.is_empty() && thing.bounds.intersection(proposal) >= 0.6 * smaller
    })
}

fn is_passing(bounds: &ImageBox, look: &Look) -> bool {
    look.detections.iter().any(|d| {
        Family::PASSING.has(d.class) && d.bounds.intersection(bounds) >= PASSING_SHARE_MAX * bounds.area()
    })
}

/// What is new and no class names: its own thing.
fn unnamed(look: &Look, plan: &Plan, found: &mut Vec<Thing>) {
    let floor = plan.floor(Family::Unnamed);
    for proposal in news(look) {
        let bounds = proposal.bounds;
        let is_small = bounds.height().min(bounds.width() * look.aspect) < floor.size;
        let is_named = found.iter().any(|thing| thing.bounds.intersection(&bounds) > 0.0);
        if is_small || is_named || bounds.area() > 0.5 {
            continue;
        }
        let (foot, foot_sigma) = foot(Class::Garbage, &bounds, look.aspect);
        found.push(Thing {
            family: Family::Unnamed,
            bounds,
            foot,
            foot_sigma,
            score: proposal.strength,
            classes: ClassSet::default(),
            is_attended: has_company(&bounds, foot, look),
            is_by_bin: false,
            since: Some(proposal.since),
        });
    }
}

/// What grew over days.
fn grown(look: &Look, found: &mut Vec<Thing>) {
    let is_grown =
        |proposal: &&Proposal| proposal.kind == ProposalKind::Changed && proposal.strength >= STRENGTH_MIN;
    for proposal in look.scene.proposals.iter().filter(is_grown) {
        let bounds = proposal.bounds;
        found.push(Thing {
            family: Family::Structure,
            bounds,
            foot: bounds.foot(),
            foot_sigma: f64::from(0.05 * bounds.height()),
            score: proposal.strength,
            classes: ClassSet::default(),
            is_attended: false,
            is_by_bin: false,
            since: Some(proposal.since),
        });
    }
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

/// Whether a person under it holds the umbrella: it is no wider than one that a hand can hold.
fn is_held(umbrella: &ImageBox, look: &Look) -> bool {
    let middle = (umbrella.x0 + umbrella.x1) / 2.0;
    let margin = 0.25 * umbrella.width();
    look.detections.iter().any(|d| {
        let person = &d.bounds;
        let is_under = person.x0 - margin <= middle
            && middle <= person.x1 + margin
            && person.y1 > umbrella.y1
            && person.y0 < umbrella.y1 + 0.5 * umbrella.height();
        d.class == Class::Person
            && d.score >= COMPANY_SCORE_MIN
            && is_under
            // The canopy may hide the head: the pair's height is the person's.
            && umbrella.width() * look.aspect < HELD_WIDTH_MAX * (person.y1 - person.y0.min(umbrella.y0))
    })
}

/// Whether garbage lies in reach of any bin that this look shows.
fn is_by_bin(garbage: &ImageBox, look: &Look) -> bool {
    let is_bin = |class| matches!(class, Class::GarbageBin | Class::BinOverflow);
    look.detections.iter().any(|d| is_bin(d.class) && is_spill(garbage, &d.bounds))
}

/// Whether an umbrella is no wider on the ground than one that a hand can hold: who holds it may be missed.
fn is_narrow(umbrella: &ImageBox, foot: ImagePoint, view: Option<&GroundView>) -> bool {
    let edge = |x: f32| view?.ground_from_image(ImagePoint::new(f64::from(x), foot.y));
    let width_m = || Some(edge(umbrella.x0)?.distance_m(edge(umbrella.x1)?));
    width_m().is_some_and(|width_m| width_m < PARASOL_WIDTH_M_MIN)
}

/// Whether garbage lies in reach of a bin.
pub(crate) fn is_spill(garbage: &ImageBox, bin: &ImageBox) -> bool {
    let reach = bin.grown(BIN_REACH);
    garbage.intersection(&reach) >= BIN_SHARE_MIN * garbage.area().min(reach.area())
}

/// Whether a person is beside a place.
pub(crate) fn has_company(bounds: &ImageBox, foot: ImagePoint, look: &Look) -> bool {
    let mut reach = bounds.grown(COMPANY_REACH);
    reach.y1 = reach.y1.max(foot.y as f32);
    look.detections.iter().any(|d| {
        d.class == Class::Person && d.score >= COMPANY_SCORE_MIN && d.bounds.intersection(&reach) > 0.0
    })
}

/// Two boxes of one look that overlap are parts of one thing: a table under its parasol, bags of one heap. Where the
/// ground is known, a stall and the shop's table that shows behind it are two.
fn joins(a: &Thing, b: &Thing, view: Option<&GroundView>) -> bool {
    a.family == b.family
        && a.bounds.grown(0.1).intersection(&b.bounds.grown(0.1)) > 0.0
        && !(a.is_set_up()
            && b.is_set_up()
            && are_apart((a.foot, a.foot_sigma), (b.foot, b.foot_sigma), view))
}

/// Whether two feet, each with its deviation, are too far from each other on the ground for parts of one stall.
pub(crate) fn are_apart(a: (ImagePoint, f64), b: (ImagePoint, f64), view: Option<&GroundView>) -> bool {
    let Some(view) = view else { return false };
    let stands = |(foot, sigma): (ImagePoint, f64)| {
        let here = view.ground_from_image(foot)?;
        let nearer = view.ground_from_image(ImagePoint::new(foot.x, foot.y + sigma))?;
        Some((here, here.distance_m(nearer)))
    };
    let (Some((a, a_m)), Some((b, b_m))) = (stands(a), stands(b)) else { return false };
    a.distance_m(b) > STALL_M + 2.0 * (a_m + b_m)
}

/// Adds a part; what it ties together becomes one thing.
fn add(found: &mut Vec<Thing>, mut part: Thing, view: Option<&GroundView>) {
    while let Some(other) = found.iter().position(|other| joins(&part, other, view)) {
        let mut whole = found.remove(other);
        join(&mut whole, &part);
        part = whole;
    }
    found.push(part);
}

fn join(whole: &mut Thing, part: &Thing) {
    let bounds = &mut whole.bounds;
    bounds.x0 = bounds.x0.min(part.bounds.x0);
    bounds.y0 = bounds.y0.min(part.bounds.y0);
    bounds.x1 = bounds.x1.max(part.bounds.x1);
    bounds.y1 = bounds.y1.max(part.bounds.y1);
    // The part that tells its foot best tells the whole's; a tricycle before a stall does not tell where that stands.
    if (part.is_on_wheels(), part.foot_sigma) < (whole.is_on_wheels(), whole.foot_sigma) {
        (whole.foot, whole.foot_sigma) = (part.foot, part.foot_sigma);
    }
    whole.score = whole.score.max(part.score);
    whole.classes = whole.classes.with(part.classes);
    whole.is_attended |= part.is_attended;
    whole.is_by_bin |= part.is_by_bin;
    whole.since = whole.since.or(part.since);
}
