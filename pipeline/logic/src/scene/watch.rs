//! One camera's scene: thumbs in, a [`Scene`] for each out.
//!
//! Looks come in the order of their time. The same looks give the same scenes on any machine. Each view (the
//! home view and every preset) has a background for day and one for night; all of them are bounded by the
//! camera's presets.

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::space::ImageBox;
use calib::time::Timestamp;
use calib::zone::ZoneKind;
use serde::{Deserialize, Serialize};

use super::background::{Background, Bench, Marks, Seen};
use super::days::{DayBench, Days};
use super::fault::{FaultWatch, IN_PLACE_SURE, Likeness, Pace, Stillness, sign};
use super::grid::{COLS, Grid};
use super::light::{Brightness, LightWatch};
use super::likeness::Judge;
use super::limits::Limits;
use super::region::{Regions, take_relight};
use super::shift::lay_back;
use super::thumb::{THUMB_WIDTH, Thumb};
use super::tone::{levels_from_luma, luma_from_level};
use super::{Light, Scene, ViewFault};
use crate::look::Detection;
use crate::watch::{CLOCK_BACK_MS_MIN, GAP_MS_MAX};

/// What moves by itself: it hides the street and is no part of it.
const MOVERS: &[Class] = &[
    Class::Person,
    Class::Bicycle,
    Class::Motorcycle,
    Class::Car,
    Class::Bus,
    Class::Truck,
    Class::CargoTricycle,
];
/// Score from which a mover hides its place.
const MOVER_SCORE_MIN: f32 = 0.2;
/// Tiles around a mover that its shadow and the box's error may spoil.
const MOVER_MARGIN: f32 = 1.5;
/// How long a bright look is remembered, milliseconds: darkness that falls faster is a cover.
const BRIGHT_MS: i64 = 600_000;
/// How long after it last lay off a view counts as swaying, milliseconds.
const SWAY_MS: i64 = 60_000;
/// Median luma of a bright look.
const BRIGHT_MEDIAN_MIN: u8 = 60;
/// A veil watched for so long, milliseconds, is no weather: the view has become so, and the background follows.
const VEILED_MS_MAX: i64 = 86_400_000;
/// How fast the normal noise follows under a veil, milliseconds: no rain of an afternoon becomes normal.
const VEILED_NOISE_MS: f32 = 86_400_000.0;

/// A camera's scene, and what it needs for one look.
#[derive(Debug)]
pub struct SceneWatch {
    camera: Arc<Camera>,
    limits: Limits,
    state: SceneState,
    desk: Desk,
    last: Scene,
}

/// What a scene remembers, kept on disk so that a restart keeps what is normal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SceneState {
    height_px: usize,
    last_at: Option<Timestamp>,
    /// The preset by name: a camera's file may have been edited in between.
    preset: Option<String>,
    light: LightWatch,
    faults: FaultWatch,
    views: Vec<View>,
    references: Vec<Reference>,
    days: Days,
}

/// Which picture a view was taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reference {
    preset: Option<String>,
    /// Of the picture's file, lower-case hex.
    sha256: String,
}

/// One view in one light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct View {
    preset: Option<String>,
    light: Light,
    /// Energy that noise normally puts between two looks; 0 until two were seen.
    noise: f32,
    /// How long it has been watched through the veil that is on it, milliseconds.
    #[serde(default)]
    veiled_ms: i64,
    background: Background,
}

/// Working memory, kept to save its allocation.
#[derive(Debug, Default)]
struct Desk {
    grid: Grid,
    levels: Vec<u8>,
    /// The same laid back onto its reference.
    laid: Vec<u8>,
    marks: Marks,
    area: Vec<bool>,
    bench: Bench,
    judge: Judge,
    regions: Regions,
    day_bench: DayBench,
    stillness: Stillness,
    bright_at: Option<Timestamp>,
    swayed_at: Option<Timestamp>,
    shift: Option<[f32; 2]>,
    settling: u32,
}

