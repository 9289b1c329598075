//! The measurement as JSON.
//!
//! In: an evaluation. Out: one object whose keys stay. Never: a date or a machine's name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::measured::Measured;
use super::{Evaluation, SCORE_FLOOR, compare};

/// `classes.<name>.{ap50, ap50_95, n}`, `mean`, and what explains them.
pub(super) fn of(evaluation: &Evaluation) -> Value {
    let new = &evaluation.new;
    let dataset = &evaluation.dataset;
    let labels: BTreeMap<&str, &str> =
        evaluation.rows.labels_left_out.iter().map(|(label, why)| (label.as_str(), why.as_str())).collect();
    let names = evaluation.rows.rows.iter().map(|row| row.name.as_str()).chain(["background"]);
    let mut all = json!({
        "model": { "name": new.name(), "sha256": new.manifest.sha256() },
        "data": {
            "folder": evaluation.folder,
            "split": dataset.split,
            "pictures": dataset.pictures.len(),
        },
        "how": {
            "pictures_as": "I420, BT.601 limited",
            "score_floor": decimal(SCORE_FLOOR),
            "nms_iou": decimal(new.manifest.nms_iou()),
            "detections_max": models::measure::DETECTIONS_MAX,
        },
        "classes": classes(evaluation, &new.measured),
        "mean": mean(&new.measured),
        "left_out": { "labels": labels, "classes": evaluation.rows.classes_left_out },
        "confusion": { "names": names.collect::<Vec<_>>(), "counts": new.measured.confusion },
    });
    if let Some(thresholds) = &evaluation.thresholds {
        all["thresholds"] =
            json!({ "precision": thresholds.target.precision, "classes": thresholds.proposed });
    }
    if let Some(old) = &evaluation.old {
        let worse = compare::worse(&dataset.pictures, &new.measured, &old.measured);
        all["compare"] = json!({
            "model": { "name": old.name(), "sha256": old.manifest.sha256() },
            "classes": classes(evaluation, &old.measured),
            "mean": mean(&old.measured),
            "worse": worse,
        });
    }
    all
}

fn classes(evaluation: &Evaluation, measured: &Measured) -> BTreeMap<String, Value> {
    let rows = evaluation.rows.rows.iter().zip(&measured.rows);
    let known = rows.filter_map(|(row, of_row)| {
        let of_row = of_row.as_ref()?;
        let value = json!({
            "ap50": of_row.ap.ap50(),
            "ap50_95": of_row.ap.ap50_95(),
            "n": of_row.ap.n,
            "score_min": decimal(of_row.score_min),
            "precision": of_row.precision,
            "recall": of_row.recall,
        });
        Some((row.name.clone(), value))
    });
    known.collect()
}

fn mean(measured: &Measured) -> Value {
    let [ap50, ap50_95] = measured.means();
    let classes = measured.rows.iter().flatten().filter(|row| row.ap.n > 0).count();
    json!({ "ap50": ap50, "ap50_95": ap50_95, "classes": classes })
}

/// The number that somebody wrote: 0.4, not what is left of it when f32 becomes f64.
pub(super) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
