//! `shirong replay`: a camera's rules on a clip, faster than real time.
//!
//! In: a clip, a camera's file, a model. Out: every event of the rules, as JSON lines or as text, and a video
//! with what was seen drawn in. Time is the clip's own: its first picture is taken at [`START`] unless another
//! time is given, so that schedules hold and two runs say the same. Exit code 0 when the clip was looked at to its
//! end, 1 where the camera's file, the model or the clip cannot be used. Never: a case posted, a store.

pub(crate) mod film;
pub(crate) mod play;
mod tell;

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use calib::check::Problem;
use calib::grid::Grids;
use calib::matter::Catalogue;
use calib::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::Cadence;
use logic::look::CameraId;

use crate::eval;
use crate::node::{self, CameraEntry, Node};
use film::Drawn;
use play::{Pace, Played, Player, Step};

/// When a clip begins where nobody says: ten o'clock of a Wednesday, by the camera's own clock.
pub(crate) const START: &str = "2026-07-01T10:00:00";
/// The model where neither a node nor the command line names one.
const MODEL: &str = "city-nano";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The clip: any video that GStreamer reads.
    #[arg(value_name = "CLIP")]
    clip: PathBuf,
    /// The camera's file.
    #[arg(long, value_name = "FILE")]
    camera: PathBuf,
    /// Model: a folder with manifest.toml, the file itself, or the name of a folder in models/; by default the
    /// node's, or else city-nano.
    #[arg(long, value_name = "NAME_OR_FOLDER")]
    model: Option<PathBuf>,
    /// The node's file, for its grids, papers and model, and for what a camera in its folder inherits.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Events as JSON lines on stdout, which then holds nothing else.
    #[arg(long)]
    json: bool,
    /// Writes an H.264 MP4 with boxes, spots, zones and proposals drawn in. It is not masked.
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// Which pictures are looked at: keyframes, or fps=N; by default what the camera's file says.
    #[arg(long, value_name = "keyframes|fps=N")]
    every: Option<Every>,
    /// When the first picture was taken, as RFC 3339; by default 2026-07-01T10:00:00 by the camera's clock.
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
}

