//! Sets against a model, in all forms.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::value::collection::Collection;

const LIMITS: Limits = Limits { ints: 8, entries: 6, value: 10 };
const REDIS: Limits = Limits { ints: 512, entries: 128, value: 64 };

fn members(set: &Set) -> HashSet<Vec<u8>> {
    let all: Vec<Vec<u8>> = set.view().iter().map(Item::to_vec).collect();
    let set: HashSet<Vec<u8>> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len());
    set
}

fn insert(set: &mut Set, text: &str, limits: &Limits) -> bool {
    set.insert(Item::Text(text.as_bytes()), limits)
}

/// A fixed sequence of numbers that look random.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 88_172_645_463_325_252u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        (-20i64..20).prop_map(|int| int.to_string()),
        any::<i64>().prop_map(|int| int.to_string()),
        "[a-z0-9]{0,3}",
        "[a-z]{9,12}",
    ]
}

proptest! {
    #[test]
    fn every_form_is_a_set(steps in proptest::collection::vec((0..4, text()), 0..60), hint in 0usize..12) {
        let (mut set, mut model) = (Set::new(), HashSet::<Vec<u8>>::new());
        if let Some((_, first)) = steps.first() {
            set.expect(first.as_bytes(), hint, &LIMITS);
        }
        for (step, text) in steps {
            let bytes = text.as_bytes();
            match step {
                0 => prop_assert_eq!(set.remove(bytes), model.remove(bytes)),
                _ => prop_assert_eq!(insert(&mut set, &text, &LIMITS), model.insert(bytes.to_vec())),
            }
            prop_assert_eq!(set.view().contains(Item::Text(bytes)), model.contains(bytes));
            prop_assert_eq!(set.view().len(), model.len());
        }
        prop_assert_eq!(&members(&set), &model);
        if let Some((form, bytes)) = set.packed() {
            prop_assert_eq!(&members(&Set::from_packed(form, bytes.to_vec())), &model);
        }
        let mut scanned = HashSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.view().scan(cursor, 3, |item| _ = scanned.insert(item.to_vec()));
            if cursor == 0 {
                break;
            }
        }
        prop_assert_eq!(&scanned, &model);
    }

    #[test]
    fn members_are_taken_once(texts in proptest::collection::hash_set(text(), 1..40), count in 0usize..45) {
        let mut set = Set::new();
        texts.iter().for_each(|text| assert!(insert(&mut set, text, &LIMITS)));
        let all = members(&set);
        let taken: HashSet<Vec<u8>> = match set.take_many(count, &LIMITS, &mut numbers()) {
            Popped::Some(taken) => taken.iter().map(|taken| taken.item().to_vec()).collect(),
            Popped::Most(before) => members(&before),
        };
        let left = members(&set);
        prop_assert_eq!(taken.len(), count.min(all.len()));
        prop_assert_eq!(left.len() + taken.len(), all.len());
        prop_assert_eq!(left.union(&taken).cloned().collect::<HashSet<_>>(), all);
    }

    #[test]
    fn samples_are_different_members(texts in proptest::collection::hash_set(text(), 1..40), count in 0usize..45) {
        let mut set = Set::new();
        texts.iter().for_each(|text| assert!(insert(&mut set, text, &LIMITS)));
        let mut seen = HashSet::new();
        set.view().sample(count, &mut numbers(), |item| assert!(seen.insert(item.to_vec())));
        prop_assert_eq!(seen.len(), count.min(texts.len()));
        prop_assert!(seen.is_subset(&members(&set)));
        let mut drawn = 0;
        set.view().draw(count, &mut numbers(), |item| {
            assert!(set.view().contains(item));
            drawn += 1;
        });
        prop_assert_eq!(drawn, count);
    }
}

fn filled(texts: impl Iterator<Item = String>, limits: &Limits) -> Set {
    let mut set = Set::new();
    texts.for_each(|text| assert!(insert(&mut set, &text, limits)));
    set
}

fn encoding(set: &Set) -> &'static str {
    Set::encoding(set.view())
}

#[test]
fn forms_change_as_in_redis() {
    let ints = |count: usize| filled((0..count).map(|int| int.to_string()), &REDIS);
    assert_eq!((encoding(&ints(512)), encoding(&ints(513))), ("intset", "hashtable"));
    let texts = |count: usize| filled((0..count).map(|int| format!("m{int}")), &REDIS);
    assert_eq!((encoding(&texts(128)), encoding(&texts(129))), ("listpack", "hashtable"));
    for (count, expected) in [(0, "listpack"), (127, "listpack"), (128, "hashtable")] {
        let mut set = ints(count);
        assert!(insert(&mut set, "text", &REDIS));
        assert_eq!(encoding(&set), expected, "{count}");
    }
    for (len, expected) in [(64, "listpack"), (65, "hashtable")] {
        let mut set = ints(1);
        assert!(insert(&mut set, &"x".repeat(len), &REDIS));
        assert_eq!(encoding(&set), expected, "{len}");
    }
    let mut set = ints(3);
    assert!(insert(&mut set, "x", &Limits { value: 0, ..REDIS }));
    assert_eq!(encoding(&set), "hashtable");
}

#[test]
fn the_first_members_choose_the_form() {
    for (first, count, expected) in
        [("1", 512, "intset"), ("1", 513, "hashtable"), ("x", 128, "listpack"), ("x", 129, "hashtable")]
    {
        let mut set = Set::new();
        set.expect(first.as_bytes(), count, &REDIS);
        assert_eq!(encoding(&set), expected, "{first} {count}");
    }
    let mut set = filled(["1".to_string()].into_iter(), &REDIS);
    set.expect(b"2", 513, &REDIS);
    assert_eq!(encoding(&set), "hashtable");
}

#[test]
fn integers_alone_become_an_array_again() {
    let mut set = filled(["x", "3", "1"].iter().map(|text| text.to_string()), &REDIS);
    set.prefer_ints(&REDIS);
    assert_eq!(encoding(&set), "listpack");
    assert!(set.remove(b"x"));
    set.prefer_ints(&REDIS);
    assert_eq!(set.view().iter().collect::<Vec<_>>(), [Item::Int(1), Item::Int(3)]);
}

/// Each member is taken, drawn and sampled as often as any other: a chi-square test far beyond any doubt.
#[test]
fn chances_are_even() {
    const ROUNDS: usize = 20_000;
    for (limits, size) in
        [(REDIS, 20), (Limits { ints: 0, entries: 0, value: 0 }, 20), (Limits { entries: 0, ..REDIS }, 20)]
    {
        for text in ["", "m"] {
            let set = filled((0..size).map(|int| format!("{text}{int}")), &limits);
            let mut random = numbers();
            let mut counts = vec![[0usize; 3]; size];
            let number = |item: Item<'_>| -> usize {
                let text = item.to_vec();
                let digits = text.strip_prefix(b"m").unwrap_or(&text);
                std::str::from_utf8(digits).expect("digits").parse().expect("a number")
            };
            for _ in 0..ROUNDS {
                let taken = set.clone().take(&mut random).expect("a member");
                counts[number(taken.item())][0] += 1;
                set.view().draw(1, &mut random, |item| counts[number(item)][1] += 1);
                set.view().sample(1, &mut random, |item| counts[number(item)][2] += 1);
            }
            let expected = ROUNDS / size;
            for way in 0..3 {
                let off: usize = counts.iter().map(|count| count[way].abs_diff(expected).pow(2)).sum();
                assert!(off / expected < 80, "{way}: {counts:?}");
            }
        }
    }
}
