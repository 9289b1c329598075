//! `shirong bench compare`: two result files beside each other.
//!
//! In: two files of `bench journey --json`. Out: each figure of both, and the second over the first. Never: a verdict
//! over runs that were not asked the same.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::figures::{Figures, Journey};
use crate::{page, say, table};

/// Of `shirong bench compare`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The earlier result.
    #[arg(value_name = "BEFORE.json")]
    before: PathBuf,
    /// The later one.
    #[arg(value_name = "AFTER.json")]
    after: PathBuf,
    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    say(&text(&before, &after));
    if let Some(file) = &arguments.html {
        std::fs::write(file, page::comparison(&before, &after))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Journey> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| {
        format!("{}: not a result; write one with `shirong bench journey … --json FILE`", file.display())
    })
}

/// What differs in the question; costs of unlike questions are not alike.
pub(crate) fn unlike(before: &Journey, after: &Journey) -> Vec<String> {
    let (a, b) = (&before.setting, &after.setting);
    let mut unlike = Vec::new();
    let mut hold = |what: &str, a: String, b: String| {
        if a != b {
            unlike.push(format!("{what}: {a} and {b}"));
        }
    };
    hold("clips", a.clips.join(", "), b.clips.join(", "));
    hold("cameras", a.cameras.to_string(), b.cameras.to_string());
    hold("RTSP", a.rtsp.to_string(), b.rtsp.to_string());
    hold("cadence", a.cadence.clone(), b.cadence.clone());
    hold("gate", a.gate.to_string(), b.gate.to_string());
    hold("model", a.model.clone(), b.model.clone());
    hold("threads", a.threads.to_string(), b.threads.to_string());
    hold("processor", before.machine.cpu.clone(), after.machine.cpu.clone());
    unlike
}

fn text(before: &Journey, after: &Journey) -> String {
    let mut text = format!("before: {}\nafter:  {}\n", table::heading(before), table::heading(after));
    for what in unlike(before, after) {
        let _ = writeln!(text, "not asked the same, {what}");
    }
    let _ = write!(text, "{:24}{:>14}{:>14}{:>14}", "", "before", "after", "after/before");
    for (what, of, decimals) in table::ROWS {
        let (a, b) = (of(&before.service), of(&after.service));
        let shown =
            |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |n| format!("{n:.decimals$}"));
        let over =
            a.zip(b).filter(|(a, _)| *a > 0.0).map_or_else(String::new, |(a, b)| format!("{:.3}", b / a));
        let _ = write!(text, "\n{what:24}{:>14}{:>14}{over:>14}", shown(a), shown(b));
    }
    let findings = |figures: &Figures| figures.findings;
    let (a, b) = (findings(&before.service), findings(&after.service));
    let _ = write!(text, "\n{:24}{a:>14}{b:>14}", "findings");
    // Two runs on a shared machine agree in these alone.
    for (what, of) in [
        ("over the bare limit", (|journey| journey.ratios.bare) as fn(&Journey) -> Option<f64>),
        ("over the rival", |journey| journey.ratios.rival),
    ] {
        if let (Some(a), Some(b)) = (of(before), of(after)) {
            let _ = write!(text, "\n{what:24}{a:>14.3}{b:>14.3}{:>14.3}", b / a);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Machine, Ratios, Setting};

    fn journey(cpu_s_per_look: f64, cameras: usize) -> Journey {
        Journey {
            service: Figures { looks: 10, cpu_s_per_look, ..Figures::default() },
            start_s: 1.0,
            setting: Setting {
                clips: vec!["a.mp4".to_owned()],
                cameras,
                rtsp: false,
                cadence: "keyframes".to_owned(),
                gate: false,
                model: "m".to_owned(),
                threads: 1,
                secs: 5.0,
                rounds: 1,
            },
            machine: Machine::default(),
            course: Vec::new(),
            rival: None,
            bare: None,
            ratios: Ratios { bare: Some(cpu_s_per_look / 0.02), ..Ratios::default() },
        }
    }

    #[test]
    fn the_later_over_the_earlier_and_what_was_not_asked_the_same() {
        let said = text(&journey(0.04, 2), &journey(0.03, 4));
        let line =
            |what: &str| said.lines().find(|line| line.starts_with(what)).unwrap_or_default().to_owned();
        assert!(line("CPU ms a look").ends_with("0.750"), "{said}");
        assert!(line("over the bare limit").ends_with("0.750"), "{said}");
        assert!(said.contains("not asked the same, cameras: 2 and 4"), "{said}");
        assert!(!text(&journey(0.04, 2), &journey(0.03, 2)).contains("not asked"));
    }
}
