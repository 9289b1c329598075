use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use serde_json::json;

use super::*;
use crate::store::Decision;
use crate::store::outbox::{Heads, OutboxKind};

fn finding(camera: &str, lon: f64, first_ms: i64, at_ms: i64) -> Finding {
    let (first_at, at) = (Timestamp::from_millis(first_ms), Timestamp::from_millis(at_ms));
    serde_json::from_value(json!({
        "camera": camera,
        "sight": {
            "spot": { "first_at": first_at, "ordinal": 0 }, "rule": 0, "zone": "z", "at": at,
            "first_at": first_at, "bounds": [0.3, 0.3, 0.6, 0.6], "foot": [0.45, 0.6], "foot_sigma": 0.01,
            "score": 0.8, "hits": 5, "looks": 6,
        },
        "matter": { "standard_ref": "GB/T 47678.5-2026", "code": "09006", "name": "x" },
        "location": { "lon": lon, "lat": 34.92, "crs": "EPSG:4490", "error_m": 1.0 },
        "unit_grid": { "code": "A", "probability": 0.98 },
        "responsibility_grid": null,
        "merge_radius_m": 20.0,
    }))
    .unwrap()
}

async fn put(store: &Store, kind: CommitKind, finding: &Finding) -> Committed {
    let model = ModelRef { name: "m".into(), sha256: "ab".repeat(32) };
    let now = finding.sight.at;
    let commit = Commit {
        kind,
        finding,
        model: &model,
        config_sha256: "cd",
        for_case: Some(&[]),
        for_sighting: &[],
        now,
    };
    match store.commit(&commit).await.unwrap() {
        Decision::Done(committed) => committed,
        other => panic!("{other:?}"),
    }
}

/// Told and closed: one case of camera `a` at 118.65 that this side takes for open.
async fn told_case(store: &Store) -> String {
    let old = put(store, CommitKind::Confirmed, &finding("a", 118.65, 1, 10)).await;
    let head = store.outbox_heads(9, Heads::All).await.unwrap().remove(0);
    store.settle_done(head.seq).await.unwrap();
    old.case_id().to_owned()
}

/// What the poster does with a desk that has closed `closed`: until nothing of that case is pending.
async fn refuse_all(store: &Store, closed: &str) {
    while let Some(row) =
        store.outbox_heads(9, Heads::All).await.unwrap().iter().find(|row| row.case_id == closed)
    {
        store.settle_case_closed(row.seq, closed, "closed", Timestamp::from_millis(99)).await.unwrap();
    }
}

async fn cut_after<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut waited = 0;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_refusal_opens_one_case() {
    let mut cuts = 0;
    for waits in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let old = told_case(&store).await;
        let mine = finding("b", 118.65, 20, 30);
        assert_eq!(put(&store, CommitKind::Confirmed, &mine).await, Committed::SightingOf(old.clone()));
        let again = finding("b", 118.65, 20, 31);
        put(&store, CommitKind::Seen, &again).await;
        put(&store, CommitKind::Confirmed, &finding("c", 118.650_01, 25, 32)).await;
        let seq = store.outbox_heads(9, Heads::All).await.unwrap()[0].seq;
        let settling = store.settle_case_closed(seq, &old, "closed", Timestamp::from_millis(99));
        let whole = cut_after(waits, settling).await.is_some();
        store.close().await;

        let store = Store::open(dir.path()).await.unwrap();
        refuse_all(&store, &old).await;
        let cases = store.cases().await.unwrap();
        assert_eq!(cases.len(), 2, "cut after {waits} waits");
        let (closed, new) = (&cases[0], &cases[1]);
        assert_eq!((closed.open, new.open), (false, true));
        assert_eq!(new.case.linked_case_id.as_deref(), Some(old.as_str()));
        assert_eq!(new.case.sightings, 3, "cut after {waits} waits");
        let pending = store.outbox(Some(crate::OutboxState::Pending)).await.unwrap();
        let kinds: Vec<_> = pending.iter().map(|row| (row.kind, row.case_id == new.case.case_id)).collect();
        use OutboxKind::{Case, Sighting};
        assert_eq!(kinds, [(Case, true), (Sighting, true), (Sighting, true)], "the case goes first");
        // Handed in again after the crash, they are known; a later look joins the new case.
        let known = Committed::AlreadyCommitted(new.case.case_id.clone());
        assert_eq!(put(&store, CommitKind::Confirmed, &mine).await, known);
        assert_eq!(put(&store, CommitKind::Seen, &again).await, known);
        let later = put(&store, CommitKind::Seen, &finding("b", 118.65, 20, 40)).await;
        assert_eq!(later, Committed::SightingOf(new.case.case_id.clone()));
        if whole {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 5, "only {cuts} places to cut at");
}

