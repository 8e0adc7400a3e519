//! Room under `maxmemory`: whether a command that needs memory may run, and making room for it.
//!
//! Forming the sum of all threads' counters for every command would cost more than most commands. So a thread that has
//! looked is granted a part of what is left, and looks again when it has allocated that much: one comparison a command.
//! All grants together are no more than a fraction of a percent of the limit, and so is the room that eviction makes
//! beyond what is needed at the moment.
//!
//! What is unlinked is not free before its readers are done. It counts as gone when keys are evicted, or the whole
//! keyspace would go while the first victims wait; but it is in use all the same, and a command that needs memory waits
//! until the sum, too, is within the limit.

use std::time::Duration;

use super::state::Server;
use crate::keyspace::evict::{Ground, Hunted, Hunter, Policy, Rule, tracking_of};
use crate::keyspace::reclaim;
use crate::memory;
use crate::sync::{AtomicU64, Ordering};

/// This part of the limit is granted to all threads together, is made room for beyond what is needed, and may be in use
/// beyond the limit while it waits for its readers.
const PART: u64 = 512;

/// Whether there is memory for a command that needs some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// There is.
    Enough,
    /// There is none, and nothing may be evicted.
    Short,
    /// There will be when eviction is done and what was unlinked is freed.
    Busy,
}

/// One thread's view of the memory that is left.
#[derive(Debug, Default)]
pub struct Room {
    hunter: Hunter,
    /// The limit; zero is none.
    most: u64,
    /// Bytes that the thread may have allocated before it looks again.
    until: i64,
}

impl Room {
    /// A batch begins under this limit; whether it is one.
    #[inline]
    pub(super) fn begin(&mut self, most: u64) -> bool {
        if most != self.most {
            self.most = most;
            self.until = i64::MIN;
        }
        most != 0
    }

    /// Whether the thread has used up what it was granted.
    #[inline]
    pub(super) fn must_look(&self) -> bool {
        memory::allocated_by_this_thread() >= self.until
    }

    /// Looks how much is left, and evicts if it is nothing.
    #[cold]
    pub(super) fn look(&mut self, server: &Server, ground: &Ground<'_>) -> Verdict {
        let used = memory::used();
        let verdict = if used <= self.most {
            let granted = ((self.most - used) / 2).min(self.most / PART) / ground.keyspace.lanes() as u64;
            self.until = memory::allocated_by_this_thread().saturating_add_unsigned(granted);
            Verdict::Enough
        } else {
            self.until = i64::MIN;
            self.make(server, ground, used)
        };
        server.shortage.note(server, verdict != Verdict::Enough);
        verdict
    }

    fn make(&mut self, server: &Server, ground: &Ground<'_>, used: u64) -> Verdict {
        if reclaim::pending_tables() != 0 {
            // How much of what is used they hold shows when they are freed.
            return Verdict::Busy;
        }
        let (kept, margin) = (used.saturating_sub(unlinked()), self.most / PART);
        if kept > self.most {
            let Some(rule) = rule(server) else { return Verdict::Short };
            let wanted = kept - self.most + margin;
            match self.hunter.hunt(ground, &rule, i64::try_from(wanted).unwrap_or(i64::MAX)) {
                Hunted::Enough => {}
                Hunted::TimeUp => return Verdict::Busy,
                Hunted::Nothing if memory::used().saturating_sub(unlinked()) > self.most => {
                    return Verdict::Short;
                }
                Hunted::Nothing => {}
            }
        }
        if memory::used() > self.most + margin { Verdict::Busy } else { Verdict::Enough }
    }
}

/// Bytes that are in use only until somebody frees them.
fn unlinked() -> u64 {
    memory::garbage() + reclaim::pending_bytes()
}

/// What the configuration says about eviction; none if nothing is evicted.
fn rule(server: &Server) -> Option<Rule> {
    let live = server.config.live();
    let policy = Policy::numbered(live.maxmemory_policy())?;
    Some(Rule { policy, samples: live.maxmemory_samples(), slice: slice(live.eviction_tenacity()) })
}

/// How long a command may be kept by eviction for a tenacity from 0 to 100, as in Redis: half a millisecond at 10, from
/// there 15% more for each, and 100 is without end.
fn slice(tenacity: u64) -> Duration {
    match tenacity {
        0..=10 => Duration::from_micros(50 * tenacity),
        11..=99 => Duration::from_secs_f64(500e-6 * 1.15f64.powi(tenacity as i32 - 10)),
        _ => Duration::MAX,
    }
}

/// Whether memory is short after all that could be evicted has been: as a script finds it that begins now.
pub fn is_short(server: &Server) -> bool {
    let most = server.config.live().maxmemory();
    most != 0 && memory::used().saturating_sub(unlinked()) > most
}

/// Has access clocks tell what the configuration's policy wants to know.
pub fn follow_policy(server: &Server) {
    let live = server.config.live();
    let tracking = tracking_of(live.maxmemory_policy());
    server.keyspace.usage.set(tracking, live.lfu_log_factor(), live.lfu_decay_time());
}

/// For how long more has been in use than `maxmemory` allows.
#[derive(Debug, Default)]
pub struct Shortage {
    /// Since when, in microseconds of the server's life; zero while there is none.
    since: AtomicU64,
    /// Microseconds of all that are over.
    total: AtomicU64,
}

impl Shortage {
    /// Notes what a look has found.
    fn note(&self, server: &Server, is: bool) {
        let since = self.since.load(Ordering::Relaxed);
        if is == (since != 0) {
            return;
        }
        let (now, then) = (age(server), if is { 0 } else { since });
        let next = if is { now } else { 0 };
        // Of two that notice the same, one notes it.
        let noted = self.since.compare_exchange(since, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if noted && then != 0 {
            self.total.fetch_add(now.saturating_sub(then), Ordering::Relaxed);
        }
    }

    /// Milliseconds of all shortages, and of the present one.
    pub fn millis(&self, server: &Server) -> (u64, u64) {
        let since = self.since.load(Ordering::Relaxed);
        let current = if since == 0 { 0 } else { age(server).saturating_sub(since) };
        ((self.total.load(Ordering::Relaxed) + current) / 1000, current / 1000)
    }

    /// CONFIG RESETSTAT: they count from now on.
    pub fn reset(&self) {
        self.total.store(0, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
    }
}

fn age(server: &Server) -> u64 {
    // One more, because zero means that there is no shortage.
    server.started.elapsed().as_micros() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_redis_s() {
        assert_eq!(slice(0), Duration::ZERO);
        assert_eq!(slice(10), Duration::from_micros(500));
        assert_eq!(slice(11), Duration::from_micros(575));
        assert!(slice(99) > Duration::from_secs(120) && slice(100) == Duration::MAX);
    }
}
