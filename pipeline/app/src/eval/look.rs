//! Every picture through the models.
//!
//! In: the pictures and one or two detectors. Out: what each detector says of each picture, down to the
//! faintest. Pictures are decoded in parallel a chunk ahead of the models, and each once however many
//! models look at it. Never: a picture skipped; one that cannot be read ends the work, with its name.

use std::io::IsTerminal;

use calib::check::Problem;
use indicatif::{ProgressBar, ProgressStyle};
use logic::look::Detection;
use models::Detector;
use models::detector::BATCH_MAX;
use rayon::prelude::*;

use super::dataset::{Pictured, problem};
use super::picture::{self, I420};

/// Pictures decoded at a time: bounds memory, 4K pictures take 12 MB each.
const CHUNK: usize = 4 * BATCH_MAX;
/// Lines of progress where there is no terminal.
const PROGRESS_LINES: usize = 10;

/// What the detectors say: by detector, then by picture.
///
/// # Errors
/// Every picture of a chunk that cannot be read, or what a model cannot answer.
pub(super) fn look(
    detectors: &mut [Detector],
    pictures: &[Pictured],
) -> Result<Vec<Vec<Vec<Detection>>>, Vec<Problem>> {
    let mut said: Vec<Vec<Vec<Detection>>> =
        detectors.iter().map(|_| Vec::with_capacity(pictures.len())).collect();
    let progress = Progress::new(pictures.len());
    for chunk in pictures.chunks(CHUNK) {
        let decoded: Vec<Result<I420, Problem>> = chunk.par_iter().map(decode).collect();
        let (decoded, refused): (Vec<_>, Vec<_>) = decoded.into_iter().partition(Result::is_ok);
        let refused: Vec<Problem> = refused.into_iter().filter_map(Result::err).collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        let decoded: Vec<I420> = decoded.into_iter().flatten().collect();
        let views: Vec<_> = decoded.iter().map(I420::view).collect();
        for (detector, said) in detectors.iter_mut().zip(&mut said) {
            let looks = detector.detect(&views).map_err(|error| {
                let at = if let models::ModelError::Picture { index, .. } = error { index } else { 0 };
                let mend = "take the picture out, or see `shirong models check`";
                vec![problem(&chunk[at.min(chunk.len() - 1)].file, None, error.to_string(), mend)]
            })?;
            said.extend(looks);
        }
        progress.done(chunk.len());
    }
    progress.bar.finish_and_clear();
    Ok(said)
}

fn decode(picture: &Pictured) -> Result<I420, Problem> {
    picture::read(&picture.file).map(|rgb| I420::of(&rgb)).map_err(|says| {
        let mend = "put a whole JPEG or PNG there, or take it and its labels out";
        problem(&picture.file, None, format!("cannot be read as a picture: {says}"), mend)
    })
}

/// A bar on a terminal, a few lines elsewhere; on stderr, so that stdout is the table's.
struct Progress {
    bar: ProgressBar,
    plain: bool,
    total: usize,
    at: std::cell::Cell<usize>,
}

impl Progress {
    fn new(total: usize) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain { ProgressBar::hidden() } else { ProgressBar::new(total as u64) };
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {eta} left");
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, plain, total, at: std::cell::Cell::new(0) }
    }

    fn done(&self, n: usize) {
        let (before, now) = (self.at.get(), self.at.get() + n);
        self.at.set(now);
        self.bar.set_position(now as u64);
        let tenth = |at: usize| at * PROGRESS_LINES / self.total;
        if self.plain && tenth(now) > tenth(before) {
            eprintln!("{now} of {} pictures", self.total);
        }
    }
}
