//! Values to MessagePack.

use crate::lua::{Kind, Outcome, Raised, Stack};

/// Tables deeper than this become nil, so that a table in itself has an end.
const DEPTH: usize = 16;

pub(super) fn pack(stack: &mut Stack<'_>) -> Outcome {
    let count = stack.top();
    if count == 0 {
        return Err(stack.bad_argument(0, "MessagePack pack needs input."));
    }
    let mut bytes = Vec::new();
    for number in 1..=count {
        stack.copy(number as i32);
        value(stack, 0, &mut bytes)?;
        stack.pop(1);
    }
    stack.push_bytes(&bytes);
    stack.one()
}

/// Appends the value on top, and leaves it there.
fn value(stack: &mut Stack<'_>, depth: usize, bytes: &mut Vec<u8>) -> Result<(), Raised> {
    match stack.kind(-1) {
        Kind::String => string(stack.bytes(-1).unwrap_or_default(), bytes),
        Kind::Boolean => bytes.push(if stack.truth(-1) { 0xc3 } else { 0xc2 }),
        Kind::Number => number(stack.number(-1).unwrap_or(0.0), bytes),
        Kind::Table if depth < DEPTH => return table(stack, depth, bytes),
        _ => bytes.push(0xc0),
    }
    if bytes.len() > stack.shared().limit.get() {
        return Err(stack.raise(b"not enough memory"));
    }
    Ok(())
}

fn table(stack: &mut Stack<'_>, depth: usize, bytes: &mut Vec<u8>) -> Result<(), Raised> {
    assert!(stack.reserve(8), "the depth is bounded");
    let (is_array, count) = shape(stack);
    if is_array {
        let length = stack.len(-1);
        header(length, (0x90, 0xdc), bytes);
        for number in 1..=length {
            stack.get_element(-1, number as i32);
            value(stack, depth + 1, bytes)?;
            stack.pop(1);
        }
        return Ok(());
    }
    header(count, (0x80, 0xde), bytes);
    stack.push_nil();
    while stack.next(-2) {
        stack.copy(-2);
        value(stack, depth + 1, bytes)?;
        stack.pop(1);
        value(stack, depth + 1, bytes)?;
        stack.pop(1);
    }
    Ok(())
}

/// Whether the keys of the table on top are 1 to n, and how many there are.
fn shape(stack: &mut Stack<'_>) -> (bool, usize) {
    let (mut is_array, mut most, mut count) = (true, 0.0f64, 0);
    stack.push_nil();
    while stack.next(-2) {
        let key = if stack.kind(-2) == Kind::Number { stack.number(-2) } else { None };
        match key {
            Some(key) if key > 0.0 && key.fract() == 0.0 => most = most.max(key),
            _ => is_array = false,
        }
        count += 1;
        stack.pop(1);
    }
    (is_array && most == count as f64, count)
}

/// The header of an array or map: up to 15 within the byte `short`, else behind `wide` or the byte after it.
fn header(count: usize, (short, wide): (u8, u8), bytes: &mut Vec<u8>) {
    match count {
        0..=15 => bytes.push(short | count as u8),
        16..=0xffff => {
            bytes.push(wide);
            bytes.extend_from_slice(&(count as u16).to_be_bytes());
        }
        _ => {
            bytes.push(wide + 1);
            bytes.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

fn string(text: &[u8], bytes: &mut Vec<u8>) {
    let len = text.len();
    match len {
        0..=31 => bytes.push(0xa0 | len as u8),
        32..=0xff => bytes.extend_from_slice(&[0xd9, len as u8]),
        _ => header(len, (0, 0xda), bytes),
    }
    bytes.extend_from_slice(text);
}

fn number(number: f64, bytes: &mut Vec<u8>) {
    // Only what a double and a 64-bit integer both can be, as C's comparison of the two decides it.
    if number >= -(2f64.powi(63)) && number < 2f64.powi(63) && number.fract() == 0.0 {
        return integer(number as i64, bytes);
    }
    if f64::from(number as f32) == number {
        bytes.push(0xca);
        bytes.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        bytes.push(0xcb);
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

fn integer(number: i64, bytes: &mut Vec<u8>) {
    match number {
        -32..=127 => bytes.push(number as u8),
        128..=0xff => bytes.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => put(0xcd, (number as u16).to_be_bytes(), bytes),
        0x1_0000..=0xffff_ffff => put(0xce, (number as u32).to_be_bytes(), bytes),
        0x1_0000_0000.. => put(0xcf, number.to_be_bytes(), bytes),
        -128..=-33 => bytes.extend_from_slice(&[0xd0, number as u8]),
        -0x8000..=-129 => put(0xd1, (number as i16).to_be_bytes(), bytes),
        -0x8000_0000..=-0x8001 => put(0xd2, (number as i32).to_be_bytes(), bytes),
        _ => put(0xd3, number.to_be_bytes(), bytes),
    }
}

fn put<const N: usize>(kind: u8, number: [u8; N], bytes: &mut Vec<u8>) {
    bytes.push(kind);
    bytes.extend_from_slice(&number);
}
