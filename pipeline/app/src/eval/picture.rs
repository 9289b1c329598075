//! A picture file as a camera would deliver it.
//!
//! In: JPEG or PNG. Out: I420 in BT.601, limited range, so that a model is measured through the very path
//! that frames of the service take: planes of YUV, chroma at half the size. Never: a scaled picture; the
//! model's letterbox does that.

use std::path::Path;

use calib::picture::{Chroma, Matrix, Plane, Range, RgbCoefficients, YuvView};
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};

/// Shares of red and blue in luma (ITU-R BT.601).
const KR: f32 = 0.299;
const KB: f32 = 0.114;

/// Reads a picture, turned as its EXIF says.
///
/// # Errors
/// What the decoder says.
pub(crate) fn read(file: &Path) -> Result<RgbImage, String> {
    let reader = ImageReader::open(file).and_then(|reader| reader.with_guessed_format());
    let mut decoder =
        reader.map_err(|error| error.to_string())?.into_decoder().map_err(|error| error.to_string())?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// Width and height as the file's head says, before any turn; the rest may still be broken.
///
/// # Errors
/// What the decoder says.
pub(crate) fn size(file: &Path) -> Result<(u32, u32), String> {
    let reader = ImageReader::open(file).and_then(|reader| reader.with_guessed_format());
    reader.map_err(|error| error.to_string())?.into_dimensions().map_err(|error| error.to_string())
}

/// A picture in the decoder's own form.
pub(crate) struct I420 {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    cb: Vec<u8>,
    cr: Vec<u8>,
}

impl I420 {
    /// From RGB; chroma is the mean of its four pixels, fewer at an odd edge.
    pub(crate) fn of(rgb: &RgbImage) -> Self {
        let (width, height) = (rgb.width() as usize, rgb.height() as usize);
        let k = RgbCoefficients::of(Matrix::Bt601, Range::Limited);
        let byte = |value: f32| (value + 0.5).clamp(0.0, 255.0) as u8;
        let grey = |[r, g, b]: [f32; 3]| KR * r + (1.0 - KR - KB) * g + KB * b;
        let pixel = |x: usize, y: usize| {
            let at = 3 * (y * width + x);
            [0, 1, 2].map(|channel| f32::from(rgb.as_raw()[at + channel]))
        };
        let luma = rgb.as_raw().chunks_exact(3).map(|rgb| {
            byte(grey([f32::from(rgb[0]), f32::from(rgb[1]), f32::from(rgb[2])]) / k.y_gain + k.y_zero)
        });
        let luma = luma.collect();
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut cb = Vec::with_capacity(chroma_width * chroma_height);
        let mut cr = Vec::with_capacity(chroma_width * chroma_height);
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                let (right, below) = ((x + 1).min(width - 1), (y + 1).min(height - 1));
                let four = [pixel(x, y), pixel(right, y), pixel(x, below), pixel(right, below)];
                let mean =
                    [0, 1, 2].map(|channel| four.iter().map(|pixel| pixel[channel]).sum::<f32>() / 4.0);
                cb.push(byte((mean[2] - grey(mean)) / k.b_u + 128.0));
                cr.push(byte((mean[0] - grey(mean)) / k.r_v + 128.0));
            }
        }
        Self { width, height, luma, cb, cr }
    }

    /// As models read it.
    pub(crate) fn view(&self) -> YuvView<'_> {
        let chroma_width = self.width.div_ceil(2);
        YuvView {
            width: self.width,
            height: self.height,
            luma: Plane { data: &self.luma, stride: self.width },
            chroma: Chroma::I420 {
                u: Plane { data: &self.cb, stride: chroma_width },
                v: Plane { data: &self.cr, stride: chroma_width },
            },
            matrix: Matrix::Bt601,
            range: Range::Limited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_through_yuv_and_odd_sides_hold() {
        let colours = [[200, 30, 40], [20, 180, 60], [10, 20, 220], [250, 250, 250], [0, 0, 0]];
        for colour in colours {
            let picture = I420::of(&RgbImage::from_pixel(5, 3, image::Rgb(colour)));
            let view = picture.view().checked().expect("planes as long as the size claims");
            let back = view.rgb_at(&RgbCoefficients::of(view.matrix, view.range), 4, 2);
            let off = back.iter().zip(colour).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(2), "{colour:?} came back as {back:?}");
        }
    }
}
