//! Parts of a bitmap: BITCOUNT and BITPOS.

use std::ops::Range;

use super::{bits, ones, text};
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_i64};

/// A part of a string as the arguments describe it: both ends are included, and negative ones count from the end.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    /// Whether the ends are bits rather than bytes.
    in_bits: bool,
}

const WHOLE: Part = Part { start: 0, end: -1, in_bits: false };

impl Part {
    /// The part that the arguments from `at` on say.
    fn parse(ctx: &Ctx<'_>, at: usize) -> Result<Part, &'static str> {
        let number = |index| match ctx.args.get(index) {
            Some(text) => parse_i64(text).map(Some).ok_or(error::NOT_AN_INTEGER),
            None => Ok(None),
        };
        let start = number(at)?.unwrap_or(WHOLE.start);
        let end = number(at + 1)?.unwrap_or(WHOLE.end);
        let in_bits = match ctx.args.get(at + 2) {
            None => false,
            Some(unit) if eq_ignore_case(unit, b"bit") => true,
            Some(unit) if eq_ignore_case(unit, b"byte") => false,
            Some(_) => return Err(error::SYNTAX),
        };
        Ok(Part { start, end, in_bits })
    }

    /// The bits of the part in a string of `len` bytes; none if there are none.
    fn bits(self, len: usize) -> Option<Range<u64>> {
        let unit = if self.in_bits { 1 } else { 8 };
        let total = len as i64 * 8 / unit;
        let place = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
        let (start, end) = (place(self.start), place(self.end).min(total - 1));
        (start <= end).then(|| (start * unit) as u64..((end + 1) * unit) as u64)
    }
}

pub(super) fn bitcount(ctx: &mut Ctx<'_>) {
    match count(ctx) {
        Ok(count) => ctx.reply.int(count as i64),
        Err(text) => ctx.reply.error(text),
    }
}

fn count(ctx: &Ctx<'_>) -> Result<u64, &'static str> {
    let part = match ctx.args.len() {
        2 => WHOLE,
        4 | 5 => Part::parse(ctx, 2)?,
        _ => return Err(error::SYNTAX),
    };
    // Redis places negative ends after it has compared them, which makes a difference for those before the front.
    let backwards = part.start < 0 && part.end < 0 && part.start > part.end;
    text::read(ctx, |text| match text.and_then(|bytes| Some((bytes, part.bits(bytes.len())?))) {
        Some((bytes, range)) if !backwards => ones::ones_between(bytes, range.start, range.end),
        _ => 0,
    })
}

pub(super) fn bitpos(ctx: &mut Ctx<'_>) {
    match position(ctx) {
        Ok(at) => ctx.reply.int(at.map_or(-1, |at| at as i64)),
        Err(text) => ctx.reply.error(text),
    }
}

fn position(ctx: &Ctx<'_>) -> Result<Option<u64>, &'static str> {
    let bit = match parse_i64(ctx.arg(2)).ok_or(error::NOT_AN_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err("ERR The bit argument must be 1 or 0."),
    };
    if ctx.args.len() > 6 {
        return Err(error::SYNTAX);
    }
    let part = Part::parse(ctx, 3)?;
    // Without an end, a string of ones is followed by zeros.
    let open = ctx.args.len() < 5;
    text::read(ctx, |text| {
        let Some(bytes) = text else { return (!bit).then_some(0) };
        let range = part.bits(bytes.len())?;
        let found = bits::find(bytes, bit, range.start, range.end);
        found.or_else(|| (open && !bit).then_some(range.end))
    })
}
