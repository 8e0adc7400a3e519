//! Leaves: slots in order, scores apart from entries so that a search reads few cache lines.

use super::edge::{Edge, ScoreEdge};
use crate::value::dict::prefetch_all;
use crate::value::zset::entry::Entry;

/// Slots of a leaf, which with its length fill 504 bytes: a size class of 512. A change moves half of a leaf, and all of
/// it may have to come from memory.
pub(super) const CAPACITY: usize = 31;

/// Members of one score that are asked for: usually there is one, if any.
const PREFETCHED: usize = 2;

/// Up to [`CAPACITY`] slots in order.
#[derive(Debug)]
pub(super) struct Leaf {
    len: usize,
    scores: [f64; CAPACITY],
    entries: [Entry; CAPACITY],
}

/// Puts `value` at `at` of the first `len` values, which move up.
pub(super) fn insert_at<T: Copy>(values: &mut [T], len: usize, at: usize, value: T) {
    values.copy_within(at..len, at + 1);
    values[at] = value;
}

/// Takes the value at `at` out of the first `len`, which move down.
pub(super) fn remove_at<T: Copy>(values: &mut [T], len: usize, at: usize) {
    values.copy_within(at + 1..len, at);
}

/// Where a full node of `capacity` places is cut when something is to be put at `at`: in the middle, but at its ends
/// when it grows there, so that nodes that are filled in order stay full.
pub(super) fn cut_for(at: usize, capacity: usize) -> usize {
    match at {
        0 => 0,
        _ if at == capacity => capacity,
        _ => capacity / 2,
    }
}

/// Whether what was to be put at `at` of a full node belongs to the left part after a cut.
pub(super) fn goes_left(at: usize, cut: usize, capacity: usize) -> bool {
    at < cut || (at == cut && cut < capacity)
}

impl Leaf {
    pub(super) fn new() -> Box<Leaf> {
        Box::new(Leaf { len: 0, scores: [0.0; CAPACITY], entries: [Entry::filler(); CAPACITY] })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn scores(&self) -> &[f64] {
        &self.scores[..self.len]
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// The first slot; the leaf is not empty.
    pub(super) fn first(&self) -> (f64, Entry) {
        (self.scores[0], self.entries[0])
    }

    pub(super) fn prefetch(&self) {
        prefetch_all(self);
    }

    /// Asks for the first members of this score.
    pub(super) fn prefetch_equals(&self, score: f64) {
        let first = self.split(&ScoreEdge { score, behind: false });
        let equals = self.scores()[first..].iter().take_while(|other| **other == score).take(PREFETCHED);
        equals.zip(&self.entries()[first..]).for_each(|(_, entry)| entry.prefetch());
    }

    pub(super) fn split(&self, edge: &impl Edge) -> usize {
        edge.split(self.scores(), self.entries())
    }

    /// Inserts at a place in order; the right half, if the leaf was full.
    pub(super) fn insert(&mut self, at: usize, score: f64, entry: Entry) -> Option<Box<Leaf>> {
        if self.len < CAPACITY {
            self.put(at, score, entry);
            return None;
        }
        let cut = cut_for(at, CAPACITY);
        let mut right = self.cut(cut);
        match goes_left(at, cut, CAPACITY) {
            true => self.put(at, score, entry),
            false => right.put(at - cut, score, entry),
        }
        Some(right)
    }

    fn put(&mut self, at: usize, score: f64, entry: Entry) {
        insert_at(&mut self.scores, self.len, at, score);
        insert_at(&mut self.entries, self.len, at, entry);
        self.len += 1;
    }

    /// Moves the slots from `cut` on to a new leaf.
    fn cut(&mut self, cut: usize) -> Box<Leaf> {
        let mut right = Leaf::new();
        right.extend(&self.scores[cut..self.len], &self.entries[cut..self.len]);
        self.len = cut;
        right
    }

    fn extend(&mut self, scores: &[f64], entries: &[Entry]) {
        let end = self.len + scores.len();
        self.scores[self.len..end].copy_from_slice(scores);
        self.entries[self.len..end].copy_from_slice(entries);
        self.len = end;
    }

    /// Takes over the slots of the next leaf; there is room for them.
    pub(super) fn append(&mut self, right: &Leaf) {
        self.extend(right.scores(), right.entries());
    }

    /// See [`Node::take_out`](super::Node::take_out).
    pub(super) fn take_out(&mut self, at: usize, to: Option<f64>) -> bool {
        if to.is_some_and(|score| self.rescore(at, score)) {
            return false;
        }
        self.remove(at);
        true
    }

    fn remove(&mut self, at: usize) {
        remove_at(&mut self.scores, self.len, at);
        remove_at(&mut self.entries, self.len, at);
        self.len -= 1;
    }

    /// Gives the slot at `at` another score, if it has a neighbour on either side here and stays between them. At an
    /// end of the leaf, nodes above it might have to know.
    fn rescore(&mut self, at: usize, score: f64) -> bool {
        let inside = at > 0 && at + 1 < self.len;
        let stays = inside && self.is_before(at - 1, at, score) && !self.is_before(at + 1, at, score);
        if stays {
            self.scores[at] = score;
        }
        stays
    }

    /// Whether the slot at `other` is before what the slot at `at` would be with another score.
    fn is_before(&self, other: usize, at: usize, score: f64) -> bool {
        let theirs = self.scores[other];
        theirs < score || (theirs == score && self.entries[other].member() < self.entries[at].member())
    }
}
