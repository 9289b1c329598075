//! A camera's file: stream, calibration, zones and rules, checked as a whole.
//!
//! In: the text of one TOML file, the matter catalogue. Out: a [`Camera`] that cannot be wrong, or every
//! mistake at once. Never: the file system, a password (a file names where the password is).

use crate::check::{Form, Problem, Section, Source, nearest};
use crate::class::Class;
use crate::defaults::Defaults;
use crate::matter::{Catalogue, suggestion};
use crate::papers::GridsAt;
use crate::permit::Permit;
use crate::rule::{self, Rule, RuleKind};
use crate::schedule::{Schedule, Window};
use crate::space::LonLat;
use crate::survey::{read_presets, read_view};
use crate::zone::{GroundView, Shape, Tiles, Zone, ZoneKind, polygon};

/// Minutes that the clocks of China run ahead of UTC: the default of `utc_offset_minutes`.
pub const UTC_OFFSET_MINUTES: i32 = 480;
/// Default of `stream.silent_secs_max`.
pub const SILENT_SECS_MAX: f64 = 10.0;
/// Least and most of `zone.tile_px`.
pub const TILE_PX_RANGE: (u32, u32) = (160, 4096);
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
    /// The views of a camera that turns, by what it calls them; zones and rules belong to the home view.
    pub presets: Vec<(String, GroundView)>,
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
        let at = GridsAt { unit: section.at_key("unit"), responsibility: section.at_key("responsibility") };
        section.finish(source);
        Some((files, at))
    }
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// `rtsp://…` without user or password, or the path of a file.
    pub url: String,
    /// RTP over UDP instead of inside the RTSP connection.
    pub over_udp: bool,
    /// The user, where the camera wants one.
    pub user: Option<String>,
    /// Where the password is kept.
    pub password: Option<PasswordPlace>,
    /// Which frames are looked at.
    pub cadence: Cadence,
    /// Silence after which the stream counts as stalled, seconds.
    pub silent_secs_max: f64,
}

/// Where a password is kept; never the password itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordPlace {
    /// In an environment variable of this name.
    Env(String),
    /// In a file of this path, its last line break left out.
    File(String),
}

/// Which frames are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cadence {
    /// Key frames; everything else is dropped before the decoder.
    Keyframes,
    /// So many frames a second.
    Fps(f64),
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

    pub(crate) fn read<'t>(
        source: &mut Source<'t>,
        root: &mut Section<'t>,
        catalogue: &Catalogue,
    ) -> Option<Self> {
        root.text(source, "group");
        let name = root.text_required(source, "name", "write name = \"Corner of Main and 3rd\"");
        let offset = root.whole(source, "utc_offset_minutes", (0, 14 * 60));
        let stream = read_stream(source, root);
        let ground = read_view(source, root);
        let presets = read_presets(source, root);
        let zones = read_zones(source, root, ground.as_ref());
        let rules = read_rules(source, root, &zones, catalogue);
        let grids = GridFiles::read(source, root);
        let zones = zones.into_iter().map(|(_, zone)| zone).collect::<Option<Vec<_>>>()?;
        Some(Self {
            name: name?,
            stream: stream?,
            utc_offset_minutes: offset.map_or(UTC_OFFSET_MINUTES, |minutes| minutes as i32),
            ground,
            presets: presets.into_iter().map(|(name, view)| Some((name, view?))).collect::<Option<_>>()?,
            zones,
            rules,
            grids,
            permits: Vec::new(),
        })
    }
}

