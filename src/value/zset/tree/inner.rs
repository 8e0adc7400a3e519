//! Inner nodes: for each child its first slot and how many slots are below it.

use super::Node;
use super::edge::Edge;
use super::leaf::{cut_for, goes_left, insert_at, remove_at};
use crate::value::dict::prefetch_first;
use crate::value::zset::entry::Entry;

/// Children of a node, which with its length fill 4088 bytes: a size class of 4096. So many make a tree of five million
/// slots three nodes deep above its leaves, and one of a hundred thousand two.
pub(super) const CAPACITY: usize = 102;

/// Scores of two cache lines.
const SCORES_APART: usize = 16;

/// Up to [`CAPACITY`] children in order.
#[derive(Debug)]
pub(super) struct Inner {
    len: usize,
    scores: [f64; CAPACITY],
    entries: [Entry; CAPACITY],
    counts: [usize; CAPACITY],
    children: [Option<Node>; CAPACITY],
}

impl Inner {
    pub(super) fn new() -> Box<Inner> {
        Box::new(Inner {
            len: 0,
            scores: [0.0; CAPACITY],
            entries: [Entry::filler(); CAPACITY],
            counts: [0; CAPACITY],
            children: [const { None }; CAPACITY],
        })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first slot below; there is one.
    pub(super) fn first(&self) -> (f64, Entry) {
        (self.scores[0], self.entries[0])
    }

    /// Slots below.
    pub(super) fn count(&self) -> usize {
        self.counts[..self.len].iter().sum()
    }

    /// Slots below the children before `at`.
    pub(super) fn count_before(&self, at: usize) -> usize {
        self.counts[..at].iter().sum()
    }

    /// Asks for every second line of the scores: a search meets the middle ones first, and nodes high in the tree are at
    /// hand anyway.
    pub(super) fn prefetch(&self) {
        self.scores.chunks(SCORES_APART).for_each(prefetch_first);
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Node> {
        self.children[..self.len].iter().flatten()
    }

    pub(super) fn child(&self, at: usize) -> &Node {
        self.children[at].as_ref().expect("places below the length are taken")
    }

    fn child_mut(&mut self, at: usize) -> &mut Node {
        self.children[at].as_mut().expect("places below the length are taken")
    }

    /// The only child, taken out.
    pub(super) fn into_only_child(mut self: Box<Inner>) -> Node {
        self.children[0].take().expect("places below the length are taken")
    }

    /// The child in which the edge is: the last that begins before it, or the first.
    pub(super) fn child_at(&self, edge: &impl Edge) -> usize {
        edge.split(&self.scores[..self.len], &self.entries[..self.len]).saturating_sub(1)
    }

    /// The child in which the slot of this rank below is, and its rank there.
    pub(super) fn child_of(&self, mut rank: usize) -> (&Node, usize) {
        let mut at = 0;
        while at + 1 < self.len && rank >= self.counts[at] {
            rank -= self.counts[at];
            at += 1;
        }
        (self.child(at), rank)
    }

    /// Writes down anew what child `at` begins with and how much it holds.
    fn refresh(&mut self, at: usize) {
        let child = self.child(at);
        let ((score, entry), count) = (child.first(), child.count());
        (self.scores[at], self.entries[at], self.counts[at]) = (score, entry, count);
    }

    /// Inserts a slot below; the right half, if this node was full and had to be cut.
    pub(super) fn insert(&mut self, edge: &impl Edge, score: f64, entry: Entry) -> Option<Box<Inner>> {
        let at = self.child_at(edge);
        if let Some(right) = self.child_mut(at).insert(edge, score, entry) {
            self.refresh(at);
            return self.adopt(at + 1, right);
        }
        self.counts[at] += 1;
        if at == 0 {
            (self.scores[0], self.entries[0]) = self.child(0).first();
        }
        None
    }

    /// Takes a child in at `at`; the right half, if this node was full.
    fn adopt(&mut self, at: usize, child: Node) -> Option<Box<Inner>> {
        if self.len < CAPACITY {
            self.put(at, child);
            return None;
        }
        let cut = cut_for(at, CAPACITY);
        let mut right = self.cut(cut);
        match goes_left(at, cut, CAPACITY) {
            true => self.put(at, child),
            false => right.put(at - cut, child),
        }
        Some(right)
    }

    /// Appends a child; there is room for it.
    pub(super) fn push(&mut self, child: Node) {
        self.put(self.len, child);
    }

    fn put(&mut self, at: usize, child: Node) {
        let ((score, entry), count) = (child.first(), child.count());
        insert_at(&mut self.scores, self.len, at, score);
        insert_at(&mut self.entries, self.len, at, entry);
        insert_at(&mut self.counts, self.len, at, count);
        self.children[self.len] = Some(child);
        self.children[at..=self.len].rotate_right(1);
        self.len += 1;
    }

    fn take(&mut self, at: usize) -> Node {
        remove_at(&mut self.scores, self.len, at);
        remove_at(&mut self.entries, self.len, at);
        remove_at(&mut self.counts, self.len, at);
        self.children[at..self.len].rotate_left(1);
        self.len -= 1;
        self.children[self.len].take().expect("places below the length are taken")
    }

    /// Moves the children from `cut` on to a new node.
    fn cut(&mut self, cut: usize) -> Box<Inner> {
        let mut right = Inner::new();
        right.take_over(self, cut);
        right
    }

    fn take_over(&mut self, other: &mut Inner, from: usize) {
        let (start, end) = (self.len, self.len + other.len - from);
        self.scores[start..end].copy_from_slice(&other.scores[from..other.len]);
        self.entries[start..end].copy_from_slice(&other.entries[from..other.len]);
        self.counts[start..end].copy_from_slice(&other.counts[from..other.len]);
        self.children[start..end].swap_with_slice(&mut other.children[from..other.len]);
        (self.len, other.len) = (end, from);
    }

    /// Takes over the children of the next node; there is room for them.
    pub(super) fn append(&mut self, right: &mut Inner) {
        self.take_over(right, 0);
    }

    /// See [`Node::take_out`].
    pub(super) fn take_out(&mut self, edge: &impl Edge, to: Option<f64>) -> bool {
        let at = self.child_at(edge);
        let child = self.child_mut(at);
        if !child.take_out(edge, to) {
            return false;
        }
        let low = child.is_low();
        self.counts[at] -= 1;
        if low {
            self.settle(at);
        } else {
            (self.scores[at], self.entries[at]) = self.child(at).first();
        }
        true
    }

    /// Drops child `at` if it is empty, or joins it with a neighbour if both are sparse.
    fn settle(&mut self, at: usize) {
        if self.counts[at] == 0 {
            drop(self.take(at));
            return;
        }
        let left = at.saturating_sub(1);
        if left + 1 < self.len && self.child(left).fits(self.child(left + 1)) {
            let right = self.take(left + 1);
            self.child_mut(left).join(right);
            return self.refresh(left);
        }
        self.refresh(at);
    }
}
