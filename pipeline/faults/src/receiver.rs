//! A case platform that keeps the contract when it must and misbehaves on command.
//!
//! In: HTTP on loopback, byte by byte, so that an answer can be anything. Out: what it holds, and how often it
//! did what. Never: more than a few faults in the way of one post, so that everything ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use logic::case::{Case, Sighting};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the platform misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nobody listens for a while.
    Down,
    /// Answers late, but in time.
    Slow,
    /// Never answers; nothing is stored.
    Hang,
    /// Stored; never answers.
    StoredThenHang,
    /// Refuses, with this status. Nothing is stored.
    Status(u16),
    /// 429 with the seconds to wait.
    Busy,
    /// The connection is cut before the body has been read.
    CutInRequest,
    /// Nothing is stored and the connection ends without a word.
    CutBeforeAnswer,
    /// Stored, and the answer ends in the middle of its body.
    CutInAnswer,
    /// Stored, and the answer is lost on its way.
    AnswerLost,
    /// Stored, and the answer comes twice.
    AnswerTwice,
    /// Nothing is stored, and a page says 200.
    SignInPage,
    /// Nothing is stored, and some JSON says 200.
    OtherJson,
    /// Nothing is stored, and the answer is about another case.
    OtherCase,
    /// Nothing is stored; 202 without a body.
    Accepted,
    /// Nothing is stored; sent elsewhere.
    Redirect,
    /// Nothing is stored, and what comes is no HTTP.
    Noise,
}

/// Each with its weight: those that cost a timeout are rare.
const FAULTS: [(Fault, u32); 25] = [
    (Fault::Down, 1),
    (Fault::Slow, 4),
    (Fault::Hang, 1),
    (Fault::StoredThenHang, 1),
    (Fault::Status(400), 6),
    (Fault::Status(401), 6),
    (Fault::Status(403), 6),
    (Fault::Status(404), 6),
    (Fault::Status(408), 6),
    (Fault::Status(409), 6),
    (Fault::Status(413), 6),
    (Fault::Status(422), 6),
    (Fault::Status(500), 6),
    (Fault::Status(503), 6),
    (Fault::Busy, 1),
    (Fault::CutInRequest, 6),
    (Fault::CutBeforeAnswer, 6),
    (Fault::CutInAnswer, 6),
    (Fault::AnswerLost, 6),
    (Fault::AnswerTwice, 6),
    (Fault::SignInPage, 6),
    (Fault::OtherJson, 6),
    (Fault::OtherCase, 6),
    (Fault::Accepted, 6),
    (Fault::Redirect, 6),
];
const NOISE: (Fault, u32) = (Fault::Noise, 4);
/// One request in so many meets a fault.
const ONE_IN: u32 = 3;
/// Faults in the way of one post at most.
const IN_THE_WAY_MAX: u32 = 4;
const DOWN: Duration = Duration::from_millis(40);
const SLOW: Duration = Duration::from_millis(120);
/// Longer than any client waits.
const NEVER: Duration = Duration::from_secs(600);

/// What the platform holds.
#[derive(Default)]
pub(crate) struct Kept {
    evidence: BTreeSet<String>,
    /// By idempotency key.
    pub(crate) cases: HashMap<String, Case>,
    ids: BTreeSet<String>,
    /// By case: key and instant, in the order of arrival.
    pub(crate) sightings: HashMap<String, Vec<(String, i64)>>,
    /// How often it did what.
    pub(crate) played: BTreeMap<Fault, u64>,
    /// Breaches of the contract by whoever posts.
    pub(crate) breaches: Vec<String>,
    /// Keys and digests that were refused for good: a person has them told again, after what came meanwhile.
    refused: BTreeSet<String>,
    in_the_way: HashMap<String, u32>,
    is_down: bool,
}

struct Shared {
    kept: Mutex<Kept>,
    dice: Mutex<StdRng>,
    token: &'static str,
    /// Where it redirects to, and nobody may come.
    elsewhere: SocketAddr,
}

/// Runs until dropped.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.servers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

struct Request {
    method: String,
    path: String,
    authorization: String,
    key: String,
    body: Vec<u8>,
}

/// What an undisturbed platform would answer.
struct Answer {
    status: u16,
    body: String,
}

impl Receiver {
    pub(crate) async fn start(seed: u64, token: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let trap = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            kept: Mutex::default(),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            token,
            elsewhere: trap.local_addr()?,
        });
        let caught = Arc::clone(&shared);
        let trap = tokio::spawn(async move {
            while trap.accept().await.is_ok() {
                caught.kept().breaches.push("a redirect was followed".into());
            }
        });
        let server = tokio::spawn(listen(Arc::clone(&shared), listener, address));
        Ok(Self { shared, address, servers: vec![trap, server] })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept()
    }
}

