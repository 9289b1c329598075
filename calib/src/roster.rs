//! The roster: who answers for a grid cell, by role, department and channel.
//!
//! In: the text of a roster file. Out: checked [`Post`]s, or every mistake of the file at once. Never: the name
//! of a person; a channel is a terminal, a duty line or a seat of a desk.

use std::collections::BTreeSet;

use crate::check::{Problem, Section, Source};

/// A duty at a cell of the responsibility grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The cell's code.
    pub grid: String,
    /// What they are there: 网格长, 街长, 执法队员.
    pub role: String,
    /// Whose people they are.
    pub department: String,
    /// How they are reached.
    pub channel: Channel,
}

/// How somebody on duty is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// By what.
    pub kind: ChannelKind,
    /// The number or name there.
    pub address: String,
}

/// By what somebody is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// An enforcement terminal (执法终端), by its number.
    Terminal,
    /// A duty telephone.
    Phone,
    /// A text message to a duty telephone.
    Sms,
    /// A seat of the desk.
    Seat,
}

impl ChannelKind {
    /// Every kind with its name in files.
    pub const NAMES: [(&str, Self); 4] =
        [("terminal", Self::Terminal), ("phone", Self::Phone), ("sms", Self::Sms), ("seat", Self::Seat)];
}

/// How to write a channel.
pub const CHANNEL_MEND: &str =
    "write its kind, a colon and its number: terminal:LS-0012, phone:…, sms:… or seat:…";

impl std::str::FromStr for Channel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, address) = text.split_once([':', '：']).unwrap_or((text, ""));
        let known = ChannelKind::NAMES.iter().find(|(name, _)| *name == kind.trim());
        match (known, address.trim()) {
            (None, _) => Err(format!("`{text}` is no channel")),
            (_, "") => Err(format!("`{text}` has no number")),
            (Some((_, kind)), address) => Ok(Self { kind: *kind, address: address.to_owned() }),
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", ChannelKind::NAMES[self.kind as usize].0, self.address)
    }
}

/// Reads a roster file; `file` names it in messages. A post's key in later messages is `post[i]`.
///
/// # Errors
/// Every mistake in the file, each with its key, line and mend.
pub fn parse(file: &str, text: &str) -> Result<Vec<Post>, Vec<Problem>> {
    let mut source = Source::new(file, text);
    let mut root = source.root();
    root.text(&mut source, "note");
    let mut seen = BTreeSet::new();
    let mut posts: Vec<Post> = Vec::new();
    for mut section in root.sections(&mut source, "post") {
        let at = section.at();
        let post = read_post(&mut source, &mut section);
        section.finish(&mut source);
        let Some(post) = post else { continue };
        let channel = post.channel.to_string();
        if !seen.insert((post.grid.clone(), post.role.clone(), post.department.clone(), channel)) {
            source.problem(
                &at,
                format!("the same {} of {} twice", post.role, post.grid),
                "remove one of them",
            );
        }
        posts.push(post);
    }
    root.finish(&mut source);
    if source.is_clean() { Ok(posts) } else { Err(source.into_problems()) }
}

fn read_post<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Option<Post> {
    let grid = section.text_required(source, "grid", "write the code of a cell of the responsibility grid");
    let role = section.text_required(source, "role", "write what they are there, like \"网格长\"");
    let department = section.text_required(source, "department", "write whose people they are");
    let channel = section.text_required(source, "channel", CHANNEL_MEND);
    let at = section.at_key("channel");
    let channel = channel?.parse().map_err(|what: String| source.problem(&at, what, CHANNEL_MEND)).ok();
    Some(Post { grid: grid?, role: role?, department: department?, channel: channel? })
}
