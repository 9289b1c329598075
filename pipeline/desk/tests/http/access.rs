//! Who may do what: every route for every role, grids, paces, and what is written down of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use desk::{Limits, NewToken, Pace, Role, TokenBook, TokenError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::desk_under_test::{
    Answer, Served, TOKEN, case, config, picture, serve, serve_with, sha256, sighting, token,
};
use crate::evidence::files_under;

/// Nobody, and every role.
const CALLERS: [Option<Role>; 8] = [
    None,
    Some(Role::Viewer),
    Some(Role::Reviewer),
    Some(Role::Dispatcher),
    Some(Role::Handler),
    Some(Role::Administrator),
    Some(Role::CameraIntegrator),
    Some(Role::Service),
];

/// Every operation, what a caller who may gets, and who may, in the order of [`CALLERS`].
const MATRIX: &[(&str, u16, [bool; 8])] = &[
    // nobody, viewer, reviewer, dispatcher, handler, administrator, camera-integrator, service
    ("GET /", 200, [false, true, true, true, true, true, false, true]),
    ("GET /cases/{case_id}", 200, [false, true, true, true, true, true, false, true]),
    ("GET /login", 200, [true; 8]),
    // Only from the desk's own page, whoever it is; `login.rs` has the rest.
    ("POST /login", 303, [true; 8]),
    ("POST /logout", 303, [true; 8]),
    ("GET /style.css", 200, [true; 8]),
    ("GET /icon.svg", 200, [true; 8]),
    ("GET /livez", 200, [true; 8]),
    ("GET /readyz", 200, [true; 8]),
    ("GET /metrics", 200, [false, false, false, false, false, true, true, true]),
    ("GET /api/v1/openapi.json", 200, [true; 8]),
    ("GET /api/v1/cases", 200, [false, true, true, true, true, true, false, true]),
    ("POST /api/v1/cases", 201, [false, false, false, false, false, false, false, true]),
    ("GET /api/v1/cases/{case_id}", 200, [false, true, true, true, true, true, false, true]),
    ("POST /api/v1/cases/{case_id}/sightings", 201, [false, false, false, false, false, false, false, true]),
    ("POST /api/v1/cases/{case_id}/close", 200, [false, false, true, false, false, true, false, false]),
    ("GET /api/v1/evidence/{sha256}", 200, [false, true, true, true, true, true, false, false]),
    ("PUT /api/v1/evidence/{sha256}", 201, [false, false, false, false, false, false, false, true]),
];

