//! The arguments of one command, and the crate's only number parsers.

mod buf;
mod number;

pub use buf::ArgBuf;
pub use number::{parse_f64, parse_f64_loosely, parse_i64, parse_u64, parse_u64_loose};

use bytes::Bytes;
use std::ops::Index;

/// One argument: a range that starts `start` bytes into its command's bytes, or the number of a detached buffer.
///
/// Relative to the command, so that commands of one shape share their spans and that moving a partial command to
/// the front of the read buffer changes none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

const DETACHED: u32 = 1 << 31;

impl Span {
    /// A range of the command's bytes; the decoder's buffer limit keeps both below 2 GiB.
    #[inline(always)]
    pub(super) fn range(start: usize, len: usize) -> Self {
        debug_assert!(start < DETACHED as usize && len < DETACHED as usize);
        Self { start: start as u32, len: len as u32 }
    }

    /// The `index`-th detached buffer.
    pub(super) fn detached(index: usize) -> Self {
        Self { start: DETACHED, len: index as u32 }
    }

    #[inline(always)]
    pub(super) fn is_detached(self) -> bool {
        self.start == DETACHED
    }

    /// The same detached buffer after `dropped` buffers before it are gone; a range stays as it is.
    pub(super) fn renumber(&mut self, dropped: usize) {
        if self.is_detached() {
            self.len -= dropped as u32;
        }
    }

    /// First byte and length of a range.
    #[inline(always)]
    pub(super) fn parts(self) -> (usize, usize) {
        (self.start as usize, self.len as usize)
    }
}

/// The arguments of one command, its name first: a cheap view that copies like a slice.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    detached: &'a [Bytes],
}

impl<'a> Args<'a> {
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span], detached: &'a [Bytes]) -> Self {
        Self { bytes, spans, detached }
    }

    /// How many arguments there are, the command's name included.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument; never so for a command that the decoder returned.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, where 0 is the command's name.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| self.resolve(*span))
    }

    /// The arguments in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let view = *self;
        view.spans.iter().map(move |span| view.resolve(*span))
    }

    /// The arguments from `first` on; none when there are fewer.
    #[inline]
    pub fn slice_from(&self, first: usize) -> Args<'a> {
        Args { spans: self.spans.get(first..).unwrap_or_default(), ..*self }
    }

    /// The first `count` arguments; all when there are fewer.
    #[inline]
    pub fn first(&self, count: usize) -> Args<'a> {
        Args { spans: self.spans.get(..count).unwrap_or(self.spans), ..*self }
    }

    /// The argument at `index` as a buffer of its own: shared for a large argument that was received into its own
    /// buffer, otherwise a copy.
    ///
    /// # Panics
    /// When there is no such argument.
    pub fn owned(&self, index: usize) -> Bytes {
        let span = self.spans[index];
        if span.is_detached() {
            return self.detached[span.len as usize].clone();
        }
        Bytes::copy_from_slice(self.resolve(span))
    }

    /// The argument at `index` if it was received into a buffer of its own.
    fn shared(&self, index: usize) -> Option<&'a Bytes> {
        let span = self.spans.get(index).filter(|span| span.is_detached())?;
        self.detached.get(span.len as usize)
    }

    /// A copy that outlives the batch, for queued transactions; large arguments are shared.
    pub fn to_buf(&self) -> ArgBuf {
        let bytes = self.spans.iter().filter(|span| !span.is_detached()).map(|span| span.parts().1).sum();
        let mut buf = ArgBuf::with_room(self.spans.len(), bytes);
        buf.append(*self);
        buf
    }

    #[inline(always)]
    fn resolve(&self, span: Span) -> &'a [u8] {
        if span.is_detached() {
            return &self.detached[span.len as usize];
        }
        let (start, len) = span.parts();
        &self.bytes[start..start + len]
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.resolve(self.spans[index])
    }
}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|arg| arg.escape_ascii().to_string())).finish()
    }
}

/// Whether `arg` is `word` but for the case of ASCII letters: how options and command names are compared.
#[inline]
pub fn eq_ignore_case(arg: &[u8], word: &[u8]) -> bool {
    arg.eq_ignore_ascii_case(word)
}

/// Writes `name` with its ASCII letters in upper case to the front of `room` and returns it; none when it is longer
/// than the room, and so than any name that the caller knows.
#[inline]
pub fn to_upper<'r>(name: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let room = room.get_mut(..name.len())?;
    for (to, from) in room.iter_mut().zip(name) {
        *to = from.to_ascii_uppercase();
    }
    Some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_share_and_own() {
        let mut buf = ArgBuf::default();
        buf.push(b"SET");
        buf.push(b"key");
        let big = Bytes::from(vec![7; 40_000]);
        buf.push_bytes(big.clone());
        let args = buf.args();
        assert_eq!((args.len(), &args[0], args.get(1)), (3, &b"SET"[..], Some(&b"key"[..])));
        assert_eq!(args.get(3), None);
        assert_eq!(args.owned(2).as_ptr(), big.as_ptr());
        assert_eq!(args.to_buf().args().owned(2).as_ptr(), big.as_ptr());
        assert_eq!(&args.owned(1)[..], b"key");
        assert_eq!(args.slice_from(1).iter().map(<[u8]>::len).collect::<Vec<_>>(), [3, 40_000]);
        assert!(args.slice_from(9).is_empty());
        assert_eq!((args.first(2).len(), args.first(9).len()), (2, 3));
    }

    #[test]
    fn names_compare_and_rise() {
        assert!(eq_ignore_case(b"Get", b"GET") && !eq_ignore_case(b"Get", b"GETX"));
        let mut room = [0; 4];
        assert_eq!(to_upper(b"m-gt", &mut room), Some(&b"M-GT"[..]));
        assert_eq!(to_upper(b"mgets", &mut room), None);
    }

    #[test]
    fn a_span_is_one_word() {
        assert_eq!(size_of::<Span>(), 8);
    }
}
