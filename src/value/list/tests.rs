//! Lists against a queue of texts: whatever is done to both, they have the same elements.

use std::collections::VecDeque;

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Push(bool, Vec<Vec<u8>>),
    Pop(bool, usize),
    Set(prop::sample::Index, Vec<u8>),
    Insert(prop::sample::Index, bool, Vec<u8>),
    Remove(prop::sample::Index, bool, usize),
    Trim(prop::sample::Index, prop::sample::Index),
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (-200i64..200).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        3 => proptest::collection::vec(any::<u8>(), 0..70),
        2 => proptest::collection::vec(b'a'..b'c', 60..400),
        1 => (0usize..9000).prop_map(|len| vec![b'x'; len]),
        1 => Just(vec![b'y'; 70_000]),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (any::<bool>(), proptest::collection::vec(texts(), 1..20)).prop_map(|(l, t)| Act::Push(l, t)),
        2 => (any::<bool>(), 0usize..20).prop_map(|(left, count)| Act::Pop(left, count)),
        1 => (index(), texts()).prop_map(|(at, text)| Act::Set(at, text)),
        2 => (index(), any::<bool>(), texts()).prop_map(|(at, behind, text)| Act::Insert(at, behind, text)),
        1 => (index(), any::<bool>(), 1usize..4).prop_map(|(at, left, most)| Act::Remove(at, left, most)),
        1 => (index(), index()).prop_map(|(from, to)| Act::Trim(from, to)),
    ]
}

fn side(left: bool) -> Side {
    if left { Side::Left } else { Side::Right }
}

/// The list and its model.
struct Pair {
    list: List,
    model: VecDeque<Vec<u8>>,
    limits: Limits,
}

impl Pair {
    fn new(size: i64, depth: usize) -> Pair {
        Pair { list: List::new(), model: VecDeque::new(), limits: Limits::new(size, depth) }
    }

    fn element(&self, at: &prop::sample::Index) -> Option<Vec<u8>> {
        (!self.model.is_empty()).then(|| self.model[at.index(self.model.len())].clone())
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Push(left, texts) => self.push(*left, texts),
            Act::Pop(left, count) => self.pop(*left, *count),
            Act::Set(at, text) => {
                let index = at.index(self.model.len() + 1);
                let there = self.model.get_mut(index).map(|old| *old = text.clone()).is_some();
                assert_eq!(self.list.set(index, text, &self.limits), there);
            }
            Act::Insert(at, behind, text) => self.insert(at, *behind, text),
            Act::Remove(at, left, most) => self.remove(at, *left, *most),
            Act::Trim(from, to) => {
                let from = from.index(self.model.len() + 1);
                let count = to.index(self.model.len() - from + 1);
                self.list.trim(from, count, &self.limits);
                self.model = self.model.iter().skip(from).take(count).cloned().collect();
            }
        }
    }

    fn push(&mut self, left: bool, texts: &[Vec<u8>]) {
        self.list.push(side(left), texts.iter().map(|text| &text[..]), &self.limits);
        for text in texts {
            if left { self.model.push_front(text.clone()) } else { self.model.push_back(text.clone()) }
        }
    }

    fn pop(&mut self, left: bool, count: usize) {
        let mut popped = Vec::new();
        self.list.pop(side(left), count, &self.limits, |item| popped.push(item.to_vec()));
        for _ in 0..count.min(self.model.len()) {
            let expected = if left { self.model.pop_front() } else { self.model.pop_back() };
            assert_eq!(Some(popped.remove(0)), expected);
        }
        assert!(popped.is_empty());
    }

    fn insert(&mut self, at: &prop::sample::Index, behind: bool, text: &[u8]) {
        let pivot = self.element(at).unwrap_or_default();
        let found = self.model.iter().position(|it| *it == pivot);
        assert_eq!(self.list.insert(&pivot, behind, text, &self.limits), found.is_some());
        if let Some(index) = found {
            self.model.insert(index + usize::from(behind), text.to_vec());
        }
    }

    fn remove(&mut self, at: &prop::sample::Index, left: bool, most: usize) {
        let wanted = self.element(at).unwrap_or_default();
        let mut removed = 0;
        for _ in 0..most {
            let mut places = self.model.iter();
            let found =
                if left { places.position(|it| *it == wanted) } else { places.rposition(|it| *it == wanted) };
            let Some(index) = found else { break };
            self.model.remove(index);
            removed += 1;
        }
        assert_eq!(self.list.remove(&wanted, side(left), most, &self.limits), removed);
    }

    fn check(&self) {
        let view = self.list.view();
        assert_eq!((view.len(), view.is_empty()), (self.model.len(), self.model.is_empty()));
        let mut all = Vec::new();
        view.visit(0, usize::MAX, |item| all.push(item.to_vec()));
        assert!(all.iter().eq(self.model.iter()));
        for index in [0, 1, self.model.len() / 2, self.model.len().saturating_sub(1), self.model.len()] {
            assert_eq!(view.at(index, |item| item.to_vec()), self.model.get(index).cloned());
        }
        let mut back = Vec::new();
        view.walk(Side::Right, |index, item| {
            back.push((index, item.to_vec()));
            back.len() < 100
        });
        assert!(back.iter().cloned().eq(self.model.iter().cloned().enumerate().rev().take(100)));
        if let List::Chunks(chunks) = &self.list {
            check_chunks(chunks);
        }
    }
}

