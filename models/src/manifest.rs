//! The manifest of a model: TOML in, checked values out.
//!
//! In two stages: `Raw` is what somebody wrote, [`Manifest`] cannot be wrong in itself. All mistakes are
//! reported at once, each with its key and the mend. Whether the weights are what the manifest says is for
//! [`crate::Detector::open`]; here they are only found and seen to lie in the manifest's own folder.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use calib::class::Class;
use serde::Deserialize;

use crate::error::{ModelError, Problem};

/// Name of the manifest in a model's folder.
pub const FILE_NAME: &str = "manifest.toml";
/// `input.pad` where none is given: the grey that YOLO training fills with.
pub const PAD_DEFAULT: u8 = 114;
/// `nms_iou` where none is given (YOLOX's own demo).
pub const NMS_IOU_DEFAULT: f32 = 0.45;
/// `area_max` where none is given: nothing is dropped for its size.
pub const AREA_MAX_DEFAULT: f32 = 1.0;
/// Smallest and largest side of a model's input, pixels.
pub const SIDE_RANGE: std::ops::RangeInclusive<usize> = 32..=4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    family: String,
    weights: String,
    sha256: String,
    batch: String,
    #[serde(default = "cpu")]
    provider: String,
    labels: Vec<String>,
    #[serde(default = "nms_iou_default")]
    nms_iou: f32,
    #[serde(default = "area_max_default")]
    area_max: f32,
    licence: RawLicence,
    input: RawInput,
    output: RawOutput,
    classes: BTreeMap<String, String>,
    score_min: BTreeMap<String, f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLicence {
    spdx: String,
    file: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    name: String,
    size: [usize; 2],
    layout: String,
    colour: String,
    dtype: String,
    letterbox: String,
    #[serde(default = "pad_default")]
    pad: u8,
    #[serde(default = "one")]
    scale: f32,
    #[serde(default)]
    mean: [f32; 3],
    #[serde(default = "ones")]
    std: [f32; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutput {
    name: String,
    strides: Vec<usize>,
}

fn cpu() -> String {
    Provider::Cpu.name().to_owned()
}
fn nms_iou_default() -> f32 {
    NMS_IOU_DEFAULT
}
fn area_max_default() -> f32 {
    AREA_MAX_DEFAULT
}
fn pad_default() -> u8 {
    PAD_DEFAULT
}
fn one() -> f32 {
    1.0
}
fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// A value that is written as one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
        impl $name {
            /// Every word that a manifest may write.
            pub const WORDS: &[&str] = &[$($word,)*];
            /// The word for it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
            /// What the word stands for.
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// How the output is read.
    Family {
        /// `[N, cells, 5 + labels]`, boxes as offsets in the cells of a grid (YOLOX without its decoding).
        YoloxGrid = "yolox_grid",
    }
}
words! {
    /// Where the model runs. One that is not there is an error, never replaced by another.
    Provider {
        /// ONNX Runtime's own CPU kernels.
        Cpu = "cpu",
    }
}
words! {
    /// Whether one run takes one picture or several.
    Batch {
        /// First dimension 1.
        Static = "static",
        /// First dimension free.
        Dynamic = "dynamic",
    }
}
words! {
    /// Order of the input's axes.
    Layout {
        /// `[N, 3, H, W]`.
        Nchw = "nchw",
    }
}
words! {
    /// Order of the colour channels.
    Colour {
        /// Blue first, as OpenCV has it.
        Bgr = "bgr",
        /// Red first.
        Rgb = "rgb",
    }
}
words! {
    /// Type of the input's numbers.
    Dtype {
        /// 32-bit float.
        F32 = "f32",
    }
}
words! {
    /// Where the scaled picture lies in the input.
    Placement {
        /// At the top left, padding to the right or below.
        Corner = "corner",
        /// In the middle, padding on both sides.
        Centred = "centred",
    }
}

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

/// What the model wants to be fed: `[N, 3, height, width]`, `value = (grey * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Name of the graph's input.
    pub name: String,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Order of the channels.
    pub colour: Colour,
    /// Where the scaled picture lies.
    pub placement: Placement,
    /// Grey level around it, `0..=255`.
    pub pad: u8,
    /// Factor on grey levels.
    pub scale: f32,
    /// Subtracted after the factor, in the order of the channels.
    pub mean: [f32; 3],
    /// Divided by at last, in the order of the channels.
    pub std: [f32; 3],
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
    pub(crate) provider: Provider,
    pub(crate) labels: Vec<Label>,
    pub(crate) nms_iou: f32,
    pub(crate) area_max: f32,
    pub(crate) licence: Licence,
    pub(crate) input: Input,
    pub(crate) output: String,
    pub(crate) strides: Vec<usize>,
}

impl Manifest {
    /// Reads and checks a manifest, given as the file or as the folder that holds `manifest.toml`.
    ///
    /// # Errors
    /// [`ModelError::Refused`] with every mistake in it.
    pub fn load(dir_or_file: &Path) -> Result<Self, ModelError> {
        let file = if dir_or_file.is_dir() { dir_or_file.join(FILE_NAME) } else { dir_or_file.to_owned() };
        let mut faults = Faults { file: &file, problems: Vec::new() };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                faults.add(
                    "",
                    format!("cannot be read: {error}"),
                    "give a folder that holds manifest.toml, or the file",
                );
                return Err(ModelError::Refused(faults.problems));
            }
        };
        match toml::from_str::<Raw>(&text) {
            Ok(raw) => check(raw, &file, &mut faults).ok_or(ModelError::Refused(faults.problems)),
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                let key = format!("line {line}");
                faults.add(
                    &key,
                    error.message().to_owned(),
                    "see models/city-nano/manifest.toml for every key",
                );
                Err(ModelError::Refused(faults.problems))
            }
        }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
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

    /// The model's labels, one an output column.
    pub fn labels(&self) -> &[Label] {
        &self.labels
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

    /// Rows of the output: the cells of all grids.
    pub(crate) fn cells(&self) -> usize {
        self.strides.iter().map(|stride| (self.input.width / stride) * (self.input.height / stride)).sum()
    }

    /// Columns of the output: four of the box, one of objectness, one a label.
    pub(crate) fn columns(&self) -> usize {
        5 + self.labels.len()
    }

    /// A problem of this manifest's model.
    pub(crate) fn problem(&self, key: &str, says: String, mend: &str) -> Problem {
        Problem { file: self.file.clone(), key: key.to_owned(), says, mend: mend.to_owned() }
    }
}

