//! First frames of candidates: what a case will show as `first` if the candidate is ever confirmed.
//!
//! In: original and masked copy of the look in which a spot appeared. Out: the pair, when the spot is
//! confirmed. Never: evidence by itself, and never more than [`Staging::per_camera_max`] spots a camera:
//! the oldest makes room and is counted. This side of the first finding is allowed to be lossy, so the
//! files are not flushed; a file torn by a power cut is noticed by its hash and counts as absent.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use calib::time::Timestamp;
use logic::finding::SpotId;
use logic::look::CameraId;
use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::hash::Sha256Hex;
use crate::job::Pair;
use crate::mask::MaskedJpeg;
use crate::picture::Jpeg;
use crate::vault::{Vault, folder_name, make_folder};

const ORIGINAL: &str = "jpg";
const COPY: &str = "masked.jpg";
const NOTE: &str = "json";

/// Beside the two pictures, and written last: without it there is no staged frame.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    captured_at: Timestamp,
    original_sha256: Sha256Hex,
    copy_sha256: Sha256Hex,
    masked_regions: usize,
}

/// A staged first frame.
#[derive(Debug, Clone)]
pub(crate) struct FirstFrame {
    pub(crate) captured_at: Timestamp,
    pub(crate) pair: Pair,
}

/// The staged folder and what is in it.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    per_camera_max: usize,
    /// By camera, oldest first: a spot's id begins with the time of its first look.
    spots: Mutex<HashMap<CameraId, BTreeSet<SpotId>>>,
}

impl Staging {
    /// Takes stock of the folder. Pictures without their note are thrown away.
    pub(crate) fn open(vault: &Vault, per_camera_max: usize) -> Result<Self, ReportError> {
        let folder = vault.staged_folder();
        let mut spots: HashMap<CameraId, BTreeSet<SpotId>> = HashMap::new();
        for camera_folder in names_in(&folder)? {
            let camera = CameraId::new(&camera_folder);
            let inside = folder.join(&camera_folder);
            let names = names_in(&inside)?;
            let noted: BTreeSet<SpotId> =
                names.iter().filter_map(|n| n.strip_suffix(".json").and_then(spot_from_name)).collect();
            for name in &names {
                let spot = name.split('.').next().and_then(spot_from_name);
                if spot.is_none_or(|spot| !noted.contains(&spot)) {
                    remove_if_there(&inside.join(name))?;
                }
            }
            spots.insert(camera, noted);
        }
        Ok(Self { folder, per_camera_max, spots: Mutex::new(spots) })
    }

    /// Keeps a first frame. Returns how many older ones had to go.
    pub(crate) fn put(
        &self,
        vault: &Vault,
        camera: &CameraId,
        spot: SpotId,
        captured_at: Timestamp,
        pair: &Pair,
    ) -> Result<u64, ReportError> {
        make_folder(&self.folder.join(folder_name(camera)?))?;
        let note = Note {
            captured_at,
            original_sha256: pair.original.sha256.clone(),
            copy_sha256: pair.copy.jpeg().sha256.clone(),
            masked_regions: pair.copy.regions(),
        };
        let note = serde_json::to_vec(&note)
            .map_err(|source| ReportError::NoJson { what: "staged note", source })?;
        let overflowing = self.enter(camera, spot);
        for old in &overflowing {
            self.delete(camera, *old)?;
        }
        vault.write_quickly(&self.path(camera, spot, ORIGINAL)?, &pair.original.bytes)?;
        vault.write_quickly(&self.path(camera, spot, COPY)?, &pair.copy.jpeg().bytes)?;
        vault.write_quickly(&self.path(camera, spot, NOTE)?, &note)?;
        Ok(overflowing.len() as u64)
    }

    /// The first frame of a spot, where it is there and whole.
    pub(crate) fn get(&self, camera: &CameraId, spot: SpotId) -> Result<Option<FirstFrame>, ReportError> {
        let Some(note) = read_if_there(&self.path(camera, spot, NOTE)?)? else { return Ok(None) };
        let Ok(note) = serde_json::from_slice::<Note>(&note) else { return Ok(None) };
        let original = read_if_there(&self.path(camera, spot, ORIGINAL)?)?;
        let copy = read_if_there(&self.path(camera, spot, COPY)?)?;
        let (Some(original), Some(copy)) = (original, copy) else { return Ok(None) };
        let copy = MaskedJpeg::read_back(copy, &note.copy_sha256, note.masked_regions);
        let sha256 = Sha256Hex::of(&original);
        let Some(copy) = copy.filter(|_| sha256 == note.original_sha256) else { return Ok(None) };
        let pair = Pair { original: Jpeg { bytes: original.into(), sha256 }, copy };
        Ok(Some(FirstFrame { captured_at: note.captured_at, pair }))
    }

