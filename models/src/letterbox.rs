//! A picture in YUV to the model's input, in one pass and without a picture in RGB in between.
//!
//! In comes a [`YuvView`] (I420 or NV12, either matrix and range, any stride, odd sizes too), out goes
//! `[3, H, W]` or `[H, W, 3]` of u8, f16 or f32 in the manifest's channel order, `(grey * scale - mean) / std`,
//! the picture scaled as the manifest places it and the rest filled with the pad; where the manifest has the input
//! trimmed, H and W are no larger than the picture needs. Nothing is allocated once a
//! size has been seen.
//!
//! The values are those of OpenCV's `INTER_LINEAR` on the RGB picture (half-pixel centres, two taps an axis
//! however much it shrinks, as models are trained), left unrounded where the input is of floats. Each tap is
//! converted to RGB, rounded and clamped by itself, since rounding and clamping do not commute with blending:
//! converting once an output pixel puts hard edges of colour up to 25 grey levels off. It cost some 0.6 ms
//! more from 1080p to 416 before these loops knew AVX2. What stays is OpenCV's own second rounding and its
//! weights of 11 bits: under one grey level (`tests/reference.py`).
//! An antialiased reduction would look better and is not what the weights know.

use calib::picture::{Chroma, Matrix, Plane, Range, RgbCoefficients, YuvView};
use calib::space::ImageBox;
use half::f16;
use multiversion::multiversion;

use crate::manifest::{Colour, Input, Layout, Placement};

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
    /// Width and height of the tensor.
    pub tensor: [usize; 2],
}

impl Fit {
    /// Where a picture of `width * height` goes in such an input. Sides are cut down to whole pixels, as
    /// YOLOX does, so the two axes are scaled by slightly different factors.
    pub fn of(width: usize, height: usize, input: &Input) -> Self {
        let (fitted_width, fitted_height) = if input.placement == Placement::Stretch {
            (input.width, input.height)
        } else if width * input.height >= height * input.width {
            (input.width, (height * input.width / width).max(1))
        } else {
            ((width * input.height / height).max(1), input.height)
        };
        let tensor = match input.trim {
            None => [input.width, input.height],
            Some(step) => [fitted_width, fitted_height].map(|side| side.next_multiple_of(step)),
        };
        let (left, top) = match input.placement {
            Placement::Corner | Placement::Stretch => (0, 0),
            Placement::Centred => ((tensor[0] - fitted_width) / 2, (tensor[1] - fitted_height) / 2),
        };
        Self { left, top, width: fitted_width, height: fitted_height, tensor }
    }

    /// A box `[x0, y0, x1, y1]` in pixels of the tensor as a share of the picture, cut off at its edges.
    pub fn image_from_tensor(&self, [x0, y0, x1, y1]: [f32; 4]) -> ImageBox {
        let x = |x: f32| ((x - self.left as f32) / self.width as f32).clamp(0.0, 1.0);
        let y = |y: f32| ((y - self.top as f32) / self.height as f32).clamp(0.0, 1.0);
        ImageBox { x0: x(x0), y0: y(y0), x1: x(x1), y1: y(y1) }
    }
}

/// A number of a model's input.
pub trait Value: Copy + Send + Sync + sealed::Sealed {
    /// From the value in floats: bytes are rounded to the nearest and cut off at 0 and 255.
    fn of(value: f32) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for u8 {}
}

impl Value for f32 {
    fn of(value: f32) -> Self {
        value
    }
}
impl Value for f16 {
    fn of(value: f32) -> Self {
        f16::from_f32(value)
    }
}
impl Value for u8 {
    fn of(value: f32) -> Self {
        (value + 0.5) as u8
    }
}

/// One output column: the first of the two source columns that it blends.
#[derive(Debug, Clone, Copy)]
struct Column(u32);

impl Column {
    /// The first of the two pixels.
    fn luma(self) -> usize {
        self.0 as usize
    }

    /// The colour samples that the two pixels carry, one for both where they are a pair: colour goes by the pixel that
    /// carries it, as [`YuvView::yuv_at`] reads it.
    fn chroma(self) -> [usize; 2] {
        [self.luma() / 2, self.luma().div_ceil(2)]
    }
}

/// One output row: it blends the source rows `base` and `base + 1` by the share of the second.
#[derive(Debug, Clone, Copy)]
struct Tap {
    base: usize,
    share: f32,
}

