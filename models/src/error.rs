//! What can go wrong between a manifest and its boxes, said so that the reader knows what to write instead.
//!
//! Everything that refuses a model (manifest, weights, shapes, outputs) arrives as [`Problem`]s; a fault of
//! the machine (no library) or of one picture has its own variant. Nothing here is logged: who calls decides.

use std::fmt;
use std::path::PathBuf;

/// One reason why a model is refused: where, what and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The manifest, or the file that could not be read.
    pub file: PathBuf,
    /// The manifest's key that is wrong or that the model contradicts, such as `input.size`; empty where the
    /// file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub says: String,
    /// What to write or do instead.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.says, self.mend)
    }
}

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The model is not what its manifest says, or the manifest itself is wrong. Every reason at once.
    #[error("model refused: {}", lines(.0))]
    Refused(Vec<Problem>),

    /// No `libonnxruntime.so` in any of the places looked in.
    #[error(
        "ONNX Runtime is missing: no libonnxruntime.so in {}; run `make runtime` in a checkout, or set {} to the file",
        places(.looked_in),
        crate::runtime::PATH_VARIABLE
    )]
    RuntimeMissing {
        /// Where it was looked for, in order.
        looked_in: Vec<PathBuf>,
    },

    /// A library was found and cannot be used: not loadable, not ONNX Runtime, or older than
    /// [`crate::runtime::MINOR_VERSION_MIN`].
    #[error(
        "ONNX Runtime at {} cannot be used: {says}; run `make runtime` in a checkout, or set {} to a libonnxruntime.so of version 1.{} or later",
        path.display(),
        crate::runtime::PATH_VARIABLE,
        crate::runtime::MINOR_VERSION_MIN
    )]
    RuntimeUnusable {
        /// The library.
        path: PathBuf,
        /// What the loader or the version check said.
        says: String,
    },

    /// The process has loaded another library already, and one process can hold only one.
    #[error(
        "this process runs ONNX Runtime from {} and cannot change to {}; restart it with the other path",
        loaded.display(),
        asked.display()
    )]
    RuntimeLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        asked: PathBuf,
    },

    /// A picture that cannot be looked at: planes shorter than the size claims, or too small. The caller
    /// drops this picture; the others of the batch were not looked at either.
    #[error("picture {index} of the batch ({width}x{height}): {fault}")]
    Picture {
        /// Place in the batch.
        index: usize,
        /// Width claimed, pixels.
        width: usize,
        /// Height claimed, pixels.
        height: usize,
        /// Why.
        fault: crate::letterbox::PictureFault,
    },

    /// The system has no thread left for a model.
    #[error(
        "model {model}: no thread for it: {says}; see the limits of the process (`ulimit -u`, `TasksMax`)"
    )]
    NoThread {
        /// The model's name.
        model: String,
        /// What the system said.
        says: String,
    },

    /// ONNX Runtime failed while running a model that it had accepted.
    #[error("model {model}: ONNX Runtime failed in a run: {says}")]
    Run {
        /// The model's name.
        model: String,
        /// What ONNX Runtime said.
        says: String,
    },

    /// The model answered with NaN or infinity, or with another shape than at its opening.
    #[error("model {model}: {says}; the boxes of this batch are not to be trusted")]
    Output {
        /// The model's name.
        model: String,
        /// What was wrong with the output.
        says: String,
    },
}

impl ModelError {
    /// The error as problems of the model at `file`, for a report that lists them.
    pub fn into_problems(self, file: &std::path::Path) -> Vec<Problem> {
        match self {
            Self::Refused(problems) => problems,
            other => vec![Problem {
                file: file.to_owned(),
                key: String::new(),
                says: other.to_string(),
                mend: "see above".to_owned(),
            }],
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.to_string()).collect::<Vec<_>>().join("\n")
}

fn places(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
