//! From a camera's file to what ingest needs, with its secret read from where it is kept.

use std::time::Duration;

use anyhow::{Context, Result};
use calib::camera::Cadence;
use ingest::{Credentials, Secret, SourceConfig, SourceLocation, Transport};
use logic::look::CameraId;

use crate::node::{CameraEntry, secret};

/// The source of a camera.
///
/// # Errors
/// The password's place is empty; the address cannot be one. Never shows the password.
pub(crate) fn config(id: &CameraId, entry: &CameraEntry) -> Result<SourceConfig> {
    let stream = &entry.camera.stream;
    let mut config = SourceConfig::new(id.as_str(), location(entry).with_context(|| format!("camera {id}"))?);
    config.cadence = match stream.cadence {
        Cadence::Keyframes => ingest::Cadence::Keyframes,
        Cadence::Fps(fps) => ingest::Cadence::Fps(fps),
    };
    if stream.clip_secs > 0.0 {
        config.kept = crate::clips::kept(stream.clip_secs);
    }
    config.silent_limit = Duration::from_secs_f64(stream.silent_secs_max);
    Ok(config)
}

fn location(entry: &CameraEntry) -> Result<SourceLocation> {
    let stream = &entry.camera.stream;
    if !stream.url.contains("://") {
        // A clip as a camera: at the pace of its own clock, over and over.
        return Ok(SourceLocation::File {
            path: entry.folder.join(&stream.url),
            realtime: true,
            looped: true,
        });
    }
    let password = stream.password.as_ref().map(|place| secret(place, &entry.folder)).transpose()?;
    let credentials = stream
        .user
        .as_ref()
        .map(|user| Credentials { user: user.clone(), password: Secret::new(password.unwrap_or_default()) });
    let transport = if stream.over_udp { Transport::Udp } else { Transport::Tcp };
    // Checked here and not only where the stream starts: by then the one before it has stopped.
    Ok(SourceLocation::Rtsp { url: stream.url.clone(), transport, credentials }.checked()?)
}
