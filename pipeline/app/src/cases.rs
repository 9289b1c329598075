//! `shirong cases`: what this node has found and where each case stands on its way to the desk.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use calib::time::Timestamp;
use clap::Subcommand;
use logic::case::Case;
use report::{OutboxEntry, OutboxState, Retry, Store};

use crate::sink::Sink;

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
    /// Every case, newest first.
    List,
    /// One case as JSON.
    Show {
        /// Its id.
        case_id: String,
    },
    /// Posts that the desk refused; one of them with all that it would have posted.
    Dead {
        /// The number that the list shows.
        number: Option<i64>,
    },
    /// Every refused post with all that it would have posted, a line of JSON each.
    Export {
        /// Where to; `-` is standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Puts refused posts back into the outbox: one by its number, or all of them.
    Retry {
        /// The number that `dead` shows.
        number: Option<i64>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = arguments.data.join("report");
        match &arguments.command {
            Command::List => print_cases(arguments.json, &cases(&folder).await?),
            Command::Show { case_id } => {
                let cases = cases(&folder).await?;
                let Some(case) = cases.iter().find(|case| case.case_id == *case_id) else {
                    anyhow::bail!("there is no case {case_id}; `shirong cases list` shows them");
                };
                print_json(case)
            }
            Command::Dead { number: Some(number) } => {
                let letters = Store::open_beside(&folder).await?.dead_letters().await?;
                let Some(letter) = letters.iter().find(|letter| letter.entry.seq == *number) else {
                    anyhow::bail!("there is no refused post {number}; `shirong cases dead` shows them");
                };
                print_json(letter)
            }
            Command::Export { out } => {
                let mut sink = Sink::open(out)?;
                for letter in Store::open_beside(&folder).await?.dead_letters().await? {
                    sink.line(&serde_json::to_string(&letter)?)?;
                }
                sink.finish()
            }
            Command::Dead { number: None } => {
                let rows = Store::open_beside(&folder).await?.outbox(Some(OutboxState::Dead)).await?;
                print_rows(arguments.json, &rows)
            }
            Command::Retry { number } => {
                let which = number.map_or(Retry::All, Retry::Seq);
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
                let now = Timestamp::from_millis(i64::try_from(since_1970.as_millis())?);
                let count = Store::open_beside(&folder).await?.retry_dead(which, now).await?;
                say(&format!("{count} posts are in the outbox again"));
                Ok(())
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Newest first.
async fn cases(folder: &Path) -> Result<Vec<Case>> {
    let cases = Store::open_beside(folder).await?.cases().await?;
    Ok(cases.into_iter().rev().map(|local| local.case).collect())
}

fn print_cases(json: bool, cases: &[Case]) -> Result<()> {
    if json {
        return print_json(cases);
    }
    for case in cases {
        let cell = case.unit_grid.as_ref().map_or("-", |grid| grid.code.as_str());
        let boundary = case.unit_grid.as_ref().is_some_and(|grid| !grid.boundary.is_empty());
        let cameras: Vec<&str> = case.sources.iter().map(|source| source.id.as_str()).collect();
        say(&format!(
            "{}  {}  {} {}  {cell}{}  seen {} times  {}",
            case.case_id,
            case.confirmed_at,
            case.matter.code,
            case.matter.name,
            if boundary { " (boundary)" } else { "" },
            case.sightings,
            cameras.join(", ")
        ));
    }
    Ok(())
}

fn print_rows(json: bool, rows: &[OutboxEntry]) -> Result<()> {
    if json {
        return print_json(rows);
    }
    for row in rows {
        let error = row.last_error.as_deref().unwrap_or("-");
        say(&format!("{}  {}  after {} attempts: {error}", row.seq, row.case_id, row.attempts));
    }
    Ok(())
}

fn print_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
