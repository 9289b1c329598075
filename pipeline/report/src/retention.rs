//! Retention: evidence goes once its case has been closed for as long as its matter asks.
//!
//! In: how many days, and the desk's word on which cases are closed. Out: files erased, each entered in the evidence
//! log before it goes. Never: evidence of a case that is open, or of which anything is still to be told; a file that
//! another case shows; a row.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use calib::time::Timestamp;
use tracing::{debug, info};

use crate::Reporter;
use crate::error::ReportError;
use crate::store::Closed;

/// Least time that evidence is kept after its case was closed, days: source video is kept as long by rule.
pub const KEEP_DAYS_MIN: u32 = 30;
/// The same where nothing is configured.
pub const KEEP_DAYS: u32 = 365;
/// A case that was not heard of for so long is asked after, and so often.
const ASK_AFTER_MS: i64 = 86_400_000;
/// Cases asked after, and read, in one go.
const PAGE: u32 = 200;
const DAY_MS: i64 = 86_400_000;

/// How long evidence is kept once its case is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Days.
    pub keep_days: u32,
    /// Days by the matter's code (`06010`), where another number holds for it.
    pub by_matter: BTreeMap<String, u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep_days: KEEP_DAYS, by_matter: BTreeMap::new() }
    }
}

impl Retention {
    fn is_over(&self, closed: &Closed, now: Timestamp) -> bool {
        let days = self.by_matter.get(&closed.code).copied().unwrap_or(self.keep_days);
        now.millis_since(closed.changed_at) > i64::from(days) * DAY_MS
    }

    /// The shortest of them, for the look that no case needs.
    fn shortest(&self) -> u32 {
        self.by_matter.values().copied().fold(self.keep_days, u32::min)
    }
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Cases whose evidence went.
    pub cases: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Reporter {
    /// Asks the desk which quiet cases it has closed, then erases what is over. Stopped anywhere, the next pass goes
    /// on.
    ///
    /// # Errors
    /// The disk's and the store's; a desk that does not answer is none, its cases stay open.
    pub async fn erase_due(&self, retention: &Retention) -> Result<Erased, ReportError> {
        let now = self.clock.now();
        self.learn_of_closing(now).await?;
        let mut erased = Erased::default();
        // Of an earlier pass that did not come to its end.
        for case_id in self.store.erase_due().await? {
            self.erase_files(&case_id, &mut erased).await?;
        }
        let before = Timestamp::from_millis(now.as_millis() - i64::from(retention.shortest()) * DAY_MS);
        let mut after: Option<Closed> = None;
        loop {
            let page = self.store.closed_before(before, after.as_ref(), PAGE).await?;
            for closed in page.iter().filter(|closed| retention.is_over(closed, now)) {
                if self.store.begin_erasing(&closed.case_id, now).await? {
                    self.erase_files(&closed.case_id, &mut erased).await?;
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        if erased.files > 0 {
            info!(
                cases = erased.cases,
                files = erased.files,
                bytes = erased.bytes,
                "evidence erased: its time is over"
            );
        }
        self.counters.files_erased.fetch_add(erased.files, Ordering::Relaxed);
        Ok(erased)
    }

    async fn learn_of_closing(&self, now: Timestamp) -> Result<(), ReportError> {
        let quiet_since = Timestamp::from_millis(now.as_millis() - ASK_AFTER_MS);
        for case_id in self.store.cases_to_ask_after(quiet_since, PAGE).await? {
            match self.courier.is_closed(&case_id).await {
                Ok(is_closed) => self.store.note_asked(&case_id, is_closed, now).await?,
                // The next pass asks again.
                Err(why) => {
                    debug!(case = case_id, why, "the desk does not say whether a case is closed");
                    break;
                }
            }
        }
        Ok(())
    }

    async fn erase_files(&self, case_id: &str, erased: &mut Erased) -> Result<(), ReportError> {
        for record in self.store.manifest(case_id).await?.pictures {
            for (part, sha256) in record.files() {
                if self.store.is_shown(sha256.as_str()).await? {
                    continue;
                }
                let (sha256, at) = (sha256.clone(), record.captured_at);
                let bytes = self.on_disk(move |vault, _| vault.erase(part, &sha256, at)).await?;
                if let Some(bytes) = bytes {
                    erased.files += 1;
                    erased.bytes += bytes;
                }
            }
        }
        self.write_manifest(case_id).await?;
        self.store.erased(case_id).await?;
        erased.cases += 1;
        Ok(())
    }
}
