//! The poster: tells the desk what the store holds, until the desk has it.
//!
//! In: rows of the outbox, a knock on each commit. Out: settled rows and events. Never: a finding given up
//! because the desk is away, two rows of one case at a time, more than [`PostLimits::concurrency`] posts
//! at a time, or a poll while nothing is due. One case that the desk cannot take holds up no other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use logic::case::{Case, Sighting};
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::commit::write_manifest;
use crate::counters::{Counters, count};
use crate::deliver::{Courier, Outcome};
use crate::error::ReportError;
use crate::lock::FolderLock;
use crate::store::{Heads, OutboxKind, OutboxRow, Store};
use crate::vault::Vault;
use crate::wall::WallClock;

/// Longest wait for a TCP and TLS connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole request and its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Upper bound of the first pause after a failure; it doubles with each further one.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Upper bound of any pause.
pub const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Posts at a time.
pub const CONCURRENCY: usize = 4;
/// How often a lasting failure is said aloud.
pub const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);
/// With nothing due, the outbox is looked at this often all the same: `shirong cases retry` writes to it
/// from a process of its own and cannot knock.
pub const IDLE_LOOK: Duration = Duration::from_secs(60);
/// Pause after the store itself failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The poster's limits; the constants of this file by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostLimits {
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a request and its answer.
    pub request_timeout: Duration,
    /// Upper bound of the first pause.
    pub backoff_first: Duration,
    /// Upper bound of any pause.
    pub backoff_max: Duration,
    /// Posts at a time.
    pub concurrency: usize,
    /// How often a lasting failure is said aloud.
    pub complaint_period: Duration,
    /// How often to look with nothing due.
    pub idle_look: Duration,
}

impl Default for PostLimits {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            backoff_first: BACKOFF_FIRST,
            backoff_max: BACKOFF_MAX,
            concurrency: CONCURRENCY,
            complaint_period: COMPLAINT_PERIOD,
            idle_look: IDLE_LOOK,
        }
    }
}

/// What the poster has to say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PostEvent {
    /// The desk has this case. May come twice for one case where the service ended in between.
    CasePosted(Box<Case>),
    /// The desk has this sighting.
    SightingPosted {
        /// Of which case.
        case_id: String,
        /// The sighting.
        sighting: Box<Sighting>,
    },
    /// A sighting found its case closed; what it carried has opened a linked case or joined an open one.
    CaseClosed {
        /// Which case.
        case_id: String,
    },
    /// The desk cannot be reached or does not take anything now; said once a period.
    Troubled {
        /// The latest reason.
        reason: String,
        /// Whether the address or the token is the reason, so that only a person can end it.
        misconfigured: bool,
    },
    /// A row was refused for good.
    Dead {
        /// Its number, for `retry`.
        seq: i64,
        /// About which case.
        case_id: String,
        /// What it carries.
        kind: OutboxKind,
        /// Why.
        reason: String,
    },
}

/// A running poster.
#[derive(Debug)]
pub struct PosterHandle {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl PosterHandle {
    /// Takes up no further row, waits for the ones under way, and gives those up at the deadline (they
    /// stay in the outbox and are told again by the next start). `true` where all ended in time.
    pub async fn shutdown(mut self, deadline: Duration) -> bool {
        // The task takes the sender's end for the word.
        drop(self.stop.take());
        match tokio::time::timeout(deadline, &mut self.task).await {
            Ok(_) => true,
            Err(_) => {
                self.task.abort();
                false
            }
        }
    }
}

/// Dropping the handle ends the poster, like a crash would: nothing is lost by it.
impl Drop for PosterHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task works with.
pub(crate) struct Poster {
    pub(crate) store: Store,
    pub(crate) vault: Arc<Vault>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) limits: PostLimits,
    pub(crate) knock: Arc<Notify>,
    pub(crate) events: broadcast::Sender<PostEvent>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: WallClock,
    /// Held, not read, here and by each disk task.
    pub(crate) lock: Arc<FolderLock>,
}

/// The posts under way.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Outcome>,
    rows: HashMap<Id, OutboxRow>,
    cases: HashSet<String>,
}

impl UnderWay {
    /// How many of them had failed before.
    fn again(&self) -> usize {
        self.rows.values().filter(|row| row.attempts > 0).count()
    }
}

