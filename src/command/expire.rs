//! Deadlines of keys.

use super::keys::{KeyFlags, KeySpec};
use super::notify::Events;
use super::table::{Categories, Command, Flags};
use super::{Ctx, error};
use crate::keyspace::Change;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::word::{ExpireAt, NO_EXPIRY};

const K: Categories = Categories::KEYSPACE;
const READS: Flags = Flags::READONLY.union(Flags::FAST);
const WRITES: Flags = Flags::WRITE.union(Flags::FAST);
const READ: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const CHANGED: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("expire", -3, WRITES, K, CHANGED, expire).docs(
        "generic",
        "1.0.0",
        "Lets a key end after some seconds.",
        "O(1)",
        "key seconds [NX | XX | GT | LT]",
    ),
    Command::new("expireat", -3, WRITES, K, CHANGED, expireat).docs(
        "generic",
        "1.2.0",
        "Lets a key end at a Unix time in seconds.",
        "O(1)",
        "key unix-time-seconds [NX | XX | GT | LT]",
    ),
    Command::new("expiretime", 2, READS, K, READ, expiretime).docs(
        "generic",
        "7.0.0",
        "Tells the Unix time in seconds at which a key ends.",
        "O(1)",
        "key",
    ),
    Command::new("persist", 2, WRITES, K, CHANGED, persist).docs(
        "generic",
        "2.2.0",
        "Takes a key's deadline away.",
        "O(1)",
        "key",
    ),
    Command::new("pexpire", -3, WRITES, K, CHANGED, pexpire).docs(
        "generic",
        "2.6.0",
        "Lets a key end after some milliseconds.",
        "O(1)",
        "key milliseconds [NX | XX | GT | LT]",
    ),
    Command::new("pexpireat", -3, WRITES, K, CHANGED, pexpireat).docs(
        "generic",
        "2.6.0",
        "Lets a key end at a Unix time in milliseconds.",
        "O(1)",
        "key unix-time-milliseconds [NX | XX | GT | LT]",
    ),
    Command::new("pexpiretime", 2, READS, K, READ, pexpiretime).docs(
        "generic",
        "7.0.0",
        "Tells the Unix time in milliseconds at which a key ends.",
        "O(1)",
        "key",
    ),
    Command::new("pttl", 2, READS, K, READ, pttl).docs(
        "generic",
        "2.6.0",
        "Tells how many milliseconds a key has left.",
        "O(1)",
        "key",
    ),
    Command::new("ttl", 2, READS, K, READ, ttl).docs(
        "generic",
        "1.0.0",
        "Tells how many seconds a key has left.",
        "O(1)",
        "key",
    ),
];

// -- setting ----------------------------------------------------------------------------------------------------

/// The unit of a time that a client gives or is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// When a deadline may be set.
#[derive(Clone, Copy, Default)]
struct Conditions {
    /// Only if there is none.
    nx: bool,
    /// Only if there is one.
    xx: bool,
    /// Only if it moves to a later time; no deadline is the latest.
    gt: bool,
    /// Only if it moves to an earlier time.
    lt: bool,
}

fn expire(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Seconds, ctx.space.now);
}

fn pexpire(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Milliseconds, ctx.space.now);
}

fn expireat(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Seconds, 0);
}

fn pexpireat(ctx: &mut Ctx<'_>) {
    give_deadline(ctx, Unit::Milliseconds, 0);
}

/// Sets the deadline to the argument counted from `base`, in milliseconds of Unix time.
fn give_deadline(ctx: &mut Ctx<'_>, unit: Unit, base: u64) {
    let parsed = Conditions::parse(ctx).and_then(|conditions| {
        let given = parse_i64(ctx.arg(2)).ok_or(error::NOT_AN_INTEGER)?;
        Ok((conditions, absolute(given, unit, base)))
    });
    match parsed {
        Ok((conditions, Some(deadline))) => set_deadline(ctx, conditions, deadline),
        Ok((_, None)) => {
            let text = format!("ERR invalid expire time in '{}' command", ctx.command.name);
            ctx.reply.error(&text);
        }
        Err(text) => ctx.reply.error(&text),
    }
}

