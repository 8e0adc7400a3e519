//! Transactions: MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! | file | holds |
//! |---|---|
//! | `queue` | what a client has queued, and which commands it may queue |
//! | `exec` | EXEC |
//! | `watch` | WATCH and UNWATCH |
//!
//! After MULTI the executor asks [`admit`] about each command: it is queued, refused, or one of those that run at once.
//! EXEC's footprint is that of all queued commands and watched keys; the executor closes it once, and EXEC runs them
//! inside, as [`nested`](super::nested) commands. So either all of them run or none, whatever becomes of the client: it
//! is not looked at again until the section is over.

mod exec;
mod queue;
mod watch;

pub use queue::Multi;
pub(super) use queue::{Admission, abort, admit, effective_flags, needs_memory, queue};
pub use watch::Watching;

use super::Ctx;
use super::keys::{KeyFlags, KeySpec};
use super::table::{Categories, Command, Flags};

const T: Categories = Categories::TRANSACTION;
const ANY_TIME: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
const QUICK: Flags = ANY_TIME.union(Flags::FAST).union(Flags::ALLOW_BUSY);

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("multi", 1, QUICK, T, &[], multi).docs(
        "transactions",
        "1.2.0",
        "Begins a transaction: the commands that follow are queued.",
        "O(1)",
        "",
    ),
    Command::new("exec", 1, EXEC, T, &[], exec::exec).works_on(exec::footprint).docs(
        "transactions",
        "1.2.0",
        "Runs all commands of a transaction in one step.",
        "Depends on the commands of the transaction.",
        "",
    ),
    Command::new("discard", 1, QUICK, T, &[], discard).docs(
        "transactions",
        "2.0.0",
        "Gives a transaction up.",
        "O(N) in the number of queued commands",
        "",
    ),
    Command::new("watch", -2, QUICK.union(Flags::SECTION), T, WATCHED, watch::watch).docs(
        "transactions",
        "2.2.0",
        "Makes the next transaction depend on keys staying as they are.",
        "O(1) per key",
        "key [key ...]",
    ),
    Command::new("unwatch", 1, QUICK, T, &[], watch::unwatch).docs(
        "transactions",
        "2.2.0",
        "Forgets the watched keys.",
        "O(1) per key",
        "",
    ),
];

const WATCHED: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RO)];

/// EXEC in a section, whatever its commands do.
const EXEC: Flags = ANY_TIME.union(Flags::SKIP_SLOWLOG).union(Flags::SECTION);

fn multi(ctx: &mut Ctx<'_>) {
    if ctx.client.multi.is_some() {
        return ctx.reply.error("ERR MULTI calls can not be nested");
    }
    ctx.client.multi = Some(Box::new(Multi::begin()));
    ctx.reply.ok();
}

fn discard(ctx: &mut Ctx<'_>) {
    if ctx.client.multi.is_none() {
        return ctx.reply.error("ERR DISCARD without MULTI");
    }
    ctx.client.end_transaction(ctx.server);
    ctx.reply.ok();
}
