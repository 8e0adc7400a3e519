//! What redis-server 7.0.15 answered to the same commands.

use super::sparse::SparseOutcome;
use super::*;

/// `hll-sparse-max-bytes` of a stock server.
const MAX_BYTES: usize = 3000;

fn changed(value: &[u8], elements: &[&[u8]]) -> Vec<u8> {
    match sparse::add(value, elements.iter().copied(), MAX_BYTES) {
        Ok(SparseOutcome::Changed(value)) => value,
        other => panic!("{other:?}"),
    }
}

fn named(elements: u32) -> Vec<Vec<u8>> {
    (0..elements).map(|number| format!("ele:{number}").into_bytes()).collect()
}

#[test]
fn a_new_key_is_one_run_of_zeros() {
    assert_eq!(sparse::new_empty(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff");
    assert_eq!(sparse::count(&sparse::new_empty()), Ok(0));
}

#[test]
fn small_sketches_have_the_bytes_of_redis() {
    let mut value = changed(&sparse::new_empty(), &[b"a", b"b", b"c"]);
    assert_eq!(value, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ");
    assert_eq!(sparse::describe(&value).unwrap(), "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
    assert_eq!(sparse::count(&value), Ok(3));

    sparse::set_cached(&mut value, 3);
    assert_eq!(Header::parse(&value).unwrap().cached(), Some(3));
    let value = changed(&value, &[b"d"]);
    assert_eq!(value, b"HYLL\x01\0\0\0\x03\0\0\0\0\0\0\x80\\{\x80Dv\x80P\xb1\x84K\xfb\x80BZ");
    assert_eq!(Header::parse(&value).unwrap().cached(), None, "the old count stays, marked as out of date");
    assert!(matches!(sparse::add(&value, [&b"b"[..]], MAX_BYTES), Ok(SparseOutcome::Unchanged)));
}

#[test]
fn counts_are_those_of_redis() {
    for (elements, count) in [(1, 1), (10, 10), (100, 100), (1000, 1002), (10_000, 10_087), (100_000, 99_778)]
    {
        let dense = Dense::new();
        for element in named(elements) {
            let _ = dense.raise_all([&element[..]]);
        }
        assert_eq!(dense.count(), count);
        assert_eq!(dense.registers().count(), count);
    }
}

#[test]
fn sparse_strings_are_as_long_as_those_of_redis() {
    for (elements, length) in [(1, 21), (10, 47), (100, 289), (1000, 1896)] {
        let value = named(elements).iter().fold(sparse::new_empty(), |value, element| {
            match sparse::add(&value, [&element[..]], MAX_BYTES).unwrap() {
                SparseOutcome::Changed(value) => value,
                SparseOutcome::Unchanged => value,
                SparseOutcome::Promote(_) => panic!("too small to be promoted"),
            }
        });
        assert_eq!(value.len(), length, "{elements} elements");
    }
}

#[test]
fn a_crafted_sketch_at_the_limits_counts_as_in_redis() {
    let all = |rank| {
        let mut registers = Registers::new();
        registers.as_bytes_mut().fill(rank);
        registers.count()
    };
    assert_eq!(all(0), 0);
    // Past the range of a signed integer, redis-server on x86-64 answers -9223372036854775808.
    assert_eq!(all(51) as i64, i64::MIN);
    assert_eq!(all(63) as i64, i64::MIN);
}

#[test]
fn headers_are_told_apart_as_in_redis() {
    let sparse = |tail: &[u8]| [b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80", tail].concat();
    let mut dense = vec![0; DENSE_BYTES];
    dense[..4].copy_from_slice(b"HYLL");
    assert_eq!(Header::parse(&dense).unwrap().encoding, Encoding::Dense);
    dense.push(0);
    for other in [b"".to_vec(), b"HYLL".to_vec(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0".to_vec(), dense] {
        assert_eq!(Header::parse(&other), Err(Invalid::NotHll));
    }
    let mut unknown = sparse::new_empty();
    unknown[4] = 2;
    assert_eq!(sparse::count(&unknown), Err(Invalid::NotHll));
    for runs in
        [&b""[..], b"\x7f", b"\x7f\xfe", b"\x7f\xff\0", b"\x7f\xff\x7f\xff", b"\x7f\xfe\x7f", b"\x7f\xfe\x81"]
    {
        let value = sparse(runs);
        assert_eq!(Header::parse(&value).unwrap().encoding, Encoding::Sparse);
        assert_eq!(sparse::count(&value), Err(Invalid::Corrupt));
        assert_eq!(sparse::add(&value, [&b"a"[..]], MAX_BYTES).unwrap_err(), Invalid::Corrupt);
        assert_eq!(Dense::from_redis_bytes(&value).unwrap_err(), Invalid::Corrupt);
        assert_eq!(Registers::new().max_with_string(&value), Err(Invalid::Corrupt));
        assert_eq!(sparse::describe(&value), Err(Invalid::Corrupt));
    }
}

#[test]
fn runs_whose_lengths_overflow_a_32_bit_sum_are_corrupt() {
    // CVE-2025-32023: enough long runs of zeros to wrap a signed index around, then values.
    let mut value = sparse::new_empty();
    value.extend([0x7f, 0xff].repeat((1 << 31) / REGISTERS));
    value.extend([0x83; 64]);
    assert_eq!(sparse::count(&value), Err(Invalid::Corrupt));
    assert_eq!(Dense::from_redis_bytes(&value).unwrap_err(), Invalid::Corrupt);
}

#[test]
fn a_sketch_overwritten_in_the_middle_is_corrupt() {
    // SETRANGE over the runs of a sparse sketch (and over the cached count, or that would be believed).
    let mut value = changed(&sparse::new_empty(), &[b"a", b"b", b"c"]);
    value[20..23].copy_from_slice(b"xyz");
    assert_eq!(sparse::add(&value, [&b"hello"[..]], MAX_BYTES).unwrap_err(), Invalid::Corrupt);
    assert_eq!(sparse::count(&value), Err(Invalid::Corrupt));
}

#[test]
fn ranks_that_no_run_can_hold_promote() {
    let mut ranks = Registers::new();
    ranks.raise(7, 32);
    let Ok(SparseOutcome::Changed(value)) = sparse::merge(&sparse::new_empty(), &ranks, MAX_BYTES) else {
        panic!("32 fits");
    };
    ranks.raise(9, 33);
    let Ok(SparseOutcome::Promote(dense)) = sparse::merge(&value, &ranks, MAX_BYTES) else {
        panic!("33 does not");
    };
    assert_eq!(dense.registers(), ranks);
}

#[test]
fn the_cache_follows_raises() {
    let dense = Dense::new();
    assert!(!dense.is_cached());
    assert_eq!(dense.count(), 0);
    assert!(dense.is_cached());
    assert_eq!(dense.raise_all([&b"a"[..], b"b", b"c"]), Raise::Raised);
    assert!(!dense.is_cached());
    assert_eq!(dense.to_redis_bytes()[15], 0x80);
    assert_eq!(dense.count(), 3);
    assert_eq!(dense.raise_all([&b"a"[..], b"b"]), Raise::Unchanged);
    assert!(dense.is_cached(), "a raise that changes nothing keeps the cache");
    assert_eq!(dense.to_redis_bytes()[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
    let copy = Dense::from_redis_bytes(&dense.to_redis_bytes()).unwrap();
    assert!(copy.is_cached());
    assert_eq!(copy.count(), 3);
}

#[test]
fn a_cached_cardinality_too_large_for_the_state_is_computed_anew() {
    let mut value = Dense::new().to_redis_bytes();
    sparse::set_cached(&mut value, 1 << 62);
    let dense = Dense::from_redis_bytes(&value).unwrap();
    assert_eq!(dense.count(), 0);
}

#[test]
fn a_sealed_sketch_refuses_what_would_change_it() {
    let dense = Dense::new();
    assert_eq!(dense.raise_all([&b"a"[..]]), Raise::Raised);
    assert_eq!(dense.seal(), Seal::First);
    assert_eq!(dense.seal(), Seal::Repeated);
    assert!(dense.is_sealed());
    let before = dense.registers();
    assert_eq!(dense.raise_all([&b"a"[..]]), Raise::Unchanged);
    assert_eq!(dense.raise_all([&b"b"[..]]), Raise::Sealed);
    assert_eq!(dense.raise_all([&b"b"[..], b"c"]), Raise::Sealed);
    assert_eq!(dense.registers(), before);
    assert_eq!(dense.count(), 1, "counting goes on");
}

#[test]
fn the_self_test_passes() {
    assert_eq!(self_test(), Ok(()));
}
