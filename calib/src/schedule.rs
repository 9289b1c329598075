//! Hours of the day, and on which days, during which something holds, in the camera's local time.

use std::str::FromStr;
use std::sync::Arc;

use crate::calendar::{Calendar, Day};
use crate::time::Timestamp;

/// Windows of the day. An empty schedule never holds; [`Schedule::always`] always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
    /// Tells work days from others; without one, Monday to Friday are worked.
    calendar: Option<Arc<Calendar>>,
}

/// From a minute of the day up to, not including, another, on some days. `from > to` passes midnight and
/// belongs to the day on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    days: Days,
    from_minute: u16,
    to_minute: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Days {
    All,
    /// Bit 0 is Monday.
    Weekdays(u8),
    Worked,
    Rest,
}

const DAY_MINUTES: u16 = 24 * 60;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Schedule {
    /// Round the clock.
    pub fn always() -> Self {
        Self::of(vec![Window { days: Days::All, from_minute: 0, to_minute: DAY_MINUTES }])
    }

    /// The union of some windows.
    pub fn of(windows: Vec<Window>) -> Self {
        Self { windows, calendar: None }
    }

    /// The same windows, with work days and rest days of a calendar.
    pub fn keep_to(&mut self, calendar: &Arc<Calendar>) {
        self.calendar = Some(Arc::clone(calendar));
    }

    /// Whether it holds round the clock on every day.
    pub fn is_always(&self) -> bool {
        self.windows.iter().any(|w| w.days == Days::All && w.minutes() == (0, DAY_MINUTES))
    }

    /// Its windows, in the order of the file.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Whether it holds at `at` by a local clock `offset_minutes` ahead of UTC.
    pub fn holds(&self, at: Timestamp, offset_minutes: i32) -> bool {
        self.holds_on(at, offset_minutes, |_| true)
    }

    /// Whether a window holds at `at` that began on a day that `of_day` takes: a night belongs to the day before
    /// its midnight.
    pub fn holds_on(&self, at: Timestamp, offset_minutes: i32, of_day: impl Fn(Day) -> bool) -> bool {
        let (minute, _) = at.local_minute_and_weekday(offset_minutes);
        let day = Day::of(at, offset_minutes);
        let began = |w: &Window, day: Day| self.is_on(w.days, day) && of_day(day);
        self.windows.iter().any(|w| {
            if w.from_minute <= w.to_minute {
                (w.from_minute..w.to_minute).contains(&minute) && began(w, day)
            } else {
                (minute >= w.from_minute && began(w, day)) || (minute < w.to_minute && began(w, day.plus(-1)))
            }
        })
    }

    fn is_on(&self, days: Days, day: Day) -> bool {
        let is_worked = || self.calendar.as_ref().map_or(day.weekday() < 5, |c| c.is_worked(day));
        match days {
            Days::All => true,
            Days::Weekdays(mask) => mask & (1 << day.weekday()) != 0,
            Days::Worked => is_worked(),
            Days::Rest => !is_worked(),
        }
    }
}

impl Window {
    /// Whether it ends on the day on which it begins.
    pub const fn is_within_a_day(&self) -> bool {
        self.from_minute < self.to_minute
    }

    /// Whether it holds on every day.
    pub const fn is_any_day(&self) -> bool {
        matches!(self.days, Days::All)
    }

    /// From and to, minutes of the day.
    pub const fn minutes(&self) -> (u16, u16) {
        (self.from_minute, self.to_minute)
    }
}

/// Why a text is no window of the day.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no window of the day; write it like 06:00-22:30 (22:00-06:00 passes midnight), with days before \
     it where it is not every day: work_days, rest_days, mon-fri or sat,sun"
)]
pub struct WindowError(pub String);

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let read = || {
            // Blanks around the hyphen are forgiven.
            let text = text.trim().replace(" -", "-").replace("- ", "-");
            let (days, hours) = text.rsplit_once(' ').unwrap_or(("", &text));
            let (from, to) = hours.split_once('-')?;
            let (from_minute, to_minute) = (minute(from)?, minute(to)?);
            let days = days_of(days.trim())?;
            (from_minute != to_minute && from_minute < DAY_MINUTES).then_some(Self {
                days,
                from_minute,
                to_minute,
            })
        };
        read().ok_or_else(|| WindowError(text.to_owned()))
    }
}

