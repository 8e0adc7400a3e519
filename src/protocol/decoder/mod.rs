//! The incremental request parser. It owns the read buffer; arguments are ranges of it.
//!
//! ```text
//!   bytes  | commands of earlier batches | the batch | a partial command | room to read |
//!          0                             kept        base         pos    len
//! ```
//!
//! A partial command keeps its place ([`Partial`]), so that what has been looked at is not looked at again: a command
//! of a million arguments is linear however it arrives. Bytes move only when the next read needs room, and then only
//! those of a partial command, once per command. When a large argument has arrived in part, it moves to a buffer of
//! its own ([`BigArg`]) that further reads fill directly.
//!
//! Three parsers share the work, each for what the ones before it declined: runs of commands of one shape
//! ([`crate::protocol::scan`]), [`line::short`] for the short complete headers of ordinary commands, and
//! [`Decoder::slow_argument`] for anything else.

mod buffer;
mod error;
mod inline;
mod limits;
mod line;

pub use error::ProtocolError;
pub use limits::Limits;

use super::args::{Args, Span};
use super::scan::{Level, Shape};
use super::{BIG_ARG, MAX_BATCH};
use buffer::{BigArg, ReadBuffer};
use bytes::Bytes;
use bytes::buf::Limit;

/// Spans kept allocated between batches; a larger batch's are given back.
const KEPT_SPANS: usize = 4 * MAX_BATCH;

/// How far [`Decoder::parse`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Parsed {
    /// Every complete command is in the batch: read more.
    Drained,
    /// The batch is full and more may be complete: run it, clear it, and parse again before the next read.
    Full,
    /// The bytes behind the batch are no request. Run the batch, answer with this error, close.
    Failed(ProtocolError),
}

/// One parsed command: where its bytes begin and where its spans are.
#[derive(Clone, Copy, Debug)]
struct Command {
    base: u32,
    first_span: u32,
    args: u32,
}

/// What a partial command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The line that announces the command or its next argument.
    Header,
    /// An argument of this many bytes, and its CR LF.
    Payload(usize),
    /// The CR LF behind an argument that has a buffer of its own.
    BigEnd,
}

/// The command that is being parsed.
#[derive(Clone, Copy, Debug)]
struct Partial {
    /// Where its bytes begin.
    base: usize,
    /// Where its spans begin.
    first_span: usize,
    /// Where its detached arguments begin.
    first_detached: usize,
    /// Arguments that are still missing; none between two commands.
    left: usize,
    stage: Stage,
    /// Bytes before this hold no line end.
    scanned: usize,
}

impl Partial {
    fn at(base: usize, first_span: usize, first_detached: usize) -> Self {
        Self { base, first_span, first_detached, left: 0, stage: Stage::Header, scanned: base }
    }
}

/// An incremental parser of requests with its read buffer.
///
/// ```
/// use bytes::BufMut;
/// use sockudo_kv::protocol::decoder::{Decoder, Limits, Parsed};
///
/// let mut decoder = Decoder::new(Limits::default());
/// decoder.read_target().put_slice(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\nPING\r\n");
/// assert_eq!(decoder.parse(), Parsed::Drained);
/// assert_eq!(decoder.batch_len(), 2);
/// assert_eq!(&decoder.args(0)[1], b"key");
/// decoder.clear_batch();
/// ```
#[derive(Debug)]
pub struct Decoder {
    buffer: ReadBuffer,
    /// Bytes before this belong to batches that have been cleared.
    kept: usize,
    /// Bytes before this have been parsed.
    pos: usize,
    partial: Partial,
    big: Option<BigArg>,
    commands: Vec<Command>,
    spans: Vec<Span>,
    detached: Vec<Bytes>,
    limits: Limits,
    level: Level,
    shape: Shape,
    error: Option<ProtocolError>,
}

