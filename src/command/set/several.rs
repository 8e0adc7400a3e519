//! Commands on several sets: what [`algebra`](super::algebra) finds is answered, stored or counted.

use super::algebra::Operation;
use super::{limits, reply_member};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Held, WrongType};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::collection::Collection;
use crate::value::hyperloglog::Dense;
use crate::value::packed::{Digits, Item};
use crate::value::set::{Set, SetRef};
use crate::value::word::NO_EXPIRY;

/// The sets at the keys, none for those that are absent.
fn views<'h>(held: &'h Held<'_>) -> Result<Vec<Option<SetRef<'h>>>, WrongType> {
    (0..held.len()).map(|index| held.view::<Set>(index)).collect()
}

pub(super) fn sinter(ctx: &mut Ctx<'_>) {
    answer(ctx, Operation::Inter);
}

pub(super) fn sunion(ctx: &mut Ctx<'_>) {
    answer(ctx, Operation::Union);
}

pub(super) fn sdiff(ctx: &mut Ctx<'_>) {
    answer(ctx, Operation::Diff);
}

fn answer(ctx: &mut Ctx<'_>, operation: Operation) {
    let limits = limits(ctx);
    let held = ctx.space.hold((1..ctx.args.len()).map(|index| ctx.key(index)));
    let Ok(sets) = views(&held) else { return ctx.reply.error(error::WRONGTYPE) };
    let (start, mut count) = (ctx.reply.begin_array(), 0);
    operation.visit(&sets, &limits, &mut |member| {
        reply_member(&mut ctx.reply, member);
        count += 1;
        true
    });
    ctx.reply.end_set(start, count);
}

pub(super) fn sinterstore(ctx: &mut Ctx<'_>) {
    store(ctx, Operation::Inter, "sinterstore");
}

pub(super) fn sunionstore(ctx: &mut Ctx<'_>) {
    store(ctx, Operation::Union, "sunionstore");
}

pub(super) fn sdiffstore(ctx: &mut Ctx<'_>) {
    store(ctx, Operation::Diff, "sdiffstore");
}

fn store(ctx: &mut Ctx<'_>, operation: Operation, event: &str) {
    let Ok(result) = result(ctx, operation) else { return ctx.reply.error(error::WRONGTYPE) };
    let (key, count) = (ctx.key(1), result.view().len());
    let existed = ctx.space.exists(key);
    if ctx.space.store(key, result, NO_EXPIRY) {
        ctx.notify(Events::SET, event, key.bytes);
    } else if existed {
        ctx.notify(Events::GENERIC, "del", key.bytes);
    }
    ctx.reply.int(count as i64);
}

/// The result as a set of its own.
fn result(ctx: &Ctx<'_>, operation: Operation) -> Result<Set, WrongType> {
    let limits = limits(ctx);
    let held = ctx.space.hold((2..ctx.args.len()).map(|index| ctx.key(index)));
    let sets = views(&held)?;
    let mut result = operation.result(&sets);
    operation.visit(&sets, &limits, &mut |member| {
        result.insert(member, &limits);
        true
    });
    if operation == Operation::Inter {
        result.prefer_ints(&limits);
    }
    Ok(result)
}

// -- counting ---------------------------------------------------------------------------------------------------

/// What SINTERCARD and its kin are asked for.
struct Count {
    /// Keys from the second argument on.
    keys: usize,
    /// Members that are counted at most.
    limit: usize,
    /// Whether an estimate will do.
    estimate: bool,
}

pub(super) fn sintercard(ctx: &mut Ctx<'_>) {
    reply_count(ctx, Operation::Inter);
}

pub(super) fn sunioncard(ctx: &mut Ctx<'_>) {
    reply_count(ctx, Operation::Union);
}

pub(super) fn sdiffcard(ctx: &mut Ctx<'_>) {
    reply_count(ctx, Operation::Diff);
}

fn reply_count(ctx: &mut Ctx<'_>, operation: Operation) {
    match Count::parse(ctx, operation).and_then(|wanted| count(ctx, operation, &wanted)) {
        Ok(count) => ctx.reply.int(count as i64),
        Err(text) => ctx.reply.error(text),
    }
}

impl Count {
    fn parse(ctx: &Ctx<'_>, operation: Operation) -> Result<Count, &'static str> {
        let keys = parse_i64(ctx.arg(1)).and_then(|keys| usize::try_from(keys).ok()).filter(|&keys| keys > 0);
        let keys = keys.ok_or("ERR numkeys should be greater than 0")?;
        if keys > ctx.args.len() - 2 {
            return Err("ERR Number of keys can't be greater than number of args");
        }
        let mut wanted = Count { keys, limit: usize::MAX, estimate: false };
        let mut options = ctx.args.slice_from(2 + keys).iter();
        while let Some(option) = options.next() {
            if eq_ignore_case(option, b"limit") {
                wanted.limit = parse_limit(options.next().ok_or(error::SYNTAX)?)?;
            } else if eq_ignore_case(option, b"approx") && operation == Operation::Union {
                wanted.estimate = true;
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(wanted)
    }
}

/// A limit, of which zero means none.
fn parse_limit(text: &[u8]) -> Result<usize, &'static str> {
    let limit = parse_i64(text).and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.ok_or("ERR LIMIT can't be negative")?;
    Ok(if limit == 0 { usize::MAX } else { limit })
}

fn count(ctx: &Ctx<'_>, operation: Operation, wanted: &Count) -> Result<usize, &'static str> {
    let held = ctx.space.hold((2..2 + wanted.keys).map(|index| ctx.key(index)));
    let sets = views(&held).map_err(|WrongType| error::WRONGTYPE)?;
    if wanted.estimate {
        return Ok(estimate_union(&sets).min(wanted.limit));
    }
    let mut count = 0;
    operation.visit(&sets, &limits(ctx), &mut |_: Item<'_>| {
        count += 1;
        count < wanted.limit
    });
    Ok(count)
}

/// About how many members a union has: a HyperLogLog takes no memory in proportion to it. A set alone is counted.
fn estimate_union(sets: &[Option<SetRef<'_>>]) -> usize {
    let mut there = sets.iter().flatten();
    match (there.next(), there.next()) {
        (None, _) => 0,
        (Some(only), None) => only.len(),
        (Some(_), Some(_)) => {
            let sketch = Dense::new();
            for member in sets.iter().flatten().flat_map(|set| set.iter()) {
                // Whether a register rose is of no interest: nobody else has the sketch.
                let _ = sketch.raise_all([member.bytes(&mut Digits::default())]);
            }
            sketch.count() as usize
        }
    }
}
