//! A model's golden picture: what it is to find there, and what it finds instead.
//!
//! In come a picture (PNG or JPEG) and a file of expectations beside the manifest, out come the differences
//! as problems. [`record`] writes the expectations as the model sees the picture now. For a model whose
//! numbers are right and whose answers are wrong: another preparation, a bad quantisation, other labels.
//!
//! ```toml
//! score_tolerance = 0.05
//! bounds_tolerance = 0.02     # shares of the picture
//! [[box]]
//! class = "garbage"
//! score = 0.8312
//! bounds = [0.4012, 0.5123, 0.6012, 0.7411]     # x0, y0, x1, y1, shares of the picture
//! ```

use std::fmt::Write as _;
use std::path::Path;

use calib::class::Class;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use logic::look::Detection;
use serde::Deserialize;

use crate::detector::Detector;
use crate::error::{ModelError, Problem};
use crate::manifest::{Golden, Manifest};
use crate::runtime::Runtime;

/// `score_tolerance` as [`record`] writes it: what another library or accelerator may change.
pub const SCORE_TOLERANCE: f32 = 0.05;
/// `bounds_tolerance` as [`record`] writes it, in shares of the picture.
pub const BOUNDS_TOLERANCE: f32 = 0.02;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    score_tolerance: f32,
    bounds_tolerance: f32,
    #[serde(default, rename = "box")]
    boxes: Vec<ExpectedBox>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedBox {
    class: Class,
    score: f32,
    bounds: [f32; 4],
}

/// The expectations of the model in `dir_or_file` for a picture, as the text of its file.
///
/// # Errors
/// What [`Manifest::load`], [`Detector::open`] and [`Detector::detect`] say; [`ModelError::Refused`] where the
/// picture cannot be read.
pub fn record(runtime: &Runtime, dir_or_file: &Path, picture: &Path) -> Result<String, ModelError> {
    let mut detector = Detector::open(runtime, Manifest::load(dir_or_file)?, 1)?;
    let read = read(picture).map_err(|says| {
        let problem = Problem {
            file: picture.to_owned(),
            key: String::new(),
            says,
            mend: "give a PNG or a JPEG".to_owned(),
        };
        ModelError::Refused(vec![problem])
    })?;
    let look = detector.detect(&[read.view()])?.remove(0);
    let mut text = format!(
        "# What {} finds in {}; sha256 of its weights: {}\n\
         score_tolerance = {SCORE_TOLERANCE}\nbounds_tolerance = {BOUNDS_TOLERANCE}\n",
        detector.name(),
        picture.file_name().unwrap_or_default().display(),
        detector.sha256()
    );
    for Detection { class, score, bounds } in look {
        let [x0, y0, x1, y1] = [bounds.x0, bounds.y0, bounds.x1, bounds.y1];
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[box]]\nclass = \"{class}\"\nscore = {score:.4}\nbounds = [{x0:.4}, {y0:.4}, {x1:.4}, {y1:.4}]\n"
        );
    }
    Ok(text)
}

/// What the model finds otherwise than its golden picture's file says; empty where there is no such picture.
pub(crate) fn differences(detector: &mut Detector) -> Vec<Problem> {
    let Some(Golden { picture, expected }) = detector.manifest().golden().cloned() else {
        return Vec::new();
    };
    let problem =
        |manifest: &Manifest, key: &str, says: String, mend: &str| vec![manifest.problem(key, says, mend)];
    let expected = match std::fs::read_to_string(&expected)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str::<Expected>(&text).map_err(|error| error.to_string()))
    {
        Ok(expected) => expected,
        Err(says) => {
            let says = format!("{}: {says}", expected.display());
            return problem(detector.manifest(), "golden.expected", says, "record it anew");
        }
    };
    let read = match read(&picture) {
        Ok(read) => read,
        Err(says) => {
            let says = format!("{}: {says}", picture.display());
            return problem(detector.manifest(), "golden.picture", says, "put a PNG or a JPEG there");
        }
    };
    match detector.detect(&[read.view()]) {
        Ok(mut looks) => {
            let lines = compare(detector.manifest(), &expected, &looks.remove(0));
            let mend =
                "find out what changed in the model or its input; record the picture anew if that is right";
            lines.into_iter().flat_map(|says| problem(detector.manifest(), "golden", says, mend)).collect()
        }
        Err(error) => error.into_problems(&picture),
    }
}

