//! `shirong demo`: sample cameras over real RTSP, the service and its desk, on this machine.
//!
//! In: the sample clips of a checkout. Out: cases on the desk, printed as they are posted; with `--once` a
//! comparison with what the scenes hold. Never: a shortcut; the frames go through the same RTSP, decoder,
//! model, rules, disk and HTTP as a city's.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use logic::case::Case;
use report::PostEvent;
use samples::{Codec, RtspServer, Scheme, ServedAuth, ServedCamera};
use serde::Serialize;

use crate::fleet::CameraReport;
use crate::node::{self, CameraEntry};
use crate::run::wait;
use crate::service::Service;
use crate::truth::{ClipTruth, Verdict};

/// The port that the sample camera files name; the demo puts the port that it got in its place.
const SAMPLE_PORT: &str = "127.0.0.1:8554";
/// User and password of the sample camera that asks for them.
const SAMPLE_USER: (&str, &str) = ("shirong", "sample-camera");
/// Before a clip begins anew its street is empty again: the demo ends so much earlier.
const END_BEFORE_LOOP: Duration = Duration::from_millis(500);
/// How long the desk may take for the last cases.
const POST_DEADLINE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End after the scripted events; exit 1 when anything was missed, false or double.
    #[arg(long)]
    once: bool,
    /// Write a summary to this file.
    #[arg(long, value_name = "FILE", requires = "once")]
    json: Option<PathBuf>,
    /// Where the desk listens.
    #[arg(long, default_value = node::DESK_LISTEN)]
    listen: String,
    /// The folder of the checkout, where it is not the current one.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// Where the demo keeps its state; emptied at each start.
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    cameras: Vec<CameraLine>,
    cases: Vec<Case>,
    truth: Verdict,
}

#[derive(Serialize)]
struct CameraLine {
    id: String,
    state: String,
    looks: u64,
    findings: u64,
    /// Frames that a newer one took the place of before the detector came to them.
    overwritten: u64,
    /// Key frames that were left undecoded since nothing had moved.
    passed: u64,
}

