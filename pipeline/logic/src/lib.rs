//! Spots, rules, dedupe, the case. Pure: no clock, no I/O, no threads; the same looks in give the same
//! events out, whatever the machine's speed.

pub mod case;
pub mod dedupe;
pub mod finding;
pub mod look;
pub mod place;
pub mod scene;
mod spot;
mod thing;
pub mod watch;
