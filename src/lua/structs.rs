//! `struct`: C's records as strings, as in Roberto Ierusalimschy's library of that name.
//!
//! | letter | means |
//! |---|---|
//! | `>` `<` `!n` ` ` | big endian, little endian, alignment, nothing |
//! | `b h l T i`*n* | signed integers of 1, 2, 8, 8 and *n* bytes (4 without a number); capitals are unsigned |
//! | `f d` | float, double |
//! | `s` `c`*n* `x` | text that ends with a NUL, *n* bytes, one byte of padding |

use super::{Outcome, Raised, Stack};

/// Bytes of an integer at most.
const MOST: usize = 32;
/// The alignment that `!` means without a number.
const NATIVE_ALIGN: usize = 8;

/// Pushes the library.
pub fn build(stack: &mut Stack<'_>) {
    stack.push_table(0, 3);
    stack.add_native("pack", pack);
    stack.add_native("unpack", unpack);
    stack.add_native("size", size);
}

/// A format that is being read.
struct Format {
    text: Vec<u8>,
    at: usize,
    big: bool,
    align: usize,
}

/// One letter of a format, with the bytes that it stands for.
#[derive(Clone, Copy)]
struct Item {
    letter: u8,
    size: usize,
}

impl Format {
    fn new(stack: &mut Stack<'_>) -> Result<Format, Raised> {
        let text = stack.check_bytes(1)?;
        Ok(Format { text, at: 0, big: cfg!(target_endian = "big"), align: 1 })
    }

