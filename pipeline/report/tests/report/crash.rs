//! The disk half: idempotent, cut off at every step, and honest about what could not be masked.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use calib::class::Class;
use calib::space::ImageBox;
use logic::case::EvidenceRole;
use logic::look::{CameraId, Detection};
use report::{Committed, ErrorClass, Handled, Job, Manifest, ReportError, Reporter, Shot, Store, prepare};
use tempfile::tempdir;

use crate::scene::*;

/// Nobody listens there; no poster runs in these tests.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Drives a future until it has waited `waits` times, then drops it where it stands: `None`.
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

fn manifest(folder: &Path, case_id: &str) -> Manifest {
    let path = folder.join(format!("vault/cases/{case_id}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn rows(reporter: &Reporter) -> usize {
    reporter.store().outbox(None).await.unwrap().len()
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_one_case_with_all_its_pictures() {
    let found = finding("a", 0.0, START_MS, START_MS + 60_000);
    let (first, now) = (Frame::new(1), Frame::new(2));
    let job = confirmed(&now, &found);
    let mut cuts = 0;
    for waits in 0.. {
        let dir = tempdir().unwrap();
        let config = config(dir.path(), NOWHERE);
        let reporter = reopen(&config).await;
        reporter.commit(&appeared(&first, "a", START_MS)).await.unwrap();
        let whole = cut_after(waits, reporter.commit(&job)).await.is_some();
        drop(reporter);

        let reporter = reopen(&config).await;
        let committed = commit(&reporter, &job).await;
        let cases = reporter.store().cases().await.unwrap();
        assert_eq!((cases.len(), rows(&reporter).await), (1, 1), "cut after {waits} waits");
        assert_eq!(committed.case_id(), cases[0].case.case_id);
        let roles: Vec<_> = cases[0].case.evidence.iter().map(|e| e.role).collect();
        use EvidenceRole::{Annotated, Confirming, Crop, First};
        assert_eq!(roles, [First, Confirming, Crop, Annotated], "cut after {waits} waits");
        assert_eq!(manifest(dir.path(), committed.case_id()).pictures.len(), 4);
        assert_eq!(reporter.staged_frames(), 0);
        for record in manifest(dir.path(), committed.case_id()).pictures {
            let day = dir.path().join("vault/originals/2026-07-01");
            assert!(day.join(format!("{}.jpg", record.original_sha256)).is_file());
        }
        if whole {
            assert!(matches!(committed, Committed::AlreadyCommitted(_)));
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 5, "only {cuts} places to cut at");
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_sighting_counts_it_once() {
    let found = finding("a", 0.0, START_MS, START_MS + 1);
    let later = seen(&Frame::new(2), &finding("a", 0.0, START_MS, START_MS + 2));
    for waits in 0.. {
        let dir = tempdir().unwrap();
        let config = config(dir.path(), NOWHERE);
        let reporter = reopen(&config).await;
        commit(&reporter, &confirmed(&Frame::new(1), &found)).await;
        let whole = cut_after(waits, reporter.commit(&later)).await.is_some();
        drop(reporter);
        let reporter = reopen(&config).await;
        let case_id = commit(&reporter, &later).await.case_id().to_owned();
        let cases = reporter.store().cases().await.unwrap();
        assert_eq!((cases.len(), cases[0].case.sightings, rows(&reporter).await), (1, 2, 2));
        assert_eq!(manifest(dir.path(), &case_id).pictures.len(), 4);
        if whole {
            break;
        }
    }
}

#[tokio::test]
async fn the_same_finding_twice_is_one_case_even_when_it_was_never_confirmed_here() {
    let dir = tempdir().unwrap();
    let config = config(dir.path(), NOWHERE);
    let reporter = reopen(&config).await;
    // Seen without a confirmation: the service ended between the snapshot of one run and the next.
    let job = seen(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 5));
    let opened = commit(&reporter, &job).await;
    assert!(matches!(opened, Committed::Opened(_)));
    let already = Committed::AlreadyCommitted(opened.case_id().to_owned());
    assert_eq!(commit(&reporter, &job).await, already);
    let confirmation = confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 9));
    assert_eq!(commit(&reporter, &confirmation).await, already);
    drop(reporter);
    let reporter = reopen(&config).await;
    assert_eq!(commit(&reporter, &job).await, already);
    assert_eq!(rows(&reporter).await, 1);
    // A frame that is in no case is not kept.
    let other_frame = confirmed(&Frame::new(77), &finding("a", 0.0, START_MS, START_MS + 9));
    assert_eq!(commit(&reporter, &other_frame).await, already);
    let originals = std::fs::read_dir(dir.path().join("vault/originals/2026-07-01")).unwrap();
    assert_eq!(originals.count(), 1);
    assert_eq!(reporter.store().cases().await.unwrap()[0].case.evidence.len(), 3);
}

#[tokio::test]
async fn two_services_cannot_use_one_folder_but_a_list_can_be_read_beside() {
    let dir = tempdir().unwrap();
    assert!(matches!(Store::open_beside(dir.path()).await, Err(ReportError::NoStore { .. })));
    let config = config(dir.path(), NOWHERE);
    let reporter = reopen(&config).await;
    let refused = Reporter::open(config.clone()).await.unwrap_err();
    assert!(matches!(refused, ReportError::FolderInUse { .. }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::Reject);
    commit(&reporter, &confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1))).await;
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.cases().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_masked_does_not_leave_but_the_finding_does() {
    let bounds = ImageBox::from([f32::NAN, 0.0, 0.5, 0.5]);
    let unknown = [Detection { class: Class::Person, score: 0.5, bounds }];
    does_not_leave(Some(&unknown)).await;
    // A model had no answer.
    does_not_leave(None).await;
}

async fn does_not_leave(detections: Option<&[Detection]>) {
    let dir = tempdir().unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let frame = Frame::new(1);
    let finding = finding("a", 0.0, START_MS, START_MS + 1);
    let shot = Shot { detections, ..frame.shot(START_MS + 1, &[]) };
    let job = prepare(Job::Confirmed { finding, shot, provenance: provenance() });
    assert!(job.picture_fault().is_some());
    let committed = commit(&reporter, &job).await;
    let case = &reporter.store().cases().await.unwrap()[0].case;
    assert!(case.evidence.is_empty());
    let manifest = manifest(dir.path(), committed.case_id());
    assert_eq!(manifest.pictures.len(), 1);
    assert_eq!(manifest.pictures[0].copy_sha256, None);
    let original = format!("vault/originals/2026-07-01/{}.jpg", manifest.pictures[0].original_sha256);
    assert!(dir.path().join(original).is_file());
    assert!(!dir.path().join("vault/copies/2026-07-01").exists());
    assert_eq!(reporter.counters().frames_unmaskable, 1);
}

#[tokio::test]
async fn a_broken_frame_does_not_lose_its_finding() {
    let dir = tempdir().unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let frame = Frame::new(1);
    let mut shot = frame.shot(START_MS + 1, &[]);
    shot.view.height = 4000;
    let finding = finding("a", 0.0, START_MS, START_MS + 1);
    let job = Job::Confirmed { finding, shot, provenance: provenance() };
    assert!(matches!(reporter.handle(job).await.unwrap(), Handled::Committed(Committed::Opened(_))));
    assert_eq!(reporter.counters().frames_unusable, 1);
    let staged = Job::Appeared { camera: CameraId::new("a"), spot: spot(1), shot };
    assert_eq!(reporter.handle(staged).await.unwrap(), Handled::NotStaged);
}

#[tokio::test]
async fn a_failing_disk_is_an_error_to_try_again_and_nothing_is_half_done() {
    let dir = tempdir().unwrap();
    let reporter = reopen(&config(dir.path(), NOWHERE)).await;
    let job = confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1));
    let copies = dir.path().join("vault/copies");
    std::fs::remove_dir(&copies).unwrap();
    std::fs::write(&copies, b"in the way").unwrap();
    let failed = reporter.commit(&job).await.unwrap_err();
    assert_eq!(failed.class(), ErrorClass::Retry, "{failed}");
    assert!(failed.to_string().contains("copies"), "{failed}");
    assert_eq!(rows(&reporter).await, 0);
    std::fs::remove_file(&copies).unwrap();
    assert!(matches!(commit(&reporter, &job).await, Committed::Opened(_)));
}

