//! More looks asked for than the detector can give.
//!
//! In: cameras, looks a second of each. Out: how evenly the looks were shared, and how long pictures waited for the
//! service to read them. Never: a claim of speed; how many looks there were is the machine's.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::all_looked_at;
use super::reel::Reel;
use super::serve::{Camera, Reels};
use super::service::{Seat, Service, by_camera};
use crate::Tally;

/// As many as the reel has.
const FPS: f64 = 5.0;
/// The camera with the fewest looks has at least so much of an even share.
const SHARE_MIN: f64 = 0.8;
/// A picture that waits longer in the sender's hands says that its socket was not drained.
const LATE_MAX: Duration = Duration::from_secs(1);

pub(crate) async fn run(count: usize, secs: u64, tally: &mut Tally) -> Result<Value> {
    let reels = Reels::new(Reel::street()?)?;
    let mut seats = Vec::new();
    for number in 0..count {
        let camera = Camera::start(reels.clone(), Duration::from_millis(31 * number as u64), None).await?;
        seats.push(Seat { fps: Some(FPS), ..Seat::new(format!("camera-{number:02}"), camera) });
    }
    let mut service = Service::start(&seats).await?;
    all_looked_at(&mut service, &seats).await?;
    for seat in &seats {
        let _ = seat.camera.take_late_max();
    }
    let before = service.metrics().await?;
    let (began, bar) = (Instant::now(), tally.bar("overload", secs));
    while began.elapsed() < Duration::from_secs(secs) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bar.set(began.elapsed().as_secs());
    }
    bar.done();
    let after = service.metrics().await?;
    let spent = began.elapsed().as_secs_f64();
    service.stop().await?;
    let since = |name: &str| -> Vec<u64> {
        let (before, after) = (by_camera(&before, name), by_camera(&after, name));
        after.iter().map(|(id, now)| now - before.get(id).copied().unwrap_or(0)).collect()
    };
    let (looks, overwritten) = (since("shirong_looks_total"), since("shirong_frames_overwritten_total"));
    let all: u64 = looks.iter().sum();
    let even = all as f64 / count as f64;
    let (least, most) = (looks.iter().min().copied().unwrap_or(0), looks.iter().max().copied().unwrap_or(0));
    let late = seats.iter().map(|seat| seat.camera.take_late_max()).max().unwrap_or_default();
    let dropped: u64 = overwritten.iter().sum();
    let asked = count as f64 * FPS;
    tally.injected += 1;
    if dropped == 0 {
        tally.say("overload: there was none: ask for more cameras with --cameras");
    }
    if (least as f64) < SHARE_MIN * even {
        tally.miss(format!("overload: a camera had {least} looks where {even:.0} were an even share"));
    }
    if late > LATE_MAX {
        tally.miss(format!("overload: a picture waited {:.1} s to be read", late.as_secs_f64()));
    }
    tally.say(&format!(
        "overload: {count} cameras ask for {asked:.0} looks a second and have {:.1}: {least} to {most} each in {spent:.0} s, {dropped} \
         frames overwritten; no picture waited longer than {} ms to be read",
        all as f64 / spent,
        late.as_millis()
    ));
    Ok(json!({
        "cameras": count, "asked_per_s": asked, "looks_per_s": all as f64 / spent, "least": least, "most": most,
        "overwritten": dropped, "late_ms_max": u64::try_from(late.as_millis()).unwrap_or(u64::MAX),
    }))
}
