//! From the words of a data set to the product's classes: the rows of the table.
//!
//! In: the set's labels, what the user maps and the model's manifest. Out: a row for every label that the
//! model can answer for, what is left out on either side, or the mistakes in the mapping. A label means a
//! class by its own name, by the manifest's word for it, or by `--map`.

use calib::check::Problem;
use calib::class::Class;
use models::Manifest;

/// What `--map` writes for a label that is to be left out.
const NONE: &str = "none";

/// `LABEL=CLASS[+CLASS..]`, as the user gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    label: String,
    classes: Vec<Class>,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (label, classes) = text.split_once('=').ok_or("write LABEL=CLASS, or LABEL=CLASS+CLASS")?;
        if classes == NONE {
            return Ok(Self { label: label.to_owned(), classes: Vec::new() });
        }
        let known: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        let class = |name: &str| {
            Class::from_name(name)
                .ok_or_else(|| format!("\"{name}\" is no class; write {NONE} or one of {}", known.join(", ")))
        };
        let mut classes = classes.split('+').map(class).collect::<Result<Vec<_>, _>>()?;
        classes.sort_unstable();
        classes.dedup();
        Ok(Self { label: label.to_owned(), classes })
    }
}

/// One row of the table: what is counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The class's name, or the label's where it stands for several classes.
    pub(super) name: String,
    /// The product's classes in it, those that the model knows, sorted.
    pub(super) classes: Vec<Class>,
}

/// How labels and classes meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    /// In the order of the set's labels.
    pub(super) rows: Vec<Row>,
    /// The row of each label of the set.
    pub(super) of_label: Vec<Option<usize>>,
    /// Labels that are left out, and why.
    pub(super) labels_left_out: Vec<(String, String)>,
    /// Classes of the model that the set does not label: what it says of them is not counted.
    pub(super) classes_left_out: Vec<Class>,
}

impl Rows {
    /// The row of a class.
    pub(super) fn of_class(&self, class: Class) -> Option<usize> {
        self.rows.iter().position(|row| row.classes.contains(&class))
    }
}

fn mistake(what: String, mend: String) -> Problem {
    Problem { file: "--map".to_owned(), key: String::new(), line: None, what, mend }
}

/// Brings labels and classes together.
///
/// # Errors
/// A mapping of a label that there is not, two of one label, or one class in two rows.
pub(super) fn meet(
    labels: &[String],
    mappings: &[Mapping],
    manifest: &Manifest,
) -> Result<Rows, Vec<Problem>> {
    let mut problems = Vec::new();
    for (at, mapping) in mappings.iter().enumerate() {
        if !labels.contains(&mapping.label) {
            let what = format!("\"{}\" is no label of this data set", mapping.label);
            problems.push(mistake(what, format!("write one of {}", labels.join(", "))));
        }
        if mappings[..at].iter().any(|before| before.label == mapping.label) {
            let mend = format!("join them: {}=CLASS+CLASS", mapping.label);
            problems.push(mistake(format!("\"{}\" stands twice", mapping.label), mend));
        }
    }
    let known = manifest.classes();
    let mut all = Rows {
        rows: Vec::new(),
        of_label: Vec::new(),
        labels_left_out: Vec::new(),
        classes_left_out: Vec::new(),
    };
    for label in labels {
        let row = match row(label, mappings, manifest, &known) {
            Ok(row) => row,
            Err(why) => {
                all.labels_left_out.push((label.clone(), why));
                all.of_label.push(None);
                continue;
            }
        };
        let same = all.rows.iter().position(|other| other.classes == row.classes);
        if same.is_none()
            && let Some((other, class)) = shared(&all.rows, &row)
        {
            let what = format!("{class} stands for \"{}\" and for \"{}\"", other.name, row.name);
            let mend = format!("give both labels the same classes, or leave one out with LABEL={NONE}");
            problems.push(mistake(what, mend));
        }
        all.of_label.push(Some(same.unwrap_or(all.rows.len())));
        if same.is_none() {
            all.rows.push(row);
        }
    }
    if all.rows.is_empty() && problems.is_empty() {
        let what = format!("{} knows none of this set's labels: {}", manifest.name(), labels.join(", "));
        let known: Vec<&str> = known.iter().map(|class| class.name()).collect();
        problems
            .push(mistake(what, format!("write --map LABEL=CLASS; the model knows {}", known.join(", "))));
    }
    all.classes_left_out = known.into_iter().filter(|class| all.of_class(*class).is_none()).collect();
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The row that a label makes, or why it makes none.
fn row(label: &str, mappings: &[Mapping], manifest: &Manifest, known: &[Class]) -> Result<Row, String> {
    let mapped = mappings.iter().find(|mapping| mapping.label == label);
    let classes = match mapped {
        Some(mapping) if mapping.classes.is_empty() => return Err("by --map".to_owned()),
        Some(mapping) => mapping.classes.clone(),
        None => {
            let named = class_named(label, manifest);
            vec![
                named
                    .ok_or_else(|| format!("no class of that name; --map \"{label}=CLASS\" gives it one"))?,
            ]
        }
    };
    let names = |classes: &[Class]| classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(", ");
    let kept: Vec<Class> = classes.iter().copied().filter(|class| known.contains(class)).collect();
    match kept[..] {
        [] => Err(format!("{} does not know {}", manifest.name(), names(&classes))),
        [only] if classes.len() == 1 => Ok(Row { name: only.name().to_owned(), classes: kept }),
        _ => Ok(Row { name: label.to_owned(), classes: kept }),
    }
}

/// The class that a label names, whatever its case and whether words are joined by blanks or hyphens.
fn class_named(label: &str, manifest: &Manifest) -> Option<Class> {
    let plain = |text: &str| text.trim().to_lowercase().replace([' ', '-'], "_");
    let wanted = plain(label);
    Class::from_name(&wanted).or_else(|| {
        let own = manifest.labels().iter().find(|own| plain(&own.text) == wanted);
        own.and_then(|own| own.class)
    })
}

fn shared<'r>(rows: &'r [Row], row: &Row) -> Option<(&'r Row, Class)> {
    rows.iter().find_map(|other| {
        let class = other.classes.iter().copied().find(|class| row.classes.contains(class));
        class.map(|class| (other, class))
    })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
