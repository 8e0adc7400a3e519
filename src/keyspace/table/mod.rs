//! The map from key to entry: linear hashing over immutable buckets, every change one compare-and-swap.
//!
//! A directory of words maps an index to a bucket. A bucket of level `l` at index `i` covers the hashes whose low `l`
//! bits are `i`. The table grows by splitting the bucket at the split pointer and shrinks by merging the last one, so
//! it is never rebuilt and holds a steady load; a cursor in reversed-bit order (the published `SCAN` algorithm)
//! survives both.
//!
//! # States of a directory word
//! ```text
//! VACANT(version)  no bucket: the index without its top bit covers these hashes
//! B                bucket, open to changes
//! B | SPLITTING    frozen: its upper half is being copied to the index `i + 2^level`
//! B | MERGING      frozen: it is being absorbed by the index without its top bit
//! B | ABSORBED     frozen: it has taken in the merging child, which is not vacant yet
//! ```
//! # Rules
//! 1. Only an open word is changed by inserts and removals. Who meets a frozen one helps to finish, then looks again.
//! 2. Split: `P -> P|SPLITTING`; child `VACANT(v) -> C`; `P|SPLITTING -> P'`. The helper read `v` before it saw
//!    `P|SPLITTING`, and versions never repeat, so a late helper's copy cannot revive a child that came and went.
//! 3. Merge of child C into P: `C -> C|MERGING`; `P -> PC|ABSORBED`; `C|MERGING -> VACANT(m)`; `PC|ABSORBED -> PC`,
//!    where `m` is the number of this merge. PC opens only after C is vacant, so no reader finds a stale C.
//! 4. One resize at a time begins (a try-lock that nobody waits for); any number of threads may help it. It ends when its
//!    last word is open, whoever was to open it: a mark left behind would pass for one of the next resize.
//! 5. A reader whose hash is in the upper half of `P|SPLITTING` looks at the child first: if that is vacant, P was
//!    still whole when it looked.
//!
//! Why they suffice: at every instant exactly one word is authoritative for a hash, and a bucket's content never
//! changes, so each lookup is decided by the one load that returned that bucket, and each change by the one swap that
//! replaced it. Bucket addresses cannot be reused while a guard that saw them is held.

mod resize;
mod walk;

pub use walk::SAMPLE_PLACES;

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use crossbeam_utils::CachePadded;

use super::bucket::{Bucket, tag_of};
use super::entry::Entry;
use super::hash::KeyHasher;
use super::reclaim::retire;
use crate::sync::epoch::Guard;
use crate::sync::heap::{self, alloc_words, dealloc};
use crate::sync::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, Ordering};
use crate::value::same::same;
use crate::value::word::Word;

const OCCUPIED: u64 = 1;
const SPLITTING: u64 = 2;
const MERGING: u64 = 4;
const ABSORBED: u64 = 8;
const FLAGS: u64 = 15;
const ADDRESS: u64 = 0x0000_ffff_ffff_fff0;
const LEVEL_SHIFT: u32 = 48;

/// An insert into a bucket of this length looks whether the table should grow.
const GROWTH_CHECK_LEN: usize = 11;

#[cfg(not(sockudo_loom))]
const FIRST_SEGMENT_BITS: u32 = 4;
#[cfg(not(sockudo_loom))]
const SEGMENTS: usize = 44;
/// Segments of one word, two and so on for the models, so that few splits and merges take them and give them back.
#[cfg(sockudo_loom)]
const FIRST_SEGMENT_BITS: u32 = 0;
#[cfg(sockudo_loom)]
const SEGMENTS: usize = 4;

/// The table of one database.
pub struct Table {
    /// Buckets in use: indices below it may be occupied.
    size: AtomicU64,
    segments: [AtomicPtr<AtomicU64>; SEGMENTS],
    resizing: AtomicBool,
    /// Numbers the merges; the version of the words that they vacate.
    merges: AtomicU64,
    /// Live keys, counted per lane (one lane a worker) and summed when read.
    counts: Box<[CachePadded<AtomicI64>]>,
    hasher: KeyHasher,
}

/// A directory word, decoded: the bucket's address, its level in the upper bits, so that finding the bucket does not
/// touch its cache line, and the flags in the lowest four.
#[derive(Clone, Copy, PartialEq, Eq)]
struct DirWord(u64);

