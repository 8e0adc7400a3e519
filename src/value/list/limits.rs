//! How large a piece of a list may become, in Redis's measure.
//!
//! OBJECT ENCODING shows where Redis goes from one listpack to a quicklist of several and back, and clients' tests
//! look at it. So sizes are counted as Redis's listpacks would have them, although the bytes here are others.

use crate::value::packed::Item;

/// Bytes that a listpack takes besides its entries.
const LISTPACK_HEADER: usize = 7;
/// What Redis adds to a text's length when it guesses what an entry takes.
const ENTRY_GUESS: usize = 8;
/// Bytes of a piece where only the number of its elements is limited.
const SAFE_BYTES: usize = 8192;
/// Bytes that the negative values of `list-max-listpack-size` mean, from -1 on.
const BYTES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// The greatest number of elements that Redis can limit a piece to.
const MAX_COUNT: i64 = (1 << 15) - 1;

/// The settings of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a piece.
    bytes: usize,
    /// Elements of a piece, if they are limited.
    count: Option<usize>,
    /// Pieces at either end that stay uncompressed; zero compresses nothing.
    pub(super) depth: usize,
}

impl Limits {
    /// The limits that `list-max-listpack-size` and `list-compress-depth` mean.
    pub fn new(size: i64, depth: usize) -> Limits {
        if size >= 0 {
            let count = size.clamp(1, MAX_COUNT) as usize;
            return Limits { bytes: SAFE_BYTES, count: Some(count), depth };
        }
        let level = usize::try_from(size.unsigned_abs() - 1).map_or(4, |level| level.min(4));
        Limits { bytes: BYTES[level], count: None, depth }
    }

    /// Whether a listpack with entries of `size` bytes would be beyond the limits with `count` elements in all and
    /// texts of `added` bytes more.
    pub(super) fn exceeded(&self, size: usize, added: usize, count: usize) -> bool {
        let bytes = LISTPACK_HEADER.saturating_add(size).saturating_add(added);
        bytes > self.bytes || self.count.is_some_and(|most| count > most)
    }

    /// Whether a piece with entries of `size` bytes and `count` elements takes a text of `len` bytes more.
    pub(super) fn takes(&self, size: usize, count: usize, len: usize) -> bool {
        !self.is_large(len) && !self.exceeded(size, len + ENTRY_GUESS, count + 1)
    }

    /// Whether two pieces may become one.
    pub(super) fn joins(&self, size: usize, count: usize) -> bool {
        !self.exceeded(size, 0, count)
    }

    /// Whether a text of `len` bytes gets a piece of its own.
    pub(super) fn is_large(&self, len: usize) -> bool {
        len > self.bytes
    }

    /// Whether a piece has shrunk to half of what it may be.
    pub(super) fn is_half(&self, size: usize, count: usize) -> bool {
        match self.count {
            Some(most) => count <= most / 2,
            None => LISTPACK_HEADER + size <= self.bytes / 2,
        }
    }

    /// Whether packed bytes are so far below the limits that nobody needs to count: an entry of a listpack takes at
    /// most twice what the packed item takes.
    pub(super) fn is_far_below(&self, packed: usize, added: usize) -> bool {
        self.count.is_none() && !self.exceeded(2 * packed, added, 0)
    }
}

/// Bytes of the item's entry in a listpack.
#[inline]
pub(super) fn listpack_len(item: Item<'_>) -> usize {
    let body = match item {
        Item::Text(text) => {
            text.len()
                + match text.len() {
                    0..=63 => 1,
                    64..=4095 => 2,
                    _ => 5,
                }
        }
        Item::Int(int) => match int {
            0..=127 => 1,
            -4096..=4095 => 2,
            -0x8000..=0x7fff => 3,
            -0x80_0000..=0x7f_ffff => 4,
            -0x8000_0000..=0x7fff_ffff => 5,
            _ => 9,
        },
    };
    body + match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}
