//! A replay as a video: what was seen, what the rules made of it, and when.
//!
//! In: steps of a clip. Out: an H.264 MP4 with a picture a look, in the clip's own time. Never: a masked picture;
//! the video is for whoever has the clip, not for a case.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use calib::camera::Camera;
use calib::class::Class;
use calib::space::{ImageBox, ImagePoint, PixelPoint};
use calib::zone::ZoneKind;
use image::RgbImage;
use image::imageops::{self, FilterType};
use ingest::Film;
use logic::finding::Sight;
use logic::look::{CameraId, Detection};
use logic::scene::{Light, Proposal, ProposalKind, ViewFault};
use report::Picture;

use super::play::Step;
use crate::canvas::{Canvas, Pen};

/// Pictures lower than this are drawn on enlarged, so that letters stay small beside things.
const HEIGHT_PX_MIN: usize = 720;
/// One step of line width and letter size for every so many pixels of height.
const HEIGHT_PX_A_SCALE: usize = 360;
/// How long the last picture is shown where there was only one.
const LAST: Duration = Duration::from_secs(1);

const PERSON: [u8; 3] = [150, 150, 150];
const SEEN: [u8; 3] = [86, 180, 233];
const CANDIDATE: [u8; 3] = [255, 214, 10];
const CONFIRMED: [u8; 3] = [255, 59, 48];
const APPEARED: [u8; 3] = [240, 110, 240];
const REMOVED: [u8; 3] = [120, 220, 120];
const WORDS: [u8; 3] = [240, 240, 240];

/// A video that is being made.
pub(crate) struct Drawn {
    film: Film,
    size: (usize, usize),
    /// The picture before, waiting to know how long it is shown.
    waiting: Option<(Vec<u8>, Duration)>,
    shown: Duration,
    first: Duration,
    cases: usize,
}

impl Drawn {
    /// Begins a video whose pictures are of the size of this step's.
    ///
    /// # Errors
    /// The file cannot be written, or an element is missing.
    pub(crate) fn begin(path: &Path, step: &Step<'_>) -> Result<Self> {
        let enlarged = HEIGHT_PX_MIN.div_ceil(step.frame.height().max(1));
        // The encoder wants even sides.
        let size = ((step.frame.width() * enlarged) & !1, (step.frame.height() * enlarged) & !1);
        let film = Film::create(path, size.0, size.1)?;
        Ok(Self { film, size, waiting: None, shown: LAST, first: step.frame.pts, cases: 0 })
    }

    /// Adds a look.
    ///
    /// # Errors
    /// The picture is of another size than the first, or the file cannot be written.
    pub(crate) fn add(&mut self, id: &CameraId, camera: &Camera, step: &Step<'_>) -> Result<()> {
        self.cases += step.told.iter().filter(|told| told.case.is_some_and(|case| case.is_new)).count();
        let picture = Picture::from_yuv(step.view)?;
        let (width, height) = (picture.width() as u32, picture.height() as u32);
        let picture = RgbImage::from_raw(width, height, picture.rgb().to_vec()).context("a whole picture")?;
        let (across, down) = (self.size.0 as u32, self.size.1 as u32);
        let picture = if (width, height) == (across, down) {
            picture
        } else {
            imageops::resize(&picture, across, down, FilterType::Triangle)
        };
        let scale = (self.size.1 / HEIGHT_PX_A_SCALE).max(1) as u32;
        let mut canvas = Canvas::at_scale(picture, scale);
        draw(&mut canvas, camera, step);
        draw_words(&mut canvas, id, camera, step, self.cases);
        self.put(canvas.into_picture().into_raw(), step.frame.pts.saturating_sub(self.first))
    }

    fn put(&mut self, rgb: Vec<u8>, at: Duration) -> Result<()> {
        if let Some((before, since)) = self.waiting.replace((rgb, at)) {
            self.shown = at.saturating_sub(since);
            self.film.write(&before, since, self.shown)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// It could not be ended well.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some((last, since)) = self.waiting.take() {
            self.film.write(&last, since, self.shown)?;
        }
        Ok(self.film.finish()?)
    }
}

/// Ends the video of a clip that was played, also where the clip was played in part: what was seen before a fault is
/// worth as much.
///
/// # Errors
/// The clip's own, else the video's.
pub(crate) fn whole<T>(played: Result<T>, video: Option<Drawn>) -> Result<T> {
    let filmed = video.map(Drawn::finish).transpose();
    let played = played?;
    filmed?;
    Ok(played)
}

/// Where shares of the picture lie on the canvas.
fn pixels(canvas: &Canvas, bounds: &ImageBox) -> [PixelPoint; 2] {
    [(bounds.x0, bounds.y0), (bounds.x1, bounds.y1)]
        .map(|(x, y)| pixel(canvas, ImagePoint::new(x.into(), y.into())))
}

fn pixel(canvas: &Canvas, point: ImagePoint) -> PixelPoint {
    let [width, height] = canvas.size();
    PixelPoint::new(point.x * width, point.y * height)
}