impl DirWord {
    fn open(bucket: Bucket) -> DirWord {
        let address = bucket.as_ptr().expose_provenance() as u64;
        assert!(address & !ADDRESS == 0, "the allocator returned an address beyond 48 bits");
        DirWord(u64::from(bucket.level()) << LEVEL_SHIFT | address | OCCUPIED)
    }

    /// The level of an occupied word's bucket.
    #[inline]
    fn level(self) -> u8 {
        (self.0 >> LEVEL_SHIFT) as u8
    }

    fn vacant(version: u64) -> DirWord {
        DirWord(version << 1)
    }

    #[inline]
    fn is_vacant(self) -> bool {
        self.0 & OCCUPIED == 0
    }

    #[inline]
    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    #[inline]
    fn is_open(self) -> bool {
        self.0 & FLAGS == OCCUPIED
    }

    fn with(self, flag: u64) -> DirWord {
        DirWord(self.0 | flag)
    }

    fn opened(self) -> DirWord {
        DirWord(self.0 & !FLAGS | OCCUPIED)
    }

    /// The bucket of an occupied word.
    #[inline]
    fn bucket(self) -> Bucket {
        debug_assert!(!self.is_vacant());
        let ptr = std::ptr::with_exposed_provenance_mut((self.0 & ADDRESS) as usize);
        // SAFETY: occupied words carry the address of a bucket, alive under the guard that the word was read with.
        unsafe { Bucket::from_ptr(ptr) }
    }
}

/// Where a hash was found to live.
struct Place {
    index: u64,
    word: DirWord,
}

