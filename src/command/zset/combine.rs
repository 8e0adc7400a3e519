//! Unions, intersections and differences, of sorted sets and of plain ones, whose members all have the score 1.
//!
//! Keys are looked at one after the other, never two at a time: the result so far is a copy that each key adds to or
//! takes from. The executor sees to it that nobody writes any of them meanwhile.

use std::collections::HashMap as StdMap;

use foldhash::quality::RandomState;

use super::range::store;
use super::{Answer, answering, limits, reply_pairs, wrong_type};
use crate::command::{Ctx, error};
use crate::keyspace::WrongType;
use crate::protocol::args::{eq_ignore_case, parse_f64, parse_i64};
use crate::value::collection::Collection;
use crate::value::packed::{Digits, Item};
use crate::value::set::{Set, SetRef};
use crate::value::zset::{ZRef, ZSet};

const NOT_A_WEIGHT: &str = "ERR weight value is not a float";
const NEGATIVE_LIMIT: &str = "ERR LIMIT can't be negative";

/// Members with their scores.
type HashMap = StdMap<Vec<u8>, f64, RandomState>;

/// What is made of the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// How the scores of a member in several keys become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The scores do not matter, but the weights of the keys that have the member are added.
    Count,
}

/// A key that is combined.
#[derive(Clone, Copy)]
struct Source {
    /// Its argument.
    index: usize,
    /// It is a plain set.
    plain: bool,
    /// Its members.
    len: usize,
    weight: f64,
}

/// A key's members, of either type.
#[derive(Clone, Copy)]
enum Members<'a> {
    Sorted(ZRef<'a>),
    Plain(SetRef<'a>),
}

impl Members<'_> {
    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Members::Sorted(set) => set.score(member),
            Members::Plain(set) => set.contains(Item::of(member)).then_some(1.0),
        }
    }

    fn for_each(self, mut visit: impl FnMut(&[u8], f64)) {
        let mut digits = Digits::default();
        match self {
            Members::Sorted(set) => {
                set.iter().for_each(|(member, score)| visit(member.bytes(&mut digits), score));
            }
            Members::Plain(set) => set.iter().for_each(|member| visit(member.bytes(&mut digits), 1.0)),
        }
    }
}

/// A call of the family.
struct Query {
    operation: Operation,
    sources: Vec<Source>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Members to count at most; zero for no limit.
    limit: usize,
}

/// What a command of the family is.
#[derive(Clone, Copy)]
struct Form {
    operation: Operation,
    stores: bool,
    counts: bool,
}

impl Query {
    /// Reads the arguments from the number of keys at `at` on. The types of keys are checked before the options.
    fn parse(ctx: &Ctx<'_>, form: Form, at: usize) -> Answer<Result<Query, String>> {
        let number = parse_i64(ctx.arg(at)).ok_or(error::NOT_AN_INTEGER)?;
        if number < 1 {
            let name = ctx.command.name;
            return Ok(Err(format!("ERR at least 1 input key is needed for '{name}' command")));
        }
        let first = at + 1;
        let keys = usize::try_from(number).ok().filter(|keys| *keys <= ctx.args.len() - first);
        let end = first + keys.ok_or(error::SYNTAX)?;
        let sources = (first..end).map(|index| Source::find(ctx, index)).collect::<Answer<Vec<_>>>()?;
        let aggregate = Aggregate::Sum;
        let mut query = Query { operation: form.operation, sources, aggregate, with_scores: false, limit: 0 };
        query.options(ctx, form, end)?;
        Ok(Ok(query))
    }

