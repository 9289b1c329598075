//! What the desk ends up with, whatever it and the way to it do.

use std::time::{Duration, Instant};

use logic::case::EvidenceRole;
use logic::finding::Finding;
use report::{Committed, OutboxState, PostEvent, Retry};
use tempfile::tempdir;

use crate::fake_desk::{FakeDesk, How, On};
use crate::scene::*;

#[tokio::test]
async fn a_case_arrives_with_its_pictures_and_then_its_sighting() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();

    reporter.commit(&appeared(&Frame::new(10), "a", START_MS)).await.unwrap();
    assert_eq!(reporter.staged_frames(), 1);
    let found = finding("a", 0.0, START_MS, START_MS + 60_000);
    let committed = commit(&reporter, &confirmed(&Frame::new(20), &found)).await;
    assert_eq!(reporter.staged_frames(), 0);
    let later = finding("a", 0.0, START_MS, START_MS + 120_000);
    let again = commit(&reporter, &seen(&Frame::new(30), &later)).await;
    assert_eq!(again, Committed::SightingOf(committed.case_id().to_owned()));

    let posted = event(&mut events, case_posted).await;
    let sighting = event(&mut events, sighting_posted).await;
    assert!(poster.shutdown(DEADLINE).await);
    assert_eq!(posted.case_id, committed.case_id());
    let kept = desk.kept();
    assert_eq!(kept.cases.values().collect::<Vec<_>>(), [&posted]);
    let roles: Vec<_> = posted.evidence.iter().map(|e| e.role).collect();
    use EvidenceRole::{Annotated, Confirming, Crop, First, Latest};
    assert_eq!(roles, [First, Confirming, Crop, Annotated]);
    assert_eq!(posted.evidence[0].captured_at.as_millis(), START_MS);
    assert_eq!(posted.evidence[1].captured_at.as_millis(), START_MS + 60_000);
    assert!(posted.evidence.iter().all(|e| e.masked));
    assert_eq!(sighting.evidence.iter().map(|e| e.role).collect::<Vec<_>>(), [Latest]);
    assert_eq!(kept.sightings.len(), 1);
    assert_eq!(kept.evidence.len(), 5);
    for jpeg in kept.evidence.values() {
        image::load_from_memory(jpeg).unwrap();
    }
    assert_eq!(reporter.counters().cases_posted, 1);
}

#[tokio::test]
async fn lost_acknowledgements_and_outages_leave_exactly_one() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    use How::{Drop, Hang, Status, StoreThenDrop, StoreThenHang, StoreThenStatus};
    for on in [On::Evidence, On::Case, On::Sighting] {
        let how = [StoreThenDrop, StoreThenHang, StoreThenStatus(500), StoreThenStatus(502), Drop, Hang];
        desk.fail(how.map(|how| (on, how)));
        desk.fail([408, 425, 429, 500, 503].map(|status| (on, Status(status))));
    }
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let found = finding("a", 0.0, START_MS, START_MS + 60_000);
    commit(&reporter, &confirmed(&Frame::new(20), &found)).await;
    let later = finding("a", 0.0, START_MS, START_MS + 120_000);
    commit(&reporter, &seen(&Frame::new(30), &later)).await;

    event(&mut events, sighting_posted).await;
    let kept = desk.kept();
    assert!(kept.faults.is_empty(), "{:?}", kept.faults);
    assert_eq!((kept.cases.len(), kept.sightings.len(), kept.evidence.len()), (1, 1, 4));
    let counts = kept.arrivals.iter().filter(|(on, _)| *on == On::Case).count();
    assert_eq!(counts, 12, "eleven failures and the one that counts");
    assert_eq!(reporter.counters().posts_retried, 33);
}

