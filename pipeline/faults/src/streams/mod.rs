//! Cameras that misbehave, and the service that watches them and others.
//!
//! In: how much. Out: for each fault how soon after its end its camera was looked at again, and how many looks the
//! other cameras lost meanwhile. Never: a clock of the service's own; what is measured is seen from outside.

mod cameras;
mod fault;
mod ledger;
mod overload;
mod reel;
mod rtp;
mod rtsp;
mod serve;
mod service;
mod session;
mod soak;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Tally;
use fault::{Fault, SHORT};
use ledger::{Lost, Standing};
use reel::Reel;
use serve::{Camera, Reels};
use service::{Seat, Service};

pub(crate) use cameras::run as run_cameras;
pub(crate) use overload::run as run_overload;
pub(crate) use soak::run as run_soak;

/// Cameras that never have a fault.
const SOUND: usize = 6;
/// Faults that share a service in the long form: with their cameras and the sound ones as many as two cores carry with
/// room to spare.
const FAULTS_A_SERVICE: usize = 11;
/// Every camera must have been looked at so soon after the start.
const START_WITHIN: Duration = Duration::from_secs(60);
/// A look that is counted as the first one after a fault's end comes at least so long after it: before, it may be of
/// a picture that was sent under the fault.
const SETTLED: Duration = Duration::from_millis(400);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A camera that does not come back is waited for so long beyond its time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Looks that other cameras may lose while one has a fault, percent.
const LOST_PERCENT_MAX: f64 = 1.0;
/// The short form has all faults at once and runs beside other tests on small machines: it is there to find what does
/// not come back at all.
const SHORT_WITHIN: Duration = Duration::from_secs(40);
const SHORT_LOST_PERCENT_MAX: f64 = 10.0;
const PASSWORD: &str = "first";
const PASSWORD_CHANGED: &str = "second";

/// What came of one fault.
struct Row {
    fault: Fault,
    lasted: Duration,
    /// Looks of its camera while it lasted, and key frames that were due.
    during: Lost,
    /// From its end to the first look; `None`: never.
    back: Option<Duration>,
    others: Lost,
    rss_mib: f64,
}

impl Row {
    fn json(&self) -> Value {
        let held = self.fault.held();
        json!({
            "fault": held.name,
            "does": held.does,
            "lasted_s": self.lasted.as_secs_f64(),
            "looks_due_during": self.during.due,
            "looks_lost_during": self.during.lost,
            "back_s": self.back.map(|back| back.as_secs_f64()),
            "back_s_max": held.within.as_secs_f64(),
            "others_looks_due": self.others.due,
            "others_looks_lost": self.others.lost,
            "others_frames_overwritten": self.others.overwritten,
            "rss_mib": self.rss_mib,
        })
    }

    fn markdown(&self) -> String {
        let held = self.fault.held();
        let back = self.back.map_or_else(|| "never".to_owned(), |back| format!("{:.1}", back.as_secs_f64()));
        format!(
            "| {} | {} | {:.0} | {} of {} | {back} | {} of {} |",
            held.name,
            held.does,
            self.lasted.as_secs_f64(),
            self.during.due.saturating_sub(self.during.lost),
            self.during.due,
            self.others.lost,
            self.others.due
        )
    }
}

const HEAD: &str = "| fault | what the camera does | for, s | looks had meanwhile | first look after, s | looks lost by the others |\n\
                    |---|---|---|---|---|---|";

/// The cameras of a street.
struct Street {
    /// By fault.
    faulty: Vec<(Fault, Seat)>,
    sound: Vec<Seat>,
}

