use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PLENTY: Limits = Limits { entries: 1000, value: 1000 };
const NOTHING: Limits = Limits { entries: 0, value: 0 };

/// Name to value and deadline.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, ExpireAt)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, Ttl),
    Remove(u8),
    Deadline(u8, ExpireAt),
    Expire(usize),
    Wait(u64),
    Reload,
}

/// Names that are integers, short and long.
fn name(number: u8) -> Vec<u8> {
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => vec![b'n', number],
        _ => [vec![b'x'; 70], vec![number]].concat(),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![
        any::<i16>().prop_map(|int| int.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
        (0usize..400).prop_map(|len| vec![b'v'; len]),
    ];
    let deadline = prop_oneof![Just(NO_EXPIRY), 1u64..200];
    let ttl = prop_oneof![Just(Ttl::Keep), deadline.clone().prop_map(Ttl::Set)];
    let field = 0u8..12;
    let step = prop_oneof![
        5 => (field.clone(), value, ttl).prop_map(|(field, value, ttl)| Step::Set(field, value, ttl)),
        3 => field.clone().prop_map(Step::Remove),
        3 => (field, deadline).prop_map(|(field, deadline)| Step::Deadline(field, deadline)),
        1 => (0usize..4).prop_map(Step::Expire),
        2 => (1u64..20).prop_map(Step::Wait),
        1 => Just(Step::Reload),
    ];
    prop::collection::vec(step, 0..120)
}

/// A hash beside its model, which forgets at once what has expired.
struct Pairing {
    hash: Hash,
    model: Model,
    now: u64,
    limits: Limits,
}

impl Pairing {
    fn run(&mut self, step: Step) {
        match step {
            Step::Set(field, value, ttl) => {
                let before = self.model.get(&name(field)).map_or(NO_EXPIRY, |(_, deadline)| *deadline);
                let new = self.hash.set(&name(field), &value, ttl, self.now, self.limits);
                let old = self.model.insert(name(field), (value, ttl.after(before)));
                assert_eq!(new, old.is_none());
            }
            Step::Remove(field) => {
                let removed = self.hash.remove(&name(field), self.now);
                assert_eq!(removed, self.model.remove(&name(field)).is_some());
            }
            Step::Deadline(field, deadline) => {
                let Some((_, before)) = self.model.get_mut(&name(field)) else { return };
                *before = deadline;
                self.hash.set_deadline(&name(field), deadline);
            }
            Step::Expire(max) => assert!(self.hash.expire_fields(self.now, max) <= max),
            Step::Wait(time) => self.now += time,
            Step::Reload => {
                let packed = self.hash.packed().map(|(form, bytes)| (form, bytes.to_vec()));
                self.hash = match packed {
                    Some((form, bytes)) => Hash::from_packed(form, bytes),
                    None => self.hash.clone(),
                };
            }
        }
        let now = self.now;
        self.model.retain(|_, (_, deadline)| !is_over(*deadline, now));
    }

    fn check(&self) {
        let view = self.hash.view();
        let all: Model = view
            .iter(self.now)
            .map(|pair| (pair.name.to_vec(), (pair.value.to_vec(), pair.deadline)))
            .collect();
        assert_eq!(all, self.model);
        assert_eq!(view.exact_len(self.now), self.model.len());
        for field in 0..12 {
            let found = view.get(&name(field), self.now).map(|pair| (pair.value.to_vec(), pair.deadline));
            assert_eq!(found, self.model.get(&name(field)).cloned());
        }
        let first = self.model.values().map(|(_, deadline)| *deadline).filter(|&at| at != NO_EXPIRY).min();
        let hint = self.hash.next_deadline();
        assert!(first.is_none_or(|first| hint.is_some_and(|hint| hint <= first)), "{hint:?} {first:?}");
    }
}

proptest! {
    #[test]
    fn a_hash_is_a_map_with_deadlines(steps in steps(), kind in 0usize..3) {
        let limits = [PLENTY, NOTHING, Limits { entries: 6, value: 300 }][kind];
        let mut pairing = Pairing { hash: Hash::new(), model: Model::new(), now: 1, limits };
        for step in steps {
            pairing.run(step);
            pairing.check();
        }
        while pairing.hash.expire_fields(u64::MAX, 3) > 0 {}
        pairing.model.retain(|_, (_, deadline)| *deadline == NO_EXPIRY);
        prop_assert_eq!(pairing.hash.view().len(pairing.now), pairing.model.len());
        prop_assert_eq!(pairing.hash.is_empty(), pairing.model.is_empty());
        prop_assert_eq!(pairing.hash.next_deadline(), None);
    }
}

fn filled(count: u64, limits: Limits) -> Hash {
    let mut hash = Hash::new();
    for n in 0..count {
        assert!(hash.set(format!("field:{n}").as_bytes(), b"value", Ttl::Keep, 0, limits));
    }
    hash
}

fn encoding(hash: &Hash) -> &'static str {
    Hash::encoding(hash.view())
}

