//! A picture in YUV to the model's input, in one pass and without a picture in RGB in between.
//!
//! In comes a [`YuvView`] (I420 or NV12, either matrix and range, any stride, odd sizes too), out goes
//! `[3, H, W] f32` in the manifest's channel order, `(grey * scale - mean) / std`, the picture scaled with its
//! aspect kept and the rest filled with the pad. Nothing is allocated once a size has been seen.
//!
//! The values are those of OpenCV's `INTER_LINEAR` on the RGB picture (half-pixel centres, two taps an axis
//! however much it shrinks, as the model was trained), left unrounded. Blending Y, Cb and Cr first and
//! converting once an output pixel is the same arithmetic, since the conversion is linear but for its clamp:
//! only at hard edges of colour, where the camera's YUV names colours that RGB has not, does clamping after
//! blending give another grey than clamping each tap (0.02 % of the numbers by more than one level at 1080p;
//! `tests/reference.py`). Converting four taps a pixel would buy that back at over twice the cost.
//! An antialiased reduction would look better and is not what the weights know.

use calib::picture::{Chroma, Plane, RgbCoefficients, YuvView};
use calib::space::ImageBox;

use crate::manifest::{Colour, Input, Placement};

/// Smallest side of a picture that is looked at, pixels.
pub const SIDE_MIN: usize = 8;

/// Why a picture cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureFault {
    /// A side under [`SIDE_MIN`].
    #[error("a side is under {SIDE_MIN} pixels")]
    TooSmall,
    /// A plane ends before the last pixel that the size claims.
    #[error("a plane is shorter than the size and stride claim")]
    ShortPlane,
}

/// Where a picture lies in the input, in pixels of the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Columns of padding left of it.
    pub left: usize,
    /// Rows of padding above it.
    pub top: usize,
    /// Its columns.
    pub width: usize,
    /// Its rows.
    pub height: usize,
}

impl Fit {
    /// Where a picture of `width * height` goes in such an input. Sides are cut down to whole pixels, as
    /// YOLOX does, so the two axes are scaled by slightly different factors.
    pub fn of(width: usize, height: usize, input: &Input) -> Self {
        let (fitted_width, fitted_height) = if width * input.height >= height * input.width {
            (input.width, (height * input.width / width).max(1))
        } else {
            ((width * input.height / height).max(1), input.height)
        };
        let (left, top) = match input.placement {
            Placement::Corner => (0, 0),
            Placement::Centred => ((input.width - fitted_width) / 2, (input.height - fitted_height) / 2),
        };
        Self { left, top, width: fitted_width, height: fitted_height }
    }

    /// A box `[x0, y0, x1, y1]` in pixels of the tensor as a share of the picture, cut off at its edges.
    pub fn image_from_tensor(&self, [x0, y0, x1, y1]: [f32; 4]) -> ImageBox {
        let x = |x: f32| ((x - self.left as f32) / self.width as f32).clamp(0.0, 1.0);
        let y = |y: f32| ((y - self.top as f32) / self.height as f32).clamp(0.0, 1.0);
        ImageBox { x0: x(x0), y0: y(y0), x1: x(x1), y1: y(y1) }
    }
}

/// One output column or row: the source samples `base` and `base + 1`, and the share of the second.
#[derive(Debug, Clone, Copy)]
struct Tap {
    base: usize,
    share: f32,
}

/// The taps of one axis, for brightness and for colour.
#[derive(Debug, Default)]
struct Taps {
    luma: Vec<Tap>,
    chroma: Vec<Tap>,
}

impl Taps {
    /// From `source` samples to `fitted`. Colour goes by the pixel that carries it (both columns of a pair
    /// share one sample), as [`YuvView::yuv_at`] reads it.
    fn set(&mut self, source: usize, fitted: usize) {
        let step = source as f64 / fitted as f64;
        // `base + 1` must exist: at the far edge the last sample is the second of its pair.
        let inside = |base: usize, share: f32, samples: usize| {
            if base + 1 < samples { Tap { base, share } } else { Tap { base: samples - 2, share: 1.0 } }
        };
        self.luma.clear();
        self.luma.extend((0..fitted).map(|at| {
            let position = ((at as f64 + 0.5) * step - 0.5).max(0.0);
            inside(position as usize, position.fract() as f32, source)
        }));
        self.chroma.clear();
        self.chroma.extend(self.luma.iter().map(|tap| {
            let paired = tap.base % 2 == 0;
            inside(tap.base / 2, if paired { 0.0 } else { tap.share }, source.div_ceil(2))
        }));
    }
}

