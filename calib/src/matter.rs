//! The catalogue of matters: which kinds of problem there are, by which standard's code.
//!
//! In: texts of catalogue files (the national list, a city's own codes). Out: a checked [`Catalogue`] keyed on
//! standard, kind and code, or every fault of the file at once. Never: a code without its standard (the same
//! number means different things in the families that coexist), a limit without the condition it hangs on.

mod condition;
mod crosswalk;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use condition::{Condition, Conditions, ZoneClass};
pub(crate) use condition::{matter_known, suggestion};
pub use crosswalk::{Concept, Crosswalk, Family, FamilyCode};

/// `standard_ref` of the catalogue that the product ships.
pub const GBT_47678_5: &str = "GB/T 47678.5-2026";
/// Digits of a matter code: two of the major, three of the minor.
pub const CODE_DIGITS: usize = 5;
/// The longest name that the exchange format takes, characters (`SXMC`, GB/T 47678.5 table 3, second-hand).
pub const NAME_CHARS_MAX: usize = 30;
/// The largest minor of a city's own codes, which count down from here.
pub const LOCAL_MINOR_MAX: u16 = 99;
/// How many codes [`Catalogue::suggest`] names at most.
const SUGGESTIONS_MAX: usize = 5;
/// How alike two texts are at least to suggest one for the other, `0..=1` (normalised Damerau–Levenshtein).
const LIKENESS_MIN: f64 = 0.5;

const BUILTIN: &str = include_str!("../matters/gbt-47678.5-2026.toml");

/// What the code stands for. A component and a matter can share five digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatterKind {
    /// 部件: a thing of the street (majors 01–05).
    Component,
    /// 事项: something that happens there (majors 06–10).
    Matter,
}

/// How far a table is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Read in a source opened whole.
    Read,
    /// Read in an excerpt only.
    Excerpt,
    /// A third party restating a standard.
    SecondHand,
    /// Recalled, not confirmed.
    Recalled,
    /// Proposed by whoever wrote the file.
    Proposed,
}

impl Evidence {
    /// Every grade with its name in files.
    pub const NAMES: [(&str, Self); 5] = [
        ("read", Self::Read),
        ("excerpt", Self::Excerpt),
        ("second_hand", Self::SecondHand),
        ("recalled", Self::Recalled),
        ("proposed", Self::Proposed),
    ];
}

/// One kind of problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// The standard that the code belongs to.
    pub standard_ref: String,
    /// Component or matter.
    pub kind: MatterKind,
    /// The code within the standard, five digits.
    pub code: String,
    /// The standard's own name.
    pub name: String,
    /// The name of the major that the first two digits stand for.
    pub major_name: String,
    /// How far the entry is to be trusted.
    pub evidence: Evidence,
}

/// A fault of a catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {fault}; {}", fault.mend())]
pub struct MatterError {
    /// The file as the caller named it.
    pub file: String,
    /// Where in the file: a key, a code or a line.
    pub key: String,
    /// What is wrong.
    pub fault: MatterFault,
}

/// What is wrong with a catalogue file. The text says what is wrong, [`MatterFault::mend`] what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatterFault {
    /// No TOML, an unknown or a missing key.
    #[error("{0}")]
    Syntax(String),
    /// `standard_ref` is empty.
    #[error("the file names no standard")]
    NoStandard,
    /// A major is not two digits.
    #[error("the major `{0}` is not two digits")]
    Major(String),
    /// A code is not five digits.
    #[error("the code `{0}` is not {CODE_DIGITS} digits")]
    Digits(String),
    /// A code stands under a major that it does not begin with.
    #[error("the code `{code}` stands under major `{major}`")]
    OtherMajor {
        /// The code.
        code: String,
        /// The major it was written under.
        major: String,
    },
    /// The same code or major twice.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// The name is empty or too long.
    #[error("the name `{0}` is empty or longer than {NAME_CHARS_MAX} characters")]
    Name(String),
    /// A city's own code is not of the city's range.
    #[error("the minor of the local code `{0}` is not within 001..=099")]
    LocalMinor(String),
    /// A city's own code has the number of a code of the catalogue it extends.
    #[error("`{code}` is already {name} in the catalogue that this file extends")]
    Taken {
        /// The code.
        code: String,
        /// Whose it is.
        name: String,
    },
    /// A file extends a catalogue that is not loaded, or claims its name.
    #[error("the file extends `{0}`, which is not the catalogue at hand")]
    Extends(String),
    /// A concept of the crosswalk uses a family that is not declared.
    #[error("the code family `{0}` is not declared")]
    UnknownFamily(String),
}

