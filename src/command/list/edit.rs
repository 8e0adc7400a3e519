//! LSET, LINSERT, LREM and LTRIM.

use super::{limits, or_wrong_type, place, span, tell_end};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::list::{List, MAX_ELEMENT, Side};

const INDEX_RANGE: &str = "ERR index out of range";

pub(super) fn lset(ctx: &mut Ctx<'_>) {
    let (index, text, limits) = (parse_i64(ctx.arg(2)), ctx.arg(3), limits(ctx));
    if text.len() > MAX_ELEMENT {
        return ctx.reply.error(error::ELEMENT_TOO_LARGE);
    }
    // Whether the key is there is asked before whether the index is a number.
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |list: &mut List| {
        let Some(index) = index else { return Edit::Unchanged(Err(error::NOT_AN_INTEGER)) };
        match place(index, list.len()) {
            Some(index) => {
                list.set(index, text, &limits);
                Edit::Changed(Ok(()))
            }
            None => Edit::Unchanged(Err(INDEX_RANGE)),
        }
    });
    match or_wrong_type!(ctx, edited).map(|edited| edited.answer) {
        Some(Ok(())) => {
            ctx.notify(Events::LIST, "lset", ctx.arg(1));
            ctx.reply.ok();
        }
        Some(Err(text)) => ctx.reply.error(text),
        None => ctx.reply.error(error::NO_SUCH_KEY),
    }
}

pub(super) fn linsert(ctx: &mut Ctx<'_>) {
    let behind = match ctx.arg(2) {
        word if eq_ignore_case(word, b"AFTER") => true,
        word if eq_ignore_case(word, b"BEFORE") => false,
        _ => return ctx.reply.error(error::SYNTAX),
    };
    let (pivot, text, limits) = (ctx.arg(3), ctx.arg(4), limits(ctx));
    if text.len() > MAX_ELEMENT {
        return ctx.reply.error(error::ELEMENT_TOO_LARGE);
    }
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |list: &mut List| {
        if list.insert(pivot, behind, text, &limits) {
            return Edit::Changed(list.len() as i64);
        }
        Edit::Unchanged(-1)
    });
    let edited = or_wrong_type!(ctx, edited);
    if edited.is_some_and(|edited| edited.changed) {
        ctx.notify(Events::LIST, "linsert", ctx.arg(1));
    }
    ctx.reply.int(edited.map_or(0, |edited| edited.answer));
}

pub(super) fn lrem(ctx: &mut Ctx<'_>) {
    let Some(count) = parse_i64(ctx.arg(2)) else { return ctx.reply.error(error::NOT_AN_INTEGER) };
    let side = if count < 0 { Side::Right } else { Side::Left };
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let (text, limits) = (ctx.arg(3), limits(ctx));
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |list: &mut List| {
        match list.remove(text, side, most, &limits) {
            0 => Edit::Unchanged(0),
            removed => Edit::Changed(removed),
        }
    });
    let Some(edited) = or_wrong_type!(ctx, edited) else { return ctx.reply.int(0) };
    if edited.changed {
        ctx.notify(Events::LIST, "lrem", ctx.arg(1));
        tell_end(ctx, ctx.arg(1), edited.ended);
    }
    ctx.reply.int(edited.answer as i64);
}

pub(super) fn ltrim(ctx: &mut Ctx<'_>) {
    let (Some(start), Some(stop)) = (parse_i64(ctx.arg(2)), parse_i64(ctx.arg(3))) else {
        return ctx.reply.error(error::NOT_AN_INTEGER);
    };
    let limits = limits(ctx);
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |list: &mut List| {
        let (from, count) = span(start, stop, list.len()).unwrap_or((0, 0));
        list.trim(from, count, &limits);
        Edit::Changed(())
    });
    if let Some(edited) = or_wrong_type!(ctx, edited) {
        ctx.notify(Events::LIST, "ltrim", ctx.arg(1));
        tell_end(ctx, ctx.arg(1), edited.ended);
    }
    ctx.reply.ok();
}
