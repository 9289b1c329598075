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
    /// The file itself, then those whose values stand in where it says nothing, the nearest first.
    texts: Vec<Text<'t>>,
    above: Vec<Above<'t>>,
    problems: Vec<Problem>,
    asked: Option<Vec<Asked>>,
}

#[derive(Debug, Clone, Copy)]
struct Text<'t> {
    file: &'t str,
    text: &'t str,
}

/// A table of another file whose values stand in where a file says nothing: a node's or a group's defaults.
#[derive(Debug, Clone)]
pub struct Above<'t> {
    text: Text<'t>,
    /// The folder that its relative paths start from.
    folder: String,
    path: String,
    start: usize,
    table: DeTable<'t>,
}

/// What a reader asked for: the material of the schema that editors use.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The key's path; members of a list have `[]`.
    pub path: String,
    /// What is accepted there.
    pub form: Form,
    /// Whether its absence is a mistake.
    pub required: bool,
    /// What it is for, where its reader says so.
    pub about: Option<About>,
}

/// What a key is for: the material of the page of knobs.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// What stands where the file says nothing.
    pub default: String,
    /// What it does.
    pub does: &'static str,
    /// Where it takes effect.
    pub effect: Effect,
}

/// Where a key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There, from the next look or case on.
    Now(&'static str),
    /// It is read, checked and kept; that part of the product is to take it up.
    Kept(&'static str),
}

/// What a key accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// A text.
    Text,
    /// One of these words.
    Word(Vec<String>),
    /// `true` or `false`.
    Switch,
    /// A number within a closed range.
    Number(f64, f64),
    /// A whole number within a closed range.
    Whole(u32, u32),
    /// A list of texts.
    Texts,
    /// A list of whole numbers within a closed range.
    Wholes(u32, u32),
    /// A list of these words.
    Words(Vec<String>),
    /// Two numbers.
    Pair,
    /// A list of pairs.
    Pairs,
    /// A table.
    Table,
    /// A list of tables.
    Tables,
    /// Tables under names that the file chooses.
    Named,
}

impl<'t> Source<'t> {
    /// A text and the name of its file for messages.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self::under(file, text, Vec::new())
    }

    /// A text that stands under others: where it says nothing they do, the first of them first.
    pub fn under(file: &'t str, text: &'t str, above: Vec<Above<'t>>) -> Self {
        let texts = std::iter::once(Text { file, text }).chain(above.iter().map(|a| a.text)).collect();
        Self { texts, above, problems: Vec::new(), asked: None }
    }

    /// Notes from here on what the reader asks for.
    #[must_use]
    pub fn noting(mut self) -> Self {
        self.asked = Some(Vec::new());
        self
    }

    /// What the reader asked for, where that was noted.
    pub fn into_asked(self) -> Vec<Asked> {
        self.asked.unwrap_or_default()
    }

    /// Parses the text. Every syntax error becomes a problem; what could be read is returned.
    pub fn root(&mut self) -> Section<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.texts[0].text);
        for error in errors {
            let line = error.span().map(|span| self.line_at(0, span.start));
            self.problems.push(Problem {
                file: self.texts[0].file.to_owned(),
                key: String::new(),
                line,
                what: format!("not TOML: {}", error.message()),
                mend: "see https://toml.io; strings stand in quotes, tables in [brackets]".to_owned(),
            });
        }
        let own = Part { text: 0, path: String::new(), start: 0, table: table.into_inner() };
        let above = self.above.iter().enumerate().map(|(i, above)| Part {
            text: i + 1,
            path: above.path.clone(),
            start: above.start,
            table: above.table.clone(),
        });
        Section { parts: std::iter::once(own).chain(above).collect(), asked: BTreeSet::new() }
    }

    /// Notes a mistake at a key.
    pub fn problem(&mut self, at: &At, what: impl Into<String>, mend: impl Into<String>) {
        let line = (at.start > 0 || !at.key.is_empty()).then(|| self.line_at(at.text, at.start));
        self.problems.push(Problem {
            file: self.texts[at.text].file.to_owned(),
            key: at.key.clone(),
            line,
            what: what.into(),
            mend: mend.into(),
        });
    }

    /// The name of the file.
    pub fn file(&self) -> &'t str {
        self.texts[0].file
    }

    /// Whether nothing was wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything that was wrong, in the order it was found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn line_at(&self, text: usize, byte: usize) -> usize {
        1 + self.texts[text].text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
    }

    fn note(&mut self, section: &Section<'_>, key: &str, form: Form, required: bool) {
        let Some(asked) = &mut self.asked else { return };
        let path = section.shared_path_of(key);
        let now = Asked { path, form, required, about: None };
        match asked.iter_mut().find(|known| known.path == now.path) {
            Some(known) => {
                known.required |= now.required;
                // A list of words says more than a text.
                if matches!(known.form, Form::Text | Form::Texts) {
                    known.form = now.form;
                }
            }
            None => asked.push(now),
        }
    }
}

