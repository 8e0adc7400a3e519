//! What a key's access clock means: when the key was used last, or how often.
//!
//! The 32 bits of a slot's clock are, by what the eviction policy asks for:
//!
//! ```text
//! Recency, Modification   time of the last use (or write) in ticks of 16 ms
//! Frequency               | minute of the last use, 16 bits | uses, logarithmic, 8 bits . 8 bits |
//! ```
//! The logarithmic counter is Redis's: a new key has 5, a use adds one with a probability that falls as the counter
//! rises, and the counter loses one for every `decay` minutes without a use. Redis keeps the whole part only and adds by
//! chance; with eight more bits most uses add exactly what the chance would have been, so that keys which are used alike
//! have counters that are alike.
//!
//! A change of the policy leaves the clocks as they are, as in Redis: they mean something again when the keys are used.

use std::cell::Cell;

use crate::keyspace::entry::Entry;
use crate::sync::{AtomicU32, Ordering};

/// Milliseconds of a tick, as a power of two. A clock runs for more than two years before it repeats; a finer one would
/// make readers of a hot key write its cache line more often.
const TICK_SHIFT: u32 = 4;
const MS_PER_MINUTE: u64 = 60_000;
const MINUTE_SHIFT: u32 = 16;
const COUNTER: u32 = (1 << MINUTE_SHIFT) - 1;
/// One use, before the logarithm.
const ONE: u32 = 1 << 8;
/// The counter of a new key.
const FIRST: u32 = 5 * ONE;
const MOST: u32 = 255 * ONE;

/// What the clocks of all keys tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Tracking {
    /// When a key was read or written last.
    Recency,
    /// When a key was written last.
    Modification,
    /// How often a key is used.
    Frequency,
}

/// How clocks are kept, the same for all keys.
#[derive(Debug)]
pub struct Usage {
    tracking: AtomicU32,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage {
            tracking: AtomicU32::new(Tracking::Recency as u32),
            log_factor: AtomicU32::new(10),
            decay_minutes: AtomicU32::new(1),
        }
    }
}

impl Usage {
    /// Changes how clocks are kept from now on: `lfu-log-factor` and `lfu-decay-time` are of the frequency only.
    pub fn set(&self, tracking: Tracking, log_factor: u32, decay_minutes: u32) {
        self.tracking.store(tracking as u32, Ordering::Relaxed);
        self.log_factor.store(log_factor, Ordering::Relaxed);
        self.decay_minutes.store(decay_minutes, Ordering::Relaxed);
    }

    /// What the clocks tell.
    #[inline]
    pub fn tracking(&self) -> Tracking {
        match self.tracking.load(Ordering::Relaxed) {
            0 => Tracking::Recency,
            1 => Tracking::Modification,
            _ => Tracking::Frequency,
        }
    }

    /// Counts a use of the key at `now`.
    pub fn count(&self, entry: &Entry, now: u64) {
        let counter = self.decayed(entry.clock(), now);
        entry.touch(minute(now) << MINUTE_SHIFT | self.raised(counter));
    }

    /// How often the key of this clock is used, in 256ths of a step of the logarithm.
    pub fn decayed(&self, clock: u32, now: u64) -> u32 {
        let periods = match self.decay_minutes.load(Ordering::Relaxed) {
            0 => 0,
            minutes => u32::from(minutes_since(clock, now)) / minutes,
        };
        (clock & COUNTER).saturating_sub(periods.saturating_mul(ONE))
    }

    fn raised(&self, counter: u32) -> u32 {
        let factor = u64::from(self.log_factor.load(Ordering::Relaxed));
        // One use in so many raises the counter by a step.
        let uses = u64::from(counter.saturating_sub(FIRST)) * factor / u64::from(ONE) + 1;
        let (sure, rest) = (u64::from(ONE) / uses, u64::from(ONE) % uses);
        let by_chance = rest != 0 && chance() % uses < rest;
        (counter + sure as u32 + u32::from(by_chance)).min(MOST)
    }
}

/// The minute of a time, as far as clocks keep it.
fn minute(now: u64) -> u32 {
    (now / MS_PER_MINUTE) as u32 & 0xffff
}

/// Minutes since the last use of a key whose frequency is kept.
pub fn minutes_since(clock: u32, now: u64) -> u16 {
    (minute(now) as u16).wrapping_sub((clock >> MINUTE_SHIFT) as u16)
}

