//! Places between slots, by which the tree is searched.

use std::ops::Range;

use crate::value::zset::entry::Entry;

/// A place in the order of slots: some are before it, all others are not.
pub trait Edge {
    /// How many of these slots, which are in order, are before the edge.
    fn split(&self, scores: &[f64], entries: &[Entry]) -> usize;

    /// Whether a slot is before the edge.
    fn is_behind(&self, score: f64, member: &[u8]) -> bool;
}

/// Before or behind all slots of a score.
#[derive(Clone, Copy, Debug)]
pub struct ScoreEdge {
    /// The score.
    pub score: f64,
    /// The edge is behind slots of this score.
    pub behind: bool,
}

impl Edge for ScoreEdge {
    #[inline]
    fn split(&self, scores: &[f64], _entries: &[Entry]) -> usize {
        if self.behind {
            scores.partition_point(|score| *score <= self.score)
        } else {
            scores.partition_point(|score| *score < self.score)
        }
    }

    fn is_behind(&self, score: f64, _member: &[u8]) -> bool {
        score < self.score || (self.behind && score == self.score)
    }
}

/// Before or behind one slot, or where it would be.
#[derive(Clone, Copy, Debug)]
pub struct SlotEdge<'a> {
    /// The slot's score.
    pub score: f64,
    /// The slot's member.
    pub member: &'a [u8],
    /// The edge is behind the slot.
    pub behind: bool,
}

impl Edge for SlotEdge<'_> {
    #[inline]
    fn split(&self, scores: &[f64], entries: &[Entry]) -> usize {
        let equal = equal(scores, self.score);
        if equal.is_empty() {
            return equal.start;
        }
        // Members are compared only where scores are equal: each is a cache line of its own.
        let by_member = LexEdge { member: self.member, behind: self.behind };
        equal.start + by_member.split(&scores[equal.clone()], &entries[equal])
    }

    fn is_behind(&self, score: f64, member: &[u8]) -> bool {
        let by_member = LexEdge { member: self.member, behind: self.behind };
        score < self.score || (score == self.score && by_member.is_behind(score, member))
    }
}

/// Where this score stands among scores in order: nowhere, once, or in a row.
#[inline]
fn equal(scores: &[f64], score: f64) -> Range<usize> {
    let low = scores.partition_point(|other| *other < score);
    let count = match &scores[low..] {
        [first, second, ..] if *first == score && *second == score => {
            scores[low..].partition_point(|other| *other == score)
        }
        [first, ..] => usize::from(*first == score),
        [] => 0,
    };
    low..low + count
}

/// Behind the slot of an entry that is in the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryEdge {
    /// The entry's score.
    pub score: f64,
    /// The entry.
    pub entry: Entry,
}

impl Edge for EntryEdge {
    #[inline]
    fn split(&self, scores: &[f64], entries: &[Entry]) -> usize {
        let equal = equal(scores, self.score);
        // An entry is known by its address, which spares the lines of the others.
        if let Some(at) = entries[equal.clone()].iter().position(|entry| *entry == self.entry) {
            return equal.start + at + 1;
        }
        let by_member = LexEdge { member: self.entry.member(), behind: true };
        equal.start + by_member.split(&scores[equal.clone()], &entries[equal])
    }

    fn is_behind(&self, score: f64, member: &[u8]) -> bool {
        SlotEdge { score: self.score, member: self.entry.member(), behind: true }.is_behind(score, member)
    }
}

/// Before or behind a member, in a set whose scores are all equal.
#[derive(Clone, Copy, Debug)]
pub struct LexEdge<'a> {
    /// The member.
    pub member: &'a [u8],
    /// The edge is behind the member.
    pub behind: bool,
}

impl Edge for LexEdge<'_> {
    #[inline]
    fn split(&self, _scores: &[f64], entries: &[Entry]) -> usize {
        if self.behind {
            entries.partition_point(|entry| entry.member() <= self.member)
        } else {
            entries.partition_point(|entry| entry.member() < self.member)
        }
    }

    fn is_behind(&self, _score: f64, member: &[u8]) -> bool {
        member < self.member || (self.behind && member == self.member)
    }
}