/// How an insert ended.
#[must_use]
pub enum Insert<'g> {
    /// The key was absent; its new entry owns the word.
    Inserted(&'g Entry),
    /// The key has a live entry already; the word stays the caller's.
    Exists(&'g Entry),
}

#[inline]
fn mask(level: u8) -> u64 {
    (1 << level) - 1
}

/// The index without its top bit: what covered it before it was split off.
#[inline]
fn parent(index: u64) -> u64 {
    debug_assert!(index > 0);
    index & !(1 << index.ilog2())
}

impl Table {
    /// An empty table whose counters have `lanes` lanes.
    pub fn new(lanes: usize, hasher: KeyHasher) -> Table {
        let table = Table {
            size: AtomicU64::new(1),
            segments: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            resizing: AtomicBool::new(false),
            merges: AtomicU64::new(0),
            counts: (0..lanes).map(|_| CachePadded::new(AtomicI64::new(0))).collect(),
            hasher,
        };
        table.ensure_segment(0);
        let empty = DirWord::open(Bucket::build(0, std::iter::empty()));
        table.dir(0).expect("just made").store(empty.0, Ordering::Release);
        table
    }

    /// Keys in the table. Changes that overlap the call may or may not be counted.
    pub fn len(&self) -> u64 {
        let sum: i64 = self.counts.iter().map(|lane| lane.load(Ordering::Relaxed)).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Buckets in use.
    pub fn buckets(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Counts a key that came alive (+1) or died (-1).
    #[inline]
    pub fn count(&self, lane: usize, change: i64) {
        // Lanes have one writer each, but background work may share one: hence the read-modify-write.
        self.counts[lane].fetch_add(change, Ordering::Relaxed);
    }

    // -- the directory ------------------------------------------------------------------------------------------

    #[inline]
    fn segment_of(index: u64) -> (usize, usize) {
        let first = 1u64 << FIRST_SEGMENT_BITS;
        if index < first {
            return (0, index as usize);
        }
        let top = index.ilog2();
        ((top - FIRST_SEGMENT_BITS + 1) as usize, (index & !(1 << top)) as usize)
    }

    fn segment_len(segment: usize) -> usize {
        1 << (FIRST_SEGMENT_BITS as usize + segment.saturating_sub(1))
    }

    fn segment_layout(segment: usize) -> Layout {
        Layout::array::<AtomicU64>(Self::segment_len(segment)).expect("segments fit the address space")
    }

    /// The word at `index`, or none if its segment is not there (any more): then it counts as vacant.
    #[inline]
    fn dir(&self, index: u64) -> Option<&AtomicU64> {
        let (segment, offset) = Self::segment_of(index);
        // Ordering: Acquire pairs with the Release in `ensure_segment`, which published zeroed words.
        let base = self.segments[segment].load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        heap::touch(base);
        // SAFETY: a segment holds `segment_len` words and `offset` is below that; it is freed through the epoch.
        Some(unsafe { &*base.add(offset) })
    }

    #[inline]
    fn load(&self, index: u64) -> DirWord {
        // Ordering: Acquire pairs with the Release of the swap that published the bucket.
        self.dir(index).map_or(DirWord::vacant(0), |word| DirWord(word.load(Ordering::Acquire)))
    }

    fn swap(&self, index: u64, seen: DirWord, new: DirWord) -> bool {
        let Some(word) = self.dir(index) else { return false };
        // Ordering: Release publishes the bucket, Acquire orders the resize steps after one another.
        word.compare_exchange(seen.0, new.0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn ensure_segment(&self, index: u64) {
        let (segment, _) = Self::segment_of(index);
        if !self.segments[segment].load(Ordering::Acquire).is_null() {
            return;
        }
        let layout = Self::segment_layout(segment);
        // SAFETY: the layout is not empty. Zero is `VACANT(0)`.
        let block = unsafe { alloc_words(layout) };
        if block.is_null() {
            handle_alloc_error(layout);
        }
        // Only the holder of the resize lock (or the constructor) comes here, so a plain store cannot lose another's.
        self.segments[segment].store(block, Ordering::Release);
    }

    /// The index that a hash has in a table of `size` buckets.
    #[inline]
    fn index(hash: u64, size: u64) -> u64 {
        let mask = size.next_power_of_two() - 1;
        let index = hash & mask;
        if index < size { index } else { index & (mask >> 1) }
    }

    /// The authoritative word for a hash, at the instant of its load.
    #[inline]
    fn locate(&self, hash: u64) -> Place {
        // Ordering: Acquire so that the segment of the newest bucket is visible with the size that includes it.
        let mut index = Self::index(hash, self.size.load(Ordering::Acquire));
        loop {
            let word = self.load(index);
            if word.is_vacant() {
                index = parent(index);
                continue;
            }
            let level = word.level();
            if hash & mask(level) != index {
                index = hash & mask(level);
                continue;
            }
            if word.has(SPLITTING) {
                let child = index | 1 << level;
                if hash & mask(level + 1) == child && !self.load(child).is_vacant() {
                    index = child;
                    continue;
                }
            }
            return Place { index, word };
        }
    }

    // -- lookups ------------------------------------------------------------------------------------------------

    /// The entry of a key, dead or alive.
    #[inline]
    pub fn find<'g>(&self, hash: u64, key: &[u8], _guard: &'g Guard) -> Option<&'g Entry> {
        let place = self.locate(hash);
        // SAFETY: the bucket was reached under the guard.
        unsafe { Self::find_in(place.word.bucket(), hash, key) }.map(|(_, entry)| entry)
    }

    /// # Safety
    /// The bucket was reached under a guard that outlives `'g`.
    #[inline]
    unsafe fn find_in<'g>(bucket: Bucket, hash: u64, key: &[u8]) -> Option<(usize, &'g Entry)> {
        bucket
            .candidates(tag_of(hash))
            // SAFETY: entries of a reachable bucket are alive under the guard.
            .map(|(place, entry)| (place, unsafe { entry.as_ref() }))
            .find(|(_, entry)| same(entry.key(), key))
    }

    /// First step of a lookup that overlaps with others: asks for the directory word's cache line.
    #[inline]
    pub fn prefetch_directory(&self, hash: u64) {
        let index = Self::index(hash, self.size.load(Ordering::Relaxed));
        if let Some(word) = self.dir(index) {
            prefetch(std::ptr::from_ref(word).cast());
        }
    }

    /// Second step: finds the bucket and asks for its lines.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64, _guard: &Guard) -> Bucket {
        let bucket = self.locate(hash).word.bucket();
        prefetch(bucket.as_ptr());
        prefetch(bucket.as_ptr().wrapping_add(64));
        bucket
    }

    /// Third step: asks for the entry that probably has the key.
    #[inline]
    pub fn prefetch_entry(bucket: Bucket, hash: u64, _guard: &Guard) -> Option<NonNull<Entry>> {
        let (_, entry) = bucket.candidates(tag_of(hash)).next()?;
        prefetch(entry.as_ptr().cast::<u8>());
        Some(entry)
    }

    // -- changes ------------------------------------------------------------------------------------------------

    /// Adds a key that is absent or dead. The new entry owns `word`.
    pub fn insert<'g>(&self, hash: u64, key: &[u8], word: Word, clock: u32, guard: &'g Guard) -> Insert<'g> {
        let entry = Entry::new(key, word, clock);
        loop {
            let place = self.locate(hash);
            if !place.word.is_open() {
                self.help(place.index, place.word, guard);
                continue;
            }
            let bucket = place.word.bucket();
            // SAFETY: the bucket was reached under the guard.
            let found = unsafe { Self::find_in(bucket, hash, key) };
            let new = match found {
                Some((_, there)) if !there.load().is_dead() => {
                    // SAFETY: the new entry was never shared; its word stays the caller's.
                    unsafe { Entry::free(entry) };
                    return Insert::Exists(there);
                }
                Some((at, _)) => bucket.replacing(at, entry),
                None => bucket.with(tag_of(hash), entry),
            };
            if !self.swap(place.index, place.word, DirWord::open(new)) {
                // SAFETY: the copy was never shared.
                unsafe { new.free() };
                continue;
            }
            retire_bucket(bucket, guard);
            if let Some((_, dead)) = found {
                retire_entry(NonNull::from(dead), guard);
            } else if new.len() >= GROWTH_CHECK_LEN {
                self.grow(guard);
            }
            // SAFETY: the entry is published, and alive under the guard even if it is removed at once.
            return Insert::Inserted(unsafe { entry.as_ref() });
        }
    }

    /// Unlinks a dead entry and retires it; does nothing if somebody else did.
    pub fn unlink(&self, hash: u64, entry: &Entry, guard: &Guard) {
        debug_assert!(entry.load().is_dead());
        loop {
            let place = self.locate(hash);
            let bucket = place.word.bucket();
            let Some(at) = bucket.position(NonNull::from(entry)) else { return };
            if !place.word.is_open() {
                self.help(place.index, place.word, guard);
                continue;
            }
            let new = bucket.without(at);
            if !self.swap(place.index, place.word, DirWord::open(new)) {
                // SAFETY: the copy was never shared.
                unsafe { new.free() };
                continue;
            }
            retire_bucket(bucket, guard);
            retire_entry(NonNull::from(entry), guard);
            if new.is_empty() {
                self.shrink(guard);
            }
            return;
        }
    }
}

