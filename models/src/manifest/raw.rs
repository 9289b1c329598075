//! A manifest as somebody wrote it: every key with its type and its default, nothing checked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AREA_MAX_DEFAULT, PAD_DEFAULT, Provider};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) weights: String,
    pub(super) sha256: String,
    pub(super) batch: String,
    /// A word, or a list of them in order of wish.
    #[serde(default = "cpu")]
    pub(super) provider: toml::Value,
    pub(super) labels: Vec<String>,
    pub(super) nms_iou: Option<f32>,
    #[serde(default = "area_max_default")]
    pub(super) area_max: f32,
    pub(super) licence: RawLicence,
    pub(super) input: RawInput,
    pub(super) output: RawOutput,
    pub(super) classes: BTreeMap<String, String>,
    pub(super) score_min: BTreeMap<String, f32>,
    #[serde(default)]
    pub(super) faint_min: BTreeMap<String, f32>,
    pub(super) golden: Option<RawGolden>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLicence {
    pub(super) spdx: String,
    pub(super) file: String,
    pub(super) source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    pub(super) name: String,
    pub(super) size: [usize; 2],
    pub(super) layout: String,
    pub(super) colour: String,
    pub(super) dtype: String,
    pub(super) letterbox: String,
    pub(super) trim: Option<usize>,
    #[serde(default = "pad_default")]
    pub(super) pad: u8,
    #[serde(default = "one")]
    pub(super) scale: f32,
    #[serde(default)]
    pub(super) mean: [f32; 3],
    #[serde(default = "ones")]
    pub(super) std: [f32; 3],
    pub(super) sizes: Option<String>,
}

/// Which of these a family reads is for the check to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutput {
    pub(super) name: Option<String>,
    pub(super) strides: Option<Vec<usize>>,
    pub(super) boxes: Option<String>,
    pub(super) scores: Option<String>,
    pub(super) labels: Option<String>,
    pub(super) count: Option<String>,
    pub(super) corners: Option<String>,
    pub(super) units: Option<String>,
    pub(super) background: Option<String>,
    pub(super) label_first: Option<usize>,
    #[serde(default)]
    pub(super) unread: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGolden {
    pub(super) picture: String,
    pub(super) expected: String,
}

pub(super) fn cpu() -> toml::Value {
    toml::Value::String(Provider::Cpu.name().to_owned())
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
