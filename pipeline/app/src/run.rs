//! `shirong run`: the service, until a signal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use ingest::CameraState;
use tokio::signal::unix::{SignalKind, signal};

use crate::node;
use crate::service::{CameraReport, Service};

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
    let service = Service::start(node, onnxruntime)?;
    tracing::info!(desk = service.desk_url(), "running; stop with SIGTERM or Ctrl-C");
    let asked = wait(&service)?;
    tracing::info!("stopping");
    service.stop();
    Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for SIGTERM or SIGINT (`true`), or for a stage of the service to end by itself (`false`). A second
/// signal ends the process at once.
pub(crate) fn wait(service: &Service) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut status = tokio::time::interval(STATUS_EVERY);
        loop {
            tokio::select! {
                _ = terminate.recv() => break anyhow::Ok(true),
                _ = interrupt.recv() => break Ok(true),
                () = service.ended() => {
                    tracing::error!("a stage has ended by a bug; stopping, so that whoever supervises starts anew");
                    break Ok(false);
                }
                _ = status.tick() => tell(service),
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

/// What the node did so far and what it lost, in one line.
fn tell(service: &Service) {
    let cameras = service.cameras();
    let live = cameras.iter().filter(|camera| camera.state == CameraState::Live).count();
    let sum = |of: fn(&CameraReport) -> u64| cameras.iter().map(of).sum::<u64>();
    tracing::info!(
        cameras = cameras.len(),
        live,
        looks_total = sum(|c| c.looks),
        findings_total = sum(|c| c.findings),
        overwritten_total = sum(|c| c.overwritten),
        unseen_total = sum(|c| c.unseen),
        "status"
    );
}
