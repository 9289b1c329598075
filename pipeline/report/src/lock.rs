//! One service a folder: a lock file that the kernel lets go of when the process ends, however it ends.
//!
//! In: a folder. Out: a guard. Never: a stale lock; nothing is written that a crash could leave behind.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::ReportError;
use crate::vault::make_folder;

const NAME: &str = "lock";

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, making it where it is not there.
    pub(crate) fn acquire(folder: &Path) -> Result<Self, ReportError> {
        make_folder(folder)?;
        let path = folder.join(NAME);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ReportError::disk("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ReportError::FolderInUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(e)) => Err(ReportError::disk("lock", &path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_and_gets_it_when_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(dir.path()).unwrap();
        let refused = FolderLock::acquire(dir.path()).unwrap_err();
        assert!(refused.to_string().contains("in use by another service"), "{refused}");
        drop(first);
        FolderLock::acquire(dir.path()).unwrap();
    }
}
