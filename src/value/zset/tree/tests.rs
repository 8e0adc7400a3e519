//! The tree against a sorted vector.

use super::*;
use crate::value::zset::entry::Member;
use proptest::prelude::*;
use std::collections::HashMap;

/// A tree, and the same slots in a sorted vector.
struct Pair {
    tree: Tree,
    model: Vec<(f64, Entry)>,
    owners: HashMap<Vec<u8>, Member>,
}

fn member(number: u16) -> Vec<u8> {
    format!("m{number}").into_bytes()
}

impl Pair {
    fn new() -> Pair {
        Pair { tree: Tree::new(), model: Vec::new(), owners: HashMap::new() }
    }

    fn place(&self, score: f64, member: &[u8]) -> usize {
        self.model.partition_point(|(s, e)| (*s, e.member()) < (score, member))
    }

    fn put(&mut self, score: f64, number: u16) {
        let member = member(number);
        let entry = match self.model.iter().position(|(_, entry)| entry.member() == member) {
            Some(at) => {
                let (from, entry) = self.model.remove(at);
                self.tree.rescore(entry, from, score);
                entry
            }
            None => {
                let owner = Member::new(&member, score);
                let entry = owner.entry();
                self.owners.insert(member.clone(), owner);
                self.tree.insert(score, entry);
                entry
            }
        };
        self.model.insert(self.place(score, &member), (score, entry));
    }

    fn remove(&mut self, at: usize) {
        if self.model.is_empty() {
            return;
        }
        let (score, entry) = self.model.remove(at % self.model.len());
        self.tree.remove(score, entry);
        self.owners.remove(entry.member());
    }

    fn check(&self) {
        check_node(&self.tree.root, true);
        assert_eq!(self.tree.root.count(), self.model.len());
        assert!(self.tree.walk(0..self.model.len()).eq(self.model.iter().copied()));
    }

    fn check_places(&self, score: f64, number: u16) {
        let member = member(number);
        let slot = |behind| SlotEdge { score, member: &member, behind };
        let by_score = |behind| self.tree.count_before(&ScoreEdge { score, behind });
        let expected = self.place(score, &member);
        let there = self.model.get(expected).is_some_and(|(s, e)| *s == score && e.member() == member);
        assert_eq!(self.tree.count_before(&slot(false)), expected);
        assert_eq!(self.tree.count_before(&slot(true)), expected + usize::from(there));
        assert_eq!(by_score(false), self.model.partition_point(|(s, _)| *s < score));
        assert_eq!(by_score(true), self.model.partition_point(|(s, _)| *s <= score));
    }

    fn check_walk(&self, from: usize, to: usize) {
        let (from, to) = (from % (self.model.len() + 1), to % (self.model.len() + 1));
        let range = from.min(to)..from.max(to);
        let expected = &self.model[range.clone()];
        assert!(self.tree.walk(range.clone()).eq(expected.iter().copied()));
        assert!(self.tree.walk(range.clone()).rev().eq(expected.iter().rev().copied()));
        // From both ends in turn.
        let (mut walk, mut model) = (self.tree.walk(range), expected.iter().copied());
        for turn in 0..=expected.len() {
            match turn % 3 {
                0 => assert_eq!(walk.next(), model.next()),
                _ => assert_eq!(walk.next_back(), model.next_back()),
            }
        }
    }
}

/// Rules 1 and 2; the depth.
fn check_node(node: &Node, is_root: bool) -> usize {
    assert!(is_root || node.len() > 0);
    let Node::Inner(inner) = node else { return 0 };
    assert!(!is_root || inner.len() > 1);
    let mut depths: Vec<usize> = inner.children().map(|child| check_node(child, false)).collect();
    let counts: Vec<usize> = (0..=inner.len()).map(|at| inner.count_before(at)).collect();
    for at in 0..inner.len() {
        let (score, entry) = inner.child(at).first();
        assert_eq!(counts[at + 1] - counts[at], inner.child(at).count());
        let edge = SlotEdge { score, member: entry.member(), behind: true };
        assert_eq!(inner.child_at(&edge), at);
    }
    depths.dedup();
    assert_eq!(depths.len(), 1);
    depths[0] + 1
}