/// The sample streets, being served.
struct Street {
    server: RtspServer,
    started: Instant,
    truths: Vec<ClipTruth>,
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, onnxruntime: Option<&Path>) -> Result<ExitCode> {
    let root = match &arguments.root {
        Some(root) => root.clone(),
        None => checkout()?,
    };
    let work = arguments.work.clone().unwrap_or_else(|| root.join(".demo"));
    let street = serve(&root, &work, &arguments.listen)?;
    let node = node::load(&street.config)
        .map_err(|problems| anyhow::anyhow!("the demo's own files are wrong:\n{}", list(&problems)))?;
    let grids = node.cameras.values().next().map(|entry: &CameraEntry| entry.grids.clone());
    let grids = grids.context("samples/cameras holds no camera")?;
    let bundled = root.join(".runtime/onnxruntime/libonnxruntime.so");
    let onnxruntime = onnxruntime.or_else(|| bundled.exists().then_some(bundled.as_path()));
    let service = Service::start(node, onnxruntime)?;
    say(&format!("{} cameras at {}", street.truths.len(), street.server.url("")));
    match service.platform().login_link()? {
        Some(link) if !arguments.once => say(&format!("the desk is at {link} (good for one browser, once)")),
        _ => say(&format!("the desk is at {}/", service.desk_url())),
    }
    print_posts(&service);

    if !arguments.once {
        say("stop with Ctrl-C");
        wait(&service)?;
        service.stop();
        street.server.stop();
        return Ok(ExitCode::SUCCESS);
    }
    wait_for_the_clips(&street);
    let (cameras, platform) = service.finish();
    street.server.stop();
    platform.wait_until_posted(POST_DEADLINE);
    let cases = platform.cases_on_desk()?;
    platform.stop(Duration::from_secs(1));
    let summary = Summary {
        cameras: cameras.iter().map(camera_line).collect(),
        truth: Verdict::of(&street.truths, &grids, &cases),
        cases,
    };
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&summary)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    tell(&summary);
    Ok(if summary.truth.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn camera_line(report: &CameraReport) -> CameraLine {
    CameraLine {
        id: report.id.to_string(),
        state: report.state.to_string(),
        looks: report.looks,
        findings: report.findings,
        overwritten: report.overwritten,
        passed: report.stream.quiet_dropped,
    }
}

/// The checkout that holds the samples: the current folder, one above it, or one above the binary.
fn checkout() -> Result<PathBuf> {
    let from = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let folders = from.iter().flatten().flat_map(|path| path.ancestors());
    folders
        .into_iter()
        .find(|folder| folder.join("samples/cameras").is_dir() && folder.join("samples/clips").is_dir())
        .map(Path::to_path_buf)
        .context("found no samples/cameras here or above: run this in a checkout, or name it with --root")
}

/// Starts the sample cameras and writes the node's files for them.
fn serve(root: &Path, work: &Path, listen: &str) -> Result<Street> {
    // Only a folder that an earlier demo made is emptied.
    let marker = work.join(".shirong-demo");
    let holds_something = work.is_dir() && std::fs::read_dir(work)?.next().is_some();
    if holds_something && !marker.exists() {
        bail!("{} is not a demo's folder: name an empty or a new one with --work", work.display());
    }
    std::fs::create_dir_all(work).with_context(|| format!("making {}", work.display()))?;
    std::fs::write(&marker, "emptied at each start of `shirong demo`\n")?;
    for folder in ["data", "cameras"] {
        let path = work.join(folder);
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
        }
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    }
    let mut served = Vec::new();
    let mut truths = Vec::new();
    let mut files = Vec::new();
    for path in camera_files(&root.join("samples/cameras"))? {
        let id = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (clip, truth) = if id == "vtest" {
            let Some(clip) = vtest(work)? else {
                say("vtest is left out: install Debian's opencv-doc for this real street camera");
                continue;
            };
            (clip, ClipTruth { camera: id.clone(), duration_s: 79.5, events: Vec::new() })
        } else {
            let truth = root.join(format!("samples/clips/{id}.truth.json"));
            (root.join(format!("samples/clips/{id}.mp4")), ClipTruth::load(&truth)?)
        };
        let wants_user = text.lines().any(|line| line.trim_start().starts_with("user"));
        let mut camera = ServedCamera::new(&id, clip);
        camera.auth = wants_user.then(|| ServedAuth::new(Scheme::Digest, SAMPLE_USER.0, SAMPLE_USER.1));
        served.push(camera);
        truths.push(truth);
        files.push((path, text));
    }
    let server = RtspServer::start(0, served)?;
    let started = Instant::now();
    let address = format!("127.0.0.1:{}", server.port());
    for (path, text) in files {
        let name = path.file_name().unwrap_or_default();
        let target = work.join("cameras").join(name);
        std::fs::write(&target, text.replace(SAMPLE_PORT, &address))
            .with_context(|| format!("writing {}", target.display()))?;
    }
    std::fs::write(work.join("cameras/sample.password"), SAMPLE_USER.1)?;
    let config = work.join("shirong.toml");
    std::fs::write(&config, node_file(root, listen)?).with_context(|| config.display().to_string())?;
    Ok(Street { server, started, truths, config })
}

fn node_file(root: &Path, listen: &str) -> Result<String> {
    let root = root.canonicalize().with_context(|| root.display().to_string())?;
    let path = |tail: &str| toml::Value::from(root.join(tail).display().to_string()).to_string();
    Ok(format!(
        "# Written by `shirong demo`; its cameras are beside it.\n\
         [node]\nname = \"demo\"\n\n\
         [model]\nmanifest = {}\n\n\
         [grids]\nunit = {}\nresponsibility = {}\n\n\
         [desk]\nlisten = {}\n",
        path("models/city-nano/manifest.toml"),
        path("calib/example-county/unit-grids.geojson"),
        path("calib/example-county/responsibility-grids.geojson"),
        toml::Value::from(listen),
    ))
}

