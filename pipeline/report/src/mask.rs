//! The gate to the outside: only a [`Masked`] picture can become a file that leaves the vault.
//!
//! In: a picture and what models saw in that same frame. Out: a copy in which every face and plate that a model
//! saw, the head region of every person and the plate region of every vehicle is pixelated beyond recovery. Never: the
//! original, and never a copy of a picture of which it is unknown what it shows.
//!
//! # What this is, and what it is not
//! Without a model for faces and plates (`[model] masking`) what is masked is the *region where a face or a
//! plate would be* in every person and vehicle that the detector saw, whatever its score. So:
//! - give it every detection of the frame, the faint ones too, not only those that a rule took;
//! - a person or vehicle that the model missed is not masked;
//! - a face behind a windscreen is masked only where the model saw the person;
//! - someone bent double or lying down may have the head outside the upper part of the box.
//!
//! With such a model the regions stay and its boxes come on top: it adds masks and lifts none.
//!
//! Pixelation takes the mean of blocks of at least [`BLOCK_PX_MIN`] pixels and at least a quarter of the
//! region's longer side, so at most 4 x 4 colours are left of any region. A blur was the alternative: it
//! can be undone in part (deconvolution), the mean of a block cannot. A filled rectangle hides as much,
//! but also whether someone stood there, which the officer needs to see.

use calib::class::Class;
use calib::space::ImageBox;
use logic::look::Detection;

use crate::hash::Sha256Hex;
use crate::picture::{Jpeg, Picture, PictureError, PixelRect};

/// Smallest side of a block, pixels.
pub const BLOCK_PX_MIN: usize = 8;
/// A block's side is at least this part of the region's longer side.
const BLOCKS_A_SIDE_MAX: usize = 4;
/// Share of a person's box, from the top, that holds the head.
const HEAD_SHARE: f32 = 0.30;
/// Margin around the head region, a share of the person's box on each side and above.
const HEAD_MARGIN: f32 = 0.10;
/// Share of a vehicle's box, from the bottom, that holds the plate.
const PLATE_SHARE: f32 = 0.50;
/// Margin around the plate region, a share of the vehicle's box on each side and below.
const PLATE_MARGIN: f32 = 0.03;

/// Margin around a face or plate that a model found, a share of its box on each side: hair, and a loose box.
const FOUND_MARGIN: f32 = 0.15;

/// A picture that has been through [`mask`]. There is no other way to make one, and nothing here gives
/// the pixels back for writing except in one colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    picture: Picture,
    regions: usize,
}

/// The encoded form of a [`Masked`] picture: what the vault takes as a copy and the poster sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedJpeg {
    jpeg: Jpeg,
    regions: usize,
}

/// Masks a copy of the picture.
///
/// # Errors
/// The box of something that is masked is not a number: it is unknown what to mask, so there is no copy.
pub fn mask(picture: &Picture, detections: &[Detection]) -> Result<Masked, PictureError> {
    let mut copy = picture.clone();
    let mut regions = 0;
    for detection in detections {
        let Some(region) = region_of(detection) else { continue };
        if <[f32; 4]>::from(detection.bounds).iter().any(|side| !side.is_finite()) {
            return Err(PictureError::UnknownRegion);
        }
        let rect = copy.rect_of(&region);
        pixelate(&mut copy, rect);
        regions += 1;
    }
    Ok(Masked { picture: copy, regions })
}

/// Whether evidence hides a part of every box of the class.
pub fn masks(class: Class) -> bool {
    region_of(&Detection { class, score: 1.0, bounds: [0.0, 0.0, 1.0, 1.0].into() }).is_some()
}

/// Where a detection may show a face or a plate.
fn region_of(detection: &Detection) -> Option<ImageBox> {
    let b = &detection.bounds;
    let (width, height) = (b.width(), b.height());
    match detection.class {
        Class::Person => Some(ImageBox {
            x0: b.x0 - width * HEAD_MARGIN,
            y0: b.y0 - height * HEAD_MARGIN,
            x1: b.x1 + width * HEAD_MARGIN,
            y1: b.y0 + height * HEAD_SHARE,
        }),
        Class::Car | Class::Bus | Class::Truck | Class::Motorcycle | Class::CargoTricycle => Some(ImageBox {
            x0: b.x0 - width * PLATE_MARGIN,
            y0: b.y1 - height * PLATE_SHARE,
            x1: b.x1 + width * PLATE_MARGIN,
            y1: b.y1 + height * PLATE_MARGIN,
        }),
        Class::Face | Class::Plate => Some(b.grown(FOUND_MARGIN)),
        // A bicycle carries no plate. Everything else is a thing.
        _ => None,
    }
}

