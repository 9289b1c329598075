//! Clips made on the spot: a photograph as a still camera sees it, a test pattern, another codec.
//!
//! What comes in: pixels or a clip. What goes out: an MP4 with H.264 or H.265, a key frame every two seconds
//! unless told otherwise, no B-frames: as cameras send. Never: a camera that is sharper than real ones (noise
//! is added after scaling, before compression).

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::SamplesError;
use crate::clip::run;

/// Seconds from key frame to key frame where nobody says otherwise.
pub(crate) const KEY_SECS: f64 = 2.0;
/// Entries of the noise table; rows start at random places in it, so that no pattern shows.
const NOISE_LEN: usize = 1 << 16;

/// What a clip is encoded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.264 (AVC).
    H264,
    /// H.265 (HEVC).
    H265,
}

impl Codec {
    pub(crate) fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
        }
    }

    pub(crate) fn payloader(self) -> &'static str {
        match self {
            Self::H264 => "rtph264pay",
            Self::H265 => "rtph265pay",
        }
    }

    pub(crate) fn unit_caps(self) -> gst::Caps {
        let name = match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        };
        gst::Caps::builder(name).field("stream-format", "byte-stream").field("alignment", "au").build()
    }
}

/// A picture in memory: `[height, width, 3] u8, RGB, 0..=255`, rows without padding.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// The bytes.
    pub rgb: &'a [u8],
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// How a clip is made from a picture.
#[derive(Debug, Clone, Copy)]
pub struct Encoding {
    /// Size of the clip; the picture is fitted in with black borders. Even numbers.
    pub size: (u32, u32),
    /// Its length.
    pub secs: f64,
    /// Whole frames a second.
    pub fps: u32,
    /// Key frame every so many frames.
    pub key_frames_every: u32,
    /// Standard deviation of the sensor's noise in grey levels of 0..=255.
    pub noise_sigma: f32,
    /// What it is encoded in.
    pub codec: Codec,
}

impl Default for Encoding {
    /// A 1080p camera of today at a quiet moment: ten seconds, 10 frames a second, a key frame every two.
    fn default() -> Self {
        Self {
            size: (1920, 1080),
            secs: 10.0,
            fps: 10,
            key_frames_every: 20,
            noise_sigma: 2.0,
            codec: Codec::H264,
        }
    }
}

/// An encoder set up as in a camera: no B-frames, no look-ahead, a fixed key-frame interval.
pub(crate) fn encoder(codec: Codec, key_frames_every: u32) -> Result<gst::Element, SamplesError> {
    let interval = key_frames_every.max(1);
    Ok(match codec {
        Codec::H264 => gst::ElementFactory::make("x264enc")
            .property("key-int-max", interval)
            .property("bitrate", 6000_u32)
            .property_from_str("speed-preset", "veryfast")
            .property_from_str("tune", "zerolatency")
            .property("option-string", "scenecut=0")
            .build()?,
        Codec::H265 => gst::ElementFactory::make("x265enc")
            .property("key-int-max", i32::try_from(interval).unwrap_or(i32::MAX))
            .property("bitrate", 4000_u32)
            .property_from_str("speed-preset", "ultrafast")
            .property_from_str("tune", "zerolatency")
            .property("option-string", "scenecut=0:open-gop=0:log-level=error")
            .build()?,
    })
}

/// Encodes a picture as a still camera sees it: fitted to the size, with fresh sensor noise in each frame.
///
/// # Errors
/// When the picture and its size do not agree, an element is missing, or the file cannot be written.
pub fn still_clip(picture: Picture<'_>, encoding: Encoding, out: &Path) -> Result<(), SamplesError> {
    gst::init()?;
    let (mut chain, push) = still_source(picture, encoding)?;
    chain.extend(to_file(encoder(encoding.codec, encoding.key_frames_every)?, encoding.codec, out)?);
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    let pushing = std::thread::spawn(push);
    let end = run(&pipeline);
    let _ = pushing.join();
    end.map_err(SamplesError::Gstreamer)
}

