//! The node that is broken: store, vault, poster and embedded desk of one folder, as the service wires them,
//! told by a script in the place of cameras.
//!
//! In: a folder, a seed. Out: on standard output `ready`, `told CAMERA AT` for each finding that is on disk,
//! and exit code 0 when the desk has everything. Never: a step told before the ones of its camera before it.
//!
//! Each camera's place in the script is kept as the state of its watch is: after the step, in the store. So a
//! restart goes on where the disk is, and tells the last step again where the process ended in between.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use desk::{Desk, DeskConfig, NewToken, Role, TokenBook, token_sha256};
use logic::look::CameraId;
use report::{
    DeskTarget, ErrorClass, Job, PostLimits, PreparedJob, Reporter, ReporterConfig, Secret, prepare,
};
use tokio::sync::oneshot;

use crate::script::{self, What};

const TOKEN: &str = "the token of a node that is broken on purpose";
/// A node that has not got everything to its desk by then is stuck.
pub(crate) const DONE_BY: Duration = Duration::from_secs(60);

/// Quick pauses: the schedule itself is tested beside the poster.
pub(crate) fn quick() -> PostLimits {
    PostLimits {
        backoff_first: Duration::from_millis(2),
        backoff_max: Duration::from_millis(20),
        idle_look: Duration::from_millis(200),
        ..PostLimits::default()
    }
}

pub(crate) fn run(folder: &Path, seed: u64, things: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async {
        tokio::time::timeout(DONE_BY, live(folder, seed, things)).await.context("not done in time")?
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn live(folder: &Path, seed: u64, things: usize) -> Result<()> {
    let officer = officer(&folder.join("desk")).await?;
    let mut config = DeskConfig::new(folder.join("desk"), token_sha256(TOKEN));
    config.listen = "127.0.0.1:0".parse()?;
    let desk = Desk::open(config).await.context("opening the desk")?;
    let url = format!("http://{}", desk.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(desk.serve(async { drop(stopped.await) }));
    let target = DeskTarget::new(&url, Secret::new(TOKEN))?;
    let config = ReporterConfig { post: quick(), ..ReporterConfig::new(folder.join("report"), target) };
    let reporter = Reporter::open(config).await.context("opening the case store")?;
    let poster = reporter.spawn_poster();
    let person = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    say("ready")?;

    let mut resume: BTreeMap<CameraId, usize> = BTreeMap::new();
    for step in script::steps(seed, things)? {
        let from = match resume.get(&step.camera) {
            Some(from) => *from,
            None => {
                let kept = load(&reporter, &step.camera).await?;
                *resume.entry(step.camera.clone()).or_insert(kept)
            }
        };
        if step.ordinal < from {
            continue;
        }
        match (&step.what, step.job()) {
            (What::Closed(cell), _) => close(&reporter, (&person, &officer), &url, cell).await?,
            (_, Some(job)) => commit(&reporter, &job).await?,
            (_, None) => bail!("bug: a step without a job"),
        }
        if let Some((camera, at_ms)) = step.key() {
            say(&format!("told {camera} {at_ms}"))?;
        }
        let next = (step.ordinal + 1).to_string();
        commit(&reporter, &prepare(Job::Snapshot { camera: step.camera.clone(), json: next })).await?;
    }
    until_posted(&reporter).await?;
    anyhow::ensure!(poster.shutdown(Duration::from_secs(5)).await, "the poster did not end");
    reporter.close().await;
    drop(stop);
    served.await?.context("serving the desk")?;
    Ok(())
}

/// As the evidence thread does: until it holds.
async fn commit(reporter: &Reporter, job: &PreparedJob) -> Result<()> {
    loop {
        match reporter.commit(job).await {
            Ok(_) => return Ok(()),
            Err(error) if error.class() == ErrorClass::Retry => {
                eprintln!("trying again: {error}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(error) => return Err(error).context("committing"),
        }
    }
}

async fn load(reporter: &Reporter, camera: &CameraId) -> Result<usize> {
    let kept = reporter.load_watch(camera).await?;
    kept.map_or(Ok(0), |text| text.parse().with_context(|| format!("`{text}` is no place in the script")))
}

/// The token of who closes cases at the desk: a new one at each start.
async fn officer(desk: &Path) -> Result<String> {
    let book = TokenBook::open(desk).await.context("opening the desk's tokens")?;
    let issued = book.issue(&NewToken::new("who closes", Role::Reviewer)).await;
    book.close().await;
    Ok(issued.context("making a token")?.0)
}

/// Closes what the desk has open in the cell. A desk that does not have it yet, or cannot now, is left alone.
async fn close(
    reporter: &Reporter,
    (person, token): (&reqwest::Client, &str),
    url: &str,
    cell: &str,
) -> Result<()> {
    for local in reporter.store().cases().await? {
        let here = local.case.unit_grid.as_ref().is_some_and(|grid| grid.code == cell);
        if local.open && here {
            let url = format!("{url}/api/v1/cases/{}/close", local.case.case_id);
            let body = serde_json::json!({ "reason": "handled" });
            drop(person.post(url).bearer_auth(token).json(&body).send().await);
        }
    }
    Ok(())
}

async fn until_posted(reporter: &Reporter) -> Result<()> {
    let started = Instant::now();
    loop {
        // A read that fails is asked again; the whole has its deadline.
        if let Ok(counts) = reporter.store().outbox_counts().await {
            anyhow::ensure!(counts.dead == 0, "{} posts were refused for good", counts.dead);
            if counts.pending == 0 {
                return Ok(());
            }
        }
        anyhow::ensure!(started.elapsed() < DONE_BY, "the desk does not take what is in the outbox");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to standard output")
}
