//! 64 bytes, compared into a mask register.

use super::{Search, Vector, repetitions};
use std::arch::x86_64::{__m512i, _mm512_cmpneq_epi8_mask, _mm512_loadu_si512};

impl Vector for __m512i {
    const BYTES: usize = 64;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller's promise; the load is unaligned.
        unsafe { _mm512_loadu_si512(at.cast()) }
    }

    #[inline(always)]
    unsafe fn differing(self, other: Self) -> u64 {
        // SAFETY: the caller promises a machine with AVX-512BW.
        unsafe { _mm512_cmpneq_epi8_mask(self, other) }
    }
}

/// # Safety
/// The machine must have AVX-512BW, BMI1 and BMI2.
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2")]
pub(super) unsafe fn run(search: &Search<'_>) -> usize {
    // SAFETY: the caller's promise.
    unsafe { repetitions::<__m512i>(search) }
}
