use super::*;
use crate::{node, script};

/// The verdict on a node that ran to its end, after somebody was at its folder.
fn after(meddle: impl AsyncFnOnce(&Path, &SqlitePool)) -> Verdict {
    let (seed, things) = (3, 4);
    let whole = script::findings(&script::steps(seed, things).unwrap());
    let folder = tempfile::tempdir().unwrap();
    node::run(folder.path(), seed, things).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = open(&folder.path().join("desk/desk.sqlite")).await.unwrap().unwrap();
        meddle(folder.path(), &desk).await;
        desk.close().await;
        of(folder.path(), &Owed { told: &whole, whole: Some(&whole) }).await.unwrap()
    })
}

async fn change(desk: &SqlitePool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(desk).await.unwrap();
}

#[test]
fn a_node_that_ran_to_its_end_has_everything_once() {
    let verdict = after(async |_, _| {});
    assert!(verdict.is_good(), "{verdict:?}");
}

#[test]
fn what_is_gone_from_the_desk_is_lost() {
    let gone = "PRAGMA foreign_keys = OFF; DELETE FROM evidence WHERE sighting_seq = 1; DELETE FROM sightings WHERE seq = 1";
    let verdict = after(async |_, desk| change(desk, gone).await);
    assert!(verdict.lost.len() >= 2 && verdict.double.is_empty(), "{verdict:?}");
}

#[test]
fn what_is_on_the_desk_twice_is_double() {
    let twice = "INSERT INTO sightings (idempotency_key, case_seq, body_sha256, at_ms, received_ms, posted)
        SELECT 'another key', case_seq, body_sha256, at_ms, received_ms, posted FROM sightings WHERE seq = 1";
    let verdict = after(async |_, desk| change(desk, twice).await);
    assert_eq!((verdict.lost.len(), verdict.double.len()), (0, 2), "the finding and its key: {verdict:?}");
}

#[test]
fn a_picture_that_is_gone_is_evidence_that_is_not_whole() {
    let verdict = after(async |folder, _| {
        let day = fs::read_dir(folder.join("report/vault/copies")).unwrap().next().unwrap().unwrap().path();
        let picture = fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(&picture).unwrap();
        let sha256 = picture.file_stem().unwrap().to_str().unwrap();
        fs::remove_file(folder.join("desk/evidence").join(&sha256[..2]).join(sha256)).unwrap();
    });
    assert!(verdict.lost.is_empty() && verdict.evidence.len() == 2, "{verdict:?}");
}
