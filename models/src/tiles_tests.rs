//! Windows over regions, things cut by their edges, and the real model on a wide picture.

use calib::class::Class;
use proptest::prelude::*;

use super::*;
use crate::testing::{Picture, city_nano};
use crate::{Detector, Manifest, Runtime};

const NANO: [usize; 2] = [416, 416];
const UHD: [usize; 2] = [3840, 2160];
const HD: [usize; 2] = [1920, 1080];

fn everywhere(_: &ImageBox) -> bool {
    true
}

fn region(bounds: [f32; 4], width_px: Option<u32>) -> Region<'static> {
    Region { bounds: bounds.into(), touches: &everywhere, width_px }
}

fn ends(window: &Window) -> [usize; 2] {
    [window.at[0] + window.size[0], window.at[1] + window.size[1]]
}

#[test]
fn a_far_kerb_is_looked_at_in_the_models_own_scale() {
    let plan = plan(HD, &[region([0.1, 0.3, 0.9, 0.5], None)], NANO);
    assert_eq!(plan.over, None);
    assert!(plan.windows.iter().all(|window| (416..=417).contains(&window.size[0])), "{plan:?}");
    // 1536 pixels and a margin of a tenth of a tile on each side, in steps of at most 332.
    assert_eq!(plan.windows.len(), 5);
}

#[test]
fn a_larger_part_is_looked_at_coarser_and_a_picture_that_needs_more_says_how_many() {
    let coarser = plan(HD, &[region([0.0, 0.0, 1.0, 1.0], None)], NANO);
    assert_eq!(coarser.over, None);
    assert!(coarser.windows.len() <= WINDOWS_MAX);
    assert!(coarser.windows.iter().all(|window| window.size[0] > 420 && window.size[0] <= 833));

    let over = plan(UHD, &[region([0.0, 0.0, 1.0, 1.0], None)], NANO);
    let by = over.over.unwrap();
    assert!(by.windows > WINDOWS_MAX && over.windows.len() <= WINDOWS_MAX, "{over:?}");
    // What it says would do does.
    let asked = plan(UHD, &[region([0.0, 0.0, 1.0, 1.0], Some(by.width_px as u32))], NANO);
    assert_eq!(asked.over, None);
    let exact = plan(UHD, &[region([0.0, 0.0, 1.0, 1.0], Some(416))], NANO);
    assert!(exact.over.unwrap().windows > by.windows);
}

#[test]
fn tiles_that_gain_nothing_are_not_looked_at() {
    assert_eq!(plan([416, 300], &[region([0.0, 0.0, 1.0, 1.0], None)], NANO), Plan::default());
    assert_eq!(plan(HD, &[region([0.0, 0.0, 1.0, 1.0], Some(1800))], NANO), Plan::default());
    assert_eq!(plan(HD, &[], NANO), Plan::default());
    let twice = [region([0.2, 0.2, 0.3, 0.3], None), region([0.2, 0.2, 0.3, 0.3], None)];
    assert_eq!(plan(HD, &twice, NANO).windows.len(), 1);
}

#[test]
fn windows_beside_the_zone_are_left_out() {
    let diagonal = |part: &ImageBox| {
        (0..=100).any(|at| {
            let at = at as f32 / 100.0;
            (part.x0..=part.x1).contains(&at) && (part.y0..=part.y1).contains(&at)
        })
    };
    let bounds = ImageBox::from([0.0, 0.0, 1.0, 1.0]);
    let band = [Region { bounds, touches: &diagonal, width_px: Some(500) }];
    let all = [region([0.0, 0.0, 1.0, 1.0], Some(500))];
    let (band, all) = (lay(HD, &band, NANO, 1.0).len(), lay(HD, &all, NANO, 1.0).len());
    assert!(band * 3 <= all * 2, "{band} of {all}");
}

fn any_region() -> impl Strategy<Value = ImageBox> {
    (0.0..0.9f32, 0.0..0.9f32, 0.02..1.0f32, 0.02..1.0f32)
        .prop_map(|(x, y, w, h)| [x, y, (x + w).min(1.0), (y + h).min(1.0)].into())
}

