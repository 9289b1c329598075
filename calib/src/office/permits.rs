//! A table of permits into a permits file.

use std::collections::BTreeMap;

use super::cell::{day, hours, list, matters, polygon, quoted};
use super::columns::{Column, Sheet};
use super::{Import, Row, RowProblem, Table};
use crate::matter::Catalogue;
use crate::permit::{Area, HOLDER_MEND, tells_who};

const COLUMNS: [Column; 9] = [
    Column {
        key: "number",
        names: &["许可证号", "证号", "许可编号", "编号", "number", "permit", "permitno", "permitnumber"],
        required: true,
    },
    Column {
        key: "holder",
        names: &["持证人编号", "登记号", "摊主编号", "摊位号", "holder", "holderno", "holdernumber"],
        required: true,
    },
    Column {
        key: "matters",
        names: &["事项", "事项代码", "事项名称", "允许事项", "matters", "matter", "code"],
        required: true,
    },
    Column { key: "zone", names: &["区域", "区域编号", "zone", "zoneid"], required: false },
    Column { key: "camera", names: &["摄像机", "摄像机编号", "camera", "cameraid"], required: false },
    Column {
        key: "ground", names: &["范围", "坐标", "边界", "ground", "polygon", "area"], required: false
    },
    Column {
        key: "hours",
        names: &["时段", "经营时间", "经营时段", "许可时段", "hours", "time"],
        required: true,
    },
    Column {
        key: "from",
        names: &["起始日期", "开始日期", "生效日期", "有效期起", "from", "start", "validfrom"],
        required: true,
    },
    Column {
        key: "until",
        names: &[
            "截止日期",
            "结束日期",
            "到期日期",
            "有效期至",
            "有效期止",
            "until",
            "end",
            "expiry",
            "validuntil",
        ],
        required: true,
    },
];

/// Reads a table of permits.
///
/// # Errors
/// What is wrong with the table as a whole: no names of columns, or one that must be there is not.
pub fn permits(table: &Table, catalogue: &Catalogue) -> Result<Import, Vec<RowProblem>> {
    let mut sheet = Sheet::of(table, &COLUMNS)?;
    let mut toml =
        String::from("# Written by `shirong import permits`. Holders by their numbers, never by name.\n");
    let mut first_with: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept = 0;
    for row in sheet.rows() {
        let before = sheet.problems.len();
        let text = permit(&mut sheet, row, catalogue);
        if let Some(number) = sheet.cell(row, "number") {
            match first_with.get(number) {
                Some(first) => {
                    let what = format!("`{number}` stands in row {first} too");
                    sheet.problem(
                        row,
                        "number",
                        what,
                        "give each permit its own number, or join the two rows",
                    );
                }
                None => _ = first_with.insert(number, row.number),
            }
        }
        if let Some(text) = text.filter(|_| sheet.is_clean_since(before)) {
            toml.push_str(&text);
            kept += 1;
        }
    }
    Ok(Import { toml, kept, notes: sheet.notes, problems: sheet.problems })
}

fn permit<'t>(sheet: &mut Sheet<'t>, row: &'t Row, catalogue: &Catalogue) -> Option<String> {
    let number = sheet.required(row, "number", "write the permit's number");
    let holder = sheet.required(row, "holder", HOLDER_MEND);
    if let Some(what) = holder.and_then(tells_who) {
        sheet.problem(row, "holder", what, HOLDER_MEND);
    }
    let codes = sheet.required(row, "matters", "write a matter's code or name: 09006 or 占道经营");
    let codes = codes.and_then(|text| {
        matters(text, catalogue).map_err(|(what, mend)| sheet.problem(row, "matters", what, mend)).ok()
    });
    let windows = sheet.required(row, "hours", "write hours like 06:00-09:00, or 全天");
    let windows = windows.and_then(|text| {
        let mend = "write hours like 06:00-09:00; several with 、 between; 工作日 or 休息日 before the hours";
        hours(text)
            .map_err(|part| sheet.problem(row, "hours", format!("`{part}` is no hours of a day"), mend))
            .ok()
    });
    let [from, until] = ["from", "until"].map(|key| {
        let text = sheet.required(row, key, "write a day like 2026-05-01")?;
        let read = day(text);
        if read.is_none() {
            sheet.problem(row, key, format!("`{text}` is no day"), "write it like 2026-05-01");
        }
        read
    });
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        sheet.problem(
            row,
            "until",
            format!("`{until}` is before the first day, {from}"),
            "write the last day",
        );
    }
    let place = place(sheet, row);
    Some(format!(
        "\n[[permit]]\nnumber = {}\nholder = {}\nmatters = {}\n{}hours = {}\nfrom = \"{}\"\nuntil = \"{}\"\n",
        quoted(number?),
        quoted(holder?),
        list(&codes?),
        place?,
        list(&windows?),
        from?,
        until?
    ))
}

fn place<'t>(sheet: &mut Sheet<'t>, row: &'t Row) -> Option<String> {
    let (zone, ground) = (sheet.cell(row, "zone"), sheet.cell(row, "ground"));
    let mend =
        "write a zone's id under 区域, or corners under 范围: 118.65012 34.92034; 118.65020 34.92034; …";
    match (zone, ground) {
        (Some(zone), None) => {
            let camera = sheet.cell(row, "camera").map(|camera| format!("camera = {}\n", quoted(camera)));
            Some(format!("zone = {}\n{}", quoted(zone), camera.unwrap_or_default()))
        }
        (None, Some(text)) => {
            let corners = polygon(text);
            let area = corners.as_ref().map(|corners| Area::new(corners));
            match (corners, area) {
                (Some(corners), Some(Ok(_))) => {
                    let corners: Vec<String> =
                        corners.iter().map(|[x, y]| format!("[{x:?}, {y:?}]")).collect();
                    return Some(format!("ground = [{}]\n", corners.join(", ")));
                }
                (_, Some(Err(what))) => sheet.problem(row, "ground", what, mend),
                _ => sheet.problem(row, "ground", "is no polygon of at least three corners", mend),
            }
            None
        }
        (Some(_), Some(_)) => {
            sheet.problem(row, "ground", "stands beside a zone", "keep one of the two");
            None
        }
        (None, None) => {
            sheet.problem(row, "zone", "the permit has no place", mend);
            None
        }
    }
}
