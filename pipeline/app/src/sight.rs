//! One camera's lookout: what its picture says, and what its rules say of that.
//!
//! In: a frame's picture and the detector's boxes in it. Out: the look, the events of the rules, a change of the
//! view's state. The service and `shirong replay` look through the same one. Never: a clock, a store.

use std::sync::Arc;

use calib::picture::YuvView;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::finding::{Event, Sight};
use logic::look::{Detection, Look};
use logic::scene::{SceneState, SceneWatch, Thumb, ViewFault};
use logic::watch::{Watch, WatchState};

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
        Self { scene, watch, is_home_new, fault: None, preset: None, held: Vec::new() }
    }

    /// Whether a change of its file says that its view is as it should be: whoever edits the file of a camera
    /// that looks elsewhere says by it that it shall look there. An edit of what cameras share does not.
    pub(crate) fn is_accepted_by(&self, before: &CameraEntry, now: &CameraEntry) -> bool {
        self.fault == Some(ViewFault::Moved) && before.sha256 != now.sha256
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

    /// Takes one look.
    pub(crate) fn look(
        &mut self,
        at: Timestamp,
        picture: &YuvView<'_>,
        detections: Vec<Detection>,
    ) -> Looked {
        self.held.clear();
        self.held.extend(self.watch.held(self.preset));
        let thumb = Thumb::from_view(picture);
        let scene = self.scene.look(at, &thumb, &detections, &self.held);
        let turned = (scene.fault != self.fault).then_some(scene.fault);
        (self.fault, self.preset) = (scene.fault, scene.preset);
        let aspect = picture.width as f32 / picture.height.max(1) as f32;
        let look = Look { at, aspect, detections, scene };
        let events = self.watch.look(&look);
        Looked { look, events, turned }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use calib::grid::Grids;
    use calib::matter::Catalogue;
    use image::RgbImage;

    use super::*;
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
        let at = |x: u32, y: u32| image::Rgb([if (x / stripe + y / stripe) % 2 == 0 { 60 } else { 180 }; 3]);
        RgbImage::from_fn(size.0, size.1, at).save(folder.join(name)).expect("written");
    }

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
}
