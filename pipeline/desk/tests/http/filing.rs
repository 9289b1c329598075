//! A case comes in: once, whole, and only when it is right.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk_under_test::{Answer, TOKEN, case, serve, sha256};

#[tokio::test]
async fn a_case_is_filed_once_and_given_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let sent = case(&[("first", &desk.picture().await), ("crop", &desk.picture().await)]);
    let created = desk.file(&sent).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.body, sent);
    let again = desk.file(&sent).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &sent));
    let id = sent["case_id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("/api/v1/cases/{id}")).await.body, sent);
    // Another order of keys and other white space are the same body.
    let pretty = serde_json::to_string_pretty(&sent).unwrap();
    let request = desk
        .write(Method::POST, "/api/v1/cases")
        .header("Idempotency-Key", sent["idempotency_key"].as_str().unwrap())
        .header("Content-Type", "application/json; charset=utf-8")
        .body(pretty);
    assert_eq!(request.send().await.unwrap().status(), 200);
    desk.stop().await;
}

#[tokio::test]
async fn a_longitude_comes_back_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let mut sent = case(&[]);
    sent["location"]["lon"] = json!(118.65_f64.next_up());
    sent["location"]["lat"] = json!(34.92_f64.next_down());
    assert_eq!(desk.file(&sent).await.status, 201);
    let id = sent["case_id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("/api/v1/cases/{id}")).await.body["location"], sent["location"]);
    desk.stop().await;
}

#[tokio::test]
async fn fifty_at_once_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let desk = std::sync::Arc::new(serve(folder.path()).await);
    let sent = case(&[("crop", &desk.picture().await)]);
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let (desk, sent) = (desk.clone(), sent.clone());
            tokio::spawn(async move { desk.file(&sent).await })
        })
        .collect();
    let mut created = 0;
    for post in posts {
        let answer = post.await.unwrap();
        created += u32::from(answer.status == 201);
        assert!(answer.status.is_success(), "{}", answer.body);
        assert_eq!(answer.body, sent);
    }
    assert_eq!(created, 1);
    assert_eq!(desk.get("/api/v1/cases").await.body["cases"].as_array().unwrap().len(), 1);
    std::sync::Arc::into_inner(desk).unwrap().stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_an_id_to_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let sent = case(&[]);
    assert_eq!(desk.file(&sent).await.status, 201);
    let mut other_body = sent.clone();
    other_body["score"] = json!(0.5);
    let answer = desk.file(&other_body).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "key_reused"));
    let mut other_key = sent.clone();
    other_key["idempotency_key"] = json!(Uuid::new_v4());
    let answer = desk.file(&other_key).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "case_id_taken"));
    assert_eq!(desk.get("/api/v1/cases").await.body["cases"], json!([sent]));
    desk.stop().await;
}

#[tokio::test]
async fn every_fault_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let absent = sha256(b"never put");
    let mut wrong = case(&[("crop", &absent), ("latest", "../../../etc/passwd"), ("latest", &absent)]);
    wrong["case_id"] = json!("7");
    wrong["linked_case_id"] = json!("7");
    wrong["state"] = json!("closed");
    wrong["matter"] = json!({"standard_ref": "", "code": "09 006", "name": "a\u{7}b"});
    wrong["first_seen"] = json!("2026-07-01T09:00:00Z");
    wrong["last_seen"] = json!("2026-07-01T07:00:00Z");
    wrong["sightings"] = json!(0);
    wrong["sources"] = json!([]);
    wrong["location"] = json!({"lon": 181.0, "lat": -91.0, "crs": "GCJ-02", "error_m": -1.0});
    wrong["unit_grid"] =
        json!({"code": " ", "probability": 1.5, "boundary": [{"code": "", "probability": -0.1}]});
    wrong["responsibility_grid"] = json!("x".repeat(201));
    wrong["score"] = json!(1.01);
    wrong["model"]["sha256"] = json!("ABC");
    wrong["config_sha256"] = json!("");
    wrong["evidence"][0]["masked"] = json!(false);
    wrong["evidence"][0]["uri"] = json!("javascript:alert(1)");
    let answer = desk.file(&wrong).await;
    assert_eq!(answer.status, 422);
    let mut fields = answer.fields();
    fields.sort_unstable();
    fields.dedup();
    let mut wanted = vec![
        "case_id",
        "linked_case_id",
        "state",
        "matter.standard_ref",
        "matter.code",
        "matter.name",
        "confirmed_at",
        "last_seen",
        "sightings",
        "sources",
        "location.lon",
        "location.lat",
        "location.crs",
        "location.error_m",
        "unit_grid.code",
        "unit_grid.probability",
        "unit_grid.boundary[0].code",
        "unit_grid.boundary[0].probability",
        "responsibility_grid",
        "score",
        "model.sha256",
        "config_sha256",
        "evidence",
        "evidence[0].masked",
        "evidence[0].uri",
        "evidence[0].sha256",
        "evidence[1].sha256",
        "evidence[2].sha256",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted, "{:#}", answer.body);
    for error in answer.body["errors"].as_array().unwrap() {
        assert!(!error["what"].as_str().unwrap().is_empty() && !error["mend"].as_str().unwrap().is_empty());
    }
    assert!(answer.body.to_string().contains(&absent), "the missing digest is named");
    assert_eq!(desk.get("/api/v1/cases").await.body["cases"], json!([]));
    desk.stop().await;
}

