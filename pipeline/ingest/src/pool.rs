//! Decoders that all cameras share: a key frame stands alone, so any of a few decoders may take it.
//!
//! What comes in: key frames' access units, one place a camera; the newest wins, and what it takes the place of is
//! counted by whoever put it there. What goes out: pictures, through the camera's own callback on a worker's thread.
//! The camera that has waited longest is next, so that each keeps its share when there are more units than workers can
//! decode. Never: two units of a camera at once; a unit's fault in another camera's count.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;

use crate::decode::{Codec, Nal};
use crate::lone::{Fault, Lone, Picture};

/// Open decoders for each worker: cameras of a few sizes take turns without one being closed for another.
const DECODERS_A_WORKER: usize = 4;
/// A decoder that nothing came to for so long is closed: each holds its pictures, and handles.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a leaving camera waits for its picture that is being decoded.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// An access unit that waits for a decoder.
pub(crate) struct Lonely {
    /// A key frame with its parameter sets, start codes.
    pub(crate) unit: gst::Buffer,
    /// Since the connection began, nanoseconds.
    pub(crate) running_ns: u64,
    /// When it arrived, nanoseconds since 1970.
    pub(crate) receipt_ns: i64,
}

/// What became of a unit.
pub(crate) struct Decoded {
    /// `None`: it gave no picture.
    pub(crate) picture: Option<Picture>,
    /// As in the unit.
    pub(crate) running_ns: u64,
    /// As in the unit.
    pub(crate) receipt_ns: i64,
}

type Take = Arc<dyn Fn(Decoded) + Send + Sync>;
type SeatId = u64;

struct Seated {
    codec: Codec,
    take: Take,
    waiting: Option<Lonely>,
    is_in_work: bool,
    /// Its place goes when the work is done.
    is_leaving: bool,
}

impl Seated {
    fn is_busy(&self) -> bool {
        self.is_in_work || self.waiting.is_some()
    }
}

/// Like goes to like: a decoder that meets other parameter sets sets itself up anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    codec: Codec,
    sets: u64,
}

struct Inner {
    seats: HashMap<SeatId, Seated>,
    /// Seats with a unit that nobody works on, longest waiting first.
    order: VecDeque<SeatId>,
    /// Decoders that nobody uses and since when, least recently used first.
    idle: VecDeque<(Kind, Lone, Instant)>,
    /// All decoders, in use or not.
    open: usize,
    workers: usize,
    next_id: SeatId,
}

/// The process's decoders.
pub(crate) struct Pool {
    inner: Mutex<Inner>,
    ready: Condvar,
    done: Condvar,
}

static POOL: OnceLock<Pool> = OnceLock::new();
static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// How many threads decode the key frames of all cameras; 0, and unless told: one a processor. Counts from the next
/// camera on that is started, and never less than before.
pub fn set_decoders(threads: usize) {
    WORKERS.store(threads, Ordering::Relaxed);
}

