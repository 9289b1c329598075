//! What a camera is told to do, and the splitting of credentials from addresses.
//!
//! What comes in: an address as a person wrote it. What goes out: an address that may be logged and
//! credentials that print as `***`. Never: a password in a `Debug`, a `Display` or an error.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::IngestError;

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the element that has to send it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who the camera is asked as. `Debug` prints `***` for the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Account name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How RTP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Interleaved in the RTSP connection: nothing is lost, firewalls agree.
    #[default]
    Tcp,
    /// Datagrams of their own.
    Udp,
}

/// Which frames are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Cadence {
    /// Key frames only: delta units are dropped before the decoder.
    #[default]
    Keyframes,
    /// Everything is decoded and at most so many frames a second leave; none is doubled.
    Fps(f64),
}

/// Where pictures come from.
#[derive(Clone, PartialEq, Eq)]
pub enum SourceLocation {
    /// A camera or recorder on the network.
    Rtsp {
        /// `rtsp://host[:port]/path`. Credentials inside are moved to `credentials` before use.
        url: String,
        /// TCP by default.
        transport: Transport,
        /// Basic or Digest, as the camera asks.
        credentials: Option<Credentials>,
    },
    /// A recording. Any container and codec that GStreamer has a demuxer and decoder for.
    File {
        /// Where it lies.
        path: PathBuf,
        /// `true`: at the speed of the recording. `false`: as fast as the callback takes frames, none lost.
        realtime: bool,
        /// Starts again at the end; PTS go on growing.
        looped: bool,
    },
}

impl SourceLocation {
    /// An RTSP address over TCP, credentials split out of it.
    ///
    /// # Errors
    /// [`IngestError::Address`] when it is no RTSP address.
    pub fn rtsp(address: &str) -> Result<Self, IngestError> {
        Self::Rtsp { url: address.to_owned(), transport: Transport::default(), credentials: None }.checked()
    }

    /// The location with credentials moved out of the address; explicit credentials win.
    ///
    /// # Errors
    /// [`IngestError::Address`] when it is no RTSP address.
    pub fn checked(self) -> Result<Self, IngestError> {
        let Self::Rtsp { url, transport, credentials } = self else { return Ok(self) };
        let refuse =
            |reason: &str| IngestError::Address { address: redacted(&url), reason: reason.to_owned() };
        let mut parsed = Url::parse(url.trim())
            .map_err(|e| refuse(&format!("{e}; write it like rtsp://host:554/path")))?;
        if !matches!(parsed.scheme(), "rtsp" | "rtsps") {
            return Err(refuse("the scheme must be rtsp:// or rtsps://"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it names no host; write it like rtsp://host:554/path"));
        }
        if parsed.fragment().is_some() {
            return Err(refuse("a # must be written %23 (also in a password)"));
        }
        let inside = (!parsed.username().is_empty()).then(|| Credentials {
            user: percent_decoded(parsed.username()),
            password: Secret::new(percent_decoded(parsed.password().unwrap_or(""))),
        });
        let stripped = parsed.set_username("").and_then(|()| parsed.set_password(None));
        stripped.map_err(|()| refuse("its credentials cannot be split off; give user and password apart"))?;
        Ok(Self::Rtsp { url: parsed.into(), transport, credentials: credentials.or(inside) })
    }

    /// Whether it starts again at its end.
    pub(crate) fn is_looped(&self) -> bool {
        matches!(self, Self::File { looped: true, .. })
    }

    /// The address or path as it may be logged.
    pub fn shown(&self) -> String {
        match self {
            Self::Rtsp { url, .. } => redacted(url),
            Self::File { path, .. } => path.display().to_string(),
        }
    }
}

impl fmt::Debug for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtsp { url, transport, credentials } => f
                .debug_struct("Rtsp")
                .field("url", &redacted(url))
                .field("transport", transport)
                .field("credentials", credentials)
                .finish(),
            Self::File { path, realtime, looped } => f
                .debug_struct("File")
                .field("path", path)
                .field("realtime", realtime)
                .field("looped", looped)
                .finish(),
        }
    }
}

/// One camera's whole instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// Its id, in every frame and log line.
    pub camera: String,
    /// Where from.
    pub location: SourceLocation,
    /// Which frames.
    pub cadence: Cadence,
    /// A live stream that sends nothing for longer is stalled and connected anew.
    pub silent_limit: Duration,
    /// Shortest ceiling of the wait before connecting again.
    pub reconnect_min: Duration,
    /// Longest ceiling of it.
    pub reconnect_max: Duration,
    /// Longest wait where asking again may do harm or mends nothing: a wrong password, a wrong path.
    pub patience: Duration,
    /// How long GStreamer receives a camera that our own client did not understand, the first time; each time after that
    /// twice as long, up to a day.
    pub lent: Duration,
    /// How much of what the camera sent is kept for [`crate::Camera::cut`], up to 2 MiB for each of its seconds; zero:
    /// nothing.
    pub kept: Duration,
}

