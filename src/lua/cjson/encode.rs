//! Values to JSON.

use super::{Invalid, Settings};
use crate::lua::number::print;
use crate::lua::{Kind, NESTING, Outcome, Raised, Stack};

/// Slots that one level of nesting needs: a key, a value, and one to look at.
const SLOTS: usize = 3;

pub(super) fn encode(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(stack.bad_argument(1, "expected 1 argument"));
    }
    let settings = stack.shared().cjson.get();
    let mut encoder = Encoder { settings, depth: 0, text: Vec::new() };
    encoder.value(stack)?;
    stack.push_bytes(&encoder.text);
    stack.one()
}

struct Encoder {
    settings: Settings,
    depth: i64,
    text: Vec<u8>,
}

impl Encoder {
    /// Appends the value on top, and leaves it there.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        match stack.kind(-1) {
            Kind::String => self.string(stack.bytes(-1).unwrap_or_default()),
            Kind::Number => return self.number(stack, -1),
            Kind::Boolean => self.text.extend_from_slice(if stack.truth(-1) { b"true" } else { b"false" }),
            Kind::Nil => self.text.extend_from_slice(b"null"),
            Kind::Light if stack.is_null(-1) => self.text.extend_from_slice(b"null"),
            Kind::Table => return self.table(stack),
            _ => return Err(self.refuse(stack, -1, "type not supported")),
        }
        Ok(())
    }

    #[cold]
    fn refuse(&self, stack: &mut Stack<'_>, index: i32, why: &str) -> Raised {
        let text = format!("Cannot serialise {}: {why}", stack.kind_name(index));
        stack.fail(&text)
    }

    fn table(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        self.depth += 1;
        if self.depth > self.settings.encode_max_depth.min(NESTING as i64) || !stack.reserve(SLOTS + 8) {
            return Err(stack.fail(&format!("Cannot serialise, excessive depth ({})", self.depth)));
        }
        match self.array_length(stack)? {
            0 => self.object(stack)?,
            length => self.array(stack, length)?,
        }
        self.depth -= 1;
        self.look_at_memory(stack)
    }

    fn look_at_memory(&self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        if self.text.len() > stack.shared().limit.get() {
            return Err(stack.raise(b"not enough memory"));
        }
        Ok(())
    }

    /// The highest index of the table on top if all its keys are indices; 0 if it is to be an object.
    fn array_length(&self, stack: &mut Stack<'_>) -> Result<i32, Raised> {
        let (mut most, mut items) = (0.0f64, 0i64);
        stack.push_nil();
        while stack.next(-2) {
            let key = if stack.kind(-2) == Kind::Number { stack.number(-2) } else { None };
            match key {
                Some(key) if key >= 1.0 && key.floor() == key => {
                    most = most.max(key);
                    items += 1;
                    stack.pop(1);
                }
                _ => {
                    stack.pop(2);
                    return Ok(0);
                }
            }
        }
        let Settings { sparse_ratio: ratio, sparse_safe: safe, sparse_convert, .. } = self.settings;
        let sparse = ratio > 0 && most > items.saturating_mul(ratio) as f64 && most > safe as f64;
        if sparse && !sparse_convert {
            return Err(self.refuse(stack, -1, "excessively sparse array"));
        }
        Ok(if sparse { 0 } else { most as i32 })
    }

    fn array(&mut self, stack: &mut Stack<'_>, length: i32) -> Result<(), Raised> {
        self.text.push(b'[');
        for number in 1..=length {
            if number > 1 {
                self.text.push(b',');
            }
            stack.get_element(-1, number);
            self.value(stack)?;
            stack.pop(1);
            if number % 4096 == 0 {
                self.look_at_memory(stack)?;
            }
        }
        self.text.push(b']');
        Ok(())
    }

    fn object(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        self.text.push(b'{');
        let mut first = true;
        stack.push_nil();
        while stack.next(-2) {
            if !first {
                self.text.push(b',');
            }
            first = false;
            self.key(stack)?;
            self.text.push(b':');
            self.value(stack)?;
            stack.pop(1);
        }
        self.text.push(b'}');
        Ok(())
    }

    /// Appends the key below the top.
    fn key(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        match stack.kind(-2) {
            Kind::Number => {
                self.text.push(b'"');
                self.number(stack, -2)?;
                self.text.push(b'"');
            }
            Kind::String => self.string(stack.bytes(-2).unwrap_or_default()),
            _ => return Err(self.refuse(stack, -2, "table key must be a number or string")),
        }
        Ok(())
    }

    fn number(&mut self, stack: &mut Stack<'_>, index: i32) -> Result<(), Raised> {
        let number = stack.number(index).unwrap_or(0.0);
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Off => return Err(self.refuse(stack, index, "must not be NaN or Inf")),
                Invalid::On if number.is_nan() => self.text.extend_from_slice(b"nan"),
                Invalid::On => print(number, self.settings.digits as u8, &mut self.text),
                Invalid::Null => self.text.extend_from_slice(b"null"),
            }
            return Ok(());
        }
        print(number, self.settings.digits as u8, &mut self.text);
        Ok(())
    }

    fn string(&mut self, string: &[u8]) {
        self.text.reserve(string.len() + 2);
        self.text.push(b'"');
        let mut plain = 0;
        for (at, &byte) in string.iter().enumerate() {
            if (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'/') || byte >= 0x80 {
                continue;
            }
            self.text.extend_from_slice(&string[plain..at]);
            plain = at + 1;
            self.escape(byte);
        }
        self.text.extend_from_slice(&string[plain..]);
        self.text.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            b'"' | b'\\' | b'/' => byte,
            _ => return self.text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        };
        self.text.extend_from_slice(&[b'\\', short]);
    }
}
