//! The report stage on a real disk and over real HTTP on loopback, against a desk that fails on command.
#![allow(clippy::unwrap_used, reason = "helpers of tests; a failure is the test's")]

mod closing;
mod crash;
mod fake_desk;
mod posting;
mod retention;
mod scene;
mod vault;
