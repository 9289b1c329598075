//! One camera's lookout: what its picture says, and what its rules say of that.
//!
//! In: a frame's picture and the detector's boxes in it. Out: the look, the events of the rules, a change of the
//! view's state. The service and `shirong replay` look through the same one. Never: a clock, a store.

use std::sync::Arc;

use calib::camera::Camera;
use calib::picture::YuvView;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::finding::{Event, Sight};
use logic::look::{Detection, Look};
use logic::scene::ViewFault;
use logic::watch::{Watch, WatchState};

use crate::scene_stand_in::{SceneState, SceneWatch, Thumb};

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
    fault: Option<ViewFault>,
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
    /// A lookout that goes on from what was kept.
    pub(crate) fn resume(camera: &Arc<Camera>, remembered: Remembered) -> Self {
        let Remembered { watch, scene } = remembered;
        let scene = match scene {
            Some(state) => SceneWatch::resume(Arc::clone(camera), state),
            None => SceneWatch::new(Arc::clone(camera)),
        };
        Self { scene, watch: Watch::resume(Arc::clone(camera), watch), fault: None, held: Vec::new() }
    }

    /// Takes one look.
    pub(crate) fn look(
        &mut self,
        at: Timestamp,
        picture: &YuvView<'_>,
        detections: Vec<Detection>,
    ) -> Looked {
        self.held.clear();
        self.held.extend(self.watch.held());
        let thumb = Thumb::from_view(picture);
        let scene = self.scene.look(at, &thumb, &detections, &self.held);
        let turned = (scene.fault != self.fault).then_some(scene.fault);
        self.fault = scene.fault;
        let aspect = picture.width as f32 / picture.height.max(1) as f32;
        let look = Look { at, aspect, detections, scene };
        let events = self.watch.look(&look);
        Looked { look, events, turned }
    }

    /// Every spot as it stands, and whether its finding was told.
    pub(crate) fn spots(&self) -> impl Iterator<Item = (Sight, bool)> + '_ {
        self.watch.spots()
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
