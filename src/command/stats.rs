//! What the server has done so far, for INFO: counters of commands and errors per worker, merged when read.
//!
//! Counters only ever grow, because a worker adds with a plain load and store: a zero that somebody else stored in
//! between would be undone. CONFIG RESETSTAT therefore remembers the sums of that moment, and INFO shows what has come
//! since.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_utils::CachePadded;

use super::latency::{Distribution, Histogram};
use super::state::Server;
use super::table::registry;
use crate::keyspace::{reclaim, stats::Totals};
use crate::limits::ERROR_CODES;
use crate::memory;
use crate::sync::{AtomicU64, Ordering};

/// The code under which errors are counted when there are too many different ones.
const OTHER_CODES: &str = "OTHER";
/// Samples that the momentary rate is an average of; one is taken every [`SAMPLE_EVERY_MS`].
const SAMPLES: usize = 16;
/// Milliseconds between two samples.
pub const SAMPLE_EVERY_MS: u64 = 100;

/// All counters of commands and errors.
pub struct Stats {
    lanes: Box<[CachePadded<Lane>]>,
    /// What the counters were at the last CONFIG RESETSTAT.
    base: Mutex<Sums>,
    peak_memory: AtomicU64,
    /// Bytes that were allocated before the first client came.
    startup_memory: u64,
    rate: Mutex<Rate>,
}

/// One worker's counters. Only the worker adds to them.
pub(super) struct Lane {
    /// By the command's number in the registry.
    commands: Box<[Counts<AtomicU64>]>,
    /// By the command's number too.
    latencies: Box<[Histogram]>,
    /// Commands of finished batches.
    processed: AtomicU64,
    /// Times that a command met something closed, and waited.
    gate_waits: AtomicU64,
    /// Errors by their code. Nobody but INFO ever contends for it.
    errors: Mutex<BTreeMap<String, u64>>,
}

/// How often one command was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts<N = u64> {
    /// Calls that ran.
    pub calls: N,
    /// Those of them that answered with an error.
    pub failed: N,
    /// Calls that were refused before they ran.
    pub rejected: N,
    /// Time in calls, in ticks of [`super::ticks`].
    pub ticks: N,
}

/// Merged counters.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// By the command's number in the registry.
    pub commands: Vec<Counts>,
    /// How long calls took, by the command's number.
    pub latencies: Vec<Distribution>,
    /// By the error's code.
    pub errors: BTreeMap<String, u64>,
    /// Times that a command met something closed, and waited.
    pub gate_waits: u64,
    /// What happened to keys.
    pub keys: Totals,
    /// Connections that were accepted, also those that were refused after it.
    pub connections: u64,
    /// Connections beyond `maxclients`.
    pub rejected_connections: u64,
    /// Clients that were ended because all of them took too much.
    pub evicted_clients: u64,
    /// Large values and tables that the background thread has freed.
    pub lazyfreed: u64,
}

/// Commands per second of late.
struct Rate {
    looked: Instant,
    processed: u64,
    samples: [u64; SAMPLES],
    next: usize,
}

