//! The `[stream]` of a camera's file.
//!
//! In: the table. Out: a [`Stream`]. Never: a password.

use super::INGEST;
use crate::check::{Effect, Section, Source};

/// Default of `stream.silent_secs_max`.
pub const SILENT_SECS_MAX: f64 = 10.0;

/// Default of `stream.quiet_secs_max`.
pub const QUIET_SECS_MAX: f64 = 60.0;

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// `rtsp://…` without user or password, or the path of a file.
    pub url: String,
    /// The address of its smaller stream.
    pub sub_url: Option<String>,
    /// RTP over UDP instead of inside the RTSP connection.
    pub over_udp: bool,
    /// The user, where the camera wants one.
    pub user: Option<String>,
    /// Where the password is kept.
    pub password: Option<PasswordPlace>,
    /// Which frames are looked at.
    pub cadence: Cadence,
    /// Silence after which the stream counts as stalled, seconds.
    pub silent_secs_max: f64,
    /// Longest that a street on which nothing moves is left alone, seconds; 0: it is looked at at every key frame.
    pub quiet_secs_max: f64,
    /// Seconds around a confirmation that are kept as a clip, half of them before it; 0: none.
    pub clip_secs: f64,
}

/// Where a password is kept; never the password itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordPlace {
    /// In an environment variable of this name.
    Env(String),
    /// In a file of this path, its last line break left out.
    File(String),
}

/// Which frames are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cadence {
    /// Key frames; everything else is dropped before the decoder.
    Keyframes,
    /// So many frames a second.
    Fps(f64),
}

pub(super) fn read_stream<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<Stream> {
    if !root.has("stream") {
        source.problem(
            &root.at_key("stream"),
            "is missing",
            "write [stream] and under it url = \"rtsp://…\"",
        );
        return None;
    }
    let section = root.section(source, "stream");
    root.about(source, "stream", "", "Where its pictures come from", INGEST);
    let mut section = section?;
    let url =
        section.text_required(source, "url", "write url = \"rtsp://192.0.2.10/path\", or a clip's path");
    section.about(source, "url", "", "`rtsp://…` without user or password, or the path of a clip", INGEST);
    let sub_url = section.text(source, "sub_url");
    let does = "The address of its smaller stream, for walls of pictures";
    section.about(source, "sub_url", "none", does, Effect::Kept("console"));
    for (key, url) in [("url", &url), ("sub_url", &sub_url)] {
        if url.as_deref().is_some_and(|u| u.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))) {
            source.problem(
                &section.at_key(key),
                "holds a user or password",
                "write user = \"…\" and password_env = \"NAME_OF_A_VARIABLE\" (or password_file) beside it",
            );
        }
    }
    section.words(source, "transport", false, ["tcp", "udp"]);
    let transport = section.text(source, "transport");
    section.about(
        source,
        "transport",
        "tcp",
        "RTP inside the RTSP connection (`tcp`) or beside it (`udp`)",
        INGEST,
    );
    if !matches!(transport.as_deref(), None | Some("tcp" | "udp")) {
        source.problem(&section.at_key("transport"), "is neither", "write \"tcp\" (default) or \"udp\"");
    }
    let user = section.text(source, "user");
    let from_env = section.text(source, "password_env").map(PasswordPlace::Env);
    let from_file = section.path(source, "password_file").map(PasswordPlace::File);
    section.about(source, "user", "none", "Who looks in", INGEST);
    section.about(source, "password_env", "none", "The environment variable that holds the password", INGEST);
    section.about(source, "password_file", "none", "The file that holds the password", INGEST);
    if from_env.is_some() && from_file.is_some() {
        source.problem(&section.at_key("password_file"), "stands beside password_env", "keep one of them");
    }
    match (&user, from_env.is_some() || from_file.is_some()) {
        (Some(_), false) => {
            let mend = "write password_env = \"NAME_OF_A_VARIABLE\" or password_file = \"/path\" beside it";
            source.problem(&section.at_key("user"), "has no password beside it", mend);
        }
        (None, true) => {
            source.problem(&section.at(), "has a password for nobody", "write user = \"…\" beside it");
        }
        _ => {}
    }
    if section.has("password") {
        source.problem(
            &section.at_key("password"),
            "is a secret in a file that people share",
            "write password_env = \"NAME_OF_A_VARIABLE\" or password_file = \"/path\" instead",
        );
    }
    let cadence = read_cadence(source, &mut section);
    let silent = section.number(source, "silent_secs_max", (1.0, 3600.0));
    let does = "Silence after which the stream counts as stalled, seconds";
    section.about(source, "silent_secs_max", SILENT_SECS_MAX, does, INGEST);
    let quiet = section.number(source, "quiet_secs_max", (0.0, 600.0));
    let does = "Longest that a street on which nothing moves is left undecoded, seconds, and never a quarter of a \
                rule's dwell or while something waits to be judged; 0: every key frame is looked at";
    section.about(source, "quiet_secs_max", QUIET_SECS_MAX, does, INGEST);
    let clip = section.number(source, "clip_secs", (0.0, 60.0));
    let does = "Seconds around a confirmation that go into the vault as a clip, as the camera sent them and half of them \
                before it. Meanwhile so much and 15 s more of the stream is held in memory: 12 MB at 4 Mbit/s for a clip \
                of 10 s, and never more than comes at 16 Mbit/s. An edit of it connects the stream anew; 0: none";
    section.about(source, "clip_secs", 0, does, Effect::Now("evidence"));
    section.finish(source);
    Some(Stream {
        url: url?,
        sub_url,
        over_udp: transport.as_deref() == Some("udp"),
        user,
        password: from_env.or(from_file),
        cadence,
        silent_secs_max: silent.unwrap_or(SILENT_SECS_MAX),
        quiet_secs_max: quiet.unwrap_or(QUIET_SECS_MAX),
        clip_secs: clip.unwrap_or(0.0),
    })
}

fn read_cadence<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Cadence {
    let fps = section.number(source, "fps", (0.01, 60.0));
    section.words(source, "cadence", false, ["keyframes"]);
    let cadence = section.text(source, "cadence");
    section.about(
        source,
        "fps",
        "key frames",
        "So many looks a second in place of key frames: the sample interval",
        INGEST,
    );
    section.about(source, "cadence", "keyframes", "Which frames are looked at where fps is absent", INGEST);
    match (cadence.as_deref(), fps) {
        (None | Some("keyframes"), None) => Cadence::Keyframes,
        (None, Some(fps)) => Cadence::Fps(fps),
        (Some("keyframes"), Some(_)) => {
            source.problem(
                &section.at_key("fps"),
                "stands beside cadence = \"keyframes\"",
                "keep one of them",
            );
            Cadence::Keyframes
        }
        (Some(_), _) => {
            let mend = "write cadence = \"keyframes\" (default), or fps = 2 instead";
            source.problem(&section.at_key("cadence"), "is not a cadence", mend);
            Cadence::Keyframes
        }
    }
}
