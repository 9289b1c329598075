//! What is shipped beside the program says the truth about it: alerts, dashboard, guide, threat model, unit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::street::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words of a text that are made of a metric's signs.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect()
}

/// Every metric of ours that the alerts and the dashboard name.
fn watched() -> BTreeSet<String> {
    let both = read("deploy/prometheus/alerts.yml") + &read("deploy/grafana/shirong.json");
    let ours = |word: &&str| {
        let own = word.strip_prefix("shirong_").or_else(|| word.strip_prefix("desk_"));
        own.is_some_and(|rest| !rest.is_empty())
    };
    words(&both).into_iter().filter(ours).map(str::to_owned).collect()
}

/// Called by a test that has a node at hand.
pub(crate) fn every_watched_metric_is_told(metrics: &[&str]) {
    let watched = watched();
    assert!(watched.len() > 12, "{watched:?}");
    let told: BTreeSet<&str> = metrics
        .iter()
        .flat_map(|text| text.lines().filter(|line| !line.starts_with('#')))
        .map(|line| line.split(['{', ' ']).next().unwrap_or_default())
        .collect();
    for name in &watched {
        assert!(told.contains(name.as_str()), "{name} is watched and nowhere told: {told:?}");
    }
}

#[test]
fn every_alert_is_explained_and_every_explanation_has_its_alert() {
    let alerts = read("deploy/prometheus/alerts.yml");
    let alerts: BTreeSet<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let guide = read("deploy/OPERATIONS.md");
    let explained: BTreeSet<&str> =
        guide.lines().filter_map(|line| line.strip_prefix("### Shirong")).collect();
    let explained: BTreeSet<String> = explained.into_iter().map(|name| format!("Shirong{name}")).collect();
    assert!(alerts.len() > 8);
    assert_eq!(alerts.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), explained);
    let board: serde_json::Value = serde_json::from_str(&read("deploy/grafana/shirong.json")).unwrap();
    for panel in board["panels"].as_array().unwrap() {
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{panel}");
    }
}

/// The names in the last column of SECURITY.md's tables, each in backticks.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let model = read("SECURITY.md");
    let rows = model.lines().filter(|line| line.starts_with('|') && line.matches('|').count() == 4);
    let rows: Vec<&str> = rows.filter(|row| !row.contains("---") && !row.contains("| test |")).collect();
    assert!(rows.len() > 15, "{}", rows.len());
    let tests = every_test();
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows it: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test `{name}`: {row}");
        }
    }
}

/// The names of all functions that stand under a `#[test]` or `#[tokio::test]`.
fn every_test() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["calib", "models", "pipeline", "samples", "fuzz"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_of(&path));
            }
        }
    }
    names
}

fn tests_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut names = Vec::new();
    let mut is_next = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_next = true;
        } else if let Some((_, rest)) = line.split_once("fn ")
            && is_next
        {
            names.extend(rest.split('(').next().map(str::to_owned));
            is_next = false;
        }
    }
    names
}

/// Where systemd's own tool is installed: how much a broken process could still do.
#[test]
fn the_unit_leaves_a_broken_process_little_to_do() {
    let unit = root().join("deploy/shirong.service");
    let tool = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=15"])
        .arg(&unit)
        .output();
    let Ok(output) = tool else {
        println!("systemd-analyze is not installed: the unit is not judged here");
        return;
    };
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "over 1.5 of 10: {said}");
}
