//! When was this picture taken: RTCP sender reports where there are any, receipt otherwise.
//!
//! What comes in: RTCP and RTP packets as bytes, the pipeline's running time. What goes out: wall-clock time
//! of a running time. GStreamer 1.22 attaches reference timestamps only for RFC 7273 clocks and decoders drop
//! metas, so the mapping is kept beside the stream: sender report (NTP ↔ RTP time) and RTP packet
//! (RTP time ↔ running time) give one offset, which moves by microseconds between pictures.
//! Never: trust in a camera whose clock is plainly wrong.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use calib::time::Timestamp;

use crate::Stamp;

/// Seconds from the NTP epoch 1900-01-01 to 1970-01-01 (RFC 5905, figure 4).
const NTP_UNIX_SECS: i64 = 2_208_988_800;
/// Seconds of one NTP era; the second begins in February 2036.
const NTP_ERA_SECS: i64 = 1 << 32;
/// A sender farther off than this has a wrong clock (never set, or in local time): receipt is nearer to truth.
pub(crate) const SENDER_SKEW_MAX_NS: i64 = 30_000_000_000;
/// RTCP packet type of a sender report (RFC 3550, 6.4.1).
const SENDER_REPORT: u8 = 200;

/// What a sender report says: this NTP time is this RTP time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Report {
    ssrc: u32,
    unix_ns: i64,
    rtp: u32,
}

#[derive(Debug, Default)]
struct Mapping {
    report: Option<Report>,
    /// Wall-clock minus running time by the newest report, nanoseconds.
    sender_offset_ns: Option<i64>,
    /// The sender was found wrong: receipt until the next connection, so that time does not jump to and fro.
    distrusted: bool,
}

/// Wall-clock time of one connection's pictures.
#[derive(Debug, Default)]
pub(crate) struct WallClock(Mutex<Mapping>);

impl WallClock {
    fn mapping(&self) -> std::sync::MutexGuard<'_, Mapping> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A compound RTCP packet from the camera.
    pub(crate) fn on_rtcp(&self, packet: &[u8]) {
        if let Some(report) = sender_report(packet) {
            self.mapping().report = Some(report);
        }
    }

    /// An RTP packet at its running time; `clock_rate` in Hz. Gives the sender's skew in ms where known.
    pub(crate) fn on_rtp(
        &self,
        packet: &[u8],
        running_ns: i64,
        clock_rate: u32,
        receipt_ns: i64,
    ) -> Option<i64> {
        let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
        self.on_unit((word(8)?, word(4)?), running_ns, clock_rate, receipt_ns)
    }

    /// The same of a unit's source and RTP time.
    pub(crate) fn on_unit(
        &self,
        (ssrc, rtp): (u32, u32),
        running_ns: i64,
        clock_rate: u32,
        receipt_ns: i64,
    ) -> Option<i64> {
        let mut mapping = self.mapping();
        let report = mapping.report.filter(|r| r.ssrc == ssrc)?;
        // Signed 32-bit distance: right across the wrap of RTP time, within 6 hours of the report at 90 kHz.
        let ticks = i64::from(rtp.wrapping_sub(report.rtp) as i32);
        let taken_ns = report.unix_ns + ticks * 1_000_000_000 / i64::from(clock_rate.max(1));
        let skew_ns = taken_ns - receipt_ns;
        mapping.distrusted |= skew_ns.abs() > SENDER_SKEW_MAX_NS;
        mapping.sender_offset_ns = (!mapping.distrusted).then_some(taken_ns - running_ns);
        Some(skew_ns / 1_000_000)
    }

    /// The time of a picture and what it rests on.
    pub(crate) fn at(&self, running_ns: i64, receipt_ns: i64) -> (Timestamp, Stamp) {
        match self.mapping().sender_offset_ns {
            Some(offset) => (millis(running_ns + offset), Stamp::SenderReport),
            None => (millis(receipt_ns), Stamp::Receipt),
        }
    }
}

/// Nanoseconds since 1970 by our own clock.
pub(crate) fn now_unix_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}

