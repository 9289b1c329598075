//! Clips, servers and a camera whose callbacks end in channels.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use ingest::{
    Cadence, Camera, CameraState, Credentials, Frame, Secret, SourceConfig, SourceLocation, Transport,
};
use samples::{Codec, Encoding, RtspServer, Scheme, ServedAuth, ServedCamera, pattern_clip};

/// Nothing in these tests may take longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
/// Key frame every so many frames in the test clips.
pub(crate) const KEY_EVERY: u32 = 10;
pub(crate) const FPS: u32 = 25;
pub(crate) const SIZE: (u32, u32) = (320, 240);

/// A folder that goes when the test ends.
pub(crate) struct Clips(tempfile::TempDir);

impl Clips {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Four seconds of a moving pattern.
    pub(crate) fn moving(&self, codec: Codec) -> PathBuf {
        self.of("ball", codec, 4.0)
    }

    pub(crate) fn of(&self, pattern: &str, codec: Codec, secs: f64) -> PathBuf {
        let path = self.path(&format!("{pattern}-{codec:?}.mp4"));
        let encoding =
            Encoding { size: SIZE, secs, fps: FPS, key_frames_every: KEY_EVERY, noise_sigma: 0.0, codec };
        pattern_clip(pattern, encoding, &path).unwrap();
        path
    }
}

/// A server with one open camera `street`.
pub(crate) fn serve(clip: PathBuf) -> RtspServer {
    RtspServer::start(0, vec![ServedCamera::new("street", clip)]).unwrap()
}

pub(crate) const USER: &str = "operator";
pub(crate) const PASSWORD: &str = "s3cret/with@marks";

/// A server with one camera `street` that asks for [`USER`] and [`PASSWORD`].
pub(crate) fn serve_guarded(clip: PathBuf, scheme: Scheme) -> RtspServer {
    let auth = Some(ServedAuth::new(scheme, USER, PASSWORD));
    RtspServer::start(0, vec![ServedCamera { auth, ..ServedCamera::new("street", clip) }]).unwrap()
}

pub(crate) fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials { user: USER.into(), password: Secret::new(password) })
}

pub(crate) fn rtsp(url: String, transport: Transport) -> SourceLocation {
    SourceLocation::Rtsp { url, transport, credentials: None }
}

/// Short limits, so that tests are quick.
pub(crate) fn config(location: SourceLocation, cadence: Cadence) -> SourceConfig {
    SourceConfig {
        camera: "test".into(),
        location,
        cadence,
        silent_limit: Duration::from_millis(1500),
        reconnect_min: Duration::from_millis(50),
        reconnect_max: Duration::from_millis(400),
        patience: Duration::from_millis(400),
        lent: SourceConfig::LENT,
        kept: Duration::ZERO,
    }
}

/// A frame and when its callback ran.
pub(crate) type Arrival = (Frame, Instant, std::time::SystemTime);

/// A running camera and what it says.
pub(crate) struct Watched {
    pub(crate) camera: Camera,
    pub(crate) frames: Receiver<Arrival>,
    pub(crate) states: Receiver<CameraState>,
}

pub(crate) fn watch(config: SourceConfig) -> Watched {
    let (frame_out, frames) = sync_channel(4096);
    let (state_out, states) = sync_channel(4096);
    let camera = Camera::start(
        config,
        move |frame| {
            let _ = frame_out.try_send((frame, Instant::now(), std::time::SystemTime::now()));
        },
        move |state| {
            let _ = state_out.try_send(state.clone());
        },
    )
    .unwrap();
    Watched { camera, frames, states }
}

impl Watched {
    /// The next so many frames.
    pub(crate) fn take(&self, n: usize) -> Vec<Arrival> {
        let deadline = Instant::now() + DEADLINE;
        let mut taken = Vec::new();
        while taken.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.frames.recv_timeout(left) {
                Ok(arrival) => taken.push(arrival),
                Err(_) => panic!(
                    "{} of {n} frames; {:?}; {:?}",
                    taken.len(),
                    self.camera.state(),
                    self.camera.counters()
                ),
            }
        }
        taken
    }

    /// Waits for a state and gives those before it.
    pub(crate) fn until(&self, is_wanted: impl Fn(&CameraState) -> bool) -> Vec<CameraState> {
        let deadline = Instant::now() + DEADLINE;
        let mut before = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.states.recv_timeout(left) {
                Ok(state) if is_wanted(&state) => return before,
                Ok(state) => before.push(state),
                Err(_) => panic!("not reached after {before:?}; {:?}", self.camera.counters()),
            }
        }
    }
}
