//! Random sketches and random damage.

use super::sparse::SparseOutcome;
use super::*;
use proptest::prelude::*;
use std::thread;

/// Added one after another, as far as the sketch stays sparse; then as the dense one it became.
fn build(elements: &[Vec<u8>], max_bytes: usize) -> (Option<Vec<u8>>, Dense) {
    let mut value = sparse::new_empty();
    for (done, element) in elements.iter().enumerate() {
        match sparse::add(&value, [&element[..]], max_bytes).unwrap() {
            SparseOutcome::Unchanged => {}
            SparseOutcome::Changed(new) => value = new,
            SparseOutcome::Promote(dense) => {
                let _ = dense.raise_all(elements[done + 1..].iter().map(Vec::as_slice));
                return (None, dense);
            }
        }
    }
    let dense = Dense::from_redis_bytes(&value).unwrap();
    (Some(value), dense)
}

fn reference(elements: &[Vec<u8>]) -> Registers {
    let mut registers = Registers::new();
    for element in elements {
        let (index, rank) = hash(element);
        registers.raise(index, rank);
    }
    registers
}

/// Calls everything that reads a string; none may panic, and all must agree whether it is valid.
fn read_everywhere(value: &[u8]) {
    let dense = Dense::from_redis_bytes(value);
    let union = Registers::new().max_with_string(value);
    assert_eq!(dense.as_ref().err(), union.as_ref().err());
    if Header::parse(value).map(|header| header.encoding) == Ok(Encoding::Sparse) {
        let added = sparse::add(value, [&b"an element"[..]], 3000);
        assert_eq!(added.as_ref().err(), union.as_ref().err());
        assert_eq!(sparse::describe(value).err(), union.err());
        let mut value = value.to_vec();
        sparse::clear_cached(&mut value);
        assert_eq!(sparse::count(&value), dense.map(|dense| dense.registers().count()));
        if let Ok(SparseOutcome::Changed(value)) = added {
            assert!(sparse::describe(&value).is_ok(), "an edit keeps a valid sketch valid");
        }
    }
}

fn elements() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sparse_and_dense_hold_the_same_registers(elements in elements(), max_bytes in 0usize..800) {
        let expected = reference(&elements);
        let (value, dense) = build(&elements, max_bytes);
        prop_assert_eq!(&dense.registers(), &expected);
        prop_assert_eq!(dense.count(), expected.count());
        if let Some(value) = value {
            prop_assert!(value.len() <= max_bytes.max(18));
            prop_assert_eq!(sparse::count(&value), Ok(expected.count()));
        }
        let copy = Dense::from_redis_bytes(&dense.to_redis_bytes()).unwrap();
        prop_assert_eq!(copy.registers(), expected);
    }

    #[test]
    fn one_batch_is_as_good_as_many(elements in elements()) {
        let dense = Dense::new();
        let raised = dense.raise_all(elements.iter().map(Vec::as_slice));
        prop_assert_eq!(raised == Raise::Raised, !elements.is_empty());
        prop_assert_eq!(dense.registers(), reference(&elements));
        prop_assert_eq!(dense.merge_from(&reference(&elements)), Raise::Unchanged);
    }

    #[test]
    fn a_union_is_the_sketch_of_all_elements(left in elements(), right in elements()) {
        let all = reference(&[left.clone(), right.clone()].concat());
        let ((left_value, left), (_, right)) = (build(&left, 3000), build(&right, 0));
        let mut union = left.registers();
        union.max_with(&right);
        prop_assert_eq!(&union, &all);
        let _ = left.merge_from(&right.registers());
        prop_assert_eq!(&left.registers(), &all);
        let merged = match sparse::merge(&left_value.unwrap(), &right.registers(), 3000).unwrap() {
            SparseOutcome::Promote(dense) => dense.registers(),
            SparseOutcome::Changed(value) => Dense::from_redis_bytes(&value).unwrap().registers(),
            SparseOutcome::Unchanged => all.clone(),
        };
        prop_assert_eq!(merged, all);
    }

    #[test]
    fn damage_is_found_or_harmless(
        elements in elements(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut value = build(&elements, usize::MAX).0.unwrap_or_else(sparse::new_empty);
        read_everywhere(&value[..cut.index(value.len())]);
        for (at, flip) in flips {
            let at = at.index(value.len());
            value[at] ^= flip;
            read_everywhere(&value);
        }
    }

    #[test]
    fn arbitrary_runs_are_read_without_a_panic(runs in prop::collection::vec(any::<u8>(), 0..400), card in any::<u64>()) {
        let mut value = sparse::new_empty();
        value.truncate(HEADER_BYTES);
        value.extend(runs);
        sparse::set_cached(&mut value, card);
        read_everywhere(&value);
    }

    #[test]
    fn any_dense_registers_are_a_sketch(bytes in prop::collection::vec(any::<u8>(), DENSE_BYTES - HEADER_BYTES)) {
        let value = [&b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80"[..], &bytes].concat();
        let dense = Dense::from_redis_bytes(&value).unwrap();
        prop_assert_eq!(&dense.to_redis_bytes(), &value);
        prop_assert_eq!(dense.count(), dense.registers().count());
        read_everywhere(&value);
    }
}

#[test]
fn racing_threads_lose_no_raise_and_count_each_once() {
    let dense = Dense::new();
    let elements: Vec<Vec<u8>> = (0..20_000u32).map(|number| number.to_le_bytes().to_vec()).collect();
    let raised = thread::scope(|scope| {
        let add = |size: usize| {
            let batches = elements.chunks(size);
            batches.filter(|batch| dense.raise_all(batch.iter().map(Vec::as_slice)) == Raise::Raised).count()
        };
        let adders = [scope.spawn(move || add(1)), scope.spawn(move || add(1)), scope.spawn(move || add(7))];
        let counter = scope.spawn(|| {
            let mut last = dense.registers();
            for _ in 0..200 {
                let _ = dense.count();
                let mut union = dense.registers();
                let now = union.clone();
                union.max_with_registers(&last);
                assert_eq!(union, now, "registers never fall");
                last = now;
            }
        });
        counter.join().unwrap();
        adders.map(|adder| adder.join().unwrap())
    });
    assert_eq!(dense.registers(), reference(&elements));
    assert_eq!(dense.count(), reference(&elements).count(), "no stale count is left as the cache");
    let rises: usize = reference(&elements).as_bytes().iter().map(|&rank| usize::from(rank)).sum();
    assert!(raised.iter().sum::<usize>() <= rises, "each step of a register is one raiser's");
}
