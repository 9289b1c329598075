//! Two hundred cameras, half of them dead in different ways.
//!
//! In: how many, for how long. Out: when every live one had been looked at, what the live ones lost, what the process
//! costs. Never: a camera that recovers; what the dead cost is what is asked.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::fault::Fault;
use super::ledger::Standing;
use super::reel::Reel;
use super::serve::{Camera, Reels};
use super::service::{Cost, Seat, Service};
use crate::Tally;

const START_WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOST_PERCENT_MAX: f64 = 1.0;

pub(crate) async fn run((count, only): (usize, Option<&str>), secs: u64, tally: &mut Tally) -> Result<Value> {
    let dead_by = match only {
        None => Fault::DEAD.to_vec(),
        Some(name) => vec![super::named(name)?],
    };
    let reels = Reels::new(Reel::sparse()?)?;
    let (mut live, mut dead) = (Vec::new(), Vec::new());
    for number in 0..count {
        // Their key frames are spread over the interval, as cameras' are that were switched on at their own times.
        let ahead = reels.main.step * (reels.main.key_every as u32) * (number as u32) / (count as u32);
        let is_dead = number % 2 == 1;
        let fault = dead_by[number / 2 % dead_by.len()];
        let password = (is_dead && fault.is_guarded()).then_some("never taken");
        let camera = Camera::start(reels.clone(), ahead, password).await?;
        let seat = Seat::new(format!("camera-{number:03}"), camera);
        if is_dead {
            seat.camera.set(Some(fault));
            dead.push(Seat { over_udp: fault.is_over_udp(), password, ..seat });
        } else {
            live.push(seat);
        }
    }
    let all: Vec<Seat> = live.iter().chain(&dead).cloned().collect();
    let begun = Instant::now();
    let mut service = Service::start(&all).await?;
    let start = first_looks(&mut service, &live, begun).await?;
    let bar = tally.bar("cameras", secs);
    let before = Standing::now(&mut service, &live).await?;
    let (mut costs, measured) = (vec![service.cost()?], Instant::now());
    while measured.elapsed() < Duration::from_secs(secs) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        costs.push(service.cost()?);
        bar.set(measured.elapsed().as_secs());
    }
    bar.done();
    let lost = before.lost_until(&Standing::now(&mut service, &live).await?);
    service.stop().await?;
    tally.injected += dead.len() as u64;
    if start > START_WITHIN {
        tally.miss(format!(
            "{} live cameras had their first look after {:.1} s",
            live.len(),
            start.as_secs_f64()
        ));
    }
    if lost.percent() > LOST_PERCENT_MAX {
        tally.miss(format!("{} live cameras lost {} of {} looks", live.len(), lost.lost, lost.due));
    }
    let most = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(0.0, f64::max);
    let (rss_mib, threads, handles) =
        (most(|cost| cost.rss_mib), most(|cost| cost.threads as f64), most(|cost| cost.handles as f64));
    tally.say(&format!(
        "cameras: {} live and {} dead in {} ways for {secs} s: first look of all live after {:.1} s; the live lost {} of {} \
         looks; at most {threads} threads, {rss_mib:.0} MiB, {handles} file handles",
        live.len(),
        dead.len(),
        dead_by.len().min(dead.len()),
        start.as_secs_f64(),
        lost.lost,
        lost.due
    ));
    Ok(json!({
        "live": live.len(), "dead": dead.len(), "secs": secs, "first_look_of_all_live_s": start.as_secs_f64(),
        "looks_due": lost.due, "looks_lost": lost.lost, "frames_overwritten": lost.overwritten, "threads_max": threads, "rss_mib_max": rss_mib,
        "handles_max": handles,
        "rss_mib": costs.iter().map(|cost| cost.rss_mib).collect::<Vec<_>>(),
    }))
}

/// From the start until each was looked at; longer than anybody waits where one is not.
async fn first_looks(service: &mut Service, live: &[Seat], begun: Instant) -> Result<Duration> {
    loop {
        let looks = service.looks().await?;
        let is_seen = |seat: &&Seat| looks.get(&seat.id).is_some_and(|looks| *looks > 0);
        if live.iter().filter(is_seen).count() == live.len() || begun.elapsed() > PATIENCE {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
