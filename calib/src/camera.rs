//! A camera's file: stream, calibration, zones and rules, checked as a whole.
//!
//! In: the text of one TOML file, the matter catalogue. Out: a [`Camera`] that cannot be wrong, or every
//! mistake at once. Never: the file system, a password (a file names where the password is).

mod desk;
mod registry;
mod rules;
mod stream;
mod zones;

pub use registry::{Mask, Network, Preset, RETENTION_DAYS, RETENTION_DAYS_MIN, Registry};
pub use stream::{Cadence, PasswordPlace, QUIET_SECS_MAX, SILENT_SECS_MAX, Stream};
pub use zones::{TILE_PX_RANGE, ZONES_MAX};

use crate::check::{Effect, Problem, Section, Source, nearest};
use crate::defaults::Defaults;
use crate::matter::Catalogue;
use crate::papers::GridsAt;
use crate::permit::Permit;
use crate::rule::Rule;
use crate::scene::SceneKnobs;
use crate::schedule::{Schedule, Window};
use crate::survey::{read_presets, read_view};
use crate::time::Timestamp;
use crate::zone::{GroundView, Zone};

/// Minutes that the clocks of China run ahead of UTC: the default of `utc_offset_minutes`.
pub const UTC_OFFSET_MINUTES: i32 = 480;
/// The standard that a rule's `matter` belongs to where `standard` is absent.
pub const STANDARD_REF: &str = "GB/T 47678.5-2026";

/// One camera, ready to use.
#[derive(Debug, Clone)]
pub struct Camera {
    /// What people call it.
    pub name: String,
    /// Where its pictures come from.
    pub stream: Stream,
    /// Local clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Picture to ground, where it was calibrated.
    pub ground: Option<GroundView>,
    /// The views of a camera that turns, in the order of the file.
    pub presets: Vec<Preset>,
    /// When its looks count at all.
    pub hours: Schedule,
    /// Faults of the view, and its background.
    pub scene: SceneKnobs,
    /// What offices know of it.
    pub registry: Registry,
    /// Zones in the order of the file.
    pub zones: Vec<Zone>,
    /// Rules in the order of the file.
    pub rules: Vec<Rule>,
    /// Grid files of its own, where it stands outside the node's.
    pub grids: Option<GridFiles>,
    /// What is allowed within its view; a camera's own file has none.
    pub permits: Vec<Permit>,
}

/// The files of two grid layers; paths start from the folder of the file that names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GridFiles {
    /// GeoJSON of the coded unit grid.
    pub unit: Option<String>,
    /// Digits of the unit grid's codes.
    pub unit_digits: u32,
    /// GeoJSON of the responsibility grid.
    pub responsibility: Option<String>,
}

impl GridFiles {
    /// Digits of a unit grid code where the file says nothing (GB/T 47678.5).
    pub const UNIT_DIGITS: u32 = 15;

    /// Reads the `[grids]` table of a node's or a camera's file.
    pub fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<Self> {
        Self::read_at(source, root).map(|(files, _)| files)
    }

    /// The same, with the places of its keys.
    pub(crate) fn read_at<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<(Self, GridsAt)> {
        let mut section = root.section(source, "grids")?;
        let files = Self {
            unit: section.path(source, "unit"),
            unit_digits: section.whole(source, "unit_digits", (14, 16)).unwrap_or(Self::UNIT_DIGITS),
            responsibility: section.path(source, "responsibility"),
        };
        section.about(source, "unit", "none", "The coded unit grid: GeoJSON or Shapefile", CASES);
        section.about(source, "unit_digits", Self::UNIT_DIGITS, "Digits of the unit grid's codes", CASES);
        section.about(source, "responsibility", "none", "The grid of those who handle cases", CASES);
        let at = GridsAt { unit: section.at_key("unit"), responsibility: section.at_key("responsibility") };
        section.finish(source);
        Some((files, at))
    }
}

