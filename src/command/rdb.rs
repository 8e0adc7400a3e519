//! DUMP, RESTORE, and DEBUG RELOAD: values as Redis serializes them.

use super::keys::{KeyFlags, KeySpec};
use super::notify::Events;
use super::table::{Categories, Command, Flags};
use super::{Ctx, error};
use crate::keyspace::Space;
use crate::keyspace::entry::Entry;
use crate::keyspace::evict::usage::{self, Tracking};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::rdb::{self, Limits, Refused, Value};
use crate::value::collection::Any;
use crate::value::word::{ExpireAt, NO_EXPIRY};
use crate::value::{hash, list, set, stream, zset};

const READ: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const WRITTEN: &[KeySpec] = &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))];
const RESTORES: Flags = Flags::WRITE.union(Flags::DENYOOM).union(Flags::EXCLUSIVE);
const K: Categories = Categories::KEYSPACE;

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("dump", 2, Flags::READONLY, K, READ, dump).docs(
        "generic",
        "2.6.0",
        "Serializes the value of a key.",
        "O(1) to find the key and O(N*M) to serialize the value, where N is the number of its elements and M their \
         average size.",
        "key",
    ),
    Command::new("restore", -4, RESTORES, K.union(Categories::DANGEROUS), WRITTEN, restore).docs(
        "generic",
        "2.6.0",
        "Creates a key from a serialized value.",
        "O(1) to create the key and O(N*M) to build the value, where N is the number of its elements and M their \
         average size; O(N*M*log(N)) for sorted sets.",
        "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    ),
];

const BUSY_KEY: &str = "BUSYKEY Target key name already exists.";
const BAD_TTL: &str = "ERR Invalid TTL value, must be >= 0";
const BAD_IDLE_TIME: &str = "ERR Invalid IDLETIME value, must be >= 0";
const BAD_FREQUENCY: &str = "ERR Invalid FREQ value, must be >= 0 and <= 255";
const BAD_FOOTER: &str = "ERR DUMP payload version or checksum are wrong";
const BAD_VALUE: &str = "ERR Bad data format";
const NO_FORM: &str = "ERR the value has no serialized form";
const NOT_LOADED: &str = "ERR Error trying to load the RDB dump, check server logs.";

/// The configuration's thresholds.
fn limits(ctx: &Ctx<'_>) -> Limits {
    let live = ctx.server.config.live();
    Limits {
        list: list::Limits::new(live.list_max_listpack_size(), live.list_compress_depth()),
        hash: hash::Limits {
            entries: live.hash_max_listpack_entries(),
            value: live.hash_max_listpack_value(),
        },
        set: set::Limits {
            ints: live.set_max_intset_entries(),
            entries: live.set_max_listpack_entries(),
            value: live.set_max_listpack_value(),
        },
        zset: zset::Limits {
            entries: live.zset_max_listpack_entries(),
            value: live.zset_max_listpack_value(),
        },
        stream: stream::Limits {
            bytes: live.stream_node_max_bytes(),
            entries: live.stream_node_max_entries(),
        },
    }
}

fn compresses(ctx: &Ctx<'_>) -> bool {
    ctx.server.config.number("rdbcompression") != 0
}

// -- DUMP -------------------------------------------------------------------------------------------------------

fn dump(ctx: &mut Ctx<'_>) {
    let Some(live) = ctx.space.read(ctx.key(1)) else { return ctx.reply.null() };
    match rdb::dump(live.view(), compresses(ctx)) {
        Some(payload) => ctx.reply.bulk(&payload),
        None => ctx.reply.error(NO_FORM),
    }
}

// -- RESTORE ----------------------------------------------------------------------------------------------------

/// What RESTORE's options say.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    /// Seconds since the key was used.
    idle: Option<i64>,
    /// How often it was, on the logarithmic scale.
    frequency: Option<u8>,
}