/// A place in a file: the key's path and where it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct At {
    /// The key's path.
    pub key: String,
    /// Byte offset into the text.
    pub start: usize,
    /// Which of the source's texts: the file itself is 0.
    text: usize,
}

impl At {
    /// A key that has no line, of a file that is not at hand.
    pub(crate) fn named(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }
}

/// One table of one text.
#[derive(Debug, Clone)]
struct Part<'t> {
    text: usize,
    path: String,
    start: usize,
    table: DeTable<'t>,
}

impl<'t> Part<'t> {
    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn at(&self, key: &str) -> At {
        let start = self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(k, _)| k.span().start);
        At { key: self.path_of(key), start: start.unwrap_or(self.start), text: self.text }
    }

    fn get(&self, key: &str) -> Option<&Spanned<DeValue<'t>>> {
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    fn below(&self, key: &str) -> Option<Self> {
        let table = self.get(key)?.get_ref().as_table()?.clone();
        let at = self.at(key);
        Some(Self { text: self.text, path: at.key, start: at.start, table })
    }
}

/// One table of the file, over the same table of the files it stands under. Keys are asked for one by one;
/// [`Section::finish`] reports those nobody asked for.
pub struct Section<'t> {
    /// The file's own, then the others', the nearest first.
    parts: Vec<Part<'t>>,
    asked: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    /// Where this table stands.
    pub fn at(&self) -> At {
        let own = &self.parts[0];
        At { key: own.path.clone(), start: own.start, text: own.text }
    }

    /// Where a key of this table stands, or would stand.
    pub fn at_key(&self, key: &str) -> At {
        self.part_with(key).unwrap_or(&self.parts[0]).at(key)
    }

    /// The key's path with `[]` for a list's members, which share their keys.
    fn shared_path_of(&self, key: &str) -> String {
        let path = self.parts[0].path_of(key);
        let parts = path.split('[').map(|part| part.split_once(']').map_or(part, |(_, after)| after));
        parts.collect::<Vec<_>>().join("[]")
    }

    /// Says what a key that was asked for is for: what stands where the file says nothing, what it does, where it
    /// takes effect.
    pub fn about(
        &self,
        source: &mut Source<'t>,
        key: &str,
        default: impl fmt::Display,
        does: &'static str,
        effect: Effect,
    ) {
        let Some(asked) = &mut source.asked else { return };
        let path = self.shared_path_of(key);
        if let Some(known) = asked.iter_mut().find(|known| known.path == path) {
            known.about = Some(About { default: default.to_string(), does, effect });
        }
    }

    fn part_with(&self, key: &str) -> Option<&Part<'t>> {
        self.parts.iter().find(|part| part.get(key).is_some())
    }

    /// Whether the key is written in the file itself, not in one that it stands under.
    pub fn is_own(&self, key: &str) -> bool {
        self.parts[0].get(key).is_some()
    }

    /// Whether the key is there.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.asked.insert(key);
        self.part_with(key).is_some()
    }

    /// The names in this table of tables, each a name that the file chooses; a problem for what is no table.
    pub fn names(&mut self, source: &mut Source<'t>, key: &'static str) -> Vec<(String, Section<'t>)> {
        let Some(section) = self.section_of(source, key, Form::Named) else { return Vec::new() };
        let own = &section.parts[0];
        let names: Vec<String> = own.table.iter().map(|(k, _)| k.get_ref().to_string()).collect();
        let mut found = Vec::new();
        for name in names {
            match own.below(&name) {
                Some(part) => found.push((name, Section { parts: vec![part], asked: BTreeSet::new() })),
                None => {
                    source.problem(&own.at(&name), "is no table", format!("write [{}]", own.path_of(&name)))
                }
            }
        }
        found
    }

    /// This table as one that other files stand under; `folder` is where its relative paths start from.
    pub fn into_above(mut self, source: &Source<'t>, folder: &str) -> Above<'t> {
        let Part { text, path, start, table } = self.parts.swap_remove(0);
        Above { text: source.texts[text], folder: folder.to_owned(), path, start, table }
    }

    /// Lets the table `outer.inner` of the files that `parent`'s stands under stand in for keys of this one.
    pub fn lean_on(&mut self, parent: &Section<'t>, outer: &str, inner: &str) {
        let above = parent.parts.iter().filter(|part| part.text != 0);
        self.parts.extend(above.filter_map(|part| part.below(outer)?.below(inner)));
    }

    /// Reports the keys of the table `key` of the files above that are none of `known`.
    pub fn above_known(&self, source: &mut Source<'t>, key: &str, known: &[&str]) {
        for part in self.parts.iter().filter(|part| part.text != 0) {
            let Some(table) = part.below(key) else { continue };
            for (name, _) in &table.table {
                let name: &str = name.get_ref();
                if !known.contains(&name) {
                    source.problem(&table.at(name), "is not one that Shirong knows", mend_key(name, known));
                }
            }
        }
    }

    fn typed<T>(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        (form, wanted): (Form, &str),
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        source.note(self, key, form, false);
        self.asked.insert(key);
        let part = self.part_with(key)?;
        let value = part.get(key)?.get_ref();
        let got = read(value);
        if got.is_none() {
            let found = value.type_str();
            let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
            source.problem(
                &part.at(key),
                format!("is {article} {found}, or out of range"),
                format!("write {wanted}"),
            );
        }
        got
    }

    /// A text.
    pub fn text(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<String> {
        self.typed(source, key, (Form::Text, "a text in quotes"), |v| v.as_str().map(str::to_owned))
    }

    /// A text that must be there; its absence is a problem.
    pub fn text_required(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        mend: &str,
    ) -> Option<String> {
        source.note(self, key, Form::Text, true);
        if !self.has(key) {
            source.problem(&self.at_key(key), "is missing", mend);
            return None;
        }
        self.text(source, key)
    }

    /// A path. One that comes from a file above starts from that file's folder.
    pub fn path(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<String> {
        let path = self.text(source, key)?;
        let above = self.part_with(key)?.text.checked_sub(1);
        match above.and_then(|i| source.above.get(i)) {
            Some(above) if !path.starts_with('/') => Some(format!("{}/{path}", above.folder)),
            _ => Some(path),
        }
    }

    /// Says what a key takes that is read only where another is not: for the schema that editors use.
    pub fn offers(&self, source: &mut Source<'t>, key: &str, form: Form) {
        source.note(self, key, form, false);
    }

    /// Says which words a text, or the texts of a list, may be: for the schema that editors use.
    pub fn words<'w>(
        &self,
        source: &mut Source<'t>,
        key: &str,
        list: bool,
        words: impl IntoIterator<Item = &'w str>,
    ) {
        let words = words.into_iter().map(str::to_owned).collect();
        source.note(self, key, if list { Form::Words(words) } else { Form::Word(words) }, false);
    }

    /// A switch.
    pub fn switch(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<bool> {
        self.typed(source, key, (Form::Switch, "true or false"), DeValue::as_bool)
    }

    /// A number within a closed range.
    pub fn number(&mut self, source: &mut Source<'t>, key: &'static str, range: (f64, f64)) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.0, range.1);
        self.typed(source, key, (Form::Number(range.0, range.1), &wanted), |v| {
            number(v).filter(|n| (range.0..=range.1).contains(n))
        })
    }

    /// A whole number within a closed range.
    pub fn whole(&mut self, source: &mut Source<'t>, key: &'static str, range: (u32, u32)) -> Option<u32> {
        let wanted = format!("a whole number from {} to {}", range.0, range.1);
        self.typed(source, key, (Form::Whole(range.0, range.1), &wanted), |v| {
            let n = v.as_integer()?;
            let n = u32::from_str_radix(n.as_str(), n.radix()).ok()?;
            (range.0..=range.1).contains(&n).then_some(n)
        })
    }

    /// A list of texts.
    pub fn texts(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Vec<String>> {
        self.typed(source, key, (Form::Texts, "a list of texts, like [\"a\", \"b\"]"), |v| {
            v.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        })
    }

    /// A list of whole numbers within a closed range.
    pub fn wholes(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        range: (u32, u32),
    ) -> Option<Vec<u32>> {
        let wanted = format!("a list of whole numbers from {} to {}", range.0, range.1);
        self.typed(source, key, (Form::Wholes(range.0, range.1), &wanted), |v| {
            let whole = |item: &Spanned<DeValue<'t>>| {
                let n = item.get_ref().as_integer()?;
                let n = u32::from_str_radix(n.as_str(), n.radix()).ok()?;
                (range.0..=range.1).contains(&n).then_some(n)
            };
            v.as_array()?.iter().map(whole).collect()
        })
    }

    /// A pair of numbers.
    pub fn pair(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<[f64; 2]> {
        self.typed(source, key, (Form::Pair, "two numbers, like [1280, 720]"), pair)
    }

    /// A list of pairs of numbers.
    pub fn pairs(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Vec<[f64; 2]>> {
        let wanted = "a list of points, like [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]";
        self.typed(source, key, (Form::Pairs, wanted), |v| {
            v.as_array()?.iter().map(|item| pair(item.get_ref())).collect()
        })
    }

    /// A table below this one.
    pub fn section(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<Section<'t>> {
        self.section_of(source, key, Form::Table)
    }

    fn section_of(&mut self, source: &mut Source<'t>, key: &'static str, form: Form) -> Option<Section<'t>> {
        let wanted = format!("a table, like [{}]", self.at_key(key).key);
        self.typed(source, key, (form, &wanted), |v| v.as_table().map(|_| ()))?;
        let parts = self.parts.iter().filter_map(|part| part.below(key)).collect();
        Some(Section { parts, asked: BTreeSet::new() })
    }

    /// The tables of a list of tables, `[[key]]`, of the file itself; none where the key is absent.
    pub fn sections(&mut self, source: &mut Source<'t>, key: &'static str) -> Vec<Section<'t>> {
        let own = self.parts[0].clone();
        let at = own.at(key);
        let wanted = format!("one or more tables, each headed [[{}]]", at.key);
        source.note(self, key, Form::Tables, false);
        self.asked.insert(key);
        if own.text != 0 {
            return Vec::new();
        }
        let mut alone = Section { parts: vec![own], asked: BTreeSet::new() };
        let tables = alone.typed(source, key, (Form::Tables, &wanted), |v| {
            let items = v.as_array()?.iter();
            items
                .map(|item| Some((item.span().start, item.get_ref().as_table()?.clone())))
                .collect::<Option<Vec<_>>>()
        });
        let tables = tables.unwrap_or_default().into_iter().enumerate();
        let part = |(i, (start, table))| Part { text: 0, path: format!("{}[{i}]", at.key), start, table };
        tables.map(|table| Section { parts: vec![part(table)], asked: BTreeSet::new() }).collect()
    }

    /// Reports every key that nobody asked for, with the nearest known one.
    pub fn finish(self, source: &mut Source<'t>) {
        let known: Vec<&str> = self.asked.iter().copied().collect();
        for part in &self.parts {
            for (key, _) in &part.table {
                let name: &str = key.get_ref();
                if !self.asked.contains(name) {
                    source.problem(&part.at(name), "is not a key that Shirong knows", mend_key(name, &known));
                }
            }
        }
    }
}

fn mend_key(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys here: {}", known.join(", ")),
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
