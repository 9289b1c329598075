//! `shirong sim` as a user types it.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    let small = ["sim", "--days", "1", "--cameras", "2", "--cadence", "600"];
    Command::new(env!("CARGO_BIN_EXE_shirong")).args(small).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn standard_output_holds_the_events_alone_or_the_score_alone_or_the_table() {
    let table = "looks, ";
    let run = sim(&["--events", "-"]);
    assert!(run.status.success() && text(&run.stderr).contains(table), "{run:?}");
    for line in text(&run.stdout).lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    let run = sim(&["--json", "-"]);
    let score: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(score["looks"].as_u64() > Some(0) && !text(&run.stderr).contains(table), "{run:?}");
    assert!(text(&sim(&[]).stdout).contains(table));
    let run = sim(&["--json", "-", "--events", "-"]);
    assert_eq!((run.status.code(), text(&run.stdout)), (Some(2), ""));
    assert!(text(&run.stderr).contains("give one of them a file"), "{run:?}");
}

#[test]
fn a_file_that_cannot_be_written_ends_the_run_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/folder/score.json").display().to_string();
    // A run of all of these takes minutes.
    let run = sim(&["--seeds", "10000", "--json", &nowhere]);
    assert_eq!((run.status.code(), text(&run.stdout)), (Some(1), ""));
    assert!(text(&run.stderr).contains("score.json"), "{run:?}");
}
