//! A second opinion on what a detector saw: another model looks at the boxes of some classes, enlarged.
//!
//! In come pictures of several cameras and what was seen in each; a box that is judged keeps its class, gets
//! another or goes. Its place and its score stay the detector's: that something is there is its word. Where
//! the classifier is not sure, and where a box is small, the detector's word stands. One classifier is one
//! session and one thread's; it keeps buffers from call to call, never anything seen.

use std::path::Path;

use calib::picture::YuvView;
use logic::look::Detection;

use crate::crops;
use crate::detector::{SCORE_SLACK, broken};
use crate::error::ModelError;
use crate::family::best;
use crate::golden;
use crate::manifest::classifier::Becomes;
use crate::manifest::{Batch, ClassifierManifest, Kind, NMS_IOU_DEFAULT, Provider};
use crate::runtime::Runtime;
use crate::session::{Answer, Model, NUMBERS, Plan, Side, Spec};
use crate::tensor::{self, Tensor};

/// How far shares that add up to 1 may miss it: f16 and int8 have coarse steps.
const SUM_SLACK: f32 = 0.02;

/// An opened classifier.
#[derive(Debug)]
pub struct Classifier {
    manifest: ClassifierManifest,
    model: Model,
    /// [`crate::detector::BATCH_MAX`] places or 1.
    tensor: Tensor,
}

impl Classifier {
    /// Reads a manifest, given as the file or as its folder, and opens its weights: SHA-256, names, shapes and
    /// types, and trial runs whose numbers are of the kind that it says. `threads` work on one operation.
    ///
    /// # Errors
    /// [`ModelError::Refused`] with every mistake in the manifest, or with what the model contradicts.
    pub fn open(runtime: &Runtime, dir_or_file: &Path, threads: usize) -> Result<Self, ModelError> {
        let manifest = ClassifierManifest::load(dir_or_file)?;
        let output = Spec {
            keys: ["output.name", "output.name", "labels"],
            name: manifest.output.clone(),
            kinds: NUMBERS,
            sides: vec![Side::Batch, Side::Is(manifest.labels.len())],
        };
        let plan = Plan {
            file: &manifest.file,
            name: &manifest.name,
            weights: &manifest.weights,
            sha256: &manifest.sha256,
            batch: manifest.batch,
            providers: &manifest.providers,
            inputs: tensor::specs(&manifest.input),
            outputs: vec![output],
            unread: &manifest.unread,
        };
        let model = Model::open(runtime, plan, threads)?;
        let tensor = Tensor::new(&manifest.input, manifest.batch);
        let mut classifier = Self { manifest, model, tensor };
        classifier.warm_up()?;
        Ok(classifier)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        self.manifest.name()
    }

    /// SHA-256 of the weights.
    pub fn sha256(&self) -> &str {
        self.manifest.sha256()
    }

    /// The manifest it was opened with.
    pub fn manifest(&self) -> &ClassifierManifest {
        &self.manifest
    }

    /// Where it runs: the first of the manifest's providers that was there.
    pub fn provider(&self) -> Provider {
        self.model.provider()
    }

