//! `shirong models`: which models there are and whether they can be used, in the words of their manifests.
//!
//! In: a manifest or a folder of models. Out: lines for people, or JSON. Never: a model changed or fetched.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use models::Problem;
use serde::Serialize;

use crate::models_list::{self, Card};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the models in a folder: family, input, provider, classes, SHA-256, licence, and whether each is well.
    List(models_list::Arguments),
    /// Checks a model against its manifest: sha256, licence, names, shapes, a trial run.
    Check {
        /// A manifest, or the folder that holds it.
        manifest: PathBuf,
        /// Print JSON: {"name", "family", "input", …, "onnxruntime", "problems": [{"file", "key", "says", "mend"}]}.
        #[arg(long)]
        json: bool,
    },
}

/// What is wrong with a model, as JSON tells it.
#[derive(Serialize)]
pub(crate) struct Fault {
    file: String,
    key: String,
    says: String,
    mend: String,
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.file.display().to_string(),
            key: problem.key.clone(),
            says: problem.says.clone(),
            mend: problem.mend.clone(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    card: Card,
    onnxruntime: String,
    problems: Vec<Fault>,
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    match &arguments.command {
        Command::List(list) => models_list::run(list, onnxruntime),
        Command::Check { manifest, json } => check(manifest, *json, onnxruntime),
    }
}

fn check(manifest: &Path, json: bool, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let runtime = models::Runtime::load(onnxruntime)?;
    let problems = models::check(&runtime, manifest);
    if json {
        let report = Report {
            card: Card::read(manifest),
            onnxruntime: runtime.version().to_owned(),
            problems: problems.iter().map(Fault::from).collect(),
        };
        say(&serde_json::to_string_pretty(&report)?);
    } else {
        for problem in &problems {
            say(&format!("error: {problem}"));
        }
        if problems.is_empty() {
            say(&format!("{}: well, on ONNX Runtime {}", manifest.display(), runtime.version()));
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the command's output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
