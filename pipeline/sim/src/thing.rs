//! A thing that stands on a street for a while: what the detector may see of it, and what is true of it.
//!
//! In: a place, and from when until when. Out: things. Never: what a camera makes of them.

use crate::rates::{self, Seen};
use crate::street::{Block, Place};
use crate::truth::TruthId;

/// Something that stays at one place.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    /// What it is, for whoever reads why a case was wrong.
    pub(crate) what: &'static str,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) whole: Block,
    pub(crate) parts: Vec<Part>,
    /// Share of the looks with a person beside it.
    pub(crate) company: f64,
    pub(crate) proposed: Proposed,
    /// Whether it hides what stands behind it.
    pub(crate) hides: bool,
    pub(crate) truth: Option<TruthId>,
}

/// What the detector may see of a thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) seen: &'static Seen,
    pub(crate) block: Block,
}

/// What the picture's own memory tells of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proposed {
    Never,
    /// By the slow background, within minutes.
    New,
    /// By the memory over days, from this instant on.
    ChangedFrom(i64),
}

impl Thing {
    /// A block that the detector sees as one thing.
    pub(crate) fn of(what: &'static str, seen: &'static Seen, whole: Block, span_ms: (i64, i64)) -> Self {
        Self {
            what,
            from_ms: span_ms.0,
            until_ms: span_ms.1,
            whole,
            parts: vec![Part { seen, block: whole }],
            company: 0.0,
            proposed: Proposed::New,
            hides: false,
            truth: None,
        }
    }

    pub(crate) fn true_of(self, truth: TruthId) -> Self {
        Self { truth: Some(truth), ..self }
    }

    pub(crate) fn in_company(self, company: f64) -> Self {
        Self { company, ..self }
    }

    pub(crate) fn proposed(self, proposed: Proposed) -> Self {
        Self { proposed, ..self }
    }

    pub(crate) fn with(mut self, seen: &'static Seen, block: Block) -> Self {
        self.parts.push(Part { seen, block });
        self
    }

    pub(crate) fn place(&self) -> Place {
        self.whole.middle
    }

    /// Bags and rubbish on the ground.
    pub(crate) fn litter(at: Place, size_m: f64, span_ms: (i64, i64)) -> Self {
        let heap = Block::standing(at, size_m, 0.7 * size_m, 0.5 * size_m);
        Self::of("litter", &rates::GARBAGE, heap, span_ms)
    }

    /// A market parasol with a table under it.
    pub(crate) fn parasol_stall(at: Place, span_ms: (i64, i64)) -> Self {
        let table = Block::standing(at, 1.6, 0.8, 0.8);
        let canopy = Block::canopy(at, 2.4, 1.9, 2.5);
        let whole = Block::standing(at, 2.4, 2.4, 2.5);
        Self { whole, ..Self::of("stall with a parasol", &rates::TABLE, table, span_ms) }
            .with(&rates::UMBRELLA, canopy)
            .in_company(STALL_COMPANY)
    }

    /// Two tables of goods.
    pub(crate) fn table_stall(at: Place, span_ms: (i64, i64)) -> Self {
        let table = |by_m: f64| Block::standing(Place::new(at.along_m + by_m, at.across_m), 1.2, 0.8, 0.8);
        let whole = Block::standing(at, 2.6, 0.9, 0.9);
        Self { whole, ..Self::of("stall of tables", &rates::TABLE, table(-0.7), span_ms) }
            .with(&rates::TABLE, table(0.7))
            .in_company(STALL_COMPANY)
    }

    /// A tricycle that things are sold from, with a stool beside it: nothing of it is a class of the rule.
    pub(crate) fn cart_stall(at: Place, span_ms: (i64, i64)) -> Self {
        let stool = Block::standing(Place::new(at.along_m + 1.5, at.across_m), 0.5, 0.5, 0.8);
        Self::of("stall on a tricycle", &rates::CARGO_TRICYCLE, tricycle(at), span_ms)
            .with(&rates::CHAIR, stool)
            .in_company(STALL_COMPANY)
    }

