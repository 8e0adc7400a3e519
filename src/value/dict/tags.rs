//! Which words of a bucket have a tag: all eight compared at once.

use super::bucket::SLOTS;

/// The slots of `words` whose upper sixteen bits are `tag`, as bits.
#[inline(always)]
pub(super) fn matches(words: &[u64; SLOTS], tag: u16) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        sse2(words, tag)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        scalar(words, tag)
    }
}

/// One word at a time.
#[cfg(any(not(target_arch = "x86_64"), all(test, not(sockudo_loom))))]
pub(super) fn scalar(words: &[u64; SLOTS], tag: u16) -> u32 {
    let hits = words.iter().enumerate().map(|(at, word)| u32::from((word >> 48) as u16 == tag) << at);
    hits.fold(0, |all, hit| all | hit)
}

/// The upper halves of two words each are brought together, shifted down to their tags and compared.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn sse2(words: &[u64; SLOTS], tag: u16) -> u32 {
    use std::arch::x86_64::*;
    const ODD: i32 = 0b11_01_11_01;
    let pair = words.as_ptr().cast::<__m128>();
    // SAFETY: SSE2 is part of x86-64; the four unaligned loads of two words each lie within the eight words.
    unsafe {
        let needle = _mm_set1_epi32(i32::from(tag));
        let four = |at: usize| {
            let (low, high) = (_mm_loadu_ps(pair.add(at).cast()), _mm_loadu_ps(pair.add(at + 1).cast()));
            let upper = _mm_castps_si128(_mm_shuffle_ps::<ODD>(low, high));
            _mm_cmpeq_epi32(_mm_srli_epi32::<16>(upper), needle)
        };
        let eight = _mm_packs_epi32(four(0), four(2));
        _mm_movemask_epi8(_mm_packs_epi16(eight, _mm_setzero_si128())) as u32
    }
}

#[cfg(all(test, target_arch = "x86_64", not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_find_the_same(words: [u64; SLOTS], tag: u16, hits: u8) {
            let mut words = words;
            for (at, word) in words.iter_mut().enumerate().filter(|(at, _)| hits >> at & 1 == 1) {
                *word = u64::from(tag) << 48 | *word >> 16 | at as u64;
            }
            prop_assert_eq!(scalar(&words, tag), sse2(&words, tag));
            prop_assert_eq!(sse2(&words, tag) & u32::from(hits), u32::from(hits));
        }
    }
}
