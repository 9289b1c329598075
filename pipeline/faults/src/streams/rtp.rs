//! RTP and RTCP packets, as RFC 3550, 6184 and 7798 have them.
//!
//! In: NAL units, a sequence number, a time. Out: packets. Never: aggregation; cameras send NAL units whole or in
//! fragments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reel::Codec;

/// RTP's clock for video, Hz.
pub(crate) const CLOCK_HZ: u32 = 90_000;
/// Payload type; dynamic.
pub(crate) const PAYLOAD: u8 = 96;
/// Bytes of a packet's payload; less than cameras take, so that small pictures come in fragments as well.
const PAYLOAD_BYTES_MAX: usize = 500;
/// RFC 6184, table 1.
const H264_FU_A: u8 = 28;
/// RFC 7798, 4.4.3.
const H265_FU: u8 = 49;
/// Seconds from 1900 to 1970.
const NTP_UNIX_SECS: u64 = 2_208_988_800;

/// Where a sender is.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    packets: u32,
    bytes: u32,
}

impl Sender {
    pub(crate) fn new(ssrc: u32, sequence: u16) -> Self {
        Self { ssrc, sequence, packets: 0, bytes: 0 }
    }

    /// One packet.
    pub(crate) fn packet(&mut self, time: u32, is_last: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, PAYLOAD | u8::from(is_last) << 7];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(payload.len() as u32);
        packet
    }

    /// The packets of one picture; the last one bears the marker.
    pub(crate) fn picture(&mut self, codec: Codec, nals: &[Vec<u8>], time: u32) -> Vec<Vec<u8>> {
        let payloads: Vec<Vec<u8>> = nals.iter().flat_map(|nal| payloads(codec, nal)).collect();
        let last = payloads.len().saturating_sub(1);
        payloads.iter().enumerate().map(|(at, payload)| self.packet(time, at == last, payload)).collect()
    }

    /// A sender report that says: this wall-clock time is this RTP time.
    pub(crate) fn report(&self, at: SystemTime, time: u32) -> Vec<u8> {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let secs = (since.as_secs() + NTP_UNIX_SECS) as u32;
        let fraction = ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000) as u32;
        // RFC 3550, 6.4.1: no report blocks, 7 words.
        let mut packet = vec![0x80, 200, 0, 6];
        for word in [self.ssrc, secs, fraction, time, self.packets, self.bytes] {
            packet.extend(word.to_be_bytes());
        }
        packet
    }

    /// The end of the stream.
    pub(crate) fn bye(&self) -> Vec<u8> {
        let mut packet = vec![0x81, 203, 0, 1];
        packet.extend(self.ssrc.to_be_bytes());
        packet
    }
}

/// A NAL unit whole, or in fragments.
fn payloads(codec: Codec, nal: &[u8]) -> Vec<Vec<u8>> {
    if nal.len() <= PAYLOAD_BYTES_MAX {
        return vec![nal.to_vec()];
    }
    let (header, body) = nal.split_at(codec.header_bytes());
    let count = body.chunks(PAYLOAD_BYTES_MAX).len();
    let fragment = |(at, chunk): (usize, &[u8])| {
        let edge = u8::from(at == 0) << 7 | u8::from(at + 1 == count) << 6;
        let mut payload = match codec {
            Codec::H264 => vec![header[0] & 0xe0 | H264_FU_A, edge | header[0] & 0x1f],
            Codec::H265 => vec![header[0] & 0x81 | H265_FU << 1, header[1], edge | header[0] >> 1 & 0x3f],
        };
        payload.extend(chunk);
        payload
    };
    body.chunks(PAYLOAD_BYTES_MAX).enumerate().map(fragment).collect()
}

/// Whether a packet is the last fragment of a NAL unit.
pub(crate) fn ends_fragments(codec: Codec, packet: &[u8]) -> bool {
    let payload = packet.get(12..).unwrap_or_default();
    match codec {
        Codec::H264 => {
            payload.first().is_some_and(|b| b & 0x1f == H264_FU_A)
                && payload.get(1).is_some_and(|b| b & 0x40 != 0)
        }
        Codec::H265 => {
            payload.first().is_some_and(|b| b >> 1 & 0x3f == H265_FU)
                && payload.get(2).is_some_and(|b| b & 0x40 != 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_carry_the_whole_unit_once() {
        for (codec, header) in [(Codec::H264, vec![0x65]), (Codec::H265, vec![0x26, 0x01])] {
            let nal: Vec<u8> = header.iter().copied().chain((0..1234_u32).map(|n| n as u8)).collect();
            let mut sender = Sender::new(7, u16::MAX);
            let packets = sender.picture(codec, std::slice::from_ref(&nal), 5);
            let head = 12 + codec.header_bytes() + 1;
            let body: Vec<u8> = packets.iter().flat_map(|packet| packet[head..].to_vec()).collect();
            assert_eq!(body, nal[codec.header_bytes()..]);
            let markers: Vec<bool> = packets.iter().map(|packet| packet[1] & 0x80 != 0).collect();
            assert_eq!(markers, [false, false, true]);
            let ends: Vec<bool> = packets.iter().map(|packet| ends_fragments(codec, packet)).collect();
            assert_eq!(ends, [false, false, true]);
            assert_eq!(sender.sequence, 2, "it wraps");
        }
    }
}
