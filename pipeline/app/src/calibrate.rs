//! `shirong calibrate`: control points become a calibration in the camera's file, with its residuals told and
//! a picture of what it means.
//!
//! In: a camera's file, points, perhaps a picture. Out: the file with the calibration in it, a PNG. Never: a
//! calibration that was not solved; a file half written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use calib::camera::Camera;
use calib::check::Problem;
use calib::grid::Grids;
use calib::homography::{ControlPoint, GroundMap, LENS_POINTS_MIN, LensWanted, Setup};
use calib::lens::Lens;
use calib::matter::Catalogue;
use calib::space::PixelPoint;
use calib::survey::crs::Crs;
use calib::survey::overlay::{self, Mark};
use calib::survey::{self, Given, Survey, SurveyPoint, Written};
use calib::zone::{GroundView, Zone, ZoneKind};
use image::{Rgb, RgbImage};
use ingest::SourceLocation;
use serde_json::json;

use crate::canvas::{Canvas, Pen};
use crate::{node, probe, source};

/// Marks that are off by more than this among themselves deserve a second look, pixels.
const MARK_SIGMA_PX_MAX: f64 = 5.0;
/// Fewer points than this leave little to check one against another.
const POINTS_MIN: usize = 8;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The camera's file, or its id among the cameras of the node's file.
    #[arg(value_name = "CAMERA")]
    camera: String,
    /// The node's file, where CAMERA is an id.
    #[arg(short, long, value_name = "FILE", default_value = "shirong.toml")]
    config: PathBuf,
    /// Control points, TOML or CSV (name,pixel_x,pixel_y,lon,lat or …,east,north). Without it the points that
    /// stand in the camera's file are solved anew.
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// The points' coordinate system where their file names none: EPSG:4490 (CGCS2000, the default), EPSG:4326,
    /// GCJ-02, BD-09, EPSG:4491 to 4554, EPSG:32643 to 32653, "+proj=…", or local:LON,LAT,BEARING.
    #[arg(long, value_name = "NAME")]
    crs: Option<String>,
    /// The preset that the points belong to; the home view where none is named.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The picture that the pixels were read from: what is drawn on, and its size where the points' file has
    /// none. JPEG or PNG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Take that picture from the camera's stream.
    #[arg(long, conflicts_with = "picture")]
    snapshot: bool,
    /// Size of the picture that the pixels were read from, where nothing else tells: 1920x1080.
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    image_size: Option<String>,
    /// The camera's pictures are free of distortion: fit no lens.
    #[arg(long)]
    straight: bool,
    /// Place nothing further from the middle of the control points than this, metres.
    #[arg(long, value_name = "METRES")]
    range_m: Option<f64>,
    /// Where the picture with the grid goes; beside the camera's file by default.
    #[arg(long, value_name = "PNG")]
    overlay: Option<PathBuf>,
    /// Solve and draw, but leave the camera's file as it is.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was solved and where it went.
