//! `shirong bench journey`: whole journeys, the service and what it is held against in turn.
//!
//! In: clips and a number of cameras. Out: a table, JSON, a page. Each round runs the service, then the bare limit,
//! then each engine of the rival, so that a machine that others use meanwhile is unfair to all alike; medians of the
//! rounds and their ratios count.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::figures::{Bare, Figures, Journey, Machine, Ratios, Rival, Setting, median};
use crate::{bare, page, rival, say, subject, table};

/// Of `shirong bench journey`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// What the cameras show; camera after camera takes the next one.
    #[arg(required = true, value_name = "CLIP")]
    pub(crate) clips: Vec<PathBuf>,
    /// How many cameras.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = whole::<5000>)]
    pub(crate) cameras: usize,
    /// Cameras over RTSP on loopback in place of files at their own pace.
    #[arg(long)]
    pub(crate) rtsp: bool,
    /// `keyframes`, or `fps=N` looks a second.
    #[arg(long, default_value = "keyframes")]
    pub(crate) cadence: Cadence,
    /// Look at every key frame, however quiet the street is.
    #[arg(long)]
    pub(crate) no_gate: bool,
    /// Whom to run in turn with it: rival, bare, or both with a comma between.
    #[arg(long, value_delimiter = ',', value_name = "WHOM")]
    pub(crate) beside: Vec<Beside>,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Seconds that each round measures the service for.
    #[arg(long, default_value_t = 20.0, value_parser = secs)]
    pub(crate) secs: f64,
    /// How often everybody runs.
    #[arg(long, default_value_t = 3, value_parser = whole::<99>)]
    pub(crate) rounds: usize,
    /// The model's manifest; the default detector of the checkout where absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Threads of its session, the service's and everybody's.
    #[arg(long, default_value_t = 1, value_parser = whole::<128>)]
    pub(crate) threads: usize,
    /// Have the rival leave out the padding that the model's manifest has trimmed, as the service does.
    #[arg(long)]
    pub(crate) rival_trim: bool,
    /// Dwell of the rules and of the rival, seconds.
    #[arg(long, default_value_t = 120.0, value_parser = secs)]
    pub(crate) dwell: f64,
}

/// Whom the service is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Beside {
    /// What a capable engineer puts together from libraries that people like.
    Rival,
    /// The same decoding and the same inference with nothing around them.
    Bare,
}

/// Which pictures are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cadence {
    /// Key frames.
    Keyframes,
    /// So many a second.
    Fps(f64),
}

impl Cadence {
    pub(crate) fn of_ingest(self) -> ingest::Cadence {
        match self {
            Self::Keyframes => ingest::Cadence::Keyframes,
            Self::Fps(fps) => ingest::Cadence::Fps(fps),
        }
    }
}

impl FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "write keyframes, or fps=2 for two looks a second (0.01 to 60)".to_owned();
        match text.strip_prefix("fps=") {
            None if text == "keyframes" => Ok(Self::Keyframes),
            None => Err(refuse()),
            Some(fps) => {
                let fps: f64 = fps.parse().map_err(|_| refuse())?;
                if (0.01..=60.0).contains(&fps) { Ok(Self::Fps(fps)) } else { Err(refuse()) }
            }
        }
    }
}

impl std::fmt::Display for Cadence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keyframes => f.write_str("keyframes"),
            Self::Fps(fps) => write!(f, "fps={fps}"),
        }
    }
}

fn whole<const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("write a whole number, 1 to {MOST}")),
    }
}

fn secs(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(secs) if (1.0..=86_400.0).contains(&secs) => Ok(secs),
        _ => Err("write seconds, 1 to 86400".to_owned()),
    }
}

