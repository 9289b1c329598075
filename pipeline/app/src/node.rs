//! `shirong.toml` and everything that it names: read from disk, checked as a whole.
//!
//! In: the path of the node's file. Out: a [`Node`] that cannot be wrong, or every mistake in every file at
//! once. Never: a socket, a camera, a model session.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::desk::TlsFiles;
use calib::camera::{Camera, GridFiles, PasswordPlace};
use calib::check::{Problem, Section, Source};
use calib::class::Class;
use calib::defaults::Defaults;
use calib::grid::Grids;
use calib::matter::Catalogue;
use calib::papers::{Faults, Found, Papers};
use logic::look::CameraId;
use report::Retention;
use sha2::{Digest, Sha256};

use crate::{eyes, reference, retention, source};

/// Where the embedded desk listens when its file says nothing.
pub(crate) const DESK_LISTEN: &str = "127.0.0.1:8642";
/// Threads of the detector when the file says nothing: what is left beside decoding on a small node.
pub(crate) const MODEL_THREADS: u32 = 2;
/// Frames of different cameras that go through the detector at once when the file says nothing.
pub(crate) const MODEL_BATCH_MAX: u32 = 4;

/// The folder of camera files when the file names none.
const CAMERAS: &str = "cameras";

/// One node, ready to use.
pub(crate) struct Node {
    /// Its file.
    pub file: PathBuf,
    /// What it is called in logs.
    pub name: String,
    /// The folder of its file, from which relative paths start.
    pub folder: PathBuf,
    /// Where the service keeps its state and evidence.
    pub data: PathBuf,
    /// The model's manifest.
    pub manifest: PathBuf,
    /// The manifest of the model that judges what the first one saw, if any.
    pub second: Option<PathBuf>,
    /// The manifest of the model that finds the faces and plates that evidence hides, if any.
    pub masking: Option<PathBuf>,
    /// Threads that decode the key frames of all cameras; 0: one a processor.
    pub decoders: usize,
    /// Detector threads.
    pub model_threads: usize,
    /// Frames a batch.
    pub model_batch_max: usize,
    /// Where cases go.
    pub desk: DeskPlace,
    /// Where its health is told, if anywhere.
    pub health: Option<SocketAddr>,
    /// How long evidence is kept.
    pub retention: Retention,
    /// Cameras by id.
    pub cameras: BTreeMap<CameraId, CameraEntry>,
    /// What the city has on paper.
    pub papers: Papers,
    /// Every file that was asked for.
    pub files: Vec<PathBuf>,
    /// What must be mended and keeps no service from starting: `check` refuses it, `run` tells it.
    pub doubts: Vec<Problem>,
}

/// A camera with what the service needs to know of its file.
#[derive(Clone)]
pub(crate) struct CameraEntry {
    /// The checked file.
    pub camera: Arc<Camera>,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// The layers that its findings are placed in.
    pub grids: Arc<Grids>,
    /// The folder that the file's own relative paths start from.
    pub folder: PathBuf,
    /// The file.
    pub file: PathBuf,
}

/// Where cases go.
#[derive(Debug)]
pub(crate) enum DeskPlace {
    /// To the desk in this process.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
        /// With which certificate, where it speaks TLS itself.
        tls: Option<TlsFiles>,
        /// The operator's proxy stands before it.
        is_behind_proxy: bool,
    },
    /// To another one.
    External {
        /// Its base URL.
        url: String,
        /// Where the bearer token is kept.
        token: PasswordPlace,
    },
}

/// A node, or everything that is wrong with it.
pub(crate) fn load(file: &Path) -> Result<Node, Vec<Problem>> {
    let Reading { node, mut errors, doubts, .. } = take_in(file);
    match node {
        Some(node) if errors.is_empty() => Ok(Node { doubts: told_once(doubts), ..node }),
        _ => {
            errors.extend(doubts);
            Err(told_once(errors))
        }
    }
}

/// A node's file and everything that it names, the good beside the bad.
pub(crate) struct Reading {
    /// The node with those cameras whose files are good; `None` where its own file or its papers are not.
    pub node: Option<Node>,
    /// Cameras whose files are there, good or not.
    pub present: BTreeSet<CameraId>,
    /// What keeps a service from starting.
    pub errors: Vec<Problem>,
    /// What must be mended and keeps nothing from starting.
    pub doubts: Vec<Problem>,
    /// Every file that was asked for.
    pub files: Vec<PathBuf>,
}

