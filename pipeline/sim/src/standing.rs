//! A thing of the street as one view shows it, and how well the model sees it there.
//!
//! In: a thing, an eye, throws. Out: at each look its boxes, and whether the background tells of it. Never:
//! whether it is a violation; that is carried along for the score alone.

use calib::class::Class;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::look::Detection;
use logic::scene::{Proposal, ProposalKind};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::glimpse::{Cover, Weather, detection};
use crate::rates::{self, Seen};
use crate::sky::{DAY_MS, Span};
use crate::street::{Block, Eye, Place};
use crate::thing::{Proposed, Thing};
use crate::truth::{Shown, TruthId};

/// Picture's width over its height.
pub(crate) const ASPECT: f32 = 16.0 / 9.0;
/// A violation is asked of a camera that shows a part of it at least so large in its shorter side, pixels of 1080
/// rows: the rules' least size and what jitter takes.
const FIT_PX_MIN: f32 = 28.0;
/// The memory over days tells of a change after so many.
const CHANGE_AFTER_MS: i64 = 2 * DAY_MS;

#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    truth: Option<(TruthId, Span)>,
    whole: ImageBox,
    distance_m: f64,
    hides: bool,
    parts: Vec<PartSeen>,
    company: f32,
    beside: Option<ImageBox>,
    proposal: Option<(Span, Proposal)>,
    since_ms: i64,
    watched_ms: i64,
    looks: u32,
}

/// A part, and whether the last look saw it: misses come in runs.
#[derive(Debug)]
struct PartSeen {
    seen: &'static Seen,
    bounds: ImageBox,
    gains: f32,
    loses: f32,
    is_seen: bool,
}

impl PartSeen {
    fn of(seen: &'static Seen, bounds: ImageBox, dice: &mut Dice) -> Self {
        let small = if side_px(&bounds) < rates::SMALL_PX { rates::RECALL_OF_SMALL } else { 1.0 };
        let (least, most) = rates::RECALL_BOUNDS;
        let recall = dice.near(seen.recall * small, seen.spread).clamp(least, most);
        let gains = 1.0 / rates::MISS_RUN_LOOKS;
        let loses = gains * (1.0 - recall) / recall;
        let is_seen = dice.chance(recall);
        Self { seen, bounds, gains: gains as f32, loses: loses as f32, is_seen }
    }
}

/// Shorter side of a box, pixels of a picture of 1080 rows.
fn side_px(bounds: &ImageBox) -> f32 {
    bounds.height().min(bounds.width() * ASPECT) * 1080.0
}

impl Standing {
    /// The thing in this view; `None` where it shows nothing of it.
    pub(crate) fn of(
        thing: &Thing,
        truth: Option<(TruthId, Span)>,
        eye: &Eye,
        dice: &mut Dice,
    ) -> Option<Self> {
        let whole = eye.bounds(&thing.whole, 0.6)?;
        let shows = |block: &Block| eye.bounds(block, 0.7);
        let parts: Vec<PartSeen> = thing
            .parts
            .iter()
            .filter_map(|part| Some(PartSeen::of(part.seen, shows(&part.block)?, dice)))
            .collect();
        let at = thing.place();
        let reach_m = thing.whole.length_m / 2.0 + 0.3;
        let person = Block::standing(Place::new(at.along_m + reach_m, at.across_m), 0.55, 0.5, 1.7);
        let is_fit = parts.iter().any(|part| side_px(&part.bounds) >= FIT_PX_MIN);
        let own_proposal = proposal(thing, &whole, dice);
        Some(Self {
            from_ms: thing.from_ms,
            until_ms: thing.until_ms,
            truth: truth.filter(|_| is_fit),
            whole,
            distance_m: eye.distance_m(at),
            hides: thing.hides,
            parts,
            company: thing.company as f32,
            beside: eye.bounds(&person, 0.5),
            proposal: own_proposal,
            since_ms: 0,
            watched_ms: 0,
            looks: 0,
        })
    }

    pub(crate) fn cover(&self) -> Option<Cover> {
        self.hides.then_some(Cover { bounds: self.whole, distance_m: self.distance_m })
    }

