//! One camera's lookout: what its picture says, and what its rules say of that.
//!
//! In: a frame's picture and the detector's boxes in it. Out: the look, the events of the rules, a change of the
//! view's state. The service and `shirong replay` look through the same one. Never: a clock, a store.

use std::sync::Arc;

use calib::camera::Camera;
use calib::picture::YuvView;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::case::ModelRef;
use logic::finding::{Event, Sight};
use logic::look::{Detection, Look};
use logic::quiet;
use logic::scene::{Proposal, ProposalKind, Scene, SceneState, SceneWatch, Thumb, ViewFault};
use logic::still::Still;
use logic::watch::{Watch, WatchState};

use crate::eyes::Sure;
use crate::node::CameraEntry;
use crate::reference;

/// What a camera's lookout remembers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    /// Its spots.
    pub watch: WatchState,
    /// Its background; `None` where it has none yet.
    pub scene: Option<SceneState>,
}

/// One camera's scene and watch.
pub(crate) struct Lookout {
    scene: SceneWatch,
    watch: Watch,
    /// Whether the file's picture of the home view was news to it.
    is_home_new: bool,
    fault: Option<ViewFault>,
    /// The view of the latest look.
    preset: Option<usize>,
    /// What the latest look showed.
    before: Option<Arc<Thumb>>,
    /// Whether what the model saw last still stands.
    still: Still,
    /// What that was, and the model.
    seen: Option<(Arc<ModelRef>, Vec<Detection>)>,
    /// Boxes of the spots, kept between looks for its allocation.
    held: Vec<ImageBox>,
}

/// What one frame came to.
pub(crate) struct Looked {
    /// The frame's look.
    pub look: Look,
    /// What the rules say, in order.
    pub events: Vec<Event>,
    /// What is wrong with the view from this look on, where that has changed.
    pub turned: Option<Option<ViewFault>>,
    /// What the rules had no room for.
    pub left_out: LeftOut,
    /// Whether it shows something else than the look before; `None` where there was none.
    pub is_changed: Option<bool>,
}

/// What a first glance at a picture came to.
pub(crate) struct Glance {
    /// What it shows, small.
    pub thumb: Arc<Thumb>,
    /// What the model saw last, where that still stands.
    pub standing: Option<Vec<Detection>>,
}

/// What one look left out. The watch's own counts begin anew with each edit of its camera's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Things not watched because the table of spots was full.
    pub refused: u64,
    /// Findings not told because their rule had told as many as it may on that day.
    pub capped: u64,
}

impl Lookout {
    /// A lookout that goes on from what was kept. A view without a background is what the picture shows that the
    /// camera's file names, or else its first looks; so is one whose picture is another one now.
    pub(crate) fn resume(entry: &CameraEntry, remembered: Remembered) -> Self {
        let Remembered { watch, scene } = remembered;
        let camera = &entry.camera;
        let mut scene = SceneWatch::resume(Arc::clone(camera), scene.unwrap_or_default());
        let is_home_new = reference::give(&mut scene, entry);
        let watch = Watch::resume(Arc::clone(camera), watch);
        let still = Still::new(floor_ms(camera));
        Self {
            scene,
            watch,
            is_home_new,
            fault: None,
            preset: None,
            before: None,
            still,
            seen: None,
            held: Vec::new(),
        }
    }

    /// Whether a change of its file says that its view is as it should be: whoever edits the file of a camera
    /// that looks elsewhere says by it that it shall look there. An edit of what cameras share does not.
    pub(crate) fn is_accepted_by(&self, before: &CameraEntry, now: &CameraEntry) -> bool {
        self.fault.is_some_and(ViewFault::is_acceptable) && before.sha256 != now.sha256
    }

    /// A person says that the view is as it should be: what it shows now is its reference. `false`, and nothing
    /// changes, where its file has just brought a picture that says so, and for a camera with presets.
    pub(crate) fn accept(&mut self) -> bool {
        let is_accepted = !self.is_home_new && self.scene.accept();
        if is_accepted {
            self.fault = None;
        }
        is_accepted
    }

    /// A first glance at a picture, before the model's: whether what `model` saw last still stands. Whoever takes the
    /// answer takes the look with [`Lookout::look_on`].
    pub(crate) fn glance(&self, at: Timestamp, picture: &YuvView<'_>, model: &Arc<ModelRef>) -> Glance {
        let thumb = Arc::new(Thumb::from_view(picture));
        let seen = self.seen.as_ref().filter(|(by, _)| Arc::ptr_eq(by, model));
        let standing =
            seen.filter(|_| self.still.stands(at, &thumb, self.needs_looks())).map(|(_, seen)| seen.clone());
        Glance { thumb, standing }
    }

