//! The buckets as an array that grows and shrinks at its end without moving.
//!
//! A segment is 256 buckets. Only the first one is ever moved: while it is the only one it has room for the next power
//! of two, so that a small table is small.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::bucket::Bucket;

/// Buckets in a segment: 16 KiB.
pub(super) const SEGMENT: usize = 256;
const BITS: u32 = SEGMENT.trailing_zeros();

/// An array of buckets.
///
/// Rule: segment `i` has room for the buckets from `i * SEGMENT` on, the first for [`first_room`] of them, and all of
/// them are initialized (a bucket of zeros is an empty one).
pub(super) struct Segments {
    segments: Vec<NonNull<Bucket>>,
    len: usize,
}

/// Buckets that the first segment has room for when there are `len` in all.
fn first_room(len: usize) -> usize {
    len.next_power_of_two().min(SEGMENT)
}

/// The layout of some buckets. A line's alignment is not asked for, as allocators would reserve more for it; blocks of
/// these sizes are on lines anyway where the allocator keeps blocks of one size together.
fn layout(buckets: usize) -> Layout {
    Layout::array::<Bucket>(buckets).expect("a segment at most")
}

fn allocate(buckets: usize) -> NonNull<Bucket> {
    // SAFETY: no caller asks for zero buckets.
    let block = unsafe { alloc_zeroed(layout(buckets)) };
    NonNull::new(block.cast()).unwrap_or_else(|| handle_alloc_error(layout(buckets)))
}

impl Segments {
    pub fn new() -> Segments {
        Segments { segments: Vec::new(), len: 0 }
    }

    /// How many buckets there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the segments and their list take.
    pub fn heap_bytes(&self) -> usize {
        let rest = self.segments.len().saturating_sub(1) * SEGMENT;
        let first = if self.len == 0 { 0 } else { first_room(self.len) };
        (first + rest) * size_of::<Bucket>() + self.segments.capacity() * size_of::<NonNull<Bucket>>()
    }

    #[inline]
    fn pointer(&self, index: usize) -> NonNull<Bucket> {
        assert!(index < self.len);
        // SAFETY: the rule of the type: the index is one of a bucket, so its segment is there and has it.
        unsafe { self.segments.get_unchecked(index >> BITS).add(index & (SEGMENT - 1)) }
    }

    /// The bucket at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> &Bucket {
        // SAFETY: the bucket is initialized, and changes only through `&mut self`.
        unsafe { self.pointer(index).as_ref() }
    }

    /// The bucket at `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> &mut Bucket {
        // SAFETY: as above; `self` is borrowed exclusively.
        unsafe { self.pointer(index).as_mut() }
    }

    /// Appends an empty bucket.
    pub fn push(&mut self) {
        if self.len == 0 {
            self.segments.push(allocate(1));
        } else if self.len.is_multiple_of(SEGMENT) {
            self.segments.push(allocate(SEGMENT));
        } else if self.len < SEGMENT && self.len.is_power_of_two() {
            self.move_first(self.len, self.len * 2, self.len);
        }
        self.len += 1;
    }

    /// Takes away the last bucket, which is empty.
    pub fn pop(&mut self) {
        debug_assert!(self.get(self.len - 1).is_empty());
        let room = first_room(self.len);
        self.len -= 1;
        if self.len == 0 || (self.len >= SEGMENT && self.len.is_multiple_of(SEGMENT)) {
            let segment = self.segments.pop().expect("the last bucket was in it");
            // SAFETY: the rule of the type; the segment is no longer listed.
            unsafe { dealloc(segment.as_ptr().cast(), layout(room)) };
        } else if first_room(self.len) < room {
            self.move_first(room, self.len, self.len);
        }
        if self.segments.capacity() > 4 * self.segments.len() {
            self.segments.shrink_to(2 * self.segments.len());
        }
    }

    /// Moves `kept` buckets of the first segment to a block with another room.
    fn move_first(&mut self, room: usize, new_room: usize, kept: usize) {
        let (old, new) = (self.segments[0], allocate(new_room));
        // SAFETY: both blocks have room for `kept` buckets; the old one has this layout by the rule of the type, and
        // is not listed any more.
        unsafe {
            new.copy_from_nonoverlapping(old, kept);
            dealloc(old.as_ptr().cast(), layout(room));
        }
        self.segments[0] = new;
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let mut room = if self.len == 0 { 0 } else { first_room(self.len) };
        for segment in self.segments.drain(..) {
            // SAFETY: the rule of the type; nobody uses the segments any more.
            unsafe { dealloc(segment.as_ptr().cast(), layout(room)) };
            room = SEGMENT;
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_shrinks_by_single_buckets() {
        let mut segments = Segments::new();
        for len in 0..1000 {
            assert_eq!(segments.len(), len);
            segments.push();
            assert!((0..=len).all(|index| segments.get(index).is_empty()));
        }
        for len in (0..1000).rev() {
            segments.pop();
            assert_eq!(segments.len(), len);
            let needed = if len < SEGMENT { len.next_power_of_two() } else { len.next_multiple_of(SEGMENT) };
            assert!(segments.heap_bytes() <= needed * 64 + 1024);
        }
        assert!(segments.heap_bytes() <= 64);
        segments.push();
        assert!(segments.get(0).is_empty());
    }
}