impl SceneState {
    /// Whether it remembers nothing.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }
}

impl SceneWatch {
    /// A scene with no memory: its first looks are what is normal.
    pub fn new(camera: Arc<Camera>) -> Self {
        Self::resume(camera, SceneState::default())
    }

    /// A scene that goes on from what was kept. Views of presets that the camera no longer has are dropped.
    pub fn resume(camera: Arc<Camera>, mut state: SceneState) -> Self {
        let is_known = |name: &String| camera.presets.iter().any(|preset| preset.name == *name);
        let plane_len = state.height_px * THUMB_WIDTH;
        state.views.retain(|view| {
            view.preset.as_ref().is_none_or(is_known) && view.background.level.len() == plane_len
        });
        state.references.retain(|reference| reference.preset.as_ref().is_none_or(is_known));
        if !state.preset.as_ref().is_none_or(is_known) {
            state.preset = None;
        }
        let height_px = state.height_px;
        let limits = Limits::from(&camera.scene);
        let mut watch = Self { camera, limits, state, desk: Desk::default(), last: Scene::default() };
        watch.lay_out(height_px);
        watch
    }

    /// What to keep on disk.
    pub fn state(&self) -> &SceneState {
        &self.state
    }

    /// Whether the view has a fault that [`accept`](Self::accept) ends.
    pub fn has_acceptable_fault(&self) -> bool {
        self.state.faults.now().is_some_and(ViewFault::is_acceptable)
    }

    /// The view as it is now becomes the reference: its next looks are what is normal, and building is
    /// compared from today on. Only for a camera without presets: of one that turns nobody knows which view it
    /// shows now, and [`SceneWatch::set_reference`] says what each should be; `false` there, and nothing changes.
    pub fn accept(&mut self) -> bool {
        if !self.camera.presets.is_empty() {
            return false;
        }
        self.state.views.clear();
        self.state.faults = FaultWatch::default();
        self.state.days = Days::default();
        self.desk.bright_at = None;
        self.last = Scene { light: self.last.light, ..Scene::default() };
        true
    }

    /// Whether [`SceneWatch::set_reference`] is due with this picture: the view is not known yet, or was taken
    /// from another one.
    pub fn needs_reference(&self, preset: Option<usize>, sha256: &str) -> bool {
        let Some(name) = self.preset_name(preset) else { return false };
        let is_taken = |reference: &Reference| reference.preset == name && reference.sha256 == sha256;
        !self.state.references.iter().any(is_taken)
            || !self.state.views.iter().any(|view| view.preset == name)
    }

    /// Says what a view should look like, by its preset's number in the camera's file (`None`: home), and the
    /// SHA-256 of the picture that says it. A camera that turns tells its views apart by these. `false` for a
    /// picture of another shape than the views that are known, which stay.
    pub fn set_reference(&mut self, preset: Option<usize>, thumb: &Thumb, sha256: &str) -> bool {
        if !self.state.views.is_empty() && self.state.height_px != thumb.height() {
            return false;
        }
        self.fit(thumb.height());
        let Some(name) = self.preset_name(preset) else { return false };
        let mut levels = Vec::new();
        levels_from_luma(thumb.luma(), &mut levels);
        let night = Brightness::of(thumb.luma()).median < super::light::NIGHT_MEDIAN_MAX;
        self.state.views.retain(|view| view.preset != name);
        self.state.references.retain(|reference| reference.preset != name);
        self.state.references.push(Reference { preset: name.clone(), sha256: sha256.to_owned() });
        if name.is_none() {
            self.state.days = Days::default();
        }
        self.state.views.push(View {
            preset: name,
            light: if night { Light::Night } else { Light::Day },
            noise: 0.0,
            veiled_ms: 0,
            background: Background::from_levels(&self.desk.grid, &levels),
        });
        true
    }

    /// How far the last look lay off its reference, shares of the picture's width and height; `None` where it
    /// was in place or nowhere.
    pub fn shift(&self) -> Option<[f32; 2]> {
        self.desk.shift.map(|[x, y]| [x / THUMB_WIDTH as f32, y / self.desk.grid.height_px as f32])
    }

