//! Figures as a table for a terminal.
//!
//! In: a run, or two. Out: text. Never: a colour, a width beyond a hundred signs.

use std::fmt::Write as _;

use crate::figures::{Figures, Journey, Percentiles};

/// A run's name in one line.
pub(crate) fn heading(journey: &Journey) -> String {
    let setting = &journey.setting;
    format!(
        "{} cameras {} of {}, {}, gate {}, {} with {} thread{}, {} × {:.0} s",
        setting.cameras,
        if setting.rtsp { "over RTSP" } else { "from files" },
        setting.clips.join(", "),
        setting.cadence,
        if setting.gate { "on" } else { "off" },
        setting.model,
        setting.threads,
        if setting.threads == 1 { "" } else { "s" },
        setting.rounds,
        setting.secs,
    )
}

/// One row: what, and a number's text.
pub(crate) type Row = (&'static str, fn(&Figures) -> Option<f64>, usize);

/// What the table shows, and with how many decimals.
pub(crate) const ROWS: [Row; 9] = [
    ("looks", |figures| Some(figures.looks as f64), 0),
    ("looks a second", |figures| Some(figures.looks_per_s), 2),
    ("CPU ms a look", |figures| Some(1e3 * figures.cpu_s_per_look), 2),
    ("CPU s a camera-minute", |figures| Some(figures.cpu_s_per_camera_minute), 3),
    ("decision ms p50", |figures| figures.decision_ms.map(|waits: Percentiles| waits.p50), 1),
    ("decision ms p95", |figures| figures.decision_ms.map(|waits| waits.p95), 1),
    ("decision ms p99", |figures| figures.decision_ms.map(|waits| waits.p99), 1),
    ("case on disk ms p95", |figures| figures.case_ms.map(|waits| waits.p95), 1),
    ("MiB a camera", |figures| Some(figures.rss_mib_per_camera), 1),
];

/// A run's table.
pub(crate) fn journey(journey: &Journey) -> String {
    let mut columns: Vec<(String, &Figures)> = vec![("service".to_owned(), &journey.service)];
    columns.extend(journey.bare.iter().map(|bare| ("bare limit".to_owned(), &bare.figures)));
    columns.extend(journey.rival.iter().map(|rival| (format!("rival ({})", rival.engine), &rival.figures)));
    let mut text = format!("{}\n{:24}", heading(journey), "");
    for (name, _) in &columns {
        let _ = write!(text, "{name:>18}");
    }
    for (what, of, decimals) in ROWS {
        let _ = write!(text, "\n{what:24}");
        for (_, figures) in &columns {
            let shown = of(figures).map_or_else(|| "–".to_owned(), |number| format!("{number:.decimals$}"));
            let _ = write!(text, "{shown:>18}");
        }
    }
    for (what, of) in [("threads", (|f| f.threads) as fn(&Figures) -> u64), ("findings", |f| f.findings)] {
        let _ = write!(text, "\n{what:24}");
        for (_, figures) in &columns {
            let _ = write!(text, "{:>18}", of(figures));
        }
    }
    let _ = write!(text, "\nevery camera had a look after {:.1} s", journey.start_s);
    let dropped: Vec<String> = journey
        .service
        .drops
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if !dropped.is_empty() {
        let _ = write!(text, "\nnot looked at: {}", dropped.join(", "));
    }
    if let Some(bare) = &journey.bare {
        let _ = write!(
            text,
            "\nof the bare limit {:.2} ms decode and {:.2} ms infer",
            1e3 * bare.decode_cpu_s_per_look,
            1e3 * bare.infer_cpu_s_per_look
        );
    }
    for (whom, look, minute) in [
        ("the bare limit", journey.ratios.bare, journey.ratios.bare_per_camera_minute),
        ("the rival", journey.ratios.rival, journey.ratios.rival_per_camera_minute),
    ] {
        if let (Some(look), Some(minute)) = (look, minute) {
            let _ = write!(text, "\n{look:.3} × {whom} a look, {minute:.3} × a camera-minute");
        }
    }
    let machine = &journey.machine;
    if machine.load > machine.cores as f64 {
        let _ = write!(
            text,
            "\nload {:.1} on {} cores: others were at work, only the ratios mean something",
            machine.load, machine.cores
        );
    }
    text
}
