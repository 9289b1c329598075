//! The desk's memory: one SQLite file. In: checked cases and sightings. Out: cases as they stand. Every change is
//! one `BEGIN IMMEDIATE` transaction on the one writing connection, on disk before it is answered; nothing is
//! ever deleted.

mod access;
mod audit;
mod change;
mod read;
mod schema;

pub(crate) use audit::{Act, Actor};
pub use audit::{AuditEntry, AuditVerdict};

pub(crate) use change::{Ended, Posted, Seen};
pub(crate) use read::{Choices, Counts, Cursor, Filter, Operation, Page};

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqlitePool, Transaction};

use calib::time::Timestamp;
use logic::case::{Case, CaseState};

use crate::error::DeskError;

/// How long a request waits for the writer before it is told to come back.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Readers do not wait for the writer (WAL); four keep two cores busy.
const READERS_MAX: u32 = 4;

/// Both ends of the store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// One connection: changes go one after another.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens or makes the file and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, DeskError> {
        let writer = sqlite::open_writer(path, WAIT_MAX).await?;
        schema::migrate(&writer, path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(WAIT_MAX)
            .connect_with(sqlite::options(path, WAIT_MAX).read_only(true))
            .await?;
        Ok(Self { writer, readers })
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Whether a write reaches the disk now.
    pub(crate) async fn probe(&self) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE heartbeat SET at_ms = ? WHERE id = 1")
            .bind(now().as_millis())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Ends every connection; the write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The desk's own clock, for receipts. Times of a case come with the case.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The word for a state, in the store, in filters and in JSON.
pub(crate) const fn state_name(state: CaseState) -> &'static str {
    match state {
        CaseState::Reported => "reported",
        CaseState::Closed => "closed",
    }
}

/// A state by its word.
pub(crate) struct StateName(pub(crate) CaseState);

impl FromStr for StateName {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [CaseState::Reported, CaseState::Closed]
            .into_iter()
            .find(|state| state_name(*state) == text)
            .map(StateName)
            .ok_or(())
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn case_from_json(text: &str) -> Result<Case, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("desk.sqlite")).await.unwrap();
        for _ in 0..2 {
            let mut transaction = store.begin().await.unwrap();
            // As SQLite does where the disk is full.
            sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            assert!(transaction.commit().await.is_err());
            store.probe().await.unwrap();
        }
    }
}