    /// The clean picture of each day that is kept, oldest first, with the time of its first look.
    pub fn day_views(&self) -> Vec<(Timestamp, Thumb)> {
        self.state.days.views()
    }

    /// What the present view normally looks like; `None` before its first look.
    pub fn normal(&self) -> Option<Thumb> {
        let view = &self.state.views[self.position(&self.state.preset, self.state.light.now())?];
        Thumb::from_luma(view.background.level.iter().map(|&level| luma_from_level(level)).collect())
    }

    /// Takes one look. `held` are the places where open spots stand: nothing there becomes normal. A look that
    /// is not later than the one before is passed over.
    pub fn look(
        &mut self,
        at: Timestamp,
        thumb: &Thumb,
        detections: &[Detection],
        held: &[ImageBox],
    ) -> Scene {
        let late_ms = self.state.last_at.map_or(-1, |last| last.millis_since(at));
        if (0..=CLOCK_BACK_MS_MIN).contains(&late_ms) {
            return self.last.clone();
        }
        let gap_ms = self.state.last_at.map_or(0, |last| at.millis_since(last)).clamp(0, GAP_MS_MAX);
        self.state.last_at = Some(at);
        self.fit(thumb.height());
        levels_from_luma(thumb.luma(), &mut self.desk.levels);
        self.mark(detections, held, [0.0, 0.0]);
        let brightness = Brightness::of(thumb.luma());
        let was_bright = self.desk.bright_at.is_some_and(|bright| at.millis_since(bright) < BRIGHT_MS);
        let is_still = self.desk.stillness.look(&self.limits, &self.desk.grid, thumb.luma(), at);
        let light = self.light(brightness, at);

        let (index, likeness) = self.find_view(light);
        let now = self.state.faults.now();
        let sign = sign(&self.limits, now, brightness, (was_bright, is_still), likeness.as_ref());
        let turns = !self.camera.presets.is_empty() && (sign.or(now) == Some(ViewFault::Moved));
        let pace = match &likeness {
            Some(likeness) if likeness.slightly_off().is_some() => Pace::Patient,
            _ if turns => Pace::AtOnce,
            _ => Pace::Usual,
        };
        let fault = self.state.faults.look(&self.limits, sign, at, pace);
        let is_clear = fault.is_none() && sign.is_none();
        let off_by = likeness.and_then(|likeness| likeness.slightly_off());
        if off_by.is_some() && sign == Some(ViewFault::Moved) {
            self.desk.swayed_at = Some(at);
        }
        // Off by less than a pixel, too, edges differ from their reference and from the look before, as much as through
        // a veil.
        let sways = self.sways() && likeness.is_some_and(|likeness| !likeness.is_in_place());
        let is_veiled = match &likeness {
            Some(likeness) if is_clear && !sways => self.state.faults.veil(likeness, at),
            _ => self.state.faults.is_veiled(),
        };
        if is_clear && brightness.median >= BRIGHT_MEDIAN_MIN {
            self.desk.bright_at = Some(at);
        }
        let still_ms = self.limits.still_ms;
        let is_judged =
            sways && fault.is_none() && matches!(sign, None | Some(ViewFault::Moved)) && !is_veiled;
        let proposals = if let Some(shift) = off_by.filter(|_| is_judged) {
            self.mark(detections, held, shift);
            self.take_laid_back(index, (at, gap_ms), shift)
        } else if is_clear && !sways && self.learns(index, is_veiled, gap_ms) {
            self.take(index, at, gap_ms)
        } else if fault.is_none() {
            self.desk.regions.standing(&self.desk.grid, &self.state.views[index].background, at, still_ms)
        } else {
            Vec::new()
        };
        let preset = self.preset_number(&self.state.preset);
        self.last = Scene { fault, light, is_veiled, preset, proposals };
        if is_clear && !is_veiled {
            self.take_day(index, at);
        }
        self.last.clone()
    }

