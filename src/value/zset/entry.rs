//! One member with its score, in an allocation of exactly its size.
//!
//! ```text
//! | score f64 | length, seven bits a byte, low ones first | member |
//! ```
//!
//! A [`Member`] owns it; the dictionary of a sorted set holds those. An [`Entry`] is a handle that copies; the tree of
//! the same set holds those, and gives one up before its owner goes.

use crate::value::dict;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes of the score, and the alignment.
const SCORE: usize = size_of::<f64>();
/// Bytes that a length takes at most.
const LENGTH: usize = (usize::BITS as usize).div_ceil(7);

/// A handle on a member's allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(NonNull<u8>);

// SAFETY: the allocation is plain bytes; it is written only through a set that is borrowed mutably.
unsafe impl Send for Entry {}
// SAFETY: as for Send.
unsafe impl Sync for Entry {}

#[repr(align(8))]
struct Filler([u8; SCORE + 1]);

/// An entry without a member, for places that hold none.
static FILLER: Filler = Filler([0; SCORE + 1]);

impl Entry {
    /// What stands in unused places of a node: reads as an empty member.
    pub fn filler() -> Entry {
        Entry(NonNull::from(&FILLER.0).cast())
    }

    /// A new allocation, which nobody owns yet.
    fn allocate(member: &[u8], score: f64) -> Entry {
        let (length, digits) = encode(member.len());
        let layout = Self::layout(digits, member.len());
        // SAFETY: the layout's size is at least nine.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let entry = Entry(at);
        entry.set_score(score);
        // SAFETY: the allocation has room for the score, `digits` bytes of length and the member, in this order.
        unsafe {
            at.add(SCORE).copy_from_nonoverlapping(NonNull::from(&length).cast(), digits);
            at.add(SCORE + digits).copy_from_nonoverlapping(NonNull::from(member).cast(), member.len());
        }
        entry
    }

    fn layout(digits: usize, length: usize) -> Layout {
        Layout::from_size_align(SCORE + digits + length, SCORE).expect("a member is in memory already")
    }

    /// The score.
    #[inline]
    pub fn score(self) -> f64 {
        // SAFETY: an allocation begins with its score, aligned; whoever frees it uses no copy afterwards.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// Changes the score. The caller has the set to itself, and has moved the entry in its tree.
    #[inline]
    pub fn set_score(self, score: f64) {
        debug_assert!(self != Entry::filler());
        // SAFETY: as for reading; nobody reads it meanwhile.
        unsafe { self.0.cast::<f64>().write(score) }
    }

    /// The member. It lasts until the entry is freed.
    #[inline]
    pub fn member<'a>(self) -> &'a [u8] {
        let (length, digits) = self.length();
        // SAFETY: `length` bytes follow the length, as written by `new`.
        unsafe { std::slice::from_raw_parts(self.0.add(SCORE + digits).as_ptr(), length) }
    }

    /// The member's length, and the bytes that it takes.
    #[inline]
    fn length(self) -> (usize, usize) {
        let (mut length, mut digits) = (0, 0);
        loop {
            // SAFETY: the last byte of the length, and only that, is below 0x80, so this stays within it.
            let byte = unsafe { self.0.add(SCORE + digits).read() };
            length |= usize::from(byte & 0x7f) << (7 * digits);
            digits += 1;
            if byte < 0x80 {
                return (length, digits);
            }
        }
    }

    /// Bytes of the allocation.
    pub fn heap_bytes(self) -> usize {
        let (length, digits) = self.length();
        SCORE + digits + length
    }

    /// Asks the processor for the entry's first cache line.
    #[inline]
    pub fn prefetch(self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing and cannot fault.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.0.as_ptr().cast());
        }
    }
}

/// The owner of an allocation.
#[derive(Debug)]
pub struct Member(Entry);

impl Member {
    /// A new allocation.
    pub fn new(member: &[u8], score: f64) -> Member {
        Member(Entry::allocate(member, score))
    }

    /// A handle, to be used while the owner lives.
    pub fn entry(&self) -> Entry {
        self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let (length, digits) = self.0.length();
        // SAFETY: `allocate` used this layout. The set has taken its copies of the handle out of the tree.
        unsafe { dealloc(self.0.0.as_ptr(), Entry::layout(digits, length)) }
    }
}

// SAFETY: an allocation aligned to eight has its lowest bit clear, and lies below 2^48 as user space does. A change of
// the score moves neither the allocation nor the member.
unsafe impl dict::Entry for Member {
    type View<'a> = Entry;

    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0.0
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Member {
        Member(Entry(raw))
    }

    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        Entry(raw).member()
    }

    unsafe fn view<'a>(raw: NonNull<u8>) -> Entry
    where
        Self: 'a,
    {
        Entry(raw)
    }
}

/// A length in seven bits a byte, low ones first, and how many bytes that takes.
fn encode(mut length: usize) -> ([u8; LENGTH], usize) {
    let (mut bytes, mut at) = ([0; LENGTH], 0);
    while length >= 0x80 {
        bytes[at] = length as u8 | 0x80;
        length >>= 7;
        at += 1;
    }
    bytes[at] = length as u8;
    (bytes, at + 1)
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn holds_members_of_any_length() {
        for length in [0, 1, 16, 127, 128, 300, 16_383, 16_384, 70_000] {
            let member: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let owner = Member::new(&member, 1.5);
            let entry = owner.entry();
            entry.set_score(-2.5);
            assert_eq!((entry.member(), entry.score()), (&member[..], -2.5));
            assert!(entry.heap_bytes() <= length + 8 + 3);
        }
        assert_eq!(Entry::filler().member(), b"");
    }

    #[test]
    fn a_member_of_sixteen_bytes_takes_twenty_five() {
        assert_eq!(Member::new(&[7; 16], 0.0).entry().heap_bytes(), 25);
    }
}
