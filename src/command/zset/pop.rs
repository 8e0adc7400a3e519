//! Taking members from an end: ZPOPMIN, ZPOPMAX, ZMPOP, and what their blocking forms share with them.

use super::{Answer, answering, notify_edit, wrong_type};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::protocol::reply::Reply;
use crate::value::collection::Collection;
use crate::value::zset::ZSet;

const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
const NO_KEYS: &str = "ERR numkeys should be greater than 0";
const NO_COUNT: &str = "ERR count should be greater than 0";

/// An end of a sorted set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

/// Members that were taken out, each with its score, in the order in which they were taken.
pub(crate) type Popped = Vec<(Vec<u8>, f64)>;

impl End {
    /// The end that an argument names.
    pub(crate) fn parse(word: &[u8]) -> Option<End> {
        if eq_ignore_case(word, b"min") {
            Some(End::Min)
        } else if eq_ignore_case(word, b"max") {
            Some(End::Max)
        } else {
            None
        }
    }

    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// Takes up to `count` members, at least one, from an end of the set at argument `index`, and tells of it. None if the
/// key is absent.
///
/// # Errors
/// If the key holds something else.
pub(crate) fn pop_from(ctx: &Ctx<'_>, index: usize, end: End, count: usize) -> Answer<Option<Popped>> {
    let edited =
        ctx.space.edit(ctx.key(index), Absent::Skip, |set: &mut ZSet| Edit::Changed(pop(set, end, count)));
    let Some(edited) = edited.map_err(wrong_type)? else { return Ok(None) };
    notify_edit(ctx, index, end.event(), &edited);
    Ok(Some(edited.answer))
}

fn pop(set: &mut ZSet, end: End, count: usize) -> Popped {
    let view = set.view();
    let (len, count) = (view.len(), count.min(view.len()));
    let ranks = if end == End::Min { 0..count } else { len - count..len };
    let members = view.range(ranks.clone());
    let popped = match end {
        End::Min => members.map(|(member, score)| (member.to_vec(), score)).collect(),
        End::Max => members.rev().map(|(member, score)| (member.to_vec(), score)).collect(),
    };
    set.remove_ranks(ranks);
    popped
}

/// Writes what a pop of one key with a key's name in the reply has taken: ZMPOP and BZMPOP.
pub(crate) fn reply_of_key(reply: &mut Reply<'_>, key: &[u8], popped: &Popped) {
    reply.array(2);
    reply.bulk(key);
    reply_nested(reply, popped);
}

fn reply_nested(reply: &mut Reply<'_>, popped: &Popped) {
    reply.array(popped.len());
    for (member, score) in popped {
        reply.array(2);
        reply.bulk(member);
        reply.double(*score);
    }
}

fn reply_flat(reply: &mut Reply<'_>, popped: &Popped) {
    reply.array(2 * popped.len());
    for (member, score) in popped {
        reply.bulk(member);
        reply.double(*score);
    }
}

pub(super) fn zpopmin(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| zpop(ctx, End::Min));
}

pub(super) fn zpopmax(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| zpop(ctx, End::Max));
}

fn zpop(ctx: &mut Ctx<'_>, end: End) -> Answer<()> {
    let count = match ctx.args.len() {
        2 => None,
        3 => Some(count_of(ctx.arg(2))?),
        _ => return Err(error::SYNTAX),
    };
    let popped = match count {
        Some(0) => {
            ctx.space.peek_as::<ZSet, ()>(ctx.key(1), |_| ()).map_err(wrong_type)?;
            None
        }
        _ => pop_from(ctx, 1, end, count.unwrap_or(1))?,
    };
    let popped = popped.unwrap_or_default();
    match count.is_some() && ctx.reply.resp3() {
        true => reply_nested(&mut ctx.reply, &popped),
        false => reply_flat(&mut ctx.reply, &popped),
    }
    Ok(())
}

fn count_of(text: &[u8]) -> Answer<usize> {
    parse_i64(text).and_then(|count| usize::try_from(count).ok()).ok_or(NOT_POSITIVE)
}

/// The arguments of ZMPOP, and of BZMPOP behind its timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MultiPop {
    /// The argument of the first key.
    pub(crate) first: usize,
    /// How many keys there are.
    pub(crate) keys: usize,
    /// Which end.
    pub(crate) end: End,
    /// How many members at most.
    pub(crate) count: usize,
}

impl MultiPop {
    /// Reads the number of keys at argument `at` and what follows it.
    ///
    /// # Errors
    /// The text to reply.
    pub(crate) fn parse(ctx: &Ctx<'_>, at: usize) -> Answer<MultiPop> {
        let keys = positive(ctx.arg(at)).ok_or(NO_KEYS)?;
        let where_at = (at + 1).saturating_add(keys);
        let word = ctx.args.get(where_at).ok_or(error::SYNTAX)?;
        let end = End::parse(word).ok_or(error::SYNTAX)?;
        let count = match (ctx.args.len() - where_at - 1, ctx.args.get(where_at + 1)) {
            (0, _) => 1,
            (2.., Some(word)) if eq_ignore_case(word, b"count") => {
                positive(ctx.arg(where_at + 2)).ok_or(NO_COUNT)?
            }
            _ => return Err(error::SYNTAX),
        };
        if ctx.args.len() > where_at + 3 {
            return Err(error::SYNTAX);
        }
        Ok(MultiPop { first: at + 1, keys, end, count })
    }

    /// Pops from the first of the keys that has members and replies; false if none has.
    ///
    /// # Errors
    /// If a key before it holds something else.
    pub(crate) fn run(&self, ctx: &mut Ctx<'_>) -> Answer<bool> {
        for index in self.first..self.first + self.keys {
            if let Some(popped) = pop_from(ctx, index, self.end, self.count)? {
                let key = ctx.arg(index);
                reply_of_key(&mut ctx.reply, key, &popped);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn positive(text: &[u8]) -> Option<usize> {
    parse_i64(text).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}

pub(super) fn zmpop(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let pop = MultiPop::parse(ctx, 1)?;
        if !pop.run(ctx)? {
            ctx.reply.null_array();
        }
        Ok(())
    });
}
