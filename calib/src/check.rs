//! Reading a TOML text so that every mistake in it is reported at once, with its file, key, line and mend.
//!
//! In: a file's name and text. Out: values, and a list of [`Problem`]s. Never: the file itself; a stop at
//! the first mistake. Serde would stop there, which costs an integrator one run for each mistake; so
//! the sections are read key by key, and what was asked for is what is known.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// The key's path, for instance `zone[1].polygon`; empty for the whole file.
    pub key: String,
    /// Line in the file, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}\n    {}", self.what, self.mend)
    }
}

/// A file's text with the mistakes found in it so far.
pub struct Source<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Source<'t> {
    /// A text and the name of its file for messages.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// Parses the text. Every syntax error becomes a problem; what could be read is returned.
    pub fn root(&mut self) -> Section<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map(|span| self.line_at(span.start));
            self.problems.push(Problem {
                file: self.file.to_owned(),
                key: String::new(),
                line,
                what: format!("not TOML: {}", error.message()),
                mend: "see https://toml.io; strings stand in quotes, tables in [brackets]".to_owned(),
            });
        }
        Section { path: String::new(), start: 0, table: table.into_inner(), asked: BTreeSet::new() }
    }

    /// Notes a mistake at a key.
    pub fn problem(&mut self, at: &At, what: impl Into<String>, mend: impl Into<String>) {
        let line = (at.start > 0 || !at.key.is_empty()).then(|| self.line_at(at.start));
        self.problems.push(Problem {
            file: self.file.to_owned(),
            key: at.key.clone(),
            line,
            what: what.into(),
            mend: mend.into(),
        });
    }

    /// The name of the file.
    pub fn file(&self) -> &'t str {
        self.file
    }

    /// Whether nothing was wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything that was wrong, in the order it was found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn line_at(&self, byte: usize) -> usize {
        1 + self.text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
    }
}

/// A place in a file: the key's path and where it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct At {
    /// The key's path.
    pub key: String,
    /// Byte offset into the text.
    pub start: usize,
}

/// One table of the file. Keys are asked for one by one; [`Section::finish`] reports those nobody asked for.
pub struct Section<'t> {
    path: String,
    start: usize,
    table: DeTable<'t>,
    asked: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    /// Where this table stands.
    pub fn at(&self) -> At {
        At { key: self.path.clone(), start: self.start }
    }

    /// Where a key of this table stands, or would stand.
    pub fn at_key(&self, key: &str) -> At {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let start = self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(k, _)| k.span().start);
        At { key: path, start: start.unwrap_or(self.start) }
    }

    /// Whether the key is there.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.asked.insert(key);
        self.table.iter().any(|(k, _)| k.get_ref() == key)
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        let at = self.table.iter().find(|(k, _)| k.get_ref() == key)?;
        Some(at.1.clone())
    }

    fn typed<T>(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let got = read(value.get_ref());
        if got.is_none() {
            let found = value.get_ref().type_str();
            let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
            source.problem(
                &self.at_key(key),
                format!("is {article} {found}, or out of range"),
                format!("write {wanted}"),
            );
        }
        got
    }

    /// A text.
    pub fn text(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<String> {
        self.typed(source, key, "a text in quotes", |v| v.as_str().map(str::to_owned))
    }

    /// A text that must be there; its absence is a problem.
    pub fn text_required(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        mend: &str,
    ) -> Option<String> {
        if !self.has(key) {
            source.problem(&self.at_key(key), "is missing", mend);
            return None;
        }
        self.text(source, key)
    }

    /// A switch.
    pub fn switch(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<bool> {
        self.typed(source, key, "true or false", DeValue::as_bool)
    }

    /// A number within a closed range.
    pub fn number(&mut self, source: &mut Source<'t>, key: &'static str, range: (f64, f64)) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.0, range.1);
        self.typed(source, key, &wanted, |v| number(v).filter(|n| (range.0..=range.1).contains(n)))
    }

    /// A whole number within a closed range.
    pub fn whole(&mut self, source: &mut Source<'t>, key: &'static str, range: (u32, u32)) -> Option<u32> {
        let wanted = format!("a whole number from {} to {}", range.0, range.1);
        self.typed(source, key, &wanted, |v| {
            let n = v.as_integer()?;
            let n = u32::from_str_radix(n.as_str(), n.radix()).ok()?;
            (range.0..=range.1).contains(&n).then_some(n)
        })
    }

    /// A list of texts.
    pub fn texts(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Vec<String>> {
        self.typed(source, key, "a list of texts, like [\"a\", \"b\"]", |v| {
            v.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        })
    }

    /// A pair of numbers.
    pub fn pair(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<[f64; 2]> {
        self.typed(source, key, "two numbers, like [1280, 720]", pair)
    }

    /// A list of pairs of numbers.
    pub fn pairs(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Vec<[f64; 2]>> {
        self.typed(source, key, "a list of points, like [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]", |v| {
            v.as_array()?.iter().map(|item| pair(item.get_ref())).collect()
        })
    }

    /// A table below this one.
    pub fn section(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Section<'t>> {
        let at = self.at_key(key);
        let table =
            self.typed(source, key, &format!("a table, like [{}]", at.key), |v| v.as_table().cloned())?;
        Some(Section { path: at.key, start: at.start, table, asked: BTreeSet::new() })
    }

    /// The tables of a list of tables, `[[key]]`; none where the key is absent.
    pub fn sections(&mut self, source: &mut Source<'t>, key: &'static str) -> Vec<Section<'t>> {
        let at = self.at_key(key);
        let wanted = format!("one or more tables, each headed [[{}]]", at.key);
        let tables = self.typed(source, key, &wanted, |v| {
            let items = v.as_array()?.iter();
            items
                .map(|item| Some((item.span().start, item.get_ref().as_table()?.clone())))
                .collect::<Option<Vec<_>>>()
        });
        let tables = tables.unwrap_or_default().into_iter().enumerate();
        tables
            .map(|(i, (start, table))| Section {
                path: format!("{}[{i}]", at.key),
                start,
                table,
                asked: BTreeSet::new(),
            })
            .collect()
    }

    /// Reports every key that nobody asked for, with the nearest known one.
    pub fn finish(self, source: &mut Source<'t>) {
        for (key, _) in &self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(name) {
                continue;
            }
            let known: Vec<&str> = self.asked.iter().copied().collect();
            let mend = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys here: {}", known.join(", ")),
            };
            let mut at = self.at_key(name);
            at.start = key.span().start;
            source.problem(&at, "is not a key that Shirong knows", mend);
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    if let Some(n) = value.as_integer() {
        return i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64);
    }
    value.as_float()?.as_str().parse::<f64>().ok().filter(|n| n.is_finite())
}