struct Done {
    view: GroundView,
    points: Vec<SurveyPoint>,
    overlay: PathBuf,
    written: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match calibrate(arguments)? {
        Ok(done) => {
            print(arguments, &done)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("error: {problem}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn calibrate(arguments: &Arguments) -> Result<Result<Done, Vec<Problem>>> {
    let file = camera_file(&arguments.camera, &arguments.config)?;
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {shown}"))?;
    let preset = arguments.preset.as_deref();
    let before = match survey::written(&shown, &text, preset) {
        Ok(before) => before,
        Err(problems) => return Ok(Err(problems)),
    };
    let background = background(arguments, &file)?;
    let Survey { image_size, points } = match survey(arguments, before.as_ref(), background.as_ref())? {
        Ok(survey) => survey,
        Err(problems) => return Ok(Err(problems)),
    };
    let size_known = image_size.or(background.as_ref().map(size_of));
    let Some(image_size) = size_known.or(before.as_ref().map(|before| before.setup.image_size)) else {
        bail!(
            "the size of the picture that the pixels were read from is not known; write image_size = [1920, 1080] \
             into the points' file, or give --image-size or --picture"
        );
    };
    let setup = setup(arguments, image_size, before.as_ref());
    let controls: Vec<ControlPoint> = points.iter().map(|point| point.control).collect();
    let map = GroundMap::solve(&controls, &setup).with_context(|| {
        let from = arguments.points.as_deref().unwrap_or(&file);
        format!("no calibration from the points of {}", from.display())
    })?;
    let after = survey::write(&text, preset, &setup, &points, &map).with_context(|| shown.clone())?;
    let view = GroundView { map, image_size };
    let zones = zones(&shown, &after, preset, &file);
    let overlay = arguments.overlay.clone().unwrap_or_else(|| overlay_path(&file, preset));
    draw(&view, &zones, &controls, background)
        .save_with_format(&overlay, image::ImageFormat::Png)
        .with_context(|| format!("writing {}", overlay.display()))?;
    let written = if arguments.dry_run {
        None
    } else {
        replace(&file, &after)?;
        Some(file)
    };
    Ok(Ok(Done { view, points, overlay, written }))
}

/// The file of a camera that is named by its path or by its id.
pub(crate) fn camera_file(camera: &str, config: &Path) -> Result<PathBuf> {
    let named = Path::new(camera);
    if named.extension().is_some_and(|extension| extension == "toml") || named.components().count() > 1 {
        return Ok(named.to_path_buf());
    }
    let shown = config.display();
    let text = std::fs::read_to_string(config)
        .with_context(|| format!("{camera} is no camera's file, and of the node's file {shown}"))?;
    let table: toml::Table = text.parse().with_context(|| format!("{shown}"))?;
    let file = node::cameras_folder(config, &table).join(format!("{camera}.toml"));
    if !file.is_file() {
        bail!("there is no camera {camera}: {} is no file", file.display());
    }
    Ok(file)
}

fn survey(
    arguments: &Arguments,
    before: Option<&Written>,
    background: Option<&RgbImage>,
) -> Result<Result<Survey, Vec<Problem>>> {
    let crs = match arguments.crs.as_deref().map(Crs::parse) {
        Some(Ok(crs)) => Some(crs),
        Some(Err(error)) => bail!("--crs: {error}; {}", error.mend()),
        None => None,
    };
    let stated = arguments.image_size.as_deref().map(image_size).transpose()?;
    let Some(path) = &arguments.points else {
        let Some(before) = before else {
            bail!("there are no points yet; give them with --points FILE (TOML or CSV)");
        };
        return Ok(Ok(Survey {
            image_size: stated.or(Some(before.setup.image_size)),
            points: before.points.clone(),
        }));
    };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
    let given = Given { crs, image_size: stated.or(background.map(size_of)) };
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    Ok(if is_csv {
        survey::read_csv(&shown, &text, &given)
    } else {
        survey::read_toml(&shown, &text, &given)
    })
}

fn image_size(text: &str) -> Result<[f64; 2]> {
    let sides = text.split_once(['x', 'X', '×']).map(|(w, h)| (w.trim().parse(), h.trim().parse()));
    let (least, most) = survey::IMAGE_SIDE_RANGE;
    let fits = |side: f64| (least..=most).contains(&side);
    match sides {
        Some((Ok(width), Ok(height))) if fits(width) && fits(height) => Ok([width, height]),
        _ => bail!("--image-size {text} is no size; write it like 1920x1080"),
    }
}

fn setup(arguments: &Arguments, image_size: [f64; 2], before: Option<&Written>) -> Setup {
    let known = before.map(|before| before.setup);
    let lens = match known.map(|setup| setup.lens) {
        _ if arguments.straight => LensWanted::Straight,
        Some(lens) => lens,
        None => LensWanted::Estimated,
    };
    let range_m = arguments.range_m.or(known.and_then(|setup| setup.range_m));
    Setup { image_size, lens, range_m }
}

fn size_of(picture: &RgbImage) -> [f64; 2] {
    [f64::from(picture.width()), f64::from(picture.height())]
}

/// The picture to draw on, where one is given or asked for.
fn background(arguments: &Arguments, file: &Path) -> Result<Option<RgbImage>> {
    if let Some(path) = &arguments.picture {
        let picture = image::open(path).with_context(|| format!("reading the picture {}", path.display()))?;
        return Ok(Some(picture.to_rgb8()));
    }
    if !arguments.snapshot {
        return Ok(None);
    }
    ingest::init()?;
    let loaded = node::load_camera(file, &Catalogue::builtin(), &Arc::new(Grids::default()));
    let (id, entry) = loaded.map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the camera's file must be well before its stream is asked:\n{}", all.join("\n"))
    })?;
    // A clip is read from its start, as fast as it goes.
    let location = match source::config(&id, &entry)?.location {
        SourceLocation::File { path, .. } => SourceLocation::File { path, realtime: false, looped: false },
        stream => stream,
    };
    let address = location.shown();
    let probed = ingest::probe(location, Duration::from_secs(20));
    let frame = probed.with_context(|| format!("no picture from {address}"))?.snapshot;
    let picture = probe::picture(&frame)?;
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    Ok(RgbImage::from_raw(width, height, picture.rgb().to_vec()))
}

/// The zones that can be drawn over this view. A preset has only its own ground; zones belong to the home view.
fn zones(shown: &str, text: &str, preset: Option<&str>, file: &Path) -> Vec<Zone> {
    if preset.is_some() {
        return Vec::new();
    }
    match Camera::parse(shown, text, &Catalogue::builtin()) {
        Ok(camera) => camera.zones,
        Err(problems) => {
            let mistakes = problems.len();
            eprintln!(
                "shirong: no zones are drawn: {shown} has {mistakes} mistakes; `shirong check --camera {}`",
                file.display()
            );
            Vec::new()
        }
    }
}

fn overlay_path(file: &Path, preset: Option<&str>) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let preset: String = preset.map(|name| format!(".{name}")).unwrap_or_default();
    let preset: String = preset.chars().map(|c| if c == '.' { c } else { plain(c) }).collect();
    file.with_file_name(format!("{stem}{preset}.calibration.png"))
}

