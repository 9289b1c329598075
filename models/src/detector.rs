//! Pictures to boxes with one model.
//!
//! In comes a batch of pictures in YUV, of whatever sizes, out goes a list of detections for each, best
//! first, in the product's classes and in normalised image coordinates. One detector is one session and one
//! thread's: it is `Send` and takes `&mut self`. It keeps buffers from call to call, never anything seen.

use std::ops::Range;
use std::path::Path;

use calib::picture::YuvView;
use logic::look::Detection;

use crate::classifier::Classifier;
use crate::error::{ModelError, Problem};
use crate::family::{self, Decode, Part, count_not_finite};
use crate::golden;
use crate::letterbox::Fit;
use crate::manifest::{self, Batch, Manifest, Provider};
use crate::nms::{Candidate, sort, suppress};
use crate::runtime::Runtime;
use crate::session::{Answer, Model, Plan};
use crate::tensor::{self, Tensor};

/// Most pictures of one run with a dynamic batch: bounds the input and the library's arena. On a CPU more
/// gains nothing (measured: 8 in one run cost as much a picture as one).
pub const BATCH_MAX: usize = 8;

/// Shapes of most cameras' pictures, the one that leaves least padding first.
const SHAPES: [[usize; 2]; 5] = [[10, 10], [11, 9], [12, 9], [16, 9], [9, 16]];

/// An opened model.
#[derive(Debug)]
pub struct Detector {
    engine: Engine,
    /// [`BATCH_MAX`] places or 1.
    tensor: Tensor,
}

/// The model's half of a detector: tensor in, boxes out.
#[derive(Debug)]
pub(crate) struct Engine {
    manifest: Manifest,
    model: Model,
    decoder: Box<dyn Decode>,
    candidates: Vec<Candidate>,
    strange_labels: u64,
}

impl Detector {
    /// Opens the weights of a manifest and sees that they are what it says: SHA-256, names, shapes and types,
    /// and trial runs whose scores are finite and within `0..=1` and whose labels it knows. `threads` work on
    /// one operation (0 counts as 1).
    ///
    /// # Errors
    /// [`ModelError::Refused`] with what the model contradicts.
    pub fn open(runtime: &Runtime, manifest: Manifest, threads: usize) -> Result<Self, ModelError> {
        let decoder = family::decoder(&manifest);
        let plan = Plan {
            file: &manifest.file,
            name: &manifest.name,
            weights: &manifest.weights,
            sha256: &manifest.sha256,
            batch: manifest.batch,
            providers: &manifest.providers,
            inputs: tensor::specs(&manifest.input),
            outputs: decoder.outputs(),
            unread: &manifest.unread,
        };
        let model = Model::open(runtime, plan, threads)?;
        let tensor = Tensor::new(&manifest.input, manifest.batch);
        let engine = Engine { manifest, model, decoder, candidates: Vec::new(), strange_labels: 0 };
        let mut detector = Self { engine, tensor };
        detector.warm_up()?;
        Ok(detector)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        self.manifest().name()
    }

    /// SHA-256 of the weights.
    pub fn sha256(&self) -> &str {
        self.manifest().sha256()
    }

    /// The manifest it was opened with.
    pub fn manifest(&self) -> &Manifest {
        &self.engine.manifest
    }

    /// Where it runs: the first of the manifest's providers that was there.
    pub fn provider(&self) -> Provider {
        self.engine.model.provider()
    }

    /// Boxes dropped since it was opened because their label is a number that the manifest has no label for.
    /// Other than 0, the manifest's labels are not the model's.
    pub fn strange_labels(&self) -> u64 {
        self.engine.strange_labels
    }