/// Reads a node's file and everything that it names.
pub(crate) fn take_in(file: &Path) -> Reading {
    let asked = Asked::default();
    asked.note(file);
    let mut reading = Reading {
        node: None,
        present: BTreeSet::new(),
        errors: Vec::new(),
        doubts: Vec::new(),
        files: Vec::new(),
    };
    let shown = file.display().to_string();
    match read(file, &shown, "name a file that can be read: shirong run -c shirong.toml") {
        Ok(text) => take_in_text(file, &shown, &text, &asked, &mut reading),
        Err(problem) => reading.errors.push(problem),
    }
    reading.files = asked.0.into_inner();
    if let Some(node) = &mut reading.node {
        node.files.clone_from(&reading.files);
    }
    reading
}

fn take_in_text(file: &Path, shown: &str, text: &str, asked: &Asked, reading: &mut Reading) {
    let folder = file.parent().unwrap_or(Path::new(".")).to_path_buf();
    let mut source = Source::new(shown, text);
    let mut root = source.root();
    let mut faults = Faults::default();
    let tables = read_tables(&mut source, &mut root, &folder, asked, &mut faults);
    root.finish(&mut source);
    let Tables { name, data, cameras, decoders, model, papers, defaults, desk, health, retention } = tables;
    let ModelTable { manifest, detector, second, masking, threads, batch } = model;
    reading.errors = source.into_problems();
    reading.errors.append(&mut faults.errors);
    // Whether a model can be used is the matter of whoever opens it, not of the cameras.
    let of_model = |problem: &Problem| {
        matches!(problem.key.as_str(), "model.manifest" | "model.second" | "model.masking")
    };
    let sound = reading.errors.iter().all(of_model);

    let cameras_folder = folder.join(cameras.as_deref().unwrap_or(CAMERAS));
    let files = camera_files(&cameras_folder, asked, &mut faults.errors);
    // A folder that cannot be read is no sign that every camera has left.
    let sound = sound && faults.errors.is_empty();
    let mut cameras = load_cameras(&files, &papers, &defaults, asked, &mut faults);
    reading.present =
        files.iter().filter_map(|path| Some(CameraId::new(path.file_stem()?.to_str()?))).collect();
    let named = cameras.iter().map(|(id, entry)| (id.as_str(), entry.camera.as_ref()));
    faults.doubts.extend(papers.permits_of_nothing(named));
    if let Some(model) = detector {
        let input = [model.input().width, model.input().height];
        cameras.retain(|id, entry| {
            let file = cameras_folder.join(format!("{id}.toml"));
            let too_many = eyes::tile_problem(&file, &entry.camera, input);
            let sound = too_many.is_none();
            faults.errors.extend(too_many);
            sound
        });
    }
    reading.errors.append(&mut faults.errors);
    reading.doubts = faults.doubts;
    if let (Some(manifest), Some(desk), true) = (manifest, desk, sound) {
        reading.node = Some(Node {
            file: file.to_path_buf(),
            name: name.unwrap_or_else(|| "shirong".to_owned()),
            folder: folder.clone(),
            data: folder.join(data.as_deref().unwrap_or("data")),
            manifest,
            second,
            masking,
            decoders: decoders as usize,
            model_threads: threads as usize,
            model_batch_max: batch as usize,
            desk,
            health,
            retention,
            cameras,
            papers,
            files: Vec::new(),
            doubts: Vec::new(),
        });
    }
}

/// The files that were asked for, in the order of asking.
#[derive(Default)]
pub(crate) struct Asked(RefCell<Vec<PathBuf>>);

impl Asked {
    fn note(&self, path: &Path) {
        self.0.borrow_mut().push(path.to_path_buf());
    }

    /// A manifest, or the folder that holds it.
    fn note_manifest(&self, path: &Path) {
        let in_folder = path.join(models::manifest::FILE_NAME);
        self.note(if path.is_dir() { &in_folder } else { path });
    }
}

/// What the tables of a node's file say.
struct Tables<'t> {
    name: Option<String>,
    data: Option<String>,
    cameras: Option<String>,
    decoders: u32,
    model: ModelTable,
    papers: Papers,
    defaults: Defaults<'t>,
    desk: Option<DeskPlace>,
    health: Option<SocketAddr>,
    retention: Retention,
}

