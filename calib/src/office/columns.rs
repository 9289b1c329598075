//! Which column of an office's table is which, by the names that offices give them.

use super::{HEADER_ROWS_MAX, Row, RowProblem, Table};
use crate::check::nearest;

/// A column that an import knows.
pub(super) struct Column {
    /// The key of the file that it becomes.
    pub(super) key: &'static str,
    /// Its names, in lower case without blanks; the first is what a mend says.
    pub(super) names: &'static [&'static str],
    /// Whether the table must have it.
    pub(super) required: bool,
}

/// Columns that tell who somebody is: never kept.
const PRIVATE: [&str; 22] = [
    "姓名",
    "持证人姓名",
    "持证人",
    "负责人",
    "经营者",
    "联系人",
    "手机",
    "手机号",
    "手机号码",
    "身份证",
    "身份证号",
    "身份证号码",
    "家庭住址",
    "住址",
    "name",
    "fullname",
    "holdername",
    "person",
    "mobile",
    "mobilephone",
    "idcard",
    "address",
];

/// A table whose columns are known.
pub(super) struct Sheet<'t> {
    file: &'t str,
    /// For each known column, its place and its name in this file.
    places: Vec<(&'static str, usize, String)>,
    rows: &'t [Row],
    /// What was left out.
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<RowProblem>,
}

fn plain(name: &str) -> String {
    let name = super::cell::half_width(name).to_lowercase();
    // `有效期至(年月日)` and `有效期至 *` are `有效期至`.
    let name = name.split('(').next().unwrap_or_default().to_owned();
    name.chars().filter(|c| !c.is_whitespace() && !['_', '-', '*', ':'].contains(c)).collect()
}

impl<'t> Sheet<'t> {
    /// Finds the row with the columns' names: the first with at least two that are known.
    ///
    /// # Errors
    /// There is none, or a column that must be there is not.
    pub(super) fn of(table: &'t Table, columns: &[Column]) -> Result<Self, Vec<RowProblem>> {
        let known = |name: &str| columns.iter().find(|column| column.names.contains(&plain(name).as_str()));
        let knows = |row: &Row| row.cells.iter().filter(|cell| known(cell).is_some()).count();
        let header = table.rows.iter().take(HEADER_ROWS_MAX).position(|row| knows(row) >= 2);
        let problem = |row, column: &str, what: String, mend: String| RowProblem {
            file: table.file.clone(),
            row,
            column: column.to_owned(),
            what,
            mend,
        };
        let Some(header) = header else {
            let names: Vec<&str> = columns.iter().map(|column| column.names[0]).collect();
            let mend = format!("write a first row with the columns' names: {}", names.join(", "));
            let what = format!("none of the first {HEADER_ROWS_MAX} rows names the columns");
            return Err(vec![problem(None, "", what, mend)]);
        };
        let row = &table.rows[header];
        let mut sheet = Self {
            file: &table.file,
            places: Vec::new(),
            rows: &table.rows[header + 1..],
            notes: vec![format!("read as {}; columns named in row {}", table.read_as, row.number)],
            problems: Vec::new(),
        };
        let mut problems = Vec::new();
        for (place, name) in row.cells.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            match known(name) {
                Some(column) if sheet.places.iter().any(|(key, ..)| *key == column.key) => {
                    let what = "stands for the same as a column before it".to_owned();
                    problems.push(problem(Some(row.number), name, what, "keep one of them".to_owned()));
                }
                Some(column) => sheet.places.push((column.key, place, name.clone())),
                None => sheet.notes.push(left_out(name, columns)),
            }
        }
        for column in columns.iter().filter(|column| column.required) {
            if sheet.places.iter().all(|(key, ..)| *key != column.key) {
                let mend = format!("add a column named {}", column.names.join(" or "));
                problems.push(problem(Some(row.number), column.names[0], "is missing".to_owned(), mend));
            }
        }
        if problems.is_empty() { Ok(sheet) } else { Err(problems) }
    }

    /// The rows below the names.
    pub(super) fn rows(&self) -> &'t [Row] {
        self.rows
    }

    /// A row's cell of that key; `None` where it is empty.
    pub(super) fn cell(&self, row: &'t Row, key: &str) -> Option<&'t str> {
        let place = self.places.iter().find(|(known, ..)| *known == key)?.1;
        row.cells.get(place).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    /// A row's cell that must not be empty.
    pub(super) fn required(&mut self, row: &'t Row, key: &'static str, mend: &str) -> Option<&'t str> {
        let cell = self.cell(row, key);
        if cell.is_none() {
            self.problem(row, key, "is empty", mend);
        }
        cell
    }

    /// Notes a bad cell.
    pub(super) fn problem(&mut self, row: &Row, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        let column = self.places.iter().find(|(known, ..)| *known == key).map_or(key, |(.., name)| name);
        self.problems.push(RowProblem {
            file: self.file.to_owned(),
            row: Some(row.number),
            column: column.to_owned(),
            what: what.into(),
            mend: mend.into(),
        });
    }

    /// Whether anything was wrong since so many problems.
    pub(super) fn is_clean_since(&self, before: usize) -> bool {
        self.problems.len() == before
    }
}

fn left_out(name: &str, columns: &[Column]) -> String {
    let key = plain(name);
    if PRIVATE.contains(&key.as_str()) {
        return format!("column `{name}` was left out: it tells who somebody is");
    }
    let known: Vec<&str> = columns.iter().flat_map(|column| column.names.iter().copied()).collect();
    match nearest(&key, &known) {
        Some(near) => format!("column `{name}` was left out; did you mean `{near}`?"),
        None => format!("column `{name}` was left out: no file has a place for it"),
    }
}
