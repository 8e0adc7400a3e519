//! How many bits of a byte string are set.
//!
//! The count is written once, over words; the compiler makes vector instructions of it where the machine has them.

/// How many bits are set.
pub(super) fn ones(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: both features were just detected.
        return unsafe { with_avx2(bytes) };
    }
    count(bytes)
}

/// [`count`] compiled for a newer machine.
///
/// # Safety
/// The machine must have AVX2 and POPCNT.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn with_avx2(bytes: &[u8]) -> u64 {
    count(bytes)
}

#[inline(always)]
fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let whole: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    whole + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many bits from `start` up to but not including `end` are set; `end` lies within the bytes.
pub(super) fn ones_between(bytes: &[u8], start: u64, end: u64) -> u64 {
    let part = &bytes[(start / 8) as usize..end.div_ceil(8) as usize];
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return 0 };
    let before = first & !(u8::MAX >> (start % 8));
    let behind = if end.is_multiple_of(8) { 0 } else { last & (u8::MAX >> (end % 8)) };
    ones(part) - u64::from(before.count_ones() + behind.count_ones())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_count_the_same(bytes: Vec<u8>) {
            let expected: u64 = bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
            prop_assert_eq!(ones(&bytes), expected);
            prop_assert_eq!(count(&bytes), expected);
        }

        #[test]
        fn parts_of_bytes_count(bytes: [u8; 24], ends in (0u64..192, 0u64..=192)) {
            let (start, end) = (ends.0.min(ends.1), ends.1);
            let expected = (start..end).filter(|&bit| super::super::bits::get(&bytes, bit)).count() as u64;
            prop_assume!(start < end);
            prop_assert_eq!(ones_between(&bytes, start, end), expected);
        }
    }
}
