//! `shirong probe`: what a stream is, before a camera file is written for it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use calib::camera::PasswordPlace;
use ingest::{Credentials, Frame, ProbeReport, Secret, SourceLocation, Transport};
use report::Picture;

use crate::node::secret;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// rtsp://host:554/path, or a file. A user and password inside the address work but end up in the
    /// shell's history.
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// The user, where the camera wants one.
    #[arg(long)]
    user: Option<String>,
    /// The environment variable that holds the password.
    #[arg(long, value_name = "NAME", requires = "user")]
    password_env: Option<String>,
    /// The file that holds the password.
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "password_env")]
    password_file: Option<String>,
    /// Take RTP over UDP.
    #[arg(long)]
    udp: bool,
    /// Write the newest key frame to this JPEG.
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECS", default_value_t = 20)]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    ingest::init()?;
    let location = location(arguments)?;
    let shown = location.shown();
    let timeout = Duration::from_secs(arguments.timeout.clamp(1, 600));
    let report = match ingest::probe(location, timeout) {
        Ok(report) => report,
        Err(refusal) => {
            eprintln!("shirong: {shown}: {refusal}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(path) = &arguments.snapshot {
        write_snapshot(&report.snapshot, path)?;
    }
    print(arguments, &shown, &report)?;
    Ok(ExitCode::SUCCESS)
}

fn location(arguments: &Arguments) -> Result<SourceLocation> {
    if !arguments.address.contains("://") {
        return Ok(SourceLocation::File {
            path: PathBuf::from(&arguments.address),
            realtime: false,
            looped: false,
        });
    }
    let place = match (&arguments.password_env, &arguments.password_file) {
        (Some(name), _) => Some(PasswordPlace::Env(name.clone())),
        (None, Some(file)) => Some(PasswordPlace::File(file.clone())),
        (None, None) => None,
    };
    let password = place.map(|place| secret(&place, Path::new("."))).transpose()?;
    let credentials = arguments
        .user
        .as_ref()
        .map(|user| Credentials { user: user.clone(), password: Secret::new(password.unwrap_or_default()) });
    let transport = if arguments.udp { Transport::Udp } else { Transport::Tcp };
    let location = SourceLocation::Rtsp { url: arguments.address.clone(), transport, credentials };
    Ok(location.checked()?)
}

/// A snapshot as a picture in RGB.
///
/// # Errors
/// The camera sends none that can be read as one.
pub(crate) fn picture(frame: &Frame) -> Result<Picture> {
    Ok(Picture::from_yuv(&frame.view().context("the snapshot is no 4:2:0 picture")?)?)
}

fn write_snapshot(frame: &Frame, path: &Path) -> Result<()> {
    let jpeg = picture(frame)?.to_jpeg()?;
    std::fs::write(path, &jpeg.bytes).with_context(|| format!("writing {}", path.display()))
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(arguments: &Arguments, shown: &str, report: &ProbeReport) -> Result<()> {
    let snapshot = arguments.snapshot.as_ref().map(|path| path.display().to_string());
    if arguments.json {
        let json = serde_json::json!({
            "address": shown,
            "codec": report.codec, "profile": report.profile, "level": report.level,
            "width": report.width, "height": report.height,
            "fps_measured": report.fps_measured, "fps_stated": report.fps_stated,
            "key_interval_secs": report.key_interval_secs,
            "key_interval_frames": report.key_interval_frames,
            "kbps": report.kbps, "clock_skew_ms": report.clock_skew_ms,
            "has_audio": report.has_audio, "snapshot": snapshot,
        });
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(());
    }
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
    let profile = match (&report.profile, &report.level) {
        (Some(profile), Some(level)) => format!(" ({profile}, level {level})"),
        _ => String::new(),
    };
    println!("address     {shown}");
    println!("codec       {}{profile}", report.codec);
    println!("size        {} × {}", report.width, report.height);
    let stated = report.fps_stated.map_or_else(String::new, |fps| format!(", stated {fps:.2}"));
    println!(
        "frames/s    {}{stated}",
        or_unknown(report.fps_measured.map(|fps| format!("{fps:.2} measured")))
    );
    let interval = report.key_interval_secs.map(|secs| match report.key_interval_frames {
        Some(frames) => format!("every {secs:.2} s ({frames} frames)"),
        None => format!("every {secs:.2} s"),
    });
    println!("key frames  {}", or_unknown(interval));
    println!("rate        {}", or_unknown(report.kbps.map(|kbps| format!("{kbps:.0} kbit/s"))));
    let skew = report.clock_skew_ms.map(|ms| format!("{ms:+} ms against this machine"));
    println!("clock       {}", or_unknown(skew));
    println!("sound       {}", if report.has_audio { "yes (not used)" } else { "no" });
    if let Some(snapshot) = snapshot {
        println!("snapshot    {snapshot}");
    }
    Ok(())
}