/// The taps of one axis, from `source` samples to `fitted`.
fn taps(source: usize, fitted: usize) -> impl Iterator<Item = Tap> {
    let step = source as f64 / fitted as f64;
    (0..fitted).map(move |at| {
        let position = ((at as f64 + 0.5) * step - 0.5).max(0.0);
        let base = position as usize;
        // `base + 1` must exist: at the far edge the last sample is the second of its pair.
        if base + 1 < source {
            Tap { base, share: position.fract() as f32 }
        } else {
            Tap { base: source - 2, share: 1.0 }
        }
    })
}

/// Two neighbouring source rows in grey levels of RGB, in the model's order of channels, already narrowed to
/// the output's columns. Kept from one output row to the next, since an enlarged picture asks for the same
/// rows again.
#[derive(Debug, Default)]
struct RowPair {
    row: [Option<usize>; 2],
    greys: [[Vec<f32>; 3]; 2],
}

impl RowPair {
    fn reset(&mut self, columns: usize) {
        self.row = [None; 2];
        self.greys.iter_mut().flatten().for_each(|greys| greys.resize(columns, 0.0));
    }

    /// Makes the pair that `tap` asks for. A second row of no share is left as it was: any finite value
    /// does there.
    fn load(&mut self, tap: Tap, mut narrow: impl FnMut(usize, &mut [Vec<f32>; 3])) {
        if self.row[1] == Some(tap.base) {
            self.row.swap(0, 1);
            self.greys.swap(0, 1);
        }
        let [first, second] = &mut self.greys;
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

/// The bytes of one source row at the output's columns: of each column the near tap's in the lower half, the
/// far one's in the upper.
#[derive(Debug, Default)]
struct Gathered {
    y: Vec<u16>,
    u: Vec<u16>,
    v: Vec<u16>,
    /// The row of colour samples that is held: every other row of pixels has the one of the row before.
    chroma_row: Option<usize>,
}

impl Gathered {
    fn resize(&mut self, columns: usize) {
        for bytes in [&mut self.y, &mut self.u, &mut self.v] {
            bytes.resize(columns, 0);
        }
    }

    /// Begins a picture.
    fn forget(&mut self) {
        self.chroma_row = None;
    }

    fn read(&mut self, picture: &YuvView<'_>, row: usize, columns: &[Column]) {
        let luma = row_of(&picture.luma, row, picture.width);
        for (out, column) in self.y.iter_mut().zip(columns) {
            let pair = &luma[column.luma()..column.luma() + 2];
            *out = u16::from_le_bytes([pair[0], pair[1]]);
        }
        if self.chroma_row.replace(row / 2) == Some(row / 2) {
            return;
        }
        let chroma_width = picture.width.div_ceil(2);
        let outs = self.u.iter_mut().zip(&mut self.v).zip(columns);
        match &picture.chroma {
            Chroma::I420 { u, v } => {
                let (u, v) = (row_of(u, row / 2, chroma_width), row_of(v, row / 2, chroma_width));
                for ((u_out, v_out), column) in outs {
                    let [near, far] = column.chroma();
                    *u_out = u16::from_le_bytes([u[near], u[far]]);
                    *v_out = u16::from_le_bytes([v[near], v[far]]);
                }
            }
            Chroma::Nv12 { uv } => {
                let uv = row_of(uv, row / 2, 2 * chroma_width);
                for ((u_out, v_out), column) in outs {
                    let [near, far] = column.chroma().map(|at| &uv[2 * at..2 * at + 2]);
                    *u_out = u16::from_le_bytes([near[0], far[0]]);
                    *v_out = u16::from_le_bytes([near[1], far[1]]);
                }
            }
        }
    }
}

fn row_of<'a>(plane: &Plane<'a>, row: usize, width: usize) -> &'a [u8] {
    &plane.data[row * plane.stride..][..width]
}

