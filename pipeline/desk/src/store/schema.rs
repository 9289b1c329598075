//! The tables, as steps that are only ever added to. In: a file of any earlier version. Out: a file of this one, and
//! a copy of it as it was (`desk.sqlite.schema-N`). Never backwards: a file from a later program is refused untouched.

use std::path::Path;

use sqlx::SqlitePool;

use crate::error::DeskError;

/// Step N brings `user_version` from N to N + 1. A step that was released is never edited.
const STEPS: &[&str] = &[
    "CREATE TABLE cases (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id TEXT NOT NULL UNIQUE,
    idempotency_key TEXT NOT NULL UNIQUE,
    body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
    state TEXT NOT NULL,
    standard_ref TEXT NOT NULL,
    matter_code TEXT NOT NULL,
    matter_name TEXT NOT NULL,
    unit_grid TEXT,
    responsibility_grid TEXT,
    confirmed_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    posted TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX cases_newest ON cases (confirmed_ms DESC, seq DESC);
CREATE INDEX cases_state ON cases (state, confirmed_ms DESC, seq DESC);
CREATE INDEX cases_matter ON cases (matter_code, confirmed_ms DESC, seq DESC);
CREATE INDEX cases_unit_grid ON cases (unit_grid);
CREATE INDEX cases_responsibility_grid ON cases (responsibility_grid);

CREATE TABLE sources (
    case_seq INTEGER NOT NULL REFERENCES cases (seq),
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    zone TEXT,
    preset TEXT
) STRICT;
CREATE INDEX sources_case ON sources (case_seq);
CREATE INDEX sources_id ON sources (id, case_seq);

CREATE TABLE sightings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL UNIQUE,
    case_seq INTEGER NOT NULL REFERENCES cases (seq),
    body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
    at_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    posted TEXT NOT NULL
) STRICT;
CREATE INDEX sightings_case ON sightings (case_seq);

-- Every piece that ever came with a case, also those that a later one took the place of.
CREATE TABLE evidence (
    case_seq INTEGER NOT NULL REFERENCES cases (seq),
    sighting_seq INTEGER REFERENCES sightings (seq),
    role TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    captured_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_case ON evidence (case_seq);
CREATE INDEX evidence_sha256 ON evidence (sha256);

-- What was done, in order; only ever appended to.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    case_seq INTEGER REFERENCES cases (seq),
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX log_case ON log (case_seq);
CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps_words BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE heartbeat (id INTEGER PRIMARY KEY CHECK (id = 1), at_ms INTEGER NOT NULL) STRICT;
INSERT INTO heartbeat VALUES (1, 0);",
    // Who may come in, and what was done.
    "CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    grids TEXT NOT NULL,
    lookup INTEGER NOT NULL,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
) STRICT;
CREATE INDEX tokens_lookup ON tokens (lookup);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    address TEXT NOT NULL,
    what TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;",
];

/// Brings the file to this program's version, each step in one transaction, none before the copy is on disk.
pub(super) async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), DeskError> {
    let known = STEPS.len() as i64;
    let found = sqlite::version(writer).await?;
    if found > known {
        return Err(DeskError::StoreNewer { found, known });
    }
    if (1..known).contains(&found) {
        let copy = sqlite::keep_copy(writer, path, found).await?;
        tracing::info!(copy = %copy.display(), "the desk's store was copied before it is brought forward");
    }
    for (version, step) in STEPS.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        // `shirong desk token` may open the file in the same moment as the desk.
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        if found > version as i64 {
            continue;
        }
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        // A pragma takes no bound values; the number is our own.
        let stamp = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", version + 1));
        sqlx::raw_sql(stamp).execute(&mut *transaction).await?;
        transaction.commit().await?;
        tracing::info!(version = version + 1, "the desk's store was brought to a new version");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[tokio::test]
    async fn a_later_programs_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.sqlite");
        let store = Store::open(&path).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 99").execute(&store.writer).await.unwrap();
        store.close().await;
        let error = Store::open(&path).await.unwrap_err();
        assert!(matches!(error, DeskError::StoreNewer { found: 99, .. }), "{error}");
    }

    #[tokio::test]
    async fn the_log_cannot_be_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("desk.sqlite")).await.unwrap();
        let run = |sql: &'static str| sqlx::raw_sql(sql).execute(&store.writer);
        run("INSERT INTO log (at_ms, what, detail) VALUES (1, 'opened', '{}')").await.unwrap();
        assert!(run("UPDATE log SET what = 'nothing'").await.is_err());
        assert!(run("DELETE FROM log").await.is_err());
    }

    #[tokio::test]
    async fn an_older_desks_file_is_copied_before_it_is_brought_forward() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.sqlite");
        let wait_max = std::time::Duration::from_secs(5);
        let old = sqlite::open_writer(&path, wait_max).await.unwrap();
        sqlx::raw_sql(STEPS[0]).execute(&old).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 1; UPDATE heartbeat SET at_ms = 7").execute(&old).await.unwrap();
        old.close().await;
        let store = Store::open(&path).await.unwrap();
        assert_eq!(sqlite::version(&store.writer).await.unwrap(), STEPS.len() as i64);
        let copy = sqlite::open_writer(&folder.path().join("desk.sqlite.schema-1"), wait_max).await.unwrap();
        assert_eq!(sqlite::version(&copy).await.unwrap(), 1);
        let at: i64 = sqlx::query_scalar("SELECT at_ms FROM heartbeat").fetch_one(&copy).await.unwrap();
        assert_eq!(at, 7);
    }
}
