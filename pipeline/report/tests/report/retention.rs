//! Evidence goes when its time is over, and no sooner.

use std::path::Path;

use report::{Erased, Retention, VaultReport, verify_vault};
use tempfile::tempdir;

use crate::fake_desk::FakeDesk;
use crate::scene::*;
use crate::vault::{NOWHERE, kept, meddle};

/// Both cases closed, the first of them a hundred days ago, and all of it told.
const CLOSED: &str = "UPDATE outbox SET state = 'done';
    UPDATE cases SET state = 'closed';
    UPDATE cases SET changed_at_ms = changed_at_ms - 100 * 86400000
        WHERE case_id = (SELECT min(case_id) FROM cases);";

fn after_days(keep_days: u32) -> Retention {
    Retention { keep_days, ..Retention::default() }
}

async fn pass(folder: &Path, retention: &Retention) -> Erased {
    let reporter = reopen(&config(folder, NOWHERE)).await;
    let erased = reporter.erase_due(retention).await.unwrap();
    reporter.close().await;
    erased
}

async fn whole(folder: &Path) -> VaultReport {
    let report = verify_vault(folder, None, |_, _| {}).await.unwrap();
    assert_eq!(report.findings, []);
    report
}

#[tokio::test]
async fn evidence_goes_with_its_time_and_the_log_says_so() {
    let (dir, _) = kept().await;
    meddle(dir.path(), CLOSED).await;
    let before = whole(dir.path()).await;
    assert_eq!(pass(dir.path(), &after_days(101)).await, Erased::default());
    let erased = pass(dir.path(), &after_days(99)).await;
    // Two originals and four copies, and one of each with the sighting.
    assert_eq!((erased.cases, erased.files), (1, 8));
    let after = whole(dir.path()).await;
    assert_eq!(after.files, before.files - 8);
    assert_eq!(after.bytes, before.bytes - erased.bytes);
    assert_eq!((after.cases, after.records), (before.cases, before.records + 1), "rows stay, the log grows");
    assert_eq!(pass(dir.path(), &after_days(99)).await, Erased::default(), "once");
}

#[tokio::test]
async fn nothing_goes_of_a_case_that_is_open_or_still_to_be_told() {
    for sql in [
        "UPDATE outbox SET state = 'done'; UPDATE cases SET changed_at_ms = 0;",
        "UPDATE outbox SET state = 'dead'; UPDATE cases SET state = 'closed', changed_at_ms = 0;",
        "UPDATE cases SET state = 'closed', changed_at_ms = 0;",
    ] {
        let (dir, _) = kept().await;
        meddle(dir.path(), sql).await;
        assert_eq!(pass(dir.path(), &after_days(30)).await, Erased::default(), "{sql}");
        whole(dir.path()).await;
    }
}

#[tokio::test]
async fn a_matter_has_days_of_its_own() {
    let (dir, _) = kept().await;
    meddle(dir.path(), CLOSED).await;
    let days = |days| Retention { keep_days: 30, by_matter: [("09006".to_owned(), days)].into() };
    assert_eq!(pass(dir.path(), &days(3650)).await, Erased::default());
    assert_eq!(pass(dir.path(), &days(40)).await.cases, 1);
}

#[tokio::test]
async fn a_picture_that_an_open_case_shows_stays() {
    let dir = tempdir().unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    // One frame that confirms two things at once: one original under both cases.
    for east_m in [0.0, 500.0] {
        let found = finding("a", east_m, START_MS + east_m as i64, START_MS + 60_000);
        commit(&reporter, &confirmed(&Frame::new(1), &found)).await;
    }
    reporter.close().await;
    meddle(
        dir.path(),
        "UPDATE outbox SET state = 'done';
         UPDATE cases SET state = 'closed', changed_at_ms = 0 WHERE case_id = (SELECT min(case_id) FROM cases);",
    )
    .await;
    let before = whole(dir.path()).await;
    assert_eq!(pass(dir.path(), &after_days(30)).await.cases, 1);
    let after = whole(dir.path()).await;
    assert!(after.files > 0 && after.files < before.files, "{before:?} {after:?}");
    meddle(dir.path(), "UPDATE cases SET state = 'closed', changed_at_ms = 0;").await;
    assert_eq!(pass(dir.path(), &after_days(30)).await.cases, 1);
    assert_eq!(whole(dir.path()).await.files, 0);
    for part in ["originals", "copies"] {
        let left = std::fs::read_dir(dir.path().join("vault").join(part)).unwrap().count();
        assert_eq!(left, 0, "{part}: the day's folder goes with its last picture");
    }
}

#[tokio::test]
async fn a_pass_that_was_cut_short_goes_on() {
    let (dir, _) = kept().await;
    meddle(dir.path(), CLOSED).await;
    let copies = dir.path().join("vault/copies/2026-07-01");
    let first = std::fs::read_dir(&copies).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let bytes = std::fs::read(&first).unwrap();
    let all: Vec<_> = std::fs::read_dir(&copies).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(pass(dir.path(), &after_days(99)).await.cases, 1);
    let gone = all.into_iter().find(|path| !path.exists()).unwrap();
    // As if killed after the log had it and before this file went.
    std::fs::write(&gone, bytes).unwrap();
    meddle(dir.path(), "UPDATE cases SET erase_due = 1 WHERE erased_at_ms IS NOT NULL;").await;
    whole(dir.path()).await;
    assert_eq!(pass(dir.path(), &after_days(99)).await.files, 1);
    assert!(!gone.exists());
    whole(dir.path()).await;
}

#[tokio::test]
async fn the_desk_is_asked_whether_a_quiet_case_is_closed() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    for (n, east_m) in [(1, 0.0), (2, 500.0)] {
        let found = finding("a", east_m, START_MS + n, START_MS + 60_000);
        commit(&reporter, &confirmed(&Frame::new(n as u8), &found)).await;
        event(&mut events, case_posted).await;
    }
    assert!(poster.shutdown(DEADLINE).await);
    let one = desk.kept().cases.keys().min().unwrap().clone();
    desk.kept().closed.insert(one);
    reporter.erase_due(&after_days(30)).await.unwrap();
    assert_eq!(reporter.store().open_cases().await.unwrap(), 2, "heard of today");
    meddle(dir.path(), "UPDATE cases SET changed_at_ms = changed_at_ms - 2 * 86400000;").await;
    assert_eq!(reporter.erase_due(&after_days(30)).await.unwrap(), Erased::default());
    assert_eq!(reporter.store().open_cases().await.unwrap(), 1);
    whole(dir.path()).await;
}
