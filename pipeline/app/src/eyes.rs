//! What the model sees in the cameras' frames: each whole picture, and tiles of it where a zone asks for them.
//!
//! In: frames' pictures, a camera's zones, at times another detector. Out: one list of detections a picture, in
//! which a thing stands once and, where there is a second model, was judged by it. Never: a rule, a file; a
//! camera whose odd picture costs the others their look.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use calib::camera::Camera;
use calib::check::Problem;
use calib::class::Class;
use calib::picture::YuvView;
use calib::space::ImageBox;
use logic::case::ModelRef;
use logic::look::{CameraId, Detection};
use models::line::{self, Ticket};
use models::tiles::{self, Part, Plan, Region, WINDOWS_MAX, Window};
use models::{Classifier, Line, Manifest};

use crate::arrivals::CameraIndex;

/// Faults of the second model are told so often.
const FAULTS_TOLD_EVERY: Duration = Duration::from_secs(60);
/// All of a picture.
pub(crate) const WHOLE: ImageBox = ImageBox { x0: 0.0, y0: 0.0, x1: 1.0, y1: 1.0 };

/// A model, and where it looks in each camera's picture.
pub(crate) struct Eyes {
    line: Line,
    second: Option<Second>,
    /// The detector alone: it is what evidence names.
    model: Arc<ModelRef>,
    sure: Sure,
    /// By number; a camera that has left keeps its place.
    cameras: Vec<Option<(CameraId, Arc<Camera>)>>,
    /// One place a camera: the size of its pictures and the windows over them.
    planned: Vec<Option<([usize; 2], Vec<Window>)>>,
}

/// Scores from which a model's boxes count by themselves, by class. Fainter ones wait for what else speaks for them.
#[derive(Debug, Clone)]
pub(crate) struct Sure([f32; Class::ALL.len()]);

impl Sure {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self(std::array::from_fn(|at| manifest.sure_min(Class::ALL[at]).unwrap_or(1.0)))
    }

    /// Every box counts.
    #[cfg(test)]
    pub(crate) fn all() -> Self {
        Self([0.0; Class::ALL.len()])
    }

    /// Whether a box counts by itself.
    pub(crate) fn is_met(&self, seen: &Detection) -> bool {
        seen.score >= self.0[seen.class as usize]
    }
}

/// A batch that the model looks at, or will.
pub(crate) struct Begun {
    ticket: Ticket,
    places: Vec<Views>,
}

/// The views of one picture, one behind the other in a batch: the whole of it, then its windows.
struct Views {
    windows: Vec<ImageBox>,
}

impl Eyes {
    /// Eyes that know no camera yet, with a model that judges what the detector sees, or none.
    pub(crate) fn new(line: Line, second: Option<Classifier>) -> Self {
        let model = Arc::new(model_ref(&line));
        let second = second.map(Second::new);
        let sure = Sure::of(line.manifest());
        Self { model, sure, line, second, cameras: Vec::new(), planned: Vec::new() }
    }

    /// What a camera's file says from now on.
    pub(crate) fn know(&mut self, at: CameraIndex, id: &CameraId, camera: &Arc<Camera>) {
        if self.cameras.len() <= at {
            self.cameras.resize_with(at + 1, || None);
            self.planned.resize_with(at + 1, || None);
        }
        self.cameras[at] = Some((id.clone(), Arc::clone(camera)));
        self.planned[at] = None;
    }

    /// The model that looks, for what it has seen.
    pub(crate) fn model(&self) -> &Arc<ModelRef> {
        &self.model
    }

    /// What of its boxes counts by itself.
    pub(crate) fn sure(&self) -> &Sure {
        &self.sure
    }

    /// Looks with another model from now on. What was begun with the one before has no answer any more.
    pub(crate) fn exchange(&mut self, line: Line) {
        self.model = Arc::new(model_ref(&line));
        self.sure = Sure::of(line.manifest());
        self.line = line;
        // Another model may have another size, which the windows follow.
        self.planned.fill(None);
    }