    /// What each picture shows, best first; as many lists as pictures.
    ///
    /// # Errors
    /// [`ModelError::Picture`] where a picture cannot be read, [`ModelError::Run`] and [`ModelError::Output`]
    /// where the model fails. Nothing is returned of a batch with an error in it.
    pub fn detect(&mut self, pictures: &[YuvView<'_>]) -> Result<Vec<Vec<Detection>>, ModelError> {
        let mut looks = vec![Vec::new(); pictures.len()];
        let Self { engine, tensor } = self;
        for run in tensor::runs(pictures, 0..pictures.len(), &engine.manifest.input, tensor.places()) {
            let fits = tensor.write(pictures, &run)?;
            let found = engine.infer(tensor, 0..run.len(), &fits)?;
            found.into_iter().zip(run).for_each(|(look, picture)| looks[picture] = look);
        }
        Ok(looks)
    }

    /// Runs the model once more on what the latest call of [`Detector::detect`] left in its input, and reads
    /// nothing: what inference costs with nothing around it. `pictures` counts from the input's first place on.
    ///
    /// # Errors
    /// [`ModelError::Run`] and [`ModelError::Output`] where the model fails.
    pub fn run_bare(&mut self, pictures: usize) -> Result<(), ModelError> {
        let pictures = pictures.clamp(1, self.tensor.places());
        self.engine.model.run(self.tensor.extent(pictures), &self.tensor.feeds(0..pictures), |_| Ok(()))
    }

    /// Runs batches of every size that may come, the largest first and each twice, in the shapes of most cameras: the library
    /// keeps memory for each size that it has met, and from the second time on in one piece. What a busy hour takes is
    /// there from the start; a shape that is none of these adds little, since the largest has been had.
    ///
    /// # Errors
    /// What the library said.
    pub fn settle(&mut self, batch_max: usize) -> Result<(), ModelError> {
        let most = batch_max.clamp(1, self.tensor.places());
        self.tensor.touch(most);
        let input = &self.engine.manifest.input;
        let mut sizes = SHAPES.map(|[width, height]| Fit::of(width, height, input).tensor).to_vec();
        sizes.dedup();
        for size in sizes {
            self.tensor.resize(size);
            let mut batches = (1..=most).rev().flat_map(|pictures| [pictures; 2]);
            batches.try_for_each(|pictures| self.run_bare(pictures))?;
        }
        Ok(())
    }

    /// Its two halves, for whoever has them work at the same time.
    pub(crate) fn into_halves(self) -> (Engine, Tensor) {
        (self.engine, self.tensor)
    }

    /// Runs on a grey picture and on one of noise, together too where the batch is dynamic, so that the first
    /// real look is neither slow nor a surprise.
    fn warm_up(&mut self) -> Result<(), ModelError> {
        let noise = golden::noise();
        let (grey, noise) = (golden::grey(&noise), noise.view());
        let mut batches: Vec<Vec<YuvView<'_>>> = match self.engine.manifest.batch {
            Batch::Static => vec![vec![grey.view()], vec![noise]],
            Batch::Dynamic => vec![vec![grey.view(), noise], vec![noise]],
        };
        // A model that takes any size is tried in those that come.
        let trimmed = self.engine.manifest.input.trim.is_some();
        let others: Vec<_> = SHAPES
            .iter()
            .filter(|_| trimmed)
            .map(|side| golden::noise_of(side.map(|side| 10 * side)))
            .collect();
        batches.extend(others.iter().map(|other| vec![other.view()]));
        for batch in &batches {
            let run: Vec<usize> = (0..batch.len()).collect();
            let fits = self.tensor.write(batch, &run)?;
            let Self { engine: Engine { manifest, model, decoder, candidates, .. }, tensor } = self;
            let tried = model.run(tensor.extent(batch.len()), &tensor.feeds(0..batch.len()), |answers| {
                if let Some(says) = broken(answers) {
                    let mend = "export the model again; these weights are broken";
                    return Err(refused(manifest, "output", format!("{says} on a trial picture"), mend));
                }
                for (at, fit) in fits.iter().enumerate() {
                    try_out(manifest, decoder.as_mut(), &parts(answers, at, batch.len()), *fit, candidates)?;
                }
                Ok(())
            });
            tried.map_err(|error| self.engine.refusal(error, batch.len()))?;
        }
        Ok(())
    }
}

impl Engine {
    /// What it was opened with.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Runs the model on some places of a tensor: a look for each, whose pictures lie there as `fits` says.
    pub(crate) fn infer(
        &mut self,
        tensor: &Tensor,
        places: Range<usize>,
        fits: &[Fit],
    ) -> Result<Vec<Vec<Detection>>, ModelError> {
        let Self { manifest, model, decoder, candidates, strange_labels } = self;
        model.run(tensor.extent(places.len()), &tensor.feeds(places), |answers| {
            if let Some(says) = broken(answers) {
                return Err(ModelError::Output { model: manifest.name.clone(), says });
            }
            let look = |(at, fit): (usize, &Fit)| {
                candidates.clear();
                let strange = decoder.read(&parts(answers, at, fits.len()), *fit, candidates);
                *strange_labels += strange as u64;
                match manifest.nms_iou {
                    Some(iou_max) => suppress(candidates, iou_max),
                    None => sort(candidates),
                }
                candidates.iter().map(|candidate| detection(candidate, fit)).collect()
            };
            Ok(fits.iter().enumerate().map(look).collect())
        })
    }

