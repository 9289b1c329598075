//! The fair rival: `benches/rival` in a Python of its own.
//!
//! In: clips or cameras over RTSP, the service's own weights. Out: figures of one engine. Never: an installation; what
//! is missing is told with the command that brings it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use samples::Crowd;
use serde::Deserialize;

use crate::figures::{self, Figures, Percentiles};
use crate::journey::{Arguments, Cadence};

/// Its engines; the better one counts.
pub(crate) const ENGINES: [&str; 2] = ["ort", "openvino"];
/// Files that it reads at once at most: each holds decoded pictures, and its cost a look does not depend on it.
const FILES_MAX: usize = 16;
/// Cameras: as many as the service's, so that both have as long from look to look, up to what its memory holds.
const CAMERAS_MAX: usize = 64;

/// How many streams it reads.
pub(crate) fn streams(arguments: &Arguments) -> usize {
    arguments.cameras.clamp(1, if arguments.rtsp { CAMERAS_MAX } else { FILES_MAX })
}

/// Where it is and what it runs in.
pub(crate) struct Place {
    script: PathBuf,
    python: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Line {
    looks: u64,
    findings: u64,
    wall_s: f64,
    cpu_s: f64,
    decision_ms: Option<Percentiles>,
    peak_rss_mib: f64,
    threads: u64,
}

impl Place {
    /// Finds both.
    ///
    /// # Errors
    /// There is no checkout, or its Python was not made.
    pub(crate) fn find() -> Result<Self> {
        let root = crate::checkout()?;
        let python = root.join("target/rival-venv/bin/python");
        if !python.exists() {
            bail!(
                "the rival has no Python at {}: make it once with `make rival` (it installs PyAV, OpenVINO and ONNX \
                 Runtime there, some 600 MB), or leave it out with --beside bare",
                python.display()
            );
        }
        Ok(Self { script: root.join("benches/rival/rival.py"), python })
    }

    /// One round of one engine.
    pub(crate) fn round(&self, arguments: &Arguments, manifest: &Path, engine: &str) -> Result<Figures> {
        let manifest = models::Manifest::load(manifest)?;
        let (weights, input) = (manifest.weights(), manifest.input());
        let clips = crate::street::clips(arguments)?;
        let streams = streams(arguments);
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg("--model").arg(weights);
        command.args(["--engine", engine, "--threads", &arguments.threads.to_string()]);
        command.args(["--side", &input.width.to_string()]);
        if let Some(step) = input.trim.filter(|_| arguments.rival_trim) {
            command.args(["--trim", &step.to_string()]);
        }
        command.args(["--streams", &streams.to_string(), "--dwell", &arguments.dwell.to_string()]);
        if let Cadence::Fps(fps) = arguments.cadence {
            command.args(["--all", "--fps", &fps.to_string()]);
        }
        let server = arguments.rtsp.then(|| Crowd::start(&clips, streams)).transpose()?;
        match &server {
            Some(server) => {
                command.args(["--secs", &arguments.secs.to_string()]);
                command.args((0..streams).map(|number| server.url(number)));
            }
            None => {
                command.args(&clips);
            }
        }
        let told = command.stdin(Stdio::null()).output();
        let told = told.with_context(|| format!("starting {}", self.python.display()))?;
        if !told.status.success() {
            let why = String::from_utf8_lossy(&told.stderr);
            bail!("the rival failed ({}):\n{}", told.status, why.trim_end());
        }
        // Libraries may say something of their own first.
        let text = String::from_utf8_lossy(&told.stdout);
        let last = text.lines().rfind(|line| line.starts_with('{')).context("the rival told nothing")?;
        let line: Line = serde_json::from_str(last).context("the rival's line")?;
        if line.looks == 0 {
            bail!("the rival had no look: are the clips long enough?");
        }
        let looks = line.looks as f64;
        Ok(Figures {
            looks: line.looks,
            looks_per_s: looks / line.wall_s,
            cpu_s_per_look: line.cpu_s / looks,
            cpu_s_per_camera_minute: figures::of_a_minute(arguments, &clips, line.cpu_s / looks)?,
            decision_ms: line.decision_ms,
            rss_mib_per_camera: line.peak_rss_mib / streams as f64,
            threads: line.threads,
            findings: line.findings,
            ..Figures::default()
        })
    }
}