fn draw(canvas: &mut Canvas, camera: &Camera, step: &Step<'_>) {
    let look = &step.looked.look;
    draw_zones(canvas, camera, look.scene.preset);
    for proposal in &look.scene.proposals {
        draw_proposal(canvas, step, proposal);
    }
    for (sight, confirmed) in step.lookout.spots() {
        draw_spot(canvas, camera, &sight, confirmed);
    }
    // The faintest first, so that the surest lie on top.
    for detection in look.detections.iter().rev() {
        draw_detection(canvas, detection);
    }
}

fn draw_zones(canvas: &mut Canvas, camera: &Camera, preset: Option<usize>) {
    for zone in camera.zones.iter().filter(|zone| zone.preset == preset) {
        let colour = match zone.kind {
            ZoneKind::Permitted => [120, 200, 120],
            ZoneKind::Ignore => [130, 130, 130],
            _ => [225, 200, 120],
        };
        let mut outline: Vec<PixelPoint> = zone
            .outline_in_image(camera.view(preset))
            .into_iter()
            .map(|corner| pixel(canvas, corner))
            .collect();
        outline.extend(outline.first().copied());
        canvas.line(&outline, Pen { colour, width: 1.0, cover: 0.7 });
        // Named at its highest corner, where it lies in the picture.
        let [width, height] = canvas.size();
        let top = outline.iter().min_by(|a, b| a.y.total_cmp(&b.y));
        if let Some(top) = top {
            let [across, down] = canvas.size_of(&zone.id);
            let at = PixelPoint::new(
                top.x.clamp(0.0, (width - across).max(0.0)),
                (top.y + 4.0).clamp(0.0, (height - down).max(0.0)),
            );
            canvas.words(at, &zone.id, colour);
        }
    }
}

fn draw_proposal(canvas: &mut Canvas, step: &Step<'_>, proposal: &Proposal) {
    let (colour, says) = match proposal.kind {
        ProposalKind::Appeared => (APPEARED, "new"),
        ProposalKind::Removed => (REMOVED, "gone"),
        ProposalKind::Changed => (APPEARED, "grown"),
    };
    let corners = pixels(canvas, &proposal.bounds);
    canvas.frame(corners, 1, colour);
    let age_s = step.looked.look.at.secs_since(proposal.since);
    let words = format!("{says} {age_s:.0}s {:.2}", proposal.strength);
    label(canvas, [corners[0].x, corners[1].y], &words, colour, true);
}

fn draw_detection(canvas: &mut Canvas, detection: &Detection) {
    let colour = if detection.class == Class::Person { PERSON } else { SEEN };
    let corners = pixels(canvas, &detection.bounds);
    canvas.frame(corners, 1, colour);
    let words = format!("{} {:.2}", detection.class.name(), detection.score);
    label(canvas, [corners[0].x, corners[0].y], &words, colour, false);
}

fn draw_spot(canvas: &mut Canvas, camera: &Camera, sight: &Sight, confirmed: bool) {
    let colour = if confirmed { CONFIRMED } else { CANDIDATE };
    let corners = pixels(canvas, &sight.bounds.grown(0.06));
    canvas.frame(corners, 3, colour);
    let code = camera.rules.get(sight.rule).map_or("", |rule| rule.matter(sight.variant).0);
    let state = if confirmed { "CASE" } else { "spot" };
    let age_s = sight.at.secs_since(sight.first_at);
    let words = format!("{code} {state} {age_s:.0}s {}/{} {:.2}", sight.hits, sight.looks, sight.score);
    label(canvas, [corners[0].x, corners[1].y], &words, colour, true);
}

/// Words at a corner of a box: above it, or below where `under`; within the picture.
fn label(canvas: &mut Canvas, [x, y]: [f64; 2], words: &str, colour: [u8; 3], under: bool) {
    let ([width, height], [across, down]) = (canvas.size(), canvas.size_of(words));
    let y = if under { y + 3.0 } else { y - down };
    let at = PixelPoint::new(x.clamp(0.0, (width - across).max(0.0)), y.clamp(0.0, (height - down).max(0.0)));
    canvas.words(at, words, colour);
}

/// The clock, the state of the view, and how many cases there are.
fn draw_words(canvas: &mut Canvas, id: &CameraId, camera: &Camera, step: &Step<'_>, cases: usize) {
    let scene = &step.looked.look.scene;
    let (minute, _) = step.looked.look.at.local_minute_and_weekday(camera.utc_offset_minutes);
    let second = step.looked.look.at.as_millis().div_euclid(1000).rem_euclid(60);
    let light = if scene.light == Light::Night { "night" } else { "day" };
    let veil = if scene.is_veiled { " veiled" } else { "" };
    let clock = format!(
        "{id}  {:02}:{:02}:{second:02}  {:.1}s  {light}{veil}  cases {cases}",
        minute / 60,
        minute % 60,
        step.at_s
    );
    let ([width, height], [across, down]) = (canvas.size(), canvas.size_of(&clock));
    canvas.words(PixelPoint::new((width - across).max(2.0) - 2.0, height - down), &clock, WORDS);
    if let Some(fault) = scene.fault {
        let name = ViewFault::NAMES.iter().find(|(_, named)| *named == fault).map_or("?", |(name, _)| *name);
        let words = format!("VIEW {}: RULES WAIT", name.to_uppercase());
        let [across, _] = canvas.size_of(&words);
        canvas.words(PixelPoint::new((width - across) / 2.0, 6.0), &words, CONFIRMED);
    }
}
