//! kill -9 at random instants.
//!
//! In: a seed, how many. Out: how many, at which stage each fell, what came of it. A scenario is one folder: its
//! node is killed and started again until a life of it ends by itself; then everything must be on the desk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Tally;
use crate::process::{Break, Life, Shim, When, live};
use crate::script;
use crate::verdict::{self, Owed};

/// Things of a scenario.
const THINGS: usize = 16;
/// A life is killed at most so long after it was ready.
const LIFE_MAX: Duration = Duration::from_millis(120);
/// One in so many is killed while it starts, at most so long after its start.
const AT_START: u32 = 8;
const START_MAX: Duration = Duration::from_millis(60);
/// After so many lives a scenario is let run to its end.
const LIVES_MAX: usize = 12;

pub(crate) async fn run(shim: &Shim, seed: u64, wanted: u64, tally: &mut Tally) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut stages: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut kills = 0;
    let bar = tally.bar("kills", wanted);
    for scenario in 0.. {
        if kills >= wanted {
            break;
        }
        let script_seed = seed.wrapping_add(scenario);
        let whole = script::findings(&script::steps(script_seed, THINGS)?);
        let folder = tempfile::tempdir()?;
        let mut told = BTreeSet::new();
        for number in 0.. {
            let when = match number {
                LIVES_MAX.. => When::Never,
                _ if dice.random_ratio(1, AT_START) => When::AfterStart(up_to(&mut dice, START_MAX)),
                _ => When::AfterReady(up_to(&mut dice, LIFE_MAX)),
            };
            let life = live(shim, folder.path(), (script_seed, THINGS), Break::Nothing, when)?;
            told.extend(life.told.iter().cloned());
            if life.exit.is_none() {
                kills += 1;
                bar.set(kills.min(wanted));
                *stages.entry(stage(&life)).or_default() += 1;
            } else {
                anyhow::ensure!(
                    life.is_done(),
                    "seed {script_seed}: a node ended by itself: {}",
                    life.complaint
                );
            }
            let owed = Owed { told: &told, whole: life.is_done().then_some(&whole) };
            let verdict =
                verdict::of(folder.path(), &owed).await.with_context(|| format!("seed {script_seed}"))?;
            let kept = tally.judge(format!("kill, script {script_seed}, life {number}"), 0, verdict);
            if !kept || life.is_done() {
                break;
            }
        }
    }
    bar.done();
    tally.injected += kills;
    let stages: Vec<String> = stages.iter().map(|(stage, count)| format!("{stage} {count}")).collect();
    tally.say(&format!("kills: {kills} at random instants; the call before each: {}", stages.join(", ")));
    Ok(())
}

fn stage(life: &Life) -> &'static str {
    if life.said_ready { life.board.latest() } else { "starting" }
}

fn up_to(dice: &mut StdRng, max: Duration) -> Duration {
    Duration::from_micros(dice.random_range(0..u64::try_from(max.as_micros()).unwrap_or(u64::MAX)))
}
