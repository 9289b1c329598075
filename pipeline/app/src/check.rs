//! `shirong check`: every mistake in every file at once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use calib::check::Problem;
use calib::defaults::Defaults;
use calib::papers::Papers;
use calib::time::Timestamp;
use serde::Serialize;

use crate::node;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The node's file.
    #[arg(short, long, value_name = "FILE", default_value = "shirong.toml", conflicts_with = "camera")]
    config: PathBuf,
    /// Check camera files only, without a node.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    camera: Vec<PathBuf>,
    /// Print JSON: {"errors": [{"file", "key", "line", "what", "mend"}], "warnings": [...]}.
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema that editors use for a camera's or the node's file, and check nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["camera", "config"])]
    schema: Option<SchemaOf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SchemaOf {
    /// One camera's file.
    Camera,
    /// shirong.toml.
    Node,
}

#[derive(Serialize, Default)]
struct Report {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    if let Some(of) = arguments.schema {
        print_schema(of)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::default();
    let mut fine = String::new();
    if arguments.camera.is_empty() {
        match node::load(&arguments.config) {
            Ok(node) => {
                report.warnings = warnings(&node);
                report.warnings.extend(paper_warnings(&node, &arguments.config));
                report.errors.extend(node.doubts.iter().cloned());
                report.errors.extend(model_faults(&node, onnxruntime));
                let cameras = match node.cameras.len() {
                    1 => "1 camera".to_owned(),
                    n => format!("{n} cameras"),
                };
                fine = format!("{}: {cameras}, all well", arguments.config.display());
            }
            Err(problems) => report.errors = problems,
        }
    } else {
        let (papers, defaults) = (Papers::default(), Defaults::default());
        for path in &arguments.camera {
            match node::load_camera_under(path, &papers, &defaults, &mut report.errors) {
                Ok(_) => {}
                Err(problems) => report.errors.extend(problems),
            }
        }
        fine.push_str(if arguments.camera.len() == 1 {
            "the camera is well"
        } else {
            "all cameras are well"
        });
    }
    print(arguments, &report, &fine)?;
    Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_schema(of: SchemaOf) -> Result<()> {
    let schema = match of {
        SchemaOf::Camera => calib::schema::camera(),
        SchemaOf::Node => node::schema(),
    };
    println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(arguments: &Arguments, report: &Report, fine: &str) -> Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for problem in &report.errors {
        println!("error: {problem}");
    }
    for problem in &report.warnings {
        println!("warning: {problem}");
    }
    match report.errors.len() {
        0 => println!("{fine}"),
        1 => println!("1 error"),
        n => println!("{n} errors"),
    }
    Ok(())
}

/// What works but will disappoint.
fn warnings(node: &node::Node) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let manifest = models::Manifest::load(&node.manifest).ok();
    let second = node.second.as_ref().and_then(|second| models::ClassifierManifest::load(second).ok());
    for (id, entry) in &node.cameras {
        let mut warn = |key: &str, what: &str, mend: &str| {
            warnings.push(Problem {
                file: format!("{id}.toml"),
                key: key.to_owned(),
                line: None,
                what: what.to_owned(),
                mend: mend.to_owned(),
            });
        };
        if entry.camera.ground.is_none() {
            warn(
                "calibration",
                "is missing: its cases will have no place and no grid",
                "add [calibration] with at least 4 control points",
            );
        }
        if entry.camera.rules.is_empty() {
            warn(
                "rule",
                "is missing: nothing will be reported",
                "add a [[rule]], for instance kind = \"litter\"",
            );
        }
        if entry.camera.ground.is_some() && entry.grids.unit.is_none() {
            warn(
                "grids",
                "names no unit grid: its cases will have a place and no cell",
                "write [grids] with unit = \"….geojson\" in the node's file",
            );
        }
        for (number, rule) in entry.camera.rules.iter().enumerate() {
            let Some(manifest) = &manifest else { break };
            let mut known = manifest.classes();
            known.extend(second.iter().flat_map(models::ClassifierManifest::classes));
            known.sort_unstable();
            known.dedup();
            if !rule.classes.iter().any(|class| known.contains(class)) {
                let names: Vec<&str> = known.iter().map(|class| class.name()).collect();
                warn(
                    &format!("rule[{number}].classes"),
                    &format!(
                        "feeds on nothing that the model `{}` knows: it will never report",
                        manifest.name()
                    ),
                    &format!("the model knows {}", names.join(", ")),
                );
            }
        }
        let Some(ground) = &entry.camera.ground else {
            continue;
        };
        // Points that disagree were left out of the solution; without any, the worst is the one to look at.
        let mut off: Vec<usize> = ground.map.outliers().collect();
        if off.is_empty() && ground.map.residual_rms_m() > RESIDUAL_RMS_M_MAX {
            off.push(ground.map.worst().0);
        }
        for point in off {
            warn(
                &format!("calibration.point[{point}]"),
                &format!("is {:.1} m off from what the other points say", ground.map.residuals_m()[point]),
                "read its pixel and its place again; the first may belong to another landmark",
            );
        }
    }
    warnings
}

/// What was right when it was written and is not for long.
fn paper_warnings(node: &node::Node, config: &Path) -> Vec<Problem> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let today = node.papers.calendar.day(Timestamp::from_millis(now.as_millis() as i64));
    let mut warnings = Vec::new();
    let mut warn = |file: &str, key: String, what: String, mend: &str| {
        warnings.push(Problem { file: file.to_owned(), key, line: None, what, mend: mend.to_owned() });
    };
    let needs_calendar = !node.papers.permits.is_empty() || node.papers.calendar.last_year().is_some();
    if needs_calendar && !node.papers.calendar.covers(today) {
        warn(
            &config.display().to_string(),
            "papers.calendar".to_owned(),
            format!(
                "the holidays of {} are not known: work days are taken as Monday to Friday",
                today.year()
            ),
            "bring a calendar of this year; `shirong import calendar` writes one from a table",
        );
    }
    for (i, permit) in node.papers.permits.iter().enumerate().filter(|(_, permit)| permit.until < today) {
        warn(
            &node.papers.permits_file,
            format!("permit[{i}].until"),
            format!("the permit {} ended on {}", permit.number, permit.until),
            "remove it, or write its new last day",
        );
    }
    warnings
}

/// Calibration residual above which a person should look again, metres (a third of a lane).
const RESIDUAL_RMS_M_MAX: f64 = 1.0;

fn model_faults(node: &node::Node, onnxruntime: Option<&Path>) -> Vec<Problem> {
    let problem = |file: &Path, key: &str, what: String, mend: &str| Problem {
        file: file.display().to_string(),
        key: key.to_owned(),
        line: None,
        what,
        mend: mend.to_owned(),
    };
    match models::Runtime::load(onnxruntime) {
        Ok(runtime) => {
            let mend = "mend the manifest, or bring the weights it names";
            let faults = |manifest: &PathBuf| {
                let found = models::check(&runtime, manifest).into_iter();
                found.map(|fault| problem(manifest, &fault.key, fault.says, mend)).collect::<Vec<_>>()
            };
            std::iter::once(&node.manifest)
                .chain(&node.second)
                .chain(&node.masking)
                .flat_map(faults)
                .collect()
        }
        Err(error) => vec![problem(&node.manifest, "", error.to_string(), "make runtime")],
    }
}
