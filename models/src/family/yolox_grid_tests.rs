//! Decoding of outputs made by hand.

use calib::class::Class;
use proptest::prelude::*;

use super::*;
use crate::manifest::Manifest;
use crate::testing::city_nano;

const COLUMNS: usize = 25;
/// First row of the second grid (stride 16) at 416: 52 * 52 cells lie before it.
const SECOND_GRID: usize = 52 * 52;
const GARBAGE: usize = 5 + 12;
const GOODS: usize = 5 + 11;

fn whole() -> Fit {
    Fit { left: 0, top: 0, width: 416, height: 416, tensor: [416, 416] }
}

fn grid() -> YoloxGrid {
    grid_of(&Manifest::load(&city_nano()).unwrap())
}

fn grid_of(manifest: &Manifest) -> YoloxGrid {
    YoloxGrid::new("output".to_owned(), vec![8, 16, 32], &manifest.input, Keep::new(manifest))
}

fn empty() -> Vec<f32> {
    vec![0.0; 3549 * COLUMNS]
}

fn set(output: &mut [f32], row: usize, raw: [f32; 4], objectness: f32, scores: &[(usize, f32)]) {
    let values = &mut output[row * COLUMNS..][..COLUMNS];
    values[..4].copy_from_slice(&raw);
    values[4] = objectness;
    scores.iter().for_each(|&(column, score)| values[column] = score);
}

fn read(grid: &YoloxGrid, output: &[f32], fit: Fit) -> Vec<Candidate> {
    let mut found = Vec::new();
    grid.clone().read(&[Part { sides: &[3549, COLUMNS], numbers: output }], fit, &mut found);
    found
}

#[test]
fn a_cell_becomes_its_box() {
    let mut output = empty();
    // Stride 16, 26 cells a row: column 3, row 2. Centre (3.5, 2.25) * 16, size e^1 and e^0.5 times 16.
    let row = SECOND_GRID + 2 * 26 + 3;
    set(&mut output, row, [0.5, 0.25, 1.0, 0.5], 0.9, &[(GARBAGE, 0.8), (5, 0.3)]);
    let found = read(&grid(), &output, whole());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].class, found[0].row), (Class::Garbage, row));
    assert!((found[0].score - 0.72).abs() < 1e-6);
    let (w, h) = (16.0 * 1.0f32.exp(), 16.0 * 0.5f32.exp());
    let wanted = [56.0 - w / 2.0, 36.0 - h / 2.0, 56.0 + w / 2.0, 36.0 + h / 2.0];
    assert!(found[0].in_tensor.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
}

#[test]
fn rows_under_their_threshold_and_labels_without_a_class_stay_out() {
    let mut manifest = Manifest::load(&city_nano()).unwrap();
    manifest.labels[GOODS - 5].class = None;
    manifest.labels[GARBAGE - 5].score_min = 0.6;
    manifest.labels[0].score_min = 0.4;
    let grid = grid_of(&manifest);
    let mut output = empty();
    set(&mut output, 100, [0.0; 4], 0.9, &[(GOODS, 0.9), (5, 0.5)]);
    set(&mut output, 200, [0.0; 4], 0.8, &[(GARBAGE, 0.7)]);
    set(&mut output, 300, [0.0; 4], 0.39, &[(5, 1.0)]);
    set(&mut output, 400, [0.0; 4], 0.8, &[(5, 0.49)]);
    assert_eq!(read(&grid, &output, whole()), []);
    set(&mut output, 400, [0.0; 4], 0.8, &[(5, 0.51)]);
    assert_eq!(read(&grid, &output, whole()).len(), 1);
}

#[test]
fn boxes_over_most_of_the_frame_or_beside_it_are_dropped() {
    let fit = Fit { left: 0, top: 0, width: 416, height: 234, tensor: [416, 416] };
    let mut output = empty();
    // Stride 32, 13 a row: centre (6.5, 3.65) * 32, 410 by 230 pixels.
    let row = SECOND_GRID + 26 * 26 + 3 * 13 + 6;
    let size = [(410.0f32 / 32.0).ln(), (230.0f32 / 32.0).ln()];
    set(&mut output, row, [0.5, 0.65, size[0], size[1]], 0.9, &[(GARBAGE, 0.9)]);
    assert_eq!(read(&grid(), &output, fit), []);
    // The same box is only half of a square picture.
    assert_eq!(read(&grid(), &output, whole()).len(), 1);
    // In the padding.
    let mut output = empty();
    set(&mut output, 40 * 52 + 3, [0.5, 0.5, 1.0, 1.0], 0.9, &[(GARBAGE, 0.9)]);
    assert_eq!(read(&grid(), &output, fit), []);
}

#[test]
fn a_size_beyond_all_numbers_does_no_harm() {
    let mut output = empty();
    set(&mut output, 7, [0.5, 0.5, 1e30, 1e30], 0.9, &[(GARBAGE, 0.9)]);
    assert_eq!(read(&grid(), &output, whole()), []);
}

proptest! {
    #[test]
    fn boxes_lie_in_the_picture(
        rows in proptest::collection::vec((0..3549usize, [-9.0..9.0f32, -9.0..9.0f32], [-4.0..6.0f32, -4.0..6.0f32], 0.0..1.0f32, 5..COLUMNS, 0.0..1.0f32), 1..80),
        height in 1..=416usize, left in 0..200usize,
    ) {
        let fit = Fit { left, top: 416 - height, width: 416 - left, height, tensor: [416, 416] };
        let mut output = empty();
        for (row, [x, y], [w, h], objectness, column, score) in rows {
            set(&mut output, row, [x, y, w, h], objectness, &[(column, score)]);
        }
        for candidate in read(&grid(), &output, fit) {
            prop_assert!(candidate.score >= 0.2 && candidate.score <= 1.0);
            let bounds = fit.image_from_tensor(candidate.in_tensor);
            prop_assert!(bounds.x0 >= 0.0 && bounds.y0 >= 0.0 && bounds.x1 <= 1.0 && bounds.y1 <= 1.0);
            prop_assert!(bounds.x0 < bounds.x1 && bounds.y0 < bounds.y1);
            prop_assert!(bounds.area() <= 0.9);
        }
    }
}
