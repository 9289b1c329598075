//! What a look costs: the service's whole journey on this machine, beside the bare limit and a fair rival.
//!
//! In: clips, a number of cameras. Out: figures a person can repeat ([`figures::Journey`]) as a table, JSON and a
//! page. The service runs as a process of its own with the files that an operator would write, so that what is
//! measured is what a city runs. Never: a copy of a stage of the service, a figure that was not measured in the
//! same run as what it is compared with.
//!
//! ```text
//! journey ─┬─ street:   node and camera files, loopback RTSP cameras
//!          ├─ subject:  `shirong run` as a child: /metrics and /proc
//!          ├─ bare:     the same key frames decoded into nothing, the same tensors through the same session
//!          └─ rival:    benches/rival in a Python of its own
//! ```

pub mod bare;
pub mod clips;
pub mod compare;
pub mod figures;
pub mod journey;
mod meter;
mod page;
mod plot;
mod rival;
mod scrape;
mod street;
mod subject;
mod sweep;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

/// What `shirong bench` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Whole journeys: looks, cost and latency of the service with so many cameras.
    Journey(journey::Arguments),
    /// Cost, waits and fairness against the number of cameras.
    Sweep(sweep::Arguments),
    /// Two result files of `journey` beside each other.
    Compare(compare::Arguments),
    /// The clips that the published figures were measured on, made of Debian's opencv-doc.
    Clips(clips::Arguments),
    /// The bare limit alone: what `journey` runs as a process of its own.
    #[command(hide = true)]
    Bare(bare::Arguments),
}

/// Runs one; the service is started from this very executable.
///
/// # Errors
/// What keeps a figure from being measured, with its mend.
pub fn run(command: &Command, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    match command {
        Command::Journey(arguments) => journey::run(arguments, onnxruntime),
        Command::Sweep(arguments) => sweep::run(arguments, onnxruntime),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Clips(arguments) => clips::run(arguments),
        Command::Bare(arguments) => bare::run(arguments, onnxruntime),
    }
}

/// The checkout that holds the rival and the models: the current folder, one above it, or one above the executable.
fn checkout() -> Result<PathBuf> {
    let from = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let folders = from.iter().flatten().flat_map(|path| path.ancestors());
    folders
        .into_iter()
        .find(|folder| folder.join("benches/rival/rival.py").is_file())
        .map(Path::to_path_buf)
        .context("found no benches/rival here or above: run this in a checkout")
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
