use calib::space::LonLat;
use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(line: &[&str]) -> Arguments {
    let line = std::iter::once("calibrate").chain(line.iter().copied());
    Line::try_parse_from(line).unwrap().arguments
}

/// A sample camera's file in a folder of its own.
fn sample(folder: &Path) -> PathBuf {
    let cameras = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/cameras");
    let file = folder.join("bin.toml");
    std::fs::copy(cameras.join("bin.toml"), &file).unwrap();
    file
}

/// Its points as a phone's map would give them, one of them read beside another thing.
fn points(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let written = survey::written("bin.toml", &text, None).unwrap().unwrap();
    let shifted = Crs::parse("GCJ-02").unwrap();
    let mut sheet = "name,pixel_x,pixel_y,lon,lat\n".to_owned();
    for (index, control) in written.controls().into_iter().enumerate() {
        let [lon, lat] = shifted.numbers(control.lon_lat).unwrap();
        let x = control.pixel.x + if index == 4 { 60.0 } else { 0.0 };
        sheet += &format!("kerb {index},{x},{},{lon},{lat}\n", control.pixel.y);
    }
    sheet
}

#[test]
fn a_sheet_becomes_a_calibration_in_the_cameras_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = sample(folder.path());
    let before = std::fs::read_to_string(&file).unwrap();
    let sheet = folder.path().join("points.csv");
    std::fs::write(&sheet, points(&file)).unwrap();
    let (camera, sheet) = (file.display().to_string(), sheet.display().to_string());
    let line = [&camera, "--points", &sheet, "--crs", "gcj-02", "--image-size", "1280x720"];

    let dry = calibrate(&arguments(&[&line[..], &["--dry-run"]].concat())).unwrap().unwrap();
    assert!(dry.written.is_none() && std::fs::read_to_string(&file).unwrap() == before);

    let done = calibrate(&arguments(&line)).unwrap().unwrap();
    assert_eq!(done.view.map.outliers().collect::<Vec<_>>(), [4]);
    assert!(advice(&done)[0].starts_with("point 5 (kerb 4) disagrees"), "{:?}", advice(&done));
    let png = image::open(folder.path().join("bin.calibration.png")).unwrap().to_rgb8();
    assert_eq!(png.dimensions(), (1280, 720));
    assert!(png.pixels().filter(|p| p.0 != [96; 3]).count() > 10_000, "nothing was drawn");

    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.contains("crs = \"GCJ-02\"") && after.contains("outlier = true"), "{after}");
    assert!(after.starts_with(before.lines().next().unwrap()));
    let again = Camera::parse("bin.toml", &after, &Catalogue::builtin()).unwrap();
    let view = again.ground.unwrap();
    // The second point of the sample's file, which its truth knows to a millimetre.
    let place = view.map.place(PixelPoint::new(1154.088, 384.497), 1.5).unwrap();
    let off_m = place.lon_lat.distance_m(LonLat::new(118.653_644_246, 34.920_200_11));
    assert!(off_m < 0.02, "{off_m}");
}

#[test]
fn points_of_the_file_itself_are_solved_anew_and_a_preset_stands_beside() {
    let folder = tempfile::tempdir().unwrap();
    let file = sample(folder.path());
    let camera = file.display().to_string();
    let done = calibrate(&arguments(&[&camera])).unwrap().unwrap();
    assert_eq!(done.points.len(), 12);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("[calibration.solved]"));
    assert!(calibrate(&arguments(&[&camera, "--preset", "gate"])).is_err(), "a preset has no points yet");
    let sheet = folder.path().join("points.csv");
    std::fs::write(&sheet, points(&file)).unwrap();
    let sheet = sheet.display().to_string();
    let line =
        [&camera, "--points", &sheet, "--crs", "GCJ-02", "--image-size", "1280x720", "--preset", "gate"];
    calibrate(&arguments(&line)).unwrap().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let camera = Camera::parse("bin.toml", &text, &Catalogue::builtin()).unwrap();
    assert_eq!(camera.presets[0].name, "gate");
    assert!(camera.ground.is_some());
    assert!(folder.path().join("bin.gate.calibration.png").is_file());
}

#[test]
fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = sample(folder.path());
    let camera = file.display().to_string();
    let says = |line: &[&str]| match calibrate(&arguments(line)) {
        Err(error) => format!("{error:#}"),
        Ok(Err(problems)) => problems[0].to_string(),
        Ok(Ok(_)) => panic!("{line:?} did something"),
    };
    let sheet = folder.path().join("points.csv");
    std::fs::write(&sheet, "pixel_x,pixel_y,lon,lat\n10,10,118.6,34.9\n").unwrap();
    let sheet = sheet.display().to_string();
    assert!(says(&[&camera, "--points", &sheet]).contains("control points are too few"));
    assert!(says(&[&camera, "--points", &sheet, "--crs", "EPSG:2437"]).contains("city's own parameters"));
    assert!(says(&[&camera, "--image-size", "wide"]).contains("1920x1080"));
    let config = folder.path().join("shirong.toml");
    std::fs::write(&config, "[node]\ncameras = \".\"\n").unwrap();
    let config = config.display().to_string();
    assert!(says(&["corner", "-c", &config]).contains("there is no camera corner"));
    assert_eq!(camera_file("bin", Path::new(&config)).unwrap(), folder.path().join("./bin.toml"));
}
