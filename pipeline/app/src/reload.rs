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
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use calib::check::Problem;
use logic::look::CameraId;

use crate::fleet::Fleet;
use crate::node::{self, CameraEntry, Node, Reading};
use crate::platform::Memory;
use crate::stamps::{POLL_EVERY, Stamp, Stamps, stamps};

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
    /// The files as they were when they were read last; `None` before the first reading here.
    read: Option<Stamps>,
    /// The files as they were at the look before, where that differs.
    changing: Option<Stamps>,
    /// Every file that was asked for at the last reading.
    files: Vec<PathBuf>,
}

/// Settings that a running service does not take up, by key.
type Fixed = BTreeMap<&'static str, String>;

fn fixed(node: &Node) -> Fixed {
    BTreeMap::from([
        ("node.data", node.data.display().to_string()),
        ("model.manifest", node.manifest.display().to_string()),
        ("model.second", format!("{:?}", node.second)),
        ("model.threads", node.model_threads.to_string()),
        ("model.batch_max", node.model_batch_max.to_string()),
        ("desk", format!("{:?}", node.desk)),
        ("health", format!("{:?}", node.health)),
    ])
}

impl Reload {
    /// A watch over the files of a node that has just been started.
    pub(crate) fn new(node: Node, fleet: Arc<Fleet>, memory: Memory) -> Self {
        let applied = Arc::new(Applied::default());
        applied.lock().doubts.clone_from(&node.doubts);
        Self {
            fixed: fixed(&node),
            file: node.file,
            fleet,
            memory,
            applied,
            read: None,
            changing: None,
            files: Vec::new(),
        }
    }

    /// What becomes of edits.
    pub(crate) fn applied(&self) -> Arc<Applied> {
        Arc::clone(&self.applied)
    }

    /// Watches until the other end of `asked` is dropped; a message there asks for a reading at once.
    pub(crate) fn run(mut self, asked: &Receiver<()>) {
        // Against an edit between the node's own reading and this one.
        self.take_up();
        loop {
            match asked.recv_timeout(POLL_EVERY) {
                Ok(()) => self.take_up(),
                Err(RecvTimeoutError::Timeout) => self.poll(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn poll(&mut self) {
        let now = stamps(self.files.clone());
        if self.read.as_ref() == Some(&now) {
            self.changing = None;
        } else if self.changing.as_ref() == Some(&now) {
            self.take_up();
        } else {
            self.changing = Some(now);
        }
    }

    /// Reads the files as they are and takes up what differs.
    fn take_up(&mut self) {
        self.changing = None;
        let reading = node::take_in(&self.file);
        // Stamped after the reading, but only once two looks agree is it read at all: an edit in between shows
        // at the next look as another change, because the reading before it is compared, not trusted.
        let now = stamps(reading.files.clone());
        let shared_changed = self.read.as_ref().is_some_and(|before| shared(before) != shared(&now));
        self.files.clone_from(&reading.files);
        self.read = Some(now);
        let Reading { node, present, errors, doubts, .. } = reading;
        let mut refused = errors;
        let mut waiting = Vec::new();
        if let Some(node) = node {
            for (key, value) in fixed(&node) {
                if self.fixed.get(key) != Some(&value) {
                    waiting.push(key.to_owned());
                }
            }
            self.take_up_cameras(node.cameras, &present, shared_changed, &mut refused);
        }
        self.tell(refused, doubts, waiting);
    }

    fn take_up_cameras(
        &self,
        cameras: BTreeMap<CameraId, CameraEntry>,
        present: &BTreeSet<CameraId>,
        shared_changed: bool,
        refused: &mut Vec<Problem>,
    ) {
        let running = self.fleet.entries();
        for id in running.keys().filter(|id| !present.contains(id)) {
            self.fleet.leave(id);
            tracing::info!(camera = %id, "its file is gone; it is no longer watched");
        }
        for (id, entry) in cameras {
            let file = entry.file.clone();
            let outcome = match running.get(&id) {
                Some(before) if before.sha256 == entry.sha256 && !shared_changed => continue,
                Some(_) => self.fleet.change(&id, Arc::new(entry)).map(|anew| {
                    tracing::info!(camera = %id, stream_anew = anew, "its file has changed and is taken up");
                }),
                None => (self.memory.of(&id))
                    .and_then(|remembered| self.fleet.join(&id, Arc::new(entry), remembered))
                    .map(|()| tracing::info!(camera = %id, "a new camera is watched")),
            };
            if let Err(error) = outcome {
                refused.push(Problem {
                    file: file.display().to_string(),
                    key: "stream".to_owned(),
                    line: None,
                    what: format!("{error:#}"),
                    mend: "mend the address or the password's place and save the file again".to_owned(),
                });
            }
        }
    }

    /// Tells in the log what was not told before, and keeps all of it for whoever asks.
    fn tell(&self, refused: Vec<Problem>, doubts: Vec<Problem>, waiting: Vec<String>) {
        let mut report = self.applied.lock();
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
    let own =
        |path: &Path| folders.contains(path) || path.parent().is_some_and(|parent| folders.contains(parent));
    stamps.iter().filter(|(path, _)| !own(path)).collect()
}
