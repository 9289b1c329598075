//! Names of cameras to addresses, apart from the threads that receive: the system's resolver waits.
//!
//! What comes in: a host and a port. What goes out: its addresses, once they are known. Never: more than
//! [`WORKERS`] threads, however many names are asked for.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Threads that ask.
const WORKERS: usize = 4;

/// An answer that may be on its way.
#[derive(Debug)]
pub(crate) enum Lookup {
    Known(Vec<SocketAddr>),
    /// `None` until it is there; an empty list where the name is not known.
    Asked(Arc<Mutex<Option<Vec<SocketAddr>>>>),
}

impl Lookup {
    /// Looks up a host; an address needs no asking.
    pub(crate) fn start(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Known(vec![SocketAddr::new(address, port)]),
            Err(_) => {
                let answer = Arc::default();
                let job = (host.to_owned(), port, Arc::clone(&answer));
                // The receivers live as long as the process.
                let _ = jobs().send(job);
                Self::Asked(answer)
            }
        }
    }

    /// The addresses, once they are known.
    pub(crate) fn poll(&self) -> Option<Vec<SocketAddr>> {
        match self {
            Self::Known(addresses) => Some(addresses.clone()),
            Self::Asked(answer) => answer.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

type Job = (String, u16, Arc<Mutex<Option<Vec<SocketAddr>>>>);

fn jobs() -> Sender<Job> {
    static JOBS: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        // One question a camera at a time: as many as there are cameras.
        let (jobs, asked) = channel();
        let asked = Arc::new(Mutex::new(asked));
        for number in 0..WORKERS {
            let asked = Arc::clone(&asked);
            let spawned =
                std::thread::Builder::new().name(format!("names {number}")).spawn(move || work(&asked));
            if let Err(error) = spawned {
                tracing::error!(%error, "no thread to look up names of cameras");
            }
        }
        Mutex::new(jobs)
    });
    jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn work(asked: &Mutex<Receiver<Job>>) {
    loop {
        let job = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((host, port, answer)) = job else { return };
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }
}
