//! A sample of `make faults`: cameras with every fault at once come back, and those without notice nothing.

use std::process::Command;

#[test]
fn cameras_come_back_from_every_fault_and_the_others_look_on() {
    let run =
        Command::new(env!("CARGO_BIN_EXE_faults")).args(["--short", "streams"]).output().expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complaints}");
    assert!(said.lines().filter(|line| line.starts_with("| ")).count() > 16, "{said}");
}
