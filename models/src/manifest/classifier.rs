//! The manifest of a second stage: a model that judges the boxes of a detector and finds none itself.
//!
//! In comes TOML of `family = "classifier"`, out go checked values, or every mistake at once in the words of
//! its keys, as a detector's manifest has it. Nothing here opens weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use calib::class::Class;
use serde::Deserialize;

use super::check::{check_columns, check_input, check_providers, check_sha256, check_size};
use super::faults::Faults;
use super::raw::{RawInput, RawLicence, cpu};
use super::{Batch, Input, Kind, Licence, Provider};
use crate::crops::Cut;
use crate::error::{ModelError, Problem};
use crate::letterbox::SIDE_MIN;

/// The word under `family`.
pub const FAMILY: &str = "classifier";
/// The word under `[becomes]` for boxes that are dropped.
pub const DROP: &str = "drop";
/// `margin` where none is given.
pub const MARGIN_DEFAULT: f32 = 0.1;
/// Largest `margin`: from there on the box is a small part of what is judged.
pub const MARGIN_MAX: f32 = 1.0;
/// `side_px_min` where none is given: under it a bin's rim is two or three pixels.
pub const SIDE_PX_MIN_DEFAULT: usize = 24;

/// What becomes of a box that is one of the model's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// The detector's word stands.
    Itself,
    /// It is of this class.
    Class(Class),
    /// It is none that anybody asked for.
    Dropped,
}

/// One of a classifier's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The model's word.
    pub text: String,
    /// What follows.
    pub becomes: Becomes,
}

/// A classifier's manifest, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierManifest {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) weights: PathBuf,
    pub(crate) sha256: String,
    pub(crate) batch: Batch,
    pub(crate) providers: Vec<Provider>,
    pub(crate) licence: Licence,
    pub(crate) input: Input,
    pub(crate) output: String,
    pub(crate) kind: Kind,
    pub(crate) unread: Vec<String>,
    pub(crate) labels: Vec<Verdict>,
    pub(crate) cut: Cut,
    pub(crate) score_min: f32,
}