impl Poster {
    pub(crate) fn spawn(self) -> PosterHandle {
        let (stop, stopped) = oneshot::channel();
        PosterHandle { stop: Some(stop), task: tokio::spawn(self.run(stopped)) }
    }

    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut under_way = UnderWay::default();
        let mut complaint = Complaint::new(self.limits.complaint_period);
        let latest_ms = self.clock.now_ms().saturating_add(millis(self.limits.backoff_max));
        if let Err(e) = self.store.bring_forward(latest_ms).await {
            warn!(error = %e, "cannot bring the outbox forward");
        }
        loop {
            let pause = match self.take_up(&mut under_way).await {
                Ok(pause) => pause,
                Err(e) => {
                    self.complain(&mut complaint, &format!("cannot read the outbox: {e}"), false);
                    STORE_PAUSE
                }
            };
            tokio::select! {
                _ = &mut stopped => break,
                Some(ended) = under_way.tasks.join_next_with_id() => {
                    self.end(&mut under_way, &mut complaint, ended).await;
                }
                () = self.knock.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while let Some(ended) = under_way.tasks.join_next_with_id().await {
            self.end(&mut under_way, &mut complaint, ended).await;
        }
        drop(self.lock);
    }

    /// Starts every row that is due and has room. Returns how long nothing new will be due.
    async fn take_up(&self, under_way: &mut UnderWay) -> Result<Duration, ReportError> {
        let (pause, held_back) = self.start(under_way, Heads::All).await?;
        if !held_back {
            return Ok(pause);
        }
        let (sooner, _) = self.start(under_way, Heads::Untried).await?;
        Ok(pause.min(sooner))
    }

    /// As [`Poster::take_up`], of some rows; also whether rows that had failed before were held back to leave
    /// room for one that had not: a desk that hangs over some cases does not keep the others waiting.
    async fn start(&self, under_way: &mut UnderWay, which: Heads) -> Result<(Duration, bool), ReportError> {
        // Each case has one head, so this many hold at least one that is not under way.
        let concurrency = self.limits.concurrency.max(1);
        let again_max = concurrency.saturating_sub(1).max(1);
        let wanted = u32::try_from(2 * concurrency + 1).unwrap_or(u32::MAX);
        let mut held_back = false;
        for row in self.store.outbox_heads(wanted, which).await? {
            if under_way.cases.contains(&row.case_id) {
                continue;
            }
            let due_in_ms = row.next_at_ms.saturating_sub(self.clock.now_ms());
            if due_in_ms > 0 {
                let pause = Duration::from_millis(due_in_ms.unsigned_abs()).min(self.limits.idle_look);
                return Ok((pause, held_back));
            }
            if under_way.tasks.len() >= concurrency {
                // The end of one of those wakes us.
                break;
            }
            if row.attempts > 0 && under_way.again() >= again_max {
                held_back = true;
                continue;
            }
            let (courier, posted) = (Arc::clone(&self.courier), row.clone());
            let id = under_way.tasks.spawn(async move { courier.deliver(&posted).await }).id();
            under_way.cases.insert(row.case_id.clone());
            under_way.rows.insert(id, row);
        }
        Ok((self.limits.idle_look, held_back))
    }

    /// Settles a row whose post has ended.
    async fn end(
        &self,
        under_way: &mut UnderWay,
        complaint: &mut Complaint,
        ended: Result<(Id, Outcome), JoinError>,
    ) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(e) => (e.id(), Outcome::Retry { reason: format!("bug: a post panicked: {e}"), after: None }),
        };
        let Some(row) = under_way.rows.remove(&id) else { return };
        let settled = self.settle(&row, outcome, complaint).await;
        if let Err(e) = settled {
            // The row is pending as before and will be told again, which the desk takes for one.
            self.complain(complaint, &format!("cannot settle a post: {e}"), false);
            tokio::time::sleep(STORE_PAUSE).await;
        }
        under_way.cases.remove(&row.case_id);
    }

    async fn settle(
        &self,
        row: &OutboxRow,
        outcome: Outcome,
        complaint: &mut Complaint,
    ) -> Result<(), ReportError> {
        match outcome {
            Outcome::Done => {
                self.store.settle_done(row.seq).await?;
                complaint.over();
                self.tell_posted(row);
            }
            Outcome::Retry { reason, after } => {
                self.put_off(row, &reason, after).await?;
                count(&self.counters.posts_retried);
                self.complain(complaint, &reason, false);
            }
            Outcome::Misconfigured { reason } => {
                self.put_off(row, &reason, None).await?;
                count(&self.counters.posts_refused_by_configuration);
                self.complain(complaint, &reason, true);
            }
            Outcome::CaseClosed { reason } => {
                self.settle_case_closed(row, &reason).await?;
            }
            Outcome::Dead { reason } => {
                self.store.settle_dead(row.seq, &reason).await?;
                count(&self.counters.posts_dead);
                error!(case = row.case_id, seq = row.seq, kind = ?row.kind, reason, "post refused for good");
                let (seq, case_id, kind) = (row.seq, row.case_id.clone(), row.kind);
                self.tell(PostEvent::Dead { seq, case_id, kind, reason });
            }
        }
        Ok(())
    }

    /// The new cases are heads of the outbox when this returns; the loop takes them up at once.
    async fn settle_case_closed(&self, row: &OutboxRow, reason: &str) -> Result<(), ReportError> {
        let refused = self.store.settle_case_closed(row.seq, &row.case_id, reason, self.clock.now()).await?;
        count(&self.counters.cases_closed_by_desk);
        for case_id in refused.opened.iter().chain(&refused.joined) {
            if let Err(e) = write_manifest(&self.store, &self.vault, &self.lock, case_id).await {
                warn!(case = case_id, error = %e, "the manifest is not written yet");
            }
        }
        for case_id in refused.opened {
            count(&self.counters.cases_opened);
            info!(case = case_id, closed = row.case_id, "a finding of a closed case opens a linked one");
        }
        self.tell(PostEvent::CaseClosed { case_id: row.case_id.clone() });
        Ok(())
    }

    async fn put_off(
        &self,
        row: &OutboxRow,
        reason: &str,
        after: Option<Duration>,
    ) -> Result<(), ReportError> {
        let bound = backoff_bound(row.attempts, self.limits.backoff_first, self.limits.backoff_max);
        // Full jitter: many services that lost one desk do not come back at one moment.
        let pause_ms = rand::random_range(0..=millis(bound)).max(after.map_or(0, millis));
        debug!(case = row.case_id, seq = row.seq, reason, pause_ms, "post put off");
        self.store.settle_retry(row.seq, self.clock.now_ms().saturating_add(pause_ms), reason).await
    }

    fn tell_posted(&self, row: &OutboxRow) {
        match row.kind {
            OutboxKind::Case => {
                count(&self.counters.cases_posted);
                match serde_json::from_str(&row.body) {
                    Ok(case) => self.tell(PostEvent::CasePosted(Box::new(case))),
                    Err(e) => warn!(case = row.case_id, error = %e, "a posted case does not read back"),
                }
            }
            OutboxKind::Sighting => {
                count(&self.counters.sightings_posted);
                match serde_json::from_str(&row.body) {
                    Ok(sighting) => {
                        let (case_id, sighting) = (row.case_id.clone(), Box::new(sighting));
                        self.tell(PostEvent::SightingPosted { case_id, sighting });
                    }
                    Err(e) => warn!(case = row.case_id, error = %e, "a posted sighting does not read back"),
                }
            }
        }
    }

    fn tell(&self, event: PostEvent) {
        // Fails only where nobody listens.
        let _ = self.events.send(event);
    }

    /// Once a period, with how many were kept quiet.
    fn complain(&self, complaint: &mut Complaint, reason: &str, misconfigured: bool) {
        let Some(unsaid) = complaint.may_speak(misconfigured) else { return };
        if misconfigured {
            warn!(reason, unsaid, "the desk's address or token is wrong; cases wait in the outbox");
        } else {
            warn!(reason, unsaid, "the desk does not take posts; they wait in the outbox");
        }
        self.tell(PostEvent::Troubled { reason: reason.to_owned(), misconfigured });
    }
}

