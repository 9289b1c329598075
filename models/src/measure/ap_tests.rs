use super::*;
use crate::measure::Bounds;

fn truth(x: f64) -> Truth {
    Truth { bounds: Bounds::new([x, 0.0, 10.0, 10.0]), crowd: false }
}

fn crowd(x: f64, w: f64) -> Truth {
    Truth { bounds: Bounds::new([x, 0.0, w, 10.0]), crowd: true }
}

fn find(x: f64, score: f64) -> Found {
    Found { bounds: Bounds::new([x, 0.0, 10.0, 10.0]), score }
}

fn picture(truths: Vec<Truth>, found: Vec<Found>) -> PictureOfClass {
    PictureOfClass { truths, found }
}

fn close(a: Option<f64>, b: f64) {
    let a = a.expect("an AP");
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

#[test]
fn everything_found_where_it_is_gives_one_and_elsewhere_nothing() {
    let right = ap_of_class(&[picture(vec![truth(0.0), truth(50.0)], vec![find(50.0, 0.3), find(0.0, 0.9)])]);
    close(right.ap50(), 1.0);
    close(right.ap50_95(), 1.0);
    assert_eq!(right.n, 2);
    let wrong = ap_of_class(&[picture(vec![truth(0.0)], vec![find(50.0, 0.9)])]);
    close(wrong.ap50_95(), 0.0);
}

#[test]
fn a_class_without_truth_has_no_ap_and_one_without_finds_has_zero() {
    let none = ap_of_class(&[picture(vec![], vec![find(0.0, 0.9)]), picture(vec![crowd(0.0, 50.0)], vec![])]);
    assert_eq!((none.n, none.ap50(), none.precision_at_recall), (0, None, None));
    let blind = ap_of_class(&[picture(vec![truth(0.0)], vec![])]);
    close(blind.ap50(), 0.0);
    close(mean([none.ap, blind.ap].map(|ap| ap.map(|ap| ap[0]))), 0.0);
    assert_eq!(mean([None, None]), None);
}

#[test]
fn a_wrong_find_above_half_of_the_truths_costs_what_the_formula_says() {
    // Right at 0.9, wrong at 0.8, right at 0.7: precision 1 up to a recall of 0.5 (51 of 101 points), then 2/3.
    let all = ap_of_class(&[picture(
        vec![truth(0.0), truth(50.0)],
        vec![find(0.0, 0.9), find(100.0, 0.8), find(50.0, 0.7)],
    )]);
    close(all.ap50(), (51.0 + 50.0 * 2.0 / 3.0) / 101.0);
    assert_eq!(all.curve.iter().map(|at| (at.right, at.wrong)).collect::<Vec<_>>(), [(1, 0), (1, 1), (2, 1)]);
}

#[test]
fn the_second_find_of_one_truth_is_wrong_and_of_a_crowd_is_nothing() {
    let twice = ap_of_class(&[picture(vec![truth(0.0)], vec![find(0.0, 0.9), find(1.0, 0.8)])]);
    assert_eq!((twice.curve[1].right, twice.curve[1].wrong), (1, 1));
    let crowded =
        picture(vec![crowd(40.0, 60.0), truth(0.0)], vec![find(45.0, 0.9), find(70.0, 0.8), find(0.0, 0.7)]);
    let crowded = ap_of_class(&[crowded]);
    assert_eq!((crowded.curve[2].right, crowded.curve[2].wrong), (1, 0));
    close(crowded.ap50_95(), 1.0);
}

#[test]
fn an_overlap_of_exactly_the_iou_counts() {
    // 10 x 10 and 10 x 5 within it: IoU 0.5, right at the first IoU only.
    let half = Found { bounds: Bounds::new([0.0, 0.0, 10.0, 5.0]), score: 0.9 };
    let all = ap_of_class(&[picture(vec![truth(0.0)], vec![half])]);
    close(all.ap50(), 1.0);
    close(all.ap50_95(), 0.1);
}

#[test]
fn more_than_a_hundred_finds_on_a_picture_do_not_count() {
    let mut found: Vec<Found> = (0..DETECTIONS_MAX).map(|at| find(1000.0 + 20.0 * at as f64, 0.9)).collect();
    found.push(find(0.0, 0.5));
    close(ap_of_class(&[picture(vec![truth(0.0)], found)]).ap50(), 0.0);
}

#[test]
fn of_equal_scores_the_earlier_picture_comes_first() {
    let right = picture(vec![truth(0.0)], vec![find(0.0, 0.5)]);
    let wrong = picture(vec![], vec![find(0.0, 0.5)]);
    close(ap_of_class(&[right.clone(), wrong.clone()]).ap50(), 1.0);
    close(ap_of_class(&[wrong, right]).ap50(), 0.5);
}
