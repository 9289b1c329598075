//! A desk that keeps the contract, checks that the poster does, and fails on command.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use logic::case::{Case, CaseState, Evidence, Sighting};
use report::Sha256Hex;
use tokio::sync::Notify;

use crate::scene::{DEADLINE, TOKEN};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Evidence,
    Case,
    Sighting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Answers this and stores nothing.
    Status(u16),
    /// Too busy, with a Retry-After in seconds.
    Busy(u64),
    /// Stores nothing and never answers.
    Hang,
    /// Stores nothing and cuts the connection.
    Drop,
    /// Stores, then never answers.
    StoreThenHang,
    /// Stores, then cuts the connection.
    StoreThenDrop,
    /// Stores, then answers this.
    StoreThenStatus(u16),
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) evidence: HashMap<String, Vec<u8>>,
    pub(crate) cases: HashMap<String, Case>,
    pub(crate) case_bodies: HashMap<String, Bytes>,
    pub(crate) sightings: Vec<(String, Sighting)>,
    pub(crate) sighting_bodies: HashMap<String, Bytes>,
    pub(crate) closed: HashSet<String>,
    /// Cases that are answered with 500.
    pub(crate) failing: HashSet<String>,
    /// Cases that are never answered.
    pub(crate) hanging: HashSet<String>,
    pub(crate) faults: VecDeque<(On, How)>,
    /// Every request: what, and the case or hash it was about.
    pub(crate) arrivals: Vec<(On, String)>,
    pub(crate) token: String,
}

struct Shared {
    kept: Mutex<Kept>,
    changed: Notify,
}

/// Runs until dropped.
pub(crate) struct FakeDesk {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDesk {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeDesk {
    pub(crate) async fn start() -> Self {
        let kept = Kept { token: TOKEN.into(), ..Kept::default() };
        let shared = Arc::new(Shared { kept: Mutex::new(kept), changed: Notify::new() });
        let app = Router::new()
            .route("/api/v1/evidence/{sha256}", put(put_evidence))
            .route("/api/v1/cases", post(post_case))
            .route("/api/v1/cases/{case_id}", get(get_case))
            .route("/api/v1/cases/{case_id}/sightings", post(post_sighting))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { shared, address, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap()
    }

    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = (On, How)>) {
        self.kept().faults.extend(faults);
    }

    /// Waits until what is kept satisfies the test.
    pub(crate) async fn until(&self, what: &str, satisfied: impl Fn(&Kept) -> bool) {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                if satisfied(&self.kept()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            panic!("not in time: {what}\n{:?}", self.kept().arrivals);
        }
    }