#[tokio::test]
async fn an_old_row_that_is_tried_again_joins_what_its_spot_has_now() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let old = told_case(&store).await;
    put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 11)).await;
    store.settle_dead(store.outbox_heads(9, Heads::All).await.unwrap()[0].seq, "never").await.unwrap();
    put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 12)).await;
    refuse_all(&store, &old).await;
    store.retry_dead(crate::Retry::All, Timestamp::from_millis(50)).await.unwrap();
    refuse_all(&store, &old).await;
    let cases = store.cases().await.unwrap();
    assert_eq!((cases.len(), cases[1].case.sightings), (2, 2));
    // The look that opened the new case is still known as the spot's last.
    let again = put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 12)).await;
    assert_eq!(again, Committed::AlreadyCommitted(cases[1].case.case_id.clone()));
}

#[tokio::test]
async fn a_case_that_does_not_read_back_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let broken = told_case(&store).await;
    let good = put(&store, CommitKind::Confirmed, &finding("b", 118.66, 20, 30)).await;
    for column in [
        "UPDATE cases SET body = '{' WHERE case_id = ?",
        "UPDATE cases SET opened_by_box = '{' WHERE case_id = ?",
    ] {
        sqlx::query(column).bind(&broken).execute(&store.pool).await.unwrap();
        let (at, lon) = if column.contains("box") { (33, 118.67) } else { (31, 118.68) };
        let elsewhere = put(&store, CommitKind::Confirmed, &finding("c", lon, at, at + 1)).await;
        assert!(matches!(elsewhere, Committed::Opened(_)), "{elsewhere:?}");
    }
    let joined = put(&store, CommitKind::Confirmed, &finding("d", 118.66, 35, 36)).await;
    assert_eq!(joined, Committed::SightingOf(good.case_id().to_owned()), "the others are still judged");
    // Its own spot is told of as before, and the desk may close it.
    let own = put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 41)).await;
    assert_eq!(own, Committed::SightingOf(broken.clone()));
    refuse_all(&store, &broken).await;
    let back = put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 42)).await;
    assert!(matches!(&back, Committed::SightingOf(id) if *id != broken), "{back:?}");
}

#[tokio::test]
async fn a_carried_finding_that_does_not_read_back_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let old = told_case(&store).await;
    put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 11)).await;
    sqlx::query("UPDATE outbox SET carried = '{'").execute(&store.pool).await.unwrap();
    refuse_all(&store, &old).await;
    assert_eq!(store.outbox_counts().await.unwrap().pending, 0);
    let next = put(&store, CommitKind::Seen, &finding("a", 118.65, 1, 12)).await;
    assert!(matches!(next, Committed::Opened(_)), "{next:?}");
}

#[tokio::test]
async fn only_the_cases_around_are_read_and_the_verdict_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // Fifteen metres apart, each by a camera of its own; every second one has no place.
    for number in 0..60 {
        let mut there = finding(&format!("c{number}"), 118.65 + f64::from(number) * 1.64e-4, 1, 10);
        if number % 2 == 1 {
            there.location = None;
        }
        put(&store, CommitKind::Confirmed, &there).await;
    }
    let mut tx = store.begin().await.unwrap();
    for number in 0..60 {
        let mut here = finding("c7", 118.65 + f64::from(number) * 1.64e-4 + 0.5e-4, 2, 20);
        here.location = here.location.filter(|_| number != 30);
        let near = cases_of_matter(&mut tx, &here, "open", i64::MAX).await.unwrap();
        let everywhere = Finding { merge_radius_m: 1e6, ..here.clone() };
        let all = cases_of_matter(&mut tx, &everywhere, "open", i64::MAX).await.unwrap();
        assert_eq!(judge(&here, &near), judge(&here, &all), "{number}");
        assert!(near.len() <= 4, "{number}: {}", near.len());
    }
}
