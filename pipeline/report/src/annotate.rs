//! Words and lines on a masked copy, for the person who reads the case.
//!
//! In: a [`Masked`] picture, the zone's outline, the box and the caption. Out: another masked picture,
//! higher by its caption strip, so that the words hide nothing. Never: the original; burn-ins are on
//! copies only.

use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use font8x8::legacy::BASIC_LEGACY;

use crate::mask::Masked;

/// Side of a glyph before scaling, pixels.
const GLYPH_PX: usize = 8;
/// One step of line width and letter size for every so many pixels of width: 1 up to 640, 3 at 1920.
const WIDTH_PX_A_SCALE: usize = 640;
/// Rows between two lines of words, in parts of a glyph before scaling.
const LEADING_PX: usize = 3;
/// Most lines of words in the strip; what does not fit is cut off.
const CAPTION_LINES_MAX: usize = 6;

const ZONE_COLOUR: [u8; 3] = [255, 214, 10];
const BOX_COLOUR: [u8; 3] = [255, 59, 48];
const STRIP_COLOUR: [u8; 3] = [16, 16, 16];
const WORD_COLOUR: [u8; 3] = [240, 240, 240];

/// What the strip says.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// The matter's code.
    pub code: String,
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// When the frame was taken.
    pub at: Timestamp,
    /// What the street's clock is ahead of UTC, minutes.
    pub utc_offset_minutes: i32,
    /// Mean score, 0..=1.
    pub score: f32,
    /// The unit grid cell, where it is known.
    pub cell: Option<String>,
}

impl Caption {
    /// The words, one item a field. ASCII: the font knows no more; the JSON of the case has the names.
    fn fields(&self) -> Vec<String> {
        let cell = self.cell.as_deref().unwrap_or("-");
        vec![
            self.code.clone(),
            format!("camera {}", self.camera),
            format!("zone {}", self.zone),
            local_time(self.at, self.utc_offset_minutes),
            format!("score {:.2}", self.score),
            format!("cell {cell}"),
        ]
    }
}

/// `2026-07-01 16:30:05 +08:00`
fn local_time(at: Timestamp, offset_minutes: i32) -> String {
    let local = at.plus_millis(i64::from(offset_minutes) * 60_000).to_string();
    let (sign, offset) = if offset_minutes < 0 { ('-', -offset_minutes) } else { ('+', offset_minutes) };
    match (local.get(0..10), local.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} {sign}{:02}:{:02}", offset / 60, offset % 60),
        _ => local,
    }
}

/// Draws zone, box and caption on a copy of the copy.
pub fn annotate(
    masked: &Masked,
    zone_in_image: &[ImagePoint],
    bounds: &ImageBox,
    caption: &Caption,
) -> Masked {
    let (width, height) = (masked.picture().width(), masked.picture().height());
    let scale = width.div_ceil(WIDTH_PX_A_SCALE).max(1);
    let letters_a_line = (width / (GLYPH_PX * scale)).max(1);
    let lines = wrapped(&caption.fields(), letters_a_line);
    let line_px = (GLYPH_PX + LEADING_PX) * scale;
    let mut out = masked.extended_below(lines.len() * line_px + LEADING_PX * scale, STRIP_COLOUR);

    let mut pen = Pen { masked: &mut out, width, height, thickness: 2 * scale };
    let corners: Vec<_> = zone_in_image.iter().map(|p| pen.pixel_of(p.x, p.y)).collect();
    for (i, from) in corners.iter().enumerate() {
        pen.line(*from, corners[(i + 1) % corners.len()], ZONE_COLOUR);
    }
    let (low, high) = (
        pen.pixel_of(f64::from(bounds.x0), f64::from(bounds.y0)),
        pen.pixel_of(f64::from(bounds.x1), f64::from(bounds.y1)),
    );
    let around = [low, (high.0, low.1), high, (low.0, high.1)];
    for (i, from) in around.iter().enumerate() {
        pen.line(*from, around[(i + 1) % 4], BOX_COLOUR);
    }
    for (i, line) in lines.iter().enumerate() {
        words(&mut out, line, (0, height + LEADING_PX * scale + i * line_px), scale);
    }
    out
}

/// Fields on as few lines as hold them; a field longer than a line is cut into pieces.
fn wrapped(fields: &[String], letters_a_line: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for field in fields {
        let ascii: String =
            field.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        match lines.last_mut() {
            Some(line) if line.len() + 2 + ascii.len() <= letters_a_line => {
                line.push_str("  ");
                line.push_str(&ascii);
            }
            _ => lines.extend(
                ascii.as_bytes().chunks(letters_a_line).map(|c| String::from_utf8_lossy(c).into_owned()),
            ),
        }
    }
    lines.truncate(CAPTION_LINES_MAX);
    lines
}

