//! The service as a process of its own, measured from outside.
//!
//! In: a street. Out: figures of one round. Never: a call into the service; what it does is told by its `/metrics`,
//! what it costs by the system.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

use crate::figures::{Figures, Moment};
use crate::journey::Arguments;
use crate::meter::{self, Reading};
use crate::scrape::{Client, Metrics};
use crate::street::Street;

/// How often its start is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The start may take so long, and a second more for each so many cameras.
const START_WITHIN: Duration = Duration::from_secs(90);
/// How many times as long as its start it is left alone before it is measured, and for how long at most.
const SETTLES: f64 = 3.0;
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// It has so long to stop.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// One round's figures, and how the service came to them.
pub(crate) struct Round {
    pub figures: Figures,
    pub start_s: f64,
    pub course: Vec<Moment>,
}

/// A running child; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs the service on a street for as long as was asked.
pub(crate) fn round(
    arguments: &Arguments,
    manifest: &Path,
    onnxruntime: Option<&Path>,
    bar: &ProgressBar,
) -> Result<Round> {
    let street = Street::make(arguments, manifest)?;
    let started = Instant::now();
    let mut running = start(&street, onnxruntime)?;
    let client = Client::new(&address(&street, &mut running)?)?;
    wait_for_looks(arguments.cameras, &client, &street, &mut running)?;
    let start_s = started.elapsed().as_secs_f64();
    // All came at once; what has piled up meanwhile is worked off before anything is measured.
    std::thread::sleep(started.elapsed().mul_f64(SETTLES).min(SETTLE_MAX));

    let process = running.0.id();
    let begun = Instant::now();
    let before = (client.metrics()?, meter::read(Some(process))?);
    let end = Duration::from_secs_f64(arguments.secs);
    let mut course = Vec::new();
    let mut next = Duration::from_secs(1).min(end);
    loop {
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
        let (now, at) = ((client.metrics()?, meter::read(Some(process))?), begun.elapsed());
        bar.set_position(at.as_secs().min(end.as_secs()));
        course.push(Moment {
            at_s: at.as_secs_f64(),
            looks: now.0.sum("shirong_looks_total").saturating_sub(before.0.sum("shirong_looks_total")),
            cpu_s: now.1.cpu_s - before.1.cpu_s,
            rss_mib: now.1.rss_mib,
        });
        if at >= end {
            let figures = figures(&before, &now, at, arguments.cameras)?;
            stop(running)?;
            street.close();
            return Ok(Round { figures, start_s, course });
        }
        next = (next + Duration::from_secs(1)).min(end);
    }
}

fn figures(
    before: &(Metrics, Reading),
    after: &(Metrics, Reading),
    wall: Duration,
    cameras: usize,
) -> Result<Figures> {
    let since = |name: &str| after.0.sum(name).saturating_sub(before.0.sum(name));
    let looks = since("shirong_looks_total");
    if looks == 0 {
        bail!(
            "no camera had a look within {:.0} s: measure for longer with --secs, a key frame may come less often",
            wall.as_secs_f64()
        );
    }
    let waits = |name: &str| after.0.histogram(name).since(&before.0.histogram(name)).percentiles();
    let mut drops = after.0.by("shirong_units_dropped_total", "reason");
    for (reason, count) in before.0.by("shirong_units_dropped_total", "reason") {
        drops.entry(reason).and_modify(|now| *now = now.saturating_sub(count));
    }
    drops.insert("overwritten".to_owned(), since("shirong_frames_overwritten_total"));
    drops.insert("no_answer".to_owned(), since("shirong_looks_failed_total"));
    let cpu_s = after.1.cpu_s - before.1.cpu_s;
    Ok(Figures {
        looks,
        looks_per_s: looks as f64 / wall.as_secs_f64(),
        cpu_s_per_look: cpu_s / looks as f64,
        cpu_s_per_camera_minute: cpu_s * 60.0 / (wall.as_secs_f64() * cameras as f64),
        decision_ms: waits("shirong_decision_seconds"),
        // A case is rare: those of the start count too.
        case_ms: after.0.histogram("shirong_case_seconds").percentiles(),
        rss_mib_per_camera: after.1.rss_mib / cameras as f64,
        threads: after.1.threads,
        drops,
        looks_of_a_camera: looks_of_a_camera(&before.0, &after.0),
        findings: after.0.sum("shirong_findings_total"),
        rounds: Vec::new(),
    })
}

/// The fewest and the most that one camera had.
fn looks_of_a_camera(before: &Metrics, after: &Metrics) -> [u64; 2] {
    let earlier = before.by("shirong_looks_total", "camera");
    let each = after.by("shirong_looks_total", "camera").into_iter();
    let each =
        each.map(|(camera, looks)| looks - earlier.get(&camera).copied().unwrap_or_default().min(looks));
    each.fold([u64::MAX, 0], |[least, most], looks| [least.min(looks), most.max(looks)])
}

fn start(street: &Street, onnxruntime: Option<&Path>) -> Result<Running> {
    let exe = std::env::current_exe().context("this executable has no path")?;
    let mut command = Command::new(exe);
    command.arg("--log-json");
    if let Some(library) = onnxruntime {
        command.arg("--onnxruntime").arg(library);
    }
    command.args(["run", "-c"]).arg(street.config()).env("SHIRONG_LOG", "info");
    let log = File::create(street.log()).with_context(|| street.log().display().to_string())?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    Ok(Running(child.context("starting the service")?))
}

/// Where its health is told, from its log.
fn address(street: &Street, running: &mut Running) -> Result<String> {
    let deadline = Instant::now() + START_WITHIN;
    while Instant::now() < deadline {
        let log = std::fs::read_to_string(street.log()).unwrap_or_default();
        if let Some(url) = log.lines().find_map(health_in) {
            return Ok(url);
        }
        is_alive(street, running)?;
        std::thread::sleep(LOOK_EVERY);
    }
    bail!("the service tells no address within {START_WITHIN:?}\n{}", tail(street))
}

fn health_in(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let url = line["fields"]["health"].as_str()?;
    Some(url.strip_suffix("/readyz")?.to_owned())
}

/// Until every camera had a look.
fn wait_for_looks(cameras: usize, client: &Client, street: &Street, running: &mut Running) -> Result<()> {
    let within = START_WITHIN + Duration::from_secs(cameras as u64 / 10);
    let deadline = Instant::now() + within;
    loop {
        let seen = client.metrics()?.cameras_with("shirong_looks_total", 1.0);
        if seen >= cameras {
            return Ok(());
        }
        is_alive(street, running)?;
        if Instant::now() > deadline {
            bail!("{seen} of {cameras} cameras had a look within {within:?}\n{}", tail(street));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_alive(street: &Street, running: &mut Running) -> Result<()> {
    match running.0.try_wait()? {
        None => Ok(()),
        Some(status) => bail!("the service ended ({status})\n{}", tail(street)),
    }
}

/// The log's last lines, for whoever asks why.
fn tail(street: &Street) -> String {
    let log = std::fs::read_to_string(street.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// As a supervisor stops it.
fn stop(mut running: Running) -> Result<()> {
    let process = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
    let deadline = Instant::now() + STOP_WITHIN;
    while Instant::now() < deadline {
        if let Some(status) = running.0.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("the service ended badly: {status}");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bail!("the service does not stop within {STOP_WITHIN:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log() {
        let line = r#"{"fields":{"message":"answers","health":"http://127.0.0.1:9/readyz"}}"#;
        assert_eq!(health_in(line).as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(health_in("starting"), None);
    }
}