fn read_stream<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Option<Stream> {
    if !root.has("stream") {
        source.problem(
            &root.at_key("stream"),
            "is missing",
            "write [stream] and under it url = \"rtsp://…\"",
        );
        return None;
    }
    let mut section = root.section(source, "stream")?;
    let url =
        section.text_required(source, "url", "write url = \"rtsp://192.0.2.10/path\", or a clip's path");
    if url.as_deref().is_some_and(|url| url.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))) {
        source.problem(
            &section.at_key("url"),
            "holds a user or password",
            "write user = \"…\" and password_env = \"NAME_OF_A_VARIABLE\" (or password_file) beside it",
        );
    }
    section.words(source, "transport", false, ["tcp", "udp"]);
    let transport = section.text(source, "transport");
    if !matches!(transport.as_deref(), None | Some("tcp" | "udp")) {
        source.problem(&section.at_key("transport"), "is neither", "write \"tcp\" (default) or \"udp\"");
    }
    let user = section.text(source, "user");
    let from_env = section.text(source, "password_env").map(PasswordPlace::Env);
    let from_file = section.path(source, "password_file").map(PasswordPlace::File);
    if from_env.is_some() && from_file.is_some() {
        source.problem(&section.at_key("password_file"), "stands beside password_env", "keep one of them");
    }
    match (&user, from_env.is_some() || from_file.is_some()) {
        (Some(_), false) => {
            let mend = "write password_env = \"NAME_OF_A_VARIABLE\" or password_file = \"/path\" beside it";
            source.problem(&section.at_key("user"), "has no password beside it", mend);
        }
        (None, true) => {
            source.problem(&section.at(), "has a password for nobody", "write user = \"…\" beside it");
        }
        _ => {}
    }
    if section.has("password") {
        source.problem(
            &section.at_key("password"),
            "is a secret in a file that people share",
            "write password_env = \"NAME_OF_A_VARIABLE\" or password_file = \"/path\" instead",
        );
    }
    let cadence = read_cadence(source, &mut section);
    let silent = section.number(source, "silent_secs_max", (1.0, 3600.0));
    section.finish(source);
    Some(Stream {
        url: url?,
        over_udp: transport.as_deref() == Some("udp"),
        user,
        password: from_env.or(from_file),
        cadence,
        silent_secs_max: silent.unwrap_or(SILENT_SECS_MAX),
    })
}

fn read_cadence<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Cadence {
    let fps = section.number(source, "fps", (0.01, 60.0));
    section.words(source, "cadence", false, ["keyframes"]);
    let cadence = section.text(source, "cadence");
    match (cadence.as_deref(), fps) {
        (None | Some("keyframes"), None) => Cadence::Keyframes,
        (None, Some(fps)) => Cadence::Fps(fps),
        (Some("keyframes"), Some(_)) => {
            source.problem(
                &section.at_key("fps"),
                "stands beside cadence = \"keyframes\"",
                "keep one of them",
            );
            Cadence::Keyframes
        }
        (Some(_), _) => {
            let mend = "write cadence = \"keyframes\" (default), or fps = 2 instead";
            source.problem(&section.at_key("cadence"), "is not a cadence", mend);
            Cadence::Keyframes
        }
    }
}

/// The zones by name; a zone that was wrong keeps its name so that rules may still refer to it.
type Zones = Vec<(String, Option<Zone>)>;

fn read_zones<'t>(source: &mut Source<'t>, root: &mut Section<'t>, view: Option<&GroundView>) -> Zones {
    let calibrated = root.has("calibration");
    let mut zones = Zones::new();
    for mut section in root.sections(source, "zone") {
        let id = section.text_required(source, "id", "write id = \"footway-east\"").unwrap_or_default();
        if zones.iter().any(|(known, _)| *known == id) {
            source.problem(
                &section.at_key("id"),
                format!("`{id}` is used twice"),
                "give each zone its own id",
            );
        }
        let kind = read_name(source, &mut section, "kind", ZoneKind::NAMES);
        let hours = read_hours(source, &mut section);
        let shape = read_shape(source, &mut section, view, calibrated);
        let tiles = read_tiles(source, &mut section);
        section.finish(source);
        let zone = match (kind, shape) {
            (Some(kind), Some(shape)) => Some(Zone { id: id.clone(), kind, hours, shape, tiles }),
            _ => None,
        };
        zones.push((id, zone));
    }
    zones
}

fn read_tiles<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Option<Tiles> {
    let is_tiled = section.switch(source, "tiles").unwrap_or(false);
    let given = section.has("tile_px");
    let width_px = section.whole(source, "tile_px", TILE_PX_RANGE);
    if given && !is_tiled {
        let mend = "write tiles = true beside it, or leave it out";
        source.problem(&section.at_key("tile_px"), "has no effect without tiles = true", mend);
    }
    is_tiled.then_some(Tiles { width_px })
}

