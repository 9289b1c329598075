//! The letterbox against the plain way: the whole picture to RGB, then two taps an axis.

use calib::picture::{Matrix, Range};
use proptest::prelude::*;

use super::*;
use crate::manifest::Dtype;
use crate::testing::Picture;

const KINDS: [(Matrix, Range); 4] = [
    (Matrix::Bt601, Range::Limited),
    (Matrix::Bt601, Range::Full),
    (Matrix::Bt709, Range::Limited),
    (Matrix::Bt709, Range::Full),
];

fn input(width: usize, height: usize, colour: Colour, placement: Placement) -> Input {
    let name = "images".to_owned();
    let (layout, dtype) = (Layout::Nchw, Dtype::F32);
    let (trim, scale, mean, std, sizes) = (None, 1.0, [0.0; 3], [1.0; 3], None);
    Input { name, width, height, layout, dtype, colour, placement, trim, pad: 114, scale, mean, std, sizes }
}

/// A pixel in bytes of RGB: by OpenCV's whole numbers where it has them, else by the standard's factors.
fn rgb_bytes(picture: &YuvView<'_>, x: usize, y: usize) -> [u8; 3] {
    let [luma, u, v] = picture.yuv_at(x, y);
    let luma = if picture.range == Range::Limited { luma.max(16) } else { luma };
    if (picture.matrix, picture.range) != (Matrix::Bt601, Range::Limited) {
        return RgbCoefficients::of(picture.matrix, picture.range).rgb(luma, u, v);
    }
    // `ITUR_BT_601_*` of OpenCV, 20 bits behind the point.
    let (y, u, v) = ((i64::from(luma) - 16) * 1_220_542, i64::from(u) - 128, i64::from(v) - 128);
    let byte = |value: i64| ((value + (1 << 19)) >> 20).clamp(0, 255) as u8;
    [byte(y + 1_673_527 * v), byte(y - 852_492 * v - 409_993 * u), byte(y + 2_116_026 * u)]
}

/// `[3, H, W]` grey levels by the definition of `INTER_LINEAR`, on RGB rounded to bytes.
fn reference(picture: &YuvView<'_>, input: &Input) -> Vec<f32> {
    let fit = Fit::of(picture.width, picture.height, input);
    let tap = |at: usize, source: usize, fitted: usize| {
        let position = (at as f64 + 0.5) * source as f64 / fitted as f64 - 0.5;
        let position = position.clamp(0.0, (source - 1) as f64);
        let near = position.floor() as usize;
        (near, (near + 1).min(source - 1), (position - near as f64) as f32)
    };
    let order = match input.colour {
        Colour::Bgr => [2, 1, 0],
        Colour::Rgb => [0, 1, 2],
    };
    let [width, height] = fit.tensor;
    let mut tensor = vec![f32::from(input.pad); 3 * width * height];
    for y in 0..fit.height {
        let (top, bottom, down) = tap(y, picture.height, fit.height);
        for x in 0..fit.width {
            let (left, right, across) = tap(x, picture.width, fit.width);
            let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
            let [a, b, c, d] = corners.map(|(x, y)| rgb_bytes(picture, x, y).map(f32::from));
            for (plane, channel) in order.into_iter().enumerate() {
                let upper = a[channel] + (b[channel] - a[channel]) * across;
                let lower = c[channel] + (d[channel] - c[channel]) * across;
                let at = (plane * height + fit.top + y) * width + fit.left + x;
                tensor[at] = upper + (lower - upper) * down;
            }
        }
    }
    tensor
}

