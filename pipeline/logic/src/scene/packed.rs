//! Planes of bytes made small enough to be kept on disk: near-lossless and as text.
//!
//! Each value is predicted from its left, upper and upper-left neighbours (the median edge detector of JPEG-LS,
//! ITU-T T.87 A.4), what is left over is written in Golomb-Rice codes whose parameter follows the running mean
//! (T.87 A.5, without contexts). A street at 320 pixels takes some two bits a pixel at step 2.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Unary part after which a value is written plainly.
const UNARY_MAX: u32 = 20;

/// A plane of bytes, packed. `step` is how far a value may be from the one that went in, plus one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Packed {
    width: usize,
    len: usize,
    step: u8,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    width: usize,
    len: usize,
    step: u8,
    data: String,
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = text_from_bytes(&self.bytes);
        Text { width: self.width, len: self.len, step: self.step, data }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text { width, len, step, data } = Text::deserialize(deserializer)?;
        let bytes = bytes_from_text(&data).ok_or_else(|| de::Error::custom("a packed plane is no base64"))?;
        // Each value takes a bit at least, so that a short text cannot ask for much memory.
        if width == 0 || step == 0 || len > bytes.len() * 8 {
            return Err(de::Error::custom("a packed plane is shorter than it claims"));
        }
        Ok(Self { width, len, step, bytes })
    }
}

impl Packed {
    /// Packs rows of `width` values.
    pub(super) fn from_plane(plane: &[u8], width: usize, step: u8) -> Self {
        let step = step.max(1);
        let mut writer = BitWriter::default();
        let coarse: Vec<i32> = plane.iter().map(|&value| i32::from(value / step)).collect();
        let mut rice = Rice::default();
        for at in 0..coarse.len() {
            rice.write(&mut writer, coarse[at] - predict(&coarse[..at], at, width));
        }
        Self { width, len: plane.len(), step, bytes: writer.finish() }
    }

    /// The plane; every value within `step` of what went in. `None` where the bytes are no packed plane.
    pub(super) fn to_plane(&self) -> Option<Vec<u8>> {
        let mut reader = BitReader { bytes: &self.bytes, at: 0 };
        let mut coarse: Vec<i32> = Vec::with_capacity(self.len);
        let mut rice = Rice::default();
        for at in 0..self.len {
            let value = predict(&coarse, at, self.width) + rice.read(&mut reader)?;
            if !(0..=255 / i32::from(self.step)).contains(&value) {
                return None;
            }
            coarse.push(value);
        }
        let middle = i32::from(self.step) / 2;
        Some(coarse.into_iter().map(|value| (value * i32::from(self.step) + middle).min(255) as u8).collect())
    }
}

fn predict(before: &[i32], at: usize, width: usize) -> i32 {
    let (is_first_row, is_first_col) = (at < width, at.is_multiple_of(width));
    match (is_first_row, is_first_col) {
        (true, true) => 0,
        (true, false) => before[at - 1],
        (false, true) => before[at - width],
        (false, false) => {
            let (left, above, corner) = (before[at - 1], before[at - width], before[at - width - 1]);
            let (low, high) = (left.min(above), left.max(above));
            if corner >= high {
                low
            } else if corner <= low {
                high
            } else {
                left + above - corner
            }
        }
    }
}

/// The running mean that chooses the parameter.
struct Rice {
    sum: u32,
    count: u32,
}

impl Default for Rice {
    fn default() -> Self {
        Self { sum: 4, count: 1 }
    }
}

impl Rice {
    fn parameter(&self) -> u32 {
        (0..8).find(|k| (self.count << k) >= self.sum).unwrap_or(8)
    }

    fn learn(&mut self, folded: u32) {
        self.sum += folded;
        self.count += 1;
        if self.count == 64 {
            self.sum = self.sum.div_ceil(2);
            self.count /= 2;
        }
    }

    fn write(&mut self, writer: &mut BitWriter, error: i32) {
        let folded = if error < 0 { (-2 * error - 1) as u32 } else { (2 * error) as u32 };
        let k = self.parameter();
        let unary = folded >> k;
        if unary < UNARY_MAX {
            writer.push(1, unary + 1);
            writer.push(folded & ((1 << k) - 1), k);
        } else {
            writer.push(1, UNARY_MAX + 1);
            writer.push(folded, 9);
        }
        self.learn(folded);
    }

    fn read(&mut self, reader: &mut BitReader<'_>) -> Option<i32> {
        let k = self.parameter();
        let mut unary = 0;
        while reader.bit()? == 0 {
            unary += 1;
            if unary > UNARY_MAX {
                return None;
            }
        }
        let folded = if unary < UNARY_MAX { (unary << k) | reader.bits(k)? } else { reader.bits(9)? };
        self.learn(folded);
        let half = (folded >> 1) as i32;
        Some(if folded & 1 == 1 { -half - 1 } else { half })
    }
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    held_bits: u32,
}

impl BitWriter {
    /// The lowest `count` bits of `value`, most significant first.
    fn push(&mut self, value: u32, count: u32) {
        self.held = (self.held << count) | u64::from(value);
        self.held_bits += count;
        while self.held_bits >= 8 {
            self.held_bits -= 8;
            self.bytes.push((self.held >> self.held_bits) as u8);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.held_bits > 0 {
            self.push(0, 8 - self.held_bits);
        }
        self.bytes
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = u32::from(byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(bit)
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some((value << 1) | self.bit()?))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648, section 4) without padding.
fn text_from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (i, &b)| bits | u32::from(b) << (16 - 8 * i));
        for i in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]));
        }
    }
    text
}

fn bytes_from_text(text: &str) -> Option<Vec<u8>> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (i, &c) in group.iter().enumerate() {
            bits |= u32::from(value(c)?) << (18 - 6 * i);
        }
        bytes.extend((1..group.len()).map(|i| (bits >> (24 - 8 * i)) as u8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plane_comes_back_within_its_step(
            plane in prop::collection::vec(any::<u8>(), 0..600), width in 1..40usize, step in 1..5u8,
        ) {
            let packed = Packed::from_plane(&plane, width, step);
            let text = serde_json::to_string(&packed).unwrap();
            let again: Packed = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&again, &packed);
            let back = again.to_plane().unwrap();
            prop_assert_eq!(back.len(), plane.len());
            for (&a, &b) in plane.iter().zip(&back) {
                prop_assert!(a.abs_diff(b) < step, "{} {}", a, b);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 1..9usize) {
            let len = bytes.len() * 8;
            let _ = Packed { width, len, step: 1, bytes }.to_plane();
        }
    }

    #[test]
    fn a_text_that_claims_more_than_it_has_is_refused() {
        let huge = r#"{"width":320,"len":4000000000,"step":1,"data":"AAAA"}"#;
        assert!(serde_json::from_str::<Packed>(huge).is_err());
    }
}
