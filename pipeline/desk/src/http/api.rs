//! The API's handlers. In: requests. Out: JSON, evidence, health. Thin: what is right is decided in `check`,
//! what happens in `store` and `files`.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use logic::case::{Case, Evidence, Sighting};

use super::Shared;
use crate::access::Caller;
use crate::body;
use crate::check;
use crate::error::{Fault, Refusal, chain};
use crate::files::{Files, Kept};
use crate::sha::Sha;
use crate::store::{Act, Actor, Ended, Posted, Seen};

/// The contract, as it is served.
pub(super) const OPENAPI: &str = include_str!("../../openapi.json");
/// The header that makes a post happen once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(Serialize)]
pub(super) struct CaseList {
    cases: Vec<Case>,
    next: Option<String>,
}

/// Why a person ends a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    reason: String,
}

/// The process runs.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// A case could be filed now: the store commits and the evidence folder takes a file.
pub(super) async fn readyz(State(desk): State<Shared>) -> Response {
    let store = desk.store.probe().await.map_err(|error| chain(&error));
    let files = desk.files.probe().await.map_err(|error| chain(&error));
    let mut body = String::new();
    for (name, outcome) in [("store", &store), ("evidence", &files)] {
        match outcome {
            Ok(()) => body.push_str(&format!("{name} ok\n")),
            Err(error) => {
                tracing::error!(part = name, error, "the desk is not ready");
                body.push_str(&format!("{name} failed\n"));
            }
        }
    }
    let ready = store.is_ok() && files.is_ok();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body).into_response()
}

/// Prometheus text.
pub(super) async fn metrics(State(desk): State<Shared>) -> Response {
    let counts = match desk.store.counts(None).await {
        Ok(counts) => Some(counts),
        Err(error) => {
            tracing::error!(error = %chain(&error), "the store cannot be counted");
            None
        }
    };
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, desk.requests.text(counts)).into_response()
}

/// The contract.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Cases, filtered, a page at a time.
pub(super) async fn list(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<CaseList>, Refusal> {
    let mut listing = check::listing(&query_pairs(&uri)?).map_err(Refusal::bad_query)?;
    listing.filter.within = caller.grids;
    let page = desk.store.list(&listing.filter, listing.after, listing.limit).await?;
    Ok(Json(CaseList { cases: page.cases, next: page.next.map(|cursor| cursor.to_string()) }))
}

/// The query's parameters in order; shared with the page.
pub(crate) fn query_pairs(uri: &Uri) -> Result<Vec<(String, String)>, Refusal> {
    Query::try_from_uri(uri).map(|Query(pairs)| pairs).map_err(|_| {
        Refusal::of(
            StatusCode::BAD_REQUEST,
            "invalid",
            "the query is not understood",
            "write ?name=value&name=value, percent-encoded",
        )
    })
}

/// One case.
pub(super) async fn get_case(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(case_id): Path<String>,
) -> Result<Json<Case>, Refusal> {
    own_case(&desk, &caller, &case_id).await.map(Json)
}

/// A case of the caller's grids. One of others' is told as if it were not there.
pub(super) async fn own_case(desk: &Shared, caller: &Caller, case_id: &str) -> Result<Case, Refusal> {
    let case = desk.store.get(case_id).await?;
    case.filter(|case| caller.is_within(case.responsibility_grid.as_deref()))
        .ok_or_else(Refusal::no_such_case)
}

/// Files a case, once.
pub(super) async fn post_case(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let case: Case = body::json(&headers, body).await?;
    let mut faults = check::case(key(&headers), &case);
    faults.extend(absent(&desk.files, &case.evidence).await?);
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults));
    }
    if !caller.is_within(case.responsibility_grid.as_deref()) {
        return Err(Refusal::field(
            StatusCode::FORBIDDEN,
            "out_of_scope",
            "responsibility_grid",
            "is none of those that the token is confined to",
            "post cases of the token's own grids",
        ));
    }
    let sha = Sha::of_json(&case).map_err(|error| Refusal::internal(&error))?;
    let posted = to_its_end(async move {
        let address = caller.address.to_string();
        desk.store.post(&case, sha, &Actor::of(&caller, &address)).await
    })
    .await?;
    match posted {
        Posted::Created(case) => {
            tracing::info!(case_id = %case.case_id, code = %case.matter.code, "a case was filed");
            let location = format!("/api/v1/cases/{}", case.case_id);
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(case)).into_response())
        }
        Posted::Replayed(case) => Ok(Json(case).into_response()),
        Posted::KeyReused => Err(key_reused("case")),
        Posted::IdTaken => Err(Refusal::field(
            StatusCode::CONFLICT,
            "case_id_taken",
            "case_id",
            "belongs to a case with another idempotency_key",
            "give a new case an id of its own, or repeat the first post with its own key",
        )),
    }
}

