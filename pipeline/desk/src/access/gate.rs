//! The gate before every route. In: a request and what its route needs. Out: the request with its [`Caller`], or
//! 401, 403, 429. Asked before a byte of the body is read. Never a secret in a log line or an answer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use super::{COOKIE, COOKIE_SECURE, Caller, Need, Pace, Role};
use crate::doors::Doors;
use crate::error::Refusal;
use crate::http::{Shared, login_page};
use crate::sha::token_sha256;
use crate::store::{Act, Actor, now};
use crate::tls::TlsListener;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Doors<TcpListener>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doors<TcpListener>>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Doors<TlsListener>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doors<TlsListener>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What a route's gate knows.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) desk: Shared,
    pub(crate) need: Need,
    /// A person's page: who is not let in sees where to show a token.
    pub(crate) is_page: bool,
}

/// How the caller said who it is.
enum Shown<'h> {
    Token(&'h str),
    Cookie(&'h str),
    Nothing,
}

/// Lets a request through, or not.
pub(crate) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&gate, &parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) if gate.is_page => {
            let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
            login_page(&refusal, asked)
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn admit(gate: &Gate, request: &Parts) -> Result<Caller, Refusal> {
    let address = peer_address(&gate.desk, &request.extensions, &request.headers);
    let headers = &request.headers;
    let shown = shown(&gate.desk, headers);
    let caller = match recognise(gate, &shown, address).await? {
        Some(caller) => caller,
        None => {
            let pace = gate.desk.limits.refused;
            gate.desk.refused.take(&subnet(address), pace, Instant::now()).map_err(too_many)?;
            return Err(no_token(matches!(shown, Shown::Nothing)));
        }
    };
    let is_write = !matches!(request.method, Method::GET | Method::HEAD);
    if is_write && matches!(shown, Shown::Cookie(_)) && !is_same_origin(headers) {
        return Err(Refusal::of(
            StatusCode::FORBIDDEN,
            "cross_site",
            "the request comes from another site's page",
            "send it from the desk's own page, or with a token",
        ));
    }
    gate.desk
        .callers
        .take(&caller.token_id, pace_of(&gate.desk, caller.role), Instant::now())
        .map_err(too_many)?;
    if !caller.role.may(gate.need) {
        let target = format!("{} {}", request.method, request.uri.path());
        note_refusal(gate, &caller, &target).await?;
        return Err(Refusal::of(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("the role {} may not do this", caller.role),
            "ask an administrator for a token of another role",
        ));
    }
    Ok(caller)
}

fn pace_of(desk: &Shared, role: Role) -> Pace {
    if role == Role::Service { desk.limits.service } else { desk.limits.person }
}

/// A good token that tries what it may not is told in the audit log; its own pace bounds how often.
async fn note_refusal(gate: &Gate, caller: &Caller, target: &str) -> Result<(), Refusal> {
    let address = caller.address.to_string();
    let act = Act { what: "refused", target, detail: serde_json::json!({}) };
    Ok(gate.desk.store.note(&Actor::of(caller, &address), &act).await?)
}

fn shown<'h>(desk: &Shared, headers: &'h HeaderMap) -> Shown<'h> {
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let token = given.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        // A header that is no token is a wrong one: a cookie beside it does not count.
        return Shown::Token(token.unwrap_or_default());
    }
    cookie(desk, headers).map_or(Shown::Nothing, Shown::Cookie)
}

/// The session's cookie.
pub(crate) fn cookie<'h>(desk: &Shared, headers: &'h HeaderMap) -> Option<&'h str> {
    let name = if desk.is_secure { COOKIE_SECURE } else { COOKIE };
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

async fn recognise(gate: &Gate, shown: &Shown<'_>, address: IpAddr) -> Result<Option<Caller>, Refusal> {
    let store = &gate.desk.store;
    let row = match shown {
        Shown::Token(token) => store.token_by_sha256(&token_sha256(token)).await?,
        // The row is read anew each time: who was revoked is out with the next request.
        Shown::Cookie(cookie) => match gate.desk.sessions.token_id(cookie, Instant::now()) {
            Some(id) => store.token_by_id(&id).await?,
            None => None,
        },
        Shown::Nothing => None,
    };
    Ok(row.filter(|row| row.is_good(now())).map(|row| Caller {
        token_id: row.id,
        name: row.name,
        role: row.role,
        grids: (!row.grids.is_empty()).then(|| row.grids.into()),
        address,
    }))
}

fn no_token(nothing_shown: bool) -> Refusal {
    let what =
        if nothing_shown { "the request carries no token" } else { "the token is not known, or ended" };
    let mend = "send `Authorization: Bearer` with a token that `shirong desk token new` made";
    Refusal::of(StatusCode::UNAUTHORIZED, "no_token", what, mend)
}

/// 429 with how long to wait.
pub(crate) fn too_many(wait: Duration) -> Refusal {
    Refusal::too_many(wait)
}

/// Whether a browser sent this from the desk's own page. Programs send neither header and carry no cookie.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => false,
    }
}

/// Who asks: the other end, or whom the operator's own proxy says it stands for.
pub(crate) fn peer_address(desk: &Shared, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<Peer>>();
    let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(Peer(address))| address.ip());
    if !desk.is_behind_proxy {
        return peer;
    }
    // The last entry is the one that the proxy itself wrote; those before it are the caller's own words.
    let entries = headers.get_all("x-forwarded-for").iter();
    let last = entries.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).last();
    last.and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
}

/// What counts as one place: an IPv6 caller has a whole /64 to itself.
pub(crate) fn subnet(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        },
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_desks_own_page_is_the_same_origin() {
        assert!(is_same_origin(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_same_origin(&headers(&[("origin", "http://127.0.0.1:8642"), ("host", "127.0.0.1:8642")])));
        for wrong in [
            &[][..],
            &[("host", "desk")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://desk"), ("host", "desk")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://evil"), ("host", "desk")],
            &[("origin", "null"), ("host", "desk")],
            &[("origin", "http://127.0.0.1:1"), ("host", "127.0.0.1:8642")],
        ] {
            assert!(!is_same_origin(&headers(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn one_place_is_one_subnet() {
        let of = |text: &str| subnet(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}
