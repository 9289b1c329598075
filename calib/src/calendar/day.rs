//! A day of the civil calendar, without a time or a zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// A day, counted from 1970-01-01. Written `2026-10-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

const DAY_SECS: i64 = 86_400;

/// Why a text is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day; write it like 2026-10-01")]
pub struct DayError(pub String);

impl Day {
    /// The local day of an instant by a clock `offset_minutes` ahead of UTC.
    pub const fn of(at: Timestamp, offset_minutes: i32) -> Self {
        Self((at.as_millis() + offset_minutes as i64 * 60_000).div_euclid(DAY_SECS * 1000) as i32)
    }

    /// The instant at which the day begins by a clock `offset_minutes` ahead of UTC.
    pub const fn begins(self, offset_minutes: i32) -> Timestamp {
        Timestamp::from_millis(self.0 as i64 * DAY_SECS * 1000 - offset_minutes as i64 * 60_000)
    }

    /// 0 = Monday.
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday: weekday 3 counted from Monday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// The day so many days later.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }

    /// Days from this one to another.
    pub const fn days_to(self, other: Self) -> i32 {
        other.0 - self.0
    }

    /// This day and all up to and with `last`.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.date().map_or(0, Date::year)
    }

    /// A day from its parts, where they are one.
    pub fn from_parts(year: i16, month: i8, day: i8) -> Option<Self> {
        let at = Date::new(year, month, day).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        i32::try_from(at.as_second().div_euclid(DAY_SECS)).ok().map(Self)
    }

    fn date(self) -> Option<Date> {
        let at = jiff::Timestamp::from_second(i64::from(self.0) * DAY_SECS).ok()?;
        Some(at.to_zoned(TimeZone::UTC).date())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date() {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "{} days since 1970", self.0),
        }
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let read = || {
            let mut parts = text.split('-');
            let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
            let digits = |part: &str, n| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
            let whole = digits(year, 4) && digits(month, 2) && digits(day, 2) && parts.next().is_none();
            whole.then_some(())?;
            Self::from_parts(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        };
        read().ok_or_else(|| DayError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_round_trip_and_know_their_weekday() {
        let day: Day = "2026-10-01".parse().unwrap();
        assert_eq!((day.to_string().as_str(), day.weekday(), day.year()), ("2026-10-01", 3, 2026));
        assert_eq!(day.plus(92).to_string(), "2027-01-01");
        assert_eq!("2024-02-29".parse::<Day>().unwrap().plus(1).to_string(), "2024-03-01");
        assert_eq!("1969-12-31".parse::<Day>().unwrap().days_to("1970-01-02".parse().unwrap()), 2);
        for text in ["2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01-", "", "２０２６-01-01"]
        {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_has_its_local_day() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(Day::of(at("2026-09-30T16:00:00Z"), 480).to_string(), "2026-10-01");
        assert_eq!(Day::of(at("2026-09-30T15:59:59Z"), 480).to_string(), "2026-09-30");
        let day: Day = "2026-10-01".parse().unwrap();
        assert_eq!(day.begins(480), at("2026-09-30T16:00:00Z"));
    }
}
