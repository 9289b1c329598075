//! `shirong camera new`: a first file for a camera, from a look at its stream.
//!
//! In: an id, an address. Out: a commented camera file that `shirong check` accepts as it stands, with a
//! picture beside it to draw zones on. Never: a password in that file; a file in another one's place that
//! nobody asked to replace; anything at all where the stream gives no picture.

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use calib::camera::{Camera, PasswordPlace};
use calib::matter::Catalogue;
use ingest::{Credentials, ProbeReport, Secret, SourceLocation, Transport};
use text::{Found, Sketch};

use crate::node::{self, secret};
use crate::probe;

/// The node's file that is looked for where none is named.
const NODE_FILE: &str = "shirong.toml";
/// The schema for editors, under a folder above the camera's file.
const SCHEMA_FILES: &[&str] = &["camera.schema.json", "calib/schema/camera.schema.json"];
/// What an address that carries a password in its path or query says before it; many recorders are asked so.
const PASSWORD_WORDS: &[&str] = &["password=", "passwd=", "pwd="];

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Writes a first file for a camera, from a look at its stream.
    New(Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The camera's id, which names its file: letters, digits, - and _.
    #[arg(value_name = "ID")]
    id: String,
    /// rtsp://host:554/path, or a clip that stands for a camera.
    #[arg(value_name = "URL")]
    url: String,
    /// The user, where the camera wants one.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The environment variable that holds the password.
    #[arg(long, value_name = "VAR")]
    password_env: Option<String>,
    /// The file that holds the password.
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
    /// Take RTP over UDP.
    #[arg(long)]
    udp: bool,
    /// The node's file, into whose folder of cameras the file goes; shirong.toml where it lies here.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write this file instead of ID.toml in the folder of cameras.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    force: bool,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECS", default_value_t = 20)]
    timeout: u64,
    /// Write the file without a look at the stream.
    #[arg(long)]
    offline: bool,
}

/// The node that the camera is for.
struct NodeFile {
    path: PathBuf,
    cameras: PathBuf,
    groups: Vec<String>,
}

/// Where the stream is, without its password.
struct Address {
    /// As the file says it.
    url: String,
    user: Option<String>,
    password: Option<PasswordPlace>,
}

/// What is to be written, and where.
struct Target {
    file: PathBuf,
    picture: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::New(arguments) = command;
    let node = node_file(arguments.config.as_deref())?;
    let target = target(arguments, node.as_ref())?;
    let folder = target.file.parent().unwrap_or(Path::new("")).to_path_buf();
    let address = address(arguments, &folder)?;
    let probed = if arguments.offline {
        None
    } else {
        ingest::init()?;
        let location = location(arguments, &address)?;
        let shown = location.shown();
        match ingest::probe(location, Duration::from_secs(arguments.timeout.clamp(1, 600))) {
            Ok(report) => Some(report),
            Err(refusal) => {
                eprintln!("shirong: {shown}: {refusal}");
                return Ok(ExitCode::FAILURE);
            }
        }
    };
    let found = probed.as_ref().map(found);
    let picture = probed
        .as_ref()
        .map(|report| anyhow::Ok(probe::picture(&report.snapshot)?.to_jpeg()?.bytes))
        .transpose()?;
    let sketch = Sketch {
        id: &arguments.id,
        url: &address.url,
        user: address.user.as_deref(),
        password: address.password.as_ref(),
        over_udp: arguments.udp,
        schema: schema(&folder),
        groups: node.as_ref().map_or(&[], |node| &node.groups),
        found: found.as_ref(),
    };
    let text = text::camera(&sketch);
    // A file that its own reader refuses is a mistake here, not one for the user to find later.
    if let Err(problems) = Camera::parse(&target.file.display().to_string(), &text, &Catalogue::builtin()) {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        bail!("nothing written, for the file would not be well:\n{}", all.join("\n"));
    }
    write(&target, &text, picture.as_deref())?;
    print(&target, node.as_ref(), found.as_ref());
    Ok(ExitCode::SUCCESS)
}

