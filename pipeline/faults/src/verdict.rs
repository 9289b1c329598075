//! What came of a node: is everything there, and once?
//!
//! In: a node's folder whose process is gone, what it said was on disk, what the script holds. Out: what was
//! lost, what is double, what is wrong with the evidence. Never: a change: databases are looked at in a copy,
//! so that the next start finds them as the last end left them.
//!
//! A finding is known by its camera and its instant. On the store's side it stands in the outbox, as the case
//! that it opened or as a sighting; on the desk as either. A sighting that the desk refused because its case
//! was closed stays in the outbox as settled with the reason, beside the row that tells it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use logic::case::{Case, CaseState, Evidence, Sighting};
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::script::Key;

/// What is wrong, in words.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) lost: Vec<String>,
    pub(crate) double: Vec<String>,
    pub(crate) evidence: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.lost.is_empty() && self.double.is_empty() && self.evidence.is_empty()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.double.extend(other.double);
        self.evidence.extend(other.evidence);
    }
}

/// What a node must hold.
pub(crate) struct Owed<'a> {
    /// It said that these are on disk.
    pub(crate) told: &'a BTreeSet<Key>,
    /// All that there is, where it said that it is done.
    pub(crate) whole: Option<&'a BTreeSet<Key>>,
}

/// Looks at a folder. Databases that are not there yet hold nothing.
pub(crate) async fn of(folder: &Path, owed: &Owed<'_>) -> Result<Verdict> {
    let copy = tempfile::tempdir().context("making a folder for the copies")?;
    copy_database(&folder.join("report"), &copy.path().join("report"), "report.sqlite")?;
    copy_database(&folder.join("desk"), &copy.path().join("desk"), "desk.sqlite")?;
    let mut verdict = Verdict::default();
    let store = match open(&copy.path().join("report/report.sqlite")).await? {
        Some(pool) => StoreSide::read(&pool, &mut verdict).await?,
        None => StoreSide::default(),
    };
    let desk = match open(&copy.path().join("desk/desk.sqlite")).await? {
        Some(pool) => DeskSide::read(&pool, &mut verdict).await?,
        None => DeskSide::default(),
    };
    compare(&store, &desk, owed, &mut verdict);
    check_desk_evidence(&folder.join("desk/evidence"), &desk, &mut verdict);
    check_vault(folder, copy.path(), store.is_made, &mut verdict).await?;
    Ok(verdict)
}

fn compare(store: &StoreSide, desk: &DeskSide, owed: &Owed<'_>, verdict: &mut Verdict) {
    for key in owed.told.difference(&store.findings.keys().cloned().collect()) {
        verdict.lost.push(format!("{key:?} was told as on disk and is not in the store"));
    }
    for (key, times) in store.findings.iter().filter(|(_, times)| **times > 1) {
        verdict.double.push(format!("{key:?} is in the outbox {times} times"));
    }
    for (key, times) in desk.findings.iter().filter(|(_, times)| **times > 1) {
        verdict.double.push(format!("{key:?} is on the desk {times} times"));
    }
    for key in store.acknowledged.difference(&desk.keys) {
        verdict.lost.push(format!("the store has key {key} as acknowledged and the desk does not have it"));
    }
    for key in desk.keys.difference(&store.keys) {
        verdict.double.push(format!("the desk has key {key}, which the store knows nothing of"));
    }
    let Some(whole) = owed.whole else { return };
    let on_desk: BTreeSet<Key> = desk.findings.keys().cloned().collect();
    verdict.lost.extend(whole.difference(&on_desk).map(|key| format!("{key:?} is not on the desk")));
    verdict.double.extend(on_desk.difference(whole).map(|key| format!("{key:?} is on the desk unasked")));
    for (cell, cases) in desk.open.iter().filter(|(_, cases)| cases.len() > 1) {
        verdict.double.push(format!("cell {cell} has {} open cases: {cases:?}", cases.len()));
    }
    for (case_id, sightings) in &store.open {
        match desk.sightings.get(case_id) {
            Some(there) if there == sightings => {}
            there => {
                verdict.lost.push(format!("case {case_id}: {sightings} sightings here, {there:?} there"))
            }
        }
    }
}

/// The store's side.
#[derive(Default)]
struct StoreSide {
    is_made: bool,
    findings: BTreeMap<Key, usize>,
    keys: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    /// Sightings of each case that is open here.
    open: BTreeMap<String, u64>,
}