#[tokio::test]
async fn snapshots_and_staged_frames_survive_and_go() {
    let dir = tempdir().unwrap();
    let config = config(dir.path(), NOWHERE);
    let reporter = reopen(&config).await;
    let a = CameraId::new("a");
    assert_eq!(reporter.load_watch(&a).await.unwrap(), None);
    for json in ["{\"n\":1}", "{\"n\":2}"] {
        let job = Job::Snapshot { camera: a.clone(), json: json.into() };
        assert_eq!(reporter.handle(job).await.unwrap(), Handled::Saved);
    }
    assert_eq!(reporter.load_scene(&a).await.unwrap(), None);
    for json in ["[1]", "[2]"] {
        let job = Job::Scene { camera: a.clone(), json: json.into() };
        assert_eq!(reporter.handle(job).await.unwrap(), Handled::Saved);
    }
    for ms in [1, 2, 3] {
        assert_eq!(
            reporter.commit(&appeared(&Frame::new(1), "a", START_MS + ms)).await.unwrap(),
            Handled::Staged
        );
    }
    drop(reporter);
    let reporter = reopen(&config).await;
    assert_eq!(reporter.load_watch(&a).await.unwrap().as_deref(), Some("{\"n\":2}"));
    assert_eq!(reporter.load_scene(&a).await.unwrap().as_deref(), Some("[2]"));
    assert_eq!(reporter.staged_frames(), 3);
    let dropped = Job::Dropped { camera: a.clone(), spot: spot(START_MS + 1) };
    let gone = Job::Gone { camera: a.clone(), spot: spot(START_MS + 2) };
    for job in [dropped.clone(), gone, dropped] {
        assert_eq!(reporter.handle(job).await.unwrap(), Handled::Unstaged);
    }
    assert_eq!(reporter.staged_frames(), 1);
    let outside = Job::Dropped { camera: CameraId::new("../a"), spot: spot(1) };
    assert!(matches!(reporter.handle(outside).await, Err(ReportError::CameraName(_))));
}

#[tokio::test]
async fn a_manifest_that_a_crash_left_out_is_written_at_the_next_start() {
    let dir = tempdir().unwrap();
    let config = config(dir.path(), NOWHERE);
    let reporter = reopen(&config).await;
    // The manifest cannot be written: its folder is a file.
    let cases = dir.path().join("vault/cases");
    std::fs::remove_dir(&cases).unwrap();
    std::fs::write(&cases, b"in the way").unwrap();
    let job = confirmed(&Frame::new(1), &finding("a", 0.0, START_MS, START_MS + 1));
    let committed = commit(&reporter, &job).await;
    drop(reporter);
    std::fs::remove_file(&cases).unwrap();
    let _reporter = reopen(&config).await;
    let written = manifest(dir.path(), committed.case_id());
    assert_eq!(written.pictures.len(), 3);
    assert!(written.pictures.iter().all(|p| p.config_sha256 == "cd".repeat(32)));
}