/// Nanoseconds since 1970 as a timestamp.
pub(crate) fn millis(unix_ns: i64) -> Timestamp {
    Timestamp::from_millis(unix_ns.div_euclid(1_000_000))
}

/// The first sender report of a compound packet.
fn sender_report(mut packet: &[u8]) -> Option<Report> {
    while packet.len() >= 4 && packet[0] >> 6 == 2 {
        let bytes = 4 * (usize::from(u16::from_be_bytes([packet[2], packet[3]])) + 1);
        if packet[1] == SENDER_REPORT {
            let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
            let (secs, fraction) = (i64::from(word(8)?), i64::from(word(12)?));
            if secs == 0 {
                return None;
            }
            let era = if secs < NTP_ERA_SECS / 2 { NTP_ERA_SECS } else { 0 };
            let unix_secs = secs + era - NTP_UNIX_SECS;
            let unix_ns = unix_secs * 1_000_000_000 + ((fraction * 1_000_000_000) >> 32);
            return Some(Report { ssrc: word(4)?, unix_ns, rtp: word(16)? });
        }
        packet = packet.get(bytes..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ntp_secs: u32, fraction: u32, rtp: u32) -> Vec<u8> {
        let mut packet = vec![0x80, SENDER_REPORT, 0, 6];
        for word in [7, ntp_secs, fraction, rtp, 0, 0] {
            packet.extend(u32::to_be_bytes(word));
        }
        packet
    }

    fn rtp(time: u32, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 1];
        packet.extend(time.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet
    }

    // 2026-07-01T08:30:00Z.
    const UNIX_SECS: i64 = 1_782_894_600;
    const NTP_SECS: u32 = (UNIX_SECS + NTP_UNIX_SECS) as u32;

    #[test]
    fn maps_across_the_wrap_of_rtp_time() {
        let clock = WallClock::default();
        clock.on_rtcp(&report(NTP_SECS, 1 << 31, u32::MAX - 44_999));
        // 90 000 ticks after the report: half a second past the wrap, one second past the report.
        let receipt_ns = (UNIX_SECS + 2) * 1_000_000_000;
        let skew = clock.on_rtp(&rtp(45_000, 7), 5_000_000_000, 90_000, receipt_ns);
        assert_eq!(skew, Some(-500));
        let (at, stamp) = clock.at(5_040_000_000, receipt_ns);
        assert_eq!((at.as_millis(), stamp), (UNIX_SECS * 1000 + 1540, Stamp::SenderReport));
    }

    #[test]
    fn receipt_until_a_report_of_the_same_source() {
        let clock = WallClock::default();
        clock.on_rtcp(&report(NTP_SECS, 0, 0));
        assert_eq!(clock.on_rtp(&rtp(0, 8), 0, 90_000, 0), None);
        assert_eq!(clock.at(0, 3_000_000), (Timestamp::from_millis(3), Stamp::Receipt));
    }

    #[test]
    fn a_wrong_camera_clock_is_not_believed() {
        let clock = WallClock::default();
        clock.on_rtcp(&report(NTP_SECS, 0, 0));
        // Local time sent as UTC, the commonest mistake: eight hours ahead.
        let receipt_ns = (UNIX_SECS - 8 * 3600) * 1_000_000_000;
        assert_eq!(clock.on_rtp(&rtp(0, 7), 0, 90_000, receipt_ns), Some(8 * 3_600_000));
        assert_eq!(clock.at(0, receipt_ns), (millis(receipt_ns), Stamp::Receipt));
    }

    #[test]
    fn broken_packets_are_nothing() {
        for packet in [&[][..], &[0x80, 200], &[0x80, 200, 0, 6, 1], &[0x80, 201, 255, 255], &[0; 40]] {
            assert_eq!(sender_report(packet), None);
        }
        assert_eq!(sender_report(&report(0, 0, 0)), None);
    }

    #[test]
    fn the_second_ntp_era_begins_in_2036() {
        let first = sender_report(&report(u32::MAX, 0, 0)).unwrap().unix_ns;
        let second = sender_report(&report(1, 0, 0)).unwrap().unix_ns;
        assert_eq!(second - first, 2_000_000_000);
    }
}
