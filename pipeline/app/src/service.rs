//! The service: every thread and every channel on one screen.
//!
//! ```text
//! receive threads       ingest: sockets of hundreds of cameras each; what GStreamer receives has threads of its own
//!    │  key frames      ingest's Pool: one place a camera, newest wins (overwrite, counted)
//! decode threads        ingest: decoders that all cameras share
//!    │  frames          Arrivals: one place a camera, newest wins (overwrite, counted); decoders wait for the detector
//!    ▼
//! detect thread         Eyes; one Lookout (scene, watch) a camera; pure logic. Prepares the next batch and decides the
//!    │    ⇅              one before while the line thread looks at one; between two: another detector, where there is one
//!    │  line thread      models: the session; two inputs in circulation
//!    │  tasks           sync_channel(TASKS_MAX): block. From here on nothing is lost
//!    ▼
//! evidence thread       JPEG, masking, hashes; commit to disk, retried until it holds
//!    │  wishes          sync_channel: missed and counted where it is full, for a case never waits for its clip
//!    │  clips thread    what the camera sent around the confirmation, into the vault
//!    │  outbox          SQLite, full sync
//!    ▼
//! tokio threads         poster → desk (embedded or external)
//!
//! model thread          the model's files; opens what they have become and leaves it in Swap
//! files thread          the node's and cameras' files; tells the Fleet what joins, changes, leaves
//! ```
//!
//! To stop: the watch over files and the cameras first, then each stage drains when the one before it has ended.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use models::{Classifier, Runtime};
use report::PostEvents;
use tokio::sync::Notify;

use crate::clips::Clips;
use crate::detect::Detect;
use crate::eyes::Eyes;
use crate::fleet::{CameraReport, Fleet};
use crate::holding::Holding;
use crate::keeper::Keeper;
use crate::masking::Masking;
use crate::node::Node;
use crate::platform;
use crate::pulse::Pulses;
use crate::reload::{Applied, Reload};
use crate::swap::{ModelReport, Swap, Watcher};

/// Tasks between detection and evidence, each holding one decoded frame.
const TASKS_MAX: usize = 16;
/// How long a stop waits for the desk to take what is committed; the rest is posted after the next start.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running service.
pub(crate) struct Service {
    fleet: Arc<Fleet>,
    detect: JoinHandle<()>,
    evidence: JoinHandle<()>,
    clips: JoinHandle<()>,
    model: JoinHandle<()>,
    /// Asks the model thread for a look at once; dropping it ends that thread.
    look_at_model: SyncSender<()>,
    swap: Arc<Swap>,
    files: JoinHandle<()>,
    /// As `look_at_model`, for the thread that watches the node's files.
    look_at_files: SyncSender<()>,
    applied: Arc<Applied>,
    holding: Arc<Holding>,
    platform: platform::Platform,
    stop: Arc<StopBy>,
    ended: Arc<Notify>,
    pulses: Pulses,
}

impl Service {
    /// Starts everything.
    ///
    /// # Errors
    /// A model, a store, a secret or a port that cannot be had; the caller ends the process then.
    pub(crate) fn start(node: Node, onnxruntime: Option<&Path>) -> Result<Self> {
        ingest::init()?;
        ingest::set_decoders(node.decoders);
        let runtime = Runtime::load(onnxruntime)?;
        let open = |second: &PathBuf| Classifier::open(&runtime, second, node.model_threads);
        let second = node.second.as_ref().map(open).transpose()?;
        let masking = node.masking.as_ref().map(|manifest| Masking::open(&runtime, manifest)).transpose()?;
        let (watcher, line) =
            Watcher::open(runtime, &node.manifest, (node.model_threads, node.model_batch_max))?;
        let platform = platform::Platform::start(&node)?;
        let reporter = platform.reporter();
        tracing::info!(node = node.name, cameras = node.cameras.len(), model = line.manifest().name(), provider = %line.provider(), "starting");
        if let Some(second) = &second {
            tracing::info!(model = second.name(), sha256 = second.sha256(), "judges what the model sees");
        }
        if let Some(masking) = &masking {
            let detector = masking.detector();
            tracing::info!(model = detector.name(), sha256 = detector.sha256(), "finds what evidence hides");
        }

        let fleet = Fleet::new();
        let (tasks, tasks_out) = sync_channel(TASKS_MAX);
        let stop = Arc::new(StopBy::default());
        let ended = Arc::new(Notify::new());
        let swap = watcher.swap();
        let pulses = Pulses::new();
        let eyes = Eyes::new(line, second);
        let pulse = Arc::clone(&pulses.detect);
        let detect = Detect::new(eyes, Arc::clone(&swap), Arc::clone(&fleet), tasks, pulse);
        let batch_max = node.model_batch_max;
        let detect = spawn("detect", &ended, move || detect.run(batch_max))?;
        let holding = Arc::new(Holding::default());
        let (clips, maker) = Clips::new(Arc::clone(&reporter), Arc::clone(&fleet), platform.handle());
        let clips_thread = spawn("clips", &ended, move || maker.run())?;
        let keeper = Keeper {
            reporter,
            masking,
            clips,
            holding: Arc::clone(&holding),
            handle: platform.handle(),
            fleet: Arc::clone(&fleet),
            stop: Arc::clone(&stop),
            pulse: Arc::clone(&pulses.evidence),
        };
        let evidence = spawn("evidence", &ended, move || keeper.run(&tasks_out))?;
        let (look_at_model, asked) = sync_channel(1);
        let pulse = Arc::clone(&pulses.model);
        let model = spawn("model", &ended, move || watcher.run(&asked, &pulse))?;

        let memory = platform.memory();
        for (id, entry) in &node.cameras {
            fleet.join(id, Arc::new(entry.clone()), memory.of(id)?)?;
        }
        let reload = Reload::new(node, Arc::clone(&fleet), memory);
        let applied = reload.applied();
        let (look_at_files, asked) = sync_channel(1);
        let pulse = Arc::clone(&pulses.files);
        let files = spawn("files", &ended, move || reload.run(&asked, &pulse))?;
        Ok(Self {
            fleet,
            detect,
            evidence,
            clips: clips_thread,
            model,
            look_at_model,
            swap,
            files,
            look_at_files,
            applied,
            holding,
            platform,
            stop,
            ended,
            pulses,
        })
    }

