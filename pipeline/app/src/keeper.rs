//! The evidence thread: what has happened, with its pictures, to disk.
//!
//! In: tasks of the detect thread. Out: rows and files that hold before the next task is taken, and a wish for the clip of
//! each case that was opened. Never: a finding given up while the process lives; a picture that the masking model had no
//! answer for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use logic::case::ModelRef;
use logic::finding::Event;
use logic::look::{CameraId, Detection};
use report::{Committed, ErrorClass, Handled, Job, Provenance, Reporter, Shot};

use crate::clips::{Clips, Wish};
use crate::detect::{Task, What};
use crate::fleet::Fleet;
use crate::holding::Holding;
use crate::masking::Masking;
use crate::node::CameraEntry;
use crate::pulse::Pulse;
use crate::service::StopBy;

/// In the place of a frame that cannot be read.
const NO_PICTURE: YuvView<'static> = YuvView {
    width: 0,
    height: 0,
    luma: Plane { data: &[], stride: 0 },
    chroma: Chroma::Nv12 { uv: Plane { data: &[], stride: 0 } },
    matrix: Matrix::Bt601,
    range: Range::Limited,
};

/// What the detector saw in a picture, and with it what the masking model found there; `None` without its answer.
type Masked = (Arc<Vec<Detection>>, Option<Arc<[Detection]>>);

/// The evidence thread: tasks in, rows on disk out.
pub(crate) struct Keeper {
    pub reporter: Arc<Reporter>,
    pub masking: Option<Masking>,
    pub clips: Clips,
    pub holding: Arc<Holding>,
    pub handle: tokio::runtime::Handle,
    pub fleet: Arc<Fleet>,
    pub stop: Arc<StopBy>,
    pub pulse: Arc<Pulse>,
}

impl Keeper {
    /// Until there are no more tasks.
    pub(crate) fn run(mut self, tasks: &Receiver<Task>) {
        // Cameras of which something could not be committed: their state on disk stays as it was before, so
        // that a restart confirms it again.
        let mut behind = BTreeSet::new();
        // Of the latest picture: several events may show the same.
        let mut masked = None;
        while let Some(task) = self.next(tasks) {
            if behind.contains(&task.camera) && matches!(task.what, What::Snapshot(_)) {
                continue;
            }
            let lane = self.fleet.lane(task.camera);
            let id = &lane.id;
            let seen = self.seen(id, &task, &mut masked);
            let prepared = report::prepare(job(id, &task, seen.as_deref()));
            if let Some(fault) = prepared.picture_fault() {
                tracing::warn!(camera = %id, %fault, "goes on without its pictures");
            }
            let handled = self.commit(id, &prepared);
            if handled.is_none() && !matches!(task.what, What::Scene(_)) {
                behind.insert(task.camera);
            }
            let (Some(handled), Some((frame, _))) = (handled, &task.shot) else { continue };
            if matches!(task.what, What::Event(Event::Confirmed(_))) {
                self.fleet.cases().end(frame.received);
            }
            if let Handled::Committed(Committed::Opened(case_id)) = handled {
                let wish = Wish::of(&case_id, task.camera, frame, &task.entry, (id, &task.model));
                wish.into_iter().for_each(|wish| self.clips.wish(wish));
            }
        }
    }

    /// What is to be masked in the task's picture. `None` where the masking model had no answer: nothing of it leaves.
    fn seen(
        &mut self,
        camera: &CameraId,
        task: &Task,
        latest: &mut Option<Masked>,
    ) -> Option<Arc<[Detection]>> {
        let Some((frame, seen)) = &task.shot else { return Some(Arc::from([])) };
        let (Some(masking), Some(view)) = (&mut self.masking, frame.view()) else {
            return Some(Arc::from(seen.as_slice()));
        };
        if let Some((of, masked)) = latest
            && Arc::ptr_eq(of, seen)
        {
            return masked.clone();
        }
        self.pulse.work();
        let masked = match masking.find(&view) {
            Ok(found) => Some(seen.iter().copied().chain(found).collect()),
            Err(error) => {
                tracing::warn!(%camera, %error, "the masking model has no answer for a picture");
                None
            }
        };
        *latest = Some((Arc::clone(seen), masked.clone()));
        masked
    }

    fn next(&self, tasks: &Receiver<Task>) -> Option<Task> {
        self.pulse.rest();
        let task = tasks.recv().ok();
        self.pulse.work();
        task
    }

