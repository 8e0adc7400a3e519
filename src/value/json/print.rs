//! Values to text.

use super::Value;

/// What is put between the parts of a text. Nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Format<'a> {
    /// Before every part, as often as it is nested.
    pub indent: &'a [u8],
    /// Before every part that has a line of its own.
    pub newline: &'a [u8],
    /// Behind the colon of a member.
    pub space: &'a [u8],
}

/// Writes values, and arrays and objects that no document holds.
pub struct Printer<'o, 'f> {
    out: &'o mut Vec<u8>,
    format: Format<'f>,
    /// Arrays and objects that are open.
    level: usize,
    /// The innermost of them has no part yet.
    fresh: bool,
}

/// Appends the text of `value`, with nothing between its parts.
pub fn print(value: &Value, out: &mut Vec<u8>) {
    Printer::new(out, Format::default()).value(value);
}

impl<'o, 'f> Printer<'o, 'f> {
    /// A printer that appends to `out`.
    pub fn new(out: &'o mut Vec<u8>, format: Format<'f>) -> Printer<'o, 'f> {
        Printer { out, format, level: 0, fresh: true }
    }

    /// Begins an array with `b'['` or an object with `b'{'`.
    pub fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.level += 1;
        self.fresh = true;
    }

    /// Ends it.
    pub fn close(&mut self, bracket: u8) {
        self.level -= 1;
        if !self.fresh {
            self.line();
        }
        self.out.push(bracket);
        self.fresh = false;
    }

    /// Begins the next element of an array; its value follows.
    #[inline]
    pub fn item(&mut self) {
        if !self.fresh {
            self.out.push(b',');
        }
        self.fresh = false;
        self.line();
    }

    /// Begins the next member of an object; its value follows.
    #[inline]
    pub fn name(&mut self, name: &[u8]) {
        self.item();
        string(name, self.out);
        self.out.push(b':');
        self.out.extend_from_slice(self.format.space);
    }

    #[inline]
    fn line(&mut self) {
        self.out.extend_from_slice(self.format.newline);
        if !self.format.indent.is_empty() {
            (0..self.level).for_each(|_| self.out.extend_from_slice(self.format.indent));
        }
    }

    /// A value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(int) => self.out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes()),
            Value::Unsigned(int) => self.out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes()),
            Value::Float(float) => float_text(*float, self.out),
            Value::Text(text) => string(text.as_bytes(), self.out),
            Value::Array(items) => {
                self.open(b'[');
                for item in items.iter() {
                    self.item();
                    self.value(item);
                }
                self.close(b']');
            }
            Value::Object(object) => {
                self.open(b'{');
                for member in object.members() {
                    self.name(member.name.as_bytes());
                    self.value(&member.value);
                }
                self.close(b'}');
            }
        }
    }
}

/// A double in the shortest digits that read back the same. RedisJSON writes no plus before an exponent.
fn float_text(float: f64, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format_finite(float).as_bytes();
    match digits.iter().position(|byte| *byte == b'+') {
        Some(plus) => {
            out.extend_from_slice(&digits[..plus]);
            out.extend_from_slice(&digits[plus + 1..]);
        }
        None => out.extend_from_slice(digits),
    }
}

/// Whether a byte of a string is written otherwise than as itself.
static IS_ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// A string in its quotes.
fn string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| IS_ESCAPED[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&digits);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
