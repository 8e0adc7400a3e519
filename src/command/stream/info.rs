//! XINFO: what there is to know about a stream, its groups and their consumers.

use super::entries::{reply_entries, reply_entry};
use super::id::reply_id;
use super::{NO_SUCH_KEY, Refusal, integer, no_group};
use crate::command::{Ctx, container};
use crate::protocol::args::{Args, eq_ignore_case};
use crate::protocol::reply::Reply;
use crate::value::stream::{Consumer, Entry, Group, Id, Log, Stream};

/// Entries that FULL shows if it is not told otherwise.
const USUAL_COUNT: usize = 10;

pub(super) fn help(ctx: &mut Ctx<'_>) {
    let lines = [
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
    ];
    container::help(ctx, &lines);
}

/// Reads the stream of argument 2, which must be there.
fn look<R>(ctx: &mut Ctx<'_>, look: impl FnOnce(&Log, &mut Reply<'_>) -> R) -> Result<R, Refusal> {
    let (space, key, reply) = (ctx.space, ctx.key(2), &mut ctx.reply);
    let found = space.read_as::<Stream, _>(key, |log| look(log, reply))?;
    Ok(found.ok_or(NO_SUCH_KEY)?)
}

/// The name of a field of a map.
fn name(reply: &mut Reply<'_>, name: &str) {
    reply.bulk(name.as_bytes());
}

fn named_int(reply: &mut Reply<'_>, of: &str, value: i64) {
    name(reply, of);
    reply.int(value);
}

fn named_id(reply: &mut Reply<'_>, of: &str, id: Id) {
    name(reply, of);
    reply_id(reply, id);
}

/// A number that may be unknown.
fn named_known(reply: &mut Reply<'_>, of: &str, value: Option<i64>) {
    name(reply, of);
    match value {
        Some(value) => reply.int(value),
        None => reply.null(),
    }
}

// -- XINFO STREAM -----------------------------------------------------------------------------------------------

/// How many entries FULL shows; none if it was not asked for.
fn parse_full(args: Args<'_>) -> Result<Option<usize>, Refusal> {
    let wrong = || Refusal::from(container::wrong_words(args));
    let is = |at: usize, word: &[u8]| args.get(at).is_some_and(|arg| eq_ignore_case(arg, word));
    match args.len() {
        3 => Ok(None),
        4 if is(3, b"FULL") => Ok(Some(USUAL_COUNT)),
        6 if is(3, b"FULL") && is(4, b"COUNT") => Ok(Some(match integer(&args[5])? {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(USUAL_COUNT),
        })),
        _ => Err(wrong()),
    }
}

pub(super) fn stream(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let full = parse_full(ctx.args);
    look(ctx, |log, reply| {
        match full? {
            None => reply_stream(reply, log),
            Some(most) => reply_full(reply, log, most),
        }
        Ok(())
    })?
}

/// Fields about producers, which are shown once there was one or XCFGSET was called.
const PRODUCER_FIELDS: usize = 6;

/// The map's header, and the fields that both forms begin with.
fn reply_head(reply: &mut Reply<'_>, log: &Log, others: usize) {
    let producers = log.idempotence().map_or(0, |_| PRODUCER_FIELDS);
    reply.map(7 + producers + others);
    named_int(reply, "length", log.len() as i64);
    named_int(reply, "radix-tree-keys", log.block_count() as i64);
    named_int(reply, "radix-tree-nodes", log.block_count() as i64 + 1);
    named_id(reply, "last-generated-id", log.last_id());
    named_id(reply, "max-deleted-entry-id", log.max_deleted_id());
    named_int(reply, "entries-added", log.entries_added() as i64);
    named_id(reply, "recorded-first-entry-id", log.first_id());
    let Some(known) = log.idempotence() else { return };
    named_int(reply, "idmp-duration", known.seconds() as i64);
    named_int(reply, "idmp-maxsize", known.most() as i64);
    named_int(reply, "pids-tracked", known.producers() as i64);
    named_int(reply, "iids-tracked", known.messages() as i64);
    named_int(reply, "iids-added", known.added() as i64);
    named_int(reply, "iids-duplicates", known.duplicates() as i64);
}

