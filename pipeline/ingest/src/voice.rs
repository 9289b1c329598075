//! How often one camera may speak in the log.
//!
//! What comes in: that it has something to say. What goes out: whether it may, and how much it was silent about before.
//! A camera that comes and goes every few seconds for a week would fill a disk. Never: a state that is not told to
//! whoever asks for it.

use std::time::{Duration, Instant};

/// Lines of one camera in one period.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(crate) struct Voice {
    since: Option<Instant>,
    said: u32,
    left_out: u64,
}

impl Voice {
    /// `Some`: it may speak, and so many lines were left out before this one. `None`: counted as left out.
    pub(crate) fn speak(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            (self.since, self.said) = (Some(now), 0);
        }
        if self.said == LINES {
            self.left_out += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_comes_and_goes_does_not_fill_the_log() {
        let (mut voice, begun) = (Voice::default(), Instant::now());
        let said: Vec<u64> = (0..100).filter_map(|_| voice.speak(begun)).collect();
        assert_eq!(said, [0; LINES as usize]);
        let later = begun + PERIOD;
        assert_eq!((voice.speak(later), voice.speak(later)), (Some(100 - u64::from(LINES)), Some(0)));
    }
}
