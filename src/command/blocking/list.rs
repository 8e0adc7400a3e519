//! BLPOP, BRPOP, BLMPOP, BLMOVE, BLMOVEM and BRPOPLPUSH.

use super::{Block, seconds};
use crate::command::list::pop::{Request, Shape, pop, pop_first};
use crate::command::list::side;
use crate::command::list::transfer::Move;
use crate::command::{Ctx, error};
use crate::keyspace::WrongType;
use crate::value::collection::Kind;
use crate::value::list::Side;

pub(super) fn blpop(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| pop_any(ctx, Side::Left));
}

pub(super) fn brpop(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| pop_any(ctx, Side::Right));
}

/// Runs a handler that answers with the text of an error.
fn answer(ctx: &mut Ctx<'_>, handler: impl FnOnce(&mut Ctx<'_>) -> Result<(), &'static str>) {
    if let Err(text) = handler(ctx) {
        ctx.reply.error(text);
    }
}

fn wrong_type(_: WrongType) -> &'static str {
    error::WRONGTYPE
}

fn pop_any(ctx: &mut Ctx<'_>, from: Side) -> Result<(), &'static str> {
    let last = ctx.args.len() - 1;
    let timeout = seconds(ctx.arg(last))?;
    for at in 1..last {
        if pop(ctx, ctx.arg(at), from, Shape::Keyed).map_err(wrong_type)? {
            return Ok(());
        }
    }
    ctx.wait_or_nothing(Block::on(Kind::List, (1..last).collect(), timeout));
    Ok(())
}

pub(super) fn blmpop(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| {
        let request = Request::parse(ctx, 2)?;
        let timeout = seconds(ctx.arg(1))?;
        if !pop_first(ctx, 3, &request).map_err(wrong_type)? {
            ctx.wait_or_nothing(Block::on(Kind::List, (3..3 + request.keys).collect(), timeout));
        }
        Ok(())
    });
}

pub(super) fn blmove(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| {
        let (from, to) = side(ctx.arg(3)).zip(side(ctx.arg(4))).ok_or(error::SYNTAX)?;
        move_one(ctx, from, to, 5)
    });
}

pub(super) fn brpoplpush(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| move_one(ctx, Side::Right, Side::Left, 3));
}

fn move_one(ctx: &mut Ctx<'_>, from: Side, to: Side, timeout_at: usize) -> Result<(), &'static str> {
    let timeout = seconds(ctx.arg(timeout_at))?;
    let moved = Move::one(from, to).run(ctx, ctx.arg(1), ctx.arg(2)).map_err(wrong_type)?;
    match moved.as_deref() {
        Some([element, ..]) => ctx.reply.bulk(element),
        // Inside of a transaction it answers as LMOVE does, although the end of its time is no array.
        _ if !ctx.may_wait() => ctx.reply.null(),
        _ => ctx.block(Block { destination: Some(2), ..Block::on(Kind::List, vec![1], timeout) }),
    }
    Ok(())
}

/// BLMOVEM waits until as many elements are there as it needs.
pub(super) fn blmovem(ctx: &mut Ctx<'_>) {
    answer(ctx, |ctx| {
        let (from, to) = side(ctx.arg(3)).zip(side(ctx.arg(4))).ok_or(error::SYNTAX)?;
        let timeout = seconds(ctx.arg(5))?;
        let request = Move::parse(ctx, from, to, 6)?;
        let Some(moved) = request.run(ctx, ctx.arg(1), ctx.arg(2)).map_err(wrong_type)? else {
            let block = Block { destination: Some(2), ..Block::on(Kind::List, vec![1], timeout) };
            ctx.wait_or_nothing(block);
            return Ok(());
        };
        ctx.reply.array(moved.len());
        moved.iter().for_each(|element| ctx.reply.bulk(element));
        Ok(())
    });
}
