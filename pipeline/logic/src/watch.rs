//! One camera's watch: looks in, events out.
//!
//! In: looks in the order of their time. Out: what appeared, was confirmed, was seen again, is gone. Never:
//! a clock, a store, another camera. The same looks give the same events on any machine.

use std::sync::Arc;

use calib::camera::Camera;
use calib::class::{Class, Family};
use calib::rule::{Proposals, Rule, SCORE_MIN};
use calib::space::ImageBox;
use calib::time::Timestamp;

use crate::claim::{Claim, Hours, Moment};
use crate::cover::is_hidden;
use crate::finding::{Event, Sight, SpotId};
use crate::judge::is_anothers;
use crate::look::Look;
pub use crate::memory::WatchState;
use crate::pairs::Pairs;
use crate::plan::{Plan, WORKS};
use crate::scene::{Light, Proposal, ProposalKind, ViewFault};
use crate::spot::Spot;
use crate::table::Table;
use crate::thing::{SUPPORTED_SCORE, Thing, has_company, is_named_by, is_spill, news, things};

/// Spots a view may hold. When full, a new thing is not taken on (and counted): what has been watched
/// longest is closest to being a case.
pub const SPOTS_MAX: usize = 256;
/// What a gap between two looks counts at most towards dwell and absence, milliseconds. A patrol that
/// comes back after ten minutes counts in full, a stream lost for hours does not make a dwell of hours.
pub const GAP_MS_MAX: i64 = 600_000;
/// The same for what the background says of the time before a structure's first look.
const GROWN_MS_MAX: i64 = 30 * 86_400_000;
/// What the background shows is a thing itself from this share of both boxes on.
const SAME_BOX_IOU_MIN: f32 = 0.3;

/// A clock set back by more than this is believed; a frame late by less is passed over, milliseconds. The
/// frame source holds its times against smaller steps, so that there is nothing in between.
pub const CLOCK_BACK_MS_MIN: i64 = 60_000;

/// A camera's spots, and the rules that judge them.
#[derive(Debug)]
pub struct Watch {
    camera: Arc<Camera>,
    plan: Plan,
    state: WatchState,
    hours: Hours,
    refused: u64,
    capped: u64,
    /// Kept between looks so that a look allocates nothing.
    things: Vec<Thing>,
    pairs: Pairs,
}

impl Watch {
    /// A watch with no memory.
    pub fn new(camera: Arc<Camera>) -> Self {
        Self::resume(camera, WatchState::default())
    }

    /// A watch that goes on from what was kept. Spots of rules that the camera no longer has are dropped.
    pub fn resume(camera: Arc<Camera>, state: WatchState) -> Self {
        Self {
            plan: Plan::of(&camera),
            state: state.under(&camera),
            camera,
            hours: Hours::default(),
            refused: 0,
            capped: 0,
            things: Vec::new(),
            pairs: Pairs::default(),
        }
    }

    /// What to keep on disk.
    pub fn state(&self) -> &WatchState {
        &self.state
    }

    /// Things not taken on because the table was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Findings not told because their rule had told as many as it may on that day.
    pub fn capped(&self) -> u64 {
        self.capped
    }

    /// A person has said of a told spot that it is no matter: what it was is passed over at its place until then,
    /// [`DISMISSED_MS`](crate::dismissed::DISMISSED_MS) where nothing stood there. Whether the spot is still known.
    pub fn dismiss(&mut self, spot: SpotId, until: Timestamp) -> bool {
        self.state.tables.iter_mut().any(|table| table.dismiss(spot, until))
    }

