//! One row to the desk: the evidence first, then the case or sighting; and what the answer means.
//!
//! In: a row and the vault. Out: an [`Outcome`]. Never: the store, a retry of its own, a redirect followed,
//! an original. Told twice, the desk holds one: the evidence is named by its hash and the rest carries
//! its `Idempotency-Key`.

use std::sync::Arc;
use std::time::Duration;

use logic::case::CaseState;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;

use crate::error::ReportError;
use crate::store::{OutboxKind, OutboxRow};
use crate::target::DeskTarget;
use crate::vault::{CopyRead, Vault};

/// Most of an error answer that is kept as the reason, characters.
const REASON_CHARS_MAX: usize = 300;
/// Most of an answer that is read: a case with all its sources is a hundredth of it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A desk may ask for no longer a pause than this.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The desk has it.
    Done,
    /// The desk may take it later.
    Retry { reason: String, after: Option<Duration> },
    /// The desk would take it if this service were set up rightly. Nothing is lost over that: it is
    /// tried again like the above, and said aloud.
    Misconfigured { reason: String },
    /// The desk has closed the case that this sighting is of.
    CaseClosed { reason: String },
    /// The desk will never take it as it is.
    Dead { reason: String },
}

/// Which of the three posts an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Post {
    Evidence,
    Case,
    Sighting,
}

/// The client and where it posts to.
#[derive(Debug)]
pub(crate) struct Courier {
    client: Client,
    target: DeskTarget,
    authorization: HeaderValue,
    vault: Arc<Vault>,
}