/// A picture as a still camera sees it, in I420: elements to be linked in a row, and what hands the pictures to them, on
/// a thread of its own.
pub(crate) fn still_source(
    picture: Picture<'_>,
    encoding: Encoding,
) -> Result<(Vec<gst::Element>, impl FnOnce() + Send + use<>), SamplesError> {
    let needed = picture.width as usize * picture.height as usize * 3;
    if needed == 0 || picture.rgb.len() != needed {
        let reason = format!(
            "{}x{} RGB needs {needed} bytes, not {}",
            picture.width,
            picture.height,
            picture.rgb.len()
        );
        return Err(SamplesError::Encoding(reason));
    }
    if encoding.fps == 0 || encoding.secs <= 0.0 {
        return Err(SamplesError::Encoding("no frames asked for".to_owned()));
    }
    let fitted = fit(picture, encoding.size)?;
    let source = rgb_source(encoding.size, encoding.fps);
    let convert = gst::ElementFactory::make("videoconvert").build()?;
    let caps = gst::ElementFactory::make("capsfilter").property("caps", i420(encoding.size)).build()?;
    let chain = vec![source.clone().upcast(), convert, caps];
    Ok((chain, move || push_noisy(&source, &fitted, encoding)))
}

/// Encodes a moving test pattern (`videotestsrc`'s, such as `smpte` or `ball`): what tests decode again.
///
/// # Errors
/// When an element is missing or the file cannot be written.
pub fn pattern_clip(pattern: &str, encoding: Encoding, out: &Path) -> Result<(), SamplesError> {
    gst::init()?;
    let frames = (encoding.secs * f64::from(encoding.fps)).round() as i32;
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("videotestsrc")
        .property("num-buffers", frames)
        .property_from_str("pattern", pattern)
        .build()?;
    let fps = gst::Fraction::new(i32::try_from(encoding.fps).unwrap_or(25), 1);
    let mut caps = i420(encoding.size);
    caps.make_mut().set("framerate", fps);
    let mut chain = vec![source, gst::ElementFactory::make("capsfilter").property("caps", caps).build()?];
    chain.extend(to_file(encoder(encoding.codec, encoding.key_frames_every)?, encoding.codec, out)?);
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    run(&pipeline).map_err(SamplesError::Gstreamer)
}

/// Encodes the video of any clip anew, without its sound.
///
/// # Errors
/// When the clip cannot be decoded or the file cannot be written.
pub fn transcode(clip: &Path, codec: Codec, key_frames_every: u32, out: &Path) -> Result<(), SamplesError> {
    gst::init()?;
    let refuse = |reason: String| SamplesError::Clip { path: clip.to_owned(), reason };
    if !clip.is_file() {
        return Err(refuse("there is no such file".to_owned()));
    }
    let pipeline = gst::Pipeline::new();
    let source =
        gst::ElementFactory::make("filesrc").property("location", clip.to_string_lossy().as_ref()).build()?;
    let decode = gst::ElementFactory::make("decodebin").build()?;
    let convert = gst::ElementFactory::make("videoconvert").build()?;
    let mut chain = vec![convert.clone()];
    chain.extend(to_file(encoder(codec, key_frames_every)?, codec, out)?);
    pipeline.add_many([&source, &decode])?;
    pipeline.add_many(&chain)?;
    source.link(&decode)?;
    gst::Element::link_many(&chain)?;
    decode.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let is_video = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        if let (true, Some(sink)) = (is_video, convert.static_pad("sink")) {
            let _ = pad.link(&sink);
        }
    });
    run(&pipeline).map_err(refuse)
}

fn i420(size: (u32, u32)) -> gst::Caps {
    let int = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", int(size.0))
        .field("height", int(size.1))
        .build()
}

fn rgb_caps(size: (u32, u32), fps: u32) -> gst::Caps {
    let mut caps = i420(size);
    let caps_mut = caps.make_mut();
    caps_mut.set("format", "RGB");
    caps_mut.set("framerate", gst::Fraction::new(i32::try_from(fps).unwrap_or(25), 1));
    caps_mut.set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    caps
}

