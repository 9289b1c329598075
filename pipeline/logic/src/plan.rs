//! What a camera's rules ask of a look, worked out once: which classes matter, what family each is of, and the least
//! that any rule of a family asks.
//!
//! In: a camera. Out: tables to look things up in. Never: a look.

use calib::camera::Camera;
use calib::class::{Class, ClassSet, Family};
use calib::rule::{Proposals, Rule, RuleKind};
use calib::zone::ZoneKind;

/// Classes that say of building work that it goes on.
pub(crate) const WORKS: ClassSet = ClassSet::of(&[Class::Scaffold, Class::Machinery, Class::Hoarding]);

/// The least that the rules of one family ask of a detection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) score_day: f32,
    pub(crate) score_night: f32,
    pub(crate) size: f32,
}

const NOTHING: Floor = Floor { score_day: f32::INFINITY, score_night: f32::INFINITY, size: f32::INFINITY };

/// A camera's rules, ready to be asked.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Classes that may become things.
    pub(crate) things: ClassSet,
    /// Classes that support a structure.
    pub(crate) support: ClassSet,
    families: [Option<Family>; 32],
    floors: [Floor; 5],
    pub(crate) proposals_support: bool,
    pub(crate) proposals_alone: bool,
    pub(crate) has_structures: bool,
    /// Zones of each kind, by bit.
    pub(crate) ignored: u64,
    pub(crate) permitted: u64,
    pub(crate) shopfronts: u64,
    pub(crate) sites: u64,
    /// Zones that each rule looks at, by bit.
    pub(crate) zones_of_rule: Vec<u64>,
}

impl Plan {
    pub(crate) fn of(camera: &Camera) -> Self {
        let of_kind = |wanted: ZoneKind| {
            let zones = camera.zones.iter().enumerate().filter(|(_, zone)| zone.kind == wanted);
            zones.fold(0, |bits, (number, _)| bits | 1 << (number & 63))
        };
        let rules = &camera.rules;
        let any = |test: &dyn Fn(&Rule) -> bool| rules.iter().any(test);
        let mut plan = Self {
            things: ClassSet::default(),
            support: ClassSet::default(),
            families: [None; 32],
            floors: [NOTHING; 5],
            proposals_support: any(&|rule| rule.proposals != Proposals::Off),
            proposals_alone: any(&|rule| {
                rule.proposals == Proposals::Alone && rule.kind != RuleKind::IllegalStructure
            }),
            has_structures: any(&|rule| rule.kind == RuleKind::IllegalStructure),
            ignored: of_kind(ZoneKind::Ignore),
            permitted: of_kind(ZoneKind::Permitted),
            shopfronts: of_kind(ZoneKind::ShopfrontLine),
            sites: of_kind(ZoneKind::ConstructionWatch),
            zones_of_rule: rules
                .iter()
                .map(|r| r.zones.iter().fold(0, |bits, z| bits | 1 << (z & 63)))
                .collect(),
        };
        for rule in rules {
            plan.take(rule);
        }
        plan
    }

    fn take(&mut self, rule: &Rule) {
        let classes = ClassSet::of(&rule.classes);
        if rule.kind == RuleKind::IllegalStructure {
            self.support = self.support.with(classes);
        } else {
            for class in &rule.classes {
                // A class that two kinds of rule name is of the family that names it first.
                self.families[*class as usize].get_or_insert(rule.kind.family());
            }
            self.things = self.things.with(classes);
        }
        for family in [rule.kind.family(), Family::Unnamed] {
            let floor = &mut self.floors[family as usize];
            floor.score_day = floor.score_day.min(rule.score_min);
            floor.score_night = floor.score_night.min(rule.score_min_night);
            floor.size = floor.size.min(rule.size_min);
        }
    }

    pub(crate) fn family(&self, class: Class) -> Option<Family> {
        self.families[class as usize]
    }

    pub(crate) fn floor(&self, family: Family) -> &Floor {
        &self.floors[family as usize]
    }
}
