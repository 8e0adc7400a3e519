//! Scores, counts and ranks.

use super::bounds::{Bounds, By};
use super::{Answer, answering, wrong_type};
use crate::command::{Ctx, error};
use crate::protocol::args::eq_ignore_case;
use crate::value::zset::{ZRef, ZSet};

/// What `look` sees in the sorted set at the first key; none if the key is absent.
fn look<R>(ctx: &Ctx<'_>, look: impl FnOnce(ZRef<'_>) -> R) -> Answer<Option<R>> {
    ctx.space.read_as::<ZSet, R>(ctx.key(1), look).map_err(wrong_type)
}

pub(super) fn zcard(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let count = look(ctx, |set| set.len())?.unwrap_or(0);
        ctx.reply.int(count as i64);
        Ok(())
    });
}

pub(super) fn zscore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let score = look(ctx, |set| set.score(ctx.arg(2)))?.flatten();
        reply_score(ctx, score);
        Ok(())
    });
}

pub(super) fn zmscore(ctx: &mut Ctx<'_>) {
    let members = ctx.args.slice_from(2);
    answering(ctx, |ctx| {
        let scores = look(ctx, |set| members.iter().map(|member| set.score(member)).collect::<Vec<_>>())?;
        let scores = scores.unwrap_or_else(|| vec![None; members.len()]);
        ctx.reply.array(scores.len());
        scores.into_iter().for_each(|score| reply_score(ctx, score));
        Ok(())
    });
}

fn reply_score(ctx: &mut Ctx<'_>, score: Option<f64>) {
    match score {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
}

pub(super) fn zcount(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| count(ctx, By::Score));
}

pub(super) fn zlexcount(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| count(ctx, By::Lex));
}

fn count(ctx: &mut Ctx<'_>, by: By) -> Answer<()> {
    let bounds = Bounds::parse(by, ctx.arg(2), ctx.arg(3))?;
    let count = look(ctx, |set| bounds.ranks(set, false).len())?.unwrap_or(0);
    ctx.reply.int(count as i64);
    Ok(())
}

pub(super) fn zrank(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| rank(ctx, false));
}

pub(super) fn zrevrank(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| rank(ctx, true));
}

fn rank(ctx: &mut Ctx<'_>, reversed: bool) -> Answer<()> {
    let with_score = match ctx.args.len() {
        3 => false,
        4 if eq_ignore_case(ctx.arg(3), b"withscore") => true,
        _ => return Err(error::SYNTAX),
    };
    let found = look(ctx, |set| {
        let (rank, score) = set.rank(ctx.arg(2))?;
        Some((if reversed { set.len() - 1 - rank } else { rank }, score))
    })?;
    match (found.flatten(), with_score) {
        (Some((rank, _)), false) => ctx.reply.int(rank as i64),
        (Some((rank, score)), true) => {
            ctx.reply.array(2);
            ctx.reply.int(rank as i64);
            ctx.reply.double(score);
        }
        (None, false) => ctx.reply.null(),
        (None, true) => ctx.reply.null_array(),
    }
    Ok(())
}
