//! Arguments that stand on their own: queued transactions, scripts' calls, a replayed log.

use super::{Args, Span};
use crate::protocol::BIG_ARG;
use bytes::Bytes;

/// Bytes of small arguments in one buffer, beyond which each has its own: far below what a span can tell.
const MOST: usize = 1 << 30;

/// The arguments of one command, or of several, in buffers of its own, to be viewed as [`Args`].
#[derive(Clone, Default)]
pub struct ArgBuf {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    detached: Vec<Bytes>,
}

impl ArgBuf {
    /// With room for so many arguments, and so many bytes of small ones.
    pub(super) fn with_room(args: usize, bytes: usize) -> ArgBuf {
        ArgBuf { bytes: Vec::with_capacity(bytes), spans: Vec::with_capacity(args), detached: Vec::new() }
    }

    /// Appends a copy of `arg`.
    pub fn push(&mut self, arg: &[u8]) {
        if arg.len() >= BIG_ARG || self.bytes.len() >= MOST {
            return self.push_bytes(Bytes::copy_from_slice(arg));
        }
        self.spans.push(Span::range(self.bytes.len(), arg.len()));
        self.bytes.extend_from_slice(arg);
    }

    /// Appends `arg` itself, shared.
    pub fn push_bytes(&mut self, arg: Bytes) {
        self.spans.push(Span::detached(self.detached.len()));
        self.detached.push(arg);
    }

    /// Appends all of `args`, the large ones shared. About how many bytes that takes.
    pub fn append(&mut self, args: Args<'_>) -> usize {
        let mut bytes = args.len() * size_of::<Span>();
        for index in 0..args.len() {
            bytes += args[index].len();
            match args.shared(index) {
                Some(shared) => self.push_bytes(shared.clone()),
                None => self.push(&args[index]),
            }
        }
        bytes
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// `count` arguments from number `first` on.
    pub fn range(&self, first: usize, count: usize) -> Args<'_> {
        Args::new(&self.bytes, &self.spans[first..first + count], &self.detached)
    }

    /// Forgets the arguments and keeps the room for small ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.detached.clear();
    }

    /// The arguments so far.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &self.detached)
    }

    /// Bytes that the arguments occupy, for the limits on what a client may queue.
    pub fn memory(&self) -> usize {
        let detached: usize = self.detached.iter().map(Bytes::len).sum();
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>() + detached
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for ArgBuf {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> Self {
        let mut buf = Self::default();
        args.into_iter().for_each(|arg| buf.push(arg.as_ref()));
        buf
    }
}

impl std::fmt::Debug for ArgBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.args().fmt(f)
    }
}
