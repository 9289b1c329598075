//! RTP packets to access units (RFC 6184 for H.264, RFC 7798 for H.265), key frames whole and delta units as sizes.
//!
//! What comes in: packets of one stream in the order of their arrival. What goes out: every unit with its size and
//! time; the bytes of key frames, with start codes and their parameter sets. Never: a copy of a delta unit, unless they
//! are asked for; a unit of which packets are missing called whole.

use crate::decode::{Codec, Nal};

const START: [u8; 4] = [0, 0, 0, 1];
/// A key frame that grows over this is none that a camera sends.
const UNIT_BYTES_MAX: usize = 16 << 20;
/// A parameter set that is longer is none.
const SET_BYTES_MAX: usize = 4 << 10;
/// H.264 knows two kinds of parameter sets, H.265 a third.
const SETS: usize = 3;

/// One access unit.
#[derive(Debug, PartialEq)]
pub(crate) struct Access {
    /// Its bytes, where it arrived whole and is a key frame or deltas are kept.
    pub(crate) data: Option<Vec<u8>>,
    /// It stands alone.
    pub(crate) is_key: bool,
    /// Packets of it are missing.
    pub(crate) is_damaged: bool,
    /// How large it is.
    pub(crate) bytes: usize,
    /// Its RTP time.
    pub(crate) rtp: u32,
    /// When its first packet arrived, nanoseconds since 1970.
    pub(crate) receipt_ns: i64,
}

/// A unit that is being put together.
#[derive(Debug)]
struct Building {
    rtp: u32,
    receipt_ns: i64,
    bytes: usize,
    /// What it is, once its first slice has come.
    is_key: Option<bool>,
    is_damaged: bool,
    data: Vec<u8>,
    /// Which parameter sets stand in it.
    has: [bool; SETS],
}

/// The stream of one connection.
#[derive(Debug)]
pub(crate) struct Depay {
    codec: Codec,
    payload_type: u8,
    keeps_deltas: bool,
    sets: [Option<Vec<u8>>; SETS],
    building: Option<Building>,
    last: Option<u16>,
    /// Size of the latest key frame, for the next one's allocation.
    key_bytes: usize,
}

impl Depay {
    /// `sets` are parameter sets that the description held.
    pub(crate) fn new(codec: Codec, payload_type: u8, sets: Vec<Vec<u8>>) -> Self {
        let mut depay = Self {
            codec,
            payload_type,
            keeps_deltas: false,
            sets: Default::default(),
            building: None,
            last: None,
            key_bytes: 0,
        };
        for set in sets {
            if let Nal::Set(kind) = codec.nal(&set)
                && set.len() <= SET_BYTES_MAX
            {
                depay.sets[kind] = Some(set);
            }
        }
        depay
    }

    /// Delta units come with their bytes, too.
    pub(crate) fn keep_deltas(&mut self) {
        self.keeps_deltas = true;
    }

    /// Takes one packet; `out` gets the units that it ends: none, one, or two where a marker was missing.
    pub(crate) fn push(&mut self, packet: &[u8], receipt_ns: i64, out: &mut impl FnMut(Access)) {
        let Some(Rtp { payload_type, sequence, rtp, is_last, payload }) = Rtp::read(packet) else { return };
        if payload_type != self.payload_type {
            return;
        }
        let is_gap = self.last.replace(sequence).is_some_and(|last| sequence != last.wrapping_add(1));
        if self.building.as_ref().is_some_and(|unit| unit.rtp != rtp) {
            // Without its marker: what is missing may be its end.
            self.end(is_gap, out);
        }
        let data = Vec::new();
        let new = || Building {
            rtp,
            receipt_ns,
            bytes: 0,
            is_key: None,
            is_damaged: false,
            data,
            has: [false; SETS],
        };
        self.building.get_or_insert_with(new).is_damaged |= is_gap;
        match self.codec {
            Codec::H264 => self.h264(payload),
            Codec::H265 => self.h265(payload),
        }
        // Some cameras mark their parameter sets too.
        if is_last && self.building.as_ref().is_some_and(|unit| unit.is_key.is_some() || unit.is_damaged) {
            self.end(false, out);
        }
    }

