//! What shows that a file has changed, for whoever polls.
//!
//! Files are polled, not notified of: two looks that agree are a file that is whole, however it was replaced
//! (a rename over it, a link turned to another folder, a network disk that tells nothing).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::pulse::Pulse;

/// How often files are looked at. A change counts once two looks have found the same, so that a copy is not
/// read in its middle.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// A path with device, inode, size, seconds and nanoseconds of its file; none where there is no file.
pub(crate) type Stamp = (PathBuf, Option<(u64, u64, u64, i64, i64)>);

/// Stamps in the order of their paths.
pub(crate) type Stamps = Vec<Stamp>;

/// The stamps of these files as they are now.
pub(crate) fn stamps(mut files: Vec<PathBuf>) -> Stamps {
    files.sort();
    files.dedup();
    let stamp = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
    };
    files.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

/// Which stamps were acted on last, and which were met since.
#[derive(Default)]
pub(crate) struct Polled {
    /// As they were acted on; `None` before the first time.
    acted_on: Option<Stamps>,
    /// As they were at the look before, where that differs.
    changing: Option<Stamps>,
}

impl Polled {
    /// Whether they have changed since they were acted on and rest again.
    pub(crate) fn rests_anew(&mut self, now: Stamps) -> bool {
        if self.acted_on.as_ref() == Some(&now) {
            self.changing = None;
            return false;
        }
        let rests = self.changing.as_ref() == Some(&now);
        self.changing = Some(now);
        rests
    }

    /// They are acted on as they are here.
    pub(crate) fn act_on(&mut self, now: Stamps) {
        *self = Self { acted_on: Some(now), changing: None };
    }

    /// They are not acted on before another look finds them like this.
    pub(crate) fn look_again(&mut self, now: Stamps) {
        self.changing = Some(now);
    }

    /// As they were acted on last.
    pub(crate) fn acted_on(&self) -> Option<&Stamps> {
        self.acted_on.as_ref()
    }
}

/// Polls until the other end of `asked` is dropped; a message there asks for a look at once.
pub(crate) fn watch<W>(
    watcher: &mut W,
    asked: &Receiver<()>,
    pulse: &Pulse,
    poll: impl Fn(&mut W),
    at_once: impl Fn(&mut W),
) {
    loop {
        pulse.rest();
        let asked = asked.recv_timeout(POLL_EVERY);
        pulse.work();
        match asked {
            Ok(()) => at_once(watcher),
            Err(RecvTimeoutError::Timeout) => poll(watcher),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