    /// Where the spots of a view stand in the picture, for whoever must not take them for background.
    pub fn held(&self, preset: Option<usize>) -> impl Iterator<Item = ImageBox> + '_ {
        self.table(preset).into_iter().flat_map(|table| table.spots.iter().map(|spot| spot.bounds))
    }

    /// Every spot of a view as it stands after the latest look, and whether its finding was told.
    pub fn spots(&self, preset: Option<usize>) -> impl Iterator<Item = (Sight, bool)> + '_ {
        let at = self.state.last_at.unwrap_or_default();
        self.table(preset).into_iter().flat_map(move |table| {
            table.spots.iter().map(move |spot| {
                let zone = self.camera.zones.get(spot.zone).map_or("", |zone| zone.id.as_str());
                (spot.sight(at, preset, zone), spot.is_confirmed)
            })
        })
    }

    fn table(&self, preset: Option<usize>) -> Option<&Table> {
        self.state.tables.get(preset.map_or(0, |preset| preset + 1))
    }

    /// Takes one look. Looks that are not later than the one before are passed over; one that cannot be judged, or
    /// that falls outside the camera's hours, counts neither way and stops the time.
    pub fn look(&mut self, look: &Look) -> Vec<Event> {
        if self.state.last_at.is_some_and(|last| look.at <= last) && !self.clock_went_back(look.at) {
            return Vec::new();
        }
        self.state.last_at = Some(look.at);
        let number = look.scene.preset.map_or(0, |preset| preset + 1);
        let Some(table) = self.state.tables.get_mut(number) else { return Vec::new() };
        // A camera on its way from one preset to another says nothing of either.
        if look.scene.fault == Some(ViewFault::Moved) && !self.camera.presets.is_empty() {
            return Vec::new();
        }
        let last_at = table.last_at.replace(look.at);
        if look.scene.fault.is_some() {
            return Vec::new();
        }
        if table.spots.is_empty() && !is_of_interest(look, &self.plan) {
            return Vec::new();
        }
        self.hours.at(look.at, &self.camera);
        if !self.hours.is_on {
            return Vec::new();
        }
        let gap_ms = last_at.map_or(0, |last| look.at.millis_since(last)).clamp(0, GAP_MS_MAX);
        let mut events = Vec::new();
        let mut table = std::mem::take(&mut self.state.tables[number]);
        self.take(&mut table, look, gap_ms, &mut events);
        self.state.tables[number] = table;
        events
    }

    fn clock_went_back(&self, at: Timestamp) -> bool {
        self.state.last_at.is_some_and(|last| last.millis_since(at) > CLOCK_BACK_MS_MIN)
    }

    fn take(&mut self, table: &mut Table, look: &Look, gap_ms: i64, events: &mut Vec<Event>) {
        let camera = Arc::clone(&self.camera);
        let mut found = std::mem::take(&mut self.things);
        let mut pairs = std::mem::take(&mut self.pairs);
        if self.plan.has_structures {
            note_support(&camera, &self.plan, table, look);
        }
        let watches_bins = camera
            .rules
            .iter()
            .enumerate()
            .any(|(i, rule)| rule.kind.family() == Family::Bin && self.hours.is_ruled(i));
        let bins = |garbage: &ImageBox| {
            let mut bins =
                table.spots.iter().filter(|spot| spot.family == Family::Bin && spot.tally.hits > 1);
            bins.any(|bin| is_spill(garbage, &bin.bounds))
        };
        things(look, &self.plan, camera.view(look.scene.preset), watches_bins, bins, &mut found);
        if !table.dismissed.is_empty() {
            table.dismissed.retain(|dismissed| look.at < dismissed.until);
            found.retain(|thing| !table.dismissed.iter().any(|dismissed| dismissed.is(thing, look.at)));
        }
        let moment = Moment {
            camera: &camera,
            plan: &self.plan,
            hours: &self.hours,
            at: look.at,
            aspect: look.aspect,
            preset: look.scene.preset,
            is_veiled: look.scene.is_veiled,
            is_night: look.scene.light == Light::Night,
            has_works: table.works.is_there(look.at),
            has_material: table.material.is_there(look.at),
        };
        pairs.match_up(&table.spots, &found, camera.view(look.scene.preset));
        for s in 0..table.spots.len() {
            let thing = pairs.thing_of(s).map(|t| &found[t]);
            if observe(&moment, &mut table.spots[s], (thing, &found), look, gap_ms)
                && is_still_its(&moment, &mut table.spots[s])
            {
                tell(&moment, &mut self.state.caps, &mut self.capped, table, s, events);
            }
        }
        give_up(&moment, table, events);
        let mut born = 0;
        for (_, thing) in found.iter().enumerate().filter(|(t, _)| pairs.is_new(*t)) {
            let id = SpotId { first_at: look.at, ordinal: born };
            let Some(spot) = appear(&moment, table, thing, look, id) else { continue };
            if table.spots.len() >= SPOTS_MAX {
                self.refused += 1;
                continue;
            }
            if spot.id == id {
                born += 1;
                events.push(Event::Appeared(sight(&moment, &spot)));
            }
            table.spots.push(spot);
        }
        (self.things, self.pairs) = (found, pairs);
    }
}

