//! A bucket of the table: an immutable array of entry pointers with one tag byte each.
//!
//! ```text
//! 0      1       2 .. 16      16 ..                    16 * groups
//! | len  | level | tags 0..14 | further groups of tags | entry pointers (len of them) |
//! ```
//! A bucket is never changed after it was published; every change of the table replaces a whole bucket by one
//! compare-and-swap. The tag is a byte of the hash that the table's index does not use: sixteen candidates are
//! compared at once, and the entry of a key that is absent is touched once in about thirty lookups.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use super::entry::Entry;
use crate::sync::heap::{self, alloc, dealloc};

const GROUP: usize = 16;
const HEAD: usize = 2;
/// The most entries that one bucket can hold. The table splits long before.
pub const MAX_LEN: usize = u8::MAX as usize;

/// A pointer to an immutable bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket(NonNull<u8>);

/// The tag of a hash: its top byte, which no table of less than 2^56 buckets uses as an index.
#[inline]
pub fn tag_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

#[inline]
fn groups(len: usize) -> usize {
    (HEAD + len).div_ceil(GROUP)
}

fn layout(len: usize) -> Layout {
    let size = groups(len) * GROUP + len * size_of::<NonNull<Entry>>();
    Layout::from_size_align(size, GROUP).expect("buckets are small")
}

impl Bucket {
    /// Allocates a bucket of `entries` with their tags. `level` is how many low bits of the hash lead here.
    pub fn build(level: u8, entries: impl ExactSizeIterator<Item = (u8, NonNull<Entry>)>) -> Bucket {
        let len = entries.len();
        assert!(len <= MAX_LEN, "a bucket overflows: the hash is not spreading keys");
        let layout = layout(len);
        // SAFETY: the layout has at least one group.
        let block = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        let bucket = Bucket(block);
        // SAFETY: the block is unshared and has room for the groups and `len` pointers behind them; tags that are not
        // written below are zeroed so that a group compare reads initialized bytes.
        unsafe {
            block.write_bytes(0, groups(len) * GROUP);
            block.write(len as u8);
            block.add(1).write(level);
            for (i, (tag, entry)) in entries.enumerate() {
                block.add(HEAD + i).write(tag);
                bucket.slots(len).add(i).write(entry);
            }
        }
        bucket
    }

    /// Bytes of its allocation.
    #[inline]
    pub fn heap_bytes(self) -> usize {
        layout(self.len()).size()
    }

    /// Frees the bucket and none of its entries.
    ///
    /// # Safety
    /// The bucket is unlinked and nobody can still read it.
    pub unsafe fn free(self) {
        // SAFETY: allocated by `build` with the layout of this length.
        unsafe { dealloc(self.0.as_ptr(), layout(self.len())) }
    }

