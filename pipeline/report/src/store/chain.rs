//! The evidence log: what was kept as evidence of which case, each record naming the SHA-256 of the one before.
//!
//! In: the pictures of a commit, inside its transaction. Out: one record more; the log read back for
//! `vault verify`. Never: a record changed or taken out, and never evidence in the tables without its record:
//! so a changed byte, a missing file, a row that is gone and rows that were exchanged each contradict the log.
//!
//! A record's text is what is hashed, byte for byte as it is stored; number and previous hash stand inside it.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqlitePool};

use super::{Store, read_json, schema, write_json};
use crate::error::ReportError;
use crate::hash::{NotSha256, Sha256Hex};
use crate::vault::VaultRecord;

/// A record by its number, and its hash: written down elsewhere, it proves later that nothing up to it was
/// rewritten. Prints and reads as `NUMBER:SHA256`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Counted from 1, without gaps.
    pub number: i64,
    /// Of the record's text.
    pub sha256: Sha256Hex,
}

impl std::fmt::Display for ChainHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.number, self.sha256)
    }
}

impl std::str::FromStr for ChainHead {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, sha256) =
            text.split_once(':').ok_or("write it as NUMBER:SHA256, as verify prints it")?;
        let number = number.parse().map_err(|e| format!("`{number}` is no number: {e}"))?;
        let sha256 = sha256.to_owned().try_into().map_err(|e: NotSha256| e.to_string())?;
        Ok(Self { number, sha256 })
    }
}

/// How evidence came into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entered {
    /// With its commit.
    Committed,
    /// Kept by a program that had no log, and entered when the store was brought forward.
    Adopted,
    /// Not entered but erased: its files went since their time was over.
    Erased,
}

/// What is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chained {
    pub(crate) number: i64,
    /// Of the record before; `None` of the first.
    pub(crate) previous: Option<Sha256Hex>,
    pub(crate) at: Timestamp,
    pub(crate) case_id: String,
    pub(crate) entered: Entered,
    /// In the order of the case; none where the frame gave no picture.
    pub(crate) pictures: Vec<VaultRecord>,
}

/// A row of the log as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainRow {
    pub(crate) number: i64,
    pub(crate) case_id: String,
    pub(crate) record: String,
    pub(crate) sha256: String,
}

impl ChainRow {
    /// What it says, where it can be read.
    pub(crate) fn read(&self) -> Option<Chained> {
        serde_json::from_str(&self.record).ok()
    }
}

/// A picture row of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptRow {
    pub(crate) number: i64,
    /// `None` where the row does not read back.
    pub(crate) record: Option<VaultRecord>,
}

/// Adds a record, in the transaction that keeps the pictures.
pub(super) async fn append(
    tx: &mut SqliteConnection,
    case_id: &str,
    entered: Entered,
    pictures: &[VaultRecord],
    at: Timestamp,
) -> Result<(), ReportError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT number, sha256 FROM evidence_log ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await
            .map_err(ReportError::store("read the evidence log"))?;
    let (number, previous) = match last {
        Some((number, sha256)) => (number + 1, sha256.try_into().ok()),
        None => (1, None),
    };
    let chained =
        Chained { number, previous, at, case_id: case_id.to_owned(), entered, pictures: pictures.to_vec() };
    let record = write_json("evidence record", &chained)?;
    sqlx::query("INSERT INTO evidence_log (number, case_id, record, sha256) VALUES (?, ?, ?, ?)")
        .bind(number)
        .bind(case_id)
        .bind(&record)
        .bind(Sha256Hex::of(record.as_bytes()).as_str())
        .execute(tx)
        .await
        .map_err(ReportError::store("add to the evidence log"))?;
    Ok(())
}

/// Enters what an older program kept: one record a case, in the order of the cases.
pub(super) async fn adopt(tx: &mut SqliteConnection) -> Result<(), ReportError> {
    let cases: Vec<(String, i64)> =
        sqlx::query_as("SELECT case_id, changed_at_ms FROM cases ORDER BY case_id")
            .fetch_all(&mut *tx)
            .await
            .map_err(ReportError::store("list the cases"))?;
    for (case_id, changed_at_ms) in cases {
        let records: Vec<String> =
            sqlx::query_scalar("SELECT record FROM case_pictures WHERE case_id = ? ORDER BY number")
                .bind(&case_id)
                .fetch_all(&mut *tx)
                .await
                .map_err(ReportError::store("read a case's pictures"))?;
        let pictures = records
            .iter()
            .map(|r| read_json("picture record", r))
            .collect::<Result<Vec<VaultRecord>, _>>()?;
        append(tx, &case_id, Entered::Adopted, &pictures, Timestamp::from_millis(changed_at_ms)).await?;
    }
    Ok(())
}

