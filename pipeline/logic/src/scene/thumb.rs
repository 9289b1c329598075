//! The small picture that the scene is judged by.
//!
//! In: a decoded picture's luma plane. Out: a [`Thumb`], 320 pixels wide, black at 0 and white at 255. Never:
//! colour, and nothing that a face could be told by.

use calib::picture::{Range, YuvView};
use multiversion::multiversion;

/// Pixels across a thumb, whatever the picture's own width.
pub const THUMB_WIDTH: usize = 320;
/// Most pixels down a thumb: a picture taller than twice its width is squeezed.
pub const THUMB_HEIGHT_MAX: usize = 640;

/// A luma picture of [`THUMB_WIDTH`] pixels across. `[height, THUMB_WIDTH] u8, 0..=255`, full range.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumb {
    height: usize,
    aspect: f32,
    luma: Vec<u8>,
}

impl Thumb {
    /// Rows of a thumb of a picture of this size.
    pub fn height_of(width: usize, height: usize) -> usize {
        ((height * THUMB_WIDTH + width / 2) / width.max(1)).clamp(4, THUMB_HEIGHT_MAX)
    }

    /// The picture's luma, each pixel of the thumb the mean of the area that it stands for; all black where the
    /// picture has no pixels.
    pub fn from_view(view: &YuvView<'_>) -> Self {
        let height = Self::height_of(view.width, view.height);
        let mut thumb = Self {
            height,
            aspect: view.width.max(1) as f32 / view.height.max(1) as f32,
            luma: vec![0; THUMB_WIDTH * height],
        };
        if view.width == 0 || view.height == 0 {
            return thumb;
        }
        let (tone, mut inner) = (full_range(view.range), vec![0_u16; view.width]);
        if let Some(blocks) = Blocks::of(view, height) {
            for (row, out) in thumb.luma.chunks_exact_mut(THUMB_WIDTH).enumerate() {
                let from = row * blocks.down * view.luma.stride;
                blocks.means(&view.luma.data[from..], view.luma.stride, &mut inner, &tone, out);
            }
            return thumb;
        }
        let mut sums = vec![0_u32; view.width];
        for (row, out) in thumb.luma.chunks_exact_mut(THUMB_WIDTH).enumerate() {
            sum_rows(view, row, height, &mut inner, &mut sums);
            mean_columns(&sums, view.height as u64, &tone, out);
        }
        thumb
    }

    /// A thumb of bytes that are one already; `None` where they are no rows of [`THUMB_WIDTH`].
    pub fn from_luma(luma: Vec<u8>) -> Option<Self> {
        let height = luma.len() / THUMB_WIDTH;
        let is_whole = luma.len() == height * THUMB_WIDTH && (4..=THUMB_HEIGHT_MAX).contains(&height);
        is_whole.then(|| Self { height, aspect: THUMB_WIDTH as f32 / height as f32, luma })
    }

    /// Pixels down.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The picture's width over its height.
    pub fn aspect(&self) -> f32 {
        self.aspect
    }

    /// The bytes, first row first.
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }
}

/// The values of a picture's luma byte on a scale from black 0 to white 255.
fn full_range(range: Range) -> [u8; 256] {
    std::array::from_fn(|value| match range {
        Range::Full => value as u8,
        Range::Limited => ((value as f32 - 16.0) * (255.0 / 219.0) + 0.5).clamp(0.0, 255.0) as u8,
    })
}

/// A picture whose sides are whole multiples of the thumb's, as those of most cameras are: nothing overlaps, and the
/// same means cost a fifth.
struct Blocks {
    across: usize,
    down: usize,
    /// 2^32 over the pixels of a block, and one: it never falls short.
    reciprocal: u64,
}

impl Blocks {
    /// Up to so many pixels a block, the reciprocal divides every sum exactly: `255.5 * PIXELS_MAX^2 < 2^32`. No sum
    /// of a block's column leaves 16 bits.
    const PIXELS_MAX: usize = 4096;
    const ROWS_MAX: usize = 257;

    fn of(view: &YuvView<'_>, height: usize) -> Option<Self> {
        let is_whole = view.width.is_multiple_of(THUMB_WIDTH)
            && view.height.is_multiple_of(height)
            && view.luma.stride >= view.width;
        if is_whole { Self::new(view.width / THUMB_WIDTH, view.height / height) } else { None }
    }

    fn new(across: usize, down: usize) -> Option<Self> {
        let pixels = across * down;
        let fits = pixels <= Self::PIXELS_MAX && down <= Self::ROWS_MAX;
        fits.then(|| Self { across, down, reciprocal: (1 << 32) / pixels as u64 + 1 })
    }

    /// The rounded mean of a block by the sum of its pixels.
    #[inline(always)]
    fn mean(&self, sum: u32) -> u64 {
        ((u64::from(sum) + (self.across * self.down / 2) as u64) * self.reciprocal) >> 32
    }

