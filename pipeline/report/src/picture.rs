//! One whole frame as owned RGB, cut and encoded: the only place that converts a whole picture.
//!
//! In: a borrowed YUV view. Out: RGB pixels and JPEG bytes with their hash. Never: a file, and never by
//! itself outside the vault (see [`crate::mask`]).

use std::sync::Arc;

use calib::picture::{Chroma, RgbCoefficients, YuvView};
use calib::space::ImageBox;

use crate::hash::Sha256Hex;

/// JPEG quality of every picture, 1..=100. At 88 the block noise stays below that of the camera's own H.264.
pub const JPEG_QUALITY: u8 = 88;

/// Why a frame gives no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The planes are shorter than the size that the view claims, or the size is zero.
    #[error("the frame's planes do not hold {width} x {height} pixels")]
    Planes {
        /// Claimed pixels across.
        width: usize,
        /// Claimed pixels down.
        height: usize,
    },
    /// Larger than a JPEG may be.
    #[error("{width} x {height} pixels are more than a JPEG may hold (65535 a side)")]
    TooLarge {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// The encoder failed.
    #[error("JPEG: {0}")]
    Encoding(String),
    /// A model had no answer for the frame, so it is unknown what would have to be masked.
    #[error("it is not known what is on it, so the picture cannot be masked")]
    Unseen,
    /// A detection's box is not a number, so it is unknown what would have to be masked.
    #[error("a detection has a box that is no number, so the picture cannot be masked")]
    UnknownRegion,
}

/// A rectangle of whole pixels, `x0 < x1 <= width`, `y0 < y1 <= height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelRect {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Column after the last.
    pub x1: usize,
    /// Row after the last.
    pub y1: usize,
}

/// RGB, 8 bits a channel, rows without padding: `[height, width, 3] u8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// An encoded picture and the hash that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    /// The file's bytes.
    pub bytes: Arc<[u8]>,
    /// Their hash.
    pub sha256: Sha256Hex,
}