/// What the rounds gave.
#[derive(Default)]
struct Rounds {
    service: Vec<subject::Round>,
    bare: Vec<bare::Round>,
    rival: BTreeMap<&'static str, Vec<Figures>>,
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let manifest = manifest(arguments.model.as_ref())?;
    let name = models::Manifest::load(&manifest)?.name().to_owned();
    crate::street::clips(arguments)?;
    // Before anything runs for minutes.
    let rival = arguments.beside.contains(&Beside::Rival).then(rival::Place::find).transpose()?;
    let mut rounds = Rounds::default();
    for number in 1..=arguments.rounds {
        let bar = progress(arguments, number);
        rounds.service.push(subject::round(arguments, &manifest, onnxruntime, &bar)?);
        if arguments.beside.contains(&Beside::Bare) {
            bar.set_message(format!("round {number}: the bare limit"));
            rounds.bare.push(bare::round(arguments, &manifest, onnxruntime)?);
        }
        for engine in rival.iter().flat_map(|_| rival::ENGINES) {
            bar.set_message(format!("round {number}: the rival on {engine}"));
            let figures =
                rival.as_ref().map(|place| place.round(arguments, &manifest, engine)).transpose()?;
            rounds.rival.entry(engine).or_default().extend(figures);
        }
        bar.finish_and_clear();
    }
    let journey = journey(arguments, name, rounds);
    say(&table::journey(&journey));
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&journey)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if let Some(file) = &arguments.html {
        let text = page::journey(&journey);
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The model's manifest; the default detector's where none is named.
pub(crate) fn manifest(named: Option<&PathBuf>) -> Result<PathBuf> {
    let manifest = match named {
        Some(model) => model.clone(),
        None => crate::checkout()?.join("models/city-nano/manifest.toml"),
    };
    manifest.canonicalize().with_context(|| format!("model {}", manifest.display()))
}

pub(crate) fn progress(arguments: &Arguments, number: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        eprintln!(
            "round {number} of {}: {} cameras, {:.0} s",
            arguments.rounds, arguments.cameras, arguments.secs
        );
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed_precise} {msg} {wide_bar} {pos}/{len} s");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(arguments.secs as u64).with_style(style);
    bar.set_message(format!("round {number}: {} cameras", arguments.cameras));
    bar
}

fn journey(arguments: &Arguments, model: String, rounds: Rounds) -> Journey {
    let start_s = median(rounds.service.iter().map(|round| round.start_s).collect());
    let course = rounds.service.last().map(|round| round.course.clone()).unwrap_or_default();
    let service = Figures::middle(rounds.service.into_iter().map(|round| round.figures).collect());
    let bare = (!rounds.bare.is_empty()).then(|| Bare {
        decode_cpu_s_per_look: median(rounds.bare.iter().map(|round| round.decode_cpu_s_per_look).collect()),
        infer_cpu_s_per_look: median(rounds.bare.iter().map(|round| round.infer_cpu_s_per_look).collect()),
        figures: Figures::middle(rounds.bare.into_iter().map(|round| round.figures).collect()),
    });
    let engines =
        rounds.rival.into_iter().map(|(engine, rounds)| (engine.to_owned(), Figures::middle(rounds)));
    let engines: BTreeMap<String, Figures> = engines.collect();
    let cost = |figures: &Figures| figures.cpu_s_per_look;
    let best = engines.iter().min_by(|a, b| cost(a.1).total_cmp(&cost(b.1)));
    let rival = best.map(|(engine, figures)| Rival {
        figures: figures.clone(),
        engine: engine.clone(),
        engines: engines.iter().map(|(engine, figures)| (engine.clone(), cost(figures))).collect(),
    });
    let over = |figures: &Figures| (figures.cpu_s_per_look > 0.0).then(|| cost(&service) / cost(figures));
    let over_minute = |figures: &Figures| {
        let minute = figures.cpu_s_per_camera_minute;
        (minute > 0.0).then(|| service.cpu_s_per_camera_minute / minute)
    };
    let ratios = Ratios {
        rival: rival.as_ref().and_then(|rival| over(&rival.figures)),
        bare: bare.as_ref().and_then(|bare| over(&bare.figures)),
        rival_per_camera_minute: rival.as_ref().and_then(|rival| over_minute(&rival.figures)),
        bare_per_camera_minute: bare.as_ref().and_then(|bare| over_minute(&bare.figures)),
    };
    let name = |clip: &PathBuf| clip.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Journey {
        start_s,
        setting: Setting {
            clips: arguments.clips.iter().map(name).collect(),
            cameras: arguments.cameras,
            rtsp: arguments.rtsp,
            cadence: arguments.cadence.to_string(),
            gate: !arguments.no_gate,
            model,
            threads: arguments.threads,
            secs: arguments.secs,
            rounds: arguments.rounds,
        },
        machine: Machine::here(),
        service,
        course,
        rival,
        bare,
        ratios,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cadence_is_read_as_it_is_shown() {
        for text in ["keyframes", "fps=2", "fps=0.5"] {
            assert_eq!(text.parse::<Cadence>().unwrap().to_string(), text);
        }
        for text in ["", "fps", "fps=", "fps=0", "fps=nan", "fps=61", "2"] {
            let says = text.parse::<Cadence>().unwrap_err();
            assert!(says.contains("fps=2"), "{text}: {says}");
        }
    }
}
