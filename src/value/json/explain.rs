//! What is wrong with a text that is no JSON, and where: the words and places of serde_json, which RedisJSON shows its
//! clients.
//!
//! A place is a line and how many bytes of it have been read. Some errors count the byte that they are about as read
//! ([`Reader::peeked`]), others have read it anyway.

use super::DEPTH_MAX;

/// A reader of a text that stops at the first error.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

type Checked = Result<(), String>;

/// The error in `text`, which [`parse`](super::parse) refused.
pub(super) fn explain(text: &[u8]) -> String {
    let mut reader = Reader { text, at: 0 };
    let checked = reader.value(0).and_then(|()| match reader.peek_word() {
        Some(_) => Err(reader.peeked("trailing characters")),
        None => Ok(()),
    });
    checked.err().unwrap_or_else(|| reader.error("expected value"))
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is no space.
    fn peek_word(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn error(&self, what: &str) -> String {
        self.error_at(what, self.at)
    }

    /// An error about the next byte.
    fn peeked(&self, what: &str) -> String {
        self.error_at(what, self.text.len().min(self.at + 1))
    }

    fn error_at(&self, what: &str, end: usize) -> String {
        let read = &self.text[..end];
        let line = 1 + memchr::memchr_iter(b'\n', read).count();
        let begin = memchr::memrchr(b'\n', read).map_or(0, |at| at + 1);
        format!("{what} at line {line} column {}", end - begin)
    }

    /// A value that `level` others contain.
    fn value(&mut self, level: usize) -> Checked {
        match self.peek_word() {
            None => Err(self.peeked("EOF while parsing a value")),
            Some(b'n') => self.word(b"null"),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'"') => self.string(),
            Some(b'[' | b'{') if level == DEPTH_MAX => Err(self.peeked("recursion limit exceeded")),
            Some(b'[') => self.array(level + 1),
            Some(b'{') => self.object(level + 1),
            Some(_) => Err(self.peeked("expected value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Checked {
        for expected in word {
            match self.next() {
                None => return Err(self.error("EOF while parsing a value")),
                Some(byte) if byte != *expected => return Err(self.error("expected ident")),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn array(&mut self, level: usize) -> Checked {
        self.at += 1;
        for first in [true].into_iter().chain(std::iter::repeat(false)) {
            match self.peek_word() {
                None => return Err(self.peeked("EOF while parsing a list")),
                Some(b']') => break,
                Some(b',') if !first => self.at += 1,
                Some(_) if !first => return Err(self.peeked("expected `,` or `]`")),
                Some(_) => {}
            }
            if !first && self.peek_word() == Some(b']') {
                return Err(self.peeked("trailing comma"));
            }
            self.value(level)?;
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, level: usize) -> Checked {
        self.at += 1;
        for first in [true].into_iter().chain(std::iter::repeat(false)) {
            match self.peek_word() {
                None => return Err(self.peeked("EOF while parsing an object")),
                Some(b'}') => break,
                Some(b',') if !first => self.at += 1,
                Some(_) if !first => return Err(self.peeked("expected `,` or `}`")),
                Some(_) => {}
            }
            self.member(level)?;
        }
        self.at += 1;
        Ok(())
    }

    fn member(&mut self, level: usize) -> Checked {
        match self.peek_word() {
            Some(b'"') => self.string()?,
            Some(b'}') => return Err(self.peeked("trailing comma")),
            Some(_) => return Err(self.peeked("key must be a string")),
            None => return Err(self.peeked("EOF while parsing a value")),
        }
        match self.peek_word() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.peeked("expected `:`")),
            None => return Err(self.peeked("EOF while parsing an object")),
        }
        self.value(level)
    }

    fn number(&mut self) -> Checked {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.next() {
            None => return Err(self.error("EOF while parsing a value")),
            Some(b'0') if matches!(self.peek(), Some(b'0'..=b'9')) => {
                return Err(self.peeked("invalid number"));
            }
            Some(b'0') => {}
            Some(b'1'..=b'9') => self.digits(),
            Some(_) => return Err(self.error("invalid number")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            match self.peek() {
                Some(b'0'..=b'9') => self.digits(),
                Some(_) => return Err(self.peeked("invalid number")),
                None => return Err(self.peeked("EOF while parsing a value")),
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.exponent()?;
        }
        let digits = String::from_utf8_lossy(&self.text[begin..self.at]);
        let finite = digits.parse::<f64>().is_ok_and(f64::is_finite);
        if finite { Ok(()) } else { Err(self.error("number out of range")) }
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn exponent(&mut self) -> Checked {
        if let Some(b'+' | b'-') = self.peek() {
            self.at += 1;
        }
        match self.next() {
            Some(b'0'..=b'9') => {
                self.digits();
                Ok(())
            }
            Some(_) => Err(self.error("invalid number")),
            None => Err(self.error("EOF while parsing a value")),
        }
    }

    fn string(&mut self) -> Checked {
        self.at += 1;
        let begin = self.at;
        loop {
            match self.next() {
                None => return Err(self.error("EOF while parsing a string")),
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => {
                    let what = "control character (\\u0000-\\u001F) found while parsing a string";
                    return Err(self.error(what));
                }
                Some(_) => {}
            }
        }
        let valid = std::str::from_utf8(&self.text[begin..self.at]).is_ok();
        if valid { Ok(()) } else { Err(self.error("invalid unicode code point")) }
    }

    fn escape(&mut self) -> Checked {
        match self.next() {
            None => Err(self.error("EOF while parsing a string")),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => self.unicode(),
            Some(_) => Err(self.error("invalid escape")),
        }
    }

    fn unicode(&mut self) -> Checked {
        match self.hex()? {
            0xdc00..=0xdfff => Err(self.error("lone leading surrogate in hex escape")),
            0xd800..=0xdbff => {
                if !self.text[self.at..].starts_with(b"\\u") {
                    return Err(self.peeked("unexpected end of hex escape"));
                }
                self.at += 2;
                match self.hex()? {
                    0xdc00..=0xdfff => Ok(()),
                    _ => Err(self.error("lone leading surrogate in hex escape")),
                }
            }
            _ => Ok(()),
        }
    }

    fn hex(&mut self) -> Result<u32, String> {
        let Some(digits) = self.text.get(self.at..self.at + 4) else {
            self.at = self.text.len();
            return Err(self.error("EOF while parsing a string"));
        };
        self.at += 4;
        let number = digits.iter().try_fold(0, |all, byte| Some(all << 4 | (*byte as char).to_digit(16)?));
        number.ok_or_else(|| self.error("invalid escape"))
    }
}
