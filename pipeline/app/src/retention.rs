//! `[evidence]` of a node's file, and the pass that keeps to it.
//!
//! In: the table; the running service's reporter. Out: a [`Retention`]; once an hour, what is over is erased. Never: a
//! pass that stops anything else: what it could not do, the next one does.

use std::sync::Arc;
use std::time::Duration;

use calib::check::{Section, Source};
use calib::matter::Catalogue;
use report::{KEEP_DAYS, KEEP_DAYS_MIN, Reporter, Retention};

/// Between two passes.
const EVERY: Duration = Duration::from_secs(3600);
/// After a start, so that a restart in a loop does not read the store each time.
const FIRST_AFTER: Duration = Duration::from_secs(60);
const KEEP_DAYS_MAX: u32 = 36_500;

/// Reads `[evidence]` and its `[[evidence.matter]]`.
pub(crate) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>, catalogue: &Catalogue) -> Retention {
    let mut retention = Retention::default();
    let Some(mut section) = root.section(source, "evidence") else { return retention };
    let range = (KEEP_DAYS_MIN, KEEP_DAYS_MAX);
    retention.keep_days = section.whole(source, "keep_days", range).unwrap_or(KEEP_DAYS);
    for mut matter in section.sections(source, "matter") {
        let mend = "write the matter's code, like code = \"06010\"";
        let code = matter.text_required(source, "code", mend);
        let days = matter.whole(source, "keep_days", range);
        if let Some(code) = &code
            && !catalogue.matters().any(|matter| matter.code == *code)
        {
            let meant = catalogue.suggest(code);
            let mend = match meant.first() {
                Some(matter) => format!("write {}, if you mean {}", matter.code, matter.name),
                None => mend.to_owned(),
            };
            source.problem(&matter.at_key("code"), format!("{code} is no matter of the catalogue"), mend);
        }
        if !matter.has("keep_days") {
            let mend = format!("write its days, {KEEP_DAYS_MIN} or more: keep_days = 90");
            source.problem(&matter.at_key("keep_days"), "is missing", mend);
        }
        if let Some((code, days)) = code.zip(days)
            && retention.by_matter.insert(code, days).is_some()
        {
            source.problem(&matter.at_key("code"), "stands here twice", "keep one of the two");
        }
        matter.finish(source);
    }
    section.finish(source);
    retention
}

/// Passes until the runtime ends.
pub(crate) async fn keep_to(retention: Retention, reporter: Arc<Reporter>) {
    tokio::time::sleep(FIRST_AFTER).await;
    loop {
        if let Err(error) = reporter.erase_due(&retention).await {
            tracing::warn!(%error, "evidence whose time is over could not be erased; the next hour tries again");
        }
        tokio::time::sleep(EVERY).await;
    }
}
