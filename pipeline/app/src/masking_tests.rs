//! The default model, its garbage taken for faces, on a wide picture.

use calib::class::Class;

use super::*;
use crate::eyes::tests::{Wide, checkout};

/// A masking model: the default one under a manifest that maps a label to what is hidden.
fn masking() -> Masking {
    let folder = tempfile::tempdir().unwrap();
    let model = checkout().join("models/city-nano");
    for name in ["city_nano.onnx", "LICENSE-YOLOX.txt"] {
        std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(model.join("manifest.toml")).unwrap();
    let text =
        text.replace("garbage = \"garbage\"", "garbage = \"face\"").replace("garbage = 0.48", "face = 0.48");
    std::fs::write(folder.path().join("manifest.toml"), text).unwrap();
    Masking::open(&Runtime::load(None).unwrap(), folder.path()).unwrap()
}

#[test]
fn what_is_small_is_found_at_its_place_and_hidden() {
    let mut masking = masking();
    let wide = Wide::with_street_at([1434, 930]);
    let found = masking.find(&wide.view()).unwrap();
    let faces: Vec<_> = found.iter().filter(|seen| seen.class == Class::Face).collect();
    assert!(faces.iter().any(|face| face.bounds.iou(&wide.heap) > 0.5), "{faces:?} for {:?}", wide.heap);
    assert!(masking.planned.1.len() > 1, "the whole picture alone would not show it");

    let picture = report::Picture::from_yuv(&wide.view()).unwrap();
    let masked = report::mask(&picture, &found).unwrap();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let colours = |picture: &report::Picture| {
        let [x0, x1] = [wide.heap.x0, wide.heap.x1].map(|x| (x * width) as usize);
        let [y0, y1] = [wide.heap.y0, wide.heap.y1].map(|y| (y * height) as usize);
        let pixels = (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y)));
        pixels.map(|(x, y)| picture.pixel(x, y)).collect::<std::collections::BTreeSet<_>>().len()
    };
    let (before, after) = (colours(&picture), colours(masked.picture()));
    assert!(after * 10 < before, "{after} colours are left of {before}");
}

#[test]
fn a_picture_that_cannot_be_read_has_no_answer() {
    let wide = Wide::with_street_at([1434, 930]);
    assert!(masking().find(&YuvView { width: 4, ..wide.view() }).is_err());
}
