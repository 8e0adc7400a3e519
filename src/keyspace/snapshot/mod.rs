//! Snapshots: every key as it was at one instant, while writers go on. Nothing forks, and nobody waits for the walk.
//!
//! # The way of a snapshot
//! 1. *Cut*: inside a section over everything, each table that has keys gets a [`Part`]. Nobody is in the middle of a
//!    write then, so the instant is one between commands, transactions and scripts, in all databases.
//! 2. *Walk*: one thread goes through the tables in the order of *positions* (the hash with its bits reversed, the
//!    order in which SCAN's cursor counts), writes down every key, and moves the part's border ahead.
//! 3. *Kept keys*: whoever is about to change a key ahead of the border writes it down first ([`Space::keep_old`]), as
//!    it was or as not there, and notes its name. The walk passes noted keys by.
//!
//! # States and owners
//! | | who writes it | when |
//! |---|---|---|
//! | `Table::part` | the cut; the end of the snapshot | in the section; after the walk, once |
//! | `Part::border` | the walk alone | under the locks of all shards that it passes |
//! | a shard: the names of keys that were written down ahead of the border | writers, the walk | under its lock |
//! | the outbox: what writers wrote down | writers, the walk | under its lock, which is taken inside a shard's |
//!
//! # Rules
//! 1. A writer announces its stripe, or closes it, before it looks whether its table has a part. The cut was made with
//!    everything closed, so who was let in afterwards sees the part.
//! 2. A key ahead of the border is changed only by who has first found its name in its shard or put it there. Under the
//!    shard's lock a key without a note is therefore as it was at the cut: what is written down there is right.
//! 3. The walk writes a key down without any lock and looks at the shard afterwards, under its lock. Without a note
//!    nobody has begun to change the key: what was written counts. With a note it is thrown away, because the writer's
//!    copy counts. The border moves under that same lock, so a writer either notes its key in time or finds it passed.
//! 4. A writer fills the outbox before it lets go of the shard: when the border is at the end, nothing more comes.
//! 5. A bucket that the walk reads tells about exactly the positions from its cursor to the next one. No resize is under
//!    way at the cut, so what a resize leaves behind in a frozen bucket concerns keys that were changed since, and these
//!    have notes.
//! 6. A table that FLUSHDB takes out of its database stays until the snapshot ends: see [`Snapshots::adopt`].
//!
//! What a snapshot costs while none runs: each write loads `Table::part`, beside the table's size which it has just
//! read, and finds it null.

mod walk;

pub use walk::{Cut, Step};

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use super::Keyspace;
use super::gate::Section;
use super::reclaim::{retire, retire_table};
use super::space::{Key, Space};
use super::table::Table;
use crate::memory;
use crate::sync::epoch::Guard;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, Mutex, Ordering};
use crate::value::word::{ExpireAt, View};

/// Bits of a position.
const POSITION_BITS: u32 = 40;
/// The position behind the last one.
const END: u64 = 1 << POSITION_BITS;
/// Locks of one part.
#[cfg(not(sockudo_loom))]
const SHARD_BITS: u32 = 6;
/// Two locks in the models: every one of them costs the checker.
#[cfg(sockudo_loom)]
const SHARD_BITS: u32 = 1;
/// Bytes of a noted name besides the name itself: its place in the set, and its allocation's header.
const NOTE_BYTES: u64 = 32;

/// A live key, as [`Record`] writes it down.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// What it holds.
    pub view: View<'a>,
    /// Its deadline.
    pub expire_at: ExpireAt,
    /// Its access clock.
    pub clock: u32,
}

