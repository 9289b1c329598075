//! `shirong vault`: whether the evidence is what was kept.
//!
//! In: a node's data folder, which a service may be using. Out: what is wrong, each with its case, file or row
//! and what to do; exit code 1 where anything is. Never: a change.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use indicatif::ProgressBar;
use report::{ChainHead, VaultReport, verify_vault};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The node's data folder.
    #[arg(long, value_name = "FOLDER", default_value = "data", global = true)]
    data: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every file, row and manifest against the evidence log.
    Verify {
        /// The head that an earlier run printed and that was noted elsewhere: the log must still hold it.
        #[arg(long, value_name = "NUMBER:SHA256")]
        head: Option<ChainHead>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Command::Verify { head } = &arguments.command;
    let report = verify(&arguments.data.join("report"), head.as_ref())?;
    if arguments.json {
        say(&serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verify(folder: &Path, head: Option<&ChainHead>) -> Result<VaultReport> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Nothing is drawn where standard error is no terminal.
    let bar = ProgressBar::new(0);
    let told = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let report = runtime.block_on(verify_vault(folder, head, told));
    bar.finish_and_clear();
    Ok(report?)
}

fn print(report: &VaultReport) {
    for finding in &report.findings {
        let place = match (&finding.file, &finding.row) {
            (Some(file), _) => file.display().to_string(),
            (None, Some(row)) => row.clone(),
            (None, None) => "-".to_owned(),
        };
        let case = finding.case_id.as_deref().unwrap_or("-");
        say(&format!("case {case}  {place}: {}; {}", finding.what, finding.mend));
    }
    if report.findings_unlisted > 0 {
        say(&format!("and {} more", report.findings_unlisted));
    }
    let head = report.head.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let wrong = report.findings.len() as u64 + report.findings_unlisted;
    let of = format!("{} cases, {} files, {} records", report.cases, report.files, report.records);
    say(&format!(
        "{of}: {}; head {head}",
        if wrong == 0 { "whole".into() } else { format!("{wrong} findings") }
    ));
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
