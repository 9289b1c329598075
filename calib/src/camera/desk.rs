//! The keys of a `[[rule]]` that say what happens with its findings.
//!
//! In: the table. Out: [`Reporting`]. Never: a case.

use super::{read_choice, read_windows};
use crate::check::{Effect, Section, Source};
use crate::rule::{AutoVerify, Reporting, RuleKind, Urgency, WarnFirst};
use crate::schedule::Schedule;

const DESK: Effect = Effect::Kept("desk");
const SPEAKER: Effect = Effect::Kept("warnings");
const VERIFY: Effect = Effect::Kept("looking again");
/// Nobody is spoken to earlier or later than this, minutes of the day.
const SPEAKER_DAY: (u16, u16) = (7 * 60, 22 * 60);

pub(super) fn read_reporting<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    kind: Option<RuleKind>,
) -> Reporting {
    let is_reviewed = section.switch(source, "review").unwrap_or(true);
    section.about(source, "review", "true", "An officer approves each finding before it leaves", DESK);
    section.words(source, "realert", false, ["never"]);
    let realert = section.text(source, "realert");
    let does = "A thing whose case is open is a sighting of it and never a second case";
    section.about(source, "realert", "never", does, Effect::Now("cases"));
    if realert.is_some_and(|word| word != "never") {
        let mend = "write \"never\", or leave it out; sighting_secs says how often the open case hears of it";
        source.problem(&section.at_key("realert"), "would make two cases of one problem", mend);
    }
    let merge_hours = section.whole(source, "merge_hours", (1, 720)).unwrap_or(Reporting::MERGE_HOURS);
    let does = "For so long after its last sighting a case takes what citizens and patrols report, hours";
    section.about(source, "merge_hours", Reporting::MERGE_HOURS, does, DESK);
    let (warn_first, grace_minutes, speaker_hours, speaker_daily_max) = read_warning(source, section);
    let auto_verify = read_choice(source, section, "auto_verify", AutoVerify::NAMES);
    section.about(source, "auto_verify", "suggest", "What clear looks after handling do", VERIFY);
    let clear_looks = section.whole(source, "clear_looks", (2, 1000)).unwrap_or(Reporting::CLEAR_LOOKS);
    section.about(source, "clear_looks", Reporting::CLEAR_LOOKS, "How many clear looks that takes", VERIFY);
    let urgency = read_choice(source, section, "urgency", Urgency::NAMES);
    section.about(source, "urgency", "normal", "How soon somebody must act", DESK);
    let time_limit = section.text(source, "time_limit");
    let does = "The limit for handling, like \"2 urgent_hour\", \"4 work_hour\", \"5 work_day\"";
    section.about(source, "time_limit", "the filing condition's", does, DESK);
    let time_limit = time_limit.and_then(|text| match text.parse() {
        Ok(limit) => Some(limit),
        Err(error) => {
            let error: crate::calendar::LimitError = error;
            let mend = "write time_limit = \"4 work_hour\"";
            source.problem(&section.at_key("time_limit"), error.to_string(), mend);
            None
        }
    });
    if kind.is_some_and(RuleKind::is_building) {
        let mend = "leave it out: a person decides on what is built";
        if !is_reviewed {
            source.problem(&section.at_key("review"), "would report building work unseen", mend);
        }
        if auto_verify == AutoVerify::Close {
            source.problem(&section.at_key("auto_verify"), "would close a building case unseen", mend);
        }
    }
    Reporting {
        is_reviewed,
        merge_hours,
        warn_first,
        grace_minutes,
        speaker_hours,
        speaker_daily_max,
        auto_verify,
        clear_looks,
        urgency,
        time_limit,
    }
}

fn read_warning<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> (WarnFirst, u32, Schedule, u32) {
    let warn_first = read_choice(source, section, "warn_first", WarnFirst::NAMES);
    section.about(
        source,
        "warn_first",
        "none",
        "Whether those concerned are told before anybody is sent",
        SPEAKER,
    );
    let grace = section.whole(source, "grace_minutes", (5, 15));
    section.about(
        source,
        "grace_minutes",
        Reporting::GRACE_MINUTES,
        "How long they then have, minutes",
        SPEAKER,
    );
    let hours = read_windows(source, section, "speaker_hours");
    let does = "When the loudspeaker may speak, between 07:00 and 22:00";
    section.about(source, "speaker_hours", Reporting::SPEAKER_HOURS, does, SPEAKER);
    let daily_max = section.whole(source, "speaker_daily_max", (1, 100));
    section.about(
        source,
        "speaker_daily_max",
        Reporting::SPEAKER_DAILY_MAX,
        "How often it may on one day",
        SPEAKER,
    );
    let is_at_night = |hours: &Schedule| {
        hours.windows().iter().any(|window| {
            let (from, to) = window.minutes();
            !window.is_within_a_day() || from < SPEAKER_DAY.0 || to > SPEAKER_DAY.1
        })
    };
    if hours.as_ref().is_some_and(is_at_night) {
        let mend = "write speaker_hours = [\"08:00-20:00\"]";
        source.problem(&section.at_key("speaker_hours"), "speaks at night", mend);
    }
    let needs = [
        ("grace_minutes", grace.is_some(), warn_first == WarnFirst::None, "sms\" or \"speaker"),
        ("speaker_hours", hours.is_some(), warn_first != WarnFirst::Speaker, "speaker"),
        ("speaker_daily_max", daily_max.is_some(), warn_first != WarnFirst::Speaker, "speaker"),
    ];
    for (key, is_given, is_idle, wanted) in needs {
        if is_given && is_idle {
            let mend = format!("write warn_first = \"{wanted}\" beside it, or leave it out");
            source.problem(&section.at_key(key), "has no effect without a warning", mend);
        }
    }
    let by_default = || Schedule::of(Reporting::SPEAKER_HOURS.parse().into_iter().collect());
    (
        warn_first,
        grace.unwrap_or(Reporting::GRACE_MINUTES),
        hours.unwrap_or_else(by_default),
        daily_max.unwrap_or(Reporting::SPEAKER_DAILY_MAX),
    )
}
