//! Whole databases.

use crate::command::{Ctx, error};
use crate::keyspace::Space;
use crate::protocol::args::{eq_ignore_case, parse_i64};

const OUT_OF_INT_RANGE: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";

/// The database that the argument at `index` numbers, or the error.
pub(super) fn number(ctx: &Ctx<'_>, index: usize) -> Result<usize, &'static str> {
    let number = parse_i64(ctx.arg(index)).ok_or(error::NOT_AN_INTEGER)?;
    known(ctx, i32::try_from(number).map_err(|_| OUT_OF_INT_RANGE)?)
}

fn known(ctx: &Ctx<'_>, number: i32) -> Result<usize, &'static str> {
    let within = |&db: &usize| db < ctx.space.keyspace.databases();
    usize::try_from(number).ok().filter(within).ok_or(error::DB_OUT_OF_RANGE)
}

pub(super) fn dbsize(ctx: &mut Ctx<'_>) {
    ctx.reply.int(ctx.space.table().len() as i64);
}

/// Whether the arguments are those of a flush. ASYNC and SYNC ask for the same here: the keys are gone when the reply
/// is sent, and the memory follows as soon as no other command can be reading it.
fn flush_syntax(ctx: &mut Ctx<'_>) -> bool {
    let known = |mode: &[u8]| eq_ignore_case(mode, b"async") || eq_ignore_case(mode, b"sync");
    let fits = ctx.args.len() == 1 || (ctx.args.len() == 2 && known(ctx.arg(1)));
    if !fits {
        ctx.reply.error(error::SYNTAX);
    }
    fits
}

/// Empties a database; only the watchers of keys that were there hear of it.
fn flush(space: &Space<'_>) {
    space.keyspace.watches.touch_all(space.db, |key| space.exists(space.key(key)));
    space.keyspace.flush(space.db, space.guard());
}

pub(super) fn flushdb(ctx: &mut Ctx<'_>) {
    if flush_syntax(ctx) {
        ctx.server.tracking.flushed(ctx.space.keyspace);
        flush(ctx.space);
        ctx.wake_database(ctx.space.db);
        ctx.reply.ok();
    }
}

pub(super) fn flushall(ctx: &mut Ctx<'_>) {
    if flush_syntax(ctx) {
        ctx.server.tracking.flushed(ctx.space.keyspace);
        for db in 0..ctx.space.keyspace.databases() {
            flush(&ctx.space.other(db));
            ctx.wake_database(db);
        }
        ctx.reply.ok();
    }
}

pub(super) fn swapdb(ctx: &mut Ctx<'_>) {
    match pair(ctx) {
        Ok((one, other)) => {
            swap(&ctx.space.other(one), &ctx.space.other(other));
            [one, other].into_iter().for_each(|db| ctx.wake_database(db));
            ctx.reply.ok();
        }
        Err(text) => ctx.reply.error(text),
    }
}

/// Exchanges two databases; the watchers of keys that are in either hear of it.
fn swap(one: &Space<'_>, other: &Space<'_>) {
    if one.db == other.db {
        return;
    }
    for space in [one, other] {
        let concerns = |key: &[u8]| one.exists(one.key(key)) || other.exists(other.key(key));
        space.keyspace.watches.touch_all(space.db, concerns);
    }
    one.keyspace.swap(one.db, other.db);
}

fn pair(ctx: &Ctx<'_>) -> Result<(usize, usize), &'static str> {
    let int = |index| parse_i64(ctx.arg(index)).and_then(|number| i32::try_from(number).ok());
    let one = int(1).ok_or("ERR invalid first DB index")?;
    let other = int(2).ok_or("ERR invalid second DB index")?;
    Ok((known(ctx, one)?, known(ctx, other)?))
}
