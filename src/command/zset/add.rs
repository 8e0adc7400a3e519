//! ZADD, ZINCRBY and ZREM.

use super::{Answer, answering, limits, notify_edit, wrong_type};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{Args, eq_ignore_case, parse_f64};
use crate::value::zset::{Limits, ZSet};

const NX_AND_XX: &str = "ERR XX and NX options at the same time are not compatible";
const GT_LT_NX: &str = "ERR GT, LT, and/or NX options at the same time are not compatible";
const SINGLE_INCR: &str = "ERR INCR option supports a single increment-element pair";
const NAN: &str = "ERR resulting score is not a number (NaN)";

/// ZADD's options.
#[derive(Clone, Copy, Default)]
pub(in crate::command) struct Options {
    /// Only new members.
    pub(in crate::command) nx: bool,
    /// Only members that are there.
    pub(in crate::command) xx: bool,
    gt: bool,
    lt: bool,
    /// Changed members count as well.
    pub(in crate::command) ch: bool,
    incr: bool,
}

/// No score is as short as an option and begins with a letter but `inf` and `nan`.
fn begins_like_an_option(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic)
}

/// What ZADD does with one member.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    /// A condition was not met.
    Nothing,
    /// It has this score now, perhaps as before.
    Scored(f64),
    /// The sum would not be a number.
    NotANumber,
}

/// What ZADD has done.
#[derive(Default)]
struct Tally {
    added: i64,
    updated: i64,
    /// The last member's score, if no condition kept it from being set.
    score: Option<f64>,
    not_a_number: bool,
}

impl Options {
    /// The options in front of the pairs, and where the pairs begin.
    fn parse(args: Args<'_>) -> (Options, usize) {
        let mut options = Options::default();
        for at in 2..args.len() {
            if !options.take(&args[at]) {
                return (options, at);
            }
        }
        (options, args.len())
    }

    fn take(&mut self, word: &[u8]) -> bool {
        if !begins_like_an_option(word) {
            return false;
        }
        let options: [(&[u8], &mut bool); 6] = [
            (b"nx", &mut self.nx),
            (b"xx", &mut self.xx),
            (b"ch", &mut self.ch),
            (b"incr", &mut self.incr),
            (b"gt", &mut self.gt),
            (b"lt", &mut self.lt),
        ];
        let found = options.into_iter().find(|(name, _)| eq_ignore_case(word, name));
        found.map(|(_, option)| *option = true).is_some()
    }

    fn check(&self, words: usize) -> Answer<()> {
        if words == 0 || !words.is_multiple_of(2) {
            return Err(error::SYNTAX);
        }
        if self.nx && self.xx {
            return Err(NX_AND_XX);
        }
        if [self.gt, self.lt, self.nx].into_iter().filter(|option| *option).count() > 1 {
            return Err(GT_LT_NX);
        }
        if self.incr && words > 2 {
            return Err(SINGLE_INCR);
        }
        Ok(())
    }

    /// What becomes of a member that has the score `old`, if it is there.
    fn decide(&self, old: Option<f64>, given: f64) -> Outcome {
        let Some(old) = old else {
            return if self.xx { Outcome::Nothing } else { Outcome::Scored(given) };
        };
        if self.nx {
            return Outcome::Nothing;
        }
        let score = if self.incr { old + given } else { given };
        if score.is_nan() {
            return Outcome::NotANumber;
        }
        if (self.lt && score >= old) || (self.gt && score <= old) {
            return Outcome::Nothing;
        }
        Outcome::Scored(score)
    }

    /// Adds the pairs to a set.
    fn apply<'p>(
        &self,
        set: &mut ZSet,
        pairs: impl Iterator<Item = (&'p [u8], f64)>,
        limits: Limits,
    ) -> Tally {
        let mut tally = Tally::default();
        pairs.for_each(|(member, score)| self.add(set, member, score, limits, &mut tally));
        tally
    }

