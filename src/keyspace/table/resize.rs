//! Splits and merges: rules 2 to 4 of the table.

use super::{ABSORBED, DirWord, MERGING, SPLITTING, Table, parent, prefetch, retire_bucket};
use crate::keyspace::bucket::Bucket;
use crate::keyspace::reclaim::retire;
use crate::sync::Ordering;
use crate::sync::epoch::Guard;
use crate::sync::heap::dealloc;

/// Keys per bucket that the table keeps on average.
const TARGET_LOAD: u64 = 8;
/// Splits that one insert does at most, so that its latency stays flat.
const SPLITS_PER_INSERT: usize = 3;
const MERGES_PER_REMOVAL: usize = 2;

impl Table {
    /// Finishes what froze `word`, or at least the part that only one thread can be needed for.
    pub(super) fn help(&self, index: u64, word: DirWord, guard: &Guard) {
        if word.has(SPLITTING) {
            self.help_split(index, word, guard);
        } else if word.has(MERGING) {
            self.help_merge(index, guard);
        } else if word.has(ABSORBED) {
            self.help_merge(index | 1 << word.level(), guard);
            self.open_absorbed(index, word);
        }
    }

    pub(super) fn grow(&self, guard: &Guard) {
        for _ in 0..SPLITS_PER_INSERT {
            if self.len() <= self.buckets() * TARGET_LOAD || !self.split_next(guard) {
                return;
            }
        }
    }

    pub(super) fn shrink(&self, guard: &Guard) {
        for _ in 0..MERGES_PER_REMOVAL {
            if self.buckets() == 1
                || self.len() * 2 >= self.buckets() * TARGET_LOAD
                || !self.merge_last(guard)
            {
                return;
            }
        }
    }

    fn try_lock(&self) -> bool {
        // Ordering: Acquire pairs with the Release of `unlock`: the last resize is finished for us.
        !self.resizing.load(Ordering::Relaxed) && !self.resizing.swap(true, Ordering::Acquire)
    }

    fn unlock(&self) {
        self.resizing.store(false, Ordering::Release);
    }

    /// Splits the bucket at the split pointer. False if another resize is under way.
    pub fn split_next(&self, guard: &Guard) -> bool {
        if !self.try_lock() {
            return false;
        }
        let size = self.size.load(Ordering::Relaxed);
        self.ensure_segment(size);
        let index = parent(size);
        let frozen = loop {
            let word = self.load(index);
            debug_assert!(word.is_open(), "resizes are one at a time");
            if self.swap(index, word, word.with(SPLITTING)) {
                break word.with(SPLITTING);
            }
        };
        self.help_split(index, frozen, guard);
        // Ordering: Release so that who sees the new size sees the segment of its last index.
        self.size.store(size + 1, Ordering::Release);
        self.unlock();
        true
    }

    /// Steps two and three of rule 2.
    fn help_split(&self, index: u64, frozen: DirWord, guard: &Guard) {
        let bucket = frozen.bucket();
        let child = index | 1 << bucket.level();
        let vacancy = self.load(child);
        if self.load(index) != frozen {
            return;
        }
        let (low, high) = self.halves(bucket);
        if !vacancy.is_vacant() || !self.swap(child, vacancy, DirWord::open(high)) {
            // SAFETY: never shared.
            unsafe { high.free() };
        }
        if self.swap(index, frozen, DirWord::open(low)) {
            retire_bucket(bucket, guard);
        } else {
            // SAFETY: never shared.
            unsafe { low.free() };
        }
    }

