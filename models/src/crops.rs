//! Boxes of pictures to crops for a second model to look at.
//!
//! In come the pictures of several cameras and what a detector saw in each, out go windows of these pictures
//! with the box that each is of, in the order of the pictures and their boxes. What is made of a crop is the
//! caller's: a word for its box, or, by [`crate::tiles::image_from_window`], places in its picture. Nothing
//! here copies a pixel.

use calib::class::Class;
use calib::picture::YuvView;
use calib::space::ImageBox;
use logic::look::Detection;

use crate::error::ModelError;
use crate::letterbox::PictureFault;
use crate::tiles::Window;

/// Most crops of one picture: a look at a heap of boxes must not hold up the other cameras. The best are taken.
pub const CROPS_MAX: usize = 32;

/// Which boxes are cut out, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// Classes whose boxes are.
    pub on: Vec<Class>,
    /// Share of the box's width and height that is added at each of its sides.
    pub margin: f32,
    /// Shortest side that a box must have, pixels of the picture.
    pub side_px_min: usize,
}

/// A box cut out of its picture.
#[derive(Debug, Clone, Copy)]
pub struct Crop<'a> {
    /// Place of the picture among those given.
    pub picture: usize,
    /// Place of the box among those seen in it.
    pub detection: usize,
    /// Where it was cut out.
    pub window: Window,
    /// What is there.
    pub view: YuvView<'a>,
}

impl Cut {
    /// The window over a box in a picture of that size: with the margin, within the picture, its corner on even
    /// pixels. `None` where the box is too small to be judged.
    pub fn window(&self, bounds: &ImageBox, picture: [usize; 2]) -> Option<Window> {
        let across = self.axis([bounds.x0, bounds.x1], picture[0])?;
        let down = self.axis([bounds.y0, bounds.y1], picture[1])?;
        Some(Window { at: [across[0], down[0]], size: [across[1], down[1]] })
    }

    /// First pixel and number of pixels along one axis.
    fn axis(&self, bounds: [f32; 2], limit: usize) -> Option<[usize; 2]> {
        let [from, to] = bounds.map(|side| f64::from(side.clamp(0.0, 1.0)) * limit as f64);
        let side = to - from;
        if side.is_nan() || side < self.side_px_min as f64 {
            return None;
        }
        let margin = side * f64::from(self.margin);
        let from = ((from - margin).max(0.0) as usize) / 2 * 2;
        let to = ((to + margin).ceil() as usize).min(limit);
        Some([from, to - from])
    }
}

/// The crops of all pictures, at most [`CROPS_MAX`] of each.
///
/// # Errors
/// [`ModelError::Picture`] where a picture with a box to cut out is shorter than it claims.
pub fn of<'a>(
    pictures: &[YuvView<'a>],
    looks: &[Vec<Detection>],
    cut: &Cut,
) -> Result<Vec<Crop<'a>>, ModelError> {
    let mut crops = Vec::new();
    for (picture, (view, look)) in pictures.iter().zip(looks).enumerate() {
        let size = [view.width, view.height];
        let asked = look.iter().enumerate().filter(|(_, seen)| cut.on.contains(&seen.class));
        let windows = asked.filter_map(|(at, seen)| Some((at, cut.window(&seen.bounds, size)?)));
        for (detection, window) in windows.take(CROPS_MAX) {
            // A window lies within its picture: only the picture's bytes can be at fault.
            let view = view.window(window.at, window.size).ok_or(ModelError::Picture {
                index: picture,
                width: view.width,
                height: view.height,
                fault: PictureFault::ShortPlane,
            })?;
            crops.push(Crop { picture, detection, window, view });
        }
    }
    Ok(crops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Picture;

    fn cut(margin: f32, side_px_min: usize) -> Cut {
        Cut { on: vec![Class::GarbageBin], margin, side_px_min }
    }

    fn seen(class: Class, bounds: [f32; 4]) -> Detection {
        Detection { class, score: 0.5, bounds: bounds.into() }
    }

    #[test]
    fn a_window_has_its_margin_lies_in_the_picture_and_begins_on_even_pixels() {
        let window = |margin, bounds: [f32; 4]| cut(margin, 8).window(&bounds.into(), [201, 101]);
        let is = |at, size| Some(Window { at, size });
        // 20.1 to 60.3 across, 10.1 to 50.5 down.
        assert_eq!(window(0.0, [0.1, 0.1, 0.3, 0.5]), is([20, 10], [41, 41]));
        // 4.02 and 4.04 more at each side.
        assert_eq!(window(0.1, [0.1, 0.1, 0.3, 0.5]), is([16, 6], [49, 49]));
        assert_eq!(window(1.0, [0.0, 0.0, 1.0, 1.0]), is([0, 0], [201, 101]));
        assert_eq!(window(0.1, [-0.5, 0.5, 0.5, 1.5]), is([0, 44], [111, 57]));
    }

    #[test]
    fn what_is_small_or_no_box_has_no_window() {
        let window = |bounds: [f32; 4]| cut(0.1, 24).window(&bounds.into(), [1000, 1000]);
        assert!(window([0.5, 0.5, 0.5245, 0.6]).is_some());
        let none = [
            [0.5, 0.5, 0.523, 0.6],
            [0.5, 0.5, 0.6, 0.523],
            [0.6, 0.5, 0.5, 0.6],
            [1.1, 0.5, 1.2, 0.6],
            [f32::NAN, 0.5, 0.6, 0.6],
        ];
        for bounds in none {
            assert_eq!(window(bounds), None, "{bounds:?}");
        }
    }

    #[test]
    fn crops_come_in_order_of_the_classes_asked_for_and_not_without_end() {
        let picture = Picture::from_rgb([200, 100], |_, _| [90; 3]);
        let (bin, car) = (Class::GarbageBin, Class::Car);
        let bounds = [0.1, 0.1, 0.5, 0.5];
        let looks = [
            vec![seen(car, bounds)],
            vec![seen(car, bounds), seen(bin, bounds)],
            vec![seen(bin, bounds); 40],
        ];
        let crops = of(&[picture.view(); 3], &looks, &cut(0.0, 8)).unwrap();
        let places: Vec<_> = crops.iter().map(|crop| (crop.picture, crop.detection)).collect();
        let wanted: Vec<_> = [(1, 1)].into_iter().chain((0..CROPS_MAX).map(|at| (2, at))).collect();
        assert_eq!(places, wanted);
        assert_eq!([crops[0].view.width, crops[0].view.height], crops[0].window.size);
    }

    #[test]
    fn a_picture_shorter_than_it_claims_is_told_by_its_place() {
        let picture = Picture::from_rgb([200, 100], |_, _| [90; 3]);
        let short = YuvView { height: 300, ..picture.view() };
        let bin = vec![seen(Class::GarbageBin, [0.1, 0.1, 0.5, 0.5])];
        let told = of(&[picture.view(), short], &[bin.clone(), bin.clone()], &cut(0.1, 8));
        assert!(matches!(told, Err(ModelError::Picture { index: 1, height: 300, .. })), "{told:?}");
        // Where nothing is to be cut out nothing is asked of the picture.
        assert_eq!(of(&[picture.view(), short], &[bin, Vec::new()], &cut(0.1, 8)).unwrap().len(), 1);
    }
}
