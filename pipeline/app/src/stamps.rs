//! What shows that a file has changed, for whoever polls.
//!
//! Files are polled, not notified of: two looks that agree are a file that is whole, however it was replaced
//! (a rename over it, a link turned to another folder, a network disk that tells nothing).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at. A change counts once two looks have found the same, so that a copy is not
/// read in its middle.
pub(crate) const POLL_EVERY: Duration = Duration::from_secs(2);

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
