//! Manifest to tensor to session to boxes: the only crate that names `ort`.
//!
//! In come a manifest (TOML beside its weights) and pictures in the decoder's own YUV; out go boxes in
//! normalised image coordinates, in the product's classes, best first. Nothing here decodes video, keeps
//! state from one look to the next, downloads anything or falls back silently: a model that is not what
//! its manifest says is refused with the reason and the mend.
//!
//! ```text
//! Manifest ─┐                                               family ─── nms
//! Runtime ──┴─ Detector:  YuvView ─ letterbox ─ session ─ decode ─ suppress ─ Detection
//!              Line: the same, the session on a thread of its own, so that one batch is letterboxed while another is inferred
//!              Classifier:  Detection ─ crops ─ letterbox ─ session ─ judge ─ Detection
//! ```

pub mod classifier;
pub mod crops;
pub mod detector;
pub mod error;
mod family;
pub mod golden;
pub mod letterbox;
pub mod line;
pub mod manifest;
pub mod measure;
pub mod nms;
mod provider;
pub mod runtime;
mod session;
mod tensor;
#[cfg(test)]
mod testing;
pub mod tiles;

pub use classifier::Classifier;
pub use detector::{Detector, check};
pub use error::{ModelError, Problem};
pub use letterbox::{Fit, Letterbox};
pub use line::Line;
pub use manifest::{ClassifierManifest, Manifest, Provider};
pub use runtime::Runtime;