/// The rules at the head of `chunks`.
fn check_chunks(chunks: &Chunks) {
    let all = chunks.chunks.len();
    assert_eq!(chunks.chunks.iter().map(chunk::Chunk::count).sum::<usize>(), chunks.len());
    assert!(chunks.quick || all <= 1);
    for (at, chunk) in chunks.chunks.iter().enumerate() {
        assert!(chunk.count() > 0);
        let mut scratch = Vec::new();
        let run = chunk.run(&mut scratch);
        let entries = record::Records::new(run).map(|record| limits::listpack_len(record.item(run)));
        assert_eq!(entries.sum::<usize>(), chunk.listpack());
        if at < 1 || at + 1 == all {
            assert!(!chunk.is_compressed(), "an end is plain at any depth");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_list_is_what_was_done_to_it(
        size in prop_oneof![Just(-2i64), Just(-1), Just(-5), 0i64..40],
        depth in 0usize..3,
        acts in proptest::collection::vec(acts(), 1..60),
    ) {
        let mut pair = Pair::new(size, depth);
        for act in &acts {
            pair.act(act);
            pair.check();
        }
    }

    #[test]
    fn a_clone_stands_for_itself(texts in proptest::collection::vec(texts(), 1..40)) {
        let mut pair = Pair::new(-1, 1);
        pair.push(false, &texts);
        let mut copy = Pair { list: pair.list.clone(), model: pair.model.clone(), limits: pair.limits };
        copy.pop(true, usize::MAX);
        pair.check();
    }
}

/// Elements of eight bytes.
fn words(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("word{n:04}").into_bytes()).collect()
}

#[test]
fn inner_chunks_are_compressed_and_give_their_memory_back() {
    let (mut plain, mut small) = (Pair::new(-1, 0), Pair::new(-1, 1));
    for texts in [&mut plain, &mut small] {
        let elements: Vec<_> =
            (0..40_000).map(|n| format!("an element with the number {n}").into_bytes()).collect();
        texts.push(false, &elements);
        texts.check();
    }
    assert!(small.list.heap_bytes() * 2 < plain.list.heap_bytes());
    let List::Chunks(chunks) = &small.list else { panic!("it is long") };
    let inner = chunks.chunks.iter().filter(|chunk| chunk.is_compressed()).count();
    assert_eq!(inner, chunks.chunks.len() - 2);
}

#[test]
fn the_form_follows_the_length_both_ways() {
    let encoding = |pair: &Pair| List::encoding(pair.list.view());
    let mut pair = Pair::new(-1, 0);
    pair.push(false, &words(10));
    assert!(matches!(pair.list, List::Packed(_)));
    pair.push(false, &words(100));
    assert!(matches!(pair.list, List::Chunks(_)));
    assert_eq!(encoding(&pair), "listpack");
    pair.push(true, &words(400));
    assert_eq!(encoding(&pair), "quicklist");
    pair.pop(true, 400);
    assert_eq!(encoding(&pair), "listpack");
    pair.pop(false, 100);
    assert!(matches!(pair.list, List::Packed(_)));
}

#[test]
fn a_limit_on_elements_makes_a_quicklist_of_few() {
    let mut pair = Pair::new(4, 0);
    pair.push(false, &words(4));
    assert_eq!(List::encoding(pair.list.view()), "listpack");
    pair.push(false, &words(1));
    assert_eq!(List::encoding(pair.list.view()), "quicklist");
    pair.pop(false, 1);
    assert_eq!(List::encoding(pair.list.view()), "quicklist");
    pair.pop(false, 2);
    assert_eq!(List::encoding(pair.list.view()), "listpack");
    pair.check();
}

#[test]
fn a_queue_that_moves_through_a_list_keeps_it_small() {
    let mut pair = Pair::new(-2, 0);
    pair.push(false, &words(2000));
    let before = pair.list.heap_bytes();
    for _ in 0..200 {
        pair.push(false, &words(100));
        pair.pop(true, 100);
    }
    pair.check();
    assert!(pair.list.heap_bytes() < 2 * before, "{} after {before}", pair.list.heap_bytes());
}
