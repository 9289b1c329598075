//! Seeds that went wrong once. Each stays here with what it found, so that it cannot come back.

use sim::{Config, run};

/// Seed, days, what false cases were called in the score, and how many of them are left, at most.
const WENT_WRONG: &[(u64, usize, &str, usize)] = &[
    // Bags against a bin over its rim became a second case whenever the model missed the bin.
    (1, 4, "litter: bin", 2),
    // A market stall whose foot its table moved into the permitted zone was told in that very look.
    (1, 4, "street_vendor: stall with a parasol", 0),
    // An umbrella whose holder the model missed was taken for a parasol.
    (2, 7, "street_vendor: person with an umbrella", 0),
    // A tricycle before a market stall moved the stall's foot out of the permitted zone.
    (2, 7, "street_vendor: parked delivery tricycle", 1),
];

#[test]
fn seeds_that_went_wrong_once_are_right() {
    for (seed, days) in [(1, 4), (2, 7)] {
        let outcome = run(&Config::of(seed, days, 232), &mut |_| {}, &mut |_| {}).unwrap();
        for (_, _, what, most) in WENT_WRONG.iter().filter(|(of, ..)| *of == seed) {
            let found = outcome.score.false_cases.get(*what).copied().unwrap_or_default();
            assert!(found <= *most, "seed {seed}: {what}: {found} in {:?}", outcome.score.false_cases);
        }
        let all = &outcome.score.all;
        assert!(all.recall.unwrap_or(1.0) >= 0.95, "seed {seed}: {:?}", outcome.score.missed);
        assert!(all.duplicates_per_event.unwrap_or(1.0) <= 1.02, "seed {seed}");
    }
}
