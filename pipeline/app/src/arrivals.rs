//! Frames on their way from the cameras to the detector: one place a camera, newest frame wins.
//!
//! In: frames from ingest's threads. Out: batches of frames of different cameras, in the order in which
//! the cameras became ready, so that none is starved. Never: more than one frame a camera; a camera that is held up by
//! another one. The decoders that cameras share are held up here: what they decoded ahead of the detector would be
//! overtaken, and its cost lost.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Frames that shared decoders may be ahead of the detector.
const AHEAD_MAX: usize = 8;

/// Which camera, counted from 0.
pub(crate) type CameraIndex = usize;

/// Waiting frames. When a camera's place is taken, the newer frame takes it (policy: overwrite) and the
/// loss is counted.
pub(crate) struct Arrivals<F> {
    inner: Mutex<Inner<F>>,
    ready: Condvar,
    taken: Condvar,
}

struct Inner<F> {
    places: Vec<Option<F>>,
    order: VecDeque<CameraIndex>,
    overwritten: Vec<u64>,
    closed: bool,
}

impl<F> Arrivals<F> {
    /// No places yet: a camera has one from its first frame on.
    pub(crate) fn new() -> Self {
        let inner =
            Inner { places: Vec::new(), order: VecDeque::new(), overwritten: Vec::new(), closed: false };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), taken: Condvar::new() }
    }

    /// Leaves a camera's frame once the detector has come near: what a shared decoder calls, which has nothing better
    /// to do meanwhile.
    pub(crate) fn put_in_turn(&self, camera: CameraIndex, frame: F) {
        let is_ahead = |inner: &mut Inner<F>| {
            let has_place = inner.places.get(camera).is_some_and(Option::is_some);
            inner.order.len() >= AHEAD_MAX && !has_place && !inner.closed
        };
        let inner = self.taken.wait_while(self.lock(), is_ahead).unwrap_or_else(PoisonError::into_inner);
        self.leave(inner, camera, frame);
    }

    /// Leaves a camera's frame; never waits for the detector.
    pub(crate) fn put(&self, camera: CameraIndex, frame: F) {
        self.leave(self.lock(), camera, frame);
    }

    fn leave(&self, mut inner: MutexGuard<'_, Inner<F>>, camera: CameraIndex, frame: F) {
        if inner.places.len() <= camera {
            inner.places.resize_with(camera + 1, || None);
            inner.overwritten.resize(camera + 1, 0);
        }
        if inner.places[camera].replace(frame).is_some() {
            inner.overwritten[camera] += 1;
        } else {
            inner.order.push_back(camera);
        }
        drop(inner);
        self.ready.notify_one();
    }

    /// Waits for frames and takes at most `most` of them; `None` once closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<(CameraIndex, F)>> {
        let mut inner = self.lock();
        while inner.order.is_empty() {
            if inner.closed {
                return None;
            }
            inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        Some(self.hand_out(inner, most))
    }

    /// Takes at most `most` frames of those that wait; none where none does.
    pub(crate) fn take_waiting(&self, most: usize) -> Vec<(CameraIndex, F)> {
        self.hand_out(self.lock(), most)
    }

    fn hand_out(&self, mut inner: MutexGuard<'_, Inner<F>>, most: usize) -> Vec<(CameraIndex, F)> {
        let count = most.max(1).min(inner.order.len());
        let cameras: Vec<CameraIndex> = inner.order.drain(..count).collect();
        self.taken.notify_all();
        cameras.into_iter().filter_map(|camera| Some((camera, inner.places[camera].take()?))).collect()
    }

    /// Lets the taker end once everything is taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
        self.taken.notify_all();
    }

    /// Frames of a camera that a newer one took the place of.
    pub(crate) fn overwritten(&self, camera: CameraIndex) -> u64 {
        self.lock().overwritten.get(camera).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<F>> {
        // Nothing that can panic runs under the lock; a poisoned one still holds whole frames.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_wins_and_the_loss_is_counted() {
        let arrivals = Arrivals::new();
        arrivals.put(0, "old");
        arrivals.put(0, "new");
        arrivals.put(1, "other");
        assert_eq!(arrivals.take(8), Some(vec![(0, "new"), (1, "other")]));
        assert_eq!((arrivals.overwritten(0), arrivals.overwritten(1)), (1, 0));
        assert_eq!(arrivals.take_waiting(8), []);
        arrivals.put(1, "newest");
        assert_eq!(arrivals.take_waiting(8), [(1, "newest")]);
    }

    #[test]
    fn a_busy_camera_does_not_starve_a_quiet_one() {
        let arrivals = Arrivals::new();
        arrivals.put(2, 1);
        for frame in 0..5 {
            arrivals.put(0, frame);
        }
        assert_eq!(arrivals.take(1), Some(vec![(2, 1)]));
        arrivals.put(2, 2);
        assert_eq!(arrivals.take(1), Some(vec![(0, 4)]));
        assert_eq!(arrivals.take(1), Some(vec![(2, 2)]));
    }

    #[test]
    fn a_decoder_waits_for_the_detector_and_a_camera_that_has_a_place_does_not() {
        let arrivals = std::sync::Arc::new(Arrivals::new());
        (0..AHEAD_MAX).for_each(|camera| arrivals.put_in_turn(camera, "early"));
        arrivals.put_in_turn(0, "newer");
        let (tell, told) = std::sync::mpsc::channel();
        let decoder = std::thread::spawn({
            let arrivals = std::sync::Arc::clone(&arrivals);
            move || {
                for frame in ["late", "last"] {
                    arrivals.put_in_turn(AHEAD_MAX + usize::from(frame == "last"), frame);
                    let _ = tell.send(frame);
                }
            }
        });
        assert!(told.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "it waits");
        assert_eq!(arrivals.take(1), Some(vec![(0, "newer")]));
        assert_eq!(told.recv(), Ok("late"));
        arrivals.close();
        assert_eq!(told.recv(), Ok("last"));
        decoder.join().expect("it ends");
    }

    #[test]
    fn closing_hands_out_what_is_left_and_then_ends() {
        let arrivals = Arrivals::new();
        arrivals.put(0, 7);
        arrivals.close();
        assert_eq!(arrivals.take(4), Some(vec![(0, 7)]));
        assert_eq!(arrivals.take(4), None);
    }
}
