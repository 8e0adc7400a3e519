//! Active expiry: a walk over the tables that is paid for by what is due.
//!
//! The wheel says how many keys are due and not yet gone (the debt). While there is debt, workers walk the tables in
//! slices; a million keys of one second are gone in one pass, and a server with nothing due walks nothing.

use std::ops::Range;

use super::entry::Entry;
use super::gate::stripe_of;
use super::observe::Trace;
use super::reclaim::collect_if_due;
use super::space::is_past;
use super::table::{Table, prefetch};
use super::{Access, Keyspace, Space};
use crate::sync::epoch::Guard;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Buckets that a slice takes at once: their cache misses overlap.
const CHUNK: u64 = 16;

/// Where the walk stands. Several workers may take chunks of the same pass.
///
/// A chunk is a range of reversed hashes, not of bucket indices: splits and merges move keys between indices, and a
/// pass that missed a key would write its deadline off.
#[derive(Default)]
pub(super) struct Walk {
    /// Database in the upper bits, in the lower 40 the upper bits of the reversed hash that the next chunk begins with.
    cursor: AtomicU64,
    /// When the present pass began (Unix milliseconds).
    began: AtomicU64,
    /// The pass may have missed a due key, so that it proves nothing.
    incomplete: AtomicBool,
}

impl Walk {
    /// Tells the pass that it may miss a key: one behind a closed stripe, or in a table that changes its database.
    pub(super) fn disturb(&self) {
        self.incomplete.store(true, Ordering::Relaxed);
    }
}

const POSITION_BITS: u32 = 40;
/// All positions of one database.
const WHOLE: u64 = 1 << POSITION_BITS;
/// The cursor while a worker turns from one pass to the next.
const FINISHING: u64 = u64::MAX;
const UNUSED_BITS: u32 = u64::BITS - POSITION_BITS;

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
        let Some((db, range)) = self.take_chunk(guard) else {
            self.finish_pass(now);
            return 0;
        };
        if self.dbs[db].volatile() == 0 {
            return 0;
        }
        // A worker that was descheduled with an older time in hand would pass keys by that the pass answers for.
        let now = now.max(self.walk.began.load(Ordering::Relaxed));
        self.expire_range(&Space::new(self, db, guard, lane, now, Access::Reading), range)
    }

    /// The next chunk of the pass, or none at its end. A database without deadlines is one chunk.
    fn take_chunk(&self, guard: &Guard) -> Option<(usize, Range<u64>)> {
        let mut at = self.walk.cursor.load(Ordering::Relaxed);
        loop {
            let (db, from) = ((at >> POSITION_BITS) as usize, at & (WHOLE - 1));
            let volatile = self.dbs.get(db)?.volatile();
            let chunks = self.dbs[db].table(guard).buckets().next_power_of_two() / CHUNK;
            let width = if volatile == 0 { WHOLE } else { WHOLE / chunks.max(1) };
            let to = (from + width).min(WHOLE);
            // The end of a database is the beginning of the next one.
            let next = (db as u64) * WHOLE + to;
            // Ordering: Acquire pairs with the Release in `finish_pass`: the chunk's pass has begun for its taker.
            match self.walk.cursor.compare_exchange(at, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some((db, from..to)),
                Err(moved) => at = moved,
            }
        }
    }

    /// Begins the next pass, if no other worker is about to. Twice would be wrong: the second time would write off
    /// what came due before a pass that has only begun.
    fn finish_pass(&self, now: u64) {
        let end = (self.dbs.len() as u64) * WHOLE;
        let cursor = &self.walk.cursor;
        if cursor.compare_exchange(end, FINISHING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let began = self.walk.began.swap(now, Ordering::Relaxed);
        if !self.walk.incomplete.swap(false, Ordering::Relaxed) {
            self.wheel.write_off(began);
        }
        cursor.store(0, Ordering::Release);
    }

    fn expire_range(&self, space: &Space<'_>, range: Range<u64>) -> u64 {
        let (table, guard) = (space.table(), space.guard());
        for_range(table, &range, guard, |entry| prefetch(std::ptr::from_ref(entry).cast()));
        for_range(table, &range, guard, |entry| {
            if let Some(pointee) = entry.load().pointee() {
                prefetch(pointee);
            }
        });
        // What one chunk retires comes on top of what commands do: a walk frees as fast as it ends keys.
        collect_if_due(guard);
        let mut ended = 0;
        for_range(table, &range, guard, |entry| ended += u64::from(self.expire_entry(space, entry)));
        ended
    }

    fn expire_entry(&self, space: &Space<'_>, entry: &Entry) -> bool {
        let word = entry.load();
        // SAFETY: loaded under the guard.
        if word.is_dead() || !is_past(unsafe { word.expire_at() }, space.now) {
            return false;
        }
        let hash = self.hasher.hash(entry.key());
        // A closed stripe belongs to a section whose time stands still: its keys wait for the next pass.
        let Ok(announced) = self.gate.announce(space.lane(), stripe_of(hash)) else {
            self.walk.disturb();
            return false;
        };
        let trace = Trace::new(announced.observers());
        space.other(space.db).traced(Some(&trace)).expire_exactly(hash, entry)
    }
}

/// Hands every entry whose reversed hash begins with a position of `range` to `visit`, and others of their buckets.
fn for_range<'g>(table: &Table, range: &Range<u64>, guard: &'g Guard, mut visit: impl FnMut(&'g Entry)) {
    let mut cursor = (range.start << UNUSED_BITS).reverse_bits();
    loop {
        cursor = table.scan(cursor, guard, &mut visit);
        if cursor == 0 || cursor.reverse_bits() >> UNUSED_BITS >= range.end {
            return;
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use crate::sync::epoch::pin;
    use crate::value::word::OwnedWord;

    const T: u64 = 1_700_000_000_000;

    fn space<'g>(keyspace: &'g Keyspace, guard: &'g Guard, now: u64) -> Space<'g> {
        Space::new(keyspace, 0, guard, 0, now, Access::Writing)
    }

    fn fill(keyspace: &Keyspace, keys: usize) {
        for i in 0..keys {
            let guard = pin();
            let space = space(keyspace, &guard, T);
            space.set(space.key(format!("key:{i}").as_bytes()), OwnedWord::from_text(b"v", T + 1000));
        }
    }

    /// Walks until nothing is due any more.
    fn walk(keyspace: &Keyspace, now: u64) -> u64 {
        let mut ended = 0;
        while keyspace.expiry_effort(now) != Effort::None {
            ended += keyspace.expire_chunk(0, &pin(), now);
        }
        ended
    }

    /// The table merges buckets as it empties; keys that were moved behind a walk by index were written off unseen.
    #[test]
    fn a_walk_misses_no_key_of_a_table_that_shrinks_under_it() {
        let keyspace = Keyspace::new(2, 1, T);
        fill(&keyspace, 20_000);
        assert_eq!(walk(&keyspace, T + 5000), 20_000);
        assert!(space(&keyspace, &pin(), T + 5000).table().is_empty());
    }

    #[test]
    fn keys_behind_a_closed_stripe_are_not_written_off() {
        let keyspace = Keyspace::new(1, 2, T);
        fill(&keyspace, 100);
        let section = keyspace.gate.close_all(1).expect("nothing is closed yet");
        keyspace.expiry_effort(T + 5000);
        for _ in 0..100 {
            assert_eq!(keyspace.expire_chunk(0, &pin(), T + 5000), 0);
        }
        drop(section);
        assert_eq!(walk(&keyspace, T + 5000), 100);
    }
}
