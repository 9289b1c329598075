//! How long pictures wait, counted in buckets for whoever graphs it.
//!
//! In: a picture's arrival. Out: a histogram in Prometheus's text. Never: a lock, a number of a single picture.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use calib::time::Timestamp;

/// From bucket to bucket: percentiles are told a tenth of their value off at most.
const STEP: f64 = 1.25;
/// Upper bound of the first bucket, milliseconds.
const FIRST_MS: f64 = 1.0;
/// Buckets up to about two minutes.
const BUCKETS: usize = 54;

/// Waits of one kind.
pub(crate) struct Waits {
    /// How many ended in each bucket; the last is over every bound.
    counts: [AtomicU64; BUCKETS + 1],
    sum_ms: AtomicU64,
}

impl Waits {
    pub(crate) fn new() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_ms: AtomicU64::new(0) }
    }

    /// What arrived then is through now.
    pub(crate) fn end(&self, arrived: Timestamp) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        // A clock that was set back counts as no wait.
        self.add(now_ms.saturating_sub(arrived.as_millis()).max(0) as u64);
    }

    fn add(&self, ms: u64) {
        let bucket = (0..BUCKETS).find(|at| ms as f64 <= bound_ms(*at)).unwrap_or(BUCKETS);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// As Prometheus reads it, in seconds.
    pub(crate) fn write(&self, text: &mut String, name: &str, help: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut count = 0;
        for (at, bucket) in self.counts.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = if at == BUCKETS { "+Inf".to_owned() } else { format!("{:.6}", bound_ms(at) / 1e3) };
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum_s = self.sum_ms.load(Ordering::Relaxed) as f64 / 1e3;
        let _ = writeln!(text, "{name}_sum {sum_s}\n{name}_count {count}");
    }
}

fn bound_ms(bucket: usize) -> f64 {
    FIRST_MS * STEP.powi(bucket as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_the_last_has_no_bound() {
        let waits = Waits::new();
        for ms in [0, 1, 2, 40, 4_000_000] {
            waits.add(ms);
        }
        let mut text = String::new();
        waits.write(&mut text, "w", "x");
        let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
        assert_eq!(value("w_bucket{le=\"0.001000\"} ").as_deref(), Some("2"));
        assert_eq!(value("w_bucket{le=\"+Inf\"} ").as_deref(), Some("5"));
        assert_eq!(value("w_count ").as_deref(), Some("5"));
        assert_eq!(value("w_sum ").as_deref(), Some("4000.043"));
        let counts: Vec<u64> = text
            .lines()
            .filter(|line| line.starts_with("w_bucket"))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(counts.is_sorted(), "{counts:?}");
    }
}