/// What of the node's file matters here. One that was named must be there.
fn node_file(named: Option<&Path>) -> Result<Option<NodeFile>> {
    let path = match named {
        Some(path) => path,
        None if Path::new(NODE_FILE).is_file() => Path::new(NODE_FILE),
        None => return Ok(None),
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the node's file {shown}"))?;
    let table: toml::Table = text
        .parse()
        .with_context(|| format!("{shown} is not TOML; `shirong check -c {shown}` says where"))?;
    let groups = table.get("group").and_then(toml::Value::as_table);
    Ok(Some(NodeFile {
        path: path.to_path_buf(),
        cameras: node::cameras_folder(path, &table),
        groups: groups.map(|groups| groups.keys().cloned().collect()).unwrap_or_default(),
    }))
}

fn target(arguments: &Arguments, node: Option<&NodeFile>) -> Result<Target> {
    let id = &arguments.id;
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        bail!("`{id}` is no camera's id; write letters, digits, - and _, for instance footway-east");
    }
    let file = match &arguments.out {
        Some(file) => file.clone(),
        None => node.map_or(Path::new("cameras"), |node| &node.cameras).join(format!("{id}.toml")),
    };
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    if !is_toml || file.file_stem().and_then(|stem| stem.to_str()) != Some(id) {
        bail!(
            "--out {}: a camera's file is named by its id; write --out {}",
            file.display(),
            file.with_file_name(format!("{id}.toml")).display()
        );
    }
    let picture = file.with_extension("jpg");
    let written = if arguments.offline { vec![&file] } else { vec![&file, &picture] };
    if !arguments.force
        && let Some(there) = written.into_iter().find(|path| path.exists())
    {
        bail!("{} is there; move it away, or add --force to replace it", there.display());
    }
    Ok(Target { file, picture })
}

/// The address taken apart: what the file may hold of it.
fn address(arguments: &Arguments, folder: &Path) -> Result<Address> {
    let password = match (&arguments.password_env, &arguments.password_file) {
        (Some(name), _) => Some(PasswordPlace::Env(variable(arguments, name)?)),
        (None, Some(file)) => Some(PasswordPlace::File(path_from(folder, file)?)),
        (None, None) => None,
    };
    if !arguments.url.contains("://") {
        if arguments.user.is_some() || password.is_some() || arguments.udp {
            bail!("a clip has no user, no password and no transport; write rtsp://… for a camera");
        }
        return Ok(Address {
            url: path_from(folder, Path::new(&arguments.url))?,
            user: None,
            password: None,
        });
    }
    let location = SourceLocation::rtsp(&arguments.url)?;
    let SourceLocation::Rtsp { url, credentials, .. } = location else {
        bail!("{} is no RTSP address", location.shown());
    };
    let inside = credentials.as_ref().map(|credentials| credentials.user.clone());
    let user = arguments.user.clone().or(inside);
    if credentials.is_some_and(|credentials| credentials.password != Secret::new("")) {
        bail!(
            "the address holds a password, which no camera's file keeps; put it into a variable, say {0}, and \
             write {url} --user {1} --password-env {0}",
            variable_for(&arguments.id),
            quoted(user.as_deref().unwrap_or("NAME")),
        );
    }
    if has_password_inside(&url) {
        bail!(
            "the address holds a password in its path, which no camera's file keeps; most cameras that take \
             it there also take --user NAME --password-env {} with the password left out of the path",
            variable_for(&arguments.id)
        );
    }
    if url.contains('@') {
        bail!("{}: an @ in the path must be written %40", SourceLocation::rtsp(&url)?.shown());
    }
    match (&user, &password) {
        (Some(user), None) => bail!(
            "the user {user} has no password; add --password-env {} (or --password-file FILE)",
            variable_for(&arguments.id)
        ),
        (None, Some(_)) => bail!("there is a password for nobody; add --user NAME"),
        _ => Ok(Address { url, user, password }),
    }
}

/// Whether an address says a password in its path or query. `password=&…`, or `password=_…`, is how a recorder is
/// asked that has none.
fn has_password_inside(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    let ends_there = |rest: &str| rest.is_empty() || rest.starts_with(['&', '_', '/', '?', ';']);
    PASSWORD_WORDS
        .iter()
        .any(|word| lower.match_indices(word).any(|(at, word)| !ends_there(&lower[at + word.len()..])))
}

/// The name of a variable; what is none may be the password itself, so that it is not repeated.
fn variable(arguments: &Arguments, name: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        bail!(
            "--password-env takes the name of a variable, not the password; write --password-env {}",
            variable_for(&arguments.id)
        );
    }
    Ok(name.to_owned())
}

