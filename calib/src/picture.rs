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