/// The records of a case by number and hash, for its manifest.
pub(super) async fn links_of(pool: &SqlitePool, case_id: &str) -> Result<Vec<ChainHead>, ReportError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT number, sha256 FROM evidence_log WHERE case_id = ? ORDER BY number")
            .bind(case_id)
            .fetch_all(pool)
            .await
            .map_err(ReportError::store("read the evidence log"))?;
    // One that is no hash is a finding of `verify`, not a reason to leave the manifest out.
    let links = rows
        .into_iter()
        .filter_map(|(number, sha256)| Some(ChainHead { number, sha256: sha256.try_into().ok()? }));
    Ok(links.collect())
}

type RowFields = (i64, String, String, String);

fn row((number, case_id, record, sha256): RowFields) -> ChainRow {
    ChainRow { number, case_id, record, sha256 }
}

impl Store {
    /// Whether the database has the log: one that the service has not brought forward has none.
    pub(crate) async fn has_chain(&self) -> Result<bool, ReportError> {
        Ok(schema::version(self).await? >= schema::WITH_CHAIN)
    }

    /// The log behind a number, in order.
    pub(crate) async fn chain_after(&self, number: i64, limit: u32) -> Result<Vec<ChainRow>, ReportError> {
        let rows: Vec<RowFields> = sqlx::query_as(
            "SELECT number, case_id, record, sha256 FROM evidence_log WHERE number > ? ORDER BY number LIMIT ?",
        )
        .bind(number)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("read the evidence log"))?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// The log of one case.
    pub(crate) async fn chain_of(&self, case_id: &str) -> Result<Vec<ChainRow>, ReportError> {
        let rows: Vec<RowFields> = sqlx::query_as(
            "SELECT number, case_id, record, sha256 FROM evidence_log WHERE case_id = ? ORDER BY number",
        )
        .bind(case_id)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("read the evidence log"))?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// The pictures of one case as the tables have them.
    pub(crate) async fn kept_of(&self, case_id: &str) -> Result<Vec<KeptRow>, ReportError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT number, record FROM case_pictures WHERE case_id = ? ORDER BY number")
                .bind(case_id)
                .fetch_all(&self.pool)
                .await
                .map_err(ReportError::store("read a case's pictures"))?;
        let kept = rows
            .into_iter()
            .map(|(number, text)| KeptRow { number, record: serde_json::from_str(&text).ok() });
        Ok(kept.collect())
    }

    /// Ids of cases behind one, in order; also of those that only the log knows.
    pub(crate) async fn case_ids_after(&self, case_id: &str, limit: u32) -> Result<Vec<String>, ReportError> {
        sqlx::query_scalar(
            "SELECT case_id FROM cases WHERE case_id > ?1
             UNION SELECT case_id FROM evidence_log WHERE case_id > ?1 ORDER BY 1 LIMIT ?2",
        )
        .bind(case_id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("list the cases"))
    }

    /// Whether a case is there, and whether its manifest on disk is known to be older than it.
    pub(crate) async fn manifest_due(&self, case_id: &str) -> Result<Option<bool>, ReportError> {
        sqlx::query_scalar("SELECT manifest_due FROM cases WHERE case_id = ?")
            .bind(case_id)
            .fetch_optional(&self.pool)
            .await
            .map_err(ReportError::store("look up a case"))
    }

    /// How many cases and records there are.
    pub(crate) async fn chain_size(&self) -> Result<(u64, u64), ReportError> {
        let (cases, records): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM cases), (SELECT count(*) FROM evidence_log)")
                .fetch_one(&self.pool)
                .await
                .map_err(ReportError::store("count the evidence log"))?;
        Ok((cases.unsigned_abs(), records.unsigned_abs()))
    }
}
