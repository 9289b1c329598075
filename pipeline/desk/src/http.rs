//! The door: every route once, in one table, and what holds for all of them. In: requests. Out: answers with
//! safe headers, counted. Never a write without the token: every route whose method is not GET asks for it.

mod api;
mod page;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use tokio::sync::Semaphore;

use crate::error::Refusal;
use crate::files::Files;
use crate::metrics::Requests;
use crate::sha::{equal_in_constant_time, token_sha256};
use crate::store::Store;

/// Requests at work at once; one more is told to come back.
const REQUESTS_MAX: usize = 256;

/// What every handler sees.
#[derive(Debug)]
pub(crate) struct Desktop {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) token_sha256: [u8; 32],
    pub(crate) utc_offset: jiff::tz::Offset,
    pub(crate) requests: Requests,
    places: Semaphore,
}

impl Desktop {
    pub(crate) fn new(
        store: Store,
        files: Files,
        token_sha256: [u8; 32],
        utc_offset: jiff::tz::Offset,
    ) -> Self {
        let places = Semaphore::new(REQUESTS_MAX);
        Self { store, files, token_sha256, utc_offset, requests: Requests::default(), places }
    }
}

/// Shared by all requests.
pub(crate) type Shared = Arc<Desktop>;

/// One line of the table.
struct Route {
    method: Method,
    path: &'static str,
    handler: MethodRouter<Shared>,
}

/// Every route. `openapi.json` is held to this table by a test.
fn routes() -> Vec<Route> {
    let route = |method, path, handler| Route { method, path, handler };
    vec![
        route(Method::GET, "/", get(page::list)),
        route(Method::GET, "/cases/{case_id}", get(page::detail)),
        route(Method::GET, "/style.css", get(page::style)),
        route(Method::GET, "/icon.svg", get(page::icon)),
        route(Method::GET, "/livez", get(api::livez)),
        route(Method::GET, "/readyz", get(api::readyz)),
        route(Method::GET, "/metrics", get(api::metrics)),
        route(Method::GET, "/api/v1/openapi.json", get(api::openapi)),
        route(Method::GET, "/api/v1/cases", get(api::list)),
        route(Method::POST, "/api/v1/cases", post(api::post_case)),
        route(Method::GET, "/api/v1/cases/{case_id}", get(api::get_case)),
        route(Method::POST, "/api/v1/cases/{case_id}/sightings", post(api::post_sighting)),
        route(Method::POST, "/api/v1/cases/{case_id}/close", post(api::close)),
        route(Method::GET, "/api/v1/evidence/{sha256}", get(api::get_evidence)),
        route(Method::PUT, "/api/v1/evidence/{sha256}", put(api::put_evidence)),
    ]
}

/// The whole of it.
pub(crate) fn router(desktop: Shared) -> Router {
    let mut router = Router::new();
    for Route { method, path, handler } in routes() {
        let handler = if method == Method::GET {
            handler
        } else {
            handler.route_layer(from_fn_with_state(desktop.clone(), with_token))
        };
        router = router.route(path, handler);
    }
    router
        .fallback(async || not_here(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            not_here(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not know the method")
        })
        .layer(from_fn_with_state(desktop.clone(), at_the_door))
        .with_state(desktop)
}

fn not_here(status: StatusCode, code: &'static str, what: &str) -> Refusal {
    Refusal::of(status, code, what, "see /api/v1/openapi.json")
}

/// Asks for the bearer token before a byte of the body is read.
async fn with_token(State(desktop): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token {
        Some(token) if equal_in_constant_time(&token_sha256(token), &desktop.token_sha256) => {
            next.run(request).await
        }
        _ => Refusal::of(
            StatusCode::UNAUTHORIZED,
            "no_token",
            "the request carries no valid token",
            "send `Authorization: Bearer` with the desk's token",
        )
        .into_response(),
    }
}

/// Limits, counts, and puts the headers on that every answer carries.
async fn at_the_door(State(desktop): State<Shared>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route_label(path);
    let mut response = match desktop.places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => {
            Refusal::of(StatusCode::SERVICE_UNAVAILABLE, "busy", "the desk is busy", "try again shortly")
                .into_response()
        }
    };
    desktop.requests.answered(method, route, response.status().as_u16());
    harden(&mut response);
    response
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}

fn route_label(path: Option<&str>) -> &'static str {
    const NONE: &str = "none";
    let Some(path) = path else { return NONE };
    ROUTE_PATHS.iter().find(|known| **known == path).copied().unwrap_or(NONE)
}

/// The paths of the table, once, so that counting a request does not build routers.
static ROUTE_PATHS: std::sync::LazyLock<Vec<&'static str>> =
    std::sync::LazyLock::new(|| routes().iter().map(|route| route.path).collect());

/// No script, no frame, nothing from elsewhere, no guessing of types. Not cached unless the handler says so.
fn harden(response: &mut Response) {
    const POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let always: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn openapi_and_the_table_name_the_same_routes() {
        let document: serde_json::Value = serde_json::from_str(api::OPENAPI).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let served: BTreeSet<_> = routes().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_write_in_openapi_asks_for_the_token() {
        let document: serde_json::Value = serde_json::from_str(api::OPENAPI).unwrap();
        for route in routes().iter().filter(|route| route.method != Method::GET) {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            assert!(operation["responses"]["401"].is_object(), "{}", route.path);
            assert!(operation["security"].is_array(), "{}", route.path);
        }
    }

    /// Every `$ref` of the document leads somewhere.
    #[test]
    fn openapi_references_resolve() {
        fn walk<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
            match value {
                serde_json::Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(|reference| reference.as_str()));
                    map.values().for_each(|value| walk(value, found));
                }
                serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let document: serde_json::Value = serde_json::from_str(api::OPENAPI).unwrap();
        let mut references = Vec::new();
        walk(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
