//! Looks that were due and were not had.
//!
//! In: cameras, the service. Out: how many of the key frames that came due between two moments were never looked at.
//! Never: a look counted as lost that is only on its way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::service::{Seat, Service, by_camera};

/// A moment lasts so long: the least lag within it is that of a time when nothing was on its way.
const MOMENT: Duration = Duration::from_millis(1600);
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Where a camera stood at one moment.
#[derive(Debug, Clone, Copy)]
struct Stand {
    /// Key frames due so far.
    due: u64,
    /// How many looks fewer there were.
    lag: i64,
    /// Frames that came and that a newer one took the place of.
    overwritten: u64,
}

/// Where cameras stood at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(BTreeMap<String, Stand>);

/// What became of the looks of some cameras between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) lost: u64,
    pub(crate) due: u64,
    /// Of those lost, what arrived and was not looked at: the detector was late.
    pub(crate) overwritten: u64,
}

impl Lost {
    pub(crate) fn percent(self) -> f64 {
        100.0 * self.lost as f64 / self.due.max(1) as f64
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            lost: self.lost + other.lost,
            due: self.due + other.due,
            overwritten: self.overwritten + other.overwritten,
        }
    }
}

impl Standing {
    /// Takes a moment to find out.
    pub(crate) async fn now(service: &mut Service, seats: &[Seat]) -> Result<Self> {
        let mut standing = Self::default();
        let begun = Instant::now();
        while begun.elapsed() < MOMENT {
            let told = service.metrics().await?;
            let looks = by_camera(&told, "shirong_looks_total");
            let overwritten = by_camera(&told, "shirong_frames_overwritten_total");
            for Seat { id, camera, .. } in seats {
                // Counted after the looks: what comes between the two is late, not early.
                let due = camera.keys_due();
                let lag = due as i64 - looks.get(id).copied().unwrap_or(0) as i64;
                let overwritten = overwritten.get(id).copied().unwrap_or(0);
                let stand = Stand { due, lag, overwritten };
                let least = standing.0.entry(id.clone()).or_insert(stand);
                if lag <= least.lag {
                    *least = stand;
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
        both.fold(Lost::default(), |sum, (before, after)| {
            sum.and(Lost {
                lost: u64::try_from(after.lag - before.lag).unwrap_or(0),
                due: after.due.saturating_sub(before.due),
                overwritten: after.overwritten.saturating_sub(before.overwritten),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_due_and_not_had_is_lost() {
        let standing = |rows: &[(&str, u64, i64, u64)]| {
            let stand = |(id, due, lag, overwritten): &(&str, u64, i64, u64)| {
                ((*id).to_owned(), Stand { due: *due, lag: *lag, overwritten: *overwritten })
            };
            Standing(rows.iter().map(stand).collect())
        };
        let before = standing(&[("a", 10, 4, 0), ("b", 10, 0, 3), ("gone", 1, 0, 0)]);
        let after = standing(&[("a", 110, 4, 0), ("b", 110, 2, 4), ("new", 9, 9, 9)]);
        let lost = before.lost_until(&after);
        assert_eq!(lost, Lost { lost: 2, due: 200, overwritten: 1 });
        assert!((lost.percent() - 1.0).abs() < 1e-9);
    }
}
