//! When a problem is filed, when it is closed, and how long somebody has for it.
//!
//! In: the text of a conditions file, the catalogue. Out: checked [`Conditions`], or every fault of the file at
//! once. Never: a limit of a matter: a limit hangs on the filing condition, and a matter may have several.

use std::collections::BTreeMap;
use std::fmt;

use super::{Catalogue, Evidence, GBT_47678_5};
use crate::calendar::{Calendar, Limit, LimitError, read_evidence};
use crate::check::{At, Problem, Section, Source};
use crate::time::Timestamp;

const BUILTIN: &str = include_str!("../../matters/conditions.toml");

/// How much a place matters to the city: limits may differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneClass {
    /// 核心区.
    A,
    /// What lies between.
    B,
    /// The outskirts.
    C,
}

impl ZoneClass {
    /// Every class with its name in files.
    pub const NAMES: [(&str, Self); 3] = [("A", Self::A), ("B", Self::B), ("C", Self::C)];

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }
}

impl fmt::Display for ZoneClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].0)
    }
}

/// A filing condition (立案条件) with what closes it and its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The only one of its file.
    pub id: String,
    /// The standard that `code` belongs to.
    pub standard_ref: String,
    /// The matter's code.
    pub code: String,
    /// What must be so for a case to be filed (立案条件).
    pub filing: String,
    /// What must be so for it to be closed (结案条件).
    pub closing: String,
    /// Where this row's words come from, if they were changed.
    pub note: String,
    limits: [Limit; 3],
}

impl Condition {
    /// How long somebody has in a zone of that class.
    pub fn limit(&self, class: ZoneClass) -> Limit {
        self.limits[class as usize]
    }

    /// When a case that was filed under this condition is due.
    pub fn due(&self, filed_at: Timestamp, class: ZoneClass, calendar: &Calendar) -> Timestamp {
        calendar.deadline(filed_at, self.limit(class))
    }
}

/// All filing conditions of a city.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    by_id: BTreeMap<String, Condition>,
    evidence: Option<Evidence>,
    note: String,
}

impl Conditions {
    /// Reads a conditions file; `file` only names it.
    ///
    /// # Errors
    /// Every mistake in the file, each with its key, line and mend.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Vec<Problem>> {
        let mut source = Source::new(file, text);
        let mut root = source.root();
        let standard = root.text(&mut source, "standard_ref").unwrap_or_else(|| GBT_47678_5.to_owned());
        let mut found = Self {
            by_id: BTreeMap::new(),
            evidence: read_evidence(&mut source, &mut root),
            note: root.text(&mut source, "note").unwrap_or_default(),
        };
        for mut section in root.sections(&mut source, "condition") {
            let at = section.at_key("id");
            let condition = read_condition(&mut source, &mut section, &standard, catalogue);
            section.finish(&mut source);
            let Some(condition) = condition else { continue };
            let id = condition.id.clone();
            if found.by_id.insert(id.clone(), condition).is_some() {
                source.problem(&at, format!("`{id}` is used twice"), "give each condition its own id");
            }
        }
        root.finish(&mut source);
        if source.is_clean() { Ok(found) } else { Err(source.into_problems()) }
    }

    /// The conditions that the product ships: another city's published table, for the matters that cameras see.
    ///
    /// # Panics
    /// Never: a test reads the same text.
    pub fn builtin() -> Self {
        Self::parse("conditions.toml", BUILTIN, &Catalogue::builtin())
            .expect("the shipped conditions are checked by a test")
    }

    /// The condition of that id.
    pub fn get(&self, id: &str) -> Option<&Condition> {
        self.by_id.get(id)
    }

    /// All conditions of a matter, by id.
    pub fn of<'c>(&'c self, standard_ref: &'c str, code: &'c str) -> impl Iterator<Item = &'c Condition> {
        self.by_id.values().filter(move |c| c.standard_ref == standard_ref && c.code == code)
    }

    /// All conditions, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.by_id.values()
    }

    /// How far the table is to be trusted, where it says so.
    pub fn evidence(&self) -> Option<Evidence> {
        self.evidence
    }

    /// What the file says about itself.
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn read_condition<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    standard: &str,
    catalogue: &Catalogue,
) -> Option<Condition> {
    let id = section.text_required(source, "id", "write id = \"09006-1\"");
    let mend = "write the five digits of a matter of standard_ref, like matter = \"09006\"";
    let code = section.text_required(source, "matter", mend);
    let at = section.at_key("matter");
    let code = code.filter(|code| matter_known(source, &at, standard, code, catalogue));
    let filing = section.text_required(source, "filing", "write what must be so for a case to be filed");
    let closing = section.text_required(source, "closing", "write what must be so for a case to be closed");
    let note = section.text(source, "note").unwrap_or_default();
    let limits = read_limits(source, section);
    Some(Condition {
        id: id?,
        standard_ref: standard.to_owned(),
        code: code?,
        filing: filing?,
        closing: closing?,
        note,
        limits: limits?,
    })
}

/// Whether a standard has that matter; a problem with what may be meant where it has not.
pub(crate) fn matter_known(
    source: &mut Source<'_>,
    at: &At,
    standard: &str,
    code: &str,
    catalogue: &Catalogue,
) -> bool {
    let known = catalogue.get(standard, code).is_some();
    if !known {
        let mend = suggestion(catalogue, code, standard);
        source.problem(at, format!("`{code}` is no matter of {standard}"), mend);
    }
    known
}

