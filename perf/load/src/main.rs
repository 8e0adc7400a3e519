//! Loads that redis-benchmark cannot make: transactions, pairs of clients that answer each other, readers of a stream
//! that acknowledge what they got, and mixes of commands. `perf/compare` runs it.
//!
//! Each client sends a *turn*, several commands in one write, and the next turn when all replies of the last are there.

mod client;
mod replies;
mod scenario;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Client, run_all};
use scenario::Scenario;

const USAGE: &str = "load PORT SCENARIO CLIENTS DEPTH REQUESTS THREADS KEYS";

/// What one run is to do.
pub struct Plan {
    address: SocketAddr,
    scenario: Scenario,
    clients: usize,
    /// Units of the scenario in a turn.
    depth: usize,
    /// Units in all.
    requests: u64,
    threads: usize,
    keys: u64,
}

/// What all threads share.
pub struct Progress {
    /// Units that may still be sent.
    left: AtomicU64,
    /// Units that count towards the rate and have been answered.
    done: AtomicU64,
}

impl Progress {
    /// Claims the units of one turn; false when there are none left.
    pub fn claim(&self, units: u64) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(units)).is_ok()
    }

    /// Whether nobody has a turn any more.
    pub fn is_used_up(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Counts units that were answered.
    pub fn count(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }
}

fn plan() -> Option<Plan> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, scenario, clients, depth, requests, threads, keys] = words.as_slice() else { return None };
    Some(Plan {
        address: (Ipv4Addr::LOCALHOST, port.parse().ok()?).into(),
        scenario: Scenario::named(scenario)?,
        clients: clients.parse().ok()?,
        depth: depth.parse().ok()?,
        requests: requests.parse().ok()?,
        threads: threads.parse().ok()?,
        keys: keys.parse().ok()?,
    })
}

fn main() -> std::io::Result<()> {
    let Some(plan) = plan() else {
        eprintln!("usage: {USAGE}; scenarios: {}", Scenario::NAMES.join(" "));
        std::process::exit(2);
    };
    let progress = Progress { left: AtomicU64::new(plan.requests), done: AtomicU64::new(0) };
    let mut groups: Vec<Vec<Client>> = (0..plan.threads).map(|_| Vec::new()).collect();
    for number in 0..plan.clients {
        groups[number % plan.threads].push(Client::connect(&plan, number)?);
    }
    let began = Instant::now();
    let times: Vec<std::io::Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            groups.iter_mut().map(|group| scope.spawn(|| run_all(group, &progress))).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let mut times = times.into_iter().collect::<std::io::Result<Vec<_>>>()?.concat();
    let seconds = began.elapsed().as_secs_f64();
    let done = progress.done.load(Ordering::Relaxed);
    times.sort_unstable();
    let at = |share: f64| {
        times.get((times.len() as f64 * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!("{done} {:.3} {:.3} {:.3} {:.3}", done as f64 / seconds, at(0.5), at(0.99), at(0.999));
    Ok(())
}
