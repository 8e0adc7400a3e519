//! JSON to values.

use std::ptr;

use super::{Invalid, Settings};
use crate::lua::{NESTING, Outcome, Raised, Stack};

pub(super) fn decode(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(stack.bad_argument(1, "expected 1 argument"));
    }
    let mut text = stack.check_bytes(1)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(stack.fail("JSON parser does not support UTF-16 or UTF-32"));
    }
    // What follows relies on the end being marked, as C's strtod does.
    text.push(0);
    let settings = stack.shared().cjson.get();
    let mut decoder = Decoder { text: &text, at: 0, depth: 0, string: Vec::new(), settings };
    let first = decoder.token();
    decoder.value(stack, first)?;
    match decoder.token() {
        (Token::End, _) => stack.one(),
        other => Err(unexpected(stack, "the end", other)),
    }
}

#[derive(Clone, Copy)]
enum Token {
    End,
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its text is in the decoder.
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    Error(&'static str),
}

/// A token with the place at which it begins.
type Placed = (Token, usize);

#[cold]
fn unexpected(stack: &mut Stack<'_>, expected: &str, (token, at): Placed) -> Raised {
    let found = match token {
        Token::Error(why) => why,
        Token::ObjectBegin => "T_OBJ_BEGIN",
        Token::ObjectEnd => "T_OBJ_END",
        Token::ArrayBegin => "T_ARR_BEGIN",
        Token::ArrayEnd => "T_ARR_END",
        Token::String => "T_STRING",
        Token::Number(_) => "T_NUMBER",
        Token::Boolean(_) => "T_BOOLEAN",
        Token::Null => "T_NULL",
        Token::Colon => "T_COLON",
        Token::Comma => "T_COMMA",
        Token::End => "T_END",
    };
    stack.fail(&format!("Expected {expected} but found {found} at character {}", at + 1))
}

struct Decoder<'t> {
    /// Ends with a NUL.
    text: &'t [u8],
    at: usize,
    depth: i64,
    /// The string that was read last.
    string: Vec<u8>,
    settings: Settings,
}

