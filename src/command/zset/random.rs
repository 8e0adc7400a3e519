//! ZRANDMEMBER.

use std::collections::HashSet;

use super::{Answer, answering, bulk, reply_pairs, wrong_type};
use crate::command::state::random;
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::zset::{ZRef, ZSet};

const OUT_OF_RANGE: &str = "ERR value is out of range";
const NO_COUNT: &str =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
/// Members of one reply at most when the same ones may come again and again: beyond, the reply would take gigabytes.
const REPEATED_MAX: u64 = 1 << 27;

pub(super) fn zrandmember(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| if ctx.args.len() == 2 { one(ctx) } else { several(ctx) });
}

fn one(ctx: &mut Ctx<'_>) -> Answer<()> {
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let found = ctx.space.read_as::<ZSet, ()>(key, |set| {
        let rank = below(set.len());
        set.range(rank..rank + 1).for_each(|(member, _)| bulk(reply, member));
    });
    if found.map_err(wrong_type)?.is_none() {
        ctx.reply.null();
    }
    Ok(())
}

fn several(ctx: &mut Ctx<'_>) -> Answer<()> {
    let count = parse_i64(ctx.arg(2)).ok_or(error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(NO_COUNT);
    }
    let with_scores = match ctx.args.len() {
        3 => false,
        4 if eq_ignore_case(ctx.arg(3), b"withscores") => true,
        _ => return Err(error::SYNTAX),
    };
    let half = i64::MAX / 2;
    if (with_scores && !(-half..=half).contains(&count)) || (count < 0 && count.unsigned_abs() > REPEATED_MAX)
    {
        return Err(OUT_OF_RANGE);
    }
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let found = ctx.space.read_as::<ZSet, ()>(key, |set| {
        let at = |rank: usize| set.range(rank..rank + 1).next().expect("the rank is within the set");
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count < 0 {
            reply_pairs(reply, wanted, (0..wanted).map(|_| at(below(set.len()))), with_scores);
        } else if wanted >= set.len() {
            reply_pairs(reply, set.len(), set.iter(), with_scores);
        } else {
            reply_pairs(reply, wanted, distinct(set, wanted).into_iter().map(at), with_scores);
        }
    });
    if found.map_err(wrong_type)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(())
}

/// So many different ranks of a set that has more, each choice as likely as any other (Floyd's algorithm: Bentley and
/// Floyd, "A sample of brilliance", Communications of the ACM, 1987).
fn distinct(set: ZRef<'_>, wanted: usize) -> Vec<usize> {
    let len = set.len();
    let mut seen = HashSet::with_capacity(wanted);
    let choose = |last: usize| {
        let drawn = below(last + 1);
        let rank = if seen.insert(drawn) { drawn } else { last };
        seen.insert(rank);
        rank
    };
    (len - wanted..len).map(choose).collect()
}

/// A random number below `limit`.
fn below(limit: usize) -> usize {
    ((u128::from(random()) * limit as u128) >> 64) as usize
}