/// The clock of a time.
#[inline]
pub fn ticks(now: u64) -> u32 {
    (now >> TICK_SHIFT) as u32
}

/// The clock that a new key gets.
#[inline]
pub fn first(tracking: Tracking, now: u64) -> u32 {
    match tracking {
        Tracking::Frequency => minute(now) << MINUTE_SHIFT | FIRST,
        Tracking::Recency | Tracking::Modification => ticks(now),
    }
}

/// The clock of a key that was used `seconds` ago.
pub fn used_ago(seconds: u64, now: u64) -> u32 {
    // What cannot be told apart from the future is as old as can be told.
    let ago = seconds.saturating_mul(1000).div_ceil(1 << TICK_SHIFT).min(u64::from(u32::MAX / 2));
    ticks(now).wrapping_sub(ago as u32)
}

/// The clock of a key whose logarithmic counter is `frequency`.
pub fn used_often(frequency: u8, now: u64) -> u32 {
    (minute(now) << MINUTE_SHIFT) | (u32::from(frequency) * ONE)
}

/// Ticks since the last use.
#[inline]
pub fn ticks_since(clock: u32, now: u64) -> u32 {
    let ticks = ticks(now).wrapping_sub(clock);
    // Another thread may have stored a time that is a little later than this command's.
    if ticks > u32::MAX - 1024 { 0 } else { ticks }
}

/// Seconds since the last use.
pub fn seconds_since(clock: u32, now: u64) -> u64 {
    (u64::from(ticks_since(clock, now)) << TICK_SHIFT) / 1000
}

/// Steps of the logarithm, as OBJECT FREQ shows them.
pub fn steps(counter: u32) -> u8 {
    (counter / ONE) as u8
}

/// A number that is as good as any other (xorshift).
pub fn chance() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
    }
    let mut x = STATE.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    STATE.set(x);
    x
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use crate::value::word::Word;

    const NOW: u64 = 1_800_000_000_000;

    fn with_entry(clock: u32, work: impl FnOnce(&Entry)) {
        let entry = Entry::new(b"k", Word::DEAD, clock);
        // SAFETY: the entry is the test's own.
        unsafe {
            work(entry.as_ref());
            Entry::free(entry);
        }
    }

    #[test]
    fn idle_time_reads_back() {
        for seconds in [0, 1, 1000, 86_400 * 300] {
            assert_eq!(seconds_since(used_ago(seconds, NOW), NOW), seconds);
        }
        assert!(seconds_since(used_ago(u64::MAX, NOW), NOW) > 86_400 * 365);
        assert_eq!(seconds_since(ticks(NOW + 100), NOW), 0, "the future is now");
    }

    /// The table of Redis's documentation: with a factor of 10 a hundred uses come to about 10, a million to 255.
    #[test]
    fn frequency_is_logarithmic_and_decays() {
        let usage = Usage::default();
        usage.set(Tracking::Frequency, 10, 1);
        with_entry(first(Tracking::Frequency, NOW), |entry| {
            assert_eq!(steps(usage.decayed(entry.clock(), NOW)), 5);
            (0..100).for_each(|_| usage.count(entry, NOW));
            assert!((9..=10).contains(&steps(usage.decayed(entry.clock(), NOW))), "{:x}", entry.clock());
            (0..1_000_000).for_each(|_| usage.count(entry, NOW));
            let now = steps(usage.decayed(entry.clock(), NOW));
            assert!(now > 250, "{now}");
            assert_eq!(steps(usage.decayed(entry.clock(), NOW + 10 * MS_PER_MINUTE)), now - 10);
            assert_eq!(usage.decayed(entry.clock(), NOW + 1000 * MS_PER_MINUTE), 0);
        });
    }

    #[test]
    fn without_a_factor_every_use_counts() {
        let usage = Usage::default();
        usage.set(Tracking::Frequency, 0, 0);
        with_entry(used_often(100, NOW), |entry| {
            (0..3).for_each(|_| usage.count(entry, NOW + 99 * MS_PER_MINUTE));
            assert_eq!(steps(usage.decayed(entry.clock(), NOW)), 103, "and nothing decays");
            (0..300).for_each(|_| usage.count(entry, NOW));
            assert_eq!(steps(usage.decayed(entry.clock(), NOW)), 255);
        });
    }
}
