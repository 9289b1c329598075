//! Everything on paper that a node's file names: matters, conditions, grids, calendar, permits, roster.
//!
//! In: the sections `[matters]`, `[grids]` and `[papers]` of a node's file, and a way to the files that they
//! name. Out: [`Papers`], checked one by one and against each other, and every mistake at once. Never: the file
//! system; the caller brings the bytes.

use std::sync::Arc;

use crate::calendar::Calendar;
use crate::camera::{Camera, GridFiles};
use crate::check::{At, Problem, Section, Source};
use crate::grid::{CodeProfile, GridError, GridLayer, Grids, LayerKind};
use crate::matter::{Catalogue, Conditions};
use crate::permit::{self, Permit, Place};
use crate::roster::{self, Post};

/// A file that a node names: its path as shown in messages, and its bytes or why there are none.
pub struct Found {
    /// The path as people should see it.
    pub shown: String,
    /// What is in it.
    pub bytes: Result<Vec<u8>, String>,
}

/// What a city has on paper.
#[derive(Debug, Clone)]
pub struct Papers {
    /// Kinds of problem: the national list and the city's own.
    pub catalogue: Catalogue,
    /// When a case is filed and closed, and its limits.
    pub conditions: Conditions,
    /// The grid layers.
    pub grids: Arc<Grids>,
    /// Work days and hours.
    pub calendar: Arc<Calendar>,
    /// What is allowed where.
    pub permits: Vec<Permit>,
    /// The file that the permits come from, as shown in messages.
    pub permits_file: String,
    /// Who answers for which cell.
    pub roster: Vec<Post>,
}

impl Default for Papers {
    /// What the product ships: the national list, another city's conditions, no grids, no holidays.
    fn default() -> Self {
        Self {
            catalogue: Catalogue::builtin(),
            conditions: Conditions::builtin(),
            grids: Arc::default(),
            calendar: Arc::default(),
            permits: Vec::new(),
            permits_file: String::new(),
            roster: Vec::new(),
        }
    }
}

/// What is wrong with a city's papers.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// What stops a service from starting.
    pub errors: Vec<Problem>,
    /// What must be mended and stops nothing: overlaps and gaps of a grid, posts of no cell, permits of no zone.
    pub doubts: Vec<Problem>,
}

/// Reads files and keeps what is wrong with them.
struct Reader<'r> {
    read: &'r dyn Fn(&str) -> Found,
    faults: &'r mut Faults,
}

impl Reader<'_> {
    /// The file's name as shown and its bytes; a problem at the key that names it where there are none.
    fn bytes(
        &mut self,
        source: &mut Source<'_>,
        at: &At,
        path: &str,
        mend: &str,
    ) -> Option<(String, Vec<u8>)> {
        let Found { shown, bytes } = (self.read)(path);
        match bytes {
            Ok(bytes) => Some((shown, bytes)),
            Err(error) => {
                source.problem(at, format!("`{shown}`: {error}"), mend);
                None
            }
        }
    }

    fn text(&mut self, source: &mut Source<'_>, at: &At, path: &str, mend: &str) -> Option<(String, String)> {
        let (shown, bytes) = self.bytes(source, at, path, mend)?;
        match String::from_utf8(bytes) {
            // A byte order mark is no part of a text.
            Ok(text) => Some((shown, text.trim_start_matches('\u{feff}').to_owned())),
            Err(_) => {
                source.problem(at, format!("`{shown}` is not UTF-8"), "save it as UTF-8");
                None
            }
        }
    }

    fn kept<T>(&mut self, read: Result<T, Vec<Problem>>) -> Option<T> {
        read.map_err(|problems| self.faults.errors.extend(problems)).ok()
    }
}

