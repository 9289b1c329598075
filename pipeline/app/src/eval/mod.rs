//! `shirong eval`: what a model is worth on labelled pictures; with `--events`, what the rules are worth on clips
//! (see `events`).
//!
//! In: a folder of pictures with labels and one model, or two to compare. Out: average precision as COCO takes
//! it, precision and recall at the manifest's thresholds, thresholds to put there, plots and pictures. Exit
//! code 1 where the mean is below `--min`, 2 where nothing could be measured. Pictures go through the same
//! YUV, letterbox, session and suppression as a camera's frames; only the thresholds are lowered, since
//! average precision wants every find. Never: a changed model or data set.

mod choose;
mod coco;
mod compare;
mod dataset;
mod events;
mod json;
mod look;
mod measured;
mod page;
pub(crate) mod picture;
mod rows;
mod sheet;
mod svg;
mod table;
mod thresholds;
mod yaml;
mod yolo;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use calib::check::Problem;
use models::{Detector, Manifest, Runtime};

use crate::replay::Every;

use dataset::Dataset;
use measured::Measured;
use rows::Rows;
use thresholds::{Proposed, Target};

/// Finds fainter than this count for nothing: what they could add to average precision is in the fourth digit.
const SCORE_FLOOR: f32 = 0.001;
/// Thresholds are not proposed below this: a manifest's would let everything through.
const PROPOSED_MIN: f32 = 0.01;
/// Where models are looked for by name.
const MODELS: &str = "models";
/// Mistakes printed of one run.
const PROBLEMS_MAX: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder with images/, labels/ and data.yaml (YOLO), or images/ and annotations.json (COCO). With --events:
    /// clips, each with NAME.truth.json and NAME.toml beside it.
    dir: PathBuf,
    /// DIR holds clips: the rules are measured, not the model alone.
    #[arg(long, conflicts_with_all = ["compare", "split", "map", "names", "limit", "threshold_for"])]
    events: bool,
    /// Model: a folder with manifest.toml, the file itself, or the name of a folder in models/. With --events
    /// the node's by default, or else city-nano.
    #[arg(long, value_name = "NAME_OR_FOLDER", required_unless_present = "events")]
    model: Option<PathBuf>,
    /// The node's file, for its grids, papers and model. With --events only.
    #[arg(short, long, value_name = "FILE", requires = "events")]
    config: Option<PathBuf>,
    /// Which pictures are looked at: keyframes, or fps=N; by default what each camera's file says. With --events
    /// only.
    #[arg(long, value_name = "keyframes|fps=N", requires = "events")]
    every: Option<Every>,
    /// A second model on the same pictures: what changed, and where for the worse.
    #[arg(long, value_name = "NAME_OR_FOLDER")]
    compare: Option<PathBuf>,
    /// Part of the set: val, test, train or all; by default val, else test, else all.
    #[arg(long, value_name = "PART")]
    split: Option<String>,
    /// What a label of the set means, for instance vehicle=car+bus+truck; none leaves it out.
    #[arg(long, value_name = "LABEL=CLASS[+CLASS]")]
    map: Vec<rows::Mapping>,
    /// Names of the set's classes in order, where no data.yaml tells them.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    names: Vec<String>,
    /// At most so many pictures, spread evenly over the set.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Writes the numbers as JSON; - is stdout, which then holds nothing else.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes plots, contact sheets and index.html; with --events a video of each clip, not masked.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Proposes the lowest scores that keep a precision, as the manifest's [score_min].
    #[arg(long, value_name = "precision=SHARE")]
    threshold_for: Option<Target>,
    /// Exit code 1 where the mean AP50 is below this; with --events, where precision or recall is.
    #[arg(long, value_name = "AP50", value_parser = share)]
    min: Option<f64>,
    /// Draws the sample of the contact sheets.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share, 0 to 1".to_owned())
}

/// One model with what it is worth.
struct Judged {
    manifest: Manifest,
    measured: Measured,
}

