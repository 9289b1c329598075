//! The seconds around a confirmation: kept in the vault as the camera sent them, and never told.
//!
//! In: an MP4 that somebody wrote where [`Reporter::clip_scratch`] said. Out: a file named by its hash, a row and a record
//! of the evidence log, the manifest. Never: a copy that leaves. Nothing masks a clip, so nothing but the vault shows it.

use std::path::{Path, PathBuf};

use calib::time::Timestamp;
use logic::case::{EvidenceRole, ModelRef};
use logic::look::CameraId;
use tracing::warn;

use crate::Reporter;
use crate::counters::count;
use crate::error::ReportError;
use crate::vault::{Part, VaultRecord};

/// What a clip shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipOf {
    /// The case that its confirmation opened.
    pub case_id: String,
    /// Who took it.
    pub camera: CameraId,
    /// When its first picture was taken.
    pub captured_at: Timestamp,
    /// Which model saw what was confirmed.
    pub model: ModelRef,
    /// SHA-256 of the camera file in force, lower-case hex.
    pub config_sha256: String,
}

impl Reporter {
    /// Where to write a clip that is to be kept.
    pub fn clip_scratch(&self) -> PathBuf {
        self.vault.scratch()
    }

    /// Keeps a clip. When this returns `Ok(true)`, a crash cannot undo it; `Ok(false)`: its case's evidence was erased, or
    /// it has none.
    ///
    /// # Errors
    /// The disk's and the store's; the file at `scratch` is gone then, too.
    pub async fn keep_clip(&self, of: &ClipOf, scratch: &Path) -> Result<bool, ReportError> {
        let kept = self.enter_clip(of, scratch).await;
        match &kept {
            Ok(true) => count(&self.counters.clips_kept),
            Ok(false) | Err(_) => self.miss_clip(),
        }
        if kept.is_err() {
            // Where it has not become a file of the vault. One that has and is no case's goes at the next open.
            let _ = std::fs::remove_file(scratch);
        }
        kept
    }

    /// Counts a clip that could not be had.
    pub fn miss_clip(&self) {
        count(&self.counters.clips_missed);
    }

    /// Throws away the clips of the last two days that are no case's: a crash came between file and row.
    pub(crate) async fn sweep_clips(&self) -> Result<(), ReportError> {
        for (path, sha256) in self.on_disk(|vault, _| vault.latest_clips()).await? {
            if !self.store.is_shown(sha256.as_str()).await? {
                warn!(file = %path.display(), "a clip of no case is thrown away");
                self.on_disk(move |_, _| {
                    std::fs::remove_file(&path).map_err(ReportError::disk("remove", &path))
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn enter_clip(&self, of: &ClipOf, scratch: &Path) -> Result<bool, ReportError> {
        let (file, at) = (scratch.to_owned(), of.captured_at);
        let sha256 = self.on_disk(move |vault, _| vault.put_clip(&file, at)).await?;
        let unused = sha256.clone();
        let record = VaultRecord {
            role: EvidenceRole::Clip,
            camera: of.camera.clone(),
            captured_at: of.captured_at,
            original_sha256: sha256,
            copy_sha256: None,
            masked_regions: 0,
            model: of.model.clone(),
            config_sha256: of.config_sha256.clone(),
        };
        let added = self.store.add_clip(&of.case_id, &record, self.clock.now()).await;
        if !matches!(added, Ok(true)) {
            // What two things confirmed on one frame is one file.
            if matches!(self.store.is_shown(unused.as_str()).await, Ok(false))
                && let Err(error) = self.on_disk(move |vault, _| vault.erase(Part::Clips, &unused, at)).await
            {
                warn!(case = of.case_id, %error, "a clip of no case stays until the next start");
            }
            return added;
        }
        // The case shows it; a manifest that could not be written is written at the next open.
        if let Err(error) = self.write_manifest(&of.case_id).await {
            warn!(case = of.case_id, %error, "the manifest does not name its clip yet");
        }
        Ok(true)
    }
}
