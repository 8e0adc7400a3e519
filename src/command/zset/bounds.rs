//! The ends of ranges as arguments: ranks, scores and names, and which ranks they enclose.

use std::ops::Range;

use super::Answer;
use crate::command::error;
use crate::protocol::args::{parse_f64_loosely, parse_i64};
use crate::value::zset::{LexEdge, ScoreEdge, ZRef};

const BAD_SCORE: &str = "ERR min or max is not a float";
const BAD_LEX: &str = "ERR min or max not valid string range item";

/// What a range is made by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// A range of members.
#[derive(Clone, Copy)]
pub(super) enum Bounds<'a> {
    /// From one rank to another, both included; negative ones count from the end.
    Rank(i64, i64),
    Score(ScoreEdge, ScoreEdge),
    Lex(Name<'a>, Name<'a>),
}

/// An end of a range of names.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    First,
    Last,
    At(LexEdge<'a>),
}

impl<'a> Bounds<'a> {
    /// The range from `min` to `max`.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Answer<Bounds<'a>> {
        match by {
            By::Rank => {
                let rank = |text| parse_i64(text).ok_or(error::NOT_AN_INTEGER);
                Ok(Bounds::Rank(rank(min)?, rank(max)?))
            }
            By::Score => Ok(Bounds::Score(score(min, true)?, score(max, false)?)),
            By::Lex => Ok(Bounds::Lex(name(min, true)?, name(max, false)?)),
        }
    }

    /// The ranks that the range encloses; `reversed` ones of [`Bounds::Rank`] count from the other end.
    pub(super) fn ranks(&self, set: ZRef<'_>, reversed: bool) -> Range<usize> {
        let (start, end) = match self {
            Bounds::Rank(start, end) => return by_rank(*start, *end, set.len(), reversed),
            Bounds::Score(min, max) => (set.count_before(min), set.count_before(max)),
            Bounds::Lex(min, max) => (min.count_before(set), max.count_before(set)),
        };
        start..end.max(start)
    }
}

fn by_rank(start: i64, end: i64, len: usize, reversed: bool) -> Range<usize> {
    let count = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |rank: i64| if rank < 0 { rank.saturating_add(count) } else { rank };
    let (start, end) = (from_front(start).max(0), from_front(end).min(count - 1));
    if start > end {
        return 0..0;
    }
    // Both are within the set.
    let (start, end) = (start as usize, end as usize + 1);
    if reversed { len - end..len - start } else { start..end }
}

/// An end of a range of scores: behind scores that it excludes at the front, or includes at the back.
fn score(text: &[u8], is_min: bool) -> Answer<ScoreEdge> {
    let (excluded, number) = match text {
        [b'(', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // C Redis hands it to `strtod`, whose text ends at the first zero byte.
    let end = number.iter().position(|&byte| byte == 0).unwrap_or(number.len());
    let score = parse_f64_loosely(&number[..end]).ok_or(BAD_SCORE)?;
    Ok(ScoreEdge { score, behind: excluded == is_min })
}

fn name(text: &[u8], is_min: bool) -> Answer<Name<'_>> {
    match text {
        b"-" => Ok(Name::First),
        b"+" => Ok(Name::Last),
        [b'[', member @ ..] => Ok(Name::At(LexEdge { member, behind: !is_min })),
        [b'(', member @ ..] => Ok(Name::At(LexEdge { member, behind: is_min })),
        _ => Err(BAD_LEX),
    }
}

impl Name<'_> {
    fn count_before(&self, set: ZRef<'_>) -> usize {
        match self {
            Name::First => 0,
            Name::Last => set.len(),
            Name::At(edge) => set.count_before(edge),
        }
    }
}