#[tokio::test]
async fn the_header_must_be_the_bodys_key() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let sent = case(&[]);
    let post = || desk.write(Method::POST, "/api/v1/cases").json(&sent);
    for request in [post(), post().header("Idempotency-Key", "another")] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["Idempotency-Key"]));
    }
    desk.stop().await;
}

#[tokio::test]
async fn what_is_no_case_is_refused_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let good = case(&[]);
    let with = |name: &str, value: Value| {
        let mut case = good.clone();
        case[name] = value;
        case.to_string()
    };
    let nested = {
        let mut case = good.clone();
        case["matter"]["weight"] = json!(1);
        case.to_string()
    };
    let tries: Vec<(String, u16, &str)> = vec![
        (String::new(), 400, "-"),
        ("{".to_owned(), 400, "-"),
        (format!("{good} {good}"), 400, "-"),
        ("\u{feff}".to_owned() + &good.to_string(), 400, "-"),
        ("[]".to_owned(), 422, "."),
        (with("colour", json!("red")), 422, "colour"),
        (nested, 422, "matter.weight"),
        (with("state", json!("open")), 422, "state"),
        (with("first_seen", json!("yesterday")), 422, "first_seen"),
        (with("sightings", json!(-1)), 422, "sightings"),
        (with("config_sha256", json!("x".repeat(300 * 1024))), 413, "-"),
    ];
    for (body, status, field) in tries {
        let head: String = body.chars().take(60).collect();
        let request = desk
            .write(Method::POST, "/api/v1/cases")
            .header("Idempotency-Key", "k")
            .header("Content-Type", "application/json")
            .body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.body);
        assert_eq!(answer.fields(), [field], "{head}: {}", answer.body);
    }
    let request = desk.write(Method::POST, "/api/v1/cases").body(good.to_string());
    assert_eq!(request.send().await.unwrap().status(), 415, "not declared as JSON");
    desk.stop().await;
}

#[tokio::test]
async fn nothing_is_written_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    let id = filed["case_id"].as_str().unwrap();
    let sha = sha256(b"x");
    let writes = [
        (Method::POST, "/api/v1/cases".to_owned()),
        (Method::POST, format!("/api/v1/cases/{id}/sightings")),
        (Method::POST, format!("/api/v1/cases/{id}/close")),
        (Method::PUT, format!("/api/v1/evidence/{sha}")),
    ];
    let wrong =
        [None, Some("Bearer wrong".to_owned()), Some(format!("Basic {TOKEN}")), Some("Bearer".to_owned())];
    for (method, path) in &writes {
        for authorization in &wrong {
            let mut request = desk.client.request(method.clone(), desk.url(path)).body("{}");
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path} {authorization:?}");
            assert!(response.headers().contains_key("WWW-Authenticate"));
        }
    }
    assert_eq!(desk.get(&format!("/api/v1/cases/{id}")).await.body, filed, "nothing happened");
    desk.stop().await;
}

#[tokio::test]
async fn a_case_is_closed_once_by_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    let id = filed["case_id"].as_str().unwrap();
    assert_eq!(desk.close(id, "  ").await.fields(), ["reason"]);
    assert_eq!(desk.close(&Uuid::new_v4().to_string(), "gone").await.status, 404);
    let closed = desk.close(id, "现场已清理").await;
    assert_eq!((closed.status.as_u16(), &closed.body["state"]), (200, &json!("closed")));
    let again = desk.close(id, "现场已清理").await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "case_closed"));
    // A repeated post of the case finds it closed and does not open it again.
    let replay = desk.file(&filed).await;
    assert_eq!((replay.status.as_u16(), &replay.body["state"]), (200, &json!("closed")));
    // It comes back as a new case that names the old one.
    let mut back = case(&[]);
    back["linked_case_id"] = json!(id);
    assert_eq!(desk.file(&back).await.status, 201);
    desk.stop().await;
}
