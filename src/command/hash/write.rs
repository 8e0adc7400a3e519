//! Setting and deleting fields, and fields as numbers.

use super::{change, limits};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::protocol::args::parse_i64;
use crate::value::collection::Collection;
use crate::value::hash::{Hash, Ttl};
use crate::value::long_double::LongDouble;
use crate::value::packed::{Digits, Item};
use crate::value::word::NO_EXPIRY;

const CLEAR: Ttl = Ttl::Set(NO_EXPIRY);

/// Sets the fields of HSET and HMSET; how many are new, or nothing if an error was replied.
fn set_all(ctx: &mut Ctx<'_>) -> Option<usize> {
    let pairs = ctx.args.slice_from(2);
    if !pairs.len().is_multiple_of(2) {
        let text = format!("ERR wrong number of arguments for '{}' command", ctx.command.name);
        ctx.reply.error(&text);
        return None;
    }
    let (now, limits) = (ctx.space.now, limits(ctx));
    let set = change(
        ctx,
        Absent::Create,
        |_| &["hset"],
        |hash| {
            let mut words = pairs.iter();
            let mut new = 0;
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                new += usize::from(hash.set(name, value, CLEAR, now, limits));
            }
            Edit::Changed(new)
        },
    );
    match set {
        Ok(new) => new,
        Err(WrongType) => {
            ctx.reply.error(error::WRONGTYPE);
            None
        }
    }
}

pub(super) fn hset(ctx: &mut Ctx<'_>) {
    if let Some(new) = set_all(ctx) {
        ctx.reply.int(new as i64);
    }
}

pub(super) fn hmset(ctx: &mut Ctx<'_>) {
    if set_all(ctx).is_some() {
        ctx.reply.ok();
    }
}

pub(super) fn hsetnx(ctx: &mut Ctx<'_>) {
    let (name, value) = (ctx.arg(2), ctx.arg(3));
    let (now, limits) = (ctx.space.now, limits(ctx));
    let set = change(
        ctx,
        Absent::Create,
        |_| &["hset"],
        |hash| {
            if hash.view().get(name, now).is_some() {
                return Edit::Unchanged(false);
            }
            Edit::Changed(hash.set(name, value, CLEAR, now, limits))
        },
    );
    match set {
        Ok(set) => ctx.reply.int((set == Some(true)).into()),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn hdel(ctx: &mut Ctx<'_>) {
    let (names, now) = (ctx.args.slice_from(2), ctx.space.now);
    let deleted = change(
        ctx,
        Absent::Skip,
        |_| &["hdel"],
        |hash| match names.iter().filter(|name| hash.remove(name, now)).count() {
            0 => Edit::Unchanged(0),
            deleted => Edit::Changed(deleted),
        },
    );
    match deleted {
        Ok(deleted) => ctx.reply.int(deleted.unwrap_or(0) as i64),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

// -- numbers ----------------------------------------------------------------------------------------------------

/// Replaces a field's value, or none, by what `next` makes of it; its deadline stays.
fn update<R>(
    ctx: &mut Ctx<'_>,
    event: &'static [&'static str],
    next: impl Fn(Option<Item<'_>>) -> Result<R, &'static str>,
    text_of: impl Fn(&R, &mut dyn FnMut(&[u8])),
) -> Result<R, &'static str> {
    let (name, now, limits) = (ctx.arg(2), ctx.space.now, limits(ctx));
    let done = change(
        ctx,
        Absent::Create,
        |_| event,
        |hash: &mut Hash| match next(hash.view().get(name, now).map(|pair| pair.value)) {
            Ok(value) => {
                text_of(&value, &mut |text| _ = hash.set(name, text, Ttl::Keep, now, limits));
                Edit::Changed(Ok(value))
            }
            Err(text) => Edit::Unchanged(Err(text)),
        },
    );
    match done {
        Ok(Some(answer)) => answer,
        Ok(None) => unreachable!("an absent key is created"),
        Err(WrongType) => Err(error::WRONGTYPE),
    }
}

fn integer(value: Option<Item<'_>>) -> Result<i64, &'static str> {
    match value {
        None => Ok(0),
        Some(Item::Int(int)) => Ok(int),
        Some(Item::Text(text)) => parse_i64(text).ok_or("ERR hash value is not an integer"),
    }
}

pub(super) fn hincrby(ctx: &mut Ctx<'_>) {
    let Some(amount) = parse_i64(ctx.arg(3)) else { return ctx.reply.error(error::NOT_AN_INTEGER) };
    let sum = update(
        ctx,
        &["hincrby"],
        |value| integer(value)?.checked_add(amount).ok_or("ERR increment or decrement would overflow"),
        |sum, set| set(Item::Int(*sum).bytes(&mut Digits::default())),
    );
    match sum {
        Ok(sum) => ctx.reply.int(sum),
        Err(text) => ctx.reply.error(text),
    }
}

fn float(value: Option<Item<'_>>) -> Result<LongDouble, &'static str> {
    match value {
        None => Ok(LongDouble::from_int(0)),
        Some(Item::Int(int)) => Ok(LongDouble::from_int(int)),
        Some(Item::Text(text)) => LongDouble::parse(text).ok_or("ERR hash value is not a float"),
    }
}

pub(super) fn hincrbyfloat(ctx: &mut Ctx<'_>) {
    let amount = match LongDouble::parse(ctx.arg(3)) {
        None => return ctx.reply.error(error::NOT_A_FLOAT),
        Some(amount) if !amount.is_finite() => return ctx.reply.error("ERR value is NaN or Infinity"),
        Some(amount) => amount,
    };
    let sum = update(
        ctx,
        &["hincrbyfloat"],
        |value| {
            let sum = float(value)?.plus(amount).ok_or("ERR increment would produce NaN or Infinity")?;
            Ok(sum.to_text())
        },
        |sum, set| set(sum.as_bytes()),
    );
    match sum {
        Ok(sum) => ctx.reply.bulk(sum.as_bytes()),
        Err(text) => ctx.reply.error(text),
    }
}
