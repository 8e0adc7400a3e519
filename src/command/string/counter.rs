//! Strings as numbers: INCR and its relatives.

use super::text::{Digits, text_of};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Live};
use crate::protocol::args::parse_i64;
use crate::value::long_double::LongDouble;
use crate::value::word::{NO_EXPIRY, OwnedWord, View};

const OVERFLOW: &str = "ERR increment or decrement would overflow";

/// The integer that the key holds as a number or spells as text.
#[inline]
fn integer_of(live: &Live<'_>) -> Result<i64, &'static str> {
    if let View::Int(int) = live.view() {
        return Ok(int);
    }
    text_of(live).map_err(|_| error::WRONGTYPE)?.as_i64().ok_or(error::NOT_AN_INTEGER)
}

/// Adds `amount` in one step: the sum is checked before anybody can see it.
#[inline]
fn add(ctx: &mut Ctx<'_>, amount: i64) {
    let sum = ctx.space.update(ctx.key(1), |live| {
        let before = live.map_or(Ok(0), integer_of);
        match before.and_then(|before| before.checked_add(amount).ok_or(OVERFLOW)) {
            Ok(sum) => {
                let expire_at = live.map_or(NO_EXPIRY, |live| live.expire_at);
                Change::Put(OwnedWord::from_int(sum, expire_at), Ok(sum))
            }
            Err(text) => Change::Keep(Err(text)),
        }
    });
    match sum {
        Ok(sum) => {
            ctx.notify(Events::STRING, "incrby", ctx.arg(1));
            ctx.reply.int(sum);
        }
        Err(text) => ctx.reply.error(text),
    }
}

pub(super) fn incr(ctx: &mut Ctx<'_>) {
    add(ctx, 1);
}

pub(super) fn decr(ctx: &mut Ctx<'_>) {
    add(ctx, -1);
}

pub(super) fn incrby(ctx: &mut Ctx<'_>) {
    match parse_i64(ctx.arg(2)) {
        Some(amount) => add(ctx, amount),
        None => ctx.reply.error(error::NOT_AN_INTEGER),
    }
}

pub(super) fn decrby(ctx: &mut Ctx<'_>) {
    match parse_i64(ctx.arg(2)).map(i64::checked_neg) {
        Some(Some(amount)) => add(ctx, amount),
        Some(None) => ctx.reply.error("ERR decrement would overflow"),
        None => ctx.reply.error(error::NOT_AN_INTEGER),
    }
}

/// The number that the key holds or spells.
fn float_of(live: &Live<'_>) -> Result<LongDouble, &'static str> {
    if let View::Int(int) = live.view() {
        return Ok(LongDouble::from_int(int));
    }
    let text = text_of(live).map_err(|_| error::WRONGTYPE)?;
    LongDouble::parse(text.bytes(&mut Digits::new())).ok_or(error::NOT_A_FLOAT)
}

pub(super) fn incrbyfloat(ctx: &mut Ctx<'_>) {
    // Redis looks at the key's type and value before it looks at the increment.
    let amount = LongDouble::parse(ctx.arg(2)).ok_or(error::NOT_A_FLOAT);
    let sum = ctx.space.update(ctx.key(1), |live| {
        let sum = live
            .map_or(Ok(LongDouble::from_int(0)), float_of)
            .and_then(|before| before.plus(amount?).ok_or("ERR increment would produce NaN or Infinity"));
        match sum {
            Ok(sum) => {
                let (text, expire_at) = (sum.to_text(), live.map_or(NO_EXPIRY, |live| live.expire_at));
                Change::Put(OwnedWord::from_bytes(text.as_bytes(), expire_at), Ok(text))
            }
            Err(text) => Change::Keep(Err(text)),
        }
    });
    match sum {
        Ok(sum) => {
            ctx.notify(Events::STRING, "incrbyfloat", ctx.arg(1));
            ctx.reply.bulk(sum.as_bytes());
        }
        Err(text) => ctx.reply.error(text),
    }
}
