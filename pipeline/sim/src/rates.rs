//! How often the modelled detector, background and streams are wrong: one table, and where each number is from.
//!
//! Measured: the default model's precision and recall at the manifest's scores on pictures held out by place
//! (`models/city-nano/CARD.md`): garbage .92/.65, garbage_bin .85/.82, bin_overflow .85/.84, machinery .90/.67,
//! people .64/.62 on sites and found again on a street at AP50 .987. Assumed: everything else, and how errors hang
//! together in time, which no set of single pictures tells. The assumptions are meant to be unkind: misses come in
//! runs, a false box that stays stays at one place, and a part of the things is worse seen than the rest for as
//! long as they are there.

use calib::class::Class;

/// How one class is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) class: Class,
    /// Share of the looks at a thing that see it, over all things.
    pub(crate) recall: f64,
    /// Standard deviation of that share from one thing to another.
    pub(crate) spread: f64,
    /// Middle and deviation of the score where it is seen; never under [`SCORE_LEAST`].
    pub(crate) score: (f32, f32),
    /// The class that it is taken for instead, and in what share of the looks that see it.
    pub(crate) taken_for: Option<(Class, f32)>,
}

const fn seen(class: Class, recall: f64, score: f32, taken_for: Option<(Class, f32)>) -> Seen {
    Seen { class, recall, spread: 0.06, score: (score, 0.12), taken_for }
}

// Measured.
pub(crate) const GARBAGE: Seen = seen(Class::Garbage, 0.65, 0.62, Some((Class::Bag, 0.03)));
pub(crate) const BIN_OVERFLOW: Seen = seen(Class::BinOverflow, 0.84, 0.66, Some((Class::GarbageBin, 0.08)));
pub(crate) const BIN: Seen = seen(Class::GarbageBin, 0.82, 0.66, Some((Class::BinOverflow, 0.004)));
pub(crate) const MACHINERY: Seen = seen(Class::Machinery, 0.67, 0.58, Some((Class::Truck, 0.10)));
pub(crate) const PERSON: Seen = seen(Class::Person, 0.80, 0.62, None);
// Assumed: kept from COCO by distillation and not measured.
pub(crate) const UMBRELLA: Seen = seen(Class::Umbrella, 0.72, 0.60, None);
pub(crate) const TABLE: Seen = seen(Class::Table, 0.58, 0.52, Some((Class::Bench, 0.08)));
pub(crate) const CHAIR: Seen = seen(Class::Chair, 0.58, 0.52, None);
pub(crate) const VEHICLE: Seen = seen(Class::Truck, 0.85, 0.66, Some((Class::Bus, 0.05)));
/// Spoil and rubble: to the model a kind of garbage, and not the kind that it learned.
pub(crate) const SPOIL: Seen = seen(Class::Garbage, 0.52, 0.52, Some((Class::Bag, 0.03)));

/// The model's threshold: what it is less sure of does not come out of it.
pub(crate) const SCORE_LEAST: f32 = 0.4;
/// Share of the looks that see a thing is held within these.
pub(crate) const RECALL_BOUNDS: (f64, f64) = (0.35, 0.97);
/// What recall is multiplied by in rain, at night, and for a thing under [`SMALL_PX`] in its shorter side.
pub(crate) const RECALL_IN_RAIN: f64 = 0.85;
pub(crate) const RECALL_AT_NIGHT: f64 = 0.80;
pub(crate) const RECALL_OF_SMALL: f64 = 0.90;
pub(crate) const SMALL_PX: f32 = 36.0;
/// Looks in a row that a miss lasts on average: misses come in runs.
pub(crate) const MISS_RUN_LOOKS: f64 = 2.5;
/// Deviation of each side of a box from one look to the next, a share of the box's size.
pub(crate) const JITTER: f32 = 0.03;

