//! The gate before the decoder: how much has moved on a street since it was last looked at, from the sizes of the
//! compressed pictures between two key frames, for nothing.
//!
//! In: these sizes at every key frame, and of every look whether it showed a change. Out: whether this key frame may
//! pass undecoded. Never: a street left alone for longer than its floor; a pass while something waits to be judged; a
//! clock (`at` is the time of arrival).
//!
//! An encoder of a constant quality spends next to nothing where nothing moves. One of a constant rate spends the
//! same whatever happens, and then sizes say nothing. Which of the two a camera is cannot be known, so it is found
//! out: every look that is taken teaches which sizes went with a change. Passed are only sizes that lie well under
//! every one of these; where a change came without its bytes, nothing passes until that is forgotten, and then only
//! looks of the floor can teach the opposite. A fixed threshold lost: a camera's noise alone makes more bytes at
//! night than a person by day.

use std::collections::VecDeque;

use calib::time::Timestamp;

use crate::scene::{THUMB_WIDTH, Thumb};

/// Looks that are remembered, with a change and without one.
const LESSONS_MAX: usize = 64;
/// Looks without a change that must be known before one is passed.
const CALM_MIN: usize = 6;
/// How far over the largest calm size a street still counts as calm.
const CALM_SLACK: f32 = 1.1;
/// How far under the smallest size that came with a change it must lie.
const CHANGE_MARGIN: f32 = 1.15;
/// A street that has moved is looked at for so long after, milliseconds: what was left there must be seen to stay.
pub const AFTER_MS: i64 = 20_000;
/// A lesson counts so long, milliseconds: by evening the noise of the noon says nothing.
const LESSON_MS_MAX: i64 = 3 * 3_600_000;

/// What the compressed pictures between two key frames tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Time of the key frame after them.
    pub at: Timestamp,
    /// Their mean size, bytes.
    pub mean_bytes: f32,
    /// The largest of them, bytes.
    pub peak_bytes: f32,
}

/// What one look taught.
#[derive(Debug, Clone, Copy)]
struct Lesson {
    at: Timestamp,
    mean_bytes: f32,
    peak_bytes: f32,
}

/// One camera's gate.
#[derive(Debug)]
pub struct Quiet {
    floor_ms: i64,
    /// Looks without a change.
    calm: VecDeque<Lesson>,
    /// Looks with one.
    changed: Vec<Lesson>,
    /// The largest of what came since the latest look.
    since: Option<Motion>,
    looked_at: Option<Timestamp>,
    /// When the latest key frame came.
    last_at: Option<Timestamp>,
    /// Until when it is looked at whatever the sizes say.
    awake_until: Option<Timestamp>,
    /// Something waits to be judged, or the view cannot be.
    is_needed: bool,
}

impl Quiet {
    /// A gate that lets no street alone for longer than `floor_ms`; 0: it passes nothing.
    pub fn new(floor_ms: i64) -> Self {
        Self {
            floor_ms,
            calm: VecDeque::new(),
            changed: Vec::new(),
            since: None,
            looked_at: None,
            last_at: None,
            awake_until: None,
            is_needed: true,
        }
    }

    /// Whether the key frame may pass undecoded. `false`: it is looked at, and [`Quiet::looked`] is to follow.
    pub fn passes(&mut self, motion: &Motion) -> bool {
        let since = match self.since {
            // A quiet moment must not hide what moved before it.
            Some(since) => Motion {
                at: motion.at,
                mean_bytes: since.mean_bytes.max(motion.mean_bytes),
                peak_bytes: since.peak_bytes.max(motion.peak_bytes),
            },
            None => *motion,
        };
        self.since = Some(since);
        let step_ms = self.last_at.replace(motion.at).map_or(0, |last| motion.at.millis_since(last)).max(0);
        if self.is_needed || self.floor_ms == 0 {
            return false;
        }
        let Some(looked_at) = self.looked_at else { return false };
        let gone_ms = motion.at.millis_since(looked_at);
        // The next key frame comes about as much later: it must not be later than the floor.
        let is_due = gone_ms < 0 || gone_ms + step_ms > self.floor_ms;
        if is_due || self.awake_until.is_some_and(|until| motion.at < until) {
            return false;
        }
        // Where it is not, the look shows whether anything has changed, and the street is looked at for longer.
        self.is_calm(&since)
    }

