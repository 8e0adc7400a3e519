//! MessagePack to values.

use crate::lua::{Kind, NESTING, Outcome, Raised, Stack};

const MISSING: &str = "Missing bytes in input.";
const BAD: &str = "Bad data format in input.";

pub(super) fn unpack(stack: &mut Stack<'_>) -> Outcome {
    all(stack, 0, 0)
}

pub(super) fn unpack_one(stack: &mut Stack<'_>) -> Outcome {
    let offset = optional(stack, 2)?;
    all(stack, 1, offset)
}

pub(super) fn unpack_limit(stack: &mut Stack<'_>) -> Outcome {
    let limit = stack.check_integer(2)?;
    let offset = optional(stack, 3)?;
    all(stack, limit, offset)
}

fn optional(stack: &mut Stack<'_>, number: i32) -> Result<i64, Raised> {
    match stack.kind(number) {
        Kind::None | Kind::Nil => Ok(0),
        _ => stack.check_integer(number),
    }
}

/// Pushes up to `limit` values from `offset` on, with the next offset before them; of both being 0 all, and no offset.
fn all(stack: &mut Stack<'_>, limit: i64, offset: i64) -> Outcome {
    let (limit, offset) = (limit as i32, offset as i32);
    let bytes = stack.check_bytes(1)?;
    stack.set_top(1);
    let whole = limit == 0 && offset == 0;
    if offset < 0 || limit < 0 {
        let len = bytes.len();
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(stack.fail(&text));
    }
    let Some(rest) = bytes.get(offset as usize..) else {
        let text = format!("Start offset {offset} greater than input length {}.", bytes.len());
        return Err(stack.fail(&text));
    };
    let limit = if whole { i32::MAX } else { limit };
    let mut cursor = Cursor { rest, depth: 0 };
    let mut count = 0;
    while !cursor.rest.is_empty() && count < limit {
        cursor.value(stack)?;
        count += 1;
    }
    if !whole {
        let next = if cursor.rest.is_empty() { -1.0 } else { (bytes.len() - cursor.rest.len()) as f64 };
        stack.push_number(next);
        stack.insert(2);
        count += 1;
    }
    Ok(count as usize)
}

struct Cursor<'b> {
    rest: &'b [u8],
    depth: usize,
}

impl<'b> Cursor<'b> {
    fn take(&mut self, stack: &mut Stack<'_>, count: usize) -> Result<&'b [u8], Raised> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(stack.fail(MISSING)),
        }
    }

    fn number<const N: usize>(&mut self, stack: &mut Stack<'_>) -> Result<[u8; N], Raised> {
        let bytes = self.take(stack, N)?;
        Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
    }

    fn length<const N: usize>(&mut self, stack: &mut Stack<'_>) -> Result<usize, Raised> {
        let bytes = self.number::<N>(stack)?;
        Ok(bytes.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte)))
    }

    /// Reads one value and pushes it.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        if self.depth > NESTING || !stack.reserve(8) {
            return Err(stack.fail("stack overflow (in function mp_decode_to_lua_type)"));
        }
        if stack.is_over_limit() {
            return Err(stack.raise(b"not enough memory"));
        }
        let kind = self.number::<1>(stack)?[0];
        match kind {
            0x00..=0x7f => stack.push_number(f64::from(kind)),
            0xe0..=0xff => stack.push_number(f64::from(kind as i8)),
            0xc0 => stack.push_nil(),
            0xc2 | 0xc3 => stack.push_boolean(kind == 0xc3),
            0xca..=0xd3 => return self.numeric(stack, kind),
            0xa0..=0xbf => return self.text(stack, usize::from(kind & 0x1f)),
            0x80..=0x8f => return self.map(stack, usize::from(kind & 0x0f)),
            0x90..=0x9f => return self.array(stack, usize::from(kind & 0x0f)),
            0xc4..=0xc6 | 0xd9..=0xdf => return self.long(stack, kind),
            _ => return Err(stack.fail(BAD)),
        }
        Ok(())
    }

    fn numeric(&mut self, stack: &mut Stack<'_>, kind: u8) -> Result<(), Raised> {
        let number = match kind {
            0xca => f64::from(f32::from_be_bytes(self.number(stack)?)),
            0xcb => f64::from_be_bytes(self.number(stack)?),
            0xcc => f64::from(u8::from_be_bytes(self.number(stack)?)),
            0xcd => f64::from(u16::from_be_bytes(self.number(stack)?)),
            0xce => f64::from(u32::from_be_bytes(self.number(stack)?)),
            0xcf => u64::from_be_bytes(self.number(stack)?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.number(stack)?)),
            0xd1 => f64::from(i16::from_be_bytes(self.number(stack)?)),
            0xd2 => f64::from(i32::from_be_bytes(self.number(stack)?)),
            _ => i64::from_be_bytes(self.number(stack)?) as f64,
        };
        stack.push_number(number);
        Ok(())
    }

    /// What has its length behind the first byte.
    fn long(&mut self, stack: &mut Stack<'_>, kind: u8) -> Result<(), Raised> {
        let length = match kind {
            0xc4 | 0xd9 => self.length::<1>(stack)?,
            0xc5 | 0xda | 0xdc | 0xde => self.length::<2>(stack)?,
            _ => self.length::<4>(stack)?,
        };
        match kind {
            0xdc | 0xdd => self.array(stack, length),
            0xde | 0xdf => self.map(stack, length),
            _ => self.text(stack, length),
        }
    }

    fn text(&mut self, stack: &mut Stack<'_>, length: usize) -> Result<(), Raised> {
        let text = self.take(stack, length)?;
        stack.push_bytes(text);
        Ok(())
    }

    fn array(&mut self, stack: &mut Stack<'_>, length: usize) -> Result<(), Raised> {
        stack.push_table(0, 0);
        self.depth += 1;
        for number in 1..=length {
            self.value(stack)?;
            stack.set_element(-2, number as i32);
        }
        self.depth -= 1;
        Ok(())
    }

    fn map(&mut self, stack: &mut Stack<'_>, length: usize) -> Result<(), Raised> {
        stack.push_table(0, 0);
        self.depth += 1;
        for _ in 0..length {
            self.value(stack)?;
            let unfit = match stack.kind(-1) {
                Kind::Nil => Some("table index is nil"),
                Kind::Number if stack.number(-1).is_some_and(f64::is_nan) => Some("table index is NaN"),
                _ => None,
            };
            self.value(stack)?;
            if let Some(why) = unfit {
                return Err(stack.fail(why));
            }
            stack.set_pair(-3);
        }
        self.depth -= 1;
        Ok(())
    }
}