    fn options(&mut self, ctx: &Ctx<'_>, form: Form, mut at: usize) -> Answer<()> {
        let weighs = form.operation != Operation::Difference && !form.counts;
        while at < ctx.args.len() {
            let word = ctx.arg(at);
            let left = ctx.args.len() - at - 1;
            at += 1;
            if weighs && left >= self.sources.len() && eq_ignore_case(word, b"weights") {
                for source in &mut self.sources {
                    source.weight = parse_f64(ctx.arg(at)).ok_or(NOT_A_WEIGHT)?;
                    at += 1;
                }
            } else if weighs && left >= 1 && eq_ignore_case(word, b"aggregate") {
                self.aggregate = Aggregate::parse(ctx.arg(at)).ok_or(error::SYNTAX)?;
                at += 1;
            } else if !form.stores && !form.counts && eq_ignore_case(word, b"withscores") {
                self.with_scores = true;
            } else if form.counts && left >= 1 && eq_ignore_case(word, b"limit") {
                let limit = parse_i64(ctx.arg(at)).and_then(|limit| usize::try_from(limit).ok());
                self.limit = limit.ok_or(NEGATIVE_LIMIT)?;
                at += 1;
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(())
    }

    /// The result, in no order.
    fn run(mut self, ctx: &Ctx<'_>) -> Answer<HashMap> {
        if self.operation != Operation::Difference {
            // From the smallest on, as sums of floating point numbers depend on the order.
            self.sources.sort_by_key(|source| source.len);
        }
        match self.operation {
            Operation::Union => self.union(ctx),
            Operation::Intersection => self.intersection(ctx),
            Operation::Difference => self.difference(ctx),
        }
    }

    fn union(&self, ctx: &Ctx<'_>) -> Answer<HashMap> {
        let mut result: HashMap = HashMap::default();
        for source in &self.sources {
            source.look(ctx, |members| {
                members.for_each(|member, score| {
                    let given = number(self.aggregate.weighed(score, source.weight));
                    match result.get_mut(member) {
                        Some(sum) => *sum = self.aggregate.join(*sum, given),
                        None => drop(result.insert(member.to_vec(), given)),
                    }
                });
            })?;
        }
        Ok(result)
    }

    /// The members of the first key.
    fn begin(&self, ctx: &Ctx<'_>) -> Answer<HashMap> {
        let first = self.sources[0];
        let mut result = HashMap::with_capacity_and_hasher(first.len, RandomState::default());
        first.look(ctx, |members| {
            members.for_each(|member, score| {
                result.insert(member.to_vec(), number(self.aggregate.weighed(score, first.weight)));
            });
        })?;
        Ok(result)
    }

    fn intersection(&self, ctx: &Ctx<'_>) -> Answer<HashMap> {
        if self.sources[0].len == 0 {
            return Ok(HashMap::default());
        }
        let mut result = self.begin(ctx)?;
        for source in &self.sources[1..] {
            source.look(ctx, |members| {
                result.retain(|member, sum| {
                    let score = members.score(member);
                    if let Some(score) = score {
                        *sum = self.aggregate.join(*sum, self.aggregate.weighed(score, source.weight));
                    }
                    score.is_some()
                });
            })?;
        }
        Ok(result)
    }

    fn difference(&self, ctx: &Ctx<'_>) -> Answer<HashMap> {
        let mut result = self.begin(ctx)?;
        for source in &self.sources[1..] {
            if result.is_empty() {
                break;
            }
            source.look(ctx, |members| {
                if source.len < result.len() {
                    members.for_each(|member, _| {
                        result.remove(member);
                    });
                } else {
                    result.retain(|member, _| members.score(member).is_none());
                }
            })?;
        }
        Ok(result)
    }
}

impl Source {
    /// The key at argument `index`; an absent one is an empty set.
    fn find(ctx: &Ctx<'_>, index: usize) -> Answer<Source> {
        let source = |plain, len: Option<usize>| Source { index, plain, len: len.unwrap_or(0), weight: 1.0 };
        match ctx.space.read_as::<ZSet, _>(ctx.key(index), |set| set.len()) {
            Ok(len) => Ok(source(false, len)),
            Err(WrongType) => {
                let len = ctx.space.peek_as::<Set, _>(ctx.key(index), |set| set.len());
                len.map(|len| source(true, len)).map_err(wrong_type)
            }
        }
    }

    /// Shows the members, if there are any.
    fn look(&self, ctx: &Ctx<'_>, look: impl FnOnce(Members<'_>)) -> Answer<()> {
        let key = ctx.key(self.index);
        let found = if self.plain {
            ctx.space.peek_as::<Set, ()>(key, |set| look(Members::Plain(set)))
        } else {
            ctx.space.peek_as::<ZSet, ()>(key, |set| look(Members::Sorted(set)))
        };
        found.map(|_| ()).map_err(wrong_type)
    }
}

impl Aggregate {
    fn parse(word: &[u8]) -> Option<Aggregate> {
        let names: [(&[u8], Aggregate); 4] = [
            (b"sum", Aggregate::Sum),
            (b"min", Aggregate::Min),
            (b"max", Aggregate::Max),
            (b"count", Aggregate::Count),
        ];
        names.into_iter().find(|(name, _)| eq_ignore_case(word, name)).map(|(_, aggregate)| aggregate)
    }

