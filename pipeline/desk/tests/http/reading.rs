//! Lists, filters, pages of a list, and what an operator asks.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::desk_under_test::{Served, case, serve};

fn ids(list: &Value) -> Vec<String> {
    let cases = list["cases"].as_array().unwrap();
    cases.iter().map(|case| case["case_id"].as_str().unwrap().to_owned()).collect()
}

/// Case `number` of a set that differs in everything that can be filtered by.
async fn file(desk: &Served, number: usize) -> String {
    let mut case = case(&[]);
    // Three share each instant, so that the order has to decide between equals.
    let confirmed_at = format!("2026-07-01T{:02}:00:00Z", number / 3);
    for field in ["first_seen", "confirmed_at", "last_seen"] {
        case[field] = json!(confirmed_at);
    }
    case["matter"]["code"] = json!(["09006", "06010"][number % 2]);
    case["sources"][0]["id"] = json!(format!("camera-{}", number % 3));
    case["unit_grid"]["code"] = json!(format!("unit-{}", number % 4));
    case["responsibility_grid"] = json!(format!("team-{}", number % 5));
    assert_eq!(desk.file(&case).await.status, 201);
    case["case_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_walk_meets_every_case_once_while_others_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let mut filed = Vec::new();
    for number in 0..23 {
        filed.push(file(&desk, number).await);
    }
    let mut walked = Vec::new();
    let mut path = "/api/v1/cases?limit=4".to_owned();
    loop {
        let answer = desk.get(&path).await;
        assert_eq!(answer.status, 200);
        assert!(ids(&answer.body).len() <= 4);
        walked.extend(ids(&answer.body));
        let Some(next) = answer.body["next"].as_str() else { break };
        path = format!("/api/v1/cases?limit=4&after={next}");
        // Newer than every one: not in this walk.
        file(&desk, 60 + walked.len() / 4).await;
    }
    filed.reverse();
    assert_eq!(walked, filed, "newest first, each once");
    desk.stop().await;
}

#[tokio::test]
async fn each_filter_keeps_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let mut filed = Vec::new();
    for number in 0..12 {
        filed.push(file(&desk, number).await);
    }
    desk.close(&filed[0], "gone").await;
    let picked = async |query: &str| -> BTreeSet<usize> {
        let answer = desk.get(&format!("/api/v1/cases?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        ids(&answer.body).iter().map(|id| filed.iter().position(|other| other == id).unwrap()).collect()
    };
    let of = |wanted: &dyn Fn(usize) -> bool| (0..12).filter(|n| wanted(*n)).collect::<BTreeSet<usize>>();
    assert_eq!(picked("state=closed").await, of(&|n| n == 0));
    assert_eq!(picked("state=reported&matter=09006").await, of(&|n| n % 2 == 0 && n != 0));
    assert_eq!(picked("matter=GB/T%2047678.5-2026%2006010").await, of(&|n| n % 2 == 1));
    assert_eq!(picked("matter=GB/T%2030428.2-2013%2006010").await, of(&|_| false));
    assert_eq!(picked("grid=unit-2").await, of(&|n| n % 4 == 2));
    assert_eq!(picked("grid=team-2").await, of(&|n| n % 5 == 2));
    assert_eq!(picked("camera=camera-1&grid=unit-1").await, of(&|n| n % 3 == 1 && n % 4 == 1));
    let hours = "since=2026-07-01T01:00:00Z&until=2026-07-01T03:00:00Z";
    assert_eq!(picked(hours).await, of(&|n| (3..9).contains(&n)));
    assert_eq!(picked("since=2026-07-01T10:00:00%2B08:00&state=").await, of(&|n| n >= 6));
    assert_eq!(picked("camera=%27%20OR%201=1%20--").await, of(&|_| false));
    desk.stop().await;
}

#[tokio::test]
async fn a_filter_that_is_not_understood_is_a_400() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let answer = desk.get("/api/v1/cases?state=open&since=now&limit=501&after=9&page=2&until=%00").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.fields(), ["state", "since", "limit", "after", "page", "until"]);
    let turned = desk.get("/api/v1/cases?since=2026-07-02T00:00:00Z&until=2026-07-01T00:00:00Z").await;
    assert_eq!((turned.status.as_u16(), turned.fields()), (400, vec!["until"]));
    assert_eq!(desk.get("/api/v1/cases/none").await.code(), "no_such_case");
    assert_eq!(desk.get("/api/v2/cases").await.code(), "no_such_route");
    let response = desk.client.delete(desk.url("/api/v1/cases")).send().await.unwrap();
    assert_eq!(response.status(), 405);
    desk.stop().await;
}

#[tokio::test]
async fn health_and_metrics_tell_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    desk.file(&filed).await;
    desk.close(filed["case_id"].as_str().unwrap(), "gone").await;
    desk.filed().await;
    assert_eq!(desk.get("/livez").await.status, 200);
    let ready = desk.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body), (200, json!("store ok\nevidence ok\n")));
    desk.get("/nowhere/else").await;
    let text = desk.get("/metrics").await.body.as_str().unwrap().to_owned();
    for line in [
        "desk_store_up 1",
        "desk_cases_total 2",
        "desk_cases{state=\"reported\"} 1",
        "desk_cases{state=\"closed\"} 1",
        "desk_sightings_total 0",
        "desk_http_requests_total{method=\"POST\",route=\"/api/v1/cases\",status=\"201\"} 2",
        "desk_http_requests_total{method=\"POST\",route=\"/api/v1/cases\",status=\"200\"} 1",
        "desk_http_requests_total{method=\"PUT\",route=\"/api/v1/evidence/{sha256}\",status=\"201\"} 2",
        "desk_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let document = desk.get("/api/v1/openapi.json").await;
    assert_eq!(document.body["openapi"], "3.1.0");
    desk.stop().await;
}

#[tokio::test]
async fn a_desk_that_cannot_write_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    std::fs::remove_dir(folder.path().join("evidence/.incoming")).unwrap();
    let ready = desk.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body), (503, json!("store ok\nevidence failed\n")));
    let upload = desk.put(crate::desk_under_test::picture()).await;
    assert_eq!((upload.status.as_u16(), upload.code()), (500, "internal"));
    assert!(!upload.body.to_string().contains("No such file"), "the inside stays inside");
    desk.stop().await;
}
