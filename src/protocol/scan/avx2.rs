//! 32 bytes.

use super::{Search, Vector, repetitions};
use std::arch::x86_64::{__m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8};

impl Vector for __m256i {
    const BYTES: usize = 32;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller's promise; the load is unaligned.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn differing(self, other: Self) -> u64 {
        // SAFETY: the caller promises a machine with AVX2.
        let equal = unsafe { _mm256_movemask_epi8(_mm256_cmpeq_epi8(self, other)) };
        u64::from(!equal as u32)
    }
}

/// # Safety
/// The machine must have AVX2, BMI1 and BMI2.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) unsafe fn run(search: &Search<'_>) -> usize {
    // SAFETY: the caller's promise.
    unsafe { repetitions::<__m256i>(search) }
}
