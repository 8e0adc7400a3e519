//! Strings.

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Live};
use crate::protocol::args::parse_i64;
use crate::value::word::{NO_EXPIRY, OwnedWord, View};

const R: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const RW: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const S: Categories = Categories::STRING;

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("get", 2, Flags::READONLY.union(Flags::FAST), S, &[KeySpec::one(1, R)], get),
    Command::new("set", -3, Flags::WRITE.union(Flags::DENYOOM), S, &[KeySpec::one(1, RW)], set),
    Command::new("incr", 2, Flags::WRITE.union(Flags::FAST), S, &[KeySpec::one(1, RW)], incr),
    Command::new("mset", -3, Flags::WRITE.union(Flags::DENYOOM), S, &[KeySpec::range(1, -1, 2, RW)], mset),
    Command::new("mget", -2, Flags::READONLY.union(Flags::FAST), S, &[KeySpec::range(1, -1, 1, R)], mget),
];

/// Writes the value as a bulk string, or the error if it is no string.
#[inline]
fn reply_text(ctx: &mut Ctx<'_>, live: Option<Live<'_>>) {
    match live.as_ref().map(Live::view) {
        None => ctx.reply.null(),
        Some(View::Short(text)) => ctx.reply.bulk(text.as_slice()),
        Some(View::Raw(text)) => ctx.reply.bulk(text),
        Some(View::Int(int)) => ctx.reply.bulk_int(int),
        Some(View::Node(node)) => match node.as_text() {
            Some(text) => {
                let held = node.latch().read();
                let share = text.load();
                drop(held);
                ctx.reply.bulk_owned(share);
            }
            None => ctx.reply.error(error::WRONGTYPE),
        },
    }
}

fn get(ctx: &mut Ctx<'_>) {
    let live = ctx.space.read(ctx.key(1));
    reply_text(ctx, live);
}

fn set(ctx: &mut Ctx<'_>) {
    ctx.space.set(ctx.key(1), OwnedWord::from_text(ctx.arg(2), NO_EXPIRY));
    ctx.reply.ok();
}

fn mset(ctx: &mut Ctx<'_>) {
    for i in (1..ctx.args.len() - 1).step_by(2) {
        ctx.space.set(ctx.key(i), OwnedWord::from_text(ctx.arg(i + 1), NO_EXPIRY));
    }
    ctx.reply.ok();
}

fn mget(ctx: &mut Ctx<'_>) {
    ctx.reply.array(ctx.args.len() - 1);
    for i in 1..ctx.args.len() {
        let live = ctx.space.read(ctx.key(i));
        reply_text(ctx, live);
    }
}

fn incr(ctx: &mut Ctx<'_>) {
    let answer = ctx.space.update(ctx.key(1), |live| {
        let now = match live.map(Live::view) {
            None => Some(0),
            Some(View::Int(int)) => Some(int),
            Some(View::Raw(text)) => parse_i64(text),
            _ => None,
        };
        match now
            .ok_or(error::NOT_AN_INTEGER)
            .and_then(|n| n.checked_add(1).ok_or("ERR increment or decrement would overflow"))
        {
            Ok(next) => {
                Change::Put(OwnedWord::from_int(next, live.map_or(NO_EXPIRY, |l| l.expire_at)), Ok(next))
            }
            Err(text) => Change::Keep(Err(text)),
        }
    });
    match answer {
        Ok(next) => ctx.reply.int(next),
        Err(text) => ctx.reply.error(text),
    }
}
