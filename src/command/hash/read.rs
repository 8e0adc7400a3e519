//! Reading fields.

use super::{bulk, look};
use crate::command::Ctx;
use crate::value::hash::{HashRef, Pair};

/// The value of a field, or none.
fn value(ctx: &mut Ctx<'_>, hash: Option<HashRef<'_>>, name: &[u8]) {
    match hash.and_then(|hash| hash.get(name, ctx.space.now)) {
        Some(pair) => bulk(ctx, pair.value),
        None => ctx.reply.null(),
    }
}

pub(super) fn hget(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| value(ctx, hash, ctx.arg(2)));
}

pub(super) fn hmget(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        let names = ctx.args.slice_from(2);
        ctx.reply.array(names.len());
        names.iter().for_each(|name| value(ctx, hash, name));
    });
}

pub(super) fn hlen(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        let count = hash.map_or(0, |hash| hash.len(ctx.space.now));
        ctx.reply.int(count as i64);
    });
}

pub(super) fn hstrlen(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        let pair = hash.and_then(|hash| hash.get(ctx.arg(2), ctx.space.now));
        ctx.reply.int(pair.map_or(0, |pair| pair.value.text_len()) as i64);
    });
}

pub(super) fn hexists(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        let found = hash.is_some_and(|hash| hash.get(ctx.arg(2), ctx.space.now).is_some());
        ctx.reply.int(found.into());
    });
}

pub(super) fn hgetall(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        ctx.reply.map(hash.map_or(0, |hash| hash.exact_len(ctx.space.now)));
        each(ctx, hash, |ctx, pair| {
            bulk(ctx, pair.name);
            bulk(ctx, pair.value);
        });
    });
}

pub(super) fn hkeys(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        ctx.reply.array(hash.map_or(0, |hash| hash.exact_len(ctx.space.now)));
        each(ctx, hash, |ctx, pair| bulk(ctx, pair.name));
    });
}

pub(super) fn hvals(ctx: &mut Ctx<'_>) {
    look(ctx, |ctx, hash| {
        ctx.reply.array(hash.map_or(0, |hash| hash.exact_len(ctx.space.now)));
        each(ctx, hash, |ctx, pair| bulk(ctx, pair.value));
    });
}

fn each(ctx: &mut Ctx<'_>, hash: Option<HashRef<'_>>, show: impl Fn(&mut Ctx<'_>, Pair<'_>)) {
    if let Some(hash) = hash {
        hash.iter(ctx.space.now).for_each(|pair| show(ctx, pair));
    }
}
