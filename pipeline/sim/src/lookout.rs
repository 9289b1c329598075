//! One camera's days: what each look shows it, what its watch makes of that.
//!
//! In: a street's things. Out: findings that are told, and what was shown of each violation. Never: another
//! camera; what one sees and tells hangs on its own throws alone, so that they can be watched on any number of
//! threads.

use std::sync::Arc;

use calib::camera::Camera;
use calib::time::Timestamp;
use logic::finding::{Event, Sight};
use logic::look::{CameraId, Look};
use logic::scene::{Light, Proposal, Scene, ViewFault};
use logic::watch::{GAP_MS_MAX, Watch};

use crate::desk::Dismissal;
use crate::dice::Dice;
use crate::fault::{Fault, Troubles};
use crate::glimpse::{Cover, Glimpses, Weather};
use crate::rates;
use crate::run::NIGHT_LOOK_SECS;
use crate::site::{ALONG_M, Site};
use crate::sky::{DAY_MS, HOUR_MS, Span, about, count, day_begins, holds, spell};
use crate::standing::{ASPECT, Standing, shadow};
use crate::street::{Block, Eye, Place};
use crate::thing::{Proposed, Thing};
use crate::truth::{Shown, TruthId};

/// Local hours of the daytime, in which looks are dense.
const DAYTIME: std::ops::Range<usize> = 6..20;
/// What a gap counts at most towards the time that a violation was shown, looks.
const GAP_LOOKS_MAX: i64 = 2;

/// A finding that a camera tells.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) camera: usize,
    pub(crate) is_first: bool,
    pub(crate) sight: Sight,
}

/// One camera.
#[derive(Debug)]
pub(crate) struct Lookout {
    pub(crate) number: usize,
    pub(crate) id: CameraId,
    pub(crate) camera: Arc<Camera>,
    pub(crate) site: usize,
    pub(crate) told: Vec<Told>,
    pub(crate) shown: Vec<(TruthId, Shown)>,
    pub(crate) looks: u64,
    /// The home view, then presets.
    views: Vec<View>,
    /// The view that it looked at last.
    turned_to: usize,
    watch: Watch,
    look: Look,
    covers: Vec<Cover>,
    troubles: Troubles,
    was_faulty: bool,
}

/// One way that a camera looks, and what is there.
#[derive(Debug)]
struct View {
    eye: Eye,
    glimpses: Glimpses,
    /// The next one last.
    coming: Vec<Standing>,
    here: Vec<Standing>,
    shadows: Vec<(Span, Proposal)>,
    last_ms: i64,
}

impl Lookout {
    pub(crate) fn new(
        seed: u64,
        number: usize,
        id: &str,
        camera: Arc<Camera>,
        site: usize,
        eyes: Vec<Eye>,
    ) -> Self {
        let mut dice = Dice::about(seed, &[about::CAMERA_THING, number as u64]);
        let mut views: Vec<View> = eyes.into_iter().map(|eye| View::of(eye, &mut dice)).collect();
        if dice.chance(rates::FALSE_FOR_EVER_SHARE) {
            let span = (i64::MIN / 2, i64::MAX / 2);
            let view = &mut views[0];
            view.coming.extend(mistaken(&rates::FALSE_FOR_EVER, span, &view.eye, &mut dice));
        }
        Self {
            number,
            id: CameraId::new(id),
            watch: Watch::new(Arc::clone(&camera)),
            camera,
            site,
            told: Vec::new(),
            shown: Vec::new(),
            looks: 0,
            views,
            turned_to: 0,
            look: Look {
                at: Timestamp::from_millis(0),
                aspect: ASPECT,
                detections: Vec::new(),
                scene: Scene::default(),
            },
            covers: Vec::new(),
            troubles: Troubles::default(),
            was_faulty: false,
        }
    }

    /// A person has said that what it told is no matter.
    pub(crate) fn dismiss(&mut self, dismissal: &Dismissal) {
        self.watch.dismiss(dismissal.spot, dismissal.until);
    }

    /// Watches one day of its street.
    pub(crate) fn watch_day(&mut self, seed: u64, day: usize, look_secs: u32, site: &Site, rain: &[Span]) {
        self.prepare(seed, day, site);
        let mut dice = Dice::about(seed, &[about::CAMERA_LOOKS, self.number as u64, day as u64]);
        let (begins, ends) = (day_begins(day), day_begins(day + 1));
        // Cameras do not look at the same instant.
        let mut at_ms = begins + (self.number as i64 * 7_919) % (i64::from(look_secs) * 1000);
        while at_ms < ends {
            let hour = ((at_ms - begins) / HOUR_MS) as usize;
            let is_day = DAYTIME.contains(&hour);
            let step_ms = 1000 * i64::from(if is_day { look_secs } else { NIGHT_LOOK_SECS });
            if !self.troubles.is_lost(at_ms) {
                let is_raining = !rain.is_empty() && holds(rain, at_ms);
                let mut clear = if is_day { 1.0 } else { rates::RECALL_AT_NIGHT };
                clear *= if is_raining { rates::RECALL_IN_RAIN } else { 1.0 };
                let weather = Weather { hour, is_day, is_raining, clear: clear as f32 };
                self.look_at(at_ms, step_ms, &weather, &mut dice);
            }
            at_ms += step_ms;
        }
    }

