//! The real weights: what a line says of many batches against what its detector says of each picture.

use super::*;
use crate::letterbox::PictureFault;
use crate::runtime::Runtime;
use crate::testing::{Picture, city_nano};

fn detector() -> Detector {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let manifest = Manifest::load(&city_nano()).unwrap().with_score_min(0.001);
    Detector::open(&runtime, manifest, 1).unwrap()
}

fn street(size: [usize; 2], shift: usize) -> Picture {
    Picture::from_rgb(size, |x, y| {
        let (x, y) = ((x * 640 / size[0] + shift) % 640, y * 360 / size[1]);
        match (x, y) {
            (100..=180, 150..=300) => [40, 45, (30 + y / 4) as u8],
            (300..=340, 200..=340) => [180, 30, 40],
            (_, 0..=140) => [150, 170, 190],
            _ => [(120 + (x * 7 + y * 13) % 23) as u8, 118, 112],
        }
    })
}

#[test]
fn batches_on_the_way_get_the_answers_of_each_picture_alone() {
    let sizes = [[640, 360], [352, 288], [1920, 1080], [360, 640]];
    let pictures: Vec<Picture> = (0..29).map(|at| street(sizes[at % 4], at * 23)).collect();
    let views: Vec<YuvView<'_>> = pictures.iter().map(Picture::view).collect();
    let mut alone = detector();
    let wanted: Vec<Vec<Detection>> =
        views.iter().map(|view| alone.detect(std::slice::from_ref(view)).unwrap().remove(0)).collect();
    assert!(wanted.iter().filter(|look| !look.is_empty()).count() > 20, "too little to see");

    let mut line = Line::new(detector()).unwrap();
    // Of one picture, of more runs than there are inputs, of none.
    let parts = [0..1, 1..20, 20..20, 20..29];
    let mut tickets: Vec<Ticket> = parts.iter().map(|part| line.begin(&views[part.clone()])).collect();
    // A look in between is finished out of its turn.
    let last = tickets.pop().unwrap();
    let mut found: Vec<Vec<Detection>> = Vec::new();
    let tail: Vec<Vec<Detection>> = line.finish(last).into_iter().map(Result::unwrap).collect();
    for ticket in tickets {
        found.extend(line.finish(ticket).into_iter().map(Result::unwrap));
    }
    found.extend(tail);
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        // In a batch sums are added up in another order: a box at the threshold may be there or not.
        for wanted in wanted.iter().filter(|wanted| wanted.score > 0.002) {
            let same = |found: &&Detection| {
                found.class == wanted.class
                    && found.bounds.iou(&wanted.bounds) > 0.999
                    && (found.score - wanted.score).abs() < 1e-4
            };
            assert!(found.iter().any(|found| same(&found)), "{wanted:?} is gone from {found:?}");
        }
    }
}

#[test]
fn an_odd_picture_has_no_answer_and_costs_the_others_none() {
    let mut line = Line::new(detector()).unwrap();
    let (good, bad) = (street([640, 360], 0), street([4, 360], 0));
    let short = YuvView { height: 400, ..good.view() };
    let ticket = line.begin(&[good.view(), bad.view(), short, good.view()]);
    let looks = line.finish(ticket);
    let faults: Vec<Option<PictureFault>> = looks
        .iter()
        .map(|look| match look {
            Err(ModelError::Picture { fault, .. }) => Some(*fault),
            _ => None,
        })
        .collect();
    assert_eq!(faults, [None, Some(PictureFault::TooSmall), Some(PictureFault::ShortPlane), None]);
    assert_eq!(looks[0].as_ref().unwrap(), looks[3].as_ref().unwrap());
}

#[test]
fn a_line_that_is_given_up_ends_its_thread() {
    let mut line = Line::new(detector()).unwrap();
    let picture = street([640, 360], 0);
    let other = Line::new(detector()).unwrap().begin(&[picture.view()]);
    let _unfinished = line.begin(&[picture.view(); 3]);
    assert!(line.finish(other).is_empty(), "another line's ticket is none of its own");
    drop(line);
}