async fn listen(shared: Arc<Shared>, listener: TcpListener, address: SocketAddr) {
    let mut listener = Some(listener);
    loop {
        if std::mem::take(&mut shared.kept().is_down) {
            listener = None;
            tokio::time::sleep(DOWN).await;
        }
        let Some(open) = &listener else {
            listener = TcpListener::bind(address).await.ok();
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        // A look now and then whether it is to be down.
        if let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::from_millis(5), open.accept()).await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { drop(serve(&shared, stream).await) });
        }
    }
}

/// One connection, until it ends or a fault ends it.
async fn serve(shared: &Shared, mut stream: TcpStream) -> Result<()> {
    let mut unread = Vec::new();
    loop {
        let Some((head_length, body_length)) = head(&mut stream, &mut unread).await? else { return Ok(()) };
        let fault = shared.fault(&unread[..head_length]);
        if fault == Some(Fault::CutInRequest) {
            // What lies unread in the socket makes its end a reset.
            return Ok(());
        }
        while unread.len() < head_length + body_length {
            if stream.read_buf(&mut unread).await? == 0 {
                return Ok(());
            }
        }
        let rest = unread.split_off(head_length + body_length);
        let request = read(&std::mem::replace(&mut unread, rest), head_length)?;
        if !shared.play(&mut stream, &request, fault).await? {
            return Ok(());
        }
    }
}

