//! The closed set of rules, as a camera file states them: which classes each one feeds on, and how long
//! and how steadily a thing must be there. The logic that applies them is `logic`'s.
//!
//! One thing is one matter. Which rule takes a thing is decided by what it is and where it stands:
//!
//! | what it is | where it stands | rule | code |
//! |---|---|---|---|
//! | stall, table, goods, parasol | permitted zone or permit, in its hours | none | – |
//! | the same | permitted zone, outside its hours | `night_market` | 09002 |
//! | the same | strip before a shop | `shopfront_overflow` | 09005 |
//! | the same, with people | road or footway | `street_vendor` | 09006 |
//! | the same, sold from a vehicle without stall, table or parasol | road or footway | `street_vendor` | 09001 |
//! | garbage | in reach of a bin over its rim | `overflowing_bin` | 06042 |
//! | garbage, large or mixed with spoil; or long-standing where there is no rule for litter | road or footway | `spoil_heap` | 06011 |
//! | garbage else | road or footway | `litter` | 06010 |
//! | material | building site | `piled_material` | 08006 |
//! | material | road or footway | `piled_material` | 06036 |
//! | something that grew over days | building site, with scaffold, machine or hoarding | `illegal_structure` | 08016 |
//! | the same | building site, with material alone | `illegal_structure` | 06001 |
//!
//! Where defaults come from: the confirm times of domain practice (stalls three to five minutes, litter a
//! minute, an overflowing bin five, building work over days), the rest is this project's choice.

mod kind;
mod report;

pub use kind::{RuleDefaults, RuleKind};
pub use report::{AutoVerify, Reporting, Urgency, WarnFirst};

use crate::class::Class;
use crate::schedule::Schedule;

/// Detections under this score feed no rule.
pub const SCORE_MIN: f64 = 0.4;
/// Share of the clear looks within the dwell that must have seen the thing: under what the default model sees of a
/// heap by night, and three times what a sign or a shadow is mistaken in.
pub const PRESENCE_MIN: f64 = 0.45;
/// Looks that must have seen it, however short the dwell.
pub const HITS_MIN: u32 = 3;
/// How long a thing may be out of sight before its spot is given up, seconds of watched time: the detector's misses
/// come in runs, at a look each half minute some last for four.
pub const ABSENCE_SECS: f64 = 240.0;
/// The same for material and building work, which are watched over days: a night that the model cannot read, or
/// a lorry parked before it, ends nothing.
pub const ABSENCE_SECS_SITE: f64 = 86_400.0;
/// Looks in a row that must have missed a thing before its spot is given up, however long they took: a
/// patrol that comes back every ten minutes may miss once.
pub const MISSES_MIN: u32 = 3;
/// How often a confirmed thing that is still there is told again, seconds.
pub const SIGHTING_SECS: f64 = 600.0;
/// Shorter side of a box under which nothing counts, pixels of a picture 1080 rows high (field practice: 60
/// of 1080 rows for intrusion; smaller here because a bag is smaller than a person).
pub const SIZE_PX_MIN: f64 = 24.0;
/// How far a candidate's middle may move from where it appeared, a share of its own longer side: what moves on is no
/// thing that stays.
pub const MOTION_MAX: f64 = 0.75;
/// From this area on garbage is a heap, square metres as the camera sees it: a heap of spoil as wide as a car.
pub const LARGE_M2: f64 = 3.0;
/// From this age on garbage is a heap where no rule for litter takes it, seconds.
pub const STANDING_SECS: f64 = 86_400.0;
/// A thing that is back within this time at the place where it was told is the same thing, seconds.
pub const COOLDOWN_SECS: f64 = 1800.0;
/// Findings of one rule of one camera a local day; a camera that would tell more is broken or misdrawn.
pub const DAILY_CAP: u32 = 50;
/// Two findings of one matter in one grid cell within this distance are one problem, metres. The 50 m that
/// platforms use to suggest similar cases is made for positions that people type; a calibrated camera knows
/// better.
pub const MERGE_RADIUS_M: f64 = 20.0;

