//! The audit log: who did what, each entry chained to the one before. In: an act. Out: a row that names it, on
//! disk before the act is answered. Never an entry changed or removed unnoticed: [`Store::verify_audit`] finds
//! one that was altered, taken out of the middle or off the end, or put elsewhere.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use calib::time::Timestamp;

use super::{Store, now};
use crate::access::Caller;

/// Rows that are in memory at once while the log is verified.
const WALK_ROWS: i64 = 1000;

/// Who acts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor<'a> {
    /// A token's id and name, or who sits at the terminal.
    pub(crate) who: &'a str,
    pub(crate) role: &'a str,
    pub(crate) address: &'a str,
}

impl<'a> Actor<'a> {
    /// The desk itself.
    pub(crate) const DESK: Actor<'static> = Actor { who: "desk", role: "desk", address: "-" };

    /// A caller; the id alone, since names may be given twice.
    pub(crate) fn of(caller: &'a Caller, address: &'a str) -> Self {
        Self { who: &caller.token_id, role: caller.role.name(), address }
    }
}

/// What is done.
#[derive(Debug)]
pub(crate) struct Act<'a> {
    /// One word of a closed set.
    pub(crate) what: &'static str,
    /// A case's id, a digest, a token's id, a route.
    pub(crate) target: &'a str,
    pub(crate) detail: serde_json::Value,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its place, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// A token's id, or who sat at the terminal.
    pub who: String,
    /// As what.
    pub role: String,
    /// From where.
    pub address: String,
    /// `case_filed`, `case_seen`, `case_closed`, `evidence_put`, `evidence_read`, `login`, `logout`, `refused`,
    /// `token_made`, `token_revoked`.
    pub what: String,
    /// A case's id, a digest, a token's id, a route.
    pub target: String,
    /// Particulars, as JSON.
    pub detail: String,
}

/// What a look at the whole audit log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// Entries that were looked at.
    pub entries: i64,
    /// The chain's value at the last of them, lower-case hex: note it elsewhere, and the log up to here cannot be
    /// rewritten unnoticed.
    pub head: String,
    /// The first fault, in words; absent: the log is whole.
    pub fault: Option<String>,
}

impl AuditEntry {
    /// The chain's next value. Every field has its length before it, so that none can lend bytes to the next.
    fn chained(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(before);
        hasher.update(self.seq.to_le_bytes());
        hasher.update(self.at.as_millis().to_le_bytes());
        for field in [&self.who, &self.role, &self.address, &self.what, &self.target, &self.detail] {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(field.as_bytes());
        }
        hasher.finalize().into()
    }
}

