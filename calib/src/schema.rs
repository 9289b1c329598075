//! JSON Schema for editors, made of what a reader asks for.
//!
//! In: the keys that a reader of [`crate::check`] asked for while it read a file with every table in it. Out: a
//! JSON Schema (2020-12). Never: a second list of keys; a key that the reader does not ask for is not in it.
//! Defaults may come from a node's file, so that of the keys only those are required that no other file can
//! give: the `id` of a list's member, a `kind`.

use serde_json::{Map, Value, json};

use crate::camera::Camera;
use crate::check::{Asked, Form, Source};
use crate::matter::Catalogue;

/// A camera file with each table once, so that its reader asks for every key.
pub(crate) const EVERY_TABLE: &str = include_str!("../schema/every-table.toml");

/// The schema of a camera's file.
pub fn camera() -> Value {
    let mut source = Source::new("every-table.toml", EVERY_TABLE).noting();
    let mut root = source.root();
    let _ = Camera::read(&mut source, &mut root, &Catalogue::builtin());
    of("Shirong camera", "One camera: stream, calibration, zones, rules.", &source.into_asked())
}

/// The schema of a node's file whose reader asked for these keys; what cameras inherit is a camera's.
pub fn node(asked: &[Asked]) -> Value {
    let mut node = of("Shirong node", "shirong.toml: model, papers, desk, what cameras inherit.", asked);
    let defaults = defaults();
    if let Some(properties) = node["properties"].as_object_mut() {
        properties.insert("group".into(), json!({ "type": "object", "additionalProperties": defaults }));
        properties.insert("defaults".into(), defaults);
    }
    node
}

/// A camera's keys without those that are a camera's own, and its rules by their kinds.
fn defaults() -> Value {
    let mut camera = camera();
    let kinds = camera["properties"]["rule"]["items"]["properties"]["kind"]["enum"].take();
    let mut rule = camera["properties"]["rule"]["items"].take();
    let mut keys = camera["properties"].take();
    let own: [(&mut Value, &[&str]); 2] = [
        (
            &mut keys,
            &["name", "group", "zone", "calibration", "preset", "channel", "grid", "speaker", "mask"],
        ),
        (&mut rule["properties"], &["kind", "zones", "matter", "matter_moving", "matter_site"]),
    ];
    for (table, own) in own {
        own.iter().for_each(|key| _ = table.as_object_mut().and_then(|table| table.remove(*key)));
    }
    rule.as_object_mut().and_then(|rule| rule.remove("required"));
    let kinds = kinds.as_array().into_iter().flatten().filter_map(Value::as_str);
    let rules: Map<String, Value> = kinds.map(|kind| (kind.to_owned(), rule.clone())).collect();
    keys["rule"] = json!({ "type": "object", "properties": rules, "additionalProperties": false });
    if let Some(stream) = keys["stream"].as_object_mut() {
        stream.remove("required");
    }
    json!({ "type": "object", "properties": keys, "additionalProperties": false })
}

/// The schema of a file whose reader asked for these keys.
pub fn of(title: &str, description: &str, asked: &[Asked]) -> Value {
    let mut root = table("", asked);
    let object = root.as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut whole = Map::new();
    whole.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("title".into(), json!(title));
    whole.insert("description".into(), json!(description));
    whole.extend(object);
    Value::Object(whole)
}

/// The table at a path and all below it.
fn table(path: &str, asked: &[Asked]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in asked {
        let Some(name) = child(path, &key.path) else { continue };
        properties.insert(name.to_owned(), value(key, asked));
        if key.required {
            required.push(name.to_owned());
        }
    }
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

/// The name of a key directly under a path.
fn child<'k>(path: &str, key: &'k str) -> Option<&'k str> {
    let rest = if path.is_empty() { key } else { key.strip_prefix(path)?.strip_prefix('.')? };
    (!rest.contains('.')).then_some(rest)
}

fn value(key: &Asked, asked: &[Asked]) -> Value {
    let pair = || json!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 });
    match &key.form {
        Form::Text => json!({ "type": "string" }),
        Form::Word(words) => json!({ "enum": words }),
        Form::Switch => json!({ "type": "boolean" }),
        Form::Number(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
        Form::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Words(words) => json!({ "type": "array", "items": { "enum": words }, "minItems": 1 }),
        Form::Wholes(low, high) => {
            json!({ "type": "array", "items": { "type": "integer", "minimum": low, "maximum": high } })
        }
        Form::Pair => pair(),
        Form::Pairs => json!({ "type": "array", "items": pair() }),
        Form::Table => table(&key.path, asked),
        Form::Tables => json!({ "type": "array", "items": table(&format!("{}[]", key.path), asked) }),
        Form::Named => json!({ "type": "object", "additionalProperties": { "type": "object" } }),
    }
}
