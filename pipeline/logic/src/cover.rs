//! Whether people and traffic hide a place in one look.

use calib::class::Family;
use calib::space::{ImageBox, ImagePoint};

use crate::look::{Detection, Look};

/// People and vehicles hide what is behind them from this score on.
const HIDING_SCORE_MIN: f32 = 0.25;
/// Share of a place that must be behind others for its look to count neither way.
const HIDDEN_SHARE_MIN: f32 = 0.5;
/// The place is asked at so many points each way.
const POINTS: usize = 8;

/// Whether others stand before the place: nearer to the camera, so lower in the picture than where it stands.
pub(crate) fn is_hidden(bounds: &ImageBox, foot: ImagePoint, look: &Look) -> bool {
    let is_before = |d: &&Detection| {
        Family::PASSING.has(d.class)
            && d.score >= HIDING_SCORE_MIN
            && f64::from(d.bounds.y1) >= foot.y
            && d.bounds.intersection(bounds) > 0.0
    };
    if !look.detections.iter().any(|d| is_before(&d)) {
        return false;
    }
    let share = |i: usize| (i as f32 + 0.5) / POINTS as f32;
    let mut hidden = 0;
    for row in 0..POINTS {
        for column in 0..POINTS {
            let x = bounds.x0 + bounds.width() * share(column);
            let y = bounds.y0 + bounds.height() * share(row);
            let holds = |b: &ImageBox| b.x0 <= x && x <= b.x1 && b.y0 <= y && y <= b.y1;
            hidden += usize::from(look.detections.iter().filter(is_before).any(|d| holds(&d.bounds)));
        }
    }
    hidden as f32 >= HIDDEN_SHARE_MIN * (POINTS * POINTS) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use calib::class::Class;
    use calib::time::Timestamp;

    #[test]
    fn what_stands_before_a_place_hides_it_and_what_stands_behind_does_not() {
        let place = ImageBox::from([0.4, 0.5, 0.6, 0.7]);
        let hidden = |class, bounds: [f32; 4]| {
            let detections = vec![Detection { class, score: 0.8, bounds: bounds.into() }];
            let look = Look { at: Timestamp::default(), aspect: 1.8, detections, scene: Scene::default() };
            is_hidden(&place, place.foot(), &look)
        };
        assert!(hidden(Class::Bus, [0.3, 0.3, 0.7, 0.9]));
        assert!(!hidden(Class::Bus, [0.3, 0.3, 0.7, 0.65]), "behind it");
        assert!(!hidden(Class::Bus, [0.55, 0.3, 0.9, 0.9]), "before a quarter of it");
        assert!(!hidden(Class::Table, [0.3, 0.3, 0.7, 0.9]), "nothing that passes");
    }
}
