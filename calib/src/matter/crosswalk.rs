//! The same problem in the code families that coexist, with how far each is to be trusted.
//!
//! In: the text of a crosswalk file. Out: for a code of one family, its counterparts in the others. Never: a
//! translation back from a number that stands for several problems.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Evidence, MatterError, MatterFault, read_toml};

const BUILTIN: &str = include_str!("../../matters/crosswalk.toml");

/// A family of codes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Its name; for a standard, its `standard_ref`.
    pub id: String,
    /// How far its column is to be trusted.
    pub evidence: Evidence,
    /// What is known about it.
    #[serde(default)]
    pub note: String,
}

/// One code of one family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyCode {
    /// [`Family::id`].
    pub family: String,
    /// The code as that family writes it.
    pub code: String,
    /// What is different about it.
    #[serde(default)]
    pub note: String,
}

/// One problem and its codes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// What it is.
    pub name: String,
    /// Its codes, several of one family where that family splits it.
    pub codes: Vec<FamilyCode>,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crosswalk {
    /// The columns.
    #[serde(default, rename = "family")]
    pub families: Vec<Family>,
    /// The rows.
    #[serde(default, rename = "concept")]
    pub concepts: Vec<Concept>,
}

impl Crosswalk {
    /// Reads a crosswalk file; `file` only names it in errors.
    ///
    /// # Errors
    /// Every fault at once; of the faults of syntax and of unknown keys, the first.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<MatterError>> {
        let table: Self = read_toml(file, text)?;
        let mut errors = Vec::new();
        let mut fault = |key: String, fault| errors.push(MatterError { file: file.to_owned(), key, fault });
        let mut families = BTreeSet::new();
        for (i, family) in table.families.iter().enumerate() {
            if !families.insert(family.id.as_str()) {
                fault(format!("family[{i}].id"), MatterFault::Duplicate(family.id.clone()));
            }
        }
        for (i, concept) in table.concepts.iter().enumerate() {
            for (j, code) in concept.codes.iter().enumerate() {
                let key = || format!("concept[{i}].codes[{j}]");
                if !families.contains(code.family.as_str()) {
                    fault(key(), MatterFault::UnknownFamily(code.family.clone()));
                }
                let same = |other: &FamilyCode| other.family == code.family && other.code == code.code;
                if concept.codes[..j].iter().any(same) {
                    fault(key(), MatterFault::Duplicate(code.code.clone()));
                }
            }
        }
        if errors.is_empty() { Ok(table) } else { Err(errors) }
    }

    /// The table that the product ships.
    ///
    /// # Panics
    /// Never: a test reads the same text.
    pub fn builtin() -> Self {
        Self::parse("crosswalk.toml", BUILTIN).expect("the shipped crosswalk is checked by a test")
    }

    /// The rows that hold that code of that family: none, one, or several where one number stands for
    /// several problems.
    pub fn concepts_of<'a>(&'a self, family: &'a str, code: &'a str) -> impl Iterator<Item = &'a Concept> {
        self.concepts.iter().filter(move |c| c.codes.iter().any(|o| o.family == family && o.code == code))
    }

    /// How far the family's column is to be trusted.
    pub fn family(&self, id: &str) -> Option<&Family> {
        self.families.iter().find(|f| f.id == id)
    }
}

impl Concept {
    /// The codes of one family.
    pub fn codes_in<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a str> {
        self.codes.iter().filter(move |c| c.family == family).map(|c| c.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Catalogue, GBT_47678_5};
    use super::*;

    #[test]
    fn every_national_code_of_the_table_is_in_the_catalogue() {
        let (table, catalogue) = (Crosswalk::builtin(), Catalogue::builtin());
        assert_eq!((table.families.len(), table.concepts.len()), (5, 10));
        for concept in &table.concepts {
            let codes: Vec<_> = concept.codes_in(GBT_47678_5).collect();
            assert_eq!(codes.len(), 1, "{}", concept.name);
            assert!(catalogue.get(GBT_47678_5, codes[0]).is_some(), "{}", concept.name);
        }
    }

    #[test]
    fn one_number_may_stand_for_several_problems() {
        let table = Crosswalk::builtin();
        assert_eq!(table.concepts_of("Huawei event_type", "1114112").count(), 3);
        let overflow = table.concepts_of(GBT_47678_5, "06042").next().unwrap();
        assert_eq!(overflow.codes_in("GB/T 30428.2-2013").collect::<Vec<_>>(), ["01-92", "01-98"]);
        assert_eq!(table.family("Huawei event_type").unwrap().evidence, Evidence::Excerpt);
    }

    #[test]
    fn faults_are_all_reported() {
        let text = "[[concept]]\nname = \"x\"\ncodes = [{ family = \"a\", code = \"1\" }, { family = \"a\", code = \"1\" }]";
        let errors = Crosswalk::parse("x.toml", text).unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert_eq!(errors[0].key, "concept[0].codes[0]");
    }
}
