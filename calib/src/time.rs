//! Instants and local clock time. Pure: an instant is always handed in, never read from a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant, milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` comes first.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Seconds from `earlier` to `self`; negative when `self` comes first.
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.millis_since(earlier) as f64 / 1000.0
    }

    /// This instant moved by `ms` milliseconds.
    #[must_use]
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0 + ms)
    }

    /// Minutes since local midnight, weekday (0 = Monday) for a clock `offset_minutes` ahead of UTC.
    pub fn local_minute_and_weekday(self, offset_minutes: i32) -> (u16, u8) {
        let local_minutes = self.0.div_euclid(60_000) + i64::from(offset_minutes);
        let day = local_minutes.div_euclid(1440);
        // 1970-01-01 was a Thursday: weekday 3 counted from Monday.
        ((local_minutes.rem_euclid(1440)) as u16, ((day + 3).rem_euclid(7)) as u8)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

/// Why a text is no instant.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time; write it like 2026-07-01T08:30:00Z")]
pub struct TimestampError(pub String);

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|_| TimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc3339() {
        let t: Timestamp = "2026-07-01T08:30:00.250Z".parse().unwrap();
        assert_eq!(t.to_string(), "2026-07-01T08:30:00.250Z");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-07-01T16:30:00.250+08:00\"").unwrap(), t);
    }

    #[test]
    fn local_time_in_china() {
        // Wednesday 2026-07-01 23:30 in UTC is Thursday 07:30 in China.
        let t: Timestamp = "2026-07-01T23:30:00Z".parse().unwrap();
        assert_eq!(t.local_minute_and_weekday(480), (7 * 60 + 30, 3));
    }
}
