//! `shirong locate`: where on the ground a pixel of a camera is.
//!
//! In: a camera, a pixel of its calibration picture. Out: the place with its error and its grid cells, or why
//! there is none. Never: a guess.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use calib::check::Problem;
use calib::grid::Grids;
use calib::homography::{Position, Refusal};
use calib::matter::Catalogue;
use calib::space::{CRS, PixelPoint};
use calib::zone::GroundView;
use serde_json::{Value, json};

use crate::node::{self, CameraEntry};

/// How far off a pixel is taken to be that a person points at, one standard deviation an axis.
const PIXEL_SIGMA_PX: f64 = 1.5;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The camera's id among the cameras of the node's file, or its file (its own grids only).
    #[arg(value_name = "CAMERA")]
    camera: String,
    /// The node's file, where CAMERA is an id.
    #[arg(short, long, value_name = "FILE", default_value = "shirong.toml")]
    config: PathBuf,
    /// The pixel, of the size that the calibration names.
    #[arg(long, value_name = "X,Y", allow_hyphen_values = true)]
    pixel: String,
    /// The preset that the camera looks from; the home view where none is named.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// How far off the pixel may be, one standard deviation an axis, pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = PIXEL_SIGMA_PX)]
    sigma_px: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let pixel = pixel(&arguments.pixel)?;
    let entry = match entry(arguments)? {
        Ok(entry) => entry,
        Err(problems) => {
            for problem in &problems {
                eprintln!("error: {problem}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let view = match &arguments.preset {
        None => entry.camera.ground.as_ref(),
        Some(wanted) => {
            let found = entry.camera.presets.iter().find(|preset| preset.name == *wanted);
            let Some(view) = found.and_then(|preset| preset.ground.as_ref()) else {
                bail!("{} has no calibrated preset {wanted}", arguments.camera);
            };
            Some(view)
        }
    };
    let Some(view) = view else {
        let says = "the camera has no calibration; `shirong calibrate` makes one from control points";
        return refused(arguments, "no_calibration", says);
    };
    match place(view, pixel, arguments.sigma_px) {
        Ok(position) => {
            print(arguments, &answer(&position, &entry.grids))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => refused(arguments, refusal.name(), &refusal.to_string()),
    }
}

fn pixel(text: &str) -> Result<PixelPoint> {
    let numbers = text.split_once(',').map(|(x, y)| (x.trim().parse(), y.trim().parse()));
    match numbers {
        Some((Ok(x), Ok(y))) => Ok(PixelPoint::new(x, y)),
        _ => bail!("--pixel {text} is no pixel; write it like 640,512"),
    }
}

fn entry(arguments: &Arguments) -> Result<Result<CameraEntry, Vec<Problem>>> {
    let named = Path::new(&arguments.camera);
    if named.extension().is_some_and(|extension| extension == "toml") {
        let loaded = node::load_camera(named, &Catalogue::builtin(), &Arc::new(Grids::default()));
        return Ok(loaded.map(|(_, entry)| entry));
    }
    let node = match node::load(&arguments.config) {
        Ok(node) => node,
        Err(problems) => return Ok(Err(problems)),
    };
    let found = node.cameras.into_iter().find(|(id, _)| id.as_str() == arguments.camera);
    match found {
        Some((_, entry)) => Ok(Ok(entry)),
        None => bail!("{} has no camera {}", arguments.config.display(), arguments.camera),
    }
}

fn place(view: &GroundView, pixel: PixelPoint, sigma_px: f64) -> Result<Position, Refusal> {
    let [width, height] = view.image_size;
    if !((0.0..=width).contains(&pixel.x) && (0.0..=height).contains(&pixel.y)) {
        return Err(Refusal::OutsidePicture);
    }
    view.map.place(pixel, sigma_px)
}

fn answer(position: &Position, grids: &Grids) -> Value {
    let ellipse = position.ellipse_95();
    let best = |layer: Option<&calib::grid::GridLayer>| {
        let found = layer?.probabilities(position).into_iter().next()?;
        Some((found.0.code.clone(), found.1))
    };
    let unit = best(grids.unit.as_ref());
    let rounded = |v: f64, digits: i32| (v * 10f64.powi(digits)).round() / 10f64.powi(digits);
    json!({
        "lon": rounded(position.lon_lat.lon, 8),
        "lat": rounded(position.lon_lat.lat, 8),
        "crs": CRS,
        "ellipse_m": [
            rounded(ellipse.semi_major_m, 3), rounded(ellipse.semi_minor_m, 3), rounded(ellipse.bearing_deg, 1),
        ],
        "unit_grid": unit.map(|(code, p)| json!({ "code": code, "probability": rounded(p, 4) })),
        "responsibility_grid": best(grids.responsibility.as_ref()).map(|(code, _)| code),
    })
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(arguments: &Arguments, answer: &Value) -> Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    println!("place           {}, {} ({CRS})", answer["lon"], answer["lat"]);
    println!(
        "error (95 %)    {} m by {} m, long axis towards {}°",
        answer["ellipse_m"][0], answer["ellipse_m"][1], answer["ellipse_m"][2]
    );
    let unit = &answer["unit_grid"];
    let probability = unit["probability"].as_f64().map(|p| format!(", {:.0} %", p * 100.0));
    println!("unit grid       {}{}", text(&unit["code"]), probability.unwrap_or_default());
    println!("responsibility  {}", text(&answer["responsibility_grid"]));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn refused(arguments: &Arguments, name: &str, says: &str) -> Result<ExitCode> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "refused": name, "says": says }))?);
    } else {
        eprintln!("shirong: no place: {says}");
    }
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> GroundView {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/cameras/bin.toml");
        let loaded = node::load_camera(&file, &Catalogue::builtin(), &Arc::new(Grids::default()));
        loaded.unwrap_or_else(|problems| panic!("{problems:?}")).1.camera.ground.clone().unwrap()
    }

    #[test]
    fn a_pixel_on_the_street_has_a_place_with_its_error() {
        let position = place(&view(), PixelPoint::new(763.396, 319.877), 1.5).unwrap();
        let answer = answer(&position, &Grids::default());
        assert!((answer["lon"].as_f64().unwrap() - 118.653_611_415).abs() < 1e-7, "{answer}");
        assert!((answer["lat"].as_f64().unwrap() - 34.920_200_11).abs() < 1e-7, "{answer}");
        assert_eq!(answer["crs"], "EPSG:4490");
        let [major, minor] = [0, 1].map(|axis| answer["ellipse_m"][axis].as_f64().unwrap());
        assert!(major >= minor && minor > 0.0 && major < 0.5, "{answer}");
        assert!(answer["unit_grid"].is_null() && answer["responsibility_grid"].is_null());
    }

    #[test]
    fn a_pixel_beside_the_picture_is_refused() {
        let beside = place(&view(), PixelPoint::new(1281.0, 300.0), 1.5);
        assert_eq!(beside.unwrap_err().name(), "outside_picture");
        assert!(pixel("640;512").is_err());
        assert_eq!(pixel("640, 512").unwrap(), PixelPoint::new(640.0, 512.0));
    }
}