/// Reads a head; gives its length and that of the body to come. `None` at the end of the connection.
async fn head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<Option<(usize, usize)>> {
    loop {
        if let Some(at) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = std::str::from_utf8(&unread[..at])?;
            let length = header(text, "content-length").unwrap_or("0").parse()?;
            return Ok(Some((at + 4, length)));
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn read(bytes: &[u8], head_length: usize) -> Result<Request> {
    let head = std::str::from_utf8(&bytes[..head_length])?;
    let mut words = head.split(' ');
    Ok(Request {
        method: words.next().unwrap_or_default().to_owned(),
        path: words.next().context("a request without a path")?.to_owned(),
        authorization: header(head, "authorization").unwrap_or_default().to_owned(),
        key: header(head, "idempotency-key").unwrap_or_default().to_owned(),
        body: bytes[head_length..].to_vec(),
    })
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request meets a fault, and which.
    fn fault(&self, head: &[u8]) -> Option<Fault> {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        if !dice.random_ratio(1, ONE_IN) {
            return None;
        }
        let all: u32 = FAULTS.iter().chain([&NOISE]).map(|(_, weight)| weight).sum();
        let mut at = dice.random_range(0..all);
        drop(dice);
        let fault = FAULTS.iter().chain([&NOISE]).find(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        })?;
        let head = String::from_utf8_lossy(head);
        let what = header(&head, "idempotency-key").or(head.split(' ').nth(1)).unwrap_or_default().to_owned();
        let mut kept = self.kept();
        let in_the_way = kept.in_the_way.entry(what.clone()).or_default();
        if *in_the_way >= IN_THE_WAY_MAX {
            return None;
        }
        *in_the_way += 1;
        if let Fault::Status(400 | 404 | 409 | 413 | 422) = fault.0 {
            // An address ends in the digest.
            kept.refused.extend(what.rsplit('/').next().map(str::to_owned));
        }
        *kept.played.entry(fault.0).or_default() += 1;
        Some(fault.0)
    }

    /// Answers. `false` where the connection ends with it.
    async fn play(&self, stream: &mut TcpStream, request: &Request, fault: Option<Fault>) -> Result<bool> {
        use Fault::*;
        let Some(fault) = fault else {
            let answer = self.take(request);
            write(stream, answer.status, "", &answer.body).await?;
            return Ok(true);
        };
        match fault {
            Down => {
                self.kept().is_down = true;
                return Ok(false);
            }
            CutInRequest | CutBeforeAnswer => return Ok(false),
            Hang => tokio::time::sleep(NEVER).await,
            Slow => {
                tokio::time::sleep(SLOW).await;
                let answer = self.take(request);
                write(stream, answer.status, "", &answer.body).await?;
            }
            StoredThenHang => {
                self.take(request);
                tokio::time::sleep(NEVER).await;
            }
            AnswerLost => {
                self.take(request);
                return Ok(false);
            }
            CutInAnswer => {
                let answer = self.take(request);
                let text = http(answer.status, "", &answer.body);
                stream.write_all(&text.as_bytes()[..text.len() - answer.body.len() / 2 - 1]).await?;
                return Ok(false);
            }
            AnswerTwice => {
                let answer = self.take(request);
                let text = http(answer.status, "", &answer.body);
                stream.write_all(format!("{text}{text}").as_bytes()).await?;
            }
            Status(status) => write(stream, status, "", r#"{"errors":[{"code":"on_command"}]}"#).await?,
            Busy => write(stream, 429, "retry-after: 1\r\n", "").await?,
            SignInPage => write(stream, 200, "", "<html>Sign in to the network</html>").await?,
            OtherJson => write(stream, 200, "", r#"{"ok":true}"#).await?,
            OtherCase => {
                write(stream, 201, "", r#"{"case_id":"another","sha256":"another"}"#).await?;
            }
            Accepted => write(stream, 202, "", "").await?,
            Redirect => {
                let to = format!("location: http://{}{}\r\n", self.elsewhere, request.path);
                write(stream, 307, &to, "").await?;
            }
            Noise => {
                stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does what the contract says.
    fn take(&self, request: &Request) -> Answer {
        let mut kept = self.kept();
        if request.authorization != format!("Bearer {}", self.token) {
            kept.breaches.push("a post without the token".into());
        }
        let answer = match (request.method.as_str(), request.path.split('/').collect::<Vec<_>>().as_slice()) {
            ("PUT", ["", "api", "v1", "evidence", sha256]) => kept.put(sha256, &request.body),
            ("POST", ["", "api", "v1", "cases"]) => kept.file(&request.key, &request.body),
            ("POST", ["", "api", "v1", "cases", case_id, "sightings"]) => {
                kept.see(case_id, &request.key, &request.body)
            }
            _ => Err(format!("{} {} is no part of the contract", request.method, request.path)),
        };
        answer.unwrap_or_else(|breach| {
            let body = serde_json::json!({ "error": breach }).to_string();
            kept.breaches.push(breach);
            Answer { status: 422, body }
        })
    }
}

impl Kept {
    fn put(&mut self, sha256: &str, body: &[u8]) -> Result<Answer, String> {
        if report::Sha256Hex::of(body).as_str() != sha256 {
            return Err(format!("evidence {sha256} has other bytes"));
        }
        let status = if self.evidence.insert(sha256.to_owned()) { 201 } else { 200 };
        Ok(Answer { status, body: serde_json::json!({ "sha256": sha256 }).to_string() })
    }

    fn file(&mut self, key: &str, body: &[u8]) -> Result<Answer, String> {
        let case: Case = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let answer = |status| Answer { status, body: String::from_utf8_lossy(body).into_owned() };
        if let Some(known) = self.cases.get(key) {
            return if *known == case { Ok(answer(200)) } else { Err(format!("key {key} has two bodies")) };
        }
        if key != case.idempotency_key || self.ids.contains(&case.case_id) {
            return Err(format!("case {} has two keys", case.case_id));
        }
        if let Some(absent) = case.evidence.iter().find(|piece| !self.evidence.contains(&piece.sha256)) {
            return Err(format!("case {} came before its picture {}", case.case_id, absent.sha256));
        }
        self.ids.insert(case.case_id.clone());
        self.cases.insert(key.to_owned(), case);
        Ok(answer(201))
    }

    fn see(&mut self, case_id: &str, key: &str, body: &[u8]) -> Result<Answer, String> {
        let sighting: Sighting = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let body = serde_json::json!({ "case_id": case_id }).to_string();
        if !self.ids.contains(case_id) {
            return Err(format!("a sighting came before its case {case_id}"));
        }
        let of_case = self.sightings.entry(case_id.to_owned()).or_default();
        if of_case.iter().any(|(known, _)| known == key) {
            return Ok(Answer { status: 200, body });
        }
        let at_ms = sighting.at.as_millis();
        let pictures = sighting.evidence.iter().map(|piece| piece.sha256.as_str());
        let is_late = std::iter::once(key).chain(pictures).any(|name| self.refused.contains(name));
        let overtaken = !is_late && of_case.iter().any(|(_, other)| *other > at_ms);
        if key != sighting.idempotency_key || overtaken {
            return Err(format!("the sightings of case {case_id} came out of their order"));
        }
        of_case.push((key.to_owned(), at_ms));
        Ok(Answer { status: 201, body })
    }
}

fn http(status: u16, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n{body}"
    )
}

async fn write(stream: &mut TcpStream, status: u16, more: &str, body: &str) -> Result<()> {
    stream.write_all(http(status, more, body).as_bytes()).await.context("answering")
}
