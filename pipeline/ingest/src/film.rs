//! Pictures to an H.264 MP4, for people to look at.
//!
//! What comes in: RGB pictures with their times. What goes out: a file that every player opens. Never: a picture
//! dropped; the writer waits for the encoder while it works, and no longer.

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

/// The encoder's quantizer: drawn lines and letters stay sharp.
const QUANTIZER: u32 = 23;
/// A key frame at least every so many pictures, so that players can seek.
const KEY_PICTURES_MAX: u32 = 50;
/// Pictures that wait for the encoder.
const WAITING_MAX: u64 = 4;
/// How often a full queue is looked at again: what has failed takes no more and says so on the bus alone.
const LOOK_AGAIN: gst::ClockTime = gst::ClockTime::from_mseconds(20);
/// How long the end of a file may take.
const CLOSE_LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// Why a film cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "film {}: {reason}; it needs: sudo apt-get install -y gstreamer1.0-plugins-ugly gstreamer1.0-plugins-good gstreamer1.0-plugins-bad",
    .path.display()
)]
pub struct FilmError {
    /// Which.
    pub path: PathBuf,
    /// What went wrong.
    pub reason: String,
}

/// An MP4 that is being written. Without [`Film::finish`] the file is not whole.
pub struct Film {
    path: PathBuf,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    size: (usize, usize),
    /// What the encoder or the disk failed of: the bus says it once.
    failed: OnceCell<String>,
    /// The latest picture, and when it ends: the muxer's edit list ends where the last picture begins, so that it
    /// stands there once more.
    last: RefCell<Option<(Vec<u8>, Duration)>>,
}

impl Film {
    /// Begins a file for pictures of `width` × `height` pixels, both even.
    ///
    /// # Errors
    /// An element is missing, a side is odd or zero, or the file cannot be written.
    pub fn create(path: &Path, width: usize, height: usize) -> Result<Self, FilmError> {
        let refuse = |reason: String| FilmError { path: path.to_owned(), reason };
        gst::init().map_err(|error| refuse(error.to_string()))?;
        let side = |length: usize| i32::try_from(length).ok().filter(|side| *side > 0 && side % 2 == 0);
        let (Some(across), Some(down)) = (side(width), side(height)) else {
            return Err(refuse(format!("{width}x{height} is no size with even sides")));
        };
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGB")
            .field("width", across)
            .field("height", down)
            // Pictures come when a camera looked, not at a rate.
            .field("framerate", gst::Fraction::new(0, 1))
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .max_buffers(WAITING_MAX)
            // A push that blocks would do so for ever once the encoder or the disk has failed.
            .block(false)
            .build();
        let pipeline = gst::Pipeline::new();
        let built = chain(&source, path).and_then(|chain| {
            pipeline.add_many(&chain)?;
            gst::Element::link_many(&chain)
        });
        built.map_err(|error| refuse(error.to_string()))?;
        let film = Self {
            path: path.to_owned(),
            pipeline,
            source,
            size: (width, height),
            failed: OnceCell::new(),
            last: RefCell::default(),
        };
        if film.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(film.refused("the file cannot be written"));
        }
        Ok(film)
    }

    /// One picture: `[height, width, 3] u8`, RGB, rows without padding; shown from `at` for `lasts`.
    ///
    /// # Errors
    /// Not of the film's size, or the encoder or the disk has failed.
    pub fn write(&self, rgb: &[u8], at: Duration, lasts: Duration) -> Result<(), FilmError> {
        let (width, height) = self.size;
        if rgb.len() != width * height * 3 {
            return Err(self.refused("a picture is not of the film's size"));
        }
        self.push(rgb, at, lasts)?;
        *self.last.borrow_mut() = Some((rgb.to_owned(), at + lasts));
        Ok(())
    }

    fn push(&self, rgb: &[u8], at: Duration, lasts: Duration) -> Result<(), FilmError> {
        let (width, height) = self.size;
        self.wait_for_room()?;
        // Rows as GStreamer wants them: each a multiple of four bytes.
        let row = width * 3;
        let mut bytes = Vec::with_capacity(row.next_multiple_of(4) * height);
        for line in rgb.chunks_exact(row) {
            bytes.extend_from_slice(line);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            let time = |span: Duration| gst::ClockTime::try_from(span).ok();
            buffer.set_pts(time(at));
            buffer.set_duration(time(lasts));
        }
        self.source.push_buffer(buffer).map(drop).map_err(|_| self.refused("the encoder takes no more"))
    }

    /// Waits while the encoder has enough to do.
    fn wait_for_room(&self) -> Result<(), FilmError> {
        while self.failed.get().is_none() && self.source.current_level_buffers() >= WAITING_MAX {
            let bus = self.pipeline.bus();
            let message = bus.and_then(|bus| bus.timed_pop_filtered(LOOK_AGAIN, &[gst::MessageType::Error]));
            self.hear(message.as_ref());
        }
        self.failed.get().map_or(Ok(()), |said| Err(self.error(said.clone())))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// It could not be ended well, or has failed before.
    pub fn finish(self) -> Result<(), FilmError> {
        if let Some(said) = self.failed.get() {
            return Err(self.error(said.clone()));
        }
        if let Some((rgb, end)) = self.last.take() {
            self.push(&rgb, end, Duration::from_millis(1))?;
        }
        let _ = self.source.end_of_stream();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = self.pipeline.bus().and_then(|bus| bus.timed_pop_filtered(CLOSE_LIMIT, &wanted));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(self.error(error.error().to_string())),
            _ => Err(self.error("its end is not written".to_owned())),
        }
    }

    /// What the pipeline says of a failure, or else `otherwise`.
    fn refused(&self, otherwise: &str) -> FilmError {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        self.hear(message.as_ref());
        self.error(self.failed.get().cloned().unwrap_or_else(|| otherwise.to_owned()))
    }

    /// Remembers a failure, the first one that is told.
    fn hear(&self, message: Option<&gst::Message>) {
        if let Some(gst::MessageView::Error(error)) = message.map(|message| message.view()) {
            let _ = self.failed.set(error.error().to_string());
        }
    }

    fn error(&self, reason: String) -> FilmError {
        FilmError { path: self.path.clone(), reason }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn chain(source: &gst_app::AppSrc, path: &Path) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    let make = |name: &str| gst::ElementFactory::make(name).build();
    let i420 = gst::Caps::builder("video/x-raw").field("format", "I420").build();
    Ok(vec![
        source.clone().upcast(),
        make("videoconvert")?,
        gst::ElementFactory::make("capsfilter").property("caps", i420).build()?,
        gst::ElementFactory::make("x264enc")
            .property_from_str("pass", "qual")
            .property("quantizer", QUANTIZER)
            .property("key-int-max", KEY_PICTURES_MAX)
            .property_from_str("speed-preset", "veryfast")
            .build()?,
        make("h264parse")?,
        make("mp4mux")?,
        gst::ElementFactory::make("filesink")
            .property("location", path.to_string_lossy().as_ref())
            .build()?,
    ])
}
