//! The `[[rule]]`s of a camera's file.
//!
//! In: the tables, the camera's zones, the catalogue. Out: rules with every default in place. Never: a look.

use super::desk::read_reporting;
use super::zones::Zones;
use super::{ALWAYS, RULES, STANDARD_REF, read_choice, read_hours, read_name};
use crate::check::{Section, Source, nearest};
use crate::class::Class;
use crate::matter::{Catalogue, suggestion};
use crate::rule::{self, Proposals, Rule, RuleDefaults, RuleKind, RuleMatter};
use crate::zone::{Zone, ZoneKind};

/// The camera's zones, and whether a view, the home one or a preset's, has a calibration.
pub(super) type Places<'p> = (&'p Zones, &'p dyn Fn(Option<usize>) -> bool);

pub(super) fn read_rules<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    places: Places<'_>,
    catalogue: &Catalogue,
) -> Vec<Rule> {
    let kinds: Vec<(&'static str, RuleKind)> = RuleKind::ALL.iter().map(|k| (k.name(), *k)).collect();
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    root.words(source, "enabled", true, names.iter().copied());
    let enabled = read_enabled(source, root, &kinds);
    let mut rules = Vec::new();
    root.above_known(source, "rule", &names);
    for mut section in root.sections(source, "rule") {
        let kind = read_name(source, &mut section, "kind", &kinds);
        section.about(source, "kind", "", "What it looks for", RULES);
        if let Some(kind) = kind {
            section.lean_on(root, "rule", kind.name());
        }
        let rule = read_rule(source, &mut section, kind, places, catalogue);
        section.finish(source);
        rules.extend(rule.filter(|rule| enabled.as_ref().is_none_or(|kinds| kinds.contains(&rule.kind))));
    }
    root.about(source, "rule", "none", "What is reported, one table a kind of problem", RULES);
    rules
}

/// `enabled = ["litter"]`: the kinds that apply; all where the key is absent.
fn read_enabled<'t>(
    source: &mut Source<'t>,
    root: &mut Section<'t>,
    kinds: &[(&'static str, RuleKind)],
) -> Option<Vec<RuleKind>> {
    let names = root.texts(source, "enabled");
    root.about(source, "enabled", "all", "The kinds of rule that apply here; the others are left out", RULES);
    let known: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    let names = names?;
    if names.is_empty() {
        let mend = "name some kinds, or leave the key out for all of them";
        source.problem(&root.at_key("enabled"), "is empty: nothing would be reported", mend);
    }
    let mut enabled = Vec::new();
    for name in names {
        match kinds.iter().find(|(known, _)| *known == name) {
            Some((_, kind)) => enabled.push(*kind),
            None => {
                let list = || format!("write some of: {}", known.join(", "));
                let mend = nearest(&name, &known).map_or_else(list, |n| format!("did you mean \"{n}\"?"));
                source.problem(&root.at_key("enabled"), format!("`{name}` is no kind of rule"), mend);
            }
        }
    }
    Some(enabled)
}

/// A number of a rule: its key, range, default and what it is for.
struct Number {
    key: &'static str,
    range: (f64, f64),
    of: fn(&RuleDefaults) -> f64,
    does: &'static str,
}

impl Number {
    fn read<'t>(&self, source: &mut Source<'t>, section: &mut Section<'t>, defaults: &RuleDefaults) -> f64 {
        let given = section.number(source, self.key, self.range);
        section.about(source, self.key, self.default_text(), self.does, RULES);
        given.unwrap_or_else(|| (self.of)(defaults))
    }

    /// One number where all kinds agree, else each kind's that differs from most.
    fn default_text(&self) -> String {
        let of = |kind: &RuleKind| (self.of)(&kind.defaults());
        let usual = of(&RuleKind::Litter);
        let others = RuleKind::ALL.iter().filter(|kind| of(kind) != usual);
        others.fold(usual.to_string(), |text, kind| format!("{text}; {} {}", kind.name(), of(kind)))
    }
}

const MONTH_SECS: f64 = 30.0 * 86_400.0;

const DWELL_SECS: Number = Number {
    key: "dwell_secs",
    range: (1.0, MONTH_SECS),
    of: |d| d.dwell_secs,
    does: "How long a thing must have been there, seconds",
};
const PRESENCE_MIN: Number = Number {
    key: "presence_min",
    range: (0.05, 1.0),
    of: |_| rule::PRESENCE_MIN,
    does: "Share of the clear looks in that time that must have seen it",
};
const SCORE_MIN: Number = Number {
    key: "score_min",
    range: (0.05, 1.0),
    of: |_| rule::SCORE_MIN,
    does: "Score from which a detection counts",
};
const ATTENDED_MIN: Number = Number {
    key: "attended_min",
    range: (0.0, 1.0),
    of: |d| d.attended_min,
    does: "Share of the looks that saw it with a person beside it",
};
const ABSENCE_SECS: Number = Number {
    key: "absence_secs",
    range: (1.0, MONTH_SECS),
    of: |d| d.absence_secs,
    does: "Out of sight for so long, and in three clear looks in a row, it is gone, seconds",
};
const SIGHTING_SECS: Number = Number {
    key: "sighting_secs",
    range: (1.0, 86_400.0),
    of: |_| rule::SIGHTING_SECS,
    does: "How often a thing that is still there is told again to its open case, seconds",
};
const SIZE_PX_MIN: Number = Number {
    key: "size_px_min",
    range: (1.0, 1080.0),
    of: |_| rule::SIZE_PX_MIN,
    does: "Shorter side of its box, pixels of a picture 1080 rows high",
};
const AREA_PX_MIN: Number = Number {
    key: "area_px_min",
    range: (0.0, 2_000_000.0),
    of: |_| 0.0,
    does: "Area of its box, square pixels of a picture 1080 rows high",
};
const AREA_M2_MIN: Number = Number {
    key: "area_m2_min",
    range: (0.0, 1000.0),
    of: |_| 0.0,
    does: "Area of its box at the distance of its foot, square metres; needs a calibration",
};
const MOTION_MAX: Number = Number {
    key: "motion_max",
    range: (0.05, 10.0),
    of: |_| rule::MOTION_MAX,
    does: "How far a candidate may move, a share of its longer side; further, it starts anew",
};
const COOLDOWN_SECS: Number = Number {
    key: "cooldown_secs",
    range: (0.0, 86_400.0),
    of: |_| rule::COOLDOWN_SECS,
    does: "Back at its place within this time after it was gone, a thing is told as the same one, seconds",
};
const MERGE_RADIUS_M: Number = Number {
    key: "merge_radius_m",
    range: (0.0, 500.0),
    of: |_| rule::MERGE_RADIUS_M,
    does: "Findings of one matter in one cell within this distance are one case, metres",
};
const LARGE_M2: Number = Number {
    key: "large_m2",
    range: (0.1, 1000.0),
    of: |_| rule::LARGE_M2,
    does: "spoil_heap: from this area on garbage is a heap, square metres",
};
const STANDING_SECS: Number = Number {
    key: "standing_secs",
    range: (60.0, MONTH_SECS),
    of: |_| rule::STANDING_SECS,
    does: "spoil_heap: from this age on garbage is a heap where no rule for litter takes it, seconds",
};

fn read_rule<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    kind: Option<RuleKind>,
    places: Places<'_>,
    catalogue: &Catalogue,
) -> Option<Rule> {
    let (zones, _) = places;
    // With an unknown kind the other keys are still read, so that their mistakes show in the same run.
    let of = kind.unwrap_or(RuleKind::Litter).defaults();
    let matter = read_matter(source, section, &of, catalogue);
    let classes = read_classes(source, section, of.classes);
    section.about(source, "classes", "those of its kind", "What the model must see there", RULES);
    let zone_numbers = read_rule_zones(source, section, of.zones, zones, kind);
    section.about(source, "zones", "all of its kinds", "The zones that it looks at, by their ids", RULES);
    let hours = read_hours(source, section);
    section.about(source, "hours", ALWAYS, "When it applies; outside, its spots wait", RULES);
    let hits_min = section.whole(source, "hits_min", (2, 1000));
    section.about(
        source,
        "hits_min",
        rule::HITS_MIN,
        "Looks that must have seen it, however short the dwell",
        RULES,
    );
    let score_min = SCORE_MIN.read(source, section, &of);
    let score_min_night = section.number(source, "score_min_night", (0.05, 1.0));
    section.about(source, "score_min_night", "score_min", "The same by night", RULES);
    let is_paused_by_rain = section.switch(source, "rain_pause");
    section.about(
        source,
        "rain_pause",
        "false",
        "Whether looks through rain, snow or fog count neither way",
        RULES,
    );
    let proposals = read_choice(source, section, "proposals", Proposals::NAMES);
    let does = "What new things of the background count for: nothing, beside the detector, by themselves too";
    section.about(source, "proposals", "support", does, RULES);
    let daily_cap = section.whole(source, "daily_cap", (1, 10_000));
    section.about(source, "daily_cap", rule::DAILY_CAP, "Findings a local day at most", RULES);
    let mut secs = |number: &Number| (number.read(source, section, &of) * 1000.0).round() as i64;
    let (dwell_ms, absence_ms, sighting_ms) = (secs(&DWELL_SECS), secs(&ABSENCE_SECS), secs(&SIGHTING_SECS));
    let (cooldown_ms, standing_ms) = (secs(&COOLDOWN_SECS), secs(&STANDING_SECS));
    let mut number = |number: &Number| number.read(source, section, &of);
    let (presence_min, attended_min) = (number(&PRESENCE_MIN), number(&ATTENDED_MIN));
    let (size_px_min, area_px_min) = (number(&SIZE_PX_MIN), number(&AREA_PX_MIN));
    let (area_m2_min, large_m2) = (number(&AREA_M2_MIN), number(&LARGE_M2));
    let (motion_max, merge_radius_m) = (number(&MOTION_MAX), number(&MERGE_RADIUS_M));
    let reporting = read_reporting(source, section, kind);
    let (standard_ref, plain, other) = matter?;
    let rule = Rule {
        kind: kind?,
        standard_ref,
        code: plain.code,
        matter_name: plain.name,
        other,
        classes: classes?,
        zones: zone_numbers?,
        hours,
        dwell_ms,
        presence_min,
        hits_min: hits_min.unwrap_or(rule::HITS_MIN),
        score_min: score_min as f32,
        score_min_night: score_min_night.unwrap_or(score_min) as f32,
        attended_min,
        absence_ms,
        sighting_ms,
        size_min: (size_px_min / 1080.0) as f32,
        area_min: (area_px_min / (1080.0 * 1080.0)) as f32,
        area_m2_min,
        large_m2,
        standing_ms,
        motion_max: motion_max as f32,
        is_paused_by_rain: is_paused_by_rain.unwrap_or(false),
        proposals,
        cooldown_ms,
        daily_cap: daily_cap.unwrap_or(rule::DAILY_CAP),
        merge_radius_m,
        reporting,
    };
    refuse_nonsense(source, section, &rule, zones);
    refuse_blindness(source, section, &rule, places);
    Some(rule)
}

