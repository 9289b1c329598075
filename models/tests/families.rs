//! A small model of each family, layout, type and placement gives the boxes that NumPy decoded.
//!
//! `families.py` made the models and the boxes; the picture is drawn here as it is there.

use std::path::{Path, PathBuf};

use calib::class::Class;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use logic::look::Detection;
use models::letterbox::Fit;
use models::manifest::Batch;
use models::{Detector, Manifest, Runtime};
use serde::Deserialize;

const SIZE: [usize; 2] = [150, 110];
const FAMILIES: usize = 10;

#[derive(Debug, Deserialize)]
struct Expected {
    class: Class,
    score: f32,
    bounds: [f32; 4],
}

/// Stripes, steps and blocks of colour in I420.
fn picture([width, height]: [usize; 2]) -> [Vec<u8>; 3] {
    let plane = |step: usize, value: &dyn Fn(usize, usize) -> usize| -> Vec<u8> {
        let rows = (0..height).step_by(step);
        rows.flat_map(|y| (0..width).step_by(step).map(move |x| (x, y)))
            .map(|(x, y)| value(x, y) as u8)
            .collect()
    };
    [
        plane(1, &|x, y| 16 + (x * x / 8 + y * 7 + (x / 10) * (y / 9) * 13) % 220),
        plane(2, &|x, y| 70 + (x * 3 + y / 8 * 31) % 120),
        plane(2, &|x, y| 70 + (y * 2 + x / 12 * 47) % 120),
    ]
}

fn view<'a>([y, u, v]: &'a [Vec<u8>; 3], [width, height]: [usize; 2]) -> YuvView<'a> {
    let plane = |data, stride| Plane { data, stride };
    YuvView {
        width,
        height,
        luma: plane(y, width),
        chroma: Chroma::I420 { u: plane(u, width.div_ceil(2)), v: plane(v, width.div_ceil(2)) },
        matrix: Matrix::Bt601,
        range: Range::Limited,
    }
}

fn folders() -> Vec<PathBuf> {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families");
    let entries = std::fs::read_dir(families).expect("the folder that families.py writes");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    folders.sort();
    folders
}

fn opened(folder: &Path) -> Detector {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let manifest = Manifest::load(folder).unwrap_or_else(|error| panic!("{error}"));
    Detector::open(&runtime, manifest, 1).unwrap_or_else(|error| panic!("{error}"))
}

/// How far a box is away, in pixels of the input.
fn away(found: &Detection, wanted: &Expected, fit: Fit) -> f32 {
    let bounds = [found.bounds.x0, found.bounds.y0, found.bounds.x1, found.bounds.y1];
    let sides = [fit.width, fit.height, fit.width, fit.height];
    let each = bounds.iter().zip(wanted.bounds).zip(sides).map(|((a, b), side)| (a - b).abs() * side as f32);
    each.fold(0.0, f32::max)
}

/// Whether this processor adds up products of bytes without saturating in between.
fn sums_are_exact() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

#[test]
fn every_family_gives_the_boxes_of_the_reference() {
    let planes = picture(SIZE);
    let folders = folders();
    assert_eq!(folders.len(), FAMILIES);
    for folder in folders {
        let mut detector = opened(&folder);
        let name = detector.name().to_owned();
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let wanted: Vec<Expected> = serde_json::from_str(&text).unwrap();
        let found = detector.detect(&[view(&planes, SIZE)]).unwrap().remove(0);
        let fit = Fit::of(SIZE[0], SIZE[1], detector.manifest().input());
        assert_eq!(found.len(), wanted.len(), "{name}: {found:#?}");
        // A hundredth of a pixel is what two ways to the same grey levels may differ by; f16 and int8 have
        // coarser steps, and a grey level at one's edge takes the next.
        let coarse = ["f16", "int8", "plain"].iter().any(|word| name.contains(word));
        let (pixels_max, score_max) = if coarse { (0.15, 0.01) } else { (0.01, 1e-3) };
        if name.contains("int8") && !sums_are_exact() {
            println!("{name}: not compared: without VNNI its sums saturate on this processor");
            continue;
        }
        let mut free: Vec<&Detection> = found.iter().collect();
        for wanted in &wanted {
            let of_class = free.iter().enumerate().filter(|(_, found)| found.class == wanted.class);
            let nearest = of_class.min_by(|a, b| away(a.1, wanted, fit).total_cmp(&away(b.1, wanted, fit)));
            let at = nearest.map(|(at, _)| at).unwrap_or_else(|| panic!("{name}: none left for {wanted:?}"));
            let found = free.swap_remove(at);
            let off = away(found, wanted, fit);
            assert!(off <= pixels_max, "{name}: {off} pixels, {found:?} for {wanted:?}");
            assert!((found.score - wanted.score).abs() <= score_max, "{name}: {found:?} for {wanted:?}");
        }
        assert_eq!(detector.strange_labels(), 0, "{name}");
    }
}

#[test]
fn a_batch_gives_what_its_pictures_give_one_by_one() {
    let sizes = [SIZE, [64, 96], [211, 73]];
    let planes = sizes.map(picture);
    let views: Vec<YuvView<'_>> = planes.iter().zip(sizes).map(|(planes, size)| view(planes, size)).collect();
    for folder in folders() {
        let mut detector = opened(&folder);
        let together = detector.detect(&views).unwrap();
        for (view, look) in views.iter().zip(&together) {
            let alone = detector.detect(&[*view]).unwrap().remove(0);
            assert_eq!(alone.len(), look.len(), "{}", detector.name());
            for (alone, look) in alone.iter().zip(look) {
                assert_eq!(alone.class, look.class, "{}", detector.name());
                assert!((alone.score - look.score).abs() < 1e-4, "{}", detector.name());
            }
        }
    }
    let batches = folders().iter().map(|folder| opened(folder).manifest().batch()).collect::<Vec<_>>();
    assert!(batches.contains(&Batch::Static) && batches.contains(&Batch::Dynamic));
}