    /// Remembers what the model saw in a picture.
    pub(crate) fn saw(
        &mut self,
        at: Timestamp,
        thumb: &Arc<Thumb>,
        model: &Arc<ModelRef>,
        seen: &[Detection],
    ) {
        self.still.saw(at, Arc::clone(thumb));
        match &mut self.seen {
            Some((by, before)) => {
                by.clone_from(model);
                before.clear();
                before.extend_from_slice(seen);
            }
            None => self.seen = Some((Arc::clone(model), seen.to_vec())),
        }
    }

    /// Takes one look. Faint boxes count only where the background says that something new stands.
    pub(crate) fn look(
        &mut self,
        at: Timestamp,
        picture: &YuvView<'_>,
        detections: Vec<Detection>,
        sure: &Sure,
    ) -> Looked {
        self.look_on(at, picture, Arc::new(Thumb::from_view(picture)), detections, sure)
    }

    /// The same of a picture that was glanced at.
    pub(crate) fn look_on(
        &mut self,
        at: Timestamp,
        picture: &YuvView<'_>,
        thumb: Arc<Thumb>,
        mut detections: Vec<Detection>,
        sure: &Sure,
    ) -> Looked {
        self.held.clear();
        self.held.extend(self.watch.held(self.preset));
        let scene = self.scene.look(at, &thumb, &detections, &self.held);
        detections.retain(|seen| sure.is_met(seen) || shows_news(&scene, &seen.bounds));
        let turned = (scene.fault != self.fault).then_some(scene.fault);
        (self.fault, self.preset) = (scene.fault, scene.preset);
        let aspect = picture.width as f32 / picture.height.max(1) as f32;
        let look = Look { at, aspect, detections, scene };
        let (refused, capped) = (self.watch.refused(), self.watch.capped());
        let events = self.watch.look(&look);
        let is_changed = self.before.as_ref().map(|before| quiet::differs(before, &thumb));
        self.before = Some(thumb);
        let left_out =
            LeftOut { refused: self.watch.refused() - refused, capped: self.watch.capped() - capped };
        Looked { look, events, turned, left_out, is_changed }
    }

    /// Whether its next looks are needed however quiet the street is: something waits to be judged, or its view
    /// cannot be.
    pub(crate) fn needs_looks(&self) -> bool {
        self.fault.is_some() || self.spots().any(|(_, is_told)| !is_told)
    }

    /// Every spot of the view as it stands, and whether its finding was told.
    pub(crate) fn spots(&self) -> impl Iterator<Item = (Sight, bool)> + '_ {
        self.watch.spots(self.preset)
    }

    /// What its watch remembers.
    pub(crate) fn watch(&self) -> &WatchState {
        self.watch.state()
    }

    /// What its scene remembers.
    pub(crate) fn scene(&self) -> &SceneState {
        self.scene.state()
    }

    /// All that it remembers.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered { watch: self.watch().clone(), scene: Some(self.scene().clone()) }
    }
}

/// Looks that a quiet street gets within the shortest dwell at least.
const LOOKS_A_DWELL: i64 = 4;

/// Longest that a camera's street may be left alone, by the decoder or by the model, milliseconds: what stands for a
/// rule's dwell must be seen in several looks of it.
pub(crate) fn floor_ms(camera: &Camera) -> i64 {
    let own = (camera.stream.quiet_secs_max * 1e3) as i64;
    camera.rules.iter().map(|rule| rule.dwell_ms / LOOKS_A_DWELL).fold(own, i64::min)
}

