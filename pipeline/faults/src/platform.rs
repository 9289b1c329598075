//! Cases through a platform that misbehaves in two dozen ways: each must be there once, in the end.
//!
//! In: a seed, how many cases. Out: how often each fault was met, what came of it. The first tenth of the cases
//! have pictures and two sightings each, so that order and evidence are held to the contract as well. What the
//! platform refuses for good is a dead letter; a person tries it again, as `shirong cases retry` does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::time::Timestamp;
use logic::finding::SpotId;
use report::{
    DeskTarget, Job, PostLimits, PreparedJob, Reporter, ReporterConfig, Retry, Secret, Shot, prepare,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::node::quick;
use crate::receiver::Receiver;
use crate::script::{finding_at, provenance};
use crate::verdict::Verdict;
use crate::{Bar, Tally};

const TOKEN: &str = "the token of a platform that misbehaves";
/// 2026-07-01T00:00:00Z
const START_MS: i64 = 1_782_864_000_000;
/// Matters, so that no finding is held against ten thousand open cases.
const MATTERS: usize = 100;
/// Cases that meet each kind of broken TLS first.
const TLS_CASES: usize = 20;
/// How long the outbox may stand still before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

fn limits() -> PostLimits {
    PostLimits {
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_millis(400),
        concurrency: 16,
        ..quick()
    }
}

/// A frame of its own shade, or none.
fn job(number: usize, at_ms: i64, has_picture: bool, is_seen: bool) -> PreparedJob {
    let size = if has_picture { 32 } else { 0 };
    let luma: Vec<u8> = (0..size * size).map(|i| (number + i) as u8).collect();
    let uv: Vec<u8> = vec![(number / 256) as u8; size * size / 2];
    let view = YuvView {
        width: size,
        height: size,
        luma: Plane { data: &luma, stride: size },
        chroma: Chroma::Nv12 { uv: Plane { data: &uv, stride: size } },
        matrix: Matrix::Bt601,
        range: Range::Full,
    };
    let spot = SpotId { first_at: Timestamp::from_millis(START_MS + number as i64), ordinal: 0 };
    let code = format!("09{:03}", number % MATTERS);
    let finding = finding_at("a-camera", number, spot, at_ms, &code);
    let shot = Shot { view, at: Timestamp::from_millis(at_ms), detections: Some(&[]) };
    prepare(if is_seen {
        Job::Seen { finding, shot, provenance: provenance() }
    } else {
        Job::Confirmed { finding, shot, provenance: provenance() }
    })
}

async fn feed(reporter: &Reporter, cases: std::ops::Range<usize>, with_more: usize, bar: &Bar) -> Result<()> {
    for (done, number) in (1..).zip(cases) {
        let at_ms = START_MS + 1_000_000 + number as i64;
        let has_more = number < with_more;
        reporter.commit(&job(number, at_ms, has_more, false)).await?;
        for later in 1..=if has_more { 2 } else { 0 } {
            reporter.commit(&job(number, at_ms + 100_000_000 * later, true, true)).await?;
        }
        bar.set(done);
    }
    Ok(())
}

pub(crate) async fn run(seed: u64, cases: usize, tally: &mut Tally) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (receiver, with_more) = (Receiver::start(seed, TOKEN).await?, cases / 10);
    let mut verdict = Verdict::default();
    let tls = broken_tls(folder.path(), cases, tally, &mut verdict).await?;
    let target = DeskTarget::new(&receiver.url(), Secret::new(TOKEN))?;
    let config =
        ReporterConfig { post: limits(), ..ReporterConfig::new(folder.path().join("report"), target) };
    let reporter = reopen(config).await?;
    let poster = reporter.spawn_poster();
    let bar = tally.bar("findings", cases as u64);
    feed(&reporter, 0..cases, with_more, &bar).await?;
    bar.done();
    let retried = until_posted(&reporter, cases, tally).await?;
    anyhow::ensure!(poster.shutdown(Duration::from_secs(5)).await, "the poster did not end");

    let wanted = cases + tls;
    judge(&reporter, &receiver, wanted, 2 * with_more, &mut verdict).await?;
    reporter.close().await;
    let played: u64 = receiver.kept().played.values().sum();
    let kinds = receiver.kept().played.len();
    for (fault, times) in &receiver.kept().played {
        tally.say(&format!("  {fault:?} {times}"));
    }
    tally.say(&format!(
        "platform: {wanted} cases through {played} faults of {kinds} kinds and 3 kinds of broken TLS; {retried} dead letters tried again; there: {}",
        receiver.kept().cases.len()
    ));
    tally.judge("platform".into(), played + tls as u64, verdict);
    Ok(())
}