/// Adds an entry within the transaction of what it tells of.
pub(super) async fn append(
    transaction: &mut Transaction<'_, Sqlite>,
    actor: &Actor<'_>,
    act: &Act<'_>,
) -> Result<(), sqlx::Error> {
    let last = sqlx::query("SELECT chain FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut **transaction)
        .await?;
    let before = last.map_or(Ok([0; 32]), |row| chain_of(&row))?;
    // Not the last row's place: where rows were taken off the end, the gap must stay.
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
        .fetch_optional(&mut **transaction)
        .await?;
    let entry = AuditEntry {
        seq: seq.unwrap_or(0) + 1,
        at: now(),
        who: actor.who.to_owned(),
        role: actor.role.to_owned(),
        address: actor.address.to_owned(),
        what: act.what.to_owned(),
        target: act.target.to_owned(),
        detail: act.detail.to_string(),
    };
    sqlx::query(
        "INSERT INTO audit (seq, at_ms, who, role, address, what, target, detail, chain)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(entry.seq)
    .bind(entry.at.as_millis())
    .bind(&entry.who)
    .bind(&entry.role)
    .bind(&entry.address)
    .bind(&entry.what)
    .bind(&entry.target)
    .bind(&entry.detail)
    .bind(&entry.chained(&before)[..])
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

impl Store {
    /// Adds an entry that stands by itself: a look at evidence, a login.
    pub(crate) async fn note(&self, actor: &Actor<'_>, act: &Act<'_>) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        append(&mut transaction, actor, act).await?;
        transaction.commit().await
    }

    /// The latest entries, newest first.
    pub(crate) async fn audit_entries(&self, limit: u32) -> Result<Vec<AuditEntry>, sqlx::Error> {
        let rows = sqlx::query("SELECT * FROM audit ORDER BY seq DESC LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(entry_of).collect()
    }

    /// Walks the whole log.
    pub(crate) async fn verify_audit(&self) -> Result<AuditVerdict, sqlx::Error> {
        let (mut chain, mut seq, mut fault) = ([0; 32], 0, None);
        'walk: loop {
            let rows = sqlx::query("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
                .bind(seq)
                .bind(WALK_ROWS)
                .fetch_all(&self.readers)
                .await?;
            for row in &rows {
                let entry = entry_of(row)?;
                if entry.seq != seq + 1 {
                    fault = Some(format!("entry {} is gone: after {seq} comes {}", seq + 1, entry.seq));
                    break 'walk;
                }
                let next = entry.chained(&chain);
                if chain_of(row)? != next {
                    fault = Some(format!("entry {} was altered, or put in another's place", entry.seq));
                    break 'walk;
                }
                (chain, seq) = (next, entry.seq);
            }
            if rows.is_empty() {
                break;
            }
        }
        let made: i64 =
            sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit'")
                .fetch_one(&self.readers)
                .await?;
        if fault.is_none() && made > seq {
            // A desk at work may have added some since the walk's last look.
            let later: i64 = sqlx::query_scalar("SELECT count(*) FROM audit WHERE seq > ?")
                .bind(seq)
                .fetch_one(&self.readers)
                .await?;
            if later < made - seq {
                fault = Some(format!("entries after {seq} are gone: {made} were made"));
            }
        }
        let head = chain.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(AuditVerdict { entries: seq, head, fault })
    }
}

fn chain_of(row: &SqliteRow) -> Result<[u8; 32], sqlx::Error> {
    let chain: &[u8] = row.try_get("chain")?;
    chain.try_into().map_err(|error: std::array::TryFromSliceError| sqlx::Error::Decode(Box::new(error)))
}

fn entry_of(row: &SqliteRow) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        seq: row.try_get("seq")?,
        at: Timestamp::from_millis(row.try_get("at_ms")?),
        who: row.try_get("who")?,
        role: row.try_get("role")?,
        address: row.try_get("address")?,
        what: row.try_get("what")?,
        target: row.try_get("target")?,
        detail: row.try_get("detail")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn log_of(entries: usize) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("desk.sqlite")).await.unwrap();
        for number in 0..entries {
            let target = format!("target {number}");
            let act = Act { what: "evidence_read", target: &target, detail: serde_json::json!({}) };
            store.note(&Actor::DESK, &act).await.unwrap();
        }
        (folder, store)
    }

    /// Does to the file what somebody with a hex editor would.
    async fn tamper(store: &Store, sql: &'static str) {
        let guard = "DROP TRIGGER audit_keeps_rows; DROP TRIGGER audit_keeps_words;";
        sqlx::raw_sql(guard).execute(&store.writer).await.unwrap();
        sqlx::raw_sql(sql).execute(&store.writer).await.unwrap();
    }

    #[tokio::test]
    async fn a_whole_log_is_whole_and_goes_on() {
        let (_folder, store) = log_of(2100).await;
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.entries, &verdict.fault), (2100, &None));
        store
            .note(&Actor::DESK, &Act { what: "login", target: "x", detail: serde_json::json!({}) })
            .await
            .unwrap();
        let later = store.verify_audit().await.unwrap();
        assert_eq!((later.entries, later.fault), (2101, None));
        assert_ne!(later.head, verdict.head);
    }

    #[tokio::test]
    async fn what_was_done_to_the_log_is_found() {
        for (sql, wanted) in [
            ("UPDATE audit SET target = 'another' WHERE seq = 4", "entry 4 was altered"),
            ("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 1", "entry 1 was altered"),
            ("UPDATE audit SET who = who || role, role = '' WHERE seq = 2", "entry 2 was altered"),
            ("DELETE FROM audit WHERE seq = 3", "entry 3 is gone"),
            ("DELETE FROM audit WHERE seq = 1", "entry 1 is gone"),
            ("DELETE FROM audit WHERE seq > 6", "entries after 6 are gone: 8 were made"),
            ("DELETE FROM audit", "entries after 0 are gone"),
            (
                "UPDATE audit SET seq = -1 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6;
                 UPDATE audit SET seq = 6 WHERE seq = -1",
                "entry 5 was altered",
            ),
        ] {
            let (_folder, store) = log_of(8).await;
            tamper(&store, sql).await;
            let fault = store.verify_audit().await.unwrap().fault.unwrap_or_default();
            assert!(fault.contains(wanted), "{sql}: {fault}");
        }
    }

    #[tokio::test]
    async fn a_gap_at_the_end_stays_a_gap() {
        let (_folder, store) = log_of(5).await;
        tamper(&store, "DELETE FROM audit WHERE seq = 5").await;
        store
            .note(&Actor::DESK, &Act { what: "login", target: "x", detail: serde_json::json!({}) })
            .await
            .unwrap();
        let fault = store.verify_audit().await.unwrap().fault.unwrap_or_default();
        assert!(fault.contains("entry 5 is gone"), "{fault}");
    }

    #[tokio::test]
    async fn the_desk_itself_cannot_rewrite_it() {
        let (_folder, store) = log_of(1).await;
        for sql in ["UPDATE audit SET who = 'x'", "DELETE FROM audit"] {
            assert!(sqlx::raw_sql(sql).execute(&store.writer).await.is_err(), "{sql}");
        }
    }
}
