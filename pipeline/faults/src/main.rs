//! `faults`: breaks a node on purpose and counts what came of it.
//!
//! In: a seed and how much. Out: a line a stage or a table and, last, `faults: N injected, lost 0, double 0`; exit
//! code 1 where anything was lost, double or altered, or a camera not looked at in time. Never: a node of anybody else's; each runs in a folder of its own.

mod kills;
mod node;
mod platform;
mod process;
mod receiver;
mod script;
mod streams;
mod verdict;
mod writes;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use process::Shim;
use verdict::Verdict;

/// Kills and failing writes of the long form and of the short one, which is a sample of it.
const KILLS_LONG: u64 = 1000;
const KILLS_SHORT: u64 = 30;
const EVERY_SHORT: u64 = 31;
const CASES_LONG: usize = 10_000;
const CASES_SHORT: usize = 300;

#[derive(Parser)]
#[command(name = "faults")]
struct Arguments {
    /// What the dice start from; printed, so that a run can be had again.
    #[arg(long, default_value_t = rand::random::<u32>().into())]
    seed: u64,
    /// A sample, in about a minute a stage.
    #[arg(long, global = true)]
    short: bool,
    /// How many kills, in place of the form's own number.
    #[arg(long)]
    kills: Option<u64>,
    /// Writes what was measured there, as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A node that is to be broken; the other stages start it.
    #[command(hide = true)]
    Node { folder: PathBuf, seed: u64, things: usize },
    /// The kills alone.
    Kills,
    /// The failing writes alone.
    Writes,
    /// The platform that misbehaves alone.
    Platform,
    /// The cameras that misbehave alone: `shirong run` beside them, a table of how soon each is looked at again.
    Streams {
        /// Faults by the names that the cameras bear; all of them where none is named.
        only: Vec<String>,
    },
    /// Cameras half of which are dead in different ways.
    Cameras {
        #[arg(long, default_value_t = 200)]
        cameras: usize,
        /// How all the dead ones are dead, in place of each in its way.
        #[arg(long, value_name = "FAULT")]
        fault: Option<String>,
        /// How long they are watched after the first look of all that live.
        #[arg(long, default_value_t = 120)]
        secs: u64,
    },
    /// More looks asked for than there can be.
    Overload {
        #[arg(long, default_value_t = 40)]
        cameras: usize,
        #[arg(long, default_value_t = 30)]
        secs: u64,
    },
    /// Twenty cameras and a fault every minute; memory, threads and handles after the warm-up.
    Soak {
        #[arg(long, default_value_t = 30)]
        minutes: u64,
    },
}

/// What was done and what came of it.
#[derive(Default)]
struct Tally {
    injected: u64,
    verdict: Verdict,
    /// What the cameras and their process did not keep to.
    missed: Vec<String>,
    measured: serde_json::Map<String, serde_json::Value>,
}

impl Tally {
    /// Takes a verdict in; what is wrong is said at once. `false` where anything is.
    fn judge(&mut self, what: String, injected: u64, verdict: Verdict) -> bool {
        self.injected += injected;
        let good = verdict.is_good();
        for (how, list) in
            [("lost", &verdict.lost), ("double", &verdict.double), ("evidence", &verdict.evidence)]
        {
            list.iter().for_each(|line| self.say(&format!("{how}: {what}: {line}")));
        }
        self.verdict.add(verdict);
        good
    }

    /// Notes what was not kept to; it is said at once.
    fn miss(&mut self, what: String) {
        self.say(&format!("missed: {what}"));
        self.missed.push(what);
    }

    fn bar(&self, what: &'static str, length: u64) -> Bar {
        Bar::new(what, length)
    }

    fn say(&self, line: &str) {
        // A closed pipe ends nothing here: the exit code tells.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// A bar on a terminal; a line every tenth elsewhere.
struct Bar {
    what: &'static str,
    bar: Option<ProgressBar>,
    length: u64,
    started: Instant,
    said: std::cell::Cell<u64>,
}

impl Bar {
    fn new(what: &'static str, length: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
            ProgressBar::new(length)
                .with_message(what)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { what, bar, length, started: Instant::now(), said: std::cell::Cell::new(0) }
    }

    fn set(&self, done: u64) {
        let tenth = done * 10 / self.length.max(1);
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if tenth > self.said.replace(tenth.max(self.said.get())) => {
                let secs = self.started.elapsed().as_secs();
                eprintln!("{}: {done} of {} after {secs} s", self.what, self.length);
            }
            None => {}
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Node { folder, seed, things }) = &arguments.command {
        return match node::run(folder, *seed, *things) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    // The second call finds a provider in place, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut tally = Tally::default();
    tally.say(&format!("seed {}", arguments.seed));
    let only = arguments.command.as_ref();
    let wanted = |this: fn(&Command) -> bool| only.is_none_or(this);
    runtime.block_on(async {
        let seed = arguments.seed;
        if wanted(|command| matches!(command, Command::Platform)) {
            let cases = if arguments.short { CASES_SHORT } else { CASES_LONG };
            platform::run(seed, cases, &mut tally).await?;
        }
        cameras(arguments, &mut tally).await?;
        if matches!(
            only,
            Some(
                Command::Streams { .. }
                    | Command::Cameras { .. }
                    | Command::Overload { .. }
                    | Command::Soak { .. }
                    | Command::Platform
            )
        ) {
            return Ok(());
        }
        let Some(shim) = Shim::make()? else {
            tally.say("kills and failing writes: not run: there is no C compiler (cc) to make the shim with");
            return Ok(());
        };
        if wanted(|command| matches!(command, Command::Kills)) {
            let kills = arguments.kills.unwrap_or(if arguments.short { KILLS_SHORT } else { KILLS_LONG });
            kills::run(&shim, seed, kills, &mut tally).await?;
        }
        if wanted(|command| matches!(command, Command::Writes)) {
            writes::run(&shim, seed, if arguments.short { EVERY_SHORT } else { 1 }, &mut tally).await?;
        }
        anyhow::Ok(())
    })?;
    let Verdict { lost, double, evidence } = &tally.verdict;
    tally.say(&match evidence.len() {
        0 => "evidence: whole after each".to_owned(),
        wrong => format!("evidence: {wrong} findings"),
    });
    if !tally.missed.is_empty() {
        tally.say(&format!("missed: {} in all", tally.missed.len()));
    }
    tally.say(&format!("faults: {} injected, lost {}, double {}", tally.injected, lost.len(), double.len()));
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&tally.measured)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(tally.verdict.is_good() && tally.missed.is_empty())
}

/// The stages that have cameras. The soak is too long for a whole run and is asked for by its name.
async fn cameras(arguments: &Arguments, tally: &mut Tally) -> Result<()> {
    let short = arguments.short;
    let measured = match &arguments.command {
        None => ("streams", streams::run(short, &[], tally).await?),
        Some(Command::Streams { only }) => ("streams", streams::run(short, only, tally).await?),
        Some(Command::Cameras { cameras, fault, secs }) => {
            ("cameras", streams::run_cameras((*cameras, fault.as_deref()), *secs, tally).await?)
        }
        Some(Command::Overload { cameras, secs }) => {
            ("overload", streams::run_overload(*cameras, *secs, tally).await?)
        }
        Some(Command::Soak { minutes }) => {
            ("soak", streams::run_soak(arguments.seed, *minutes, tally).await?)
        }
        _ => return Ok(()),
    };
    tally.measured.insert(measured.0.to_owned(), measured.1);
    Ok(())
}