    #[inline]
    fn add(&self, set: &mut ZSet, member: &[u8], given: f64, limits: Limits, tally: &mut Tally) {
        let (mut outcome, mut is_new) = (Outcome::Nothing, false);
        let changed = set.alter(member, limits, |old| {
            (outcome, is_new) = (self.decide(old, given), old.is_none());
            match outcome {
                Outcome::Scored(score) => Some(score),
                _ => None,
            }
        });
        tally.added += i64::from(changed && is_new);
        tally.updated += i64::from(changed && !is_new);
        tally.score = if let Outcome::Scored(score) = outcome { Some(score) } else { None };
        tally.not_a_number |= outcome == Outcome::NotANumber;
    }
}

pub(super) fn zadd(ctx: &mut Ctx<'_>) {
    // Nearly always a single pair: with a score in front, there is no room for options.
    if ctx.args.len() == 4 && !begins_like_an_option(ctx.arg(2)) {
        return answering(ctx, |ctx| add(ctx, Options::default(), ctx.args.slice_from(2)));
    }
    let (options, first) = Options::parse(ctx.args);
    answering(ctx, |ctx| {
        options.check(ctx.args.len() - first)?;
        add(ctx, options, ctx.args.slice_from(first))
    });
}

pub(super) fn zincrby(ctx: &mut Ctx<'_>) {
    let options = Options { incr: true, ..Options::default() };
    answering(ctx, |ctx| add(ctx, options, ctx.args.slice_from(2)));
}

fn add(ctx: &mut Ctx<'_>, options: Options, words: Args<'_>) -> Answer<()> {
    if words.len() == 2 {
        let score = parse_f64(&words[0]).ok_or(error::NOT_A_FLOAT)?;
        add_pairs(ctx, options, std::iter::once((&words[1], score)));
        return Ok(());
    }
    if words.iter().step_by(2).any(|score| parse_f64(score).is_none()) {
        return Err(error::NOT_A_FLOAT);
    }
    // Scores are read again where they are needed, which costs less than to keep them.
    let pair = |at: usize| (&words[at + 1], parse_f64(&words[at]).expect("scores were checked"));
    add_pairs(ctx, options, (0..words.len()).step_by(2).map(pair));
    Ok(())
}

/// Adds pairs of member and score to the sorted set at argument 1 and replies as ZADD does.
pub(in crate::command) fn add_pairs<'p>(
    ctx: &mut Ctx<'_>,
    options: Options,
    pairs: impl ExactSizeIterator<Item = (&'p [u8], f64)> + Clone,
) {
    let limits = limits(ctx.server);
    let absent = if options.xx { Absent::Skip } else { Absent::Create };
    let edited = ctx.space.edit(ctx.key(1), absent, |set: &mut ZSet| {
        if pairs.len() > 1 {
            let longest = pairs.clone().map(|(member, _)| member.len()).max();
            set.expect(pairs.len(), longest.unwrap_or(0), limits);
        }
        let tally = options.apply(set, pairs.clone(), limits);
        if tally.added + tally.updated > 0 { Edit::Changed(tally) } else { Edit::Unchanged(tally) }
    });
    let tally = match edited {
        Err(other) => return ctx.reply.error(wrong_type(other)),
        Ok(None) => Tally::default(),
        Ok(Some(edited)) => {
            notify_edit(ctx, 1, if options.incr { "zincr" } else { "zadd" }, &edited);
            edited.answer
        }
    };
    reply(ctx, options, &tally);
}

fn reply(ctx: &mut Ctx<'_>, options: Options, tally: &Tally) {
    if tally.not_a_number {
        return ctx.reply.error(NAN);
    }
    match (options.incr, tally.score) {
        (true, Some(score)) => ctx.reply.double(score),
        (true, None) => ctx.reply.null(),
        _ => ctx.reply.int(tally.added + if options.ch { tally.updated } else { 0 }),
    }
}

pub(super) fn zrem(ctx: &mut Ctx<'_>) {
    let members = ctx.args.slice_from(2);
    answering(ctx, |ctx| {
        let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |set: &mut ZSet| {
            match members.iter().filter(|member| set.remove(member).is_some()).count() {
                0 => Edit::Unchanged(0),
                removed => Edit::Changed(removed),
            }
        });
        let edited = edited.map_err(wrong_type)?;
        if let Some(edited) = &edited {
            notify_edit(ctx, 1, "zrem", edited);
        }
        ctx.reply.int(edited.map_or(0, |edited| edited.answer) as i64);
        Ok(())
    });
}
