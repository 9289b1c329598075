//! A seeded county under a virtual clock: people, vendors, bins, building, weather, and cameras that see them as
//! well as the real detector does. Its looks go through the product's own rules and dedupe, and what they say is
//! held against what is true.
//!
//! In: a seed, days, cameras. Out: an event log and a score. Never: a clock, a file, a thread of its own beside
//! those that share the cameras out; the same seed gives the same bytes on any machine at any speed.

mod county;
mod desk;
mod dice;
mod fault;
mod glimpse;
mod log;
mod lookout;
mod plan;
mod rates;
mod run;
mod score;
mod site;
mod sky;
mod standing;
mod street;
mod thing;
mod truth;

pub use run::{Config, Day, NIGHT_LOOK_SECS, Outcome, run};
pub use score::{KindScore, Score};
pub use truth::Kind;

/// Why a run could not begin. Each is a fault of this crate or of the files compiled into it.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The example county's grids do not read.
    #[error("the example county's grids: {0}")]
    Grid(String),
    /// A generated camera file does not read.
    #[error("a generated camera file: {0}")]
    Camera(String),
}