/// Each box that is gone, new or other than expected, in words. A box whose score lies within the tolerance
/// of its class's threshold may be there or not.
fn compare(manifest: &Manifest, expected: &Expected, look: &[Detection]) -> Vec<String> {
    let mut free: Vec<&Detection> = look.iter().collect();
    let mut lines = Vec::new();
    let near = |class: Class, score: f32| {
        manifest.score_min(class).is_some_and(|least| score <= least + expected.score_tolerance)
    };
    for wanted in &expected.boxes {
        let off = |found: &Detection| {
            let bounds = &found.bounds;
            let sides = [bounds.x0, bounds.y0, bounds.x1, bounds.y1];
            sides.iter().zip(wanted.bounds).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max)
        };
        let of_class = free.iter().enumerate().filter(|(_, found)| found.class == wanted.class);
        let nearest = of_class.min_by(|(_, a), (_, b)| off(a).total_cmp(&off(b))).map(|(at, _)| at);
        let says = format!("{} at {:?}, score {:.3}", wanted.class, wanted.bounds, wanted.score);
        match nearest.map(|at| (at, off(free[at]))) {
            Some((at, off)) if off <= expected.bounds_tolerance => {
                let score = free.swap_remove(at).score;
                if (score - wanted.score).abs() > expected.score_tolerance {
                    lines.push(format!("{says}, is found with {score:.3}"));
                }
            }
            _ if near(wanted.class, wanted.score) => {}
            Some((_, off)) => {
                lines.push(format!("{says}, is not found; the nearest is {off:.3} of the picture away"));
            }
            None => lines.push(format!("{says}, is not found")),
        }
    }
    for found in free {
        if !near(found.class, found.score) {
            let bounds = &found.bounds;
            lines.push(format!(
                "{} at [{:.3}, {:.3}, {:.3}, {:.3}], score {:.3}, is found and not expected",
                found.class, bounds.x0, bounds.y0, bounds.x1, bounds.y1, found.score
            ));
        }
    }
    lines
}

/// A picture in I420, BT.601 limited, as a camera would give it.
pub(crate) struct Frame {
    size: [usize; 2],
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Frame {
    /// From a colour a pixel; colour is taken at the left upper pixel of each four.
    fn of([width, height]: [usize; 2], rgb: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let (mut y, mut u, mut v) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..height {
            for column in 0..width {
                // ITU-R BT.601-7, 2.5.3: luma 16 to 235, colour 16 to 240 around 128.
                let [r, g, b] = rgb(column, row).map(f32::from);
                let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                let byte = |value: f32| (value + 0.5) as u8;
                y.push(byte(16.0 + luma * 219.0 / 255.0));
                if row % 2 == 0 && column % 2 == 0 {
                    u.push(byte(128.0 + (b - luma) / 1.772 * 224.0 / 255.0));
                    v.push(byte(128.0 + (r - luma) / 1.402 * 224.0 / 255.0));
                }
            }
        }
        Self { size: [width, height], y, u, v }
    }

    pub(crate) fn view(&self) -> YuvView<'_> {
        let [width, height] = self.size;
        let plane = |data, stride| Plane { data, stride };
        let half = width.div_ceil(2);
        YuvView {
            width,
            height,
            luma: plane(&self.y, width),
            chroma: Chroma::I420 { u: plane(&self.u, half), v: plane(&self.v, half) },
            matrix: Matrix::Bt601,
            range: Range::Limited,
        }
    }
}

fn read(picture: &Path) -> Result<Frame, String> {
    let reader = image::ImageReader::open(picture).map_err(|error| error.to_string())?;
    let reader = reader.with_guessed_format().map_err(|error| error.to_string())?;
    let rgb = reader.decode().map_err(|error| error.to_string())?.to_rgb8();
    let size = [rgb.width() as usize, rgb.height() as usize];
    Ok(Frame::of(size, |x, y| rgb.get_pixel(x as u32, y as u32).0))
}

/// Noise in brightness and colour, the same each time, `160 * 120`.
pub(crate) fn noise() -> Frame {
    noise_of([160, 120])
}

/// The same of another size.
pub(crate) fn noise_of(size: [usize; 2]) -> Frame {
    Frame::of(size, |x, y| {
        let bits = ((x / 5) as u32).wrapping_mul(0x9e37_79b9) ^ ((y / 5) as u32).wrapping_mul(0x85eb_ca6b);
        let bits = (bits ^ bits >> 15).wrapping_mul(0xc2b2_ae35);
        [(bits >> 24) as u8, (bits >> 16) as u8, (bits >> 8) as u8]
    })
}

/// Nothing at all, of the same size.
pub(crate) fn grey(like: &Frame) -> Frame {
    Frame::of(like.size, |_, _| [114; 3])
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
