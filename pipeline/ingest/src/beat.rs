//! The beat of a cadence in frames a second.
//!
//! What comes in: a picture's time. What goes out: whether it is wanted. Never: a picture twice.

/// Whether a picture is due at so many frames a second. A few milliseconds early count as on time: receipt
/// times jitter, and a picture missed by one of them would cost a whole period of the source.
pub(crate) fn is_due(now_ns: u64, fps: f64, next_ns: &mut Option<u64>) -> bool {
    let period_ns = (1e9 / fps) as u64;
    let early_ns = (period_ns / 8).min(5_000_000);
    match *next_ns {
        Some(next) if now_ns + early_ns < next && next - now_ns <= 2 * period_ns => false,
        // On time: keep the beat. Late by more than a period, or a jump in time: start a new one.
        Some(next) if now_ns < next.saturating_add(period_ns) && next <= now_ns + period_ns => {
            *next_ns = Some(next + period_ns);
            true
        }
        _ => {
            *next_ns = Some(now_ns + period_ns);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(source_fps: f64, wanted_fps: f64, secs: f64) -> usize {
        let mut next = None;
        let n = (source_fps * secs) as u64;
        (0..n).filter(|i| is_due((*i as f64 * 1e9 / source_fps) as u64, wanted_fps, &mut next)).count()
    }

    #[test]
    fn the_cadence_keeps_its_beat() {
        assert_eq!(taken(25.0, 5.0, 10.0), 50);
        assert_eq!(taken(25.0, 1.0, 10.0), 10);
        // More than there are: all, none doubled.
        assert_eq!(taken(10.0, 30.0, 10.0), 100);
        // No whole ratio: still the rate asked for.
        let n = taken(30.0, 4.0, 10.0);
        assert!((39..=41).contains(&n), "{n}");
        let n = taken(15.0, 10.0, 10.0);
        assert!((98..=102).contains(&n), "{n}");
    }

    #[test]
    fn a_jump_in_time_does_not_silence_the_cadence() {
        let mut next = None;
        assert!(is_due(100_000_000_000, 1.0, &mut next));
        assert!(is_due(5_000_000_000, 1.0, &mut next));
    }
}
