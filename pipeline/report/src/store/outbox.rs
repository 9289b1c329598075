//! What is still to be told, in the order in which it may be told.
//!
//! In: rows of a commit, outcomes of the poster, a person's wish to try again. Out: the next row of each
//! case. Never: a sighting while its case is not acknowledged, and never two rows of one case at a time.

use calib::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::{Store, read_json, write_json};
use crate::error::ReportError;
use crate::hash::Sha256Hex;
use crate::vault::VaultRecord;

/// What a row carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxKind {
    /// A new case.
    Case,
    /// A sighting of one.
    Sighting,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// To be posted, or being posted.
    Pending,
    /// Acknowledged by the desk.
    Done,
    /// Refused for good; a person decides whether to try again.
    Dead,
}

impl OutboxKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Sighting => "sighting",
        }
    }

    fn from_name(name: &str) -> Self {
        if name == "case" { Self::Case } else { Self::Sighting }
    }
}

impl OutboxState {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "dead" => Self::Dead,
            _ => Self::Pending,
        }
    }
}

/// A row for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// Its number, for `retry`.
    pub seq: i64,
    /// Which case it is about.
    pub case_id: String,
    /// What it carries.
    pub kind: OutboxKind,
    /// Where it stands.
    pub state: OutboxState,
    /// How often it was tried without success.
    pub attempts: u32,
    /// When it was committed.
    pub added_at: Timestamp,
    /// When it is tried next, where it is pending.
    pub next_at: Timestamp,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// A dead row with what it would have posted, for a person to look at or to carry elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// The row.
    #[serde(flatten)]
    pub entry: OutboxEntry,
    /// Under which key it is posted.
    pub idempotency_key: String,
    /// The case or sighting as it is posted.
    pub body: serde_json::Value,
    /// SHA-256 of each masked picture that goes before it.
    pub evidence: Vec<Sha256Hex>,
}

/// How many rows are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OutboxCounts {
    /// To be posted.
    pub pending: u64,
    /// Acknowledged.
    pub done: u64,
    /// Refused for good.
    pub dead: u64,
    /// When the oldest pending row was committed.
    pub oldest_pending_at: Option<Timestamp>,
}

/// Which dead rows to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// All of them.
    All,
    /// The one with this number.
    Seq(i64),
}

/// Which rows the poster asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heads {
    All,
    /// Those that have not failed yet.
    Untried,
}

/// A row with what the poster needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutboxRow {
    pub(crate) seq: i64,
    pub(crate) case_id: String,
    pub(crate) kind: OutboxKind,
    pub(crate) key: String,
    pub(crate) body: String,
    pub(crate) evidence: Vec<CopyRef>,
    pub(crate) attempts: u32,
    pub(crate) next_at_ms: i64,
}

/// A masked copy in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopyRef {
    pub(crate) sha256: Sha256Hex,
    pub(crate) captured_at: Timestamp,
}

/// A row to be.
pub(super) struct NewRow<'a> {
    pub(super) case_id: &'a str,
    pub(super) kind: OutboxKind,
    pub(super) key: &'a str,
    pub(super) body: String,
    pub(super) pictures: &'a [VaultRecord],
    pub(super) now_ms: i64,
    /// Of a sighting: what opens a case should its own be closed.
    pub(super) carried: Option<String>,
}

/// Adds a row, due at once. `false` where its key is there already.
pub(super) async fn insert_row(tx: &mut SqliteConnection, row: NewRow<'_>) -> Result<bool, ReportError> {
    let mut evidence: Vec<CopyRef> = Vec::new();
    for picture in row.pictures {
        if let Some(sha256) = &picture.copy_sha256 {
            evidence.push(CopyRef { sha256: sha256.clone(), captured_at: picture.captured_at });
        }
    }
    let result = sqlx::query(
        "INSERT INTO outbox (case_id, kind, key, body, evidence, added_at_ms, next_at_ms, carried)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
    )
    .bind(row.case_id)
    .bind(row.kind.name())
    .bind(row.key)
    .bind(row.body)
    .bind(write_json("evidence list", &evidence)?)
    .bind(row.now_ms)
    .bind(row.now_ms)
    .bind(row.carried)
    .execute(tx)
    .await
    .map_err(ReportError::store("add to the outbox"))?;
    Ok(result.rows_affected() == 1)
}