/// Keys that are right one by one and say nothing together.
fn refuse_nonsense<'t>(source: &mut Source<'t>, section: &mut Section<'t>, rule: &Rule, zones: &Zones) {
    let mut refuse = |key: &str, what: &str, mend: &str| source.problem(&section.at_key(key), what, mend);
    let zone_of = |number: &usize| zones.get(*number).and_then(|(_, zone)| zone.as_ref());
    if rule.sighting_ms > rule.absence_ms && rule.absence_ms < 1000 {
        refuse("absence_secs", "is shorter than any interval between two looks", "write 60 or more");
    }
    if rule.kind == RuleKind::NightMarket
        && rule.zones.iter().filter_map(zone_of).all(|zone| zone.hours.is_always())
    {
        let mend = "give a `permitted` zone its hours, like hours = [\"18:00-22:00\"]";
        refuse("zones", "hold round the clock, so that nothing is ever outside their hours", mend);
    }
    if rule.kind == RuleKind::IllegalStructure && rule.proposals == Proposals::Off {
        let mend = "leave the key out: only the background knows that something grew";
        refuse("proposals", "leaves this rule without anything to see", mend);
    }
    if rule.score_min_night < rule.score_min {
        let mend = "write a score_min_night of score_min or more: a dark picture is worth less";
        refuse("score_min_night", "trusts the night more than the day", mend);
    }
}

