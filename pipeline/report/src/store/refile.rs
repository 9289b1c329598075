//! A sighting that the desk refuses because its case is closed: its finding finds another home.
//!
//! The desk closes a case without a word, so this side learns of it by the refusal, when the finding has
//! long been judged a sighting. Each sighting row therefore carries its finding. In the one transaction
//! that marks the case closed, the refused row and those of the same case queued behind it go, in order:
//!
//! | the row's finding | becomes |
//! |---|---|
//! | its spot has an open case by now | a sighting of that |
//! | is about an open case (`logic::dedupe`) | a sighting of that |
//! | is about none | a new case, linked to the closed one; its spot belongs to it from now on |
//!
//! What a confirmed finding carries is all that its case would show. A seen one carries its whole view
//! alone, which then stands as the confirming view: crop and annotated copy of every look of every spot
//! would be too dear for what is hardly ever needed.
//!
//! In: a refusal. Out: a closed case, rows for others. Never: a finding that is settled and told nowhere.
//! A row made before rows carried anything is settled; the next look at its spot opens the case.

use calib::time::Timestamp;
use logic::case::{Case, CaseState, EvidenceRole, ModelRef};
use logic::dedupe::{Verdict, judge};
use logic::finding::Finding;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use tracing::error;

use super::commit::{Commit, CommitKind, Committed, add_sighting, cases_of_matter, open_case, spot_case};
use super::{Store, finish, read_json, write_json};
use crate::error::ReportError;
use crate::vault::VaultRecord;

/// What a sighting row keeps until the desk has it: enough to commit its finding anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Carried {
    finding: Finding,
    model: ModelRef,
    config_sha256: String,
    for_case: Vec<VaultRecord>,
    for_sighting: Vec<VaultRecord>,
}

impl Carried {
    pub(super) fn of(commit: &Commit<'_>) -> Self {
        let for_case = commit.for_case.map_or_else(|| confirming(commit.for_sighting), <[_]>::to_vec);
        Self {
            finding: commit.finding.clone(),
            model: commit.model.clone(),
            config_sha256: commit.config_sha256.to_owned(),
            for_case,
            for_sighting: commit.for_sighting.to_vec(),
        }
    }

    fn commit(&self, now: Timestamp) -> Commit<'_> {
        Commit {
            kind: CommitKind::Seen,
            finding: &self.finding,
            model: &self.model,
            config_sha256: &self.config_sha256,
            for_case: Some(&self.for_case),
            for_sighting: &self.for_sighting,
            now,
        }
    }
}

/// The view of a look as the one that confirms a new case.
fn confirming(latest: &[VaultRecord]) -> Vec<VaultRecord> {
    latest.iter().map(|record| VaultRecord { role: EvidenceRole::Confirming, ..record.clone() }).collect()
}

/// Where the findings of a closed case went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refused {
    /// New cases, linked to the closed one.
    pub(crate) opened: Vec<String>,
    /// Other cases that took a sighting.
    pub(crate) joined: Vec<String>,
}

impl Refused {
    fn note(&mut self, committed: Committed) {
        match committed {
            Committed::Opened(case_id) => self.opened.push(case_id),
            Committed::SightingOf(case_id) | Committed::AlreadyCommitted(case_id) => {
                if !self.opened.contains(&case_id) && !self.joined.contains(&case_id) {
                    self.joined.push(case_id);
                }
            }
        }
    }
}