#[test]
fn it_converts_at_the_thresholds_and_never_back() {
    let limits = Limits { entries: 3, value: 8 };
    let mut hash = filled(3, limits);
    assert_eq!(encoding(&hash), "listpack");
    assert!(!hash.set(b"field:0", b"8 bytes!", Ttl::Keep, 0, limits));
    assert_eq!(encoding(&hash), "listpack");
    assert!(hash.set(b"field:3", b"", Ttl::Keep, 0, limits));
    assert_eq!(encoding(&hash), "hashtable");
    assert!((0..4).all(|n| hash.remove(format!("field:{n}").as_bytes(), 0)));
    assert_eq!((encoding(&hash), hash.is_empty()), ("hashtable", true));
    for (name, value) in [(&b"9 bytes.."[..], &b""[..]), (b"", b"9 bytes..")] {
        let mut hash = Hash::new();
        hash.set(name, value, Ttl::Keep, 0, limits);
        assert_eq!(encoding(&hash), "hashtable");
    }
    let mut hash = filled(1, limits);
    hash.set_deadline(b"field:0", 5);
    assert_eq!(encoding(&hash), "listpackex");
    hash.set_deadline(b"field:0", NO_EXPIRY);
    assert_eq!(encoding(&hash), "listpackex");
}

/// A field that gets a new deadline again and again leaves its old places in the queue, but not for long.
#[test]
fn stale_deadlines_do_not_pile_up() {
    let mut hash = filled(10, NOTHING);
    let before = hash.heap_bytes();
    (1..100_000).for_each(|at| _ = hash.set(b"field:1", b"value", Ttl::Set(at), 0, NOTHING));
    assert!(hash.heap_bytes() < before + 8192, "{} after {before}", hash.heap_bytes());
    assert_eq!(hash.expire_fields(100_000, 10), 1);
    assert_eq!(hash.next_deadline(), None);
}

fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let x = state ^ state >> 33;
        x.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ x >> 29
    }
}

#[test]
fn samples_are_different_fields_and_even() {
    const FIELDS: u64 = 20;
    let mut random = numbers(7);
    for (limits, timed) in [(PLENTY, false), (NOTHING, false), (NOTHING, true)] {
        let mut hash = filled(FIELDS + 1, limits);
        if timed {
            hash.set_deadline(b"field:20", 5);
        } else {
            hash.remove(b"field:20", 0);
        }
        for count in [0, 1, 5, 15, 20, 30] {
            let mut drawn = vec![0u64; FIELDS as usize];
            for _ in 0..2000 {
                let sample = hash.view().sample(count, 10, &mut random);
                assert_eq!(sample.len(), count.min(FIELDS as usize));
                for pair in sample {
                    let name = String::from_utf8(pair.name.to_vec()).expect("text");
                    drawn[name["field:".len()..].parse::<usize>().expect("a number")] += 1;
                }
            }
            let mean = 2000 * (count as u64).min(FIELDS) / FIELDS;
            assert!(drawn.iter().all(|&times| times.abs_diff(mean) <= 150), "{count} of {mean}: {drawn:?}");
        }
    }
}

#[test]
fn a_random_field_is_one_that_is_there() {
    let mut random = numbers(3);
    for limits in [PLENTY, NOTHING] {
        let mut hash = filled(400, limits);
        (1..400).for_each(|n| hash.set_deadline(format!("field:{n}").as_bytes(), 5));
        let found = hash.view().random(10, &mut random).map(|pair| pair.name.to_vec());
        assert_eq!(found, Some(b"field:0".to_vec()));
        hash.remove(b"field:0", 10);
        assert!(hash.view().random(10, &mut random).is_none());
    }
}