impl Papers {
    /// Reads the sections and the files that they name. What cannot be used keeps its default, so that the
    /// rest can be checked.
    pub fn read<'t>(
        source: &mut Source<'t>,
        root: &mut Section<'t>,
        read: &dyn Fn(&str) -> Found,
        faults: &mut Faults,
    ) -> Self {
        let mut papers = Self::default();
        let mut reader = Reader { read, faults };
        read_matters(source, root, &mut reader, &mut papers);
        if let Some((files, at)) = GridFiles::read_at(source, root) {
            papers.grids = Arc::new(read_grids(source, &at, &files, &mut reader));
        }
        read_papers(source, root, &mut reader, &mut papers);
        let known = papers.grids.responsibility.as_ref();
        if let Some(layer) = known.filter(|_| !papers.roster.is_empty()) {
            reader.faults.doubts.extend(unmanned(layer, &papers.roster));
        }
        papers
    }

    /// Permits of zones that no camera draws; `cameras` are all cameras of the node by id.
    pub fn permits_of_nothing<'c>(
        &self,
        cameras: impl Iterator<Item = (&'c str, &'c Camera)> + Clone,
    ) -> Vec<Problem> {
        let lost = self.permits.iter().enumerate().filter_map(|(i, permit)| {
            let Place::Zone { camera, zone } = &permit.place else { return None };
            let mut named = cameras.clone().filter(|(id, _)| camera.as_ref().is_none_or(|own| own == id));
            if named.any(|(_, camera)| camera.zones.iter().any(|own| own.id == *zone)) {
                return None;
            }
            let of = camera.as_ref().map_or("any camera".to_owned(), |camera| format!("camera `{camera}`"));
            Some(Problem {
                file: self.permits_file.clone(),
                key: format!("permit[{i}].zone"),
                line: None,
                what: format!("`{zone}` is no zone of {of}: the permit {} has no effect", permit.number),
                mend: "correct the name, draw the zone, or give the permit a ground = [[lon, lat], …]"
                    .to_owned(),
            })
        });
        lost.collect()
    }
}

impl Camera {
    /// Puts the camera under a city's papers: its schedules keep to the calendar, and the permits that may
    /// hold within its view come into effect.
    pub fn keep_to(&mut self, id: &str, papers: &Papers) {
        self.zones.iter_mut().for_each(|zone| zone.hours.keep_to(&papers.calendar));
        self.hours.keep_to(&papers.calendar);
        self.rules.iter_mut().for_each(|rule| rule.hours.keep_to(&papers.calendar));
        let mine = |permit: &&Permit| match &permit.place {
            Place::Zone { camera, zone } => {
                camera.as_ref().is_none_or(|own| own == id) && self.zones.iter().any(|own| own.id == *zone)
            }
            Place::Area(_) => {
                self.ground.is_some() || self.presets.iter().any(|preset| preset.ground.is_some())
            }
        };
        self.permits = papers.permits.iter().filter(mine).cloned().collect();
        self.permits.iter_mut().for_each(|permit| permit.keep_to(&papers.calendar));
    }
}

fn read_matters<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    reader: &mut Reader<'_>,
    papers: &mut Papers,
) {
    let Some(mut section) = root.section(source, "matters") else { return };
    if let Some(path) = section.path(source, "local") {
        let at = section.at_key("local");
        let file = reader.text(source, &at, &path, "name a file with the city's own codes");
        if let Some((shown, text)) = file {
            let parsed = Catalogue::parse(&shown, &text);
            let merged = parsed.and_then(|local| papers.catalogue.clone().merge(local));
            match merged {
                Ok(catalogue) => papers.catalogue = catalogue,
                Err(errors) => reader.faults.errors.extend(errors.iter().map(|error| Problem {
                    file: error.file.clone(),
                    key: error.key.clone(),
                    line: None,
                    what: error.fault.to_string(),
                    mend: error.fault.mend(),
                })),
            }
        }
    }
    if let Some(path) = section.path(source, "conditions") {
        let at = section.at_key("conditions");
        let file = reader.text(source, &at, &path, "name a file like calib/matters/conditions.toml");
        if let Some((shown, text)) = file {
            let read = Conditions::parse(&shown, &text, &papers.catalogue);
            papers.conditions = reader.kept(read).unwrap_or_default();
        }
    }
    section.finish(source);
}

fn read_papers<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    reader: &mut Reader<'_>,
    papers: &mut Papers,
) {
    let Some(mut section) = root.section(source, "papers") else { return };
    if let Some(path) = section.path(source, "calendar") {
        let at = section.at_key("calendar");
        let file =
            reader.text(source, &at, &path, "name a calendar, like calib/example-county/calendar.toml");
        let calendar = file.and_then(|(shown, text)| reader.kept(Calendar::parse(&shown, &text)));
        papers.calendar = Arc::new(calendar.unwrap_or_default());
    }
    if let Some(path) = section.path(source, "permits") {
        let at = section.at_key("permits");
        let mend = "name a permits file; `shirong import permits` writes one from a table";
        let file = reader.text(source, &at, &path, mend);
        if let Some((shown, text)) = file {
            let read = permit::parse(&shown, &text, &papers.catalogue);
            papers.permits = reader.kept(read).unwrap_or_default();
            papers.permits_file = shown;
        }
    }
    if let Some(path) = section.path(source, "roster") {
        let at = section.at_key("roster");
        let mend = "name a roster file; `shirong import roster` writes one from a table";
        if let Some((shown, text)) = reader.text(source, &at, &path, mend) {
            papers.roster = reader.kept(roster::parse(&shown, &text)).unwrap_or_default();
            let layer = papers.grids.responsibility.as_ref();
            reader.faults.doubts.extend(posts_of_nothing(&shown, layer, &papers.roster));
        }
    }
    section.finish(source);
}

