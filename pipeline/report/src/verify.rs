//! `vault verify`: the vault and the tables against the evidence log.
//!
//! In: a folder, which a service may be using. Out: what is wrong, each with its case, file or row and what to
//! do. Never: a change of anything, and never more than one case in memory.
//!
//! Two passes. The first follows the log from its first record: numbers without gaps, each text under its hash,
//! each naming the hash before. The second goes case by case: the picture rows are those of the log, in its
//! order; every file that either names is there and has its hash, unless the log says that it was erased when its time
//! was over; the manifest says the same.
//!
//! What it cannot find by itself: a folder whose log, rows, manifests and files were all rewritten to agree, or
//! all put back to an earlier day together. Against that, note the head that it prints somewhere else and hand
//! it in next time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::error::ReportError;
use crate::hash::Sha256Hex;
use crate::store::{ChainHead, ChainRow, Chained, Entered, KeptRow, Store};
use crate::vault::{FileRead, Manifest, Vault, VaultRecord};

/// Findings listed; more are counted.
pub const VAULT_FINDINGS_MAX: usize = 10_000;
/// Rows read at a time.
const PAGE: u32 = 500;
/// A case that a service is writing to may look wrong between two readings; one that is wrong stays so.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultFault {
    /// A file's bytes are not those that were kept.
    FileAltered,
    /// A file is not there.
    FileMissing,
    /// A file is there and cannot be read.
    FileUnreadable,
    /// A row is not there.
    RowMissing,
    /// A row says something else than it did.
    RowAltered,
    /// Rows stand in each other's place.
    RowsExchanged,
    /// A row that the log knows nothing of.
    RowUnknown,
    /// The log does not hold the head that was noted elsewhere.
    HeadLost,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VaultFinding {
    /// What kind.
    pub fault: VaultFault,
    /// Which case, where one is known.
    pub case_id: Option<String>,
    /// Which file, from the report folder on.
    pub file: Option<PathBuf>,
    /// Which row: table and number.
    pub row: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VaultReport {
    /// Records of the log that were read.
    pub records: u64,
    /// Cases that were gone through.
    pub cases: u64,
    /// Files that were hashed; one that two cases show counts twice.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last record.
    pub head: Option<ChainHead>,
    /// What is wrong; the first [`VAULT_FINDINGS_MAX`].
    pub findings: Vec<VaultFinding>,
    /// How many more.
    pub findings_unlisted: u64,
}

impl VaultReport {
    fn add(&mut self, finding: VaultFinding) {
        if self.findings.len() < VAULT_FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_unlisted += 1;
        }
    }
}

const FROM_BACKUP: &str =
    "restore it from a backup of this folder; until then the case stands on its other pictures";
const ROW_FROM_BACKUP: &str =
    "restore report.sqlite from a backup, or note the case as having lost this proof";

