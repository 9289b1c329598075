//! Whole runs of a small county: the same bytes always, and nothing true missed or false told where it once was.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

mod seeds;
mod snapshot;

use sim::{Config, Outcome, run};

/// A run's event log and what it came to.
fn logged(config: &Config) -> (String, Outcome) {
    let mut log = String::new();
    let mut line = |text: &str| {
        log.push_str(text);
        log.push('\n');
    };
    let outcome = run(config, &mut line, &mut |_| {}).unwrap();
    (log, outcome)
}
