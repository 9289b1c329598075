//! The kinds of rules and what each does where its camera file says nothing.

use super::{ABSENCE_SECS, ABSENCE_SECS_SITE};
use crate::class::{Class, Family};
use crate::zone::ZoneKind;

/// What a rule looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    #[doc = include_str!("../../rules/street_vendor.md")]
    StreetVendor,
    #[doc = include_str!("../../rules/shopfront_overflow.md")]
    ShopfrontOverflow,
    #[doc = include_str!("../../rules/night_market.md")]
    NightMarket,
    #[doc = include_str!("../../rules/litter.md")]
    Litter,
    #[doc = include_str!("../../rules/spoil_heap.md")]
    SpoilHeap,
    #[doc = include_str!("../../rules/overflowing_bin.md")]
    OverflowingBin,
    #[doc = include_str!("../../rules/piled_material.md")]
    PiledMaterial,
    #[doc = include_str!("../../rules/illegal_structure.md")]
    IllegalStructure,
}

/// What a rule does where its camera file says nothing.
#[derive(Debug, Clone, Copy)]
pub struct RuleDefaults {
    /// The name in camera files.
    pub name: &'static str,
    /// The code in GB/T 47678.5-2026.
    pub code: &'static str,
    /// The code of the second matter, and the key that names another.
    pub other: Option<(&'static str, &'static str)>,
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

const TRADE: &[Class] =
    &[Class::Umbrella, Class::Table, Class::Chair, Class::Stall, Class::Goods, Class::CargoTricycle];
const WAYS: &[ZoneKind] = &[ZoneKind::Road, ZoneKind::Footway];

impl RuleKind {
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

    /// What it does where the camera file says nothing.
    pub const fn defaults(self) -> RuleDefaults {
        let litter = RuleDefaults {
            name: "litter",
            code: "06010",
            other: None,
            classes: &[Class::Garbage],
            zones: WAYS,
            dwell_secs: 60.0,
            attended_min: 0.0,
            absence_secs: ABSENCE_SECS,
        };
        match self {
            Self::StreetVendor => RuleDefaults {
                name: "street_vendor",
                code: "09006",
                other: Some(("matter_moving", "09001")),
                classes: TRADE,
                dwell_secs: 180.0,
                attended_min: 0.3,
                ..litter
            },
            Self::ShopfrontOverflow => RuleDefaults {
                name: "shopfront_overflow",
                code: "09005",
                classes: TRADE,
                zones: &[ZoneKind::ShopfrontLine],
                dwell_secs: 300.0,
                ..litter
            },
            Self::NightMarket => RuleDefaults {
                name: "night_market",
                code: "09002",
                classes: TRADE,
                zones: &[ZoneKind::Permitted],
                dwell_secs: 300.0,
                attended_min: 0.3,
                ..litter
            },
            Self::Litter => litter,
            Self::SpoilHeap => RuleDefaults {
                name: "spoil_heap",
                code: "06011",
                classes: &[Class::Garbage, Class::MaterialPile],
                dwell_secs: 300.0,
                ..litter
            },
            Self::OverflowingBin => RuleDefaults {
                name: "overflowing_bin",
                code: "06042",
                classes: &[Class::BinOverflow],
                dwell_secs: 300.0,
                ..litter
            },
            Self::PiledMaterial => RuleDefaults {
                name: "piled_material",
                code: "06036",
                other: Some(("matter_site", "08006")),
                classes: &[Class::MaterialPile],
                zones: &[ZoneKind::Road, ZoneKind::Footway, ZoneKind::ConstructionWatch],
                dwell_secs: 1800.0,
                absence_secs: 6.0 * 3600.0,
                ..litter
            },
            Self::IllegalStructure => RuleDefaults {
                name: "illegal_structure",
                code: "06001",
                other: Some(("matter_site", "08016")),
                classes: &[Class::Scaffold, Class::Machinery, Class::Hoarding, Class::MaterialPile],
                zones: &[ZoneKind::ConstructionWatch],
                dwell_secs: 2.0 * 86_400.0,
                absence_secs: ABSENCE_SECS_SITE,
                ..litter
            },
        }
    }

    /// The name in camera files.
    pub const fn name(self) -> &'static str {
        self.defaults().name
    }

    /// The family of what it takes.
    pub const fn family(self) -> Family {
        match self {
            Self::StreetVendor | Self::ShopfrontOverflow | Self::NightMarket => Family::Trade,
            Self::Litter | Self::SpoilHeap | Self::PiledMaterial => Family::Heap,
            Self::OverflowingBin => Family::Bin,
            Self::IllegalStructure => Family::Structure,
        }
    }

    /// Whether its findings lead to penalties for building, which no machine may decide.
    pub const fn is_building(self) -> bool {
        matches!(self, Self::PiledMaterial | Self::IllegalStructure)
    }
}
