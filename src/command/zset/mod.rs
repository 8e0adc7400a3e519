//! Sorted sets.
//!
//! | file | holds |
//! |---|---|
//! | `add` | ZADD, ZINCRBY, ZREM |
//! | `read` | scores, counts and ranks |
//! | `bounds` | the ends of ranges as arguments |
//! | `range` | ranges by rank, score or name: returned, stored, removed |
//! | `pop` | taking members from an end |
//! | `random` | ZRANDMEMBER |
//! | `scan` | ZSCAN |
//! | `combine` | unions, intersections and differences |

pub(in crate::command) mod add;
mod bounds;
mod combine;
pub(in crate::command) mod pop;
mod random;
mod range;
mod read;
mod scan;

pub(in crate::command) use range::store;

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::notify::Events;
use crate::command::state::Server;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, error};
use crate::keyspace::Edited;
use crate::protocol::reply::Reply;
use crate::value::packed::Item;
use crate::value::zset::Limits;

const Z: Categories = Categories::SORTEDSET;
const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const READ_MANY: Flags = READ.union(Flags::MOVABLEKEYS);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);
const STORE_MANY: Flags = WRITE.union(Flags::MOVABLEKEYS);
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = TAKE.union(Flags::FAST);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
const CHANGES: KeyFlags = UPDATES.union(KeyFlags::ACCESS);
const DELETES: KeyFlags = KeyFlags::RW.union(KeyFlags::DELETE);
const TAKES: KeyFlags = DELETES.union(KeyFlags::ACCESS);
const STORES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("zadd", -4, WRITE_FAST, Z, &[KeySpec::one(1, UPDATES)], add::zadd).looks_up_scored(3).docs("sorted-set", "1.2.0", "Adds members to a sorted set, or changes their scores.", "O(log(N)) with N members in the sorted set, for each one added", "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]"),
    Command::new("zincrby", 4, WRITE_FAST, Z, &[KeySpec::one(1, CHANGES)], add::zincrby).looks_up(3, 0).docs("sorted-set", "1.2.0", "Adds to the score of a member, which is added if it is not there.", "O(log(N)) with N members in the sorted set", "key increment member"),
    Command::new("zrem", -3, TAKE_FAST, Z, &[KeySpec::one(1, DELETES)], add::zrem).looks_up(2, 1).docs("sorted-set", "1.2.0", "Removes members from a sorted set.", "O(M*log(N)) with N members in the sorted set and M to be removed", "key member [member ...]"),
    Command::new("zcard", 2, READ_FAST, Z, &[KeySpec::one(1, KeyFlags::RO)], read::zcard).docs("sorted-set", "1.2.0", "Returns how many members a sorted set has.", "O(1)", "key"),
    Command::new("zscore", 3, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zscore).looks_up(2, 0).docs("sorted-set", "1.2.0", "Returns the score of a member.", "O(1)", "key member"),
    Command::new("zmscore", -3, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zmscore).looks_up(2, 1).docs("sorted-set", "6.2.0", "Returns the scores of several members.", "O(N) with N members asked for", "key member [member ...]"),
    Command::new("zcount", 4, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zcount).docs("sorted-set", "2.0.0", "Counts the members whose scores are within a range.", "O(log(N)) with N members in the sorted set", "key min max"),
    Command::new("zlexcount", 4, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zlexcount).docs("sorted-set", "2.8.9", "Counts the members within a lexicographical range.", "O(log(N)) with N members in the sorted set", "key min max"),
    Command::new("zrank", -3, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zrank).looks_up(2, 0).docs("sorted-set", "2.0.0", "Returns how many members come before a member.", "O(log(N)) with N members in the sorted set", "key member [WITHSCORE]"),
    Command::new("zrevrank", -3, READ_FAST, Z, &[KeySpec::one(1, READS)], read::zrevrank).looks_up(2, 0).docs("sorted-set", "2.0.0", "Returns how many members come behind a member.", "O(log(N)) with N members in the sorted set", "key member [WITHSCORE]"),
    Command::new("zrange", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrange).docs("sorted-set", "1.2.0", "Returns the members within a range of ranks, scores or names.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"),
    Command::new("zrangestore", -5, WRITE, Z, &[KeySpec::one(1, STORES), KeySpec::one(2, READS)], range::zrangestore).docs("sorted-set", "6.2.0", "Stores the members within a range of ranks, scores or names under another key.", "O(log(N) + M) with N members in the sorted set and M of them stored", "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]"),
    Command::new("zrangebyscore", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrangebyscore).docs("sorted-set", "1.0.5", "Returns the members whose scores are within a range.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key min max [WITHSCORES] [LIMIT offset count]"),
    Command::new("zrevrangebyscore", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrevrangebyscore).docs("sorted-set", "2.2.0", "Returns the members whose scores are within a range, the highest first.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key max min [WITHSCORES] [LIMIT offset count]"),
    Command::new("zrevrange", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrevrange).docs("sorted-set", "1.2.0", "Returns the members within a range of ranks that count from the highest score.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key start stop [WITHSCORES]"),
    Command::new("zrangebylex", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrangebylex).docs("sorted-set", "2.8.9", "Returns the members within a lexicographical range.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key min max [LIMIT offset count]"),
    Command::new("zrevrangebylex", -4, READ, Z, &[KeySpec::one(1, READS)], range::zrevrangebylex).docs("sorted-set", "2.8.9", "Returns the members within a lexicographical range, the last first.", "O(log(N) + M) with N members in the sorted set and M of them returned", "key max min [LIMIT offset count]"),
    Command::new("zremrangebyrank", 4, TAKE, Z, &[KeySpec::one(1, DELETES)], range::zremrangebyrank).docs("sorted-set", "2.0.0", "Removes the members within a range of ranks.", "O(log(N) + M) with N members in the sorted set and M of them removed", "key start stop"),
    Command::new("zremrangebyscore", 4, TAKE, Z, &[KeySpec::one(1, DELETES)], range::zremrangebyscore).docs("sorted-set", "1.2.0", "Removes the members whose scores are within a range.", "O(log(N) + M) with N members in the sorted set and M of them removed", "key min max"),
    Command::new("zremrangebylex", 4, TAKE, Z, &[KeySpec::one(1, DELETES)], range::zremrangebylex).docs("sorted-set", "2.8.9", "Removes the members within a lexicographical range.", "O(log(N) + M) with N members in the sorted set and M of them removed", "key min max"),
    Command::new("zpopmin", -2, TAKE_FAST, Z, &[KeySpec::one(1, TAKES)], pop::zpopmin).docs("sorted-set", "5.0.0", "Removes the members with the lowest scores and returns them.", "O(log(N)*M) with N members in the sorted set and M of them removed", "key [count]"),
    Command::new("zpopmax", -2, TAKE_FAST, Z, &[KeySpec::one(1, TAKES)], pop::zpopmax).docs("sorted-set", "5.0.0", "Removes the members with the highest scores and returns them.", "O(log(N)*M) with N members in the sorted set and M of them removed", "key [count]"),
    Command::new("zmpop", -4, TAKE.union(Flags::MOVABLEKEYS), Z, &[KeySpec::counted(1, 1, TAKES)], pop::zmpop).docs("sorted-set", "7.0.0", "Removes members from an end of the first sorted set that is not empty, and returns them.", "O(K) + O(M*log(N)) with K keys, N members in the sorted set and M of them removed", "numkeys key [key ...] <MIN | MAX> [COUNT count]"),
    Command::new("zrandmember", -2, READ, Z, &[KeySpec::one(1, READS)], random::zrandmember).docs("sorted-set", "6.2.0", "Returns random members of a sorted set.", "O(M*log(N)) with N members in the sorted set and M returned", "key [count [WITHSCORES]]"),
    Command::new("zscan", -3, READ, Z, &[KeySpec::one(1, READS)], scan::zscan).docs("sorted-set", "2.8.0", "Goes on with a walk over the members of a sorted set.", "O(1) for every call, O(N) for a whole walk over N members", "key cursor [MATCH pattern] [COUNT count] [NOSCORES]"),
    Command::new("zunion", -3, READ_MANY, Z, &[KeySpec::counted(1, 1, READS)], combine::zunion).docs("sorted-set", "6.2.0", "Returns the union of several sorted sets.", "O(N) + O(M*log(M)) with N members in all sets and M in the result", "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]"),
    Command::new("zinter", -3, READ_MANY, Z, &[KeySpec::counted(1, 1, READS)], combine::zinter).docs("sorted-set", "6.2.0", "Returns the intersection of several sorted sets.", "O(N*K) + O(M*log(M)) with N members in the smallest of K sets and M in the result", "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]"),
    Command::new("zdiff", -3, READ_MANY, Z, &[KeySpec::counted(1, 1, READS)], combine::zdiff).docs("sorted-set", "6.2.0", "Returns what the first of several sorted sets has and the others have not.", "O(N) + O(M*log(M)) with N members in all sets and M in the result", "numkeys key [key ...] [WITHSCORES]"),
    Command::new("zunionstore", -4, STORE_MANY, Z, &[KeySpec::one(1, STORES), KeySpec::counted(2, 1, READS)], combine::zunionstore).docs("sorted-set", "2.0.0", "Stores the union of several sorted sets under a key.", "O(N) + O(M*log(M)) with N members in all sets and M in the result", "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]"),
    Command::new("zinterstore", -4, STORE_MANY, Z, &[KeySpec::one(1, STORES), KeySpec::counted(2, 1, READS)], combine::zinterstore).docs("sorted-set", "2.0.0", "Stores the intersection of several sorted sets under a key.", "O(N*K) + O(M*log(M)) with N members in the smallest of K sets and M in the result", "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]"),
    Command::new("zdiffstore", -4, STORE_MANY, Z, &[KeySpec::one(1, STORES), KeySpec::counted(2, 1, READS)], combine::zdiffstore).docs("sorted-set", "6.2.0", "Stores under a key what the first of several sorted sets has and the others have not.", "O(N) + O(M*log(M)) with N members in all sets and M in the result", "destination numkeys key [key ...]"),
    Command::new("zintercard", -3, READ_MANY, Z, &[KeySpec::counted(1, 1, READS)], combine::zintercard).docs("sorted-set", "7.0.0", "Counts the members of the intersection of several sorted sets.", "O(N*K) with N members in the smallest of K sets", "numkeys key [key ...] [LIMIT limit]"),];

