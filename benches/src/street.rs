//! The files of a node whose cameras play clips, as an operator would write them.
//!
//! In: what was asked for. Out: a folder with `shirong.toml` and a file a camera, and the loopback cameras where RTSP
//! was asked for. Never: an address beyond loopback, an identifier of a real place.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use samples::Crowd;
use tempfile::TempDir;

use crate::journey::{Arguments, Cadence};

/// Where the rules look, as the rival's zone: all below the upper third.
const ZONE: &str = "[[0.0, 0.3333], [1.0, 0.3333], [1.0, 1.0], [0.0, 1.0]]";
const RULES: [&str; 3] = ["street_vendor", "litter", "overflowing_bin"];

/// A node's folder, and its cameras where they are served.
pub(crate) struct Street {
    folder: TempDir,
    server: Option<Crowd>,
}

impl Street {
    /// Writes the files and serves the cameras.
    pub(crate) fn make(arguments: &Arguments, manifest: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("shirong-bench-").tempdir()?;
        let cameras = folder.path().join("cameras");
        std::fs::create_dir(&cameras)?;
        let clips = clips(arguments)?;
        let server = arguments.rtsp.then(|| Crowd::start(&clips, arguments.cameras)).transpose()?;
        for number in 0..arguments.cameras {
            let id = camera_id(number);
            let url = match &server {
                Some(server) => server.url(number),
                None => clips[number % clips.len()].display().to_string(),
            };
            let file = cameras.join(format!("{id}.toml"));
            let text = camera_file(&url, arguments);
            std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        let node = format!(
            "[node]\nname = \"bench\"\n[model]\nmanifest = {}\nthreads = {}\n\
             [desk]\nlisten = \"127.0.0.1:0\"\n[health]\nlisten = \"127.0.0.1:0\"\n",
            quoted(&manifest.display().to_string()),
            arguments.threads,
        );
        std::fs::write(folder.path().join("shirong.toml"), node)?;
        Ok(Self { folder, server })
    }

    /// The node's file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("shirong.toml")
    }

    /// Where the service's log goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("service.log")
    }

    /// Ends the cameras that are served.
    pub(crate) fn close(self) {
        if let Some(server) = self.server {
            server.stop();
        }
    }
}

/// The clips' whole paths.
///
/// # Errors
/// One is not there.
pub(crate) fn clips(arguments: &Arguments) -> Result<Vec<PathBuf>> {
    let whole = |clip: &PathBuf| {
        clip.canonicalize().with_context(|| {
            format!(
                "clip {}: name a file, or make the published ones with `shirong bench clips`",
                clip.display()
            )
        })
    };
    arguments.clips.iter().map(whole).collect()
}

fn camera_id(number: usize) -> String {
    format!("camera-{number:04}")
}

fn camera_file(url: &str, arguments: &Arguments) -> String {
    let mut text = format!("name = \"bench\"\n[stream]\nurl = {}\n", quoted(url));
    if let Cadence::Fps(fps) = arguments.cadence {
        text += &format!("fps = {fps}\n");
    }
    if arguments.no_gate {
        text += "quiet_secs_max = 0\n";
    }
    text += &format!("[[zone]]\nid = \"street\"\nkind = \"footway\"\npolygon = {ZONE}\n");
    for rule in RULES {
        text += &format!("[[rule]]\nkind = \"{rule}\"\ndwell_secs = {}\n", arguments.dwell);
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
