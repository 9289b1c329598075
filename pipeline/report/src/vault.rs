//! The evidence vault: originals that never leave, masked copies that may, manifests that tie them to cases.
//!
//! ```text
//! originals/<yyyy-mm-dd>/<sha256>.jpg   as the camera saw it; nothing here reads these back to send them
//! copies/<yyyy-mm-dd>/<sha256>.jpg      masked; what the poster uploads
//! clips/<yyyy-mm-dd>/<sha256>.mp4       seconds around a confirmation as the camera sent them; they never leave
//! cases/<case_id>.json                  which files belong to which case, with model and configuration hashes
//! staged/<camera>/<spot>.*              first frames of candidates (see `staging`)
//! tmp/                                  half-written files; emptied at open
//! ```
//!
//! In: encoded pictures; what goes under `copies` is a [`MaskedJpeg`] by type. Out: durable files: written
//! beside, flushed, renamed, the folder flushed. Never: a changed or overwritten picture. Days are UTC
//! days of capture, so that a retention rule can work on whole folders.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use calib::time::Timestamp;
use logic::case::{Evidence, EvidenceRole, ModelRef};
use logic::look::CameraId;
use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::hash::Sha256Hex;
use crate::mask::MaskedJpeg;
use crate::picture::Jpeg;
use crate::store::ChainHead;

/// Folders hold faces and plates in the clear: for the service's own user only.
const FOLDER_MODE: u32 = 0o700;
/// Longest camera id in bytes; file systems take 255 for one name.
const CAMERA_NAME_BYTES_MAX: usize = 200;

/// Kinds of files, each in a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Originals,
    Copies,
    Clips,
}

impl Part {
    const fn folder(self) -> &'static str {
        match self {
            Self::Originals => "originals",
            Self::Copies => "copies",
            Self::Clips => "clips",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Originals | Self::Copies => "jpg",
            Self::Clips => "mp4",
        }
    }
}

/// One picture or clip of a case: the original, and the masked copy where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultRecord {
    /// What it shows.
    pub role: EvidenceRole,
    /// Who took it.
    pub camera: CameraId,
    /// When.
    pub captured_at: Timestamp,
    /// The untouched frame that the copy comes from (crop and annotated name the whole frame).
    pub original_sha256: Sha256Hex,
    /// The masked copy; `None` where it could not be masked and so does not leave.
    pub copy_sha256: Option<Sha256Hex>,
    /// How many regions were masked in the copy; one that several windows showed counts as often.
    pub masked_regions: usize,
    /// Which model saw it.
    pub model: ModelRef,
    /// SHA-256 of the camera file in force, lower-case hex.
    pub config_sha256: String,
}

impl VaultRecord {
    /// Its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (Part, &Sha256Hex)> {
        let original = match self.role {
            EvidenceRole::Clip => Part::Clips,
            _ => Part::Originals,
        };
        let copy = self.copy_sha256.as_ref().map(|sha256| (Part::Copies, sha256));
        std::iter::once((original, &self.original_sha256)).chain(copy)
    }

    /// What the case says of it; `None` where there is no copy to show.
    pub fn leaving(&self) -> Option<Evidence> {
        let sha256 = self.copy_sha256.as_ref()?.to_string();
        Some(Evidence {
            role: self.role,
            uri: format!("/api/v1/evidence/{sha256}"),
            sha256,
            captured_at: self.captured_at,
            masked: true,
        })
    }
}

/// `cases/<case_id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which case.
    pub case_id: String,
    /// Its pictures, oldest first.
    pub pictures: Vec<VaultRecord>,
    /// Its records in the evidence log, which end where this manifest ends. None in one that was written
    /// before there was a log.
    #[serde(default)]
    pub links: Vec<ChainHead>,
}

/// A masked copy read back to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyRead {
    /// The bytes, checked against their hash.
    Good(Vec<u8>),
    /// There is no such file.
    Missing,
    /// The bytes are not those that the name stands for.
    Damaged,
}

/// A file held against its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileRead {
    /// As it was kept.
    Good { bytes: u64 },
    /// Other bytes.
    Altered { found: Sha256Hex },
    /// Not there.
    Missing,
    /// There, and the disk does not give it.
    Unreadable(String),
}