    fn weighed(self, score: f64, weight: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            _ => score * weight,
        }
    }

    fn join(self, sum: f64, given: f64) -> f64 {
        match self {
            Aggregate::Sum | Aggregate::Count => number(sum + given),
            Aggregate::Min => {
                if given < sum {
                    given
                } else {
                    sum
                }
            }
            Aggregate::Max => {
                if given > sum {
                    given
                } else {
                    sum
                }
            }
        }
    }
}

/// The number, or zero for none: what an infinity times zero, or less another one, counts as.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

const fn form(operation: Operation, stores: bool) -> Form {
    Form { operation, stores, counts: false }
}

/// Reads the arguments and combines the keys; none if the error is written.
fn combine(ctx: &mut Ctx<'_>, form: Form) -> Answer<Option<(HashMap, bool)>> {
    let query = match Query::parse(ctx, form, if form.stores { 2 } else { 1 })? {
        Ok(query) => query,
        Err(text) => {
            ctx.reply.error(&text);
            return Ok(None);
        }
    };
    let with_scores = query.with_scores;
    Ok(Some((query.run(ctx)?, with_scores)))
}

fn reply(ctx: &mut Ctx<'_>, operation: Operation) -> Answer<()> {
    let Some((result, with_scores)) = combine(ctx, form(operation, false))? else { return Ok(()) };
    let mut pairs: Vec<(Vec<u8>, f64)> = result.into_iter().collect();
    sort(&mut pairs);
    let items = pairs.iter().map(|(member, score)| (Item::Text(member), *score));
    reply_pairs(&mut ctx.reply, pairs.len(), items, with_scores);
    Ok(())
}

fn sort(pairs: &mut [(Vec<u8>, f64)]) {
    // No score is NaN, and the zeros are equal.
    pairs.sort_unstable_by(|(a, x), (b, y)| {
        x.partial_cmp(y).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.cmp(b))
    });
}

fn store_result(ctx: &mut Ctx<'_>, operation: Operation, event: &str) -> Answer<()> {
    let Some((result, _)) = combine(ctx, form(operation, true))? else { return Ok(()) };
    let limits = limits(ctx.server);
    let mut pairs: Vec<(Vec<u8>, f64)> = result.into_iter().collect();
    sort(&mut pairs);
    let mut set = ZSet::new();
    set.expect(pairs.len(), pairs.iter().map(|(member, _)| member.len()).max().unwrap_or(0), limits);
    for (member, score) in &pairs {
        set.put(member, *score, limits);
    }
    store(ctx, 1, event, set);
    Ok(())
}

pub(super) fn zunion(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| reply(ctx, Operation::Union));
}

pub(super) fn zinter(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| reply(ctx, Operation::Intersection));
}

pub(super) fn zdiff(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| reply(ctx, Operation::Difference));
}

pub(super) fn zunionstore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| store_result(ctx, Operation::Union, "zunionstore"));
}

pub(super) fn zinterstore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| store_result(ctx, Operation::Intersection, "zinterstore"));
}

pub(super) fn zdiffstore(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| store_result(ctx, Operation::Difference, "zdiffstore"));
}

pub(super) fn zintercard(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let form = Form { operation: Operation::Intersection, stores: false, counts: true };
        let query = match Query::parse(ctx, form, 1)? {
            Ok(query) => query,
            Err(text) => {
                ctx.reply.error(&text);
                return Ok(());
            }
        };
        let limit = query.limit;
        let count = query.run(ctx)?.len();
        ctx.reply.int(if limit == 0 { count } else { count.min(limit) } as i64);
        Ok(())
    });
}
