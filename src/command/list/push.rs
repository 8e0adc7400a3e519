//! LPUSH, RPUSH and their forms for lists that exist.

use super::{limits, or_wrong_type, pushed};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit};
use crate::value::list::{List, MAX_ELEMENT, Side};

pub(super) fn lpush(ctx: &mut Ctx<'_>) {
    push(ctx, Side::Left, Absent::Create);
}

pub(super) fn rpush(ctx: &mut Ctx<'_>) {
    push(ctx, Side::Right, Absent::Create);
}

pub(super) fn lpushx(ctx: &mut Ctx<'_>) {
    push(ctx, Side::Left, Absent::Skip);
}

pub(super) fn rpushx(ctx: &mut Ctx<'_>) {
    push(ctx, Side::Right, Absent::Skip);
}

fn push(ctx: &mut Ctx<'_>, side: Side, absent: Absent) {
    let (texts, limits) = (ctx.args.slice_from(2), limits(ctx));
    if texts.iter().any(|text| text.len() > MAX_ELEMENT) {
        return ctx.reply.error(error::ELEMENT_TOO_LARGE);
    }
    let pushed_all = ctx.space.edit(ctx.key(1), absent, |list: &mut List| {
        list.push(side, texts.iter(), &limits);
        Edit::Changed(list.len())
    });
    match or_wrong_type!(ctx, pushed_all) {
        Some(edited) => {
            pushed(ctx, ctx.arg(1), side);
            ctx.reply.int(edited.answer as i64);
        }
        None => ctx.reply.int(0),
    }
}
