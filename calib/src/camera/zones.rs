//! The `[[zone]]`s of a camera's file.
//!
//! In: the tables, the camera's views. Out: zones, those that were wrong by their names alone. Never: a rule.

use super::{ALWAYS, Preset, RULES, read_hours, read_name};
use crate::calendar::DayError;
use crate::check::{Effect, Form, Section, Source, nearest};
use crate::space::LonLat;
use crate::zone::{GroundView, Shape, Tiles, Zone, ZoneKind, polygon};

/// Least and most of `zone.tile_px`.
pub const TILE_PX_RANGE: (u32, u32) = (160, 4096);
/// Zones that a camera may have.
pub const ZONES_MAX: usize = 64;

/// The zones by name; a zone that was wrong keeps its name so that rules may still refer to it.
pub(super) type Zones = Vec<(String, Option<Zone>)>;

pub(super) fn read_zones<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    home: Option<&GroundView>,
    presets: &[Preset],
) -> Zones {
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
        if id.contains(',') || id.len() > 64 {
            let what = format!("`{id}` is no id");
            source.problem(&section.at_key("id"), what, "write a short name without commas");
        }
        section.about(source, "id", "", "Its name within the camera, for rules and permits", RULES);
        let zone = read_zone(source, &mut section, home, calibrated, presets);
        let preset = zone.as_ref().and_then(|zone| zone.preset);
        let is_first = |number| !zones.iter().flat_map(|(_, zone)| zone).any(|z| z.preset == Some(number));
        if let Some(number) = preset.filter(|&number| is_first(number)) {
            require_reference(source, &section, &presets[number]);
        }
        section.finish(source);
        zones.push((id.clone(), zone.map(|zone| Zone { id, ..zone })));
    }
    root.about(
        source,
        "zone",
        "none",
        "A polygon of the picture or of the ground, and what it is for",
        RULES,
    );
    if zones.len() > ZONES_MAX {
        let what = format!("are {} zones", zones.len());
        let mend = format!("join some: a camera has at most {ZONES_MAX}");
        source.problem(&root.at_key("zone"), what, mend);
    }
    zones
}

/// A camera that turns tells its views apart by their pictures: without one, a preset's zones would never be seen.
fn require_reference(source: &mut Source<'_>, section: &Section<'_>, preset: &Preset) {
    if preset.reference.is_none() {
        let name = &preset.name;
        let what =
            format!("`{name}` has no picture that it could be told by: it would count as moved for ever");
        let mend =
            format!("write reference = \"{name}.jpg\" in its [[preset]]: a picture of it as it should be");
        source.problem(&section.at_key("preset"), what, mend);
    }
}

fn read_zone<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    home: Option<&GroundView>,
    calibrated: bool,
    presets: &[Preset],
) -> Option<Zone> {
    let kind = read_name(source, section, "kind", ZoneKind::NAMES);
    section.about(source, "kind", "", "What it is for", RULES);
    let hours = read_hours(source, section);
    section.about(source, "hours", ALWAYS, "When it holds; for `permitted`, when trading is allowed", RULES);
    let preset = read_preset(source, section, presets);
    let (view, calibrated) = match preset {
        None => (home, calibrated),
        Some(number) => (presets[number].ground.as_ref(), presets[number].is_calibrated),
    };
    let shape = read_shape(source, section, view, calibrated);
    let does = "Its corners in shares of the picture, [0, 0] top left; needs this or ground";
    section.about(source, "polygon", "none", does, RULES);
    section.about(source, "ground", "none", "Its corners as [longitude, latitude] in CGCS2000", RULES);
    let tiles = read_tiles(source, section);
    section.about(
        source,
        "tiles",
        "false",
        "Looks at it in tiles too, for what is small in the whole picture",
        Effect::Now("detector"),
    );
    section.about(
        source,
        "tile_px",
        "the model's size",
        "Pixels of the camera's picture across one tile",
        Effect::Now("detector"),
    );
    let permit = section.text(source, "permit");
    section.about(
        source,
        "permit",
        "none",
        "The permit that a `permitted` zone stands for, by its number",
        Effect::Kept("case's reasons"),
    );
    if permit.is_some() && kind.is_some_and(|kind| kind != ZoneKind::Permitted) {
        let mend = "leave it out, or write kind = \"permitted\"";
        source.problem(&section.at_key("permit"), "stands in a zone that permits nothing", mend);
    }
    let until = section.text(source, "until").and_then(|text| {
        let mend = "write its last day, like until = \"2026-12-31\"";
        text.parse().map_err(|e: DayError| source.problem(&section.at_key("until"), e.to_string(), mend)).ok()
    });
    section.about(
        source,
        "until",
        "for good",
        "Its last day; afterwards it is as if it were not drawn",
        RULES,
    );
    Some(Zone { id: String::new(), kind: kind?, hours, preset, permit, until, shape: shape?, tiles })
}

/// `preset = "2"`: the view that a zone is drawn on.
fn read_preset<'t>(source: &mut Source<'t>, section: &mut Section<'t>, presets: &[Preset]) -> Option<usize> {
    let given = section.text(source, "preset");
    section.about(source, "preset", "the home view", "The preset that it is drawn on, by its name", RULES);
    let given = given?;
    let found = presets.iter().position(|preset| preset.name == given);
    if found.is_none() {
        let known: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
        let mend = match nearest(&given, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => format!("add [[preset]] with name = \"{given}\""),
            None => format!("presets of this camera: {}", known.join(", ")),
        };
        source.problem(&section.at_key("preset"), format!("`{given}` is no preset of this camera"), mend);
    }
    found
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
