//! Runs of commands of one shape, with vectors.
//!
//! A pipeline mostly repeats itself: the same command with arguments of the same lengths. The parser looks only at the
//! *structural* bytes of a command (headers and line ends) and at nothing within the arguments. So where the
//! structural bytes of a parsed command stand again, at the same offsets, behind it, parsing would find the same
//! arguments at the same offsets. A [`Shape`] is the mask of a command's structural bytes; comparing under it 64 bytes
//! at a time takes a few instructions per command, where walking from header to header takes a chain of dependent
//! loads.
//!
//! The algorithm stands once, over [`Vector`]; a file per instruction set says how to load and compare.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sse2;

use super::args::Span;

/// Bytes that one mask covers.
const BLOCK: usize = 64;
/// Masks of a shape, which bound the commands that can have one.
const BLOCKS: usize = 8;

/// An instruction set that this machine has; one is chosen per decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Words of eight bytes, on any machine.
    Scalar,
    /// 16 bytes: every x86-64.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// 32 bytes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 bytes, compared into a mask register.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest level of this machine.
    pub fn detect() -> Self {
        *Self::available().last().expect("scalar is always available")
    }

    /// Every level of this machine, narrowest first.
    #[cfg(target_arch = "x86_64")]
    pub fn available() -> &'static [Self] {
        let all = &[Self(Set::Scalar), Self(Set::Sse2), Self(Set::Avx2), Self(Set::Avx512)];
        if !is_x86_feature_detected!("avx2") || !bit_manipulation() {
            &all[..2]
        } else if !is_x86_feature_detected!("avx512bw") {
            &all[..3]
        } else {
            all
        }
    }

    /// Every level of this machine, narrowest first.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn available() -> &'static [Self] {
        &[Self(Set::Scalar)]
    }

    #[inline]
    fn run(self, search: &Search<'_>) -> usize {
        match self.0 {
            Set::Scalar => scalar::run(search),
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => sse2::run(search),
            // SAFETY: only `available` makes this level, and only on a machine with AVX2, BMI1 and BMI2.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::run(search) },
            // SAFETY: as above, with AVX-512BW.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::run(search) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn bit_manipulation() -> bool {
    is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
}

/// Some bytes in a register.
trait Vector: Copy {
    /// How many; divides [`BLOCK`].
    const BYTES: usize;

    /// # Safety
    /// [`Self::BYTES`] bytes must be readable at `at`, and the machine must have the instruction set.
    unsafe fn load(at: *const u8) -> Self;

    /// A bit for each byte that differs, the first byte lowest.
    ///
    /// # Safety
    /// The machine must have the instruction set.
    unsafe fn differing(self, other: Self) -> u64;
}

/// What a level searches for: how often the command at `base`, of `len` bytes with structural bytes at `masks`, is
/// repeated behind itself, at most `most` times.
struct Search<'a> {
    bytes: &'a [u8],
    base: usize,
    len: usize,
    masks: &'a [u64],
    most: usize,
}

/// The repetitions that `search` asks for. Whole blocks are read, so that the last command of the bytes is usually
/// left to the caller.
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn repetitions<V: Vector>(search: &Search<'_>) -> usize {
    let &Search { bytes, base, len, masks, most } = search;
    let last = (bytes.len() - base).saturating_sub(masks.len() * BLOCK);
    let most = most.min(last / len);
    let first = bytes[base..].as_ptr();
    for count in 0..most {
        for (index, mask) in masks.iter().enumerate() {
            // SAFETY: `count < last / len`, so the candidate begins at or before `base + last`, and `last` leaves
            // room for all blocks behind it; the first command stands before its candidates.
            let differing = unsafe {
                let known = first.add(index * BLOCK);
                block_differing::<V>(known, known.add((count + 1) * len))
            };
            if differing & mask != 0 {
                return count;
            }
        }
    }
    most
}

/// A bit for each byte that differs between two blocks.
///
/// # Safety
/// Both blocks must be readable, and the machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn block_differing<V: Vector>(left: *const u8, right: *const u8) -> u64 {
    let mut bits = 0;
    let mut at = 0;
    while at < BLOCK {
        // SAFETY: the caller's promise; `BYTES` divides `BLOCK`.
        bits |= unsafe { V::load(left.add(at)).differing(V::load(right.add(at))) } << at;
        at += V::BYTES;
    }
    bits
}

/// The structural bytes of the last parsed command, once two in a row were alike.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    len: usize,
    args: usize,
    masks: [u64; BLOCKS],
}

impl Shape {
    /// The next command stands alone.
    pub(super) fn forget(&mut self) {
        (self.len, self.args) = (0, 0);
    }

    /// Takes note of a parsed command of `len` bytes; true when it resembles the one before it, so that [`Self::run`]
    /// is worth trying. Until then no mask is made: clients whose commands vary pay next to nothing.
    #[inline]
    pub(super) fn learn(&mut self, spans: &[Span], len: usize) -> bool {
        let alike = (self.len, self.args) == (len, spans.len());
        (self.len, self.args) = (len, spans.len());
        alike && len <= BLOCK * BLOCKS && self.mask(spans)
    }

    /// Sets the bits of all bytes that are in no argument; false for a command with bytes elsewhere.
    fn mask(&mut self, spans: &[Span]) -> bool {
        let mut end = 0;
        self.masks = [0; BLOCKS];
        for span in spans {
            if span.is_detached() {
                return false;
            }
            let (start, len) = span.parts();
            self.set(end, start);
            end = start + len;
        }
        self.set(end, self.len);
        true
    }

    /// Sets the bits from `from` up to `to`.
    fn set(&mut self, from: usize, to: usize) {
        for at in from..to {
            self.masks[at / BLOCK] |= 1 << (at % BLOCK);
        }
    }

    /// How many commands of the shape of the one at `base`, which was learnt last, directly follow it.
    #[inline]
    pub(super) fn run(&self, level: Level, bytes: &[u8], base: usize, most: usize) -> usize {
        let masks = &self.masks[..self.len.div_ceil(BLOCK)];
        level.run(&Search { bytes, base, len: self.len, masks, most })
    }
}
