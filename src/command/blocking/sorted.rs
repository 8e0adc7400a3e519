//! BZPOPMIN, BZPOPMAX and BZMPOP.

use super::{Block, seconds};
use crate::command::Ctx;
use crate::command::zset::Answer;
use crate::command::zset::pop::{End, MultiPop, pop_from};
use crate::value::collection::Kind;

pub(super) fn bzpopmin(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| pop_any(ctx, End::Min));
}

pub(super) fn bzpopmax(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| pop_any(ctx, End::Max));
}

/// Runs a handler that answers with the text of an error.
fn answer(ctx: &mut Ctx<'_>, handler: impl FnOnce(&mut Ctx<'_>) -> Answer<()>) {
    if let Err(text) = handler(ctx) {
        ctx.reply.error(text);
    }
}

fn pop_any(ctx: &mut Ctx<'_>, end: End) -> Answer<()> {
    let last = ctx.args.len() - 1;
    let timeout = seconds(ctx.arg(last))?;
    for at in 1..last {
        let Some(popped) = pop_from(ctx, at, end, 1)? else { continue };
        let key = ctx.arg(at);
        for (member, score) in &popped {
            ctx.reply.array(3);
            ctx.reply.bulk(key);
            ctx.reply.bulk(member);
            ctx.reply.double(*score);
        }
        return Ok(());
    }
    ctx.wait_or_nothing(Block::on(Kind::ZSet, (1..last).collect(), timeout));
    Ok(())
}

pub(super) fn bzmpop(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| {
        let pop = MultiPop::parse(ctx, 2)?;
        let timeout = seconds(ctx.arg(1))?;
        if !pop.run(ctx)? {
            ctx.wait_or_nothing(Block::on(Kind::ZSet, (pop.first..pop.first + pop.keys).collect(), timeout));
        }
        Ok(())
    });
}