/// One line of words, its top-left corner at `at`.
fn words(out: &mut Masked, line: &str, at: (usize, usize), scale: usize) {
    for (i, letter) in line.bytes().enumerate() {
        let Some(glyph) = BASIC_LEGACY.get(usize::from(letter)) else { continue };
        for (row, bits) in glyph.iter().enumerate() {
            for column in (0..GLYPH_PX).filter(|column| bits & (1 << column) != 0) {
                let (x, y) = (at.0 + (i * GLYPH_PX + column) * scale, at.1 + row * scale);
                for dy in 0..scale {
                    for dx in 0..scale {
                        out.paint(x + dx, y + dy, WORD_COLOUR);
                    }
                }
            }
        }
    }
}

/// Draws lines, and only above the strip.
struct Pen<'a> {
    masked: &'a mut Masked,
    width: usize,
    height: usize,
    thickness: usize,
}

impl Pen<'_> {
    /// The nearest pixel inside the picture.
    fn pixel_of(&self, x: f64, y: f64) -> (i64, i64) {
        let inside = |share: f64, size: usize| {
            let last = size.saturating_sub(1) as f64;
            // A point that is no number becomes 0 by the cast.
            (share * size as f64).clamp(0.0, last) as i64
        };
        (inside(x, self.width), inside(y, self.height))
    }

    /// A straight line of square dots (one axis in single steps).
    fn line(&mut self, from: (i64, i64), to: (i64, i64), colour: [u8; 3]) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            self.dot(x, y, colour);
        }
    }

    fn dot(&mut self, x: i64, y: i64, colour: [u8; 3]) {
        let half = (self.thickness / 2) as i64;
        for dy in 0..self.thickness as i64 {
            for dx in 0..self.thickness as i64 {
                let (x, y) = (usize::try_from(x + dx - half), usize::try_from(y + dy - half));
                if let (Ok(x), Ok(y)) = (x, y)
                    && y < self.height
                {
                    self.masked.paint(x, y, colour);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::mask;
    use crate::picture::Picture;
    use crate::picture::tests::Frame;

    fn caption() -> Caption {
        Caption {
            code: "09006".into(),
            camera: "demo-1".into(),
            zone: "人行道 east".into(),
            at: "2026-07-01T23:30:05Z".parse().unwrap(),
            utc_offset_minutes: 480,
            score: 0.834,
            cell: Some("371329001005012".into()),
        }
    }

    #[test]
    fn the_words_are_local_and_ascii_and_wrap() {
        assert_eq!(caption().fields()[3], "2026-07-02 07:30:05 +08:00");
        let lines = wrapped(&caption().fields(), 40);
        assert!(lines.iter().all(|l| l.len() <= 40 && l.is_ascii()), "{lines:?}");
        assert_eq!(lines[0], "09006  camera demo-1  zone ??? east");
        assert_eq!(wrapped(&["abcdefgh".into()], 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn draws_on_the_copy_only_what_it_should() {
        let masked = mask(&Picture::from_yuv(&Frame::new(320, 180, 0).view()).unwrap(), &[]).unwrap();
        let zone = [ImagePoint::new(0.1, 0.9), ImagePoint::new(0.9, 0.9), ImagePoint::new(0.5, 0.95)];
        let out = annotate(&masked, &zone, &ImageBox::from([0.25, 0.25, 0.5, 0.5]), &caption());
        let (before, after) = (masked.picture(), out.picture());
        assert!(after.height() > 180 && after.width() == 320);
        assert_eq!(after.pixel(80, 60), BOX_COLOUR);
        assert_eq!(after.pixel(160, 162), ZONE_COLOUR);
        assert_eq!(after.pixel(120, 70), before.pixel(120, 70), "inside the box nothing is drawn");
        let strip = (180..after.height()).flat_map(|y| (0..320).map(move |x| (x, y)));
        let bright = strip.filter(|(x, y)| after.pixel(*x, *y) == WORD_COLOUR).count();
        assert!(bright > 400, "{bright} pixels of words");
        assert_eq!(masked.picture().height(), 180, "the copy handed in is as it was");
    }

    #[test]
    fn any_outline_is_drawn_without_a_panic() {
        let masked = mask(&Picture::from_yuv(&Frame::new(9, 7, 0).view()).unwrap(), &[]).unwrap();
        let wild = [ImagePoint::new(f64::NAN, -4.0), ImagePoint::new(9.0, f64::INFINITY)];
        annotate(&masked, &wild, &ImageBox::from([0.9, 0.9, 0.1, 0.1]), &caption());
        annotate(&masked, &[], &ImageBox::from([-1.0, f32::NAN, 2.0, 0.1]), &caption());
    }
}
