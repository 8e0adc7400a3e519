//! The crate's only writer of replies, in RESP2 or RESP3.

mod double;
mod output;

pub use double::DoubleText;
pub use output::{Mark, Output};

use bytes::Bytes;

/// Writes one client's replies in its version of the protocol.
///
/// An aggregate's header announces how many replies follow it; the caller writes exactly as many.
pub struct Reply<'a> {
    out: &'a mut Output,
    resp3: bool,
}

/// Lengths whose bulk headers are ready.
const READY: usize = 100;

/// `$0\r\n` to `$99\r\n`, little-endian, and in the highest byte how many bytes that are: one load for both.
static BULK: [u64; READY] = ready();
const READY_LEN_SHIFT: u32 = 56;

const fn ready() -> [u64; READY] {
    let mut table = [0; READY];
    let mut number = 0;
    while number < READY {
        let (tens, ones) = (b'0' + number as u8 / 10, b'0' + number as u8 % 10);
        let (text, len) = if number < 10 {
            (*b"$0\r\n\0\0\0\0", 4)
        } else {
            ([b'$', tens, ones, b'\r', b'\n', 0, 0, 0], 5)
        };
        table[number] = u64::from_le_bytes(text) | len << READY_LEN_SHIFT;
        if number < 10 {
            table[number] += (number as u64) << 8;
        }
        number += 1;
    }
    table
}

impl<'a> Reply<'a> {
    /// A writer to `out`; `resp3` when the client has said `HELLO 3`.
    #[inline]
    pub fn new(out: &'a mut Output, resp3: bool) -> Self {
        Self { out, resp3 }
    }

    /// Whether the client speaks RESP3.
    #[inline]
    pub fn resp3(&self) -> bool {
        self.resp3
    }

    /// Changes the protocol from the next reply on: `HELLO`, `RESET`.
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// The output itself, for checkpoints and ready-made replies.
    #[inline]
    pub fn output(&mut self) -> &mut Output {
        self.out
    }