fn written(picture: &YuvView<'_>, input: &Input) -> Vec<f32> {
    let [width, height] = Fit::of(picture.width, picture.height, input).tensor;
    let mut tensor = vec![f32::NAN; 3 * width * height];
    Letterbox::new(input).write(picture, &mut tensor).unwrap();
    tensor
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert!(a.iter().chain(b).all(|value| value.is_finite()), "every number is written");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

proptest! {
    /// Noise in brightness and colour, far beyond the colours that exist: nowhere a grey level away at any
    /// size, odd ones too, enlarged or reduced, and hardly anywhere away at all.
    #[test]
    fn as_the_plain_way(
        size in [8..150usize, 8..150usize],
        side in [1..5usize, 1..5usize],
        kind in 0..4usize, interleaved: bool, slack in 0..9usize, placement in 0..3usize, rgb: bool, seed: u32,
    ) {
        let noise = |x: usize, y: usize, channel: u32, span: u32| {
            let mut bits = seed ^ (x as u32).wrapping_mul(0x9e37_79b9) ^ (y as u32).wrapping_mul(0x85eb_ca6b);
            bits = (bits ^ channel).wrapping_mul(0xc2b2_ae35);
            (bits >> 16) % span
        };
        let picture = Picture::from_yuv(size, KINDS[kind], interleaved, slack, |x, y| {
            [1, 2, 3].map(|channel| noise(x, y, channel, 256) as u8)
        });
        let colour = if rgb { Colour::Rgb } else { Colour::Bgr };
        let placement = [Placement::Corner, Placement::Centred, Placement::Stretch][placement];
        let input = input(side[0] * 32, side[1] * 32, colour, placement);
        let (found, wanted) = (written(&picture.view(), &input), reference(&picture.view(), &input));
        prop_assert!(largest_difference(&found, &wanted) <= 1.0);
        // A byte that lies just between two levels may be rounded to either.
        let away = found.iter().zip(&wanted).filter(|(a, b)| (**a - **b).abs() > 0.01).count();
        prop_assert!(away * 100 <= found.len(), "{away} of {}", found.len());
    }
}

#[test]
fn street_size_with_smooth_colour_over_the_whole_range() {
    for (at, kind) in KINDS.into_iter().enumerate() {
        let picture = Picture::from_yuv([1920, 1080], kind, at % 2 == 0, 0, |x, y| {
            let luma = if (x / 7 + y / 5) % 2 == 0 { 60 + x / 16 } else { 180 - y / 10 };
            [luma as u8, (112 + x / 60) as u8, (112 + y / 34) as u8]
        });
        let input = input(416, 416, Colour::Bgr, Placement::Corner);
        let difference =
            largest_difference(&written(&picture.view(), &input), &reference(&picture.view(), &input));
        assert!(difference <= 1.0, "{kind:?}: {difference}");
    }
}

#[test]
fn strong_colours_come_out_as_they_are() {
    for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [255, 255, 0]] {
        let picture = Picture::from_rgb([64, 48], |_, _| colour);
        let input = input(32, 32, Colour::Rgb, Placement::Corner);
        let tensor = written(&picture.view(), &input);
        for (plane, wanted) in tensor.chunks(32 * 32).zip(colour) {
            assert!((plane[5] - f32::from(wanted)).abs() <= 2.0, "{colour:?} came out as {}", plane[5]);
        }
    }
}

#[test]
fn where_the_picture_lies_and_what_fills_the_rest() {
    let picture = Picture::from_rgb([1920, 1080], |_, _| [200, 200, 200]);
    let corner = input(416, 416, Colour::Bgr, Placement::Corner);
    assert_eq!(
        Fit::of(1920, 1080, &corner),
        Fit { left: 0, top: 0, width: 416, height: 234, tensor: [416, 416] }
    );
    let tensor = written(&picture.view(), &corner);
    assert!((tensor[233 * 416] - 200.0).abs() < 1.0);
    assert_eq!(tensor[234 * 416], 114.0);

    let centred = input(416, 416, Colour::Bgr, Placement::Centred);
    assert_eq!(
        Fit::of(1920, 1080, &centred),
        Fit { left: 0, top: 91, width: 416, height: 234, tensor: [416, 416] }
    );
    assert_eq!(
        Fit::of(300, 600, &centred),
        Fit { left: 104, top: 0, width: 208, height: 416, tensor: [416, 416] }
    );
    let tensor = written(&picture.view(), &centred);
    assert_eq!((tensor[90 * 416], tensor[325 * 416]), (114.0, 114.0));
    assert!((tensor[91 * 416] - 200.0).abs() < 1.0);
}

#[test]
fn a_stretched_picture_fills_the_input() {
    let input = Input { height: 32, ..input(64, 64, Colour::Rgb, Placement::Stretch) };
    let picture = Picture::from_rgb([40, 90], |_, _| [200, 100, 50]);
    assert_eq!(Fit::of(40, 90, &input), Fit { left: 0, top: 0, width: 64, height: 32, tensor: [64, 32] });
    let tensor = written(&picture.view(), &input);
    for (plane, wanted) in tensor.chunks(64 * 32).zip([200.0, 100.0, 50.0]) {
        assert!(plane.iter().all(|grey| (grey - wanted).abs() <= 2.0));
    }
}

/// Every layout and type holds the numbers of `[3, H, W] f32`; bytes are rounded to the nearest.
#[test]
fn layouts_and_types_hold_the_same_numbers() {
    let shade = |x: usize, y: usize| [(x * 3) as u8, (y * 5) as u8, (x + y) as u8];
    let picture = Picture::from_rgb([75, 33], shade);
    for placement in [Placement::Corner, Placement::Centred, Placement::Stretch] {
        let plain = input(64, 32, Colour::Rgb, placement);
        let nhwc = Input { layout: Layout::Nhwc, ..plain.clone() };
        let wanted = written(&picture.view(), &plain);
        let pixels = written(&picture.view(), &nhwc);
        for (at, pixel) in pixels.chunks(3).enumerate() {
            assert_eq!(pixel, [wanted[at], wanted[64 * 32 + at], wanted[2 * 64 * 32 + at]]);
        }
        let mut bytes = vec![0u8; wanted.len()];
        Letterbox::new(&plain).write(&picture.view(), &mut bytes).unwrap();
        let rounded: Vec<u8> = wanted.iter().map(|grey| (grey + 0.5).floor() as u8).collect();
        assert_eq!(bytes, rounded);
        let mut halves = vec![f16::ZERO; wanted.len()];
        Letterbox::new(&plain).write(&picture.view(), &mut halves).unwrap();
        assert!(halves.iter().zip(&wanted).all(|(half, grey)| *half == f16::from_f32(*grey)));
    }
}