impl Decoder<'_> {
    fn token(&mut self) -> Placed {
        while matches!(self.text[self.at], b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let single = match self.text[start] {
            // A NUL within the text ends it too.
            0 => return (Token::End, start),
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.read_string(),
            _ => return self.word(),
        };
        self.at += 1;
        (single, start)
    }

    /// A number, or one of JSON's three words.
    fn word(&mut self) -> Placed {
        let start = self.at;
        let rest = &self.text[start..];
        let lenient = self.settings.decode_invalid == Invalid::On;
        if matches!(rest[0], b'-' | b'0'..=b'9') {
            if !lenient && is_invalid_number(rest) {
                return (Token::Error("invalid number"), start);
            }
            return self.number();
        }
        for (word, token) in
            [(&b"true"[..], Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)]
        {
            if rest.starts_with(word) {
                self.at += word.len();
                return (token, start);
            }
        }
        let may_be_number = matches!(rest[0], b'+' | b'i' | b'I' | b'n' | b'N');
        if may_be_number && lenient && is_invalid_number(rest) {
            return self.number();
        }
        (Token::Error("invalid token"), start)
    }

    fn number(&mut self) -> Placed {
        let start = self.at;
        let from = self.text[start..].as_ptr();
        let mut end = ptr::null_mut();
        // SAFETY: the text ends with a NUL, so that the function stops within it.
        let (value, len) = unsafe {
            let value = libc::strtod(from.cast(), &mut end);
            (value, end.cast::<u8>().cast_const().offset_from(from))
        };
        if len == 0 {
            return (Token::Error("invalid number"), start);
        }
        self.at += len as usize;
        (Token::Number(value), start)
    }

    fn read_string(&mut self) -> Placed {
        let start = self.at;
        self.at += 1;
        self.string.clear();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0)).count();
            self.string.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return (Token::String, start);
                }
                b'\\' => {
                    if let Err(why) = self.escape() {
                        return (Token::Error(why), self.at);
                    }
                }
                _ => return (Token::Error("unexpected end of string"), self.at),
            }
        }
    }

    /// Reads what a backslash begins.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.text[self.at + 1] {
            b'u' => return self.unicode().ok_or("invalid unicode escape code"),
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            same @ (b'"' | b'\\' | b'/') => same,
            _ => return Err("invalid escape code"),
        };
        self.string.push(byte);
        self.at += 2;
        Ok(())
    }

    /// Reads `\u` and four digits, or two of these that are a pair of surrogates.
    fn unicode(&mut self) -> Option<()> {
        let high = hex4(&self.text[self.at + 2..])?;
        let mut code = high;
        let mut length = 6;
        if high & 0xf800 == 0xd800 {
            let low = self.text[self.at + 6..].strip_prefix(b"\\u").and_then(hex4)?;
            if high & 0x400 != 0 || low & 0xfc00 != 0xdc00 {
                return None;
            }
            code = 0x10000 + ((high & 0x3ff) << 10 | low & 0x3ff);
            length = 12;
        }
        let letter = char::from_u32(code)?;
        self.string.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += length;
        Some(())
    }

    /// Pushes the value that begins with `token`.
    fn value(&mut self, stack: &mut Stack<'_>, token: Placed) -> Result<(), Raised> {
        match token.0 {
            Token::String => stack.push_bytes(&self.string),
            Token::Number(number) => stack.push_number(number),
            Token::Boolean(value) => stack.push_boolean(value),
            Token::Null => stack.push_null(),
            Token::ObjectBegin => return self.object(stack),
            Token::ArrayBegin => return self.array(stack),
            _ => return Err(unexpected(stack, "value", token)),
        }
        Ok(())
    }

    fn descend(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        self.depth += 1;
        if self.depth > self.settings.decode_max_depth.min(NESTING as i64) || !stack.reserve(8) {
            let text =
                format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
            return Err(stack.fail(&text));
        }
        if stack.is_over_limit() {
            return Err(stack.raise(b"not enough memory"));
        }
        stack.push_table(0, 0);
        Ok(())
    }

    fn object(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        self.descend(stack)?;
        let mut token = self.token();
        if matches!(token.0, Token::ObjectEnd) {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            if !matches!(token.0, Token::String) {
                return Err(unexpected(stack, "object key string", token));
            }
            stack.push_bytes(&self.string);
            let colon = self.token();
            if !matches!(colon.0, Token::Colon) {
                return Err(unexpected(stack, "colon", colon));
            }
            let first = self.token();
            self.value(stack, first)?;
            stack.set_pair(-3);
            let next = self.token();
            match next.0 {
                Token::ObjectEnd => break,
                Token::Comma => token = self.token(),
                _ => return Err(unexpected(stack, "comma or object end", next)),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        self.descend(stack)?;
        let mut token = self.token();
        if matches!(token.0, Token::ArrayEnd) {
            self.depth -= 1;
            return Ok(());
        }
        for number in 1.. {
            self.value(stack, token)?;
            stack.set_element(-2, number);
            let next = self.token();
            match next.0 {
                Token::ArrayEnd => break,
                Token::Comma => token = self.token(),
                _ => return Err(unexpected(stack, "comma or array end", next)),
            }
        }
        self.depth -= 1;
        Ok(())
    }
}

/// Whether a number is none of JSON's although C reads it: a sign before it, leading zeros, hexadecimal, infinity.
fn is_invalid_number(text: &[u8]) -> bool {
    let digits = match text {
        [b'+', ..] => return true,
        [b'-', rest @ ..] => rest,
        all => all,
    };
    match digits {
        [b'0', second, ..] => second.is_ascii_digit() || matches!(second, b'x' | b'X'),
        [first, ..] if *first <= b'9' => false,
        _ => [b"inf", b"nan"]
            .iter()
            .any(|word| digits.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(*word))),
    }
}

fn hex4(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |value, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(value << 4 | digit)
    })
}
