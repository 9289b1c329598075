//! The desk over real HTTP on loopback, on a real disk: every status of the contract and what must survive.

// clippy.toml allows it in test functions; here it is also in what they share.
#![allow(clippy::unwrap_used)]

mod access;
mod desk_under_test;
mod evidence;
mod filing;
mod fuzz_api;
mod life;
mod login;
mod pages;
mod reading;
mod sightings;
