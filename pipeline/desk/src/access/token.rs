//! Tokens: made, listed, revoked. In: a role, a name, grids. Out: a token in clear, once, and what is kept of it.
//! Never: a token of which more than the SHA-256 is kept. It has 256 random bits, so that a digest without salt
//! or stretching gives nothing away.

use std::path::Path;
use std::time::Duration;

use calib::time::Timestamp;
use serde::Serialize;

use super::Role;
use crate::error::DeskError;
use crate::sha::token_sha256;
use crate::store::{Actor, AuditEntry, AuditVerdict, Store, now};

/// Known to scanners of leaked secrets by its beginning.
const PREFIX: &str = "srg_";
/// Names and grids.
const TEXT_CHARS_MAX: usize = 200;
const GRIDS_MAX: usize = 64;
/// How long a login link waits to be followed.
pub(crate) const LINK_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whom it is for: a person, an office, a machine.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Responsibility grids that it is confined to; empty: all.
    pub grids: Vec<String>,
    /// After which it is worth nothing; absent: until it is revoked.
    pub lasts: Option<Duration>,
}

/// What is kept of a token.
#[derive(Debug, Clone, Serialize)]
pub struct TokenRow {
    /// For `revoke`, and what the audit log calls it.
    pub id: String,
    /// Whom it is for.
    pub name: String,
    /// What it may do.
    #[serde(serialize_with = "role_name")]
    pub role: Role,
    /// Responsibility grids that it is confined to; empty: all.
    pub grids: Vec<String>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

fn role_name<S: serde::Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.name())
}

impl TokenRow {
    /// Whether it opens anything at this instant.
    pub fn is_good(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}

/// Why a token is not made or taken back.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A name or a grid that is none.
    #[error("{what}; {mend}")]
    Invalid {
        /// What is wrong.
        what: String,
        /// What to write instead.
        mend: &'static str,
    },
    /// No such token, or it is the node's own.
    #[error("there is no token {0} to revoke; `shirong desk token list` shows them")]
    Unknown(String),
    /// The store.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl From<sqlx::Error> for TokenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Desk(DeskError::Store(error))
    }
}

/// 256 random bits as text.
pub(crate) fn random_text() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl NewToken {
    /// An unconfined token that does not end.
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        Self { name: name.into(), role, grids: Vec::new(), lasts: None }
    }

    fn check(&self) -> Result<(), TokenError> {
        let plain = |text: &str| {
            let length = text.chars().count();
            !text.trim().is_empty() && length <= TEXT_CHARS_MAX && !text.chars().any(char::is_control)
        };
        if !plain(&self.name) {
            let what = format!("the name `{}` is no name", self.name.escape_debug());
            return Err(TokenError::Invalid { what, mend: "write whom the token is for, on one line" });
        }
        if let Some(grid) = self.grids.iter().find(|grid| !plain(grid)) {
            let what = format!("the grid `{}` is no code", grid.escape_debug());
            return Err(TokenError::Invalid {
                what,
                mend: "write a responsibility grid's code, for instance LS-G-017",
            });
        }
        if self.grids.len() > GRIDS_MAX {
            let what = format!("{} grids are too many for one token", self.grids.len());
            return Err(TokenError::Invalid { what, mend: "give 64 at most, or leave them out for all" });
        }
        Ok(())
    }

    /// Keeps the digest; gives the token in clear, which nobody can ask for again, and its row.
    pub(crate) async fn issue(
        &self,
        store: &Store,
        actor: &Actor<'_>,
    ) -> Result<(String, TokenRow), TokenError> {
        self.check()?;
        let token = format!("{PREFIX}{}", random_text());
        let made_at = now();
        let lasts_ms = self.lasts.map(|lasts| i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let row = TokenRow {
            id: random_text()[..8].to_owned(),
            name: self.name.clone(),
            role: self.role,
            grids: self.grids.clone(),
            made_at,
            expires_at: lasts_ms.map(|ms| Timestamp::from_millis(made_at.as_millis().saturating_add(ms))),
            revoked_at: None,
        };
        store.keep_token(&row, &token_sha256(&token), actor).await?;
        Ok((token, row))
    }
}

/// The tokens and the audit log of a desk's folder, for the command line; also beside a desk that serves from it.
#[derive(Debug)]
pub struct TokenBook {
    store: Store,
    operator: String,
}

impl TokenBook {
    /// Opens or makes the desk's store.
    ///
    /// # Errors
    /// The folder cannot be written, the store is of a later program.
    pub async fn open(folder: &Path) -> Result<Self, DeskError> {
        std::fs::create_dir_all(folder).map_err(DeskError::folder("make", folder))?;
        let store = Store::open(&folder.join("desk.sqlite")).await?;
        Ok(Self { store, operator: operator() })
    }

    fn actor(&self) -> Actor<'_> {
        Actor { who: &self.operator, role: "terminal", address: "-" }
    }

    /// Makes a token; it is given in clear this once.
    ///
    /// # Errors
    /// A name or grid that is none; the store.
    pub async fn issue(&self, new: &NewToken) -> Result<(String, TokenRow), TokenError> {
        new.issue(&self.store, &self.actor()).await
    }

    /// Every token ever made, newest first.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self) -> Result<Vec<TokenRow>, TokenError> {
        Ok(self.store.tokens().await?)
    }

    /// Takes a token back; what it let in is out with the next request.
    ///
    /// # Errors
    /// There is none of this id that still stands; the store.
    pub async fn revoke(&self, id: &str) -> Result<(), TokenError> {
        if self.store.revoke_token(id, &self.actor()).await? {
            Ok(())
        } else {
            Err(TokenError::Unknown(id.to_owned()))
        }
    }

    /// Whether the audit log is whole.
    ///
    /// # Errors
    /// The store.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, TokenError> {
        Ok(self.store.verify_audit().await?)
    }

    /// The latest entries of the audit log, newest first.
    ///
    /// # Errors
    /// The store.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, TokenError> {
        Ok(self.store.audit_entries(limit).await?)
    }

    /// Ends the connections.
    pub async fn close(self) {
        self.store.close().await;
    }
}

/// Who sits at the terminal, as the system knows it.
fn operator() -> String {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").map(|of| of.uid().to_string());
    uid.map_or_else(|_| "operator".to_owned(), |uid| format!("uid {uid}"))
}
