//! What a person sees, and what a page never does.

use reqwest::Method;
use serde_json::json;

use crate::desk_under_test::{Served, case, serve, serve_with};

async fn page(desk: &Served, path: &str) -> (u16, String) {
    let response = desk.client.get(desk.url(path)).bearer_auth(&desk.admin).send().await.unwrap();
    let policy = response.headers()["Content-Security-Policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(response.headers()["Content-Type"], "text/html; charset=utf-8");
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_card_tells_what_where_and_when() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let (status, html) = page(&desk, "/").await;
    assert_eq!(status, 200);
    assert!(html.contains("还没有案件"), "the empty state");
    let (annotated, crop) = (desk.picture().await, desk.picture().await);
    let sent = case(&[("annotated", &annotated), ("crop", &crop)]);
    desk.file(&sent).await;
    let (_, html) = page(&desk, "/").await;
    let id = sent["case_id"].as_str().unwrap();
    for word in [
        "占道经营",
        "09006",
        "GB/T 47678.5-2026",
        "371329001005012",
        "LS-G-017",
        "ls-012",
        "待审核",
        "2026-07-01 16:34:00",
        "0.83",
        "1.8",
        "118.650000",
        &annotated,
        &crop,
        id,
        "http-equiv=\"refresh\"",
    ] {
        assert!(html.contains(word), "{word} is not on the page");
    }
    let (_, still) = page(&desk, "/?refresh=off&state=reported").await;
    assert!(!still.contains("http-equiv=\"refresh\"") && still.contains(id));
    let (_, none) = page(&desk, "/?state=closed").await;
    assert!(none.contains("没有符合条件的案件") && !none.contains(id));
    let (status, sorry) = page(&desk, "/?state=open").await;
    assert_eq!(status, 400);
    assert!(sorry.contains("reported or closed"));

    let (status, html) = page(&desk, &format!("/cases/{id}")).await;
    assert_eq!(status, 200);
    for word in [&annotated, &crop, "SHA-256", &format!("/api/v1/cases/{id}"), "收到案件"] {
        assert!(html.contains(word), "{word} is not on the page");
    }
    assert_eq!(page(&desk, "/cases/none").await.0, 404);
    desk.stop().await;
}

#[tokio::test]
async fn the_clock_is_the_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::desk_under_test::config(folder.path());
    config.utc_offset_minutes = -210;
    let desk = serve_with(config).await;
    desk.file(&case(&[])).await;
    let (_, html) = page(&desk, "/").await;
    assert!(html.contains("2026-07-01 05:04:00") && html.contains("UTC−03:30"));
    desk.stop().await;
}

#[tokio::test]
async fn foreign_words_stay_words() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let attack = "\"><script>alert(1)</script><img src=x onerror='a()'>";
    let mut sent = case(&[]);
    sent["matter"]["name"] = json!(attack);
    sent["matter"]["code"] = json!("<b>&\"'");
    sent["matter"]["standard_ref"] = json!(attack);
    sent["sources"][0]["id"] = json!(attack);
    sent["sources"][0]["zone"] = json!(attack);
    sent["sources"][0]["preset"] = json!(attack);
    sent["unit_grid"]["code"] = json!(attack);
    sent["responsibility_grid"] = json!(attack);
    sent["model"]["name"] = json!(attack);
    sent["idempotency_key"] = json!("\"><script>");
    let answer = desk.file(&sent).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = sent["case_id"].as_str().unwrap();
    desk.close(id, attack).await;
    let asked = "/?camera=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&grid=%3Cimg%20src=x%3E";
    for path in ["/", asked, &format!("/cases/{id}"), "/?state=%3Cscript%3E", "/?%3Cscript%3E=1"] {
        let (_, html) = page(&desk, path).await;
        for tag in ["<script", "<img src=x", "<b>"] {
            assert!(!html.contains(tag), "{tag} came through on {path}");
        }
    }
    desk.stop().await;
}

#[tokio::test]
async fn older_cases_are_one_link_away() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    for _ in 0..21 {
        desk.file(&case(&[])).await;
    }
    let (_, html) = page(&desk, "/?camera=ls-012").await;
    assert_eq!(html.matches("<article").count(), 20);
    let start = html.find("/?camera=ls-012&amp;after=").unwrap();
    let link = html[start..].split('"').next().unwrap().replace("&amp;", "&");
    let (_, older) = page(&desk, &link).await;
    assert_eq!(older.matches("<article").count(), 1);
    assert!(!older.contains("http-equiv=\"refresh\""), "a page of the past stands still");
    let head =
        desk.client.request(Method::HEAD, desk.url("/")).bearer_auth(&desk.admin).send().await.unwrap();
    assert_eq!(head.status(), 200);
    desk.stop().await;
}
