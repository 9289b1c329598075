//! From a spot in the picture to a finding on the ground and in the grid: `logic` does it, so that the simulation
//! places findings as the service does.

pub(crate) use logic::place::place;
