//! The thresholds and times that a camera's file may set, in the units of a thumb.

use calib::scene::{Gate, SceneKnobs};

use super::thumb::THUMB_WIDTH;

/// Limits of one camera. Pairs are the value at which a fault is entered and the one at which it is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// How far a view lies off, pixels of a thumb. It is in place, now or again, where a quarter of its patches is
    /// found where it was.
    pub(super) moved_px: f32,
    /// Part of the reference's textured sectors that is lost.
    pub(super) covered: (f32, f32),
    /// Fine edges against the reference's.
    pub(super) blurred: (f32, f32),
    /// Mean luma of the brightest tenth.
    pub(super) dark: (f32, f32),
    /// White part of the picture.
    pub(super) glare: (f32, f32),
    /// Time without noise.
    pub(super) frozen_ms: i64,
    /// Looks that a sign must last.
    pub(super) fault_looks: u32,
    /// Looks thrown away after the camera turned.
    pub(super) settle_looks: u32,
    /// Time constant of following a tile that hardly agrees.
    pub(super) follow_ms: f32,
    /// How long a change must stand before it is told of.
    pub(super) still_ms: i64,
    /// How long it must be watched before it is normal.
    pub(super) absorb_ms: i64,
    /// Days of building that are kept.
    pub(super) days_max: usize,
}

impl From<&SceneKnobs> for Limits {
    fn from(knobs: &SceneKnobs) -> Self {
        let gate = |gate: Gate| (gate.enter as f32, gate.leave as f32);
        let ms = |secs: f64| (secs * 1000.0).round() as i64;
        Self {
            moved_px: knobs.moved as f32 * THUMB_WIDTH as f32,
            covered: gate(knobs.covered),
            blurred: gate(knobs.blurred),
            dark: gate(knobs.dark),
            glare: gate(knobs.glare),
            frozen_ms: ms(knobs.frozen_secs),
            fault_looks: knobs.fault_looks,
            settle_looks: knobs.settle_looks,
            follow_ms: ms(knobs.follow_secs) as f32,
            still_ms: ms(knobs.still_secs),
            absorb_ms: ms(knobs.absorb_hours * 3600.0),
            days_max: knobs.memory_days as usize,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&SceneKnobs::default())
    }
}
