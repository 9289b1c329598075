//! The pictures that a camera's file names for what its views should look like.
//!
//! In: a checked camera file. Out: a scene that knows them, and what is wrong with those that cannot be used.
//! Never: a picture decoded that the scene already knows.

use std::path::{Path, PathBuf};

use calib::camera::Camera;
use calib::check::Problem;
use logic::scene::{SceneWatch, Thumb};
use sha2::{Digest, Sha256};

use crate::eval::picture::{self, I420};
use crate::node::{self, CameraEntry, file_problem};

/// One picture that a file names.
pub(crate) struct Named {
    /// Whose view, by the preset's number; `None` is the home view.
    preset: Option<usize>,
    /// Where the file says so.
    key: String,
    /// The picture.
    pub path: PathBuf,
}

/// The pictures of a camera whose file lies in `folder`.
pub(crate) fn named(camera: &Camera, folder: &Path) -> Vec<Named> {
    let home = (None, "scene.reference".to_owned(), &camera.scene.reference);
    let presets = camera.presets.iter().enumerate();
    let presets =
        presets.map(|(at, preset)| (Some(at), format!("preset[{at}].reference"), &preset.reference));
    let named = std::iter::once(home).chain(presets).filter_map(|(preset, key, path)| {
        let path = folder.join(path.as_deref()?);
        Some(Named { preset, key, path })
    });
    named.collect()
}

impl Named {
    /// What is wrong with it for the camera's file that is shown so; its head is read, not all of it.
    pub(crate) fn problem(&self, shown: &str) -> Option<Problem> {
        let error = picture::size(&self.path).err()?;
        let what = format!("{}: {error}", self.path.display());
        let mend = "save a picture of this view there, as JPEG or PNG, or take the line out";
        Some(file_problem(shown, &self.key, &what, mend))
    }

    /// Gives it to the scene; `true` where the scene did not know it.
    fn give(&self, scene: &mut SceneWatch) -> Result<bool, String> {
        let bytes = std::fs::read(&self.path).map_err(|error| error.to_string())?;
        let sha256 = node::hex(&Sha256::digest(&bytes));
        if !scene.needs_reference(self.preset, &sha256) {
            return Ok(false);
        }
        let rgb = picture::read(&self.path)?;
        let thumb = Thumb::from_view(&I420::of(&rgb).view());
        if scene.set_reference(self.preset, &thumb, &sha256) {
            return Ok(true);
        }
        let (width, height) = (rgb.width(), rgb.height());
        Err(format!(
            "{width}x{height} is another shape than the camera's picture has; save it from its stream"
        ))
    }
}

/// Gives a scene the pictures that it does not know yet; `true` where one is of the home view. One that cannot
/// be used is told, and what the scene knew goes on.
pub(crate) fn give(scene: &mut SceneWatch, entry: &CameraEntry) -> bool {
    let mut is_home_new = false;
    for named in named(&entry.camera, &entry.folder) {
        match named.give(scene) {
            Ok(is_new) => is_home_new |= is_new && named.preset.is_none(),
            Err(error) => {
                let (file, key, path) = (entry.file.display(), &named.key, named.path.display());
                tracing::warn!(%file, key, %path, error, "is no reference picture; good looks stand in for it");
            }
        }
    }
    is_home_new
}