    /// The same writer for a callee.
    #[inline]
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply { out: self.out, resp3: self.resp3 }
    }

    /// `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.write(b"+OK\r\n");
    }

    /// A simple string. Line ends in it become spaces.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text);
    }

    /// An error. `message` begins with its code, such as `ERR` or `WRONGTYPE`; line ends and NULs in it become spaces,
    /// so that no text of a client or script can pose as a reply of its own.
    #[cold]
    pub fn error(&mut self, message: &str) {
        self.out.note_error();
        // Like Redis: line ends around the text go, and those inside become blanks.
        self.line(b'-', message.trim_matches(['\r', '\n']));
    }

    /// An error that has been counted where it first came up, such as that of a command which a script called.
    pub fn counted_error(&mut self, message: &str) {
        self.error(message);
        self.out.note_counted();
    }

    fn line(&mut self, kind: u8, text: &str) {
        let tail = self.out.tail();
        tail.reserve(text.len() + 3);
        tail.push(kind);
        tail.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }));
        tail.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if let Ok(digit @ 0..=9) = u8::try_from(value) {
            return self.out.write(&[b':', b'0' + digit, b'\r', b'\n']);
        }
        self.number(b':', value);
    }

    /// A byte, a number and a line end.
    fn number(&mut self, kind: u8, value: i64) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        let tail = self.out.tail();
        let len = digits.len() + 3;
        tail.reserve(len);
        // SAFETY: room for the digits, one byte before them and two behind was reserved.
        unsafe {
            let at = tail.as_mut_ptr().add(tail.len());
            at.write(kind);
            copy_short(digits, at.add(1));
            at.add(len - 2).cast::<[u8; 2]>().write(*b"\r\n");
            tail.set_len(tail.len() + len);
        }
    }

    /// The header of something of `count` parts or bytes.
    #[inline]
    fn header(&mut self, kind: u8, count: usize) {
        match u8::try_from(count) {
            Ok(digit @ 0..=9) => self.out.write(&[kind, b'0' + digit, b'\r', b'\n']),
            _ => self.number(kind, count as i64),
        }
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        if value.len() < READY {
            return self.short_bulk(value);
        }
        self.out.tail().reserve(value.len() + 32);
        self.number(b'$', value.len() as i64);
        self.out.write(value);
        self.out.write(b"\r\n");
    }

    #[inline(always)]
    fn short_bulk(&mut self, value: &[u8]) {
        let header = BULK[value.len()];
        let head = (header >> READY_LEN_SHIFT) as usize;
        let tail = self.out.tail();
        tail.reserve(value.len() + 16);
        let (start, len) = (tail.len(), head + value.len() + 2);
        // SAFETY: room for sixteen bytes besides the value was reserved: eight are written for the header, some of which
        // the value overwrites, and two for the line's end.
        unsafe {
            let at = tail.as_mut_ptr().add(start);
            at.cast::<[u8; 8]>().write(header.to_le_bytes());
            let at = at.add(head);
            copy_short(value, at);
            at.add(value.len()).cast::<[u8; 2]>().write(*b"\r\n");
            tail.set_len(start + len);
        }
    }

    /// A bulk string that is queued without a copy when it is large.
    #[inline]
    pub fn bulk_owned(&mut self, value: Bytes) {
        self.header(b'$', value.len());
        self.out.write_owned(value);
        self.out.write(b"\r\n");
    }

    /// An integer as a bulk string.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.out.write(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No array.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.write(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// An array of `count` replies.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count);
    }

    /// The place of an array whose replies are written before they are counted: see [`Reply::end_array`].
    pub fn begin_array(&mut self) -> Mark {
        self.out.checkpoint()
    }

    /// Makes the `count` replies that were written since `start` an array.
    pub fn end_array(&mut self, start: Mark, count: usize) {
        self.insert_header(start, b'*', count);
    }

    /// Makes the replies that were written since `start` a map of `count` pairs; in RESP2 an array of twice as many.
    pub fn end_map(&mut self, start: Mark, count: usize) {
        if self.resp3 {
            self.insert_header(start, b'%', count);
        } else {
            self.insert_header(start, b'*', 2 * count);
        }
    }

    fn insert_header(&mut self, start: Mark, kind: u8, count: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(count).as_bytes();
        self.out.insert(start, &[&[kind], digits, b"\r\n"].concat());
    }

    /// Makes the `count` replies that were written since `start` a set; in RESP2 an array.
    pub fn end_set(&mut self, start: Mark, count: usize) {
        let kind = if self.resp3 { '~' } else { '*' };
        self.out.insert(start, format!("{kind}{count}\r\n").as_bytes());
    }

    /// Makes the `count` replies that were written since `start` the answer of a walk that goes on at `cursor`.
    pub fn end_scan(&mut self, start: Mark, cursor: u64, count: usize) {
        let cursor = cursor.to_string();
        let head = format!("*2\r\n${}\r\n{cursor}\r\n*{count}\r\n", cursor.len());
        self.out.insert(start, head.as_bytes());
    }

    /// A map of `count` pairs: each key and each value is a reply. In RESP2 an array of twice as many.
    #[inline]
    pub fn map(&mut self, count: usize) {
        if self.resp3 { self.header(b'%', count) } else { self.header(b'*', 2 * count) }
    }

    /// A set of `count` replies; in RESP2 an array.
    #[inline]
    pub fn set(&mut self, count: usize) {
        self.header(if self.resp3 { b'~' } else { b'*' }, count);
    }

    /// An out-of-band message of `count` replies; in RESP2 an array.
    #[inline]
    pub fn push(&mut self, count: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, count);
    }

    /// The header of `count` pairs of notes about the reply that follows them. RESP3 only: RESP2 has no such thing.
    pub fn attribute(&mut self, count: usize) {
        debug_assert!(self.resp3, "RESP2 has no attributes");
        self.header(b'|', count);
    }

    /// A double; in RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        let text = DoubleText::new(value);
        if !self.resp3 {
            return self.bulk(text.as_bytes());
        }
        self.out.write(b",");
        self.out.write(text.as_bytes());
        self.out.write(b"\r\n");
    }

    /// A number whose `digits` are ready; in RESP2 a bulk string.
    pub fn decimal(&mut self, digits: &str) {
        if self.resp3 { self.line(b',', digits) } else { self.bulk(digits.as_bytes()) }
    }

    /// A double as a bulk string in either version.
    pub fn double_text(&mut self, value: f64) {
        self.bulk(DoubleText::new(value).as_bytes());
    }

    /// A truth value; in RESP2 the integers 1 and 0.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.write(match (self.resp3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// An integer of any size, as decimal `digits`; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        if self.resp3 { self.line(b'(', digits) } else { self.bulk(digits.as_bytes()) }
    }

    /// Text with its format, `txt` or `mkd`; in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() + 4);
        self.out.write(format);
        self.out.write(b":");
        self.out.write(text);
        self.out.write(b"\r\n");
    }
}

/// Copies `value` to `at`: the shortest as whole words from both ends, which overlap, because a call of the library
/// costs as much as all the rest of a reply.
///
/// # Safety
/// There is room for the value at `at`.
#[inline(always)]
unsafe fn copy_short(value: &[u8], at: *mut u8) {
    /// Copies the first and the last `N` bytes.
    #[inline(always)]
    unsafe fn ends<const N: usize>(value: &[u8], at: *mut u8) {
        if let (Some(first), Some(last)) = (value.first_chunk::<N>(), value.last_chunk::<N>()) {
            // SAFETY: the caller's promise: both are within the room for the value.
            unsafe {
                at.cast::<[u8; N]>().write(*first);
                at.add(value.len() - N).cast::<[u8; N]>().write(*last);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match value.len() {
            0 => {}
            1 => at.write(value[0]),
            2..4 => ends::<2>(value, at),
            4..8 => ends::<4>(value, at),
            8..16 => ends::<8>(value, at),
            16..=32 => ends::<16>(value, at),
            _ => at.copy_from_nonoverlapping(value.as_ptr(), value.len()),
        }
    }
}

#[cfg(test)]
mod tests;
