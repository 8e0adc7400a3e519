//! Lookups that are about to come: the cache misses of several overlap when their lines are asked for together.

use super::bucket::Word;
use super::hash::hash_of;
use super::{Dict, Entry, prefetch};

/// Keys looked ahead for together: about as many as a processor has misses under way.
pub const AHEAD: usize = 16;

impl<E: Entry> Dict<E> {
    /// Asks for what lookups of up to [`AHEAD`] keys will read: for the buckets of all first, then for the entries.
    /// `found` is told the number of a key and the entry that is probably its own: only its tag was compared.
    pub fn look_ahead<'k>(
        &self,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, E::View<'_>),
    ) {
        if self.len == 0 {
            return;
        }
        let (mut hashes, mut count) = ([0; AHEAD], 0);
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = hash_of(key);
            prefetch(std::ptr::NonNull::from(self.segments.get(self.index_of(*hash))).cast());
            count += 1;
        }
        let mut entries = [None; AHEAD];
        for (entry, &hash) in entries.iter_mut().zip(&hashes[..count]) {
            let bucket = self.segments.get(self.index_of(hash));
            *entry = bucket.find(Word::tag_of(hash), |_| true).map(|place| place.word().pointer());
            if let Some(raw) = *entry {
                prefetch(raw);
            }
        }
        for (at, raw) in entries.into_iter().enumerate() {
            if let Some(raw) = raw {
                // SAFETY: rules 1 and 3 of the table, which is borrowed.
                found(at, unsafe { E::view(raw) });
            }
        }
    }
}