    /// Judges the boxes of its classes, the best [`crops::CROPS_MAX`] of each picture. All crops of a call go
    /// together in runs of at most [`crate::detector::BATCH_MAX`], whichever picture they are of. Boxes stay in their order; of
    /// two that have become the same thing the weaker goes.
    ///
    /// # Errors
    /// [`ModelError::Picture`] where a picture cannot be read, [`ModelError::Run`] and [`ModelError::Output`]
    /// where the model fails. The looks are then as they were, all of them.
    ///
    /// # Panics
    /// When there are not as many looks as pictures.
    pub fn judge(
        &mut self,
        pictures: &[YuvView<'_>],
        looks: &mut [Vec<Detection>],
    ) -> Result<(), ModelError> {
        assert_eq!(pictures.len(), looks.len(), "a look a picture");
        let crops = crops::of(pictures, looks, &self.manifest.cut)?;
        let views: Vec<YuvView<'_>> = crops.iter().map(|crop| crop.view).collect();
        let shares = self.shares(&views)?;
        let mut words: Vec<Vec<Becomes>> =
            looks.iter().map(|look| vec![Becomes::Itself; look.len()]).collect();
        for (crop, shares) in crops.iter().zip(&shares) {
            words[crop.picture][crop.detection] = self.word(shares);
        }
        for (look, words) in looks.iter_mut().zip(&words) {
            apply(look, words);
        }
        Ok(())
    }

    /// What each picture shows as a whole: a probability for each of the manifest's labels.
    ///
    /// # Errors
    /// As [`Classifier::judge`].
    pub fn shares(&mut self, pictures: &[YuvView<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut shares = Vec::with_capacity(pictures.len());
        let Self { manifest, model, tensor } = self;
        // Its input has one size, so the runs are in the pictures' order.
        for run in tensor::runs(pictures, 0..pictures.len(), &manifest.input, tensor.places()) {
            tensor.write(pictures, &run)?;
            model.run(tensor.extent(run.len()), &tensor.feeds(0..run.len()), |answers| {
                if let Some(says) = broken(answers) {
                    return Err(ModelError::Output { model: manifest.name.clone(), says });
                }
                shares.extend(rows(answers, run.len()).map(|row| match manifest.kind {
                    Kind::Logits => softmax(row),
                    Kind::Softmax | Kind::Sigmoid => row.to_vec(),
                }));
                Ok(())
            })?;
        }
        Ok(shares)
    }

    /// What follows from the probabilities of one crop.
    fn word(&self, shares: &[f32]) -> Becomes {
        let sure = best(shares.iter().copied()).filter(|(_, share)| *share >= self.manifest.score_min);
        sure.map_or(Becomes::Itself, |(label, _)| self.manifest.labels[label].becomes)
    }

    /// Runs on a grey picture and on one of noise, together too where the batch is dynamic.
    fn warm_up(&mut self) -> Result<(), ModelError> {
        let noise = golden::noise();
        let (grey, noise) = (golden::grey(&noise), noise.view());
        let batches: &[&[YuvView<'_>]] = match self.manifest.batch {
            Batch::Static => &[&[grey.view()], &[noise]],
            Batch::Dynamic => &[&[grey.view(), noise], &[noise]],
        };
        for batch in batches {
            let Self { manifest, model, tensor } = self;
            let run: Vec<usize> = (0..batch.len()).collect();
            tensor.write(batch, &run)?;
            let tried = model.run(tensor.extent(batch.len()), &tensor.feeds(0..batch.len()), |answers| {
                if let Some(says) = broken(answers) {
                    let mend = "export the model again; these weights are broken";
                    return Err(refused(manifest, "output", format!("{says} on a trial picture"), mend));
                }
                rows(answers, batch.len()).try_for_each(|row| try_out(manifest, row))
            });
            tried.map_err(|error| refusal(manifest, error, batch.len()))?;
        }
        Ok(())
    }
}

/// The output of each picture of a run.
fn rows<'a>(answers: &'a [Answer<'_>], batch: usize) -> impl Iterator<Item = &'a [f32]> {
    // One output of `[batch, labels]`, as the session has seen to.
    let numbers: &[f32] = &answers[0].numbers;
    numbers.chunks_exact((numbers.len() / batch).max(1))
}

fn softmax(numbers: &[f32]) -> Vec<f32> {
    let highest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = numbers.iter().map(|number| (number - highest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Holds the output of one trial picture to the kind that the manifest says it is.
fn try_out(manifest: &ClassifierManifest, row: &[f32]) -> Result<(), ModelError> {
    if manifest.kind == Kind::Logits {
        return Ok(());
    }
    let low = row.iter().copied().fold(f32::INFINITY, f32::min);
    let high = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low < -SCORE_SLACK || high > 1.0 + SCORE_SLACK {
        let says = format!("the model's numbers run from {low} to {high}, not within 0 to 1");
        return Err(refused(
            manifest,
            "output.kind",
            says,
            "write kind = \"logits\", or export it with its end",
        ));
    }
    let sum: f32 = row.iter().sum();
    if manifest.kind == Kind::Softmax && (sum - 1.0).abs() > SUM_SLACK {
        let says = format!("the model's numbers add up to {sum}, not to 1");
        return Err(refused(manifest, "output.kind", says, "write kind = \"sigmoid\" or \"logits\""));
    }
    Ok(())
}

/// What a trial run's failure says against the manifest.
fn refusal(manifest: &ClassifierManifest, error: ModelError, pictures: usize) -> ModelError {
    match (error, manifest.batch) {
        (ModelError::Run { says, .. }, Batch::Dynamic) => {
            let says = format!("a run on {pictures} trial pictures failed: {says}");
            refused(manifest, "batch", says, "write batch as the model was exported, or export it again")
        }
        (ModelError::Run { says, .. }, Batch::Static) => {
            let says = format!("a run on a trial picture failed: {says}");
            refused(manifest, "weights", says, "export the model again")
        }
        (ModelError::Output { says, .. }, _) => {
            refused(manifest, "labels", says, "write the model's own size and labels")
        }
        (other, _) => other,
    }
}

fn refused(manifest: &ClassifierManifest, key: &str, says: String, mend: &str) -> ModelError {
    ModelError::Refused(vec![manifest.problem(key, says, mend)])
}

/// Gives each box its word. Two boxes of one thing that the detector told apart by their class alone may be of
/// one class now: no suppression has seen them, and the better one stays.
fn apply(look: &mut Vec<Detection>, words: &[Becomes]) {
    let mut kept: Vec<(Detection, bool)> = Vec::with_capacity(look.len());
    for (seen, word) in look.iter().zip(words) {
        let class = match word {
            Becomes::Itself => seen.class,
            Becomes::Class(class) => *class,
            Becomes::Dropped => continue,
        };
        let (now, changed) = (Detection { class, ..*seen }, class != seen.class);
        let twice = kept.iter().any(|(better, better_changed)| {
            (changed || *better_changed)
                && better.class == class
                && better.bounds.iou(&now.bounds) > NMS_IOU_DEFAULT
        });
        if !twice {
            kept.push((now, changed));
        }
    }
    look.clear();
    look.extend(kept.into_iter().map(|(seen, _)| seen));
}

#[cfg(test)]
#[path = "classifier_tests.rs"]
mod tests;
