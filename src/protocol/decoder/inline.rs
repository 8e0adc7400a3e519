//! Inline requests: a line of words, with the quoting of Redis's `sdssplitargs`.
//!
//! Unquoting only ever shortens, so words are rewritten within the line and stay ranges of the read buffer.

use super::super::args::Span;
use super::ProtocolError;

/// Splits `line`, which starts `offset` bytes into its command, into words.
pub(super) fn split(line: &mut [u8], offset: usize, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let mut words = Words { line, read: 0, write: 0 };
    while words.skip_space() {
        let start = words.read;
        words.word()?;
        spans.push(Span::range(offset + start, words.write - start));
    }
    Ok(())
}

struct Words<'a> {
    line: &'a mut [u8],
    read: usize,
    write: usize,
}

/// What C's `isspace` calls a space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether `byte` ends the unquoted part of a word. Not `is_space`: within a word, Redis takes vertical tabs and form
/// feeds for letters.
fn ends_plain(byte: u8) -> bool {
    byte <= b'\'' && matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
}

impl Words<'_> {
    /// Moves to the next word; false at the end of the line.
    fn skip_space(&mut self) -> bool {
        while self.peek(0).is_some_and(is_space) {
            self.read += 1;
        }
        self.read < self.line.len()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.read + ahead).copied()
    }

    /// Appends `byte` to the word for the `used` bytes that stood for it.
    fn put(&mut self, byte: u8, used: usize) {
        self.line[self.write] = byte;
        self.write += 1;
        self.read += used;
    }

    /// One word. Quotes may open anywhere in it, but what follows a closing one must be a space. So what stands before
    /// them stays where it is.
    fn word(&mut self) -> Result<(), ProtocolError> {
        let rest = &self.line[self.read..];
        self.read += rest.iter().position(|byte| ends_plain(*byte)).unwrap_or(rest.len());
        self.write = self.read;
        match self.peek(0) {
            Some(b'"') => self.quoted(b'"', Self::escape),
            Some(b'\'') => self.quoted(b'\'', Self::quote_escape),
            _ => Ok(()),
        }
    }

    /// The rest of a word from its opening `quote` on.
    fn quoted(&mut self, quote: u8, escape: fn(&mut Self, u8)) -> Result<(), ProtocolError> {
        self.read += 1;
        while let Some(byte) = self.peek(0) {
            if byte == quote {
                self.read += 1;
                let ends = self.peek(0).is_none_or(is_space);
                return if ends { Ok(()) } else { Err(ProtocolError::UnbalancedQuotes) };
            }
            match (byte, self.peek(1)) {
                (b'\\', Some(next)) => escape(self, next),
                _ => self.put(byte, 1),
            }
        }
        Err(ProtocolError::UnbalancedQuotes)
    }

    /// A backslash and `next` within double quotes.
    fn escape(&mut self, next: u8) {
        match (next, self.hex(2), self.hex(3)) {
            (b'x', Some(high), Some(low)) => self.put((high << 4) | low, 4),
            (b'n', ..) => self.put(b'\n', 2),
            (b'r', ..) => self.put(b'\r', 2),
            (b't', ..) => self.put(b'\t', 2),
            (b'b', ..) => self.put(8, 2),
            (b'a', ..) => self.put(7, 2),
            _ => self.put(next, 2),
        }
    }

    fn hex(&self, ahead: usize) -> Option<u8> {
        self.peek(ahead).and_then(|byte| (byte as char).to_digit(16)).map(|digit| digit as u8)
    }

    /// A backslash and `next` within single quotes, where only the quote itself can be escaped.
    fn quote_escape(&mut self, next: u8) {
        match next {
            b'\'' => self.put(b'\'', 2),
            _ => self.put(b'\\', 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let mut bytes = line.as_bytes().to_vec();
        let mut spans = Vec::new();
        split(&mut bytes, 0, &mut spans)?;
        let word = |span: &Span| {
            let (start, len) = span.parts();
            bytes[start..start + len].to_vec()
        };
        Ok(spans.iter().map(word).collect())
    }

    /// Every line was given to redis-server 7.0.15.
    #[test]
    fn words_as_redis_splits_them() {
        let cases: [(&str, &[&[u8]]); 13] = [
            ("", &[]),
            (" \t \u{b} ", &[]),
            ("PING", &[b"PING"]),
            ("  \u{b} PING", &[b"PING"]),
            ("PING a\u{b}b", &[b"PING", b"a\x0bb"]),
            ("PING a\rb", &[b"PING", b"a", b"b"]),
            ("PING a\"b c\"", &[b"PING", b"ab c"]),
            ("PING \"\\x41\\n\"", &[b"PING", b"A\n"]),
            ("PING 'a\\'b\\n'", &[b"PING", b"a'b\\n"]),
            ("PING '' x", &[b"PING", b"", b"x"]),
            ("PING 'a'\u{b}b", &[b"PING", b"a", b"b"]),
            ("\"\\xfg\\q\\\"\\\\\\a\\b\\t\\r\"", &[b"xfgq\"\\\x07\x08\t\r"]),
            ("a\\ b", &[b"a\\", b"b"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn quotes_must_balance() {
        for line in ["\"a", "'a", "\"a\"b", "'a'b", "a\"", "\"a\\\"", "\"\\", "x 'a\\'"] {
            assert_eq!(words(line), Err(ProtocolError::UnbalancedQuotes), "{line}");
        }
    }
}
