//! Which days are worked, and when a time limit ends.
//!
//! In: the text of a calendar file (holidays, make-up workdays 调休, hours of work), an instant, a limit. Out: a
//! checked [`Calendar`], an instant. Never: a clock, a guess at a holiday that no file names.

mod day;
mod deadline;

use std::collections::BTreeSet;

pub use day::{Day, DayError};
pub use deadline::{AMOUNT_MAX, Clock, Limit, LimitError};

use crate::check::{Problem, Section, Source};
use crate::matter::Evidence;
use crate::schedule::Window;
use crate::time::Timestamp;

/// Minutes that the clocks of China run ahead of UTC.
pub const UTC_OFFSET_MINUTES: i32 = 480;
/// Hours of work where a calendar names none: 08–12 and 14–18, as a deployed system counts them.
pub const WORK_HOURS: [&str; 2] = ["08:00-12:00", "14:00-18:00"];
/// A holiday lasts so many days at most; more is a slip of the pen in a year or a month.
const HOLIDAY_DAYS_MAX: i32 = 31;

/// Days and hours of work. Monday to Friday are worked but for holidays, Saturday and Sunday are not but for
/// make-up workdays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeSet<i16>,
    holidays: BTreeSet<Day>,
    make_up: BTreeSet<Day>,
    /// Minutes of the local day, in order, apart from each other.
    work: Vec<(u16, u16)>,
    utc_offset_minutes: i32,
    evidence: Option<Evidence>,
}

impl Default for Calendar {
    /// A calendar without holidays, which covers no year.
    fn default() -> Self {
        Self {
            years: BTreeSet::new(),
            holidays: BTreeSet::new(),
            make_up: BTreeSet::new(),
            work: vec![(8 * 60, 12 * 60), (14 * 60, 18 * 60)],
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            evidence: None,
        }
    }
}

/// A run of days without work, as a file or an import gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// What it is called.
    pub name: String,
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
}

impl Calendar {
    /// Reads a calendar file; `file` names it in messages.
    ///
    /// # Errors
    /// Every mistake in the file, each with its key, line and mend.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut source = Source::new(file, text);
        let mut root = source.root();
        let calendar = Self::read(&mut source, &mut root);
        root.finish(&mut source);
        if source.is_clean() { Ok(calendar) } else { Err(source.into_problems()) }
    }

    fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Self {
        if !root.has("years") {
            let mend = "write years = [2026]: the years whose holidays this file names";
            source.problem(&root.at_key("years"), "is missing", mend);
        }
        let years: BTreeSet<i16> = root
            .wholes(source, "years", (2000, 2100))
            .unwrap_or_default()
            .into_iter()
            .map(|year| year as i16)
            .collect();
        root.text(source, "source");
        let evidence = read_evidence(source, root);
        let offset = root.whole(source, "utc_offset_minutes", (0, 14 * 60));
        let mut calendar = Self {
            years,
            evidence,
            utc_offset_minutes: offset.map_or(UTC_OFFSET_MINUTES, |minutes| minutes as i32),
            ..Self::default()
        };
        if let Some(work) = read_work_hours(source, root) {
            calendar.work = work;
        }
        read_holidays(source, root, &mut calendar);
        read_make_up(source, root, &mut calendar);
        calendar
    }

    /// Whether the day's holidays are known: its year is one of the file's.
    pub fn covers(&self, day: Day) -> bool {
        self.years.contains(&day.year())
    }

    /// The last year whose holidays are known.
    pub fn last_year(&self) -> Option<i16> {
        self.years.last().copied()
    }

    /// How far the file is to be trusted, where it says so.
    pub fn evidence(&self) -> Option<Evidence> {
        self.evidence
    }

    /// Whether the day is worked.
    pub fn is_worked(&self, day: Day) -> bool {
        if day.weekday() < 5 { !self.holidays.contains(&day) } else { self.make_up.contains(&day) }
    }

    /// Whether the day is named as a holiday.
    pub fn is_holiday(&self, day: Day) -> bool {
        self.holidays.contains(&day)
    }

    /// The local day of an instant.
    pub fn day(&self, at: Timestamp) -> Day {
        Day::of(at, self.utc_offset_minutes)
    }
}

