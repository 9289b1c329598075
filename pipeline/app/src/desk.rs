//! `shirong desk`: who may come in at the embedded desk, and what was done there.
//!
//! In: the node's data folder; the desk may serve from it meanwhile. Out: a token in clear, once, on standard
//! output; lists; whether the audit log is whole. Never: a token asked for again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::desk::{AuditEntry, NewToken, Role, TokenBook, TokenRow};
use anyhow::{Context, Result};
use calib::time::Timestamp;
use clap::Subcommand;

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
    /// Tokens: made, listed, taken back.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Who looked at which evidence and who changed what.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Makes one and prints it, this once.
    New {
        /// viewer, reviewer, dispatcher, handler, administrator, camera-integrator, service.
        #[arg(long)]
        role: Role,
        /// Whom it is for: a person, an office, a machine.
        #[arg(long)]
        name: String,
        /// A responsibility grid that it is confined to; may be given several times. Without: all.
        #[arg(long, value_name = "CODE")]
        grid: Vec<String>,
        /// Days after which it ends by itself.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// Every token ever made, newest first; never the tokens themselves.
    List,
    /// Takes one back: what it let in is out with the next request.
    Revoke {
        /// The id that `list` shows.
        id: String,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Walks the whole log; exit 1 where an entry was altered, taken out or put elsewhere.
    Verify,
    /// The latest entries, newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = arguments.data.join("desk");
        let makes = matches!(&arguments.command, Command::Token(TokenCommand::New { .. }));
        if !makes && !folder.join("desk.sqlite").exists() {
            anyhow::bail!("{} holds no desk; name the node's data folder with --data", folder.display());
        }
        let book = TokenBook::open(&folder).await.with_context(|| format!("opening {}", folder.display()))?;
        let done = match &arguments.command {
            Command::Token(command) => token(&book, command, arguments.json).await,
            Command::Audit(command) => audit(&book, command, arguments.json).await,
        };
        book.close().await;
        done
    })
}

async fn token(book: &TokenBook, command: &TokenCommand, json: bool) -> Result<ExitCode> {
    match command {
        TokenCommand::New { role, name, grid, days } => {
            let lasts = days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
            let new = NewToken { name: name.clone(), role: *role, grids: grid.clone(), lasts };
            let (token, row) = book.issue(&new).await?;
            // The token alone on standard output, so that it can go straight into a file or a safe.
            eprintln!("token {} for {} as {}; it is shown this once:", row.id, row.name, row.role);
            say(&token);
        }
        TokenCommand::List if json => print_json(&book.list().await?)?,
        TokenCommand::List => {
            let now = now()?;
            for row in book.list().await? {
                say(&line(&row, now));
            }
        }
        TokenCommand::Revoke { id } => {
            book.revoke(id).await?;
            say(&format!("token {id} is worth nothing any more"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn audit(book: &TokenBook, command: &AuditCommand, json: bool) -> Result<ExitCode> {
    match command {
        AuditCommand::Verify => {
            let verdict = book.verify_audit().await?;
            match (&verdict.fault, json) {
                (_, true) => print_json(&verdict)?,
                (Some(fault), _) => {
                    say(&format!("BROKEN: {fault}; entries 1 to {} are whole", verdict.entries))
                }
                (None, _) => say(&format!(
                    "{} entries, whole; the last one's chain is {}",
                    verdict.entries, verdict.head
                )),
            }
            return Ok(if verdict.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        AuditCommand::List { limit } => {
            let entries = book.audit(*limit).await?;
            if json {
                print_json(&entries)?;
            } else {
                for AuditEntry { seq, at, who, role, address, what, target, detail } in entries {
                    say(&format!("{seq}  {at}  {who} ({role}) {address}  {what}  {target}  {detail}"));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(row: &TokenRow, now: Timestamp) -> String {
    let stands = match (row.revoked_at, row.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if row.is_good(now) => format!("until {at}"),
        (None, Some(at)) => format!("ended {at}"),
        (None, None) => "stands".to_owned(),
    };
    let grids = if row.grids.is_empty() { "all grids".to_owned() } else { row.grids.join(", ") };
    format!("{:8}  {:17}  {grids}  {stands}  {}", row.id, row.role.name(), row.name)
}

fn now() -> Result<Timestamp> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(i64::try_from(since_1970.as_millis())?))
}

fn print_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
