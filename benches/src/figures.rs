//! The figures of one run, as they stand in its JSON file.
//!
//! In: what each round measured. Out: [`Journey`], medians over the rounds. Never: a mean that one bad round moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::journey::{Arguments, Cadence};

/// Milliseconds that a share of the waits stay within.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// All but one in twenty.
    pub p95: f64,
    /// All but one in a hundred.
    pub p99: f64,
}

/// What one contestant did and what it cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Pictures that went through the detector while it was measured.
    pub looks: u64,
    /// The same a second of wall time.
    pub looks_per_s: f64,
    /// CPU time a look, user and system of all threads, seconds. Its start is not counted.
    pub cpu_s_per_look: f64,
    /// CPU time for a minute of one camera, seconds.
    pub cpu_s_per_camera_minute: f64,
    /// From a picture's arrival to what the rules say of it.
    pub decision_ms: Option<Percentiles>,
    /// From the confirming picture's arrival to its case on disk; `None` where none was confirmed.
    #[serde(default)]
    pub case_ms: Option<Percentiles>,
    /// Resident memory of the process, a camera's share, MiB.
    pub rss_mib_per_camera: f64,
    /// Threads of the process.
    pub threads: u64,
    /// What was not looked at, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Looks of the camera that had the fewest, and of the one that had the most.
    #[serde(default)]
    pub looks_of_a_camera: [u64; 2],
    /// Findings that were confirmed.
    pub findings: u64,
    /// CPU seconds a look of each round, in order.
    #[serde(default)]
    pub rounds: Vec<f64>,
}

/// One run: the service, and who ran in turn with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journey {
    /// The service.
    #[serde(flatten)]
    pub service: Figures,
    /// Seconds from its start until every camera had a look.
    pub start_s: f64,
    /// What was asked for.
    pub setting: Setting,
    /// The machine.
    pub machine: Machine,
    /// The service second by second, in the last round.
    #[serde(default)]
    pub course: Vec<Moment>,
    /// The better of the rival's engines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rival: Option<Rival>,
    /// The bare limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bare: Option<Bare>,
    /// The service's CPU seconds a look over the others': medians of the rounds.
    #[serde(default)]
    pub ratios: Ratios,
}

/// The rival's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// The same keys as the service's.
    #[serde(flatten)]
    pub figures: Figures,
    /// Which engine they are of.
    pub engine: String,
    /// CPU seconds a look of every engine.
    pub engines: BTreeMap<String, f64>,
}

/// The bare limit's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bare {
    /// The same keys as the service's.
    #[serde(flatten)]
    pub figures: Figures,
    /// Its share for decoding, CPU seconds a look.
    pub decode_cpu_s_per_look: f64,
    /// Its share for inference, CPU seconds a look.
    pub infer_cpu_s_per_look: f64,
}

/// The service's cost over another's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Ratios {
    /// Over the rival's better engine.
    pub rival: Option<f64>,
    /// Over the bare limit.
    pub bare: Option<f64>,
    /// Over the rival's, a minute of one camera: where a quiet street is looked at less often, looks are not alike.
    #[serde(default)]
    pub rival_per_camera_minute: Option<f64>,
    /// Over the bare limit's, a minute of one camera.
    #[serde(default)]
    pub bare_per_camera_minute: Option<f64>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The clips, by name.
    pub clips: Vec<String>,
    /// How many cameras.
    pub cameras: usize,
    /// `true`: over RTSP; `false`: files at their own pace.
    pub rtsp: bool,
    /// `keyframes`, or `fps=N`.
    pub cadence: String,
    /// Whether quiet streets may be looked at less often.
    pub gate: bool,
    /// The model's name.
    pub model: String,
    /// Threads of its session.
    pub threads: usize,
    /// Seconds that each round measured.
    pub secs: f64,
    /// How often.
    pub rounds: usize,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor as the system names it.
    pub cpu: String,
    /// Its logical cores.
    pub cores: usize,
    /// The kernel.
    pub kernel: String,
    /// Processes that wanted a core at the end: over `cores`, others were at work and only ratios mean something.
    pub load: f64,
}

/// The service at one second of its course.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since it is measured.
    pub at_s: f64,
    /// Looks since then.
    pub looks: u64,
    /// CPU seconds since then.
    pub cpu_s: f64,
    /// Resident memory, MiB.
    pub rss_mib: f64,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let cpu = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: cpu.map(|(_, name)| name.trim().to_owned()).unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(0.0),
        }
    }
}

