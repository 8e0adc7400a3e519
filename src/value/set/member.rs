//! A member of a large set: one allocation of exactly its length and its bytes.
//!
//! The length takes seven bits to a byte, the low ones first; the highest bit says that another byte follows. Nearly
//! every member thus costs one byte more than its text.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use crate::sync::heap::{alloc, dealloc};
use crate::value::dict::Entry;

/// Bytes that a length takes at most.
const HEAD_MAX: usize = 10;
const MORE: u8 = 0x80;

/// A text in an allocation of its own.
pub struct Member(NonNull<u8>);

// SAFETY: a member owns its bytes, which never change.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

impl Member {
    /// A copy of `text`.
    #[inline]
    pub fn new(text: &[u8]) -> Member {
        let mut room = [0; HEAD_MAX];
        let head = head(text.len(), &mut room);
        let layout = layout(head.len() + text.len());
        // SAFETY: the size is not zero; the block has room for head and text, and is unshared.
        unsafe {
            let Some(block) = NonNull::new(alloc(layout)) else { handle_alloc_error(layout) };
            block.copy_from_nonoverlapping(NonNull::from(head).cast(), head.len());
            block.add(head.len()).copy_from_nonoverlapping(NonNull::from(text).cast(), text.len());
            Member(block)
        }
    }

    /// The text.
    #[inline]
    pub fn text(&self) -> &[u8] {
        // SAFETY: `new` wrote a length and as many bytes; they live as long as `self`.
        unsafe { text(self.0) }
    }

    /// Bytes of heap of a member with this text.
    pub fn heap_bytes(text: &[u8]) -> usize {
        head(text.len(), &mut [0; HEAD_MAX]).len() + text.len()
    }
}

/// Writes a length to the front of `room`.
#[inline]
fn head(mut len: usize, room: &mut [u8; HEAD_MAX]) -> &[u8] {
    let mut at = 0;
    while len >= usize::from(MORE) {
        room[at] = len as u8 | MORE;
        len >>= 7;
        at += 1;
    }
    room[at] = len as u8;
    &room[..=at]
}

/// The text of a block that [`Member::new`] filled.
///
/// # Safety
/// The block is not freed during `'a`.
#[inline]
unsafe fn text<'a>(block: NonNull<u8>) -> &'a [u8] {
    // SAFETY: `new` wrote a whole length first, and behind it as many bytes.
    unsafe {
        let first = block.read();
        let (mut len, mut at) = (usize::from(first & !MORE), 1);
        let mut byte = first;
        while byte & MORE != 0 {
            byte = block.add(at).read();
            len |= usize::from(byte & !MORE) << (7 * at);
            at += 1;
        }
        std::slice::from_raw_parts(block.add(at).as_ptr(), len)
    }
}

#[inline]
fn layout(size: usize) -> Layout {
    // An even address leaves the lowest bit to the table.
    Layout::from_size_align(size, 2).expect("a text is shorter than the address space")
}

impl Drop for Member {
    fn drop(&mut self) {
        let size = Member::heap_bytes(self.text());
        // SAFETY: `new` allocated a block of this layout, and it is freed once.
        unsafe { dealloc(self.0.as_ptr(), layout(size)) }
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Member::new(self.text())
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.text().escape_ascii())
    }
}

// SAFETY: addresses are even by the layout; the text stays where it is until the member is dropped.
unsafe impl Entry for Member {
    type View<'a> = &'a [u8];

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        let block = self.0;
        std::mem::forget(self);
        block
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Member(raw)
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { text(raw) }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { text(raw) }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_length_reads_back() {
        for len in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            let text: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let member = Member::new(&text);
            assert_eq!(member.clone().text(), text);
            let head = if len < 128 {
                1
            } else if len < 16_384 {
                2
            } else if len < 2_097_152 {
                3
            } else {
                4
            };
            assert_eq!(Member::heap_bytes(&text), head + len);
            let raw = member.into_raw();
            assert_eq!(raw.addr().get() & 1, 0);
            // SAFETY: the pointer was just given up.
            unsafe {
                assert_eq!(Member::key(raw), text);
                drop(Member::from_raw(raw));
            }
        }
    }
}