    pub(crate) fn arrivals(&self, on: On) -> usize {
        self.kept().arrivals.iter().filter(|(kind, _)| *kind == on).count()
    }
}

/// A case as it stands.
async fn get_case(State(shared): State<Arc<Shared>>, Path(case_id): Path<String>) -> Response {
    let kept = shared.kept.lock().unwrap();
    let Some(case) = kept.cases.get(&case_id) else { return StatusCode::NOT_FOUND.into_response() };
    let state = if kept.closed.contains(&case_id) { CaseState::Closed } else { CaseState::Reported };
    axum::Json(Case { state, ..case.clone() }).into_response()
}

/// Notes the request, checks the token and plays the fault of this kind that is next, around `store`.
async fn play(
    shared: &Shared,
    on: On,
    about: &str,
    headers: &HeaderMap,
    store: impl FnOnce(&mut Kept) -> (StatusCode, String),
) -> Response {
    let (fault, answer) = {
        let mut kept = shared.kept.lock().unwrap();
        kept.arrivals.push((on, about.to_owned()));
        let authorized = headers.get("authorization").and_then(|v| v.to_str().ok())
            == Some(format!("Bearer {}", kept.token).as_str());
        let position = kept.faults.iter().position(|(kind, _)| *kind == on);
        let fault = position.and_then(|at| kept.faults.remove(at)).map(|(_, how)| how);
        let fault = fault.or_else(|| kept.hanging.contains(about).then_some(How::Hang));
        let answer = if !authorized {
            (StatusCode::UNAUTHORIZED, "token".to_owned())
        } else if matches!(fault, Some(How::Status(_) | How::Busy(_) | How::Hang | How::Drop)) {
            (StatusCode::IM_A_TEAPOT, String::new())
        } else if on != On::Evidence && kept.failing.contains(about) {
            (StatusCode::INTERNAL_SERVER_ERROR, "failing".to_owned())
        } else {
            store(&mut kept)
        };
        (fault, answer)
    };
    shared.changed.notify_waiters();
    match fault {
        None => answer.into_response(),
        Some(How::Status(status) | How::StoreThenStatus(status)) => {
            (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")], "on command")
                .into_response()
        }
        Some(How::Busy(secs)) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", secs.to_string())], "").into_response()
        }
        // Longer than any test; the client gives up before.
        Some(How::Hang | How::StoreThenHang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
        // Ends the connection's task without the message of a panic.
        Some(How::Drop | How::StoreThenDrop) => std::panic::resume_unwind(Box::new("cut")),
    }
}

fn key(headers: &HeaderMap) -> &str {
    headers.get("idempotency-key").and_then(|v| v.to_str().ok()).unwrap_or("")
}

/// The part of a case that acknowledges it.
fn told(case_id: &str) -> String {
    format!(r#"{{"case_id":"{case_id}"}}"#)
}

fn all_there(kept: &Kept, evidence: &[Evidence]) -> bool {
    evidence.iter().all(|e| {
        e.masked && e.uri == format!("/api/v1/evidence/{}", e.sha256) && kept.evidence.contains_key(&e.sha256)
    })
}

async fn put_evidence(
    State(shared): State<Arc<Shared>>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    play(&shared, On::Evidence, &sha256, &headers, |kept| {
        if Sha256Hex::of(&body).as_str() != sha256 {
            return (StatusCode::UNPROCESSABLE_ENTITY, "hash".into());
        }
        let fresh = kept.evidence.insert(sha256.clone(), body.to_vec()).is_none();
        let answer = format!(r#"{{"sha256":"{sha256}"}}"#);
        (if fresh { StatusCode::CREATED } else { StatusCode::OK }, answer)
    })
    .await
}

async fn post_case(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let case: Case = serde_json::from_slice(&body).unwrap();
    play(&shared, On::Case, &case.case_id.clone(), &headers, |kept| {
        if let Some(known) = kept.case_bodies.get(&case.idempotency_key) {
            let same = *known == body;
            return (if same { StatusCode::OK } else { StatusCode::CONFLICT }, told(&case.case_id));
        }
        if key(&headers) != case.idempotency_key || !all_there(kept, &case.evidence) {
            return (StatusCode::UNPROCESSABLE_ENTITY, "key or evidence".into());
        }
        kept.case_bodies.insert(case.idempotency_key.clone(), body.clone());
        let answer = told(&case.case_id);
        assert!(kept.cases.insert(case.case_id.clone(), case).is_none(), "one id, two keys");
        (StatusCode::CREATED, answer)
    })
    .await
}

async fn post_sighting(
    State(shared): State<Arc<Shared>>,
    Path(case_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sighting: Sighting = serde_json::from_slice(&body).unwrap();
    play(&shared, On::Sighting, &case_id, &headers, |kept| {
        if let Some(known) = kept.sighting_bodies.get(&sighting.idempotency_key) {
            let same = *known == body;
            return (if same { StatusCode::OK } else { StatusCode::CONFLICT }, told(&case_id));
        }
        if !kept.cases.contains_key(&case_id) {
            return (StatusCode::NOT_FOUND, "no such case".into());
        }
        if kept.closed.contains(&case_id) {
            return (StatusCode::CONFLICT, r#"{"error":"case_closed"}"#.into());
        }
        if key(&headers) != sighting.idempotency_key || !all_there(kept, &sighting.evidence) {
            return (StatusCode::UNPROCESSABLE_ENTITY, "key or evidence".into());
        }
        kept.sighting_bodies.insert(sighting.idempotency_key.clone(), body.clone());
        kept.sightings.push((case_id.clone(), sighting));
        (StatusCode::CREATED, told(&case_id))
    })
    .await
}