fn reply_stream(reply: &mut Reply<'_>, log: &Log) {
    reply_head(reply, log, 3);
    named_int(reply, "groups", log.groups().len() as i64);
    let end = |reply: &mut Reply<'_>, of: &str, entry: Option<Entry<'_>>| {
        name(reply, of);
        match entry {
            Some(entry) => reply_entry(reply, &entry),
            None => reply.null(),
        }
    };
    end(reply, "first-entry", log.first());
    end(reply, "last-entry", log.last());
}

fn reply_full(reply: &mut Reply<'_>, log: &Log, most: usize) {
    reply_head(reply, log, 2);
    name(reply, "entries");
    reply_entries(reply, log.range(Id::MIN, Id::MAX), most);
    name(reply, "groups");
    reply.array(log.groups().len());
    for (of, group) in log.groups() {
        reply_full_group(reply, log, of, group, most);
    }
}

fn reply_full_group(reply: &mut Reply<'_>, log: &Log, of: &[u8], group: &Group, most: usize) {
    // What XNACK gave back is shown when there is something.
    let released = group.released_count();
    reply.map(7 + usize::from(released > 0));
    name(reply, "name");
    reply.bulk(of);
    named_id(reply, "last-delivered-id", group.last_id);
    named_known(reply, "entries-read", group.entries_read);
    named_known(reply, "lag", log.entries().lag(group));
    named_int(reply, "pel-count", group.pending_count() as i64);
    if released > 0 {
        named_int(reply, "nacked-count", released as i64);
    }
    name(reply, "pending");
    reply.array(group.pending_count().min(most));
    for (id, pending) in group.pending(..).take(most) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.owner_name(pending));
        reply.int(pending.delivered_at() as i64);
        reply.int(pending.deliveries as i64);
    }
    name(reply, "consumers");
    reply.array(group.consumer_count());
    group.consumers().for_each(|consumer| reply_full_consumer(reply, group, consumer, most));
}

fn reply_full_consumer(reply: &mut Reply<'_>, group: &Group, consumer: &Consumer, most: usize) {
    reply.map(5);
    name(reply, "name");
    reply.bulk(consumer.name());
    named_int(reply, "seen-time", consumer.seen as i64);
    named_int(reply, "active-time", consumer.active.map_or(-1, |at| at as i64));
    named_int(reply, "pel-count", consumer.pending_count() as i64);
    name(reply, "pending");
    reply.array(consumer.pending_count().min(most));
    for id in consumer.pending(..).take(most) {
        let pending = group.pending_of(id);
        reply.array(3);
        reply_id(reply, id);
        reply.int(pending.map_or(0, |pending| pending.delivered_at() as i64));
        reply.int(pending.map_or(0, |pending| pending.deliveries as i64));
    }
}

// -- XINFO GROUPS and XINFO CONSUMERS ---------------------------------------------------------------------------

pub(super) fn groups(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    look(ctx, |log, reply| {
        reply.array(log.groups().len());
        for (of, group) in log.groups() {
            reply.map(6);
            name(reply, "name");
            reply.bulk(of);
            named_int(reply, "consumers", group.consumer_count() as i64);
            named_int(reply, "pending", group.pending_count() as i64);
            named_id(reply, "last-delivered-id", group.last_id);
            named_known(reply, "entries-read", group.entries_read);
            named_known(reply, "lag", log.entries().lag(group));
        }
    })
}

pub(super) fn consumers(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (of, now) = (ctx.arg(3), ctx.space.now);
    let found = look(ctx, |log, reply| {
        let group = log.group(of)?;
        reply.array(group.consumer_count());
        group.consumers().for_each(|consumer| reply_consumer(reply, consumer, now));
        Some(())
    })?;
    found.ok_or_else(|| no_group(of, ctx.arg(2)))
}

fn reply_consumer(reply: &mut Reply<'_>, consumer: &Consumer, now: u64) {
    reply.map(4);
    name(reply, "name");
    reply.bulk(consumer.name());
    named_int(reply, "pending", consumer.pending_count() as i64);
    named_int(reply, "idle", now.saturating_sub(consumer.seen) as i64);
    named_int(reply, "inactive", consumer.active.map_or(-1, |at| now.saturating_sub(at) as i64));
}