fn wanted() -> usize {
    match WORKERS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

impl Pool {
    /// The one of this process.
    pub(crate) fn shared() -> &'static Self {
        POOL.get_or_init(Self::new)
    }

    fn new() -> Self {
        let inner = Inner {
            seats: HashMap::new(),
            order: VecDeque::new(),
            idle: VecDeque::new(),
            open: 0,
            workers: 0,
            next_id: 0,
        };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), done: Condvar::new() }
    }

    /// A place for a connection. `take` gets its pictures on a worker's thread; while it waits, that worker does.
    pub(crate) fn seat(
        &'static self,
        codec: Codec,
        take: impl Fn(Decoded) + Send + Sync + 'static,
    ) -> std::io::Result<Seat> {
        self.seat_among(wanted(), codec, take)
    }

    /// The same in a pool of at least so many workers.
    fn seat_among(
        &'static self,
        workers: usize,
        codec: Codec,
        take: impl Fn(Decoded) + Send + Sync + 'static,
    ) -> std::io::Result<Seat> {
        let mut inner = self.lock();
        while inner.workers < workers {
            let number = inner.workers;
            let spawned = std::thread::Builder::new().name(format!("decode {number}"));
            match spawned.spawn(move || self.work()) {
                Ok(_) => inner.workers += 1,
                // With fewer it goes on; with none it cannot.
                Err(error) if inner.workers == 0 => return Err(error),
                Err(_) => break,
            }
        }
        let id = inner.next_id;
        inner.next_id += 1;
        inner.seats.insert(
            id,
            Seated { codec, take: Arc::new(take), waiting: None, is_in_work: false, is_leaving: false },
        );
        Ok(Seat { pool: self, id })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            self.close_idle(Instant::now());
            let Some((id, codec, take, lonely)) = self.next() else { continue };
            let Lonely { unit, running_ns, receipt_ns } = lonely;
            let picture = self.decode(codec, unit);
            take(Decoded { picture, running_ns, receipt_ns });
            let mut inner = self.lock();
            let mut left = None;
            if let Some(seat) = inner.seats.get_mut(&id) {
                seat.is_in_work = false;
                if seat.is_leaving {
                    left = inner.seats.remove(&id);
                } else if seat.waiting.is_some() {
                    inner.order.push_back(id);
                    self.ready.notify_one();
                }
            }
            drop(inner);
            drop(left);
            self.done.notify_all();
        }
    }

    /// What has waited longest; `None` after a while without anything.
    fn next(&self) -> Option<(SeatId, Codec, Take, Lonely)> {
        let mut inner = self.lock();
        let mut has_waited = false;
        loop {
            while let Some(id) = inner.order.pop_front() {
                if let Some(seat) = inner.seats.get_mut(&id)
                    && let Some(lonely) = seat.waiting.take()
                {
                    seat.is_in_work = true;
                    return Some((id, seat.codec, Arc::clone(&seat.take), lonely));
                }
            }
            if has_waited {
                return None;
            }
            let waited = self.ready.wait_timeout(inner, IDLE_MAX).unwrap_or_else(PoisonError::into_inner);
            (inner, has_waited) = (waited.0, waited.1.timed_out());
        }
    }

    fn decode(&self, codec: Codec, unit: gst::Buffer) -> Option<Picture> {
        let kind = Kind { codec, sets: unit.map_readable().map_or(0, |map| sets_of(codec, &map)) };
        let mut lone = match self.lend(kind) {
            Ok(lone) => lone,
            Err(error) => {
                tracing::error!(codec = codec.name(), %error, "a key frame finds no decoder");
                return None;
            }
        };
        let decoded = lone.decode(unit);
        if decoded.as_ref().is_err_and(|fault| *fault == Fault::Decoder) {
            self.lock().open -= 1;
            return None;
        }
        self.lock().idle.push_back((kind, lone, Instant::now()));
        decoded.ok()
    }

    /// Closes what has been idle for too long.
    fn close_idle(&self, now: Instant) {
        let mut inner = self.lock();
        let since = |idle: &(Kind, Lone, Instant)| now.saturating_duration_since(idle.2);
        let old = inner.idle.partition_point(|idle| since(idle) > IDLE_MAX);
        let closed: Vec<_> = inner.idle.drain(..old).collect();
        drop(inner);
        let count = closed.len();
        // Takes a moment each.
        drop(closed);
        self.lock().open -= count;
    }

    /// One that has decoded the like before, or a new one; the least recently used is closed where there are too many.
    fn lend(&self, kind: Kind) -> Result<Lone, gst::glib::BoolError> {
        let mut inner = self.lock();
        if let Some(at) = inner.idle.iter().rposition(|(other, ..)| *other == kind)
            && let Some((_, lone, _)) = inner.idle.remove(at)
        {
            return Ok(lone);
        }
        let closed =
            if inner.open >= DECODERS_A_WORKER * inner.workers { inner.idle.pop_front() } else { None };
        if closed.is_none() {
            inner.open += 1;
        }
        drop(inner);
        drop(closed);
        Lone::open(kind.codec).inspect_err(|_| self.lock().open -= 1)
    }
}

/// A connection's place in the pool. Once it is dropped its callback is not called any more.
pub(crate) struct Seat {
    pool: &'static Pool,
    id: SeatId,
}

