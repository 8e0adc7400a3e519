//! Counters of what happens to keys, one set per lane, merged when read.

use super::{Key, Live, Space};
use crate::sync::{AtomicU64, Ordering};

/// One lane's counters. Only the lane's thread adds, so an addition is a load and a store.
#[derive(Default)]
pub struct LaneStats {
    hits: AtomicU64,
    misses: AtomicU64,
    expired: AtomicU64,
    evicted: AtomicU64,
    changed: AtomicU64,
}

/// Sums over lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that ended by their deadline.
    pub expired: u64,
    /// Keys that ended because memory was short.
    pub evicted: u64,
    /// Changes of keys.
    pub changed: u64,
}

#[inline]
fn bump(counter: &AtomicU64) {
    add(counter, 1);
}

#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}

impl LaneStats {
    #[inline]
    pub(super) fn hit(&self) {
        bump(&self.hits);
    }

    #[inline]
    pub(super) fn miss(&self) {
        bump(&self.misses);
    }

    #[inline]
    pub(super) fn expired(&self) {
        bump(&self.expired);
    }

    /// Counts changes. The models leave it out: it would double the operations that they have to interleave.
    #[inline]
    pub(super) fn changed(&self, count: u64) {
        if cfg!(not(sockudo_loom)) {
            add(&self.changed, count);
        }
    }

    #[inline]
    pub(super) fn evicted(&self) {
        bump(&self.evicted);
    }
}

impl Totals {
    /// What has come since `earlier`.
    pub fn since(&self, earlier: &Totals) -> Totals {
        Totals {
            hits: self.hits - earlier.hits,
            misses: self.misses - earlier.misses,
            expired: self.expired - earlier.expired,
            evicted: self.evicted - earlier.evicted,
            changed: self.changed - earlier.changed,
        }
    }

    pub(super) fn of<'a>(lanes: impl Iterator<Item = &'a LaneStats>) -> Totals {
        lanes.fold(Totals::default(), |sum, lane| Totals {
            hits: sum.hits + lane.hits.load(Ordering::Relaxed),
            misses: sum.misses + lane.misses.load(Ordering::Relaxed),
            expired: sum.expired + lane.expired.load(Ordering::Relaxed),
            evicted: sum.evicted + lane.evicted.load(Ordering::Relaxed),
            changed: sum.changed + lane.changed.load(Ordering::Relaxed),
        })
    }
}

impl Space<'_> {
    /// Counts a hit or a miss of a command that reads in the same step as it writes.
    #[inline]
    pub fn count_lookup(&self, key: &[u8], found: bool) {
        if found {
            self.keyspace.lane_stats(self.lane).hit();
        } else {
            self.missed(key);
        }
    }

    fn missed(&self, key: &[u8]) {
        self.keyspace.lane_stats(self.lane).miss();
        if let Some(tell) = self.keyspace.on_missed.get() {
            tell(self.db, key);
        }
    }

    /// [`Space::inspect`] for a command whose misses are no event.
    pub fn inspect_silently<'a>(&'a self, key: Key<'a>) -> Option<Live<'a>> {
        let (live, stats) = (self.peek(key), self.keyspace.lane_stats(self.lane));
        if live.is_some() {
            stats.hit()
        } else {
            stats.miss()
        }
        live
    }
}