type RowFields = (i64, String, String, String, String, String, i64, i64);
type EntryFields = (i64, String, String, String, i64, i64, i64, Option<String>);

impl Store {
    /// The first row of each case that may be told now or later, soonest first. A case's row must be done
    /// before its sightings; a dead sighting does not hold up the ones behind it.
    pub(crate) async fn outbox_heads(&self, limit: u32, which: Heads) -> Result<Vec<OutboxRow>, ReportError> {
        let rows: Vec<RowFields> = sqlx::query_as(
            "SELECT seq, case_id, kind, key, body, evidence, attempts, next_at_ms FROM outbox AS o
             WHERE state = 'pending' AND (attempts = 0 OR NOT ?1) AND NOT EXISTS (
               SELECT 1 FROM outbox AS e WHERE e.case_id = o.case_id AND e.seq < o.seq
               AND e.state <> 'done' AND (e.state = 'pending' OR e.kind = 'case'))
             ORDER BY next_at_ms, seq LIMIT ?2",
        )
        .bind(which == Heads::Untried)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("read the outbox"))?;
        rows.into_iter()
            .map(|(seq, case_id, kind, key, body, evidence, attempts, next_at_ms)| {
                Ok(OutboxRow {
                    seq,
                    case_id,
                    kind: OutboxKind::from_name(&kind),
                    key,
                    body,
                    evidence: read_json("evidence list", &evidence)?,
                    attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                    next_at_ms,
                })
            })
            .collect()
    }

    /// The desk has it.
    pub(crate) async fn settle_done(&self, seq: i64) -> Result<(), ReportError> {
        sqlx::query("UPDATE outbox SET state = 'done', last_error = NULL, carried = NULL WHERE seq = ?")
            .bind(seq)
            .execute(&self.pool)
            .await
            .map_err(ReportError::store("settle a row"))?;
        Ok(())
    }

    /// Again at `next_at_ms`.
    pub(crate) async fn settle_retry(
        &self,
        seq: i64,
        next_at_ms: i64,
        reason: &str,
    ) -> Result<(), ReportError> {
        sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, next_at_ms = ?, last_error = ? WHERE seq = ?",
        )
        .bind(next_at_ms)
        .bind(reason)
        .bind(seq)
        .execute(&self.pool)
        .await
        .map_err(ReportError::store("put a row off"))?;
        Ok(())
    }

    /// Never again by itself.
    pub(crate) async fn settle_dead(&self, seq: i64, reason: &str) -> Result<(), ReportError> {
        sqlx::query(
            "UPDATE outbox SET state = 'dead', attempts = attempts + 1, last_error = ? WHERE seq = ?",
        )
        .bind(reason)
        .bind(seq)
        .execute(&self.pool)
        .await
        .map_err(ReportError::store("bury a row"))?;
        Ok(())
    }

    /// No pending row waits longer than until `latest_ms`: the clock may have been set back meanwhile.
    pub(crate) async fn bring_forward(&self, latest_ms: i64) -> Result<(), ReportError> {
        sqlx::query("UPDATE outbox SET next_at_ms = ?1 WHERE state = 'pending' AND next_at_ms > ?1")
            .bind(latest_ms)
            .execute(&self.pool)
            .await
            .map_err(ReportError::store("bring the outbox forward"))?;
        Ok(())
    }

    /// Rows in one state, or all, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn outbox(&self, state: Option<OutboxState>) -> Result<Vec<OutboxEntry>, ReportError> {
        let rows: Vec<EntryFields> = sqlx::query_as(
            "SELECT seq, case_id, kind, state, attempts, added_at_ms, next_at_ms, last_error FROM outbox
             WHERE ?1 IS NULL OR state = ?1 ORDER BY seq",
        )
        .bind(state.map(OutboxState::name))
        .fetch_all(&self.pool)
        .await
        .map_err(ReportError::store("list the outbox"))?;
        let entry =
            |(seq, case_id, kind, state, attempts, added, next, last_error): EntryFields| OutboxEntry {
                seq,
                case_id,
                kind: OutboxKind::from_name(&kind),
                state: OutboxState::from_name(&state),
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                added_at: Timestamp::from_millis(added),
                next_at: Timestamp::from_millis(next),
                last_error,
            };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Dead rows with their contents, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, ReportError> {
        let mut letters = Vec::new();
        for entry in self.outbox(Some(OutboxState::Dead)).await? {
            let row: Option<(String, String, String)> =
                sqlx::query_as("SELECT key, body, evidence FROM outbox WHERE seq = ? AND state = 'dead'")
                    .bind(entry.seq)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(ReportError::store("read a dead letter"))?;
            // Put back into the outbox meanwhile.
            let Some((idempotency_key, body, evidence)) = row else { continue };
            let evidence: Vec<CopyRef> = read_json("evidence list", &evidence)?;
            let evidence = evidence.into_iter().map(|copy| copy.sha256).collect();
            letters.push(DeadLetter { entry, idempotency_key, body: read_json("body", &body)?, evidence });
        }
        Ok(letters)
    }

    /// Makes dead rows pending and due again. Returns how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn retry_dead(&self, which: Retry, now: Timestamp) -> Result<u64, ReportError> {
        let seq = match which {
            Retry::All => None,
            Retry::Seq(seq) => Some(seq),
        };
        let result = sqlx::query(
            "UPDATE outbox SET state = 'pending', attempts = 0, next_at_ms = ?1
             WHERE state = 'dead' AND (?2 IS NULL OR seq = ?2)",
        )
        .bind(now.as_millis())
        .bind(seq)
        .execute(&self.pool)
        .await
        .map_err(ReportError::store("retry dead rows"))?;
        Ok(result.rows_affected())
    }

    /// How many rows are in which state.
    ///
    /// # Errors
    /// The store's.
    pub async fn outbox_counts(&self) -> Result<OutboxCounts, ReportError> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT state, count(*), min(added_at_ms) FROM outbox GROUP BY state")
                .fetch_all(&self.pool)
                .await
                .map_err(ReportError::store("count the outbox"))?;
        let mut counts = OutboxCounts::default();
        for (state, count, oldest_ms) in rows {
            let count = count.unsigned_abs();
            match OutboxState::from_name(&state) {
                OutboxState::Pending => {
                    counts.pending = count;
                    counts.oldest_pending_at = Some(Timestamp::from_millis(oldest_ms));
                }
                OutboxState::Done => counts.done = count,
                OutboxState::Dead => counts.dead = count,
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::finish;
    use proptest::prelude::*;

    /// What can happen to the outbox.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Add { case: u8 },
        Done { pick: u8 },
        PutOff { pick: u8, to_ms: u8 },
        Die { pick: u8 },
        RetryAll,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..3_u8).prop_map(|case| Step::Add { case }),
            3 => any::<u8>().prop_map(|pick| Step::Done { pick }),
            2 => (any::<u8>(), any::<u8>()).prop_map(|(pick, to_ms)| Step::PutOff { pick, to_ms }),
            2 => any::<u8>().prop_map(|pick| Step::Die { pick }),
            1 => Just(Step::RetryAll),
        ];
        prop::collection::vec(step, 1..30)
    }

    #[derive(Debug, Clone)]
    struct ModelRow {
        case: u8,
        is_case: bool,
        state: OutboxState,
        next_ms: i64,
    }

    /// The rule in plain words: walk each case from its first row on; done rows and dead sightings are
    /// passed over, a dead case ends the walk, the first pending row is the head.
    fn model_heads(rows: &[ModelRow]) -> Vec<i64> {
        let mut heads = Vec::new();
        for case in 0..3 {
            for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.case == case) {
                match row.state {
                    OutboxState::Done => {}
                    OutboxState::Dead if row.is_case => break,
                    OutboxState::Dead => {}
                    OutboxState::Pending => {
                        heads.push((row.next_ms, i as i64 + 1));
                        break;
                    }
                }
            }
        }
        heads.sort_unstable();
        heads.into_iter().map(|(_, seq)| seq).collect()
    }

    async fn add(store: &Store, case: u8, number: usize, kind: OutboxKind) {
        let (case_id, key) = (format!("case-{case}"), format!("key-{number}"));
        let mut tx = store.begin().await.unwrap();
        sqlx::query(
            "INSERT OR IGNORE INTO cases (case_id, state, standard_ref, code, opened_by_camera, opened_by_box,
             body, changed_at_ms) VALUES (?, 'open', '', '', '', '', '', 0)",
        )
        .bind(&case_id)
        .execute(&mut *tx)
        .await
        .unwrap();
        let row = NewRow {
            case_id: &case_id,
            kind,
            key: &key,
            body: "{}".into(),
            pictures: &[],
            now_ms: 0,
            carried: None,
        };
        assert!(insert_row(&mut tx, row).await.unwrap());
        finish(tx).await.unwrap();
    }

    async fn follow(steps: Vec<Step>) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut model: Vec<ModelRow> = Vec::new();
        for step in steps {
            // As the poster does, only heads are settled.
            let heads = model_heads(&model);
            let picked = |pick: u8| heads.get(usize::from(pick) % heads.len().max(1)).copied();
            match step {
                Step::Add { case } => {
                    let is_case = !model.iter().any(|row| row.case == case);
                    let kind = if is_case { OutboxKind::Case } else { OutboxKind::Sighting };
                    add(&store, case, model.len(), kind).await;
                    model.push(ModelRow { case, is_case, state: OutboxState::Pending, next_ms: 0 });
                }
                Step::Done { pick } => {
                    let Some(seq) = picked(pick) else { continue };
                    store.settle_done(seq).await.unwrap();
                    model[seq as usize - 1].state = OutboxState::Done;
                }
                Step::PutOff { pick, to_ms } => {
                    let Some(seq) = picked(pick) else { continue };
                    store.settle_retry(seq, i64::from(to_ms), "later").await.unwrap();
                    model[seq as usize - 1].next_ms = i64::from(to_ms);
                }
                Step::Die { pick } => {
                    let Some(seq) = picked(pick) else { continue };
                    store.settle_dead(seq, "never").await.unwrap();
                    model[seq as usize - 1].state = OutboxState::Dead;
                }
                Step::RetryAll => {
                    store.retry_dead(Retry::All, Timestamp::from_millis(7)).await.unwrap();
                    for row in model.iter_mut().filter(|row| row.state == OutboxState::Dead) {
                        (row.state, row.next_ms) = (OutboxState::Pending, 7);
                    }
                }
            }
            let heads: Vec<i64> =
                store.outbox_heads(99, Heads::All).await.unwrap().iter().map(|row| row.seq).collect();
            prop_assert_eq!(heads, model_heads(&model), "{:?}", model);
        }
        let counts = store.outbox_counts().await.unwrap();
        let in_state = |state| model.iter().filter(|row| row.state == state).count() as u64;
        prop_assert_eq!(counts.pending, in_state(OutboxState::Pending));
        prop_assert_eq!(counts.done, in_state(OutboxState::Done));
        prop_assert_eq!(counts.dead, in_state(OutboxState::Dead));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_next_row_of_each_case_is_that_of_the_model(steps in steps()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(follow(steps))?;
        }
    }
}
