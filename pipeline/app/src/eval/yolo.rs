//! Label files in YOLO's form: a line a box, `class cx cy w h`, shares of the picture.
//!
//! In: the pictures. Out: what each shows. A sixth column of 1 makes a box a crowd, which is neither to be
//! found nor wrong to be found; a longer line is an outline, of which the box around it counts. Boxes that
//! stick out of the picture by rounding are cut at its edge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use calib::check::Problem;
use models::measure::{Bounds, Truth};

use super::dataset::{Dataset, ENDINGS, Pictured, gather, problem};

/// How far a number may leave `0..=1` by rounding.
const SLACK: f64 = 0.01;
const MEND_LINE: &str = "write `class cx cy w h`: the class's number, then middle and size as shares, 0 to 1";

/// Reads the labels of these pictures. A picture without a label file, or with an empty one, shows nothing.
pub(super) fn load(
    folder: &Path,
    split: String,
    labels: Vec<String>,
    files: Vec<PathBuf>,
) -> Result<Dataset, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut pictures = Vec::with_capacity(files.len());
    let (mut with_file, mut folders) = (0, BTreeSet::new());
    for file in files {
        let label_file = label_file(folder, &file);
        folders.extend(label_file.parent().map(Path::to_owned));
        let mut truths = Vec::new();
        match std::fs::read_to_string(&label_file) {
            Ok(text) => {
                with_file += 1;
                read(&label_file, &text, &labels, &mut truths, &mut problems);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("cannot be read: {error}");
                problems.push(problem(&label_file, None, what, "make it readable, in UTF-8"));
            }
        }
        let name = file.strip_prefix(folder).unwrap_or(&file);
        let name = name.strip_prefix("images").unwrap_or(name).display().to_string();
        pictures.push(Pictured { file, name, truths });
    }
    if with_file == 0 && problems.is_empty() {
        let places: Vec<String> = folders.iter().map(|place| place.display().to_string()).collect();
        let what = format!("none of {} pictures has labels; looked in {}", pictures.len(), places.join(", "));
        problems.push(problem(
            folder,
            None,
            what,
            "put NAME.txt there for NAME.jpg, or annotations.json above",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let notes = notes(folder, &pictures, with_file, &folders);
    Ok(Dataset { split, labels, pictures, notes })
}

/// `images` becomes `labels`, the ending `txt`; where no part of the path is `images`, beside the picture.
fn label_file(folder: &Path, picture: &Path) -> PathBuf {
    swapped(folder, picture, ["images", "labels"]).with_extension("txt")
}

/// The path with the last part of that name within the folder replaced.
fn swapped(folder: &Path, file: &Path, [from, to]: [&str; 2]) -> PathBuf {
    let inner: Vec<_> = file.strip_prefix(folder).unwrap_or(file).components().collect();
    let last = inner.iter().rposition(|part| part.as_os_str() == from);
    let parts = inner.iter().enumerate();
    let parts =
        parts.map(|(at, part)| if Some(at) == last { std::ffi::OsStr::new(to) } else { part.as_os_str() });
    folder.join(parts.collect::<PathBuf>())
}

/// Label files that belong to no picture are often a typing error in a name.
fn notes(folder: &Path, pictures: &[Pictured], with_file: usize, folders: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut notes = Vec::new();
    let bare = pictures.len() - with_file;
    if bare > 0 {
        notes.push(format!(
            "{bare} of {} pictures have no label file: taken as showing nothing",
            pictures.len()
        ));
    }
    let mut files = Vec::new();
    folders.iter().for_each(|folder| gather(folder, 0, &["txt"], &mut files));
    files.retain(|file| {
        let picture = swapped(folder, file, ["labels", "images"]);
        let named = ENDINGS.iter().flat_map(|end| [end.to_string(), end.to_uppercase()]);
        file.file_name().is_some_and(|name| name != "classes.txt")
            && !named.into_iter().any(|end| picture.with_extension(end).exists())
    });
    files.sort();
    if let Some(first) = files.first() {
        notes.push(format!(
            "{} label files belong to no picture, for instance {}",
            files.len(),
            first.display()
        ));
    }
    notes
}

fn read(
    file: &Path,
    text: &str,
    labels: &[String],
    truths: &mut Vec<(usize, Truth)>,
    problems: &mut Vec<Problem>,
) {
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match truth(line, labels) {
            Ok(truth) => truths.push(truth),
            Err((what, mend)) => problems.push(problem(file, Some(at + 1), what, &mend)),
        }
    }
}

/// One line.
fn truth(line: &str, labels: &[String]) -> Result<(usize, Truth), (String, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let wrong = |what: String| (what, MEND_LINE.to_owned());
    let label: usize =
        fields[0].parse().map_err(|_| wrong(format!("\"{}\" is no class number", fields[0])))?;
    if label >= labels.len() {
        let what = format!("class {label} has no name: there are {}, from 0", labels.len());
        return Err((what, "write a class of data.yaml (or --names), or name this one there".to_owned()));
    }
    let numbers: Vec<f64> = fields[1..]
        .iter()
        .map(|field| field.parse().ok().filter(|number: &f64| number.is_finite()).ok_or(field))
        .collect::<Result<_, _>>()
        .map_err(|field| wrong(format!("\"{field}\" is no number")))?;
    let (shares, crowd) = match numbers.len() {
        4 => (&numbers[..], false),
        5 if numbers[4] == 0.0 || numbers[4] == 1.0 => (&numbers[..4], numbers[4] == 1.0),
        5 => {
            let mend = "write 1 for a crowd of them, 0 or nothing for one; a score does not belong in labels";
            return Err((format!("the sixth column is {}", numbers[4]), mend.to_owned()));
        }
        n if n >= 6 && n % 2 == 0 => (&numbers[..], false),
        n => return Err(wrong(format!("has {} columns, not 5", n + 1))),
    };
    if let Some(number) = shares.iter().find(|share| !(-SLACK..=1.0 + SLACK).contains(*share)) {
        return Err((format!("{number} is not a share of the picture"), format!("{MEND_LINE}, not pixels")));
    }
    let (low, high) = corners(shares);
    let (low, high) = (low.map(|at| at.clamp(0.0, 1.0)), high.map(|at| at.clamp(0.0, 1.0)));
    let bounds = Bounds::new([low[0], low[1], high[0] - low[0], high[1] - low[1]]);
    if !(bounds.w > 0.0 && bounds.h > 0.0) {
        return Err((
            "the box is empty".to_owned(),
            "write a width and a height above 0, or take the line out".to_owned(),
        ));
    }
    Ok((label, Truth { bounds, crowd }))
}

/// Left upper and right lower corner of a box or of an outline.
fn corners(shares: &[f64]) -> ([f64; 2], [f64; 2]) {
    if let &[cx, cy, w, h] = shares {
        return ([cx - w / 2.0, cy - h / 2.0], [cx + w / 2.0, cy + h / 2.0]);
    }
    let axis = |first: usize| {
        let values = shares[first..].iter().step_by(2).copied();
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
    };
    let ((left, right), (top, bottom)) = (axis(0), axis(1));
    ([left, top], [right, bottom])
}
