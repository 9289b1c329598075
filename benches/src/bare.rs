//! The bare limit: decoding into nothing, and inference with nothing around it.
//!
//! In: clips, a model, a number of laps. Out: one JSON line. The parser, the decoder, the session and its threads are
//! those of the service; what it adds to them is what the ratio shows. It is a process of its own, so that its memory
//! and threads are nobody else's.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use calib::time::Timestamp;
use ingest::Clip;
use models::{Detector, Manifest, Runtime};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::figures::{self, Figures, Percentiles};
use crate::journey::{self, Cadence};
use crate::{meter, say};

/// How often the clips are decoded at most, all together: a lap alone would be mostly its beginning.
const LAPS_MAX: usize = 16;
/// Pictures of each clip whose tensors are run on.
const TENSORS: usize = 8;

/// Of `shirong bench bare`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(required = true, value_name = "CLIP")]
    clips: Vec<PathBuf>,
    #[arg(long)]
    model: PathBuf,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value = "keyframes")]
    cadence: Cadence,
    /// How often each clip is decoded.
    #[arg(long, default_value_t = 1)]
    laps: usize,
}

/// What the process tells.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    looks: u64,
    decode_cpu_s: f64,
    infer_cpu_s: f64,
    wall_s: f64,
    decision_ms: Percentiles,
    rss_mib: f64,
    threads: u64,
}

/// One round of the bare limit.
pub(crate) struct Round {
    pub figures: Figures,
    pub decode_cpu_s_per_look: f64,
    pub infer_cpu_s_per_look: f64,
}

/// Measures and tells.
pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let runtime = Runtime::load(onnxruntime)?;
    let mut detector = Detector::open(&runtime, Manifest::load(&arguments.model)?, arguments.threads)?;
    let cadence = arguments.cadence.of_ingest();
    let begun = Instant::now();
    let before_s = cpu_s();
    let mut looks = 0;
    for _ in 0..arguments.laps.max(1) {
        for clip in &arguments.clips {
            looks += ingest::decode_into_nothing(clip, cadence)?;
        }
    }
    let decode_cpu_s = cpu_s() - before_s;
    let decode_ms = 1e3 * begun.elapsed().as_secs_f64() / looks as f64;

    let (mut infer_cpu_s, mut waits) = (0.0, Vec::new());
    let each = usize::try_from(looks)?.div_ceil(TENSORS * arguments.clips.len());
    let mut runs = 0;
    for clip in &arguments.clips {
        let mut recording = Clip::open(clip, "bare", cadence, Timestamp::default())?;
        for _ in 0..TENSORS {
            let Some(frame) = recording.next_frame()? else { break };
            let view = frame.view().context("a frame without a 4:2:0 picture")?;
            detector.detect(&[view])?;
            let before_s = cpu_s();
            for _ in 0..each {
                let at = Instant::now();
                detector.run_bare(1)?;
                waits.push(1e3 * at.elapsed().as_secs_f64());
            }
            infer_cpu_s += cpu_s() - before_s;
            runs += each;
        }
    }
    waits.sort_by(f64::total_cmp);
    let share = |share: f64| decode_ms + waits[((waits.len() - 1) as f64 * share) as usize];
    let now = meter::read(None)?;
    let line = Line {
        looks,
        decode_cpu_s,
        // A short clip may have fewer pictures than tensors were asked for.
        infer_cpu_s: infer_cpu_s * looks as f64 / runs as f64,
        wall_s: begun.elapsed().as_secs_f64(),
        decision_ms: Percentiles { p50: share(0.5), p95: share(0.95), p99: share(0.99) },
        rss_mib: now.rss_mib,
        threads: now.threads,
    };
    say(&serde_json::to_string(&line)?);
    Ok(ExitCode::SUCCESS)
}

/// CPU time of this process, seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Runs it as a process of its own.
pub(crate) fn round(
    arguments: &journey::Arguments,
    manifest: &Path,
    onnxruntime: Option<&Path>,
) -> Result<Round> {
    let clips = crate::street::clips(arguments)?;
    let mut command = Command::new(std::env::current_exe().context("this executable has no path")?);
    if let Some(library) = onnxruntime {
        command.arg("--onnxruntime").arg(library);
    }
    command.args(["bench", "bare", "--model"]).arg(manifest);
    command.args(["--threads", &arguments.threads.to_string()]);
    let laps = arguments.cameras.min(LAPS_MAX).div_ceil(clips.len());
    command.args(["--laps", &laps.to_string()]);
    command.args(["--cadence", &arguments.cadence.to_string()]).args(&clips);
    let told = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !told.status.success() {
        bail!("the bare limit was not measured: {}", told.status);
    }
    let line: Line = serde_json::from_slice(&told.stdout).context("the bare limit's line")?;
    let looks = line.looks as f64;
    let cpu_s = line.decode_cpu_s + line.infer_cpu_s;
    Ok(Round {
        figures: Figures {
            looks: line.looks,
            looks_per_s: looks / line.wall_s,
            cpu_s_per_look: cpu_s / looks,
            cpu_s_per_camera_minute: figures::of_a_minute(arguments, &clips, cpu_s / looks)?,
            decision_ms: Some(line.decision_ms),
            rss_mib_per_camera: line.rss_mib / arguments.cameras as f64,
            threads: line.threads,
            ..Figures::default()
        },
        decode_cpu_s_per_look: line.decode_cpu_s / looks,
        infer_cpu_s_per_look: line.infer_cpu_s / looks,
    })
}
