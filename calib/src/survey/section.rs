//! The `[calibration]` of a camera's file, of its home view and of each preset.
//!
//! In: a camera file's text. Out: what stands in it, and the map that it makes. Never: a file without its
//! mistakes told.

use super::read::{check_pixel, check_place, check_size};
use super::{Origin, SurveyPoint};
use crate::camera::Preset;
use crate::check::{Effect, Problem, Section, Source};
use crate::homography::{ControlPoint, GroundMap, LensWanted, Setup, Solved};
use crate::lens::Lens;
use crate::space::{GroundPoint, LonLat, PixelPoint};
use crate::zone::GroundView;

const SCENE: Effect = Effect::Now("view and background");
const GROUND: Effect = Effect::Now("place on the ground");
/// Characters of a preset's name.
const PRESET_CHARS_MAX: usize = 64;

/// What a camera's file says of one view.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The picture's size, the lens, the range.
    pub setup: Setup,
    /// The control points.
    pub points: Vec<SurveyPoint>,
    /// What was solved from them, where it was written down.
    pub solved: Option<Solved>,
}

impl Written {
    /// The points alone.
    pub fn controls(&self) -> Vec<ControlPoint> {
        self.points.iter().map(|point| point.control).collect()
    }
}

/// What a camera's file says of its home view, or of a preset; `None` where it says nothing.
///
/// # Errors
/// Every mistake in that part of the file.
pub fn written(file: &str, text: &str, preset: Option<&str>) -> Result<Option<Written>, Vec<Problem>> {
    let mut source = Source::new(file, text);
    let mut root = source.root();
    let found = match preset {
        None => read(&mut source, &mut root).map(|(written, _)| written),
        Some(wanted) => root.sections(&mut source, "preset").into_iter().find_map(|mut section| {
            let name = section.text(&mut source, "name")?;
            (name == wanted).then(|| read(&mut source, &mut section).map(|(written, _)| written))?
        }),
    };
    if source.is_clean() { Ok(found) } else { Err(source.into_problems()) }
}

/// The map of a table's `calibration`.
pub(crate) fn read_view<'t>(source: &mut Source<'t>, parent: &mut Section<'t>) -> Option<GroundView> {
    let (written, at) = read(source, parent)?;
    let controls = written.controls();
    let solved = match &written.solved {
        Some(solved) => GroundMap::restore(&controls, solved),
        None => GroundMap::solve(&controls, &written.setup),
    };
    match solved {
        Ok(map) => Some(GroundView { map, image_size: written.setup.image_size }),
        Err(error) => {
            let mend = "give at least 4 points of the ground, spread over the picture, no 3 of 4 on a line";
            source.problem(&at, error.to_string(), mend);
            None
        }
    }
}

/// Every case names the preset that it was seen in: what a desk would not take may not be one.
fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= PRESET_CHARS_MAX && !name.chars().any(char::is_control)
}

/// The presets of a camera that turns, each with the map of its view.
pub(crate) fn read_presets<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Vec<Preset> {
    let mut presets: Vec<Preset> = Vec::new();
    for mut section in root.sections(source, "preset") {
        let mend = "write name = \"2\", as the camera calls it";
        let name = section.text_required(source, "name", mend).unwrap_or_default();
        section.about(source, "name", "", "What the camera calls it", SCENE);
        if section.has("name") && !is_name(&name) {
            let what = format!("`{name}` is no name");
            source.problem(&section.at_key("name"), what, mend);
        }
        if presets.iter().any(|known| known.name == name) {
            let what = format!("`{name}` is used twice");
            source.problem(&section.at_key("name"), what, "give each preset its own name");
        }
        let is_calibrated = section.has("calibration");
        let ground = read_view(source, &mut section);
        let reference = section.path(source, "reference");
        let does = "Path of its picture as it should be; a preset that a zone names must have one";
        section.about(source, "reference", "none", does, SCENE);
        section.finish(source);
        presets.push(Preset { name, ground, reference, is_calibrated });
    }
    root.about(source, "preset", "none", "A view of a camera that turns; zones name theirs", SCENE);
    presets
}

