//! A real street as cameras of today send it: large, at 25 pictures a second and a fixed rate of bits.
//!
//! What comes in: a clip of any size and pace. What goes out: an MP4 that costs a decoder what a city's camera costs
//! it. Never: a picture made up; a street without movement is a real picture with the noise of a sensor.

use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::SamplesError;
use crate::clip::run;
use crate::make::{Codec, Encoding, Picture, encoder, padded, still_clip, still_source, to_file};

/// How a street is sent.
#[derive(Debug, Clone, Copy)]
pub struct Street {
    /// Pixels across and down.
    pub size: (u32, u32),
    /// Longest that the clip may be, seconds; a shorter street ends sooner.
    pub secs: f64,
    /// Whole pictures a second. A street of another pace is played faster or slower, no picture is doubled.
    pub fps: u32,
    /// Key frame every so many pictures.
    pub key_frames_every: u32,
    /// Bits a second, whatever moves.
    pub bits_per_s: u32,
    /// H.264 only: this quantizer (0 to 51) in place of a fixed rate, so that what does not move costs next to nothing.
    pub quantizer: Option<u32>,
    /// What it is encoded in.
    pub codec: Codec,
}

impl Default for Street {
    /// 1080p at 25 pictures a second, a key frame every two seconds, 4 Mbit/s.
    fn default() -> Self {
        Self {
            size: (1920, 1080),
            secs: 60.0,
            fps: 25,
            key_frames_every: 50,
            bits_per_s: 4_000_000,
            quantizer: None,
            codec: Codec::H264,
        }
    }
}

/// Encodes a street's clip as such a camera sends it.
///
/// # Errors
/// When the clip cannot be decoded, an element is missing or the file cannot be written.
pub fn street_clip(clip: &Path, street: Street, out: &Path) -> Result<(), SamplesError> {
    gst::init()?;
    let mut chain = pictures(clip, street, street.secs)?;
    chain.extend(to_file(encoding(street)?, street.codec, out)?);
    let pipeline = decoding(clip, &chain)?;
    run(&pipeline).map_err(|reason| SamplesError::Clip { path: clip.to_owned(), reason })
}

/// Encodes a street on which nothing moves: the clip's first picture with the noise of a sensor, whose standard deviation
/// is `noise_sigma` grey levels.
///
/// # Errors
/// As [`street_clip`].
pub fn quiet_clip(clip: &Path, street: Street, noise_sigma: f32, out: &Path) -> Result<(), SamplesError> {
    gst::init()?;
    let rgb = first_picture(clip, street.size)?;
    let (width, height) = street.size;
    still_clip(Picture { rgb: &rgb, width, height }, still(street, street.secs, noise_sigma), out)
}

/// Encodes a street at night pace: what moves in the clip passes within `passing_secs`, before that nothing moves, as in
/// [`quiet_clip`].
///
/// # Errors
/// As [`street_clip`].
pub fn night_clip(
    clip: &Path,
    street: Street,
    (noise_sigma, passing_secs): (f32, f64),
    out: &Path,
) -> Result<(), SamplesError> {
    gst::init()?;
    let rgb = first_picture(clip, street.size)?;
    let moving = pictures(clip, street, passing_secs)?;
    let pipeline = decoding(clip, &moving)?;
    let (width, height) = street.size;
    let part = still(street, street.secs - passing_secs, noise_sigma);
    let (quiet, push) = still_source(Picture { rgb: &rgb, width, height }, part)?;
    let one_by_one = gst::ElementFactory::make("concat").build()?;
    // Both in the same colours, or the encoder begins a new stream between them.
    let mut same = raw("I420", street.size, Some(street.fps));
    same.make_mut().set("colorimetry", "bt709");
    same.make_mut().set("chroma-site", "mpeg2");
    let mut rest = vec![
        one_by_one.clone(),
        gst::ElementFactory::make("videoconvert").build()?,
        gst::ElementFactory::make("capsfilter").property("caps", same).build()?,
    ];
    rest.extend(to_file(encoding(street)?, street.codec, out)?);
    pipeline.add_many(&quiet)?;
    pipeline.add_many(&rest)?;
    gst::Element::link_many(&quiet)?;
    gst::Element::link_many(&rest)?;
    // It takes them in the order in which they were joined to it.
    for part in [quiet.last(), moving.last()].into_iter().flatten() {
        part.link(&one_by_one)?;
    }
    let pushing = std::thread::spawn(push);
    let end = run(&pipeline);
    let _ = pushing.join();
    end.map_err(|reason| SamplesError::Clip { path: clip.to_owned(), reason })
}

