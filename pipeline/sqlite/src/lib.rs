//! A SQLite file as a store opens it that may lose nothing and may be killed or run out of disk at any instant.
//!
//! In: a path. Out: connections on which a commit is on the disk when it returns, and a copy of the file before its
//! schema is brought forward. Never: a table, a query; those are each store's own.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

/// How the file is opened: write-ahead log, `synchronous=FULL` (with NORMAL a power cut could take what was answered),
/// foreign keys; another process's lock is waited for `wait_max`.
pub fn options(path: &Path, wait_max: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(wait_max)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

/// One connection, kept for good: one writer, and no lock order.
pub fn single(wait_max: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(wait_max)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|connection, _| Box::pin(is_between_transactions(connection)))
}

/// The writing end of a file, which is made where there is none.
///
/// # Errors
/// SQLite's own, at once: the pool alone would try until its deadline and say that.
pub async fn open_writer(path: &Path, wait_max: Duration) -> Result<SqlitePool, sqlx::Error> {
    let options = options(path, wait_max).create_if_missing(true);
    let mut first = SqliteConnection::connect_with(&options).await?;
    writes(&mut first).await?;
    first.close().await?;
    single(wait_max).after_connect(|connection, _| Box::pin(writes(connection))).connect_with(options).await
}

/// The schema's version that the file says it has (`PRAGMA user_version`); 0 for a new one.
///
/// # Errors
/// SQLite's own.
pub async fn version(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await
}

/// Why no copy was kept.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file could not be written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Disk {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// SQLite said no.
    #[error("cannot copy the database before it is brought forward: {0}")]
    Store(#[from] sqlx::Error),
}

/// Keeps the database as it is, write-ahead log included, as `NAME.sqlite.schema-FOUND` beside it: on the disk when
/// this returns. One of an earlier try that came to nothing is written anew, since the database may have changed
/// since under the older program.
///
/// # Errors
/// The disk's, SQLite's.
pub async fn keep_copy(pool: &SqlitePool, path: &Path, found: i64) -> Result<PathBuf, CopyError> {
    let copy = path.with_extension(format!("sqlite.schema-{found}"));
    let fresh = copy.with_extension(format!("schema-{found}.new"));
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(disk("remove", &fresh)(e)),
        _ => {}
    }
    let name = fresh.to_str().ok_or_else(|| {
        disk("write", &fresh)(std::io::Error::new(ErrorKind::InvalidFilename, "the path is no UTF-8"))
    })?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(pool).await?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(disk("flush", &fresh))?;
    fs::rename(&fresh, &copy).map_err(disk("rename to", &copy))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk("flush", folder))?;
    Ok(copy)
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Disk { action, path, source }
}

/// A full disk makes SQLite end a transaction by itself; the ROLLBACK that follows then fails, and the connection
/// counts as inside a transaction for ever, in which none begins. Such a one is closed and another opened.
async fn is_between_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Behind what was asked of it before, a rollback among it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Where a file cannot be opened to write at that moment, SQLite opens it to read, for good and without a
/// word; a BEGIN IMMEDIATE there succeeds. Nothing of this reaches the disk.
async fn writes(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("BEGIN IMMEDIATE; CREATE TABLE can_write (n INTEGER); ROLLBACK")
        .execute(connection)
        .await
        .map(drop)
}

/// Whether SQLite says that a file is none of its own, or not as it left it.
pub fn is_damage(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(said) = error else { return false };
    said.code().is_some_and(|code| matches!(code.as_ref(), "11" | "26" | "267" | "523" | "779"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(5);

    async fn word(pool: &SqlitePool, sql: &'static str) -> String {
        use sqlx::Row;
        let row = sqlx::query(sql).fetch_one(pool).await.unwrap();
        row.try_get::<String, _>(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string())
    }

    #[tokio::test]
    async fn a_commit_is_on_the_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let pool = open_writer(&folder.path().join("a.sqlite"), WAIT_MAX).await.unwrap();
        assert_eq!(word(&pool, "PRAGMA journal_mode").await, "wal");
        assert_eq!(word(&pool, "PRAGMA synchronous").await, "2", "FULL");
        assert_eq!(word(&pool, "PRAGMA foreign_keys").await, "1");
    }

    #[tokio::test]
    async fn a_connection_that_can_only_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        open_writer(&path, WAIT_MAX).await.unwrap().close().await;
        let reads = options(&path, WAIT_MAX).read_only(true);
        assert!(writes(&mut SqliteConnection::connect_with(&reads).await.unwrap()).await.is_err());
        let pool = open_writer(&path, WAIT_MAX).await.unwrap();
        let left = "SELECT count(*) FROM sqlite_schema WHERE name = 'can_write'";
        assert_eq!(word(&pool, left).await, "0");
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let pool = open_writer(&folder.path().join("a.sqlite"), WAIT_MAX).await.unwrap();
        for _ in 0..2 {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            // As SQLite does where the disk is full.
            sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            assert!(transaction.commit().await.is_err());
            pool.begin_with("BEGIN IMMEDIATE").await.unwrap().commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_copy_holds_what_the_log_still_held_and_takes_an_older_ones_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let pool = open_writer(&path, WAIT_MAX).await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (n INTEGER); PRAGMA user_version = 3").execute(&pool).await.unwrap();
        for rows in ["1", "2"] {
            sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&pool).await.unwrap();
            let copy = keep_copy(&pool, &path, 3).await.unwrap();
            assert_eq!(copy.file_name().unwrap(), "a.sqlite.schema-3");
            let kept = open_writer(&copy, WAIT_MAX).await.unwrap();
            assert_eq!(word(&kept, "SELECT count(*) FROM t").await, rows);
            assert_eq!(version(&kept).await.unwrap(), 3);
            kept.close().await;
        }
    }
}
