//! The page of knobs, made of what a camera's reader asks for and says of it.
//!
//! In: nothing but the reader. Out: Markdown. Never: a second list of keys.

use std::fmt::Write;

use crate::camera::Camera;
use crate::check::{Asked, Effect, Form, Source};
use crate::matter::Catalogue;
use crate::schema::EVERY_TABLE;

const HEAD: &str = "\
# Knobs of a camera

Every key of a camera's file, made of what its reader asks for; change the reader and run
`cargo run -p calib --example make_knobs > calib/KNOBS.md`. Keys of `[stream]`, `[scene]` and `[[rule]]` may stand in the
node's `[defaults]` and in a `[group.NAME]` too, those of a rule under `[defaults.rule.KIND]`.

*Where* says which part of the product a key takes effect in. `kept for …`: it is read, checked and kept, and does nothing
until that part takes it up.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let asked = asked();
    let mut tables: Vec<&str> = asked.iter().map(|key| table_of(&key.path)).collect();
    tables.dedup();
    let mut done: Vec<&str> = Vec::new();
    for table in tables {
        // A preset's calibration has the keys of the home view's.
        if done.contains(&table) || table.starts_with("preset[].calibration") {
            continue;
        }
        done.push(table);
        let _ = write!(
            page,
            "\n## {}\n\n| key | takes | default | what it does | where |\n|---|---|---|---|---|\n",
            heading(table)
        );
        for key in asked.iter().filter(|key| table_of(&key.path) == table) {
            row(&mut page, key);
        }
    }
    page
}

/// Keys of which the reader does not say what they are for.
pub fn unexplained() -> Vec<String> {
    asked().into_iter().filter(|key| key.about.is_none()).map(|key| key.path).collect()
}

fn asked() -> Vec<Asked> {
    let mut source = Source::new("every-table.toml", EVERY_TABLE).noting();
    let mut root = source.root();
    let _ = Camera::read(&mut source, &mut root, &Catalogue::builtin());
    source.into_asked()
}

fn table_of(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(table, _)| table)
}

fn heading(table: &str) -> String {
    match table.strip_suffix("[]") {
        _ if table.is_empty() => "The file itself".to_owned(),
        Some(list) => format!("`[[{}]]`", list.replace("[]", "")),
        None => format!("`[{}]`", table.replace("[]", "")),
    }
}

fn row(page: &mut String, key: &Asked) {
    let name = key.path.rsplit('.').next().unwrap_or(&key.path);
    let (default, does, place) = match &key.about {
        None => ("", "", String::new()),
        Some(about) => {
            let place = match about.effect {
                Effect::Now(place) => place.to_owned(),
                Effect::Kept(place) => format!("kept for {place}"),
            };
            (about.default.as_str(), about.does, place)
        }
    };
    let default = if key.required { "must be there" } else { default };
    let _ =
        writeln!(page, "| `{name}` | {} | {} | {} | {place} |", takes(&key.form), cell(default), cell(does));
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn takes(form: &Form) -> String {
    let words = |words: &[String]| words.join(", ");
    match form {
        Form::Text => "text".to_owned(),
        Form::Word(of) => words(of),
        Form::Switch => "true, false".to_owned(),
        Form::Number(low, high) => format!("{low} to {high}"),
        Form::Whole(low, high) => format!("{low} to {high}, whole"),
        Form::Texts => "list of texts".to_owned(),
        Form::Wholes(low, high) => format!("list of {low} to {high}"),
        Form::Words(of) => format!("list of {}", words(of)),
        Form::Pair => "two numbers".to_owned(),
        Form::Pairs => "list of points".to_owned(),
        Form::Table => "table".to_owned(),
        Form::Tables => "list of tables".to_owned(),
        Form::Named => "named tables".to_owned(),
    }
}