/// A table's `calibration` and where its points stand.
fn read<'t>(source: &mut Source<'t>, parent: &mut Section<'t>) -> Option<(Written, crate::check::At)> {
    let section = parent.section(source, "calibration");
    parent.about(
        source,
        "calibration",
        "none",
        "Where on the ground a pixel is; `shirong calibrate` writes it",
        GROUND,
    );
    let mut section = section?;
    let size = section.pair(source, "image_size");
    check_size(source, &section.at_key("image_size"), size.or(Some([0.0, 0.0])));
    let range_m = section.number(source, "range_m", (1.0, 10_000.0));
    let is_estimated = section.switch(source, "estimate_lens").unwrap_or(true);
    let known = section.section(source, "lens").map(|lens| read_lens(source, lens));
    let lens = match (known, is_estimated) {
        (Some(lens), _) => lens.map(LensWanted::Known),
        (None, true) => Some(LensWanted::Estimated),
        (None, false) => Some(LensWanted::Straight),
    };
    let (mut points, mut marks) = (Vec::new(), Vec::new());
    for point in section.sections(source, "point") {
        if let Some((point, mark)) = read_point(source, point, size) {
            points.push(point);
            marks.push(mark);
        }
    }
    let at = section.at_key("point");
    let solved = section.section(source, "solved").map(|solved| read_solved(source, solved, &marks));
    section.about(
        source,
        "image_size",
        "",
        "Width and height of the picture that the points were read from",
        GROUND,
    );
    section.about(
        source,
        "range_m",
        "from the points",
        "How far from the camera a place is told, metres",
        GROUND,
    );
    section.about(
        source,
        "estimate_lens",
        "true",
        "Fits the lens from the points, from 12 of them on",
        GROUND,
    );
    section.about(source, "lens", "estimated", "The lens, where it is known", GROUND);
    section.about(source, "point", "", "A control point: a pixel and its place", GROUND);
    section.about(source, "solved", "from the points at start", "What `shirong calibrate` found", GROUND);
    section.finish(source);
    // A mistake above was told; the points are still looked at, so that theirs show in the same run.
    let setup = Setup {
        image_size: size.unwrap_or([1.0, 1.0]),
        lens: lens.unwrap_or(LensWanted::Estimated),
        range_m,
    };
    Some((Written { setup, points, solved: solved.flatten() }, at))
}

/// What calibrating wrote beside a point.
#[derive(Debug, Clone, Copy)]
struct Mark {
    residual_px: Option<f64>,
    is_outlier: bool,
}

fn read_point<'t>(
    source: &mut Source<'t>,
    mut section: Section<'t>,
    size: Option<[f64; 2]>,
) -> Option<(SurveyPoint, Mark)> {
    let name = section.text(source, "name");
    let pixel = section.pair(source, "pixel");
    let lon_lat = section.pair(source, "lonlat");
    if pixel.is_none() || lon_lat.is_none() {
        let mend = "write pixel = [x, y] and lonlat = [longitude, latitude]";
        source.problem(&section.at(), "is half a control point", mend);
    }
    check_place(source, &section.at_key("lonlat"), lon_lat);
    check_pixel(source, &section.at_key("pixel"), pixel, size);
    let origin = section.section(source, "source").and_then(|mut origin| {
        let crs = origin.text(source, "crs");
        let at = origin.pair(source, "at");
        origin.about(source, "crs", "", "The system that the point was measured in", GROUND);
        origin.about(source, "at", "", "Where it was in that system", GROUND);
        origin.finish(source);
        Some(Origin { crs: crs?, at: at? })
    });
    let mark = Mark {
        residual_px: section.number(source, "residual_px", (0.0, 1e6)),
        is_outlier: section.switch(source, "outlier").unwrap_or(false),
    };
    section.about(source, "name", "none", "What stands there", GROUND);
    section.about(source, "pixel", "", "Where it is in the picture, pixels", GROUND);
    section.about(source, "lonlat", "", "Where it is on the ground, longitude first, CGCS2000", GROUND);
    section.about(source, "source", "none", "Where its coordinates come from", GROUND);
    section.about(source, "residual_px", "none", "How far the solution misses it, pixels", GROUND);
    section.about(source, "outlier", "false", "Whether the solution leaves it out", GROUND);
    section.finish(source);
    let control = ControlPoint { pixel: PixelPoint::from(pixel?), lon_lat: LonLat::from(lon_lat?) };
    Some((SurveyPoint { name, control, source: origin }, mark))
}