    /// A tricycle that brings parcels.
    pub(crate) fn delivery(at: Place, span_ms: (i64, i64)) -> Self {
        Self::of("parked delivery tricycle", &rates::CARGO_TRICYCLE, tricycle(at), span_ms).in_company(0.35)
    }

    /// Somebody who waits under an umbrella.
    pub(crate) fn umbrella_held(at: Place, span_ms: (i64, i64)) -> Self {
        let person = Block::standing(at, 0.55, 0.5, 1.7);
        let canopy = Block::canopy(at, 1.0, 1.75, 2.1);
        Self::of("person with an umbrella", &rates::PERSON, person, span_ms)
            .with(&rates::UMBRELLA, canopy)
            .proposed(Proposed::Never)
    }

    pub(crate) fn bin(at: Place, span_ms: (i64, i64)) -> Self {
        Self::of("bin", &rates::BIN, bin(at), span_ms).proposed(Proposed::Never)
    }

    /// What makes a bin one over its rim, with what fell beside it.
    pub(crate) fn overflow(at: Place, spills: bool, span_ms: (i64, i64)) -> Self {
        let over = Self::of("bin over its rim", &rates::BIN_OVERFLOW, bin(at), span_ms);
        let spill = Block::standing(Place::new(at.along_m + 0.5, at.across_m), 0.7, 0.6, 0.35);
        let over = if spills { over.with(&rates::GARBAGE, spill) } else { over };
        over.proposed(if spills { Proposed::New } else { Proposed::Never })
    }

    /// A shop's own table with a chair.
    pub(crate) fn shop_table(at: Place, span_ms: (i64, i64)) -> Self {
        let chair = Block::standing(Place::new(at.along_m + 1.1, at.across_m), 0.5, 0.5, 0.9);
        Self::of("shop's table", &rates::TABLE, Block::standing(at, 1.2, 0.8, 0.8), span_ms)
            .with(&rates::CHAIR, chair)
            .in_company(0.4)
    }

    /// A lorry that hides what is behind it.
    pub(crate) fn lorry(at: Place, span_ms: (i64, i64)) -> Self {
        let lorry = Block::standing(at, 6.0, 2.3, 2.8);
        let lorry = Self::of("parked lorry", &rates::VEHICLE, lorry, span_ms).proposed(Proposed::Never);
        Self { hides: true, ..lorry }
    }
}

/// Share of the looks at a stall with somebody beside it.
const STALL_COMPANY: f64 = 0.92;

fn tricycle(at: Place) -> Block {
    Block::standing(at, 2.3, 1.1, 1.5)
}

fn bin(at: Place) -> Block {
    Block::standing(at, 0.7, 0.7, 1.2)
}

/// Building work and what is dumped.
impl Thing {
    /// A heap of spoil mixed with rubbish, as wide as a car.
    pub(crate) fn spoil(at: Place, span_ms: (i64, i64)) -> Self {
        let rubble = Block::standing(Place::new(at.along_m - 0.6, at.across_m), 1.8, 1.6, 0.7);
        let whole = Block::standing(at, 3.0, 1.8, 0.8);
        Self::of("heap of spoil", &rates::SPOIL, whole, span_ms).with(&rates::MATERIAL_PILE, rubble)
    }

    pub(crate) fn pile(at: Place, span_ms: (i64, i64)) -> Self {
        let pile = Block::standing(at, 3.0, 2.0, 1.2);
        Self::of("pile of material", &rates::MATERIAL_PILE, pile, span_ms)
    }

    /// What has been built up to a day, from `since_ms` on, with its scaffold.
    pub(crate) fn works(at: Place, high_m: f64, since_ms: i64, span_ms: (i64, i64)) -> Self {
        let walls = Block::standing(at, 7.0, 4.0, high_m);
        Self::of("building work", &rates::SCAFFOLD, walls, span_ms).proposed(Proposed::ChangedFrom(since_ms))
    }

    pub(crate) fn machine(at: Place, span_ms: (i64, i64)) -> Self {
        Self::of("building machine", &rates::MACHINERY, Block::standing(at, 4.5, 2.4, 2.8), span_ms)
            .proposed(Proposed::Never)
    }
}
