//! A manifest as written to one that cannot be wrong in itself.

use std::collections::BTreeMap;
use std::path::Path;

use calib::class::Class;

use super::faults::Faults;
use super::raw::{Raw, RawInput};
use super::words::{Batch, Colour, Dtype, Family, Layout, Placement, Provider};
use super::{Golden, Input, Label, Licence, Manifest, NMS_IOU_DEFAULT, Output, SIDE_RANGE, output};

/// The raw manifest as a checked one, or `None` with the reasons in `faults`.
pub(super) fn checked(raw: Raw, file: &Path, faults: &mut Faults<'_>) -> Option<Manifest> {
    faults.filled("name", &raw.name);
    faults.filled("licence.spdx", &raw.licence.spdx);
    faults.filled("licence.source", &raw.licence.source);
    let family = faults.word("family", &raw.family, Family::WORDS, Family::from_name);
    let batch = faults.word("batch", &raw.batch, Batch::WORDS, Batch::from_name);
    let providers = check_providers(&raw.provider, faults);
    let weights = faults.beside("weights", &raw.weights);
    let licence_file = faults.beside("licence.file", &raw.licence.file);
    check_sha256(&raw.sha256, faults);
    if let Some(nms_iou) = raw.nms_iou {
        faults.share("nms_iou", nms_iou);
    }
    faults.share("area_max", raw.area_max);
    let (size, scaled, trim) = (raw.input.size, raw.input.sizes.is_some(), raw.input.trim);
    let size_fits = check_size(size, faults);
    if scaled && family.is_some_and(|family| family != Family::Detr) {
        let mend = "take it out, or write family = \"detr\"";
        faults.add("input.sizes", "is read with family = \"detr\" only".to_owned(), mend);
    }
    if let (Some(trim), Some(family), true) = (trim, family, size_fits) {
        check_trim(trim, size, family, raw.output.strides.as_deref().unwrap_or_default(), faults);
    }
    let input = check_input(raw.input, faults);
    let labels = check_labels(raw.labels, &raw.classes, [&raw.score_min, &raw.faint_min], faults);
    let unread = raw.output.unread.clone();
    // A family that is not known has no outputs, a size out of range no cells.
    let output = family
        .filter(|_| size_fits)
        .and_then(|family| output::checked(family, raw.output, scaled, size, faults));
    let golden = raw.golden.map(|golden| Golden {
        picture: faults.beside("golden.picture", &golden.picture),
        expected: faults.beside("golden.expected", &golden.expected),
    });
    if !faults.problems.is_empty() {
        return None;
    }
    let (family, output) = (family?, output?);
    let in_heaps = match family {
        Family::YoloxGrid | Family::Yolov5 | Family::Yolov8 => true,
        Family::EndToEnd | Family::Detr => false,
        Family::Ssd => matches!(output, Output::Scores { .. }),
    };
    Some(Manifest {
        file: file.to_owned(),
        name: raw.name,
        family,
        weights,
        sha256: raw.sha256,
        batch: batch?,
        providers,
        labels,
        nms_iou: raw.nms_iou.or(in_heaps.then_some(NMS_IOU_DEFAULT)),
        area_max: raw.area_max,
        licence: Licence { spdx: raw.licence.spdx, file: licence_file, source: raw.licence.source },
        input: input?,
        output,
        unread,
        golden,
    })
}

pub(super) fn check_sha256(sha256: &str, faults: &mut Faults<'_>) {
    let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if sha256.len() != 64 || !sha256.bytes().all(hex) {
        let mend = "write the 64 lower-case digits that `sha256sum` prints for the weights";
        faults.add("sha256", format!("\"{sha256}\" is no SHA-256"), mend);
    }
}

/// A label for each column of the output, none twice.
pub(super) fn check_columns(labels: &[String], faults: &mut Faults<'_>) {
    for (index, label) in labels.iter().enumerate() {
        if labels[..index].contains(label) {
            faults.add("labels", format!("\"{label}\" stands twice"), "name every output column once");
        }
    }
}

/// Where the model may run: a word, or a list of them in order of wish.
pub(super) fn check_providers(raw: &toml::Value, faults: &mut Faults<'_>) -> Vec<Provider> {
    let words: Option<Vec<&str>> = match raw {
        toml::Value::String(word) => Some(vec![word]),
        toml::Value::Array(list) => list.iter().map(toml::Value::as_str).collect(),
        _ => None,
    };
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        let mend = format!("write one of, or a list in order of wish of: {}", Provider::WORDS.join(", "));
        faults.add("provider", "is neither a word nor a list of words".to_owned(), mend);
        return Vec::new();
    };
    let mut providers: Vec<Provider> = Vec::new();
    for word in words {
        let known = faults.word("provider", word, Provider::WORDS, Provider::from_name);
        if providers.contains(&Provider::Cpu) {
            let says = format!("\"{word}\" stands after \"cpu\", which is always there");
            faults.add("provider", says, "write cpu last, or leave the other out");
        } else if known.is_some_and(|known| providers.contains(&known)) {
            faults.add("provider", format!("\"{word}\" stands twice"), "write it once");
        }
        providers.extend(known);
    }
    providers
}

pub(super) fn check_size(size: [usize; 2], faults: &mut Faults<'_>) -> bool {
    let fits = size.iter().all(|side| SIDE_RANGE.contains(side));
    if !fits {
        let mend = format!("write [width, height], each {} to {}", SIDE_RANGE.start(), SIDE_RANGE.end());
        faults.add("input.size", format!("{size:?} is out of range"), mend);
    }
    fits
}

