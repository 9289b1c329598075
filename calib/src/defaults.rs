//! What camera files inherit: the node's defaults, and those of a camera's group.
//!
//! In: the tables `[defaults]` and `[group.NAME]` of a node's file. Out: what stands in where a camera's file
//! says nothing: its group first, then the node. Never: lists of zones or rules, which are a camera's own;
//! what a kind of rule does by default is `[defaults.rule.KIND]`.

use std::collections::BTreeMap;

use crate::check::{Above, Section, Source, nearest};

/// Keys of a camera's file, the tables of a node's defaults and of its groups.
#[derive(Debug, Clone, Default)]
pub struct Defaults<'t> {
    node: Option<Above<'t>>,
    groups: BTreeMap<String, Above<'t>>,
}

impl<'t> Defaults<'t> {
    /// Reads `[defaults]` and `[group.NAME]`. `folder` is the folder of the node's file, from which the paths in
    /// them start: an absolute path, as camera files lie elsewhere.
    pub fn read(source: &mut Source<'t>, root: &mut Section<'t>, folder: &str) -> Self {
        let node = root.section(source, "defaults").map(|section| section.into_above(source, folder));
        let groups = root.names(source, "group").into_iter();
        let groups = groups.map(|(name, section)| (name, section.into_above(source, folder))).collect();
        Self { node, groups }
    }

    /// The names of the groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// What a camera file stands under, nearest first, and what is wrong with the group it names.
    pub(crate) fn above(&self, text: &str) -> (Vec<Above<'t>>, Option<(String, String)>) {
        let named = group_of(text);
        let group = named.as_ref().and_then(|name| self.groups.get(name));
        let wrong = named.filter(|_| group.is_none()).map(|name| {
            let known: Vec<&str> = self.groups().collect();
            let mend = match nearest(&name, &known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if known.is_empty() => format!("write [group.{name}] in the node's file"),
                None => format!("groups of this node: {}", known.join(", ")),
            };
            (format!("`{name}` is no group of this node"), mend)
        });
        (group.into_iter().chain(&self.node).cloned().collect(), wrong)
    }
}

/// The group that a camera's file names.
fn group_of(text: &str) -> Option<String> {
    let mut source = Source::new("", text);
    let mut root = source.root();
    root.text(&mut source, "group")
}
