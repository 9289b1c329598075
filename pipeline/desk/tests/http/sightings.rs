//! A case is seen again: counted once, added to, never overwritten by what came late.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk_under_test::{Served, case, piece, serve, sha256, sighting};

async fn see(desk: &Served, case: &Value, sighting: &Value) -> crate::desk_under_test::Answer {
    desk.post(&format!("/api/v1/cases/{}/sightings", case["case_id"].as_str().unwrap()), sighting).await
}

#[tokio::test]
async fn a_second_camera_adds_itself_and_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let (crop, early, late) = (desk.picture().await, desk.picture().await, desk.picture().await);
    let filed = case(&[("crop", &crop)]);
    assert_eq!(desk.file(&filed).await.status, 201);

    let one = sighting(
        "2026-07-01T08:40:00Z",
        "ls-013",
        vec![piece("latest", &early, "2026-07-01T08:40:00Z"), piece("crop", &crop, "2026-07-01T08:40:00Z")],
    );
    let seen = see(&desk, &filed, &one).await;
    assert_eq!(seen.status, 201, "{}", seen.body);
    let mut wanted = filed.clone();
    wanted["sightings"] = json!(2);
    wanted["last_seen"] = json!("2026-07-01T08:40:00.000Z");
    wanted["sources"].as_array_mut().unwrap().push(one["source"].clone());
    let mut latest = one["evidence"][0].clone();
    latest["captured_at"] = json!("2026-07-01T08:40:00.000Z");
    wanted["evidence"].as_array_mut().unwrap().push(latest);
    assert_eq!(seen.body, wanted, "the crop was there already; the score stays");

    let two =
        sighting("2026-07-01T08:50:00Z", "ls-013", vec![piece("latest", &late, "2026-07-01T08:50:00Z")]);
    let seen = see(&desk, &filed, &two).await;
    assert_eq!(seen.body["sightings"], 3);
    assert_eq!(seen.body["sources"].as_array().unwrap().len(), 2);
    let shas: Vec<_> = seen.body["evidence"].as_array().unwrap().iter().map(|e| &e["sha256"]).collect();
    assert_eq!(shas, [&json!(crop), &json!(late)], "one latest");
    assert_eq!(desk.get(&format!("/api/v1/evidence/{early}")).await.status, 200, "the earlier one is kept");

    // Delayed on its way: counts, and takes nothing back.
    let old =
        sighting("2026-07-01T08:36:00Z", "ls-012", vec![piece("latest", &early, "2026-07-01T08:36:00Z")]);
    let seen = see(&desk, &filed, &old).await;
    assert_eq!((seen.status.as_u16(), &seen.body["sightings"]), (201, &json!(4)));
    assert_eq!(seen.body["last_seen"], "2026-07-01T08:50:00.000Z");
    assert_eq!(seen.body["evidence"][1]["sha256"], json!(late));
    desk.stop().await;
}

#[tokio::test]
async fn a_sighting_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let desk = std::sync::Arc::new(serve(folder.path()).await);
    let filed = desk.filed().await;
    let one = sighting("2026-07-01T08:40:00Z", "ls-013", vec![]);
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let (desk, filed, one) = (desk.clone(), filed.clone(), one.clone());
            tokio::spawn(async move { see(&desk, &filed, &one).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for post in posts {
        statuses.push(post.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[..49].iter().all(|s| *s == 200), statuses[49]), (true, 201), "{statuses:?}");

    let mut other_body = one.clone();
    other_body["score"] = json!(0.1);
    let answer = see(&desk, &filed, &other_body).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "key_reused"));
    let other_case = desk.filed().await;
    let answer = see(&desk, &other_case, &one).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "key_reused"));
    let stands = desk.get(&format!("/api/v1/cases/{}", filed["case_id"].as_str().unwrap())).await;
    assert_eq!(stands.body["sightings"], 2);
    std::sync::Arc::into_inner(desk).unwrap().stop().await;
}

#[tokio::test]
async fn what_cannot_be_counted_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    let good = sighting("2026-07-01T08:40:00Z", "ls-013", vec![]);
    for id in [Uuid::new_v4().to_string(), "no-uuid".to_owned()] {
        let answer = desk.post(&format!("/api/v1/cases/{id}/sightings"), &good).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "no_such_case"));
    }
    let mut wrong =
        sighting("2026-07-01T08:40:00Z", "", vec![piece("crop", &sha256(b"absent"), "2026-07-01T08:40:00Z")]);
    wrong["score"] = json!(-0.1);
    wrong["evidence"][0]["masked"] = json!(false);
    let answer = see(&desk, &filed, &wrong).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.fields(), ["source.id", "score", "evidence[0].masked", "evidence[0].sha256"]);
    wrong["more"] = json!(1);
    assert_eq!(see(&desk, &filed, &wrong).await.fields(), ["more"]);

    let counted = see(&desk, &filed, &good).await;
    assert_eq!(counted.status, 201);
    assert_eq!(desk.close(filed["case_id"].as_str().unwrap(), "gone").await.status, 200);
    let replay = see(&desk, &filed, &good).await;
    assert_eq!((replay.status.as_u16(), &replay.body["state"]), (200, &json!("closed")), "it was counted");
    let after = sighting("2026-07-01T09:00:00Z", "ls-013", vec![]);
    let answer = see(&desk, &filed, &after).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "case_closed"));
    desk.stop().await;
}