    /// What a trial run's failure says against the manifest.
    fn refusal(&self, error: ModelError, pictures: usize) -> ModelError {
        match (error, self.manifest.batch) {
            (ModelError::Run { says, .. }, Batch::Dynamic) => {
                let says = format!("a run on {pictures} trial pictures failed: {says}");
                let mend = "write batch as the model was exported, or export it again";
                refused(&self.manifest, "batch", says, mend)
            }
            (ModelError::Run { says, .. }, Batch::Static) => {
                let says = format!("a run on a trial picture failed: {says}");
                refused(&self.manifest, "weights", says, "export the model again")
            }
            (ModelError::Output { says, .. }, _) => {
                let mend = "write the model's own size, strides and labels";
                refused(&self.manifest, "output", says, mend)
            }
            (other, _) => other,
        }
    }
}

/// How far a rounded sigmoid may leave `0..=1`.
pub(crate) const SCORE_SLACK: f32 = 1e-3;

fn refused(manifest: &Manifest, key: &str, says: String, mend: &str) -> ModelError {
    ModelError::Refused(vec![manifest.problem(key, says, mend)])
}

/// Holds the outputs of one trial picture to what the manifest's family puts out.
fn try_out(
    manifest: &Manifest,
    decoder: &mut dyn Decode,
    parts: &[Part<'_>],
    fit: Fit,
    candidates: &mut Vec<Candidate>,
) -> Result<(), ModelError> {
    let [low, high] = decoder.scores(parts);
    if low < -SCORE_SLACK || high > 1.0 + SCORE_SLACK {
        let says = format!("the model's scores run from {low} to {high}, not within 0 to 1");
        let mend = "name the family that it is, or export it with its sigmoid";
        return Err(refused(manifest, "family", says, mend));
    }
    candidates.clear();
    let strange = decoder.read(parts, fit, candidates);
    if strange > 0 {
        let says = format!(
            "{strange} boxes of a trial picture have a label that is none of the {} here",
            manifest.labels.len()
        );
        let mend = "write every label of the model in its order, and output.label_first if it counts from 1";
        return Err(refused(manifest, "labels", says, mend));
    }
    Ok(())
}

/// How many numbers are broken, where any is.
pub(crate) fn broken(answers: &[Answer<'_>]) -> Option<String> {
    let count: usize = answers.iter().map(|answer| count_not_finite(&answer.numbers)).sum();
    let all: usize = answers.iter().map(|answer| answer.numbers.len()).sum();
    (count > 0).then(|| format!("{count} of {all} output numbers are NaN or infinite"))
}

/// The outputs of the picture at one place of a batch.
fn parts<'a>(answers: &'a [Answer<'_>], at: usize, batch: usize) -> Vec<Part<'a>> {
    let part = |answer: &'a Answer<'_>| {
        let each = answer.numbers.len() / batch;
        Part { sides: &answer.sides[1..], numbers: &answer.numbers[at * each..][..each] }
    };
    answers.iter().map(part).collect()
}

fn detection(candidate: &Candidate, fit: &Fit) -> Detection {
    Detection {
        class: candidate.class,
        score: candidate.score.clamp(0.0, 1.0),
        bounds: fit.image_from_tensor(candidate.in_tensor),
    }
}

/// Everything that [`Manifest::load`], [`Detector::open`] and its golden picture hold against the model in
/// `dir_or_file`, in the words of its manifest; empty where it is sound. A classifier is opened as one.
pub fn check(runtime: &Runtime, dir_or_file: &Path) -> Vec<Problem> {
    if manifest::classifier::is_one(dir_or_file) {
        let opened = Classifier::open(runtime, dir_or_file, 1);
        return opened.err().map(|error| error.into_problems(dir_or_file)).unwrap_or_default();
    }
    let opened = Manifest::load(dir_or_file).and_then(|manifest| Detector::open(runtime, manifest, 1));
    match opened {
        Ok(mut detector) => golden::differences(&mut detector),
        Err(error) => error.into_problems(dir_or_file),
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
