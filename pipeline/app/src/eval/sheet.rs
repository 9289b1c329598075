//! Contact sheets: small pictures with boxes, many on a PNG, to be looked at.
//!
//! In: what each tile is to show. Out: sheets. Truths are blue, finds are orange, the box that a tile is
//! about is thick and the others thin. Pictures are read again here: keeping a whole set decoded would take
//! gigabytes. Never: a masked picture; sheets are for whoever has the data set, not for a case.

use std::path::Path;

use font8x8::legacy::BASIC_LEGACY;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use models::measure::Bounds;
use rayon::prelude::*;

use super::picture;

/// Tiles across and down a sheet.
const ACROSS: usize = 3;
const DOWN: usize = 7;
/// Size of a tile's picture and of the caption under it, pixels.
const TILE: [u32; 2] = [400, 300];
const CAPTION: u32 = 46;
/// Space around tiles.
const GAP: u32 = 6;
/// A glyph of the font, and how much higher it is drawn: at twice its height it reads as terminals do.
const GLYPH: u32 = 8;
const HIGHER: u32 = 2;
/// The part of the picture that is shown: so many times the box, and at least this share of the picture.
const AROUND: f64 = 3.0;
const SHOWN_MIN: f64 = 0.3;

const TRUTH: Rgb<u8> = Rgb([86, 180, 233]);
const FOUND: Rgb<u8> = Rgb([240, 160, 20]);
const DARK: Rgb<u8> = Rgb([20, 20, 20]);
const GREY: Rgb<u8> = Rgb([110, 110, 110]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const FIELD: Rgb<u8> = Rgb([228, 228, 228]);

/// What one tile shows.
pub(super) struct Tile<'a> {
    /// The picture.
    pub(super) file: &'a Path,
    /// First line under it.
    pub(super) says: String,
    /// The box that it is about.
    pub(super) about: Bounds,
    /// Whether that is a truth, not a find.
    pub(super) is_truth: bool,
    /// Written at the box.
    pub(super) mark: String,
    /// Every truth and every find of the picture.
    pub(super) truths: Vec<Bounds>,
    /// See above.
    pub(super) found: Vec<Bounds>,
}