/// Whether anything in the look may concern a rule.
fn is_of_interest(look: &Look, plan: &Plan) -> bool {
    let classes = plan.things.with(plan.support);
    look.detections.iter().any(|d| classes.has(d.class))
        || look.scene.proposals.iter().any(|proposal| match proposal.kind {
            ProposalKind::Appeared => plan.proposals_alone,
            ProposalKind::Changed => plan.has_structures,
            ProposalKind::Removed => false,
        })
}

/// Remembers works and material seen on a site.
fn note_support(camera: &Camera, plan: &Plan, table: &mut Table, look: &Look) {
    let view = camera.view(look.scene.preset);
    for d in look.detections.iter().filter(|d| plan.support.has(d.class) && d.score >= SCORE_MIN as f32) {
        let is_on_site = camera.zones.iter().enumerate().any(|(number, zone)| {
            let is_site = plan.sites & (1 << (number & 63)) != 0 && zone.preset == look.scene.preset;
            is_site && zone.contains(d.bounds.foot(), view)
        });
        if is_on_site && WORKS.has(d.class) {
            table.works.saw(look.at);
        }
        if is_on_site && d.class == Class::MaterialPile {
            table.material.saw(look.at);
        }
    }
}

/// What this look says of a spot; whether it saw it.
fn observe(
    moment: &Moment<'_>,
    spot: &mut Spot,
    (thing, found): (Option<&Thing>, &[Thing]),
    look: &Look,
    gap_ms: i64,
) -> bool {
    moment.find_zones(spot);
    let claim = moment.claim(spot);
    if let Claim::Taken { rule, zone, variant } = claim
        && !spot.is_confirmed
    {
        (spot.rule, spot.zone, spot.variant) = (Some(rule), zone, variant);
    }
    let rule = match claim {
        // Outside its hours a rule neither sees nor misses: its spots wait.
        Claim::Waits => return false,
        Claim::Free => {
            spot.miss(gap_ms);
            return false;
        }
        Claim::Taken { rule, .. } => &moment.camera.rules[rule],
    };
    if let Some(thing) = thing
        && is_sure(moment, spot, thing, rule)
    {
        spot.hit(thing, gap_ms);
        return true;
    }
    if rule.proposals != Proposals::Off
        && !moment.is_veiled
        && spot.is_vouched(rule)
        && news(look).any(|p| spot.is_shown_by(p) && (thing.is_some() || !is_named_by(&p.bounds, found)))
    {
        spot.hit_by_background(has_company(&spot.bounds, spot.foot, look), gap_ms);
        return true;
    }
    // What only the background sees cannot be missed where it sees nothing.
    if moment.is_veiled && matches!(spot.family, Family::Structure | Family::Unnamed) {
        return false;
    }
    if is_hidden(&spot.bounds, spot.foot, look) {
        spot.hidden(gap_ms)
    } else {
        spot.miss(gap_ms)
    }
    false
}

/// Whether what this look shows at a spot is enough for its rule: each trusts the background as far as its own file
/// says, whatever the camera's others do.
fn is_sure(moment: &Moment<'_>, spot: &Spot, thing: &Thing, rule: &Rule) -> bool {
    if thing.family == Family::Structure {
        return true;
    }
    if thing.classes.is_empty() {
        return match rule.proposals {
            Proposals::Off => false,
            Proposals::Support => spot.is_vouched(rule),
            Proposals::Alone => true,
        };
    }
    let score_min = rule.score_min_at(moment.is_night);
    let is_supported = thing.since.is_some() && rule.proposals != Proposals::Off;
    thing.score >= if is_supported { score_min * SUPPORTED_SCORE } else { score_min }
}

/// Whether the rule that takes the spot does so too now that this look has moved its foot: one hit that shows the
/// table under a parasol may move it into a permitted zone.
fn is_still_its(moment: &Moment<'_>, spot: &mut Spot) -> bool {
    moment.find_zones(spot);
    spot.is_confirmed
        || matches!(moment.claim(spot), Claim::Taken { rule, variant, .. }
            if spot.rule == Some(rule) && spot.variant == variant)
}