/// Collects what is wrong with one file.
struct Faults<'a> {
    file: &'a Path,
    problems: Vec<Problem>,
}

impl Faults<'_> {
    fn add(&mut self, key: &str, says: String, mend: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            key: key.to_owned(),
            says,
            mend: mend.into(),
        });
    }

    fn word<T>(&mut self, key: &str, word: &str, words: &[&str], parse: fn(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(word);
        if parsed.is_none() {
            self.add(key, format!("\"{word}\" is not known"), format!("write one of: {}", words.join(", ")));
        }
        parsed
    }

    fn share(&mut self, key: &str, value: f32) {
        if !(value > 0.0 && value <= 1.0) {
            self.add(key, format!("{value} is out of range"), "write a number above 0 and up to 1");
        }
    }

    fn filled(&mut self, key: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(key, "is empty".to_owned(), "write it");
        }
    }

    /// A file beside the manifest that cannot lead out of its folder, by `..` or by a link.
    fn beside(&mut self, key: &str, name: &str) -> PathBuf {
        let dir = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let path = dir.join(name);
        let inward = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !inward {
            self.add(
                key,
                format!("\"{name}\" leads out of the manifest's folder"),
                "write a name relative to the folder, without ..",
            );
        } else {
            let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
            match (path.canonicalize(), dir.canonicalize()) {
                (Ok(real), Ok(dir)) if !real.starts_with(&dir) => self.add(
                    key,
                    format!("\"{name}\" is a link to {}, outside the manifest's folder", real.display()),
                    "put the file itself there",
                ),
                (Err(error), _) | (_, Err(error)) => self.add(
                    key,
                    format!("\"{name}\" cannot be read: {error}"),
                    format!("put it at {}", path.display()),
                ),
                _ => {}
            }
        }
        path
    }
}

/// The raw manifest as a checked one, or `None` with the reasons in `faults`.
fn check(raw: Raw, file: &Path, faults: &mut Faults<'_>) -> Option<Manifest> {
    faults.filled("name", &raw.name);
    faults.filled("licence.spdx", &raw.licence.spdx);
    faults.filled("licence.source", &raw.licence.source);
    let family = faults.word("family", &raw.family, Family::WORDS, Family::from_name);
    let batch = faults.word("batch", &raw.batch, Batch::WORDS, Batch::from_name);
    let provider = faults.word("provider", &raw.provider, Provider::WORDS, Provider::from_name);
    let weights = faults.beside("weights", &raw.weights);
    let licence_file = faults.beside("licence.file", &raw.licence.file);
    let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if raw.sha256.len() != 64 || !raw.sha256.bytes().all(hex) {
        let mend = "write the 64 lower-case digits that `sha256sum` prints for the weights";
        faults.add("sha256", format!("\"{}\" is no SHA-256", raw.sha256), mend);
    }
    faults.share("nms_iou", raw.nms_iou);
    faults.share("area_max", raw.area_max);
    check_strides(&raw, faults);
    let input = check_input(raw.input, faults);
    let labels = check_labels(raw.labels, &raw.classes, &raw.score_min, faults);
    faults.filled("output.name", &raw.output.name);
    if !faults.problems.is_empty() {
        return None;
    }
    Some(Manifest {
        file: file.to_owned(),
        name: raw.name,
        family: family?,
        weights,
        sha256: raw.sha256,
        batch: batch?,
        provider: provider?,
        labels,
        nms_iou: raw.nms_iou,
        area_max: raw.area_max,
        licence: Licence { spdx: raw.licence.spdx, file: licence_file, source: raw.licence.source },
        input: input?,
        output: raw.output.name,
        strides: raw.output.strides,
    })
}