/// Writes pictures into a model's input. Holds the tables of the last size it saw and two rows of scratch.
#[derive(Debug)]
pub struct Letterbox {
    input: Input,
    /// Grey to value, in the order of the channels: `grey * gain + offset`.
    gains: [[f32; 2]; 3],
    source: [usize; 2],
    columns: Vec<Column>,
    column_shares: Vec<f32>,
    rows: Vec<Tap>,
    gathered: Gathered,
    pair: RowPair,
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
            columns: Vec::new(),
            column_shares: Vec::new(),
            rows: Vec::new(),
            gathered: Gathered::default(),
            pair: RowPair::default(),
        }
    }

    /// Fills `tensor`, `[3, H, W]` or `[H, W, 3]` as the input's layout has it and as large as [`Fit::of`] makes it for
    /// this picture, and says where the picture lies in it.
    ///
    /// # Errors
    /// [`PictureFault`]; the tensor is then as it was.
    ///
    /// # Panics
    /// When the tensor is not of `3 * H * W` numbers.
    pub fn write<V: Value>(&mut self, picture: &YuvView<'_>, tensor: &mut [V]) -> Result<Fit, PictureFault> {
        let picture = readable(picture)?;
        let fit = Fit::of(picture.width, picture.height, &self.input);
        assert_eq!(tensor.len(), 3 * fit.tensor[0] * fit.tensor[1], "a tensor of 3 * H * W");
        if self.source != [picture.width, picture.height] {
            self.measure(picture.width, picture.height, fit);
        }
        self.pair.reset(fit.width);
        self.pad(fit, tensor);
        self.draw(&picture, fit, tensor);
        Ok(fit)
    }

    /// Makes the tables for pictures of this size.
    fn measure(&mut self, width: usize, height: usize, fit: Fit) {
        self.source = [width, height];
        self.columns.clear();
        self.column_shares.clear();
        for Tap { base, share } in taps(width, fit.width) {
            self.columns.push(Column(base as u32));
            self.column_shares.push(share);
        }
        self.rows.clear();
        self.rows.extend(taps(height, fit.height));
        self.gathered.resize(fit.width);
    }

    /// Fills what the picture leaves free.
    fn pad<V: Value>(&self, fit: Fit, tensor: &mut [V]) {
        let [width, height] = fit.tensor;
        let values = self.gains.map(|[gain, offset]| V::of(f32::from(self.input.pad) * gain + offset));
        match self.input.layout {
            Layout::Nchw => {
                for (plane, value) in tensor.chunks_exact_mut(width * height).zip(values) {
                    around(fit, width, plane, value);
                }
            }
            Layout::Nhwc => around(fit, width, tensor.as_chunks_mut::<3>().0, values),
        }
    }

    fn draw<V: Value>(&mut self, picture: &YuvView<'_>, fit: Fit, tensor: &mut [V]) {
        let Self { input, gains, columns, column_shares, rows, gathered, pair, .. } = self;
        let rgb = ToRgb::new(picture, input.colour);
        let [across, down] = fit.tensor;
        let plane = across * down;
        gathered.forget();
        for (at, tap) in rows.iter().enumerate() {
            pair.load(*tap, |row, greys| {
                gathered.read(picture, row, columns);
                rgb.narrow(gathered, column_shares, greys);
            });
            let from = (fit.top + at) * across + fit.left;
            let [near, far] = &pair.greys;
            match input.layout {
                Layout::Nchw => {
                    for (channel, gain) in gains.iter().enumerate() {
                        let out = &mut tensor[channel * plane + from..][..fit.width];
                        blend(&near[channel], &far[channel], tap.share, *gain, out);
                    }
                }
                Layout::Nhwc => {
                    let out = &mut tensor[3 * from..][..3 * fit.width];
                    blend_pixels(near, far, tap.share, gains, out.as_chunks_mut::<3>().0);
                }
            }
        }
    }
}

/// The picture, known to have what its size claims.
pub(crate) fn readable<'p>(picture: &YuvView<'p>) -> Result<YuvView<'p>, PictureFault> {
    if picture.width < SIDE_MIN || picture.height < SIDE_MIN {
        return Err(PictureFault::TooSmall);
    }
    picture.checked().ok_or(PictureFault::ShortPlane)
}