/// Places where a rule can never see anything, or never measure what it asks for.
fn refuse_blindness<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    rule: &Rule,
    (zones, is_calibrated): Places<'_>,
) {
    let own = |number: &usize| zones.get(*number).and_then(|(id, zone)| Some((id, zone.as_ref()?)));
    let looked_at = || rule.zones.iter().filter_map(own);
    let is_named = section.has("zones");
    let mut refuse = |key: &str, what: String, mend: &str| source.problem(&section.at_key(key), what, mend);
    let only = match rule.kind {
        RuleKind::NightMarket => Some((
            ZoneKind::Permitted,
            "name zones of the kind \"permitted\": it looks for what outstays them",
        )),
        RuleKind::ShopfrontOverflow => Some((
            ZoneKind::ShopfrontLine,
            "name zones of the kind \"shopfront_line\": it looks for what is set across one",
        )),
        RuleKind::IllegalStructure => Some((
            ZoneKind::ConstructionWatch,
            "name zones of the kind \"construction_watch\": what grows is remembered there",
        )),
        _ => None,
    };
    if let Some((kind, mend)) = only
        && let Some((id, _)) = looked_at().find(|(_, zone)| zone.kind != kind)
    {
        refuse("zones", format!("name `{id}`, where this rule never sees anything"), mend);
    }
    // A rule that names no zones takes all of its kind, those of presets too, and sees in the others.
    let mut turned = looked_at().filter(|(_, zone)| zone.preset.is_some());
    let is_blind = if is_named { turned.next().is_some() } else { turned.count() == rule.zones.len() };
    if rule.kind == RuleKind::IllegalStructure && is_blind {
        let mend = "name zones of the home view: what grows over days is remembered there alone";
        refuse("zones", "lie in a preset, where this rule never sees anything".to_owned(), mend);
    }
    // One that a whole node's cameras inherit is for those of them that are calibrated.
    if rule.area_m2_min > 0.0
        && section.is_own("area_m2_min")
        && let Some((id, _)) = looked_at().find(|(_, zone)| !is_calibrated(zone.preset))
    {
        let mend = "add a [calibration] to that view, or write area_px_min";
        let what = format!("cannot be measured in `{id}`, whose view is not calibrated");
        source.problem(&section.at_key("area_m2_min"), what, mend);
    }
}

