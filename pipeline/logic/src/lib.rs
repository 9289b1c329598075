//! Spots, rules, dedupe, the case. Pure: no clock, no I/O, no threads; the same looks in give the same
//! events out, whatever the machine's speed.

pub mod case;
mod claim;
mod cover;
pub mod dedupe;
pub mod dismissed;
pub mod finding;
mod judge;
pub mod look;
mod memory;
mod pairs;
pub mod place;
mod plan;
pub mod quiet;
mod recent;
pub mod scene;
mod spot;
pub mod still;
mod table;
mod thing;
pub mod watch;
