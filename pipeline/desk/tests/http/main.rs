//! The desk over real HTTP on loopback, on a real disk: every status of the contract and what must survive.

#[path = "../desk_under_test.rs"]
mod desk_under_test;
mod evidence;
mod filing;
mod life;
mod pages;
mod reading;
mod sightings;
