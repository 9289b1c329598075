//! A decoded picture as borrowed YUV planes: what ingest hands on and what models and evidence read.
//!
//! 4:2:0 only, 8 bits, as decoders of H.264 and H.265 leave it. Nothing here copies or converts a whole
//! picture; [`YuvView::rgb_at`] gives one pixel.

/// One plane of bytes, `stride >= width` bytes a row, at least `stride * (rows - 1) + width` bytes long.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The bytes, first row first.
    pub data: &'a [u8],
    /// Bytes from the start of one row to the start of the next.
    pub stride: usize,
}

/// The colour planes, each half the width and height of the luma plane (rounded up).
#[derive(Debug, Clone, Copy)]
pub enum Chroma<'a> {
    /// Two planes, U (Cb) and V (Cr).
    I420 {
        /// Cb.
        u: Plane<'a>,
        /// Cr.
        v: Plane<'a>,
    },
    /// One plane of interleaved Cb, Cr.
    Nv12 {
        /// Cb and Cr in turn.
        uv: Plane<'a>,
    },
}

/// The coefficients that lead from YUV to RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601, used below HD.
    Bt601,
    /// ITU-R BT.709, used from HD up.
    Bt709,
}

/// Which byte values stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Luma 16..=235, chroma 16..=240.
    Limited,
    /// 0..=255.
    Full,
}

/// A picture of `width * height` pixels in 4:2:0.
#[derive(Debug, Clone, Copy)]
pub struct YuvView<'a> {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Brightness, one byte a pixel.
    pub luma: Plane<'a>,
    /// Colour.
    pub chroma: Chroma<'a>,
    /// Which coefficients.
    pub matrix: Matrix,
    /// Which range.
    pub range: Range,
}

/// Fixed coefficients of one matrix and range: `R = y_gain (Y - y_zero) + r_v (V - 128)` and so on
/// (ITU-R BT.601-7 and BT.709-6, section on digital representation).
#[derive(Debug, Clone, Copy)]
pub struct RgbCoefficients {
    /// Luma value of black.
    pub y_zero: f32,
    /// Gain of luma.
    pub y_gain: f32,
    /// Red from Cr.
    pub r_v: f32,
    /// Green from Cb (negative).
    pub g_u: f32,
    /// Green from Cr (negative).
    pub g_v: f32,
    /// Blue from Cb.
    pub b_u: f32,
}

impl RgbCoefficients {
    /// The coefficients for a matrix and range.
    pub fn of(matrix: Matrix, range: Range) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299_f32, 0.114_f32),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (y_zero, y_gain, c_gain) = match range {
            Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0.0, 1.0, 1.0),
        };
        Self {
            y_zero,
            y_gain,
            r_v: 2.0 * (1.0 - kr) * c_gain,
            g_u: -2.0 * (1.0 - kb) * kb / kg * c_gain,
            g_v: -2.0 * (1.0 - kr) * kr / kg * c_gain,
            b_u: 2.0 * (1.0 - kb) * c_gain,
        }
    }

    /// One pixel, each channel rounded and clamped to 0..=255.
    pub fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let y = (f32::from(y) - self.y_zero) * self.y_gain;
        let (u, v) = (f32::from(u) - 128.0, f32::from(v) - 128.0);
        let byte = |value: f32| (value + 0.5).clamp(0.0, 255.0) as u8;
        [byte(y + self.r_v * v), byte(y + self.g_u * u + self.g_v * v), byte(y + self.b_u * u)]
    }
}

