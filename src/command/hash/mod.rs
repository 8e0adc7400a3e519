//! Hashes.
//!
//! | file | holds |
//! |---|---|
//! | `read` | reading fields |
//! | `write` | setting and deleting them, and fields as numbers |
//! | `walk` | HRANDFIELD and HSCAN |
//! | `expire` | deadlines of fields: setting and asking |
//! | `timed` | values together with deadlines: HGETEX, HSETEX, and HGETDEL |
//! | `arguments` | what the last two read of their arguments |

mod arguments;
mod expire;
mod read;
mod timed;
mod walk;
mod write;

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::notify::Events;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::value::hash::{Hash, HashRef, Limits};
use crate::value::packed::Item;

const H: Categories = Categories::HASH;
const GROUP: &str = "hash";

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.union(Flags::FAST);
const TAKE: Flags = Flags::WRITE.union(Flags::FAST);
const WRITE: Flags = TAKE.union(Flags::DENYOOM);

const LOOKS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO)];
const READS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const UPDATES: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];
const INSERTS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))];
const DELETES: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))];
const TAKES: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))];
const COUNTS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))];

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("hset", -4, WRITE, H, UPDATES, write::hset).looks_up(2, 2).docs(
        GROUP,
        "2.0.0",
        "Sets fields of a hash.",
        "O(1) for each field.",
        "key field value [field value ...]",
    ),
    Command::new("hmset", -4, WRITE, H, UPDATES, write::hmset).looks_up(2, 2).docs(
        GROUP,
        "2.0.0",
        "Sets fields of a hash and answers OK.",
        "O(1) for each field.",
        "key field value [field value ...]",
    ),
    Command::new("hsetnx", 4, WRITE, H, INSERTS, write::hsetnx).looks_up(2, 0).docs(
        GROUP,
        "2.0.0",
        "Sets a field of a hash if it does not exist.",
        "O(1)",
        "key field value",
    ),
    Command::new("hget", 3, READ_FAST, H, READS, read::hget).looks_up(2, 0).docs(
        GROUP,
        "2.0.0",
        "Returns the value of a field.",
        "O(1)",
        "key field",
    ),
    Command::new("hmget", -3, READ_FAST, H, READS, read::hmget).looks_up(2, 1).docs(
        GROUP,
        "2.0.0",
        "Returns the values of fields.",
        "O(1) for each field.",
        "key field [field ...]",
    ),
    Command::new("hgetall", 2, READ, H, READS, read::hgetall).docs(
        GROUP,
        "2.0.0",
        "Returns all fields of a hash with their values.",
        "O(N) for N fields.",
        "key",
    ),
    Command::new("hdel", -3, TAKE, H, DELETES, write::hdel).looks_up(2, 1).docs(
        GROUP,
        "2.0.0",
        "Deletes fields, and with the last one the hash.",
        "O(1) for each field.",
        "key field [field ...]",
    ),
    Command::new("hlen", 2, READ_FAST, H, LOOKS, read::hlen).docs(
        GROUP,
        "2.0.0",
        "Tells how many fields a hash has.",
        "O(1)",
        "key",
    ),
    Command::new("hstrlen", 3, READ_FAST, H, LOOKS, read::hstrlen).looks_up(2, 0).docs(
        GROUP,
        "3.2.0",
        "Tells how long the value of a field is.",
        "O(1)",
        "key field",
    ),
    Command::new("hexists", 3, READ_FAST, H, LOOKS, read::hexists).looks_up(2, 0).docs(
        GROUP,
        "2.0.0",
        "Tells whether a field exists.",
        "O(1)",
        "key field",
    ),
    Command::new("hkeys", 2, READ, H, READS, read::hkeys).docs(
        GROUP,
        "2.0.0",
        "Returns the names of all fields.",
        "O(N) for N fields.",
        "key",
    ),
    Command::new("hvals", 2, READ, H, READS, read::hvals).docs(
        GROUP,
        "2.0.0",
        "Returns the values of all fields.",
        "O(N) for N fields.",
        "key",
    ),
    Command::new("hincrby", 4, WRITE, H, COUNTS, write::hincrby).looks_up(2, 0).docs(
        GROUP,
        "2.0.0",
        "Adds an integer to the one that a field holds, or to zero.",
        "O(1)",
        "key field increment",
    ),
    Command::new("hincrbyfloat", 4, WRITE, H, COUNTS, write::hincrbyfloat).looks_up(2, 0).docs(
        GROUP,
        "2.6.0",
        "Adds a number to the one that a field holds, or to zero.",
        "O(1)",
        "key field increment",
    ),
    Command::new("hrandfield", -2, READ, H, READS, walk::hrandfield).docs(
        GROUP,
        "6.2.0",
        "Returns fields chosen at random.",
        "O(N) for N fields returned.",
        "key [count [WITHVALUES]]",
    ),
    Command::new("hscan", -3, READ, H, READS, walk::hscan).docs(
        GROUP,
        "2.8.0",
        "Walks over the fields of a hash in steps.",
        "O(1) for every call, O(N) for a whole walk over N fields.",
        "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    ),
    Command::new("hexpire", -6, TAKE, H, UPDATES, expire::hexpire).docs(
        GROUP,
        "7.4.0",
        "Lets fields end after some seconds.",
        "O(1) for each field.",
        "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ),
    Command::new("hpexpire", -6, TAKE, H, UPDATES, expire::hpexpire).docs(
        GROUP,
        "7.4.0",
        "Lets fields end after some milliseconds.",
        "O(1) for each field.",
        "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ),
    Command::new("hexpireat", -6, TAKE, H, UPDATES, expire::hexpireat).docs(
        GROUP,
        "7.4.0",
        "Lets fields end at a Unix time in seconds.",
        "O(1) for each field.",
        "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ),
    Command::new("hpexpireat", -6, TAKE, H, UPDATES, expire::hpexpireat).docs(
        GROUP,
        "7.4.0",
        "Lets fields end at a Unix time in milliseconds.",
        "O(1) for each field.",
        "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ),
    Command::new("httl", -5, READ_FAST, H, READS, expire::httl).docs(
        GROUP,
        "7.4.0",
        "Tells how many seconds fields have left.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hpttl", -5, READ_FAST, H, READS, expire::hpttl).docs(
        GROUP,
        "7.4.0",
        "Tells how many milliseconds fields have left.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hexpiretime", -5, READ_FAST, H, READS, expire::hexpiretime).docs(
        GROUP,
        "7.4.0",
        "Tells the Unix times in seconds at which fields end.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hpexpiretime", -5, READ_FAST, H, READS, expire::hpexpiretime).docs(
        GROUP,
        "7.4.0",
        "Tells the Unix times in milliseconds at which fields end.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hpersist", -5, TAKE, H, UPDATES, expire::hpersist).docs(
        GROUP,
        "7.4.0",
        "Takes the deadlines of fields away.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hgetdel", -5, TAKE, H, TAKES, timed::hgetdel).docs(
        GROUP,
        "8.0.0",
        "Returns the values of fields and deletes them.",
        "O(1) for each field.",
        "key FIELDS numfields field [field ...]",
    ),
    Command::new("hgetex", -5, TAKE, H, COUNTS, timed::hgetex).docs(
        GROUP,
        "8.0.0",
        "Returns the values of fields and gives them another deadline.",
        "O(1) for each field.",
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds \
             | PERSIST] FIELDS numfields field [field ...]",
    ),
    Command::new("hsetex", -6, WRITE, H, UPDATES, timed::hsetex).docs(
        GROUP,
        "8.0.0",
        "Sets fields with a deadline, unless a condition says otherwise.",
        "O(1) for each field.",
        "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT \
             unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    ),
];

/// Expired fields that a write takes out along the way.
const EXPIRED_PER_WRITE: usize = 16;

/// Up to where hashes are packed.
fn limits(ctx: &Ctx<'_>) -> Limits {
    let live = ctx.server.config.live();
    Limits { entries: live.hash_max_listpack_entries(), value: live.hash_max_listpack_value() }
}

/// Replies a name or value.
fn bulk(ctx: &mut Ctx<'_>, item: Item<'_>) {
    match item {
        Item::Text(text) => ctx.reply.bulk(text),
        Item::Int(int) => ctx.reply.bulk_int(int),
    }
}

/// Lets `show` reply from the hash at the first argument, none if the key is absent.
#[inline]
fn look(ctx: &mut Ctx<'_>, show: impl Fn(&mut Ctx<'_>, Option<HashRef<'_>>)) {
    let (space, key) = (ctx.space, ctx.key(1));
    match space.read_as::<Hash, ()>(key, |hash| show(ctx, Some(hash))) {
        Ok(Some(())) => {}
        Ok(None) => show(ctx, None),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

/// Changes the hash at the first argument in one step; nothing if it is absent and to be skipped. Afterwards
/// subscribers are told `events` of the answer, if the closure changed something.
#[inline]
fn change<R>(
    ctx: &Ctx<'_>,
    absent: Absent,
    events: impl Fn(&R) -> &'static [&'static str],
    mut change: impl FnMut(&mut Hash) -> Edit<R>,
) -> Result<Option<R>, WrongType> {
    let (space, key, now) = (ctx.space, ctx.key(1), ctx.space.now);
    let edited = space.edit(key, absent, |hash: &mut Hash| {
        let before = hash.next_deadline();
        let expired = hash.expire_fields(now, EXPIRED_PER_WRITE);
        let (answer, changed) = match change(hash) {
            Edit::Changed(answer) => (answer, true),
            Edit::Unchanged(answer) => (answer, false),
        };
        let next = hash.next_deadline().filter(|next| before.is_none_or(|before| *next < before));
        let outcome = (answer, changed, expired, next);
        if changed || expired > 0 { Edit::Changed(outcome) } else { Edit::Unchanged(outcome) }
    })?;
    let Some(edited) = edited else { return Ok(None) };
    let (answer, changed, expired, next) = edited.answer;
    if let Some(next) = next {
        space.keyspace.due_fields.note(space.db, key.bytes, next);
    }
    if expired > 0 {
        space.keyspace.due_fields.count_expired(expired);
        ctx.notify(Events::HASH, "hexpired", key.bytes);
    }
    if changed {
        events(&answer).iter().for_each(|event| ctx.notify(Events::HASH, event, key.bytes));
    }
    if edited.ended {
        ctx.notify(Events::GENERIC, "del", key.bytes);
    }
    Ok(Some(answer))
}