/// The standard, the plain matter and the other one.
type Matters = (String, RuleMatter, Option<RuleMatter>);

fn read_matter<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    of: &RuleDefaults,
    catalogue: &Catalogue,
) -> Option<Matters> {
    let codes = RuleKind::ALL.iter().map(|kind| format!("{} {}", kind.name(), kind.defaults().code));
    let codes = codes.collect::<Vec<_>>().join("; ");
    let plain = section.text(source, "matter").unwrap_or_else(|| of.code.to_owned());
    section.about(
        source,
        "matter",
        codes,
        "Its code in `standard`; other standards' codes come from the crosswalk",
        RULES,
    );
    let moving = section.text(source, "matter_moving");
    section.about(
        source,
        "matter_moving",
        "09001",
        "street_vendor: the code of one who sells from the vehicle",
        RULES,
    );
    let site = section.text(source, "matter_site");
    let does = "The code on a building site, or where works go on: piled_material, illegal_structure";
    section.about(source, "matter_site", "08006; illegal_structure 08016", does, RULES);
    let standard = section.text(source, "standard").unwrap_or_else(|| STANDARD_REF.to_owned());
    section.about(source, "standard", STANDARD_REF, "The standard that the codes belong to", RULES);
    for (key, given) in [("matter_moving", &moving), ("matter_site", &site)] {
        if given.is_some() && of.other.is_none_or(|(own, _)| own != key) {
            let mend = "leave it out, or write it as matter";
            source.problem(&section.at_key(key), "is no key of this kind of rule", mend);
        }
    }
    let mut known = |key: &str, code: String| match catalogue.get(&standard, &code) {
        Some(matter) => Some(RuleMatter { code, name: matter.name.clone() }),
        None => {
            let mend = suggestion(catalogue, &code, &standard);
            source.problem(&section.at_key(key), format!("`{code}` is no matter of {standard}"), mend);
            None
        }
    };
    let is_national = standard == STANDARD_REF;
    let plain = known("matter", plain)?;
    let other = of.other.and_then(|(key, code)| {
        // A city's own code for the plain matter is its code for the other one too, unless it names two.
        let own = plain.code != of.code || !is_national;
        let given = moving.or(site);
        let code = given.unwrap_or_else(|| if own { plain.code.clone() } else { code.to_owned() });
        known(key, code)
    });
    Some((standard, plain, other))
}

fn read_classes<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    default: &[Class],
) -> Option<Vec<Class>> {
    section.words(source, "classes", true, Class::names_for_rules());
    let Some(names) = section.texts(source, "classes") else {
        return Some(default.to_vec());
    };
    let known: Vec<&str> = Class::names_for_rules().collect();
    let mut classes = Vec::new();
    for name in &names {
        match Class::from_name(name) {
            Some(class) if Class::HIDDEN.has(class) => source.problem(
                &section.at_key("classes"),
                format!("`{name}` is found to be hidden in evidence, never to be reported"),
                "take it out; a model that finds it is named under [model] masking of the node's file",
            ),
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
