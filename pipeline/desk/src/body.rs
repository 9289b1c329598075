//! A request's body, with limits. In: what a caller sends. Out: chunks, or a typed JSON body. Never more than
//! the limit in memory or on disk, and never a wait without an end.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tokio::time::timeout;

use crate::error::{Fault, Refusal};

/// A caller that sends nothing for this long is let go.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How much of a refused body is still read, so that the caller sees the answer rather than a reset.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A case with 64 pieces of evidence takes about 20 KiB.
pub(crate) const JSON_BYTES_MAX: usize = 256 * 1024;

/// Reads a body chunk by chunk up to a limit.
pub(crate) struct BodyReader {
    body: Body,
    bytes: usize,
    bytes_max: usize,
}

impl BodyReader {
    pub(crate) fn new(body: Body, bytes_max: usize) -> Self {
        Self { body, bytes: 0, bytes_max }
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    /// 413 past the limit, 408 when nothing comes or the connection breaks: a sender may come again with the same.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let declared = self.body.size_hint().lower();
        let too_large = self.bytes == 0 && usize::try_from(declared).is_ok_and(|n| n > self.bytes_max);
        let Some(chunk) = (if too_large { None } else { self.chunk().await? }) else {
            if too_large {
                self.drain().await;
                return Err(self.too_large());
            }
            return Ok(None);
        };
        self.bytes += chunk.len();
        if self.bytes > self.bytes_max {
            self.drain().await;
            return Err(self.too_large());
        }
        Ok(Some(chunk))
    }

    /// Reads and forgets the rest, within reason.
    pub(crate) async fn drain(&mut self) {
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            match self.chunk().await {
                Ok(Some(chunk)) => drained += chunk.len(),
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let body = &mut self.body;
            let frame = timeout(IDLE_MAX, poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx))).await;
            match frame {
                Err(_) => {
                    return Err(Refusal::of(
                        StatusCode::REQUEST_TIMEOUT,
                        "too_slow",
                        "nothing came for 30 s",
                        "send the whole request without a pause",
                    ));
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    tracing::debug!(%error, "a body broke off");
                    return Err(Refusal::of(
                        StatusCode::REQUEST_TIMEOUT,
                        "cut_off",
                        "the body broke off",
                        "send it again",
                    ));
                }
                // Trailers carry no data.
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => return Ok(Some(chunk)),
                    Err(_) => continue,
                },
            }
        }
    }

    fn too_large(&self) -> Refusal {
        Refusal::of(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            &format!("the body is larger than {} bytes", self.bytes_max),
            "send less",
        )
    }
}

/// A JSON body of type `T`.
///
/// # Errors
/// 415 another content type, 413, 400 no JSON, 422 JSON of another shape (with the field).
pub(crate) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "Content-Type",
            "the body is not declared as JSON",
            "send `Content-Type: application/json`",
        ));
    }
    let mut reader = BodyReader::new(body, JSON_BYTES_MAX);
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    parsed(&bytes)
}

/// The JSON of a whole body.
///
/// # Errors
/// As [`json`], without what concerns the way it came.
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        not_understood(&field, error.inner())
    })?;
    deserializer.end().map_err(|error| not_understood("", &error))?;
    Ok(value)
}

fn not_understood(field: &str, error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => {
            let field = if field.is_empty() { "." } else { field };
            Refusal::invalid(vec![Fault::invalid(
                field,
                error.to_string(),
                "write the field as /api/v1/openapi.json describes it",
            )])
        }
        Category::Syntax | Category::Eof | Category::Io => Refusal::of(
            StatusCode::BAD_REQUEST,
            "no_json",
            &format!("the body is no JSON: {error}"),
            "send one JSON object in UTF-8",
        ),
    }
}
