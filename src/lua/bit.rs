//! `bit`: operations on 32 bits, as in Lua BitOp 1.0.2.

use super::{Outcome, Raised, Stack};

/// Adding this to a double leaves its value, rounded and modulo 2^32, in the low bits.
const SHIFT_IN: f64 = 6_755_399_441_055_744.0;

/// Pushes the library.
pub fn build(stack: &mut Stack<'_>) {
    stack.push_table(0, 12);
    stack.add_native("tobit", |stack| answer(stack, |bits| bits));
    stack.add_native("bnot", |stack| answer(stack, |bits| !bits));
    stack.add_native("bswap", |stack| answer(stack, u32::swap_bytes));
    stack.add_native("band", |stack| fold(stack, |a, b| a & b));
    stack.add_native("bor", |stack| fold(stack, |a, b| a | b));
    stack.add_native("bxor", |stack| fold(stack, |a, b| a ^ b));
    stack.add_native("lshift", |stack| shift(stack, u32::wrapping_shl));
    stack.add_native("rshift", |stack| shift(stack, u32::wrapping_shr));
    stack.add_native("arshift", |stack| shift(stack, |bits, by| (bits as i32).wrapping_shr(by) as u32));
    stack.add_native("rol", |stack| shift(stack, |bits, by| bits.rotate_left(by & 31)));
    stack.add_native("ror", |stack| shift(stack, |bits, by| bits.rotate_right(by & 31)));
    stack.add_native("tohex", to_hex);
}

fn bits(stack: &mut Stack<'_>, number: i32) -> Result<u32, Raised> {
    Ok((stack.check_number(number)? + SHIFT_IN).to_bits() as u32)
}

fn push(stack: &mut Stack<'_>, bits: u32) -> Outcome {
    stack.push_number(f64::from(bits as i32));
    stack.one()
}

fn answer(stack: &mut Stack<'_>, of: fn(u32) -> u32) -> Outcome {
    let bits = bits(stack, 1)?;
    push(stack, of(bits))
}

fn fold(stack: &mut Stack<'_>, with: fn(u32, u32) -> u32) -> Outcome {
    let mut all = bits(stack, 1)?;
    for number in 2..=stack.top() as i32 {
        all = with(all, bits(stack, number)?);
    }
    push(stack, all)
}

fn shift(stack: &mut Stack<'_>, with: fn(u32, u32) -> u32) -> Outcome {
    let value = bits(stack, 1)?;
    let by = bits(stack, 2)?;
    push(stack, with(value, by))
}

/// `tohex(value, digits)`: a negative number of digits means capital letters.
fn to_hex(stack: &mut Stack<'_>) -> Outcome {
    let value = bits(stack, 1)?;
    let digits = if stack.top() < 2 { 8 } else { bits(stack, 2)? as i32 };
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let shown = digits.unsigned_abs().min(8) as usize;
    stack.push_bytes(&text.as_bytes()[8 - shown..]);
    stack.one()
}
