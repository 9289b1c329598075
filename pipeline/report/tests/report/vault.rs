//! What `vault verify` says of a vault that is whole, and of one that somebody was at.

use std::path::{Path, PathBuf};

use calib::time::Timestamp;
use logic::case::EvidenceRole;
use logic::look::CameraId;
use report::{
    ChainHead, ClipOf, ReportError, Retry, Store, VaultFault, VaultFinding, VaultReport, verify_vault,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::{TempDir, tempdir};

use crate::scene::*;

/// Nobody listens there; no poster runs in these tests.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";

/// Two cases with four pictures each, and a sighting of the first.
pub(crate) async fn kept() -> (TempDir, [String; 2]) {
    let dir = tempdir().unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let mut ids = Vec::new();
    for (n, east_m) in [(1, 0.0), (2, 500.0)] {
        let first_ms = START_MS + n;
        reporter.commit(&appeared(&Frame::new(n as u8), "a", first_ms)).await.unwrap();
        let found = finding("a", east_m, first_ms, first_ms + 60_000);
        ids.push(commit(&reporter, &confirmed(&Frame::new(10 + n as u8), &found)).await.case_id().to_owned());
    }
    let later = finding("a", 0.0, START_MS + 1, START_MS + 120_000);
    commit(&reporter, &seen(&Frame::new(30), &later)).await;
    reporter.close().await;
    (dir, ids.try_into().unwrap())
}

async fn verify(folder: &Path) -> VaultReport {
    verify_vault(folder, None, |_, _| {}).await.unwrap()
}

/// As whoever has the file and a SQLite tool of their own can.
pub(crate) async fn meddle(folder: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.join("report.sqlite")).foreign_keys(false);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql(
        "DROP TRIGGER IF EXISTS evidence_log_keeps_rows; DROP TRIGGER IF EXISTS evidence_log_keeps_words;",
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

fn some_file(folder: &Path, part: &str) -> PathBuf {
    let day = folder.join("vault").join(part).join("2026-07-01");
    let mut paths: Vec<_> = std::fs::read_dir(day).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.remove(0)
}

fn only(report: &VaultReport) -> &VaultFinding {
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    &report.findings[0]
}

fn faults(report: &VaultReport) -> Vec<(VaultFault, Option<&str>)> {
    report.findings.iter().map(|f| (f.fault, f.row.as_deref())).collect()
}

#[tokio::test]
async fn a_vault_that_is_whole_is_found_whole_also_while_a_service_runs() {
    let (dir, _) = kept().await;
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let mut told = Vec::new();
    let report = verify_vault(dir.path(), None, |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(report.findings, []);
    // Two originals and four copies a case, one of each more with the sighting.
    assert_eq!((report.records, report.cases, report.files), (3, 2, 14));
    assert_eq!(told, [(1, 2), (2, 2)]);
    let head = report.head.unwrap();
    assert_eq!(head.number, 3);
    // The head holds later too, when more has come.
    let found = finding("b", 900.0, START_MS + 7, START_MS + 8);
    commit(&reporter, &confirmed(&Frame::new(7), &found)).await;
    let later = verify_vault(dir.path(), Some(&head.to_string().parse().unwrap()), |_, _| {}).await.unwrap();
    assert_eq!((later.findings, later.records), (vec![], 4));
}

#[tokio::test]
async fn a_changed_byte_and_a_file_that_is_gone_are_named() {
    for part in ["originals", "copies"] {
        let (dir, cases) = kept().await;
        let path = some_file(dir.path(), part);
        let inside = path.strip_prefix(dir.path()).unwrap().to_owned();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let report = verify(dir.path()).await;
        let found = only(&report);
        assert_eq!((found.fault, found.file.as_ref()), (VaultFault::FileAltered, Some(&inside)));
        assert!(cases.contains(found.case_id.as_ref().unwrap()) && !found.mend.is_empty());
        std::fs::remove_file(&path).unwrap();
        let report = verify(dir.path()).await;
        let found = only(&report);
        assert_eq!((found.fault, found.file.as_ref()), (VaultFault::FileMissing, Some(&inside)));
    }
}

/// A clip of the first case, as the camera sent it.
async fn keep_clip(folder: &Path, case_id: &str) {
    let reporter = reopen(&config(folder, NOWHERE)).await;
    let scratch = reporter.clip_scratch();
    std::fs::write(&scratch, b"an MP4").unwrap();
    let provenance = provenance();
    let of = ClipOf {
        case_id: case_id.to_owned(),
        camera: CameraId::new("a"),
        captured_at: Timestamp::from_millis(START_MS + 55_000),
        model: provenance.model,
        config_sha256: provenance.config_sha256,
    };
    assert!(reporter.keep_clip(&of, &scratch).await.unwrap());
    assert_eq!((reporter.counters().clips_kept, reporter.counters().clips_missed), (1, 0));
    reporter.close().await;
}

#[tokio::test]
async fn a_clip_is_kept_with_its_case_and_guarded_like_its_pictures_and_is_told_to_nobody() {
    let (dir, [case_id, _]) = kept().await;
    let before = verify(dir.path()).await;
    keep_clip(dir.path(), &case_id).await;
    let report = verify(dir.path()).await;
    assert_eq!(report.findings, []);
    assert_eq!((report.files, report.records), (before.files + 1, before.records + 1));
    let path = some_file(dir.path(), "clips");
    assert_eq!(path.extension().unwrap(), "mp4");
    let manifest = std::fs::read_to_string(dir.path().join(format!("vault/cases/{case_id}.json"))).unwrap();
    assert!(manifest.contains(path.file_stem().unwrap().to_str().unwrap()), "{manifest}");
    let store = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(store.outbox(None).await.unwrap().len(), 3, "two cases and a sighting, as before");
    for told in store.cases().await.unwrap() {
        assert!(told.case.evidence.iter().all(|piece| piece.masked && piece.role != EvidenceRole::Clip));
    }
    store.close().await;
    std::fs::write(&path, b"an mp4").unwrap();
    let report = verify(dir.path()).await;
    let found = only(&report);
    let inside = path.strip_prefix(dir.path()).unwrap();
    assert_eq!((found.fault, found.file.as_deref()), (VaultFault::FileAltered, Some(inside)));
}

#[tokio::test]
async fn a_clip_of_no_case_is_missed_and_leaves_nothing_behind() {
    let (dir, _) = kept().await;
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let scratch = reporter.clip_scratch();
    let provenance = provenance();
    let of = ClipOf {
        case_id: "none".to_owned(),
        camera: CameraId::new("a"),
        captured_at: Timestamp::from_millis(START_MS),
        model: provenance.model,
        config_sha256: provenance.config_sha256,
    };
    assert!(reporter.keep_clip(&of, &scratch).await.is_err(), "nothing was written there");
    std::fs::write(&scratch, b"an MP4").unwrap();
    assert!(!reporter.keep_clip(&of, &scratch).await.unwrap());
    assert_eq!((reporter.counters().clips_kept, reporter.counters().clips_missed), (0, 2));
    reporter.close().await;
    assert_eq!(verify(dir.path()).await.findings, []);
    assert!(std::fs::read_dir(dir.path().join("vault/clips")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_clip_that_another_case_shows_stays_and_one_that_a_crash_left_goes_at_the_next_start() {
    let (dir, [case_id, _]) = kept().await;
    keep_clip(dir.path(), &case_id).await;
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    // The same bytes for a case that there is not.
    let scratch = reporter.clip_scratch();
    std::fs::write(&scratch, b"an MP4").unwrap();
    let provenance = provenance();
    let of = ClipOf {
        case_id: "none".to_owned(),
        camera: CameraId::new("a"),
        captured_at: Timestamp::from_millis(START_MS + 55_000),
        model: provenance.model,
        config_sha256: provenance.config_sha256,
    };
    assert!(!reporter.keep_clip(&of, &scratch).await.unwrap());
    reporter.close().await;
    let shown = some_file(dir.path(), "clips");
    let left = shown.with_file_name(format!("{}.mp4", "0".repeat(64)));
    std::fs::write(&left, b"left").unwrap();
    reopen(&config(dir.path(), NOWHERE)).await.close().await;
    assert!(shown.exists() && !left.exists());
    assert_eq!(verify(dir.path()).await.findings, []);
}

#[tokio::test]
async fn a_manifest_that_is_gone_or_says_something_else_is_named() {
    let (dir, [case_id, _]) = kept().await;
    let inside = PathBuf::from(format!("vault/cases/{case_id}.json"));
    let path = dir.path().join(&inside);
    let text = std::fs::read_to_string(&path).unwrap();
    for (changed, fault) in [
        (Some(text.replace("\"confirming\"", "\"first\"")), VaultFault::FileAltered),
        (Some("{}".to_owned()), VaultFault::FileAltered),
        (None, VaultFault::FileMissing),
    ] {
        match changed {
            Some(changed) => std::fs::write(&path, changed).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let report = verify(dir.path()).await;
        let found = only(&report);
        assert_eq!((found.fault, found.file.as_ref()), (fault, Some(&inside)));
        assert_eq!(found.case_id.as_ref(), Some(&case_id));
    }
}

#[tokio::test]
async fn a_row_that_is_gone_is_named() {
    use VaultFault::{FileAltered, RowMissing, RowUnknown};
    // A picture's row: the log has it, and the manifest.
    let (dir, [case_id, _]) = kept().await;
    meddle(dir.path(), "DELETE FROM case_pictures WHERE number = 2").await;
    let report = verify(dir.path()).await;
    assert_eq!(report.findings[0].fault, RowMissing);
    assert!(report.findings[0].what.contains("confirming of 2026-07-01T00:01"), "{:?}", report.findings[0]);
    assert_eq!(report.findings[1].fault, FileAltered, "the manifest has one more");
    assert!(report.findings.iter().all(|f| f.case_id.as_ref() == Some(&case_id)));

    // A record in the middle of the log: the numbers have a gap, and its pictures are unknown to it.
    let (dir, _) = kept().await;
    meddle(dir.path(), "DELETE FROM evidence_log WHERE number = 2").await;
    let report = verify(dir.path()).await;
    assert_eq!(report.findings[0].row.as_deref(), Some("evidence_log 2"));
    assert_eq!(report.findings[0].fault, RowMissing);
    assert_eq!(report.findings.iter().filter(|f| f.fault == RowUnknown).count(), 4);

    // The last record with its picture: only the manifest knows of it.
    let (dir, [case_id, _]) = kept().await;
    meddle(
        dir.path(),
        "DELETE FROM evidence_log WHERE number = 3; DELETE FROM case_pictures WHERE number = 9",
    )
    .await;
    let report = verify(dir.path()).await;
    let found = only(&report);
    assert_eq!((found.fault, found.case_id.as_ref()), (RowMissing, Some(&case_id)));
    assert!(found.what.contains("record 3:"), "{}", found.what);

    // A case with its row alone, and with everything but its manifest.
    let (dir, [_, case_id]) = kept().await;
    meddle(dir.path(), "DELETE FROM cases WHERE case_id = (SELECT max(case_id) FROM cases)").await;
    let report = verify(dir.path()).await;
    let found = only(&report);
    assert_eq!(
        (found.fault, found.row.as_deref(), found.case_id.as_ref()),
        (RowMissing, Some("cases"), Some(&case_id))
    );
    let sql = "DELETE FROM evidence_log WHERE case_id NOT IN (SELECT case_id FROM cases);
               DELETE FROM case_pictures WHERE case_id NOT IN (SELECT case_id FROM cases)";
    meddle(dir.path(), sql).await;
    let report = verify(dir.path()).await;
    assert_eq!(faults(&report)[0], (RowMissing, Some("evidence_log 2")));
    assert_eq!(report.findings.last().unwrap().case_id.as_ref(), Some(&case_id));
}

#[tokio::test]
async fn rows_that_were_exchanged_are_named() {
    let (dir, _) = kept().await;
    let exchange = "UPDATE evidence_log SET number = -1 WHERE number = 1;
                    UPDATE evidence_log SET number = 1 WHERE number = 2;
                    UPDATE evidence_log SET number = 2 WHERE number = -1;";
    meddle(dir.path(), exchange).await;
    let report = verify(dir.path()).await;
    let exchanged: Vec<_> =
        faults(&report).into_iter().filter(|(fault, _)| *fault == VaultFault::RowsExchanged).collect();
    assert_eq!(
        exchanged.iter().map(|(_, row)| row.unwrap()).collect::<Vec<_>>(),
        ["evidence_log 1", "evidence_log 2"]
    );

    let (dir, [case_id, _]) = kept().await;
    let exchange = "UPDATE case_pictures SET number = -1 WHERE number = 1;
                    UPDATE case_pictures SET number = 1 WHERE number = 3;
                    UPDATE case_pictures SET number = 3 WHERE number = -1;";
    meddle(dir.path(), exchange).await;
    let report = verify(dir.path()).await;
    assert_eq!(faults(&report)[0], (VaultFault::RowsExchanged, Some("case_pictures 1, 3")));
    assert_eq!(report.findings[0].case_id.as_ref(), Some(&case_id));
}

#[tokio::test]
async fn a_rewritten_record_is_named_with_and_without_its_hash() {
    let (dir, _) = kept().await;
    let rewrite = "UPDATE evidence_log SET record = replace(record, 'yolox-tiny', 'yolox-nice') WHERE number = 2;
                   UPDATE case_pictures SET record = replace(record, 'yolox-tiny', 'yolox-nice') WHERE number BETWEEN 5 AND 8;";
    meddle(dir.path(), rewrite).await;
    let report = verify(dir.path()).await;
    assert_eq!(faults(&report)[0], (VaultFault::RowAltered, Some("evidence_log 2")));

    // With a hash that fits, by somebody who knows the form: the next record names another.
    let (dir, _) = kept().await;
    let row = "UPDATE case_pictures SET record = replace(record, '\"masked_regions\":0', '\"masked_regions\":1');
               UPDATE evidence_log SET record = replace(record, '\"masked_regions\":0', '\"masked_regions\":1')
               WHERE number = 2";
    meddle(dir.path(), row).await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("report.sqlite"));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let text: String = sqlx::query_scalar("SELECT record FROM evidence_log WHERE number = 2")
        .fetch_one(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE evidence_log SET sha256 = ? WHERE number = 2")
        .bind(report::Sha256Hex::of(text.as_bytes()).as_str())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let report = verify(dir.path()).await;
    assert_eq!(faults(&report)[0], (VaultFault::RowAltered, Some("evidence_log 3")));
}

#[tokio::test]
async fn a_vault_that_was_put_back_as_a_whole_is_found_by_a_noted_head() {
    let (dir, _) = kept().await;
    let noted: ChainHead = verify(dir.path()).await.head.unwrap();
    meddle(
        dir.path(),
        "DELETE FROM evidence_log WHERE number = 3; DELETE FROM case_pictures WHERE number = 9;
         UPDATE cases SET manifest_due = 1",
    )
    .await;
    reopen(&config(dir.path(), NOWHERE)).await.close().await;
    assert_eq!(verify(dir.path()).await.findings, [], "it agrees with itself");
    let report = verify_vault(dir.path(), Some(&noted), |_, _| {}).await.unwrap();
    assert_eq!(only(&report).fault, VaultFault::HeadLost);
    assert!("3:zz".parse::<ChainHead>().is_err() && "3".parse::<ChainHead>().is_err());
}

/// The database as the program before the log left it.
#[tokio::test]
async fn a_vault_of_an_older_program_is_entered_and_a_copy_kept() {
    let (dir, _) = kept().await;
    meddle(
        dir.path(),
        "DROP TABLE evidence_log; DROP TABLE picture_files;
         DROP INDEX cases_by_place; DROP INDEX cases_by_opener; DROP INDEX cases_by_state; DROP INDEX cases_erase_due;
         ALTER TABLE cases DROP COLUMN asked_at_ms; ALTER TABLE cases DROP COLUMN erased_at_ms;
         ALTER TABLE cases DROP COLUMN erase_due; ALTER TABLE cases DROP COLUMN lat; ALTER TABLE cases DROP COLUMN lon;
         PRAGMA user_version = 3",
    )
    .await;
    for case in std::fs::read_dir(dir.path().join("vault/cases")).unwrap() {
        let path = case.unwrap().path();
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        manifest.as_object_mut().unwrap().remove("links");
        std::fs::write(&path, manifest.to_string()).unwrap();
    }
    let refused = verify_vault(dir.path(), None, |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, ReportError::NoEvidenceLog { .. }), "{refused}");
    // Cut off before the copy had its name.
    std::fs::write(dir.path().join("report.sqlite.schema-3.new"), b"half a copy").unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let report = verify(dir.path()).await;
    assert_eq!((report.findings, report.records, report.files), (vec![], 2, 14));
    let later = finding("a", 0.0, START_MS + 1, START_MS + 180_000);
    commit(&reporter, &seen(&Frame::new(40), &later)).await;
    let report = verify(dir.path()).await;
    assert_eq!((report.findings, report.records, report.files), (vec![], 3, 16));
    reporter.close().await;

    // What came later is filled in from what was there: the sighting above found its case by its place, and retention
    // knows the files.
    meddle(
        dir.path(),
        "UPDATE outbox SET state = 'done'; UPDATE cases SET state = 'closed', changed_at_ms = 0",
    )
    .await;
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    assert_eq!(reporter.erase_due(&report::Retention::default()).await.unwrap().cases, 2);
    reporter.close().await;
    assert_eq!(verify(dir.path()).await.files, 0);

    // The copy is a whole store of the old program.
    let old = tempdir().unwrap();
    std::fs::copy(dir.path().join("report.sqlite.schema-3"), old.path().join("report.sqlite")).unwrap();
    let beside = Store::open_beside(old.path()).await.unwrap();
    assert_eq!(beside.cases().await.unwrap().len(), 2);
    assert_eq!(beside.retry_dead(Retry::All, calib::time::Timestamp::from_millis(0)).await.unwrap(), 0);
    assert!(!dir.path().join("report.sqlite.schema-3.new").exists());
}
