//! Chance by number: the same seed and the same question give the same throws, on any machine and whatever was
//! thrown for other questions.
//!
//! In: a seed and what the throws are about. Out: numbers. Never: the system's randomness.

/// SplitMix64 (Steele, Lea & Flood 2014): eight bytes of state, a nanosecond a throw, and no library whose next
/// version could throw otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Throws about one thing: a camera, a street on a day.
    pub(crate) fn about(seed: u64, what: &[u64]) -> Self {
        let mut dice = Self(seed ^ 0x5EED_C17E_57A7_E5E5);
        for key in what {
            dice.0 = dice.bits() ^ key.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        }
        dice
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `0..1`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Between two positive numbers, every doubling as likely.
    pub(crate) fn doubling(&mut self, low: f64, high: f64) -> f64 {
        (self.between(low.ln(), high.ln())).exp()
    }

    /// `0..count`.
    pub(crate) fn pick(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// About normal, and never further than 3.5 standard deviations: the sum of four even throws.
    pub(crate) fn near(&mut self, mean: f64, sigma: f64) -> f64 {
        mean + sigma * f64::from(bell(self.bits()))
    }
}

/// A number of mean 0 and deviation 1 from 64 bits, as [`Dice::near`].
pub(crate) fn bell(bits: u64) -> f32 {
    let quarter = |i: u32| f32::from((bits >> (16 * i)) as u16) / 65_536.0;
    // The variance of four even throws is 1/3.
    (quarter(0) + quarter(1) + quarter(2) + quarter(3) - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_hang_on_the_seed_and_the_question_alone() {
        let throw = |seed, what: &[u64]| Dice::about(seed, what).bits();
        assert_eq!(throw(1, &[2, 3]), throw(1, &[2, 3]));
        assert_ne!(throw(1, &[2, 3]), throw(1, &[3, 2]));
        assert_ne!(throw(1, &[2]), throw(2, &[2]));
        assert_ne!(throw(1, &[0]), throw(1, &[0, 0]));
    }

    #[test]
    fn the_bell_has_mean_zero_and_deviation_one() {
        let mut dice = Dice::about(7, &[]);
        let throws: Vec<f64> = (0..100_000).map(|_| dice.near(0.0, 1.0)).collect();
        let mean = throws.iter().sum::<f64>() / throws.len() as f64;
        let variance = throws.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / throws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
