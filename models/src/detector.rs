//! Pictures to boxes with one model.
//!
//! In comes a batch of pictures in YUV, of whatever sizes, out goes a list of detections for each, best
//! first, in the product's classes and in normalised image coordinates. One detector is one session and one
//! thread's: it is `Send` and takes `&mut self`. It keeps buffers from call to call, never anything seen.

use std::path::Path;

use calib::picture::YuvView;
use logic::look::Detection;
use ort::session::Session;
use rayon::prelude::*;

use crate::error::{ModelError, Problem};
use crate::letterbox::{Fit, Letterbox, PictureFault};
use crate::manifest::{Batch, Family, Manifest};
use crate::nms::{Candidate, suppress};
use crate::runtime::Runtime;
use crate::session;
use crate::yolox::{YoloxGrid, count_not_finite};

/// Most pictures of one run with a dynamic batch: bounds the input and the library's arena. On a CPU more
/// gains nothing (measured: 8 in one run cost as much a picture as one).
pub const BATCH_MAX: usize = 8;

/// An opened model.
#[derive(Debug)]
pub struct Detector {
    manifest: Manifest,
    session: Session,
    grid: YoloxGrid,
    /// `[BATCH_MAX or 1, 3, H, W]`, reused.
    tensor: Vec<f32>,
    /// One a place in the batch.
    letterboxes: Vec<Letterbox>,
    candidates: Vec<Candidate>,
}

