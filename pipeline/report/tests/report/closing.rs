//! A case that the desk closed while this side took it for open: no finding vanishes into it.

use logic::case::EvidenceRole::{Annotated, Confirming, Crop, First};
use report::{Committed, Manifest, OutboxState, PostEvent};
use tempfile::tempdir;

use crate::fake_desk::{FakeDesk, On};
use crate::scene::*;

fn roles(case: &logic::case::Case) -> Vec<logic::case::EvidenceRole> {
    case.evidence.iter().map(|e| e.role).collect()
}

#[tokio::test]
async fn a_confirmation_after_the_closing_is_posted_as_a_linked_case_with_its_evidence() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    let yesterday = finding("a", 0.0, START_MS, START_MS + 1);
    let old = commit(&reporter, &confirmed(&Frame::new(1), &yesterday)).await;
    event(&mut events, case_posted).await;
    desk.kept().closed.insert(old.case_id().to_owned());

    // Today's thing in the same place: confirmed, and gone before it is seen again.
    reporter.commit(&appeared(&Frame::new(2), "a", START_MS + 50)).await.unwrap();
    let today = confirmed(&Frame::new(3), &finding("a", 0.5, START_MS + 50, START_MS + 60));
    assert_eq!(commit(&reporter, &today).await, Committed::SightingOf(old.case_id().to_owned()));
    let posted = event(&mut events, case_posted).await;
    assert_eq!(posted.linked_case_id.as_deref(), Some(old.case_id()));
    assert_eq!(posted.confirmed_at.as_millis(), START_MS + 60);
    assert_eq!(roles(&posted), [First, Confirming, Crop, Annotated]);
    assert_eq!(commit(&reporter, &today).await, Committed::AlreadyCommitted(posted.case_id.clone()));
    assert!(poster.shutdown(DEADLINE).await);

    let manifest = std::fs::read(dir.path().join(format!("vault/cases/{}.json", posted.case_id))).unwrap();
    assert_eq!(serde_json::from_slice::<Manifest>(&manifest).unwrap().pictures.len(), 4);
    let kept = desk.kept();
    assert_eq!((kept.cases.len(), kept.sightings.len()), (2, 0));
    assert!(posted.evidence.iter().all(|e| kept.evidence.contains_key(&e.sha256)));
    drop(kept);
    let counters = reporter.counters();
    assert_eq!((counters.cases_opened, counters.cases_closed_by_desk, counters.posts_dead), (2, 1, 0));
}

#[tokio::test]
async fn two_cameras_after_the_closing_open_one_case() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    let old = commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    event(&mut events, case_posted).await;
    assert!(poster.shutdown(DEADLINE).await);
    desk.kept().closed.insert(old.case_id().to_owned());
    for (n, camera) in [(10, "a"), (11, "b")] {
        let found = finding(camera, 0.5, START_MS + n, START_MS + n + 10);
        let committed = commit(&reporter, &confirmed(&Frame::new(n as u8), &found)).await;
        assert_eq!(committed, Committed::SightingOf(old.case_id().to_owned()));
    }
    let later = finding("a", 0.5, START_MS + 10, START_MS + 40);
    commit(&reporter, &seen(&Frame::new(9), &later)).await;

    let poster = reporter.spawn_poster();
    let posted = event(&mut events, case_posted).await;
    for source in ["b", "a"] {
        assert_eq!(event(&mut events, sighting_posted).await.source.id, source);
    }
    assert!(poster.shutdown(DEADLINE).await);
    assert_eq!(posted.linked_case_id.as_deref(), Some(old.case_id()));
    assert_eq!(desk.kept().cases.len(), 2);
    let of_which: Vec<_> = desk.kept().sightings.iter().map(|(case_id, _)| case_id.clone()).collect();
    assert_eq!(of_which, [posted.case_id.clone(), posted.case_id]);
    // The others follow without a refusal of their own.
    assert_eq!(reporter.counters().cases_closed_by_desk, 1);
    assert!(reporter.store().outbox(Some(OutboxState::Pending)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_between_the_refusal_and_the_next_post_loses_nothing() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let config = config(dir.path(), &desk.url());
    let reporter = reopen(&config).await;
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    let old = commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    event(&mut events, case_posted).await;
    desk.kept().closed.insert(old.case_id().to_owned());
    let today = confirmed(&Frame::new(3), &finding("b", 0.5, START_MS + 50, START_MS + 60));
    commit(&reporter, &today).await;
    // The desk has refused it; whether that was settled here is open.
    desk.until("the refusal", |kept| kept.arrivals.iter().any(|(on, _)| *on == On::Sighting)).await;
    drop(poster);
    drop(reporter);

    let reporter = reopen(&config).await;
    commit(&reporter, &today).await;
    let poster = reporter.spawn_poster();
    desk.until("the linked case", |kept| kept.cases.len() == 2).await;
    assert!(poster.shutdown(DEADLINE).await);
    assert_eq!(desk.kept().cases.len(), 2);
    assert_eq!(reporter.store().cases().await.unwrap().len(), 2);
    assert_eq!(reporter.store().outbox_counts().await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_look_after_the_closing_opens_a_case_that_shows_its_view() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let found = |n| finding("a", 0.0, START_MS, START_MS + n);
    let old = commit(&reporter, &confirmed(&Frame::new(1), &found(1))).await;
    event(&mut events, case_posted).await;
    desk.kept().closed.insert(old.case_id().to_owned());
    commit(&reporter, &seen(&Frame::new(2), &found(2))).await;
    let closed = |e| if let PostEvent::CaseClosed { case_id } = e { Some(case_id) } else { None };
    assert_eq!(event(&mut events, closed).await, old.case_id());
    let posted = event(&mut events, case_posted).await;
    assert_eq!(posted.linked_case_id.as_deref(), Some(old.case_id()));
    assert_eq!(roles(&posted), [Confirming]);
    assert_eq!(reporter.store().open_cases().await.unwrap(), 1);
}