/// The sheets that these tiles fill.
///
/// # Errors
/// A picture that could be read before and cannot now.
pub(super) fn sheets(tiles: &[Tile<'_>]) -> Result<Vec<RgbImage>, String> {
    let drawn: Vec<RgbImage> = tiles.par_iter().map(draw).collect::<Result<_, _>>()?;
    let sheet = |tiles: &[RgbImage]| {
        let (across, down) = (tiles.len().min(ACROSS) as u32, tiles.len().div_ceil(ACROSS) as u32);
        let [width, height] = [TILE[0] + GAP, TILE[1] + CAPTION + GAP];
        let mut sheet = RgbImage::from_pixel(across * width + GAP, down * height + GAP, PAPER);
        for (at, tile) in tiles.iter().enumerate() {
            let (column, row) = ((at % ACROSS) as u32, (at / ACROSS) as u32);
            imageops::replace(
                &mut sheet,
                tile,
                i64::from(GAP + column * width),
                i64::from(GAP + row * height),
            );
        }
        sheet
    };
    Ok(drawn.chunks(ACROSS * DOWN).map(sheet).collect())
}

/// Where shares of the picture lie on the tile.
struct Map {
    from: [f64; 2],
    scale: [f64; 2],
    offset: [f64; 2],
}

impl Map {
    /// `[x0, y0, x1, y1]`, pixels of the tile.
    fn tile_from_share(&self, b: &Bounds) -> [i64; 4] {
        let to = |axis: usize, at: f64| {
            ((at - self.from[axis]) * self.scale[axis] + self.offset[axis]).round() as i64
        };
        [to(0, b.x), to(1, b.y), to(0, b.x + b.w), to(1, b.y + b.h)]
    }
}

fn draw(tile: &Tile<'_>) -> Result<RgbImage, String> {
    let picture = picture::read(tile.file).map_err(|says| format!("{}: {says}", tile.file.display()))?;
    let [x, y, w, h] = window(&tile.about, picture.width(), picture.height());
    let scale = (f64::from(TILE[0]) / f64::from(w)).min(f64::from(TILE[1]) / f64::from(h));
    let size = [w, h].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    let offset = [(TILE[0] - size[0].min(TILE[0])) / 2, (TILE[1] - size[1].min(TILE[1])) / 2];
    let part = imageops::crop_imm(&picture, x, y, w, h).to_image();
    let part = imageops::resize(&part, size[0], size[1], FilterType::Triangle);
    let mut canvas = RgbImage::from_pixel(TILE[0], TILE[1], FIELD);
    imageops::replace(&mut canvas, &part, offset[0].into(), offset[1].into());
    let whole = [f64::from(picture.width()), f64::from(picture.height())];
    let map = Map {
        from: [f64::from(x) / whole[0], f64::from(y) / whole[1]],
        scale: whole.map(|side| side * scale),
        offset: offset.map(f64::from),
    };
    for (boxes, colour) in [(&tile.truths, TRUTH), (&tile.found, FOUND)] {
        boxes.iter().for_each(|one| outline(&mut canvas, map.tile_from_share(one), 1, colour));
    }
    let (about, colour) = (map.tile_from_share(&tile.about), if tile.is_truth { TRUTH } else { FOUND });
    outline(&mut canvas, about, 3, colour);
    mark(&mut canvas, about, &tile.mark, colour);
    let mut whole = RgbImage::from_pixel(TILE[0], TILE[1] + CAPTION, PAPER);
    imageops::replace(&mut whole, &canvas, 0, 0);
    let name = tile.file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let line = i64::from(GLYPH * HIGHER) + 4;
    let top = i64::from(TILE[1]) + 6;
    write(&mut whole, 2, top, &fitted(&tile.says), DARK);
    write(&mut whole, 2, top + line, &fitted(&name), GREY);
    Ok(whole)
}

/// The part to show, pixels of the picture: `[x, y, w, h]` in the tile's proportions where the picture allows.
fn window(about: &Bounds, width: u32, height: u32) -> [u32; 4] {
    let whole = [f64::from(width), f64::from(height)];
    let aspect = f64::from(TILE[0]) / f64::from(TILE[1]);
    let wanted = [about.w * AROUND, about.h * AROUND];
    let wide = (wanted[0] * whole[0]).max(wanted[1] * whole[1] * aspect).max(SHOWN_MIN * whole[0]);
    let size = [wide.min(whole[0]), (wide / aspect).min(whole[1])];
    let middle = [(about.x + about.w / 2.0) * whole[0], (about.y + about.h / 2.0) * whole[1]];
    let from = [0, 1].map(|axis| (middle[axis] - size[axis] / 2.0).clamp(0.0, whole[axis] - size[axis]));
    let [x, y] = from.map(|at| at as u32);
    [x, y, (size[0].round() as u32).clamp(1, width - x), (size[1].round() as u32).clamp(1, height - y)]
}

fn put(canvas: &mut RgbImage, x: i64, y: i64, colour: Rgb<u8>) {
    if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
        && x < canvas.width()
        && y < canvas.height()
    {
        canvas.put_pixel(x, y, colour);
    }
}

/// A frame, with a dark line around a thick one so that it shows on any ground.
fn outline(canvas: &mut RgbImage, corners: [i64; 4], thick: i64, colour: Rgb<u8>) {
    let mut frame = |grow: i64, colour| {
        let [x0, y0, x1, y1] = corners;
        let [x0, y0, x1, y1] = [x0 - grow, y0 - grow, x1 + grow, y1 + grow];
        // What lies outside is not walked: a box may be a hundred times the tile.
        let (left, right) = (x0.max(0), x1.min(canvas.width().into()));
        let (top, bottom) = (y0.max(0), y1.min(canvas.height().into()));
        (left..=right).for_each(|x| [y0, y1].into_iter().for_each(|y| put(canvas, x, y, colour)));
        (top..=bottom).for_each(|y| [x0, x1].into_iter().for_each(|x| put(canvas, x, y, colour)));
    };
    if thick > 1 {
        [-1, thick].into_iter().for_each(|grow| frame(grow, DARK));
    }
    (0..thick).for_each(|grow| frame(grow, colour));
}

/// Words on a dark ground at the upper edge of a box, within the tile.
fn mark(canvas: &mut RgbImage, [x0, y0, _, _]: [i64; 4], words: &str, colour: Rgb<u8>) {
    let (width, height) = (i64::from(GLYPH) * words.len() as i64 + 4, i64::from(GLYPH * HIGHER) + 4);
    let x = x0.clamp(0, (i64::from(canvas.width()) - width).max(0));
    let y = (y0 - height - 4).clamp(0, i64::from(canvas.height()) - height);
    (y..y + height).for_each(|row| (x..x + width).for_each(|column| put(canvas, column, row, DARK)));
    write(canvas, x + 2, y + 2, words, colour);
}

/// As much of a text as a tile is wide; where it is too long its middle goes, for names differ at their ends.
fn fitted(text: &str) -> String {
    let most = (TILE[0] / GLYPH) as usize;
    let letters: Vec<char> =
        text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
    if letters.len() <= most {
        return letters.into_iter().collect();
    }
    let (head, tail) = ((most - 2) / 2, (most - 2) - (most - 2) / 2);
    letters[..head].iter().chain(&['.', '.']).chain(&letters[letters.len() - tail..]).collect()
}

fn write(canvas: &mut RgbImage, x: i64, y: i64, text: &str, colour: Rgb<u8>) {
    let (glyph, higher) = (i64::from(GLYPH), i64::from(HIGHER));
    for (at, letter) in text.bytes().enumerate() {
        let rows = BASIC_LEGACY.get(usize::from(letter)).copied().unwrap_or_default();
        for (down, bits) in rows.into_iter().enumerate() {
            for across in (0..glyph).filter(|across| bits >> across & 1 == 1) {
                let (column, top) = (x + at as i64 * glyph + across, y + down as i64 * higher);
                (top..top + higher).for_each(|row| put(canvas, column, row, colour));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_the_box_and_stays_in_the_picture() {
        let sizes = [(448, 448), (1920, 1080), (30, 900), (1, 1)];
        let boxes =
            [[0.0, 0.0, 1.0, 1.0], [0.98, 0.98, 0.02, 0.02], [0.5, 0.0, 0.01, 1.0], [0.0, 0.4, 0.1, 0.1]];
        for (width, height) in sizes {
            for about in boxes.map(Bounds::new) {
                let [x, y, w, h] = window(&about, width, height);
                assert!(w >= 1 && h >= 1 && x + w <= width && y + h <= height, "{width}x{height}: {about:?}");
                let middle = (about.x + about.w / 2.0) * f64::from(width);
                assert!(
                    middle >= f64::from(x) - 1.0 && middle <= f64::from(x + w) + 1.0,
                    "{x} {w} {about:?}"
                );
            }
        }
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(fitted("short.jpg"), "short.jpg");
        let long = fitted(&format!("a-very-long-name-{}-0012.jpg", "of-a-picture".repeat(4)));
        assert!(long.starts_with("a-very") && long.ends_with("0012.jpg") && long.len() == 50, "{long}");
    }
}