fn read_shape<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    view: Option<&GroundView>,
    calibrated: bool,
) -> Option<Shape> {
    section.offers(source, "polygon", Form::Pairs);
    section.offers(source, "ground", Form::Pairs);
    let (has_image, has_ground) = (section.has("polygon"), section.has("ground"));
    let mend = "write polygon = [[x, y], …] in shares of the picture (0 to 1, at least 3 points), or ground = \
                [[lon, lat], …] in degrees";
    if has_image == has_ground {
        let what = if has_image { "has both polygon and ground" } else { "has no polygon" };
        source.problem(&section.at(), what, mend);
        return None;
    }
    let key = if has_image { "polygon" } else { "ground" };
    let corners = section.pairs(source, key)?;
    let at = section.at_key(key);
    if has_image {
        if corners.iter().flatten().any(|v| !(0.0..=1.0).contains(v)) {
            let mend = "divide pixels by the width and the height of the picture";
            source.problem(&at, "has a coordinate outside 0 to 1", mend);
            return None;
        }
        return polygon(&corners)
            .map_err(|e| source.problem(&at, e.to_string(), mend))
            .ok()
            .map(Shape::Image);
    }
    let Some(view) = view else {
        if !calibrated {
            source.problem(&at, "needs a [calibration]", "calibrate the camera, or draw the zone as polygon");
        }
        return None;
    };
    let plane = view.map.plane();
    let corners: Vec<[f64; 2]> =
        corners.iter().map(|&c| plane.ground_from_lon_lat(LonLat::from(c)).into()).collect();
    polygon(&corners).map_err(|e| source.problem(&at, e.to_string(), mend)).ok().map(Shape::Ground)
}

fn read_name<'t, T: Copy>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    names: &[(&'static str, T)],
) -> Option<T> {
    let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let list = format!("write one of: {}", known.join(", "));
    section.words(source, key, false, known.iter().copied());
    let given = section.text_required(source, key, &list)?;
    let found = names.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
    if found.is_none() {
        let mend = nearest(&given, &known).map_or(list, |near| format!("did you mean \"{near}\"?"));
        source.problem(&section.at_key(key), format!("`{given}` is unknown"), mend);
    }
    found
}

/// `hours = ["06:00-22:30"]`; always where the key is absent.
pub(crate) fn read_hours<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Schedule {
    let Some(texts) = section.texts(source, "hours") else { return Schedule::always() };
    if texts.is_empty() {
        let mend = "write hours = [\"06:00-22:30\"], or leave the key out for round the clock";
        source.problem(&section.at_key("hours"), "is empty and would never hold", mend);
    }
    let mut windows = Vec::new();
    for text in texts {
        match text.parse::<Window>() {
            Ok(window) => windows.push(window),
            Err(error) => {
                source.problem(
                    &section.at_key("hours"),
                    error.to_string(),
                    "write hours = [\"06:00-22:30\"]",
                );
            }
        }
    }
    Schedule::of(windows)
}

fn read_rules<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    zones: &Zones,
    catalogue: &Catalogue,
) -> Vec<Rule> {
    let kinds: Vec<(&'static str, RuleKind)> = RuleKind::ALL.iter().map(|k| (k.name(), *k)).collect();
    let mut rules = Vec::new();
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    root.above_known(source, "rule", &names);
    for mut section in root.sections(source, "rule") {
        let kind = read_name(source, &mut section, "kind", &kinds);
        if let Some(kind) = kind {
            section.lean_on(root, "rule", kind.name());
        }
        let rule = read_rule(source, &mut section, kind, zones, catalogue);
        section.finish(source);
        rules.extend(rule);
    }
    rules
}

fn read_rule<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    kind: Option<RuleKind>,
    zones: &Zones,
    catalogue: &Catalogue,
) -> Option<Rule> {
    // With an unknown kind the other keys are still read, so that their mistakes show in the same run.
    let defaults = kind.unwrap_or(RuleKind::Litter).defaults();
    let share = (0.0, 1.0);
    let matter = read_matter(source, section, defaults.code, catalogue);
    let classes = read_classes(source, section, defaults.classes);
    let zones = read_rule_zones(source, section, defaults.zones, zones, kind);
    let hours = read_hours(source, section);
    let secs = |n: f64| (n * 1000.0).round() as i64;
    let dwell_secs =
        section.number(source, "dwell_secs", (1.0, 30.0 * 86_400.0)).unwrap_or(defaults.dwell_secs);
    let presence_min = section.number(source, "presence_min", (0.05, 1.0)).unwrap_or(rule::PRESENCE_MIN);
    let hits_min = section.whole(source, "hits_min", (2, 1000)).unwrap_or(rule::HITS_MIN);
    let score_min = section.number(source, "score_min", (0.05, 1.0)).unwrap_or(rule::SCORE_MIN);
    let attended_min = section.number(source, "attended_min", share).unwrap_or(defaults.attended_min);
    let absence_secs =
        section.number(source, "absence_secs", (1.0, 30.0 * 86_400.0)).unwrap_or(defaults.absence_secs);
    let sighting_secs =
        section.number(source, "sighting_secs", (1.0, 86_400.0)).unwrap_or(rule::SIGHTING_SECS);
    let size_px_min = section.number(source, "size_px_min", (1.0, 1080.0)).unwrap_or(rule::SIZE_PX_MIN);
    let merge_radius_m =
        section.number(source, "merge_radius_m", (0.0, 500.0)).unwrap_or(rule::MERGE_RADIUS_M);
    let (standard_ref, code, matter_name) = matter?;
    Some(Rule {
        kind: kind?,
        standard_ref,
        code,
        matter_name,
        classes: classes?,
        zones: zones?,
        hours,
        dwell_ms: secs(dwell_secs),
        presence_min,
        hits_min,
        score_min: score_min as f32,
        attended_min,
        absence_ms: secs(absence_secs),
        sighting_ms: secs(sighting_secs),
        size_min: (size_px_min / 1080.0) as f32,
        merge_radius_m,
    })
}

