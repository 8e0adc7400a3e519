//! All keys: tables, the gate, liveness and expiry.
//!
//! [`Space`] is how a command sees a database. Beneath it, from the outside in: [`gate`] says who may run beside whom,
//! [`table`] maps keys to entries, [`entry`] is a key with its slot, [`wheel`] knows what falls due,
//! [`evict`] ends keys when memory is short, [`observe`] tells those who want to hear of changes, and [`snapshot`] gets
//! every key as it was at one instant.

pub mod bucket;
pub mod collections;
mod deadline;
mod due_fields;
pub mod entry;
pub mod evict;
pub mod expire;
mod fill;
pub mod gate;
pub mod hash;
pub mod held;
pub mod observe;
pub mod reclaim;
pub mod snapshot;
pub mod space;
pub mod stats;
pub mod table;
mod thaw;
mod transfer;
pub mod wheel;

use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

pub use collections::{Absent, Edit, Edited, WrongType};
pub use held::Held;
pub use space::{Access, Change, Key, Live, Space};

use crate::sync::epoch::Guard;
use crate::sync::{AtomicI64, AtomicPtr, AtomicU64, Ordering};
use due_fields::DueFields;
use evict::usage::Usage;
use expire::Walk;
use gate::Gate;
use hash::KeyHasher;
use observe::{Readers, Watches};
use snapshot::Snapshots;
use stats::LaneStats;
use table::Table;
use wheel::Wheel;

/// What is told the database and the name of a key: that it ended, mostly.
pub type OnEnded = Box<dyn Fn(usize, &[u8]) + Send + Sync>;

/// Every database of the server, and what they share.
pub struct Keyspace {
    /// Who may run beside whom.
    pub gate: Gate,
    /// The hash of every key.
    pub hasher: KeyHasher,
    /// Who watches which key.
    pub watches: Watches,
    /// Who has read what, of those who want to know when it changes.
    pub readers: Readers,
    /// Told of every key that ended because of its deadline, once set.
    pub on_expired: OnceLock<OnEnded>,
    /// Told of every hash of which fields ended because of their deadlines without a command, once set.
    pub on_fields_expired: OnceLock<OnEnded>,
    /// Told of every hash that ended with the last of them, once set.
    pub on_emptied: OnceLock<OnEnded>,
    /// Told of every key that was not there before, once set.
    pub on_new: OnceLock<OnEnded>,
    /// Told of every read of a key that is not there, once set.
    pub on_missed: OnceLock<OnEnded>,
    /// Told of every key that was evicted, once set.
    pub on_evicted: OnceLock<OnEnded>,
    /// What the keys' access clocks tell.
    pub usage: Usage,
    wheel: Wheel,
    walk: Walk,
    /// Which hashes have fields that fall due.
    pub due_fields: DueFields,
    /// The snapshot that is under way, if any.
    pub snapshots: Snapshots,
    dbs: Box<[Db]>,
    stats: Box<[CachePadded<LaneStats>]>,
    /// Until then, Unix time in milliseconds, nothing that fell due is ended, and is absent all the same.
    held_until: AtomicU64,
}

/// One database: a table that FLUSHDB and SWAPDB exchange.
pub struct Db {
    table: AtomicPtr<Table>,
    /// Keys with a deadline, per lane.
    volatile: Box<[CachePadded<AtomicI64>]>,
}

impl Keyspace {
    /// `dbs` empty databases for `lanes` threads that may run commands; `now` is Unix time in milliseconds.
    pub fn new(dbs: usize, lanes: usize, now: u64) -> Keyspace {
        let hasher = KeyHasher::random();
        Keyspace {
            gate: Gate::new(lanes),
            on_expired: OnceLock::new(),
            on_fields_expired: OnceLock::new(),
            on_emptied: OnceLock::new(),
            on_new: OnceLock::new(),
            on_missed: OnceLock::new(),
            on_evicted: OnceLock::new(),
            usage: Usage::default(),
            wheel: Wheel::new(lanes, now),
            walk: Walk::default(),
            due_fields: DueFields::default(),
            snapshots: Snapshots::default(),
            dbs: (0..dbs).map(|_| Db::new(lanes, hasher.clone())).collect(),
            hasher,
            watches: Watches::default(),
            readers: Readers::default(),
            stats: (0..lanes).map(|_| CachePadded::default()).collect(),
            held_until: AtomicU64::new(0),
        }
    }

