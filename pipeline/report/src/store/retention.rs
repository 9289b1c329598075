//! Rows of retention: which cases' evidence may go, and that it went.
//!
//! In: times. Out: cases, and the files that no other case names. Never: a row of a case taken out: what was found,
//! when and where stays, and so does the log.

use calib::time::Timestamp;

use super::chain::{self, Entered};
use super::{Store, finish, read_json, refile};
use crate::error::ReportError;
use crate::vault::VaultRecord;

/// A closed case whose evidence is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) case_id: String,
    /// The matter's code.
    pub(crate) code: String,
    /// When it was closed, as far as this store knows.
    pub(crate) changed_at: Timestamp,
}

impl Store {
    /// Open cases of which nothing was heard since `quiet_since`, those first that were asked after longest ago.
    pub(crate) async fn cases_to_ask_after(
        &self,
        quiet_since: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, ReportError> {
        sqlx::query_scalar(
            "SELECT case_id FROM cases WHERE state = 'open' AND max(changed_at_ms, asked_at_ms) < ?1
             ORDER BY asked_at_ms, case_id LIMIT ?2",
        )
        .bind(quiet_since.as_millis())
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("list the open cases"))
    }

    /// The desk was asked after a case and has closed it, or has not.
    pub(crate) async fn note_asked(
        &self,
        case_id: &str,
        is_closed: bool,
        now: Timestamp,
    ) -> Result<(), ReportError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE cases SET asked_at_ms = ? WHERE case_id = ?")
            .bind(now.as_millis())
            .bind(case_id)
            .execute(&mut *tx)
            .await
            .map_err(ReportError::store("note a question"))?;
        if is_closed {
            refile::close_case(&mut tx, case_id, now).await?;
        }
        finish(tx).await
    }

    /// Closed cases that did not change since `before`, of which nothing is still to be told, and whose evidence is
    /// there; oldest first.
    pub(crate) async fn closed_before(
        &self,
        before: Timestamp,
        after: Option<&Closed>,
        limit: u32,
    ) -> Result<Vec<Closed>, ReportError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT case_id, code, changed_at_ms FROM cases
             WHERE state = 'closed' AND erased_at_ms IS NULL AND changed_at_ms < ?1
               AND (changed_at_ms, case_id) > (?2, ?3)
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.case_id = cases.case_id AND state <> 'done')
             ORDER BY changed_at_ms, case_id LIMIT ?4",
        )
        .bind(before.as_millis())
        .bind(after.map_or(i64::MIN, |closed| closed.changed_at.as_millis()))
        .bind(after.map_or("", |closed| closed.case_id.as_str()))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("list the closed cases"))?;
        let closed = rows.into_iter().map(|(case_id, code, changed_at_ms)| Closed {
            case_id,
            code,
            changed_at: Timestamp::from_millis(changed_at_ms),
        });
        Ok(closed.collect())
    }

    /// Enters into the log that a case's evidence goes. `false` where the case is open again, has something to be
    /// told, or was entered before: then nothing was changed.
    pub(crate) async fn begin_erasing(&self, case_id: &str, now: Timestamp) -> Result<bool, ReportError> {
        let mut tx = self.begin().await?;
        let marked = sqlx::query(
            "UPDATE cases SET erased_at_ms = ?1, erase_due = 1, manifest_due = 1
             WHERE case_id = ?2 AND state = 'closed' AND erased_at_ms IS NULL
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE case_id = ?2 AND state <> 'done')",
        )
        .bind(now.as_millis())
        .bind(case_id)
        .execute(&mut *tx)
        .await
        .map_err(ReportError::store("mark evidence as erased"))?;
        if marked.rows_affected() == 0 {
            return Ok(false);
        }
        let records: Vec<String> =
            sqlx::query_scalar("SELECT record FROM case_pictures WHERE case_id = ? ORDER BY number")
                .bind(case_id)
                .fetch_all(&mut *tx)
                .await
                .map_err(ReportError::store("read a case's pictures"))?;
        let pictures = records
            .iter()
            .map(|record| read_json("picture record", record))
            .collect::<Result<Vec<VaultRecord>, _>>()?;
        chain::append(&mut tx, case_id, Entered::Erased, &pictures, now).await?;
        sqlx::query("DELETE FROM picture_files WHERE case_id = ?")
            .bind(case_id)
            .execute(&mut *tx)
            .await
            .map_err(ReportError::store("let go of a case's files"))?;
        finish(tx).await?;
        Ok(true)
    }

    /// Cases whose evidence was entered as erased, with files that may still be there.
    pub(crate) async fn erase_due(&self) -> Result<Vec<String>, ReportError> {
        sqlx::query_scalar("SELECT case_id FROM cases WHERE erase_due = 1 ORDER BY case_id")
            .fetch_all(&self.pool)
            .await
            .map_err(ReportError::store("list what is to be erased"))
    }

    /// Whether any case still shows a file.
    pub(crate) async fn is_shown(&self, sha256: &str) -> Result<bool, ReportError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM picture_files WHERE sha256 = ?)")
            .bind(sha256)
            .fetch_one(&self.pool)
            .await
            .map_err(ReportError::store("look up a file"))
    }

    /// A case's files are gone from the disk.
    pub(crate) async fn erased(&self, case_id: &str) -> Result<(), ReportError> {
        sqlx::query("UPDATE cases SET erase_due = 0 WHERE case_id = ?")
            .bind(case_id)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(ReportError::store("note evidence as erased"))
    }
}
