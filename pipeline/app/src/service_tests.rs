//! What the stages decide by themselves.

use std::collections::BTreeMap;

use calib::grid::Grids;
use calib::matter::Catalogue;
use calib::space::ImagePoint;

use super::*;
use crate::node;

#[test]
fn the_scenes_of_a_county_are_written_at_different_times() {
    let mut a_minute: BTreeMap<i64, usize> = BTreeMap::new();
    for camera in 0..232 {
        *a_minute.entry(scene_ahead_ms(camera) / 60_000).or_default() += 1;
    }
    assert_eq!(a_minute.len(), 15);
    assert!(a_minute.values().all(|cameras| *cameras <= 18), "{a_minute:?}");
}

#[test]
fn a_zone_of_a_preset_is_drawn_by_the_ground_of_that_preset() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/cameras/litter.toml");
    let text = std::fs::read_to_string(sample).unwrap();
    let home = &text[text.find("[calibration]").unwrap()..text.find("[[zone]]").unwrap()];
    let of_preset =
        home.replace("[calibration", "[preset.calibration").replace("[1280, 720]", "[2560, 1440]");
    let zone = "[[zone]]\nid = \"gate\"\nkind = \"footway\"\npreset = \"gate\"\nground = [\
                [118.651937032, 34.920160448], [118.652013637, 34.920160448], [118.652002694, 34.920190194]]\n";
    let text = format!("{text}\n[[preset]]\nname = \"gate\"\nreference = \"gate.png\"\n{of_preset}\n{zone}");
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(2560, 1440).save(folder.path().join("gate.png")).unwrap();
    let file = folder.path().join("litter.toml");
    std::fs::write(&file, text).unwrap();
    let read = node::load_camera(&file, &Catalogue::builtin(), &Arc::new(Grids::default()));
    let (_, entry) = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    let model = ModelRef { name: "m".to_owned(), sha256: "0".repeat(64) };
    let drawn = provenance(&entry, &model, "gate").zone_polygon_in_image;
    // The points' pixels, by the size of the preset's picture.
    let corners = [[294.242, 575.472], [1091.369, 412.23], [820.569, 289.296]];
    assert_eq!(drawn.len(), corners.len());
    for [x, y] in corners {
        let apart = |corner: &ImagePoint| (corner.x - x / 2560.0).hypot(corner.y - y / 1440.0);
        assert!(drawn.iter().any(|corner| apart(corner) < 0.01), "{drawn:?}");
    }
}