/// Puts a new text in a file's place, whole or not at all.
fn replace(file: &Path, text: &str) -> Result<()> {
    let beside = file.with_extension("toml.new");
    let shown = || format!("writing {}", file.display());
    std::fs::write(&beside, text).with_context(shown)?;
    std::fs::rename(&beside, file).with_context(shown)
}

fn draw(
    view: &GroundView,
    zones: &[Zone],
    points: &[ControlPoint],
    background: Option<RgbImage>,
) -> RgbImage {
    let [width, height] = view.image_size.map(|side| side as u32);
    let picture = match background {
        // The sub-stream's picture shows the same view in another size.
        Some(picture) if picture.dimensions() != (width, height) => {
            image::imageops::resize(&picture, width, height, image::imageops::FilterType::Triangle)
        }
        Some(picture) => picture,
        None => RgbImage::from_pixel(width, height, Rgb([96, 96, 96])),
    };
    let mut canvas = Canvas::new(picture);
    let (width, height) = (f64::from(width), f64::from(height));
    let inside = |p: &&PixelPoint| (4.0..width - 40.0).contains(&p.x) && (14.0..height - 10.0).contains(&p.y);
    for stroke in overlay::strokes(view, zones, points) {
        let pen = pen(&stroke.mark);
        canvas.line(&stroke.line, pen);
        let middle = stroke.line.iter().filter(inside).nth(stroke.line.iter().filter(inside).count() / 2);
        match (&stroke.mark, middle) {
            (Mark::Ring { radius_m } | Mark::Range { radius_m }, Some(at)) => {
                canvas.words(*at, &format!("{radius_m:.0} m"), pen.colour);
            }
            (Mark::Zone { id, .. }, _) => {
                // All corners of a zone may lie on the picture's edge.
                let corner = middle.unwrap_or(&stroke.line[0]);
                let at = PixelPoint::new(
                    corner.x.clamp(4.0, (width - 100.0).max(4.0)),
                    corner.y.clamp(20.0, (height - 20.0).max(20.0)),
                );
                canvas.words(at, id, pen.colour);
            }
            (Mark::Point { index, .. }, _) => {
                canvas.cross(stroke.line[0], 7.0, pen);
                let beside = PixelPoint::new(stroke.line[0].x + 9.0, stroke.line[0].y - 12.0);
                canvas.words(beside, &(index + 1).to_string(), pen.colour);
            }
            _ => {}
        }
    }
    let legend = format!(
        "grid {} m, north and east | {} points, rms {:.2} m {:.1} px | range {:.0} m",
        overlay::spacing_m(view),
        points.len(),
        view.map.residual_rms_m(),
        view.map.residual_rms_px(),
        view.map.range_m(),
    );
    canvas.words(PixelPoint::new(6.0, 6.0), &legend, [255, 255, 255]);
    canvas.into_picture()
}

fn pen(mark: &Mark) -> Pen {
    match mark {
        Mark::Grid => Pen { colour: [0, 220, 255], width: 1.0, cover: 0.7 },
        Mark::Ring { .. } => Pen { colour: [255, 230, 0], width: 1.5, cover: 0.9 },
        Mark::Range { .. } => Pen { colour: [255, 60, 40], width: 2.0, cover: 0.9 },
        Mark::Zone { kind, .. } => {
            let colour = match kind {
                ZoneKind::Road => [160, 160, 255],
                ZoneKind::Footway => [90, 255, 120],
                ZoneKind::ShopfrontLine => [255, 230, 80],
                ZoneKind::Permitted => [255, 160, 255],
                ZoneKind::ConstructionWatch => [255, 170, 60],
                ZoneKind::Ignore => [200, 200, 200],
            };
            Pen { colour, width: 2.0, cover: 0.8 }
        }
        Mark::Point { is_kept: true, .. } => Pen { colour: [255, 255, 255], width: 2.0, cover: 1.0 },
        Mark::Point { is_kept: false, .. } => Pen { colour: [255, 40, 40], width: 2.0, cover: 1.0 },
    }
}