/// What a minute of one camera costs whoever looks at every picture of the cadence, seconds of CPU time.
///
/// # Errors
/// A clip that cannot be read.
pub(crate) fn of_a_minute(arguments: &Arguments, clips: &[PathBuf], cpu_s_per_look: f64) -> Result<f64> {
    let mut looks_per_s = 0.0;
    for camera in 0..arguments.cameras {
        looks_per_s += pace(arguments.cadence, &clips[camera % clips.len()])?;
    }
    Ok(60.0 * cpu_s_per_look * looks_per_s / arguments.cameras as f64)
}

/// Looks a second that a clip gives.
fn pace(cadence: Cadence, clip: &Path) -> Result<f64> {
    if let Cadence::Fps(fps) = cadence {
        return Ok(fps);
    }
    let report = samples::key_frames(clip)?;
    Ok(report.count as f64 / report.lap.as_secs_f64())
}

/// The middle one; of an even number the mean of the two in the middle. 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => numbers[odd / 2],
        even => f64::midpoint(numbers[even / 2 - 1], numbers[even / 2]),
    }
}

impl Figures {
    /// Medians over rounds; looks, drops and findings are the median round's own.
    pub(crate) fn middle(rounds: Vec<Self>) -> Self {
        let of = |read: fn(&Self) -> f64| median(rounds.iter().map(read).collect());
        let costs: Vec<f64> = rounds.iter().map(|round| round.cpu_s_per_look).collect();
        let numbers = Self {
            looks_per_s: of(|round| round.looks_per_s),
            cpu_s_per_look: of(|round| round.cpu_s_per_look),
            cpu_s_per_camera_minute: of(|round| round.cpu_s_per_camera_minute),
            rss_mib_per_camera: of(|round| round.rss_mib_per_camera),
            ..Self::default()
        };
        let mut by_cost = rounds;
        by_cost.sort_by(|a, b| a.cpu_s_per_look.total_cmp(&b.cpu_s_per_look));
        let at = by_cost.len() / 2;
        let Some(own) = by_cost.into_iter().nth(at) else { return numbers };
        Self {
            looks_per_s: numbers.looks_per_s,
            cpu_s_per_look: numbers.cpu_s_per_look,
            cpu_s_per_camera_minute: numbers.cpu_s_per_camera_minute,
            rss_mib_per_camera: numbers.rss_mib_per_camera,
            rounds: costs,
            ..own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_round_moves_no_median() {
        let round = |cpu_s_per_look, looks| Figures { cpu_s_per_look, looks, ..Figures::default() };
        let middle = Figures::middle(vec![round(0.02, 10), round(9.0, 20), round(0.03, 30)]);
        assert_eq!((middle.cpu_s_per_look, middle.looks), (0.03, 30));
        assert_eq!(middle.rounds, [0.02, 9.0, 0.03]);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
    }

    #[test]
    fn the_file_has_the_keys_that_readers_know() {
        let figures =
            Figures { decision_ms: Some(Percentiles { p50: 1.0, p95: 2.0, p99: 3.0 }), ..Figures::default() };
        let journey = Journey {
            service: figures.clone(),
            start_s: 1.0,
            setting: Setting {
                clips: vec!["a.mp4".to_owned()],
                cameras: 2,
                rtsp: false,
                cadence: "keyframes".to_owned(),
                gate: true,
                model: "m".to_owned(),
                threads: 1,
                secs: 5.0,
                rounds: 1,
            },
            machine: Machine::here(),
            course: Vec::new(),
            rival: Some(Rival {
                figures: figures.clone(),
                engine: "ort".to_owned(),
                engines: BTreeMap::new(),
            }),
            bare: Some(Bare { figures, decode_cpu_s_per_look: 0.0, infer_cpu_s_per_look: 0.0 }),
            ratios: Ratios::default(),
        };
        let json = serde_json::to_value(&journey).unwrap();
        for at in [&json, &json["rival"], &json["bare"]] {
            for key in [
                "looks",
                "looks_per_s",
                "cpu_s_per_look",
                "cpu_s_per_camera_minute",
                "decision_ms",
                "rss_mib_per_camera",
                "threads",
                "drops",
                "findings",
            ] {
                assert!(at.get(key).is_some(), "{key} is missing in {at}");
            }
        }
        assert_eq!(json["decision_ms"]["p95"], 2.0);
        assert_eq!(serde_json::from_value::<Journey>(json).unwrap(), journey);
    }
}