/// `evidence = "read"`: how far a table is to be trusted.
pub(crate) fn read_evidence<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<Evidence> {
    let words: Vec<&str> = Evidence::NAMES.iter().map(|(name, _)| *name).collect();
    root.words(source, "evidence", false, words.iter().copied());
    let given = root.text(source, "evidence")?;
    let found = Evidence::NAMES.iter().find(|(name, _)| *name == given).map(|(_, evidence)| *evidence);
    if found.is_none() {
        let mend = format!("write one of: {}", words.join(", "));
        source.problem(&root.at_key("evidence"), format!("`{given}` is no grade"), mend);
    }
    found
}

fn read_work_hours<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<Vec<(u16, u16)>> {
    let mend = "write work_hours = [\"08:00-12:00\", \"14:00-18:00\"]";
    let texts = root.texts(source, "work_hours")?;
    let at = root.at_key("work_hours");
    let mut work: Vec<(u16, u16)> = Vec::new();
    for text in &texts {
        match text.parse::<Window>() {
            Ok(window) if window.is_within_a_day() && window.is_any_day() => work.push(window.minutes()),
            Ok(_) => source.problem(&at, format!("`{text}` passes midnight or names days"), mend),
            Err(error) => source.problem(&at, error.to_string(), mend),
        }
    }
    work.sort_unstable();
    if texts.is_empty() || work.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        source.problem(&at, "is empty or overlaps itself", mend);
        return None;
    }
    (work.len() == texts.len()).then_some(work)
}

/// A day under a key that must be there.
pub(crate) fn read_day<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
) -> Option<Day> {
    let mend = format!("write {key} = \"2026-10-01\"");
    let text = section.text_required(source, key, &mend)?;
    text.parse().map_err(|e: DayError| source.problem(&section.at_key(key), e.to_string(), mend)).ok()
}

fn read_holidays<'t>(source: &mut Source<'t>, root: &mut Section<'t>, calendar: &mut Calendar) {
    for mut section in root.sections(source, "holiday") {
        section.text_required(source, "name", "write name = \"国庆节\"");
        let (from, to) = (read_day(source, &mut section, "from"), read_day(source, &mut section, "to"));
        let at = section.at_key("to");
        section.finish(source);
        let (Some(from), Some(to)) = (from, to) else { continue };
        if to < from || from.days_to(to) >= HOLIDAY_DAYS_MAX {
            let what = format!("`{to}` is before `{from}` or more than {HOLIDAY_DAYS_MAX} days on");
            source.problem(&at, what, "write the last day of the holiday, itself one of its days");
            continue;
        }
        for day in from.through(to) {
            if !calendar.covers(day) {
                let mend = "add the year to years, once all of its holidays are here";
                source.problem(&at, format!("`{day}` lies outside the years of this file"), mend);
                break;
            }
            if !calendar.holidays.insert(day) {
                source.problem(&at, format!("`{day}` is of two holidays"), "give each day to one of them");
                break;
            }
        }
    }
}

fn read_make_up<'t>(source: &mut Source<'t>, root: &mut Section<'t>, calendar: &mut Calendar) {
    let mend = "write make_up_workdays = [\"2026-02-14\"]: the Saturdays and Sundays that are worked";
    let texts = root.texts(source, "make_up_workdays").unwrap_or_default();
    let at = root.at_key("make_up_workdays");
    for text in texts {
        let day = match text.parse::<Day>() {
            Ok(day) => day,
            Err(error) => {
                source.problem(&at, error.to_string(), mend);
                continue;
            }
        };
        let wrong = if !calendar.covers(day) {
            Some("lies outside the years of this file")
        } else if calendar.holidays.contains(&day) {
            Some("is a holiday too")
        } else if day.weekday() < 5 {
            Some("is a Monday to Friday, which is worked anyway")
        } else if !calendar.make_up.insert(day) {
            Some("is there twice")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            source.problem(&at, format!("`{day}` {wrong}"), mend);
        }
    }
}

#[cfg(test)]
mod tests;