impl Decoder {
    /// A decoder that uses the widest vectors of this machine. Allocates nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self::with_level(limits, Level::detect())
    }

    /// A decoder that uses `level`, for comparing them.
    pub fn with_level(limits: Limits, level: Level) -> Self {
        Self {
            buffer: ReadBuffer::new(),
            kept: 0,
            pos: 0,
            partial: Partial::at(0, 0, 0),
            big: None,
            commands: Vec::new(),
            spans: Vec::new(),
            detached: Vec::new(),
            limits,
            level,
            shape: Shape::default(),
            error: None,
        }
    }

    /// The bounds in force.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Changes the bounds, for what has not been parsed yet.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Room for one read: Tokio's `read_buf` takes it. The batch stays valid.
    pub fn read_target(&mut self) -> Limit<&mut Vec<u8>> {
        if self.big.as_ref().is_some_and(|big| !big.is_complete()) {
            return self.big.as_mut().expect("a big argument is missing bytes").room();
        }
        self.compact();
        self.buffer.room()
    }

    /// Removes the bytes of cleared batches.
    fn compact(&mut self) {
        if self.kept == 0 {
            return;
        }
        self.buffer.remove(self.kept);
        for command in &mut self.commands {
            command.base -= self.kept as u32;
        }
        self.pos -= self.kept;
        self.partial.base -= self.kept;
        self.partial.scanned = self.partial.scanned.saturating_sub(self.kept);
        self.kept = 0;
    }

    /// Appends the complete commands of the buffer to the batch, up to [`MAX_BATCH`] of them; one at a time while the
    /// client has yet to authenticate. Empty requests are skipped.
    pub fn parse(&mut self) -> Parsed {
        self.buffer.adapt();
        match self.error.map_or_else(|| self.fill_batch(), Err) {
            Ok(true) => Parsed::Full,
            Ok(false) => Parsed::Drained,
            Err(error) => {
                self.error = Some(error);
                Parsed::Failed(error)
            }
        }
    }

    /// Whether the batch became full.
    fn fill_batch(&mut self) -> Result<bool, ProtocolError> {
        if !self.attach_big() {
            return Ok(false);
        }
        let most = if self.limits.unauthenticated { 1 } else { MAX_BATCH };
        while self.commands.len() < most {
            if !self.step(most)? {
                return self.check_buffer().map(|()| false);
            }
        }
        Ok(true)
    }

    fn check_buffer(&self) -> Result<(), ProtocolError> {
        let unparsed = self.buffer.bytes.len() - self.partial.base;
        if unparsed > self.limits.buffer() { Err(ProtocolError::BufferLimit) } else { Ok(()) }
    }

    /// Makes a completely received large argument one of the command's; false while bytes are missing.
    fn attach_big(&mut self) -> bool {
        match self.big.take_if(|big| big.is_complete()) {
            Some(big) => {
                self.spans.push(Span::detached(self.detached.len()));
                self.detached.push(Bytes::from(big.bytes));
                self.partial.stage = Stage::BigEnd;
                true
            }
            None => self.big.is_none(),
        }
    }

    /// One command, or one empty request; false when it is not complete.
    #[inline(always)]
    fn step(&mut self, most: usize) -> Result<bool, ProtocolError> {
        if self.partial.left == 0 {
            match self.buffer.bytes.get(self.pos) {
                None => return Ok(false),
                Some(b'*') => {}
                Some(_) => return self.inline(),
            }
            let Some(count) = self.header(b'*')? else { return Ok(false) };
            let count = self.limits.args(count.number)?;
            if count == 0 {
                self.next_command();
                return Ok(true);
            }
            self.partial.left = count;
        }
        if !self.arguments()? {
            return Ok(false);
        }
        self.complete();
        self.run(most);
        Ok(true)
    }

    /// What is parsed of the current command becomes a command of the batch, if it is more than an empty line.
    #[inline(always)]
    fn complete(&mut self) {
        let args = self.spans.len() - self.partial.first_span;
        if args != 0 {
            let (base, first_span) = (self.partial.base as u32, self.partial.first_span as u32);
            self.commands.push(Command { base, first_span, args: args as u32 });
        }
    }

    /// The current command ends here.
    fn next_command(&mut self) {
        self.partial = Partial::at(self.pos, self.spans.len(), self.detached.len());
    }

    /// Parses the commands behind the one just completed that look like it.
    fn run(&mut self, most: usize) {
        let command = Command { ..*self.commands.last().expect("a command was completed") };
        let (base, end) = (self.partial.base, self.pos);
        self.next_command();
        let spans = &self.spans[command.first_span as usize..];
        if end == self.buffer.bytes.len() || !self.shape.learn(spans, end - base) {
            return;
        }
        let count = self.shape.run(self.level, &self.buffer.bytes, base, most - self.commands.len());
        let len = end - base;
        let like = |index: usize| Command { base: (end + index * len) as u32, ..command };
        self.commands.extend((0..count).map(like));
        self.pos += count * len;
        self.next_command();
    }

    /// The arguments that are missing; false when they are not complete.
    fn arguments(&mut self) -> Result<bool, ProtocolError> {
        while self.partial.left != 0 {
            self.short_arguments();
            if self.partial.left != 0 && !self.slow_argument()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Complete arguments with short headers, as far as they follow one another.
    #[inline(always)]
    fn short_arguments(&mut self) {
        if self.partial.stage != Stage::Header || self.partial.left == 0 {
            return;
        }
        let bytes = &self.buffer.bytes[..];
        let (mut pos, mut left) = (self.pos, self.partial.left);
        while left != 0
            && let Some((len, header)) = line::short(bytes, pos, b'$')
            && len <= self.limits.max_bulk
            && line::is_end(bytes, pos + header + len)
        {
            self.spans.push(Span::range(pos + header - self.partial.base, len));
            pos += header + len + 2;
            left -= 1;
        }
        (self.pos, self.partial.left) = (pos, left);
    }

    /// One argument from wherever the last attempt stopped; false when it is not complete.
    #[cold]
    fn slow_argument(&mut self) -> Result<bool, ProtocolError> {
        if self.partial.stage == Stage::Header {
            let Some(len) = self.header(b'$')? else { return Ok(false) };
            self.partial.stage = Stage::Payload(self.limits.bulk(len.number)?);
        }
        if let Stage::Payload(len) = self.partial.stage {
            if self.detach(len) || self.buffer.bytes.len() - self.pos < len + 2 {
                return Ok(false);
            }
            self.spans.push(Span::range(self.pos - self.partial.base, len));
            self.pos += len;
        }
        self.end_argument()
    }

    /// Gives a large argument that has not arrived in full a buffer of its own.
    fn detach(&mut self, len: usize) -> bool {
        let head = &self.buffer.bytes[self.pos..];
        if len < BIG_ARG || head.len() >= len {
            return false;
        }
        self.big = Some(BigArg::new(len, head));
        self.buffer.truncate(self.pos);
        true
    }

    /// The CR LF behind an argument.
    fn end_argument(&mut self) -> Result<bool, ProtocolError> {
        if self.buffer.bytes.len() - self.pos < 2 {
            return Ok(false);
        }
        if !line::is_end(&self.buffer.bytes, self.pos) {
            return Err(ProtocolError::MissingCrlf);
        }
        self.pos += 2;
        self.partial.stage = Stage::Header;
        self.partial.left -= 1;
        Ok(true)
    }

    /// Reads the line that `kind` begins and moves past it; none when it is not complete.
    #[inline(always)]
    fn header(&mut self, kind: u8) -> Result<Option<line::Header>, ProtocolError> {
        let bytes = &self.buffer.bytes;
        let max = self.limits.max_inline;
        let found = line::header(bytes, self.pos, kind, max, &mut self.partial.scanned)?;
        if let Some(header) = found {
            self.pos += header.len;
        }
        Ok(found)
    }

    /// One inline request; false when its line does not end yet.
    fn inline(&mut self) -> Result<bool, ProtocolError> {
        let bytes = &mut self.buffer.bytes;
        let max = self.limits.max_inline;
        let Some(len) = line::inline(bytes, self.pos, max, &mut self.partial.scanned)? else {
            return Ok(false);
        };
        inline::split(&mut bytes[self.pos..self.pos + len], 0, &mut self.spans)?;
        self.complete();
        self.pos += len + 1;
        self.shape.forget();
        self.next_command();
        Ok(true)
    }

    /// How many commands the batch holds.
    #[inline]
    pub fn batch_len(&self) -> usize {
        self.commands.len()
    }

    /// The arguments of the batch's command at `index`.
    ///
    /// # Panics
    /// When the batch has no such command.
    #[inline]
    pub fn args(&self, index: usize) -> Args<'_> {
        let command = self.commands[index];
        let first = command.first_span as usize;
        let spans = &self.spans[first..first + command.args as usize];
        Args::new(&self.buffer.bytes[command.base as usize..], spans, &self.detached)
    }

    /// Drops the batch; what has been received behind it stays.
    pub fn clear_batch(&mut self) {
        self.commands.clear();
        self.kept = self.partial.base;
        self.shape.forget();
        self.clear_spans();
        if self.kept == self.buffer.bytes.len() {
            self.compact();
        }
    }

    /// Drops the spans and detached arguments of the batch, but not the partial command's.
    fn clear_spans(&mut self) {
        let first = std::mem::take(&mut self.partial.first_span);
        let dropped = std::mem::take(&mut self.partial.first_detached);
        self.spans.drain(..first);
        self.detached.drain(..dropped);
        if dropped != 0 {
            self.spans.iter_mut().for_each(|span| span.renumber(dropped));
        }
        if self.spans.is_empty() && self.spans.capacity() > KEPT_SPANS {
            self.spans = Vec::new();
        }
    }

    /// The error that ended parsing, also while commands before it are in the batch.
    pub fn error(&self) -> Option<ProtocolError> {
        self.error
    }

    /// Whether received bytes wait behind the batch, be they a partial command or complete ones.
    pub fn has_more(&self) -> bool {
        self.big.is_some() || self.partial.base < self.buffer.bytes.len()
    }

    /// Bytes that have been received of the command that is incomplete, or of the commands behind a full batch. Of a
    /// command with a large argument they are those of this argument, as in Redis.
    pub fn unparsed(&self) -> usize {
        let waiting = self.buffer.bytes.len() - self.partial.base;
        match (&self.big, self.unended()) {
            (Some(big), _) => big.bytes.len(),
            (None, 0) => waiting,
            (None, unended) => unended,
        }
    }

    /// Bytes of arguments that have been recognized and belong to commands that have not run: large ones in buffers of
    /// their own, and what stands before the one that is being received.
    pub fn argument_memory(&self) -> usize {
        let before = if self.big.is_some() { self.buffer.bytes.len() - self.partial.base } else { 0 };
        before + self.detached_memory() - self.unended()
    }

    /// Bytes of the incomplete command's last large argument, as long as nothing has come behind it, its line end for
    /// one.
    fn unended(&self) -> usize {
        let begun = self.big.is_none() && self.detached.len() > self.partial.first_detached;
        let last = self.detached.last().filter(|_| begun && self.buffer.bytes.len() < self.pos + 2);
        last.map_or(0, Bytes::len)
    }

    fn detached_memory(&self) -> usize {
        self.detached.iter().map(Bytes::len).sum()
    }

    /// Bytes allocated, for the accounting of a client's memory.
    pub fn memory(&self) -> usize {
        let big = self.big.as_ref().map_or(0, |big| big.bytes.capacity());
        let batch =
            self.commands.capacity() * size_of::<Command>() + self.spans.capacity() * size_of::<Span>();
        self.buffer.bytes.capacity() + big + self.detached_memory() + batch
    }

    /// Gives back what an idle connection does not need: everything, unless a command is being received.
    pub fn release_idle(&mut self) {
        if self.commands.is_empty() && !self.has_more() {
            self.compact();
            self.buffer.release();
            self.commands = Vec::new();
            self.spans = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;