/// The clip's pictures at the street's size and pace.
fn pictures(clip: &Path, street: Street, secs: f64) -> Result<Vec<gst::Element>, SamplesError> {
    let pictures = (secs * f64::from(street.fps)).round().max(1.0) as i32;
    let rate = gst::ElementFactory::make("videorate").property("rate", pace(clip, street.fps)?).build()?;
    let limit = gst::ElementFactory::make("identity").property("eos-after", pictures).build()?;
    if let Some(from) = limit.static_pad("src") {
        // At the end the rate comes up with some more.
        let seen = AtomicI32::new(0);
        from.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let is_over = seen.fetch_add(1, Ordering::Relaxed) >= pictures;
            if is_over { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
        });
    }
    Ok(vec![
        gst::ElementFactory::make("videoconvert").build()?,
        gst::ElementFactory::make("videoscale").build()?,
        rate,
        gst::ElementFactory::make("capsfilter")
            .property("caps", raw("I420", street.size, Some(street.fps)))
            .build()?,
        limit,
    ])
}

/// The encoder of such a camera.
fn encoding(street: Street) -> Result<gst::Element, SamplesError> {
    let encode = encoder(street.codec, street.key_frames_every)?;
    encode.set_property("bitrate", (street.bits_per_s / 1000).max(1));
    if let Some(quantizer) = street.quantizer.filter(|_| street.codec == Codec::H264) {
        encode.set_property_from_str("pass", "quant");
        encode.set_property("quantizer", quantizer.min(51));
    }
    Ok(encode)
}

fn still(street: Street, secs: f64, noise_sigma: f32) -> Encoding {
    Encoding {
        size: street.size,
        secs,
        fps: street.fps,
        key_frames_every: street.key_frames_every,
        codec: street.codec,
        noise_sigma,
    }
}

/// In RGB, without padding.
fn first_picture(clip: &Path, (width, height): (u32, u32)) -> Result<Vec<u8>, SamplesError> {
    let sink = gst_app::AppSink::builder().caps(&raw("RGB", (width, height), None)).sync(false).build();
    let scale = gst::ElementFactory::make("videoscale").build()?;
    let chain = [gst::ElementFactory::make("videoconvert").build()?, scale, sink.clone().upcast()];
    let pipeline = decoding(clip, &chain)?;
    pipeline.set_state(gst::State::Playing).map_err(|error| SamplesError::Gstreamer(error.to_string()))?;
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(30));
    let _ = pipeline.set_state(gst::State::Null);
    let refuse = |reason: &str| SamplesError::Clip { path: clip.to_owned(), reason: reason.to_owned() };
    let map =
        sample.as_ref().and_then(|sample| sample.buffer()).and_then(|buffer| buffer.map_readable().ok());
    let bytes = map.ok_or_else(|| refuse("it gives no picture"))?;
    let row = padded(width as usize * 3);
    let rows = bytes.chunks_exact(row).take(height as usize);
    Ok(rows.flat_map(|line| line[..width as usize * 3].iter().copied()).collect())
}

/// A pipeline that decodes a clip's video into a chain.
fn decoding(clip: &Path, chain: &[gst::Element]) -> Result<gst::Pipeline, SamplesError> {
    if !clip.is_file() {
        return Err(SamplesError::Clip { path: clip.to_owned(), reason: "there is no such file".to_owned() });
    }
    let pipeline = gst::Pipeline::new();
    let source =
        gst::ElementFactory::make("filesrc").property("location", clip.to_string_lossy().as_ref()).build()?;
    let decode = gst::ElementFactory::make("decodebin").build()?;
    pipeline.add_many([&source, &decode])?;
    pipeline.add_many(chain)?;
    source.link(&decode)?;
    gst::Element::link_many(chain)?;
    let first = chain[0].clone();
    decode.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let is_video = caps.structure(0).is_some_and(|structure| structure.name() == "video/x-raw");
        if let (true, Some(sink)) = (is_video, first.static_pad("sink")) {
            let _ = pad.link(&sink);
        }
    });
    Ok(pipeline)
}

/// How much faster a clip must be played for so many pictures a second.
fn pace(clip: &Path, fps: u32) -> Result<f64, SamplesError> {
    let sink = gst_app::AppSink::builder().sync(false).build();
    let convert = gst::ElementFactory::make("videoconvert").build()?;
    let pipeline = decoding(clip, &[convert, sink.clone().upcast()])?;
    pipeline.set_state(gst::State::Playing).map_err(|error| SamplesError::Gstreamer(error.to_string()))?;
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(30));
    let _ = pipeline.set_state(gst::State::Null);
    let own = sample
        .as_ref()
        .and_then(|sample| sample.caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok())
        .filter(|own| own.numer() > 0)
        .ok_or_else(|| SamplesError::Clip { path: clip.to_owned(), reason: "it tells no pace".to_owned() })?;
    Ok(f64::from(fps) * f64::from(own.denom()) / f64::from(own.numer()))
}

fn raw(format: &str, size: (u32, u32), fps: Option<u32>) -> gst::Caps {
    let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", int(size.0))
        .field("height", int(size.1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    match fps {
        Some(fps) => caps.field("framerate", gst::Fraction::new(int(fps), 1)).build(),
        None => caps.build(),
    }
}