    /// A look was taken at `at`. `is_changed`: it shows something else than the look before, `None` where there was
    /// none to hold it against, and nothing is learnt; `is_needed`: the next ones must be taken whatever the sizes say.
    pub fn looked(&mut self, at: Timestamp, is_changed: Option<bool>, is_needed: bool) {
        self.is_needed = is_needed;
        self.looked_at = Some(at);
        if is_changed == Some(true) {
            self.awake_until = Some(at.plus_millis(AFTER_MS));
        }
        // Without anything between two looks nothing is learnt.
        let (Some(Motion { mean_bytes, peak_bytes, .. }), Some(is_changed)) = (self.since.take(), is_changed)
        else {
            return;
        };
        let is_fresh = |lesson: &Lesson| (0..LESSON_MS_MAX).contains(&at.millis_since(lesson.at));
        self.calm.retain(is_fresh);
        self.changed.retain(is_fresh);
        let lesson = Lesson { at, mean_bytes, peak_bytes };
        if !is_changed {
            if self.calm.len() == LESSONS_MAX {
                self.calm.pop_front();
            }
            self.calm.push_back(lesson);
            return;
        }
        self.changed.push(lesson);
        if self.changed.len() > LESSONS_MAX {
            // The smallest ones bind: the largest may be forgotten.
            self.changed.sort_by(|a, b| a.mean_bytes.total_cmp(&b.mean_bytes));
            self.changed.pop();
        }
    }

    /// Whether sizes are like those of calm looks and well under all that went with a change.
    fn is_calm(&self, motion: &Motion) -> bool {
        if self.calm.len() < CALM_MIN {
            return false;
        }
        let most = |of: fn(&Lesson) -> f32| CALM_SLACK * self.calm.iter().map(of).fold(0.0, f32::max);
        let is_like_calm = motion.mean_bytes <= most(|lesson| lesson.mean_bytes)
            && motion.peak_bytes <= most(|lesson| lesson.peak_bytes);
        // One of the two telling a change apart is enough: a short one shows in the peak, a long one in the mean.
        let is_under = |lesson: &Lesson| {
            motion.mean_bytes * CHANGE_MARGIN <= lesson.mean_bytes
                || motion.peak_bytes * CHANGE_MARGIN <= lesson.peak_bytes
        };
        is_like_calm && self.changed.iter().all(is_under)
    }
}

/// Pixels of a thumb across and down a tile.
const TILE: usize = 8;
/// Grey levels that the mean of a tile must move by, beside what the whole picture does.
const TILE_CHANGE_MIN: i32 = 7;

