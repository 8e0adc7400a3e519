//! Sorted sets against a sorted vector, on both sides of the limits.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { entries: 24, value: 8 };

type Slot = (f64, Vec<u8>);
type Model = Vec<Slot>;

fn put(model: &mut Model, member: &[u8], score: f64) {
    model.retain(|(_, other)| other != member);
    let at = model.partition_point(|(s, m)| (*s, &m[..]) < (score, member));
    model.insert(at, (score, member.to_vec()));
}

fn owned((member, score): (Item<'_>, f64)) -> (f64, Vec<u8>) {
    (score, member.to_vec())
}

fn check(set: &ZSet, model: &Model) {
    let view = set.view();
    assert_eq!((view.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert!(view.iter().map(owned).eq(model.iter().cloned()));
    assert!(view.iter().rev().map(owned).eq(model.iter().rev().cloned()));
    for (at, (score, member)) in model.iter().enumerate() {
        assert_eq!(view.rank(member), Some((at, *score)));
        assert_eq!(view.score(member), Some(*score));
    }
    let mut scanned = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = view.scan(cursor, 7, |member, score| scanned.push((score, member.to_vec())));
        if cursor == 0 {
            break;
        }
    }
    scanned.sort_by(|a, b| a.partial_cmp(b).expect("no score is NaN"));
    assert_eq!(&scanned, model);
}

fn check_edges(set: &ZSet, model: &Model, score: f64, member: &[u8]) {
    let view = set.view();
    for behind in [false, true] {
        let before = |edge: &dyn Fn(&Slot) -> bool| model.iter().filter(|pair| edge(pair)).count();
        let by_score = before(&|(s, _)| *s < score || (behind && *s == score));
        assert_eq!(view.count_before(&ScoreEdge { score, behind }), by_score);
        let by_slot =
            before(&|(s, m)| (*s, &m[..]) < (score, member) || (behind && (*s, &m[..]) == (score, member)));
        assert_eq!(view.count_before(&SlotEdge { score, member, behind }), by_slot);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, f64),
    Add(Vec<u8>, f64),
    Remove(usize),
    RemoveRanks(usize, usize),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (-40i32..200).prop_map(|number| number.to_string().into_bytes()),
        4 => "[a-d]{0,3}".prop_map(String::into_bytes),
        1 => "[a-d]{9}".prop_map(String::into_bytes),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![(-5i32..6).prop_map(f64::from), -1e3..1e3, Just(f64::INFINITY), Just(-0.0), Just(0.5)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (member(), score()).prop_map(|(member, score)| Step::Put(member, score)),
        2 => (member(), -3.0..3.0).prop_map(|(member, by)| Step::Add(member, by)),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0usize..20).prop_map(|(at, count)| Step::RemoveRanks(at, count)),
    ]
}

fn run(set: &mut ZSet, model: &mut Model, step: &Step) {
    match step {
        Step::Put(member, score) => {
            let old = model.iter().find(|(_, other)| other == member).map(|(score, _)| *score);
            assert_eq!(set.put(member, *score, LIMITS), old != Some(*score));
            if old != Some(*score) {
                put(model, member, *score);
            }
        }
        Step::Add(member, by) => {
            let mut sum = None;
            set.alter(member, LIMITS, |old| {
                sum = old.map(|old| old + by);
                sum
            });
            if let Some(sum) = sum {
                put(model, member, sum);
            }
        }
        Step::Remove(at) if !model.is_empty() => {
            let (score, member) = model.remove(at % model.len());
            assert_eq!(set.remove(&member), Some(score));
            assert_eq!(set.remove(&member), None);
        }
        Step::Remove(_) => assert_eq!(set.remove(b"nobody"), None),
        Step::RemoveRanks(at, count) => {
            let start = at % (model.len() + 1);
            let end = (start + count).min(model.len());
            set.remove_ranks(start..end);
            model.drain(start..end);
        }
    }
}

proptest! {
    #[test]
    fn as_a_sorted_vector(steps in prop::collection::vec(step(), 1..120), probe in (score(), member())) {
        let (mut set, mut model) = (ZSet::new(), Model::new());
        let mut large = false;
        for step in &steps {
            run(&mut set, &mut model, step);
            let beyond = model.len() > LIMITS.entries || model.iter().any(|(_, m)| m.len() > LIMITS.value);
            large |= beyond;
            prop_assert_eq!(set.view().is_packed(), !large);
            check(&set, &model);
        }
        check_edges(&set, &model, probe.0, &probe.1);
        check(&set.clone(), &model);
        if let Some((form, bytes)) = set.packed() {
            check(&ZSet::from_packed(form, bytes.to_vec()), &model);
        }
    }
}

#[test]
fn a_set_that_will_be_large_is_large_at_once() {
    let mut set = ZSet::new();
    set.expect(24, 8, LIMITS);
    assert!(set.view().is_packed());
    set.expect(25, 8, LIMITS);
    assert_eq!((ZSet::encoding(set.view()), set.is_empty()), ("skiplist", true));
}

#[test]
fn a_large_set_says_about_how_much_heap_it_takes() {
    let mut set = ZSet::new();
    for number in 0..10_000 {
        set.put(format!("member{number:010}").as_bytes(), f64::from(number * 7_919 % 10_000), LIMITS);
    }
    let per_member = set.heap_bytes() / 10_000;
    assert!((25 + 16 + 8..80).contains(&per_member), "{per_member}");
}