    /// Whether the view lay slightly off not long before the last look.
    fn sways(&self) -> bool {
        let since =
            self.state.last_at.zip(self.desk.swayed_at).map(|(last, swayed)| last.millis_since(swayed));
        since.is_some_and(|since_ms| (0..SWAY_MS).contains(&since_ms))
    }

    /// Prepares for thumbs of this height; views of another are no use.
    fn fit(&mut self, height_px: usize) {
        if self.state.height_px != height_px {
            self.state = SceneState { height_px, last_at: self.state.last_at, ..SceneState::default() };
            self.lay_out(height_px);
        }
    }

    fn lay_out(&mut self, height_px: usize) {
        self.desk.grid = Grid::of(height_px);
        self.desk.area.clear();
        self.desk.area.resize(self.desk.grid.len(), false);
        let zones = self
            .camera
            .zones
            .iter()
            .filter(|zone| zone.kind == ZoneKind::ConstructionWatch && zone.preset.is_none());
        for area in zones.filter_map(|zone| zone.area_in_image(self.camera.ground.as_ref())) {
            let rows = self.desk.grid.rows;
            for (tile, watched) in self.desk.area.iter_mut().enumerate() {
                let (col, row) = ((tile % COLS) as f32, (tile / COLS) as f32);
                let share = |at: f32, count: usize| at / count as f32;
                *watched = *watched
                    || area.touches(&ImageBox {
                        x0: share(col + 0.25, COLS),
                        y0: share(row + 0.25, rows),
                        x1: share(col + 0.75, COLS),
                        y1: share(row + 0.75, rows),
                    });
            }
        }
    }

    /// Marks the tiles that are hidden and held in a look that lies `shift` off, pixels to the right and down.
    fn mark(&mut self, detections: &[Detection], held: &[ImageBox], shift: [f32; 2]) {
        let Desk { grid, marks, .. } = &mut self.desk;
        let back = off(grid, shift.map(|by| -by));
        for plane in [&mut marks.hidden, &mut marks.held] {
            plane.clear();
            plane.resize(grid.len(), false);
        }
        let movers = detections.iter().filter(|d| MOVERS.contains(&d.class) && d.score >= MOVER_SCORE_MIN);
        for mover in movers {
            grid.mark(&back(&mover.bounds), MOVER_MARGIN, &mut marks.hidden);
        }
        for bounds in held {
            grid.mark(&back(bounds), 1.0, &mut marks.held);
        }
    }

    /// Day or night; when it changes, what stands is handed over to the backgrounds of the other light.
    fn light(&mut self, brightness: Brightness, at: Timestamp) -> Light {
        let before = self.state.light.now();
        let light = self.state.light.look(brightness, at);
        if light != before {
            for from in 0..self.state.views.len() {
                if self.state.views[from].light == before {
                    let to = self.view_of(self.state.views[from].preset.clone(), light);
                    let other = std::mem::take(&mut self.state.views[from].background);
                    self.state.views[to].background.take_over(&other);
                    self.state.views[from].background = other;
                }
            }
        }
        light
    }

    fn position(&self, preset: &Option<String>, light: Light) -> Option<usize> {
        self.state.views.iter().position(|view| view.preset == *preset && view.light == light)
    }

    /// The view's place, made where there is none.
    fn view_of(&mut self, preset: Option<String>, light: Light) -> usize {
        self.position(&preset, light).unwrap_or_else(|| {
            let background = Background::empty(&self.desk.grid, self.desk.levels.len());
            self.state.views.push(View { preset, light, noise: 0.0, veiled_ms: 0, background });
            self.state.views.len() - 1
        })
    }