/// Fills a plane of rows of `width` around the picture.
fn around<T: Copy>(fit: Fit, width: usize, plane: &mut [T], value: T) {
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

/// One channel of one output row from the two rows it lies between.
#[multiversion(targets("x86_64+avx2"))]
fn blend<V: Value>(near: &[f32], far: &[f32], share: f32, [gain, offset]: [f32; 2], out: &mut [V]) {
    for ((out, near), far) in out.iter_mut().zip(near).zip(far) {
        *out = V::of((near + (far - near) * share) * gain + offset);
    }
}

/// The same for pixels whose channels lie side by side.
#[multiversion(targets("x86_64+avx2"))]
fn blend_pixels<V: Value>(
    near: &[Vec<f32>; 3],
    far: &[Vec<f32>; 3],
    share: f32,
    gains: &[[f32; 2]; 3],
    out: &mut [[V; 3]],
) {
    let n = out.len();
    let [near, far] = [near, far].map(|rows| [&rows[0][..n], &rows[1][..n], &rows[2][..n]]);
    for (at, pixel) in out.iter_mut().enumerate() {
        for channel in 0..3 {
            let (near, far) = (near[channel][at], far[channel][at]);
            let [gain, offset] = gains[channel];
            pixel[channel] = V::of((near + (far - near) * share) * gain + offset);
        }
    }
}

/// Factors of Y, of Cr for red, of Cb and of Cr for green, of Cb for blue, times 2^20. Each is a whole number of
/// f32, so that the sums come out as OpenCV's do.
const OPENCV_BT601: [f32; 5] = [1_220_542.0, 1_673_527.0, -409_993.0, -852_492.0, 2_116_026.0];

/// YUV to RGB in bytes, held as floats.
struct ToRgb {
    coefficients: RgbCoefficients,
    colour: Colour,
}

impl ToRgb {
    fn new(picture: &YuvView<'_>, colour: Colour) -> Self {
        let exact = RgbCoefficients::of(picture.matrix, picture.range);
        let coefficients = match (picture.matrix, picture.range) {
            // OpenCV's own, 20 bits behind the point (`color_yuv.simd.hpp`, `ITUR_BT_601_*`). They are the
            // standard's cut to three decimals: one pixel in twenty comes to the byte beside, which blending
            // and rounding again would make two.
            (Matrix::Bt601, Range::Limited) => {
                let [y_gain, r_v, g_u, g_v, b_u] = OPENCV_BT601.map(|factor| factor / (1 << 20) as f32);
                RgbCoefficients { y_gain, r_v, g_u, g_v, b_u, ..exact }
            }
            _ => exact,
        };
        Self { coefficients, colour }
    }

    /// Converts both taps of each column and blends them.
    fn narrow(&self, gathered: &Gathered, shares: &[f32], [first, green, third]: &mut [Vec<f32>; 3]) {
        let (red, blue) = match self.colour {
            Colour::Bgr => (third, first),
            Colour::Rgb => (first, third),
        };
        convert(&self.coefficients, gathered, shares, [red, green, blue]);
    }
}

/// One flat loop over slices of one length, so that it vectorises.
#[multiversion(targets("x86_64+avx2"))]
fn convert(
    coefficients: &RgbCoefficients,
    gathered: &Gathered,
    shares: &[f32],
    [red, green, blue]: [&mut [f32]; 3],
) {
    let n = shares.len();
    let (y, u, v) = (&gathered.y[..n], &gathered.u[..n], &gathered.v[..n]);
    let (red, green, blue) = (&mut red[..n], &mut green[..n], &mut blue[..n]);
    let RgbCoefficients { y_zero, y_gain, r_v, g_u, g_v, b_u } = *coefficients;
    for at in 0..n {
        let (y, u, v, share) = (y[at], u[at], v[at], shares[at]);
        let rgb = |y: u16, u: u16, v: u16| {
            // What is blacker than black is black, as OpenCV has it.
            let y = (f32::from(y) - y_zero).max(0.0) * y_gain;
            let (u, v) = (f32::from(u) - 128.0, f32::from(v) - 128.0);
            [byte(y + r_v * v), byte(y + g_u * u + g_v * v), byte(y + b_u * u)]
        };
        let near = rgb(y & 0xff, u & 0xff, v & 0xff);
        let far = rgb(y >> 8, u >> 8, v >> 8);
        red[at] = near[0] + (far[0] - near[0]) * share;
        green[at] = near[1] + (far[1] - near[1]) * share;
        blue[at] = near[2] + (far[2] - near[2]) * share;
    }
}

/// Rounded to a whole grey level and clamped. Adding what leaves no bits for a fraction rounds in one
/// addition a number, where a cast to bytes does not vectorise.
#[inline(always)]
fn byte(grey: f32) -> f32 {
    const WHOLE: f32 = 1.5 * (1u32 << 23) as f32;
    (grey.clamp(0.0, 255.0) + WHOLE) - WHOLE
}

#[cfg(test)]
#[path = "letterbox_tests.rs"]
mod tests;
