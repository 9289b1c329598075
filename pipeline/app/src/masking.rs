//! Faces and plates in a picture that is to leave, by a model of their own where a node names one.
//!
//! In: a frame. Out: boxes that evidence hides. Never: whose face or which plate it is; a box that lifts a mask.
//!
//! It runs on the evidence thread, on the pictures of cases alone: the whole picture, and tiles over all of it, since a
//! face that can be read is small in a picture of a street.

use std::path::Path;

use calib::picture::YuvView;
use logic::look::Detection;
use models::tiles::{Region, Window, image_from_window, plan};
use models::{Detector, Manifest, ModelError, Runtime};

use crate::eyes::WHOLE;

/// A model that finds faces and plates.
pub(crate) struct Masking {
    detector: Detector,
    /// The latest size of a picture and the windows over it.
    planned: ([usize; 2], Vec<Window>),
}

impl Masking {
    /// Opens it on one thread; its faint boxes count too, and those that fill the view: a mask too many hides little.
    pub(crate) fn open(runtime: &Runtime, manifest: &Path) -> Result<Self, ModelError> {
        let detector = Detector::open(runtime, Manifest::load(manifest)?.with_faint().with_any_area(), 1)?;
        Ok(Self { detector, planned: ([0, 0], Vec::new()) })
    }

    /// The model.
    pub(crate) fn detector(&self) -> &Detector {
        &self.detector
    }

    /// What it finds, in shares of the picture; a thing may stand several times.
    ///
    /// # Errors
    /// It has no answer.
    pub(crate) fn find(&mut self, picture: &YuvView<'_>) -> Result<Vec<Detection>, ModelError> {
        let size = [picture.width, picture.height];
        if self.planned.0 != size {
            let region = Region { bounds: WHOLE, touches: &|_| true, width_px: None };
            let input = self.detector.manifest().input();
            self.planned = (size, plan(size, &[region], [input.width, input.height]).windows);
        }
        // A part that cannot be cut out is looked at as what it is, unreadable: there is no answer then.
        let nothing = YuvView { width: 0, height: 0, ..*picture };
        let parts =
            self.planned.1.iter().map(|window| {
                (picture.window(window.at, window.size).unwrap_or(nothing), window.in_image(size))
            });
        let (views, windows): (Vec<_>, Vec<_>) = std::iter::once((*picture, WHOLE)).chain(parts).unzip();
        let looks = self.detector.detect(&views)?;
        let placed = looks.into_iter().zip(windows).flat_map(|(look, window)| {
            look.into_iter()
                .map(move |seen| Detection { bounds: image_from_window(&window, seen.bounds), ..seen })
        });
        Ok(placed.collect())
    }
}

#[cfg(test)]
#[path = "masking_tests.rs"]
mod tests;