impl Judged {
    fn name(&self) -> &str {
        self.manifest.name()
    }
}

/// Proposed thresholds.
struct Thresholds {
    target: Target,
    proposed: BTreeMap<String, Proposed>,
    text: String,
}

/// All that was measured.
struct Evaluation {
    /// The data set's folder, as given.
    folder: String,
    dataset: Dataset,
    rows: Rows,
    /// The model.
    new: Judged,
    /// The one it is compared with.
    old: Option<Judged>,
    thresholds: Option<Thresholds>,
}

impl Evaluation {
    /// Model, data and how much of it, in one line.
    fn heading(&self) -> String {
        let part = &self.dataset.split;
        let truths: usize = self.new.measured.pictures.iter().map(|picture| picture.truths.len()).sum();
        let set = Path::new(&self.folder).canonicalize().ok();
        let set = set.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let set = set.unwrap_or_else(|| self.folder.clone());
        format!(
            "{} on {set} ({part}): {} pictures, {truths} boxes",
            self.new.name(),
            self.dataset.pictures.len()
        )
    }

    /// What a reader should know beside the numbers.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.dataset.notes.clone();
        for (label, why) in &self.rows.labels_left_out {
            notes.push(format!("label \"{label}\" is left out: {why}"));
        }
        if !self.rows.classes_left_out.is_empty() {
            let names: Vec<&str> = self.rows.classes_left_out.iter().map(|class| class.name()).collect();
            notes.push(format!("not labelled here, so not counted: {}", names.join(", ")));
        }
        notes
    }
}

/// Why nothing could be measured.
enum Refused {
    Problems(Vec<Problem>),
    Error(anyhow::Error),
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self::Error(error)
    }
}

impl From<models::ModelError> for Refused {
    fn from(error: models::ModelError) -> Self {
        Self::Error(error.into())
    }
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let done = if arguments.events {
        events::run(arguments, onnxruntime)
    } else {
        evaluate(arguments, onnxruntime).and_then(|evaluation| tell(arguments, &evaluation))
    };
    match done {
        Ok(code) => return Ok(code),
        Err(Refused::Error(error)) => eprintln!("shirong: {error:#}"),
        Err(Refused::Problems(problems)) => {
            problems.iter().take(PROBLEMS_MAX).for_each(|problem| eprintln!("error: {problem}"));
            if problems.len() > PROBLEMS_MAX {
                eprintln!("and {} more", problems.len() - PROBLEMS_MAX);
            }
            eprintln!("{} errors; nothing was measured", problems.len());
        }
    }
    Ok(ExitCode::from(2))
}

/// The manifest of a model given by name, folder or file.
pub(crate) fn manifest(given: &Path) -> Result<Manifest, Vec<Problem>> {
    let named = Path::new(MODELS).join(given);
    let place = if !given.exists() && named.is_dir() { &named } else { given };
    let problems = |error: models::ModelError| {
        let one = |problem: models::Problem| Problem {
            file: problem.file.display().to_string(),
            key: problem.key,
            line: None,
            what: problem.says,
            mend: problem.mend,
        };
        error.into_problems(place).into_iter().map(one).collect::<Vec<_>>()
    };
    Manifest::load(place).map_err(problems)
}