impl Options {
    fn parse(ctx: &Ctx<'_>) -> Result<Options, &'static str> {
        let mut options = Options::default();
        let mut at = 4;
        while let Some(word) = ctx.args.get(at) {
            let operand = ctx.args.get(at + 1);
            if eq_ignore_case(word, b"replace") {
                options.replace = true;
            } else if eq_ignore_case(word, b"absttl") {
                options.absolute = true;
            } else if let (true, Some(text), None) =
                (eq_ignore_case(word, b"idletime"), operand, options.frequency)
            {
                options.idle = Some(within(text, i64::MAX, BAD_IDLE_TIME)?);
                at += 1;
            } else if let (true, Some(text), None) = (eq_ignore_case(word, b"freq"), operand, options.idle) {
                options.frequency = Some(within(text, 255, BAD_FREQUENCY)? as u8);
                at += 1;
            } else {
                return Err(error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }
}

/// A number from 0 to `most`, or the error.
fn within(text: &[u8], most: i64, otherwise: &'static str) -> Result<i64, &'static str> {
    let number = parse_i64(text).ok_or(error::NOT_AN_INTEGER)?;
    if (0..=most).contains(&number) { Ok(number) } else { Err(otherwise) }
}

fn restore(ctx: &mut Ctx<'_>) {
    match restored(ctx) {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(text),
    }
}

fn restored(ctx: &Ctx<'_>) -> Result<(), &'static str> {
    let options = Options::parse(ctx)?;
    if !options.replace && ctx.space.exists(ctx.key(1)) {
        return Err(BUSY_KEY);
    }
    let ttl = within(ctx.arg(2), i64::MAX, BAD_TTL)?.cast_unsigned();
    let value = rdb::restore(ctx.arg(3), &limits(ctx)).map_err(|refused| match refused {
        Refused::Footer => BAD_FOOTER,
        Refused::Value => BAD_VALUE,
    })?;
    let expire_at = match ttl {
        0 => NO_EXPIRY,
        ttl if options.absolute => ttl,
        ttl => ttl.saturating_add(ctx.space.now).min(i64::MAX as u64),
    };
    if expire_at != NO_EXPIRY && expire_at <= ctx.space.now {
        if ctx.space.delete(ctx.key(1)) {
            ctx.notify(Events::GENERIC, "del", ctx.arg(1));
        }
        return Ok(());
    }
    place(ctx.space, ctx.arg(1), value, expire_at);
    set_clock(ctx.space, ctx.arg(1), &options);
    ctx.notify(Events::GENERIC, "restore", ctx.arg(1));
    Ok(())
}

/// Puts a value in the key's place, and notes when fields of it end.
fn place(space: &Space<'_>, name: &[u8], value: Value, expire_at: ExpireAt) {
    let next = match &value {
        Value::Collection(Any::Hash(hash)) => hash.next_deadline(),
        _ => None,
    };
    space.set(space.key(name), value.into_word(expire_at));
    if let Some(next) = next {
        space.keyspace.due_fields.note(space.db, name, next);
    }
}

/// Sets the access clock to what the options say, as far as it keeps that, or to that of a new key.
fn set_clock(space: &Space<'_>, name: &[u8], options: &Options) {
    let counts = space.tracking == Tracking::Frequency;
    let clock = match (options.idle, options.frequency) {
        (Some(idle), _) if !counts => usage::used_ago(idle.unsigned_abs(), space.now),
        (_, Some(frequency)) if counts => usage::used_often(frequency, space.now),
        _ => usage::first(space.tracking, space.now),
    };
    if let Some(live) = space.peek(space.key(name)) {
        live.entry().touch(clock);
    }
}

// -- DEBUG RELOAD -----------------------------------------------------------------------------------------------

/// Serializes every value and puts what is read from that in its place, with the same deadline. It runs with everything
/// closed. A value that has no serialized form stays.
pub(in crate::command) fn reload(ctx: &mut Ctx<'_>) {
    let (limits, compress) = (limits(ctx), compresses(ctx));
    let databases = 0..ctx.space.keyspace.databases();
    let done = databases.into_iter().all(|db| reload_database(&ctx.space.other(db), &limits, compress));
    if done { ctx.reply.ok() } else { ctx.reply.error(NOT_LOADED) }
}

fn reload_database(space: &Space<'_>, limits: &Limits, compress: bool) -> bool {
    let (mut cursor, mut entries) = (0, Vec::new());
    loop {
        cursor = space.table().scan(cursor, space.guard(), |entry| entries.push(entry));
        if !entries.drain(..).all(|entry| reload_entry(space, entry, limits, compress)) {
            return false;
        }
        if cursor == 0 {
            return true;
        }
    }
}

/// Whether what was written could be read.
fn reload_entry(space: &Space<'_>, entry: &Entry, limits: &Limits, compress: bool) -> bool {
    let Some(live) = space.passing(entry) else { return true };
    let Some(payload) = rdb::dump(live.view(), compress) else { return true };
    match rdb::restore(&payload, limits) {
        Ok(value) => place(space, entry.key(), value, live.expire_at),
        Err(refused) => {
            crate::log_warning!("DEBUG RELOAD: {refused:?} of {}", entry.key().escape_ascii());
            return false;
        }
    }
    true
}
