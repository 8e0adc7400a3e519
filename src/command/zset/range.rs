//! Ranges by rank, score or name: returned, stored under another key, or removed.

use std::ops::Range;

use super::bounds::{Bounds, By};
use super::{Answer, answering, limits, notify_edit, reply_pairs, wrong_type};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::collection::Collection;
use crate::value::packed::Digits;
use crate::value::word::NO_EXPIRY;
use crate::value::zset::{Limits, Members, ZRef, ZSet};

const LIMIT_BY_RANK: &str =
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
const SCORES_BY_LEX: &str = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";

/// What a command of the family settles by its name; the rest are options.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    reversed: Option<bool>,
    stores: bool,
}

/// A range that was asked for.
struct Query<'a> {
    bounds: Bounds<'a>,
    reversed: bool,
    offset: i64,
    /// Negative for no limit.
    limit: i64,
    with_scores: bool,
}

/// The options behind the ends of a range.
struct Options {
    by: Option<By>,
    reversed: Option<bool>,
    offset: i64,
    limit: i64,
    with_scores: bool,
}

impl Options {
    fn parse(ctx: &Ctx<'_>, form: Form, first: usize) -> Answer<Options> {
        let Form { by, reversed, stores } = form;
        let mut options = Options { by, reversed, offset: 0, limit: -1, with_scores: false };
        let mut at = first;
        while at < ctx.args.len() {
            let word = ctx.arg(at);
            let left = ctx.args.len() - at - 1;
            at += 1;
            if !stores && eq_ignore_case(word, b"withscores") {
                options.with_scores = true;
            } else if eq_ignore_case(word, b"limit") && left >= 2 {
                let number = |at| parse_i64(ctx.arg(at)).ok_or(error::NOT_AN_INTEGER);
                (options.offset, options.limit) = (number(at)?, number(at + 1)?);
                at += 2;
            } else {
                options.settle(word)?;
            }
        }
        Ok(options)
    }

    /// Takes a word that says what the command's name left open.
    fn settle(&mut self, word: &[u8]) -> Answer<()> {
        if self.reversed.is_none() && eq_ignore_case(word, b"rev") {
            self.reversed = Some(true);
        } else if self.by.is_none() && eq_ignore_case(word, b"bylex") {
            self.by = Some(By::Lex);
        } else if self.by.is_none() && eq_ignore_case(word, b"byscore") {
            self.by = Some(By::Score);
        } else {
            return Err(error::SYNTAX);
        }
        Ok(())
    }
}

impl<'a> Query<'a> {
    /// Reads the ends at `first` and the options behind them.
    fn parse(ctx: &Ctx<'a>, form: Form, first: usize) -> Answer<Query<'a>> {
        let options = Options::parse(ctx, form, first + 2)?;
        let (by, reversed) = (options.by.unwrap_or(By::Rank), options.reversed.unwrap_or(false));
        if options.limit != -1 && by == By::Rank {
            return Err(LIMIT_BY_RANK);
        }
        if options.with_scores && by == By::Lex {
            return Err(SCORES_BY_LEX);
        }
        let (one, other) = (ctx.arg(first), ctx.arg(first + 1));
        let (min, max) = if reversed && by != By::Rank { (other, one) } else { (one, other) };
        let bounds = Bounds::parse(by, min, max)?;
        let Options { offset, limit, with_scores, .. } = options;
        Ok(Query { bounds, reversed, offset, limit, with_scores })
    }

    fn ranks(&self, set: ZRef<'_>) -> Range<usize> {
        let all = self.bounds.ranks(set, self.reversed);
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let skipped = offset.min(all.len());
        let count = usize::try_from(self.limit).map_or(usize::MAX, |limit| limit).min(all.len() - skipped);
        if self.reversed {
            let end = all.end - skipped;
            end - count..end
        } else {
            let start = all.start + skipped;
            start..start + count
        }
    }

    /// The members in the order that was asked for.
    fn members<'s>(&self, set: ZRef<'s>) -> Ordered<'s> {
        let members = set.range(self.ranks(set));
        if self.reversed { Ordered::Falling(members.rev()) } else { Ordered::Rising(members) }
    }
}