/// Replaces every block of the rectangle by its mean colour. Blocks are spread evenly, so that no thin
/// block is left over at an edge.
fn pixelate(picture: &mut Picture, rect: PixelRect) {
    let (width, height) = (rect.x1 - rect.x0, rect.y1 - rect.y0);
    let block = BLOCK_PX_MIN.max(width.max(height).div_ceil(BLOCKS_A_SIDE_MAX));
    let (columns, rows) = ((width / block).max(1), (height / block).max(1));
    for row in 0..rows {
        for column in 0..columns {
            let cell = PixelRect {
                x0: rect.x0 + width * column / columns,
                x1: rect.x0 + width * (column + 1) / columns,
                y0: rect.y0 + height * row / rows,
                y1: rect.y0 + height * (row + 1) / rows,
            };
            flatten(picture, cell);
        }
    }
}

/// One mean colour for the whole cell.
fn flatten(picture: &mut Picture, cell: PixelRect) {
    let mut sum = [0_u64; 3];
    for y in cell.y0..cell.y1 {
        for x in cell.x0..cell.x1 {
            let pixel = picture.pixel(x, y);
            for (total, channel) in sum.iter_mut().zip(pixel) {
                *total += u64::from(channel);
            }
        }
    }
    let count = ((cell.x1 - cell.x0) * (cell.y1 - cell.y0)) as u64;
    let mean = sum.map(|total| ((total + count / 2) / count) as u8);
    for y in cell.y0..cell.y1 {
        for x in cell.x0..cell.x1 {
            picture.set(x, y, mean);
        }
    }
}

impl Masked {
    /// To look at.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// How many regions were masked.
    pub fn regions(&self) -> usize {
        self.regions
    }

    /// The part of it that a box touches.
    #[must_use]
    pub fn crop(&self, bounds: &ImageBox) -> Self {
        Self { picture: self.picture.crop(bounds), regions: self.regions }
    }

    /// With rows of one colour added below.
    #[must_use]
    pub(crate) fn extended_below(&self, rows: usize, colour: [u8; 3]) -> Self {
        Self { picture: self.picture.extended_below(rows, colour), regions: self.regions }
    }

    /// Paints one pixel; outside the picture nothing happens.
    pub(crate) fn paint(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        self.picture.set(x, y, colour);
    }

    /// As JPEG.
    ///
    /// # Errors
    /// Larger than a JPEG may be.
    pub fn to_jpeg(&self) -> Result<MaskedJpeg, PictureError> {
        Ok(MaskedJpeg { jpeg: self.picture.to_jpeg()?, regions: self.regions })
    }
}

impl MaskedJpeg {
    /// The file.
    pub fn jpeg(&self) -> &Jpeg {
        &self.jpeg
    }

    /// How many regions were masked; one that several windows showed counts as often.
    pub fn regions(&self) -> usize {
        self.regions
    }

