//! Lines, frames and words on a picture, for the person who checks a calibration or a rule.
//!
//! In: a picture, lines in its pixels, colours. Out: the same picture with them on it. Never: what the lines
//! mean.

use calib::space::PixelPoint;
use font8x8::legacy::BASIC_LEGACY;
use image::{Rgb, RgbImage};

/// Side of a glyph before scaling, pixels.
const GLYPH_PX: i64 = 8;
/// One step of line width and letter size for every so many pixels of width.
const WIDTH_PX_A_SCALE: u32 = 1280;

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    /// Its colour.
    pub(crate) colour: [u8; 3],
    /// Its width, pixels of a picture up to 1280 wide.
    pub(crate) width: f64,
    /// How much of what lies below it hides, 0 to 1.
    pub(crate) cover: f64,
}

/// A picture being drawn on.
pub(crate) struct Canvas {
    picture: RgbImage,
    scale: u32,
}

impl Canvas {
    pub(crate) fn new(picture: RgbImage) -> Self {
        let scale = picture.width().div_ceil(WIDTH_PX_A_SCALE).max(1);
        Self { picture, scale }
    }

    /// The same with lines and letters so many times as large as on a small picture.
    pub(crate) fn at_scale(picture: RgbImage, scale: u32) -> Self {
        Self { picture, scale: scale.max(1) }
    }

    pub(crate) fn into_picture(self) -> RgbImage {
        self.picture
    }

    /// Pixels across and down.
    pub(crate) fn size(&self) -> [f64; 2] {
        [self.picture.width(), self.picture.height()].map(f64::from)
    }

    /// Pixels that words take, across and down.
    pub(crate) fn size_of(&self, words: &str) -> [f64; 2] {
        let glyph = f64::from(self.scale) * GLYPH_PX as f64;
        [glyph * words.chars().count() as f64, glyph].map(|side| side + 2.0 * f64::from(self.scale))
    }

    /// A frame of straight lines, `thick` pixels of a small picture wide and inside its corners, with a dark line
    /// around it so that it shows on any ground.
    pub(crate) fn frame(&mut self, [from, to]: [PixelPoint; 2], thick: i64, colour: [u8; 3]) {
        let thick = thick * i64::from(self.scale);
        let [x0, y0, x1, y1] = [from.x, from.y, to.x, to.y].map(|v| v.round() as i64);
        for ring in -1..=thick {
            let is_edge = ring == -1 || ring == thick;
            let (colour, share) = if is_edge { ([0, 0, 0], 0.5) } else { (colour, 1.0) };
            let [x0, y0, x1, y1] = [x0 + ring, y0 + ring, x1 - ring, y1 - ring];
            if x0 > x1 || y0 > y1 {
                break;
            }
            let (right, below) = (i64::from(self.picture.width()), i64::from(self.picture.height()));
            for x in x0.max(0)..=x1.min(right) {
                [y0, y1].into_iter().for_each(|y| self.blend_at(x, y, colour, share));
            }
            for y in (y0 + 1).max(0)..=(y1 - 1).min(below) {
                [x0, x1].into_iter().for_each(|x| self.blend_at(x, y, colour, share));
            }
        }
    }

    /// A line through all the points. Each pixel is touched once, so that joints are not darker than the rest.
    pub(crate) fn line(&mut self, points: &[PixelPoint], pen: Pen) {
        let half = pen.width * f64::from(self.scale) / 2.0;
        let (width, height) = (f64::from(self.picture.width()), f64::from(self.picture.height()));
        let mut shares = std::collections::BTreeMap::<(u32, u32), f64>::new();
        for ends in points.windows(2) {
            let [a, b] = [ends[0], ends[1]];
            if ![a.x, a.y, b.x, b.y].iter().all(|v| v.is_finite()) {
                continue;
            }
            let reach = half + 1.0;
            let rows = ((a.y.min(b.y) - reach).max(0.0), (a.y.max(b.y) + reach).min(height));
            for y in rows.0 as u32..rows.1.max(0.0) as u32 {
                let near = columns_near(f64::from(y) + 0.5, reach, a, b);
                let columns = (near.0.max(0.0), near.1.min(width));
                for x in columns.0 as u32..columns.1.max(0.0) as u32 {
                    let middle = PixelPoint::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
                    let share = (half + 0.5 - distance(middle, a, b)).clamp(0.0, 1.0);
                    if share > 0.0 {
                        let known = shares.entry((x, y)).or_default();
                        *known = known.max(share);
                    }
                }
            }
        }
        for ((x, y), share) in shares {
            self.blend(x, y, pen.colour, share * pen.cover);
        }
    }

