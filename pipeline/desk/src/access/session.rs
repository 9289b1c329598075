//! A browser that has shown its token once. In: a token's id. Out: a cookie's value, or who a cookie is. Kept in
//! memory only, by digest: after a restart everyone shows the token anew. Never a cookie that outlives its token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::token::random_text;
use crate::sha::token_sha256;

/// A page's cookie where the way is plain HTTP, which is loopback.
pub(crate) const COOKIE: &str = "shirong_session";
/// The same where it is TLS: a browser then takes it from this host only, and sends it over TLS only.
pub(crate) const COOKIE_SECURE: &str = "__Host-shirong_session";
/// A day's shift.
pub(crate) const SESSION_MAX: Duration = Duration::from_secs(12 * 3600);
/// The oldest goes where one more comes.
const SESSIONS_MAX: usize = 1024;

#[derive(Debug, Clone)]
struct Ticket {
    token_id: String,
    since: Instant,
    until: Instant,
}

/// Cookies and login links, by the SHA-256 of their secret.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    cookies: Mutex<HashMap<[u8; 32], Ticket>>,
    links: Mutex<HashMap<[u8; 32], Ticket>>,
}

impl Sessions {
    /// A new cookie's value.
    pub(crate) fn begin(&self, token_id: &str, now: Instant) -> String {
        issue(&self.cookies, token_id, now, SESSION_MAX)
    }

    /// Whose cookie it is.
    pub(crate) fn token_id(&self, cookie: &str, now: Instant) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.get(&token_sha256(cookie)).filter(|ticket| ticket.until > now).map(|t| t.token_id.clone())
    }

    /// Ends a cookie.
    pub(crate) fn end(&self, cookie: &str) {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).remove(&token_sha256(cookie));
    }

    /// A link that lets one browser in, once.
    pub(crate) fn link(&self, token_id: &str, now: Instant, lasts: Duration) -> String {
        issue(&self.links, token_id, now, lasts)
    }

    /// Whose link it is; it is gone with the asking.
    pub(crate) fn use_link(&self, link: &str, now: Instant) -> Option<String> {
        let ticket = self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(&token_sha256(link))?;
        (ticket.until > now).then_some(ticket.token_id)
    }
}

fn issue(
    tickets: &Mutex<HashMap<[u8; 32], Ticket>>,
    token_id: &str,
    now: Instant,
    lasts: Duration,
) -> String {
    let secret = random_text();
    let mut tickets = tickets.lock().unwrap_or_else(PoisonError::into_inner);
    tickets.retain(|_, ticket| ticket.until > now);
    if tickets.len() >= SESSIONS_MAX {
        let oldest = tickets.iter().min_by_key(|(_, ticket)| ticket.since).map(|(key, _)| *key);
        oldest.map(|key| tickets.remove(&key));
    }
    let ticket = Ticket { token_id: token_id.to_owned(), since: now, until: now + lasts };
    tickets.insert(token_sha256(&secret), ticket);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once_and_a_cookie_until_its_end() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let link = sessions.link("a", now, Duration::from_secs(60));
        assert_eq!(sessions.use_link(&link, now).as_deref(), Some("a"));
        assert_eq!(sessions.use_link(&link, now), None);
        let late = sessions.link("a", now, Duration::from_secs(60));
        assert_eq!(sessions.use_link(&late, now + Duration::from_secs(61)), None);

        let cookie = sessions.begin("a", now);
        assert_eq!(sessions.token_id(&cookie, now).as_deref(), Some("a"));
        assert_eq!(sessions.token_id(&cookie, now + SESSION_MAX), None);
        assert!(!format!("{sessions:?}").contains(&cookie), "only digests are kept");
        sessions.end(&cookie);
        assert_eq!(sessions.token_id(&cookie, now), None);
    }

    #[test]
    fn sessions_without_end_are_not_kept_without_end() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.begin("a", now);
        for count in 1..=SESSIONS_MAX {
            sessions.begin("b", now + Duration::from_millis(count as u64));
        }
        assert_eq!(sessions.cookies.lock().unwrap().len(), SESSIONS_MAX);
        assert_eq!(sessions.token_id(&first, now), None, "the oldest went");
    }
}
