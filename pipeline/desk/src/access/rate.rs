//! How often is often enough. In: who asks, and when. Out: go on, or how long to wait. Never more memory than
//! its bound, whoever asks from wherever.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers remembered at once, of each kind.
const CALLERS_MAX: usize = 4096;

/// A lasting rate and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Requests a second, for good.
    pub per_second: f64,
    /// Requests at once after a rest.
    pub burst: f64,
}

/// The desk's paces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Of one address, whatever it asks for. A whole office may stand behind one.
    pub address: Pace,
    /// Of one address, requests whose token is wrong.
    pub refused: Pace,
    /// Of a person's token: a page of cards is some forty requests.
    pub person: Pace,
    /// Of a service's token: an outbox that was held up for a day must drain.
    pub service: Pace,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address: Pace { per_second: 500.0, burst: 3000.0 },
            refused: Pace { per_second: 0.5, burst: 20.0 },
            person: Pace { per_second: 20.0, burst: 400.0 },
            service: Pace { per_second: 300.0, burst: 2000.0 },
        }
    }
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// One bucket a caller.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { buckets: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Takes one.
    ///
    /// # Errors
    /// How long to wait before there is one again.
    pub(crate) fn take(&self, key: &K, pace: Pace, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(key) && buckets.len() >= CALLERS_MAX {
            make_room(&mut buckets, pace, now);
        }
        let bucket = buckets.entry(key.clone()).or_insert(Bucket { left: pace.burst, at: now });
        bucket.left = filled(bucket, pace, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / pace.per_second.max(1e-6)));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

fn filled(bucket: &Bucket, pace: Pace, now: Instant) -> f64 {
    let secs = now.saturating_duration_since(bucket.at).as_secs_f64();
    (bucket.left + secs * pace.per_second).min(pace.burst)
}

/// A full bucket says as much as none. Where none is full, the one that was not asked for the longest time goes.
fn make_room<K: Hash + Eq + Clone>(buckets: &mut HashMap<K, Bucket>, pace: Pace, now: Instant) {
    buckets.retain(|_, bucket| filled(bucket, pace, now) < pace.burst);
    if buckets.len() >= CALLERS_MAX {
        let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            buckets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_pace() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let pace = Pace { per_second: 2.0, burst: 3.0 };
        let take = |secs: f64| buckets.take(&"a", pace, start + Duration::from_secs_f64(secs));
        for _ in 0..3 {
            take(0.0).unwrap();
        }
        assert_eq!(take(0.0), Err(Duration::from_millis(500)));
        take(0.5).unwrap();
        assert!(take(0.5).is_err());
        assert!(buckets.take(&"b", pace, start).is_ok(), "another caller has its own");
    }

    #[test]
    fn callers_without_end_are_not_remembered_without_end() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let pace = Pace { per_second: 0.001, burst: 5.0 };
        for caller in 0..3 * CALLERS_MAX {
            let now = start + Duration::from_millis(caller as u64);
            buckets.take(&caller, pace, now).unwrap();
        }
        assert!(buckets.buckets.lock().unwrap().len() <= CALLERS_MAX);
    }
}
