//! Lines and words on a picture, for the person who checks a calibration.
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
pub(super) struct Pen {
    /// Its colour.
    pub(super) colour: [u8; 3],
    /// Its width, pixels of a picture up to 1280 wide.
    pub(super) width: f64,
    /// How much of what lies below it hides, 0 to 1.
    pub(super) cover: f64,
}

/// A picture being drawn on.
pub(super) struct Canvas {
    picture: RgbImage,
}

impl Canvas {
    pub(super) fn new(picture: RgbImage) -> Self {
        Self { picture }
    }

    pub(super) fn into_picture(self) -> RgbImage {
        self.picture
    }

    fn scale(&self) -> u32 {
        self.picture.width().div_ceil(WIDTH_PX_A_SCALE).max(1)
    }

    /// A line through all the points. Each pixel is touched once, so that joints are not darker than the rest.
    pub(super) fn line(&mut self, points: &[PixelPoint], pen: Pen) {
        let half = pen.width * f64::from(self.scale()) / 2.0;
        let (width, height) = (f64::from(self.picture.width()), f64::from(self.picture.height()));
        let mut shares = std::collections::BTreeMap::<(u32, u32), f64>::new();
        for ends in points.windows(2) {
            let [a, b] = [ends[0], ends[1]];
            if ![a.x, a.y, b.x, b.y].iter().all(|v| v.is_finite()) {
                continue;
            }
            let reach = half + 1.0;
            let columns = ((a.x.min(b.x) - reach).max(0.0), (a.x.max(b.x) + reach).min(width));
            let rows = ((a.y.min(b.y) - reach).max(0.0), (a.y.max(b.y) + reach).min(height));
            for y in rows.0 as u32..rows.1.max(0.0) as u32 {
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
    pub(super) fn cross(&mut self, at: PixelPoint, reach: f64, pen: Pen) {
        let reach = reach * f64::from(self.scale());
        let end = |dx: f64, dy: f64| PixelPoint::new(at.x + dx * reach, at.y + dy * reach);
        self.line(&[end(-1.0, 0.0), end(1.0, 0.0)], pen);
        self.line(&[end(0.0, -1.0), end(0.0, 1.0)], pen);
    }

    /// Words on a dark ground, their upper left corner here. ASCII: the font knows no more.
    pub(super) fn words(&mut self, at: PixelPoint, words: &str, colour: [u8; 3]) {
        let scale = i64::from(self.scale());
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