    /// Copies of a bucket's two halves, by the first bit of the hash that its index does not tell.
    fn halves(&self, bucket: Bucket) -> (Bucket, Bucket) {
        // The entries' lines are asked for together: one after the other they would cost a cache miss each.
        bucket.iter().for_each(|(_, entry)| prefetch(entry.as_ptr().cast::<u8>()));
        let bit = 1u64 << bucket.level();
        let (mut low, mut high) = (Vec::with_capacity(bucket.len()), Vec::with_capacity(bucket.len()));
        for (tag, entry) in bucket.iter() {
            // SAFETY: entries of a reachable bucket are alive under the caller's guard.
            let hash = self.hasher.hash(unsafe { entry.as_ref() }.key());
            if hash & bit == 0 { &mut low } else { &mut high }.push((tag, entry));
        }
        let level = bucket.level() + 1;
        (Bucket::build(level, low.into_iter()), Bucket::build(level, high.into_iter()))
    }

    /// Merges the last bucket into the one that it was split from. False if another resize is under way.
    pub fn merge_last(&self, guard: &Guard) -> bool {
        if !self.try_lock() {
            return false;
        }
        let size = self.size.load(Ordering::Relaxed);
        if size > 1 {
            let child = size - 1;
            self.size.store(child, Ordering::Release);
            self.merges.fetch_add(1, Ordering::Relaxed);
            loop {
                let word = self.load(child);
                debug_assert!(word.is_open(), "resizes are one at a time");
                if self.swap(child, word, word.with(MERGING)) {
                    break;
                }
            }
            self.help_merge(child, guard);
            self.open_parent_of(child);
            self.drop_segment_of(child, guard);
        }
        self.unlock();
        true
    }

    /// The last three steps of rule 3, for the child at `child` if it is merging.
    fn help_merge(&self, child: u64, guard: &Guard) {
        loop {
            let merging = self.load(child);
            if merging.is_vacant() || !merging.has(MERGING) {
                return;
            }
            let number = self.merges.load(Ordering::Acquire);
            let into = parent(child);
            let before = self.load(into);
            if self.load(child) != merging {
                return;
            }
            let absorbed = if before.has(ABSORBED) {
                before
            } else {
                let joined = join(before.bucket(), merging.bucket());
                let absorbed = DirWord::open(joined).with(ABSORBED);
                if !before.is_open() || !self.swap(into, before, absorbed) {
                    // SAFETY: never shared.
                    unsafe { joined.free() };
                    continue;
                }
                retire_bucket(before.bucket(), guard);
                absorbed
            };
            if self.swap(child, merging, DirWord::vacant(number)) {
                retire_bucket(merging.bucket(), guard);
            }
            self.swap(into, absorbed, absorbed.opened());
        }
    }

    /// The last step alone, for who finds the parent absorbed and the child vacant already.
    fn open_absorbed(&self, index: u64, absorbed: DirWord) {
        let child = index | 1 << absorbed.level();
        if self.load(child).is_vacant() {
            self.swap(index, absorbed, absorbed.opened());
        }
    }

    /// The last step for the resizer, whose child is vacant now. A helper that vacated it may sleep before it opens the
    /// parent, and the next resize must not take that word for the work of its own helpers.
    fn open_parent_of(&self, child: u64) {
        let into = parent(child);
        let word = self.load(into);
        if word.has(ABSORBED) {
            // If this fails, a helper has opened it: nobody else changes an absorbed word.
            self.swap(into, word, word.opened());
        }
    }

    /// Gives back the segment whose first index was just vacated.
    fn drop_segment_of(&self, index: u64, guard: &Guard) {
        let (segment, offset) = Self::segment_of(index);
        if offset != 0 || segment == 0 {
            return;
        }
        let block = self.segments[segment].swap(std::ptr::null_mut(), Ordering::AcqRel);
        let address = block.expose_provenance();
        // SAFETY: unlinked just now; who still reads it holds a guard.
        unsafe {
            retire(guard, Self::segment_layout(segment).size(), move || {
                dealloc(std::ptr::with_exposed_provenance_mut(address), Self::segment_layout(segment));
            });
        }
    }
}

fn join(parent: Bucket, child: Bucket) -> Bucket {
    debug_assert_eq!(parent.level(), child.level());
    let all: Vec<_> = parent.iter().chain(child.iter()).collect();
    Bucket::build(parent.level() - 1, all.into_iter())
}
