//! Boxes and inputs of the default model for a folder of raw pictures, for `tests/reference.py` to compare.
//!
//! In comes a folder of `NAME_WIDTHxHEIGHT.yuv` (I420, BT.601 limited); beside each go `NAME_….tensor`
//! (`[3, 416, 416] f32`, little endian) and `NAME_….json` (the detections). Never part of the product.

use std::path::Path;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use models::{Detector, Letterbox, Manifest, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of .yuv files")?;
    let manifest = Manifest::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("city-nano"))?;
    let input = manifest.input().clone();
    let mut letterbox = Letterbox::new(&input);
    let mut tensor = vec![0.0; 3 * input.width * input.height];
    let mut detector = Detector::open(&Runtime::load(None)?, manifest, 1)?;
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_none_or(|extension| extension != "yuv") {
            continue;
        }
        let stem = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a name in UTF-8")?;
        let size =
            stem.rsplit('_').next().and_then(|size| size.split_once('x')).ok_or("NAME_WIDTHxHEIGHT")?;
        let (width, height): (usize, usize) = (size.0.parse()?, size.1.parse()?);
        let bytes = std::fs::read(&file)?;
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        let (luma, rest) = bytes.split_at(width * height);
        let (u, v) = rest.split_at(chroma_width * chroma_height);
        let plane = |data, stride| Plane { data, stride };
        let picture = YuvView {
            width,
            height,
            luma: plane(luma, width),
            chroma: Chroma::I420 { u: plane(u, chroma_width), v: plane(v, chroma_width) },
            matrix: Matrix::Bt601,
            range: Range::Limited,
        };
        letterbox.write(&picture, &mut tensor)?;
        let raw: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(file.with_extension("tensor"), raw)?;
        let look = detector.detect(&[picture])?.remove(0);
        std::fs::write(file.with_extension("json"), serde_json::to_vec(&look)?)?;
    }
    Ok(())
}
