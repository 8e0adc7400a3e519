//! 16 bytes, which every x86-64 has.

use super::{Search, Vector, repetitions};
use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8};

impl Vector for __m128i {
    const BYTES: usize = 16;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller's promise; the load is unaligned.
        unsafe { _mm_loadu_si128(at.cast()) }
    }

    #[inline(always)]
    unsafe fn differing(self, other: Self) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        let equal = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self, other)) };
        u64::from(!equal as u16)
    }
}

pub(super) fn run(search: &Search<'_>) -> usize {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { repetitions::<__m128i>(search) }
}
