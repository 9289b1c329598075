//! Which pictures lost packets on the way.
//!
//! What comes in: sequence numbers and times of RTP packets. What goes out: whether the picture of a time is
//! whole. Decoders paint over missing slices and say nothing; half a key frame would pass for evidence.
//! Never: a picture called whole whose packets were lost in front of it or at its end.

use std::sync::{Mutex, PoisonError};

/// Damaged times remembered: those on the way from depayloader to gate, a few at most.
const REMEMBERED: usize = 8;

#[derive(Debug, Default)]
struct Seen {
    /// Sequence number and PTS of the newest packet.
    last: Option<(u16, u64)>,
    damaged: [Option<u64>; REMEMBERED],
    next: usize,
}

/// The packets of one connection.
#[derive(Debug, Default)]
pub(crate) struct Damage(Mutex<Seen>);

impl Damage {
    /// A packet leaves the jitter buffer, in order.
    pub(crate) fn on_packet(&self, packet: &[u8], pts_ns: u64) {
        let Some(&[high, low]) = packet.get(2..4).and_then(|s| s.first_chunk()) else { return };
        let sequence = u16::from_be_bytes([high, low]);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, last_pts_ns)) = seen.last.replace((sequence, pts_ns))
            && sequence != last.wrapping_add(1)
        {
            // What is missing may be the end of the one picture or the beginning of the other.
            for pts_ns in [last_pts_ns, pts_ns] {
                let at = seen.next;
                seen.damaged[at] = Some(pts_ns);
                seen.next = (at + 1) % REMEMBERED;
            }
        }
    }

    /// Whether packets of this picture are missing.
    pub(crate) fn has(&self, pts_ns: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).damaged.contains(&Some(pts_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_damages_the_pictures_on_both_sides() {
        let damage = Damage::default();
        let packet = |sequence: u16| [&[0x80, 96][..], &sequence.to_be_bytes(), &[0; 8]].concat();
        for (sequence, pts) in [(65_534, 1), (65_535, 1), (0, 2), (2, 2), (3, 3), (5, 4), (6, 5)] {
            damage.on_packet(&packet(sequence), pts);
        }
        assert_eq!([1, 2, 3, 4, 5].map(|pts| damage.has(pts)), [false, true, true, true, false]);
    }
}