/// Goes through a report folder (`<data>/report`). `told` hears the cases done and their number.
///
/// # Errors
/// No store there, one of an older or newer program, a database that cannot be read.
pub async fn verify_vault(
    folder: &Path,
    noted: Option<&ChainHead>,
    mut told: impl FnMut(u64, u64),
) -> Result<VaultReport, ReportError> {
    let store = Store::open_beside(folder).await?;
    if !store.has_chain().await? {
        return Err(ReportError::NoEvidenceLog { path: folder.to_owned() });
    }
    let vault = Arc::new(Vault::beside(&folder.join("vault")));
    let mut report = VaultReport::default();
    let (cases, _) = store.chain_size().await?;
    follow(&store, noted, &mut report).await?;
    let mut after = String::new();
    loop {
        let page = store.case_ids_after(&after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for case_id in &page {
            let look = settled(&store, &vault, case_id).await?;
            report.cases += 1;
            report.files += look.files;
            report.bytes += look.bytes;
            look.findings.into_iter().for_each(|finding| report.add(finding));
            told(report.cases, cases);
        }
    }
    for case_id in vault.manifest_names()? {
        if store.manifest_due(&case_id).await?.is_none() && store.chain_of(&case_id).await?.is_empty() {
            report.add(VaultFinding {
                fault: VaultFault::RowMissing,
                file: Some(manifest_file(&case_id)),
                row: Some("cases".into()),
                what: "the case has a manifest and neither a row nor a record".into(),
                mend: ROW_FROM_BACKUP.into(),
                case_id: Some(case_id),
            });
        }
    }
    store.close().await;
    Ok(report)
}

fn manifest_file(case_id: &str) -> PathBuf {
    PathBuf::from(format!("vault/cases/{case_id}.json"))
}

/// The first pass.
async fn follow(
    store: &Store,
    noted: Option<&ChainHead>,
    report: &mut VaultReport,
) -> Result<(), ReportError> {
    let mut link = Link::default();
    let mut met = noted.is_none();
    loop {
        let page = store.chain_after(link.number, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            met |= noted.is_some_and(|n| n.number == row.number && n.sha256.as_str() == row.sha256);
            link.take(&row).into_iter().for_each(|finding| report.add(finding));
            report.records += 1;
            report.head = row.sha256.try_into().ok().map(|sha256| ChainHead { number: row.number, sha256 });
        }
    }
    if !met && let Some(noted) = noted {
        report.add(VaultFinding {
            fault: VaultFault::HeadLost,
            case_id: None,
            file: None,
            row: Some(format!("evidence_log {}", noted.number)),
            what: format!("the log does not hold {noted}: it was cut off, put back or rewritten"),
            mend: "compare with the backup of the day on which that head was noted".into(),
        });
    }
    Ok(())
}

/// How far the log was followed.
#[derive(Default)]
struct Link {
    number: i64,
    /// Of the last row, as its own text hashes; `None` where the next one cannot be held against it.
    sha256: Option<Sha256Hex>,
}

impl Link {
    fn take(&mut self, row: &ChainRow) -> Vec<VaultFinding> {
        let mut findings = Vec::new();
        let mut find = |fault, number: i64, what: String| {
            findings.push(VaultFinding {
                fault,
                case_id: Some(row.case_id.clone()).filter(|_| number == row.number),
                file: None,
                row: Some(format!("evidence_log {number}")),
                what,
                mend: ROW_FROM_BACKUP.into(),
            });
        };
        for gone in (self.number + 1)..row.number.min(self.number + 1 + i64::from(PAGE)) {
            let what = format!("record {gone} is gone; the log goes on with {}", row.number);
            find(VaultFault::RowMissing, gone, what);
        }
        let follows = row.number == self.number + 1;
        let hash = Sha256Hex::of(row.record.as_bytes());
        let said = row.read();
        let in_its_place = said.as_ref().is_some_and(|said| said.number == row.number);
        match &said {
            Some(said) if !in_its_place => find(
                VaultFault::RowsExchanged,
                row.number,
                format!("here stands record {}, of case {}", said.number, said.case_id),
            ),
            Some(said) if hash.as_str() == row.sha256 && said.case_id == row.case_id => {
                // The first has none before it; behind a row that was found wrong there is nothing to hold on to.
                let before = if row.number == 1 { Some(None) } else { self.sha256.clone().map(Some) };
                if follows && before.is_some_and(|before| before != said.previous) {
                    find(
                        VaultFault::RowAltered,
                        row.number,
                        "it does not name the record before it: that one, or this one, was rewritten".into(),
                    );
                }
            }
            _ => {
                find(VaultFault::RowAltered, row.number, "the record is not what its hash stands for".into())
            }
        }
        self.number = row.number;
        let sound = in_its_place && hash.as_str() == row.sha256;
        self.sha256 = sound.then_some(hash);
        findings
    }
}

/// One case at one moment.
#[derive(Default, PartialEq)]
struct Look {
    files: u64,
    bytes: u64,
    findings: Vec<VaultFinding>,
}

/// A case as it is found [`LOOKS`] times over, where anything is wrong with it.
async fn settled(store: &Store, vault: &Arc<Vault>, case_id: &str) -> Result<Look, ReportError> {
    let mut look = look_at(store, vault, case_id).await?;
    for _ in 1..LOOKS {
        if look.findings.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let mut again = look_at(store, vault, case_id).await?;
        again.findings.retain(|finding| look.findings.contains(finding));
        look = again;
    }
    Ok(look)
}

async fn look_at(store: &Store, vault: &Arc<Vault>, case_id: &str) -> Result<Look, ReportError> {
    let due = store.manifest_due(case_id).await?;
    let rows = store.chain_of(case_id).await?;
    let kept = store.kept_of(case_id).await?;
    let mut look = Look::default();
    if due.is_none() {
        look.findings.push(VaultFinding {
            fault: VaultFault::RowMissing,
            case_id: Some(case_id.to_owned()),
            file: None,
            row: Some("cases".into()),
            what: "the log has records of this case, which has no row".into(),
            mend: ROW_FROM_BACKUP.into(),
        });
    }
    let (erased, logged): (Vec<Chained>, Vec<Chained>) =
        rows.iter().filter_map(ChainRow::read).partition(|chained| chained.entered == Entered::Erased);
    let is_erased = !erased.is_empty();
    let logged: Vec<VaultRecord> = logged.into_iter().flat_map(|chained| chained.pictures).collect();
    look.findings.extend(compare(case_id, &logged, &kept));
    let stored = Stored { due: due == Some(true), rows, kept };
    let (vault, case_id) = (Arc::clone(vault), case_id.to_owned());
    let task = tokio::task::spawn_blocking(move || {
        if !is_erased {
            files(&vault, &case_id, &logged, &stored.kept, &mut look);
        }
        look.findings.extend(manifest(&vault, &case_id, &stored));
        look
    });
    task.await.map_err(ReportError::Task)
}

struct Stored {
    due: bool,
    rows: Vec<ChainRow>,
    kept: Vec<KeptRow>,
}

/// The picture rows against the log.
fn compare(case_id: &str, logged: &[VaultRecord], kept: &[KeptRow]) -> Vec<VaultFinding> {
    let rows: Vec<Option<&VaultRecord>> = kept.iter().map(|row| row.record.as_ref()).collect();
    if rows.len() == logged.len() && rows.iter().zip(logged).all(|(row, logged)| *row == Some(logged)) {
        return Vec::new();
    }
    let finding = |fault, row: String, what: String| VaultFinding {
        fault,
        case_id: Some(case_id.to_owned()),
        file: None,
        row: Some(row),
        what,
        mend: ROW_FROM_BACKUP.into(),
    };
    let name = |number: i64| format!("case_pictures {number}");
    // What the log has and no row does, and the other way round, each as often as it is too many.
    let mut missing: Vec<&VaultRecord> = logged.iter().collect();
    let mut unknown: Vec<&KeptRow> = Vec::new();
    for row in kept {
        match missing.iter().position(|logged| row.record.as_ref() == Some(*logged)) {
            Some(at) => drop(missing.remove(at)),
            None => unknown.push(row),
        }
    }
    let mut findings = Vec::new();
    let mut unknown = unknown.into_iter();
    for logged in &missing {
        let shows = format!("{} of {}", logged.role.name(), logged.captured_at);
        findings.push(match unknown.next() {
            Some(row) => finding(
                VaultFault::RowAltered,
                name(row.number),
                format!("the log has the picture {shows} here, original {}", logged.original_sha256),
            ),
            None => finding(
                VaultFault::RowMissing,
                "case_pictures".into(),
                format!("the row of the picture {shows} is gone, original {}", logged.original_sha256),
            ),
        });
    }
    findings.extend(unknown.map(|row| {
        finding(VaultFault::RowUnknown, name(row.number), "the log knows nothing of this picture".into())
    }));
    if findings.is_empty() {
        let moved = kept.iter().zip(logged).filter(|(row, logged)| row.record.as_ref() != Some(*logged));
        let moved: Vec<String> = moved.map(|(row, _)| row.number.to_string()).collect();
        let rows = format!("case_pictures {}", moved.join(", "));
        findings.push(finding(
            VaultFault::RowsExchanged,
            rows,
            "these rows stand in each other's place; the log has them in another order".into(),
        ));
    }
    findings
}

/// Every file that the log or a row names, once.
fn files(vault: &Vault, case_id: &str, logged: &[VaultRecord], kept: &[KeptRow], look: &mut Look) {
    let records = logged.iter().chain(kept.iter().filter_map(|row| row.record.as_ref()));
    let mut named = BTreeSet::new();
    for record in records {
        for (part, sha256) in record.files() {
            named.insert((part, sha256, record.captured_at.as_millis()));
        }
    }
    for (part, sha256, at_ms) in named {
        let (file, read) = vault.check_file(part, sha256, calib::time::Timestamp::from_millis(at_ms));
        look.files += 1;
        let (fault, what) = match read {
            FileRead::Good { bytes } => {
                look.bytes += bytes;
                continue;
            }
            FileRead::Altered { found } => (VaultFault::FileAltered, format!("its SHA-256 is {found} now")),
            FileRead::Missing => (VaultFault::FileMissing, "it is not there".to_owned()),
            FileRead::Unreadable(why) => (VaultFault::FileUnreadable, why),
        };
        look.findings.push(VaultFinding {
            fault,
            case_id: Some(case_id.to_owned()),
            file: Some(Path::new("vault").join(file)),
            row: None,
            what,
            mend: FROM_BACKUP.into(),
        });
    }
}

/// The manifest against rows and log. One that is due is written by the service's next start.
fn manifest(vault: &Vault, case_id: &str, stored: &Stored) -> Option<VaultFinding> {
    let finding = |fault, what: String| {
        Some(VaultFinding {
            fault,
            case_id: Some(case_id.to_owned()),
            file: Some(manifest_file(case_id)),
            row: None,
            what,
            mend: "compare it with a backup: rows and manifest were written together and disagree".into(),
        })
    };
    let text = match vault.read_manifest(case_id) {
        Ok(Some(text)) => text,
        Ok(None) if stored.due => return None,
        Ok(None) => return finding(VaultFault::FileMissing, "the case's manifest is not there".into()),
        Err(e) => return finding(VaultFault::FileUnreadable, e.to_string()),
    };
    let Ok(read) = serde_json::from_slice::<Manifest>(&text) else {
        return finding(VaultFault::FileAltered, "it does not read as a manifest".into());
    };
    let here = |link: &ChainHead| {
        stored.rows.iter().any(|row| row.number == link.number && row.sha256 == link.sha256.as_str())
    };
    if let Some(link) = read.links.iter().find(|link| !here(link)) {
        let what = format!("it names record {link}, which the log does not hold for this case");
        return finding(VaultFault::RowMissing, what);
    }
    let kept: Option<Vec<&VaultRecord>> = stored.kept.iter().map(|row| row.record.as_ref()).collect();
    // An older manifest holds the first of the pictures; one that is not due holds them all.
    let agrees = kept.is_some_and(|kept| {
        let held = read.pictures.iter().zip(&kept).all(|(a, b)| a == *b);
        held && (read.pictures.len() == kept.len() || stored.due && read.pictures.len() < kept.len())
    });
    let linked = read.links.is_empty() || stored.due || read.links.len() == stored.rows.len();
    if read.case_id != case_id || !agrees || !linked {
        return finding(VaultFault::FileAltered, "it does not say what the case's rows say".into());
    }
    None
}
