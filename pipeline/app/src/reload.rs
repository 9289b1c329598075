//! Edits of the node's files while the cameras run.
//!
//! In: the files that the node was read from, as they become. Out: cameras that join, change or leave, told to
//! the fleet; what was refused, for whoever asks how the node does. Never: a running camera stopped by a bad
//! file; a half-written file taken for a good one.
//!
//! One camera's bad file keeps that camera as it was last good. A bad file of the node's own, or of its papers,
//! keeps everything as it was. What cannot change while it runs (the desk, the store, the model's path) is told
//! and waits for the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use calib::check::Problem;
use logic::look::CameraId;

use crate::fleet::Fleet;
use crate::node::{self, CameraEntry, Node, Reading, file_problem};
use crate::platform::Memory;
use crate::pulse::Pulse;
use crate::stamps::{self, Polled, Stamp, Stamps, stamps};

/// Looks after which what failed for a passing reason is tried again: half a minute.
const AGAIN_LOOKS: u32 = 15;

/// What became of the latest edits.
#[derive(Default)]
pub(crate) struct Applied {
    inner: Mutex<AppliedReport>,
}

/// See [`Applied`].
#[derive(Debug, Clone, Default)]
pub(crate) struct AppliedReport {
    /// What is wrong with the files as they are: the node goes on with what was last good.
    pub refused: Vec<Problem>,
    /// What must be mended and was taken up all the same.
    pub doubts: Vec<Problem>,
    /// Settings that take effect at the next start.
    pub waiting: Vec<String>,
    /// How often changed files were read since the start.
    pub readings: u64,
}

