//! Finding and loading `libonnxruntime.so`.
//!
//! In comes a path or nothing, out comes the loaded library with its one environment, or an error that
//! names the command which mends it. Nothing is downloaded, and a path that was asked for is never
//! replaced by another one that happens to be there.
//!
//! One process holds one library and one environment for good: ONNX Runtime allows no second one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::error::ModelError;

/// Environment variable that names the library (a file, or a folder that holds it).
pub const PATH_VARIABLE: &str = "SHIRONG_ONNXRUNTIME";
/// The variable that `ort` itself knows; read after [`PATH_VARIABLE`].
pub const ORT_PATH_VARIABLE: &str = "ORT_DYLIB_PATH";
/// Where `make runtime` puts the library inside a checkout.
pub const CHECKOUT_DIR: &str = ".runtime/onnxruntime";
/// Oldest usable library: 1.22 (the `api-22` that `ort` is built with).
pub const MINOR_VERSION_MIN: u32 = ort::MINOR_VERSION;

const LIBRARY: &str = "libonnxruntime.so";

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// The loaded library. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Runtime {
    path: PathBuf,
    version: String,
    environment: Environment,
}

impl Runtime {
    /// Loads the library from `explicit` (a file, or a folder that holds it), or from the first of:
    /// `SHIRONG_ONNXRUNTIME`, `ORT_DYLIB_PATH`, `.runtime/onnxruntime/` in the executable's or the working
    /// directory and their parents, the system's library path. A second call gives the same library.
    ///
    /// # Errors
    /// [`ModelError::RuntimeMissing`], [`ModelError::RuntimeUnusable`] or [`ModelError::RuntimeLoaded`].
    pub fn load(explicit: Option<&Path>) -> Result<Self, ModelError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = explicit.map(Path::to_owned).or_else(asked_by_environment);
        if let Some(runtime) = &*loaded {
            return match asked.map(|asked| library_in(&asked).unwrap_or(asked)) {
                Some(asked) if asked != runtime.path => {
                    Err(ModelError::RuntimeLoaded { loaded: runtime.path.clone(), asked })
                }
                _ => Ok(runtime.clone()),
            };
        }
        let runtime = match asked {
            Some(asked) => match library_in(&asked) {
                Some(path) => open(&path)?,
                None => return Err(ModelError::RuntimeMissing { looked_in: vec![asked] }),
            },
            None => discover()?,
        };
        tracing::debug!(path = %runtime.path.display(), version = runtime.version(), "ONNX Runtime loaded");
        Ok(loaded.insert(runtime).clone())
    }

    /// The library's version such as `1.32.0`, as far as its file's name tells it (`ort` shows only that it is
    /// new enough, and the build information of released libraries does not hold it).
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file it was loaded from; a bare name where the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn asked_by_environment() -> Option<PathBuf> {
    [PATH_VARIABLE, ORT_PATH_VARIABLE]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// In a checkout's folder or, failing that, by the system's loader.
fn discover() -> Result<Runtime, ModelError> {
    let starts = [
        std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)),
        std::env::current_dir().ok(),
    ];
    let folders: Vec<PathBuf> = starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors().map(|folder| folder.join(CHECKOUT_DIR)))
        .collect();
    if let Some(path) = folders.iter().find_map(|folder| library_in(folder)) {
        return open(&path);
    }
    let system = Path::new(LIBRARY);
    open(system).map_err(|error| match error {
        ModelError::RuntimeUnusable { says, .. } if says.contains("cannot open shared object") => {
            let nearest = starts.iter().flatten().map(|start| start.join(CHECKOUT_DIR));
            let looked_in = nearest.chain(["their parents", "the system's library path"].map(PathBuf::from));
            ModelError::RuntimeMissing { looked_in: looked_in.collect() }
        }
        other => other,
    })
}

/// The file itself, or the library in a folder: `libonnxruntime.so` first, else the highest version.
fn library_in(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(absolute(path));
    }
    let entries = std::fs::read_dir(path).ok()?;
    let name_of = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter_map(|path| {
            let name = name_of(&path)?;
            let version = name.strip_prefix(LIBRARY)?;
            let numbers = version.split('.').filter_map(|number| number.parse().ok()).collect();
            (version.is_empty() || version.starts_with('.')).then_some((numbers, path))
        })
        .collect();
    found.sort();
    if let Some((_, plain)) = found.iter().find(|(version, _)| version.is_empty()) {
        return Some(absolute(plain));
    }
    found.pop().map(|(_, path)| absolute(&path))
}

/// Absolute, since `ort` reads a relative path from the executable's folder first.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn open(path: &Path) -> Result<Runtime, ModelError> {
    let unusable = |says: String| ModelError::RuntimeUnusable { path: path.to_owned(), says };
    let builder = ort::init_from(path).map_err(|error| unusable(reason(&error)))?;
    // No telemetry: what a city's cameras run stays there.
    let environment = builder
        .with_name("shirong")
        .with_telemetry(false)
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let real = path.canonicalize().ok().or_else(mapped).unwrap_or_default();
    let name = real.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix("libonnxruntime.so.").filter(|version| version.contains('.'));
    let version = version.map_or_else(|| format!("1.{MINOR_VERSION_MIN} or later"), str::to_owned);
    Ok(Runtime { path: path.to_owned(), version, environment })
}

/// The library's file as the kernel has it mapped, for one that the system's loader found.
fn mapped() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let file = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    file.map(PathBuf::from).find(|file| {
        file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(LIBRARY))
    })
}

fn reason(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => {
            let loader = std::error::Error::source(error);
            loader.map_or_else(|| error.to_string(), |source| source.to_string())
        }
        ort::LoadDynamicError::MissingApi { .. } => "it is not ONNX Runtime (no OrtGetApiBase)".to_owned(),
        ort::LoadDynamicError::InvalidVersionString => "it does not tell its version".to_owned(),
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!("version {version_str} is too old")
        }
    }
}