fn pair(value: &DeValue<'_>) -> Option<[f64; 2]> {
    let items = value.as_array()?;
    let numbers: Vec<f64> = items.iter().map(|v| number(v.get_ref())).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// The known word nearest to a mistyped one (Jaro-Winkler, at least 0.8), if any is near.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|k| (strsim::jaro_winkler(word, k), *k))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_found_in_one_pass() {
        let text =
            "name = 3\nbeta = 1\n[stream]\nurll = \"x\"\n[[zone]]\nid = \"a\"\npolygon = [[0, 1, 2]]\n";
        let mut source = Source::new("c.toml", text);
        let mut root = source.root();
        assert_eq!(root.text(&mut source, "name"), None);
        let mut stream = root.section(&mut source, "stream").unwrap();
        assert_eq!(stream.text_required(&mut source, "url", "write url = \"rtsp://…\""), None);
        stream.finish(&mut source);
        for mut zone in root.sections(&mut source, "zone") {
            assert_eq!(zone.text(&mut source, "id").as_deref(), Some("a"));
            assert_eq!(zone.pairs(&mut source, "polygon"), None);
            zone.finish(&mut source);
        }
        root.finish(&mut source);
        let found: Vec<_> = source.into_problems().into_iter().map(|p| (p.key, p.line)).collect();
        let expected =
            [("name", 1), ("stream.url", 3), ("stream.urll", 4), ("zone[0].polygon", 7), ("beta", 2)];
        assert_eq!(found, expected.map(|(key, line)| (key.to_owned(), Some(line))));
    }

    #[test]
    fn syntax_errors_carry_their_line() {
        let mut source = Source::new("c.toml", "a = 1\nb = \n");
        source.root();
        let problems = source.into_problems();
        assert_eq!(problems[0].line, Some(2));
    }

    #[test]
    fn a_near_key_is_suggested() {
        assert_eq!(nearest("dwel_secs", &["dwell_secs", "hours"]), Some("dwell_secs"));
        assert_eq!(nearest("colour", &["dwell_secs", "hours"]), None);
    }
}