/// The poster of a reporter that was closed may hold the folder for a moment.
async fn reopen(config: ReporterConfig) -> Result<Reporter> {
    let started = Instant::now();
    loop {
        match Reporter::open(config.clone()).await {
            Err(report::ReportError::FolderInUse { .. }) if started.elapsed() < STUCK_AFTER => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            other => return other.context("opening the case store"),
        }
    }
}

/// Until the outbox is empty; dead letters are put back as a person would. Returns how many were.
async fn until_posted(reporter: &Reporter, cases: usize, tally: &Tally) -> Result<u64> {
    let bar = tally.bar("platform", cases as u64);
    let (mut retried, mut last, mut moved_at) = (0, None, Instant::now());
    loop {
        let counts = reporter.store().outbox_counts().await?;
        if counts.pending == 0 && counts.dead == 0 {
            bar.done();
            return Ok(retried);
        }
        // A dead case holds up its own sightings.
        if counts.dead > 0 {
            retried += reporter.retry_dead(Retry::All).await?;
        }
        if last.replace(counts.done) != Some(counts.done) {
            moved_at = Instant::now();
        }
        bar.set(reporter.counters().cases_posted.min(cases as u64));
        if moved_at.elapsed() > STUCK_AFTER {
            let rows = reporter.store().outbox(None).await?;
            let why: BTreeSet<String> = rows.into_iter().filter_map(|row| row.last_error).collect();
            anyhow::bail!("the outbox stands still: {counts:?}: {why:#?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn judge(
    reporter: &Reporter,
    receiver: &Receiver,
    wanted: usize,
    sightings: usize,
    verdict: &mut Verdict,
) -> Result<()> {
    let here: BTreeSet<String> =
        reporter.store().cases().await?.into_iter().map(|local| local.case.case_id).collect();
    let kept = receiver.kept();
    let there: BTreeSet<String> = kept.cases.values().map(|case| case.case_id.clone()).collect();
    verdict.lost.extend(here.difference(&there).map(|id| format!("case {id} is not on the platform")));
    verdict.double.extend(there.difference(&here).map(|id| format!("case {id} is unknown to the store")));
    let instants: BTreeSet<i64> = kept.cases.values().map(|case| case.confirmed_at.as_millis()).collect();
    if instants.len() != kept.cases.len() {
        verdict.double.push(format!("{} cases of {} findings", kept.cases.len(), instants.len()));
    }
    if kept.cases.len() != wanted {
        verdict.lost.push(format!("{} cases of {wanted}", kept.cases.len()));
    }
    let seen: usize = kept.sightings.values().map(Vec::len).sum();
    if seen != sightings {
        verdict.lost.push(format!("{seen} sightings of {sightings}"));
    }
    verdict.lost.extend(kept.breaches.iter().cloned());
    Ok(())
}

/// Cases told to an `https` address whose other end speaks plain HTTP, hangs up, or says nothing: they wait.
/// Returns how many there are.
async fn broken_tls(
    folder: &std::path::Path,
    from: usize,
    tally: &Tally,
    verdict: &mut Verdict,
) -> Result<usize> {
    for (kind, answer) in
        [Some(b"HTTP/1.1 200 OK\r\n\r\n".as_slice()), Some(b""), None].into_iter().enumerate()
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut hello = [0; 512];
                let _ = stream.read(&mut hello).await;
                match answer {
                    Some(answer) => drop(tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await),
                    None => held.push(stream),
                }
            }
        });
        let target = DeskTarget::new(&url, Secret::new(TOKEN))?;
        let config = ReporterConfig { post: limits(), ..ReporterConfig::new(folder.join("report"), target) };
        let reporter = reopen(config).await?;
        let poster = reporter.spawn_poster();
        let first = from + kind * TLS_CASES;
        feed(&reporter, first..first + TLS_CASES, 0, &tally.bar("broken TLS", TLS_CASES as u64)).await?;
        let started = Instant::now();
        while reporter.counters().posts_retried < TLS_CASES as u64 {
            anyhow::ensure!(started.elapsed() < STUCK_AFTER, "nothing is tried at {url}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let counts = reporter.store().outbox_counts().await?;
        if counts.done + counts.dead > 0 {
            verdict.lost.push(format!("broken TLS of kind {kind} was taken for an answer: {counts:?}"));
        }
        poster.shutdown(Duration::ZERO).await;
        reporter.close().await;
        server.abort();
    }
    Ok(3 * TLS_CASES)
}