impl Courier {
    pub(crate) fn new(
        target: DeskTarget,
        vault: Arc<Vault>,
        connect_timeout: Duration,
        request_timeout: Duration,
    ) -> Result<Self, ReportError> {
        // The application may have installed one; either serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(connect_timeout)
            .timeout(request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            // Evidence goes to the desk that was named and through no proxy that an environment names.
            .no_proxy();
        if target.is_plain_http() {
            // Without this a machine that has no CA certificates could not even post to its own desk.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(ReportError::Http)?;
        let authorization = target.authorization()?;
        Ok(Self { client, target, authorization, vault })
    }

    /// Tells the desk one row.
    pub(crate) async fn deliver(&self, row: &OutboxRow) -> Outcome {
        for copy in &row.evidence {
            let (vault, wanted) = (Arc::clone(&self.vault), copy.clone());
            let read =
                tokio::task::spawn_blocking(move || vault.read_copy(&wanted.sha256, wanted.captured_at))
                    .await;
            let bytes = match read {
                Ok(Ok(CopyRead::Good(bytes))) => bytes,
                Ok(Ok(CopyRead::Missing)) => return gone("is not in the vault", copy.sha256.as_str()),
                Ok(Ok(CopyRead::Damaged)) => return gone("was altered in the vault", copy.sha256.as_str()),
                Ok(Err(e)) => return Outcome::Retry { reason: e.to_string(), after: None },
                Err(e) => return Outcome::Retry { reason: format!("reading evidence: {e}"), after: None },
            };
            match self.put_evidence(copy.sha256.as_str(), bytes).await {
                Outcome::Done => {}
                other => return other,
            }
        }
        self.post_row(row).await
    }

    /// Whether the desk has closed a case; why not known, where it does not say.
    pub(crate) async fn is_closed(&self, case_id: &str) -> Result<bool, String> {
        #[derive(Deserialize)]
        struct Told {
            case_id: String,
            state: CaseState,
        }
        let url = self.target.url(&format!("api/v1/cases/{case_id}"));
        let request = self.client.get(url).header(AUTHORIZATION, self.authorization.clone());
        let response = request.send().await.map_err(|e| chain(&e))?;
        if !response.status().is_success() {
            return Err(response.status().to_string());
        }
        let body = body_of(response).await.map_err(|e| chain(&e))?;
        let told: Told = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        if told.case_id == case_id { Ok(told.state == CaseState::Closed) } else { Err("another case".into()) }
    }

    async fn put_evidence(&self, sha256: &str, bytes: Vec<u8>) -> Outcome {
        let url = self.target.url(&format!("api/v1/evidence/{sha256}"));
        let request = self
            .client
            .put(url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "image/jpeg")
            .body(bytes);
        outcome_of(Post::Evidence, sha256, request.send().await).await
    }

    async fn post_row(&self, row: &OutboxRow) -> Outcome {
        let (post, path) = match row.kind {
            OutboxKind::Case => (Post::Case, "api/v1/cases".to_owned()),
            OutboxKind::Sighting => (Post::Sighting, format!("api/v1/cases/{}/sightings", row.case_id)),
        };
        let request = self
            .client
            .post(self.target.url(&path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", &row.key)
            .body(row.body.clone());
        outcome_of(post, &row.case_id, request.send().await).await
    }
}

fn gone(how: &str, sha256: &str) -> Outcome {
    Outcome::Dead { reason: format!("evidence {sha256} {how}") }
}

/// The part of an answer that acknowledges: of evidence its digest, of a case or sighting the case.
#[derive(Deserialize)]
struct Acknowledgement {
    sha256: Option<String>,
    case_id: Option<String>,
}

async fn outcome_of(post: Post, about: &str, sent: Result<Response, reqwest::Error>) -> Outcome {
    let response = match sent {
        Ok(response) => response,
        // Refused, cut off, too slow: nobody knows whether the desk has it, so it is told again.
        Err(e) => return Outcome::Retry { reason: chain(&e), after: None },
    };
    let status = response.status();
    let after = retry_after(response.headers().get(RETRY_AFTER));
    let body = match body_of(response).await {
        Ok(body) => body,
        // Cut off in the middle of its word, which is then no word.
        Err(e) if status.is_success() => return Outcome::Retry { reason: chain(&e), after: None },
        Err(_) => Vec::new(),
    };
    if status.is_success() && acknowledges(post, about, &body) {
        return Outcome::Done;
    }
    classify(post, status, after, &String::from_utf8_lossy(&body))
}

/// What comes first of an answer's body, bounded: whoever answers may not be a desk.
async fn body_of(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(ANSWER_BYTES_MAX);
    Ok(body)
}

/// Whether the answer names what was posted. A page of a proxy, or the answer to another post, says 200 too.
fn acknowledges(post: Post, about: &str, body: &[u8]) -> bool {
    let Ok(said) = serde_json::from_slice::<Acknowledgement>(body) else { return false };
    let named = if post == Post::Evidence { said.sha256 } else { said.case_id };
    named.as_deref() == Some(about)
}

/// What an answer means that is no acknowledgement.
fn classify(post: Post, status: StatusCode, after: Option<Duration>, body: &str) -> Outcome {
    let said: String = body.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    let reason =
        if said.is_empty() { format!("{post:?}: {status}") } else { format!("{post:?}: {status}: {said}") };
    match status.as_u16() {
        200..=299 => {
            Outcome::Retry { reason: format!("{reason} (which does not name what was posted)"), after }
        }
        408 | 425 | 429 | 500..=599 => Outcome::Retry { reason, after },
        401 | 403 => Outcome::Misconfigured { reason },
        300..=399 => Outcome::Misconfigured { reason: format!("{reason} (redirects are not followed)") },
        // The contract has no such answer there: it is not a desk, or not at this path.
        404 | 405 if post != Post::Sighting => Outcome::Misconfigured { reason },
        409 if post == Post::Sighting && body.contains("case_closed") => Outcome::CaseClosed { reason },
        _ => Outcome::Dead { reason },
    }
}

/// Seconds only; a date is answered by the usual back-off.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    let secs: u64 = header?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(secs).min(RETRY_AFTER_MAX))
}

/// An error and everything that it was caused by.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(post: Post, status: u16, body: &str) -> &'static str {
        match classify(post, StatusCode::from_u16(status).unwrap(), None, body) {
            Outcome::Done => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Misconfigured { .. } => "misconfigured",
            Outcome::CaseClosed { .. } => "closed",
            Outcome::Dead { .. } => "dead",
        }
    }

    #[test]
    fn every_answer_has_its_meaning() {
        for status in [200, 202, 204, 408, 425, 429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(kind(Post::Case, status, ""), "retry", "{status}");
        }
        for status in [301, 302, 307, 308, 401, 403, 404, 405] {
            assert_eq!(kind(Post::Case, status, ""), "misconfigured", "{status}");
            assert_eq!(kind(Post::Evidence, status, ""), "misconfigured", "{status}");
        }
        for status in [400, 409, 410, 413, 415, 422] {
            assert_eq!(kind(Post::Case, status, "case_closed"), "dead", "{status}");
        }
        assert_eq!(kind(Post::Sighting, 409, r#"{"error":"case_closed"}"#), "closed");
        assert_eq!(kind(Post::Sighting, 409, r#"{"error":"key_conflict"}"#), "dead");
        assert_eq!(kind(Post::Sighting, 404, ""), "dead");
    }

    #[test]
    fn an_acknowledgement_names_what_was_posted() {
        let case = br#"{"case_id":"1","state":"reported","sightings":2}"#;
        assert!(acknowledges(Post::Case, "1", case) && acknowledges(Post::Sighting, "1", case));
        assert!(acknowledges(Post::Evidence, "ab", br#"{"sha256":"ab","uri":"/api/v1/evidence/ab"}"#));
        let others = [
            b"".as_slice(),
            b"<html>200 OK</html>",
            b"{}",
            b"[]",
            br#"{"case_id":"2"}"#,
            br#"{"sha256":"1"}"#,
        ];
        for other in others {
            assert!(!acknowledges(Post::Case, "1", other), "{}", String::from_utf8_lossy(other));
        }
        assert!(!acknowledges(Post::Evidence, "1", case));
    }

    #[test]
    fn retry_after_is_seconds_with_a_limit() {
        let read = |text: &'static str| retry_after(Some(&HeaderValue::from_static(text)));
        assert_eq!(read(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(read("999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(retry_after(None), None);
    }

    #[test]
    fn reasons_are_short_and_on_one_line() {
        let Outcome::Dead { reason } =
            classify(Post::Case, StatusCode::BAD_REQUEST, None, &"é\n".repeat(9000))
        else {
            panic!("dead")
        };
        assert!(reason.chars().count() < 400 && !reason.contains('\n'));
    }
}
