//! The door: every route once, in one table, with what it asks of its caller, and what holds for all of them. In:
//! requests. Out: answers with safe headers, counted. Never a write or a look at a case without a token of a role
//! that may.

mod api;
mod login;
mod page;
mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use tokio::sync::Semaphore;

use crate::access::{Buckets, Gate, Limits, Need, Sessions, guard, peer_address, subnet, too_many};
use crate::error::Refusal;
use crate::files::Files;
use crate::metrics::Requests;
use crate::store::Store;

pub(crate) use api::query_pairs;
pub(crate) use login::login_page;

/// Requests at work at once; one more is told to come back.
const REQUESTS_MAX: usize = 256;

/// What every handler sees.
#[derive(Debug)]
pub(crate) struct Desktop {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) utc_offset: jiff::tz::Offset,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    /// By token.
    pub(crate) callers: Buckets<String>,
    /// By address, wrong tokens only.
    pub(crate) refused: Buckets<IpAddr>,
    /// Browsers come over TLS, the desk's own or a proxy's.
    pub(crate) is_secure: bool,
    /// The operator's proxy says where requests come from.
    pub(crate) is_behind_proxy: bool,
    pub(crate) requests: Requests,
    addresses: Buckets<IpAddr>,
    places: Semaphore,
}

/// How a desk stands to the world outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) utc_offset: jiff::tz::Offset,
    pub(crate) limits: Limits,
    pub(crate) is_secure: bool,
    pub(crate) is_behind_proxy: bool,
}

impl Desktop {
    pub(crate) fn new(store: Store, files: Files, standing: Standing) -> Self {
        let Standing { utc_offset, limits, is_secure, is_behind_proxy } = standing;
        Self {
            store,
            files,
            utc_offset,
            sessions: Sessions::default(),
            limits,
            callers: Buckets::default(),
            refused: Buckets::default(),
            is_secure,
            is_behind_proxy,
            requests: Requests::default(),
            addresses: Buckets::default(),
            places: Semaphore::new(REQUESTS_MAX),
        }
    }
}

/// Shared by all requests.
pub(crate) type Shared = Arc<Desktop>;

/// One line of the table.
struct Route {
    /// For the tests that hold the contract to this table; axum has it in the handler.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by tests"))]
    method: Method,
    path: &'static str,
    need: Need,
    handler: MethodRouter<Shared>,
}

/// Every route and what it asks for. `openapi.json` is held to this table by a test, and the roles that it lets in
/// by another, over HTTP.
fn routes() -> Vec<Route> {
    let route = |method, path, need, handler| Route { method, path, need, handler };
    vec![
        route(Method::GET, "/", Need::Cases, get(page::list)),
        route(Method::GET, "/cases/{case_id}", Need::Cases, get(page::detail)),
        route(Method::GET, "/login", Need::Nothing, get(login::ask)),
        route(Method::POST, "/login", Need::Nothing, post(login::enter)),
        route(Method::POST, "/logout", Need::Nothing, post(login::leave)),
        route(Method::GET, "/style.css", Need::Nothing, get(page::style)),
        route(Method::GET, "/icon.svg", Need::Nothing, get(page::icon)),
        route(Method::GET, "/livez", Need::Nothing, get(api::livez)),
        route(Method::GET, "/readyz", Need::Nothing, get(api::readyz)),
        route(Method::GET, "/metrics", Need::Metrics, get(api::metrics)),
        route(Method::GET, "/api/v1/openapi.json", Need::Nothing, get(api::openapi)),
        route(Method::GET, "/api/v1/cases", Need::Cases, get(api::list)),
        route(Method::POST, "/api/v1/cases", Need::File, post(api::post_case)),
        route(Method::GET, "/api/v1/cases/{case_id}", Need::Cases, get(api::get_case)),
        route(Method::POST, "/api/v1/cases/{case_id}/sightings", Need::File, post(api::post_sighting)),
        route(Method::POST, "/api/v1/cases/{case_id}/close", Need::Close, post(api::close)),
        route(Method::GET, "/api/v1/evidence/{sha256}", Need::Evidence, get(api::get_evidence)),
        route(Method::PUT, "/api/v1/evidence/{sha256}", Need::File, put(api::put_evidence)),
    ]
}

/// Pages for persons: who is not let in there is asked for a token.
const PAGES: [&str; 2] = ["/", "/cases/{case_id}"];

/// The whole of it.
pub(crate) fn router(desktop: Shared) -> Router {
    let mut router = Router::new();
    for Route { method: _, path, need, handler } in routes() {
        let handler = if need == Need::Nothing {
            handler
        } else {
            let gate = Gate { desk: desktop.clone(), need, is_page: PAGES.contains(&path) };
            handler.route_layer(from_fn_with_state(gate, guard))
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

/// Limits, counts, and puts the headers on that every answer carries.
async fn at_the_door(State(desktop): State<Shared>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route_label(path);
    let address = subnet(peer_address(&desktop, request.extensions(), request.headers()));
    let paced = desktop.addresses.take(&address, desktop.limits.address, Instant::now());
    let mut response = match (paced, desktop.places.try_acquire()) {
        (Ok(()), Ok(_place)) => next.run(request).await,
        (Err(wait), _) => too_many(wait).into_response(),
        (Ok(()), Err(_)) => {
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
        // With `no-referrer` a browser would not say either that a form is the desk's own.
        (header::REFERRER_POLICY, "same-origin"),
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
    use crate::access::Role;

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
    fn openapi_names_the_roles_of_the_table() {
        let document: serde_json::Value = serde_json::from_str(api::OPENAPI).unwrap();
        for route in routes() {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            let named = operation["x-roles"]
                .as_array()
                .map(|roles| roles.iter().map(|role| role.as_str().unwrap()).collect::<Vec<_>>());
            let may: Vec<_> =
                Role::ALL.iter().filter(|role| role.may(route.need)).map(|r| r.name()).collect();
            let wanted = (route.need != Need::Nothing).then_some(may);
            assert_eq!(named, wanted, "{} {}", route.method, route.path);
            let guarded = wanted.is_some();
            for status in ["401", "403"] {
                // Login and logout refuse other sites' forms, and a wrong token.
                let told = operation["responses"][status].is_object();
                assert!(told || !guarded, "{} {} {status}", route.method, route.path);
            }
            assert_eq!(operation["security"].as_array().is_some_and(|s| !s.is_empty()), guarded);
        }
    }

    #[test]
    fn nothing_is_written_and_no_evidence_is_read_without_a_role() {
        let open: Vec<_> = routes().into_iter().filter(|r| r.need == Need::Nothing).collect();
        for route in open {
            let session = ["/login", "/logout"].contains(&route.path);
            assert!(route.method == Method::GET || session, "{} {}", route.method, route.path);
            assert!(!route.path.contains("cases") && !route.path.contains("evidence"), "{}", route.path);
        }
    }

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
