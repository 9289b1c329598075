//! The manifest of a model: TOML in, checked values out.
//!
//! In two stages: `raw` is what somebody wrote, [`Manifest`] cannot be wrong in itself. All mistakes are
//! reported at once, each with its key and the mend. Whether the weights are what the manifest says is for
//! [`crate::Detector::open`]; here they are only found and seen to lie in the manifest's own folder.

mod check;
pub mod classifier;
mod faults;
mod output;
mod raw;
mod words;

use std::path::{Path, PathBuf};

use calib::class::Class;

use crate::error::{ModelError, Problem};
pub use classifier::ClassifierManifest;
use faults::Faults;
pub(crate) use output::{BoxForm, Output};
pub use words::{
    Background, Batch, Colour, Corners, Dtype, Family, Kind, Layout, Placement, Provider, Units,
};

/// Name of the manifest in a model's folder.
pub const FILE_NAME: &str = "manifest.toml";
/// `input.pad` where none is given: the grey that YOLO training fills with.
pub const PAD_DEFAULT: u8 = 114;
/// `nms_iou` where none is given (YOLOX's own demo), for the families whose boxes come out in heaps.
pub const NMS_IOU_DEFAULT: f32 = 0.45;
/// `area_max` where none is given: nothing is dropped for its size.
pub const AREA_MAX_DEFAULT: f32 = 1.0;
/// Smallest and largest side of a model's input, pixels.
pub const SIDE_RANGE: std::ops::RangeInclusive<usize> = 32..=4096;

/// Under which terms the weights may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// SPDX identifier.
    pub spdx: String,
    /// The licence's text.
    pub file: PathBuf,
    /// Where the weights come from.
    pub source: String,
}

/// What the model wants to be fed: `[N, 3, height, width]` or `[N, height, width, 3]`,
/// `value = (grey * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Name of the graph's input.
    pub name: String,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Order of the axes.
    pub layout: Layout,
    /// Type of the numbers.
    pub dtype: Dtype,
    /// Order of the channels.
    pub colour: Colour,
    /// Where the scaled picture lies.
    pub placement: Placement,
    /// For a model that takes any height and width: what would be padding alone is left out, down to a multiple of so
    /// many pixels. A picture of 16:9 is then 416 * 256 pixels to a model of 416 * 416, and costs 0.62 of it.
    pub trim: Option<usize>,
    /// Grey level around it, `0..=255`.
    pub pad: u8,
    /// Factor on grey levels.
    pub scale: f32,
    /// Subtracted after the factor, in the order of the channels.
    pub mean: [f32; 3],
    /// Divided by at last, in the order of the channels.
    pub std: [f32; 3],
    /// Name of a second input `[N, 2] i64`, width and height that the model scales its boxes to. It is given
    /// the input's own size, so that the boxes are in pixels of the input like any other's.
    pub sizes: Option<String>,
}

/// One of the model's labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The model's word.
    pub text: String,
    /// The product's class, or `None` where the label is dropped.
    pub class: Option<Class>,
    /// Lowest score at which a box of this label is kept.
    pub score_min: f32,
    /// The file's `score_min`: from here on a box counts by itself.
    pub sure_min: f32,
    /// The file's `faint_min`: from here on a box counts where something else speaks for it.
    pub faint_min: f32,
}

/// A picture with what the model is to find in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    /// PNG or JPEG.
    pub picture: PathBuf,
    /// TOML; see [`crate::golden`].
    pub expected: PathBuf,
}

/// A model's manifest, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) weights: PathBuf,
    pub(crate) sha256: String,
    pub(crate) batch: Batch,
    pub(crate) providers: Vec<Provider>,
    pub(crate) labels: Vec<Label>,
    /// `None` where nothing is suppressed.
    pub(crate) nms_iou: Option<f32>,
    pub(crate) area_max: f32,
    pub(crate) licence: Licence,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// Outputs of the model that nothing reads.
    pub(crate) unread: Vec<String>,
    pub(crate) golden: Option<Golden>,
}