fn retire_bucket(bucket: Bucket, guard: &Guard) {
    let address = bucket.as_ptr().expose_provenance();
    // SAFETY: the caller's successful swap unlinked it, so this is the only retirement; readers hold guards.
    unsafe {
        retire(guard, bucket.heap_bytes(), move || {
            Bucket::from_ptr(std::ptr::with_exposed_provenance_mut(address)).free();
        });
    }
}

fn retire_entry(entry: NonNull<Entry>, guard: &Guard) {
    let address = entry.as_ptr().expose_provenance();
    // SAFETY: as in `retire_bucket`; a dead entry owns no value.
    unsafe {
        retire(guard, entry.as_ref().heap_bytes(), move || {
            let entry: *mut Entry = std::ptr::with_exposed_provenance_mut(address);
            Entry::free(NonNull::new_unchecked(entry));
        });
    }
}

/// Asks for a cache line that will be read soon.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching is allowed for any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl Drop for Table {
    /// Frees all of it, values too. The caller made sure that nobody reads the table any more.
    fn drop(&mut self) {
        let size = self.size.load(Ordering::Acquire);
        for index in 0..size {
            let word = self.load(index);
            if word.is_vacant() {
                continue;
            }
            let bucket = word.bucket();
            for (_, entry) in bucket.iter() {
                // SAFETY: exclusive access; each entry is in one bucket, and each word in one entry.
                unsafe {
                    entry.as_ref().load().free();
                    Entry::free(entry);
                }
            }
            // SAFETY: exclusive access.
            unsafe { bucket.free() };
        }
        for segment in 0..SEGMENTS {
            let block = self.segments[segment].load(Ordering::Relaxed);
            if !block.is_null() {
                // SAFETY: allocated by `ensure_segment` with this layout.
                unsafe { dealloc(block.cast(), Self::segment_layout(segment)) };
            }
        }
    }
}
