//! A person shows a token once and a browser keeps a cookie. In: a form, or a link that is good once. Out: the
//! cookie, HttpOnly and SameSite=Strict. Never: a token in an address, a redirect to another site, a form of
//! another site obeyed.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::api::query_pairs;
use super::{Shared, view};
use crate::access::{
    COOKIE, COOKIE_SECURE, SESSION_MAX, TokenRow, cookie, is_same_origin, peer_address, subnet, too_many,
};
use crate::body::BodyReader;
use crate::error::Refusal;
use crate::sha::token_sha256;
use crate::store::{Act, Actor, now};

/// A token and a path.
const FORM_BYTES_MAX: usize = 4096;

/// The form; or, with a link that is good once, the way in.
pub(super) async fn ask(State(desk): State<Shared>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let pairs = match query_pairs(&request.uri) {
        Ok(pairs) => pairs,
        Err(refusal) => return login_page(&refusal, "/"),
    };
    let of = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let next = of("next").unwrap_or("/");
    let Some(link) = of("link") else {
        return (StatusCode::OK, view::login(&[], own_path(next))).into_response();
    };
    // A look ahead by a program must not use the link up.
    if request.method == Method::HEAD || request.headers.contains_key("sec-purpose") {
        return StatusCode::NO_CONTENT.into_response();
    }
    let outcome = by_link(&desk, &request, link).await;
    outcome.unwrap_or_else(|refusal| login_page(&refusal, next))
}

async fn by_link(desk: &Shared, request: &Parts, link: &str) -> Result<Response, Refusal> {
    let row = match desk.sessions.use_link(link, Instant::now()) {
        Some(id) => desk.store.token_by_id(&id).await?,
        None => None,
    };
    match row.filter(|row| row.is_good(now())) {
        Some(row) => let_in(desk, request, &row, "/").await,
        None => {
            let what = "the link was used already, or is too old";
            wrong(desk, request, what, "show a token, or start the demo anew for another link")
        }
    }
}

/// A token by the form.
pub(super) async fn enter(State(desk): State<Shared>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let (token, next) = match form(&request.headers, body).await {
        Ok(fields) => fields,
        Err(refusal) => return login_page(&refusal, "/"),
    };
    by_token(&desk, &request, &token, &next).await.unwrap_or_else(|refusal| login_page(&refusal, &next))
}

async fn by_token(desk: &Shared, request: &Parts, token: &str, next: &str) -> Result<Response, Refusal> {
    if !is_same_origin(&request.headers) {
        return Err(cross_site());
    }
    let row = desk.store.token_by_sha256(&token_sha256(token.trim())).await?;
    match row.filter(|row| row.is_good(now())) {
        Some(row) => let_in(desk, request, &row, own_path(next)).await,
        None => wrong(desk, request, "the token is not known, or ended", "show one that still stands"),
    }
}

/// Ends the session; the browser forgets what it kept.
pub(super) async fn leave(State(desk): State<Shared>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    if !is_same_origin(&request.headers) {
        return login_page(&cross_site(), "/");
    }
    if let Some(cookie) = cookie(&desk, &request.headers) {
        let id = desk.sessions.token_id(cookie, Instant::now());
        desk.sessions.end(cookie);
        if let Some(id) = id
            && let Err(error) = note(&desk, &request, &id, "-", "logout").await
        {
            return login_page(&error, "/");
        }
    }
    let forget = HeaderValue::from_static("\"cache\"");
    let gone = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{}", name(&desk), secure(&desk));
    let mut response = see_other("/login");
    response.headers_mut().insert("clear-site-data", forget);
    set_cookie(&mut response, &gone);
    response
}

/// The login page with what was wrong, under the refusal's status.
pub(crate) fn login_page(refusal: &Refusal, next: &str) -> Response {
    let mut response = (refusal.status(), view::login(refusal.faults(), own_path(next))).into_response();
    refusal.put_headers(response.headers_mut());
    response
}

async fn form(headers: &HeaderMap, body: Body) -> Result<(String, String), Refusal> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "Content-Type",
            "the body is no form",
            "send `Content-Type: application/x-www-form-urlencoded`",
        ));
    }
    let mut reader = BodyReader::new(body, FORM_BYTES_MAX);
    let mut bytes = b"/?".to_vec();
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    let bad =
        || Refusal::of(StatusCode::BAD_REQUEST, "invalid", "the form is not understood", "send token=…");
    let uri = Uri::try_from(bytes).map_err(|_| bad())?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| bad())?;
    let of = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Ok((of("token").ok_or_else(bad)?, of("next").unwrap_or_else(|| "/".to_owned())))
}

async fn let_in(desk: &Shared, request: &Parts, row: &TokenRow, next: &str) -> Result<Response, Refusal> {
    note(desk, request, &row.id, row.role.name(), "login").await?;
    let cookie = desk.sessions.begin(&row.id, Instant::now());
    let line = format!(
        "{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
        name(desk),
        SESSION_MAX.as_secs(),
        secure(desk)
    );
    let mut response = see_other(next);
    set_cookie(&mut response, &line);
    Ok(response)
}

async fn note(
    desk: &Shared,
    request: &Parts,
    who: &str,
    role: &str,
    what: &'static str,
) -> Result<(), Refusal> {
    let address = peer_address(desk, &request.extensions, &request.headers).to_string();
    let act = Act { what, target: who, detail: serde_json::json!({}) };
    Ok(desk.store.note(&Actor { who, role, address: &address }, &act).await?)
}

fn wrong<T>(desk: &Shared, request: &Parts, what: &str, mend: &str) -> Result<T, Refusal> {
    let address = subnet(peer_address(desk, &request.extensions, &request.headers));
    desk.refused.take(&address, desk.limits.refused, Instant::now()).map_err(too_many)?;
    Err(Refusal::of(StatusCode::UNAUTHORIZED, "no_token", what, mend))
}

fn cross_site() -> Refusal {
    Refusal::of(
        StatusCode::FORBIDDEN,
        "cross_site",
        "the form comes from another site's page",
        "open the desk's own page",
    )
}

/// A path of this desk and nothing else; a caller's word must not send a browser elsewhere.
fn own_path(next: &str) -> &str {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic()) && next.len() <= 2000;
    let own = next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && plain;
    if own && !next.starts_with("/log") { next } else { "/" }
}

fn see_other(path: &str) -> Response {
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

fn set_cookie(response: &mut Response, line: &str) {
    // Hex digits and our own words: always a header's value.
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().insert(header::SET_COOKIE, line);
    }
}

fn name(desk: &Shared) -> &'static str {
    if desk.is_secure { COOKIE_SECURE } else { COOKIE }
}

fn secure(desk: &Shared) -> &'static str {
    if desk.is_secure { "; Secure" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for own in ["/", "/cases/1", "/?state=closed&camera=a%20b"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in
            ["//evil", "/\\evil", "http://evil", "", "javascript:x", "/a b", "/a\r\nb", "/é", "/login"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
    }
}