/// Two neighbouring source rows of `CHANNELS` planes, already narrowed to the output's columns. Kept from
/// one output row to the next, since an enlarged picture asks for the same rows again.
#[derive(Debug)]
struct RowPair<const CHANNELS: usize> {
    row: [Option<usize>; 2],
    values: [[Vec<f32>; CHANNELS]; 2],
}

impl<const CHANNELS: usize> RowPair<CHANNELS> {
    fn new() -> Self {
        Self { row: [None; 2], values: std::array::from_fn(|_| std::array::from_fn(|_| Vec::new())) }
    }

    fn reset(&mut self, columns: usize) {
        self.row = [None; 2];
        self.values.iter_mut().flatten().for_each(|values| values.resize(columns, 0.0));
    }

    /// Makes the pair that `tap` asks for. A second row of no share is left as it was: any finite value
    /// does there.
    fn load(&mut self, tap: Tap, mut narrow: impl FnMut(usize, &mut [Vec<f32>; CHANNELS])) {
        if self.row[1] == Some(tap.base) {
            self.row.swap(0, 1);
            self.values.swap(0, 1);
        }
        let [first, second] = &mut self.values;
        if self.row[0] != Some(tap.base) {
            self.row[0] = Some(tap.base);
            narrow(tap.base, first);
        }
        if tap.share != 0.0 && self.row[1] != Some(tap.base + 1) {
            self.row[1] = Some(tap.base + 1);
            narrow(tap.base + 1, second);
        }
    }
}

/// Writes pictures into a model's input. Holds the tables of the last size it saw and two rows of scratch.
#[derive(Debug)]
pub struct Letterbox {
    input: Input,
    /// Grey to value, in the order of the channels: `grey * gain + offset`.
    gains: [[f32; 2]; 3],
    source: [usize; 2],
    columns: Taps,
    rows: Taps,
    luma: RowPair<1>,
    chroma: RowPair<2>,
}

impl Letterbox {
    /// For such an input.
    pub fn new(input: &Input) -> Self {
        let gain =
            |channel: usize| [input.scale / input.std[channel], -input.mean[channel] / input.std[channel]];
        Self {
            input: input.clone(),
            gains: std::array::from_fn(gain),
            source: [0, 0],
            columns: Taps::default(),
            rows: Taps::default(),
            luma: RowPair::new(),
            chroma: RowPair::new(),
        }
    }

    /// Fills `tensor`, `[3, H, W]`, and says where the picture lies in it.
    ///
    /// # Errors
    /// [`PictureFault`]; the tensor is then as it was.
    ///
    /// # Panics
    /// When the tensor is not of `3 * H * W` numbers.
    pub fn write(&mut self, picture: &YuvView<'_>, tensor: &mut [f32]) -> Result<Fit, PictureFault> {
        assert_eq!(tensor.len(), 3 * self.input.width * self.input.height, "tensor of [3, H, W]");
        if picture.width < SIDE_MIN || picture.height < SIDE_MIN {
            return Err(PictureFault::TooSmall);
        }
        let picture = picture.checked().ok_or(PictureFault::ShortPlane)?;
        let fit = Fit::of(picture.width, picture.height, &self.input);
        if self.source != [picture.width, picture.height] {
            self.source = [picture.width, picture.height];
            self.columns.set(picture.width, fit.width);
            self.rows.set(picture.height, fit.height);
        }
        self.luma.reset(fit.width);
        self.chroma.reset(fit.width);
        self.pad(fit, tensor);
        self.draw(&picture, fit, tensor);
        Ok(fit)
    }

    /// Fills what the picture leaves free.
    fn pad(&self, fit: Fit, tensor: &mut [f32]) {
        let width = self.input.width;
        for (plane, [gain, offset]) in tensor.chunks_exact_mut(width * self.input.height).zip(self.gains) {
            let value = f32::from(self.input.pad) * gain + offset;
            let (above, rest) = plane.split_at_mut(fit.top * width);
            let (within, below) = rest.split_at_mut(fit.height * width);
            above.fill(value);
            below.fill(value);
            if fit.width < width {
                for row in within.chunks_exact_mut(width) {
                    row[..fit.left].fill(value);
                    row[fit.left + fit.width..].fill(value);
                }
            }
        }
    }

