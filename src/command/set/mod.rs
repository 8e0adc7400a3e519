//! Sets.
//!
//! | file | holds |
//! |---|---|
//! | `single` | adding, removing, moving and finding members, all members |
//! | `random` | SPOP and SRANDMEMBER |
//! | `algebra` | intersections, unions and differences, of which |
//! | `several` | answers, stores or counts the result |
//! | `scan` | SSCAN |

mod algebra;
mod random;
mod scan;
mod several;
mod single;

use super::Ctx;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};
use crate::protocol::reply::Reply;
use crate::value::packed::Item;
use crate::value::set::Limits;

const S: Categories = Categories::SET;
const GROUP: &str = "set";

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const COUNTED: Flags = READ.union(Flags::MOVABLEKEYS);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const ADDS: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);
const REMOVES: KeyFlags = KeyFlags::RW.union(KeyFlags::DELETE);
const TAKES: KeyFlags = REMOVES.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
const OVERWRITES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);

const SOURCES: &[KeySpec] = &[KeySpec::range(1, -1, 1, READS)];
const STORED_SOURCES: KeySpec = KeySpec::range(2, -1, 1, READS);
const COUNTED_SOURCES: &[KeySpec] = &[KeySpec::counted(1, 1, READS)];

const INTERSECTS: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";
const UNITES: &str = "O(N) where N is the total number of elements in all given sets.";

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("sadd", -3, WRITE_FAST, S, &[KeySpec::one(1, ADDS)], single::sadd).looks_up(2, 1).docs(
        GROUP,
        "1.0.0",
        "Adds members to a set, which it creates if the key is absent.",
        "O(1) for each member.",
        "key member [member ...]",
    ),
    Command::new("srem", -3, TAKE_FAST, S, &[KeySpec::one(1, REMOVES)], single::srem).looks_up(2, 1).docs(
        GROUP,
        "1.0.0",
        "Removes members from a set; a set without members ends with its key.",
        "O(1) for each member.",
        "key member [member ...]",
    ),
    Command::new("smove", 4, TAKE_FAST, S, &[KeySpec::one(1, TAKES), KeySpec::one(2, ADDS)], single::smove)
        .docs(GROUP, "1.0.0", "Moves a member from one set to another.", "O(1)", "source destination member"),
    Command::new("sismember", 3, READ_FAST, S, &[KeySpec::one(1, KeyFlags::RO)], single::sismember)
        .looks_up(2, 0)
        .docs(GROUP, "1.0.0", "Tells whether a set has a member.", "O(1)", "key member"),
    Command::new("smismember", -3, READ_FAST, S, &[KeySpec::one(1, READS)], single::smismember)
        .looks_up(2, 1)
        .docs(
            GROUP,
            "6.2.0",
            "Tells of each of several members whether a set has it.",
            "O(1) for each member.",
            "key member [member ...]",
        ),
    Command::new("scard", 2, READ_FAST, S, &[KeySpec::one(1, KeyFlags::RO)], single::scard).docs(
        GROUP,
        "1.0.0",
        "Counts the members of a set.",
        "O(1)",
        "key",
    ),
    Command::new("smembers", 2, READ, S, &[KeySpec::one(1, READS)], single::smembers).docs(
        GROUP,
        "1.0.0",
        "Returns all members of a set.",
        "O(N) where N is the number of members.",
        "key",
    ),
    Command::new("spop", -2, TAKE_FAST, S, &[KeySpec::one(1, TAKES)], random::spop).docs(
        GROUP,
        "1.0.0",
        "Takes members chosen at random out of a set and returns them.",
        "O(1) without a count, otherwise O(N) where N is the count.",
        "key [count]",
    ),
    Command::new("srandmember", -2, READ, S, &[KeySpec::one(1, READS)], random::srandmember).docs(
        GROUP,
        "1.0.0",
        "Returns members of a set chosen at random; with a negative count one may come several times.",
        "O(1) without a count, otherwise O(N) where N is the absolute value of the count.",
        "key [count]",
    ),
    Command::new("sinter", -2, READ, S, SOURCES, several::sinter).docs(
        GROUP,
        "1.0.0",
        "Returns the members that are in all of several sets.",
        INTERSECTS,
        "key [key ...]",
    ),
    Command::new(
        "sinterstore",
        -3,
        WRITE,
        S,
        &[KeySpec::one(1, UPDATES), STORED_SOURCES],
        several::sinterstore,
    )
    .docs(
        GROUP,
        "1.0.0",
        "Stores the members that are in all of several sets.",
        INTERSECTS,
        "destination key [key ...]",
    ),
    Command::new("sintercard", -3, COUNTED, S, COUNTED_SOURCES, several::sintercard).docs(
        GROUP,
        "7.0.0",
        "Counts the members that are in all of several sets, up to a limit.",
        INTERSECTS,
        "numkeys key [key ...] [LIMIT limit]",
    ),
    Command::new("sunion", -2, READ, S, SOURCES, several::sunion).docs(
        GROUP,
        "1.0.0",
        "Returns the members that are in any of several sets.",
        UNITES,
        "key [key ...]",
    ),
    Command::new(
        "sunionstore",
        -3,
        WRITE,
        S,
        &[KeySpec::one(1, OVERWRITES), STORED_SOURCES],
        several::sunionstore,
    )
    .docs(
        GROUP,
        "1.0.0",
        "Stores the members that are in any of several sets.",
        UNITES,
        "destination key [key ...]",
    ),
    Command::new("sunioncard", -3, COUNTED, S, COUNTED_SOURCES, several::sunioncard).docs(
        GROUP,
        "8.10.0",
        "Counts the members that are in any of several sets, up to a limit, exactly or by an estimate.",
        UNITES,
        "numkeys key [key ...] [APPROX] [LIMIT limit]",
    ),
    Command::new("sdiff", -2, READ, S, SOURCES, several::sdiff).docs(
        GROUP,
        "1.0.0",
        "Returns the members of the first set that are in none of the others.",
        UNITES,
        "key [key ...]",
    ),
    Command::new(
        "sdiffstore",
        -3,
        WRITE,
        S,
        &[KeySpec::one(1, OVERWRITES), STORED_SOURCES],
        several::sdiffstore,
    )
    .docs(
        GROUP,
        "1.0.0",
        "Stores the members of the first set that are in none of the others.",
        UNITES,
        "destination key [key ...]",
    ),
    Command::new("sdiffcard", -3, COUNTED, S, COUNTED_SOURCES, several::sdiffcard).docs(
        GROUP,
        "8.10.0",
        "Counts the members of the first set that are in none of the others, up to a limit.",
        UNITES,
        "numkeys key [key ...] [LIMIT limit]",
    ),
    Command::new("sscan", -3, READ, S, &[KeySpec::one(1, READS)], scan::sscan).docs(
        GROUP,
        "2.8.0",
        "Walks through the members of a set in steps.",
        "O(1) for every call, O(N) for a whole walk, where N is the number of members.",
        "key cursor [MATCH pattern] [COUNT count]",
    ),
];

/// The thresholds of the configuration.
fn limits(ctx: &Ctx<'_>) -> Limits {
    let live = ctx.server.config.live();
    Limits {
        ints: live.set_max_intset_entries(),
        entries: live.set_max_listpack_entries(),
        value: live.set_max_listpack_value(),
    }
}

/// Writes a member as a bulk string.
#[inline]
fn reply_member(reply: &mut Reply<'_>, member: Item<'_>) {
    match member {
        Item::Text(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}