impl Street {
    async fn build(faults: &[Fault]) -> Result<Self> {
        let reels = Reels::new(Reel::street()?)?;
        let mut faulty = Vec::new();
        let apart = |number: usize| Duration::from_millis(137 * number as u64);
        for (number, fault) in faults.iter().enumerate() {
            let password = fault.is_guarded().then_some(PASSWORD);
            let camera = Camera::start(reels.clone(), apart(number), password).await?;
            let id = held_id(*fault);
            let seat = Seat { over_udp: fault.is_over_udp(), password, ..Seat::new(id, camera) };
            faulty.push((*fault, seat));
        }
        let mut sound = Vec::new();
        for number in 0..SOUND {
            let camera = Camera::start(reels.clone(), apart(faults.len() + number), None).await?;
            sound.push(Seat::new(format!("sound-{number}"), camera));
        }
        Ok(Self { faulty, sound })
    }

    fn all(&self) -> Vec<Seat> {
        self.faulty.iter().map(|(_, seat)| seat.clone()).chain(self.sound.iter().cloned()).collect()
    }
}

/// Its name as a camera's id.
fn held_id(fault: Fault) -> String {
    let name = fault.held().name.to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.chars().map(plain).collect()
}

/// The fault whose camera is called so.
fn named(name: &str) -> Result<Fault> {
    let found = Fault::ALL.into_iter().find(|fault| held_id(*fault) == name);
    found.with_context(|| {
        format!("no fault is called {name}; there are: {}", Fault::ALL.map(held_id).join(", "))
    })
}

/// Every fault, one after the other, or all at once in the short form; `only` by their names.
pub(crate) async fn run(short: bool, only: &[String], tally: &mut Tally) -> Result<Value> {
    let mut faults = only.iter().map(|name| named(name)).collect::<Result<Vec<Fault>>>()?;
    if faults.is_empty() {
        faults = Fault::ALL.to_vec();
    }
    // What is asked for patiently would take longer than all the rest.
    faults.retain(|fault| !short || fault.held().within < SHORT_WITHIN);
    let mut rows = Vec::new();
    let bar = tally.bar("stream faults", faults.len() as u64);
    for faults in faults.chunks(if short { faults.len() } else { FAULTS_A_SERVICE }) {
        let street = Street::build(faults).await?;
        let mut service = Service::start(&street.all()).await?;
        all_looked_at(&mut service, &street.all()).await?;
        if short {
            rows.extend(all_at_once(&street, &mut service).await?);
        } else {
            for (fault, seat) in &street.faulty {
                rows.push(alone(*fault, seat, &street, &mut service).await?);
                bar.set(rows.len() as u64);
            }
        }
        let own = &rows[rows.len() - street.faulty.len()..];
        for (row, (_, seat)) in own.iter().zip(&street.faulty) {
            judge_return(row, short, tally);
            if row.back.is_none() {
                tally.say(&service.tail(&format!("\"{}\"", seat.id)));
            }
        }
        // All at once they have the same others.
        own[..if short { 1 } else { own.len() }].iter().for_each(|row| judge_others(row, short, tally));
        service.stop().await?;
    }
    bar.done();
    tally.injected += rows.len() as u64;
    tally.say(HEAD);
    for row in &rows {
        tally.say(&row.markdown());
    }
    Ok(json!(rows.iter().map(Row::json).collect::<Vec<_>>()))
}

fn judge_return(row: &Row, short: bool, tally: &mut Tally) {
    let held = row.fault.held();
    let within = if short { SHORT_WITHIN } else { held.within };
    if row.back.is_none_or(|back| back > within) {
        let secs = within.as_secs();
        tally.miss(format!("{}: its camera was not looked at within {secs} s of its end", held.name));
    }
}

/// A machine that is too slow for all faults at once is no fault of the service's: there, frames for which the detector
/// was late are left out.
fn judge_others(row: &Row, short: bool, tally: &mut Tally) {
    let Lost { lost, due, overwritten } = row.others;
    let (counted, most) = if short {
        (lost.saturating_sub(overwritten), SHORT_LOST_PERCENT_MAX)
    } else {
        (lost, LOST_PERCENT_MAX)
    };
    if (Lost { lost: counted, ..row.others }).percent() > most {
        let during = if short { "all at once" } else { row.fault.held().name };
        tally.miss(format!(
            "{during}: the other cameras lost {lost} of {due} looks, {overwritten} of them because the detector was late"
        ));
    }
}