    /// Commits until it holds: nothing after the first finding is given up while the process lives. `None` where it
    /// could not be.
    fn commit(&self, camera: &CameraId, prepared: &report::PreparedJob) -> Option<Handled> {
        let mut wait = Duration::from_millis(100);
        loop {
            self.pulse.work();
            match self.handle.block_on(self.reporter.commit(prepared)) {
                Ok(handled) => {
                    tracing::debug!(%camera, ?handled, "committed");
                    self.holding.hold();
                    return Some(handled);
                }
                Err(error) if error.class() == ErrorClass::Retry && !self.stop.is_past() => {
                    self.holding.refuse(&error.to_string());
                    tracing::error!(%camera, %error, wait_ms = wait.as_millis() as u64, "not committed; trying again");
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(error) => {
                    tracing::error!(%camera, %error, "cannot be committed; a restart goes on from before it");
                    return None;
                }
            }
        }
    }
}

fn job<'t>(id: &CameraId, task: &'t Task, seen: Option<&'t [Detection]>) -> Job<'t> {
    let camera = id.clone();
    let event = match &task.what {
        What::Snapshot(json) => return Job::Snapshot { camera, json: json.clone() },
        What::Scene(json) => return Job::Scene { camera, json: json.clone() },
        What::Event(event) => event,
    };
    let sight = event.sight();
    let spot = sight.spot;
    // A finding goes on without its pictures where the frame gives none: `prepare` says so.
    let shot = || {
        let frame = task.shot.as_ref().and_then(|(frame, _)| frame.view());
        Shot { view: frame.unwrap_or(NO_PICTURE), at: sight.at, detections: seen }
    };
    let finding = || crate::place::place(id, &task.entry.camera, &task.entry.grids, sight);
    let provenance = || provenance(&task.entry, &task.model, &sight.zone);
    match event {
        Event::Appeared(_) => Job::Appeared { camera, spot, shot: shot() },
        Event::Confirmed(_) => Job::Confirmed { finding: finding(), shot: shot(), provenance: provenance() },
        Event::Seen(_) => Job::Seen { finding: finding(), shot: shot(), provenance: provenance() },
        Event::Gone(_) => Job::Gone { camera, spot },
        Event::Dropped(_) => Job::Dropped { camera, spot },
    }
}

fn provenance(entry: &CameraEntry, model: &ModelRef, zone: &str) -> Provenance {
    let camera = &entry.camera;
    let zone = camera.zones.iter().find(|z| z.id == zone);
    Provenance {
        model: model.clone(),
        config_sha256: entry.sha256.clone(),
        utc_offset_minutes: camera.utc_offset_minutes,
        zone_polygon_in_image: zone
            .map(|zone| zone.outline_in_image(camera.view(zone.preset)))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use calib::grid::Grids;
    use calib::matter::Catalogue;
    use calib::space::ImagePoint;

    use super::*;
    use crate::node;

    #[test]
    fn a_zone_of_a_preset_is_drawn_by_the_ground_of_that_preset() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/cameras/litter.toml");
        let text = std::fs::read_to_string(sample).unwrap();
        let home = &text[text.find("[calibration]").unwrap()..text.find("[[zone]]").unwrap()];
        let of_preset =
            home.replace("[calibration", "[preset.calibration").replace("[1280, 720]", "[2560, 1440]");
        let zone = "[[zone]]\nid = \"gate\"\nkind = \"footway\"\npreset = \"gate\"\nground = [\
                    [118.651937032, 34.920160448], [118.652013637, 34.920160448], [118.652002694, 34.920190194]]\n";
        let text =
            format!("{text}\n[[preset]]\nname = \"gate\"\nreference = \"gate.png\"\n{of_preset}\n{zone}");
        let folder = tempfile::tempdir().unwrap();
        image::RgbImage::new(2560, 1440).save(folder.path().join("gate.png")).unwrap();
        let file = folder.path().join("litter.toml");
        std::fs::write(&file, text).unwrap();
        let read = node::load_camera(&file, &Catalogue::builtin(), &Arc::new(Grids::default()));
        let (_, entry) = read.unwrap_or_else(|problems| panic!("{problems:?}"));
        let model = ModelRef { name: "m".to_owned(), sha256: "0".repeat(64) };
        let drawn = provenance(&entry, &model, "gate").zone_polygon_in_image;
        // The points' pixels, by the size of the preset's picture.
        let corners = [[294.242, 575.472], [1091.369, 412.23], [820.569, 289.296]];
        assert_eq!(drawn.len(), corners.len());
        for [x, y] in corners {
            let apart = |corner: &ImagePoint| (corner.x - x / 2560.0).hypot(corner.y - y / 1440.0);
            assert!(drawn.iter().any(|corner| apart(corner) < 0.01), "{drawn:?}");
        }
    }
}