    /// Where the desk answers.
    pub(crate) fn desk_url(&self) -> &str {
        self.platform.desk_url()
    }

    /// The asynchronous half: what only the embedded desk knows.
    pub(crate) fn platform(&self) -> &platform::Platform {
        &self.platform
    }

    /// What leaves the outbox, as it leaves.
    pub(crate) fn posts(&self) -> PostEvents {
        self.platform.reporter().events()
    }

    /// Runs a small task beside the service, until it ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.platform.handle().spawn(task));
    }

    /// Ends when a stage's thread has ended, which before a stop is a bug.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Whether its stages get on.
    pub(crate) fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Which model looks, and what became of the latest one that should have.
    pub(crate) fn model(&self) -> ModelReport {
        self.swap.report()
    }

    /// What became of the latest edits of the node's files.
    pub(crate) fn applied(&self) -> Arc<Applied> {
        Arc::clone(&self.applied)
    }

    /// Whether what was found reaches the disk.
    pub(crate) fn holding(&self) -> Arc<Holding> {
        Arc::clone(&self.holding)
    }

    /// Looks at the model's files and at those of the node as they are now, and takes up what has changed.
    pub(crate) fn reload(&self) {
        for (what, ask) in [("the model", &self.look_at_model), ("the node's files", &self.look_at_files)] {
            match ask.try_send(()) {
                // Full: a look is about to begin.
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => tracing::error!(what, "is not watched any more"),
            }
        }
    }

    /// Where each camera stands.
    pub(crate) fn cameras(&self) -> Vec<CameraReport> {
        self.fleet.reports()
    }

    /// The cameras, for whoever tells of them beside the service.
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet)
    }

    /// The model, for whoever tells of it beside the service.
    pub(crate) fn swap(&self) -> Arc<Swap> {
        Arc::clone(&self.swap)
    }

    /// Stops the sources first and drains the rest in order, to disk; the poster and the desk go on.
    pub(crate) fn finish(self) -> (Vec<CameraReport>, platform::Platform) {
        let reports = self.cameras();
        // Before the cameras, so that none joins behind their back.
        drop(self.look_at_files);
        join("files", self.files);
        self.stop.begin();
        self.fleet.stop();
        drop(self.look_at_model);
        // The detect thread drops its sender when it ends, which ends the evidence thread, and so that of the clips.
        for (name, thread) in [
            ("detect", self.detect),
            ("evidence", self.evidence),
            ("clips", self.clips),
            ("model", self.model),
        ] {
            join(name, thread);
        }
        (reports, self.platform)
    }

    /// Ends everything. What the desk has not taken within [`STOP_DEADLINE`] stays in the outbox for the
    /// next start.
    pub(crate) fn stop(self) {
        self.finish().1.stop(STOP_DEADLINE);
    }
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "ended by a bug; what it had not committed is lost");
    }
}

/// Starts a stage's thread. Its end, also by a bug, is told to whoever waits in [`Service::ended`].
fn spawn(name: &str, ended: &Arc<Notify>, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    struct Tell(Arc<Notify>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let tell = Tell(Arc::clone(ended));
    let stage = move || {
        let _tell = tell;
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(stage).context("starting a thread")
}

/// When a stop has begun, and for how long a store that refuses may still be asked.
#[derive(Default)]
pub(crate) struct StopBy(OnceLock<Instant>);

impl StopBy {
    fn begin(&self) {
        let _ = self.0.set(Instant::now() + STOP_DEADLINE);
    }

    pub(crate) fn is_past(&self) -> bool {
        self.0.get().is_some_and(|by| Instant::now() > *by)
    }
}
