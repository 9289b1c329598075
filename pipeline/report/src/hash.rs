//! SHA-256 of evidence, as the lower-case hex that names files, URIs and manifests.
//!
//! In: bytes, or text that claims to be a digest. Out: [`Sha256Hex`]. Never: anything else as a file name.

use std::fmt;
use std::io::{ErrorKind, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

/// Text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no SHA-256 in lower-case hex")]
pub struct NotSha256(String);

impl Sha256Hex {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_digest(&Sha256::digest(bytes))
    }

    /// The digest of what a reader gives, and how many bytes that were.
    pub(crate) fn of_reader(reader: &mut impl Read) -> std::io::Result<(Self, u64)> {
        let (mut hasher, mut length) = (Sha256::new(), 0);
        let mut chunk = [0; 64 * 1024];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok((Self::of_digest(&hasher.finalize()), length)),
                Ok(read) => {
                    hasher.update(&chunk[..read]);
                    length += read as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn of_digest(digest: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(64);
        for byte in digest {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Self(hex)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = NotSha256;
    fn try_from(text: String) -> Result<Self, NotSha256> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(NotSha256(text)) }
    }
}

impl From<Sha256Hex> for String {
    fn from(hash: Sha256Hex) -> Self {
        hash.0
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of `abc` is printed in FIPS 180-2, appendix B.1.
    #[test]
    fn the_standards_example_and_nothing_else_parses() {
        let abc = Sha256Hex::of(b"abc");
        assert_eq!(abc.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Sha256Hex::try_from(abc.to_string()).unwrap(), abc);
        assert!(Sha256Hex::try_from("../../etc/passwd".to_owned()).is_err());
        assert!(Sha256Hex::try_from(abc.to_string().to_uppercase()).is_err());
    }
}
