//! Deadlines of fields.

use super::arguments::{Options, Refusal, Unit, deadline, fields_only};
use super::{change, look};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::value::collection::Collection;
use crate::value::hash::Hash;
use crate::value::word::{ExpireAt, NO_EXPIRY};

const NO_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

/// Replies one number for each field.
fn numbers(ctx: &mut Ctx<'_>, numbers: impl ExactSizeIterator<Item = i64>) {
    ctx.reply.array(numbers.len());
    numbers.for_each(|number| ctx.reply.int(number));
}

// -- setting ----------------------------------------------------------------------------------------------------

/// When a deadline may be set.
#[derive(Clone, Copy, Default)]
enum Condition {
    #[default]
    Always,
    /// Only if there is none.
    Nx,
    /// Only if there is one.
    Xx,
    /// Only if there is one, and it moves to a later time.
    Gt,
    /// Only if it moves to an earlier time; no deadline is the latest.
    Lt,
}

impl Condition {
    fn allows(self, current: ExpireAt, new: ExpireAt) -> bool {
        let none = current == NO_EXPIRY;
        match self {
            Condition::Always => true,
            Condition::Nx => none,
            Condition::Xx => !none,
            Condition::Gt => !none && new > current,
            Condition::Lt => none || new < current,
        }
    }
}

impl Options for Condition {
    const PER_FIELD: usize = 1;

    fn option(&mut self, ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, Refusal> {
        let condition = match ctx.arg(at).to_ascii_lowercase().as_slice() {
            b"nx" => Condition::Nx,
            b"xx" => Condition::Xx,
            b"gt" => Condition::Gt,
            b"lt" => Condition::Lt,
            _ => return Ok(None),
        };
        if !matches!(self, Condition::Always) {
            return Err("ERR Multiple condition flags specified".into());
        }
        *self = condition;
        Ok(Some(1))
    }
}

pub(super) fn hexpire(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Seconds);
}

pub(super) fn hpexpire(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Milliseconds);
}

pub(super) fn hexpireat(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::UnixSeconds);
}

pub(super) fn hpexpireat(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::UnixMilliseconds);
}

fn give_deadline(ctx: &mut Ctx<'_>, unit: Unit) {
    let mut condition = Condition::default();
    let parsed = deadline(ctx, unit, ctx.arg(2)).and_then(|at| Ok((at, condition.parse(ctx, 3)?)));
    let (at, block) = match parsed {
        Ok(parsed) => parsed,
        Err(text) => return ctx.reply.error(&text),
    };
    let (names, now) = (block.iter(ctx), ctx.space.now);
    let done = change(
        ctx,
        Absent::Skip,
        |answers: &Vec<i64>| events(answers),
        |hash| {
            let answers: Vec<i64> = names.clone().map(|name| limit(hash, name, at, condition, now)).collect();
            match answers.iter().any(|&answer| answer > NOT_MET) {
                true => Edit::Changed(answers),
                false => Edit::Unchanged(answers),
            }
        },
    );
    answer(ctx, done, names.len());
}

/// Gives one field a deadline, which deletes it if that is over.
fn limit(hash: &mut Hash, name: &[u8], at: ExpireAt, condition: Condition, now: u64) -> i64 {
    let Some(pair) = hash.view().get(name, now) else { return NO_FIELD };
    if !condition.allows(pair.deadline, at) {
        return NOT_MET;
    }
    if at <= now {
        hash.remove(name, now);
        return DELETED;
    }
    hash.set_deadline(name, at);
    DONE
}

fn events(answers: &[i64]) -> &'static [&'static str] {
    match (answers.contains(&DONE), answers.contains(&DELETED)) {
        (true, true) => &["hexpire", "hdel"],
        (true, false) => &["hexpire"],
        (false, _) => &["hdel"],
    }
}

fn answer(ctx: &mut Ctx<'_>, done: Result<Option<Vec<i64>>, WrongType>, fields: usize) {
    match done {
        Ok(Some(answers)) => numbers(ctx, answers.into_iter()),
        Ok(None) => numbers(ctx, std::iter::repeat_n(NO_FIELD, fields)),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn hpersist(ctx: &mut Ctx<'_>) {
    let names = match fields_only(ctx) {
        Ok(names) => names.iter(),
        Err(text) => return ctx.reply.error(&text),
    };
    let now = ctx.space.now;
    let done = change(
        ctx,
        Absent::Skip,
        |_| &["hpersist"],
        |hash| {
            let answers: Vec<i64> = names.clone().map(|name| persist(hash, name, now)).collect();
            match answers.contains(&DONE) {
                true => Edit::Changed(answers),
                false => Edit::Unchanged(answers),
            }
        },
    );
    answer(ctx, done, names.len());
}

fn persist(hash: &mut Hash, name: &[u8], now: u64) -> i64 {
    match hash.view().get(name, now) {
        None => NO_FIELD,
        Some(pair) if pair.deadline == NO_EXPIRY => NO_DEADLINE,
        Some(_) => {
            hash.set_deadline(name, NO_EXPIRY);
            DONE
        }
    }
}

// -- asking -----------------------------------------------------------------------------------------------------

pub(super) fn httl(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Seconds);
}

pub(super) fn hpttl(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Milliseconds);
}

pub(super) fn hexpiretime(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::UnixSeconds);
}

pub(super) fn hpexpiretime(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::UnixMilliseconds);
}

fn tell_deadline(ctx: &mut Ctx<'_>, unit: Unit) {
    let names = match fields_only(ctx) {
        Ok(names) => names,
        Err(text) => return ctx.reply.error(&text),
    };
    look(ctx, |ctx, hash| {
        let now = ctx.space.now;
        let told = names.iter().map(|name| match hash.and_then(|hash| hash.get(name, now)) {
            None => NO_FIELD,
            Some(pair) if pair.deadline == NO_EXPIRY => NO_DEADLINE,
            Some(pair) => unit.count(pair.deadline.saturating_sub(unit.base(now))) as i64,
        });
        numbers(ctx, told);
    });
}