/// What to write instead of a code that is not there.
pub(crate) fn suggestion(catalogue: &Catalogue, code: &str, standard: &str) -> String {
    let near = catalogue.suggest(code).into_iter().take(3);
    let near: Vec<String> = near.map(|m| format!("{} {} ({})", m.code, m.name, m.standard_ref)).collect();
    if near.is_empty() {
        format!("write the five digits of a matter of {standard}, for instance \"09006\"")
    } else {
        format!("did you mean {}?", near.join(", or "))
    }
}

fn read_limits<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Option<[Limit; 3]> {
    let mend = "write limit = \"4 work_hour\", or limits = { A = \"2 work_hour\", B = \"4 work_hour\", C = \
                \"1 work_day\" }";
    let one = section.text(source, "limit");
    let at = section.at_key("limit");
    let by_class = section.section(source, "limits");
    match (one, by_class) {
        (Some(text), None) => read_limit(source, &at, &text).map(|limit| [limit; 3]),
        (None, Some(mut table)) => {
            let [a, b, c] = ["A", "B", "C"].map(|class| {
                let text = table.text_required(source, class, "write a limit for each of A, B and C")?;
                read_limit(source, &table.at_key(class), &text)
            });
            table.finish(source);
            Some([a?, b?, c?])
        }
        (Some(_), Some(_)) => {
            source.problem(&at, "stands beside limits", mend);
            None
        }
        (None, None) => {
            source.problem(&section.at(), "has no limit", mend);
            None
        }
    }
}

fn read_limit(source: &mut Source<'_>, at: &At, text: &str) -> Option<Limit> {
    text.parse()
        .map_err(|LimitError(text)| {
            let mend =
                "write a whole number and urgent_hour, work_hour, work_day or natural_day: \"4 work_hour\"";
            source.problem(at, format!("`{text}` is no time limit"), mend);
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = Conditions::parse("c.toml", text, &Catalogue::builtin()).unwrap_err();
        assert!(found.iter().all(|p| p.line.is_some() && !p.mend.is_empty()), "{found:#?}");
        found.into_iter().map(|p| format!("{}: {}", p.key, p.what)).collect()
    }

    #[test]
    fn the_shipped_conditions_are_of_the_shipped_catalogue() {
        let conditions = Conditions::builtin();
        let vendor: Vec<&Condition> = conditions.of(GBT_47678_5, "09006").collect();
        assert_eq!(vendor.len(), 1);
        assert_eq!(vendor[0].limit(ZoneClass::A).to_string(), "2 urgent_hour");
        // Building that goes on and building that stands are two conditions of one matter.
        let limits: Vec<String> =
            conditions.of(GBT_47678_5, "06001").map(|c| c.limit(ZoneClass::B).to_string()).collect();
        assert_eq!(limits, ["48 urgent_hour", "15 work_day"]);
        assert_eq!(conditions.evidence(), Some(Evidence::Read));
        assert!(!conditions.note().is_empty());
    }

    #[test]
    fn limits_differ_by_zone_class() {
        let text = r#"
            [[condition]]
            id = "06010-1"
            matter = "06010"
            filing = "a"
            closing = "b"
            limits = { A = "2 work_hour", B = "4 work_hour", C = "1 work_day" }
        "#;
        let conditions = Conditions::parse("c.toml", text, &Catalogue::builtin()).unwrap();
        let condition = conditions.get("06010-1").unwrap();
        let filed: Timestamp = "2026-07-03T17:00:00+08:00".parse().unwrap();
        let due = |class| condition.due(filed, class, &Calendar::default()).to_string();
        // Friday 17:00: Monday 09:00, 11:00 and 17:00.
        assert_eq!(
            ZoneClass::NAMES.map(|(_, class)| due(class)),
            ["2026-07-06T01:00:00.000Z", "2026-07-06T03:00:00.000Z", "2026-07-06T09:00:00.000Z"]
        );
    }

    #[test]
    fn every_mistake_of_a_file_is_told() {
        let row = |id: &str, matter: &str, limit: &str| {
            format!("[[condition]]\nid='{id}'\nmatter='{matter}'\nfiling='a'\nclosing='b'\n{limit}\n")
        };
        let text = [
            row("a", "09006", "limit = '2 urgent_hour'"),
            row("a", "09006", "limit = '2 urgent_hour'"),
            row("b", "9006", "limit = '2 urgent_hour'"),
            row("c", "09006", "limit = '2 hours'"),
            row("d", "09006", ""),
            row("e", "09006", "limit = '1 work_day'\nlimits = { A = '1 work_day' }"),
            row("f", "09006", "limits = { A = '1 work_day', B = '1 work_dya' }"),
            "[[condition]]\nmater = '09006'\n".to_owned(),
        ];
        let told = problems(&text.concat());
        for part in [
            "condition[1].id: `a` is used twice",
            "condition[2].matter: `9006` is no matter",
            "condition[3].limit: `2 hours` is no time limit",
            "condition[4]: has no limit",
            "condition[5].limit: stands beside limits",
            "condition[6].limits.B: `1 work_dya` is no time limit",
            "condition[6].limits.C: is missing",
            "condition[7].id: is missing",
            "condition[7].mater: is not a key",
        ] {
            assert!(told.iter().any(|t| t.contains(part)), "{part}\n{told:#?}");
        }
    }
}
