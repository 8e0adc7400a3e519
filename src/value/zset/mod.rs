//! Sorted sets: members with scores, in the order of scores and then of members.
//!
//! | file | holds |
//! |---|---|
//! | `packed` | the small form: one run of bytes |
//! | `large` | the large form: a tree for order and a dictionary for members |
//! | `tree` | the counted B+-tree |
//! | `entry` | a member and its score in one allocation |
//!
//! A set begins packed and becomes large when it passes a limit; it never goes back.

mod entry;
mod large;
mod packed;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod tree;

use std::ops::Range;
use std::{iter, vec};

use super::collection::{Any, Collection, Kind, Sought};
use super::packed::Item;
use large::Large;
use packed::{find, pairs};
use tree::Walk;
pub use tree::{Edge, LexEdge, ScoreEdge, SlotEdge};

/// Up to where a set stays packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Members.
    pub entries: usize,
    /// Bytes of a member.
    pub value: usize,
}

/// A sorted set.
#[derive(Clone, Debug)]
pub struct ZSet(Form);

#[derive(Clone, Debug)]
enum Form {
    Packed(Vec<u8>),
    Large(Box<Large>),
}

/// A sorted set as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct ZRef<'a>(View<'a>);

#[derive(Clone, Copy, Debug)]
enum View<'a> {
    Packed(&'a [u8]),
    Large(&'a Large),
}

impl ZSet {
    /// Prepares an empty set for this many members, the longest of so many bytes: beyond the limits it is large at
    /// once.
    pub fn expect(&mut self, members: usize, longest: usize, limits: Limits) {
        if self.is_empty() && (members > limits.entries || longest > limits.value) {
            self.0 = Form::Large(Box::new(Large::new()));
        }
    }

    /// Gives a member the score that `decide` makes of the one that it has, if it is there; `decide` answers none to
    /// leave all as it is. Whether something changed. No score is NaN.
    pub fn alter(
        &mut self,
        member: &[u8],
        limits: Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> bool {
        let run = match &mut self.0 {
            Form::Large(large) => return large.alter(member, decide),
            Form::Packed(run) => run,
        };
        let old = find(run, member).map(|pair| (pair.score, pair.range));
        let from = old.as_ref().map(|(score, _)| *score);
        let Some(to) = decide(from).filter(|to| Some(*to) != from) else { return false };
        match old {
            Some((_, range)) => drop(run.drain(range)),
            None if member.len() > limits.value || packed::len(run) >= limits.entries => {
                self.grow().push(member, to);
                return true;
            }
            None => {}
        }
        packed::insert(run, member, to);
        true
    }

    /// Gives a member a score; whether something changed.
    pub fn put(&mut self, member: &[u8], score: f64, limits: Limits) -> bool {
        self.alter(member, limits, |_| Some(score))
    }

    /// Makes the set large.
    fn grow(&mut self) -> &mut Large {
        if let Form::Packed(run) = &self.0 {
            let mut large = Large::new();
            pairs(run).for_each(|pair| large.push(&pair.member.to_vec(), pair.score));
            self.0 = Form::Large(Box::new(large));
        }
        match &mut self.0 {
            Form::Large(large) => large,
            Form::Packed(_) => unreachable!("it was just made large"),
        }
    }

    /// Removes a member; the score that it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Large(large) => large.remove(member),
            Form::Packed(run) => {
                let (score, range) = find(run, member).map(|pair| (pair.score, pair.range))?;
                run.drain(range);
                Some(score)
            }
        }
    }

    /// Asks for what changes of these members' scores will read.
    pub(super) fn look_ahead(&self, sought: &[Sought<'_>]) {
        if let Form::Large(large) = &self.0 {
            large.look_ahead(sought);
        }
    }

    /// Removes the members of these ranks, which lie within the set.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match &mut self.0 {
            Form::Large(large) => large.remove_ranks(ranks),
            Form::Packed(run) => packed::remove_ranks(run, ranks),
        }
    }
}

impl<'a> ZRef<'a> {
    /// Members.
    pub fn len(self) -> usize {
        match self.0 {
            View::Packed(run) => packed::len(run),
            View::Large(large) => large.len(),
        }
    }