/// What the grids of YOLO networks stand on, where the manifest names no strides.
const STRIDE: usize = 32;

/// Families whose boxes do not depend on the input's size may have it trimmed, in steps that their grids stand on.
fn check_trim(trim: usize, size: [usize; 2], family: Family, strides: &[usize], faults: &mut Faults<'_>) {
    let takes = matches!(family, Family::YoloxGrid | Family::Yolov5 | Family::Yolov8 | Family::EndToEnd);
    let stands = |step: usize| step > 0 && size.iter().all(|side| side.is_multiple_of(step));
    if !takes {
        let says = format!("is not read with family = \"{family}\", whose boxes hang on the input's size");
        faults.add("input.trim", says, "take it out");
    } else if !strides.iter().copied().all(stands) {
        // The size is wrong, and told.
    } else if !stands(trim) {
        let mend = "write a step that divides both sides of input.size, e.g. 32";
        faults.add("input.trim", format!("{trim} does not divide {size:?}"), mend);
    } else if let Some(stride) = strides.iter().find(|stride| !trim.is_multiple_of(**stride)) {
        let mend = "write the largest stride, e.g. 32";
        faults.add("input.trim", format!("{trim} is not divided by the stride {stride}"), mend);
    } else if strides.is_empty() && !trim.is_multiple_of(STRIDE) {
        let says = format!("{trim} is not divided by {STRIDE}, the stride of such networks");
        faults.add("input.trim", says, "write 32, or a multiple of it");
    }
}

pub(super) fn check_input(raw: RawInput, faults: &mut Faults<'_>) -> Option<Input> {
    faults.filled("input.name", &raw.name);
    let layout = faults.word("input.layout", &raw.layout, Layout::WORDS, Layout::from_name);
    let dtype = faults.word("input.dtype", &raw.dtype, Dtype::WORDS, Dtype::from_name);
    let colour = faults.word("input.colour", &raw.colour, Colour::WORDS, Colour::from_name);
    let placement = faults.word("input.letterbox", &raw.letterbox, Placement::WORDS, Placement::from_name);
    let numbers = [raw.scale].into_iter().chain(raw.mean).chain(raw.std);
    if !numbers.into_iter().all(f32::is_finite) || raw.scale == 0.0 || raw.std.contains(&0.0) {
        faults.add(
            "input",
            "scale, mean and std must be numbers, scale and std not 0".to_owned(),
            "leave them out for grey levels as they are",
        );
    }
    let plain = raw.scale == 1.0 && raw.mean == [0.0; 3] && raw.std == [1.0; 3];
    if dtype == Some(Dtype::U8) && !plain {
        let says = "a u8 input takes grey levels as they are, without scale, mean and std".to_owned();
        faults.add("input.dtype", says, "take those out, or write the model's own dtype");
    }
    if let Some(sizes) = &raw.sizes {
        faults.filled("input.sizes", sizes);
    }
    let [width, height] = raw.size;
    if raw.trim.is_some() && placement == Some(Placement::Stretch) {
        let says = "a stretched picture leaves no padding to trim".to_owned();
        faults.add("input.trim", says, "take it out, or write letterbox = \"corner\"");
    }
    Some(Input {
        name: raw.name,
        width,
        height,
        layout: layout?,
        dtype: dtype?,
        colour: colour?,
        placement: placement?,
        trim: raw.trim,
        pad: raw.pad,
        scale: raw.scale,
        mean: raw.mean,
        std: raw.std,
        sizes: raw.sizes,
    })
}

fn check_labels(
    labels: Vec<String>,
    classes: &BTreeMap<String, String>,
    [score_min, faint_min]: [&BTreeMap<String, f32>; 2],
    faults: &mut Faults<'_>,
) -> Vec<Label> {
    check_columns(&labels, faults);
    for (label, class) in classes {
        let key = format!("classes.{label}");
        if !labels.contains(label) {
            faults.add(
                &key,
                "is not among the labels".to_owned(),
                "write a label of the model, or take it out",
            );
        }
        let names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        faults.word(&key, class, &names, Class::from_name);
    }
    if classes.is_empty() {
        faults.add("classes", "is empty".to_owned(), "map at least one label to a class");
    }
    for (table, scores) in [("score_min", score_min), ("faint_min", faint_min)] {
        for (class, &value) in scores {
            let key = format!("{table}.{class}");
            faults.share(&key, value);
            if class != "default" && !classes.values().any(|mapped| mapped == class) {
                faults.add(
                    &key,
                    "is a class that no label maps to".to_owned(),
                    "write a class of [classes], or default",
                );
            }
        }
    }
    let Some(&score_min_default) = score_min.get("default") else {
        faults.add("score_min.default", "is missing".to_owned(), "write it, e.g. 0.4");
        return Vec::new();
    };
    for (class, &faint) in faint_min {
        let sure = score_min.get(class).copied().unwrap_or(score_min_default);
        if class != "default" && faint > sure {
            faults.add(
                &format!("faint_min.{class}"),
                format!("is over its score_min of {sure}"),
                "write less than that, or take it out",
            );
        }
    }
    let checked = |text: String| {
        let class = classes.get(&text).and_then(|name| Class::from_name(name));
        let own = |table: &BTreeMap<String, f32>| class.and_then(|class| table.get(class.name())).copied();
        let sure_min = own(score_min).unwrap_or(score_min_default);
        let faint_min =
            own(faint_min).or(faint_min.get("default").copied()).unwrap_or(sure_min).min(sure_min);
        Label { class, score_min: sure_min, sure_min, faint_min, text }
    };
    labels.into_iter().map(checked).collect()
}
