//! Keys of any type.

mod databases;
pub(in crate::command) mod kind;
mod memory;
pub(in crate::command) mod object;
mod transfer;
pub(in crate::command) mod walk;

pub(super) use transfer::duplicate_view;

use crate::command::Ctx;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::notify::Events;
use crate::command::table::{Categories, Command, Flags};

const K: Categories = Categories::KEYSPACE;
const KD: Categories = Categories::KEYSPACE.union(Categories::DANGEROUS);
const READS: Flags = Flags::READONLY;
const READS_FAST: Flags = Flags::READONLY.union(Flags::FAST);
const WRITES: Flags = Flags::WRITE;
const WRITES_FAST: Flags = Flags::WRITE.union(Flags::FAST);

const REMOVED: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))];
const LOOKED_UP: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RO)];
const RENAMED: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE));
const MOVED: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE));
const COPIED: KeySpec = KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS));
const OVERWRITTEN: KeySpec = KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE));
const CREATED: KeySpec = KeySpec::one(2, KeyFlags::OW.union(KeyFlags::INSERT));

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("copy", -3, WRITES.union(Flags::DENYOOM), K, &[COPIED, OVERWRITTEN], transfer::copy).docs(
        "generic",
        "6.2.0",
        "Gives another key the value and the deadline of a key.",
        "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        "source destination [DB destination-db] [REPLACE]",
    ),
    Command::new("dbsize", 1, READS_FAST.union(Flags::STABLE), K, &[], databases::dbsize).docs(
        "server",
        "1.0.0",
        "Counts the keys of the database.",
        "O(1)",
        "",
    ),
    Command::new("del", -2, WRITES, K, REMOVED, del).docs(
        "generic",
        "1.0.0",
        "Deletes keys and tells how many there were.",
        "O(N) where N is the number of keys; large values are freed in the background.",
        "key [key ...]",
    ),
    Command::new("exists", -2, READS_FAST, K, LOOKED_UP, exists).docs(
        "generic",
        "1.0.0",
        "Counts how many of the given keys exist, repetitions included.",
        "O(N) where N is the number of keys to check.",
        "key [key ...]",
    ),
    Command::new("flushall", -1, WRITES.union(Flags::CLOSES_ALL), KD, &[], databases::flushall).docs(
        "server",
        "1.0.0",
        "Removes every key of every database.",
        "O(D) where D is the number of databases; the keys are freed in the background.",
        "[ASYNC | SYNC]",
    ),
    Command::new("flushdb", -1, WRITES.union(Flags::CLOSES_ALL), KD, &[], databases::flushdb).docs(
        "server",
        "1.0.0",
        "Removes every key of the selected database.",
        "O(1); the keys are freed in the background.",
        "[ASYNC | SYNC]",
    ),
    Command::new("keys", 2, READS.union(Flags::STABLE), KD, &[], walk::keys).docs(
        "generic",
        "1.0.0",
        "Lists the keys that match a pattern.",
        "O(N) where N is the number of keys in the database, O(1) for a pattern without wildcards.",
        "pattern",
    ),
    Command::container("memory", memory::COMMANDS).docs(
        "server",
        "4.0.0",
        "Contains the commands about memory.",
        "Depends on subcommand.",
        "",
    ),
    Command::new("move", 3, WRITES_FAST.union(Flags::EXCLUSIVE), K, &[MOVED], transfer::move_to).docs(
        "generic",
        "1.0.0",
        "Moves a key to another database.",
        "O(1)",
        "key db",
    ),
    Command::container("object", object::COMMANDS).docs(
        "generic",
        "2.2.3",
        "Contains the commands that look at how a value is held.",
        "Depends on subcommand.",
        "",
    ),
    Command::new("randomkey", 1, READS, K, &[], walk::randomkey).docs(
        "generic",
        "1.0.0",
        "Names a key at random.",
        "O(1)",
        "",
    ),
    Command::new("rename", 3, WRITES, K, &[RENAMED, OVERWRITTEN], transfer::rename).docs(
        "generic",
        "1.0.0",
        "Gives a key another name, whatever had that name before.",
        "O(1)",
        "key newkey",
    ),
    Command::new("renamenx", 3, WRITES_FAST, K, &[RENAMED, CREATED], transfer::renamenx).docs(
        "generic",
        "1.0.0",
        "Gives a key another name unless that is taken.",
        "O(1)",
        "key newkey",
    ),
    Command::new("scan", -2, READS, K, &[], walk::scan).docs(
        "generic",
        "2.8.0",
        "Walks through the keys of the database in steps.",
        "O(1) for every call, O(N) for a whole walk, where N is the number of keys in the database.",
        "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    ),
    Command::new("swapdb", 3, WRITES_FAST.union(Flags::CLOSES_ALL), KD, &[], databases::swapdb).docs(
        "server",
        "4.0.0",
        "Exchanges two databases.",
        "O(1), because clients that have selected one of them see the other from then on.",
        "index1 index2",
    ),
    Command::new("touch", -2, READS_FAST, K, LOOKED_UP, touch).docs(
        "generic",
        "3.2.1",
        "Counts how many of the given keys exist and marks them as used now.",
        "O(N) where N is the number of keys that will be touched.",
        "key [key ...]",
    ),
    Command::new("type", 2, READS_FAST, K, &[KeySpec::one(1, KeyFlags::RO)], type_of).docs(
        "generic",
        "1.0.0",
        "Names the type of a key's value.",
        "O(1)",
        "key",
    ),
    Command::new("unlink", -2, WRITES_FAST, K, REMOVED, del).docs(
        "generic",
        "4.0.0",
        "Deletes keys and frees their values in the background.",
        "O(1) for each key, whatever its value's size.",
        "key [key ...]",
    ),
];

/// DEL and UNLINK: here both leave large values to the background thread.
fn del(ctx: &mut Ctx<'_>) {
    let mut gone = 0;
    for i in 1..ctx.args.len() {
        if ctx.space.delete(ctx.key(i)) {
            ctx.notify(Events::GENERIC, "del", ctx.arg(i));
            gone += 1;
        }
    }
    ctx.reply.int(gone);
}

fn exists(ctx: &mut Ctx<'_>) {
    let there = (1..ctx.args.len()).filter(|&i| ctx.space.inspect(ctx.key(i)).is_some()).count();
    ctx.reply.int(there as i64);
}

fn touch(ctx: &mut Ctx<'_>) {
    let there = (1..ctx.args.len()).filter(|&i| ctx.space.read(ctx.key(i)).is_some()).count();
    ctx.reply.int(there as i64);
}

fn type_of(ctx: &mut Ctx<'_>) {
    let live = ctx.space.inspect(ctx.key(1));
    ctx.reply.simple(live.map_or("none", |live| kind::type_name(live.view())));
}
