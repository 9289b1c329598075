//! Tables as offices have them, read into the files that Shirong keeps.
//!
//! In: the bytes of a CSV or of a workbook (XLSX, XLS, ODS). Out: the text of a TOML file, what was left out, and
//! every bad row with its row, column and mend. Never: a file; the name or number of a person.

mod calendar;
mod cell;
mod columns;
mod permits;
mod roster;

use std::io::Cursor;

use calamine::{Data, Reader};
use serde::Serialize;

pub use calendar::calendar;
pub use permits::permits;
pub use roster::roster;

/// Rows looked at for the one with the columns' names: offices write titles above it.
const HEADER_ROWS_MAX: usize = 10;
/// More rows than any office keeps by hand.
const ROWS_MAX: usize = 200_000;

/// One bad cell or row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowProblem {
    /// The file as the user named it.
    pub file: String,
    /// The row as a spreadsheet numbers it, from 1; for a CSV the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// The column's name as the file writes it; empty for the whole row.
    pub column: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub mend: String,
}

impl std::fmt::Display for RowProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(row) = self.row {
            write!(f, ": row {row}")?;
        }
        if !self.column.is_empty() {
            write!(f, ", {}", self.column)?;
        }
        write!(f, ": {}\n    {}", self.what, self.mend)
    }
}

/// A table's rows as texts.
#[derive(Debug, Clone)]
pub struct Table {
    file: String,
    /// How the bytes were read, for people.
    pub read_as: String,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    number: usize,
    cells: Vec<String>,
}

/// What an import made.
#[derive(Debug, Clone)]
pub struct Import {
    /// The file to write: the good rows.
    pub toml: String,
    /// How many rows are in it.
    pub kept: usize,
    /// How the file was read, and columns that were left out.
    pub notes: Vec<String>,
    /// Every bad row. Nothing should be written while there are any, unless somebody asks for the good rows.
    pub problems: Vec<RowProblem>,
}

impl Table {
    /// Reads the bytes of a CSV or a workbook, told apart by how they begin; `file` only names them.
    ///
    /// # Errors
    /// What is wrong with the file as a whole.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, RowProblem> {
        let problem = |what: String, mend: &str| RowProblem {
            file: file.to_owned(),
            row: None,
            column: String::new(),
            what,
            mend: mend.to_owned(),
        };
        let is_workbook = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0");
        let (read_as, mut rows) = if is_workbook {
            workbook(bytes).map_err(|what| problem(what, "save it again as .xlsx, or as CSV"))?
        } else {
            let (encoding, text) = decoded(bytes).ok_or_else(|| {
                problem("is neither UTF-8, UTF-16 nor GB 18030".to_owned(), "save it as CSV UTF-8")
            })?;
            let (delimiter, rows) = csv_rows(&text);
            if let Some(last) = rows.last().filter(|row| swallows(row) && text.matches('"').count() % 2 == 1)
            {
                return Err(RowProblem {
                    row: Some(last.number),
                    ..problem(
                        "opens a quotation mark that never closes, and takes all that follows for one cell"
                            .to_owned(),
                        "close it, or write \"\" for a quotation mark that is meant",
                    )
                });
            }
            (format!("CSV, {encoding}, {delimiter}"), rows)
        };
        rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
        if rows.len() > ROWS_MAX {
            return Err(problem(format!("has more than {ROWS_MAX} rows"), "split it"));
        }
        Ok(Self { file: file.to_owned(), read_as, rows })
    }
}

/// The text and by what it was read. GB 18030 accepts almost any bytes, so it comes last.
fn decoded(bytes: &[u8]) -> Option<(&'static str, String)> {
    use encoding_rs::{GB18030, UTF_8, UTF_16BE, UTF_16LE};
    let marks: [(&[u8], _, _); 3] = [
        (b"\xEF\xBB\xBF", UTF_8, "UTF-8 (by its byte order mark)"),
        (b"\xFF\xFE", UTF_16LE, "UTF-16 (by its byte order mark)"),
        (b"\xFE\xFF", UTF_16BE, "UTF-16 (by its byte order mark)"),
    ];
    for (mark, encoding, name) in marks {
        if let Some(rest) = bytes.strip_prefix(mark) {
            let text = encoding.decode_without_bom_handling_and_without_replacement(rest)?;
            return Some((name, text.into_owned()));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(("UTF-8 (every byte agrees)", text.to_owned()));
    }
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(("GB 18030 (it is not UTF-8)", text.into_owned()))
}

/// Whether a cell of the row runs over several lines.
fn swallows(row: &Row) -> bool {
    row.cells.iter().any(|cell| cell.contains('\n'))
}

/// Rows by the delimiter that the first lines have most of.
fn csv_rows(text: &str) -> (&'static str, Vec<Row>) {
    let head: Vec<&str> = text.lines().take(HEADER_ROWS_MAX).collect();
    let count = |sign: char| head.iter().map(|line| line.matches(sign).count()).sum::<usize>();
    let (delimiter, name) = [(b',', "by commas"), (b'\t', "by tabs"), (b';', "by semicolons")]
        .into_iter()
        .rev()
        .max_by_key(|(sign, _)| count(char::from(*sign)))
        .unwrap_or((b',', "by commas"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    // The text is UTF-8 and rows may differ in length: no record can fail.
    let records = reader.records().filter_map(Result::ok);
    let rows = records.map(|record| Row {
        number: record.position().map_or(0, |position| position.line() as usize),
        cells: record.iter().map(|cell| cell.trim().to_owned()).collect(),
    });
    (name, rows.collect())
}

fn workbook(bytes: &[u8]) -> Result<(String, Vec<Row>), String> {
    let mut book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes.to_vec()))
        .map_err(|error| error.to_string())?;
    let names = book.sheet_names();
    for name in &names {
        let range = book.worksheet_range(name).map_err(|error| error.to_string())?;
        if range.is_empty() {
            continue;
        }
        let first = range.start().map_or(0, |(row, _)| row as usize);
        let rows = range
            .rows()
            .enumerate()
            .map(|(i, cells)| Row { number: first + i + 1, cells: cells.iter().map(text_of).collect() });
        let others = if names.len() > 1 { format!(" of {}", names.len()) } else { String::new() };
        return Ok((format!("workbook, sheet `{name}`{others}"), rows.collect()));
    }
    Err("has no sheet with anything in it".to_owned())
}

/// A cell as somebody would type it: dates as dates, whole numbers without a point.
fn text_of(cell: &Data) -> String {
    match cell {
        Data::DateTime(at) if at.is_datetime() => {
            let (year, month, day, hour, minute, _, _) = at.to_ymd_hms_milli();
            // A time of day has no date: its day is the epoch of spreadsheets.
            if at.as_f64() < 1.0 {
                format!("{hour:02}:{minute:02}")
            } else {
                format!("{year:04}-{month:02}-{day:02}")
            }
        }
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => format!("{}", *number as i64),
        // A formula that failed is no value; where one is wanted, its absence is told.
        Data::Empty | Data::Error(_) => String::new(),
        other => other.to_string().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
