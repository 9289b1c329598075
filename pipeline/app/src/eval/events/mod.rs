//! `shirong eval --events`: what the rules are worth on clips whose events are known.
//!
//! In: a folder of clips, the truth beside each (`NAME.truth.json`), camera files; one model. Out: precision and
//! recall of cases, time to confirm, cases an event, by kind; every miss and every false case with its clip and
//! time; where asked for, a video of each clip. The clips are replayed as `shirong replay` does. Exit code 1
//! where precision or recall is below `--min`, 2 where nothing could be measured. Never: a changed clip.

mod score;
mod truth;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use calib::check::Problem;
use calib::rule::Rule;
use logic::look::CameraId;

use super::{Arguments, Refused, dataset, say, table};
use crate::node::{CameraEntry, Node};
use crate::replay;
use crate::replay::film::{self, Drawn};
use crate::replay::play::{Played, Player, Step, Told};
use crate::sink::Sink;
use score::{Ratios, Report, Score};
use truth::Truth;

/// What counts as a clip.
const CLIPS: [&str; 4] = ["mp4", "avi", "mkv", "mov"];
/// What a truth's file ends in.
const TRUTH: &str = "truth.json";

/// One clip with what belongs to it.
struct Case {
    name: String,
    clip: PathBuf,
    truth: Truth,
    camera: (CameraId, CameraEntry),
}

