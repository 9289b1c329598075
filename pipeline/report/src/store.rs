//! The store: open and closed cases, which spot belongs to which, the outbox, the state of each watch and scene.
//!
//! In: decisions of `commit`, outcomes of the poster. Out: rows. Never: a half-done change (each is one
//! `BEGIN IMMEDIATE` transaction) and never an answer before the disk has it (WAL, `synchronous=FULL`).
//! One connection, so there is one writer and no lock order.

mod chain;
mod commit;
mod outbox;
mod refile;
mod retention;
mod schema;

use std::path::Path;
use std::time::Duration;

use calib::time::Timestamp;
use logic::case::Case;
use logic::finding::SpotId;
use logic::look::CameraId;
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqlitePool, Transaction};

pub use chain::ChainHead;
pub(crate) use chain::{ChainRow, Chained, Entered, KeptRow};
pub use commit::Committed;
pub(crate) use commit::{Commit, CommitKind, Decision};
pub use outbox::{DeadLetter, OutboxCounts, OutboxEntry, OutboxKind, OutboxState, Retry};
pub(crate) use outbox::{Heads, OutboxRow};
pub(crate) use retention::Closed;

use crate::error::ReportError;
use crate::vault::{Manifest, VaultRecord};
use schema::SCHEMA_VERSION;

/// The database's name in the folder.
const FILE: &str = "report.sqlite";
/// `shirong cases retry` may write beside the service; longer than it ever takes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The database of one folder.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

/// A case as the pipeline knows it, for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalCase {
    /// As it would be posted now: with the sightings and sources so far.
    pub case: Case,
    /// Whether findings still join it; `false` once the desk has said that it closed the case.
    pub open: bool,
}

impl Store {
    /// Opens or makes the database of a folder whose lock the caller holds.
    pub(crate) async fn open(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(FILE);
        let store = Self::make(&path).await.map_err(|e| damaged(&path, e))?;
        let said: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_all(&store.pool)
            .await
            .map_err(|e| damaged(&path, ReportError::store("check the database")(e)))?;
        if said != ["ok"] {
            return Err(ReportError::Damaged { path, said: said.join("; ") });
        }
        schema::migrate(&store, &path).await?;
        Ok(store)
    }