/// Counts a sighting, once.
pub(super) async fn post_sighting(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(case_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let sighting: Sighting = body::json(&headers, body).await?;
    let mut faults = check::sighting(key(&headers), &sighting);
    faults.extend(absent(&desk.files, &sighting.evidence).await?);
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults));
    }
    let sha = Sha::of_json(&sighting).map_err(|error| Refusal::internal(&error))?;
    let seen = to_its_end(async move {
        let address = caller.address.to_string();
        let actor = Actor::of(&caller, &address);
        desk.store.see(&case_id, &sighting, sha, caller.grids.as_deref(), &actor).await
    })
    .await?;
    match seen {
        Seen::Created(case) => Ok((StatusCode::CREATED, Json(case)).into_response()),
        Seen::Replayed(case) => Ok(Json(case).into_response()),
        Seen::KeyReused => Err(key_reused("sighting")),
        Seen::NoSuchCase => Err(Refusal::no_such_case()),
        Seen::Closed => Err(Refusal::case_closed("post a new case with this one as linked_case_id")),
    }
}

/// Ends a case, by a person.
pub(super) async fn close(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(case_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Case>, Refusal> {
    let closing: Closing = body::json(&headers, body).await?;
    let faults = check::reason(&closing.reason);
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults));
    }
    let ended = to_its_end(async move {
        let address = caller.address.to_string();
        let actor = Actor::of(&caller, &address);
        desk.store.end(&case_id, closing.reason.trim(), caller.grids.as_deref(), &actor).await
    })
    .await?;
    match ended {
        Ended::Closed(case) => {
            tracing::info!(case_id = %case.case_id, "a case was closed");
            Ok(Json(*case))
        }
        Ended::NoSuchCase => Err(Refusal::no_such_case()),
        Ended::AlreadyClosed => {
            Err(Refusal::case_closed("read the reason in its log; nothing is left to do"))
        }
    }
}

/// Keeps a picture or a clip under its digest.
pub(super) async fn put_evidence(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(sha256): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let sha = Sha::parse(&sha256).ok_or_else(|| {
        Refusal::invalid(vec![Fault::invalid(
            "sha256",
            "is no SHA-256",
            "write 64 hexadecimal digits in lower case",
        )])
    })?;
    let status = match desk.files.keep(sha, body).await? {
        Kept::Stored => StatusCode::CREATED,
        Kept::AlreadyThere => StatusCode::OK,
    };
    let sha256 = sha.to_string();
    // Also of one that was there: an answer that was lost on its way left none perhaps.
    note(&desk, &caller, "evidence_put", &sha256).await?;
    let uri = check::evidence_uri(&sha256);
    let body = Json(serde_json::json!({ "sha256": sha256, "uri": uri }));
    Ok((status, [(header::LOCATION, uri)], body).into_response())
}

/// Gives a picture or a clip, once the audit log has the look on disk. What a digest names never changes: the
/// browser that was let see it may keep it for an hour, under its session.
pub(super) async fn get_evidence(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(sha256): Path<String>,
) -> Result<Response, Refusal> {
    let unknown = || {
        Refusal::of(
            StatusCode::NOT_FOUND,
            "no_such_evidence",
            "no evidence has this digest",
            "put it first, under the SHA-256 of its bytes in lower-case hex",
        )
    };
    let sha = Sha::parse(&sha256).ok_or_else(unknown)?;
    if let Some(grids) = &caller.grids
        && !desk.store.evidence_is_within(&sha256, grids).await?
    {
        return Err(unknown());
    }
    let (media_type, length, body) = desk.files.send(&sha).await?.ok_or_else(unknown)?;
    note(&desk, &caller, "evidence_read", &sha256).await?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Cookie"));
    Ok(response)
}

/// An entry of the audit log that stands by itself.
async fn note(desk: &Shared, caller: &Caller, what: &'static str, target: &str) -> Result<(), Refusal> {
    let (desk, caller, target) = (Shared::clone(desk), caller.clone(), target.to_owned());
    to_its_end(async move {
        let address = caller.address.to_string();
        let act = Act { what, target: &target, detail: serde_json::json!({}) };
        desk.store.note(&Actor::of(&caller, &address), &act).await
    })
    .await
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok())
}

fn key_reused(what: &str) -> Refusal {
    Refusal::field(
        StatusCode::CONFLICT,
        "key_reused",
        "idempotency_key",
        format!("belongs to another {what}"),
        "give a new post a new key; repeat an old one unchanged",
    )
}

/// The pieces that were named and not put.
async fn absent(files: &Files, pieces: &[Evidence]) -> Result<Vec<Fault>, Refusal> {
    let mut faults = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        // A digest of a wrong form has its own fault.
        let Some(sha) = Sha::parse(&piece.sha256) else { continue };
        if !files.has(&sha).await? {
            let mut fault = Fault::invalid(
                format!("evidence[{index}].sha256"),
                format!("{sha} has not been put"),
                format!("PUT its bytes to {} first", check::evidence_uri(&piece.sha256)),
            );
            fault.code = "evidence_absent";
            faults.push(fault);
        }
    }
    Ok(faults)
}

/// Runs a change to its end also where the caller goes away in the middle: a dropped handler must not leave a
/// transaction between its begin and its commit.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(change).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(Refusal::internal(&error)),
    }
}
