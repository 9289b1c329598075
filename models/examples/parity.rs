//! Boxes and inputs of one model for a folder of raw pictures, for `tests/reference.py` to compare.
//!
//! In come a model's folder and one of `NAME_WIDTHxHEIGHT.yuv` (I420, BT.601 limited); beside each go
//! `NAME_….tensor` (the input as the model gets it, little endian) and `NAME_….json` (the detections). Never
//! part of the product.

use std::path::Path;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use half::f16;
use models::manifest::{Dtype, Input};
use models::{Detector, Fit, Letterbox, Manifest, Runtime};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let usage = "give the model's folder and the folder of .yuv files";
    let model = std::env::args().nth(1).ok_or(usage)?;
    let folder = std::env::args().nth(2).ok_or(usage)?;
    let manifest = Manifest::load(Path::new(&model))?;
    let input = manifest.input().clone();
    let mut letterbox = Letterbox::new(&input);
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
        std::fs::write(file.with_extension("tensor"), tensor(&mut letterbox, &input, &picture)?)?;
        let look = detector.detect(&[picture])?.remove(0);
        std::fs::write(file.with_extension("json"), serde_json::to_vec(&look)?)?;
    }
    Ok(())
}

/// The input's bytes.
fn tensor(letterbox: &mut Letterbox, input: &Input, picture: &YuvView<'_>) -> Result<Vec<u8>, Failure> {
    let [width, height] = Fit::of(picture.width, picture.height, input).tensor;
    let count = 3 * width * height;
    Ok(match input.dtype {
        Dtype::U8 => {
            let mut numbers = vec![0u8; count];
            letterbox.write(picture, &mut numbers)?;
            numbers
        }
        Dtype::F16 => {
            let mut numbers = vec![f16::ZERO; count];
            letterbox.write(picture, &mut numbers)?;
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        }
        Dtype::F32 => {
            let mut numbers = vec![0f32; count];
            letterbox.write(picture, &mut numbers)?;
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        }
    })
}
