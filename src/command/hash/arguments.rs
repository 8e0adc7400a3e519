//! The arguments of the commands on several fields: times, conditions, and the block of fields.

use std::borrow::Cow;

use crate::command::{Ctx, error};
use crate::protocol::args::{Args, parse_i64};
use crate::value::word::ExpireAt;

/// The last time at which a field may end: what the 46 bits that Redis gives it hold, in milliseconds.
const LAST: u64 = ((1 << 48) - 1) >> 2;

/// Why a command is refused.
pub(super) type Refusal = Cow<'static, str>;

/// How a time is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Unit {
    fn in_seconds(self) -> bool {
        matches!(self, Unit::Seconds | Unit::UnixSeconds)
    }

    /// The time that it counts from.
    pub fn base(self, now: u64) -> u64 {
        if matches!(self, Unit::Seconds | Unit::Milliseconds) { now } else { 0 }
    }

    /// A span of milliseconds in this unit, seconds rounded up.
    pub fn count(self, ms: u64) -> u64 {
        if self.in_seconds() { ms.div_ceil(1000) } else { ms }
    }
}

/// The deadline that `number` means, in Unix milliseconds.
pub(super) fn deadline(ctx: &Ctx<'_>, unit: Unit, number: &[u8]) -> Result<ExpireAt, Refusal> {
    let number = parse_i64(number).ok_or(error::NOT_AN_INTEGER)?;
    let number = u64::try_from(number).map_err(|_| "ERR invalid expire time, must be >= 0")?;
    let ms = if unit.in_seconds() { number.checked_mul(1000) } else { Some(number) };
    let at = ms.and_then(|ms| ms.checked_add(unit.base(ctx.space.now))).filter(|&at| at <= LAST);
    at.ok_or_else(|| format!("ERR invalid expire time in '{}' command", ctx.command.name).into())
}

/// The fields of a command whose second argument must be FIELDS, and that ends with them.
pub(super) fn fields_only<'a>(ctx: &Ctx<'a>) -> Result<Args<'a>, Refusal> {
    if !ctx.arg(2).eq_ignore_ascii_case(b"fields") {
        return Err("ERR Mandatory argument FIELDS is missing or not at the right position".into());
    }
    let count = parse_i64(ctx.arg(3)).filter(|&count| count > 0);
    let count = count.ok_or("ERR Number of fields must be a positive integer")?;
    let fields = ctx.args.slice_from(4);
    if fields.len() as i64 != count {
        return Err("ERR The `numfields` parameter must match the number of arguments".into());
    }
    Ok(fields)
}

/// A block of fields that options may follow: its first argument, and how many belong to it.
#[derive(Clone, Copy)]
pub(super) struct Block {
    first: usize,
    len: usize,
}

impl Block {
    /// The block whose FIELDS is argument `at`, with `per_field` arguments for each field.
    pub fn parse(ctx: &Ctx<'_>, at: usize, per_field: usize) -> Result<Block, Refusal> {
        let count = ctx.args.get(at + 1).and_then(parse_i64).filter(|&count| count > 0);
        let count = count.ok_or("ERR invalid number of fields")? as usize;
        let (first, len) = (at + 2, count.checked_mul(per_field));
        match len.filter(|&len| len <= ctx.args.len() - first) {
            Some(len) => Ok(Block { first, len }),
            None => Err("ERR wrong number of arguments".into()),
        }
    }

    /// The argument behind it.
    pub fn end(self) -> usize {
        self.first + self.len
    }

    /// Its arguments.
    pub fn iter<'a>(self, ctx: &Ctx<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        ctx.args.slice_from(self.first).iter().take(self.len)
    }
}

/// Options and a block of fields, in any order.
pub(super) trait Options: Sized {
    /// Arguments for each field.
    const PER_FIELD: usize;

    /// Takes the option at argument `at`; how many arguments it has, or nothing if there is none of that name.
    fn option(&mut self, ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, Refusal>;

    /// Reads all arguments from `at` on.
    fn parse(&mut self, ctx: &Ctx<'_>, mut at: usize) -> Result<Block, Refusal> {
        let mut block = None;
        while at < ctx.args.len() {
            if ctx.arg(at).eq_ignore_ascii_case(b"fields") {
                if block.is_some() {
                    return Err("ERR FIELDS keyword specified multiple times".into());
                }
                let found = Block::parse(ctx, at, Self::PER_FIELD)?;
                (block, at) = (Some(found), found.end());
            } else {
                let used = self.option(ctx, at)?;
                at += used.ok_or_else(|| format!("ERR unknown argument: {}", error::c_text(ctx.arg(at))))?;
            }
        }
        block.ok_or_else(|| "ERR missing FIELDS argument".into())
    }
}