/// The folder.
#[derive(Debug)]
pub struct Vault {
    folder: PathBuf,
    temp_number: AtomicU64,
}

impl Vault {
    /// Opens or makes the folder and throws away half-written files. The caller holds the folder's lock.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(folder: &Path) -> Result<Self, ReportError> {
        let vault = Self { folder: folder.to_owned(), temp_number: AtomicU64::new(0) };
        for part in ["originals", "copies", "clips", "cases", "staged", "tmp"] {
            make_folder(&folder.join(part))?;
        }
        let temp = folder.join("tmp");
        for entry in fs::read_dir(&temp).map_err(ReportError::disk("list", &temp))? {
            let path = entry.map_err(ReportError::disk("list", &temp))?.path();
            fs::remove_file(&path).map_err(ReportError::disk("remove", &path))?;
        }
        Ok(vault)
    }

    /// A folder that another process may be using: to read in, and nothing is made or thrown away.
    pub(crate) fn beside(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), temp_number: AtomicU64::new(0) }
    }

    /// Keeps an original.
    ///
    /// # Errors
    /// The disk's, or a time outside the calendar.
    pub fn put_original(&self, jpeg: &Jpeg, captured_at: Timestamp) -> Result<(), ReportError> {
        self.put(self.path_of(Part::Originals, &jpeg.sha256, captured_at)?, &jpeg.bytes)
    }

    /// Keeps a masked copy.
    ///
    /// # Errors
    /// The disk's, or a time outside the calendar.
    pub fn put_copy(&self, copy: &MaskedJpeg, captured_at: Timestamp) -> Result<(), ReportError> {
        self.put(self.path_of(Part::Copies, &copy.jpeg().sha256, captured_at)?, &copy.jpeg().bytes)
    }

    /// Where a clip may be written before it is kept: thrown away at open.
    pub(crate) fn scratch(&self) -> PathBuf {
        let number = self.temp_number.fetch_add(1, Ordering::Relaxed);
        self.folder.join("tmp").join(format!("{number}.{}", Part::Clips.extension()))
    }

    /// Keeps a clip that was written to a [`Vault::scratch`].
    pub(crate) fn put_clip(&self, scratch: &Path, captured_at: Timestamp) -> Result<Sha256Hex, ReportError> {
        let read = File::open(scratch).and_then(|mut file| {
            file.sync_all()?;
            Sha256Hex::of_reader(&mut file)
        });
        let (sha256, _) = read.map_err(ReportError::disk("read", scratch))?;
        let path = self.path_of(Part::Clips, &sha256, captured_at)?;
        let folder = parent_of(&path);
        make_folder(folder)?;
        fs::rename(scratch, &path).map_err(ReportError::disk("rename to", &path))?;
        flush_folder(folder)?;
        Ok(sha256)
    }

    /// The clips in the folders of the two latest days that have any.
    pub(crate) fn latest_clips(&self) -> Result<Vec<(PathBuf, Sha256Hex)>, ReportError> {
        let list = |folder: &Path| -> Result<Vec<PathBuf>, ReportError> {
            let entries = fs::read_dir(folder).map_err(ReportError::disk("list", folder))?;
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            paths.collect::<Result<_, _>>().map_err(ReportError::disk("list", folder))
        };
        let mut days = list(&self.folder.join(Part::Clips.folder()))?;
        days.sort_unstable();
        let mut clips = Vec::new();
        for day in days.iter().rev().take(2) {
            for path in list(day)? {
                let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
                if let Some(sha256) = name.and_then(|name| Sha256Hex::try_from(name).ok()) {
                    clips.push((path, sha256));
                }
            }
        }
        Ok(clips)
    }

    /// Reads a masked copy, to send it.
    ///
    /// # Errors
    /// The disk's, other than that the file is not there.
    pub fn read_copy(&self, sha256: &Sha256Hex, captured_at: Timestamp) -> Result<CopyRead, ReportError> {
        let path = self.path_of(Part::Copies, sha256, captured_at)?;
        match fs::read(&path) {
            Ok(bytes) if Sha256Hex::of(&bytes) == *sha256 => Ok(CopyRead::Good(bytes)),
            Ok(_) => Ok(CopyRead::Damaged),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(CopyRead::Missing),
            Err(e) => Err(ReportError::disk("read", &path)(e)),
        }
    }

    /// Writes a case's manifest in place of the one before.
    ///
    /// # Errors
    /// The disk's.
    pub fn put_manifest(&self, manifest: &Manifest) -> Result<(), ReportError> {
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|source| ReportError::NoJson { what: "manifest", source })?;
        self.write_durably(&self.folder.join("cases").join(format!("{}.json", manifest.case_id)), &json)
    }

    /// A case's manifest; `None` where there is none.
    pub(crate) fn read_manifest(&self, case_id: &str) -> Result<Option<Vec<u8>>, ReportError> {
        let path = self.folder.join("cases").join(format!("{case_id}.json"));
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(ReportError::disk("read", &path)(e)),
        }
    }

    /// The cases that have a manifest.
    pub(crate) fn manifest_names(&self) -> Result<Vec<String>, ReportError> {
        let folder = self.folder.join("cases");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(ReportError::disk("list", &folder))? {
            let name = entry.map_err(ReportError::disk("list", &folder))?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        Ok(names)
    }

    /// Hashes a file. Its path is given from the vault's folder on.
    pub(crate) fn check_file(&self, part: Part, sha256: &Sha256Hex, at: Timestamp) -> (PathBuf, FileRead) {
        let Ok(path) = self.path_of(part, sha256, at) else {
            let why = format!("its time, {} ms since 1970, has no calendar day", at.as_millis());
            let path = PathBuf::from(part.folder()).join(format!("{sha256}.{}", part.extension()));
            return (path, FileRead::Unreadable(why));
        };
        let read = match File::open(&path).and_then(|mut file| Sha256Hex::of_reader(&mut file)) {
            Ok((found, bytes)) if found == *sha256 => FileRead::Good { bytes },
            Ok((found, _)) => FileRead::Altered { found },
            Err(e) if e.kind() == ErrorKind::NotFound => FileRead::Missing,
            Err(e) => FileRead::Unreadable(e.to_string()),
        };
        (path.strip_prefix(&self.folder).unwrap_or(&path).to_owned(), read)
    }

    /// Erases a file. Returns its bytes, or `None` where it was not there.
    pub(crate) fn erase(
        &self,
        part: Part,
        sha256: &Sha256Hex,
        at: Timestamp,
    ) -> Result<Option<u64>, ReportError> {
        let path = self.path_of(part, sha256, at)?;
        let bytes = match fs::metadata(&path) {
            Ok(file) => file.len(),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ReportError::disk("look at", &path)(e)),
        };
        fs::remove_file(&path).map_err(ReportError::disk("remove", &path))?;
        flush_folder(parent_of(&path))?;
        // The day's folder goes with its last picture.
        let _ = fs::remove_dir(parent_of(&path));
        Ok(Some(bytes))
    }

    /// Where the staged first frames are.
    pub(crate) fn staged_folder(&self) -> PathBuf {
        self.folder.join("staged")
    }

    fn path_of(&self, part: Part, sha256: &Sha256Hex, at: Timestamp) -> Result<PathBuf, ReportError> {
        let name = format!("{sha256}.{}", part.extension());
        Ok(self.folder.join(part.folder()).join(day_of(at)?).join(name))
    }

    /// Writes a content-addressed file once.
    fn put(&self, path: PathBuf, bytes: &[u8]) -> Result<(), ReportError> {
        let folder = parent_of(&path);
        make_folder(folder)?;
        if path.exists() {
            // Renamed before a crash, perhaps, with the folder not flushed yet.
            return flush_folder(folder);
        }
        self.write_durably(&path, bytes)
    }

    /// Beside, flushed, renamed, the folder flushed.
    fn write_durably(&self, path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
        let temp = self.write_temp(bytes, |file| file.sync_all())?;
        fs::rename(&temp, path).map_err(ReportError::disk("rename to", path))?;
        flush_folder(parent_of(path))
    }

    /// Whole or not at all after a crash of the process; after a power cut it may be torn, so only for
    /// files whose hash is written down elsewhere and whose loss is bearable.
    pub(crate) fn write_quickly(&self, path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
        let temp = self.write_temp(bytes, |_| Ok(()))?;
        fs::rename(&temp, path).map_err(ReportError::disk("rename to", path))
    }

    fn write_temp(
        &self,
        bytes: &[u8],
        flush: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<PathBuf, ReportError> {
        let number = self.temp_number.fetch_add(1, Ordering::Relaxed);
        let temp = self.folder.join("tmp").join(number.to_string());
        let written = File::create(&temp).and_then(|mut file| {
            file.write_all(bytes)?;
            flush(&file)
        });
        match written {
            Ok(()) => Ok(temp),
            Err(e) => {
                // A full disk must not be kept full by the remains; if this fails too, open cleans up.
                let _ = fs::remove_file(&temp);
                Err(ReportError::disk("write", &temp)(e))
            }
        }
    }
}

