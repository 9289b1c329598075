//! What offices know of a camera: its number in the video network, its department, how long its pictures are kept.
//!
//! In: keys of a camera's file. Out: a [`Registry`]. Never: a look.

use super::read_choice;
use crate::check::{Effect, Section, Source};
use crate::zone::{GroundView, polygon};

/// A view of a camera that turns.
#[derive(Debug, Clone)]
pub struct Preset {
    /// What the camera calls it.
    pub name: String,
    /// Picture to ground, where it was calibrated.
    pub ground: Option<GroundView>,
    /// Path of its picture as it should be, which it is told by; a preset of zones has one.
    pub reference: Option<String>,
    /// Whether the file has a calibration for it, right or wrong.
    pub(crate) is_calibrated: bool,
}

/// The network that a camera is reached by (GB/T 28181-2022).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Not said.
    #[default]
    Unknown,
    /// 公安视频传输网.
    PoliceVideo,
    /// 行业专网.
    Industry,
    /// 政法.
    PoliticsLaw,
    /// 公安移动.
    PoliceMobile,
    /// 公安信息网.
    PoliceInformation,
    /// 政务外网.
    Government,
    /// 互联网.
    Internet,
    /// 专线.
    LeasedLine,
}

impl Network {
    /// Every network with its name in camera files.
    pub const NAMES: &[(&str, Self)] = &[
        ("unknown", Self::Unknown),
        ("police_video", Self::PoliceVideo),
        ("industry", Self::Industry),
        ("politics_law", Self::PoliticsLaw),
        ("police_mobile", Self::PoliceMobile),
        ("police_information", Self::PoliceInformation),
        ("government", Self::Government),
        ("internet", Self::Internet),
        ("leased_line", Self::LeasedLine),
    ];
}

/// A part of the picture that no evidence shows.
#[derive(Debug, Clone)]
pub struct Mask {
    /// What is there.
    pub id: String,
    /// Corners in normalised image coordinates.
    pub polygon: geo::Polygon,
}

/// Default of `retention_days`.
pub const RETENTION_DAYS: u32 = 90;
/// Pictures of a public place are kept for so many days at least.
pub const RETENTION_DAYS_MIN: u32 = 30;
/// Default of `clock_skew_secs_max`.
pub(super) const CLOCK_SKEW_SECS_MAX: f64 = 5.0;

/// What offices know of a camera.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Its channel, 20 digits of GB/T 28181.
    pub channel: Option<String>,
    /// The unit grid cell in which it stands.
    pub grid: Option<String>,
    /// The department that answers for it.
    pub department: Option<String>,
    /// The network that it is reached by.
    pub network: Network,
    /// How far its clock may be off before it is told, seconds.
    pub clock_skew_secs_max: f64,
    /// How long evidence from it is kept, days.
    pub retention_days: u32,
    /// Its loudspeaker's id.
    pub speaker: Option<String>,
    /// Parts of its picture that no evidence shows.
    pub masks: Vec<Mask>,
}

impl Registry {
    pub(super) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Self {
        let digits = |text: &String, lengths: &[usize]| {
            lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let channel = root.text(source, "channel");
        root.about(
            source,
            "channel",
            "none",
            "Its channel in GB/T 28181, 20 digits",
            Effect::Kept("GB/T 28181 ingest"),
        );
        if channel.as_ref().is_some_and(|text| !digits(text, &[20])) {
            let mend = "write its 20 digits in quotes, like \"37132900001320000001\"";
            source.problem(&root.at_key("channel"), "is no channel of GB/T 28181", mend);
        }
        let grid = root.text(source, "grid");
        root.about(source, "grid", "none", "The unit grid cell in which it stands", Effect::Kept("console"));
        if grid.as_ref().is_some_and(|text| !digits(text, &[14, 15, 16])) {
            let mend = "write the cell's digits in quotes, like \"371329001005012\"";
            source.problem(&root.at_key("grid"), "is no unit grid code", mend);
        }
        let department = root.text(source, "department");
        root.about(source, "department", "none", "The department that answers for it", Effect::Kept("desk"));
        let network = read_choice(source, root, "network", Network::NAMES);
        root.about(
            source,
            "network",
            "unknown",
            "The network that it is reached by",
            Effect::Kept("console"),
        );
        let skew = root.number(source, "clock_skew_secs_max", (0.1, 3600.0));
        let does = "How far its clock may be off before it is told, seconds";
        root.about(source, "clock_skew_secs_max", CLOCK_SKEW_SECS_MAX, does, Effect::Kept("ingest"));
        let retention = root.whole(source, "retention_days", (1, 3650));
        root.about(
            source,
            "retention_days",
            RETENTION_DAYS,
            "How long evidence from it is kept, 30 days or more",
            Effect::Kept("evidence"),
        );
        if retention.is_some_and(|days| days < RETENTION_DAYS_MIN) {
            let mend = format!(
                "write {RETENTION_DAYS_MIN} or more: the law keeps pictures of public places so long"
            );
            source.problem(&root.at_key("retention_days"), "is under the legal term", mend);
        }
        let speaker = root.text(source, "speaker");
        root.about(source, "speaker", "none", "Its loudspeaker's id", Effect::Kept("warnings"));
        Self {
            channel,
            grid,
            department,
            network,
            clock_skew_secs_max: skew.unwrap_or(CLOCK_SKEW_SECS_MAX),
            retention_days: retention.unwrap_or(RETENTION_DAYS),
            speaker,
            masks: read_masks(source, root),
        }
    }
}

fn read_masks<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Vec<Mask> {
    let mut masks = Vec::new();
    for mut section in root.sections(source, "mask") {
        let mend = "write id = \"window\" and polygon = [[x, y], …] in shares of the picture";
        let id = section.text_required(source, "id", mend);
        section.about(source, "id", "", "What is there", Effect::Kept("evidence"));
        let corners = section.pairs(source, "polygon");
        section.about(
            source,
            "polygon",
            "",
            "Its corners in shares of the picture",
            Effect::Kept("evidence"),
        );
        let at = section.at_key("polygon");
        section.finish(source);
        let is_inside = |corners: &Vec<[f64; 2]>| corners.iter().flatten().all(|v| (0.0..=1.0).contains(v));
        match corners {
            Some(corners) if is_inside(&corners) => match (id, polygon(&corners)) {
                (Some(id), Ok(polygon)) => masks.push(Mask { id, polygon }),
                (_, Err(error)) => source.problem(&at, error.to_string(), mend),
                (None, _) => {}
            },
            Some(_) => source.problem(&at, "has a coordinate outside 0 to 1", mend),
            None => source.problem(&at, "is missing or no list of points", mend),
        }
    }
    root.about(
        source,
        "mask",
        "none",
        "A part of the picture that no evidence shows",
        Effect::Kept("evidence"),
    );
    masks
}