impl Camera {
    /// Reads a camera file's text. `file` names it in messages.
    ///
    /// # Errors
    /// Every mistake in the file, each with its key, line and mend.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Vec<Problem>> {
        Self::parse_under(file, text, catalogue, &Defaults::default())
    }

    /// Reads a camera file's text under its node's and its group's defaults.
    ///
    /// # Errors
    /// Every mistake in the file and in what it inherits, each with the file that it stands in.
    pub fn parse_under<'t>(
        file: &'t str,
        text: &'t str,
        catalogue: &Catalogue,
        defaults: &Defaults<'t>,
    ) -> Result<Self, Vec<Problem>> {
        let (above, wrong_group) = defaults.above(text);
        let mut source = Source::under(file, text, above);
        let mut root = source.root();
        if let Some((what, mend)) = wrong_group {
            source.problem(&root.at_key("group"), what, mend);
        }
        let camera = Self::read(&mut source, &mut root, catalogue);
        root.finish(&mut source);
        match camera {
            Some(camera) if source.is_clean() => Ok(camera),
            _ => Err(source.into_problems()),
        }
    }

    /// The ground of a view: the home view's, or a preset's by its number.
    pub fn view(&self, preset: Option<usize>) -> Option<&GroundView> {
        match preset {
            None => self.ground.as_ref(),
            Some(number) => self.presets.get(number)?.ground.as_ref(),
        }
    }

    /// Whether its looks count at an instant.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.hours.is_always() || self.hours.holds(at, self.utc_offset_minutes)
    }

    pub(crate) fn read<'t>(
        source: &mut Source<'t>,
        root: &mut Section<'t>,
        catalogue: &Catalogue,
    ) -> Option<Self> {
        root.text(source, "group");
        root.about(source, "group", "none", "The node's `[group.NAME]` that it inherits from", READ);
        let name = root.text_required(source, "name", "write name = \"Corner of Main and 3rd\"");
        root.about(source, "name", "", "What people call it; its id is the file's name", CASES);
        let offset = root.whole(source, "utc_offset_minutes", (0, 14 * 60));
        root.about(
            source,
            "utc_offset_minutes",
            UTC_OFFSET_MINUTES,
            "Its local clock, minutes ahead of UTC",
            RULES,
        );
        let hours = read_hours(source, root);
        root.about(
            source,
            "hours",
            ALWAYS,
            "When its looks count at all, like [\"work_days 06:00-22:30\"]; outside, every rule waits",
            RULES,
        );
        let stream = stream::read_stream(source, root);
        let root_is_calibrated = root.has("calibration");
        let ground = read_view(source, root);
        let presets = read_presets(source, root);
        let zones = zones::read_zones(source, root, ground.as_ref(), &presets);
        let is_calibrated = |preset: Option<usize>| match preset {
            None => root_is_calibrated,
            Some(number) => presets.get(number).is_none_or(|preset| preset.is_calibrated),
        };
        let rules = rules::read_rules(source, root, (&zones, &is_calibrated), catalogue);
        let scene = SceneKnobs::read(source, root);
        let registry = Registry::read(source, root);
        let grids = GridFiles::read(source, root);
        root.about(source, "grids", "the node's", "Grid files of its own", CASES);
        let zones = zones.into_iter().map(|(_, zone)| zone).collect::<Option<Vec<_>>>()?;
        Some(Self {
            name: name?,
            stream: stream?,
            utc_offset_minutes: offset.map_or(UTC_OFFSET_MINUTES, |minutes| minutes as i32),
            ground,
            presets,
            hours,
            scene,
            registry,
            zones,
            rules,
            grids,
            permits: Vec::new(),
        })
    }
}

/// Where keys take effect.
pub(crate) const READ: Effect = Effect::Now("reading of the file");
pub(crate) const RULES: Effect = Effect::Now("rules");
pub(crate) const CASES: Effect = Effect::Now("cases");
pub(crate) const INGEST: Effect = Effect::Now("ingest");
/// The default of every `hours`.
pub(crate) const ALWAYS: &str = "round the clock";

/// One of some names under a key that must be there.
pub(crate) fn read_name<'t, T: Copy>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    names: &[(&'static str, T)],
) -> Option<T> {
    let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let list = format!("write one of: {}", known.join(", "));
    section.words(source, key, false, known.iter().copied());
    let given = section.text_required(source, key, &list)?;
    named(source, section, key, &given, names)
}

/// One of some names, or the default where the key is absent.
pub(crate) fn read_choice<'t, T: Copy + Default>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    names: &[(&'static str, T)],
) -> T {
    section.words(source, key, false, names.iter().map(|(name, _)| *name));
    let given = section.text(source, key);
    given.and_then(|given| named(source, section, key, &given, names)).unwrap_or_default()
}

fn named<T: Copy>(
    source: &mut Source<'_>,
    section: &Section<'_>,
    key: &str,
    given: &str,
    names: &[(&'static str, T)],
) -> Option<T> {
    let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let found = names.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
    if found.is_none() {
        let list = format!("write one of: {}", known.join(", "));
        let mend = nearest(given, &known).map_or(list, |near| format!("did you mean \"{near}\"?"));
        source.problem(&section.at_key(key), format!("`{given}` is unknown"), mend);
    }
    found
}

/// `hours = ["06:00-22:30"]`; always where the key is absent.
pub(crate) fn read_hours<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Schedule {
    read_windows(source, section, "hours").unwrap_or_else(Schedule::always)
}

/// Windows of the day under a key.
pub(crate) fn read_windows<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
) -> Option<Schedule> {
    let texts = section.texts(source, key)?;
    if texts.is_empty() {
        let mend = format!("write {key} = [\"06:00-22:30\"], or leave the key out");
        source.problem(&section.at_key(key), "is empty and would never hold", mend);
    }
    let mut windows = Vec::new();
    for text in texts {
        match text.parse::<Window>() {
            Ok(window) => windows.push(window),
            Err(error) => {
                let mend = format!("write {key} = [\"06:00-22:30\"]");
                source.problem(&section.at_key(key), error.to_string(), mend);
            }
        }
    }
    Some(Schedule::of(windows))
}