/// Confirms or retells a spot that this look saw.
fn tell(
    moment: &Moment<'_>,
    caps: &mut [crate::memory::Cap],
    capped: &mut u64,
    table: &mut Table,
    s: usize,
    events: &mut Vec<Event>,
) {
    let spot = &table.spots[s];
    let Some(number) = spot.rule else { return };
    let rule = &moment.camera.rules[number];
    let at = moment.at;
    if spot.is_confirmed {
        let is_proven = spot.gone_at.is_none() || moment.meets(spot, rule);
        if is_proven && spot.shows_itself() && spot.is_due(rule, at) {
            let spot = &mut table.spots[s];
            spot.gone_at = None;
            spot.told(at);
            events.push(Event::Seen(sight(moment, spot)));
        }
        return;
    }
    if !moment.meets(spot, rule) || is_anothers(spot, &table.spots, moment.camera.view(moment.preset)) {
        return;
    }
    // On the ground dedupe knows place and cell and decides better; without one, what adjoins in the
    // picture is one thing.
    let rival = |o: &Spot| o.rule == spot.rule && o.is_confirmed && o.id != spot.id && o.adjoins(spot);
    if moment.camera.view(moment.preset).is_none() && table.spots.iter().any(rival) {
        return;
    }
    let is_taken = caps[number].takes(at, moment.camera.utc_offset_minutes, rule.daily_cap);
    let spot = &mut table.spots[s];
    if is_taken {
        spot.is_confirmed = true;
        spot.told(at);
        events.push(Event::Confirmed(sight(moment, spot)));
    } else if !spot.is_capped {
        spot.is_capped = true;
        *capped += 1;
    }
}

/// Lets go of the places that count as empty.
fn give_up(moment: &Moment<'_>, table: &mut Table, events: &mut Vec<Event>) {
    let mut s = 0;
    while s < table.spots.len() {
        let rule = table.spots[s].rule.map(|number| &moment.camera.rules[number]);
        if !table.spots[s].is_over(rule, moment.aspect) {
            s += 1;
            continue;
        }
        let mut spot = table.spots.remove(s);
        if !spot.is_confirmed {
            events.push(Event::Dropped(sight(moment, &spot)));
            continue;
        }
        // One that came back and did not stay was told as gone before.
        if spot.gone_at.is_none() {
            events.push(Event::Gone(sight(moment, &spot)));
            spot.gone_at = Some(moment.at);
        }
        table.remember(spot);
    }
}

/// The spot of a thing that none had: a confirmed one of the same rule that is back, or a new one.
fn appear(moment: &Moment<'_>, table: &mut Table, thing: &Thing, look: &Look, id: SpotId) -> Option<Spot> {
    let mut spot = Spot::new(id, thing);
    moment.find_zones(&mut spot);
    let Claim::Taken { rule: number, zone, variant } = moment.claim(&spot) else { return None };
    let rule = &moment.camera.rules[number];
    if !is_sure(moment, &spot, thing, rule) {
        return None;
    }
    let view = moment.camera.view(moment.preset);
    let is_back = |gone: &Spot| {
        let away_ms = gone.gone_at.map_or(i64::MAX, |gone_at| moment.at.millis_since(gone_at));
        gone.rule == Some(number)
            && rule.cooldown_ms > 0
            && (0..=rule.cooldown_ms).contains(&away_ms)
            && gone.affinity(thing, view) > 0.0
    };
    if let Some(mut gone) = table.gone.iter().position(is_back).and_then(|place| table.gone.remove(place)) {
        gone.come_back(thing);
        return Some(gone);
    }
    (spot.rule, spot.zone, spot.variant) = (Some(number), zone, variant);
    spot.watched_ms = head_start_ms(moment, thing, rule, look);
    Some(spot)
}

/// How long a thing had been there before its first look, where its rule trusts the background in that and what is
/// new there is the thing itself; half of a dwell at most, so that looks decide.
fn head_start_ms(moment: &Moment<'_>, thing: &Thing, rule: &Rule, look: &Look) -> i64 {
    let is_itself = |proposal: &&Proposal| proposal.bounds.iou(&thing.bounds) >= SAME_BOX_IOU_MIN;
    let (since, most) = match thing.family {
        Family::Structure => (thing.since, GROWN_MS_MAX),
        _ if rule.proposals == Proposals::Off || thing.since.is_none() => return 0,
        _ => (news(look).find(is_itself).map(|p| p.since), GAP_MS_MAX.min(rule.dwell_ms / 2)),
    };
    since.map_or(0, |since| moment.at.millis_since(since)).clamp(0, most)
}

fn sight(moment: &Moment<'_>, spot: &Spot) -> Sight {
    let zone = moment.camera.zones.get(spot.zone).map_or("", |zone| zone.id.as_str());
    spot.sight(moment.at, moment.preset, zone)
}
