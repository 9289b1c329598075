//! `shirong models`: whether a model can be used, in the words of its manifest.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks a model against its manifest: sha256, licence, names, shapes, a trial run.
    Check {
        /// A manifest, or the folder that holds it.
        manifest: PathBuf,
    },
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let Command::Check { manifest } = &arguments.command;
    let runtime = models::Runtime::load(onnxruntime)?;
    let problems = models::check(&runtime, manifest);
    for problem in &problems {
        say(&format!("error: {problem}"));
    }
    if problems.is_empty() {
        say(&format!("{}: well, on ONNX Runtime {}", manifest.display(), runtime.version()));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
