//! The event log is the same bytes at every run, on any number of threads and at any pace; and a small one is kept,
//! so that each change of it is read.

use std::time::Duration;

use sim::Config;

use crate::logged;

/// Written anew where this is set: `SHIRONG_WRITE_SNAPSHOTS=1 cargo test -p sim`.
const WRITE: &str = "SHIRONG_WRITE_SNAPSHOTS";
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim/two-days.jsonl");

fn small(seed: u64) -> Config {
    Config::of(seed, 2, 6)
}

fn on_threads(count: usize, config: &Config) -> String {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
    pool.install(|| logged(config).0)
}

#[test]
fn two_runs_of_a_seed_are_the_same_to_the_byte() {
    let (first, second) = (logged(&small(3)), logged(&small(3)));
    assert_eq!(first.0, second.0);
    assert_eq!((first.1.looks, first.1.score), (second.1.looks, second.1.score));
    assert_ne!(first.0, logged(&small(4)).0, "another seed is another county");
}

#[test]
fn one_thread_and_two_tell_the_same() {
    let config = Config::of(5, 2, 12);
    assert_eq!(on_threads(1, &config), on_threads(2, &config));
}

#[test]
fn a_slow_machine_tells_the_same_as_a_fast_one() {
    let slow = |camera: usize| std::thread::sleep(Duration::from_millis(3 * (camera % 3) as u64));
    let config = Config::of(6, 2, 12);
    assert_eq!(on_threads(2, &Config { pace: slow, ..config }), on_threads(2, &config));
}

#[test]
fn two_days_of_six_cameras_tell_what_they_told() {
    let told = logged(&small(1)).0;
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(SNAPSHOT, &told).unwrap();
    }
    let kept = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    for (number, (kept, told)) in kept.lines().zip(told.lines()).enumerate() {
        assert_eq!(kept, told, "line {}; if it is right, run again with {WRITE}=1", number + 1);
    }
    assert_eq!(kept.lines().count(), told.lines().count(), "if it is right, run again with {WRITE}=1");
}
