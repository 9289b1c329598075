//! A small made-up manifest to decode by. Tests only.

use calib::class::Class;

use super::*;
use crate::testing::city_nano;

/// 96 x 64 pixels, `labels` labels from `Class::ALL`, each kept from 0.5.
pub(crate) fn manifest(labels: usize) -> Manifest {
    let mut manifest = Manifest::load(&city_nano()).unwrap();
    (manifest.input.width, manifest.input.height, manifest.area_max) = (96, 64, 0.9);
    manifest.input.trim = None;
    let label = |class: &Class| Label {
        text: class.name().to_owned(),
        class: Some(*class),
        score_min: 0.5,
        sure_min: 0.5,
        faint_min: 0.5,
    };
    manifest.labels = Class::ALL[..labels].iter().map(label).collect();
    manifest
}

pub(crate) fn keep(labels: usize) -> Keep {
    Keep::new(&manifest(labels))
}

pub(crate) fn whole() -> Fit {
    Fit { left: 0, top: 0, width: 96, height: 64, tensor: [96, 64] }
}

/// Reads with a decoder: labels by their index, scores, boxes and rows; and how many labels were strange.
pub(crate) fn read(decoder: &mut dyn Decode, parts: &[Part<'_>]) -> (Vec<(usize, f32, [f32; 4])>, usize) {
    let mut found = Vec::new();
    let strange = decoder.read(parts, whole(), &mut found);
    let index = |class: Class| Class::ALL.iter().position(|at| *at == class).unwrap();
    (found.iter().map(|at| (index(at.class), at.score, at.in_tensor)).collect(), strange)
}
