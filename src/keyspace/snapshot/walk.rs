//! The walk of a snapshot: step 2, and rules 3 and 5.

use std::collections::HashSet;
use std::ops::Range;

use super::{END, Image, Kept, POSITION_BITS, Part, SHARD_BITS, Snapshots};
use super::{locked, note_bytes, position_of, shard_of};
use crate::keyspace::Keyspace;
use crate::keyspace::entry::Entry;
use crate::keyspace::table::{Table, prefetch};
use crate::sync::Ordering;
use crate::sync::epoch::{Guard, pin};

/// Bytes after which a step looks whether anybody has changed what it wrote down.
#[cfg(not(sockudo_loom))]
const STEP_BYTES: usize = 1 << 16;
/// One bucket a step, in the models.
#[cfg(sockudo_loom)]
const STEP_BYTES: usize = 1;
/// Buckets whose cache misses overlap.
#[cfg(not(sockudo_loom))]
const AHEAD: usize = 16;
#[cfg(sockudo_loom)]
const AHEAD: usize = 1;

/// A snapshot under way: who has it walks.
pub struct Cut {
    parts: Vec<*mut Part>,
    /// Keys of each database at the cut, and those with a deadline.
    counts: Vec<(u64, u64)>,
    at: usize,
    scratch: Scratch,
}

// SAFETY: the parts are Send and Sync, and alive until the snapshot is ended by who has the cut.
unsafe impl Send for Cut {}

/// What a step writes down before it knows what counts.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    /// Where each key's bytes end, and where its name is in `names`.
    ends: Vec<(usize, usize)>,
    names: Vec<u8>,
}

/// What one step of a walk found; the bytes are [`Cut::bytes`].
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The database, by its number at the cut.
    pub db: usize,
    /// Keys that were written down.
    pub keys: u64,
}

impl Cut {
    pub(super) fn new(parts: Vec<*mut Part>, counts: Vec<(u64, u64)>) -> Cut {
        Cut { parts, counts, at: 0, scratch: Scratch::default() }
    }

    pub(super) fn parts(&self) -> &[*mut Part] {
        &self.parts
    }

    /// How many keys a database had at the cut, and how many of them had a deadline.
    pub fn counts(&self, db: usize) -> (u64, u64) {
        self.counts[db]
    }

    /// Keys of all databases at the cut.
    pub fn keys(&self) -> u64 {
        self.counts.iter().map(|(keys, _)| keys).sum()
    }

    /// Writes the next keys down; none at the end, when [`Cut::take_kept`] has the rest.
    pub fn step(&mut self, keyspace: &Keyspace) -> Option<Step> {
        let part = loop {
            // SAFETY: parts are retired by the end of the snapshot, which takes the cut.
            let part = unsafe { &**self.parts.get(self.at)? };
            if part.border.load(Ordering::Relaxed) != END {
                break part;
            }
            self.at += 1;
        };
        let (keys, forgotten) = part.step(&mut self.scratch);
        keyspace.snapshots.release(forgotten);
        Some(Step { db: part.db, keys })
    }

    /// What the last step has written down.
    pub fn bytes(&self) -> &[u8] {
        &self.scratch.bytes
    }

    /// What writers have written down since the last call.
    pub fn take_kept(&self, keyspace: &Keyspace) -> Vec<Kept> {
        keyspace.snapshots.take()
    }
}

impl Snapshots {
    fn take(&self) -> Vec<Kept> {
        let kept = std::mem::take(&mut *locked(&self.outbox));
        let bytes: usize = kept.iter().map(|kept| kept.bytes.len()).sum();
        self.release(bytes as u64);
        kept
    }
}

impl Scratch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.names.clear();
    }

    fn push(&mut self, part: &Part, image: &Image<'_>) {
        (part.record)(image, &mut self.bytes);
        self.names.extend_from_slice(image.key);
        self.ends.push((self.bytes.len(), self.names.len()));
    }

    /// Throws away the keys that are noted.
    fn retain(&mut self, is_noted: impl Fn(&[u8]) -> bool) {
        let (mut from, mut name, mut to) = (0, 0, 0);
        let mut kept = 0;
        for at in 0..self.ends.len() {
            let (end, name_end) = self.ends[at];
            if !is_noted(&self.names[name..name_end]) {
                self.bytes.copy_within(from..end, to);
                to += end - from;
                kept += 1;
            }
            (from, name) = (end, name_end);
        }
        self.bytes.truncate(to);
        self.ends.truncate(kept);
    }
}

impl Part {
    /// Writes down keys from the border on, and moves it. How many counted, and bytes of names that were forgotten.
    fn step(&self, scratch: &mut Scratch) -> (u64, u64) {
        scratch.clear();
        let from = self.border.load(Ordering::Relaxed);
        let mut to = from;
        while to < END && scratch.bytes.len() < STEP_BYTES {
            // A pin of its own each time, so that garbage does not wait for long values to be written down.
            to = self.write_down(to, scratch, &pin());
        }
        let forgotten = self.pass(from..to, scratch);
        (scratch.ends.len() as u64, forgotten)
    }

    /// Writes down the keys of some buckets; how far that came.
    fn write_down(&self, from: u64, scratch: &mut Scratch, guard: &Guard) -> u64 {
        // SAFETY: rule 6.
        let table: &Table = unsafe { &*self.table };
        let hasher = table.hasher();
        let mut found: Vec<&Entry> = Vec::with_capacity(AHEAD * 16);
        let mut at = from;
        for _ in 0..AHEAD {
            let begin = found.len();
            let cursor = (at << (u64::BITS - POSITION_BITS)).reverse_bits();
            let (next, exact) = table.scan_from(cursor, guard, |entry| found.push(entry));
            let next = if next == 0 { END } else { position_of(next) };
            if !exact {
                // The bucket grew by a merge since the walk passed its first half.
                let within = |entry: &Entry| (at..next).contains(&position_of(hasher.hash(entry.key())));
                let mut place = 0;
                found.retain(|entry| {
                    place += 1;
                    place <= begin || within(entry)
                });
            }
            at = next;
            if at == END {
                break;
            }
        }
        found.iter().for_each(|entry| prefetch(std::ptr::from_ref(*entry).cast()));
        let pointees = found.iter().filter_map(|entry| entry.load().pointee());
        pointees.for_each(prefetch);
        for entry in found {
            let word = entry.load();
            if !word.is_dead() {
                // SAFETY: loaded under the guard.
                let (view, expire_at) = unsafe { (word.view(), word.expire_at()) };
                let image = Image { key: entry.key(), view, expire_at, clock: entry.clock() };
                scratch.push(self, &image);
            }
        }
        at
    }

    /// Moves the border over `range`, and throws away what writers have written down (rule 3). Bytes of names that
    /// nobody looks at any more, and that were forgotten.
    fn pass(&self, range: Range<u64>, scratch: &mut Scratch) -> u64 {
        let (first, last) = (shard_of(range.start), shard_of(range.end - 1));
        let mut shards: Vec<_> = self.shards[first..=last].iter().map(locked).collect();
        if shards.iter().any(|shard| !shard.is_empty()) {
            scratch.retain(|name| shards.iter().any(|shard| shard.contains(name)));
        }
        self.border.store(range.end, Ordering::Release);
        let width = 1 << (POSITION_BITS - SHARD_BITS);
        let mut forgotten = 0;
        for (number, shard) in (first as u64..).zip(&mut shards) {
            if (number + 1) * width <= range.end {
                forgotten += shard.iter().map(|name| note_bytes(name)).sum::<u64>();
                **shard = HashSet::new();
            }
        }
        forgotten
    }
}