/// `[model]`.
struct ModelTable {
    manifest: Option<PathBuf>,
    /// What the manifest says, where it can be read.
    detector: Option<models::Manifest>,
    second: Option<PathBuf>,
    masking: Option<PathBuf>,
    threads: u32,
    batch: u32,
}

fn read_tables<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    folder: &Path,
    asked: &Asked,
    faults: &mut Faults,
) -> Tables<'t> {
    let name = root.section(source, "node").map(|mut section| {
        let name = section.text(source, "name");
        let data = section.text(source, "data");
        let cameras = section.text(source, "cameras");
        let decoders = section.whole(source, "decoders", (0, 256));
        section.finish(source);
        (name, data, cameras, decoders)
    });
    let (name, data, cameras, decoders) = name.unwrap_or_default();
    let decoders = decoders.unwrap_or_default();
    let model = read_model(source, root, folder, asked);
    let papers = Papers::read(source, root, &|path| found(folder, path, asked), faults);
    // Camera files lie in another folder: what they inherit starts from this one's.
    let base = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let defaults = Defaults::read(source, root, &base.display().to_string());
    let desk = read_desk(source, root, folder);
    let health = read_health(source, root);
    let retention = retention::read(source, root, &papers.catalogue);
    Tables { name, data, cameras, decoders, model, papers, defaults, desk, health, retention }
}

/// Not a node: every table of its file once, so that the reader asks for every key.
const EVERY_TABLE: &str = "[node]\n[model]\n[matters]\n[grids]\n[papers]\n[defaults]\n[desk]\n[desk.tls]\n[health]\n[evidence]\n[[evidence.matter]]\n";

/// The JSON Schema of a node's file, made of what its reader asks for.
pub(crate) fn schema() -> serde_json::Value {
    let mut source = Source::new("", EVERY_TABLE).noting();
    let mut root = source.root();
    read_tables(&mut source, &mut root, Path::new(""), &Asked::default(), &mut Faults::default());
    calib::schema::node(&source.into_asked())
}

/// Each problem once: a mistake in what many cameras inherit is one mistake.
pub(crate) fn told_once(problems: Vec<Problem>) -> Vec<Problem> {
    let mut once: Vec<Problem> = Vec::new();
    for problem in problems {
        if !once.contains(&problem) {
            once.push(problem);
        }
    }
    once
}

/// A file that another one in `folder` names.
fn found(folder: &Path, path: &str, asked: &Asked) -> Found {
    let path = folder.join(path);
    asked.note(&path);
    Found {
        shown: path.display().to_string(),
        bytes: std::fs::read(&path).map_err(|error| error.to_string()),
    }
}

fn read_model<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    folder: &Path,
    asked: &Asked,
) -> ModelTable {
    let none = ModelTable {
        manifest: None,
        detector: None,
        second: None,
        masking: None,
        threads: MODEL_THREADS,
        batch: MODEL_BATCH_MAX,
    };
    let mend = "write [model] and under it manifest = \"models/city-nano/manifest.toml\"";
    if !root.has("model") {
        source.problem(&root.at_key("model"), "is missing", mend);
        return none;
    }
    let Some(mut section) = root.section(source, "model") else {
        return none;
    };
    let manifest = section.text_required(source, "manifest", mend).map(|path| folder.join(path));
    let detector = manifest.as_ref().and_then(|path| {
        asked.note_manifest(path);
        let mend = "name a model's manifest.toml; `shirong models check FILE` says what a manifest needs";
        let told = |error: models::ModelError| {
            source.problem(&section.at_key("manifest"), error.to_string(), mend);
        };
        models::Manifest::load(path).map_err(told).ok()
    });
    let second = section.text(source, "second").map(|path| folder.join(path));
    let masking = section.text(source, "masking").map(|path| folder.join(path));
    for path in second.iter().chain(&masking) {
        asked.note_manifest(path);
    }
    if let Some((what, mend)) = masking.as_deref().and_then(masking_fault) {
        source.problem(&section.at_key("masking"), what, mend);
    }
    if let Some(path) = &second
        && let Some((what, mend)) = second_fault(path, detector.as_ref())
    {
        source.problem(&section.at_key("second"), what, mend);
    }
    let threads = section.whole(source, "threads", (1, 256)).unwrap_or(MODEL_THREADS);
    let batch = section
        .whole(source, "batch_max", (1, models::detector::BATCH_MAX as u32))
        .unwrap_or(MODEL_BATCH_MAX);
    section.finish(source);
    ModelTable { manifest, detector, second, masking, threads, batch }
}