    /// Ends no key because of its deadline until `until`, Unix time in milliseconds: while clients are paused the data
    /// must not change. Of two calls the later deadline holds.
    pub fn hold_expiry(&self, until: u64) {
        self.held_until.fetch_max(until, Ordering::Relaxed);
    }

    /// Takes [`Keyspace::hold_expiry`] back.
    pub fn resume_expiry(&self) {
        self.held_until.store(0, Ordering::Relaxed);
    }

    /// Whether keys that fell due are left alone at `now`.
    pub(super) fn holds_expiry(&self, now: u64) -> bool {
        self.held_until.load(Ordering::Relaxed) > now
    }

    /// The database with this number, which is below [`Keyspace::databases`].
    #[inline]
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// How many threads may run commands.
    pub fn lanes(&self) -> usize {
        self.stats.len()
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// The counters of one lane.
    #[inline]
    pub fn lane_stats(&self, lane: usize) -> &LaneStats {
        &self.stats[lane]
    }

    /// The sums over all lanes.
    pub fn stats(&self) -> stats::Totals {
        stats::Totals::of(self.stats.iter().map(|lane| &**lane))
    }

    /// Empties a database; the old table is freed in the background. The caller has closed everything from `lane`.
    pub fn flush(&self, lane: usize, db: usize, guard: &Guard) {
        let db = &self.dbs[db];
        self.lane_stats(lane).changed(db.table(guard).len());
        let lanes = db.volatile.len();
        let fresh = Box::into_raw(Box::new(Table::new(lanes, self.hasher.clone())));
        // Ordering: Release publishes the fresh table; Acquire because we own the old one now.
        let old = db.table.swap(fresh, Ordering::AcqRel);
        self.forget_deadlines(db, old, guard);
        if !self.snapshots.adopt(old) {
            reclaim::retire_table(old, guard);
        }
    }

    /// Takes the deadlines of a table that goes away out of the wheel, if it had any.
    fn forget_deadlines(&self, db: &Db, old: *mut Table, guard: &Guard) {
        if db.volatile() == 0 {
            return;
        }
        db.volatile.iter().for_each(|lane| lane.store(0, Ordering::Relaxed));
        if self.dbs.iter().all(|db| db.volatile() == 0) {
            self.wheel.clear();
            return;
        }
        // SAFETY: unlinked by the caller, and alive under the guard.
        let old = unsafe { &*old };
        for index in 0..old.buckets() {
            old.visit_bucket(index, guard, |entry| {
                let word = entry.load();
                // SAFETY: loaded under the guard.
                let expire_at = if word.is_dead() { 0 } else { unsafe { word.expire_at() } };
                if expire_at != 0 {
                    self.wheel.count(0, expire_at, -1);
                }
            });
        }
    }

    /// Exchanges two databases. The caller has closed everything.
    pub fn swap(&self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.walk.disturb();
        self.due_fields.swap(a, b);
        let (a, b) = (&self.dbs[a], &self.dbs[b]);
        let table = a.table.load(Ordering::Acquire);
        a.table.store(b.table.swap(table, Ordering::AcqRel), Ordering::Release);
        for (x, y) in a.volatile.iter().zip(&b.volatile) {
            x.store(y.swap(x.load(Ordering::Relaxed), Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl Db {
    fn new(lanes: usize, hasher: KeyHasher) -> Db {
        Db {
            table: AtomicPtr::new(Box::into_raw(Box::new(Table::new(lanes, hasher)))),
            volatile: (0..lanes).map(|_| CachePadded::new(AtomicI64::new(0))).collect(),
        }
    }

    /// The table, as long as the guard is held.
    #[inline]
    pub fn table<'g>(&self, _guard: &'g Guard) -> &'g Table {
        // SAFETY: never null; a table that was exchanged is freed through the epoch.
        unsafe { &*self.table.load(Ordering::Acquire) }
    }

    /// Keys that have a deadline.
    pub fn volatile(&self) -> u64 {
        let sum: i64 = self.volatile.iter().map(|lane| lane.load(Ordering::Relaxed)).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    fn count_volatile(&self, lane: usize, change: i64) {
        self.volatile[lane].fetch_add(change, Ordering::Relaxed);
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // SAFETY: exclusive access; the pointer came from a box.
        drop(unsafe { Box::from_raw(self.table.load(Ordering::Relaxed)) });
    }
}
