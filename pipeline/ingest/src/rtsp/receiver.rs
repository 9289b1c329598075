//! The threads that receive for all cameras.
//!
//! What comes in: cameras, at any time. What goes out: each one's turn, twenty-five a second. Sockets are read in turns
//! and not when something comes: a stream of four megabits is some 350 packets a second, and as many wake-ups would cost
//! more than all else. Never: a camera that waits for another one's network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::line::{Last, Line, Turn};

/// From turn to turn.
const TURN_EVERY: Duration = Duration::from_millis(40);
/// Processors that one thread receives for.
const PROCESSORS_A_THREAD: usize = 8;
/// What is read at once.
const READ_BYTES: usize = 512 << 10;

#[derive(Default)]
struct Inbox {
    joining: Mutex<Vec<Line>>,
    woken: Condvar,
}

struct Receivers {
    inboxes: Vec<Arc<Inbox>>,
    next: AtomicUsize,
}

/// Takes a camera in; it is seen to until it says that it is through.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn join(line: Line) -> std::io::Result<()> {
    static RECEIVERS: OnceLock<Receivers> = OnceLock::new();
    let receivers = match RECEIVERS.get() {
        Some(receivers) => receivers,
        None => {
            // Of two that start at once one has threads that nobody gives anything to do.
            let begun = begin()?;
            RECEIVERS.get_or_init(|| begun)
        }
    };
    let at = receivers.next.fetch_add(1, Ordering::Relaxed) % receivers.inboxes.len();
    let inbox = &receivers.inboxes[at];
    inbox.joining.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    inbox.woken.notify_one();
    Ok(())
}

fn begin() -> std::io::Result<Receivers> {
    let threads =
        std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(PROCESSORS_A_THREAD));
    let mut inboxes = Vec::new();
    for number in 0..threads {
        let inbox = Arc::<Inbox>::default();
        let own = Arc::clone(&inbox);
        std::thread::Builder::new().name(format!("receive {number}")).spawn(move || run(&own))?;
        inboxes.push(inbox);
    }
    Ok(Receivers { inboxes, next: AtomicUsize::new(0) })
}

fn run(inbox: &Inbox) {
    let mut buffer = vec![0; READ_BYTES];
    let mut lines: Vec<Line> = Vec::new();
    let mut leaving: Vec<Last> = Vec::new();
    let mut next = Instant::now();
    loop {
        {
            let mut joining = inbox.joining.lock().unwrap_or_else(PoisonError::into_inner);
            while joining.is_empty() && lines.is_empty() && leaving.is_empty() {
                joining = inbox.woken.wait(joining).unwrap_or_else(PoisonError::into_inner);
            }
            lines.append(&mut joining);
        }
        lines.retain_mut(|line| match line.turn(&mut buffer) {
            Turn::Again => true,
            Turn::Through(told) => {
                leaving.extend(told);
                false
            }
        });
        // Nothing of a line is there any more when its end is told.
        for told in leaving.extract_if(.., |last| !last.is_open(&mut buffer)) {
            told.tell();
        }
        let now = Instant::now();
        next += TURN_EVERY;
        match next.checked_duration_since(now) {
            Some(left) => std::thread::sleep(left),
            // After a long turn the next one comes at once, and does not make up for those that were missed.
            None => next = now,
        }
    }
}