/// Whether two pictures of one view show something else: anything larger than a bag, a shadow's edge too. A light that
/// all of it goes with is no change.
pub fn differs(before: &Thumb, now: &Thumb) -> bool {
    if before.height() != now.height() {
        return true;
    }
    let (columns, rows) = (THUMB_WIDTH / TILE, now.height() / TILE);
    let mut moved = vec![0_i32; columns * rows];
    let lines = before.luma().chunks_exact(THUMB_WIDTH).zip(now.luma().chunks_exact(THUMB_WIDTH));
    for (row, (before, now)) in lines.take(rows * TILE).enumerate() {
        let tiles = before.chunks_exact(TILE).zip(now.chunks_exact(TILE));
        for (sum, (before, now)) in moved[row / TILE * columns..].iter_mut().zip(tiles) {
            *sum +=
                now.iter().zip(before).map(|(now, before)| i32::from(*now) - i32::from(*before)).sum::<i32>();
        }
    }
    let mut in_order = moved.clone();
    in_order.sort_unstable();
    let light = in_order.get(in_order.len() / 2).copied().unwrap_or(0);
    let most = TILE_CHANGE_MIN * (TILE * TILE) as i32;
    moved.iter().any(|sum| (sum - light).abs() >= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR_MS: i64 = 60_000;

    struct Street {
        quiet: Quiet,
        at: Timestamp,
        looks: Vec<i64>,
    }

    impl Street {
        fn new() -> Self {
            Self { quiet: Quiet::new(FLOOR_MS), at: Timestamp::from_millis(1_000_000), looks: Vec::new() }
        }

        /// A key frame two seconds after the one before; whether it was looked at.
        fn key(&mut self, bytes: f32, is_changed: bool, is_needed: bool) -> bool {
            self.at = self.at.plus_millis(2_000);
            let motion = Motion { at: self.at, mean_bytes: bytes, peak_bytes: 1.5 * bytes };
            let is_looked_at = !self.quiet.passes(&motion);
            if is_looked_at {
                self.quiet.looked(self.at, Some(is_changed), is_needed);
                self.looks.push(self.at.as_millis());
            }
            is_looked_at
        }

        /// So many key frames of a street on which nothing moves but noise; how many were looked at.
        fn calm(&mut self, keys: usize) -> usize {
            (0..keys).filter(|at| self.key(1000.0 + (at * 37 % 30) as f32, false, false)).count()
        }
    }

    #[test]
    fn a_calm_street_is_looked_at_at_its_floor_and_never_later() {
        let mut street = Street::new();
        street.calm(30);
        let before = street.looks.len();
        let looked = street.calm(300);
        assert!(looked <= 300 / 29 + 1, "{looked} of 300");
        let gaps: Vec<i64> = street.looks[before..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap <= FLOOR_MS), "{gaps:?}");
    }

    #[test]
    fn what_moves_is_looked_at_at_once_and_for_a_while_after() {
        let mut street = Street::new();
        street.calm(60);
        assert!(street.key(1600.0, true, false), "somebody comes");
        let after = street.calm(AFTER_MS as usize / 2_000 - 1);
        assert_eq!(after, AFTER_MS as usize / 2_000 - 1, "and what he left is seen to stay");
        assert!(street.calm(60) < 10);
    }

    #[test]
    fn what_moved_is_not_forgotten_where_its_look_was_lost() {
        let mut street = Street::new();
        street.calm(60);
        // A newer frame took its place before the detector came to it, and for a while after.
        let mut passed = Vec::new();
        for key in 0..25 {
            street.at = street.at.plus_millis(2_000);
            let bytes = if key == 0 { 1600.0 } else { 1000.0 };
            let motion = Motion { at: street.at, mean_bytes: bytes, peak_bytes: 1.5 * bytes };
            passed.push(street.quiet.passes(&motion));
        }
        assert!(passed.iter().all(|passed| !passed), "{passed:?}");
    }

    #[test]
    fn nothing_passes_while_something_waits_to_be_judged() {
        let mut street = Street::new();
        street.calm(60);
        while !street.key(1000.0, false, true) {}
        assert!((0..40).all(|_| street.key(1000.0, false, true)), "each is needed");
        assert!(street.key(1000.0, false, false));
        assert!(street.calm(60) < 10);
    }

    #[test]
    fn a_camera_of_constant_rate_is_found_out_and_every_picture_of_it_looked_at() {
        let mut street = Street::new();
        // Changes cost no byte more than calm.
        for key in 0..60 {
            street.key(1000.0 + (key * 37 % 30) as f32, key % 5 == 0, false);
        }
        let looked = (0..100).filter(|key| street.key(1000.0 + (key * 37 % 30) as f32, key % 5 == 0, false));
        assert_eq!(looked.count(), 100);
    }

    #[test]
    fn one_change_without_its_bytes_shuts_a_calm_street_s_gate() {
        let mut street = Street::new();
        street.calm(60);
        while !street.key(1010.0, true, false) {}
        assert_eq!(street.calm(200), 200, "seen by a look of the floor");
        // Only where the lesson has grown old is it tried again.
        street.at = street.at.plus_millis(LESSON_MS_MAX);
        street.calm(20);
        assert!(street.calm(100) < 20);
    }

    /// A textured street with noise, so much lighter, a bag of so many grey levels on it.
    fn picture(seed: u32, light: i32, bag: i32) -> Thumb {
        let luma = (0..THUMB_WIDTH * 180).map(|at| {
            let (x, y) = (at % THUMB_WIDTH, at / THUMB_WIDTH);
            let noise = (at as u32).wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 29;
            let is_bag = (100..106).contains(&x) && (120..126).contains(&y);
            let grey = 90 + (x / 16 + y / 16) as i32 % 5 * 20 + noise as i32 - 3 + light;
            (grey + if is_bag { bag } else { 0 }).clamp(0, 255) as u8
        });
        Thumb::from_luma(luma.collect()).unwrap()
    }

    #[test]
    fn a_bag_is_a_change_and_neither_noise_nor_a_cloud_is() {
        let before = picture(1, 0, 0);
        assert!(!differs(&before, &picture(2, 0, 0)), "noise");
        assert!(!differs(&before, &picture(3, 25, 0)), "a cloud");
        assert!(differs(&before, &picture(2, 0, -60)), "a bag of six pixels of a thumb");
        assert!(differs(&before, &picture(2, 25, 60)), "in other light");
    }

    #[test]
    fn a_look_that_is_held_against_none_teaches_nothing() {
        let mut street = Street::new();
        street.calm(60);
        // Its camera's file was edited: the look after it has none before it.
        while street.quiet.passes(&Motion { at: street.at, mean_bytes: 1000.0, peak_bytes: 1500.0 }) {
            street.at = street.at.plus_millis(2_000);
        }
        street.quiet.looked(street.at, None, false);
        assert!(street.calm(60) < 10);
    }

    #[test]
    fn without_a_floor_nothing_passes_and_a_clock_set_back_lets_no_street_alone() {
        let mut never = Street { quiet: Quiet::new(0), ..Street::new() };
        assert_eq!(never.calm(100), 100);
        let mut street = Street::new();
        street.calm(60);
        street.at = street.at.plus_millis(-3_600_000);
        assert!(street.key(1000.0, false, false));
    }
}
