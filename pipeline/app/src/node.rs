//! `shirong.toml` and everything that it names: read from disk, checked as a whole.
//!
//! In: the path of the node's file. Out: a [`Node`] that cannot be wrong, or every mistake in every file at
//! once. Never: a socket, a camera, a model session.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calib::camera::{Camera, GridFiles, PasswordPlace};
use calib::check::{Problem, Section, Source};
use calib::grid::{CodeProfile, GridLayer, Grids, LayerKind};
use calib::matter::Catalogue;
use logic::look::CameraId;
use sha2::{Digest, Sha256};

/// Where the embedded desk listens when its file says nothing.
pub(crate) const DESK_LISTEN: &str = "127.0.0.1:8642";
/// Threads of the detector when the file says nothing: what is left beside decoding on a small node.
pub(crate) const MODEL_THREADS: u32 = 2;
/// Frames of different cameras that go through the detector at once when the file says nothing.
pub(crate) const MODEL_BATCH_MAX: u32 = 4;

/// One node, ready to use.
pub(crate) struct Node {
    /// What it is called in logs.
    pub name: String,
    /// The folder of its file, from which relative paths start.
    pub folder: PathBuf,
    /// Where the service keeps its state and evidence.
    pub data: PathBuf,
    /// The model's manifest.
    pub manifest: PathBuf,
    /// Detector threads.
    pub model_threads: usize,
    /// Frames a batch.
    pub model_batch_max: usize,
    /// Where cases go.
    pub desk: DeskPlace,
    /// Cameras by id.
    pub cameras: BTreeMap<CameraId, CameraEntry>,
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
}

/// Where cases go.
pub(crate) enum DeskPlace {
    /// To the desk in this process.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
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
    let shown = file.display().to_string();
    let text = read(file, &shown, "", "name a file that can be read: shirong run -c shirong.toml");
    let text = text.map_err(|problem| vec![problem])?;
    let folder = file.parent().unwrap_or(Path::new(".")).to_path_buf();
    let mut source = Source::new(&shown, &text);
    let mut root = source.root();
    let mut more = Vec::new();

    let name = root.section(&mut source, "node").map(|mut section| {
        let name = section.text(&mut source, "name");
        let data = section.text(&mut source, "data");
        let cameras = section.text(&mut source, "cameras");
        section.finish(&mut source);
        (name, data, cameras)
    });
    let (name, data, cameras) = name.unwrap_or_default();
    let (manifest, threads, batch) = read_model(&mut source, &mut root, &folder);
    let catalogue = read_matters(&mut source, &mut root, &folder, &mut more);
    let grid_files = GridFiles::read(&mut source, &mut root).unwrap_or_default();
    let grids = Arc::new(load_grids(&grid_files, &shown, &folder, &mut more));
    let desk = read_desk(&mut source, &mut root);
    root.finish(&mut source);

    let cameras_folder = folder.join(cameras.as_deref().unwrap_or("cameras"));
    let cameras = load_cameras(&cameras_folder, &catalogue, &grids, &mut more);
    let mut problems = source.into_problems();
    problems.extend(more);
    match (manifest, desk) {
        (Some(manifest), Some(desk)) if problems.is_empty() => Ok(Node {
            name: name.unwrap_or_else(|| "shirong".to_owned()),
            folder: folder.clone(),
            data: folder.join(data.as_deref().unwrap_or("data")),
            manifest,
            model_threads: threads as usize,
            model_batch_max: batch as usize,
            desk,
            cameras,
        }),
        _ => Err(problems),
    }
}

fn read_model<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    folder: &Path,
) -> (Option<PathBuf>, u32, u32) {
    let mend = "write [model] and under it manifest = \"models/city-nano/manifest.toml\"";
    if !root.has("model") {
        source.problem(&root.at_key("model"), "is missing", mend);
        return (None, MODEL_THREADS, MODEL_BATCH_MAX);
    }
    let Some(mut section) = root.section(source, "model") else {
        return (None, MODEL_THREADS, MODEL_BATCH_MAX);
    };
    let manifest = section.text_required(source, "manifest", mend).map(|path| folder.join(path));
    if let Some(path) = &manifest
        && let Err(error) = models::Manifest::load(path)
    {
        let mend = "name a model's manifest.toml; `shirong models check FILE` says what a manifest needs";
        source.problem(&section.at_key("manifest"), error.to_string(), mend);
    }
    let threads = section.whole(source, "threads", (1, 256)).unwrap_or(MODEL_THREADS);
    let batch = section
        .whole(source, "batch_max", (1, models::detector::BATCH_MAX as u32))
        .unwrap_or(MODEL_BATCH_MAX);
    section.finish(source);
    (manifest, threads, batch)
}