    /// One row of the thumb from the rows of luma that it stands for. `columns` is room for a row of the picture.
    fn means(&self, luma: &[u8], stride: usize, columns: &mut [u16], tone: &[u8; 256], out: &mut [u8]) {
        sum_columns(luma, stride, self.down, columns);
        let mean = |block: &[u16]| {
            let sum: u32 = block.iter().map(|&column| u32::from(column)).sum();
            tone[self.mean(sum).min(255) as usize]
        };
        // Cameras' usual widths, 640 to 3840: a sum of known length needs no loop.
        match self.across {
            2 => each_block::<2>(columns, out, mean),
            4 => each_block::<4>(columns, out, mean),
            6 => each_block::<6>(columns, out, mean),
            8 => each_block::<8>(columns, out, mean),
            12 => each_block::<12>(columns, out, mean),
            across => {
                for (block, value) in columns.chunks_exact(across).zip(out) {
                    *value = mean(block);
                }
            }
        }
    }
}

#[inline(always)]
fn each_block<const ACROSS: usize>(columns: &[u16], out: &mut [u8], mean: impl Fn(&[u16]) -> u8) {
    for (block, value) in columns.as_chunks::<ACROSS>().0.iter().zip(out) {
        *value = mean(block);
    }
}

/// Adds up rows of luma, column by column. Row after row, since memory is read fastest in its own order.
#[multiversion(targets("x86_64+avx2"))]
fn sum_columns(luma: &[u8], stride: usize, rows: usize, columns: &mut [u16]) {
    let width = columns.len();
    columns.fill(0);
    for row in luma.chunks(stride).take(rows) {
        for (sum, &value) in columns.iter_mut().zip(&row[..width]) {
            *sum += u16::from(value);
        }
    }
}

/// How source pixels overlap one target pixel, both sides cut into `from * to` equal parts so that every
/// overlap is a whole number: the first source pixel, and the last one, each with its parts.
fn overlap(target: usize, from: usize, to: usize) -> (usize, usize, u32, u32) {
    let (start, end) = (target * from, (target + 1) * from);
    let (first, last) = (start / to, (end - 1) / to);
    if first == last {
        return (first, last, from as u32, 0);
    }
    (first, last, ((first + 1) * to - start) as u32, (end - last * to) as u32)
}

/// Sums the source rows under one target row, each weighed by its overlap. `inner` is room for those that lie in it whole.
#[multiversion(targets("x86_64+avx2"))]
fn sum_rows(view: &YuvView<'_>, row: usize, height: usize, inner: &mut [u16], sums: &mut [u32]) {
    /// So many bytes add up in 16 bits, which is twice as fast.
    const ROWS: usize = 257;
    let line = |y: usize| &view.luma.data[y * view.luma.stride..][..view.width];
    let (first, last, first_parts, last_parts) = overlap(row, view.height, height);
    sums.fill(0);
    for from in (first + 1..last).step_by(ROWS) {
        inner.fill(0);
        for y in from..last.min(from + ROWS) {
            for (sum, &value) in inner.iter_mut().zip(line(y)) {
                *sum += u16::from(value);
            }
        }
        for (sum, &value) in sums.iter_mut().zip(inner.iter()) {
            *sum += u32::from(value);
        }
    }
    let whole_parts = height as u32;
    let (top, bottom) = (line(first), line(last));
    for ((sum, &a), &b) in sums.iter_mut().zip(top).zip(bottom) {
        *sum = *sum * whole_parts + u32::from(a) * first_parts + u32::from(b) * last_parts;
    }
}

fn mean_columns(sums: &[u32], row_parts: u64, tone: &[u8; 256], out: &mut [u8]) {
    let whole = row_parts * sums.len() as u64;
    for (column, value) in out.iter_mut().enumerate() {
        let (first, last, first_parts, last_parts) = overlap(column, sums.len(), THUMB_WIDTH);
        let inner: u64 = sums[(first + 1).min(last)..last].iter().map(|&sum| u64::from(sum)).sum::<u64>()
            * THUMB_WIDTH as u64;
        let total = inner
            + u64::from(sums[first]) * u64::from(first_parts)
            + u64::from(sums[last]) * u64::from(last_parts);
        let rounded = total + whole / 2;
        // Division of 32 bits is several times as fast, and holds 16 million pixels.
        let mean = match (u32::try_from(rounded), u32::try_from(whole)) {
            (Ok(rounded), Ok(whole)) => u64::from(rounded / whole),
            _ => rounded / whole,
        };
        *value = tone[mean.min(255) as usize];
    }
}

#[cfg(test)]
mod tests {
    use calib::picture::{Chroma, Matrix, Plane};
    use proptest::prelude::*;

    use super::*;

