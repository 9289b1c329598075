//! What a camera's file says of its view: when a look is too bad to be judged, and how slowly the background learns.
//!
//! In: the `[scene]` table. Out: [`SceneKnobs`]. Never: a picture.

use crate::check::{Effect, Section, Source};

/// A measure that is left later than it is entered, so that it does not flutter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The fault begins here.
    pub enter: f64,
    /// It ends here.
    pub leave: f64,
}

/// Thresholds of the view's faults, and the pace of the background.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneKnobs {
    /// Moved: how far the view lies off its reference, a share of the picture's width.
    pub moved: Gate,
    /// Covered: share of the picture without structure that has some in its reference.
    pub covered: Gate,
    /// Out of focus: sharpness, a share of the reference's.
    pub blurred: Gate,
    /// Too dark: mean luma of the brighter tenth, 0..=255.
    pub dark: Gate,
    /// Glare: share of the picture that is burnt out.
    pub glare: Gate,
    /// Frozen: for so long the picture does not change, seconds.
    pub frozen_secs: f64,
    /// A fault must last so many looks before it counts, and be gone for as many.
    pub fault_looks: u32,
    /// Looks thrown away after the camera turned.
    pub settle_looks: u32,
    /// The background takes half of a lasting change of light on in this time, hours.
    pub adapt_hours: f64,
    /// Something new is proposed after it stood still for so long, seconds.
    pub still_secs: f64,
    /// Something that nobody claims becomes background after this time, hours.
    pub absorb_hours: f64,
    /// Days that the memory of building compares.
    pub memory_days: u32,
    /// The picture of the home view as it should be; the first good looks where there is none.
    pub reference: Option<String>,
}

impl Default for SceneKnobs {
    fn default() -> Self {
        Self {
            moved: Gate { enter: 0.01, leave: 0.005 },
            covered: Gate { enter: 0.7, leave: 0.5 },
            blurred: Gate { enter: 0.35, leave: 0.5 },
            dark: Gate { enter: 30.0, leave: 40.0 },
            glare: Gate { enter: 0.4, leave: 0.3 },
            frozen_secs: 120.0,
            fault_looks: 2,
            settle_looks: 2,
            adapt_hours: 2.0,
            still_secs: 40.0,
            absorb_hours: 24.0,
            memory_days: 14,
            reference: None,
        }
    }
}

const SCENE: Effect = Effect::Now("view and background");

impl SceneKnobs {
    /// Reads the `[scene]` table.
    pub(crate) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Self {
        let of = Self::default();
        let section = root.section(source, "scene");
        root.about(
            source,
            "scene",
            "",
            "When a view is too bad to be judged, and the pace of its background",
            SCENE,
        );
        let Some(mut section) = section else { return of };
        let s = &mut section;
        let knobs = Self {
            moved: gate(
                source,
                s,
                ("moved_enter", "moved_leave"),
                of.moved,
                (0.001, 0.5),
                "Moved: how far the view lies off its reference, a share of the picture's width",
            ),
            covered: gate(
                source,
                s,
                ("covered_enter", "covered_leave"),
                of.covered,
                (0.05, 1.0),
                "Covered: share of the picture that lost its structure",
            ),
            blurred: gate(
                source,
                s,
                ("blurred_enter", "blurred_leave"),
                of.blurred,
                (0.01, 1.0),
                "Out of focus: sharpness as a share of the reference's",
            ),
            dark: gate(
                source,
                s,
                ("dark_enter", "dark_leave"),
                of.dark,
                (0.0, 255.0),
                "Too dark: mean luma of the brighter tenth",
            ),
            glare: gate(
                source,
                s,
                ("glare_enter", "glare_leave"),
                of.glare,
                (0.01, 1.0),
                "Glare: share of the picture that is burnt out",
            ),
            frozen_secs: number(
                source,
                s,
                "frozen_secs",
                of.frozen_secs,
                (5.0, 86_400.0),
                "Frozen: for so long the picture does not change, its clock aside, seconds",
            ),
            fault_looks: whole(
                source,
                s,
                "fault_looks",
                of.fault_looks,
                (1, 100),
                "Looks that a fault must last, and be gone for",
            ),
            settle_looks: whole(
                source,
                s,
                "settle_looks",
                of.settle_looks,
                (0, 100),
                "Looks thrown away after the camera turned",
            ),
            adapt_hours: number(
                source,
                s,
                "adapt_hours",
                of.adapt_hours,
                (0.05, 240.0),
                "The background takes half of a lasting change of light on in this time, hours",
            ),
            still_secs: number(
                source,
                s,
                "still_secs",
                of.still_secs,
                (5.0, 86_400.0),
                "Something new is proposed after it stood still for so long, seconds",
            ),
            absorb_hours: number(
                source,
                s,
                "absorb_hours",
                of.absorb_hours,
                (0.5, 2400.0),
                "Something new that no rule holds on to becomes background after this time, hours",
            ),
            memory_days: whole(
                source,
                s,
                "memory_days",
                of.memory_days,
                (2, 90),
                "Days that the memory of building work compares",
            ),
            reference: s.path(source, "reference"),
        };
        s.about(
            source,
            "reference",
            "the first good looks",
            "Path of the picture of the home view as it should be",
            SCENE,
        );
        section.finish(source);
        knobs
    }
}

fn number<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    default: f64,
    range: (f64, f64),
    does: &'static str,
) -> f64 {
    let given = section.number(source, key, range);
    section.about(source, key, default, does, SCENE);
    given.unwrap_or(default)
}

fn whole<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    default: u32,
    range: (u32, u32),
    does: &'static str,
) -> u32 {
    let given = section.whole(source, key, range);
    section.about(source, key, default, does, SCENE);
    given.unwrap_or(default)
}

/// Two thresholds; the second must lie on the same side of the first as the defaults do.
fn gate<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    (enter, leave): (&'static str, &'static str),
    default: Gate,
    range: (f64, f64),
    does: &'static str,
) -> Gate {
    let gate = Gate {
        enter: number(source, section, enter, default.enter, range, does),
        leave: number(source, section, leave, default.leave, range, "The fault above ends here"),
    };
    let is_upward = default.enter > default.leave;
    if (gate.enter > gate.leave) != is_upward {
        let (side, other) = if is_upward { ("under", "over") } else { ("over", "under") };
        let what = format!("must lie {side} {enter}, or the fault would flutter");
        let mend = format!("write a {leave} {side} {}, or an {enter} {other} {}", gate.enter, gate.leave);
        let at = if section.has(leave) { leave } else { enter };
        source.problem(&section.at_key(at), what, mend);
    }
    gate
}