proptest! {
    #[test]
    fn windows_lie_in_the_picture_on_even_pixels_and_cover_the_region(
        picture in (300..4000usize, 300..2400usize).prop_map(|(w, h)| [w, h]),
        bounds in any_region(),
        width_px in proptest::option::of(160..1200u32),
        input in prop_oneof![Just([416, 416]), Just([640, 384])],
    ) {
        let plan = plan(picture, &[Region { bounds, touches: &everywhere, width_px }], input);
        prop_assert!(plan.windows.len() <= WINDOWS_MAX);
        for window in &plan.windows {
            prop_assert!(window.at.iter().all(|at| at % 2 == 0));
            prop_assert!((0..2).all(|axis| ends(window)[axis] <= picture[axis] && window.size[axis] > 0));
        }
        if plan.windows.is_empty() {
            return Ok(());
        }
        // Every point of the region is in the core of a window: not nearer to an inner edge than half an overlap.
        for at in 0..400 {
            let (x, y) = ((at % 20) as f32 / 19.0, (at / 20) as f32 / 19.0);
            let point = [bounds.x0 + x * bounds.width(), bounds.y0 + y * bounds.height()];
            let slack = 2.0 / 300.0;
            let is_covered = plan.windows.iter().any(|window| {
                let core = core(window, picture);
                point[0] >= core.x0 - slack && point[0] <= core.x1 + slack
                    && point[1] >= core.y0 - slack && point[1] <= core.y1 + slack
            });
            prop_assert!(is_covered, "{point:?} of {bounds:?} is in none of {:?}", plan.windows);
        }
    }
}

/// The whole picture and the windows over all of it, in shares.
fn views(width_px: u32) -> Vec<ImageBox> {
    let windows = lay(HD, &[region([0.0, 0.0, 1.0, 1.0], Some(width_px))], NANO, 1.0);
    let windows = windows.iter().map(|window| window.in_image(HD));
    std::iter::once(ImageBox::from([0.0, 0.0, 1.0, 1.0])).chain(windows).collect()
}

/// What a detector that looks at each view says of a thing: nothing where too little of it shows or it is too
/// small for the view, else its visible box, each edge off by up to a share of the box.
fn seen_of(thing: &Detection, views: &[ImageBox], off: &[f32], small_px: f32) -> Vec<Option<Detection>> {
    let edges = |view: usize, edge: usize| off[(view * 4 + edge) % off.len()];
    let one = |(at, view): (usize, &ImageBox)| {
        let visible = shared(&thing.bounds, view)?;
        let scale = if at == 0 { 1.0 } else { 1.0 / view.width() };
        if visible.area() < 0.4 * thing.bounds.area() || visible.height() * HD[1] as f32 * scale < small_px {
            return None;
        }
        let (w, h) = (visible.width(), visible.height());
        let moved = ImageBox {
            x0: visible.x0 + edges(at, 0) * w,
            y0: visible.y0 + edges(at, 1) * h,
            x1: visible.x1 + edges(at, 2) * w,
            y1: visible.y1 + edges(at, 3) * h,
        };
        let score = 0.5 + edges(at, 0) * 10.0;
        Some(Detection { bounds: shared(&moved, view)?, score, ..*thing })
    };
    views.iter().enumerate().map(one).collect()
}

fn parts(views: &[ImageBox], all: &[Vec<Option<Detection>>]) -> Vec<Part> {
    let of = |at: usize| all.iter().filter_map(|seen| seen[at]).collect();
    views.iter().enumerate().map(|(at, window)| Part { window: *window, detections: of(at) }).collect()
}

fn thing(class: Class, [x, y, w, h]: [f32; 4]) -> Detection {
    Detection { class, score: 0.6, bounds: [x, y, (x + w).min(1.0), (y + h).min(1.0)].into() }
}