    /// What the model says of it in one look.
    pub(crate) fn tell(
        &mut self,
        weather: &Weather,
        fault: Option<&Fault>,
        covers: &[Cover],
        dice: &mut Dice,
        seen: &mut Vec<Detection>,
    ) {
        let clear = weather.clear * fault.map_or(1.0, |fault| fault.shows);
        for part in &mut self.parts {
            let bits = dice.bits();
            let throw = |i: u32| f32::from((bits >> (16 * i)) as u16) / 65_536.0;
            part.is_seen = if part.is_seen { throw(0) >= part.loses } else { throw(0) < part.gains };
            let hidden = covers.iter().any(|cover| cover.hides(&part.bounds, self.distance_m - 0.5));
            if !part.is_seen || hidden || throw(1) >= clear {
                continue;
            }
            let class = match part.seen.taken_for {
                Some((other, share)) if throw(2) < share => other,
                _ => part.seen.class,
            };
            push(class, part.bounds, part.seen, fault, dice, seen);
        }
        if self.company > 0.0
            && let Some(beside) = self.beside
            && dice.chance(f64::from(self.company * clear) * rates::PERSON.recall)
        {
            push(Class::Person, beside, &rates::PERSON, fault, dice, seen);
        }
    }

    /// What the picture's memory says of it in one look.
    pub(crate) fn propose(&self, at_ms: i64, dice: &mut Dice, proposals: &mut Vec<Proposal>) {
        if let Some((span, proposal)) = &self.proposal
            && (span.0..span.1).contains(&at_ms)
            && dice.chance(f64::from(rates::PROPOSED_LOOKS))
        {
            proposals.push(*proposal);
        }
    }

    /// A look without a fault showed it, `gap_ms` after the one before.
    pub(crate) fn shown(&mut self, at_ms: i64, gap_ms: i64) {
        let Some((_, span)) = self.truth else { return };
        if (span.0..span.1).contains(&at_ms) {
            let gap_ms = gap_ms.min(at_ms - span.0);
            if self.looks == 0 {
                self.since_ms = at_ms - gap_ms;
            }
            self.looks += 1;
            self.watched_ms += gap_ms;
        }
    }

    /// What this camera showed of a violation.
    pub(crate) fn account(&self, camera: usize) -> Option<(TruthId, Shown)> {
        let (truth, _) = self.truth?;
        let shown = Shown { camera, since_ms: self.since_ms, watched_ms: self.watched_ms, looks: self.looks };
        (self.looks > 0).then_some((truth, shown))
    }
}

fn push(
    class: Class,
    bounds: ImageBox,
    by: &Seen,
    fault: Option<&Fault>,
    dice: &mut Dice,
    seen: &mut Vec<Detection>,
) {
    let mut found = detection(class, bounds, by, dice);
    if let Some(Fault { shift: (x, y), .. }) = fault {
        let b = &mut found.bounds;
        let cut = |v: f32| v.clamp(0.0, 1.0);
        *b = ImageBox { x0: cut(b.x0 + x), y0: cut(b.y0 + y), x1: cut(b.x1 + x), y1: cut(b.y1 + y) };
        if found.bounds.area() <= 0.0 {
            return;
        }
    }
    seen.push(found);
}

/// When and how the picture's memory tells of a thing.
fn proposal(thing: &Thing, whole: &ImageBox, dice: &mut Dice) -> Option<(Span, Proposal)> {
    let strength = dice.between(0.35, 0.9) as f32;
    let (grown, late_s) = (dice.between(0.0, 0.12) as f32, dice.between(0.0, 40.0));
    let (low, high) = rates::PROPOSED_AFTER_S;
    let after_s = dice.between(low, high);
    let bounds = whole.grown(grown);
    if !dice.chance(rates::PROPOSED_SHARE) {
        return None;
    }
    let (kind, since_ms, span) = match thing.proposed {
        Proposed::Never => return None,
        Proposed::New => {
            let since_ms = thing.from_ms + (late_s * 1000.0) as i64;
            let swallowed = thing.from_ms + (rates::SWALLOWED_AFTER_S * 1000.0) as i64;
            let told_from = thing.from_ms + (after_s * 1000.0) as i64;
            (ProposalKind::Appeared, since_ms, (told_from, thing.until_ms.min(swallowed)))
        }
        Proposed::ChangedFrom(since_ms) => {
            let told_from = (since_ms + CHANGE_AFTER_MS).max(thing.from_ms);
            (ProposalKind::Changed, since_ms, (told_from, thing.until_ms))
        }
    };
    let since = Timestamp::from_millis(since_ms);
    Some((span, Proposal { kind, bounds, since, strength }))
}

/// A proposal of light and shadow.
pub(crate) fn shadow(dice: &mut Dice, span: Span) -> (Span, Proposal) {
    let (x, y) = (dice.between(0.05, 0.8) as f32, dice.between(0.35, 0.85) as f32);
    let (width, height) = (dice.between(0.03, 0.15) as f32, dice.between(0.03, 0.12) as f32);
    let bounds = ImageBox { x0: x, y0: y, x1: x + width, y1: y + height };
    let strength = dice.between(0.2, 0.6) as f32;
    (span, Proposal { kind: ProposalKind::Appeared, bounds, since: Timestamp::from_millis(span.0), strength })
}