impl Manifest {
    /// Reads and checks a manifest, given as the file or as the folder that holds `manifest.toml`.
    ///
    /// # Errors
    /// [`ModelError::Refused`] with every mistake in it.
    pub fn load(dir_or_file: &Path) -> Result<Self, ModelError> {
        let file = file_of(dir_or_file);
        let mut faults = Faults { file: &file, problems: Vec::new() };
        let examples = "see models/city-nano/manifest.toml, and models/tests/families for the other families";
        let kept = text_of(&mut faults).and_then(|text| {
            if classifier::is_written(&text) {
                let says = format!("\"{}\" judges boxes and finds none", classifier::FAMILY);
                faults.add(
                    "family",
                    says,
                    "name it as the second stage, model.second; here a detector is wanted",
                );
                return None;
            }
            check::checked(parsed(&text, examples, &mut faults)?, &file, &mut faults)
        });
        kept.ok_or(ModelError::Refused(faults.problems))
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its outputs are read.
    pub fn family(&self) -> Family {
        self.family
    }

    /// SHA-256 of the weights, 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The manifest's own file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The weights, known to lie in the manifest's folder.
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// The terms of use.
    pub fn licence(&self) -> &Licence {
        &self.licence
    }

    /// What the model is fed with.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The model's labels, in its own order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Whether one run takes one picture or several.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// Where the model may run, in order of wish.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The picture that `models check` holds the model to.
    pub fn golden(&self) -> Option<&Golden> {
        self.golden.as_ref()
    }

    /// Every product class that this model may report, sorted.
    pub fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = self.labels.iter().filter_map(|label| label.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Lowest score at which a box of `class` is kept, or `None` where the model does not report it.
    pub fn score_min(&self, class: Class) -> Option<f32> {
        self.labels.iter().find(|label| label.class == Some(class)).map(|label| label.score_min)
    }

    /// Overlap above which the weaker of two boxes of one class is dropped; 1 where none is.
    pub fn nms_iou(&self) -> f32 {
        self.nms_iou.unwrap_or(1.0)
    }

    /// Score from which a box of `class` counts by itself, or `None` where the model does not report it.
    pub fn sure_min(&self, class: Class) -> Option<f32> {
        self.labels.iter().find(|label| label.class == Some(class)).map(|label| label.sure_min)
    }

    /// The same model with its faint boxes kept, for whoever knows what else speaks for them.
    pub fn with_faint(mut self) -> Self {
        self.labels.iter_mut().for_each(|label| label.score_min = label.faint_min);
        self
    }

    /// The same model with no box dropped for its size.
    pub fn with_any_area(mut self) -> Self {
        self.area_max = AREA_MAX_DEFAULT;
        self
    }

    /// The same model with one lowest score for all labels, for measuring it down to where nothing is left.
    pub fn with_score_min(mut self, score_min: f32) -> Self {
        self.labels.iter_mut().for_each(|label| label.score_min = score_min);
        self
    }

    /// The same model on one provider, for comparing them.
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.providers = vec![provider];
        self
    }

    /// A problem of this manifest's model.
    pub(crate) fn problem(&self, key: &str, says: String, mend: &str) -> Problem {
        Problem { file: self.file.clone(), key: key.to_owned(), says, mend: mend.to_owned() }
    }
}

/// What is wrong with a manifest in itself, whichever kind of model it is of; nothing is opened.
pub fn faults(dir_or_file: &Path) -> Vec<Problem> {
    let read = if classifier::is_one(dir_or_file) {
        ClassifierManifest::load(dir_or_file).map(|_| ())
    } else {
        Manifest::load(dir_or_file).map(|_| ())
    };
    read.err().map(|error| error.into_problems(dir_or_file)).unwrap_or_default()
}

fn file_of(dir_or_file: &Path) -> PathBuf {
    if dir_or_file.is_dir() { dir_or_file.join(FILE_NAME) } else { dir_or_file.to_owned() }
}

fn text_of(faults: &mut Faults<'_>) -> Option<String> {
    let read = std::fs::read_to_string(faults.file);
    let mend = "give a folder that holds manifest.toml, or the file";
    read.map_err(|error| faults.add("", format!("cannot be read: {error}"), mend)).ok()
}

/// A manifest's text as the keys of its kind.
fn parsed<T: serde::de::DeserializeOwned>(text: &str, examples: &str, faults: &mut Faults<'_>) -> Option<T> {
    let told = |error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        faults.add(&format!("line {line}"), error.message().to_owned(), examples);
    };
    toml::from_str(text).map_err(told).ok()
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
