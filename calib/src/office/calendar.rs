//! A table of holidays and make-up workdays into a calendar file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::cell::{day, list, quoted};
use super::columns::{Column, Sheet};
use super::{Import, Row, RowProblem, Table};
use crate::calendar::Day;

const COLUMNS: [Column; 4] = [
    Column {
        key: "from", names: &["日期", "开始日期", "起始日期", "date", "from", "start"], required: true
    },
    Column { key: "to", names: &["结束日期", "截止日期", "to", "end"], required: false },
    Column { key: "kind", names: &["类型", "类别", "性质", "kind", "type"], required: true },
    Column {
        key: "name", names: &["名称", "节日", "节假日", "假日", "name", "holiday"], required: false
    },
];

const HOLIDAY: [&str; 7] = ["休", "放假", "假", "休息", "节假日", "holiday", "off"];
// Not 调休 alone: some offices mean the day off by it, some the day worked.
const MAKE_UP: [&str; 7] = ["班", "上班", "补班", "调休上班", "workday", "work", "make-up"];

/// Reads a table of days.
///
/// # Errors
/// What is wrong with the table as a whole.
pub fn calendar(table: &Table) -> Result<Import, Vec<RowProblem>> {
    let mut sheet = Sheet::of(table, &COLUMNS)?;
    let mut rows_of: BTreeMap<Day, usize> = BTreeMap::new();
    let mut holidays: BTreeMap<Day, String> = BTreeMap::new();
    let mut make_up: BTreeSet<Day> = BTreeSet::new();
    let mut kept = 0;
    for row in sheet.rows() {
        let before = sheet.problems.len();
        let Some((days, is_holiday)) = days(&mut sheet, row) else { continue };
        for &day in &days {
            if let Some(first) = rows_of.insert(day, row.number) {
                let what = format!("`{day}` stands in row {first} too");
                sheet.problem(row, "from", what, "give each day one row");
                break;
            }
            if !is_holiday && day.weekday() < 5 {
                let what = format!("`{day}` is a Monday to Friday, which is worked anyway");
                sheet.problem(row, "from", what, "write the Saturday or Sunday that is worked");
            }
        }
        if !sheet.is_clean_since(before) {
            continue;
        }
        kept += 1;
        if is_holiday {
            let name = sheet.cell(row, "name").unwrap_or("节假日");
            holidays.extend(days.into_iter().map(|day| (day, name.to_owned())));
        } else {
            make_up.extend(days);
        }
    }
    let toml = written(&holidays, &make_up);
    Ok(Import { toml, kept, notes: sheet.notes, problems: sheet.problems })
}

/// The row's days, and whether they are without work.
fn days<'t>(sheet: &mut Sheet<'t>, row: &'t Row) -> Option<(Vec<Day>, bool)> {
    let from = read_day(sheet, row, "from");
    let to = sheet.cell(row, "to").map(|_| read_day(sheet, row, "to"));
    let kind = sheet.required(row, "kind", "write 休 for a holiday or 班 for a make-up workday");
    let kind = kind.and_then(|kind| {
        let plain = kind.to_lowercase();
        let is_holiday = HOLIDAY.contains(&plain.as_str());
        if !is_holiday && !MAKE_UP.contains(&plain.as_str()) {
            sheet.problem(
                row,
                "kind",
                format!("`{kind}` is neither"),
                "write 休 for a holiday or 班 for a make-up workday",
            );
            return None;
        }
        Some(is_holiday)
    });
    let (from, to) = (from?, to.unwrap_or(from)?);
    if to < from || from.days_to(to) > 30 {
        let what = format!("`{to}` is before `{from}` or more than a month on");
        sheet.problem(row, "to", what, "write the last of the days");
        return None;
    }
    Some((from.through(to).collect(), kind?))
}

fn read_day<'t>(sheet: &mut Sheet<'t>, row: &'t Row, key: &'static str) -> Option<Day> {
    let text = sheet.required(row, key, "write a day like 2026-10-01")?;
    let read = day(text);
    if read.is_none() {
        sheet.problem(row, key, format!("`{text}` is no day"), "write it like 2026-10-01");
    }
    read
}

fn written(holidays: &BTreeMap<Day, String>, make_up: &BTreeSet<Day>) -> String {
    let years: BTreeSet<i16> = holidays.keys().chain(make_up).map(|day| day.year()).collect();
    let years: Vec<String> = years.iter().map(ToString::to_string).collect();
    let days: Vec<String> = make_up.iter().map(ToString::to_string).collect();
    let mut toml = format!(
        "# Written by `shirong import calendar`.\nyears = [{}]\nmake_up_workdays = {}\n",
        years.join(", "),
        list(&days)
    );
    let mut runs: Vec<(&str, Day, Day)> = Vec::new();
    for (&day, name) in holidays {
        match runs.last_mut() {
            Some((last, from, to)) if last == name && to.plus(1) == day && from.days_to(day) < 31 => {
                *to = day
            }
            _ => runs.push((name, day, day)),
        }
    }
    for (name, from, to) in runs {
        // Writing to a text cannot fail.
        let _ = write!(toml, "\n[[holiday]]\nname = {}\nfrom = \"{from}\"\nto = \"{to}\"\n", quoted(name));
    }
    toml
}
