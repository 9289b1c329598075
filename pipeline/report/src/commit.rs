//! The disk half of a job: pictures into the vault, then one transaction, then the poster is woken.
//!
//! In: a [`PreparedJob`]. Out: what became of it. Never: a row that names a picture which is not in the
//! vault yet. After a crash anywhere in here the same job may be handed in again: files are named by
//! their content, rows by their spot.

use std::sync::Arc;

use calib::time::Timestamp;
use logic::case::EvidenceRole;
use logic::finding::SpotId;
use logic::look::CameraId;
use tracing::warn;

use crate::counters::count;
use crate::error::ReportError;
use crate::job::{Pair, PreparedFinding, PreparedJob, Work};
use crate::lock::FolderLock;
use crate::mask::MaskedJpeg;
use crate::picture::PictureError;
use crate::staging::Staging;
use crate::store::{Commit, CommitKind, Committed, Decision, Store};
use crate::vault::{Vault, VaultRecord};
use crate::{Reporter, Sha256Hex};

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handled {
    /// The candidate's first frame is kept.
    Staged,
    /// It could not be kept (counted): the case, should there be one, will lack its `first` picture.
    NotStaged,
    /// The finding is on disk.
    Committed(Committed),
    /// Nothing is kept for the spot beyond its case.
    Unstaged,
    /// The watch's or the scene's state is on disk.
    Saved,
}

impl Reporter {
    /// Makes a job durable. When this returns `Ok`, a crash cannot undo it; when it returns `Err`, call it
    /// again with the same job where the error is of class `Retry`.
    ///
    /// # Errors
    /// The disk's and the store's; a camera id that cannot name a folder.
    pub async fn commit(&self, job: &PreparedJob) -> Result<Handled, ReportError> {
        self.note_fault(job);
        match &job.work {
            Work::Appeared { camera, spot, at, pair } => {
                let Some(pair) = pair else { return Ok(Handled::NotStaged) };
                Ok(self.stage(camera, *spot, *at, pair).await)
            }
            Work::Confirmed(prepared) => self.commit_finding(CommitKind::Confirmed, prepared).await,
            Work::Seen(prepared) => self.commit_finding(CommitKind::Seen, prepared).await,
            Work::Unstage { camera, spot } => {
                let (camera, spot) = (camera.clone(), *spot);
                self.on_disk(move |_, staging| staging.remove(&camera, spot)).await?;
                Ok(Handled::Unstaged)
            }
            Work::Snapshot { camera, json } => {
                self.save_watch(camera, json).await?;
                Ok(Handled::Saved)
            }
            Work::Scene { camera, json } => {
                self.save_scene(camera, json).await?;
                Ok(Handled::Saved)
            }
        }
    }

    fn note_fault(&self, job: &PreparedJob) {
        match job.picture_fault() {
            None => {}
            Some(PictureError::UnknownRegion | PictureError::Unseen) => {
                count(&self.counters.frames_unmaskable)
            }
            Some(_) => count(&self.counters.frames_unusable),
        }
    }

    /// Staging is lossy: a failure is counted, not returned.
    async fn stage(&self, camera: &CameraId, spot: SpotId, at: Timestamp, pair: &Pair) -> Handled {
        let (for_disk, pair) = (camera.clone(), pair.clone());
        match self.on_disk(move |vault, staging| staging.put(vault, &for_disk, spot, at, &pair)).await {
            Ok(dropped) => {
                count(&self.counters.first_frames_staged);
                self.counters.first_frames_dropped.fetch_add(dropped, std::sync::atomic::Ordering::Relaxed);
                Handled::Staged
            }
            Err(e) => {
                count(&self.counters.first_frames_failed);
                warn!(%camera, %spot, error = %e, "a candidate's first frame is not kept");
                Handled::NotStaged
            }
        }
    }

    async fn commit_finding(
        &self,
        kind: CommitKind,
        prepared: &PreparedFinding,
    ) -> Result<Handled, ReportError> {
        let finding = &prepared.finding;
        if kind == CommitKind::Confirmed
            && let Some(case_id) = self.store.case_of_spot(&finding.camera, finding.sight.spot).await?
        {
            // Confirmed again after a crash, by a later frame perhaps: that frame belongs to no case and
            // is not kept. The transaction below would come to the same answer, but after the files.
            return Ok(self.committed(prepared, Committed::AlreadyCommitted(case_id)).await);
        }
        let latest = prepared.clone();
        let for_sighting = self.on_disk(move |vault, _| keep_latest(vault, &latest)).await?;
        // A confirmed finding mostly opens a case, or may have to when the case it joined turns out to be
        // closed. A seen one hardly ever does: its crop and annotated copy are written only when it does
        // so here, and a case that it opens later shows its whole view alone.
        let mut for_case = match kind {
            CommitKind::Confirmed => Some(self.keep_for_case(prepared).await?),
            CommitKind::Seen => None,
        };
        let committed = loop {
            let commit = Commit {
                kind,
                finding,
                model: &prepared.provenance.model,
                config_sha256: &prepared.provenance.config_sha256,
                for_case: for_case.as_deref(),
                for_sighting: &for_sighting,
                now: self.clock.now(),
            };
            match self.store.commit(&commit).await? {
                Decision::Done(committed) => break committed,
                Decision::NeedsCasePictures => for_case = Some(self.keep_for_case(prepared).await?),
            }
        };
        Ok(self.committed(prepared, committed).await)
    }