fn check_strides(raw: &Raw, faults: &mut Faults<'_>) {
    let (strides, size) = (&raw.output.strides, raw.input.size);
    if strides.is_empty() || strides.contains(&0) {
        faults.add("output.strides", format!("{strides:?} is no list of strides"), "write e.g. [8, 16, 32]");
        return;
    }
    if size.iter().any(|side| !SIDE_RANGE.contains(side)) {
        let mend = format!("write [width, height], each {} to {}", SIDE_RANGE.start(), SIDE_RANGE.end());
        faults.add("input.size", format!("{size:?} is out of range"), mend);
    } else if let Some(stride) = strides.iter().find(|stride| size.iter().any(|side| side % **stride != 0)) {
        let mend = "write a size that every stride divides, or the model's own strides";
        faults.add("input.size", format!("{size:?} is not divided by the stride {stride}"), mend);
    }
}

fn check_input(raw: RawInput, faults: &mut Faults<'_>) -> Option<Input> {
    faults.filled("input.name", &raw.name);
    let layout = faults.word("input.layout", &raw.layout, Layout::WORDS, Layout::from_name);
    let dtype = faults.word("input.dtype", &raw.dtype, Dtype::WORDS, Dtype::from_name);
    let colour = faults.word("input.colour", &raw.colour, Colour::WORDS, Colour::from_name);
    let placement = faults.word("input.letterbox", &raw.letterbox, Placement::WORDS, Placement::from_name);
    let numbers = [raw.scale].into_iter().chain(raw.mean).chain(raw.std);
    if !numbers.into_iter().all(f32::is_finite) || raw.scale == 0.0 || raw.std.contains(&0.0) {
        faults.add(
            "input",
            "scale, mean and std must be numbers, scale and std not 0".to_owned(),
            "leave them out for grey levels as they are",
        );
    }
    let (Layout::Nchw, Dtype::F32) = (layout?, dtype?);
    let [width, height] = raw.size;
    Some(Input {
        name: raw.name,
        width,
        height,
        colour: colour?,
        placement: placement?,
        pad: raw.pad,
        scale: raw.scale,
        mean: raw.mean,
        std: raw.std,
    })
}

fn check_labels(
    labels: Vec<String>,
    classes: &BTreeMap<String, String>,
    score_min: &BTreeMap<String, f32>,
    faults: &mut Faults<'_>,
) -> Vec<Label> {
    for (index, label) in labels.iter().enumerate() {
        if labels[..index].contains(label) {
            faults.add("labels", format!("\"{label}\" stands twice"), "name every output column once");
        }
    }
    for (label, class) in classes {
        let key = format!("classes.{label}");
        if !labels.contains(label) {
            faults.add(
                &key,
                "is not among the labels".to_owned(),
                "write a label of the model, or take it out",
            );
        }
        let names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        faults.word(&key, class, &names, Class::from_name);
    }
    if classes.is_empty() {
        faults.add("classes", "is empty".to_owned(), "map at least one label to a class");
    }
    for (class, &value) in score_min {
        let key = format!("score_min.{class}");
        faults.share(&key, value);
        if class != "default" && !classes.values().any(|mapped| mapped == class) {
            faults.add(
                &key,
                "is a class that no label maps to".to_owned(),
                "write a class of [classes], or default",
            );
        }
    }
    let Some(&score_min_default) = score_min.get("default") else {
        faults.add("score_min.default", "is missing".to_owned(), "write it, e.g. 0.4");
        return Vec::new();
    };
    let checked = |text: String| {
        let class = classes.get(&text).and_then(|name| Class::from_name(name));
        let own = class.and_then(|class| score_min.get(class.name()));
        Label { class, score_min: own.copied().unwrap_or(score_min_default), text }
    };
    labels.into_iter().map(checked).collect()
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