/// Posts at cells that the responsibility grid does not have.
fn posts_of_nothing(file: &str, layer: Option<&GridLayer>, roster: &[Post]) -> Vec<Problem> {
    let Some(layer) = layer else { return Vec::new() };
    let lost = roster.iter().enumerate().filter(|(_, post)| layer.cell(&post.grid).is_none());
    let told = lost.map(|(i, post)| Problem {
        file: file.to_owned(),
        key: format!("post[{i}].grid"),
        line: None,
        what: format!("`{}` is no cell of {}", post.grid, layer.file()),
        mend: "write the code of a cell of the responsibility grid".to_owned(),
    });
    told.collect()
}

/// Cells that nobody on the roster answers for; the first few by name.
fn unmanned(layer: &GridLayer, roster: &[Post]) -> Option<Problem> {
    let manned: std::collections::BTreeSet<&str> = roster.iter().map(|post| post.grid.as_str()).collect();
    let codes = layer.cells().iter().map(|cell| cell.code.as_str());
    let bare: Vec<&str> = codes.filter(|code| !manned.contains(code)).collect();
    let first = bare.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    (!bare.is_empty()).then(|| Problem {
        file: layer.file().to_owned(),
        key: "roster".to_owned(),
        line: None,
        what: format!(
            "{} cells have nobody on the roster: {first}{}",
            bare.len(),
            if bare.len() > 5 { ", …" } else { "" }
        ),
        mend: "add a [[post]] for each of them to the roster".to_owned(),
    })
}

/// Reads the layers that a file names; `None` where one of them cannot be used. Overlaps and gaps are doubts.
fn read_grids(source: &mut Source<'_>, at: &GridsAt, files: &GridFiles, reader: &mut Reader<'_>) -> Grids {
    let profile = CodeProfile::of_digits(files.unit_digits as usize).unwrap_or(CodeProfile::Digits15);
    let mut layer = |at: &At, path: &Option<String>, kind| {
        let layer = read_layer(source, at, path.as_deref()?, kind, reader);
        let layer = layer?.map_err(|errors| reader.faults.errors.extend(errors.iter().map(problem))).ok()?;
        reader.faults.doubts.extend(layer.topology().iter().map(problem));
        Some(layer)
    };
    Grids {
        unit: layer(&at.unit, &files.unit, LayerKind::Unit { profile }),
        responsibility: layer(&at.responsibility, &files.responsibility, LayerKind::Responsibility),
    }
}

fn read_layer(
    source: &mut Source<'_>,
    at: &At,
    path: &str,
    kind: LayerKind,
    reader: &mut Reader<'_>,
) -> Option<Result<GridLayer, Vec<GridError>>> {
    let mend = "name a GeoJSON file or a Shapefile (.shp) with the layer's cells; paths start from this file's \
                folder";
    let Some(stem) = path.strip_suffix(".shp") else {
        let (shown, text) = reader.text(source, at, path, mend)?;
        return Some(GridLayer::parse(&shown, &text, kind));
    };
    let (shown, shp) = reader.bytes(source, at, path, mend)?;
    let (_, dbf) = reader.bytes(source, at, &format!("{stem}.dbf"), "put the .dbf beside the .shp")?;
    // A missing .prj says nothing; the numbers still do.
    let prj = (reader.read)(&format!("{stem}.prj")).bytes.ok();
    let prj = prj.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some(GridLayer::parse_shapefile(&shown, &shp, &dbf, prj.as_deref(), kind))
}

/// A grid's fault as every other file's.
pub fn problem(error: &GridError) -> Problem {
    Problem {
        file: error.file.clone(),
        key: error.place.clone(),
        line: None,
        what: error.fault.to_string(),
        mend: error.fault.mend().to_owned(),
    }
}

/// Where the two layers are named.
pub(crate) struct GridsAt {
    pub(crate) unit: At,
    pub(crate) responsibility: At,
}

impl Grids {
    /// Reads the layers of a camera's own `[grids]`; `at` in messages is the camera's file.
    pub fn read(file: &str, files: &GridFiles, read: &dyn Fn(&str) -> Found, faults: &mut Faults) -> Self {
        let mut source = Source::new(file, "");
        let at = |key: &str| At::named(&format!("grids.{key}"));
        let at = GridsAt { unit: at("unit"), responsibility: at("responsibility") };
        let mut reader = Reader { read, faults };
        let grids = read_grids(&mut source, &at, files, &mut reader);
        // The camera's text is not at hand, and so no line of it.
        faults.errors.extend(source.into_problems().into_iter().map(|p| Problem { line: None, ..p }));
        grids
    }
}
