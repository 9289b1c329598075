//! When a time limit ends. Pure: an instant and a limit in, an instant out.
//!
//! The four clocks are those of a deployed system (domain practice, not a confirmed clause): 紧急工作时 runs on
//! through nights and holidays; 工作时 counts hours of work only; 工作日 is a day's hours of work, eight by
//! default; 自然日 is twenty-four hours. A limit written without its clock (`4小时`) counts as work time there,
//! and a file here must say so.

use std::fmt;
use std::str::FromStr;

use super::{Calendar, Day};
use crate::time::Timestamp;

/// What a limit is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// 紧急工作时: an hour, nights and holidays included.
    UrgentHour,
    /// 工作时: an hour of work.
    WorkHour,
    /// 工作日: a day's hours of work.
    WorkDay,
    /// 自然日: twenty-four hours.
    NaturalDay,
}

impl Clock {
    /// Every clock with its name in files.
    pub const NAMES: [(&str, Self); 4] = [
        ("urgent_hour", Self::UrgentHour),
        ("work_hour", Self::WorkHour),
        ("work_day", Self::WorkDay),
        ("natural_day", Self::NaturalDay),
    ];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// How long somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    amount: u16,
    clock: Clock,
}

/// The longest limit: what is more is a slip of the pen.
pub const AMOUNT_MAX: u16 = 3660;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Days looked at before a limit of work time is given up on, so that no calendar can hang a caller: ten
/// times [`AMOUNT_MAX`].
const DAYS_MAX: i32 = 36_600;

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time limit; write a whole number from 1 to {AMOUNT_MAX} and urgent_hour, work_hour, work_day or natural_day, like \"4 work_hour\""
)]
pub struct LimitError(pub String);

impl Limit {
    /// A limit, where the amount is from 1 to [`AMOUNT_MAX`].
    pub fn new(amount: u16, clock: Clock) -> Option<Self> {
        (1..=AMOUNT_MAX).contains(&amount).then_some(Self { amount, clock })
    }

    /// How many of its clock's units.
    pub const fn amount(self) -> u16 {
        self.amount
    }

    /// What it is counted in.
    pub const fn clock(self) -> Clock {
        self.clock
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let read = || {
            let (amount, clock) = text.trim().split_once(' ')?;
            let clock = Clock::NAMES.iter().find(|(name, _)| *name == clock.trim())?.1;
            Self::new(amount.parse().ok()?, clock)
        };
        read().ok_or_else(|| LimitError(text.to_owned()))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.clock.name())
    }
}

impl Calendar {
    /// When a limit that runs from `start` ends.
    ///
    /// Work time that is used up at the end of a window ends there and not at the beginning of the next: four
    /// hours from 08:00 are over at 12:00. Only [`Calendar::covers`] of the result's day says whether the
    /// holidays on the way were known.
    pub fn deadline(&self, start: Timestamp, limit: Limit) -> Timestamp {
        let amount = i64::from(limit.amount);
        match limit.clock {
            Clock::UrgentHour => start.plus_millis(amount * HOUR_MS),
            Clock::NaturalDay => start.plus_millis(amount * 24 * HOUR_MS),
            Clock::WorkHour => self.after_work(start, amount * HOUR_MS),
            Clock::WorkDay => self.after_work(start, amount * self.work_ms_a_day()),
        }
    }

    /// Milliseconds of work on a day that is worked.
    pub fn work_ms_a_day(&self) -> i64 {
        self.work.iter().map(|(from, to)| i64::from(to - from) * MINUTE_MS).sum()
    }

    fn after_work(&self, start: Timestamp, work_ms: i64) -> Timestamp {
        let mut left_ms = work_ms;
        let first = self.day(start);
        for day in first.through(first.plus(DAYS_MAX)).filter(|day| self.is_worked(*day)) {
            for (from, to) in self.windows(day) {
                let from = from.max(start);
                let here_ms = to.millis_since(from).max(0);
                if here_ms > 0 && left_ms <= here_ms {
                    return from.plus_millis(left_ms);
                }
                left_ms -= here_ms;
            }
        }
        first.plus(DAYS_MAX).begins(self.utc_offset_minutes)
    }

    /// Milliseconds of work between two instants; 0 where `to` is not after `from`.
    pub fn worked_ms(&self, from: Timestamp, to: Timestamp) -> i64 {
        if to <= from {
            return 0;
        }
        let days = self.day(from).through(self.day(to)).filter(|day| self.is_worked(*day));
        days.flat_map(|day| self.windows(day))
            .map(|(begin, end)| end.min(to).millis_since(begin.max(from)).max(0))
            .sum()
    }

    fn windows(&self, day: Day) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let midnight = day.begins(self.utc_offset_minutes);
        self.work.iter().map(move |&(from, to)| {
            let at = |minute: u16| midnight.plus_millis(i64::from(minute) * MINUTE_MS);
            (at(from), at(to))
        })
    }
}