    /// The bucket at an address that `as_ptr` gave.
    ///
    /// # Safety
    /// `ptr` is the address of a live bucket.
    #[inline]
    pub unsafe fn from_ptr(ptr: *mut u8) -> Bucket {
        // SAFETY: the caller says it is a bucket, so it is not null.
        Bucket(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Its address.
    #[inline]
    pub fn as_ptr(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// How many entries it holds.
    #[inline]
    pub fn len(self) -> usize {
        heap::touch(self.0.as_ptr());
        // SAFETY: buckets are initialized by `build` and live while the caller's guard is held.
        usize::from(unsafe { self.0.read() })
    }

    /// Whether it holds none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many low bits of the hash lead to it.
    #[inline]
    pub fn level(self) -> u8 {
        heap::touch(self.0.as_ptr());
        // SAFETY: as in `len`.
        unsafe { self.0.add(1).read() }
    }

    #[inline]
    fn slots(self, len: usize) -> NonNull<NonNull<Entry>> {
        // SAFETY: the pointers stand behind the groups, within the allocation.
        unsafe { self.0.add(groups(len) * GROUP).cast() }
    }

    /// The entry at `i`, which is less than `len`.
    #[inline]
    pub fn entry(self, i: usize) -> NonNull<Entry> {
        let len = self.len();
        assert!(i < len);
        // SAFETY: `i` is in bounds, and `build` wrote every pointer.
        unsafe { self.slots(len).add(i).read() }
    }

    /// The tag at `i`, which is less than `len`.
    #[inline]
    fn tag(self, i: usize) -> u8 {
        // SAFETY: tags of all entries stand in the groups, behind the head.
        unsafe { self.0.add(HEAD + i).read() }
    }

    /// Its entries with their tags.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (u8, NonNull<Entry>)> + Clone {
        (0..self.len()).map(move |i| (self.tag(i), self.entry(i)))
    }

    /// The places whose tag is `tag`.
    #[inline]
    pub fn candidates(self, tag: u8) -> Candidates {
        let len = self.len();
        let mask = self.group_mask(0, tag, len) >> HEAD;
        Candidates { bucket: self, tag, len, group: 0, mask }
    }

    /// Bits of group `group` whose byte is `tag`, restricted to places of entries (and the head, shifted out later).
    #[inline]
    fn group_mask(self, group: usize, tag: u8, len: usize) -> u32 {
        // SAFETY: `group < groups(len)`, so the sixteen bytes are inside the allocation and initialized.
        let bits = unsafe { eq_mask(self.0.add(group * GROUP), tag) };
        let used = (HEAD + len - group * GROUP).min(GROUP);
        let head = if group == 0 { !0b11 } else { !0 };
        bits & head & ((1u32 << used) - 1)
    }

    /// A copy with one entry more.
    pub fn with(self, tag: u8, entry: NonNull<Entry>) -> Bucket {
        Bucket::build(self.level(), Appended { bucket: self, next: 0, last: (tag, entry) })
    }

    /// A copy without the entry at `gone`.
    pub fn without(self, gone: usize) -> Bucket {
        let len = self.len() - 1;
        Bucket::build(
            self.level(),
            (0..len)
                .map(move |i| if i < gone { i } else { i + 1 })
                .map(move |i| (self.tag(i), self.entry(i))),
        )
    }

    /// A copy in which the entry at `place` is `entry`, which has the same key.
    pub fn replacing(self, place: usize, entry: NonNull<Entry>) -> Bucket {
        let swapped = move |i| if i == place { entry } else { self.entry(i) };
        Bucket::build(self.level(), (0..self.len()).map(move |i| (self.tag(i), swapped(i))))
    }

    /// The place of exactly this entry.
    pub fn position(self, entry: NonNull<Entry>) -> Option<usize> {
        (0..self.len()).find(|&i| self.entry(i) == entry)
    }
}

struct Appended {
    bucket: Bucket,
    next: usize,
    last: (u8, NonNull<Entry>),
}

impl Iterator for Appended {
    type Item = (u8, NonNull<Entry>);

    fn next(&mut self) -> Option<Self::Item> {
        let i = self.next;
        self.next += 1;
        match i.cmp(&self.bucket.len()) {
            std::cmp::Ordering::Less => Some((self.bucket.tag(i), self.bucket.entry(i))),
            std::cmp::Ordering::Equal => Some(self.last),
            std::cmp::Ordering::Greater => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.bucket.len() + 1).saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Appended {}

/// Iterates the places of a bucket that carry a tag.
pub struct Candidates {
    bucket: Bucket,
    tag: u8,
    len: usize,
    group: usize,
    mask: u32,
}

impl Iterator for Candidates {
    type Item = (usize, NonNull<Entry>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.mask == 0 {
            self.group += 1;
            if self.group >= groups(self.len) {
                return None;
            }
            self.mask = self.bucket.group_mask(self.group, self.tag, self.len);
        }
        let bit = self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        // The first group's mask was shifted past the head, later ones count from their start.
        let place = if self.group == 0 { bit } else { self.group * GROUP + bit - HEAD };
        Some((place, self.bucket.entry(place)))
    }
}

/// A bit for each of the sixteen bytes at `group` that equals `tag`.
///
/// # Safety
/// Sixteen initialized bytes stand at `group`, aligned to sixteen.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn eq_mask(group: NonNull<u8>, tag: u8) -> u32 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_load_si128, _mm_movemask_epi8, _mm_set1_epi8};
    // SAFETY: SSE2 is part of x86-64; the load is aligned and in bounds by the caller's promise.
    unsafe {
        let bytes = _mm_load_si128(group.as_ptr().cast::<__m128i>());
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(tag as i8))) as u32
    }
}

/// A bit for each of the sixteen bytes at `group` that equals `tag`.
///
/// # Safety
/// Sixteen initialized bytes stand at `group`.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn eq_mask(group: NonNull<u8>, tag: u8) -> u32 {
    // SAFETY: in bounds by the caller's promise.
    let bytes = unsafe { group.cast::<[u8; GROUP]>().read() };
    (0..GROUP).fold(0, |mask, i| mask | u32::from(bytes[i] == tag) << i)
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use crate::value::word::Word;

    fn entries(n: usize) -> Vec<(u8, NonNull<Entry>)> {
        (0..n).map(|i| ((i * 7) as u8, Entry::new(&i.to_le_bytes(), Word::DEAD, 0))).collect()
    }

    #[test]
    fn candidates_are_exactly_the_places_with_the_tag() {
        for n in [0, 1, 13, 14, 15, 29, 30, 31, 100, MAX_LEN] {
            let all = entries(n);
            let bucket = Bucket::build(3, all.iter().copied());
            assert_eq!((bucket.len(), bucket.level()), (n, 3));
            for tag in 0..=u8::MAX {
                let found: Vec<usize> = bucket.candidates(tag).map(|(i, _)| i).collect();
                let expected: Vec<usize> = (0..n).filter(|&i| all[i].0 == tag).collect();
                assert_eq!(found, expected, "{n} entries, tag {tag}");
            }
            // SAFETY: all of it is the test's own.
            unsafe {
                bucket.free();
                all.into_iter().for_each(|(_, e)| Entry::free(e));
            }
        }
    }

    #[test]
    fn copies_differ_in_one_entry() {
        let all = entries(20);
        let bucket = Bucket::build(1, all[..19].iter().copied());
        let grown = bucket.with(all[19].0, all[19].1);
        assert_eq!(grown.iter().collect::<Vec<_>>(), all);
        let shrunk = grown.without(4);
        assert_eq!(shrunk.len(), 19);
        assert_eq!(shrunk.position(all[4].1), None);
        let swapped = bucket.replacing(2, all[19].1);
        assert_eq!(swapped.position(all[19].1), Some(2));
        // SAFETY: all of it is the test's own.
        unsafe {
            [bucket, grown, shrunk, swapped].into_iter().for_each(|b| b.free());
            all.into_iter().for_each(|(_, e)| Entry::free(e));
        }
    }
}