    /// Which view the look shows and how like it is: the last one if it is still that, else the one that it
    /// agrees with.
    fn find_view(&mut self, light: Light) -> (usize, Option<Likeness>) {
        self.desk.shift = None;
        let last = self.state.preset.clone();
        if self.camera.presets.is_empty() {
            let index = self.view_of(None, light);
            let likeness = self.state.views[index].background.is_ready().then(|| self.compare(index, true));
            return (index, likeness);
        }
        let mut best: Option<(usize, f32)> = None;
        for number in std::iter::once(self.preset_number(&last))
            .chain(std::iter::once(None))
            .chain((0..self.camera.presets.len()).map(Some))
        {
            let Some(index) = self.preset_name(number).and_then(|name| self.known_view(&name, light)) else {
                continue;
            };
            let likeness = self.compare(index, false);
            let share = likeness.in_place.unwrap_or(0.0);
            if share >= IN_PLACE_SURE {
                return self.settle_on(index, light, likeness);
            }
            if best.is_none_or(|(_, most)| share > most) {
                best = Some((index, share));
            }
        }
        let Some((index, _)) = best else {
            let index = self.view_of(None, light);
            self.state.preset = None;
            return (index, None);
        };
        let likeness = self.compare(index, true);
        if likeness.is_away || likeness.in_place.is_none() {
            return (index, Some(Likeness { is_away: likeness.in_place.is_some(), ..likeness }));
        }
        self.settle_on(index, light, likeness)
    }

    /// A view of the preset that can be compared with: in this light, else in the other.
    fn known_view(&self, preset: &Option<String>, light: Light) -> Option<usize> {
        let other = if light == Light::Day { Light::Night } else { Light::Day };
        [light, other].into_iter().find_map(|light| {
            self.position(preset, light).filter(|&index| self.state.views[index].background.is_ready())
        })
    }

    fn settle_on(&mut self, index: usize, light: Light, likeness: Likeness) -> (usize, Option<Likeness>) {
        let preset = self.state.views[index].preset.clone();
        if preset != self.state.preset {
            self.desk.settling = self.limits.settle_looks;
            self.state.preset.clone_from(&preset);
        }
        if self.desk.settling > 0 {
            self.desk.settling -= 1;
            return (index, Some(Likeness { is_away: true, ..likeness }));
        }
        if self.state.views[index].light == light {
            return (index, Some(likeness));
        }
        // Seen by the other light's picture; this light's own is still to be learnt.
        let own = self.view_of(preset, light);
        self.compare(own, false);
        (own, None)
    }

    fn compare(&mut self, index: usize, asks_patches: bool) -> Likeness {
        let asks = if asks_patches { Some(self.sways()) } else { None };
        let Desk { grid, levels, marks, bench, judge, shift, .. } = &mut self.desk;
        let view = &self.state.views[index];
        bench.compare(grid, levels, (&view.background, view.noise), &marks.hidden);
        let (likeness, votes) = judge.judge(
            (grid, levels, &view.background, &marks.hidden),
            (bench, view.noise),
            &self.limits,
            asks,
        );
        *shift = votes.filter(|_| likeness.is_away).filter(|votes| votes.away > 3).map(|votes| votes.shift);
        likeness
    }

    /// Whether a clear look is learnt from. Under a veil only what was last seen and the noise go on, so that it
    /// can be told when the veil is gone.
    fn learns(&mut self, index: usize, is_veiled: bool, gap_ms: i64) -> bool {
        let Desk { levels, marks, bench, .. } = &mut self.desk;
        let view = &mut self.state.views[index];
        view.veiled_ms = if is_veiled { view.veiled_ms.saturating_add(gap_ms) } else { 0 };
        if !is_veiled || !view.background.is_ready() {
            return true;
        }
        if view.veiled_ms >= VEILED_MS_MAX {
            view.background.become_veiled(levels, gap_ms, marks);
        }
        if let Some(seen) = bench.noise_seen {
            let share = 1.0 - (-(gap_ms as f32) / VEILED_NOISE_MS).exp();
            view.noise = if view.noise > 0.0 { view.noise + (seen - view.noise) * share } else { seen };
        }
        view.background.glance(levels, &marks.hidden);
        false
    }

