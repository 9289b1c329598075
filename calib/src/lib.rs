//! Space, time and paper: what a city writes down about its cameras and its ground.
//!
//! In: texts of camera files, grids and catalogues, points in one space. Out: checked types and points in
//! another space. Never: files, clocks, sockets, threads.

pub mod class;
pub mod homography;
pub mod picture;
pub mod space;
pub mod time;