/// Members in either order.
enum Ordered<'a> {
    Rising(Members<'a>),
    Falling(std::iter::Rev<Members<'a>>),
}

const fn form(by: Option<By>, reversed: Option<bool>, stores: bool) -> Form {
    Form { by, reversed, stores }
}

pub(super) fn zrange(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(None, None, false)));
}

pub(super) fn zrevrange(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(Some(By::Rank), Some(true), false)));
}

pub(super) fn zrangebyscore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(Some(By::Score), Some(false), false)));
}

pub(super) fn zrevrangebyscore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(Some(By::Score), Some(true), false)));
}

pub(super) fn zrangebylex(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(Some(By::Lex), Some(false), false)));
}

pub(super) fn zrevrangebylex(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| range(ctx, form(Some(By::Lex), Some(true), false)));
}

fn range(ctx: &mut Ctx<'_>, form: Form) -> Answer<()> {
    let query = Query::parse(ctx, form, 2)?;
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let found = ctx.space.read_as::<ZSet, ()>(key, |set| match query.members(set) {
        Ordered::Rising(members) => reply_pairs(reply, members.len(), members, query.with_scores),
        Ordered::Falling(members) => reply_pairs(reply, members.len(), members, query.with_scores),
    });
    if found.map_err(wrong_type)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(())
}

pub(super) fn zrangestore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let query = Query::parse(ctx, form(None, None, true), 3)?;
        let limits = limits(ctx.server);
        let source = ctx.space.read_as::<ZSet, ZSet>(ctx.key(2), |set| part_of(set, &query, limits));
        let result = source.map_err(wrong_type)?.unwrap_or_else(ZSet::new);
        store(ctx, 1, "zrangestore", result);
        Ok(())
    });
}

/// A set of its own with the members of a range.
fn part_of(set: ZRef<'_>, query: &Query<'_>, limits: Limits) -> ZSet {
    let mut part = ZSet::new();
    let ranks = query.ranks(set);
    part.expect(ranks.len(), 0, limits);
    for (member, score) in set.range(ranks) {
        part.put(member.bytes(&mut Digits::default()), score, limits);
    }
    part
}

/// Puts a result in the place of the key at argument `index`, and replies how many members it has.
pub(in crate::command) fn store(ctx: &mut Ctx<'_>, index: usize, event: &str, result: ZSet) {
    let count = result.view().len();
    let existed = count == 0 && ctx.space.exists(ctx.key(index));
    if ctx.space.store(ctx.key(index), result, NO_EXPIRY) {
        ctx.notify(Events::ZSET, event, ctx.arg(index));
    } else if existed {
        ctx.notify(Events::GENERIC, "del", ctx.arg(index));
    }
    ctx.reply.int(count as i64);
}

pub(super) fn zremrangebyrank(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| remove(ctx, By::Rank, "zremrangebyrank"));
}

pub(super) fn zremrangebyscore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| remove(ctx, By::Score, "zremrangebyscore"));
}

pub(super) fn zremrangebylex(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| remove(ctx, By::Lex, "zremrangebylex"));
}

fn remove(ctx: &mut Ctx<'_>, by: By, event: &str) -> Answer<()> {
    let bounds = Bounds::parse(by, ctx.arg(2), ctx.arg(3))?;
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |set: &mut ZSet| {
        let ranks = bounds.ranks(set.view(), false);
        let removed = ranks.len();
        if removed == 0 {
            return Edit::Unchanged(0);
        }
        set.remove_ranks(ranks);
        Edit::Changed(removed)
    });
    let edited = edited.map_err(wrong_type)?;
    if let Some(edited) = &edited {
        notify_edit(ctx, 1, event, edited);
    }
    ctx.reply.int(edited.map_or(0, |edited| edited.answer) as i64);
    Ok(())
}
