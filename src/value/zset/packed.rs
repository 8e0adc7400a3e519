//! The packed form: member, score, member, score ... in the order of the tree.
//!
//! A score that is a whole number is an integer item. Any other is a text item of its four bytes as a single-precision
//! number, if that is exact, or else of its eight bytes.

use std::ops::Range;

use super::tree::{Edge, SlotEdge};
use crate::value::packed::{self, Digits, Item, Items, items};

/// Whole numbers up to this magnitude are exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Appends a score to a run.
fn push_score(run: &mut Vec<u8>, score: f64) {
    // The negative zero becomes a zero, as it does in the listpacks of C Redis.
    if score.abs() <= WHOLE && score.trunc() == score {
        Item::Int(score as i64).push(run);
    } else if f64::from(score as f32) == score {
        Item::Text(&(score as f32).to_le_bytes()).push(run);
    } else {
        Item::Text(&score.to_le_bytes()).push(run);
    }
}

/// The score that an item of a run is.
fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(int) => int as f64,
        Item::Text(text) => match text.try_into() {
            Ok(bytes) => f64::from(f32::from_le_bytes(bytes)),
            Err(_) => f64::from_le_bytes(text.try_into().expect("push_score writes four bytes or eight")),
        },
    }
}

/// A member with its score, and where they are in their run.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    pub(super) member: Item<'a>,
    pub(super) score: f64,
    /// The bytes of both.
    pub(super) range: Range<usize>,
}

/// The pairs of a run, from the front.
#[derive(Clone)]
pub(super) struct Pairs<'a> {
    run: &'a [u8],
    items: Items<'a>,
}

/// The pairs of `run`.
pub(super) fn pairs(run: &[u8]) -> Pairs<'_> {
    Pairs { run, items: items(run) }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let (member, score) = (self.items.next_range()?, self.items.next_range()?);
        Some(Pair {
            member: packed::item(&self.run[member.clone()]),
            score: score_of(packed::item(&self.run[score.clone()])),
            range: member.start..score.end,
        })
    }
}

/// Pairs of a run.
pub(super) fn len(run: &[u8]) -> usize {
    packed::count(run) / 2
}

/// The pair of a member.
pub(super) fn find<'a>(run: &'a [u8], member: &[u8]) -> Option<Pair<'a>> {
    let found = packed::find(run, Item::of(member), 2)?;
    let score = Items::from(run, found.end).next_range()?;
    Some(Pair {
        member: packed::item(&run[found.clone()]),
        score: score_of(packed::item(&run[score.clone()])),
        range: found.start..score.end,
    })
}

/// Pairs before an edge.
pub(super) fn count_before(run: &[u8], edge: &impl Edge) -> usize {
    pairs(run).take_while(|pair| is_behind(edge, pair)).count()
}

fn is_behind(edge: &impl Edge, pair: &Pair<'_>) -> bool {
    edge.is_behind(pair.score, pair.member.bytes(&mut Digits::default()))
}

/// Inserts a pair, whose member is not there, in its place.
pub(super) fn insert(run: &mut Vec<u8>, member: &[u8], score: f64) {
    let edge = SlotEdge { score, member, behind: false };
    let at = pairs(run).find(|pair| !is_behind(&edge, pair)).map_or(run.len(), |pair| pair.range.start);
    let end = run.len();
    packed::push(run, member);
    push_score(run, score);
    let added = run.len() - end;
    run[at..].rotate_right(added);
}

/// Removes the pairs of these ranks.
pub(super) fn remove_ranks(run: &mut Vec<u8>, ranks: Range<usize>) {
    let mut bytes: Option<Range<usize>> = None;
    for pair in pairs(run).skip(ranks.start).take(ranks.len()) {
        bytes = Some(bytes.map_or(pair.range.start, |bytes| bytes.start)..pair.range.end);
    }
    if let Some(bytes) = bytes {
        run.drain(bytes);
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn scores_come_back_as_they_were() {
        let scores = [
            0.0,
            1.0,
            -1.0,
            63.0,
            64.0,
            1e15,
            -WHOLE,
            1e17,
            0.5,
            0.1,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::from_le_bytes(*b"12345678"),
            f64::from(f32::from_le_bytes(*b"1234")),
        ];
        for score in scores {
            let mut run = Vec::new();
            insert(&mut run, b"m", score);
            let pair = find(&run, b"m").expect("it is there");
            assert_eq!((pair.score.to_bits(), pair.range), (score.to_bits(), 0..run.len()));
        }
    }

    #[test]
    fn ten_small_pairs_take_few_bytes() {
        let mut run = Vec::new();
        for number in 0..10 {
            insert(&mut run, format!("member{number:02}").as_bytes(), 1000.0 + f64::from(number));
        }
        assert_eq!((run.len(), len(&run)), (120, 10));
    }
}
