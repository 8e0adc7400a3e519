//! A field of a large hash: name, value and deadline in one allocation.
//!
//! ```text
//! short  name length (6 bits) << 2 | flags, value length (1 byte), [deadline (8)], name, value
//! long   flags, name length (4), value length (4),                 [deadline (8)], name, value
//! flags  1: a deadline follows the lengths    2: long
//! ```
//!
//! The allocation is the next multiple of eight bytes, which is what an allocator reserves anyway: a value that grows
//! or shrinks a little is replaced in place. Nobody pays for a deadline that is not set.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::value::dict::Entry;
use crate::value::word::{ExpireAt, NO_EXPIRY};

const TIMED: u8 = 1;
const LONG: u8 = 2;
const SHORT_NAME: usize = 63;
const SHORT_VALUE: usize = 255;
const SHORT_HEAD: usize = 2;
const LONG_HEAD: usize = 9;
const DEADLINE: usize = size_of::<ExpireAt>();

/// A field that owns its allocation. Its first bytes describe all of it, as [`Shape`] reads them.
pub struct Field(NonNull<u8>);

/// A field as readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldView<'a> {
    /// The field's name.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// When it ends, or [`NO_EXPIRY`].
    pub deadline: ExpireAt,
}

/// Where the parts of a field are.
#[derive(Clone, Copy)]
struct Shape {
    name: usize,
    value: usize,
    long: bool,
    timed: bool,
}

impl Shape {
    fn of(name: &[u8], value: &[u8], deadline: ExpireAt) -> Shape {
        let long = name.len() > SHORT_NAME || value.len() > SHORT_VALUE;
        Shape { name: name.len(), value: value.len(), long, timed: deadline != NO_EXPIRY }
    }

    /// Reads the head of a field.
    ///
    /// # Safety
    /// `raw` is the start of a live field.
    #[inline]
    unsafe fn read(raw: NonNull<u8>) -> Shape {
        // SAFETY: the caller's promise: the bytes of the head that the flags announce are there.
        unsafe {
            let flags = raw.read();
            let timed = flags & TIMED != 0;
            if flags & LONG == 0 {
                let value = usize::from(raw.add(1).read());
                return Shape { name: usize::from(flags >> 2), value, long: false, timed };
            }
            let length = |at: usize| raw.add(at).cast::<u32>().read_unaligned() as usize;
            Shape { name: length(1), value: length(5), long: true, timed }
        }
    }

    /// Where the deadline is, if there is one.
    fn head(self) -> usize {
        if self.long { LONG_HEAD } else { SHORT_HEAD }
    }

    /// Where the name begins.
    fn start(self) -> usize {
        self.head() + if self.timed { DEADLINE } else { 0 }
    }

    /// Bytes of the allocation.
    fn size(self) -> usize {
        (self.start() + self.name + self.value).next_multiple_of(8)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.size(), 8).expect("lengths of four bytes each")
    }

    /// Writes the head and the deadline.
    ///
    /// # Safety
    /// `raw` is the start of an allocation of this shape, which the caller owns.
    unsafe fn write(self, raw: NonNull<u8>, deadline: ExpireAt) {
        let flags = if self.timed { TIMED } else { 0 } | if self.long { LONG } else { 0 };
        // SAFETY: the caller's promise; the head and the deadline are in front of the name.
        unsafe {
            if self.long {
                raw.write(flags);
                raw.add(1).cast::<u32>().write_unaligned(length(self.name));
                raw.add(5).cast::<u32>().write_unaligned(length(self.value));
            } else {
                raw.write((self.name as u8) << 2 | flags);
                raw.add(1).write(self.value as u8);
            }
            if self.timed {
                raw.add(self.head()).cast::<ExpireAt>().write_unaligned(deadline);
            }
        }
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("an argument is shorter than 4 GB: proto-max-bulk-len")
}

impl Field {
    /// A field with these parts.
    pub fn new(name: &[u8], value: &[u8], deadline: ExpireAt) -> Field {
        let shape = Shape::of(name, value, deadline);
        // SAFETY: the size is not zero, as the head is not.
        let block = unsafe { alloc(shape.layout()) };
        let raw = NonNull::new(block).unwrap_or_else(|| handle_alloc_error(shape.layout()));
        // SAFETY: the allocation has this shape: head, name, value.
        unsafe {
            shape.write(raw, deadline);
            raw.add(shape.start()).copy_from_nonoverlapping(NonNull::from(name).cast(), name.len());
            let at = raw.add(shape.start() + name.len());
            at.copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
        }
        Field(raw)
    }