pub(super) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode, Refused> {
    let node = arguments.config.as_deref().map(replay::read_node).transpose()?;
    let cases = cases(&arguments.dir, node.as_ref())?;
    let over = |case: &Case| replay::overwrites(&video_of(arguments, case)?, &case.clip);
    let overwritten: Vec<Problem> = cases.iter().filter_map(over).collect();
    if !overwritten.is_empty() {
        return Err(overwritten.into());
    }
    let (manifest, second) = replay::model_of(arguments.model.as_deref(), node.as_ref())?;
    let mut player = Player::open(manifest, second.as_deref(), replay::threads(), onnxruntime)?;
    let json = arguments.json.as_deref().map(Sink::open).transpose()?;
    let (mut score, mut looks, began) = (Score::default(), 0, Instant::now());
    for case in &cases {
        let (reports, played) = reports(arguments, &mut player, case)?;
        looks += played.looks;
        // On stderr, so that stdout is the table's.
        eprintln!("{}", score.take(&case.name, &case.truth, &reports));
    }
    if let Some(mut json) = json {
        let mut all = score.json(player.model());
        all["looks"] = looks.into();
        all["looks_per_s"] = (looks as f64 / began.elapsed().as_secs_f64().max(1e-9)).into();
        json.line(&format!("{all:#}"))?;
        json.finish()?;
    }
    if !arguments.json.as_deref().is_some_and(Sink::is_stdout) {
        say(&text(&score, player.model(), cases.len()));
    }
    let all = score.all();
    let below = |share: Option<f64>| arguments.min.filter(|min| share.is_some_and(|share| share < *min));
    if let Some(min) = below(all.precision).or(below(all.recall)) {
        let (precision, recall) = (table::share(all.precision), table::share(all.recall));
        eprintln!("precision {precision} or recall {recall} is below {min}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a clip's video goes, if anywhere.
fn video_of(arguments: &Arguments, case: &Case) -> Option<PathBuf> {
    arguments.out.as_ref().map(|folder| folder.join(format!("{}.mp4", case.name)))
}

/// Replays a clip; a report is a finding that its rules confirm.
fn reports(arguments: &Arguments, player: &mut Player, case: &Case) -> Result<(Vec<Report>, Played)> {
    let (id, entry) = &case.camera;
    let pace = replay::pace(entry, arguments.every, None)?;
    let path = video_of(arguments, case);
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut reports = Vec::new();
    let mut video: Option<Drawn> = None;
    let played = player.play(&case.clip, (id, entry), pace, |step| {
        reports.extend(confirmed(entry, step));
        if let Some(path) = &path {
            let video = match &mut video {
                Some(video) => video,
                None => video.insert(Drawn::begin(path, step)?),
            };
            video.add(id, &entry.camera, step)?;
        }
        Ok(())
    });
    let played = film::whole(played, video)?;
    Ok((reports, played))
}

fn confirmed(entry: &CameraEntry, step: &Step<'_>) -> Vec<Report> {
    let report = |told: &Told| {
        let sight = &told.finding.sight;
        let is_new = told.case.filter(|_| told.event == "confirmed")?.is_new;
        Some(Report {
            kind: entry.camera.rules.get(sight.rule).map_or("", |rule| rule.kind.name()),
            matter: told.finding.matter.code.clone(),
            bounds: sight.bounds,
            at_s: step.at_s,
            is_new,
        })
    };
    step.told.iter().filter_map(report).collect()
}

/// Every clip of the folder with its truth and its camera, or every mistake in them.
fn cases(folder: &Path, node: Option<&Node>) -> Result<Vec<Case>, Vec<Problem>> {
    let clips = [folder.join("clips"), folder.to_path_buf()].into_iter().find(|folder| folder.is_dir());
    let clips = clips.unwrap_or_else(|| folder.to_path_buf());
    let unread = |error: std::io::Error| {
        let mend = "give a folder with NAME.mp4, NAME.truth.json and NAME.toml";
        vec![dataset::problem(folder, None, error.to_string(), mend)]
    };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(&clips).map_err(unread)?.collect();
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in entries.map_err(unread)? {
        let path = entry.path();
        let is_clip = path.extension().and_then(|e| e.to_str()).is_some_and(is_clip_ending);
        if let (true, Some(stem)) = (is_clip, path.file_stem().and_then(|stem| stem.to_str())) {
            files.insert(stem.to_owned(), path);
        }
    }
    if files.is_empty() {
        let what = "holds no clip".to_owned();
        let mend = "put NAME.mp4 or NAME.avi there, and beside it NAME.truth.json and NAME.toml";
        return Err(vec![dataset::problem(&clips, None, what, mend)]);
    }
    let places = [clips.clone(), folder.join("cameras"), clips.join("../cameras")];
    let mut problems = Vec::new();
    let mut cases = Vec::new();
    for (name, clip) in files {
        let camera = camera(&name, &places, node).map_err(|found| problems.extend(found)).ok();
        let kind_of = |matter: &str| kind_of(&camera.as_ref()?.1, matter);
        let truth = Truth::load(&clips.join(format!("{name}.{TRUTH}")), kind_of);
        let truth = truth.map_err(|problem| problems.push(problem)).ok();
        if let (Some(truth), Some(camera)) = (truth, camera) {
            cases.push(Case { name, clip, truth, camera });
        }
    }
    if problems.is_empty() { Ok(cases) } else { Err(problems) }
}

/// A camera writes its clips' endings as it likes.
fn is_clip_ending(ending: &str) -> bool {
    CLIPS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// The camera's rule that reports a matter.
fn kind_of(entry: &CameraEntry, matter: &str) -> Option<&'static str> {
    let is_of =
        |rule: &&Rule| rule.code == matter || rule.other.as_ref().is_some_and(|other| other.code == matter);
    entry.camera.rules.iter().find(is_of).map(|rule| rule.kind.name())
}

fn camera(
    name: &str,
    places: &[PathBuf],
    node: Option<&Node>,
) -> Result<(CameraId, CameraEntry), Vec<Problem>> {
    let named = places.iter().map(|folder| folder.join(format!("{name}.toml")));
    match named.clone().find(|file| file.is_file()) {
        Some(file) => replay::camera_of(&file, node),
        None => {
            let file = places[0].join(format!("{name}.toml"));
            let mend = "put the camera's file beside its clip, or into a folder cameras beside the clips'";
            Err(vec![dataset::problem(&file, None, "is missing".to_owned(), mend)])
        }
    }
}

const HEADS: [&str; 9] =
    ["kind", "events", "found", "cases", "false", "precision", "recall", "cases an event", "confirmed after"];

fn text(score: &Score, model: &str, clips: usize) -> String {
    let line = |name: &str, ratios: &Ratios| {
        let decimals = |value: Option<f64>, unit: &str| {
            value.map_or("-".to_owned(), |value| format!("{value:.2}{unit}"))
        };
        vec![
            name.to_owned(),
            ratios.events.to_string(),
            ratios.found.to_string(),
            ratios.cases.to_string(),
            ratios.wrong.to_string(),
            table::share(ratios.precision),
            table::share(ratios.recall),
            decimals(ratios.duplicates_per_event, ""),
            decimals(ratios.confirm_s_p50, " s"),
        ]
    };
    let mut lines: Vec<Vec<String>> = score.kinds().iter().map(|(kind, ratios)| line(kind, ratios)).collect();
    lines.push(line("all", &score.all()));
    let mut text = format!("{model} and the rules on {clips} clips\n\n{}", table::aligned(&HEADS, &lines));
    for (title, found) in [("missed", score.missed()), ("false", score.wrong())] {
        for one in found {
            text += &format!("\n{title}: {one}");
        }
    }
    text + "\n"
}