impl Seat {
    /// Leaves a unit for the next free decoder. `true`: it took the place of one that none had come to.
    pub(crate) fn put(&self, lonely: Lonely) -> bool {
        let mut inner = self.pool.lock();
        let Some(seat) = inner.seats.get_mut(&self.id) else { return false };
        let is_late = seat.waiting.replace(lonely).is_some();
        if !is_late && !seat.is_in_work {
            inner.order.push_back(self.id);
            drop(inner);
            self.pool.ready.notify_one();
        }
        is_late
    }

    /// Whether something of it waits or is being decoded.
    pub(crate) fn is_busy(&self) -> bool {
        self.pool.lock().seats.get(&self.id).is_some_and(Seated::is_busy)
    }

    /// Waits until what was put is through.
    pub(crate) fn drain(&self) {
        self.wait(Seated::is_busy);
    }

    /// Leaves without waiting: its callback may run once more.
    pub(crate) fn retire(self) {
        let mut inner = self.pool.lock();
        let mut left = None;
        if let Some(seat) = inner.seats.get_mut(&self.id) {
            seat.waiting = None;
            seat.is_leaving = seat.is_in_work;
            if !seat.is_in_work {
                left = inner.seats.remove(&self.id);
            }
        }
        drop(inner);
        drop(left);
        // Dropping would wait.
        std::mem::forget(self);
    }

    fn wait(&self, is_busy: impl Fn(&Seated) -> bool) {
        let deadline = Instant::now() + LEAVE_LIMIT;
        let mut inner = self.pool.lock();
        while inner.seats.get(&self.id).is_some_and(&is_busy) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inner = self.pool.done.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seat) = self.pool.lock().seats.get_mut(&self.id) {
            seat.waiting = None;
        }
        self.wait(|seat| seat.is_in_work);
        let seat = self.pool.lock().seats.remove(&self.id);
        // Its callback may hold what locks the pool when it goes.
        drop(seat);
    }
}

