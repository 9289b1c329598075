//! Looks that were due and were not had.
//!
//! In: cameras, the service. Out: how many of the key frames that came due between two moments were never looked at.
//! Never: a look counted as lost that is only on its way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::service::{Seat, Service};

/// A moment lasts so long: the least lag within it is that of a time when nothing was on its way.
const MOMENT: Duration = Duration::from_millis(1600);
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Where cameras stood at one moment: key frames due, and how many looks fewer there were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(BTreeMap<String, (u64, i64)>);

/// What became of the looks of some cameras between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) lost: u64,
    pub(crate) due: u64,
}

impl Lost {
    pub(crate) fn percent(self) -> f64 {
        100.0 * self.lost as f64 / self.due.max(1) as f64
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self { lost: self.lost + other.lost, due: self.due + other.due }
    }
}

impl Standing {
    /// Takes a moment to find out.
    pub(crate) async fn now(service: &mut Service, seats: &[Seat]) -> Result<Self> {
        let mut standing = Self::default();
        let begun = Instant::now();
        while begun.elapsed() < MOMENT {
            let looks = service.looks().await?;
            for Seat { id, camera, .. } in seats {
                // Counted after the looks: what comes between the two is late, not early.
                let due = camera.keys_due();
                let lag = due as i64 - looks.get(id).copied().unwrap_or(0) as i64;
                let least = standing.0.entry(id.clone()).or_insert((due, lag));
                if lag <= least.1 {
                    *least = (due, lag);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(standing)
    }

    /// Of one camera.
    pub(crate) fn only(&self, id: &str) -> Self {
        Self(self.0.get_key_value(id).map(|(id, standing)| (id.clone(), *standing)).into_iter().collect())
    }

    /// What cameras that are in both lost from the one to the other.
    pub(crate) fn lost_until(&self, later: &Self) -> Lost {
        let both = self.0.iter().filter_map(|(id, before)| Some((before, later.0.get(id)?)));
        both.fold(Lost::default(), |sum, ((due, lag), (due_later, lag_later))| {
            sum.and(Lost {
                lost: u64::try_from(lag_later - lag).unwrap_or(0),
                due: due_later.saturating_sub(*due),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_due_and_not_had_is_lost() {
        let standing = |rows: &[(&str, u64, i64)]| {
            Standing(rows.iter().map(|(id, due, lag)| ((*id).to_owned(), (*due, *lag))).collect())
        };
        let before = standing(&[("a", 10, 4), ("b", 10, 0), ("gone", 1, 0)]);
        let after = standing(&[("a", 110, 4), ("b", 110, 2), ("new", 9, 9)]);
        let lost = before.lost_until(&after);
        assert_eq!(lost, Lost { lost: 2, due: 200 });
        assert!((lost.percent() - 1.0).abs() < 1e-9);
    }
}
