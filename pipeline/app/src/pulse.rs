//! Whether each stage gets on: what `/livez` and the watchdog's pings rest on.
//!
//! In: a stage says when it takes up a piece of work and when it waits for one. Out: which stage has been at one piece
//! for longer than any takes. Never: a lock, a thread; a stage that waits for another, which tells for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longest that a batch, or one try to commit, may take: a slow machine with tiles on every camera needs seconds.
const PIECE_MAX: Duration = Duration::from_secs(120);
/// Longest that a look at files may take, a new model with its golden pictures among them.
const FILES_MAX: Duration = Duration::from_secs(600);

/// One stage's.
#[derive(Debug)]
pub(crate) struct Pulse {
    stage: &'static str,
    piece_max: Duration,
    born: Instant,
    /// Milliseconds from `born` to when its piece was taken up, plus one; 0: it waits.
    busy_since_ms: AtomicU64,
}

impl Pulse {
    fn new(stage: &'static str, piece_max: Duration) -> Arc<Self> {
        Arc::new(Self { stage, piece_max, born: Instant::now(), busy_since_ms: AtomicU64::new(0) })
    }

    /// A piece of work is taken up, or tried anew.
    pub(crate) fn work(&self) {
        let ms = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.busy_since_ms.store(ms.saturating_add(1), Ordering::Relaxed);
    }

    /// It waits: for work, or for a stage behind it.
    pub(crate) fn rest(&self) {
        self.busy_since_ms.store(0, Ordering::Relaxed);
    }

    /// For how long it has hung so far after its birth; `None` where it gets on.
    fn hung(&self, age: Duration) -> Option<Duration> {
        let since = self.busy_since_ms.load(Ordering::Relaxed).checked_sub(1)?;
        let at_it = age.saturating_sub(Duration::from_millis(since));
        (at_it > self.piece_max).then_some(at_it)
    }
}

/// Those of all stages.
#[derive(Debug, Clone)]
pub(crate) struct Pulses {
    pub(crate) detect: Arc<Pulse>,
    pub(crate) evidence: Arc<Pulse>,
    pub(crate) model: Arc<Pulse>,
    pub(crate) files: Arc<Pulse>,
}

impl Pulses {
    pub(crate) fn new() -> Self {
        Self {
            detect: Pulse::new("detect", PIECE_MAX),
            evidence: Pulse::new("evidence", PIECE_MAX),
            model: Pulse::new("model", FILES_MAX),
            files: Pulse::new("files", FILES_MAX),
        }
    }

    /// The first stage that hangs, and for how long it has been at one piece.
    pub(crate) fn hung(&self) -> Option<(&'static str, Duration)> {
        let all = [&self.detect, &self.evidence, &self.model, &self.files];
        all.into_iter().find_map(|pulse| Some((pulse.stage, pulse.hung(pulse.born.elapsed())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_hangs_that_is_at_one_piece_for_too_long_and_not_one_that_waits() {
        let pulses = Pulses::new();
        let pulse = &pulses.detect;
        let later = PIECE_MAX + Duration::from_secs(60);
        assert_eq!(pulse.hung(later), None, "it waits");
        pulse.work();
        assert_eq!(pulse.hung(PIECE_MAX / 2), None, "it is at it");
        assert!(pulse.hung(later).is_some_and(|at_it| at_it > PIECE_MAX));
        pulse.rest();
        assert_eq!(pulse.hung(later), None, "it waits again");
        assert_eq!(pulses.hung(), None);
    }
}