    fn end(&mut self, is_gap: bool, out: &mut impl FnMut(Access)) {
        let Some(unit) = self.building.take() else { return };
        let Some(is_key) = unit.is_key.or(unit.is_damaged.then_some(false)) else { return };
        let is_damaged = unit.is_damaged || is_gap;
        if is_key {
            self.key_bytes = unit.data.len();
        }
        let mut data = ((is_key || self.keeps_deltas) && !is_damaged).then_some(unit.data);
        if let (Some(data), true) = (&mut data, self.keeps_deltas) {
            // They are kept for a while, as large as they have grown.
            data.shrink_to_fit();
        }
        let Building { rtp, receipt_ns, bytes, .. } = unit;
        out(Access { data, is_key, is_damaged, bytes, rtp, receipt_ns });
    }

    fn h264(&mut self, payload: &[u8]) {
        let Some(&first) = payload.first() else { return };
        match first & 0x1f {
            1..=23 => self.whole(payload),
            // STAP-A
            24 => self.several(&payload[1..]),
            // FU-A
            28 => {
                let Some(&[_, fragment, ref rest @ ..]) = payload.get(..) else { return self.damage() };
                let header = [first & 0xe0 | fragment & 0x1f];
                self.part(fragment & 0x80 != 0, &header, rest);
            }
            _ => self.damage(),
        }
    }

    fn h265(&mut self, payload: &[u8]) {
        let &[first, second, ref rest @ ..] = payload else { return };
        match (first >> 1) & 0x3f {
            0..=47 => self.whole(payload),
            // AP
            48 => self.several(rest),
            // FU
            49 => {
                let &[fragment, ref rest @ ..] = rest else { return self.damage() };
                let header = [first & 0x81 | (fragment & 0x3f) << 1, second];
                self.part(fragment & 0x80 != 0, &header, rest);
            }
            _ => self.damage(),
        }
    }

    fn damage(&mut self) {
        if let Some(unit) = &mut self.building {
            unit.is_damaged = true;
        }
    }

    /// Several NAL units, each behind its length.
    fn several(&mut self, mut rest: &[u8]) {
        while let &[high, low, ref after @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some((one, after)) = after.split_at_checked(length) else { return self.damage() };
            self.whole(one);
            rest = after;
        }
    }

    fn whole(&mut self, unit: &[u8]) {
        if let Nal::Set(kind) = self.codec.nal(unit)
            && unit.len() <= SET_BYTES_MAX
            && self.sets[kind].as_deref() != Some(unit)
        {
            self.sets[kind] = Some(unit.to_vec());
        }
        self.begin(unit, &[]);
    }

    /// A part of a NAL unit.
    fn part(&mut self, is_first: bool, header: &[u8], rest: &[u8]) {
        if is_first {
            self.begin(header, rest);
        } else {
            self.add(rest);
        }
    }

    /// The beginning of a NAL unit, header first.
    fn begin(&mut self, head: &[u8], rest: &[u8]) {
        let is_set_in = self.building.as_ref().is_some_and(|unit| unit.has.contains(&true));
        let kind = match self.codec.nal(head) {
            Nal::Delta
                if self.codec == Codec::H264
                    && is_set_in
                    && is_intra(if rest.is_empty() { &head[1..] } else { rest }) =>
            {
                Nal::Key
            }
            kind => kind,
        };
        let Some(unit) = &mut self.building else { return };
        match kind {
            Nal::Set(at) => unit.has[at] = true,
            Nal::Delta if unit.is_key.is_none() => {
                unit.is_key = Some(false);
                if !self.keeps_deltas {
                    unit.data = Vec::new();
                }
            }
            Nal::Key if unit.is_key.is_none() => {
                unit.is_key = Some(true);
                unit.data.reserve(self.key_bytes + self.key_bytes / 4 + head.len() + rest.len());
                for (set, has) in self.sets.iter().zip(unit.has) {
                    if let (Some(set), false) = (set, has) {
                        unit.data.extend_from_slice(&START);
                        unit.data.extend_from_slice(set);
                    }
                }
            }
            _ => {}
        }
        self.add(&START);
        self.add(head);
        self.add(rest);
    }

