//! `shirong run`: the service, until a signal.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use ingest::CameraState;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fleet::CameraReport;
use crate::service::Service;
use crate::{health, node};

/// How often the log says how the node does.
const STATUS_EVERY: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The node's file.
    #[arg(short, long, value_name = "FILE", default_value = "shirong.toml")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let node = match node::load(&arguments.config) {
        Ok(node) => node,
        Err(problems) => {
            for problem in &problems {
                eprintln!("error: {problem}");
            }
            eprintln!("shirong: not started; `shirong check` shows the same list");
            return Ok(ExitCode::FAILURE);
        }
    };
    take_handles();
    for doubt in &node.doubts {
        tracing::warn!("{doubt}");
    }
    let (health, data) = (node.health, node.data.clone());
    // Before anything starts: a SIGTERM that comes meanwhile is an orderly stop too.
    let signals = Signals::heard(true)?;
    let service = Service::start(node, onnxruntime)?;
    if let Some(listen) = health {
        match health::serve(&service, listen) {
            Ok(address) => tracing::info!(health = %format!("http://{address}/readyz"), "answers"),
            Err(error) => {
                service.stop();
                return Err(error);
            }
        }
    }
    if let Err(error) = welcome(&service, &data) {
        service.stop();
        return Err(error);
    }
    tracing::info!(desk = service.desk_url(), "running; stop with SIGTERM or Ctrl-C");
    tell_systemd(&[NotifyState::Ready]);
    let asked = until_asked(&service, signals)?;
    tracing::info!("stopping");
    tell_systemd(&[NotifyState::Stopping]);
    service.stop();
    Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes as many file handles as the system lets it have: a camera needs five and its connections more for moments,
/// and shells hand out a thousand.
fn take_handles() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, limit = limit.current, "no more file handles than the shell gave");
    }
}

/// At the first start on a terminal, shows the first administrator's token, this once. What goes elsewhere than to a
/// terminal is kept: there the operator makes one.
#[expect(clippy::print_stdout, reason = "for the person at the terminal alone")]
fn welcome(service: &Service, data: &Path) -> Result<()> {
    if std::io::stdout().is_terminal() {
        if let Some(token) = service.platform().first_administrator()? {
            println!(
                "\nThe desk at {}/ has no administrator yet. This token lets one in; it is shown this once:",
                service.desk_url()
            );
            println!("\n    {token}\n");
        }
    } else if !service.platform().has_administrator()? {
        let data = data.display();
        tracing::warn!(
            "nobody can look at the desk yet; make a token: shirong desk token new --role administrator --name NAME \
             --data {data}"
        );
    }
    Ok(())
}

/// Says it where systemd listens; elsewhere nothing.
fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd does not hear this service");
    }
}

/// How often to ping, where systemd wants to be pinged: twice within its time.
fn ping_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

/// Waits for SIGTERM or SIGINT (`true`), or for a stage of the service to end by itself (`false`). A second
/// signal ends the process at once.
pub(crate) fn wait(service: &Service) -> Result<bool> {
    until_asked(service, Signals::heard(false)?)
}

/// The signals to end and to look again, heard from when this is made.
struct Signals {
    runtime: tokio::runtime::Runtime,
    terminate: Signal,
    interrupt: Signal,
    /// Without it SIGHUP ends the process, as a terminal that closes wants it.
    hangup: Option<Signal>,
}

impl Signals {
    fn heard(with_hangup: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (terminate, interrupt, hangup) = {
            let _guard = runtime.enter();
            let hangup = with_hangup.then(|| signal(SignalKind::hangup())).transpose()?;
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, hangup)
        };
        Ok(Self { runtime, terminate, interrupt, hangup })
    }
}

/// As [`wait`]; at each SIGHUP that is heard the model's files are looked at and the status is told.
fn until_asked(service: &Service, signals: Signals) -> Result<bool> {
    let Signals { runtime, mut terminate, mut interrupt, hangup: mut look_again } = signals;
    let asked = runtime.block_on(async {
        let mut status = tokio::time::interval(STATUS_EVERY);
        // Without a watchdog this wakes once a minute for nothing.
        let (pings, every) = (ping_every().is_some(), ping_every().unwrap_or(STATUS_EVERY));
        let mut ping = tokio::time::interval(every);
        loop {
            tokio::select! {
                _ = terminate.recv() => break anyhow::Ok(true),
                _ = interrupt.recv() => break Ok(true),
                () = service.ended() => {
                    tracing::error!("a stage has ended by a bug; stopping, so that whoever supervises starts anew");
                    break Ok(false);
                }
                () = received(look_again.as_mut()) => {
                    service.reload();
                    tell(service);
                }
                _ = status.tick() => tell(service),
                // A stage that ended has ended this loop; one that hangs silences the pings.
                _ = ping.tick() => match service.pulses().hung() {
                    Some((stage, at_it)) => {
                        tracing::error!(stage, secs = at_it.as_secs(), "a stage hangs; systemd is pinged no more");
                    }
                    None if pings => tell_systemd(&[NotifyState::Watchdog]),
                    None => {}
                },
            }
        }
    })?;
    std::thread::spawn(move || {
        let again = runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            anyhow::Ok(())
        });
        if again.is_ok() {
            std::process::exit(1);
        }
    });
    Ok(asked)
}

/// Ends at the signal; never where none is waited for.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// What the node did so far and what it lost, in one line.
fn tell(service: &Service) {
    let cameras = service.cameras();
    let live = cameras.iter().filter(|camera| camera.state == CameraState::Live).count();
    let model = service.model();
    let sum = |of: fn(&CameraReport) -> u64| cameras.iter().map(of).sum::<u64>();
    tracing::info!(
        cameras = cameras.len(),
        live,
        looks_total = sum(|c| c.looks),
        findings_total = sum(|c| c.findings),
        overwritten_total = sum(|c| c.overwritten),
        unseen_total = sum(|c| c.unseen),
        model = model.model.name,
        model_sha256 = model.model.sha256,
        model_swaps_total = model.swaps,
        model_refused = model.refused,
        "status"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_file_handles_is_the_system_s_and_not_the_shell_s() {
        let own = getrlimit(Resource::Nofile);
        let shell = Rlimit { current: own.current.map(|most| most.min(512)), ..own };
        setrlimit(Resource::Nofile, shell).unwrap();
        take_handles();
        assert_eq!(getrlimit(Resource::Nofile).current, own.maximum);
    }
}