    fn next(&mut self, stack: &mut Stack<'_>) -> Result<Option<Item>, Raised> {
        let Some(&letter) = self.text.get(self.at).filter(|letter| **letter != 0) else { return Ok(None) };
        self.at += 1;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(stack, 1)?,
            b'i' | b'I' => {
                let size = self.number(stack, 4)?;
                if size > MOST {
                    let text = format!("integral size {size} is larger than limit of {MOST}");
                    return Err(stack.fail(&text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { letter, size }))
    }

    fn number(&mut self, stack: &mut Stack<'_>, default: usize) -> Result<usize, Raised> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let mut value = 0i32;
        for &digit in &self.text[self.at..self.at + digits] {
            let more = value.checked_mul(10).and_then(|ten| ten.checked_add(i32::from(digit - b'0')));
            let Some(more) = more else { return Err(stack.fail("integral size overflow")) };
            value = more;
        }
        self.at += digits;
        Ok(value as usize)
    }

    /// Bytes of padding before an item at `at`.
    fn padding(&self, at: usize, item: Item) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        let size = item.size.min(self.align);
        (size - (at & size.wrapping_sub(1))) & size.wrapping_sub(1)
    }

    /// Obeys a letter that stands for no value.
    fn control(&mut self, stack: &mut Stack<'_>, letter: u8) -> Result<(), Raised> {
        match letter {
            b' ' => {}
            b'>' => self.big = true,
            b'<' => self.big = false,
            b'!' => {
                let align = self.number(stack, NATIVE_ALIGN)?;
                if !align.is_power_of_two() {
                    return Err(stack.fail(&format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => {
                let why = format!("invalid format option '{}'", letter as char);
                return Err(stack.bad_argument(1, &why));
            }
        }
        Ok(())
    }

    fn order<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if self.big {
            little.reverse();
        }
        little
    }
}

fn pack(stack: &mut Stack<'_>) -> Outcome {
    let mut format = Format::new(stack)?;
    let mut made = Vec::new();
    let mut arg = 1;
    while let Some(item) = format.next(stack)? {
        made.resize(made.len() + format.padding(made.len(), item), 0);
        match item.letter {
            b'x' => made.push(0),
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                arg += 1;
                let number = stack.check_number(arg)?;
                put_integer(number, item.size, format.big, &mut made);
            }
            b'f' => {
                arg += 1;
                let number = stack.check_number(arg)? as f32;
                made.extend_from_slice(&format.order(number.to_le_bytes()));
            }
            b'd' => {
                arg += 1;
                let number = stack.check_number(arg)?;
                made.extend_from_slice(&format.order(number.to_le_bytes()));
            }
            b'c' | b's' => {
                arg += 1;
                put_text(stack, arg, item, &mut made)?;
            }
            letter => format.control(stack, letter)?,
        }
        if made.len() > stack.shared().limit.get() {
            return Err(stack.raise(b"not enough memory"));
        }
    }
    stack.push_bytes(&made);
    stack.one()
}

fn put_integer(number: f64, size: usize, big: bool, made: &mut Vec<u8>) {
    // What fits no integer is what C on x86 makes of it.
    let mut value = match number {
        negative if negative < 0.0 => negative as i64 as u64,
        large if large >= 2f64.powi(64) => 0,
        other => other as u64,
    };
    let start = made.len();
    for _ in 0..size {
        made.push(value as u8);
        value >>= 8;
    }
    if big {
        made[start..].reverse();
    }
}

fn put_text(stack: &mut Stack<'_>, arg: i32, item: Item, made: &mut Vec<u8>) -> Result<(), Raised> {
    let text = stack.check_bytes(arg)?;
    let size = if item.size == 0 { text.len() } else { item.size };
    let Some(text) = text.get(..size) else { return Err(stack.bad_argument(arg + 1, "string too short")) };
    made.extend_from_slice(text);
    if item.letter == b's' {
        made.push(0);
    }
    Ok(())
}

fn unpack(stack: &mut Stack<'_>) -> Outcome {
    const SHORT: &str = "data string too short";
    let mut format = Format::new(stack)?;
    let data = stack.check_bytes(2)?;
    let pos = if stack.top() < 3 { 1 } else { stack.check_integer(3)? };
    if pos <= 0 {
        return Err(stack.bad_argument(3, "offset must be 1 or greater"));
    }
    let mut at = usize::try_from(pos - 1).unwrap_or(usize::MAX);
    let base = stack.top();
    while let Some(mut item) = format.next(stack)? {
        at = at.saturating_add(format.padding(at, item));
        if !fits(&data, at, item.size) {
            return Err(stack.bad_argument(2, SHORT));
        }
        if !stack.reserve(2) {
            return Err(stack.fail("stack overflow (too many results)"));
        }
        match item.letter {
            b'x' => {}
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = item.letter.is_ascii_lowercase();
                let number = integer(&data[at..at + item.size], format.big, signed);
                stack.push_number(number);
            }
            b'f' => {
                let bytes = data[at..].first_chunk().copied().unwrap_or_default();
                stack.push_number(f64::from(f32::from_le_bytes(format.order(bytes))));
            }
            b'd' => {
                let bytes = data[at..].first_chunk().copied().unwrap_or_default();
                stack.push_number(f64::from_le_bytes(format.order(bytes)));
            }
            b'c' => {
                if item.size == 0 {
                    item.size = previous_size(stack, base)?;
                    if !fits(&data, at, item.size) {
                        return Err(stack.bad_argument(2, SHORT));
                    }
                }
                stack.push_bytes(&data[at..at + item.size]);
            }
            b's' => {
                let Some(len) = memchr::memchr(0, &data[at..]) else {
                    return Err(stack.fail("unfinished string in data"));
                };
                stack.push_bytes(&data[at..at + len]);
                item.size = len + 1;
            }
            letter => format.control(stack, letter)?,
        }
        at += item.size;
    }
    stack.push_number((at + 1) as f64);
    Ok(stack.top() - base)
}

fn fits(data: &[u8], at: usize, size: usize) -> bool {
    size <= data.len() && at <= data.len() - size
}

/// Takes the number that was read last, which is the length of a `c0`.
fn previous_size(stack: &mut Stack<'_>, base: usize) -> Result<usize, Raised> {
    let number = if stack.top() > base { stack.number(-1) } else { None };
    let Some(number) = number else { return Err(stack.fail("format 'c0' needs a previous size")) };
    stack.pop(1);
    // A negative length is longer than anything, as C's conversion makes it.
    Ok(if number < 0.0 { usize::MAX } else { number as usize })
}

fn integer(bytes: &[u8], big: bool, signed: bool) -> f64 {
    let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let mut value = if big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) };
    if !signed {
        return value as f64;
    }
    // Beyond eight bytes the shift wraps, as it does in C on x86.
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    if value & sign != 0 {
        value |= sign;
    }
    value as i64 as f64
}

fn size(stack: &mut Stack<'_>) -> Outcome {
    let mut format = Format::new(stack)?;
    let mut total = 0usize;
    while let Some(item) = format.next(stack)? {
        total = total.saturating_add(format.padding(total, item));
        match item.letter {
            b's' => return Err(stack.bad_argument(1, "variable-size format 's'")),
            b'c' if item.size == 0 => return Err(stack.bad_argument(1, "variable-size format 'c0'")),
            letter if letter.is_ascii_alphanumeric() => {}
            letter => format.control(stack, letter)?,
        }
        total = total.saturating_add(item.size);
    }
    stack.push_number(total as f64);
    stack.one()
}