/// Writes a key down: appends its bytes.
pub type Record = dyn Fn(&Image<'_>, &mut Vec<u8>) + Send + Sync;

/// A key that a writer wrote down.
pub struct Kept {
    /// The number that its database had at the cut.
    pub db: usize,
    /// What [`Record`] wrote.
    pub bytes: Vec<u8>,
}

/// Names of keys that writers wrote down.
type Names = HashSet<Box<[u8]>>;

/// One table of a snapshot.
pub struct Part {
    /// The number of its database at the cut.
    db: usize,
    table: *const Table,
    /// Keys at positions below it are done.
    border: AtomicU64,
    /// Names by position.
    shards: Box<[Mutex<Names>]>,
    record: Arc<Record>,
}

// SAFETY: the table is shared between threads already, and outlives the part (rule 6).
unsafe impl Send for Part {}
// SAFETY: as above; all else is Sync.
unsafe impl Sync for Part {}

/// What snapshots leave in the keyspace. At most one is under way.
#[derive(Default)]
pub struct Snapshots {
    running: AtomicBool,
    outbox: Mutex<Vec<Kept>>,
    /// Bytes in the outbox and in the names of the shards.
    held: AtomicU64,
    /// The most that was held, and all that was written down by writers since the cut.
    peak: AtomicU64,
    total: AtomicU64,
    /// Tables that lost their database while it was being saved; none while no snapshot is under way.
    orphans: Mutex<Option<Vec<usize>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    // What is inserted under these locks is whole, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the walk finds the key with this hash.
#[inline]
fn position_of(hash: u64) -> u64 {
    hash.reverse_bits() >> (u64::BITS - POSITION_BITS)
}

fn shard_of(position: u64) -> usize {
    (position >> (POSITION_BITS - SHARD_BITS)) as usize
}

/// Bytes that a noted name takes.
fn note_bytes(name: &[u8]) -> u64 {
    name.len() as u64 + NOTE_BYTES
}

impl Part {
    fn new(db: usize, table: *const Table, record: &Arc<Record>) -> Part {
        let shards = (0..1 << SHARD_BITS).map(|_| Mutex::new(HashSet::new())).collect();
        Part { db, table, border: AtomicU64::new(0), shards, record: Arc::clone(record) }
    }

    /// Whether the walk is past this position.
    fn is_done(&self, position: u64) -> bool {
        // Ordering: Acquire, though a stale answer costs no more than a lock: the border only rises, and who is told
        // that it has not risen asks again under the shard's lock.
        self.border.load(Ordering::Acquire) > position
    }
}

impl Snapshots {
    /// Whether one is under way.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Bytes that writers wrote down and that are not taken yet, with the names that are noted.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The most bytes that were held at once by the present snapshot, or the last one.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Bytes that writers have written down for the present snapshot, or the last one.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts bytes that a writer keeps. They count as garbage too: what is to be freed soon has one bound, and whoever
    /// looks after that lets writers wait for the walk when they are too far ahead of it.
    fn hold(&self, bytes: u64) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
        self.total.fetch_add(bytes, Ordering::Relaxed);
        memory::retired(bytes as usize);
    }

    fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        memory::reclaimed(bytes as usize);
    }

    /// Takes over a table that was unlinked from its database, if it is being saved; whether it was (rule 6).
    pub(super) fn adopt(&self, table: *mut Table) -> bool {
        let mut orphans = locked(&self.orphans);
        // SAFETY: the caller has just unlinked the table and still holds its guard.
        let saved = !unsafe { &*table }.part().load(Ordering::Acquire).is_null();
        match orphans.as_mut() {
            Some(orphans) if saved => {
                orphans.push(table.expose_provenance());
                true
            }
            _ => false,
        }
    }
}

impl Keyspace {
    /// Makes the cut (step 1): `section` is over everything. None if a snapshot is under way already.
    pub fn cut(&self, section: &Section<'_>, record: Arc<Record>, guard: &Guard) -> Option<Cut> {
        debug_assert!(section.is_of_everything());
        let snapshots = &self.snapshots;
        if snapshots.running.swap(true, Ordering::AcqRel) {
            return None;
        }
        *locked(&snapshots.orphans) = Some(Vec::new());
        snapshots.peak.store(0, Ordering::Relaxed);
        snapshots.total.store(0, Ordering::Relaxed);
        let tables = (0..self.databases()).map(|db| (db, self.db(db).table(guard)));
        let parts = tables.filter(|(_, table)| !table.is_empty()).map(|(db, table)| {
            let part = Box::into_raw(Box::new(Part::new(db, table, &record)));
            // Ordering: Release publishes the part; the section orders it before whoever is let in next (rule 1).
            table.part().store(part, Ordering::Release);
            part
        });
        Some(Cut::new(parts.collect(), (0..self.databases()).map(|db| self.counts(db, guard)).collect()))
    }

