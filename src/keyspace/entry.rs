//! One key with its slot: a single allocation of `13 + key length` bytes.
//!
//! ```text
//! 0        8       12    13            13 + n
//! | word   | clock | n   | key         |
//! ```
//! Keys of 255 bytes or more have `n = 255` and their length in the next four bytes.
//!
//! # The slot protocol
//!
//! States of the word: *live* (any value) and *dead* ([`Word::DEAD`]).
//!
//! Rules:
//! 1. A reader loads the word under an epoch guard and uses what it points to until the guard ends.
//! 2. Only the slot's compare-and-swap changes a live word. Whoever succeeds owns the word that was there and retires
//!    it, exactly once, through the same guard's collector.
//! 3. Dead is final. Nobody swaps a dead word, so a write can never land on a key that was deleted: the writer
//!    that finds it helps to unlink the entry and inserts a new one.
//! 4. The transition to dead names the exact word seen. A word that carries its deadline is immutable, so a fresh
//!    value is never ended by an old deadline; nodes, whose deadline moves in place, are ended under their latch.
//! 5. An entry is unlinked from the table only when dead, and retired by whoever unlinked it. A dead entry owns no value.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use crate::sync::heap::{self, alloc, dealloc};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::value::word::Word;

const LONG_KEY: u8 = u8::MAX;

/// Where the key begins: 13, but in the models, whose atomics are larger.
const HEAD_BYTES: usize = std::mem::offset_of!(Entry, short_len) + 1;
const LONG_LEN_BYTES: usize = 4;

/// A key and its slot. Used only behind references: the key's bytes follow the struct in its allocation.
#[repr(C)]
pub struct Entry {
    word: AtomicU64,
    clock: AtomicU32,
    short_len: u8,
}

/// How an attempt to change a slot ended.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The word was replaced; the caller owns the old one and retires it.
    Done,
    /// Another thread was first; this is what stands there now.
    Lost(Word),
}

impl Entry {
    /// Allocates an entry that is not shared yet and owns `word`.
    pub fn new(key: &[u8], word: Word, clock: u32) -> NonNull<Entry> {
        let layout = layout_for(key.len());
        // SAFETY: the layout's size is at least HEAD_BYTES.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        block.as_ptr().expose_provenance();
        let short_len = u8::try_from(key.len()).unwrap_or(LONG_KEY);
        // SAFETY: the block is unshared, aligned to eight and holds the three fields, the length and the key; fields
        // are written one by one because `size_of::<Entry>()` counts padding that the key's first bytes occupy.
        unsafe {
            let entry = block.cast::<Entry>().as_ptr();
            (&raw mut (*entry).word).write(AtomicU64::new(word.to_bits()));
            (&raw mut (*entry).clock).write(AtomicU32::new(clock));
            (&raw mut (*entry).short_len).write(short_len);
            let mut tail = block.as_ptr().add(HEAD_BYTES);
            if short_len == LONG_KEY {
                let len = u32::try_from(key.len()).expect("keys are shorter than 4 GiB");
                tail.cast::<[u8; LONG_LEN_BYTES]>().write(len.to_le_bytes());
                tail = tail.add(LONG_LEN_BYTES);
            }
            tail.copy_from_nonoverlapping(key.as_ptr(), key.len());
        }
        block.cast()
    }

    /// Frees an entry and nothing that its word points to.
    ///
    /// # Safety
    /// `entry` came from [`Entry::new`], is unlinked, and nobody can still read it.
    pub unsafe fn free(entry: NonNull<Entry>) {
        // SAFETY: the entry is still whole, as the caller promises.
        let layout = layout_for(unsafe { entry.as_ref() }.key().len());
        // SAFETY: allocated by `new` with this very layout.
        unsafe { dealloc(entry.as_ptr().cast(), layout) }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        heap::touch(self);
        // A reference's provenance ends with the struct; the allocation's own was exposed by `new`.
        let base: *const u8 = std::ptr::with_exposed_provenance(std::ptr::from_ref(self).addr());
        // SAFETY: `new` wrote the key right behind the head (and the long length), in the same allocation.
        unsafe {
            let tail = base.add(HEAD_BYTES);
            if self.short_len != LONG_KEY {
                return std::slice::from_raw_parts(tail, usize::from(self.short_len));
            }
            let len = u32::from_le_bytes(tail.cast::<[u8; LONG_LEN_BYTES]>().read());
            std::slice::from_raw_parts(tail.add(LONG_LEN_BYTES), len as usize)
        }
    }

    /// The word, to be used under the caller's epoch guard.
    #[inline]
    pub fn load(&self) -> Word {
        heap::touch(self);
        // Ordering: Acquire pairs with the Release of `swap`, which published what the word points to.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Replaces the live word `seen` by `new`.
    #[inline]
    pub fn swap(&self, seen: Word, new: Word) -> Swap {
        heap::touch(self);
        debug_assert!(!seen.is_dead(), "dead is final");
        // Ordering: Release publishes the pointee; Acquire on both ways out because the caller reads the old pointee
        // (to retire it) or the one that won.
        match self.word.compare_exchange(seen.to_bits(), new.to_bits(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Swap::Done,
            Err(now) => Swap::Lost(Word::from_bits(now)),
        }
    }

    /// The access clock: see `keyspace::access`.
    #[inline]
    pub fn clock(&self) -> u32 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Stores the access clock if it moved, so that a hot key's cache line stays shared between readers.
    #[inline]
    pub fn touch(&self, clock: u32) {
        heap::touch(self);
        if self.clock.load(Ordering::Relaxed) != clock {
            self.clock.store(clock, Ordering::Relaxed);
        }
    }

    /// Bytes of the entry's own allocation.
    pub fn heap_bytes(&self) -> usize {
        layout_for(self.key().len()).size()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("key", &self.key().escape_ascii().to_string()).finish_non_exhaustive()
    }
}

fn layout_for(key_len: usize) -> Layout {
    let long = if key_len >= usize::from(LONG_KEY) { LONG_LEN_BYTES } else { 0 };
    let size = (HEAD_BYTES + long + key_len).max(size_of::<Entry>());
    Layout::from_size_align(size, align_of::<Entry>()).expect("keys are far shorter than isize::MAX")
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_read_back() {
        for len in [0, 1, 15, 16, 19, 254, 255, 256, 70_000] {
            let key: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let entry = Entry::new(&key, Word::DEAD, 7);
            // SAFETY: the entry is the test's own.
            unsafe {
                assert_eq!(entry.as_ref().key(), key);
                assert_eq!(entry.as_ref().clock(), 7);
                Entry::free(entry);
            }
        }
    }

    #[test]
    fn an_entry_with_a_key_of_sixteen_bytes_takes_one_block_of_32() {
        assert!(layout_for(16).size() <= 32);
        assert!(layout_for(19).size() <= 32);
    }

    #[test]
    fn a_lost_swap_reports_the_winner() {
        let (a, b) = (Word::from_bits(9), Word::from_bits(17));
        let entry = Entry::new(b"k", a, 0);
        // SAFETY: the entry is the test's own.
        let slot = unsafe { entry.as_ref() };
        assert_eq!(slot.swap(a, b), Swap::Done);
        assert_eq!(slot.swap(a, Word::DEAD), Swap::Lost(b));
        // SAFETY: as above; the words own nothing.
        unsafe { Entry::free(entry) };
    }
}
