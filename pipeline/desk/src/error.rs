//! What can go wrong. In: failures of disk, store and callers. Out: [`DeskError`] for the program that starts
//! the desk, [`Refusal`] for a caller over HTTP. A refusal never carries the inside of the store.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why the desk does not open or stops serving.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Another process holds the folder.
    #[error("the desk's folder {} is in use by another process; stop that one or give this one its own folder", .0.display())]
    FolderInUse(PathBuf),
    /// The folder cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    Folder {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; is the port taken or the address of another machine?")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// A later version of the desk wrote this store.
    #[error("the store is of version {found}, this program knows {known}; start the newer program")]
    StoreNewer {
        /// `user_version` of the file.
        found: i64,
        /// What this program migrates to.
        known: i64,
    },
    /// The local clock's offset is no offset.
    #[error("utc_offset_minutes is {0}; write minutes ahead of UTC between -1080 and 1080, 480 for China")]
    UtcOffset(i32),
    /// The certificate or its key is none.
    #[error("cannot serve TLS with {}: {what}", path.display())]
    Tls {
        /// Which file.
        path: PathBuf,
        /// The reason; never a key.
        what: String,
    },
    /// SQLite refused.
    #[error("the desk's store failed")]
    Store(#[from] sqlx::Error),
    /// The store could not be copied before its schema was brought forward.
    #[error("the desk's store: {0}")]
    Copy(#[from] sqlite::CopyError),
    /// The server's socket failed.
    #[error("the desk stopped serving")]
    Serve(#[source] std::io::Error),
}

impl DeskError {
    /// For `map_err` on a file operation.
    pub(crate) fn folder(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> DeskError {
        let path = path.into();
        move |source| DeskError::Folder { what, path, source }
    }
}

/// One thing that a caller has to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// For programs: one word of a closed set, for instance `invalid`, `case_closed`.
    pub(crate) code: &'static str,
    /// Where, as a path into the body, a header or a query parameter; null where it is the whole request.
    pub(crate) field: Option<String>,
    /// What is wrong.
    pub(crate) what: String,
    /// What to write or do instead.
    pub(crate) mend: String,
}

impl Fault {
    /// A wrong value in a field.
    pub(crate) fn invalid(
        field: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { code: "invalid", field: Some(field.into()), what: what.into(), mend: mend.into() }
    }
}

/// An answer that is not success: a status and what to mend, in one JSON shape for every route.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    faults: Vec<Fault>,
    /// When it may come again, where the status is one that says so.
    retry_after_secs: u64,
}

/// Long enough for a burst to be over.
const RETRY_AFTER_SECS: u64 = 2;

#[derive(Serialize)]
struct RefusalBody<'a> {
    errors: &'a [Fault],
}

impl Refusal {
    /// One fault about the request as a whole.
    pub(crate) fn of(status: StatusCode, code: &'static str, what: &str, mend: &str) -> Self {
        let fault = Fault { code, field: None, what: what.to_owned(), mend: mend.to_owned() };
        Self { status, faults: vec![fault], retry_after_secs: RETRY_AFTER_SECS }
    }

    /// One fault in one field.
    pub(crate) fn field(
        status: StatusCode,
        code: &'static str,
        field: &str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let fault = Fault { code, field: Some(field.to_owned()), what: what.into(), mend: mend.into() };
        Self { status, faults: vec![fault], retry_after_secs: RETRY_AFTER_SECS }
    }

    /// Every fault of a body that was understood.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, faults, retry_after_secs: RETRY_AFTER_SECS }
    }

    /// Every fault of a query.
    pub(crate) fn bad_query(faults: Vec<Fault>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, faults, retry_after_secs: RETRY_AFTER_SECS }
    }

    /// No case has this id.
    pub(crate) fn no_such_case() -> Self {
        Self::of(
            StatusCode::NOT_FOUND,
            "no_such_case",
            "no case has this id",
            "post the case before its sightings, or look the id up under /api/v1/cases",
        )
    }

    /// A person has closed the case; `mend` is what the caller may do instead.
    pub(crate) fn case_closed(mend: &str) -> Self {
        Self::of(StatusCode::CONFLICT, "case_closed", "a person has closed the case", mend)
    }

    /// Too often; come back after `wait`.
    pub(crate) fn too_many(wait: std::time::Duration) -> Self {
        let mut refusal = Self::of(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many",
            "more requests came than are let through",
            "wait as long as Retry-After says",
        );
        refusal.retry_after_secs = wait.as_secs().saturating_add(1).min(3600);
        refusal
    }

    /// Something inside failed: logged here, not told.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed inside the desk");
        Self::of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the desk failed inside",
            "try again later; the desk's log says why",
        )
    }

    /// The faults, for the page to show.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The status, for the page to answer with.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

/// An error and all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        // The writer is taken for longer than its waiting time: the caller may come back.
        if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) {
            tracing::warn!(error = %error, "a request gave up waiting for the store");
            return Self::of(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "the desk is busy",
                "try again shortly",
            );
        }
        // SQLITE_FULL = 13.
        let full = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "13");
        if full { Self::disk_full(&error) } else { Self::internal(&error) }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::disk_full(&error),
            _ => Self::internal(&error),
        }
    }
}

impl Refusal {
    fn disk_full(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "the desk's disk is full");
        Self::of(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk_full",
            "the desk's disk is full",
            "make room; try again later",
        )
    }
}

impl Refusal {
    /// The headers that go with the status.
    pub(crate) fn put_headers(&self, headers: &mut HeaderMap) {
        if self.status == StatusCode::UNAUTHORIZED {
            headers
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"shirong desk\""));
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_secs));
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(RefusalBody { errors: &self.faults })).into_response();
        self.put_headers(response.headers_mut());
        response
    }
}