    /// Opens the database of a folder that a service may be running in, for lists and retries by hand.
    ///
    /// # Errors
    /// There is none, or it was written by a newer program.
    pub async fn open_beside(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(ReportError::NoStore { folder: folder.to_owned() });
        }
        let pool = sqlite::single(BUSY_TIMEOUT).connect_with(sqlite::options(&path, BUSY_TIMEOUT)).await;
        let store = Self { pool: pool.map_err(ReportError::store("open the database"))? };
        match schema::version(&store).await? {
            found if found > SCHEMA_VERSION => Err(schema::newer(path, found)),
            // Lists and retries use nothing that came later; only the service migrates.
            found if found >= 1 => Ok(store),
            _ => Err(ReportError::NoStore { folder: folder.to_owned() }),
        }
    }

    async fn make(path: &Path) -> Result<Self, ReportError> {
        let pool = sqlite::open_writer(path, BUSY_TIMEOUT).await;
        Ok(Self { pool: pool.map_err(ReportError::store("open the database to write"))? })
    }

    /// Ends all use and folds the write-ahead log into the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The write lock from the start, so that what is read in it is still true when it writes.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, ReportError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(ReportError::store("begin"))
    }

    /// Keeps the state of a camera's watch.
    ///
    /// # Errors
    /// The store's.
    pub async fn save_watch(&self, camera: &CameraId, json: &str, now: Timestamp) -> Result<(), ReportError> {
        let query = "INSERT INTO watch_state (camera, snapshot, at_ms) VALUES (?, ?, ?)
             ON CONFLICT (camera) DO UPDATE SET snapshot = excluded.snapshot, at_ms = excluded.at_ms";
        self.save_state(query, camera, json, now).await.map_err(ReportError::store("save a watch"))
    }

    /// Keeps the state of a camera's scene.
    ///
    /// # Errors
    /// The store's.
    pub async fn save_scene(&self, camera: &CameraId, json: &str, now: Timestamp) -> Result<(), ReportError> {
        let query = "INSERT INTO scene_state (camera, snapshot, at_ms) VALUES (?, ?, ?)
             ON CONFLICT (camera) DO UPDATE SET snapshot = excluded.snapshot, at_ms = excluded.at_ms";
        self.save_state(query, camera, json, now).await.map_err(ReportError::store("save a scene"))
    }

    async fn save_state(
        &self,
        query: &'static str,
        camera: &CameraId,
        json: &str,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let query = sqlx::query(query).bind(camera.as_str()).bind(json).bind(now.as_millis());
        query.execute(&self.pool).await.map(drop)
    }

    /// The state of a watch that was kept last.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_watch(&self, camera: &CameraId) -> Result<Option<String>, ReportError> {
        sqlx::query_scalar("SELECT snapshot FROM watch_state WHERE camera = ?")
            .bind(camera.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(ReportError::store("load a watch"))
    }

    /// The state of a scene that was kept last.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_scene(&self, camera: &CameraId) -> Result<Option<String>, ReportError> {
        sqlx::query_scalar("SELECT snapshot FROM scene_state WHERE camera = ?")
            .bind(camera.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(ReportError::store("load a scene"))
    }

    /// Every case, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn cases(&self) -> Result<Vec<LocalCase>, ReportError> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT body, state FROM cases ORDER BY case_id")
            .fetch_all(&self.pool)
            .await
            .map_err(ReportError::store("list the cases"))?;
        rows.iter()
            .map(|(body, state)| Ok(LocalCase { case: read_json("case", body)?, open: state == "open" }))
            .collect()
    }

    /// How many cases are open.
    ///
    /// # Errors
    /// The store's.
    pub async fn open_cases(&self) -> Result<u64, ReportError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM cases WHERE state = 'open'")
            .fetch_one(&self.pool)
            .await
            .map_err(ReportError::store("count the cases"))?;
        Ok(count.unsigned_abs())
    }

    /// The case of a spot, where it has one.
    pub(crate) async fn case_of_spot(
        &self,
        camera: &CameraId,
        spot: SpotId,
    ) -> Result<Option<String>, ReportError> {
        sqlx::query_scalar("SELECT case_id FROM spot_cases WHERE camera = ? AND spot = ?")
            .bind(camera.as_str())
            .bind(spot.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(ReportError::store("look up a spot"))
    }

    /// Cases whose manifest on disk is older than their pictures here.
    pub(crate) async fn manifests_due(&self) -> Result<Vec<String>, ReportError> {
        sqlx::query_scalar("SELECT case_id FROM cases WHERE manifest_due = 1 ORDER BY case_id")
            .fetch_all(&self.pool)
            .await
            .map_err(ReportError::store("list the manifests due"))
    }

    /// What a case's manifest is to say.
    pub(crate) async fn manifest(&self, case_id: &str) -> Result<Manifest, ReportError> {
        // Links first: a commit in between then shows as links that are missing, and is written again.
        let links = chain::links_of(&self.pool, case_id).await?;
        let records: Vec<String> =
            sqlx::query_scalar("SELECT record FROM case_pictures WHERE case_id = ? ORDER BY number")
                .bind(case_id)
                .fetch_all(&self.pool)
                .await
                .map_err(ReportError::store("read a case's pictures"))?;
        let pictures = records
            .iter()
            .map(|r| read_json::<VaultRecord>("picture record", r))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Manifest { case_id: case_id.to_owned(), pictures, links })
    }

    /// This manifest is on disk. `false` where more pictures came meanwhile, so that it is due again.
    pub(crate) async fn manifest_written(&self, manifest: &Manifest) -> Result<bool, ReportError> {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let due: Option<i64> = sqlx::query_scalar(
            "UPDATE cases SET manifest_due =
               ((SELECT count(*) FROM case_pictures WHERE case_id = ?1) <> ?2
                OR (SELECT count(*) FROM evidence_log WHERE case_id = ?1) <> ?3)
             WHERE case_id = ?1 RETURNING manifest_due",
        )
        .bind(&manifest.case_id)
        .bind(count(manifest.pictures.len()))
        .bind(count(manifest.links.len()))
        .fetch_optional(&self.pool)
        .await
        .map_err(ReportError::store("note a manifest as written"))?;
        Ok(due != Some(1))
    }
}

