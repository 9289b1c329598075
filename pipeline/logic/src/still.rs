//! The gate after the decoder: whether what the model last saw of a street still stands, so that it need not look again.
//!
//! In: the small luma picture of each look, and which of them the model saw. Out: whether this one shows the same. Never:
//! a street that the model leaves alone for longer than its floor; a clock.
//!
//! Held against is the picture that the model saw last and not the look before, so that what changes slowly adds up. The
//! whole picture counts and not the zones alone: people beside a zone are masked in evidence by where the model saw them.

use std::sync::Arc;

use calib::time::Timestamp;

use crate::quiet::differs;
use crate::scene::Thumb;

/// One camera's gate.
#[derive(Debug)]
pub struct Still {
    floor_ms: i64,
    seen: Option<(Timestamp, Arc<Thumb>)>,
}

impl Still {
    /// A gate that lets the model leave no street alone for longer than `floor_ms`; 0: for no look.
    pub fn new(floor_ms: i64) -> Self {
        Self { floor_ms, seen: None }
    }

    /// Whether a look at `at` shows what the model saw last. `is_needed`: something waits to be judged, or the view cannot
    /// be.
    pub fn stands(&self, at: Timestamp, now: &Thumb, is_needed: bool) -> bool {
        let Some((seen_at, seen)) = self.seen.as_ref().filter(|_| !is_needed) else { return false };
        (0..self.floor_ms).contains(&at.millis_since(*seen_at)) && !differs(seen, now)
    }

    /// The model has seen this look.
    pub fn saw(&mut self, at: Timestamp, thumb: Arc<Thumb>) {
        self.seen = (self.floor_ms > 0).then_some((at, thumb));
    }

    /// What it saw counts no more: another model looks.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};

    use super::*;

    const FLOOR_MS: i64 = 60_000;

    /// A grey street of such a level with a thing of such a width on it, pixels.
    fn street(level: u8, thing: usize) -> Arc<Thumb> {
        let (width, height) = (1280, 720);
        let mut luma: Vec<u8> = (0..width * height).map(|at| level + (at * 31 % 7) as u8).collect();
        for row in 300..300 + thing {
            luma[row * width + 600..][..thing].fill(230);
        }
        let colour = vec![128; width * height / 2];
        let view = YuvView {
            width,
            height,
            luma: Plane { data: &luma, stride: width },
            chroma: Chroma::Nv12 { uv: Plane { data: &colour, stride: width } },
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        Arc::new(Thumb::from_view(&view))
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_000 * secs)
    }

    #[test]
    fn what_the_model_saw_stands_until_something_comes_or_the_floor_is_reached() {
        let mut still = Still::new(FLOOR_MS);
        assert!(!still.stands(at(0), &street(90, 0), false), "it has seen nothing yet");
        still.saw(at(0), street(90, 0));
        assert!(still.stands(at(2), &street(90, 0), false));
        assert!(still.stands(at(4), &street(110, 0), false), "a cloud is no news");
        assert!(!still.stands(at(6), &street(90, 64), false), "a bag is");
        assert!(!still.stands(at(8), &street(90, 0), true), "something waits");
        assert!(still.stands(at(59), &street(90, 0), false));
        assert!(!still.stands(at(60), &street(90, 0), false), "the floor");
        assert!(!still.stands(at(-1), &street(90, 0), false), "time went back");
        still.forget();
        assert!(!still.stands(at(2), &street(90, 0), false));
    }

    #[test]
    fn what_changes_slowly_adds_up() {
        let mut still = Still::new(FLOOR_MS);
        let growing = |secs: i64| street(90, 2 * secs as usize);
        still.saw(at(0), growing(0));
        let news = (1..30).find(|secs| !still.stands(at(*secs), &growing(*secs), false));
        assert!(news.is_some_and(|secs| secs < 25), "{news:?}");
    }

    #[test]
    fn without_a_floor_the_model_sees_every_look() {
        let mut still = Still::new(0);
        still.saw(at(0), street(90, 0));
        assert!(!still.stands(at(0), &street(90, 0), false));
    }
}
