//! Hours of a day during which something holds, in the camera's local time.

use std::str::FromStr;

use crate::time::Timestamp;

/// Windows of the day. An empty schedule never holds; [`Schedule::always`] always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
}

/// From a minute of the day up to, not including, another. `from > to` passes midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from_minute: u16,
    to_minute: u16,
}

const DAY_MINUTES: u16 = 24 * 60;

impl Schedule {
    /// Round the clock.
    pub fn always() -> Self {
        Self { windows: vec![Window { from_minute: 0, to_minute: DAY_MINUTES }] }
    }

    /// The union of some windows.
    pub fn of(windows: Vec<Window>) -> Self {
        Self { windows }
    }

    /// Whether it holds at `at` by a local clock `offset_minutes` ahead of UTC.
    pub fn holds(&self, at: Timestamp, offset_minutes: i32) -> bool {
        let (minute, _) = at.local_minute_and_weekday(offset_minutes);
        self.windows.iter().any(|w| {
            if w.from_minute <= w.to_minute {
                (w.from_minute..w.to_minute).contains(&minute)
            } else {
                minute >= w.from_minute || minute < w.to_minute
            }
        })
    }
}

/// Why a text is no window of the day.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no window of the day; write it like 06:00-22:30 (22:00-06:00 passes midnight)")]
pub struct WindowError(pub String);

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            let (from_minute, to_minute) = (minute(from.trim())?, minute(to.trim())?);
            (from_minute != to_minute && from_minute < DAY_MINUTES).then_some(Self { from_minute, to_minute })
        };
        read().ok_or_else(|| WindowError(text.to_owned()))
    }
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
        for text in ["6-22", "06:00", "24:00-25:00", "06:60-07:00", "07:00-07:00", "-", "٠٦:٠٠-٠٧:٠٠"]
        {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        assert!(Schedule::always().holds(at("2026-07-01T00:00:00Z"), 480));
        assert!("18:00-24:00".parse::<Window>().is_ok());
    }
}
