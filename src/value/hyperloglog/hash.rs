//! From an element to its register and rank.

use super::{INDEX_BITS, RANK_BITS, REGISTERS};

/// Redis's seed: another one would make sketches of the two servers disagree.
const SEED: u64 = 0xadc8_3b19;

/// Multiplier and shift of MurmurHash2, 64-bit variant A.
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// The register that `element` belongs to, below [`REGISTERS`], and its rank there, 1 to 51.
///
/// The rank is one more than the number of zero bits below the lowest set bit, among the hash bits that did not
/// choose the register.
#[must_use]
pub fn hash(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element);
    let index = hash as usize & (REGISTERS - 1);
    // The guard bit ends the run of zeros where the hash has no more bits.
    let rest = (hash >> INDEX_BITS) | (1 << RANK_BITS);
    (index, rest.trailing_zeros() as u8 + 1)
}

/// Austin Appleby's MurmurHash64A (public domain), reading little endian on every machine.
fn murmur64a(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ scramble(u64::from_le_bytes(*word))).wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> SHIFT)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> SHIFT)
}

/// Mixes one word before it joins the hash.
fn scramble(word: u64) -> u64 {
    let word = word.wrapping_mul(MULTIPLIER);
    (word ^ (word >> SHIFT)).wrapping_mul(MULTIPLIER)
}