fn read_lens<'t>(source: &mut Source<'t>, mut section: Section<'t>) -> Option<Lens> {
    let centre = section.pair(source, "centre");
    let focal_px = section.number(source, "focal_px", (1.0, 1e6));
    let [k1, k2, p1, p2] =
        ["k1", "k2", "p1", "p2"].map(|key| section.number(source, key, (-100.0, 100.0)).unwrap_or(0.0));
    section.about(source, "centre", "", "Where the lens looks, pixels", GROUND);
    section.about(source, "focal_px", "", "Its focal length, pixels", GROUND);
    for key in ["k1", "k2", "p1", "p2"] {
        section.about(source, key, "0", "A coefficient of its distortion (Brown)", GROUND);
    }
    if centre.is_none() || focal_px.is_none() {
        let mend = "write centre = [cx, cy] and focal_px, as a calibration with a chequerboard gives them";
        source.problem(&section.at(), "is half a lens", mend);
    }
    section.finish(source);
    Some(Lens { centre: PixelPoint::from(centre?), focal_px: focal_px?, k1, k2, p1, p2 })
}

fn read_solved<'t>(source: &mut Source<'t>, mut section: Section<'t>, marks: &[Mark]) -> Option<Solved> {
    let origin = section.pair(source, "origin");
    let grounds = section.pairs(source, "ground");
    let pixels = section.pairs(source, "pinhole");
    let lens_estimated = section.switch(source, "lens_estimated").unwrap_or(false);
    let lens = section.section(source, "lens").and_then(|lens| read_lens(source, lens));
    let sigma_px = section.number(source, "mark_sigma_px", (1e-3, 1e6));
    let range_m = section.number(source, "range_m", (0.1, 1e6));
    section.about(source, "origin", "", "Longitude and latitude of the plane's origin", GROUND);
    section.about(source, "ground", "", "Four points of the ground, metres from the origin", GROUND);
    section.about(source, "pinhole", "", "The same four in the straightened picture, pixels", GROUND);
    section.about(source, "lens_estimated", "false", "Whether the lens was fitted", GROUND);
    section.about(source, "lens", "", "The lens that was used", GROUND);
    section.about(source, "mark_sigma_px", "", "How well pixels were marked, pixels", GROUND);
    section.about(source, "range_m", "", "How far from the camera a place is told, metres", GROUND);
    let at = section.at();
    section.finish(source);
    let four = |list: Option<Vec<[f64; 2]>>| <[[f64; 2]; 4]>::try_from(list?).ok();
    let (grounds, pixels) = (four(grounds), four(pixels));
    let all = (origin, grounds, pixels, lens, sigma_px, range_m);
    let (Some(origin), Some(grounds), Some(pixels), Some(lens), Some(control_sigma_px), Some(range_m)) = all
    else {
        let mend = "run `shirong calibrate` again, or remove this table: the points are then solved at start";
        source.problem(&at, "is not what calibrating wrote", mend);
        return None;
    };
    Some(Solved {
        origin: LonLat::from(origin),
        frame: std::array::from_fn(|i| (GroundPoint::from(grounds[i]), PixelPoint::from(pixels[i]))),
        lens,
        lens_estimated,
        kept: marks.iter().map(|mark| !mark.is_outlier).collect(),
        residuals_px: marks.iter().map(|mark| mark.residual_px).collect(),
        control_sigma_px,
        range_m,
    })
}
