//! Wall-clock time for the outbox: the one place of this crate that reads a clock.
//!
//! In: the machine's clock, once. Out: milliseconds since 1970 that never step back while the service
//! runs, whatever is done to the clock meanwhile. Never: a time of capture; those come with the frames.

use std::time::{SystemTime, UNIX_EPOCH};

use calib::time::Timestamp;
use tokio::time::Instant;

/// The clock as it stood at the start, and what has passed since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    started_at_ms: i64,
    started: Instant,
}

impl WallClock {
    pub(crate) fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at_ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Self { started_at_ms, started: Instant::now() }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        let passed_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_at_ms.saturating_add(passed_ms)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }
}