    fn thumb_of(width: usize, height: usize, pad: usize, luma: impl Fn(usize, usize) -> u8) -> Thumb {
        let stride = width + pad;
        let mut data = vec![255; stride * height];
        for (y, row) in data.chunks_exact_mut(stride).enumerate() {
            for (x, value) in row[..width].iter_mut().enumerate() {
                *value = luma(x, y);
            }
        }
        let plane = Plane { data: &data, stride };
        let chroma = Chroma::Nv12 { uv: plane };
        let (matrix, range) = (Matrix::Bt709, Range::Full);
        Thumb::from_view(&YuvView { width, height, luma: plane, chroma, matrix, range })
    }

    #[test]
    fn each_pixel_is_the_mean_of_its_area() {
        let thumb = thumb_of(1920, 1080, 7, |x, y| ((x / 6 + y / 6) % 200) as u8);
        assert_eq!((thumb.height(), thumb.luma().len()), (180, 320 * 180));
        for (at, &value) in thumb.luma().iter().enumerate() {
            assert_eq!(value, ((at % 320 + at / 320) % 200) as u8);
        }
    }

    #[test]
    fn whole_blocks_have_the_means_that_parts_have() {
        for (width, height, pad) in [
            (1920, 1080, 64),
            (3840, 2160, 0),
            (960, 540, 2),
            (1280, 720, 0),
            (640, 360, 3),
            (320, 180, 0),
            (2560, 1920, 1),
        ] {
            let stride = width + pad;
            let mut state = 7_u32;
            let mut bytes = vec![0_u8; stride * height];
            for (at, byte) in bytes.iter_mut().enumerate() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Noise, and at the end bright: sums of all sizes.
                *byte = if at > stride * height / 2 { 255 } else { (state >> 24) as u8 };
            }
            let plane = Plane { data: &bytes, stride };
            for range in [Range::Full, Range::Limited] {
                let (chroma, matrix) = (Chroma::Nv12 { uv: plane }, Matrix::Bt709);
                let view = YuvView { width, height, luma: plane, chroma, matrix, range };
                let whole = Thumb::from_view(&view);
                assert!(Blocks::of(&view, whole.height()).is_some(), "{width}x{height}");
                let (mut sums, mut inner) = (vec![0; width], vec![0; width]);
                let mut parts = vec![0; whole.luma().len()];
                for (row, out) in parts.chunks_exact_mut(THUMB_WIDTH).enumerate() {
                    sum_rows(&view, row, whole.height(), &mut inner, &mut sums);
                    mean_columns(&sums, height as u64, &full_range(range), out);
                }
                assert!(whole.luma() == parts, "{width}x{height} {range:?}");
            }
        }
    }

    #[test]
    fn every_block_divides_as_division_does() {
        for pixels in 1..=Blocks::PIXELS_MAX {
            let blocks = Blocks::new(pixels, 1).unwrap();
            let plain = |sum: u32| (u64::from(sum) + pixels as u64 / 2) / pixels as u64;
            for mean in 1..=255 {
                // Where the rounded mean changes.
                let edge = (mean * pixels as u32).saturating_sub(pixels as u32 / 2);
                for sum in [edge.saturating_sub(1), edge, edge + 1] {
                    assert_eq!(blocks.mean(sum), plain(sum), "{sum} of {pixels}");
                }
            }
            assert_eq!(blocks.mean(255 * pixels as u32), 255);
        }
        assert!(Blocks::new(65, 64).is_none() && Blocks::new(1, 258).is_none());
    }

    #[test]
    fn a_picture_without_pixels_is_black() {
        for (width, height) in [(0, 0), (0, 9), (9, 0)] {
            let thumb = thumb_of(width, height, 1, |_, _| 255);
            assert!(thumb.luma().iter().all(|&value| value == 0) && thumb.aspect() > 0.0);
        }
    }

    #[test]
    fn hundreds_of_white_rows_under_one_are_white() {
        let thumb = thumb_of(4, 200_000, 0, |_, _| 255);
        assert_eq!(thumb.height(), THUMB_HEIGHT_MAX);
        assert!(thumb.luma().iter().all(|&value| value == 255));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_size_keeps_its_mean_and_leaves_the_padding_out(
            width in 2..900usize, height in 2..700usize, pad in 0..9usize, seed in 0..97usize,
        ) {
            prop_assume!(height <= 2 * width);
            let luma = |x: usize, y: usize| ((x * 7 + y * 13 + seed * 31) % 97) as u8;
            let thumb = thumb_of(width, height, pad, luma);
            let mean = |sum: f64, count: usize| sum / count as f64;
            let there = mean((0..width * height).map(|at| f64::from(luma(at % width, at / width))).sum(), width * height);
            let here = mean(thumb.luma().iter().map(|&v| f64::from(v)).sum(), thumb.luma().len());
            prop_assert!((here - there).abs() < 0.6, "{here} {there}");
            prop_assert!(thumb.luma().iter().all(|&value| value < 97));
        }
    }
}
