//! `shirong run`: the service, until a signal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use crate::node;
use crate::service::Service;

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
    wait_for_signal()?;
    tracing::info!("stopping");
    service.stop();
    Ok(ExitCode::SUCCESS)
}

/// Waits for SIGTERM or SIGINT.
pub(crate) fn wait_for_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        anyhow::Ok(())
    })
}
