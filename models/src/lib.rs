//! Manifest to tensor to session to boxes: the only crate that names `ort`.
//!
//! In come a manifest (TOML beside its weights) and pictures in the decoder's own YUV; out go boxes in
//! normalised image coordinates, in the product's classes, best first. Nothing here decodes video, keeps
//! state from one look to the next, downloads anything or falls back silently: a model that is not what
//! its manifest says is refused with the reason and the mend.
//!
//! ```text
//! Manifest ─┐                                            yolox ── nms
//! Runtime ──┴─ Detector:  YuvView ─ letterbox ─ session ─ decode ─ keep ─ Detection
//! ```

pub mod detector;
pub mod error;
pub mod letterbox;
pub mod manifest;
pub mod nms;
pub mod runtime;
mod session;
#[cfg(test)]
mod testing;
pub mod yolox;

pub use detector::{Detector, check};
pub use error::{ModelError, Problem};
pub use letterbox::Letterbox;
pub use manifest::{Manifest, Provider};
pub use runtime::Runtime;
