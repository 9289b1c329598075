//! What happened since the start, for metrics: each drop and failure with its reason.
//!
//! In: counts. Out: a snapshot. Never: a label without a bound.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident $doc:literal,)*) => {
        /// The live counts.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        /// The counts at one moment, each since the start of the service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct CountersSnapshot { $(#[doc = $doc] pub $name: u64,)* }

        impl CountersSnapshot {
            /// Each count with its name and what it counts.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
                [$((stringify!($name), $doc, self.$name),)*].into_iter()
            }
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> CountersSnapshot {
                CountersSnapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    cases_opened "Cases opened, by a finding or by a sighting whose case the desk had closed.",
    sightings_added "Findings that joined an open case.",
    already_committed "Findings that had been committed before.",
    frames_unusable "Frames that gave no picture; their finding went on without.",
    frames_unmaskable "Pictures of which no copy left, because it was unknown what to mask.",
    first_frames_staged "First frames of candidates kept.",
    first_frames_dropped "First frames that made room for newer ones of the same camera.",
    first_frames_failed "First frames that could not be written.",
    cases_posted "Cases that the desk acknowledged.",
    sightings_posted "Sightings that the desk acknowledged.",
    cases_closed_by_desk "Cases that a sighting found closed.",
    posts_retried "Posts put off: the desk could not be reached, was busy or failed.",
    posts_refused_by_configuration "Posts put off: the desk's address or token is wrong.",
    posts_dead "Posts that the desk refused for good, or whose evidence is gone.",
    clips_kept "Clips of a confirmation that went into the vault.",
    clips_missed "Clips of a confirmation that could not be had: the stream had broken off or moved on, too many waited, or the disk refused.",
    files_erased "Evidence files erased because their time was over.",
    events_dropped "Events that a slow listener missed.",
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
