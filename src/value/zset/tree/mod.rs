//! A counted B+-tree of slots (score, entry), in the order of scores and then of members.
//!
//! Rules:
//! 1. Slots stand in leaves only. An inner node knows the first slot and the count of each child, exactly.
//! 2. All leaves are equally deep. Only the root may have no slot, and then it is a leaf.
//! 3. A node that falls below a quarter joins a neighbour when both together fill at most three quarters, so that
//!    changes back and forth at a border do not cut and join in turn.
//!
//! Whatever asks for a place (rank, count, range) counts the slots before an [`Edge`] on one way from the root to a
//! leaf. A walk holds the rest of one leaf and finds the next by its rank: a descent for about forty slots costs less
//! than links that every cut and join would have to mend.

mod edge;
mod inner;
mod leaf;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod walk;

use edge::EntryEdge;
pub use edge::{Edge, LexEdge, ScoreEdge, SlotEdge};
pub use walk::Walk;

use std::ops::Range;

use super::entry::Entry;
use crate::value::dict::AHEAD;
use inner::Inner;
use leaf::Leaf;

/// A node of either kind.
#[derive(Debug)]
enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

/// The slots of a sorted set in order. It holds entries without owning them.
#[derive(Debug)]
pub struct Tree {
    root: Node,
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Node::Leaf(_) => leaf::CAPACITY,
            Node::Inner(_) => inner::CAPACITY,
        }
    }

    fn first(&self) -> (f64, Entry) {
        match self {
            Node::Leaf(leaf) => leaf.first(),
            Node::Inner(inner) => inner.first(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.count(),
        }
    }

    fn is_low(&self) -> bool {
        self.len() < self.capacity() / 4
    }

    /// Whether both together leave room for growth.
    fn fits(&self, right: &Node) -> bool {
        self.len() + right.len() <= self.capacity() * 3 / 4
    }

    /// Takes over what the next node of the same depth holds.
    fn join(&mut self, right: Node) {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(right)) => left.append(&right),
            (Node::Inner(left), Node::Inner(mut right)) => left.append(&mut right),
            _ => unreachable!("all leaves are equally deep"),
        }
    }

    fn insert(&mut self, edge: &impl Edge, score: f64, entry: Entry) -> Option<Node> {
        match self {
            Node::Leaf(leaf) => leaf.insert(leaf.split(edge), score, entry).map(Node::Leaf),
            Node::Inner(inner) => inner.insert(edge, score, entry).map(Node::Inner),
        }
    }

    /// Takes the slot right before the edge out; unless it can stay where it is with the score `to`, which it gets
    /// then. Whether it was taken out.
    fn take_out(&mut self, edge: &impl Edge, to: Option<f64>) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.take_out(leaf.split(edge) - 1, to),
            Node::Inner(inner) => inner.take_out(edge, to),
        }
    }

    /// Asks for what a search reads of it; of a leaf for all, because what is put in or taken out moves the rest.
    fn prefetch(&self) {
        match self {
            Node::Leaf(leaf) => leaf.prefetch(),
            Node::Inner(inner) => inner.prefetch(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Node::Leaf(_) => size_of::<Leaf>(),
            // Leaves are counted without touching them.
            Node::Inner(inner) if matches!(inner.child(0), Node::Leaf(_)) => {
                size_of::<Inner>() + inner.len() * size_of::<Leaf>()
            }
            Node::Inner(inner) => size_of::<Inner>() + inner.children().map(Node::heap_bytes).sum::<usize>(),
        }
    }
}

impl Tree {
    /// A tree without slots.
    pub fn new() -> Tree {
        Tree { root: Node::Leaf(Leaf::new()) }
    }

    /// Inserts a slot whose member is not in the tree.
    pub fn insert(&mut self, score: f64, entry: Entry) {
        let edge = SlotEdge { score, member: entry.member(), behind: false };
        if let Some(right) = self.root.insert(&edge, score, entry) {
            let left = std::mem::replace(&mut self.root, Node::Inner(Inner::new()));
            let Node::Inner(root) = &mut self.root else { unreachable!("it was just made") };
            root.push(left);
            root.push(right);
        }
    }

    /// Removes the slot of an entry that is in the tree under this score.
    pub fn remove(&mut self, score: f64, entry: Entry) {
        self.take_out(score, entry, None);
    }

    /// Moves the slot of an entry from one score to another; in place where the neighbours allow it.
    pub fn rescore(&mut self, entry: Entry, from: f64, to: f64) {
        if self.take_out(from, entry, Some(to)) {
            self.insert(to, entry);
        }
    }

    fn take_out(&mut self, score: f64, entry: Entry, to: Option<f64>) -> bool {
        let edge = EntryEdge { score, entry };
        if !self.root.take_out(&edge, to) {
            return false;
        }
        while let Node::Inner(inner) = &self.root
            && inner.len() == 1
        {
            let Node::Inner(root) = std::mem::replace(&mut self.root, Node::Leaf(Leaf::new())) else {
                unreachable!("it was just an inner node");
            };
            self.root = root.into_only_child();
        }
        true
    }

    /// Slots before the edge.
    pub fn count_before(&self, edge: &impl Edge) -> usize {
        let (mut node, mut before) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return before + leaf.split(edge),
                Node::Inner(inner) => {
                    let at = inner.child_at(edge);
                    before += inner.count_before(at);
                    node = inner.child(at);
                }
            }
        }
    }

    /// Asks for the nodes on the ways to these scores, level by level, so that their misses overlap; for those from
    /// `new` on also for the members that one of this score would be compared with. There are at most two scores for
    /// each of [`AHEAD`] members.
    pub fn look_ahead(&self, scores: &[f64], new: usize) {
        let mut nodes = [&self.root; 2 * AHEAD];
        let mut descends = matches!(self.root, Node::Inner(_));
        while descends {
            descends = false;
            for (node, &score) in nodes.iter_mut().zip(scores) {
                let Node::Inner(inner) = node else { continue };
                *node = inner.child(inner.child_at(&ScoreEdge { score, behind: false }));
                node.prefetch();
                descends |= matches!(node, Node::Inner(_));
            }
        }
        for (node, &score) in nodes.iter().zip(scores).skip(new) {
            if let Node::Leaf(leaf) = node {
                leaf.prefetch_equals(score);
            }
        }
    }

    /// The leaf that holds the slot of this rank, and where.
    fn leaf_of(&self, mut rank: usize) -> (&Leaf, usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, rank),
                Node::Inner(inner) => (node, rank) = inner.child_of(rank),
            }
        }
    }

    /// The entry of this rank, which is below the length.
    pub fn at(&self, rank: usize) -> Entry {
        let (leaf, at) = self.leaf_of(rank);
        leaf.entries()[at]
    }

    /// The slots of these ranks, from either end. The range ends at most at the length.
    pub fn walk(&self, ranks: Range<usize>) -> Walk<'_> {
        Walk::new(self, ranks)
    }

    /// Bytes of its nodes.
    pub fn heap_bytes(&self) -> usize {
        self.root.heap_bytes()
    }
}
