//! `shirong models list`: one line a model.
//!
//! In: a folder with one folder a model. Out: what each manifest says of its model, and whether it is well.
//! A manifest is read here word by word and not as [`models::Manifest`], so that a broken one is listed too.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use models::manifest::FILE_NAME;
use models::manifest::classifier::DROP;
use models::{ModelError, Runtime};
use serde::Serialize;

use crate::models_check::{Fault, say};

/// Where models are looked for when neither a folder nor a node's file tells.
const FOLDER: &str = "models";
/// The node's file that is read when none is named.
const NODE_FILE: &str = "shirong.toml";
/// Digits of a SHA-256 on a line.
const SHA_DIGITS: usize = 12;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder that holds one folder a model; by default the one of the node's model, else ./models.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The node's file, whose models are marked; by default ./shirong.toml where there is one.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON: {"dir", "models": [{"folder", "name", "family", …, "in_use", "problems": [...]}]}.
    #[arg(long)]
    json: bool,
}

/// What a manifest says of its model, as far as it can be read.
#[derive(Serialize, Default)]
pub(crate) struct Card {
    name: Option<String>,
    family: Option<String>,
    /// Width and height, pixels.
    input: Option<Vec<i64>>,
    provider: Option<String>,
    classes: Vec<String>,
    sha256: Option<String>,
    licence: Option<String>,
}

#[derive(Serialize)]
struct Row {
    folder: String,
    #[serde(flatten)]
    card: Card,
    in_use: bool,
    problems: Vec<Fault>,
    #[serde(skip)]
    state: String,
}

#[derive(Serialize)]
struct List {
    dir: String,
    models: Vec<Row>,
}

impl Card {
    /// Reads a manifest, given as the file or as the folder that holds it.
    pub(crate) fn read(dir_or_file: &Path) -> Self {
        let file = if dir_or_file.is_dir() { dir_or_file.join(FILE_NAME) } else { dir_or_file.to_owned() };
        let table = std::fs::read_to_string(file).ok().and_then(|text| text.parse::<toml::Table>().ok());
        let Some(table) = table else { return Self::default() };
        let within = |section: &str, key: &str| table.get(section)?.as_table()?.get(key);
        let text = |value: Option<&toml::Value>| value?.as_str().map(str::to_owned);
        // A detector's, or what a classifier makes of boxes.
        let classes = ["classes", "becomes"].map(|key| table.get(key).and_then(toml::Value::as_table));
        let classes = classes.into_iter().flatten().flat_map(|map| map.values());
        let mut classes: Vec<String> = classes.filter_map(|class| text(Some(class))).collect();
        classes.retain(|class| class != DROP);
        classes.sort_unstable();
        classes.dedup();
        let input = within("input", "size").and_then(toml::Value::as_array);
        Self {
            name: text(table.get("name")),
            family: text(table.get("family")),
            input: input.map(|size| size.iter().filter_map(toml::Value::as_integer).collect()),
            provider: text(table.get("provider")).or_else(|| Some("cpu".to_owned())),
            classes,
            sha256: text(table.get("sha256")),
            licence: text(within("licence", "spdx")),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let used = used_manifests(arguments.config.as_deref())?;
    let beside =
        used.first().map(PathBuf::as_path).and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    let dir = arguments.dir.clone().or(beside).unwrap_or_else(|| PathBuf::from(FOLDER));
    let entries = std::fs::read_dir(&dir)
        .with_context(|| format!("{}: name the folder of the models with --dir", dir.display()))?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join(FILE_NAME).is_file());
    folders.sort();
    let runtime = Runtime::load(onnxruntime);
    let used: Vec<PathBuf> = used.iter().filter_map(|used| used.canonicalize().ok()).collect();
    let models: Vec<Row> = folders.iter().map(|folder| row(folder, &runtime, &used)).collect();
    if arguments.json {
        say(&serde_json::to_string_pretty(&List { dir: dir.display().to_string(), models })?);
    } else if models.is_empty() {
        say(&format!("no model in {}: a model is a folder that holds {FILE_NAME}", dir.display()));
    } else {
        lines(&models).iter().for_each(|line| say(line));
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifests that a node's file names, the detector's first; none where no file is named and none lies here.
fn used_manifests(config: Option<&Path>) -> Result<Vec<PathBuf>> {
    let file = config.unwrap_or(Path::new(NODE_FILE));
    if config.is_none() && !file.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", file.display()))?;
    let named = |key: &str| table.get("model")?.get(key)?.as_str();
    let manifests = ["manifest", "second", "masking"].into_iter().filter_map(named);
    let manifests = manifests.map(|name| file.parent().unwrap_or(Path::new("")).join(name));
    Ok(manifests.map(|path| if path.is_dir() { path.join(FILE_NAME) } else { path }).collect())
}

fn row(folder: &Path, runtime: &Result<Runtime, ModelError>, used: &[PathBuf]) -> Row {
    let problems = match runtime {
        Ok(runtime) => models::check(runtime, folder),
        // The manifest alone still tells something.
        Err(_) => models::manifest::faults(folder),
    };
    let state = match (problems.as_slice(), runtime) {
        ([], Ok(_)) => "well".to_owned(),
        ([], Err(error)) => format!("not opened: {error}"),
        ([only], _) => sentence(only),
        ([first, rest @ ..], _) => format!("{} (and {} more)", sentence(first), rest.len()),
    };
    let file = folder.join(FILE_NAME);
    Row {
        folder: folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
        card: Card::read(folder),
        in_use: file.canonicalize().is_ok_and(|file| used.contains(&file)),
        problems: problems.iter().map(Fault::from).collect(),
        state,
    }
}

/// A problem without its file, which the line names already.
fn sentence(problem: &models::Problem) -> String {
    let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
    format!("{key}{}", problem.says)
}

/// The rows as a table, with a heading. The models in use are marked with `*`.
fn lines(rows: &[Row]) -> Vec<String> {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    let cells = |row: &Row| {
        let card = &row.card;
        let input: Option<Vec<String>> =
            card.input.as_ref().map(|size| size.iter().map(i64::to_string).collect());
        [
            format!("{} {}", if row.in_use { "*" } else { " " }, row.folder),
            known(&card.name),
            known(&card.family),
            known(&input.map(|size| size.join("x"))),
            known(&card.provider),
            card.classes.len().to_string(),
            known(&card.sha256).chars().take(SHA_DIGITS).collect(),
            known(&card.licence),
            row.state.clone(),
        ]
    };
    let heading =
        ["  FOLDER", "NAME", "FAMILY", "INPUT", "PROVIDER", "CLASSES", "SHA256", "LICENCE", "STATE"];
    let mut table = vec![heading.map(str::to_owned)];
    table.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 9]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}
