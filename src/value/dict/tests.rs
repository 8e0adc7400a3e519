use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// An entry that counts how many of its kind live.
#[derive(Clone)]
struct Pair(Box<Content>);

#[derive(Clone)]
struct Content {
    key: Vec<u8>,
    value: u64,
    _alive: Arc<()>,
}

// SAFETY: a box's address is even and below 2^48; its content stays where it is.
unsafe impl Entry for Pair {
    type View<'a> = (&'a [u8], u64);

    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Pair {
        // SAFETY: it came from `into_raw`.
        Pair(unsafe { Box::from_raw(raw.cast::<Content>().as_ptr()) })
    }

    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: it came from `into_raw`, and nobody changes it.
        unsafe { &raw.cast::<Content>().as_ref().key }
    }

    unsafe fn view<'a>(raw: NonNull<u8>) -> (&'a [u8], u64) {
        // SAFETY: as above.
        let content = unsafe { raw.cast::<Content>().as_ref() };
        (&content.key, content.value)
    }
}

/// A table, and what tells how many of its entries live.
struct Fixture {
    dict: Dict<Pair>,
    alive: Arc<()>,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { dict: Dict::new(), alive: Arc::new(()) }
    }

    fn with(count: u64) -> Fixture {
        let mut fixture = Fixture::new();
        (0..count).for_each(|n| assert!(fixture.insert(n, n).is_none()));
        fixture
    }

    fn pair(&self, key: u64, value: u64) -> Pair {
        let alive = self.alive.clone();
        Pair(Box::new(Content { key: key.to_string().into_bytes(), value, _alive: alive }))
    }

    fn insert(&mut self, key: u64, value: u64) -> Option<u64> {
        let pair = self.pair(key, value);
        self.dict.insert(pair).map(|old| old.0.value)
    }

    fn remove(&mut self, key: u64) -> Option<u64> {
        self.dict.remove(key.to_string().as_bytes()).map(|old| old.0.value)
    }

    fn get(&self, key: u64) -> Option<u64> {
        self.dict.get(key.to_string().as_bytes()).map(|(_, value)| value)
    }

    fn alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }
}

fn number(key: &[u8]) -> u64 {
    std::str::from_utf8(key).expect("digits").parse().expect("a number")
}

/// Evenly distributed numbers (splitmix64).
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    Modify(u64, u64),
    Upsert(u64, u64),
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..80u64;
    let step = prop_oneof![
        6 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        5 => key.clone().prop_map(Step::Remove),
        2 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Modify(key, value)),
        4 => (key, any::<u64>()).prop_map(|(key, value)| Step::Upsert(key, value)),
        1 => Just(Step::Clone),
    ];
    prop::collection::vec(step, 0..400)
}

fn run(fixture: &mut Fixture, model: &mut HashMap<u64, u64>, step: Step) {
    match step {
        Step::Insert(key, value) => assert_eq!(fixture.insert(key, value), model.insert(key, value)),
        Step::Remove(key) => assert_eq!(fixture.remove(key), model.remove(&key)),
        Step::Modify(key, value) => {
            let text = key.to_string();
            let Slot::Occupied(found) = fixture.dict.slot(text.as_bytes()) else {
                return assert!(!model.contains_key(&key));
            };
            assert_eq!(found.view(), (text.as_bytes(), model[&key]));
            found.modify(|pair| pair.0.value = value);
            model.insert(key, value);
        }
        Step::Upsert(key, value) => {
            let pair = fixture.pair(key, value);
            let old = match fixture.dict.slot(key.to_string().as_bytes()) {
                Slot::Occupied(found) => Some(found.replace(pair).0.value),
                Slot::Vacant(vacant) => {
                    vacant.insert(pair);
                    None
                }
            };
            assert_eq!(old, model.insert(key, value));
        }
        Step::Clone => fixture.dict = fixture.dict.clone(),
    }
}

proptest! {
    #[test]
    fn it_is_a_map(steps in steps()) {
        let (mut fixture, mut model) = (Fixture::new(), HashMap::new());
        for step in steps {
            run(&mut fixture, &mut model, step);
            prop_assert_eq!(fixture.dict.len(), model.len());
            prop_assert_eq!(fixture.alive(), model.len());
        }
        let all: HashMap<u64, u64> = fixture.dict.iter().map(|(key, value)| (number(key), value)).collect();
        prop_assert_eq!(&all, &model);
        (0..80).for_each(|key| assert_eq!(fixture.get(key), model.get(&key).copied()));
    }

    /// The number of other entries swings by powers of two, so that the table grows and shrinks between the steps.
    #[test]
    fn a_scan_misses_nothing_that_stays(seed: u64, sizes in prop::collection::vec(0u32..11, 1..20)) {
        const STAYING: u64 = 100;
        let mut fixture = Fixture::with(STAYING);
        let (mut random, mut seen, mut cursor, mut others) = (numbers(seed), HashSet::new(), 0, 0);
        for size in sizes.iter().cycle() {
            let wanted = (1u64 << size) + random() % 50;
            (others..wanted).for_each(|n| _ = fixture.insert(STAYING + n, n));
            (wanted..others).for_each(|n| _ = fixture.remove(STAYING + n));
            others = wanted;
            let count = (random() % 40) as usize + 1;
            cursor = fixture.dict.scan(cursor, count, |(key, _)| _ = seen.insert(number(key)));
            if cursor == 0 {
                break;
            }
        }
        prop_assert!((0..STAYING).all(|key| seen.contains(&key)));
    }
}

