//! XLEN, XRANGE and XREVRANGE.

use super::entries::reply_entries;
use super::{Refusal, id, integer};
use crate::command::Ctx;
use crate::command::error::SYNTAX;
use crate::protocol::args::eq_ignore_case;
use crate::value::stream::Stream;

pub(super) fn xlen(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let length = ctx.space.read_as::<Stream, _>(ctx.key(1), |log| log.len())?;
    ctx.reply.int(length.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn xrange(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    range(ctx, false)
}

pub(super) fn xrevrange(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    range(ctx, true)
}

fn range(ctx: &mut Ctx<'_>, reversed: bool) -> Result<(), Refusal> {
    let (first, last) = (ctx.arg(2), ctx.arg(3));
    let (start, end) = match reversed {
        false => (id::parse_start(first)?, id::parse_end(last)?),
        true => {
            // Redis complains about the start first, wherever it stands.
            let start = id::parse_start(last)?;
            (start, id::parse_end(first)?)
        }
    };
    let count = count(ctx)?;
    let (space, key, reply) = (ctx.space, ctx.key(1), &mut ctx.reply);
    let found = space.read_as::<Stream, _>(key, |log| match count {
        Some(0) => reply.null_array(),
        _ if start > end => reply.array(0),
        most if reversed => reply_entries(reply, log.range_reversed(start, end), most.unwrap_or(usize::MAX)),
        most => reply_entries(reply, log.range(start, end), most.unwrap_or(usize::MAX)),
    })?;
    if found.is_none() {
        ctx.reply.array(0);
    }
    Ok(())
}

/// The last `COUNT`, if there is one; a negative one counts as zero.
fn count(ctx: &Ctx<'_>) -> Result<Option<usize>, Refusal> {
    let mut count = None;
    let mut words = ctx.args.slice_from(4).iter();
    while let Some(word) = words.next() {
        let number = words.next().filter(|_| eq_ignore_case(word, b"COUNT")).ok_or(SYNTAX)?;
        count = Some(usize::try_from(integer(number)?).unwrap_or(0));
    }
    Ok(count)
}