    /// Keys of a database, and those of them that have a deadline.
    fn counts(&self, db: usize, guard: &Guard) -> (u64, u64) {
        (self.db(db).table(guard).len(), self.db(db).volatile())
    }

    /// Ends a snapshot, whether or not its walk came to the end.
    pub fn end_snapshot(&self, cut: Cut) {
        let guard = crate::sync::epoch::pin();
        for &part in cut.parts() {
            // SAFETY: it came from a box in `cut`, and is retired below.
            let known = unsafe { &*part };
            known.finish();
            // SAFETY: rule 6: the table is there until the orphans are given back.
            unsafe { &*known.table }.part().store(std::ptr::null_mut(), Ordering::Release);
            let address = part.expose_provenance();
            // SAFETY: unlinked just now; writers that still use it hold guards.
            unsafe {
                retire(&guard, size_of::<Part>(), move || {
                    let part: *mut Part = std::ptr::with_exposed_provenance_mut(address);
                    drop(Box::from_raw(part));
                });
            }
        }
        locked(&self.snapshots.outbox).clear();
        self.snapshots.release(self.snapshots.held());
        let orphans = locked(&self.snapshots.orphans).take();
        for table in orphans.into_iter().flatten() {
            retire_table(std::ptr::with_exposed_provenance_mut(table), &guard);
        }
        self.snapshots.running.store(false, Ordering::Release);
    }
}

impl Part {
    /// Moves the border to the end: from here on nobody writes anything down.
    fn finish(&self) {
        let mut shards: Vec<_> = self.shards.iter().map(locked).collect();
        shards.iter_mut().for_each(|shard| shard.clear());
        self.border.store(END, Ordering::Release);
    }
}

/// A table's part, if it is being saved.
pub(super) type PartOf = AtomicPtr<Part>;

impl Space<'_> {
    /// To be called before every change of a key: what a snapshot still needs of it is written down.
    #[inline]
    pub fn keep_old(&self, key: &Key<'_>) {
        // Ordering: Acquire pairs with the cut's Release; rule 1 says why a null is not stale.
        let part = self.table.part().load(Ordering::Acquire);
        if !part.is_null() {
            // SAFETY: parts are retired through the epoch, and the space's guard was held before the load.
            self.keep(unsafe { &*part }, key);
        }
    }

    #[cold]
    fn keep(&self, part: &Part, key: &Key<'_>) {
        let position = position_of(key.hash);
        if part.is_done(position) {
            return;
        }
        let mut noted = locked(&part.shards[shard_of(position)]);
        if part.is_done(position) || noted.contains(key.bytes) {
            return;
        }
        // Rule 2: the key is as it was at the cut.
        let mut bytes = Vec::new();
        if let Some(image) = self.image(key) {
            (part.record)(&image, &mut bytes);
        }
        let snapshots = &self.keyspace.snapshots;
        noted.insert(key.bytes.into());
        snapshots.hold(bytes.len() as u64 + note_bytes(key.bytes));
        if !bytes.is_empty() {
            // Rule 4: the shard is still locked.
            locked(&snapshots.outbox).push(Kept { db: part.db, bytes });
        }
    }

    /// The key as it stands in its slot, also one that is past its deadline.
    fn image<'a>(&'a self, key: &Key<'a>) -> Option<Image<'a>> {
        let entry = self.entry(key)?;
        let word = entry.load();
        if word.is_dead() {
            return None;
        }
        // SAFETY: loaded under the guard.
        let (view, expire_at) = unsafe { (word.view(), word.expire_at()) };
        Some(Image { key: entry.key(), view, expire_at, clock: entry.clock() })
    }
}