impl Applied {
    /// As it stands.
    pub(crate) fn report(&self) -> AppliedReport {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, AppliedReport> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the files of a node and takes up what changes.
pub(crate) struct Reload {
    file: PathBuf,
    fleet: Arc<Fleet>,
    memory: Memory,
    applied: Arc<Applied>,
    /// What the service was started with and keeps.
    fixed: Fixed,
    /// The files; acted on is read and taken up.
    polled: Polled,
    /// Every file that was asked for at the last reading.
    files: Vec<PathBuf>,
    /// Cameras that have not yet taken up what concerns them all.
    owed: BTreeSet<CameraId>,
    /// Looks until what failed for a passing reason is tried again.
    again_in: Option<u32>,
}

/// Settings that a running service does not take up, by key.
type Fixed = BTreeMap<&'static str, String>;

fn fixed(node: &Node) -> Fixed {
    BTreeMap::from([
        ("node.data", node.data.display().to_string()),
        ("model.manifest", node.manifest.display().to_string()),
        ("model.second", format!("{:?}", node.second)),
        ("model.masking", format!("{:?}", node.masking)),
        ("node.decoders", node.decoders.to_string()),
        ("model.threads", node.model_threads.to_string()),
        ("model.batch_max", node.model_batch_max.to_string()),
        ("desk", format!("{:?}", node.desk)),
        ("health", format!("{:?}", node.health)),
        ("evidence", format!("{:?}", node.retention)),
    ])
}

impl Reload {
    /// A watch over the files of a node that has just been started.
    pub(crate) fn new(node: Node, fleet: Arc<Fleet>, memory: Memory) -> Self {
        let applied = Arc::new(Applied::default());
        applied.lock().doubts.clone_from(&node.doubts);
        Self {
            fixed: fixed(&node),
            // An edit while everything was being started shows at the first reading here.
            owed: node.cameras.into_keys().collect(),
            files: node.files,
            file: node.file,
            fleet,
            memory,
            applied,
            polled: Polled::default(),
            again_in: None,
        }
    }

    /// What becomes of edits.
    pub(crate) fn applied(&self) -> Arc<Applied> {
        Arc::clone(&self.applied)
    }

    /// Watches until the other end of `asked` is dropped; a message there asks for a reading at once.
    pub(crate) fn run(mut self, asked: &Receiver<()>, pulse: &Pulse) {
        pulse.work();
        // Against an edit between the node's own reading and this one.
        self.take_up();
        stamps::watch(&mut self, asked, pulse, Self::poll, Self::take_up);
    }

    fn poll(&mut self) {
        let now = stamps(self.files.clone());
        let again = self.again_in.take().map(|looks| looks.saturating_sub(1));
        if again == Some(0) {
            self.take_up();
            return;
        }
        self.again_in = again;
        if self.polled.rests_anew(now) {
            self.take_up();
        }
    }

    /// Reads the files as they are and takes up what differs. Where one of them changed meanwhile, or one is met
    /// for the first time, nothing is taken up before another look has found them all at rest.
    fn take_up(&mut self) {
        let before = stamps(self.files.clone());
        let Ok(reading) = catch_unwind(AssertUnwindSafe(|| node::take_in(&self.file))) else {
            let file = self.file.display().to_string();
            let what = "reading it, or a file that it names, met a bug; the lines before this one show where";
            let mend = "take the latest edit back, and report this with the file";
            self.tell(vec![file_problem(&file, "", what, mend)], Vec::new(), None);
            return;
        };
        let known: BTreeSet<&PathBuf> = self.files.iter().collect();
        let is_new = reading.files.iter().any(|file| !known.contains(file));
        if is_new || stamps(self.files.clone()) != before {
            self.files.extend(reading.files);
            self.polled.look_again(stamps(self.files.clone()));
            return;
        }
        let now = stamps(reading.files.clone());
        if self.polled.acted_on().is_some_and(|before| shared(before) != shared(&now)) {
            self.owed.extend(self.fleet.entries().into_keys());
        }
        self.files.clone_from(&reading.files);
        self.polled.act_on(now);
        let Reading { node, present, errors, doubts, .. } = reading;
        let mut refused = errors;
        let waiting = node.map(|node| {
            let differs = |(key, value): (&'static str, String)| {
                (self.fixed.get(key) != Some(&value)).then(|| key.to_owned())
            };
            let waiting = fixed(&node).into_iter().filter_map(differs).collect();
            self.take_up_cameras(node.cameras, &present, &mut refused);
            waiting
        });
        self.tell(node::told_once(refused), doubts, waiting);
    }

    fn take_up_cameras(
        &mut self,
        cameras: BTreeMap<CameraId, CameraEntry>,
        present: &BTreeSet<CameraId>,
        refused: &mut Vec<Problem>,
    ) {
        let running = self.fleet.entries();
        for id in running.keys().filter(|id| !present.contains(id)) {
            self.fleet.leave(id);
            tracing::info!(camera = %id, "its file is gone; it is no longer watched");
        }
        for (id, entry) in cameras {
            let file = entry.file.display().to_string();
            let outcome = match running.get(&id) {
                Some(before) if before.sha256 == entry.sha256 && !self.owed.contains(&id) => continue,
                Some(before) => {
                    let edited = before.sha256 != entry.sha256;
                    self.fleet.change(&id, Arc::new(entry)).map(|anew| {
                        if edited || anew {
                            tracing::info!(camera = %id, stream_anew = anew, "its file has changed and is taken up");
                        }
                    })
                }
                None => (self.memory.of(&id))
                    .and_then(|remembered| self.fleet.join(&id, Arc::new(entry), remembered))
                    .map(|()| tracing::info!(camera = %id, "a new camera is watched")),
            };
            match outcome {
                Ok(()) => drop(self.owed.remove(&id)),
                Err(error) => {
                    let mend = "nothing, if it passes: it is tried again within a minute";
                    refused.push(file_problem(&file, "", &format!("{error:#}"), mend));
                    self.owed.insert(id);
                    self.again_in = Some(AGAIN_LOOKS);
                }
            }
        }
    }

    /// Tells in the log what was not told before, and keeps all of it for whoever asks.
    fn tell(&self, refused: Vec<Problem>, doubts: Vec<Problem>, waiting: Option<Vec<String>>) {
        let mut report = self.applied.lock();
        let waiting = waiting.unwrap_or_else(|| report.waiting.clone());
        for problem in refused.iter().filter(|problem| !report.refused.contains(problem)) {
            tracing::error!(
                file = problem.file,
                key = problem.key,
                says = problem.what,
                mend = problem.mend,
                "not taken up; what was last good goes on"
            );
        }
        for doubt in doubts.iter().filter(|doubt| !report.doubts.contains(doubt)) {
            tracing::warn!("{doubt}");
        }
        for key in waiting.iter().filter(|key| !report.waiting.contains(key)) {
            tracing::warn!(key, "takes effect at the next start");
        }
        if refused.is_empty() && !report.refused.is_empty() {
            tracing::info!("every file is good again");
        }
        let readings = report.readings + 1;
        *report = AppliedReport { refused, doubts, waiting, readings };
    }
}

/// What concerns more than one camera: everything but camera files and the folder they lie in.
fn shared(stamps: &Stamps) -> Vec<&Stamp> {
    let folders: BTreeSet<&Path> =
        stamps.iter().filter(|(path, _)| path.is_dir()).map(|(p, _)| p.as_path()).collect();
    let is_camera = |path: &Path| {
        path.extension().is_some_and(|e| e == "toml") && path.parent().is_some_and(|at| folders.contains(at))
    };
    let own = |path: &Path| folders.contains(path) || is_camera(path);
    stamps.iter().filter(|(path, _)| !own(path)).collect()
}
