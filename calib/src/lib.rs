//! Space, time and paper: what a city writes down about its cameras and its ground.
//!
//! In: texts of camera files, grids and catalogues, points in one space. Out: checked types and points in
//! another space. Never: files, clocks, sockets, threads.

pub mod calendar;
pub mod camera;
pub mod check;
pub mod class;
pub mod defaults;
pub mod grid;
pub mod homography;
pub mod knobs;
pub mod lens;
pub mod matter;
pub mod office;
pub mod papers;
pub mod permit;
pub mod picture;
pub mod roster;
pub mod rule;
pub mod scene;
pub mod schedule;
pub mod schema;
pub mod space;
pub mod survey;
pub mod time;
pub mod zone;
