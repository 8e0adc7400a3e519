//! OBJECT: how a value is held.

use super::kind;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::state::Server;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container};
use crate::keyspace::Live;
use crate::keyspace::evict::usage::{self, Tracking};
use crate::keyspace::evict::{Order, Policy};
use crate::value::word::View;

const K: Categories = Categories::KEYSPACE;
const KEY: &[KeySpec] = &[KeySpec::one(2, KeyFlags::RO)];

/// Redis shares the integers below this among all keys that hold them.
const SHARED_INTEGERS: i64 = 10_000;
/// What Redis answers as the number of references of a shared value.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

const NO_FREQUENCY: &str = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
    that when switching between policies at runtime LRU and LFU data will take some time to adjust.";

const NO_IDLE_TIME: &str = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
    switching between policies at runtime LRU and LFU data will take some time to adjust.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new("object|encoding", 3, Flags::READONLY, K, KEY, encoding).docs(
        "generic",
        "2.2.3",
        "Names the representation of a value.",
        "O(1)",
        "key",
    ),
    Command::new("object|freq", 3, Flags::READONLY, K, KEY, freq).docs(
        "generic",
        "4.0.0",
        "Tells how often a key is used, on a logarithmic scale.",
        "O(1)",
        "key",
    ),
    Command::new("object|help", 2, Flags::LOADING.union(Flags::STALE), K, &[], help).docs(
        "generic",
        "6.2.0",
        "Explains the subcommands.",
        "O(1)",
        "",
    ),
    Command::new("object|idletime", 3, Flags::READONLY, K, KEY, idletime).docs(
        "generic",
        "2.2.3",
        "Tells how many seconds ago a key was used.",
        "O(1)",
        "key",
    ),
    Command::new("object|refcount", 3, Flags::READONLY, K, KEY, refcount).docs(
        "generic",
        "2.2.3",
        "Tells how many references there are to a value.",
        "O(1)",
        "key",
    ),
];

/// Answers about the key, if it is there, otherwise with null.
fn about(ctx: &mut Ctx<'_>, answer: impl FnOnce(&mut Ctx<'_>, Live<'_>)) {
    match ctx.space.inspect_silently(ctx.key(2)) {
        Some(live) => answer(ctx, live),
        None => ctx.reply.null(),
    }
}

fn encoding(ctx: &mut Ctx<'_>) {
    about(ctx, |ctx, live| ctx.reply.bulk(kind::encoding(live.view()).as_bytes()));
}

/// The access clock tells how often a key is used, or when it was: the policy says which.
fn freq(ctx: &mut Ctx<'_>) {
    let (counts, now) = (ctx.space.tracking == Tracking::Frequency, ctx.space.now);
    about(ctx, |ctx, live| match counts {
        true => {
            let counter = ctx.space.keyspace.usage.decayed(live.entry().clock(), now);
            ctx.reply.int(usage::steps(counter).into());
        }
        false => ctx.reply.error(NO_FREQUENCY),
    });
}

fn idletime(ctx: &mut Ctx<'_>) {
    let (counts, now) = (ctx.space.tracking == Tracking::Frequency, ctx.space.now);
    about(ctx, |ctx, live| match counts {
        true => ctx.reply.error(NO_IDLE_TIME),
        false => ctx.reply.int(usage::seconds_since(live.entry().clock(), now) as i64),
    });
}

fn refcount(ctx: &mut Ctx<'_>) {
    about(ctx, |ctx, live| ctx.reply.int(references(ctx.server, live.view())));
}

/// How many references to a value Redis would count. It shares no integers while a policy wants to know of each key when
/// or how often it is used.
pub(in crate::command) fn references(server: &Server, view: View<'_>) -> i64 {
    let live = server.config.live();
    let shares = live.maxmemory() == 0 || !watches_use(live.maxmemory_policy());
    if shares && matches!(view, View::Int(0..SHARED_INTEGERS)) { SHARED_REFERENCES } else { 1 }
}

fn watches_use(policy: u64) -> bool {
    Policy::numbered(policy).is_some_and(|policy| matches!(policy.order, Order::Idle | Order::Rare))
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "ENCODING <key>",
            "    Return the name of the representation that holds the value of <key>.",
            "FREQ <key>",
            "    Return how often <key> was used lately, as the logarithm that LFU eviction",
            "    goes by.",
            "IDLETIME <key>",
            "    Return the seconds since <key> was last read or written.",
            "REFCOUNT <key>",
            "    Return how many references there are to the value of <key>.",
        ],
    );
}