impl Detector {
    /// Opens the weights of a manifest and sees that they are what it says: SHA-256, names, shapes and types,
    /// and one run whose scores are finite and within `0..=1`. `threads` work on one operation (0 counts as 1).
    ///
    /// # Errors
    /// [`ModelError::Refused`] with what the model contradicts, [`ModelError::Run`] where the first run fails.
    pub fn open(runtime: &Runtime, manifest: Manifest, threads: usize) -> Result<Self, ModelError> {
        let session = session::open(runtime, &manifest, threads)?;
        let grid = match manifest.family {
            Family::YoloxGrid => YoloxGrid::new(&manifest),
        };
        let places = match manifest.batch {
            Batch::Static => 1,
            Batch::Dynamic => BATCH_MAX,
        };
        let input = &manifest.input;
        let mut detector = Self {
            tensor: vec![0.0; places * 3 * input.width * input.height],
            letterboxes: (0..places).map(|_| Letterbox::new(input)).collect(),
            candidates: Vec::new(),
            manifest,
            session,
            grid,
        };
        detector.warm_up()?;
        Ok(detector)
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
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What each picture shows, best first; as many lists as pictures.
    ///
    /// # Errors
    /// [`ModelError::Picture`] where a picture cannot be read, [`ModelError::Run`] and [`ModelError::Output`]
    /// where the model fails. Nothing is returned of a batch with an error in it.
    pub fn detect(&mut self, pictures: &[YuvView<'_>]) -> Result<Vec<Vec<Detection>>, ModelError> {
        let mut looks = Vec::with_capacity(pictures.len());
        for (at, batch) in pictures.chunks(self.letterboxes.len()).enumerate() {
            let fits = self.write(batch, at * self.letterboxes.len())?;
            self.infer(&fits, &mut looks)?;
        }
        Ok(looks)
    }

    /// Numbers of one picture's input.
    fn plane(&self) -> usize {
        3 * self.manifest.input.width * self.manifest.input.height
    }

    /// Letterboxes a batch into the tensor, its pictures in parallel. `first` is the place of the batch's
    /// first picture among all that the caller gave.
    fn write(&mut self, batch: &[YuvView<'_>], first: usize) -> Result<Vec<Fit>, ModelError> {
        let plane = self.plane();
        let one =
            |((letterbox, tensor), (at, picture)): ((&mut Letterbox, &mut [f32]), (usize, &YuvView<'_>))| {
                letterbox.write(picture, tensor).map_err(|fault: PictureFault| ModelError::Picture {
                    index: first + at,
                    width: picture.width,
                    height: picture.height,
                    fault,
                })
            };
        if let [picture] = batch {
            // No pool for one picture: the caller's thread does it.
            let fit = one(((&mut self.letterboxes[0], &mut self.tensor[..plane]), (0, picture)))?;
            return Ok(vec![fit]);
        }
        let places = self.letterboxes.par_iter_mut().zip(self.tensor.par_chunks_exact_mut(plane));
        places.zip(batch.par_iter().enumerate()).map(one).collect()
    }

    /// Runs the model on what lies in the tensor and adds a look for each fit.
    fn infer(&mut self, fits: &[Fit], looks: &mut Vec<Vec<Detection>>) -> Result<(), ModelError> {
        let plane = self.plane();
        let Self { manifest, session, grid, tensor, candidates, .. } = self;
        session::run(session, manifest, fits.len(), &tensor[..fits.len() * plane], |output| {
            let broken = count_not_finite(output);
            if broken > 0 {
                let says = format!("{broken} of {} output numbers are NaN or infinite", output.len());
                return Err(ModelError::Output { model: manifest.name.clone(), says });
            }
            for (output, fit) in output.chunks_exact(manifest.cells() * manifest.columns()).zip(fits) {
                candidates.clear();
                grid.read(output, *fit, candidates);
                suppress(candidates, manifest.nms_iou);
                looks.push(candidates.iter().map(|candidate| detection(candidate, fit)).collect());
            }
            Ok(())
        })
    }

    /// Runs once on padding, and once on two where the batch is dynamic, so that the first real look is
    /// neither slow nor a surprise.
    fn warm_up(&mut self) -> Result<(), ModelError> {
        let plane = self.plane();
        let Self { manifest, session, tensor, .. } = self;
        tensor.fill(f32::from(manifest.input.pad));
        let refused = |key: &str, says: String, mend: &str| {
            ModelError::Refused(vec![manifest.problem(key, says, mend)])
        };
        let batches: &[usize] = match manifest.batch {
            Batch::Static => &[1],
            Batch::Dynamic => &[2, 1],
        };
        for &batch in batches {
            let answer = session::run(session, manifest, batch, &tensor[..batch * plane], |output| {
                let broken = count_not_finite(output);
                if broken > 0 {
                    let says =
                        format!("{broken} of {} numbers are NaN or infinite on a grey picture", output.len());
                    return Err(refused("output", says, "export the model again; these weights are broken"));
                }
                let scores = output.chunks_exact(manifest.columns()).flat_map(|row| &row[4..]);
                let (low, high) =
                    scores.fold((0.0f32, 1.0f32), |(low, high), &at| (low.min(at), high.max(at)));
                if low < -SCORE_SLACK || high > 1.0 + SCORE_SLACK {
                    let says = format!("the model's scores run from {low} to {high}, not within 0 to 1");
                    let mend = "name the family that it is, or export it with its sigmoid";
                    return Err(refused("family", says, mend));
                }
                Ok(())
            });
            answer.map_err(|error| match error {
                ModelError::Run { says, .. } => {
                    let says = format!("a run on {batch} grey pictures failed: {says}");
                    refused("batch", says, "write batch as the model was exported, or export it again")
                }
                ModelError::Output { says, .. } => {
                    refused("output", says, "write the model's own size, strides and labels")
                }
                other => other,
            })?;
        }
        Ok(())
    }
}

/// How far a rounded sigmoid may leave `0..=1`.
const SCORE_SLACK: f32 = 1e-3;

fn detection(candidate: &Candidate, fit: &Fit) -> Detection {
    Detection {
        class: candidate.class,
        score: candidate.score.clamp(0.0, 1.0),
        bounds: fit.image_from_tensor(candidate.in_tensor),
    }
}

/// Everything that [`Manifest::load`] and [`Detector::open`] hold against the model in `dir_or_file`, in the
/// words of its manifest; empty where it is sound.
pub fn check(runtime: &Runtime, dir_or_file: &Path) -> Vec<Problem> {
    let opened = Manifest::load(dir_or_file).and_then(|manifest| Detector::open(runtime, manifest, 1));
    opened.map_or_else(|error| error.into_problems(dir_or_file), |_| Vec::new())
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
