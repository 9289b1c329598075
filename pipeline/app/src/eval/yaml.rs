//! `data.yaml`, the description beside pictures in YOLO layout.
//!
//! In: the folder. Out: the names of the classes and where each part of the set lies, or the mistakes with
//! their lines. Never: the pictures, nor any other key of the file.

use std::path::{Path, PathBuf};

use calib::check::Problem;
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::dataset::{pictures_in, problem};

const FILE_NAMES: [&str; 2] = ["data.yaml", "data.yml"];
const MEND_NAMES: &str = "write names: [first, second], or under names: a line `0: first` for each class";

/// What a `data.yaml` says.
pub(super) struct Described {
    file: PathBuf,
    /// Names of the classes, in order.
    pub(super) names: Vec<String>,
    /// Key, line and paths of each part, as written.
    parts: Vec<(String, usize, Vec<String>)>,
    /// Folders from which the paths may count.
    bases: Vec<PathBuf>,
}

/// Reads the folder's `data.yaml`, where it has one.
///
/// # Errors
/// The file cannot be read, is not YAML or names no classes.
pub(super) fn load(folder: &Path) -> Result<Option<Described>, Vec<Problem>> {
    let Some(file) = FILE_NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) else {
        return Ok(None);
    };
    let refused = |line, what: String, mend: &str| vec![problem(&file, line, what, mend)];
    let text = std::fs::read_to_string(&file)
        .map_err(|error| refused(None, format!("cannot be read: {error}"), "make it readable, in UTF-8"))?;
    let documents = MarkedYaml::load_from_str(&text).map_err(|error| {
        refused(Some(error.marker().line()), format!("is not YAML: {}", error.info()), "mend the line")
    })?;
    let root =
        documents.into_iter().next().ok_or_else(|| refused(None, "is empty".to_owned(), MEND_NAMES))?;
    let entries = entries(&root);
    let of = |key: &str| entries.iter().find(|(found, _)| found == key).map(|(_, node)| *node);
    let names = match of("names") {
        Some(node) => names(node).map_err(|(line, what)| refused(Some(line), what, MEND_NAMES))?,
        None => return Err(refused(None, "has no names:".to_owned(), MEND_NAMES)),
    };
    let parts = ["train", "val", "test"].iter().filter_map(|key| {
        let node = of(key)?;
        let paths = match &node.data {
            YamlData::Sequence(items) => items.iter().filter_map(text_of).collect(),
            _ => text_of(node).into_iter().collect::<Vec<_>>(),
        };
        (!paths.is_empty()).then(|| (key.to_string(), line(node), paths))
    });
    let parts = parts.collect();
    let mut bases = vec![folder.to_owned()];
    bases.extend(of("path").and_then(text_of).map(|base| folder.join(base)));
    Ok(Some(Described { file, names, parts, bases }))
}

fn line(node: &MarkedYaml<'_>) -> usize {
    node.span.start.line()
}

fn entries<'n>(node: &'n MarkedYaml<'_>) -> Vec<(String, &'n MarkedYaml<'n>)> {
    match &node.data {
        YamlData::Mapping(map) => {
            map.iter().filter_map(|(key, value)| Some((text_of(key)?, value))).collect()
        }
        _ => Vec::new(),
    }
}

/// A scalar as it would be written.
fn text_of(node: &MarkedYaml<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        // `yes`-like words are names here, not truths.
        YamlData::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        _ => None,
    }
}

/// The names in order, from a list or from `number: name`.
fn names(node: &MarkedYaml<'_>) -> Result<Vec<String>, (usize, String)> {
    let named = match &node.data {
        YamlData::Sequence(items) => {
            let each = |item| {
                text_of(item).ok_or_else(|| (line(item), "holds something that is no name".to_owned()))
            };
            items.iter().map(each).collect::<Result<Vec<_>, _>>()?
        }
        YamlData::Mapping(_) => {
            let mut numbered = Vec::new();
            for (key, value) in entries(node) {
                let number: usize =
                    key.parse().map_err(|_| (line(value), format!("\"{key}\" is no class number")))?;
                let name = text_of(value).ok_or_else(|| (line(value), format!("class {key} has no name")))?;
                numbered.push((number, name));
            }
            numbered.sort();
            if let Some((at, (number, _))) =
                numbered.iter().enumerate().find(|(at, (number, _))| at != number)
            {
                return Err((line(node), format!("names class {number} where class {at} is next")));
            }
            numbered.into_iter().map(|(_, name)| name).collect()
        }
        _ => return Err((line(node), "names: is neither a list nor a map".to_owned())),
    };
    if named.is_empty() { Err((line(node), "names: is empty".to_owned())) } else { Ok(named) }
}

impl Described {
    /// The pictures of a part, where the file speaks of it.
    pub(super) fn split(&self, name: &str) -> Option<Result<Vec<PathBuf>, Vec<Problem>>> {
        let (_, line, paths) = self.parts.iter().find(|(key, _, _)| key == name)?;
        let mut files = Vec::new();
        for written in paths {
            let Some(place) = self.place(written) else {
                let what = format!("{name}: {written} is not there");
                let mend = "write a folder of pictures or a .txt that lists them, relative to data.yaml";
                return Some(Err(vec![problem(&self.file, Some(*line), what, mend)]));
            };
            if place.is_dir() {
                files.extend(pictures_in(&place));
            } else {
                match self.listed(&place) {
                    Ok(listed) => files.extend(listed),
                    Err(problems) => return Some(Err(problems)),
                }
            }
        }
        Some(Ok(files))
    }

    /// Where a path leads. Roboflow writes `../valid/images` and means a folder beside the file.
    fn place(&self, written: &str) -> Option<PathBuf> {
        let inward = written.trim_start_matches("../");
        let all = self.bases.iter().rev().flat_map(|base| [base.join(written), base.join(inward)]);
        all.into_iter().find(|place| place.exists())
    }

    /// The pictures that a list names, one a line.
    fn listed(&self, list: &Path) -> Result<Vec<PathBuf>, Vec<Problem>> {
        let text = std::fs::read_to_string(list).map_err(|error| {
            vec![problem(list, None, format!("cannot be read: {error}"), "write one picture a line")]
        })?;
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for (at, written) in text.lines().enumerate().filter(|(_, written)| !written.trim().is_empty()) {
            match self.place(written.trim()) {
                Some(file) => files.push(file),
                None => {
                    let what = format!("{written} is not there");
                    problems.push(problem(list, Some(at + 1), what, "write a path relative to data.yaml"));
                }
            }
        }
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }
}