    fn draw(&mut self, picture: &YuvView<'_>, fit: Fit, tensor: &mut [f32]) {
        let Self { input, gains, columns, rows, luma, chroma, .. } = self;
        let rgb = RgbRow::new(&RgbCoefficients::of(picture.matrix, picture.range), input.colour, gains);
        let (luma_width, chroma_width) = (picture.width, picture.width.div_ceil(2));
        let (first, rest) = tensor.split_at_mut(input.width * input.height);
        let (second, third) = rest.split_at_mut(input.width * input.height);
        for (at, (luma_tap, chroma_tap)) in rows.luma.iter().zip(&rows.chroma).enumerate() {
            luma.load(*luma_tap, |row, [y]| {
                narrow(row_of(&picture.luma, row, luma_width), &columns.luma, y);
            });
            chroma.load(*chroma_tap, |row, [u, v]| match &picture.chroma {
                Chroma::I420 { u: u_plane, v: v_plane } => {
                    narrow(row_of(u_plane, row, chroma_width), &columns.chroma, u);
                    narrow(row_of(v_plane, row, chroma_width), &columns.chroma, v);
                }
                Chroma::Nv12 { uv } => {
                    narrow_interleaved(row_of(uv, row, 2 * chroma_width), &columns.chroma, u, v);
                }
            });
            let from = (fit.top + at) * input.width + fit.left;
            let span = from..from + fit.width;
            rgb.blend(
                (luma_tap.share, chroma_tap.share),
                luma,
                chroma,
                [&mut first[span.clone()], &mut second[span.clone()], &mut third[span]],
            );
        }
    }
}

fn row_of<'a>(plane: &Plane<'a>, row: usize, width: usize) -> &'a [u8] {
    &plane.data[row * plane.stride..][..width]
}

/// One source row at the output's columns.
fn narrow(row: &[u8], taps: &[Tap], out: &mut [f32]) {
    for (value, tap) in out.iter_mut().zip(taps) {
        let pair = &row[tap.base..tap.base + 2];
        let (near, far) = (f32::from(pair[0]), f32::from(pair[1]));
        *value = near + (far - near) * tap.share;
    }
}

/// One source row of Cb, Cr in turn at the output's columns.
fn narrow_interleaved(row: &[u8], taps: &[Tap], u: &mut [f32], v: &mut [f32]) {
    for ((u, v), tap) in u.iter_mut().zip(v).zip(taps) {
        let pairs = &row[2 * tap.base..2 * tap.base + 4];
        let [u_near, v_near, u_far, v_far] = [0, 1, 2, 3].map(|at| f32::from(pairs[at]));
        *u = u_near + (u_far - u_near) * tap.share;
        *v = v_near + (v_far - v_near) * tap.share;
    }
}

/// YUV to the model's values: per output channel the factors of Y, Cb, Cr and 1, then grey to value.
struct RgbRow {
    from_yuv: [[f32; 4]; 3],
    gains: [[f32; 2]; 3],
}

impl RgbRow {
    fn new(rgb: &RgbCoefficients, colour: Colour, gains: &[[f32; 2]; 3]) -> Self {
        let channel = |u: f32, v: f32| [rgb.y_gain, u, v, -rgb.y_gain * rgb.y_zero - 128.0 * (u + v)];
        let (r, g, b) = (channel(0.0, rgb.r_v), channel(rgb.g_u, rgb.g_v), channel(rgb.b_u, 0.0));
        let from_yuv = match colour {
            Colour::Bgr => [b, g, r],
            Colour::Rgb => [r, g, b],
        };
        Self { from_yuv, gains: *gains }
    }

    /// Blends the row pairs and converts. One flat loop over slices of one length, so that it vectorises.
    fn blend(
        &self,
        (luma_share, chroma_share): (f32, f32),
        luma: &RowPair<1>,
        chroma: &RowPair<2>,
        [first, second, third]: [&mut [f32]; 3],
    ) {
        let n = first.len();
        let [[y_near], [y_far]] = &luma.values;
        let [[u_near, v_near], [u_far, v_far]] = &chroma.values;
        let (y_near, y_far) = (&y_near[..n], &y_far[..n]);
        let (u_near, u_far, v_near, v_far) = (&u_near[..n], &u_far[..n], &v_near[..n], &v_far[..n]);
        let (second, third) = (&mut second[..n], &mut third[..n]);
        let [a, b, c] = self.from_yuv;
        let [gain_a, gain_b, gain_c] = self.gains;
        for at in 0..n {
            let y = y_near[at] + (y_far[at] - y_near[at]) * luma_share;
            let u = u_near[at] + (u_far[at] - u_near[at]) * chroma_share;
            let v = v_near[at] + (v_far[at] - v_near[at]) * chroma_share;
            let grey = |k: [f32; 4]| (k[0] * y + k[1] * u + k[2] * v + k[3]).clamp(0.0, 255.0);
            first[at] = grey(a) * gain_a[0] + gain_a[1];
            second[at] = grey(b) * gain_b[0] + gain_b[1];
            third[at] = grey(c) * gain_c[0] + gain_c[1];
        }
    }
}

#[cfg(test)]
#[path = "letterbox_tests.rs"]
mod tests;