    /// Lets the background learn from a clear look, and says what stands.
    fn take(&mut self, index: usize, at: Timestamp, gap_ms: i64) -> Vec<super::Proposal> {
        let Desk { grid, levels, marks, bench, regions, .. } = &mut self.desk;
        let view = &mut self.state.views[index];
        if view.background.looks == 0 || !view.background.is_ready() {
            bench.compare(grid, levels, (&view.background, view.noise), &marks.hidden);
        }
        let seen = Seen { at, gap_ms, levels, marks, teaches: true };
        view.background.look(&seen, bench, &self.limits);
        if let Some(seen) = bench.noise_seen {
            let looks = if view.background.looks < 32 { 4.0 } else { 32.0 };
            view.noise = if view.noise > 0.0 { view.noise + (seen - view.noise) / looks } else { seen };
        }
        take_relight(grid, &mut view.background, &seen);
        view.background.absorb(self.limits.absorb_ms, &marks.held);
        let mut proposals = regions.judge(grid, &mut view.background, &seen, self.limits.still_ms);
        if view.preset.is_none() {
            proposals.extend_from_slice(self.state.days.changes());
        }
        proposals
    }

    /// Says what stands in a look that lies slightly off, laid back onto its background, which learns nothing from
    /// it: what is off by the part of a pixel each time would make it walk.
    fn take_laid_back(
        &mut self,
        index: usize,
        (at, gap_ms): (Timestamp, i64),
        shift: [f32; 2],
    ) -> Vec<super::Proposal> {
        let Desk { grid, levels, laid, marks, bench, regions, .. } = &mut self.desk;
        let view = &mut self.state.views[index];
        lay_back(levels, shift, laid);
        grid.mark_beyond(shift, &mut marks.hidden);
        bench.compare(grid, laid, (&view.background, view.noise), &marks.hidden);
        let still_ms = self.limits.still_ms;
        let mut proposals = if view.background.would_relight(bench, &marks.hidden) {
            regions.standing(grid, &view.background, at, still_ms)
        } else {
            let seen = Seen { at, gap_ms, levels: laid, marks, teaches: false };
            view.background.look(&seen, bench, &self.limits);
            regions.judge(grid, &mut view.background, &seen, still_ms)
        };
        let forth = off(grid, shift);
        proposals.iter_mut().for_each(|proposal| proposal.bounds = forth(&proposal.bounds));
        proposals
    }

    fn take_day(&mut self, index: usize, at: Timestamp) {
        let Desk { grid, marks, area, day_bench, .. } = &mut self.desk;
        let view = &self.state.views[index];
        let is_watched = view.preset.is_none() && view.light == Light::Day && view.background.is_ready();
        if !is_watched || !area.contains(&true) {
            return;
        }
        let local_ms = at.as_millis() + i64::from(self.camera.utc_offset_minutes) * 60_000;
        let day = local_ms.div_euclid(86_400_000);
        let days_max = self.limits.days_max;
        self.state.days.look(grid, (at, day), &view.background, &marks.hidden, (area, days_max), day_bench);
    }

    /// The name of a preset by its number; `None` where the camera has none of that number.
    fn preset_name(&self, number: Option<usize>) -> Option<Option<String>> {
        match number {
            None => Some(None),
            Some(number) => self.camera.presets.get(number).map(|preset| Some(preset.name.clone())),
        }
    }

    fn preset_number(&self, name: &Option<String>) -> Option<usize> {
        let name = name.as_ref()?;
        self.camera.presets.iter().position(|preset| preset.name == *name)
    }
}

/// Moves boxes by so many pixels of a thumb.
fn off(grid: &Grid, [x, y]: [f32; 2]) -> impl Fn(&ImageBox) -> ImageBox + use<> {
    let (x, y) = (x / THUMB_WIDTH as f32, y / grid.height_px.max(1) as f32);
    move |b| ImageBox { x0: b.x0 + x, y0: b.y0 + y, x1: b.x1 + x, y1: b.y1 + y }
}
