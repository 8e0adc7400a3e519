//! Walks over the table and samples of it.

use super::{Table, mask};
use crate::keyspace::entry::Entry;
use crate::sync::epoch::Guard;

/// Places that [`Table::sample`] chooses among; fuller buckets than this do not occur at the load that is kept.
pub const SAMPLE_PLACES: u8 = 64;

impl Table {
    /// Hands every entry of the bucket at `cursor` to `visit` and returns the next cursor, 0 at the end.
    ///
    /// A walk from 0 to 0 visits every entry that was in the table all the time, whatever splits and merges happen
    /// meanwhile, because the cursor counts in the reversed bits of the hash, where a split or merge changes only how
    /// large a step is.
    pub fn scan<'g>(&self, cursor: u64, _guard: &'g Guard, mut visit: impl FnMut(&'g Entry)) -> u64 {
        let bucket = self.locate(cursor).word.bucket();
        for (_, entry) in bucket.iter() {
            // SAFETY: reached under the guard.
            visit(unsafe { entry.as_ref() });
        }
        let unused = !mask(bucket.level());
        (cursor | unused).reverse_bits().wrapping_add(1).reverse_bits()
    }

    /// Hands every entry of the bucket at `index`, if there is one, to `visit`: for background walks that tolerate to
    /// miss what moves.
    pub fn visit_bucket<'g>(&self, index: u64, _guard: &'g Guard, mut visit: impl FnMut(&'g Entry)) {
        let word = self.load(index);
        if word.is_vacant() {
            return;
        }
        // SAFETY: reached under the guard.
        word.bucket().iter().for_each(|(_, entry)| visit(unsafe { entry.as_ref() }));
    }

    /// The entry at a random place, or none if the place is empty. With uniform `random` bits every entry is as
    /// likely as any other, because a bucket is chosen first and then one of [`SAMPLE_PLACES`] places in it.
    pub fn sample<'g>(&self, random: u64, _guard: &'g Guard) -> Option<&'g Entry> {
        let size = self.buckets();
        let index = ((u128::from(random >> 8 << 8) * u128::from(size)) >> 64) as u64;
        let word = self.load(index);
        if word.is_vacant() {
            return None;
        }
        let place = (random as u8 & (SAMPLE_PLACES - 1)) as usize;
        let bucket = word.bucket();
        // SAFETY: reached under the guard.
        (place < bucket.len()).then(|| unsafe { bucket.entry(place).as_ref() })
    }

    /// The entry at this address, if it is still in the table. The address may be an old one: what is found has the same
    /// place, and perhaps another key.
    pub fn resident<'g>(&self, hash: u64, address: usize, _guard: &'g Guard) -> Option<&'g Entry> {
        let bucket = self.locate(hash).word.bucket();
        let (_, entry) = bucket.iter().find(|(_, entry)| entry.as_ptr().addr() == address)?;
        // SAFETY: entries of a reachable bucket are alive under the guard.
        Some(unsafe { entry.as_ref() })
    }

    /// Bytes of heap for directory and buckets, estimated from the counts.
    pub fn overhead_bytes(&self) -> u64 {
        self.buckets() * 8 + self.buckets() * 24 + self.len() * 8
    }
}