/// What the sequence parameter set of a unit with start codes says, as a number; 0 where it has none.
fn sets_of(codec: Codec, unit: &[u8]) -> u64 {
    let start = |from: usize| {
        unit.get(from..)?.windows(3).position(|bytes| bytes == [0, 0, 1]).map(|at| from + at + 3)
    };
    let mut at = start(0);
    while let Some(begin) = at {
        let kind = codec.nal(&unit[begin..]);
        // Slices are long and come last.
        if begin == unit.len() || matches!(kind, Nal::Key | Nal::Delta) {
            return 0;
        }
        let next = start(begin);
        if kind == Nal::Set(1) {
            let end = next.map_or(unit.len(), |next| next - 3);
            let mut hasher = DefaultHasher::new();
            let mut set = &unit[begin..end];
            while let [rest @ .., 0] = set {
                set = rest;
            }
            set.hash(&mut hasher);
            return hasher.finish();
        }
        at = next;
    }
    0
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use gstreamer::prelude::*;
    use gstreamer_app as gst_app;
    use gstreamer_video::VideoFrameExt;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// A key frame of so many pixels across, as a gate lets it through.
    fn key_frame(width: u32) -> gst::Buffer {
        gst::init().unwrap();
        let launch = format!(
            "videotestsrc num-buffers=1 pattern=smpte75 ! video/x-raw,format=I420,width={width},height=64 ! \
             x264enc key-int-max=1 ! h264parse config-interval=-1 ! \
             video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=end sync=false"
        );
        let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
        let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let unit = end.pull_sample().unwrap().buffer_owned().unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        unit
    }

    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    type Told = (&'static str, Option<u32>, u64);

    /// A camera of a pool with one worker that tells its name, its pictures' widths and their times.
    fn camera(pool: &'static Pool, name: &'static str, tell: &Sender<Told>) -> Seat {
        let tell = Mutex::new(tell.clone());
        let take = move |decoded: Decoded| {
            let width = decoded.picture.map(|picture| picture.width());
            let _ = tell.lock().unwrap().send((name, width, decoded.running_ns));
        };
        pool.seat_among(1, Codec::H264, take).unwrap()
    }

    fn at(unit: &gst::Buffer, running_ns: u64) -> Lonely {
        Lonely { unit: unit.clone(), running_ns, receipt_ns: 0 }
    }

    fn next(told: &Receiver<Told>) -> Told {
        told.recv_timeout(DEADLINE).unwrap()
    }

    #[test]
    fn few_decoders_serve_cameras_of_many_sizes() {
        let (pool, (tell, told)) = (pool(), channel());
        for lap in 0..2 {
            for size in 1..=7 {
                let (unit, seat) = (key_frame(64 * size), camera(pool, "a", &tell));
                for of in 0..2 {
                    assert!(!seat.put(at(&unit, of)));
                    assert_eq!(next(&told), ("a", Some(64 * size), of), "lap {lap}");
                    seat.drain();
                }
            }
            let open = pool.lock().open;
            assert_eq!(open, DECODERS_A_WORKER);
        }
        assert!(pool.lock().seats.is_empty(), "who has left has no place");
        pool.close_idle(Instant::now() + IDLE_MAX / 2);
        let open = pool.lock().open;
        assert_eq!(open, DECODERS_A_WORKER);
        pool.close_idle(Instant::now() + 2 * IDLE_MAX);
        let open = pool.lock().open;
        assert_eq!(open, 0, "nobody needs them any more");
        let (unit, seat) = (key_frame(64), camera(pool, "b", &tell));
        seat.put(at(&unit, 3));
        assert_eq!(next(&told), ("b", Some(64), 3));
    }

    #[test]
    fn a_broken_unit_costs_its_own_camera_and_no_other() {
        let (pool, (tell, told)) = (pool(), channel());
        let whole = key_frame(128);
        let map = whole.map_readable().unwrap();
        let mut bytes = map.to_vec();
        // The sets stay, the slice is noise.
        let slice = bytes.len() - bytes.len() / 2;
        bytes[slice..].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 151 % 251) as u8);
        let cut = gst::Buffer::from_slice(map[..40].to_vec());
        let noise = gst::Buffer::from_slice(b"no picture at all".to_vec());
        let broken = gst::Buffer::from_slice(bytes);
        let (bad, good) = (camera(pool, "bad", &tell), camera(pool, "good", &tell));
        for unit in [&noise, &cut, &broken, &noise] {
            bad.put(at(unit, 1));
            assert_eq!(next(&told).0, "bad");
            good.put(at(&whole, 2));
            assert_eq!(next(&told), ("good", Some(128), 2));
        }
        bad.put(at(&noise, 1));
        assert_eq!(next(&told), ("bad", None, 1));
    }

    #[test]
    fn who_has_waited_longest_is_next_and_a_newer_unit_takes_the_place_of_an_older() {
        let (pool, (tell, told)) = (pool(), channel());
        let unit = key_frame(64);
        let (go, gone) = channel::<()>();
        let gone = Mutex::new(gone);
        let (enter, entered) = channel();
        let enter = Mutex::new(enter);
        // The one worker waits in this camera's callback.
        let busy = pool.seat_among(1, Codec::H264, move |_| {
            let _ = enter.lock().unwrap().send(());
            let _ = gone.lock().unwrap().recv_timeout(DEADLINE);
        });
        let busy = busy.unwrap();
        busy.put(at(&unit, 0));
        entered.recv_timeout(DEADLINE).unwrap();
        let (often, seldom) = (camera(pool, "often", &tell), camera(pool, "seldom", &tell));
        assert!(!often.put(at(&unit, 1)));
        assert!(!seldom.put(at(&unit, 2)));
        assert!(often.put(at(&unit, 3)), "one is lost");
        assert!(often.put(at(&unit, 4)));
        // Whoever waits is not to be taken for blind.
        assert!(seldom.is_busy());
        go.send(()).unwrap();
        assert_eq!(next(&told), ("often", Some(64), 4));
        assert_eq!(next(&told), ("seldom", Some(64), 2));
        seldom.drain();
        assert!(!seldom.is_busy());
    }
}
