//! The tables, as steps that are only ever added to, and the way forward through them.
//!
//! In: a database of any earlier version. Out: one of this version, each step in one transaction, with a copy
//! of the database as it was beside it (`report.sqlite.schema-N`). Never: backwards, and never a step before
//! the copy is on disk.

use std::path::{Path, PathBuf};

use super::{Store, chain, finish};
use crate::error::ReportError;

/// Newest schema that this program knows.
pub(super) const SCHEMA_VERSION: i64 = 5;
/// The first that has the evidence log.
pub(super) const WITH_CHAIN: i64 = 4;

pub(super) const SCHEMA_1: &str = "
CREATE TABLE cases (
  case_id TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  standard_ref TEXT NOT NULL,
  code TEXT NOT NULL,
  opened_by_camera TEXT NOT NULL,
  opened_by_box TEXT NOT NULL,
  body TEXT NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  manifest_due INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX cases_by_matter ON cases (standard_ref, code, state, changed_at_ms);
CREATE TABLE spot_cases (
  camera TEXT NOT NULL,
  spot TEXT NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (case_id),
  last_at_ms INTEGER NOT NULL,
  PRIMARY KEY (camera, spot)
) STRICT, WITHOUT ROWID;
CREATE TABLE case_pictures (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  case_id TEXT NOT NULL REFERENCES cases (case_id),
  record TEXT NOT NULL
) STRICT;
CREATE INDEX case_pictures_by_case ON case_pictures (case_id, number);
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  case_id TEXT NOT NULL REFERENCES cases (case_id),
  kind TEXT NOT NULL CHECK (kind IN ('case', 'sighting')),
  key TEXT NOT NULL UNIQUE,
  body TEXT NOT NULL,
  evidence TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  added_at_ms INTEGER NOT NULL,
  next_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
  last_error TEXT
) STRICT;
CREATE INDEX outbox_undone_by_case ON outbox (case_id, seq) WHERE state <> 'done';
CREATE INDEX outbox_by_state ON outbox (state, added_at_ms);
CREATE INDEX outbox_due ON outbox (next_at_ms, seq) WHERE state = 'pending';
CREATE TABLE watch_state (
  camera TEXT PRIMARY KEY,
  snapshot TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// A sighting carries what its finding would need to open a case (see `refile`); older rows carry nothing.
const SCHEMA_2: &str = "
ALTER TABLE outbox ADD COLUMN carried TEXT;
PRAGMA user_version = 2;
";
/// What a camera's view normally looks like, beside its watch: large, and written seldom.
const SCHEMA_3: &str = "
CREATE TABLE scene_state (
  camera TEXT PRIMARY KEY,
  snapshot TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 3;
";
/// What was kept as evidence, record after record (see `chain`).
const SCHEMA_4: &str = "
CREATE TABLE evidence_log (
  number INTEGER PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (case_id),
  record TEXT NOT NULL,
  sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_log_by_case ON evidence_log (case_id, number);
CREATE TRIGGER evidence_log_keeps_rows BEFORE DELETE ON evidence_log
  BEGIN SELECT RAISE(ABORT, 'the evidence log is append-only'); END;
CREATE TRIGGER evidence_log_keeps_words BEFORE UPDATE ON evidence_log
  BEGIN SELECT RAISE(ABORT, 'the evidence log is append-only'); END;
PRAGMA user_version = 4;
";
/// Which case shows which file, whose evidence was erased (see `retention`), and where a case lies.
const SCHEMA_5: &str = "
CREATE TABLE picture_files (
  sha256 TEXT NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (case_id),
  PRIMARY KEY (sha256, case_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX picture_files_by_case ON picture_files (case_id);
INSERT OR IGNORE INTO picture_files
  SELECT json_extract(record, '$.original_sha256'), case_id FROM case_pictures WHERE json_valid(record)
    AND json_extract(record, '$.original_sha256') IS NOT NULL
  UNION
  SELECT json_extract(record, '$.copy_sha256'), case_id FROM case_pictures WHERE json_valid(record)
    AND json_extract(record, '$.copy_sha256') IS NOT NULL;
ALTER TABLE cases ADD COLUMN asked_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN erased_at_ms INTEGER;
ALTER TABLE cases ADD COLUMN erase_due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN lat REAL;
ALTER TABLE cases ADD COLUMN lon REAL;
UPDATE cases SET lat = json_extract(body, '$.location.lat'), lon = json_extract(body, '$.location.lon')
  WHERE json_valid(body);
CREATE INDEX cases_by_place ON cases (standard_ref, code, state, lat);
CREATE INDEX cases_by_opener ON cases (standard_ref, code, state, opened_by_camera);
CREATE INDEX cases_by_state ON cases (state, changed_at_ms, case_id);
CREATE INDEX cases_erase_due ON cases (case_id) WHERE erase_due = 1;
PRAGMA user_version = 5;
";
/// From each version to the next. A step that was released is never edited.
const SCHEMAS: [&str; SCHEMA_VERSION as usize] = [SCHEMA_1, SCHEMA_2, SCHEMA_3, SCHEMA_4, SCHEMA_5];

pub(super) async fn version(store: &Store) -> Result<i64, ReportError> {
    sqlite::version(&store.pool).await.map_err(ReportError::store("read the schema version"))
}

pub(super) async fn migrate(store: &Store, path: &Path) -> Result<(), ReportError> {
    let found = version(store).await?;
    if found > SCHEMA_VERSION {
        return Err(newer(path.to_owned(), found));
    }
    if (1..SCHEMA_VERSION).contains(&found) {
        sqlite::keep_copy(&store.pool, path, found).await?;
    }
    let applied = usize::try_from(found).unwrap_or(0);
    for (schema, reached) in SCHEMAS.into_iter().zip(1..).skip(applied) {
        let mut tx = store.begin().await?;
        sqlx::raw_sql(schema).execute(&mut *tx).await.map_err(ReportError::store("make the tables"))?;
        if reached == WITH_CHAIN {
            chain::adopt(&mut tx).await?;
        }
        finish(tx).await?;
    }
    Ok(())
}

pub(super) fn newer(path: PathBuf, found: i64) -> ReportError {
    ReportError::NewerSchema { path, found, known: SCHEMA_VERSION }
}