    /// What each picture shows, best first. `None` where the model has no answer for a picture.
    pub(crate) fn see(&mut self, pictures: &[(CameraIndex, YuvView<'_>)]) -> Vec<Option<Vec<Detection>>> {
        let begun = self.begin(pictures);
        self.finish(begun, pictures)
    }

    /// Has the model look at each picture and its windows, behind what was begun before.
    pub(crate) fn begin(&mut self, pictures: &[(CameraIndex, YuvView<'_>)]) -> Begun {
        let mut views = Vec::with_capacity(pictures.len());
        let mut places = Vec::with_capacity(pictures.len());
        for (camera, picture) in pictures {
            let size = [picture.width, picture.height];
            let mut windows = vec![WHOLE];
            views.push(*picture);
            for window in self.windows(*camera, size) {
                if let Some(part) = picture.window(window.at, window.size) {
                    views.push(part);
                    windows.push(window.in_image(size));
                }
            }
            places.push(Views { windows });
        }
        Begun { ticket: self.line.begin(&views), places }
    }

    /// Waits for what was begun, of the same pictures: what each of them shows, best first. `None` where the model has no
    /// answer for a picture.
    pub(crate) fn finish(
        &mut self,
        begun: Begun,
        pictures: &[(CameraIndex, YuvView<'_>)],
    ) -> Vec<Option<Vec<Detection>>> {
        let mut looks = of_pictures(&begun.places, self.line.finish(begun.ticket));
        if let Some(second) = &mut self.second {
            second.judge(pictures, &mut looks);
        }
        looks
    }

    /// The windows over a camera's picture of that size.
    fn windows(&mut self, camera: CameraIndex, size: [usize; 2]) -> &[Window] {
        let Some((id, camera_file)) = self.cameras.get(camera).and_then(Option::as_ref) else {
            return &[];
        };
        let place = &mut self.planned[camera];
        if place.as_ref().is_none_or(|(planned_for, _)| *planned_for != size) {
            let input = self.line.manifest().input();
            let plan = plan(camera_file, size, [input.width, input.height]);
            if let Some(over) = plan.over {
                tracing::warn!(
                    camera = %id,
                    windows = over.windows,
                    windows_max = WINDOWS_MAX,
                    tile_px = over.width_px,
                    "its tiled zones ask for too many tiles; it is looked at in coarser ones"
                );
            } else if !plan.windows.is_empty() {
                tracing::info!(camera = %id, windows = plan.windows.len(), "looked at in tiles too");
            }
            *place = Some((size, plan.windows));
        }
        place.as_ref().map_or(&[], |(_, windows)| windows)
    }
}

/// The model that judges what the detector sees.
struct Second {
    classifier: Classifier,
    faults: Faults,
}

/// Faults of the second model since they were told last: each look may have one.
#[derive(Default)]
struct Faults {
    since: u64,
    told: Option<Instant>,
}

impl Faults {
    /// One more. How many there are to tell of, where it is time to.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < FAULTS_TOLD_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

impl Second {
    fn new(classifier: Classifier) -> Self {
        Self { classifier, faults: Faults::default() }
    }

    /// Judges the looks of a batch on their whole pictures. After a fault the detector's word stands in all of
    /// them: a look without a second opinion is better than none.
    fn judge(&mut self, pictures: &[(CameraIndex, YuvView<'_>)], looks: &mut [Option<Vec<Detection>>]) {
        let views: Vec<YuvView<'_>> = pictures.iter().map(|(_, picture)| *picture).collect();
        // Of a picture without an answer nothing is asked.
        let mut seen: Vec<Vec<Detection>> =
            looks.iter_mut().map(|look| look.as_mut().map(std::mem::take).unwrap_or_default()).collect();
        let judged = self.classifier.judge(&views, &mut seen);
        for (look, seen) in looks.iter_mut().zip(seen) {
            if let Some(look) = look {
                *look = seen;
            }
        }
        if let Err(error) = judged
            && let Some(faults) = self.faults.add(Instant::now())
        {
            tracing::warn!(
                model = self.classifier.name(),
                faults,
                %error,
                "the second model has no answer; the detector's word stands"
            );
        }
    }
}

/// What evidence says of a detector.
pub(crate) fn model_ref(line: &Line) -> ModelRef {
    let manifest = line.manifest();
    ModelRef { name: manifest.name().to_owned(), sha256: manifest.sha256().to_owned() }
}

/// The looks of views as those of their pictures. `None` for a picture of which a view has no answer: what is missing may be
/// what a mask or a rule needs.
fn of_pictures(places: &[Views], views: Vec<line::Look>) -> Vec<Option<Vec<Detection>>> {
    let mut views = views.into_iter();
    let look = |place: &Views| {
        // All of them, also behind one without an answer: the next is another picture's.
        let parts: Vec<line::Look> = views.by_ref().take(place.windows.len()).collect();
        let parts: Result<Vec<_>, _> = parts.into_iter().collect();
        let parts = parts
            .inspect_err(|error| tracing::debug!(%error, "the model has no answer for a picture"))
            .ok()?;
        (parts.len() == place.windows.len()).then(|| together(place, &parts))
    };
    places.iter().map(look).collect()
}

/// One picture's looks as one list.
fn together(place: &Views, looks: &[Vec<Detection>]) -> Vec<Detection> {
    if let [only] = looks {
        return only.clone();
    }
    let part = |(window, look): (&ImageBox, &Vec<Detection>)| {
        let in_image =
            |seen: &Detection| Detection { bounds: tiles::image_from_window(window, seen.bounds), ..*seen };
        Part { window: *window, detections: look.iter().map(in_image).collect() }
    };
    let parts: Vec<Part> = place.windows.iter().zip(looks).map(part).collect();
    tiles::merge(&parts)
}

/// The windows over a camera's pictures of a size, for a model of such an input.
fn plan(camera: &Camera, picture: [usize; 2], input: [usize; 2]) -> Plan {
    let tiled = camera.zones.iter().filter_map(|zone| {
        let tiles = zone.tiles?;
        Some((zone.area_in_image(camera.ground.as_ref())?, tiles.width_px))
    });
    let tiled: Vec<_> = tiled.collect();
    let touches: Vec<_> = tiled.iter().map(|(area, _)| |part: &ImageBox| area.touches(part)).collect();
    let regions = tiled.iter().zip(&touches).map(|((area, width_px), touches)| Region {
        bounds: area.bounds,
        touches,
        width_px: *width_px,
    });
    let regions: Vec<_> = regions.collect();
    tiles::plan(picture, &regions, input)
}

/// What is wrong with a camera's tiles for a model of such an input, as far as its file tells the size of its
/// pictures: a calibration does. Where none does, too many tiles are found out at the first picture.
pub(crate) fn tile_problem(file: &Path, camera: &Camera, input: [usize; 2]) -> Option<Problem> {
    let size = camera.ground.as_ref()?.image_size.map(|side| side as usize);
    let over = plan(camera, size, input).over?;
    let zone = camera.zones.iter().position(|zone| zone.tiles.is_some())?;
    let [width, height] = size;
    Some(Problem {
        file: file.display().to_string(),
        key: format!("zone[{zone}].tiles"),
        line: None,
        what: format!(
            "the tiled zones of this camera take {} tiles of its {width}x{height} picture; {WINDOWS_MAX} is the \
             most, since each costs as much as a whole look",
            over.windows
        ),
        mend: format!(
            "tile only the far part (draw it as a zone of its own), or write tile_px = {} beside tiles = true",
            over.width_px
        ),
    })
}

#[cfg(test)]
#[path = "eyes_tests.rs"]
pub(crate) mod tests;
