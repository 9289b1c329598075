//! A table of duties into a roster file.

use std::collections::BTreeSet;

use super::cell::quoted;
use super::columns::{Column, Sheet};
use super::{Import, Row, RowProblem, Table};
use crate::roster::{CHANNEL_MEND, Channel};

const COLUMNS: [Column; 6] = [
    Column {
        key: "grid",
        names: &["网格编码", "网格代码", "网格编号", "网格", "grid", "gridcode", "code"],
        required: true,
    },
    Column { key: "role", names: &["角色", "岗位", "职务", "role", "duty"], required: true },
    Column {
        key: "department", names: &["部门", "单位", "责任单位", "department", "unit"], required: true
    },
    Column {
        key: "channel",
        names: &["联系渠道", "联系方式", "渠道", "channel", "contact"],
        required: false,
    },
    Column { key: "terminal", names: &["终端", "终端编号", "终端号", "terminal"], required: false },
    Column {
        key: "phone", names: &["值班电话", "办公电话", "电话", "phone", "dutyphone"], required: false
    },
];

/// Reads a table of duties.
///
/// # Errors
/// What is wrong with the table as a whole.
pub fn roster(table: &Table) -> Result<Import, Vec<RowProblem>> {
    let mut sheet = Sheet::of(table, &COLUMNS)?;
    let mut toml = String::from("# Written by `shirong import roster`. Roles and channels, never people.\n");
    let mut seen = BTreeSet::new();
    for row in sheet.rows() {
        let before = sheet.problems.len();
        let Some(text) = post(&mut sheet, row) else { continue };
        if seen.contains(&text) {
            sheet.problem(row, "grid", "says the same as a row before it", "remove one of them");
        }
        if sheet.is_clean_since(before) {
            toml.push_str(&text);
            seen.insert(text);
        }
    }
    Ok(Import { toml, kept: seen.len(), notes: sheet.notes, problems: sheet.problems })
}

fn post<'t>(sheet: &mut Sheet<'t>, row: &'t Row) -> Option<String> {
    let grid = sheet.required(row, "grid", "write the code of a cell of the responsibility grid");
    let role = sheet.required(row, "role", "write what they are there, like 网格长");
    let department = sheet.required(row, "department", "write whose people they are");
    let channel = channel(sheet, row);
    Some(format!(
        "\n[[post]]\ngrid = {}\nrole = {}\ndepartment = {}\nchannel = {}\n",
        quoted(grid?),
        quoted(role?),
        quoted(department?),
        quoted(&channel?.to_string())
    ))
}

fn channel<'t>(sheet: &mut Sheet<'t>, row: &'t Row) -> Option<Channel> {
    let given = ["channel", "terminal", "phone"].map(|key| (key, sheet.cell(row, key)));
    let Some((key, text)) = given.into_iter().find_map(|(key, text)| Some((key, text?))) else {
        sheet.problem(row, "channel", "the duty has no way to be reached", CHANNEL_MEND);
        return None;
    };
    let text = if key == "channel" { text.to_owned() } else { format!("{key}:{text}") };
    text.parse().map_err(|what: String| sheet.problem(row, key, what, CHANNEL_MEND)).ok()
}