/// An answer, or the error to reply.
pub(in crate::command) type Answer<T> = Result<T, &'static str>;

/// Up to where sorted sets stay packed.
#[inline]
pub(in crate::command) fn limits(server: &Server) -> Limits {
    let live = server.config.live();
    Limits { entries: live.zset_max_listpack_entries(), value: live.zset_max_listpack_value() }
}

/// Tells of an edit of the key at argument `index`: the event, if something changed, and its end.
pub(in crate::command) fn notify_edit<R>(ctx: &Ctx<'_>, index: usize, event: &str, edited: &Edited<R>) {
    if edited.changed {
        ctx.notify(Events::ZSET, event, ctx.arg(index));
    }
    if edited.ended {
        ctx.notify(Events::GENERIC, "del", ctx.arg(index));
    }
}

/// Writes a member.
#[inline]
pub(in crate::command) fn bulk(reply: &mut Reply<'_>, member: Item<'_>) {
    match member {
        Item::Text(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// Writes `pairs`, `count` of them: members, with their scores if asked for, as pairs of their own in RESP3.
fn reply_pairs<'a>(
    reply: &mut Reply<'_>,
    count: usize,
    pairs: impl Iterator<Item = (Item<'a>, f64)>,
    with_scores: bool,
) {
    let nested = with_scores && reply.resp3();
    reply.array(if with_scores && !nested { 2 * count } else { count });
    for (member, score) in pairs {
        if nested {
            reply.array(2);
        }
        bulk(reply, member);
        if with_scores {
            reply.double(score);
        }
    }
}

/// Runs a handler that answers an error instead of writing it.
fn answering(ctx: &mut Ctx<'_>, run: impl FnOnce(&mut Ctx<'_>) -> Answer<()>) {
    if let Err(text) = run(ctx) {
        ctx.reply.error(text);
    }
}

/// The error of a key that holds something else.
fn wrong_type(_: crate::keyspace::WrongType) -> &'static str {
    error::WRONGTYPE
}
