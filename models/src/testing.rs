//! Pictures that tests look at: owned YUV made from a colour a pixel. Tests only.

use std::path::{Path, PathBuf};

use calib::picture::{Chroma, Matrix, Plane, Range, RgbCoefficients, YuvView};

/// Bytes that no pixel may read: they fill the rows beyond the picture's width.
const POISON: u8 = 0xee;

/// A picture that owns its planes.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) matrix: Matrix,
    pub(crate) range: Range,
    /// Luma, then Cb and Cr (or the two interleaved), with their strides.
    planes: Vec<(Vec<u8>, usize)>,
}

impl Picture {
    /// From Y, Cb, Cr by position; colour is taken at the left upper pixel of each four. Rows are `slack`
    /// bytes longer than they need be.
    pub(crate) fn from_yuv(
        [width, height]: [usize; 2],
        (matrix, range): (Matrix, Range),
        interleaved: bool,
        slack: usize,
        yuv: impl Fn(usize, usize) -> [u8; 3],
    ) -> Self {
        let plane = |width: usize, height: usize, value: &dyn Fn(usize, usize) -> u8| {
            let stride = width + slack;
            let mut bytes = vec![POISON; stride * height];
            for y in 0..height {
                (0..width).for_each(|x| bytes[y * stride + x] = value(x, y));
            }
            (bytes, stride)
        };
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut planes = vec![plane(width, height, &|x, y| yuv(x, y)[0])];
        if interleaved {
            planes.push(plane(2 * chroma_width, chroma_height, &|x, y| yuv(x / 2 * 2, y * 2)[1 + x % 2]));
        } else {
            planes.push(plane(chroma_width, chroma_height, &|x, y| yuv(x * 2, y * 2)[1]));
            planes.push(plane(chroma_width, chroma_height, &|x, y| yuv(x * 2, y * 2)[2]));
        }
        Self { width, height, matrix, range, planes }
    }

    /// NV12, BT.709 limited, from RGB by position; a pixel's colour is that of the left upper of its four.
    pub(crate) fn from_rgb(size: [usize; 2], rgb: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let kind = (Matrix::Bt709, Range::Limited);
        Self::from_yuv(size, kind, true, 0, |x, y| yuv_from_rgb(rgb(x, y)))
    }

    /// As models read it.
    pub(crate) fn view(&self) -> YuvView<'_> {
        let plane = |at: usize| Plane { data: &self.planes[at].0, stride: self.planes[at].1 };
        let chroma = match self.planes.len() {
            2 => Chroma::Nv12 { uv: plane(1) },
            _ => Chroma::I420 { u: plane(1), v: plane(2) },
        };
        let Self { width, height, matrix, range, .. } = *self;
        YuvView { width, height, luma: plane(0), chroma, matrix, range }
    }
}

/// The inverse of [`RgbCoefficients::rgb`] for BT.709 limited.
fn yuv_from_rgb(rgb: [u8; 3]) -> [u8; 3] {
    let k = RgbCoefficients::of(Matrix::Bt709, Range::Limited);
    let [r, g, b] = rgb.map(f32::from);
    let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    [byte(luma / k.y_gain + k.y_zero), byte((b - luma) / k.b_u + 128.0), byte((r - luma) / k.r_v + 128.0)]
}

/// The folder of the default model.
pub(crate) fn city_nano() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("city-nano")
}

/// The folder of a small classifier out of `tests/second.py`.
pub(crate) fn small_classifier(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/second").join(name)
}

/// A copy of a small model's folder with its manifest changed.
pub(crate) fn changed(folder: &Path, change: impl Fn(String) -> String) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder to write to");
    for name in ["model.onnx", "LICENCE.txt"] {
        std::fs::copy(folder.join(name), copy.path().join(name)).expect("the model's files");
    }
    let text = std::fs::read_to_string(folder.join("manifest.toml")).expect("the model's manifest");
    std::fs::write(copy.path().join("manifest.toml"), change(text)).expect("a folder to write to");
    copy
}