impl Picture {
    /// The whole frame.
    ///
    /// # Errors
    /// Planes too short, no pixels, or more than a JPEG may hold.
    pub fn from_yuv(view: &YuvView<'_>) -> Result<Self, PictureError> {
        let (width, height) = (view.width, view.height);
        if width > usize::from(u16::MAX) || height > usize::from(u16::MAX) {
            return Err(PictureError::TooLarge { width, height });
        }
        let view = view.checked().ok_or(PictureError::Planes { width, height })?;
        let coefficients = RgbCoefficients::of(view.matrix, view.range);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let luma = &view.luma.data[y * view.luma.stride..][..width];
            // Per row, so that the kind of chroma is not asked again for each pixel.
            match &view.chroma {
                Chroma::I420 { u, v } => {
                    let (u, v) = (&u.data[y / 2 * u.stride..], &v.data[y / 2 * v.stride..]);
                    for (x, &luma) in luma.iter().enumerate() {
                        rgb.extend_from_slice(&coefficients.rgb(luma, u[x / 2], v[x / 2]));
                    }
                }
                Chroma::Nv12 { uv } => {
                    let uv = &uv.data[y / 2 * uv.stride..];
                    for (x, &luma) in luma.iter().enumerate() {
                        rgb.extend_from_slice(&coefficients.rgb(luma, uv[x / 2 * 2], uv[x / 2 * 2 + 1]));
                    }
                }
            }
        }
        Ok(Self { width, height, rgb })
    }

    /// Pixels across.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, `[height, width, 3] u8`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The pixel in column `x`, row `y`.
    ///
    /// # Panics
    /// When it lies outside the picture.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width, "column {x} of {}", self.width);
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// Sets one pixel; outside the picture nothing happens.
    pub(crate) fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// The whole pixels that a box touches, at least one; a box outside is moved to the nearest edge.
    pub fn rect_of(&self, bounds: &ImageBox) -> PixelRect {
        let span = |low: f32, high: f32, size: usize| {
            let from = ((low.clamp(0.0, 1.0) * size as f32).floor() as usize).min(size - 1);
            let to = ((high.clamp(0.0, 1.0) * size as f32).ceil() as usize).clamp(from + 1, size);
            (from, to)
        };
        let (x0, x1) = span(bounds.x0, bounds.x1, self.width);
        let (y0, y1) = span(bounds.y0, bounds.y1, self.height);
        PixelRect { x0, y0, x1, y1 }
    }

    /// The part of the picture that a box touches.
    #[must_use]
    pub fn crop(&self, bounds: &ImageBox) -> Self {
        let rect = self.rect_of(bounds);
        let mut rgb = Vec::with_capacity((rect.x1 - rect.x0) * (rect.y1 - rect.y0) * 3);
        for y in rect.y0..rect.y1 {
            let row = y * self.width;
            rgb.extend_from_slice(&self.rgb[(row + rect.x0) * 3..(row + rect.x1) * 3]);
        }
        Self { width: rect.x1 - rect.x0, height: rect.y1 - rect.y0, rgb }
    }

    /// The picture with `rows` rows of one colour added below.
    #[must_use]
    pub(crate) fn extended_below(&self, rows: usize, colour: [u8; 3]) -> Self {
        let mut rgb = self.rgb.clone();
        rgb.extend(std::iter::repeat_n(colour, rows * self.width).flatten());
        Self { width: self.width, height: self.height + rows, rgb }
    }

    /// As JPEG at [`JPEG_QUALITY`]. The same pixels give the same bytes.
    ///
    /// # Errors
    /// Larger than a JPEG may be.
    pub fn to_jpeg(&self) -> Result<Jpeg, PictureError> {
        let too_large = || PictureError::TooLarge { width: self.width, height: self.height };
        let width = u16::try_from(self.width).map_err(|_| too_large())?;
        let height = u16::try_from(self.height).map_err(|_| too_large())?;
        let mut bytes = Vec::with_capacity(self.rgb.len() / 8);
        jpeg_encoder::Encoder::new(&mut bytes, JPEG_QUALITY)
            .encode(&self.rgb, width, height, jpeg_encoder::ColorType::Rgb)
            .map_err(|e| PictureError::Encoding(e.to_string()))?;
        Ok(Jpeg { sha256: Sha256Hex::of(&bytes), bytes: bytes.into() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use calib::picture::{Matrix, Plane, Range};

    /// Owned planes of a synthetic street: a gradient with a coarse pattern, coloured in quarters.
    pub(crate) struct Frame {
        pub(crate) width: usize,
        pub(crate) height: usize,
        luma: Vec<u8>,
        uv: Vec<u8>,
    }

    impl Frame {
        pub(crate) fn new(width: usize, height: usize, seed: usize) -> Self {
            let mut luma = Vec::with_capacity(width * height);
            for y in 0..height {
                for x in 0..width {
                    let wave = ((x / 4 + y / 4 + seed) % 2) * 24;
                    luma.push((40 + (x * 120 / width) + wave + (y * 40 / height)) as u8);
                }
            }
            let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
            let mut uv = Vec::with_capacity(cw * ch * 2);
            for y in 0..ch {
                for x in 0..cw {
                    uv.push((100 + x * 56 / cw) as u8);
                    uv.push((100 + y * 56 / ch) as u8);
                }
            }
            Self { width, height, luma, uv }
        }

        pub(crate) fn view(&self) -> YuvView<'_> {
            YuvView {
                width: self.width,
                height: self.height,
                luma: Plane { data: &self.luma, stride: self.width },
                chroma: Chroma::Nv12 { uv: Plane { data: &self.uv, stride: self.width.div_ceil(2) * 2 } },
                matrix: Matrix::Bt601,
                range: Range::Limited,
            }
        }
    }

    #[test]
    fn agrees_with_the_pixel_by_pixel_conversion_in_both_layouts() {
        let frame = Frame::new(33, 21, 0);
        let nv12 = frame.view();
        let u: Vec<u8> = frame.uv.iter().step_by(2).copied().collect();
        let v: Vec<u8> = frame.uv.iter().skip(1).step_by(2).copied().collect();
        let stride = frame.width.div_ceil(2);
        let i420 = YuvView {
            chroma: Chroma::I420 { u: Plane { data: &u, stride }, v: Plane { data: &v, stride } },
            ..nv12
        };
        let coefficients = RgbCoefficients::of(Matrix::Bt601, Range::Limited);
        let (a, b) = (Picture::from_yuv(&nv12).unwrap(), Picture::from_yuv(&i420).unwrap());
        assert_eq!(a, b);
        for y in 0..21 {
            for x in 0..33 {
                assert_eq!(a.pixel(x, y), nv12.rgb_at(&coefficients, x, y));
            }
        }
    }

    #[test]
    fn decodes_back_close_to_the_picture_and_encodes_the_same_twice() {
        let picture = Picture::from_yuv(&Frame::new(320, 180, 0).view()).unwrap();
        let jpeg = picture.to_jpeg().unwrap();
        assert_eq!(jpeg, picture.to_jpeg().unwrap());
        let back = image::load_from_memory(&jpeg.bytes).unwrap().to_rgb8();
        assert_eq!((back.width(), back.height()), (320, 180));
        let total: u64 =
            back.as_raw().iter().zip(picture.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = total as f64 / picture.rgb().len() as f64;
        assert!(mean < 3.0, "mean difference {mean}");
    }

    #[test]
    fn crops_stay_inside() {
        let picture = Picture::from_yuv(&Frame::new(100, 50, 0).view()).unwrap();
        let crop = picture.crop(&ImageBox::from([0.9, 0.8, 1.0, 1.0]).grown(0.25));
        assert_eq!((crop.width(), crop.height()), (13, 13));
        assert_eq!(crop.pixel(12, 12), picture.pixel(99, 49));
        let outside = picture.crop(&ImageBox::from([2.0, -3.0, 4.0, -1.0]));
        assert_eq!((outside.width(), outside.height()), (1, 1));
    }

    #[test]
    fn a_short_frame_is_refused() {
        let frame = Frame::new(32, 16, 0);
        let lying = YuvView { height: 64, ..frame.view() };
        assert_eq!(Picture::from_yuv(&lying), Err(PictureError::Planes { width: 32, height: 64 }));
        let empty = YuvView { width: 0, ..frame.view() };
        assert!(Picture::from_yuv(&empty).is_err());
    }
}
