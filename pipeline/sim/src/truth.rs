//! What is true: the violations that the world holds, and which of them a camera could have told.
//!
//! In: what the world does. Out: what a case is held against. Never: a word to the rules.

use calib::space::LonLat;
use serde::Serialize;

use crate::sky::Span;

/// The kinds of violation, as the rules that look for them are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A stall in a public way.
    StreetVendor,
    /// A shop's things across its line.
    ShopfrontOverflow,
    /// A stall in a permitted zone outside its hours.
    NightMarket,
    /// Garbage outside any bin.
    Litter,
    /// Dumped spoil.
    SpoilHeap,
    /// A bin over its rim.
    OverflowingBin,
    /// Building material piled up.
    PiledMaterial,
    /// A structure that grows over days without a permit.
    IllegalStructure,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::StreetVendor,
        Self::ShopfrontOverflow,
        Self::NightMarket,
        Self::Litter,
        Self::SpoilHeap,
        Self::OverflowingBin,
        Self::PiledMaterial,
        Self::IllegalStructure,
    ];

    /// The name of the rule that looks for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StreetVendor => "street_vendor",
            Self::ShopfrontOverflow => "shopfront_overflow",
            Self::NightMarket => "night_market",
            Self::Litter => "litter",
            Self::SpoilHeap => "spoil_heap",
            Self::OverflowingBin => "overflowing_bin",
            Self::PiledMaterial => "piled_material",
            Self::IllegalStructure => "illegal_structure",
        }
    }
}

/// A violation's number within its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TruthId {
    pub(crate) street: usize,
    pub(crate) number: usize,
}

/// One violation.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) kind: Kind,
    /// The matter's code.
    pub(crate) code: &'static str,
    /// What it is, for whoever reads the log.
    pub(crate) what: &'static str,
    pub(crate) at: LonLat,
    pub(crate) span_ms: Span,
    /// For each camera that showed it in looks without a fault: when first, and for how long.
    pub(crate) shown: Vec<Shown>,
    /// When a finding first opened its case or became a sighting of one.
    pub(crate) found_ms: Option<i64>,
    /// Cases opened about it, in their order.
    pub(crate) cases: Vec<usize>,
    /// Those opened while another one about it was open.
    pub(crate) doubled: u32,
}

/// What one camera showed of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) camera: usize,
    /// The first look without a fault, less the time since the look before: since when it could be seen.
    pub(crate) since_ms: i64,
    /// Time that looks without a fault watched it, up to its end.
    pub(crate) watched_ms: i64,
    /// Those looks.
    pub(crate) looks: u32,
}

impl Truth {
    pub(crate) fn new(kind: Kind, code: &'static str, what: &'static str, at: LonLat, span_ms: Span) -> Self {
        let (shown, found_ms, cases) = (Vec::new(), None, Vec::new());
        Self { kind, code, what, at, span_ms, shown, found_ms, cases, doubled: 0 }
    }
}
