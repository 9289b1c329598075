//! What a watch remembers between looks, and how it goes on under an edited camera file.
//!
//! In: what was kept, a camera. Out: the same memory under the camera's own numbers of rules, zones and presets. Never:
//! a look.

use calib::camera::Camera;
use calib::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spot::Spot;
use crate::table::Table;

/// What a watch remembers: kept on disk so that a restart loses no dwell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchState {
    pub(crate) last_at: Option<Timestamp>,
    /// The home view's, then each preset's.
    pub(crate) tables: Vec<Table>,
    /// What was told today, by rule.
    pub(crate) caps: Vec<Cap>,
    /// The rules and zones that the spots' numbers mean: a camera file may have been edited in between.
    rules: Vec<RuleKey>,
    zones: Vec<String>,
}

/// Findings that a rule has told on one local day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cap {
    day: i64,
    told: u32,
}

impl Cap {
    /// Takes one more on this day, unless there were `most` already.
    pub(crate) fn takes(&mut self, at: Timestamp, offset_minutes: i32, most: u32) -> bool {
        let day = (at.as_millis().div_euclid(60_000) + i64::from(offset_minutes)).div_euclid(1440);
        if day != self.day {
            *self = Self { day, told: 0 };
        }
        let takes = self.told < most;
        self.told += u32::from(takes);
        takes
    }
}

/// What makes a rule the same rule after its camera file was edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RuleKey {
    kind: String,
    standard_ref: String,
    code: String,
    /// Number among the rules of the camera that agree in all of the above.
    ordinal: usize,
}

fn rule_keys(camera: &Camera) -> Vec<RuleKey> {
    let mut keys: Vec<RuleKey> = Vec::new();
    for rule in &camera.rules {
        let (kind, standard_ref, code) = (rule.kind.name(), &rule.standard_ref, &rule.code);
        let same =
            |key: &&RuleKey| key.kind == kind && key.standard_ref == *standard_ref && key.code == *code;
        let ordinal = keys.iter().filter(same).count();
        keys.push(RuleKey {
            kind: kind.into(),
            standard_ref: standard_ref.clone(),
            code: code.clone(),
            ordinal,
        });
    }
    keys
}

impl WatchState {
    /// Whether it holds no spot.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.spots.is_empty())
    }

    /// Under this camera: spots of rules and presets that it no longer has are dropped.
    pub(crate) fn under(mut self, camera: &Camera) -> Self {
        let rules = rule_keys(camera);
        let zones: Vec<String> = camera.zones.iter().map(|zone| zone.id.clone()).collect();
        let renumber = |spot: &mut Spot| {
            // Zones may have been drawn or moved.
            spot.zones_asked_at = None;
            let zone = self.zones.get(spot.zone).and_then(|id| zones.iter().position(|own| own == id));
            spot.zone = zone.unwrap_or_default();
            let Some(old) = spot.rule else { return true };
            spot.rule = self.rules.get(old).and_then(|key| rules.iter().position(|own| own == key));
            spot.rule.is_some()
        };
        let names =
            std::iter::once(None).chain(camera.presets.iter().map(|preset| Some(preset.name.clone())));
        let mut old = std::mem::take(&mut self.tables);
        let tables: Vec<Table> = names
            .map(|name| {
                let found = old.iter_mut().find(|table| table.preset == name).map(std::mem::take);
                let mut table = found.unwrap_or_else(|| Table::of(name.clone()));
                table.preset = name;
                table.spots.retain_mut(renumber);
                table.gone.retain_mut(renumber);
                table
            })
            .collect();
        let cap = |key| self.caps.get(self.rules.iter().position(|own| own == key)?).copied();
        let caps = rules.iter().map(|key| cap(key).unwrap_or_default()).collect();
        Self { last_at: self.last_at, tables, caps, rules, zones }
    }
}