impl ClassifierManifest {
    /// Reads and checks a manifest, given as the file or as the folder that holds `manifest.toml`.
    ///
    /// # Errors
    /// [`ModelError::Refused`] with every mistake in it.
    pub fn load(dir_or_file: &Path) -> Result<Self, ModelError> {
        let file = super::file_of(dir_or_file);
        let mut faults = Faults { file: &file, problems: Vec::new() };
        let kept = super::text_of(&mut faults).and_then(|text| {
            if let Some(family) = family_in(&text).filter(|family| family != FAMILY) {
                let says = format!("\"{family}\" is no model that judges boxes");
                faults.add("family", says, format!("name a model of family = \"{FAMILY}\""));
                return None;
            }
            let examples = "see the manifests in models/tests/second";
            checked(super::parsed(&text, examples, &mut faults)?, &file, &mut faults)
        });
        kept.ok_or(ModelError::Refused(faults.problems))
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

    /// The terms of use.
    pub fn licence(&self) -> &Licence {
        &self.licence
    }

    /// What the model is fed with.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The model's labels in its own order, with what follows from each.
    pub fn labels(&self) -> &[Verdict] {
        &self.labels
    }

    /// Every class that boxes may get from it, sorted.
    pub fn classes(&self) -> Vec<Class> {
        let class = |label: &Verdict| match label.becomes {
            Becomes::Class(class) => Some(class),
            Becomes::Itself | Becomes::Dropped => None,
        };
        let mut classes: Vec<Class> = self.labels.iter().filter_map(class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Which boxes are judged, and how they are cut out.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Probability under which the detector's word stands.
    pub fn score_min(&self) -> f32 {
        self.score_min
    }

    /// A problem of this manifest's model.
    pub(crate) fn problem(&self, key: &str, says: String, mend: &str) -> Problem {
        Problem { file: self.file.clone(), key: key.to_owned(), says, mend: mend.to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    family: String,
    weights: String,
    sha256: String,
    batch: String,
    #[serde(default = "cpu")]
    provider: toml::Value,
    labels: Vec<String>,
    on: Vec<String>,
    #[serde(default = "margin_default")]
    margin: f32,
    #[serde(default = "side_px_min_default")]
    side_px_min: usize,
    score_min: f32,
    licence: RawLicence,
    input: RawInput,
    output: RawOutput,
    becomes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutput {
    name: String,
    kind: String,
    #[serde(default)]
    unread: Vec<String>,
}

fn margin_default() -> f32 {
    MARGIN_DEFAULT
}
fn side_px_min_default() -> usize {
    SIDE_PX_MIN_DEFAULT
}

/// Whether the manifest says that it is of a classifier. One that cannot be read says nothing.
pub(crate) fn is_one(dir_or_file: &Path) -> bool {
    std::fs::read_to_string(super::file_of(dir_or_file)).is_ok_and(|text| is_written(&text))
}

pub(super) fn is_written(text: &str) -> bool {
    family_in(text).is_some_and(|family| family == FAMILY)
}

fn family_in(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("family")?.as_str()?.to_owned())
}

fn checked(raw: Raw, file: &Path, faults: &mut Faults<'_>) -> Option<ClassifierManifest> {
    faults.filled("name", &raw.name);
    faults.word("family", &raw.family, &[FAMILY], |word| (word == FAMILY).then_some(()));
    faults.filled("licence.spdx", &raw.licence.spdx);
    faults.filled("licence.source", &raw.licence.source);
    let batch = faults.word("batch", &raw.batch, Batch::WORDS, Batch::from_name);
    let providers = check_providers(&raw.provider, faults);
    let weights = faults.beside("weights", &raw.weights);
    let licence_file = faults.beside("licence.file", &raw.licence.file);
    check_sha256(&raw.sha256, faults);
    check_size(raw.input.size, faults);
    if raw.input.sizes.is_some() {
        faults.add("input.sizes", "is not read of a classifier".to_owned(), "take it out");
    }
    if raw.input.trim.is_some() {
        faults.add("input.trim", "is not read of a classifier".to_owned(), "take it out");
    }
    let input = check_input(raw.input, faults);
    faults.filled("output.name", &raw.output.name);
    let kind = faults.word("output.kind", &raw.output.kind, Kind::WORDS, Kind::from_name);
    if raw.output.unread.contains(&raw.output.name) {
        let says = format!("\"{}\" stands twice in [output]", raw.output.name);
        faults.add("output.name", says, "name each output once");
    }
    faults.share("score_min", raw.score_min);
    let labels = check_labels(raw.labels, &raw.becomes, kind, faults);
    let cut = check_cut(&raw.on, raw.margin, raw.side_px_min, faults);
    if !faults.problems.is_empty() {
        return None;
    }
    Some(ClassifierManifest {
        file: file.to_owned(),
        name: raw.name,
        weights,
        sha256: raw.sha256,
        batch: batch?,
        providers,
        licence: Licence { spdx: raw.licence.spdx, file: licence_file, source: raw.licence.source },
        input: input?,
        output: raw.output.name,
        kind: kind?,
        unread: raw.output.unread,
        labels,
        cut,
        score_min: raw.score_min,
    })
}

fn check_labels(
    labels: Vec<String>,
    becomes: &BTreeMap<String, String>,
    kind: Option<Kind>,
    faults: &mut Faults<'_>,
) -> Vec<Verdict> {
    check_columns(&labels, faults);
    if labels.is_empty() {
        faults.add("labels", "is empty".to_owned(), "name every output column");
    } else if labels.len() == 1 && matches!(kind, Some(Kind::Softmax | Kind::Logits)) {
        let says = "one label alone is always sure of itself".to_owned();
        faults.add("labels", says, "name every output column, or write kind = \"sigmoid\"");
    }
    if becomes.is_empty() {
        faults.add("becomes", "is empty".to_owned(), "say of at least one label what becomes of its boxes");
    }
    for (label, word) in becomes {
        let key = format!("becomes.{label}");
        if !labels.contains(label) {
            let mend = "write a label of the model, or take it out";
            faults.add(&key, "is not among the labels".to_owned(), mend);
        }
        let words: Vec<&str> = [DROP].into_iter().chain(class_names()).collect();
        faults.word(&key, word, &words, becomes_of);
    }
    let verdict = |text: String| {
        let becomes = becomes.get(&text).and_then(|word| becomes_of(word)).unwrap_or(Becomes::Itself);
        Verdict { text, becomes }
    };
    labels.into_iter().map(verdict).collect()
}

fn becomes_of(word: &str) -> Option<Becomes> {
    if word == DROP { Some(Becomes::Dropped) } else { Class::from_name(word).map(Becomes::Class) }
}

fn class_names() -> impl Iterator<Item = &'static str> {
    Class::ALL.iter().map(|class| class.name())
}

fn check_cut(on: &[String], margin: f32, side_px_min: usize, faults: &mut Faults<'_>) -> Cut {
    if on.is_empty() {
        faults.add("on", "is empty".to_owned(), "name the classes whose boxes it judges");
    }
    let names: Vec<&str> = class_names().collect();
    let mut classes: Vec<Class> = Vec::new();
    for word in on {
        let class = faults.word("on", word, &names, Class::from_name);
        if class.is_some_and(|class| classes.contains(&class)) {
            faults.add("on", format!("\"{word}\" stands twice"), "write it once");
        }
        classes.extend(class);
    }
    if !(0.0..=MARGIN_MAX).contains(&margin) {
        faults.add("margin", format!("{margin} is out of range"), format!("write 0 to {MARGIN_MAX}"));
    }
    if !(SIDE_MIN..=*super::SIDE_RANGE.end()).contains(&side_px_min) {
        let mend = format!("write {SIDE_MIN} to {}", super::SIDE_RANGE.end());
        faults.add("side_px_min", format!("{side_px_min} is out of range"), mend);
    }
    Cut { on: classes, margin, side_px_min }
}

#[cfg(test)]
#[path = "classifier_tests.rs"]
mod tests;