fn days_of(text: &str) -> Option<Days> {
    match text {
        "" => return Some(Days::All),
        "work_days" => return Some(Days::Worked),
        "rest_days" => return Some(Days::Rest),
        _ => {}
    }
    let number = |name: &str| WEEKDAYS.iter().position(|known| *known == name);
    let mut mask = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first.trim())?, number(last.trim())?);
        // `sat-tue` passes the end of the week.
        let length = (last + 7 - first) % 7;
        (0..=length).for_each(|i| mask |= 1 << ((first + i) % 7));
    }
    Some(Days::Weekdays(mask))
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_hold_from_inclusive_to_exclusive_in_local_time() {
        let day = Schedule::of(vec!["06:00-22:30".parse().unwrap()]);
        assert!(!day.holds(at("2026-07-01T05:59:59+08:00"), 480));
        assert!(day.holds(at("2026-07-01T06:00:00+08:00"), 480));
        assert!(day.holds(at("2026-07-01T22:29:59+08:00"), 480));
        assert!(!day.holds(at("2026-07-01T22:30:00+08:00"), 480));
    }

    #[test]
    fn a_window_passes_midnight() {
        let night = Schedule::of(vec!["22:00-06:00".parse().unwrap()]);
        assert!(night.holds(at("2026-07-01T23:00:00+08:00"), 480));
        assert!(night.holds(at("2026-07-01T05:59:00+08:00"), 480));
        assert!(!night.holds(at("2026-07-01T12:00:00+08:00"), 480));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "work_day 06:00-07:00",
            "mon-fry 06:00-07:00",
            "06:00-07:00 mon",
            "mon",
            "6-22",
            "06:00",
            "24:00-25:00",
            "06:60-07:00",
            "07:00-07:00",
            "-",
            "٠٦:٠٠-٠٧:٠٠",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        assert!(Schedule::always().holds(at("2026-07-01T00:00:00Z"), 480));
        assert!("18:00-24:00".parse::<Window>().is_ok());
    }

    #[test]
    fn days_go_before_the_hours() {
        let at = |day: &str, hour: &str| at(&format!("{day}T{hour}:00+08:00"));
        // Friday the 3rd, Saturday the 4th, Sunday the 5th, Monday the 6th.
        let holds = |windows: &[&str], day: &str, hour: &str| {
            let windows = windows.iter().map(|w| w.parse().unwrap()).collect();
            Schedule::of(windows).holds(at(day, hour), 480)
        };
        assert!(holds(&["mon-fri 08:00-12:00"], "2026-07-03", "08:00"));
        assert!(!holds(&["mon-fri 08:00-12:00"], "2026-07-04", "08:00"));
        assert!(holds(&["sat,sun 08:00 - 12:00"], "2026-07-05", "08:00"));
        assert!(holds(&["sat-mon 08:00-12:00"], "2026-07-06", "08:00"));
        assert!(!holds(&["sat-mon 08:00-12:00"], "2026-07-03", "08:00"));
        // A night belongs to the day on which it begins.
        assert!(holds(&["fri 22:00-02:00"], "2026-07-04", "01:00"));
        assert!(!holds(&["fri 22:00-02:00"], "2026-07-03", "01:00"));
        assert!(!holds(&["fri 22:00-02:00"], "2026-07-04", "22:00"));
    }

    #[test]
    fn work_days_are_the_calendars() {
        let text = include_str!("../example-county/calendar.toml");
        let calendar = Arc::new(Calendar::parse("c", text).unwrap());
        let mut work = Schedule::of(vec!["work_days 08:00-12:00".parse().unwrap()]);
        let mut rest = Schedule::of(vec!["rest_days 08:00-12:00".parse().unwrap()]);
        let saturday = at("2026-10-10T09:00:00+08:00");
        assert!(!work.holds(saturday, 480) && rest.holds(saturday, 480), "without a calendar");
        work.keep_to(&calendar);
        rest.keep_to(&calendar);
        assert!(work.holds(saturday, 480) && !rest.holds(saturday, 480), "worked for the holiday");
        let thursday = at("2026-10-01T09:00:00+08:00");
        assert!(!work.holds(thursday, 480) && rest.holds(thursday, 480));
    }
}