/// A lasting failure, said once a period; the two kinds apart, so that neither hides the other.
struct Complaint {
    period: Duration,
    said_at: [Option<Instant>; 2],
    unsaid: [u64; 2],
}

impl Complaint {
    fn new(period: Duration) -> Self {
        Self { period, said_at: [None; 2], unsaid: [0; 2] }
    }

    /// How many were not said since the last, where it is time for one.
    fn may_speak(&mut self, misconfigured: bool) -> Option<u64> {
        let kind = usize::from(misconfigured);
        if self.said_at[kind].is_some_and(|said| said.elapsed() < self.period) {
            self.unsaid[kind] += 1;
            return None;
        }
        self.said_at[kind] = Some(Instant::now());
        Some(std::mem::take(&mut self.unsaid[kind]))
    }

    /// The desk took something: the next failure is news again.
    fn over(&mut self) {
        *self = Self::new(self.period);
    }
}

/// Upper bound of the pause after `attempts` failures and this one: `first * 2^attempts`, at most `max`.
fn backoff_bound(attempts: u32, first: Duration, max: Duration) -> Duration {
    // 2^32 s is longer than any limit.
    first.saturating_mul(2_u32.saturating_pow(attempts.min(31))).min(max)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let bound = |attempts| backoff_bound(attempts, BACKOFF_FIRST, BACKOFF_MAX).as_secs();
        assert_eq!([0, 1, 2, 3, 8, 9, 40, u32::MAX].map(bound), [1, 2, 4, 8, 256, 300, 300, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_failure_is_said_once_a_period_and_again_when_it_is_news() {
        let mut complaint = Complaint::new(Duration::from_secs(60));
        assert_eq!([false; 3].map(|m| complaint.may_speak(m)), [Some(0), None, None]);
        assert_eq!(complaint.may_speak(true), Some(0), "the other kind has a say of its own");
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(complaint.may_speak(false), Some(2));
        complaint.over();
        assert_eq!(complaint.may_speak(false), Some(0));
    }
}
