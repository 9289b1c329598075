//! What the system says of a process: its CPU time, memory and threads.
//!
//! In: a process id. Out: numbers of `/proc`. Never: a wait.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// CPU time of all its threads since it began, user and system, seconds.
    pub cpu_s: f64,
    /// Resident memory, MiB.
    pub rss_mib: f64,
    /// Threads that it has.
    pub threads: u64,
}

/// Reads a process; `None`: this one.
///
/// # Errors
/// It is gone, or `/proc` is not what Linux makes it.
pub(crate) fn read(process: Option<u32>) -> Result<Reading> {
    let name = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let folder = PathBuf::from("/proc").join(name);
    let text = |file: &str| {
        let path = folder.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("{}: has the process ended?", path.display()))
    };
    parse(&text("stat")?, &text("status")?).with_context(|| format!("{} is not understood", folder.display()))
}

fn parse(stat: &str, status: &str) -> Option<Reading> {
    // The command's name stands in brackets and may hold anything, brackets too.
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    // proc(5) counts from 1 and the name is the second: utime is the 14th field, stime the 15th.
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Reading {
        cpu_s: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        rss_mib: number("VmRSS:")? as f64 / 1024.0,
        threads: number("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_moves_no_field() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 7 0 12345";
        let reading = parse(stat, "Name:\ta\nVmRSS:\t  2048 kB\nThreads:\t7\n").unwrap();
        assert_eq!(reading.threads, 7);
        assert_eq!(reading.rss_mib, 2.0);
        assert_eq!(reading.cpu_s, 300.0 / rustix::param::clock_ticks_per_second() as f64);
        assert_eq!(parse("nonsense", ""), None);
    }

    #[test]
    fn work_shows_in_this_process() {
        let before = read(None).unwrap();
        let mut sum = 0_u64;
        while read(None).unwrap().cpu_s < before.cpu_s + 0.03 {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        assert!(before.rss_mib > 0.5 && before.threads >= 1, "{before:?} {sum}");
    }
}
