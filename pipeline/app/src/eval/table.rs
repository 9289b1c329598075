//! Numbers as a person reads them on a terminal.
//!
//! In: what was measured. Out: lines of aligned text. Never: a print; who asked does that.

use super::measured::Measured;
use super::rows::Rows;

/// Columns under their heads: the first to the left, numbers to the right.
pub(super) fn aligned(heads: &[&str], lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let one = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = one(heads);
    for line in lines {
        text.push_str(&one(&line.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    text
}

/// Three decimals, or a dash for what there is not.
pub(super) fn share(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

fn change(new: Option<f64>, old: Option<f64>) -> String {
    new.zip(old).map_or("-".to_owned(), |(new, old)| format!("{:+.3}", new - old))
}

/// Heads of [`of_model`].
pub(super) const HEADS: [&str; 7] = ["class", "n", "AP50", "AP50-95", "at score", "precision", "recall"];

/// A line a row and the mean.
pub(super) fn of_model(rows: &Rows, measured: &Measured) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for (row, of_row) in rows.rows.iter().zip(&measured.rows) {
        let Some(of_row) = of_row else { continue };
        lines.push(vec![
            row.name.clone(),
            of_row.ap.n.to_string(),
            share(of_row.ap.ap50()),
            share(of_row.ap.ap50_95()),
            format!("{:.3}", of_row.score_min),
            share(of_row.precision),
            share(of_row.recall),
        ]);
    }
    let n: usize = measured.rows.iter().flatten().map(|row| row.ap.n).sum();
    let [ap50, ap50_95] = measured.means();
    lines.push(vec!["mean".to_owned(), n.to_string(), share(ap50), share(ap50_95)]);
    lines
}

/// Heads of [`of_two`].
pub(super) const HEADS_OF_TWO: [&str; 12] =
    ["class", "n", "AP50", "was", "change", "AP50-95", "was", "change", "precision", "was", "recall", "was"];

/// Two models side by side, and the means over the rows that both know.
pub(super) fn of_two(rows: &Rows, new: &Measured, old: &Measured) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut both = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for (row, (new, old)) in rows.rows.iter().zip(new.rows.iter().zip(&old.rows)) {
        let ap50 = [new, old].map(|one| one.as_ref().and_then(|one| one.ap.ap50()));
        let ap50_95 = [new, old].map(|one| one.as_ref().and_then(|one| one.ap.ap50_95()));
        let precision = [new, old].map(|one| one.as_ref().and_then(|one| one.precision));
        let recall = [new, old].map(|one| one.as_ref().and_then(|one| one.recall));
        let n = new.as_ref().or(old.as_ref()).map_or(0, |one| one.ap.n);
        if new.is_some() && old.is_some() {
            for (which, values) in [ap50, ap50_95].into_iter().enumerate() {
                both[which].iter_mut().zip(values).for_each(|(all, value)| all.push(value));
            }
        }
        lines.push(vec![
            row.name.clone(),
            n.to_string(),
            share(ap50[0]),
            share(ap50[1]),
            change(ap50[0], ap50[1]),
            share(ap50_95[0]),
            share(ap50_95[1]),
            change(ap50_95[0], ap50_95[1]),
            share(precision[0]),
            share(precision[1]),
            share(recall[0]),
            share(recall[1]),
        ]);
    }
    let [ap50, ap50_95] = both.map(|pair| pair.map(models::measure::mean));
    let mut last = vec!["mean of both".to_owned(), String::new()];
    for [new, old] in [ap50, ap50_95] {
        last.extend([share(new), share(old), change(new, old)]);
    }
    lines.push(last);
    lines
}
