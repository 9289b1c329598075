//! A clip through a camera's rules, in the clip's own time.
//!
//! In: a clip, a camera's file, a model. Out: a step a look, with what the rules said, each finding placed and
//! given to its case as the service's store would. Never: a wall clock, a file; the same clip gives the same
//! steps on every machine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use calib::picture::YuvView;
use calib::time::Timestamp;
use ingest::{Cadence, Clip, Frame};
use logic::dedupe::{OpenCase, Opener, Verdict, judge};
use logic::finding::{Event, Finding, SpotId};
use logic::look::CameraId;
use models::{Classifier, Detector, Line, Manifest, Runtime};

use crate::eyes::Eyes;
use crate::node::CameraEntry;
use crate::place::place;
use crate::sight::{Looked, Lookout, Remembered};

/// Eyes for clips, one after the other.
pub(crate) struct Player {
    eyes: Eyes,
}

/// Which pictures of a clip are looked at, and when its first one was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub cadence: Cadence,
    pub start: Timestamp,
}

/// What one look came to.
pub(crate) struct Step<'s> {
    /// The frame.
    pub frame: &'s Frame,
    /// Its picture.
    pub view: &'s YuvView<'s>,
    /// Where in the clip, seconds.
    pub at_s: f64,
    /// How long the clip is, where it says.
    pub length_s: Option<f64>,
    /// What the detector and the picture said, and a change of the view's state.
    pub looked: &'s Looked,
    /// The rules' events, placed.
    pub told: &'s [Told],
    /// Spots as they stand now.
    pub lookout: &'s Lookout,
}

/// One event with its place and its case.
pub(crate) struct Told {
    /// Its name in JSON.
    pub event: &'static str,
    /// What and where.
    pub finding: Finding,
    /// Its case, where there is one.
    pub case: Option<CaseNote>,
}

/// Which case an event belongs to, counted from 1 within the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaseNote {
    /// Its number.
    pub number: usize,
    /// Whether this event opened it.
    pub is_new: bool,
}

/// How much was looked at.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Played {
    /// Frames that the model had an answer for.
    pub looks: u64,
    /// Frames without one.
    pub unseen: u64,
    /// Cases that were opened.
    pub cases: usize,
    /// The last look, seconds into the clip.
    pub last_s: f64,
}

impl Player {
    /// Opens the model, and the one that judges what it sees where there is one.
    ///
    /// # Errors
    /// No ONNX Runtime, or a model that is not what its manifest says.
    pub(crate) fn open(
        manifest: Manifest,
        second: Option<&Path>,
        threads: usize,
        onnxruntime: Option<&Path>,
    ) -> Result<Self> {
        let runtime = Runtime::load(onnxruntime)?;
        let second = second.map(|second| Classifier::open(&runtime, second, threads)).transpose()?;
        let line = Line::new(Detector::open(&runtime, manifest.with_faint(), threads)?)?;
        Ok(Self { eyes: Eyes::new(line, second) })
    }

    /// The model's name.
    pub(crate) fn model(&self) -> &str {
        &self.eyes.model().name
    }

    /// Looks at a whole clip with a camera that remembers nothing.
    ///
    /// # Errors
    /// The clip cannot be read, or what `each` says.
    pub(crate) fn play(
        &mut self,
        clip: &Path,
        (id, entry): (&CameraId, &CameraEntry),
        pace: Pace,
        mut each: impl FnMut(&Step<'_>) -> Result<()>,
    ) -> Result<Played> {
        self.eyes.know(0, id, &entry.camera);
        let mut lookout = Lookout::resume(entry, Remembered::default());
        let mut cases = Cases::default();
        let mut played = Played::default();
        let mut frames = Clip::open(clip, id.as_str(), pace.cadence, pace.start)?;
        while let Some(frame) = frames.next_frame()? {
            let view = frame.view().with_context(|| format!("{}: no 4:2:0 picture", clip.display()))?;
            let Some(detections) = self.eyes.see(&[(0, view)]).pop().flatten() else {
                played.unseen += 1;
                continue;
            };
            let mut looked = lookout.look(frame.at, &view, detections, self.eyes.sure());
            let told: Vec<Told> =
                looked.events.drain(..).map(|event| cases.told(id, entry, &event)).collect();
            played.looks += 1;
            played.last_s = frame.at.secs_since(pace.start);
            each(&Step {
                frame: &frame,
                view: &view,
                at_s: played.last_s,
                length_s: frames.length().map(|length| length.as_secs_f64()),
                looked: &looked,
                told: &told,
                lookout: &lookout,
            })?;
        }
        anyhow::ensure!(
            played.looks > 0,
            "{}: the model has seen no picture of it ({} frames, of which it had an answer for none)",
            clip.display(),
            played.unseen
        );
        played.cases = cases.open.len();
        Ok(played)
    }
}

/// The cases of one clip, as the store would have them.
#[derive(Default)]
struct Cases {
    open: Vec<OpenCase>,
    of_spot: BTreeMap<SpotId, usize>,
}

impl Cases {
    fn told(&mut self, id: &CameraId, entry: &CameraEntry, event: &Event) -> Told {
        let finding = place(id, &entry.camera, &entry.grids, event.sight());
        let (event, case) = match event {
            Event::Appeared(_) => ("appeared", None),
            Event::Confirmed(_) => ("confirmed", Some(self.confirmed(&finding))),
            Event::Seen(_) => ("seen", self.case_of(&finding)),
            Event::Gone(_) => ("gone", self.case_of(&finding)),
            Event::Dropped(_) => ("dropped", None),
        };
        Told { event, finding, case }
    }

    fn case_of(&self, finding: &Finding) -> Option<CaseNote> {
        let number = *self.of_spot.get(&finding.sight.spot)?;
        Some(CaseNote { number, is_new: false })
    }

    fn confirmed(&mut self, finding: &Finding) -> CaseNote {
        let known = match judge(finding, &self.open) {
            Verdict::New => None,
            Verdict::SightingOf(case_id) => case_id.parse().ok(),
        };
        let number = known.unwrap_or_else(|| self.opened(finding));
        self.of_spot.insert(finding.sight.spot, number);
        CaseNote { number, is_new: known.is_none() }
    }

    fn opened(&mut self, finding: &Finding) -> usize {
        let number = self.open.len() + 1;
        self.open.push(OpenCase {
            // As wide as any count, so that the order of the texts is the order of the numbers.
            case_id: format!("{number:09}"),
            matter: finding.matter.clone(),
            location: finding.location.clone(),
            unit_grid: finding.unit_grid.as_ref().map(|grid| grid.code.clone()),
            opened_by: Opener::of(finding),
        });
        number
    }
}
