//! Who asks: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2069 without `qop`) in the words of RTSP.
//!
//! What comes in: a camera's challenge, an account. What goes out: the value of an `Authorization` header. Never: a
//! password anywhere else; Basic where the camera would take Digest.

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::Credentials;

/// How a camera wants the account told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Challenge {
    Basic,
    Digest(Asked),
}

/// The parameters of a digest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the camera wrote it.
    algorithm: Option<String>,
    is_sha256: bool,
    is_session: bool,
    has_qop: bool,
    count: u32,
}

impl Challenge {
    /// The best of what a camera takes; `None` where nothing of it is understood.
    pub(crate) fn best<'a>(offered: impl Iterator<Item = &'a str>) -> Option<Self> {
        let understood = offered.filter_map(|text| {
            let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
            match scheme.to_ascii_lowercase().as_str() {
                "basic" => Some(Self::Basic),
                "digest" => Asked::read(rest).map(Self::Digest),
                _ => None,
            }
        });
        understood.max_by_key(|challenge| match challenge {
            Self::Basic => 0,
            Self::Digest(asked) => 1 + u8::from(asked.is_sha256),
        })
    }

    /// The header's value for one request.
    pub(crate) fn answer(&mut self, who: &Credentials, method: &str, uri: &str) -> String {
        match self {
            Self::Basic => {
                format!("Basic {}", base64(format!("{}:{}", who.user, who.password.expose()).as_bytes()))
            }
            Self::Digest(asked) => asked.answer(who, method, uri, rand::random()),
        }
    }
}

impl Asked {
    fn read(text: &str) -> Option<Self> {
        let value = |name: &str| parameter(text, name);
        let algorithm = value("algorithm");
        let named = algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (hash, is_session) = match named.strip_suffix("-SESS") {
            Some(hash) => (hash, true),
            None => (named.as_str(), false),
        };
        let is_sha256 = match hash {
            "MD5" => false,
            "SHA-256" => true,
            _ => return None,
        };
        let qop = value("qop");
        if let Some(qop) = &qop
            && !qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"))
        {
            return None;
        }
        Some(Self {
            realm: value("realm").unwrap_or_default(),
            nonce: value("nonce")?,
            opaque: value("opaque"),
            algorithm,
            is_sha256,
            is_session,
            has_qop: qop.is_some(),
            count: 0,
        })
    }

    fn hash(&self, text: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_sha256 { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) }
    }

    fn answer(&mut self, who: &Credentials, method: &str, uri: &str, dice: u64) -> String {
        self.count += 1;
        let (count, own) = (format!("{:08x}", self.count), format!("{dice:016x}"));
        let Self { realm, nonce, .. } = &*self;
        let mut account = self.hash(&format!("{}:{realm}:{}", who.user, who.password.expose()));
        if self.is_session {
            account = self.hash(&format!("{account}:{nonce}:{own}"));
        }
        let what = self.hash(&format!("{method}:{uri}"));
        let response = if self.has_qop {
            self.hash(&format!("{account}:{nonce}:{count}:{own}:auth:{what}"))
        } else {
            self.hash(&format!("{account}:{nonce}:{what}"))
        };
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\"",
            who.user
        );
        if let Some(algorithm) = &self.algorithm {
            text += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            text += &format!(", opaque=\"{opaque}\"");
        }
        if self.has_qop {
            text += &format!(", qop=auth, nc={count}, cnonce=\"{own}\"");
        }
        text
    }
}

/// A parameter of a challenge, quoted or not.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = next;
    }
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// RFC 4648, 4; `None` where it is none.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0);
    for letter in text.trim().trim_end_matches('=').bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn mufasa(password: &str) -> Credentials {
        Credentials { user: "Mufasa".into(), password: Secret::new(password) }
    }

    #[test]
    fn the_examples_of_the_rfcs() {
        // RFC 2069, 2.4 as corrected by its erratum 749.
        let challenge = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                         opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let mut best = Challenge::best([challenge, "Basic realm=\"x\""].into_iter()).unwrap();
        let answer = best.answer(&mufasa("CircleOfLife"), "GET", "/dir/index.html");
        assert!(answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
        // RFC 7616, 3.9.1, both algorithms; the client's nonce is given there.
        let given = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let text = format!(
                "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let asked = Asked::read(&text).unwrap();
            let account = asked.hash("Mufasa:http-auth@example.org:Circle of Life");
            let what = asked.hash("GET:/dir/index.html");
            let told = asked.hash(&format!("{account}:{}:00000001:{given}:auth:{what}", asked.nonce));
            assert_eq!(told, response);
        }
    }

    #[test]
    fn what_is_not_understood_is_not_answered() {
        assert_eq!(
            Challenge::best(["NTLM", "Digest realm=\"x\", algorithm=MD5", "Bearer"].into_iter()),
            None
        );
        assert_eq!(Challenge::best(["Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\""].into_iter()), None);
        assert_eq!(Challenge::best(["basic"].into_iter()), Some(Challenge::Basic));
    }

    #[test]
    fn base64_goes_there_and_back() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base64("Z m"), None);
    }
}