#[test]
fn looking_ahead_finds_what_is_there() {
    for count in [0, 1, 7, 3000] {
        let fixture = Fixture::with(count);
        let keys: Vec<Vec<u8>> = (0..AHEAD as u64 + 3).map(|n| n.to_string().into_bytes()).collect();
        let mut found = Vec::new();
        fixture.dict.look_ahead(keys.iter().map(|key| &key[..]), |at, (key, _)| {
            // Only tags were compared, so the key may be another's; here none has the tag of one before it.
            if key == keys[at] {
                found.push(at as u64);
            }
        });
        let there = count.min(AHEAD as u64);
        assert!(found.len() as u64 + 1 >= there && found.iter().all(|at| *at < there), "{count}: {found:?}");
    }
}

#[test]
fn a_table_of_many_entries_keeps_them_all() {
    const MANY: u64 = 50_000;
    let mut fixture = Fixture::with(MANY);
    assert!((0..MANY).all(|key| fixture.get(key) == Some(key)));
    assert_eq!((fixture.get(MANY), fixture.dict.iter().len()), (None, MANY as usize));
    assert!((0..MANY - 3).all(|key| fixture.remove(key) == Some(key)));
    assert!((MANY - 3..MANY).all(|key| fixture.get(key) == Some(key)));
    assert!(fixture.dict.segments.len() <= 3, "the buckets are given back");
    assert_eq!(fixture.alive(), 3);
    fixture.dict = Dict::new();
    assert_eq!(fixture.alive(), 0);
}

#[test]
fn a_whole_scan_of_a_resting_table_visits_each_entry_once() {
    for count in [0, 1, 5, 6, 7, 100, 3000] {
        let fixture = Fixture::with(count);
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            let before = seen.len();
            cursor = fixture.dict.scan(cursor, 10, |(key, _)| seen.push(number(key)));
            assert!(cursor == 0 || seen.len() >= before + 10);
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..count), "{count} entries");
    }
}

#[test]
fn random_entries_are_drawn_evenly() {
    const ENTRIES: u64 = 200;
    const DRAWS: u64 = 200_000;
    let (fixture, mut random) = (Fixture::with(ENTRIES), numbers(1));
    let mut drawn = vec![0u64; ENTRIES as usize];
    for _ in 0..DRAWS {
        drawn[fixture.dict.random(&mut random).expect("it is not empty").1 as usize] += 1;
    }
    // Six standard deviations of a count.
    let (mean, slack) = (DRAWS / ENTRIES, 190);
    assert!(drawn.iter().all(|&count| count.abs_diff(mean) < slack), "{drawn:?}");
    assert!(Fixture::new().dict.random(&mut random).is_none());
}

/// Lines behind the heads of the chains.
fn chained(dict: &Dict<Pair>) -> usize {
    let lengths = (0..dict.segments.len()).map(|index| dict.segments.get(index).iter().count());
    lengths.filter(|&length| length > bucket::SLOTS).map(|length| (length - 2) / 7).sum()
}

#[test]
fn the_table_takes_less_than_fourteen_bytes_per_entry() {
    let mut fixture = Fixture::new();
    let mut per_entry = Vec::new();
    for size in [40_000, 60_000, 80_000] {
        (fixture.dict.len() as u64..size).for_each(|n| _ = fixture.insert(n, n));
        let bytes = fixture.dict.segments.heap_bytes() + chained(&fixture.dict) * size_of::<Bucket>();
        let estimate = fixture.dict.heap_bytes();
        assert!(estimate.abs_diff(bytes) < bytes / 12, "{estimate} for {bytes}");
        per_entry.push(bytes as f64 / size as f64);
    }
    let mean = per_entry.iter().sum::<f64>() / per_entry.len() as f64;
    assert!(mean < 14.0, "{per_entry:?}");
}

/// An edit that panics leaves the entry, changed or not, where it was.
#[test]
fn a_panicking_edit_loses_no_entry() {
    let mut fixture = Fixture::with(10);
    let replacement = fixture.pair(3, 33);
    let edit = std::panic::AssertUnwindSafe(|| {
        let Slot::Occupied(found) = fixture.dict.slot(b"3") else { panic!("it is there") };
        found.modify(|pair| {
            *pair = replacement;
            panic!("in the middle");
        })
    });
    std::panic::catch_unwind(edit).expect_err("it panics");
    assert_eq!((fixture.get(3), fixture.alive()), (Some(33), 10));
}