impl StoreSide {
    async fn read(pool: &SqlitePool, verdict: &mut Verdict) -> Result<Self> {
        sound(pool, "report.sqlite", verdict).await?;
        let mut side = Self::default();
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await?;
        if version < 4 {
            return Ok(side);
        }
        side.is_made = true;
        let rows: Vec<(String, String, String, String, bool)> =
            sqlx::query_as("SELECT kind, key, body, state, last_error IS NOT NULL FROM outbox")
                .fetch_all(pool)
                .await?;
        for (kind, key, body, state, has_error) in rows {
            let is_settled = state == "done";
            side.keys.insert(key.clone());
            if is_settled && !has_error {
                side.acknowledged.insert(key);
            }
            if state == "dead" {
                verdict.lost.push(format!("a {kind} was refused for good"));
            }
            if is_settled && has_error && kind == "sighting" {
                continue;
            }
            *side.findings.entry(key_of(&kind, &body)?).or_default() += 1;
        }
        let cases: Vec<String> =
            sqlx::query_scalar("SELECT body FROM cases WHERE state = 'open'").fetch_all(pool).await?;
        for body in cases {
            let case: Case = serde_json::from_str(&body)?;
            side.open.insert(case.case_id, case.sightings);
        }
        Ok(side)
    }
}

fn key_of(kind: &str, body: &str) -> Result<Key> {
    if kind == "case" {
        let case: Case = serde_json::from_str(body)?;
        let source = case.sources.first().context("a case without a source")?;
        return Ok((source.id.clone(), case.confirmed_at.as_millis()));
    }
    let sighting: Sighting = serde_json::from_str(body)?;
    Ok((sighting.source.id, sighting.at.as_millis()))
}

/// The desk's side.
#[derive(Default)]
struct DeskSide {
    findings: BTreeMap<Key, usize>,
    keys: BTreeSet<String>,
    /// Cases that nobody closed, by cell.
    open: BTreeMap<String, Vec<String>>,
    sightings: BTreeMap<String, u64>,
    evidence: BTreeSet<String>,
}

impl DeskSide {
    async fn read(pool: &SqlitePool, verdict: &mut Verdict) -> Result<Self> {
        sound(pool, "desk.sqlite", verdict).await?;
        let mut side = Self::default();
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await?;
        if version < 1 {
            return Ok(side);
        }
        let cases: Vec<(String, String, String)> =
            sqlx::query_as("SELECT idempotency_key, posted, body FROM cases").fetch_all(pool).await?;
        for (key, posted, body) in cases {
            side.keys.insert(key);
            *side.findings.entry(key_of("case", &posted)?).or_default() += 1;
            let case: Case = serde_json::from_str(&body)?;
            side.note_evidence(&case.evidence);
            side.sightings.insert(case.case_id.clone(), case.sightings);
            if let Some(grid) = case.unit_grid.filter(|_| case.state == CaseState::Reported) {
                side.open.entry(grid.code).or_default().push(case.case_id);
            }
        }
        let sightings: Vec<(String, String)> =
            sqlx::query_as("SELECT idempotency_key, posted FROM sightings").fetch_all(pool).await?;
        for (key, posted) in sightings {
            side.keys.insert(key);
            *side.findings.entry(key_of("sighting", &posted)?).or_default() += 1;
            let sighting: Sighting = serde_json::from_str(&posted)?;
            side.note_evidence(&sighting.evidence);
        }
        Ok(side)
    }

    fn note_evidence(&mut self, evidence: &[Evidence]) {
        self.evidence.extend(evidence.iter().map(|piece| piece.sha256.clone()));
    }
}

/// A desk never has a case whose pictures it does not have.
fn check_desk_evidence(folder: &Path, desk: &DeskSide, verdict: &mut Verdict) {
    for sha256 in &desk.evidence {
        let good = fs::read(folder.join(&sha256[..2]).join(sha256)).is_ok_and(|bytes| {
            let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            hash == *sha256
        });
        if !good {
            verdict.evidence.push(format!("the desk's {sha256} is missing or altered"));
        }
    }
}

/// The vault itself, under the copy of its database.
async fn check_vault(folder: &Path, copy: &Path, is_made: bool, verdict: &mut Verdict) -> Result<()> {
    if !is_made {
        return Ok(());
    }
    std::os::unix::fs::symlink(folder.join("report/vault"), copy.join("report/vault"))?;
    let report = report::verify_vault(&copy.join("report"), None, |_, _| {}).await?;
    verdict.evidence.extend(report.findings.iter().map(|finding| format!("{finding:?}")));
    Ok(())
}

async fn sound(pool: &SqlitePool, name: &str, verdict: &mut Verdict) -> Result<()> {
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(pool).await?;
    if said != ["ok"] {
        verdict.lost.push(format!("{name}: {said:?}"));
    }
    if sqlx::query("PRAGMA foreign_key_check").fetch_optional(pool).await?.is_some() {
        verdict.lost.push(format!("{name}: a row refers to one that is not there"));
    }
    Ok(())
}

/// The file and its write-ahead log; the index beside them is made anew by whoever opens.
fn copy_database(from: &Path, to: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for suffix in ["", "-wal", "-journal"] {
        let file = format!("{name}{suffix}");
        match fs::copy(from.join(&file), to.join(&file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("copying {}", from.join(&file).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn open(path: &Path) -> Result<Option<SqlitePool>> {
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(path);
    Ok(Some(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
}

#[cfg(test)]
mod tests;