#[tokio::test]
async fn a_desk_that_asks_for_time_gets_it() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    desk.fail([(On::Case, How::Busy(1))]);
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let started = Instant::now();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    event(&mut events, case_posted).await;
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn order_is_kept_within_a_case_and_one_failing_case_holds_up_no_other() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut failing = Vec::new();
    // More failing cases than posts at a time.
    for i in 0..6 {
        let (east_m, first_ms) = (f64::from(i) * 100.0, START_MS + i64::from(i));
        let found = finding("a", east_m, first_ms, first_ms + 1000);
        failing.push(commit(&reporter, &confirmed(&Frame::new(i as u8), &found)).await.case_id().to_owned());
        for n in 2..5 {
            let later = finding("a", east_m, first_ms, first_ms + 1000 * n);
            commit(&reporter, &seen(&Frame::new(i as u8), &later)).await;
        }
    }
    desk.kept().failing.extend(failing.clone());
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    let good = finding("b", 5000.0, START_MS, START_MS + 1000);
    let good = commit(&reporter, &confirmed(&Frame::new(99), &good)).await;
    let posted = event(&mut events, case_posted).await;
    assert_eq!(posted.case_id, good.case_id());
    desk.until("every failing case is tried again", |kept| {
        failing.iter().all(|id| kept.arrivals.iter().filter(|(_, about)| about == id).count() >= 3)
    })
    .await;
    assert_eq!(desk.arrivals(On::Sighting), 0, "no sighting before its case");

    desk.kept().failing.clear();
    desk.until("all sightings", |kept| kept.sightings.len() == 18).await;
    assert!(poster.shutdown(DEADLINE).await);
    let kept = desk.kept();
    for id in &failing {
        let at: Vec<_> =
            kept.sightings.iter().filter(|(case, _)| case == id).map(|(_, s)| s.at.as_millis()).collect();
        assert!(at.len() == 3 && at.is_sorted(), "{at:?}");
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_its_reason_waits_for_a_hand_and_then_goes() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    desk.fail([(On::Case, How::Status(422))]);
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    commit(&reporter, &seen(&Frame::new(2), &finding("a", 0.0, START_MS, START_MS + 2))).await;
    let seq = event(&mut events, |e| match e {
        PostEvent::Dead { seq, reason, .. } => {
            assert!(reason.contains("422") && reason.contains("on command"), "{reason}");
            Some(seq)
        }
        _ => None,
    })
    .await;
    let dead = reporter.store().outbox(Some(OutboxState::Dead)).await.unwrap();
    assert_eq!((dead.len(), dead[0].seq), (1, seq));
    assert!(dead[0].last_error.as_ref().unwrap().contains("422"));
    let counts = reporter.store().outbox_counts().await.unwrap();
    assert_eq!((counts.pending, counts.done, counts.dead), (1, 0, 1), "the sighting waits for its case");

    assert_eq!(reporter.retry_dead(Retry::Seq(seq + 100)).await.unwrap(), 0);
    assert_eq!(reporter.retry_dead(Retry::Seq(seq)).await.unwrap(), 1);
    event(&mut events, case_posted).await;
    event(&mut events, sighting_posted).await;
    assert_eq!(desk.kept().cases.len(), 1);
}

#[tokio::test]
async fn a_dead_sighting_does_not_hold_up_the_next() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    desk.fail([(On::Sighting, How::Status(422))]);
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    for n in 2..4 {
        commit(&reporter, &seen(&Frame::new(2), &finding("a", 0.0, START_MS, START_MS + n))).await;
    }
    assert_eq!(event(&mut events, sighting_posted).await.at.as_millis(), START_MS + 3);
}

#[tokio::test]
async fn what_was_pending_at_a_restart_is_posted() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let config = config(dir.path(), &desk.url());
    let reporter = reopen(&config).await;
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    desk.fail([(On::Case, How::StoreThenHang)]);
    let poster = reporter.spawn_poster();
    desk.until("the desk has the case", |kept| kept.cases.len() == 1).await;
    drop(poster); // In the middle of the request, as a crash would.
    drop(reporter);
    let reporter = reopen(&config).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    event(&mut events, case_posted).await;
    assert_eq!(desk.arrivals(On::Case), 2);
    assert_eq!(desk.kept().cases.len(), 1);
}

#[tokio::test]
async fn a_wrong_token_or_a_redirect_loses_nothing_and_is_said_once() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    desk.kept().token = "another".into();
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    desk.until("several tries", |kept| kept.arrivals.len() >= 5).await;
    {
        let mut kept = desk.kept();
        kept.token = TOKEN.into();
        kept.faults.extend([301, 302, 307, 308, 403, 404].map(|s| (On::Case, How::Status(s))));
    }
    let mut said = 0;
    event(&mut events, |e| {
        if let PostEvent::Troubled { reason, misconfigured } = &e {
            assert!(*misconfigured && reason.contains("401") && !reason.contains(TOKEN), "{reason}");
            said += 1;
        }
        case_posted(e)
    })
    .await;
    assert_eq!(said, 1);
    assert_eq!(desk.kept().cases.len(), 1);
    assert!(reporter.counters().posts_refused_by_configuration >= 11);
    assert_eq!(reporter.counters().posts_dead, 0);
}

