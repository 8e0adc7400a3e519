//! What PFSELFTEST checks: that registers keep what is stored, and that estimates are as good as promised.

use super::sparse::{self, SparseOutcome};
use super::{Dense, MAX_REGISTER, REGISTERS, Raise, Registers, hash, packed};
use std::hash::{BuildHasher, RandomState};

/// Rounds of random registers.
const CYCLES: usize = 100;

/// Elements of the error test; the error is looked at each power of ten.
const ELEMENTS: u64 = 10_000_000;

/// The length up to which the error test keeps a sparse twin of its dense sketch.
const SPARSE_LIMIT: usize = 3000;

/// Stores random registers and reads them back through both layouts, then counts ten million random elements and
/// compares the estimates with the truth, allowing six standard errors as Redis does. Takes a fraction of a second.
///
/// # Errors
/// The text of Redis's error reply, which says what failed.
pub fn self_test() -> Result<(), String> {
    let mut random = SplitMix(RandomState::new().hash_one(0));
    for _ in 0..CYCLES {
        check_registers(&mut random)?;
    }
    check_error(random.next())
}

fn check_registers(random: &mut SplitMix) -> Result<(), String> {
    let mut expected = Registers::new();
    let stored = Dense::new();
    for index in 0..REGISTERS {
        let rank = random.next() as u8 & MAX_REGISTER;
        expected.raise(index, rank);
        let raised = stored.raise(index, rank) == Raise::Raised;
        compare(index, u8::from(rank > 0), u8::from(raised))?;
    }
    let bytes = stored.to_redis_bytes();
    let read = packed::unpack(&bytes);
    for (index, &rank) in expected.as_bytes().iter().enumerate() {
        compare(index, rank, stored.register(index))?;
        compare(index, rank, read.as_bytes()[index])?;
    }
    Ok(())
}

fn compare(index: usize, expected: u8, found: u8) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("TESTFAILED Register {index} should be {expected} but is {found}"))
}

fn check_error(seed: u64) -> Result<(), String> {
    let dense = Dense::new();
    let mut sparse = Some(sparse::new_empty());
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let element = (number ^ seed).to_le_bytes();
        let (index, rank) = hash(&element);
        // Whether it was raised shows in the count.
        let _ = dense.raise(index, rank);
        sparse = sparse.and_then(|value| add_to_twin(value, &element));
        if number == checkpoint {
            check_estimate(number, dense.count())?;
            check_twin(sparse.as_deref(), dense.count())?;
            checkpoint *= 10;
        }
    }
    Ok(())
}

/// The sparse twin with one more element, as long as it stays sparse.
fn add_to_twin(value: Vec<u8>, element: &[u8]) -> Option<Vec<u8>> {
    match sparse::add(&value, [element], SPARSE_LIMIT) {
        Ok(SparseOutcome::Unchanged) => Some(value),
        Ok(SparseOutcome::Changed(value)) => Some(value),
        Ok(SparseOutcome::Promote(_)) | Err(_) => None,
    }
}

fn check_twin(sparse: Option<&[u8]>, dense: u64) -> Result<(), String> {
    match sparse.map(sparse::count) {
        Some(count) if count != Ok(dense) => Err("TESTFAILED dense/sparse disagree".to_owned()),
        _ => Ok(()),
    }
}

fn check_estimate(elements: u64, estimate: u64) -> Result<(), String> {
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    let allowed = (standard_error * 6.0 * elements as f64).ceil() as u64;
    // A collision of two among ten elements is not six standard errors' worth of bad luck.
    let allowed = if elements == 10 { allowed.max(1) } else { allowed };
    let error = elements.abs_diff(estimate);
    if error <= allowed {
        return Ok(());
    }
    Err(format!("TESTFAILED Too big error. card:{elements} abserr:{error}"))
}

/// Steele, Lea and Flood's SplitMix64: good enough to choose test data.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn estimates_out_of_bounds_are_reported() {
        assert_eq!(check_estimate(1000, 1049), Ok(()));
        assert_eq!(
            check_estimate(1000, 1050),
            Err("TESTFAILED Too big error. card:1000 abserr:50".to_owned())
        );
        assert_eq!(
            check_twin(Some(&sparse::new_empty()), 1),
            Err("TESTFAILED dense/sparse disagree".to_owned())
        );
        assert_eq!(check_twin(Some(&sparse::new_empty()), 0), Ok(()));
    }
}
