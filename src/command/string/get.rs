//! Commands that read strings, and those that take a string away or move its deadline while they read it.

use std::ops::Range;

use super::options::{Condition, Deadline, Of, Options, Ttl, digest};
use super::text::{Digits, TextValue, WrongType, text_of};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Live, Space};
use crate::protocol::args::{parse_i64, to_upper};
use crate::value::word::{ExpireAt, NO_EXPIRY, View};

/// A string as a command found it.
type Found<'a> = Result<Option<TextValue<'a>>, WrongType>;

/// Answers with the text, null or the error.
#[inline]
fn reply_found(ctx: &mut Ctx<'_>, found: Found<'_>) {
    match found {
        Ok(Some(text)) => text.reply(&mut ctx.reply),
        Ok(None) => ctx.reply.null(),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn get(ctx: &mut Ctx<'_>) {
    let live = ctx.space.read(ctx.key(1));
    // The most frequent command answers the most frequent values without making anything of them first.
    match live.as_ref().map(Live::view) {
        Some(View::Short(text)) => ctx.reply.bulk(text.as_slice()),
        Some(View::Raw(text)) => ctx.reply.bulk(text),
        _ => reply_found(ctx, live.as_ref().map(text_of).transpose()),
    }
}

pub(super) fn mget(ctx: &mut Ctx<'_>) {
    ctx.reply.array(ctx.args.len() - 1);
    for i in 1..ctx.args.len() {
        let live = ctx.space.read(ctx.key(i));
        // A key of another type has no string for MGET, which is no error.
        let text = live.as_ref().and_then(|live| text_of(live).ok());
        reply_found(ctx, Ok(text));
    }
}

pub(super) fn strlen(ctx: &mut Ctx<'_>) {
    let live = ctx.space.read(ctx.key(1));
    match live.as_ref().map(text_of).transpose() {
        Ok(text) => ctx.reply.int(text.map_or(0, |text| text.len() as i64)),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn digest_of(ctx: &mut Ctx<'_>) {
    let live = ctx.space.read(ctx.key(1));
    match live.as_ref().map(text_of).transpose() {
        Ok(Some(text)) => ctx.reply.bulk(&digest(&text)),
        Ok(None) => ctx.reply.null(),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn getrange(ctx: &mut Ctx<'_>) {
    let (Some(start), Some(end)) = (parse_i64(ctx.arg(2)), parse_i64(ctx.arg(3))) else {
        return ctx.reply.error(error::NOT_AN_INTEGER);
    };
    let live = ctx.space.read(ctx.key(1));
    match live.as_ref().map(text_of).transpose() {
        Ok(None) => ctx.reply.bulk(b""),
        Ok(Some(TextValue::Shared(bytes))) => {
            let part = range(start, end, bytes.len());
            ctx.reply.bulk_owned(bytes.slice(part));
        }
        Ok(Some(text)) => {
            let mut digits = Digits::new();
            let bytes = text.bytes(&mut digits);
            ctx.reply.bulk(&bytes[range(start, end, bytes.len())]);
        }
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

/// The bytes from `start` to `end`, both included and counted from the end when negative, of `len`. What lies before
/// the first byte means the first byte, for `end` too, but not when both are negative and in the wrong order.
fn range(start: i64, end: i64, len: usize) -> Range<usize> {
    if len == 0 || (start < 0 && end < 0 && start > end) {
        return 0..0;
    }
    let len = len as i64;
    let place = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

pub(super) fn getdel(ctx: &mut Ctx<'_>) {
    let found: Found<'_> = ctx.space.update(ctx.key(1), |live| match live.map(text_of).transpose() {
        Ok(Some(text)) => Change::Delete(Ok(Some(text.detach()))),
        other => Change::Keep(other.map(|_| None)),
    });
    ctx.space.count_lookup(ctx.arg(1), !matches!(found, Ok(None)));
    if let Ok(Some(_)) = found {
        ctx.notify(Events::GENERIC, "del", ctx.arg(1));
    }
    reply_found(ctx, found);
}

pub(super) fn getex(ctx: &mut Ctx<'_>) {
    let Some(options) = Options::parse(ctx.args.slice_from(2), Of::GetEx) else {
        return ctx.reply.error(error::SYNTAX);
    };
    // A deadline that cannot be is an error only for a key that it would be given to.
    let deadline = match options.ttl {
        Ttl::Unsaid => Ok(Deadline::Keep),
        ttl => ttl.deadline(ctx.space.now),
    };
    let mut event = None;
    let answer = ctx.space.update(ctx.key(1), |live| {
        let Some(live) = live else { return Change::Keep(Ok(Ok(None))) };
        match (text_of(live), deadline) {
            (Err(wrong), _) => Change::Keep(Ok(Err(wrong))),
            (Ok(_), Err(bad)) => Change::Keep(Err(bad)),
            (Ok(text), Ok(deadline)) => {
                let at = deadline.after(live.expire_at);
                event = deadline_event(live.expire_at, at, ctx.space.now);
                move_deadline(ctx.space, live, at, Ok(Ok(Some(text.detach()))))
            }
        }
    });
    ctx.space.count_lookup(ctx.arg(1), !matches!(answer, Ok(Ok(None))));
    if let (Ok(Ok(Some(_))), Some(event)) = (&answer, event) {
        ctx.notify(Events::GENERIC, event, ctx.arg(1));
    }
    match answer {
        Ok(found) => reply_found(ctx, found),
        Err(bad) => bad.reply(ctx),
    }
}

/// The event of a deadline that moves from `before` to `at`.
fn deadline_event(before: ExpireAt, at: ExpireAt, now: u64) -> Option<&'static str> {
    match at {
        _ if at == before => None,
        NO_EXPIRY => Some("persist"),
        _ if at <= now => Some("del"),
        _ => Some("expire"),
    }
}

/// Gives a key the deadline `at`; one that is past already ends the key.
fn move_deadline<R>(space: &Space<'_>, live: &Live<'_>, at: ExpireAt, answer: R) -> Change<R> {
    if at == live.expire_at {
        Change::Keep(answer)
    } else if at != NO_EXPIRY && at <= space.now {
        Change::Delete(answer)
    } else {
        space.with_deadline(live, at, answer)
    }
}

pub(super) fn delex(ctx: &mut Ctx<'_>) {
    match ctx.args.len() {
        2 => {
            let gone = ctx.space.delete(ctx.key(1));
            reply_gone(ctx, gone);
        }
        4 => {
            let mut room = [0; b"IFDEQ".len()];
            match to_upper(ctx.arg(2), &mut room).and_then(|word| Condition::comparison(word, ctx.arg(3))) {
                Some(condition) if condition.is_well_formed() => {
                    delete_if(ctx, condition, "ERR Key should be of string type if conditions are specified");
                }
                Some(_) => ctx.reply.error(error::BAD_DIGEST),
                None => ctx.reply.error(error::SYNTAX),
            }
        }
        _ => ctx.reply.error("ERR wrong number of arguments for 'delex' command"),
    }
}

pub(super) fn delifeq(ctx: &mut Ctx<'_>) {
    delete_if(ctx, Condition::Equals(ctx.arg(2)), error::WRONGTYPE);
}

fn reply_gone(ctx: &mut Ctx<'_>, gone: bool) {
    if gone {
        ctx.notify(Events::GENERIC, "del", ctx.arg(1));
    }
    ctx.reply.int(gone.into());
}

fn delete_if(ctx: &mut Ctx<'_>, condition: Condition<'_>, wrong_type: &str) {
    let gone = ctx.space.update(ctx.key(1), |live| match live.map(text_of).transpose() {
        Err(WrongType) => Change::Keep(Err(WrongType)),
        Ok(Some(text)) if condition.holds(true, Some(&text)) => Change::Delete(Ok(true)),
        Ok(_) => Change::Keep(Ok(false)),
    });
    match gone {
        Ok(gone) => reply_gone(ctx, gone),
        Err(WrongType) => ctx.reply.error(wrong_type),
    }
}
