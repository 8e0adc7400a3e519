//! The large form: slots in a tree, and a dictionary that finds and owns the entries.

use std::ops::Range;

use super::entry::{Entry, Member};
use super::tree::{Edge, SlotEdge, Tree, Walk};
use crate::value::collection::Sought;
use crate::value::dict::{AHEAD, Dict, Slot};

/// Entries whose sizes stand for all in [`Large::heap_bytes`].
const SAMPLE: usize = 16;

/// A sorted set beyond the thresholds. The tree and the dictionary hold the same entries.
#[derive(Debug)]
pub struct Large {
    tree: Tree,
    members: Dict<Member>,
}

/// Scores whose leaves will be needed: for each member the one that it has and the one that it gets.
#[derive(Default)]
struct Places {
    scores: [f64; 2 * AHEAD],
    count: usize,
}

impl Places {
    fn add(&mut self, score: f64) {
        if let Some(place) = self.scores.get_mut(self.count) {
            *place = score;
            self.count += 1;
        }
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.count]
    }
}

impl Large {
    pub(super) fn new() -> Large {
        Large { tree: Tree::new(), members: Dict::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.members.get(member).map(Entry::score)
    }

    /// Gives a member the score that `decide` makes of the one that it has, if any; whether something changed.
    pub(super) fn alter(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) -> bool {
        match self.members.slot(member) {
            Slot::Occupied(occupied) => {
                let entry = occupied.view();
                let from = entry.score();
                let Some(to) = decide(Some(from)).filter(|to| *to != from) else { return false };
                self.tree.rescore(entry, from, to);
                entry.set_score(to);
            }
            Slot::Vacant(vacant) => {
                let Some(score) = decide(None) else { return false };
                let owner = Member::new(member, score);
                let entry = owner.entry();
                vacant.insert(owner);
                self.tree.insert(score, entry);
            }
        }
        true
    }

    /// Appends a member that is not there and comes after all others.
    pub(super) fn push(&mut self, member: &[u8], score: f64) {
        self.alter(member, |_| Some(score));
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let owner = self.members.remove(member)?;
        let entry = owner.entry();
        self.tree.remove(entry.score(), entry);
        Some(entry.score())
    }

    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        for _ in ranks.clone() {
            let entry = self.tree.at(ranks.start);
            self.tree.remove(entry.score(), entry);
            drop(self.members.remove(entry.member()));
        }
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.count_before(&SlotEdge { score, member, behind: false }), score))
    }

    pub(super) fn count_before(&self, edge: &impl Edge) -> usize {
        self.tree.count_before(edge)
    }

    pub(super) fn walk(&self, ranks: Range<usize>) -> Walk<'_> {
        self.tree.walk(ranks)
    }

    pub(super) fn at(&self, rank: usize) -> Entry {
        self.tree.at(rank)
    }

    /// Visits members from `cursor` on; where to go on, or 0 at the end. See [`Dict::scan`].
    pub(super) fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a [u8], f64)) -> u64 {
        self.members.scan(cursor, count, |entry| visit(entry.member(), entry.score()))
    }

    /// Asks for what changes of the scores of up to [`AHEAD`] members will read: the members, and the leaves that they
    /// are in and go to.
    pub(super) fn look_ahead(&self, sought: &[Sought<'_>]) {
        let mut places = Places::default();
        self.members
            .look_ahead(sought.iter().map(|member| member.name), |_, entry| places.add(entry.score()));
        let new = places.count;
        sought.iter().filter_map(|member| member.score).for_each(|score| places.add(score));
        self.tree.look_ahead(places.scores(), new);
    }

    /// Bytes of heap: of nodes and table as they are, of entries as a sample has them.
    pub(super) fn heap_bytes(&self) -> usize {
        let (len, sampled) = (self.len(), self.len().min(SAMPLE));
        let sample: usize = (0..sampled).map(|at| self.at(at * len / sampled).heap_bytes()).sum();
        let entries = sample.checked_div(sampled).unwrap_or(0).saturating_mul(len);
        size_of::<Large>() + self.tree.heap_bytes() + self.members.heap_bytes() + entries
    }
}

impl Clone for Large {
    fn clone(&self) -> Large {
        let mut copy = Large::new();
        self.walk(0..self.len()).for_each(|(score, entry)| copy.push(entry.member(), score));
        copy
    }
}