/// What a person should look at again.
fn advice(done: &Done) -> Vec<String> {
    let map = &done.view.map;
    let name = |index: usize| match done.points[index].name.as_deref() {
        Some(name) => format!("point {} ({name})", index + 1),
        None => format!("point {}", index + 1),
    };
    let mut advice: Vec<String> = map
        .outliers()
        .map(|index| {
            format!("{} disagrees with the others and counts for nothing; read it again", name(index))
        })
        .collect();
    if map.control_sigma_px() > MARK_SIGMA_PX_MAX {
        advice.push(format!(
            "the points disagree by {:.1} pixels; {} fits worst; read it again, and mark only what lies on the \
             ground",
            map.control_sigma_px(),
            name(map.worst().0)
        ));
    }
    if done.points.len() < POINTS_MIN {
        advice.push(format!(
            "{} points leave little to check one against another; mark at least {POINTS_MIN}, better \
             {LENS_POINTS_MIN}, which tell the lens too",
            done.points.len()
        ));
    }
    advice
}

/// Four decimals; nothing where the number is infinite.
fn finite(v: f64) -> Option<f64> {
    v.is_finite().then(|| (v * 1e4).round() / 1e4)
}

fn as_json(arguments: &Arguments, done: &Done) -> serde_json::Value {
    let map = &done.view.map;
    let outliers: Vec<usize> = map.outliers().collect();
    let (worst, worst_m) = map.worst();
    let points = done.points.iter().enumerate().map(|(index, point)| {
        json!({
            "point": index + 1, "name": point.name,
            "pixel": point.control.pixel, "lonlat": point.control.lon_lat,
            "residual_px": finite(map.residuals_px()[index]), "residual_m": finite(map.residuals_m()[index]),
            "outlier": outliers.contains(&index),
        })
    });
    json!({
        "camera": arguments.camera, "preset": arguments.preset,
        "image_size": done.view.image_size, "points": points.collect::<Vec<_>>(),
        "worst": { "point": worst + 1, "residual_m": finite(worst_m) },
        "rms_m": finite(map.residual_rms_m()), "rms_px": finite(map.residual_rms_px()),
        "mark_sigma_px": finite(map.control_sigma_px()),
        "lens": map.lens(), "lens_estimated": map.lens_estimated(), "range_m": finite(map.range_m()),
        "advice": advice(done),
        "overlay": done.overlay, "written": done.written,
    })
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(arguments: &Arguments, done: &Done) -> Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&as_json(arguments, done))?);
        return Ok(());
    }
    let map = &done.view.map;
    let outliers: Vec<usize> = map.outliers().collect();
    let (worst, _) = map.worst();
    let number = |v: f64| if v.is_finite() { format!("{v:.2}") } else { "-".to_owned() };
    println!("point  metres  pixels  place                    name");
    for (index, point) in done.points.iter().enumerate() {
        let flag = match index {
            _ if outliers.contains(&index) => "  OUTLIER",
            _ if index == worst => "  worst",
            _ => "",
        };
        println!(
            "{:>5}  {:>6}  {:>6}  {:.7}, {:.7}  {}{flag}",
            index + 1,
            number(map.residuals_m()[index]),
            number(map.residuals_px()[index]),
            point.control.lon_lat.lon,
            point.control.lon_lat.lat,
            point.name.as_deref().unwrap_or("-"),
        );
    }
    let (rms_m, rms_px) = (map.residual_rms_m(), map.residual_rms_px());
    println!(
        "rms    {rms_m:.2} m, {rms_px:.2} px; a mark is taken to be off by {:.1} px",
        map.control_sigma_px()
    );
    let lens = map.lens();
    match map.lens_estimated() {
        true => {
            println!(
                "lens   fitted: k1 {:.4}, k2 {:.4}, p1 {:.4}, p2 {:.4}",
                lens.k1, lens.k2, lens.p1, lens.p2
            );
        }
        false if *lens == Lens::straight(done.view.image_size) => println!("lens   taken for straight"),
        false => println!("lens   as given"),
    }
    println!("range  {:.0} m from the middle of the points", map.range_m());
    println!("drawn  {}", done.overlay.display());
    match &done.written {
        Some(file) => println!("wrote  {}", file.display()),
        None => println!("wrote  nothing (--dry-run)"),
    }
    for line in advice(done) {
        println!("look   {line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
