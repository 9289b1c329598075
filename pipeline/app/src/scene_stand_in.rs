//! In the place of `logic::scene::SceneWatch` until it is there. To be deleted.
use std::sync::Arc;

use calib::camera::Camera;
use calib::picture::YuvView;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::look::Detection;
use logic::scene::Scene;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SceneState {}
pub(crate) struct Thumb;
impl Thumb {
    pub(crate) fn from_view(_: &YuvView<'_>) -> Self {
        Self
    }
}
pub(crate) struct SceneWatch(SceneState);
impl SceneWatch {
    pub(crate) fn new(_: Arc<Camera>) -> Self {
        Self(SceneState {})
    }
    pub(crate) fn resume(_: Arc<Camera>, state: SceneState) -> Self {
        Self(state)
    }
    pub(crate) fn look(&mut self, _: Timestamp, _: &Thumb, _: &[Detection], _: &[ImageBox]) -> Scene {
        Scene::default()
    }
    pub(crate) fn state(&self) -> &SceneState {
        &self.0
    }
}
