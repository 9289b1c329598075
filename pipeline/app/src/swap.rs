//! Another model while the cameras run: its files are watched, opened beside the old one, and handed over.
//!
//! In: the path of the manifest that the node names. Out: a detector that is known to work, taken by the
//! detect thread between two batches; or the reasons why not, while the one before goes on. Never: a file
//! that is still being copied, a change to the node's own choice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use calib::class::Class;
use logic::case::ModelRef;
use models::{Detector, Line, Manifest, ModelError, Problem, Provider, Runtime};

use crate::eyes::model_ref;
use crate::pulse::Pulse;
use crate::stamps::{self, Polled, Stamps};

/// The model in use and the one that waits for the detect thread.
pub(crate) struct Swap {
    inner: Mutex<Inner>,
}

struct Inner {
    report: ModelReport,
    waiting: Option<Line>,
}

/// Which model looks, and what became of the latest one that should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelReport {
    /// The model that looks.
    pub model: ModelRef,
    /// Where it runs: the first of its manifest's wishes that is there.
    pub provider: Provider,
    /// How often it was exchanged since the start.
    pub swaps: u64,
    /// Why the files that should take its place were refused; `None` where nothing is wrong with them.
    pub refused: Option<String>,
}

impl Swap {
    /// Begins with a detector.
    pub(crate) fn new(line: &Line) -> Self {
        let report =
            ModelReport { model: model_ref(line), provider: line.provider(), swaps: 0, refused: None };
        Self { inner: Mutex::new(Inner { report, waiting: None }) }
    }

    /// The detector to go on with, where there is another one. For the detect thread, between batches.
    pub(crate) fn take(&self) -> Option<Line> {
        let mut inner = self.lock();
        let line = inner.waiting.take()?;
        let model = model_ref(&line);
        let before = std::mem::replace(&mut inner.report.model, model.clone());
        inner.report.provider = line.provider();
        inner.report.swaps += 1;
        drop(inner);
        tracing::info!(
            model = model.name,
            sha256 = model.sha256,
            provider = %line.provider(),
            before = before.name,
            before_sha256 = before.sha256,
            "the model was exchanged"
        );
        Some(line)
    }

    /// Which model looks.
    pub(crate) fn report(&self) -> ModelReport {
        self.lock().report.clone()
    }

    /// Leaves a detector for [`Swap::take`]; one that still waits is dropped for it.
    fn offer(&self, line: Line) {
        let mut inner = self.lock();
        inner.report.refused = None;
        let older = inner.waiting.replace(line);
        drop(inner);
        // Closing a session takes a while: not under the lock.
        drop(older);
    }

    /// The files are again those of the model that was opened last.
    fn forgive(&self) {
        self.lock().report.refused = None;
    }

    fn refuse(&self, problems: &[Problem]) {
        let mut inner = self.lock();
        for problem in problems {
            tracing::error!(
                model = inner.report.model.name,
                file = %problem.file.display(),
                key = problem.key,
                says = problem.says,
                mend = problem.mend,
                "the new model is refused; the one before goes on"
            );
        }
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        let more = match problems.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        inner.report.refused = Some(first + &more);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under the lock; what it holds is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches one manifest and what it names.
pub(crate) struct Watcher {
    manifest: PathBuf,
    runtime: Runtime,
    threads: usize,
    /// Pictures of one run at most.
    batch_max: usize,
    swap: Arc<Swap>,
    /// The manifest that was opened last without a fault.
    good: Manifest,
    /// The files; acted on is opened, well or not.
    polled: Polled,
}

impl Watcher {
    /// Opens the model that the manifest names and watches it from then on.
    ///
    /// # Errors
    /// As [`Manifest::load`] and [`Detector::open`].
    pub(crate) fn open(
        runtime: Runtime,
        manifest: &Path,
        (threads, batch_max): (usize, usize),
    ) -> Result<(Self, Line), ModelError> {
        // Before it is read: a change during the opening is then one.
        let mut polled = Polled::default();
        polled.act_on(stamps_of(manifest));
        let good = Manifest::load(manifest)?;
        let line = settled(&runtime, &good, (threads, batch_max))?;
        let swap = Arc::new(Swap::new(&line));
        let manifest = manifest.to_owned();
        Ok((Self { manifest, runtime, threads, batch_max, swap, good, polled }, line))
    }

    /// Where what it opens is left.
    pub(crate) fn swap(&self) -> Arc<Swap> {
        Arc::clone(&self.swap)
    }

    /// Watches until the other end of `asked` is dropped; a message there asks for a look at once.
    pub(crate) fn run(mut self, asked: &Receiver<()>, pulse: &Pulse) {
        stamps::watch(&mut self, asked, pulse, Self::poll, Self::look_now);
    }

    /// Opens the files where they have changed and rest again.
    fn poll(&mut self) {
        if self.polled.rests_anew(stamps_of(&self.manifest)) {
            self.look_now();
        }
    }

    /// Opens the files as they are.
    fn look_now(&mut self) {
        // Before they are read: a change during the opening is then one.
        self.polled.act_on(stamps_of(&self.manifest));
        match self.opened() {
            Ok((manifest, _)) if manifest == self.good => {
                tracing::info!(model = manifest.name(), "the model's files are those of the model in use");
                self.swap.forgive();
            }
            Ok((manifest, line)) => {
                let known = manifest.classes();
                let lost: Vec<&str> = (self.good.classes().into_iter())
                    .filter(|class| !known.contains(class))
                    .map(Class::name)
                    .collect();
                if !lost.is_empty() {
                    tracing::warn!(
                        model = manifest.name(),
                        classes = lost.join(", "),
                        "the new model does not know classes that the one before knew"
                    );
                }
                self.good = manifest;
                self.swap.offer(line);
            }
            Err(problems) => self.swap.refuse(&problems),
        }
    }

    fn opened(&self) -> Result<(Manifest, Line), Vec<Problem>> {
        let open = || {
            let manifest = Manifest::load(&self.manifest)?;
            let line = settled(&self.runtime, &manifest, (self.threads, self.batch_max))?;
            Ok((manifest, line))
        };
        // A bug that a new model brings to light must not end a service that the old one serves well.
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(opened) => opened.map_err(|error: ModelError| error.into_problems(&self.manifest)),
            Err(_) => Err(vec![Problem {
                file: self.manifest.clone(),
                key: String::new(),
                says: "opening it met a bug; the lines before this one show where".to_owned(),
                mend: "keep the model that works, and report this with the manifest".to_owned(),
            }]),
        }
    }
}

/// A model ready to look, in batches of up to so many pictures.
fn settled(
    runtime: &Runtime,
    manifest: &Manifest,
    (threads, batch_max): (usize, usize),
) -> Result<Line, ModelError> {
    let mut detector = Detector::open(runtime, manifest.clone().with_faint(), threads)?;
    detector.settle(batch_max)?;
    Line::new(detector)
}

/// The manifest, what it names, and its folder while it cannot be read or names what is not there: then the
/// mend may be a file that comes.
fn stamps_of(manifest: &Path) -> Stamps {
    let files = match Manifest::load(manifest) {
        Ok(read) => vec![read.file().to_owned(), read.weights().to_owned(), read.licence().file.clone()],
        Err(_) if manifest.is_dir() => vec![manifest.to_owned(), manifest.join(models::manifest::FILE_NAME)],
        Err(_) => {
            let folder = manifest.parent().unwrap_or(Path::new(".")).to_owned();
            vec![folder, manifest.to_owned()]
        }
    };
    stamps::stamps(files)
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