    /// Counts, wakes the poster and tidies up.
    async fn committed(&self, prepared: &PreparedFinding, committed: Committed) -> Handled {
        match &committed {
            Committed::Opened(_) => count(&self.counters.cases_opened),
            Committed::SightingOf(_) => count(&self.counters.sightings_added),
            Committed::AlreadyCommitted(_) => count(&self.counters.already_committed),
        }
        self.knock.notify_one();
        self.tidy(prepared, committed.case_id()).await;
        Handled::Committed(committed)
    }

    /// What follows a commit. A failure here is mended by the next open or the next sighting, so it does
    /// not undo the commit's success.
    async fn tidy(&self, prepared: &PreparedFinding, case_id: &str) {
        if let Err(e) = self.write_manifest(case_id).await {
            warn!(case = case_id, error = %e, "the manifest is not written yet");
        }
        let (camera, spot) = (prepared.finding.camera.clone(), prepared.finding.sight.spot);
        if let Err(e) = self.on_disk(move |_, staging| staging.remove(&camera, spot)).await {
            warn!(case = case_id, error = %e, "a first frame that is in the case now stays staged");
        }
    }

    pub(crate) async fn write_manifest(&self, case_id: &str) -> Result<(), ReportError> {
        write_manifest(&self.store, &self.vault, &self.lock, case_id).await
    }

    async fn keep_for_case(&self, prepared: &PreparedFinding) -> Result<Vec<VaultRecord>, ReportError> {
        let prepared = prepared.clone();
        self.on_disk(move |vault, staging| keep_for_case(vault, staging, &prepared)).await
    }

    /// Disk work off the async threads. It runs to its end even where the caller is dropped.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, &Staging) -> Result<T, ReportError> + Send + 'static,
    ) -> Result<T, ReportError> {
        let (vault, staging) = (Arc::clone(&self.vault), Arc::clone(&self.staging));
        let lock = Arc::clone(&self.lock);
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&vault, &staging);
            drop(lock);
            result
        });
        task.await.map_err(ReportError::Task)?
    }
}

/// Writes the manifest until the one on disk says what the store says.
pub(crate) async fn write_manifest(
    store: &Store,
    vault: &Arc<Vault>,
    lock: &Arc<FolderLock>,
    case_id: &str,
) -> Result<(), ReportError> {
    loop {
        let manifest = store.manifest(case_id).await?;
        let (to_write, vault, lock) = (manifest.clone(), Arc::clone(vault), Arc::clone(lock));
        let task = tokio::task::spawn_blocking(move || {
            let result = vault.put_manifest(&to_write);
            drop(lock);
            result
        });
        task.await.map_err(ReportError::Task)??;
        if store.manifest_written(&manifest).await? {
            return Ok(());
        }
    }
}

/// The whole frame and its masked copy, as a sighting shows it.
fn keep_latest(vault: &Vault, prepared: &PreparedFinding) -> Result<Vec<VaultRecord>, ReportError> {
    let Some(pictures) = &prepared.pictures else { return Ok(Vec::new()) };
    vault.put_original(&pictures.original, prepared.captured_at)?;
    let copy = pictures.copies.as_ref().map(|copies| &copies.whole);
    if let Some(copy) = copy {
        vault.put_copy(copy, prepared.captured_at)?;
    }
    Ok(vec![record(prepared, EvidenceRole::Latest, prepared.captured_at, &pictures.original.sha256, copy)])
}

/// First frame, confirming frame, crop and annotated frame.
fn keep_for_case(
    vault: &Vault,
    staging: &Staging,
    prepared: &PreparedFinding,
) -> Result<Vec<VaultRecord>, ReportError> {
    let mut records = Vec::with_capacity(4);
    let (camera, spot) = (&prepared.finding.camera, prepared.finding.sight.spot);
    if let Some(first) = staging.get(camera, spot)? {
        let Pair { original, copy } = &first.pair;
        vault.put_original(original, first.captured_at)?;
        vault.put_copy(copy, first.captured_at)?;
        records.push(record(prepared, EvidenceRole::First, first.captured_at, &original.sha256, Some(copy)));
    }
    let Some(pictures) = &prepared.pictures else { return Ok(records) };
    let (at, original) = (prepared.captured_at, &pictures.original);
    vault.put_original(original, at)?;
    match &pictures.copies {
        Some(copies) => {
            for (role, copy) in copies.for_case() {
                vault.put_copy(copy, at)?;
                records.push(record(prepared, role, at, &original.sha256, Some(copy)));
            }
        }
        None => records.push(record(prepared, EvidenceRole::Confirming, at, &original.sha256, None)),
    }
    Ok(records)
}

fn record(
    prepared: &PreparedFinding,
    role: EvidenceRole,
    captured_at: Timestamp,
    original_sha256: &Sha256Hex,
    copy: Option<&MaskedJpeg>,
) -> VaultRecord {
    VaultRecord {
        role,
        camera: prepared.finding.camera.clone(),
        captured_at,
        original_sha256: original_sha256.clone(),
        copy_sha256: copy.map(|copy| copy.jpeg().sha256.clone()),
        masked_regions: copy.map_or(0, MaskedJpeg::regions),
        model: prepared.provenance.model.clone(),
        config_sha256: prepared.provenance.config_sha256.clone(),
    }
}
