//! Places between slots, by which the tree is searched.

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
        let low = scores.partition_point(|score| *score < self.score);
        if scores.get(low).is_none_or(|score| *score != self.score) {
            return low;
        }
        // Members are compared only where scores are equal: each is a cache line of its own.
        let ties = ties(&scores[low..]);
        let by_member = LexEdge { member: self.member, behind: self.behind };
        low + by_member.split(&scores[low..low + ties], &entries[low..low + ties])
    }

    fn is_behind(&self, score: f64, member: &[u8]) -> bool {
        let by_member = LexEdge { member: self.member, behind: self.behind };
        score < self.score || (score == self.score && by_member.is_behind(score, member))
    }
}

/// How many scores equal the first one. Few do.
#[inline]
fn ties(scores: &[f64]) -> usize {
    match scores {
        [first, second, ..] if first == second => scores.partition_point(|score| score == first),
        _ => 1,
    }
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
        let low = scores.partition_point(|score| *score < self.score);
        if scores.get(low).is_none_or(|score| *score != self.score) {
            return low;
        }
        let ties = ties(&scores[low..]);
        let equal = &entries[low..low + ties];
        // An entry is known by its address, which spares the lines of the others.
        if let Some(at) = equal.iter().position(|entry| *entry == self.entry) {
            return low + at + 1;
        }
        let by_member = LexEdge { member: self.entry.member(), behind: true };
        low + by_member.split(&scores[low..low + ties], equal)
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
