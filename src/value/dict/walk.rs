//! Walks over a table: all of it, in steps that survive growth, or one entry at random.

use std::ptr::NonNull;

use super::bucket::{Place, SLOTS, Word};
use super::{Dict, Entry, mask, prefetch};

/// Buckets visited per entry that a scan asks for, so that a sparse table does not stretch a step.
const BUCKETS_PER_ENTRY: usize = 10;
/// Buckets that are drawn at a time when one is chosen at random.
const DRAWN: usize = 4;

impl<E: Entry> Dict<E> {
    /// All entries, in no particular order.
    pub fn iter(&self) -> Iter<'_, E> {
        Iter { dict: self, bucket: 0, at: 0, left: self.len }
    }

    pub(super) fn words(&self) -> impl Iterator<Item = Word> {
        (0..self.segments.len()).flat_map(|index| self.segments.get(index).iter())
    }

    /// Visits entries from `cursor` on, whole buckets until there were `count` entries; where to go on, or 0 at the
    /// end. The first cursor is 0.
    ///
    /// The cursor counts in reversed bits of the hash. Splits and merges change only how far a step goes, so an entry
    /// that stays from the first step to the last is visited, whatever is inserted and removed meanwhile; it may be
    /// visited twice.
    pub fn scan<'a>(&'a self, mut cursor: u64, count: usize, mut visit: impl FnMut(E::View<'a>)) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let mut visited = 0;
        for _ in 0..count.saturating_mul(BUCKETS_PER_ENTRY) {
            let index = self.index_of(cursor);
            let chain = self.segments.get(index);
            chain.iter().for_each(|word| prefetch(word.pointer()));
            for word in chain.iter() {
                // SAFETY: rules 1 and 3 of the table, which is borrowed.
                visit(unsafe { E::view(word.pointer()) });
                visited += 1;
            }
            cursor = after(cursor, self.bits_of(index));
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    /// How many bits of a hash lead to the bucket.
    fn bits_of(&self, index: usize) -> u32 {
        let mask = mask(self.segments.len());
        let half = mask >> 1;
        // A bucket whose upper half is not split off yet has one bit fewer.
        let unsplit = index <= half && index + half + 1 >= self.segments.len();
        mask.count_ones() - u32::from(unsplit)
    }

    /// An entry, each as likely as any other; none if there is none. `random` gives evenly distributed numbers.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<E::View<'_>> {
        let (_, place) = self.draw(random)?;
        // SAFETY: rules 1 and 3 of the table, which is borrowed.
        Some(unsafe { E::view(place.word().pointer()) })
    }

    /// Takes out an entry, each as likely as any other.
    pub fn take_random(&mut self, random: &mut impl FnMut() -> u64) -> Option<E> {
        let (index, place) = self.draw(random)?;
        let word = self.unlink_at(index, place);
        // SAFETY: rule 1 of the table, which the word is no longer in.
        Some(unsafe { E::from_raw(word.pointer()) })
    }

    /// A bucket and the place of an entry in it.
    ///
    /// A bucket and a number below the longest chain's length are drawn until the bucket has such an entry: three or
    /// four times on average. A few buckets are drawn at a time, so that their cache misses overlap.
    fn draw(&self, random: &mut impl FnMut() -> u64) -> Option<(usize, Place)> {
        if self.len == 0 {
            return None;
        }
        loop {
            let drawn: [usize; DRAWN] = std::array::from_fn(|_| below(random(), self.segments.len()));
            drawn.iter().for_each(|&index| prefetch(NonNull::from(self.segments.get(index)).cast()));
            for index in drawn {
                if let Some(place) = self.segments.get(index).place_of(below(random(), self.longest)) {
                    return Some((index, place));
                }
            }
        }
    }
}

/// A random number below `limit`, of 64 random bits.
fn below(random: u64, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 64) as usize
}

/// The cursor behind the bucket that `bits` bits of `cursor` name: those bits, reversed, plus one.
fn after(cursor: u64, bits: u32) -> u64 {
    if bits == 0 {
        return 0;
    }
    let position = cursor.reverse_bits() >> (u64::BITS - bits);
    ((position + 1) << (u64::BITS - bits)).reverse_bits()
}

/// The entries of a table.
pub struct Iter<'a, E: Entry> {
    dict: &'a Dict<E>,
    bucket: usize,
    at: usize,
    left: usize,
}

impl<'a, E: Entry> Iter<'a, E> {
    /// Asks for the entries of the bucket that follows.
    fn prefetch_next(&self) {
        if self.bucket + 1 < self.dict.segments.len() {
            let next = self.dict.segments.get(self.bucket + 1);
            next.iter().take(SLOTS).for_each(|word| prefetch(word.pointer()));
        }
    }
}

impl<'a, E: Entry> Iterator for Iter<'a, E> {
    type Item = E::View<'a>;

    fn next(&mut self) -> Option<E::View<'a>> {
        if self.left == 0 {
            return None;
        }
        loop {
            if self.at == 0 {
                self.prefetch_next();
            }
            if let Some(word) = self.dict.segments.get(self.bucket).nth(self.at) {
                (self.at, self.left) = (self.at + 1, self.left - 1);
                // SAFETY: rules 1 and 3 of the table, which is borrowed for `'a`.
                return Some(unsafe { E::view(word.pointer()) });
            }
            (self.bucket, self.at) = (self.bucket + 1, 0);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<E: Entry> ExactSizeIterator for Iter<'_, E> {}