/// The time in milliseconds, unless that or a step on the way to it overflows.
fn absolute(given: i64, unit: Unit, base: u64) -> Option<i64> {
    let ms = match unit {
        Unit::Seconds => given.checked_mul(1000)?,
        Unit::Milliseconds => given,
    };
    ms.checked_add_unsigned(base)
}

fn set_deadline(ctx: &mut Ctx<'_>, conditions: Conditions, deadline: i64) {
    let future = u64::try_from(deadline).ok().filter(|&deadline| deadline > ctx.space.now);
    let done = match future {
        Some(deadline) => ctx.space.set_expiry(ctx.key(1), |current| {
            let allowed = conditions.allow(current, deadline);
            (allowed.then_some(deadline), allowed)
        }),
        // The past is all one: whatever the deadline, the key ends now.
        None => Some(ctx.space.update(ctx.key(1), |live| match live {
            Some(live) if conditions.allow(live.expire_at, 0) => Change::Delete(true),
            _ => Change::Keep(false),
        })),
    };
    if done == Some(true) {
        ctx.notify(Events::GENERIC, if future.is_some() { "expire" } else { "del" }, ctx.arg(1));
    }
    ctx.reply.int(i64::from(done == Some(true)));
}

impl Conditions {
    fn parse(ctx: &Ctx<'_>) -> Result<Conditions, std::borrow::Cow<'static, str>> {
        let mut conditions = Conditions::default();
        for word in ctx.args.iter().skip(3) {
            conditions.add(word)?;
        }
        if conditions.nx && (conditions.xx || conditions.gt || conditions.lt) {
            return Err("ERR NX and XX, GT or LT options at the same time are not compatible".into());
        }
        if conditions.gt && conditions.lt {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(conditions)
    }

    fn add(&mut self, word: &[u8]) -> Result<(), String> {
        let known =
            [(&b"nx"[..], &mut self.nx), (b"xx", &mut self.xx), (b"gt", &mut self.gt), (b"lt", &mut self.lt)];
        let found = known.into_iter().find(|(name, _)| eq_ignore_case(word, name));
        let (_, flag) = found.ok_or_else(|| format!("ERR Unsupported option {}", error::c_text(word)))?;
        *flag = true;
        Ok(())
    }

    /// Whether the deadline may move from `current` to `new`.
    fn allow(self, current: ExpireAt, new: ExpireAt) -> bool {
        let none = current == NO_EXPIRY;
        let refused = (self.nx && !none)
            || (self.xx && none)
            || (self.gt && (none || new <= current))
            || (self.lt && !none && new >= current);
        !refused
    }
}

fn persist(ctx: &mut Ctx<'_>) {
    let done = ctx.space.set_expiry(ctx.key(1), |current| {
        let had_one = current != NO_EXPIRY;
        (had_one.then_some(NO_EXPIRY), had_one)
    });
    if done == Some(true) {
        ctx.notify(Events::GENERIC, "persist", ctx.arg(1));
    }
    ctx.reply.int(i64::from(done == Some(true)));
}

// -- asking -----------------------------------------------------------------------------------------------------

const NO_KEY: i64 = -2;
const NO_DEADLINE: i64 = -1;

fn ttl(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Seconds, ctx.space.now);
}

fn pttl(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Milliseconds, ctx.space.now);
}

fn expiretime(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Seconds, 0);
}

fn pexpiretime(ctx: &mut Ctx<'_>) {
    tell_deadline(ctx, Unit::Milliseconds, 0);
}

/// Answers the deadline counted from `base`; seconds are rounded to the nearest.
fn tell_deadline(ctx: &mut Ctx<'_>, unit: Unit, base: u64) {
    let answer = match ctx.space.inspect(ctx.key(1)) {
        None => NO_KEY,
        Some(live) if live.expire_at == NO_EXPIRY => NO_DEADLINE,
        Some(live) => {
            let ms = live.expire_at.saturating_sub(base);
            (if unit == Unit::Seconds { (ms + 500) / 1000 } else { ms }) as i64
        }
    };
    ctx.reply.int(answer);
}