impl<'a> YuvView<'a> {
    /// The view, or `None` where a plane is too short for the size it claims.
    pub fn checked(self) -> Option<Self> {
        let fits = |plane: &Plane<'_>, width: usize, rows: usize| {
            rows > 0
                && width > 0
                && plane.stride >= width
                && plane.data.len() >= plane.stride * (rows - 1) + width
        };
        let (cw, ch) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let colour_fits = match &self.chroma {
            Chroma::I420 { u, v } => fits(u, cw, ch) && fits(v, cw, ch),
            Chroma::Nv12 { uv } => fits(uv, cw * 2, ch),
        };
        (fits(&self.luma, self.width, self.height) && colour_fits).then_some(self)
    }

    /// The part of `width * height` pixels whose top left pixel is in column `x`, row `y`: a view of the same
    /// bytes. `None` where it leaves the picture or is empty, where a plane is shorter than the picture claims,
    /// and where `x` or `y` is odd: a colour sample belongs to two columns and two rows.
    pub fn window(&self, [x, y]: [usize; 2], [width, height]: [usize; 2]) -> Option<Self> {
        let whole = self.checked()?;
        let inside = |from: usize, side: usize, limit: usize| {
            side > 0 && from.is_multiple_of(2) && from.checked_add(side).is_some_and(|end| end <= limit)
        };
        if !inside(x, width, whole.width) || !inside(y, height, whole.height) {
            return None;
        }
        let cut = |plane: Plane<'a>, column: usize, row: usize| Plane {
            data: &plane.data[row * plane.stride + column..],
            stride: plane.stride,
        };
        let chroma = match whole.chroma {
            Chroma::I420 { u, v } => Chroma::I420 { u: cut(u, x / 2, y / 2), v: cut(v, x / 2, y / 2) },
            Chroma::Nv12 { uv } => Chroma::Nv12 { uv: cut(uv, x, y / 2) },
        };
        Some(Self { width, height, luma: cut(whole.luma, x, y), chroma, ..whole })
    }

    /// Y, Cb, Cr of the pixel in column `x`, row `y` (nearest chroma sample).
    ///
    /// # Panics
    /// When the pixel lies outside the picture.
    pub fn yuv_at(&self, x: usize, y: usize) -> [u8; 3] {
        let luma = self.luma.data[y * self.luma.stride + x];
        let (cx, cy) = (x / 2, y / 2);
        match &self.chroma {
            Chroma::I420 { u, v } => [luma, u.data[cy * u.stride + cx], v.data[cy * v.stride + cx]],
            Chroma::Nv12 { uv } => {
                let at = cy * uv.stride + 2 * cx;
                [luma, uv.data[at], uv.data[at + 1]]
            }
        }
    }

    /// The pixel as RGB.
    ///
    /// # Panics
    /// When the pixel lies outside the picture.
    pub fn rgb_at(&self, coefficients: &RgbCoefficients, x: usize, y: usize) -> [u8; 3] {
        let [y, u, v] = self.yuv_at(x, y);
        coefficients.rgb(y, u, v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_grey_and_primaries_come_back() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let limited = RgbCoefficients::of(matrix, Range::Limited);
            assert_eq!(limited.rgb(16, 128, 128), [0, 0, 0]);
            assert_eq!(limited.rgb(235, 128, 128), [255, 255, 255]);
            assert_eq!(RgbCoefficients::of(matrix, Range::Full).rgb(77, 128, 128), [77, 77, 77]);
        }
        // BT.601 limited red is (81, 90, 240) and BT.709 red is (63, 102, 240), by the standards' formulas.
        assert_eq!(RgbCoefficients::of(Matrix::Bt601, Range::Limited).rgb(81, 90, 240), [254, 0, 0]);
        let [r, g, b] = RgbCoefficients::of(Matrix::Bt709, Range::Limited).rgb(63, 102, 240);
        assert!(r >= 254 && g <= 1 && b <= 1, "{r} {g} {b}");
    }

    /// Bytes that tell their place, in both layouts of colour.
    fn both_layouts(width: usize, height: usize, check: impl Fn(YuvView<'_>)) {
        let plane = |stride: usize, rows: usize, step: usize| -> Vec<u8> {
            (0..stride * rows).map(|at| (at * step % 251) as u8).collect()
        };
        let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
        let (y, u, v) = (plane(width + 3, height, 7), plane(cw + 2, ch, 11), plane(cw + 2, ch, 13));
        let uv = plane(2 * cw + 4, ch, 17);
        let luma = Plane { data: &y, stride: width + 3 };
        let coloured = Plane { data: &u, stride: cw + 2 };
        let i420 = Chroma::I420 { u: coloured, v: Plane { data: &v, ..coloured } };
        let nv12 = Chroma::Nv12 { uv: Plane { data: &uv, stride: 2 * cw + 4 } };
        for chroma in [i420, nv12] {
            check(YuvView { width, height, luma, chroma, matrix: Matrix::Bt709, range: Range::Limited });
        }
    }

    #[test]
    fn a_window_shows_the_pixels_of_its_place() {
        for [width, height] in [[16, 12], [17, 13]] {
            both_layouts(width, height, |whole| {
                let places = [[0, 0, width, height], [4, 2, 6, 5], [width / 2 * 2, 6, width % 2, height - 6]];
                for [x, y, w, h] in places.into_iter().filter(|place| place[2] > 0) {
                    let window = whole.window([x, y], [w, h]).unwrap().checked().unwrap();
                    assert_eq!((window.width, window.height), (w, h));
                    for (column, row) in (0..w).flat_map(|column| (0..h).map(move |row| (column, row))) {
                        assert_eq!(window.yuv_at(column, row), whole.yuv_at(x + column, y + row));
                    }
                }
            });
        }
    }

    #[test]
    fn a_window_that_leaves_the_picture_or_splits_a_colour_sample_is_none() {
        both_layouts(16, 12, |whole| {
            let wrong = [
                [1, 0, 4, 4],
                [0, 3, 4, 4],
                [14, 0, 4, 4],
                [0, 10, 4, 4],
                [0, 0, 0, 4],
                [16, 0, 1, 1],
                [2, 0, usize::MAX, 4],
            ];
            for [x, y, w, h] in wrong {
                assert!(whole.window([x, y], [w, h]).is_none(), "{x} {y} {w} {h}");
            }
            let short = YuvView { height: 40, ..whole };
            assert!(short.window([0, 0], [4, 4]).is_none(), "planes shorter than they claim");
        });
    }

    #[test]
    fn short_planes_are_refused() {
        let data = vec![0; 6];
        let plane = |stride| Plane { data: &data, stride };
        let view = YuvView {
            width: 4,
            height: 2,
            luma: plane(4),
            chroma: Chroma::Nv12 { uv: plane(4) },
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        assert!(view.checked().is_none());
    }
}