/// Whether a box shows something new that stands there.
fn shows_news(scene: &Scene, bounds: &ImageBox) -> bool {
    let is_shown =
        |proposal: &Proposal| proposal.kind == ProposalKind::Appeared && proposal.is_shown_by(bounds);
    scene.proposals.iter().any(is_shown)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use calib::class::Class;
    use calib::grid::Grids;
    use calib::matter::Catalogue;
    use image::RgbImage;

    use super::*;
    use crate::eval::picture::I420;
    use crate::node;

    /// The sample camera with more lines, in a folder of its own.
    fn entry(folder: &Path, more: &str) -> CameraEntry {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/cameras/litter.toml");
        let text = std::fs::read_to_string(sample).expect("the sample's file") + more;
        let file = folder.join("litter.toml");
        std::fs::write(&file, text).expect("written");
        let read = node::load_camera(&file, &Catalogue::builtin(), &Arc::new(Grids::default()));
        read.unwrap_or_else(|problems| panic!("{problems:?}")).1
    }

    /// A picture whose stripes are so wide.
    fn picture(folder: &Path, name: &str, size: (u32, u32), stripe: u32) {
        let at = |x: u32, y: u32| {
            image::Rgb([if (x / stripe + y / stripe).is_multiple_of(2) { 60 } else { 180 }; 3])
        };
        RgbImage::from_fn(size.0, size.1, at).save(folder.join(name)).expect("written");
    }

    const PLAIN: &str = "name = 'x'\n[stream]\nurl = 'rtsp://127.0.0.1/x'\n\
                         [[zone]]\nid = 'all'\nkind = 'footway'\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n\
                         [[rule]]\nkind = 'litter'\n";
    const GATE: &str = "\n[[preset]]\nname = \"gate\"\nreference = \"gate.png\"\n";

    #[test]
    fn only_an_edit_of_its_own_file_says_that_a_view_that_has_moved_is_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = entry(folder.path(), "");
        let mut lookout = Lookout::resume(&before, Remembered::default());
        let edited = entry(folder.path(), "\n# It looks at the gate now.\n");
        assert!(!lookout.is_accepted_by(&before, &edited), "it has not moved");
        lookout.fault = Some(ViewFault::Moved);
        assert!(!lookout.is_accepted_by(&before, &before.clone()), "permits were edited, or a grid");
        assert!(lookout.is_accepted_by(&before, &edited));
        assert!(lookout.accept());
        let turning = entry(folder.path(), "\n[[preset]]\nname = \"gate\"\n");
        assert!(!Lookout::resume(&turning, Remembered::default()).accept(), "it may be turning");
    }

    #[test]
    fn a_reference_that_comes_later_or_changes_is_taken_and_one_that_fits_nothing_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = "\n[scene]\nreference = \"home.png\"\n";
        picture(folder.path(), "home.png", (640, 360), 40);
        let mut lookout = Lookout::resume(&entry(folder.path(), home), Remembered::default());
        assert!(!lookout.accept(), "its own picture says what is right");

        picture(folder.path(), "gate.png", (640, 360), 25);
        let turning = entry(folder.path(), &format!("{home}{GATE}"));
        let known = lookout.scene().clone();
        lookout = Lookout::resume(&turning, lookout.remembered());
        assert_ne!(*lookout.scene(), known, "the preset's picture is taken");

        let known = lookout.scene().clone();
        lookout = Lookout::resume(&turning, lookout.remembered());
        assert_eq!(*lookout.scene(), known, "nothing has changed");
        picture(folder.path(), "gate.png", (640, 480), 25);
        lookout = Lookout::resume(&turning, lookout.remembered());
        assert_eq!(*lookout.scene(), known, "of another shape");
        picture(folder.path(), "gate.png", (640, 360), 55);
        lookout = Lookout::resume(&turning, lookout.remembered());
        assert_ne!(*lookout.scene(), known, "another picture");
    }

    /// Look number `row` sees forty heaps where no other look saw any; what it had no room for.
    fn refused(lookout: &mut Lookout, row: u32) -> u64 {
        let heaps = (0..40).map(|column| {
            let (x, y) = (0.024 * column as f32, 0.42 + 0.04 * row as f32);
            let bounds = ImageBox::from([x, y, x + 0.015, y + 0.03]);
            Detection { class: Class::Garbage, score: 0.8, bounds }
        });
        let texture = |x: u32, y: u32| (x * 37 + y * 101) % 151;
        let picture =
            I420::of(&RgbImage::from_fn(320, 192, |x, y| image::Rgb([60 + texture(x, y) as u8; 3])));
        let at = Timestamp::from_millis(1_000_000 + 200 * i64::from(row));
        let looked = lookout.look(at, &picture.view(), heaps.collect(), &Sure::all());
        looked.left_out.refused
    }

    #[test]
    fn what_a_look_left_out_is_counted_on_after_an_edit() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        std::fs::write(&file, PLAIN).expect("written");
        let read = node::load_camera(&file, &Catalogue::builtin(), &Arc::new(Grids::default()));
        let entry = read.unwrap_or_else(|problems| panic!("{problems:?}")).1;
        let mut lookout = Lookout::resume(&entry, Remembered::default());
        assert_eq!(refused(&mut lookout, 0), 0, "there is room");
        let before: u64 = (1..9).map(|row| refused(&mut lookout, row)).sum();
        assert!(before > 40, "{before}");
        let mut edited = Lookout::resume(&entry, lookout.remembered());
        assert_eq!(refused(&mut edited, 9), 40, "this look's alone");
    }
}
