//! Bitmaps: commands on the single bits of strings, and on integers of any width inside them.
//!
//! | file | holds |
//! |---|---|
//! | `bits` | bits of a byte string: one, a field of up to 64, the first of a kind |
//! | `ones` | how many bits are set, at the speed of memory |
//! | `text` | reading a string key's bytes, and changing them in place |
//! | `single` | SETBIT and GETBIT |
//! | `range` | BITCOUNT and BITPOS |
//! | `op` | BITOP |
//! | `field` | BITFIELD and BITFIELD_RO |
//!
//! Bit 0 is the highest bit of the first byte, as in Redis.

mod bits;
mod field;
mod ones;
mod op;
mod range;
mod single;
mod text;

use super::Ctx;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};
use crate::protocol::args::parse_i64;

const B: Categories = Categories::BITMAP;
const GROUP: &str = "bitmap";

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const OVERWRITES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("setbit", 4, WRITE, B, &[KeySpec::one(1, UPDATES)], single::setbit).docs(
        GROUP,
        "2.2.0",
        "Sets or clears one bit of a string value, which is filled up with zero bytes as far as needed.",
        "O(1)",
        "key offset value",
    ),
    Command::new("getbit", 3, READ_FAST, B, &[KeySpec::one(1, READS)], single::getbit).docs(
        GROUP,
        "2.2.0",
        "Returns one bit of a string value.",
        "O(1)",
        "key offset",
    ),
    Command::new("bitcount", -2, READ, B, &[KeySpec::one(1, READS)], range::bitcount).docs(
        GROUP,
        "2.6.0",
        "Counts the set bits of a string value or of a part of it.",
        "O(N) in the length of the part",
        "key [start end [BYTE | BIT]]",
    ),
    Command::new("bitpos", -3, READ, B, &[KeySpec::one(1, READS)], range::bitpos).docs(
        GROUP,
        "2.8.7",
        "Finds the first bit of a string value, or of a part of it, that is set or clear.",
        "O(N) in the length of the part",
        "key bit [start [end [BYTE | BIT]]]",
    ),
    Command::new(
        "bitop",
        -4,
        WRITE,
        B,
        &[KeySpec::one(2, OVERWRITES), KeySpec::range(3, -1, 1, READS)],
        op::bitop,
    )
    .docs(
        GROUP,
        "2.6.0",
        "Combines the bits of string values and stores the result.",
        "O(N) in the lengths of the values",
        "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    ),
    Command::new(
        "bitfield",
        -2,
        WRITE,
        B,
        &[KeySpec::one(1, UPDATES.union(KeyFlags::VARIABLE_FLAGS))],
        field::bitfield,
    )
    .docs(
        GROUP,
        "3.2.0",
        "Reads and changes integers of any width inside a string value.",
        "O(1) for each integer",
        "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | \
         INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] \
         <SET encoding offset value | INCRBY encoding offset increment> ...]]",
    ),
    Command::new("bitfield_ro", -2, READ_FAST, B, &[KeySpec::one(1, READS)], field::bitfield_ro).docs(
        GROUP,
        "6.0.0",
        "Reads integers of any width inside a string value.",
        "O(1) for each integer",
        "key [GET encoding offset [GET encoding offset ...]]",
    ),
];

const BAD_OFFSET: &str = "ERR bit offset is not an integer or out of range";

/// A bit's number, such that its byte lies within the longest string that there may be: before anything is allocated.
fn parse_offset(ctx: &Ctx<'_>, text: &[u8]) -> Result<u64, &'static str> {
    let offset = parse_i64(text).and_then(|offset| u64::try_from(offset).ok()).ok_or(BAD_OFFSET)?;
    within(ctx, offset)
}

/// The same number, if its byte lies within the longest string that there may be.
fn within(ctx: &Ctx<'_>, offset: u64) -> Result<u64, &'static str> {
    let longest = ctx.server.config.live().proto_max_bulk_len() as u64;
    if offset / 8 < longest { Ok(offset) } else { Err(BAD_OFFSET) }
}