impl MatterFault {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::Syntax(_) => "see calib/matters/example-city.toml for the keys".to_owned(),
            Self::NoStandard => {
                format!("write standard_ref = \"{GBT_47678_5}\", or a name of the city's own")
            }
            Self::Major(_) => "write it like \"06\"".to_owned(),
            Self::Digits(_) => {
                "write two digits of the major and three of the minor, like \"06010\"".to_owned()
            }
            Self::OtherMajor { code, .. } => {
                format!("move it under major \"{}\"", code.get(..2).unwrap_or(code))
            }
            Self::Duplicate(_) => "remove one of them".to_owned(),
            Self::Name(_) => "write the standard's own name".to_owned(),
            Self::LocalMinor(_) => "count the city's own codes down from 099".to_owned(),
            Self::Taken { .. } => "use a number that is free, counting down from 099".to_owned(),
            Self::Extends(_) => {
                format!("write extends = \"{GBT_47678_5}\" and a standard_ref of the city's own")
            }
            Self::UnknownFamily(_) => "add a [[family]] with that id, or correct the name".to_owned(),
        }
    }
}

/// A catalogue file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    standard_ref: String,
    kind: MatterKind,
    extends: Option<String>,
    evidence: Evidence,
    #[serde(default)]
    note: String,
    #[serde(default, rename = "major")]
    majors: Vec<RawMajor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMajor {
    code: String,
    name: String,
    matters: Vec<RawMatter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatter {
    code: String,
    name: String,
}

/// Where a part of a catalogue comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file as the caller named it.
    pub file: String,
    /// Whose codes they are.
    pub standard_ref: String,
    /// The catalogue whose numbers these must not take.
    pub extends: Option<String>,
    /// How far to trust them.
    pub evidence: Evidence,
    /// What the file says about itself.
    pub note: String,
}

type Key = (String, MatterKind, String);

/// Every matter that the city knows, keyed on standard, kind and code.
#[derive(Debug, Clone)]
pub struct Catalogue {
    matters: BTreeMap<Key, Matter>,
    origins: Vec<Origin>,
}

