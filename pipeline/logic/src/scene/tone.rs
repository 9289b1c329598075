//! Luma to levels, in which a change of light is an addition.
//!
//! `level = 255 ln(1 + y / DARK) / ln(1 + 255 / DARK)`. A shadow multiplies what a surface sends back (the
//! Retinex model, Land & McCann 1971), so in levels it adds a constant and leaves every difference between
//! neighbours as it was. `DARK` keeps sensor noise in black from becoming texture. Gamma does no harm: a power
//! of a product is a product.

use std::sync::LazyLock;

/// The luma below which levels are nearly linear.
const DARK: f32 = 24.0;

static LEVELS: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let scale = 255.0 / (1.0 + 255.0 / DARK).ln();
    std::array::from_fn(|luma| (scale * (1.0 + luma as f32 / DARK).ln() + 0.5) as u8)
});

/// Levels of a luma plane.
pub(super) fn levels_from_luma(luma: &[u8], levels: &mut Vec<u8>) {
    let table = &*LEVELS;
    levels.clear();
    levels.extend(luma.iter().map(|&value| table[usize::from(value)]));
}

/// The luma of a level, to within the table's steps.
pub(super) fn luma_from_level(level: u8) -> u8 {
    let scale = 255.0 / (1.0 + 255.0 / DARK).ln();
    (DARK * ((f32::from(level) / scale).exp() - 1.0) + 0.5).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_comes_back_within_three_grey_levels() {
        let mut levels = Vec::new();
        levels_from_luma(&(0..=255).collect::<Vec<u8>>(), &mut levels);
        for (luma, &level) in levels.iter().enumerate() {
            assert!((i32::from(luma_from_level(level)) - luma as i32).abs() <= 3, "{luma}");
        }
    }
}