/// What the background model's proposals count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proposals {
    /// Nothing.
    Off,
    /// Beside the detector: where something new stands, a lower score is enough, and a look in which the detector
    /// misses a thing that it has named before counts as a hit. The default: the background alone cannot tell a
    /// bag from a parked pram, and what is told must be right.
    #[default]
    Support,
    /// By themselves too: something new that no class names is a thing; with people a stall, without them litter.
    Alone,
}

impl Proposals {
    /// Every choice with its name in camera files.
    pub const NAMES: &[(&str, Self)] =
        &[("off", Self::Off), ("support", Self::Support), ("alone", Self::Alone)];
}

/// Which of a rule's two matters a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Its plain one.
    #[default]
    Plain,
    /// A vendor without a fixed place; material or building on a site where works go on.
    Other,
}

/// A kind of problem under a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMatter {
    /// The matter's code.
    pub code: String,
    /// The matter's name in the standard.
    pub name: String,
}

/// One rule of one camera, ready to use.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it looks for.
    pub kind: RuleKind,
    /// The standard that its codes belong to.
    pub standard_ref: String,
    /// The plain matter's code.
    pub code: String,
    /// The plain matter's name in the standard.
    pub matter_name: String,
    /// The matter of [`Variant::Other`], for kinds that have one.
    pub other: Option<RuleMatter>,
    /// What it feeds on.
    pub classes: Vec<Class>,
    /// Indices of the camera's zones it looks at.
    pub zones: Vec<usize>,
    /// When it applies.
    pub hours: Schedule,
    /// How long a thing must have been there, milliseconds.
    pub dwell_ms: i64,
    /// Share of the looks within the dwell that must have seen it, 0..=1.
    pub presence_min: f64,
    /// Looks that must have seen it.
    pub hits_min: u32,
    /// Score that a detection must reach by day, 0..=1.
    pub score_min: f32,
    /// The same by night.
    pub score_min_night: f32,
    /// Share of the hits with a person beside it, 0..=1.
    pub attended_min: f64,
    /// Out of sight for so long, its spot is given up, milliseconds of watched time.
    pub absence_ms: i64,
    /// How often a confirmed thing is told again, milliseconds.
    pub sighting_ms: i64,
    /// Shorter side that a box must have, a share of the picture's height.
    pub size_min: f32,
    /// Area that a box must have, a share of the square of the picture's height.
    pub area_min: f32,
    /// Area that a thing must have as the camera sees it, square metres; 0 asks nothing.
    pub area_m2_min: f64,
    /// From this area on garbage is a heap, square metres.
    pub large_m2: f64,
    /// From this age on garbage is a heap where no rule for litter takes it, milliseconds.
    pub standing_ms: i64,
    /// How far a candidate may move, a share of its longer side.
    pub motion_max: f32,
    /// Whether looks through rain, snow or fog count neither way.
    pub is_paused_by_rain: bool,
    /// What the background's proposals count for.
    pub proposals: Proposals,
    /// Back at its place within this time, a thing is the same thing, milliseconds.
    pub cooldown_ms: i64,
    /// Findings a local day at most.
    pub daily_cap: u32,
    /// Distance within which two findings of one cell are one problem, metres.
    pub merge_radius_m: f64,
    /// What happens with its findings.
    pub reporting: Reporting,
}

impl Rule {
    /// Code and name of one of its matters.
    pub fn matter(&self, variant: Variant) -> (&str, &str) {
        match (&self.other, variant) {
            (Some(other), Variant::Other) => (&other.code, &other.name),
            _ => (&self.code, &self.matter_name),
        }
    }

    /// Score that a detection must reach in this light.
    pub const fn score_min_at(&self, is_night: bool) -> f32 {
        if is_night { self.score_min_night } else { self.score_min }
    }
}