#[inline]
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every write under these locks is a single assignment: a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stats {
    pub(super) fn new(lanes: usize) -> Stats {
        Stats {
            lanes: (0..lanes).map(|_| CachePadded::new(Lane::new())).collect(),
            base: Mutex::default(),
            peak_memory: AtomicU64::new(0),
            startup_memory: memory::used(),
            rate: Mutex::new(Rate { looked: Instant::now(), processed: 0, samples: [0; SAMPLES], next: 0 }),
        }
    }

    /// The counters of the worker in this lane.
    pub(super) fn lane(&self, lane: usize) -> &Lane {
        &self.lanes[lane]
    }

    // -- the reader's side ------------------------------------------------------------------------------------------

    /// Looks at the rate and the memory: called every [`SAMPLE_EVERY_MS`] milliseconds.
    pub fn sample(&self) {
        self.note_peak(memory::used());
        let processed = self.lanes.iter().map(|lane| lane.processed.load(Ordering::Relaxed)).sum::<u64>();
        locked(&self.rate).sample(processed);
    }

    /// Commands per second, the average of the last samples.
    pub fn commands_per_second(&self) -> u64 {
        locked(&self.rate).samples.iter().sum::<u64>() / SAMPLES as u64
    }

    /// The most memory that any look has seen, this one (`now`) included, in bytes. Between two looks more may have been
    /// in use.
    pub fn note_peak(&self, now: u64) -> u64 {
        self.peak_memory.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Bytes that the empty server had allocated.
    pub fn startup_memory(&self) -> u64 {
        self.startup_memory
    }
}

impl Lane {
    fn new() -> Lane {
        Lane {
            commands: registry().numbered().iter().map(|_| Counts::default()).collect(),
            latencies: registry().numbered().iter().map(|_| Histogram::default()).collect(),
            processed: AtomicU64::new(0),
            gate_waits: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }

    /// Counts a call of the command with this number.
    #[inline]
    pub(super) fn called(&self, id: usize) {
        bump(&self.commands[id].calls, 1);
    }

    /// Adds the time that the calls of the command with this number took since the last time was added; `tracking`
    /// says whether their distribution is wanted.
    #[inline]
    pub(super) fn took(&self, id: usize, ticks: u64, tracking: bool) {
        let counts = &self.commands[id];
        bump(&counts.ticks, ticks);
        self.latencies[id].record(counts.calls.load(Ordering::Relaxed), ticks, tracking);
    }

    /// Counts that the call just counted answered with an error of this code; none if the error itself was counted before.
    #[cold]
    pub(super) fn failed(&self, id: usize, code: &[u8]) {
        bump(&self.commands[id].failed, 1);
        if !code.is_empty() {
            self.error(code);
        }
    }

    /// Counts a call that was refused with an error of this code.
    #[cold]
    pub(super) fn rejected(&self, id: usize, code: &[u8]) {
        bump(&self.commands[id].rejected, 1);
        self.error(code);
    }

    /// Counts an error of this code.
    #[cold]
    pub(super) fn error(&self, code: &[u8]) {
        let mut errors = locked(&self.errors);
        let code = String::from_utf8_lossy(code);
        if let Some(count) = errors.get_mut(&*code) {
            *count += 1;
            return;
        }
        // A client can make up codes of its own, by DEBUG ERROR: their number is bounded.
        let code = if errors.len() < ERROR_CODES { &*code } else { OTHER_CODES };
        *errors.entry(code.to_string()).or_default() += 1;
    }

    /// Counts that a command waits for something closed.
    #[cold]
    pub(super) fn waited(&self) {
        bump(&self.gate_waits, 1);
    }

    /// Counts the commands of a batch for the momentary rate.
    #[inline]
    pub(super) fn processed(&self, commands: usize) {
        bump(&self.processed, commands as u64);
    }
}

impl Rate {
    fn sample(&mut self, processed: u64) {
        let now = Instant::now();
        let elapsed = now.duration_since(self.looked).as_millis().max(1) as u64;
        self.samples[self.next] = (processed - self.processed) * 1000 / elapsed;
        self.next = (self.next + 1) % SAMPLES;
        (self.looked, self.processed) = (now, processed);
    }
}

impl Counts<AtomicU64> {
    fn load(&self) -> Counts {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            calls: value(&self.calls),
            failed: value(&self.failed),
            rejected: value(&self.rejected),
            ticks: value(&self.ticks),
        }
    }
}

impl Counts {
    fn zip(self, other: Counts, with: fn(u64, u64) -> u64) -> Counts {
        Counts {
            calls: with(self.calls, other.calls),
            failed: with(self.failed, other.failed),
            rejected: with(self.rejected, other.rejected),
            ticks: with(self.ticks, other.ticks),
        }
    }
}

impl Sums {
    /// Errors of all codes.
    pub fn all_errors(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Calls of all commands.
    pub fn all_calls(&self) -> u64 {
        self.commands.iter().map(|counts| counts.calls).sum()
    }

    fn since(mut self, base: &Sums) -> Sums {
        for (now, then) in self.commands.iter_mut().zip(&base.commands) {
            *now = now.zip(*then, u64::wrapping_sub);
        }
        for (now, then) in self.latencies.iter_mut().zip(&base.latencies) {
            now.since(then);
        }
        for (code, then) in &base.errors {
            self.errors.entry(code.clone()).and_modify(|now| *now -= then);
        }
        self.errors.retain(|_, count| *count != 0);
        self.gate_waits -= base.gate_waits;
        self.keys = self.keys.since(&base.keys);
        self.connections -= base.connections;
        self.rejected_connections -= base.rejected_connections;
        self.lazyfreed -= base.lazyfreed;
        self.evicted_clients -= base.evicted_clients;
        self
    }
}

impl Server {
    /// What happened since the last CONFIG RESETSTAT.
    pub fn sums(&self) -> Sums {
        // The lock is taken first, so that the sums are never older than what is subtracted from them.
        let base = locked(&self.stats.base);
        self.sums_of_all_time().since(&base)
    }

    /// CONFIG RESETSTAT: from now on [`Server::sums`] starts at zero.
    pub fn reset_sums(&self) {
        let mut base = locked(&self.stats.base);
        *base = self.sums_of_all_time();
        self.persist.reset();
    }

    fn sums_of_all_time(&self) -> Sums {
        let mut sums = Sums {
            commands: vec![Counts::default(); registry().numbered().len()],
            latencies: vec![Distribution::default(); registry().numbered().len()],
            errors: BTreeMap::new(),
            gate_waits: self.stats.lanes.iter().map(|lane| lane.gate_waits.load(Ordering::Relaxed)).sum(),
            keys: self.keyspace.stats(),
            connections: self.total_connections_received.load(Ordering::Relaxed),
            rejected_connections: self.rejected_connections.load(Ordering::Relaxed),
            lazyfreed: reclaim::freed(),
            evicted_clients: self.clients.evicted(),
        };
        for lane in &self.stats.lanes {
            for (sum, counts) in sums.commands.iter_mut().zip(&lane.commands) {
                *sum = sum.zip(counts.load(), u64::wrapping_add);
            }
            for (sum, own) in sums.latencies.iter_mut().zip(&lane.latencies) {
                own.add_to(sum);
            }
            for (code, count) in locked(&lane.errors).iter() {
                *sums.errors.entry(code.clone()).or_default() += count;
            }
        }
        sums
    }
}
