//! Words of eight bytes: machines without vectors, and the measure for those with them.

use super::{Search, Vector, repetitions};

impl Vector for u64 {
    const BYTES: usize = 8;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller's promise; the read is unaligned.
        u64::from_le(unsafe { at.cast::<u64>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn differing(self, other: Self) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let bits = self ^ other;
        // A byte's highest bit becomes set when any of its bits is; then the multiplication gathers the eight.
        let high = (((bits & LOW) + LOW) | bits) & !LOW;
        (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

pub(super) fn run(search: &Search<'_>) -> usize {
    // SAFETY: no instruction set is needed.
    unsafe { repetitions::<u64>(search) }
}