    /// Throws a first frame away; nothing happens where there is none.
    pub(crate) fn remove(&self, camera: &CameraId, spot: SpotId) -> Result<(), ReportError> {
        if let Some(spots) = self.lock().get_mut(camera) {
            spots.remove(&spot);
        }
        self.delete(camera, spot)
    }

    /// How many first frames are kept, over all cameras.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(BTreeSet::len).sum()
    }

    /// Notes the spot and takes out the oldest ones beyond the limit, never the spot itself.
    fn enter(&self, camera: &CameraId, spot: SpotId) -> Vec<SpotId> {
        let mut all = self.lock();
        let spots = all.entry(camera.clone()).or_default();
        spots.insert(spot);
        let excess = spots.len().saturating_sub(self.per_camera_max.max(1));
        let out: Vec<SpotId> = spots.iter().copied().filter(|old| *old != spot).take(excess).collect();
        for old in &out {
            spots.remove(old);
        }
        out
    }

    /// The note goes first: what is left of a crash in between is pictures without a note.
    fn delete(&self, camera: &CameraId, spot: SpotId) -> Result<(), ReportError> {
        for kind in [NOTE, COPY, ORIGINAL] {
            remove_if_there(&self.path(camera, spot, kind)?)?;
        }
        Ok(())
    }

    fn path(&self, camera: &CameraId, spot: SpotId, kind: &str) -> Result<PathBuf, ReportError> {
        Ok(self.folder.join(folder_name(camera)?).join(format!("{spot}.{kind}")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CameraId, BTreeSet<SpotId>>> {
        self.spots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what `SpotId` prints.
fn spot_from_name(name: &str) -> Option<SpotId> {
    let (ms, ordinal) = name.rsplit_once('-')?;
    Some(SpotId { first_at: Timestamp::from_millis(ms.parse().ok()?), ordinal: ordinal.parse().ok()? })
}

fn names_in(folder: &Path) -> Result<Vec<String>, ReportError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(ReportError::disk("list", folder))? {
        let entry = entry.map_err(ReportError::disk("list", folder))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ReportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ReportError::disk("read", path)(e)),
    }
}

fn remove_if_there(path: &Path) -> Result<(), ReportError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(ReportError::disk("remove", path)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::mask;
    use crate::picture::Picture;
    use crate::picture::tests::Frame;

    fn spot(ms: i64) -> SpotId {
        SpotId { first_at: Timestamp::from_millis(ms), ordinal: 3 }
    }

    fn pair(seed: usize) -> Pair {
        let picture = Picture::from_yuv(&Frame::new(32, 32, seed).view()).unwrap();
        Pair { original: picture.to_jpeg().unwrap(), copy: mask(&picture, &[]).unwrap().to_jpeg().unwrap() }
    }

    fn put(staging: &Staging, vault: &Vault, camera: &str, ms: i64) -> u64 {
        let at = Timestamp::from_millis(ms);
        staging.put(vault, &CameraId::new(camera), spot(ms), at, &pair(0)).unwrap()
    }

    #[test]
    fn the_oldest_makes_room_and_cameras_do_not_share_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let staging = Staging::open(&vault, 2).unwrap();
        let dropped: u64 = [30, 10, 20, 40].iter().map(|ms| put(&staging, &vault, "a", *ms)).sum();
        put(&staging, &vault, "b", 5);
        assert_eq!((dropped, staging.len()), (2, 3));
        let a = CameraId::new("a");
        let kept: Vec<_> = [10, 20, 30, 40].map(|ms| staging.get(&a, spot(ms)).unwrap().is_some()).into();
        assert_eq!(kept, [false, false, true, true]);
        // The same after a restart, and removal works on what was found there.
        let staging = Staging::open(&vault, 2).unwrap();
        assert_eq!(staging.len(), 3);
        staging.remove(&a, spot(40)).unwrap();
        staging.remove(&a, spot(40)).unwrap();
        assert_eq!(staging.len(), 2);
        assert_eq!(fs::read_dir(dir.path().join("staged/a")).unwrap().count(), 3);
    }

    #[test]
    fn torn_or_unfinished_frames_count_as_absent() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let staging = Staging::open(&vault, 9).unwrap();
        let a = CameraId::new("a");
        for ms in [10, -20] {
            put(&staging, &vault, "a", ms);
        }
        let whole = staging.get(&a, spot(-20)).unwrap().unwrap();
        assert_eq!((whole.pair, whole.captured_at.as_millis()), (pair(0), -20));
        fs::write(dir.path().join("staged/a/-20-3.masked.jpg"), b"torn").unwrap();
        assert!(staging.get(&a, spot(-20)).unwrap().is_none());
        fs::remove_file(dir.path().join("staged/a/10-3.json")).unwrap();
        assert!(staging.get(&a, spot(10)).unwrap().is_none());
        let staging = Staging::open(&vault, 9).unwrap();
        assert_eq!(staging.len(), 1);
        assert_eq!(fs::read_dir(dir.path().join("staged/a")).unwrap().count(), 3);
    }
}