/// Every operation of the contract.
async fn operations(desk: &Served) -> BTreeMap<String, Value> {
    let document = desk.get("/api/v1/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
        methods.map(|(m, o)| (format!("{} {path}", m.to_uppercase()), o.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// Asks for one operation in a way that succeeds for who may.
async fn ask(desk: &Served, operation: &str, token: Option<&str>) -> (u16, String) {
    let (method, path) = operation.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let fresh = desk.filed().await;
    let sha = fresh["evidence"][0]["sha256"].as_str().unwrap();
    let new = picture();
    let sha = if method == Method::PUT { sha256(&new) } else { sha.to_owned() };
    let path = path.replace("{case_id}", fresh["case_id"].as_str().unwrap()).replace("{sha256}", &sha);
    let mut request = desk.client.request(method.clone(), desk.url(&path));
    request = match operation {
        "POST /api/v1/cases" => with_key(request, &case(&[])),
        "POST /api/v1/cases/{case_id}/sightings" => {
            with_key(request, &sighting("2026-07-01T08:40:00Z", "ls-013", vec![]))
        }
        "POST /api/v1/cases/{case_id}/close" => request.json(&json!({ "reason": "cleared" })),
        "PUT /api/v1/evidence/{sha256}" => request.body(new),
        "POST /login" => {
            let form = format!("token={}", desk.admin);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
            request.header("Sec-Fetch-Site", "same-origin")
        }
        "POST /logout" => request.header("Sec-Fetch-Site", "same-origin"),
        _ => request,
    };
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn with_key(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("Idempotency-Key", body["idempotency_key"].as_str().unwrap()).json(body)
}

#[tokio::test]
async fn every_role_at_every_route() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = serve(folder.path()).await;
    desk.client = crate::login::client_without_redirects();
    let operations = operations(&desk).await;
    let listed: BTreeSet<&str> = MATRIX.iter().map(|(operation, ..)| *operation).collect();
    let served: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    assert_eq!(listed, served, "an operation without a line here, or a line without an operation");
    let mut tokens = Vec::new();
    for role in CALLERS {
        tokens.push(match role {
            Some(role) => Some(token(folder.path(), NewToken::new(role.name(), role)).await),
            None => None,
        });
    }
    for (operation, wanted, may) in MATRIX {
        for ((role, token), may) in CALLERS.iter().zip(&tokens).zip(may) {
            let (status, said) = ask(&desk, operation, token.as_deref()).await;
            let wanted = match (may, role) {
                (true, _) => *wanted,
                (false, None) => 401,
                (false, Some(_)) => 403,
            };
            assert_eq!(status, wanted, "{operation} as {role:?}: {said}");
            assert!(
                operations[*operation]["responses"][status.to_string()].is_object(),
                "{operation}: {status}"
            );
        }
        // The contract tells the same.
        let told: Option<BTreeSet<&str>> = operations[*operation]["x-roles"]
            .as_array()
            .map(|roles| roles.iter().map(|role| role.as_str().unwrap()).collect());
        let may = CALLERS.iter().zip(may).filter_map(|(role, may)| role.filter(|_| *may));
        let may: BTreeSet<&str> = may.map(Role::name).collect();
        assert_eq!(told.unwrap_or_else(|| Role::ALL.map(Role::name).into()), may, "{operation}");
    }
    desk.stop().await;
}

#[tokio::test]
async fn a_refused_caller_learns_nothing_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    let (id, sha) = (filed["case_id"].as_str().unwrap(), filed["evidence"][0]["sha256"].as_str().unwrap());
    let integrator = token(folder.path(), NewToken::new("i", Role::CameraIntegrator)).await;
    for path in [
        "/".to_owned(),
        format!("/cases/{id}"),
        format!("/api/v1/evidence/{sha}"),
        "/api/v1/cases".to_owned(),
    ] {
        for credential in
            ["", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer", &format!("Bearer {integrator}")]
        {
            let mut request = desk.client.get(desk.url(&path));
            if !credential.is_empty() {
                request = request.header("Authorization", credential);
            }
            let response = request.send().await.unwrap();
            assert!([401, 403].contains(&response.status().as_u16()), "{path} {credential}");
            let said = response.text().await.unwrap();
            for word in [id, sha, "09006", "ls-012"] {
                let echoed = word == id && path.contains(id);
                assert!(echoed || !said.contains(word), "{path} tells {word}");
            }
        }
    }
    // A wrong token is told before a byte of its body is read.
    let fresh = picture();
    let put = desk.client.put(desk.url(&format!("/api/v1/evidence/{}", sha256(&fresh))));
    assert_eq!(put.bearer_auth("wrong").body(fresh).send().await.unwrap().status(), 401);
    assert_eq!(files_under(&folder.path().join("evidence")).len(), 1);
    desk.stop().await;
}

#[tokio::test]
async fn a_token_ends_when_it_is_taken_back_or_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let book = TokenBook::open(folder.path()).await.unwrap();
    let (viewer, row) = book.issue(&NewToken::new("Wang", Role::Viewer)).await.unwrap();
    let short = NewToken { lasts: Some(Duration::ZERO), ..NewToken::new("short", Role::Viewer) };
    let (short, _) = book.issue(&short).await.unwrap();
    assert_eq!(desk.get_as(&viewer, "/api/v1/cases").await.status, 200);
    assert_eq!(desk.get_as(&short, "/api/v1/cases").await.status, 401);
    book.revoke(&row.id).await.unwrap();
    assert_eq!(desk.get_as(&viewer, "/api/v1/cases").await.status, 401, "with the next request");
    for id in [row.id.as_str(), "nobody", "own"] {
        assert!(matches!(book.revoke(id).await, Err(TokenError::Unknown(_))), "{id}");
    }
    let rows = book.list().await.unwrap();
    let gone = rows.iter().find(|listed| listed.id == row.id).unwrap();
    assert!(gone.revoked_at.is_some() && gone.name == "Wang");
    for wrong in [
        NewToken::new(" ", Role::Viewer),
        NewToken::new("a\nb", Role::Viewer),
        NewToken { grids: vec![String::new()], ..NewToken::new("x", Role::Viewer) },
        NewToken { grids: vec!["g".to_owned(); 65], ..NewToken::new("x", Role::Viewer) },
    ] {
        assert!(matches!(book.issue(&wrong).await, Err(TokenError::Invalid { .. })), "{wrong:?}");
    }
    book.close().await;
    desk.stop().await;
}

#[tokio::test]
async fn no_token_is_on_disk_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let viewer = token(folder.path(), NewToken::new("Wang", Role::Viewer)).await;
    assert_eq!(desk.get_as(&viewer, "/api/v1/cases").await.status, 200);
    desk.filed().await;
    let admin = desk.admin.clone();
    desk.stop().await;
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            looked_at += bytes.len();
            for secret in [viewer.as_str(), &viewer[4..], &admin, TOKEN] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a token", path.display());
            }
        }
    }
    assert!(looked_at > 10_000, "the store was read");
}