    /// Whether there is none, which no reader of a key sees.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the set is in its small form.
    pub fn is_packed(self) -> bool {
        matches!(self.0, View::Packed(_))
    }

    /// The score of a member.
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self.0 {
            View::Packed(run) => find(run, member).map(|pair| pair.score),
            View::Large(large) => large.score(member),
        }
    }

    /// How many members come before a member, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self.0 {
            View::Packed(run) => {
                let found = find(run, member)?;
                Some((packed::len(&run[..found.range.start]), found.score))
            }
            View::Large(large) => large.rank(member),
        }
    }

    /// How many members come before an edge.
    pub fn count_before(self, edge: &impl Edge) -> usize {
        match self.0 {
            View::Packed(run) => packed::count_before(run, edge),
            View::Large(large) => large.count_before(edge),
        }
    }

    /// The members of these ranks, from either end; the range lies within the set.
    pub fn range(self, ranks: Range<usize>) -> Members<'a> {
        match self.0 {
            View::Large(large) => Members::Large(large.walk(ranks)),
            View::Packed(run) => {
                let wanted = pairs(run).skip(ranks.start).take(ranks.len());
                let found: Vec<_> = wanted.map(|pair| (pair.member, pair.score)).collect();
                Members::Packed(found.into_iter())
            }
        }
    }

    /// All members.
    pub fn iter(self) -> Members<'a> {
        self.range(0..self.len())
    }

    /// Visits members from `cursor` on until there were `count`; where to go on, or 0 at the end. The small form is
    /// visited whole. A member that stays from the first step to the last is visited, perhaps twice.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'a>, f64)) -> u64 {
        match self.0 {
            View::Large(large) => large.scan(cursor, count, |member, score| visit(Item::Text(member), score)),
            View::Packed(run) => {
                pairs(run).for_each(|pair| visit(pair.member, pair.score));
                0
            }
        }
    }
}

/// Members with their scores. An integer may come as its text, so items are not to be compared.
#[derive(Clone, Debug)]
pub enum Members<'a> {
    /// Of the small form.
    Packed(vec::IntoIter<(Item<'a>, f64)>),
    /// Of the large form.
    Large(Walk<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match self {
            Members::Packed(pairs) => pairs.next(),
            Members::Large(walk) => walk.next().map(|(score, entry)| (Item::Text(entry.member()), score)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Members::Packed(pairs) => pairs.size_hint(),
            Members::Large(walk) => walk.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Members<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Members::Packed(pairs) => pairs.next_back(),
            Members::Large(walk) => {
                walk.next_back().map(|(score, entry)| (Item::Text(entry.member()), score))
            }
        }
    }
}

impl ExactSizeIterator for Members<'_> {}
impl iter::FusedIterator for Members<'_> {}

impl Collection for ZSet {
    const KIND: Kind = Kind::ZSet;
    type Ref<'a> = ZRef<'a>;

    fn new() -> ZSet {
        ZSet(Form::Packed(Vec::new()))
    }

    fn from_packed(_form: u8, bytes: Vec<u8>) -> ZSet {
        ZSet(Form::Packed(bytes))
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Form::Packed(run) => Some((0, run)),
            Form::Large(_) => None,
        }
    }

    fn view(&self) -> ZRef<'_> {
        ZRef(match &self.0 {
            Form::Packed(run) => View::Packed(run),
            Form::Large(large) => View::Large(large),
        })
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ZRef<'_> {
        ZRef(View::Packed(bytes))
    }

    fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Packed(run) => run.is_empty(),
            Form::Large(large) => large.len() == 0,
        }
    }

    fn weight(&self) -> usize {
        match &self.0 {
            Form::Packed(_) => 1,
            Form::Large(large) => large.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(run) => run.capacity(),
            Form::Large(large) => large.heap_bytes(),
        }
    }

    fn encoding(view: ZRef<'_>) -> &'static str {
        if view.is_packed() { "listpack" } else { "skiplist" }
    }

    fn wrap(self) -> Any {
        Any::ZSet(self)
    }

    fn of(any: &Any) -> Option<&ZSet> {
        if let Any::ZSet(set) = any { Some(set) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut ZSet> {
        if let Any::ZSet(set) = any { Some(set) } else { None }
    }
}
