//! What happens with a rule's findings after they are confirmed.

use crate::calendar::Limit;
use crate::schedule::Schedule;

/// Whether people concerned are told before anybody is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WarnFirst {
    /// Nobody is.
    #[default]
    None,
    /// By short message.
    Sms,
    /// By the camera's loudspeaker.
    Speaker,
}

impl WarnFirst {
    /// Every choice with its name in camera files.
    pub const NAMES: &[(&str, Self)] =
        &[("none", Self::None), ("sms", Self::Sms), ("speaker", Self::Speaker)];
}

/// What clear looks after handling do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoVerify {
    /// Nothing.
    Off,
    /// They suggest closing to the officer.
    #[default]
    Suggest,
    /// They close.
    Close,
}

impl AutoVerify {
    /// Every choice with its name in camera files.
    pub const NAMES: &[(&str, Self)] =
        &[("off", Self::Off), ("suggest", Self::Suggest), ("close", Self::Close)];
}

/// How soon somebody must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    /// In the order of the desk.
    #[default]
    Normal,
    /// Before the others.
    Urgent,
}

impl Urgency {
    /// Every choice with its name in camera files.
    pub const NAMES: &[(&str, Self)] = &[("normal", Self::Normal), ("urgent", Self::Urgent)];
}

/// What happens with a rule's findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporting {
    /// Whether an officer approves each before it leaves.
    pub is_reviewed: bool,
    /// For so long a case that was not seen again takes repeats, hours.
    pub merge_hours: u32,
    /// Whether people concerned are told first.
    pub warn_first: WarnFirst,
    /// How long they have, minutes.
    pub grace_minutes: u32,
    /// When the loudspeaker may speak.
    pub speaker_hours: Schedule,
    /// How often it may on one day.
    pub speaker_daily_max: u32,
    /// What clear looks after handling do.
    pub auto_verify: AutoVerify,
    /// How many of them it takes.
    pub clear_looks: u32,
    /// How soon somebody must act.
    pub urgency: Urgency,
    /// The limit for handling; `None` where the filing conditions say it.
    pub time_limit: Option<Limit>,
}

impl Reporting {
    /// Default of `merge_hours` (deployed platforms: 24 h).
    pub const MERGE_HOURS: u32 = 24;
    /// Default of `grace_minutes`, of 5 to 15 in practice.
    pub const GRACE_MINUTES: u32 = 10;
    /// Default of `speaker_hours`: never by night.
    pub const SPEAKER_HOURS: &str = "08:00-20:00";
    /// Default of `speaker_daily_max`.
    pub const SPEAKER_DAILY_MAX: u32 = 6;
    /// Default of `clear_looks`.
    pub const CLEAR_LOOKS: u32 = 5;
}
