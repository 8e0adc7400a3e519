//! The hash table of large hashes, sets and sorted sets: one word per entry, and no rehash at any size.
//!
//! Linear hashing (Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980): `buckets` need not
//! be a power of two. An insert over the load limit splits one bucket, a removal under it merges one, so that no
//! command pays for the growth of a million entries. A bucket is one cache line of eight words; the few entries that
//! do not fit are in lines chained to it (see [`bucket`]). At six entries to a bucket the table takes about 13 bytes
//! per entry; the entries are allocations of their owner's, one each.
//!
//! A lookup is a keyed hash, the bucket's line, a comparison of its tags, and as a rule one entry.
//!
//! Rules, which every unsafe block relies on:
//! 1. Every word of a bucket that is not zero and not a link came from [`Entry::into_raw`], and the table is the owner
//!    of what it points to.
//! 2. Every link points to a bucket that nothing else points to.
//! 3. Words change only through `&mut Dict`, so what a `&Dict` shows stays as long as the borrow.

mod ahead;
mod bucket;
mod entry;
mod hash;
mod segments;
mod tags;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod walk;

use std::marker::PhantomData;
use std::ptr::NonNull;

use bucket::{Bucket, Place, Word};
pub(super) use hash::hash_of;
use segments::Segments;

use super::same::same;

pub use ahead::AHEAD;
pub use entry::{Occupied, Slot, Vacant};
pub use walk::Iter;

/// Entries per bucket at which the table grows.
const LOAD: usize = 6;
/// Entries per bucket below which it shrinks: half of [`LOAD`], so that a size that wavers costs nothing.
const LOW_LOAD: usize = LOAD / 2;
/// Entries per chained line when hashes are even: what a Poisson distribution with the load as its mean says.
const ENTRIES_PER_CHAINED: usize = 30;

/// What a table holds: an allocation with a key inside, behind one thin pointer.
///
/// # Safety
/// `into_raw` gives up a pointer below 2^48 whose lowest bit is clear, and `from_raw` takes it back. What `key` and
/// `view` show of it neither moves nor changes until then. `key` never panics.
pub unsafe trait Entry: Sized {
    /// What readers see.
    type View<'a>
    where
        Self: 'a;

    /// Gives up the entry for its address.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes the entry back.
    ///
    /// # Safety
    /// `raw` came from [`Entry::into_raw`], and the caller is its only owner.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// The key of an entry that was given up.
    ///
    /// # Safety
    /// `raw` came from [`Entry::into_raw`], and the entry is neither taken back nor changed during `'a`.
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8];

    /// What readers see of an entry that was given up.
    ///
    /// # Safety
    /// As for [`Entry::key`].
    unsafe fn view<'a>(raw: NonNull<u8>) -> Self::View<'a>
    where
        Self: 'a;
}

/// A map from the keys of its entries to the entries.
pub struct Dict<E: Entry> {
    segments: Segments,
    len: usize,
    /// No chain has or had more entries than this: what fair sampling needs to know.
    longest: usize,
    entries: PhantomData<E>,
}

impl<E: Entry> Default for Dict<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Entry> Dict<E> {
    /// An empty table, which takes no heap.
    pub fn new() -> Dict<E> {
        Dict { segments: Segments::new(), len: 0, longest: 0, entries: PhantomData }
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of heap that the table itself takes; the chained lines are not counted, but estimated.
    pub fn heap_bytes(&self) -> usize {
        self.segments.heap_bytes() + self.len / ENTRIES_PER_CHAINED * size_of::<Bucket>()
    }

    /// The entry of `key`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<E::View<'_>> {
        let word = self.find(hash_of(key), key)?.word();
        // SAFETY: rules 1 and 3.
        Some(unsafe { E::view(word.pointer()) })
    }