fn evaluate(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<Evaluation, Refused> {
    let named = arguments.model.as_deref().context("--model is missing")?;
    let mut manifests = vec![manifest(named)?];
    manifests.extend(arguments.compare.as_deref().map(manifest).transpose()?);
    let wanted = dataset::Wanted {
        folder: &arguments.dir,
        split: arguments.split.as_deref(),
        names: &arguments.names,
        limit: arguments.limit.map(NonZeroUsize::get),
    };
    let dataset = dataset::load(&wanted)?;
    let rows = rows::meet(&dataset.labels, &arguments.map, &manifests[0])?;
    let counted =
        |(label, truth): &(usize, models::measure::Truth)| rows.of_label[*label].is_some() && !truth.crowd;
    if !dataset.pictures.iter().flat_map(|picture| &picture.truths).any(counted) {
        let what = "holds no box of a class that the model knows".to_owned();
        let mend = "give pictures that show some, or --map LABEL=CLASS for labels of other names";
        return Err(vec![dataset::problem(&arguments.dir, None, what, mend)].into());
    }
    let runtime = Runtime::load(onnxruntime)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let open =
        |manifest: &Manifest| Detector::open(&runtime, manifest.clone().with_score_min(SCORE_FLOOR), threads);
    let mut detectors = manifests.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let said = look::look(&mut detectors, &dataset.pictures)?;
    let judge = |(manifest, said): (Manifest, Vec<Vec<_>>)| {
        let measured = Measured::of(&dataset.pictures, &said, &rows, &manifest);
        Judged { manifest, measured }
    };
    let mut judged = manifests.into_iter().zip(said).map(judge);
    let new = judged.next().context("a model was given")?;
    let old = judged.next();
    drop(judged);
    let thresholds = arguments.threshold_for.map(|target| {
        let proposed = thresholds::propose(&rows, &new.measured, target, PROPOSED_MIN);
        let text = thresholds::manifest_table(&rows, &new.measured, &new.manifest, target, &proposed);
        Thresholds { target, proposed, text }
    });
    let folder = arguments.dir.display().to_string();
    Ok(Evaluation { folder, dataset, rows, new, old, thresholds })
}

/// Prints and writes what was asked for, and judges the mean.
fn tell(arguments: &Arguments, evaluation: &Evaluation) -> Result<ExitCode, Refused> {
    let json = format!("{:#}\n", json::of(evaluation));
    match arguments.json.as_deref() {
        Some(file) if file == Path::new("-") => say(&json),
        file => {
            if let Some(file) = file {
                std::fs::write(file, json).with_context(|| file.display().to_string())?;
            }
            say(&text(evaluation));
        }
    }
    if let Some(folder) = &arguments.out {
        page::write(folder, evaluation, arguments.seed)?;
        eprintln!("see {}", folder.join("index.html").display());
    }
    let [ap50, _] = evaluation.new.measured.means();
    let below = arguments.min.filter(|min| ap50.is_none_or(|ap50| ap50 < *min));
    if let Some(min) = below {
        eprintln!("mean AP50 {} is below {min}", table::share(ap50));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn text(evaluation: &Evaluation) -> String {
    let (rows, new) = (&evaluation.rows, &evaluation.new);
    let mut text = format!("{}\n\n", evaluation.heading());
    match &evaluation.old {
        None => text += &table::aligned(&table::HEADS, &table::of_model(rows, &new.measured)),
        Some(old) => {
            text += &format!("\"was\" is {}\n", old.name());
            text += &table::aligned(&table::HEADS_OF_TWO, &table::of_two(rows, &new.measured, &old.measured));
            let worse = compare::worse(&evaluation.dataset.pictures, &new.measured, &old.measured);
            text += &format!("\n{} of {} pictures are worse", worse.len(), evaluation.dataset.pictures.len());
            text += if worse.is_empty() { "\n" } else { ", most of all:\n" };
            let lines = worse.iter().take(compare::PICTURES_MAX).map(|one| {
                let change = |[new, old]: [usize; 2]| format!("{old} -> {new}");
                vec![one.picture.clone(), change(one.missed), change(one.wrong)]
            });
            let lines: Vec<Vec<String>> = lines.collect();
            if !lines.is_empty() {
                text += &table::aligned(&["picture", "missed", "wrong"], &lines);
            }
        }
    }
    for note in evaluation.notes() {
        text += &format!("\n{note}");
    }
    text += "\n";
    if let Some(thresholds) = &evaluation.thresholds {
        text += &format!("\n{}", thresholds.text);
    }
    text
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(text: &str) {
    print!("{text}");
}