impl Store {
    /// The desk has closed the case of this row: no finding joins the case any more, and those that wait
    /// to be told of it are committed anew.
    pub(crate) async fn settle_case_closed(
        &self,
        seq: i64,
        case_id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Refused, ReportError> {
        let mut tx = self.begin().await?;
        close_case(&mut tx, case_id, now).await?;
        let mut refused = Refused::default();
        for (waiting, carried) in waiting_sightings(&mut tx, case_id).await? {
            match read_json::<Carried>("carried finding", &carried) {
                Ok(carried) => {
                    refused.note(refile(&mut tx, waiting, case_id, reason, &carried.commit(now)).await?);
                }
                // Nothing to make a case of; the next look at its spot opens one.
                Err(e) => {
                    error!(case = case_id, seq = waiting, error = %e, "a carried finding does not read back")
                }
            }
        }
        settle(&mut tx, seq, reason).await?;
        finish(tx).await?;
        Ok(refused)
    }
}

async fn waiting_sightings(
    tx: &mut SqliteConnection,
    case_id: &str,
) -> Result<Vec<(i64, String)>, ReportError> {
    sqlx::query_as(
        "SELECT seq, carried FROM outbox
         WHERE case_id = ? AND kind = 'sighting' AND state = 'pending' AND carried IS NOT NULL ORDER BY seq",
    )
    .bind(case_id)
    .fetch_all(tx)
    .await
    .map_err(ReportError::store("list the sightings of a closed case"))
}

/// Commits what one row carries as if the case had been known to be closed.
async fn refile(
    tx: &mut SqliteConnection,
    seq: i64,
    closed_case_id: &str,
    reason: &str,
    commit: &Commit<'_>,
) -> Result<Committed, ReportError> {
    let finding = commit.finding;
    let spot = spot_case(tx, finding).await?;
    let last_at_ms = spot.as_ref().map_or(i64::MIN, |spot| spot.last_at_ms);
    let verdict = match &spot {
        Some(spot) if spot.open => Verdict::SightingOf(spot.case_id.clone()),
        _ => judge(finding, &cases_of_matter(tx, finding, "open", i64::MAX).await?),
    };
    let committed = match verdict {
        Verdict::SightingOf(case_id) => {
            // A row of the same key, but behind the row of its new case.
            remove(tx, seq).await?;
            add_sighting(tx, commit, case_id).await?
        }
        Verdict::New => {
            // The row stays as the proof that its look was committed.
            settle(tx, seq, reason).await?;
            let linked = spot.map_or_else(|| closed_case_id.to_owned(), |spot| spot.case_id);
            open_case(tx, commit, commit.for_case.unwrap_or_default(), Some(linked)).await?
        }
    };
    keep_last_look(tx, finding, last_at_ms).await?;
    Ok(committed)
}

/// A row that waited long may be of an older look than the spot's last.
async fn keep_last_look(
    tx: &mut SqliteConnection,
    finding: &Finding,
    last_at_ms: i64,
) -> Result<(), ReportError> {
    sqlx::query("UPDATE spot_cases SET last_at_ms = max(last_at_ms, ?) WHERE camera = ? AND spot = ?")
        .bind(last_at_ms)
        .bind(finding.camera.as_str())
        .bind(finding.sight.spot.to_string())
        .execute(tx)
        .await
        .map_err(ReportError::store("keep a spot's last look"))?;
    Ok(())
}

async fn remove(tx: &mut SqliteConnection, seq: i64) -> Result<(), ReportError> {
    sqlx::query("DELETE FROM outbox WHERE seq = ?")
        .bind(seq)
        .execute(tx)
        .await
        .map_err(ReportError::store("move a row"))?;
    Ok(())
}

/// Nothing more to tell of the row, where it is still there.
async fn settle(tx: &mut SqliteConnection, seq: i64, reason: &str) -> Result<(), ReportError> {
    sqlx::query(
        "UPDATE outbox SET state = 'done', last_error = ?, carried = NULL WHERE seq = ? AND state = 'pending'",
    )
    .bind(reason)
    .bind(seq)
    .execute(tx)
    .await
    .map_err(ReportError::store("settle a row"))?;
    Ok(())
}

/// Notes a case as closed by the desk: no finding joins it from now on. One that does not read back is
/// closed all the same, with its body as it is.
pub(super) async fn close_case(
    tx: &mut SqliteConnection,
    case_id: &str,
    now: Timestamp,
) -> Result<(), ReportError> {
    let stored: Option<String> = sqlx::query_scalar("SELECT body FROM cases WHERE case_id = ?")
        .bind(case_id)
        .fetch_optional(&mut *tx)
        .await
        .map_err(ReportError::store("read a case"))?;
    let Some(stored) = stored else { return Ok(()) };
    let body = match read_json::<Case>("case", &stored) {
        Ok(case) => write_json("case", &Case { state: CaseState::Closed, ..case })?,
        Err(e) => {
            error!(case = case_id, error = %e, "a stored case does not read back");
            stored
        }
    };
    sqlx::query("UPDATE cases SET state = 'closed', changed_at_ms = ?, body = ? WHERE case_id = ?")
        .bind(now.as_millis())
        .bind(body)
        .bind(case_id)
        .execute(&mut *tx)
        .await
        .map_err(ReportError::store("close a case"))?;
    Ok(())
}

#[cfg(test)]
mod tests;