/// Until each was looked at.
async fn all_looked_at(service: &mut Service, seats: &[Seat]) -> Result<()> {
    let deadline = Instant::now() + START_WITHIN;
    loop {
        let looks = service.looks().await?;
        let missing = seats.iter().find(|seat| looks.get(&seat.id).is_none_or(|looks| *looks == 0));
        let Some(missing) = missing else { return Ok(()) };
        anyhow::ensure!(
            Instant::now() < deadline,
            "camera {} was not looked at within {START_WITHIN:?} of the start, before any fault\n{}",
            missing.id,
            service.tail(&format!("\"{}\"", missing.id))
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn alone(fault: Fault, seat: &Seat, street: &Street, service: &mut Service) -> Result<Row> {
    let others: Vec<Seat> = street.all().into_iter().filter(|other| other.id != seat.id).collect();
    let own = std::slice::from_ref(seat);
    let before = Standing::now(service, &street.all()).await?;
    let begun = Instant::now();
    begin(fault, seat);
    tokio::time::sleep(fault.held().lasts).await;
    let during = before.lost_until(&Standing::now(service, own).await?);
    let lasted = begun.elapsed();
    let rss_mib = service.cost()?.rss_mib;
    end(fault, seat, service)?;
    let back = looked_at_again(service, own, fault.held().within).await?.remove(0);
    let others = before.lost_until(&Standing::now(service, &others).await?);
    Ok(Row { fault, lasted, during, back, others, rss_mib })
}

async fn all_at_once(street: &Street, service: &mut Service) -> Result<Vec<Row>> {
    let before = Standing::now(service, &street.all()).await?;
    let begun = Instant::now();
    street.faulty.iter().for_each(|(fault, seat)| begin(*fault, seat));
    tokio::time::sleep(SHORT).await;
    let seats: Vec<Seat> = street.faulty.iter().map(|(_, seat)| seat.clone()).collect();
    let after = Standing::now(service, &seats).await?;
    let (lasted, rss_mib) = (begun.elapsed(), service.cost()?.rss_mib);
    for (fault, seat) in &street.faulty {
        end(*fault, seat, service)?;
    }
    let back = looked_at_again(service, &seats, SHORT_WITHIN).await?;
    let others = before.lost_until(&Standing::now(service, &street.sound).await?);
    let rows = street.faulty.iter().zip(back).map(|((fault, seat), back)| Row {
        fault: *fault,
        lasted,
        during: before.lost_until(&after.only(&seat.id)),
        back,
        others,
        rss_mib,
    });
    Ok(rows.collect())
}

fn begin(fault: Fault, seat: &Seat) {
    if fault == Fault::PasswordChanged {
        seat.camera.ask_for(PASSWORD_CHANGED);
    }
    seat.camera.set(Some(fault));
}

/// Ends a fault. A password that was changed stays so: the operator writes it down.
fn end(fault: Fault, seat: &Seat, service: &Service) -> Result<()> {
    seat.camera.set(None);
    if fault == Fault::PasswordChanged {
        service
            .edit(&Seat { password: Some(PASSWORD_CHANGED), ..seat.clone() })
            .context("editing a camera's file")?;
    }
    Ok(())
}

/// How soon from now each of some cameras is looked at; `None` where it is not within `within` and some patience.
async fn looked_at_again(
    service: &mut Service,
    seats: &[Seat],
    within: Duration,
) -> Result<Vec<Option<Duration>>> {
    let ended = Instant::now();
    tokio::time::sleep(SETTLED).await;
    let before = service.looks().await?;
    let mut back = vec![None; seats.len()];
    while back.contains(&None) && ended.elapsed() < within + PATIENCE {
        tokio::time::sleep(LOOK_EVERY).await;
        let looks = service.looks().await?;
        for (seat, back) in seats.iter().zip(&mut back).filter(|(_, back)| back.is_none()) {
            *back = (looks.get(&seat.id) > before.get(&seat.id)).then(|| ended.elapsed());
        }
    }
    Ok(back)
}
