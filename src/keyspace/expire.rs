//! Active expiry: a walk over the tables that is paid for by what is due.
//!
//! The wheel says how many keys are due and not yet gone (the debt). While there is debt, workers walk the tables in
//! slices; a million keys of one second are gone in one pass, and a server with nothing due walks nothing.

use super::gate::stripe_of;
use super::space::is_past;
use super::{Access, Keyspace, Space};
use crate::sync::epoch::Guard;
use crate::sync::{AtomicU64, Ordering};

/// Buckets that a slice takes at once: their cache misses overlap.
const CHUNK: u64 = 16;

/// Where the walk stands. Several workers may take chunks of the same pass.
#[derive(Default)]
pub(super) struct Walk {
    /// Database in the upper bits, bucket index in the lower 48.
    cursor: AtomicU64,
    /// When the present pass began (Unix milliseconds).
    began: AtomicU64,
}

const INDEX_BITS: u32 = 48;

/// How much of the time a walk deserves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// Nothing is due.
    None,
    /// A few keys among many are due.
    Light,
    /// A good part of the keys is due.
    Heavy,
}

impl Keyspace {
    /// Turns the wheel to `now` and says how hard to work. Cheap enough to be asked every few milliseconds.
    pub fn expiry_effort(&self, now: u64) -> Effort {
        let debt = self.wheel.debt(now);
        if debt == 0 {
            return Effort::None;
        }
        let volatile: u64 = self.dbs.iter().map(super::Db::volatile).sum();
        // A key of the debt costs keys/debt steps to find: below a tenth, haste would be waste.
        if debt * 10 >= volatile || debt > 10_000 { Effort::Heavy } else { Effort::Light }
    }

    /// Walks one chunk of the present pass and returns how many keys it ended.
    pub fn expire_chunk(&self, lane: usize, guard: &Guard, now: u64) -> u64 {
        let at = self.walk.cursor.fetch_add(CHUNK, Ordering::Relaxed);
        let (db, index) = ((at >> INDEX_BITS) as usize, at & ((1 << INDEX_BITS) - 1));
        if db >= self.dbs.len() {
            self.finish_pass(now);
            return 0;
        }
        let space = Space::new(self, db, guard, lane, now, Access::Reading);
        if self.dbs[db].volatile() == 0 || index >= space.table().buckets() {
            let next = ((db as u64) + 1) << INDEX_BITS;
            self.walk.cursor.fetch_max(next, Ordering::Relaxed);
            return 0;
        }
        self.expire_buckets(&space, index)
    }

    fn finish_pass(&self, now: u64) {
        let began = self.walk.began.swap(now, Ordering::Relaxed);
        self.walk.cursor.store(0, Ordering::Relaxed);
        self.wheel.write_off(began);
    }

    fn expire_buckets(&self, space: &Space<'_>, first: u64) -> u64 {
        let guard = space.guard();
        let range = first..first + CHUNK;
        range.clone().for_each(|index| space.table().prefetch_index(index, guard));
        range.clone().for_each(|index| {
            space.table().visit_bucket(index, guard, |entry| {
                if let Some(pointee) = entry.load().pointee() {
                    super::table::prefetch(pointee);
                }
            });
        });
        let mut ended = 0;
        for index in range {
            space.table().visit_bucket(index, guard, |entry| {
                let word = entry.load();
                // SAFETY: loaded under the guard.
                if !word.is_dead() && is_past(unsafe { word.expire_at() }, space.now) {
                    let hash = self.hasher.hash(entry.key());
                    // A closed stripe belongs to a section whose time stands still: its keys wait for the next pass.
                    if let Ok(_announced) = self.gate.announce(space.lane(), stripe_of(hash)) {
                        ended += u64::from(space.expire_exactly(hash, entry));
                    }
                }
            });
        }
        ended
    }
}