    fn add(&mut self, bytes: &[u8]) {
        let Some(unit) = &mut self.building else { return };
        unit.bytes += bytes.len();
        if unit.is_key == Some(false) && !self.keeps_deltas || unit.is_damaged {
            return;
        }
        if unit.data.len() + bytes.len() > UNIT_BYTES_MAX {
            unit.is_damaged = true;
            unit.data = Vec::new();
            return;
        }
        unit.data.extend_from_slice(bytes);
    }
}

/// Whether an H.264 slice is of an intra picture, by its header (7.3.3): some cameras send these, after parameter sets,
/// where others send instantaneous refreshes.
fn is_intra(slice: &[u8]) -> bool {
    let mut at = 0;
    let bit = |at: &mut usize| {
        let byte = slice.get(*at / 8).copied()?;
        let bit = byte >> (7 - *at % 8) & 1;
        *at += 1;
        Some(bit)
    };
    let mut number = || {
        let mut zeros = 0;
        while bit(&mut at)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1_u64;
        for _ in 0..zeros {
            value = value << 1 | u64::from(bit(&mut at)?);
        }
        Some(value - 1)
    };
    let (_first_macroblock, kind) = (number(), number());
    matches!(kind, Some(2 | 7))
}

/// What is read of an RTP packet (RFC 3550, 5.1).
struct Rtp<'p> {
    payload_type: u8,
    sequence: u16,
    rtp: u32,
    is_last: bool,
    payload: &'p [u8],
}