    /// The parts.
    #[inline]
    pub fn view(&self) -> FieldView<'_> {
        // SAFETY: the field is owned by `self`, which is borrowed as long.
        unsafe { <Field as Entry>::view(self.0) }
    }

    /// Gives the field another value and deadline: in place if its allocation has the room.
    #[inline]
    pub fn set(&mut self, value: &[u8], deadline: ExpireAt) {
        let old = self.view();
        let new = Shape::of(old.name, value, deadline);
        // SAFETY: the field is owned by `self`.
        let shape = unsafe { Shape::read(self.0) };
        if new.start() != shape.start() || new.size() != shape.size() {
            *self = Field::new(old.name, value, deadline);
            return;
        }
        // SAFETY: the allocation has the new shape, too, and the name is where it was; `value` is not of this field,
        // as that is borrowed exclusively.
        unsafe {
            new.write(self.0, deadline);
            let at = self.0.add(new.start() + new.name);
            at.copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
        }
    }

    /// Gives the field another deadline.
    pub fn set_deadline(&mut self, deadline: ExpireAt) {
        let old = self.view();
        if old.deadline != deadline {
            *self = Field::new(old.name, old.value, deadline);
        }
    }

    /// Bytes of the allocation that a field with these parts has.
    pub fn heap_bytes(view: FieldView<'_>) -> usize {
        Shape::of(view.name, view.value, view.deadline).size()
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        // SAFETY: the field is owned by `self`, and its allocation has the layout of its shape.
        unsafe { dealloc(self.0.as_ptr(), Shape::read(self.0).layout()) }
    }
}

impl Clone for Field {
    fn clone(&self) -> Field {
        let FieldView { name, value, deadline } = self.view();
        Field::new(name, value, deadline)
    }
}

// SAFETY: a field is bytes that it owns.
unsafe impl Send for Field {}
// SAFETY: a shared field is only read.
unsafe impl Sync for Field {}

// SAFETY: the pointer is an allocation's start, aligned to eight; the parts are where they are until the field is
// changed or dropped, both of which take it back first.
unsafe impl Entry for Field {
    type View<'a> = FieldView<'a>;

    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Field {
        Field(raw)
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe {
            let shape = Shape::read(raw);
            std::slice::from_raw_parts(raw.add(shape.start()).as_ptr(), shape.name)
        }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> FieldView<'a> {
        // SAFETY: the caller's promise.
        unsafe {
            let shape = Shape::read(raw);
            let name = raw.add(shape.start());
            let deadline = match shape.timed {
                true => raw.add(shape.head()).cast::<ExpireAt>().read_unaligned(),
                false => NO_EXPIRY,
            };
            FieldView {
                name: std::slice::from_raw_parts(name.as_ptr(), shape.name),
                value: std::slice::from_raw_parts(name.add(shape.name).as_ptr(), shape.value),
                deadline,
            }
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    const LENGTHS: [usize; 12] = [0, 1, 5, 6, 8, 16, 63, 64, 255, 256, 300, 70_000];

    fn text(len: usize, first: u8) -> Vec<u8> {
        (0..len).map(|at| first.wrapping_add(at as u8)).collect()
    }

    #[test]
    fn parts_of_every_length_read_back() {
        for (name, value) in
            LENGTHS.iter().flat_map(|n| LENGTHS.iter().map(move |v| (text(*n, 1), text(*v, 7))))
        {
            for deadline in [NO_EXPIRY, 1, u64::MAX] {
                let field = Field::new(&name, &value, deadline);
                let view = FieldView { name: &name, value: &value, deadline };
                assert_eq!((field.view(), field.clone().view()), (view, view));
            }
        }
    }

    #[test]
    fn values_and_deadlines_are_replaced() {
        for (before, after) in
            LENGTHS.iter().flat_map(|n| LENGTHS.iter().map(move |v| (text(*n, 1), text(*v, 7))))
        {
            for (old, new) in [(NO_EXPIRY, NO_EXPIRY), (NO_EXPIRY, 5), (5, NO_EXPIRY), (5, 6)] {
                let mut field = Field::new(b"name", &before, old);
                field.set(&after, new);
                assert_eq!(field.view(), FieldView { name: b"name", value: &after, deadline: new });
                field.set_deadline(old);
                assert_eq!(field.view(), FieldView { name: b"name", value: &after, deadline: old });
            }
        }
    }

    #[test]
    fn a_value_of_about_the_same_length_stays_in_place() {
        let mut field = Field::new(b"field:0000000001", b"12345678", NO_EXPIRY);
        let before = field.0;
        field.set(b"1234567890", NO_EXPIRY);
        assert_eq!((field.0, Field::heap_bytes(field.view())), (before, 32));
    }
}
