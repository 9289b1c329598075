//! The folder of `--out`: plots, contact sheets and one page that shows them.
//!
//! In: what was measured. Out: `index.html`, `*.svg`, `*.png`. The page has no script and asks nothing of the
//! network. Never: a date, so that two runs of one model on one set give the same files.

use std::path::Path;

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::choose::{Choice, MISTAKES, SAMPLE};
use super::sheet::{Tile, sheets};
use super::{Evaluation, svg, table};

const STYLE: &str = "body{font:15px/1.5 system-ui,'Noto Sans',sans-serif;color:#222;max-width:1240px;margin:2em auto;padding:0 1em}\
h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.15em;margin-top:2.2em}p.of{color:#666;margin-top:.2em}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.25em .9em;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}tr:last-child td{font-weight:600}img{max-width:100%;border:1px solid #ddd;margin:.4em 0}\
svg{max-width:100%;height:auto}pre{background:#f4f4f4;padding:1em;overflow:auto}.t{color:#2a87bd}.f{color:#b87400}";

/// A group of sheets on the page.
struct Group {
    heading: &'static str,
    says: String,
    files: Vec<String>,
}

/// Writes the folder.
///
/// # Errors
/// The folder cannot be written, or a picture cannot be read any more.
pub(super) fn write(folder: &Path, evaluation: &Evaluation, seed: u64) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let save = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())
    };
    let under = evaluation.heading();
    let curves = curves(evaluation);
    let curves = svg::precision_recall("Precision and recall at an IoU of 0.5", &under, &curves);
    let names: Vec<&str> = evaluation.rows.rows.iter().map(|row| row.name.as_str()).collect();
    let title = "Who is taken for whom, at the manifest's thresholds";
    let confusion = svg::confusion(title, &under, &names, &evaluation.new.measured.confusion);
    save("precision-recall.svg", &curves)?;
    save("confusion.svg", &confusion)?;

    let choice = Choice {
        pictures: &evaluation.dataset.pictures,
        measured: &evaluation.new.measured,
        rows: &evaluation.rows,
    };
    let mut groups = Vec::new();
    if let Some(old) = &evaluation.old {
        let says =
            format!("What {} found and this model does not, and what it says wrongly anew.", old.name());
        groups.push(group(folder, "worse", "Worse than before", says, &choice.worse(&old.measured))?);
    }
    let says = format!("At most {MISTAKES}: surest false finds, surest mix-ups, largest missed.");
    groups.push(group(folder, "mistakes", "Worst mistakes", says, &choice.mistakes())?);
    let says = format!(
        "At most {SAMPLE} finds at the manifest's thresholds, drawn by seed {seed}, the same number a class."
    );
    groups.push(group(folder, "detections", "What the model says", says, &choice.sample(seed))?);
    save("index.html", &page(evaluation, &under, [&curves, &confusion], &groups).into_string())
}

fn curves(evaluation: &Evaluation) -> Vec<svg::Curve<'_>> {
    let rows = evaluation.rows.rows.iter().zip(&evaluation.new.measured.rows);
    let curves = rows.filter_map(|(row, of_row)| {
        let of_row = of_row.as_ref()?;
        Some(svg::Curve {
            name: &row.name,
            ap50: of_row.ap.ap50()?,
            precisions: of_row.ap.precision_at_recall.as_deref()?,
            now: of_row.recall.zip(of_row.precision),
        })
    });
    curves.collect()
}

/// Writes one group's sheets, without those of an earlier run that was longer.
fn group(
    folder: &Path,
    name: &str,
    heading: &'static str,
    says: String,
    tiles: &[Tile<'_>],
) -> Result<Group> {
    let file_name = |at: usize| format!("{name}-{at}.png");
    let mut files = Vec::new();
    for (at, sheet) in sheets(tiles).map_err(anyhow::Error::msg)?.iter().enumerate() {
        let file = folder.join(file_name(at + 1));
        sheet.save(&file).with_context(|| file.display().to_string())?;
        files.push(file_name(at + 1));
    }
    let stale = (files.len() + 1..).map(|at| folder.join(file_name(at))).take_while(|file| file.exists());
    for file in stale.collect::<Vec<_>>() {
        std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
    }
    Ok(Group { heading, says, files })
}

fn page(evaluation: &Evaluation, under: &str, plots: [&String; 2], groups: &[Group]) -> Markup {
    let new = &evaluation.new;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (new.name()) " – shirong eval" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (new.name()) }
                p.of { (under) br; "weights " code { (new.manifest.sha256()) } }
                (table_of(&table::HEADS, &table::of_model(&evaluation.rows, &new.measured)))
                p.of {
                    "Precision and recall at the thresholds of the manifest. Pictures went through 4:2:0 YUV "
                    "(BT.601), as a camera's do in the service."
                }
                @for note in evaluation.notes() { p.of { (note) } }
                @if let Some(old) = &evaluation.old {
                    h2 { "Against " (old.name()) }
                    (table_of(&table::HEADS_OF_TWO, &table::of_two(&evaluation.rows, &new.measured, &old.measured)))
                }
                @if let Some(thresholds) = &evaluation.thresholds {
                    h2 { "Proposed thresholds" }
                    pre { (thresholds.text) }
                }
                @for plot in plots { div { (PreEscaped(plot)) } }
                @for group in groups {
                    h2 { (group.heading) }
                    p.of {
                        (group.says) " " span.t { "Blue: what is there." } " " span.f { "Orange: what the model says." }
                    }
                    @if group.files.is_empty() { p { "None." } }
                    @for file in &group.files { a href=(file) { img src=(file) alt=(group.heading); } }
                }
            }
        }
    }
}

fn table_of(heads: &[&str], lines: &[Vec<String>]) -> Markup {
    html! {
        table {
            tr { @for head in heads { th { (head) } } }
            @for line in lines {
                tr { @for at in 0..heads.len() { td { (line.get(at).map_or("", String::as_str)) } } }
            }
        }
    }
}
