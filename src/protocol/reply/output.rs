//! Replies on their way to a socket.

use super::super::BIG_REPLY;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Capacity that [`Output::clear`] keeps for the next batch.
const KEPT: usize = 16 << 10;
/// Sent bytes at the front of the buffer that are worth moving the rest for.
const COMPACT: usize = 64 << 10;

/// Bytes to be sent: a growable buffer, with large values queued between its bytes and never copied.
///
/// Implements [`Buf`], so that Tokio's vectored `write_buf` sends and advances it.
///
/// ```text
///   bytes  | sent | .... | .......... | .... |
///                        ^ large[0].0 ^ large[1].0: values that go out when the bytes before them have
/// ```
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that have been sent.
    sent: usize,
    /// Unsent large values, each with the offset in `bytes` that it stands before.
    large: VecDeque<(usize, Bytes)>,
    /// Unsent bytes of the large values.
    large_pending: usize,
    /// Where in `bytes` the last error begins that nobody has asked about.
    error: Option<usize>,
    /// That error was counted when it first came up.
    counted: bool,
}

/// A place in an [`Output`] to roll back to.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Mark {
    bytes: usize,
    large: usize,
}

impl Output {
    /// An empty output, nothing allocated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that have not been sent.
    #[inline]
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent + self.large_pending
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    /// Whether what is pending is one stretch of bytes, which a plain write sends whole.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.large.is_empty()
    }

    /// Bytes allocated, for the accounting of a client's memory. A large value may be shared with the keyspace.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.large_pending
    }

    /// The place reached so far. It holds until something is sent.
    #[inline]
    pub fn checkpoint(&self) -> Mark {
        Mark { bytes: self.bytes.len(), large: self.large.len() }
    }

    /// Bytes that have been written since `mark`.
    pub fn since(&self, mark: Mark) -> usize {
        let large = self.large.iter().skip(mark.large).map(|(_, value)| value.len());
        self.bytes.len() - mark.bytes + large.sum::<usize>()
    }

    /// Throws away what has been written since `mark`: the command will run again.
    pub fn rollback(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.error = self.error.filter(|at| *at < mark.bytes);
        for (_, value) in self.large.drain(mark.large..) {
            self.large_pending -= value.len();
        }
    }

    /// Puts `bytes` in front of what has been written since `mark`.
    pub(super) fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        self.bytes.splice(mark.bytes..mark.bytes, bytes.iter().copied());
        for (at, _) in self.large.range_mut(mark.large..) {
            *at += bytes.len();
        }
    }

    /// Drops everything, keeping a bounded capacity.
    pub fn clear(&mut self) {
        self.sent = 0;
        self.large_pending = 0;
        self.error = None;
        if !self.large.is_empty() {
            self.large.clear();
        }
        self.bytes.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Gives back all memory when nothing is pending: the connection is idle.
    pub fn release_idle(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// Appends what another output holds and has not sent.
    pub fn append(&mut self, other: Output) {
        let (from, to) = (other.sent, self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes[from..]);
        self.large.extend(other.large.into_iter().map(|(at, value)| (at - from + to, value)));
        self.large_pending += other.large_pending;
        if let Some(at) = other.error {
            self.error = at.checked_sub(from).map(|at| at + to);
        }
    }

    /// Appends bytes that already are a reply.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Notes that an error is written next.
    pub(super) fn note_error(&mut self) {
        self.error = Some(self.bytes.len());
        self.counted = false;
    }

    /// Whether an error was written that [`Output::take_error`] has not returned yet.
    #[inline(always)]
    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Says of the error that was written last that it has been counted before.
    pub(super) fn note_counted(&mut self) {
        self.counted = true;
    }

    /// The code of the last error that was written since the last call, such as `ERR` or `WRONGTYPE`; empty if it has
    /// been counted before.
    pub fn take_error(&mut self) -> Option<&[u8]> {
        if self.counted && self.error.take().is_some() {
            return Some(b"");
        }
        let text = self.bytes.get(self.error.take()? + 1..)?;
        let end = text.iter().position(|byte| matches!(byte, b' ' | b'\r'));
        Some(&text[..end.unwrap_or(text.len())])
    }

    /// Appends `value`, shared when it is large.
    #[inline]
    pub(super) fn write_owned(&mut self, value: Bytes) {
        if value.len() < BIG_REPLY {
            return self.write(&value);
        }
        self.large_pending += value.len();
        self.large.push_back((self.bytes.len(), value));
    }

    /// The buffer to append to.
    #[inline(always)]
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends of the stretch of plain bytes that is next, and whether a large value follows it.
    fn stretch(&self, index: usize) -> (usize, usize) {
        let start = if index == 0 { self.sent } else { self.large[index - 1].0 };
        let end = self.large.get(index).map_or(self.bytes.len(), |large| large.0);
        (start, end)
    }

    fn advance_bytes(&mut self, count: usize) -> usize {
        let (start, end) = self.stretch(0);
        let step = count.min(end - start);
        self.sent += step;
        count - step
    }

    fn advance_large(&mut self, count: usize) -> usize {
        let Some((_, value)) = self.large.front_mut() else { return count };
        let step = count.min(value.len());
        value.advance(step);
        self.large_pending -= step;
        if value.is_empty() {
            self.large.pop_front();
        }
        count - step
    }

    /// Moves unsent bytes to the front when most of a large buffer has been sent to a slow reader.
    fn compact(&mut self) {
        if self.sent < COMPACT || self.sent < self.bytes.len() / 2 {
            return;
        }
        self.bytes.drain(..self.sent);
        for (at, _) in &mut self.large {
            *at -= self.sent;
        }
        self.error = self.error.and_then(|at| at.checked_sub(self.sent));
        self.sent = 0;
        self.bytes.shrink_to(KEPT.max(2 * self.bytes.len()));
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.pending()
    }

    fn chunk(&self) -> &[u8] {
        match self.stretch(0) {
            (start, end) if start < end => &self.bytes[start..end],
            _ => self.large.front().map_or(&[], |(_, value)| value),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for index in 0..=self.large.len() {
            let (start, end) = self.stretch(index);
            let value = self.large.get(index).map_or(&[][..], |(_, value)| value);
            for piece in [&self.bytes[start..end], value] {
                if used == slices.len() {
                    return used;
                }
                if !piece.is_empty() {
                    slices[used] = IoSlice::new(piece);
                    used += 1;
                }
            }
        }
        used
    }

    /// # Panics
    /// When `count` is more than is pending.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.pending(), "more was sent than was pending");
        if count == self.pending() {
            return self.clear();
        }
        while count != 0 {
            count = self.advance_bytes(count);
            count = self.advance_large(count);
        }
        self.compact();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reply;
    use super::*;
    use proptest::prelude::*;

    fn all(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let used = output.chunks_vectored(&mut slices);
        slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_rollback_leaves_no_trace() {
        let mut output = Output::new();
        output.write(b"kept");
        let mark = output.checkpoint();
        output.write(b"gone");
        output.write_owned(Bytes::from(vec![1; BIG_REPLY]));
        output.write(b"gone");
        output.rollback(mark);
        assert_eq!((all(&output), output.pending()), (b"kept".to_vec(), 4));
    }

    #[test]
    fn an_output_is_appended_to_another() {
        let (mut output, mut other) = (Output::new(), Output::new());
        output.write(b"ab");
        other.write(b"sent");
        other.advance(2);
        other.write_owned(Bytes::from(vec![1; BIG_REPLY]));
        Reply::new(&mut other, false).error("ERR x");
        output.append(other);
        let expected = [&b"abnt"[..], &[1; BIG_REPLY], b"-ERR x\r\n"].concat();
        assert_eq!((all(&output), output.pending()), (expected.clone(), expected.len()));
        assert_eq!(output.take_error(), Some(&b"ERR"[..]));
    }

    #[test]
    fn an_insertion_moves_what_was_written_since() {
        let mut output = Output::new();
        output.write_owned(Bytes::from(vec![1; BIG_REPLY]));
        output.write(b"a");
        let mark = output.checkpoint();
        output.write(b"b");
        output.write_owned(Bytes::from(vec![2; BIG_REPLY]));
        output.write(b"c");
        output.insert(mark, b"*3");
        let expected = [&[1; BIG_REPLY][..], b"a*3b", &[2; BIG_REPLY], b"c"].concat();
        assert_eq!((all(&output), output.pending()), (expected.clone(), expected.len()));
    }

    #[test]
    fn an_error_is_told_once_and_not_after_a_rollback() {
        let mut output = Output::new();
        output.write(b"+OK\r\n");
        let mark = output.checkpoint();
        Reply::new(&mut output, false).error("WRONGTYPE Operation");
        output.write(b"+OK\r\n");
        assert_eq!(output.take_error(), Some(&b"WRONGTYPE"[..]));
        assert!(!output.has_error());
        output.rollback(mark);
        Reply::new(&mut output, false).error("LOADING");
        assert_eq!(output.take_error(), Some(&b"LOADING"[..]));
        output.rollback(mark);
        Reply::new(&mut output, false).error("ERR x");
        output.rollback(mark);
        assert_eq!(output.take_error(), None);
        assert_eq!(output.pending(), 5);
        Reply::new(&mut output, false).error("ERR x");
        output.advance(13);
        assert!(!output.has_error());
    }

    #[test]
    fn a_burst_is_given_back() {
        let mut output = Output::new();
        output.write(&vec![1; 1 << 20]);
        output.advance(1 << 20);
        assert!(output.memory() <= KEPT);
        output.write(b"x");
        output.advance(1);
        output.release_idle();
        assert_eq!(output.memory(), 0);
    }

    #[test]
    fn a_slow_reader_does_not_hold_what_it_has_read() {
        let mut output = Output::new();
        for _ in 0..100 {
            output.write(&[7; 50_000]);
            output.advance(49_900);
        }
        assert_eq!(output.pending(), 10_000);
        assert!(output.memory() < 400_000);
    }

    proptest! {
        #[test]
        fn any_advance_sends_the_same_bytes(
            sizes in prop::collection::vec(prop_oneof![0usize..90, BIG_REPLY - 3..BIG_REPLY + 3, 70_000usize..90_000], 1..12),
            steps in prop::collection::vec(1usize..60_000, 1..60),
        ) {
            let (mut output, mut expected, mut sent) = (Output::new(), Vec::new(), Vec::new());
            for (index, size) in sizes.iter().enumerate() {
                let value = Bytes::from(vec![index as u8; *size]);
                expected.extend_from_slice(&value);
                if index % 2 == 0 { output.write(&value) } else { output.write_owned(value) }
            }
            for step in steps.iter().cycle() {
                let step = (*step).min(output.pending());
                prop_assert!(output.is_empty() || !output.chunk().is_empty());
                sent.extend_from_slice(&all(&output)[..step]);
                output.advance(step);
                if output.is_empty() { break }
            }
            prop_assert!(sent == expected);
        }
    }
}
