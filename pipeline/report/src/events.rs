//! The poster's events for whoever listens: a printed line, a metric, a health page.
//!
//! In: a bounded channel. Out: events in order. Never: a poster that waits for a slow listener; the
//! oldest events are overwritten and counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::counters::Counters;
use crate::post::PostEvent;

/// One listener.
#[derive(Debug)]
pub struct PostEvents {
    receiver: broadcast::Receiver<PostEvent>,
    counters: Arc<Counters>,
}

impl PostEvents {
    pub(crate) fn new(receiver: broadcast::Receiver<PostEvent>, counters: Arc<Counters>) -> Self {
        Self { receiver, counters }
    }

    /// The next event; `None` when the reporter and its poster are gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<PostEvent> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(missed)) => {
                    self.counters.events_dropped.fetch_add(missed, Ordering::Relaxed);
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_it_is_counted() {
        let sender = broadcast::Sender::new(2);
        let counters = Arc::new(Counters::default());
        let mut events = PostEvents::new(sender.subscribe(), Arc::clone(&counters));
        for id in ["1", "2", "3", "4", "5"] {
            sender.send(PostEvent::CaseClosed { case_id: id.into() }).unwrap();
        }
        drop(sender);
        let mut heard = Vec::new();
        while let Some(PostEvent::CaseClosed { case_id }) = events.next().await {
            heard.push(case_id);
        }
        assert_eq!((heard, counters.snapshot().events_dropped), (vec!["4".into(), "5".into()], 3));
    }
}
