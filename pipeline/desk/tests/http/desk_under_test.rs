//! A desk in a temporary folder, and callers of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use desk::{Desk, DeskConfig, DeskError, NewToken, Role, TokenBook, token_sha256};
use logic::case::Case;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The node's own token, of the role `service`.
pub(crate) const TOKEN: &str = "a token of the test";

/// A desk that serves.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    /// An administrator's token.
    pub(crate) admin: String,
    /// Where the node's own pipeline would post.
    pub(crate) own_url: String,
    /// Where a browser finds it.
    pub(crate) front_url: String,
    pub(crate) folder: PathBuf,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), DeskError>>,
}

pub(crate) fn config(folder: &Path) -> DeskConfig {
    let mut config = DeskConfig::new(folder, token_sha256(TOKEN));
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.evidence_bytes_max = 64 * 1024;
    config
}

pub(crate) async fn serve(folder: &Path) -> Served {
    serve_with(config(folder)).await
}

pub(crate) async fn serve_with(config: DeskConfig) -> Served {
    let folder = config.folder.clone();
    let desk = Desk::open(config).await.unwrap();
    let (address, own_url, front_url) = (desk.address(), desk.own_url(), desk.url());
    let admin = token(&folder, NewToken::new("the test", Role::Administrator)).await;
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(desk.serve(async {
        let _ = stopped.await;
    }));
    Served { address, client: client(), admin, own_url, front_url, folder, stop, served }
}

/// A new token, as an operator makes one beside a desk that serves.
pub(crate) async fn token(folder: &Path, new: NewToken) -> String {
    let book = TokenBook::open(folder).await.unwrap();
    let (token, _) = book.issue(&new).await.unwrap();
    book.close().await;
    token
}

pub(crate) fn client() -> Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let status = response.status();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, body }
    }

    /// The fields that have faults.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["field"].as_str().unwrap_or("-")).collect()
    }

    /// The code of the first fault.
    pub(crate) fn code(&self) -> &str {
        self.body["errors"][0]["code"].as_str().expect("a code")
    }
}

impl Served {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.admin, path).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap()).await
    }

    /// A write with the node's own token.
    pub(crate) fn write(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(TOKEN)
    }

    pub(crate) async fn put(&self, bytes: Vec<u8>) -> Answer {
        let path = format!("/api/v1/evidence/{}", sha256(&bytes));
        Answer::of(self.write(Method::PUT, &path).body(bytes).send().await.unwrap()).await
    }

    /// A new picture, put; its digest.
    pub(crate) async fn picture(&self) -> String {
        let bytes = picture();
        let sha = sha256(&bytes);
        assert_eq!(self.put(bytes).await.status, 201);
        sha
    }

    /// A post with the key of its body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let key = body["idempotency_key"].as_str().unwrap_or("none");
        let request = self.write(Method::POST, path).header("Idempotency-Key", key).json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn file(&self, case: &Value) -> Answer {
        self.post("/api/v1/cases", case).await
    }

    /// A new case, filed; what came back.
    pub(crate) async fn filed(&self) -> Value {
        let answer = self.file(&case(&[("crop", &self.picture().await)])).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    pub(crate) async fn close(&self, case_id: &str, reason: &str) -> Answer {
        let path = format!("/api/v1/cases/{case_id}/close");
        let request = self.client.post(self.url(&path)).bearer_auth(&self.admin);
        let request = request.json(&json!({ "reason": reason }));
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.unwrap().unwrap();
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A small JPEG, each time other bytes.
pub(crate) fn picture() -> Vec<u8> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    jpeg_with_comment(&number.to_be_bytes())
}

pub(crate) fn jpeg_with_comment(comment: &[u8]) -> Vec<u8> {
    let plain = encoded(image::ImageFormat::Jpeg);
    let length = u16::try_from(comment.len() + 2).unwrap().to_be_bytes();
    // After the first marker: FF FE, its length, the comment.
    [&plain[..2], &[0xff, 0xfe], &length, comment, &plain[2..]].concat()
}

pub(crate) fn encoded(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(16, 16, image::Rgb([9, 90, 200])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn piece(role: &str, sha: &str, captured_at: &str) -> Value {
    json!({
        "role": role, "uri": format!("/api/v1/evidence/{sha}"), "sha256": sha,
        "captured_at": captured_at, "masked": true,
    })
}

/// A good case, as the pipeline's own type writes it.
pub(crate) fn case(evidence: &[(&str, &str)]) -> Value {
    let evidence: Vec<_> =
        evidence.iter().map(|(role, sha)| piece(role, sha, "2026-07-01T08:34:00Z")).collect();
    let case = json!({
        "case_id": Uuid::new_v4(), "idempotency_key": Uuid::new_v4(), "state": "reported",
        "linked_case_id": null,
        "matter": {"standard_ref": "GB/T 47678.5-2026", "code": "09006", "name": "占道经营"},
        "first_seen": "2026-07-01T08:30:00Z", "confirmed_at": "2026-07-01T08:34:00Z",
        "last_seen": "2026-07-01T08:34:00Z", "sightings": 1,
        "sources": [{"kind": "camera", "id": "ls-012", "zone": "footway-east", "preset": null}],
        "location": {"lon": 118.65, "lat": 34.92, "crs": "EPSG:4490", "error_m": 1.8},
        "unit_grid": {"code": "371329001005012", "probability": 0.98}, "responsibility_grid": "LS-G-017",
        "score": 0.83, "model": {"name": "city-nano", "sha256": sha256(b"weights")},
        "config_sha256": sha256(b"configuration"), "evidence": evidence,
    });
    let case: Case = serde_json::from_value(case).unwrap();
    // By its text: a value would hold the score as the f64 nearest to an f32.
    serde_json::from_str(&serde_json::to_string(&case).unwrap()).unwrap()
}

pub(crate) fn sighting(at: &str, camera: &str, evidence: Vec<Value>) -> Value {
    json!({
        "idempotency_key": Uuid::new_v4(), "at": at,
        "source": {"kind": "camera", "id": camera, "zone": "footway-east", "preset": null},
        "score": 0.7, "evidence": evidence,
    })
}