impl SourceConfig {
    /// Seconds of silence before a stream counts as stalled.
    pub const SILENT_LIMIT: Duration = Duration::from_secs(10);
    /// First ceiling of the wait before connecting again.
    pub const RECONNECT_MIN: Duration = Duration::from_secs(1);
    /// Last ceiling of the wait before connecting again. Short, since a street is blind meanwhile; what a try costs is
    /// a knock wherever nothing answers.
    pub const RECONNECT_MAX: Duration = Duration::from_secs(6);
    /// Longest wait where asking again may do harm: cameras lock accounts.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Five minutes: what was not understood is mostly a camera's passing trouble, and rtspsrc takes threads and handles.
    pub const LENT: Duration = Duration::from_secs(300);

    /// A camera with the defaults.
    pub fn new(camera: impl Into<String>, location: SourceLocation) -> Self {
        Self {
            camera: camera.into(),
            location,
            cadence: Cadence::default(),
            silent_limit: Self::SILENT_LIMIT,
            reconnect_min: Self::RECONNECT_MIN,
            reconnect_max: Self::RECONNECT_MAX,
            patience: Self::PATIENCE,
            lent: Self::LENT,
            kept: Duration::ZERO,
        }
    }

    /// Credentials split off, numbers that make sense.
    pub(crate) fn checked(mut self) -> Result<Self, IngestError> {
        self.location = self.location.checked()?;
        let refuse = |reason: &str| {
            Err(IngestError::Config { camera: self.camera.clone(), reason: reason.to_owned() })
        };
        if let Cadence::Fps(fps) = self.cadence
            && !(fps.is_finite() && fps > 0.0)
        {
            return refuse("frames a second must be a number above zero");
        }
        if self.silent_limit.is_zero() || self.reconnect_min.is_zero() {
            return refuse("silent_limit and reconnect_min must be above zero");
        }
        if self.reconnect_max < self.reconnect_min {
            return refuse("reconnect_max must not be shorter than reconnect_min");
        }
        if self.patience < self.reconnect_max {
            return refuse("patience must not be shorter than reconnect_max");
        }
        Ok(self)
    }
}

/// The address without anything between `//` and the last `@` before the path.
pub(crate) fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        // Not an address: whatever stands before an @ may be a password.
        return address
            .rsplit_once('@')
            .map_or_else(|| address.to_owned(), |(_, tail)| format!("***@{tail}"));
    };
    // An unescaped / or # in a password must not leak its head: cut at the last @ of the whole address.
    match rest.rsplit_once('@') {
        Some((_, tail)) => format!("{scheme}://{tail}"),
        None => address.to_owned(),
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = bytes.get(i + 1).copied().and_then(hex).zip(bytes.get(i + 2).copied().and_then(hex));
        match (bytes[i], pair) {
            (b'%', Some((high, low))) => {
                out.push(high << 4 | low);
                i += 3;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_address() {
        let location =
            SourceLocation::rtsp("rtsp://admin:p%40ss%2Fw@10.0.0.9:8554/Streaming/Channels/101?a=b").unwrap();
        let SourceLocation::Rtsp { url, credentials, .. } = &location else { panic!("{location:?}") };
        assert_eq!(url, "rtsp://10.0.0.9:8554/Streaming/Channels/101?a=b");
        let credentials = credentials.as_ref().unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("admin", "p@ss/w"));
        assert!(!format!("{location:?}").contains("p@ss"));
    }

    #[test]
    fn an_unescaped_at_sign_in_the_password_is_understood() {
        let location = SourceLocation::rtsp("rtsp://admin:p@ss@host/a").unwrap();
        let SourceLocation::Rtsp { url, credentials, .. } = location else { panic!() };
        assert_eq!((url.as_str(), credentials.unwrap().password.expose()), ("rtsp://host/a", "p@ss"));
    }

    #[test]
    fn no_error_shows_a_password() {
        for address in [
            "http://u:hunter2@host/",
            "rtsp://u:hunter2@",
            "rtsp://u:hunter2#x@host/a",
            "rtsp://u:hunter2/x@host/a",
            "u:hunter2@host",
            "rtsp://u:hunter2@host:port/",
        ] {
            if let Err(error) = SourceLocation::rtsp(address) {
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{address} → {error:?}");
            } else {
                panic!("{address} was taken");
            }
            let raw =
                SourceLocation::Rtsp { url: address.into(), transport: Transport::Tcp, credentials: None };
            assert!(!format!("{raw:?} {}", raw.shown()).contains("hunter2"));
        }
    }
}