#[tokio::test]
async fn a_confined_token_sees_its_own_grids_and_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let mut cases = Vec::new();
    for grid in [json!("LS-G-017"), json!("LS-G-018"), json!(null)] {
        let sha = desk.picture().await;
        let mut sent = case(&[("crop", &sha)]);
        sent["responsibility_grid"] = grid;
        sent["matter"]["name"] = json!(format!("matter of {}", cases.len()));
        sent["sources"][0]["id"] = json!(format!("camera-{}", cases.len()));
        assert_eq!(desk.file(&sent).await.status, 201);
        cases.push((sent["case_id"].as_str().unwrap().to_owned(), sha));
    }
    let confined = |role: Role| NewToken { grids: vec!["LS-G-017".to_owned()], ..NewToken::new("own", role) };
    let reviewer = token(folder.path(), confined(Role::Reviewer)).await;
    let list = desk.get_as(&reviewer, "/api/v1/cases").await.body;
    assert_eq!(list["cases"].as_array().unwrap().len(), 1);
    assert_eq!(list["cases"][0]["case_id"], json!(cases[0].0));
    let asked = desk.get_as(&reviewer, "/api/v1/cases?grid=LS-G-018").await.body;
    assert_eq!(asked["cases"], json!([]), "a filter does not widen it");
    let page = desk.get_as(&reviewer, "/").await.body;
    let page = page.as_str().unwrap();
    assert!(page.contains("matter of 0") && page.contains("camera-0") && page.contains("LS-G-017"));
    for word in ["matter of 1", "matter of 2", "camera-1", "camera-2", "LS-G-018"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("<dd class=\"reported\">1</dd>"), "its own are counted");
    let close = async |token: &str, id: &str| {
        let request = desk.client.post(desk.url(&format!("/api/v1/cases/{id}/close"))).bearer_auth(token);
        request.json(&json!({ "reason": "cleared" })).send().await.unwrap().status().as_u16()
    };
    for (number, (id, sha)) in cases.iter().enumerate() {
        let wanted = if number == 0 { 200 } else { 404 };
        for path in [format!("/api/v1/cases/{id}"), format!("/cases/{id}"), format!("/api/v1/evidence/{sha}")]
        {
            assert_eq!(desk.get_as(&reviewer, &path).await.status, wanted, "{path}");
        }
        assert_eq!(close(&reviewer, id).await, wanted);
    }

    // A service that files for one district files for no other.
    let service = token(folder.path(), confined(Role::Service)).await;
    let file = async |grid: Value| {
        let mut sent = case(&[]);
        sent["responsibility_grid"] = grid;
        let request = desk.client.post(desk.url("/api/v1/cases")).bearer_auth(&service);
        Answer::of(with_key(request, &sent).send().await.unwrap()).await
    };
    assert_eq!(file(json!("LS-G-017")).await.status, 201);
    for other in [json!("LS-G-018"), json!(null)] {
        let answer = file(other).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "out_of_scope"));
    }
    let seen = sighting("2026-07-01T08:40:00Z", "ls-013", vec![]);
    let see = async |token: &str, id: &str| {
        let request = desk.client.post(desk.url(&format!("/api/v1/cases/{id}/sightings"))).bearer_auth(token);
        with_key(request, &seen).send().await.unwrap().status().as_u16()
    };
    assert_eq!(see(&service, &cases[1].0).await, 404);
    assert_eq!(see(TOKEN, &cases[1].0).await, 201);
    assert_eq!(see(&service, &cases[1].0).await, 404, "nor by a key that it heard of");
    desk.stop().await;
}

#[tokio::test]
async fn who_comes_too_often_waits_and_the_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut slow = config(folder.path());
    slow.limits = Limits {
        person: Pace { per_second: 0.01, burst: 5.0 },
        refused: Pace { per_second: 0.01, burst: 3.0 },
        ..Limits::default()
    };
    let desk = serve_with(slow).await;
    let hasty = token(folder.path(), NewToken::new("hasty", Role::Viewer)).await;
    let patient = token(folder.path(), NewToken::new("patient", Role::Viewer)).await;
    for _ in 0..5 {
        assert_eq!(desk.get_as(&hasty, "/api/v1/cases").await.status, 200);
    }
    let response = desk.client.get(desk.url("/api/v1/cases")).bearer_auth(&hasty).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["Retry-After"].to_str().unwrap().parse().unwrap();
    assert!((90..=101).contains(&wait), "{wait}");
    assert_eq!(Answer::of(response).await.code(), "too_many");
    assert_eq!(desk.get_as(&patient, "/api/v1/cases").await.status, 200);
    assert_eq!(desk.get("/readyz").await.status, 200, "the open ones are paced by address alone");

    let wrong = async || desk.get_as("wrong", "/api/v1/cases").await.status.as_u16();
    for _ in 0..3 {
        assert_eq!(wrong().await, 401);
    }
    assert_eq!(wrong().await, 429);
    assert_eq!(desk.get_as(&patient, "/api/v1/cases").await.status, 200, "who guesses locks nobody out");
    desk.stop().await;
}

