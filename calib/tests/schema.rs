//! The schema for editors is what the reader asks for, and every sample camera keeps to it.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use calib::schema;
use serde_json::{Value, json};

const CHECKED_IN: &str = include_str!("../schema/camera.schema.json");

#[test]
fn the_checked_in_schema_is_what_the_reader_asks_for() {
    let checked_in: Value = serde_json::from_str(CHECKED_IN).unwrap();
    assert!(
        schema::camera() == checked_in,
        "cargo run -p calib --example make_schema > calib/schema/camera.schema.json"
    );
}

/// A table that `every-table.toml` does not have would be without keys.
#[test]
fn every_table_has_its_keys() {
    fn walk(at: &str, schema: &Value) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return schema.get("items").map_or((), |items| walk(at, items));
        };
        assert!(!properties.is_empty(), "add [{at}] to calib/schema/every-table.toml");
        properties.iter().for_each(|(key, below)| walk(&format!("{at}.{key}"), below));
    }
    walk("", &schema::camera());
}

fn as_json(toml: &str) -> Value {
    let table: toml::Table = toml.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

#[test]
fn every_sample_camera_keeps_to_it() {
    let schema: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/cameras")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&as_json(&text)).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn it_refuses_what_the_reader_refuses() {
    let schema: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good = json!({
        "name": "a",
        "stream": { "url": "rtsp://192.0.2.1/", "transport": "udp" },
        "zone": [{ "id": "a", "kind": "road", "polygon": [[0, 0], [1, 0], [1, 1]] }],
        "rule": [{ "kind": "litter", "dwell_secs": 60, "classes": ["garbage"] }],
    });
    assert!(validator.is_valid(&good));
    for (pointer, value) in [
        ("/stream/transport", json!("tpc")),
        ("/stream/password", json!("hunter2")),
        ("/stream/silent_secs_max", json!(0)),
        ("/zone/0/kind", json!("raod")),
        ("/zone/0/polygon", json!([[0, 0, 0]])),
        ("/rule/0/kind", json!("liter")),
        ("/rule/0/classes", json!(["garbag"])),
        ("/rule/0/dwel_secs", json!(60)),
        ("/rule/0/hits_min", json!(1)),
        ("/zones", json!([])),
    ] {
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[key] = value;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}
