//! `shirong`: watches the cameras of a city for what breaks the order of the street.
//!
//! In: the command line. Out: exit code 0 for done, 1 where the work found what it looks for as a failure,
//! 2 for wrong usage. Never: logic; each command stands in its own file.

mod arrivals;
mod calibrate;
mod camera_new;
mod canvas;
mod cases;
mod check;
mod clips;
mod demo;
mod desk;
mod detect;
mod eval;
mod eyes;
mod fleet;
mod health;
mod holding;
mod import;
mod keeper;
mod locate;
mod masking;
mod models_check;
mod models_list;
mod node;
mod place;
mod platform;
mod probe;
mod pulse;
mod reference;
mod reload;
mod replay;
mod retention;
mod run;
mod service;
mod sight;
mod sim;
mod sink;
mod source;
mod stamps;
mod swap;
mod truth;
mod vault;
mod waits;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Watches the cameras of a city for what breaks the order of the street: vendors who occupy it, litter
/// and overflowing bins, building that nobody permitted. One problem becomes one case.
#[derive(Parser)]
#[command(name = "shirong", version)]
struct Arguments {
    /// libonnxruntime.so to use; by default the one of this checkout or of the system.
    #[arg(long, global = true, env = "SHIRONG_ONNXRUNTIME", value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// Log lines as JSON.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sample cameras over real RTSP, the service and its desk, on this machine.
    Demo(demo::Arguments),
    /// The service.
    Run(run::Arguments),
    /// Every mistake in the configuration at once, each with its file, key and mend.
    Check(check::Arguments),
    /// What a stream is: codec, size, frames a second, key-frame interval, a snapshot.
    Probe(probe::Arguments),
    /// A camera's file, begun from a look at its stream.
    #[command(subcommand)]
    Camera(camera_new::Command),
    /// Control points to a calibration: residuals, the camera's file, a picture with the grid on it.
    Calibrate(calibrate::Arguments),
    /// Where on the ground a pixel of a camera is, or why that is not known.
    Locate(locate::Arguments),
    /// The cases that this node has found.
    Cases(cases::Arguments),
    /// Who may come in at the embedded desk, and what was done there.
    Desk(desk::Arguments),
    /// Whether the evidence is what was kept.
    Vault(vault::Arguments),
    /// A table of permits, a calendar or a roster, as an office has it, into a file that Shirong keeps.
    Import(import::Arguments),
    /// The rules on a clip, faster than real time: events, and a video with what was seen drawn in.
    Replay(replay::Arguments),
    /// What a model is worth on labelled pictures, or the rules on clips with their truth.
    Eval(eval::Arguments),
    /// A seeded county under a virtual clock: what becomes a case, against what is true.
    Sim(sim::Arguments),
    /// The models that this node can use.
    Models(models_check::Arguments),
    /// What looks cost on this machine, beside the bare limit and a fair rival.
    #[command(subcommand)]
    Bench(benches::Command),
}

impl Command {
    /// What is logged where SHIRONG_LOG says nothing: the service tells its story, the others only trouble.
    fn log_default(&self) -> &'static str {
        if matches!(self, Self::Run(_)) { "info" } else { "warn" }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = std::env::var("SHIRONG_LOG").unwrap_or_else(|_| arguments.command.log_default().to_owned());
    let filter = match EnvFilter::try_new(&level) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("shirong: SHIRONG_LOG={level}: {error}; write a level such as info or debug");
            return ExitCode::from(2);
        }
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if arguments.log_json {
        log.json().init();
    } else {
        log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
    let onnxruntime = arguments.onnxruntime.as_deref();
    let done = match &arguments.command {
        Command::Demo(demo) => demo::run(demo, onnxruntime),
        Command::Run(run) => run::run(run, onnxruntime),
        Command::Check(check) => check::run(check, onnxruntime),
        Command::Probe(probe) => probe::run(probe),
        Command::Camera(camera) => camera_new::run(camera),
        Command::Calibrate(calibrate) => calibrate::run(calibrate),
        Command::Locate(locate) => locate::run(locate),
        Command::Cases(cases) => cases::run(cases),
        Command::Desk(desk) => desk::run(desk),
        Command::Vault(vault) => vault::run(vault),
        Command::Import(import) => import::run(import),
        Command::Replay(replay) => replay::run(replay, onnxruntime),
        Command::Eval(eval) => eval::run(eval, onnxruntime),
        Command::Sim(sim) => sim::run(sim),
        Command::Models(models) => models_check::run(models, onnxruntime),
        Command::Bench(bench) => benches::run(bench, onnxruntime),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("shirong: {error:#}");
            ExitCode::FAILURE
        }
    }
}
