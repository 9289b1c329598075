//! The thresholds and times that a camera's file may set, in the units of a thumb.

/// Limits of one camera. Pairs are the value at which a fault is entered and the one at which it is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// How far a view lies off, pixels of a thumb. Left where half of the picture agrees again.
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            moved_px: 1.4,
            covered: (0.65, 0.5),
            blurred: (0.5, 0.65),
            dark: (30.0, 40.0),
            glare: (0.4, 0.3),
            frozen_ms: 120_000,
            fault_looks: 3,
            settle_looks: 1,
            follow_ms: 900_000.0,
            still_ms: 8_000,
            absorb_ms: 24 * 3_600_000,
            days_max: 14,
        }
    }
}
