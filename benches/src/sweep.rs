//! `shirong bench sweep`: cost, waits and fairness against the number of cameras, to saturation and past it.
//!
//! In: clips and numbers of cameras. Out: a row a number, JSON, a plot. The cameras are served over RTSP by this process,
//! whose own CPU time is nobody's; what counts is the service's. Never: a comparison with anybody, which is `journey`'s.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figures::{Figures, Machine};
use crate::journey::{Arguments as Journey, manifest, progress};
use crate::plot::{Line, lines};
use crate::{say, street, subject};

/// Of `shirong bench sweep`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many cameras, one run for each number.
    #[arg(long, value_delimiter = ',', required = true, value_name = "N,N,…")]
    numbers: Vec<usize>,
    /// Write the plot to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// As of `journey`; `--cameras` does not count.
    #[command(flatten)]
    journey: Journey,
}

/// What one number of cameras gave.
#[derive(Debug, Serialize)]
struct Step {
    cameras: usize,
    start_s: f64,
    /// Of the service, in cores.
    cores: f64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
struct Sweep<'s> {
    machine: Machine,
    steps: &'s [Step],
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&std::path::Path>) -> Result<ExitCode> {
    let manifest = manifest(arguments.journey.model.as_ref())?;
    street::clips(&arguments.journey)?;
    say(&format!(
        "{:>8} {:>8} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>12} {:>8} {:>8}",
        "cameras",
        "cores",
        "looks/s",
        "ms/look",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "lost",
        "least–most",
        "MiB each",
        "threads"
    ));
    let mut steps = Vec::new();
    for (at, &cameras) in arguments.numbers.iter().enumerate() {
        let rounds = arguments.numbers.len();
        let asked = Journey { cameras, rounds, rtsp: true, ..arguments.journey.clone() };
        let bar = progress(&asked, at + 1);
        let round = subject::round(&asked, &manifest, onnxruntime, &bar)?;
        bar.finish_and_clear();
        let figures = round.figures;
        let step = Step {
            cameras,
            start_s: round.start_s,
            cores: figures.cpu_s_per_look * figures.looks_per_s,
            figures,
        };
        say(&row(&step));
        steps.push(step);
        // After each, so that one that fails loses nothing.
        write(arguments, &steps)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(step: &Step) -> String {
    let Figures { looks_per_s, cpu_s_per_look, decision_ms, drops, looks_of_a_camera, .. } = &step.figures;
    let waits = decision_ms.unwrap_or_default();
    let lost: u64 = ["late", "overwritten"].iter().filter_map(|reason| drops.get(*reason)).sum();
    let [least, most] = looks_of_a_camera;
    format!(
        "{:>8} {:>8.2} {looks_per_s:>9.2} {:>8.1} {:>9.0} {:>9.0} {:>9.0} {lost:>9} {:>12} {:>8.2} {:>8}",
        step.cameras,
        step.cores,
        1e3 * cpu_s_per_look,
        waits.p50,
        waits.p95,
        waits.p99,
        format!("{least}–{most}"),
        step.figures.rss_mib_per_camera,
        step.figures.threads,
    )
}

fn write(arguments: &Arguments, steps: &[Step]) -> Result<()> {
    if let Some(file) = &arguments.journey.json {
        let text = serde_json::to_string_pretty(&Sweep { machine: Machine::here(), steps })?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if let Some(file) = &arguments.svg {
        std::fs::write(file, plot(steps)).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

fn plot(steps: &[Step]) -> String {
    let line = |name, of: fn(&Step) -> f64| {
        let points = steps.iter().map(|step| (step.cameras as f64, of(step))).collect();
        Line { name, points }
    };
    let of = [
        line("cores", |step| step.cores),
        line("p95, seconds", |step| step.figures.decision_ms.map_or(0.0, |waits| waits.p95 / 1e3)),
    ];
    lines("What cameras cost", "cores, seconds", "cameras", &of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Percentiles;

    #[test]
    fn a_row_tells_what_was_lost_and_how_fairly() {
        let figures = Figures {
            looks_per_s: 20.0,
            cpu_s_per_look: 0.05,
            decision_ms: Some(Percentiles { p50: 80.0, p95: 120.0, p99: 200.0 }),
            drops: [("late", 3), ("overwritten", 4), ("delta", 500)]
                .map(|(why, n)| (why.to_owned(), n))
                .into(),
            looks_of_a_camera: [5, 6],
            ..Figures::default()
        };
        let step = Step { cameras: 200, start_s: 9.0, cores: 1.0, figures };
        let row = row(&step);
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..3], ["200", "1.00", "20.00"]);
        assert_eq!(words[7..9], ["7", "5–6"]);
        assert!(plot(&[step]).contains("cameras"));
    }
}