impl<'p> Rtp<'p> {
    fn read(packet: &'p [u8]) -> Option<Self> {
        let &[first, second, high, low, a, b, c, d, _, _, _, _, ref rest @ ..] = packet else { return None };
        if first >> 6 != 2 {
            return None;
        }
        let mut payload = rest.get(4 * usize::from(first & 0x0f)..)?;
        if first & 0x10 != 0 {
            let &[_, _, high, low, ref rest @ ..] = payload else { return None };
            payload = rest.get(4 * usize::from(u16::from_be_bytes([high, low]))..)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Some(Self {
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([high, low]),
            rtp: u32::from_be_bytes([a, b, c, d]),
            is_last: second & 0x80 != 0,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 1, 2];
    const PPS: &[u8] = &[0x68, 3];

    struct Sender {
        sequence: u16,
        taken: Vec<Access>,
        depay: Depay,
    }

    impl Sender {
        fn new(codec: Codec, sets: &[&[u8]]) -> Self {
            let depay = Depay::new(codec, 96, sets.iter().map(|set| set.to_vec()).collect());
            Self { sequence: 65_534, taken: Vec::new(), depay }
        }

        fn send(&mut self, rtp: u32, is_last: bool, payload: &[u8]) {
            let mut packet = vec![0x80, 96 | u8::from(is_last) << 7];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend(rtp.to_be_bytes());
            packet.extend([0, 0, 0, 1]);
            packet.extend(payload);
            self.sequence = self.sequence.wrapping_add(1);
            self.depay.push(&packet, i64::from(rtp), &mut |unit| self.taken.push(unit));
        }
    }

    fn with_codes(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| START.iter().chain(*unit).copied()).collect()
    }

    #[test]
    fn a_key_frame_stands_alone_however_it_is_sent() {
        // Sets of the description; a fragmented slice; two slices.
        let mut sender = Sender::new(Codec::H264, &[SPS, PPS]);
        sender.send(1, false, &[0x7c, 0x85, 10, 11]);
        sender.send(1, false, &[0x7c, 0x05, 12]);
        sender.send(1, false, &[0x7c, 0x45, 13]);
        sender.send(1, true, &[0x65, 20]);
        // A delta unit; then one whose sets are in the stream, in one packet, marked as if they were a unit.
        sender.send(2, true, &[0x41, 0x9a, 1, 2]);
        sender.send(3, true, &[0x78, 0, 3, 0x67, 9, 9, 0, 2, 0x68, 8]);
        sender.send(3, true, &[0x65, 30]);
        let [first, delta, second] = &sender.taken[..] else { panic!("{:?}", sender.taken) };
        assert_eq!(
            first.data.as_ref().unwrap(),
            &with_codes(&[SPS, PPS, &[0x65, 10, 11, 12, 13], &[0x65, 20]])
        );
        assert_eq!((delta.is_key, delta.bytes, delta.data.is_none(), delta.rtp), (false, 8, true, 2));
        assert_eq!(second.data.as_ref().unwrap(), &with_codes(&[&[0x67, 9, 9], &[0x68, 8], &[0x65, 30]]));
        assert_eq!((second.receipt_ns, second.is_damaged), (3, false));
    }

    #[test]
    fn an_intra_picture_behind_its_sets_is_a_key_frame() {
        let mut sender = Sender::new(Codec::H264, &[]);
        for (rtp, slice) in [(1, [0x41, 0b1000_1000]), (2, [0x41, 0b1001_1000])] {
            sender.send(rtp, false, SPS);
            sender.send(rtp, true, &slice);
        }
        // First macroblock 0; slice type 7 and 5.
        let keys: Vec<bool> = sender.taken.iter().map(|unit| unit.is_key).collect();
        assert_eq!(keys, [true, false]);
    }

    #[test]
    fn h265_fragments_and_aggregates() {
        let mut sender = Sender::new(Codec::H265, &[]);
        let (vps, sps, pps) = ([0x40, 1, 7], [0x42, 1, 8], [0x44, 1, 9]);
        let mut sets = vec![0x60, 1];
        for set in [vps, sps, pps] {
            sets.extend([0, 3]);
            sets.extend(set);
        }
        sender.send(1, false, &sets);
        sender.send(1, false, &[0x62, 1, 0x80 | 19, 5, 5]);
        sender.send(1, true, &[0x62, 1, 0x40 | 19, 6]);
        sender.send(2, true, &[0x02, 1, 4]);
        let [key, delta] = &sender.taken[..] else { panic!("{:?}", sender.taken) };
        assert_eq!(key.data.as_ref().unwrap(), &with_codes(&[&vps, &sps, &pps, &[0x26, 1, 5, 5, 6]]));
        assert!(!delta.is_key);
    }

    #[test]
    fn a_delta_unit_comes_whole_where_it_is_asked_for() {
        let mut sender = Sender::new(Codec::H264, &[SPS, PPS]);
        sender.depay.keep_deltas();
        sender.send(1, true, &[0x65, 20]);
        sender.send(2, false, &[0x06, 5]);
        sender.send(2, true, &[0x41, 0x9a, 1]);
        sender.send(3, false, &[0x5c, 0x81, 7]);
        sender.sequence = sender.sequence.wrapping_add(1);
        sender.send(3, true, &[0x5c, 0x41, 9]);
        let [key, delta, broken] = &sender.taken[..] else { panic!("{:?}", sender.taken) };
        assert_eq!(key.data.as_ref().unwrap(), &with_codes(&[SPS, PPS, &[0x65, 20]]));
        assert_eq!(delta.data.as_ref().unwrap(), &with_codes(&[&[0x06, 5], &[0x41, 0x9a, 1]]));
        assert_eq!((delta.is_key, delta.bytes), (false, 13));
        assert_eq!((broken.is_damaged, &broken.data), (true, &None));
    }

    #[test]
    fn what_is_missing_damages_both_sides_and_a_lost_marker_ends_a_unit_all_the_same() {
        let mut sender = Sender::new(Codec::H264, &[SPS, PPS]);
        sender.send(1, false, &[0x7c, 0x85, 1]);
        sender.sequence = sender.sequence.wrapping_add(1);
        sender.send(2, false, &[0x65, 2]);
        sender.send(3, true, &[0x65, 3]);
        sender.sequence = sender.sequence.wrapping_add(1);
        sender.send(4, true, &[0x41, 4]);
        sender.send(5, true, &[0x65, 5]);
        let told: Vec<_> =
            sender.taken.iter().map(|unit| (unit.rtp, unit.is_damaged, unit.data.is_some())).collect();
        assert_eq!(
            told,
            [(1, true, false), (2, true, false), (3, false, true), (4, true, false), (5, false, true)]
        );
    }

    #[test]
    fn no_packet_is_too_odd() {
        for codec in [Codec::H264, Codec::H265] {
            let mut sender = Sender::new(codec, &[]);
            for length in 0..6 {
                for byte in 0..=255 {
                    sender.send(u32::from(byte), byte % 3 == 0, &vec![byte; length]);
                }
            }
            let mut out = |_| ();
            for first in 0..=255 {
                sender.depay.push(&[first; 16], 0, &mut out);
                sender.depay.push(&[first; 5], 0, &mut out);
            }
        }
    }
}