/// What is wrong with the manifest of a model that is to find faces and plates, and the mend.
fn masking_fault(path: &Path) -> Option<(String, &'static str)> {
    match models::Manifest::load(path) {
        Ok(manifest) if manifest.classes().iter().any(|class| Class::HIDDEN.has(*class)) => None,
        Ok(_) => {
            let what = "finds neither face nor plate: it would hide nothing";
            Some((
                what.to_owned(),
                "map a label to \"face\" or \"plate\" under [classes] of its manifest, or take it out",
            ))
        }
        Err(error) => {
            let mend =
                "name a detector's manifest.toml; `shirong models check FILE` says what a manifest needs";
            Some((error.to_string(), mend))
        }
    }
}

/// What is wrong with the manifest of a second stage behind such a detector, and the mend.
fn second_fault(path: &Path, detector: Option<&models::Manifest>) -> Option<(String, String)> {
    let second = match models::ClassifierManifest::load(path) {
        Ok(second) => second,
        Err(error) => {
            let mend = "name the manifest.toml of a model with family = \"classifier\"; `shirong models check \
                        FILE` says what it needs";
            return Some((error.to_string(), mend.to_owned()));
        }
    };
    let names = |classes: &[Class]| classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(", ");
    let on = &second.cut().on;
    let masked: Vec<Class> = on.iter().copied().filter(|class| report::masks(*class)).collect();
    if !masked.is_empty() {
        let what = format!("judges {}, which evidence masks: its word could lift a mask", names(&masked));
        return Some((what, "take these out of `on` in its manifest".to_owned()));
    }
    let known = detector?.classes();
    if on.iter().any(|class| known.contains(class)) {
        return None;
    }
    let what = format!("judges {} alone, which the model never sees: it would have no work", names(on));
    Some((what, format!("take it out, or write on = some of these into its manifest: {}", names(&known))))
}

fn read_desk<'t>(source: &mut Source<'t>, root: &mut Section<'t>, folder: &Path) -> Option<DeskPlace> {
    let default_listen = || DESK_LISTEN.parse().ok();
    let Some(mut section) = root.section(source, "desk") else {
        let listen = default_listen()?;
        return Some(DeskPlace::Embedded { listen, tls: None, is_behind_proxy: false });
    };
    let url = section.text(source, "url");
    let listen = section.text(source, "listen");
    let is_behind_proxy = section.switch(source, "proxy").unwrap_or(false);
    let tls = read_tls(source, &mut section, folder);
    if url.is_some() && (is_behind_proxy || tls.is_some()) {
        let mend = "they are the embedded desk's; with url another platform has its own";
        source.problem(&section.at_key("url"), "stands beside proxy or tls", mend);
    }
    let from_env = section.text(source, "token_env").map(PasswordPlace::Env);
    let from_file = section.text(source, "token_file").map(PasswordPlace::File);
    if from_env.is_some() && from_file.is_some() {
        source.problem(&section.at_key("token_file"), "stands beside token_env", "keep one of them");
    }
    if url.is_none() && (from_env.is_some() || from_file.is_some()) {
        let mend = "the embedded desk makes its own token; write url = \"https://…\" to post elsewhere";
        source.problem(&section.at(), "has a token and no url", mend);
    }
    let place = match (url, &listen) {
        (Some(_), Some(_)) => {
            let mend = "keep listen for the embedded desk, or url for another platform";
            source.problem(&section.at_key("url"), "stands beside listen", mend);
            None
        }
        (Some(url), None) => {
            let token = from_env.or(from_file);
            if token.is_none() {
                let mend = "write token_env = \"NAME_OF_A_VARIABLE\" or token_file = \"/path\"";
                source.problem(&section.at_key("url"), "has no token beside it", mend);
            }
            if !url.starts_with("http://") && !url.starts_with("https://") {
                source.problem(&section.at_key("url"), "is no HTTP address", "write url = \"https://host/\"");
            }
            token.map(|token| DeskPlace::External { url, token })
        }
        (None, _) => match listen.as_deref().unwrap_or(DESK_LISTEN).parse() {
            Ok(listen) => {
                let listen: SocketAddr = listen;
                if !listen.ip().is_loopback() && tls.is_none() && !is_behind_proxy {
                    let mend = "write [desk.tls] with cert and key, or proxy = true where a proxy before it holds the \
                                certificate; or listen at 127.0.0.1";
                    let what =
                        "is reached from other machines without TLS: tokens and evidence would go in clear";
                    source.problem(&section.at_key("listen"), what, mend);
                }
                Some(DeskPlace::Embedded { listen, tls, is_behind_proxy })
            }
            Err(_) => {
                let mend = format!("write an address and a port: \"{DESK_LISTEN}\"");
                source.problem(&section.at_key("listen"), "is no address with a port", mend);
                None
            }
        },
    };
    section.finish(source);
    place
}