fn read_matter<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    default: &str,
    catalogue: &Catalogue,
) -> Option<(String, String, String)> {
    let code = section.text(source, "matter").unwrap_or_else(|| default.to_owned());
    let standard = section.text(source, "standard").unwrap_or_else(|| STANDARD_REF.to_owned());
    if let Some(matter) = catalogue.get(&standard, &code) {
        return Some((standard, code, matter.name.clone()));
    }
    let mend = suggestion(catalogue, &code, &standard);
    source.problem(&section.at_key("matter"), format!("`{code}` is no matter of {standard}"), mend);
    None
}

fn read_classes<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    default: &[Class],
) -> Option<Vec<Class>> {
    section.words(source, "classes", true, Class::ALL.iter().map(|class| class.name()));
    let Some(names) = section.texts(source, "classes") else {
        return Some(default.to_vec());
    };
    let known: Vec<&str> = Class::ALL.iter().map(|c| c.name()).collect();
    let mut classes = Vec::new();
    for name in &names {
        match Class::from_name(name) {
            Some(class) => classes.push(class),
            None => {
                let mend = nearest(name, &known).map_or_else(
                    || format!("known: {}", known.join(", ")),
                    |n| format!("did you mean \"{n}\"?"),
                );
                source.problem(&section.at_key("classes"), format!("`{name}` is no class"), mend);
            }
        }
    }
    if names.is_empty() {
        source.problem(
            &section.at_key("classes"),
            "is empty",
            "name at least one class, or leave the key out",
        );
    }
    (classes.len() == names.len() && !names.is_empty()).then_some(classes)
}

fn read_rule_zones<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    default: &[ZoneKind],
    zones: &Zones,
    kind: Option<RuleKind>,
) -> Option<Vec<usize>> {
    let known: Vec<&str> = zones.iter().map(|(id, _)| id.as_str()).collect();
    let Some(ids) = section.texts(source, "zones") else {
        let fits = |zone: &Zone| default.contains(&zone.kind);
        let indices: Vec<usize> =
            (0..zones.len()).filter(|&i| zones[i].1.as_ref().is_some_and(fits)).collect();
        let unsure = kind.is_none() || zones.iter().any(|(_, zone)| zone.is_none());
        if indices.is_empty() && !unsure {
            source.problem(
                &section.at(),
                "has no zone to look at",
                "draw a [[zone]] of a kind that this rule looks at, or name one with zones = [\"…\"]",
            );
        }
        return (!indices.is_empty()).then_some(indices);
    };
    if ids.is_empty() {
        let mend = "name at least one zone, or leave the key out for all of the rule's kinds";
        source.problem(&section.at_key("zones"), "is empty", mend);
    }
    let mut indices = Vec::new();
    for id in &ids {
        match known.iter().position(|k| k == id) {
            Some(i) => indices.push(i),
            None => {
                let mend = nearest(id, &known).map_or_else(
                    || format!("zones of this camera: {}", known.join(", ")),
                    |n| format!("did you mean \"{n}\"?"),
                );
                source.problem(&section.at_key("zones"), format!("`{id}` is no zone of this camera"), mend);
            }
        }
    }
    (indices.len() == ids.len() && !ids.is_empty()).then_some(indices)
}