fn read_matters<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    folder: &Path,
    more: &mut Vec<Problem>,
) -> Catalogue {
    let builtin = Catalogue::builtin();
    let Some(mut section) = root.section(source, "matters") else { return builtin };
    let local = section.text(source, "local");
    let at = section.at_key("local");
    section.finish(source);
    let Some(local) = local else { return builtin };
    let path = folder.join(local);
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            source.problem(&at, format!("`{shown}`: {error}"), "name a file with the city's own codes");
            return builtin;
        }
    };
    let merged = Catalogue::parse(&shown, &text).and_then(|local| builtin.clone().merge(local));
    merged.unwrap_or_else(|errors| {
        more.extend(
            errors.iter().map(|e| file_problem(&shown, &e.key, &e.fault.to_string(), &e.fault.mend())),
        );
        builtin
    })
}

/// Reads the layers that a file names; `None` where one of them cannot be used.
fn load_grids(files: &GridFiles, file: &str, folder: &Path, problems: &mut Vec<Problem>) -> Grids {
    let profile = match files.unit_digits {
        14 => CodeProfile::Digits14,
        16 => CodeProfile::Digits16,
        _ => CodeProfile::Digits15,
    };
    let mut layer = |key: &str, name: Option<&String>, kind: LayerKind| {
        let path = folder.join(name?);
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            problems.push(Problem {
                file: file.to_owned(),
                key: format!("grids.{key}"),
                line: None,
                what: format!("`{shown}`: {error}"),
                mend: "name a GeoJSON file with the layer's cells; paths start from this file's folder"
                    .into(),
            });
        });
        let parsed = GridLayer::parse(&shown, &text.ok()?, kind).map_err(|errors| {
            let faults =
                errors.iter().map(|e| file_problem(&shown, &e.place, &e.fault.to_string(), e.fault.mend()));
            problems.extend(faults);
        });
        parsed.ok()
    };
    Grids {
        unit: layer("unit", files.unit.as_ref(), LayerKind::Unit { profile }),
        responsibility: layer("responsibility", files.responsibility.as_ref(), LayerKind::Responsibility),
    }
}

fn read_desk<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<DeskPlace> {
    let default_listen = || DESK_LISTEN.parse().ok();
    let Some(mut section) = root.section(source, "desk") else {
        return Some(DeskPlace::Embedded { listen: default_listen()? });
    };
    let url = section.text(source, "url");
    let listen = section.text(source, "listen");
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
            Ok(listen) => Some(DeskPlace::Embedded { listen }),
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

fn load_cameras(
    folder: &Path,
    catalogue: &Catalogue,
    grids: &Arc<Grids>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<CameraId, CameraEntry> {
    let mut cameras = BTreeMap::new();
    let shown = folder.display().to_string();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem {
                file: shown,
                key: String::new(),
                line: None,
                what: error.to_string(),
                mend: "make this folder and put one TOML file a camera into it, or name another under [node]"
                    .to_owned(),
            });
            return cameras;
        }
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    if files.is_empty() {
        problems.push(Problem {
            file: shown,
            key: String::new(),
            line: None,
            what: "holds no camera".to_owned(),
            mend: "put one TOML file a camera into it, for instance footway-east.toml".to_owned(),
        });
    }
    for path in files {
        match load_camera(&path, catalogue, grids) {
            Ok((id, entry)) => {
                cameras.insert(id, entry);
            }
            Err(found) => problems.extend(found),
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
    let shown = path.display().to_string();
    let text =
        read(path, &shown, "", "name a camera file that can be read").map_err(|problem| vec![problem])?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut problems = Vec::new();
    if stem.is_empty() || !stem.chars().all(plain) {
        problems.push(Problem {
            file: shown.clone(),
            key: String::new(),
            line: None,
            what: "its name is the camera's id and has other signs than letters, digits, - and _".to_owned(),
            mend: "rename it, for instance footway-east.toml".to_owned(),
        });
    }
    let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
    let camera = Camera::parse(&shown, &text, catalogue).map_err(|found| problems.extend(found)).ok();
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
        Some(files) => Arc::new(load_grids(&files, &shown, &folder, &mut problems)),
        None => Arc::clone(node_grids),
    };
    if let Some(stream) = camera.as_ref().map(|camera| &camera.stream)
        && let Some(place) = &stream.password
        && let Err(error) = secret(place, &folder)
    {
        let key = if matches!(place, PasswordPlace::Env(_)) { "password_env" } else { "password_file" };
        let mend = "set it before Shirong starts, or name another place";
        problems.push(file_problem(&shown, &format!("stream.{key}"), &error.to_string(), mend));
    }
    match camera {
        Some(camera) if problems.is_empty() => {
            let sha256 = hex(&Sha256::digest(text.as_bytes()));
            Ok((CameraId::new(stem), CameraEntry { camera: Arc::new(camera), sha256, grids, folder }))
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

fn read(path: &Path, shown: &str, key: &str, mend: &str) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| Problem {
        file: shown.to_owned(),
        key: key.to_owned(),
        line: None,
        what: error.to_string(),
        mend: mend.to_owned(),
    })
}

fn file_problem(file: &str, key: &str, what: &str, mend: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        key: key.to_owned(),
        line: None,
        what: what.to_owned(),
        mend: mend.to_owned(),
    }
}
