//! The read buffer: as small as a connection's habits allow, and never grown by what a client merely claims.

use bytes::BufMut;
use bytes::buf::Limit;

/// Room offered to a connection that has sent nothing yet.
const MIN_CHUNK: usize = 1 << 10;
/// Room offered to a connection that fills what it is offered.
const MAX_CHUNK: usize = 64 << 10;
/// Reads in a row that used less than a quarter of their room before it is halved.
const PATIENCE: u8 = 32;
/// First room of a large argument's own buffer; later it doubles with what has arrived.
const FIRST_BIG: usize = 16 << 10;

/// Received bytes and how much room the next read gets.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    pub(super) bytes: Vec<u8>,
    /// Room for the next read.
    chunk: usize,
    /// Length of `bytes` when the last room was handed out; its growth since then is what the read used.
    mark: usize,
    small_reads: u8,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), chunk: MIN_CHUNK, mark: 0, small_reads: 0 }
    }

    /// Room for one read.
    pub(super) fn room(&mut self) -> Limit<&mut Vec<u8>> {
        if self.bytes.is_empty() && self.bytes.capacity() > self.chunk {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(self.chunk);
        self.mark = self.bytes.len();
        (&mut self.bytes).limit(self.chunk)
    }

    /// Learns from the last read how much room the next one should get. Before anything removes bytes.
    pub(super) fn adapt(&mut self) {
        let used = self.bytes.len().saturating_sub(self.mark);
        self.mark = self.bytes.len();
        if used == 0 {
            return;
        }
        if used >= self.chunk {
            self.chunk = (self.chunk * 4).min(MAX_CHUNK);
        }
        self.small_reads = if used < self.chunk / 4 { self.small_reads + 1 } else { 0 };
        if self.small_reads == PATIENCE {
            self.small_reads = 0;
            self.chunk = (self.chunk / 2).max(MIN_CHUNK);
        }
    }

    /// Removes the first `count` bytes.
    pub(super) fn remove(&mut self, count: usize) {
        self.adapt();
        if count == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..count);
        }
        self.mark = self.bytes.len();
    }

    /// Removes everything from `at` on.
    pub(super) fn truncate(&mut self, at: usize) {
        self.adapt();
        self.bytes.truncate(at);
        self.mark = at;
    }

    /// Back to what a new connection holds, when nothing is buffered.
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            *self = Self::new();
        }
    }
}

/// A large argument on its way into a buffer of its own.
#[derive(Debug)]
pub(super) struct BigArg {
    pub(super) bytes: Vec<u8>,
    len: usize,
}

impl BigArg {
    /// An argument of `len` bytes that begins with `head`.
    pub(super) fn new(len: usize, head: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(len.min(FIRST_BIG.max(2 * head.len())));
        bytes.extend_from_slice(head);
        Self { bytes, len }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.bytes.len() == self.len
    }

    /// Room for no more than the argument itself; the capacity ends up exact.
    pub(super) fn room(&mut self) -> Limit<&mut Vec<u8>> {
        let missing = self.len - self.bytes.len();
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve_exact(missing.min(self.bytes.len().max(FIRST_BIG)));
        }
        let spare = self.bytes.capacity() - self.bytes.len();
        (&mut self.bytes).limit(missing.min(spare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffer: &mut ReadBuffer, count: usize) {
        let mut room = buffer.room();
        let count = count.min(room.remaining_mut());
        room.put_bytes(7, count);
        buffer.remove(count);
    }

    #[test]
    fn room_follows_the_traffic() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.bytes.capacity(), 0);
        read(&mut buffer, 100);
        assert_eq!(buffer.bytes.capacity(), MIN_CHUNK);
        for _ in 0..5 {
            read(&mut buffer, MAX_CHUNK);
        }
        assert_eq!(buffer.room().remaining_mut(), MAX_CHUNK);
        for _ in 0..10 * usize::from(PATIENCE) {
            read(&mut buffer, 100);
        }
        buffer.room();
        assert_eq!(buffer.bytes.capacity(), MIN_CHUNK);
        buffer.release();
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut big = BigArg::new(512 << 20, b"head");
        assert!(big.bytes.capacity() <= FIRST_BIG);
        for _ in 0..4 {
            let mut room = big.room();
            let count = room.remaining_mut();
            room.put_bytes(7, count);
        }
        assert!(big.bytes.capacity() <= 2 * big.bytes.len());
    }

    #[test]
    fn a_big_argument_ends_exact() {
        let mut big = BigArg::new(100_001, b"head");
        while !big.is_complete() {
            let mut room = big.room();
            let count = room.remaining_mut().min(1500);
            room.put_bytes(7, count);
        }
        assert_eq!(big.bytes.capacity(), 100_001);
    }
}
