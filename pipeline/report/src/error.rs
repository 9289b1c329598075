//! Everything that can go wrong here, and what the caller is to do about it.
//!
//! In: the failures of disk, SQLite, pictures and configuration. Out: one enum with its context and a
//! class. Never: a log line; whoever handles the error writes it once.

use std::path::{Path, PathBuf};

/// What the caller is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same call may succeed later: disk full, database busy. Nothing was half done.
    Retry,
    /// The input or the configuration is at fault; the same call will fail again.
    Reject,
    /// An invariant of this crate is broken, or its files were altered by something else.
    Bug,
}

/// Why the report stage could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Disk {
        /// What was tried, as a verb: `write`, `rename`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another service holds the folder.
    #[error("`{}` is in use by another service (its lock file is held); stop that one or give this one a folder of its own", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder without a store where one was expected.
    #[error("there is no store in `{}`; run the service once, or name the folder it runs in", folder.display())]
    NoStore {
        /// The folder.
        folder: PathBuf,
    },
    /// The store was written by a newer program.
    #[error("`{}` has schema {found}, this program knows up to {known}; use the newer program", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// The newest one that this program can read.
        known: i64,
    },
    /// The store was written by an older program and has no evidence log yet.
    #[error("`{}` is of an older program and has no evidence log; start the service once, which brings it forward and keeps a copy", path.display())]
    NoEvidenceLog {
        /// The folder.
        path: PathBuf,
    },
    /// The database is not as it was written.
    #[error("`{}` is damaged ({said}); put a backup in its place, or move the folder away to begin anew: the desk keeps what it has, and what stands in the street is found again", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// SQLite's first finding.
        said: String,
    },
    /// SQLite said no.
    #[error("store: cannot {action}: {source}")]
    Store {
        /// What was tried, as a verb.
        action: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The database could not be copied before its schema was brought forward.
    #[error("store: {0}")]
    Copy(#[from] sqlite::CopyError),
    /// A row of the store does not read as what was written there.
    #[error("store: {what} does not read back: {source}")]
    StoredJson {
        /// Which value.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A value that has no JSON.
    #[error("{what} has no JSON: {source}")]
    NoJson {
        /// Which value.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A camera id that cannot name a folder.
    #[error(
        "camera id `{0}` cannot name a folder; use letters, digits, `-`, `_` and `.`, not starting with `.`"
    )]
    CameraName(String),
    /// An instant that has no calendar day.
    #[error("time {0} ms since 1970 lies outside the calendar")]
    NoCalendarDay(i64),
    /// The desk's address cannot be used.
    #[error("desk address `{address}`: {reason}")]
    DeskAddress {
        /// As given.
        address: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The desk's token cannot be sent in a header.
    #[error("the desk's token is empty or has characters that no HTTP header may carry")]
    DeskToken,
    /// The HTTP client could not be built.
    #[error("cannot set up HTTP: {0}")]
    Http(#[source] reqwest::Error),
    /// A blocking task of this crate panicked or was cancelled by the end of the runtime.
    #[error("a disk task ended early: {0}")]
    Task(#[source] tokio::task::JoinError),
}

impl ReportError {
    /// What the caller is to do.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Disk { .. } | Self::Copy(_) => ErrorClass::Retry,
            Self::Store { source, .. } => match source {
                sqlx::Error::Database(_)
                | sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => ErrorClass::Retry,
                _ => ErrorClass::Bug,
            },
            Self::FolderInUse { .. }
            | Self::NoStore { .. }
            | Self::NewerSchema { .. }
            | Self::NoEvidenceLog { .. }
            | Self::Damaged { .. }
            | Self::CameraName(_)
            | Self::NoCalendarDay(_)
            | Self::DeskAddress { .. }
            | Self::DeskToken
            | Self::Http(_)
            | Self::NoJson { .. } => ErrorClass::Reject,
            Self::StoredJson { .. } | Self::Task(_) => ErrorClass::Bug,
        }
    }

    /// A disk failure with its path.
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }

    /// A store failure with what was tried.
    pub(crate) fn store(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Store { action, source }
    }
}
