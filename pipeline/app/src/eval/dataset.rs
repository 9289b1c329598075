//! Labelled pictures as a folder holds them.
//!
//! In: a folder in YOLO layout (`images/`, `labels/`, `data.yaml`) or with COCO's `annotations.json`. Out: the
//! pictures with what each shows, boxes as shares of the picture, labels in the data set's own words; or
//! every mistake at once. Never: a picture's pixels.

use std::path::{Path, PathBuf};

use calib::check::Problem;
use models::measure::Truth;

use super::{coco, yaml, yolo};

/// Endings of pictures that are read.
pub(super) const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 6;
/// Parts that are measured where none is asked for, the first that there is.
const SPLITS: [&str; 2] = ["val", "test"];
/// What names everything there is.
const ALL: &str = "all";

/// Labelled pictures.
pub(super) struct Dataset {
    /// The part of the set that was taken: `val`, `test`, `all` ..
    pub(super) split: String,
    /// The set's own labels.
    pub(super) labels: Vec<String>,
    /// The pictures, by name.
    pub(super) pictures: Vec<Pictured>,
    /// What a reader should know and that is no mistake.
    pub(super) notes: Vec<String>,
}

/// A picture and what it shows.
pub(super) struct Pictured {
    /// The file.
    pub(super) file: PathBuf,
    /// Its name within the set.
    pub(super) name: String,
    /// What it shows: places in [`Dataset::labels`] with boxes in shares of the picture.
    pub(super) truths: Vec<(usize, Truth)>,
}

/// What is to be read.
pub(super) struct Wanted<'a> {
    /// The folder.
    pub(super) folder: &'a Path,
    /// The part that was asked for.
    pub(super) split: Option<&'a str>,
    /// Labels where no file names them.
    pub(super) names: &'a [String],
    /// At most so many pictures, spread evenly over the set.
    pub(super) limit: Option<usize>,
}

/// A mistake in a file, or in a line of it.
pub(super) fn problem(file: &Path, line: Option<usize>, what: String, mend: &str) -> Problem {
    Problem { file: file.display().to_string(), key: String::new(), line, what, mend: mend.to_owned() }
}

/// Reads a data set.
///
/// # Errors
/// Every mistake in it.
pub(super) fn load(wanted: &Wanted<'_>) -> Result<Dataset, Vec<Problem>> {
    let folder = wanted.folder;
    if !folder.is_dir() {
        let mend = "give a folder that holds images/ and labels/, or images/ and annotations.json";
        return Err(vec![problem(folder, None, "is no folder".to_owned(), mend)]);
    }
    let annotations = folder.join(coco::FILE_NAME);
    if annotations.is_file() && !folder.join("labels").is_dir() {
        let mut dataset = coco::load(folder, &annotations)?;
        dataset.pictures = spread(dataset.pictures, wanted.limit);
        return Ok(dataset);
    }
    let described = yaml::load(folder)?;
    let (split, files) = files(folder, described.as_ref(), wanted.split)?;
    let labels = match described {
        _ if !wanted.names.is_empty() => wanted.names.to_vec(),
        Some(described) => described.names,
        None => {
            let mend = "write data.yaml with names: [..], in the order of the classes, or give --names a,b,c";
            return Err(vec![problem(folder, None, "nothing names its classes".to_owned(), mend)]);
        }
    };
    let mut files = spread(files, wanted.limit);
    files.sort();
    yolo::load(folder, split, labels, files)
}

/// At most so many, evenly from all.
fn spread<T>(all: Vec<T>, limit: Option<usize>) -> Vec<T> {
    let (n, kept) = (all.len(), limit.unwrap_or(usize::MAX).min(all.len()));
    let taken = |at: usize| (at + 1) * kept / n > at * kept / n;
    all.into_iter().enumerate().filter_map(|(at, item)| taken(at).then_some(item)).collect()
}

/// The pictures of the part that is asked for, and what the part is called.
fn files(
    folder: &Path,
    described: Option<&yaml::Described>,
    split: Option<&str>,
) -> Result<(String, Vec<PathBuf>), Vec<Problem>> {
    let candidates: Vec<&str> = split.map_or(SPLITS.to_vec(), |split| vec![split]);
    if split != Some(ALL) {
        for name in &candidates {
            if let Some(files) = described.and_then(|described| described.split(name)) {
                return Ok((name.to_string(), with_pictures(folder, files?)?));
            }
        }
        // Roboflow calls its part for validation `valid`, and puts images/ below it.
        let places = candidates.iter().flat_map(|name| {
            let below = [format!("images/{name}"), format!("{name}/images"), format!("{name}id/images")];
            below.into_iter().map(move |place| (*name, folder.join(place)))
        });
        if let Some((name, place)) = places.into_iter().find(|(_, place)| place.is_dir()) {
            return Ok((name.to_owned(), with_pictures(&place, pictures_in(&place))?));
        }
        if let Some(split) = split {
            let what = format!("has no part \"{split}\"");
            let mend = format!("write {split}: in data.yaml, make images/{split}/, or give --split all");
            return Err(vec![problem(folder, None, what, &mend)]);
        }
    }
    let images = folder.join("images");
    let place = if images.is_dir() { &images } else { folder };
    Ok((ALL.to_owned(), with_pictures(place, pictures_in(place))?))
}

fn with_pictures(place: &Path, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, Vec<Problem>> {
    if files.is_empty() {
        let mend = "put .jpg or .png files there; labels lie in labels/ under the same names";
        return Err(vec![problem(place, None, "holds no pictures".to_owned(), mend)]);
    }
    Ok(files)
}

/// Every picture below a folder, sorted.
pub(super) fn pictures_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    gather(folder, DEPTH_MAX, &ENDINGS, &mut found);
    found.sort();
    found
}

/// Every file below a folder with one of these endings.
pub(super) fn gather(folder: &Path, depth: usize, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                gather(&path, depth - 1, endings, found);
            }
        } else if path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| endings.iter().any(|known| known.eq_ignore_ascii_case(end)))
        {
            found.push(path);
        }
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
