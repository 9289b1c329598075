//! Where the numbers of a long run go.
//!
//! In: a path as the user gave it, `-` for standard output. Out: a file that is there before the run begins, so
//! that a folder that is missing costs no hour. Never: half a text taken for a whole one; the first error ends it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A place to write to.
pub(crate) struct Sink {
    path: PathBuf,
    out: Box<dyn Write>,
}

impl Sink {
    /// Whether a path means standard output.
    pub(crate) fn is_stdout(path: &Path) -> bool {
        path == Path::new("-")
    }

    /// Makes the file, or takes standard output.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let out: Box<dyn Write> = if Self::is_stdout(path) {
            Box::new(BufWriter::new(std::io::stdout()))
        } else {
            Box::new(BufWriter::new(File::create(path).with_context(|| path.display().to_string())?))
        };
        Ok(Self { path: path.to_owned(), out })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// It takes no more.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}").with_context(|| self.path.display().to_string())
    }

    /// Ends it.
    ///
    /// # Errors
    /// It takes no more.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| self.path.display().to_string())
    }
}