fn camera_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    Ok(files)
}

/// The real street camera of Debian's opencv-doc as H.264, made once.
fn vtest(work: &Path) -> Result<Option<PathBuf>> {
    let Some(original) = samples::vtest() else { return Ok(None) };
    let clip = work.join("vtest.mp4");
    if !clip.exists() {
        say("making vtest.mp4 out of opencv-doc's vtest.avi, once");
        let half = work.join("vtest.part.mp4");
        samples::transcode(&original, Codec::H264, 20, &half)?;
        std::fs::rename(&half, &clip)?;
    }
    Ok(Some(clip))
}

fn wait_for_the_clips(street: &Street) {
    let longest = street.truths.iter().map(|truth| truth.duration_s).fold(0.0, f64::max);
    let end = Duration::from_secs_f64(longest).saturating_sub(END_BEFORE_LOOP);
    let bar = if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} s of street");
        ProgressBar::new(end.as_secs()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    } else {
        say(&format!("the scenes take {} s", end.as_secs()));
        ProgressBar::hidden()
    };
    while let Some(left) = end.checked_sub(street.started.elapsed()).filter(|left| !left.is_zero()) {
        bar.set_position(street.started.elapsed().as_secs());
        std::thread::sleep(left.min(Duration::from_millis(500)));
    }
    bar.finish_and_clear();
}

/// Prints each case as it is posted, until the service ends.
fn print_posts(service: &Service) {
    let mut posts = service.posts();
    let desk = service.desk_url().to_owned();
    service.spawn(async move {
        while let Some(event) = posts.next().await {
            match event {
                PostEvent::CasePosted(case) => say(&case_line(&case, &desk)),
                PostEvent::SightingPosted { case_id, sighting } => {
                    say(&format!("seen again by {}  {desk}/cases/{case_id}", sighting.source.id));
                }
                PostEvent::Dead { case_id, reason, .. } => say(&format!("REFUSED {case_id}: {reason}")),
                _ => {}
            }
        }
    });
}

fn case_line(case: &Case, desk: &str) -> String {
    let cell = case.unit_grid.as_ref().map_or("no cell", |grid| grid.code.as_str());
    let place = case
        .location
        .as_ref()
        .map_or_else(String::new, |l| format!("{:.6}, {:.6} ± {:.1} m", l.lon, l.lat, l.error_m));
    let cameras: Vec<&str> = case.sources.iter().map(|source| source.id.as_str()).collect();
    format!(
        "CASE {} {}  {}  {cell}  {place}  score {:.2}  {desk}/cases/{}",
        case.matter.code,
        case.matter.name,
        cameras.join(", "),
        case.score,
        case.case_id
    )
}

fn tell(summary: &Summary) {
    let truth = &summary.truth;
    for camera in &summary.cameras {
        say(&format!(
            "{:12} {:10} {:5} looks {:5} passed {:3} findings",
            camera.id, camera.state, camera.looks, camera.passed, camera.findings
        ));
    }
    for missed in &truth.missed {
        let why = if missed.seen_by_weights { "" } else { " (today's weights do not know such things)" };
        say(&format!("missed: {} {}{why}", missed.id, missed.what));
    }
    for wrong in &truth.wrong {
        say(&format!(
            "false: {} {} by {}: {}",
            wrong.case_id,
            wrong.matter,
            wrong.cameras.join(", "),
            wrong.why
        ));
    }
    say(&format!(
        "{} events, {} found, {} missed, {} false, {} double",
        truth.events,
        truth.found,
        truth.missed.len(),
        truth.wrong.len(),
        truth.duplicates
    ));
}

fn list(problems: &[calib::check::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
}