fn read_tls<'t>(source: &mut Source<'t>, desk: &mut Section<'t>, folder: &Path) -> Option<TlsFiles> {
    let mut section = desk.section(source, "tls")?;
    let mend = "name a PEM file, from this file's folder";
    let cert = section.text_required(source, "cert", mend).map(|path| folder.join(path));
    let key = section.text_required(source, "key", mend).map(|path| folder.join(path));
    let files = cert.zip(key).map(|(cert, key)| TlsFiles { cert, key });
    if let Some(Err(error)) = files.as_ref().map(TlsFiles::load) {
        let mend = "name the certificate's chain and its own key, both in PEM";
        source.problem(&section.at(), error.to_string(), mend);
    }
    section.finish(source);
    files
}

fn read_health<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<SocketAddr> {
    let mut section = root.section(source, "health")?;
    let mend = "write an address and a port: listen = \"127.0.0.1:8643\"";
    let listen = section.text_required(source, "listen", mend).and_then(|text| {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            source.problem(&section.at_key("listen"), "is no address with a port", mend);
        }
        parsed
    });
    section.finish(source);
    listen
}

/// The folder of camera files that a node's file names, which may be wrong in other things.
pub(crate) fn cameras_folder(file: &Path, table: &toml::Table) -> PathBuf {
    let named = table.get("node").and_then(|node| node.get("cameras")).and_then(toml::Value::as_str);
    file.parent().unwrap_or(Path::new("")).join(named.unwrap_or(CAMERAS))
}

/// The camera files of a folder, in the order of their names.
fn camera_files(folder: &Path, asked: &Asked, errors: &mut Vec<Problem>) -> Vec<PathBuf> {
    asked.note(folder);
    let shown = folder.display().to_string();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let mend =
                "make this folder and put one TOML file a camera into it, or name another under [node]";
            errors.push(file_problem(&shown, "", &error.to_string(), mend));
            return Vec::new();
        }
    };
    let listed: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = match listed {
        Ok(files) => files,
        // Half a list must not pass for cameras that have left.
        Err(error) => {
            errors.push(file_problem(&shown, "", &error.to_string(), "see that the folder can be read"));
            return Vec::new();
        }
    };
    // Names that begin with a dot are editors' locks and drafts.
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    files.retain(|path| path.extension().is_some_and(|e| e == "toml") && !is_hidden(path));
    files.sort();
    if files.is_empty() {
        let mend = "put one TOML file a camera into it, for instance footway-east.toml";
        errors.push(file_problem(&shown, "", "holds no camera", mend));
    }
    files
}

fn load_cameras(
    files: &[PathBuf],
    papers: &Papers,
    defaults: &Defaults<'_>,
    asked: &Asked,
    faults: &mut Faults,
) -> BTreeMap<CameraId, CameraEntry> {
    let mut cameras = BTreeMap::new();
    for path in files {
        asked.note(path);
        match read_camera(path, papers, defaults, asked, &mut faults.doubts) {
            Ok((id, entry)) => {
                cameras.insert(id, entry);
            }
            Err(found) => faults.errors.extend(found),
        }
    }
    cameras
}

/// One camera's file. Its stem is the camera's id.
pub(crate) fn load_camera(
    path: &Path,
    catalogue: &Catalogue,
    node_grids: &Arc<Grids>,
) -> Result<(CameraId, CameraEntry), Vec<Problem>> {
    let papers = Papers { catalogue: catalogue.clone(), grids: Arc::clone(node_grids), ..Papers::default() };
    load_camera_under(path, &papers, &Defaults::default(), &mut Vec::new())
}

