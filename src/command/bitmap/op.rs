//! BITOP: strings combined bit by bit.

use bytes::{Bytes, BytesMut};

use crate::command::notify::Events;
use crate::command::string::edit::edited_word;
use crate::command::string::text::{Digits, TextValue, text_of};
use crate::command::{Ctx, error};
use crate::protocol::args::to_upper;
use crate::value::word::NO_EXPIRY;

/// How strings are combined. A string that ends before the longest one goes on with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// Bits that are set in all.
    And,
    /// Bits that are set in any.
    Or,
    /// Bits that are set in an odd number.
    Xor,
    /// Bits that are clear in the only one.
    Not,
    /// Bits that are set in the first and in no other.
    Diff,
    /// Bits that are set in others and not in the first.
    Diff1,
    /// Bits that are set in the first and in others.
    AndOr,
    /// Bits that are set in exactly one.
    One,
}

impl Operation {
    fn parse(name: &[u8]) -> Option<Operation> {
        Some(match to_upper(name, &mut [0; b"ANDOR".len()])? {
            b"AND" => Operation::And,
            b"OR" => Operation::Or,
            b"XOR" => Operation::Xor,
            b"NOT" => Operation::Not,
            b"DIFF" => Operation::Diff,
            b"DIFF1" => Operation::Diff1,
            b"ANDOR" => Operation::AndOr,
            b"ONE" => Operation::One,
            _ => return None,
        })
    }

    /// Why it cannot combine so many strings.
    fn refuses(self, strings: usize) -> Option<&'static str> {
        let two = strings >= 2;
        match self {
            Operation::Not if strings != 1 => Some("ERR BITOP NOT must be called with a single source key."),
            Operation::Diff if !two => Some("ERR BITOP DIFF must be called with at least two source keys."),
            Operation::Diff1 if !two => Some("ERR BITOP DIFF1 must be called with at least two source keys."),
            Operation::AndOr if !two => Some("ERR BITOP ANDOR must be called with at least two source keys."),
            _ => None,
        }
    }
}

/// Bytes that are combined from all strings before the next ones are: they stay in the first-level cache.
const BLOCK: usize = 8 * 1024;

/// The part of a string that stands in a block.
fn part(string: &[u8], at: usize, len: usize) -> &[u8] {
    let end = string.len().min(at + len);
    string.get(at..end).unwrap_or_default()
}

/// Changes each byte of the block that has a partner.
#[inline]
fn each(block: &mut [u8], other: &[u8], change: impl Fn(u8, u8) -> u8) {
    block.iter_mut().zip(other).for_each(|(byte, &other)| *byte = change(*byte, other));
}

/// Combines the strings in the bytes `at..at + block.len()`; the block comes zeroed.
fn combine(operation: Operation, block: &mut [u8], at: usize, strings: &[&[u8]]) {
    let len = block.len();
    let parts = || strings.iter().map(|string| part(string, at, len));
    let first = part(strings[0], at, len);
    match operation {
        Operation::Diff1 | Operation::AndOr => {
            parts().skip(1).for_each(|other| each(block, other, |a, b| a | b));
        }
        Operation::One => return combine_one(block, parts()),
        _ => block[..first.len()].copy_from_slice(first),
    }
    match operation {
        Operation::And => parts().skip(1).for_each(|other| intersect(block, other)),
        Operation::Or => parts().skip(1).for_each(|other| each(block, other, |a, b| a | b)),
        Operation::Xor => parts().skip(1).for_each(|other| each(block, other, |a, b| a ^ b)),
        Operation::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::Diff => parts().skip(1).for_each(|other| each(block, other, |a, b| a & !b)),
        Operation::Diff1 => each(block, first, |a, b| a & !b),
        Operation::AndOr => intersect(block, first),
        Operation::One => unreachable!("it was answered above"),
    }
}

fn intersect(block: &mut [u8], other: &[u8]) {
    each(block, other, |a, b| a & b);
    block[other.len()..].fill(0);
}

fn combine_one<'a>(block: &mut [u8], parts: impl Iterator<Item = &'a [u8]>) {
    let mut seen = [0; BLOCK];
    let mut twice = [0; BLOCK];
    for part in parts {
        for ((seen, twice), &byte) in seen.iter_mut().zip(&mut twice).zip(part) {
            *twice |= *seen & byte;
            *seen |= byte;
        }
    }
    let counted = seen.iter().zip(&twice);
    block.iter_mut().zip(counted).for_each(|(byte, (seen, twice))| *byte = seen & !twice);
}

pub(super) fn bitop(ctx: &mut Ctx<'_>) {
    match operate(ctx) {
        Ok(len) => ctx.reply.int(len as i64),
        Err(text) => ctx.reply.error(text),
    }
}

fn operate(ctx: &Ctx<'_>) -> Result<usize, &'static str> {
    let operation = Operation::parse(ctx.arg(1)).ok_or(error::SYNTAX)?;
    if let Some(text) = operation.refuses(ctx.args.len() - 3) {
        return Err(text);
    }
    let result = result(ctx, operation)?;
    let len = result.len();
    if len > 0 {
        ctx.space.set(ctx.key(2), edited_word(result, NO_EXPIRY));
        ctx.notify(Events::STRING, "set", ctx.arg(2));
    } else if ctx.space.delete(ctx.key(2)) {
        ctx.notify(Events::GENERIC, "del", ctx.arg(2));
    }
    Ok(len)
}

/// The combined strings of the keys from the third argument on.
fn result(ctx: &Ctx<'_>, operation: Operation) -> Result<BytesMut, &'static str> {
    let lives: Vec<_> = (3..ctx.args.len()).map(|index| ctx.space.read(ctx.key(index))).collect();
    let mut texts = Vec::with_capacity(lives.len());
    for live in &lives {
        let text = live.as_ref().map(text_of).transpose().map_err(|_| error::WRONGTYPE)?;
        texts.push(text.unwrap_or(TextValue::Shared(Bytes::new())));
    }
    let mut digits = vec![Digits::new(); texts.len()];
    let strings: Vec<&[u8]> = texts.iter().zip(&mut digits).map(|(text, room)| text.bytes(room)).collect();
    let longest = strings.iter().map(|string| string.len()).max().unwrap_or(0);
    let mut result = BytesMut::zeroed(longest);
    for (number, block) in result.chunks_mut(BLOCK).enumerate() {
        combine(operation, block, number * BLOCK, &strings);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, for one bit.
    fn bit(operation: Operation, bits: &[bool]) -> bool {
        let (first, others) = (bits[0], bits[1..].contains(&true));
        let set = bits.iter().filter(|&&bit| bit).count();
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !first,
            Operation::Diff => first && !others,
            Operation::Diff1 => !first && others,
            Operation::AndOr => first && others,
            Operation::One => set == 1,
        }
    }

    proptest! {
        #[test]
        fn operations_are_their_definitions(strings in proptest::collection::vec(any::<Vec<u8>>(), 2..5)) {
            let strings: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            let len = strings.iter().map(|string| string.len()).max().unwrap_or(0);
            for name in ["and", "OR", "Xor", "not", "diff", "diff1", "andor", "one"] {
                let operation = Operation::parse(name.as_bytes()).expect("a name");
                let mut block = vec![0; len];
                combine(operation, &mut block, 0, &strings);
                for at in 0..len * 8 {
                    let get = |string: &[u8]| super::super::bits::get(string, at as u64);
                    let bits: Vec<bool> = strings.iter().map(|string| get(string)).collect();
                    prop_assert_eq!(get(&block), bit(operation, &bits), "{} at {}", name, at);
                }
            }
        }
    }
}
