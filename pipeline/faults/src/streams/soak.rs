//! Twenty cameras for half an hour, with a fault every minute.
//!
//! In: minutes. Out: how memory, threads and file handles grew after the warm-up. Never: a sample while a fault is on;
//! what a fault costs while it lasts is not growth.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::all_looked_at;
use super::fault::Fault;
use super::ledger::Standing;
use super::reel::Reel;
use super::serve::{Camera, Reels};
use super::service::{Cost, Seat, Service};
use crate::Tally;

const CAMERAS: usize = 20;
const PASSWORD: &str = "first";
/// In each minute: a fault from here to there, samples from `SAMPLES` on.
const FAULT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(22));
const SAMPLES: Duration = Duration::from_secs(40);
const MINUTE: Duration = Duration::from_secs(60);
/// Share of the run that is warm-up.
const WARM_UP: f64 = 0.25;
const SLOPE_MIB_MAX: f64 = 1.0;

pub(crate) async fn run(seed: u64, minutes: u64, tally: &mut Tally) -> Result<Value> {
    let mut dice = StdRng::seed_from_u64(seed);
    let reels = Reels::new(Reel::street()?)?;
    let mut seats = Vec::new();
    for number in 0..CAMERAS {
        let ahead = Duration::from_millis(97 * number as u64);
        let (over_udp, password) = (number == CAMERAS - 1, (number == CAMERAS - 2).then_some(PASSWORD));
        let camera = Camera::start(reels.clone(), ahead, password).await?;
        seats.push(Seat { over_udp, password, ..Seat::new(format!("camera-{number:02}"), camera) });
    }
    let mut service = Service::start(&seats).await?;
    all_looked_at(&mut service, &seats).await?;
    let begun = Instant::now();
    let mut samples: Vec<(f64, Cost)> = Vec::new();
    let bar = tally.bar("soak", minutes);
    let (mut before, mut lost) = (None, super::Lost::default());
    for minute in 0..minutes {
        let fault = Fault::ALL[minute as usize % Fault::ALL.len()];
        // Its password would have to be changed back by an edit.
        let fault = if fault == Fault::PasswordChanged { Fault::PasswordRefused } else { fault };
        let seat = match fault {
            _ if fault.is_over_udp() => &seats[CAMERAS - 1],
            _ if fault.is_guarded() => &seats[CAMERAS - 2],
            _ => &seats[dice.random_range(0..CAMERAS - 2)],
        };
        let at = |within: Duration| begun + MINUTE * (minute as u32) + within;
        let others: Vec<Seat> = seats.iter().filter(|other| other.id != seat.id).cloned().collect();
        if before.is_none() {
            before = Some(Standing::now(&mut service, &seats).await?);
        }
        tokio::time::sleep_until(at(FAULT.0).into()).await;
        seat.camera.set(Some(fault));
        tokio::time::sleep_until(at(FAULT.1).into()).await;
        seat.camera.set(None);
        tokio::time::sleep_until(at(SAMPLES).into()).await;
        let after = Standing::now(&mut service, &others).await?;
        if let Some(before) = &before {
            lost = lost.and(before.lost_until(&after));
        }
        before = Some(Standing::now(&mut service, &seats).await?);
        while Instant::now() < at(MINUTE) {
            samples.push((begun.elapsed().as_secs_f64(), service.cost()?));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bar.set(minute + 1);
    }
    bar.done();
    service.stop().await?;
    tally.injected += minutes;
    Ok(judge(&samples, minutes, lost, tally))
}

fn judge(samples: &[(f64, Cost)], minutes: u64, lost: super::Lost, tally: &mut Tally) -> Value {
    let warm_s = minutes as f64 * 60.0 * WARM_UP;
    let warm: Vec<(f64, Cost)> = samples.iter().filter(|(at, _)| *at >= warm_s).copied().collect();
    let ten_minutes = |of: fn(&Cost) -> f64| 600.0 * slope(warm.iter().map(|(at, cost)| (*at, of(cost))));
    let rss = ten_minutes(|cost| cost.rss_mib);
    let edge = |of: fn(&Cost) -> u64| {
        let third = (warm.len() / 3).max(1).min(warm.len());
        // The least: a camera that is on its way back has some more for a moment.
        let least = |part: &[(f64, Cost)]| part.iter().map(|(_, cost)| of(cost)).min().unwrap_or(0);
        (least(&warm[..third]), least(&warm[warm.len() - third..]))
    };
    let (threads, handles) = (edge(|cost| cost.threads), edge(|cost| cost.handles));
    if rss > SLOPE_MIB_MAX {
        tally.miss(format!("memory grew by {rss:.2} MiB in ten minutes"));
    }
    for (what, (first, last)) in [("threads", threads), ("file handles", handles)] {
        if last > first {
            tally.miss(format!("{what} grew from {first} to {last}"));
        }
    }
    let last = warm.last().map_or(0.0, |(_, cost)| cost.rss_mib);
    tally.say(&format!(
        "soak: {minutes} min, {CAMERAS} cameras, {minutes} faults: memory {rss:+.2} MiB in ten minutes at {last:.0} MiB; threads at \
         least {} in the first third after warm-up and {} in the last, file handles {} and {}; the others lost {} of {} looks",
        threads.0, threads.1, handles.0, handles.1, lost.lost, lost.due
    ));
    json!({
        "minutes": minutes, "cameras": CAMERAS, "rss_mib_per_10_min": rss, "rss_mib": last,
        "threads": [threads.0, threads.1], "handles": [handles.0, handles.1],
        "others_looks_due": lost.due, "others_looks_lost": lost.lost,
        "samples": samples.iter().map(|(at, cost)| json!([at.round(), cost.rss_mib, cost.threads, cost.handles])).collect::<Vec<_>>(),
    })
}

/// Least squares, a unit of y a unit of x.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count().max(1) as f64;
    let (x, y) = points.clone().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / count, sum.1 + y / count));
    let (over, under) = points.fold((0.0, 0.0), |(over, under), (at, value)| {
        (over + (at - x) * (value - y), under + (at - x) * (at - x))
    });
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        let line = (0..100).map(|x| (f64::from(x), 3.0 + 0.25 * f64::from(x)));
        assert!((slope(line) - 0.25).abs() < 1e-9);
        assert_eq!(slope([(1.0, 5.0)].into_iter()), 0.0);
    }
}
