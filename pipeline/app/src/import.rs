//! `shirong import`: a table as an office has it becomes a file that Shirong keeps.
//!
//! In: a CSV (UTF-8, UTF-16 or GB 18030) or a workbook. Out: a TOML file, and every bad row with its row, column
//! and mend. Never: half a table without being asked for it, a file overwritten without being asked to.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use calib::matter::Catalogue;
use calib::office::{self, Import, RowProblem, Table};
use serde::Serialize;

/// Reads a table as an office has it, and writes the file that Shirong keeps.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the table holds.
    kind: Kind,
    /// The table: .csv, .xlsx, .xls or .ods.
    file: PathBuf,
    /// Where to write it.
    #[arg(long, value_name = "FILE.toml")]
    out: PathBuf,
    /// Write the good rows although there are bad ones.
    #[arg(long)]
    keep_good: bool,
    /// Overwrite the file that is there.
    #[arg(long)]
    replace: bool,
    /// Print JSON: {"kept", "written", "notes", "errors": [{"file", "row", "column", "what", "mend"}]}.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Who may do what, where, when.
    Permits,
    /// Holidays and make-up workdays.
    Calendar,
    /// Who answers for which grid cell.
    Roster,
}

#[derive(Serialize)]
struct Report<'r> {
    kept: usize,
    written: bool,
    notes: &'r [String],
    errors: &'r [RowProblem],
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let shown = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file).with_context(|| shown.clone())?;
    let import =
        Table::read(&shown, &bytes).map_err(|problem| vec![problem]).and_then(|table| match arguments.kind {
            Kind::Permits => office::permits(&table, &Catalogue::builtin()),
            Kind::Calendar => office::calendar(&table),
            Kind::Roster => office::roster(&table),
        });
    let import = import.unwrap_or_else(|problems| Import {
        toml: String::new(),
        kept: 0,
        notes: Vec::new(),
        problems,
    });
    let is_wanted = import.kept > 0 && (import.problems.is_empty() || arguments.keep_good);
    if is_wanted {
        write(&arguments.out, &import.toml, arguments.replace)?;
    }
    print(arguments, &import, is_wanted)?;
    let is_whole = is_wanted && import.problems.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Written beside and moved into place, so that a service that watches the file never reads half of it.
fn write(out: &Path, toml: &str, replace: bool) -> Result<()> {
    if !replace && out.exists() {
        anyhow::bail!("{} is there already; name another file, or say --replace", out.display());
    }
    let beside = out.with_extension("toml.new");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(toml.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, out)
    });
    written.with_context(|| out.display().to_string())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(arguments: &Arguments, import: &Import, is_written: bool) -> Result<()> {
    let Import { kept, notes, problems, .. } = import;
    if arguments.json {
        let report = Report { kept: *kept, written: is_written, notes, errors: problems };
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for note in notes {
        println!("{}: {note}", arguments.file.display());
    }
    for problem in problems {
        println!("error: {problem}");
    }
    let bad = problems.len();
    match (is_written, bad) {
        (true, 0) => println!("{}: {kept} rows", arguments.out.display()),
        (true, _) => println!("{}: {kept} good rows; {bad} errors left out", arguments.out.display()),
        (false, 0) => println!("nothing written: the table has no rows"),
        (false, _) => println!("nothing written: {bad} errors, {kept} good rows (--keep-good writes those)"),
    }
    Ok(())
}
