//! Commands that set strings, whatever the keys held.

use super::options::{Condition, Deadline, Of, Options, Unit, deadline};
use super::text::{TextValue, WrongType, text_of};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Key, Live, Space};
use crate::protocol::BIG_ARG;
use crate::protocol::args::{Args, parse_i64};
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord};

/// A write that depends on what the key holds.
#[derive(Clone, Copy)]
struct Plan<'a> {
    condition: Condition<'a>,
    get: bool,
    deadline: Deadline,
}

/// How a plan ended; with the old value where it was asked for.
enum Outcome {
    Set(Option<TextValue<'static>>),
    Refused(Option<TextValue<'static>>),
    WrongType,
}

/// The value for the argument at `index`. A large one, received in a buffer of its own, becomes the value as it is.
#[inline]
pub(super) fn value(args: Args<'_>, index: usize, expire_at: ExpireAt) -> OwnedWord {
    let text = args.get(index).expect("the arity was checked");
    if text.len() >= BIG_ARG {
        return large_value(args, index, expire_at);
    }
    OwnedWord::from_text(text, expire_at)
}

/// Kept out of the way of the many short values.
#[cold]
fn large_value(args: Args<'_>, index: usize, expire_at: ExpireAt) -> OwnedWord {
    Space::shared_text(args.owned(index), expire_at)
}

impl Plan<'_> {
    /// Whether the key is set without a look at what it holds.
    fn is_blind(&self) -> bool {
        matches!((self.condition, self.get, self.deadline), (Condition::Always, false, Deadline::At(_)))
    }

    fn decide(&self, live: Option<&Live<'_>>, args: Args<'_>, index: usize) -> Change<Outcome> {
        let looks = self.get || self.condition.compares();
        let text = match live.filter(|_| looks).map(text_of).transpose() {
            Ok(text) => text,
            Err(WrongType) => return Change::Keep(Outcome::WrongType),
        };
        let fits = self.condition.holds(live.is_some(), text.as_ref());
        let old = text.filter(|_| self.get).map(TextValue::detach);
        if !fits {
            return Change::Keep(Outcome::Refused(old));
        }
        let expire_at = self.deadline.after(live.map_or(NO_EXPIRY, |live| live.expire_at));
        Change::Put(value(args, index, expire_at), Outcome::Set(old))
    }
}

/// Sets `key` to the argument at `index` if the plan allows it.
fn store(ctx: &Ctx<'_>, key: Key<'_>, index: usize, plan: Plan<'_>) -> Outcome {
    let args = ctx.args;
    if let (true, Deadline::At(at)) = (plan.is_blind(), plan.deadline) {
        ctx.space.set(key, value(args, index, at));
        tell_set(ctx, key.bytes, at != NO_EXPIRY);
        return Outcome::Set(None);
    }
    let outcome = ctx.space.update(key, |live| plan.decide(live, args, index));
    if let Outcome::Set(_) = outcome {
        tell_set(ctx, key.bytes, matches!(plan.deadline, Deadline::At(at) if at != NO_EXPIRY));
    }
    outcome
}

/// The events of a key that was set, with or without a deadline.
#[inline]
fn tell_set(ctx: &Ctx<'_>, key: &[u8], expires: bool) {
    ctx.notify(Events::STRING, "set", key);
    if expires {
        ctx.notify(Events::GENERIC, "expire", key);
    }
}

pub(super) fn set(ctx: &mut Ctx<'_>) {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    ctx.space.set(ctx.key(1), value(ctx.args, 2, NO_EXPIRY));
    tell_set(ctx, ctx.arg(1), false);
    ctx.reply.ok();
}

#[inline(never)]
fn set_with_options(ctx: &mut Ctx<'_>) {
    let Some(options) = Options::parse(ctx.args.slice_from(3), Of::Set) else {
        return ctx.reply.error(error::SYNTAX);
    };
    let deadline = match options.ttl.deadline(ctx.space.now) {
        Ok(deadline) => deadline,
        Err(bad) => return bad.reply(ctx),
    };
    if !options.condition.is_well_formed() {
        return ctx.reply.error(error::BAD_DIGEST);
    }
    let plan = Plan { condition: options.condition, get: options.get, deadline };
    match store(ctx, ctx.key(1), 2, plan) {
        Outcome::WrongType => ctx.reply.error(error::WRONGTYPE),
        Outcome::Set(old) | Outcome::Refused(old) if plan.get => reply_old(ctx, old),
        Outcome::Set(_) => ctx.reply.ok(),
        Outcome::Refused(_) => ctx.reply.null(),
    }
}

fn reply_old(ctx: &mut Ctx<'_>, old: Option<TextValue<'_>>) {
    ctx.space.count_lookup(ctx.arg(1), old.is_some());
    match old {
        Some(old) => old.reply(&mut ctx.reply),
        None => ctx.reply.null(),
    }
}

pub(super) fn setnx(ctx: &mut Ctx<'_>) {
    let plan = Plan { condition: Condition::Absent, get: false, deadline: Deadline::At(NO_EXPIRY) };
    let set = matches!(store(ctx, ctx.key(1), 2, plan), Outcome::Set(_));
    ctx.reply.int(set.into());
}

pub(super) fn setex(ctx: &mut Ctx<'_>) {
    set_until(ctx, Unit::Seconds);
}

pub(super) fn psetex(ctx: &mut Ctx<'_>) {
    set_until(ctx, Unit::Milliseconds);
}

fn set_until(ctx: &mut Ctx<'_>, unit: Unit) {
    match deadline(unit, ctx.arg(2), ctx.space.now) {
        Ok(at) => {
            ctx.space.set(ctx.key(1), value(ctx.args, 3, at));
            tell_set(ctx, ctx.arg(1), true);
            ctx.reply.ok();
        }
        Err(bad) => bad.reply(ctx),
    }
}

pub(super) fn getset(ctx: &mut Ctx<'_>) {
    let plan = Plan { condition: Condition::Always, get: true, deadline: Deadline::At(NO_EXPIRY) };
    match store(ctx, ctx.key(1), 2, plan) {
        Outcome::Set(old) | Outcome::Refused(old) => reply_old(ctx, old),
        Outcome::WrongType => ctx.reply.error(error::WRONGTYPE),
    }
}

// -- several keys: the executor has closed their stripes ------------------------------------------------------------

/// Answers a key without a value with the arity's error.
fn is_paired(ctx: &mut Ctx<'_>) -> bool {
    let paired = ctx.args.len() % 2 == 1;
    if !paired {
        let text = format!("ERR wrong number of arguments for '{}' command", ctx.command.name);
        ctx.reply.error(&text);
    }
    paired
}

/// The arguments that are keys when each key from `first` to `last` is followed by its value.
fn keys_between(first: usize, last: usize) -> impl Iterator<Item = usize> {
    (first..last).step_by(2)
}

pub(super) fn mset(ctx: &mut Ctx<'_>) {
    if !is_paired(ctx) {
        return;
    }
    for i in keys_between(1, ctx.args.len()) {
        ctx.space.set(ctx.key(i), value(ctx.args, i + 1, NO_EXPIRY));
        tell_set(ctx, ctx.arg(i), false);
    }
    ctx.reply.ok();
}

pub(super) fn msetnx(ctx: &mut Ctx<'_>) {
    if !is_paired(ctx) {
        return;
    }
    if ctx.args.len() == 3 {
        // A single key is announced, not closed: looking and setting must be one step.
        return setnx(ctx);
    }
    if keys_between(1, ctx.args.len()).any(|i| ctx.space.exists(ctx.key(i))) {
        return ctx.reply.int(0);
    }
    for i in keys_between(1, ctx.args.len()) {
        ctx.space.set(ctx.key(i), value(ctx.args, i + 1, NO_EXPIRY));
        tell_set(ctx, ctx.arg(i), false);
    }
    ctx.reply.int(1);
}

pub(super) fn msetex(ctx: &mut Ctx<'_>) {
    let Some(pairs) = parse_i64(ctx.arg(1)).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0) else {
        return ctx.reply.error("ERR invalid numkeys value");
    };
    let Some(end) = pairs.checked_mul(2).and_then(|n| n.checked_add(2)).filter(|n| *n <= ctx.args.len())
    else {
        return ctx.reply.error("ERR wrong number of key-value pairs");
    };
    let Some(options) = Options::parse(ctx.args.slice_from(end), Of::MSetEx) else {
        return ctx.reply.error(error::SYNTAX);
    };
    let deadline = match options.ttl.deadline(ctx.space.now) {
        Ok(deadline) => deadline,
        Err(bad) => return bad.reply(ctx),
    };
    let fits = keys_between(2, end).all(|i| options.condition.holds(ctx.space.exists(ctx.key(i)), None));
    if fits {
        let plan = Plan { condition: Condition::Always, get: false, deadline };
        keys_between(2, end).for_each(|i| drop(store(ctx, ctx.key(i), i + 1, plan)));
    }
    ctx.reply.int(fits.into());
}