/// False boxes of one look at an empty street, each gone at the next look: of garbage and of umbrellas (a
/// bright awning, a shadow), per look. In the held-out pictures one box of garbage in six is false, and those
/// are pictures full of garbage; an empty street has far fewer.
pub(crate) const FALSE_BOX_PER_LOOK: f64 = 0.004;
/// The same in rain.
pub(crate) const FALSE_BOX_IN_RAIN: f64 = 0.010;
/// False boxes that stay for minutes: something parked or put down that the model takes for garbage, per camera
/// and day, and how long, minutes.
pub(crate) const FALSE_STAY_PER_DAY: f64 = 0.008;
pub(crate) const FALSE_STAY_MIN: (f64, f64) = (2.0, 25.0);
/// Share of the cameras with a thing that the model takes for garbage, always at the same place, from before the
/// first look on, and in what share of the looks.
pub(crate) const FALSE_FOR_EVER_SHARE: f64 = 0.02;
pub(crate) const FALSE_FOR_EVER: Seen = seen(Class::Garbage, 0.62, 0.48, None);
pub(crate) const FALSE_STAY: Seen = seen(Class::Garbage, 0.62, 0.50, None);

/// Share of the new still things that the slow background tells of at all, and of the looks in which it then
/// does.
pub(crate) const PROPOSED_SHARE: f64 = 0.85;
pub(crate) const PROPOSED_LOOKS: f32 = 0.92;
/// How long a thing must be there before the background tells of it, and when it has swallowed it, seconds.
pub(crate) const PROPOSED_AFTER_S: (f64, f64) = (60.0, 180.0);
pub(crate) const SWALLOWED_AFTER_S: f64 = 6.0 * 3600.0;
/// Proposals of light and shadow, per camera and day, and how long, minutes.
pub(crate) const FALSE_PROPOSALS_PER_DAY: f64 = 0.7;
pub(crate) const FALSE_PROPOSAL_MIN: (f64, f64) = (3.0, 40.0);

/// Streams that are lost, per camera and day, and how long, minutes.
pub(crate) const OUTAGES_PER_DAY: f64 = 0.10;
pub(crate) const OUTAGE_MIN: (f64, f64) = (2.0, 240.0);
/// Views that are covered, dark or glaring, per camera and day, and how long, minutes.
pub(crate) const FAULTS_PER_DAY: f64 = 0.03;
pub(crate) const FAULT_MIN: (f64, f64) = (3.0, 90.0);
/// Views that are nudged, per camera and day; somebody puts them right after so many minutes.
pub(crate) const NUDGES_PER_DAY: f64 = 0.004;
pub(crate) const NUDGE_MIN: (f64, f64) = (60.0, 1200.0);
/// Days with rain, how many spells and how long, minutes; the share of the looks at rain that are veiled.
pub(crate) const RAIN_DAYS: f64 = 0.25;
pub(crate) const RAIN_MIN: (f64, f64) = (30.0, 300.0);
pub(crate) const VEILED_LOOKS: f32 = 0.7;

/// Share of the cameras that turn, and how long they stay at each of three views, seconds.
pub(crate) const TURNING_SHARE: f64 = 0.08;
pub(crate) const TURN_S: i64 = 180;

/// Passing vehicles in one look by day; parked lorries that hide what is behind them, per street and day, and
/// how long, minutes.
pub(crate) const PASSING_PER_LOOK: f64 = 0.06;
pub(crate) const LORRIES_PER_DAY: f64 = 0.4;
pub(crate) const LORRY_MIN: (f64, f64) = (3.0, 30.0);
/// Share of a thing that must be covered for it not to be seen.
pub(crate) const HIDDEN_SHARE: f32 = 0.55;
/// Walkers in one look by hour of the day.
pub(crate) const WALKERS: [f32; 24] = [
    0.05, 0.02, 0.02, 0.02, 0.05, 0.2, 0.5, 0.9, 1.0, 0.7, 0.6, 0.7, 0.7, 0.5, 0.5, 0.6, 0.8, 1.1, 1.1, 0.9,
    0.6, 0.4, 0.2, 0.1,
];
/// Share of the walkers with an umbrella over their heads: in the sun, and in rain.
pub(crate) const UMBRELLA_HELD_IN_SUN: f32 = 0.02;
pub(crate) const UMBRELLA_HELD_IN_RAIN: f32 = 0.5;

// Assumed for a model that knows them; the default one does not (its card says so), and a vendor on a bare
// tricycle or a pile of material is beyond it.
pub(crate) const CARGO_TRICYCLE: Seen =
    seen(Class::CargoTricycle, 0.60, 0.55, Some((Class::Motorcycle, 0.15)));
pub(crate) const MATERIAL_PILE: Seen = seen(Class::MaterialPile, 0.60, 0.55, None);
pub(crate) const SCAFFOLD: Seen = seen(Class::Scaffold, 0.65, 0.58, None);
