//! `shirong sim`: a seeded county under a virtual clock, and how the cases compare with what is true.
//!
//! In: seeds, days, cameras. Out: a table, on request the score as JSON and the event log as JSON lines. Never: a
//! verdict on the score; it ends with 0 whatever it found.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::sim::{Config, Day, KindScore, Outcome, Score};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::sink::Sink;

/// Between two lines of progress where no terminal shows a bar.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The world's only chance: the same seed is the same county to the last box.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// So many seeds, from --seed on, scored together.
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Days, from 2026-01-01 on.
    #[arg(long, default_value_t = 30, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: u32,
    /// Cameras.
    #[arg(long, default_value_t = 232, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cameras: u32,
    /// Seconds between two looks of a camera by day; by night there is one every five minutes.
    #[arg(long, default_value_t = 30, value_name = "SECS", value_parser = clap::value_parser!(u32).range(1..=600))]
    cadence: u32,
    /// Where to write the score as JSON; `-` for standard output instead of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to write the event log, one JSON object a line; `-` for standard output, and the table
    /// goes to standard error.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// What is written as JSON.
#[derive(Serialize)]
struct Report<'a> {
    looks: u64,
    looks_per_s: f64,
    seeds: u64,
    days: u32,
    cameras: u32,
    #[serde(flatten)]
    score: &'a Score,
}

/// Runs.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let is_stdout = |path: &Option<PathBuf>| path.as_deref().is_some_and(Sink::is_stdout);
    if is_stdout(&arguments.json) && is_stdout(&arguments.events) {
        eprintln!("error: --json and --events both go to standard output; give one of them a file");
        return Ok(ExitCode::from(2));
    }
    let mut events = arguments.events.as_deref().map(Sink::open).transpose()?;
    let json = arguments.json.as_deref().map(Sink::open).transpose()?;
    let progress = Progress::new(arguments.seeds * u64::from(arguments.days));
    let (mut looks, mut scores, began) = (0, Vec::new(), Instant::now());
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let outcome = one(arguments, seed, events.as_mut(), &progress)?;
        looks += outcome.looks;
        scores.push(outcome.score);
    }
    let seconds = began.elapsed().as_secs_f64();
    progress.bar.finish_and_clear();
    events.map(Sink::finish).transpose()?;
    let score = Score::together(&scores);
    let Arguments { seeds, days, cameras, .. } = *arguments;
    let report =
        Report { looks, looks_per_s: looks as f64 / seconds.max(1e-9), seeds, days, cameras, score: &score };
    if let Some(mut json) = json {
        json.line(&serde_json::to_string_pretty(&report)?)?;
        json.finish()?;
    }
    if is_stdout(&arguments.events) {
        table(&mut std::io::stderr().lock(), &report)?;
    } else if !is_stdout(&arguments.json) {
        table(&mut std::io::stdout().lock(), &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one seed. The event log ends at the first line that cannot be written, and with it the run after this seed.
fn one(
    arguments: &Arguments,
    seed: u64,
    mut events: Option<&mut Sink>,
    progress: &Progress,
) -> Result<Outcome> {
    let config = Config {
        look_secs: arguments.cadence,
        ..Config::of(seed, arguments.days as usize, arguments.cameras as usize)
    };
    let mut written = Ok(());
    let mut line = |text: &str| {
        if let (Some(events), Ok(())) = (&mut events, &written) {
            written = events.line(text);
        }
    };
    let outcome = ::sim::run(&config, &mut line, &mut |day| progress.after(seed, &day))?;
    written.map(|()| outcome)
}

fn table(out: &mut impl Write, report: &Report<'_>) -> Result<()> {
    let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{share:.4}"));
    let seconds = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), |s| format!("{s:.0}"));
    writeln!(
        out,
        "{:<20}{:>8}{:>8}{:>8}{:>11}{:>9}{:>9}{:>11}{:>8}",
        "kind", "events", "found", "cases", "precision", "recall", "dup", "confirm_s", "aim"
    )?;
    let mut row = |name: &str, kind: &KindScore, aim: String| {
        writeln!(
            out,
            "{name:<20}{:>8}{:>8}{:>8}{:>11}{:>9}{:>9}{:>11}{aim:>8}",
            kind.events,
            kind.found,
            kind.cases,
            share(kind.precision),
            share(kind.recall),
            kind.duplicates_per_event.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.4}")),
            seconds(kind.confirm_s_p50),
        )
    };
    for (name, kind) in &report.score.kinds {
        row(name, kind, format!("{:.0}", kind.confirm_s_aim))?;
    }
    row("all", &report.score.all, String::new())?;
    for (title, lines) in [("false", &report.score.false_cases), ("missed", &report.score.missed)] {
        for (what, count) in lines {
            writeln!(out, "{title:<8}{count:>6}  {what}")?;
        }
    }
    writeln!(out, "{} looks, {:.0} a second", report.looks, report.looks_per_s)?;
    Ok(())
}

/// A bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    is_plain: bool,
    told_at: std::cell::Cell<Instant>,
}

impl Progress {
    fn new(days: u64) -> Self {
        let is_plain = !std::io::stderr().is_terminal();
        let bar = if is_plain { ProgressBar::hidden() } else { ProgressBar::new(days) };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} days, {msg}") {
            bar.set_style(style);
        }
        Self { bar, is_plain, told_at: Instant::now().into() }
    }

    fn after(&self, seed: u64, day: &Day) {
        self.bar.set_message(format!("seed {seed}: {} cases", day.cases));
        self.bar.inc(1);
        if self.is_plain && self.told_at.get().elapsed() >= PROGRESS_EVERY {
            self.told_at.set(Instant::now());
            eprintln!("seed {seed}: {} days, {} looks, {} cases", day.done, day.looks, day.cases);
        }
    }
}
