//! The binary as a user runs it: real RTSP on loopback, the ONNX model, the disk, HTTP, signals.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

mod bench;
mod camera_new;
mod check;
mod deploy;
mod eval;
mod import;
mod journey;
mod models;
mod photographs;
mod reload;
mod replay;
mod secrets;
mod sim;
mod street;