#[tokio::test]
async fn a_closed_case_that_comes_back_is_a_new_one_linked_to_it() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let found = |camera, n| finding(camera, 0.0, START_MS, START_MS + n);
    let old = commit(&reporter, &confirmed(&Frame::new(1), &found("a", 1))).await;
    event(&mut events, case_posted).await;
    desk.kept().closed.insert(old.case_id().to_owned());
    commit(&reporter, &seen(&Frame::new(3), &found("a", 3))).await;
    let closed = event(&mut events, |e| match e {
        PostEvent::CaseClosed { case_id } => Some(case_id),
        _ => None,
    })
    .await;
    assert_eq!(closed, old.case_id());
    let posted = event(&mut events, case_posted).await;
    assert_eq!(posted.linked_case_id.as_deref(), Some(old.case_id()));
    let new = Committed::Opened(posted.case_id);
    // The look that opened it, handed in again, and another camera's view of it.
    let again = commit(&reporter, &seen(&Frame::new(3), &found("a", 3))).await;
    assert_eq!(again, Committed::AlreadyCommitted(new.case_id().to_owned()));
    let other = commit(&reporter, &confirmed(&Frame::new(4), &found("b", 4))).await;
    assert_eq!(other, Committed::SightingOf(new.case_id().to_owned()));
    assert_eq!(desk.kept().cases.len(), 2);

    // The next closing is followed by the next link.
    event(&mut events, sighting_posted).await;
    desk.kept().closed.insert(new.case_id().to_owned());
    commit(&reporter, &seen(&Frame::new(5), &found("a", 5))).await;
    let third = event(&mut events, case_posted).await;
    assert_eq!(third.linked_case_id.as_deref(), Some(new.case_id()));
    // The other camera's spot is still bound to the second case: it joins the third.
    let other = commit(&reporter, &seen(&Frame::new(6), &found("b", 6))).await;
    assert_eq!(other, Committed::SightingOf(third.case_id));
}

#[tokio::test]
async fn a_case_and_its_sighting_name_the_preset() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let at = |at_ms| Finding { preset: Some("market".into()), ..finding("a", 0.0, START_MS, at_ms) };
    commit(&reporter, &confirmed(&Frame::new(1), &at(START_MS + 1))).await;
    commit(&reporter, &seen(&Frame::new(2), &at(START_MS + 2))).await;
    let sighting = event(&mut events, sighting_posted).await;
    assert_eq!(sighting.source.preset.as_deref(), Some("market"));
    let case = reporter.store().cases().await.unwrap().remove(0).case;
    assert_eq!(case.sources, [sighting.source]);
}

#[tokio::test]
async fn the_same_box_in_two_uncalibrated_presets_is_two_cases() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let of = |preset: &str, first_ms| Finding {
        preset: Some(preset.into()),
        location: None,
        unit_grid: None,
        ..finding("a", 0.0, first_ms, first_ms + 1)
    };
    let gate = commit(&reporter, &confirmed(&Frame::new(1), &of("gate", START_MS))).await;
    let market = commit(&reporter, &confirmed(&Frame::new(2), &of("market", START_MS + 10))).await;
    assert!(matches!(market, Committed::Opened(_)));
    let again = commit(&reporter, &confirmed(&Frame::new(3), &of("gate", START_MS + 20))).await;
    assert_eq!(again, Committed::SightingOf(gate.case_id().to_owned()));
}

#[tokio::test]
async fn two_cameras_make_one_case_with_two_sources() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let first =
        commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    let second =
        commit(&reporter, &confirmed(&Frame::new(2), &finding("b", 1.0, START_MS, START_MS + 2))).await;
    assert_eq!(second, Committed::SightingOf(first.case_id().to_owned()));
    let elsewhere =
        commit(&reporter, &confirmed(&Frame::new(3), &finding("b", 80.0, START_MS + 3, START_MS + 4))).await;
    assert!(matches!(elsewhere, Committed::Opened(_)));
    let sighting = event(&mut events, sighting_posted).await;
    assert_eq!(sighting.source.id, "b");
    let cases = reporter.store().cases().await.unwrap();
    assert_eq!(cases.len(), 2);
    let sources: Vec<_> = cases[0].case.sources.iter().map(|s| s.id.as_str()).collect();
    assert_eq!((sources, cases[0].case.sightings), (vec!["a", "b"], 2));
    assert_eq!(cases[0].case.evidence.len(), 4);
}

