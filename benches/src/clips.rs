//! The clips that the published figures were measured on.
//!
//! In: Debian's opencv-doc. Out: `vtest` as a 1080p camera of 25 frames a second sends it, in H.264 and H.265, with a
//! key frame every 50 pictures (`-10s`: 250) and 4 Mbit/s; a street on which nothing moves (`quiet`), its sub-stream with
//! a key frame every ten seconds (`idle`), and the street at night pace (`night`, and `night-cbr` at a constant rate):
//! whoever is in the first picture stands for 110 s, then `vtest` passes for ten. Never: a clip in the checkout; they are
//! large and made in minutes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use samples::{Codec, SamplesError, Street};

use crate::say;

/// A sensor's noise by day, grey levels.
const NOISE: f32 = 2.0;
/// What is left of it where a camera takes most of it away.
const FAINT_NOISE: f32 = 0.5;

/// Seconds of the street at night pace, and how many of them are its passers-by's.
const NIGHT_SECS: f64 = 120.0;
const PASSING_SECS: f64 = 10.0;
/// Of a camera with a variable rate.
const NIGHT_QUANTIZER: u32 = 27;

/// Of `shirong bench clips`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where they go.
    #[arg(default_value = "target/bench-clips", value_name = "FOLDER")]
    folder: PathBuf,
    /// Seconds of each but the nights; a whole number of key-frame intervals, or the cameras that play them meet at the
    /// seam. `vtest` has 31.8.
    #[arg(long, default_value_t = 30.0)]
    secs: f64,
}

/// Makes those that are not there.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let original = samples::vtest().context(
        "vtest.avi is not here: sudo apt-get install -y opencv-doc (or give clips of your own to `bench journey`)",
    )?;
    std::fs::create_dir_all(&arguments.folder).with_context(|| arguments.folder.display().to_string())?;
    for (name, codec, key_frames_every) in [
        ("vtest-1080p-h264.mp4", Codec::H264, 50),
        ("vtest-1080p-h265.mp4", Codec::H265, 50),
        ("vtest-1080p-10s-h264.mp4", Codec::H264, 250),
    ] {
        let street = Street { secs: arguments.secs, codec, key_frames_every, ..Street::default() };
        make(&arguments.folder, name, |clip| samples::street_clip(&original, street, clip))?;
    }
    let whole = Street { secs: arguments.secs, ..Street::default() };
    let sub = Street { size: (640, 360), key_frames_every: 250, ..whole };
    for (name, street, noise_sigma) in
        [("quiet-1080p-h264.mp4", whole, NOISE), ("idle-360p-h264.mp4", sub, FAINT_NOISE)]
    {
        make(&arguments.folder, name, |clip| samples::quiet_clip(&original, street, noise_sigma, clip))?;
    }
    for (name, quantizer) in
        [("night-1080p-h264.mp4", Some(NIGHT_QUANTIZER)), ("night-cbr-1080p-h264.mp4", None)]
    {
        let street = Street { secs: NIGHT_SECS, quantizer, ..Street::default() };
        let night = (NOISE, PASSING_SECS);
        make(&arguments.folder, name, |clip| samples::night_clip(&original, street, night, clip))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a clip that is not there, whole or not at all, and names it.
fn make(folder: &Path, name: &str, of: impl FnOnce(&Path) -> Result<(), SamplesError>) -> Result<()> {
    let clip = folder.join(name);
    if !clip.exists() {
        let half = folder.join(format!("part-{name}"));
        of(&half)?;
        std::fs::rename(&half, &clip).with_context(|| clip.display().to_string())?;
    }
    say(&clip.display().to_string());
    Ok(())
}