/// Which pictures are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Every(pub Cadence);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "keyframes" {
            return Ok(Self(Cadence::Keyframes));
        }
        let fps = text.strip_prefix("fps=").and_then(|fps| fps.parse().ok());
        let fps = fps.filter(|fps: &f64| fps.is_finite() && *fps > 0.0 && *fps <= 60.0);
        fps.map(|fps| Self(Cadence::Fps(fps))).ok_or_else(|| "write keyframes, or fps=2".to_owned())
    }
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let opened = open(arguments);
    let (setting, manifest) = match opened {
        Ok(opened) => opened,
        Err(problems) => {
            for problem in &problems {
                eprintln!("error: {problem}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let Setting { camera: (id, entry), second, threads } = setting;
    let mut player = Player::open(manifest, second.as_deref(), threads, onnxruntime)?;
    let pace = pace(&entry, arguments.every, arguments.start)?;
    let progress = Progress::new();
    let mut video: Option<Drawn> = None;
    let played = player.play(&arguments.clip, (&id, &entry), pace, |step| {
        progress.at(step);
        let lines = if arguments.json { tell::json_lines(step)? } else { tell::lines(step) };
        progress.say(&lines)?;
        if let Some(path) = &arguments.video {
            let video = match &mut video {
                Some(video) => video,
                None => video.insert(Drawn::begin(path, step)?),
            };
            video.add(&id, &entry.camera, step)?;
        }
        Ok(())
    });
    let played = film::whole(played, video)?;
    progress.bar.finish_and_clear();
    eprintln!("{}", summary(&player, &played));
    Ok(ExitCode::SUCCESS)
}

fn summary(player: &Player, played: &Played) -> String {
    format!(
        "{} looks over {:.1} s with {}; cases opened: {}{}",
        played.looks,
        played.last_s,
        player.model(),
        played.cases,
        if played.unseen > 0 {
            format!("; frames without an answer: {}", played.unseen)
        } else {
            String::new()
        }
    )
}

/// A camera and what of its node a replay needs.
struct Setting {
    camera: (CameraId, CameraEntry),
    second: Option<PathBuf>,
    threads: usize,
}

fn open(arguments: &Arguments) -> Result<(Setting, models::Manifest), Vec<Problem>> {
    if let Some(problem) = arguments.video.as_deref().and_then(|video| overwrites(video, &arguments.clip)) {
        return Err(vec![problem]);
    }
    let node = arguments.config.as_deref().map(read_node).transpose()?;
    let camera = camera_of(&arguments.camera, node.as_ref())?;
    let (manifest, second) = model_of(arguments.model.as_deref(), node.as_ref())?;
    Ok((Setting { camera, second, threads: threads() }, manifest))
}

/// What is wrong with a video that would be written over the clip that it is made of.
pub(crate) fn overwrites(video: &Path, clip: &Path) -> Option<Problem> {
    let is_same = video.canonicalize().is_ok_and(|video| clip.canonicalize().is_ok_and(|clip| clip == video));
    let mend = "give the video another name or another folder";
    is_same.then(|| node::file_problem(&video.display().to_string(), "", "is the clip itself", mend))
}

/// The node's own model and the one that judges what it sees, or the model of somebody's choice alone.
///
/// # Errors
/// No such model.
pub(crate) fn model_of(
    named: Option<&Path>,
    node: Option<&Node>,
) -> Result<(models::Manifest, Option<PathBuf>), Vec<Problem>> {
    // A model of one's own choice is not judged by the node's second.
    let second = node.filter(|_| named.is_none()).and_then(|node| node.second.clone());
    let of_node = node.map(|node| node.manifest.as_path());
    Ok((eval::manifest(named.or(of_node).unwrap_or(Path::new(MODEL)))?, second))
}

/// Threads of the model: nothing else needs them.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// A node, also where other cameras' files of its folder are bad.
pub(crate) fn read_node(file: &Path) -> Result<Node, Vec<Problem>> {
    let reading = node::take_in(file);
    reading.node.ok_or(reading.errors)
}

/// A camera's file: as its node reads it where it is one of the node's, else on its own with the node's papers.
pub(crate) fn camera_of(file: &Path, node: Option<&Node>) -> Result<(CameraId, CameraEntry), Vec<Problem>> {
    let Some(node) = node else {
        return node::load_camera(file, &Catalogue::builtin(), &Arc::new(Grids::default()));
    };
    let same = |entry: &CameraEntry| {
        file.canonicalize().is_ok_and(|file| entry.file.canonicalize().is_ok_and(|own| own == file))
    };
    match node.cameras.iter().find(|(_, entry)| same(entry)) {
        Some((id, entry)) => Ok((id.clone(), entry.clone())),
        None => node::load_camera_under(
            file,
            &node.papers,
            &calib::defaults::Defaults::default(),
            &mut Vec::new(),
        ),
    }
}

/// Which pictures are looked at, and when they were taken.
///
/// # Errors
/// None that is known: the default is a time.
pub(crate) fn pace(entry: &CameraEntry, every: Option<Every>, start: Option<Timestamp>) -> Result<Pace> {
    let of_file = match entry.camera.stream.cadence {
        calib::camera::Cadence::Keyframes => Cadence::Keyframes,
        calib::camera::Cadence::Fps(fps) => Cadence::Fps(fps),
    };
    let cadence = every.map_or(of_file, |Every(cadence)| cadence);
    let start = match start {
        Some(start) => start,
        None => {
            let as_utc: Timestamp = format!("{START}Z").parse()?;
            as_utc.plus_millis(-60_000 * i64::from(entry.camera.utc_offset_minutes))
        }
    };
    Ok(Pace { cadence, start })
}

/// A bar on a terminal, nothing elsewhere; events above it.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} s of clip, {eta} left");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar }
    }

    fn at(&self, step: &Step<'_>) {
        if let Some(length_s) = step.length_s {
            self.bar.set_length(length_s as u64);
        }
        self.bar.set_position(step.at_s as u64);
    }

    fn say(&self, lines: &[String]) -> Result<()> {
        let written = self.bar.suspend(|| {
            let mut out = std::io::stdout().lock();
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        });
        written.context("writing events to stdout")
    }
}
