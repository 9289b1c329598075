//! Where the cases go, and the secret that opens the door.
//!
//! In: an address and a token as configured. Out: checked ones. Never: the token in a log, an error, a
//! `Debug` print or a URL.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::error::ReportError;

/// Text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be sent and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A desk: embedded or external, the contract is one.
#[derive(Debug, Clone)]
pub struct DeskTarget {
    base_url: Url,
    token: Secret,
}

impl DeskTarget {
    /// Checks the address and the token.
    ///
    /// # Errors
    /// Not `http` or `https`; a user, password, query or fragment in the address; a token that no header
    /// may carry.
    pub fn new(base_url: &str, token: Secret) -> Result<Self, ReportError> {
        let bad = |reason: &str| {
            // The address may hold a password: it is not repeated then.
            let address = if base_url.contains('@') { "…@…" } else { base_url };
            ReportError::DeskAddress { address: address.to_owned(), reason: reason.to_owned() }
        };
        let mut url = Url::parse(base_url)
            .map_err(|e| bad(&format!("{e}; write it like https://desk.example:8443")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad("write it like https://desk.example:8443"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("leave user and password out; the token is what opens the desk"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("leave out everything from `?` or `#` on"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        let target = Self { base_url: url, token };
        if target.token.expose().is_empty() {
            return Err(ReportError::DeskToken);
        }
        target.authorization()?;
        Ok(target)
    }

    /// The address, always ending in `/`.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// Whether the way there is plain HTTP.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.base_url.scheme() == "http"
    }

    /// The header's value, marked so that no client prints it.
    pub(crate) fn authorization(&self) -> Result<HeaderValue, ReportError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|_| ReportError::DeskToken)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// An address below the base; `path` has no leading slash and only URL-safe characters.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_never_printed() {
        let target = DeskTarget::new("https://desk.example/base", Secret::new("hunter2")).unwrap();
        let printed = format!("{target:?} {:?} {}", Secret::new("hunter2"), Secret::new("hunter2"));
        assert!(!printed.contains("hunter2") && printed.contains("***"), "{printed}");
        assert_eq!(format!("{:?}", target.authorization().unwrap()), "Sensitive");
        let refused = DeskTarget::new("https://u:hunter2@desk.example", Secret::new("x")).unwrap_err();
        assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    }

    #[test]
    fn addresses_are_checked_and_joined() {
        let url = |base: &str| DeskTarget::new(base, Secret::new("t")).map(|t| t.url("api/v1/cases"));
        assert_eq!(url("http://127.0.0.1:80").unwrap(), "http://127.0.0.1/api/v1/cases");
        assert_eq!(url("https://d.example/a/b").unwrap(), "https://d.example/a/b/api/v1/cases");
        for bad in ["desk", "ftp://d", "http://d/?q=1", "http://u@d/", "", "mailto:a@b"] {
            assert!(url(bad).is_err(), "{bad}");
        }
        for bad in ["", "a\nb"] {
            assert!(DeskTarget::new("http://d", Secret::new(bad)).is_err(), "{bad:?}");
        }
    }
}