/// One camera's file under its city's papers and its node's defaults.
pub(crate) fn load_camera_under(
    path: &Path,
    papers: &Papers,
    defaults: &Defaults<'_>,
    doubts: &mut Vec<Problem>,
) -> Result<(CameraId, CameraEntry), Vec<Problem>> {
    read_camera(path, papers, defaults, &Asked::default(), doubts)
}

fn read_camera(
    path: &Path,
    papers: &Papers,
    defaults: &Defaults<'_>,
    asked: &Asked,
    doubts: &mut Vec<Problem>,
) -> Result<(CameraId, CameraEntry), Vec<Problem>> {
    let shown = path.display().to_string();
    let text = read(path, &shown, "name a camera file that can be read").map_err(|problem| vec![problem])?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut problems = Vec::new();
    if stem.is_empty() || !stem.chars().all(plain) {
        let what = "its name is the camera's id and has other signs than letters, digits, - and _";
        problems.push(file_problem(&shown, "", what, "rename it, for instance footway-east.toml"));
    }
    let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
    let camera = Camera::parse_under(&shown, &text, &papers.catalogue, defaults);
    let mut camera = camera.map_err(|found| problems.extend(found)).ok();
    if let Some(camera) = &mut camera {
        camera.keep_to(stem, papers);
    }
    // A file with mistakes is still asked for its grids, so that theirs show in the same run.
    let files = match &camera {
        Some(camera) => camera.grids.clone(),
        None => {
            let mut source = Source::new(&shown, &text);
            let mut root = source.root();
            GridFiles::read(&mut source, &mut root)
        }
    };
    let grids = match files {
        Some(files) => {
            let mut faults = Faults::default();
            let grids = Grids::read(&shown, &files, &|path| found(&folder, path, asked), &mut faults);
            problems.append(&mut faults.errors);
            doubts.append(&mut faults.doubts);
            Arc::new(grids)
        }
        None => Arc::clone(&papers.grids),
    };
    for picture in camera.iter().flat_map(|camera| reference::named(camera, &folder)) {
        asked.note(&picture.path);
        doubts.extend(picture.problem(&shown));
    }
    let password = camera.as_ref().and_then(|camera| camera.stream.password.as_ref());
    if let Some(PasswordPlace::File(path)) = password {
        asked.note(&folder.join(path));
    }
    if let Some(place) = password
        && let Err(error) = secret(place, &folder)
    {
        let key = if matches!(place, PasswordPlace::Env(_)) { "password_env" } else { "password_file" };
        let mend = "set it before Shirong starts, or name another place";
        problems.push(file_problem(&shown, &format!("stream.{key}"), &error.to_string(), mend));
    }
    match camera {
        Some(camera) if problems.is_empty() => {
            let sha256 = hex(&Sha256::digest(text.as_bytes()));
            let id = CameraId::new(stem);
            let entry =
                CameraEntry { camera: Arc::new(camera), sha256, grids, folder, file: path.to_path_buf() };
            match source::config(&id, &entry) {
                Ok(_) => Ok((id, entry)),
                Err(error) => {
                    let mend = "write it like rtsp://192.0.2.10:554/stream, or the path of a clip";
                    Err(vec![file_problem(&shown, "stream.url", &format!("{error:#}"), mend)])
                }
            }
        }
        _ => Err(problems),
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The secret kept at a place; relative files start from `folder`.
///
/// # Errors
/// The variable is not set or the file cannot be read; the message names the place, never the secret.
pub(crate) fn secret(place: &PasswordPlace, folder: &Path) -> anyhow::Result<String> {
    match place {
        PasswordPlace::Env(name) => {
            std::env::var(name).map_err(|_| anyhow::anyhow!("the environment variable {name} is not set"))
        }
        PasswordPlace::File(path) => {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| anyhow::anyhow!("the secret's file {}: {error}", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

fn read(path: &Path, shown: &str, mend: &str) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| file_problem(shown, "", &error.to_string(), mend))
}

/// A problem of a file.
pub(crate) fn file_problem(file: &str, key: &str, what: &str, mend: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        key: key.to_owned(),
        line: None,
        what: what.to_owned(),
        mend: mend.to_owned(),
    }
}
