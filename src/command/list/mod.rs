//! Lists.
//!
//! | file | holds |
//! |---|---|
//! | `push` | adding at the ends |
//! | `pop` | taking from the ends, of one key or the first of several that has something |
//! | `read` | lengths, elements, ranges and positions |
//! | `edit` | changes in the middle |
//! | `transfer` | from one list to another |

mod edit;
pub(crate) mod pop;
mod push;
mod read;
pub(crate) mod transfer;

use crate::command::Ctx;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::notify::Events;
use crate::command::table::{Categories, Command, Flags};
use crate::keyspace::WrongType;
use crate::protocol::args::eq_ignore_case;
use crate::protocol::reply::Reply;
use crate::value::list::{Limits, List, Side};
use crate::value::packed::Item;

const L: Categories = Categories::LIST;
const GROUP: &str = "list";

const READ: Flags = Flags::READONLY;
const TAKE: Flags = Flags::WRITE;
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const INSERTS: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
const DELETES: KeyFlags = KeyFlags::RW.union(KeyFlags::DELETE);
const TAKES: KeyFlags = DELETES.union(KeyFlags::ACCESS);

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("lpush", -3, WRITE.union(Flags::FAST), L, &[KeySpec::one(1, INSERTS)], push::lpush).docs(
        GROUP,
        "1.0.0",
        "Adds elements at the head of a list, which it creates if the key is absent.",
        "O(1) for each element.",
        "key element [element ...]",
    ),
    Command::new("rpush", -3, WRITE.union(Flags::FAST), L, &[KeySpec::one(1, INSERTS)], push::rpush).docs(
        GROUP,
        "1.0.0",
        "Adds elements at the tail of a list, which it creates if the key is absent.",
        "O(1) for each element.",
        "key element [element ...]",
    ),
    Command::new("lpushx", -3, WRITE.union(Flags::FAST), L, &[KeySpec::one(1, INSERTS)], push::lpushx).docs(
        GROUP,
        "2.2.0",
        "Adds elements at the head of a list, if there is one.",
        "O(1) for each element.",
        "key element [element ...]",
    ),
    Command::new("rpushx", -3, WRITE.union(Flags::FAST), L, &[KeySpec::one(1, INSERTS)], push::rpushx).docs(
        GROUP,
        "2.2.0",
        "Adds elements at the tail of a list, if there is one.",
        "O(1) for each element.",
        "key element [element ...]",
    ),
    Command::new("lpop", -2, TAKE.union(Flags::FAST), L, &[KeySpec::one(1, TAKES)], pop::lpop).docs(
        GROUP,
        "1.0.0",
        "Removes and returns elements at the head of a list.",
        "O(N) in the number of elements returned.",
        "key [count]",
    ),
    Command::new("rpop", -2, TAKE.union(Flags::FAST), L, &[KeySpec::one(1, TAKES)], pop::rpop).docs(
        GROUP,
        "1.0.0",
        "Removes and returns elements at the tail of a list.",
        "O(N) in the number of elements returned.",
        "key [count]",
    ),
    Command::new("llen", 2, READ.union(Flags::FAST), L, &[KeySpec::one(1, KeyFlags::RO)], read::llen).docs(
        GROUP,
        "1.0.0",
        "Returns how many elements a list has.",
        "O(1)",
        "key",
    ),
    Command::new("lindex", 3, READ, L, &[KeySpec::one(1, READS)], read::lindex).docs(
        GROUP,
        "1.0.0",
        "Returns the element at an index of a list.",
        "O(N) in the distance from the nearer end; O(1) at the ends.",
        "key index",
    ),
    Command::new("lset", 4, WRITE, L, &[KeySpec::one(1, UPDATES)], edit::lset).docs(
        GROUP,
        "1.0.0",
        "Replaces the element at an index of a list.",
        "O(N) in the distance from the nearer end; O(1) at the ends.",
        "key index element",
    ),
    Command::new("linsert", 5, WRITE, L, &[KeySpec::one(1, INSERTS)], edit::linsert).docs(
        GROUP,
        "2.2.0",
        "Puts an element before or after the first that equals another.",
        "O(N) in the number of elements before that one.",
        "key <BEFORE | AFTER> pivot element",
    ),
    Command::new("lrange", 4, READ, L, &[KeySpec::one(1, READS)], read::lrange).docs(
        GROUP,
        "1.0.0",
        "Returns the elements of a list within a range of indexes.",
        "O(S+N) for N elements that are S away from the nearer end.",
        "key start stop",
    ),
    Command::new("lrem", 4, TAKE, L, &[KeySpec::one(1, DELETES)], edit::lrem).docs(
        GROUP,
        "1.0.0",
        "Removes elements that equal a value, from the head or the tail on.",
        "O(N) in the number of elements.",
        "key count element",
    ),
    Command::new("ltrim", 4, TAKE, L, &[KeySpec::one(1, DELETES)], edit::ltrim).docs(
        GROUP,
        "1.0.0",
        "Removes the elements of a list outside a range of indexes.",
        "O(N) in the number of elements removed.",
        "key start stop",
    ),
    Command::new("lpos", -3, READ, L, &[KeySpec::one(1, READS)], read::lpos).docs(
        GROUP,
        "6.0.6",
        "Returns the indexes of elements that equal a value.",
        "O(N) in the number of elements; fewer with MAXLEN.",
        "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    ),
    Command::new("lmove", 5, WRITE, L, &[KeySpec::one(1, TAKES), KeySpec::one(2, INSERTS)], transfer::lmove)
        .docs(
            GROUP,
            "6.2.0",
            "Takes an element from one list, adds it to another, and returns it.",
            "O(1)",
            "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
        ),
    Command::new(
        "lmovem",
        -5,
        WRITE,
        L,
        &[KeySpec::one(1, TAKES), KeySpec::one(2, INSERTS)],
        transfer::lmovem,
    )
    .docs(
        GROUP,
        "8.10.0",
        "Takes several elements from one list, adds them to another, and returns them.",
        "O(N) in the number of elements moved.",
        "source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY count> <OBO | BULK>]",
    ),
    Command::new(
        "rpoplpush",
        3,
        WRITE,
        L,
        &[KeySpec::one(1, TAKES), KeySpec::one(2, INSERTS)],
        transfer::rpoplpush,
    )
    .docs(
        GROUP,
        "1.2.0",
        "Takes the last element of one list, makes it the first of another, and returns it.",
        "O(1)",
        "source destination",
    ),
    Command::new(
        "lmpop",
        -4,
        TAKE.union(Flags::MOVABLEKEYS),
        L,
        &[KeySpec::counted(1, 1, TAKES)],
        pop::lmpop,
    )
    .docs(
        GROUP,
        "7.0.0",
        "Removes and returns elements of the first of several lists that has any.",
        "O(N+M) for N keys and M elements returned.",
        "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    ),
];

/// The settings of lists.
fn limits(ctx: &Ctx<'_>) -> Limits {
    let live = ctx.server.config.live();
    Limits::new(live.list_max_listpack_size(), live.list_compress_depth())
}

/// The end that a word names.
pub(crate) fn side(word: &[u8]) -> Option<Side> {
    if eq_ignore_case(word, b"LEFT") {
        return Some(Side::Left);
    }
    eq_ignore_case(word, b"RIGHT").then_some(Side::Right)
}

/// How many elements the list at the key `name` has; none if the key is absent. Not a read that INFO counts.
pub(crate) fn length(ctx: &Ctx<'_>, name: &[u8]) -> Result<Option<usize>, WrongType> {
    ctx.space.peek_as::<List, _>(ctx.space.key(name), |list| list.len())
}

/// Writes one element.
#[inline]
fn put(reply: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Text(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// The place that an index means in a list of `len` elements: negative ones count from the end.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.saturating_add(len as i64) } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The first place and the number of elements of a range in a list of `len`; none if it is empty.
fn span(start: i64, stop: i64, len: usize) -> Option<(usize, usize)> {
    let all = len as i64;
    let from_end = |index: i64| if index < 0 { index.saturating_add(all) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(all - 1));
    (start <= stop).then(|| (start as usize, (stop - start + 1) as usize))
}

/// Tells that a list lost elements at an end, and whether that ended its key.
fn popped(ctx: &Ctx<'_>, key: &[u8], side: Side, ended: bool) {
    let event = if side == Side::Left { "lpop" } else { "rpop" };
    ctx.notify(Events::LIST, event, key);
    tell_end(ctx, key, ended);
}

/// Tells that a list got elements at an end.
fn pushed(ctx: &Ctx<'_>, key: &[u8], side: Side) {
    ctx.notify(Events::LIST, if side == Side::Left { "lpush" } else { "rpush" }, key);
}

/// Tells that the key is gone, if it is.
fn tell_end(ctx: &Ctx<'_>, key: &[u8], ended: bool) {
    if ended {
        ctx.notify(Events::GENERIC, "del", key);
    }
}

/// Unwraps a result, or answers that the key has another type and returns from the handler.
macro_rules! or_wrong_type {
    ($ctx:expr, $result:expr) => {
        match $result {
            Ok(found) => found,
            Err(crate::keyspace::WrongType) => {
                return $ctx.reply.error($crate::command::error::WRONGTYPE);
            }
        }
    };
}
use or_wrong_type;
