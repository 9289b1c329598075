//! The kinds of rules and what each does where its camera file says nothing.

use super::{ABSENCE_SECS, ABSENCE_SECS_SITE};
use crate::class::{Class, Family};
use crate::zone::ZoneKind;

/// What a rule looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// A vendor who occupies a public way.
    ///
    /// | stall, table, goods, parasol | cargo tricycle | people beside it | stays | outcome |
    /// |---|---|---|---|---|
    /// | yes | any | yes | dwell | confirmed: 09006; 09001 where there is a tricycle and neither stall, table nor parasol |
    /// | yes | any | no | any | nothing: nobody sells |
    /// | umbrella held by somebody, nothing else | no | yes | any | nothing |
    /// | chairs alone | no | any | any | nothing |
    /// | a chair and no more | yes | half of the time | two dwells | confirmed: 09001, sold from the vehicle |
    /// | no | yes | two looks of three | four dwells | confirmed: 09001 |
    /// | no | yes | now and then | any | nothing: a parked delivery tricycle |
    StreetVendor,
    /// Things that a shop has put out across its shop-front line.
    ///
    /// | foot | outcome |
    /// |---|---|
    /// | in the strip of a `shopfront_line` zone | confirmed after the dwell, attended or not |
    /// | behind the line | nothing: the shop's own ground |
    /// | beyond the strip | another rule's |
    /// | a tricycle or chairs alone, or a held umbrella, in the strip | tricycle and umbrella nothing; chairs count |
    ShopfrontOverflow,
    /// Trade inside a permitted zone outside its hours.
    ///
    /// | permitted zone | hours | people beside it | outcome |
    /// |---|---|---|---|
    /// | yes | in them | any | nothing |
    /// | yes | outside | yes | confirmed after the dwell |
    /// | yes | outside | no | nothing: a stall left standing does not trade |
    /// | yes, after its last day | any | yes | the zone is there no more: a street vendor |
    NightMarket,
    /// Garbage that lies outside any bin.
    ///
    /// | what | outcome |
    /// |---|---|
    /// | in reach of a bin over its rim that a rule watches | the bin's matter |
    /// | large, or mixed with spoil, and there is a rule for heaps | `spoil_heap` |
    /// | else | confirmed after the dwell |
    Litter,
    /// A heap of rubbish and spoil: large, long-standing or mixed.
    ///
    /// | garbage | material | area | rule for litter | outcome |
    /// |---|---|---|---|---|
    /// | in 15 % of the hits | in 30 % of the hits | any | any | confirmed after the dwell |
    /// | yes | no | from `large_m2` on | any | confirmed after the dwell |
    /// | yes | no | less | none here | confirmed after `standing_secs` |
    /// | no | yes | any | any | `piled_material`; this rule where there is none |
    SpoilHeap,
    /// A bin filled over its rim.
    ///
    /// | seen | outcome |
    /// |---|---|
    /// | a bin over its rim, for the dwell | confirmed |
    /// | the same, with bags around it | one finding, the bin's |
    /// | a bin truck before it | the look counts neither way |
    /// | emptied within the dwell | nothing |
    OverflowingBin,
    /// Material piled up in public.
    ///
    /// | where | outcome |
    /// |---|---|
    /// | a `construction_watch` zone | 08006 after the dwell |
    /// | road or footway | 06036 after the dwell |
    /// | mixed with rubbish | `spoil_heap` |
    PiledMaterial,
    /// Something built that nobody permitted: a place that grew over days in a `construction_watch` zone.
    ///
    /// | grew over days | scaffold, machine, hoarding in the zone within a week | material there | outcome after the dwell |
    /// |---|---|---|---|
    /// | yes | yes | any | 08016 |
    /// | yes | no | yes | 06001 |
    /// | yes | no | no | nothing, but with `proposals = "alone"` 06001 |
    /// | no | any | any | nothing: works alone are no structure |
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