    /// Whether `key` has an entry.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(hash_of(key), key).is_some()
    }

    /// Where `key` is or would be, for a change that depends on what is there: it is looked up once.
    #[inline]
    pub fn slot(&mut self, key: &[u8]) -> Slot<'_, E> {
        let hash = hash_of(key);
        match self.find(hash, key) {
            Some(place) => Slot::Occupied(Occupied::new(self, hash, place)),
            None => Slot::Vacant(Vacant::new(self, hash)),
        }
    }

    /// Puts an entry in, in place of the one with the same key, which is returned.
    pub fn insert(&mut self, entry: E) -> Option<E> {
        let raw = entry.into_raw();
        // SAFETY: the entry was just given up.
        let key = unsafe { E::key(raw) };
        let hash = hash_of(key);
        match self.find(hash, key) {
            Some(mut place) => {
                let old = place.replace(Word::entry(hash, raw));
                // SAFETY: rule 1; the word is no longer in the table.
                Some(unsafe { E::from_raw(old.pointer()) })
            }
            None => {
                self.add(hash, raw);
                None
            }
        }
    }

    /// Takes out the entry of `key`.
    pub fn remove(&mut self, key: &[u8]) -> Option<E> {
        match self.slot(key) {
            Slot::Occupied(occupied) => Some(occupied.remove()),
            Slot::Vacant(_) => None,
        }
    }

    /// The hash of a key, in every table of the process the same: for indexes that are to name entries briefly.
    pub fn hash(key: &[u8]) -> u64 {
        hash_of(key)
    }

    /// The entry whose key has this hash and that fits besides, to be changed.
    pub fn find_hashed(
        &mut self,
        hash: u64,
        fits: impl FnMut(E::View<'_>) -> bool,
    ) -> Option<Occupied<'_, E>> {
        let place = self.find_place(hash, fits)?;
        Some(Occupied::new(self, hash, place))
    }

    /// Whether there is an entry whose key has this hash and that fits besides.
    pub fn has_hashed(&self, hash: u64, fits: impl FnMut(E::View<'_>) -> bool) -> bool {
        self.find_place(hash, fits).is_some()
    }

    fn find_place(&self, hash: u64, mut fits: impl FnMut(E::View<'_>) -> bool) -> Option<Place> {
        if self.len == 0 {
            return None;
        }
        let bucket = self.segments.get(self.index_of(hash));
        // SAFETY: rules 1 and 3.
        bucket.find(Word::tag_of(hash), |raw| unsafe { hash_of(E::key(raw)) == hash && fits(E::view(raw)) })
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        if self.len == 0 {
            return None;
        }
        let bucket = self.segments.get(self.index_of(hash));
        // SAFETY: rules 1 and 3.
        bucket.find(Word::tag_of(hash), |raw| same(unsafe { E::key(raw) }, key))
    }

    /// The bucket of a hash: its low bits, one fewer where the bucket that they name is not split off yet.
    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        let buckets = self.segments.len();
        debug_assert!(buckets > 0);
        let mask = mask(buckets);
        let index = hash as usize & mask;
        if index < buckets { index } else { index & (mask >> 1) }
    }

    /// Adds an entry whose key is not in the table.
    fn add(&mut self, hash: u64, raw: NonNull<u8>) {
        if self.len >= self.segments.len() * LOAD {
            self.split();
        }
        self.len += 1;
        let index = self.index_of(hash);
        self.push(index, Word::entry(hash, raw));
    }

    fn push(&mut self, index: usize, word: Word) {
        let length = self.segments.get_mut(index).push(word);
        self.longest = self.longest.max(length);
    }

    /// Makes one more bucket and moves what belongs there out of the one that it splits off from.
    fn split(&mut self) {
        let new = self.segments.len();
        self.segments.push();
        if new == 0 {
            return;
        }
        let old = new & (mask(new + 1) >> 1);
        let words = self.segments.get_mut(old).take();
        // The keys are needed for the bit of their hashes that decides; let their misses overlap.
        words.iter().for_each(|word| prefetch(word.pointer()));
        for word in words.iter() {
            // SAFETY: rules 1 and 3.
            let hash = hash_of(unsafe { E::key(word.pointer()) });
            self.push(self.index_of(hash), word);
        }
    }

    fn unlink(&mut self, hash: u64, place: Place) -> Word {
        self.unlink_at(self.index_of(hash), place)
    }

    /// Takes a word out of the chain of bucket `index`, and gives a bucket back if there are more than the entries
    /// need.
    fn unlink_at(&mut self, index: usize, place: Place) -> Word {
        let word = self.segments.get_mut(index).remove(place);
        self.len -= 1;
        let buckets = self.segments.len();
        if buckets > 1 && self.len < buckets * LOW_LOAD {
            self.merge();
        }
        word
    }

    /// Moves what the last bucket holds back to the one that it was split off from.
    fn merge(&mut self) {
        let last = self.segments.len() - 1;
        let words = self.segments.get_mut(last).take();
        self.segments.pop();
        let into = last & (mask(last + 1) >> 1);
        words.iter().for_each(|word| self.push(into, word));
    }
}

/// The bits of a hash that name one of `buckets`.
#[inline]
fn mask(buckets: usize) -> usize {
    usize::MAX >> ((buckets - 1) | 1).leading_zeros()
}

/// Asks for a line that is read soon.
#[inline(always)]
fn prefetch(pointer: NonNull<u8>) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(pointer.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = pointer;
}

/// Asks for the first line of values that are read soon.
#[inline]
pub fn prefetch_first<T>(values: &[T]) {
    prefetch(NonNull::from(values).cast());
}

/// Asks for all lines of a value that is read soon.
#[inline]
pub fn prefetch_all<T>(value: &T) {
    let start = NonNull::from(value).cast::<u8>();
    for line in (0..size_of::<T>()).step_by(64) {
        // SAFETY: the offset is within the value.
        prefetch(unsafe { start.add(line) });
    }
}

impl<E: Entry + Clone> Clone for Dict<E> {
    fn clone(&self) -> Self {
        let mut copy = Dict::new();
        // As many buckets at once, so that no bucket has to be split.
        (0..self.segments.len()).for_each(|_| copy.segments.push());
        for word in self.words() {
            // SAFETY: rule 1; the entry is not dropped here, only borrowed.
            let entry = std::mem::ManuallyDrop::new(unsafe { E::from_raw(word.pointer()) });
            let raw = E::clone(&entry).into_raw();
            // SAFETY: the entry was just given up.
            copy.add(hash_of(unsafe { E::key(raw) }), raw);
        }
        copy
    }
}

impl<E: Entry> Drop for Dict<E> {
    fn drop(&mut self) {
        for index in 0..self.segments.len() {
            for word in self.segments.get_mut(index).take().iter() {
                // SAFETY: rule 1; the word was just taken out.
                drop(unsafe { E::from_raw(word.pointer()) });
            }
        }
    }
}

impl<E: Entry> std::fmt::Debug for Dict<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dict").field("len", &self.len).field("buckets", &self.segments.len()).finish()
    }
}

// SAFETY: the table owns its entries and buckets (rules 1 and 2), so it goes where they may go.
unsafe impl<E: Entry + Send> Send for Dict<E> {}
// SAFETY: a shared table only shares its entries (rule 3).
unsafe impl<E: Entry + Sync> Sync for Dict<E> {}
