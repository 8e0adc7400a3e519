//! Strings of a document: up to 14 bytes in place, longer ones in an allocation of just their length.

use std::ptr::NonNull;

/// Bytes that fit in place.
const SHORT_MAX: usize = 14;
/// The longest string that there can be.
pub const TEXT_MAX: usize = u32::MAX as usize;

/// A string: UTF-8 in 16 bytes, one of which is free to say what else a [`Value`](super::Value) may be.
pub struct Text(Repr);

enum Repr {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Long),
}

/// A boxed slice whose length takes four bytes. Packed, so that it leaves room for the tag in front.
#[repr(C, packed(4))]
struct Long {
    len: u32,
    pointer: NonNull<u8>,
}

// SAFETY: a Long is the only owner of plain bytes.
unsafe impl Send for Long {}
// SAFETY: a shared Long only reads its bytes.
unsafe impl Sync for Long {}

impl Long {
    fn new(text: &str) -> Long {
        let len = u32::try_from(text.len()).expect("who makes strings keeps them below TEXT_MAX");
        let leaked: &'static mut [u8] = Box::leak(Box::from(text.as_bytes()));
        Long { len, pointer: NonNull::from(leaked).cast() }
    }

    fn bytes(&self) -> &[u8] {
        let (len, pointer) = (self.len, self.pointer);
        // SAFETY: `new` leaked a slice of just this length, which is freed only by `drop`.
        unsafe { std::slice::from_raw_parts(pointer.as_ptr(), len as usize) }
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        let (len, pointer) = (self.len, self.pointer);
        let slice = std::ptr::slice_from_raw_parts_mut(pointer.as_ptr(), len as usize);
        // SAFETY: `new` leaked a box of this slice, and nobody else owns it.
        drop(unsafe { Box::from_raw(slice) });
    }
}

impl Text {
    /// A copy of `text`, which has at most [`TEXT_MAX`] bytes.
    #[inline]
    pub fn new(text: &str) -> Text {
        let len = text.len();
        if len > SHORT_MAX {
            return Text(Repr::Long(Long::new(text)));
        }
        let mut bytes = [0; SHORT_MAX];
        bytes[..len].copy_from_slice(text.as_bytes());
        Text(Repr::Short { len: len as u8, bytes })
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Long(long) => long.bytes(),
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: every Text is made of a str, in `new`, and its bytes never change.
        unsafe { std::str::from_utf8_unchecked(self.as_bytes()) }
    }

    /// Bytes of heap that it keeps.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Short { .. } => 0,
            Repr::Long(long) => long.len as usize,
        }
    }
}

impl Clone for Text {
    fn clone(&self) -> Text {
        match &self.0 {
            Repr::Short { len, bytes } => Text(Repr::Short { len: *len, bytes: *bytes }),
            Repr::Long(_) => Text::new(self.as_str()),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_texts_come_back() {
        for len in [0, 1, 13, 14, 15, 16, 1000] {
            let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
            let made = Text::new(&text);
            assert_eq!((made.as_str(), made.clone().as_bytes()), (&*text, text.as_bytes()));
            assert_eq!(made.heap_bytes(), if len > SHORT_MAX { len } else { 0 });
            assert!(made == Text::new(&text) && made != Text::new("another"));
        }
        assert_eq!(size_of::<Text>(), 16);
    }
}