fn rgb_source(size: (u32, u32), fps: u32) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .caps(&rgb_caps(size, fps))
        .format(gst::Format::Time)
        .max_buffers(4)
        .block(true)
        .build()
}

/// An encoder of that codec, and what follows it into an MP4.
pub(crate) fn to_file(
    encode: gst::Element,
    codec: Codec,
    out: &Path,
) -> Result<Vec<gst::Element>, SamplesError> {
    Ok(vec![
        encode,
        gst::ElementFactory::make(codec.parser()).build()?,
        gst::ElementFactory::make("mp4mux").build()?,
        gst::ElementFactory::make("filesink").property("location", out.to_string_lossy().as_ref()).build()?,
    ])
}

/// RGB rows as GStreamer wants them: each a multiple of four bytes.
pub(crate) fn padded(row: usize) -> usize {
    row.next_multiple_of(4)
}

/// Scales a picture into a size, keeping its shape. Rows of the result are padded to four bytes.
fn fit(picture: Picture<'_>, size: (u32, u32)) -> Result<Vec<u8>, SamplesError> {
    let row = picture.width as usize * 3;
    let mut bytes = Vec::with_capacity(padded(row) * picture.height as usize);
    for line in picture.rgb.chunks_exact(row) {
        bytes.extend_from_slice(line);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let pipeline = gst::Pipeline::new();
    let source = rgb_source((picture.width, picture.height), 1);
    let scale = gst::ElementFactory::make("videoscale")
        .property("add-borders", true)
        .property_from_str("method", "lanczos")
        .build()?;
    let sink = gst_app::AppSink::builder().caps(&rgb_caps(size, 1)).sync(false).build();
    let chain: [&gst::Element; 3] = [source.upcast_ref(), &scale, sink.upcast_ref()];
    pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(gst::ClockTime::ZERO);
    }
    pipeline.set_state(gst::State::Playing).map_err(|e| SamplesError::Gstreamer(e.to_string()))?;
    let _ = source.push_buffer(buffer);
    let _ = source.end_of_stream();
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(30));
    let _ = pipeline.set_state(gst::State::Null);
    let scaled = sample.as_ref().and_then(|s| s.buffer()).and_then(|b| b.map_readable().ok());
    scaled
        .map(|map| map.to_vec())
        .ok_or_else(|| SamplesError::Encoding("the picture cannot be scaled".to_owned()))
}

/// Pushes every frame, each with its own noise, and the end.
fn push_noisy(source: &gst_app::AppSrc, fitted: &[u8], encoding: Encoding) {
    let mut random = SmallRng::seed_from_u64(0x5417_0116);
    let noise: Vec<i16> = (0..NOISE_LEN)
        .map(|_| {
            // Twelve uniform numbers make a good normal one (central limit), exact enough for a sensor.
            let sum: f32 = (0..12).map(|_| random.random::<f32>()).sum();
            ((sum - 6.0) * encoding.noise_sigma).round() as i16
        })
        .collect();
    let row = padded(encoding.size.0 as usize * 3);
    let frames = (encoding.secs * f64::from(encoding.fps)).round() as u64;
    let step_ns = 1_000_000_000 / u64::from(encoding.fps);
    for index in 0..frames {
        let mut bytes = fitted.to_vec();
        for line in bytes.chunks_mut(row) {
            let from = random.random_range(0..NOISE_LEN);
            let rest = noise[from..].iter().chain(noise.iter().cycle());
            for (byte, n) in line.iter_mut().zip(rest) {
                *byte = (i16::from(*byte) + n).clamp(0, 255) as u8;
            }
        }
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(index * step_ns));
            buffer.set_duration(gst::ClockTime::from_nseconds(step_ns));
        }
        if source.push_buffer(buffer).is_err() {
            return;
        }
    }
    let _ = source.end_of_stream();
}
