//! Makes the reels that the cameras of `faults` play: a sample clip, small, as elementary streams.
//!
//! In: `samples/clips/clean.mp4`. Out: H.264 and H.265 with start codes and access unit delimiters, one slice a
//! picture, parameter sets before each key frame. Never: a part of what runs; the reels are checked in.
#![expect(clippy::print_stdout, reason = "for the person who makes them")]

use std::error::Error;
use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;

/// A reel: file, pixels across and down, pictures a second, pictures from key frame to key frame, seconds, encoder.
type Reel = (&'static str, (u32, u32), u32, u32, u32, &'static str);

const X264: &str = "x264enc aud=true byte-stream=true threads=1 speed-preset=veryfast tune=zerolatency";
const X265: &str = "x265enc speed-preset=ultrafast tune=zerolatency";

const REELS: [Reel; 5] = [
    ("street.h264", (320, 180), 5, 10, 16, "main"),
    // Other parameter sets at the same size: no CABAC, another profile, another rate.
    ("street-other.h264", (320, 180), 4, 8, 8, "constrained-baseline"),
    ("street-large.h264", (640, 360), 5, 10, 6, "high"),
    ("street-sparse.h264", (320, 180), 2, 20, 20, "main"),
    ("street.h265", (320, 180), 5, 10, 8, "h265"),
];

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, (width, height), fps, key_every, secs, profile) in REELS {
        let out = root.join("pipeline/faults/reels").join(name);
        let (encode, parse) = if profile == "h265" {
            let options = "scenecut=0:open-gop=0:aud=1:slices=1:repeat-headers=1:log-level=error";
            (format!("{X265} key-int-max={key_every} bitrate=120 option-string={options}"), "video/x-h265")
        } else {
            let rate = if width > 320 { 300 } else { 160 };
            let caps = format!("video/x-h264,profile={profile}");
            (
                format!("{X264} key-int-max={key_every} bitrate={rate} option-string=scenecut=0 ! {caps}"),
                "video/x-h264",
            )
        };
        let line = format!(
            "filesrc location={} ! decodebin ! videoconvert ! videoscale ! videorate ! \
             video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 ! identity eos-after={} ! {encode} ! \
             {}parse config-interval=-1 ! {parse},stream-format=byte-stream,alignment=au ! filesink location={}",
            root.join("samples/clips/clean.mp4").display(),
            fps * secs + 1,
            if profile == "h265" { "h265" } else { "h264" },
            out.display(),
        );
        let pipeline = gst::parse::launch(&line)?;
        let bus = pipeline.bus().ok_or("a pipeline without bus")?;
        pipeline.set_state(gst::State::Playing)?;
        let end = bus.timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
        pipeline.set_state(gst::State::Null)?;
        if let Some(gst::MessageView::Error(error)) = end.as_ref().map(|message| message.view()) {
            return Err(error.error().into());
        }
        println!("{}: {} bytes", out.display(), std::fs::metadata(&out)?.len());
    }
    Ok(())
}