#[tokio::test]
async fn lost_evidence_is_a_dead_letter_and_the_finding_stays() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut events = reporter.events();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    let copies = dir.path().join("vault/copies/2026-07-01");
    let sha = reporter.store().cases().await.unwrap()[0].case.evidence[1].sha256.clone();
    let path = copies.join(format!("{sha}.jpg"));
    let saved = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _poster = reporter.spawn_poster();
    let reason = event(&mut events, |e| match e {
        PostEvent::Dead { reason, .. } => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.contains(&sha) && reason.contains("not in the vault"), "{reason}");
    assert_eq!(desk.kept().cases.len(), 0);
    // A person sees what it would have posted.
    let letters = reporter.store().dead_letters().await.unwrap();
    let case = &reporter.store().cases().await.unwrap()[0].case;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].body["case_id"], case.case_id.as_str());
    assert_eq!(letters[0].idempotency_key, case.idempotency_key);
    assert!(letters[0].evidence.iter().any(|one| one.as_str() == sha));
    assert_eq!(serde_json::to_value(&letters[0]).unwrap()["last_error"], reason);
    std::fs::write(&path, saved).unwrap();
    reporter.retry_dead(Retry::All).await.unwrap();
    event(&mut events, case_posted).await;
}

#[tokio::test]
async fn shutdown_keeps_its_deadline_and_what_was_under_way() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let mut config = config(dir.path(), &desk.url());
    config.post.request_timeout = DEADLINE;
    let reporter = reopen(&config).await;
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    desk.fail([(On::Case, How::Hang)]);
    let poster = reporter.spawn_poster();
    desk.until("the post is under way", |kept| kept.arrivals.iter().any(|(on, _)| *on == On::Case)).await;
    let started = Instant::now();
    assert!(!poster.shutdown(Duration::from_millis(50)).await);
    assert!(started.elapsed() < Duration::from_secs(5));
    let counts = reporter.store().outbox_counts().await.unwrap();
    assert_eq!((counts.pending, counts.done), (1, 0));
    let mut events = reporter.events();
    let poster = reporter.spawn_poster();
    event(&mut events, case_posted).await;
    assert!(poster.shutdown(DEADLINE).await);
    reporter.close().await;
}

#[tokio::test]
async fn a_desk_that_is_not_there_is_waited_for() {
    let dir = tempdir().unwrap();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let reporter = reopen(&config(dir.path(), &url)).await;
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    let misconfigured = event(&mut events, |e| match e {
        PostEvent::Troubled { misconfigured, .. } => Some(misconfigured),
        _ => None,
    })
    .await;
    assert!(!misconfigured);
    let counts = reporter.store().outbox_counts().await.unwrap();
    assert_eq!((counts.pending, counts.dead), (1, 0));
}

#[tokio::test]
async fn a_page_that_says_200_is_no_acknowledgement() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    for on in [On::Evidence, On::Case, On::Sighting] {
        desk.fail([200, 201, 202, 204].map(|status| (on, How::Status(status))));
    }
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let found = finding("a", 0.0, START_MS, START_MS + 60_000);
    commit(&reporter, &confirmed(&Frame::new(20), &found)).await;
    commit(&reporter, &seen(&Frame::new(30), &finding("a", 0.0, START_MS, START_MS + 120_000))).await;
    event(&mut events, sighting_posted).await;
    let kept = desk.kept();
    assert_eq!((kept.cases.len(), kept.sightings.len(), kept.evidence.len()), (1, 1, 4));
    assert_eq!(reporter.counters().posts_retried, 12);
}

#[tokio::test]
async fn cases_that_hang_leave_room_for_one_that_does_not() {
    let (dir, desk) = (tempdir().unwrap(), FakeDesk::start().await);
    let reporter = reopen(&config(dir.path(), &desk.url())).await;
    let mut hanging = Vec::new();
    for i in 0..12 {
        let (east_m, first_ms) = (f64::from(i) * 100.0, START_MS + i64::from(i));
        let found = finding("a", east_m, first_ms, first_ms + 1000);
        hanging.push(commit(&reporter, &confirmed(&Frame::new(i as u8), &found)).await.case_id().to_owned());
    }
    desk.kept().hanging.extend(hanging.clone());
    let mut events = reporter.events();
    let _poster = reporter.spawn_poster();
    let tried = |kept: &crate::fake_desk::Kept| {
        kept.arrivals.iter().filter(|(_, about)| hanging.contains(about)).count()
    };
    desk.until("each has hung once, and four again", |kept| tried(kept) >= 16).await;
    let good = finding("b", 5000.0, START_MS, START_MS + 1000);
    commit(&reporter, &confirmed(&Frame::new(99), &good)).await;
    let before = tried(&desk.kept());
    event(&mut events, case_posted).await;
    let between = tried(&desk.kept()) - before;
    assert!(between <= 4, "{between} posts of hanging cases went before it");
}