#[test]
fn scale_mean_and_std_apply_to_picture_and_padding_alike() {
    let mut input = input(64, 64, Colour::Rgb, Placement::Corner);
    (input.scale, input.mean, input.std) = (1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let picture = Picture::from_rgb([64, 32], |_, _| [114, 114, 114]);
    let tensor = written(&picture.view(), &input);
    for (channel, plane) in tensor.chunks(64 * 64).enumerate() {
        let wanted = (114.0 / 255.0 - input.mean[channel]) / input.std[channel];
        for at in [0, 64 * 64 - 1] {
            assert!((plane[at] - wanted).abs() < 0.02, "channel {channel}: {} for {wanted}", plane[at]);
        }
    }
}

#[test]
fn nothing_of_one_picture_stays_for_the_next() {
    let input = input(64, 64, Colour::Bgr, Placement::Centred);
    let shade = |grey: u8| move |x: usize, y: usize| [grey, (x * 3) as u8, (y * 3) as u8];
    let pictures = [
        Picture::from_rgb([80, 40], shade(30)),
        Picture::from_rgb([40, 80], shade(220)),
        Picture::from_rgb([80, 40], shade(120)),
        Picture::from_rgb([9, 8], shade(60)),
    ];
    let mut letterbox = Letterbox::new(&input);
    let mut tensor = vec![0.0; 3 * 64 * 64];
    for picture in &pictures {
        letterbox.write(&picture.view(), &mut tensor).unwrap();
        assert_eq!(tensor, written(&picture.view(), &input));
    }
}

#[test]
fn what_is_trimmed_is_as_small_as_the_picture_needs() {
    let shade = |x: usize, y: usize| [(x * 5) as u8, (y * 3) as u8, 90];
    for (size, tensor) in
        [([80, 40], [64, 32]), ([40, 80], [32, 64]), ([70, 64], [64, 64]), ([90, 30], [64, 32])]
    {
        for placement in [Placement::Corner, Placement::Centred] {
            let picture = Picture::from_rgb(size, shade);
            let planes = Input { trim: Some(32), ..input(64, 64, Colour::Bgr, placement) };
            assert_eq!(Fit::of(size[0], size[1], &planes).tensor, tensor);
            let found = written(&picture.view(), &planes);
            assert!(
                largest_difference(&found, &reference(&picture.view(), &planes)) < 1.0,
                "{size:?} {placement}"
            );
            // Pixel by pixel the same numbers lie in another order.
            let pixels = written(&picture.view(), &Input { layout: Layout::Nhwc, ..planes });
            let plane = tensor[0] * tensor[1];
            for (at, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
                assert_eq!(*pixel, [0, 1, 2].map(|channel| found[channel * plane + at]));
            }
        }
    }
}

#[test]
fn unreadable_pictures_are_refused() {
    let input = input(64, 64, Colour::Bgr, Placement::Corner);
    let mut tensor = vec![0.0; 3 * 64 * 64];
    let small = Picture::from_rgb([7, 40], |_, _| [0; 3]);
    assert_eq!(Letterbox::new(&input).write(&small.view(), &mut tensor), Err(PictureFault::TooSmall));
    let picture = Picture::from_rgb([40, 40], |_, _| [0; 3]);
    let claims_more = YuvView { height: 42, ..picture.view() };
    assert_eq!(Letterbox::new(&input).write(&claims_more, &mut tensor), Err(PictureFault::ShortPlane));
}

proptest! {
    #[test]
    fn boxes_come_back_to_where_they_were(
        width in 8..4000usize, height in 8..4000usize, centred: bool, corners in [0.0..1.0f32, 0.0..1.0f32],
    ) {
        let placement = if centred { Placement::Centred } else { Placement::Corner };
        let input = input(416, 416, Colour::Bgr, placement);
        let fit = Fit::of(width, height, &input);
        prop_assert!(fit.left + fit.width <= 416 && fit.top + fit.height <= 416);
        let (x, y) = (fit.left as f32 + corners[0] * fit.width as f32, fit.top as f32 + corners[1] * fit.height as f32);
        let back = fit.image_from_tensor([x - 1e4, y, x, y + 1e4]);
        prop_assert!((back.x1 - corners[0]).abs() < 1e-4 && (back.y0 - corners[1]).abs() < 1e-4);
        prop_assert_eq!((back.x0, back.y1), (0.0, 1.0));
    }
}
