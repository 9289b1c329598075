//! Whether what was found reaches the disk: the evidence thread tells, health and metrics ask.
//!
//! In: each refusal of the store or the vault, each commit that held. Out: since when and why nothing holds, how
//! often that was. Never: a decision; the evidence thread tries again until it holds, and what is behind it
//! waits, so that nothing found is lost and nothing new is looked at once its queue is full.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The store's state as the last commit met it.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    refused: Mutex<Option<Refused>>,
    refusals: AtomicU64,
}

#[derive(Debug, Clone)]
struct Refused {
    since: Instant,
    why: String,
}

/// What is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HoldingReport {
    /// For how long nothing has held, and why; `None` where it does.
    pub refused: Option<(Duration, String)>,
    /// Commits that did not hold at their first try, and each further try, since the start.
    pub refusals: u64,
}

impl Holding {
    /// A commit did not hold.
    pub(crate) fn refuse(&self, why: &str) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        let mut refused = self.lock();
        let since = refused.as_ref().map_or_else(Instant::now, |refused| refused.since);
        *refused = Some(Refused { since, why: why.to_owned() });
    }

    /// A commit held.
    pub(crate) fn hold(&self) {
        *self.lock() = None;
    }

    /// How it stands.
    pub(crate) fn report(&self) -> HoldingReport {
        let refused = self.lock().clone().map(|refused| (refused.since.elapsed(), refused.why));
        HoldingReport { refused, refusals: self.refusals.load(Ordering::Relaxed) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_from_its_first_try_until_a_commit_holds() {
        let holding = Holding::default();
        assert_eq!(holding.report(), HoldingReport { refused: None, refusals: 0 });
        holding.refuse("disk full");
        let first = holding.lock().as_ref().map(|refused| refused.since);
        holding.refuse("disk still full");
        let report = holding.report();
        assert_eq!(
            (report.refusals, report.refused.map(|(_, why)| why)),
            (2, Some("disk still full".to_owned()))
        );
        assert_eq!(holding.lock().as_ref().map(|refused| refused.since), first);
        holding.hold();
        assert_eq!(holding.report(), HoldingReport { refused: None, refusals: 2 });
    }
}