/// Edges of boxes are off by so much of the box at most.
const OFF: f32 = 0.015;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_thing_is_found_once_wherever_it_lies(
        at in (0.0..0.97f32, 0.0..0.97f32, 0.005..0.35f32, 0.01..0.5f32),
        off in proptest::collection::vec(-OFF..OFF, 64),
        small_px in prop_oneof![Just(8.0f32), Just(60.0f32)],
        width_px in prop_oneof![Just(416u32), Just(640u32)],
    ) {
        let views = views(width_px);
        let thing = thing(Class::Garbage, [at.0, at.1, at.2, at.3]);
        let seen = seen_of(&thing, &views, &off, small_px);
        let visible: Vec<ImageBox> = seen.iter().zip(&views)
            .filter_map(|(seen, view)| seen.and(shared(&thing.bounds, view)))
            .collect();
        let merged = merge(&parts(&views, &[seen]));
        let around = visible.iter().copied().reduce(|a, b| ImageBox {
            x0: a.x0.min(b.x0), y0: a.y0.min(b.y0), x1: a.x1.max(b.x1), y1: a.y1.max(b.y1),
        });
        let Some(around) = around else {
            prop_assert!(merged.is_empty());
            return Ok(());
        };
        prop_assert_eq!(merged.len(), 1, "{:?}", merged);
        prop_assert!(merged[0].bounds.iou(&around) > 0.88, "{:?} for {around:?}", merged[0].bounds);
    }

    #[test]
    fn two_things_side_by_side_stay_two(
        at in (0.0..0.8f32, 0.0..0.8f32, 0.01..0.1f32, 0.02..0.2f32),
        is_beside in any::<bool>(),
        off in proptest::collection::vec(-OFF..OFF, 64),
    ) {
        let views = views(416);
        let (x, y, w, h) = at;
        let first = thing(Class::Bottle, [x, y, w, h]);
        let [dx, dy] = if is_beside { [w * 1.05, 0.0] } else { [0.0, h * 1.05] };
        let second = thing(Class::Bottle, [x + dx, y + dy, w, h]);
        let seen: Vec<_> = [first, second].iter().map(|thing| seen_of(thing, &views, &off, 8.0)).collect();
        let count = seen.iter().filter(|seen| seen.iter().any(Option::is_some)).count();
        let merged = merge(&parts(&views, &seen));
        prop_assert_eq!(merged.len(), count, "{:?}", merged);
    }

    #[test]
    fn one_view_is_left_as_it_is(
        all in proptest::collection::vec((0..3usize, 0.0..0.9f32, 0.0..0.9f32, 0.01..0.4f32, 0.01..0.4f32, 0.2..1.0f32), 0..30),
    ) {
        let mut detections: Vec<Detection> = all.into_iter()
            .map(|(class, x, y, w, h, score)| Detection { score, ..thing(Class::ALL[class], [x, y, w, h]) })
            .collect();
        detections.sort_by(|a, b| b.score.total_cmp(&a.score));
        let part = Part { window: [0.0, 0.0, 1.0, 1.0].into(), detections: detections.clone() };
        let merged = merge(&[part, Part { window: [0.0, 0.0, 0.2, 0.4].into(), detections: Vec::new() }]);
        prop_assert_eq!(merged.len(), detections.len());
        prop_assert!(detections.iter().all(|one| merged.contains(one)));
        prop_assert!(merged.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[test]
fn a_lorry_cut_in_two_is_one_and_a_child_before_its_mother_is_two() {
    let halves = [[0.0, 0.0, 0.55, 1.0], [0.45, 0.0, 1.0, 1.0]].map(ImageBox::from);
    let part = |view: usize, boxes: &[[f32; 4]], class: Class| Part {
        window: halves[view],
        detections: boxes.iter().map(|b| Detection { class, score: 0.7, bounds: (*b).into() }).collect(),
    };
    let left = part(0, &[[0.2, 0.4, 0.549, 0.6]], Class::Truck);
    let right = part(1, &[[0.451, 0.41, 0.8, 0.6]], Class::Truck);
    let lorry = merge(&[left, right]);
    assert_eq!(lorry.len(), 1);
    assert_eq!(lorry[0].bounds, ImageBox::from([0.2, 0.4, 0.8, 0.6]));

    let two = [[0.46, 0.3, 0.52, 0.8], [0.475, 0.55, 0.51, 0.79]];
    let both = merge(&[part(0, &two, Class::Person), part(1, &two, Class::Person)]);
    assert_eq!(both.len(), 2, "{both:?}");

    // Of a heap that one window sees only as the bag on top of it, the heap stands.
    let heap = part(0, &[[0.46, 0.3, 0.54, 0.8]], Class::Garbage);
    let bag = part(1, &[[0.48, 0.5, 0.52, 0.7]], Class::Garbage);
    let one = merge(&[heap.clone(), bag]);
    assert_eq!((one.len(), one[0].bounds), (1, heap.detections[0].bounds));
}

/// Photographs of litter as a far row in a 4K picture, each of so many pixels a side; empty where the
/// third-party set does not lie beside the checkout.
fn far_row(side: u32) -> Option<(Picture, Vec<ImageBox>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/garbage");
    let Ok(entries) = std::fs::read_dir(folder.join("labels")) else {
        println!("skipped: no pictures at {}", folder.display());
        return None;
    };
    let mut labels: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    labels.sort();
    let shows = |label: &std::path::PathBuf| {
        std::fs::read_to_string(label).unwrap().lines().any(|line| line.starts_with("0 "))
    };
    let chosen: Vec<_> = labels.into_iter().step_by(11).filter(shows).take(12).collect();
    let mut canvas = image::RgbImage::from_fn(UHD[0] as u32, UHD[1] as u32, |x, y| {
        image::Rgb([(112 + (x * 7 + y * 13) % 19) as u8, (110 + (x * 5 + y * 3) % 17) as u8, 108])
    });
    let mut places = Vec::new();
    for (at, label) in chosen.iter().enumerate() {
        let file = folder.join("images").join(label.with_extension("jpg").file_name().unwrap());
        let photograph = image::open(file).unwrap().to_rgb8();
        let small = image::imageops::resize(&photograph, side, side, image::imageops::FilterType::Triangle);
        let [x, y] = [30 + at as u32 * 315, 901];
        image::imageops::replace(&mut canvas, &small, x.into(), y.into());
        let place = Window { at: [x as usize, y as usize], size: [side as usize; 2] };
        places.push(place.in_image(UHD));
    }
    let picture = Picture::from_rgb(UHD, |x, y| canvas.get_pixel(x as u32, y as u32).0);
    Some((picture, places))
}

#[test]
fn tiles_find_what_the_whole_picture_does_not_show() {
    let Some((picture, places)) = far_row(256) else { return };
    let manifest = Manifest::load(&city_nano()).unwrap();
    let mut detector = Detector::open(&Runtime::load(None).unwrap(), manifest, 1).unwrap();
    let view = picture.view();
    let (low, high) = (places[0], places[places.len() - 1]);
    let bounds = ImageBox { x1: high.x1, ..low };
    let Plan { windows, over } = plan(UHD, &[Region { bounds, touches: &everywhere, width_px: None }], NANO);
    assert!(over.is_none() && windows.len() > 3, "{windows:?}");
    let mut views = vec![view];
    views.extend(windows.iter().map(|window| view.window(window.at, window.size).unwrap()));
    let looks = detector.detect(&views).unwrap();
    let shown = |detections: &[Detection]| {
        let within = |place: &&ImageBox| {
            detections.iter().any(|seen| {
                seen.class == Class::Garbage && seen.bounds.intersection(place) > 0.5 * seen.bounds.area()
            })
        };
        places.iter().filter(within).count()
    };
    let windows: Vec<ImageBox> = windows.iter().map(|window| window.in_image(UHD)).collect();
    let mut parts = vec![Part { window: [0.0, 0.0, 1.0, 1.0].into(), detections: looks[0].clone() }];
    parts.extend(windows.iter().zip(&looks[1..]).map(|(window, look)| {
        let mapped =
            look.iter().map(|seen| Detection { bounds: image_from_window(window, seen.bounds), ..*seen });
        Part { window: *window, detections: mapped.collect() }
    }));
    let merged = merge(&parts);
    let (whole, tiled) = (shown(&looks[0]), shown(&merged));
    println!("litter on {} photographs: {whole} in the whole picture, {tiled} with tiles", places.len());
    assert!(whole <= 2 && tiled >= 7, "{whole} and {tiled} of {}", places.len());
    for (at, one) in merged.iter().enumerate() {
        let again =
            merged[..at].iter().find(|other| other.class == one.class && other.bounds.iou(&one.bounds) > 0.5);
        assert!(again.is_none(), "{one:?} stands twice: {again:?}");
    }
}
