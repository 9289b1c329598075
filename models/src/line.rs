//! A detector on a thread of its own: while the model looks at one batch, the next one is prepared.
//!
//! In: batches of pictures, one behind the other. Out: for each picture what it shows or why there is no answer. Never:
//! more than [`TENSORS`] inputs in memory; a picture's fault in another one's answer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use calib::picture::YuvView;
use logic::look::Detection;

use crate::detector::{Detector, Engine};
use crate::error::ModelError;
use crate::letterbox::{Fit, readable};
use crate::manifest::{Manifest, Provider};
use crate::tensor::{self, Tensor};

/// Inputs in circulation: one that the model looks at, one that is being filled or waits.
pub const TENSORS: usize = 2;

/// What one picture shows, best first, or why there is no answer.
pub type Look = Result<Vec<Detection>, ModelError>;

/// A batch that was begun.
#[derive(Debug)]
#[must_use = "its answers wait in memory until it is finished"]
pub struct Ticket {
    line: u64,
    batch: u64,
}

/// A detector whose model works on its own thread, batch after batch in the order in which they were begun. Beginning waits
/// only for a free input.
#[derive(Debug)]
pub struct Line {
    /// Which of the process's lines it is: no other's tickets are its own.
    id: u64,
    manifest: Manifest,
    provider: Provider,
    free: Vec<Tensor>,
    /// Most pictures of one run.
    places: usize,
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    /// Batches that were begun and are not finished, the oldest first.
    open: VecDeque<Batch>,
    begun: u64,
    thread: Option<JoinHandle<()>>,
}

/// One run.
#[derive(Debug)]
struct Job {
    tensor: Tensor,
    /// Whose it is: the pictures' places in their batch.
    run: Vec<usize>,
    fits: Vec<Fit>,
}

#[derive(Debug)]
struct Done {
    tensor: Tensor,
    run: Vec<usize>,
    looks: Vec<Look>,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    looks: Vec<Option<Look>>,
    runs_left: usize,
}

impl Line {
    /// Starts its thread.
    ///
    /// # Errors
    /// [`ModelError::NoThread`].
    pub fn new(detector: Detector) -> Result<Self, ModelError> {
        static LINES: AtomicU64 = AtomicU64::new(0);
        let provider = detector.provider();
        let (mut engine, tensor) = detector.into_halves();
        let manifest = engine.manifest().clone();
        let places = tensor.places();
        let twins: Vec<Tensor> = (1..TENSORS).map(|_| tensor.twin(manifest.batch)).collect();
        let free = std::iter::once(tensor).chain(twins).collect();
        let (jobs, asked) = sync_channel::<Job>(TENSORS);
        let (tell, done) = sync_channel(TENSORS);
        let work = move || {
            for Job { tensor, run, fits } in asked {
                let looks = looks(&mut engine, &tensor, &fits);
                if tell.send(Done { tensor, run, looks }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("line".to_owned()).spawn(work);
        let thread = thread.map_err(|error| ModelError::NoThread {
            model: manifest.name.clone(),
            says: error.to_string(),
        })?;
        Ok(Self {
            id: LINES.fetch_add(1, Ordering::Relaxed),
            manifest,
            provider,
            free,
            places,
            jobs: Some(jobs),
            done,
            open: VecDeque::new(),
            begun: 0,
            thread: Some(thread),
        })
    }

    /// The manifest of its detector.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it runs: the first of the manifest's providers that was there.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Prepares a batch and has the model look at it as soon as it has done with what came before. The pictures are not
    /// needed any more when this returns.
    pub fn begin(&mut self, pictures: &[YuvView<'_>]) -> Ticket {
        let fault = |(index, picture): (usize, &YuvView<'_>)| {
            let [width, height] = [picture.width, picture.height];
            readable(picture).err().map(|fault| Err(ModelError::Picture { index, width, height, fault }))
        };
        let looks: Vec<Option<Look>> = pictures.iter().enumerate().map(fault).collect();
        let sound: Vec<usize> = (0..pictures.len()).filter(|&at| looks[at].is_none()).collect();
        let number = self.begun;
        self.begun += 1;
        self.open.push_back(Batch { number, looks, runs_left: 0 });
        for run in tensor::runs(pictures, sound, &self.manifest.input, self.places) {
            let mut tensor = self.tensor();
            // The newest batch is this one.
            let Some(batch) = self.open.back_mut() else { break };
            match tensor.write(pictures, &run) {
                Ok(fits) => {
                    batch.runs_left += 1;
                    self.send(Job { tensor, run, fits });
                }
                // Not after `readable`; the others of the run are then not asked.
                Err(error) => {
                    let first = run.first().copied().unwrap_or_default();
                    batch.looks[first] = Some(Err(error));
                    self.free.push(tensor);
                }
            }
        }
        Ticket { line: self.id, batch: number }
    }

    /// Waits for a batch: an answer a picture. Empty for the ticket of another line.
    pub fn finish(&mut self, ticket: Ticket) -> Vec<Look> {
        let is_it = |batch: &Batch| ticket.line == self.id && batch.number == ticket.batch;
        let Some(at) = self.open.iter().position(is_it) else { return Vec::new() };
        while self.open[at].runs_left > 0 {
            self.collect();
        }
        let looks = self.open.remove(at).map(|batch| batch.looks).unwrap_or_default();
        let none =
            || ModelError::Run { model: self.manifest.name.clone(), says: "it was not asked".to_owned() };
        looks.into_iter().map(|look| look.unwrap_or_else(|| Err(none()))).collect()
    }

    /// An input to fill.
    fn tensor(&mut self) -> Tensor {
        loop {
            match self.free.pop() {
                Some(tensor) => return tensor,
                None => self.collect(),
            }
        }
    }

    fn send(&mut self, job: Job) {
        let is_sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !is_sent {
            self.mourn();
        }
    }

    /// Takes up the run that was done next.
    fn collect(&mut self) {
        let Ok(Done { tensor, run, looks }) = self.done.recv() else { self.mourn() };
        self.free.push(tensor);
        // Runs are done in the order in which they were sent.
        if let Some(batch) = self.open.iter_mut().find(|batch| batch.runs_left > 0) {
            batch.runs_left -= 1;
            run.into_iter().zip(looks).for_each(|(at, look)| batch.looks[at] = Some(look));
        }
    }

    /// The model's thread has ended by a bug: that is the caller's too.
    fn mourn(&mut self) -> ! {
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => panic!("the model's thread has ended"),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.jobs = None;
        // Whatever is still being done has nobody to wait for it.
        while self.done.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The looks of one run. Where it has no answer each picture is tried alone: an odd one must not cost the others theirs.
fn looks(engine: &mut Engine, tensor: &Tensor, fits: &[Fit]) -> Vec<Look> {
    match engine.infer(tensor, 0..fits.len(), fits) {
        Ok(looks) => looks.into_iter().map(Ok).collect(),
        Err(error) if fits.len() == 1 => vec![Err(error)],
        Err(_) => {
            let alone = |at: usize| {
                engine
                    .infer(tensor, at..at + 1, &fits[at..=at])
                    .map(|mut looks| looks.pop().unwrap_or_default())
            };
            (0..fits.len()).map(alone).collect()
        }
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
