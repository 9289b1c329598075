//! A sample of `make faults`: nothing lost, nothing double, evidence intact.

use std::process::Command;

#[test]
fn kills_failing_writes_and_a_bad_platform_lose_nothing_and_double_nothing() {
    for stage in ["platform", "kills", "writes"] {
        holds(stage);
    }
}

fn holds(stage: &str) {
    let run =
        Command::new(env!("CARGO_BIN_EXE_faults")).args(["--short", stage]).output().expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    let last = said.lines().last().unwrap_or_default();
    // What was said holds the seed, with which the run can be had again.
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complaints}");
    assert!(last.starts_with("faults: ") && last.ends_with(" injected, lost 0, double 0"), "{said}");
    assert_ne!(last, "faults: 0 injected, lost 0, double 0");
}
