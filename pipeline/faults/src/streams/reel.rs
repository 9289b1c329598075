//! What a camera plays: the access units of an elementary stream, over and over.
//!
//! In: H.264 or H.265 with start codes and access unit delimiters (made by `samples/examples/reels.rs`). Out: NAL
//! units by picture. Never: a picture that refers to one outside its lap.

use std::time::Duration;

use anyhow::{Result, ensure};

/// What a reel is encoded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    H264,
    H265,
}

impl Codec {
    /// Bytes of a NAL unit's header.
    pub(crate) fn header_bytes(self) -> usize {
        match self {
            Self::H264 => 1,
            Self::H265 => 2,
        }
    }

    pub(crate) fn kind(self, nal: &[u8]) -> u8 {
        match self {
            Self::H264 => nal[0] & 0x1f,
            Self::H265 => nal[0] >> 1 & 0x3f,
        }
    }

    fn is_delimiter(self, nal: &[u8]) -> bool {
        matches!((self, self.kind(nal)), (Self::H264, 9) | (Self::H265, 35))
    }

    /// Sequence, picture and video parameter sets.
    pub(crate) fn is_parameters(self, nal: &[u8]) -> bool {
        matches!((self, self.kind(nal)), (Self::H264, 7 | 8) | (Self::H265, 32..=34))
    }

    fn is_key(self, nal: &[u8]) -> bool {
        matches!((self, self.kind(nal)), (Self::H264, 5) | (Self::H265, 16..=21))
    }
}

/// One picture.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) nals: Vec<Vec<u8>>,
    pub(crate) is_key: bool,
}

/// One lap.
#[derive(Debug)]
pub(crate) struct Reel {
    pub(crate) codec: Codec,
    pub(crate) units: Vec<Unit>,
    /// From picture to picture.
    pub(crate) step: Duration,
    /// Pictures from key frame to key frame.
    pub(crate) key_every: u64,
    /// Its first parameter sets, in their order.
    pub(crate) parameters: Vec<Vec<u8>>,
}

impl Reel {
    /// 320x180, 5 pictures a second, a key frame every 2 s.
    pub(crate) fn street() -> Result<Self> {
        Self::read(Codec::H264, include_bytes!("../../reels/street.h264"), 5)
    }

    /// The same street with other parameter sets: another profile, 4 pictures a second.
    pub(crate) fn other() -> Result<Self> {
        Self::read(Codec::H264, include_bytes!("../../reels/street-other.h264"), 4)
    }

    /// 640x360.
    pub(crate) fn large() -> Result<Self> {
        Self::read(Codec::H264, include_bytes!("../../reels/street-large.h264"), 5)
    }

    /// 320x180, 2 pictures a second, a key frame every 10 s.
    pub(crate) fn sparse() -> Result<Self> {
        Self::read(Codec::H264, include_bytes!("../../reels/street-sparse.h264"), 2)
    }

    /// As `street`, in H.265.
    pub(crate) fn h265() -> Result<Self> {
        Self::read(Codec::H265, include_bytes!("../../reels/street.h265"), 5)
    }

    fn read(codec: Codec, bytes: &[u8], fps: u32) -> Result<Self> {
        let mut units: Vec<Unit> = Vec::new();
        for nal in nals(bytes) {
            if codec.is_delimiter(nal) {
                units.push(Unit { nals: Vec::new(), is_key: false });
            } else if let Some(unit) = units.last_mut() {
                unit.is_key |= codec.is_key(nal);
                unit.nals.push(nal.to_vec());
            }
        }
        let is_key = |at: u64| units.get(at as usize).is_some_and(|unit| unit.is_key);
        let key_every = (1..units.len() as u64).find(|at| is_key(*at)).unwrap_or(units.len() as u64);
        ensure!(
            (0..units.len() as u64).all(|at| is_key(at) == at.is_multiple_of(key_every)),
            "a reel's key frames do not come evenly; make it anew: cargo run -p samples --example reels"
        );
        // A lap ends before a key frame.
        units.truncate(units.len() - units.len() % key_every as usize);
        let first = units.first().map(|unit| unit.nals.as_slice()).unwrap_or_default();
        let parameters: Vec<_> = first.iter().filter(|nal| codec.is_parameters(nal)).cloned().collect();
        ensure!(!parameters.is_empty(), "a reel without parameter sets or key frame");
        Ok(Self { codec, units, step: Duration::from_secs(1) / fps, key_every, parameters })
    }

    pub(crate) fn unit(&self, number: u64) -> &Unit {
        &self.units[(number % self.units.len() as u64) as usize]
    }
}

/// What lies between start codes.
fn nals(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at).collect();
    starts.push(bytes.len());
    let between: Vec<&[u8]> = starts
        .windows(2)
        .map(|pair| {
            let nal = &bytes[pair[0] + 3..pair[1]];
            let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            &nal[..end]
        })
        .filter(|nal| !nal.is_empty())
        .collect();
    between.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reels_are_what_their_names_say() {
        for (reel, key_every) in [
            (Reel::street(), 10),
            (Reel::other(), 8),
            (Reel::large(), 10),
            (Reel::sparse(), 20),
            (Reel::h265(), 10),
        ] {
            let reel = reel.unwrap();
            assert_eq!(reel.key_every, key_every);
            assert!(reel.units.len() >= 2 * key_every as usize, "{}", reel.units.len());
            assert!(reel.units.iter().all(|unit| !unit.nals.is_empty()));
        }
        assert_ne!(Reel::street().unwrap().parameters, Reel::other().unwrap().parameters);
    }

    #[test]
    fn start_codes_of_three_and_four_bytes_are_left_out() {
        let found: Vec<&[u8]> = nals(&[0, 0, 0, 1, 9, 16, 0, 0, 1, 5, 0, 7, 0, 0, 0, 1, 8]).collect();
        assert_eq!(found, [&[9, 16][..], &[5, 0, 7], &[8]]);
    }
}
