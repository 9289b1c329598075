//! The closed set of rules, as a camera file states them: which classes each one feeds on, and how long
//! and how steadily a thing must be there. The logic that applies them is `logic`'s.
//!
//! Where defaults come from: the confirm times of domain practice (stalls three to five minutes, litter a
//! minute, an overflowing bin five, building work over days), the rest is this project's choice.

use crate::class::Class;
use crate::schedule::Schedule;
use crate::zone::ZoneKind;

/// What a rule looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// A vendor who occupies a public way: what a stall is made of stays there, in company of people.
    StreetVendor,
    /// Garbage that lies outside any bin.
    Litter,
    /// A bin filled over its rim.
    OverflowingBin,
    /// Building machines and material where building is watched.
    Construction,
}

/// What a rule does where its camera file says nothing.
#[derive(Debug, Clone, Copy)]
pub struct RuleDefaults {
    /// The name in camera files.
    pub name: &'static str,
    /// The code in GB/T 47678.5-2026.
    pub code: &'static str,
    /// What it feeds on.
    pub classes: &'static [Class],
    /// Which kinds of zone it looks at.
    pub zones: &'static [ZoneKind],
    /// How long a thing must have been there, seconds.
    pub dwell_secs: f64,
    /// Share of the hits with a person beside the thing.
    pub attended_min: f64,
    /// How long a thing may be out of sight before its spot is given up, seconds of watched time.
    pub absence_secs: f64,
}

impl RuleKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::StreetVendor, Self::Litter, Self::OverflowingBin, Self::Construction];

    /// What it does where the camera file says nothing.
    pub const fn defaults(self) -> RuleDefaults {
        match self {
            Self::StreetVendor => RuleDefaults {
                name: "street_vendor",
                code: "09006",
                classes: &[Class::Umbrella, Class::Table, Class::Stall, Class::Goods],
                zones: &[ZoneKind::Road, ZoneKind::Footway],
                dwell_secs: 180.0,
                attended_min: 0.3,
                absence_secs: ABSENCE_SECS,
            },
            Self::Litter => RuleDefaults {
                name: "litter",
                code: "06010",
                classes: &[Class::Garbage],
                zones: &[ZoneKind::Road, ZoneKind::Footway],
                dwell_secs: 60.0,
                attended_min: 0.0,
                absence_secs: ABSENCE_SECS,
            },
            Self::OverflowingBin => RuleDefaults {
                name: "overflowing_bin",
                code: "06042",
                classes: &[Class::BinOverflow],
                zones: &[ZoneKind::Road, ZoneKind::Footway],
                dwell_secs: 300.0,
                attended_min: 0.0,
                absence_secs: ABSENCE_SECS,
            },
            Self::Construction => RuleDefaults {
                name: "construction",
                code: "08006",
                classes: &[Class::Machinery, Class::MaterialPile, Class::Scaffold],
                zones: &[ZoneKind::ConstructionWatch],
                dwell_secs: 2.0 * 24.0 * 3600.0,
                attended_min: 0.0,
                absence_secs: ABSENCE_SECS_CONSTRUCTION,
            },
        }
    }

    /// The name in camera files.
    pub const fn name(self) -> &'static str {
        self.defaults().name
    }
}

/// Detections under this score feed no rule.
pub const SCORE_MIN: f64 = 0.4;
/// Share of the looks within the dwell that must have seen the thing.
pub const PRESENCE_MIN: f64 = 0.6;
/// Looks that must have seen it, however short the dwell.
pub const HITS_MIN: u32 = 3;
/// How long a thing may be out of sight before its spot is given up, seconds of watched time.
pub const ABSENCE_SECS: f64 = 120.0;
/// The same for building work, which is watched over days: a night that the model cannot read, or a lorry
/// parked before it, ends nothing.
pub const ABSENCE_SECS_CONSTRUCTION: f64 = 86_400.0;
/// Looks in a row that must have missed a thing before its spot is given up, however long they took: a
/// patrol that comes back every ten minutes may miss once.
pub const MISSES_MIN: u32 = 3;
/// How often a confirmed thing that is still there is told again, seconds.
pub const SIGHTING_SECS: f64 = 600.0;
/// Shorter side of a box under which nothing counts, pixels of a picture 1080 rows high (field practice: 60
/// of 1080 rows for intrusion; smaller here because a bag is smaller than a person).
pub const SIZE_PX_MIN: f64 = 24.0;
/// Two findings of one matter in one grid cell within this distance are one problem, metres. The 50 m that
/// platforms use to suggest similar cases is made for positions that people type; a calibrated camera knows
/// better.
pub const MERGE_RADIUS_M: f64 = 20.0;

/// One rule of one camera, ready to use.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it looks for.
    pub kind: RuleKind,
    /// The standard that `code` belongs to.
    pub standard_ref: String,
    /// The matter's code.
    pub code: String,
    /// The matter's name in the standard.
    pub matter_name: String,
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
    /// Score that a detection must reach, 0..=1.
    pub score_min: f32,
    /// Share of the hits with a person beside it, 0..=1.
    pub attended_min: f64,
    /// Out of sight for so long, its spot is given up, milliseconds of watched time.
    pub absence_ms: i64,
    /// How often a confirmed thing is told again, milliseconds.
    pub sighting_ms: i64,
    /// Shorter side that a box must have, a share of the picture's height.
    pub size_min: f32,
    /// Distance within which two findings of one cell are one problem, metres.
    pub merge_radius_m: f64,
}