#[tokio::test]
async fn an_address_has_a_pace_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut slow = config(folder.path());
    slow.is_behind_proxy = true;
    slow.limits.address = Pace { per_second: 0.01, burst: 4.0 };
    let desk = serve_with(slow).await;
    let from = async |address: &str| {
        let request = desk.client.get(desk.url("/livez")).header("X-Forwarded-For", address);
        request.send().await.unwrap().status().as_u16()
    };
    // What the caller writes itself, before the proxy's own word, gives it no other bucket.
    for forged in ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"] {
        assert_eq!(from(&format!("{forged}, 203.0.113.9")).await, 200);
    }
    assert_eq!(from("203.0.113.9").await, 429);
    assert_eq!(from("203.0.113.10").await, 200);
    desk.stop().await;
}

#[tokio::test]
async fn every_look_at_evidence_and_every_write_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let book = TokenBook::open(folder.path()).await.unwrap();
    let (viewer, row) = book.issue(&NewToken::new("Wang", Role::Viewer)).await.unwrap();
    let before = book.audit(100).await.unwrap().len();
    let filed = desk.filed().await;
    let (id, sha) = (filed["case_id"].as_str().unwrap(), filed["evidence"][0]["sha256"].as_str().unwrap());
    assert_eq!(desk.file(&filed).await.status, 200, "a repeat changes nothing");
    let seen = sighting("2026-07-01T08:40:00Z", "ls-013", vec![]);
    desk.post(&format!("/api/v1/cases/{id}/sightings"), &seen).await;
    assert_eq!(desk.get_as(&viewer, &format!("/api/v1/evidence/{sha}")).await.status, 200);
    let absent = sha256(b"absent");
    assert_eq!(desk.get_as(&viewer, &format!("/api/v1/evidence/{absent}")).await.status, 404);
    let close = desk.client.post(desk.url(&format!("/api/v1/cases/{id}/close"))).bearer_auth(&viewer);
    assert_eq!(close.json(&json!({ "reason": "x" })).send().await.unwrap().status(), 403);
    desk.close(id, "cleared").await;
    book.revoke(&row.id).await.unwrap();

    let entries = book.audit(100).await.unwrap();
    let made: Vec<_> = entries.iter().rev().skip(before).collect();
    let told: Vec<_> = made.iter().map(|e| (e.what.as_str(), e.role.as_str(), e.target.as_str())).collect();
    let refused = format!("POST /api/v1/cases/{id}/close");
    let wanted = [
        ("evidence_put", "service", sha),
        ("case_filed", "service", id),
        ("case_seen", "service", id),
        ("evidence_read", "viewer", sha),
        ("refused", "viewer", refused.as_str()),
        ("case_closed", "administrator", id),
        ("token_revoked", "terminal", row.id.as_str()),
    ];
    assert_eq!(told, wanted);
    assert_eq!((made[3].who.as_str(), made[3].address.as_str()), (row.id.as_str(), "127.0.0.1"));
    assert!(made[6].who.starts_with("uid "), "{}", made[6].who);
    let verdict = book.verify_audit().await.unwrap();
    assert_eq!((verdict.entries, verdict.fault), (entries.len() as i64, None));
    book.close().await;
    desk.stop().await;
}

/// Where the log cannot be written, no picture is shown.
#[tokio::test]
async fn no_evidence_is_read_that_cannot_be_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let sha = desk.picture().await;
    let path = format!("/api/v1/evidence/{sha}");
    assert_eq!(desk.get(&path).await.status, 200);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("desk.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END";
    sqlx::raw_sql(full).execute(&pool).await.unwrap();
    let answer = desk.get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "internal"));
    assert_eq!(desk.file(&case(&[])).await.status, 500, "and no case is filed");
    sqlx::raw_sql("DROP TRIGGER full").execute(&pool).await.unwrap();
    pool.close().await;
    assert_eq!(desk.get("/api/v1/cases").await.body["cases"], json!([]));
    assert_eq!(desk.get(&path).await.status, 200);
    desk.stop().await;
}