fn variable_for(id: &str) -> String {
    format!("SHIRONG_{}_PASSWORD", id.to_ascii_uppercase().replace('-', "_"))
}

/// A path as a file in `folder` names it: from there where it lies below, from the root otherwise.
fn path_from(folder: &Path, path: &Path) -> Result<String> {
    let shown = || path.display().to_string();
    let [path_whole, folder] = [path, folder].map(std::path::absolute);
    let path_whole = path_whole.with_context(shown)?;
    // An empty folder is the one we stand in.
    let folder = match folder {
        Ok(folder) => folder,
        Err(_) => std::env::current_dir().context("the current folder")?,
    };
    let path = path_whole.strip_prefix(&folder).unwrap_or(&path_whole);
    let text = path.to_str().with_context(|| format!("{} has signs that are not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

fn location(arguments: &Arguments, address: &Address) -> Result<SourceLocation> {
    if !arguments.url.contains("://") {
        let path = PathBuf::from(&arguments.url);
        return Ok(SourceLocation::File { path, realtime: false, looped: false });
    }
    let place = match (&arguments.password_file, &address.password) {
        // As it was typed, from the folder it was typed in.
        (Some(file), _) => Some(PasswordPlace::File(file.display().to_string())),
        (None, place) => place.clone(),
    };
    let password = place.map(|place| secret(&place, Path::new("."))).transpose()?.unwrap_or_default();
    let credentials =
        address.user.as_ref().map(|user| Credentials { user: user.clone(), password: Secret::new(password) });
    let transport = if arguments.udp { Transport::Udp } else { Transport::Tcp };
    Ok(SourceLocation::Rtsp { url: address.url.clone(), transport, credentials }.checked()?)
}

fn found(report: &ProbeReport) -> Found {
    Found {
        codec: report.codec.clone(),
        size: [report.width, report.height],
        fps: report.fps_measured.or(report.fps_stated),
        key_secs: report.key_interval_secs,
        clock_skew_ms: report.clock_skew_ms,
        has_audio: report.has_audio,
    }
}

/// The schema as a file in `folder` names it, where a folder above has one.
fn schema(folder: &Path) -> Option<String> {
    let folder = std::path::absolute(folder).or_else(|_| std::env::current_dir()).ok()?;
    let mut up = String::from("./");
    for above in folder.ancestors() {
        if let Some(file) = SCHEMA_FILES.iter().find(|file| above.join(file).is_file()) {
            return Some(format!("{up}{file}"));
        }
        up = if up == "./" { "../".to_owned() } else { format!("../{up}") };
    }
    None
}

/// The picture first: a file without one is found out by nobody.
fn write(target: &Target, text: &str, picture: Option<&[u8]>) -> Result<()> {
    let shown = |path: &Path| format!("writing {}", path.display());
    let folder = target.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    if let Some(picture) = picture {
        std::fs::write(&target.picture, picture).with_context(|| shown(&target.picture))?;
    }
    // Whole or not at all: a service may be watching this folder.
    let beside = target.file.with_extension("toml.new");
    std::fs::write(&beside, text).with_context(|| shown(&beside))?;
    std::fs::rename(&beside, &target.file).with_context(|| shown(&target.file))
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(target: &Target, node: Option<&NodeFile>, found: Option<&Found>) {
    let word = |path: &Path| quoted(&path.display().to_string());
    let file = word(&target.file);
    println!("wrote       {}", target.file.display());
    match found {
        Some(found) => {
            println!("snapshot    {}", target.picture.display());
            println!("stream      {}", found.line());
            found.advice().iter().for_each(|advice| println!("look        {advice}"));
        }
        None => println!("stream      not looked at (--offline)"),
    }
    let picture = match found {
        Some(_) => format!("--picture {}", word(&target.picture)),
        None => "--snapshot".to_owned(),
    };
    println!("\nNext: points of the ground, as name,pixel_x,pixel_y,lon,lat in a CSV, and");
    println!("  shirong calibrate {file} --points points.csv {picture}");
    println!("then the zones and rules, by uncommenting them in {}, and", target.file.display());
    println!("  shirong check --camera {file}");
    match node {
        Some(node) if node.path != Path::new(NODE_FILE) => {
            println!("  shirong check -c {}", word(&node.path));
        }
        _ => println!("  shirong check"),
    }
}