#[derive(Clone, Debug)]
enum Step {
    Put(f64, u16),
    /// Puts this many members with rising scores.
    Rise(u16, u16),
    Remove(usize),
    /// Removes this many at one place.
    Drain(usize, u16),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5i32..6).prop_map(f64::from),
        -1e3..1e3,
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (score(), 0u16..3000).prop_map(|(score, number)| Step::Put(score, number)),
        2 => (0u16..3000, 1u16..400).prop_map(|(from, count)| Step::Rise(from, count)),
        3 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), 1u16..500).prop_map(|(at, count)| Step::Drain(at, count)),
    ]
}

fn run(pair: &mut Pair, step: &Step) {
    match *step {
        Step::Put(score, number) => pair.put(score, number),
        Step::Rise(from, count) => {
            (from..from + count).for_each(|number| pair.put(f64::from(number) / 7.0, number));
        }
        Step::Remove(at) => pair.remove(at),
        Step::Drain(at, count) => (0..count).for_each(|_| pair.remove(at)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn as_a_sorted_vector(
        steps in prop::collection::vec(step(), 1..60),
        probes in prop::collection::vec((score(), 0u16..3000, any::<usize>(), any::<usize>()), 8),
    ) {
        let mut pair = Pair::new();
        for step in &steps {
            run(&mut pair, step);
            pair.check();
        }
        for (score, number, from, to) in probes {
            pair.check_places(score, number);
            pair.check_walk(from, to);
        }
    }
}

/// A tree three levels deep is filled in several orders and emptied in others.
#[test]
fn deep_trees_grow_and_shrink() {
    let order = |at: usize, kind: usize| match kind {
        0 => at,
        1 => 9_999 - at,
        _ => at * 7_919 % 10_000,
    };
    for fill in 0..3 {
        for empty in 0..3 {
            let owners: Vec<Member> =
                (0..10_000).map(|at| Member::new(&member(at as u16), at as f64 / 2.0)).collect();
            let entries: Vec<Entry> = owners.iter().map(Member::entry).collect();
            let mut tree = Tree::new();
            (0..10_000)
                .map(|at| entries[order(at, fill)])
                .for_each(|entry| tree.insert(entry.score(), entry));
            assert_eq!((check_node(&tree.root, true), tree.root.count()), (2, 10_000));
            for left in (0..10_000).rev() {
                let entry = entries[order(left, empty)];
                tree.remove(entry.score(), entry);
                if left % 997 == 0 {
                    check_node(&tree.root, true);
                    assert_eq!(tree.root.count(), left);
                }
            }
            assert!(matches!(tree.root, Node::Leaf(_)));
        }
    }
}

#[test]
fn by_member_when_scores_are_equal() {
    let mut pair = Pair::new();
    (0..2000).for_each(|number| pair.put(0.0, number));
    for number in [0, 7, 1999, 2000] {
        let member = member(number);
        let count = |behind| pair.tree.count_before(&LexEdge { member: &member, behind });
        assert_eq!(count(false), pair.model.partition_point(|(_, e)| e.member() < &member[..]));
        assert_eq!(count(true), pair.model.partition_point(|(_, e)| e.member() <= &member[..]));
    }
}

#[test]
fn nodes_fill_their_size_classes() {
    assert_eq!((size_of::<Leaf>(), size_of::<Inner>()), (504, 4088));
}

#[test]
fn slots_filled_in_order_take_little_more_than_their_bytes() {
    let owners: Vec<Member> = (0..50_000).map(|at| Member::new(b"", f64::from(at))).collect();
    let mut tree = Tree::new();
    owners.iter().map(Member::entry).for_each(|entry| tree.insert(entry.score(), entry));
    assert!(tree.heap_bytes() < 50_000 * 18);
}