    /// A cross of two strokes around a pixel.
    pub(crate) fn cross(&mut self, at: PixelPoint, reach: f64, pen: Pen) {
        let reach = reach * f64::from(self.scale);
        let end = |dx: f64, dy: f64| PixelPoint::new(at.x + dx * reach, at.y + dy * reach);
        self.line(&[end(-1.0, 0.0), end(1.0, 0.0)], pen);
        self.line(&[end(0.0, -1.0), end(0.0, 1.0)], pen);
    }

    /// Words on a dark ground, their upper left corner here. ASCII: the font knows no more.
    pub(crate) fn words(&mut self, at: PixelPoint, words: &str, colour: [u8; 3]) {
        let scale = i64::from(self.scale);
        let (left, top) = (at.x.round() as i64, at.y.round() as i64);
        let length = words.chars().count() as i64;
        for y in top - scale..top + (GLYPH_PX + 1) * scale {
            for x in left - scale..left + length * GLYPH_PX * scale + scale {
                self.blend_at(x, y, [0, 0, 0], 0.55);
            }
        }
        for (number, letter) in words.chars().enumerate() {
            let glyph = BASIC_LEGACY.get(letter as usize).or(BASIC_LEGACY.get('?' as usize));
            let start = left + number as i64 * GLYPH_PX * scale;
            for (row, bits) in glyph.into_iter().flatten().enumerate() {
                for column in (0..GLYPH_PX).filter(|column| bits & (1 << column) != 0) {
                    for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                        self.blend_at(
                            start + column * scale + dx,
                            top + row as i64 * scale + dy,
                            colour,
                            1.0,
                        );
                    }
                }
            }
        }
    }

    fn blend_at(&mut self, x: i64, y: i64, colour: [u8; 3], share: f64) {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) {
            self.blend(x, y, colour, share);
        }
    }

    fn blend(&mut self, x: u32, y: u32, colour: [u8; 3], share: f64) {
        if let Some(Rgb(pixel)) = self.picture.get_pixel_mut_checked(x, y) {
            for (below, above) in pixel.iter_mut().zip(colour) {
                *below = (f64::from(*below) * (1.0 - share) + f64::from(above) * share).round() as u8;
            }
        }
    }
}

/// The columns of a row within `reach` of the stretch between two points, and a few more.
fn columns_near(row: f64, reach: f64, a: PixelPoint, b: PixelPoint) -> (f64, f64) {
    let rise = b.y - a.y;
    let (low, high) = if rise.abs() < 1.0 {
        (a.x.min(b.x), a.x.max(b.x))
    } else {
        let column = |row: f64| a.x + ((row - a.y) / rise).clamp(0.0, 1.0) * (b.x - a.x);
        let (above, below) = (column(row - reach - 1.0), column(row + reach + 1.0));
        (above.min(below), above.max(below))
    };
    (low - reach, high + reach)
}

/// From a point to the stretch between two others.
fn distance(p: PixelPoint, a: PixelPoint, b: PixelPoint) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length2 = dx * dx + dy * dy;
    let share = if length2 > 0.0 { ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 } else { 0.0 };
    let share = share.clamp(0.0, 1.0);
    (p.x - a.x - share * dx).hypot(p.y - a.y - share * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_stays_within_its_corners_and_the_picture() {
        let mut canvas = Canvas::at_scale(RgbImage::new(20, 10), 1);
        canvas.frame([PixelPoint::new(2.0, 2.0), PixelPoint::new(30.0, 7.0)], 1, [200, 0, 0]);
        let picture = canvas.into_picture();
        assert!((3..20).all(|x| picture.get_pixel(x, 2).0 == [200, 0, 0]));
        assert!((3..20).all(|x| picture.get_pixel(x, 4).0 == [0; 3]));
    }

    const PEN: Pen = Pen { colour: [255, 255, 255], width: 1.0, cover: 1.0 };

    #[test]
    fn a_line_touches_what_it_crosses_and_nothing_else() {
        let mut canvas = Canvas::new(RgbImage::new(20, 10));
        canvas.line(&[PixelPoint::new(-5.0, 5.5), PixelPoint::new(100.0, 5.5)], PEN);
        let picture = canvas.into_picture();
        assert!((0..20).all(|x| picture.get_pixel(x, 5).0 == [255; 3]));
        assert!((0..20).all(|x| picture.get_pixel(x, 3).0 == [0; 3] && picture.get_pixel(x, 8).0 == [0; 3]));
    }

    #[test]
    fn words_and_crosses_at_the_edge_do_not_leave_it() {
        let mut canvas = Canvas::new(RgbImage::new(20, 10));
        canvas.words(PixelPoint::new(-3.0, 7.0), "Ü12", [255; 3]);
        canvas.cross(PixelPoint::new(19.5, 0.0), 6.0, PEN);
        canvas.line(&[PixelPoint::new(f64::NAN, 0.0), PixelPoint::new(1.0, 1.0)], PEN);
        assert!(canvas.into_picture().pixels().any(|p| p.0 == [255; 3]));
    }
}
