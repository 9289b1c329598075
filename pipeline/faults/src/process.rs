//! A node in a process of its own, with the shim between it and the disk.
//!
//! In: a folder, what to break and when. Out: what it said, how it ended, what it was doing. Never: a process
//! that outlives its handle.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::node::DONE_BY;
use crate::script::Key;

const SHIM: &str = include_str!("shim.c");
/// As in the shim.
const PLACES: [&str; 7] = ["before any", "vault", "store", "desk evidence", "desk store", "other", "wire"];
const BOARD_WORDS: usize = 3 + PLACES.len();
/// A process that has neither ended nor been ended by then is a failure of its own.
const GIVEN_UP_AFTER: Duration = DONE_BY.saturating_add(Duration::from_secs(30));

/// What the shim does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Counts alone.
    Nothing,
    /// Call `at` and the `count - 1` behind it fail with EIO.
    Io { at: u64, count: u64 },
    /// With ENOSPC.
    Space { at: u64, count: u64 },
    /// Where call `at` is a write, half of it is written; the one behind it fails with ENOSPC.
    Short { at: u64 },
    /// The process is killed in place of call `at`.
    Kill { at: u64 },
}

impl Break {
    fn environment(self) -> [(&'static str, u64); 3] {
        let (mode, at, count) = match self {
            Self::Nothing => (0, 0, 0),
            Self::Io { at, count } => (1, at, count),
            Self::Space { at, count } => (2, at, count),
            Self::Short { at } => (3, at, 2),
            Self::Kill { at } => (4, at, 1),
        };
        [("FAULTS_MODE", mode), ("FAULTS_AT", at), ("FAULTS_COUNT", count)]
    }
}

/// The shim, compiled.
pub(crate) struct Shim {
    folder: tempfile::TempDir,
}

impl Shim {
    /// `None` where there is no C compiler to make it with.
    pub(crate) fn make() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("shim.c");
        std::fs::write(&source, SHIM)?;
        let arguments = ["-shared", "-fPIC", "-O1", "-o"];
        let made = Command::new("cc")
            .args(arguments)
            .arg(folder.path().join("shim.so"))
            .arg(&source)
            .arg("-ldl")
            .output();
        match made {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("starting cc"),
            Ok(made) => {
                ensure!(made.status.success(), "cc: {}", String::from_utf8_lossy(&made.stderr));
                Ok(Some(Self { folder }))
            }
        }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    fn board(&self) -> PathBuf {
        self.folder.path().join("board")
    }
}

/// What the shim saw until the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Board {
    /// Calls that change a file of the node.
    pub(crate) ops: u64,
    /// How many of them were made to fail.
    pub(crate) injected: u64,
    latest: u64,
}

impl Board {
    /// Where the latest call was.
    pub(crate) fn latest(&self) -> &'static str {
        usize::try_from(self.latest).ok().and_then(|at| PLACES.get(at)).copied().unwrap_or("unknown")
    }
}

/// When a process is to be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// Never: it ends by itself.
    Never,
    /// So long after its start.
    AfterStart(Duration),
    /// So long after it said that it is ready.
    AfterReady(Duration),
}

/// How a life went.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) told: BTreeSet<Key>,
    /// `None` where it was killed.
    pub(crate) exit: Option<i32>,
    pub(crate) said_ready: bool,
    pub(crate) board: Board,
    /// What it said on standard error.
    pub(crate) complaint: String,
}

impl Life {
    pub(crate) fn is_done(&self) -> bool {
        self.exit == Some(0)
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Mostly it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One life of a node, from its start to its end.
pub(crate) fn live(
    shim: &Shim,
    folder: &Path,
    (seed, things): (u64, usize),
    broken: Break,
    when: When,
) -> Result<Life> {
    std::fs::write(shim.board(), [0; BOARD_WORDS * 8])?;
    let complaints = tempfile::tempfile()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("node")
        .arg(folder)
        .args([seed.to_string(), things.to_string()])
        .env("LD_PRELOAD", shim.library())
        .env("FAULTS_FOLDER", folder)
        .env("FAULTS_BOARD", shim.board())
        .envs(broken.environment().map(|(name, value)| (name, value.to_string())))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(complaints.try_clone()?);
    let started = Instant::now();
    let mut running = Running(command.spawn().context("starting a node")?);
    let lines = listen(&mut running.0)?;
    let mut kill_at = match when {
        When::AfterStart(after) => Some(started + after),
        When::Never | When::AfterReady(_) => None,
    };
    let (mut told, mut said_ready) = (BTreeSet::new(), false);
    let mut take = |line: &str| {
        if line == "ready" {
            said_ready = true;
            if let When::AfterReady(after) = when {
                return Some(Instant::now() + after);
            }
        } else if let Some((camera, at_ms)) = line.strip_prefix("told ").and_then(|rest| rest.split_once(' '))
            && let Ok(at_ms) = at_ms.parse()
        {
            told.insert((camera.to_owned(), at_ms));
        }
        None
    };
    let given_up_at = started + GIVEN_UP_AFTER;
    loop {
        let until = kill_at.unwrap_or(given_up_at);
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => kill_at = take(&line).or(kill_at),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if kill_at.is_some() => {
                running.0.kill().context("killing a node")?;
                break;
            }
            Err(RecvTimeoutError::Timeout) => anyhow::bail!("a node neither ended nor got on"),
        }
    }
    // What is in the pipe was said before the end.
    for line in lines.iter() {
        let _ = take(&line);
    }
    let exit = running.0.wait()?.code();
    Ok(Life { told, exit, said_ready, board: read_board(shim)?, complaint: read_all(complaints)? })
}

fn listen(child: &mut Child) -> Result<Receiver<String>> {
    let out = child.stdout.take().context("a node without standard output")?;
    let (lines, heard) = channel();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        // A line that its end cut off says nothing.
        while out.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
            if lines.send(line.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    Ok(heard)
}

fn read_board(shim: &Shim) -> Result<Board> {
    let bytes = std::fs::read(shim.board())?;
    let word = |at: usize| -> Result<u64> {
        let bytes = bytes.get(at * 8..at * 8 + 8).context("a board that is too short")?;
        Ok(u64::from_ne_bytes(bytes.try_into()?))
    };
    Ok(Board { ops: word(0)?, injected: word(1)?, latest: word(2)? })
}

fn read_all(mut file: std::fs::File) -> Result<String> {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
