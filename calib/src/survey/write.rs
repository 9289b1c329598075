//! A calibration written into a camera's file, everything else in it left as a person wrote it.
//!
//! In: the file's text, points and what was solved from them. Out: the new text. Never: files.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use super::SurveyPoint;
use crate::homography::{GroundMap, LensWanted, Setup};
use crate::lens::Lens;

/// Why a calibration cannot be written into a text.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The text is not TOML.
    #[error("the camera's file is not TOML: {0}")]
    NotToml(#[from] toml_edit::TomlError),
    /// A key is there and is something else.
    #[error("`{key}` is not a table of its own; write it as [{key}]")]
    NotATable {
        /// The key.
        key: &'static str,
    },
}

/// The text with the calibration of the home view, or of a preset, put in. Comments, order and all other keys
/// stay; points that were there and are again keep their comments too.
///
/// # Errors
/// A text that is not TOML or has something else in the calibration's place.
pub fn write(
    text: &str,
    preset: Option<&str>,
    setup: &Setup,
    points: &[SurveyPoint],
    map: &GroundMap,
) -> Result<String, WriteError> {
    let mut document: DocumentMut = text.parse()?;
    let parent = match preset {
        None => document.as_table_mut(),
        Some(name) => preset_table(document.as_table_mut(), name)?,
    };
    if !parent.contains_key("calibration") {
        parent.insert("calibration", Item::Table(Table::new()));
    }
    let not_a_table = WriteError::NotATable { key: "calibration" };
    let calibration = parent.get_mut("calibration").and_then(Item::as_table_mut).ok_or(not_a_table)?;
    set(calibration, "image_size", numbers(&setup.image_size, 0));
    if let Some(range_m) = setup.range_m {
        set(calibration, "range_m", rounded(range_m, 1).into());
    }
    if setup.lens == LensWanted::Straight {
        set(calibration, "estimate_lens", false.into());
    }
    write_points(calibration, points, map)?;
    calibration.insert("solved", Item::Table(solved_table(map)));
    Ok(document.to_string())
}

fn preset_table<'d>(root: &'d mut Table, name: &str) -> Result<&'d mut Table, WriteError> {
    let item = root.entry("preset").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let presets = item.as_array_of_tables_mut().ok_or(WriteError::NotATable { key: "preset" })?;
    let is_it = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    if !presets.iter().any(is_it) {
        let mut table = Table::new();
        table.insert("name", value(name));
        presets.push(table);
    }
    let found = presets.iter_mut().find(|table| is_it(table));
    found.ok_or(WriteError::NotATable { key: "preset" })
}

fn write_points(calibration: &mut Table, points: &[SurveyPoint], map: &GroundMap) -> Result<(), WriteError> {
    let kept = map.solved().kept;
    let same = calibration.get("point").and_then(Item::as_array_of_tables).is_some_and(|tables| {
        tables.len() == points.len()
            && std::iter::zip(tables, points)
                .all(|(table, point)| pair_of(table, "pixel") == Some(point.control.pixel.into()))
    });
    if !same {
        let fresh: ArrayOfTables = points.iter().map(|_| Table::new()).collect();
        calibration.insert("point", Item::ArrayOfTables(fresh));
    }
    let tables = calibration.get_mut("point").and_then(Item::as_array_of_tables_mut);
    let tables = tables.ok_or(WriteError::NotATable { key: "calibration.point" })?;
    for (index, (table, point)) in std::iter::zip(tables.iter_mut(), points).enumerate() {
        if let Some(name) = &point.name {
            set(table, "name", name.as_str().into());
        }
        if !same {
            set(table, "pixel", numbers(&<[f64; 2]>::from(point.control.pixel), 3));
        }
        // Nine decimals of a degree are a tenth of a millimetre. Written also where the pixels are the same: a
        // corrected place, or the same numbers in another system, is what the solution below was made of.
        set(table, "lonlat", numbers(&<[f64; 2]>::from(point.control.lon_lat), 9));
        match &point.source {
            Some(origin) => {
                let mut inline = InlineTable::new();
                inline.insert("crs", origin.crs.as_str().into());
                inline.insert("at", numbers(&origin.at, 9));
                set(table, "source", inline.into());
            }
            None => drop(table.remove("source")),
        }
        match map.residuals_px()[index] {
            residual if residual.is_finite() => set(table, "residual_px", rounded(residual, 3).into()),
            _ => drop(table.remove("residual_px")),
        }
        if kept[index] {
            table.remove("outlier");
        } else {
            set(table, "outlier", true.into());
        }
    }
    Ok(())
}

fn pair_of(table: &Table, key: &str) -> Option<[f64; 2]> {
    let number = |v: &Value| v.as_float().or_else(|| v.as_integer().map(|n| n as f64));
    let numbers: Vec<f64> = table.get(key)?.as_array()?.iter().filter_map(number).collect();
    numbers.try_into().ok()
}

fn solved_table(map: &GroundMap) -> Table {
    let solved = map.solved();
    let mut table = Table::new();
    table.decor_mut().set_prefix(
        "\n# Written by `shirong calibrate` from the points above, metres east and north of the origin;\n# without \
         this table they are solved anew at each start.\n",
    );
    table.insert("origin", Item::Value(numbers(&<[f64; 2]>::from(solved.origin), 12)));
    let list = |pairs: [[f64; 2]; 4], digits| -> Value {
        pairs.iter().map(|pair| numbers(pair, digits)).collect::<Array>().into()
    };
    table.insert("ground", Item::Value(list(solved.frame.map(|(ground, _)| ground.into()), 3)));
    table.insert("pinhole", Item::Value(list(solved.frame.map(|(_, pixel)| pixel.into()), 6)));
    table.insert("lens_estimated", value(solved.lens_estimated));
    table.insert("lens", Item::Value(lens_value(&solved.lens)));
    table.insert("mark_sigma_px", value(rounded(solved.control_sigma_px, 6)));
    table.insert("range_m", value(rounded(solved.range_m, 3)));
    table
}

fn lens_value(lens: &Lens) -> Value {
    let mut inline = InlineTable::new();
    inline.insert("centre", numbers(&<[f64; 2]>::from(lens.centre), 3));
    inline.insert("focal_px", rounded(lens.focal_px, 3).into());
    for (key, number) in [("k1", lens.k1), ("k2", lens.k2), ("p1", lens.p1), ("p2", lens.p2)] {
        inline.insert(key, rounded(number, 10).into());
    }
    inline.into()
}

/// Sets a key's value and keeps the comment behind it.
fn set(table: &mut Table, key: &str, new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => drop(table.insert(key, Item::Value(new))),
    }
}

fn numbers(values: &[f64], digits: i32) -> Value {
    let whole = |v: f64| if digits == 0 { Value::from(v as i64) } else { Value::from(rounded(v, digits)) };
    values.iter().map(|v| whole(*v)).collect::<Array>().into()
}

fn rounded(v: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    let rounded = (v * scale).round() / scale;
    // No minus before a zero.
    if rounded == 0.0 { 0.0 } else { rounded }
}
