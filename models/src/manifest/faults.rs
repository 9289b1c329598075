//! The mistakes of one manifest, collected so that all are told at once.

use std::path::{Component, Path, PathBuf};

use crate::error::Problem;

/// Collects what is wrong with one file.
pub(super) struct Faults<'a> {
    pub(super) file: &'a Path,
    pub(super) problems: Vec<Problem>,
}

impl Faults<'_> {
    /// One more mistake.
    pub(super) fn add(&mut self, key: &str, says: String, mend: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            key: key.to_owned(),
            says,
            mend: mend.into(),
        });
    }

    /// What a word stands for.
    pub(super) fn word<T>(
        &mut self,
        key: &str,
        word: &str,
        words: &[&str],
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(word);
        if parsed.is_none() {
            self.add(key, format!("\"{word}\" is not known"), format!("write one of: {}", words.join(", ")));
        }
        parsed
    }

    /// A number above 0 and up to 1.
    pub(super) fn share(&mut self, key: &str, value: f32) {
        if !(value > 0.0 && value <= 1.0) {
            self.add(key, format!("{value} is out of range"), "write a number above 0 and up to 1");
        }
    }

    /// A text that says something.
    pub(super) fn filled(&mut self, key: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(key, "is empty".to_owned(), "write it");
        }
    }

    /// A file beside the manifest that cannot lead out of its folder, by `..` or by a link.
    pub(super) fn beside(&mut self, key: &str, name: &str) -> PathBuf {
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
