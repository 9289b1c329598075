//! Ingest end to end: real RTSP, RTP, RTCP, encoders and decoders, on loopback only.
//!
//! Clips are made on the spot. Every wait is a channel with a deadline; nothing sleeps.

// Helpers of tests are tests: clippy knows only the functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod clips;
mod cuts;
mod files;
mod probes;
mod refusals;
mod streams;
mod supervision;
mod support;