/// SQLite's word for a file that is none of its own, or not as it left it.
fn damaged(path: &Path, error: ReportError) -> ReportError {
    match &error {
        ReportError::Store { source, .. } if sqlite::is_damage(source) => {
            ReportError::Damaged { path: path.to_owned(), said: source.to_string() }
        }
        _ => error,
    }
}

async fn finish(tx: Transaction<'_, Sqlite>) -> Result<(), ReportError> {
    tx.commit().await.map_err(ReportError::store("commit"))
}

fn read_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, ReportError> {
    serde_json::from_str(text).map_err(|source| ReportError::StoredJson { what, source })
}

fn write_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, ReportError> {
    serde_json::to_string(value).map_err(|source| ReportError::NoJson { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(store: &Store, sql: &'static str) -> String {
        use sqlx::Row;
        let row = sqlx::query(sql).fetch_one(&store.pool).await.unwrap();
        row.try_get::<String, _>(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string())
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_does_not_stop_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        for _ in 0..2 {
            let mut tx = store.begin().await.unwrap();
            // As SQLite does where the disk is full.
            sqlx::raw_sql("ROLLBACK").execute(&mut *tx).await.unwrap();
            assert_eq!(finish(tx).await.unwrap_err().class(), crate::ErrorClass::Retry);
            finish(store.begin().await.unwrap()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_database_that_is_none_is_refused_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), b"not a database, and longer than its header: ".repeat(99))
            .unwrap();
        let refused = Store::open(dir.path()).await.unwrap_err();
        assert!(matches!(refused, ReportError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("report.sqlite"), "{refused}");
    }

    /// A page in the middle overwritten, as a bad disk does.
    #[tokio::test]
    async fn a_damaged_database_is_refused_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        store.close().await;
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3 * 4096..5 * 4096].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let refused = Store::open(dir.path()).await.unwrap_err();
        assert!(matches!(refused, ReportError::Damaged { .. }), "{refused}");
        assert_eq!(refused.class(), crate::ErrorClass::Reject);
    }

    #[tokio::test]
    async fn a_newer_store_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        sqlx::query("PRAGMA user_version = 99").execute(&store.pool).await.unwrap();
        store.close().await;
        for refused in [Store::open(dir.path()).await, Store::open_beside(dir.path()).await] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, ReportError::NewerSchema { found: 99, .. }), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_store_of_the_first_schema_is_brought_forward_and_can_be_listed_before() {
        let dir = tempfile::tempdir().unwrap();
        let old = Store::make(&dir.path().join(FILE)).await.unwrap();
        sqlx::raw_sql(schema::SCHEMA_1).execute(&old.pool).await.unwrap();
        sqlx::raw_sql(
            "INSERT INTO cases (case_id, state, standard_ref, code, opened_by_camera, opened_by_box, body,
               changed_at_ms) VALUES ('1', 'open', '', '', '', '', '', 0);
             INSERT INTO outbox (case_id, kind, key, body, evidence, added_at_ms, next_at_ms)
               VALUES ('1', 'sighting', 'k', '{}', '[]', 0, 0);",
        )
        .execute(&old.pool)
        .await
        .unwrap();
        old.close().await;
        let beside = Store::open_beside(dir.path()).await.unwrap();
        assert_eq!(beside.outbox(None).await.unwrap().len(), 1);
        beside.close().await;
        let store = Store::open(dir.path()).await.unwrap();
        assert_eq!(pragma(&store, "PRAGMA user_version").await, SCHEMA_VERSION.to_string());
        let heads = store.outbox_heads(9, Heads::All).await.unwrap();
        // It carries nothing, so that it can only be settled; the next look opens the case.
        let refused = store.settle_case_closed(heads[0].seq, "1", "closed", Timestamp::from_millis(5)).await;
        assert!(refused.unwrap().opened.is_empty());
        assert_eq!(store.open_cases().await.unwrap(), 0);
        assert_eq!(store.outbox_counts().await.unwrap().done, 1);
    }
}