    /// A masked copy read back from the vault's staged folder, where only masked copies are put under
    /// that name. `None` where the bytes are not the ones whose hash was written down beside them.
    pub(crate) fn read_back(bytes: Vec<u8>, recorded: &Sha256Hex, regions: usize) -> Option<Self> {
        let sha256 = Sha256Hex::of(&bytes);
        (sha256 == *recorded).then(|| Self { jpeg: Jpeg { bytes: bytes.into(), sha256 }, regions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::Frame;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn detection(class: Class, bounds: [f32; 4]) -> Detection {
        Detection { class, score: 0.05, bounds: ImageBox::from(bounds) }
    }

    fn picture() -> Picture {
        Picture::from_yuv(&Frame::new(320, 240, 0).view()).unwrap()
    }

    /// Every colour left in a region, and whether anything outside it changed.
    fn colours_left(before: &Picture, after: &Picture, rect: PixelRect) -> (BTreeSet<[u8; 3]>, bool) {
        let mut colours = BTreeSet::new();
        let mut changed_outside = false;
        for y in 0..before.height() {
            for x in 0..before.width() {
                if (rect.x0..rect.x1).contains(&x) && (rect.y0..rect.y1).contains(&y) {
                    colours.insert(after.pixel(x, y));
                } else {
                    changed_outside |= before.pixel(x, y) != after.pixel(x, y);
                }
            }
        }
        (colours, changed_outside)
    }

    #[test]
    fn a_head_and_a_plate_are_gone_and_the_rest_is_untouched() {
        let before = picture();
        let person = detection(Class::Person, [0.25, 0.25, 0.5, 0.75]);
        let after = mask(&before, &[person]).unwrap();
        assert_eq!(after.regions(), 1);
        let rect = before.rect_of(&region_of(&person).unwrap());
        assert_eq!(rect, PixelRect { x0: 72, y0: 48, x1: 168, y1: 96 });
        let (colours, changed_outside) = colours_left(&before, after.picture(), rect);
        assert!(colours.len() <= 16 && !changed_outside, "{} colours", colours.len());

        for class in [Class::Car, Class::Bus, Class::Truck, Class::Motorcycle, Class::CargoTricycle] {
            let vehicle = detection(class, [0.5, 0.5, 0.9, 0.9]);
            let after = mask(&before, &[vehicle]).unwrap();
            let rect = before.rect_of(&region_of(&vehicle).unwrap());
            assert!(rect.y0 <= 168 && rect.y1 >= 216, "{rect:?}");
            let (colours, changed_outside) = colours_left(&before, after.picture(), rect);
            assert!(colours.len() <= 16 && !changed_outside, "{class}");
        }
    }

    #[test]
    fn a_face_that_a_model_found_is_gone_with_its_margin() {
        let before = picture();
        for class in [Class::Face, Class::Plate] {
            let found = detection(class, [0.5, 0.5, 0.6, 0.6]);
            let after = mask(&before, &[found]).unwrap();
            let rect = before.rect_of(&region_of(&found).unwrap());
            assert!(rect.x0 <= 156 && rect.y0 <= 117 && rect.x1 >= 196 && rect.y1 >= 147, "{rect:?}");
            let (colours, changed_outside) = colours_left(&before, after.picture(), rect);
            assert!(colours.len() <= 16 && !changed_outside, "{class}");
            assert_eq!(after.regions(), 1);
        }
    }

    #[test]
    fn things_and_bicycles_are_left_alone() {
        let before = picture();
        let things = [Class::Bicycle, Class::Umbrella, Class::Garbage, Class::Stall];
        let detections: Vec<_> = things.iter().map(|c| detection(*c, [0.1, 0.1, 0.9, 0.9])).collect();
        let after = mask(&before, &detections).unwrap();
        assert_eq!((after.picture(), after.regions()), (&before, 0));
    }

    #[test]
    fn a_box_that_is_no_number_yields_no_copy() {
        for class in [Class::Person, Class::Truck, Class::Face, Class::Plate] {
            let unknown = detection(class, [f32::NAN, 0.1, 0.2, 0.3]);
            assert_eq!(mask(&picture(), &[unknown]), Err(PictureError::UnknownRegion), "{class}");
        }
    }

    proptest! {
        /// Whatever the box: inside each block one colour, blocks no smaller than the promise, the
        /// rest of the picture untouched.
        #[test]
        fn every_region_is_flat_in_blocks(x in 0.0..0.95f32, y in 0.0..0.95f32, w in 0.002..0.6f32, h in 0.002..0.6f32) {
            let before = picture();
            let person = detection(Class::Person, [x, y, x + w, y + h]);
            let after = mask(&before, &[person]).unwrap();
            let rect = before.rect_of(&region_of(&person).unwrap());
            let (colours, changed_outside) = colours_left(&before, after.picture(), rect);
            prop_assert!(!changed_outside);
            prop_assert!(colours.len() <= BLOCKS_A_SIDE_MAX * BLOCKS_A_SIDE_MAX);
            let (width, height) = (rect.x1 - rect.x0, rect.y1 - rect.y0);
            let block = BLOCK_PX_MIN.max(width.max(height).div_ceil(BLOCKS_A_SIDE_MAX));
            // Any window of one block's size holds at most four blocks, so at most four colours.
            let (wide, high) = (block.min(width), block.min(height));
            let window: BTreeSet<_> = (0..high).flat_map(|dy| (0..wide).map(move |dx| (dx, dy)))
                .map(|(dx, dy)| after.picture().pixel(rect.x0 + dx, rect.y0 + dy)).collect();
            prop_assert_eq!(window.len(), 1, "the first block is one colour");
        }
    }
}