/// A camera's id as a folder's name.
///
/// # Errors
/// Anything that a path could be built of: separators, a leading dot, control characters.
pub(crate) fn folder_name(camera: &CameraId) -> Result<&str, ReportError> {
    let name = camera.as_str();
    let good = !name.is_empty()
        && name.len() <= CAMERA_NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if good { Ok(name) } else { Err(ReportError::CameraName(name.to_owned())) }
}

/// The UTC day, `yyyy-mm-dd`.
fn day_of(at: Timestamp) -> Result<String, ReportError> {
    let text = at.to_string();
    let is_day = |day: &&str| {
        day.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
    };
    match text.get(..10).filter(is_day) {
        Some(day) => Ok(day.to_owned()),
        None => Err(ReportError::NoCalendarDay(at.as_millis())),
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent().expect("every path of the vault lies in one of its folders")
}

/// Makes the folder and those above it, and flushes the one above so that it is found after a power cut.
pub(crate) fn make_folder(folder: &Path) -> Result<(), ReportError> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(ReportError::disk("make", folder))?;
    folder.parent().map_or(Ok(()), flush_folder)
}

fn flush_folder(folder: &Path) -> Result<(), ReportError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(ReportError::disk("flush", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::mask;
    use crate::picture::Picture;
    use crate::picture::tests::Frame;

    fn at() -> Timestamp {
        "2026-07-01T23:30:00Z".parse().unwrap()
    }

    fn copy() -> MaskedJpeg {
        mask(&Picture::from_yuv(&Frame::new(32, 32, 0).view()).unwrap(), &[]).unwrap().to_jpeg().unwrap()
    }

    #[test]
    fn copies_come_back_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let copy = copy();
        let sha = &copy.jpeg().sha256;
        assert_eq!(vault.read_copy(sha, at()).unwrap(), CopyRead::Missing);
        vault.put_copy(&copy, at()).unwrap();
        vault.put_copy(&copy, at()).unwrap();
        assert_eq!(vault.read_copy(sha, at()).unwrap(), CopyRead::Good(copy.jpeg().bytes.to_vec()));
        fs::write(dir.path().join(format!("copies/2026-07-01/{sha}.jpg")), b"other").unwrap();
        assert_eq!(vault.read_copy(sha, at()).unwrap(), CopyRead::Damaged);
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn half_written_files_go_at_open() {
        let dir = tempfile::tempdir().unwrap();
        Vault::open(dir.path()).unwrap();
        fs::write(dir.path().join("tmp/7"), b"half").unwrap();
        Vault::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for bad in ["", "..", ".hidden", "a/b", "a\\b", "a b", "a\n", "a\0"] {
            assert!(folder_name(&CameraId::new(bad)).is_err(), "{bad:?}");
        }
        for good in ["ls-012", "demo_1.sub", "东门-3"] {
            assert_eq!(folder_name(&CameraId::new(good)).unwrap(), good);
        }
    }

    #[test]
    fn days_are_utc_days() {
        assert_eq!(day_of(at()).unwrap(), "2026-07-01");
        assert!(day_of(Timestamp::from_millis(i64::MAX)).is_err());
    }
}
