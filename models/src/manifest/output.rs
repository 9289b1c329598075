//! Which outputs a family reads, and what its boxes look like.

use super::faults::Faults;
use super::raw::RawOutput;
use super::words::{Background, Corners, Family, Units};

/// What the numbers of a box mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoxForm {
    pub(crate) corners: Corners,
    pub(crate) units: Units,
}

/// The outputs that are read, by what they hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// A box a row, with everything about it.
    Rows { name: String },
    /// A box a cell of grids that lie one behind the other.
    Grid { name: String, strides: Vec<usize> },
    /// Boxes, and for each a score a label.
    Scores { boxes: String, scores: String, form: BoxForm, background: Background },
    /// Boxes, each with one label and its score. `label_first` is the number of the manifest's first label;
    /// `count` names the output that says how many rows hold a box.
    Labelled {
        boxes: String,
        scores: String,
        labels: String,
        count: Option<String>,
        form: BoxForm,
        label_first: usize,
    },
}

impl Output {
    /// Names of the outputs with the keys that give them, in the order in which decoders read them.
    pub(crate) fn names(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Rows { name } | Self::Grid { name, .. } => vec![("output.name", name)],
            Self::Scores { boxes, scores, .. } => vec![("output.boxes", boxes), ("output.scores", scores)],
            Self::Labelled { boxes, scores, labels, count, .. } => {
                let three =
                    [("output.boxes", &**boxes), ("output.scores", scores), ("output.labels", labels)];
                three.into_iter().chain(count.as_deref().map(|count| ("output.count", count))).collect()
            }
        }
    }
}

/// The `[output]` of a family. `scaled` says that the model is told which size its boxes are to be in.
pub(super) fn checked(
    family: Family,
    mut raw: RawOutput,
    scaled: bool,
    size: [usize; 2],
    faults: &mut Faults<'_>,
) -> Option<Output> {
    let output = match family {
        Family::YoloxGrid => grid(&mut raw, size, faults),
        Family::Yolov5 | Family::Yolov8 | Family::EndToEnd => {
            name("output.name", raw.name.take(), faults).map(|name| Output::Rows { name })
        }
        Family::Detr => labelled(family, &mut raw, scaled, faults),
        Family::Ssd if raw.labels.is_some() => labelled(family, &mut raw, false, faults),
        Family::Ssd => scores(&mut raw, faults),
    };
    let left: [(&str, bool); 10] = [
        ("name", raw.name.is_some()),
        ("strides", raw.strides.is_some()),
        ("boxes", raw.boxes.is_some()),
        ("scores", raw.scores.is_some()),
        ("labels", raw.labels.is_some()),
        ("count", raw.count.is_some()),
        ("corners", raw.corners.is_some()),
        ("units", raw.units.is_some()),
        ("background", raw.background.is_some()),
        ("label_first", raw.label_first.is_some()),
    ];
    for (key, _) in left.into_iter().filter(|(_, written)| *written) {
        let says = format!("is not read with family = \"{family}\"");
        faults.add(&format!("output.{key}"), says, "take it out, or write the family that reads it");
    }
    let output = output?;
    let named = output.names();
    for (at, (key, name)) in named.iter().enumerate() {
        if named[..at].iter().any(|(_, before)| before == name) || raw.unread.iter().any(|gone| gone == name)
        {
            faults.add(key, format!("\"{name}\" stands twice in [output]"), "name each output once");
        }
    }
    Some(output)
}

fn name(key: &str, name: Option<String>, faults: &mut Faults<'_>) -> Option<String> {
    match name {
        Some(name) if !name.trim().is_empty() => Some(name),
        Some(_) => {
            faults.add(key, "is empty".to_owned(), "write it");
            None
        }
        None => {
            faults.add(key, "is missing".to_owned(), "write the name of the model's output");
            None
        }
    }
}

fn grid(raw: &mut RawOutput, size: [usize; 2], faults: &mut Faults<'_>) -> Option<Output> {
    let name = name("output.name", raw.name.take(), faults);
    let Some(strides) = raw.strides.take() else {
        faults.add("output.strides", "is missing".to_owned(), "write e.g. [8, 16, 32]");
        return None;
    };
    if strides.is_empty() || strides.contains(&0) {
        faults.add("output.strides", format!("{strides:?} is no list of strides"), "write e.g. [8, 16, 32]");
        return None;
    }
    if let Some(stride) = strides.iter().find(|stride| size.iter().any(|side| side % **stride != 0)) {
        let mend = "write a size that every stride divides, or the model's own strides";
        faults.add("input.size", format!("{size:?} is not divided by the stride {stride}"), mend);
    }
    Some(Output::Grid { name: name?, strides })
}

fn scores(raw: &mut RawOutput, faults: &mut Faults<'_>) -> Option<Output> {
    let boxes = name("output.boxes", raw.boxes.take(), faults);
    let scores = name("output.scores", raw.scores.take(), faults);
    let form = form(raw, false, faults);
    let background = match raw.background.take() {
        None => Some(Background::None),
        Some(word) => faults.word("output.background", &word, Background::WORDS, Background::from_name),
    };
    Some(Output::Scores { boxes: boxes?, scores: scores?, form: form?, background: background? })
}

fn labelled(family: Family, raw: &mut RawOutput, scaled: bool, faults: &mut Faults<'_>) -> Option<Output> {
    let boxes = name("output.boxes", raw.boxes.take(), faults);
    let scores = name("output.scores", raw.scores.take(), faults);
    let labels = name("output.labels", raw.labels.take(), faults);
    let count = match family {
        Family::Ssd => raw.count.take(),
        _ => None,
    };
    let form = form(raw, scaled, faults);
    let label_first = raw.label_first.take().unwrap_or(0);
    Some(Output::Labelled {
        boxes: boxes?,
        scores: scores?,
        labels: labels?,
        count,
        form: form?,
        label_first,
    })
}

/// Which corners and units. A model that is told the size answers in its pixels.
fn form(raw: &mut RawOutput, scaled: bool, faults: &mut Faults<'_>) -> Option<BoxForm> {
    let mut word = |key: &str, word: Option<String>, words: &[&str]| {
        if word.is_none() {
            let mend = format!("write what the model's boxes are, one of: {}", words.join(", "));
            faults.add(key, "is missing".to_owned(), mend);
        }
        word
    };
    let corners = word("output.corners", raw.corners.take(), Corners::WORDS);
    let units = match raw.units.take() {
        None if scaled => Some(Units::Pixels.name().to_owned()),
        written => word("output.units", written, Units::WORDS),
    };
    let corners =
        corners.and_then(|word| faults.word("output.corners", &word, Corners::WORDS, Corners::from_name));
    let units = units.and_then(|word| faults.word("output.units", &word, Units::WORDS, Units::from_name));
    if scaled && units == Some(Units::Normalised) {
        let says = "\"normalised\" contradicts input.sizes, which makes the boxes pixels".to_owned();
        faults.add("output.units", says, "take one of the two out");
    }
    Some(BoxForm { corners: corners?, units: units? })
}