    /// Takes on what comes today.
    fn prepare(&mut self, seed: u64, day: usize, site: &Site) {
        self.troubles.plan(seed, self.number, day);
        let mut dice = Dice::about(seed, &[about::CAMERA_THING, self.number as u64, day as u64]);
        for view in &mut self.views {
            for thing in &site.today {
                let truth = thing.truth.map(|id| (id, site.truths[id.number].span_ms));
                view.coming.extend(Standing::of(thing, truth, &view.eye, &mut dice));
            }
        }
        let home = &mut self.views[0];
        for _ in 0..count(&mut dice, rates::FALSE_STAY_PER_DAY) {
            let span = spell(&mut dice, day, rates::FALSE_STAY_MIN);
            home.coming.extend(mistaken(&rates::FALSE_STAY, span, &home.eye, &mut dice));
        }
        for view in &mut self.views {
            view.shadows.retain(|(span, _)| span.1 > day_begins(day));
            for _ in 0..count(&mut dice, rates::FALSE_PROPOSALS_PER_DAY) {
                let span = spell(&mut dice, day, rates::FALSE_PROPOSAL_MIN);
                view.shadows.push(shadow(&mut dice, span));
            }
            view.coming.sort_by_key(|standing| std::cmp::Reverse(standing.from_ms));
        }
    }

    fn look_at(&mut self, at_ms: i64, step_ms: i64, weather: &Weather, dice: &mut Dice) {
        let turns = self.views.len() > 1;
        let turned_to = if turns { (at_ms / (1000 * rates::TURN_S)) as usize % self.views.len() } else { 0 };
        // By night a patrol's pictures are taken when it has settled.
        let is_turning = turned_to != self.turned_to && weather.is_day;
        self.turned_to = turned_to;
        self.look.scene.preset = turned_to.checked_sub(1);
        self.come_and_go(at_ms);
        let turning = Fault { kind: ViewFault::Moved, shift: (0.2, 0.1), shows: 1.0 };
        let fault = self.troubles.fault(at_ms).or(is_turning.then_some(turning));
        self.was_faulty |= is_turning;
        self.fill(at_ms, weather, fault.as_ref(), dice);
        let view = &mut self.views[turned_to];
        if fault.is_none() {
            let gap_ms_max = if turns { GAP_MS_MAX } else { step_ms * GAP_LOOKS_MAX };
            let gap_ms = (at_ms - view.last_ms).min(gap_ms_max);
            view.here.iter_mut().for_each(|standing| standing.shown(at_ms, gap_ms));
        }
        view.last_ms = at_ms;
        self.looks += 1;
        let events = self.watch.look(&self.look);
        for event in events {
            let is_first = matches!(event, Event::Confirmed(_));
            if let Event::Confirmed(sight) | Event::Seen(sight) = event {
                self.told.push(Told { camera: self.number, is_first, sight });
            }
        }
    }

    fn come_and_go(&mut self, at_ms: i64) {
        let (shown, number) = (&mut self.shown, self.number);
        let View { coming, here, .. } = &mut self.views[self.turned_to];
        while coming.last().is_some_and(|next| next.from_ms <= at_ms) {
            here.extend(coming.pop());
        }
        if here.iter().any(|standing| standing.until_ms <= at_ms) {
            here.retain(|standing| {
                let stays = standing.until_ms > at_ms;
                if !stays {
                    shown.extend(standing.account(number));
                }
                stays
            });
        }
    }

    /// Fills the look with what this instant shows.
    fn fill(&mut self, at_ms: i64, weather: &Weather, fault: Option<&Fault>, dice: &mut Dice) {
        let Look { at, detections, scene, .. } = &mut self.look;
        *at = Timestamp::from_millis(at_ms);
        detections.clear();
        self.covers.clear();
        scene.proposals.clear();
        scene.light = if weather.is_day { Light::Day } else { Light::Night };
        scene.is_veiled = weather.is_raining && dice.chance(f64::from(rates::VEILED_LOOKS));
        // A nudge is told from the second look on.
        scene.fault =
            fault.filter(|fault| fault.kind != ViewFault::Moved || self.was_faulty).map(|fault| fault.kind);
        self.was_faulty = fault.is_some();
        if fault.is_none_or(|fault| fault.shows > 0.0) {
            let View { glimpses, here, shadows, .. } = &mut self.views[self.turned_to];
            glimpses.draw(weather, dice, &mut self.covers, detections);
            self.covers.extend(here.iter().filter_map(Standing::cover));
            for standing in here {
                standing.tell(weather, fault, &self.covers, dice, detections);
                standing.propose(at_ms, dice, &mut scene.proposals);
            }
            let shadows = shadows.iter().filter(|(span, _)| (span.0..span.1).contains(&at_ms));
            scene.proposals.extend(shadows.map(|(_, proposal)| *proposal));
            // Best first, as a detector gives them; what came first wins a tie.
            detections.sort_by(|a, b| b.score.total_cmp(&a.score));
            scene.proposals.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        }
    }

    /// What is still there when the run ends.
    pub(crate) fn finish(&mut self) {
        let number = self.number;
        self.shown.extend(
            self.views.iter().flat_map(|view| &view.here).filter_map(|standing| standing.account(number)),
        );
    }
}

impl View {
    fn of(eye: Eye, dice: &mut Dice) -> Self {
        let glimpses = Glimpses::of(&eye, dice);
        let (coming, here, shadows) = Default::default();
        Self { eye, glimpses, coming, here, shadows, last_ms: i64::MIN / 2 }
    }
}

/// Something that the model takes for garbage.
fn mistaken(seen: &'static rates::Seen, span: Span, eye: &Eye, dice: &mut Dice) -> Option<Standing> {
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let at = Place::new(dice.between(ALONG_M.0, ALONG_M.1), side * dice.between(2.8, 7.0));
    let size_m = dice.between(0.7, 1.3);
    let thing = Thing::of("taken for garbage", seen, Block::standing(at, size_m, size_m, size_m), span);
    let is_new = span.0 > i64::MIN / 4 && span.1 - span.0 < DAY_MS;
    let thing = thing.proposed(if is_new { Proposed::New } else { Proposed::Never });
    Standing::of(&thing, None, eye, dice)
}
