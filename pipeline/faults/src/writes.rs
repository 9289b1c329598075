//! The N-th write fails, for every N of a scenario: EIO, ENOSPC (once, or for a while), cut short, or the process
//! dies in its place.
//!
//! In: a seed, which N. Out: how many were injected and what came of them. A node that meets a failing write
//! may try again or end and say why; started once more on a sound disk it must get everything to its desk.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::Tally;
use crate::process::{Break, Life, Shim, When, live};
use crate::script;
use crate::verdict::{self, Owed};

/// Things of the scenario: small, since every write of it is a scenario of its own.
const THINGS: usize = 2;
/// A disk that is full for a while: so many calls in a row fail.
const WHILE_CALLS: u64 = 40;
const WAYS: usize = 5;

fn way(number: usize, at: u64) -> (&'static str, Break) {
    match number % WAYS {
        0 => ("EIO", Break::Io { at, count: 1 }),
        1 => ("ENOSPC", Break::Space { at, count: 1 }),
        2 => ("cut short", Break::Short { at }),
        3 => ("killed", Break::Kill { at }),
        _ => ("full for a while", Break::Space { at, count: WHILE_CALLS }),
    }
}

/// `every`: 1 for every N, more for every so manyth; the ways in turn, so that another seed pairs them anew.
pub(crate) async fn run(shim: &Shim, seed: u64, every: u64, tally: &mut Tally) -> Result<()> {
    let whole = script::findings(&script::steps(seed, THINGS)?);
    let folder = tempfile::tempdir()?;
    let life = live(shim, folder.path(), (seed, THINGS), Break::Nothing, When::Never)?;
    anyhow::ensure!(life.is_done(), "without a fault, a node ended with {:?}: {}", life.exit, life.complaint);
    let writes = life.board.ops;
    let cases: Vec<(u64, usize)> = (1 + seed % every.max(1)..=writes)
        .step_by(usize::try_from(every.max(1))?)
        .zip(usize::try_from(seed % WAYS as u64)?..)
        .collect();
    let bar = tally.bar("failing writes", cases.len() as u64);
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for (done, (at, number)) in cases.iter().enumerate() {
        let (name, broken) = way(*number, *at);
        let folder = tempfile::tempdir()?;
        let life = live(shim, folder.path(), (seed, THINGS), broken, When::Never)?;
        let injected = life.board.injected + u64::from(life.exit.is_none());
        *ends.entry(format!("{name}: {}", ended(&life))).or_default() += 1;
        let told = life.told.clone();
        let label = format!("{name} at write {at}, seed {seed}");
        let mut verdict =
            verdict::of(folder.path(), &Owed { told: &told, whole: life.is_done().then_some(&whole) })
                .await
                .with_context(|| label.clone())?;
        if !life.is_done() {
            let again = live(shim, folder.path(), (seed, THINGS), Break::Nothing, When::Never)?;
            if !again.is_done() {
                verdict
                    .lost
                    .push(format!("started again, it ended with {:?}: {}", again.exit, again.complaint));
            }
            let owed = Owed { told: &told, whole: Some(&whole) };
            verdict.add(verdict::of(folder.path(), &owed).await.with_context(|| label.clone())?);
        }
        tally.judge(label, injected.min(1), verdict);
        bar.set(done as u64 + 1);
    }
    bar.done();
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{end} {count}")).collect();
    tally.say(&format!("failing writes: {} of the {writes} of a scenario; {}", cases.len(), ends.join(", ")));
    Ok(())
}

fn ended(life: &Life) -> &'static str {
    match life.exit {
        Some(0) => "went on",
        Some(_) => "ended with its reason",
        None => "died",
    }
}