impl Catalogue {
    /// Reads one catalogue file; `file` only names it in errors.
    ///
    /// # Errors
    /// Every fault at once; of the faults of syntax and of unknown keys, the first.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<MatterError>> {
        let raw: RawCatalogue = read_toml(file, text)?;
        let mut faults = Vec::new();
        let mut fault = |key: &str, fault| {
            faults.push(MatterError { file: file.to_owned(), key: key.to_owned(), fault });
        };
        if raw.standard_ref.trim().is_empty() {
            fault("standard_ref", MatterFault::NoStandard);
        }
        if let Some(extends) = raw.extends.as_ref().filter(|e| **e == raw.standard_ref) {
            fault("extends", MatterFault::Extends(extends.clone()));
        }
        let mut matters = BTreeMap::new();
        let mut majors = BTreeSet::new();
        for (i, major) in raw.majors.iter().enumerate() {
            let key = format!("major[{i}].code");
            if major.code.len() != 2 || !digits(&major.code) {
                fault(&key, MatterFault::Major(major.code.clone()));
            } else if !majors.insert(&major.code) {
                fault(&key, MatterFault::Duplicate(major.code.clone()));
            }
            for (j, entry) in major.matters.iter().enumerate() {
                let at = |field: &str| format!("major[{i}].matters[{j}].{field}");
                if let Some(wrong) = code_fault(entry, major, raw.extends.is_some()) {
                    fault(&at("code"), wrong);
                }
                if entry.name.trim().is_empty() || entry.name.chars().count() > NAME_CHARS_MAX {
                    fault(&at("name"), MatterFault::Name(entry.name.clone()));
                }
                let key = (raw.standard_ref.clone(), raw.kind, entry.code.clone());
                if matters.insert(key, matter(&raw, major, entry)).is_some() {
                    fault(&at("code"), MatterFault::Duplicate(entry.code.clone()));
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let RawCatalogue { standard_ref, extends, evidence, note, .. } = raw;
        let origin = Origin { file: file.to_owned(), standard_ref, extends, evidence, note };
        Ok(Self { matters, origins: vec![origin] })
    }

    /// The catalogue that the product ships: GB/T 47678.5-2026, events 06–10, second-hand.
    ///
    /// # Panics
    /// Never: a test reads the same text.
    pub fn builtin() -> Self {
        Self::parse("gbt-47678.5-2026.toml", BUILTIN).expect("the shipped catalogue is checked by a test")
    }

    /// This catalogue and a city's own.
    ///
    /// # Errors
    /// Every code of `local` whose number this catalogue has already, and a file that extends another one.
    pub fn merge(mut self, local: Self) -> Result<Self, Vec<MatterError>> {
        let mut errors = Vec::new();
        for origin in &local.origins {
            let mut fault = |key: String, fault| {
                errors.push(MatterError { file: origin.file.clone(), key, fault });
            };
            let known = |standard_ref: &String| self.origins.iter().any(|o| o.standard_ref == *standard_ref);
            if let Some(extends) = origin.extends.as_ref().filter(|e| !known(e)) {
                fault("extends".to_owned(), MatterFault::Extends(extends.clone()));
            }
            for own in local.matters.values().filter(|m| m.standard_ref == origin.standard_ref) {
                let base = origin.extends.as_deref().unwrap_or(&own.standard_ref);
                let taken = self.get_kind(base, own.kind, &own.code);
                if let Some(taken) = taken.or_else(|| self.get_kind(&own.standard_ref, own.kind, &own.code)) {
                    let fault_of = MatterFault::Taken { code: own.code.clone(), name: taken.name.clone() };
                    fault(own.code.clone(), fault_of);
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        self.matters.extend(local.matters);
        self.origins.extend(local.origins);
        Ok(self)
    }

    /// The event matter of that code in that standard.
    pub fn get(&self, standard_ref: &str, code: &str) -> Option<&Matter> {
        self.get_kind(standard_ref, MatterKind::Matter, code)
    }

    /// The entry of that kind and code in that standard.
    pub fn get_kind(&self, standard_ref: &str, kind: MatterKind, code: &str) -> Option<&Matter> {
        self.matters.get(&(standard_ref.to_owned(), kind, code.to_owned()))
    }

    /// All entries, by standard, kind and code.
    pub fn matters(&self) -> impl Iterator<Item = &Matter> {
        self.matters.values()
    }

    /// Where the parts come from, the first file first.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// What somebody may have meant who wrote a code or name that is not there: the same number in another
    /// standard, names that hold the text, and texts that are alike; best first, five at most.
    pub fn suggest(&self, code_or_name: &str) -> Vec<&Matter> {
        let wanted = code_or_name.trim();
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(f64, &Matter)> = self
            .matters
            .values()
            .map(|matter| (likeness(wanted, matter), matter))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .collect();
        // Stable: equal likeness keeps the order of the codes.
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().take(SUGGESTIONS_MAX).map(|(_, matter)| matter).collect()
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// How likely `matter` is meant by `wanted`, `0..=1`.
fn likeness(wanted: &str, matter: &Matter) -> f64 {
    if matter.code == wanted || matter.name == wanted {
        return 1.0;
    }
    // A code of an older style written with its hyphen, or without leading zero.
    let bare: String = wanted.chars().filter(char::is_ascii_digit).collect();
    if !bare.is_empty() && bare.len() * 2 > wanted.len() {
        let as_code = format!("{bare:0>CODE_DIGITS$}");
        return if as_code == matter.code {
            0.95
        } else {
            0.9 * strsim::normalized_damerau_levenshtein(&bare, &matter.code)
        };
    }
    let held = matter.name.contains(wanted) || (wanted.chars().count() > 1 && wanted.contains(&matter.name));
    let alike = strsim::normalized_damerau_levenshtein(wanted, &matter.name);
    if held { alike.max(0.8) } else { alike }
}

fn matter(raw: &RawCatalogue, major: &RawMajor, entry: &RawMatter) -> Matter {
    Matter {
        standard_ref: raw.standard_ref.clone(),
        kind: raw.kind,
        code: entry.code.clone(),
        name: entry.name.clone(),
        major_name: major.name.clone(),
        evidence: raw.evidence,
    }
}

fn code_fault(entry: &RawMatter, major: &RawMajor, local: bool) -> Option<MatterFault> {
    let code = entry.code.clone();
    if code.len() != CODE_DIGITS || !digits(&code) {
        return Some(MatterFault::Digits(code));
    }
    if !code.starts_with(&major.code) {
        return Some(MatterFault::OtherMajor { code, major: major.code.clone() });
    }
    let minor: u16 = code[2..].parse().unwrap_or(0);
    (local && !(1..=LOCAL_MINOR_MAX).contains(&minor)).then_some(MatterFault::LocalMinor(code))
}

/// TOML into a raw type, with the line of the first fault.
fn read_toml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Vec<MatterError>> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let key = format!("line {}", before.matches('\n').count() + 1);
        vec![MatterError {
            file: file.to_owned(),
            key,
            fault: MatterFault::Syntax(error.message().to_owned()),
        }]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = include_str!("../matters/example-city.toml");

    #[test]
    fn the_shipped_catalogue_has_the_97_events() {
        let catalogue = Catalogue::builtin();
        assert_eq!(catalogue.matters().count(), 97);
        let per_major = |major: &str| catalogue.matters().filter(|m| m.code.starts_with(major)).count();
        assert_eq!(["06", "07", "08", "09", "10"].map(per_major), [51, 7, 16, 21, 2]);
        let stall = catalogue.get(GBT_47678_5, "09006").unwrap();
        assert_eq!((stall.name.as_str(), stall.major_name.as_str()), ("占道经营", "街面秩序"));
        assert_eq!(stall.evidence, Evidence::SecondHand);
        for unused in ["06031", "07005", "09007"] {
            assert!(catalogue.get(GBT_47678_5, unused).is_none());
        }
        assert!(catalogue.get("GB/T 30428.2-2013", "09006").is_none(), "a code needs its standard");
        assert!(catalogue.get_kind(GBT_47678_5, MatterKind::Component, "09006").is_none());
    }

    #[test]
    fn a_citys_own_codes_join() {
        let catalogue = Catalogue::builtin().merge(Catalogue::parse("city.toml", LOCAL).unwrap()).unwrap();
        assert_eq!(catalogue.matters().count(), 100);
        assert_eq!(catalogue.get("EXAMPLE 371329", "08098").unwrap().name, "违法农村自建房");
        assert!(catalogue.get(GBT_47678_5, "08098").is_none());
        assert_eq!(catalogue.origins().len(), 2);
    }

    #[test]
    fn local_numbers_that_are_taken_are_refused() {
        let text = LOCAL.replace("08098", "08016").replace("06099", "06010");
        let errors = Catalogue::builtin().merge(Catalogue::parse("city.toml", &text).unwrap()).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["06010", "08016"]);
        assert!(errors[0].to_string().contains("暴露垃圾"), "{}", errors[0]);
        let twice = Catalogue::builtin().merge(Catalogue::builtin()).unwrap_err();
        assert_eq!(twice.len(), 97);
    }

    #[test]
    fn every_fault_of_a_file_is_reported() {
        let text = r#"
            standard_ref = " "
            kind = "matter"
            extends = "GB/T 47678.5-2026"
            evidence = "proposed"
            [[major]]
            code = "6"
            name = "x"
            matters = []
            [[major]]
            code = "06"
            name = "市容环境"
            matters = [
                { code = "0601", name = "a" },
                { code = "07001", name = "b" },
                { code = "06100", name = "c" },
                { code = "06099", name = "" },
                { code = "06099", name = "d" },
            ]
        "#;
        let errors = Catalogue::parse("city.toml", text).unwrap_err();
        let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 7, "{listed:#?}");
        for (error, part) in errors.iter().zip([
            "names no standard",
            "`6` is not two digits",
            "`0601` is not 5 digits",
            "move it under major \"07\"",
            "`06100` is not within",
            "is empty",
            "twice",
        ]) {
            assert!(error.to_string().contains(part), "{error} / {part}");
        }
    }

    #[test]
    fn syntax_and_unknown_keys_name_the_line() {
        let text = LOCAL.replace("note = ", "notes = ");
        let error = &Catalogue::parse("city.toml", &text).unwrap_err()[0];
        let line = 1 + LOCAL.lines().position(|l| l.starts_with("note")).unwrap();
        assert_eq!(error.key, format!("line {line}"));
        assert!(error.to_string().contains("unknown field `notes`"), "{error}");
    }

    #[test]
    fn suggestions_find_typos_old_styles_and_parts_of_names() {
        let catalogue = Catalogue::builtin();
        let first = |text: &str| catalogue.suggest(text).first().map(|m| m.code.clone());
        assert_eq!(first("9006").as_deref(), Some("09006"));
        assert_eq!(first("09-006").as_deref(), Some("09006"));
        assert_eq!(first("占到经营").as_deref(), Some("09006"));
        assert_eq!(first("满溢").as_deref(), Some("06042"));
        assert!(catalogue.suggest("09007").iter().any(|m| m.code == "09001" || m.code == "09006"));
        assert!(catalogue.suggest("zzzz").is_empty());
        assert!(catalogue.suggest("").is_empty());
        assert!(catalogue.suggest("0").len() <= 5);
    }
}
