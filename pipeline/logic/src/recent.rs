//! Which of the latest looks saw a place.

use serde::{Deserialize, Serialize};

/// Looks remembered.
const LOOKS: usize = 128;

/// The latest looks, one bit each, the newest lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    high: u64,
    low: u64,
    len: u8,
}

impl Recent {
    pub(crate) fn push(&mut self, is_hit: bool) {
        self.high = (self.high << 1) | (self.low >> 63);
        self.low = (self.low << 1) | u64::from(is_hit);
        self.len = (self.len + 1).min(LOOKS as u8);
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// How many of the latest `looks` saw it.
    pub(crate) fn hits_in(&self, looks: u32) -> u32 {
        (self.low & ((1 << looks) - 1)).count_ones()
    }

    /// Share of the remembered looks that saw it.
    pub(crate) fn share(&self) -> f64 {
        // Bits beyond `len` were never set.
        f64::from(self.high.count_ones() + self.low.count_ones()) / f64::from(self.len.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_looks_count_and_older_ones_do_not() {
        let mut recent = Recent::default();
        assert_eq!((recent.len(), recent.share()), (0, 0.0));
        (0..100).for_each(|_| recent.push(true));
        assert_eq!((recent.len(), recent.share()), (100, 1.0));
        (0..128).for_each(|i| recent.push(i % 4 == 0));
        assert_eq!((recent.len(), recent.share()), (128, 0.25));
        assert_eq!((recent.hits_in(3), recent.hits_in(4)), (0, 1));
    }
}
