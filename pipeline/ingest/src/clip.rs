//! A recording read to its end: frames when they are asked for, in the recording's own time.
//!
//! What comes in: a file, a cadence, the moment at which its first picture was taken. What goes out: every frame
//! that the cadence wants, in order, as fast as they are taken. Never: a wall clock in a frame's time, a frame
//! left out because the taker is slow; two readings give the same frames with the same times.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calib::time::Timestamp;

use crate::connection::{Event, Happening, Parts, Shared};
use crate::frame::Frame;
use crate::state::Tally;
use crate::stream::Stream;
use crate::{Cadence, Refusal, SourceConfig, SourceLocation};

/// Frames decoded ahead of the one that was taken.
const AHEAD: usize = 2;
/// A recording in which nothing is read or decoded for so long is given up. One that is due for no picture may be
/// silent for longer: at a look an hour most of it is passed over.
const SILENT_LIMIT: Duration = Duration::from_secs(60);
/// What its pipeline may have to say at once: every frame ahead, that it is ready, alive, failed, at its end.
const EVENTS_MAX: usize = AHEAD + 8;

/// Why a recording cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
#[error("clip {}: {reason}", .path.display())]
pub struct ClipError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A recording that is being read.
pub struct Clip {
    path: PathBuf,
    decoded: Arc<Mutex<VecDeque<Frame>>>,
    /// One for each frame that may be decoded; dropped first, so that the pipeline can end.
    permits: Option<SyncSender<()>>,
    events: Receiver<Event>,
    stream: Option<Stream>,
    tally: Arc<Tally>,
    /// Once it has ended: `None` at its end, else the reason.
    end: Option<Option<String>>,
}

impl Clip {
    /// Opens a recording whose first picture was taken at `start`. `camera` is what its frames are named after.
    ///
    /// # Errors
    /// No such file, no regular one, or one that no pipeline can be made for.
    pub fn open(path: &Path, camera: &str, cadence: Cadence, start: Timestamp) -> Result<Self, ClipError> {
        let refuse = |reason: String| ClipError { path: path.to_owned(), reason };
        crate::init().map_err(|error| refuse(error.to_string()))?;
        if path.exists() && !path.is_file() {
            return Err(refuse("is no regular file; give a recording on a disk".to_owned()));
        }
        let location = SourceLocation::File { path: path.to_owned(), realtime: false, looped: false };
        let config = SourceConfig { cadence, ..SourceConfig::new(camera, location) };
        let config = config.checked().map_err(|error| refuse(error.to_string()))?;
        let (wake, events) = sync_channel(EVENTS_MAX);
        let (permits, permitted) = sync_channel(AHEAD);
        for _ in 0..AHEAD {
            // The channel has room for all of them.
            let _ = permits.try_send(());
        }
        let tally = Arc::new(Tally::new());
        let decoded = Arc::new(Mutex::new(VecDeque::with_capacity(AHEAD)));
        let shared = Arc::new(Shared {
            camera: camera.into(),
            tally: Arc::clone(&tally),
            seq: AtomicU64::new(0),
            at_last_ms: AtomicI64::new(i64::MIN / 2),
            on_frame: Box::new({
                let (decoded, wake, permitted) = (Arc::clone(&decoded), wake.clone(), Mutex::new(permitted));
                move |frame| {
                    let permitted = permitted.lock().unwrap_or_else(PoisonError::into_inner);
                    if permitted.recv().is_ok() {
                        decoded.lock().unwrap_or_else(PoisonError::into_inner).push_back(frame);
                        let _ = wake.try_send(Event { connection: 1, what: Happening::Alive });
                    }
                }
            }),
            on_unit: Box::new(|_| {}),
            may_pass: None,
            ring: None,
            started_unix_ns: start.as_millis().saturating_mul(1_000_000),
        });
        let stream = Stream::open(&config.location, Parts::new(&config, &shared, 1, Duration::ZERO, wake));
        let stream = stream.map_err(|refusal| refuse(said(&refusal)))?;
        let path = path.to_owned();
        Ok(Self { path, decoded, permits: Some(permits), events, stream: Some(stream), tally, end: None })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// What follows cannot be decoded.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ClipError> {
        let mut progress = self.progress();
        loop {
            // All that waits is heard each time: a channel full of old news would have no room for the end.
            while let Ok(event) = self.events.try_recv() {
                self.hear(event.what);
            }
            let frame = self.decoded.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let (Some(frame), Some(permits)) = (frame, &self.permits) {
                // One permit a frame taken: there is room.
                let _ = permits.try_send(());
                return Ok(Some(frame));
            }
            match &self.end {
                Some(None) => return Ok(None),
                Some(Some(reason)) => return Err(self.error(reason.clone())),
                None => {}
            }
            match self.events.recv_timeout(SILENT_LIMIT) {
                Ok(event) => self.hear(event.what),
                Err(_) if self.progress() > progress => progress = self.progress(),
                Err(_) => {
                    return Err(self.error(format!("gives no picture within {} s", SILENT_LIMIT.as_secs())));
                }
            }
        }
    }

    /// Grows while anything is read or decoded, due or not.
    fn progress(&self) -> u64 {
        let tally = self.tally.read();
        tally.units_in + tally.frames_out + tally.cadence_dropped
    }

    fn hear(&mut self, what: Happening) {
        match what {
            Happening::Ready => self.stream.iter().for_each(Stream::play),
            Happening::Alive => {}
            Happening::End | Happening::Stop => self.end = self.end.take().or(Some(None)),
            Happening::Failed(refusal) => self.end = self.end.take().or_else(|| Some(Some(said(&refusal)))),
        }
    }

    /// How long it is, once its first frame is out and where its container says.
    pub fn length(&self) -> Option<Duration> {
        self.stream.as_ref().and_then(Stream::length)
    }

    fn error(&self, reason: String) -> ClipError {
        ClipError { path: self.path.clone(), reason }
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        // In this order: a pipeline whose thread waits for a permit does not stop.
        self.permits = None;
        self.stream = None;
    }
}

/// What a refusal means of a file.
fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotFound => "there is no such file".to_owned(),
        Refusal::NoVideo => "it holds no video".to_owned(),
        Refusal::UnsupportedCodec(codec) => {
            format!("its codec {codec} has no decoder here: sudo apt-get install -y gstreamer1.0-libav")
        }
        Refusal::Other(what) => what.clone(),
        other => other.to_string(),
    }
}
